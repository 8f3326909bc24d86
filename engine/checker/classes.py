"""The combinations of free facts that a procedure can tell apart, each with one example; only combinations that can really occur.

The facts are asked one after the other, every table is decided as soon as what it reads is there, and what nothing reads any more is
dropped: so twenty facts with a thousand million combinations become the few hundred that differ in what they decide.
"""

from __future__ import annotations

import ast
from collections.abc import Iterable, Iterator, Mapping
from typing import Any, NamedTuple

from engine.checker.facts import Column, Facts, Raw, freeze
from engine.errors import TadachiError
from engine.expressions import CONSTANTS, compile_expression, syntax

MAX_ROWS = 50_000


class TooManyCombinations(Exception):
    """More combinations than can be told apart in reasonable time."""


class Unit(NamedTuple):
    """Something with a value: a fact (`kind` raw), an output of a table (column) or an expression over both (observed)."""

    kind: str
    name: str
    column: Column | None = None
    scope: str = ""

    @property
    def key(self) -> tuple[str, str, str, int]:
        return self.kind, self.name, self.scope, self.column.place if self.column else -1


class Example(NamedTuple):
    """Values of free facts, with what they show of everything that is observed (by `Unit.key`; equal numbers are equal values)."""

    facts: Raw
    shows: Mapping[Any, int]


def classes(facts: Facts, texts: Iterable[str], columns: Iterable[Column] = ()) -> tuple[Example, ...]:
    """One example for every combination of values of what the expressions observe of free facts; a single empty one if they observe none.

    Args:
        columns: outputs of tables that tasks decide, beside those of tables that are always recomputed and stand for themselves.

    Raises:
        TooManyCombinations: more than MAX_ROWS on the way.
    """
    units = [unit for text in texts for unit in _observed(facts, text, "")]
    for column in columns:
        units += (unit for source in column.decision.spec.inputs for unit in _observed(facts, source, column.decision.id))
        units += _cells(facts, column)
    observed = list({unit.key: unit for unit in units}.values())
    result = [Example({}, {})]
    for group in _apart(facts, observed):
        found = _combinations(facts, group)
        if len(result) * len(found) > MAX_ROWS:
            raise TooManyCombinations
        result = [Example({**one.facts, **two.facts}, {**one.shows, **two.shows}) for one in result for two in found]
    return tuple(result)


def _apart(facts: Facts, observed: list[Unit]) -> list[list[Unit]]:
    """Groups that have no fact in common."""
    groups: list[tuple[set[str], list[Unit]]] = []
    for unit in observed:
        names, units = set(_cone(facts, unit)), [unit]
        for group in [group for group in groups if group[0] & names]:
            groups.remove(group)
            names |= group[0]
            units = group[1] + units
        groups.append((names, units))
    return [units for _, units in groups]


def _combinations(facts: Facts, observed: list[Unit]) -> list[Example]:
    known: dict[Any, Unit] = {}
    for unit in observed:
        _sort(facts, unit, known)
    reads = {key: {below.key for below in _reads(facts, unit)} for key, unit in known.items()}
    kept = {unit.key for unit in observed}
    waiting = dict(known)
    table = Values()
    live: list[Any] = []
    rows: dict[tuple[int, ...], dict[str, Any]] = {(): {}}
    while waiting:
        # What can be decided is decided before the next fact is asked for.
        decided = known.keys() - waiting.keys()
        key = next((key for key, unit in waiting.items() if unit.kind != "raw" and reads[key] <= decided), None) or next(iter(waiting))
        unit = waiting.pop(key)
        later = kept.union(*(reads[other] for other in waiting))
        stay = [place for place, column in enumerate(live) if column in later]
        following: dict[tuple[int, ...], dict[str, Any]] = {}
        if unit.kind == "raw":
            domain = [(table.number(value), value) for value in facts.domain(unit.name)]
            for row, example in rows.items():
                base = tuple(row[place] for place in stay)
                for number, value in domain:
                    following.setdefault((*base, number), {**example, unit.name: value})
        else:
            below = _reads(facts, unit)
            places = [live.index(item.key) for item in below]
            known_values: dict[tuple[int, ...], int] = {}
            for row, example in rows.items():
                given = tuple(row[place] for place in places)
                if given not in known_values:
                    values = {_short(item): table.values[number] for item, number in zip(below, given, strict=True)}
                    known_values[given] = table.number(_value(facts, unit, values))
                base = tuple(row[place] for place in stay)
                following.setdefault((*base, known_values[given]) if key in later else base, example)
        if len(following) > MAX_ROWS:
            raise TooManyCombinations
        live = [live[place] for place in stay] + ([key] if key in later else [])
        rows = following
    return [Example(example, dict(zip(live, row, strict=True))) for row, example in rows.items()]


def observer(facts: Facts, text: str) -> tuple[Unit, ...]:
    """What one expression observes of free facts."""
    return tuple({unit.key: unit for unit in _observed(facts, text, "")}.values())


