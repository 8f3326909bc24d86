"""SpiffWorkflow at arm's length: the only module that knows the library. Bytes in, nets and decisions out.

The library validates a diagram (XSD), walks it and makes its task and event specifications. A mixin over its parser classes records what
the library drops on the way (flow ids, conditions on flows of activities, the kinds of start and end events, `isInterrupting`,
`triggeredByEvent`, `camunda:` extensions) and keeps it from reading timers or repetition in its own way. Left alone it drops or misreads them without a word.
"""

from __future__ import annotations

import threading
from collections.abc import Mapping
from copy import deepcopy
from functools import lru_cache
from typing import Any

from lxml import etree
from SpiffWorkflow.bpmn.parser.BpmnParser import BpmnParser, BpmnValidator, full_tag
from SpiffWorkflow.bpmn.parser.event_parsers import EventDefinitionParser
from SpiffWorkflow.bpmn.parser.ProcessParser import ProcessParser
from SpiffWorkflow.bpmn.parser.TaskParser import TaskParser
from SpiffWorkflow.bpmn.parser.ValidationException import ValidationException
from SpiffWorkflow.bpmn.specs.event_definitions.base import EventDefinition
from SpiffWorkflow.bpmn.specs.event_definitions.conditional import ConditionalEventDefinition
from SpiffWorkflow.bpmn.specs.event_definitions.item_aware_event import (
    ErrorEventDefinition,
    EscalationEventDefinition,
    SignalEventDefinition,
)
from SpiffWorkflow.bpmn.specs.event_definitions.message import MessageEventDefinition
from SpiffWorkflow.bpmn.specs.event_definitions.simple import NoneEventDefinition, TerminateEventDefinition
from SpiffWorkflow.camunda.specs.business_rule_task import BusinessRuleTask
from SpiffWorkflow.dmn.parser.BpmnDmnParser import SCHEMAS as DMN_SCHEMAS
from SpiffWorkflow.dmn.parser.DMNParser import DMNParser

from engine import extensions
from engine.decisions import Decision, TableSpec, compile_decisions
from engine.errors import DefinitionRefused, Finding
from engine.expressions import MAX_SOURCE
from engine.extensions import BPMN, NAMESPACES
from engine.gate import check_bundle, check_diagram, check_net
from engine.inlining import build
from engine.net import EventSpec, Kind, MultiSpec, Net, Timer, read_timer
from engine.specs import FlowSpec, NodeSpec, ProcessSpec
from engine.xml_safety import read_xml

#: The library's schema of DMN 1.2 does not compile, so files of that version cannot be validated.
_DMN = {namespace: path for namespace, path in DMN_SCHEMAS.items() if "20180521" not in namespace}
#: How the library fails on what it does not expect.
_CRASHES = (LookupError, AttributeError, TypeError, ValueError, AssertionError, RecursionError)

# --- the public face --------------------------------------------------------------------------------------------------------------------


def process_ids(data: bytes) -> tuple[tuple[str, str], ...]:
    """(process id, name) of every process in a diagram; raises DefinitionRefused when it is no readable XML."""
    root = read_xml(data)
    return tuple((item.get("id", ""), item.get("name") or item.get("id", "")) for item in root.findall("bpmn:process", NAMESPACES))


def called_processes(data: bytes) -> tuple[str, ...]:
    """Ids of the processes that a diagram calls, each once."""
    root = read_xml(data)
    found = [item.get("calledElement") for item in root.iter(f"{{{BPMN}}}callActivity")]
    return tuple(dict.fromkeys(target for target in found if target))


def parse_bundle(files: Mapping[str, bytes], process_id: str, known_names: frozenset[str] | None = None) -> Net:
    """Compile a diagram and everything it calls.

    Args:
        files: file name -> bytes, all `.bpmn` and `.dmn` of the bundle (tables are read by `parse_decisions`).
        process_id: the main process.
        known_names: when given, expressions may read only these facts.

    Raises:
        DefinitionRefused: with every finding, each with rule, element, file and Japanese message.
    """
    findings: list[Finding] = []
    roots: dict[str, Any] = {}
    for file, data in sorted(files.items()):
        if not file.endswith(".bpmn"):
            continue
        try:
            root = read_xml(data, file)
        except DefinitionRefused as refused:
            findings += refused.findings
            continue
        wrong = _against_schema(root, _bpmn_validator(), file) or check_diagram(root, file, known_names)
        findings += wrong
        roots[file] = root
    if len(roots) == sum(file.endswith(".bpmn") for file in files):  # else what is missing could be in the file that cannot be read
        findings += check_bundle(roots, process_id)
    if findings:
        raise DefinitionRefused(findings)
    specs: dict[str, ProcessSpec] = {}
    for file, root in roots.items():
        try:
            specs.update(_read_diagram(root, file))
        except (ValidationException, *_CRASHES) as error:  # what the library refuses and our own gate let through
            findings.append(Finding("library", f"図を解釈できません：{error}", getattr(error, "id", "") or "", file))
    if findings:
        raise DefinitionRefused(findings)
    net = build(specs, process_id)
    findings += check_net(net)
    if findings:
        raise DefinitionRefused(findings)
    return net


