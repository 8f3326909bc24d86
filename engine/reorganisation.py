"""Reorganisation (組織改正): units that are renamed, moved, merged or split from a day on, and who answers for their work from then."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, field
from datetime import date, datetime, timedelta
from typing import Any

import sqlalchemy as sa

from engine import people
from engine.errors import RowFault
from engine.model import case_file, deputy, holding, unit_change
from engine.offices import unit_from
from engine.orders import Begin, Plan
from engine.organisation import Organisation, Unit, amended, split_seat

KINDS: Mapping[str, str] = {"rename": "名称・所属の変更", "merge": "統合", "split": "分割"}
MAX_NAME = 100


@dataclass(frozen=True)
class Change:
    """One change of units.

    Attributes:
        kind: rename (also to another unit above), merge or split.
        units: the units that end: one, for a merge several.
        names: names of the units that begin: one, for a split several. Empty for a merge into a unit that exists.
        into: for a merge, the unit that exists and takes the others' place.
        parent: the unit above those that begin; empty: as before.
    """

    kind: str
    units: tuple[str, ...]
    names: tuple[str, ...] = ()
    into: str = ""
    parent: str = ""


@dataclass
class Reform:
    """What changes of units come to: which end and what takes their place, which begin, and what becomes of those who hold their seats."""

    effective_on: date
    ends: dict[str, tuple[date, str]] = field(default_factory=dict)
    begins: list[Unit] = field(default_factory=list)
    faults: list[RowFault] = field(default_factory=list)


def dumped(changes: Iterable[Change]) -> str:
    """Changes as the order keeps them."""
    return json.dumps([asdict(change) for change in changes], ensure_ascii=False)


def loaded(content: str) -> tuple[Change, ...]:
    """Changes of a kept order."""
    return tuple(Change(row["kind"], tuple(row["units"]), tuple(row["names"]), row["into"], row["parent"]) for row in json.loads(content))


def reform(office: Organisation, changes: Iterable[Change], effective_on: date, today: date) -> Reform:
    """What the changes come to, with everything that is wrong with them (a fault's line is the change's number)."""
    made = Reform(effective_on)
    told = list(changes)
    if not told:
        made.faults.append(RowFault(0, "", "組織の変更がありません。"))
    if effective_on <= today:
        made.faults.append(RowFault(0, "施行日", f"施行日（{effective_on}）が過去か今日です。明日以後の日付にしてください。"))
    for number, change in enumerate(told, 1):
        wrong = _wrong(office, change, made)
        made.faults += [RowFault(number, column, message) for column, message in wrong]
        if not wrong:
            _carry(office, change, made)
    if not made.faults:
        _check_tree(amended(office, made.ends, made.begins), office, made)
    return made


def _wrong(office: Organisation, change: Change, made: Reform) -> list[tuple[str, str]]:
    wrong: list[tuple[str, str]] = []
    before = made.effective_on - timedelta(days=1)
    if change.kind not in KINDS:
        return [("種類", "種類は、名称・所属の変更、統合、分割のどれかです。")]
    if not change.units or (change.kind != "merge" and len(change.units) != 1) or len(set(change.units)) != len(change.units):
        wrong.append(("部署", "変更する部署を選んでください（統合のほかは1つ、同じ部署は1度だけ）。"))
    for unit_id in change.units:
        unit = office.units.get(unit_id)
        if unit is None or not unit.exists(before) or not unit.exists(made.effective_on):
            wrong.append(("部署", f"「{unit.name if unit else unit_id[:60]}」は、施行日にある部署ではありません。"))
        elif unit_id == office.id:
            wrong.append(("部署", "機関そのものは変更できません。"))
        elif unit_id in made.ends:
            wrong.append(("部署", f"「{unit.name}」が2度出てきます。"))
    above = office.units.get(change.parent)
    if change.parent and (above is None or not above.exists(made.effective_on) or change.parent in change.units):
        wrong.append(("上位の部署", f"「{change.parent[:60]}」は、施行日にある部署ではありません。"))
    if change.kind == "merge" and change.into:
        target = office.units.get(change.into)
        if target is None or not target.exists(made.effective_on) or change.into in change.units or change.into in made.ends:
            wrong.append(("統合先", "統合先には、なくならない部署を選んでください。"))
        return wrong
    least = 2 if change.kind == "split" else 1
    if len(change.names) < least or (change.kind != "split" and len(change.names) > 1):
        wrong.append(("新しい名称", f"新しい部署の名称を{'2つ以上' if least == 2 else '1つ'}書いてください。"))
    taken = {unit.name for unit in office.units.values() if unit.exists(made.effective_on) and unit.id not in change.units}
    taken |= {unit.name for unit in made.begins}
    for name in change.names:
        if not name.strip() or len(name) > MAX_NAME or re.search(r"[\x00-\x1f\u200e\u200f\u202a-\u202e\u2066-\u2069]", name):
            wrong.append(("新しい名称", "名称が空か、長すぎるか、使えない文字を含んでいます。"))
        elif name.strip() in taken or change.names.count(name) > 1:
            wrong.append(("新しい名称", f"「{name.strip()}」という部署が、ほかにあります。"))
    return wrong


def _carry(office: Organisation, change: Change, made: Reform) -> None:
    first = office.units[change.units[0]]
    heirs: list[str] = []
    if change.into:
        heirs = [change.into]
    else:
        for number, name in enumerate(change.names):
            unit_id = f"{first.id}_{made.effective_on:%Y%m%d}" + (f"_{number + 1}" if number else "")
            told = {
                "id": unit_id, "name": name.strip(), "parent": change.parent or first.parent, "kind": first.kind, "order": first.order,
                "seats": list(first.seats), "posts": dict(first.posts),
            }  # fmt: skip
            made.begins.append(unit_from(told, made.effective_on))
            heirs.append(unit_id)
    for unit_id in change.units:
        made.ends[unit_id] = (made.effective_on, heirs[0])


def _check_tree(after: Organisation, office: Organisation, made: Reform) -> None:
    """Nothing may hang under itself, and every role must still be answered for every unit."""
    for unit in after.units.values():
        if not unit.exists(made.effective_on):
            continue
        seen, step = {unit.id}, after.parent_of(unit, made.effective_on)
        while step:
            if step in seen:
                made.faults.append(RowFault(0, "上位の部署", f"「{unit.name}」の上位をたどると自分に戻ります。"))
                return
            seen.add(step)
            step = after.parent_of(after.units[step], made.effective_on)
    for unit_id in made.ends:
        for role in office.units[unit_id].seats:
            if after.resolve(role, unit_id, made.effective_on) is None:
                name = office.roles[role].name
                made.faults.append(RowFault(0, "部署", f"「{office.units[unit_id].name}」の{name}を引き継ぐ役がなくなります。"))


def posts(connection: sa.Connection, office: Organisation, made: Reform) -> Plan:
    """Who holds the new units' seats: a unit that is renamed, first in a merge or first in a split takes its people along."""
    plan = Plan(made.effective_on)
    begun = {unit.id: unit for unit in made.begins}
    led: set[str] = set()
    for unit_id, (_, heir) in made.ends.items():
        rows = connection.execute(
            sa.select(holding).where(
                holding.c.organisation == office.id, holding.c.superseded_at.is_(None), holding.c.seat.like(f"%@{unit_id}"),
                sa.or_(holding.c.valid_to.is_(None), holding.c.valid_to >= made.effective_on),
            )
        ).mappings().all()  # fmt: skip
        mine = [dict(row) for row in rows if (split_seat(row["seat"]) or ("", ""))[1] == unit_id]
        plan.ends += mine
        if heir not in begun or heir in led:
            continue
        led.add(heir)
        for row in mine:
            role = row["seat"].partition("@")[0]
            since = max(row["valid_from"], made.effective_on)
            plan.begins.append(Begin(row["person"], f"{role}@{heir}", row["kind"], since, row["valid_to"], row["basis"]))
    return plan


