"""What a diagram names must exist in its office: roles, units, clauses, tables, clocks, facts, functions; checked before it is put in force."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from engine.decisions import Decision
from engine.errors import Finding
from engine.expressions import compile_expression
from engine.net import Kind, Net, Node
from engine.notices import TEMPLATES
from engine.organisation import Organisation
from engine.paper_templates import PAPER_IDS

#: Facts the engine itself keeps; no form may declare them.
ENGINE_FACTS = frozenset({"reporter", "reporting_unit", "reported_at"})
#: Functions that service and send tasks may name (`engine.moves.SERVICES` has them).
TOPICS = frozenset({"notify"})
URGENCIES = ("at_once", "promptly", "plain")
#: Facts that every case has without a form asking for them, and names that stand only inside a repeated step.
COMMON_FACTS = ENGINE_FACTS | {"known_at", "owning_unit", "loop_index"}


def check(net: Net, decisions: Mapping[str, Decision], organisation: Organisation) -> Iterator[Finding]:
    """What a diagram names must exist in the office: roles, units, clauses, tables, clocks; and no form may write what the engine derives."""
    derived = {name for key in organisation.rules.derived if key in decisions for name in decisions[key].outputs} | ENGINE_FACTS
    clocks = set(organisation.rules.clock_ids)
    yield from _check_facts(net, decisions)
    for node in net.nodes:
        for group in node.candidate_groups:
            yield from _check_group(node, group, organisation)
        if node.kind is Kind.USER_TASK and not node.candidate_groups and not node.assignee:
            yield Finding("seat_missing", "担当職（candidateGroups）がありません。", node.id, node.source)
        for clause in node.listed("clause"):
            if clause not in organisation.clauses:
                yield Finding("clause_unknown", f"条項「{clause}」は条項表にありません。", node.id, node.source)
        urgency = node.properties.get("urgency")
        if urgency and urgency not in URGENCIES:
            yield Finding(
                "urgency_unknown", f"緊急度「{urgency}」は使えません（使えるもの：{'、'.join(URGENCIES)}）。", node.id, node.source
            )
        deadline = node.properties.get("deadline")
        if deadline and deadline not in clocks:
            yield Finding("clock_unknown", f"期限「{deadline}」は rules.toml にありません。", node.id, node.source)
        if node.decision and node.decision not in decisions:
            yield Finding("decision_unknown", f"決定表「{node.decision}」がありません。", node.id, node.source)
        paper, _, index = node.properties.get("paper", "").partition(":")
        if paper and (paper not in PAPER_IDS or (index and not index.isdecimal())):
            yield Finding(
                "paper_unknown", f"書面「{node.properties['paper']}」はありません（{'、'.join(PAPER_IDS)}）。", node.id, node.source
            )
        yield from _check_names(net, node, organisation)
        for field in node.form:
            if field.id in derived:
                yield Finding("derived_fact", f"「{field.id}」は決定表が計算する値なので、入力項目にできません。", node.id, node.source)


def _check_names(net: Net, node: Node, organisation: Organisation) -> Iterator[Finding]:
    """Elements, functions, notice templates and recorded clauses a step names: a typo must not switch a safeguard off in silence."""
    own = node.id.removesuffix(node.element)
    for other in node.listed("not_same_person_as"):
        if own + other not in net.by_id:
            yield Finding("element_unknown", f"not_same_person_as の「{other}」は、この図にありません。", node.id, node.source)
    for clause in node.listed("records"):
        if clause != "none" and clause not in organisation.clauses:
            yield Finding("clause_unknown", f"records の条項「{clause}」は条項表にありません。", node.id, node.source)
    if node.topic is None:
        return
    if node.topic not in TOPICS:
        yield Finding(
            "topic_unknown", f"機能「{node.topic}」は登録されていません（使えるもの：{'、'.join(sorted(TOPICS))}）。", node.id, node.source
        )
    if node.topic == "notify":
        groups = node.listed("to")
        if not groups:
            yield Finding("notice_to_nobody", "知らせる相手（to）がありません。", node.id, node.source)
        for group in groups:
            yield from _check_group(node, group, organisation)
        template = node.properties.get("template", "step_told")
        if template not in TEMPLATES:
            yield Finding("template_unknown", f"通知の文面「{template}」はありません。", node.id, node.source)


def _check_group(node: Node, group: str, organisation: Organisation) -> Iterator[Finding]:
    role, _, where = group.partition("@")
    if group == "reporter":
        return
    if role not in organisation.roles:
        yield Finding("role_unknown", f"担当職「{role}」は organisation.toml にありません。", node.id, node.source)
    elif where not in ("owning_unit", "reporting_unit", "organisation") and where not in organisation.units:
        yield Finding("unit_unknown", f"部署「{where}」は organisation.toml にありません。", node.id, node.source)


def _check_facts(net: Net, decisions: Mapping[str, Decision]) -> Iterator[Finding]:
    """A misspelt fact would read as unknown for ever: every name an expression reads must be declared, derived or set somewhere."""
    known = set(COMMON_FACTS)
    for decision in decisions.values():
        known.update(decision.outputs)
    for node in net.nodes:
        known.update(field.id for field in node.form)
        known.update(part.partition("=")[0].strip() for part in node.listed("sets"))
        if node.multi is not None:
            known.update(name for name in (node.element, node.multi.variable) if name)
    read: set[str] = set()
    for node in net.nodes:
        for text in _expressions(net, node):
            names = compile_expression(text).names
            read.update(names)
            for name in sorted(names - known):
                yield Finding("fact_unknown", f"「{name}」という項目は、どの画面にも決定表にもありません。", node.id, node.source)
    for decision in _used(net, decisions, read):
        for name in sorted(set(decision.names) - known):
            yield Finding("fact_unknown", f"決定表が読む「{name}」という項目は、どの画面にも決定表にもありません。", decision.id)


def _used(net: Net, decisions: Mapping[str, Decision], read: set[str]) -> Iterator[Decision]:
    """The tables this diagram uses (their `names` include what they require): an office's other tables read other procedures' facts."""
    asked = {node.decision for node in net.nodes if node.decision}
    for key, decision in decisions.items():
        if key in asked or read & set(decision.outputs):
            yield decision


def _expressions(net: Net, node: Node) -> Iterator[str]:
    """Every expression of a node that reads facts."""
    for flow in node.outgoing:
        if net.flows[flow].condition:
            yield net.flows[flow].condition or ""
    if node.event is not None and node.event.condition:
        yield node.event.condition
    if node.multi is not None:
        yield from (text for text in (node.multi.collection, node.multi.cardinality, node.multi.completion) if text)
    for name in ("offered_when", "suggestion"):
        if node.properties.get(name):
            yield node.properties[name]
    for field in node.form:
        yield from (text for text in (field.properties.get("shown_when"), field.constraints.get("required_when")) if text)
