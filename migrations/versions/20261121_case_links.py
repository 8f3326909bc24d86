"""What a diagram calls the link between a case and one that it has begun.

Revision ID: 0007
Revises: 0006
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0007"
down_revision = "0006"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Apply."""
    op.add_column("case_link", sa.Column("label", sa.String(length=200), nullable=True))
    op.create_index("ix_case_link_other_id", "case_link", ["other_id"])


def downgrade() -> None:
    """Undo."""
    op.drop_index("ix_case_link_other_id", table_name="case_link")
    op.drop_column("case_link", "label")
