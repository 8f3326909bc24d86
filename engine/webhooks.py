"""What happened, told to other systems of the office: events in one order, signed requests, and reading again from a cursor.

A body is one JSON line: `id`, `cursor`, `kind`, `number`, `step`, `at`, `due_at`, `link`; never the content of a case. A request carries
`Tadachi-Event` (the id), `Tadachi-Timestamp` (seconds since 1970) and `Tadachi-Signature` (`v1=` and the hex HMAC-SHA256, with the
secret, of timestamp, a full stop and the body). `GET /api/events?after=CURSOR` answers with the same lines.
"""

from __future__ import annotations

import hashlib
import hmac
import json
from collections.abc import Sequence
from datetime import datetime
from typing import TYPE_CHECKING, Any

import sqlalchemy as sa

from engine import delivery_rows, history, notices, outgoing, people, stopped
from engine.clock import JST, civil_day, to_micros
from engine.delivery_rows import OPEN
from engine.model import FAR_FUTURE, Row, case_file, delivery, event, task, webhook
from engine.notices import Told
from engine.settings import Settings
from engine.storage import insert_new
from engine.wakeup import add_jobs

if TYPE_CHECKING:
    from engine.service import Engine

CHANNEL = "webhook:"


# ---------------------------------------------------------------- events


def publish(
    connection: sa.Connection, organisation: str, told: Sequence[Sequence[Any]], case_id: int | None, at: datetime, now: datetime
) -> list[dict[str, Any]]:
    """Write what happened as events, where the office has told somebody to listen; returns the deliveries to queue.

    Args:
        told: cause, template, step and task id of each.
    """
    ours = sa.and_(webhook.c.organisation == organisation, webhook.c.removed_at.is_(None))
    listening = connection.execute(sa.select(webhook.c.id, webhook.c.disabled_at).where(ours).order_by(webhook.c.id)).all()
    if not listening or not told:
        return []
    number = connection.scalar(sa.select(case_file.c.number).where(case_file.c.id == case_id)) or ""
    tasks = [task_id for *_, task_id in told if task_id]
    due = (
        {row.id: row.due_at for row in connection.execute(sa.select(task.c.id, task.c.due_at).where(task.c.id.in_(tasks)))} if tasks else {}
    )
    first = _positions(connection, organisation, len(told))
    rows = [
        {
            "organisation": organisation, "position": first + number_, "cause": cause, "kind": template, "case_id": case_id, "task_id": task_id,
            "uid": "evt-" + hashlib.sha256(f"{organisation}\0{cause}".encode()).hexdigest()[:32], "number": number, "step": step, "at": at,
            "due_at": None if due.get(task_id) in (None, FAR_FUTURE) else due[task_id],
        }
        for number_, (cause, template, step, task_id) in enumerate(told)
    ]  # fmt: skip
    new = connection.execute(insert_new(connection, event).returning(event.c.id, event.c.uid), rows).all()
    return [
        {
            "organisation": organisation, "notice": None, "event": row.id, "channel": f"{CHANNEL}{one.id}", "state": "queued", "next_at": now,
            "message_id": row.uid, "created_at": now,
        }
        for row in sorted(new, key=lambda row: row.id)
        for one in listening
        if one.disabled_at is None
    ]  # fmt: skip


def _positions(connection: sa.Connection, organisation: str, count: int) -> int:
    """The first of some positions. The counter's row stays locked until the commit: positions become visible in their order."""
    text = sa.text(
        "INSERT INTO counter (organisation, name, period, value) VALUES (:organisation, 'events', '', :count) "
        "ON CONFLICT (organisation, name, period) DO UPDATE SET value = counter.value + :count RETURNING value"
    )
    return int(connection.scalar(text, {"organisation": organisation, "count": count}) or 0) - count + 1


def line(row: Row, base_url: str) -> bytes:
    """An event as the receiver gets it, byte for byte the same whenever it is told."""
    link = f"{base_url}/tasks/{row['task_id']}" if row["task_id"] else f"{base_url}/cases/{row['case_id']}" if row["case_id"] else base_url
    told = {
        "id": row["uid"], "cursor": row["position"], "kind": row["kind"], "number": row["number"], "step": row["step"],
        "at": _written(row["at"]), "due_at": _written(row["due_at"]), "link": link,
    }  # fmt: skip
    return json.dumps(told, ensure_ascii=False, separators=(",", ":")).encode()


def _written(at: datetime | None) -> str | None:
    return at.astimezone(JST).isoformat(timespec="seconds") if at is not None else None


# ---------------------------------------------------------------- sending


def signature(secret: str, timestamp: str, body: bytes) -> str:
    """What a receiver computes to know that a body is ours and how old it is."""
    return "v1=" + hmac.new(secret.encode(), timestamp.encode() + b"." + body, hashlib.sha256).hexdigest()


def to_post(connection: sa.Connection, delivery_id: int) -> Row | None:
    """A delivery's event with the webhook it goes to; None when it was delivered already or nobody listens there any more."""
    channel = sa.literal(CHANNEL) + sa.cast(webhook.c.id, sa.String)
    query = (
        sa.select(event, webhook.c.id.label("webhook"), webhook.c.url, webhook.c.secret)
        .join(delivery, delivery.c.event == event.c.id)
        .join(webhook, sa.and_(webhook.c.organisation == event.c.organisation, channel == delivery.c.channel))
        .where(delivery.c.id == delivery_id, delivery.c.state.in_(OPEN), webhook.c.disabled_at.is_(None), webhook.c.removed_at.is_(None))
    )
    return connection.execute(query).mappings().first()


def post(row: Row, settings: Settings, now: datetime) -> None:
    """Send one event; raises when the receiver does not answer with success."""
    body = line(row, settings.base_url)
    timestamp = str(to_micros(now) // 1_000_000)
    headers = {
        "Content-Type": "application/json; charset=utf-8", "User-Agent": "Tadachi", "Tadachi-Event": row["uid"], "Tadachi-Timestamp": timestamp,
        "Tadachi-Signature": signature(row["secret"], timestamp, body),
    }  # fmt: skip
    outgoing.post(row["url"], body, headers, settings.webhook_hosts)


def disable(connection: sa.Connection, engine: Engine, webhook_id: int, why: str) -> None:
    """Stop sending after the last try of something has failed, and tell the office's administrators, once."""
    now = engine.clock.now()
    stop = (
        webhook.update().where(webhook.c.id == webhook_id, webhook.c.disabled_at.is_(None)).values(disabled_at=now, disabled_why=why[:300])
    )
    row = connection.execute(stop.returning(webhook.c.organisation, webhook.c.name)).first()
    if row is None:
        return
    delivery_rows.give_up(connection, f"{CHANNEL}{webhook_id}", "送り先への送信を止めました。")
    office = engine.organisations[row.organisation]
    seats = stopped.administrators(office, now)
    told = [Told(f"webhook:{webhook_id}:disabled:{to_micros(now)}", "webhook_disabled", seats, row.name)]
    holders = people.holders(connection, office, seats, civil_day(now))
    made = notices.write(connection, office.id, None, told, holders, now)
    add_jobs(connection, made, now)
    entry = history.Entry("webhook.disabled", now, people.SYSTEM, data={"webhook": webhook_id, "name": row.name})
    history.append_to_organisation(connection, office.id, entry)
