"""The small language of conditions, timers and decision tables: read with Python's grammar, run by our own closures, never by eval.

Rules that differ from Python, each so that a missing or unknown answer never silently decides a case:

* A name without a value reads as None (`null`). `null < x`, `null > x` and so on are False; `x in null` is False; arithmetic with null is null.
* `and`, `or`, `not`, `if` and flow conditions take true, false or null (as false). A word such as "unknown" there is an error, not a
  truth: write `sensitive == "yes"`.
* `==` never mixes truth values with numbers: `true == 1` is False.
* Order compares numbers with numbers, text with text, times with times; an ISO 8601 text is read as a time beside a time.
* Nothing can change its inputs, loop, build text, reach an attribute or call anything but the named functions.
"""

from __future__ import annotations

import ast
import math
import operator
import re
from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from functools import lru_cache
from typing import Any

from engine.clock import JST, end_of_day
from engine.errors import ExpressionError

MAX_SOURCE = 1_000
MAX_NODES = 200
MAX_LITERAL = 300
MAX_ITEMS = 100
MAX_NUMBER = 10**15

CONSTANTS: Mapping[str, Any] = {"null": None, "true": True, "false": False}

Values = Mapping[str, Any]
Functions = Mapping[str, Callable[..., Any]]
Run = Callable[[Values, Functions], Any]


# --- the pure functions (contract §7) ---------------------------------------------------------------------------------------------------


def three(value: Any) -> str:
    """The three-valued reading of a fact: "yes", "no" or "unknown"; what is neither is unknown, so that unknown is never no."""
    if value is True or value == "yes":
        return "yes"
    if value is False or value == "no":
        return "no"
    return "unknown"


def either(*values: Any) -> str:
    """Three-valued or."""
    read = [three(value) for value in _flat(values)]
    return "yes" if "yes" in read else "unknown" if "unknown" in read else "no"


def every(*values: Any) -> str:
    """Three-valued and."""
    read = [three(value) for value in _flat(values)]
    return "no" if "no" in read else "unknown" if "unknown" in read else "yes"


def opposite(value: Any) -> str:
    """Three-valued not."""
    return {"yes": "no", "no": "yes"}.get(three(value), "unknown")


def over(value: Any, limit: Any) -> str:
    """Whether a number is greater than a limit; unknown when either is not known."""
    if not _is_number(value) or not _is_number(limit):
        return "unknown"
    return "yes" if value > limit else "no"


def has(items: Any, value: Any) -> bool:
    """Whether a list holds a value; an absent list holds nothing."""
    return isinstance(items, (list, tuple, set, frozenset)) and any(equal(item, value) for item in items)


def size(items: Any) -> int:
    """How many elements a list has; an absent list has none."""
    return len(items) if isinstance(items, (list, tuple, set, frozenset, dict, str)) else 0


def known(value: Any) -> bool:
    """Whether a fact has been answered."""
    return value is not None and value not in ("", "unknown")


def greatest(*values: Any) -> Any:
    """The greatest of the values that are known; null when none is."""
    rest = [value for value in _flat(values) if value is not None]
    return max(rest) if rest else None


def smallest(*values: Any) -> Any:
    """The smallest of the values that are known; null when none is."""
    rest = [value for value in _flat(values) if value is not None]
    return min(rest) if rest else None


def later(start: Any, number: Any) -> datetime | None:
    """The instant so many days after an instant, at the same time of day in Japan; a day counts from its end, 24:00.

    Args:
        start: an instant or a day, or its ISO 8601 text; null gives null.
        number: whole days; null gives null.
    """
    if start is None or number is None:
        return None
    if not isinstance(number, int) or isinstance(number, bool):
        raise TypeError("not a number of days")
    if isinstance(start, str) and len(start) == 10:
        start = date.fromisoformat(start)
    is_day = isinstance(start, date) and not isinstance(start, datetime)
    return (end_of_day(start) if is_day else instant(start)).astimezone(JST) + timedelta(days=number)


