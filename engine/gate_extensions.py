"""What a diagram says in `camunda:` and other vendors' namespaces: read, refused because it would change the case, or told as left unread.

Camunda runs much that Tadachi does not: listeners, scripts, Java classes, mappings. Dropping one of those in silence would make another
process of the drawing, so each is refused by name; what only concerns Camunda's own machinery is told and left unread.
"""

from __future__ import annotations

import difflib
from collections.abc import Collection, Iterator, Mapping
from itertools import islice
from typing import Any

from lxml import etree

from engine.extensions import BPMN, CAMUNDA

_EVENT_HOLDERS = frozenset({"startEvent", "intermediateCatchEvent", "boundaryEvent", "receiveTask", "messageEventDefinition"})
_PERSONAL = frozenset({"userTask", "manualTask"})
_WORKING = frozenset({"serviceTask", "sendTask", "messageEventDefinition", "intermediateThrowEvent", "endEvent"})
#: `camunda:` attributes that are read, with the elements that may carry them.
READ_ATTRIBUTES: Mapping[str, frozenset[str]] = {
    "candidateGroups": _PERSONAL | _EVENT_HOLDERS,
    "assignee": _PERSONAL,
    "topic": _WORKING,
    "expression": _WORKING,
    "type": _WORKING | {"businessRuleTask"},
    "decisionRef": frozenset({"businessRuleTask"}),
    "collection": frozenset({"multiInstanceLoopCharacteristics"}),
    "elementVariable": frozenset({"multiInstanceLoopCharacteristics"}),
}
_CODE = "図からプログラムを呼び出すことはできません。登録済みの機能（topic）を使ってください。"
_VARIABLES = "案件の項目は図の全体で共通なので、変数の受渡しは書きません。"
_FORM = "画面は camunda:formData の入力項目で作ってください。"
_DUE = "期限は拡張プロパティ urgency または deadline で指定してください。"
_SEAT = "担当は役で決まります。candidateGroups に「役@部署」を書いてください。"
#: `camunda:` attributes that would change what happens, with what to do instead.
REFUSED_ATTRIBUTES: Mapping[str, str] = {
    "class": _CODE, "delegateExpression": _CODE, "resource": _CODE, "scriptFormat": _CODE,
    "variableMappingClass": _VARIABLES, "variableMappingDelegateExpression": _VARIABLES,
    "resultVariable": _VARIABLES, "mapDecisionResult": "決定表の出力は、出力列の名前の項目に入ります。",
    "errorCodeVariable": _VARIABLES, "errorMessageVariable": _VARIABLES, "escalationCodeVariable": _VARIABLES,
    "initiator": "報告者は項目 reporter で読めます。", "businessKey": "案件番号は拡張プロパティ numbering で決まります。",
    "formKey": _FORM, "formRef": _FORM, "formRefBinding": _FORM, "formRefVersion": _FORM, "formHandlerClass": _FORM,
    "dueDate": _DUE, "followUpDate": _DUE, "candidateUsers": _SEAT,
    "candidateStarterGroups": "案件は、その機関の職員なら誰でも始められます。",
    "candidateStarterUsers": "案件は、その機関の職員なら誰でも始められます。",
    "skipExpression": "処理を飛ばす条件は、ゲートウェイで描いてください。",
    "caseRef": "CMMNのケースは呼び出せません。", "caseBinding": "CMMNのケースは呼び出せません。",
    "calledElementVersion": "呼び出し先は、いつも一緒に登録した版です。", "calledElementVersionTag": "呼び出し先は、いつも一緒に登録した版です。",
    "decisionRefVersion": "決定表は、いつも一緒に登録した版です。", "decisionRefVersionTag": "決定表は、いつも一緒に登録した版です。",
}  # fmt: skip
#: Attributes that are harmless with these values only.
_VALUES: Mapping[str, tuple[frozenset[str], str]] = {
    "type": (frozenset({"external"}), _CODE),
    "calledElementBinding": (frozenset({"latest", "deployment"}), "呼び出し先は、いつも一緒に登録した版です。"),
    "decisionRefBinding": (frozenset({"latest", "deployment"}), "決定表は、いつも一緒に登録した版です。"),
    "isStartableInTasklist": (frozenset({"true"}), "案件は、その機関の職員なら誰でも始められます。"),
}
#: Attributes that only concern Camunda's own machinery.
IGNORED_ATTRIBUTES = frozenset(
    {
        "async", "asyncBefore", "asyncAfter", "exclusive", "jobPriority", "taskPriority", "priority", "historyTimeToLive", "versionTag",
        "calledElementBinding", "decisionRefBinding", "calledElementTenantId", "decisionRefTenantId", "isStartableInTasklist",
        "variableName", "variableEvents", "modelerTemplate", "modelerTemplateVersion", "modelerTemplateIcon", "diagramRelationId",
    }
)  # fmt: skip
_READ_ELEMENTS = frozenset({"properties", "formData"})
_IGNORED_ELEMENTS = frozenset({"failedJobRetryTimeCycle"})
REFUSED_ELEMENTS: Mapping[str, str] = {
    "executionListener": _CODE, "taskListener": _CODE, "connector": _CODE, "script": _CODE, "field": _CODE,
    "inputOutput": _VARIABLES, "in": _VARIABLES, "out": _VARIABLES,
    "errorEventDefinition": "エラーは、機能の側で決めたコードを境界イベントで受けてください。",
    "potentialStarter": "案件は、その機関の職員なら誰でも始められます。",
}  # fmt: skip
#: Engines whose extensions say what happens; everyone else's are taken for decoration.
_ENGINES: Mapping[str, str] = {
    "http://camunda.org/schema/zeebe/1.0": "Camunda 8",
    "http://flowable.org/bpmn": "Flowable",
    "http://activiti.org/bpmn": "Activiti",
    "http://spiffworkflow.org/bpmn/schema/1.0/core": "SpiffWorkflow",
}
#: What of the declared extensions may stand where: the attributes of each `camunda:` element that is read.
_WITHIN: Mapping[str, frozenset[str]] = {
    "properties": frozenset(),
    "property": frozenset({"id", "name", "value"}),
    "formData": frozenset(),
    "formField": frozenset({"id", "label", "type", "defaultValue", "datePattern"}),
    "value": frozenset({"id", "name"}),
    "validation": frozenset(),
    "constraint": frozenset({"name", "config"}),
}

