"""Word of due work: rows of due work are inserted here, and on PostgreSQL the workers that wait are told (LISTEN/NOTIFY).

A worker sleeps until the next due instant it knows of, at most `LOOK`. So only work that is due sooner than that has to be made known, and
most transactions need not: a NOTIFY in every one costs a third of the throughput.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Sequence
from datetime import datetime, timedelta
from threading import Event
from typing import Any, Protocol

import psycopg
import sqlalchemy as sa

from engine.model import job

log = logging.getLogger(__name__)

CHANNEL = "tadachi_due"
LOOK = 15.0  # seconds after which a worker looks whatever it was told
#: Due sooner than this is made known; more than LOOK, as two machines' clocks may differ a little.
SOON = timedelta(seconds=LOOK + 15)
SLICE = 0.5  # seconds in which a worker that waits notices that it is to stop
_NOTIFY = sa.text(f"SELECT pg_notify('{CHANNEL}', '')")
_INSERT = job.insert()
_INSERT_TOLD = job.insert().returning(job.c.id, job.c.kind, job.c.run_at)


def add_jobs(connection: sa.Connection, rows: Sequence[dict[str, Any]], now: datetime) -> None:
    """Insert due work; who is to know of it learns with the commit, or never.

    Args:
        rows: column values, the same columns in each.
    """
    if not rows:
        return
    if connection.dialect.name != "postgresql":
        connection.execute(_INSERT, rows)
        return
    if any(row["kind"] == "deliver" for row in rows):
        from engine import queue  # only here: an installation on SQLite does without the library

        made = connection.execute(_INSERT_TOLD, rows).all()
        at_once = [row.id for row in made if row.kind == "deliver" and row.run_at is not None and row.run_at <= now]
        if at_once:  # what is to go out later the queue's sweep finds when it is due
            queue.defer(connection, at_once)
    else:
        connection.execute(_INSERT, rows)
    if any(row["kind"] != "deliver" and row["run_at"] is not None and row["run_at"] <= now + SOON for row in rows):
        connection.execute(_NOTIFY)


class Waiting(Protocol):
    """How a worker waits until there may be something to do."""

    def wait(self, seconds: float, stop: Event) -> None:
        """Wait as long, or less when there is word of due work or a stop."""

    def close(self) -> None:
        """Wait no more."""


class Pausing:
    """SQLite: nobody tells, so the worker looks every second."""

    def __init__(self, poll: float) -> None:
        self._poll = poll

    def wait(self, seconds: float, stop: Event) -> None:
        """Wait, but look at least once in a while."""
        stop.wait(min(seconds, self._poll))

    def close(self) -> None:
        """Nothing is held."""


class Listening:
    """PostgreSQL: waits for NOTIFY on a connection of its own, which is made anew when it is lost."""

    def __init__(self, database: sa.Engine) -> None:
        self._database = database
        self._connection: psycopg.Connection[Any] | None = None

    def wait(self, seconds: float, stop: Event) -> None:
        """Wait for word of due work. Returns at once after connecting: what was said before nobody heard."""
        until = time.monotonic() + seconds
        try:
            if self._connection is None:
                self._connection = self._connect()
                return
            while not stop.is_set():
                left = until - time.monotonic()
                if left <= 0:
                    self._connection.execute("SELECT 1")  # a connection that died without a word hears nothing
                    return
                for _ in self._connection.notifies(timeout=min(SLICE, left), stop_after=1):
                    return
        except psycopg.Error as error:
            log.warning(
                "nobody listens for due work (%s); the worker looks every %.0f s meanwhile", type(error).__name__, min(seconds, LOOK)
            )
            self.close()
            stop.wait(min(seconds, 1.0))

    def _connect(self) -> psycopg.Connection[Any]:
        given, named = self._database.dialect.create_connect_args(self._database.url)
        alive = {"keepalives_idle": 10, "keepalives_interval": 5, "keepalives_count": 2, "connect_timeout": 5}
        connection = psycopg.connect(*given, **{**alive, **named}, autocommit=True)
        connection.execute(f"LISTEN {CHANNEL}")
        return connection

    def close(self) -> None:
        """Let go of the connection."""
        if self._connection is not None:
            self._connection.close()
            self._connection = None
