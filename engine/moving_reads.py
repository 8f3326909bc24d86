"""Reads of the desk of moving cases: the preview of each case, plans, and what became of their cases."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping
from typing import TYPE_CHECKING, Any

import sqlalchemy as sa

from engine import people, version_list
from engine.counterparts import Mapped, Place, counterparts
from engine.definitions import Definition
from engine.errors import PlanNotFound, PlanRefused
from engine.marking import Marking
from engine.model import Row, case_file, case_move, case_move_item, definition
from engine.moving import Effect, effect
from engine.moving_places import asked, node_name
from engine.moving_views import MovedCase, MovingPage, PlanPage, PlanShown, lines
from engine.remap import Obstacle
from engine.store import OpenCase
from engine.views import Viewer

if TYPE_CHECKING:
    from engine.service import Engine

#: Cases of one plan: what one person can still look through, and one request can move.
MOST = 300
MINE = "提案した人は、承認できません。ほかの人に頼んでください。"


def mapping_of(source: Definition, target: Definition, places: Mapping[str, Place]) -> Mapped:
    """What is found by itself, with what was said laid over it."""
    return {**counterparts(source.net, target.net, source.files, target.files), **places}


def places_of(row: Row) -> dict[str, Place]:
    """What was said when a plan was made."""
    return {id: Place(node, anew) for id, (node, anew) in json.loads(row["places"]).items()}


def plan_row(connection: sa.Connection, viewer: Viewer, plan_id: int, *, lock: bool = False) -> Row:
    """The row of a plan of the viewer's office; raises PlanNotFound."""
    query = sa.select(case_move).where(case_move.c.id == plan_id, case_move.c.organisation == viewer.organisation)
    row = connection.execute(query.with_for_update() if lock else query).mappings().first()
    if row is None:
        raise PlanNotFound(plan=plan_id)
    return row


class _Cases:
    """Effects of moving cases from one version to another, read without a lock."""

    def __init__(self, engine: Engine, connection: sa.Connection, viewer: Viewer, source: int, target: int, places: Mapping[str, Place]):
        self.engine, self.connection, self.viewer = engine, connection, viewer
        self.office = engine.organisations[viewer.organisation]
        self.source, self.target = engine.definitions.get(connection, source), engine.definitions.get(connection, target)
        self.mapping = mapping_of(self.source, self.target, places)

    def effect(self, row: Row) -> Effect:
        case = OpenCase(dict(row), self.source, self.office, Marking.load(row["marking"]), json.loads(row["facts"]))
        return effect(self.connection, case, self.target, self.mapping, self.viewer.at)

    def shown(self, row: Row, found: Effect, **more: Any) -> MovedCase:
        return MovedCase(
            row["id"],
            row["number"],
            found.digest,
            _told(found.obstacles),
            lines(found, self.office.seat_name) if found.move else (),
            **more,
        )


def _told(obstacles: Iterable[Obstacle]) -> tuple[tuple[str, str], ...]:
    return tuple((one.name, one.why) for one in obstacles)


def preview(engine: Engine, connection: sa.Connection, viewer: Viewer, source: int, target: int, places: Mapping[str, Place]) -> MovingPage:
    """See `MovingDesk.preview`. Cases that are about the viewer are not shown to him."""
    here, there = (version_list.row_of(connection, viewer, id) for id in (source, target))
    if here["process_id"] != there["process_id"] or source == target:
        raise PlanRefused(why="同じ手続の、別の2つの版を選んでください。")
    if there["cancelled_at"] is not None or there["in_force_from"] > viewer.at:
        raise PlanRefused(why=f"第{there['version']}版はまだ施行されていないため、案件を移せません。")
    wanted = sa.select(case_file).where(
        case_file.c.definition == source, case_file.c.state == "open", case_file.c.id.not_in(sorted(viewer.barred_cases))
    )
    rows = connection.execute(wanted.order_by(case_file.c.id).limit(MOST + 1)).mappings().all()
    cases = _Cases(engine, connection, viewer, source, target, places)
    found = [(row, cases.effect(row)) for row in rows[:MOST]]
    every = connection.execute(
        sa.select(definition)
        .where(definition.c.organisation == viewer.organisation, definition.c.process_id == here["process_id"])
        .order_by(definition.c.version.desc())
    ).mappings().all()  # fmt: skip
    versions = {one.id: one for one in version_list.shown(engine, connection, viewer, every)}
    before, after = cases.source.net, cases.target.net
    stands = [(one.case.marking, one.obstacles) for _, one in found]
    renamed = tuple((id, place.node) for id, place in cases.mapping.items() if place.same and place.node != id and id not in places)
    return MovingPage(
        versions[source], versions[target], asked(before, after, cases.mapping, places, stands), renamed,
        tuple(cases.shown(row, one) for row, one in found), len(rows) > MOST,
    )  # fmt: skip


# ---------------------------------------------------------------- plans


