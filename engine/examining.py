"""What a draft's files say without running anything: findings of the gate and the office, facts, processes, tables. Runs in the examiner's process.

Facts are read from the XML itself, not from the compiled net: while somebody draws, most diagrams do not compile.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any

from engine import extensions, parsing
from engine.decisions import Decision
from engine.definitions import examine_bundle
from engine.deploy_services import given_by_topic
from engine.draft_views import FactKnown
from engine.errors import DefinitionRefused, Finding
from engine.extensions import BPMN, CAMUNDA, NAMESPACES
from engine.limits import DEFAULT
from engine.net import listed
from engine.organisation import Organisation
from engine.xml_safety import read_xml

_WORD = re.compile(r'"([^"]{1,60})"')
#: More facts than this nobody can choose from.
MOST_FACTS = 1_000
_EVERY_CASE = (
    ("reporter", "報告者", ""),
    ("reporting_unit", "報告した部署", "unit"),
    ("reported_at", "報告日時", "datetime"),
    ("known_at", "知った日時", "datetime"),
    ("owning_unit", "担当の部署", "unit"),
)


def examine(process_id: str, files: Mapping[str, bytes], office: Organisation | None, *, whole: bool = False) -> dict[str, Any]:
    """Everything of `Examined`, as plain data; `whole`: what is called and missing here is missing everywhere."""
    roots = _roots(files)
    processes = _processes(roots)
    here = {one for one, _, _ in processes}
    missing = dict.fromkeys(target for root in roots.values() for target in _called(root) if target not in here)
    findings: list[Finding] = []
    if whole or not missing:
        try:
            findings += examine_bundle(process_id, files, office)[2]
        except DefinitionRefused as refused:
            findings += refused.findings
    decisions = _decisions(files)
    facts = list(_facts(roots, decisions, office))[:MOST_FACTS]
    return {
        "missing": list(missing),
        "findings": [[item.rule, item.message, item.element, item.file, item.severity, ""] for item in findings],
        "facts": [
            [one.name, one.label, one.type, one.origin, one.place, one.element, one.file, [list(pair) for pair in one.choices]]
            for one in facts
        ],
        "processes": [list(one) for one in processes],
        "decisions": [[item.id, item.name, file, list(item.outputs)] for item, file in decisions],
    }


def _roots(files: Mapping[str, bytes]) -> dict[str, Any]:
    """The diagrams that can be read at all; what cannot is told by the gate."""
    found = {}
    for name, data in files.items():
        if name.endswith(".bpmn"):
            try:
                found[name] = read_xml(data, name)
            except DefinitionRefused:
                continue
    return found


def _processes(roots: Mapping[str, Any]) -> list[tuple[str, str, str]]:
    return [
        (process.get("id") or "", (process.get("name") or process.get("id") or "")[: DEFAULT.name], file)
        for file, root in roots.items()
        for process in root.findall("bpmn:process", NAMESPACES)[: DEFAULT.processes]
    ]


def _called(root: Any) -> list[str]:
    return [target for call in root.iter(f"{{{BPMN}}}callActivity") if (target := call.get("calledElement"))]


def _decisions(files: Mapping[str, bytes]) -> list[tuple[Decision, str]]:
    found = []
    for name, data in files.items():
        if name.endswith(".dmn"):
            try:
                found += [(decision, name) for decision in parsing.parse_decisions(data, name)]
            except DefinitionRefused:
                continue
    return found


def _facts(roots: Mapping[str, Any], decisions: list[tuple[Decision, str]], office: Organisation | None) -> Iterator[FactKnown]:
    """Every name an expression may read, each once, the first place it is declared at."""
    seen: set[str] = set()
    for fact in _declared(roots, decisions, office):
        if fact.name and fact.name not in seen:
            seen.add(fact.name)
            yield fact


def _declared(roots: Mapping[str, Any], decisions: list[tuple[Decision, str]], office: Organisation | None) -> Iterator[FactKnown]:
    for file, root in roots.items():
        for owner in root.iter(f"{{{BPMN}}}*"):
            for spec in extensions.form(owner):
                choices = tuple((choice.value[:200], choice.label[:200]) for choice in spec.choices[:100])
                element = _element_of(owner)
                yield FactKnown(
                    spec.id[:100], spec.label[:200], spec.type, "form", _name_of(element), element.get("id") or "", file, choices
                )
    for name, label, type in _EVERY_CASE:
        yield FactKnown(name, label, type, "engine", "どの案件にもあります")
    derived = {row.decision for row in office.rules.derived} if office is not None else set()
    for decision, file in sorted(decisions, key=lambda pair: pair[0].id not in derived):
        place = f"決定表「{decision.name or decision.id}」" + ("（いつも計算されます）" if decision.id in derived else "")
        for number, output in enumerate(decision.outputs):
            yield FactKnown(output, output, "", "table", place, decision.id, file, _words_of(decision, number))
    for file, root in roots.items():
        for owner in root.iter(f"{{{BPMN}}}*"):
            properties = extensions.properties(owner)
            for part in listed(properties.get("sets")):
                yield _given(part.partition("=")[0].strip(), "sets", owner, file)
            for name, _ in given_by_topic(extensions.camunda(owner, "topic"), properties):
                yield _given(name, "service", owner, file)
            loop = owner.find("bpmn:multiInstanceLoopCharacteristics", NAMESPACES)
            if loop is not None:
                yield _given(owner.get("id") or "", "loop", owner, file)
                yield _given(loop.get(f"{{{CAMUNDA}}}elementVariable") or "", "loop", owner, file)


def _words_of(decision: Decision, column: int) -> tuple[tuple[str, str], ...]:
    """The words that an output can be, where its cells write them out."""
    cells = (results[column] for _, results in decision.spec.rules if column < len(results))
    words = dict.fromkeys(found[1] for cell in cells if (found := _WORD.fullmatch(cell.strip())))
    return tuple((word, word) for word in list(words)[:20])


def _given(name: str, origin: str, owner: Any, file: str) -> FactKnown:
    return FactKnown(name[:100], name[:100], "", origin, _name_of(owner), owner.get("id") or "", file)


def _element_of(owner: Any) -> Any:
    """The event of an event definition; anything else is its own."""
    return owner.getparent() if str(owner.tag).endswith("EventDefinition") else owner


def _name_of(owner: Any) -> str:
    return " ".join((owner.get("name") or owner.get("id") or "").split())[:200]


__all__ = ["examine"]
