"""From a timer to the instant it is due: ISO 8601 durations and dates, or an expression's value; never a clock."""

from __future__ import annotations

import calendar
import re
from collections.abc import Callable
from datetime import date, datetime, timedelta
from typing import Any

from engine.clock import JST, start_of_day
from engine.deadlines import WorkingDays
from engine.net import Timer

_DURATION = re.compile(r"P(?:(\d+)Y)?(?:(\d+)M)?(?:(\d+)W)?(?:(\d+)D)?(?:T(?:(\d+)H)?(?:(\d+)M)?(?:(\d+)S)?)?")
LATEST = datetime(9990, 1, 1, tzinfo=JST)


def add_duration(text: str, start: datetime, times: int = 1) -> datetime | None:
    """`start` plus an ISO 8601 duration, `times` over; None when the text is not one, is empty or zero (it would fire at once), or ends beyond all calendars.

    Months keep the day of the month, clipped to the month's last day, in Japanese civil time: ISO 8601 and BPMN 2.0.2 leave it open.
    """
    match = _DURATION.fullmatch(text)
    if match is None or not any(int(part or 0) for part in match.groups()):
        return None
    years, months, weeks, days, hours, minutes, seconds = (int(part or 0) for part in match.groups())
    months = (months + years * 12) * times
    local = start.astimezone(JST)
    month0 = local.month - 1 + months
    year, month = local.year + month0 // 12, month0 % 12 + 1
    if year >= LATEST.year:
        return None
    try:
        moved = local.replace(year=year, month=month, day=min(local.day, calendar.monthrange(year, month)[1]))
        moved += timedelta(days=weeks * 7 + days, hours=hours, minutes=minutes, seconds=seconds) * times
    except OverflowError:
        return None
    return moved if moved < LATEST else None


def first_round(timer: Timer, armed: datetime, after: datetime) -> datetime | None:
    """The first round of a literal cycle later than `after`; None when there is none left.

    Rounds are counted from the cycle's own beginning, else from a period after it was armed: the 31st stays the 31st after a February.
    """
    if timer.begin is None:
        begin, first = armed, 1
    else:
        told = datetime.fromisoformat(timer.begin) if len(timer.begin) > 10 else date.fromisoformat(timer.begin)
        begin, first = told if isinstance(told, datetime) else start_of_day(told), 0

    def later(number: int) -> bool:
        due = add_duration(timer.text, begin, number)
        return due is None or due > after

    low, high = first, first + 1
    while not later(high):
        low, high = high, high * 2
    while low < high:  # the first number whose round is later
        middle = (low + high) // 2
        low, high = (low, middle) if later(middle) else (middle + 1, high)
    if timer.repeat is not None and low - first >= timer.repeat:
        return None
    return add_duration(timer.text, begin, low)


def next_round(timer: Timer, due: datetime, now: datetime, evaluate: Callable[[str], Any]) -> datetime | None:
    """When a repeated timer that was due at `due` is due again: on the same beat, but rounds that passed unnoticed are not made up for."""
    if timer.begin is not None:
        return first_round(timer, due, max(due, now))
    again = due_instant(timer, due, evaluate)
    uneven = re.search(r"\d[YM]", timer.text.partition("T")[0]) or "working_days" in timer.text
    if again is not None and due < again <= now and not uneven:
        due += (now - due) // (again - due) * (again - due)  # an even beat: straight to the last round that passed
        again = due_instant(timer, due, evaluate)
    while again is not None and due < again <= now:
        due, again = again, due_instant(timer, again, evaluate)
    return again


def due_instant(timer: Timer, start: datetime, evaluate: Callable[[str], Any]) -> datetime | None:
    """When a timer armed at `start` is due; None when never (an expression that reads null, or a text that is no time).

    A day without time means its beginning in Japan. An instant in the past is due at once: late entry must not fail.
    """
    if timer.begin is not None:
        return first_round(timer, start, start)
    value: Any = timer.text if timer.literal else evaluate(timer.text)
    if isinstance(value, str):
        moved = add_duration(value, start)
        if moved is not None:
            return moved
        try:
            value = datetime.fromisoformat(value) if len(value) > 10 else date.fromisoformat(value)
        except ValueError:
            return None
    if isinstance(value, timedelta | WorkingDays):
        try:
            return value.after(start) if isinstance(value, WorkingDays) else start + value
        except OverflowError:
            return None
    if isinstance(value, datetime):
        return value if value.tzinfo else value.replace(tzinfo=JST)
    if isinstance(value, date):
        return start_of_day(value)
    return None
