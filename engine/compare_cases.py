"""Which running cases a change of their diagram concerns: those that wait at what is gone, and those that still have what changed before them."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from functools import cached_property

import sqlalchemy as sa

from engine.compare import Comparison
from engine.definitions import Definitions
from engine.marking import Marking
from engine.model import case_file
from engine.net import Net, Node

#: Cases looked at; an office that has more of one version is told so.
MOST = 20_000


@dataclass(frozen=True)
class Touched:
    """Open cases that run by one version.

    Attributes:
        running: all of them; at_removed: those that wait at an element the other version has no more; before: those that may still come to
            something that changed (the former among them).
        waiting: (element, name, cases) of the removed elements where some wait.
        cut_off: there are more than were looked at.
    """

    running: int = 0
    at_removed: int = 0
    before: int = 0
    waiting: tuple[tuple[str, str, int], ...] = ()
    cut_off: bool = False


def touched(connection: sa.Connection, definitions: Definitions, definition_id: int, comparison: Comparison) -> Touched:
    """The open cases of a version that a change of it concerns. They keep their version; this is for whoever thinks of moving them."""
    rows = connection.scalars(
        sa.select(case_file.c.marking).where(case_file.c.definition == definition_id, case_file.c.state == "open").limit(MOST + 1)
    ).all()
    if not rows:
        return Touched()
    way = _Way(definitions.get(connection, definition_id).net, comparison)
    before = at_removed = 0
    waiting: dict[str, int] = {}
    seen: dict[frozenset[int], tuple[bool, frozenset[int]]] = {}
    for text in rows[:MOST]:
        here = frozenset(_rests(Marking.load(text), way.net))
        if here not in seen:
            gone = frozenset(here & way.removed)
            seen[here] = (bool(gone or way.everybody or way.ahead(here) & way.changed), gone)
        concerned, gone = seen[here]
        before += concerned
        at_removed += bool(gone)
        for index in gone:
            id = way.net.nodes[index].id
            waiting[id] = waiting.get(id, 0) + 1
    told = tuple((id, way.net.by_id[id].name or id, count) for id, count in sorted(waiting.items()))
    return Touched(min(len(rows), MOST), at_removed, before, told, len(rows) > MOST)


def _rests(marking: Marking, net: Net) -> Iterable[int]:
    """Where a case stands: its tokens, and those that have arrived at a join."""
    yield from (token.node for token in marking.tokens.values())
    for frame in marking.frames.values():
        yield from (net.flows[flow].target for flow, _ in frame.arrivals)
        yield from (node for node, _ in frame.armed)


class _Way:
    """What of a net changed, and what can be come to from where."""

    def __init__(self, net: Net, comparison: Comparison) -> None:
        self.net = net
        gone = {(one.process, one.was) for one in comparison.changes if one.how == "removed" and one.what == "element"}
        other = {(one.process, one.was) for one in comparison.changes if one.what != "element" or one.how != "added"}
        #: A flow that changed, came or went is met at its source.
        flows = {(net.nodes[flow.source].process, flow.id): flow.source for flow in net.flows}
        at_sources = {flows[key] for key in other if key in flows}
        tables = {one.element for one in comparison.changes if not one.process and one.what != "scenario"}
        #: A table that no step names is computed after every change of facts: it concerns whoever still runs.
        self.everybody = bool(tables - {node.decision for node in net.nodes if node.decision})
        self.removed = frozenset(node.index for node in net.nodes if (node.process, node.element) in gone)
        self.changed = frozenset(
            node.index
            for node in net.nodes
            if (node.process, node.element) in other or node.index in at_sources or (node.decision is not None and node.decision in tables)
        )

    @cached_property
    def _next(self) -> tuple[frozenset[int], ...]:
        return tuple(frozenset(self._from(node)) for node in self.net.nodes)

    def _from(self, node: Node) -> Iterable[int]:
        net = self.net
        yield from (net.flows[flow].target for flow in (*node.outgoing, *node.send_backs))
        yield from node.boundaries
        yield from node.targets
        for scope in (node.body, node.multi.scope if node.multi is not None else None):
            if scope is not None and scope >= 0:
                yield from net.scopes[scope].starts
                yield from net.scopes[scope].event_starts
        around = net.scopes[node.scope]
        yield from around.event_starts
        if around.owner is not None:  # the scope ends, and its owner goes on
            owner = net.nodes[around.owner]
            yield from (net.flows[flow].target for flow in owner.outgoing)
            yield from owner.boundaries
            yield from net.scopes[owner.scope].event_starts

    def ahead(self, here: frozenset[int]) -> frozenset[int]:
        """Every node that can be come to, those it stands at included."""
        found, todo = set(here), list(here)
        while todo:
            for index in self._next[todo.pop()]:
                if index not in found:
                    found.add(index)
                    todo.append(index)
        return frozenset(found)


__all__ = ["Touched", "touched"]
