"""Decision tables: what a table decides over given facts. Pure; `engine/parsing.py` reads the DMN files.

SpiffWorkflow reads the tables; they are evaluated here, because its engine pastes input and cell texts together and evaluates the result as
Python, stops at the first match of UNIQUE without looking for a second, knows neither FIRST, ANY nor RULE ORDER, lists, ranges, `not(...)`
nor required decisions, and reads an absent name as an error.

Cells (DMN 1.3, 7.3.3 unary tests, with operands of our own expression language):
`-` or empty: anything · `"a", "b"`: one of them · `not("a", null)`: none of them · `> 100`, `<= x` · `[1..5]`, `]1..5[`, `(1..5]` ·
an expression with `?` for the input's value, e.g. `has(?, "pi")`.
A comparison with null is false. An output cell is an expression; empty is null. A table without a matching rule decides null (a list policy: []).
"""

from __future__ import annotations

import operator
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

from engine.errors import DecisionAmbiguous, DefinitionRefused, ExpressionError, Finding
from engine.expressions import Expression, Functions, Values, compile_expression, equal, ordered, truth
from engine.limits import DEFAULT

SINGLE = ("UNIQUE", "FIRST", "ANY")
LISTS = ("COLLECT", "RULE ORDER")
#: What stands for the cell's input value (`?`) inside an expression.
INPUT = "_input"

Test = Callable[[Any, Values, Functions], bool]


@dataclass(frozen=True, slots=True)
class TableSpec:
    """A decision as it is written: texts of inputs and cells, row by row."""

    id: str
    name: str
    hit_policy: str
    aggregation: str
    inputs: tuple[str, ...]
    outputs: tuple[str, ...]
    rules: tuple[tuple[tuple[str, ...], tuple[str, ...]], ...]
    requires: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Rule:
    """A row, compiled: one test an input (None = anything), one expression an output (None = null)."""

    tests: tuple[Test | None, ...]
    results: tuple[Expression | None, ...]


@dataclass(frozen=True)
class Decision:
    """A decision table (or a single expression) with the decisions it requires.

    Attributes:
        outputs: names of its own outputs.
        spec: the texts, for screens and for the checker.
        names: facts read by it and by what it requires, without what required decisions put out.
    """

    id: str
    name: str
    hit_policy: str
    outputs: tuple[str, ...]
    names: frozenset[str]
    requires: tuple[Decision, ...]
    spec: TableSpec
    _inputs: tuple[Expression, ...] = field(repr=False, compare=False)
    _rules: tuple[Rule, ...] = field(repr=False, compare=False)

    def evaluate(self, values: Values, functions: Functions | None = None) -> dict[str, object]:
        """All outputs, those of required decisions first; what a required decision puts out covers a fact of the same name.

        Raises:
            DecisionAmbiguous: the rows that match do not give one result.
            ExpressionError: a value does not fit.
        """
        results: dict[str, object] = {}
        self._evaluate(dict(values), functions or {}, results, set())
        return results

    def matching(self, values: Values, functions: Functions | None = None) -> tuple[int, ...]:
        """Row numbers (from 1) that match, with required decisions already among the values: what a screen shows as the reason."""
        given = functions or {}
        inputs = [expression.evaluate(values, given) for expression in self._inputs]
        return tuple(
            number
            for number, rule in enumerate(self._rules, 1)
            if all(test is None or test(value, values, given) for test, value in zip(rule.tests, inputs, strict=True))
        )

    def _evaluate(self, values: dict[str, Any], functions: Functions, results: dict[str, object], done: set[str]) -> None:
        for required in self.requires:
            if required.id not in done:
                required._evaluate(values, functions, results, done)
        done.add(self.id)
        own = self.decide(values, functions)
        results.update(own)
        values.update(own)

    def decide(self, values: Values, functions: Functions | None = None) -> dict[str, object]:
        """Its own outputs alone, where what it requires is already among the values.

        Raises:
            DecisionAmbiguous: the rows that match do not give one result.
            ExpressionError: a value does not fit.
        """
        given = functions or {}
        rows = self.matching(values, given)
        if self.hit_policy == "FIRST":
            rows = rows[:1]
        found = [tuple(result.evaluate(values, given) if result else None for result in self._rules[row - 1].results) for row in rows]
        if self.hit_policy in LISTS:
            return {name: [row[place] for row in found] for place, name in enumerate(self.outputs)}
        ambiguous = len(found) > 1 and (self.hit_policy == "UNIQUE" or any(row != found[0] for row in found))
        if ambiguous:
            raise DecisionAmbiguous(decision=self.id, rules="・".join(map(str, rows)))
        return dict(zip(self.outputs, found[0] if found else (None,) * len(self.outputs), strict=True))

    def reads(self) -> tuple[frozenset[str], tuple[frozenset[str], ...]]:
        """The names its inputs and cells read, and those that each output reads besides; required outputs are among them."""
        names: set[str] = set()
        for row in self.spec.rules:
            for cell in row[0]:
                read_cell(cell, names)
        for expression in self._inputs:
            names.update(expression.names)
        columns = tuple(
            frozenset(name for rule in self._rules if (result := rule.results[place]) is not None for name in result.names)
            for place in range(len(self.outputs))
        )
        return frozenset(names - {INPUT}), columns


