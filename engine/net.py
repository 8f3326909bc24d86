"""The net: what the token game, the inbox and the checker know of a diagram. Plain frozen data; `engine/parsing.py` makes it from BPMN.

Nodes are numbered level by level, in document order within a level; a level comes before those in it. The numbers are part of the stored
marking of a case, so a stored bundle always yields the same numbers.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import Enum


class Kind(Enum):
    """What a node is; the values are BPMN's element names where there is one."""

    START = "startEvent"
    END = "endEvent"
    CATCH = "intermediateCatchEvent"
    THROW = "intermediateThrowEvent"
    BOUNDARY = "boundaryEvent"
    TASK = "task"
    USER_TASK = "userTask"
    MANUAL_TASK = "manualTask"
    RECEIVE_TASK = "receiveTask"
    SEND_TASK = "sendTask"
    SERVICE_TASK = "serviceTask"
    BUSINESS_RULE_TASK = "businessRuleTask"
    SUB_PROCESS = "subProcess"
    EVENT_SUB_PROCESS = "eventSubProcess"
    CALL_ACTIVITY = "callActivity"
    EXCLUSIVE = "exclusiveGateway"
    PARALLEL = "parallelGateway"
    INCLUSIVE = "inclusiveGateway"
    EVENT_GATEWAY = "eventBasedGateway"


#: Activities: what boundary events may sit on and what may be repeated.
ACTIVITIES = frozenset(
    {
        Kind.TASK,
        Kind.USER_TASK,
        Kind.MANUAL_TASK,
        Kind.RECEIVE_TASK,
        Kind.SEND_TASK,
        Kind.SERVICE_TASK,
        Kind.BUSINESS_RULE_TASK,
        Kind.SUB_PROCESS,
        Kind.CALL_ACTIVITY,
    }
)


def listed(text: str | None) -> tuple[str, ...]:
    """The parts of a comma-separated text; a comma inside brackets or quotes separates nothing: `a=later(b, 3), c="x, y"` has two parts."""
    given = text or ""
    parts = _split(given) if _NESTED.search(given) else given.split(",")
    return tuple(part.strip() for part in parts if part.strip())


_NESTED = re.compile(r"[(\[\"']")


def _split(text: str) -> list[str]:
    parts, depth, quote, begin = [], 0, "", 0
    for place, char in enumerate(text):
        if quote:
            quote = "" if char == quote else quote
        elif char in "\"'":
            quote = char
        elif char == "," and not depth:
            parts.append(text[begin:place])
            begin = place + 1
        elif char in "([":
            depth += 1
        elif char in ")]":
            depth = max(depth - 1, 0)
    return [*parts, text[begin:]]


@dataclass(frozen=True, slots=True)
class Choice:
    """One choice of an enum or set field, or one column of a rows field."""

    value: str
    label: str


@dataclass(frozen=True, slots=True)
class FieldSpec:
    """A declared field of a form."""

    id: str
    label: str
    type: str = "string"
    default: str | None = None
    choices: tuple[Choice, ...] = ()
    constraints: Mapping[str, str] = field(default_factory=dict)
    properties: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Timer:
    """When a timer event is due, without ever reading a clock.

    Attributes:
        kind: "date" (an instant), "duration" (from when the wait opened) or "cycle" (a duration, again and again).
        text: an ISO 8601 literal, or the source of an expression that yields an instant, a duration or an ISO text.
        literal: whether `text` is ISO 8601 rather than an expression.
        repeat: of a cycle, how often it happens; None = without end. `Wait.fired` tells how often it has happened.
        begin: of a cycle written with one (`R/2026-12-01T09:00:00+09:00/P1M`), the instant of its first round; the others keep its beat.
    """

    kind: str
    text: str
    literal: bool
    repeat: int | None = None
    begin: str | None = None


