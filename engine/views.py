"""What reads hand to pages, papers and the command line: plain frozen data, already allowed to the viewer and in words."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date, datetime
from functools import cached_property
from typing import Any


@dataclass(frozen=True)
class SeatHeld:
    """A seat a person may act from today, and why.

    Attributes:
        kind: main, concurrent, joint, caretaker, acting (holdings); substitute (代理), decision (代決); person; in_turn (次順位);
            link (an outside party on behalf of the seat).
        principal: whom a substitute or a 代決者 stands in for; empty for one's own.
        basis: the rule or order under which one stands in.
        process: the only procedure that a substitute stands in for; empty: all.
        held: the seat held, when `seat` belongs to a unit whose place that one's has taken.
    """

    seat: str
    name: str
    kind: str
    since: date
    until: date | None
    principal: str = ""
    principal_name: str = ""
    basis: str = ""
    process: str = ""
    held: str = ""

    @property
    def own(self) -> bool:
        """Whether the seat is held, and not answered for somebody else."""
        return not self.principal


@dataclass(frozen=True)
class Standing:
    """What of a viewer decides which tasks and cases are his, without the instant: the same at every look until a post or a bar changes.

    Attributes:
        in_turn: (task id, case id) of the steps that came to him because everyone before is kept from them.
    """

    person: str
    organisation: str
    keys: tuple[str, ...]
    limited: tuple[tuple[str, str], ...]
    decides: tuple[tuple[str, str], ...]
    in_turn: tuple[tuple[int, int], ...]
    barred: tuple[int, ...]
    barred_cases: tuple[int, ...]


@dataclass(frozen=True)
class Viewer:
    """Who is looking: the person and every seat to act from on the Japanese day of `at`.

    Attributes:
        barred: open steps that this person is kept from (the case is about him, or what he did must be another's).
        barred_cases: cases that name this person: no seat shows them to him.
        kept: open steps somebody is kept from -> who: nobody does in such a person's stead what that one may not do.
        in_turn: open steps that came to this person because everyone before is kept from them: task id -> (case id, own seat).
    """

    person: str
    name: str
    organisation: str
    seats: tuple[SeatHeld, ...]
    at: datetime
    barred: frozenset[int] = frozenset()
    barred_cases: frozenset[int] = frozenset()
    in_turn: Mapping[int, tuple[int, str]] = field(default_factory=dict)
    kept: Mapping[int, frozenset[str]] = field(default_factory=dict)

    @property
    def own_key(self) -> str:
        """The seat that belongs to the person."""
        return f"person:{self.person}"

    @cached_property
    def keys(self) -> tuple[str, ...]:
        """Seat keys without any limit, the person's own (`person:ID`) included."""
        free = (held.seat for held in self.seats if not held.process and held.kind != "decision")
        return (*dict.fromkeys(free), self.own_key)

    @cached_property
    def limited(self) -> tuple[tuple[str, str], ...]:
        """(procedure, seat) of what the person stands in for in one procedure only."""
        return tuple((held.process, held.seat) for held in self.seats if held.process and held.kind == "substitute")

    @cached_property
    def decides(self) -> tuple[tuple[str, str], ...]:
        """(procedure or empty, seat) whose final decision the person may take today (代決)."""
        return tuple((held.process, held.seat) for held in self.seats if held.kind == "decision")

    @cached_property
    def standing(self) -> Standing:
        """For what is built once for whoever looks again and again (`engine/sight.py`)."""
        in_turn = tuple(sorted((number, case) for number, (case, _) in self.in_turn.items()))
        barred, cases = tuple(sorted(self.barred)), tuple(sorted(self.barred_cases))
        return Standing(self.person, self.organisation, self.keys, self.limited, self.decides, in_turn, barred, cases)

    @cached_property
    def own_seats(self) -> tuple[SeatHeld, ...]:
        """The seats the person holds."""
        return tuple(held for held in self.seats if held.own)

    def has_role(self, *roles: str) -> bool:
        """Whether one of the seats held is of one of these roles. Standing in for somebody gives no such part."""
        return any(held.seat.split("@")[0] in roles for held in self.own_seats)


@dataclass(frozen=True)
class DemoAccount:
    """An account of the demonstration, for its sign-in page."""

    person: str
    name: str
    unit_name: str
    seat_names: tuple[str, ...]


@dataclass(frozen=True)
class ClauseShown:
    """A clause of the office's table."""

    id: str
    citation: str
    plain: str
    urgency: str


@dataclass(frozen=True)
class InboxRow:
    """One open task, in words. `due_at` is None when nothing is due; `statutory` tells a legal date from an office target.

    `acting` says how it is the viewer's when he does not hold the seat himself: 代理, 代決, 次順位. `form` is whether completing asks for anything.
    """

    task_id: int
    case_id: int
    number: str
    title: str
    step: str
    process_id: str
    process_name: str
    seat: str
    seat_name: str
    unit: str
    unit_name: str
    clause: str
    urgency: str
    urgency_label: str
    opened_at: datetime
    due_at: datetime | None
    statutory: bool
    overdue: bool
    unread: bool
    claimed_by: str | None
    claimed_by_name: str | None
    acting: str = ""
    form: bool = True


@dataclass(frozen=True)
class InboxCounts:
    """Counts over everything the viewer may do, whatever the filter."""

    all: int
    overdue: int
    today: int
    mine: int
    unread: int
    later: int = 0  # put off by the viewer, and not among the others


@dataclass(frozen=True)
class HopShown:
    """One hop of a report: from whom to whom, how long it took, and the reason when it was late. `to_at` None: not passed on yet."""

    name: str
    by: str
    from_at: datetime
    to_at: datetime | None
    target_at: datetime | None
    late: bool
    reason: str


@dataclass(frozen=True)
class Foretold:
    """What will be told to whom, and when, if nobody acts."""

    at: datetime
    what: str
    step: str
    to: tuple[str, ...]
    mailed: bool


@dataclass(frozen=True)
class InboxPage:
    """A page of the inbox; `next` continues it (None at the end), `processes` and `units` are the filter choices."""

    rows: tuple[InboxRow, ...]
    counts: InboxCounts
    next: str | None
    processes: tuple[tuple[str, str], ...]
    units: tuple[tuple[str, str], ...]


@dataclass(frozen=True)
class FieldShown:
    """A form field ready to be drawn. `type` as in docs/architecture.md §3; `value` in the field's own type, `text` in words."""

    id: str
    label: str
    type: str
    value: Any
    text: str
    required: bool
    help: str
    choices: tuple[tuple[str, str], ...] = ()  # (value, label); for `rows` these are the columns; for `unit` the units
    shown_when: str = ""
    required_when: str = ""
    maxlength: int | None = None
    minimum: int | None = None
    as_buttons: bool = False
    error: str = ""
    readonly: bool = False  # shown, and never changed from here


@dataclass(frozen=True)
class Consequence:
    """What happens next when a button is pressed: a step, who gets it, and by when. `step` may also be the case's end."""

    step: str
    seat_name: str
    holders: tuple[str, ...]
    due_at: datetime | None
    ends: bool = False
    node: str = ""
    seat: str = ""


@dataclass(frozen=True)
class Button:
    """One way to complete a task: its label, the answers it adds, and its consequences as far as they can be foreseen."""

    label: str
    name: str
    value: str
    consequences: tuple[Consequence, ...]


@dataclass(frozen=True)
class FactShown:
    """A fact of the case in words."""

    id: str
    label: str
    text: str


@dataclass(frozen=True)
class AttachmentShown:
    """An attachment, without its bytes."""

    id: int
    name: str
    media_type: str
    size: int
    sha256: str
    added_by: str
    added_at: datetime


@dataclass(frozen=True)
class ClockShown:
    """A statutory clock: `state` is running, overdue, met, late (met after due) or stopped."""

    id: str
    name: str
    basis: str
    started_on: date
    day: int
    days: int
    due_on: date
    due_at: datetime
    state: str
    met_at: datetime | None


@dataclass(frozen=True)
class ActionOffered:
    """A thing the viewer can do to the case at any time, drawn as a message the diagram waits for."""

    name: str
    label: str
    node: str
    fields: tuple[FieldShown, ...]
    ends_case: bool
    clause: str
    documentation: str
    acting_seats: tuple[SeatHeld, ...] = ()  # seats of the viewer from which this can be done


@dataclass(frozen=True)
class PaperOffered:
    """A paper that can be made from the case now; `index` is the row it is for, where each row has a paper of its own.

    `of_step` marks the one that the step at hand is about (property `paper`); `for_party` one that a party outside may read by its link.
    """

    id: str
    name: str
    index: int | None = None
    of_step: bool = False
    for_party: bool = False


@dataclass(frozen=True)
class StepShown:
    """An open step of a case: whose it is and by when."""

    task_id: int
    node: str
    step: str
    seat_name: str
    holders: tuple[str, ...]
    opened_at: datetime
    due_at: datetime | None
    statutory: bool
    overdue: bool
    claimed_by_name: str | None
    mine: bool


@dataclass(frozen=True)
class FactChange:
    """A fact that an act changed, in words."""

    label: str
    old: str
    new: str


@dataclass(frozen=True)
class Event:
    """One row of history in words. `tag` is subject.past_tense; `refused` marks an attempt that was not allowed."""

    at: datetime
    tag: str
    text: str
    person_name: str
    seat_name: str
    clause: str
    note: str
    changes: tuple[FactChange, ...]
    refused: bool
    case_id: int | None = None
    acting: str = ""  # how the person came to act from the seat: 代理, 代決, 次順位, with the rule


@dataclass(frozen=True)
class DutyShown:
    """A duty the case opened: `state` is done, open, undecided (判断待ち) or not_applicable."""

    clause: str
    citation: str
    name: str
    state: str
    done_at: datetime | None
    done_by: str


@dataclass(frozen=True)
class CaseHead:
    """A case in one line. `state` is open, closed or withdrawn; `state_text` says in words where it stands."""

    id: int
    number: str
    title: str
    process_id: str
    process_name: str
    version: int
    state: str
    state_text: str
    outcome: str
    unit: str
    unit_name: str
    reporter: str
    reporter_name: str
    known_at: datetime | None
    started_at: datetime
    changed_at: datetime
    ended_at: datetime | None
    merged_into: int | None
    overdue: bool


@dataclass(frozen=True)
class CaseLinked:
    """A case that began this one, or that this one began.

    Attributes:
        label: what the diagram calls the link.
        id: None when the viewer does not see that case.
        begun_here: whether this case began it.
    """

    number: str
    label: str
    process_name: str
    id: int | None
    begun_here: bool


@dataclass(frozen=True)
class CasePage:
    """Everything a viewer may see of a case."""

    head: CaseHead
    facts: tuple[FactShown, ...]
    raw_facts: Mapping[str, Any]
    steps: tuple[StepShown, ...]
    timeline: tuple[Event, ...]
    moments: tuple[tuple[str, datetime | None], ...]  # 発生 把握 報告 決裁
    clocks: tuple[ClockShown, ...]
    duties: tuple[DutyShown, ...]
    attachments: tuple[AttachmentShown, ...]
    actions: tuple[ActionOffered, ...]
    papers: tuple[PaperOffered, ...]
    diagrams: tuple[tuple[str, str], ...]  # (prefix path in the net, name): the main diagram is ("", name)
    links: tuple[CaseHead, ...]
    can_withdraw: bool
    can_note: bool
    can_merge: bool
    seats: tuple[SeatHeld, ...] = ()  # seats of the viewer that see the case: notes and files are added from one of them
    merge_seats: tuple[SeatHeld, ...] = ()  # seats of the viewer from which it can be merged into another
    referrals: tuple[ReferralShown, ...] = ()
    hops: tuple[HopShown, ...] = ()  # known → reported → passed on
    stopped: tuple[tuple[str, datetime], ...] = ()  # (automatic work that failed and is tried again, since when)
    linked: tuple[CaseLinked, ...] = ()
    by_link: bool = False  # some steps may be done by an outside party through a one-time link


@dataclass(frozen=True)
class FollowUp:
    """The step after this one, when it is the viewer's too by another seat: both are done on one page, and recorded apart."""

    node: str
    step: str
    seat: str
    seat_name: str
    documentation: str
    clauses: tuple[ClauseShown, ...]
    fields: tuple[FieldShown, ...]


@dataclass(frozen=True)
class ReferralShown:
    """A case laid before somebody who does not decide it. `kind`: consultation, circulation, later_review; `state`: open, closed, withdrawn."""

    id: int
    kind: str
    label: str
    case_id: int
    number: str
    title: str
    process_name: str
    task_id: int | None
    step: str
    to_name: str
    asked_by: str
    asked_by_name: str
    asked_seat_name: str
    text: str
    opened_at: datetime
    state: str
    closed_at: datetime | None
    closed_by_name: str
    answer: str
    mine: bool  # the viewer is one of those it is laid before, and it is open
    recallable: bool


@dataclass(frozen=True)
class Why:
    """Why a step is somebody's, or not the viewer's: each line a fact with its rule and its dates."""

    task_id: int
    case_id: int
    step: str
    may: bool
    lines: tuple[tuple[str, str], ...]  # (what, the fact in words)
    people: tuple[tuple[str, str], ...]  # (name, how and since when) of everyone behind the seat today
    mine: tuple[str, ...]  # what the viewer may act as, in sentences
    refused: str  # why the viewer may not; empty when he may


@dataclass(frozen=True)
class BulkResult:
    """What became of one task of an action on several."""

    task_id: int
    number: str
    step: str
    done: bool
    message: str


@dataclass(frozen=True)
class TaskPage:
    """Everything the page of one task shows."""

    row: InboxRow
    case: CaseHead
    case_version: int
    documentation: str
    clauses: tuple[ClauseShown, ...]
    fields: tuple[FieldShown, ...]
    buttons: tuple[Button, ...]
    send_back_targets: tuple[tuple[str, str], ...]
    sent_back_reason: str
    why: str  # why this is mine: seat, since when
    acting_seats: tuple[SeatHeld, ...]  # seats of the viewer from which this can be done; empty = may look, not act
    facts: tuple[FactShown, ...]
    clocks: tuple[ClockShown, ...]
    attachments: tuple[AttachmentShown, ...]
    papers: tuple[PaperOffered, ...]
    timeline: tuple[Event, ...]
    draft_saved_at: datetime | None
    state: str = "open"
    closed_text: str = ""
    extra: Mapping[str, Any] = field(default_factory=dict)
    following: tuple[FollowUp, ...] = ()
    late: bool = False  # a hop past its target: completing asks for the reason
    snoozed_until: datetime | None = None
    can_pull_up: bool = False  # the viewer is a rung above a reviewer who may be passed over (引上げ)
    referrals: tuple[ReferralShown, ...] = ()
    by_link: bool = False  # an outside party may do it through a one-time link


@dataclass(frozen=True)
class StartForm:
    """The form that starts a case of a procedure."""

    process_id: str
    name: str
    documentation: str
    fields: tuple[FieldShown, ...]
    acting_seats: tuple[SeatHeld, ...]
    draft_saved_at: datetime | None
    clauses: tuple[ClauseShown, ...]
    by_link: bool = False  # an outside party may do it through a one-time link
    button: str = "報告する"  # where the diagram has no word of its own


@dataclass(frozen=True)
class NoticeShown:
    """An in-app notice; `asks`: its reader is asked to confirm it."""

    id: int
    text: str
    case_id: int | None
    task_id: int | None
    created_at: datetime
    read_at: datetime | None
    template: str = ""
    acknowledged_at: datetime | None = None
    asks: bool = False