def compile_decisions(specs: Sequence[TableSpec], file: str = "") -> tuple[Decision, ...]:
    """Compile the decisions of one file, in their order.

    Raises:
        DefinitionRefused: with every finding.
    """
    findings: list[Finding] = []
    by_id = {spec.id: spec for spec in specs}
    made: dict[str, Decision | None] = {}  # None: refused, and not to be tried again by whatever requires it

    def make(spec: TableSpec, path: tuple[str, ...]) -> Decision | None:
        if spec.id in made:
            return made[spec.id]
        required = []
        for name in spec.requires:
            if name in path or name == spec.id:
                findings.append(Finding("decision_cycle", f"決定「{name}」が自分自身を必要としています。", spec.id, file))
            elif name not in by_id:
                findings.append(Finding("decision_unknown", f"必要な決定「{name}」が、このファイルにありません。", spec.id, file))
            else:
                needed = make(by_id[name], (*path, spec.id))
                if needed is not None:
                    required.append(needed)
        before = len(findings)
        decision = _compile(spec, tuple(required), file, findings)
        made[spec.id] = decision if len(findings) == before else None
        return made[spec.id]

    result = [make(spec, ()) for spec in specs]
    if findings:
        raise DefinitionRefused(list(dict.fromkeys(findings))[: DEFAULT.findings])
    return tuple(decision for decision in result if decision is not None)


def _why(error: ExpressionError | OverflowError) -> str:
    return error.text if isinstance(error, ExpressionError) else "数が大きすぎます。"  # a whole number of hundreds of digits


def _compile(spec: TableSpec, required: tuple[Decision, ...], file: str, findings: list[Finding]) -> Decision:
    names: set[str] = set()

    def expression(text: str, where: str) -> Expression | None:
        try:
            compiled = compile_expression(text)
        except (ExpressionError, OverflowError) as error:
            findings.append(Finding("expression", f"{where}：{_why(error)}", spec.id, file))
            return None
        names.update(compiled.names)
        return compiled

    if spec.hit_policy not in SINGLE + LISTS or spec.aggregation:
        policy = f"{spec.hit_policy} {spec.aggregation}".strip()
        findings.append(
            Finding("hit_policy", f"ヒットポリシー「{policy}」は使えません（使えるもの：{'、'.join(SINGLE + LISTS)}）。", spec.id, file)
        )
    inputs = [expression(text, f"入力{number}列目") for number, text in enumerate(spec.inputs, 1)]
    rules = []
    for number, (cells, results) in enumerate(spec.rules, 1):
        if len(cells) != len(spec.inputs) or len(results) != len(spec.outputs):
            findings.append(Finding("dmn", f"{number}行目の列の数が合いません。", spec.id, file))
            continue
        tests: list[Test | None] = []
        for place, cell in enumerate(cells, 1):
            try:
                tests.append(read_cell(cell, names))
            except (ExpressionError, OverflowError) as error:
                findings.append(Finding("expression", f"{number}行目の入力{place}列目：{_why(error)}", spec.id, file))
        rules.append(
            Rule(
                tuple(tests),
                tuple(expression(text, f"{number}行目の出力{place}列目") if text else None for place, text in enumerate(results, 1)),
            )
        )
    own = {output for decision in required for output in decision.outputs}
    return Decision(
        id=spec.id,
        name=spec.name,
        hit_policy=spec.hit_policy,
        outputs=spec.outputs,
        names=frozenset((names - own - {INPUT}).union(*(decision.names for decision in required))),
        requires=required,
        spec=spec,
        _inputs=tuple(item for item in inputs if item is not None),
        _rules=tuple(rules),
    )