@dataclass(frozen=True, slots=True)
class EventSpec:
    """What an event catches or throws.

    Attributes:
        kind: none, message, signal, timer, error, escalation, conditional, link or terminate.
        name: of a message, signal or link.
        code: of an error or escalation; None catches any.
    """

    kind: str
    name: str = ""
    code: str | None = None
    condition: str | None = None
    timer: Timer | None = None
    interrupting: bool = True


@dataclass(frozen=True, slots=True)
class MultiSpec:
    """How an activity is repeated: once per element of a list, or a number of times. `scope` is the scope of one instance."""

    sequential: bool
    collection: str | None = None
    cardinality: str | None = None
    variable: str | None = None
    completion: str | None = None
    scope: int = -1


@dataclass(frozen=True, slots=True)
class Flow:
    """A sequence flow. `virtual` ones are the ways back of `send_back_to`: only the act `send_back` takes them."""

    index: int
    id: str
    source: int
    target: int
    condition: str | None = None
    name: str = ""
    default: bool = False
    virtual: bool = False


@dataclass(frozen=True, slots=True)
class Node:
    """One element of a diagram, in the place where the net uses it.

    Attributes:
        id: path, e.g. `statutory/report/prepare_final`; element: the bare id in its own diagram.
        source: file of the diagram; process: its process id; prefix: path of the call, "" in the main diagram.
        scope: the scope it lies in; body: the scope it opens (sub-process, event sub-process, call activity).
        incoming, outgoing: flow numbers; boundaries: node numbers; attached: the activity a boundary event sits on.
        targets: of a link throw event, the catch it jumps to; of an event-based gateway, the events it waits for.
    """

    index: int
    id: str
    element: str
    kind: Kind
    name: str
    scope: int
    source: str = ""
    process: str = ""
    prefix: str = ""
    documentation: str = ""
    lane: str = ""
    candidate_groups: tuple[str, ...] = ()
    assignee: str | None = None
    form: tuple[FieldSpec, ...] = ()
    properties: Mapping[str, str] = field(default_factory=dict)
    topic: str | None = None
    expression: str | None = None
    decision: str | None = None
    event: EventSpec | None = None
    multi: MultiSpec | None = None
    called: str | None = None
    body: int | None = None
    attached: int | None = None
    boundaries: tuple[int, ...] = ()
    incoming: tuple[int, ...] = ()
    outgoing: tuple[int, ...] = ()
    send_backs: tuple[int, ...] = ()
    targets: tuple[int, ...] = ()

    def listed(self, name: str) -> tuple[str, ...]:
        """The parts of a comma-separated property; () when it is absent."""
        return listed(self.properties.get(name))

    @property
    def by_link(self) -> bool:
        """Whether an outside party may do it through a one-time link, on behalf of its seat."""
        return "by_link" in self.properties

    @property
    def waits(self) -> bool:
        """Whether a token rests here until an act or an event (a task, a catch event, an event-based gateway)."""
        return self.kind in (Kind.USER_TASK, Kind.MANUAL_TASK, Kind.RECEIVE_TASK, Kind.CATCH, Kind.EVENT_GATEWAY)

    @property
    def decides(self) -> bool:
        """Whether completing it decides the case: property `decision`, or the final decision that a 代決者 may take (`final`)."""
        return "true" in (self.properties.get("decision"), self.properties.get("final"))


@dataclass(frozen=True, slots=True)
class Scope:
    """What a frame runs: the process, a sub-process, an event sub-process, a called process, or one instance of a repeated activity.

    Attributes:
        kind: "process", "sub", "event", "call" or "multi".
        owner: the node that opens it; None for the process.
        starts: start events; event_starts: start event of each event sub-process that is armed while a frame of this scope lives.
        joins: inclusive gateways with several incoming flows, in document order.
    """

    index: int
    kind: str
    parent: int | None
    owner: int | None
    starts: tuple[int, ...] = ()
    event_starts: tuple[int, ...] = ()
    joins: tuple[int, ...] = ()


@dataclass(frozen=True, slots=True)
class Diagram:
    """One diagram of the bundle as it is used: the main one has prefix "", a called one the path of its call."""

    prefix: str
    process_id: str
    name: str
    source: str