def plans(connection: sa.Connection, viewer: Viewer, process_id: str, plan_id: int | None = None) -> tuple[PlanShown, ...]:
    """The plans of a procedure, the newest first; or one of them."""
    mine = [case_move.c.organisation == viewer.organisation, case_move.c.process_id == process_id]
    if plan_id is not None:
        mine.append(case_move.c.id == plan_id)
    rows = connection.execute(sa.select(case_move).where(*mine).order_by(case_move.c.id.desc())).mappings().all()
    ids = {row[name] for row in rows for name in ("from_definition", "to_definition")}
    versions = {
        row.id: row
        for row in connection.execute(sa.select(definition.c.id, definition.c.version, definition.c.name).where(definition.c.id.in_(ids)))
    }
    counts: dict[int, dict[str, int]] = {}
    counted = sa.select(case_move_item.c.move_id, case_move_item.c.state, sa.func.count().label("number"))
    for one in connection.execute(
        counted.where(case_move_item.c.move_id.in_([row["id"] for row in rows])).group_by(case_move_item.c.move_id, case_move_item.c.state)
    ):
        counts.setdefault(one.move_id, {})[one.state] = one.number
    names = people.names(connection, [row[name] for row in rows for name in ("proposed_by", "decided_by")])
    return tuple(_plan(row, versions, counts.get(row["id"], {}), names) for row in rows)


def _plan(row: Row, versions: Mapping[int, Any], counts: Mapping[str, int], names: Mapping[str, str]) -> PlanShown:
    source, target = versions[row["from_definition"]], versions[row["to_definition"]]
    return PlanShown(
        row["id"], row["process_id"], target.name, source.version, target.version, source.id, target.id, row["state"], row["note"],
        names.get(row["proposed_by"]) or row["proposed_by"], row["proposed_at"], names.get(row["decided_by"] or "", ""), row["decided_at"],
        row["comment"], sum(counts.values()), counts.get("moved", 0), counts.get("failed", 0),
        counts.get("planned", 0) if row["state"] == "approved" else 0,
    )  # fmt: skip


def plan(engine: Engine, connection: sa.Connection, viewer: Viewer, plan_id: int) -> PlanPage:
    """A plan: while it is open, what it means for each case now; afterwards what became of each."""
    row = plan_row(connection, viewer, plan_id)
    places = places_of(row)
    cases = _Cases(engine, connection, viewer, row["from_definition"], row["to_definition"], places)
    items = connection.execute(
        sa.select(case_move_item, case_file)
        .join(case_file, case_file.c.id == case_move_item.c.case_id)
        .where(case_move_item.c.move_id == plan_id, case_file.c.id.not_in(sorted(viewer.barred_cases)))
        .order_by(case_file.c.id)
        .set_label_style(sa.LABEL_STYLE_TABLENAME_PLUS_COL)
    ).mappings().all()  # fmt: skip
    shown = plans(connection, viewer, row["process_id"], plan_id)[0]
    mine = row["proposed_by"] == viewer.person
    designs = engine.drafts.may_design(viewer)
    why_not = "" if designs and not mine else MINE if mine else "設計の役の人だけが承認できます。"
    return PlanPage(
        shown, tuple(_said(cases.source, cases.target, places)), tuple(_item(cases, row, item, designs) for item in items), why_not, mine
    )  # fmt: skip


def _said(source: Definition, target: Definition, places: Mapping[str, Place]) -> Iterator[tuple[str, str]]:
    """What was said when the plan was made, in words."""
    for id, place in places.items():
        name, there = node_name(source.net, id), node_name(target.net, place.node)
        if not place.node:
            yield name, "なくす"
        else:
            yield name, f"閉じて、「{there}」から始める" if place.anew else f"「{there}」として続ける"


def _item(cases: _Cases, plan: Row, item: Row, designs: bool) -> MovedCase:
    row = {name.removeprefix("case_file_"): value for name, value in item.items() if name.startswith("case_file_")}
    said = {name: item[f"case_move_item_{name}"] for name in ("state", "why", "at")}
    if said["state"] == "planned" and row["state"] == "open" and row["definition"] == plan["from_definition"]:
        found = cases.effect(row)
        return cases.shown(row, found, outdated=found.digest != item["case_move_item_digest"], **said)
    why_not_undo = "移されていません。"
    if said["state"] == "moved":
        since = row["history_seq"] != item["case_move_item_seq"] or row["state"] != "open"
        why_not_undo = "" if designs else "設計の役の人だけが戻せます。"
        if since:
            why_not_undo = "移した後に操作や期限の到来がありました。"
        elif item["case_move_item_undo"] is None:
            why_not_undo = "移したときに、取り消せない処理（自動処理や後閲）が行われました。"
    return MovedCase(
        row["id"],
        row["number"],
        item["case_move_item_digest"],
        (),
        (),
        outdated=said["state"] == "planned",
        why_not_undo=why_not_undo,
        **said,
    )


__all__ = ["mapping_of", "places_of", "plan", "plan_row", "plans", "preview"]
