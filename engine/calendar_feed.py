"""A person's deadlines as an iCalendar (RFC 5545) at an address with a token: number and step only, in Japanese civil time."""

from __future__ import annotations

import hashlib
import secrets
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

import sqlalchemy as sa

from engine import standing
from engine.clock import JST, civil_day
from engine.errors import FeedNotFound
from engine.model import FAR_FUTURE, calendar_feed, case_file, person, statutory_clock, task
from engine.people import account_open
from engine.sight import cases_of, tasks_of
from engine.views import Viewer

if TYPE_CHECKING:
    from engine.service import Engine

MOST_ENTRIES = 1_000
BEFORE = timedelta(minutes=30)  # an entry ends at its deadline; one of no length is hidden by many programs


@dataclass(frozen=True)
class Entry:
    """One deadline."""

    uid: str
    due_at: datetime
    title: str
    link: str


class CalendarFeeds:
    """`Engine.calendar` hands it out."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    def create(self, viewer: Viewer) -> str:
        """A new address, told now and never again; the one before is revoked."""
        token = secrets.token_urlsafe(32)
        with self._engine.writing() as connection:
            self._revoke(connection, viewer)
            connection.execute(calendar_feed.insert().values(token=_hash(token), person=viewer.person, created_at=viewer.at))
        return f"{self._engine.settings.base_url}/calendar/{token}.ics"

    def revoke(self, viewer: Viewer) -> None:
        """Let the viewer's address answer no more."""
        with self._engine.writing() as connection:
            self._revoke(connection, viewer)

    def _revoke(self, connection: sa.Connection, viewer: Viewer) -> None:
        mine = sa.and_(calendar_feed.c.person == viewer.person, calendar_feed.c.revoked_at.is_(None))
        connection.execute(calendar_feed.update().where(mine).values(revoked_at=viewer.at))

    def read(self, token: str) -> str:
        """The calendar of a token; raises FeedNotFound."""
        engine, now = self._engine, self._engine.clock.now()
        with engine.reading() as connection:
            engine.organisations.refresh(connection, now)
            query = sa.select(calendar_feed.c.person).join(person, person.c.id == calendar_feed.c.person)
            query = query.where(calendar_feed.c.token == _hash(token), calendar_feed.c.revoked_at.is_(None), account_open())
            who = connection.scalar(query, {"on_day": civil_day(now)})
            if who is None:
                raise FeedNotFound()
            viewer = standing.viewer_of(connection, engine.organisations, who, now)
            return written(self._entries(connection, viewer), now)

    def _entries(self, connection: sa.Connection, viewer: Viewer) -> list[Entry]:
        base, host = self._engine.settings.base_url, self._engine.settings.host
        steps = connection.execute(
            sa.select(task.c.id, task.c.name, task.c.due_at, case_file.c.number)
            .join(case_file, case_file.c.id == task.c.case_id)
            .where(tasks_of(viewer), task.c.due_at != FAR_FUTURE)
            .order_by(task.c.due_at, task.c.id)
            .limit(MOST_ENTRIES)
        )
        found = [Entry(f"task-{row.id}@{host}", row.due_at, f"{row.number} {row.name}", f"{base}/tasks/{row.id}") for row in steps]
        clocks = connection.execute(
            sa.select(statutory_clock, case_file.c.number)
            .join(case_file, case_file.c.id == statutory_clock.c.case_id)
            .where(
                cases_of(viewer), case_file.c.state == "open", statutory_clock.c.met_at.is_(None), statutory_clock.c.stopped_at.is_(None)
            )
            .order_by(statutory_clock.c.due_at, statutory_clock.c.id)
            .limit(MOST_ENTRIES)
        )
        return found + [
            Entry(f"clock-{row.id}@{host}", row.due_at, f"{row.number} {row.name}", f"{base}/cases/{row.case_id}") for row in clocks
        ]


def _hash(token: str) -> str:
    return hashlib.sha256(token.encode("utf-8", "surrogatepass")).hexdigest()


# ---------------------------------------------------------------- RFC 5545


def written(entries: Iterable[Entry], now: datetime) -> str:
    """The calendar's text. A deadline at midnight is 24:00 of the day before: it becomes a whole day, else it would be read a day late."""
    lines = [
        "BEGIN:VCALENDAR", "VERSION:2.0", "PRODID:-//Tadachi//JA", "CALSCALE:GREGORIAN", "METHOD:PUBLISH", "X-WR-CALNAME:Tadachi 期限",
        "BEGIN:VTIMEZONE", "TZID:Asia/Tokyo", "BEGIN:STANDARD", "DTSTART:19700101T000000", "TZOFFSETFROM:+0900", "TZOFFSETTO:+0900", "TZNAME:JST",
        "END:STANDARD", "END:VTIMEZONE",
    ]  # fmt: skip
    for entry in entries:
        due = entry.due_at.astimezone(JST)
        if (due.hour, due.minute) == (0, 0):
            when = [f"DTSTART;VALUE=DATE:{due.date() - timedelta(days=1):%Y%m%d}", f"DTEND;VALUE=DATE:{due.date():%Y%m%d}"]
        else:
            when = [f"DTSTART;TZID=Asia/Tokyo:{due - BEFORE:%Y%m%dT%H%M%S}", f"DTEND;TZID=Asia/Tokyo:{due:%Y%m%dT%H%M%S}"]
        stamp = f"DTSTAMP:{now.astimezone(UTC):%Y%m%dT%H%M%SZ}"
        lines += [
            "BEGIN:VEVENT",
            f"UID:{entry.uid}",
            stamp,
            *when,
            f"SUMMARY:{escaped(entry.title)}",
            f"URL:{entry.link}",
            "TRANSP:TRANSPARENT",
            "END:VEVENT",
        ]
    return "".join(folded(line) + "\r\n" for line in [*lines, "END:VCALENDAR"])


def escaped(text: str) -> str:
    """A text value."""
    for plain, written_ in (("\\", "\\\\"), (";", "\\;"), (",", "\\,"), ("\n", "\\n")):
        text = text.replace(plain, written_)
    return text.replace("\r", "")


def folded(line: str) -> str:
    """A line in parts of at most 75 bytes, no letter cut through."""
    parts, size = [""], 0
    for letter in line:
        width = len(letter.encode())
        if size + width > 75:
            parts.append(" ")
            size = 1
        parts[-1] += letter
        size += width
    return "\r\n".join(parts)
