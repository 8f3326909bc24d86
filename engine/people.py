"""People and the seats they hold by date: who is behind a seat on a day, and which seats a person may act from."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date, datetime

import sqlalchemy as sa

from engine.errors import PersonNotFound
from engine.model import holding, person
from engine.views import SeatHeld

SYSTEM = "system"
SYSTEM_NAME = "システム"


@dataclass(frozen=True)
class Person:
    """A person as the engine needs one; `email` is None when mail is not wanted."""

    id: str
    organisation: str
    name: str
    email: str | None


@dataclass(frozen=True)
class Holder:
    """A person behind a seat. `kind` is main, concurrent, acting or deputy."""

    person: str
    name: str
    email: str | None
    seat: str
    kind: str


def find(connection: sa.Connection, person_id: str) -> Person:
    """The person with this id.

    Raises:
        PersonNotFound: unknown, or the account has been ended.
    """
    row = connection.execute(
        sa.select(person.c.id, person.c.organisation, person.c.name, person.c.email).where(
            person.c.id == person_id, person.c.disabled_at.is_(None)
        )
    ).first()
    if row is None:
        raise PersonNotFound(person=person_id)
    return Person(*row)


# The statements of every act and every page are built once: building them anew cost more than running them (tests/bench).
_ON = sa.bindparam("on_day", type_=sa.Date())
_VALID = sa.and_(holding.c.valid_from <= _ON, sa.or_(holding.c.valid_to.is_(None), holding.c.valid_to >= _ON))
_PERSON_WITH_SEATS = (
    sa.select(
        person.c.id,
        person.c.organisation,
        person.c.name,
        person.c.email,
        holding.c.seat,
        holding.c.kind,
        holding.c.valid_from,
        holding.c.valid_to,
    )
    .select_from(person.outerjoin(holding, sa.and_(holding.c.person == person.c.id, _VALID)))
    .where(person.c.id == sa.bindparam("person_id"), person.c.disabled_at.is_(None))
    .order_by(holding.c.id)
)
_HOLDERS = (
    sa.select(person.c.id, person.c.name, person.c.email, holding.c.seat, holding.c.kind)
    .join(holding, holding.c.person == person.c.id)
    .where(
        holding.c.organisation == sa.bindparam("office"),
        holding.c.seat.in_(sa.bindparam("seats", expanding=True)),
        _VALID,
        person.c.disabled_at.is_(None),
    )
    .order_by(holding.c.id)
)
_PERSONS = sa.select(person.c.id, person.c.name, person.c.email).where(
    person.c.id.in_(sa.bindparam("ids", expanding=True)), person.c.disabled_at.is_(None)
)
_ALL_HOLDINGS = (
    sa.select(holding.c.person, holding.c.seat).where(holding.c.organisation == sa.bindparam("office"), _VALID).order_by(holding.c.id)
)


def find_with_seats(connection: sa.Connection, person_id: str, on: date) -> tuple[Person, tuple[tuple[str, str, date, date | None], ...]]:
    """The person and the (seat, kind, from, to) held on a day, in one read.

    Raises:
        PersonNotFound: unknown, or the account has been ended.
    """
    rows = connection.execute(_PERSON_WITH_SEATS, {"person_id": person_id, "on_day": on}).all()
    if not rows:
        raise PersonNotFound(person=person_id)
    first = rows[0]
    held = tuple((row.seat, row.kind, row.valid_from, row.valid_to) for row in rows if row.seat is not None)
    return Person(first.id, first.organisation, first.name, first.email), held


def holders(connection: sa.Connection, organisation: str, seats: Iterable[str], on: date) -> tuple[Holder, ...]:
    """Everyone behind these seats on a day, deputies included; `person:ID` seats stand for that person."""
    wanted = set(seats)
    own = {seat.removeprefix("person:"): seat for seat in wanted if seat.startswith("person:")}
    found: list[Holder] = []
    shared = wanted - set(own.values())
    if shared:
        rows = connection.execute(_HOLDERS, {"office": organisation, "seats": sorted(shared), "on_day": on})
        found += [Holder(*row) for row in rows]
    if own:
        rows = connection.execute(_PERSONS, {"ids": sorted(own)})
        found += [Holder(row.id, row.name, row.email, own[row.id], "main") for row in rows]
    return tuple(found)


def all_holdings(connection: sa.Connection, organisation: str, on: date) -> dict[str, tuple[str, ...]]:
    """person id -> every seat held on a day, for lists of accounts."""
    held: dict[str, tuple[str, ...]] = {}
    for row in connection.execute(_ALL_HOLDINGS, {"office": organisation, "on_day": on}):
        held[row.person] = (*held.get(row.person, ()), row.seat)
    return held


def names(connection: sa.Connection, ids: Iterable[str]) -> dict[str, str]:
    """Person id -> name, for everyone ever known, ended accounts included."""
    wanted = {person_id for person_id in ids if person_id}
    result = {SYSTEM: SYSTEM_NAME}
    if wanted - {SYSTEM}:
        result.update(
            {row.id: row.name for row in connection.execute(sa.select(person.c.id, person.c.name).where(person.c.id.in_(wanted)))}
        )
    return result


def add(
    connection: sa.Connection,
    *,
    person_id: str,
    organisation: str,
    name: str,
    email: str | None,
    password_hash: str | None,
    at: datetime,
) -> None:
    """Register a person; replaces nothing."""
    connection.execute(
        person.insert().values(id=person_id, organisation=organisation, name=name, email=email, password_hash=password_hash, created_at=at)
    )


def appoint(
    connection: sa.Connection,
    *,
    person_id: str,
    organisation: str,
    seat: str,
    kind: str,
    valid_from: date,
    valid_to: date | None,
    at: datetime,
) -> None:
    """Record that a person holds a seat for a period (both days included)."""
    connection.execute(
        holding.insert().values(
            person=person_id, organisation=organisation, seat=seat, kind=kind, valid_from=valid_from, valid_to=valid_to, recorded_at=at
        )
    )


def shown(held: Iterable[tuple[str, str, date, date | None]], seat_name: dict[str, str]) -> tuple[SeatHeld, ...]:
    """Holdings in words."""
    return tuple(SeatHeld(seat, seat_name[seat], kind, since, until) for seat, kind, since, until in held)
