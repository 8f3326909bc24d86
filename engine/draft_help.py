"""What the designer answers while somebody types: whether an expression can stand there, and how a form will look. Nothing is stored or run."""

from __future__ import annotations

import ast
import re
from collections.abc import Collection, Mapping, Sequence
from typing import Any

from engine import forms
from engine.errors import ExpressionError
from engine.expressions import compile_expression, truth
from engine.gate_check import LOCALS, usable
from engine.gate_elements import CONSTRAINTS, FIELD_TYPES
from engine.gate_extensions import near
from engine.net import Choice, FieldSpec, listed, read_timer
from engine.views import FieldShown

#: Letters of one text of a form that are looked at.
LONGEST = 4_000
MOST_CHOICES = 300

Wrong = tuple[int, str]
#: Kinds of timers, and what is said of a text that is none.
TIMERS: Mapping[str, str] = {
    "date": "日時（2026-12-01T09:00:00+09:00 など）または式として読めません。",
    "duration": "期間（P3D、PT24H など）または式として読めません。",
    "cycle": "繰り返し（R/P1D、R3/PT24H など）または式として読めません。",
}
KINDS = frozenset({"condition", "value", "sets", *TIMERS})


def check_expression(text: str, kind: str, known: Collection[str] = ()) -> Wrong | None:
    """(position, Japanese sentence) of what is wrong with an expression while it is typed; None when nothing is.

    Args:
        kind: `condition` (decides), `value`, `sets` (`fact=expression`, comma-separated), or a key of TIMERS (ISO 8601 or an expression).
        known: the names it may read; empty looks at none.
    """
    if not text.strip():
        return None
    if kind == "sets":
        return _sets(text, known)
    if kind in TIMERS:
        try:
            if read_timer(kind, text).literal:
                return None
        except ValueError:
            return 0, TIMERS[kind]
    wrong = _compiles(text, known)
    if wrong is None and kind == "condition" and not compile_expression(text).names and "(" not in text:
        try:
            truth(compile_expression(text).evaluate({}), text)
        except ExpressionError as error:
            return int(error.ids["position"]), str(error.ids["why"])
    return wrong


def _compiles(text: str, known: Collection[str]) -> Wrong | None:
    try:
        compiled = compile_expression(text)
        unknown = compiled.names - set(known) - LOCALS if known else frozenset()
        if unknown:
            compile_expression(text, compiled.names - unknown)
    except ExpressionError as error:
        position = int(error.ids["position"])
        found = re.match(r"\w+", text[position:])
        if known and found and found[0] in _names(text) - set(known) - LOCALS:
            return position, f"「{found[0]}」という項目はありません{near(found[0], known)}。"
        if position == 0 and text.strip() and _breaks_off(text):
            position = len(text.rstrip())
        return position, str(error.ids["why"])
    except OverflowError:  # a whole number of hundreds of digits
        return 0, "数が大きすぎます。"
    return None


def _breaks_off(text: str) -> bool:
    """Whether an expression is only not finished yet: Python's parser then names its beginning."""
    try:
        ast.parse(f"{text.strip()} x", mode="eval")
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return False
    return True


def _names(text: str) -> frozenset[str]:
    try:
        return compile_expression(text).names
    except ExpressionError:
        return frozenset()


def _sets(text: str, known: Collection[str]) -> Wrong | None:
    begin = 0
    for part in listed(text):
        begin = max(text.find(part, begin), 0)
        name, separator, source = part.partition("=")
        if not separator or source.startswith("=") or not usable(name.strip()):
            return begin, f"「{part[:60]}」は「項目=値」の形ではありません。"
        wrong = _compiles(source, known)
        if wrong is not None:
            return begin + len(name) + 1 + wrong[0], wrong[1]
        begin += len(part)
    return None


def form_preview(fields: Sequence[Mapping[str, Any]], units: Mapping[str, str]) -> tuple[FieldShown, ...]:
    """A form as it will be shown, from what the designer has on the screen; whatever does not fit is left out.

    Args:
        fields: objects with id, label, type, default, choices ([value, label]), constraints and properties.
    """
    return forms.show([spec for spec in map(_field, fields) if spec.id], {}, units=units)


def _field(given: Mapping[str, Any]) -> FieldSpec:
    choices = given.get("choices")
    pairs = [pair for pair in choices if isinstance(pair, list) and len(pair) == 2] if isinstance(choices, list) else []
    constraints = {name: value for name, value in _texts(given.get("constraints")).items() if name in CONSTRAINTS}
    for name in ("maxlength", "min", "max"):
        if not re.fullmatch(r"-?[0-9]{1,12}", constraints.get(name, "0")):
            del constraints[name]
    return FieldSpec(
        id=_text(given.get("id")),
        label=_text(given.get("label")) or _text(given.get("id")),
        type=kind if (kind := given.get("type")) in FIELD_TYPES else "string",
        default=_text(given.get("default")) or None,
        choices=tuple(Choice(_text(value), _text(label) or _text(value)) for value, label in pairs[:MOST_CHOICES]),
        constraints=constraints,
        properties=_texts(given.get("properties")),
    )


def _text(value: object) -> str:
    return value[:LONGEST] if isinstance(value, str) else ""


def _texts(value: object) -> dict[str, str]:
    return {str(name)[:100]: _text(text) for name, text in value.items()} if isinstance(value, Mapping) else {}
