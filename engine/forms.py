"""Declared fields: read what was entered into typed answers, refuse what does not fit by naming the field, and show values in words."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import date, datetime, timedelta
from typing import TYPE_CHECKING, Any

from engine.clock import JST
from engine.era import read_date
from engine.errors import FormInvalid
from engine.views import FieldShown

if TYPE_CHECKING:
    from engine.net import FieldSpec

MAX_TEXT = 4_000
MAX_STRING = 200
MAX_ROWS = 1_000
MAX_NUMBER = 1_000_000_000

_TIME = re.compile(r"(\d{1,2})(?::|時)(\d{1,2})?(?::(\d{1,2}))?分?")
# Bidirectional controls can make a text read differently from what it says; other controls break papers and exports.
_FORBIDDEN = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\u200e\u200f\u202a-\u202e\u2066-\u2069\ufeff]")

#: The people of the office whose id or name is what was typed: (id, name, where they work).
FindPeople = Callable[[str], Sequence[tuple[str, str, str]]]
MAX_PEOPLE = 50

#: Evaluates an expression over the facts with the answers so far laid over them.
Evaluate = Callable[[str, Mapping[str, Any]], Any]


class _Bad(Exception):
    """One field's value does not fit; the message is the field's Japanese sentence."""


def read(
    fields: Iterable[FieldSpec],
    raw: Mapping[str, Any],
    *,
    facts: Mapping[str, Any],
    now: datetime,
    units: Mapping[str, str],
    evaluate: Evaluate,
    keep_facts: bool = True,
    people: FindPeople = lambda _: (),
) -> dict[str, Any]:
    """Turn what was entered into typed answers.

    Args:
        fields: the declared fields of the form.
        raw: field id -> value in its own type or as an HTML form posts it; `rows` also as `id.0.column` keys.
        facts: what the case knows; an already known fact satisfies a required field that was not posted again.
        now: the instant of the act, for `not_after="now"`.
        units: unit id -> name, the choices of `unit` fields.
        evaluate: the expression evaluator, for `shown_when` and `required_when`.
        keep_facts: False for a step whose answers are not the case's facts (multi-instance).
        people: finds whom a `people` field names.

    Returns:
        field id -> value (str, int, bool, list, None), only for declared fields that were posted and are shown.

    Raises:
        FormInvalid: with one Japanese message per field.
    """
    specs = {spec.id: spec for spec in fields}
    gathered, wrong = _gather(specs, raw)
    answers: dict[str, Any] = {}
    for name, spec in specs.items():
        if name not in gathered or spec.properties.get("readonly") == "true":
            continue  # what is only shown is never changed from here, whatever was posted
        try:
            answers[name] = _value(spec, gathered[name], now, units, people)
        except _Bad as bad:
            wrong[name] = f"「{spec.label}」{bad}"
    known = {**facts, **answers} if keep_facts else {**facts, **dict.fromkeys(specs), **answers}
    for name, spec in specs.items():
        if name in wrong:
            continue
        condition = spec.properties.get("shown_when")
        if condition and evaluate(condition, known) is not True:
            answers.pop(name, None)  # a field that is not shown has no answer, whatever was posted
            continue
        value = known.get(name)
        # A decision offered as buttons must be taken now: an earlier decision of the same step does not count.
        if spec.properties.get("as_buttons") == "true":
            value = answers.get(name)
        if _required(spec, known, evaluate) and _empty(value):
            wrong[name] = f"「{spec.label}」を入力してください。"
        elif name in answers and answers[name] is not None:
            problem = _order(spec, answers[name], known, now, specs, evaluate)
            if problem:
                wrong[name] = f"「{spec.label}」{problem}"
    if wrong:
        raise FormInvalid(wrong)
    return answers


def show(
    fields: Iterable[FieldSpec],
    values: Mapping[str, Any],
    *,
    units: Mapping[str, str],
    errors: Mapping[str, str] | None = None,
) -> tuple[FieldShown, ...]:
    """The fields with their values, ready to be drawn; `values` may hold what was typed and refused."""
    specs = {spec.id: spec for spec in fields}
    typed, _ = _gather(specs, values)
    shown = []
    for spec in specs.values():
        value = typed.get(spec.id)
        if value is None and spec.default not in (None, ""):
            value = spec.default
        choices = tuple(units.items()) if spec.type == "unit" else tuple((choice.value, choice.label) for choice in spec.choices)
        shown.append(
            FieldShown(
                id=spec.id,
                label=spec.label,
                type=spec.type,
                value=value,
                text=words(spec, value, units),
                required="required" in spec.constraints,
                help=spec.properties.get("help", ""),
                choices=choices,
                shown_when=spec.properties.get("shown_when", ""),
                required_when=spec.constraints.get("required_when", ""),
                maxlength=_maxlength(spec) if spec.type in ("string", "text") else None,
                minimum=int(spec.constraints["min"]) if "min" in spec.constraints else None,
                as_buttons=spec.properties.get("as_buttons") == "true",
                readonly=spec.properties.get("readonly") == "true",
                error=(errors or {}).get(spec.id, ""),
            )
        )
    return tuple(shown)


def words(spec: FieldSpec, value: Any, units: Mapping[str, str]) -> str:
    """A value as a person reads it; `units` also gives names for `person:ID`."""
    if value is None or value == "" or value == []:
        return "（未記入）"
    labels = {choice.value: choice.label for choice in spec.choices}
    if spec.type == "boolean":
        return "はい" if value in (True, "true") else "いいえ"
    if spec.type == "enum":
        return labels.get(str(value), str(value))
    if spec.type == "set" and isinstance(value, list):
        return "、".join(labels.get(str(item), str(item)) for item in value)
    if spec.type == "unit":
        return units.get(str(value), str(value))
    if spec.type == "people" and isinstance(value, list):
        return "、".join(units.get(f"person:{item}", str(item)) for item in value)
    if spec.type == "rows" and isinstance(value, list):
        return f"{len(value)}件"
    if spec.type == "datetime":
        return japanese_instant(str(value))
    if spec.type == "date":
        return japanese_day(str(value))
    if isinstance(value, list):  # what a table has collected
        return "".join(str(item) for item in value)
    return str(value)


def japanese_day(text: str) -> str:
    """`2026-11-21` as 2026年11月21日（土）; anything else as it is."""
    try:
        day = date.fromisoformat(text)
    except ValueError:
        return text
    return f"{day.year}年{day.month}月{day.day}日（{'月火水木金土日'[day.weekday()]}）"


def japanese_instant(text: str) -> str:
    """An ISO instant as Japanese civil time; anything else as it is."""
    try:
        instant = datetime.fromisoformat(text).astimezone(JST)
    except ValueError:
        return text
    return f"{japanese_day(instant.date().isoformat())} {instant:%H:%M}"


def _gather(specs: Mapping[str, FieldSpec], raw: Mapping[str, Any]) -> tuple[dict[str, Any], dict[str, str]]:
    """Collect posted values per declared field; anything undeclared is an error of its own name."""
    gathered: dict[str, Any] = {}
    wrong: dict[str, str] = {}
    rows: dict[str, dict[int, dict[str, Any]]] = {}
    for key, value in raw.items():
        if key in specs:
            gathered[key] = value
            continue
        name, _, rest = key.partition(".")
        spec = specs.get(name)
        number, _, column = rest.partition(".")
        if (
            spec is not None
            and spec.type == "rows"
            and re.fullmatch(r"[0-9]{1,4}", number)
            and column in {choice.value for choice in spec.choices}
        ):
            rows.setdefault(name, {}).setdefault(int(number), {})[column] = value
        else:
            wrong[key] = f"「{key[:60]}」は、この画面にない項目です。"
    for name, by_number in rows.items():
        gathered[name] = [by_number[number] for number in sorted(by_number)]
    return gathered, wrong


def _empty(value: Any) -> bool:
    return value is None or value == "" or value == []


def _required(spec: FieldSpec, known: Mapping[str, Any], evaluate: Evaluate) -> bool:
    if "required" in spec.constraints:
        return True
    condition = spec.constraints.get("required_when")
    return bool(condition) and evaluate(condition or "", known) is True


def _maxlength(spec: FieldSpec) -> int:
    return int(spec.constraints.get("maxlength") or (MAX_TEXT if spec.type == "text" else MAX_STRING))


def clean_text(value: Any, limit: int, *, lines: bool) -> str | None:
    """Text in NFC without forbidden characters and outer blanks; None when nothing is left.

    Raises:
        ValueError: with a Japanese sentence.
    """
    if isinstance(value, bool) or not isinstance(value, (str, int, float)):
        raise ValueError("には文字を入力してください。")
    text = unicodedata.normalize("NFC", str(value).replace("\r\n", "\n").replace("\r", "\n")).strip()
    if not lines:
        text = text.replace("\n", " ")
    if _FORBIDDEN.search(text):
        raise ValueError("に使えない制御文字が含まれています。")
    try:
        text.encode()
    except UnicodeEncodeError:
        raise ValueError("に壊れた文字が含まれています。") from None
    if len(text) > limit:
        raise ValueError(f"は{limit}文字以内で入力してください（いま{len(text)}文字）。")
    return text or None


def _value(spec: FieldSpec, value: Any, now: datetime, units: Mapping[str, str], people: FindPeople = lambda _: ()) -> Any:
    """One posted value in the field's own type; None for an empty one."""
    if spec.type == "people":
        return _people(value, people)
    if spec.type == "set":
        return _set(spec, value)
    if spec.type == "rows":
        return _rows(spec, value)
    if isinstance(value, (list, tuple)):
        if len(value) > 1:
            raise _Bad("に複数の値が送られました。")
        value = value[0] if value else None
    if value is None or (isinstance(value, str) and not value.strip()):
        return None
    reader = _READERS.get(spec.type)
    if reader is None:
        raise _Bad("は入力できない種類の項目です。")
    if spec.type == "unit":
        if str(value) not in units:
            raise _Bad("は、この機関にある部署から選んでください。")
        return str(value)
    return reader(spec, value)


