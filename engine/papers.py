"""The papers made from a case: which ones make sense now, what each says, and what is still missing in it. Pure once templates are read.

Texts, the order of the items and what a paper cannot do without are data (`engine.paper_templates`).
What can only be computed (which report to the Commission comes next, what a strict report cannot leave open) is here.
"""

from __future__ import annotations

import string
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime
from pathlib import Path
from typing import Any, Protocol

from engine.clock import civil_day
from engine.errors import NotFound
from engine.paper_facts import MASK, CaseWords, Value, clean, day, hider, moment, name_of, persons_of
from engine.paper_parts import ITEMS, PAPER_IDS, SUBMITTED_ON, Part, Template, Templates, names_in
from engine.paper_templates import office_templates
from engine.views import CaseHead, ClockShown, Event

#: Papers that leave the office for the person or the public: other persons' names are blotted out of them.
LETTER = "notice_letter"  # one for each row of `persons`
OUTWARD = (LETTER, "substitute_notice")

# ---------------------------------------------------------------- what is handed out


@dataclass(frozen=True)
class Section:
    """One part of a paper: lines of text or rows of a table. `columns` heads the rows; without it a row is (label, value).

    `style` is `seats` for rows drawn as boxes side by side; `widths` are the columns' shares of the sheet in hundredths.
    """

    number: str
    heading: str
    lines: tuple[str, ...] = ()
    rows: tuple[tuple[str, ...], ...] = ()
    complete: bool = True
    missing: str = ""
    columns: tuple[str, ...] = ()
    id: str = ""
    style: str = ""
    widths: tuple[int, ...] = ()

    def as_json(self) -> dict[str, Any]:
        """The section as plain data; the keys are stable."""
        return {
            "id": self.id,
            "number": self.number,
            "heading": self.heading,
            "lines": list(self.lines),
            "columns": list(self.columns),
            "rows": [list(row) for row in self.rows],
            "complete": self.complete,
            "missing": self.missing,
        }


@dataclass(frozen=True)
class Paper:
    """A paper ready to be shown, printed or exported. `notes` are for the official who makes it; a letter is printed without them.

    `watermark` lies across every page of what is not, or no longer, in force. `additions` stand on a sheet of their own, apart from what
    cannot change any more.
    """

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
    layout: str = "report"  # or letter, decision
    choices: tuple[tuple[int, str], ...] = ()  # (index, words): whom it can be made out to, where there are several
    watermark: str = ""
    additions: tuple[Section, ...] = ()

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
            "sections": [section.as_json() for section in self.sections],
            "notes": list(self.notes),
            "missing": list(self.missing),
            "complete": self.complete,
            **({"watermark": self.watermark} if self.watermark else {}),
            **({"additions": [section.as_json() for section in self.additions]} if self.additions else {}),
        }


class Office(Protocol):
    """What a paper needs to know of the office; `engine.organisation.Organisation` fits."""

    @property
    def name(self) -> str: ...

    @property
    def head_title(self) -> str: ...

    @property
    def folder(self) -> Path | None: ...


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
        facts.get("notify") in ("notify", "check_78_then_notify") or facts.get("respond_to_persons") is True or bool(persons_of(facts))
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
    return any(clean(facts.get(name)) for name in (*SUBMITTED_ON[which], f"{which}_receipt"))


