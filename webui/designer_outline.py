"""A diagram as an indented list for reading: what the editor's outline says, drawn by the server for people without script."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from xml.etree import ElementTree

BPMN = "{http://www.omg.org/spec/BPMN/20100524/MODEL}"
CAMUNDA = "{http://camunda.org/schema/1.0/bpmn}"
DEEPEST = 20  # what is nested deeper is drawn by no one
KINDS: Mapping[str, str] = {
    "startEvent": "開始", "endEvent": "終了", "userTask": "人の処理", "manualTask": "手作業", "serviceTask": "自動処理", "sendTask": "知らせる",
    "receiveTask": "受け取る", "businessRuleTask": "決定表", "task": "区切り", "callActivity": "別の図を呼ぶ", "subProcess": "まとまり",
    "exclusiveGateway": "どれか1つ", "parallelGateway": "同時に進める・合わせる", "inclusiveGateway": "当てはまるものすべて",
    "eventBasedGateway": "先に起きたもの", "intermediateCatchEvent": "待つ", "intermediateThrowEvent": "通過点", "boundaryEvent": "途中で起きること",
}  # fmt: skip


@dataclass(frozen=True)
class Line:
    """One element: what it is, its name, who does it, and the ways that lead on (label, name of the next)."""

    depth: int
    kind: str
    name: str
    who: str
    ways: tuple[tuple[str, str], ...]


def outline_of(xml: str) -> tuple[Line, ...]:
    """The lines of a diagram in the order of its flows; nothing for a file that cannot be read.

    Only well-formed XML without a document type is looked at, as the engine reads it.
    """
    if "<!DOCTYPE" in xml or "<!ENTITY" in xml:
        return ()
    try:
        root = ElementTree.fromstring(xml)  # noqa: S314 - no document type, so nothing to expand
    except (ElementTree.ParseError, ValueError):
        return ()
    return tuple(line for process in root.iter(f"{BPMN}process") for line in _scope(process, 0))


def _scope(container: ElementTree.Element, depth: int) -> Iterator[Line]:
    nodes = {node.get("id", ""): node for node in container if _tag(node) in KINDS}
    flows = [flow for flow in container if _tag(flow) == "sequenceFlow"]
    leaving: dict[str, list[ElementTree.Element]] = {}
    for flow in flows:
        leaving.setdefault(flow.get("sourceRef", ""), []).append(flow)
    attached: dict[str, list[str]] = {}
    for name, node in nodes.items():
        if node.get("attachedToRef"):
            attached.setdefault(node.get("attachedToRef", ""), []).append(name)
    seen: set[str] = set()
    first = [name for name, node in nodes.items() if _tag(node) == "startEvent"]
    for begin in (*first, *nodes):
        todo = [(begin, depth)]
        while todo:
            name, level = todo.pop()
            if name in seen or name not in nodes:
                continue
            seen.add(name)
            node = nodes[name]
            out = leaving.get(name, [])
            ways = tuple((flow.get("name", ""), _name(nodes.get(flow.get("targetRef", "")))) for flow in out)
            yield Line(min(level, 8), KINDS[_tag(node)], _name(node), node.get(f"{CAMUNDA}candidateGroups", ""), ways)
            if _tag(node) == "subProcess" and depth < DEEPEST:
                yield from _scope(node, level + 1)
            deeper = level + (1 if len(out) > 1 else 0)
            todo += [(flow.get("targetRef", ""), deeper) for flow in reversed(out)]
            todo += [(other, level + 1) for other in attached.get(name, ())]


def _tag(node: ElementTree.Element) -> str:
    return node.tag.removeprefix(BPMN)


def _name(node: ElementTree.Element | None) -> str:
    if node is None:
        return ""
    return " ".join((node.get("name") or node.get("id") or "").split())
