"""From a timer's text to instants: ISO 8601 durations, dates and cycles, or an expression; never a clock."""

from __future__ import annotations

import calendar
import re
from collections.abc import Callable
from datetime import date, datetime, timedelta
from typing import Any

from engine.clock import JST, start_of_day

_DURATION = re.compile(r"P(?:(\d+)Y)?(?:(\d+)M)?(?:(\d+)W)?(?:(\d+)D)?(?:T(?:(\d+)H)?(?:(\d+)M)?(?:(\d+)S)?)?")
_CYCLE = re.compile(r"R(\d+)/(P.+)")
MAX_YEARS = 100


def add_duration(text: str, start: datetime) -> datetime | None:
    """`start` plus an ISO 8601 duration; None when the text is not one. Months keep the day, clipped to the month's last (BPMN 2.0.2 §13.5.4 leaves it open).

    A duration that is empty, zero or beyond a century is not one: it would fire at once or never.
    """
    match = _DURATION.fullmatch(text)
    if match is None or not any(int(part or 0) for part in match.groups()):
        return None
    years, months, weeks, days, hours, minutes, seconds = (int(part or 0) for part in match.groups())
    months += years * 12
    if months > MAX_YEARS * 12 or weeks * 7 + days > MAX_YEARS * 366 or hours > MAX_YEARS * 8_784 or minutes > 10**8 or seconds > 10**10:
        return None
    local = start.astimezone(JST)
    month0 = local.month - 1 + months
    year, month = local.year + month0 // 12, month0 % 12 + 1
    moved = local.replace(year=year, month=month, day=min(local.day, calendar.monthrange(year, month)[1]))
    return moved + timedelta(days=weeks * 7 + days, hours=hours, minutes=minutes, seconds=seconds)


def cycle(text: str) -> tuple[int, str] | None:
    """(count, duration) of `Rn/duration`, or None."""
    match = _CYCLE.fullmatch(text.strip())
    return (int(match[1]), match[2]) if match else None


def due_instant(text: str, start: datetime, evaluate: Callable[[str], Any]) -> datetime | None:
    """When a timer armed at `start` is due; None when it is never (an expression that reads null).

    A day without time means its beginning in Japan. An instant in the past is due at once: late entry must not fail.
    """
    text = text.strip()
    repeated = cycle(text)
    if repeated:
        text = repeated[1]
    moved = add_duration(text, start)
    if moved is not None:
        return moved
    value: Any
    try:
        value = datetime.fromisoformat(text)
    except ValueError:
        value = evaluate(text)
    if isinstance(value, str):
        moved = add_duration(value, start)
        if moved is not None:
            return moved
        value = datetime.fromisoformat(value) if len(value) > 10 else date.fromisoformat(value)
    if isinstance(value, timedelta):
        return start + value
    if isinstance(value, datetime):
        return value if value.tzinfo else value.replace(tzinfo=JST)
    if isinstance(value, date):
        return start_of_day(value)
    return None
