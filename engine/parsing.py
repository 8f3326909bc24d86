"""SpiffWorkflow at arm's length: the only module that knows the library. Bytes in, nets and decisions out.

The library validates a diagram (XSD), walks it and makes its task and event specifications. A mixin over its parser classes records what
the library drops on the way (flow ids, conditions on flows of activities, the kinds of start and end events, `isInterrupting`,
`triggeredByEvent`, `camunda:` extensions) and keeps it from reading timers or repetition in its own way. Left alone it drops or misreads them without a word.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from copy import deepcopy
from dataclasses import dataclass
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
from engine.extensions import BPMN, NAMESPACES
from engine.gate import check_diagram
from engine.gate_bundle import check_bundle
from engine.gate_tables import check_tables
from engine.inlining import build
from engine.limits import DEFAULT, Limits
from engine.net import EventSpec, Kind, MultiSpec, Net, Timer, read_timer
from engine.specs import FlowSpec, NodeSpec, ProcessSpec
from engine.xml_safety import read_xml
from engine.xml_schema import against_schema

#: The library's schema of DMN 1.2 does not compile, so files of that version cannot be validated.
_DMN = {namespace: path for namespace, path in DMN_SCHEMAS.items() if "20180521" not in namespace}
#: How the library fails on what it does not expect.
_CRASHES = (LookupError, AttributeError, TypeError, ValueError, AssertionError, RecursionError)

# --- the public face --------------------------------------------------------------------------------------------------------------------


@lru_cache(maxsize=128)
def process_ids(data: bytes) -> tuple[tuple[str, str], ...]:
    """(process id, name) of every process in a diagram; raises DefinitionRefused when it is no readable XML, or holds too many."""
    root = read_xml(data)
    count = len(root.findall("bpmn:process", NAMESPACES))
    if count > DEFAULT.processes:  # each of them would be checked as a procedure of its own
        raise DefinitionRefused([Finding("too_many_nodes", f"{DEFAULT.exceeded('processes', count)}ファイルを分けてください。")])
    return tuple((item.get("id", ""), item.get("name") or item.get("id", "")) for item in root.findall("bpmn:process", NAMESPACES))


def kind_of(data: bytes) -> tuple[str, tuple[tuple[str, str], ...]]:
    """(`bpmn` or `dmn`, its processes as `process_ids` tells them) of a file of any origin; raises DefinitionRefused for anything else."""
    name = etree.QName(read_xml(data))
    if name.namespace == BPMN and name.localname == "definitions":
        return "bpmn", process_ids(data)
    if name.namespace in _DMN or "20180521" in (name.namespace or ""):
        return "dmn", ()
    raise DefinitionRefused([Finding("process_missing", "BPMNの図でも、DMNの決定表でもありません。", name.localname[:60])])


@lru_cache(maxsize=128)
def called_processes(data: bytes) -> tuple[str, ...]:
    """Ids of the processes that a diagram calls, each once."""
    root = read_xml(data)
    found = [item.get("calledElement") for item in root.iter(f"{{{BPMN}}}callActivity")]
    return tuple(dict.fromkeys(target for target in found if target))


def parse_bundle(
    files: Mapping[str, bytes],
    process_id: str,
    known_names: frozenset[str] | None = None,
    limits: Limits = DEFAULT,
    *,
    admitted: bool = False,
) -> Net:
    """Compile a diagram and everything it calls.

    Args:
        files: file name -> bytes, all `.bpmn` and `.dmn` of the bundle (tables are read by `parse_decisions`).
        process_id: the main process.
        known_names: when given, expressions may read only these facts.
        limits: upper bounds, an office's own when it has lowered them.
        admitted: the bundle was stored after it had passed the gate of its day. A rule that is new since, or a limit lowered since, must
            not stop the cases that run on it; it is still read as safely.

    Raises:
        DefinitionRefused: with every finding, each with rule, element, file and Japanese message.
    """
    net, findings = examine(files, process_id, known_names, limits, admitted=admitted)
    if net is None:
        raise DefinitionRefused([finding for finding in findings if finding.severity == "error"])
    return net


def examine(
    files: Mapping[str, bytes],
    process_id: str,
    known_names: frozenset[str] | None = None,
    limits: Limits = DEFAULT,
    *,
    admitted: bool = False,
) -> tuple[Net | None, tuple[Finding, ...]]:
    """Like `parse_bundle`, with every finding: the net is None when one of them is an error, the others only tell what is not used."""
    findings: list[Finding] = []
    roots: dict[str, Any] = {}
    diagrams = {file: data for file, data in sorted(files.items()) if file.endswith(".bpmn")}
    for file, data in diagrams.items():
        try:
            root = read_xml(data, file, limits)
        except DefinitionRefused as refused:
            findings += refused.findings
            continue
        wrong = [] if admitted else against_schema(root, data, _bpmn_validator(), file)
        if not wrong:
            _plain(root)
            wrong = [] if admitted else check_diagram(root, file, known_names, limits)
        findings += wrong
        roots[file] = root
    if len(roots) == len(diagrams):  # else what is missing could be in the file that cannot be read
        findings += check_bundle(roots, process_id, limits)
    if _any_error(findings):
        return None, tuple(findings)
    specs: dict[str, ProcessSpec] = {}
    for file, root in roots.items():
        try:
            found = _read_diagram(root, file)
            findings += [
                Finding("library", "この要素を読み取れません。描き直してください。", name, file)
                for name in _drawn(root) - _read(found.values())
            ]
            specs.update(found)
        except (ValidationException, *_CRASHES) as error:  # what the library refuses and our own gate let through
            findings.append(Finding("library", f"図を解釈できません：{error}", getattr(error, "id", "") or "", file))
    return None if _any_error(findings) else build(specs, process_id), tuple(findings)


_BOOLEANS = frozenset(
    {"isExecutable", "triggeredByEvent", "isInterrupting", "cancelActivity", "isSequential", "parallelMultiple", "isForCompensation"}
    | {"instantiate"}
)


def _plain(root: Any) -> None:
    """Attributes as the schema takes them: `1` is true and outer blanks do not count, which neither we nor the library would see later."""
    for element in root.iter(f"{{{BPMN}}}*"):
        for name, value in element.attrib.items():
            if name != "name" and not name.startswith("{"):
                plain = value.strip()
                plain = {"1": "true", "0": "false"}.get(plain, plain) if name in _BOOLEANS else plain
                if plain != value:
                    element.set(name, plain)


def _any_error(findings: Iterable[Finding]) -> bool:
    return any(finding.severity == "error" for finding in findings)


def parse_tables(files: Mapping[str, bytes], limits: Limits = DEFAULT, *, admitted: bool = False) -> dict[str, Decision]:
    """The decisions of all `.dmn` files of a bundle by id.

    Raises:
        DefinitionRefused: with every finding; a decision's id may stand in one file only.
    """
    findings: list[Finding] = []
    decisions: dict[str, Decision] = {}
    home: dict[str, str] = {}
    for file, data in files.items():
        if not file.endswith(".dmn"):
            continue
        try:
            found = parse_decisions(data, file, limits, admitted=admitted)
        except DefinitionRefused as refused:
            findings += refused.findings
            continue
        for decision in found:
            if decision.id in decisions and not admitted:
                message = f"決定「{decision.id}」が「{home[decision.id]}」にもあります。どちらかのIDを変えてください。"
                findings.append(Finding("duplicate_decision", message, decision.id, file))
            decisions[decision.id], home[decision.id] = decision, file
    if findings:
        raise DefinitionRefused(findings)
    return decisions


@lru_cache(maxsize=128)  # a folder's tables are in every one of its bundles
def parse_decisions(data: bytes, file: str = "", limits: Limits = DEFAULT, *, admitted: bool = False) -> tuple[Decision, ...]:
    """The decisions of one DMN file.

    SpiffWorkflow's DMN parser reads each table; `engine/decisions.py` evaluates it and says why not the library's engine.

    Args:
        limits, admitted: see `parse_bundle`.

    Raises:
        DefinitionRefused: with every finding.
    """
    root = read_xml(data, file, limits)
    namespace = etree.QName(root).namespace or ""
    schema = _DMN.get(namespace)
    if schema is None:
        version = "DMN 1.2 の決定表は確かめられないので登録できません。" if "20180521" in namespace else "DMNの決定表ではありません。"
        raise DefinitionRefused([Finding("dmn_version", f"{version}DMN 1.3（または 1.1）で保存し直してください。", "", file)])
    if not admitted:
        wrong = against_schema(root, data, _dmn_validator(schema), file) or check_tables(root, file, limits)
        if wrong:
            raise DefinitionRefused(wrong)
    names = {"dmn": namespace}
    tables = []
    for element in root.findall("dmn:decision", names):
        literal = element.find("dmn:literalExpression", names)
        required = tuple(
            item.get("href", "").removeprefix("#") for item in element.findall("dmn:informationRequirement/dmn:requiredDecision", names)
        )
        table = _read_table(root, element, names, file) if literal is None else None
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
                requires=tuple(dict.fromkeys(required)),
            )
        )
    return compile_decisions(tuple(tables), file)


# --- XSD --------------------------------------------------------------------------------------------------------------------------------


@lru_cache(maxsize=1)
def _bpmn_validator() -> BpmnValidator:
    return BpmnValidator()


@lru_cache(maxsize=4)
def _dmn_validator(schema: str) -> BpmnValidator:
    return BpmnValidator(schema)


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
        return {"element": self.node, "flows": []}

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
    """Every process of one file.

    The library gets a copy without extensions, documentation and layout: it looks for elements by name and id wherever they are, and would
    take a form field, or something of another namespace inside an extension, for a step or a flow.
    """
    bare = deepcopy(root)
    for element in list(bare.iterdescendants(f"{{{BPMN}}}extensionElements", f"{{{BPMN}}}documentation")):
        element.getparent().remove(element)
    for element in list(bare):
        if etree.QName(element).namespace != BPMN:
            bare.remove(element)
    parser = _Parser()
    parser.add_bpmn_xml(bare, file)
    drawn = {element.get("id"): element for element in root.iter() if element.get("id") and etree.QName(element).namespace == BPMN}
    source = _Source(file, drawn, {name: place for place, name in enumerate(drawn)})
    return {
        element.get("id"): _process(parser, parser.get_process_parser(element.get("id")), source)
        for element in root.findall("bpmn:process", NAMESPACES)
    }


_KINDS = frozenset(kind.value for kind in Kind)


def _drawn(root: Any) -> set[str]:
    """Ids of every node and flow of the file's processes."""
    wanted = {*(f"{{{BPMN}}}{kind}" for kind in _KINDS), f"{{{BPMN}}}sequenceFlow"}
    return {element.get("id") for process in root.findall("bpmn:process", NAMESPACES) for element in process.iter(*wanted)}


