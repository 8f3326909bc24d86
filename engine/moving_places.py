"""Where cases stand at what the other version does not have, and what somebody may choose for each such place. Pure."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping

from engine.counterparts import Mapped, Place, may_begin, rests_as
from engine.marking import Marking
from engine.moving_views import PlaceAsked
from engine.net import Net, Node
from engine.remap import Obstacle, flow_there

FLOW = "合流に着いた流れ"
STEP = "待っているところ"


def standing(net: Net, marking: Marking) -> Iterator[str]:
    """Ids of the elements at which a case stands, running event sub-processes and flows come by to a join included."""
    yield from (net.nodes[token.node].id for token in marking.tokens.values())
    for frame in marking.frames.values():
        scope = net.scopes[frame.scope]
        if scope.kind == "event" and scope.owner is not None:
            yield net.nodes[scope.owner].id
        yield from (net.flows[flow].id for flow, _ in frame.arrivals)


def node_name(net: Net, id: str) -> str:
    """An element, or a flow by what it leads from and to, as people read it."""
    if id in net.by_id:
        return _named(net.by_id[id])[1]
    flow = next((one for one in net.flows if one.id == id), None)
    if flow is None:
        return id
    return f"{_named(net.nodes[flow.source])[1]}→{_named(net.nodes[flow.target])[1]}"


def asked(
    before: Net, after: Net, mapping: Mapped, said: Mapping[str, Place], cases: Iterable[tuple[Marking, tuple[Obstacle, ...]]]
) -> tuple[PlaceAsked, ...]:
    """What has to be said before the cases that stand there can be moved, and what was said.

    Args:
        mapping: what is found by itself, with what was said laid over it.
        cases: their markings, and what keeps each where it is.
    """
    counts: Counter[str] = Counter()
    needed = dict.fromkeys(said)
    for marking, obstacles in cases:
        here = list(dict.fromkeys(standing(before, marking)))
        counts.update(here)
        hindered = {one.node for one in obstacles}
        needed |= dict.fromkeys(id for id in here if id in hindered and id in before.by_id)
        flows = {flow.index: flow.id for flow in before.flows if flow.id in here}
        needed |= dict.fromkeys(id for index, id in flows.items() if flow_there(before, after, mapping, index) is None)
    choose = _Choices(before, after, mapping)
    flows_by_id = {flow.id: flow.index for flow in before.flows}
    found = []
    for id in needed:
        if id in before.by_id:
            node = before.by_id[id]
            kind, same, anew = STEP, choose.same(node), choose.anew(node.scope)
        elif id in flows_by_id:
            join = before.nodes[before.flows[flows_by_id[id]].target]
            kind, same, anew = FLOW, choose.ways(join), choose.anew(join.scope)
        else:
            continue
        found.append(PlaceAsked(id, node_name(before, id), kind, counts[id], said.get(id), same, anew))
    return tuple(found)


class _Choices:
    """What there is in the other net to choose from."""

    def __init__(self, before: Net, after: Net, mapping: Mapped) -> None:
        self.before, self.after, self.mapping = before, after, mapping
        self.taken = {place.node for id, place in mapping.items() if place.same}

    def same(self, node: Node) -> tuple[tuple[str, str], ...]:
        """What may be the same step under another id: what rests alike and is nothing else's counterpart."""
        own = self.mapping[node.id].node if node.id in self.mapping else ""
        free = (one for one in self.after.nodes if one.id == own or one.id not in self.taken)
        return tuple(
            _named(one) for one in free if rests_as(node) and rests_as(one) == rests_as(node) and self.scope(node.scope) == one.scope
        )

    def anew(self, scope: int) -> tuple[tuple[str, str], ...]:
        """What may begin in the place of something in a scope."""
        there = self.scope(scope)
        return tuple(_named(one) for one in self.after.nodes if one.scope == there and may_begin(self.after, one))

    def ways(self, join: Node) -> tuple[tuple[str, str], ...]:
        """The flows into the join there."""
        place = self.mapping.get(join.id)
        there = self.after.by_id.get(place.node) if place is not None else None
        if there is None or len(there.incoming) < 2:
            return ()
        return tuple((id, node_name(self.after, id)) for id in (self.after.flows[index].id for index in there.incoming))

    def scope(self, index: int) -> int | None:
        """The counterpart of a scope."""
        scope = self.before.scopes[index]
        if scope.owner is None:
            return 0
        place = self.mapping.get(self.before.nodes[scope.owner].id)
        there = self.after.by_id.get(place.node) if place is not None and place.same else None
        return there.body if there is not None else None


def _named(node: Node) -> tuple[str, str]:
    return node.id, " ".join(node.name.split()) or node.element


__all__ = ["asked", "node_name"]
