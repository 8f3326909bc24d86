"""Settings of the office and office hours: what no answer of the case decides becomes a fact that may have each of its values at any time.

`setting("lending_days")` reads then as a fact with the values of its rows (both truths, where it is one: a switch may be thrown by a further
row), `in_office_hours(handed_at)` as one that may be true or false. The rest of the checker knows no difference, tables included.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from engine.decisions import Decision, compile_decisions
from engine.net import FieldSpec, Flow, Net, Node
from engine.organisation import Organisation
from engine.rules import Setting

_CALL = re.compile(r"\b(setting(?=\s*\(\s*[\"'][a-z0-9_]+[\"']\s*\))|in_office_hours)\s*\(")
_TRUTHS = (False, True)


class Chances:
    """What was put in place of such calls.

    Attributes:
        values: name of the fact that stands for a call -> the values it may have. No fact of a form can be called so.
    """

    def __init__(self, settings: tuple[Setting, ...]) -> None:
        self.values: dict[str, tuple[Any, ...]] = {}
        self._settings = settings
        self._names: dict[tuple[str, str], str] = {}

    def put(self, text: str) -> str:
        """An expression, a cell of a table or a list of assignments, with a name in place of every such call."""
        done, rest = "", text
        while (found := _CALL.search(rest)) is not None:
            end = _closing(rest, found.end())
            name = self._name(found[1], rest[found.end() : end].strip()) if end is not None else ""
            if end is None or not name:  # without an office nobody knows its settings: what reads one may be anything
                end = found.end() - 1
                name = rest[found.start() : found.end()]
            done += rest[: found.start()] + name
            rest = rest[end + 1 :]
        return done + rest

    def _name(self, function: str, given: str) -> str:
        key = function, given
        if key not in self._names:
            if function == "setting":
                setting_id = given.strip("\"'")
                name, values = f"_setting_{setting_id}", self._setting(setting_id)
            else:
                name, values = f"_in_office_hours_{len(self._names)}", _TRUTHS
            self._names[key] = name if values else ""
            if values:
                self.values[name] = values
        return self._names[key]

    def _setting(self, setting_id: str) -> tuple[Any, ...]:
        found = tuple(dict.fromkeys(row.value for row in self._settings if row.id == setting_id))
        return _TRUTHS if any(isinstance(value, bool) for value in found) else found


def _closing(text: str, start: int) -> int | None:
    """Where the bracket closes that was opened just before `start`."""
    depth, quote = 0, ""
    for place in range(start, len(text)):
        char = text[place]
        if quote:
            quote = "" if char == quote else quote
        elif char in "\"'":
            quote = char
        elif char == "(":
            depth += 1
        elif char == ")":
            if not depth:
                return place
            depth -= 1
    return None


def put_apart(
    net: Net, decisions: Mapping[str, Decision], organisation: Organisation | None
) -> tuple[Net, Mapping[str, Decision], Organisation | None, Mapping[str, tuple[Any, ...]]]:
    """A procedure, its tables and its office's rules with such calls put apart, and the facts that stand for them; the same when there are none."""
    chances = Chances(organisation.rules.settings if organisation is not None else ())
    flows = tuple(_flow(flow, chances) for flow in net.flows)
    nodes = tuple(_node(node, chances) for node in net.nodes)
    specs = [_texts(decision, chances) for decision in decisions.values()]
    if organisation is not None:
        rules = organisation.rules
        duties = tuple(replace(row, when=chances.put(row.when), undecided_when=chances.put(row.undecided_when)) for row in rules.duties)
        properties = tuple(replace(row, when=chances.put(row.when), then=chances.put(row.then)) for row in rules.properties)
    if not chances.values:
        return net, decisions, organisation, {}
    if organisation is not None:
        organisation = replace(organisation, rules=replace(rules, duties=duties, properties=properties))
    tables = {decision.id: decision for decision in compile_decisions(specs)}
    return replace(net, flows=flows, nodes=nodes), {key: tables[key] for key in decisions}, organisation, chances.values


def _texts(decision: Decision, chances: Chances) -> Any:
    def put(texts: tuple[str, ...]) -> tuple[str, ...]:
        return tuple(chances.put(text) for text in texts)

    spec = decision.spec
    return replace(spec, inputs=put(spec.inputs), rules=tuple((put(cells), put(results)) for cells, results in spec.rules))


def _flow(flow: Flow, chances: Chances) -> Flow:
    return replace(flow, condition=chances.put(flow.condition)) if flow.condition and _CALL.search(flow.condition) else flow


def _node(node: Node, chances: Chances) -> Node:
    def put(text: str | None) -> str | None:
        return chances.put(text) if text else text

    event, multi = node.event, node.multi
    if event is not None:
        timer = event.timer
        if timer is not None and not timer.literal:
            timer = replace(timer, text=chances.put(timer.text))
        event = replace(event, condition=put(event.condition), timer=timer)
    if multi is not None:
        multi = replace(multi, collection=put(multi.collection), cardinality=put(multi.cardinality), completion=put(multi.completion))
    changed = replace(
        node,
        assignee=put(node.assignee),
        expression=put(node.expression),
        form=tuple(_field(spec, chances) for spec in node.form),
        properties={name: chances.put(value) for name, value in node.properties.items()},
        event=event,
        multi=multi,
    )
    return changed if changed != node else node


def _field(spec: FieldSpec, chances: Chances) -> FieldSpec:
    constraints = {name: chances.put(value) for name, value in spec.constraints.items()}
    return replace(spec, constraints=constraints, properties={name: chances.put(value) for name, value in spec.properties.items()})
