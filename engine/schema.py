"""Brings a database to the schema this version needs: the only way tables come to be."""

from __future__ import annotations

from functools import cache
from pathlib import Path

import sqlalchemy as sa
from alembic import command
from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory

MIGRATIONS = Path(__file__).resolve().parent.parent / "migrations"


def _config(database: sa.Engine) -> Config:
    config = Config()
    config.set_main_option("script_location", str(MIGRATIONS))
    config.attributes["database"] = database
    return config


def migrate(database: sa.Engine, revision: str = "head") -> None:
    """Run the migrations that the database lacks; each in a transaction of its own."""
    command.upgrade(_config(database), revision)


@cache
def newest() -> str:
    """The revision that this version of the engine needs."""
    head = ScriptDirectory(str(MIGRATIONS)).get_current_head()
    assert head is not None
    return head


def revision(connection: sa.Connection) -> str | None:
    """The revision a database is at; None when it has never been migrated."""
    return MigrationContext.configure(connection).get_current_revision()


def is_current(connection: sa.Connection) -> bool:
    """Whether a database has the tables of this version."""
    return revision(connection) == newest()
