"""The papers made from a case: which ones make sense now, what each says, and what is still missing in it. Pure once templates are read.

Texts, the order of the items and what a paper cannot do without are data: `papers/*.toml` of the office's folder, then of `bpmn/common`.
What can only be computed (which report to the Commission comes next, what counts as known, whose name must not appear) is here.
"""

from __future__ import annotations

import re
import string
import tomllib
import unicodedata
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import date, datetime
from functools import cache
from pathlib import Path
from typing import Any, Protocol

from engine.clock import JST, civil_day
from engine.errors import Finding, NotFound, OrganisationBroken
from engine.views import CaseHead, ClockShown, Event

COMMON = Path(__file__).resolve().parent.parent / "bpmn" / "common"
PAPER_IDS = ("commission_report", "commission_anonymised", "notice_letter", "substitute_notice", "withdrawal", "division_report")
#: Papers that leave the office for the person or the public: other persons' names are blotted out of them.
LETTER = "notice_letter"  # one for each row of `persons`
OUTWARD = (LETTER, "substitute_notice")
ITEMS = tuple(f"item_{name}" for name in ("summary", "data", "cause", "secondary_harm", "response", "publication", "prevention", "other"))
#: Facts that hold the day a report was submitted.
SUBMITTED_ON = {
    "preliminary": ("preliminary_submitted_on", "submitted_on"),
    "final": ("final_submitted_on",),
    "supplement": ("supplemented_on",),
}
MASK = "＊＊＊"

# ---------------------------------------------------------------- what is handed out


@dataclass(frozen=True)
class Section:
    """One part of a paper: lines of text or rows of a table. `columns` heads the rows; without it a row is (label, value)."""

    number: str
    heading: str
    lines: tuple[str, ...] = ()
    rows: tuple[tuple[str, ...], ...] = ()
    complete: bool = True
    missing: str = ""
    columns: tuple[str, ...] = ()
    id: str = ""


@dataclass(frozen=True)
class Paper:
    """A paper ready to be shown, printed or exported. `notes` are for the official who makes it; a letter is printed without them."""

    id: str
    title: str
    office: str
    addressee: str
    number: str
    made_on: date
    sections: tuple[Section, ...]
    notes: tuple[str, ...] = ()
    missing: tuple[str, ...] = ()
    complete: bool = True
    kind: str = ""  # of a report to the Commission: preliminary, preliminary_final, final or supplement
    sender: str = ""
    layout: str = "report"  # or letter

    def as_json(self) -> dict[str, Any]:
        """The paper as plain data; the keys are stable."""
        return {
            "id": self.id,
            "kind": self.kind,
            "title": self.title,
            "office": self.office,
            "sender": self.sender,
            "addressee": self.addressee,
            "number": self.number,
            "made_on": self.made_on.isoformat(),
            "sections": [
                {
                    "id": section.id,
                    "number": section.number,
                    "heading": section.heading,
                    "lines": list(section.lines),
                    "columns": list(section.columns),
                    "rows": [list(row) for row in section.rows],
                    "complete": section.complete,
                    "missing": section.missing,
                }
                for section in self.sections
            ],
            "notes": list(self.notes),
            "missing": list(self.missing),
            "complete": self.complete,
        }


class Office(Protocol):
    """What a paper needs to know of the office; `engine.organisation.Organisation` fits."""

    @property
    def name(self) -> str: ...

    @property
    def head_title(self) -> str: ...

    @property
    def folder(self) -> Path | None: ...


# ---------------------------------------------------------------- templates

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
class _Row:
    label: str
    value: str
    needed: bool
    if_known: bool
    when: tuple[str, ...]


@dataclass(frozen=True)
class _Part:
    id: str
    number: str
    heading: str
    text: tuple[str, ...]
    rows: tuple[_Row, ...]
    table: str
    columns: tuple[str, ...]
    needed: bool
    if_known: bool
    when: tuple[str, ...]