# --- cells ------------------------------------------------------------------------------------------------------------------------------

_COMPARISON = re.compile(r"(<=|>=|<|>|!=|=)\s*(.+)", re.DOTALL)
_RANGE = re.compile(r"([\[\](])\s*(.+?)\s*\.\.\s*(.+?)\s*([\[\])])", re.DOTALL)
_NEGATION = re.compile(r"not\s*\((.*)\)", re.DOTALL)
_ORDERS = {"<": operator.lt, "<=": operator.le, ">": operator.gt, ">=": operator.ge}
#: Words of the three-valued facts: without quotes they would be names, read as null, and the row would silently never match.
_WORDS = frozenset({"yes", "no", "unknown", "review"})


def read_cell(text: str, names: set[str] | None = None) -> Test | None:
    """The test an input cell means; None when it takes anything. Names that it reads are added to `names`."""
    text = text.strip()
    if text in ("", "-"):
        return None
    negation = _NEGATION.fullmatch(text)
    if negation and _closes_at_end(text):
        inner = _any_of(negation[1], names)
        return lambda value, values, functions: not inner(value, values, functions)
    return _any_of(text, names)


def _closes_at_end(text: str) -> bool:
    """Whether the parenthesis after `not` is closed by the last character, so that `not(a) and (b)` is an expression."""
    return len(_split(text[text.index("(") + 1 : -1], ")")) == 1


def _any_of(text: str, names: set[str] | None) -> Test:
    tests = [_one(part.strip(), names) for part in _split(text, ",")]
    if len(tests) == 1:
        return tests[0]
    return lambda value, values, functions: any(test(value, values, functions) for test in tests)


def _one(text: str, names: set[str] | None) -> Test:
    def operand(source: str) -> Expression:
        if source in _WORDS:
            raise ExpressionError(source=source, position=0, why=f'文字列は引用符で囲んでください："{source}"')
        compiled = compile_expression(source)
        if names is not None:
            names.update(compiled.names)
        return compiled

    bounds = _RANGE.fullmatch(text)
    if bounds:
        low, high = operand(bounds[2]), operand(bounds[3])
        above = operator.ge if bounds[1] == "[" else operator.gt
        below = operator.le if bounds[4] == "]" else operator.lt
        return lambda value, values, functions: (
            _in_order(above, value, low.evaluate(values, functions), text)
            and _in_order(below, value, high.evaluate(values, functions), text)
        )
    comparison = _COMPARISON.fullmatch(text)
    if comparison and not comparison[2].startswith("="):
        sign, right = comparison[1], operand(comparison[2])
        if sign in ("=", "!="):
            return lambda value, values, functions: equal(value, right.evaluate(values, functions)) is (sign == "=")
        compare = _ORDERS[sign]
        return lambda value, values, functions: _in_order(compare, value, right.evaluate(values, functions), text)
    marked = _with_input(text)
    if marked != text:
        asked = operand(marked)
        return lambda value, values, functions: truth(asked.evaluate({**values, INPUT: value}, functions), text)
    literal = operand(text)
    return lambda value, values, functions: equal(value, literal.evaluate(values, functions))


def _in_order(compare: Callable[[Any, Any], Any], one: Any, two: Any, text: str) -> bool:
    try:
        return ordered(compare, one, two)
    except (TypeError, ValueError):
        raise ExpressionError(source=text, position=0, why=f"{one!r} と {two!r} の大小は比べられません。") from None


def _with_input(text: str) -> str:
    """The text with every `?` outside quotes replaced by the name of the input."""
    result, quote = [], ""
    for char in text:
        if quote:
            quote = "" if char == quote else quote
        elif char in "\"'":
            quote = char
        elif char == "?":
            char = INPUT
        result.append(char)
    return "".join(result)


def _split(text: str, separator: str) -> list[str]:
    """Parts at the top level: not inside quotes, parentheses or brackets (a range's outward brackets count as brackets)."""
    parts, depth, quote, start = [], 0, "", 0
    for place, char in enumerate(text):
        if quote:
            quote = "" if char == quote else quote
        elif char in "\"'":
            quote = char
        elif char == separator and depth == 0:
            parts.append(text[start:place])
            start = place + 1
        elif char in "([":
            depth += 1
        elif char in ")]":
            depth -= 1
    parts.append(text[start:])
    return parts


__all__ = ["Decision", "DecisionAmbiguous", "TableSpec", "compile_decisions", "read_cell"]
