"""Rows of deliveries and the jobs that let them go out: made, acknowledged, put off, given up, sent once more."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from datetime import datetime, timedelta
from typing import Any

import sqlalchemy as sa

from engine.model import Row, delivery, job, notice
from engine.notice_texts import DIGEST
from engine.notices import KIND
from engine.wakeup import add_jobs

RETRY_AFTER = (timedelta(minutes=1), timedelta(minutes=5), timedelta(minutes=15), timedelta(hours=1), timedelta(hours=3))
#: Another system may be away for a weekend; whoever looks after it is told when the last try has failed.
WEBHOOK_RETRY_AFTER = (*RETRY_AFTER, timedelta(hours=6), timedelta(hours=12), timedelta(hours=24), timedelta(hours=24))
LEASE = timedelta(minutes=2)
#: States in which something is still to go out.
OPEN = ("queued", "failed")


def queue(connection: sa.Connection, rows: list[dict[str, Any]], case_id: int | None, now: datetime) -> None:
    """Insert deliveries, with a job for each that is to go out by itself."""
    if not rows:
        return
    made = connection.execute(delivery.insert().returning(delivery.c.id, delivery.c.next_at), rows).all()
    add_jobs(connection, [_job(row.id, row.next_at, case_id) for row in made if row.next_at is not None], now)


def _job(delivery_id: int, at: datetime, case_id: int | None) -> dict[str, Any]:
    return {
        "case_id": case_id,
        "kind": KIND,
        "key": f"delivery:{delivery_id}",
        "run_at": at,
        "payload": json.dumps({"delivery": delivery_id}),
    }


def mark_sent(connection: sa.Connection, row: Row, job_id: int, attempts: int, now: datetime, delivered: bool) -> None:
    """Record a delivery (or that the mail was only kept here) and drop its job, unless the lease went to another worker meanwhile."""
    values = {"state": "sent" if delivered else "none", "tries": attempts, "next_at": None, "error": None, "sent_at": now}
    connection.execute(delivery.update().where(delivery.c.id == row["id"]).values(values))
    _follow(connection, row, values)
    connection.execute(job.delete().where(job.c.id == job_id, job.c.attempts == attempts))


def drop(connection: sa.Connection, delivery_id: int, job_id: int, attempts: int) -> None:
    """Give up a delivery that has no recipient any more, or was sent already."""
    mine = sa.and_(delivery.c.id == delivery_id, delivery.c.state.in_(OPEN))
    connection.execute(delivery.update().where(mine).values(state="none", next_at=None))
    connection.execute(job.delete().where(job.c.id == job_id, job.c.attempts == attempts))


def put_off(
    connection: sa.Connection, job_id: int, attempts: int, now: datetime, why: str, spans: tuple[timedelta, ...], *, final: bool = True
) -> tuple[bool, datetime | None]:
    """(whether the lease was still ours, when the job is due again): after the last try the job is kept as a dead letter, due never."""
    last = final and attempts > len(spans)
    run_at = None if last else now + spans[min(attempts, len(spans)) - 1]
    mine = job.update().where(job.c.id == job_id, job.c.attempts == attempts).values(run_at=run_at, error=why[:500])
    return connection.execute(mine).rowcount == 1, run_at


def mark_failed(
    connection: sa.Connection,
    row: Row,
    job_id: int,
    attempts: int,
    now: datetime,
    why: str,
    spans: tuple[timedelta, ...],
    *,
    final: bool = True,
) -> bool:
    """Record a failed attempt and when it is tried again; whether it was the last. One that is not `final` never is: a mail server that is
    away for days is asked again until it is back."""
    ours, run_at = put_off(connection, job_id, attempts, now, why, spans, final=final)
    if not ours:
        return False
    last = run_at is None
    values = {"state": "dead" if last else "failed", "tries": attempts, "next_at": run_at, "error": why[:500]}
    connection.execute(delivery.update().where(delivery.c.id == row["id"], delivery.c.state.in_(OPEN)).values(values))
    if last:
        _follow(connection, row, {"state": "dead", "error": why[:500]})
    return last


def _follow(connection: sa.Connection, row: Row, values: Mapping[str, Any]) -> None:
    """What was put into a daily digest goes where its mail goes."""
    if row["notice"] is None:
        return
    about = connection.execute(sa.select(notice.c.template, notice.c.data).where(notice.c.id == row["notice"])).one()
    if about.template == DIGEST:
        kept = json.loads(about.data)["notices"]
        values = {**values, "next_at": None}
        connection.execute(delivery.update().where(delivery.c.channel == "digest", delivery.c.notice.in_(kept)).values(values))


def again(connection: sa.Connection, delivery_id: int, now: datetime) -> None:
    """Let a dead letter go out once more, from its first try on, under the id it always had."""
    connection.execute(delivery.update().where(delivery.c.id == delivery_id).values(state="queued", next_at=now))
    connection.execute(job.delete().where(job.c.kind == KIND, job.c.key == f"delivery:{delivery_id}"))
    add_jobs(connection, [_job(delivery_id, now, None)], now)


def give_up(connection: sa.Connection, channel: str, why: str) -> None:
    """Nothing more goes out this way: what waits becomes dead letters."""
    waiting = sa.and_(delivery.c.channel == channel, delivery.c.state.in_(OPEN))
    ids = connection.scalars(sa.select(delivery.c.id).where(waiting)).all()
    connection.execute(delivery.update().where(waiting).values(state="dead", next_at=None, error=why[:500]))
    for some in _portions(ids):
        connection.execute(job.delete().where(job.c.kind == KIND, job.c.key.in_([f"delivery:{one}" for one in some])))


def _portions(ids: Iterable[int], size: int = 500) -> Iterable[list[int]]:
    rows = list(ids)
    return (rows[start : start + size] for start in range(0, len(rows), size))
