"""The end of an account: at once, with every session, and with what the person held; open work stays with the seats."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any

import sqlalchemy as sa

from engine import accounts, history, people
from engine.clock import civil_day
from engine.model import deputy, holding, person
from engine.orders import after_posts_change
from engine.organisation import Organisation


def end_account(
    connection: sa.Connection,
    office: Organisation,
    person_id: str,
    at: datetime,
    by: str,
    reason: str,
    told: Mapping[str, Any] | None = None,
) -> bool:
    """End an account of an office; False when there is none that is open.

    Args:
        told: what the record says besides, such as the case that decided it.
    """
    row = connection.execute(
        sa.select(person.c.name).where(person.c.id == person_id, person.c.organisation == office.id, people.account_open()),
        {"on_day": civil_day(at)},
    ).first()
    if row is None:
        return False
    connection.execute(person.update().where(person.c.id == person_id).values(disabled_at=at))
    accounts.end_sessions_of(connection, person_id, at)
    yesterday = civil_day(at) - timedelta(days=1)
    for table, mine in (
        (holding, holding.c.person == person_id),
        (deputy, sa.or_(deputy.c.person == person_id, deputy.c.principal == person_id)),
    ):
        for fact in connection.execute(sa.select(table).where(mine, table.c.superseded_at.is_(None))).mappings().all():
            if fact["valid_to"] is None or fact["valid_to"] > yesterday:
                people.end_row(connection, table, fact, yesterday, at, by)
    data = {"name": row.name, "person": person_id, "reason": reason, **(told or {})}
    history.append_to_organisation(connection, office.id, history.Entry("person.ended", at, by, data=data))
    after_posts_change(connection, office.id, at)
    return True


def accounts_in(connection: sa.Connection, office: Organisation, unit_id: str, at: datetime) -> list[dict[str, str]]:
    """The open accounts with a seat in a unit today, for its manager to look through: person, name, seats, last sign-in."""
    on = civil_day(at)
    mine = holding.c.seat.like(f"%@{unit_id}")
    rows = connection.execute(
        sa.select(person.c.id, person.c.name, holding.c.seat, holding.c.kind)
        .join(holding, holding.c.person == person.c.id)
        .where(holding.c.organisation == office.id, mine, people.in_period(holding), people.account_open())
        .order_by(person.c.id, holding.c.id),
        {"on_day": on},
    ).all()
    found: dict[str, dict[str, str]] = {}
    for row in rows:
        if row.seat.partition("@")[2] != unit_id:  # LIKE takes an underscore for any letter
            continue
        seat = f"{office.seat_name(row.seat)}（{people.HOLDING_KINDS[row.kind]}）"
        line = found.setdefault(row.id, {"person": row.id, "name": row.name, "seats": ""})
        line["seats"] = "、".join(part for part in (line["seats"], seat) if part)
    return list(found.values())
