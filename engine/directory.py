"""People of an office as a list kept elsewhere has them: read, compared with the people here, and taken over, all or nothing."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime
from typing import Protocol

import sqlalchemy as sa

from engine import accounts, history
from engine.clock import civil_day
from engine.errors import DirectoryInvalid, PersonFault, SyncRefused
from engine.identity import DIRECTORY
from engine.model import identity, person
from engine.people import SYSTEM, account_open, add

PERSON_ID = re.compile(r"[A-Za-z0-9._-]{1,64}")
MAIL = re.compile(r"[^\s@<>,;:\"()\[\]\\]+@[^\s@<>,;:\"()\[\]\\]+")
#: One run ends at most this share of the people the directory is about, but a few always: people do leave small offices.
MOST_ENDED, ALWAYS_ENDED = 0.2, 5


@dataclass(frozen=True)
class DirectoryPerson:
    """Somebody as the directory has them.

    Attributes:
        email: "" when there is none, None when the directory does not tell and the address here is left alone.
        active: whether the person is in office.
        where: the place in the directory, for messages (a line, a DN).
    """

    id: str
    name: str
    email: str | None
    active: bool = True
    where: str = field(default="", compare=False)


class Directory(Protocol):
    """A list of people kept elsewhere."""

    def people(self) -> Iterable[DirectoryPerson]:
        """Everyone in the directory.

        Raises:
            DirectoryUnavailable: it does not answer, or not completely.
            DirectoryInvalid: it cannot be read.
        """
        ...


@dataclass(frozen=True)
class KnownPerson:
    """Somebody as registered here; `governed` when the entry follows the directory and ends when the directory no longer has it."""

    id: str
    organisation: str
    name: str
    email: str
    active: bool
    governed: bool


@dataclass(frozen=True)
class Change:
    """Something of a person that becomes something else."""

    id: str
    old: str
    new: str


@dataclass(frozen=True)
class Ending:
    """An account that ends; `listed` when the directory has the person as not in office, rather than not at all."""

    id: str
    name: str
    listed: bool


@dataclass(frozen=True)
class SyncPlan:
    """What taking over a directory changes.

    Attributes:
        added: people to be registered; they can sign in once a source vouches for them, and hold no seat yet.
        ended: accounts that end today; their seats stay as they are dated.
        adopted: people registered here already whose entry follows the directory from now on.
        unknown_kept: people the directory never had, left alone (administrators registered by hand, say).
        ended_here: in office by the directory, ended here: left ended, since somebody decided so.
        concerned: how many open accounts the directory is about.
    """

    added: tuple[DirectoryPerson, ...] = ()
    renamed: tuple[Change, ...] = ()
    mail_changed: tuple[Change, ...] = ()
    ended: tuple[Ending, ...] = ()
    adopted: tuple[str, ...] = ()
    unknown_kept: tuple[str, ...] = ()
    ended_here: tuple[str, ...] = ()
    concerned: int = 0

    @property
    def limit(self) -> int:
        """How many accounts one run may end."""
        return max(ALWAYS_ENDED, int(self.concerned * MOST_ENDED))

    @property
    def suspicious(self) -> bool:
        """Whether so many accounts would end, or all of them, that the directory is more likely broken."""
        return len(self.ended) > self.limit or (len(self.ended) > 0 and len(self.ended) == self.concerned and not self.added)

    @property
    def changes(self) -> int:
        """How many things change for people; adoption is none."""
        return len(self.added) + len(self.renamed) + len(self.mail_changed) + len(self.ended)

    def check(self) -> None:
        """Raise SyncRefused when the plan is suspicious."""
        if self.suspicious:
            most = min(self.limit, self.concerned - 1)
            raise SyncRefused(of=self.concerned, ending=len(self.ended), limit=most)


def known_people(connection: sa.Connection, on: date) -> tuple[KnownPerson, ...]:
    """Everyone registered in the installation, as of a day: ids are shared by its offices."""
    governed = sa.exists().where(identity.c.source == DIRECTORY, identity.c.person == person.c.id)
    query = sa.select(
        person.c.id, person.c.organisation, person.c.name, person.c.email, account_open().label("open"), governed.label("governed")
    ).order_by(person.c.id)
    rows = connection.execute(query, {"on_day": on})
    return tuple(KnownPerson(r.id, r.organisation, r.name, r.email or "", bool(r.open), bool(r.governed)) for r in rows)


def compare(known: Iterable[KnownPerson], found: Sequence[DirectoryPerson], organisation: str) -> SyncPlan:
    """What would change for an office.

    Args:
        known: the people of the whole installation.
        found: the people of the directory.
        organisation: the office whose people the directory has.

    Raises:
        DirectoryInvalid: with every row that does not fit.
    """
    registered = {one.id: one for one in known}
    faults = _faults(registered, found, organisation)
    if faults:
        raise DirectoryInvalid(faults)
    here = {id: one for id, one in registered.items() if one.organisation == organisation}
    listed = {one.id: one for one in found}
    both = [(here[one.id], one) for one in found if one.id in here]
    staying = [(mine, theirs) for mine, theirs in both if mine.active and theirs.active]
    missing = [one for one in here.values() if one.id not in listed]
    ended = [Ending(mine.id, mine.name, listed=True) for mine, theirs in both if mine.active and not theirs.active]
    ended += [Ending(one.id, one.name, listed=False) for one in missing if one.active and one.governed]
    return SyncPlan(
        added=tuple(one for one in found if one.active and one.id not in here),
        renamed=tuple(Change(mine.id, mine.name, theirs.name) for mine, theirs in staying if mine.name != theirs.name),
        mail_changed=tuple(
            Change(mine.id, mine.email, theirs.email) for mine, theirs in staying if theirs.email is not None and mine.email != theirs.email
        ),
        ended=tuple(ended),
        adopted=tuple(mine.id for mine, _ in staying if not mine.governed),
        unknown_kept=tuple(one.id for one in missing if one.active and not one.governed),
        ended_here=tuple(mine.id for mine, theirs in both if theirs.active and not mine.active),
        concerned=sum(one.active and (one.governed or one.id in listed) for one in here.values()),
    )


def _faults(registered: dict[str, KnownPerson], found: Sequence[DirectoryPerson], organisation: str) -> list[PersonFault]:
    """Every row that does not fit, in the directory's order."""
    faults: list[PersonFault] = []
    seen: dict[str, DirectoryPerson] = {}
    by_fold = {id.casefold(): id for id in registered}
    for one in found:
        folded = one.id.casefold()
        why: list[str] = []
        if not PERSON_ID.fullmatch(one.id) or one.id == SYSTEM:
            why.append("番号は英数字と . _ - で64文字以内にしてください")
        elif folded in seen:
            why.append(f"番号が重なっています（{seen[folded].where or seen[folded].id}）")
        elif one.id in registered:
            if registered[one.id].organisation != organisation:
                why.append("この番号は、ほかの機関で使われています")
        elif folded in by_fold:
            why.append(f"大文字と小文字だけが違う利用者「{by_fold[folded]}」がいます")
        seen.setdefault(folded, one)
        if one.active:
            if not one.name.strip() or len(one.name) > 200 or any(unicodedata.category(letter)[0] == "C" for letter in one.name):
                why.append("氏名が空か、200文字を超えるか、使えない文字を含みます")
            if one.email and (len(one.email) > 254 or not one.email.isascii() or not MAIL.fullmatch(one.email)):
                why.append("メールアドレスを読めません")
        faults += [PersonFault(one.where, one.id[:64], reason) for reason in why]
    return faults


