"""Reads of an office's ledgers (台帳): lists with search, one entry with all its revisions, trees, and what is taken out of them."""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import date
from typing import TYPE_CHECKING, Any

import sqlalchemy as sa

from engine import history, people
from engine.clock import JST, civil_day, end_of_day, start_of_day
from engine.errors import LedgerEntryNotFound, NotFound, TooManyEntries
from engine.inbox import MAX_PAGE, escape_like
from engine.ledger_rules import Ledger, ledger_of
from engine.ledger_shown import correction_field, entry_shown, ledger_shown, revisions_shown
from engine.ledger_sight import ENTRIES, IS_NEWEST, correcting_from, keepers_of, ledgers_on, readable, reads_whole
from engine.ledger_tree import grown
from engine.ledger_values import choices_of, folded
from engine.ledger_views import EntryPage, EntryShown, LedgerPage, LedgerShown, TreePage
from engine.model import case_file, ledger_entry
from engine.organisation import Organisation
from engine.sight import cases_of
from engine.views import Viewer

if TYPE_CHECKING:
    from engine.service import Engine

#: Entries without a day of their own come last when the time of keeping orders them.
_FIRST, _LAST = date(1900, 1, 1), date(9999, 12, 30)
MOST_IN_A_TREE = 1_000
MOST_GROUPS = 500
MOST_TAKEN_OUT = 20_000
ORDERS = ("new", "kept")


