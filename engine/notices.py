"""Notices: one per cause and recipient, written with the act that causes them; mail goes out later, from the rows."""

from __future__ import annotations

import smtplib
import ssl
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from email.message import EmailMessage
from email.utils import format_datetime
from typing import Any, Protocol
from urllib.parse import unquote, urlsplit

import sqlalchemy as sa
from sqlalchemy.dialects import postgresql, sqlite

from engine.clock import JST
from engine.model import Row, case_file, job, notice, person
from engine.people import Holder

#: What a notice says, by template. Mails carry number, step and link only: the contents of a case are themselves
#: sensitive (procedures §9 trap 18), so no template can name a fact.
TEMPLATES: Mapping[str, tuple[str, str]] = {
    "task_opened": ("処理が届きました", "あなたの役に、次の処理が届きました。"),
    "task_moved": ("処理が移ってきました", "情報を管理する部署が変わり、次の処理があなたの役に移りました。"),
    "task_sent_back": ("差し戻されました", "次の処理が差し戻されました。理由は画面で確かめてください。"),
    "remind": ("処理が済んでいません（督促）", "次の処理がまだ済んでいません。"),
    "escalate": (
        "期限の目安を過ぎた処理があります",
        "次の処理が、期限の目安を過ぎても済んでいません。義務は担当職に残っています。状況を確かめてください。",
    ),
    "clock_warning": ("法令上の期限が近づいています", "次の案件の法令上の期限が近づいています。"),
    "clock_overdue": ("法令上の期限を過ぎました", "次の案件が、法令上の期限を過ぎました。直ちに対応してください。"),
    "step_told": ("お知らせがあります", "次の案件について知らせることがあります。"),
    "consultation": ("照会が届きました", "次の案件について、照会が届きました。画面で読み、回答してください。"),
    "consultation_answered": ("照会に回答がありました", "次の案件について行った照会に、回答がありました。"),
    "circulation": ("回覧が届きました", "次の案件が回覧されました。画面で読み、確認してください。"),
    "later_review": ("後閲する処理があります", "不在の間に先へ進んだ処理があります。画面で読み、確認してください。"),
    "decided_for_you": ("代決されました", "あなたが決裁する次の処理が、登録された代決者によって代決されました。画面で確かめてください。"),
    "case_ended": ("案件が終結しました", "あなたが報告した案件が終結しました。"),
    "case_merged": ("案件が統合されました", "次の案件は、同じ事案の別の案件に統合されました。"),
    "service_stopped": (
        "自動処理が止まっています",
        "次の自動処理が、繰り返し試みても終わりません。画面で理由を確かめ、原因を直してから、もう一度実行してください。",
    ),
}

RETRY_AFTER = (timedelta(minutes=1), timedelta(minutes=5), timedelta(minutes=15), timedelta(hours=1), timedelta(hours=3))
LEASE = timedelta(minutes=2)


@dataclass(frozen=True)
class Told:
    """A notice to be written: `cause` makes it unique per recipient."""

    cause: str
    template: str
    seats: tuple[str, ...]
    step: str
    task_id: int | None = None
    deputies: bool = True
    without: frozenset[str] = frozenset()  # people of these seats who are not told


def write(
    connection: sa.Connection,
    organisation: str,
    case_id: int,
    told: Iterable[Told],
    holders: Iterable[Holder],
    now: datetime,
    host: str,
    skip: str | None = None,
) -> list[dict[str, Any]]:
    """Insert the notices; a cause already told to a person is left alone.

    Args:
        holders: everyone behind the seats named, as of now.
        host: right-hand side of Message-IDs.
        skip: a person who needs no notice (who did the act).

    Returns:
        job rows that deliver the mails, for the caller to insert with its others.
    """
    by_seat: dict[str, list[Holder]] = {}
    for holder in holders:
        by_seat.setdefault(holder.seat, []).append(holder)
    rows: dict[tuple[str, str], dict[str, Any]] = {}
    for item in told:
        for seat in item.seats:
            for holder in by_seat.get(seat, ()):
                if holder.person == skip or holder.person in item.without or (holder.kind == "substitute" and not item.deputies):
                    continue
                rows.setdefault(
                    (item.cause, holder.person),
                    {
                        "organisation": organisation,
                        "cause": item.cause,
                        "person": holder.person,
                        "template": item.template,
                        "case_id": case_id,
                        "task_id": item.task_id,
                        "step": item.step,
                        "created_at": now,
                        "mail_state": "queued" if holder.email else "none",
                        "message_id": f"<{item.cause.replace(':', '.')}.{holder.person}@{host}>",
                    },
                )
    if not rows:
        return []
    insert = postgresql.insert if connection.dialect.name == "postgresql" else sqlite.insert
    statement = insert(notice).on_conflict_do_nothing(index_elements=["cause", "person"]).returning(notice.c.id, notice.c.mail_state)
    written = connection.execute(statement, list(rows.values())).all()
    return [
        {"case_id": case_id, "kind": "deliver", "key": f"notice:{row.id}", "run_at": now, "payload": f'{{"notice":{row.id}}}'}
        for row in written
        if row.mail_state == "queued"
    ]