def parse_decisions(data: bytes, file: str = "") -> tuple[Decision, ...]:
    """The decisions of one DMN file.

    SpiffWorkflow's DMN parser reads each table; `engine/decisions.py` evaluates it and says why not the library's engine.

    Raises:
        DefinitionRefused: with every finding.
    """
    root = read_xml(data, file)
    namespace = etree.QName(root).namespace or ""
    schema = _DMN.get(namespace)
    if schema is None:
        raise DefinitionRefused([Finding("dmn_version", "DMN 1.1 と 1.3 の決定表だけを登録できます。", "", file)])
    wrong = _against_schema(root, _dmn_validator(schema), file)
    if wrong:
        raise DefinitionRefused(wrong)
    names = {"dmn": namespace}
    # Before the library hands cells to Python's parser, which a huge text could exhaust.
    long = [item for item in root.iter(f"{{{namespace}}}text") if len(item.text or "") > MAX_SOURCE]
    if long:
        raise DefinitionRefused(
            [Finding("expression", f"セルが長すぎます（{MAX_SOURCE}文字まで）。", item.getparent().get("id", ""), file) for item in long]
        )
    tables = []
    for position, element in enumerate(root.findall("dmn:decision", names)):
        literal = element.find("dmn:literalExpression", names)
        required = tuple(
            item.get("href", "").removeprefix("#") for item in element.findall("dmn:informationRequirement/dmn:requiredDecision", names)
        )
        table = _read_table(root, position, names, file) if literal is None else None
        head = element.find("dmn:decisionTable", names)
        variable = element.find("dmn:variable", names)
        tables.append(
            TableSpec(
                id=element.get("id", ""),
                name=element.get("name", ""),
                hit_policy=(head.get("hitPolicy") or "UNIQUE").upper() if head is not None else "UNIQUE",
                aggregation=(head.get("aggregation") or "") if head is not None else "",
                inputs=table[0] if table else (),
                outputs=table[1] if table else ((variable.get("name") if variable is not None else element.get("id", "")),),
                rules=table[2] if table else (((), (literal.findtext("dmn:text", "", names).strip(),)),),
                requires=required,
            )
        )
    return compile_decisions(tuple(tables), file)


# --- XSD --------------------------------------------------------------------------------------------------------------------------------

_VALIDATING = threading.Lock()  # an lxml schema keeps one error log


@lru_cache(maxsize=1)
def _bpmn_validator() -> BpmnValidator:
    return BpmnValidator()


@lru_cache(maxsize=4)
def _dmn_validator(schema: str) -> BpmnValidator:
    return BpmnValidator(schema)


def _against_schema(root: Any, validator: BpmnValidator, file: str) -> list[Finding]:
    """What the schema says, by the library's validator; all errors, where its own method would tell the last."""
    with _VALIDATING:
        validator.preprocess(root)
        if validator.validator.validate(root):
            return []
        errors = [(error.line, error.message) for error in validator.validator.error_log][:20]
    return [Finding("schema", f"{line}行目が書式に合いません：{message}", "", file) for line, message in errors]


# --- BPMN through the library's parser --------------------------------------------------------------------------------------------------


class _TimerDefinition(EventDefinition):  # type: ignore[misc]
    """Only remembers what is written; the library's own would read the clock."""

    def __init__(self, timer: Timer) -> None:
        super().__init__("timer")
        self.timer = timer


class _LinkDefinition(EventDefinition):  # type: ignore[misc]
    """The library has none and would read a link as a plain event."""


class _Recording(TaskParser):  # type: ignore[misc]
    """Over every parser class of the library: keeps what it would drop, on `spec.extensions`."""

    def parse_extensions(self, node: Any = None) -> dict[str, Any]:
        """Called once for each specification made."""
        return {"element": self.node, "extension": extensions.read(self.node), "flows": []}

    def connect_outgoing(self, outgoing_task: Any, sequence_flow_node: Any, is_default: bool) -> None:
        """Keep flow by flow; the library knows only pairs of names, and refuses conditions on flows of activities."""
        self.task.extensions["flows"].append(sequence_flow_node)

    def handles_multiple_outgoing(self) -> bool:
        """Several flows may leave anything (BPMN 2.0.2, 13.3.1: uncontrolled flow)."""
        return True

    def _add_multiinstance_task(self, loop_characteristics: Any) -> None:
        """The library would swap the specification for one that wants its own data references."""


