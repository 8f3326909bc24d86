"""A case's facts as a paper says them: clean text and Japanese days, what counts as known, and whose name must not appear."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any

from engine import forms
from engine.clock import JST
from engine.era import japanese_date
from engine.net import FieldSpec

MASK = "＊＊＊"
#: Characters that break a paper or make it read otherwise than it says: controls but line feed, direction marks, lone surrogates.
_UNPRINTABLE = re.compile("[\x00-\x09\x0b-\x1f\x7f-\x9f\u200b-\u200f\u2028-\u202e\u2060-\u2069\ufeff\ufffe\uffff]")
_LONE = re.compile("[\ud800-\udfff]")


def clean(value: Any) -> str:
    """Any fact as clean text; "" for what is not there."""
    if value is None or isinstance(value, (bool, Mapping)):
        return ""
    if isinstance(value, (list, tuple, set, frozenset)):
        return "、".join(text for text in map(clean, value) if text)
    text = str(value).replace("\r\n", "\n").replace("\r", "\n").replace("\t", " ")
    return _LONE.sub("〓", _UNPRINTABLE.sub("", text)).strip()


def day(on: date) -> str:
    """A day in full, with its weekday."""
    return f"{on.year}年{on.month}月{on.day}日（{'月火水木金土日'[on.weekday()]}）"


def moment(value: Any) -> str:
    """An instant or a day, as stored or as a value, in Japanese civil time; other text as it is."""
    if isinstance(value, str):
        try:
            value = date.fromisoformat(value) if re.fullmatch(r"\d{4}-\d{2}-\d{2}", value) else datetime.fromisoformat(value)
        except ValueError:
            return clean(value)
    if isinstance(value, datetime):
        try:
            # An instant without a zone was typed as Japanese time.
            local = value.astimezone(JST) if value.tzinfo else value.replace(tzinfo=JST)
        except OverflowError:
            return clean(value)
        return f"{day(local.date())}{local.hour}時{local.minute:02}分"
    return day(value) if isinstance(value, date) else clean(value)


# ---------------------------------------------------------------- official texts: years of the era, everything in full


def era_moment(at: datetime) -> str:
    """An instant in Japanese civil time with its era: 令和8年11月21日14時30分."""
    local = at.astimezone(JST)
    return f"{japanese_date(local.date())}{local.hour}時{local.minute:02}分"


def written(spec: FieldSpec | None, value: Any, labels: Mapping[str, str]) -> str:
    """A fact of any procedure as an official text writes it; "" for what is not there.

    Args:
        spec: the field that declares it; None for one that no form asks for, which is read by its shape.
        labels: names of units by id and of people by `person:ID`.
    """
    if value is None or value == "" or value == []:
        return ""
    if isinstance(value, list) and all(isinstance(row, Mapping) for row in value):
        return "\n".join(_entry(spec, row) for row in value)
    if spec is not None and spec.type not in ("date", "datetime"):
        return clean(forms.words(spec, value, labels))
    if isinstance(value, bool):
        return "はい" if value else "いいえ"
    if isinstance(value, list):
        return "、".join(written(None, one, labels) for one in value)
    try:
        if isinstance(value, str) and re.fullmatch(r"\d{4}-\d{2}-\d{2}", value):
            return japanese_date(date.fromisoformat(value))
        if isinstance(value, str) and re.match(r"\d{4}-\d{2}-\d{2}T", value):
            at = datetime.fromisoformat(value)
            return era_moment(at if at.tzinfo else at.replace(tzinfo=JST))
    except (ValueError, OverflowError):
        pass
    return clean(value)


def _entry(spec: FieldSpec | None, row: Mapping[str, Any]) -> str:
    """One row of a `rows` field, each column with its heading."""
    named = {choice.value: choice.label for choice in spec.choices} if spec is not None else {}
    return "・" + "、".join(f"{named.get(name, name)}：{clean(cell)}" for name, cell in row.items() if clean(cell))


def _number(value: Any) -> int | None:
    return value if isinstance(value, int) and not isinstance(value, bool) and value >= 0 else None


@dataclass(frozen=True)
class Value:
    """What a placeholder stands for. `state` is known, not_yet (said to be unknown) or blank (nobody said anything)."""

    text: str
    state: str = ""

    @property
    def how(self) -> str:
        return self.state or ("known" if self.text else "blank")


@dataclass(frozen=True)
class CaseWords:
    """All that a paper is made from."""

    facts: Mapping[str, Any]
    words: Mapping[str, Mapping[str, str]]
    not_yet: re.Pattern[str]

    @property
    def held(self) -> frozenset[str]:
        holds = self.facts.get("holds")
        return frozenset(map(clean, holds)) if isinstance(holds, (list, tuple, set, frozenset)) else frozenset()

    def word(self, table: str, key: Any) -> str:
        return self.words.get(table, {}).get(clean(key), clean(key))

    def item(self, name: str) -> Value:
        text = clean(self.facts.get(name))
        bare = unicodedata.normalize("NFKC", text).strip("（）()[]「」【】 \n　")
        return Value(text, "not_yet" if text and self.not_yet.fullmatch(bare) else "")

    def three(self, name: str) -> str:
        value = self.facts.get(name)
        return ("yes" if value else "no") if isinstance(value, bool) else value if value in ("yes", "no") else "unknown"

    def event(self) -> str:
        word = self.word("event", self.facts.get("event"))
        return word + self.words["text"]["suspected"] if word and self.facts.get("suspected") is True else word

    def count(self) -> Value:
        exact, most = _number(self.facts.get("count")), _number(self.facts.get("count_max"))
        say = self.words["text"]
        if exact is not None and most is not None and most > exact:
            return Value(say["persons"].format(n=f"{exact:,}") + say["persons_open"].format(n=f"{most:,}"), "not_yet")
        if exact is not None:
            return Value(say["persons"].format(n=f"{exact:,}"))
        return Value(say["persons_at_most"].format(n=f"{most:,}"), "not_yet") if most is not None else Value("")

    def grounds(self, fact: str, table: str) -> str:
        numbers = self.facts.get(fact)
        rows = numbers if isinstance(numbers, (list, tuple)) else []
        return "\n".join(self.word(table, number) for number in rows if clean(number))

    def mynumber(self) -> str:
        """Whether My Number is in it. Nobody having said what the information is leaves it unknown, as the Commission's form reads it."""
        stated = self.facts.get("mynumber")
        if "mynumber" in self.held or stated in ("yes", True):
            return "yes"
        return "no" if stated in ("no", False) or (stated is None and self.held) else "unknown"


