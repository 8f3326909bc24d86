"""Running cases moved to another version: proposed, approved by another person, and what became of each.

Revision ID: 0012
Revises: 0011
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0012"
down_revision = "0011"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Apply."""
    row_id = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
    op.create_table(
        "case_move",
        sa.Column("id", row_id, autoincrement=True, nullable=False),
        sa.Column("organisation", sa.String(length=32), nullable=False),
        sa.Column("process_id", sa.String(length=120), nullable=False),
        sa.Column("from_definition", row_id, nullable=False),
        sa.Column("to_definition", row_id, nullable=False),
        sa.Column("places", sa.Text(), nullable=False),
        sa.Column("note", sa.Text(), nullable=False),
        sa.Column("state", sa.String(length=16), server_default="proposed", nullable=False),
        sa.Column("proposed_by", sa.String(length=64), nullable=False),
        sa.Column("proposed_at", sa.BigInteger(), nullable=False),
        sa.Column("decided_by", sa.String(length=64), nullable=True),
        sa.Column("decided_at", sa.BigInteger(), nullable=True),
        sa.Column("comment", sa.Text(), server_default=sa.text("''"), nullable=False),
        sa.CheckConstraint("state IN ('proposed', 'approved', 'refused', 'withdrawn')", name=op.f("ck_case_move_state")),
        sa.ForeignKeyConstraint(["from_definition"], ["definition.id"], name=op.f("fk_case_move_from_definition")),
        sa.ForeignKeyConstraint(["to_definition"], ["definition.id"], name=op.f("fk_case_move_to_definition")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_case_move")),
    )
    op.create_index("ix_case_move_organisation", "case_move", ["organisation", "process_id"])
    op.create_table(
        "case_move_item",
        sa.Column("move_id", row_id, nullable=False),
        sa.Column("case_id", row_id, nullable=False),
        sa.Column("digest", sa.String(length=64), nullable=False),
        sa.Column("state", sa.String(length=16), server_default="planned", nullable=False),
        sa.Column("why", sa.Text(), server_default=sa.text("''"), nullable=False),
        sa.Column("at", sa.BigInteger(), nullable=True),
        sa.Column("seq", sa.Integer(), nullable=True),
        sa.Column("undo", sa.Text(), nullable=True),
        sa.CheckConstraint("state IN ('planned', 'moved', 'failed', 'undone')", name=op.f("ck_case_move_item_state")),
        sa.ForeignKeyConstraint(["case_id"], ["case_file.id"], name=op.f("fk_case_move_item_case_id")),
        sa.ForeignKeyConstraint(["move_id"], ["case_move.id"], name=op.f("fk_case_move_item_move_id")),
        sa.PrimaryKeyConstraint("move_id", "case_id", name=op.f("pk_case_move_item")),
    )
    op.create_index("ix_case_move_item_case", "case_move_item", ["case_id"])


def downgrade() -> None:
    """Take back; moved cases stay where they are."""
    op.drop_table("case_move_item")
    op.drop_table("case_move")
