"""Draws random diagrams, family by family: what a family is about occurs often in it, everything else as it falls.

A level (process, sub-process) is made of *pieces*: a step, an event, a gateway, or a whole block. A piece has one entry and some exits; where
a family is well nested, pieces follow each other, else flows are drawn between them as they fall, with loops and jumps. `draw(family, seed)`
always yields the same diagram.
"""

from __future__ import annotations

import random
import re
from collections.abc import Mapping
from dataclasses import dataclass, field

from engine.net import Net
from engine.parsing import parse_bundle
from tests.engine.drawing import condition, diagram, element, error, escalation, link, message, multi, properties, signal, terminate, timer

FACTS = ("x", "y", "z")
#: The fact that loops go on by; no service sets it.
AGAIN = "again"
NAMES = ("go", "stop")
CODES = ("A", "B")


@dataclass(frozen=True)
class Family:
    """What is drawn how often. The numbers of a mapping are weights.

    Attributes:
        pieces: kind of piece -> weight; see the methods of `_Drawing`.
        size: fewest and most pieces of a level; more: fewest and most flows beyond those that connect them.
        nested: pieces follow one another, so every run can end.
        depth: how deep blocks and scopes are drawn into one another.
        boundaries, event_subs: events they wait for; boundary_odds, event_sub_odds: chance of one more each time; `interrupts`: of being so.
        ends: what ends of a level throw; doubled: chance that a flow is drawn twice; backs: chance of a `send_back_to`.
        by_event: chance that the process has start events besides the plain one.
    """

    pieces: Mapping[str, int]
    size: tuple[int, int] = (3, 6)
    more: tuple[int, int] = (0, 3)
    nested: bool = False
    depth: int = 1
    boundaries: Mapping[str, int] = field(default_factory=dict)
    boundary_odds: float = 0.3
    event_subs: Mapping[str, int] = field(default_factory=dict)
    event_sub_odds: float = 0.4
    interrupts: float = 0.5
    ends: Mapping[str, int] = field(default_factory=lambda: {"none": 1})
    doubled: float = 0.0
    backs: float = 0.0
    by_event: float = 0.0


OUTSIDE = {"timer": 2, "cycle": 1, "message": 2, "signal": 2, "conditional": 1}
INSIDE = {"error": 2, "escalation": 3}

