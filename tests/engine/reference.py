"""BPMN 2.0.2 a second time: a slow, small reading of chapter 13 of the standard, which the token game must agree with.

It shares no code with the engine. It reads the raw XML, keeps what runs as a tree of scopes, lets tokens lie on sequence flows, and again
and again looks for the one thing that may happen next and lets it happen (`Reading.step`). Sections are those of OMG formal/2013-12-09.
"Policy" marks what the standard leaves open and engine/tokens.py decides; every policy is meant to be readable here as one line of code.

Conditions are a fact's name, or a name `>=` a number. Services are `set:FACT`, `clear:FACT`, `fail:CODE` (an error of the diagram) and
`broken` (any other failure); both failures stop once the fact `works` is true.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from lxml import etree

BPMN = "{http://www.omg.org/spec/BPMN/20100524/MODEL}"
CAMUNDA = "{http://camunda.org/schema/1.0/bpmn}"
FOR_PEOPLE = {"userTask", "manualTask", "receiveTask"}
FOR_MACHINES = {"serviceTask", "sendTask", "businessRuleTask"}
ACTIVITIES = FOR_PEOPLE | FOR_MACHINES | {"task", "subProcess", "callActivity"}
NODES = ACTIVITIES | {
    "startEvent", "endEvent", "intermediateCatchEvent", "intermediateThrowEvent", "boundaryEvent",
    "exclusiveGateway", "parallelGateway", "inclusiveGateway", "eventBasedGateway",
}  # fmt: skip
#: Events that come from outside; errors and escalations travel inside (10.5.1).
FROM_OUTSIDE = {"timer", "message", "signal", "conditional"}
STEPS = 400


class Refused(Exception):
    """The act cannot happen: nothing waits for it, a decision has no way out (13.4.2), or it would not come to rest."""


# --- the drawing ------------------------------------------------------------------------------------------------------------------------


@dataclass(eq=False)
class Event:
    """What an event catches or throws. `name`: of the message, signal or link, the code, or the condition. `times`: of a timer; None = for ever."""

    kind: str
    name: str | None = None
    times: int | None = 1
    interrupting: bool = True


@dataclass(eq=False)
class Flow:
    """A sequence flow."""

    id: str
    target: Part
    condition: str | None
    default: bool


@dataclass(eq=False)
class Repeat:
    """Multi-instance characteristics (13.3.7)."""

    sequential: bool
    count: str
    listed: bool
    variable: str | None
    until: str | None


@dataclass(eq=False)
class Part:
    """One element of a level. `place` is its position in the document."""

    id: str
    tag: str
    place: int
    event: Event | None
    level: Level
    topic: str = ""
    send_back_to: tuple[str, ...] = ()
    calls: str = ""
    repeat: Repeat | None = None
    inside: Level | None = None
    arriving: list[Flow] = field(default_factory=list)
    leaving: list[Flow] = field(default_factory=list)
    boundaries: list[Part] = field(default_factory=list)
    partner: Part | None = None

    @property
    def joins(self) -> bool:
        """Whether arriving tokens wait for each other."""
        return self.tag in ("parallelGateway", "inclusiveGateway") and len(self.arriving) > 1

    @property
    def throws(self) -> bool:
        """Whether a message or signal goes out from here."""
        outward = self.tag in ("intermediateThrowEvent", "endEvent", "sendTask")
        return outward and self.event is not None and self.event.kind in ("message", "signal")


class Level:
    """A process or sub-process: its elements in document order."""

    def __init__(self, container: Any, names: Mapping[str, str], places: Mapping[Any, int], owner: Part | None = None) -> None:
        self.owner = owner
        self.parts: dict[str, Part] = {}
        self.event_subs: list[Part] = []
        for element in container:
            tag = element.tag.removeprefix(BPMN)
            if tag in NODES:
                self.parts[element.get("id")] = self.part(element, tag, names, places)
        for element in container.iterchildren(BPMN + "sequenceFlow"):
            source, target = self.parts[element.get("sourceRef")], self.parts[element.get("targetRef")]
            condition = element.findtext(BPMN + "conditionExpression")
            origin = next(item for item in container if item.get("id") == source.id)
            flow = Flow(element.get("id"), target, condition, origin.get("default") == element.get("id"))
            source.leaving.append(flow)
            target.arriving.append(flow)
        for element in container:
            if element.get("attachedToRef"):
                self.parts[element.get("attachedToRef")].boundaries.append(self.parts[element.get("id")])
        caught = {part.event.name: part for part in self.of("intermediateCatchEvent") if part.event and part.event.kind == "link"}
        for part in self.of("intermediateThrowEvent"):
            if part.event and part.event.kind == "link":
                part.partner = caught[part.event.name]

    def of(self, tag: str) -> list[Part]:
        """The elements of one kind."""
        return [part for part in self.parts.values() if part.tag == tag]

    def part(self, element: Any, tag: str, names: Mapping[str, str], places: Mapping[Any, int]) -> Part:
        """Read one element with what lies in it."""
        part = Part(element.get("id"), tag, places[element], _event(element, names), self)
        holders = [element, *(child for child in element if child.tag.endswith("EventDefinition"))]
        part.topic = next((holder.get(CAMUNDA + "topic") for holder in holders if holder.get(CAMUNDA + "topic")), "")
        part.calls = element.get("calledElement") or ""
        back = [item.get("value") for item in element.iter(CAMUNDA + "property") if item.get("name") == "send_back_to"]
        part.send_back_to = tuple(name.strip() for name in back[0].split(",")) if tag == "userTask" and back else ()
        loop = element.find(BPMN + "multiInstanceLoopCharacteristics")
        if loop is not None:
            listed = loop.get(CAMUNDA + "collection")
            count = listed or loop.findtext(BPMN + "loopCardinality")
            until = loop.findtext(BPMN + "completionCondition")
            part.repeat = Repeat(loop.get("isSequential") == "true", count, bool(listed), loop.get(CAMUNDA + "elementVariable"), until)
        if tag == "subProcess":
            part.inside = Level(element, names, places, part)
            if element.get("triggeredByEvent") == "true":
                self.event_subs.append(part)
        return part


def _event(element: Any, names: Mapping[str, str]) -> Event | None:
    interrupting = "false" not in (element.get("cancelActivity"), element.get("isInterrupting"))
    if element.tag in (BPMN + "receiveTask", BPMN + "sendTask") and element.get("messageRef"):
        return Event("message", names[element.get("messageRef")])
    for child in element:
        kind = child.tag.removeprefix(BPMN).removesuffix("EventDefinition")
        if child.tag.endswith("EventDefinition"):
            references = [names.get(child.get(kind + "Ref"), ""), child.get("name"), child.findtext(BPMN + "condition")]
            cycle = re.match(r"R(\d*)/", child.findtext(BPMN + "timeCycle") or "R1/")
            times = int(cycle[1]) if cycle and cycle[1] else None
            return Event(kind, next((name for name in references if name), None), times, interrupting)
    return None


def read(files: Mapping[str, bytes]) -> dict[str, Level]:
    """Every process of the files, by id."""
    levels = {}
    for data in files.values():
        root = etree.fromstring(data)
        declared = [child for child in root if child.tag.removeprefix(BPMN) in ("message", "signal", "error", "escalation")]
        names = {item.get("id"): item.get("name") or item.get("errorCode") or item.get("escalationCode") for item in declared}
        places = {element: place for place, element in enumerate(root.iter())}
        for process in root.iterchildren(BPMN + "process"):
            levels[process.get("id")] = Level(process, names, places)
    return levels


# --- what runs --------------------------------------------------------------------------------------------------------------------------


@dataclass(eq=False)
class Token:
    """Lies before an element: on a flow, or on none at a start event and behind a link."""

    age: int
    before: Part
    flow: Flow | None


@dataclass(eq=False)
class Armed:
    """A boundary event or the start of an event sub-process that may happen."""

    part: Part
    fired: int = 0
    seen: bool = False


@dataclass(eq=False)
class Work:
    """An activity, catch event or throw event that a token is in."""

    age: int
    scope: Scope
    part: Part
    armed: list[Armed] = field(default_factory=list)
    inner: list[Scope] = field(default_factory=list)
    items: list[Any] | None = None  # of a repeated activity as a whole
    started: int = 0
    done: int = 0
    failed: bool = False
    gone: bool = False


@dataclass(eq=False)
class Scope:
    """A running level, or ("instance") one round of a repeated activity. `start`: the event that opened an event sub-process; `levels`: places
    of the elements that its level lies in; `path`: ids of the calls that lead to it."""

    age: int
    kind: str
    level: Level | None
    parent: Scope | None = None
    owner: Work | None = None
    start: Part | None = None
    path: str = ""
    levels: tuple[int, ...] = ()
    local: Mapping[str, Any] = field(default_factory=dict)
    armed: list[Armed] = field(default_factory=list)
    tokens: list[Token] = field(default_factory=list)
    works: list[Work] = field(default_factory=list)
    handlers: list[Scope] = field(default_factory=list)
    gone: bool = False


@dataclass(eq=False)
class Wait:
    """Something the outside can move."""

    kind: str
    holder: Work | Scope
    part: Part
    armed: Armed | None = None

    @property
    def scope(self) -> Scope:
        """Where it lies."""
        return self.holder.scope if isinstance(self.holder, Work) else self.holder

    @property
    def id(self) -> str:
        """The element's id with the calls that lead to it."""
        return self.scope.path + self.part.id

    @property
    def fired(self) -> int:
        """How often a timer has happened."""
        return self.armed.fired if self.armed and self.kind == "timer" else 0


