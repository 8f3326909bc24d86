"""What one element of a diagram must say before it may run: its event, its repetition, its form, its expressions. Part of engine/gate.py."""

from __future__ import annotations

import re
from collections.abc import Collection
from typing import Any

from lxml import etree

from engine import extensions
from engine.errors import ExpressionError, Finding
from engine.expressions import compile_expression
from engine.extensions import BPMN, CAMUNDA, NAMESPACES, camunda
from engine.net import FieldSpec, listed, read_timer

FIELD_TYPES = ("string", "text", "long", "boolean", "date", "datetime", "enum", "set", "unit", "rows")
CONSTRAINTS = ("required", "maxlength", "min", "max", "required_when", "not_after", "not_before")
#: Names an instance of a repeated activity, or its completion condition, can read besides the facts.
LOCALS = frozenset(
    {"loop_index", "nrOfInstances", "nrOfCompletedInstances", "nrOfActiveInstances"}
    | {"numberOfInstances", "numberOfCompletedInstances", "numberOfActiveInstances"}
)


def tag_of(element: Any) -> str:
    return str(etree.QName(element).localname)


def event_kind(element: Any) -> str:
    for child in element:
        if tag_of(child).endswith("EventDefinition"):
            return tag_of(child).removesuffix("EventDefinition")
    return "none"


