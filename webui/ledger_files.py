"""A ledger as a file for a spreadsheet: CSV and XLSX in which nothing that was typed can run as a formula."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable, Iterator, Sequence
from datetime import date, datetime
from typing import Any

from engine import JST, Cell, EntryShown, LedgerShown
from webui.workbook import FORMULA, UNWRITABLE, workbook

MASK = "＊"
BEFORE, AFTER = ("番号", "状態"), ("案件番号", "担当の部署", "保存期限", "登載日時", "最終更新日時", "訂正")


def headings(ledger: LedgerShown) -> list[str]:
    """The headings of every column of a file."""
    return [*BEFORE, *(column.name for column in ledger.columns), *AFTER]


def _lines(rows: Sequence[EntryShown]) -> Iterator[list[Any]]:
    """Each entry as values: texts, numbers, days and instants (Japanese civil time without a zone, as spreadsheets know no other)."""
    for row in rows:
        kept: Any = row.kept_until if row.kept_until is not None else row.kept
        own = [_value(cell) for cell in row.cells]
        corrected = "あり" if row.corrected else ""
        yield [row.entry, row.state, *own, row.case_number, row.unit_name, kept, _local(row.entered_at), _local(row.recorded_at), corrected]


def _local(at: datetime) -> datetime:
    return at.astimezone(JST).replace(tzinfo=None)


def _value(cell: Cell) -> Any:
    if cell.masked:
        return MASK
    text = str(cell.value or "")
    try:
        if cell.kind == "date" and text:
            return date.fromisoformat(text)
        if cell.kind == "datetime" and text:
            return _local(datetime.fromisoformat(text)) if len(text) > 10 else date.fromisoformat(text)
    except ValueError:
        return text  # what was no day when it was typed
    return cell.value if cell.kind == "number" and cell.value is not None else cell.text


def csv_file(ledger: LedgerShown, rows: Sequence[EntryShown]) -> bytes:
    """The ledger as CSV."""
    return as_csv(headings(ledger), _lines(rows))


def as_csv(headings: Sequence[str], lines: Iterable[Sequence[Any]]) -> bytes:
    """A table as CSV in UTF-8 with a mark, which Excel opens as it is; a text that would be a formula begins with an apostrophe."""
    out = io.StringIO(newline="")
    writer = csv.writer(out)
    writer.writerow([_plain(name) for name in headings])
    for line in lines:
        writer.writerow([_plain(value) for value in line])
    return out.getvalue().encode("utf-8-sig")


def _plain(value: Any) -> Any:
    if isinstance(value, datetime):
        return value.strftime("%Y-%m-%d %H:%M")
    if isinstance(value, date):
        return value.isoformat()
    if not isinstance(value, str):
        return "" if value is None else value
    text = UNWRITABLE.sub("", value)
    return f"'{text}" if text.lstrip(" \u3000").startswith(FORMULA) else text


def xlsx_file(ledger: LedgerShown, rows: Sequence[EntryShown]) -> bytes:
    """The ledger as a workbook: days as days, numbers as numbers, and whatever was typed as text."""
    return workbook(ledger.name, headings(ledger), _lines(rows))
