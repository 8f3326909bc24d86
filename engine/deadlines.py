"""By when: urgency words, the clocks that statutes start, and the days on which offices are closed. Pure: no clock is read here."""

from __future__ import annotations

import re
import string
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from functools import lru_cache
from pathlib import Path

import holidays

from engine.clock import JST, civil_day, end_of_day, start_of_day
from engine.errors import NotFound, OrganisationBroken
from engine.office_files import Findings, Table, in_force, read_toml

URGENCY_WORDS = ("at_once", "promptly", "plain")  # 直ちに, 速やかに, no word: the three a diagram may write
_WEEKDAYS = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
_NUMBER_FIELDS = {"year", "era_year", "sequence"}


# ---------------------------------------------------------------- closed days


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


class Calendar:
    """The open and closed days of an office."""

    def __init__(
        self, extra_closed: Iterable[date] = (), extra_open: Iterable[date] = (), closed_days: Iterable[ClosedDays] = HOLIDAY_LAW
    ) -> None:
        self.extra_closed = frozenset(extra_closed)
        self.extra_open = frozenset(extra_open)
        self.closed_days = tuple(closed_days)

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

    def add_working_days(self, instant: datetime, n: int) -> datetime:
        """The n-th open day after an instant, at the same civil time. An instant on a closed day counts as 0:00 of the next open day."""
        local = instant.astimezone(JST)
        day, at = local.date(), local.time()
        if self.is_closed(day):
            day, at = self.next_open(day), time()
        for _ in range(n):
            day = self.next_open(day + timedelta(days=1))
        return start_of_day(day) + timedelta(hours=at.hour, minutes=at.minute, seconds=at.second, microseconds=at.microsecond)


def guide_day(known: date, n: int) -> date:
    """The n-th day of knowing, the day of knowledge being day 1; closed days count and nothing is moved."""
    return known + timedelta(days=n - 1)


def statutory_due(known: date, days: int, calendar: Calendar) -> date:
    """The last day of a statutory period: day 1 is the day of knowledge; a closed last day gives way to the next open one (休日法第2条)."""
    return calendar.next_open(guide_day(known, days))


# ---------------------------------------------------------------- rows of rules.toml


@dataclass(frozen=True)
class Urgency:
    """What 直ちに, 速やかに or no word means here: when the holder is reminded and when the rung above is told.
    A span of time runs day and night; a whole number counts working days."""

    id: str
    label: str
    valid_from: date
    valid_to: date | None = None
    remind: timedelta | int | None = None
    escalate: timedelta | int | None = None

    def remind_at(self, opened: datetime, calendar: Calendar) -> datetime | None:
        """When the holder of the seat is reminded."""
        return _after(opened, self.remind, calendar)

    def escalate_at(self, opened: datetime, calendar: Calendar) -> datetime | None:
        """When the next rung is told. The duty stays with the seat the clause names."""
        return _after(opened, self.escalate, calendar)


def _after(opened: datetime, wait: timedelta | int | None, calendar: Calendar) -> datetime | None:
    if wait is None:
        return None
    return calendar.add_working_days(opened, wait) if isinstance(wait, int) else opened + wait


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


@dataclass(frozen=True)
class Duty:
    """A duty that must have left a record before a case of these procedures is closed: any one of `recorded_by` is such a record."""

    clause: str
    name: str
    when: str  # an expression over the facts; empty = always
    undecided_when: str  # an expression: whether the duty applies is still open, and unknown is never no
    recorded_by: tuple[str, ...]
    processes: tuple[str, ...]
    valid_from: date
    valid_to: date | None = None


@dataclass(frozen=True)
class Numbering:
    """How the cases of a procedure are numbered."""

    key: str
    pattern: str
    fiscal: bool
    era_first_year: int
    valid_from: date
    valid_to: date | None = None

    def year(self, on: date) -> int:
        """The year whose sequence a case of that day belongs to; a fiscal year (年度) begins on 1 April."""
        return on.year - 1 if self.fiscal and on.month < 4 else on.year

    def number(self, on: date, sequence: int) -> str:
        """The number of a case."""
        year = self.year(on)
        return self.pattern.format(year=year, era_year=year - self.era_first_year + 1, sequence=sequence)


@dataclass(frozen=True)
class Sight:
    """A role that sees every case of the office, whoever handles it."""

    role: str
    valid_from: date
    valid_to: date | None = None


@dataclass(frozen=True)
class SessionRules:
    """How long a sign-in lasts."""

    idle: timedelta
    idle_privileged: timedelta
    absolute: timedelta
    reauthenticate: timedelta
    privileged_roles: tuple[str, ...]


