"""Who edits a draft now: one person at a time, relieved after a silence. Rows of `draft_lock`, within the caller's transaction."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta

import sqlalchemy as sa

from engine import people
from engine.draft_views import LockShown
from engine.errors import DraftHeld
from engine.forms import japanese_instant
from engine.model import draft_lock
from engine.storage import insert_new
from engine.views import Viewer


def of(connection: sa.Connection, drafts: Sequence[int], viewer: Viewer, silent: timedelta) -> dict[int, LockShown]:
    """Draft id -> who edits it."""
    rows = connection.execute(sa.select(draft_lock).where(draft_lock.c.draft_id.in_(drafts))).mappings().all()
    names = people.names(connection, [row["person"] for row in rows])
    return {
        row["draft_id"]: LockShown(
            row["person"], names.get(row["person"], row["person"]), row["since"], row["seen_at"], row["person"] == viewer.person,
            viewer.at - row["seen_at"] >= silent,
        )
        for row in rows
    }  # fmt: skip


def require(connection: sa.Connection, draft_id: int, viewer: Viewer) -> None:
    """Hold a draft that nobody holds; raises DraftHeld when somebody else does."""
    hold(connection, draft_id, viewer, timedelta.max, take=True)


def hold(connection: sa.Connection, draft_id: int, viewer: Viewer, silent: timedelta, *, take: bool) -> str | None:
    """Take a free draft, go on holding one's own, or (take) relieve somebody silent; returns the name of who was relieved.

    Somebody else's draft is left alone without `take`.

    Raises:
        DraftHeld: with `take`, when whoever holds it was heard of lately.
    """
    values = {"draft_id": draft_id, "person": viewer.person, "since": viewer.at, "seen_at": viewer.at}
    connection.execute(insert_new(connection, draft_lock), values)
    row = connection.execute(sa.select(draft_lock).where(draft_lock.c.draft_id == draft_id).with_for_update()).mappings().one()
    mine = draft_lock.update().where(draft_lock.c.draft_id == draft_id)
    if row["person"] == viewer.person:
        connection.execute(mine.values(seen_at=viewer.at))
        return None
    if not take:
        return None
    name: str = people.names(connection, [row["person"]]).get(row["person"]) or row["person"]
    if viewer.at - row["seen_at"] < silent:
        raise DraftHeld(draft=draft_id, person=name, at=japanese_instant(row["since"].isoformat()))
    connection.execute(mine.values(person=viewer.person, since=viewer.at, seen_at=viewer.at))
    return name


def release(connection: sa.Connection, draft_id: int, viewer: Viewer) -> None:
    """Let go of one's own."""
    connection.execute(draft_lock.delete().where(draft_lock.c.draft_id == draft_id, draft_lock.c.person == viewer.person))


__all__ = ["hold", "of", "release", "require"]
