"""Due work: claims what is due, runs it, and tries again what failed; the rows are written by the acts that cause them."""

from __future__ import annotations

import json
import logging
import smtplib
from collections.abc import Mapping
from datetime import datetime, timedelta
from threading import Event
from typing import TYPE_CHECKING, Any

import sqlalchemy as sa

from engine import notices, people, stopped
from engine.clock import civil_day
from engine.errors import CaseClosed, TadachiError
from engine.forms import japanese_day
from engine.model import Row, case_file, job, statutory_clock, task, worker_heartbeat
from engine.notices import Told
from engine.store import see
from engine.work import Work

if TYPE_CHECKING:
    from engine.service import Engine

log = logging.getLogger(__name__)

#: A failing timer (not failed work of the diagram: `engine/stopped.py`) is tried again after these spans, then kept as a dead letter (run_at NULL) for an administrator.
RETRY_AFTER = (timedelta(seconds=10), timedelta(minutes=1), timedelta(minutes=10), timedelta(hours=1), timedelta(hours=6))
DELIVERIES_AT_ONCE = 20
POLL = 1.0  # seconds between looks when nothing is due
#: SQLite: a short sleep after each commit lets a waiting web request have the database (notes: web p99 3.5 ms).
YIELD = 0.001


def _due(engine: Engine, *kinds: str) -> sa.ColumnElement[bool]:
    return sa.and_(job.c.run_at <= engine.clock.now(), job.c.kind.in_(kinds) if kinds else sa.true())


def run_due(engine: Engine, limit: int = 100) -> int:
    """Run what is due now, oldest first; returns how many jobs were done.

    Timers and reminders run one transaction each; mails are leased, sent outside any transaction, and acknowledged.
    """
    done = 0
    while done < limit:
        with engine.reading() as connection:
            if connection.scalar(sa.select(job.c.id).where(_due(engine)).limit(1)) is None:
                return done
        ran = _run_one(engine) or _deliver(engine)
        if not ran:
            return done
        done += ran
    return done


def _run_one(engine: Engine) -> int:
    """Run the oldest due job that is not a mail, in one transaction: its row goes exactly when its effect stays."""
    claimed: Row | None = None
    try:
        with engine.writing() as connection:
            # The case first, then the job: the order every act takes, so that none waits for another crosswise.
            query = (
                sa.select(job)
                .join(case_file, case_file.c.id == job.c.case_id)
                .where(job.c.run_at <= engine.clock.now(), job.c.kind != "deliver")
                .order_by(job.c.run_at, job.c.id)
                .limit(1)
                .with_for_update(of=case_file, skip_locked=True)
            )
            claimed = connection.execute(query).mappings().first() or connection.execute(_of_no_case(engine.clock.now())).mappings().first()
            if claimed is None:
                return 0
            if connection.execute(job.delete().where(job.c.id == claimed["id"])).rowcount == 1:
                _run(engine, connection, claimed)
            return 1
    except Exception as error:  # one bad job must not stop the others; it is kept with its error
        if claimed is None:
            raise
        log.exception("job %s (%s) of case %s failed", claimed["id"], claimed["kind"], claimed["case_id"])
        _put_off(engine, claimed, error)
        return 1


def _of_no_case(now: datetime) -> sa.Select[tuple[Any, ...]]:
    """Due work that belongs to an office, not to a case."""
    due = sa.select(job).where(job.c.run_at <= now, job.c.case_id.is_(None), job.c.kind != "deliver")
    return due.order_by(job.c.run_at, job.c.id).limit(1).with_for_update(skip_locked=True)


