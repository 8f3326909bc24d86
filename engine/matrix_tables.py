"""The decision tables that procedures ask, each with the clauses it works for: by the steps that ask it, the duties and clocks that read it."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import date
from functools import lru_cache

from engine.decisions import Decision
from engine.expressions import compile_expression
from engine.matrix_rows import Reader, standing
from engine.matrix_views import THROUGH, ClauseLink, ElementOfMatrix, TableOfMatrix
from engine.net import Net
from engine.office_files import in_force
from engine.organisation import Organisation
from engine.xml_safety import read_xml


@dataclass(frozen=True)
class Source:
    """A procedure that the matrix looks at: compiled, with its files and where its elements are looked at (`ref`, `version`)."""

    process_id: str
    name: str
    ref: str
    version: str
    net: Net
    decisions: Mapping[str, Decision]
    files: Mapping[str, bytes]


def tables_of(
    office: Organisation, on: date, sources: Iterable[Source], elements: Iterable[ElementOfMatrix], reader: Reader
) -> tuple[TableOfMatrix, ...]:
    """Every table that a procedure asks, or that another one asked requires; of one with the same id in several procedures the first."""
    found: dict[str, _Asked] = {}
    for source in sources:
        written = _written(source.files)
        roots = {*office.rules.derived_of(source.process_id), *(node.decision for node in source.net.nodes if node.decision)}
        for key in sorted(roots & set(source.decisions)):
            for decision in _with_required(source.decisions[key]):
                asked = found.setdefault(decision.id, _Asked(decision, *written.get(decision.id, ("", "")), [], set()))
                if source.process_id not in asked.procedures:
                    asked.procedures.append(source.process_id)
                asked.roots.add(key)
    steps = [one for one in elements if one.decision]
    return tuple(_table(office, on, asked, steps, reader) for asked in found.values())


@dataclass
class _Asked:
    decision: Decision
    file: str
    text: str
    procedures: list[str]
    roots: set[str]  # the decisions asked by name, to which this one leads


def _with_required(decision: Decision) -> Iterator[Decision]:
    yield decision
    for required in decision.requires:
        yield from _with_required(required)


def _written(files: Mapping[str, bytes]) -> dict[str, tuple[str, str]]:
    """Decision id -> (file, what its descriptions say)."""
    return {id: (file, text) for file, data in files.items() if file.endswith(".dmn") for id, text in _described(file, data)}


@lru_cache(maxsize=64)
def _described(file: str, data: bytes) -> tuple[tuple[str, str], ...]:
    decisions = read_xml(data, file).iter("{*}decision")
    return tuple((one.get("id"), "。".join(part.text or "" for part in one.iter("{*}description"))) for one in decisions)


def _table(office: Organisation, on: date, asked: _Asked, steps: Iterable[ElementOfMatrix], reader: Reader) -> TableOfMatrix:
    outputs, procedures = set(asked.decision.outputs), set(asked.procedures)
    links = [
        ClauseLink(link.clause, THROUGH, one.name)
        for one in steps
        if one.decision in asked.roots and one.procedure in procedures
        for link in one.links
    ]
    for duty in office.rules.duties:
        if in_force([duty], on) and procedures & set(duty.processes) and outputs & _names(duty.when, duty.undecided_when):
            links.append(ClauseLink(duty.clause, THROUGH, duty.name))
    for clock, _ in standing(office.rules.statutory, "id", on):
        read = {clock.days_fact, *(name for condition in clock.conditions for name in condition.facts)}
        if outputs & read:
            links += [ClauseLink(clause, THROUGH, clock.name) for clause in clock.clauses]
    known = {link.clause for link in links}
    links += [link for link in reader.links((), asked.text) if link.clause not in known]
    own = asked.decision
    return TableOfMatrix(
        own.id, own.name, asked.file, tuple(asked.procedures), own.outputs, tuple(dict.fromkeys(links)), own.id in asked.roots
    )  # fmt: skip


def _names(*expressions: str) -> set[str]:
    return {name for text in expressions if text for name in compile_expression(text).names}


__all__ = ["Source", "tables_of"]