def instant(value: Any) -> datetime:
    """An instant, or the ISO 8601 text of one; a time without a zone is a Japanese civil time.

    Raises:
        TypeError, ValueError: it is none; a day has no time of day.
    """
    if isinstance(value, str) and len(value) > 10:
        value = datetime.fromisoformat(value)
    if not isinstance(value, datetime):
        raise TypeError("not an instant")
    return value if value.tzinfo else value.replace(tzinfo=JST)


PURE_FUNCTIONS: Functions = {
    "either": either,
    "every": every,
    "opposite": opposite,
    "over": over,
    "has": has,
    "size": size,
    "known": known,
    "greatest": greatest,
    "smallest": smallest,
    "later": later,
}
#: Functions that need the case or the instant; whoever evaluates hands them in.
HOST_FUNCTIONS = frozenset({"due", "now", "today", "days", "hours", "working_days", "setting", "in_office_hours"})
KNOWN_FUNCTIONS = frozenset(PURE_FUNCTIONS) | HOST_FUNCTIONS


def _flat(values: Iterable[Any]) -> list[Any]:
    """A call with one list means its elements."""
    items = list(values)
    return list(items[0]) if len(items) == 1 and isinstance(items[0], (list, tuple)) else items


def _is_number(value: Any) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool)


def equal(left: Any, right: Any) -> bool:
    """Equality that keeps truth values apart from numbers."""
    if isinstance(left, bool) != isinstance(right, bool):
        return False
    return bool(left == right)


def truth(value: Any, source: str = "") -> bool:
    """What a condition decides; only true, false and null (as false) can decide.

    Raises:
        ExpressionError: for anything else, since "no" and "unknown" would count as true.
    """
    if value is True or value is False:
        return value
    if value is None:
        return False
    raise ExpressionError(source=source, position=0, why=f'値 {value!r} は真偽値ではありません（例：== "yes" と比べてください）。')


# --- compiled expressions ---------------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Expression:
    """An expression that compiled; evaluating it cannot change anything."""

    source: str
    names: frozenset[str]
    _run: Run = field(repr=False, compare=False)

    def evaluate(self, values: Values, functions: Functions | None = None) -> Any:
        """The value over these facts.

        Args:
            values: name -> value; an absent name is null.
            functions: the host's functions (`due`, `now`, ...).

        Raises:
            ExpressionError: the values do not fit the operators.
        """
        return self._run(values, functions or {})


def compile_expression(
    source: str, known_names: Collection[str] | None = None, known_functions: Collection[str] = KNOWN_FUNCTIONS
) -> Expression:
    """Read an expression; a surrounding `${...}` is taken off. Compiled once per text.

    Args:
        source: the text.
        known_names: when given, any other name is refused.
        known_functions: names that may be called.

    Raises:
        ExpressionError: it does not compile; `position` counts characters of `source` from 0.
    """
    functions = known_functions if isinstance(known_functions, frozenset) else frozenset(known_functions)
    expression, places = _compiled(source, functions)
    if known_names is not None:
        for name, position in places:
            if name not in known_names:
                listed = "、".join(sorted(known_names))
                raise ExpressionError(source=source, position=position, why=f"名前「{name}」はありません（使える名前：{listed}）。")
    return expression


def syntax(source: str) -> ast.expr:
    """The syntax tree of an expression that compiles, for those who reason about it instead of evaluating it.

    Raises:
        ExpressionError: it does not compile.
    """
    compiler = _Compiler(source, KNOWN_FUNCTIONS)
    compiler.compile()
    return ast.parse(compiler.text, mode="eval").body


_SETTING = re.compile(r"\bsetting\s*\(\s*(?:\"([^\"]*)\"|'([^']*)')?")


def settings_of(source: str) -> tuple[str, ...]:
    """The ids of settings that an expression, or a cell of a table, asks for; "" where the id is not written out."""
    return tuple(one or two for one, two in _SETTING.findall(source))


