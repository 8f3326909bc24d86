"""What a case's facts say in the columns of a ledger: values by kind, and the words for them."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any

from engine.clock import JST
from engine.era import read_date
from engine.expressions import compile_expression
from engine.forms import parse_instant
from engine.ledger_rules import Ledger, LedgerColumn
from engine.net import FieldSpec, Net

Value = str | int | float | None
Values = dict[str, Value]
#: person id -> name of each of several people.
Names = Callable[[Sequence[str]], Mapping[str, str]]

YES_NO = {"yes": "はい", "no": "いいえ", "unknown": "不明"}
LONGEST_ITEM = 120
_FIGURES = re.compile(r"[+-]?[0-9]{1,15}(\.[0-9]{1,6})?")


@dataclass(frozen=True)
class Passed:
    """One passing of a `ledger` task: which ledger, the state it gives, and the facts as they were then."""

    ledger: Ledger
    state: str
    node: str
    facts: Mapping[str, Any]


@dataclass(frozen=True)
class Marked:
    """What is to stand in entries that are not the case's own: a state, and values by column; those that are closed stay as they are."""

    ledger: Ledger
    entries: tuple[int, ...]
    state: str
    values: Mapping[str, Any]
    node: str


@dataclass(frozen=True)
class Item:
    """What is to stand in one entry. `key` tells the entries of one case apart; empty when there is one."""

    key: str
    values: Values


def items(ledger: Ledger, facts: Mapping[str, Any], functions: Mapping[str, Callable[..., Any]], net: Net, names: Names) -> list[Item]:
    """The entries that a case has in a ledger by these facts.

    Args:
        facts: the case's, with `case_number` and `case_id`.
        functions: the functions of the case (`today()`, `due()`, …).
        net: the diagram, whose forms say how choices are called.
        names: names of people that a fact lists by id.

    Raises:
        ExpressionError: a column's expression cannot be worked out.
    """
    specs = _specs(net)
    if not ledger.rows:
        return [Item("", _values(ledger, facts, functions, specs, names))]
    found: list[Item] = []
    taken: set[str] = set()
    for number, row in enumerate(facts.get(ledger.rows) or (), 1):
        values = _values(ledger, {**facts, **row}, functions, specs, names)
        own = str(values.get(ledger.key) or "")[:LONGEST_ITEM] if ledger.key else ""
        key = own or f"#{number}"
        if key in taken:  # two of the same name: both stand in the ledger, told apart by their place
            key = f"{key[: LONGEST_ITEM - 6]}#{number}"
        taken.add(key)
        found.append(Item(key, values))
    return found


def _specs(net: Net) -> dict[str, FieldSpec]:
    found: dict[str, FieldSpec] = {}
    for node in net.nodes:
        for spec in node.form:
            found.setdefault(spec.id, spec)
    return found


def _values(
    ledger: Ledger,
    facts: Mapping[str, Any],
    functions: Mapping[str, Callable[..., Any]],
    specs: Mapping[str, FieldSpec],
    names: Names,
) -> Values:
    values: Values = {}
    for column in ledger.columns:
        value = compile_expression(column.value).evaluate(facts, functions)
        name = column.value.strip()
        spec = specs.get(name)
        if name == "reporter" or (spec is not None and spec.type == "people"):
            known = [str(one) for one in value] if isinstance(value, list) else [str(value)] if value else []
            called = names(known)
            value = [called.get(one, one) for one in known]
        elif column.kind == "choice" and spec is not None:
            labels = {choice.value: choice.label for choice in spec.choices}
            value = [labels.get(str(one), one) for one in value] if isinstance(value, list) else labels.get(str(value), value)
        values[column.id] = converted(column.kind, value)
    return values


def choices_of(column: LedgerColumn, net: Net) -> tuple[str, ...]:
    """The words of a column that takes one of the choices of a form; empty when any words will do."""
    spec = _specs(net).get(column.value.strip())
    if column.kind != "choice" or spec is None or spec.type != "enum":
        return ()
    return tuple(choice.label for choice in spec.choices)


