"""What a walk through all states shows to be wrong: where a case would get stuck, go round for ever, pile up, fail or never come."""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

from engine.checker.explore import Graph
from engine.checker.world import Act, Outcome, World
from engine.errors import BadInstances, NoWayOut, TadachiError
from engine.marking import Marking
from engine.net import Kind, Node

Run = list[tuple[Act, Outcome]]

#: Elements that are no stop of their own, so that their never being passed says nothing more than what leads to them.
_SILENT = (Kind.EVENT_SUB_PROCESS,)


class Verdict(NamedTuple):
    """Something wrong, with the element it is told at and a shortest run that shows it; () when no single run can."""

    rule: str
    message: str
    node: Node | None
    run: tuple[tuple[Act, Outcome], ...] = ()


def verdicts(world: World, graph: Graph) -> Iterator[Verdict]:
    """Everything wrong with a procedure; of several states with one fault, the one that is reached first."""
    yield from _stuck(world, graph)
    yield from _failing(world, graph)
    for state in graph.crowded[:1]:
        node = _crowded_at(world, graph.states[state].marking)
        message = f"「{_named(node)}」に、トークンがいくらでもたまります。分かれた流れを合流させるか、繰り返しの外に出してください。"
        yield Verdict("unbounded_tokens", message, node, tuple(graph.run_to(state)))
    if graph.finished:
        yield from _endless(world, graph)
        if not graph.crowded:  # behind a place where tokens pile up nothing was walked through
            yield from _dead(world, graph)


def _stuck(world: World, graph: Graph) -> Iterator[Verdict]:
    seen: set[tuple[str, int]] = set()
    for state in graph.stuck:
        marking = graph.states[state].marking
        node = _waiting_at(world, marking)
        rule = "leftover_tokens" if marking.end >= 0 else "deadlock"
        if (rule, node.index) in seen:
            continue
        seen.add((rule, node.index))
        names = "、".join(dict.fromkeys(f"「{_named(world.net.nodes[token.node])}」" for token in marking.tokens.values()))
        joins = "、".join(
            dict.fromkeys(
                f"「{_named(world.net.nodes[world.net.flows[flow].target])}」"
                for frame in marking.frames.values()
                for flow, _ in frame.arrivals
            )
        )
        where = "、".join(part for part in (names, f"合流{joins}" if joins else "") if part)
        if rule == "deadlock":
            message = f"ここで案件が進まなくなります（待っているところ：{where}）。"
        else:
            end = _named(world.net.nodes[marking.end])
            message = f"「{end}」に達したあとも{where}が残り、案件が終わりません。"
        yield Verdict(rule, message, node, tuple(graph.run_to(state)))


def _failing(world: World, graph: Graph) -> Iterator[Verdict]:
    seen: set[str] = set()
    for before, act, outcome in graph.errors:
        error = outcome.error
        assert error is not None
        node = _failed_node(world, error, act)
        rule = "no_way_out" if isinstance(error, NoWayOut) else "instances_fail" if isinstance(error, BadInstances) else "act_fails"
        if f"{rule}{node.id}{error.text}" in seen:
            continue
        seen.add(f"{rule}{node.id}{error.text}")
        run = (*graph.run_to(before), (act, outcome))
        yield Verdict(rule, f"「{_named(world.net.nodes[act.at])}」の操作ができないことがあります：{error.text}", node, run)


def _failed_node(world: World, error: TadachiError, act: Act) -> Node:
    name = error.ids.get("node")
    found = [node for node in world.net.nodes if name and name in (node.name, node.id)]
    return found[0] if found else world.net.nodes[act.at]


def _endless(world: World, graph: Graph) -> Iterator[Verdict]:
    """States from which neither an end nor a standstill can be reached: the case would go round for ever."""
    if not graph.states:
        return
    ended = {number for number, state in enumerate(graph.states) if state.marking.ended is not None}
    ordinary = graph.backward(ended, side=False)
    if not any(number in ordinary for number in range(len(graph.states))) and not graph.stuck and not graph.crowded:
        yield Verdict(
            "no_end",
            "どのように進めても、案件が終わりません。終了イベントに達する流れを描いてください。",
            world.net.start,
            tuple(graph.run_to(0)),
        )
        return
    reaching = graph.surely(ended | set(graph.stuck) | set(graph.crowded) | {before for before, _, _ in graph.errors})
    for number in range(len(graph.states)):
        if number not in reaching:
            node = _waiting_at(world, graph.states[number].marking)
            message = f"「{_named(node)}」から先は同じところを回り続け、案件が終わりません。"
            yield Verdict("livelock", message, node, tuple(graph.run_to(number)))
            return


def _dead(world: World, graph: Graph) -> Iterator[Verdict]:
    """Elements that no run ever comes to; one that only such elements lead to is not told again."""
    dead = {node.index for node in world.facts.nodes if node.id not in graph.passed and node.kind not in _SILENT}
    for index in sorted(dead):
        node = world.net.nodes[index]
        before = [world.net.flows[flow].source for flow in node.incoming]
        if node.attached is not None:
            before.append(node.attached)
        owner = world.net.scopes[node.scope].owner
        if node.kind is Kind.START and owner is not None and world.net.scopes[node.scope].kind != "event":
            before.append(owner)
        if before and all(source in dead for source in before):
            continue
        yield Verdict("dead_element", f"「{_named(node)}」に達することはありません。条件か流れを見直してください。", node)


def _waiting_at(world: World, marking: Marking) -> Node:
    tokens = [world.net.nodes[token.node] for token in marking.tokens.values()]
    resting = [node for node in tokens if node.body is None] or tokens
    joins = [world.net.nodes[world.net.flows[flow].target] for frame in marking.frames.values() for flow, _ in frame.arrivals]
    return (resting or joins or [world.net.start])[0]


def _crowded_at(world: World, marking: Marking) -> Node:
    counts: dict[int, int] = {}
    for token in marking.tokens.values():
        counts[token.node] = counts.get(token.node, 0) + 1
    for frame in marking.frames.values():
        for flow, count in frame.arrivals:
            target = world.net.flows[flow].target
            counts[target] = counts.get(target, 0) + count
    return world.net.nodes[max(counts, key=lambda index: counts[index])] if counts else world.net.start


def _named(node: Node) -> str:
    return node.name or node.element


__all__ = ["Run", "Verdict", "verdicts"]
