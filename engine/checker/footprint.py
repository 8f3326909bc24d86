"""What one act can touch at most, told from the diagram alone: nodes it passes, facts it reads and writes, steps it takes away.

A *move* is one thing that can happen somewhere: a step completed or sent back, an event, one alternative of a condition. Behind a join or
the end of a sub-process a move only goes on when everything awaited there is done; so what lies behind it cannot come between two moves
that are both awaited there. Such a place is called a *barrier*, and what lies behind it is marked with it.
"""

from __future__ import annotations

import ast
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import lru_cache
from typing import NamedTuple

from engine.checker.facts import asked, sets_of
from engine.checker.world import World
from engine.expressions import syntax
from engine.net import Kind, Node


class Move(NamedTuple):
    """complete, back (to node `detail`), event (alternative `detail` of its condition) or progress (of a called diagram) at a node."""

    kind: str
    at: int
    detail: int = 0


class Barrier(NamedTuple):
    """A join (node number) that the move reaches, the end of a scope, or an event that the move can only set off while it is armed."""

    kind: str
    at: int


@dataclass
class Part:
    """What a move touches behind the same barriers; sets of nodes are bit masks."""

    reads: set[str] = field(default_factory=set)
    writes: dict[str, str | None] = field(default_factory=dict)  # fact -> the constant written, None for anything
    rests: int = 0  # where tokens may come to rest
    takes: int = 0  # steps and catch events whose token may be consumed from afar or taken away


@dataclass
class Footprint:
    """Everything one move can touch.

    Attributes:
        place: where the token rests that the move consumes (a mask).
        parts: what it touches, by the barriers it lies behind.
        lands: everything that can come to rest through it, wherever (a mask).
        renewed: facts that it asks for before it reads anything, so that their old value does not matter.
        exposed: facts whose old value it may read.
        guards: conditions that must hold before it can happen.
    """

    move: Move
    place: int
    parts: dict[frozenset[Barrier], Part] = field(default_factory=dict)
    lands: int = 0
    renewed: frozenset[str] = frozenset()
    exposed: frozenset[str] = frozenset()
    guards: tuple[str, ...] = ()


_TIMELESS = (Kind.USER_TASK, Kind.MANUAL_TASK, Kind.RECEIVE_TASK)