def _text(spec: FieldSpec, value: Any) -> str | None:
    try:
        return clean_text(value, _maxlength(spec), lines=spec.type == "text")
    except ValueError as error:
        raise _Bad(str(error)) from None


def _long(spec: FieldSpec, value: Any) -> int:
    if isinstance(value, bool) or (isinstance(value, float) and not value.is_integer()):
        raise _Bad("には整数を入力してください。")
    text = unicodedata.normalize("NFKC", str(int(value) if isinstance(value, float) else value)).strip().replace(",", "")
    if not re.fullmatch(r"[+-]?[0-9]{1,12}", text):
        raise _Bad("には整数を入力してください。")
    number = int(text)
    least = int(spec.constraints.get("min", "0"))
    most = int(spec.constraints.get("max", str(MAX_NUMBER)))
    if number < least:
        raise _Bad(f"には{least}以上の数を入力してください。")
    if number > most:
        raise _Bad(f"には{most}以下の数を入力してください。")
    return number


def _boolean(_spec: FieldSpec, value: Any) -> bool:
    if isinstance(value, bool):
        return value
    text = str(value).strip().lower()
    if text in ("true", "yes", "1", "on", "はい"):
        return True
    if text in ("false", "no", "0", "off", "いいえ"):
        return False
    raise _Bad("は、はい・いいえのどちらかを選んでください。")


