"""What service tasks name must be there and fit: series of numbers, procedures and their facts. Part of engine/deploy_check.py."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping

from engine.errors import Finding, ProcessNotFound
from engine.gate_check import usable
from engine.gate_extensions import near
from engine.net import FieldSpec, Net, Node
from engine.organisation import Organisation

#: The net of another procedure of the office, by its process id; None when its own diagram cannot be run. Raises ProcessNotFound.
Neighbours = Callable[[str], Net | None]

#: The fact with the numbers of the cases that a case has begun; only the service `start_case` writes it.
LINKED_CASES = "linked_cases"
#: First facts that a new case has whether they are passed or not.
ALWAYS_PASSED = ("known_at", "owning_unit")
#: Properties that a service cannot do without.
NEEDED = {
    "number": ("numbering", "fact"),
    "start_case": ("process", "link"),
    "find_orphan_grants": ("until", "grace"),
    "mark_entries": ("entries",),
}
#: What the checker takes a service to give: some text, which nothing compares.
_GIVEN = '"（自動）"'


def assignments(node: Node, key: str) -> tuple[tuple[str, str], ...]:
    """(name, expression) of every `name=expression` of a property."""
    parts = (part.partition("=") for part in node.listed(key))
    return tuple((name.strip(), expression.strip()) for name, _, expression in parts)


def given_by(node: Node) -> tuple[tuple[str, str], ...]:
    """(fact, an expression of such a value) of everything a service gives its case, besides what `sets` says."""
    return given_by_topic(node.topic, node.properties)


def given_by_topic(topic: str | None, properties: Mapping[str, str]) -> tuple[tuple[str, str], ...]:
    """The same of a function of this name, as its properties say."""
    if topic == "start_case":
        return ((LINKED_CASES, f"[{_GIVEN}]"),)
    if topic == "find_orphan_grants":  # whether it finds anything is not known: a condition that reads the instant can be both
        return (("orphans", f"[{_GIVEN}]"), ("orphans_left", "now() == null"), ("orphans_summary", _GIVEN))
    name = properties.get("fact", "").strip()
    return ((name, _GIVEN),) if topic == "number" and name else ()


def fields_of(net: Net) -> Mapping[str, FieldSpec]:
    """The facts that the forms of a procedure declare; where several do, as its start form has them."""
    found: dict[str, FieldSpec] = {}
    for node in (net.start, *net.nodes):
        if node.multi is None:
            for spec in node.form:
                found.setdefault(spec.id, spec)
    return found


def check_service(node: Node, organisation: Organisation, neighbours: Neighbours | None) -> Iterator[Finding]:
    """What one service task says of its work; of other procedures only when they can be looked at."""
    for name in NEEDED.get(node.topic or "", ()):
        if not node.properties.get(name, "").strip():
            yield Finding("service_property", f"機能「{node.topic}」には、拡張プロパティ「{name}」が要ります。", node.id, node.source)
    if node.topic == "number":
        yield from _check_number(node, organisation)
    if node.topic == "start_case" and neighbours is not None and node.properties.get("process", "").strip():
        yield from _check_start(node, neighbours)


def _check_number(node: Node, organisation: Organisation) -> Iterator[Finding]:
    key = node.properties.get("numbering", "").strip()
    keys = {row.key for row in organisation.rules.numbering}
    if key and key not in keys:
        message = f"numbering「{key}」は rules.toml の [[numbering]] にありません{near(key, keys)}。"
        yield Finding("numbering_unknown", message, node.id, node.source)
    for name, _ in given_by(node):
        if not usable(name):
            message = f"fact「{name[:60]}」は項目の名前に使えません。英字で始まる英数字にしてください。"
            yield Finding("service_property", message, node.id, node.source)


def _check_start(node: Node, neighbours: Neighbours) -> Iterator[Finding]:
    """The procedure is there and can be begun by another, it knows every fact passed, and what its start form needs is passed."""
    process = node.properties["process"].strip()
    try:
        net = neighbours(process)
    except ProcessNotFound:
        message = f"始める手続「{process}」は、この機関にありません（ほかの図から呼び出される図は、案件になりません）。"
        yield Finding("process_unknown", message, node.id, node.source)
        return
    if net is None:
        return  # what is wrong with it is told at its own diagram
    if net.start.event is not None and net.start.event.kind != "none":
        message = f"手続「{net.name}」には、時間やメッセージによらない開始イベントがないので、案件から始められません。"
        yield Finding("process_unknown", message, node.id, node.source)
        return
    fields = fields_of(net)
    passed = dict(assignments(node, "passes"))
    for name in passed:
        if name not in fields and name not in ALWAYS_PASSED:
            message = f"passes の「{name}」という項目は、始める手続「{net.name}」のどの画面にもありません{near(name, fields)}。"
            yield Finding("passes", message, node.id, node.source)
    for spec in net.start.form:
        if "required" in spec.constraints and "shown_when" not in spec.properties and spec.id not in (*passed, *ALWAYS_PASSED):
            message = f"始める手続「{net.name}」の「{spec.label}」（{spec.id}）は必ず要るので、passes に書いてください。"
            yield Finding("passes", message, node.id, node.source)
