"""What reads of ledgers hand to pages and the command line: plain frozen data, already allowed to the viewer and in words."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime

from engine.views import ClauseShown, SeatHeld

UNDECIDED, NO_PERIOD = "未定", "定めなし"


@dataclass(frozen=True)
class ColumnShown:
    """A column of a ledger."""

    id: str
    name: str
    kind: str


@dataclass(frozen=True)
class LedgerShown:
    """A ledger as the viewer has it.

    Attributes:
        total, open, expired: entries he may read; of them those not closed, and those whose time of keeping is over.
        whole: whether he reads every entry, by one of its `readers`; else those of cases he sees or may correct.
        kept: how long entries are kept, in words.
    """

    id: str
    name: str
    basis: str
    clauses: tuple[ClauseShown, ...]
    columns: tuple[ColumnShown, ...]
    states: tuple[str, ...]
    kept: str
    whole: bool
    is_tree: bool
    grouped: str
    total: int = 0
    open: int = 0
    expired: int = 0


@dataclass(frozen=True)
class Cell:
    """What an entry says in one column.

    Attributes:
        value: text, number or None; dates and instants in ISO 8601.
        text: the same in words; empty when there is nothing.
        masked: hidden from this viewer; value and text are then empty.
        corrected: an official has put it right; the process wrote something else.
        before: what the revision before said, in words, where it was something else.
    """

    column: str
    name: str
    kind: str
    value: str | int | float | None
    text: str
    masked: bool = False
    corrected: bool = False
    before: str | None = None


@dataclass(frozen=True)
class EntryShown:
    """One entry as it stands now. `case_id` is None when the viewer does not see the case.

    Attributes:
        kept_until: the last day it is kept.
        kept: the same in words, or that it is not known yet, or that there is no period.
        expired: that day is past.
        corrected: an official has put something right in it.
    """

    ledger: str
    entry: int
    revision: int
    case_id: int | None
    case_number: str
    state: str
    closed: bool
    unit_name: str
    cells: tuple[Cell, ...]
    kept_until: date | None
    kept: str
    expired: bool
    entered_at: datetime
    recorded_at: datetime
    corrected: bool

    def cell(self, column: str) -> Cell | None:
        """What it says in a column."""
        return next((cell for cell in self.cells if cell.column == column), None)


@dataclass(frozen=True)
class RevisionShown:
    """One revision: what it says, who brought it about, from which seat, by which act, and why."""

    revision: int
    state: str
    state_before: str | None
    cells: tuple[Cell, ...]
    kept: str
    recorded_at: datetime
    person_name: str
    seat_name: str
    acting: str
    act: str
    correction: bool
    reason: str
    digest: str


@dataclass(frozen=True)
class CorrectionField:
    """A column as the form of a correction asks for it. `value` is as an input takes it; `choices` are (value, words)."""

    id: str
    name: str
    kind: str
    value: str
    choices: tuple[tuple[str, str], ...] = ()
    error: str = ""


@dataclass(frozen=True)
class EntryPage:
    """An entry with all its revisions, newest first, and the form that corrects it for who may, from one of `seats`."""

    ledger: LedgerShown
    entry: EntryShown
    revisions: tuple[RevisionShown, ...]
    fields: tuple[CorrectionField, ...]
    seats: tuple[SeatHeld, ...]


@dataclass(frozen=True)
class LedgerPage:
    """One page of a ledger: entries, the marker that the next page goes on from, and what can be chosen."""

    ledger: LedgerShown
    rows: tuple[EntryShown, ...]
    next: str | None
    units: tuple[tuple[str, str], ...]


@dataclass(frozen=True)
class TreeNode:
    """An entry with those that hang below it; tier 1 stands at the top. `lost` is what it should hang below, where that is not there."""

    entry: EntryShown
    tier: int
    below: tuple[TreeNode, ...]
    lost: str = ""


@dataclass(frozen=True)
class TreePage:
    """The entries of one group as a tree; `groups` are (group, how many entries) that the viewer may read."""

    ledger: LedgerShown
    groups: tuple[tuple[str, int], ...]
    group: str | None
    nodes: tuple[TreeNode, ...]
    cut: bool