def _enum(spec: FieldSpec, value: Any) -> str:
    if isinstance(value, bool):  # a yes/no choice answered as a truth value by a script
        value = "yes" if value else "no"
    text = str(value)
    if text not in {choice.value for choice in spec.choices}:
        raise _Bad("は、選択肢から選んでください。")
    return text


def _set(spec: FieldSpec, value: Any) -> list[str]:
    items = [value] if isinstance(value, str) else list(value) if isinstance(value, (list, tuple)) else None
    if items is None:
        raise _Bad("は、選択肢から選んでください。")
    chosen = [str(item) for item in items if item not in (None, "")]
    allowed = [choice.value for choice in spec.choices]
    if any(item not in allowed for item in chosen):
        raise _Bad("は、選択肢から選んでください。")
    return [item for item in allowed if item in chosen]  # in the declared order, once each


def _people(value: Any, find: FindPeople) -> list[str]:
    """Ids of the people named, by id or by name, separated by commas, 、 or line breaks."""
    given = [value] if isinstance(value, str) else list(value) if isinstance(value, (list, tuple)) else []
    if value is not None and not given and value != []:
        raise _Bad("には、職員の番号か氏名を入力してください。")
    chosen: list[str] = []
    for text in (part.strip() for item in given for part in re.split(r"[、,，\n]", str(item)) if part.strip()):
        found = find(text)
        if not found:
            raise _Bad(f"の「{text[:60]}」という職員は登録されていません。")
        if len(found) > 1:
            several = "、".join(f"{name}（{where}）は{person}" for person, name, where in found[:5])
            raise _Bad(f"の「{text[:60]}」は{len(found)}人います。番号で書いてください（{several}）。")
        chosen.append(found[0][0])
    if len(chosen) > MAX_PEOPLE:
        raise _Bad(f"は{MAX_PEOPLE}人までです。")
    return list(dict.fromkeys(chosen))


