"""Many workers: the queue of due deliveries (PostgreSQL), clocks of workers, and cases that time starts.

The queue is Procrastinate's, created by the schema that its pinned release 3.10.0 brings; a later release that changes it needs a migration of
ours with that change, and this one then says so instead of making another queue than was tested.

Revision ID: 0004
Revises: 0003
"""

from __future__ import annotations

import hashlib
from importlib import resources

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None

#: SHA-256 of the queue's schema in release 3.10.0.
QUEUE = "c70ec4b400a60ad9592787653aae5ae77ae41bf801d56b5bd2712751a07f2009"
TABLES = ("procrastinate_events", "procrastinate_periodic_defers", "procrastinate_jobs", "procrastinate_workers")
TYPES = ("procrastinate_job_to_defer_v1", "procrastinate_job_event_type", "procrastinate_job_status")
STARTS = sa.text("kind = 'start' AND run_at IS NOT NULL")


def upgrade() -> None:
    """Apply."""
    op.add_column("worker_heartbeat", sa.Column("ahead", sa.BigInteger(), nullable=True))
    op.create_index("uq_job_start", "job", ["key"], unique=True, sqlite_where=STARTS, postgresql_where=STARTS)
    op.create_table(
        "timed_start",
        sa.Column("organisation", sa.String(length=32), nullable=False),
        sa.Column("process_id", sa.String(length=120), nullable=False),
        sa.Column("event", sa.String(length=120), nullable=False),
        sa.Column("due_at", sa.BigInteger(), nullable=False),
        sa.Column("case_id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=True),
        sa.ForeignKeyConstraint(["case_id"], ["case_file.id"], name=op.f("fk_timed_start_case_id")),
        sa.PrimaryKeyConstraint("organisation", "process_id", "event", "due_at", name=op.f("pk_timed_start")),
    )
    if op.get_bind().dialect.name == "postgresql":
        _execute(_queue())


def downgrade() -> None:
    """Take back. Mails that were waiting in the queue are still due in `job`."""
    if op.get_bind().dialect.name == "postgresql":
        for table in TABLES:
            op.execute(f"DROP TABLE {table} CASCADE")  # with its functions
        _execute(
            "DO $$ DECLARE found regprocedure; BEGIN FOR found IN SELECT oid::regprocedure FROM pg_proc "
            "WHERE pronamespace = current_schema()::regnamespace AND proname LIKE 'procrastinate\\_%' "
            "LOOP EXECUTE 'DROP FUNCTION ' || found; END LOOP; END $$"
        )
        for name in TYPES:
            op.execute(f"DROP TYPE {name}")
    op.drop_table("timed_start")
    op.drop_index("uq_job_start", "job")
    with op.batch_alter_table("worker_heartbeat", schema=None) as batch_op:
        batch_op.drop_column("ahead")


def _queue() -> str:
    """The queue's schema, as the installed release brings it."""
    schema = (resources.files("procrastinate") / "sql" / "schema.sql").read_bytes()
    if hashlib.sha256(schema).hexdigest() != QUEUE:
        raise RuntimeError("the installed Procrastinate is not release 3.10.0: its schema differs from the one this migration was made for")
    return schema.decode("utf-8")


def _execute(text: str) -> None:
    """Run several statements as they stand: no parameters are looked for, so a % is a %."""
    driver = op.get_bind().connection.driver_connection
    assert driver is not None
    driver.execute(text)