_STEP = frozenset(
    ["clause", "records", "urgency", "deadline", "send_back_to", "not_same_person_as", "button", "sets", "suggestion", "paper", "moment"]
) | {
    "decision",
    "final",
    "hop",
    "passed_over",
    "passed_over_when",
}
_ACTION = frozenset(
    {
        "candidateGroups",
        "clause",
        "records",
        "urgency",
        "button",
        "offered_when",
        "sets",
        "suggestion",
        "paper",
        "moment",
        "not_same_person_as",
    }
)
_WORK = frozenset(
    {"clause", "records", "sets", "to", "template", "numbering", "fact", "ledger", "state", "process", "passes", "link", "also"}
) | {
    "until",
    "grace",
    "except",
    "summary",
    "entries",
    "values",
}
#: Properties that are read, by the element that carries them.
PROPERTIES: Mapping[str, frozenset[str]] = {
    "process": frozenset({"withdraw", "numbering"}),
    "userTask": _STEP | {"candidateGroups", "by_link"},
    "manualTask": _STEP | {"candidateGroups"},
    "receiveTask": _ACTION,
    "startEvent": _ACTION | {"hop", "by_link"},
    "boundaryEvent": _ACTION,
    "intermediateCatchEvent": _ACTION,
    "serviceTask": _WORK,
    "sendTask": _WORK,
    "businessRuleTask": frozenset({"clause", "records", "sets"}),
    "intermediateThrowEvent": _WORK,
    "endEvent": _WORK,
    "field": frozenset({"help", "shown_when", "as_buttons", "personal", "named", "readonly"}),
}
_ALL_PROPERTIES = frozenset().union(*PROPERTIES.values())
_CLAUSE_ONLY = frozenset({"clause"})


