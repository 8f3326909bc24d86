"""The rows that acts add beside their case's own, gathered and written together: by each act itself, or once for all acts of a transaction."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from datetime import date, datetime
from itertools import groupby
from typing import Any

import sqlalchemy as sa

from engine import people
from engine.model import Row, case_seat, history, job
from engine.organisation import Organisation
from engine.people import Holder
from engine.storage import insert_new
from engine.wakeup import add_jobs

# Built once: building a statement costs more than SQLite needs to run it.
_DROP_JOBS = job.delete().where(job.c.case_id == sa.bindparam("case"), job.c.key.in_(sa.bindparam("keys", expanding=True)))
_RECORD = history.insert()


def see(connection: sa.Connection, organisation: str, case_id: int, seats: Iterable[str]) -> None:
    """Let seats see a case; a seat that already does is left alone."""
    _let_see(connection, [_sight(organisation, case_id, seat) for seat in dict.fromkeys(seats)])


def _sight(organisation: str, case_id: int, seat: str) -> dict[str, Any]:
    return {"case_id": case_id, "organisation": organisation, "seat": seat}


def _let_see(connection: sa.Connection, rows: Sequence[dict[str, Any]]) -> None:
    if rows:
        connection.execute(insert_new(connection, case_seat), rows)


class Batch:
    """Due work, sight and records that acts add in a transaction, and what they need to read for it.

    Nobody reads these rows within the transaction that adds them, so they may come last; what is dropped is dropped at once.

    Args:
        held: the rows of several acts are kept until `write`; otherwise each act writes its own (`settle`).
        cases: rows of cases that the caller has locked and read, as `UnitOfWork` reads them; each is given out once, as an act changes it.
    """

    def __init__(self, connection: sa.Connection, *, held: bool = False, cases: Iterable[Row] = ()) -> None:
        self._connection = connection
        self._held = held
        self._cases = {row["id"]: row for row in cases}
        self._jobs: list[dict[str, Any]] = []
        self._sights: dict[tuple[int, str], dict[str, Any]] = {}
        self._records: list[dict[str, Any]] = []
        self._holders: dict[tuple[Any, ...], tuple[Holder, ...]] = {}

    def take(self, case_id: int) -> Row | None:
        """The row of a case, when the caller has read it and no act has had it."""
        return self._cases.pop(case_id, None)

    def holders(self, office: Organisation, seats: Iterable[str], on: date, process: str) -> tuple[Holder, ...]:
        """`people.holders`; asked once for the acts of a batch that tell the same seats."""
        key = (office.digest, tuple(sorted(set(seats))), on, process)
        if key not in self._holders:
            self._holders[key] = people.holders(self._connection, office, key[1], on, process)
        return self._holders[key]

    def posts_changed(self) -> None:
        """An act has changed who holds what."""
        self._holders.clear()

    def add_jobs(self, rows: Sequence[dict[str, Any]]) -> None:
        """Due work: column values, the same columns in each row."""
        self._jobs += rows

    def drop_jobs(self, case_id: int, keys: Sequence[str]) -> None:
        """Due work that a case no longer needs, whether written yet or not."""
        if keys:
            self._jobs = [row for row in self._jobs if row["case_id"] != case_id or row["key"] not in keys]
            self._connection.execute(_DROP_JOBS, {"case": case_id, "keys": keys})

    def see(self, organisation: str, case_id: int, seats: Iterable[str]) -> None:
        """Let seats see a case; a seat that already does is left alone."""
        for seat in seats:
            self._sights[case_id, seat] = _sight(organisation, case_id, seat)

    def record(self, rows: Sequence[dict[str, Any]]) -> None:
        """Rows of the history."""
        self._records += rows

    def settle(self, now: datetime) -> None:
        """The end of an act: what it gathered is written, unless the batch is held."""
        if not self._held:
            self.write(now)

    def write(self, now: datetime) -> None:
        """Write what was gathered; whoever is to know of due work learns with the commit."""
        sights, self._sights = list(self._sights.values()), {}
        jobs, self._jobs = self._jobs, []
        records, self._records = self._records, []
        _let_see(self._connection, sights)
        for _, alike in groupby(jobs, tuple):  # those of one act have the same columns
            add_jobs(self._connection, list(alike), now)
        if records:
            self._connection.execute(_RECORD, records)

    @contextmanager
    def part(self, now: datetime) -> Iterator[None]:
        """What acts do within this stays all together, or not at all (a savepoint)."""
        self.write(now)
        try:
            with self._connection.begin_nested():
                yield
                self.write(now)
        finally:  # nothing is left, or what is left has been taken back
            self._jobs, self._sights, self._records = [], {}, []
