"""The paper of an approval (承認書, 許可証), from an office's template and the case's facts: as decided, never as changed since. Pure."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from typing import Any

from engine.clock import civil_day
from engine.decision_record import Decision, Names, Row, facts_of
from engine.era import japanese_date
from engine.net import FieldSpec
from engine.paper_facts import Value, clean, era_moment, written
from engine.paper_parts import Part, Template
from engine.papers import Paper, Section, fill, section_of
from engine.store import title_of

#: Evaluates an expression over facts.
Evaluate = Callable[[str, Mapping[str, Any]], Any]


def approval(template: Template, rows: Sequence[Row], decisions: Sequence[Decision], evaluate: Evaluate) -> tuple[Decision, Row] | None:
    """The decision by which the case was approved and still is, and the row with which the approval was whole; None when there is none.

    They differ where several approve side by side, or a number is given afterwards: `approved_when` holds with the last of them only.
    """
    for decision in decisions:
        mine = template.decided_by in ("", decision.node.element)
        since = _since(template, rows, decision, evaluate) if mine and decision.state == "stands" else None
        if since is not None:
            return decision, since
    return None


def _since(template: Template, rows: Sequence[Row], decision: Decision, evaluate: Evaluate) -> Row | None:
    """The row since which `approved_when` has held without a break."""
    facts = facts_of(row for row in rows if row.seq < decision.row.seq)
    since: Row | None = None
    for row in rows:
        if row.seq > decision.row.seq and not row.data.get("facts"):
            continue
        if row.seq >= decision.row.seq:
            facts = {**facts, **facts_of([row])}
            since = (since or row) if evaluate(template.approved_when, facts) is True else None
    return since


def gather(
    template: Template,
    *,
    rows: Sequence[Row],
    decision: Decision,
    whole: Row,
    facts: Mapping[str, Any],
    specs: Mapping[str, FieldSpec],
    names: Names,
    number: str,
    procedure: str,
    evaluate: Evaluate,
    say: Mapping[str, str],
) -> Paper:
    """Make the paper.

    Args:
        rows: the case's record.
        decision: the approval.
        whole: the row with which it was whole, whose day is the paper's.
        facts: of today. What was known then stands as it was; only what was blank is filled in.
        specs: declared fields by id.
        names: as of the decision.
        number: of the case.
        procedure: its name, where the case has no title of its own.
        say: the office's words for what is missing.
    """
    then = facts_of(row for row in rows if row.seq <= whole.seq)
    merged = {**facts, **{name: value for name, value in then.items() if value not in (None, "", [])}}
    values = {name: Value(written(specs.get(name), value, names.labels)) for name, value in merged.items()}
    values |= {name: Value(clean(text)) for name, text in _own(decision, merged, names, number, title_of(merged, procedure)).items()}
    values = {**{name: Value("") for name in template.names}, **values}
    fitting = [part for part in template.parts if _holds(part.when, merged, evaluate)]
    made = [_section(part, merged, values, template.unknown, specs, evaluate, say) for part in fitting]
    addressees = [row for row in template.addressees if _holds(row.when, merged, evaluate)]
    addressee = fill(addressees[-1].text, values, "") if addressees else ""
    missing = [name for _, names_of in made for name in names_of]
    if template.addressees and not addressee.strip():
        missing.insert(0, "宛名")
    given = fill(template.number_text, values, "").strip()
    if not given:
        missing.insert(0, "番号")
    void = bool(template.void_when) and evaluate(template.void_when, facts) is True
    return Paper(
        id=template.id,
        title=fill(template.title, values, template.unknown),
        office=clean(names.office),
        sender=fill(template.sender, values, template.unknown).strip(),
        addressee=addressee.strip(),
        number=given,
        made_on=civil_day(whole.at),
        sections=tuple(section for section, _ in made if section is not None),
        notes=tuple(fill(note.text, values, template.unknown) for note in template.notes if _holds(note.when, merged, evaluate)),
        missing=tuple(missing),
        complete=not missing,
        layout=template.layout,
        watermark=template.void if void else "",
    )


def _own(decision: Decision, facts: Mapping[str, Any], names: Names, number: str, title: str) -> dict[str, str]:
    """What stands beside the case's own facts (`paper_parts.OF_APPROVAL`)."""
    at: datetime = decision.row.at
    return {
        "office": names.office,
        "head_title": names.head_title,
        "case_number": number,
        "case_title": title,
        "unit": names.labels.get(str(facts.get("owning_unit")), ""),
        "decided_day": japanese_date(civil_day(at)),
        "decided_at": era_moment(at),
        "decided_seat": names.seat(decision.row.seat),
        "decided_post": names.post(decision.row.seat).removeprefix(f"{names.office} "),  # the office is said beside it
        "clauses": "、".join(names.clause(clause) for clause in decision.node.listed("clause")),
    }


def _holds(when: Sequence[str], facts: Mapping[str, Any], evaluate: Evaluate) -> bool:
    return all(evaluate(text, facts) is True for text in when)


def _section(
    part: Part,
    facts: Mapping[str, Any],
    values: Mapping[str, Value],
    unknown: str,
    specs: Mapping[str, FieldSpec],
    evaluate: Evaluate,
    say: Mapping[str, str],
) -> tuple[Section | None, list[str]]:
    """A section as any paper has it; with `table` the rows of that fact, in the columns named or all of them."""
    rows = tuple(replace(row, when=()) for row in part.rows if _holds(row.when, facts, evaluate))
    section, missing = section_of(replace(part, when=(), rows=rows, table=""), values, {"strict": False}, unknown, (), say)
    if not part.table:
        return section, missing
    items = facts.get(part.table)
    found = [row for row in items if isinstance(row, Mapping)] if isinstance(items, list) else []
    if not found:
        return section, ([*missing, part.heading] if part.needed and part.heading not in missing else missing)
    spec = specs.get(part.table)
    headings = {choice.value: choice.label for choice in spec.choices} if spec is not None else {name: name for name in found[0]}
    chosen = [name for name in (part.columns or tuple(headings)) if name in headings]
    table = tuple(tuple(clean(row.get(name)) for name in chosen) for row in found)
    section = section or Section(part.number, part.heading, id=part.id)
    return replace(section, rows=(*section.rows, *table), columns=tuple(headings[name] for name in chosen)), missing


__all__ = ["Evaluate", "approval", "gather"]
