"""What only all diagrams of a bundle together show: calls that lead nowhere or in circles, and the size with everything drawn out."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Any

from engine.errors import Finding
from engine.extensions import BPMN, NAMESPACES
from engine.gate_check import NODES, tag_of
from engine.limits import DEFAULT, Limits


def check_bundle(roots: Mapping[str, Any], process_id: str, limits: Limits = DEFAULT) -> list[Finding]:
    """The main process exists, every call resolves within the bundle, nothing calls itself, and the whole is not too large."""
    home: dict[str, tuple[str, Any]] = {}
    findings = []
    for file, root in roots.items():
        for process in root.findall("bpmn:process", NAMESPACES):
            name = process.get("id") or ""
            if name in home:
                message = f"プロセスID「{name}」が「{home[name][0]}」と重複しています。どちらかのIDを変えてください。"
                findings.append(Finding("duplicate_process", message, name, file))
            home[name] = (file, process)
    if process_id not in home:
        return [*findings, Finding("process_missing", f"プロセス「{process_id}」がありません。", process_id)]
    calls: dict[str, list[str]] = {name: [] for name in home}
    for name, (file, process) in home.items():
        for call in process.iter(f"{{{BPMN}}}callActivity"):
            target = call.get("calledElement") or ""
            if target in home:
                calls[name].append(target)
            else:
                message = f"呼び出すプロセス「{target}」がありません。" if target else "呼び出すプロセス（calledElement）がありません。"
                findings.append(Finding("called_missing", message, call.get("id") or "", file))
    order, circles = _callees_first(calls)
    for name in circles:
        findings.append(Finding("call_cycle", "プロセスが自分自身を（間接に）呼び出しています。", name, home[name][0]))
    if not circles:
        findings += _expanded(home, calls, order, process_id, limits)
    return findings[: limits.findings]


def _callees_first(calls: Mapping[str, Collection[str]]) -> tuple[list[str], list[str]]:
    """Every process after all that it calls, and those at which a circle of calls closes."""
    state: dict[str, bool] = {}  # False: being walked
    order: list[str] = []
    circles: list[str] = []
    for first in calls:
        path = [(first, iter(calls[first]))] if first not in state else []
        state.setdefault(first, False)
        while path:
            name, rest = path[-1]
            target = next(rest, None)
            if target is None:
                path.pop()
                state[name] = True
                order.append(name)
            elif target not in state:
                state[target] = False
                path.append((target, iter(calls[target])))
            elif not state[target] and target not in circles:
                circles.append(target)
    return order, circles


def _expanded(
    home: Mapping[str, tuple[str, Any]], calls: Mapping[str, Collection[str]], order: Collection[str], process_id: str, limits: Limits
) -> list[Finding]:
    """The size with every call drawn out, reckoned before it is done: thirty diagrams that each call the next one twice make a thousand million."""
    size: dict[str, int] = {}
    depth: dict[str, int] = {}
    for name in order:
        own = sum(1 for element in home[name][1].iter() if tag_of(element) in NODES)
        size[name] = own + sum(size[target] for target in calls[name])
        depth[name] = max((depth[target] + 1 for target in calls[name]), default=0)
    file = home[process_id][0]
    if size[process_id] > limits.nodes_with_calls:
        message = f"{limits.exceeded('nodes_with_calls', size[process_id])}手続を分けるか、呼出しを減らしてください。"
        return [Finding("too_many_nodes", message, process_id, file)]
    if depth[process_id] > limits.call_depth:
        return [Finding("too_many_nodes", f"{limits.exceeded('call_depth', depth[process_id])}", process_id, file)]
    return []
