"""Due work: claims what is due, runs it, and tries again what failed; the rows are written by the acts that cause them."""

from __future__ import annotations

import json
import logging
from collections.abc import Mapping
from datetime import date, datetime, timedelta
from typing import TYPE_CHECKING, Any

import sqlalchemy as sa

from engine import coming, courier, digest, people, starts, stopped
from engine.batch import Batch, see
from engine.clock import civil_day
from engine.deadlines import Rung
from engine.errors import CaseClosed, TadachiError
from engine.forms import japanese_day
from engine.model import Instant, Row, case_file, job, statutory_clock, task
from engine.notices import KIND, Told
from engine.organisation import Organisation
from engine.unit_of_work import CASES
from engine.wakeup import add_jobs
from engine.work import Work

if TYPE_CHECKING:
    from engine.service import Engine

log = logging.getLogger(__name__)

#: A failing timer (not failed work of the diagram: `engine/stopped.py`) is tried again after these spans, then kept as a dead letter (run_at NULL) for an administrator.
RETRY_AFTER = (timedelta(seconds=10), timedelta(minutes=1), timedelta(minutes=10), timedelta(hours=1), timedelta(hours=6))

#: Due jobs, each of another case, that a worker on PostgreSQL does in one transaction: claiming and committing is a sixth of what a timer
#: costs. More would keep an official waiting who opens one of these cases meanwhile. On SQLite everybody waits for a transaction: one.
AT_ONCE = 8

# Statements of every look for due work, built once.
_NEXT = sa.select(job.c.run_at).where(job.c.run_at.is_not(None), job.c.kind != KIND).order_by(job.c.run_at, job.c.id).limit(1)
_DUE = sa.select(job.c.id).where(job.c.run_at <= sa.bindparam("now", type_=Instant)).limit(1)
_due_first = (
    sa.select(job)
    .where(job.c.run_at <= sa.bindparam("now", type_=Instant), job.c.kind != KIND)
    .order_by(job.c.run_at, job.c.id)
    .limit(sa.bindparam("most", type_=sa.Integer))
)
#: The case first, then the job: the order every act takes, so that none waits for another crosswise.
_OF_A_CASE = _due_first.join(case_file, case_file.c.id == job.c.case_id).with_for_update(of=case_file, skip_locked=True)
#: What belongs to an office, not to a case.
_OF_NO_CASE = _due_first.where(job.c.case_id.is_(None)).with_for_update(skip_locked=True)
_DONE = job.delete().where(job.c.id.in_(sa.bindparam("done", expanding=True))).returning(job.c.id)
#: What says the same: an order of four hundred appointments causes four hundred looks at who holds what, of which one is enough.
_ALIKE = job.delete().where(
    job.c.id.in_(
        sa.select(job.c.id)
        .where(job.c.run_at <= sa.bindparam("now", type_=Instant), job.c.kind == "posts", job.c.key == sa.bindparam("key"))
        .where(job.c.case_id.is_not_distinct_from(sa.bindparam("case")))
        .with_for_update(skip_locked=True)
    )
)


def next_due(engine: Engine) -> datetime | None:
    """When the next job that is no delivery is due."""
    with engine.reading() as connection:
        return connection.scalar(_NEXT)


def run_due(engine: Engine, limit: int = 100) -> int:
    """Run what is due now, oldest first; returns how many jobs were done.

    Timers and reminders run in a transaction of their own (`run_some`); deliveries are leased, sent outside any transaction, and acknowledged.
    """
    done = 0
    while done < limit:
        with engine.reading() as connection:
            if connection.scalar(_DUE, {"now": engine.clock.now()}) is None:
                return done
        ran = run_some(engine, limit - done) or courier.deliver_due(engine)
        if not ran:
            return done
        done += ran
    return done


def run_some(engine: Engine, most: int = AT_ONCE) -> int:
    """Run the oldest due jobs that are no deliveries, in one transaction: a job's row goes exactly when its effect stays.

    When one of them fails, none has happened, and each is run by itself.

    Args:
        most: so many at once; on SQLite one.

    Returns:
        how many were done or put off; 0 when nothing is due, or what is due is in other hands.
    """
    claimed: list[Row] = []
    try:
        with engine.writing() as connection:
            claimed = _claim(connection, engine.clock.now(), min(most, AT_ONCE) if connection.dialect.name == "postgresql" else 1)
            if not claimed:
                return 0
            done = set(connection.scalars(_DONE, {"done": [row["id"] for row in claimed]}))
            batch = _batch(connection, claimed)
            for row in claimed:
                if row["id"] in done:
                    _run(engine, connection, row, batch)
            batch.write(engine.clock.now())
            return len(claimed)
    except Exception as error:  # one bad job must not stop the others; it is kept with its error
        if not claimed:
            raise
        if len(claimed) > 1:
            return sum(run_some(engine, 1) for _ in claimed)
        log.exception("job %s (%s) of case %s failed", claimed[0]["id"], claimed[0]["kind"], claimed[0]["case_id"])
        _put_off(engine, claimed[0], error)
        return 1