def _read(specs: Iterable[ProcessSpec]) -> set[str]:
    """Ids of every node and flow that arrived."""
    found: set[str] = set()
    for spec in specs:
        found.update(node.id for node in spec.nodes)
        found.update(flow.id for flow in spec.flows)
        found |= _read(node.body for node in spec.nodes if node.body is not None)
    return found


@dataclass(frozen=True)
class _Source:
    """The file as it is drawn: elements by id, and their places in the document."""

    file: str
    drawn: Mapping[str, Any]
    order: Mapping[str, int]


def _process(parser: _Parser, process: ProcessParser, source: _Source) -> ProcessSpec:
    made = process.get_spec()
    for element in process.node.findall("bpmn:intermediateCatchEvent", NAMESPACES):
        process.parse_node(element)  # no flow leads to the catch of a link, so the library's walk has not come by
    specs = [spec for spec in made.task_specs.values() if (getattr(spec, "extensions", None) or {}).get("element") is not None]
    nodes, flows = [], []
    for spec in specs:
        element = spec.extensions["element"]
        nodes.append(_node(parser, spec, source))
        for flow in spec.extensions["flows"]:
            condition = extensions.text_of(flow, "bpmn:conditionExpression") or None
            default = element.get("default") == flow.get("id")
            flows.append(
                FlowSpec(
                    flow.get("id"),
                    element.get("id"),
                    flow.get("targetRef"),
                    condition,
                    flow.get("name", ""),
                    default,
                    source.order[flow.get("id")],
                )
            )
    drawn = source.drawn[process.bpmn_id]
    return ProcessSpec(
        id=process.bpmn_id,
        name=process.get_name(),
        documentation=extensions.documentation(drawn),
        source=source.file,
        properties=extensions.properties(drawn),
        nodes=tuple(sorted(nodes, key=lambda node: node.order)),
        flows=tuple(sorted(flows, key=lambda flow: flow.order)),
    )