def _rows(spec: FieldSpec, value: Any) -> list[dict[str, str]]:
    if value in (None, ""):
        return []
    if not isinstance(value, (list, tuple)) or not all(isinstance(row, Mapping) for row in value):
        raise _Bad("は、表の形で入力してください。")
    if len(value) > MAX_ROWS:
        raise _Bad(f"は{MAX_ROWS}行以内で入力してください。")
    columns = {choice.value: choice.label for choice in spec.choices}
    result = []
    for number, row in enumerate(value, 1):
        cells: dict[str, str] = {}
        for name, cell in row.items():
            if name not in columns:
                raise _Bad(f"の{number}行目に、表にない列「{str(name)[:60]}」があります。")
            try:
                text = None if cell is None or cell == "" else clean_text(cell, MAX_TEXT, lines=True)
            except ValueError as error:
                raise _Bad(f"の{number}行目「{columns[name]}」{error}") from None
            if text:
                cells[str(name)] = text
        if cells:
            result.append({name: cells.get(name, "") for name in columns})
    return result


def parse_instant(text: str) -> datetime:
    """An instant: ISO 8601 with offset, or a day and a time which are then Japanese civil time.

    Raises:
        ValueError: when it is neither.
    """
    plain = unicodedata.normalize("NFKC", text).strip()
    try:
        instant = datetime.fromisoformat(plain)
    except ValueError:
        day_text, _, time_text = plain.replace("T", " ").partition(" ")
        match = _TIME.fullmatch(time_text.strip())
        if not match:
            raise ValueError(text) from None
        day = read_date(day_text)
        instant = datetime(day.year, day.month, day.day, int(match[1]), int(match[2] or 0), int(match[3] or 0), tzinfo=JST)
    return instant if instant.tzinfo else instant.replace(tzinfo=JST)


def _date(_spec: FieldSpec, value: Any) -> str:
    try:
        day = value if isinstance(value, date) and not isinstance(value, datetime) else read_date(str(value))
    except ValueError:
        raise _Bad("には日付を入力してください（例：2026-11-21、令和8年11月21日）。") from None
    if not 1900 <= day.year <= 2200:
        raise _Bad("の年を確かめてください。")
    return day.isoformat()


