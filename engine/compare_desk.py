"""Two versions, or a draft and a version, laid side by side for a page: their files, what changed in words, and the running cases it concerns."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING

from engine import compare, compare_cases, compare_words, draft_files, parsing, version_list
from engine.clock import civil_day
from engine.compare import Comparison
from engine.compare_cases import Touched
from engine.errors import DefinitionRefused, VersionNotFound
from engine.views import Viewer

if TYPE_CHECKING:
    from engine.service import Engine


@dataclass(frozen=True)
class Side:
    """One of the two: `ref` is `vID` of a version or `dID` of a draft."""

    ref: str
    title: str
    process_id: str
    name: str
    number: int | None
    draft: int | None
    definition: int | None
    files: Mapping[str, str]


@dataclass(frozen=True)
class DiagramPair:
    """A diagram on both sides; a file is "" where there is none."""

    process: str
    name: str
    before: str
    after: str
    changes: int


@dataclass(frozen=True)
class ComparePage:
    """Everything the page shows. `cases`: of the open cases that run by the version on the first side."""

    before: Side
    after: Side
    comparison: Comparison
    diagrams: tuple[DiagramPair, ...]
    cases: Touched


def side(engine: Engine, viewer: Viewer, ref: str) -> Side:
    """A version or a draft by its reference. Raises NotAllowed, VersionNotFound, DraftNotFound."""
    version_list.require_sight(engine, viewer)
    kind, number = ref[:1], ref[1:]
    if kind not in ("v", "d") or not (number.isascii() and number.isdigit()) or len(number) > 15:
        raise VersionNotFound(ref=ref)
    if kind == "d":
        page = engine.drafts.show(viewer, int(number))
        called = engine.drafts.inspect(viewer, int(number), page.files).called
        title = f"下書き「{page.draft.title}」"
        return Side(ref, title, page.draft.process_id, page.draft.title, None, page.draft.id, None, {**page.files, **called})
    with engine.reading() as connection:
        row = version_list.row_of(connection, viewer, int(number))
    return Side(ref, f"第{row['version']}版", row["process_id"], row["name"], row["version"], None, row["id"], json.loads(row["bundle"]))


def page(engine: Engine, viewer: Viewer, before: str, after: str) -> ComparePage:
    """Both sides with what changed. Raises NotAllowed, VersionNotFound, DraftNotFound."""
    old, new = side(engine, viewer, before), side(engine, viewer, after)
    found = compared(engine, viewer, old, new)
    cases = Touched()
    if old.definition is not None:
        with engine.reading() as connection:
            cases = compare_cases.touched(connection, engine.definitions, old.definition, found)
    return ComparePage(old, new, found, _diagrams(old, new, found), cases)


def compared(engine: Engine, viewer: Viewer, old: Side, new: Side) -> Comparison:
    """What changes from one side to the other, in the office's words of today."""
    office = engine.organisations[viewer.organisation]
    on = civil_day(viewer.at)

    @lru_cache(maxsize=1_000)
    def words(code: str, value: str) -> str:
        return say(code, value)

    say = compare_words.say(office, on)
    return compare.compare(draft_files.encoded(old.files), draft_files.encoded(new.files), words)


def _diagrams(old: Side, new: Side, found: Comparison) -> tuple[DiagramPair, ...]:
    here, there = _processes(old.files), _processes(new.files)
    pairs = []
    for process in dict.fromkeys((new.process_id, *there, *here)):
        if process in here or process in there:
            _, name = there.get(process) or here[process]
            count = sum(one.process == process for one in found.changes)
            pairs.append(DiagramPair(process, name, here.get(process, ("", ""))[0], there.get(process, ("", ""))[0], count))
    return tuple(pairs)


def _processes(files: Mapping[str, str]) -> dict[str, tuple[str, str]]:
    """Process id -> (file, name); a diagram that cannot be read has none."""
    found: dict[str, tuple[str, str]] = {}
    for file, text in files.items():
        if file.endswith(".bpmn"):
            try:
                for process, name in parsing.process_ids(text.encode()):
                    found.setdefault(process, (file, name))
            except DefinitionRefused:
                continue
    return found


def reference(engine: Engine, viewer: Viewer, process_id: str, number: int) -> str:
    """The reference of a procedure's version by its number. Raises VersionNotFound."""
    for one in version_list.versions(engine, viewer, process_id):
        if one.number == number:
            return f"v{one.id}"
    raise VersionNotFound(process=process_id, number=number)


__all__ = ["ComparePage", "DiagramPair", "Side", "compared", "page", "reference", "side"]