@dataclass(frozen=True)
class PasswordRules:
    """What a password must be, and what wrong ones lead to."""

    minimum_length: int
    maximum_age_days: int | None  # None: no age
    failures: int
    lock: timedelta


@dataclass(frozen=True)
class AttachmentRules:
    """What may be attached: at most so many bytes, of these kinds (extension -> media type)."""

    maximum_bytes: int
    types: Mapping[str, str]


@dataclass(frozen=True)
class Judgement:
    """What `tadachi duties` asks and tells: a decision table, which of its outputs, and what left-out facts are taken to be.

    A case never assumes anything: what is not known there is unknown.
    """

    decision: str
    tells: tuple[str, ...]
    assumed: Mapping[str, object]


@dataclass(frozen=True)
class Rules:
    """Everything of an office's rules.toml."""

    calendar: Calendar
    urgencies: tuple[Urgency, ...]
    statutory: tuple[StatutoryClock, ...]
    derived: tuple[str, ...]
    duties: tuple[Duty, ...]
    numbering: tuple[Numbering, ...]
    visibility: tuple[Sight, ...]
    session: SessionRules
    password: PasswordRules
    attachments: AttachmentRules
    judgement: Judgement

    def urgency(self, word: str, on: date) -> Urgency:
        """What an urgency word means on a day; before the first row's day, what the first row says (only a set-back clock gets there)."""
        rows = [row for row in self.urgencies if row.id == word]
        found = in_force(rows, on) or min(rows, key=lambda row: row.valid_from, default=None)
        if found is None:
            raise NotFound(urgency=word, on=on)
        return found

    def clocks(self, facts: Mapping[str, object], calendar: Calendar) -> tuple[ClockReading, ...]:
        """The statutory clocks that run for these facts, in the order of rules.toml."""
        readings: list[ClockReading] = []
        for clock_id in self.clock_ids:
            started = [(row, _known_day(facts.get(row.starts))) for row in self.statutory if row.id == clock_id]
            running = [(row, known) for row, known in started if known and in_force([row], known)]
            if running:
                row, known = max(running, key=lambda pair: pair[0].valid_from)
                reading = row.read(known, facts, calendar)
                if reading:
                    readings.append(reading)
        return tuple(readings)

    @property
    def clock_ids(self) -> tuple[str, ...]:
        """The ids of the statutory clocks, in the order of rules.toml."""
        return tuple(dict.fromkeys(row.id for row in self.statutory))

    def clock_met(self, clock_id: str, facts: Mapping[str, object]) -> bool:
        """Whether the facts show that what a clock waits for was done: a fact of its `met_by` is true (or yes, or the day it was done)."""
        names = {name for row in self.statutory if row.id == clock_id for name in row.met_by}
        return any(facts.get(name) not in (None, False, "", "no", "unknown", "review") for name in names)

    def met_on(self, clock_id: str, facts: Mapping[str, object]) -> date | None:
        """The civil day on which it was done, where the facts name it: what is recorded on Monday may have been submitted on Friday."""
        for name in (name for row in self.statutory if row.id == clock_id for name in row.met_by):
            value = facts.get(name)
            if isinstance(value, str) and len(value) == 10:
                try:
                    return date.fromisoformat(value)
                except ValueError:
                    continue
        return None

    def duties_of(self, process: str, on: date) -> tuple[Duty, ...]:
        """The duties that a case of a procedure must show records of when it closes on a day."""
        return tuple(duty for duty in self.duties if process in duty.processes and in_force([duty], on))

    def numbering_of(self, key: str, on: date) -> Numbering:
        """How cases of a procedure are numbered on a day."""
        found = in_force((row for row in self.numbering if row.key == key), on)
        if found is None:
            raise NotFound(numbering=key, on=on)
        return found

    def sees_every_case(self, on: date) -> frozenset[str]:
        """The roles with sight of every case on a day."""
        return frozenset(sight.role for sight in self.visibility if in_force([sight], on))


def _known_day(value: object) -> date | None:
    """The Japanese civil day of an instant as facts keep it; a time without a zone is a Japanese civil time."""
    if isinstance(value, str):
        try:
            value = datetime.fromisoformat(value)
        except ValueError:
            return None
    if not isinstance(value, datetime):
        return None
    return civil_day(value if value.tzinfo else value.replace(tzinfo=JST))


# ---------------------------------------------------------------- reading rules.toml


def load_rules(path: Path) -> Rules:
    """The rules of a file, or `OrganisationBroken` with everything that is wrong in it."""
    findings = Findings()
    rules = read_rules(Path(path), findings)
    if rules is None or findings.found:
        raise OrganisationBroken(findings.found, folder=Path(path).parent.name)
    return rules


