"""What the template of a paper consists of, and the names one may use in it."""

from __future__ import annotations

import re
import string
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from engine.expressions import compile_expression

PAPER_IDS = ("commission_report", "commission_anonymised", "notice_letter", "substitute_notice", "withdrawal", "division_report")
ITEMS = tuple(f"item_{name}" for name in ("summary", "data", "cause", "secondary_harm", "response", "publication", "prevention", "other"))
#: The paper of a decision, which is made from the record alone and has no template.
DECISION = "decision"
#: What a paper of an approval may say beside the case's own facts, each by its name.
OF_APPROVAL = frozenset(
    {"office", "head_title", "case_number", "case_title", "unit", "decided_day", "decided_at", "decided_seat", "decided_post", "clauses"}
)
#: Ids of papers of an office's own, and of the facts they say.
NAME = re.compile(r"[a-z][a-z0-9_]{0,63}", re.ASCII)
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
    """One paper's template.

    With `process` it is the paper of an approval: its placeholders and tables are the case's facts (and `OF_APPROVAL`), its conditions
    expressions.

    Attributes:
        process: ids of the procedures it belongs to.
        decided_by: element id of the step whose decision is the approval; any that decides when left out.
        approved_when: expression that holds of the facts once the case is approved; the paper exists only as long as it does.
        void_when: expression that holds of the facts of today when the approval is no longer in force.
        void: what then lies across the paper.
        number_text: the paper's own number.
        for_party: whether the party outside, whom it is for, may read it by its link.
    """

    id: str
    name: str
    title: str
    layout: str
    sender: str
    unknown: str
    addressees: tuple[Said, ...]
    notes: tuple[Said, ...]
    parts: tuple[Part, ...]
    process: tuple[str, ...] = ()
    decided_by: str = ""
    approved_when: str = ""
    void_when: str = ""
    void: str = ""
    number_text: str = ""
    for_party: bool = False

    @property
    def names(self) -> frozenset[str]:
        """Every fact and other name that the paper says or reads."""
        rows = [row for part in self.parts for row in part.rows]
        texts = [self.title, self.sender, self.number_text, *(said.text for said in (*self.addressees, *self.notes))]
        texts += [text for part in self.parts for text in part.text] + [row.value for row in rows]
        whens = [item.when for item in self.parts] + [item.when for item in rows] + [item.when for item in (*self.addressees, *self.notes)]
        conditions = [self.approved_when, self.void_when, *(one for when in whens for one in when)]
        read = {name for text in conditions if text for name in compile_expression(text).names}
        return frozenset({*names_in(texts), *read, *(part.table for part in self.parts if part.table)})


@dataclass(frozen=True)
class Templates:
    """An office's templates by paper id, and the words that values are turned into."""

    papers: Mapping[str, Template]
    words: Mapping[str, Mapping[str, str]]
    not_yet: re.Pattern[str]


def names_in(texts: Iterable[str]) -> list[str]:
    return [name for text in texts for _, name, _, _ in string.Formatter().parse(text) if name]
