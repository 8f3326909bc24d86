"""The board of the token game: a marking's tables while an act is played on them, with what can be looked up and taken off."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator, Mapping
from typing import Any, Protocol

from engine.marking import Armed, Frame, Marking, Passed, Token
from engine.net import Kind, Net, Node


class Host(Protocol):
    """What the game asks of whoever holds the facts."""

    def evaluate(self, expression: str, local: Mapping[str, Any]) -> Any:
        """The value of an expression over facts and locals."""

    def run(self, node: Node, local: Mapping[str, Any]) -> None:
        """Do the work of a service, send or business rule task, or of a throwing message event with a topic.

        Raises:
            BpmnError: it failed in a way the diagram names by a code.
            ServiceFailed: it failed in any other way; nothing it did may stay.
            NotForeseen: a preview does not do it.
        """


class BpmnError(Exception):
    """Raised by a host's `run`: the task failed in a way the diagram may catch."""

    def __init__(self, code: str) -> None:
        super().__init__(code)
        self.code = code


class ServiceFailed(Exception):
    """Raised by a host's `run`: the work could not be done, for a reason that no code of the diagram stands for.

    `reason` is what an administrator reads: the type and a short text, nothing of the case's contents.
    """

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


class NotForeseen(Exception):
    """Raised by the host of a preview: what this work does, only doing it would show. The token rests and no error path is taken."""


#: Waits that the outside can move; errors and escalations are found by searching outward.
OUTSIDE = frozenset({"timer", "message", "signal", "conditional"})
#: Nodes whose work the host does. A token rests at one only between two tries: its work has failed, and the wait is called "service".
WORKING = frozenset({Kind.SERVICE_TASK, Kind.SEND_TASK, Kind.BUSINESS_RULE_TASK, Kind.THROW, Kind.END})


