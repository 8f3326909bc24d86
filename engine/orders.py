"""Personnel orders (発令): what a file of rows would change on its day, whether it can, and writing it once a second person approves.

An order's day is the first day of the new state: who is relieved on 1 April held the seat until 31 March. Nothing happens at that midnight but
that the day begins: whoever holds a seat is found by date whenever something is read, so no case is touched.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, field
from datetime import date, datetime, timedelta
from typing import Any

import sqlalchemy as sa

from engine import history, people
from engine.clock import start_of_day
from engine.errors import OrderInvalid, RowFault
from engine.model import deputy, handover, holding, person, personnel_order
from engine.order_rows import OrderRow
from engine.organisation import Organisation
from engine.wakeup import add_jobs

_ACTIONS: Mapping[str, str] = {"join": "採用", "appoint": "任命", "relieve": "免", "move": "異動", "leave": "退職"}


@dataclass(frozen=True)
class Begin:
    """A holding that an order lets begin."""

    person: str
    seat: str
    kind: str
    valid_from: date
    valid_to: date | None
    basis: str


@dataclass
class Plan:
    """Everything an order would write, and what stands against it."""

    effective_on: date
    begins: list[Begin] = field(default_factory=list)
    ends: list[Mapping[str, Any]] = field(default_factory=list)  # rows of `holding`
    joins: list[OrderRow] = field(default_factory=list)
    leaves: list[str] = field(default_factory=list)
    faults: list[RowFault] = field(default_factory=list)
    warnings: list[str] = field(default_factory=list)

    @property
    def last_day(self) -> date:
        """The last day of what ends."""
        return self.effective_on - timedelta(days=1)

    def lost(self) -> dict[str, set[str]]:
        """seat -> who no longer holds it."""
        kept = {(one.seat, one.person) for one in self.begins}
        found: dict[str, set[str]] = {}
        for row in self.ends:
            if row["valid_from"] <= self.last_day and (row["seat"], row["person"]) not in kept:
                found.setdefault(row["seat"], set()).add(row["person"])
        return found

    def gained(self) -> dict[str, set[str]]:
        """seat -> who newly holds it."""
        before = {(row["seat"], row["person"]) for row in self.ends}
        found: dict[str, set[str]] = {}
        for one in self.begins:
            if (one.seat, one.person) not in before:
                found.setdefault(one.seat, set()).add(one.person)
        return found


def dumped(rows: Iterable[OrderRow]) -> str:
    """Rows as the order keeps them."""
    return json.dumps([asdict(row) for row in rows], default=str, ensure_ascii=False)


def loaded(content: str) -> tuple[OrderRow, ...]:
    """Rows of a kept order."""
    return tuple(
        OrderRow(
            **{
                **row,
                "valid_from": date.fromisoformat(row["valid_from"]),
                "valid_to": date.fromisoformat(row["valid_to"]) if row["valid_to"] else None,
            }
        )
        for row in json.loads(content)
    )


def plan(connection: sa.Connection, office: Organisation, rows: Iterable[OrderRow], today: date) -> Plan:
    """What the rows would change, weighed against what is known now; every fault is told at once."""
    found = list(rows)
    made = Plan(found[0].valid_from if found else today)
    if not found:
        made.faults.append(RowFault(0, "", "発令の行がありません。"))
    elif made.effective_on <= today:
        made.faults.append(RowFault(0, "発令日", f"発令日（{made.effective_on}）が過去か今日です。明日以後の日付にしてください。"))
    if made.faults:
        return made
    _check_known(connection, office, found, made)
    held = _held(connection, office, made.effective_on, {row.person for row in found})
    for row in found:
        _read(row, held.get(row.person, []), made)
    _clashes(found, held, made)
    _weigh(connection, office, made)
    return made


def _check_known(connection: sa.Connection, office: Organisation, rows: list[OrderRow], made: Plan) -> None:
    """People and seats as they are known now: a draft may have been read long before it is approved."""
    query = sa.select(person.c.id, people.account_open().label("open")).where(person.c.id.in_(sorted({row.person for row in rows})))
    known = {row.id: bool(row.open) for row in connection.execute(query, {"on_day": made.effective_on})}
    joining, seats = {row.person for row in rows if row.action == "join"}, set(office.seats(made.effective_on))
    for row in rows:
        if row.action == "join" and row.person in known:
            made.faults.append(RowFault(row.line, "職員番号", "この番号の職員は、すでに登録されています。"))
        elif row.person not in joining and not known.get(row.person):
            made.faults.append(RowFault(row.line, "職員番号", "この人は、発令日までに利用を終えています。"))
        if row.seat and row.action != "relieve" and row.seat not in seats:
            made.faults.append(RowFault(row.line, "役", "この役は、発令日にはありません。"))


def _held(connection: sa.Connection, office: Organisation, day: date, persons: set[str]) -> dict[str, list[Mapping[str, Any]]]:
    """What these people hold on the day or later, as known now."""
    rows = connection.execute(
        sa.select(holding)
        .where(
            holding.c.organisation == office.id, holding.c.person.in_(sorted(persons)), holding.c.superseded_at.is_(None),
            sa.or_(holding.c.valid_to.is_(None), holding.c.valid_to >= day),
        )
        .order_by(holding.c.id)
    ).mappings()  # fmt: skip
    held: dict[str, list[Mapping[str, Any]]] = {}
    for row in rows:
        held.setdefault(row["person"], []).append(dict(row))
    return held


def _read(row: OrderRow, held: list[Mapping[str, Any]], made: Plan) -> None:
    if row.action == "join":
        made.joins.append(row)
    if row.action == "leave":
        made.leaves.append(row.person)
        _end(held, made)
    elif row.action == "relieve":
        mine = [one for one in held if one["seat"] == row.seat]
        if not mine:
            made.faults.append(RowFault(row.line, "役", "この人は、発令日にその役に就いていません。"))
        _end(mine, made)
    elif row.action == "move":
        _end([one for one in held if one["kind"] == "main"], made)
    if row.seat and row.action in ("join", "appoint", "move"):
        made.begins.append(Begin(row.person, row.seat, row.kind, row.valid_from, row.valid_to, row.basis))


def _end(rows: Iterable[Mapping[str, Any]], made: Plan) -> None:
    known = {row["id"] for row in made.ends}
    made.ends += [row for row in rows if row["id"] not in known]


def _clashes(rows: list[OrderRow], held: Mapping[str, list[Mapping[str, Any]]], made: Plan) -> None:
    """Holdings that would overlap: the same seat twice, or two main posts in different units."""
    ended = {row["id"] for row in made.ends}
    for row in rows:
        if row.action not in ("join", "appoint", "move") or not row.seat:
            continue
        stays = [one for one in held.get(row.person, []) if one["id"] not in ended and _overlap(one, row)]
        same = [one for one in made.begins if (one.person, one.seat) == (row.person, row.seat)]
        if any(one["seat"] == row.seat for one in stays) or len(same) > 1:
            made.faults.append(RowFault(row.line, "役", "この人は、その期間にすでに同じ役に就いています（期間が重なります）。"))
        unit = row.seat.partition("@")[2]
        others = [one for one in stays if one["kind"] == "main" and one["seat"].partition("@")[2] != unit]
        others_new = [one for one in made.begins if one.person == row.person and one.kind == "main" and one.seat.partition("@")[2] != unit]
        if row.kind == "main" and (others or others_new):
            made.faults.append(RowFault(row.line, "区分", "本務が2つになります。異動にするか、区分を兼務・併任にしてください。"))


def _overlap(one: Mapping[str, Any], row: OrderRow) -> bool:
    return (row.valid_to is None or one["valid_from"] <= row.valid_to) and (one["valid_to"] is None or one["valid_to"] >= row.valid_from)


def _weigh(connection: sa.Connection, office: Organisation, made: Plan) -> None:
    """What an approver should know: seats with two holders, deputies that lapse, ends that were announced already."""
    on = {"on_day": made.effective_on}
    gained = made.gained()
    if gained:
        staying = connection.execute(
            sa.select(holding.c.seat, person.c.name, holding.c.person)
            .join(person, person.c.id == holding.c.person)
            .where(
                holding.c.organisation == office.id, holding.c.seat.in_(sorted(gained)), people.in_period(holding), people.account_open()
            ),
            on,
        ).all()
        ended = {(row["seat"], row["person"]) for row in made.ends}
        for row in staying:
            if (row.seat, row.person) not in ended and row.person not in gained[row.seat]:
                made.warnings.append(f"「{office.seat_name(row.seat)}」には、{row.name}も引き続き就いています（2人になります）。")
    lost = made.lost()
    for seat, persons in lost.items():
        rows = connection.execute(
            sa.select(deputy.c.seat, person.c.name)
            .join(person, person.c.id == deputy.c.person)
            .where(deputy.c.principal.in_(sorted(persons)), sa.or_(deputy.c.seat == "", deputy.c.seat == seat), people.in_period(deputy)),
            on,
        ).all()
        made.warnings += [f"「{office.seat_name(seat)}」の代理（{row.name}）は、発令日から効かなくなります。" for row in rows]


def apply(connection: sa.Connection, office: Organisation, order_id: int, made: Plan, by: str, at: datetime) -> None:
    """Write what an approved order changes, all of it dated; the caller holds the transaction and has judged who may.

    Raises:
        OrderInvalid: what is known now no longer fits the order.
    """
    if made.faults:
        raise OrderInvalid(made.faults)
    source, last_day = f"order:{order_id}", made.last_day
    entries: list[history.Entry] = []
    for row in made.joins:
        people.add(connection, person_id=row.person, organisation=office.id, name=row.name, email=row.email, password_hash=None, at=at)
        entries.append(history.Entry("person.registered", at, by, data={"name": row.name, "person": row.person, "order": order_id}))
    for old in made.ends:
        people.end_row(connection, holding, old, last_day, at, by)
        data = {"name": office.seat_name(old["seat"]), "last_day": last_day.isoformat(), "person": old["person"], "order": order_id}
        entries.append(history.Entry("seat.ended", at, by, old["seat"], data=data))
    for new in made.begins:
        people.appoint(
            connection, person_id=new.person, organisation=office.id, seat=new.seat, kind=new.kind, valid_from=new.valid_from,
            valid_to=new.valid_to, at=at, by=by, basis=new.basis, source=source,
        )  # fmt: skip
        data = {
            "name": office.seat_name(new.seat), "kind": new.kind, "from": new.valid_from.isoformat(),
            "to": new.valid_to.isoformat() if new.valid_to else None, "person": new.person, "order": order_id,
        }  # fmt: skip
        entries.append(history.Entry("seat.appointed", at, by, new.seat, data=data))
    for leaver in made.leaves:
        connection.execute(person.update().where(person.c.id == leaver).values(ends_on=last_day))
        lapsing = sa.select(deputy).where(
            sa.or_(deputy.c.person == leaver, deputy.c.principal == leaver), deputy.c.superseded_at.is_(None),
            sa.or_(deputy.c.valid_to.is_(None), deputy.c.valid_to > last_day),
        )  # fmt: skip
        for lapsed in connection.execute(lapsing).mappings().all():
            people.end_row(connection, deputy, lapsed, last_day, at, by)
        name = people.names(connection, [leaver]).get(leaver, leaver)
        told = {"name": name, "person": leaver, "last_day": last_day.isoformat(), "order": order_id}
        entries.append(history.Entry("person.ended", at, by, data=told))
    for entry in entries:
        history.append_to_organisation(connection, office.id, entry)
    _hand_over(connection, office, order_id, made)
    after_posts_change(connection, office.id, start_of_day(made.effective_on), *(new.valid_to for new in made.begins))


def _hand_over(connection: sa.Connection, office: Organisation, order_id: int, made: Plan) -> None:
    """One handover for each seat and each person who newly holds it, or newly answers for it as its unit is no more."""
    lost, gained = made.lost(), made.gained()
    for seat, givers in lost.items():
        now = office.current_seat(seat, made.effective_on)
        if now is not None and now != seat:
            behind = people.holders(connection, office, [now], made.effective_on)
            gained.pop(now, None)
            gained[seat] = {holder.person for holder in behind if holder.kind != "substitute"} - givers
    rows = [
        {
            "organisation": office.id, "order_id": order_id, "seat": seat, "giver": min(lost.get(seat, set()), default=None), "taker": taker,
            "effective_on": made.effective_on,
        }
        for seat, takers in sorted(gained.items())
        for taker in sorted(takers)
    ]  # fmt: skip
    if rows:
        connection.execute(handover.insert(), rows)


def after_posts_change(connection: sa.Connection, office: str, at: datetime, *last_days: date | None) -> None:
    """Have the worker look, when the day has come and after each last day, who is kept from which step and which reviews have nobody there."""
    days = {start_of_day(last + timedelta(days=1)) for last in last_days if last is not None}
    row = {"case_id": None, "kind": "posts", "key": f"posts:{office}", "payload": json.dumps({"organisation": office})}
    add_jobs(connection, [{**row, "run_at": max(at, day)} for day in sorted({at, *days})], at)


def action_name(action: str) -> str:
    """An action in words."""
    return _ACTIONS.get(action, action)


def find(connection: sa.Connection, office: str, order_id: int, *, lock: bool = False) -> Mapping[str, Any] | None:
    """An order of an office; locked for those who decide it, as a transaction that only reads may lock nothing."""
    query = sa.select(personnel_order).where(personnel_order.c.id == order_id, personnel_order.c.organisation == office)
    row = connection.execute(query.with_for_update() if lock else query).mappings().first()
    return dict(row) if row is not None else None