FAMILIES: dict[str, Family] = {
    "nested_blocks": Family(
        {"user": 6, "manual": 1, "receive": 1, "service": 1, "catch": 1, "event_gateway": 1, "and_block": 2, "or_block": 2, "xor_block": 2,
         "loop": 2, "sub": 3, "call": 1, "repeated": 2, "repeated_sub": 1},
        size=(2, 4), nested=True, depth=3, boundaries=OUTSIDE, boundary_odds=0.12, event_subs={**OUTSIDE, "escalation": 1}, event_sub_odds=0.25,
    ),
    "gateways": Family(
        {"user": 4, "exclusive": 2, "parallel": 2, "inclusive": 3}, size=(4, 10), more=(1, 4), boundaries={"timer": 1}, boundary_odds=0.15
    ),
    "joins_in_loops": Family(
        {"and_block": 4, "user": 2, "exclusive": 2, "parallel": 2, "loop": 1}, size=(3, 5), more=(2, 4), boundaries={"timer": 1}, boundary_odds=0.1
    ),
    "inclusive_joins": Family(
        {"inclusive": 6, "user": 5, "or_block": 1, "exclusive": 1, "parallel": 2, "link": 1}, size=(5, 9), more=(2, 6),
        boundaries={"timer": 1}, boundary_odds=0.25,
    ),
    "inclusive_in_blocks": Family(
        {"or_block": 4, "user": 4, "inclusive": 3, "sub": 1, "repeated_sub": 1, "and_block": 1}, size=(2, 4), more=(1, 4), depth=2,
        boundaries={"message": 1, "timer": 1}, boundary_odds=0.15, event_subs={"signal": 1}, event_sub_odds=0.2,
    ),
    "double_flows": Family({"parallel": 4, "user": 3, "inclusive": 2, "exclusive": 1, "and_block": 1}, size=(3, 6), more=(0, 3), doubled=0.45),
    "nested_frames": Family(
        {"user": 3, "sub": 4, "call": 2, "repeated_sub": 2, "and_block": 2, "parallel": 1}, size=(1, 3), more=(0, 2), depth=3,
        boundaries=OUTSIDE, boundary_odds=0.35, event_subs={"message": 1, "signal": 1, "timer": 1}, event_sub_odds=0.25, ends={"none": 4, "terminate": 1},
    ),
    "event_sub_processes": Family(
        {"user": 5, "parallel": 1, "and_block": 2, "sub": 2, "throw_escalation": 1, "throw_signal": 1, "fail": 1}, size=(2, 4), depth=2,
        event_subs={**OUTSIDE, **INSIDE}, event_sub_odds=0.7, ends={"none": 5, "signal": 1, "escalation": 2, "error": 1, "terminate": 1},
    ),
    "errors": Family(
        {"sub": 4, "and_block": 4, "fail": 2, "user": 3, "call": 1, "repeated_sub": 1, "repeated_fail": 1}, size=(1, 3), more=(0, 1), depth=3,
        boundaries={"error": 5, "timer": 1}, boundary_odds=0.6, event_subs={"error": 4, "message": 1}, event_sub_odds=0.35,
        interrupts=0.6, ends={"none": 2, "error": 2},
    ),
    "escalations": Family(
        {"sub": 4, "and_block": 3, "throw_escalation": 3, "user": 3, "call": 1, "repeated_sub": 1}, size=(1, 3), more=(0, 1), depth=3,
        boundaries={"escalation": 5, "timer": 1}, boundary_odds=0.6, event_subs={"escalation": 4, "error": 1}, event_sub_odds=0.45,
        ends={"none": 2, "escalation": 3},
    ),
    "repeated": Family(
        {"repeated": 4, "repeated_sub": 4, "repeated_fail": 2, "user": 2, "and_block": 1}, size=(1, 3), more=(0, 2), depth=2,
        boundaries={**OUTSIDE, **INSIDE}, boundary_odds=0.45, ends={"none": 4, "escalation": 1, "terminate": 1},
    ),
    "signals": Family(
        {"user": 3, "catch_signal": 3, "throw_signal": 3, "and_block": 3, "sub": 2, "parallel": 2, "event_gateway": 1}, size=(2, 4), more=(0, 2),
        depth=2, boundaries={"signal": 4, "message": 1}, boundary_odds=0.35, event_subs={"signal": 3}, event_sub_odds=0.45,
        ends={"none": 2, "signal": 1},
    ),
    "messages": Family(
        {"user": 3, "catch_message": 3, "receive": 2, "throw_message": 3, "failed_throw": 2, "send": 3, "and_block": 3, "sub": 2,
         "parallel": 2, "event_gateway": 1, "repeated_send": 1},
        size=(2, 4), depth=2, boundaries={"message": 4, "signal": 1, "error": 3}, boundary_odds=0.45, event_subs={"message": 3}, event_sub_odds=0.35,
        ends={"none": 2, "message": 1, "work": 1},
    ),
    "links": Family(
        {"link": 4, "user": 4, "inclusive": 2, "parallel": 1, "sub": 1}, size=(3, 6), more=(0, 2), boundaries={"timer": 1}, boundary_odds=0.15
    ),
    "conditionals": Family(
        {"user": 4, "catch_conditional": 2, "event_gateway": 2, "and_block": 2, "sub": 2, "service": 2, "repeated_sub": 1}, size=(2, 4), depth=2,
        boundaries={"conditional": 5, "timer": 1}, boundary_odds=0.4, event_subs={"conditional": 3}, event_sub_odds=0.4,
    ),
    "terminate": Family(
        {"user": 3, "parallel": 3, "and_block": 2, "sub": 3, "call": 1, "repeated_sub": 2}, size=(2, 4), more=(1, 3), depth=2,
        event_subs={"message": 1, "timer": 1, "conditional": 2}, event_sub_odds=0.35, ends={"none": 2, "terminate": 2},
    ),
    "send_backs": Family(
        {"user": 6, "parallel": 1, "exclusive": 1, "inclusive": 2, "and_block": 1, "or_block": 1, "sub": 1, "call": 1}, size=(3, 6), more=(0, 2),
        boundaries={"timer": 2, "message": 1, "cycle": 1}, boundary_odds=0.4, backs=0.6,
    ),
    "services": Family(
        {"fail": 2, "broken": 4, "service": 2, "send": 2, "throw_work": 2, "user": 2, "and_block": 2, "sub": 2, "repeated_broken": 1,
         "catch_message": 1},
        size=(2, 4), depth=2, boundaries={"error": 3, "timer": 1, "message": 1}, boundary_odds=0.45, event_subs={"error": 2, "signal": 1}, event_sub_odds=0.25,
        interrupts=0.7, ends={"none": 2, "work": 2},
    ),
    "starts": Family(
        {"user": 3, "catch": 1, "parallel": 1, "exclusive": 1, "sub": 1, "call": 2, "event_gateway": 1}, size=(2, 5), event_subs={"timer": 1, "message": 1},
        event_sub_odds=0.3, by_event=1.0,
    ),
    "timers": Family(
        {"user": 4, "catch_timer": 2, "sub": 2, "event_gateway": 1, "and_block": 1}, size=(1, 3), more=(0, 2), depth=2,
        boundaries={"timer": 2, "cycle": 4}, boundary_odds=0.6, event_subs={"timer": 1, "cycle": 2}, event_sub_odds=0.5, interrupts=0.25,
    ),
    "interrupted_throws": Family(
        {"throw_escalation": 3, "throw_signal": 2, "throw_message": 2, "and_block": 4, "user": 2, "parallel": 2, "service": 1, "sub": 2, "fail": 1},
        size=(2, 4), depth=2, boundaries={"escalation": 2, "signal": 1}, boundary_odds=0.35,
        event_subs={"escalation": 3, "signal": 2, "message": 1, "error": 1}, event_sub_odds=0.7, interrupts=0.8,
        ends={"none": 2, "escalation": 1, "signal": 1},
    ),
    "in_one_act": Family(  # much that happens at the same time, so that the order shows
        {"woken_join": 4, "woken_catch": 3, "and_block": 5, "sub": 4, "call": 1, "repeated_sub": 2, "service": 3, "user": 1},
        size=(2, 4), more=(0, 2), depth=2, boundaries={"conditional": 1, "signal": 1}, boundary_odds=0.15,
        event_subs={"conditional": 1, "signal": 1}, event_sub_odds=0.2,
    ),
    "everything": Family(
        {"user": 4, "manual": 1, "receive": 1, "service": 1, "fail": 1, "broken": 1, "send": 1, "task": 1, "catch": 1, "throw": 2, "exclusive": 1,
         "parallel": 1, "inclusive": 2, "event_gateway": 1, "link": 1, "and_block": 1, "or_block": 1, "xor_block": 1, "loop": 1, "sub": 2, "call": 1,
         "repeated": 1, "repeated_sub": 1},
        size=(2, 5), more=(0, 3), depth=2, boundaries={**OUTSIDE, **INSIDE}, boundary_odds=0.25, event_subs={**OUTSIDE, **INSIDE},
        event_sub_odds=0.3, ends={"none": 6, "terminate": 1, "error": 1, "escalation": 1, "message": 1, "signal": 1}, doubled=0.05, backs=0.1,
    ),
}  # fmt: skip