@lru_cache(maxsize=4096)
def calls(source: str) -> tuple[tuple[str, Any], ...]:
    """(function, first argument where it is written out, else None) of every call in an expression that compiles."""
    return tuple(
        (part.func.id, part.args[0].value if part.args and isinstance(part.args[0], ast.Constant) else None)
        for part in ast.walk(syntax(source))
        if isinstance(part, ast.Call) and isinstance(part.func, ast.Name)
    )


@lru_cache(maxsize=4096)
def _compiled(source: str, functions: frozenset[str]) -> tuple[Expression, tuple[tuple[str, int], ...]]:
    compiler = _Compiler(source, functions)
    run = compiler.compile()
    return Expression(source, frozenset(name for name, _ in compiler.names), run), tuple(compiler.names)


class _Compiler:
    """One pass from syntax tree to closures; what is not listed here does not exist in the language."""

    def __init__(self, source: str, functions: frozenset[str]) -> None:
        self.source = source
        self.functions = functions
        self.names: list[tuple[str, int]] = []
        body = source.replace("\r", " ").replace("\n", " ").replace("\t", " ")
        stripped = body.strip()
        self.offset = len(body) - len(body.lstrip())
        if stripped.startswith("${") and stripped.endswith("}"):
            inner = stripped[2:-1]
            self.offset += 2 + len(inner) - len(inner.lstrip())
            stripped = inner.strip()
        self.text = stripped

    def refuse(self, why: str, at: ast.AST | int | None = None) -> ExpressionError:
        """The refusal, with the place in the source as it was written."""
        return ExpressionError(source=self.source, position=at if isinstance(at, int) else self.place(at), why=why)

    def place(self, at: ast.AST | None) -> int:
        """Where a node starts, in characters of the source (the syntax tree counts bytes)."""
        column = getattr(at, "col_offset", 0)
        return self.offset + len(self.text.encode()[:column].decode(errors="ignore"))

    def compile(self) -> Run:
        """Check the bounds, read, translate."""
        if len(self.source) > MAX_SOURCE:
            raise self.refuse(f"長すぎます（{MAX_SOURCE}文字まで）。", MAX_SOURCE)
        if not self.text:
            raise self.refuse("空です。", 0)
        if "\\" in self.text:  # escapes could hide characters and make the grammar warn
            raise self.refuse("「\\」は使えません。", self.offset + self.text.index("\\"))
        try:
            tree = ast.parse(self.text, mode="eval")
        except SyntaxError as error:
            raise self.refuse("式として読めません。", self.offset + max((error.offset or 1) - 1, 0)) from None
        except (ValueError, RecursionError, MemoryError):
            raise self.refuse("式として読めません。", self.offset) from None
        if sum(1 for _ in ast.walk(tree)) > MAX_NODES:
            raise self.refuse(f"複雑すぎます（{MAX_NODES}要素まで）。", self.offset)
        return self.visit(tree.body)

    def visit(self, node: ast.expr) -> Run:
        """The closure of one node."""
        handler = getattr(self, f"_{type(node).__name__.lower()}", None)
        if handler is None:
            raise self.refuse(f"{_WORDS.get(type(node).__name__, type(node).__name__)}は使えません。", node)
        run: Run = handler(node)
        return run

    def _constant(self, node: ast.Constant) -> Run:
        value: Any = node.value
        if isinstance(value, str):
            if len(value) > MAX_LITERAL:
                raise self.refuse(f"文字列が長すぎます（{MAX_LITERAL}文字まで）。", node)
        elif _is_number(value):
            if abs(value) > MAX_NUMBER or not math.isfinite(value):
                raise self.refuse("数が大きすぎます。", node)
        elif value is not None and not isinstance(value, bool):
            raise self.refuse("この種類の値は使えません。", node)
        return lambda _values, _functions: value

    def spelled(self, node: ast.Name) -> str:
        """The name as it is written: the grammar would take letters that only look alike (ｄｕｅ) for the name they stand for."""
        written = self.text.encode()[node.col_offset : node.end_col_offset].decode(errors="replace")
        if written != node.id:
            raise self.refuse(f"「{written}」の文字は使えません。「{node.id}」と書いてください。", node)
        return node.id

    def _name(self, node: ast.Name) -> Run:
        name = self.spelled(node)
        if name in CONSTANTS:
            constant = CONSTANTS[name]
            return lambda _values, _functions: constant
        if name in self.functions:
            raise self.refuse(f"「{name}」は関数です。「{name}(…)」と書いてください。", node)
        self.names.append((name, self.place(node)))
        return lambda values, _functions: values.get(name)

    def _list(self, node: ast.List | ast.Tuple) -> Run:
        if len(node.elts) > MAX_ITEMS:
            raise self.refuse(f"要素が多すぎます（{MAX_ITEMS}個まで）。", node)
        items = [self.visit(item) for item in node.elts]
        return lambda values, functions: [item(values, functions) for item in items]

    _tuple = _list

    def _boolop(self, node: ast.BoolOp) -> Run:
        parts = [self.visit(part) for part in node.values]
        source, stop = self.source, isinstance(node.op, ast.Or)

        def run(values: Values, functions: Functions) -> bool:
            for part in parts:
                if truth(part(values, functions), source) is stop:
                    return stop
            return not stop

        return run

    def _unaryop(self, node: ast.UnaryOp) -> Run:
        operand, source = self.visit(node.operand), self.source
        if isinstance(node.op, ast.Not):
            return lambda values, functions: not truth(operand(values, functions), source)
        if isinstance(node.op, ast.Invert):
            raise self.refuse("「~」は使えません。", node)
        sign = -1 if isinstance(node.op, ast.USub) else 1

        def run(values: Values, functions: Functions) -> Any:
            value = operand(values, functions)
            if value is None:
                return None
            if not _is_number(value):
                raise self.refuse("符号は数にだけ付けられます。", node)
            return sign * value

        return run

    def _binop(self, node: ast.BinOp) -> Run:
        function = _ARITHMETIC.get(type(node.op))
        if function is None:
            raise self.refuse("使える演算は + - * です。", node)
        left, right = self.visit(node.left), self.visit(node.right)
        times = isinstance(node.op, ast.Mult)

        def run(values: Values, functions: Functions) -> Any:
            one, two = left(values, functions), right(values, functions)
            if one is None or two is None:
                return None
            if _is_number(one) and _is_number(two):
                result = function(one, two)
                if abs(result) > MAX_NUMBER:
                    raise self.refuse("計算の結果が大きすぎます。", node)
                return result
            if not times and isinstance(one, (str, date, timedelta)) and isinstance(two, (str, date, timedelta)):
                try:
                    return function(_moment(one, two), _moment(two, one))
                except (TypeError, ValueError, OverflowError):
                    pass
            raise self.refuse("数または日時の計算ではありません。", node)

        return run

    def _compare(self, node: ast.Compare) -> Run:
        operands = [self.visit(part) for part in (node.left, *node.comparators)]
        tests: list[Callable[[Any, Any], bool]] = []
        for op in node.ops:
            kind = type(op)
            if kind in _ORDER:
                tests.append(self._ordering(_ORDER[kind], node))
            elif kind in _SAMENESS:
                tests.append(_SAMENESS[kind])
            else:
                raise self.refuse("「is」は使えません。「==」を使ってください。", node)
        if len(tests) == 1:
            test, left, right = tests[0], operands[0], operands[1]
            return lambda values, functions: test(left(values, functions), right(values, functions))

        def run(values: Values, functions: Functions) -> bool:
            one = operands[0](values, functions)
            for test, operand in zip(tests, operands[1:], strict=True):
                two = operand(values, functions)
                if not test(one, two):
                    return False
                one = two
            return True

        return run

    def _ordering(self, compare: Callable[[Any, Any], Any], node: ast.Compare) -> Callable[[Any, Any], bool]:
        def test(one: Any, two: Any) -> bool:
            try:
                return ordered(compare, one, two)
            except (TypeError, ValueError):
                raise self.refuse(f"{one!r} と {two!r} の大小は比べられません。", node) from None

        return test

    def _ifexp(self, node: ast.IfExp) -> Run:
        test, then, other, source = self.visit(node.test), self.visit(node.body), self.visit(node.orelse), self.source
        return lambda values, functions: (then if truth(test(values, functions), source) else other)(values, functions)

    def _call(self, node: ast.Call) -> Run:
        if not isinstance(node.func, ast.Name):
            raise self.refuse("呼び出せるのは名前のある関数だけです。", node)
        name = self.spelled(node.func)
        if name not in self.functions:
            listed = "、".join(sorted(self.functions))
            raise self.refuse(f"関数「{name}」はありません（使える関数：{listed}）。", node)
        if node.keywords or any(isinstance(argument, ast.Starred) for argument in node.args):
            raise self.refuse("引数は順に並べてください。", node)
        arguments = [self.visit(argument) for argument in node.args]
        pure = PURE_FUNCTIONS.get(name)

        def run(values: Values, functions: Functions) -> Any:
            function = pure or functions.get(name)
            if function is None:
                raise self.refuse(f"関数「{name}」はここでは使えません。", node)
            given = [argument(values, functions) for argument in arguments]
            try:
                return function(*given)
            except (TypeError, ValueError, OverflowError, AttributeError):
                raise self.refuse(f"関数「{name}」に渡した値が合いません。", node) from None

        return run


