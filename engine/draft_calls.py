"""Which diagrams a draft may call: those of the versions in force, else those of the folders. Pure but for reading the folders."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

from engine import parsing
from engine.definitions import Definition
from engine.draft_files import Files
from engine.errors import DefinitionRefused

COMMON = "common"


@dataclass(frozen=True)
class Called:
    """A diagram that may be called."""

    name: str
    file: str
    text: str


#: Process id -> the diagram it is drawn in.
Callable = Mapping[str, Called]


def callable_diagrams(versions: Iterable[Definition], folders: Iterable[Path]) -> Callable:
    """Every process that may be called.

    Args:
        versions: those in force; what they hold counts before what lies in the folders.
    """
    sources = {file: data for one in versions for file, data in one.files.items() if file.endswith(".bpmn")}
    for place in folders:
        for path in sorted(place.glob("*.bpmn")):
            sources.setdefault(f"{place.name}/{path.name}", path.read_bytes())
    found: dict[str, Called] = {}
    for file, data in sources.items():
        try:
            for process_id, name in parsing.process_ids(data):
                found.setdefault(process_id, Called(name, file, data.decode()))
        except (DefinitionRefused, UnicodeDecodeError):
            continue  # a broken file of the folder is told by `tadachi check`
    return found


def needed(known: Callable, wanted: Iterable[str]) -> Files:
    """The files of these processes and of all that they call."""
    files: Files = {}
    todo = list(wanted)
    while todo:
        called = known.get(todo.pop())
        if called is not None and called.file not in files:
            files[called.file] = called.text
            todo += parsing.called_processes(called.text.encode())
    return files


__all__ = ["COMMON", "Callable", "Called", "callable_diagrams", "needed"]
