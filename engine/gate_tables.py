"""What a file of decision tables must be before it may be used: checks on the XML itself, as engine/gate.py makes them for diagrams."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from lxml import etree

from engine.errors import Finding
from engine.gate_check import usable
from engine.limits import DEFAULT, Limits

#: Parts of DMN that are not read; each would decide something.
_REFUSED = {
    "businessKnowledgeModel": "業務知識モデル（BKM）は使えません。表を、必要な決定（requiredDecision）に分けてください。",
    "decisionService": "決定サービスは使えません。決定を直接使ってください。",
    "defaultOutputEntry": "既定の出力は使えません。最後に、どの入力も「-」の行を加えてください。",
    "context": "コンテキストは使えません。決定表にしてください。",
    "invocation": "呼出し（invocation）は使えません。決定表にしてください。",
    "functionDefinition": "関数の定義は使えません。決定表にしてください。",
    "relation": "リレーションは使えません。決定表にしてください。",
    "list": "リスト式は使えません。決定表にしてください。",
}


def check_tables(root: Any, file: str, limits: Limits = DEFAULT) -> list[Finding]:
    """All findings of one file of decisions, the largest first: what is too large is not looked at more closely."""
    namespace = etree.QName(root).namespace
    found = list(_sizes(root, namespace, file, limits))
    if not found:
        for decision in root.iterchildren(f"{{{namespace}}}decision"):
            found += _decision(decision, namespace, file)
        found += _everywhere(root, namespace, file, limits)
    return found[: limits.findings]


def _tag(element: Any) -> str:
    return str(etree.QName(element).localname)


def _sizes(root: Any, namespace: str, file: str, limits: Limits) -> Iterator[Finding]:
    decisions = sum(1 for _ in root.iterchildren(f"{{{namespace}}}decision"))
    if decisions > limits.decisions:
        yield Finding("dmn_size", f"{limits.exceeded('decisions', decisions)}ファイルを分けてください。", "", file)
    cells = length = 0
    for text in root.iter(f"{{{namespace}}}text"):
        length += len(text.text or "")
        if len(text.text or "") > limits.expression_length:
            message = f"{limits.exceeded('expression_length', len(text.text or ''))}セルを分けてください。"
            yield Finding("expression", message, _decision_of(text), file)
    if length > limits.expressions_length:
        yield Finding("dmn_size", f"{limits.exceeded('expressions_length', length)}ファイルを分けてください。", "", file)
    for table in root.iter(f"{{{namespace}}}decisionTable"):
        columns = sum(_tag(child) in ("input", "output") for child in table)
        rows = sum(_tag(child) == "rule" for child in table)
        cells += columns * rows
        for name, count in (("table_columns", columns), ("table_rows", rows)):
            if count > getattr(limits, name):
                yield Finding("dmn_size", f"{limits.exceeded(name, count)}表を分けてください。", _decision_of(table), file)
    if cells > limits.table_cells:
        yield Finding("dmn_size", f"{limits.exceeded('table_cells', cells)}ファイルを分けてください。", "", file)


def _decision_of(element: Any) -> str:
    """The id of the decision that something stands in."""
    while element is not None and _tag(element) != "decision":
        element = element.getparent()
    return (element.get("id") or "") if element is not None else ""


def _everywhere(root: Any, namespace: str, file: str, limits: Limits) -> Iterator[Finding]:
    for element in root.iter(f"{{{namespace}}}*"):
        tag, owner = _tag(element), _decision_of(element)
        if tag in _REFUSED:
            yield Finding("dmn", _REFUSED[tag], owner or element.get("id") or "", file)
        language = element.get("expressionLanguage")
        if language is not None and tag != "definitions":
            message = f"式の言語「{language[:60]}」は使えません。expressionLanguage の指定を消してください。"
            yield Finding("expression_language", message, owner, file)
        for name in ("id", "name", "label"):
            if len(element.get(name) or "") > limits.name:
                yield Finding("text_too_long", f"{name}「{element.get(name)[:40]}…」：{limits.exceeded('name')}", owner, file)


def _decision(decision: Any, namespace: str, file: str) -> Iterator[Finding]:
    """One decision: a table or a single expression, with names for what it puts out."""
    own = decision.get("id") or ""
    if not own:
        yield Finding("dmn", f"決定「{decision.get('name') or ''}」にIDがありません。エディターで付け直してください。", "", file)
    tables = decision.findall(f"{{{namespace}}}decisionTable")
    literal = decision.find(f"{{{namespace}}}literalExpression")
    if (len(tables) != 1) == (literal is None):
        yield Finding("dmn", "決定には、決定表か、1つの式（literalExpression）のどちらかが必要です。", own, file)
        return
    if literal is not None:
        variable = decision.find(f"{{{namespace}}}variable")
        name = variable.get("name") if variable is not None else own
        if not usable(name or ""):
            yield Finding("dmn_output", f"出力の名前「{(name or '')[:60]}」は、項目の名前として使えません。", own, file)
        return
    yield from _outputs(tables[0], own, namespace, file)
    rows = tables[0].findall(f"{{{namespace}}}rule")
    if not rows:
        yield Finding("dmn_empty", "決定表に行がありません。いつも空（null）になります。", own, file)
    for number, column in enumerate(tables[0].findall(f"{{{namespace}}}input"), 1):
        if not (column.findtext(f"{{{namespace}}}inputExpression/{{{namespace}}}text") or "").strip():
            yield Finding("dmn", f"入力{number}列目に式がありません。読む項目の名前を書いてください。", own, file)
    yield from _overlaps(tables[0], rows, own, namespace, file)


def _outputs(table: Any, own: str, namespace: str, file: str) -> Iterator[Finding]:
    seen: set[str] = set()
    for number, column in enumerate(table.findall(f"{{{namespace}}}output"), 1):
        name = (column.get("name") or "").strip()
        if not usable(name):
            problem = f"「{name[:60]}」は、項目の名前として使えません" if name else "がありません"
            yield Finding("dmn_output", f"出力{number}列目の名前（name）{problem}。英字で始まる英数字にしてください。", own, file)
        elif name in seen:
            yield Finding("dmn_output", f"出力の名前「{name}」が2つの列にあります。", own, file)
        seen.add(name)


def _overlaps(table: Any, rows: list[Any], own: str, namespace: str, file: str) -> Iterator[Finding]:
    """Rows that match whenever another one does, as far as the same texts show it."""
    policy = (table.get("hitPolicy") or "UNIQUE").upper()
    if policy not in ("UNIQUE", "FIRST") or len(rows) > _COMPARED:
        return
    path = f"{{{namespace}}}inputEntry/{{{namespace}}}text"
    cells = [[(item.text or "").strip() for item in row.findall(path)] for row in rows]
    cells = [["" if cell == "-" else cell for cell in row] for row in cells]
    for late, row in enumerate(cells):
        for early in range(late):
            wider = _covers(cells[early], row)
            if policy == "FIRST" and wider:
                message = f"{late + 1}行目には決して届きません。{early + 1}行目が、いつも先に当てはまります。"
                yield Finding("dmn_row_unreachable", message, own, file)
                break
            if policy == "UNIQUE" and (wider or _covers(row, cells[early])):
                message = f"{early + 1}行目と{late + 1}行目に同時に当てはまる場合があり、結果が決まりません。条件を分けるか、FIRST にしてください。"
                yield Finding("dmn_overlap", message, own, file)
                break


#: More rows than this are not compared each with each.
_COMPARED = 400


def _covers(wide: list[str], narrow: list[str]) -> bool:
    """Whether a row matches wherever the other does: each of its cells takes anything, or says the same."""
    return len(wide) == len(narrow) and all(not one or one == other for one, other in zip(wide, narrow, strict=True))


__all__ = ["check_tables"]
