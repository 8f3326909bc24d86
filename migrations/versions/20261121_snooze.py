"""Steps that one person has put off until an instant.

Revision ID: 0003
Revises: 0002
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Apply."""
    op.create_table(
        "snooze",
        sa.Column("task_id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("person", sa.String(length=64), nullable=False),
        sa.Column("until", sa.BigInteger(), nullable=False),
        sa.ForeignKeyConstraint(["person"], ["person.id"], name=op.f("fk_snooze_person")),
        sa.ForeignKeyConstraint(["task_id"], ["task.id"], name=op.f("fk_snooze_task_id")),
        sa.PrimaryKeyConstraint("task_id", "person", name=op.f("pk_snooze")),
    )


def downgrade() -> None:
    """Undo."""
    op.drop_table("snooze")
