"""The matrix of clauses as a file for a spreadsheet: a line for each pair of a clause and what carries or shows it, and for what has no counterpart."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence

from engine import ClauseOfMatrix, ElementOfMatrix, Matrix
from webui.ledger_files import as_csv

HEADINGS = ("条項ID", "条項", "内容", "状態", "対応", "手続", "図", "ID", "名前", "種類", "つながり", "急ぎの語", "理由")
STATES = {"current": "施行中", "coming": "施行前", "ended": "廃止", "unknown": "条項表にない"}
WAYS = {"named": "名指し", "through": "経由", "basis": "根拠の文"}
Line = tuple[str, ...]


def csv_file(
    matrix: Matrix,
    clauses: Sequence[ClauseOfMatrix],
    elements: Iterable[ElementOfMatrix],
    tables: Mapping[str, str],
    kinds: Mapping[str, str],
) -> bytes:
    """The chosen clauses with what carries and shows them, then the chosen elements that come to no clause.

    Args:
        tables, kinds: the words for tables of rules.toml and for kinds of elements.
    """
    bare = (one for one in elements if not one.links)
    words = {row.id: row.name for row in matrix.rows if row.table == "urgency"}
    lines = [line for clause in clauses for line in _of(matrix, clause, tables, kinds, words)]
    lines += [("", "", "", "", "要素（条項なし）", *_element(matrix, one, kinds), "", words.get(one.urgency, ""), "") for one in bare]
    return as_csv(HEADINGS, lines)


def _of(
    matrix: Matrix, clause: ClauseOfMatrix, tables: Mapping[str, str], kinds: Mapping[str, str], words: Mapping[str, str]
) -> Iterator[Line]:
    head = clause.id, clause.citation, clause.plain, STATES[clause.state]
    names = {one.id: one.name for one in matrix.procedures}
    carried, nothing = matrix.by_clause[clause.id], True
    for one in carried.elements:
        nothing = False
        links = [link for link in one.links if link.clause == clause.id]
        way = "、".join(f"{WAYS[link.way]}（{link.what}）" if link.what else WAYS[link.way] for link in links)
        yield *head, "要素", *_element(matrix, one, kinds), way, words.get(one.urgency, ""), ""
    for table in carried.tables:
        nothing = False
        way = "、".join(dict.fromkeys(link.what or WAYS[link.way] for link in table.links if link.clause == clause.id))
        yield (
            *head,
            "決定表",
            "、".join(names.get(id, id) for id in table.procedures),
            table.file,
            table.decision,
            table.name,
            "",
            way,
            "",
            "",
        )
    for rows, way in ((carried.rows, "named"), (carried.cited, "basis")):
        for row in rows:
            nothing = False
            procedures = "、".join(names.get(id, id) for id in row.procedures)
            yield *head, "細目", procedures, "", row.id, row.name, tables[row.table], WAYS[way], "", row.since and f"{row.since}から"
    for scenario in carried.scenarios:
        nothing = False
        yield *head, "シナリオ", names.get(scenario.procedure, scenario.procedure), "", scenario.file, scenario.title, "", "", "", ""
    for test in carried.tests:
        nothing = False
        yield *head, "試験", "", test.file, test.test, test.title, "", "", "", ""
    if nothing or clause.no_procedure:
        yield *head, "なし" if nothing else "手続を置かない理由", "", "", "", "", "", "", "", clause.no_procedure


def _element(matrix: Matrix, one: ElementOfMatrix, kinds: Mapping[str, str]) -> tuple[str, str, str, str, str]:
    procedure = next((item for item in matrix.procedures if item.id == one.procedure), None)
    diagram = next((name for id, name, _ in procedure.diagrams if id == one.process), one.process) if procedure else one.process
    return procedure.name if procedure else one.procedure, diagram, one.element, one.name, kinds.get(one.kind, one.kind)