def near(name: str, names: Collection[str]) -> str:
    """`（「x」の間違いですか？）` when some of the names look like it, else ""."""
    alike = (one for one in names if abs(len(one) - len(name)) <= 3 and name and one and (one[0] == name[0] or one[-1] == name[-1]))
    found = difflib.get_close_matches(name[:100], list(islice(alike, _COMPARED)), 3, 0.7)
    return f"（{'、'.join(f'「{one}」' for one in found)}の間違いですか？）" if found else ""


#: Comparing is slow; a diagram with more names than this that begin or end alike is hostile, and gets no help.
_COMPARED = 100


def complaints(element: Any) -> Iterator[tuple[str, str]]:
    """(rule, message) of everything in foreign namespaces that one BPMN element carries itself."""
    tag = etree.QName(element).localname
    for name, value in element.attrib.items():
        if name.startswith("{"):
            yield from _attribute(tag, etree.QName(name), value)
    for extensions in element.iterchildren(f"{{{BPMN}}}extensionElements"):
        for child in extensions:
            yield from _element(etree.QName(child))
        for own in extensions.iterdescendants():
            name = etree.QName(own)
            if name.namespace == CAMUNDA and name.localname in _WITHIN:
                for attribute in own.attrib:
                    local = etree.QName(attribute).localname
                    if local not in _WITHIN[name.localname]:
                        why = REFUSED_ATTRIBUTES.get(local, "")
                        yield "extension_refused", f"camunda:{name.localname} の {local} は使えません。{why}"


def _attribute(tag: str, name: etree.QName, value: str) -> Iterator[tuple[str, str]]:
    local = name.localname
    if name.namespace in _ENGINES:
        yield "extension_refused", f"{_ENGINES[name.namespace]} 用の指定「{local}」は使えません。camunda: の指定に書き直してください。"
    if name.namespace != CAMUNDA:
        return
    if local in _VALUES and value.strip() not in _VALUES[local][0]:
        yield "extension_refused", f"camunda:{local}「{value[:60]}」は使えません。{_VALUES[local][1]}"
    elif local in READ_ATTRIBUTES:
        if tag not in READ_ATTRIBUTES[local]:
            where = "、".join(sorted(READ_ATTRIBUTES[local]))
            yield "extension_refused", f"camunda:{local} は、この要素（{tag}）では働きません。書けるのは {where} です。"
    elif local in IGNORED_ATTRIBUTES:
        yield "ignored_extension", f"camunda:{local} は Camunda の動作の指定なので、使われません。"
    else:
        why = REFUSED_ATTRIBUTES.get(local, near(local, READ_ATTRIBUTES))
        yield "extension_refused", f"camunda:{local} は使えません。{why}"


def _element(name: etree.QName) -> Iterator[tuple[str, str]]:
    local = name.localname
    if name.namespace in _ENGINES:
        yield "extension_refused", f"{_ENGINES[name.namespace]} 用の指定「{local}」は使えません。camunda: の指定に書き直してください。"
    elif name.namespace != CAMUNDA:
        yield "ignored_extension", f"拡張要素「{local}」（{name.namespace or '名前空間なし'}）は、使われません。"
    elif local in _IGNORED_ELEMENTS:
        yield "ignored_extension", f"camunda:{local} は Camunda の動作の指定なので、使われません。"
    elif local not in _READ_ELEMENTS:
        yield "extension_refused", f"camunda:{local} は使えません。{REFUSED_ELEMENTS.get(local, '')}"


def property_complaint(kind: str, name: str) -> str | None:
    """What is wrong with a property of this name on this kind of element (`field` for form fields); None when it is read there."""
    known = PROPERTIES.get(kind, _CLAUSE_ONLY)
    if name in known:
        return None
    if name in _ALL_PROPERTIES:
        return f"拡張プロパティ「{name}」は、この要素では働きません（使えるもの：{'、'.join(sorted(known))}）。"
    return f"拡張プロパティ「{name}」はありません{near(name, known) or '（使えるもの：' + '、'.join(sorted(known)) + '）'}。"


__all__ = ["complaints", "near", "property_complaint"]
