"""Whether there is somebody for the work: seats nobody holds, steps nobody can do, and the chart of units with who is behind each seat."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import date, datetime, timedelta

import sqlalchemy as sa

from engine import people
from engine.apart import others
from engine.bars import answering
from engine.clock import civil_day
from engine.definitions import Definition
from engine.inbox import GetDefinition
from engine.model import FAR_FUTURE, bar, case_file, holding, person, task
from engine.organisation import PERSON, Organisation, Unit
from engine.people import account_open, in_period
from engine.staff_views import SeatShown, StuckTask, TaskMoved, UnitShown, Vacancy

MOST = 500
_HELD = (
    sa.select(holding.c.seat)
    .join(person, person.c.id == holding.c.person)
    .where(holding.c.organisation == sa.bindparam("office"), in_period(holding), account_open())
    .distinct()
)


def held_seats(connection: sa.Connection, office: Organisation, on: date) -> frozenset[str]:
    """Seats that somebody holds on a day."""
    return frozenset(connection.scalars(_HELD, {"office": office.id, "on_day": on}))


def open_by_seat(connection: sa.Connection, office: Organisation, on: date) -> dict[str, int]:
    """How many open steps wait at each seat, those of units of the past counted where they are answered on a day."""
    rows = connection.execute(
        sa.select(task.c.seat, sa.func.count().label("many"))
        .where(task.c.organisation == office.id, task.c.state == "open")
        .group_by(task.c.seat)
    )
    found: dict[str, int] = {}
    for row in rows:
        seat = office.current_seat(row.seat, on) or row.seat
        found[seat] = found.get(seat, 0) + int(row.many)
    return found


def turning_days(connection: sa.Connection, office: Organisation, on: date) -> list[date]:
    """The day itself and every later one on which somebody begins or ends to hold a seat, or a unit begins or ends, as far as known."""
    current = sa.and_(holding.c.organisation == office.id, holding.c.superseded_at.is_(None))
    begins = connection.scalars(sa.select(holding.c.valid_from).where(current, holding.c.valid_from > on).distinct())
    ends = connection.scalars(sa.select(holding.c.valid_to).where(current, holding.c.valid_to >= on).distinct())
    leaves = connection.scalars(sa.select(person.c.ends_on).where(person.c.organisation == office.id, person.c.ends_on >= on).distinct())
    after = {day + timedelta(days=1) for day in (*ends, *leaves) if day is not None}
    return sorted({on, *begins, *after, *(day for day in office.changes() if day > on)})


def vacancies(connection: sa.Connection, office: Organisation, on: date, procedures: Iterable[Definition]) -> tuple[Vacancy, ...]:
    """Seats that nobody holds, from the day itself or from a later day that is known already; those with most waiting first."""
    days = turning_days(connection, office, on)
    empty: dict[str, list[date]] = {}
    for day in days:
        held = held_seats(connection, office, day)
        for seat in office.seats(day):
            if seat not in held:
                empty.setdefault(seat, []).append(day)
    waiting = open_by_seat(connection, office, on)
    used = _roles_used(procedures)
    found = []
    for seat, on_days in empty.items():
        since = on_days[0]
        later = [day for day in days if day > since and day not in on_days]
        role = seat.partition("@")[0]
        above = office.next_seat(seat, since)
        found.append(
            Vacancy(
                seat, office.seat_name(seat), since, later[0] - timedelta(days=1) if later else None, waiting.get(seat, 0),
                office.seat_name(above) if above else "", tuple(used.get(role, ())),
            )
        )  # fmt: skip
    return tuple(sorted(found, key=lambda one: (-one.open_tasks, not one.used_by, one.since)))


def _roles_used(procedures: Iterable[Definition]) -> dict[str, list[str]]:
    used: dict[str, list[str]] = {}
    for definition in procedures:
        roles = {group.partition("@")[0] for node in definition.net.nodes for group in node.candidate_groups}
        for role in roles:
            used.setdefault(role, []).append(definition.name)
    return used


def stuck(connection: sa.Connection, office: Organisation, definition: GetDefinition, at: datetime) -> tuple[StuckTask, ...]:
    """Open steps that nobody can do now: nobody holds the seat, or everybody who does is kept from the step."""
    on = civil_day(at)
    rows = connection.execute(
        sa.select(task, case_file.c.number, case_file.c.definition, case_file.c.reporter, case_file.c.reported_for)
        .join(case_file, case_file.c.id == task.c.case_id)
        .where(task.c.organisation == office.id, task.c.state == "open")
        .order_by(task.c.due_at, task.c.id)
    ).mappings()
    held = held_seats(connection, office, on)
    barred = _barred(connection, office)
    found: list[StuckTask] = []
    for row in rows:
        seat = row["seat"] if row["seat"].startswith(PERSON) else office.current_seat(row["seat"], on) or row["seat"]
        node = definition(row["definition"]).net.by_id.get(row["node"])
        apart = node is not None and bool(others(node))
        kept = barred.get((row["case_id"], None), set()) | barred.get((row["case_id"], row["id"]), set())
        if seat in held and not kept and not apart:
            continue
        behind = people.holders(connection, office, [row["seat"]], on, row["process_id"])
        if apart and node is not None:
            kept = kept | _did(connection, row, others(node), definition(row["definition"]).net.start.id)
        free = [holder for holder in behind if holder.person not in kept and holder.principal not in kept]
        if free:
            continue
        why = "役に就いている人がいません" if not behind else _none_in_order(connection, office, row, kept, on)
        if why:
            due = None if row["due_at"] == FAR_FUTURE else row["due_at"]
            found.append(
                StuckTask(row["id"], row["number"], row["name"], row["seat"], office.seat_name(row["seat"]), row["opened_at"], due, why)
            )
        if len(found) >= MOST:
            break
    return tuple(found)


def _none_in_order(connection: sa.Connection, office: Organisation, row: sa.RowMapping, kept: set[str], on: date) -> str:
    """Why nobody at all can do it; empty when a rung above takes it in turn."""
    if answering(connection, office, row["seat"], row["process_id"], kept, on) is not None:
        return ""
    return "就いている人が皆、この処理から外れていて、上位の役にも代わる人がいません"


def _barred(connection: sa.Connection, office: Organisation) -> dict[tuple[int, int | None], set[str]]:
    found: dict[tuple[int, int | None], set[str]] = {}
    query = sa.select(bar.c.case_id, bar.c.task_id, bar.c.person).where(bar.c.organisation == office.id, bar.c.lifted_at.is_(None))
    for row in connection.execute(query):
        found.setdefault((row.case_id, row.task_id), set()).add(row.person)
    return found


def _did(connection: sa.Connection, row: sa.RowMapping, nodes: frozenset[str], start: str) -> set[str]:
    """Who did one of these steps of a case, or had it done for him."""
    query = sa.select(task.c.closed_by, task.c.closed_for).where(
        task.c.case_id == row["case_id"], task.c.state == "done", task.c.node.in_(nodes)
    )
    found = {who for pair in connection.execute(query) for who in pair if who}
    return found | ({who for who in (row["reporter"], row["reported_for"]) if who} if start in nodes else set())


def open_tasks(connection: sa.Connection, office: Organisation, seats: Iterable[str], on: date) -> dict[str, list[TaskMoved]]:
    """seat as answered on a day -> its open steps, told without what their cases are about."""
    wanted = {old: seat for seat in seats for old in (seat, *office.answered_by(seat, on))}
    if not wanted:
        return {}
    rows = connection.execute(
        sa.select(task.c.id, task.c.name, task.c.seat, task.c.due_at, case_file.c.number)
        .join(case_file, case_file.c.id == task.c.case_id)
        .where(task.c.organisation == office.id, task.c.state == "open", task.c.seat.in_(sorted(wanted)))
        .order_by(task.c.due_at, task.c.id)
    )
    found: dict[str, list[TaskMoved]] = {}
    for row in rows:
        due = None if row.due_at == FAR_FUTURE else row.due_at
        found.setdefault(wanted[row.seat], []).append(TaskMoved(row.id, row.number, row.name, office.seat_name(row.seat), due))
    return found


def chart(connection: sa.Connection, office: Organisation, on: date) -> tuple[UnitShown, ...]:
    """The units of a day from the root down, each with its seats, who is behind them, and how much waits there."""
    waiting = open_by_seat(connection, office, on)
    behind: dict[str, list[people.Holder]] = {}
    for holder in people.holders(connection, office, office.seats(on), on):
        behind.setdefault(holder.seat, []).append(holder)
    names = people.names(connection, {holder.principal for group in behind.values() for holder in group})
    found = []
    for depth, unit in _tree(office, on):
        seats = []
        for role in unit.seats:
            seat = f"{role}@{unit.id}"
            group = behind.get(seat, [])
            holders = tuple((one.person, one.name, people.HOLDING_KINDS[one.kind]) for one in group if one.kind != "substitute")
            deputies = tuple((one.name, names.get(one.principal, "")) for one in group if one.kind == "substitute")
            seats.append(
                SeatShown(seat, office.roles[role].name, unit.posts.get(role, ""), holders, deputies, waiting.get(seat, 0), not holders)
            )
        found.append(UnitShown(unit.id, unit.name, depth, unit.valid_from, unit.valid_to, tuple(seats)))
    return tuple(found)


def _tree(office: Organisation, on: date) -> Iterable[tuple[int, Unit]]:
    children: dict[str, list[Unit]] = {}
    for unit in office.units.values():
        if unit.exists(on):
            above = office.parent_of(unit, on)
            while above and not office.units[above].exists(on):  # passed over, as in a chain
                above = office.parent_of(office.units[above], on)
            children.setdefault(above, []).append(unit)
    stack = [(0, unit) for unit in reversed(children.get("", []))]
    while stack:
        depth, unit = stack.pop()
        yield depth, unit
        stack += [(depth + 1, child) for child in reversed(children.get(unit.id, []))]
