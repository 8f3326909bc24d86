"""Stopped steps: work of a case that failed and waits for its next try, as rows of due work, and who looks after them."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

import sqlalchemy as sa

from engine.clock import civil_day, from_micros, to_micros
from engine.model import Row, case_file, job
from engine.notices import Told
from engine.organisation import Organisation

#: The kind of their rows in `job`. A row lives as long as the wait: `attempts` counts every try, `error` says why the last one failed.
KIND = "service"
#: After each automatic try that failed, how long until the next; after the last span there is none (`run_at` is NULL).
TRY_AGAIN_AFTER = (timedelta(minutes=1), timedelta(minutes=5), timedelta(minutes=15), timedelta(hours=1), timedelta(hours=6))
#: The role that looks after an installation; it sees no case.
ADMINISTRATOR = "administrator"


@dataclass(frozen=True)
class StoppedStep:
    """A stopped step as administrators see it: nothing of the case but its number and the step's name.

    Attributes:
        next_try: None when it is not tried again by itself.
    """

    id: int
    organisation: str
    number: str
    step: str
    since: datetime
    attempts: int
    tried_at: datetime
    reason: str
    next_try: datetime | None


def key_of(wait_key: str) -> str:
    """The job key of a wait: what a timer's is, as no two waits of a case share one."""
    return f"wait:{wait_key}"


def first_row(case_id: int, wait_key: str, name: str, reason: str, now: datetime) -> dict[str, Any]:
    """The row of work that failed for the first time."""
    payload = {"wait": wait_key, "step": name, "since": to_micros(now), "tried": to_micros(now), "automatic": 1}
    return {
        "case_id": case_id,
        "kind": KIND,
        "key": key_of(wait_key),
        "run_at": now + TRY_AGAIN_AFTER[0],
        "attempts": 1,
        "payload": json.dumps(payload, ensure_ascii=False),
        "error": reason,
    }


def next_row(row: Row, reason: str, now: datetime, *, by_hand: bool) -> dict[str, Any]:
    """The row after a further try that failed. One by hand counts, but leaves the automatic ones as they were due."""
    payload = json.loads(row["payload"])
    payload["tried"] = to_micros(now)
    run_at = row["run_at"]
    if not by_hand:
        payload["automatic"] += 1
        tried = payload["automatic"]
        run_at = now + TRY_AGAIN_AFTER[tried - 1] if tried <= len(TRY_AGAIN_AFTER) else None
    changed = {"run_at": run_at, "attempts": row["attempts"] + 1, "payload": json.dumps(payload, ensure_ascii=False), "error": reason}
    return {**row, **changed}


def warning(case_id: int, key: str, step: str, organisation: Organisation, now: datetime) -> Told:
    """What administrators are told, once, when work is not tried again by itself."""
    return Told(f"case:{case_id}:{key}:stopped", "service_stopped", administrators(organisation, now), step)


def administrators(organisation: Organisation, now: datetime) -> tuple[str, ...]:
    """The administrators' seats today."""
    return tuple(seat for seat in organisation.seats(civil_day(now)) if seat.partition("@")[0] == ADMINISTRATOR)


def steps(connection: sa.Connection, organisation: str | None) -> tuple[StoppedStep, ...]:
    """Every stopped step of an office, or of the installation; the longest stopped first."""
    columns = (job.c.id, job.c.run_at, job.c.attempts, job.c.payload, job.c.error, case_file.c.number, case_file.c.organisation)
    query = sa.select(*columns).join(case_file, case_file.c.id == job.c.case_id).where(job.c.kind == KIND)
    if organisation is not None:
        query = query.where(case_file.c.organisation == organisation)
    found = [_shown(row) for row in connection.execute(query).mappings()]
    return tuple(sorted(found, key=lambda step: (step.since, step.id)))


def of_case(connection: sa.Connection, case_id: int) -> tuple[tuple[str, datetime], ...]:
    """(step, since when) of a case's stopped steps: what everyone who sees the case may know."""
    rows = connection.scalars(sa.select(job.c.payload).where(job.c.case_id == case_id, job.c.kind == KIND).order_by(job.c.id))
    return tuple((data["step"], from_micros(data["since"])) for data in map(json.loads, rows))


def _shown(row: Mapping[Any, Any]) -> StoppedStep:
    data = json.loads(row["payload"])
    return StoppedStep(
        row["id"], row["organisation"], row["number"], data["step"], from_micros(data["since"]), row["attempts"],
        from_micros(data["tried"]), row["error"] or "", row["run_at"],
    )  # fmt: skip
