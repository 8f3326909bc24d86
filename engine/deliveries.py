"""Deliveries: which way each notice goes out, the words of its mail, and sending it. A second copy carries the same id."""

from __future__ import annotations

import json
import logging
import smtplib
from collections.abc import Mapping
from datetime import datetime, timedelta
from email.message import EmailMessage
from email.utils import format_datetime
from typing import TYPE_CHECKING, Any

import sqlalchemy as sa

from engine import delivery_rows, preferences, webhooks
from engine.clock import JST, civil_day, from_micros
from engine.delivery_rows import OPEN, RETRY_AFTER, WEBHOOK_RETRY_AFTER
from engine.forms import japanese_day, japanese_instant
from engine.model import FAR_FUTURE, Row, case_file, delivery, job, notice, person, task
from engine.notice_texts import DIGEST, MailText, digest_text, subject_and_body
from engine.organisation import Organisation

if TYPE_CHECKING:
    from engine.service import Engine

log = logging.getLogger(__name__)

#: A delivery's notice with all that its mail needs.
_MAILS = (
    sa.select(
        delivery, notice.c.template, notice.c.person, notice.c.case_id, notice.c.task_id, notice.c.step, notice.c.data,
        notice.c.created_at.label("told_at"), person.c.name, person.c.email, person.c.disabled_at, person.c.ends_on, case_file.c.number, task.c.due_at,
    )
    .join(notice, notice.c.id == delivery.c.notice)
    .join(person, person.c.id == notice.c.person)
    .outerjoin(case_file, case_file.c.id == notice.c.case_id)
    .outerjoin(task, task.c.id == notice.c.task_id)
)  # fmt: skip


def run(engine: Engine, leased: sa.Row[Any], away: dict[str, str]) -> None:
    """Do one leased job: give the notices of an act their ways, or send what goes one of them.

    Args:
        leased: `id`, `attempts` and `payload` of the job.
        away: see `send`; the same for all jobs leased together.
    """
    payload = json.loads(leased.payload)
    if "delivery" in payload:
        send(engine, leased.id, leased.attempts, payload["delivery"], away)
        return
    now = engine.clock.now()
    try:
        with engine.writing() as connection:
            mine = job.delete().where(job.c.id == leased.id, job.c.attempts == leased.attempts)
            if connection.execute(mine).rowcount == 1:  # else another worker has it by now
                dispatch(connection, engine.organisations[payload["organisation"]], payload, now, engine.settings.host)
    except Exception as error:  # one bad notice must not stop the others; it is kept with its error
        log.exception("the notices of job %s could not be given their ways", leased.id)
        with engine.writing() as connection:
            delivery_rows.put_off(connection, leased.id, leased.attempts, now, f"{type(error).__name__}: {error}", RETRY_AFTER)


# ---------------------------------------------------------------- what goes out, and which way


def dispatch(connection: sa.Connection, office: Organisation, payload: Mapping[str, Any], now: datetime, host: str) -> None:
    """Give each notice of an act its delivery, as its recipient and the office have chosen, and tell other systems.

    Args:
        payload: as `engine.notices.write` made it.
        host: right-hand side of Message-IDs.
    """
    rows = connection.execute(
        sa.select(notice, person.c.email, task.c.urgency, task.c.statutory)
        .join(person, person.c.id == notice.c.person)
        .outerjoin(task, task.c.id == notice.c.task_id)
        .where(notice.c.id.in_(payload["notices"]))
        .order_by(notice.c.id)
    ).mappings().all()  # fmt: skip
    chosen = preferences.chosen_by(connection, (row["person"] for row in rows)) if rows else {}
    made = []
    for row in rows:
        channel, state, at = preferences.plan(row, chosen.get(row["person"], preferences.NOTHING), office.rules, now)
        made.append(mail_row(row, channel, state, at, now, host))
    made += webhooks.publish(connection, office.id, payload["events"], payload["case"], from_micros(payload["at"]), now)
    delivery_rows.queue(connection, made, payload["case"], now)


def mail_row(row: Row, channel: str, state: str, at: datetime | None, now: datetime, host: str) -> dict[str, Any]:
    """The delivery of a notice; the digest's own mail gives those kept for it their id."""
    message_id = f"<{row['cause'].replace(':', '.')}.{row['person']}@{host}>" if channel == "mail" else ""
    values = {"organisation": row["organisation"], "notice": row["id"], "event": None, "channel": channel, "state": state, "next_at": at}
    return {**values, "message_id": message_id, "created_at": now}


# ---------------------------------------------------------------- the words of a mail


def link_to(row: Row, base_url: str) -> str:
    """Where a notice leads: the step, the case, or what an administrator looks after."""
    places = {"service_stopped": "/stopped", "webhook_disabled": "/admin/webhooks", DIGEST: "/inbox"}
    if row["template"] in places:
        return base_url + places[row["template"]]
    return f"{base_url}/tasks/{row['task_id']}" if row["task_id"] else f"{base_url}/cases/{row['case_id']}"