def converted(kind: str, value: Any) -> Value:
    """A value as a column of a kind keeps it. What does not fit stays as it was typed: the ledger shows what was there, and stops nobody."""
    if isinstance(value, (list, tuple)):
        parts = [converted(kind, one) for one in value]
        return "、".join(words(kind, part, {}) for part in parts if part not in (None, "")) or None
    if value is None or value == "":
        return None
    try:
        return _CONVERTERS.get(kind, str)(value)
    except ValueError:
        return str(value)


def _date(value: Any) -> str:
    if isinstance(value, datetime):
        return value.astimezone(JST).date().isoformat()
    if isinstance(value, date):
        return value.isoformat()
    text = str(value)
    return read_date(text).isoformat() if "T" not in text else parse_instant(text).astimezone(JST).date().isoformat()


def _instant(value: Any) -> str:
    if isinstance(value, datetime):
        return value.astimezone(JST).isoformat(timespec="minutes")
    if isinstance(value, date):
        return value.isoformat()  # a day alone has no time that could be written
    text = str(value)
    try:
        return read_date(text).isoformat()
    except ValueError:
        return parse_instant(text).astimezone(JST).isoformat(timespec="minutes")


def _number(value: Any) -> int | float:
    if isinstance(value, bool):
        raise ValueError(value)
    if isinstance(value, (int, float)):
        return value
    text = unicodedata.normalize("NFKC", str(value)).strip().replace(",", "")
    if not _FIGURES.fullmatch(text):
        raise ValueError(text)
    return float(text) if "." in text else int(text)


def _yes_no(value: Any) -> str:
    if isinstance(value, bool):
        return "yes" if value else "no"
    if value in ("true", "false"):
        return "yes" if value == "true" else "no"
    return str(value)


_CONVERTERS: Mapping[str, Callable[[Any], Value]] = {"date": _date, "datetime": _instant, "number": _number, "yes_no": _yes_no}


def day_of(value: Value) -> date | None:
    """The Japanese day of a column's date or instant; None when it has none."""
    try:
        return date.fromisoformat(str(value)[:10]) if value not in (None, "") else None
    except ValueError:
        return None


def words(kind: str, value: Value, units: Mapping[str, str]) -> str:
    """A value as a person reads it; empty when there is none.

    Args:
        units: unit id -> name.
    """
    if value is None or value == "":
        return ""
    text = str(value)
    if kind == "unit":
        return units.get(text, text)
    if kind == "yes_no":
        return YES_NO.get(text, text)
    if kind == "number" and isinstance(value, int):
        return f"{value:,}"
    if kind in ("date", "datetime"):
        return _day_words(text)
    return text


def _day_words(text: str) -> str:
    try:
        at = datetime.fromisoformat(text)
    except ValueError:
        return text
    day = f"{at.year}年{at.month}月{at.day}日"
    return day if len(text) == 10 else f"{day} {at:%H:%M}"


def folded(text: str) -> str:
    """A text as it is looked for: full and half width, large and small letters are one."""
    return unicodedata.normalize("NFKC", text).casefold()


def searched(ledger: Ledger, values: Mapping[str, Value], units: Mapping[str, str]) -> tuple[str, str]:
    """What a search looks through: the words of the open columns, and those of the masked ones."""
    return tuple("\n".join(_looked_for(ledger, values, units, masked)) for masked in (False, True))  # type: ignore[return-value]


def _looked_for(ledger: Ledger, values: Mapping[str, Value], units: Mapping[str, str], masked: bool) -> Iterator[str]:
    for column in ledger.columns:
        value = values.get(column.id)
        if column.masked is masked and value not in (None, ""):
            yield folded(words(column.kind, value, units))
            if column.kind in ("date", "datetime"):
                yield folded(str(value))
