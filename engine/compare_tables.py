"""Two versions of decision tables laid side by side: rows and cells that changed, columns, order, how hits are taken. Pure; reads the XML itself."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from difflib import SequenceMatcher
from typing import Any

from lxml import etree

HIT_POLICIES = {
    "UNIQUE": "一つだけ当てはまる", "FIRST": "最初の行", "ANY": "どれでも同じ", "COLLECT": "すべて集める", "RULE ORDER": "すべて（行の順）",
}  # fmt: skip


@dataclass(frozen=True)
class Table:
    """A decision as it is written; each row maps a column to its cell."""

    id: str
    name: str
    file: str
    policy: str
    columns: tuple[str, ...]
    heads: Mapping[str, str]
    rows: tuple[Mapping[str, str], ...]
    rest: str


@dataclass(frozen=True)
class Difference:
    """One difference: which row (counted from 1, 0 = none), what, how, from what to what."""

    row: int
    what: str
    label: str
    how: str
    before: str
    after: str


def tables(files: Mapping[str, Any]) -> dict[str, Table]:
    """Decision id -> table; `files`: file name -> root of its XML."""
    found = {}
    for file, root in files.items():
        for decision in root.iter("{*}decision"):
            made = _read(decision, file)
            found[made.id] = made
    return found


def _read(decision: Any, file: str) -> Table:
    table = next(decision.iter("{*}decisionTable"), None)
    heads: dict[str, str] = {}
    rows: list[dict[str, str]] = []
    policy = ""
    if table is not None:
        policy = " ".join(filter(None, (table.get("hitPolicy") or "UNIQUE", table.get("aggregation"))))
        names = []
        for number, column in enumerate(table.findall("{*}input")):
            text = _text(column.find("{*}inputExpression")) or column.get("label") or f"{number + 1}"
            names.append(_free(heads, f"入力「{column.get('label') or text}」"))
            heads[names[-1]] = (
                f"{text}（{(column.find('{*}inputExpression').get('typeRef') if column.find('{*}inputExpression') is not None else '') or '型なし'}）"
            )
            allowed = _text(column.find("{*}inputValues"))
            heads[names[-1]] += f" 値：{allowed}" if allowed else ""
        for number, column in enumerate(table.findall("{*}output")):
            text = column.get("name") or column.get("label") or f"{number + 1}"
            names.append(_free(heads, f"出力「{column.get('label') or text}」"))
            allowed = _text(column.find("{*}outputValues"))
            heads[names[-1]] = f"{text}（{column.get('typeRef') or '型なし'}）" + (f" 値：{allowed}" if allowed else "")
        for rule in table.findall("{*}rule"):
            cells = [_text(cell) for cell in (*rule.findall("{*}inputEntry"), *rule.findall("{*}outputEntry"))]
            row = dict(zip(names, cells, strict=False))
            note = _text(rule.find("{*}annotationEntry")) or _text(rule.find("{*}description"))
            rows.append({**row, "注記": note} if note else row)
    rest = "".join(_written(child) for child in decision if etree.QName(child).localname not in ("decisionTable", "extensionElements"))
    return Table(
        decision.get("id", ""), decision.get("name") or decision.get("id", ""), file, policy, tuple(heads), heads, tuple(rows), rest
    )  # fmt: skip


def _free(taken: Mapping[str, str], name: str) -> str:
    while name in taken:
        name += "′"
    return name


def _text(node: Any) -> str:
    return "".join(node.itertext()).strip() if node is not None else ""


def _written(node: Any) -> str:
    attributes = "".join(
        f' {etree.QName(name).localname}="{value}"' for name, value in sorted(node.attrib.items()) if etree.QName(name).localname != "id"
    )
    return f"<{etree.QName(node).localname}{attributes}>{(node.text or '').strip()}{''.join(_written(child) for child in node)}</>"


def differences(before: Table, after: Table) -> Iterator[Difference]:
    """Everything that differs between two versions of one table."""
    if before.name != after.name:
        yield Difference(0, "name", "名前", "changed", before.name, after.name)
    if before.policy != after.policy:
        yield Difference(0, "hit_policy", "当てはまる行の選び方", "changed", _policy(before.policy), _policy(after.policy))
    if before.rest != after.rest:
        yield Difference(0, "requires", "前提とする表・入力", "changed", before.rest, after.rest)
    for name in before.columns:
        if name not in after.columns:
            yield Difference(0, "column", f"列 {name}", "removed", _column(before, name), "")
        elif before.heads[name] != after.heads[name]:
            yield Difference(0, "column", f"列 {name}", "changed", before.heads[name], after.heads[name])
    for name in after.columns:
        if name not in before.columns:
            yield Difference(0, "column", f"列 {name}", "added", "", _column(after, name))
    yield from _rows(before, after)


def _policy(text: str) -> str:
    return f"{HIT_POLICIES.get(text, text)}（{text}）"


def _column(table: Table, name: str) -> str:
    cells = "、".join(f"{number}行目 {row.get(name) or '-'}" for number, row in enumerate(table.rows, 1))
    return f"{table.heads[name]}：{cells}" if cells else table.heads[name]


def _rows(before: Table, after: Table) -> Iterator[Difference]:
    common = [name for name in (*before.columns, "注記") if name in after.columns or name == "注記"]
    old = [tuple(row.get(name, "") for name in common) for row in before.rows]
    new = [tuple(row.get(name, "") for name in common) for row in after.rows]
    gone: list[int] = []
    come: list[int] = []
    changed: list[tuple[int, int]] = []
    for kind, first, last, begin, end in SequenceMatcher(None, old, new, autojunk=False).get_opcodes():
        if kind != "equal":
            gone += range(first, last)
            come += range(begin, end)
    for one in list(gone):  # the same row elsewhere
        there = next((other for other in come if new[other] == old[one]), None)
        if there is not None:
            gone.remove(one)
            come.remove(there)
            yield Difference(there + 1, "row", f"{there + 1}行目", "moved", f"{one + 1}行目", f"{there + 1}行目")
    for one in list(gone):  # a row of which most is the same
        near = max(come, key=lambda other: (_alike(old[one], new[other]), -abs(other - one)), default=None)
        if near is not None and _alike(old[one], new[near]) * 2 >= len(common):
            gone.remove(one)
            come.remove(near)
            changed.append((one, near))
    for one, other in sorted(changed, key=lambda pair: pair[1]):
        for name, was, now in zip(common, old[one], new[other], strict=True):
            if was != now:
                yield Difference(other + 1, "cell", f"{other + 1}行目 {name}", "changed", was or "-", now or "-")
    for one in gone:
        yield Difference(one + 1, "row", f"{one + 1}行目（前の版）", "removed", _row(common, old[one]), "")
    for one in come:
        yield Difference(one + 1, "row", f"{one + 1}行目", "added", "", _row(common, new[one]))


def _alike(one: tuple[str, ...], other: tuple[str, ...]) -> int:
    return sum(was == now for was, now in zip(one, other, strict=True))


def _row(names: list[str], cells: tuple[str, ...]) -> str:
    return "、".join(f"{name} {cell or '-'}" for name, cell in zip(names, cells, strict=True) if cell or name != "注記")


__all__ = ["Difference", "Table", "differences", "tables"]
