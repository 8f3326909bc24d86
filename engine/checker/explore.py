"""Walks through all states, nearest first, so that the first run found to anything is a shortest one."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

from engine.checker.world import Act, Outcome, State, World, key_of
from engine.marking import Marking

#: So many tokens at one place mean that they only grow.
MAX_ALIKE = 6


@dataclass
class Graph:
    """What was found.

    Attributes:
        came: per state, (state before, act, outcome) on a shortest way to it; state before -1 at a start.
        ways: per state, (state after, act, whether it can go so whatever the hidden facts are) of every act tried.
        stuck: states in which nothing of the ordinary course can happen.
        errors: (state, act, outcome) of acts that cannot be carried out.
        crowded: states in which tokens pile up.
        passed: node ids seen entered or left.
        finished: whether every state was walked through.
    """

    states: list[State] = field(default_factory=list)
    came: list[tuple[int, Act, Outcome]] = field(default_factory=list)
    ways: list[list[tuple[int, Act, bool]]] = field(default_factory=list)
    stuck: list[int] = field(default_factory=list)
    errors: list[tuple[int, Act, Outcome]] = field(default_factory=list)
    crowded: list[int] = field(default_factory=list)
    passed: set[str] = field(default_factory=set)
    transitions: int = 0
    full: int = 0
    finished: bool = True

    def run_to(self, state: int) -> list[tuple[Act, Outcome]]:
        """The acts of a shortest way to a state."""
        run = []
        while state >= 0:
            state, act, outcome = self.came[state]
            run.append((act, outcome))
        return run[::-1]

    def surely(self, goals: set[int]) -> set[int]:
        """States from which one of these can be reached by the ordinary course, whatever the hidden facts are."""
        acts: list[dict[Act, list[tuple[int, bool]]]] = []
        before: list[set[int]] = [set() for _ in self.states]
        for here, ways in enumerate(self.ways):
            by_act: dict[Act, list[tuple[int, bool]]] = {}
            for there, act, sure in ways:
                if not act.side:
                    by_act.setdefault(act, []).append((there, sure))
                    before[there].add(here)
            acts.append(by_act)
        found = set(goals)
        todo = list(goals)
        while todo:
            for here in before[todo.pop()]:
                if here not in found and any(
                    any(sure and there in found for there, sure in ends) or all(there in found for there, _ in ends)
                    for act, ends in acts[here].items()
                ):
                    found.add(here)
                    todo.append(here)
        return found

    def join(self, other: Graph) -> None:
        """Take in the walk of the same diagram from another beginning."""
        first = len(self.states)
        self.states += other.states
        self.came += [(before + first if before >= 0 else -1, act, outcome) for before, act, outcome in other.came]
        self.ways += [[(there + first, act, sure) for there, act, sure in ways] for ways in other.ways]
        self.stuck += [state + first for state in other.stuck]
        self.crowded += [state + first for state in other.crowded]
        self.errors += [(before + first if before >= 0 else -1, act, outcome) for before, act, outcome in other.errors]
        self.passed |= other.passed
        self.transitions += other.transitions
        self.finished = self.finished and other.finished

    def backward(self, goals: set[int], *, side: bool = True, without: frozenset[int] = frozenset()) -> set[int]:
        """States from which one of these can be reached; `side` = whether side actions count, `without` acts at these nodes."""
        before: list[list[int]] = [[] for _ in self.states]
        for here, ways in enumerate(self.ways):
            for there, act, _ in ways:
                if (side or not act.side) and act.at not in without:
                    before[there].append(here)
        seen = set(goals)
        todo = list(goals)
        while todo:
            for here in before[todo.pop()]:
                if here not in seen:
                    seen.add(here)
                    todo.append(here)
        return seen


Reduce = Callable[[State, Sequence[Act]], tuple[Sequence[Act], Sequence[Act]]]


def explore(
    world: World,
    *,
    reduce: Reduce | None = None,
    forget: Callable[[State], State] | None = None,
    entries: Sequence[tuple[int, ...]] = (),
    frozen: frozenset[int] = frozenset(),
    watch: Callable[[int, Act, Outcome], None] | None = None,
    until: float | None = None,
    limit: int = 2_000_000,
) -> Graph:
    """Every reachable state.

    Args:
        entries: held facts to start with, where they are not all unknown.
        reduce: chooses acts that stand for all of them (engine/checker/independence.py); None tries everything.
        frozen: node numbers of steps that nobody ever completes.
        watch: is told of every act that was tried: state before, act, outcome.
        until: `time.process_time()` at which to give up.
        limit: states at which to give up.
    """
    graph = Graph()
    world.until = until
    known: dict[Any, int] = {}
    todo: deque[int] = deque()

    def arrive(before: int, act: Act, outcome: Outcome) -> int:
        """The number of the state an act leads to; -1 when it cannot be carried out."""
        graph.transitions += 1
        if watch is not None:
            watch(before, act, outcome)
        if outcome.error is not None:
            graph.errors.append((before, act, outcome))
            return -1
        graph.passed |= outcome.passed
        if forget is not None:
            outcome = outcome._replace(state=forget(outcome.state))
        key = key_of(outcome.state)
        number = known.get(key)
        if number is None:
            number = known[key] = len(graph.states)
            graph.states.append(outcome.state)
            graph.came.append((before, act, outcome))
            graph.ways.append([])
            if outcome.state.marking.ended is None:
                if is_crowded(outcome.state.marking):
                    graph.crowded.append(number)
                else:
                    todo.append(number)
        return number

    def expand(here: int, acts: Sequence[Act]) -> None:
        """Try acts in a state."""
        state, ways = graph.states[here], graph.ways[here]
        for act in acts:
            for outcome in world.outcomes(state, act):
                there = arrive(here, act, outcome)
                if there >= 0 and there != here:
                    ways.append((there, act, outcome.sure))

    left: dict[int, list[Act]] = {}
    for outcome in world.begin(entries):
        arrive(-1, Act("start", 0, world.net.start.index), outcome)
    while todo:
        while todo:
            if len(graph.states) > limit or (until is not None and time.process_time() > until):
                graph.finished = False
                return graph
            here = todo.popleft()
            acts = [act for act in world.acts(graph.states[here]) if act.at not in frozen]
            if not any(_goes_on(world, graph.states[here], act) for act in acts):
                graph.stuck.append(here)
            chosen, besides = reduce(graph.states[here], acts) if reduce is not None else (acts, ())
            expand(here, [*chosen, *(act for act in besides if act not in chosen)])
            if len(chosen) < len(acts):
                left[here] = [act for act in acts if act not in chosen and act not in besides]
        # Nothing may be put off for ever: where the walk goes round without leaving, what was put off is tried.
        for here in _rounds(graph) & left.keys():
            graph.full += 1
            expand(here, left.pop(here))
    graph.stuck.sort()
    return graph


def _goes_on(world: World, state: State, act: Act) -> bool:
    """Whether an act of the ordinary course can happen whatever the hidden facts are; only a condition can fail to come true."""
    return not act.side and (act.kind != "condition" or world.surely_comes_true(state, act))


def _rounds(graph: Graph) -> set[int]:
    """States from which the ordinary course comes to no end, as far as it has been tried."""
    ended = {here for here, state in enumerate(graph.states) if state.marking.ended is not None}
    return set(range(len(graph.states))) - graph.backward(ended | set(graph.crowded), side=False)


def is_crowded(marking: Marking) -> bool:
    """Whether tokens pile up at one place."""
    if len(marking.tokens) < MAX_ALIKE and len(marking.frames) < MAX_ALIKE and not any(frame.arrivals for frame in marking.frames.values()):
        return False
    alike: dict[tuple[int, int], int] = {}
    for token in marking.tokens.values():
        place = (token.frame, token.node)
        alike[place] = alike.get(place, 0) + 1
    for frame in marking.frames.values():
        if not frame.owner:
            place = (-frame.parent, frame.scope)
            alike[place] = alike.get(place, 0) + 1
        if any(count >= MAX_ALIKE for _, count in frame.arrivals):
            return True
    return any(count >= MAX_ALIKE for count in alike.values())
