"""Ledger entries in words: rows of the table as pages and commands show them."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from datetime import date

from engine.clock import JST
from engine.ledger_rules import Ledger, LedgerColumn
from engine.ledger_values import YES_NO, Value, words
from engine.ledger_views import NO_PERIOD, UNDECIDED, Cell, ColumnShown, CorrectionField, EntryShown, LedgerShown, RevisionShown
from engine.model import Row
from engine.organisation import Organisation
from engine.views import ClauseShown
from engine.wording import event_text


def ledger_shown(ledger: Ledger, office: Organisation, on: date, *, whole: bool, counts: tuple[int, int, int] = (0, 0, 0)) -> LedgerShown:
    """A ledger with what its clauses say."""
    clauses = [clause for clause_id in ledger.clauses if (clause := office.clause(clause_id, on)) is not None]
    group = ledger.column(ledger.group)
    kept = f"{ledger.retention_years}年（翌年度の4月1日から数える）" if ledger.retention_years else NO_PERIOD
    return LedgerShown(
        id=ledger.id,
        name=ledger.name,
        basis=ledger.basis,
        clauses=tuple(ClauseShown(clause.clause_id, clause.citation, clause.plain, clause.urgency) for clause in clauses),
        columns=tuple(ColumnShown(column.id, column.name, column.kind) for column in ledger.columns),
        states=ledger.states,
        kept=kept,
        whole=whole,
        is_tree=ledger.is_tree,
        grouped=group.name if group is not None else "",
        total=counts[0],
        open=counts[1],
        expired=counts[2],
    )


def kept_words(ledger: Ledger, until: date | None) -> str:
    """Until when an entry is kept."""
    if not ledger.retention_years:
        return NO_PERIOD
    return f"{words('date', until.isoformat(), {})}まで" if until is not None else UNDECIDED


def entry_shown(row: Row, ledger: Ledger, office: Organisation, on: date) -> EntryShown:
    """An entry as it stands; `row` has the case's number and owning unit, and `sees`: whether the viewer sees the case."""
    cells = _cells(row, ledger, office)
    return EntryShown(
        ledger=row["ledger"],
        entry=row["entry"],
        revision=row["revision"],
        case_id=row["case_id"] if row["sees"] else None,
        case_number=row["number"],
        state=row["state"],
        closed=bool(row["closed"]),
        unit_name=office.unit_names.get(row["owning_unit"], row["owning_unit"]),
        cells=cells,
        kept_until=row["kept_until"],
        kept=kept_words(ledger, row["kept_until"]),
        expired=row["kept_until"] is not None and row["kept_until"] < on,
        entered_at=row["entered_at"],
        recorded_at=row["recorded_at"],
        corrected=any(cell.corrected for cell in cells),
    )


def _cells(row: Row, ledger: Ledger, office: Organisation, before: Row | None = None) -> tuple[Cell, ...]:
    content, written = json.loads(row["content"]), json.loads(row["written"])
    older = json.loads(before["content"]) if before is not None else None
    return tuple(_cell(column, content, written, older, office, bool(row["sees"])) for column in ledger.columns)


def _cell(
    column: LedgerColumn,
    content: Mapping[str, Value],
    written: Mapping[str, Value],
    older: Mapping[str, Value] | None,
    office: Organisation,
    sees: bool,
) -> Cell:
    value = content.get(column.id)
    corrected = value != written.get(column.id)
    changed = older is not None and older.get(column.id) != value
    if column.masked and not sees:
        return Cell(column.id, column.name, column.kind, None, "", masked=True, corrected=corrected, before="" if changed else None)
    was = words(column.kind, older.get(column.id), office.unit_names) if older is not None and changed else None
    return Cell(column.id, column.name, column.kind, value, words(column.kind, value, office.unit_names), corrected=corrected, before=was)


def revisions_shown(
    rows: Iterable[Row], ledgers: Mapping[date, Ledger], office: Organisation, names: Mapping[str, str]
) -> tuple[RevisionShown, ...]:
    """All revisions of one entry, newest first; each by the columns of its own day, with what the one before said."""
    shown: list[RevisionShown] = []
    before: Row | None = None
    for row in rows:
        ledger = ledgers[row["recorded_at"].astimezone(JST).date()]
        principal = names.get(row["acted_for"] or "", "")
        shown.append(
            RevisionShown(
                revision=row["revision"],
                state=row["state"],
                state_before=before["state"] if before is not None and before["state"] != row["state"] else None,
                cells=_cells(row, ledger, office, before),
                kept=kept_words(ledger, row["kept_until"]),
                recorded_at=row["recorded_at"],
                person_name=names.get(row["person"], row["person"]),
                seat_name=office.seat_name(row["seat"]) if row["seat"] else "",
                acting=f"{principal}の代理" if principal else "",
                act=event_text(row["act"], {"name": row["step"], "entry": row["entry"]}) if row["act"] else "",
                correction=row["reason"] is not None,
                reason=row["reason"] or "",
                digest=row["digest"],
            )
        )
        before = row
    return tuple(reversed(shown))


def correction_field(
    column: LedgerColumn, value: Value, office: Organisation, on: date, choices: tuple[str, ...], typed: str | None, error: str
) -> CorrectionField:
    """A column as a correction asks for it.

    Args:
        choices: the words of a column that takes one of a form's choices.
        typed: what was typed and refused.
    """
    text = "" if value is None else str(value)
    offered: tuple[tuple[str, str], ...] = ()
    if column.kind == "yes_no":
        offered = tuple(YES_NO.items())
    elif column.kind == "unit":
        offered = tuple((unit.id, unit.name) for unit in office.units.values() if unit.exists(on))
    elif choices:
        offered = tuple((word, word) for word in choices)
    if offered and text and text not in dict(offered):
        offered = ((text, words(column.kind, value, office.unit_names)), *offered)
    return CorrectionField(column.id, column.name, column.kind, text if typed is None else typed, offered, error)