@dataclass(frozen=True)
class Net:
    """A compiled version of a procedure.

    Attributes:
        properties: `camunda:properties` of the main process (`withdraw`, `numbering`).
        reach: per inclusive join (node number), per incoming flow: (flow, bit set of node numbers from which it can still be reached
            by sequence flow without passing the join; boundary events count as exits of their activity, links as flows).
        conditional: whether any conditional event exists, so that its absence costs nothing.
    """

    process_id: str
    name: str
    documentation: str
    properties: Mapping[str, str]
    nodes: tuple[Node, ...]
    flows: tuple[Flow, ...]
    scopes: tuple[Scope, ...]
    diagrams: tuple[Diagram, ...]
    reach: Mapping[int, tuple[tuple[int, int], ...]]
    by_id: Mapping[str, Node]
    conditional: bool

    def node(self, node_id: str) -> Node:
        """The node with this id path; KeyError when there is none."""
        return self.by_id[node_id]

    @property
    def starts(self) -> tuple[Node, ...]:
        """The start events of the process."""
        return tuple(self.nodes[index] for index in self.scopes[0].starts)

    @property
    def timed_starts(self) -> tuple[Node, ...]:
        """The start events of the process that time brings about."""
        return tuple(node for node in self.starts if node.event is not None and node.event.kind == "timer")

    @property
    def start(self) -> Node:
        """The plain start event, or the first one when the process only starts by an event."""
        plain = [node for node in self.starts if node.event is None or node.event.kind == "none"]
        return (plain or list(self.starts))[0]

    def outcome_name(self, outcome: str | None) -> str:
        """What a person reads about how a case ended: the end event's name; an outcome of no end event is shown as it is."""
        if outcome is None:
            return ""
        node = self.by_id.get(outcome)
        return (node.name or node.element) if node else outcome


_DURATION = re.compile(r"P(?=[0-9T])(?:\d+Y)?(?:\d+M)?(?:\d+W)?(?:\d+D)?(?:T(?=\d)(?:\d+H)?(?:\d+M)?(?:\d+S)?)?", re.ASCII)
_INSTANT = re.compile(r"\d{4}-\d{2}-\d{2}(?:T\d{2}:\d{2}(?::\d{2})?(?:Z|[+-]\d{2}:\d{2}))?", re.ASCII)
_CYCLE = re.compile(r"R(\d*)/(.+)", re.ASCII)


def read_timer(kind: str, text: str) -> Timer:
    """The timer that a `timeDate`, `timeDuration` or `timeCycle` text means.

    Raises:
        ValueError: it looks like ISO 8601 and is not a duration or instant that can be due: empty, zero, negative, fractional, or a
            date without its zone's offset beside a time.
    """
    text = text.strip()
    if kind == "cycle":
        match = _CYCLE.fullmatch(text)
        if match:
            repeat = int(match[1]) if match[1] else None
            begin, _, period = match[2].rpartition("/")
            if repeat == 0 or not _is_duration(period) or ("/" in match[2] and not _INSTANT.fullmatch(begin)):
                raise ValueError(text)
            if begin:
                datetime.fromisoformat(begin)
            return Timer("cycle", period, True, repeat, begin or None)
    elif kind == "duration" and _is_duration(text):
        return Timer("duration", text, True)
    elif kind == "date" and _INSTANT.fullmatch(text):
        return Timer("date", text, True)
    # Full-width digits are a slip of the hand, not a name.
    if not text or re.fullmatch(r"[-+]?[PR][0-9T/.,PYMWDHS-]*|[-+]?\d[-\d:T.,+Z/]*", unicodedata.normalize("NFKC", text)):
        raise ValueError(text)
    return Timer(kind, text, False)


def _is_duration(text: str) -> bool:
    numbers = [int(number) for number in re.findall(r"\d+", text)]
    return _DURATION.fullmatch(text) is not None and any(numbers) and max(numbers) <= 100_000
