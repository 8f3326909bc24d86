"""Corrections of ledger entries by the officials who keep the ledger: a further revision with its reason, never a change of the old one."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

import sqlalchemy as sa

from engine import ledger_book, people
from engine.clock import civil_day
from engine.era import read_date
from engine.errors import EntryChanged, FormInvalid, LedgerEntryNotFound, NothingCorrected, TakenOut
from engine.forms import MAX_TEXT, clean_text, parse_instant
from engine.ledger_rules import Ledger, LedgerColumn
from engine.ledger_sight import ENTRIES, IS_NEWEST, keepers_of, ledgers_on, readable
from engine.ledger_values import YES_NO, Value, Values, choices_of, converted
from engine.model import case_file, ledger_entry
from engine.net import Net
from engine.organisation import Organisation
from engine.sight import cases_of
from engine.store import OpenCase
from engine.system_work import SystemVerbs
from engine.unit_of_work import japanese


class LedgerVerbs(SystemVerbs):
    """The correction of an entry."""

    def correct_entry(self, ledger_id: str, number: int, values: Mapping[str, Any], reason: str, revision: int | None = None) -> None:
        """Put right what an entry says (訂正); the process keeps it so until the fact behind a column changes.

        Args:
            ledger_id: the ledger.
            number: the entry's number in it.
            values: column -> what it should say, in its own type or as a form posts it; columns left out stay.
            reason: why; shown with the correction for ever.
            revision: the revision the actor saw; an entry that has moved on since is not corrected unseen.

        Raises:
            NotFound: no such ledger.
            LedgerEntryNotFound: no such entry, or none the actor may read.
            NotAllowed: no seat of his keeps it.
            TakenOut: the case is about the actor.
            EntryChanged: it is no longer the revision he saw.
            ReasonRequired, FormInvalid, NothingCorrected.
        """
        self._attempting("correct_entry", ledger=ledger_id, entry=number)
        office, on = self.organisation, civil_day(self._now)
        ledger = office.rules.ledger(ledger_id, on)
        case, sees = self._case_of_entry(ledger, number)
        held = self._standing_among(keepers_of(ledger, office, case.row["owning_unit"], on), case.row["process_id"])
        text = self._reason(reason)
        own = (ledger_entry.c.organisation == office.id, ledger_entry.c.ledger == ledger_id, ledger_entry.c.entry == number)
        (old,) = ledger_book.newest(self._connection, *own)  # read after the lock: of two who correct, the second sees the first
        if revision is not None and revision != old["revision"]:
            who = people.names(self._connection, [old["person"]]).get(old["person"], "")
            raise EntryChanged(at=japanese(old["recorded_at"]), person=who, entry=number)
        content: Values = json.loads(old["content"])
        corrected = content | _read(ledger, values, content, case.definition.net, office, on, sees=sees)
        if corrected == content:
            raise NothingCorrected(entry=number)
        entry = self._entry(ledger_book.CORRECTED, None, {}, held)
        by = ledger_book.By(self.person, held.seat, held.principal or None, ledger_book.CORRECTED, None, ledger.name)
        row = ledger_book.revision(
            ledger, old, old["state"], corrected, json.loads(old["written"]), by, self._now, office.unit_names, reason=text
        )
        self._connection.execute(ledger_entry.insert(), row)
        entry.data |= {**ledger_book.told(ledger, row), "reason": text}
        case.entries.append(entry)
        self._writer.touch(case)

    def _case_of_entry(self, ledger: Ledger, number: int) -> tuple[OpenCase, bool]:
        """The case behind an entry that the actor may read, locked; it may have ended. And whether he sees it."""
        on = civil_day(self._now)
        mine = readable(self.viewer, self.organisation, ledgers_on(self.organisation, on), on)
        sees = sa.case((cases_of(self.viewer), sa.true()), else_=sa.false()).label("sees")
        query = sa.select(ledger_entry.c.case_id, sees).select_from(ENTRIES)
        query = query.where(ledger_entry.c.ledger == ledger.id, ledger_entry.c.entry == number, mine, IS_NEWEST)
        found = self._connection.execute(query).first()
        if found is None:
            raise LedgerEntryNotFound(ledger=ledger.name, entry=number)
        if found.case_id in self.viewer.barred_cases:
            raise TakenOut(case=found.case_id)
        row = self._connection.execute(sa.select(case_file).where(case_file.c.id == found.case_id).with_for_update()).mappings().one()
        return self._open_case(dict(row)), bool(found.sees)


def _read(ledger: Ledger, raw: Mapping[str, Any], content: Values, net: Net, office: Organisation, on: Any, *, sees: bool) -> Values:
    """What was entered, by column; raises FormInvalid with a sentence for each that does not fit."""
    read: Values = {}
    wrong: dict[str, str] = {}
    units = {unit.id for unit in office.units.values() if unit.exists(on)}
    for name, value in raw.items():
        column = ledger.column(name)
        if column is None or (column.masked and not sees):
            wrong[str(name)[:60]] = f"「{str(name)[:60]}」という列はありません。"
            continue
        old = content.get(name)
        typed = value.strip() if isinstance(value, str) else value
        if typed in (None, "") or str(typed) == str(old):
            read[name] = None if typed in (None, "") else old
            continue
        try:
            read[name] = _value(column, typed, units, choices_of(column, net))
        except ValueError as error:
            wrong[name] = f"「{column.name}」{error}"
    if wrong:
        raise FormInvalid(wrong)
    return read


def _value(column: LedgerColumn, value: Any, units: set[str], choices: tuple[str, ...]) -> Value:
    text = clean_text(value, MAX_TEXT, lines=column.kind == "text") or ""
    if column.kind in ("date", "datetime"):
        return _day_or_instant(column.kind, text)
    if column.kind == "number":
        found = converted("number", text)
        if isinstance(found, str):
            raise ValueError("には数を入力してください。")
        return found
    allowed = set(YES_NO) if column.kind == "yes_no" else units if column.kind == "unit" else set(choices)
    if allowed and text not in allowed:
        raise ValueError("は、選択肢から選んでください。")
    return text


def _day_or_instant(kind: str, text: str) -> Value:
    try:
        return converted(kind, read_date(text) if kind == "date" else parse_instant(text))
    except ValueError:
        example = "2026-11-21" if kind == "date" else "2026-11-21 10:00"
        raise ValueError(f"には{'日付' if kind == 'date' else '日時'}を入力してください（例：{example}）。") from None
