"""Who has drawn at a draft: everybody who saved it, or what it was copied from. None of them may review it."""

from __future__ import annotations

from collections.abc import Iterable

import sqlalchemy as sa

from engine.model import draft_author
from engine.storage import insert_new


def add(connection: sa.Connection, draft_id: int, persons: Iterable[str]) -> None:
    """Keep that these persons have drawn at it."""
    for person in persons:
        connection.execute(insert_new(connection, draft_author), {"draft_id": draft_id, "person": person})


def of(connection: sa.Connection, draft_id: int) -> tuple[str, ...]:
    """Ids of everybody who has."""
    mine = sa.select(draft_author.c.person).where(draft_author.c.draft_id == draft_id)
    return tuple(connection.scalars(mine.order_by(draft_author.c.person)))


__all__ = ["add", "of"]
