"""What one element of a diagram must say before it may run: its event, its repetition, its form, its expressions. Part of engine/gate.py."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

from engine import extensions
from engine.clock import JST
from engine.deadlines import Calendar, WorkingDays
from engine.errors import ExpressionError
from engine.expressions import HOST_FUNCTIONS, calls, compile_expression
from engine.extensions import NAMESPACES, camunda
from engine.gate_check import Check, tag_of, usable
from engine.gate_extensions import near, property_complaint
from engine.net import FieldSpec, Timer, listed, read_timer
from engine.timers import due_instant

FIELD_TYPES = ("string", "text", "long", "boolean", "date", "datetime", "enum", "set", "unit", "people", "rows")
CONSTRAINTS = ("required", "maxlength", "min", "max", "required_when", "not_after", "not_before")
WITHDRAWALS = ("never", "until_first_act", "until_end")
#: A repeated timer that comes round faster would only fill the record; after an outage every missed round is looked at.
SHORTEST_CYCLE = timedelta(minutes=1)
#: Some instant to try timers on: whether one is due at all does not depend on when it is armed.
_SOME_INSTANT = datetime(2026, 4, 1, 9, tzinfo=JST)
_TRIAL: Mapping[str, Callable[..., Any]] = {
    "now": lambda: _SOME_INSTANT,
    "today": lambda: _SOME_INSTANT.date().isoformat(),
    "days": lambda number: timedelta(days=number),
    "hours": lambda number: timedelta(hours=number),
    "working_days": lambda number: WorkingDays(number, Calendar()),
}


class ElementCheck(Check):
    """Checks of single elements."""

    def properties(self, element: Any) -> None:
        """Every property is one that is read on such an element, once, and says something it may."""
        holders = [element, *(child for child in element if tag_of(child).endswith("EventDefinition"))]
        path = "bpmn:extensionElements/camunda:properties/camunda:property"
        seen: set[str] = set()
        for item in [item for holder in holders for item in holder.findall(path, NAMESPACES)]:
            if self.full:
                return
            name, value = item.get("name", ""), (item.get("value") or "").strip()
            wrong = property_complaint(tag_of(element), name)
            if wrong:
                self.find("property_unknown", wrong, element)
            elif name in seen:
                self.find("property_unknown", f"拡張プロパティ「{name}」が2つあります。1つにしてください。", element)
            seen.add(name)
            self.text(value, "property_text", f"拡張プロパティ「{name[:60]}」", element)
            if name == "withdraw" and value not in WITHDRAWALS:
                self.find("property_unknown", f"withdraw「{value[:60]}」は使えません（使えるもの：{'、'.join(WITHDRAWALS)}）。", element)

    def node(self, element: Any) -> None:
        """Its definition, its extensions, its expressions."""
        tag, read = tag_of(element), extensions.read(element)
        self.properties(element)
        if any(len(value) > self.limits.property_text for value in read.properties.values()):
            return  # told already, and not worth taking apart
        for name, value in read.properties.items():
            if name in ("offered_when", "passed_over_when") and value:
                self.condition(value, element, name)
            elif name in ("suggestion", "grace", "entries", "also") and value:
                self.expression(value, element, name)
            elif name in ("sets", "passes", "values") or (name == "passed_over" and value != "none"):
                for part in listed(value):
                    fact, separator, source = part.partition("=")
                    if not separator or not usable(fact.strip()):
                        self.find(
                            "sets", f"{name}「{part[:60]}」は、「項目=値」の形ではありません。コンマで区切って並べてください。", element
                        )
                    else:
                        self.expression(source.strip(), element, name)
        if read.assignee:
            self.expression(read.assignee, element, "assignee")
        if read.expression:
            self.expression(read.expression, element, "expression")
        if tag == "userTask" and (len(read.candidate_groups) > 1 or (read.candidate_groups and read.assignee)):
            self.find("one_seat", "担当職は1つだけにしてください（candidateGroups か assignee のどちらか）。", element)
        for groups in (read.candidate_groups, listed(read.properties.get("to"))):
            if len(groups) > self.limits.candidates:
                self.find("text_too_long", self.limits.exceeded("candidates", len(groups)), element)
        if tag == "serviceTask" and not read.topic and not read.expression:
            self.find("service_missing", "サービスタスクに、機能（topic）または式（expression）がありません。", element)
        if tag == "sendTask" and not read.topic and not read.expression and not element.get("messageRef"):
            self.find("service_missing", "送信タスクに、機能（topic）、式（expression）またはメッセージがありません。", element)
        if tag == "businessRuleTask" and not read.decision:
            self.find("decision_missing", "ビジネスルールタスクに、決定表（decisionRef）がありません。", element)
        if tag == "receiveTask" and element.get("instantiate") in ("true", "1"):
            self.find(
                "receive_instantiate", "プロセスを開始する受信タスク（instantiate）は使えません。開始イベントで始めてください。", element
            )
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
                self.condition(extensions.text_of(holder, "bpmn:condition"), element, "条件")
            if kind == "timer":
                self.timer(element, holder)

    def referred(self, reference: str | None, kind: str) -> Any:
        """The message, signal, error or escalation referred to, by its id or its qualified name."""
        found = self.by_id.get((reference or "").rpartition(":")[2])
        return found if found is not None and tag_of(found) == kind else None

    def timer(self, element: Any, holder: Any) -> None:
        """One time, ISO 8601 or an expression, that is due some day; a repeated one only where it can repeat."""
        times = [child for child in holder if tag_of(child) in ("timeDate", "timeDuration", "timeCycle")]
        if len(times) != 1:
            self.find("timer", "時刻（timeDate、timeDuration、timeCycle のどれか1つ）がありません。", element)
            return
        kind = {"timeDate": "date", "timeDuration": "duration", "timeCycle": "cycle"}[tag_of(times[0])]
        text = (times[0].text or "").strip()
        if kind == "cycle" and tag_of(element) == "intermediateCatchEvent":
            self.find("timer_cycle", "途中のタイマーに繰り返し（timeCycle）は使えません。timeDuration にしてください。", element)
        try:
            timer = read_timer(kind, text)
        except ValueError:
            timer = None
        if timer is None or (timer.literal and not text.isascii()):
            example = 'PT24H、P3D、R3/PT24H、due("final_report")'
            self.find("timer", f"時刻「{text[:60]}」が正しくありません。半角で書いてください（例：{example}）。", element)
        elif timer.literal:
            self.due(timer, lambda _text: None, element)
        elif tag_of(element) == "startEvent" and tag_of(element.getparent()) == "process":
            self.find(
                "timer",
                f"時刻「{text[:60]}」は式です。案件がまだ無いので、開始の時刻は R/2026-12-01T09:00:00+09:00/P1M のように書いてください。",
                element,
            )
        elif self.expression(timer.text, element, "時刻"):
            value = compile_expression(timer.text)
            if not value.names and all(function not in HOST_FUNCTIONS or function in _TRIAL for function, _ in calls(timer.text)):
                self.due(timer, lambda _text: value.evaluate({}, _TRIAL), element)

    def due(self, timer: Timer, evaluate: Callable[[str], Any], element: Any) -> None:
        """A time that reads nothing from the case can be tried out now."""
        try:
            unanchored = replace(timer, begin=None)  # when it begins says nothing about how long a round is
            due = due_instant(unanchored, _SOME_INSTANT, evaluate)
        except (ExpressionError, OverflowError, ValueError):
            due = None
        if due is None or (timer.kind != "date" and due <= _SOME_INSTANT):
            self.find("timer", f"時刻「{timer.text[:60]}」は、いつにもなりません（空、0以下、または遠すぎます）。", element)
        elif timer.kind == "cycle" and due - _SOME_INSTANT < SHORTEST_CYCLE:
            self.find("timer_cycle", f"繰り返しの間隔「{timer.text[:60]}」が短すぎます。1分（PT1M）以上にしてください。", element)

    def multiple(self, element: Any, loop: Any) -> None:
        """How often, and when enough are done."""
        if loop.get("behavior", "All") != "All" or loop.get("noneBehaviorEventRef") or loop.get("oneBehaviorEventRef"):
            self.find("multi_behaviour", "マルチインスタンスの behavior は All だけです。", element)
        collection, cardinality = camunda(loop, "collection"), extensions.text_of(loop, "bpmn:loopCardinality")
        if bool(collection) == bool(cardinality):
            self.find("multi_count", "マルチインスタンスには、collection か loopCardinality のどちらか1つが必要です。", element)
        for tag in ("loopDataInputRef", "loopDataOutputRef", "inputDataItem", "outputDataItem"):
            if loop.find(f"bpmn:{tag}", NAMESPACES) is not None:
                self.find("data_mapping", f"{tag} は使えません。camunda:collection と camunda:elementVariable を使ってください。", element)
        if collection and self.expression(collection, element, "collection"):
            known, value = self.constant(collection)
            if known and not (isinstance(value, list) and len(value) <= self.limits.instances):
                self.find(
                    "multi_count", f"collection「{collection[:60]}」は、{self.limits.says('instances')}のリストではありません。", element
                )
        if cardinality and self.expression(cardinality, element, "loopCardinality"):
            known, value = self.constant(cardinality)
            if known and (isinstance(value, bool) or not isinstance(value, int) or not 0 <= value <= self.limits.instances):
                most = self.limits.instances
                self.find("multi_count", f"loopCardinality「{cardinality[:60]}」は、0から{most}までの整数にしてください。", element)
        completion = extensions.text_of(loop, "bpmn:completionCondition")
        if completion:
            self.condition(completion, element, "completionCondition", local=True)
        variable = camunda(loop, "elementVariable")
        if variable and not usable(variable):
            self.find(
                "multi_count", f"elementVariable「{variable[:60]}」は名前として使えません。英字で始まる英数字にしてください。", element
            )

    # Forms.

    def fields(self, element: Any, fields: tuple[FieldSpec, ...]) -> None:
        """A form that can be read and shown."""
        if len(fields) > self.limits.form_fields:
            self.find("form_field", f"{self.limits.exceeded('form_fields', len(fields))}画面を分けてください。", element)
            return
        seen: set[str] = set()
        for spec in fields:
            if not usable(spec.id) or spec.id in seen or len(spec.id) > self.limits.identifier:
                self.find(
                    "form_field",
                    f"入力項目のID「{spec.id[:60]}」が空か、重複か、名前に使えません。英字で始まる英数字と下線で、"
                    "関数名などの決まった語を避けてください。",
                    element,
                )
            seen.add(spec.id)
            if spec.id in self.by_id:
                message = f"入力項目のID「{spec.id}」が、図の要素のIDと同じです。どちらかを変えてください。"
                self.find("choice_id", message, element)
            for problem in self.field(spec, element):
                self.find("form_field", f"入力項目「{spec.id[:60]}」{problem}", element)

    def field(self, spec: FieldSpec, element: Any) -> list[str]:
        """What is wrong with one field."""
        wrong = []
        if spec.type not in FIELD_TYPES:
            wrong.append(f"の型「{spec.type[:60]}」は使えません（使えるもの：{'、'.join(FIELD_TYPES)}）。")
        if spec.type in ("enum", "set", "rows") and not spec.choices:
            wrong.append("に選択肢（camunda:value）がありません。")
        values = [choice.value for choice in spec.choices]
        if len(values) > self.limits.choices:
            wrong.append(f"：{self.limits.exceeded('choices', len(values))}")
        elif len(set(values)) < len(values) or not all(values):
            wrong.append("の選択肢（camunda:value）のIDが、空か重複です。")
        for what, text in (("表示名", spec.label), *(("選択肢", choice.label) for choice in spec.choices), ("既定値", spec.default or "")):
            self.text(text, "name", f"入力項目「{spec.id[:60]}」の{what}", element)
        default = spec.default or ""
        fits = {
            "enum": default in values,
            "boolean": default in ("true", "false"),
            "long": re.fullmatch(r"-?[0-9]{1,12}", default) is not None,
        }
        if default and not fits.get(spec.type, True):
            wrong.append(f"の既定値「{default[:60]}」は、この型の値ではありません。")
        for name, value in spec.constraints.items():
            if name not in CONSTRAINTS:
                wrong.append(f"の制約「{name[:60]}」は使えません（使えるもの：{'、'.join(CONSTRAINTS)}）。")
            elif name in ("maxlength", "min", "max"):
                if not re.fullmatch(r"-?[0-9]{1,12}", value):
                    wrong.append(f"の制約「{name}」は、半角の整数にしてください。")
                elif name == "maxlength" and not 1 <= int(value) <= self.limits.field_length:
                    wrong.append(f"の maxlength は、1から{self.limits.field_length}までにしてください。")
            elif name == "required_when":
                self.condition(value, element, f"{spec.id} の required_when")
            elif name in ("not_after", "not_before") and not value.isidentifier():
                self.expression(value, element, f"{spec.id} の {name}")
        low, high = spec.constraints.get("min", ""), spec.constraints.get("max", "")
        if re.fullmatch(r"-?[0-9]{1,12}", low) and re.fullmatch(r"-?[0-9]{1,12}", high) and int(low) > int(high):
            wrong.append("の min が max より大きく、どの値も入力できません。")
        for name, value in spec.properties.items():
            if self.full:
                break
            problem = property_complaint("field", name)
            if problem:
                self.find("property_unknown", f"入力項目「{spec.id[:60]}」：{problem}", element)
            self.text(value, "property_text", f"入力項目「{spec.id[:60]}」の {name[:60]}", element)
        if spec.properties.get("shown_when"):
            self.condition(spec.properties["shown_when"], element, f"{spec.id} の shown_when")
        if spec.properties.get("as_buttons", "false") not in ("true", "false"):
            wrong.append("の as_buttons は true か false にしてください。")
        elif spec.properties.get("as_buttons") == "true" and spec.type != "enum":
            wrong.append("の as_buttons は、型が enum のときだけ使えます。")
        return wrong

    def send_back(self, element: Any, text: str) -> None:
        """Steps that this one may return to lie beside it and wait for a person."""
        if not text:
            return
        beside = {item.get("id"): item for item in element.getparent()}
        for name in dict.fromkeys(listed(text)):
            target = beside.get(name)
            if target is None or tag_of(target) != "userTask" or tag_of(element) != "userTask" or target is element:
                steps = [other for other, item in beside.items() if other and tag_of(item) == "userTask"]
                self.find(
                    "send_back_to",
                    f"差戻し先「{name}」は、同じプロセスの中の他のユーザータスクではありません{near(name, steps)}。IDを確かめてください。",
                    element,
                )
            elif element.find("bpmn:multiInstanceLoopCharacteristics", NAMESPACES) is not None:
                self.find("send_back_to", "マルチインスタンスの処理からは差し戻せません。", element)
