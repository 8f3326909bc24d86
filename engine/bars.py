"""Who is kept from a case or a step: the person a case is about, and whoever did what a step must be independent of.

The acts themselves are judged by what was done (`UnitOfWork._check_same_person`); the rows here are for the inboxes, which must not show a
step to somebody who may not do it, and for finding who is next in order when everybody behind a seat is kept from it.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import date, datetime
from typing import TYPE_CHECKING

import sqlalchemy as sa

from engine import apart, history, people
from engine.clock import civil_day
from engine.model import Row, bar, deputy, holding, task
from engine.moves import Move
from engine.organisation import Organisation
from engine.tokens import Wait

if TYPE_CHECKING:
    from engine.store import OpenCase


_HOLD = sa.and_(
    holding.c.organisation == sa.bindparam("office"), holding.c.seat.in_(sa.bindparam("seats", expanding=True)), people.in_period(holding)
)
_CANDIDATES = sa.union(
    sa.select(holding.c.person).where(holding.c.person.in_(sa.bindparam("persons", expanding=True)), _HOLD),
    sa.select(deputy.c.person)
    .join(holding, holding.c.person == deputy.c.principal)
    .where(deputy.c.person.in_(sa.bindparam("persons", expanding=True)), people.in_period(deputy), _HOLD),
)


def name(connection: sa.Connection, case: OpenCase, move: Move, now: datetime, by: str, *, whole: bool = False) -> None:
    """Bring the bars of a case up to the people its facts name; who is no longer named comes back in.

    Args:
        whole: the fields themselves may be others than before, whether their facts have changed or not.
    """
    fields = case.definition.named_fields
    if not whole and (not fields or (case.facts and not fields & move.changed.keys())):
        return
    wanted = {str(person) for field in fields for person in (move.facts.get(field) or [])}
    query = sa.select(bar.c.person).where(bar.c.case_id == case.id, bar.c.task_id.is_(None), bar.c.lifted_at.is_(None))
    known = set(connection.scalars(query))
    for person in sorted(wanted - known):
        _put(connection, case, None, person, "named", now)
        case.entries.append(history.Entry("person.taken_out", now, by, definition=case.definition.id, data={"person": person}))
    for person in sorted(known - wanted):
        lifted = sa.and_(bar.c.case_id == case.id, bar.c.task_id.is_(None), bar.c.person == person, bar.c.lifted_at.is_(None))
        connection.execute(bar.update().where(lifted).values(lifted_at=now))
        case.entries.append(history.Entry("person.taken_in", now, by, definition=case.definition.id, data={"person": person}))


def separate(connection: sa.Connection, case: OpenCase, waits: Iterable[Wait], now: datetime, move: Move | None = None) -> None:
    """Keep from each open step those of its candidates today who did what it must be independent of, or whom a field names for that.

    Args:
        move: what is being written; None where nothing moves.
    """
    kept = [wait for wait in waits if wait.kind == "task" and wait.node.listed("not_same_person_as")]
    if not kept:
        return
    columns = (task.c.id, task.c.wait, task.c.node, task.c.name, task.c.seat, task.c.state, task.c.closed_by, task.c.closed_for)
    query = sa.select(*columns, task.c.closed_at).where(task.c.case_id == case.id, task.c.state.in_(("open", "done")))
    rows = connection.execute(query).mappings().all()
    nodes = [wait.node for wait in kept]
    acted = [*apart.of_tasks(row for row in rows if row["state"] == "done"), *apart.beside_tasks(connection, case, nodes)]
    steps = {row["wait"]: row for row in rows if row["state"] == "open"}
    renamed = move is not None and apart.names_others(case, move, nodes)
    facts = case.facts if move is None else move.facts
    for wait in kept:
        row, wanted = steps.get(wait.key), apart.others(wait.node)
        persons = {who for one in acted if one.node in wanted for who in one.persons}
        persons.update(who for one in apart.named(case, wait.node, facts) for who in one.persons)
        if row is not None and renamed:
            _let_back(connection, int(row["id"]), persons, now)
        if row is not None and persons:
            _keep_from(connection, case, row, persons, now)


def _keep_from(connection: sa.Connection, case: OpenCase, row: Row, persons: set[str], now: datetime) -> None:
    """A bar for each of these people who is a candidate of the step or of a rung above, or a deputy of one: most who acted never are."""
    office, on = case.organisation, civil_day(now)
    seats = [office.current_seat(row["seat"], on) or row["seat"], *office.rungs(row["seat"], on)]
    candidates = set(connection.scalars(_CANDIDATES, {"office": office.id, "seats": seats, "persons": sorted(persons), "on_day": on}))
    if not candidates:
        return
    barred = set(connection.scalars(sa.select(bar.c.person).where(bar.c.task_id == row["id"], bar.c.lifted_at.is_(None))))
    for person in sorted(candidates - barred):
        _put(connection, case, int(row["id"]), person, "same_person", now)


def _let_back(connection: sa.Connection, task_id: int, persons: set[str], now: datetime) -> None:
    """Whoever nothing keeps from a step any more, as a field no longer names him."""
    gone = sa.and_(bar.c.task_id == task_id, bar.c.reason == "same_person", bar.c.lifted_at.is_(None), bar.c.person.not_in(sorted(persons)))
    connection.execute(bar.update().where(gone).values(lifted_at=now))


def _put(connection: sa.Connection, case: OpenCase, task_id: int | None, person: str, reason: str, now: datetime) -> None:
    values = {"organisation": case.row["organisation"], "case_id": case.id, "task_id": task_id, "person": person, "reason": reason}
    connection.execute(bar.insert().values({**values, "since": now}))
    case.row["barred"] = True


def of_case(connection: sa.Connection, case_id: int) -> dict[int | None, set[str]]:
    """task id (None: the whole case) -> who is kept from it now."""
    found: dict[int | None, set[str]] = {}
    query = sa.select(bar.c.task_id, bar.c.person).where(bar.c.case_id == case_id, bar.c.lifted_at.is_(None))
    for row in connection.execute(query):
        found.setdefault(row.task_id, set()).add(row.person)
    return found


def answering(connection: sa.Connection, office: Organisation, seat: str, process: str, barred: set[str], on: date) -> str | None:
    """The seat that answers for a step when some people are kept from it: its own, or the next rung with somebody who is not.

    A seat that nobody holds at all does not pass its work on: that is a vacancy, which is shown and repaired.
    """
    for asked in (seat, *office.rungs(seat, on)):
        behind = people.holders(connection, office, [asked], on, process)
        if not behind and asked == seat:
            return seat
        if any(holder.person not in barred and holder.principal not in barred for holder in behind):
            return asked
    return None


def instead_of(connection: sa.Connection, case: OpenCase, on: date) -> dict[str, str]:
    """seat -> the rung above that does its actions in a case because everybody behind the seat is named there."""
    named = of_case(connection, case.id).get(None, set()) if case.definition.named_fields else set()
    found: dict[str, str] = {}
    if named:
        move = case.move(case.row["changed_at"])
        groups = {group for wait in case.waits() if wait.kind == "message" for group in wait.node.candidate_groups}
        for seat in sorted(seat for group in groups if (seat := move.seat_or_none(group)) is not None):
            heir = answering(connection, case.organisation, seat, case.row["process_id"], named, on)
            if heir is not None and heir != seat:
                found[seat] = heir
    return found


def lift_of_case(connection: sa.Connection, case_id: int, now: datetime) -> None:
    """A case that has ended keeps nobody from anything any more."""
    connection.execute(bar.update().where(bar.c.case_id == case_id, bar.c.lifted_at.is_(None)).values(lifted_at=now))
