"""How an installation does: whether it is ready, and the numbers that supervision draws; nothing about what a case holds."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING

import sqlalchemy as sa

from engine import schema
from engine.model import delivery, job, worker_heartbeat

if TYPE_CHECKING:
    from engine.service import Engine

#: Seconds without a sign of life after which a worker counts as gone; it gives one every 15.
WORKER_GONE = 60.0


@dataclass(frozen=True)
class Worker:
    """A worker as its last sign of life shows it.

    Attributes:
        age: seconds since then, by this machine's clock; below zero when the worker's is ahead.
        ahead: seconds its clock was ahead of the database's; None where both are one machine's.
    """

    name: str
    age: float
    ahead: float | None

    @property
    def alive(self) -> bool:
        """Whether it was seen lately, by whichever clock."""
        return abs(self.age) < WORKER_GONE


@dataclass(frozen=True)
class Readiness:
    """Whether requests can be served and deadlines are watched; each part by itself."""

    database: bool
    schema: bool
    worker: bool

    @property
    def ready(self) -> bool:
        """Whether all of it is so."""
        return self.database and self.schema and self.worker


@dataclass(frozen=True)
class Measures:
    """Numbers of this moment. `waiting`, `due`, `failed` by kind of due work; `deliveries` by channel (all webhooks are one) and state.

    Attributes:
        late: seconds for which the oldest due work has been due, by kind.
        dead: due work that is not tried again by itself.
    """

    waiting: Mapping[str, int]
    due: Mapping[str, int]
    late: Mapping[str, float]
    failed: Mapping[str, int]
    dead: Mapping[str, int]
    deliveries: Mapping[tuple[str, str], int]
    workers: tuple[Worker, ...]


def workers(connection: sa.Connection, now: datetime) -> tuple[Worker, ...]:
    """Every worker that has not said goodbye."""
    rows = connection.execute(sa.select(worker_heartbeat).order_by(worker_heartbeat.c.worker)).all()
    return tuple(
        Worker(row.worker, (now - row.seen_at).total_seconds(), row.ahead / 1e6 if row.ahead is not None else None) for row in rows
    )


def readiness(engine: Engine) -> Readiness:
    """Whether the database answers, has this version's tables, and a worker lives."""
    try:
        with engine.reading() as connection:
            fits = schema.is_current(connection)
            alive = fits and any(worker.alive for worker in workers(connection, engine.clock.now()))
    except sa.exc.SQLAlchemyError:
        return Readiness(False, False, False)
    return Readiness(True, fits, alive)


def measures(engine: Engine) -> Measures:
    """The numbers of this moment, in a few queries over indexes and the small tables of due work."""
    now = engine.clock.now()
    count = sa.func.count()
    with engine.reading() as connection:
        by_kind = {
            name: {
                kind: int(number)
                for kind, number in connection.execute(sa.select(job.c.kind, count).where(which).group_by(job.c.kind)).all()
            }
            for name, which in {
                "waiting": job.c.run_at > now,
                "due": job.c.run_at <= now,
                "failed": sa.and_(job.c.error.is_not(None), job.c.run_at.is_not(None)),
                "dead": job.c.run_at.is_(None),
            }.items()
        }
        oldest = sa.select(job.c.kind, sa.func.min(job.c.run_at, type_=job.c.run_at.type)).where(job.c.run_at <= now).group_by(job.c.kind)
        late = {kind: (now - since).total_seconds() for kind, since in connection.execute(oldest).all()}
        channel = sa.case((delivery.c.event.is_not(None), sa.literal("webhook")), else_=delivery.c.channel).label("way")
        by_way = sa.select(channel, delivery.c.state, count).group_by(sa.literal_column("way"), delivery.c.state)
        ways = {(way, state): int(number) for way, state, number in connection.execute(by_way).all()}
        return Measures(**by_kind, late=late, deliveries=ways, workers=workers(connection, now))
