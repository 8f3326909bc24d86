"""The desk for outside parties (相手方): one-time links handed out by officials, and what their bearers may see and do."""

from __future__ import annotations

import logging
import secrets
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from datetime import datetime
from functools import partial
from typing import TYPE_CHECKING, Any

import sqlalchemy as sa

from engine import access, links
from engine.casefile import CaseReader
from engine.errors import (
    AttachmentRefused,
    Conflict,
    DiagramFault,
    FormInvalid,
    LinkNotUsable,
    NotAccepted,
    NotAllowed,
    StaleVersion,
    StepOver,
    TadachiError,
    TaskNotFound,
    TextTooLong,
)
from engine.model import Row, history, outside_link, task
from engine.organisation import Organisation
from engine.outside_reads import OutsideReader
from engine.outside_views import LinkMade, LinksShown, OutsideForm, OutsideThread, Welcome
from engine.outside_work import OutsideWork, party_of
from engine.papers import Paper
from engine.people import LINK
from engine.views import AttachmentShown, Viewer

if TYPE_CHECKING:
    from engine.service import Engine

log = logging.getLogger(__name__)
#: Files as they were sent: (name, bytes).
Files = Iterable[tuple[str, bytes]]
#: Refusals that are about what the party itself entered; every other one is the office's affair, and told without its reason.
OF_THE_PARTY = (FormInvalid, AttachmentRefused, TextTooLong, StaleVersion, StepOver, TaskNotFound)


