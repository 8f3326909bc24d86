"""Writes ledger entries: a new one, or a revision that supersedes the one before; nothing is ever overwritten."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Any

import sqlalchemy as sa

from engine import people
from engine.clock import to_micros
from engine.history import Entry, Fault, canonical
from engine.ledger_rules import DROPPED, Ledger
from engine.ledger_values import Item, Marked, Passed, Values, converted, day_of, items, searched, words
from engine.model import Row, history, ledger_entry
from engine.orphans import lock
from engine.retention import kept_until

if TYPE_CHECKING:
    from engine.moves import Move
    from engine.store import OpenCase

#: history tags of what happens in a ledger.
ENTERED, CHANGED, CORRECTED = "ledger.entered", "ledger.changed", "ledger.corrected"
_NOT_DIGESTED = ("id", "digest")


@dataclass(frozen=True)
class By:
    """Who brought a revision about: the person and the seat, for whom, by which act at which step."""

    person: str
    seat: str | None
    acted_for: str | None
    act: str
    node: str | None
    step: str


def enter(connection: sa.Connection, case: OpenCase, move: Move, now: datetime, actor: str, number: Callable[[str], int]) -> list[Entry]:
    """Write what the `ledger` tasks passed in a move put into ledgers; returns the rows for the record.

    Args:
        number: the next number of a series by its name.
    """
    by = _cause(case.entries, actor)
    known = {"case_number": case.row["number"], "case_id": case.id}
    entries: list[Entry] = []
    for passed in move.entered:
        given = items(
            passed.ledger, {**passed.facts, **known}, move.functions, case.definition.net, lambda ids: people.names(connection, ids)
        )
        for values in _revisions(connection, case, passed, given, by, now, number):
            entries.append(_write(connection, case, passed.ledger, values, now, passed.node))
    return entries


def mark(connection: sa.Connection, case: OpenCase, marked: Marked, now: datetime, actor: str) -> Iterator[Entry]:
    """Write what a `mark_entries` task puts into entries of other cases; returns the rows for the record of the case it belongs to."""
    ledger, by = marked.ledger, _cause(case.entries, actor)
    ours = (ledger_entry.c.organisation == case.row["organisation"], ledger_entry.c.ledger == ledger.id)
    wanted = (*ours, ledger_entry.c.entry.in_(marked.entries))
    lock(connection, connection.scalars(sa.select(ledger_entry.c.case_id).where(*wanted)).all())
    columns = {column.id: column.kind for column in ledger.columns}
    values = {name: converted(columns[name], value) for name, value in marked.values.items() if name in columns}
    for old in newest(connection, *wanted):
        content = {**json.loads(old["content"]), **values}
        if not old["closed"] and (marked.state, content) != (old["state"], json.loads(old["content"])):
            row = revision(ledger, old, marked.state, content, json.loads(old["written"]), by, now, case.organisation.unit_names)
            yield _write(connection, case, ledger, row, now, marked.node)


def _cause(entries: Sequence[Entry], actor: str) -> By:
    """The act that led here: what its actor has done in this act, not what followed from it."""
    one = next((entry for entry in reversed(entries) if entry.person == actor), None)
    if one is None:
        return By(actor, None, None, "", None, "")
    acting = one.data.get("acting")
    principal = str(acting.get("for") or "") if isinstance(acting, Mapping) else ""
    return By(one.person, one.seat, principal or None, one.tag, one.node, str(one.data.get("name") or ""))


def newest(connection: sa.Connection, *where: sa.ColumnElement[bool]) -> list[dict[str, Any]]:
    """The newest revision of each entry that meets a condition, in the order of their numbers."""
    query = sa.select(ledger_entry).where(*where).order_by(ledger_entry.c.ledger, ledger_entry.c.entry, ledger_entry.c.revision)
    found = {(row["ledger"], row["entry"]): dict(row) for row in connection.execute(query).mappings()}
    return list(found.values())


def _revisions(
    connection: sa.Connection,
    case: OpenCase,
    passed: Passed,
    given: Iterable[Item],
    by: By,
    now: datetime,
    number: Callable[[str], int],
) -> Iterator[dict[str, Any]]:
    """The rows to be added so that a case's entries say what its facts say; none for an entry that says so already."""
    ledger = passed.ledger
    of_case = (ledger_entry.c.case_id == case.id, ledger_entry.c.ledger == ledger.id)
    before = {row["item"]: row for row in newest(connection, *of_case)}
    for item in given:
        old = before.pop(item.key, None)
        values = item.values if old is None else _kept(old, item.values)
        if old is not None and (passed.state, values, item.values) == (
            old["state"],
            json.loads(old["content"]),
            json.loads(old["written"]),
        ):
            continue
        base = old or {
            "organisation": case.row["organisation"],
            "ledger": ledger.id,
            "entry": number(f"ledger:{ledger.id}"),
            "case_id": case.id,
            "item": item.key,
            "revision": 0,
            "entered_at": now,
        }
        yield revision(ledger, base, passed.state, values, item.values, by, now, case.organisation.unit_names)
    for old in before.values():  # no longer in the case's list: the entry stays, and says so
        if old["state"] != DROPPED:
            yield revision(
                ledger, old, DROPPED, json.loads(old["content"]), json.loads(old["written"]), by, now, case.organisation.unit_names
            )


