"""What each element of a diagram says, as plain texts by name, so that two versions of it can be laid side by side. Pure; reads the XML itself.

Whatever is not known by name here is told as it stands in the file: a reviewer is never shown less than what changed.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from lxml import etree

from engine import extensions
from engine.extensions import BPMN, CAMUNDA, NAMESPACES
from engine.net import FieldSpec

#: What people call the kinds of elements.
KINDS: Mapping[str, str] = {
    "process": "手続", "participant": "プール", "lane": "レーン", "sequenceFlow": "流れ", "startEvent": "開始", "endEvent": "終了",
    "intermediateCatchEvent": "途中で待つイベント", "intermediateThrowEvent": "途中で起こすイベント", "boundaryEvent": "処理に付くイベント",
    "task": "処理", "userTask": "人の処理", "manualTask": "画面の外の処理", "receiveTask": "受信を待つ処理", "sendTask": "知らせ",
    "serviceTask": "自動処理", "businessRuleTask": "判定", "scriptTask": "スクリプト", "subProcess": "部分手続", "callActivity": "ほかの図の呼出し",
    "exclusiveGateway": "分岐（どれか一つ）", "parallelGateway": "分岐（すべて）", "inclusiveGateway": "分岐（当てはまるもの）",
    "eventBasedGateway": "分岐（先に起きたもの）", "complexGateway": "分岐（複合）", "textAnnotation": "注釈", "association": "注釈の線",
    "group": "囲み", "messageFlow": "プール間の流れ", "dataObjectReference": "データ", "dataStoreReference": "データの置き場",
    "decision": "決定表", "inputData": "表の入力",
}  # fmt: skip

#: What is told by name: code -> label.
LABELS: Mapping[str, str] = {
    "kind": "種類", "name": "名前", "id": "ID", "inside": "入っている場所", "lane": "レーン", "role": "担当", "assignee": "担当（人）",
    "documentation": "説明", "from": "流れの元", "to": "流れの先", "condition": "条件", "default": "既定の流れ", "timer": "時間",
    "message": "操作（メッセージ）", "signal": "合図", "error": "エラー", "escalation": "上申", "event": "イベントの種類", "catches": "起きる条件",
    "interrupting": "起きたとき元の処理を止めるか", "attached": "付いている処理", "called": "呼び出す図", "decision": "決定表",
    "topic": "自動処理の機能", "expression": "自動処理の式", "repeat": "繰返し", "fields": "入力欄の並び", "pool": "図", "text": "文章",
    "property:clause": "根拠の条項", "property:records": "記録を残す条項", "property:urgency": "急ぎの程度", "property:deadline": "法令上の期限",
    "property:send_back_to": "差し戻せる先", "property:not_same_person_as": "同じ人が行えない処理", "property:button": "ボタン",
    "property:sets": "完了すると決まる項目", "property:suggestion": "画面に出す案", "property:paper": "文書", "property:hop": "報告の経路",
    "property:moment": "案件の見出しに出す時点", "property:final": "最終の決定", "property:decision": "決裁", "property:passed_over": "後閲での回答",
    "property:passed_over_when": "後閲にする条件", "property:by_link": "相手方のリンク", "property:offered_when": "操作を出す条件",
    "property:candidateGroups": "操作できる役", "property:withdraw": "取下げ", "property:numbering": "採番", "property:to": "知らせる相手",
    "property:template": "知らせの文面", "property:fact": "番号を入れる項目", "property:ledger": "台帳", "property:state": "台帳の状態",
    "property:process": "始める手続", "property:link": "関連の名前",
}  # fmt: skip
FIELD_LABELS: Mapping[str, str] = {
    "label": "見出し", "type": "型", "default": "初めの値", "choices": "選択肢", "required": "必須", "required_when": "必須になる条件",
    "maxlength": "最大の文字数", "min": "最小", "max": "最大", "not_after": "より後にできない", "not_before": "より前にできない",
    "help": "説明", "shown_when": "出す条件", "as_buttons": "ボタンで選ぶ", "named": "挙げた人は加わらない", "readonly": "見せるだけ",
}  # fmt: skip

_OWN = frozenset({"id", "name", "sourceRef", "targetRef", "default", "attachedToRef", "cancelActivity", "isInterrupting", "calledElement"})
_CAMUNDA = frozenset({"candidateGroups", "assignee", "topic", "expression", "decisionRef", "type"})
_READ = frozenset(
    {"incoming", "outgoing", "documentation", "extensionElements", "laneSet", "conditionExpression", "multiInstanceLoopCharacteristics"}
)
#: Attributes that say which program wrote a file.
_WRITER = frozenset({"exporter", "exporterVersion"})


@dataclass(frozen=True)
class Element:
    """One element of one diagram: `values` by code, `fields` of its form."""

    process: str
    id: str
    tag: str
    name: str
    file: str
    values: Mapping[str, str]
    fields: Mapping[str, FieldSpec] = field(default_factory=dict)

    @property
    def kind(self) -> str:
        """What people call it."""
        return KINDS.get(self.tag, self.tag)


@dataclass(frozen=True)
class Drawing:
    """A process with all of its elements, and where each is drawn."""

    process: str
    name: str
    file: str
    elements: Mapping[str, Element]
    places: Mapping[str, str]


def drawings(files: Mapping[str, Any]) -> dict[str, Drawing]:
    """Process id -> its drawing.

    Args:
        files: file name -> root of its XML.
    """
    found = {}
    for file, root in files.items():
        places = _places(root)
        for process in root.findall("bpmn:process", NAMESPACES):
            id = process.get("id", "")
            elements = {one.id: one for one in _elements(root, process, file)}
            found[id] = Drawing(id, process.get("name") or id, file, elements, places)
    return found


def _tag(node: Any) -> str:
    return etree.QName(node).localname if isinstance(node.tag, str) else ""


def _elements(root: Any, process: Any, file: str) -> Iterator[Element]:
    id = process.get("id", "")
    yield Element(id, id, "process", process.get("name") or id, file, _values(root, process, {}, ""))
    for collaboration in root.findall("bpmn:collaboration", NAMESPACES):
        for node in collaboration:
            mine = _tag(node) != "participant" or node.get("processRef") == id
            if node.get("id") and mine and node.get("id") is not None:
                values = {"name": node.get("name") or "", **_rest(node, {"id", "name", "processRef"})}
                yield Element(id, node.get("id"), _tag(node), node.get("name") or "", file, {k: v for k, v in values.items() if v})
    yield from _inside(root, process, id, file, "")


def _inside(root: Any, container: Any, process: str, file: str, inside: str) -> Iterator[Element]:
    lanes: dict[str, str] = {}
    for lane in container.iterfind("bpmn:laneSet//bpmn:lane", NAMESPACES):
        named = " / ".join(
            one.get("name") or one.get("id", "") for one in [*reversed([up for up in lane.iterancestors() if _tag(up) == "lane"]), lane]
        )
        for ref in lane.findall("bpmn:flowNodeRef", NAMESPACES):
            lanes[(ref.text or "").strip()] = named
        values = {"name": lane.get("name") or "", **_rest(lane, {"id", "name"}, {"flowNodeRef", "childLaneSet"})}
        yield Element(process, lane.get("id", ""), "lane", lane.get("name") or "", file, {k: v for k, v in values.items() if v})
    for node in container:
        id = node.get("id")
        tag = _tag(node)
        if not id or tag in _READ or not (node.tag.startswith(f"{{{BPMN}}}")) or tag.endswith(("EventDefinition", "ioSpecification")):
            continue
        if container.tag != f"{{{BPMN}}}process" and tag in ("dataInputAssociation", "property"):
            continue
        values = _values(root, node, lanes, inside)
        fields = {spec.id: spec for spec in extensions.read(node).form}
        name = node.get("name") or ((node.findtext("bpmn:text", namespaces=NAMESPACES) or "") if tag == "textAnnotation" else "")
        yield Element(process, id, tag, " ".join(name.split()), file, values, fields)
        if tag in ("subProcess", "transaction", "adHocSubProcess"):
            yield from _inside(root, node, process, file, node.get("name") or id)


def _values(root: Any, node: Any, lanes: Mapping[str, str], inside: str) -> dict[str, str]:
    """Everything an element says, by code; what it does not say is left out."""
    tag, said = _tag(node), extensions.read(node)
    values = {
        "kind": KINDS.get(tag, tag),
        "name": " ".join((node.get("name") or "").split()),
        "inside": inside,
        "lane": lanes.get(node.get("id", ""), ""),
        "role": ", ".join(said.candidate_groups),
        "assignee": said.assignee or "",
        "documentation": extensions.documentation(node),
        "from": node.get("sourceRef") or "",
        "to": node.get("targetRef") or "",
        "condition": extensions.text_of(node, "bpmn:conditionExpression"),
        "default": node.get("default") or "",
        "attached": node.get("attachedToRef") or "",
        "called": node.get("calledElement") or "",
        "decision": said.decision or "",
        "topic": said.topic or "",
        "expression": said.expression or "",
        "repeat": _repeat(node),
        "fields": "、".join(spec.id for spec in said.form),
        "text": node.findtext("bpmn:text", default="", namespaces=NAMESPACES).strip() if tag == "textAnnotation" else "",
    }
    if tag == "boundaryEvent":
        values["interrupting"] = "いいえ" if node.get("cancelActivity") == "false" else "はい"
    if node.get("isInterrupting") is not None:
        values["interrupting"] = "いいえ" if node.get("isInterrupting") == "false" else "はい"
    values |= _event(root, node)
    values |= {f"property:{name}": text for name, text in said.properties.items()}
    if said.candidate_groups and values.get("property:candidateGroups"):
        del values["property:candidateGroups"]
    nested = {"subProcess", "transaction", "adHocSubProcess", "process"}
    skip = {_tag(child) for child in node if child.get("id")} if tag in nested else set()
    values |= _rest(node, _OWN, _READ | skip | ({"text"} if tag == "textAnnotation" else set()))
    return {code: text for code, text in values.items() if text}


def _event(root: Any, node: Any) -> dict[str, str]:
    found: dict[str, str] = {}
    for child in node:
        tag = _tag(child)
        if not tag.endswith("EventDefinition"):
            continue
        kind = tag.removesuffix("EventDefinition")
        found["event"] = "、".join(filter(None, (found.get("event"), kind)))
        if kind == "timer":
            for name in ("timeDate", "timeDuration", "timeCycle"):
                text = extensions.text_of(child, f"bpmn:{name}")
                if text:
                    found["timer"] = text
        elif kind == "conditional":
            found["catches"] = extensions.text_of(child, "bpmn:condition")
        elif kind in ("message", "signal", "error", "escalation"):
            wanted = child.get(f"{kind}Ref")
            target = next((one for one in root.findall(f"bpmn:{kind}", NAMESPACES) if one.get("id") == wanted), None)
            code = target.get("errorCode") or target.get("escalationCode") if target is not None else None
            found[kind] = (code or target.get("name") or wanted or "") if target is not None else wanted or ""
        elif kind == "link":
            found["text"] = child.get("name") or ""
    return found


def _repeat(node: Any) -> str:
    loop = node.find("bpmn:multiInstanceLoopCharacteristics", NAMESPACES)
    if loop is None:
        return ""
    parts = [
        "一つずつ" if loop.get("isSequential") == "true" else "同時に",
        extensions.camunda(loop, "collection") or "",
        extensions.camunda(loop, "elementVariable") or "",
        extensions.text_of(loop, "bpmn:loopCardinality"),
        extensions.text_of(loop, "bpmn:completionCondition"),
    ]
    return " ".join(part for part in parts if part)


def _rest(node: Any, attributes: Any, children: Any = frozenset()) -> dict[str, str]:
    """What an element says beyond what is told by name: attributes, and children as they stand."""
    found = {}
    for name, value in node.attrib.items():
        local = etree.QName(name).localname
        own = name == local and local in attributes
        if not own and not (name == f"{{{CAMUNDA}}}{local}" and local in _CAMUNDA) and local not in _WRITER:
            found[f"attribute:{local}"] = value
    for child in node:
        if not isinstance(child.tag, str) or _tag(child) in children or _tag(child).endswith("EventDefinition"):
            continue
        _add(found, f"element:{_tag(child)}", _written(child))
    for child in node.findall("bpmn:extensionElements/*", NAMESPACES):
        if child.tag not in (f"{{{CAMUNDA}}}properties", f"{{{CAMUNDA}}}formData"):
            _add(found, f"element:{_tag(child)}", _written(child))
    return found


def _add(found: dict[str, str], code: str, text: str) -> None:
    found[code] = f"{found[code]}\n{text}" if code in found else text


def _written(node: Any) -> str:
    """An element as it stands in the file, whatever its line breaks and prefixes."""
    inner = "".join(_written(child) for child in node if isinstance(child.tag, str))
    attributes = "".join(f' {etree.QName(name).localname}="{value}"' for name, value in sorted(node.attrib.items()))
    text = (node.text or "").strip()
    return f"<{_tag(node)}{attributes}>{text}{inner}</{_tag(node)}>" if inner or text else f"<{_tag(node)}{attributes}/>"


def _places(root: Any) -> dict[str, str]:
    """Element id -> where it is drawn: bounds and bends."""
    found: dict[str, str] = {}
    for shape in root.iter("{http://www.omg.org/spec/BPMN/20100524/DI}BPMNShape", "{http://www.omg.org/spec/BPMN/20100524/DI}BPMNEdge"):
        numbers = [
            ",".join(f"{name}{value}" for name, value in sorted(point.attrib.items()))
            for point in shape.iter("{http://www.omg.org/spec/DD/20100524/DC}Bounds", "{http://www.omg.org/spec/DD/20100524/DI}waypoint")
        ]
        found[shape.get("bpmnElement") or ""] = ";".join(numbers)
    return found


__all__ = ["FIELD_LABELS", "KINDS", "LABELS", "Drawing", "Element", "drawings"]
