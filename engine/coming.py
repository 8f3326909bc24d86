"""Versions that come into force: at once with their approval, or as due work at their instant, when the starts that time brings about change over."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from datetime import datetime
from typing import TYPE_CHECKING, Any

import sqlalchemy as sa

from engine import history, people, starts
from engine.clock import from_micros, to_micros
from engine.definitions import examine_bundle, timers_of
from engine.model import definition
from engine.wakeup import add_jobs

if TYPE_CHECKING:
    from engine.service import Engine

KIND = "version"


def key_of(definition_id: int) -> str:
    """The job key of a version that has its day before it."""
    return f"version:{definition_id}"


def take_effect(engine: Engine, connection: sa.Connection, definition_id: int, now: datetime) -> None:
    """Let an approved version's timer starts begin: now when it is in force, else when its instant comes."""
    row = connection.execute(sa.select(definition).where(definition.c.id == definition_id)).mappings().one()
    since: datetime = row["in_force_from"]
    if since > now:
        payload = json.dumps({"definition": definition_id, "at": to_micros(since)})
        job = {"case_id": None, "kind": KIND, "key": key_of(definition_id), "run_at": since, "payload": payload}
        add_jobs(connection, [job], now)
        return
    _arm(engine, connection, row, now)


def run(engine: Engine, connection: sa.Connection, payload: Mapping[str, Any]) -> None:
    """The instant of a version has come. However late a worker is, its starts are armed as of that instant."""
    row = connection.execute(sa.select(definition).where(definition.c.id == payload["definition"])).mappings().one()
    if row["cancelled_at"] is not None:
        return
    _arm(engine, connection, row, from_micros(payload["at"]), opening=True)
    data = {"name": row["name"], "process": row["process_id"], "number": row["version"]}
    entry = history.Entry("definition.in_force", engine.clock.now(), people.SYSTEM, definition=row["id"], data=data)
    history.append_to_organisation(connection, row["organisation"], entry)


def unfit(engine: Engine) -> Iterator[tuple[str, int, datetime, str]]:
    """(name, number, instant, why) of approved versions that the office's folder as it is now would refuse; why is "" where it would not."""
    with engine.reading() as connection:
        rows = connection.execute(
            sa.select(definition).where(definition.c.in_force_from > engine.clock.now(), definition.c.cancelled_at.is_(None))
        ).mappings().all()  # fmt: skip
    for row in rows:
        if row["organisation"] in engine.organisations:
            files = {name: text.encode() for name, text in json.loads(row["bundle"]).items()}
            findings = examine_bundle(row["process_id"], files, engine.organisations[row["organisation"]])[2]
            why = next((finding.message for finding in findings if finding.severity == "error"), "")
            yield row["name"], row["version"], row["in_force_from"], why


def _arm(engine: Engine, connection: sa.Connection, row: Mapping[Any, Any], at: datetime, *, opening: bool = False) -> None:
    timers = {row["process_id"]: timers_of(engine.definitions.get(connection, row["id"]).net)}
    starts.arm(connection, row["organisation"], timers, at, opening=opening)


__all__ = ["KIND", "key_of", "run", "take_effect", "unfit"]