def sync(
    connection: sa.Connection, organisation: str, found: Sequence[DirectoryPerson], at: datetime, by: str, *, dry_run: bool, force: bool
) -> SyncPlan:
    """Compare and take over, in the caller's transaction.

    Args:
        by: who takes it over, for the record.
        dry_run: only say what would change, however much it is.
        force: end accounts even when they are suspiciously many.

    Raises:
        DirectoryInvalid: rows do not fit.
        SyncRefused: too many accounts would end, and `force` was not given.
    """
    plan = compare(known_people(connection, civil_day(at)), found, organisation)
    if not dry_run:
        if not force:
            plan.check()
        apply(connection, organisation, plan, at, by)
    return plan


def apply(connection: sa.Connection, organisation: str, plan: SyncPlan, at: datetime, by: str) -> None:
    """Write a plan: persons, their links with the directory, and a row of the office's history for each thing that happened.

    The caller holds the transaction in which the plan was made; nothing is checked again.
    """

    def record(tag: str, who: str, **data: object) -> None:
        history.append_to_organisation(
            connection, organisation, history.Entry(tag, at, by, data={"person": who, "source": DIRECTORY, **data})
        )

    for new in plan.added:
        add(connection, person_id=new.id, organisation=organisation, name=new.name, email=new.email or None, password_hash=None, at=at)
        record("person.registered", new.id, name=new.name)
    links = [{"source": DIRECTORY, "subject": id, "person": id, "linked_at": at, "linked_by": by} for id in _followed(plan)]
    if links:
        connection.execute(identity.insert(), links)
    changed: dict[str, dict[str, Change]] = {}
    for column, changes in (("name", plan.renamed), ("email", plan.mail_changed)):
        for change in changes:
            connection.execute(person.update().where(person.c.id == change.id).values({column: change.new or None}))
            changed.setdefault(change.id, {})[column] = change
    for who, columns in changed.items():
        record("person.changed", who, **{column: {"old": change.old, "new": change.new} for column, change in columns.items()})
    for ending in plan.ended:
        connection.execute(person.update().where(person.c.id == ending.id).values(disabled_at=at))
        accounts.end_sessions_of(connection, ending.id, at)
        record("person.ended", ending.id, listed=ending.listed)


def _followed(plan: SyncPlan) -> tuple[str, ...]:
    return (*(one.id for one in plan.added), *plan.adopted)