class Ledgers:
    """What `Engine` answers about ledgers."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    def _office(self, viewer: Viewer) -> tuple[Organisation, date]:
        return self._engine.organisations[viewer.organisation], civil_day(viewer.at)

    def _ledger(self, viewer: Viewer, ledger_id: str) -> Ledger:
        office, on = self._office(viewer)
        return office.rules.ledger(ledger_id, on)

    def offered(self, viewer: Viewer) -> bool:
        """Whether the viewer's office keeps ledgers at all; everybody reads the entries of the cases he sees."""
        return bool(self._office(viewer)[0].rules.ledgers)

    def all(self, viewer: Viewer) -> tuple[LedgerShown, ...]:
        """The office's ledgers with how many entries the viewer may read, how many of them are open, and how many need not be kept any more."""
        office, on = self._office(viewer)
        ledgers = ledgers_on(office, on)
        if not ledgers:
            return ()
        over = sa.and_(ledger_entry.c.kept_until.is_not(None), ledger_entry.c.kept_until < on)
        query = (
            sa.select(
                ledger_entry.c.ledger,
                sa.func.count(),
                sa.func.sum(sa.case((ledger_entry.c.closed, 0), else_=1)),
                sa.func.sum(sa.case((over, 1), else_=0)),
            )
            .select_from(ENTRIES)
            .where(readable(viewer, office, ledgers, on), IS_NEWEST)
            .group_by(ledger_entry.c.ledger)
        )
        with self._engine.reading() as connection:
            counted = {row[0]: (int(row[1]), int(row[2]), int(row[3])) for row in connection.execute(query)}
        return tuple(
            ledger_shown(ledger, office, on, whole=reads_whole(viewer, ledger), counts=counted.get(ledger.id, (0, 0, 0)))
            for ledger in ledgers.values()
        )

    # ---------------------------------------------------------------- lists

    def page(
        self,
        viewer: Viewer,
        ledger_id: str,
        *,
        text: str | None = None,
        state: str | None = None,
        unit: str | None = None,
        since: date | None = None,
        until: date | None = None,
        kept: str | None = None,
        order: str = "new",
        after: str | None = None,
        limit: int = 50,
    ) -> LedgerPage:
        """One page of the entries the viewer may read.

        Args:
            text: looked for in the columns and the case's number; in masked columns only of cases the viewer sees.
            state: one of the ledger's states, or `open` or `closed`.
            unit: the unit whose case it is.
            since, until: first and last day of being entered.
            kept: `expired` (the time of keeping is over) or `undecided` (it is not known yet).
            order: `new` (the latest number first) or `kept` (what need not be kept first).
            after: the marker of the page before.

        Raises:
            NotFound: no such ledger.
        """
        office, on = self._office(viewer)
        ledger = self._ledger(viewer, ledger_id)
        query = self._query(viewer, ledger).where(*_chosen(viewer, ledger, on, text, state, unit, since, until, kept))
        day = sa.func.coalesce(ledger_entry.c.kept_until, sa.literal(_LAST, sa.Date))
        marker = _marker(after)
        if order == "kept":
            query = query.order_by(day, ledger_entry.c.entry)
            if marker is not None and marker[0] is not None:
                query = query.where(sa.or_(day > marker[0], sa.and_(day == marker[0], ledger_entry.c.entry > marker[1])))
        else:
            query = query.order_by(ledger_entry.c.entry.desc())
            if marker is not None:
                query = query.where(ledger_entry.c.entry < marker[1])
        limit = max(1, min(limit, MAX_PAGE))
        with self._engine.reading() as connection:
            rows = connection.execute(query.limit(limit + 1)).mappings().all()
        more, rows = len(rows) > limit, rows[:limit]
        last = rows[-1] if rows else None
        following = f"{(last['kept_until'] or _LAST).isoformat()}.{last['entry']}" if more and last is not None else None
        return LedgerPage(
            ledger=ledger_shown(ledger, office, on, whole=reads_whole(viewer, ledger)),
            rows=tuple(entry_shown(row, ledger, office, on) for row in rows),
            next=following,
            units=tuple((one.id, one.name) for one in office.units.values()),
        )

    def _query(self, viewer: Viewer, ledger: Ledger) -> sa.Select[Any]:
        """The newest revisions the viewer may read, with their cases and whether he sees those."""
        office, on = self._office(viewer)
        columns = [*ledger_entry.c, case_file.c.number, case_file.c.owning_unit, case_file.c.process_id, case_file.c.definition]
        sees = sa.case((cases_of(viewer), sa.true()), else_=sa.false()).label("sees")
        mine = readable(viewer, office, {ledger.id: ledger}, on)
        return sa.select(*columns, sees).select_from(ENTRIES).where(mine, IS_NEWEST)

    def take_out(
        self, viewer: Viewer, ledger_id: str, form: str, *, most: int = MOST_TAKEN_OUT, **filters: Any
    ) -> tuple[LedgerShown, tuple[EntryShown, ...]]:
        """All entries that meet the filters of `page`, to be taken out of the system in a form (CSV, XLSX, PDF); the record says who did.

        Raises:
            NotFound: no such ledger.
            TooManyEntries: there are more than `most`; half a ledger must not pass for the whole.
        """
        rows: list[EntryShown] = []
        after: str | None = None
        while True:
            page = self.page(viewer, ledger_id, **filters, after=after, limit=MAX_PAGE)
            rows += page.rows
            after = page.next
            if len(rows) > most:
                raise TooManyEntries(limit=most, form=form)
            if after is None:
                break
        data = {"name": page.ledger.name, "ledger": ledger_id, "format": form, "rows": len(rows)}
        with self._engine.writing() as connection:
            entry = history.Entry("ledger.exported", viewer.at, viewer.person, data=data)
            history.append_to_organisation(connection, viewer.organisation, entry)
        return page.ledger, tuple(rows)

    def of_case(self, viewer: Viewer, case_id: int) -> tuple[tuple[LedgerShown, EntryShown], ...]:
        """The entries that come from a case the viewer sees, ledger by ledger."""
        office, on = self._office(viewer)
        ledgers = ledgers_on(office, on)
        if not ledgers:
            return ()
        columns = [*ledger_entry.c, case_file.c.number, case_file.c.owning_unit, sa.true().label("sees")]
        query = sa.select(*columns).select_from(ENTRIES).where(ledger_entry.c.case_id == case_id, cases_of(viewer), IS_NEWEST)
        with self._engine.reading() as connection:
            rows = connection.execute(query.order_by(ledger_entry.c.ledger, ledger_entry.c.entry)).mappings().all()
        return tuple(
            (ledger_shown(ledger, office, on, whole=reads_whole(viewer, ledger)), entry_shown(row, ledger, office, on))
            for ledger in ledgers.values()
            for row in rows
            if row["ledger"] == ledger.id
        )

    # ---------------------------------------------------------------- one entry

    def entry(
        self,
        viewer: Viewer,
        ledger_id: str,
        number: int,
        *,
        answers: Mapping[str, str] | None = None,
        errors: Mapping[str, str] | None = None,
    ) -> EntryPage:
        """An entry with all its revisions, and the form that corrects it for who may.

        Args:
            answers, errors: re-show a correction that was refused.

        Raises:
            NotFound: no such ledger.
            LedgerEntryNotFound: no such entry, or none the viewer may read.
        """
        office, on = self._office(viewer)
        ledger = self._ledger(viewer, ledger_id)
        with self._engine.reading() as connection:
            row = connection.execute(self._query(viewer, ledger).where(ledger_entry.c.entry == number)).mappings().first()
            if row is None:
                raise LedgerEntryNotFound(ledger=ledger.name, entry=number)
            own = (ledger_entry.c.organisation == office.id, ledger_entry.c.ledger == ledger_id, ledger_entry.c.entry == number)
            query = sa.select(*ledger_entry.c, sa.literal(bool(row["sees"])).label("sees")).where(*own)
            revisions = connection.execute(query.order_by(ledger_entry.c.revision)).mappings().all()
            names = people.names(connection, {who for one in revisions for who in (one["person"], one["acted_for"])})
            net = self._engine.definitions.get(connection, row["definition"]).net
        days = {one["recorded_at"].astimezone(JST).date() for one in revisions}
        then = {day: ledger_of(office.rules.ledgers, ledger_id, day) or ledger for day in days}
        entry = entry_shown(row, ledger, office, on)
        seats = correcting_from(viewer, keepers_of(ledger, office, row["owning_unit"], on), row["process_id"], row["case_id"])
        return EntryPage(
            ledger=ledger_shown(ledger, office, on, whole=reads_whole(viewer, ledger)),
            entry=entry,
            revisions=revisions_shown(revisions, then, office, names),
            fields=tuple(
                correction_field(
                    column,
                    cell.value,
                    office,
                    on,
                    choices_of(column, net),
                    (answers or {}).get(column.id),
                    (errors or {}).get(column.id, ""),
                )
                for column, cell in zip(ledger.columns, entry.cells, strict=True)
                if not cell.masked
            )
            if seats
            else (),
            seats=seats,
        )

    # ---------------------------------------------------------------- trees

    def tree(self, viewer: Viewer, ledger_id: str, group: str | None = None) -> TreePage:
        """The entries of a ledger that hang below one another.

        Args:
            group: the words of the ledger's group column; left out, the only group there is.

        Raises:
            NotFound: no such ledger, or its entries do not hang below one another.
        """
        office, on = self._office(viewer)
        ledger = self._ledger(viewer, ledger_id)
        if not ledger.is_tree:
            raise NotFound(ledger=ledger_id)
        mine = readable(viewer, office, {ledger.id: ledger}, on)
        counted = sa.select(ledger_entry.c.grouped, sa.func.count()).select_from(ENTRIES).where(mine, IS_NEWEST)
        with self._engine.reading() as connection:
            found = connection.execute(counted.group_by(ledger_entry.c.grouped).order_by(ledger_entry.c.grouped).limit(MOST_GROUPS)).all()
            groups = tuple((str(row[0]), int(row[1])) for row in found)
            chosen = group if group is not None else groups[0][0] if len(groups) == 1 else None
            rows: list[Any] = []
            if chosen is not None:
                query = self._query(viewer, ledger).where(ledger_entry.c.grouped == chosen).order_by(ledger_entry.c.entry)
                rows = list(connection.execute(query.limit(MOST_IN_A_TREE + 1)).mappings())
        entries = [entry_shown(row, ledger, office, on) for row in rows[:MOST_IN_A_TREE]]
        return TreePage(
            ledger=ledger_shown(ledger, office, on, whole=reads_whole(viewer, ledger)),
            groups=groups,
            group=chosen,
            nodes=grown(ledger, entries),
            cut=len(rows) > MOST_IN_A_TREE,
        )


