"""A large procedure diagram by diagram: each called one is explored by itself, then stands in its caller as one step that ends in any way found.

What others write while a called diagram runs may have any value at any time; so nothing that can happen in it is missed. In the caller the step cannot
end while something it waits for is out of reach there, so that two diagrams that wait for each other are found.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any

from engine.checker.explore import Graph, explore
from engine.checker.facts import Facts, Raw, asked, expressions, sets_of
from engine.checker.hiding import hideable
from engine.checker.independence import Independence
from engine.checker.liveness import Liveness
from engine.checker.world import Act, Box, Outcome, World
from engine.decisions import Decision
from engine.net import Kind, Net, Node


@dataclass(frozen=True)
class Question:
    """What is asked of a procedure, beside that it comes to an end.

    Attributes:
        texts: expressions of the office's rules.
        marks: clauses and element ids whose having been done matters.
        frozen: node numbers of steps that nobody ever completes.
        exact: facts that must not be hidden.
        coarse: only these and what the texts read are held at all; shows that something never happens, not that something can.
    """

    texts: tuple[str, ...] = ()
    marks: tuple[str, ...] = ()
    frozen: frozenset[int] = frozenset()
    exact: frozenset[str] = frozenset()
    coarse: bool = False


#: Makes, for the world of a walk, what is told of every act that is tried.
Watching = Callable[[World], Callable[[int, Act, Outcome], None]]


@dataclass(frozen=True)
class Part:
    """One explored diagram: the process itself or a called one; `name` is the path of its call."""

    name: str
    world: World
    graph: Graph


class Survey:
    """Explores one procedure, whole or in parts.

    Args:
        derived: tables that are recomputed after every change (rules.toml).
        until: `time.process_time()` at which to give up.
    """

    def __init__(
        self,
        net: Net,
        decisions: Mapping[str, Decision],
        derived: Iterable[str],
        until: float | None = None,
        chances: Mapping[str, tuple[Any, ...]] | None = None,
    ) -> None:
        self.net, self.decisions, self.derived, self.until, self.chances = net, decisions, tuple(derived), until, chances or {}
        self._hiding: dict[Question, tuple[frozenset[str], tuple[Raw, ...]]] = {}
        facts = Facts(net, decisions, self.derived, chances=self.chances)
        self.free, self.names = facts.free, facts.relevant
        self.inside = {node.index: self._subtree(node) for node in net.nodes if node.kind is Kind.CALL_ACTIVITY and node.body is not None}

    def _subtree(self, call: Node) -> frozenset[int]:
        scopes = {call.body}
        grown = True
        while grown:
            more = {scope.index for scope in self.net.scopes if scope.parent in scopes}
            grown = not more <= scopes
            scopes |= more
        return frozenset(node.index for node in self.net.nodes if node.scope in scopes)

    def whole(self, question: Question, limit: int, watching: Watching | None = None) -> Part:
        """Everything in one walk."""
        hidden, plain = self._hidden(question)
        facts = Facts(
            self.net,
            self.decisions,
            self.derived,
            question.texts,
            hidden=hidden,
            known=self._known(question),
            frozen=question.frozen,
            chances=self.chances,
        )
        world = World(self.net, facts, question.texts, question.marks, plain=plain)
        return Part("", world, self._walk(world, question, frozenset(), limit, watching=watching))

    def parts(self, question: Question, limit: int, watching: Watching | None = None) -> Iterator[Part]:
        """Called diagrams first, the process itself last."""
        boxes: dict[int, Box] = {}
        for call in sorted(self.inside, key=lambda index: len(self.inside[index])):
            if self._stands_alone(call):
                part, box = self._called(call, boxes, question, limit)
                yield part
                boxes[call] = box
        yield self._main(boxes, question, limit, watching)

    def hideable(self) -> frozenset[str]:
        """Facts that are not held unless a question turns on them."""
        return self._hidden(Question())[0]

    # One walk.

    def _walk(
        self,
        world: World,
        question: Question,
        keep: frozenset[str],
        limit: int,
        entries: Iterable[tuple[int, ...]] = (),
        watching: Watching | None = None,
    ) -> Graph:
        ways = Independence(world)
        always = keep.union(*(world.facts.raw_names(text) for text in question.texts))
        liveness = Liveness(world, ways.prints, always)
        return explore(
            world,
            entries=[*entries],
            reduce=ways.reduce,
            forget=liveness.forget,
            frozen=question.frozen,
            watch=watching(world) if watching is not None else None,
            until=self.until,
            limit=limit,
        )

    def _main(self, boxes: Mapping[int, Box], question: Question, limit: int, watching: Watching | None) -> Part:
        within = frozenset(range(len(self.net.nodes))).difference(*(self.inside[index] for index in boxes))
        world = self._world(0, within, boxes, question)
        return Part("", world, self._walk(world, question, frozenset(), limit, watching=watching))

    def _world(self, root: int, within: frozenset[int], boxes: Mapping[int, Box], question: Question, shared: Iterable[str] = ()) -> World:
        """The world of one diagram; calls explored before stand as steps, facts shared with others are remembered."""
        here = {index: box for index, box in boxes.items() if index in within}
        nodes = tuple(replace(node, kind=Kind.MANUAL_TASK, body=None) if node.index in here else node for node in self.net.nodes)
        scopes = tuple(
            replace(scope, kind="process", parent=None, owner=None) if scope.index == root else scope for scope in self.net.scopes
        )
        net = replace(self.net, nodes=nodes, scopes=scopes)
        texts = [*question.texts, *shared, *(text for box in here.values() for text, _ in box.needs)]
        written = {index: self._writes(self.inside[index]) for index in here}
        hidden, plain = self._hidden(question)
        facts = Facts(
            net,
            self.decisions,
            self.derived,
            texts,
            within=within,
            boxes=written,
            hidden=hidden,
            known=self._known(question),
            frozen=question.frozen,
            chances=self.chances,
        )
        return World(net, facts, texts, question.marks, root=root, boxes=here, plain=plain)

    def _known(self, question: Question) -> frozenset[str] | None:
        """The facts that a coarse question turns on."""
        if not question.coarse:
            return None
        facts = Facts(self.net, self.decisions, self.derived, question.texts, chances=self.chances)
        return question.exact.union(*(facts.raw_names(text) for text in question.texts)) & frozenset(facts.held)

    def _hidden(self, question: Question) -> tuple[frozenset[str], tuple[Raw, ...]]:
        """What need not be held for this question, and the examples of free facts, found once for the whole procedure."""
        if question.coarse:
            return frozenset(), ()
        if question not in self._hiding:
            facts = Facts(self.net, self.decisions, self.derived, question.texts, chances=self.chances)
            examples = World(self.net, facts, question.texts).examples
            self._hiding[question] = hideable(facts, examples, question.exact), examples
        return self._hiding[question]

    def _writes(self, nodes: Iterable[int]) -> frozenset[str]:
        found: set[str] = set()
        for node in (self.net.nodes[index] for index in nodes):
            found.update(field.id for field in asked(node))
            found.update(name for name, _ in sets_of(node))
            if node.decision is not None and node.decision in self.decisions and node.decision not in self.derived:
                found.update(self.decisions[node.decision].outputs)
        return frozenset(found)

    # A called diagram.

    def _stands_alone(self, call: int) -> bool:
        """Whether messages and signals stay on one side of the call."""
        inside = self.inside[call]
        sides: dict[tuple[str, str], set[bool]] = {}
        for node in self.net.nodes:
            event = node.event
            if event is not None and event.kind in ("message", "signal") and not node.candidate_groups:
                sides.setdefault((event.kind, event.name), set()).add(node.index in inside)
        return all(len(found) == 1 for found in sides.values())

    def _called(self, call: int, boxes: Mapping[int, Box], question: Question, limit: int) -> tuple[Part, Box]:
        root = self.net.nodes[call].body
        assert root is not None
        inner = [index for index in boxes if index in self.inside[call]]
        within = self.inside[call].difference(*(self.inside[index] for index in inner))
        shared = self._writes(self.inside[call]) & self._read_outside(call, question) - self.free - self._hidden(question)[0]
        world = self._world(root, within, boxes, question, sorted(shared))
        keep = shared & set(world.facts.held)
        names = tuple(sorted(keep))
        places = [world.place[name] for name in names]
        entries = [(world.null,) * len(world.facts.held)]
        graph = Graph()
        ends: dict[Any, tuple[tuple[Any, ...], tuple[Any, ...], frozenset[str]]] = {}
        for entry in entries:
            walk = self._walk(world, question, keep, limit, [entry])
            graph.join(walk)
            called = tuple(world.values.values[entry[place]] for place in places)
            for state in walk.states:
                if state.marking.ended is None:
                    continue
                numbers = tuple(state.held[place] for place in places)
                marks = frozenset(name for name, bit in world.marks.items() if state.done & bit)
                ends.setdefault((entry, numbers, marks), (called, tuple(world.values.values[number] for number in numbers), marks))
                again = list(entries[0])
                for place, number in zip(places, numbers, strict=True):
                    again[place] = number
                if tuple(again) not in entries:
                    entries.append(tuple(again))
        nothing = (tuple(None for _ in names),) * 2
        box = Box(names, tuple(ends.values()) or ((*nothing, frozenset()),), self._needs(world, boxes, within))
        return Part(self.net.nodes[call].id, world, graph), box

    def _read_outside(self, call: int, question: Question) -> frozenset[str]:
        """Facts that the rest of the procedure, or the same diagram when it is called again, reads."""
        facts = Facts(self.net, self.decisions, self.derived, question.texts, chances=self.chances)
        outside = frozenset(range(len(self.net.nodes))) - self.inside[call]
        texts = [*expressions(self.net, outside), *question.texts]
        for index in outside:
            node = self.net.nodes[index]
            texts += [text for name, text in sets_of(node) if name in facts.relevant]
            texts += [
                text for field in node.form for text in (field.properties.get("shown_when"), field.constraints.get("required_when")) if text
            ]
        return frozenset().union(*(facts.raw_names(text) for text in texts))

    def _needs(self, world: World, boxes: Mapping[int, Box], within: frozenset[int]) -> tuple[tuple[str, tuple[str, ...]], ...]:
        """Conditions it waits for that others have a hand in, with the facts in them that are its own."""
        foreign = world.facts.foreign
        texts = [
            node.event.condition
            for node in world.facts.nodes
            if node.kind is Kind.CATCH and node.event is not None and node.event.condition and self._only_way(world.net, node)
        ]
        texts += [text for index, box in boxes.items() if index in within for text, _ in box.needs]
        found = []
        for text in dict.fromkeys(texts):
            names = world.facts.raw_names(text)
            if names & foreign:
                found.append((text, tuple(sorted(names & set(world.facts.held)))))
        return tuple(found)

    @staticmethod
    def _only_way(net: Net, node: Node) -> bool:
        """A catch event behind an event-based gateway has alternatives."""
        return all(net.nodes[net.flows[flow].source].kind is not Kind.EVENT_GATEWAY for flow in node.incoming)