def _kept(old: Row, written: Values) -> Values:
    """What the process writes, with corrections kept in columns about which it says the same as before."""
    before, shown = json.loads(old["written"]), json.loads(old["content"])
    return {name: shown.get(name) if name in before and before[name] == value else value for name, value in written.items()}


def revision(
    ledger: Ledger,
    base: Mapping[str, Any],
    state: str,
    values: Values,
    written: Values,
    by: By,
    now: datetime,
    units: Mapping[str, str],
    reason: str | None = None,
) -> dict[str, Any]:
    """The row that supersedes `base`.

    Args:
        base: the newest revision so far, or what an entry begins with (revision 0).
        values: what the entry says from now on.
        written: what the process has written, corrections left out.
        units: unit id -> name.
        reason: why an official corrects it.
    """
    same = {name: base[name] for name in ("organisation", "ledger", "entry", "case_id", "item", "entered_at")}
    looked_for, masked = searched(ledger, values, units)
    counted = day_of(values.get(ledger.retention_from)) if ledger.retention_from else None
    group = ledger.column(ledger.group)
    row: dict[str, Any] = {
        **same,
        "revision": base["revision"] + 1,
        "state": state,
        "closed": state == DROPPED or state in ledger.closed_states,
        "content": canonical(values),
        "written": canonical(written),
        "words": looked_for,
        "masked_words": masked,
        "grouped": words(group.kind, values.get(group.id), units)[:200] if group is not None else "",
        "kept_until": kept_until(counted, ledger.retention_years) if counted is not None else None,
        "recorded_at": now,
        "person": by.person,
        "seat": by.seat,
        "acted_for": by.acted_for,
        "act": by.act,
        "node": by.node,
        "step": by.step,
        "reason": reason,
    }
    row["digest"] = _digest(row)
    return row


def _write(connection: sa.Connection, case: OpenCase, ledger: Ledger, row: dict[str, Any], now: datetime, node: str) -> Entry:
    connection.execute(ledger_entry.insert(), row)
    tag = ENTERED if row["revision"] == 1 else CHANGED
    return Entry(tag, now, row["person"], row["seat"], node, None, None, case.definition.id, told(ledger, row))


def told(ledger: Ledger, row: Row) -> dict[str, Any]:
    """What the record says of a revision: which it is, and its digest; what it says stands in the ledger alone."""
    named = {name: row[name] for name in ("ledger", "entry", "revision", "state", "digest")}
    return {"name": ledger.name, **named}


def _digest(row: Row) -> str:
    covered = {name: value for name, value in row.items() if name not in _NOT_DIGESTED}
    for name in ("entered_at", "recorded_at"):
        covered[name] = to_micros(covered[name])
    covered["kept_until"] = covered["kept_until"].isoformat() if covered["kept_until"] else None
    covered["closed"] = bool(covered["closed"])
    return hashlib.sha256(canonical(covered).encode()).hexdigest()


def verify(connection: sa.Connection) -> Iterator[Fault]:
    """Every ledger entry that is not what the record says was written, or that is there without it, or no more."""
    wanted: dict[tuple[Any, ...], str] = {}
    tags = history.c.tag.in_((ENTERED, CHANGED, CORRECTED))
    for row in connection.execute(sa.select(history.c.organisation, history.c.data).where(tags)):
        data = json.loads(row.data)
        wanted[row.organisation, data["ledger"], data["entry"], data["revision"]] = data["digest"]
    rows = connection.execute(sa.select(ledger_entry).order_by(ledger_entry.c.organisation, ledger_entry.c.ledger, ledger_entry.c.id))
    for found in rows.mappings():
        key = (found["organisation"], found["ledger"], found["entry"], found["revision"])
        if wanted.pop(key, None) != _digest(found):
            yield Fault(f"ledger:{key[0]}:{key[1]}", key[2], f"台帳の第{key[3]}版が、記録された内容と違います")
    for organisation, ledger, entry, number in sorted(wanted):
        yield Fault(f"ledger:{organisation}:{ledger}", entry, f"台帳の第{number}版が消えています")
