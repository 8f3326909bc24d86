"""Opens the database: one code path for SQLite (WAL, FULL, BEGIN IMMEDIATE) and PostgreSQL."""

from __future__ import annotations

import sqlite3
import threading
import time
from functools import cache
from pathlib import Path
from typing import Any

import sqlalchemy as sa
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.engine import make_url

from engine.model import APPEND_ONLY, metadata

BUSY = 15  # seconds to wait for SQLite's write lock
#: Pages of SQLite's write-ahead log (4 KiB each) after which whoever commits takes them over into the database himself, and waits for it:
#: so many only where no worker does it before (`take_over_log`).
LOG_PAGES = 10_000
#: What the database raises when it is away or lacks the tables of this version.
STORAGE_ERRORS = (sa.exc.OperationalError, sa.exc.ProgrammingError)


def open_database(url: str) -> sa.Engine:
    """A SQLAlchemy engine for a database URL (`sqlite:///path` or `postgresql+psycopg://…`).

    SQLite: write-ahead log so that readers never wait, synchronous=FULL so that an acknowledged act survives a power cut,
    and BEGIN IMMEDIATE because a deferred transaction that starts by reading fails with "database is locked" when it writes.
    """
    parsed = make_url(url)
    if parsed.drivername == "postgresql":
        parsed = parsed.set(drivername="postgresql+psycopg")
    if parsed.get_backend_name() != "sqlite":
        return sa.create_engine(parsed, pool_pre_ping=True, pool_size=10, max_overflow=10)
    if parsed.database and parsed.database != ":memory:":
        Path(parsed.database).parent.mkdir(parents=True, exist_ok=True)
    engine = sa.create_engine(parsed, connect_args={"timeout": BUSY})

    @sa.event.listens_for(engine, "connect")
    def _connect(connection: Any, _record: Any) -> None:
        connection.isolation_level = None  # we say BEGIN ourselves
        cursor = connection.cursor()
        for pragma in (
            "journal_mode=WAL",
            "synchronous=FULL",
            "foreign_keys=ON",
            f"busy_timeout={BUSY}000",
            f"wal_autocheckpoint={LOG_PAGES}",
        ):
            cursor.execute(f"PRAGMA {pragma}")
        cursor.close()

    @sa.event.listens_for(engine, "begin")
    def _begin(connection: sa.Connection) -> None:
        if connection.get_execution_options().get("read_only"):
            connection.exec_driver_sql("BEGIN DEFERRED")
        elif not _taken(connection.connection.driver_connection):
            connection.exec_driver_sql("BEGIN IMMEDIATE")  # in vain, most likely: fails as SQLAlchemy lets things fail

    return engine


_thread = threading.local()


def write_in_the_background() -> None:
    """From now on, this thread lets others go first where only one may write: people wait for pages, nobody waits for a worker."""
    _thread.pause = 0.01


def take_over_log(database: sa.Engine) -> None:
    """Take SQLite's write-ahead log over into the database, as far as nobody still reads it; nobody waits for this."""
    connection = database.raw_connection()
    try:
        cursor = connection.cursor()
        cursor.execute("PRAGMA wal_checkpoint(PASSIVE)").fetchall()
        cursor.close()
    finally:
        connection.close()


def _taken(connection: Any) -> bool:
    """Begin writing, asking for SQLite's only write lock three times a millisecond; a worker's threads ask every ten milliseconds.

    SQLite itself asks less and less often, and so overlooks the moments between a busy worker's transactions for most of a second.
    """
    until, pause = time.monotonic() + BUSY, getattr(_thread, "pause", 0.0003)
    connection.execute("PRAGMA busy_timeout=0")
    try:
        while True:
            try:
                connection.execute("BEGIN IMMEDIATE")
                return True
            except sqlite3.OperationalError as error:
                if error.sqlite_errorcode & 0xFF != sqlite3.SQLITE_BUSY or time.monotonic() > until:
                    return False
            time.sleep(pause)
    finally:
        connection.execute(f"PRAGMA busy_timeout={BUSY}000")


def append_only_triggers(dialect: str, *tables: str) -> list[str]:
    """SQL statements that make tables refuse UPDATE and DELETE; a migration names those it has just created."""
    statements: list[str] = []
    for table in tables:
        if dialect == "sqlite":
            statements += [
                f"CREATE TRIGGER {table}_no_{verb.lower()} BEFORE {verb} ON {table} BEGIN SELECT RAISE(ABORT, '{table} is append-only'); END"
                for verb in ("UPDATE", "DELETE")
            ]
        else:
            function = f"{table}_append_only"
            refuse = f"$$ BEGIN RAISE EXCEPTION '{table} is append-only'; END $$"
            statements.append(f"CREATE FUNCTION {function}() RETURNS trigger LANGUAGE plpgsql AS {refuse}")
            when = f"BEFORE UPDATE OR DELETE OR TRUNCATE ON {table} FOR EACH STATEMENT"
            statements.append(f"CREATE TRIGGER {function} {when} EXECUTE FUNCTION {function}()")
    return statements


def create_all(engine: sa.Engine) -> None:
    """Create the schema directly; only tests do this, to compare with what the migrations build."""
    with engine.begin() as connection:
        metadata.create_all(connection)
        for statement in append_only_triggers(engine.dialect.name, *APPEND_ONLY):
            connection.exec_driver_sql(statement)


def insert_new(connection: sa.Connection, table: sa.Table) -> postgresql.Insert | sqlite.Insert:
    """The statement that inserts rows whose key is not there yet."""
    return _insert_new(connection.dialect.name, table)


@cache
def _insert_new(dialect: str, table: sa.Table) -> postgresql.Insert | sqlite.Insert:
    insert = postgresql.insert if dialect == "postgresql" else sqlite.insert
    return insert(table).on_conflict_do_nothing()