@dataclass(frozen=True)
class _Said:
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
    addressees: tuple[_Said, ...]
    notes: tuple[_Said, ...]
    parts: tuple[_Part, ...]


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

    def said(self, row: Mapping[str, Any], where: str) -> _Said:
        self.keys(row, {"text", "when"}, where)
        return _Said(self.text(row, "text", where), self.when(row, where))

    def part(self, row: Mapping[str, Any], where: str) -> _Part:
        self.keys(row, {"id", "number", "heading", "text", "row", "table", "columns", "needed", "if_known", "when"}, where)
        table = self.text(row, "table", where)
        if table and table not in TABLES:
            self.wrong("wrong-value", f"表「{table}」はありません（{'、'.join(TABLES)}）。", where)
        rows = []
        for item in self.tables(row, "row", where):
            self.keys(item, {"label", "value", "needed", "if_known", "when"}, where)
            flags = (self.flag(item, "needed", where), self.flag(item, "if_known", where))
            rows.append(_Row(self.text(item, "label", where), self.text(item, "value", where), *flags, self.when(item, where)))
        text = self.strings(row, "text", where)
        for line in text:
            self.placeholders(line, where)
        return _Part(
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


# ---------------------------------------------------------------- which papers


def offered(facts: Mapping[str, Any], clocks: Sequence[ClockShown] = (), templates: Templates | None = None) -> tuple[tuple[str, str], ...]:
    """The papers that make sense now, as (id, name), in a fixed order.

    A duty under review counts as a duty. A report that was sent and is no longer owed is withdrawn, not repeated.
    """
    if not clocks and all(facts.get(name) in (None, "", []) for name in ("event", "item_summary", "holds")):
        return ()  # not an incident: a case of another procedure has none of these papers
    owed = _owed(facts) or any(clock.state != "stopped" for clock in clocks)
    sent = any(_sent(facts, which) for which in SUBMITTED_ON)
    recorded = sent or any(_said_of(facts, which) for which in SUBMITTED_ON)
    reachable = (
        facts.get("notify") in ("notify", "check_78_then_notify") or facts.get("respond_to_persons") is True or bool(_persons(facts))
    )
    fitting = {
        "commission_report": owed or (sent and not _lifted(facts)),
        "commission_anonymised": any(facts.get(duty) in ("yes", "review") for duty in ("isa25_8", "isa26_2")),
        "notice_letter": reachable and facts.get("notify") != "exempt",
        "substitute_notice": facts.get("notify") == "substitute" or facts.get("publish") is True,
        "withdrawal": recorded and _lifted(facts),
        "division_report": True,
    }
    papers = (templates or office_templates()).papers
    return tuple((paper_id, papers[paper_id].name) for paper_id in PAPER_IDS if fitting[paper_id])


def _owed(facts: Mapping[str, Any]) -> bool:
    return any(facts.get(duty) in ("yes", "review") for duty in ("appi68", "mn294", "mn_guideline"))


def _lifted(facts: Mapping[str, Any]) -> bool:
    """Whether it is established that no statute asks for a report: an absent answer is not a no."""
    return all(facts.get(duty) == "no" for duty in ("appi68", "mn294", "mn_guideline"))


def _sent(facts: Mapping[str, Any], which: str) -> bool:
    """Whether a report is with the Commission. A withdrawal says that nothing is, though the receipts stay on record."""
    first = facts.get("preliminary_submitted")
    if first is False:
        return False
    return (which == "preliminary" and first is True) or _said_of(facts, which)


def _said_of(facts: Mapping[str, Any], which: str) -> bool:
    return any(_text(facts.get(name)) for name in (*SUBMITTED_ON[which], f"{which}_receipt"))


def _persons(facts: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    rows = facts.get("persons")
    return [row for row in rows if isinstance(row, Mapping)] if isinstance(rows, (list, tuple)) else []


# ---------------------------------------------------------------- values

#: Characters that break a paper or make it read otherwise than it says: controls but line feed, direction marks, lone surrogates.
_UNPRINTABLE = re.compile("[\x00-\x09\x0b-\x1f\x7f-\x9f\u200b-\u200f\u2028-\u202e\u2060-\u2069\ufeff\ufffe\uffff]")
_LONE = re.compile("[\ud800-\udfff]")


def _text(value: Any) -> str:
    """Any fact as clean text; "" for what is not there."""
    if value is None or isinstance(value, (bool, Mapping)):
        return ""
    if isinstance(value, (list, tuple, set, frozenset)):
        return "、".join(text for text in map(_text, value) if text)
    text = str(value).replace("\r\n", "\n").replace("\r", "\n").replace("\t", " ")
    return _LONE.sub("〓", _UNPRINTABLE.sub("", text)).strip()


def _day(day: date) -> str:
    return f"{day.year}年{day.month}月{day.day}日（{'月火水木金土日'[day.weekday()]}）"


def _moment(value: Any) -> str:
    """An instant or a day, as stored or as a value, in Japanese civil time; other text as it is."""
    if isinstance(value, str):
        try:
            value = date.fromisoformat(value) if re.fullmatch(r"\d{4}-\d{2}-\d{2}", value) else datetime.fromisoformat(value)
        except ValueError:
            return _text(value)
    if isinstance(value, datetime):
        try:
            # An instant without a zone was typed as Japanese time.
            local = value.astimezone(JST) if value.tzinfo else value.replace(tzinfo=JST)
        except OverflowError:
            return _text(value)
        return f"{_day(local.date())}{local.hour}時{local.minute:02}分"
    return _day(value) if isinstance(value, date) else _text(value)


def _number(value: Any) -> int | None:
    return value if isinstance(value, int) and not isinstance(value, bool) and value >= 0 else None


@dataclass(frozen=True)
class _Value:
    """What a placeholder stands for. `state` is known, not_yet (said to be unknown) or blank (nobody said anything)."""

    text: str
    state: str = ""

    @property
    def how(self) -> str:
        return self.state or ("known" if self.text else "blank")


@dataclass
class _Case:
    """All that a paper is made from."""

    facts: Mapping[str, Any]
    words: Mapping[str, Mapping[str, str]]
    not_yet: re.Pattern[str]
    values: dict[str, _Value] = field(default_factory=dict)

    @property
    def held(self) -> frozenset[str]:
        holds = self.facts.get("holds")
        return frozenset(map(_text, holds)) if isinstance(holds, (list, tuple, set, frozenset)) else frozenset()

    def word(self, table: str, key: Any) -> str:
        return self.words.get(table, {}).get(_text(key), _text(key))

    def item(self, name: str) -> _Value:
        text = _text(self.facts.get(name))
        bare = unicodedata.normalize("NFKC", text).strip("（）()[]「」【】 \n　")
        return _Value(text, "not_yet" if text and self.not_yet.fullmatch(bare) else "")

    def three(self, name: str) -> str:
        value = self.facts.get(name)
        return ("yes" if value else "no") if isinstance(value, bool) else value if value in ("yes", "no") else "unknown"

    def event(self) -> str:
        word = self.word("event", self.facts.get("event"))
        return word + self.words["text"]["suspected"] if word and self.facts.get("suspected") is True else word

    def count(self) -> _Value:
        exact, most = _number(self.facts.get("count")), _number(self.facts.get("count_max"))
        say = self.words["text"]
        if exact is not None and most is not None and most > exact:
            return _Value(say["persons"].format(n=f"{exact:,}") + say["persons_open"].format(n=f"{most:,}"), "not_yet")
        if exact is not None:
            return _Value(say["persons"].format(n=f"{exact:,}"))
        return _Value(say["persons_at_most"].format(n=f"{most:,}"), "not_yet") if most is not None else _Value("")

    def grounds(self, fact: str, table: str) -> str:
        numbers = self.facts.get(fact)
        rows = numbers if isinstance(numbers, (list, tuple)) else []
        return "\n".join(self.word(table, number) for number in rows if _text(number))

    def mynumber(self) -> str:
        """Whether My Number is in it. Nobody having said what the information is leaves it unknown, as the Commission's form reads it."""
        stated = self.facts.get("mynumber")
        if "mynumber" in self.held or stated in ("yes", True):
            return "yes"
        return "no" if stated in ("no", False) or (stated is None and self.held) else "unknown"


def missing_items(facts: Mapping[str, Any], templates: Templates | None = None) -> tuple[str, ...]:
    """The items that a 確報 cannot leave as they are, because they are empty or said not to be known; () when all nine are known."""
    chosen = templates or office_templates()
    case = _Case(facts, chosen.words, chosen.not_yet)
    states = {**{name: case.item(name).how for name in ITEMS}, "persons_count": case.count().how}
    parts = (part for part in chosen.papers["commission_report"].parts if part.needed)
    return tuple(part.heading for part in parts if any(states.get(name, "known") != "known" for name in _names(part.text)))


def report_kind(facts: Mapping[str, Any], templates: Templates | None = None) -> str:
    """Which report to the Commission stands next: preliminary, preliminary_final (everything is known at once), final or supplement.

    Once the final report is in, what is shown is that report, or a supplement if it left something open or is followed by one.
    """
    chosen = templates or office_templates()
    done = {which: _sent(facts, which) for which in SUBMITTED_ON}
    if done["supplement"]:
        return "supplement"
    if done["final"]:
        if facts.get("items_missing") is True or missing_items(facts, chosen):
            return "supplement"
        return "preliminary_final" if facts.get("report_is_final") is True else "final"
    if done["preliminary"]:
        return "final"
    return "preliminary" if missing_items(facts, chosen) else "preliminary_final"


# ---------------------------------------------------------------- making a paper


def gather(
    paper_id: str,
    facts: Mapping[str, Any],
    *,
    head: CaseHead,
    clocks: Sequence[ClockShown] = (),
    organisation: Office,
    at: datetime,
    history: Sequence[Event] = (),
    index: int | None = None,
    templates: Templates | None = None,
) -> Paper:
    """Make a paper from what is known at an instant.

    Args:
        paper_id: one of PAPER_IDS.
        facts: the case's facts; absent and None read alike.
        head: the case in one line.
        clocks: its statutory clocks.
        organisation: the office whose paper it is.
        at: the instant; its Japanese day is the paper's date.
        history: the case's record, for the reports that tell the course of events; refused attempts are left out.
        index: for `notice_letter` the row of `persons`; for `division_report` the addressee (0 = first rung); 0-based.
        templates: the office's; read from its folder if left out.

    Raises:
        NotFound: no such paper, or no such person or addressee in it.
    """
    chosen = templates or office_templates(organisation.folder)
    template = chosen.papers.get(paper_id)
    if template is None:
        raise NotFound(paper=paper_id)
    kind = report_kind(facts, chosen) if paper_id == "commission_report" else ""
    case = _Case(facts, chosen.words, chosen.not_yet)
    person = _person(facts, index) if paper_id == "notice_letter" and index is not None else None
    hide = _hider(facts, person) if paper_id in OUTWARD else None
    values = _values(case, head, clocks, organisation, at, kind, person, hide)
    masked = hide is not None and any(MASK in value.text for value in values.values())
    holds = _conditions(case, kind, masked=masked, nobody=paper_id == "notice_letter" and person is None)
    fitting = [part for part in template.parts if _fits(part.when, holds)]
    made = [_section(part, values, holds, template.unknown, history, case.words["text"]) for part in fitting]
    sections = tuple(section for section, _ in made if section is not None)
    missing = [name for _, names in made for name in names]
    addressee = _addressee(template, values, holds, index if paper_id == "division_report" else None)
    if not addressee:
        missing.insert(0, "宛名")
    return Paper(
        id=paper_id,
        kind=kind,
        title=_fill(template.title, values, template.unknown),
        office=_text(organisation.name),
        sender=_fill(template.sender, values, template.unknown),
        addressee=addressee,
        number=_text(head.number),
        made_on=civil_day(at),
        sections=sections,
        notes=tuple(_fill(note.text, values, template.unknown) for note in template.notes if _fits(note.when, holds)),
        missing=tuple(missing),
        complete=not missing,
        layout=template.layout,
    )


def _values(
    case: _Case,
    head: CaseHead,
    clocks: Sequence[ClockShown],
    organisation: Office,
    at: datetime,
    kind: str,
    person: Mapping[str, Any] | None,
    hide: Callable[[str], str] | None,
) -> dict[str, _Value]:
    """Every placeholder's value."""
    facts = case.facts
    undecided = facts.get("unknown")
    by_number = [case.grounds("mn_rule2", "mn_rule2"), case.words["text"]["guideline"] if facts.get("mn_guideline") == "yes" else ""]
    texts = {
        "office": _text(organisation.name),
        "head_title": _text(organisation.head_title),
        "number": _text(head.number),
        "case_title": _text(head.title),
        "unit": _text(head.unit_name),
        "made_on": _day(civil_day(at)),
        "kind": case.word("kind", kind),
        "occurred_at": _moment(facts.get("occurred_at")),
        "known_at": _moment(head.known_at or facts.get("known_at")),
        "discovered_at": _moment(facts.get("discovered_at")),
        "event": case.event(),
        "anonymised_reported_on": _moment(facts.get("anonymised_reported_on")),
        "anonymised_receipt": _text(facts.get("anonymised_receipt")),
        "grave": case.word("yes_no", case.three("grave")) if facts.get("grave") is not None else "",
        "grave_reasons": _text(facts.get("grave_reasons")),
        "contractor": case.word("yes_no", case.three("contractor")) if facts.get("contractor") is not None else "",
        "grounds": case.grounds("rule43", "rule43"),
        "grounds_mynumber": "\n".join(filter(None, by_number)),
        "undecided": "\n".join(case.word("rule43", number) for number in undecided) if isinstance(undecided, (list, tuple)) else "",
        "withdrawal_grounds": _text(facts.get("withdraw_reason")) or (case.words["text"]["not_reportable"] if _lifted(facts) else ""),
        "withdrawn_on": _moment(facts.get("withdrawn_on")),
        "anonymised_held": "、".join(word for name, word in case.words["anonymised"].items() if name in case.held),
        "person": "",
    }
    if person is not None:
        name, ref, say = _name(person), _text(person.get("ref")), case.words["text"]
        texts["person"] = say["to_person"].format(person=name) if name else say["to_ref"].format(ref=ref) if ref else ""
    for which, names in SUBMITTED_ON.items():
        texts[f"{which}_submitted_on"] = next((_moment(facts[name]) for name in names if facts.get(name)), "")
        texts[f"{which}_receipt"] = _text(facts.get(f"{which}_receipt"))
    by_id = {clock.id: clock for clock in clocks if clock.state != "stopped"}
    for which in ("preliminary", "final"):
        clock = by_id.get(f"{which}_report")
        texts[f"{which}_due"] = _day(clock.due_on) if clock else ""
        texts[f"{which}_days"] = str(clock.days) if clock else ""
    values = {name: _Value(text) for name, text in texts.items()}
    mynumber = case.mynumber()
    values["mynumber_held"] = _Value(case.word("yes_no", mynumber), "not_yet" if mynumber == "unknown" else "known")
    values["mn_system"] = _Value(case.word("mn_system", facts.get("mn_system")))
    values["persons_count"] = case.count()
    values |= {name: case.item(name) for name in ITEMS}
    of_person = _text(person.get("data")) if person is not None else ""
    values["data_of_person"] = _Value(of_person) if of_person else values["item_data"]
    if hide is not None:
        own = {"person", "office", "head_title", "number", "made_on", "unit"}
        values = {name: value if name in own else replace(value, text=hide(value.text)) for name, value in values.items()}
    return values


def _conditions(case: _Case, kind: str, *, masked: bool, nobody: bool) -> dict[str, bool]:
    facts = case.facts
    return {
        "mynumber_form": case.mynumber() != "no" or any(facts.get(duty) in ("yes", "review") for duty in ("mn294", "mn_guideline")),
        "appi68": facts.get("appi68") in ("yes", "review"),
        "mn294": facts.get("mn294") in ("yes", "review"),
        "undecided": "review" in (facts.get("appi68"), facts.get("mn294"), facts.get("mn_guideline")),
        **{name: kind == name for name in ("preliminary", "preliminary_final", "final", "supplement")},
        "strict": kind in ("preliminary_final", "final", "supplement"),
        "submitted": any(_sent(facts, which) for which in SUBMITTED_ON),
        "reported_to_division": facts.get("reported_to_division") is True,
        "received_by_general": facts.get("received_by_general") is True,
        "grave": facts.get("grave") is True,
        "contractor": facts.get("contractor") is True,
        "anonymised_narrow": facts.get("isa25_8") in ("yes", "review"),
        "measures_known": case.item("item_prevention").how == "known",
        "response_known": case.item("item_response").how == "known",
        "mn_system_known": bool(_text(facts.get("mn_system"))),
        "grave_reasons_known": bool(_text(facts.get("grave_reasons"))),
        "masked": masked,
        "nobody_chosen": nobody,
    }


def _fits(when: Iterable[str], holds: Mapping[str, bool]) -> bool:
    return all(not holds[name[4:]] if name.startswith("not ") else holds[name] for name in when)


def _names(texts: Iterable[str]) -> list[str]:
    return [name for text in texts for _, name, _, _ in string.Formatter().parse(text) if name]


def _fill(text: str, values: Mapping[str, _Value], unknown: str) -> str:
    """The text with its placeholders filled in one pass, so that braces inside a fact stay what they are."""
    return "".join(before + ((values[name].text or unknown) if name else "") for before, name, _, _ in string.Formatter().parse(text))


def _worst(texts: Iterable[str], values: Mapping[str, _Value]) -> str:
    """The poorest state among the placeholders of some texts."""
    states = {values[name].how for name in _names(texts)}
    return "blank" if "blank" in states else "not_yet" if "not_yet" in states else "known"


def _section(
    part: _Part, values: Mapping[str, _Value], holds: Mapping[str, bool], unknown: str, history: Sequence[Event], say: Mapping[str, str]
) -> tuple[Section | None, list[str]]:
    """A section and the names of what is missing in it; None when there is nothing to say and the template wants it left out then."""

    def lacks(state: str) -> bool:
        return state == "blank" or (holds["strict"] and state == "not_yet")

    if part.if_known and part.text and _worst(part.text, values) == "blank":
        return None, []
    lines = tuple(line for text in part.text for line in _fill(text, values, unknown).split("\n"))
    rows: list[tuple[str, ...]] = []
    missing: list[str] = []
    states: list[str] = []
    if part.needed and lacks(_worst(part.text, values)):
        missing.append(part.heading)
        states.append(_worst(part.text, values))
    for row in part.rows:
        state = _worst([row.value], values)
        if not _fits(row.when, holds) or (row.if_known and state == "blank"):
            continue
        rows.append((row.label, _fill(row.value, values, unknown)))
        if row.needed and lacks(state):
            missing.append(row.label)
            states.append(state)
    if part.table == "history":
        done = [event for event in history if not event.refused]
        rows += [(_moment(event.at), _text(event.text), _text(event.seat_name or event.person_name)) for event in done]
    if not lines and not rows:
        return None, missing
    why = ""
    if missing:
        why = say["blank" if "blank" in states else "not_yet"]
        if part.rows:
            why = f"{'、'.join(missing)}：{why}"
    return Section(part.number, part.heading, lines, tuple(rows), not missing, why, part.columns, part.id), missing


def _addressee(template: Template, values: Mapping[str, _Value], holds: Mapping[str, bool], index: int | None) -> str:
    if index is not None:
        if isinstance(index, bool) or not 0 <= index < len(template.addressees):
            raise NotFound(paper=template.id, index=index)
        return _fill(template.addressees[index].text, values, "")
    # The last that fits: rungs are listed from the bottom, and the report goes to the highest that its conditions reach.
    fitting = [row for row in template.addressees if _fits(row.when, holds)]
    return _fill(fitting[-1].text, values, "") if fitting else ""


# ---------------------------------------------------------------- persons


def _person(facts: Mapping[str, Any], index: int) -> Mapping[str, Any]:
    rows = _persons(facts)
    if isinstance(index, bool) or not 0 <= index < len(rows):
        raise NotFound(paper="notice_letter", index=index)
    return rows[index]


def _name(row: Mapping[str, Any]) -> str:
    """The name, or the sign that stands for it, in a row of `persons`."""
    return _text(row.get("name")) or _text(row.get("label"))


def _hider(facts: Mapping[str, Any], person: Mapping[str, Any] | None) -> Callable[[str], str]:
    """Blots the names of the other persons out of a text, with or without blanks inside a name and whatever the width of letters."""

    def bare(name: str) -> str:
        return re.sub(r"\s+", "", unicodedata.normalize("NFKC", name)).casefold()

    own = bare(_name(person)) if person else ""
    names = {name for row in _persons(facts) if len(bare(name := _name(row))) > 1}
    shapes = []
    for name in sorted(names, key=lambda name: (-len(bare(name)), name)):  # the longest first: a name may begin another
        letters = [_either_width(letter) for letter in re.sub(r"\s+", "", name)]
        # A Latin name is a word of its own: LI is not a part of ALIEN.
        edge = name[0].isascii() and name[-1].isascii()
        shapes.append((r"(?<![A-Za-z0-9])" if edge else "") + r"[\s・･]*".join(letters) + (r"(?![A-Za-z0-9])" if edge else ""))
    if not shapes:
        return lambda text: text
    pattern = re.compile("|".join(shapes), re.IGNORECASE)
    return lambda text: pattern.sub(lambda found: found[0] if bare(found[0]) == own else MASK, text)


def _either_width(letter: str) -> str:
    narrow = unicodedata.normalize("NFKC", letter)
    wide = chr(ord(narrow) + 0xFEE0) if len(narrow) == 1 and "!" <= narrow <= "~" else narrow
    return f"(?:{'|'.join(re.escape(shape) for shape in sorted({letter, narrow, wide}))})"
