"""One delivery per notice and channel: mails move out of `notice`; webhooks and their events, preferences, calendar feeds.

Revision ID: 0005
Revises: 0004
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None

KEPT = "id, organisation, cause, person, template, case_id, task_id, step, created_at, read_at"
MAIL_COLUMNS = ("mail_state", "mail_at", "mail_error", "message_id")


def _id(name: str = "id", *, nullable: bool = False) -> sa.Column[int]:
    counts = name == "id"
    kind = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
    return sa.Column(name, kind, autoincrement=True, nullable=nullable) if counts else sa.Column(name, kind, nullable=nullable)


def upgrade() -> None:
    """Apply."""
    _create_tables()
    old = _set_notices_aside(
        [sa.Column("acknowledged_at", sa.BigInteger()), sa.Column("data", sa.Text(), server_default=sa.text("''"), nullable=False)], []
    )
    op.create_table(
        "delivery",
        _id(),
        sa.Column("organisation", sa.String(length=32), nullable=False),
        _id("notice", nullable=True),
        _id("event", nullable=True),
        sa.Column("channel", sa.String(length=40), nullable=False),
        sa.Column("state", sa.String(length=16), nullable=False),
        sa.Column("tries", sa.Integer(), server_default="0", nullable=False),
        sa.Column("next_at", sa.BigInteger(), nullable=True),
        sa.Column("error", sa.Text(), nullable=True),
        sa.Column("sent_at", sa.BigInteger(), nullable=True),
        sa.Column("message_id", sa.String(length=200), nullable=False),
        sa.Column("created_at", sa.BigInteger(), nullable=False),
        sa.CheckConstraint("(notice IS NULL) <> (event IS NULL)", name=op.f("ck_delivery_about")),
        sa.CheckConstraint("state IN ('queued', 'sent', 'failed', 'dead', 'none')", name=op.f("ck_delivery_state")),
        sa.ForeignKeyConstraint(["event"], ["event.id"], name=op.f("fk_delivery_event")),
        sa.ForeignKeyConstraint(["notice"], ["notice.id"], name=op.f("fk_delivery_notice")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_delivery")),
        sa.UniqueConstraint("event", "channel", name=op.f("uq_delivery_event_channel")),
        sa.UniqueConstraint("notice", "channel", name=op.f("uq_delivery_notice_channel")),
    )
    op.create_index("ix_delivery_organisation", "delivery", ["organisation", "id"], unique=False)
    job = "(SELECT {} FROM job WHERE job.kind = 'deliver' AND job.key = 'notice:' || CAST(n.id AS VARCHAR(20)))"
    op.execute(
        "INSERT INTO delivery (organisation, notice, channel, state, tries, next_at, error, sent_at, message_id, created_at) "
        "SELECT n.organisation, n.id, 'mail', "
        "CASE WHEN n.mail_state = 'failed' THEN 'dead' WHEN n.mail_state = 'queued' AND n.mail_error IS NOT NULL THEN 'failed' ELSE n.mail_state END, "
        f"COALESCE({job.format('MAX(job.attempts)')}, CASE WHEN n.mail_state = 'sent' THEN 1 ELSE 0 END), {job.format('MAX(job.run_at)')}, "
        f"n.mail_error, n.mail_at, n.message_id, n.created_at FROM {old} n ORDER BY n.id"
    )
    same = "(SELECT d.id FROM delivery d WHERE 'notice:' || CAST(d.notice AS VARCHAR(20)) = job.key)"
    op.execute(
        f"UPDATE job SET payload = '{{\"delivery\":' || CAST({same} AS VARCHAR(20)) || '}}', key = 'delivery:' || CAST({same} AS VARCHAR(20)) "
        f"WHERE kind = 'deliver' AND {same} IS NOT NULL"
    )
    _drop_old_notices([*MAIL_COLUMNS])
    op.create_index("ix_notice_case", "notice", ["case_id"], unique=False)
    unread = sa.text("read_at IS NULL")
    op.create_index("ix_notice_unread", "notice", ["person"], unique=False, sqlite_where=unread, postgresql_where=unread)


def _create_tables() -> None:
    op.create_table(
        "webhook",
        _id(),
        sa.Column("organisation", sa.String(length=32), nullable=False),
        sa.Column("name", sa.String(length=100), nullable=False),
        sa.Column("url", sa.String(length=500), nullable=False),
        sa.Column("secret", sa.String(length=100), nullable=False),
        sa.Column("token", sa.String(length=64), nullable=False),
        sa.Column("created_at", sa.BigInteger(), nullable=False),
        sa.Column("created_by", sa.String(length=64), nullable=False),
        sa.Column("disabled_at", sa.BigInteger(), nullable=True),
        sa.Column("disabled_why", sa.String(length=300), nullable=True),
        sa.Column("removed_at", sa.BigInteger(), nullable=True),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_webhook")),
        sa.UniqueConstraint("token", name=op.f("uq_webhook_token")),
    )
    op.create_index("ix_webhook_organisation", "webhook", ["organisation"], unique=False)
    op.create_table(
        "event",
        _id(),
        sa.Column("organisation", sa.String(length=32), nullable=False),
        sa.Column("position", sa.BigInteger(), nullable=False),
        sa.Column("cause", sa.String(length=240), nullable=False),
        sa.Column("uid", sa.String(length=40), nullable=False),
        sa.Column("kind", sa.String(length=60), nullable=False),
        _id("case_id", nullable=True),
        _id("task_id", nullable=True),
        sa.Column("number", sa.String(length=60), nullable=False),
        sa.Column("step", sa.String(length=200), nullable=False),
        sa.Column("at", sa.BigInteger(), nullable=False),
        sa.Column("due_at", sa.BigInteger(), nullable=True),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_event")),
        sa.UniqueConstraint("organisation", "cause", name=op.f("uq_event_organisation_cause")),
        sa.UniqueConstraint("organisation", "position", name=op.f("uq_event_organisation_position")),
    )
    op.create_table(
        "notice_setting",
        sa.Column("person", sa.String(length=64), nullable=False),
        sa.Column("name", sa.String(length=60), nullable=False),
        sa.Column("value", sa.String(length=60), nullable=False),
        sa.ForeignKeyConstraint(["person"], ["person.id"], name=op.f("fk_notice_setting_person")),
        sa.PrimaryKeyConstraint("person", "name", name=op.f("pk_notice_setting")),
    )
    op.create_table(
        "calendar_feed",
        sa.Column("token", sa.String(length=64), nullable=False),
        sa.Column("person", sa.String(length=64), nullable=False),
        sa.Column("created_at", sa.BigInteger(), nullable=False),
        sa.Column("revoked_at", sa.BigInteger(), nullable=True),
        sa.ForeignKeyConstraint(["person"], ["person.id"], name=op.f("fk_calendar_feed_person")),
        sa.PrimaryKeyConstraint("token", name=op.f("pk_calendar_feed")),
    )
    op.create_index("ix_calendar_feed_person", "calendar_feed", ["person"], unique=False)


def _set_notices_aside(added: list[sa.Column[object]], checks: list[sa.CheckConstraint]) -> str:
    """Give `notice` its new columns; returns the table that still has the old ones. SQLite cannot drop a column that a constraint names,
    so there the table is built anew beside the old one; no other table may refer to it meanwhile."""
    if op.get_bind().dialect.name != "sqlite":
        for column in added:
            op.add_column("notice", column)
        return "notice"
    op.drop_index("ix_notice_person", table_name="notice")
    op.rename_table("notice", "notice_old")
    op.create_table(
        "notice",
        _id(),
        sa.Column("organisation", sa.String(length=32), nullable=False),
        sa.Column("cause", sa.String(length=240), nullable=False),
        sa.Column("person", sa.String(length=64), nullable=False),
        sa.Column("template", sa.String(length=60), nullable=False),
        _id("case_id", nullable=True),
        _id("task_id", nullable=True),
        sa.Column("step", sa.String(length=200), nullable=False),
        sa.Column("created_at", sa.BigInteger(), nullable=False),
        sa.Column("read_at", sa.BigInteger(), nullable=True),
        *added,
        *checks,
        sa.ForeignKeyConstraint(["person"], ["person.id"], name=op.f("fk_notice_person")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_notice")),
        sa.UniqueConstraint("cause", "person", name=op.f("uq_notice_cause_person")),
    )
    op.execute(f"INSERT INTO notice ({KEPT}) SELECT {KEPT} FROM notice_old")
    op.create_index("ix_notice_person", "notice", ["person", "id"], unique=False)
    return "notice_old"


def _drop_old_notices(columns: list[str]) -> None:
    if op.get_bind().dialect.name == "sqlite":
        op.drop_table("notice_old")
    else:
        for column in columns:
            op.drop_column("notice", column)


def downgrade() -> None:
    """Undo: only mails are known again; what was to go another way is not sent, and a daily digest is dropped."""
    op.drop_index("ix_notice_case", table_name="notice")
    op.drop_index("ix_notice_unread", table_name="notice")
    mail = "(SELECT d.{} FROM delivery d WHERE d.channel = 'mail' AND d.notice = notice.id)"
    state = "CASE {} WHEN 'dead' THEN 'failed' WHEN 'failed' THEN 'queued' ELSE {} END".format(*[mail.format("state")] * 2)
    op.execute(
        "UPDATE job SET payload = '{\"notice\":' || CAST(d.notice AS VARCHAR(20)) || '}', key = 'notice:' || CAST(d.notice AS VARCHAR(20)) FROM delivery d "
        "WHERE job.kind = 'deliver' AND d.channel = 'mail' AND job.key = 'delivery:' || CAST(d.id AS VARCHAR(20))"
    )
    op.execute("DELETE FROM job WHERE kind IN ('digest', 'digest_of') OR (kind = 'deliver' AND key NOT LIKE 'notice:%')")
    op.execute(
        "CREATE TABLE notice_mail AS SELECT notice.id AS id, "
        f"COALESCE({state}, 'none') AS mail_state, {mail.format('sent_at')} AS mail_at, "
        f"{mail.format('error')} AS mail_error, COALESCE({mail.format('message_id')}, '') AS message_id FROM notice"
    )
    op.drop_table("delivery")
    op.execute("DELETE FROM notice WHERE template = 'digest'")
    _set_notices_aside(
        [
            sa.Column("mail_state", sa.String(length=16), server_default="none", nullable=False),
            sa.Column("mail_at", sa.BigInteger(), nullable=True),
            sa.Column("mail_error", sa.Text(), nullable=True),
            sa.Column("message_id", sa.String(length=200), server_default=sa.text("''"), nullable=False),
        ],
        [sa.CheckConstraint("mail_state IN ('queued', 'sent', 'failed', 'none')", name=op.f("ck_notice_mail_state"))],
    )
    columns = ", ".join(f"{name} = (SELECT m.{name} FROM notice_mail m WHERE m.id = notice.id)" for name in MAIL_COLUMNS)
    op.execute(f"UPDATE notice SET {columns}")
    op.drop_table("notice_mail")
    _drop_old_notices(["acknowledged_at", "data"])
    if op.get_bind().dialect.name != "sqlite":
        op.create_check_constraint(op.f("ck_notice_mail_state"), "notice", "mail_state IN ('queued', 'sent', 'failed', 'none')")
    for table in ("calendar_feed", "notice_setting", "event", "webhook"):
        op.drop_table(table)
