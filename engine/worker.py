"""The worker: runs due work as it becomes due, shows that it lives, and stops between two transactions when it is told to."""

from __future__ import annotations

import logging
import sys
import time
from threading import Event, Thread
from typing import TYPE_CHECKING

import sqlalchemy as sa

from engine import courier, digest, jobs
from engine.clock import to_micros
from engine.model import worker_heartbeat
from engine.storage import take_over_log, write_in_the_background
from engine.wakeup import LOOK, Listening, Pausing, Waiting

if TYPE_CHECKING:
    from engine.service import Engine

log = logging.getLogger(__name__)

POLL = 1.0  # seconds between looks where nobody tells of due work
BEAT = 15.0  # seconds between two signs of life
TAKE_OVER = 2.0  # seconds between two times that SQLite's log is taken over into the database
HELD = 0.05  # seconds until the next look when what is due is in somebody else's hands
#: SQLite: a short sleep after each commit lets a waiting web request have the database, which asks three times a millisecond (engine/storage.py).
YIELD = 0.01
#: Seconds after which one thread lets another go on. With Python's own five thousandths, a transaction that comes back from each of its
#: statements would wait so long for the thread that sends, and people for the transaction.
SWITCH = 0.0005
#: Seconds that what is being sent may still take when the worker is told to stop.
LAST_DELIVERY = 3.0


def run_forever(engine: Engine, stop: Event, name: str) -> None:
    """Run due work until `stop` is set. Deliveries go out beside it: a receiver that hangs holds up no timer."""
    postgresql = engine.database.dialect.name == "postgresql"
    sys.setswitchinterval(SWITCH)
    write_in_the_background()
    waiting: Waiting = Listening(engine.database) if postgresql else Pausing(POLL)
    sending = Thread(target=_queue if postgresql else _deliveries, args=(engine, stop), name="deliveries", daemon=True)
    sending.start()
    beat, orderly, busy = time.monotonic(), time.monotonic() + TAKE_OVER, False
    while not stop.is_set():
        try:
            if time.monotonic() >= beat:
                _beat(engine, name)
                digest.arm(engine)
                beat = time.monotonic() + BEAT
            if not postgresql and time.monotonic() >= orderly:
                take_over_log(engine.database)
                orderly = time.monotonic() + TAKE_OVER
            if not busy and (pause := _until_due(engine)) > 0:
                waiting.wait(min(pause, LOOK, max(0.0, beat - time.monotonic())), stop)
                continue
            busy = jobs.run_some(engine) > 0
            if not busy:
                stop.wait(HELD)
            elif not postgresql:
                stop.wait(YIELD)
        except Exception:  # a database that does not answer, above all; a worker that ended would let every deadline pass unnoticed
            log.exception("due work could not be run; the worker tries again")
            busy = False
            stop.wait(POLL)
    sending.join(LAST_DELIVERY)
    waiting.close()
    _retire(engine, name)


def _until_due(engine: Engine) -> float:
    """Seconds until something but a delivery is due."""
    due = jobs.next_due(engine)
    return LOOK if due is None else (due - engine.clock.now()).total_seconds()


def _deliveries(engine: Engine, stop: Event) -> None:
    """SQLite: look for due deliveries every second."""
    write_in_the_background()
    while not stop.is_set():
        done = 0
        try:
            if courier.due(engine):
                done = courier.deliver_due(engine)
        except Exception:
            log.exception("due deliveries could not be run; the worker tries again")
        stop.wait(YIELD if done else POLL)


def _queue(engine: Engine, stop: Event) -> None:
    """PostgreSQL: the queue hands them out."""
    from engine import queue  # only here: an installation on SQLite does without the library

    queue.run(engine, stop)


def _beat(engine: Engine, name: str) -> None:
    """Show that this worker lives, and how far its clock is ahead of the database's."""
    with engine.writing() as connection:
        now, ahead = engine.clock.now(), None
        if connection.dialect.name == "postgresql":
            ahead = to_micros(now) - int(connection.scalar(DATABASE_CLOCK) or 0)
        seen = {"seen_at": now, "ahead": ahead}
        updated = connection.execute(worker_heartbeat.update().where(worker_heartbeat.c.worker == name).values(seen))
        if updated.rowcount == 0:
            connection.execute(worker_heartbeat.insert().values(worker=name, **seen))


#: Microseconds since 1970 by PostgreSQL's clock.
DATABASE_CLOCK = sa.text("SELECT (extract(epoch FROM clock_timestamp()) * 1000000)::bigint")


def _retire(engine: Engine, name: str) -> None:
    """A worker that was told to stop is not missed."""
    try:
        with engine.writing() as connection:
            connection.execute(worker_heartbeat.delete().where(worker_heartbeat.c.worker == name))
    except sa.exc.SQLAlchemyError:
        log.warning("the worker's heartbeat stays behind: the database does not answer")
