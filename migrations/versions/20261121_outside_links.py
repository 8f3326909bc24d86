"""One-time links for outside parties, with the session each is exchanged for.

Revision ID: 0008
Revises: 0007
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0008"
down_revision = "0007"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Apply."""
    row_id = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
    op.create_table(
        "outside_link",
        sa.Column("id", row_id, autoincrement=True, nullable=False),
        sa.Column("organisation", sa.String(length=32), nullable=False),
        sa.Column("process_id", sa.String(length=120), nullable=False),
        sa.Column("case_id", row_id, nullable=True),
        sa.Column("thread", row_id, nullable=True),
        sa.Column("party", sa.String(length=100), nullable=False),
        sa.Column("seat", sa.String(length=160), nullable=False),
        sa.Column("issued_by", sa.String(length=64), nullable=False),
        sa.Column("issued_at", sa.BigInteger(), nullable=False),
        sa.Column("expires_at", sa.BigInteger(), nullable=False),
        sa.Column("token", sa.String(length=64), nullable=False),
        sa.Column("shares", sa.Boolean(), server_default=sa.false(), nullable=False),
        sa.Column("opened_at", sa.BigInteger(), nullable=True),
        sa.Column("session", sa.String(length=64), nullable=True),
        sa.Column("seen_at", sa.BigInteger(), nullable=True),
        sa.Column("refused", sa.Integer(), server_default="0", nullable=False),
        sa.Column("ended_at", sa.BigInteger(), nullable=True),
        sa.Column("revoked_at", sa.BigInteger(), nullable=True),
        sa.Column("revoked_by", sa.String(length=64), nullable=True),
        sa.ForeignKeyConstraint(["case_id"], ["case_file.id"], name=op.f("fk_outside_link_case_id")),
        sa.ForeignKeyConstraint(["issued_by"], ["person.id"], name=op.f("fk_outside_link_issued_by")),
        sa.ForeignKeyConstraint(["thread"], ["outside_link.id"], name=op.f("fk_outside_link_thread")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_outside_link")),
        sa.UniqueConstraint("session", name=op.f("uq_outside_link_session")),
        sa.UniqueConstraint("token", name=op.f("uq_outside_link_token")),
    )
    op.create_index("ix_outside_link_case", "outside_link", ["case_id"])
    op.create_index("ix_outside_link_process", "outside_link", ["organisation", "process_id"])


def downgrade() -> None:
    """Undo."""
    op.drop_table("outside_link")
