"""Whether who has claimed a step may still do it: a claim does not outlive the standing it was made from."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import Any

import sqlalchemy as sa

from engine import access, people, standing
from engine.clock import civil_day
from engine.errors import PersonNotFound
from engine.model import bar
from engine.organisation import PERSON, Organisation


def lapsed(connection: sa.Connection, office: Organisation, rows: Iterable[Mapping[Any, Any]], at: datetime) -> frozenset[int]:
    """Ids of those tasks whose claimer may not do them any more.

    Holders and their deputies are found together; only for a claimer who is neither (in turn, by 代決, or gone) is his standing computed.
    """
    claimed = [row for row in rows if row["claimed_by"] and not row["seat"].startswith(PERSON)]
    if not claimed:
        return frozenset()
    on = civil_day(at)
    behind = {(holder.seat, holder.person) for holder in people.holders(connection, office, {row["seat"] for row in claimed}, on)}
    query = sa.select(bar.c.task_id, bar.c.person).where(bar.c.task_id.in_([row["id"] for row in claimed]), bar.c.lifted_at.is_(None))
    kept = {(row.task_id, row.person) for row in connection.execute(query)}
    return frozenset(
        row["id"]
        for row in claimed
        if (row["id"], row["claimed_by"]) in kept
        or ((row["seat"], row["claimed_by"]) not in behind and not _stands(connection, office, row, at))
    )


def _stands(connection: sa.Connection, office: Organisation, row: Mapping[Any, Any], at: datetime) -> bool:
    try:
        claimer = standing.viewer_of(connection, {office.id: office}, row["claimed_by"], at)
    except PersonNotFound:
        return False
    return bool(access.standings(claimer, row)) and row["id"] not in claimer.barred