def _datetime(_spec: FieldSpec, value: Any) -> str:
    try:
        instant = value if isinstance(value, datetime) else parse_instant(str(value))
        if instant.tzinfo is None:
            instant = instant.replace(tzinfo=JST)
        if not 1900 <= instant.year <= 2200:
            raise _Bad("の年を確かめてください。")
        return instant.astimezone(JST).isoformat(timespec="minutes")
    except (ValueError, OverflowError):
        raise _Bad("には日時を入力してください（例：2026-11-21 14:30）。") from None


_READERS: dict[str, Callable[[FieldSpec, Any], Any]] = {
    "string": _text,
    "text": _text,
    "long": _long,
    "boolean": _boolean,
    "enum": _enum,
    "date": _date,
    "datetime": _datetime,
    "unit": _text,
}


def _order(
    spec: FieldSpec, value: Any, known: Mapping[str, Any], now: datetime, specs: Mapping[str, FieldSpec], evaluate: Evaluate
) -> str | None:
    """Check `not_after` / `not_before` of a date or instant against now, another field, or the instant that an expression yields."""
    if spec.type not in ("date", "datetime"):
        return None
    for rule, word in (("not_after", "以前"), ("not_before", "以後")):
        other = spec.constraints.get(rule)
        if not other:
            continue
        if other == "now":
            # A minute is entered without its seconds: one minute of grace keeps "now" from being refused.
            limit: datetime | None = now + timedelta(minutes=1) if rule == "not_after" else now
            name = "現在"
        elif other.isidentifier():
            limit = _as_instant(known.get(other))
            name = f"「{specs[other].label}」" if other in specs else "既に記録されている日時"
        else:
            yielded = evaluate(other, known)
            limit = _as_instant(yielded.isoformat() if isinstance(yielded, date) else yielded)
            name = japanese_instant(limit.isoformat()) if limit is not None else ""
        mine = _as_instant(value)
        if limit is None or mine is None:
            continue
        if spec.type == "date":  # a day has no time of day: the limit's own day is still allowed
            limit = limit.astimezone(JST).replace(hour=0, minute=0, second=0, microsecond=0)
        if (rule == "not_after" and mine > limit) or (rule == "not_before" and mine < limit):
            return f"には{name}{word}の日時を入力してください。"
    return None


def _as_instant(value: Any) -> datetime | None:
    if not isinstance(value, str):
        return None
    try:
        instant = datetime.fromisoformat(value)
    except ValueError:
        return None
    return instant if instant.tzinfo else instant.replace(tzinfo=JST)


def read_values(
    fields: Iterable[FieldSpec],
    raw: Mapping[str, Any],
    *,
    now: datetime,
    units: Mapping[str, str],
    people: FindPeople = lambda _: (),
) -> dict[str, Any]:
    """Values in their fields' types, without asking what is required or shown; raises FormInvalid."""
    answers: dict[str, Any] = {}
    wrong: dict[str, str] = {}
    for spec in fields:
        try:
            answers[spec.id] = _value(spec, raw.get(spec.id), now, units, people)
        except _Bad as bad:
            wrong[spec.id] = f"「{spec.id}（{spec.label}）」{bad}"
    if wrong:
        raise FormInvalid(wrong)
    return answers


def guess(fields: Iterable[FieldSpec], raw: Mapping[str, Any], *, now: datetime, units: Mapping[str, str]) -> dict[str, Any]:
    """What of a half-filled form can already be read, for a look ahead; what does not fit is left out."""
    specs = {spec.id: spec for spec in fields}
    gathered, _ = _gather(specs, raw)
    answers: dict[str, Any] = {}
    for name, value in gathered.items():
        try:
            answers[name] = _value(specs[name], value, now, units)
        except _Bad:
            continue
    return answers