class OutsideDesk:
    """`Engine.outside` hands it out."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    # ---------------------------------------------------------------- the office's side

    def issue(
        self,
        viewer: Viewer,
        *,
        party: str,
        days: int,
        process_id: str = "",
        case_id: int | None = None,
        shares: bool = False,
        seat: str | None = None,
    ) -> LinkMade:
        """A link that starts one case of a procedure, or one to the steps of a case that are left to an outside party.

        Args:
            party: the party's name; within a case one name is one party, and a new link takes the place of those before.
            days: how long it can be used, 1 to 30.
            shares: whether the party may also read what officials entered on its behalf in this case.

        Raises:
            NotAllowed, CaseNotFound, CaseClosed, ProcessNotFound, LinkRefused, FormInvalid.
        """
        with self._engine.work(viewer.person, seat) as work:
            if case_id is None:
                made, token, ends_at = work.issue_link_to_start(process_id, party, days)
            else:
                made, token, ends_at = work.issue_link(case_id, party, days, shares=shares)
        return LinkMade(made, f"{self._engine.settings.base_url}/c/{token}", party.strip(), ends_at)

    def revoke(self, viewer: Viewer, link_id: int) -> int | None:
        """Let a link open nothing any more; returns its case. Raises LinkNotFound, NotAllowed."""
        with self._engine.work(viewer.person) as work:
            return work.revoke_link(link_id)

    def of_case(self, viewer: Viewer, case_id: int) -> LinksShown:
        """The links of a visible case; raises CaseNotFound."""
        with self._engine.reading() as connection:
            office = self._engine.organisations[viewer.organisation]
            case, head = CaseReader(connection, viewer, office, partial(self._engine.definitions.get, connection)).load(case_id)
            rows = connection.execute(sa.select(outside_link).where(outside_link.c.case_id == case_id)).mappings().all()
            steps = {node.id: node for node in case.definition.net.nodes if node.by_link}
            allowed = links.keepers(connection, case_id, case.move(viewer.at))
            usable = {held.seat for held in access.usable(viewer, head.process_id)}
            waiting = sa.select(task.c.name).where(task.c.case_id == case_id, task.c.state == "open", task.c.node.in_(steps))
            entered = sa.select(history.c.id).where(
                history.c.chain == f"case:{case_id}", history.c.tag.in_(("case.started", "task.completed")), history.c.node.in_(steps),
                history.c.person.not_like(f"{LINK}%"),
            )  # fmt: skip
            shown = links.shown(connection, rows, viewer, office)
            return LinksShown(
                case_id=case_id,
                process_id=head.process_id,
                title=f"{head.number}　{head.title}",
                links=shown,
                may_issue=head.state == "open" and case_id not in viewer.barred_cases and bool(allowed & usable),
                may_revoke=case_id not in viewer.barred_cases and bool(allowed & usable),
                party=shown[0].party if shown else "",
                entered=connection.scalar(entered.limit(1)) is not None,
                waiting=tuple(connection.scalars(waiting.order_by(task.c.id))),
            )

    def to_start(self, viewer: Viewer, process_id: str) -> LinksShown:
        """The links that may still start a case of a procedure on behalf of the viewer's seats.

        Raises:
            ProcessNotFound; NotAllowed: the procedure leaves its start to no outside party, or the viewer may not start it.
        """
        with self._engine.reading() as connection:
            office = self._engine.organisations[viewer.organisation]
            definition = self._engine.definitions.in_force(connection, office.id, process_id, viewer.at)
            start = definition.net.start
            seats = links.starters(viewer, process_id, start.candidate_groups) if start.by_link else ()
            if not seats:
                raise NotAllowed(process=process_id)
            mine = (
                outside_link.c.organisation == office.id, outside_link.c.process_id == process_id, outside_link.c.case_id.is_(None),
                outside_link.c.seat.in_([held.seat for held in seats]),
            )  # fmt: skip
            rows = connection.execute(sa.select(outside_link).where(*mine)).mappings().all()
            shown = links.shown(connection, rows, viewer, office)
        return LinksShown(None, process_id, definition.name, shown, may_issue=True, may_revoke=True, seats=seats)

    # ---------------------------------------------------------------- the party's side: the address

    def welcome(self, token: str) -> Welcome:
        """What an address is for, without using it up; raises LinkNotUsable."""
        now = self._engine.clock.now()
        with self._engine.reading() as connection:
            row = links.unopened(connection, token, now)
            office = self._office(connection, row, now)
            process = self._reader(connection, row, office, now).process_name
        return Welcome(office.name, process, row["party"], office.seat_name(row["seat"]), row["expires_at"])

    def enter(self, token: str) -> str:
        """Exchange an address, once, for a session; returns the cookie's token, of which only a hash is stored. Raises LinkNotUsable."""
        now, session = self._engine.clock.now(), secrets.token_urlsafe(32)
        with self._engine.writing() as connection:
            row = links.unopened(connection, token, now, lock=True)
            values = {"opened_at": now, "seen_at": now, "session": links.digest(session)}
            connection.execute(outside_link.update().where(outside_link.c.id == row["id"]).values(values))
            self._work(connection, row, now).record("link.opened")
        return session

    def leads_to(self, session: str, token: str) -> bool:
        """Whether a session is the one that an address was exchanged for: whoever opens it again is led on."""
        try:
            with self._engine.reading() as connection:
                return bool(links.in_session(connection, session, self._engine.clock.now())["token"] == links.digest(token))
        except LinkNotUsable:
            return False

    def leave(self, session: str) -> None:
        """End a session; a new link is needed then. One that has ended already is left alone."""
        now = self._engine.clock.now()
        with self._engine.writing() as connection:
            try:
                row = links.in_session(connection, session, now, lock=True)
            except LinkNotUsable:
                return
            self._end(connection, row, now, "link.ended")

    # ---------------------------------------------------------------- the party's side: reads

    def thread(self, session: str) -> OutsideThread:
        """The party's thread; raises LinkNotUsable."""
        with self._reading(session) as reader:
            return reader.thread()

    def start_form(self, session: str, *, answers: Mapping[str, Any] | None = None, errors: Mapping[str, str] | None = None) -> OutsideForm:
        """The form that starts the case; raises LinkNotUsable, StepOver."""
        with self._reading(session) as reader:
            return reader.start_form(answers, errors)

    def form(
        self, session: str, task_id: int, *, answers: Mapping[str, Any] | None = None, errors: Mapping[str, str] | None = None
    ) -> OutsideForm:
        """The form of a step that is left to the party; raises LinkNotUsable, TaskNotFound, StepOver."""
        with self._reading(session) as reader:
            return reader.form(task_id, answers, errors)

    def file(self, session: str, attachment_id: int) -> tuple[AttachmentShown, bytes]:
        """A file that the party has sent itself; raises LinkNotUsable, AttachmentNotFound."""
        with self._reading(session) as reader:
            return reader.file(attachment_id)

    def paper(self, session: str, paper_id: str) -> Paper:
        """A paper of the office's that is for the party (`for_party`); raises LinkNotUsable, NotFound."""
        with self._reading(session) as reader:
            return reader.paper(paper_id)

    # ---------------------------------------------------------------- the party's side: acts

    def start(self, session: str, answers: Mapping[str, Any], files: Files = ()) -> None:
        """Start the case the link is for, with files; once.

        Raises:
            LinkNotUsable, StepOver, FormInvalid, AttachmentRefused, NotAccepted.
        """
        with self._acting(session) as work:
            case_id = work.apply(answers)
            for name, content in files:
                work.attach(case_id, name, content)

    def complete(self, session: str, task_id: int, answers: Mapping[str, Any], version: int | None = None, files: Files = ()) -> None:
        """Complete a step that is left to the party, with files.

        Args:
            version: of the case as the form was made.

        Raises:
            LinkNotUsable, TaskNotFound, StepOver, StaleVersion, FormInvalid, AttachmentRefused, NotAccepted.
        """
        with self._acting(session) as work:
            work.complete(task_id, answers, version)
            for name, content in files:
                work.attach(work.case_id, name, content, task_id=task_id)

    # ---------------------------------------------------------------- inside

    def _office(self, connection: sa.Connection, row: Row, now: datetime) -> Organisation:
        self._engine.organisations.refresh(connection, now)
        return self._engine.organisations[row["organisation"]]

    def _reader(self, connection: sa.Connection, row: Row, office: Organisation, now: datetime) -> OutsideReader:
        return OutsideReader(connection, self._engine.definitions, office, row, now)

    def _work(self, connection: sa.Connection, row: Row, now: datetime) -> OutsideWork:
        party = party_of(row, self._office(connection, row, now), now)
        return OutsideWork(connection, self._engine.definitions, self._engine.organisations, row, party)

    @contextmanager
    def _reading(self, session: str) -> Iterator[OutsideReader]:
        """A live session's thread, looked at; looking keeps it alive."""
        now = self._engine.clock.now()
        with self._engine.reading() as connection:
            row = links.in_session(connection, session, now)
            yield self._reader(connection, row, self._office(connection, row, now), now)
        if now - row["seen_at"] > links.TOUCH_EVERY:
            with self._engine.writing() as connection:
                connection.execute(outside_link.update().where(outside_link.c.id == row["id"]).values(seen_at=now))

    @contextmanager
    def _acting(self, session: str) -> Iterator[OutsideWork]:
        """One act of a party in a transaction. A refusal undoes it and is recorded; the reason is told only when it is about what was entered."""
        now, attempt, row = self._engine.clock.now(), dict[str, Any](), None
        try:
            with self._engine.writing() as connection:
                row = links.in_session(connection, session, now, lock=True)
                work = self._work(connection, row, now)
                connection.execute(outside_link.update().where(outside_link.c.id == row["id"]).values(seen_at=now))
                try:
                    yield work
                finally:
                    attempt = work.attempt
        except LinkNotUsable:
            raise
        except TadachiError as error:
            assert row is not None
            self._engine.record_refusal(row["organisation"], links.actor_of(row), row["seat"], attempt, error)
            self._count(row, now)
            if isinstance(error, OF_THE_PARTY):
                raise
            if isinstance(error, DiagramFault):
                log.exception("what an outside party sent could not go on")
            raise StepOver() if isinstance(error, Conflict) else NotAccepted() from None

    def _count(self, row: Row, now: datetime) -> None:
        """Count a refusal; after too many the session is over, since the pages offer nothing that is refused again and again."""
        with self._engine.writing() as connection:
            mine = outside_link.update().where(outside_link.c.id == row["id"], outside_link.c.ended_at.is_(None))
            count = connection.scalar(mine.values(refused=outside_link.c.refused + 1, seen_at=now).returning(outside_link.c.refused))
            if count is not None and count >= links.MOST_REFUSED:
                self._end(connection, row, now, "link.stopped")

    def _end(self, connection: sa.Connection, row: Row, now: datetime, tag: str) -> None:
        connection.execute(outside_link.update().where(outside_link.c.id == row["id"]).values(ended_at=now))
        self._work(connection, row, now).record(tag)
