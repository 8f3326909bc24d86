"""Posts, people and absences by date: deputies, absences, orders, handovers, units that become others, bars and referrals.

Revision ID: 0002
Revises: 0001
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None

NEW_KINDS = "kind IN ('main', 'concurrent', 'joint', 'caretaker', 'acting')"
OLD_KINDS = "kind IN ('main', 'concurrent', 'acting', 'deputy')"
OLD_COLUMNS = "id, person, organisation, seat, kind, valid_from, valid_to, recorded_at"


def upgrade() -> None:
    """Apply."""
    _holdings_become_bitemporal()
    op.add_column("person", sa.Column("ends_on", sa.Date(), nullable=True))
    op.add_column("case_file", sa.Column("reported_for", sa.String(length=64), nullable=True))
    op.add_column("task", sa.Column("closed_for", sa.String(length=64), nullable=True))
    op.add_column("task", sa.Column("final", sa.Boolean(), server_default=sa.false(), nullable=False))
    op.create_table(
        "personnel_order",
        sa.Column("id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), autoincrement=True, nullable=False),
        sa.Column("organisation", sa.String(length=32), nullable=False),
        sa.Column("kind", sa.String(length=16), nullable=False),
        sa.Column("title", sa.String(length=200), nullable=False),
        sa.Column("effective_on", sa.Date(), nullable=False),
        sa.Column("state", sa.String(length=16), server_default="draft", nullable=False),
        sa.Column("file_name", sa.String(length=255), nullable=False),
        sa.Column("sha256", sa.String(length=64), nullable=False),
        sa.Column("content", sa.Text(), nullable=False),
        sa.Column("created_at", sa.BigInteger(), nullable=False),
        sa.Column("created_by", sa.String(length=64), nullable=False),
        sa.Column("decided_at", sa.BigInteger(), nullable=True),
        sa.Column("decided_by", sa.String(length=64), nullable=True),
        sa.Column("reason", sa.Text(), nullable=True),
        sa.CheckConstraint("kind IN ('personnel', 'reorganisation')", name=op.f("ck_personnel_order_kind")),
        sa.CheckConstraint("state IN ('draft', 'approved', 'withdrawn')", name=op.f("ck_personnel_order_state")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_personnel_order")),
    )
    with op.batch_alter_table("personnel_order", schema=None) as batch_op:
        batch_op.create_index("ix_personnel_order_organisation", ["organisation", "effective_on"], unique=False)

    op.create_table(
        "absence",
        sa.Column("id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), autoincrement=True, nullable=False),
        sa.Column("organisation", sa.String(length=32), nullable=False),
        sa.Column("person", sa.String(length=64), nullable=False),
        sa.Column("reason", sa.String(length=16), nullable=False),
        sa.Column("valid_from", sa.Date(), nullable=False),
        sa.Column("valid_to", sa.Date(), nullable=True),
        sa.Column("recorded_at", sa.BigInteger(), nullable=False),
        sa.Column("recorded_by", sa.String(length=64), nullable=False),
        sa.Column("superseded_at", sa.BigInteger(), nullable=True),
        sa.Column("superseded_by", sa.String(length=64), nullable=True),
        sa.CheckConstraint("valid_to IS NULL OR valid_to >= valid_from", name=op.f("ck_absence_period")),
        sa.ForeignKeyConstraint(["person"], ["person.id"], name=op.f("fk_absence_person")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_absence")),
    )
    with op.batch_alter_table("absence", schema=None) as batch_op:
        batch_op.create_index("ix_absence_person", ["person"], unique=False)

    op.create_table(
        "deputy",
        sa.Column("id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), autoincrement=True, nullable=False),
        sa.Column("organisation", sa.String(length=32), nullable=False),
        sa.Column("principal", sa.String(length=64), nullable=False),
        sa.Column("person", sa.String(length=64), nullable=False),
        sa.Column("kind", sa.String(length=16), server_default="substitute", nullable=False),
        sa.Column("seat", sa.String(length=160), server_default=sa.text("''"), nullable=False),
        sa.Column("process_id", sa.String(length=120), server_default=sa.text("''"), nullable=False),
        sa.Column("basis", sa.String(length=300), nullable=False),
        sa.Column("valid_from", sa.Date(), nullable=False),
        sa.Column("valid_to", sa.Date(), nullable=True),
        sa.Column("recorded_at", sa.BigInteger(), nullable=False),
        sa.Column("recorded_by", sa.String(length=64), nullable=False),
        sa.Column("superseded_at", sa.BigInteger(), nullable=True),
        sa.Column("superseded_by", sa.String(length=64), nullable=True),
        sa.CheckConstraint("kind IN ('substitute', 'decision')", name=op.f("ck_deputy_kind")),
        sa.CheckConstraint("principal <> person", name=op.f("ck_deputy_other")),
        sa.CheckConstraint("valid_to IS NULL OR valid_to >= valid_from", name=op.f("ck_deputy_period")),
        sa.ForeignKeyConstraint(["person"], ["person.id"], name=op.f("fk_deputy_person")),
        sa.ForeignKeyConstraint(["principal"], ["person.id"], name=op.f("fk_deputy_principal")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_deputy")),
    )
    with op.batch_alter_table("deputy", schema=None) as batch_op:
        batch_op.create_index("ix_deputy_person", ["person"], unique=False)
        batch_op.create_index("ix_deputy_principal", ["principal"], unique=False)

    op.create_table(
        "handover",
        sa.Column("id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), autoincrement=True, nullable=False),
        sa.Column("organisation", sa.String(length=32), nullable=False),
        sa.Column("order_id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("seat", sa.String(length=160), nullable=False),
        sa.Column("giver", sa.String(length=64), nullable=True),
        sa.Column("taker", sa.String(length=64), nullable=False),
        sa.Column("effective_on", sa.Date(), nullable=False),
        sa.Column("note", sa.Text(), server_default=sa.text("''"), nullable=False),
        sa.Column("noted_at", sa.BigInteger(), nullable=True),
        sa.Column("accepted_at", sa.BigInteger(), nullable=True),
        sa.Column("items", sa.Text(), nullable=True),
        sa.ForeignKeyConstraint(["order_id"], ["personnel_order.id"], name=op.f("fk_handover_order_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_handover")),
    )
    with op.batch_alter_table("handover", schema=None) as batch_op:
        batch_op.create_index("ix_handover_giver", ["giver"], unique=False)
        batch_op.create_index("ix_handover_taker", ["taker"], unique=False)

    op.create_table(
        "identity",
        sa.Column("source", sa.String(length=60), nullable=False),
        sa.Column("subject", sa.String(length=255), nullable=False),
        sa.Column("person", sa.String(length=64), nullable=False),
        sa.Column("linked_at", sa.BigInteger(), nullable=False),
        sa.Column("linked_by", sa.String(length=64), nullable=False),
        sa.ForeignKeyConstraint(["person"], ["person.id"], name=op.f("fk_identity_person")),
        sa.PrimaryKeyConstraint("source", "subject", name=op.f("pk_identity")),
    )
    with op.batch_alter_table("identity", schema=None) as batch_op:
        batch_op.create_index("ix_identity_person", ["person"], unique=False)

    op.create_table(
        "unit_change",
        sa.Column("id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), autoincrement=True, nullable=False),
        sa.Column("organisation", sa.String(length=32), nullable=False),
        sa.Column("order_id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("unit", sa.String(length=120), nullable=False),
        sa.Column("successor", sa.String(length=120), server_default=sa.text("''"), nullable=False),
        sa.Column("effective_on", sa.Date(), nullable=False),
        sa.Column("begins", sa.Text(), server_default=sa.text("''"), nullable=False),
        sa.ForeignKeyConstraint(["order_id"], ["personnel_order.id"], name=op.f("fk_unit_change_order_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_unit_change")),
    )
    with op.batch_alter_table("unit_change", schema=None) as batch_op:
        batch_op.create_index("ix_unit_change_organisation", ["organisation"], unique=False)

    op.create_table(
        "bar",
        sa.Column("id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), autoincrement=True, nullable=False),
        sa.Column("organisation", sa.String(length=32), nullable=False),
        sa.Column("case_id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("task_id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=True),
        sa.Column("person", sa.String(length=64), nullable=False),
        sa.Column("reason", sa.String(length=16), nullable=False),
        sa.Column("since", sa.BigInteger(), nullable=False),
        sa.Column("lifted_at", sa.BigInteger(), nullable=True),
        sa.CheckConstraint("reason IN ('named', 'same_person')", name=op.f("ck_bar_reason")),
        sa.ForeignKeyConstraint(["case_id"], ["case_file.id"], name=op.f("fk_bar_case_id")),
        sa.ForeignKeyConstraint(["task_id"], ["task.id"], name=op.f("fk_bar_task_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_bar")),
    )
    with op.batch_alter_table("bar", schema=None) as batch_op:
        batch_op.create_index("ix_bar_case", ["case_id"], unique=False)
        batch_op.create_index(
            "ix_bar_open",
            ["organisation", "person"],
            unique=False,
            sqlite_where=sa.text("lifted_at IS NULL"),
            postgresql_where=sa.text("lifted_at IS NULL"),
        )

    op.create_table(
        "referral",
        sa.Column("id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), autoincrement=True, nullable=False),
        sa.Column("organisation", sa.String(length=32), nullable=False),
        sa.Column("case_id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("task_id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=True),
        sa.Column("kind", sa.String(length=16), nullable=False),
        sa.Column("seat", sa.String(length=160), nullable=False),
        sa.Column("asked_by", sa.String(length=64), nullable=False),
        sa.Column("asked_seat", sa.String(length=160), nullable=True),
        sa.Column("text", sa.Text(), nullable=False),
        sa.Column("opened_at", sa.BigInteger(), nullable=False),
        sa.Column("state", sa.String(length=16), server_default="open", nullable=False),
        sa.Column("closed_at", sa.BigInteger(), nullable=True),
        sa.Column("closed_by", sa.String(length=64), nullable=True),
        sa.Column("closed_seat", sa.String(length=160), nullable=True),
        sa.Column("answer", sa.Text(), nullable=True),
        sa.CheckConstraint("kind IN ('consultation', 'circulation', 'later_review')", name=op.f("ck_referral_kind")),
        sa.CheckConstraint("state IN ('open', 'closed', 'withdrawn')", name=op.f("ck_referral_state")),
        sa.ForeignKeyConstraint(["case_id"], ["case_file.id"], name=op.f("fk_referral_case_id")),
        sa.ForeignKeyConstraint(["task_id"], ["task.id"], name=op.f("fk_referral_task_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_referral")),
    )
    with op.batch_alter_table("referral", schema=None) as batch_op:
        batch_op.create_index("ix_referral_case", ["case_id"], unique=False)
        batch_op.create_index(
            "ix_referral_seat",
            ["organisation", "seat"],
            unique=False,
            sqlite_where=sa.text("state = 'open'"),
            postgresql_where=sa.text("state = 'open'"),
        )


def _holdings_become_bitemporal() -> None:
    """A deputy used to be a kind of holding; without a principal on record it becomes 職務代理 (acting), which means the same."""
    added = [
        sa.Column("basis", sa.String(length=300), server_default=sa.text("''"), nullable=False),
        sa.Column("source", sa.String(length=60), server_default=sa.text("''"), nullable=False),
        sa.Column("recorded_by", sa.String(length=64), server_default="system", nullable=False),
        sa.Column("superseded_at", sa.BigInteger(), nullable=True),
        sa.Column("superseded_by", sa.String(length=64), nullable=True),
    ]
    if op.get_bind().dialect.name == "sqlite":
        _remake_holding(NEW_KINDS, added, "CASE kind WHEN 'deputy' THEN 'acting' ELSE kind END")
        return
    for column in added:
        op.add_column("holding", column)
    op.drop_constraint(op.f("ck_holding_kind"), "holding", type_="check")
    op.execute("UPDATE holding SET kind = 'acting' WHERE kind = 'deputy'")
    op.create_check_constraint(op.f("ck_holding_kind"), "holding", NEW_KINDS)


def _remake_holding(kinds: str, added: list[sa.Column[object]], kind: str, where: str = "") -> None:
    """SQLite cannot change a constraint: the table is built anew beside the old one. No other table refers to it."""
    op.create_table(
        "holding_remade",
        sa.Column("id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), autoincrement=True, nullable=False),
        sa.Column("person", sa.String(length=64), nullable=False),
        sa.Column("organisation", sa.String(length=32), nullable=False),
        sa.Column("seat", sa.String(length=160), nullable=False),
        sa.Column("kind", sa.String(length=16), server_default="main", nullable=False),
        sa.Column("valid_from", sa.Date(), nullable=False),
        sa.Column("valid_to", sa.Date(), nullable=True),
        sa.Column("recorded_at", sa.BigInteger(), nullable=False),
        *added,
        sa.CheckConstraint(kinds, name=op.f("ck_holding_kind")),
        sa.CheckConstraint("valid_to IS NULL OR valid_to >= valid_from", name=op.f("ck_holding_period")),
        sa.ForeignKeyConstraint(["person"], ["person.id"], name=op.f("fk_holding_person")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_holding")),
    )
    values = OLD_COLUMNS.replace("kind", kind)
    op.execute(f"INSERT INTO holding_remade ({OLD_COLUMNS}) SELECT {values} FROM holding {where}")
    op.drop_table("holding")
    op.rename_table("holding_remade", "holding")
    op.create_index("ix_holding_person", "holding", ["person"], unique=False)
    op.create_index("ix_holding_seat", "holding", ["organisation", "seat"], unique=False)


def downgrade() -> None:
    """Undo: what was superseded is dropped, kinds the older version lacks become 兼務 (concurrent)."""
    for table in ("referral", "bar", "unit_change", "identity", "handover", "deputy", "absence", "personnel_order"):
        op.drop_table(table)
    kind = "CASE WHEN kind IN ('joint', 'caretaker') THEN 'concurrent' ELSE kind END"
    if op.get_bind().dialect.name == "sqlite":
        _remake_holding(OLD_KINDS, [], kind, "WHERE superseded_at IS NULL")
    else:
        op.execute("DELETE FROM holding WHERE superseded_at IS NOT NULL")
        op.drop_constraint(op.f("ck_holding_kind"), "holding", type_="check")
        op.execute(f"UPDATE holding SET kind = {kind}")
        op.create_check_constraint(op.f("ck_holding_kind"), "holding", OLD_KINDS)
        for column in ("basis", "source", "recorded_by", "superseded_at", "superseded_by"):
            op.drop_column("holding", column)
    op.drop_column("task", "final")
    op.drop_column("task", "closed_for")
    op.drop_column("case_file", "reported_for")
    op.drop_column("person", "ends_on")
