"""What a diagram of an office may name, in words: the choices of the designer's selects. Plain data, read from the office's folder alone."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import date, timedelta
from typing import Any

from engine.deadlines import Urgency
from engine.deploy_check import TOPICS
from engine.expressions import KNOWN_FUNCTIONS
from engine.gate_elements import CONSTRAINTS, FIELD_TYPES, WITHDRAWALS
from engine.gate_extensions import PROPERTIES
from engine.notice_texts import TEMPLATES
from engine.office_files import in_force
from engine.organisation import Organisation
from engine.paper_templates import office_templates

#: Where a seat is looked for, upward from there.
PLACES = (("owning_unit", "担当の部署"), ("reporting_unit", "報告した部署"), ("organisation", "機関の全体"))
#: Service functions: Japanese name, and (property, name, what is chosen) of each parameter. What is not here is offered by its name alone.
SERVICES: Mapping[str, tuple[str, tuple[tuple[str, str, str], ...]]] = {
    "notify": ("知らせる（通知）", (("to", "知らせる相手", "seats"), ("template", "文面", "template"))),
    "number": ("番号を付ける", (("numbering", "採番", "numbering"), ("fact", "番号を入れる項目", "fact"))),
    "ledger": ("台帳に記入する", (("ledger", "台帳", "ledger"), ("state", "状態", "state"))),
    "start_case": (
        "別の手続の案件を始める",
        (
            ("process", "始める手続", "process"),
            ("link", "関連の呼び名", "text"),
            ("passes", "渡す項目", "sets"),
            ("also", "関連付ける案件の項目", "fact"),
        ),
    ),
    "find_orphan_grants": (
        "終わったのに残る権限を探す",
        (
            ("ledger", "台帳", "ledger"),
            ("state", "付与中とみる状態", "states"),
            ("until", "期限の列", "text"),
            ("grace", "猶予（P7Dなど）", "text"),
            ("except", "除く状態", "state"),
            ("summary", "要約の列", "text"),
        ),
    ),
    "mark_entries": (
        "台帳の記入の状態を変える",
        (
            ("ledger", "台帳", "ledger"),
            ("state", "状態", "state"),
            ("entries", "対象を挙げた項目", "fact"),
            ("values", "列に入れる値", "sets"),
        ),
    ),
    "export_accounts": ("アカウントの一覧を作る", ()),
    "revoke_accounts": ("アカウントを失効させる", ()),
}
FIELD_TYPE_NAMES: Mapping[str, str] = {
    "string": "文字（1行）", "text": "文章（複数行）", "long": "数", "boolean": "はい・いいえ", "date": "日付", "datetime": "日時",
    "enum": "選択（1つ）", "set": "選択（いくつでも）", "unit": "部署", "people": "職員", "rows": "表（行を増やせる）",
}  # fmt: skip
#: Functions of the expression language: how it is called, what it answers.
FUNCTIONS: Mapping[str, tuple[str, str]] = {
    "either": ("either(a, b, …)", "どれかが「はい」なら yes。分からないものがあれば unknown"),
    "every": ("every(a, b, …)", "すべて「はい」なら yes。分からないものがあれば unknown"),
    "opposite": ("opposite(a)", "yes と no を逆にする。unknown はそのまま"),
    "over": ("over(数, 限度)", "限度を超えれば yes。分からなければ unknown"),
    "has": ("has(選択, 値)", "その値が選ばれているか"),
    "size": ("size(表や選択)", "いくつあるか"),
    "known": ("known(項目)", "回答があり、unknown でないか"),
    "greatest": ("greatest(a, b, …)", "分かっているもののうち最も大きいもの"),
    "smallest": ("smallest(a, b, …)", "分かっているもののうち最も小さいもの"),
    "later": ("later(日時, 日数)", "その日数だけ後の日時"),
    "due": ("due(\"期限\")", "法令上の期限の日時"),
    "now": ("now()", "いまの日時"),
    "today": ("today()", "今日"),
    "days": ("days(数)", "日数。now() + days(3) のように使う"),
    "hours": ("hours(数)", "時間数"),
    "working_days": ("working_days(数)", "開庁日の数。時刻の欄に working_days(3) と書くと、3開庁日後"),
    "setting": ("setting(\"設定\")", "機関の設定の値"),
    "in_office_hours": ("in_office_hours(日時)", "その日時が開庁時間の中か"),
}  # fmt: skip


def vocabulary(office: Organisation, on: date, callable: Iterable[tuple[str, str]]) -> dict[str, Any]:
    """The choices of an office on a day.

    Args:
        callable: (process id, name) of the diagrams that may be called.
    """
    rules = office.rules
    clauses = [office.clause(id, on) or newest for id, newest in office.clauses.items()]
    return {
        "office": {"id": office.id, "name": office.name},
        "roles": [{"id": role.id, "name": role.name} for role in office.roles.values()],
        "places": [{"id": id, "name": name} for id, name in PLACES]
        + [{"id": unit.id, "name": unit.name} for unit in office.units.values() if unit.exists(on) and unit.seats],
        "clauses": [
            {"id": one.clause_id, "citation": one.citation, "plain": one.plain, "actor": one.actor, "urgency": one.urgency} for one in clauses
        ],
        "urgencies": [
            {"id": id, "name": rules.urgency(id, on).label, "says": _ladder(office, rules.urgency(id, on))}
            for id in dict.fromkeys(row.id for row in rules.urgencies)
        ],
        "clocks": [
            {"id": id, "name": next(row.name for row in rules.statutory if row.id == id)} for id in rules.clock_ids
        ],
        "settings": [
            {"id": row.id, "name": row.name, "value": row.value}
            for id in dict.fromkeys(row.id for row in rules.settings)
            if (row := in_force((one for one in rules.settings if one.id == id), on)) is not None
        ],
        "numberings": [
            {"id": series.key, "name": f"{series.number(on, 1)} の形"}
            for key in dict.fromkeys(series.key for series in rules.numbering)
            if (series := in_force((one for one in rules.numbering if one.key == key), on)) is not None
        ],
        "ledgers": [
            {"id": ledger.id, "name": ledger.name, "states": list(ledger.states)}
            for id in dict.fromkeys(ledger.id for ledger in rules.ledgers)
            if (ledger := in_force((one for one in rules.ledgers if one.id == id), on)) is not None
        ],
        "services": [_service(topic) for topic in sorted(TOPICS, key=lambda topic: (topic not in SERVICES, topic))],
        "templates": [{"id": id, "name": subject} for id, (subject, _) in TEMPLATES.items()],
        "papers": _papers(office),
        "callable": [{"id": id, "name": name} for id, name in callable],
        "properties": {kind: sorted(names) for kind, names in PROPERTIES.items()},
        "field_types": [{"id": id, "name": FIELD_TYPE_NAMES.get(id, id)} for id in FIELD_TYPES],
        "constraints": list(CONSTRAINTS),
        "withdrawals": list(WITHDRAWALS),
        "functions": [
            {"id": id, "call": FUNCTIONS.get(id, (f"{id}(…)", ""))[0], "says": FUNCTIONS.get(id, ("", ""))[1]} for id in sorted(KNOWN_FUNCTIONS)
        ],
    }  # fmt: skip


#: Who a rung of an urgency tells; else the id of a role.
TOLD: Mapping[str, str] = {"holder": "担当", "deputy": "代理", "next": "一つ上の段"}


def _ladder(office: Organisation, urgency: Urgency) -> str:
    """Who is told when while a step of this urgency waits, in a sentence; empty when nobody is."""
    rungs = []
    for rung in urgency.rungs:
        told = "・".join(TOLD[one] if one in TOLD else office.roles[one].name for one in rung.tells)
        rungs.append(f"{'開庁時間で' if rung.office_hours else ''}{_span(rung.wait)}後に{told}")
    return f"{'、'.join(rungs)}へ催促します。" if rungs else ""


def _span(wait: timedelta | int) -> str:
    if isinstance(wait, int):
        return f"{wait}開庁日"
    hours, rest = divmod(wait.seconds, 3600)
    parts = ((wait.days, "日"), (hours, "時間"), (rest // 60, "分"))
    return "".join(f"{number}{word}" for number, word in parts if number)


def _service(topic: str) -> dict[str, Any]:
    name, parameters = SERVICES.get(topic, (topic, ()))
    return {
        "id": topic,
        "name": name,
        "parameters": [{"id": id, "name": label, "kind": kind} for id, label, kind in parameters],
    }


def _papers(office: Organisation) -> list[dict[str, str]]:
    return [{"id": id, "name": template.name} for id, template in office_templates(office.folder).papers.items()]
