"""Values of one fact that nothing tells apart, so that a state need not remember which of them it is: `null` and `false` beside `== true`."""

from __future__ import annotations

import ast
from collections.abc import Iterable, Iterator
from typing import Any

from engine.checker.facts import Facts, freeze, sets_of
from engine.decisions import Decision
from engine.errors import TadachiError
from engine.expressions import CONSTANTS, compile_expression, syntax


def representatives(facts: Facts, texts: Iterable[str], name: str, values: Iterable[Any]) -> dict[Any, Any]:
    """Frozen value -> the first value that behaves as it does; every value stands for itself when the fact is read in any other way."""
    values = list(values)
    atoms: set[str] = set()
    for text in (*texts, *_texts(facts, name)):
        if name in compile_expression(text).names:
            for atom in _atoms(syntax(text), name):
                if atom is None:
                    return {freeze(value): value for value in values}
                atoms.add(atom)
    for decision in facts.decisions.values():
        if name in _cell_names(decision):
            return {freeze(value): value for value in values}
    first: dict[Any, Any] = {}
    return {freeze(value): first.setdefault(tuple(_shown(atom, name, value) for atom in sorted(atoms)), value) for value in values}


def _texts(facts: Facts, name: str) -> Iterator[str]:
    for node in facts.net.nodes:
        yield from (text for _, text in sets_of(node))
        for field in (field for field in node.form if field.id in facts.held):
            yield from (text for text in (field.properties.get("shown_when"), field.constraints.get("required_when")) if text)
    for decision in facts.decisions.values():
        yield from decision.spec.inputs
        yield from (text for _, results in decision.spec.rules for text in results if text)


def _cell_names(decision: Decision) -> frozenset[str]:
    names, columns = decision.reads()
    asked = {name for text in decision.spec.inputs for name in compile_expression(text).names}
    return frozenset(names - asked).union(*columns)


def _atoms(tree: ast.AST, name: str) -> Iterator[str | None]:
    """The comparisons of this fact with constants that an expression makes of it; None for any other use."""
    if isinstance(tree, ast.Compare) and any(_is(part, name) for part in ast.walk(tree)):
        names = {part.id for part in ast.walk(tree) if isinstance(part, ast.Name) and part.id not in CONSTANTS}
        yield ast.unparse(tree) if names == {name} and not any(isinstance(part, ast.Call) for part in ast.walk(tree)) else None
    elif _is(tree, name):
        yield None
    elif isinstance(tree, (ast.BoolOp, ast.UnaryOp, ast.IfExp)):
        for child in ast.iter_child_nodes(tree):
            yield from ([ast.unparse(child)] if _is(child, name) and isinstance(tree, ast.BoolOp) else _atoms(child, name))
    elif any(_is(part, name) for part in ast.walk(tree)):
        yield None


def _is(part: ast.AST, name: str) -> bool:
    return isinstance(part, ast.Name) and part.id == name


def _shown(atom: str, name: str, value: Any) -> Any:
    try:
        result = compile_expression(atom).evaluate({name: value})
    except TadachiError as error:
        return str(error)
    return freeze(False if result is None else result)