def _put_off(engine: Engine, claimed: Row, error: Exception) -> None:
    attempts, now = claimed["attempts"] + 1, engine.clock.now()
    run_at: datetime | None
    if claimed["kind"] == stopped.KIND:  # the try itself could not be made, which says nothing about the work: no try is used up
        run_at, text = now + stopped.TRY_AGAIN_AFTER[min(attempts, len(stopped.TRY_AGAIN_AFTER)) - 1], type(error).__name__
    else:
        run_at = now + RETRY_AFTER[attempts - 1] if attempts <= len(RETRY_AFTER) else None
        text = error.text if isinstance(error, TadachiError) else f"{type(error).__name__}: {error}"
    with engine.writing() as connection:
        connection.execute(job.update().where(job.c.id == claimed["id"]).values(attempts=attempts, run_at=run_at, error=text[:500]))


def _run(engine: Engine, connection: sa.Connection, row: Row) -> None:
    """The effect of one due job, within the caller's transaction."""
    work = engine.work_on(connection, people.SYSTEM)
    payload = json.loads(row["payload"])
    try:
        if row["kind"] == "posts" and row["case_id"] is None:
            _posts_changed(engine, connection, payload["organisation"])
        elif row["kind"] == "posts":
            work.posts_changed(row["case_id"])
        elif row["kind"] == "timer":
            work.fire_timer(row["case_id"], payload["wait"], row["run_at"])
        elif row["kind"] == stopped.KIND:
            work.try_again(row)
        elif row["kind"] in ("remind", "escalate"):
            _remind(engine, connection, work, row, payload["task"])
        elif row["kind"] in ("warn", "overdue"):
            _warn(connection, work, row, payload)
    except CaseClosed:
        log.info("job %s of case %s is no longer needed", row["id"], row["case_id"])


def _posts_changed(engine: Engine, connection: sa.Connection, office: str) -> None:
    """Who holds what has changed, or somebody is away: look at each case with a step that must be another's or that may be passed over."""
    rows = connection.execute(
        sa.select(task.c.case_id, task.c.node, case_file.c.definition)
        .join(case_file, case_file.c.id == task.c.case_id)
        .where(task.c.organisation == office, task.c.state == "open")
    ).all()
    touched = set()
    for row in rows:
        node = engine.definitions.get(connection, row.definition).net.by_id.get(row.node)
        if node is not None and ("passed_over" in node.properties or "not_same_person_as" in node.properties):
            touched.add(row.case_id)
    now = engine.clock.now()
    jobs = [{"case_id": case, "kind": "posts", "key": "posts", "run_at": now, "payload": "{}"} for case in sorted(touched)]
    if jobs:
        connection.execute(job.insert(), jobs)


def _remind(engine: Engine, connection: sa.Connection, work: Work, row: Row, task_id: int) -> None:
    """A step is late by its urgency word: tell the holder, then also the next rung. The duty stays where the clause put it."""
    late = work.open_task_row(task_id)
    if late is None:
        return
    organisation = engine.organisations[late["organisation"]]
    seats = [late["seat"]]
    if row["kind"] == "escalate":
        above = organisation.next_seat(late["seat"], civil_day(engine.clock.now()))
        if above is not None:
            seats.append(above)
            see(connection, late["organisation"], late["case_id"], [above])  # who is told must be able to look
    told = Told(row["key"], row["kind"], tuple(seats), late["name"], task_id)
    tag = "task.reminded" if row["kind"] == "remind" else "task.escalated"
    data = {"name": late["name"], "told": [organisation.seat_name(seat) for seat in seats]}
    work.tell(row["case_id"], told, (tag, data))


def _warn(connection: sa.Connection, work: Work, row: Row, payload: Mapping[str, Any]) -> None:
    """A statutory date nears or is past: tell whoever the case waits for."""
    clock = connection.execute(
        sa.select(statutory_clock).where(statutory_clock.c.case_id == row["case_id"], statutory_clock.c.clock == payload["clock"])
    ).mappings().first()  # fmt: skip
    if clock is None or clock["met_at"] is not None or clock["stopped_at"] is not None:
        return
    overdue = row["kind"] == "overdue"
    name = f"{clock['name']}（{japanese_day(clock['due_on'].isoformat())}まで）"
    # The due day is part of the cause: a date that moved is a new thing to be told.
    cause = f"case:{row['case_id']}:{row['key']}:{clock['due_on'].isoformat()}"
    told = Told(cause, "clock_overdue" if overdue else "clock_warning", work.seats_to_warn(row["case_id"]), name)
    data = {"clock": clock["clock"], "name": clock["name"], "due_on": clock["due_on"].isoformat()}
    work.tell(row["case_id"], told, ("clock.overdue" if overdue else "clock.warned", data))


