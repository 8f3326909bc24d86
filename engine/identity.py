"""Which person here an identity of a sign-in source stands for: the one place that turns (source, subject) into a person id."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import date, datetime

import sqlalchemy as sa

from engine import accounts, history
from engine.errors import AccountEnded, IdentityInvalid, IdentityNotFound, IdentityTaken, IdentityUnknown, PersonNotFound, TadachiError
from engine.model import identity, person, storable
from engine.people import SYSTEM, account_open

SOURCE = re.compile(r"[a-z0-9_-]{1,60}")
LONGEST_SUBJECT = 255
#: The source under which it is kept whose entry here follows the directory of people; the subject is the person id.
DIRECTORY = "directory"


@dataclass(frozen=True)
class Link:
    """An identity linked with a person."""

    source: str
    subject: str
    person: str
    linked_at: datetime
    linked_by: str


def person_for(connection: sa.Connection, source: str, subject: str) -> str | None:
    """The person an identity stands for, whether the account is open or not; None when nobody is linked."""
    if not _storable(source, subject):
        return None
    found = sa.select(identity.c.person).where(identity.c.source == source, identity.c.subject == subject)
    return connection.scalar(found)


def link(
    connection: sa.Connection, person_id: str, source: str, subject: str, at: datetime, by: str, organisation: str | None = None
) -> None:
    """Let an identity stand for a person, with a row in the office's history.

    Args:
        organisation: the only office whose people may be linked; None for any.

    Raises:
        IdentityInvalid: a source or subject that cannot be stored.
        PersonNotFound: no such person there.
        IdentityTaken: the identity stands for somebody already.
    """
    if not _storable(source, subject) or (source == DIRECTORY and subject != person_id):
        raise IdentityInvalid(source=source, subject=subject)
    office = connection.scalar(sa.select(person.c.organisation).where(person.c.id == person_id))
    if office is None or organisation not in (None, office):
        raise PersonNotFound(person=person_id)
    # The office's history row comes first: its counter is the lock that keeps two links of one identity apart on PostgreSQL.
    data = {"person": person_id, "source": source, "subject": subject}
    history.append_to_organisation(connection, office, history.Entry("identity.linked", at, by, data=data))
    try:
        with connection.begin_nested():
            connection.execute(identity.insert().values(source=source, subject=subject, person=person_id, linked_at=at, linked_by=by))
    except sa.exc.IntegrityError:
        raise IdentityTaken(source=source, subject=subject, person=person_for(connection, source, subject)) from None


def unlink(connection: sa.Connection, source: str, subject: str, at: datetime, by: str, organisation: str | None = None) -> str:
    """Let an identity stand for nobody any more; returns the person it stood for, who keeps the account but is signed out.

    Args:
        organisation: as for `link`.

    Raises:
        IdentityNotFound: nobody there is linked.
    """
    known = person_for(connection, source, subject)
    office = connection.scalar(sa.select(person.c.organisation).where(person.c.id == known)) if known is not None else None
    if known is None or office is None or organisation not in (None, office):
        raise IdentityNotFound(source=source, subject=subject)
    connection.execute(identity.delete().where(identity.c.source == source, identity.c.subject == subject))
    if source != DIRECTORY:  # sessions do not know how they were opened
        accounts.end_sessions_of(connection, known, at)
    data = {"person": known, "source": source, "subject": subject}
    history.append_to_organisation(connection, office, history.Entry("identity.unlinked", at, by, data=data))
    return known


def links_of(connection: sa.Connection, person_id: str) -> tuple[Link, ...]:
    """Every identity that stands for a person, oldest first."""
    found = sa.select(identity).where(identity.c.person == person_id).order_by(identity.c.linked_at, identity.c.source, identity.c.subject)
    return tuple(Link(row.source, row.subject, row.person, row.linked_at, row.linked_by) for row in connection.execute(found))


@dataclass(frozen=True)
class Vouched:
    """Whom a source vouched for: the person (empty when unknown), the office that is told, and the refusal if there is one."""

    person: str
    organisation: str | None
    refused: TadachiError | None


def recognise(connection: sa.Connection, source: str, subject: str, on: date, *, as_id: bool) -> Vouched:
    """Who an identity is here, and whether the account is open on a day.

    Args:
        as_id: the subject may be a person id itself when it is not linked.
    """
    who = person_for(connection, source, subject)
    if who is None and as_id:
        who = connection.scalar(sa.select(person.c.id).where(person.c.id == subject))
    row = None
    if who is not None:
        query = sa.select(person.c.organisation, account_open().label("open")).where(person.c.id == who)
        row = connection.execute(query, {"on_day": on}).first()
    if who is None or row is None:
        return Vouched("", None, IdentityUnknown(source=source, subject=subject))
    return Vouched(who, row.organisation, None if row.open else AccountEnded(person=who))


def record(connection: sa.Connection, office: str, source: str, subject: str, found: Vouched, at: datetime) -> None:
    """Write a sign-in by a source, or its refusal, into an office's history; the subject only where no person says who it was."""
    tag = "person.sign_in_refused" if found.refused else "person.signed_in"
    data = {"source": source}
    if not found.person:
        data["subject"] = storable(subject[:LONGEST_SUBJECT])
    history.append_to_organisation(connection, office, history.Entry(tag, at, found.person or SYSTEM, data=data))


def _storable(source: str, subject: str) -> bool:
    return SOURCE.fullmatch(source) is not None and 0 < len(subject) <= LONGEST_SUBJECT and storable(subject) == subject
