"""Brings a database to the schema this version needs: the only way tables come to be."""

from __future__ import annotations

from pathlib import Path

import sqlalchemy as sa
from alembic import command
from alembic.config import Config

MIGRATIONS = Path(__file__).resolve().parent.parent / "migrations"


def _config(database: sa.Engine) -> Config:
    config = Config()
    config.set_main_option("script_location", str(MIGRATIONS))
    config.attributes["database"] = database
    return config


def migrate(database: sa.Engine, revision: str = "head") -> None:
    """Run the migrations that the database lacks; each in a transaction of its own."""
    command.upgrade(_config(database), revision)