class _RecordingEvent(_Recording, EventDefinitionParser):  # type: ignore[misc]
    """Every kind of event on every kind of event element, since each of the library's classes looks for some kinds only."""

    def get_event_definition(self, xpaths: Any) -> Any:
        """The one definition of the event; the gate has refused several."""
        for child in self.node:
            tag = etree.QName(child).localname
            if tag == "timerEventDefinition":
                return _TimerDefinition(_read_timer(child))
            if tag == "linkEventDefinition":
                return _LinkDefinition(child.get("name", ""))
            method = _DEFINITIONS.get(tag)
            if method:
                return getattr(self, method)(child)
        return NoneEventDefinition()


_DEFINITIONS = {
    "messageEventDefinition": "parse_message_event",
    "signalEventDefinition": "parse_signal_event",
    "errorEventDefinition": "parse_error_event",
    "escalationEventDefinition": "parse_escalation_event",
    "terminateEventDefinition": "parse_terminate_event",
    "conditionalEventDefinition": "parse_conditional_event",
}


def _read_timer(definition: Any) -> Timer:
    for child in definition:
        kind = {"timeDate": "date", "timeDuration": "duration", "timeCycle": "cycle"}.get(etree.QName(child).localname)
        if kind:
            return read_timer(kind, child.text or "")
    raise ValueError("timer")


def _mixed(parser: type, spec: type) -> tuple[type, type]:
    mixin = _RecordingEvent if issubclass(parser, EventDefinitionParser) else _Recording
    return type(f"Recording{parser.__name__}", (mixin, parser), {}), spec


class _Parser(BpmnParser):  # type: ignore[misc]
    """One file at a time, so that sub-processes of different diagrams may share an id."""

    OVERRIDE_PARSER_CLASSES = {tag: _mixed(parser, spec) for tag, (parser, spec) in BpmnParser.PARSER_CLASSES.items()}


class _BusinessRuleParser(_Recording):
    """The library's own wants the table at hand; tables are run by the host."""

    def create_task(self) -> Any:
        """A specification without an engine."""
        return self.spec_class(self.spec, self.bpmn_id, dmnEngine=None, **self.bpmn_attributes)


_Parser.OVERRIDE_PARSER_CLASSES[full_tag("businessRuleTask")] = (_BusinessRuleParser, BusinessRuleTask)


def _read_diagram(root: Any, file: str) -> dict[str, ProcessSpec]:
    """Every process of one file."""
    parser = _Parser()
    parser.add_bpmn_xml(root, file)
    order = {element: place for place, element in enumerate(root.iter())}
    return {
        element.get("id"): _process(parser, parser.get_process_parser(element.get("id")), file, order)
        for element in root.findall("bpmn:process", NAMESPACES)
    }


def _process(parser: _Parser, process: ProcessParser, file: str, order: Mapping[Any, int]) -> ProcessSpec:
    made = process.get_spec()
    for element in process.node.findall("bpmn:intermediateCatchEvent", NAMESPACES):
        process.parse_node(element)  # no flow leads to the catch of a link, so the library's walk has not come by
    specs = [spec for spec in made.task_specs.values() if (getattr(spec, "extensions", None) or {}).get("element") is not None]
    nodes, flows = [], []
    for spec in specs:
        element = spec.extensions["element"]
        nodes.append(_node(parser, spec, file, order))
        for flow in spec.extensions["flows"]:
            condition = extensions.text_of(flow, "bpmn:conditionExpression") or None
            default = element.get("default") == flow.get("id")
            flows.append(
                FlowSpec(flow.get("id"), element.get("id"), flow.get("targetRef"), condition, flow.get("name", ""), default, order[flow])
            )
    return ProcessSpec(
        id=process.bpmn_id,
        name=process.get_name(),
        documentation=extensions.documentation(process.node),
        source=file,
        properties=extensions.properties(process.node),
        nodes=tuple(sorted(nodes, key=lambda node: node.order)),
        flows=tuple(sorted(flows, key=lambda flow: flow.order)),
    )