@dataclass(frozen=True)
class Model:
    """A diagram with what it calls, and the net the engine makes of it."""

    family: str
    seed: int
    files: Mapping[str, bytes]
    net: Net
    events: tuple[str, ...]


def draw(family: str, seed: int) -> Model:
    """The diagram of this family and number."""
    drawing = _Drawing(FAMILIES[family], random.Random(f"{family} {seed}"))
    inside, events = drawing.process()
    files = {"p.bpmn": diagram(inside), **drawing.called}
    return Model(family, seed, files, parse_bundle(files, "p"), events)


@dataclass
class _Level:
    """A process or sub-process while it is drawn; `ways` are flows as (source, target), `defaults` those that must be the default,
    `caught` the errors and escalations that event sub-processes wait for."""

    parts: dict[str, tuple[str, str, dict[str, str]]] = field(default_factory=dict)
    ways: list[tuple[str, str]] = field(default_factory=list)
    ends: list[str] = field(default_factory=list)
    defaults: dict[str, str] = field(default_factory=dict)
    caught: set[str] = field(default_factory=set)


#: Entry and exits of a piece.
_Piece = tuple[str, list[str]]


class _Drawing:
    """Draws one model; a method for each kind of piece, named as in `Family.pieces`."""

    def __init__(self, family: Family, chance: random.Random) -> None:
        self.family, self.chance = family, chance
        self.number = 0
        self.called: dict[str, bytes] = {}

    # Small help.

    def id(self, kind: str) -> str:
        self.number += 1
        return f"{kind}{self.number}"

    def pick(self, weights: Mapping[str, int]) -> str:
        return self.chance.choices(list(weights), list(weights.values()))[0]

    def add(self, level: _Level, tag: str, letter: str, inside: str = "", **attributes: str) -> str:
        name = self.id(letter)
        level.parts[name] = (tag, inside, attributes)
        return name

    def event(self, kind: str) -> str:
        """An event definition."""
        name, code = self.chance.choice(NAMES), self.chance.choice((*CODES, ""))
        return {
            "none": "",
            "timer": timer("P1D"),
            "cycle": timer(self.chance.choice(["R2/P1D", "R3/P1D", "R/P1D"])),
            "message": message(name),
            "signal": signal(name),
            "conditional": condition(self.chance.choice(FACTS)),
            "error": error(code),
            "escalation": escalation(code),
            "terminate": terminate(),
        }[kind]

    def thrown(self, kind: str) -> str:
        """The same for throwing, where an error or escalation must say which."""
        if kind in ("error", "escalation"):
            return (error if kind == "error" else escalation)(self.chance.choice(CODES))
        return self.event(kind)

    def end(self, level: _Level) -> str:
        """An end event of the family; "work" is a message that a service sends."""
        kind = self.pick(self.family.ends)
        topic = {"camunda_topic": self.topic()} if kind == "work" else {}
        return self.add(level, "endEvent", "e", self.thrown("message" if kind == "work" else kind), **topic)

    def topic(self) -> str:
        """A service beside a message."""
        return self.chance.choice(["do", "broken", "broken", f"fail:{self.chance.choice(CODES)}"])

    # Levels.

    def process(self) -> tuple[str, tuple[str, ...]]:
        """What is inside the process, and what it can be started by besides its plain start."""
        level, events = _Level(), []
        first = self.fill(level, self.family.depth)
        if self.chance.random() < self.family.by_event:
            for kind, starts_by in (("message", "go"), ("signal", "stop"), ("timer", "")):
                if self.chance.random() < 0.7:
                    definition = {"message": message("go"), "signal": signal("stop"), "timer": timer("P1D")}[kind]
                    name = self.add(level, "startEvent", "s", definition)
                    level.ways.append((name, self.chance.choice([first, *level.ends])))
                    events.append(starts_by or name)
        return self.written(level), tuple(events)

    def scope(self, depth: int) -> str:
        """What is inside a sub-process."""
        level = _Level()
        self.fill(level, depth)
        return self.written(level)

    def fill(self, level: _Level, depth: int) -> str:
        """Draw a whole level; the id of its first element after the start."""
        family = self.family
        low, high = family.size
        count = self.chance.randint(low, high) if depth == family.depth else self.chance.randint(1, max(2, high - 1))
        pieces = [self.piece(level, depth) for _ in range(count)]
        start = self.add(level, "startEvent", "s")
        ends = 1 if family.nested else self.chance.randint(1, 2)
        level.ends = [self.end(level) for _ in range(ends)]
        if family.nested:
            self.chain(level, start, pieces)
        else:
            self.tangle(level, start, pieces)
        while (
            family.event_subs
            and self.chance.random() < family.event_sub_odds
            and sum(part[0] == "subProcess" for part in level.parts.values()) < 4
        ):
            self.event_sub(level, depth)
        used = {target for _, target in level.ways}
        for name in [name for name in level.ends if name not in used]:
            del level.parts[name]
        level.ends = [name for name in level.ends if name in used]
        return pieces[0][0]

    def chain(self, level: _Level, start: str, pieces: list[_Piece]) -> None:
        """One piece after the other."""
        before = [start]
        for entry, exits in [*pieces, (level.ends[0], [])]:
            level.ways += [(exit_, entry) for exit_ in before]
            before = exits

    def tangle(self, level: _Level, start: str, pieces: list[_Piece]) -> None:
        """Everything is reachable and leads on; loops and jumps as they fall."""
        entries = [entry for entry, _ in pieces]
        free: list[str] = []
        level.ways.append((start, entries[0]))
        for place, (entry, exits) in enumerate(pieces):
            if place:
                # Mostly go on where nothing leads on yet, so that what is drawn is also reached.
                sources = [source for source in free if not self.leaves(level, source)]
                source = self.chance.choice(sources if sources and self.chance.random() < 0.5 else free)
                level.ways.append((source, entry))
            free += exits
        for source in free:
            if not self.leaves(level, source):
                self.jump(level, source, [*entries, *level.ends, *level.ends])
        for _ in range(self.chance.randint(*self.family.more)):
            self.jump(level, self.chance.choice(free), [*entries, *level.ends])
        if not any(target in level.ends for _, target in level.ways):
            level.ways.append((free[-1], level.ends[0]))
        level.ways = list(dict.fromkeys(level.ways))
        level.ways += [
            way for way in level.ways if level.parts[way[0]][0] != "eventBasedGateway" and self.alone(level, way) and self.again()
        ]

    def jump(self, level: _Level, source: str, targets: list[str]) -> None:
        """A flow to any of the targets, or to an end where it would close a circle in which nothing waits."""
        target = self.chance.choice(targets)
        if target == source or source in self.busy_from(level, target):
            target = self.chance.choice(level.ends)
        level.ways.append((source, target))

    def busy_from(self, level: _Level, first: str) -> set[str]:
        """What may be reached from here without anything from outside; it must not be the way back."""
        found, todo = set(), [first]
        while todo:
            name = todo.pop()
            if name in found:
                continue
            tag, inside, _ = level.parts[name]
            for other, (_, event, more) in level.parts.items():
                exits = more.get("attachedToRef") == name and not (_waits(level, name) and re.search("timer|message", event))
                jumps = tag == "intermediateThrowEvent" and event == inside and other != name and "linkEvent" in inside
                todo += [other] * (exits or jumps)
            if not _waits(level, name):
                found.add(name)
                todo += [target for source, target in level.ways if source == name]
        return found

    def leaves(self, level: _Level, source: str) -> bool:
        return any(way[0] == source for way in level.ways)

    def again(self) -> bool:
        return self.chance.random() < self.family.doubled

    def alone(self, level: _Level, way: tuple[str, str]) -> bool:
        """Whether the target may have a second incoming flow: not behind an event-based gateway, whose events wait for it alone."""
        return all(level.parts[source][0] != "eventBasedGateway" for source, target in level.ways if target == way[1])

    def written(self, level: _Level) -> str:
        """The XML of a level, its flows with conditions and defaults where they decide."""
        drawn, count = [], {}
        for source in dict.fromkeys(source for source, _ in level.ways):
            tag, _, attributes = level.parts[source]
            targets = [target for origin, target in level.ways if origin == source]
            decides = tag in ("exclusiveGateway", "inclusiveGateway") or (tag in _ACTIVITIES and self.chance.random() < 0.5)
            default = self.chance.randrange(len(targets)) if decides and len(targets) > 1 else -1
            if source in level.defaults:
                default = targets.index(level.defaults[source])
            for place, target in enumerate(targets):
                name = f"{source}_{target}"
                count[name] = count.get(name, 0) + 1
                name += f"_{count[name]}" if count[name] > 1 else ""
                inside = ""
                if place == default:
                    attributes["default"] = name
                elif default >= 0:
                    inside = _CONDITION.format(AGAIN if source in level.defaults else self.chance.choice(FACTS))
                drawn.append(element("sequenceFlow", name, inside, sourceRef=source, targetRef=target))
        self.chance.shuffle(drawn)
        parts = [element(tag, name, inside, **attributes) for name, (tag, inside, attributes) in level.parts.items()]
        self.chance.shuffle(parts)
        return "".join(parts) + "".join(drawn)

    def event_sub(self, level: _Level, depth: int) -> None:
        """An event sub-process beside the flows; it may hold scopes of its own, and another event sub-process."""
        inner = _Level()
        kind = self.pick(self.family.event_subs)
        self.fill(inner, max(0, depth - 1)) if depth > 0 and self.chance.random() < 0.5 else self.little(inner)
        start = next(name for name, part in inner.parts.items() if part[0] == "startEvent")
        stops = kind == "error" or self.chance.random() < self.family.interrupts
        definition = self.event(kind)
        inner.parts[start] = ("startEvent", definition, {"isInterrupting": str(stops).lower()})
        drawn = self.written(inner)
        if definition not in level.caught:  # which of two handlers for the same error or escalation is meant, nobody could say
            self.add(level, "subProcess", "h", drawn, triggeredByEvent="true")
            level.caught |= {definition} if kind in INSIDE else set()

    def little(self, inner: _Level) -> None:
        """A start, perhaps a step, an end that may throw."""
        start, end = self.add(inner, "startEvent", "s"), self.end(inner)
        step = self.user(inner, 0) if self.chance.random() < 0.8 else self.service(inner, 0)
        inner.ways += [(start, step[0]), (step[0], end)]

    # Pieces.

    def piece(self, level: _Level, depth: int) -> _Piece:
        """Any piece, with boundary events if it is an activity."""
        shallow = {kind: weight for kind, weight in self.family.pieces.items() if kind not in _DEEP}
        kind = self.pick(self.family.pieces if depth > 0 else shallow or {"user": 1})
        head, _, what = kind.partition("_") if kind in _WITH_EVENT else (kind, "", "")
        entry, exits = self.rest(level, head, what) if what else getattr(self, kind)(level, depth)
        if level.parts[entry][0] in _ACTIVITIES and exits == [entry]:
            exits = exits + self.late(level, entry)
        if len(exits) > 1 and (self.family.nested or self.chance.random() < 0.5):
            merge = self.add(level, "exclusiveGateway", "x")
            level.ways += [(exit_, merge) for exit_ in exits]
            exits = [merge]
        return entry, exits

    def late(self, level: _Level, host: str) -> list[str]:
        """Boundary events of an activity. In a nested family an interrupting one joins the flow again and others go to an end."""
        exits = []
        taken: set[str] = set()
        while self.family.boundaries and self.chance.random() < self.family.boundary_odds and len(exits) < 3:
            kind = self.pick(self.family.boundaries)
            stops = kind == "error" or self.chance.random() < self.family.interrupts
            definition = self.event(kind)
            if kind in INSIDE and definition in taken:
                continue
            taken.add(definition)
            name = self.add(level, "boundaryEvent", "b", definition, attachedToRef=host, cancelActivity=str(stops).lower())
            if self.family.nested and not stops:
                aside, end = self.user(level, 0)[0], self.add(level, "endEvent", "e")
                level.ways += [(name, aside), (aside, end)]
            else:
                exits.append(name)
        return exits

    def user(self, level: _Level, depth: int, inside: str = "") -> _Piece:
        name = self.add(level, "userTask", "u", inside)
        if not inside and self.chance.random() < self.family.backs:
            others = [other for other, part in level.parts.items() if part[0] == "userTask" and other != name]
            if others:
                back = ", ".join(self.chance.sample(others, self.chance.randint(1, min(2, len(others)))))
                level.parts[name] = ("userTask", properties(send_back_to=back), {})
        return name, [name]

    def alike(self, level: _Level, tag: str, letter: str, inside: str = "", **attributes: str) -> _Piece:
        name = self.add(level, tag, letter, inside, **attributes)
        return name, [name]

    def manual(self, level: _Level, depth: int) -> _Piece:
        return self.alike(level, "manualTask", "m")

    def task(self, level: _Level, depth: int) -> _Piece:
        return self.alike(level, "task", "t")

    def receive(self, level: _Level, depth: int) -> _Piece:
        named = {"messageRef": f"m_{self.chance.choice(NAMES)}"} if self.chance.random() < 0.8 else {}
        return self.alike(level, "receiveTask", "r", **named)

    def send(self, level: _Level, depth: int, inside: str = "") -> _Piece:
        topic = {"camunda_topic": self.topic()} if self.chance.random() < 0.4 else {}
        return self.alike(level, "sendTask", "n", inside, messageRef=f"m_{self.chance.choice(NAMES)}", **topic)

    def service(self, level: _Level, depth: int) -> _Piece:
        if self.chance.random() < 0.1:
            return self.alike(level, "businessRuleTask", "v", camunda_decisionRef="table")
        fact = self.chance.choice(FACTS)
        # In a well-nested diagram no service makes a condition true: an event sub-process could call itself up without end.
        topics = ["do", f"clear:{fact}"] + ([] if self.family.nested else [f"set:{fact}"])
        return self.alike(level, "serviceTask", "v", camunda_topic=self.chance.choice(topics))

    def fail(self, level: _Level, depth: int, inside: str = "") -> _Piece:
        return self.alike(level, "serviceTask", "v", inside, camunda_topic=f"fail:{self.chance.choice(CODES)}")

    def broken(self, level: _Level, depth: int, inside: str = "") -> _Piece:
        return self.alike(level, "serviceTask", "v", inside, camunda_topic="broken")

    def throw_work(self, level: _Level, depth: int) -> _Piece:
        return self.alike(level, "intermediateThrowEvent", "t", message(self.chance.choice(NAMES)), camunda_topic=self.topic())

    def rest(self, level: _Level, head: str, what: str) -> _Piece:
        """A catch or throw event of a given kind."""
        tag = "intermediateCatchEvent" if head == "catch" else "intermediateThrowEvent"
        return self.alike(level, tag, head[0], self.event(what) if head == "catch" else self.thrown(what))

    def catch(self, level: _Level, depth: int) -> _Piece:
        return self.rest(level, "catch", self.chance.choice(["timer", "message", "signal"]))

    def throw(self, level: _Level, depth: int) -> _Piece:
        return self.rest(level, "throw", self.chance.choice(["none", "message", "signal", "escalation"]))

    def exclusive(self, level: _Level, depth: int) -> _Piece:
        return self.alike(level, "exclusiveGateway", "x")

    def parallel(self, level: _Level, depth: int) -> _Piece:
        return self.alike(level, "parallelGateway", "g")

    def inclusive(self, level: _Level, depth: int) -> _Piece:
        return self.alike(level, "inclusiveGateway", "o")

    def link(self, level: _Level, depth: int) -> _Piece:
        label = self.id("L")
        throw = self.add(level, "intermediateThrowEvent", "l", link(label))
        return throw, [self.add(level, "intermediateCatchEvent", "l", link(label))]

    def event_gateway(self, level: _Level, depth: int) -> _Piece:
        gate = self.add(level, "eventBasedGateway", "w")
        exits = []
        for _ in range(self.chance.randint(2, 3)):
            if self.chance.random() < 0.25:
                name = self.add(level, "receiveTask", "r", messageRef=f"m_{self.chance.choice(NAMES)}")
            else:
                name = self.add(level, "intermediateCatchEvent", "c", self.event(self.pick(_AWAITED)))
            exits.append(name)
            level.ways.append((gate, name))
        return gate, exits

    def failed_throw(self, level: _Level, depth: int) -> _Piece:
        """A message whose service may fail, in a scope that catches the error, beside somebody who waits for the message."""
        inner, name = _Level(), self.chance.choice(NAMES)
        inner.ends = [self.add(inner, "endEvent", "e")]
        throw = self.add(inner, "intermediateThrowEvent", "t", message(name), camunda_topic=self.topic())
        self.chain(inner, self.add(inner, "startEvent", "s"), [(throw, [throw])])
        head, host = self.add(level, "parallelGateway", "g"), self.add(level, "subProcess", "p", self.written(inner))
        late = self.add(level, "boundaryEvent", "b", error(), attachedToRef=host)
        catch = self.add(level, "intermediateCatchEvent", "c", message(name))
        level.ways += [(head, host), (head, catch)]
        return head, [host, late, catch]

    # Pieces made of pieces.

    def block(self, level: _Level, depth: int, split: str, join: str) -> _Piece:
        head, tail = self.add(level, split, "g"), self.add(level, join, "j")
        for _ in range(self.chance.randint(2, 3)):
            entry, exits = self.piece(level, depth - 1) if self.chance.random() < 0.6 else self.user(level, 0)
            level.ways.append((head, entry))
            level.ways += [(exit_, tail) for exit_ in exits]
        return head, [tail]

    def and_block(self, level: _Level, depth: int) -> _Piece:
        return self.block(level, depth, "parallelGateway", "parallelGateway" if self.chance.random() < 0.8 else "inclusiveGateway")

    def or_block(self, level: _Level, depth: int) -> _Piece:
        return self.block(level, depth, "inclusiveGateway", "inclusiveGateway")

    def xor_block(self, level: _Level, depth: int) -> _Piece:
        return self.block(level, depth, "exclusiveGateway", "exclusiveGateway")

    def woken_catch(self, level: _Level, depth: int) -> _Piece:
        """Waits for a signal that many wait for, and then does something that is recorded in order."""
        catch, step = self.add(level, "intermediateCatchEvent", "c", signal("go")), self.service(level, 0)[0]
        level.ways.append((catch, step))
        return catch, [step]

    def woken_join(self, level: _Level, depth: int) -> _Piece:
        """The same with an inclusive join between, which has its turn only when nothing moves any more."""
        head, tail = self.add(level, "parallelGateway", "g"), self.add(level, "inclusiveGateway", "j")
        catch, step = self.add(level, "intermediateCatchEvent", "c", signal("go")), self.service(level, 0)[0]
        level.ways += [(head, catch), (catch, tail), (head, tail), (tail, step)]
        return head, [step]

    def loop(self, level: _Level, depth: int) -> _Piece:
        """Again and again while a condition holds; the default leads out."""
        head, tail = self.add(level, "exclusiveGateway", "x"), self.add(level, "exclusiveGateway", "x")
        out = self.add(level, "exclusiveGateway", "x")
        entry, exits = self.piece(level, depth - 1)
        if not _waits(level, entry):
            step, _ = self.user(level, 0)
            level.ways += [(exit_, step) for exit_ in exits]
            exits = [step]
        level.ways += [(head, entry), *((exit_, tail) for exit_ in exits), (tail, head), (tail, out)]
        level.defaults[tail] = out
        return head, [out]

    def sub(self, level: _Level, depth: int, inside: str = "") -> _Piece:
        return self.alike(level, "subProcess", "p", inside + self.scope(depth - 1))

    def call(self, level: _Level, depth: int, inside: str = "") -> _Piece:
        name = self.id("q")
        called = _Level()
        first = self.fill(called, depth - 1)
        if self.chance.random() < 0.3:  # a call begins at the plain start, wherever others are drawn
            leads_to = called.ends if self.family.nested else [first, *called.ends]
            called.ways.append((self.add(called, "startEvent", "s", message("go")), self.chance.choice(leads_to)))
        elif self.chance.random() < 0.15:  # or at the only one
            called.parts[next(name for name, part in called.parts.items() if part[0] == "startEvent")] = ("startEvent", message("go"), {})
        self.called[f"{name}.bpmn"] = diagram(self.written(called), id=name)
        return self.alike(level, "callActivity", "k", inside, calledElement=name)

    def many(self) -> str:
        """Multi-instance characteristics."""
        until = self.chance.choice(["", "", "y", "nrOfCompletedInstances >= 2", "nrOfCompletedInstances >= 1", "loop_index >= 1"])
        sequential = self.chance.random() < 0.5
        variable = self.chance.choice(["", "unit"])
        if self.chance.random() < 0.5:
            return multi(sequential=sequential, collection="units", variable=variable, until=until)
        return multi(sequential=sequential, times=self.chance.choice(["0", "1", "2", "3", "3"]), variable=variable, until=until)

    def repeated(self, level: _Level, depth: int) -> _Piece:
        if self.chance.random() < 0.2:
            return self.alike(level, "receiveTask", "r", self.many(), messageRef=f"m_{self.chance.choice(NAMES)}")
        return self.user(level, depth, self.many())

    def repeated_sub(self, level: _Level, depth: int) -> _Piece:
        return (self.sub if self.chance.random() < 0.75 else self.call)(level, depth, self.many())

    def repeated_fail(self, level: _Level, depth: int) -> _Piece:
        return self.fail(level, depth, self.many())

    def repeated_broken(self, level: _Level, depth: int) -> _Piece:
        return self.broken(level, depth, self.many())

    def repeated_send(self, level: _Level, depth: int) -> _Piece:
        return self.send(level, depth, self.many())