def due_in_words(at: datetime | None) -> str:
    """A due instant for a mail; midnight is 24:00 of the day it ends."""
    if at is None or at == FAR_FUTURE:
        return "なし"
    local = at.astimezone(JST)
    if (local.hour, local.minute) == (0, 0):
        return f"{japanese_day((local.date() - timedelta(days=1)).isoformat())} 24:00"
    return japanese_instant(at.isoformat())


def words_of(row: Row, base_url: str, texts: Mapping[str, MailText]) -> tuple[str, str]:
    """Subject and body of a delivery row's mail."""
    link = link_to(row, base_url)
    if row["template"] == DIGEST:
        data = json.loads(row["data"])
        return digest_text(row["name"], japanese_day(row["step"]), tuple(data["counts"]), data["lines"], link)
    number, due = row["number"] or "", due_in_words(row["due_at"])
    return subject_and_body(row["template"], texts, number=number, step=row["step"], link=link, name=row["name"], due=due)


def compose(row: Row, sender_address: str, base_url: str, texts: Mapping[str, MailText]) -> EmailMessage:
    """The mail of a delivery; the Message-ID is the row's, so a second copy is recognised."""
    subject, body = words_of(row, base_url, texts)
    message = EmailMessage()
    message["Subject"] = subject
    message["From"] = sender_address
    message["To"] = row["email"]
    message["Date"] = format_datetime(row["told_at"].astimezone(JST))
    message["Message-ID"] = row["message_id"]
    message["Auto-Submitted"] = "auto-generated"
    message.set_content(body)
    return message


# ---------------------------------------------------------------- sending


def send(engine: Engine, job_id: int, attempts: int, delivery_id: int, away: dict[str, str]) -> None:
    """Send one leased delivery and record how it went.

    Args:
        attempts: of the job, as the lease counted it: who has lost the lease changes nothing.
        away: channel -> why, of receivers that did not answer in this batch: the others need not wait for the same timeout one after the other.
    """
    with engine.reading() as connection:
        row = connection.execute(sa.select(delivery).where(delivery.c.id == delivery_id)).mappings().first()
        mail = to_mail(connection, delivery_id, engine.clock.now()) if row is not None and row["channel"] == "mail" else None
        hook = webhooks.to_post(connection, delivery_id) if row is not None and row["event"] is not None else None
    found = mail or hook
    if row is None or found is None:
        with engine.writing() as connection:
            delivery_rows.drop(connection, delivery_id, job_id, attempts)
        return
    channel = row["channel"]
    spans = RETRY_AFTER if mail is not None else WEBHOOK_RETRY_AFTER
    if channel in away:
        with engine.writing() as connection:
            delivery_rows.mark_failed(connection, row, job_id, attempts, engine.clock.now(), away[channel], spans, final=False)
        return
    delivers = True
    try:
        if mail is not None:
            office = engine.organisations[mail["organisation"]]
            engine.sender.send(compose(mail, engine.settings.mail_from, engine.settings.base_url, office.notice_texts))
            delivers = engine.sender.delivers
        else:
            webhooks.post(found, engine.settings, engine.clock.now())
    except Exception as error:  # also what no server said, such as an address that no header can hold: it must not stop the others
        log.warning("delivery %s (%s) failed: %s", delivery_id, channel, error)
        why, gone = f"{type(error).__name__}: {error}", is_away(error)
        with engine.writing() as connection:
            dead = delivery_rows.mark_failed(
                connection, row, job_id, attempts, engine.clock.now(), why, spans, final=not (gone and mail is not None)
            )
            if dead and hook is not None:
                webhooks.disable(connection, engine, hook["webhook"], why)
        if gone:
            away[channel] = why
        return
    with engine.writing() as connection:
        delivery_rows.mark_sent(connection, row, job_id, attempts, engine.clock.now(), delivers)


def to_mail(connection: sa.Connection, delivery_id: int, now: datetime) -> Row | None:
    """The delivery with what its mail needs; None when it was sent already or the recipient is gone."""
    wanted = (delivery.c.id == delivery_id, delivery.c.state.in_(OPEN), person.c.email.is_not(None), person.c.disabled_at.is_(None))
    open_today = sa.or_(person.c.ends_on.is_(None), person.c.ends_on >= civil_day(now))
    return connection.execute(_MAILS.where(*wanted, open_today)).mappings().first()


def is_away(error: Exception) -> bool:
    """Whether the other side could not be reached, as opposed to having refused."""
    gone = (smtplib.SMTPServerDisconnected, smtplib.SMTPConnectError, smtplib.SMTPHeloError)
    return isinstance(error, gone) or (isinstance(error, OSError) and not isinstance(error, smtplib.SMTPException))
