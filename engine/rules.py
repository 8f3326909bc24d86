"""What an office's rules.toml says, as data: what is asked of a row on a day, and of a case's facts."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, time, timedelta

from engine.deadlines import Calendar, ClockReading, StatutoryClock, Urgency, known_day
from engine.errors import NotFound, SettingUnknown
from engine.ledger_rules import Ledger, ledger_of
from engine.limits import DEFAULT, Limits
from engine.office_files import in_force
from engine.quiet import Quiet

#: Where rules.toml does not say which notices nobody may put off.
NEVER_PUT_OFF = frozenset({"escalate", "clock_warning", "clock_overdue", "service_stopped", "webhook_disabled"})
NEVER_QUIET = Quiet()


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
class Derived:
    """A decision table evaluated after every change of facts, in cases of these procedures; of every procedure when none is named."""

    decision: str
    processes: tuple[str, ...] = ()


@dataclass(frozen=True)
class Property:
    """Something a procedure must always keep, proven before it comes into force (engine/checker).

    Attributes:
        kind: `before_end`: at every ordinary end, whenever `when` may hold, one of `steps` has been done and `then` holds;
            `never_without`: while `when` holds, none of `steps` is ever completed before one of `after`; `not_waiting_for`: `steps` can be done
            although nobody ever does `without`; `never_same_person`: nobody does two of `steps`; `seats`: every step has a seat
            in every unit, today and after each change known already.
        steps, after, without: element ids, or clauses that completing a step records.
    """

    id: str
    kind: str
    name: str
    basis: str
    processes: tuple[str, ...]
    valid_from: date
    valid_to: date | None = None
    when: str = ""
    then: str = ""
    steps: tuple[str, ...] = ()
    after: tuple[str, ...] = ()
    without: tuple[str, ...] = ()


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
    basis: str = ""


@dataclass(frozen=True)
class Setting:
    """A figure, a word or a yes or no that the office sets for its procedures, in force from a day: `setting("id")` in expressions."""

    id: str
    name: str
    value: str | int | float | bool
    basis: str
    valid_from: date
    valid_to: date | None = None


@dataclass(frozen=True)
class SessionRules:
    """How long a sign-in lasts."""

    idle: timedelta
    idle_privileged: timedelta
    absolute: timedelta
    privileged_roles: tuple[str, ...]


@dataclass(frozen=True)
class PasswordRules:
    """What a password must be, and what wrong ones lead to."""

    minimum_length: int
    failures: int
    lock: timedelta


@dataclass(frozen=True)
class PersonnelRules:
    """Who keeps the registers of people and posts, and who approves an order before it takes effect."""

    roles: tuple[str, ...]
    approvers: tuple[str, ...]


@dataclass(frozen=True)
class NoticeRules:
    """How people are told by mail where they have not chosen themselves, and what nobody may put off.

    Attributes:
        default: `at_once`, `digest` or `in_app`.
        never_put_off: templates that go out at once whatever was chosen, at any hour. So does every step that is 直ちに or stands under a
            statutory clock.
        digest_time: when the daily digest is made, on open days.
        digest: whether it goes to everybody with open work who has not declined it; else to who asked for it, or put something into it.
        quiet: when mails that can wait are held back, for people with no quiet time of their own.
    """

    default: str = "at_once"
    never_put_off: frozenset[str] = NEVER_PUT_OFF
    digest_time: time = time(8, 30)
    digest: bool = False
    quiet: Quiet = NEVER_QUIET


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
    derived: tuple[Derived, ...]
    duties: tuple[Duty, ...]
    numbering: tuple[Numbering, ...]
    visibility: tuple[Sight, ...]
    session: SessionRules
    password: PasswordRules
    attachments: AttachmentRules
    judgement: Judgement
    deployers: tuple[str, ...]  # roles that may put diagrams in force
    personnel: PersonnelRules
    limits: Limits = DEFAULT
    properties: tuple[Property, ...] = ()
    notices: NoticeRules = NoticeRules()
    settings: tuple[Setting, ...] = ()
    ledgers: tuple[Ledger, ...] = ()

    def urgency(self, word: str, on: date) -> Urgency:
        """What an urgency word means on a day; before the first row's day, what the first row says (only a set-back clock gets there)."""
        rows = [row for row in self.urgencies if row.id == word]
        found = in_force(rows, on) or min(rows, key=lambda row: row.valid_from, default=None)
        if found is None:
            raise NotFound(urgency=word, on=on)
        return found

    def setting(self, setting_id: str, on: date) -> str | int | float | bool:
        """The value of a setting on a day; before the first row's day, what the first row says.

        Raises:
            SettingUnknown: no such setting.
        """
        rows = [row for row in self.settings if row.id == setting_id]
        found = in_force(rows, on) or min(rows, key=lambda row: row.valid_from, default=None)
        if found is None:
            raise SettingUnknown(setting=setting_id)
        return found.value

    def clocks(self, facts: Mapping[str, object], calendar: Calendar) -> tuple[ClockReading, ...]:
        """The statutory clocks that run for these facts, in the order of rules.toml."""
        readings: list[ClockReading] = []
        for clock_id in self.clock_ids:
            started = [(row, known_day(facts.get(row.starts))) for row in self.statutory if row.id == clock_id]
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

    def derived_of(self, process: str) -> tuple[str, ...]:
        """The decisions that are evaluated after every change of a case of a procedure, in the order of rules.toml."""
        return tuple(row.decision for row in self.derived if not row.processes or process in row.processes)

    def duties_of(self, process: str, on: date) -> tuple[Duty, ...]:
        """The duties that a case of a procedure must show records of when it closes on a day."""
        return tuple(duty for duty in self.duties if process in duty.processes and in_force([duty], on))

    def properties_of(self, process: str, on: date) -> tuple[Property, ...]:
        """What a procedure must keep, as it stands on a day."""
        return tuple(item for item in self.properties if process in item.processes and in_force([item], on))

    def numbering_of(self, key: str, on: date) -> Numbering:
        """How cases of a procedure are numbered on a day."""
        found = in_force((row for row in self.numbering if row.key == key), on)
        if found is None:
            raise NotFound(numbering=key, on=on)
        return found

    def ledger(self, ledger_id: str, on: date) -> Ledger:
        """A ledger as it stands on a day; raises NotFound."""
        found = ledger_of(self.ledgers, ledger_id, on)
        if found is None:
            raise NotFound(ledger=ledger_id)
        return found

    @property
    def ledger_ids(self) -> tuple[str, ...]:
        """The ids of the ledgers, in the order of rules.toml."""
        return tuple(dict.fromkeys(row.id for row in self.ledgers))

    def sees_every_case(self, on: date) -> frozenset[str]:
        """The roles with sight of every case on a day."""
        return frozenset(sight.role for sight in self.visibility if in_force([sight], on))