def carry_deputies(connection: sa.Connection, office: Organisation, made: Reform, plan: Plan, at: datetime, by: str) -> None:
    """Who stands in for one seat goes on with the seat that its holder takes along into the new unit."""
    along = {(one.person, one.seat) for one in plan.begins}
    current = sa.select(deputy).where(
        deputy.c.organisation == office.id, deputy.c.superseded_at.is_(None), deputy.c.seat != "",
        sa.or_(deputy.c.valid_to.is_(None), deputy.c.valid_to >= made.effective_on),
    )  # fmt: skip
    for row in connection.execute(current).mappings().all():
        role, _, unit = row["seat"].partition("@")
        heir = made.ends.get(unit, (made.effective_on, ""))[1]
        if (row["principal"], f"{role}@{heir}") in along:
            people.end_row(connection, deputy, row, plan.last_day, at, by)
            kept = {name: value for name, value in row.items() if name != "id"}
            changed = {
                "seat": f"{role}@{heir}",
                "valid_from": max(row["valid_from"], made.effective_on),
                "recorded_at": at,
                "recorded_by": by,
            }
            connection.execute(deputy.insert().values({**kept, **changed}))


def open_cases(connection: sa.Connection, office: Organisation, units: Iterable[str]) -> int:
    """How many open cases belong to some units."""
    query = sa.select(sa.func.count()).select_from(case_file)
    wanted = sorted(units)
    where = (case_file.c.organisation == office.id, case_file.c.state == "open", case_file.c.owning_unit.in_(wanted))
    return int(connection.scalar(query.where(*where)) or 0) if wanted else 0


def write(connection: sa.Connection, office: Organisation, order_id: int, made: Reform) -> None:
    """Record which units end and begin; the folder stays as it is, these rows are laid over it (`engine/offices.py`)."""
    rows: list[dict[str, Any]] = []
    for unit in made.begins:
        told = {
            "id": unit.id, "name": unit.name, "parent": unit.parent, "kind": unit.kind, "order": unit.order, "seats": list(unit.seats),
            "posts": dict(unit.posts),
        }  # fmt: skip
        rows.append({"unit": unit.id, "successor": "", "begins": json.dumps(told, ensure_ascii=False)})
    rows += [{"unit": unit, "successor": heir, "begins": ""} for unit, (_, heir) in made.ends.items()]
    for row in rows:
        values = {**row, "organisation": office.id, "order_id": order_id, "effective_on": made.effective_on}
        connection.execute(unit_change.insert().values(values))
