"""What the record holds of a case's decisions (決裁): its rows up to each of them, the facts replayed to there, and the names of that instant."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any

import sqlalchemy as sa

from engine import people
from engine.model import case_file, history
from engine.net import FieldSpec, Net, Node
from engine.organisation import PERSON
from engine.store import OpenCase

#: Rows that end a step by which a case is decided.
DECIDED, RETURNED = "task.completed", "task.sent_back"


@dataclass(frozen=True)
class Row:
    """One row of a case's record. `seq` is its position in the chain, `digest` the chain's head once it was added."""

    seq: int
    tag: str
    at: datetime
    person: str
    seat: str
    node: str
    clauses: tuple[str, ...]
    definition: int | None
    digest: str
    data: Mapping[str, Any]


@dataclass(frozen=True)
class Decision:
    """One decision of a case, numbered from 1 in the order taken.

    Attributes:
        state: stands; returned (the decider sent the case back instead); undone (a later step sent it back to be decided again);
            replaced (decided again); withdrawn (the case was taken back afterwards).
        since: the row that brought this state about after the decision, if one did.
    """

    number: int
    row: Row
    node: Node
    state: str
    since: Row | None = None


def declared(net: Net) -> dict[str, FieldSpec]:
    """Every declared field by its id, as the first form that has it says."""
    found: dict[str, FieldSpec] = {}
    for node in net.nodes:
        for spec in node.form:
            found.setdefault(spec.id, spec)
    return found


def rows_of(connection: sa.Connection, case_id: int) -> tuple[Row, ...]:
    """The rows of a case's own chain, oldest first (the caller has checked that it is visible)."""
    found = connection.execute(
        sa.select(history).where(history.c.case_id == case_id, history.c.chain == f"case:{case_id}").order_by(history.c.seq)
    ).mappings()
    return tuple(
        Row(
            seq=row["seq"],
            tag=row["tag"],
            at=row["at"],
            person=row["person"],
            seat=row["seat"] or "",
            node=row["node"] or "",
            clauses=tuple(part.strip() for part in (row["clause"] or "").split(",") if part.strip()),
            definition=row["definition"],
            digest=row["digest"],
            data=json.loads(row["data"]),
        )
        for row in found
    )


def facts_of(rows: Iterable[Row]) -> dict[str, Any]:
    """The facts as the rows left them: every change of a fact is in the row of the act that made it, with the new value."""
    facts: dict[str, Any] = {}
    for row in rows:
        facts |= {name: change[1] for name, change in row.data.get("facts", {}).items()}
    return facts


def decisions(rows: Sequence[Row], net: Net) -> tuple[Decision, ...]:
    """Every decision the record tells of, and what became of it."""
    found = [
        (row, node)
        for row in rows
        if row.tag in (DECIDED, RETURNED) and (node := net.by_id.get(row.node)) is not None and node.decides
    ]  # fmt: skip
    return tuple(_decision(number, row, node, rows) for number, (row, node) in enumerate(found, 1))


def _decision(number: int, row: Row, node: Node, rows: Sequence[Row]) -> Decision:
    if row.tag == RETURNED:
        return Decision(number, row, node, "returned")
    for later in rows:
        if later.seq <= row.seq:
            continue
        if later.tag == RETURNED and later.data.get("to_node", later.data.get("to")) in (node.id, node.name):
            return Decision(number, row, node, "undone", later)
        if later.tag == DECIDED and later.node == node.id and later.data.get("index") == row.data.get("index"):
            return Decision(number, row, node, "replaced", later)
        if later.tag == "case.withdrawn":
            return Decision(number, row, node, "withdrawn", later)
    return Decision(number, row, node, "stands")


# ---------------------------------------------------------------- names as of then


class Names:
    """What persons, seats, units and clauses were called at an instant, as `names_now` wrote it down; an id nobody named stands for itself."""

    def __init__(self, told: Mapping[str, Any]) -> None:
        self._told = told
        self.office: str = told.get("office", "")
        self.head_title: str = told.get("head_title", "")
        persons: Mapping[str, str] = told.get("persons", {})
        self.persons: Mapping[str, str] = persons
        #: Units by id and people by `person:ID`, as values of fields name them.
        self.labels: Mapping[str, str] = {**told.get("units", {}), **{f"{PERSON}{who}": name for who, name in persons.items()}}

    def person(self, who: str) -> str:
        """A person's name."""
        return self.persons.get(who, who)

    def seat(self, seat: str) -> str:
        """A seat as officials write it."""
        return str(self._told.get("seats", {}).get(seat, seat))

    def post(self, seat: str) -> str:
        """The post that fills a seat, or the seat's own name."""
        return str(self._told.get("posts", {}).get(seat) or self.seat(seat))

    def clause(self, clause_id: str) -> str:
        """A clause as it is cited."""
        return str(self._told.get("clauses", {}).get(clause_id, clause_id))


def names_now(
    connection: sa.Connection,
    case: OpenCase,
    facts: Mapping[str, Any],
    node: Node | None,
    on: date,
    more: Iterable[str] = (),
    seat: str = "",
) -> dict[str, Any]:
    """What everybody and everything in a case's record is called now, as plain data: a decision's row keeps it, and the chain covers it.

    Args:
        facts: the facts as the act at hand leaves them.
        node: the step that decides, whose clauses are told too.
        on: the Japanese day.
        more: persons of the act at hand, whose rows are not written yet.
        seat: the seat acted from.
    """
    mine = (history.c.case_id == case.id, history.c.chain == f"case:{case.id}")
    rows = connection.execute(sa.select(history.c.person, history.c.seat, history.c.clause).where(*mine).distinct()).all()
    naming = sa.or_(history.c.data.contains('"acting":', autoescape=True), history.c.tag.startswith("person."))
    told = [json.loads(text) for text in connection.scalars(sa.select(history.c.data).where(*mine, naming))]
    persons = {row.person for row in rows} | set(more)
    persons |= {str(one) for data in told for one in (data.get("acting", {}).get("for"), data.get("person")) if one}
    seats = {row.seat for row in rows if row.seat} | {seat}
    clauses = {part.strip() for row in rows for part in (row.clause or "").split(",")}
    units = {facts.get("owning_unit"), facts.get("reporting_unit")}
    for spec in (spec for one in case.definition.net.nodes for spec in one.form):
        value = facts.get(spec.id)
        if spec.type == "people" and isinstance(value, list):
            persons |= {str(one) for one in value}
        elif spec.type == "unit":
            units.add(value)
    for one in (case.definition.net.start, node):
        clauses |= set(one.listed("clause")) if one is not None else set()
    office = case.organisation
    reported_for = connection.scalar(sa.select(case_file.c.reported_for).where(case_file.c.id == case.id))
    known = people.names(connection, {*persons, str(facts.get("reporter") or ""), reported_for})
    return {
        "office": office.name,
        "head_title": office.head_title,
        "persons": dict(sorted(known.items())),
        "seats": {one: office.seat_name(one) for one in sorted(seats - {""})},
        "posts": {one: office.post_name(one) for one in sorted(seats - {""})},
        "units": {one: office.units[one].name for one in sorted(str(unit) for unit in units) if one in office.units},
        "clauses": {one: row.citation for one in sorted(clauses) if (row := office.clause(one, on)) is not None},
    }