def ordered(compare: Callable[[Any, Any], Any], one: Any, two: Any) -> bool:
    """An order comparison of the language; False with null, TypeError when the two have no order."""
    if one is None or two is None:
        return False
    if _is_number(one) and _is_number(two):
        return bool(compare(one, two))
    if isinstance(one, str) and isinstance(two, str):
        return bool(compare(one, two))
    if isinstance(one, (str, date, timedelta)) and isinstance(two, (str, date, timedelta)):
        return bool(compare(_moment(one, two), _moment(two, one)))
    raise TypeError


def _moment(value: Any, beside: Any) -> Any:
    """An ISO text beside a time is read as a time; anything else stays."""
    if not isinstance(value, str):
        return value
    if isinstance(beside, (timedelta, datetime)):
        return date.fromisoformat(value) if isinstance(beside, timedelta) and len(value) == 10 else datetime.fromisoformat(value)
    return date.fromisoformat(value[:10]) if isinstance(beside, date) else value


def _contains(item: Any, container: Any) -> bool:
    if isinstance(container, str):
        return isinstance(item, str) and item in container
    return isinstance(container, (list, tuple, set, frozenset, dict)) and any(equal(each, item) for each in container)


_ARITHMETIC: Mapping[type[ast.operator], Callable[[Any, Any], Any]] = {
    ast.Add: operator.add,
    ast.Sub: operator.sub,
    ast.Mult: operator.mul,
}
_ORDER: Mapping[type[ast.cmpop], Callable[[Any, Any], Any]] = {
    ast.Lt: operator.lt,
    ast.LtE: operator.le,
    ast.Gt: operator.gt,
    ast.GtE: operator.ge,
}
_SAMENESS: Mapping[type[ast.cmpop], Callable[[Any, Any], bool]] = {
    ast.Eq: equal,
    ast.NotEq: lambda one, two: not equal(one, two),
    ast.In: _contains,
    ast.NotIn: lambda one, two: not _contains(one, two),
}
#: What a refusal calls the parts of Python that are not part of the language.
_WORDS: Mapping[str, str] = {
    "Attribute": "「.」による参照",
    "Subscript": "「[ ]」による参照",
    "Lambda": "lambda",
    "ListComp": "内包表記",
    "SetComp": "内包表記",
    "DictComp": "内包表記",
    "GeneratorExp": "内包表記",
    "JoinedStr": "f文字列",
    "NamedExpr": "「:=」",
    "Dict": "辞書",
    "Set": "集合",
    "Starred": "「*」",
    "Await": "await",
    "Yield": "yield",
}
