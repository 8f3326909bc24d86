"""The marking: where a case stands in its net, as small immutable data that is stored between acts, and what an act yields."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, NamedTuple

from engine.errors import UnknownFormat
from engine.net import Kind, Node

FORMAT = 1
#: format -> what makes the rows of that format those of a later one, number included; a format that was ever released stays here.
UPGRADES: dict[int, Callable[[list[Any]], list[Any]]] = {}
ROOT = 1

#: (node number, state): an armed boundary event of a token, or the start of an armed event sub-process of a frame. The state counts how
#: often a timer has fired; of a conditional event it is 1 while its condition was last seen true.
Armed = tuple[tuple[int, int], ...]
#: (instances in all, started, done, elements of instances still to be started).
Multi = tuple[int, int, int, tuple[Any, ...]]


class Frame(NamedTuple):
    """A running scope.

    Attributes:
        parent: the frame around it; 0 for the process.
        owner: the token in the parent that waits for it to end; 0 for the process and for event sub-processes.
        arrivals: (flow number, tokens that wait at a join after arriving by it).
        local: names that only this frame and what is in it can read.
    """

    scope: int
    parent: int
    owner: int
    arrivals: tuple[tuple[int, int], ...] = ()
    armed: Armed = ()
    local: Mapping[str, Any] = {}  # never changed: a frame's locals are given once


class Token(NamedTuple):
    """A token at rest: a waiting step, an activity with an inner frame, a repeated activity."""

    frame: int
    node: int
    armed: Armed = ()
    multi: Multi | None = None


class Passed(NamedTuple):
    """One line of an act's trace; `what` is entered, left or cancelled."""

    node_id: str
    what: str


class Wait(NamedTuple):
    """Something an act or an event can move.

    Attributes:
        kind: task, timer, message, signal, conditional, or service: work that failed and will be tried again.
        owner: the token (or, for the start of an event sub-process, the frame) it belongs to; what `complete` takes as token.
        local: `loop_index` and the element variable of a repeated activity.
        fired: how often a repeating timer has fired; it is due again after each time.
    """

    kind: str
    owner: int
    node: Node
    local: Mapping[str, Any]
    fired: int = 0

    @property
    def key(self) -> str:
        """Stable as long as it waits, never used again in the case."""
        return f"{self.owner}:{self.node.id}"

    @property
    def is_token(self) -> bool:
        """Whether a token rests at the node itself, as at a task or catch event; boundary events and event starts are only armed."""
        return self.node.kind not in (Kind.BOUNDARY, Kind.START)


@dataclass(frozen=True, slots=True)
class Marking:
    """Where a case stands.

    Attributes:
        next: the next number for a frame or token; numbers are never used twice.
        end: node number of the end event that decides the outcome so far; -1 for none.
        ended: the outcome, once the case has ended.
    """

    frames: Mapping[int, Frame]
    tokens: Mapping[int, Token]
    next: int = ROOT
    end: int = -1
    ended: str | None = None

    def dump(self) -> str:
        """Compact JSON with its format number first; what is empty at the end of a row is left out."""
        frames = [_trim([number, *frame]) for number, frame in self.frames.items()]
        tokens = [_trim([number, *token]) for number, token in self.tokens.items()]
        return json.dumps([FORMAT, self.next, self.end, self.ended, frames, tokens], ensure_ascii=False, separators=(",", ":"))

    def shape(self) -> object:
        """The marking without its numbers, to be compared and hashed: two cases that will behave alike have one shape."""
        return (self.end, self.ended, tuple(self._frame_shape(number) for number, frame in self.frames.items() if not frame.parent))

    def _frame_shape(self, number: int) -> tuple[Any, ...]:
        frame = self.frames[number]
        inside = [(inner.owner, self._frame_shape(key)) for key, inner in self.frames.items() if inner.parent == number]
        tokens = (
            (token.node, token.armed, repr(token.multi), tuple(sorted(shape for owner, shape in inside if owner == key)))
            for key, token in self.tokens.items()
            if token.frame == number
        )
        events = tuple(sorted(shape for owner, shape in inside if not owner))
        local = json.dumps(frame.local, sort_keys=True, ensure_ascii=False)
        return (frame.scope, tuple(sorted(frame.arrivals)), frame.armed, local, tuple(sorted(tokens)), events)

    @staticmethod
    def load(text: str) -> Marking:
        """The marking of a dump, brought to today's format if an earlier release wrote it.

        Raises:
            UnknownFormat: a later release wrote it.
        """
        data = json.loads(text)
        while (written := data[0]) != FORMAT:
            if written not in UPGRADES:
                raise UnknownFormat(format=written)
            data = UPGRADES[written](data)
            assert data[0] > written, "an upgrade leads to a later format"
        _, following, end, ended, frames, tokens = data
        return Marking(
            {row[0]: _frame(row) for row in frames},
            {row[0]: _token(row) for row in tokens},
            following,
            end,
            ended,
        )


def _trim(row: list[Any]) -> list[Any]:
    while not row[-1]:
        row.pop()
    return row


def _frame(row: list[Any]) -> Frame:
    row += [0, 0, 0, (), (), {}][len(row) - 1 :] if len(row) < 7 else []
    return Frame(row[1], row[2], row[3], tuple(map(tuple, row[4])), tuple(map(tuple, row[5])), row[6])


def _token(row: list[Any]) -> Token:
    if len(row) < 4:
        return Token(row[1], row[2] if len(row) > 2 else 0)
    multi = row[4] if len(row) > 4 else None
    armed: Armed = tuple(map(tuple, row[3]))
    return Token(row[1], row[2], armed, (multi[0], multi[1], multi[2], tuple(multi[3])) if multi else None)


class Step(NamedTuple):
    """What an act yields: the new marking and what was passed on the way."""

    marking: Marking
    trace: tuple[Passed, ...]