# ---------------------------------------------------------------- persons


def persons_of(facts: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    """The rows of `persons`."""
    rows = facts.get("persons")
    return [row for row in rows if isinstance(row, Mapping)] if isinstance(rows, (list, tuple)) else []


def name_of(row: Mapping[str, Any]) -> str:
    """The name, or the sign that stands for it, in a row of `persons`."""
    return clean(row.get("name")) or clean(row.get("label"))


def hider(facts: Mapping[str, Any], person: Mapping[str, Any] | None) -> Callable[[str], str]:
    """Blots the names of the other persons out of a text, with or without blanks inside a name and whatever the width of letters."""

    def bare(name: str) -> str:
        return re.sub(r"\s+", "", unicodedata.normalize("NFKC", name)).casefold()

    own = bare(name_of(person)) if person else ""
    names = {name for row in persons_of(facts) if len(bare(name := name_of(row))) > 1}
    shapes = []
    for name in sorted(names, key=lambda name: (-len(bare(name)), name)):  # the longest first: a name may begin another
        letters = [_either_width(letter) for letter in re.sub(r"\s+", "", name)]
        # A Latin name is a word of its own: LI is not a part of ALIEN.
        edge = name[0].isascii() and name[-1].isascii()
        shapes.append((r"(?<![A-Za-z0-9])" if edge else "") + r"[\s・･]*".join(letters) + (r"(?![A-Za-z0-9])" if edge else ""))
    if not shapes:
        return lambda text: text
    pattern = re.compile("|".join(shapes), re.IGNORECASE)
    return lambda text: pattern.sub(lambda found: found[0] if bare(found[0]) == own else MASK, text)


def _either_width(letter: str) -> str:
    narrow = unicodedata.normalize("NFKC", letter)
    wide = chr(ord(narrow) + 0xFEE0) if len(narrow) == 1 and "!" <= narrow <= "~" else narrow
    return f"(?:{'|'.join(re.escape(shape) for shape in sorted({letter, narrow, wide}))})"
