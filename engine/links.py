"""One-time links of outside parties as rows: which state they are in, which of them a token opens, and who may keep them."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from datetime import datetime, timedelta

import sqlalchemy as sa

from engine import access, people
from engine.errors import LinkNotUsable
from engine.model import Row, outside_link, task
from engine.moves import Move
from engine.organisation import Organisation
from engine.outside_views import LinkShown
from engine.views import SeatHeld, Viewer

#: How long a party may leave its pages alone before it needs a new link.
IDLE = timedelta(minutes=60)
#: How often the last use of a session is written.
TOUCH_EVERY = timedelta(minutes=1)
LONGEST_DAYS = 30
#: Refused attempts after which a session ends: somebody tries what the pages do not offer.
MOST_REFUSED = 100
#: Links of a case, or of a seat for cases not yet started, that can be in use at a time.
MOST_LIVE = 20
STATES = {"unused": "未使用", "in_use": "使用中", "ended": "終了", "expired": "期限切れ", "revoked": "取消"}
LIVE = ("unused", "in_use")


def digest(token: str) -> str:
    """What the table keeps of a token."""
    return hashlib.sha256(token.encode("utf-8", "surrogatepass")).hexdigest()


def actor_of(row: Row) -> str:
    """Under which id the record keeps what is done through a link: all links of a party in a case are one person."""
    return f"{people.LINK}{row['thread'] or row['id']}"


def state_of(row: Row, now: datetime) -> str:
    """unused, in_use, ended, expired or revoked."""
    if row["revoked_at"] is not None:
        return "revoked"
    if row["ended_at"] is not None:
        return "ended"
    if row["expires_at"] <= now:
        return "expired"
    if row["opened_at"] is None:
        return "unused"
    return "in_use" if now - row["seen_at"] <= IDLE else "ended"


def shown(connection: sa.Connection, rows: Iterable[Row], viewer: Viewer, office: Organisation) -> tuple[LinkShown, ...]:
    """Links in words, the newest first."""
    rows = list(rows)
    names = people.names(connection, [row["issued_by"] for row in rows])
    found = []
    for row in sorted(rows, key=lambda row: -int(row["id"])):
        state = state_of(row, viewer.at)
        found.append(
            LinkShown(
                row["id"], row["party"], state, STATES[state], office.seat_name(row["seat"]), names.get(row["issued_by"], ""),
                row["issued_at"], row["expires_at"], row["opened_at"], row["shares"], state in LIVE,
            )
        )  # fmt: skip
    return tuple(found)


def unopened(connection: sa.Connection, token: str, now: datetime, *, lock: bool = False) -> Row:
    """The link of an address that nobody has exchanged yet.

    Raises:
        LinkNotUsable: for every other address, whatever is wrong with it.
    """
    query = sa.select(outside_link).where(outside_link.c.token == digest(token))
    row = connection.execute(query.with_for_update() if lock else query).mappings().first()
    if row is None or state_of(row, now) != "unused":
        raise LinkNotUsable()
    return row


def in_session(connection: sa.Connection, session: str, now: datetime, *, lock: bool = False) -> Row:
    """The link whose session a cookie's token stands for.

    Raises:
        LinkNotUsable: there is none, or it has ended.
    """
    query = sa.select(outside_link).where(outside_link.c.session == digest(session))
    row = connection.execute(query.with_for_update() if lock else query).mappings().first()
    if row is None or state_of(row, now) != "in_use":
        raise LinkNotUsable()
    return row


def keepers(connection: sa.Connection, case_id: int, move: Move) -> frozenset[str]:
    """The seats that may issue and revoke links in a case: those of its steps for the party, drawn or open."""
    nodes = [node for node in move.definition.net.nodes if node.by_link]
    drawn = {seat for node in nodes for group in node.candidate_groups if (seat := move.seat_or_none(group)) is not None}
    query = sa.select(task.c.seat).where(task.c.case_id == case_id, task.c.state == "open", task.c.node.in_([node.id for node in nodes]))
    return frozenset(drawn) | frozenset(connection.scalars(query))


def starters(viewer: Viewer, process: str, groups: Iterable[str]) -> tuple[SeatHeld, ...]:
    """The viewer's seats from which a case of a procedure may be started, the plainest first; any seat when the start names no roles."""
    roles = {group.partition("@")[0] for group in groups}
    found = [held for held in access.usable(viewer, process) if held.kind != "person"]
    found = [held for held in found if not roles or held.seat.partition("@")[0] in roles]
    return tuple(sorted(found, key=lambda held: (not held.own, held.kind != "main")))
