"""Who reads and who corrects a ledger: conditions inside queries over `ledger_entry` joined to its case, and the seats that correct."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import date

import sqlalchemy as sa

from engine.access import usable
from engine.ledger_rules import Ledger, ledger_of
from engine.model import case_file, ledger_entry
from engine.organisation import Organisation, split_seat
from engine.sight import cases_of
from engine.views import SeatHeld, Viewer

_later = ledger_entry.alias("later")

#: Entries with the case each came from.
ENTRIES = ledger_entry.join(case_file, case_file.c.id == ledger_entry.c.case_id)

#: Of each entry the revision that counts.
IS_NEWEST = ~sa.exists().where(
    _later.c.organisation == ledger_entry.c.organisation,
    _later.c.ledger == ledger_entry.c.ledger,
    _later.c.entry == ledger_entry.c.entry,
    _later.c.revision > ledger_entry.c.revision,
)


def role_of(seat: str) -> str:
    """The role of a seat; empty for a person's own."""
    parts = split_seat(seat)
    return parts[0] if parts is not None else ""


def reads_whole(viewer: Viewer, ledger: Ledger) -> bool:
    """Whether the viewer reads every entry of a ledger."""
    return any(role_of(seat) in ledger.readers for seat in viewer.keys)


def ledgers_on(office: Organisation, on: date) -> dict[str, Ledger]:
    """The office's ledgers as they stand on a day, in the order of rules.toml."""
    found = {ledger_id: ledger_of(office.rules.ledgers, ledger_id, on) for ledger_id in office.rules.ledger_ids}
    return {ledger_id: ledger for ledger_id, ledger in found.items() if ledger is not None}


def readable(viewer: Viewer, office: Organisation, ledgers: Mapping[str, Ledger], on: date) -> sa.ColumnElement[bool]:
    """Entries that the viewer may read: of cases he sees, of ledgers he reads by his post, and those he may correct.

    A post shows nothing of a case that is about the viewer himself.
    """
    by_post: list[sa.ColumnElement[bool]] = []
    whole = [ledger.id for ledger in ledgers.values() if reads_whole(viewer, ledger)]
    if whole:
        by_post.append(ledger_entry.c.ledger.in_(whole))
    for ledger in ledgers.values():
        if ledger.id in whole:
            continue
        limited = [process for process, seat in viewer.limited if role_of(seat) in (*ledger.readers, *ledger.keepers)]
        if limited:
            by_post.append(sa.and_(ledger_entry.c.ledger == ledger.id, case_file.c.process_id.in_(limited)))
        keeps = any(role_of(seat) in ledger.keepers for seat in viewer.keys)
        units = [unit for unit in office.units if keepers_of(ledger, office, unit, on) & set(viewer.keys)] if keeps else []
        if units:
            by_post.append(sa.and_(ledger_entry.c.ledger == ledger.id, case_file.c.owning_unit.in_(units)))
    ours = [ledger_entry.c.organisation == viewer.organisation, ledger_entry.c.ledger.in_(list(ledgers))]
    sees = cases_of(viewer)
    if not by_post:
        return sa.and_(*ours, sees)
    posted = sa.or_(*by_post)
    if viewer.barred_cases:
        posted = sa.and_(posted, case_file.c.id.not_in(sorted(viewer.barred_cases)))
    return sa.and_(*ours, sa.or_(sees, posted))


def keepers_of(ledger: Ledger, office: Organisation, unit: str, on: date) -> frozenset[str]:
    """The seats that may correct a ledger's entries of a unit: of each keeper's role the one that answers for the unit."""
    return frozenset(seat for role in ledger.keepers if (seat := office.resolve(role, unit, on)) is not None)


def correcting_from(viewer: Viewer, seats: Iterable[str], process: str, case_id: int) -> tuple[SeatHeld, ...]:
    """The seats from which the viewer may correct an entry whose keepers these are, his own first; none when the case is about him."""
    keepers = set(seats)
    if case_id in viewer.barred_cases:
        return ()
    return tuple(sorted((held for held in usable(viewer, process) if held.seat in keepers), key=lambda held: (not held.own, held.seat)))