class Footprints:
    """The footprints of all moves of a net."""

    def __init__(self, world: World) -> None:
        net, facts = world.net, world.facts
        self.net, self.facts, self.world = net, facts, world
        self.spontaneous = frozenset(world.free_conditions)
        self.inside = self._inside()
        self.alternatives: dict[int, tuple[str, ...]] = {
            node.index: alternatives(node.event.condition) if node.event is not None and node.event.condition else ("",)
            for node in net.nodes
        }
        self.catchers: dict[tuple[str, str], list[int]] = {}
        self.readers: dict[str, list[int]] = {}
        for node in facts.nodes:
            event = node.event
            if event is None or node.kind not in (Kind.CATCH, Kind.BOUNDARY, Kind.START, Kind.RECEIVE_TASK):
                continue
            if event.kind in ("message", "signal"):
                self.catchers.setdefault((event.kind, event.name), []).append(node.index)
            if event.kind == "conditional" and node.index not in self.spontaneous:
                for name in facts.raw_names(event.condition or ""):
                    self.readers.setdefault(name, []).append(node.index)
        self.all = {footprint.move: footprint for footprint in self._all()}

    def _inside(self) -> dict[int, int]:
        """Per scope, the mask of nodes in it and in everything it opens."""
        masks = dict.fromkeys(range(len(self.net.scopes)), 0)
        for node in self.net.nodes:
            scope: int | None = node.scope
            while scope is not None:
                masks[scope] |= 1 << node.index
                scope = self.net.scopes[scope].parent
        for node in self.net.nodes:
            if node.multi is not None:
                scope = node.multi.scope
                masks[scope] |= 1 << node.index
        return masks

    def _all(self) -> Iterator[Footprint]:
        for node in self.facts.nodes:
            here = 1 << node.index
            if node.index in self.world.boxes:
                yield self._walk(Move("complete", node.index), here, node, leaving=True)
                yield self._walk(Move("progress", node.index), 0, node)
            elif node.kind in _TIMELESS:
                yield self._walk(Move("complete", node.index), here, node, leaving=True)
                for flow in node.send_backs:
                    target = self.net.flows[flow].target
                    yield self._walk(Move("back", node.index, target), here, node, to=[(target, -1)])
            if node.event is None or node.event.kind in ("none", "link", "terminate"):
                continue
            if node.kind is Kind.RECEIVE_TASK and node.event.kind == "message":
                yield self._walk(Move("event", node.index), here | self._gateways(node), node, leaving=True)
            elif node.kind in (Kind.CATCH, Kind.BOUNDARY) or (node.kind is Kind.START and self.net.scopes[node.scope].kind == "event"):
                place = here
                if node.kind is Kind.BOUNDARY and node.attached is not None:
                    place = 1 << node.attached
                elif node.kind is Kind.CATCH:
                    place |= self._gateways(node)
                for detail in range(len(self.alternatives[node.index])):
                    yield self._walk(Move("event", node.index, detail), place, node, event=True)

    def _gateways(self, node: Node) -> int:
        """The event-based gateways at which a token waits for this event."""
        sources = (self.net.nodes[self.net.flows[flow].source] for flow in node.incoming)
        return sum(1 << source.index for source in sources if source.kind is Kind.EVENT_GATEWAY)

    # The walk.

    def _walk(
        self, move: Move, place: int, node: Node, *, leaving: bool = False, event: bool = False, to: Iterable[tuple[int, int]] = ()
    ) -> Footprint:
        walk = _Walk(self, Footprint(move, place))
        part = walk.part(frozenset())
        if node.index in self.world.boxes:
            walk.write(dict.fromkeys(self.facts.written[node.index]), frozenset())
            for text, _ in self.world.boxes[node.index].needs:
                part.reads |= self.facts.raw_names(text)
        elif move.kind == "complete" or node.candidate_groups:
            walk.write({field.id: None for field in asked(node) if field.id in self.facts.relevant and node.multi is None}, frozenset())
        if move.kind != "back" and node.index not in self.world.boxes:
            walk.sets(node, frozenset())
        guards: set[str] = set()
        if event and node.event is not None and node.event.timer is not None and not node.event.timer.literal:
            part.reads |= self.facts.raw_names(node.event.timer.text)
        for condition in (node.properties.get("offered_when"), self.alternatives[node.index][move.detail]) if event else ():
            if condition:
                walk.found.guards += conjuncts(condition)
                guards |= self.facts.raw_names(condition)
        if leaving:
            walk.leave(node, frozenset())
        if event:
            walk.happen(node, frozenset())
        for target, flow in to:
            walk.visit(target, flow, frozenset())
        walk.run()
        found = walk.found
        form = tuple(asked(node)) if move.kind == "complete" or node.candidate_groups else ()
        renewed = {field.id for field in form if "shown_when" not in field.properties and node.multi is None}
        conditions = {part for field in form for part in self._form_reads(field.constraints.get("required_when"), renewed)}
        found.renewed = frozenset(renewed - guards)
        found.exposed = frozenset().union(guards, conditions, *(part.reads - renewed for part in found.parts.values()))
        for here in found.parts.values():
            found.lands |= here.rests
        walk.keep_near()
        return found

    def _form_reads(self, text: str | None, renewed: set[str]) -> frozenset[str]:
        return self.facts.raw_names(text) - renewed if text else frozenset()