def _node(parser: _Parser, spec: Any, source: _Source) -> NodeSpec:
    element = source.drawn[spec.extensions["element"].get("id")]
    tag = etree.QName(element).localname
    triggered = tag == "subProcess" and element.get("triggeredByEvent") in ("true", "1")
    return NodeSpec(
        id=spec.bpmn_id,
        kind=Kind.EVENT_SUB_PROCESS if triggered else Kind(tag),
        name=spec.bpmn_name or "",
        order=source.order[element.get("id")],
        documentation=extensions.documentation(element),
        lane=spec.lane or "",
        extension=extensions.read(element),
        event=_event(spec, element),
        multi=_multi(element),
        called=element.get("calledElement") if tag == "callActivity" else None,
        attached=element.get("attachedToRef"),
        body=_process(parser, parser.process_parsers[spec.spec], source) if tag == "subProcess" else None,
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


def _read_table(root: Any, decision: Any, names: Mapping[str, str], file: str) -> _Table:
    """One decision's table. The library reads one decision a file and knows no annotations, so it is given a copy with just that."""
    copy: Any = etree.Element(root.tag, dict(root.attrib), root.nsmap)
    copy.append(deepcopy(decision))
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


__all__ = ["Decision", "called_processes", "examine", "parse_bundle", "parse_decisions", "parse_tables", "process_ids"]
