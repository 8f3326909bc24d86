"""Reads which provisions a sentence names: 「規程第25条第1項・第2項、評価書 Ⅲ4」 names three places in two sources. Pure.

Sentences name sources in short (番号法), clauses in full. What is short has the letters of the full name in their order. What names a source
that is not among the clauses' own is passed over, as is a place before which no source was named: nothing is guessed.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass, replace

_TOKEN = re.compile(
    r"(?P<head>第[0-9]+条(?:の[0-9]+)*|[Ⅰ-Ⅻ][0-9]*)"
    r"|(?P<part>第[0-9]+項|リスク[0-9]+|委託事項[0-9]+|[①-⑳]|[（(][0-9]+[)）])"
    r"|(?P<next>[・、，と])"
    r"|(?P<to>から)"
    r"|(?P<stop>[。：:；;（）()「」は　])"
    r"|(?P<space> +)"
    r"|(?P<word>[^第Ⅰ-Ⅻ①-⑳・、，。：:；;（）()「」はと 　]+|.)",
    re.DOTALL,
)
_NUMBER = re.compile(r"第([0-9]+)条")
_LONGEST_RANGE = 50


@dataclass(frozen=True)
class Place:
    """A place in a source.

    Attributes:
        source: the source's full name.
        head: the article (第25条) or the part of an assessment (Ⅲ4).
        parts: what is named within it (第3項, リスク2, ⑨); empty = all of it.
    """

    source: str
    head: str
    parts: frozenset[str] = frozenset()

    def meets(self, other: Place) -> bool:
        """Whether one of the two lies within the other."""
        within = self.parts <= other.parts or other.parts <= self.parts
        return self.source == other.source and self.head == other.head and within


def split(citation: str) -> tuple[str, str]:
    """A clause's citation as its source and the place in it."""
    source, _, place = citation.partition(" ")
    return source, place


def cited(citation: str) -> tuple[Place, ...]:
    """The places that a clause's citation names."""
    source, place = split(citation)
    return _read(place, (source,), source)


def named(text: str, sources: Iterable[str]) -> tuple[Place, ...]:
    """The places that a sentence names, in these sources."""
    return _read(text, tuple(sources), "")


def _read(text: str, sources: tuple[str, ...], source: str) -> tuple[Place, ...]:
    found: list[Place] = []
    word, open_place, ranging = "", False, False
    for token in _TOKEN.finditer(text):
        kind, value = token.lastgroup, token.group()
        if kind == "head":
            if word:
                source = _source(word, sources)
            if ranging and found and source:
                found += _between(found[-1], value)
            if source:
                found.append(Place(source, value))
            word, open_place, ranging = "", bool(source), False
        elif kind == "part":
            if open_place:
                found[-1] = replace(found[-1], parts=found[-1].parts | {_plain(value)})
            elif found and source and not word:  # 第25条第1項・第2項: the same article
                found.append(Place(source, found[-1].head, frozenset({_plain(value)})))
                open_place = True
            word = ""
        elif kind == "word":
            word += value
        elif kind == "to":
            ranging = True
        elif kind != "space":
            word, open_place, ranging = "", open_place and kind == "stop", False
    return tuple(found)


def _plain(part: str) -> str:
    return part.replace("（", "(").replace("）", ")")


def _source(short: str, sources: tuple[str, ...]) -> str:
    """The source that a short name means; "" when it means none of them."""
    fitting = [one for one in sources if len(short) > 1 and _has_letters(one, short)]
    return min(fitting, key=len, default="")


def _has_letters(full: str, short: str) -> bool:
    letters = iter(full)
    return all(letter in letters for letter in short)


def _between(first: Place, last: str) -> list[Place]:
    """The articles between two: 第3条から第5条."""
    begin, end = _NUMBER.fullmatch(first.head), _NUMBER.fullmatch(last)
    if begin is None or end is None or first.parts or int(end[1]) - int(begin[1]) > _LONGEST_RANGE:
        return []
    return [Place(first.source, f"第{number}条") for number in range(int(begin[1]) + 1, int(end[1]))]


__all__ = ["Place", "cited", "named", "split"]
