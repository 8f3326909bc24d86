"""Runs migrations on the database handed over by `engine.schema.migrate`, or on TADACHI_DATABASE when Alembic is called directly."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import context

from engine.model import metadata
from engine.settings import Settings
from engine.storage import open_database


def run(database: sa.Engine) -> None:
    """Run each migration in its own transaction; on PostgreSQL two migrators wait for each other and none waits long for a lock."""
    with database.connect() as connection:
        context.configure(
            connection=connection,
            target_metadata=metadata,
            render_as_batch=connection.dialect.name == "sqlite",
            transaction_per_migration=True,
            compare_type=True,
        )
        with context.begin_transaction():
            if connection.dialect.name == "postgresql":
                connection.execute(sa.text("SET LOCAL lock_timeout = '4s'"))
                connection.execute(sa.text("SELECT pg_advisory_xact_lock(7430001)"))
            context.run_migrations()


given = context.config.attributes.get("database")
run(given if given is not None else open_database(Settings.from_environment().database))
