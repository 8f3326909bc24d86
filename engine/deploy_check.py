"""What a diagram names must exist in its office: roles, units, clauses, tables, clocks, facts, functions; checked before it is put in force."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass
from itertools import islice

from engine.decisions import INPUT, Decision, read_cell
from engine.deploy_services import LINKED_CASES, Neighbours, check_service, given_by
from engine.errors import ExpressionError, Finding
from engine.expressions import compile_expression, settings_of
from engine.gate_check import LOCALS
from engine.gate_extensions import near
from engine.ledger_check import LEDGER_TOPICS, check_ledger
from engine.limits import DEFAULT
from engine.net import Kind, Net, Node
from engine.notice_texts import TEMPLATES
from engine.organisation import Organisation
from engine.paper_parts import DECISION, OF_APPROVAL
from engine.paper_templates import office_templates

#: Facts the engine itself keeps; no form may declare them.
ENGINE_FACTS = frozenset({"reporter", "reporting_unit", "reported_at"})
#: Functions that service and send tasks may name (`engine.moves.SERVICES` has them).
TOPICS = frozenset({"notify", "export_accounts", "revoke_accounts", "number", "ledger", "start_case", "find_orphan_grants", "mark_entries"})
URGENCIES = ("at_once", "promptly", "plain")
#: Whom a one-time link may be handed (property `by_link`).
OUTSIDE = "contractor"
#: Facts that every case has without a form asking for them, and names that stand only inside a repeated step.
COMMON_FACTS = ENGINE_FACTS | {"known_at", "owning_unit", "loop_index"}


def check(
    net: Net, decisions: Mapping[str, Decision], organisation: Organisation, neighbours: Neighbours | None = None
) -> Iterator[Finding]:
    """Everything that a diagram names and its office does not have, or may not be said so; no more findings than a person can read.

    Args:
        neighbours: the office's other procedures, for those that this one begins cases of.
    """
    yield from islice(_check(net, decisions, organisation, neighbours), DEFAULT.findings)


def _check(net: Net, decisions: Mapping[str, Decision], organisation: Organisation, neighbours: Neighbours | None) -> Iterator[Finding]:
    """What a diagram names must exist in the office: roles, units, clauses, tables, clocks; and no form may write what the engine derives."""
    derived = {
        name for key in organisation.rules.derived_of(net.process_id) if key in decisions for name in decisions[key].outputs
    } | ENGINE_FACTS
    clocks = set(organisation.rules.clock_ids)
    yield from _check_facts(net, decisions)
    yield from _check_settings(net, decisions, organisation)
    yield from _check_papers(net, decisions, organisation)
    yield from _check_whole(net, organisation)
    for node in net.nodes:
        yield from _check_person(node)
        for group in node.candidate_groups:
            yield from _check_group(node, group, organisation)
        for clause in node.listed("clause"):
            if clause not in organisation.clauses:
                yield _unknown("clause_unknown", f"条項「{clause}」は条項表にありません", clause, organisation.clauses, node)
        urgency = node.properties.get("urgency")
        if urgency and urgency not in URGENCIES:
            yield Finding(
                "urgency_unknown", f"緊急度「{urgency}」は使えません（使えるもの：{'、'.join(URGENCIES)}）。", node.id, node.source
            )
        deadline = node.properties.get("deadline")
        if deadline and deadline not in clocks:
            yield _unknown("clock_unknown", f"期限「{deadline}」は rules.toml にありません", deadline, clocks, node)
        if node.decision and node.decision not in decisions:
            yield _unknown("decision_unknown", f"決定表「{node.decision}」がありません", node.decision, decisions, node)
        paper, _, index = node.properties.get("paper", "").partition(":")
        papers = (*office_templates(organisation.folder).papers, DECISION) if paper else ()
        if paper and (paper not in papers or (index and not index.isdecimal())):
            yield Finding("paper_unknown", f"書面「{node.properties['paper']}」はありません（{'、'.join(papers)}）。", node.id, node.source)
        yield from _check_names(net, node, organisation)
        yield from check_service(node, organisation, neighbours)
        yield from _check_passed_over(node)
        yield from _check_by_link(net, node)
        for field in node.form:
            if field.id in derived or field.id == LINKED_CASES:
                yield Finding(
                    "derived_fact", f"「{field.id}」はエンジンか決定表が決める値なので、入力項目にできません。", node.id, node.source
                )
        for name in _set_by(node):
            if name in derived:
                yield Finding(
                    "derived_fact", f"「{name}」はエンジンか決定表が決める値なので、sets や機能では変えられません。", node.id, node.source
                )


def _check_passed_over(node: Node) -> Iterator[Finding]:
    """A review that may be passed over (後閲) must be answered in full without its reviewer, and must not be what the clause asks for.

    Passing it over is then no more than completing it with these answers, which is what the checker proves.
    """
    if "passed_over" not in node.properties:
        if "passed_over_when" in node.properties:
            yield Finding("passed_over", "passed_over_when は、passed_over のある処理に書きます。", node.id, node.source)
        return
    parts = [] if node.properties["passed_over"] == "none" else node.listed("passed_over")
    answered = {part.partition("=")[0].strip() for part in parts if "=" in part}
    fields = {field.id: field for field in node.form}
    for part in parts:
        if part.partition("=")[0].strip() not in fields or "=" not in part:
            yield Finding(
                "passed_over", f"passed_over の「{part[:60]}」は、この処理の入力項目への「項目=値」ではありません。", node.id, node.source
            )
    for field in fields.values():
        needed = "required" in field.constraints or "required_when" in field.constraints or field.properties.get("as_buttons") == "true"
        if needed and field.id not in answered:
            yield Finding("passed_over", f"後閲で先へ進むときの「{field.label}」の答えが passed_over にありません。", node.id, node.source)
    if node.properties.get("records") != "none":
        message = "後閲で先へ進められる処理は、条項の記録になりません。records を none にしてください。"
        yield Finding("passed_over", message, node.id, node.source)
    if node.decides or node.multi is not None:
        yield Finding("passed_over", "決裁や繰り返しの処理は、後閲にできません。", node.id, node.source)


def _check_by_link(net: Net, node: Node) -> Iterator[Finding]:
    """What an outside party does through a link: an application or an answer, never the office's own decision; and no list of its people.

    A case that such a party has started has no reporter in the office, so no step may wait for one.
    """
    if net.start.by_link and node.kind is Kind.USER_TASK and _for_reporter(node):
        message = "相手方がリンクから始める手続では、報告者（reporter）を担当にできません。「役@部署」を書いてください。"
        yield Finding("by_link", message, node.id, node.source)
    if not node.by_link:
        return
    if node.properties["by_link"] != OUTSIDE:
        message = f"by_link「{node.properties['by_link'][:60]}」は使えません。書けるのは {OUTSIDE} です。"
        yield Finding("by_link", message, node.id, node.source)
    if node.kind is Kind.START and node is not net.start:
        yield Finding("by_link", "相手方が始められるのは、手続の最初の開始イベントだけです。", node.id, node.source)
    if "true" in (node.properties.get("final"), node.properties.get("decision")):
        yield Finding("by_link", "決裁や決定の処理は、相手方に入力してもらうことはできません。", node.id, node.source)
    if "hop" in node.properties:
        yield Finding("by_link", "報告の速さを計る処理（hop）は、相手方に入力してもらうことはできません。", node.id, node.source)
    for field in node.form:
        if field.type == "people":
            message = f"「{field.label}」は職員を選ぶ項目なので、相手方が入力する画面には置けません。"
            yield Finding("by_link", message, node.id, node.source)


def _for_reporter(node: Node) -> bool:
    """Whether a step waits for whoever reported."""
    return "reporter" in node.candidate_groups or (node.assignee or "").strip("${} ") == "reporter"


def _unknown(rule: str, message: str, name: str, names: Collection[str], node: Node) -> Finding:
    """A name that the office does not have, with those that look like it."""
    return Finding(rule, f"{message}{near(name, names)}。", node.id, node.source)


def _set_by(node: Node) -> list[str]:
    """Facts that passing a node sets."""
    return [*(part.partition("=")[0].strip() for part in node.listed("sets")), *(name for name, _ in given_by(node))]


def _check_person(node: Node) -> Iterator[Finding]:
    """What people do has a name they can read and a seat that does it."""
    personal = node.kind in (Kind.USER_TASK, Kind.MANUAL_TASK)
    if personal and not node.candidate_groups and not node.assignee:
        yield Finding("seat_missing", "担当職（candidateGroups）がありません。「役@部署」を書いてください。", node.id, node.source)
    if (personal or (node.candidate_groups and node.event is not None)) and not node.name.strip():
        yield Finding("name_missing", "名前がありません。受信箱に出る名前を、体言止めで付けてください。", node.id, node.source)


def _check_whole(net: Net, organisation: Organisation) -> Iterator[Finding]:
    """What only the whole shows: actions that cannot be told apart, events that nobody sends, a numbering the office does not have."""
    if not net.name.strip() or net.name == net.process_id:
        yield Finding("name_missing", "手続に名前（プロセスの name）がありません。", net.process_id, net.diagrams[0].source)
    numbering = net.properties.get("numbering")
    keys = {row.key for row in organisation.rules.numbering}
    if numbering and numbering not in keys:
        message = f"numbering「{numbering}」は rules.toml の [[numbering]] にありません{near(numbering, keys)}。"
        yield Finding("numbering_unknown", message, net.process_id, net.diagrams[0].source)
    sent = {(kind, name) for node in net.nodes for kind, name in _sends(node)}
    heard: dict[tuple[object, ...], Node] = {}
    for node in net.nodes:
        event = node.event
        if event is None or event.kind not in ("message", "signal") or (event.kind, event.name) in _sends(node):
            continue
        if node.kind is Kind.START and net.scopes[node.scope].kind == "process":
            continue  # starts a case: it is asked for from outside
        if not node.candidate_groups and (event.kind, event.name) not in sent:
            what = "メッセージ" if event.kind == "message" else "シグナル"
            message = f"{what}「{event.name}」を送る要素も、行える役（candidateGroups）もないので、決して起きません。"
            yield Finding("never_sent", message, node.id, node.source)
        place: object = node.attached if node.kind is Kind.BOUNDARY else (net.scopes[node.scope].parent, "start")
        if event.kind == "message" and node.kind in (Kind.BOUNDARY, Kind.START):
            first = heard.setdefault((event.name, node.prefix, place), node)
            if first is not node:
                message = f"操作「{event.name}」が、同じ範囲で「{first.element}」と重なっています。メッセージ名を分けてください。"
                yield Finding("action_clash", message, node.id, node.source)


def _sends(node: Node) -> tuple[tuple[str, str], ...]:
    """(kind, name) of the message or signal that reaching a node sends."""
    if node.event is not None and node.kind in (Kind.THROW, Kind.END, Kind.SEND_TASK):
        return ((node.event.kind, node.event.name),)
    return ()


def _check_names(net: Net, node: Node, organisation: Organisation) -> Iterator[Finding]:
    """Elements, functions, notice templates and recorded clauses a step names: a typo must not switch a safeguard off in silence."""
    own = node.id.removesuffix(node.element)
    people = {field.id for one in net.nodes for field in one.form if field.type == "people"}
    for other in node.listed("not_same_person_as"):
        if own + other not in net.by_id and other not in people:
            beside = [item.element for item in net.nodes if item.prefix == node.prefix]
            yield _unknown("element_unknown", f"not_same_person_as の「{other}」は、この図にありません", other, beside, node)
    for clause in node.listed("records"):
        if clause != "none" and clause not in organisation.clauses:
            yield _unknown("clause_unknown", f"records の条項「{clause}」は条項表にありません", clause, organisation.clauses, node)
    if node.topic is None:
        return
    if node.topic not in TOPICS:
        yield Finding(
            "topic_unknown", f"機能「{node.topic}」は登録されていません（使えるもの：{'、'.join(sorted(TOPICS))}）。", node.id, node.source
        )
    if node.topic in LEDGER_TOPICS:
        yield from check_ledger(node, organisation.rules.ledgers)
    if node.topic == "notify":
        groups = node.listed("to")
        if not groups:
            yield Finding("notice_to_nobody", "知らせる相手（to）がありません。", node.id, node.source)
        for group in groups:
            yield from _check_group(node, group, organisation)
        template = node.properties.get("template", "step_told")
        if template not in TEMPLATES:
            yield _unknown("template_unknown", f"通知の文面「{template}」はありません", template, TEMPLATES, node)


def _check_group(node: Node, group: str, organisation: Organisation) -> Iterator[Finding]:
    role, _, where = group.partition("@")
    if group == "reporter":
        return
    if role not in organisation.roles:
        yield _unknown("role_unknown", f"担当職「{role}」は organisation.toml にありません", role, organisation.roles, node)
    elif where not in ("owning_unit", "reporting_unit", "organisation") and where not in organisation.units:
        places = ("owning_unit", "reporting_unit", "organisation", *organisation.units)
        problem = (
            f"部署「{where}」は organisation.toml にありません" if where else "担当職に部署がありません。「役@部署」の形で書いてください"
        )
        yield _unknown("unit_unknown", problem, where, places, node)


@dataclass(frozen=True)
class _Source:
    """An expression of a node: what a person calls its place, its text, and names that stand only there."""

    where: str
    text: str
    local: frozenset[str] = frozenset()


def _known(net: Net, decisions: Mapping[str, Decision]) -> set[str]:
    """The facts that a case of this procedure can have."""
    known = set(COMMON_FACTS)
    for decision in decisions.values():
        known.update(decision.outputs)
    for node in net.nodes:
        known.update(field.id for field in node.form)
        known.update(_set_by(node))
        if node.multi is not None:
            known.update(name for name in (node.element, node.multi.variable) if name)
    return known


def _check_facts(net: Net, decisions: Mapping[str, Decision]) -> Iterator[Finding]:
    """A misspelt fact would read as unknown for ever: every name an expression reads must be declared, derived or set somewhere."""
    known = _known(net, decisions)
    read: set[str] = set()
    for node in net.nodes:
        for source in _expressions(net, node):
            read.update(compile_expression(source.text).names)
            wrong = _unknown_fact(source.text, known, source.local)
            if wrong:
                yield Finding("fact_unknown", f"{source.where}：{wrong}", node.id, node.source)
        for field in node.form:
            for rule in ("not_after", "not_before"):
                other = field.constraints.get(rule)
                if other and other.isidentifier() and other != "now" and other not in known:
                    message = f"入力項目「{field.id}」の {rule}：「{other}」という項目は、どの画面にもありません{near(other, known)}。"
                    yield Finding("fact_unknown", message, node.id, node.source)
    for decision in _tables(net, decisions, read):
        yield from _check_table(decision, known)


def _tables(net: Net, decisions: Mapping[str, Decision], read: set[str]) -> Iterator[Decision]:
    """The tables this diagram uses with all they require, each once."""
    tables: dict[str, Decision] = {}
    todo = list(_used(net, decisions, read))[::-1]
    while todo:
        decision = todo.pop()
        if decision.id not in tables:
            tables[decision.id] = decision
            todo += decision.requires
    yield from tables.values()


def _check_papers(net: Net, decisions: Mapping[str, Decision], organisation: Organisation) -> Iterator[Finding]:
    """Papers of an approval that belong to this procedure: a misspelt fact would stay blank on them for ever."""
    known = _known(net, decisions)
    for template in office_templates(organisation.folder).papers.values():
        if net.process_id in template.process:
            if not any(node.decides and template.decided_by in ("", node.element) for node in net.nodes):
                which = f"「{template.decided_by}」" if template.decided_by else ""
                message = f"書面「{template.id}」の決裁の処理{which}が、この手続にありません（decision が true の処理です）。"
                yield Finding("paper_unknown", message, net.process_id, f"papers/{template.id}.toml")
            for name in sorted(template.names - known - OF_APPROVAL):
                message = f"書面「{template.id}」の「{name}」という項目は、どの画面にも決定表にもありません{near(name, known)}。"
                yield Finding("paper_unknown", message, net.process_id, f"papers/{template.id}.toml")


def _check_settings(net: Net, decisions: Mapping[str, Decision], organisation: Organisation) -> Iterator[Finding]:
    """Settings that expressions and tables ask for (`setting("id")`): one the office does not have would stop every case that gets there."""
    settings = {row.id for row in organisation.rules.settings}
    read: set[str] = set()
    places: list[tuple[str, str, str, str]] = []
    for node in net.nodes:
        for source in _expressions(net, node):
            read.update(compile_expression(source.text).names)
            places.append((source.text, source.where, node.id, node.source))
    for decision in _tables(net, decisions, read):
        for number, (cells, results) in enumerate([(decision.spec.inputs, ()), *decision.spec.rules]):
            where = f"{number}行目" if number else "入力"
            places += [(text, f"決定表の{where}", decision.id, "") for text in (*cells, *results) if text]
    for text, where, element, file in dict.fromkeys(places):
        for name in settings_of(text):
            if name not in settings:
                what = f"設定「{name}」は rules.toml の [[setting]] にありません{near(name, settings)}"
                message = what if name else 'setting の ( ) には、設定のIDを引用符で囲んで書いてください（例：setting("lending_days")）'
                yield Finding("setting_unknown", f"{where}：{message}。", element, file)


def _unknown_fact(text: str, known: Collection[str], local: Collection[str]) -> str:
    """What is wrong with the first unknown name of an expression, and where it stands; "" when every name is known."""
    try:
        compile_expression(text, {name for name in compile_expression(text).names if name in known or name in local})
    except ExpressionError as error:
        position = int(error.ids["position"])
        found = re.match(r"\w+", text[position:])
        name = found[0] if found else ""
        shown = text if len(text) <= 60 else f"…{text[max(position - 20, 0) : position + 40]}…"
        return f"式「{shown}」の{position + 1}文字目の「{name}」という項目は、どの画面にも決定表にもありません{near(name, known)}。"
    return ""


def _check_table(decision: Decision, known: Collection[str]) -> Iterator[Finding]:
    """Every name that a table reads, with the row and column of the first place it stands."""
    told: set[str] = set()
    for where, names in _table_names(decision):
        for name in sorted(names - set(known) - told - {INPUT}):
            told.add(name)
            message = f"{where}：決定表が読む「{name}」という項目は、どの画面にも決定表にもありません{near(name, known)}。"
            yield Finding("fact_unknown", message, decision.id)


def _table_names(decision: Decision) -> Iterator[tuple[str, frozenset[str]]]:
    spec = decision.spec
    for column, text in enumerate(spec.inputs, 1):
        yield f"入力{column}列目「{text[:60]}」", compile_expression(text).names
    for row, (cells, results) in enumerate(spec.rules, 1):
        for column, text in enumerate(cells, 1):
            names: set[str] = set()
            read_cell(text, names)
            yield f"{row}行目の入力{column}列目「{text[:60]}」", frozenset(names)
        for column, text in enumerate(results, 1):
            if text:
                yield f"{row}行目の出力{column}列目「{text[:60]}」", compile_expression(text).names


def _used(net: Net, decisions: Mapping[str, Decision], read: set[str]) -> Iterator[Decision]:
    """The tables this diagram uses (their `names` include what they require): an office's other tables read other procedures' facts."""
    asked = {node.decision for node in net.nodes if node.decision}
    for key, decision in decisions.items():
        if key in asked or read & set(decision.outputs):
            yield decision


def _expressions(net: Net, node: Node) -> Iterator[_Source]:
    """Every expression of a node that reads facts."""
    for flow in node.outgoing:
        if net.flows[flow].condition:
            yield _Source(f"流れ「{net.flows[flow].name or net.flows[flow].id}」の条件", net.flows[flow].condition or "")
    if node.event is not None and node.event.condition:
        yield _Source("条件", node.event.condition)
    if node.event is not None and node.event.timer is not None and not node.event.timer.literal:
        yield _Source("時刻", node.event.timer.text)
    if node.multi is not None:
        for name, text, local in (
            ("collection", node.multi.collection, frozenset()),
            ("loopCardinality", node.multi.cardinality, frozenset()),
            ("completionCondition", node.multi.completion, LOCALS),
        ):
            if text:
                yield _Source(name, text, local)
    for name in ("offered_when", "suggestion", "passed_over_when", "grace", "entries", "also"):
        if node.properties.get(name):
            yield _Source(name, node.properties[name])
    for name in ("sets", "passed_over", "passes", "values"):
        for part in node.listed(name):
            if "=" in part:
                yield _Source(name, part.partition("=")[2].strip())
    for name, text in (("assignee", node.assignee), ("expression", node.expression)):
        if text:
            yield _Source(name, text)
    for field in node.form:
        rules = {"shown_when": field.properties.get("shown_when"), "required_when": field.constraints.get("required_when")}
        for name in ("not_after", "not_before"):
            rules[name] = "" if field.constraints.get(name, "").isidentifier() else field.constraints.get(name)
        for name, text in rules.items():
            if text:
                yield _Source(f"入力項目「{field.id}」の {name}", text)


__all__ = ["COMMON_FACTS", "ENGINE_FACTS", "TOPICS", "URGENCIES", "check"]
