"""Parallel joins that can never let through what comes to them, as nothing is left that could come by one of their flows. Pure.

In a proven procedure there is none; a marking carried over to another net may stand where that net itself never would.
"""

from __future__ import annotations

from collections.abc import Iterable

from engine.marking import Marking
from engine.net import Kind, Net


def starved(net: Net, marking: Marking) -> dict[tuple[int, str], str]:
    """(frame, id path of a join that something stands at or may come to) -> id path of what would have to come first, by a flow that nothing
    can come by."""
    found = {}
    for number, frame in marking.frames.items():
        places = {token.node for token in marking.tokens.values() if token.frame == number}
        arrived = {flow for flow, _ in frame.arrivals}
        reached = _onward(net, places | {net.flows[flow].target for flow in arrived})
        for join in net.nodes:
            if join.kind is Kind.PARALLEL and join.scope == frame.scope and join.index in reached and len(join.incoming) > 1:
                missing = [
                    net.flows[flow].source for flow in join.incoming if flow not in arrived and net.flows[flow].source not in reached
                ]
                if missing:
                    found[number, join.id] = net.nodes[missing[0]].id
    return found


def _onward(net: Net, places: Iterable[int]) -> set[int]:
    """Every node of the same scope that a token at one of these places can come to, those places included."""
    found, todo = set(places), list(places)
    while todo:
        node = net.nodes[todo.pop()]
        flows = (*node.outgoing, *node.send_backs)
        for index in (*(net.flows[flow].target for flow in flows), *node.boundaries, *node.targets):
            if index not in found:
                found.add(index)
                todo.append(index)
    return found


__all__ = ["starved"]