def missing_items(facts: Mapping[str, Any], templates: Templates | None = None) -> tuple[str, ...]:
    """The items that a 確報 cannot leave as they are, because they are empty or said not to be known; () when all nine are known."""
    chosen = templates or office_templates()
    case = CaseWords(facts, chosen.words, chosen.not_yet)
    states = {**{name: case.item(name).how for name in ITEMS}, "persons_count": case.count().how}
    parts = (part for part in chosen.papers["commission_report"].parts if part.needed)
    return tuple(part.heading for part in parts if any(states.get(name, "known") != "known" for name in names_in(part.text)))


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
    case = CaseWords(facts, chosen.words, chosen.not_yet)
    person = _person(facts, index) if paper_id == "notice_letter" and index is not None else None
    hide = hider(facts, person) if paper_id in OUTWARD else None
    values = _values(case, head, clocks, organisation, at, kind, person, hide)
    masked = hide is not None and any(MASK in value.text for value in values.values())
    holds = _conditions(case, kind, masked=masked, nobody=paper_id == "notice_letter" and person is None)
    fitting = [part for part in template.parts if _fits(part.when, holds)]
    made = [section_of(part, values, holds, template.unknown, history, case.words["text"]) for part in fitting]
    sections = tuple(section for section, _ in made if section is not None)
    missing = [name for _, names in made for name in names]
    addressee = _addressee(template, values, holds, index if paper_id == "division_report" else None)
    if not addressee:
        missing.insert(0, "宛名")
    return Paper(
        id=paper_id,
        kind=kind,
        title=fill(template.title, values, template.unknown),
        office=clean(organisation.name),
        sender=fill(template.sender, values, template.unknown),
        addressee=addressee,
        number=clean(head.number),
        made_on=civil_day(at),
        sections=sections,
        notes=tuple(fill(note.text, values, template.unknown) for note in template.notes if _fits(note.when, holds)),
        missing=tuple(missing),
        complete=not missing,
        layout=template.layout,
        choices=_choices(template, facts, values),
    )


def _choices(template: Template, facts: Mapping[str, Any], values: Mapping[str, Value]) -> tuple[tuple[int, str], ...]:
    """The indexes the paper can be made for, in words; persons by the sign that stands for them."""
    if template.id == LETTER:
        return tuple((number, clean(row.get("label")) or f"{number + 1}人目") for number, row in enumerate(persons_of(facts)))
    if template.id == "division_report":
        return tuple((number, fill(row.text, values, "")) for number, row in enumerate(template.addressees))
    return ()


def _values(
    case: CaseWords,
    head: CaseHead,
    clocks: Sequence[ClockShown],
    organisation: Office,
    at: datetime,
    kind: str,
    person: Mapping[str, Any] | None,
    hide: Callable[[str], str] | None,
) -> dict[str, Value]:
    """Every placeholder's value."""
    facts = case.facts
    undecided = facts.get("unknown")
    by_number = [case.grounds("mn_rule2", "mn_rule2"), case.words["text"]["guideline"] if facts.get("mn_guideline") == "yes" else ""]
    texts = {
        "office": clean(organisation.name),
        "head_title": clean(organisation.head_title),
        "number": clean(head.number),
        "case_title": clean(head.title),
        "unit": clean(head.unit_name),
        "made_on": day(civil_day(at)),
        "kind": case.word("kind", kind),
        "occurred_at": moment(facts.get("occurred_at")),
        "known_at": moment(head.known_at or facts.get("known_at")),
        "discovered_at": moment(facts.get("discovered_at")),
        "event": case.event(),
        "anonymised_reported_on": moment(facts.get("anonymised_reported_on")),
        "anonymised_receipt": clean(facts.get("anonymised_receipt")),
        "grave": case.word("yes_no", case.three("grave")) if facts.get("grave") is not None else "",
        "grave_reasons": clean(facts.get("grave_reasons")),
        "contractor": case.word("yes_no", case.three("contractor")) if facts.get("contractor") is not None else "",
        "grounds": case.grounds("rule43", "rule43"),
        "grounds_mynumber": "\n".join(filter(None, by_number)),
        "undecided": "\n".join(case.word("rule43", number) for number in undecided) if isinstance(undecided, (list, tuple)) else "",
        "withdrawal_grounds": clean(facts.get("withdraw_reason")) or (case.words["text"]["not_reportable"] if _lifted(facts) else ""),
        "withdrawn_on": moment(facts.get("withdrawn_on")),
        "anonymised_held": "、".join(word for name, word in case.words["anonymised"].items() if name in case.held),
        "person": "",
    }
    if person is not None:
        name, ref, say = name_of(person), clean(person.get("ref")), case.words["text"]
        texts["person"] = say["to_person"].format(person=name) if name else say["to_ref"].format(ref=ref) if ref else ""
    for which, names in SUBMITTED_ON.items():
        texts[f"{which}_submitted_on"] = next((moment(facts[name]) for name in names if facts.get(name)), "")
        texts[f"{which}_receipt"] = clean(facts.get(f"{which}_receipt"))
    by_id = {clock.id: clock for clock in clocks if clock.state != "stopped"}
    for which in ("preliminary", "final"):
        clock = by_id.get(f"{which}_report")
        texts[f"{which}_due"] = day(clock.due_on) if clock else ""
        texts[f"{which}_days"] = str(clock.days) if clock else ""
    values = {name: Value(text) for name, text in texts.items()}
    mynumber = case.mynumber()
    values["mynumber_held"] = Value(case.word("yes_no", mynumber), "not_yet" if mynumber == "unknown" else "known")
    values["mn_system"] = Value(case.word("mn_system", facts.get("mn_system")))
    values["persons_count"] = case.count()
    values |= {name: case.item(name) for name in ITEMS}
    of_person = clean(person.get("data")) if person is not None else ""
    values["data_of_person"] = Value(of_person) if of_person else values["item_data"]
    if hide is not None:
        own = {"person", "office", "head_title", "number", "made_on", "unit"}
        values = {name: value if name in own else replace(value, text=hide(value.text)) for name, value in values.items()}
    return values


