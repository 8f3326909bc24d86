"""Due deliveries on PostgreSQL, handed out by Procrastinate: one of its jobs for each delivery that is due now, deferred with the row itself.

Our row in `job` decides: it is leased again before anything is sent, so a queue job that is lost or comes twice does no harm. What was lost
the sweep brings back, once a minute and when a worker starts. Nothing that is due later is ever put here.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Sequence
from datetime import timedelta
from threading import Event
from typing import TYPE_CHECKING, Any

import procrastinate
import psycopg
import sqlalchemy as sa
from procrastinate.jobs import Job

from engine.courier import Courier
from engine.model import job, worker_heartbeat

if TYPE_CHECKING:
    from engine.service import Engine

log = logging.getLogger(__name__)

QUEUE, DELIVER, SWEEP = "tadachi", "deliver", "sweep"
SENDING = 4  # deliveries at once for each worker
GRACE = timedelta(seconds=5)  # due so long without a queue job: lost
STALE = 60  # seconds without a sign of life after which a queue worker counts as dead
SWEPT_AT_ONCE = 5_000
FORGET = timedelta(days=1)  # workers that have not been seen for so long

#: Not in the queue. One that a worker has taken up and whose lease has run out nevertheless is nobody's.
_IN_NO_HANDS = sa.text("NOT EXISTS (SELECT 1 FROM procrastinate_jobs WHERE queueing_lock = 'deliver:' || job.id AND status = 'todo')")
#: Only describes jobs; it never opens a connection.
_described = procrastinate.App(connector=procrastinate.SyncPsycopgConnector())


def defer(connection: sa.Connection, job_ids: Sequence[int]) -> None:
    """Put due deliveries into the queue, in the caller's transaction."""
    driver = connection.connection.driver_connection
    assert isinstance(driver, psycopg.Connection)
    jobs = [
        Job(id=None, queue=QUEUE, lock=None, queueing_lock=f"{DELIVER}:{number}", task_name=DELIVER, task_kwargs={"job_id": number})
        for number in job_ids
    ]
    _described.job_manager.batch_defer_jobs(jobs, connection=driver)


def sweep(engine: Engine) -> int:
    """Bring back deliveries that are due and in nobody's hands; forget what dead workers left. Returns how many were brought back."""
    now = engine.clock.now()
    with engine.writing() as connection:
        if not connection.scalar(sa.text("SELECT pg_try_advisory_xact_lock(7430002)")):
            return 0  # another worker is at it
        connection.execute(
            sa.text(
                "DELETE FROM procrastinate_jobs WHERE queue_name = :queue AND status <> 'todo' AND (status <> 'doing' OR worker_id IS NULL OR "
                "worker_id IN (SELECT id FROM procrastinate_workers WHERE last_heartbeat < now() - make_interval(secs => :stale)))"
            ),
            {"queue": QUEUE, "stale": STALE},
        )
        lost = sa.select(job.c.id).where(job.c.kind == "deliver", job.c.run_at <= now - GRACE, _IN_NO_HANDS)
        found = connection.scalars(lost.order_by(job.c.run_at, job.c.id).limit(SWEPT_AT_ONCE)).all()
        if found:
            defer(connection, found)
        connection.execute(worker_heartbeat.delete().where(worker_heartbeat.c.seen_at < now - FORGET))
    return len(found)


def run(engine: Engine, stop: Event) -> None:
    """Run deliveries and sweep until `stop` is set; a database that goes away is waited for."""
    logging.getLogger("procrastinate").setLevel(logging.WARNING)  # it tells of every job; what becomes of a delivery stands in its row
    while not stop.is_set():
        try:
            sweep(engine)
            asyncio.run(_run(engine, stop))
        except Exception:
            log.exception("the queue of due deliveries cannot be read; the worker tries again")
            stop.wait(5.0)


async def _run(engine: Engine, stop: Event) -> None:
    given, named = engine.database.dialect.create_connect_args(engine.database.url)
    courier = Courier(engine)
    connector = procrastinate.PsycopgConnector(*given, kwargs=named, min_size=1, max_size=SENDING)
    app = procrastinate.App(connector=connector)

    @app.task(name=DELIVER, queue=QUEUE)
    def deliver(job_id: int) -> None:
        courier.deliver(job_id)

    @app.periodic(cron="* * * * *")
    @app.task(name=SWEEP, queue=QUEUE, queueing_lock=SWEEP)
    def swept(timestamp: int) -> None:
        sweep(engine)

    options: dict[str, Any] = {"queues": [QUEUE], "concurrency": SENDING, "install_signal_handlers": False, "delete_jobs": "always"}
    async with app.open_async():
        worker = asyncio.create_task(app.run_worker_async(**options, fetch_job_polling_interval=15.0, shutdown_graceful_timeout=2.0))
        while not stop.is_set() and not worker.done():
            await asyncio.sleep(0.2)
        worker.cancel()  # it ends the job at hand first
        await asyncio.gather(worker, return_exceptions=True)
