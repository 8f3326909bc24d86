"""Persons and the dated facts about them: who holds which seat, who stands in for whom, who is away; as valid on a day, as known at an instant."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any

import sqlalchemy as sa

from engine.errors import PersonNotFound
from engine.model import absence, deputy, holding, outside_link, person
from engine.organisation import PERSON, Organisation

#: The offices of an installation by id.
Offices = Mapping[str, Organisation]

SYSTEM = "system"
SYSTEM_NAME = "システム"
#: What the ids of outside parties begin with, who act through a link (`engine/links.py`); no person's id has a colon.
LINK = "link:"
#: How one may hold a seat, in the words of personnel orders.
HOLDING_KINDS: Mapping[str, str] = {"main": "本務", "concurrent": "兼務", "joint": "併任", "caretaker": "事務取扱", "acting": "職務代理"}
DEPUTY_KINDS: Mapping[str, str] = {"substitute": "代理", "decision": "代決"}
KINDS: Mapping[str, str] = {**HOLDING_KINDS, **DEPUTY_KINDS, "person": "本人", "in_turn": "次順位", "link": "相手方の入力"}
#: Holdings that one may be deputised in: a 職務代理 stands in already, and there is no deputy of a deputy.
DEPUTISED = ("main", "concurrent", "joint", "caretaker")
ABSENCES: Mapping[str, str] = {"leave": "休暇", "sick": "病気休暇・休職", "travel": "出張", "training": "研修", "other": "その他"}


@dataclass(frozen=True)
class Person:
    """A person as the engine needs one; `email` is None when mail is not wanted."""

    id: str
    organisation: str
    name: str
    email: str | None


@dataclass(frozen=True)
class Holder:
    """A person behind a seat: by a holding (main, concurrent, joint, caretaker, acting), as substitute, or as the person it belongs to.

    `seat` is the one asked for; `process` limits a substitute to one procedure (empty: all); `standing_in`: whoever he is the substitute of
    is registered absent that day.
    """

    person: str
    name: str
    email: str | None
    seat: str
    kind: str
    process: str = ""
    principal: str = ""
    standing_in: bool = False


# The statements of every act and every page are built once: building them anew cost more than running them (tests/bench).
ON = sa.bindparam("on_day", type_=sa.Date())


def in_period(table: Any, on: sa.ColumnElement[date] | date = ON) -> sa.ColumnElement[bool]:
    """Rows of a dated table that hold on a day, as known now."""
    return sa.and_(table.c.valid_from <= on, sa.or_(table.c.valid_to.is_(None), table.c.valid_to >= on), table.c.superseded_at.is_(None))


def account_open(table: Any = person) -> sa.ColumnElement[bool]:
    """Accounts that may be used on the day: neither ended nor past their last day."""
    return sa.and_(table.c.disabled_at.is_(None), sa.or_(table.c.ends_on.is_(None), table.c.ends_on >= ON))


def away(who: sa.ColumnElement[str]) -> sa.ColumnElement[bool]:
    """Whether a person is registered absent on the day."""
    return sa.exists().where(absence.c.person == who, in_period(absence))


_HOLDERS = (
    sa.select(
        person.c.id, person.c.name, person.c.email, holding.c.seat, holding.c.kind, sa.literal("").label("process"), sa.literal("").label("of"),
        holding.c.id.label("row"), sa.false().label("of_away"),
    )
    .join(holding, holding.c.person == person.c.id)
    .where(holding.c.organisation == sa.bindparam("office"), holding.c.seat.in_(sa.bindparam("seats", expanding=True)), in_period(holding), account_open())
)  # fmt: skip
_principal = person.alias("principal")
_SUBSTITUTES = (
    sa.select(
        person.c.id, person.c.name, person.c.email, holding.c.seat, sa.literal("substitute").label("kind"), deputy.c.process_id.label("process"),
        deputy.c.principal.label("of"), holding.c.id.label("row"), away(deputy.c.principal).label("of_away"),
    )
    .select_from(
        deputy.join(person, person.c.id == deputy.c.person)
        .join(_principal, _principal.c.id == deputy.c.principal)
        .join(
            holding,
            sa.and_(holding.c.person == deputy.c.principal, holding.c.kind.in_(DEPUTISED), sa.or_(deputy.c.seat == "", deputy.c.seat == holding.c.seat)),
        )
    )
    .where(
        deputy.c.kind == "substitute", holding.c.organisation == sa.bindparam("office"), holding.c.seat.in_(sa.bindparam("seats", expanding=True)),
        in_period(holding), in_period(deputy), account_open(), account_open(_principal),
    )
)  # fmt: skip
_BEHIND = sa.union_all(_HOLDERS, _SUBSTITUTES)
_PERSONS = sa.select(person.c.id, person.c.name, person.c.email).where(person.c.id.in_(sa.bindparam("ids", expanding=True)), account_open())


def find(connection: sa.Connection, person_id: str, on: date) -> Person:
    """The person with this id.

    Raises:
        PersonNotFound: unknown, or the account has been ended.
    """
    query = sa.select(person.c.id, person.c.organisation, person.c.name, person.c.email).where(person.c.id == person_id, account_open())
    row = connection.execute(query, {"on_day": on}).first()
    if row is None:
        raise PersonNotFound(person=person_id)
    return Person(*row)


def holders(
    connection: sa.Connection, office: Organisation, seats: Iterable[str], on: date, process: str | None = None
) -> tuple[Holder, ...]:
    """Everyone behind these seats on a day, substitutes included; `person:ID` seats stand for that person.

    A seat of a unit that is no more is answered by the unit that took its place.

    Args:
        process: leaves out substitutes for another procedure than this.
    """
    wanted = set(seats)
    own = {seat.removeprefix(PERSON): seat for seat in wanted if seat.startswith(PERSON)}
    asked: dict[str, list[str]] = {}
    for seat in sorted(wanted - set(own.values())):
        asked.setdefault(office.current_seat(seat, on) or seat, []).append(seat)
    found: list[Holder] = []
    if asked:
        rows = connection.execute(_BEHIND, {"office": office.id, "seats": sorted(asked), "on_day": on}).all()
        for row in sorted(rows, key=lambda row: (row.kind == "substitute", row.row)):
            if process is None or row.process in ("", process):
                found += [
                    Holder(row.id, row.name, row.email, seat, row.kind, row.process, row.of, bool(row.of_away)) for seat in asked[row.seat]
                ]
    if own:
        for row in connection.execute(_PERSONS, {"ids": sorted(own), "on_day": on}):
            found.append(Holder(row.id, row.name, row.email, own[row.id], "person"))
    return tuple(found)


def absent(connection: sa.Connection, persons: Iterable[str], on: date) -> frozenset[str]:
    """Those of some people who are registered absent on a day."""
    wanted = sorted(set(persons))
    if not wanted:
        return frozenset()
    return frozenset(
        connection.scalars(sa.select(absence.c.person).where(absence.c.person.in_(wanted), in_period(absence)), {"on_day": on})
    )


def all_holdings(connection: sa.Connection, organisation: str, on: date) -> dict[str, tuple[str, ...]]:
    """person id -> every seat held on a day, for lists of accounts."""
    held: dict[str, tuple[str, ...]] = {}
    query = (
        sa.select(holding.c.person, holding.c.seat).where(holding.c.organisation == organisation, in_period(holding)).order_by(holding.c.id)
    )
    for row in connection.execute(query, {"on_day": on}):
        held[row.person] = (*held.get(row.person, ()), row.seat)
    return held


def held_as_known(connection: sa.Connection, organisation: str, seat: str, on: date, known_at: datetime) -> tuple[Mapping[str, Any], ...]:
    """Who held a seat on a day as the record stood at an instant: rows of `holding` with the person's `name`."""
    query = (
        sa.select(holding, person.c.name)
        .join(person, person.c.id == holding.c.person)
        .where(
            holding.c.organisation == organisation,
            holding.c.seat == seat,
            holding.c.valid_from <= on,
            sa.or_(holding.c.valid_to.is_(None), holding.c.valid_to >= on),
            holding.c.recorded_at <= known_at,
            sa.or_(holding.c.superseded_at.is_(None), holding.c.superseded_at > known_at),
        )
        .order_by(holding.c.id)
    )
    return tuple(dict(row) for row in connection.execute(query).mappings())


