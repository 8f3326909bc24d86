"""What a diagram must be before it may run: checks on the XML itself, since a parser drops what it does not know without a word.

Every finding names its rule, the element and what to do, in Japanese; docs/rules has a page for each. The order of the whole gate is in
engine/parsing.py: safety of the XML (xml_safety), XSD (xml_schema), these (with gate_check, gate_elements and gate_extensions), then the
bundle (gate_bundle). Tables have gate_tables. What an office's folder must offer (seats, clauses, facts) is checked by engine/deploy_check.py.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Mapping
from typing import Any

from lxml import etree

from engine import extensions
from engine.errors import Finding
from engine.extensions import BPMN, NAMESPACES
from engine.gate_check import NODES, SOURCES, event_kind, tag_of
from engine.gate_elements import ElementCheck
from engine.limits import DEFAULT, Limits
from engine.net import ACTIVITIES

_EVENTS = {
    "startEvent": {"message", "timer", "signal", "conditional", "error", "escalation"},
    "endEvent": {"message", "signal", "error", "escalation", "terminate"},
    "intermediateCatchEvent": {"message", "timer", "signal", "conditional", "link"},
    "intermediateThrowEvent": {"message", "signal", "escalation", "link"},
    "boundaryEvent": {"message", "timer", "signal", "conditional", "error", "escalation"},
}
#: What a finding about something inside is told of.
_OWNERS = NODES | {"sequenceFlow", "process"}
#: What lets through on every flow, so that a condition would be dropped.
_UNCONDITIONAL = {
    "parallelGateway", "eventBasedGateway", "startEvent", "boundaryEvent", "intermediateCatchEvent", "intermediateThrowEvent",
}  # fmt: skip
_PEOPLE = "担当は camunda:candidateGroups に「役@部署」で書いてください。"
#: What to do instead of some elements that are not supported.
_INSTEAD = {
    "potentialOwner": _PEOPLE, "humanPerformer": _PEOPLE, "performer": _PEOPLE, "resourceRole": _PEOPLE,
    "property": "案件の項目は画面（camunda:formData）で宣言してください。",
    "rendering": "画面は camunda:formData で作ってください。",
}  # fmt: skip
_ACTIVITY_TAGS = {kind.value for kind in ACTIVITIES}
#: Refused elements of BPMN that a person could expect to work, with the reason.
_REFUSED = {
    "scriptTask": ("script_refused", "スクリプトタスクは使えません。サービスタスクで登録済みの機能を指定してください。"),
    "complexGateway": ("complex_gateway", "複合ゲートウェイは使えません。包含・排他・並列のゲートウェイで描いてください。"),
    "adHocSubProcess": (
        "ad_hoc",
        "アドホックサブプロセスは使えません。いつでもできる操作は、メッセージで始まるイベントサブプロセスにしてください。",
    ),
    "transaction": ("transaction", "トランザクションは使えません。普通のサブプロセスにしてください。"),
    "compensateEventDefinition": ("compensation", "補償イベントは使えません。取消しの流れを、普通の処理として描いてください。"),
    "cancelEventDefinition": ("transaction", "キャンセルイベントは使えません。エラーイベントで描いてください。"),
    "standardLoopCharacteristics": ("standard_loop", "標準ループは使えません。流れで戻すか、マルチインスタンスにしてください。"),
    "eventDefinitionRef": (
        "event_reference",
        "共通のイベント定義への参照（eventDefinitionRef）は使えません。イベントの中に定義を書いてください。",
    ),
    "dataStoreReference": ("data_store", "データストアは使えません。消してください（案件の項目は台帳に残ります）。"),
    "dataStore": ("data_store", "データストアは使えません。消してください（案件の項目は台帳に残ります）。"),
    "ioSpecification": ("data_mapping", "入出力の割当ては使えません。案件の項目は共通です。"),
    "dataInputAssociation": ("data_mapping", "入出力の割当ては使えません。案件の項目は共通です。"),
    "dataOutputAssociation": ("data_mapping", "入出力の割当ては使えません。案件の項目は共通です。"),
    "choreography": ("unsupported_element", "コレオグラフィは使えません。プロセスを描いてください。"),
    "conversation": ("unsupported_element", "会話図は使えません。プロセスを描いてください。"),
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


def check_diagram(root: Any, file: str, known_names: Collection[str] | None = None, limits: Limits = DEFAULT) -> list[Finding]:
    """All findings of one file; those of severity "warning" do not keep a diagram from running."""
    check = _Check(root, file, known_names, limits)
    return check.run()


class _Check(ElementCheck):
    """The checks of one file; `find` gathers."""

    def run(self) -> list[Finding]:
        """Supported elements first: what follows may rely on them."""
        processes = self.root.findall("bpmn:process", NAMESPACES)
        if not processes:
            self.find("process_missing", "プロセスがありません。")
        if len(processes) > self.limits.processes:
            self.find("too_many_nodes", f"{self.limits.exceeded('processes', len(processes))}ファイルを分けてください。")
            return self.findings
        self.around()
        for process in processes:
            self.elements(process)
        if self.findings:
            return [*self.findings, *self.warnings]
        for process in processes:
            if process.get("isExecutable", "true") not in ("true", "1"):
                self.find("not_executable", "プロセスが実行可能（isExecutable）になっていません。true にしてください。", process)
            own = [element for element in process.iter() if etree.QName(element).namespace == BPMN]
            nodes = [element for element in own if tag_of(element) in NODES]
            flows = sum(tag_of(element) == "sequenceFlow" for element in own)
            if len(nodes) > self.limits.nodes or flows > self.limits.flows:
                name, count = ("nodes", len(nodes)) if len(nodes) > self.limits.nodes else ("flows", flows)
                self.find("too_many_nodes", f"{self.limits.exceeded(name, count)}コールアクティビティに分けてください。", process)
                continue
            self.properties(process)
            self.scope(process)
            for element in nodes:
                if not self.full:
                    self.node(element)
        return [*self.findings, *self.warnings]

    def around(self) -> None:
        """What stands beside the processes: pools are drawing, message flows between them are told as not run."""
        for child in self.root:
            if tag_of(child) in _REFUSED or tag_of(child).startswith("global"):
                self.find("unsupported_element", f"要素「{tag_of(child)}」は使えません。プロセスだけを描いてください。", child)
        for flow in self.root.iter(f"{{{BPMN}}}messageFlow"):
            if len(self.warnings) < self.limits.findings:
                message = "メッセージフローは動きません（図としてだけ表示されます）。受け渡しはイベントで描いてください。"
                self.warnings.append(self.finding("ignored_element", message, flow, "warning"))

    # Elements.

    def elements(self, process: Any) -> None:
        """Only what the engine runs, nothing that it would drop; what is inside a refused element is not told as well."""
        refused: set[Any] = set()
        for element in process.iter():
            if element.getparent() in refused:
                refused.add(element)
                continue
            if etree.QName(element).namespace != BPMN:
                continue
            tag = tag_of(element)
            owner = element if tag in _OWNERS else _owner(element)
            self.texts(element, owner)
            self.extensions(element, owner)
            if tag in SOURCES:
                self.source(element, owner)
            if tag in _OWNERS and not element.get("id"):
                what = element.get("name") or element.get("sourceRef") or tag
                self.find("id_missing", f"「{what[:60]}」（{tag}）にIDがありません。エディターで付け直してください。", element.getparent())
            if element is process:
                continue
            if tag in _REFUSED:
                refused.add(element)
                rule, message = _REFUSED[tag]
                self.find(rule, message, element if element.get("id") else element.getparent())
            elif tag not in NODES and tag not in _CARRIED:
                refused.add(element)
                self.find("unsupported_element", f"要素「{tag}」は使えません。{_INSTEAD.get(tag, '消してください。')}", owner)
            elif tag in _EVENTS:
                self.event(element, tag)
            for name in ("startQuantity", "completionQuantity"):
                if element.get(name, "1") != "1":
                    self.find("token_quantity", f"{name} は1以外にできません。", element)
            if element.get("isForCompensation", "false") in ("true", "1"):
                self.find("compensation", "補償用のアクティビティは使えません。取消しの流れを、普通の処理として描いてください。", element)
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
        nodes = {element.get("id"): element for element in container if tag_of(element) in NODES}
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
        started = [name for name, element in nodes.items() if tag_of(element) == "startEvent"]
        told = {target for _, target in links}  # the catch of a link without its throw has been told of already
        alone = [name for name, element in nodes.items() if tag_of(element) == "intermediateCatchEvent" and event_kind(element) == "link"]
        events = [name for name, element in nodes.items() if _triggered(element)]
        reached = _closure([*started, *events, *(name for name in alone if name not in told)], ways)
        for name, element in nodes.items():
            if started and name not in reached:
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
        self.conditions(element, leaving)
        if tag == "eventBasedGateway":
            self.event_gateway(element, leaving, nodes)

    def conditions(self, element: Any, leaving: list[Any]) -> None:
        """Which flows need a condition, which may not have one, and that some flow can always be taken."""
        tag, default = tag_of(element), element.get("default")
        conditioned = {flow for flow in leaving if flow.find("bpmn:conditionExpression", NAMESPACES) is not None}
        for flow in leaving:
            if flow not in conditioned:
                continue
            self.condition(extensions.text_of(flow, "bpmn:conditionExpression"), flow, "条件")
            if tag in _UNCONDITIONAL:
                self.find("condition_ignored", "この要素から出る流れに条件は付けられません。条件はゲートウェイで描いてください。", flow)
            elif flow.get("id") == default:
                self.find("condition_ignored", "既定の流れの条件は使われません。条件を消してください。", flow)
            elif tag == "exclusiveGateway" and len(leaving) == 1:
                self.find(
                    "condition_ignored", "出口が1つだけのゲートウェイでは、条件は使われません。条件を消すか、出口を増やしてください。", flow
                )
        if tag in ("exclusiveGateway", "inclusiveGateway") and len(leaving) > 1:
            for flow in leaving:
                if flow not in conditioned and flow.get("id") != default:
                    self.find("condition_missing", "既定でない流れには条件が必要です。", flow)
        stuck = default is None and leaving and len(conditioned) == len(leaving) and tag not in _UNCONDITIONAL
        if stuck and not (tag == "exclusiveGateway" and len(leaving) == 1):
            self.find("default_missing", "どの条件も成り立たないときの、既定の流れがありません。", element)

    def event_gateway(self, element: Any, leaving: list[Any], nodes: Mapping[str, Any]) -> None:
        """At least two ways, each to an event that waits for this gateway alone (BPMN 2.0.2, 10.6.6)."""
        if element.get("instantiate") in ("true", "1") or element.get("eventGatewayType", "Exclusive") != "Exclusive":
            self.find("event_gateway", "プロセスを開始する、または並列のイベントベースゲートウェイは使えません。", element)
        if len(leaving) < 2:
            self.find("event_gateway", "イベントベースゲートウェイからは、2つ以上のイベントへつないでください。", element)
        arriving = Counter(flow.get("targetRef") for flow in element.getparent().iterchildren(f"{{{BPMN}}}sequenceFlow"))
        hosts = {other.get("attachedToRef") for other in nodes.values()}
        for flow in leaving:
            target = nodes[flow.get("targetRef")]
            name = target.get("id")
            waits = tag_of(target) == "receiveTask" or (tag_of(target) == "intermediateCatchEvent" and event_kind(target) != "link")
            repeated = target.find("bpmn:multiInstanceLoopCharacteristics", NAMESPACES) is not None
            if not waits or arriving[name] != 1 or name in hosts or repeated:
                self.find("event_gateway", "イベントベースゲートウェイの先は、そこだけから入る受信イベントにしてください。", target)

    def restless(self, nodes: Mapping[str, Any], ways: Mapping[str, list[str]]) -> None:
        """A circle in which nothing ever waits would run without end."""
        busy = {name for name, element in nodes.items() if not _waits(element)}
        within = {name: [target for target in ways.get(name, ()) if target in busy] for name in nodes if name in busy}
        for name in _on_circles(within)[:1]:
            self.find("restless_loop", "待つ要素のない繰り返しです。繰り返しの中にユーザータスクなどを置いてください。", nodes[name])


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


def _on_circles(ways: Mapping[str, list[str]]) -> list[str]:
    """What is left, in order, after taking away again and again what nothing leads to, and what leads to nothing."""
    left = dict.fromkeys(ways)
    back: dict[str, list[str]] = {name: [] for name in ways}
    for name, targets in ways.items():
        for target in targets:
            back[target].append(name)
    for one, other in ((ways, back), (back, ways)):
        count = {name: sum(target in left for target in other[name]) for name in left}
        todo = [name for name in left if not count[name]]
        while todo:
            name = todo.pop()
            del left[name]
            for target in one[name]:
                if target in left:
                    count[target] -= 1
                    if not count[target]:
                        todo.append(target)
    return list(left)


def _owner(element: Any) -> Any:
    """The node, flow or process that something without a life of its own belongs to."""
    while element is not None and tag_of(element) not in _OWNERS:
        element = element.getparent()
    return element


def _closure(first: Collection[str], ways: Mapping[str, list[str]]) -> set[str]:
    seen: set[str] = set()
    todo = list(first)
    while todo:
        name = todo.pop()
        if name not in seen:
            seen.add(name)
            todo += ways.get(name, ())
    return seen


__all__ = ["check_diagram"]