def _deliver(engine: Engine) -> int:
    """Lease due mails, send them, acknowledge each. A killed worker's lease runs out and the mail goes again, with the same Message-ID."""
    now = engine.clock.now()
    with engine.writing() as connection:
        due = (
            sa.select(job.c.id)
            .where(job.c.run_at <= now, job.c.kind == "deliver")
            .order_by(job.c.run_at, job.c.id)
            .limit(DELIVERIES_AT_ONCE)
            .with_for_update(skip_locked=True)
        )
        leased = connection.execute(
            job.update()
            .where(job.c.id.in_(due))
            .values(run_at=now + notices.LEASE, attempts=job.c.attempts + 1)
            .returning(job.c.id, job.c.attempts, job.c.payload)
        ).all()
    why: str | None = None
    for row in leased:
        if engine.clock.now() >= now + notices.LEASE:
            break  # another worker may have them by now
        notice_id = json.loads(row.payload)["notice"]
        if why is None:
            why = _send(engine, row.id, row.attempts, notice_id)
        else:  # nobody answers there: the others need not wait for the same timeout one after the other
            with engine.writing() as connection:
                notices.mark_failed(connection, notice_id, row.id, row.attempts, engine.clock.now(), why, final=False)
    return len(leased)


def _send(engine: Engine, job_id: int, attempts: int, notice_id: int) -> str | None:
    """Send one mail and record how it went; answers with the error when the mail server itself could not be reached."""
    with engine.reading() as connection:
        found = notices.to_deliver(connection, notice_id)
    if found is None:
        with engine.writing() as connection:
            notices.drop(connection, notice_id, job_id, attempts)
        return None
    try:
        engine.sender.send(notices.compose(found, engine.settings.mail_from, engine.settings.base_url))
    except Exception as error:  # also what no server said, such as an address that no header can hold: it must not stop the other mails
        log.warning("mail of notice %s not sent: %s", notice_id, error)
        why, away = f"{type(error).__name__}: {error}", _is_away(error)
        with engine.writing() as connection:
            notices.mark_failed(connection, notice_id, job_id, attempts, engine.clock.now(), why, final=not away)
        return why if away else None
    with engine.writing() as connection:
        notices.mark_sent(connection, notice_id, job_id, attempts, engine.clock.now(), engine.sender.delivers)
    return None


def _is_away(error: Exception) -> bool:
    """Whether the mail server could not be reached, as opposed to having refused a mail."""
    gone = (smtplib.SMTPServerDisconnected, smtplib.SMTPConnectError, smtplib.SMTPHeloError)
    return isinstance(error, gone) or (isinstance(error, OSError) and not isinstance(error, smtplib.SMTPException))


def run_forever(engine: Engine, stop: Event, name: str) -> None:
    """The worker's loop: run what is due, beat, sleep; ends soon after `stop` is set, between two transactions."""
    beat = 0.0
    while not stop.is_set():
        try:
            done = run_due(engine, limit=50)
            beat -= POLL if not done else YIELD
            if beat <= 0:
                _beat(engine, name)
                beat = 15.0
        except Exception:  # a database that does not answer, above all; a worker that ended would let every deadline pass unnoticed
            log.exception("due work could not be run; the worker tries again")
            done = 0
        stop.wait(YIELD if done else POLL)


def _beat(engine: Engine, name: str) -> None:
    with engine.writing() as connection:
        now = engine.clock.now()
        updated = connection.execute(worker_heartbeat.update().where(worker_heartbeat.c.worker == name).values(seen_at=now))
        if updated.rowcount == 0:
            connection.execute(worker_heartbeat.insert().values(worker=name, seen_at=now))
