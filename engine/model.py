"""Every table, in one place; nothing here knows what the rows are for beyond their constraints."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any

import sqlalchemy as sa
from sqlalchemy import (
    BigInteger,
    Boolean,
    CheckConstraint,
    Column,
    Date,
    ForeignKey,
    Index,
    Integer,
    LargeBinary,
    String,
    Table,
    Text,
    UniqueConstraint,
)

from engine.clock import from_micros, to_micros

#: A table row by column name, as reads hand it on.
Row = Mapping[Any, Any]

metadata = sa.MetaData(
    naming_convention={
        "ix": "ix_%(table_name)s_%(column_0_N_name)s",
        "uq": "uq_%(table_name)s_%(column_0_N_name)s",
        "ck": "ck_%(table_name)s_%(constraint_name)s",
        "fk": "fk_%(table_name)s_%(column_0_N_name)s",
        "pk": "pk_%(table_name)s",
    }
)


class Instant(sa.types.TypeDecorator[datetime]):
    """An aware instant kept as whole microseconds since 1970 UTC: it compares and sorts alike on SQLite and PostgreSQL."""

    impl = BigInteger
    cache_ok = True

    def process_bind_param(self, value: datetime | None, dialect: Any) -> int | None:
        """Instant -> microseconds."""
        return None if value is None else to_micros(value)

    def process_result_value(self, value: int | None, dialect: Any) -> datetime | None:
        """Microseconds -> instant."""
        return None if value is None else from_micros(value)


class Id(sa.types.TypeDecorator[int]):
    """A row's number: BIGINT on PostgreSQL, INTEGER on SQLite, since only INTEGER PRIMARY KEY counts rows there.

    A number that no row can have, as a made-up address may hold, finds nothing instead of failing in the database.
    """

    impl = BigInteger
    cache_ok = True

    def load_dialect_impl(self, dialect: sa.Dialect) -> sa.types.TypeEngine[Any]:
        """INTEGER on SQLite."""
        return dialect.type_descriptor(Integer() if dialect.name == "sqlite" else BigInteger())

    def process_bind_param(self, value: int | None, dialect: Any) -> int | None:
        """The number, or one that no row has."""
        return value if value is None or -(2**63) <= value < 2**63 else -1


class Words(sa.types.TypeDecorator[str]):
    """A short text. What no database can hold (NUL, half characters) is replaced: looked for, it is just not found."""

    impl = String
    cache_ok = True

    def process_bind_param(self, value: str | None, dialect: Any) -> str | None:
        """The text as it can be stored."""
        return None if value is None else storable(value)


def storable(text: str) -> str:
    """A text without what no database can hold."""
    return text.replace("\0", "\ufffd").encode("utf-8", "replace").decode()


def _id() -> Column[int]:
    return Column("id", Id(), primary_key=True, autoincrement=True)


person = Table(
    "person",
    metadata,
    Column("id", Words(64), primary_key=True),
    Column("organisation", Words(32), nullable=False),
    Column("name", Words(200), nullable=False),
    Column("email", Words(254)),
    Column("password_hash", Words(200)),
    Column("failed_sign_ins", Integer, nullable=False, server_default="0"),
    Column("locked_until", Instant),
    Column("disabled_at", Instant),  # ended at once
    Column("created_at", Instant, nullable=False),
    Column("ends_on", Date),  # the account's last day, included, as an order announces it; NULL = open
    Index("ix_person_organisation", "organisation"),
)

# An identity that a sign-in source outside vouches for, and the person it stands for here.
identity = Table(
    "identity",
    metadata,
    Column("source", Words(60), primary_key=True),
    Column("subject", Words(255), primary_key=True),
    Column("person", Words(64), ForeignKey("person.id"), nullable=False),
    Column("linked_at", Instant, nullable=False),
    Column("linked_by", Words(64), nullable=False),
    Index("ix_identity_person", "person"),
)


def _bitemporal() -> list[sa.schema.SchemaItem]:
    """When something holds (days, the last included) and from when to when the record said so: a correction supersedes, never overwrites."""
    return [
        Column("valid_from", Date, nullable=False),
        Column("valid_to", Date),  # the last day included; NULL = open
        Column("recorded_at", Instant, nullable=False),
        Column("recorded_by", Words(64), nullable=False),
        Column("superseded_at", Instant),  # NULL = what is known now
        Column("superseded_by", Words(64)),
    ]


# Who holds which seat: 本務 main, 兼務 concurrent, 併任 joint, 事務取扱 caretaker, 職務代理 acting.
holding = Table(
    "holding",
    metadata,
    _id(),
    Column("person", Words(64), ForeignKey("person.id"), nullable=False),
    Column("organisation", Words(32), nullable=False),
    Column("seat", Words(160), nullable=False),
    Column("kind", Words(16), nullable=False, server_default="main"),
    Column("valid_from", Date, nullable=False),
    Column("valid_to", Date),
    Column("recorded_at", Instant, nullable=False),
    Column("basis", Words(300), nullable=False, server_default=sa.text("''")),
    Column("source", Words(60), nullable=False, server_default=sa.text("''")),  # "order:3" where an order made it so
    Column("recorded_by", Words(64), nullable=False, server_default="system"),
    Column("superseded_at", Instant),
    Column("superseded_by", Words(64)),
    CheckConstraint("kind IN ('main', 'concurrent', 'joint', 'caretaker', 'acting')", name="kind"),
    CheckConstraint("valid_to IS NULL OR valid_to >= valid_from", name="period"),
    Index("ix_holding_person", "person"),
    Index("ix_holding_seat", "organisation", "seat"),
)

# Who stands in for whom: 代理 (substitute) acts for the principal; 代決 (decision) takes final decisions only, while the principal is absent.
deputy = Table(
    "deputy",
    metadata,
    _id(),
    Column("organisation", Words(32), nullable=False),
    Column("principal", Words(64), ForeignKey("person.id"), nullable=False),
    Column("person", Words(64), ForeignKey("person.id"), nullable=False),
    Column("kind", Words(16), nullable=False, server_default="substitute"),
    Column("seat", Words(160), nullable=False, server_default=sa.text("''")),  # empty: every seat of the principal
    Column("process_id", Words(120), nullable=False, server_default=sa.text("''")),  # empty: every procedure
    Column("basis", Words(300), nullable=False),
    *_bitemporal(),
    CheckConstraint("kind IN ('substitute', 'decision')", name="kind"),
    CheckConstraint("valid_to IS NULL OR valid_to >= valid_from", name="period"),
    CheckConstraint("principal <> person", name="other"),
    Index("ix_deputy_person", "person"),
    Index("ix_deputy_principal", "principal"),
)

absence = Table(
    "absence",
    metadata,
    _id(),
    Column("organisation", Words(32), nullable=False),
    Column("person", Words(64), ForeignKey("person.id"), nullable=False),
    Column("reason", Words(16), nullable=False),  # leave, sick, travel, training, other: never the illness itself
    *_bitemporal(),
    CheckConstraint("valid_to IS NULL OR valid_to >= valid_from", name="period"),
    Index("ix_absence_person", "person"),
)

# Orders of a day to come: 発令 (personnel) and 組織改正 (reorganisation). What they change is written when a second person approves.
personnel_order = Table(
    "personnel_order",
    metadata,
    _id(),
    Column("organisation", Words(32), nullable=False),
    Column("kind", Words(16), nullable=False),
    Column("title", Words(200), nullable=False),
    Column("effective_on", Date, nullable=False),
    Column("state", Words(16), nullable=False, server_default="draft"),
    Column("file_name", Words(255), nullable=False),
    Column("sha256", Words(64), nullable=False),  # of the file as it was read
    Column("content", Text, nullable=False),  # JSON: the rows as they were read
    Column("created_at", Instant, nullable=False),
    Column("created_by", Words(64), nullable=False),
    Column("decided_at", Instant),
    Column("decided_by", Words(64)),
    Column("reason", Text),
    CheckConstraint("kind IN ('personnel', 'reorganisation')", name="kind"),
    CheckConstraint("state IN ('draft', 'approved', 'withdrawn')", name="state"),
    Index("ix_personnel_order_organisation", "organisation", "effective_on"),
)

# A seat that changes hands: what the successor takes over, and that he has.
handover = Table(
    "handover",
    metadata,
    _id(),
    Column("organisation", Words(32), nullable=False),
    Column("order_id", Id, ForeignKey("personnel_order.id"), nullable=False),
    Column("seat", Words(160), nullable=False),  # as the predecessor held it
    Column("giver", Words(64)),  # NULL: the seat was vacant
    Column("taker", Words(64), nullable=False),
    Column("effective_on", Date, nullable=False),
    Column("note", Text, nullable=False, server_default=sa.text("''")),
    Column("noted_at", Instant),
    Column("accepted_at", Instant),
    Column("items", Text),  # JSON: the open work as it was when accepted
    Index("ix_handover_taker", "taker"),
    Index("ix_handover_giver", "giver"),
)

# A unit that becomes another on a day (名称変更, 統合, 分割): seats of the old are answered by the new, without touching a case.
unit_change = Table(
    "unit_change",
    metadata,
    _id(),
    Column("organisation", Words(32), nullable=False),
    Column("order_id", Id, ForeignKey("personnel_order.id"), nullable=False),
    Column("unit", Words(120), nullable=False),  # the unit that ends, or that begins when `successor` is empty
    Column("successor", Words(120), nullable=False, server_default=sa.text("''")),
    Column("effective_on", Date, nullable=False),
    Column("begins", Text, nullable=False, server_default=sa.text("''")),  # JSON of a unit that did not exist before
    Index("ix_unit_change_organisation", "organisation"),
)

session = Table(
    "session",
    metadata,
    Column("id", Words(64), primary_key=True),  # SHA-256 of the cookie's token: a read of the table signs nobody in
    Column("person", Words(64), ForeignKey("person.id"), nullable=False),
    Column("created_at", Instant, nullable=False),
    Column("seen_at", Instant, nullable=False),
    Column("idle_seconds", Integer, nullable=False),
    Column("ends_at", Instant, nullable=False),
    Column("ended_at", Instant),
    Index("ix_session_person", "person"),
)

definition = Table(
    "definition",
    metadata,
    _id(),
    Column("organisation", Words(32), nullable=False),
    Column("process_id", Words(120), nullable=False),
    Column("version", Integer, nullable=False),
    Column("name", Words(200), nullable=False),
    Column("digest", Words(64), nullable=False),
    Column("bundle", Text, nullable=False),  # JSON {file name: text}: the diagram, all it calls, and the decision tables
    Column("deployed_at", Instant, nullable=False),
    Column("deployed_by", Words(64), nullable=False),
    Column("in_force_from", Instant, nullable=False),
    Column("cancelled_at", Instant),  # an approved version that was called off before its day: it never comes into force
    Column("cancelled_by", Words(64)),
    Column("cancel_reason", Text),
    UniqueConstraint("organisation", "process_id", "version"),
)

# A bundle being drawn. Kept apart from versions: nothing of it runs until a second person has approved it (draft_review).
diagram_draft = Table(
    "diagram_draft",
    metadata,
    _id(),
    Column("organisation", Words(32), nullable=False),
    Column("process_id", Words(120), nullable=False),  # of the main diagram
    Column("title", Words(200), nullable=False),
    Column("base_definition", Id, ForeignKey("definition.id")),  # the version it began from; NULL for a new procedure
    Column("files", Text, nullable=False),  # JSON {file name: text}: diagrams and decision tables, as a version keeps them
    Column("revision", Integer, nullable=False, server_default="1"),  # goes up with every saving
    Column("state", Words(16), nullable=False, server_default="editing"),
    Column("made_by", Words(64), nullable=False),
    Column("made_at", Instant, nullable=False),
    Column("saved_by", Words(64), nullable=False),
    Column("saved_at", Instant, nullable=False),
    Column("note", Text, nullable=False),
    CheckConstraint("state IN ('editing', 'review', 'approved', 'discarded')", name="state"),
    Index("ix_diagram_draft_organisation", "organisation", "state"),
)

# Who edits a draft now. Whoever is silent for two minutes can be relieved by somebody else.
draft_lock = Table(
    "draft_lock",
    metadata,
    Column("draft_id", Id, ForeignKey("diagram_draft.id"), primary_key=True),
    Column("person", Words(64), ForeignKey("person.id"), nullable=False),
    Column("since", Instant, nullable=False),
    Column("seen_at", Instant, nullable=False),
)

# A draft laid before a second person, and what that person decided: of one revision, never of what was drawn later.
draft_review = Table(
    "draft_review",
    metadata,
    _id(),
    Column("draft_id", Id, ForeignKey("diagram_draft.id"), nullable=False),
    Column("revision", Integer, nullable=False),
    Column("asked_by", Words(64), nullable=False),
    Column("asked_at", Instant, nullable=False),
    Column("decided_by", Words(64)),
    Column("decided_at", Instant),
    Column("verdict", Words(16)),
    Column("comment", Text, nullable=False),
    Column("in_force_from", Instant),
    Column("request", Text),  # what who asks tells the reviewer
    Column("definition", Id, ForeignKey("definition.id")),  # the version that the approval made
    CheckConstraint("verdict IN ('approved', 'returned', 'withdrawn')", name="verdict"),
    Index("ix_draft_review_draft", "draft_id"),
    Index("ix_draft_review_definition", "definition"),
)

# Everybody who has saved a draft or what it was copied from: none of them reviews it.
draft_author = Table(
    "draft_author",
    metadata,
    Column("draft_id", Id, ForeignKey("diagram_draft.id"), primary_key=True),
    Column("person", Words(64), primary_key=True),
)

# A proof of a draft's saved revision. It runs in some web process; every other one reads here how far it is.
draft_proof = Table(
    "draft_proof",
    metadata,
    _id(),
    Column("draft_id", Id, ForeignKey("diagram_draft.id"), nullable=False),
    Column("revision", Integer, nullable=False),
    Column("state", Words(16), nullable=False, server_default="running"),
    Column("started_by", Words(64), nullable=False),
    Column("started_at", Instant, nullable=False),
    Column("seen_at", Instant, nullable=False),  # whoever runs it is there
    Column("ended_at", Instant),
    Column("report", Text),  # JSON of the checker's report
    CheckConstraint("state IN ('running', 'done', 'cancelled', 'lost')", name="state"),
    Index("ix_draft_proof_draft", "draft_id", "id"),
)

case_file = Table(
    "case_file",
    metadata,
    _id(),
    Column("organisation", Words(32), nullable=False),
    Column("definition", Id, ForeignKey("definition.id"), nullable=False),
    Column("process_id", Words(120), nullable=False),
    Column("number", Words(60), nullable=False),  # 案件番号
    Column("title", Words(200), nullable=False),
    Column("state", Words(16), nullable=False, server_default="open"),
    Column("outcome", Words(200)),
    Column("reporter", Words(64), nullable=False),
    Column("owning_unit", Words(120), nullable=False),
    Column("known_at", Instant),
    Column("version", Integer, nullable=False),  # one more with every act: optimistic locking
    Column("marking", Text, nullable=False),
    Column("facts", Text, nullable=False),
    Column("started_at", Instant, nullable=False),
    Column("changed_at", Instant, nullable=False),
    Column("ended_at", Instant),
    Column("merged_into", Id, ForeignKey("case_file.id")),
    # Head of the case's history chain: kept here because the case row is locked by every act anyway,
    # and because a chain whose newest rows were cut off no longer meets its head.
    Column("history_seq", Integer, nullable=False),
    Column("history_digest", Words(64), nullable=False),
    Column("reported_for", Words(64)),  # the principal, when a deputy started the case
    UniqueConstraint("organisation", "number"),
    CheckConstraint("state IN ('open', 'closed', 'withdrawn')", name="state"),
    Index("ix_case_file_reporter", "reporter", "id"),
)

# Which seats may see a case. Visibility of everything in a case is this table joined to the viewer's seats.
case_seat = Table(
    "case_seat",
    metadata,
    Column("case_id", Id, ForeignKey("case_file.id"), primary_key=True),
    Column("organisation", Words(32), primary_key=True),
    Column("seat", Words(160), primary_key=True),
    Index("ix_case_seat_seat", "organisation", "seat", "case_id"),
)

task = Table(
    "task",
    metadata,
    _id(),
    Column("case_id", Id, ForeignKey("case_file.id"), nullable=False),
    Column("organisation", Words(32), nullable=False),
    Column("wait", Words(200), nullable=False),  # key of the wait in the marking
    Column("node", Words(200), nullable=False),
    Column("name", Words(200), nullable=False),
    Column("seat", Words(160), nullable=False),
    Column("unit", Words(120), nullable=False),  # the case's owning unit, for filters
    Column("process_id", Words(120), nullable=False),
    Column("urgency", Words(16), nullable=False),
    Column("state", Words(16), nullable=False, server_default="open"),
    Column("version", Integer, nullable=False, server_default="1"),
    Column("opened_at", Instant, nullable=False),
    Column("due_at", Instant, nullable=False),  # far future when nothing is due: keyset paging wants no NULL
    Column("statutory", Boolean, nullable=False, server_default=sa.false()),
    Column("claimed_by", Words(64), ForeignKey("person.id")),
    Column("claimed_at", Instant),
    Column("closed_at", Instant),
    Column("closed_by", Words(64)),
    Column("closed_seat", Words(160)),
    Column("sent_back_reason", Text),
    Column("closed_for", Words(64)),  # the principal, when a deputy acted
    Column("final", Boolean, nullable=False, server_default=sa.false()),  # the final decision (決裁), which a 代決者 may take
    CheckConstraint("state IN ('open', 'done', 'sent_back', 'cancelled')", name="state"),
    Index(
        "ix_task_inbox",
        "organisation",
        "seat",
        "due_at",
        "id",
        sqlite_where=sa.text("state = 'open'"),
        postgresql_where=sa.text("state = 'open'"),
    ),
    Index("ix_task_case", "case_id", "state"),
)

# Someone kept from a case's steps (the person the incident is about), or from one step (whoever did what must be another's).
bar = Table(
    "bar",
    metadata,
    _id(),
    Column("organisation", Words(32), nullable=False),
    Column("case_id", Id, ForeignKey("case_file.id"), nullable=False),
    Column("task_id", Id, ForeignKey("task.id")),  # NULL: every step
    Column("person", Words(64), nullable=False),
    Column("reason", Words(16), nullable=False),
    Column("since", Instant, nullable=False),
    Column("lifted_at", Instant),
    CheckConstraint("reason IN ('named', 'same_person')", name="reason"),
    Index("ix_bar_case", "case_id"),
    Index(
        "ix_bar_open",
        "organisation",
        "person",
        sqlite_where=sa.text("lifted_at IS NULL"),
        postgresql_where=sa.text("lifted_at IS NULL"),
    ),
)

# A case laid before somebody who does not decide it: 照会 consultation (answers), 回覧 circulation (confirms), 後閲 later_review (reads afterwards).
referral = Table(
    "referral",
    metadata,
    _id(),
    Column("organisation", Words(32), nullable=False),
    Column("case_id", Id, ForeignKey("case_file.id"), nullable=False),
    Column("task_id", Id, ForeignKey("task.id")),
    Column("kind", Words(16), nullable=False),
    Column("seat", Words(160), nullable=False),  # whom it is laid before: a seat, or person:ID
    Column("asked_by", Words(64), nullable=False),
    Column("asked_seat", Words(160)),
    Column("text", Text, nullable=False),
    Column("opened_at", Instant, nullable=False),
    Column("state", Words(16), nullable=False, server_default="open"),
    Column("closed_at", Instant),
    Column("closed_by", Words(64)),
    Column("closed_seat", Words(160)),
    Column("answer", Text),
    CheckConstraint("kind IN ('consultation', 'circulation', 'later_review')", name="kind"),
    CheckConstraint("state IN ('open', 'closed', 'withdrawn')", name="state"),
    Index("ix_referral_seat", "organisation", "seat", sqlite_where=sa.text("state = 'open'"), postgresql_where=sa.text("state = 'open'")),
    Index("ix_referral_case", "case_id"),
)

task_read = Table(
    "task_read",
    metadata,
    Column("task_id", Id, ForeignKey("task.id"), primary_key=True),
    Column("person", Words(64), ForeignKey("person.id"), primary_key=True),
    Column("read_at", Instant, nullable=False),
)

# 後で見る: a step that one person has put off; it comes back by itself. Only the view changes, for that person alone.
snooze = Table(
    "snooze",
    metadata,
    Column("task_id", Id, ForeignKey("task.id"), primary_key=True),
    Column("person", Words(64), ForeignKey("person.id"), primary_key=True),
    Column("until", Instant, nullable=False),
)

draft = Table(
    "draft",
    metadata,
    Column("person", Words(64), ForeignKey("person.id"), primary_key=True),
    Column("about", Words(200), primary_key=True),  # "task:12" or "start:isa_incident"
    Column("answers", Text, nullable=False),
    Column("saved_at", Instant, nullable=False),
)

# A form that was sent twice (double click, reload) makes one case: the form carries a token, used once.
submission = Table(
    "submission",
    metadata,
    Column("person", Words(64), ForeignKey("person.id"), primary_key=True),
    Column("token", Words(64), primary_key=True),
    Column("case_id", Id, ForeignKey("case_file.id")),
    Column("at", Instant, nullable=False),
)

attachment = Table(
    "attachment",
    metadata,
    _id(),
    Column("case_id", Id, ForeignKey("case_file.id"), nullable=False),
    Column("task_id", Id, ForeignKey("task.id")),
    Column("name", Words(255), nullable=False),
    Column("media_type", Words(100), nullable=False),
    Column("size", Integer, nullable=False),
    Column("sha256", Words(64), nullable=False),
    Column("added_by", Words(64), nullable=False),
    Column("added_at", Instant, nullable=False),
    Column("content", LargeBinary, nullable=False),
    Index("ix_attachment_case", "case_id"),
)

statutory_clock = Table(
    "statutory_clock",
    metadata,
    _id(),
    Column("case_id", Id, ForeignKey("case_file.id"), nullable=False),
    Column("clock", Words(60), nullable=False),
    Column("name", Words(100), nullable=False),
    Column("basis", Words(300), nullable=False),
    Column("days", Integer, nullable=False),
    Column("started_on", Date, nullable=False),
    Column("due_on", Date, nullable=False),
    Column("due_at", Instant, nullable=False),
    Column("warn_at", Text, nullable=False),  # JSON list of microseconds
    Column("met_at", Instant),
    Column("stopped_at", Instant),  # the duty fell away
    UniqueConstraint("case_id", "clock"),
)

# History is only ever added to: triggers refuse UPDATE and DELETE, no foreign key cascades into it.
history = Table(
    "history",
    metadata,
    _id(),
    Column("chain", Words(80), nullable=False),  # "case:12" or "organisation:isa"
    Column("seq", Integer, nullable=False),
    Column("organisation", Words(32), nullable=False),
    Column("case_id", Id),
    Column("tag", Words(60), nullable=False),  # subject.past_tense
    Column("at", Instant, nullable=False),
    Column("person", Words(64), nullable=False),
    Column("seat", Words(160)),
    Column("node", Words(200)),
    Column("task_id", Id),
    Column("clause", Words(200)),
    Column("definition", Id),
    Column("data", Text, nullable=False),  # JSON: facts changed with old and new, reasons, notes
    Column("previous", Words(64), nullable=False),
    Column("digest", Words(64), nullable=False),
    UniqueConstraint("chain", "seq"),
    Index("ix_history_case", "case_id", "id"),
    sqlite_autoincrement=True,
)

# Due work: run_at is due time, retry time and lease end in one. Done = DELETE; dead letter = NULL.
job = Table(
    "job",
    metadata,
    _id(),
    Column("case_id", Id),
    Column("kind", Words(30), nullable=False),  # timer, service, rung, warn, overdue, posts, start, deliver, digest, digest_of
    Column("key", Words(240), nullable=False),  # what it waits for inside the case, for cancelling
    Column("run_at", Instant),
    Column("attempts", Integer, nullable=False, server_default="0"),
    Column("payload", Text, nullable=False),
    Column("error", Text),
    Index("ix_job_due", "run_at", "id", sqlite_where=sa.text("run_at IS NOT NULL"), postgresql_where=sa.text("run_at IS NOT NULL")),
    Index("ix_job_case", "case_id"),
    Index(  # a start event is due once at a time
        "uq_job_start",
        "key",
        unique=True,
        sqlite_where=sa.text("kind = 'start' AND run_at IS NOT NULL"),
        postgresql_where=sa.text("kind = 'start' AND run_at IS NOT NULL"),
    ),
    sqlite_autoincrement=True,  # without it SQLite reuses ids and a late acknowledgement deletes another job
)

notice = Table(
    "notice",
    metadata,
    _id(),
    Column("organisation", Words(32), nullable=False),
    Column("cause", Words(240), nullable=False),  # one notice per cause and recipient
    Column("person", Words(64), ForeignKey("person.id"), nullable=False),
    Column("template", Words(60), nullable=False),
    Column("case_id", Id),
    Column("task_id", Id),
    Column("step", Words(200), nullable=False),
    Column("created_at", Instant, nullable=False),
    Column("read_at", Instant),
    Column("acknowledged_at", Instant),
    Column("data", Text, nullable=False, server_default=sa.text("''")),  # JSON: what a daily digest counted
    UniqueConstraint("cause", "person"),
    Index("ix_notice_person", "person", "id"),
    Index("ix_notice_unread", "person", sqlite_where=sa.text("read_at IS NULL"), postgresql_where=sa.text("read_at IS NULL")),
    Index("ix_notice_case", "case_id"),
)

# Where what happened is told to another system of the office: an address, the secret that signs, the token that reads again.
webhook = Table(
    "webhook",
    metadata,
    _id(),
    Column("organisation", Words(32), nullable=False),
    Column("name", Words(100), nullable=False),
    Column("url", Words(500), nullable=False),
    Column("secret", Words(100), nullable=False),  # signs every body, so it is kept as it is
    Column("token", Words(64), nullable=False),  # SHA-256 of the bearer token of /api/events
    Column("created_at", Instant, nullable=False),
    Column("created_by", Words(64), nullable=False),
    Column("disabled_at", Instant),
    Column("disabled_why", Words(300)),
    Column("removed_at", Instant),
    UniqueConstraint("token"),
    Index("ix_webhook_organisation", "organisation"),
)

# A one-time link through which an outside party (相手方) fills in what a procedure leaves to it, and the session it is exchanged for.
# What is done through it is done by the actor `link:ID`, ID being that of the party's first link in the case.
outside_link = Table(
    "outside_link",
    metadata,
    _id(),
    Column("organisation", Words(32), nullable=False),
    Column("process_id", Words(120), nullable=False),
    Column("case_id", Id, ForeignKey("case_file.id")),  # NULL: it may start a case of the procedure, and has not yet
    Column("thread", Id, ForeignKey("outside_link.id")),  # the party's first link in the case; NULL: this one
    Column("party", Words(100), nullable=False),
    Column("seat", Words(160), nullable=False),  # as whose it was issued, and on whose behalf a case is started
    Column("issued_by", Words(64), ForeignKey("person.id"), nullable=False),
    Column("issued_at", Instant, nullable=False),
    Column("expires_at", Instant, nullable=False),  # of the link and of the session
    Column("token", Words(64), nullable=False),  # SHA-256 of the address's token: a read of the table opens nothing
    Column("shares", Boolean, nullable=False, server_default=sa.false()),  # the party may also read what officials entered on its behalf
    Column("opened_at", Instant),  # exchanged for the session: the token is dead
    Column("session", Words(64)),  # SHA-256 of the cookie's token
    Column("seen_at", Instant),
    Column("refused", Integer, nullable=False, server_default="0"),  # attempts refused
    Column("ended_at", Instant),
    Column("revoked_at", Instant),
    Column("revoked_by", Words(64)),
    UniqueConstraint("token"),
    UniqueConstraint("session"),
    Index("ix_outside_link_case", "case_id"),
    Index("ix_outside_link_process", "organisation", "process_id"),
)

# What happened, for other systems, in one order per office: `position` is given out under a lock, so that no cursor passes over a row
# that is committed later.
event = Table(
    "event",
    metadata,
    _id(),
    Column("organisation", Words(32), nullable=False),
    Column("position", BigInteger, nullable=False),
    Column("cause", Words(240), nullable=False),
    Column("uid", Words(40), nullable=False),
    Column("kind", Words(60), nullable=False),  # a template of engine/notice_texts.py
    Column("case_id", Id),
    Column("task_id", Id),
    Column("number", Words(60), nullable=False),
    Column("step", Words(200), nullable=False),
    Column("at", Instant, nullable=False),
    Column("due_at", Instant),
    UniqueConstraint("organisation", "cause"),
    UniqueConstraint("organisation", "position"),
)

# One way of telling one recipient of one thing: the mail or the digest of a notice, an event to a webhook.
delivery = Table(
    "delivery",
    metadata,
    _id(),
    Column("organisation", Words(32), nullable=False),
    Column("notice", Id, ForeignKey("notice.id")),
    Column("event", Id, ForeignKey("event.id")),
    Column("channel", Words(40), nullable=False),  # mail, digest, webhook:ID
    Column("state", Words(16), nullable=False),
    Column("tries", Integer, nullable=False, server_default="0"),
    Column("next_at", Instant),  # when it is tried (again); NULL when it is not
    Column("error", Text),
    Column("sent_at", Instant),
    Column("message_id", Words(200), nullable=False),  # the same whenever it is sent again
    Column("created_at", Instant, nullable=False),
    UniqueConstraint("notice", "channel"),
    UniqueConstraint("event", "channel"),
    CheckConstraint("state IN ('queued', 'sent', 'failed', 'dead', 'none')", name="state"),
    CheckConstraint("(notice IS NULL) <> (event IS NULL)", name="about"),
    Index("ix_delivery_organisation", "organisation", "id"),
)

# How a person wants to be told: template id, "digest" or "quiet" -> choice. What is not here is as the office has it.
notice_setting = Table(
    "notice_setting",
    metadata,
    Column("person", Words(64), ForeignKey("person.id"), primary_key=True),
    Column("name", Words(60), primary_key=True),
    Column("value", Words(60), nullable=False),
)

calendar_feed = Table(
    "calendar_feed",
    metadata,
    Column("token", Words(64), primary_key=True),  # SHA-256 of the address's token: a read of the table opens no calendar
    Column("person", Words(64), ForeignKey("person.id"), nullable=False),
    Column("created_at", Instant, nullable=False),
    Column("revoked_at", Instant),
    Index("ix_calendar_feed_person", "person"),
)

counter = Table(
    "counter",
    metadata,
    Column("organisation", Words(32), primary_key=True),
    Column("name", Words(60), primary_key=True),
    Column("period", Words(20), primary_key=True),
    Column("value", Integer, nullable=False),
)

case_link = Table(
    "case_link",
    metadata,
    Column("case_id", Id, ForeignKey("case_file.id"), primary_key=True),
    Column("other_id", Id, ForeignKey("case_file.id"), primary_key=True),
    Column("kind", Words(20), primary_key=True),  # merged; started: the first case has begun the other
    Column("label", Words(200)),  # what the diagram calls the link
    Index("ix_case_link_other_id", "other_id"),
)

# What stands in an office's ledgers (台帳): every revision of every entry; of each entry the newest counts, the others stay readable.
ledger_entry = Table(
    "ledger_entry",
    metadata,
    _id(),
    Column("organisation", Words(32), nullable=False),
    Column("ledger", Words(40), nullable=False),
    Column("entry", Id, nullable=False),  # its number within the ledger
    Column("case_id", Id, ForeignKey("case_file.id"), nullable=False),
    Column("item", Words(120), nullable=False),  # tells the entries of one case apart; empty when there is one
    Column("revision", Integer, nullable=False),
    Column("state", Words(40), nullable=False),
    Column("closed", Boolean, nullable=False),
    Column("content", Text, nullable=False),  # JSON {column: value}: what the entry says
    Column("written", Text, nullable=False),  # JSON: what the process wrote; where the two differ, somebody has corrected it
    Column("words", Text, nullable=False),  # what a search looks through
    Column("masked_words", Text, nullable=False),  # the same of masked columns, for those who see the case
    Column("grouped", Words(200), nullable=False),  # the words of the ledger's group column
    Column("kept_until", Date),  # 保存期限, the last day; NULL = not known yet, or no period
    Column("entered_at", Instant, nullable=False),  # the entry's first revision
    Column("recorded_at", Instant, nullable=False),  # this one
    Column("person", Words(64), nullable=False),
    Column("seat", Words(160)),
    Column("acted_for", Words(64)),  # the principal, when a deputy acted
    Column("act", Words(40), nullable=False),  # history tag of the act that led to it
    Column("node", Words(200)),  # the step of that act
    Column("step", Words(200), nullable=False),
    Column("reason", Text),  # of a correction
    Column("digest", Words(64), nullable=False),  # of all the above; the case's record has it too
    UniqueConstraint("organisation", "ledger", "entry", "revision"),
    UniqueConstraint("case_id", "ledger", "item", "revision"),
    Index("ix_ledger_entry_group", "organisation", "ledger", "grouped"),
)

worker_heartbeat = Table(
    "worker_heartbeat",
    metadata,
    Column("worker", Words(80), primary_key=True),
    Column("seen_at", Instant, nullable=False),
    Column("ahead", BigInteger),  # microseconds its clock was ahead of the database's; NULL where both are one machine's
)

# Cases that time has started: one for each start event and due instant, whatever workers, clocks and deployments do.
timed_start = Table(
    "timed_start",
    metadata,
    Column("organisation", Words(32), primary_key=True),
    Column("process_id", Words(120), primary_key=True),
    Column("event", Words(120), primary_key=True),
    Column("due_at", Instant, primary_key=True),
    Column("case_id", Id, ForeignKey("case_file.id")),
)

#: Tables whose rows may never be changed or removed; migrations put triggers on them.
APPEND_ONLY = ("history", "ledger_entry")

FAR_FUTURE = from_micros(253_402_214_400_000_000)  # 9999-12-31: "nothing is due", sorts last

# What somebody is playing in the designer's sandbox, one run for each version or draft: the acts alone, everything else is played anew.
sandbox_run = Table(
    "sandbox_run",
    metadata,
    Column("person", Words(64), ForeignKey("person.id"), primary_key=True),
    Column("base", Words(40), primary_key=True),  # "versions:12" or "drafts:3"
    Column("starts", Instant, nullable=False),
    Column("acts", Text, nullable=False),  # JSON {start, steps}, in the words of a scenario
    Column("length", Integer, nullable=False),
    Column("changed_at", Instant, nullable=False),
)

# Running cases to be moved to another version of their procedure: proposed by one person, approved by another.
case_move = Table(
    "case_move",
    metadata,
    _id(),
    Column("organisation", Words(32), nullable=False),
    Column("process_id", Words(120), nullable=False),
    Column("from_definition", Id, ForeignKey("definition.id"), nullable=False),
    Column("to_definition", Id, ForeignKey("definition.id"), nullable=False),
    Column("places", Text, nullable=False),  # JSON {element: [element there, anew]}: what was said beyond what is found by itself
    Column("note", Text, nullable=False),
    Column("state", Words(16), nullable=False, server_default="proposed"),
    Column("proposed_by", Words(64), nullable=False),
    Column("proposed_at", Instant, nullable=False),
    Column("decided_by", Words(64)),
    Column("decided_at", Instant),
    Column("comment", Text, nullable=False, server_default=sa.text("''")),
    CheckConstraint("state IN ('proposed', 'approved', 'refused', 'withdrawn')", name="state"),
    Index("ix_case_move_organisation", "organisation", "process_id"),
)

# What became of each of them. Each is moved in a transaction of its own.
case_move_item = Table(
    "case_move_item",
    metadata,
    Column("move_id", Id, ForeignKey("case_move.id"), primary_key=True),
    Column("case_id", Id, ForeignKey("case_file.id"), primary_key=True),
    Column("digest", Words(64), nullable=False),  # of what moving it means, as it was looked at
    Column("state", Words(16), nullable=False, server_default="planned"),
    Column("why", Text, nullable=False, server_default=sa.text("''")),  # it could not be moved
    Column("at", Instant),  # moved, or undone
    Column("seq", Integer),  # the case's last line of record when it was moved: as long as it is the last, nothing has happened since
    Column("undo", Text),  # JSON: the rows as they were; NULL when it cannot be undone
    CheckConstraint("state IN ('planned', 'moved', 'failed', 'undone')", name="state"),
    Index("ix_case_move_item_case", "case_id"),
)
