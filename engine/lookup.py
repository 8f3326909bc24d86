"""Why a step is somebody's and why it is not the viewer's: seat → holding → rule → dates, in sentences."""

from __future__ import annotations

from typing import Any

import sqlalchemy as sa

from engine import access, apart, claims, people, wording
from engine.clock import civil_day
from engine.forms import japanese_day
from engine.model import bar
from engine.net import Node
from engine.organisation import split_seat
from engine.store import OpenCase
from engine.views import Viewer, Why

_PLACES = {"owning_unit": "情報を管理する部署", "reporting_unit": "報告した部署", "organisation": "機関"}


def explain(connection: sa.Connection, viewer: Viewer, case: OpenCase, row: Any, node: Node) -> Why:
    """The reasons for one task and its element, for somebody who may see its case."""
    office, on = case.organisation, civil_day(viewer.at)
    behind = people.holders(connection, office, [row["seat"]], on, row["process_id"])
    away = people.absent(connection, {holder.person for holder in behind}, on)
    names = people.names(connection, {holder.principal for holder in behind})
    lines = [("担当の役", office.seat_name(row["seat"])), *_from_the_diagram(node, case)]
    now_seat = office.current_seat(row["seat"], on)
    if now_seat is not None and now_seat != row["seat"]:
        lines.append(("いま答える役", f"{office.seat_name(now_seat)}（組織の改正により引き継いだもの）"))
    parts = split_seat(row["seat"])
    role = office.roles.get(parts[0]) if parts else None
    clause = office.clause(role.clause, on) if role and role.clause else None
    if clause is not None:
        lines.append(("役の根拠", f"{clause.citation}：{clause.plain}"))
    said = [(holder.name, _how(holder, names) + ("（きょうは不在）" if holder.person in away else "")) for holder in behind]
    if not behind:
        lines.append(("就いている人", "きょうは誰も就いていません（欠員）。管理者が「いま誰も処理できない仕事」で補います。"))
    ways = access.standings(viewer, row)
    refused = _refused(connection, viewer, case, row, node, bool(ways))
    mine = tuple(wording.standing_text(held) if held.kind != "person" else "あなた本人に宛てられた処理です。" for held in ways)
    open_now = row["state"] == "open"
    return Why(row["id"], case.id, row["name"], bool(ways) and not refused and open_now, tuple(lines), tuple(said), mine, refused)


def _from_the_diagram(node: Node, case: OpenCase) -> list[tuple[str, str]]:
    """How the diagram names the seat, and which unit that means here."""
    if not node.candidate_groups:
        return [("図の指定", "案件の項目が指す職員本人")]
    role, _, where = node.candidate_groups[0].partition("@")
    office = case.organisation
    if role == "reporter":
        return [("図の指定", "報告した本人")]
    place = _PLACES.get(where, office.units[where].name if where in office.units else where)
    name = office.roles[role].name if role in office.roles else role
    lines = [("図の指定", f"{place}の{name}")]
    unit = case.facts.get(where)
    if isinstance(unit, str) and unit in office.units:
        lines.append((place, f"{office.units[unit].name}（この部署にその役が無ければ、上位の部署をたどります）"))
    return lines


def _how(holder: people.Holder, names: dict[str, str]) -> str:
    if holder.kind == "substitute":
        return f"{names.get(holder.principal, holder.principal)}の代理"
    return "本人" if holder.kind == "person" else people.HOLDING_KINDS[holder.kind]


def _refused(connection: sa.Connection, viewer: Viewer, case: OpenCase, row: Any, node: Node, has_seat: bool) -> str:
    """Why the viewer may not do it; empty when nothing stands against it."""
    if row["state"] != "open":
        return "この処理は、もう開いていません。"
    if case.id in viewer.barred_cases:
        return "この案件に関係した職員として挙げられているため、担当から外れています。"
    if not has_seat:
        held = [item.name for item in viewer.seats]
        mine = f"きょうあなたが就いている役は「{'」「'.join(held)}」です" if held else "きょうあなたが就いている役はありません"
        return f"この処理の担当は「{case.organisation.seat_name(row['seat'])}」です。{mine}。"
    again = not_again(connection, viewer, case, node)
    if again:
        return again
    if row["claimed_by"] not in (None, viewer.person) and not claims.lapsed(connection, case.organisation, [row], viewer.at):
        return "ほかの人が引き受けています。"
    kept = connection.scalar(
        sa.select(bar.c.id).where(bar.c.task_id == row["id"], bar.c.person == viewer.person, bar.c.lifted_at.is_(None))
    )
    return "この案件の別の処理を行ったため、この処理から外れています。" if kept is not None else ""


def not_again(connection: sa.Connection, viewer: Viewer, case: OpenCase, node: Node) -> str:
    """Why the viewer, having done what must be another's than this step, may not do it; empty when he has not."""
    found = apart.in_the_way(connection, case, node, {viewer.person})
    if found is None:
        return ""
    if found.at is None:
        return f"「{found.name}」に挙げられている本人なので、この処理を行えません（兼務・代理でも同じです）。"
    if found.node == case.definition.net.start.id:
        return f"「{found.name}」を行った本人なので、この処理を行えません（兼務・代理でも同じです）。"
    day = japanese_day(civil_day(found.at).isoformat())
    return f"{day}に「{found.name}」を行った本人なので、この処理を行えません（兼務・代理でも同じです）。"