def _conditions(case: CaseWords, kind: str, *, masked: bool, nobody: bool) -> dict[str, bool]:
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
        "mn_system_known": bool(clean(facts.get("mn_system"))),
        "grave_reasons_known": bool(clean(facts.get("grave_reasons"))),
        "masked": masked,
        "nobody_chosen": nobody,
    }


def _fits(when: Iterable[str], holds: Mapping[str, bool]) -> bool:
    return all(not holds[name[4:]] if name.startswith("not ") else holds[name] for name in when)


def fill(text: str, values: Mapping[str, Value], unknown: str) -> str:
    """The text with its placeholders filled in one pass, so that braces inside a fact stay what they are."""
    return "".join(before + ((values[name].text or unknown) if name else "") for before, name, _, _ in string.Formatter().parse(text))


def _worst(texts: Iterable[str], values: Mapping[str, Value]) -> str:
    """The poorest state among the placeholders of some texts."""
    states = {values[name].how for name in names_in(texts)}
    return "blank" if "blank" in states else "not_yet" if "not_yet" in states else "known"


def section_of(
    part: Part, values: Mapping[str, Value], holds: Mapping[str, bool], unknown: str, history: Sequence[Event], say: Mapping[str, str]
) -> tuple[Section | None, list[str]]:
    """A section and the names of what is missing in it; None when there is nothing to say and the template wants it left out then."""

    def lacks(state: str) -> bool:
        return state == "blank" or (holds["strict"] and state == "not_yet")

    if part.if_known and part.text and _worst(part.text, values) == "blank":
        return None, []
    lines = tuple(line for text in part.text for line in fill(text, values, unknown).split("\n"))
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
        rows.append((row.label, fill(row.value, values, unknown)))
        if row.needed and lacks(state):
            missing.append(row.label)
            states.append(state)
    if part.table == "history":
        done = [event for event in history if not event.refused]
        rows += [(moment(event.at), clean(event.text), clean(event.seat_name or event.person_name)) for event in done]
    if not lines and not rows:
        return None, missing
    why = ""
    if missing:
        why = say["blank" if "blank" in states else "not_yet"]
        if part.rows:
            why = f"{'、'.join(missing)}：{why}"
    return Section(part.number, part.heading, lines, tuple(rows), not missing, why, part.columns, part.id), missing


def _addressee(template: Template, values: Mapping[str, Value], holds: Mapping[str, bool], index: int | None) -> str:
    if index is not None:
        if isinstance(index, bool) or not 0 <= index < len(template.addressees):
            raise NotFound(paper=template.id, index=index)
        return fill(template.addressees[index].text, values, "")
    # The last that fits: rungs are listed from the bottom, and the report goes to the highest that its conditions reach.
    fitting = [row for row in template.addressees if _fits(row.when, holds)]
    return fill(fitting[-1].text, values, "") if fitting else ""


def _person(facts: Mapping[str, Any], index: int) -> Mapping[str, Any]:
    rows = persons_of(facts)
    if isinstance(index, bool) or not 0 <= index < len(rows):
        raise NotFound(paper="notice_letter", index=index)
    return rows[index]
