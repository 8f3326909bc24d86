"""What the pages of administrators show: people, posts, absences, orders, vacancies; none of it tells what a case is about."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime


@dataclass(frozen=True)
class HoldingShown:
    """One holding in words. `state`: now, future, past or superseded (a row that the record has replaced)."""

    id: int
    person: str
    person_name: str
    seat: str
    seat_name: str
    kind: str
    kind_name: str
    valid_from: date
    valid_to: date | None
    basis: str
    source: str
    state: str
    recorded_at: datetime
    recorded_by_name: str
    superseded_at: datetime | None


@dataclass(frozen=True)
class DeputyShown:
    """One registration of a deputy. `kind`: substitute (代理) or decision (代決); empty `seat_name` and `process_name` mean all."""

    id: int
    principal: str
    principal_name: str
    person: str
    person_name: str
    kind: str
    kind_name: str
    seat: str
    seat_name: str
    process: str
    process_name: str
    basis: str
    valid_from: date
    valid_to: date | None
    state: str


@dataclass(frozen=True)
class AbsenceShown:
    """One absence; the reason is a word, never the illness."""

    id: int
    person: str
    person_name: str
    reason: str
    reason_name: str
    valid_from: date
    valid_to: date | None
    state: str


@dataclass(frozen=True)
class PersonRow:
    """One line of the list of people."""

    id: str
    name: str
    email: str
    seats: tuple[str, ...]
    ends_on: date | None
    ended: bool
    away: bool


@dataclass(frozen=True)
class PersonPage:
    """Everything kept about one person, apart from what he did in cases."""

    row: PersonRow
    holdings: tuple[HoldingShown, ...]
    deputies: tuple[DeputyShown, ...]
    absences: tuple[AbsenceShown, ...]
    identities: tuple[tuple[str, str], ...]  # (source, subject)
    signs_in_locally: bool


@dataclass(frozen=True)
class SeatShown:
    """One seat of the chart: who is behind it, and what waits there."""

    seat: str
    role_name: str
    post_name: str
    holders: tuple[tuple[str, str, str], ...]  # (person, name, kind in words)
    deputies: tuple[tuple[str, str], ...]  # (name, for whom)
    open_tasks: int
    vacant: bool


@dataclass(frozen=True)
class UnitShown:
    """One unit of the chart; `depth` is how far below the root it stands."""

    id: str
    name: str
    depth: int
    valid_from: date
    valid_to: date | None
    seats: tuple[SeatShown, ...]


@dataclass(frozen=True)
class Vacancy:
    """A seat nobody holds from a day on: found before it stops a case."""

    seat: str
    seat_name: str
    since: date
    until: date | None
    open_tasks: int
    stands_above: str  # the seat that an escalation would reach
    used_by: tuple[str, ...]  # procedures with a step for the role


@dataclass(frozen=True)
class StuckTask:
    """An open step that nobody can do now, and why; `repair` names the ways out."""

    task_id: int
    number: str
    step: str
    seat: str
    seat_name: str
    opened_at: datetime
    due_at: datetime | None
    why: str


@dataclass(frozen=True)
class TaskMoved:
    """An open step that an order gives to somebody or takes away."""

    task_id: int
    number: str
    step: str
    seat_name: str
    due_at: datetime | None


@dataclass(frozen=True)
class PersonMoved:
    """What an order means for one person."""

    person: str
    name: str
    begins: tuple[str, ...]  # seats in words
    ends: tuple[str, ...]
    gains: tuple[TaskMoved, ...]
    loses: tuple[TaskMoved, ...]


@dataclass(frozen=True)
class OrderRowShown:
    """One row of an order in words."""

    line: int
    action: str
    person: str
    name: str
    seat_name: str
    kind_name: str
    valid_from: date
    valid_to: date | None
    basis: str


@dataclass(frozen=True)
class OrderShown:
    """An order. `kind`: personnel or reorganisation; `state`: draft, approved or withdrawn; `in_force` once its day has come."""

    id: int
    kind: str
    title: str
    effective_on: date
    state: str
    in_force: bool
    file_name: str
    sha256: str
    created_at: datetime
    created_by: str
    created_by_name: str
    decided_at: datetime | None
    decided_by_name: str
    reason: str


@dataclass(frozen=True)
class OrderPreview:
    """What an order would do, computed from what is known now; `faults` keep it from being approved, `warnings` are to be weighed."""

    order: OrderShown
    rows: tuple[OrderRowShown, ...]
    people: tuple[PersonMoved, ...]
    vacancies: tuple[Vacancy, ...]
    warnings: tuple[str, ...]
    faults: tuple[tuple[int, str, str], ...]  # (line, column, sentence)
    units: tuple[tuple[str, str], ...] = ()  # reorganisation: (what ends, what takes its place)
    cases: int = 0  # reorganisation: open cases of the units that end
    may_approve: bool = False
    why_not: str = ""


@dataclass(frozen=True)
class HandoverShown:
    """A seat that changes hands: what the taker takes over. `state`: coming, open or accepted."""

    id: int
    seat: str
    seat_name: str
    giver: str
    giver_name: str
    taker: str
    taker_name: str
    effective_on: date
    note: str
    state: str
    accepted_at: datetime | None
    items: tuple[TaskMoved, ...]
    mine: str  # giver, taker or ""


@dataclass(frozen=True)
class HolderAsKnown:
    """Who held a seat on a day, as known at an instant."""

    person: str
    name: str
    kind_name: str
    valid_from: date
    valid_to: date | None
    basis: str
    source: str
    recorded_at: datetime
    superseded_at: datetime | None
