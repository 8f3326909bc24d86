"""Scenarios as text (YAML beside the diagrams): read with every fault named, written as a person would; `engine/scenario.py` plays them."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from datetime import date, datetime
from pathlib import Path
from typing import Any

import yaml

from engine.clock import JST
from engine.errors import Finding, ScenarioBroken

VERBS = ("complete", "act", "send_back", "claim", "note", "withdraw", "passes", "due", "expect")
#: A scenario may come from anybody who draws: no more than so much of it is looked at.
MOST_BYTES, MOST_STEPS, MOST_DEPTH = 256 * 1024, 1_000, 8


@dataclass(frozen=True)
class Scenario:
    """A scenario as read. `steps` are mappings with exactly one verb of VERBS each."""

    title: str
    process: str
    starts: datetime
    start: Mapping[str, Any]
    steps: tuple[Mapping[str, Any], ...]


# ---------------------------------------------------------------- read


def load(path: Path) -> Scenario:
    """Read a scenario's file.

    Raises:
        ScenarioBroken: with every fault found.
    """
    try:
        text = path.read_text("utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise ScenarioBroken([Finding("yaml", f"YAMLとして読めません：{error}", file=path.name)]) from None
    return read(text, path.name)


def read(text: str, name: str) -> Scenario:
    """Read a scenario; any text at all is answered.

    Args:
        name: of its file, for what is wrong with it.

    Raises:
        ScenarioBroken: with every fault found.
    """
    try:
        data = _parsed(text)
        faults = list(_faults(data))
    except (yaml.YAMLError, ValueError, RecursionError) as error:
        raise ScenarioBroken([Finding("yaml", f"YAMLとして読めません：{error}", file=name)]) from None
    if faults:
        raise ScenarioBroken([Finding(rule, message, file=name) for rule, message in faults])
    starts = instant(data["starts"])
    assert starts is not None
    return Scenario(data["title"], data["process"], starts, data["start"], tuple(data["steps"] or ()))


def instant(value: object) -> datetime | None:
    """A moment as a scenario writes it, in Japanese time unless it says otherwise; None for what is no moment."""
    try:
        found = value if isinstance(value, datetime) else datetime.fromisoformat(str(value))
        return found if found.tzinfo else found.replace(tzinfo=JST)
    except ValueError:
        return None


class _Loader(yaml.SafeLoader):
    """Reads plain values only: a text that refers to itself could grow without end when it is played."""

    def compose_node(self, parent: yaml.Node | None, index: int) -> yaml.Node | None:
        """Refuse what refers to another part of the text."""
        if self.check_event(yaml.AliasEvent):
            raise yaml.YAMLError("別の箇所への参照（*）は使えません。")
        return super().compose_node(parent, index)


def _parsed(text: str) -> Any:
    if len(text.encode("utf-8", "replace")) > MOST_BYTES:
        raise ValueError(f"{MOST_BYTES // 1024}KBまでです。")
    return yaml.load(text, _Loader)


def _faults(data: Any) -> Iterator[tuple[str, str]]:
    if not isinstance(data, dict):
        yield "yaml", "見出し（title, process, starts, start, steps）がありません。"
        return
    for key in ("title", "process", "starts", "start", "steps"):
        if key not in data:
            yield "missing", f"「{key}」がありません。"
    for key in ("title", "process"):
        if key in data and not _is_text(data[key]):
            yield "value", f"「{key}」は文字で書いてください。"
    if "starts" in data and instant(data["starts"]) is None:
        yield "value", "「starts」は日時で書いてください（例：2026-11-16 10:00）。"
    start = data.get("start", {"by": "x"})
    if not isinstance(start, dict) or not _is_text(start.get("by")):
        yield "value", "「start」には、始める役（by）が要ります。"
    elif not _are_answers(start.get("answers")):
        yield "value", "「start」の answers は、項目と値で書いてください。"
    steps = data.get("steps")
    if steps is not None and not isinstance(steps, list):
        yield "step", "「steps」は、操作を並べて書いてください。"
        return
    if steps and len(steps) > MOST_STEPS:
        yield "step", f"操作は{MOST_STEPS}個までです。"
        return
    for number, step in enumerate(steps or (), 1):
        if not isinstance(step, dict) or sum(verb in step for verb in VERBS) != 1:
            yield "step", f"{number}番目のステップには {'・'.join(VERBS)} のどれか一つが要ります。"
            continue
        for key in _wrong(step):
            yield "value", f"{number}番目のステップの「{key}」が正しくありません。"


def _wrong(step: Mapping[str, Any]) -> Iterator[str]:
    """The keys of a step whose values cannot be what they stand for."""
    for key, value in step.items():
        if key in _EXPECTED and not _EXPECTED[key](value):
            yield key
    needed = {"act": "by", "note": "by", "withdraw": "by", "send_back": "reason"}
    yield from (key for verb, key in needed.items() if verb in step and key not in step)


def _is_text(value: object) -> bool:
    return isinstance(value, str) and "\0" not in value


def _is_expectation(value: object) -> bool:
    if not isinstance(value, dict) or not _is_plain(value):
        return False
    waits = value.get("waits_at", [])
    maps = (value.get(key, {}) for key in ("facts", "clocks"))
    return isinstance(waits, list) and all(_is_text(one) for one in waits) and all(isinstance(one, dict) for one in maps)


def _are_answers(value: object) -> bool:
    return value is None or (isinstance(value, dict) and _is_plain(value))


def _is_plain(value: object, depth: int = MOST_DEPTH) -> bool:
    """Whether a value is made of what answers are made of."""
    if isinstance(value, dict):
        return depth > 0 and all(_is_text(name) and _is_plain(one, depth - 1) for name, one in value.items())
    if isinstance(value, list):
        return depth > 0 and all(_is_plain(one, depth - 1) for one in value)
    return value is None or _is_text(value) or isinstance(value, bool | int | float | date)


_EXPECTED: Mapping[str, Callable[[object], bool]] = {
    **dict.fromkeys(("complete", "act", "send_back", "claim", "note", "withdraw", "passes", "due", "by", "after"), _is_text),
    **dict.fromkeys(("reason", "to", "late", "stage"), _is_text),
    "each": lambda value: isinstance(value, bool),
    "instance": lambda value: isinstance(value, int) and not isinstance(value, bool),
    "at": lambda value: instant(value) is not None,
    "answers": _are_answers,
    "expect": _is_expectation,
}


# ---------------------------------------------------------------- write


def write(finding: Finding, process: str, starts: datetime, by: str) -> str:
    """The run of a finding as a scenario to be played.

    Args:
        by: the seat that starts the case.
    """
    first, *steps = json.loads(finding.run)
    scenario = {
        "title": finding.message,
        "process": process,
        "starts": starts.isoformat(),
        "start": {"by": by, "answers": first.get("answers") or {}},
        "steps": [
            {name: value for name, value in step.items() if name != "shown"}  # where it passed is for the drawing
            for step in steps
            if any(verb in step for verb in VERBS)  # facts that come true by themselves are nobody's step
        ],
    }
    return dump(scenario)


class _Readable(yaml.SafeDumper):
    """Writes several lines as lines."""


_Readable.add_representer(
    str, lambda dumper, text: dumper.represent_scalar("tag:yaml.org,2002:str", text, style="|" if "\n" in text else None)
)


def dump(scenario: Mapping[str, Any]) -> str:
    """A scenario as a person would write it."""
    return yaml.dump(scenario, Dumper=_Readable, allow_unicode=True, sort_keys=False, width=1_000)


__all__ = ["VERBS", "Scenario", "dump", "instant", "load", "read", "write"]