class ElementCheck:
    """Checks of single elements; `find` gathers."""

    def __init__(self, root: Any, file: str, known_names: Collection[str] | None) -> None:
        self.root, self.file, self.known_names = root, file, known_names
        self.findings: list[Finding] = []
        own = f"{{{BPMN}}}"
        self.ids = {item.get("id") for item in root.iter() if item.tag.startswith(own) and item.get("id")}

    def find(self, rule: str, message: str, element: Any = None) -> None:
        """Keep one finding."""
        self.findings.append(Finding(rule, message, element.get("id", "") if element is not None else "", self.file))

    def node(self, element: Any) -> None:
        """Its definition, its extensions, its expressions."""
        for choice in element.iter(f"{{{CAMUNDA}}}formField", f"{{{CAMUNDA}}}value"):
            if choice.get("id") in self.ids:  # the library finds elements by id in the whole file, and would take the choice for the step
                self.find(
                    "choice_id",
                    f"入力項目・選択肢のID「{choice.get('id')}」が、図の要素のIDと同じです。どちらかを変えてください。",
                    element,
                )
        tag, read = tag_of(element), extensions.read(element)
        for name, value in read.properties.items():
            if name in ("offered_when",):
                self.expression(value, element, name)
            elif name == "sets":
                for part in listed(value):
                    fact, separator, source = part.partition("=")
                    if not separator or not fact.strip().isidentifier():
                        self.find("sets", "sets は「項目=値」をコンマで並べてください。", element)
                    else:
                        self.expression(source, element, name)
        if read.assignee:
            self.expression(read.assignee, element, "assignee")
        if read.expression:
            self.expression(read.expression, element, "expression")
        if tag == "userTask" and (len(read.candidate_groups) > 1 or (read.candidate_groups and read.assignee)):
            self.find("one_seat", "担当職は1つだけにしてください（candidateGroups か assignee のどちらか）。", element)
        if tag == "serviceTask" and not read.topic and not read.expression:
            self.find("service_missing", "サービスタスクに、機能（topic）または式（expression）がありません。", element)
        if tag == "sendTask" and not read.topic and not read.expression and not element.get("messageRef"):
            self.find("service_missing", "送信タスクに、機能（topic）、式（expression）またはメッセージがありません。", element)
        if tag == "businessRuleTask" and not read.decision:
            self.find("decision_missing", "ビジネスルールタスクに、決定表（decisionRef）がありません。", element)
        self.fields(element, read.form)
        self.send_back(element, read.properties.get("send_back_to", ""))
        self.definition(element)
        loop = element.find("bpmn:multiInstanceLoopCharacteristics", NAMESPACES)
        if loop is not None:
            self.multiple(element, loop)

    def definition(self, element: Any) -> None:
        """References and times of an event; the message of a task."""
        references = {"message": "messageRef", "signal": "signalRef", "error": "errorRef", "escalation": "escalationRef"}
        holders = [(child, tag_of(child).removesuffix("EventDefinition")) for child in element if tag_of(child).endswith("EventDefinition")]
        if tag_of(element) in ("receiveTask", "sendTask") and element.get("messageRef"):
            holders.append((element, "message"))
        for holder, kind in holders:
            if kind in references:
                target = self.referred(holder.get(references[kind]), kind)
                if target is None and (holder.get(references[kind]) or kind in ("message", "signal") or tag_of(element) == "endEvent"):
                    self.find("event_reference", f"{kind} の参照先がありません。", element)
                elif target is not None and kind in ("message", "signal") and not target.get("name"):
                    self.find("event_reference", f"{kind} に名前がありません。", element)
                elif target is not None and kind == "error" and not target.get("errorCode") and tag_of(element) == "endEvent":
                    self.find("event_reference", "エラーにコードがありません。", element)
            if kind == "error" and tag_of(element) == "boundaryEvent" and element.get("cancelActivity", "true") not in ("true", "1"):
                self.find("error_interrupts", "エラーの境界イベントは中断型にしてください。", element)
            if kind == "conditional":
                self.expression(extensions.text_of(holder, "bpmn:condition"), element, "条件")
            if kind == "timer":
                self.timer(element, holder)

    def referred(self, reference: str | None, kind: str) -> Any:
        """The message, signal, error or escalation referred to."""
        return next((item for item in self.root.findall(f"bpmn:{kind}", NAMESPACES) if item.get("id") == reference), None)

    def timer(self, element: Any, holder: Any) -> None:
        """One time, ISO 8601 or an expression; a repeated one only where it can repeat."""
        times = [child for child in holder if tag_of(child) in ("timeDate", "timeDuration", "timeCycle")]
        if len(times) != 1:
            self.find("timer", "時刻（timeDate、timeDuration、timeCycle のどれか1つ）がありません。", element)
            return
        kind = {"timeDate": "date", "timeDuration": "duration", "timeCycle": "cycle"}[tag_of(times[0])]
        if kind == "cycle" and tag_of(element) == "intermediateCatchEvent":
            self.find("timer_cycle", "途中のタイマーに繰り返し（timeCycle）は使えません。", element)
        try:
            timer = read_timer(kind, times[0].text or "")
        except ValueError:
            self.find(
                "timer",
                f'時刻「{(times[0].text or "").strip()}」が正しくありません（例：PT24H、P3D、R3/PT24H、due("final_report")）。',
                element,
            )
            return
        if not timer.literal:
            self.expression(timer.text, element, "時刻")

    def multiple(self, element: Any, loop: Any) -> None:
        """How often, and when enough are done."""
        if loop.get("behavior", "All") != "All" or loop.get("noneBehaviorEventRef") or loop.get("oneBehaviorEventRef"):
            self.find("multi_behaviour", "マルチインスタンスの behavior は All だけです。", element)
        collection, cardinality = camunda(loop, "collection"), extensions.text_of(loop, "bpmn:loopCardinality")
        if bool(collection) == bool(cardinality):
            self.find("multi_count", "マルチインスタンスには、collection か loopCardinality のどちらか1つが必要です。", element)
        if loop.find("bpmn:loopDataInputRef", NAMESPACES) is not None:
            self.find("data_mapping", "loopDataInputRef の代わりに camunda:collection を使ってください。", element)
        for text, what in ((collection, "collection"), (cardinality, "loopCardinality")):
            if text:
                self.expression(text, element, what)
        completion = extensions.text_of(loop, "bpmn:completionCondition")
        if completion:
            self.expression(completion, element, "completionCondition", local=True)
        variable = camunda(loop, "elementVariable")
        if variable and not variable.isidentifier():
            self.find("multi_count", f"elementVariable「{variable}」は名前として使えません。", element)

    def fields(self, element: Any, fields: tuple[FieldSpec, ...]) -> None:
        """A form that can be read and shown."""
        seen = set()
        for spec in fields:
            if not re.fullmatch(r"[A-Za-z][A-Za-z0-9_]*", spec.id) or spec.id in seen:
                self.find("form_field", f"入力項目のID「{spec.id}」が空か、使えない文字か、重複です。", element)
            seen.add(spec.id)
            if spec.type not in FIELD_TYPES:
                self.find(
                    "form_field", f"入力項目「{spec.id}」の型「{spec.type}」は使えません（使えるもの：{'、'.join(FIELD_TYPES)}）。", element
                )
            if spec.type in ("enum", "set", "rows") and not spec.choices:
                self.find("form_field", f"入力項目「{spec.id}」に選択肢（camunda:value）がありません。", element)
            for name, value in spec.constraints.items():
                if name not in CONSTRAINTS:
                    self.find(
                        "form_field",
                        f"入力項目「{spec.id}」の制約「{name}」は使えません（使えるもの：{'、'.join(CONSTRAINTS)}）。",
                        element,
                    )
                elif name in ("maxlength", "min", "max") and not re.fullmatch(r"-?\d{1,12}", value):
                    self.find("form_field", f"入力項目「{spec.id}」の制約「{name}」は整数にしてください。", element)
                elif name == "required_when":
                    self.expression(value, element, f"{spec.id} の required_when")
            if spec.properties.get("shown_when"):
                self.expression(spec.properties["shown_when"], element, f"{spec.id} の shown_when")

    def send_back(self, element: Any, text: str) -> None:
        """Steps that this one may return to lie beside it and wait for a person."""
        beside = {item.get("id"): item for item in element.getparent()}
        for name in listed(text):
            target = beside.get(name)
            if target is None or tag_of(target) != "userTask" or tag_of(element) != "userTask" or target is element:
                self.find("send_back_to", f"差戻し先「{name}」は、同じプロセスの中の他のユーザータスクにしてください。", element)
            elif element.find("bpmn:multiInstanceLoopCharacteristics", NAMESPACES) is not None:
                self.find("send_back_to", "マルチインスタンスの処理からは差し戻せません。", element)

    def expression(self, text: str, element: Any, what: str, *, local: bool = False) -> None:
        """It compiles, and reads only known facts when they are given; a completion condition also reads its own counters."""
        known = self.known_names
        if known is not None and (local or known):
            known = frozenset(known) | LOCALS | self.variables()
        try:
            compile_expression(text, known)
        except ExpressionError as error:
            self.find("expression", f"{what}：{error.text}", element)

    def variables(self) -> frozenset[str]:
        """Element variables of the file's repeated activities."""
        loops = self.root.iter(f"{{{BPMN}}}multiInstanceLoopCharacteristics")
        return frozenset(name for name in (camunda(loop, "elementVariable") for loop in loops) if name)