class _Walk:
    """Collects one footprint."""

    def __init__(self, owner: Footprints, found: Footprint) -> None:
        self.owner, self.net, self.facts, self.found = owner, owner.net, owner.facts, found
        self.todo: list[tuple[int, int, frozenset[Barrier]]] = []
        self.seen: dict[tuple[int, int], list[frozenset[Barrier]]] = {}
        self.near: set[int] = set()
        for node in self.net.nodes:
            if found.place >> node.index & 1:
                self.come_near(node)

    def come_near(self, node: Node) -> None:
        """The scopes that run already where the move takes place."""
        scope: int | None = node.scope
        while scope is not None:
            self.near.add(scope)
            scope = self.net.scopes[scope].parent
        for inner in (node.body, node.multi.scope if node.multi else None):
            if inner is not None:
                self.near.add(inner)

    def keep_near(self) -> None:
        """What comes to rest in a scope that the move itself opens cannot be taken away by what ends an earlier run of that scope."""
        mask = sum(1 << node.index for node in self.net.nodes if node.scope in self.near)
        for part in self.found.parts.values():
            part.rests &= mask

    def part(self, behind: frozenset[Barrier]) -> Part:
        return self.found.parts.setdefault(behind, Part())

    def visit(self, index: int, flow: int, behind: frozenset[Barrier]) -> None:
        """A token may come here by a flow."""
        before = self.seen.setdefault((index, flow), [])
        if not any(other <= behind for other in before):
            before.append(behind)
            self.todo.append((index, flow, behind))

    def run(self) -> None:
        """Walk on until nothing new is reached."""
        while self.todo:
            index, flow, behind = self.todo.pop()
            self.arrive(self.net.nodes[index], flow, behind)

    def write(self, changes: Mapping[str, str | None], behind: frozenset[Barrier]) -> None:
        """Facts are written; a condition that reads them and waits may come true with it."""
        part = self.part(behind)
        for name, constant in changes.items():
            if name in self.facts.held:
                part.writes[name] = constant if part.writes.get(name, constant) == constant else None
                for reader in self.owner.readers.get(name, ()):
                    self.remote(reader, behind | {Barrier("armed", reader)})

    def sets(self, node: Node, behind: frozenset[Barrier]) -> None:
        """What passing a node writes."""
        for name, text in sets_of(node):
            self.part(behind).reads |= self.facts.raw_names(text)
            self.write(
                {name: text if isinstance(syntax(text), (ast.Constant, ast.Name)) and not self.facts.raw_names(text) else None}, behind
            )
        table = self.facts.tables.get(node.index)
        if table is not None:
            self.part(behind).reads |= table.names
            self.write(dict.fromkeys(table.outputs), behind)

    def remote(self, index: int, behind: frozenset[Barrier]) -> None:
        """An event somewhere else may happen."""
        node = self.net.nodes[index]
        self.come_near(node)
        event = node.event
        if event is not None and event.condition:
            self.part(behind).reads |= self.facts.raw_names(event.condition)
        if node.kind is Kind.BOUNDARY and node.attached is not None:
            self.part(behind).takes |= 1 << node.attached
        else:
            self.part(behind).takes |= 1 << node.index
            for flow in node.incoming:
                source = self.net.nodes[self.net.flows[flow].source]
                if source.kind is Kind.EVENT_GATEWAY:
                    self.part(behind).takes |= 1 << source.index
        if node.kind is Kind.RECEIVE_TASK:
            self.leave(node, behind)
        else:
            self.happen(node, behind)

    def happen(self, node: Node, behind: frozenset[Barrier]) -> None:
        """An event takes place: it interrupts, and its flow is taken."""
        assert node.event is not None
        if node.kind is Kind.BOUNDARY and node.attached is not None:
            host = self.net.nodes[node.attached]
            if node.event.interrupting:
                self.part(behind).takes |= self.around(host)
            self.follow(node, behind)
        elif node.kind is Kind.START:
            parent = self.net.scopes[node.scope].parent
            if node.event.interrupting and parent is not None:
                self.part(behind).takes |= self.owner.inside[parent]
            self.part(behind).rests |= 1 << node.index
            self.visit(node.index, -1, behind)
        else:
            self.follow(node, behind)

    def around(self, host: Node) -> int:
        """An activity with everything in it."""
        mask = 1 << host.index
        for scope in (host.body, host.multi.scope if host.multi else None):
            if scope is not None:
                mask |= self.owner.inside[scope]
        return mask

    def follow(self, node: Node, behind: frozenset[Barrier]) -> None:
        """Every flow that leaves a node."""
        for index in node.outgoing:
            flow = self.net.flows[index]
            if flow.condition:
                self.part(behind).reads |= self.facts.raw_names(flow.condition)
            self.visit(flow.target, index, behind)

    def leave(self, node: Node, behind: frozenset[Barrier]) -> None:
        """An activity, or one of its instances, is done."""
        if node.multi is not None:
            scope = node.multi.scope
            within = behind | {Barrier("scope", scope)}
            if node.multi.completion:
                self.part(behind).reads |= self.facts.raw_names(node.multi.completion)
                self.part(behind).takes |= self.owner.inside[scope]
                within = behind
            if node.multi.sequential:
                self.part(behind).rests |= 1 << node.index
                if node.body is not None:
                    self.enter_body(node, behind)
            self.follow(node, within)
        else:
            self.follow(node, behind)

    def close(self, scope: int, behind: frozenset[Barrier]) -> None:
        """Nothing may be left in a scope."""
        here = self.net.scopes[scope]
        within = behind | {Barrier("scope", scope)}
        self.part(within).takes |= sum(1 << start for start in here.event_starts)  # with the scope, they are no longer armed
        if here.owner is None:
            return
        if here.kind == "event":
            if here.parent is not None:
                self.close(here.parent, within)
        else:
            self.leave(self.net.nodes[here.owner], within)

    def enter_body(self, node: Node, behind: frozenset[Barrier]) -> None:
        """The inner process starts."""
        assert node.body is not None
        scope = self.net.scopes[node.body]
        for start in scope.starts:
            self.visit(start, -1, behind)
        for start in scope.event_starts:
            self.arm(start, behind)

    def arm(self, index: int, behind: frozenset[Barrier]) -> None:
        """A condition over held facts may be true as soon as it is armed."""
        node = self.net.nodes[index]
        if node.event is not None and node.event.kind == "conditional" and index not in self.owner.spontaneous:
            self.remote(index, behind)

    def arrive(self, node: Node, flow: int, behind: frozenset[Barrier]) -> None:
        """One node."""
        kind = node.kind
        if kind in (Kind.PARALLEL, Kind.INCLUSIVE) and len(node.incoming) > 1:
            self.part(behind).rests |= 1 << node.index
            self.follow(node, behind | {Barrier("join", node.index)})
        elif kind in _TIMELESS:
            self.rest(node, behind)
        elif kind in (Kind.SUB_PROCESS, Kind.CALL_ACTIVITY):
            self.rest(node, behind)
            self.enter_body(node, behind)
        elif kind in (Kind.TASK, Kind.SEND_TASK, Kind.SERVICE_TASK, Kind.BUSINESS_RULE_TASK):
            if node.multi is not None:
                self.rest(node, behind)
            self.sets(node, behind)
            if kind is not Kind.TASK:
                self.thrown("error", None, node, behind, own=True)
            if kind is Kind.SEND_TASK and node.event is not None and node.event.kind == "message":
                self.heard("message", node.event.name, behind)
            self.follow(node, behind)
        elif kind in (Kind.CATCH, Kind.EVENT_GATEWAY):
            if node.event is not None and node.event.kind == "link":
                self.follow(node, behind)
            else:
                self.part(behind).rests |= 1 << node.index
                for index in (node.index, *node.targets):
                    self.arm(index, behind)
        elif kind in (Kind.THROW, Kind.END):
            self.throw(node, behind)
        else:
            self.follow(node, behind)

    def rest(self, node: Node, behind: frozenset[Barrier]) -> None:
        """A token stays; its boundary events are armed."""
        part = self.part(behind)
        part.rests |= 1 << node.index
        if node.multi is not None:
            for text in (node.multi.collection, node.multi.cardinality):
                part.reads |= self.facts.raw_names(text) if text else set()
            self.follow(node, behind)  # a list without elements is passed
        for boundary in node.boundaries:
            self.arm(boundary, behind)

    def throw(self, node: Node, behind: frozenset[Barrier]) -> None:
        """A throw or end event."""
        event = node.event
        kind = event.kind if event else "none"
        if event is not None and kind == "link":
            for target in node.targets:
                self.visit(target, -1, behind)
            return
        if event is not None and kind in ("message", "signal"):
            self.sets(node, behind)
            self.heard(kind, event.name, behind)
        elif event is not None and kind in ("error", "escalation"):
            self.thrown(kind, event.code, node, behind)
        elif kind == "terminate":
            self.part(behind).takes |= self.owner.inside[node.scope]
            here = self.net.scopes[node.scope]
            if here.owner is not None and here.kind != "event":
                self.leave(self.net.nodes[here.owner], behind)
        if node.kind is Kind.END:
            self.close(node.scope, behind)
        else:
            self.follow(node, behind)

    def heard(self, kind: str, name: str, behind: frozenset[Barrier]) -> None:
        """Whoever may catch a message or signal."""
        for index in self.owner.catchers.get((kind, name), ()):
            self.remote(index, behind | {Barrier("armed", index)})

    def thrown(self, kind: str, code: str | None, node: Node, behind: frozenset[Barrier], *, own: bool = False) -> None:
        """Whoever may catch an error or escalation, outward."""
        hosts = [node] if own else []
        scope = self.net.scopes[node.scope]
        while True:
            for index in [*(boundary for host in hosts for boundary in host.boundaries), *scope.event_starts]:
                event = self.net.nodes[index].event
                if event is not None and event.kind == kind and (code is None or event.code in (None, code)):
                    self.remote(index, behind)
            if scope.owner is None or scope.parent is None:
                if kind == "error" and not own:
                    self.part(behind).takes |= self.owner.inside[scope.index]  # caught by nobody, it ends the case
                return
            hosts = [self.net.nodes[scope.owner]]
            scope = self.net.scopes[scope.parent]


@lru_cache(maxsize=4096)
def alternatives(text: str) -> tuple[str, ...]:
    """The parts of a condition of which one suffices."""
    tree = syntax(text)
    if isinstance(tree, ast.BoolOp) and isinstance(tree.op, ast.Or):
        return tuple(part for value in tree.values for part in alternatives(ast.unparse(value)))
    return (ast.unparse(tree),)


@lru_cache(maxsize=4096)
def conjuncts(text: str) -> tuple[str, ...]:
    """The parts of a condition that are all needed."""
    tree = syntax(text)
    if isinstance(tree, ast.BoolOp) and isinstance(tree.op, ast.And):
        return tuple(part for value in tree.values for part in conjuncts(ast.unparse(value)))
    return (ast.unparse(tree),)
