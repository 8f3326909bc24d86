"""Drafts of diagrams: who edits one now, who reviewed it, what was proven of it.

Revision ID: 0009
Revises: 0008
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0009"
down_revision = "0008"
branch_labels = None
depends_on = None


def _number() -> sa.types.TypeEngine[int]:
    return sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def upgrade() -> None:
    """Apply."""
    op.create_table(
        "diagram_draft",
        sa.Column("id", _number(), autoincrement=True, nullable=False),
        sa.Column("organisation", sa.String(length=32), nullable=False),
        sa.Column("process_id", sa.String(length=120), nullable=False),
        sa.Column("title", sa.String(length=200), nullable=False),
        sa.Column("base_definition", _number(), nullable=True),
        sa.Column("files", sa.Text(), nullable=False),
        sa.Column("revision", sa.Integer(), server_default="1", nullable=False),
        sa.Column("state", sa.String(length=16), server_default="editing", nullable=False),
        sa.Column("made_by", sa.String(length=64), nullable=False),
        sa.Column("made_at", sa.BigInteger(), nullable=False),
        sa.Column("saved_by", sa.String(length=64), nullable=False),
        sa.Column("saved_at", sa.BigInteger(), nullable=False),
        sa.Column("note", sa.Text(), nullable=False),
        sa.CheckConstraint("state IN ('editing', 'review', 'approved', 'discarded')", name=op.f("ck_diagram_draft_state")),
        sa.ForeignKeyConstraint(["base_definition"], ["definition.id"], name=op.f("fk_diagram_draft_base_definition")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_diagram_draft")),
    )
    op.create_index("ix_diagram_draft_organisation", "diagram_draft", ["organisation", "state"])
    op.create_table(
        "draft_lock",
        sa.Column("draft_id", _number(), nullable=False),
        sa.Column("person", sa.String(length=64), nullable=False),
        sa.Column("since", sa.BigInteger(), nullable=False),
        sa.Column("seen_at", sa.BigInteger(), nullable=False),
        sa.ForeignKeyConstraint(["draft_id"], ["diagram_draft.id"], name=op.f("fk_draft_lock_draft_id")),
        sa.ForeignKeyConstraint(["person"], ["person.id"], name=op.f("fk_draft_lock_person")),
        sa.PrimaryKeyConstraint("draft_id", name=op.f("pk_draft_lock")),
    )
    op.create_table(
        "draft_review",
        sa.Column("id", _number(), autoincrement=True, nullable=False),
        sa.Column("draft_id", _number(), nullable=False),
        sa.Column("revision", sa.Integer(), nullable=False),
        sa.Column("asked_by", sa.String(length=64), nullable=False),
        sa.Column("asked_at", sa.BigInteger(), nullable=False),
        sa.Column("decided_by", sa.String(length=64), nullable=True),
        sa.Column("decided_at", sa.BigInteger(), nullable=True),
        sa.Column("verdict", sa.String(length=16), nullable=True),
        sa.Column("comment", sa.Text(), nullable=False),
        sa.Column("in_force_from", sa.BigInteger(), nullable=True),
        sa.CheckConstraint("verdict IN ('approved', 'returned', 'withdrawn')", name=op.f("ck_draft_review_verdict")),
        sa.ForeignKeyConstraint(["draft_id"], ["diagram_draft.id"], name=op.f("fk_draft_review_draft_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_draft_review")),
    )
    op.create_index("ix_draft_review_draft", "draft_review", ["draft_id"])
    op.create_table(
        "draft_proof",
        sa.Column("id", _number(), autoincrement=True, nullable=False),
        sa.Column("draft_id", _number(), nullable=False),
        sa.Column("revision", sa.Integer(), nullable=False),
        sa.Column("state", sa.String(length=16), server_default="running", nullable=False),
        sa.Column("started_by", sa.String(length=64), nullable=False),
        sa.Column("started_at", sa.BigInteger(), nullable=False),
        sa.Column("seen_at", sa.BigInteger(), nullable=False),
        sa.Column("ended_at", sa.BigInteger(), nullable=True),
        sa.Column("report", sa.Text(), nullable=True),
        sa.CheckConstraint("state IN ('running', 'done', 'cancelled', 'lost')", name=op.f("ck_draft_proof_state")),
        sa.ForeignKeyConstraint(["draft_id"], ["diagram_draft.id"], name=op.f("fk_draft_proof_draft_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_draft_proof")),
    )
    op.create_index("ix_draft_proof_draft", "draft_proof", ["draft_id", "id"])


def downgrade() -> None:
    """Take back."""
    op.drop_table("draft_proof")
    op.drop_table("draft_review")
    op.drop_table("draft_lock")
    op.drop_table("diagram_draft")
