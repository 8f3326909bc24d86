"""Values of diagrams in an office's own words, for those who compare versions: seats, clauses, urgency words, clocks, reminders."""

from __future__ import annotations

import re
from datetime import date

from engine.compare import Say
from engine.organisation import Organisation

_PLACES = {"owning_unit": "担当の部署", "reporting_unit": "報告した部署", "organisation": "機関の全体"}
_DURATION = re.compile(r"P(?:(\d+)Y)?(?:(\d+)M)?(?:(\d+)W)?(?:(\d+)D)?(?:T(?:(\d+)H)?(?:(\d+)M)?(?:(\d+)S)?)?")
_UNITS = ("年", "か月", "週間", "日", "時間", "分", "秒")
_EVENTS = {
    "timer": "時間", "message": "操作（メッセージ）", "signal": "合図", "error": "エラー", "escalation": "上申", "conditional": "条件",
    "link": "つなぎ", "terminate": "全体の終了", "compensate": "埋合せ",
}  # fmt: skip


def say(office: Organisation, on: date) -> Say:
    """Puts values into the words of an office; what it does not know stays as it is written."""

    def seat(text: str) -> str:
        role, _, where = text.strip().partition("@")
        if role == "reporter" and not where:
            return "報告した人"
        named = office.roles[role].name if role in office.roles else role
        place = _PLACES.get(where) or (office.units[where].name if where in office.units else where)
        return f"{named}（{place}）" if place else named

    def clause(text: str) -> str:
        found = office.clause(text.strip(), on)
        return f"{found.citation}［{text.strip()}］" if found is not None else text.strip()

    def words(code: str, value: str) -> str:
        if code in ("role", "property:candidateGroups", "property:to"):
            return "、".join(seat(part) for part in value.split(","))
        if code in ("property:clause", "property:records") and value != "none":
            return "、".join(clause(part) for part in value.split(","))
        if code == "property:urgency":
            known = {row.id for row in office.rules.urgencies}
            return office.rules.urgency(value, on).label if value in known else value
        if code == "property:deadline":
            return next((row.name for row in office.rules.statutory if row.id == value), value)
        if code == "timer":
            return duration(value)
        if code == "event":
            return "、".join(_EVENTS.get(part, part) for part in value.split("、"))
        return value

    return words


def duration(text: str) -> str:
    """`PT2H` as 2時間（PT2H）, `R/P1D` as 1日ごと（R/P1D）; anything else as it is."""
    repeat, _, period = text.rpartition("/")
    match = _DURATION.fullmatch(period) if period != "P" else None
    if match is None or not any(match.groups()):
        return text
    spoken = "".join(f"{int(number)}{unit}" for number, unit in zip(match.groups(), _UNITS, strict=True) if number)
    return f"{spoken}{'ごと' if repeat else ''}（{text}）"


__all__ = ["duration", "say"]
