"""What a diagram must be before it may run: checks on the XML itself, since a parser drops what it does not know without a word.

Every finding names its rule, the element and what to do, in Japanese. The order of the whole gate is in engine/parsing.py: safety of the
XML, XSD, then these. What an office's folder must offer (seats, clauses, tables) is checked by engine/definitions.py.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Any

from lxml import etree

from engine import extensions
from engine.errors import Finding
from engine.extensions import BPMN, NAMESPACES
from engine.gate_elements import ElementCheck, event_kind, tag_of
from engine.net import ACTIVITIES, Kind, Net

MAX_NODES = 300
MAX_FINDINGS = 200

_EVENTS = {
    "startEvent": {"message", "timer", "signal", "conditional", "error", "escalation"},
    "endEvent": {"message", "signal", "error", "escalation", "terminate"},
    "intermediateCatchEvent": {"message", "timer", "signal", "conditional", "link"},
    "intermediateThrowEvent": {"message", "signal", "escalation", "link"},
    "boundaryEvent": {"message", "timer", "signal", "conditional", "error", "escalation"},
}
_NODES = {kind.value for kind in Kind} - {"eventSubProcess"}
_ACTIVITY_TAGS = {kind.value for kind in ACTIVITIES}
#: Refused elements of BPMN that a person could expect to work, with the reason.
_REFUSED = {
    "scriptTask": ("script_refused", "スクリプトタスクは使えません。サービスタスクで登録済みの機能を指定してください。"),
    "complexGateway": ("complex_gateway", "複合ゲートウェイは使えません。"),
    "adHocSubProcess": ("ad_hoc", "アドホックサブプロセスは使えません。"),
    "transaction": ("transaction", "トランザクションは使えません。"),
    "compensateEventDefinition": ("compensation", "補償イベントは使えません。"),
    "cancelEventDefinition": ("transaction", "キャンセルイベントは使えません。"),
    "standardLoopCharacteristics": ("standard_loop", "標準ループは使えません。流れで戻すか、マルチインスタンスにしてください。"),
    "eventDefinitionRef": ("event_reference", "共通のイベント定義への参照（eventDefinitionRef）は使えません。"),
    "dataStoreReference": ("data_store", "データストアは使えません。"),
    "dataStore": ("data_store", "データストアは使えません。"),
    "ioSpecification": ("data_mapping", "入出力の割当ては使えません。案件の項目は共通です。"),
    "dataInputAssociation": ("data_mapping", "入出力の割当ては使えません。案件の項目は共通です。"),
    "dataOutputAssociation": ("data_mapping", "入出力の割当ては使えません。案件の項目は共通です。"),
    "choreography": ("unsupported_element", "コレオグラフィは使えません。"),
    "conversation": ("unsupported_element", "会話図は使えません。"),
}
#: Elements under a process that carry no behaviour of their own or belong to those above.
_CARRIED = {
    "documentation", "extensionElements", "incoming", "outgoing", "laneSet", "lane", "flowNodeRef", "childLaneSet", "sequenceFlow",
    "conditionExpression", "textAnnotation", "text", "association", "group", "category", "categoryValue", "timeDate", "timeDuration",
    "timeCycle", "condition", "multiInstanceLoopCharacteristics", "loopCardinality", "completionCondition", "dataObject",
    "dataObjectReference", "timerEventDefinition", "messageEventDefinition", "signalEventDefinition", "errorEventDefinition",
    "escalationEventDefinition", "conditionalEventDefinition", "linkEventDefinition", "terminateEventDefinition", "dataState",
    "inputDataItem", "outputDataItem", "loopDataInputRef", "loopDataOutputRef", "auditing", "monitoring", "source", "target",
}  # fmt: skip


def check_diagram(root: Any, file: str, known_names: Collection[str] | None = None) -> list[Finding]:
    """All findings of one file."""
    check = _Check(root, file, known_names)
    return check.run()[:MAX_FINDINGS]


def check_bundle(roots: Mapping[str, Any], process_id: str) -> list[Finding]:
    """The main process exists, every call resolves within the bundle, and no process calls itself by any way."""
    home: dict[str, tuple[str, Any]] = {}
    findings = []
    for file, root in roots.items():
        for process in root.findall("bpmn:process", NAMESPACES):
            if process.get("id") in home:
                findings.append(Finding("duplicate_process", "プロセスIDが他のファイルと重複しています。", process.get("id"), file))
            home[process.get("id")] = (file, process)
    if process_id not in home:
        return [*findings, Finding("process_missing", f"プロセス「{process_id}」がありません。", process_id)]
    calls: dict[str, list[str]] = {}
    for name, (file, process) in home.items():
        for call in process.iter(f"{{{BPMN}}}callActivity"):
            target = call.get("calledElement") or ""
            if target in home:
                calls.setdefault(name, []).append(target)
            else:
                message = f"呼び出すプロセス「{target}」がありません。" if target else "呼び出すプロセス（calledElement）がありません。"
                findings.append(Finding("called_missing", message, call.get("id", ""), file))
    for name, (file, _) in home.items():
        todo, seen = list(calls.get(name, ())), set()
        while todo:
            target = todo.pop()
            if target == name:
                findings.append(Finding("call_cycle", "プロセスが自分自身を（間接に）呼び出しています。", name, file))
                break
            if target not in seen:
                seen.add(target)
                todo += calls.get(target, ())
    return findings


def check_net(net: Net) -> list[Finding]:
    """What only the whole net shows: its size."""
    if len(net.nodes) > 2 * MAX_NODES:
        message = f"呼び出し先を含めた要素が多すぎます（{len(net.nodes)}、上限{2 * MAX_NODES}）。"
        return [Finding("too_many_nodes", message, net.process_id, net.diagrams[0].source)]
    return []


class _Check(ElementCheck):
    """The checks of one file; `find` gathers."""

    def run(self) -> list[Finding]:
        """Supported elements first: what follows may rely on them."""
        processes = self.root.findall("bpmn:process", NAMESPACES)
        if not processes:
            self.find("process_missing", "プロセスがありません。")
        for process in processes:
            self.elements(process)
        if self.findings:
            return self.findings
        for process in processes:
            if process.get("isExecutable", "true") not in ("true", "1"):
                self.find("not_executable", "プロセスが実行可能（isExecutable）になっていません。", process)
            nodes = [element for element in process.iter() if tag_of(element) in _NODES and etree.QName(element).namespace == BPMN]
            if len(nodes) > MAX_NODES:
                self.find(
                    "too_many_nodes", f"要素が多すぎます（{len(nodes)}、上限{MAX_NODES}）。コールアクティビティに分けてください。", process
                )
                continue
            self.scope(process)
            for element in nodes:
                self.node(element)
        return self.findings

    # Elements.

    def elements(self, process: Any) -> None:
        """Only what the engine runs, nothing that it would drop."""
        for element in process.iter():
            if etree.QName(element).namespace != BPMN or element is process:
                continue
            tag = tag_of(element)
            if tag in _REFUSED:
                rule, message = _REFUSED[tag]
                self.find(rule, message, element if element.get("id") else element.getparent())
            elif tag not in _NODES and tag not in _CARRIED:
                self.find("unsupported_element", f"要素「{tag}」は使えません。", element)
            elif tag in _EVENTS:
                self.event(element, tag)
            for name in ("startQuantity", "completionQuantity"):
                if element.get(name, "1") != "1":
                    self.find("token_quantity", f"{name} は1以外にできません。", element)
            if element.get("isForCompensation", "false") in ("true", "1"):
                self.find("compensation", "補償用のアクティビティは使えません。", element)
            name_id = element.get("id") or ""
            if name_id in _RESERVED or name_id.endswith((".EndJoin", ".BoundaryEventSplit", ".BoundaryEventJoin")):
                self.find("reserved_id", f"ID「{name_id}」は使えません。別のIDにしてください。", element)

    def event(self, element: Any, tag: str) -> None:
        """One definition, of a kind that this event may have."""
        definitions = [child for child in element if tag_of(child).endswith("EventDefinition")]
        if len(definitions) > 1 or element.get("parallelMultiple") in ("true", "1"):
            self.find("multiple_event", "1つのイベントに定義は1つにしてください。", element)
        for definition in definitions:
            kind = tag_of(definition).removesuffix("EventDefinition")
            if kind not in _EVENTS[tag] and tag_of(definition) not in _REFUSED:
                self.find("unsupported_event", f"「{tag}」に「{kind}」イベントは使えません。", element)
        if not definitions and tag in ("intermediateCatchEvent", "boundaryEvent"):
            self.find("event_missing", "何を待つか（イベント定義）がありません。", element)

    # One scope: a process or a sub-process.

    def scope(self, container: Any) -> None:
        """Starts, ends, flows, links and reachability of one level, then of the levels below."""
        nodes = {element.get("id"): element for element in container if tag_of(element) in _NODES}
        flows = [element for element in container if tag_of(element) == "sequenceFlow"]
        self.starts(container, [element for element in nodes.values() if tag_of(element) == "startEvent"])
        if not any(tag_of(element) == "endEvent" for element in nodes.values()):
            self.find("end_missing", "終了イベントがありません。", container)
        leaving: dict[str, list[Any]] = {}
        arriving: dict[str, list[Any]] = {}
        for flow in flows:
            source, target = flow.get("sourceRef"), flow.get("targetRef")
            if source not in nodes or target not in nodes:
                self.find("flow_crosses", "シーケンスフローの両端が同じプロセス（サブプロセス）の中にありません。", flow)
                continue
            leaving.setdefault(source, []).append(flow)
            arriving.setdefault(target, []).append(flow)
        links = self.links(nodes)
        for name, element in nodes.items():
            self.ends_of(element, leaving.get(name, []), arriving.get(name, []), nodes)
        ways: dict[str, list[str]] = {name: [flow.get("targetRef") for flow in out] for name, out in leaving.items()}
        for source, target in links:
            ways.setdefault(source, []).append(target)
        for name, element in nodes.items():
            host = element.get("attachedToRef")
            if host is not None:
                ways.setdefault(host, []).append(name)
                attached = nodes.get(host)
                if attached is None or tag_of(attached) not in _ACTIVITY_TAGS or _triggered(attached):
                    self.find("boundary_host", "境界イベントは、同じプロセスの中のアクティビティに付けてください。", element)
        first = [name for name, element in nodes.items() if tag_of(element) == "startEvent" or _triggered(element)]
        reached = _closure(first, ways)
        for name, element in nodes.items():
            if name not in reached:
                self.find("unreachable", "開始イベントから、この要素に達する流れがありません。", element)
        self.restless(nodes, ways)
        for element in nodes.values():
            if tag_of(element) == "subProcess":
                self.scope(element)

    def starts(self, container: Any, starts: list[Any]) -> None:
        """One plain start; an event sub-process has one start with an event."""
        kinds = [event_kind(start) for start in starts]
        if not starts:
            self.find("start_missing", "開始イベントがありません。", container)
        elif _triggered(container):
            if len(starts) > 1 or kinds[0] == "none":
                self.find("event_start", "イベントサブプロセスの開始イベントは、イベント定義のあるもの1つにしてください。", container)
            elif kinds[0] == "error" and starts[0].get("isInterrupting", "true") not in ("true", "1"):
                self.find("error_interrupts", "エラーの開始イベントは中断型にしてください。", starts[0])
        elif tag_of(container) == "subProcess":
            if kinds != ["none"]:
                self.find("several_starts", "サブプロセスの開始イベントは、イベント定義のないもの1つにしてください。", container)
        else:
            if kinds.count("none") > 1:
                self.find("several_starts", "イベント定義のない開始イベントが複数あります。", container)
            for start, kind in zip(starts, kinds, strict=True):
                if kind in ("error", "escalation", "conditional"):
                    self.find("unsupported_event", "この種類の開始イベントは、イベントサブプロセスの中だけで使えます。", start)

    def links(self, nodes: Mapping[str, Any]) -> list[tuple[str, str]]:
        """Pairs of link throw and catch."""
        catches: dict[str, str] = {}
        throws: list[tuple[str, Any]] = []
        for name, element in nodes.items():
            for definition in element.findall("bpmn:linkEventDefinition", NAMESPACES):
                label = definition.get("name") or ""
                if tag_of(element) == "intermediateThrowEvent":
                    throws.append((label, element))
                elif label in catches:
                    self.find("link_partner", f"リンク「{label}」の受け側が複数あります。", element)
                else:
                    catches[label] = name
        used = {label for label, _ in throws}
        for label, element in throws:
            if label not in catches:
                self.find("link_partner", f"リンク「{label}」の受け側がありません。", element)
        for label, name in catches.items():
            if label not in used:
                self.find("link_partner", f"リンク「{label}」の送り側がありません。", nodes[name])
        return [(element.get("id"), catches[label]) for label, element in throws if label in catches]

    def ends_of(self, element: Any, leaving: list[Any], arriving: list[Any], nodes: Mapping[str, Any]) -> None:
        """What may lead to and from an element, and what its flows must carry."""
        tag, kind = tag_of(element), event_kind(element)
        alone = _triggered(element)
        link = kind == "link"
        closed_in = tag in ("startEvent", "boundaryEvent") or alone or (link and tag == "intermediateCatchEvent")
        closed_out = tag == "endEvent" or alone or (link and tag == "intermediateThrowEvent")
        if closed_in and arriving:
            self.find("flow_into", "この要素に入る流れは描けません。", element)
        if closed_out and leaving:
            self.find("flow_out_of", "この要素から出る流れは描けません。", element)
        if not closed_out and not leaving:
            self.find("dead_end", "この要素から先の流れがありません。終了イベントにつないでください。", element)
        default = element.get("default")
        if default is not None and default not in [flow.get("id") for flow in leaving]:
            self.find("default_missing", "既定の流れが、この要素から出ていません。", element)
        conditioned = [flow for flow in leaving if flow.find("bpmn:conditionExpression", NAMESPACES) is not None]
        for flow in conditioned:
            self.expression(extensions.text_of(flow, "bpmn:conditionExpression"), flow, "条件")
        if tag in ("exclusiveGateway", "inclusiveGateway") and len(leaving) > 1:
            for flow in leaving:
                if flow not in conditioned and flow.get("id") != default:
                    self.find("condition_missing", "既定でない流れには条件が必要です。", flow)
            if default is None and len(conditioned) == len(leaving):
                self.find("default_missing", "どの条件も成り立たないときの、既定の流れがありません。", element)
        elif tag in ("parallelGateway", "eventBasedGateway", "startEvent", "boundaryEvent", "intermediateCatchEvent") and conditioned:
            self.find("condition_ignored", "この要素から出る流れに条件は付けられません。", conditioned[0])
        elif conditioned and default is None and len(conditioned) == len(leaving) and tag in _ACTIVITY_TAGS:
            self.find("default_missing", "どの条件も成り立たないときの、既定の流れがありません。", element)
        if tag == "eventBasedGateway":
            self.event_gateway(element, leaving, nodes)

    def event_gateway(self, element: Any, leaving: list[Any], nodes: Mapping[str, Any]) -> None:
        """At least two ways, each to an event that waits for this gateway alone (BPMN 2.0.2, 10.6.6)."""
        if element.get("instantiate") in ("true", "1") or element.get("eventGatewayType", "Exclusive") != "Exclusive":
            self.find("event_gateway", "プロセスを開始する、または並列のイベントベースゲートウェイは使えません。", element)
        if len(leaving) < 2:
            self.find("event_gateway", "イベントベースゲートウェイからは、2つ以上のイベントへつないでください。", element)
        for flow in leaving:
            target = nodes[flow.get("targetRef")]
            waits = tag_of(target) == "receiveTask" or (tag_of(target) == "intermediateCatchEvent" and event_kind(target) != "link")
            alone = len(
                [1 for other in target.getparent().findall("bpmn:sequenceFlow", NAMESPACES) if other.get("targetRef") == target.get("id")]
            )
            hosts = {other.get("attachedToRef") for other in nodes.values()}
            if (
                not waits
                or alone != 1
                or target.get("id") in hosts
                or target.find("bpmn:multiInstanceLoopCharacteristics", NAMESPACES) is not None
            ):
                self.find("event_gateway", "イベントベースゲートウェイの先は、そこだけから入る受信イベントにしてください。", target)

    def restless(self, nodes: Mapping[str, Any], ways: Mapping[str, list[str]]) -> None:
        """A circle in which nothing ever waits would run without end."""
        busy = {name for name, element in nodes.items() if not _waits(element)}
        within = {name: [target for target in ways.get(name, ()) if target in busy] for name in busy}
        for name in sorted(busy, key=list(nodes).index):
            if name in _closure(within[name], within):
                self.find("restless_loop", "待つ要素のない繰り返しです。繰り返しの中にユーザータスクなどを置いてください。", nodes[name])
                return


#: Ids that SpiffWorkflow gives to specifications of its own.
_RESERVED = frozenset({"Start", "End", "StartEventSplit", "StartEventJoin", "Root"})


def _triggered(element: Any) -> bool:
    return tag_of(element) == "subProcess" and element.get("triggeredByEvent") in ("true", "1")


def _waits(element: Any) -> bool:
    """Whether a token rests here; a sub-process does when something in it does, a called process is taken to."""
    tag = tag_of(element)
    if tag == "subProcess":
        return any(_waits(child) for child in element)
    if tag == "intermediateCatchEvent":
        return event_kind(element) != "link"
    return tag in ("userTask", "manualTask", "receiveTask", "eventBasedGateway", "callActivity")


def _closure(first: Collection[str], ways: Mapping[str, list[str]]) -> set[str]:
    seen: set[str] = set()
    todo = list(first)
    while todo:
        name = todo.pop()
        if name not in seen:
            seen.add(name)
            todo += ways.get(name, ())
    return seen


__all__ = ["check_bundle", "check_diagram", "check_net"]
