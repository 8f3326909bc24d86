"""What the designer's reads hand to pages: procedures in force, drafts, who edits one, what a draft may name."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from engine.errors import Finding


@dataclass(frozen=True)
class ProcedureShown:
    """A procedure with its newest version; `drafts` counts what is being drawn from it."""

    process_id: str
    name: str
    version: int
    definition: int
    in_force_from: datetime
    deployed_by_name: str
    drafts: int


@dataclass(frozen=True)
class LockShown:
    """Who edits a draft. `silent`: nothing was heard for two minutes, so that somebody else may take over."""

    person: str
    name: str
    since: datetime
    seen_at: datetime
    mine: bool
    silent: bool


@dataclass(frozen=True)
class DraftShown:
    """A draft without its files. `base_version` is the number of the version it began from, None for a new procedure."""

    id: int
    process_id: str
    title: str
    base_definition: int | None
    base_version: int | None
    revision: int
    state: str
    made_by: str
    made_by_name: str
    made_at: datetime
    saved_by: str
    saved_by_name: str
    saved_at: datetime
    note: str
    lock: LockShown | None


@dataclass(frozen=True)
class DraftPage:
    """A draft with its files; `why_not` says why the viewer cannot change it now, "" when he can."""

    draft: DraftShown
    files: Mapping[str, str]
    why_not: str


@dataclass(frozen=True)
class FactKnown:
    """A name that expressions may read, and where its value comes from.

    Attributes:
        type: a form field's type, or "" where only its value tells.
        origin: `form`, `table`, `sets`, `service`, `engine` or `loop`; `place` names the element, table or rule.
        choices: (value, label) of what it can be, where that is written down.
    """

    name: str
    label: str
    type: str
    origin: str
    place: str
    element: str = ""
    file: str = ""
    choices: tuple[tuple[str, str], ...] = ()


@dataclass(frozen=True)
class Examined:
    """A draft looked at as a deployment would, without walking through its states.

    Attributes:
        called: files of other procedures' diagrams that the draft calls and did not hold: file name -> text.
        processes: (process id, name, file) of every process in the draft's files.
        decisions: (decision id, name, file, outputs).
    """

    findings: tuple[Finding, ...]
    facts: tuple[FactKnown, ...]
    processes: tuple[tuple[str, str, str], ...]
    decisions: tuple[tuple[str, str, str, tuple[str, ...]], ...]
    called: Mapping[str, str] = field(default_factory=dict)
    seconds: float = 0.0


@dataclass(frozen=True)
class ProofShown:
    """A proof of a draft: running, done, cancelled or lost (whoever ran it is gone); `findings` once it is done."""

    id: int
    draft: int
    revision: int
    state: str
    started_at: datetime
    ended_at: datetime | None
    findings: tuple[Finding, ...] = ()
    states: int = 0
    seconds: float = 0.0
    finished: bool = False


#: What a draft's office offers to name, as plain data for the editor; engine/vocabulary.py says what is in it.
Vocabulary = Mapping[str, Any]