class Reading:
    """One case. `trace` and `ran` tell of the last act; `happened` counts which rules have ever been used."""

    def __init__(self, files: Mapping[str, bytes], process: str, facts: dict[str, Any]) -> None:
        self.levels, self.process, self.facts = read(files), process, facts
        self.root: Scope | None = None
        self.outcome: str | None = None
        self.last_end = ""
        self.trace: list[tuple[str, str]] = []
        self.ran: list[str] = []
        self.happened: Counter[str] = Counter()
        self.ages = 0
        self.known: dict[tuple[Part, Part], set[Flow]] = {}

    # Acts.

    def begin(self, event: str | None = None) -> None:
        """Start the case (13.2): by the plain start event, or by the message, signal or element named."""
        starts = self.levels[self.process].of("startEvent")
        if event is not None:
            starts = [start for start in starts if event in (start.id, start.event.name if start.event else None)]
            if not starts:
                raise Refused(event)
        start = next((start for start in starts if start.event is None), starts[0])
        self.root = self.open("process", start)
        self.settle()

    def complete(self, wait: Wait) -> None:
        """A person has done a task."""
        assert isinstance(wait.holder, Work)
        self.leave(wait.holder)
        self.settle()

    def send_back(self, wait: Wait, target: str) -> None:
        """Policy: the token goes to the step named; nothing else is touched."""
        assert isinstance(wait.holder, Work)
        self.remove(wait.holder)
        self.note(wait.scope, wait.part, "left")
        self.put(wait.scope, wait.part.level.parts[target])
        self.happened["sent back"] += 1
        self.settle()

    def fire(self, wait: Wait) -> None:
        """Something that waits happens: a timer, or a message or signal for this catcher alone."""
        self.happen(wait)
        self.settle()

    def deliver(self, kind: str, name: str) -> None:
        """A message or signal comes from outside."""
        if not self.hear(kind, name) and kind == "message":
            raise Refused(name)
        self.settle()

    def retry(self, wait: Wait) -> None:
        """Try failed work again."""
        assert isinstance(wait.holder, Work)
        (self.throw_now if wait.part.tag not in ACTIVITIES else self.carry_out)(wait.holder)
        self.settle()

    def settle(self) -> None:
        """Let things happen until nothing can."""
        for _ in range(STEPS):
            if self.outcome is not None or not self.step():
                return
        raise Refused("endless")

    def step(self) -> bool:
        """Policy: the order of one act."""
        return self.move() or self.look() or self.join() or self.close()

    # What there is.

    def scopes(self) -> Iterator[Scope]:
        """Every running scope, each before those in it."""
        todo = [self.root] if self.root else []
        while todo:
            scope = todo.pop()
            yield scope
            todo += scope.handlers + [inner for work in scope.works for inner in work.inner]

    def waits(self) -> list[Wait]:
        """Everything the outside can move: tasks and catch events by age, each before its boundary events; then event sub-processes."""
        found = []
        for work in sorted((work for scope in self.scopes() for work in scope.works), key=lambda work: work.age):
            part = work.part
            if part.tag == "eventBasedGateway":
                found += [Wait(_kind(flow.target), work, flow.target) for flow in part.leaving]
            elif work.failed:
                found.append(Wait("service", work, part))
            elif part.tag == "intermediateCatchEvent" or (part.tag in FOR_PEOPLE and work.items is None):
                found.append(Wait(_kind(part), work, part))
            found += [Wait(_kind(armed.part), work, armed.part, armed) for armed in work.armed]
        for scope in sorted(self.scopes(), key=lambda scope: scope.age):
            found += [Wait(_kind(armed.part), scope, armed.part, armed) for armed in scope.armed]
        return [wait for wait in found if wait.kind not in ("error", "escalation")]

    def standing(self) -> Counter[str]:
        """Tokens that lie on flows while nothing moves: those at joins."""
        return Counter(scope.path + token.flow.id for scope in self.scopes() for token in scope.tokens if token.flow)

    def local(self, scope: Scope | None) -> dict[str, Any]:
        """Names of the repeated activities around, inner ones covering outer ones."""
        return {**self.local(scope.parent), **scope.local} if scope else {}

    def value(self, text: str, scope: Scope, more: Mapping[str, Any] | None = None) -> Any:
        """What a condition, list or number is."""
        match = re.fullmatch(r"\s*(\w+)\s*(?:>=\s*(\d+))?\s*", text)
        assert match, text
        if match[1].isdecimal():
            return int(match[1])
        value = {**self.facts, **self.local(scope), **(more or {})}.get(match[1])
        return value >= int(match[2]) if match[2] else value

    def note(self, scope: Scope, part: Part, what: str) -> None:
        """A line of the trace."""
        self.trace.append((scope.path + part.id, what))

    # Tokens on flows (13.3.1).

    def age(self) -> int:
        self.ages += 1
        return self.ages

    def put(self, scope: Scope, before: Part, flow: Flow | None = None) -> None:
        scope.tokens.append(Token(self.age(), before, flow))

    def take(self, scope: Scope, part: Part, flows: list[Flow]) -> None:
        """Tokens lie on these flows now."""
        if not flows and part.leaving:
            raise Refused(part.id)
        for flow in flows:
            self.put(scope, flow.target, flow)

    def true(self, scope: Scope, part: Part) -> list[Flow]:
        """The flows without condition or with a true one; if there is none, the default."""
        open_ways = [flow for flow in part.leaving if not flow.default]
        ways = [flow for flow in open_ways if flow.condition is None or self.value(flow.condition, scope) is True]
        return ways or [flow for flow in part.leaving if flow.default]

    def pass_by(self, scope: Scope, part: Part) -> None:
        """An element that only lets through."""
        self.note(scope, part, "entered")
        self.note(scope, part, "left")
        self.take(scope, part, self.true(scope, part))

    def move(self) -> bool:
        """Policy: the oldest token goes first, what throws a message or signal last. A parallel join (13.4.1) has its turn with the last
        token that it needs: one on each incoming flow."""
        ready: list[tuple[bool, int, Scope, Part, list[Token]]] = []
        for scope in self.scopes():
            at_joins: dict[Part, list[Token]] = {}
            for token in scope.tokens:
                if not token.before.joins:
                    ready.append((token.before.throws, token.age, scope, token.before, [token]))
                elif token.before.tag == "parallelGateway":
                    at_joins.setdefault(token.before, []).append(token)
            for join, tokens in at_joins.items():
                oldest = [next((token for token in tokens if token.flow is flow), None) for flow in join.arriving]
                needed = [token for token in oldest if token]
                if len(needed) == len(oldest):
                    ready.append((False, max(token.age for token in needed), scope, join, needed))
        if not ready:
            return False
        _, _, scope, part, tokens = min(ready, key=lambda turn: turn[:2])
        scope.tokens = [token for token in scope.tokens if token not in tokens]
        self.happened["parallel join"] += len(tokens) > 1
        self.enter(scope, part)
        return True

    def enter(self, scope: Scope, part: Part) -> None:
        """A token comes into an element."""
        link = part.event is not None and part.event.kind == "link"
        if part.tag in ACTIVITIES:
            self.activity(scope, part)
        elif part.tag in ("endEvent", "intermediateThrowEvent"):
            self.throw(scope, part)
        elif part.tag == "eventBasedGateway" or (part.tag == "intermediateCatchEvent" and not link):
            self.note(scope, part, "entered")
            self.work(scope, part)
        elif part.tag == "exclusiveGateway":  # the first true condition in order, else the default (13.4.2)
            self.note(scope, part, "entered")
            self.note(scope, part, "left")
            self.take(scope, part, self.true(scope, part)[:1])
        else:
            self.pass_by(scope, part)

    def join(self) -> bool:
        """An inclusive join (13.4.3). Policy: one at a time, once nothing moves; a level before those in it, in document order within it."""
        ready = []
        for scope in self.scopes():
            for join in dict.fromkeys(token.before for token in scope.tokens if token.before.tag == "inclusiveGateway"):
                if self.held(scope, join):
                    self.happened["inclusive join held"] += 1
                else:
                    ready.append(((scope.levels, join.place), scope.age, scope, join))
        if not ready:
            return False
        _, _, scope, join = min(ready, key=lambda turn: turn[:2])
        taken = {flow: token for token in reversed(scope.tokens) if (flow := token.flow) and token.before is join}
        scope.tokens = [token for token in scope.tokens if token not in taken.values()]
        self.happened["inclusive join"] += 1
        self.happened["inclusive join of several"] += len(taken) > 1
        self.pass_by(scope, join)
        return True

    def held(self, scope: Scope, join: Part) -> bool:
        """Whether some token can still come by an empty flow of the join and can not come by one that has a token."""
        full = {token.flow for token in scope.tokens if token.before is join}
        places = [work.part for work in scope.works] + [token.before for token in scope.tokens if token.before is not join]
        return any((ways := self.ways(place, join)) and not ways & full for place in places)

    def ways(self, place: Part, join: Part) -> set[Flow]:
        """The incoming flows of the join that paths from here end with, without visiting the join. Policy: links are flows, and boundary
        events are exits of their activity."""
        if (place, join) not in self.known:
            found, seen, todo = set(), {join}, [place]
            while todo:
                part = todo.pop()
                if part not in seen:
                    seen.add(part)
                    found |= {flow for flow in part.leaving if flow.target is join}
                    todo += [flow.target for flow in part.leaving] + part.boundaries + ([part.partner] if part.partner else [])
            self.known[place, join] = found
        return self.known[place, join]

    # Activities (13.3.2 to 13.3.4).

    def work(self, scope: Scope, part: Part) -> Work:
        work = Work(self.age(), scope, part)
        scope.works.append(work)
        return work

    def activity(self, scope: Scope, part: Part) -> None:
        """Enter an activity; its boundary events are armed from now on."""
        if scope.kind == "instance":
            self.perform(self.work(scope, part))
            return
        self.note(scope, part, "entered")
        work = self.work(scope, part)
        work.armed = [Armed(boundary) for boundary in part.boundaries]
        if part.repeat:
            self.repeat(work, part.repeat)
        else:
            self.perform(work)

    def perform(self, work: Work) -> None:
        """Do it once."""
        part, scope = work.part, work.scope
        if part.inside:
            self.open("sub", _plain(part.inside), scope, work)
        elif part.calls:
            self.open("call", _plain(self.levels[part.calls]), scope, work)
        elif part.tag not in FOR_PEOPLE:
            self.carry_out(work)

    def carry_out(self, work: Work) -> None:
        """A task for a machine."""
        if work.part.tag in FOR_MACHINES and not self.serve(work):
            return
        if work.part.tag == "sendTask" and work.part.event and not work.gone:
            self.hear("message", work.part.event.name)
        if not work.gone:
            self.leave(work)

    def serve(self, work: Work) -> bool:
        """Run the service. Policy: an error it names is searched for from the task outward; any other failure is for an event that
        catches every error, and when nobody does the token stays here."""
        loops = [scope.local["loop_index"] for scope in _outward(work.scope) if "loop_index" in scope.local]
        self.ran.append(work.scope.path + work.part.id + "".join(f"[{loop}]" for loop in loops[:1]))
        what, _, name = work.part.topic.partition(":")
        work.failed = False
        if what in ("set", "clear"):
            self.facts[name] = what == "set"
        elif what == "fail" and not self.facts.get("works"):
            self.happened["service error"] += 1
            self.fail(name, work.scope, work)
        elif what == "broken" and not self.facts.get("works"):
            self.happened["service failure"] += 1
            caught = self.propagate("error", None, work.scope, work)
            self.happened["service failure caught"] += caught
            work.failed = not caught
        return not work.failed

    def leave(self, work: Work) -> None:
        """It is done: boundary events are disarmed, its flows taken. One instance of a repeated one just ends."""
        self.remove(work)
        if work.scope.kind != "instance":
            self.note(work.scope, work.part, "left")
            self.take(work.scope, work.part, self.true(work.scope, work.part))

    def remove(self, work: Work) -> None:
        work.scope.works.remove(work)
        work.gone = True

    # Multiple instances (13.3.7).

    def repeat(self, work: Work, how: Repeat) -> None:
        """Policy: the list is read once, at the beginning; none means it is passed."""
        value = self.value(how.count, work.scope)
        work.items = list(value or ()) if how.listed else [None] * value
        if not work.items:
            self.leave(work)
        for _ in work.items[:1] if how.sequential else work.items:
            self.instance(work, how)

    def instance(self, work: Work, how: Repeat) -> None:
        """Begin the next instance, in a scope of its own."""
        assert work.items is not None
        local = {"loop_index": work.started}
        if how.listed and how.variable:
            local[how.variable] = work.items[work.started]
        work.started += 1
        scope = Scope(self.age(), "instance", None, work.scope, work, path=work.scope.path, levels=work.scope.levels, local=local)
        work.inner.append(scope)
        self.put(scope, work.part)

    def instance_done(self, work: Work, local: Mapping[str, Any]) -> None:
        """Policy: the completion condition is read after each instance and sees its locals and the counters."""
        how = work.part.repeat
        assert how
        assert work.items is not None
        work.done += 1
        enough = work.done == len(work.items)
        if not enough and how.until:
            counts = {"Instances": len(work.items), "CompletedInstances": work.done, "ActiveInstances": work.started - work.done}
            counters = {head + name: count for name, count in counts.items() for head in ("nrOf", "numberOf")}
            enough = self.value(how.until, work.scope, {**local, **counters}) is True
            self.happened["instances cut short"] += enough
        if enough:
            self.happened["instances done"] += 1
            self.cancel_inside(work)
            self.leave(work)
        elif how.sequential:
            self.instance(work, how)

    # Scopes: begin, end (13.3.4, 13.5.6), cancel.

    def open(self, kind: str, start: Part, parent: Scope | None = None, owner: Work | None = None) -> Scope:
        """A process, sub-process, called process or event sub-process begins at its start event, its own event sub-processes armed."""
        level = start.level
        scope = Scope(self.age(), kind, level, parent, owner, start if kind == "event" else None)
        if parent:
            around = owner.part if owner else level.owner
            assert around
            scope.path = parent.path + (f"{around.id}/" if kind == "call" else "")
            scope.levels = (*parent.levels, around.place)
            (owner.inner if owner else parent.handlers).append(scope)
        scope.armed = [Armed(item.inside.of("startEvent")[0]) for item in level.event_subs if item.inside]
        self.put(scope, start)
        return scope

    def close(self) -> bool:
        """A scope with no token left in it has ended. Policy: one at a time, the youngest first (an inner one is always younger)."""
        empty = [scope for scope in self.scopes() if not scope.tokens and not scope.works and not scope.handlers]
        if not empty:
            return False
        scope = max(empty, key=lambda item: item.age)
        scope.gone = True
        if scope.owner:
            scope.owner.inner.remove(scope)
            if scope.kind == "instance":
                self.instance_done(scope.owner, scope.local)
            else:
                self.happened[f"{scope.kind} ended"] += 1
                self.leave(scope.owner)
        elif scope.parent:
            scope.parent.handlers.remove(scope)
            assert scope.level
            assert scope.level.owner
            self.note(scope, scope.level.owner, "left")
        else:
            self.outcome = self.last_end
            self.root = None
        return True

    def empty(self, scope: Scope) -> None:
        """Whatever runs in the scope is cancelled, tokens on their way too."""
        self.happened["moving token cancelled"] += any(not token.before.joins for token in scope.tokens)
        for handler in scope.handlers:
            self.drop(handler)
        for work in list(scope.works):
            self.cancel(work)
        scope.handlers, scope.tokens = [], []

    def drop(self, scope: Scope) -> None:
        self.empty(scope)
        scope.gone = True

    def cancel(self, work: Work) -> None:
        """One activity is cancelled with everything in it; instances of a repeated one are told of once, by the whole."""
        self.cancel_inside(work)
        self.remove(work)
        if work.scope.kind != "instance":
            self.note(work.scope, work.part, "cancelled")

    def cancel_inside(self, work: Work) -> None:
        for scope in work.inner:
            self.drop(scope)
        work.inner = []

    # Throwing (13.5.2, 13.5.6).

    def throw(self, scope: Scope, part: Part) -> None:
        """An intermediate throw or end event; a link jumps to its partner."""
        self.note(scope, part, "entered")
        if part.partner:
            self.happened["link"] += 1
            self.note(scope, part, "left")
            self.put(scope, part.partner)
        else:
            self.throw_now(self.work(scope, part))

    def throw_now(self, work: Work) -> None:
        """Policy: what is interrupted by its own throw does not go on."""
        part, scope = work.part, work.scope
        kind, name = (part.event.kind, part.event.name) if part.event else ("none", None)
        if kind == "message" and part.topic and not self.serve(work):
            return
        if kind in ("message", "signal") and not work.gone:
            self.happened[f"{kind} thrown and heard"] += self.hear(kind, name)
        elif kind == "escalation":
            self.happened["escalation caught" if self.propagate(kind, name, scope) else "escalation dropped"] += 1
        elif kind == "error":
            self.remove(work)
            self.note(scope, part, "left")
            self.fail(name or "", scope)
        if work.gone:
            self.happened["interrupted by its own throw"] += kind not in ("error", "none", "terminate")
            return
        self.remove(work)
        self.note(scope, part, "left")
        if part.tag != "endEvent":
            self.take(scope, part, self.true(scope, part))
            return
        in_root = scope.parent is None
        if in_root or (scope.start and scope.start.event and scope.start.event.interrupting and scope.parent is self.root):
            self.last_end = scope.path + part.id
        if kind == "terminate":
            self.happened["terminate"] += 1
            self.empty(scope)
            scope.armed = []

    def hear(self, kind: str, name: str | None) -> bool:
        """A signal is heard by all that are armed at this moment, a message by the first of them (10.5.1)."""
        catchers = [wait for wait in self.waits() if wait.kind == kind and wait.part.event and wait.part.event.name == name]
        self.happened[f"{kind} with several catchers"] += len(catchers) > 1
        for wait in catchers[:1] if kind == "message" else catchers:
            if self.still(wait):
                self.happen(wait)
        return bool(catchers)

    def fail(self, code: str, scope: Scope, work: Work | None = None) -> None:
        """An error. Policy: one that nobody catches ends the case."""
        if self.propagate("error", code, scope, work):
            self.happened["error caught"] += 1
            return
        self.happened["error not caught"] += 1
        assert self.root
        self.drop(self.root)
        self.outcome, self.root = f"error:{code}", None

    def propagate(self, kind: str, code: str | None, scope: Scope | None, work: Work | None = None) -> bool:
        """An error or escalation travels outward until it is caught (10.5.1). Policy: an exact code before one that catches all, and an
        event sub-process does not hear itself."""
        itself = None
        while True:
            for holder in (work, scope):
                armed = [item for item in holder.armed if item.part is not itself] if holder else []
                events = [(item, item.part.event) for item in armed if item.part.event and item.part.event.kind == kind]
                exact = [item for item, event in events if code and event.name == code]
                anyway = [item for item, event in events if event.name is None]
                if holder and (found := [*exact, *anyway]):
                    self.happen(Wait(kind, holder, found[0].part, found[0]))
                    return True
            if scope is None:
                return False
            if scope.start and scope.start.event and scope.parent and scope.parent.armed and scope.start.event.kind == kind:
                self.happened[f"{kind} thrown in its own handler"] += 1
            itself, work, scope = scope.start, scope.owner, scope.parent

    # Catching (13.5.2 to 13.5.4).

    def still(self, wait: Wait) -> bool:
        """Whether it still waits."""
        return not wait.holder.gone and (wait.armed is None or wait.armed in wait.holder.armed)

    def happen(self, wait: Wait) -> None:
        """What waits happens."""
        if wait.armed is None:
            assert isinstance(wait.holder, Work)
            self.caught(wait.holder, wait.part)
        elif isinstance(wait.holder, Work):
            self.boundary(wait.holder, wait.armed)
        else:
            self.event_sub(wait.holder, wait.armed)

    def caught(self, work: Work, part: Part) -> None:
        """A catch event or receive task; after an event-based gateway, the first that happens decides (13.4.4)."""
        if work.part is part and part.tag == "receiveTask":
            self.leave(work)
            return
        if work.part is not part:
            self.happened["event gateway"] += 1
            self.note(work.scope, work.part, "left")
            self.note(work.scope, part, "entered")
        self.remove(work)
        self.note(work.scope, part, "left")
        self.take(work.scope, part, self.true(work.scope, part))

    def boundary(self, work: Work, armed: Armed) -> None:
        """A boundary event (13.5.3): the activity is cancelled, or a token comes in addition."""
        event = armed.part.event
        assert event
        self.happened[f"boundary {event.kind} {'interrupts' if event.interrupting else 'adds'}"] += 1
        if event.interrupting:
            self.happened["activity with scopes interrupted"] += bool(work.inner)
            self.cancel(work)
        else:
            self.again(armed, work.armed)
        self.pass_by(work.scope, armed.part)

    def event_sub(self, scope: Scope, armed: Armed) -> None:
        """An event sub-process (13.5.4): whatever runs in its scope is cancelled, or it runs in addition."""
        event, sub = armed.part.event, armed.part.level.owner
        assert event
        assert sub
        self.happened[f"event sub-process {event.kind} {'interrupts' if event.interrupting else 'adds'}"] += 1
        if event.interrupting:
            self.happened["event sub-process ended by another"] += bool(scope.handlers)
            self.empty(scope)
            scope.armed = []
        else:
            self.again(armed, scope.armed)
        self.note(scope, sub, "entered")
        self.open("event", armed.part, scope)

    def again(self, armed: Armed, among: list[Armed]) -> None:
        """Policy: a timer that does not interrupt happens once, a cycle as often as it says; other events stay armed, a conditional one
        until it is seen false."""
        event = armed.part.event
        assert event
        armed.fired += 1
        armed.seen = True
        if event.kind == "timer" and armed.fired == event.times:
            self.happened["cycle exhausted"] += armed.fired > 1
            among.remove(armed)

    def look(self) -> bool:
        """Conditional events (10.5.5) happen when their condition becomes true. Policy: scopes before tokens, each by age."""
        waits = [wait for wait in self.waits() if wait.kind == "conditional"]
        fired = False
        for wait in sorted(waits, key=lambda wait: (isinstance(wait.holder, Work), wait.holder.age)):
            if self.still(wait):
                assert wait.part.event
                true = self.value(wait.part.event.name or "", wait.scope) is True
                if true and not (wait.armed and wait.armed.seen):
                    self.happened["condition became true"] += 1
                    self.happen(wait)
                    fired = True
                elif wait.armed and not true:
                    self.happened["condition seen false again"] += wait.armed.seen
                    wait.armed.seen = False
        return fired


def _kind(part: Part) -> str:
    return part.event.kind if part.event else "task"


def _plain(level: Level) -> Part:
    starts = level.of("startEvent")
    return next((start for start in starts if start.event is None), starts[0])


def _outward(scope: Scope | None) -> Iterator[Scope]:
    while scope:
        yield scope
        scope = scope.parent