def observe(facts: Facts, unit: Unit, raw: Raw) -> Any:
    """What a unit shows of one example."""
    values = {_short(below): facts.column(below.column, raw) if below.column else raw.get(below.name) for below in _reads(facts, unit)}
    return freeze(_value(facts, unit, values))


class Values:
    """Values by number, so that rows and states compare fast."""

    def __init__(self) -> None:
        self.values: list[Any] = []
        self._numbers: dict[Any, int] = {}

    def number(self, value: Any) -> int:
        key = freeze(value)
        if key not in self._numbers:
            self._numbers[key] = len(self.values)
            self.values.append(value)
        return self._numbers[key]


def _value(facts: Facts, unit: Unit, values: dict[str, Any]) -> Any:
    try:
        if unit.column is not None:
            return facts.decide(unit.column, values)
        return compile_expression(unit.name).evaluate(values)
    except TadachiError as error:  # told when a run meets it
        return f"\0{error}"


def _short(unit: Unit) -> str:
    return unit.column.decision.outputs[unit.column.place] if unit.column else unit.name


def _sort(facts: Facts, unit: Unit, order: dict[Any, Unit]) -> None:
    if unit.key not in order:
        for below in _reads(facts, unit):
            _sort(facts, below, order)
        order[unit.key] = unit


def _reads(facts: Facts, unit: Unit) -> list[Unit]:
    if unit.column is not None:
        return [_unit(name, source) for name, source in facts.needs(unit.column)]
    if unit.kind == "raw":
        return []
    return [_resolve(facts, name, unit.scope) for name in sorted(compile_expression(unit.name).names - facts.local)]


def _unit(name: str, source: Column | None) -> Unit:
    return Unit("column", source.decision.id, source) if source else Unit("raw", name)


def _resolve(facts: Facts, name: str, scope: str) -> Unit:
    inner = facts.scope(facts.decisions[scope]).get(name) if scope else None
    return _unit(name, inner or facts.derived.get(name))


def _cone(facts: Facts, unit: Unit) -> frozenset[str]:
    if unit.column:
        return frozenset(facts.cone(unit.column))
    if unit.kind == "raw":
        return frozenset({unit.name})
    return frozenset().union(*(_cone(facts, below) for below in _reads(facts, unit)))


def _observed(facts: Facts, text: str, scope: str) -> Iterator[Unit]:
    """The greatest parts of an expression that read free facts alone, those inside tables it reads included."""
    if not facts.reads_time(text):
        yield from _parts(facts, syntax(text), scope)


def _parts(facts: Facts, tree: ast.AST, scope: str) -> Iterator[Unit]:
    names = [
        _resolve(facts, part.id, scope)
        for part in ast.walk(tree)
        if isinstance(part, ast.Name) and part.id not in CONSTANTS and part.id not in facts.local and not _is_called(tree, part)
    ]
    cone = frozenset().union(*(_cone(facts, unit) for unit in names)) if names else frozenset()
    if not cone & facts.free:
        return
    if cone <= facts.free and isinstance(tree, ast.expr):
        yield Unit("observed", ast.unparse(tree), scope=scope)
    elif isinstance(tree, ast.BoolOp):
        alone = [value for value in tree.values if _reads_only_free(facts, value, scope)]
        if alone:
            whole = alone[0] if len(alone) == 1 else ast.BoolOp(tree.op, alone)
            yield Unit("observed", ast.unparse(whole), scope=scope)
        for value in tree.values:
            if value not in alone:
                yield from _parts(facts, value, scope)
    elif isinstance(tree, ast.Name):
        column = names[0].column
        if column is not None:
            for source in column.decision.spec.inputs:
                yield from _observed(facts, source, column.decision.id)
            yield from _cells(facts, column)
    else:
        for child in ast.iter_child_nodes(tree):
            yield from _parts(facts, child, scope)


def _reads_only_free(facts: Facts, tree: ast.expr, scope: str) -> bool:
    names = [
        _resolve(facts, part.id, scope)
        for part in ast.walk(tree)
        if isinstance(part, ast.Name) and part.id not in CONSTANTS and part.id not in facts.local and not _is_called(tree, part)
    ]
    return bool(names) and all(_cone(facts, unit) <= facts.free for unit in names)


def _cells(facts: Facts, column: Column) -> Iterator[Unit]:
    """What the cells and results of a table read by name."""
    inputs = {name for source in column.decision.spec.inputs for name in compile_expression(source).names}
    for name, _ in facts.needs(column):
        unit = _resolve(facts, name, column.decision.id)
        if name in inputs:
            continue
        if _cone(facts, unit) <= facts.free:
            yield Unit("observed", name, scope=column.decision.id)
        elif unit.column is not None:
            for source in unit.column.decision.spec.inputs:
                yield from _observed(facts, source, unit.column.decision.id)
            yield from _cells(facts, unit.column)


def _is_called(tree: ast.AST, name: ast.Name) -> bool:
    return any(isinstance(part, ast.Call) and part.func is name for part in ast.walk(tree))
