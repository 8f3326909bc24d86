"""As what a person may act on a day: seats held, seats stood in for, what the person is kept from, and what comes to him in turn."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import date, datetime

import sqlalchemy as sa

from engine import bars, people
from engine.clock import civil_day
from engine.errors import PersonNotFound
from engine.model import absence, bar, deputy, holding, person, task
from engine.organisation import PERSON, Organisation
from engine.people import DEPUTISED, account_open, in_period
from engine.views import SeatHeld, Viewer

_me: sa.BindParameter[str] = sa.bindparam("person_id")
_none = sa.literal("")
_principal = person.alias("principal")
_theirs = holding.alias("theirs")
_away = absence.alias("away")
_bars = (
    sa.select(sa.func.count())
    .select_from(bar)
    .where(bar.c.organisation == person.c.organisation, bar.c.lifted_at.is_(None))
    .scalar_subquery()
)

#: The person with each seat held, and one row even for who holds none; then each seat somebody else's registration lets him stand in for.
_STANDING = sa.union_all(
    sa.select(
        person.c.organisation, person.c.name, holding.c.seat, holding.c.kind, holding.c.valid_from, holding.c.valid_to, holding.c.id.label("row"),
        _none.label("principal"), _none.label("principal_name"), holding.c.basis, _none.label("process"), _bars.label("bars"),
    )
    .select_from(person.outerjoin(holding, sa.and_(holding.c.person == person.c.id, in_period(holding))))
    .where(person.c.id == _me, account_open()),
    sa.select(
        person.c.organisation, person.c.name, _theirs.c.seat, deputy.c.kind, deputy.c.valid_from, deputy.c.valid_to, deputy.c.id.label("row"),
        deputy.c.principal, _principal.c.name.label("principal_name"), deputy.c.basis, deputy.c.process_id.label("process"), sa.literal(0).label("bars"),
    )
    .select_from(
        deputy.join(person, person.c.id == deputy.c.person)
        .join(_principal, _principal.c.id == deputy.c.principal)
        .join(
            _theirs,
            sa.and_(
                _theirs.c.person == deputy.c.principal,
                _theirs.c.kind.in_(DEPUTISED),  # never a deputy of a deputy
                sa.or_(deputy.c.seat == "", deputy.c.seat == _theirs.c.seat),
                in_period(_theirs),
            ),
        )
    )
    .where(
        deputy.c.person == _me,
        in_period(deputy),
        account_open(),
        account_open(_principal),
        # 代決 is for the absence of who decides; 代理 is for its whole period.
        sa.or_(deputy.c.kind == "substitute", sa.exists().where(_away.c.person == deputy.c.principal, in_period(_away))),
    ),
)  # fmt: skip

_OPEN_BARS = (
    sa.select(bar.c.person, bar.c.task_id, bar.c.case_id, task.c.id.label("step"), task.c.seat, task.c.process_id, task.c.final)
    .select_from(
        bar.outerjoin(
            task,
            sa.and_(task.c.case_id == bar.c.case_id, task.c.state == "open", sa.or_(bar.c.task_id.is_(None), bar.c.task_id == task.c.id)),
        )
    )
    .where(bar.c.organisation == sa.bindparam("office"), bar.c.lifted_at.is_(None))
)


def viewer_of(connection: sa.Connection, offices: people.Offices, person_id: str, now: datetime) -> Viewer:
    """The person with all that may be acted from at an instant.

    Raises:
        PersonNotFound: unknown, or the account has been ended.
    """
    on = civil_day(now)
    rows = connection.execute(_STANDING, {"person_id": person_id, "on_day": on}).all()
    own = [row for row in rows if row.principal == ""]
    if not own:
        raise PersonNotFound(person=person_id)
    office = offices[own[0].organisation]
    seats: list[SeatHeld] = []
    for row in sorted(rows, key=lambda row: (row.principal != "", row.row or 0)):
        if row.seat is not None:
            seats += _answered(row, office, on)
    plain = Viewer(person_id, own[0].name, office.id, tuple(seats), now)
    return _with_bars(connection, office, plain, on) if own[0].bars else plain


def _answered(row: sa.Row[tuple[object, ...]], office: Organisation, on: date) -> Iterable[SeatHeld]:
    """The seat of a row, when the office still has it, and the seats of units of the past that it answers for."""
    for seat in (row.seat, *office.answered_by(row.seat, on)):
        yield SeatHeld(
            seat, office.seat_name(seat), row.kind, row.valid_from, row.valid_to, row.principal, row.principal_name, row.basis, row.process,
            "" if seat == row.seat else row.seat,
        )  # fmt: skip


def _with_bars(connection: sa.Connection, office: Organisation, viewer: Viewer, on: date) -> Viewer:
    """The viewer with what he is kept from, and what others being kept from it brings to him."""
    rows = connection.execute(_OPEN_BARS, {"office": office.id}).all()
    barred = {row.step for row in rows if row.person == viewer.person and row.step is not None}
    cases = frozenset(row.case_id for row in rows if row.person == viewer.person and row.task_id is None)
    steps = {row.step: row for row in rows if row.step is not None and row.step not in barred and not row.seat.startswith(PERSON)}
    kept = {step: {row.person for row in rows if row.step == step} for step in steps}
    mine = {held.seat for held in viewer.own_seats}
    in_turn: dict[int, tuple[int, str]] = {}
    for step, row in steps.items():
        ways = [
            held
            for held in viewer.seats
            if held.seat == row.seat and held.process in ("", row.process_id) and (held.kind != "decision" or row.final)
        ]
        if ways and all(held.principal in kept[step] for held in ways):
            barred.add(step)  # nobody does in somebody's stead what that one is kept from
        if ways or not mine:
            continue
        answering = bars.answering(connection, office, row.seat, row.process_id, kept[step], on)
        if answering != row.seat and answering in mine:
            in_turn[step] = (row.case_id, answering)
    return Viewer(
        viewer.person,
        viewer.name,
        viewer.organisation,
        viewer.seats,
        viewer.at,
        frozenset(barred),
        cases,
        in_turn,
        {step: frozenset(who) for step, who in kept.items()},
    )