class Sender(Protocol):
    """Something that hands a message over to the outside; raises OSError or smtplib.SMTPException when it cannot.

    `delivers` is False for one that keeps everything here: such a mail must not be shown as sent.
    """

    delivers: bool

    def send(self, message: EmailMessage) -> None:
        """Hand one message over."""


class SmtpSender:
    """Sends by SMTP: `smtp://host:port`, `smtp+starttls://user:password@host`, `smtps://…`."""

    delivers = True

    def __init__(self, url: str, timeout: float = 10.0) -> None:
        self._url = urlsplit(url)
        self._timeout = timeout

    def send(self, message: EmailMessage) -> None:
        """Hand one message to the server."""
        host, port, scheme = self._url.hostname or "localhost", self._url.port, self._url.scheme
        if scheme == "smtps":
            client: smtplib.SMTP = smtplib.SMTP_SSL(host, port or 465, timeout=self._timeout, context=ssl.create_default_context())
        else:
            client = smtplib.SMTP(host, port or 25, timeout=self._timeout)
        with client:
            if scheme == "smtp+starttls":
                client.starttls(context=ssl.create_default_context())
            if self._url.username:
                client.login(unquote(self._url.username), unquote(self._url.password or ""))
            client.send_message(message)


class KeptSender:
    """Keeps messages instead of sending them: an installation without a mail server, where the outbox page shows them."""

    delivers = False

    def send(self, message: EmailMessage) -> None:
        """Nothing leaves the machine; the notice row is the copy."""


def subject_and_body(template: str, number: str, step: str, link: str, name: str) -> tuple[str, str]:
    """The words of one mail: number, step and link, and nothing about what happened."""
    subject, sentence = TEMPLATES[template]
    body = f"{name} 様\n\n{sentence}\n\n案件番号：{number}\n処理　　：{step}\n画面　　：{link}\n\nこのメールは自動で送られています。内容は画面で確かめてください。\n"
    return f"【{number}】{subject}", body


def link_to(row: Row, base_url: str) -> str:
    """Where a notice leads: the step, the case, or, for who looks after the installation and sees no case, the stopped steps."""
    if row["template"] == "service_stopped":
        return f"{base_url}/stopped"
    return f"{base_url}/tasks/{row['task_id']}" if row["task_id"] else f"{base_url}/cases/{row['case_id']}"


def compose(row: Row, sender_address: str, base_url: str) -> EmailMessage:
    """The mail of a notice row joined with its person and case; the Message-ID is the row's, so a second copy is recognised."""
    subject, body = subject_and_body(row["template"], row["number"], row["step"], link_to(row, base_url), row["name"])
    message = EmailMessage()
    message["Subject"] = subject
    message["From"] = sender_address
    message["To"] = row["email"]
    message["Date"] = format_datetime(row["created_at"].astimezone(JST))
    message["Message-ID"] = row["message_id"]
    message["Auto-Submitted"] = "auto-generated"
    message.set_content(body)
    return message


def to_deliver(connection: sa.Connection, notice_id: int) -> Row | None:
    """The notice with what its mail needs; None when it was sent already or the recipient is gone."""
    return (
        connection.execute(
            sa.select(notice, person.c.email, person.c.name, case_file.c.number)
            .join(person, person.c.id == notice.c.person)
            .join(case_file, case_file.c.id == notice.c.case_id)
            .where(notice.c.id == notice_id, notice.c.mail_state != "sent", person.c.email.is_not(None), person.c.disabled_at.is_(None))
        )
        .mappings()
        .first()
    )


def mark_sent(connection: sa.Connection, notice_id: int, job_id: int, attempts: int, now: datetime, delivered: bool) -> None:
    """Record a delivery (or that the mail was only kept here) and drop its job, unless the lease went to another worker meanwhile."""
    state = "sent" if delivered else "none"
    connection.execute(notice.update().where(notice.c.id == notice_id).values(mail_state=state, mail_at=now, mail_error=None))
    connection.execute(job.delete().where(job.c.id == job_id, job.c.attempts == attempts))


def drop(connection: sa.Connection, notice_id: int, job_id: int, attempts: int) -> None:
    """Give up a mail that has no recipient any more, or was sent already."""
    connection.execute(notice.update().where(notice.c.id == notice_id, notice.c.mail_state == "queued").values(mail_state="none"))
    connection.execute(job.delete().where(job.c.id == job_id, job.c.attempts == attempts))


def mark_failed(
    connection: sa.Connection, notice_id: int, job_id: int, attempts: int, now: datetime, why: str, *, final: bool = True
) -> None:
    """Record a failed attempt and when it is tried again. After the last try the job is kept as a dead letter, unless the attempt was
    not `final`: a server that is away for days is asked again until it is back."""
    last = final and attempts > len(RETRY_AFTER)
    run_at = None if last else now + RETRY_AFTER[min(attempts, len(RETRY_AFTER)) - 1]
    ours = connection.execute(
        job.update().where(job.c.id == job_id, job.c.attempts == attempts).values(run_at=run_at, error=why[:500])
    ).rowcount
    if ours:
        state = "failed" if last else "queued"
        connection.execute(notice.update().where(notice.c.id == notice_id).values(mail_state=state, mail_error=why[:500]))
