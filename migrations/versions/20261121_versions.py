"""Versions approved by a second person: who drew them, which review made them, which were called off before their day.

Revision ID: 0010
Revises: 0009
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0010"
down_revision = "0009"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Apply."""
    row_id = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
    with op.batch_alter_table("definition", schema=None) as batch_op:
        batch_op.add_column(sa.Column("cancelled_at", sa.BigInteger(), nullable=True))
        batch_op.add_column(sa.Column("cancelled_by", sa.String(length=64), nullable=True))
        batch_op.add_column(sa.Column("cancel_reason", sa.Text(), nullable=True))
    with op.batch_alter_table("draft_review", schema=None) as batch_op:
        batch_op.add_column(sa.Column("request", sa.Text(), nullable=True))
        batch_op.add_column(sa.Column("definition", row_id, nullable=True))
        batch_op.create_foreign_key(op.f("fk_draft_review_definition"), "definition", ["definition"], ["id"])
        batch_op.create_index("ix_draft_review_definition", ["definition"])
    op.create_table(
        "draft_author",
        sa.Column("draft_id", row_id, nullable=False),
        sa.Column("person", sa.String(length=64), nullable=False),
        sa.ForeignKeyConstraint(["draft_id"], ["diagram_draft.id"], name=op.f("fk_draft_author_draft_id")),
        sa.PrimaryKeyConstraint("draft_id", "person", name=op.f("pk_draft_author")),
    )
    op.execute("INSERT INTO draft_author (draft_id, person) SELECT id, made_by FROM diagram_draft")
    op.execute("INSERT INTO draft_author (draft_id, person) SELECT id, saved_by FROM diagram_draft WHERE saved_by <> made_by")


def downgrade() -> None:
    """Take back."""
    op.drop_table("draft_author")
    with op.batch_alter_table("draft_review", schema=None) as batch_op:
        batch_op.drop_index("ix_draft_review_definition")
        batch_op.drop_constraint(op.f("fk_draft_review_definition"), type_="foreignkey")
        batch_op.drop_column("definition")
        batch_op.drop_column("request")
    with op.batch_alter_table("definition", schema=None) as batch_op:
        batch_op.drop_column("cancel_reason")
        batch_op.drop_column("cancelled_by")
        batch_op.drop_column("cancelled_at")
