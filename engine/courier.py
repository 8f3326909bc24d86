"""Deliveries that are due: leased, run outside any transaction, acknowledged. A killed worker's lease runs out, and it goes again with the same id."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

import sqlalchemy as sa

from engine import deliveries
from engine.delivery_rows import LEASE
from engine.model import job
from engine.notices import KIND

if TYPE_CHECKING:
    from engine.service import Engine

AT_ONCE = 20
AWAY = 15.0  # seconds for which a receiver that could not be reached is not asked again


def due(engine: Engine) -> bool:
    """Whether any delivery is due."""
    with engine.reading() as connection:
        return connection.scalar(sa.select(job.c.id).where(job.c.run_at <= engine.clock.now(), job.c.kind == KIND).limit(1)) is not None


def deliver_due(engine: Engine) -> int:
    """Run the deliveries that are due, some at once; returns how many were taken up."""
    now = engine.clock.now()
    with engine.writing() as connection:
        wanted = (
            sa.select(job.c.id)
            .where(job.c.run_at <= now, job.c.kind == KIND)
            .order_by(job.c.run_at, job.c.id)
            .limit(AT_ONCE)
            .with_for_update(skip_locked=True)
        )
        leased = connection.execute(
            job.update()
            .where(job.c.id.in_(wanted))
            .values(run_at=now + LEASE, attempts=job.c.attempts + 1)
            .returning(job.c.id, job.c.attempts, job.c.payload)
        ).all()
    away: dict[str, str] = {}
    for row in sorted(leased, key=lambda row: row.id):  # as they were caused, as far as nothing fails
        if engine.clock.now() >= now + LEASE:
            break  # another worker may have them by now
        deliveries.run(engine, row, away)
    return len(leased)


class Courier:
    """Runs single deliveries by the number of their job, for the queue; remembers for a while which receivers are away."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._away: dict[str, tuple[float, str]] = {}  # channel -> until when, why

    def deliver(self, job_id: int) -> None:
        """Run one delivery if it is still due and nobody else has it."""
        engine, now = self._engine, self._engine.clock.now()
        # One that was never tried is due, whatever this machine's clock says beside that of the machine that wrote it.
        free = sa.or_(job.c.attempts == 0, job.c.run_at <= now)
        with engine.writing() as connection:
            row = connection.execute(
                job.update()
                .where(job.c.id == job_id, job.c.kind == KIND, job.c.run_at.is_not(None), free)
                .values(run_at=now + LEASE, attempts=job.c.attempts + 1)
                .returning(job.c.id, job.c.attempts, job.c.payload)
            ).first()
        if row is None:
            return
        known = {channel: why for channel, (until, why) in list(self._away.items()) if time.monotonic() < until}
        away = dict(known)
        deliveries.run(engine, row, away)
        for channel in away.keys() - known.keys():
            self._away[channel] = (time.monotonic() + AWAY, away[channel])
