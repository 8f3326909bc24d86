"""The templates of papers: reads and checks `papers/*.toml` of the office's folder over those of `bpmn/common`, naming every fault."""

from __future__ import annotations

import re
import string
import tomllib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

from engine.errors import Finding, OrganisationBroken

COMMON = Path(__file__).resolve().parent.parent / "bpmn" / "common"
PAPER_IDS = ("commission_report", "commission_anonymised", "notice_letter", "substitute_notice", "withdrawal", "division_report")
ITEMS = tuple(f"item_{name}" for name in ("summary", "data", "cause", "secondary_harm", "response", "publication", "prevention", "other"))
#: Facts that hold the day a report was submitted.
SUBMITTED_ON = {
    "preliminary": ("preliminary_submitted_on", "submitted_on"),
    "final": ("final_submitted_on",),
    "supplement": ("supplemented_on",),
}

#: Names a template may use in braces.
PLACEHOLDERS = frozenset(
    {
        "office", "head_title", "number", "case_title", "unit", "made_on", "kind", "event", "occurred_at", "known_at", "discovered_at",
        "grave", "grave_reasons", "contractor", "persons_count", "grounds", "grounds_mynumber", "undecided", "withdrawal_grounds", "withdrawn_on",
        "mynumber_held", "mn_system", "anonymised_held", "anonymised_reported_on", "anonymised_receipt",
        "person", "data_of_person", "preliminary_due", "preliminary_days", "final_due",
        "final_days", *ITEMS, *(f"{sent}_{what}" for sent in SUBMITTED_ON for what in ("submitted_on", "receipt")),
    }
)  # fmt: skip
#: Names a template may use in `when`; all of them must hold.
CONDITIONS = frozenset(
    {
        "mynumber_form", "appi68", "mn294", "undecided", "preliminary", "preliminary_final", "final", "supplement", "strict", "submitted",
        "reported_to_division", "received_by_general", "grave", "contractor", "anonymised_narrow", "measures_known", "response_known",
        "mn_system_known", "grave_reasons_known", "masked", "nobody_chosen",
    }
)  # fmt: skip
TABLES = ("history",)
WORD_TABLES = ("event", "yes_no", "mn_system", "rule43", "mn_rule2", "kind", "anonymised", "text")
TEXTS = (
    "blank",
    "not_yet",
    "persons",
    "persons_at_most",
    "persons_open",
    "guideline",
    "not_reportable",
    "to_person",
    "to_ref",
    "suspected",
)


@dataclass(frozen=True)
class Row:
    label: str
    value: str
    needed: bool
    if_known: bool
    when: tuple[str, ...]


@dataclass(frozen=True)
class Part:
    id: str
    number: str
    heading: str
    text: tuple[str, ...]
    rows: tuple[Row, ...]
    table: str
    columns: tuple[str, ...]
    needed: bool
    if_known: bool
    when: tuple[str, ...]


@dataclass(frozen=True)
class Said:
    """A text with its condition: an addressee or a note."""

    text: str
    when: tuple[str, ...]


@dataclass(frozen=True)
class Template:
    """One paper's template."""

    id: str
    name: str
    title: str
    layout: str
    sender: str
    unknown: str
    addressees: tuple[Said, ...]
    notes: tuple[Said, ...]
    parts: tuple[Part, ...]


@dataclass(frozen=True)
class Templates:
    """An office's templates by paper id, and the words that values are turned into."""

    papers: Mapping[str, Template]
    words: Mapping[str, Mapping[str, str]]
    not_yet: re.Pattern[str]


@cache
def office_templates(folder: Path | None = None) -> Templates:
    """The templates of an office's folder over the common ones, read once: like the rest of the folder, they change with a restart."""
    return load_templates(folder)


def load_templates(office_folder: Path | None = None, common_folder: Path = COMMON) -> Templates:
    """Read `papers/*.toml`: a paper of the office's folder replaces the common one; `words.toml` of the office adds to the common words.

    Raises:
        OrganisationBroken: with a finding per fault, naming the file and, for a wrong placeholder, the placeholder.
    """
    found: list[Finding] = []
    papers: dict[str, Template] = {}
    words: dict[str, dict[str, str]] = {}
    phrases: tuple[str, ...] = ()
    for folder in (common_folder, office_folder):
        if folder is None or not (folder / "papers").is_dir():
            continue
        for path in sorted((folder / "papers").glob("*.toml")):
            reader = _Reader(f"{folder.name}/papers/{path.name}", found)
            data = reader.file(path)
            if data is None:
                continue
            if path.stem == "words":
                phrases = reader.words(data, words) or phrases
            elif path.stem in PAPER_IDS:
                papers[path.stem] = reader.template(path.stem, data)
            else:
                reader.wrong("unknown-paper", f"「{path.stem}」という書面はありません（{'、'.join(PAPER_IDS)}）。")
    for paper_id in PAPER_IDS:
        if paper_id not in papers:
            found.append(Finding("missing-file", "書面のひな形がありません。", file=f"papers/{paper_id}.toml"))
    for name in (name for name in TEXTS if name not in words.get("text", {})):
        found.append(Finding("missing-word", f"「{name}」の言い方がありません。", "text", "papers/words.toml"))
    if found:
        raise OrganisationBroken(found)
    return Templates(papers, words, _not_yet_pattern(phrases))


def _not_yet_pattern(phrases: Iterable[str]) -> re.Pattern[str]:
    """A whole text that only says that something is not known: 「原因は現在調査中です。」 but not 「盗難。犯人は不明」."""
    said = "|".join(re.escape(phrase) for phrase in sorted(phrases, key=len, reverse=True)) or "(?!)"
    before = r"(?:[^。、,\n]{0,12}(?:は|現在|現時点で)、)?[^。、,\n]{0,20}"
    return re.compile(rf"{before}(?:{said})(?:のため|のまま|とのこと)?(?:です|である|だ|であります)?[。.\s]*", re.IGNORECASE)


class _Reader:
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
        if table and table not in TABLES:
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

    def placeholders(self, text: str, where: str, allowed: Iterable[str] = PLACEHOLDERS) -> None:
        try:
            pieces = list(string.Formatter().parse(text))
        except ValueError:
            self.wrong("broken-placeholder", f"波かっこの対応がとれていません：{text[:60]}", where)
            return
        for _, name, spec, conversion in pieces:
            if name is not None and (name not in allowed or spec or conversion):
                shown = name + (f"!{conversion}" if conversion else "") + (f":{spec}" if spec else "")
                self.wrong("unknown-placeholder", f"「{{{shown}}}」という差し込みはありません。", where)


def names_in(texts: Iterable[str]) -> list[str]:
    return [name for text in texts for _, name, _, _ in string.Formatter().parse(text) if name]
