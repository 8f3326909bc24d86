"""What is being played in the designer's sandbox."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0011"
down_revision = "0010"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Add the table of runs."""
    op.create_table(
        "sandbox_run",
        sa.Column("person", sa.String(length=64), nullable=False),
        sa.Column("base", sa.String(length=40), nullable=False),
        sa.Column("starts", sa.BigInteger(), nullable=False),
        sa.Column("acts", sa.Text(), nullable=False),
        sa.Column("length", sa.Integer(), nullable=False),
        sa.Column("changed_at", sa.BigInteger(), nullable=False),
        sa.ForeignKeyConstraint(["person"], ["person.id"], name=op.f("fk_sandbox_run_person")),
        sa.PrimaryKeyConstraint("person", "base", name=op.f("pk_sandbox_run")),
    )


def downgrade() -> None:
    """Take it away; the runs can be played again."""
    op.drop_table("sandbox_run")
