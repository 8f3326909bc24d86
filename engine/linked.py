"""A case that another begins: the first facts it is given, typed as its own forms would have them, and what is written of the two."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import date, datetime
from typing import TYPE_CHECKING, Any

import sqlalchemy as sa

from engine import forms, history
from engine.clock import JST, civil_day
from engine.definitions import Definition
from engine.deploy_services import ALWAYS_PASSED, fields_of
from engine.errors import FormInvalid
from engine.expressions import instant
from engine.model import case_file, case_link
from engine.orphans import lock
from engine.tokens import ServiceFailed

if TYPE_CHECKING:
    from engine.moves import Linked, Move
    from engine.store import OpenCase

KIND = "started"


def first_facts(definition: Definition, passes: Mapping[str, Any], unit: str, move: Move, find: forms.FindPeople) -> dict[str, Any]:
    """The first facts of a case that another begins.

    Args:
        passes: what the diagram passes; null is the same as not passed.
        unit: the unit it belongs to unless that is passed.
        move: the new case's, with what the engine itself keeps.

    Raises:
        ServiceFailed: a fact is not declared or does not fit, or the start form needs more; names fields, never what stands in them.
    """
    fields = fields_of(definition.net)
    now = move.now.astimezone(JST).isoformat(timespec="minutes")
    given = {"known_at": now, "owning_unit": unit} | {name: _plain(value) for name, value in passes.items() if value is not None}
    unknown = sorted(given.keys() - fields.keys() - {*ALWAYS_PASSED})
    if unknown:
        raise ServiceFailed(f"始める手続「{definition.name}」に、項目「{'」「'.join(unknown)}」がありません。")
    units = {one.id: one.name for one in move.organisation.owners(civil_day(move.now))}
    try:
        facts = forms.read_values([fields[name] for name in given if name in fields], given, now=move.now, units=units, people=find)
        if "known_at" not in fields:
            facts["known_at"] = instant(given["known_at"]).astimezone(JST).isoformat(timespec="minutes")
        if "owning_unit" not in fields:
            facts["owning_unit"] = given["owning_unit"] if given["owning_unit"] in move.organisation.units else None
        facts = {name: value for name, value in facts.items() if value is not None}
        move.facts["owning_unit"] = facts["owning_unit"]
        start = definition.net.start
        asked = {spec.id: facts[spec.id] for spec in start.form if spec.id in facts}
        read = forms.read(
            start.form,
            asked,
            facts={**move.facts, **facts},
            now=move.now,
            units=units,
            people=find,
            evaluate=move.evaluate,
        )
    except FormInvalid as invalid:
        labels = "」「".join(fields[name].label if name in fields else name for name in invalid.fields)
        raise ServiceFailed(f"手続「{definition.name}」の案件を始められません。「{labels}」が足りないか、合いません。") from None
    except (KeyError, TypeError, ValueError):
        raise ServiceFailed(f"手続「{definition.name}」の案件を始められません。知った日時か部署が合いません。") from None
    return {**facts, **read}


def _plain(value: Any) -> Any:
    """A value as facts keep it: instants and days as ISO 8601 text."""
    if isinstance(value, datetime):
        return instant(value).astimezone(JST).isoformat(timespec="minutes")
    return value.isoformat() if isinstance(value, date) else value


def write(connection: sa.Connection, case: OpenCase, linked: Linked, now: datetime, person: str) -> sa.RowMapping:
    """Write the link between a case and one that it has begun, with the record for the first; returns the other's row for its own."""
    begun = linked.begun
    connection.execute(case_link.insert().values(case_id=case.id, other_id=begun.case_id, kind=KIND, label=linked.label))
    case.entries.append(entry(now, person, linked.node.id, case.definition.id, linked.label, begun.number, begun.case_id))
    return connection.execute(sa.select(case_file).where(case_file.c.id == begun.case_id)).mappings().one()


def write_also(
    connection: sa.Connection, linked: Linked, now: datetime, person: str
) -> Iterator[tuple[sa.RowMapping, history.Entry, history.Entry]]:
    """Write the links of a new case with further cases: of each its row, the record for the new case, and the record for itself."""
    begun = linked.begun
    if linked.also:
        lock(connection, linked.also)
    for row in connection.execute(sa.select(case_file).where(case_file.c.id.in_(linked.also)).order_by(case_file.c.id)).mappings().all():
        connection.execute(case_link.insert().values(case_id=row["id"], other_id=begun.case_id, kind=KIND, label=linked.label))
        yield (
            row,
            entry(now, person, None, begun.definition.id, linked.label, row["number"], row["id"]),
            entry(now, person, None, row["definition"], linked.label, begun.number, begun.case_id),
        )


def entry(now: datetime, person: str, node: str | None, definition: int, label: str, number: str, case_id: int) -> history.Entry:
    """The record of a link on one side: the other case's number, and what the link is called."""
    return history.Entry(
        "case.linked", now, person, None, node, None, None, definition, {"label": label, "number": number, "case": case_id}
    )
