"""Cases that time starts: the due instants of a procedure's timer start events, as rows of due work that belong to no case.

One row for each start event, replaced when a new version is deployed. Rounds that passed while no worker ran are made up for by one case
at most. What one instant has started is kept in `timed_start`, so that it starts once whatever clocks and deployments do.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any

import sqlalchemy as sa

from engine.clock import from_micros, to_micros
from engine.definitions import Definitions, effective
from engine.errors import ProcessNotFound
from engine.model import definition, job, timed_start
from engine.net import Timer
from engine.storage import insert_new
from engine.timers import due_instant, first_round
from engine.wakeup import add_jobs

KIND = "start"

#: process id -> start event -> its timer
Timers = Mapping[str, Mapping[str, Timer]]


def key_of(organisation: str, process_id: str, event: str = "") -> str:
    """The job key of a start event; without one, what the keys of all of a procedure begin with."""
    return f"start:{organisation}:{process_id}:{event}"


def next_due(timer: Timer, armed: datetime, after: datetime) -> datetime | None:
    """When a start event of a version that came into force at `armed` is due next, later than `after`."""
    if timer.kind == "cycle":
        return first_round(timer, armed, after)
    due = due_instant(timer, armed, lambda _text: None)
    return due if due is not None and due > after else None


def arm(connection: sa.Connection, organisation: str, timers: Timers, now: datetime, *, opening: bool = False) -> None:
    """Bring the rows of an office's start events in line with the versions in force.

    A round that is due already and waits for a worker stays, as long as its start event is still drawn.

    Args:
        opening: `now` is the instant from which a version is in force; a round due at that very instant counts.
    """
    after = now - timedelta(microseconds=1) if opening else now
    for process_id, events in timers.items():
        mine = job.c.key.startswith(key_of(organisation, process_id), autoescape=True)
        found = connection.execute(sa.select(job).where(job.c.kind == KIND, mine).with_for_update()).mappings().all()
        rows = {row["key"]: row for row in found if row["run_at"] is not None}
        armed = connection.scalar(
            sa.select(sa.func.max(definition.c.in_force_from, type_=definition.c.in_force_from.type)).where(
                definition.c.organisation == organisation, definition.c.process_id == process_id, effective(now)
            )
        )
        wanted = {key_of(organisation, process_id, event) for event in events}
        gone = [row["id"] for row in found if row["key"] not in wanted]
        for event, timer in events.items():
            row = rows.get(key_of(organisation, process_id, event))
            if row is not None and _due_of(json.loads(row["payload"])) <= now:
                continue
            due = next_due(timer, armed or now, after)
            if row is not None and row["run_at"] == due:
                continue
            if row is not None:
                connection.execute(job.delete().where(job.c.id == row["id"]))
            if due is not None:
                add_jobs(connection, [_row(organisation, process_id, event, due)], now)
        if gone:
            connection.execute(job.delete().where(job.c.id.in_(gone)))


def arm_next(connection: sa.Connection, definitions: Definitions, payload: Mapping[str, Any], now: datetime) -> None:
    """After a round: the next one, by the version in force now; none when the start event is drawn no more."""
    organisation, process_id, event = payload["organisation"], payload["process"], payload["event"]
    try:
        found = definitions.in_force(connection, organisation, process_id, now)
    except ProcessNotFound:
        return
    node = next((node for node in found.net.timed_starts if node.element == event), None)
    if node is None or node.event is None or node.event.timer is None:
        return
    armed = connection.scalar(sa.select(definition.c.in_force_from).where(definition.c.id == found.id))
    due = next_due(node.event.timer, armed or now, max(_due_of(payload), now))
    if due is not None:
        held = sa.select(job.c.id).where(
            job.c.kind == KIND, job.c.key == key_of(organisation, process_id, event), job.c.run_at.is_not(None)
        )
        if connection.scalar(held) is None:
            add_jobs(connection, [_row(organisation, process_id, event, due)], now)


def take(connection: sa.Connection, payload: Mapping[str, Any]) -> bool:
    """Whether this round has started nothing yet; from now on it has."""
    return connection.execute(insert_new(connection, timed_start).returning(timed_start.c.event), _round(payload)).first() is not None


def made(connection: sa.Connection, payload: Mapping[str, Any], case_id: int) -> None:
    """Keep which case a round has started."""
    mine = [timed_start.c[name] == value for name, value in _round(payload).items()]
    connection.execute(timed_start.update().where(*mine).values(case_id=case_id))


def _round(payload: Mapping[str, Any]) -> dict[str, Any]:
    return {
        "organisation": payload["organisation"],
        "process_id": payload["process"],
        "event": payload["event"],
        "due_at": _due_of(payload),
    }


def _due_of(payload: Mapping[str, Any]) -> datetime:
    return from_micros(payload["due"])


def _row(organisation: str, process_id: str, event: str, due: datetime) -> dict[str, Any]:
    payload = {"organisation": organisation, "process": process_id, "event": event, "due": to_micros(due)}
    key = key_of(organisation, process_id, event)
    return {"case_id": None, "kind": KIND, "key": key, "run_at": due, "payload": json.dumps(payload, ensure_ascii=False)}
