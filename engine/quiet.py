"""Quiet time: when a mail that can wait is held back, and until when. Pure: no clock is read here."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta

from engine.clock import JST, start_of_day
from engine.deadlines import Calendar

_WRITTEN = re.compile(r"(?:([01]\d|2[0-3]):([0-5]\d)-([01]\d|2[0-3]):([0-5]\d))?(\+closed)?", re.ASCII)


@dataclass(frozen=True)
class Quiet:
    """Hours of the day (they may run over midnight), and perhaps whole closed days, in Japanese civil time."""

    start: time | None = None
    end: time | None = None
    closed_days: bool = False

    def until(self, at: datetime, calendar: Calendar) -> datetime:
        """When what is due at an instant may go out: then, or at the end of the quiet time it falls into."""
        while True:
            local = at.astimezone(JST)
            if self.closed_days and calendar.is_closed(local.date()):
                at = start_of_day(calendar.next_open(local.date()))
            elif self.start is not None and self.end is not None and _within(local.time(), self.start, self.end):
                day = local.date() + timedelta(days=1) if self.start > self.end and local.time() >= self.start else local.date()
                at = at_time(day, self.end)
            else:
                return at

    def written(self) -> str:
        """As it is stored: `20:00-07:00+closed`."""
        hours = f"{self.start:%H:%M}-{self.end:%H:%M}" if self.start is not None and self.end is not None else ""
        return hours + ("+closed" if self.closed_days else "")


def at_time(day: date, at: time) -> datetime:
    """A time of a Japanese day, as an instant."""
    return start_of_day(day) + timedelta(hours=at.hour, minutes=at.minute)


def _within(at: time, start: time, end: time) -> bool:
    return start <= at < end if start < end else at >= start or at < end


def read(text: str) -> Quiet | None:
    """What `Quiet.written` wrote; None for anything else, and for hours that would never end."""
    found = _WRITTEN.fullmatch(text)
    if found is None:
        return None
    if found[1] is None:
        return Quiet(closed_days=bool(found[5]))
    start, end = time(int(found[1]), int(found[2])), time(int(found[3]), int(found[4]))
    return Quiet(start, end, bool(found[5])) if start != end else None
