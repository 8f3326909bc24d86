"""Grants that outlive their work: entries of a ledger that still say "granted" although their case has ended or their time is long over."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from datetime import date, datetime, timedelta
from typing import TYPE_CHECKING, Any

import sqlalchemy as sa

from engine.clock import JST, civil_day, end_of_day
from engine.deploy_services import assignments
from engine.expressions import instant
from engine.ledger_rules import Ledger
from engine.ledger_values import Marked
from engine.model import Row, case_file, ledger_entry
from engine.tokens import ServiceFailed

if TYPE_CHECKING:
    from engine.moves import Move
    from engine.net import Node

ENDED = "案件が終わったのに、消えていない"
OVER = "終わりの時刻を過ぎても、消えていない"


def find(move: Move, node: Node, local: Mapping[str, Any]) -> None:
    """Service `find_orphan_grants`: puts what it finds into the facts `orphans` (a list), `orphans_left` and `orphans_summary`.

    Properties of the task: `ledger`; `state`, the states that mean "granted"; `until`, the column with the end of the time granted; `grace`,
    a span after that; `except`, states that leave an entry out for good once it has been in one; `summary`, what the summary begins with.

    An entry that another case of this kind has marked by `except` is never found again, whatever its own case writes later.

    Raises:
        ServiceFailed: `grace` is no span.
    """
    grace = move.evaluate(node.properties["grace"], local)
    if not isinstance(grace, timedelta):
        raise ServiceFailed("grace が時間の長さではありません。")
    ledger = move.organisation.rules.ledger(node.properties["ledger"], civil_day(move.now))
    rows = _granted(move.at_desk.connection, move.organisation.id, ledger, node.listed("state"), node.listed("except"))
    found = list(_left(rows, node.properties["until"], move.now - grace))
    summary = [node.properties.get("summary", "").strip(), "、".join(row["number"] for row in found)]
    move.put({"orphans": found, "orphans_left": bool(found), "orphans_summary": "\n".join(filter(None, summary)) if found else None})


def _granted(
    connection: sa.Connection, organisation: str, ledger: Ledger, states: Sequence[str], exceptions: Sequence[str]
) -> Sequence[Row]:
    """The newest revisions that are in one of these states, with number and state of their cases; those cases are locked.

    Looked at again after the lock: an act that held one of the cases may have removed the grant meanwhile.
    """
    later, known = ledger_entry.alias("later"), ledger_entry.alias("known")
    same = [[other.c[name] == ledger_entry.c[name] for name in ("organisation", "ledger", "entry")] for other in (later, known)]
    wanted = [
        ledger_entry.c.organisation == organisation,
        ledger_entry.c.ledger == ledger.id,
        ledger_entry.c.state.in_(states),
        ~sa.exists().where(*same[0], later.c.revision > ledger_entry.c.revision),
    ]
    if exceptions:
        wanted.append(~sa.exists().where(*same[1], known.c.state.in_(exceptions)))
    cases = connection.scalars(sa.select(ledger_entry.c.case_id).where(*wanted).distinct()).all()
    if not cases:
        return ()
    lock(connection, cases)
    query = sa.select(ledger_entry, case_file.c.number, case_file.c.state.label("case_state")).join(case_file).where(*wanted)
    return connection.execute(query.order_by(ledger_entry.c.entry)).mappings().all()


def _left(rows: Sequence[Row], column: str, over: datetime) -> Iterator[dict[str, Any]]:
    """Of granted entries, those that should not be: what stands in the fact `orphans` of each."""
    for row in rows:
        until = _instant(json.loads(row["content"]).get(column))
        ended = row["case_state"] != "open"
        if ended or (until is not None and until < over):
            shown = until.astimezone(JST).strftime("%Y-%m-%d %H:%M") if until is not None else ""
            why = ENDED if ended else OVER
            yield {"entry": row["entry"], "case": row["case_id"], "number": row["number"], "until": shown, "why": why}


def _instant(value: Any) -> datetime | None:
    """When a granted time ends, as a ledger keeps it; a day alone means its end. What was typed and is no time says nothing."""
    try:
        return end_of_day(date.fromisoformat(value)) if len(value) == len("2026-12-01") else instant(value)
    except (TypeError, ValueError):
        return None


def lock(connection: sa.Connection, cases: Sequence[int]) -> None:
    """Lock other cases than the act's own, always in the same order."""
    locked = sa.select(case_file.c.id).where(case_file.c.id.in_(sorted(set(cases)))).order_by(case_file.c.id)
    connection.execute(locked.with_for_update()).all()


def mark(move: Move, node: Node, local: Mapping[str, Any]) -> None:
    """Service `mark_entries`: gives entries of other cases in property `ledger` the state in `state`, unless they are closed already.

    Properties of the task besides: `entries`, the fact that lists them (as `find_orphan_grants` does); `values`, `column=expression, …`.
    """
    ledger = move.organisation.rules.ledger(node.properties["ledger"], civil_day(move.now))
    listed = move.facts.get(node.properties["entries"]) or []
    values = {column: move.evaluate(text, local) for column, text in assignments(node, "values")}
    entries = tuple(int(row["entry"]) for row in listed)
    move.marked.append(Marked(ledger, entries, node.properties["state"], values, node.id))


def others(facts: Mapping[str, Any], name: str) -> tuple[int, ...]:
    """Ids of the cases that a fact lists (`case` of each row), each once."""
    return tuple(dict.fromkeys(int(row["case"]) for row in facts.get(name) or () if isinstance(row, Mapping) and row.get("case")))
