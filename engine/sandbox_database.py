"""The databases of sandboxes: in memory, an account in every seat, the procedures of the office; and how far runs were played before."""

from __future__ import annotations

import sqlite3
import threading
from collections import OrderedDict
from dataclasses import dataclass
from datetime import UTC, date, datetime
from functools import lru_cache
from typing import Any, cast

import sqlalchemy as sa
from sqlalchemy.engine.interfaces import DBAPIConnection
from sqlalchemy.pool import StaticPool

from engine import model
from engine.organisation import Organisation
from engine.witness import Seen

_BEGINNING = datetime(2000, 1, 1, tzinfo=UTC)
#: Runs that are being played now, by anybody, of which the last state is kept; most take less than a megabyte, and one that takes more than so many bytes is not kept.
MOST_KEPT, MOST_BYTES = 24, 8 * 1024 * 1024


_COMPILED: dict[Any, Any] = {}


def fresh(office: Organisation, procedures: tuple[tuple[str, str], ...], on: date) -> sa.Engine:
    """A database in which nothing has happened.

    Args:
        procedures: (process id, name) in the order of their version ids, from 1.
        on: the day whose seats have an account.
    """
    seats = tuple((seat, office.seat_name(seat)[:200]) for seat in sorted(office.seats(on)))
    return _opened(_filled(office.id, seats, tuple((process_id, name[:200]) for process_id, name in procedures)))


def _opened(data: bytes) -> sa.Engine:
    connection = sqlite3.connect(":memory:", check_same_thread=False, isolation_level=None)
    connection.deserialize(data)
    return _engine(connection)


@lru_cache(maxsize=8)
def _filled(office: str, seats: tuple[tuple[str, str], ...], names: tuple[tuple[str, str], ...]) -> bytes:
    """The bytes of such a database: making the tables and the accounts takes longer than playing a case."""
    connection = sqlite3.connect(":memory:", check_same_thread=False, isolation_level=None)
    database = _engine(connection)
    model.metadata.create_all(database)
    known = {"organisation": office, "created_at": _BEGINNING}
    held = {"organisation": office, "kind": "main", "valid_from": _BEGINNING.date(), "recorded_at": _BEGINNING, "recorded_by": "system"}
    stored = {"organisation": office, "version": 1, "digest": "", "bundle": "{}", "deployed_at": _BEGINNING, "deployed_by": "system"}
    with database.begin() as into:
        people = [{**known, "id": person_in(seat), "name": name, "email": f"{person_in(seat)}@sandbox.invalid"} for seat, name in seats]
        into.execute(model.person.insert(), people)
        into.execute(
            model.holding.insert(), [{**held, "person": person_in(seat), "seat": seat, "basis": "", "source": ""} for seat, _ in seats]
        )
        rows = [
            {**stored, "id": number, "process_id": process_id, "name": name, "in_force_from": _BEGINNING}
            for number, (process_id, name) in enumerate(names, 1)
        ]
        into.execute(model.definition.insert(), rows)
    data = connection.serialize()
    database.dispose()
    return data


def _engine(connection: sqlite3.Connection) -> sa.Engine:
    """SQLAlchemy over one connection that says BEGIN itself, so that a refused act and a failed service undo exactly what is theirs."""
    lender = _lender()
    database = sa.Engine(
        StaticPool(lambda: cast(DBAPIConnection, connection), dialect=lender.dialect),
        lender.dialect,
        lender.url,
        execution_options={"compiled_cache": _COMPILED},
    )

    @sa.event.listens_for(database, "begin")
    def _begin(given: sa.Connection) -> None:
        if not given.get_execution_options().get("read_only"):
            given.exec_driver_sql("BEGIN")

    return database


@lru_cache(maxsize=1)
def _lender() -> sa.Engine:
    """What all sandboxes have in common: the dialect, once it knows the driver. Statements are compiled for it once (`_COMPILED`), not by each."""
    made = sa.create_engine("sqlite://", poolclass=StaticPool)
    with made.connect():
        return made


def person_in(seat: str) -> str:
    """The account that holds a seat in a sandbox."""
    return seat.replace("@", ".")


# ---------------------------------------------------------------- how far a run was played


@dataclass(frozen=True)
class Kept:
    """A sandbox after some acts."""

    data: bytes
    at: datetime
    case_id: int | None
    fired: dict[str, int]
    seen: dict[str, Seen]

    def open(self) -> sa.Engine:
        """Its database, to be played on."""
        return _opened(self.data)


class Shelf:
    """The last states of runs by what was played; only saves time, and a process that has none plays from the start."""

    def __init__(self) -> None:
        self._kept: OrderedDict[str, Kept] = OrderedDict()
        self._lock = threading.Lock()

    def put(self, key: str, kept: Kept) -> None:
        """Keep a state, and drop the one nobody has asked for longest."""
        if len(kept.data) > MOST_BYTES:
            return
        with self._lock:
            self._kept[key] = kept
            self._kept.move_to_end(key)
            while len(self._kept) > MOST_KEPT:
                self._kept.popitem(last=False)

    def get(self, key: str) -> Kept | None:
        """The state after these acts."""
        with self._lock:
            found = self._kept.get(key)
            if found is not None:
                self._kept.move_to_end(key)
            return found


def content(database: sa.Engine) -> bytes:
    """All of a sandbox's database."""
    with database.connect() as connection:
        driver = connection.connection.driver_connection
        assert isinstance(driver, sqlite3.Connection)
        return driver.serialize()


SHELF = Shelf()