def _claim(connection: sa.Connection, now: datetime, most: int) -> list[Row]:
    """The oldest due jobs whose case nobody else has in hand, one for each case; when there is none, one that belongs to no case."""
    rows = connection.execute(_OF_A_CASE, {"now": now, "most": most}).mappings().all()
    if not rows:
        rows = connection.execute(_OF_NO_CASE, {"now": now, "most": 1}).mappings().all()
    first = {row["case_id"]: row for row in reversed(rows)}
    return [row for row in rows if first[row["case_id"]] is row]


def _batch(connection: sa.Connection, claimed: list[Row]) -> Batch:
    """What the acts of a transaction share; each job is of another case, or the only one."""
    if len(claimed) == 1:
        return Batch(connection)
    rows = connection.execute(CASES, {"cases": [row["case_id"] for row in claimed]}).mappings().all()
    return Batch(connection, held=True, cases=rows)


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
        if claimed["kind"] == starts.KIND and run_at is None:  # this one is lost, the next must not be
            starts.arm_next(connection, engine.definitions, json.loads(claimed["payload"]), now)


def _run(engine: Engine, connection: sa.Connection, row: Row, batch: Batch) -> None:
    """The effect of one due job, within the caller's transaction."""
    work = engine.work_on(connection, people.SYSTEM, batch=batch)
    payload, now = json.loads(row["payload"]), engine.clock.now()
    try:
        if row["kind"] == digest.OFFICE:
            digest.run_office(connection, engine.organisations[payload["organisation"]], now)
        elif row["kind"] == digest.ONE:
            digest.run_one(connection, engine.organisations, payload, now, engine.settings.host)
        elif row["kind"] == "posts":
            # Whatever caused these is there to be read by now, as it came with them.
            connection.execute(_ALIKE, {"now": now, "key": row["key"], "case": row["case_id"]})
            if row["case_id"] is None:
                _posts_changed(engine, connection, payload["organisation"])
            else:
                work.posts_changed(row["case_id"])
        elif row["kind"] == starts.KIND:
            work.start_by_time(payload)
        elif row["kind"] == coming.KIND:
            coming.run(engine, connection, payload)
        elif row["kind"] == "timer":
            work.fire_timer(row["case_id"], payload["wait"], row["run_at"])
        elif row["kind"] == stopped.KIND:
            work.try_again(row)
        elif row["kind"] in ("rung", "remind", "escalate"):
            _climb(engine, connection, work, row, payload)
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
    add_jobs(connection, jobs, now)


def _climb(engine: Engine, connection: sa.Connection, work: Work, row: Row, payload: Mapping[str, Any]) -> None:
    """A step is late by its urgency word: tell those of this rung. The duty stays where the clause put it."""
    late = work.open_task_row(payload["task"])
    if late is None:
        return
    office, now = engine.organisations[late["organisation"]], engine.clock.now()
    rungs = office.rules.urgency(late["urgency"], civil_day(late["opened_at"])).rungs
    if row["kind"] == "rung":
        if payload["rung"] >= len(rungs):
            return  # the office has shortened the ladder since
        rung = rungs[payload["rung"]]
    else:  # written by a version that knew two rungs only
        rung = Rung(0, ("holder",) if row["kind"] == "remind" else ("holder", "next"))
    above = tuple(dict.fromkeys(seat for part in rung.tells if (seat := _told_seat(office, late, part, civil_day(now))) is not None))
    if above:
        see(connection, late["organisation"], late["case_id"], above)  # who is told must be able to look
    seats = ((late["seat"],) if {"holder", "deputy"} & set(rung.tells) else ()) + above
    template = "escalate" if rung.escalates else "remind"
    # An escalation, and a rung that names them, reaches the substitutes, the principal's absence not being waited for.
    deputies = "always" if rung.escalates or "deputy" in rung.tells else "away"
    told = Told(row["key"], template, seats, late["name"], late["id"], deputies)
    data = {"name": late["name"], "told": [office.seat_name(seat) for seat in seats]}
    work.tell(row["case_id"], told, ("task.escalated" if rung.escalates else "task.reminded", data))


def _told_seat(office: Organisation, late: Row, part: str, on: date) -> str | None:
    """The seat that a rung names beyond the step's own: the next above, or a role's for the unit of the case."""
    if part in ("holder", "deputy"):
        return None
    return office.next_seat(late["seat"], on) if part == "next" else office.resolve(part, late["unit"], on)


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
    told = Told(cause, "clock_overdue" if overdue else "clock_warning", work.seats_to_warn(row["case_id"]), name, deputies="always")
    data = {"clock": clock["clock"], "name": clock["name"], "due_on": clock["due_on"].isoformat()}
    work.tell(row["case_id"], told, ("clock.overdue" if overdue else "clock.warned", data))
