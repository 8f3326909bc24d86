"""What the pages of the sandbox read: a run as it stands, what may be done in it, what scenarios reach."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from engine.views import ActionOffered, CaseHead, ClockShown, Event, FactShown, Foretold, StartForm, TaskPage


@dataclass(frozen=True)
class Played:
    """What is played: `kind` is versions or drafts, `number` its id; `title` says which version or draft."""

    kind: str
    number: int
    process_id: str
    name: str
    title: str


@dataclass(frozen=True)
class Waiting:
    """A step that waits, and whose it is. `of` names the procedure when it belongs to a case that the played one has begun."""

    task_id: int
    node: str
    step: str
    seat: str
    seat_name: str
    opened_at: datetime
    due_at: datetime | None
    statutory: bool
    overdue: bool
    of: str = ""


@dataclass(frozen=True)
class ActionWaiting:
    """An action that is offered now, with the seats that may do it."""

    name: str
    label: str
    seats: tuple[tuple[str, str], ...]


@dataclass(frozen=True)
class TimerWaiting:
    """A timer that runs, by the id of its element in the net."""

    node: str
    name: str
    due_at: datetime


@dataclass(frozen=True)
class PlayPage:
    """A run as it stands.

    Attributes:
        length: how many acts it has; who acts sends it back, so that nobody plays on unseen.
        stopped: why the act after `length` cannot be done any more (the diagram has changed); the acts from there on are left out.
        stands: where the case is, in a sentence.
        seat: who the person at the screen is; seats: everybody he may be.
        next_due: when something happens by itself.
        diagrams: (path, name) of the diagram and of those it calls; state: element id -> as `Engine.diagram_state` tells, flows included.
    """

    played: Played
    at: datetime
    starts: datetime
    length: int
    stopped: str
    stands: str
    head: CaseHead | None
    seat: str
    seat_name: str
    seats: tuple[tuple[str, str], ...]
    waiting: tuple[Waiting, ...] = ()
    actions: tuple[ActionWaiting, ...] = ()
    timers: tuple[TimerWaiting, ...] = ()
    next_due: datetime | None = None
    told: tuple[Foretold, ...] = ()
    facts: tuple[FactShown, ...] = ()
    clocks: tuple[ClockShown, ...] = ()
    timeline: tuple[Event, ...] = ()
    diagrams: tuple[tuple[str, str], ...] = ()
    path: str = ""
    state: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    start: StartForm | None = None
    task: TaskPage | None = None
    action: ActionOffered | None = None


@dataclass(frozen=True)
class Reached:
    """An element or a flow of a diagram, and how often scenarios pass it. `kind` is BPMN's element name."""

    element: str
    name: str
    kind: str
    process: str
    times: int


@dataclass(frozen=True)
class ClauseReached:
    """A clause that steps of the procedure are done under, and whether a scenario has done one of them; `elements`: (process, element)."""

    id: str
    citation: str
    reached: bool
    elements: tuple[tuple[str, str], ...]


@dataclass(frozen=True)
class Coverage:
    """What is passed of a procedure with everything it calls; a diagram called from several places counts once.

    Attributes:
        diagrams: (process id, name, file) of each.
    """

    process_id: str
    name: str
    diagrams: tuple[tuple[str, str, str], ...]
    elements: tuple[Reached, ...]
    flows: tuple[Reached, ...]
    clauses: tuple[ClauseReached, ...]

    @property
    def missed(self) -> tuple[Reached, ...]:
        """The elements that no scenario reaches."""
        return tuple(one for one in self.elements if not one.times)

    @property
    def missed_flows(self) -> tuple[Reached, ...]:
        """The flows that no scenario takes."""
        return tuple(one for one in self.flows if not one.times)

    @property
    def missed_clauses(self) -> tuple[ClauseReached, ...]:
        """The clauses under which no scenario does anything."""
        return tuple(one for one in self.clauses if not one.reached)

    @property
    def percent(self) -> tuple[float, float, float]:
        """Of elements, flows and clauses; what there is none of is reached."""
        return (
            _share(len(self.elements), len(self.missed)),
            _share(len(self.flows), len(self.missed_flows)),
            _share(len(self.clauses), len(self.missed_clauses)),
        )


@dataclass(frozen=True)
class ScenarioPlayed:
    """What became of one scenario: where the case stands at its end, or why it failed."""

    name: str
    title: str
    process_id: str
    passed: bool
    text: str
    seconds: float


@dataclass(frozen=True)
class ScenariosPlayed:
    """All scenarios of a procedure, and what they reach; `beside` names those that lie beside the draft itself."""

    played: Played
    results: tuple[ScenarioPlayed, ...]
    coverage: Coverage
    beside: frozenset[str] = frozenset()


def _share(all: int, missed: int) -> float:
    return 100.0 if not all else 100.0 * (all - missed) / all
