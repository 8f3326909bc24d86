"""Ledgers (台帳): entries with all their revisions, guarded like the record.

Revision ID: 0006
Revises: 0005
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from engine.storage import append_only_triggers

revision = "0006"
down_revision = "0005"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Apply."""
    op.create_table(
        "ledger_entry",
        sa.Column("id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), autoincrement=True, nullable=False),
        sa.Column("organisation", sa.String(length=32), nullable=False),
        sa.Column("ledger", sa.String(length=40), nullable=False),
        sa.Column("entry", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("case_id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("item", sa.String(length=120), nullable=False),
        sa.Column("revision", sa.Integer(), nullable=False),
        sa.Column("state", sa.String(length=40), nullable=False),
        sa.Column("closed", sa.Boolean(), nullable=False),
        sa.Column("content", sa.Text(), nullable=False),
        sa.Column("written", sa.Text(), nullable=False),
        sa.Column("words", sa.Text(), nullable=False),
        sa.Column("masked_words", sa.Text(), nullable=False),
        sa.Column("grouped", sa.String(length=200), nullable=False),
        sa.Column("kept_until", sa.Date(), nullable=True),
        sa.Column("entered_at", sa.BigInteger(), nullable=False),
        sa.Column("recorded_at", sa.BigInteger(), nullable=False),
        sa.Column("person", sa.String(length=64), nullable=False),
        sa.Column("seat", sa.String(length=160), nullable=True),
        sa.Column("acted_for", sa.String(length=64), nullable=True),
        sa.Column("act", sa.String(length=40), nullable=False),
        sa.Column("node", sa.String(length=200), nullable=True),
        sa.Column("step", sa.String(length=200), nullable=False),
        sa.Column("reason", sa.Text(), nullable=True),
        sa.Column("digest", sa.String(length=64), nullable=False),
        sa.ForeignKeyConstraint(["case_id"], ["case_file.id"], name=op.f("fk_ledger_entry_case_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_ledger_entry")),
        sa.UniqueConstraint("organisation", "ledger", "entry", "revision", name=op.f("uq_ledger_entry_organisation_ledger_entry_revision")),
        sa.UniqueConstraint("case_id", "ledger", "item", "revision", name=op.f("uq_ledger_entry_case_id_ledger_item_revision")),
    )
    with op.batch_alter_table("ledger_entry", schema=None) as batch_op:
        batch_op.create_index("ix_ledger_entry_group", ["organisation", "ledger", "grouped"], unique=False)

    for statement in append_only_triggers(op.get_bind().dialect.name, "ledger_entry"):
        op.execute(statement)


def downgrade() -> None:
    """Undo."""
    with op.batch_alter_table("ledger_entry", schema=None) as batch_op:
        batch_op.drop_index("ix_ledger_entry_group")

    op.drop_table("ledger_entry")
    if op.get_bind().dialect.name == "postgresql":
        op.execute("DROP FUNCTION ledger_entry_append_only()")