class Board:
    """Copies of the marking's two tables, the queue of moving tokens, the trace."""

    __slots__ = ("end", "ended", "frames", "host", "late", "net", "next", "nodes", "queue", "steps", "tokens", "trace")

    def __init__(self, net: Net, host: Host, marking: Marking) -> None:
        self.net = net
        self.nodes = net.nodes
        self.host = host
        self.frames: dict[int, Frame] = dict(marking.frames)
        self.tokens: dict[int, Token] = dict(marking.tokens)
        self.next, self.end, self.ended = marking.next, marking.end, marking.ended
        #: (frame, node, flow by which it arrives): tokens under way.
        self.queue: deque[tuple[int, int, int]] = deque()
        self.late: deque[tuple[int, int, int]] = deque()
        self.trace: list[Passed] = []
        self.steps = 0

    def note(self, node: Node, what: str) -> None:
        """Add a line to the trace."""
        self.trace.append(Passed(node.id, what))

    def local(self, frame: int) -> Mapping[str, Any]:
        """What a frame's own expressions read besides facts, inner names covering outer ones."""
        found: Mapping[str, Any] = {}
        while frame:
            here = self.frames[frame]
            if here.local:
                found = {**here.local, **found} if found else here.local
            frame = here.parent
        return found

    def put(self, frame: int, node: Node, armed: Armed = ()) -> int:
        """A token comes to rest."""
        number = self.next
        self.next += 1
        self.tokens[number] = Token(frame, node.index, armed)
        return number

    def task(self, token: int) -> Node | None:
        """The task that waits with this token."""
        here = self.tokens.get(token)
        if here is None or here.multi is not None:
            return None
        node = self.nodes[here.node]
        return node if node.kind in (Kind.USER_TASK, Kind.MANUAL_TASK, Kind.RECEIVE_TASK) else None

    def add_arrival(self, frame: int, flow: int) -> dict[int, int]:
        """Count one more token at a join."""
        here = self.frames[frame]
        arrived = dict(here.arrivals)
        arrived[flow] = arrived.get(flow, 0) + 1
        self.frames[frame] = here._replace(arrivals=tuple(arrived.items()))
        return arrived

    def take_arrivals(self, frame: int, flows: tuple[int, ...]) -> None:
        """Take one token from each of these flows that has one."""
        here = self.frames[frame]
        left = ((flow, count - (flow in flows)) for flow, count in here.arrivals)
        self.frames[frame] = here._replace(arrivals=tuple(pair for pair in left if pair[1]))

    def finish(self, outcome: str) -> None:
        """The case is over."""
        for number in [number for number, frame in self.frames.items() if not frame.parent]:
            self.drop(number)
        self.tokens.clear()
        self.queue.clear()
        self.late.clear()
        self.ended = outcome

    def drop(self, number: int) -> None:
        """Remove a frame with everything in it."""
        self.clear(number)
        del self.frames[number]

    def clear(self, number: int) -> None:
        """Remove everything in a frame: frames inside, tokens at rest and under way, arrivals at joins."""
        for inner in [key for key, frame in self.frames.items() if frame.parent == number]:
            if inner in self.frames:
                self.drop(inner)
        for key in [key for key, token in self.tokens.items() if token.frame == number]:
            self.cancelled(key)
        for queue in (self.queue, self.late):
            if queue:
                kept = [move for move in queue if move[0] != number]
                queue.clear()
                queue.extend(kept)
        self.frames[number] = self.frames[number]._replace(arrivals=())

    def cancel_inside(self, token: int) -> None:
        """Remove the frames that an activity has opened."""
        for inner in [key for key, frame in self.frames.items() if frame.owner == token]:
            self.drop(inner)

    def cancelled(self, token: int) -> None:
        """Remove one token; instances of a repeated activity are told of once, by the whole."""
        frame, index, _, _ = self.tokens.pop(token)
        node = self.nodes[index]
        if node.multi is None or self.frames[frame].scope != node.multi.scope:
            self.note(node, "cancelled")

    def waits(self) -> Iterator[tuple[str, int, int, int]]:
        """(kind, owner, node, count) of everything the outside can move."""
        nodes = self.nodes
        for owner, token in self.tokens.items():
            node = nodes[token.node]
            if token.multi is None:
                if node.kind is Kind.EVENT_GATEWAY:
                    for target in node.targets:
                        yield wait_kind(nodes[target]), owner, target, 0
                elif node.waits:
                    yield wait_kind(node), owner, token.node, 0
                elif node.kind in WORKING:
                    yield "service", owner, token.node, 0
            for index, state in token.armed:
                event = nodes[index].event
                if event is not None and event.kind in OUTSIDE:
                    yield event.kind, owner, index, state if event.kind == "timer" else 0
        for owner, frame in self.frames.items():
            for index, state in frame.armed:
                event = nodes[index].event
                if event is not None and event.kind in OUTSIDE:
                    yield event.kind, owner, index, state if event.kind == "timer" else 0

    def catchers(self, kind: str, name: str) -> list[tuple[int, int]]:
        """Who waits for a message or signal of this name."""
        return [
            (owner, index)
            for found, owner, index, _ in self.waits()
            if found == kind and (event := self.nodes[index].event) is not None and event.name == name
        ]

    def match(self, armed: Armed, kind: str, code: str | None, skip: int = -1) -> int | None:
        """An armed event for this code, the exact code first."""
        catch_all = None
        for index, _ in armed:
            event = self.nodes[index].event
            if event is not None and event.kind == kind and index != skip:
                if event.code is not None and event.code == code:
                    return index
                if event.code is None and catch_all is None:
                    catch_all = index
        return catch_all


def wait_kind(node: Node) -> str:
    """What a node that rests waits for; a receive task without a message waits to be completed."""
    if node.event is not None and node.event.kind in OUTSIDE:
        return node.event.kind
    return "task"


def rearmed(armed: Armed, node: Node) -> Armed:
    """What stays armed after a non-interrupting event fired."""
    assert node.event is not None
    timer = node.event.timer
    result = []
    for index, state in armed:
        if index == node.index:
            if timer is not None:
                state += 1
                if timer.kind != "cycle" or (timer.repeat is not None and state >= timer.repeat):
                    continue
            elif node.event.kind == "conditional":
                state = 1
        result.append((index, state))
    return tuple(result)