def _waits(level: _Level, name: str) -> bool:
    """Whether a token surely rests here; at a conditional event, or in a scope that throws or is interrupted, it may not."""
    tag, inside, _ = level.parts[name]
    if tag == "subProcess":
        return "<bpmn:userTask" in inside and not re.search("conditional|Throw|endEvent[^>]*[^/]><bpmn:(e|s)|sendTask|fail:", inside)
    if tag == "intermediateCatchEvent":
        return "linkEvent" not in inside and "conditionalEvent" not in inside
    return tag in ("userTask", "manualTask", "receiveTask")


_ACTIVITIES = {
    "userTask", "manualTask", "receiveTask", "serviceTask", "sendTask", "businessRuleTask", "task", "subProcess", "callActivity",
}  # fmt: skip
_DEEP = {"sub", "call", "and_block", "or_block", "xor_block", "loop", "repeated_sub"}
_WITH_EVENT = {
    "catch_signal", "catch_message", "catch_timer", "catch_conditional", "throw_signal", "throw_message", "throw_escalation",
}  # fmt: skip
_CONDITION = '<bpmn:conditionExpression xsi:type="bpmn:tFormalExpression">{}</bpmn:conditionExpression>'
_AWAITED = {"timer": 2, "message": 2, "signal": 2, "conditional": 1}
