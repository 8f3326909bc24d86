"""Reads the template files of papers and notes everything wrong in them, placeholder by placeholder."""

from __future__ import annotations

import string
import tomllib
from collections.abc import Iterable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from engine.errors import ExpressionError, Finding
from engine.expressions import compile_expression
from engine.paper_parts import CONDITIONS, NAME, PLACEHOLDERS, TABLES, WORD_TABLES, Part, Row, Said, Template


class Reader:
    """Reads one template file and notes what is wrong in it."""

    def __init__(self, name: str, found: list[Finding]) -> None:
        self.name = name
        self.found = found

    def wrong(self, rule: str, message: str, element: str = "") -> None:
        self.found.append(Finding(rule, message, element, self.name))

    def file(self, path: Path) -> dict[str, Any] | None:
        try:
            return tomllib.loads(path.read_text(encoding="utf-8"))
        except OSError:
            self.wrong("unreadable-file", "ファイルを読めません。")
        except UnicodeDecodeError:
            self.wrong("not-utf8", "文字コードが UTF-8 ではありません。")
        except (tomllib.TOMLDecodeError, RecursionError) as error:
            self.wrong("not-toml", f"TOML として読めません（{error}）。")
        return None

    def words(self, data: Mapping[str, Any], into: dict[str, dict[str, str]]) -> tuple[str, ...]:
        self.keys(data, {*WORD_TABLES, "not_yet"}, "")
        for table in WORD_TABLES:
            rows = data.get(table, {})
            if not isinstance(rows, dict) or not all(isinstance(value, str) for value in rows.values()):
                self.wrong("wrong-type", f"「{table}」は、言い方を並べた表にしてください。", table)
                continue
            allowed = {"n", "person", "ref"} if table == "text" else set()
            for name, value in rows.items():
                self.placeholders(value, f"{table}.{name}", allowed)
            into.setdefault(table, {}).update(rows)
        return self.strings(data, "not_yet", "")

    def template(self, paper_id: str, data: Mapping[str, Any]) -> Template:
        self.keys(data, {"name", "title", "layout", "sender", "unknown", "addressee", "note", "section"}, "")
        layout = self.text(data, "layout", "") or "report"
        if layout not in ("report", "letter"):
            self.wrong("wrong-value", f"layout は report か letter です（{layout}）。")
        name = self.text(data, "name", "")
        if not name:
            self.wrong("missing-key", "name がありません。")
        return Template(
            id=paper_id,
            name=name,
            title=self.text(data, "title", "") or name,
            layout=layout,
            sender=self.text(data, "sender", ""),
            unknown=self.text(data, "unknown", ""),
            addressees=tuple(self.said(row, "addressee") for row in self.tables(data, "addressee", "")),
            notes=tuple(self.said(row, "note") for row in self.tables(data, "note", "")),
            parts=tuple(self.part(row, f"section {n}") for n, row in enumerate(self.tables(data, "section", ""), 1)),
        )

    def said(self, row: Mapping[str, Any], where: str) -> Said:
        self.keys(row, {"text", "when"}, where)
        return Said(self.text(row, "text", where), self.when(row, where))

    def part(self, row: Mapping[str, Any], where: str) -> Part:
        self.keys(row, {"id", "number", "heading", "text", "row", "table", "columns", "needed", "if_known", "when"}, where)
        table = self.text(row, "table", where)
        if table and not self.is_table(table):
            self.wrong("wrong-value", f"表「{table}」はありません（{'、'.join(TABLES)}）。", where)
        rows = []
        for item in self.tables(row, "row", where):
            self.keys(item, {"label", "value", "needed", "if_known", "when"}, where)
            flags = (self.flag(item, "needed", where), self.flag(item, "if_known", where))
            rows.append(Row(self.text(item, "label", where), self.text(item, "value", where), *flags, self.when(item, where)))
        text = self.strings(row, "text", where)
        for line in text:
            self.placeholders(line, where)
        return Part(
            id=self.text(row, "id", where),
            number=self.text(row, "number", where),
            heading=self.text(row, "heading", where),
            text=text,
            rows=tuple(rows),
            table=table,
            columns=self.strings(row, "columns", where),
            needed=self.flag(row, "needed", where),
            if_known=self.flag(row, "if_known", where),
            when=self.when(row, where),
        )

    def is_table(self, name: str) -> bool:
        """Whether a section can be filled with the rows of this name."""
        return name in TABLES

    def when(self, row: Mapping[str, Any], where: str) -> tuple[str, ...]:
        names = self.strings(row, "when", where)
        for name in names:
            if name.removeprefix("not ") not in CONDITIONS:
                self.wrong("unknown-condition", f"条件「{name}」はありません。", where)
        return names

    def tables(self, data: Mapping[str, Any], key: str, where: str) -> list[dict[str, Any]]:
        rows = data.get(key, [])
        if not isinstance(rows, list) or not all(isinstance(row, dict) for row in rows):
            self.wrong("wrong-type", f"「{key}」は [[{key}]] の形で書いてください。", where)
            return []
        return rows

    def strings(self, data: Mapping[str, Any], key: str, where: str) -> tuple[str, ...]:
        rows = data.get(key, [])
        if not isinstance(rows, list) or not all(isinstance(row, str) for row in rows):
            self.wrong("wrong-type", f'「{key}」は文字の並び（["…", "…"]）にしてください。', where)
            return ()
        return tuple(rows)

    def flag(self, data: Mapping[str, Any], key: str, where: str) -> bool:
        value = data.get(key, False)
        if not isinstance(value, bool):
            self.wrong("wrong-type", f"「{key}」は true か false です。", where)
            return False
        return value

    def text(self, data: Mapping[str, Any], key: str, where: str) -> str:
        value = data.get(key, "")
        if not isinstance(value, str):
            self.wrong("wrong-type", f"「{key}」は文字で書いてください。", where)
            return ""
        self.placeholders(value, where)
        return value

    def keys(self, data: Mapping[str, Any], allowed: set[str], where: str) -> None:
        for key in data:
            if key not in allowed:
                self.wrong("unknown-key", f"「{key}」という項目名はありません。", where)

    def knows(self, name: str, allowed: Iterable[str]) -> bool:
        """Whether something of this name can be put in."""
        return name in allowed

    def placeholders(self, text: str, where: str, allowed: Iterable[str] = PLACEHOLDERS) -> None:
        try:
            pieces = list(string.Formatter().parse(text))
        except ValueError:
            self.wrong("broken-placeholder", f"波かっこの対応がとれていません：{text[:60]}", where)
            return
        for _, name, spec, conversion in pieces:
            if name is not None and (not self.knows(name, allowed) or spec or conversion):
                shown = name + (f"!{conversion}" if conversion else "") + (f":{spec}" if spec else "")
                self.wrong("unknown-placeholder", f"「{{{shown}}}」という差し込みはありません。", where)