def _chosen(
    viewer: Viewer,
    ledger: Ledger,
    on: date,
    text: str | None,
    state: str | None,
    unit: str | None,
    since: date | None,
    until: date | None,
    kept: str | None,
) -> list[sa.ColumnElement[bool]]:
    """The filters of a list as conditions."""
    wanted: list[sa.ColumnElement[bool]] = [ledger_entry.c.ledger == ledger.id]
    if text and text.strip():
        typed = text.strip()[:100]
        pattern = escape_like(folded(typed))
        wanted.append(
            sa.or_(
                ledger_entry.c.words.like(pattern, escape="\\"),
                sa.and_(ledger_entry.c.masked_words.like(pattern, escape="\\"), cases_of(viewer)),
                case_file.c.number.ilike(escape_like(typed), escape="\\"),
            )
        )
    if state in ("open", "closed"):
        wanted.append(ledger_entry.c.closed == (state == "closed"))
    elif state:
        wanted.append(ledger_entry.c.state == state)
    if unit:
        wanted.append(case_file.c.owning_unit == unit)
    if since is not None:
        wanted.append(ledger_entry.c.entered_at >= start_of_day(max(since, _FIRST)))
    if until is not None:
        wanted.append(ledger_entry.c.entered_at < end_of_day(min(max(until, _FIRST), _LAST)))
    if kept == "expired":
        wanted.append(ledger_entry.c.kept_until < on)
    elif kept == "undecided":
        wanted.append(ledger_entry.c.kept_until.is_(None))
    return wanted


def _marker(after: str | None) -> tuple[date | None, int] | None:
    """What a page goes on after; anything else than our own marker starts from the beginning."""
    found = re.fullmatch(r"(\d{4}-\d{2}-\d{2})\.(\d{1,9})", after or "", re.ASCII)
    if found is None:
        return None
    try:
        return date.fromisoformat(found[1]), int(found[2])
    except ValueError:
        return None
