"""What the ways of a procedure depend on: which facts, through which tables, and finitely many values that show every difference.

A fact is *held* when a state must remember it, and *free* when an action that is always at hand can give it any value at any time
(such as 事実の訂正): then remembering it would say nothing. Facts that no way depends on are not looked at.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import lru_cache
from itertools import chain, combinations
from typing import Any

from engine.decisions import Decision, read_cell
from engine.deploy_services import given_by
from engine.expressions import HOST_FUNCTIONS, KNOWN_FUNCTIONS, compile_expression, syntax
from engine.gate_check import LOCALS
from engine.net import FieldSpec, Kind, Net, Node, listed

Raw = Mapping[str, Any]

#: Of a set of choices, at most so many that some expression names are combined in every way.
MAX_COMBINED = 5
#: What a person could write where any text, day or unit does.
TEXT, DAY, INSTANT = "（記入例）", "2026-11-20", "2026-11-20T09:00+09:00"
_NUMBER = re.compile(r"(?<![\w.])\d+(?:\.\d+)?")
_STRING = re.compile(r"\"([^\"]*)\"|'([^']*)'")


def freeze(value: Any) -> Any:
    """A value that can be a key."""
    if isinstance(value, (list, tuple)):
        return tuple(freeze(item) for item in value)
    if isinstance(value, dict):
        return tuple(sorted((name, freeze(item)) for name, item in value.items()))
    return (type(value).__name__, value)


@dataclass(frozen=True)
class Column:
    """One output of a decision table."""

    decision: Decision
    place: int

    @property
    def key(self) -> tuple[str, int]:
        return self.decision.id, self.place


def expressions(net: Net, within: Collection[int]) -> Iterator[str]:
    """Everything that can change the way a case takes among these nodes."""
    for flow in net.flows:
        if flow.condition and flow.source in within:
            yield flow.condition
    for node in (net.nodes[index] for index in sorted(within)):
        if node.event is not None and node.event.condition:
            yield node.event.condition
        timer = node.event.timer if node.event is not None else None
        if (
            timer is not None and not timer.literal and not Facts.reads_time(timer.text)
        ):  # what reads the instant may be due whatever the facts
            yield timer.text
        if node.multi is not None:
            yield from (text for text in (node.multi.collection, node.multi.cardinality, node.multi.completion) if text)
        if node.properties.get("offered_when"):
            yield node.properties["offered_when"]


def sets_of(node: Node) -> tuple[tuple[str, str], ...]:
    """(fact, expression) of what passing a node makes so; what a service gives a fact is some text."""
    set_by = _sets(node.properties["sets"]) if "sets" in node.properties else ()
    return (*given_by(node), *set_by)


@lru_cache(maxsize=4096)
def _sets(text: str) -> tuple[tuple[str, str], ...]:
    parts = (part.partition("=") for part in listed(text))
    return tuple((name.strip(), source.strip()) for name, _, source in parts)


def asked(node: Node) -> Iterator[FieldSpec]:
    """The fields of a form that can be answered; what is only shown stays as it is."""
    return (field for field in node.form if field.properties.get("readonly") != "true")


def is_side_action(net: Net, node: Node) -> bool:
    """An action of the whole case, drawn as the message start of an event sub-process: at hand beside the ordinary course."""
    return (
        node.kind is Kind.START
        and node.event is not None
        and node.event.kind == "message"
        and net.scopes[node.scope].kind == "event"
        and bool(node.candidate_groups)
    )


class Facts:
    """The facts of one procedure, or of one diagram of it, as the checker sees them.

    Args:
        within: numbers of the nodes that are explored; what others write counts as free. None for all.
        boxes: called diagrams that stand as one step: node number -> facts they write.
        known: when given, only these are held; of every other fact each look may show any value. That allows more than can happen, which is
            enough to show that something never does.
        frozen: numbers of steps that nobody ever completes: nothing is written by them.
        hidden: facts that are not held although they could be: each act is then also judged by whether it can go so whatever they are.
        chances: facts that nobody writes -> the values each may have at any time (engine/checker/chances.py).

    Attributes:
        held: names that a state remembers, in order.
        free: names that can have any value at any time; `foreign` are those of them that other parts write.
        written: node number -> relevant names it writes (by form, `sets` or a table).
    """

    def __init__(
        self,
        net: Net,
        decisions: Mapping[str, Decision],
        derived: Iterable[str],
        more: Iterable[str] = (),
        *,
        within: frozenset[int] | None = None,
        boxes: Mapping[int, frozenset[str]] | None = None,
        hidden: frozenset[str] = frozenset(),
        known: frozenset[str] | None = None,
        frozen: frozenset[int] = frozenset(),
        chances: Mapping[str, tuple[Any, ...]] | None = None,
    ) -> None:
        self.net, self.decisions, self.chances = net, decisions, chances or {}
        self.within = within if within is not None else frozenset(range(len(net.nodes)))
        self.nodes = tuple(net.nodes[index] for index in sorted(self.within))
        self.boxes, self.frozen = boxes or {}, frozen
        self._scopes: dict[str, dict[str, Column]] = {}
        self._needs: dict[tuple[str, int], tuple[tuple[str, Column | None], ...]] = {}
        self._cones: dict[tuple[str, int], tuple[str, ...]] = {}
        self._values: dict[tuple[str, int], dict[Any, Any]] = {}
        self._texts: dict[str, frozenset[str]] = {}
        self._constants: dict[str, list[Any]] = {}
        self.derived: dict[str, Column] = {}
        self.recomputed = frozenset(key for key in derived if key in decisions)
        for key in derived:
            if key in decisions:
                self.derived.update({name: Column(decisions[key], place) for place, name in enumerate(decisions[key].outputs)})
        self.local = LOCALS | {node.multi.variable for node in net.nodes if node.multi is not None and node.multi.variable}
        self.fields: dict[str, list[FieldSpec]] = {}
        for node in net.nodes:
            for field in node.form if node.multi is None else ():
                self.fields.setdefault(field.id, []).append(field)
        self.texts = tuple(dict.fromkeys([*expressions(net, self.within), *more]))
        self.relevant = self._relevant(list(self.texts))
        self.tables = {
            node.index: self.decisions[node.decision]
            for node in net.nodes
            if node.decision is not None and node.decision in decisions and node.decision not in self.recomputed
        }
        self.flags = self._flags()
        self.free = self._free()
        self.hidden = hidden & self.relevant - self.free
        self.free |= self.hidden
        self.unknown = self.relevant - self.free - known if known is not None else frozenset()
        self.held = tuple(sorted(self.relevant - self.free - self.unknown))
        self.written = {node.index: frozenset(self._writes(node)) for node in net.nodes} | {
            index: names & self.relevant for index, names in self.boxes.items()
        }
        self._literals = self._literals_by_name([*expressions(net, range(len(net.nodes))), *more])

    # Tables.

    def scope(self, decision: Decision) -> dict[str, Column]:
        """What the names of a decision mean that come from decisions it requires."""
        if decision.id not in self._scopes:
            found: dict[str, Column] = {}
            for required in decision.requires:
                found.update(self.scope(required))
                found.update({name: Column(required, place) for place, name in enumerate(required.outputs)})
            self._scopes[decision.id] = found
        return self._scopes[decision.id]

    def needs(self, column: Column) -> tuple[tuple[str, Column | None], ...]:
        """(name, column it comes from or None for a fact) of everything one output reads."""
        if column.key not in self._needs:
            inputs, columns = column.decision.reads()
            scope = self.scope(column.decision)
            names = sorted(inputs | columns[column.place])
            self._needs[column.key] = ()  # a table that reads its own earlier output reads it as a fact
            self._needs[column.key] = tuple((name, scope.get(name) or self._other(name, column)) for name in names)
        return self._needs[column.key]

    def _other(self, name: str, column: Column) -> Column | None:
        found = self.derived.get(name)
        return None if found is None or found.decision.id == column.decision.id else found

    def cone(self, column: Column) -> tuple[str, ...]:
        """The facts one output finally depends on."""
        if column.key not in self._cones:
            self._cones[column.key] = ()
            found: set[str] = set()
            for name, source in self.needs(column):
                found.update(self.cone(source) if source else (name,))
            self._cones[column.key] = tuple(sorted(found))
        return self._cones[column.key]

    def column(self, column: Column, raw: Raw) -> Any:
        """The value of one output over facts; an error of the table is raised by whoever reads it."""
        key = tuple([freeze(value) if isinstance(value := raw.get(name), (list, dict)) else value for name in self.cone(column)])
        known = self._values.setdefault(column.key, {})
        if key not in known:
            known[key] = self.decide(
                column, {name: self.column(source, raw) if source else raw.get(name) for name, source in self.needs(column)}
            )
        return known[key]

    @staticmethod
    def decide(column: Column, values: Mapping[str, Any]) -> Any:
        """One output, where everything it reads is given."""
        return column.decision.decide(values)[column.decision.outputs[column.place]]

    # Expressions.

    def names(self, text: str) -> frozenset[str]:
        """The names an expression reads, local ones left out."""
        return compile_expression(text).names - self.local

    def raw_names(self, text: str) -> frozenset[str]:
        """The facts an expression finally depends on."""
        if text not in self._texts:
            found: set[str] = set()
            for name in self.names(text):
                found.update(self.cone(self.derived[name]) if name in self.derived else (name,))
            self._texts[text] = frozenset(found)
        return self._texts[text]

    def evaluate(self, text: str, raw: Raw, local: Mapping[str, Any]) -> Any:
        """The value of an expression over facts.

        Raises:
            TadachiError: it has none.
        """
        values = {name: self.column(self.derived[name], raw) if name in self.derived else raw.get(name) for name in self.names(text)}
        return compile_expression(text).evaluate({**values, **local}, _NO_TIME)

    @staticmethod
    @lru_cache(maxsize=4096)
    def reads_time(text: str) -> bool:
        """Whether the value depends on the instant, so that it may be anything."""
        return any(
            isinstance(part, ast.Call) and isinstance(part.func, ast.Name) and part.func.id in HOST_FUNCTIONS
            for part in ast.walk(syntax(text))
        )

    # Which facts matter, and who writes them.

    def _relevant(self, texts: list[str]) -> frozenset[str]:
        sets: dict[str, list[str]] = {}
        for node in self.nodes:
            for name, text in sets_of(node):
                sets.setdefault(name, []).append(text)
            if node.decision is not None and node.decision in self.decisions and node.decision not in self.recomputed:
                decision = self.decisions[node.decision]
                for place, name in enumerate(decision.outputs):
                    sets.setdefault(name, []).extend(self.cone(Column(decision, place)))
        found: set[str] = set()
        todo = list(texts)
        while todo:
            for name in self.raw_names(todo.pop()):
                if name not in found:
                    found.add(name)
                    todo += sets.get(name, ())
        return frozenset(found)

    def _flags(self) -> frozenset[str]:
        names = {name for node in self.net.nodes for name, _ in sets_of(node)}
        names.update(name for table in self.tables.values() for name in table.outputs)
        return frozenset(names) & self.relevant

    def _foreign(self) -> frozenset[str]:
        """What is written outside the part that is explored can change at any time."""
        inside = {name for names in self.boxes.values() for name in names}
        found: set[str] = set()
        for node in self.net.nodes:
            if node.index not in self.within and node.index not in self.frozen:
                found.update(name for name in self._writes(node) if name not in inside)
        return frozenset(found)

    def _free(self) -> frozenset[str]:
        found: set[str] = set()
        for node in self.net.nodes:
            scope = self.net.scopes[node.scope]
            if (
                is_side_action(self.net, node)
                and scope.parent == 0
                and node.event is not None
                and not node.event.interrupting
                and "offered_when" not in node.properties
            ):
                found.update(field.id for field in asked(node) if not {"required", "required_when"} & set(field.constraints))
        self.foreign = self._foreign() & self.relevant
        return (frozenset(found) & self.relevant - self.flags) | self.foreign | (self.chances.keys() & self.relevant)

    def _writes(self, node: Node) -> Iterator[str]:
        if node.multi is None:
            yield from (field.id for field in asked(node) if field.id in self.relevant)
        elif node.form and node.element in self.relevant:
            yield node.element
        yield from (name for name, _ in sets_of(node) if name in self.relevant)
        if node.index in self.tables:
            yield from (name for name in self.tables[node.index].outputs if name in self.relevant)

    # Values.

    def _literals_by_name(self, texts: Iterable[str]) -> dict[str, set[Any]]:
        found: dict[str, set[Any]] = {}

        def add(names: Iterable[str], values: Iterable[Any]) -> None:
            tried = set(values)
            for name in names:
                found.setdefault(name, set()).update(tried)

        for text in texts:
            add(self.raw_names(text), self._written_in(text, self.raw_names(text)))
        for node in self.net.nodes:
            for _, text in sets_of(node):
                add(self.raw_names(text), self._written_in(text, self.raw_names(text)))
        for decision in self.decisions.values():
            for number, source in enumerate(decision.spec.inputs):
                names = compile_expression(source).names
                add(names, self._written_in(source, names))
                for cells, _ in decision.spec.rules:
                    read = set(names)
                    read_cell(cells[number], read)
                    add(names, self._written_in(cells[number], read))
            for _, results in decision.spec.rules:
                for text in results:
                    if text:
                        add(compile_expression(text).names, _literals(text))
        return found

    def _written_in(self, text: str, names: Iterable[str]) -> Iterator[Any]:
        """The numbers and words of an expression or a cell, those among which a chance chooses included."""
        yield from _literals(text)
        for name in names:
            yield from (value for value in self.chances.get(name, ()) if not isinstance(value, bool))

    def domain(self, name: str) -> tuple[Any, ...]:
        """Values of a fact that between them show every difference: each choice, and of numbers those around each boundary that appears."""
        if name in self.chances:
            return self.chances[name]
        values: list[Any] = [None]
        for field in self.fields.get(name, ()):
            values += self._of_type(field, self._literals.get(name, set()))
        if name in self.free:
            values += self.constants(name)
        seen: dict[Any, Any] = {}
        for value in values:
            seen.setdefault(freeze(value), value)
        return tuple(seen.values())

    def values_of(self, name: str) -> tuple[Any, ...]:
        """Every value a fact can have, by answer or by the diagram."""
        return tuple({freeze(value): value for value in [*self.domain(name), *self.constants(name)]}.values())

    def constants(self, name: str) -> list[Any]:
        """Values that the diagram gives a fact; true and false where it computes one."""
        if name not in self._constants:
            self._constants[name] = self._constants_of(name)
        return self._constants[name]

    def _constants_of(self, name: str) -> list[Any]:
        found: list[Any] = []
        for node in (node for node in self.net.nodes if node.index not in self.frozen):
            for other, text in sets_of(node):
                if other == name and text in self.chances:
                    found += self.chances[text]
                elif other == name:
                    computed = compile_expression(text).names or self.reads_time(text)
                    found += [True, False] if computed else [compile_expression(text).evaluate({})]
            table = self.tables.get(node.index)
            if table is not None and name in table.outputs:
                place = table.outputs.index(name)
                for _, results in table.spec.rules:
                    text = results[place]
                    found += [compile_expression(text).evaluate({})] if text and not compile_expression(text).names else []
        return found

    def _of_type(self, field: FieldSpec, literals: set[Any]) -> list[Any]:
        texts = sorted(value for value in literals if isinstance(value, str))
        if field.type == "boolean":
            return [True, False]
        if field.type == "enum":
            return [choice.value for choice in field.choices]
        if field.type == "long":
            least, most = int(field.constraints.get("min", "0")), int(field.constraints.get("max", str(10**9)))
            numbers = {int(value) + step for value in literals if isinstance(value, (int, float)) for step in (-1, 0, 1)} or {1, 2, 3}
            return sorted({least, *(number for number in numbers if least <= number <= most)})
        if field.type == "set":
            named = [choice.value for choice in field.choices if choice.value in texts][:MAX_COMBINED] or [
                choice.value for choice in field.choices
            ][:1]
            return [list(some) for some in chain.from_iterable(combinations(named, size) for size in range(len(named) + 1))]
        if field.type == "rows":
            row = {choice.value: TEXT for choice in field.choices}
            return [[], [row], [row, row]]
        if field.type == "people":
            return [[], [TEXT], [TEXT, TEXT]]
        if field.type in ("date", "datetime"):
            return [DAY if field.type == "date" else INSTANT]
        return [*texts, TEXT]


_NO_TIME = dict.fromkeys(HOST_FUNCTIONS, lambda *_given: None)


def _literals(text: str) -> Iterator[Any]:
    yield from (float(number) if "." in number else int(number) for number in _NUMBER.findall(_STRING.sub("", text)))
    yield from (one or two for one, two in _STRING.findall(text))


__all__ = ["KNOWN_FUNCTIONS", "Column", "Facts", "Raw", "asked", "expressions", "freeze", "is_side_action", "sets_of"]