class ApprovalReader(Reader):
    """Reads the template of an approval's paper; which facts its procedure has is asked when that is put in force."""

    def approval(self, paper_id: str, data: Mapping[str, Any]) -> Template:
        own = ("process", "decided_by", "approved_when", "void_when", "void", "number", "for_party")
        plain = self.template(paper_id, {key: value for key, value in data.items() if key not in own})
        process = self.strings(data, "process", "")
        approved_when, void_when = self.expression(data, "approved_when"), self.expression(data, "void_when")
        if not process or not approved_when:
            self.wrong("missing-key", "承認の書面には、process（手続のid）と approved_when（承認に当たるときの式）が要ります。")
        return replace(
            plain,
            process=process,
            decided_by=self.text(data, "decided_by", ""),
            approved_when=approved_when,
            void_when=void_when,
            void=self.text(data, "void", "") or "取消",
            number_text=self.text(data, "number", "") or "{case_number}",
            for_party=self.flag(data, "for_party", ""),
        )

    def knows(self, name: str, allowed: Iterable[str]) -> bool:
        return NAME.fullmatch(name) is not None

    def is_table(self, name: str) -> bool:
        return NAME.fullmatch(name) is not None

    def when(self, row: Mapping[str, Any], where: str) -> tuple[str, ...]:
        texts = self.strings(row, "when", where)
        return tuple(text for text in texts if self.compiles(text, where))

    def expression(self, data: Mapping[str, Any], key: str) -> str:
        text = data.get(key, "")
        if not isinstance(text, str):
            self.wrong("wrong-type", f"「{key}」は文字で書いてください。")
            return ""
        return text if not text or self.compiles(text, key) else ""

    def compiles(self, text: str, where: str) -> bool:
        try:
            compile_expression(text)
        except ExpressionError as error:
            self.wrong("bad-expression", error.text, where)
            return False
        return True
