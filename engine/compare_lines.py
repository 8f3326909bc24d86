"""The scenarios of two bundles, file by file and line by line: what a change of them is told as. Pure: texts in, differences out."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from difflib import SequenceMatcher

from engine.errors import ScenarioBroken
from engine.scenario_text import read


@dataclass(frozen=True)
class ScenarioChange:
    """A scenario that came, went or says something else; `before` and `after` are the lines that only one side has."""

    file: str
    title: str
    how: str
    before: str
    after: str


def scenario_changes(before: Mapping[str, bytes], after: Mapping[str, bytes]) -> Iterator[ScenarioChange]:
    """What changed of the scenarios among the files of two bundles."""
    old, new = _texts(before), _texts(after)
    for file in sorted({*old, *new}):
        if file not in old:
            yield ScenarioChange(file, _title(file, new[file]), "added", "", new[file].strip())
        elif file not in new:
            yield ScenarioChange(file, _title(file, old[file]), "removed", old[file].strip(), "")
        elif old[file] != new[file]:
            gone, come = _lines(old[file].splitlines(), new[file].splitlines())
            yield ScenarioChange(file, _title(file, new[file]), "changed", gone, come)


def _texts(files: Mapping[str, bytes]) -> dict[str, str]:
    return {name: data.decode("utf-8", "replace") for name, data in files.items() if name.endswith(".yaml")}


def _title(file: str, text: str) -> str:
    try:
        return str(read(text, file).title)
    except ScenarioBroken:
        return file.rpartition("/")[2]


def _lines(old: list[str], new: list[str]) -> tuple[str, str]:
    gone: list[str] = []
    come: list[str] = []
    for kind, first, last, begin, end in SequenceMatcher(None, old, new, autojunk=False).get_opcodes():
        if kind != "equal":
            gone += old[first:last]
            come += new[begin:end]
    return "\n".join(gone), "\n".join(come)


__all__ = ["ScenarioChange", "scenario_changes"]
