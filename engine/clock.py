"""The only place where time is read; everything else is handed an instant."""

from __future__ import annotations

from datetime import UTC, date, datetime, time, timedelta
from typing import Protocol
from zoneinfo import ZoneInfo

JST = ZoneInfo("Asia/Tokyo")


class Clock(Protocol):
    """Anything that can say what time it is."""

    def now(self) -> datetime:
        """The present instant, aware, in UTC."""


class SystemClock:
    """The machine's clock."""

    def now(self) -> datetime:
        """The present instant, aware, in UTC."""
        return datetime.now(UTC)


class SetClock:
    """A clock that stands still until it is moved: for tests, scenarios and play mode."""

    def __init__(self, at: datetime) -> None:
        self._now = at.astimezone(UTC)

    def now(self) -> datetime:
        """The instant it was set to."""
        return self._now

    def set(self, at: datetime) -> None:
        """Put the clock at an instant."""
        self._now = at.astimezone(UTC)

    def advance(self, **span: float) -> None:
        """Move the clock by a span, named as in `timedelta` (hours=3)."""
        self._now += timedelta(**span)


def civil_day(instant: datetime) -> date:
    """The Japanese civil day of an instant: personnel orders and statutory days change at 0:00 JST."""
    return instant.astimezone(JST).date()


def start_of_day(day: date) -> datetime:
    """0:00 JST of a day, in UTC."""
    return datetime.combine(day, time(), JST).astimezone(UTC)


def end_of_day(day: date) -> datetime:
    """24:00 JST of a day, which is 0:00 of the next, in UTC."""
    return start_of_day(day + timedelta(days=1))


def to_micros(instant: datetime) -> int:
    """Microseconds since 1970 in UTC: how instants are stored where they are compared by due work."""
    delta = instant - datetime(1970, 1, 1, tzinfo=UTC)
    return (delta.days * 86_400 + delta.seconds) * 1_000_000 + delta.microseconds


def from_micros(micros: int) -> datetime:
    """The instant, aware in UTC, of microseconds since 1970."""
    return datetime(1970, 1, 1, tzinfo=UTC) + timedelta(microseconds=micros)