def read_rules(path: Path, findings: Findings) -> Rules | None:
    """The rules of a file; what is wrong is added to `findings`, and then the rules must not be used."""
    top = read_toml(path, findings)
    if top is None:
        return None
    rules = Rules(
        calendar=_read_calendar(top),
        urgencies=_read_urgencies(top),
        statutory=tuple(_read_clock(table) for table in top.tables("clock", required=False)),
        derived=tuple(_closed(table, table.identifier("decision")) for table in top.tables("derived", required=False)),
        duties=tuple(_read_duty(table) for table in top.tables("duty", required=False)),
        numbering=tuple(_read_numbering(table) for table in top.tables("numbering")),
        visibility=tuple(_read_sight(table) for table in top.tables("visibility", required=False)),
        session=_read_session(top.table("session")),
        password=_read_password(top.table("password")),
        attachments=_read_attachments(top.table("attachments")),
        judgement=_read_judgement(top.table("judgement")),
    )
    keys = [("urgency", row.id, row.valid_from) for row in rules.urgencies]
    keys += [("clock", row.id, row.valid_from) for row in rules.statutory]
    keys += [("numbering", row.key, row.valid_from) for row in rules.numbering]
    for kind, key, day in sorted({key for key in keys if keys.count(key) > 1}):
        findings.add("duplicate-id", f"[[{kind}]] に、同じ名前で同じ valid_from（{day}）の行が2つあります。", key, path.name)
    top.close()
    return rules


def _closed(table: Table, value: str) -> str:
    table.close()
    return value


def _read_calendar(top: Table) -> Calendar:
    rows: list[ClosedDays] = []
    closed: list[date] = []
    opened: list[date] = []
    for table in top.tables("closed_days"):
        name = table.text("name")
        table.element = name
        valid_from, valid_to = table.period()
        weekdays = table.texts("weekdays")
        if any(day not in _WEEKDAYS for day in weekdays) or len(set(weekdays)) > 6:
            table.wrong("out-of-range", f"「weekdays」は{'・'.join(_WEEKDAYS)}のうち6つまでです。")
        nation = table.text("holidays", required=False)
        if nation not in ("", "JP"):
            table.wrong("out-of-range", '「holidays」に書けるのは "JP" だけです。')
        first, last = _month_day(table, "from"), _month_day(table, "to")
        if (first is None) != (last is None):
            table.wrong("missing-key", "「from」と「to」は両方書いてください。")
        numbers = frozenset(_WEEKDAYS.index(day) for day in weekdays if day in _WEEKDAYS)
        rows.append(ClosedDays(name, valid_from, valid_to, numbers, nation == "JP", first, last))
        table.close()
    for table in top.tables("special_day", required=False):
        closed += table.days("closed")
        opened += table.days("open")
        table.text("basis")
        table.close()
    if {*closed} & {*opened}:
        top.wrong("duplicate", "[[special_day]] で、同じ日が開庁日と閉庁日の両方になっています。")
    return Calendar(closed, opened, rows)


def _month_day(table: Table, key: str) -> tuple[int, int] | None:
    text = table.text(key, required=False)
    if not text:
        return None
    try:
        day = date.fromisoformat(f"2024-{text}")  # a leap year, so that 02-29 may be written
    except ValueError:
        table.wrong("bad-date", f"「{key}」は 12-29 の形の月日で書いてください。")
        return None
    return day.month, day.day


def _read_urgencies(top: Table) -> tuple[Urgency, ...]:
    rows: list[Urgency] = []
    for table in top.tables("urgency"):
        row_id, label = table.identifier(), table.text("label")
        valid_from, valid_to = table.period()
        table.text("basis", required=False)
        remind, escalate = _read_wait(table, "remind"), _read_wait(table, "escalate")
        spans = isinstance(remind, timedelta) and isinstance(escalate, timedelta) and remind > escalate
        counts = isinstance(remind, int) and isinstance(escalate, int) and remind > escalate
        if spans or counts:
            table.wrong("out-of-order", "上位への通知（escalate）が、本人への督促（remind）より先になっています。")
        rows.append(Urgency(row_id, label, valid_from, valid_to, remind, escalate))
        table.close()
    for word in URGENCY_WORDS:
        if not any(row.id == word for row in rows):
            top.wrong("urgency-missing", f"[[urgency]] に「{word}」の行がありません。")
    return tuple(rows)


def _read_wait(table: Table, what: str) -> timedelta | int | None:
    span = table.span(f"{what}_after", required=False)
    count = table.number(f"{what}_working_days", 1, 366, required=False)
    if span is not None and count is not None:
        table.wrong("out-of-order", f"「{what}_after」と「{what}_working_days」は、どちらか一方だけ書いてください。")
    return span if span is not None else count