def _node(parser: _Parser, spec: Any, file: str, order: Mapping[Any, int]) -> NodeSpec:
    element = spec.extensions["element"]
    tag = etree.QName(element).localname
    triggered = tag == "subProcess" and element.get("triggeredByEvent") in ("true", "1")
    return NodeSpec(
        id=spec.bpmn_id,
        kind=Kind.EVENT_SUB_PROCESS if triggered else Kind(tag),
        name=spec.bpmn_name or "",
        order=order[element],
        documentation=extensions.documentation(element),
        lane=spec.lane or "",
        extension=spec.extensions["extension"],
        event=_event(spec, element),
        multi=_multi(element),
        called=element.get("calledElement") if tag == "callActivity" else None,
        attached=element.get("attachedToRef"),
        body=_process(parser, parser.process_parsers[spec.spec], file, order) if tag == "subProcess" else None,
    )


def _event(spec: Any, element: Any) -> EventSpec | None:
    definition = getattr(spec, "event_definition", None)
    if definition is None or etree.QName(element).localname == "eventBasedGateway":
        return None
    interrupting = (element.get("cancelActivity") or element.get("isInterrupting") or "true") in ("true", "1")
    if isinstance(definition, _TimerDefinition):
        return EventSpec("timer", timer=definition.timer, interrupting=interrupting)
    if isinstance(definition, _LinkDefinition):
        return EventSpec("link", definition.name)
    if isinstance(definition, ConditionalEventDefinition):
        return EventSpec("conditional", condition=(definition.expression or "").strip(), interrupting=interrupting)
    if isinstance(definition, (ErrorEventDefinition, EscalationEventDefinition)):
        kind = "error" if isinstance(definition, ErrorEventDefinition) else "escalation"
        return EventSpec(kind, definition.name or "", definition.code or None, interrupting=interrupting)
    for kind, library in (("message", MessageEventDefinition), ("signal", SignalEventDefinition), ("terminate", TerminateEventDefinition)):
        if isinstance(definition, library):
            return EventSpec(kind, getattr(definition, "name", None) or "", interrupting=interrupting)
    return EventSpec("none", interrupting=interrupting)


def _multi(element: Any) -> MultiSpec | None:
    loop = element.find("bpmn:multiInstanceLoopCharacteristics", NAMESPACES)
    if loop is None:
        return None
    return MultiSpec(
        sequential=loop.get("isSequential") in ("true", "1"),
        collection=extensions.camunda(loop, "collection"),
        cardinality=extensions.text_of(loop, "bpmn:loopCardinality") or None,
        variable=extensions.camunda(loop, "elementVariable"),
        completion=extensions.text_of(loop, "bpmn:completionCondition") or None,
    )


# --- DMN through the library's parser ---------------------------------------------------------------------------------------------------


_Table = tuple[tuple[str, ...], tuple[str, ...], tuple[tuple[tuple[str, ...], tuple[str, ...]], ...]]


def _read_table(root: Any, position: int, names: Mapping[str, str], file: str) -> _Table:
    """One decision's table. The library reads one decision a file and knows no annotations, so it is given a copy with just that."""
    copy = deepcopy(root)
    for place, element in enumerate(copy.findall("dmn:decision", names)):
        if place != position:
            copy.remove(element)
    for path in (".//dmn:annotation", ".//dmn:annotationEntry", ".//dmn:extensionElements", ".//dmn:decisionTable/dmn:description"):
        for element in copy.findall(path, names):
            element.getparent().remove(element)
    for number, element in enumerate(copy.iter()):
        if element.get("id") is None:  # optional in DMN, wanted by the library
            element.set("id", f"_{number}")
    reader = DMNParser(None, copy, dict(names), filename=file)
    try:
        reader.parse()
        tables = reader.decision.decisionTables
    except (ValidationException, *_CRASHES) as error:
        raise DefinitionRefused([Finding("dmn", f"決定表を解釈できません：{error}", reader.bpmn_id, file)]) from None
    if len(tables) != 1:
        raise DefinitionRefused([Finding("dmn", "決定表が1つありません。", reader.bpmn_id, file)])
    table = tables[0]
    rules = tuple(
        (
            tuple((entry.lhs[0] or "").strip() if entry.lhs else "" for entry in rule.inputEntries),
            tuple((entry.text or "").strip() for entry in rule.outputEntries),
        )
        for rule in table.rules
    )
    return (
        tuple((item.expression or item.label or "").strip() for item in table.inputs),
        tuple((item.name or item.label or item.id).strip() for item in table.outputs),
        rules,
    )


__all__ = ["Decision", "called_processes", "parse_bundle", "parse_decisions", "process_ids"]
