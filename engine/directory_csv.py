"""A directory of people as a file that another system wrote, CSV (UTF-8 or Shift_JIS) or XLSX: 職員番号, 氏名, メール, 在職."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from engine.directory import DirectoryPerson
from engine.errors import DirectoryInvalid, PersonFault
from engine.sheets import Sheet, SheetLimits, read_table

ID, NAME, MAIL, IN_OFFICE = "職員番号", "氏名", "メール", "在職"
#: What 在職 may say; an empty cell is yes.
ANSWERS = {"はい": True, "1": True, "": True, "いいえ": False, "0": False}
LIMITS = SheetLimits(size=20 * 1024 * 1024, rows=100_000)  # a whole office in one file


@dataclass(frozen=True)
class CsvDirectory:
    """People in a table file. メール and 在職 may be left out as columns: addresses then stay as they are, and everyone listed is in office."""

    content: bytes
    name: str = "people.csv"

    def people(self) -> Iterator[DirectoryPerson]:
        """Everyone in the file, in its order; see `Directory.people`. Raises SheetUnreadable as well."""
        sheet = read_table(self.name, self.content, LIMITS)
        missing = [heading for heading in (ID, NAME) if heading not in sheet.headers]
        if missing:
            raise DirectoryInvalid([PersonFault("見出し", "", f"「{heading}」の列がありません") for heading in missing])
        found, faults = _read(sheet)
        if faults:
            raise DirectoryInvalid(faults)
        yield from found


def _read(sheet: Sheet) -> tuple[list[DirectoryPerson], list[PersonFault]]:
    found: list[DirectoryPerson] = []
    faults: list[PersonFault] = []
    for row in sheet.rows:
        cells = {heading: text.strip() for heading, text in row.cells.items()}
        where, told = f"{row.line}行目", cells.get(IN_OFFICE, "")
        if told not in ANSWERS:
            faults.append(PersonFault(where, cells[ID][:64], f"在職は「はい」か「いいえ」にしてください（{told[:20]}）"))
        found.append(DirectoryPerson(cells[ID], cells[NAME], cells.get(MAIL), ANSWERS.get(told, True), where))
    return found, faults
