"""By when: urgency words, the clocks that statutes start, and the days on which offices are closed. Pure: no clock is read here."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from functools import lru_cache

import holidays

from engine.clock import JST, civil_day, end_of_day, start_of_day


@lru_cache(maxsize=512)
def _national_holidays(year: int) -> Mapping[date, str]:
    """祝日法 days of a year, substitute days included, with their names."""
    return dict(holidays.country_holidays("JP", years=year, language="ja"))


@dataclass(frozen=True)
class ClosedDays:
    """One reason for which offices are closed, in force for a period (行政機関の休日に関する法律第1条第1項 has three)."""

    name: str
    valid_from: date
    valid_to: date | None = None
    weekdays: frozenset[int] = frozenset()  # Monday is 0
    national_holidays: bool = False
    first: tuple[int, int] | None = None  # month and day, every year; may run over the turn of the year
    last: tuple[int, int] | None = None

    def covers(self, day: date) -> bool:
        """Whether offices are closed on a day for this reason."""
        if day < self.valid_from or (self.valid_to is not None and self.valid_to < day):
            return False
        if day.weekday() in self.weekdays or (self.national_holidays and day in _national_holidays(day.year)):
            return True
        if self.first is None or self.last is None:
            return False
        spot = (day.month, day.day)
        if self.first <= self.last:
            return self.first <= spot <= self.last
        return spot >= self.first or spot <= self.last


# 行政機関の休日に関する法律第1条第1項. An office's rules.toml states the same as rows, so that a change of law is a further row.
HOLIDAY_LAW = (
    ClosedDays("土曜日・日曜日", date(1992, 5, 1), weekdays=frozenset({5, 6})),
    ClosedDays("祝日", date(1989, 1, 1), national_holidays=True),
    ClosedDays("年末年始", date(1989, 1, 1), first=(12, 29), last=(1, 3)),
)


#: 8:30 to 17:15: what most ministries work (人事院規則15－14第3条 leaves it to them); rules.toml `[office_hours]` says otherwise.
OFFICE_HOURS = (time(8, 30), time(17, 15))
MOST_WORKING_DAYS = 1_000


class Calendar:
    """The open and closed days of an office, and its hours."""

    def __init__(
        self,
        extra_closed: Iterable[date] = (),
        extra_open: Iterable[date] = (),
        closed_days: Iterable[ClosedDays] = HOLIDAY_LAW,
        office_hours: tuple[time, time] = OFFICE_HOURS,
    ) -> None:
        self.extra_closed = frozenset(extra_closed)
        self.extra_open = frozenset(extra_open)
        self.closed_days = tuple(closed_days)
        self.office_hours = office_hours

    def why_closed(self, day: date) -> str | None:
        """The name of the reason a day is closed, for people who wonder about a deadline; None on an open day."""
        if day in self.extra_open:
            return None
        if day in self.extra_closed:
            return "臨時の閉庁日"
        reason = next((row for row in self.closed_days if row.covers(day)), None)
        if reason is None:
            return None
        return _national_holidays(day.year).get(day, reason.name) if reason.national_holidays else reason.name

    def is_closed(self, day: date) -> bool:
        """Whether the office is closed on a day."""
        return self.why_closed(day) is not None

    def next_open(self, day: date) -> date:
        """The day itself when the office is open, else the first open day after it."""
        while self.is_closed(day):
            day += timedelta(days=1)
        return day

    def in_office_hours(self, instant: datetime) -> bool:
        """Whether the office is open at an instant: on an open day, from the first to the last minute of its hours, both included."""
        local = instant.astimezone(JST)
        opens, closes = self.office_hours
        return not self.is_closed(local.date()) and opens <= local.time().replace(second=0, microsecond=0) <= closes

    def add_working_days(self, instant: datetime, n: int) -> datetime:
        """The n-th open day after an instant, at the same civil time. An instant on a closed day counts as 0:00 of the next open day."""
        local = instant.astimezone(JST)
        day, at = local.date(), local.time()
        if self.is_closed(day):
            day, at = self.next_open(day), time()
        for _ in range(n):
            day = self.next_open(day + timedelta(days=1))
        return start_of_day(day) + timedelta(hours=at.hour, minutes=at.minute, seconds=at.second, microseconds=at.microsecond)

    def add_office_time(self, instant: datetime, span: timedelta) -> datetime:
        """The instant by which so much time has passed in office hours of open days."""
        opens, closes = self.office_hours
        local = instant.astimezone(JST)
        day, left = local.date(), span
        begins = max(local, datetime.combine(day, opens, JST))
        while True:
            ends = datetime.combine(day, closes, JST)
            if not self.is_closed(day) and begins < ends:
                if left <= ends - begins:
                    return begins + left
                left -= ends - begins
            day = self.next_open(day + timedelta(days=1))
            begins = datetime.combine(day, opens, JST)


@dataclass(frozen=True)
class WorkingDays:
    """A number of open days as a span of time: what `working_days(n)` says in a timer, counted from the instant the timer was armed.

    Raises:
        TypeError: not a whole number.
        ValueError: none, or more than anybody waits for (nothing is counted for ever).
    """

    number: int
    calendar: Calendar

    def __post_init__(self) -> None:
        if type(self.number) is not int:  # an expression may hand over anything
            raise TypeError("not a number of days")
        if not 1 <= self.number <= MOST_WORKING_DAYS:
            raise ValueError("too many or too few working days")

    def after(self, start: datetime) -> datetime:
        """The instant so many open days later, at the same time of day."""
        return self.calendar.add_working_days(start, self.number)


def guide_day(known: date, n: int) -> date:
    """The n-th day of knowing, the day of knowledge being day 1; closed days count and nothing is moved."""
    return known + timedelta(days=n - 1)


def statutory_due(known: date, days: int, calendar: Calendar) -> date:
    """The last day of a statutory period: day 1 is the day of knowledge; a closed last day gives way to the next open one (休日法第2条)."""
    return calendar.next_open(guide_day(known, days))


@dataclass(frozen=True)
class Rung:
    """One rung of an urgency's ladder: after how long who is told. Telling takes the duty from nobody.

    Attributes:
        wait: a span of time, or a whole number of working days.
        office_hours: whether a span counts office hours only; otherwise it runs day and night.
        tells: `holder`, `deputy`, `next` (the rung above), or the id of a role.
    """

    wait: timedelta | int
    tells: tuple[str, ...]
    office_hours: bool = False

    @property
    def escalates(self) -> bool:
        """Whether anybody but the holder and his deputy is told."""
        return bool(set(self.tells) - {"holder", "deputy"})

    def at(self, opened: datetime, calendar: Calendar) -> datetime:
        """When a step that opened then gets here."""
        if isinstance(self.wait, int):
            return calendar.add_working_days(opened, self.wait)
        return calendar.add_office_time(opened, self.wait) if self.office_hours else opened + self.wait


@dataclass(frozen=True)
class Urgency:
    """What 直ちに, 速やかに or no word means here: a ladder of who is told when, in the order of time."""

    id: str
    label: str
    valid_from: date
    valid_to: date | None = None
    rungs: tuple[Rung, ...] = ()
    basis: str = ""

    def target(self, opened: datetime, calendar: Calendar) -> datetime | None:
        """By when the step should be done (目安): when it is told to anybody beyond its seat."""
        return min((rung.at(opened, calendar) for rung in self.rungs if rung.escalates), default=None)


@dataclass(frozen=True)
class Condition:
    """Holds when any of the facts has any of the values."""

    facts: tuple[str, ...]
    values: tuple[str, ...]

    def holds(self, facts: Mapping[str, object]) -> bool:
        """Whether it holds for a case."""
        return any(facts.get(name) in self.values for name in self.facts)


@dataclass(frozen=True)
class StatutoryClock:
    """A clock that a statute starts on the day of knowledge; which row applies is decided by that day."""

    id: str
    name: str
    basis: str
    clauses: tuple[str, ...]
    valid_from: date
    valid_to: date | None
    starts: str  # the fact with the instant of knowledge
    conditions: tuple[Condition, ...]  # all must hold
    days: int | None  # either this many days
    days_fact: str  # or as many as this fact says
    moved_past_closed_days: bool
    warn_on_days: tuple[int, ...]  # the n-th day of knowing
    warn_days_before: tuple[int, ...]  # n days before the last day
    warn_time: time
    met_by: tuple[str, ...] = ()  # facts that, once true, show that what the clock waits for was done

    def read(self, known: date, facts: Mapping[str, object], calendar: Calendar) -> ClockReading | None:
        """The reading for a case, or None when the clock does not run."""
        days = self.days if self.days is not None else facts.get(self.days_fact)
        if not isinstance(days, int) or isinstance(days, bool) or days < 1 or not all(one.holds(facts) for one in self.conditions):
            return None
        due_on = statutory_due(known, days, calendar) if self.moved_past_closed_days else guide_day(known, days)
        warned = {guide_day(known, n) for n in self.warn_on_days} | {due_on - timedelta(days=n) for n in self.warn_days_before}
        return ClockReading(
            id=self.id,
            name=self.name,
            basis=self.basis,
            started_on=known,
            days=days,
            # a day before knowledge or after the deadline has nothing to warn of
            warn_at=tuple(_at(day, self.warn_time) for day in sorted(warned) if known <= day <= due_on),
            due_at=end_of_day(due_on),
            due_on=due_on,
        )


def _at(day: date, at: time) -> datetime:
    return start_of_day(day) + timedelta(hours=at.hour, minutes=at.minute)


@dataclass(frozen=True)
class ClockReading:
    """A statutory clock of one case. Instants that are already past are kept: a late entry shows an overdue clock, it does not fail."""

    id: str
    name: str
    basis: str
    started_on: date
    days: int
    warn_at: tuple[datetime, ...]
    due_at: datetime
    due_on: date


def known_day(value: object) -> date | None:
    """The Japanese civil day of an instant as facts keep it; a time without a zone is a Japanese civil time."""
    if isinstance(value, str):
        try:
            value = datetime.fromisoformat(value)
        except ValueError:
            return None
    if not isinstance(value, datetime):
        return None
    return civil_day(value if value.tzinfo else value.replace(tzinfo=JST))