def _read_clock(table: Table) -> StatutoryClock:
    row_id, name, basis = table.identifier(), table.text("name"), table.text("basis")
    valid_from, valid_to = table.period()
    conditions: list[Condition] = []
    for one in table.tables("when", required=False):
        one.element = row_id
        conditions.append(Condition(one.texts("any_of", required=True), one.texts("is", required=True)))
        one.close()
    days, days_fact = table.number("days", 1, 3660, required=False), table.text("days_fact", required=False)
    if (days is None) == (not days_fact):
        table.wrong("missing-key", "「days」か「days_fact」のどちらか一方だけを書いてください。")
    row = StatutoryClock(
        id=row_id,
        name=name,
        basis=basis,
        clauses=table.texts("clauses", required=True),
        valid_from=valid_from,
        valid_to=valid_to,
        starts=table.text("starts"),
        conditions=tuple(conditions),
        days=days,
        days_fact=days_fact,
        moved_past_closed_days=table.flag("moved_past_closed_days", default=True),
        warn_on_days=table.numbers("warn_on_days", 1, 3660),
        warn_days_before=table.numbers("warn_days_before", 0, 3660),
        warn_time=table.hour("warn_time") or time(9),
        met_by=table.texts("met_by"),
    )
    table.close()
    return row


def _read_duty(table: Table) -> Duty:
    clause = table.text("clause")
    table.element = clause
    valid_from, valid_to = table.period()
    name, when, undecided = table.text("name"), table.text("when", required=False), table.text("undecided_when", required=False)
    records, processes = table.texts("recorded_by", required=True), table.texts("processes", required=True)
    row = Duty(clause, name, when, undecided, records, processes, valid_from, valid_to)
    if not row.recorded_by or not row.processes:
        table.wrong("missing-key", "「recorded_by」と「processes」には1つ以上書いてください。")
    table.close()
    return row


def _read_numbering(table: Table) -> Numbering:
    key, pattern = table.identifier("key"), table.text("pattern")
    valid_from, valid_to = table.period()
    year = table.text("year")
    if year not in ("fiscal", "calendar"):
        table.wrong("out-of-range", '「year」は "fiscal"（年度）か "calendar"（暦年）です。')
    row = Numbering(key, pattern, year == "fiscal", table.number("era_first_year", 1868, 9999) or 1868, valid_from, valid_to)
    try:
        # checked before it is used: plain names and short widths only, so a pattern can neither reach into an object nor fill the memory
        parts = [(name, spec, turn) for _, name, spec, turn in string.Formatter().parse(pattern) if name is not None]
        fields = {name for name, _, _ in parts}
        usable = fields <= _NUMBER_FIELDS and "sequence" in fields and bool({"year", "era_year"} & fields)
        usable = usable and all(turn is None and re.fullmatch(r"(0?[1-9]d)?", spec or "", re.ASCII) for _, spec, turn in parts)
    except ValueError:
        usable = False
    if not usable:
        table.wrong("bad-pattern", "「pattern」には {sequence} と、{era_year} か {year} を書いてください（ほかの { } は使えません）。")
    table.text("basis", required=False)
    table.close()
    return row


def _read_sight(table: Table) -> Sight:
    role = table.identifier("role")
    valid_from, valid_to = table.period()
    table.text("basis")
    table.close()
    return Sight(role, valid_from, valid_to)


def _read_session(table: Table) -> SessionRules:
    spans = {key: table.span(key) or timedelta(0) for key in ("idle", "idle_privileged", "absolute", "reauthenticate")}
    row = SessionRules(**spans, privileged_roles=table.texts("privileged_roles"))
    table.close()
    return row


def _read_password(table: Table) -> PasswordRules:
    row = PasswordRules(
        minimum_length=table.number("minimum_length", 8, 128) or 0,
        maximum_age_days=table.number("maximum_age_days", 1, 3660, required=False),
        failures=table.number("failures", 3, 100) or 0,
        lock=table.span("lock") or timedelta(0),
    )
    table.close()
    return row


def _read_judgement(table: Table) -> Judgement:
    row = Judgement(table.identifier("decision"), table.texts("tells", required=True), table.values("assumed"))
    table.close()
    return row


def _read_attachments(table: Table) -> AttachmentRules:
    row = AttachmentRules(table.number("maximum_bytes", 1, 1 << 30) or 0, table.mapping("types", required=True))
    for extension, media in row.types.items():
        if not extension.isalnum() or extension != extension.lower() or media.count("/") != 1:
            table.wrong("bad-type", f'「types」の「{extension}」は、小文字の拡張子 = "種類/形式" で書いてください。')
    table.close()
    return row