def finder(connection: sa.Connection, office: Organisation, on: date) -> Callable[[str], list[tuple[str, str, str]]]:
    """Finds people of an office by id or name: (id, name, where they work)."""

    def find_people(text: str) -> list[tuple[str, str, str]]:
        wanted = sa.or_(person.c.id == text, person.c.name == text)
        rows = connection.execute(
            sa.select(person.c.id, person.c.name).where(person.c.organisation == office.id, wanted).order_by(person.c.id)
        )
        found = [(row.id, row.name) for row in rows]
        exact = [pair for pair in found if pair[0] == text]
        chosen = exact or found
        held = all_holdings(connection, office.id, on) if len(chosen) > 1 else {}
        return [(who, name, "、".join(office.seat_name(seat) for seat in held.get(who, ())) or "役なし") for who, name in chosen]

    return find_people


def party_name(party: str) -> str:
    """How the record names an outside party that acted through its link."""
    return f"相手方 {party}（リンク）"


def names(connection: sa.Connection, ids: Iterable[str | None]) -> dict[str, str]:
    """Person id -> name, for everyone ever known, ended accounts and outside parties included."""
    wanted = {person_id for person_id in ids if person_id}
    result = {SYSTEM: SYSTEM_NAME}
    outside = {one for one in wanted if one.startswith(LINK)}
    if outside:
        numbers = [int(one.removeprefix(LINK)) for one in outside if one.removeprefix(LINK).isdecimal()]
        rows = connection.execute(sa.select(outside_link.c.id, outside_link.c.party).where(outside_link.c.id.in_(numbers)))
        result.update({f"{LINK}{row.id}": party_name(row.party) for row in rows})
        wanted -= outside
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
    by: str = SYSTEM,
    basis: str = "",
    source: str = "",
) -> None:
    """Record that a person holds a seat for a period (both days included)."""
    values = {"person": person_id, "organisation": organisation, "seat": seat, "kind": kind, "basis": basis, "source": source}
    connection.execute(holding.insert().values(**values, valid_from=valid_from, valid_to=valid_to, recorded_at=at, recorded_by=by))


def end_row(connection: sa.Connection, table: sa.Table, row: Mapping[Any, Any], last_day: date, at: datetime, by: str) -> None:
    """Let a dated fact end on a day: the row is superseded by one with that last day; one that would never have held is only superseded."""
    connection.execute(table.update().where(table.c.id == row["id"]).values(superseded_at=at, superseded_by=by))
    if last_day >= row["valid_from"]:
        kept = {column.name: row[column.name] for column in table.c if column.name not in ("id", "superseded_at", "superseded_by")}
        connection.execute(table.insert().values({**kept, "valid_to": last_day, "recorded_at": at, "recorded_by": by}))
