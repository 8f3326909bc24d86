"""Clauses, what carries them and what shows them: which elements, forms, tables and rows come to a clause, and what a changed clause touches. Pure."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date

from engine.citations import cited, split
from engine.matrix_rows import Reader, rows_of, standing
from engine.matrix_tables import Source, tables_of
from engine.matrix_views import (
    BASIS,
    NAMED,
    THROUGH,
    Amendment,
    ClauseLink,
    ClauseOfMatrix,
    ElementOfMatrix,
    Matrix,
    Procedure,
    RowOfMatrix,
    ScenarioOfMatrix,
    ShowingTest,
    TableOfMatrix,
    TouchedRow,
)
from engine.net import Kind, Net, Node
from engine.organisation import Clause, Organisation
from engine.paper_templates import office_templates

#: The kinds of elements that do something by themselves; events do when a seat is offered them, and at the start of a procedure.
_WORK = frozenset({Kind.USER_TASK, Kind.MANUAL_TASK, Kind.RECEIVE_TASK, Kind.SEND_TASK, Kind.SERVICE_TASK, Kind.BUSINESS_RULE_TASK})
_SETTING = re.compile(r"setting\(\s*[\"']([^\"']+)[\"']\s*\)")
#: What the clause table writes where a clause names no urgency.
_NO_URGENCY = frozenset({"", "―", "(語なし)"})


@dataclass(frozen=True)
class Shown:
    """A scenario with what it does of its procedure: (process, element); `state` as in `ScenarioOfMatrix`."""

    file: str
    title: str
    procedure: str
    state: str
    did: frozenset[tuple[str, str]] = frozenset()


def build(office: Organisation, on: date, sources: Sequence[Source], scenarios: Iterable[Shown], *, draft: int | None = None) -> Matrix:
    """The matrix of an office on a day.

    Args:
        sources: the procedures that are looked at.
        scenarios: theirs, and what they do.
    """
    played = tuple(scenarios)
    rows_by_id: dict[str, list[tuple[Clause, str]]] = {}
    for row, begins in standing(office.clause_rows, "clause_id", on):
        rows_by_id.setdefault(row.clause_id, []).append((row, begins))
    current = {clause_id: rows[0][0] for clause_id, rows in rows_by_id.items()}
    reader = Reader(office, {clause_id: cited(row.citation) for clause_id, row in current.items()})
    elements = tuple(element for source in sources for element in _elements(office, on, source, played))
    tables = tables_of(office, on, sources, elements, reader)
    rows = rows_of(office, on, reader)
    did: dict[tuple[str, str], dict[str, None]] = {}
    for element in elements:
        for file in element.scenarios:
            did.setdefault((element.procedure, file), {}).update(dict.fromkeys(element.clauses))
    linked: tuple[ElementOfMatrix | TableOfMatrix | RowOfMatrix, ...] = (*elements, *tables, *rows)
    told = {link.clause for one in linked for link in one.links} | {test.clause for test in office.shown_by}
    return Matrix(
        office.name,
        tuple(_procedure(source) for source in sources),
        (
            *(_clause(rows[0][0], "coming" if rows[0][1] else "current", rows[1:]) for rows in rows_by_id.values()),
            *(_gone(office, clause) for clause in sorted(told - set(current))),
        ),
        elements,
        tables,
        rows,
        tuple(
            ScenarioOfMatrix(one.file, one.title, one.procedure, one.state, tuple(did.get((one.procedure, one.file), ()))) for one in played
        ),
        _tests(office),
        draft,
    )


def _clause(row: Clause, state: str, later: Iterable[tuple[Clause, str]] = ()) -> ClauseOfMatrix:
    source, place = split(row.citation)
    urgency = "" if row.urgency in _NO_URGENCY else row.urgency
    return ClauseOfMatrix(
        row.clause_id,
        source,
        place,
        row.plain,
        urgency,
        state,
        row.note,
        row.no_procedure,
        min((begins for _, begins in later), default=""),
    )


def _gone(office: Organisation, clause: str) -> ClauseOfMatrix:
    """A clause that something still names although it is no more in force, or never was in the table."""
    row = office.clauses.get(clause)
    return _clause(row, "ended") if row is not None else ClauseOfMatrix(clause, "", clause, "", "", "unknown")


def _procedure(source: Source) -> Procedure:
    diagrams = {one.process_id: (one.process_id, one.name, one.source) for one in source.net.diagrams}
    return Procedure(source.process_id, source.name, source.ref, source.version, tuple(diagrams.values()))


def _tests(office: Organisation) -> tuple[ShowingTest, ...]:
    found: dict[tuple[str, str], tuple[str, list[str]]] = {}
    for row in office.shown_by:
        found.setdefault((row.file, row.test), (row.title, []))[1].append(row.clause)
    return tuple(ShowingTest(file, test, title, tuple(clauses)) for (file, test), (title, clauses) in found.items())


# ---------------------------------------------------------------- elements


def _elements(office: Organisation, on: date, source: Source, scenarios: Iterable[Shown]) -> Iterator[ElementOfMatrix]:
    """Every element of a procedure, once, wherever its diagram is called from."""
    mine = [one for one in scenarios if one.procedure == source.process_id]
    starts = {node.index for node in source.net.starts}
    papers = _papers(office, source)
    seen = set()
    for node in source.net.nodes:
        key = node.process, node.element
        if key in seen:
            continue
        seen.add(key)
        ledger, clock = node.properties.get("ledger", ""), node.properties.get("deadline", "")
        person = node.kind is Kind.USER_TASK
        yield ElementOfMatrix(
            source.process_id, node.process, node.element, " ".join(node.name.split()), node.kind.value, source.ref, node.source,
            node.kind in _WORK or bool(node.candidate_groups) or node.index in starts,
            tuple(_links(office, on, node, clock, ledger)),
            node.properties.get("urgency", "plain" if person else ""), clock, ledger, node.decision or "",
            (*papers.get(node.element, ()), *_about(office, node)),
            tuple(" ".join(spec.label.split()) for spec in node.form),
            tuple(dict.fromkeys(_settings(source.net, node))),
            tuple(one.file for one in mine if key in one.did),
        )  # fmt: skip


def _links(office: Organisation, on: date, node: Node, clock: str, ledger: str) -> Iterator[ClauseLink]:
    own = dict.fromkeys((*node.listed("clause"), *(one for one in node.listed("records") if one != "none")))
    yield from (ClauseLink(one, NAMED) for one in own)
    rows = (
        *((row.name, row.clauses) for row, _ in standing(office.rules.statutory, "id", on) if row.id == clock),
        *((row.name, row.clauses) for row, _ in standing(office.rules.ledgers, "id", on) if row.id == ledger),
    )
    yield from dict.fromkeys(ClauseLink(clause, THROUGH, name) for name, clauses in rows for clause in clauses if clause not in own)


def _papers(office: Organisation, source: Source) -> dict[str, list[str]]:
    """Element -> the papers of approvals that it decides."""
    found: dict[str, list[str]] = {}
    for template in office_templates(office.folder).papers.values():
        if source.process_id in template.process:
            deciding = [
                node.element
                for node in source.net.nodes
                if node.element == template.decided_by or (not template.decided_by and node.decides)
            ]
            for element in dict.fromkeys(deciding):
                found.setdefault(element, []).append(template.name)
    return found


def _about(office: Organisation, node: Node) -> tuple[str, ...]:
    paper = office_templates(office.folder).papers.get(node.properties.get("paper", "").partition(":")[0])
    return (paper.name,) if paper is not None else ()


def _settings(net: Net, node: Node) -> Iterator[str]:
    """The settings that an element reads: in its properties, form, timers and what bounds it, and on the ways out of it."""
    for one in (node, *(net.nodes[index] for index in node.boundaries)):
        texts = [*one.properties.values(), one.expression or "", one.assignee or ""]
        texts += [text for spec in one.form for text in (*spec.properties.values(), *spec.constraints.values(), spec.default or "")]
        if one.event is not None:
            texts += [one.event.condition or "", one.event.timer.text if one.event.timer else ""]
        if one.multi is not None:
            texts += [one.multi.collection or "", one.multi.cardinality or "", one.multi.completion or ""]
        texts += [net.flows[index].condition or "" for index in one.outgoing]
        for text in texts:
            yield from _SETTING.findall(text)


# ---------------------------------------------------------------- what a changed clause touches


def amended(matrix: Matrix, clauses: Iterable[str]) -> Amendment:
    """What changed clauses touch. Ids that no clause has are passed over."""
    chosen = tuple(clause for clause in map(matrix.clause, dict.fromkeys(clauses)) if clause is not None)
    ids = {clause.id for clause in chosen}
    elements = tuple(one for one in matrix.elements if ids & set(one.clauses))
    tables = tuple(one for one in matrix.tables if any(link.clause in ids for link in one.links))
    rows = (TouchedRow(row, tuple(_why(row, ids, elements))) for row in matrix.rows)
    urgencies = Counter(one.urgency for one in elements if one.urgency)
    did: dict[tuple[str, str], list[ElementOfMatrix]] = {}
    for one in elements:
        for file in one.scenarios:
            did.setdefault((one.procedure, file), []).append(one)
    return Amendment(
        chosen,
        elements,
        tables,
        tuple(one for one in rows if one.why),
        tuple(urgencies.items()),
        tuple((one, tuple(did[one.procedure, one.file])) for one in matrix.scenarios if (one.procedure, one.file) in did),
        tuple(one for one in matrix.tests if ids & set(one.clauses)),
    )


def _why(row: RowOfMatrix, clauses: set[str], elements: Sequence[ElementOfMatrix]) -> Iterator[str]:
    ways = {link.way for link in row.links if link.clause in clauses}
    yield from (way for way in (NAMED, BASIS) if way in ways)
    if any(_stands_under(row, one) for one in elements):
        yield "step"


def _stands_under(row: RowOfMatrix, element: ElementOfMatrix) -> bool:
    of: Mapping[str, Sequence[str]] = {
        "urgency": (element.urgency,), "clock": (element.clock,), "ledger": (element.ledger,), "setting": element.settings,
    }  # fmt: skip
    if row.table == "property":
        return element.procedure in row.procedures and element.element in row.elements
    return row.id in of.get(row.table, ())


__all__ = ["Shown", "amended", "build"]
