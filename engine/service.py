"""The engine as pages and commands see it: opens units of work, answers reads, runs due work."""

from __future__ import annotations

import json
import logging
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import date, datetime, timedelta
from pathlib import Path
from typing import Any

import sqlalchemy as sa

from engine import (
    accounts,
    casefile,
    coverage,
    directory,
    doctor,
    foretell,
    history,
    identity,
    inbox,
    inspection,
    jobs,
    ledger_book,
    notices,
    organisation,
    paper_templates,
    papers,
    people,
    referral_list,
    standing,
    starts,
    stopped,
)
from engine.batch import Batch
from engine.calendar_feed import CalendarFeeds
from engine.checker import BUDGET
from engine.checker.proving import Prove, Prover, unproven
from engine.clock import Clock, SystemClock, civil_day, start_of_day
from engine.definitions import Definition, Definitions
from engine.draft_desk import DraftDesk
from engine.errors import (
    CaseNotFound,
    Finding,
    NotAllowed,
    OrganisationNotFound,
    PersonExists,
    SnoozeRefused,
    TadachiError,
    TaskNotFound,
    TextTooLong,
    UnknownSeat,
)
from engine.ledgers import Ledgers
from engine.matrix import amended
from engine.matrix_desk import MatrixDesk, of_folder
from engine.matrix_views import Amendment, Matrix
from engine.measures import Measures, Readiness, readiness
from engine.measures import measures as measured
from engine.model import case_file, draft, person, snooze, storable, task, task_read
from engine.moving_desk import MovingDesk
from engine.notice_desk import NoticeDesk
from engine.notice_views import DeliveryShown, ToldShown
from engine.offices import Offices
from engine.order_desk import OrderDesk
from engine.orders import after_posts_change
from engine.organisation import Organisation
from engine.outside import OutsideDesk
from engine.personnel import Personnel
from engine.preferences import Receiving
from engine.proof_desk import ProofDesk
from engine.sandbox_desk import SandboxDesk
from engine.sandbox_views import Coverage, ScenarioPlayed
from engine.schema import migrate
from engine.settings import Settings
from engine.sight import cases_of, tasks_of
from engine.storage import insert_new, open_database
from engine.version_desk import VersionDesk
from engine.views import (
    ActionOffered,
    AttachmentShown,
    BulkResult,
    CaseHead,
    CasePage,
    Consequence,
    DemoAccount,
    Foretold,
    InboxPage,
    NoticeShown,
    ReferralShown,
    StartForm,
    TaskPage,
    Viewer,
    Why,
)
from engine.webhook_desk import Webhooks
from engine.work import Work

log = logging.getLogger(__name__)
MAX_DRAFT = 200_000  # characters of JSON
MOST_TOGETHER = 200
LONGEST_SNOOZE = timedelta(days=90)


class Engine:
    """One installation: its database, clock, offices and mail.

    `prove` proves diagrams before they come into force; `Engine.unproven` does not, which only a database that is thrown away may do without.
    """

    unproven = staticmethod(unproven)

    def __init__(
        self,
        settings: Settings,
        *,
        clock: Clock | None = None,
        sender: notices.Sender | None = None,
        database: sa.Engine | None = None,
        prove: Prove | None = None,
        organisations: Offices | None = None,
    ) -> None:
        self.settings = settings
        self.clock: Clock = clock or SystemClock()
        self.organisations = organisations or Offices(settings.bpmn)
        self.sender: notices.Sender = sender or (notices.SmtpSender(settings.mail) if settings.mail else notices.KeptSender())
        self.definitions = Definitions(self.organisations, settings.bpmn / "common")
        self.personnel = Personnel(self)
        self.orders = OrderDesk(self)
        self._notices = NoticeDesk(self)
        self.receiving = Receiving(self)
        self.webhooks = Webhooks(self)
        self.calendar = CalendarFeeds(self)
        self.ledgers = Ledgers(self)
        self.outside = OutsideDesk(self)
        self.drafts = DraftDesk(self)
        self.proofs = ProofDesk(self)
        self.versions = VersionDesk(self)
        self.moving = MovingDesk(self)
        self.sandbox = SandboxDesk(self)
        self.matrix = MatrixDesk(self)
        self.prove: Prove = prove or Prover(settings.proofs)
        self.use(database or open_database(settings.database))

    def use(self, database: sa.Engine) -> None:
        """Read and write in a database from now on."""
        self.database = database
        self._reader: sa.Engine = database.execution_options(read_only=True)

    @classmethod
    def from_environment(cls) -> Engine:
        """The engine that the environment describes."""
        return cls(Settings.from_environment())

    @staticmethod
    def inspect(
        paths: Sequence[Path], settings: Settings, *, on: date, static: bool = False, budget: float = BUDGET
    ) -> inspection.Inspection:
        """Check files as a deployment would, without a database; see `engine.inspection.inspect`."""
        return inspection.inspect(paths, on=on, prove=None if static else Prover(settings.proofs), budget=budget)

    @classmethod
    def rehearse(
        cls, folder: Path, settings: Settings, files: Sequence[Path] | None = None
    ) -> tuple[tuple[tuple[ScenarioPlayed, ...], Coverage], ...]:
        """Play the scenarios of an office's folder, or these files, without a database; see `engine.coverage.play_folder`."""
        return coverage.play_folder(cls, settings, organisation.load(folder), files)

    @classmethod
    def clauses(cls, folder: Path, settings: Settings, on: date, changed: Sequence[str] = ()) -> tuple[Matrix, Amendment]:
        """The clauses of an office's folder with what carries and shows them, and what changed ones touch; see `engine.matrix_desk.of_folder`."""
        whole = of_folder(cls, settings, organisation.load(folder), on)
        return whole, amended(whole, changed)

    def organisation(self, organisation_id: str) -> Organisation:
        """An office by id; raises OrganisationNotFound."""
        if organisation_id not in self.organisations:
            raise OrganisationNotFound(organisation=organisation_id)
        return self.organisations[organisation_id]

    # ---------------------------------------------------------------- transactions

    @contextmanager
    def writing(self) -> Iterator[sa.Connection]:
        """A transaction that commits at the end, or rolls back with the error."""
        with self.database.begin() as connection:
            yield connection

    @contextmanager
    def reading(self) -> Iterator[sa.Connection]:
        """A transaction that only reads."""
        with self._reader.begin() as connection:
            yield connection

    def work_on(self, connection: sa.Connection, by: str, seat: str | None = None, batch: Batch | None = None) -> Work:
        """A unit of work within a transaction the caller holds (the worker's); `batch` when several in it write together."""
        self.organisations.refresh(connection, self.clock.now())
        return Work(connection, self.definitions, self.organisations, by=by, seat=seat, now=self.clock.now(), batch=batch)

    @contextmanager
    def work(self, by: str, seat: str | None = None) -> Iterator[Work]:
        """One actor, one instant, one commit. A refusal undoes everything and is recorded in a transaction of its own.

        Args:
            by: person id.
            seat: the seat acted from; None lets the engine take the only one that fits.
        """
        attempt: dict[str, Any] = {}
        who = ""
        try:
            with self.writing() as connection:
                work = self.work_on(connection, by, seat)
                who = work.organisation_id
                try:
                    yield work
                finally:
                    attempt = work.attempt
        except TadachiError as error:
            office = who or self._office_of(by)  # an account that was ended still belongs to its office
            if office:
                self.record_refusal(office, by, seat, attempt, error)
            raise

    def _office_of(self, person_id: str) -> str | None:
        with self.reading() as connection:
            return connection.scalar(sa.select(person.c.organisation).where(person.c.id == person_id))

    def record_refusal(self, organisation_id: str, by: str, seat: str | None, attempt: Mapping[str, Any], error: TadachiError) -> None:
        """Record a refused attempt, in a transaction of its own: the act has been undone."""
        case_id = attempt.get("case") if isinstance(attempt.get("case"), int) else None
        fields = sorted(getattr(error, "fields", {}))[:50]
        data = {
            "attempt": {k: storable(str(v)[:200]) for k, v in attempt.items()},
            "error": error.code,
            "message": storable(error.text[:500]),
            "fields": [storable(f[:60]) for f in fields],
        }
        named = storable(seat[:160]) if seat is not None else None
        try:
            with self.writing() as connection:
                known = case_id is not None and connection.scalar(
                    sa.select(case_file.c.id).where(case_file.c.id == case_id, case_file.c.organisation == organisation_id)
                )
                entry = history.Entry("attempt.refused", self.clock.now(), by, named, data=data)
                history.append_to_organisation(connection, organisation_id, entry, case_id if known else None)
        except sa.exc.SQLAlchemyError:  # the refusal itself must reach the person even when the record cannot be written
            log.exception("a refused attempt of %s could not be recorded", by)

    # ---------------------------------------------------------------- people

    def viewer(self, person_id: str) -> Viewer:
        """Who is looking, with every seat held today; raises PersonNotFound."""
        now = self.clock.now()
        with self.reading() as connection:
            self.organisations.refresh(connection, now)
            return standing.viewer_of(connection, self.organisations, person_id, now)

    def sign_in(self, person_id: str, password: str) -> str:
        """Check a password; returns the person id. Raises SignInRefused or Locked, without saying whether the id exists."""
        now = self.clock.now()
        with self.reading() as connection:
            refused = accounts.check_password(connection, person_id, password, now)
            office = connection.scalar(sa.select(person.c.organisation).where(person.c.id == person_id))
        if office is not None:
            with self.writing() as connection:
                accounts.record_sign_in(connection, person_id, refused, now, self.organisations[office].rules.password)
                tag = "person.sign_in_refused" if refused else "person.signed_in"
                history.append_to_organisation(connection, office, history.Entry(tag, now, person_id))
        if refused is not None:
            raise refused
        return person_id

    # identities kept outside: see engine/identity.py and engine/directory.py

    def sign_in_by(self, source: str, subject: str, *, as_id: bool = False) -> str:
        """The person a sign-in source vouches for (`as_id`: by person id); recorded. Raises IdentityUnknown, AccountEnded."""
        now = self.clock.now()
        with self.writing() as connection:
            found = identity.recognise(connection, source, subject, civil_day(now), as_id=as_id)
            office = found.organisation or (next(iter(self.organisations)) if len(self.organisations) == 1 else None)
            if office is not None:
                identity.record(connection, office, source, subject, found, now)
        if found.refused is not None:
            raise found.refused
        return found.person

    def link_identity(self, person_id: str, source: str, subject: str, by: str, organisation: str | None = None) -> None:
        """Let an outside identity stand for a person (of this office); raises IdentityInvalid, IdentityTaken, PersonNotFound."""
        with self.writing() as connection:
            identity.link(connection, person_id, source, subject, self.clock.now(), by, organisation)

    def unlink_identity(self, source: str, subject: str, by: str, organisation: str | None = None) -> str:
        """Let an outside identity stand for nobody; returns whose it was (of this office). Raises IdentityNotFound."""
        with self.writing() as connection:
            return identity.unlink(connection, source, subject, self.clock.now(), by, organisation)

    def links_of(self, person_id: str) -> tuple[identity.Link, ...]:
        """The outside identities that stand for a person."""
        with self.reading() as connection:
            return identity.links_of(connection, person_id)

    def sync_people(
        self, organisation_id: str, source: directory.Directory, by: str, *, dry_run: bool = False, force: bool = False
    ) -> directory.SyncPlan:
        """Take over an office's people from a directory, all or nothing; see `engine.directory.sync`."""
        office, now = self.organisation(organisation_id), self.clock.now()
        found = tuple(source.people())  # takes its time: no transaction is open meanwhile
        with self.reading() if dry_run else self.writing() as connection:
            return directory.sync(connection, office.id, found, now, by, dry_run=dry_run, force=force)

    def open_session(self, person_id: str) -> str:
        """A new session's token for the cookie; those who approve are signed out sooner when idle (`[session]` in rules.toml)."""
        viewer = self.viewer(person_id)
        rules = self.organisations[viewer.organisation].rules.session
        idle = rules.idle_privileged if viewer.has_role(*rules.privileged_roles) else rules.idle
        with self.writing() as connection:
            return accounts.open_session(connection, person_id, self.clock.now(), idle, rules.absolute)

    def session_person(self, token: str) -> str | None:
        """The person of a live session, or None."""
        now = self.clock.now()
        with self.reading() as connection:
            found = accounts.session_person(connection, token, now)
        if found is None:
            return None
        if found[1]:
            with self.writing() as connection:
                accounts.touch_session(connection, token, now)
        return found[0]

    def end_session(self, token: str) -> None:
        """Sign out."""
        with self.writing() as connection:
            accounts.end_session(connection, token, self.clock.now())

    def end_sessions_of(self, person_id: str, keep: str | None = None) -> None:
        """Sign a person out everywhere, except perhaps here."""
        with self.writing() as connection:
            accounts.end_sessions_of(connection, person_id, self.clock.now(), keep)

    def change_password(self, person_id: str, old: str, new: str) -> None:
        """Replace one's own password; raises FormInvalid."""
        with self.writing() as connection:
            office = self.organisations[people.find(connection, person_id, civil_day(self.clock.now())).organisation]
            accounts.change_password(connection, person_id, old, new, office.rules.password)

    def people_of(self, organisation_id: str) -> tuple[tuple[str, str, tuple[str, ...]], ...]:
        """(person id, name, seats held today) of everyone in an office, for lists of accounts."""
        today = civil_day(self.clock.now())
        with self.reading() as connection:
            rows = connection.execute(
                sa.select(person.c.id, person.c.name)
                .where(person.c.organisation == organisation_id, person.c.disabled_at.is_(None))
                .order_by(person.c.created_at, person.c.id)
            ).all()
            seats = people.all_holdings(connection, organisation_id, today)
        return tuple((row.id, row.name, seats.get(row.id, ())) for row in rows)

    def demo_accounts(self) -> tuple[DemoAccount, ...]:
        """The accounts of the demonstration, by office and unit; nothing outside the demonstration."""
        if not self.settings.demo:
            return ()
        found: list[tuple[int, DemoAccount]] = []
        for office in self.organisations.values():
            order = list(office.units)
            for person_id, name, seats in self.people_of(office.id):
                if seats:
                    unit = seats[0].partition("@")[2]
                    account = DemoAccount(person_id, name, office.units[unit].name, tuple(office.seat_name(seat) for seat in seats))
                    found.append((order.index(unit), account))
        return tuple(account for _, account in sorted(found, key=lambda pair: pair[0]))

    def examine(self) -> tuple[doctor.Check, ...]:
        """What an administrator should see to; changes nothing."""
        return doctor.examine(self)

    def readiness(self) -> Readiness:
        """Whether requests can be served and deadlines are watched."""
        return readiness(self)

    def measures(self) -> Measures:
        """Numbers for supervision."""
        return measured(self)

    def healthy(self) -> bool:
        """Whether the database answers."""
        try:
            with self.reading() as connection:
                return connection.scalar(sa.select(1)) == 1
        except sa.exc.SQLAlchemyError:
            log.exception("the database does not answer")
            return False

    # ---------------------------------------------------------------- reads

    def _definition(self, connection: sa.Connection) -> inbox.GetDefinition:
        return lambda definition_id: self.definitions.get(connection, definition_id)

    @contextmanager
    def _reading_as(self, viewer: Viewer) -> Iterator[casefile.CaseReader]:
        with self.reading() as connection:
            yield casefile.CaseReader(connection, viewer, self.organisations[viewer.organisation], self._definition(connection))

    def inbox(self, viewer: Viewer, **filters: Any) -> InboxPage:
        """A page of the viewer's open tasks; filters as in `engine.inbox.inbox`."""
        with self.reading() as connection:
            return inbox.inbox(connection, viewer, self.organisations[viewer.organisation], self._definition(connection), **filters)

    def cases(self, viewer: Viewer, **filters: Any) -> tuple[tuple[CaseHead, ...], str | None]:
        """The register of visible cases; filters as in `engine.inbox.cases`."""
        with self.reading() as connection:
            return inbox.cases(connection, viewer, self.organisations[viewer.organisation], self._definition(connection), **filters)

    def find_case(self, viewer: Viewer, number: str) -> CaseHead:
        """A visible case by its number; raises CaseNotFound."""
        heads, _ = self.cases(viewer, text=number, limit=200)
        for head in heads:
            if head.number == number.strip():
                return head
        raise CaseNotFound(case=number)

    def case(self, viewer: Viewer, case_id: int) -> CasePage:
        """A case page; raises CaseNotFound."""
        with self._reading_as(viewer) as reader:
            return reader.case(case_id)

    def task(
        self, viewer: Viewer, task_id: int, *, answers: Mapping[str, Any] | None = None, errors: Mapping[str, str] | None = None
    ) -> TaskPage:
        """A task page; seeing it marks it and the notices of it read. Raises TaskNotFound."""
        with self._reading_as(viewer) as reader:
            page = reader.task(task_id, answers, errors)
            first = reader.mark_read(task_id)
        self._notices.open(viewer, task_id)
        if first:
            with self.writing() as connection:
                try:
                    with connection.begin_nested():
                        connection.execute(task_read.insert().values(task_id=task_id, person=viewer.person, read_at=viewer.at))
                except sa.exc.IntegrityError:
                    log.debug("task %s was marked read in another window at the same time", task_id)
        return page

    def why(self, viewer: Viewer, task_id: int) -> Why:
        """Why a task is somebody's and why not the viewer's; raises TaskNotFound."""
        with self._reading_as(viewer) as reader:
            return reader.why(task_id)

    def if_nobody_acts(self, viewer: Viewer, case_id: int, days: int = 30) -> tuple[Foretold, ...]:
        """Who will be told what about a visible case, and when, if nobody acts from now on; raises CaseNotFound."""
        with self._reading_as(viewer) as reader:
            _, head = reader.load(case_id)
        return foretell.if_nobody_acts(self, case_id, days) if head.state == "open" else ()

    def snooze(self, viewer: Viewer, task_id: int, until: datetime | None) -> None:
        """Put a step of one's own off until an instant, or (None) let it come back at once; a legal date is never hidden.

        Raises:
            TaskNotFound, SnoozeRefused.
        """
        with self.writing() as connection:
            row = connection.execute(sa.select(task).where(task.c.id == task_id, tasks_of(viewer))).mappings().first()
            if row is None:
                raise TaskNotFound(task=task_id)
            mine = sa.and_(snooze.c.task_id == task_id, snooze.c.person == viewer.person)
            connection.execute(snooze.delete().where(mine))
            if until is None:
                return
            if row["statutory"]:
                raise SnoozeRefused(why="法定の期限のある処理は、後回しにして隠すことができません。", task=task_id)
            if not viewer.at < until <= viewer.at + LONGEST_SNOOZE:
                raise SnoozeRefused(why="後で見る日時は、いまより後の90日以内にしてください。", task=task_id)
            connection.execute(snooze.insert().values(task_id=task_id, person=viewer.person, until=until))

    def referrals(self, viewer: Viewer) -> tuple[ReferralShown, ...]:
        """What is laid before the viewer to answer, to confirm or to read afterwards."""
        with self.reading() as connection:
            return referral_list.for_viewer(connection, viewer, self.organisations[viewer.organisation], self._definition(connection))

    def referrals_open(self, viewer: Viewer) -> int:
        """How much of that there is."""
        with self.reading() as connection:
            return referral_list.count(connection, viewer)

    def together(
        self, viewer: Viewer, verb: str, task_ids: Sequence[int], answers: Mapping[str, Any] | None = None
    ) -> tuple[BulkResult, ...]:
        """The same done to several tasks, each by itself: one that is refused does not keep the others back.

        Args:
            verb: claim, release or complete.
            answers: for complete, what is posted to each.
        """
        results = []
        for task_id in dict.fromkeys(task_ids[:MOST_TOGETHER]):
            number, step = self._named(viewer, task_id)
            try:
                with self.work(viewer.person) as work:
                    if verb == "claim":
                        work.claim(task_id)
                    elif verb == "release":
                        work.release(task_id)
                    elif verb == "complete":
                        work.complete(task_id, dict(answers or {}))
                    else:
                        raise NotAllowed(verb=verb)
                results.append(BulkResult(task_id, number, step, True, ""))
            except TadachiError as error:
                results.append(BulkResult(task_id, number, step, False, error.text))
        return tuple(results)

    def _named(self, viewer: Viewer, task_id: int) -> tuple[str, str]:
        """(case number, step) of a task the viewer may see; empty otherwise."""
        query = sa.select(case_file.c.number, task.c.name).join(task, task.c.case_id == case_file.c.id).where(task.c.id == task_id)
        with self.reading() as connection:
            row = connection.execute(query.where(cases_of(viewer))).first()
        return (row.number, row.name) if row is not None else ("", "")

    def preview(self, viewer: Viewer, task_id: int, answers: Mapping[str, Any]) -> tuple[Consequence, ...]:
        """What completing a task with these answers would open; nothing is stored."""
        with self._reading_as(viewer) as reader:
            return reader.preview(task_id, answers)

    def action(
        self, viewer: Viewer, case_id: int, name: str, *, answers: Mapping[str, Any] | None = None, errors: Mapping[str, str] | None = None
    ) -> ActionOffered:
        """An action of a case with its form; raises NotFound when it is not offered."""
        with self._reading_as(viewer) as reader:
            return reader.action(case_id, name, answers, errors)

    def startable(self, viewer: Viewer) -> tuple[tuple[str, str], ...]:
        """(process id, name) of the procedures the viewer can start."""
        if not viewer.seats:
            return ()
        with self.reading() as connection:
            found = self.definitions.all_in_force(connection, viewer.organisation, viewer.at)
        return tuple((one.process_id, one.name) for one in found if one.may_start(viewer))

    def urgent_start(self, viewer: Viewer) -> str | None:
        """The procedure to report by when nothing else is said: the only one whose start is 直ちに, else the only one there is."""
        with self.reading() as connection:
            found = self.definitions.all_in_force(connection, viewer.organisation, viewer.at)
        mine = [one for one in found if viewer.seats and one.may_start(viewer)]
        urgent = [one for one in mine if one.net.start.properties.get("urgency") == "at_once"]
        chosen = urgent if len(urgent) == 1 else mine
        return chosen[0].process_id if len(chosen) == 1 else None

    def start_form(
        self, viewer: Viewer, process_id: str, *, answers: Mapping[str, Any] | None = None, errors: Mapping[str, str] | None = None
    ) -> StartForm:
        """The form that starts a case; raises ProcessNotFound."""
        with self._reading_as(viewer) as reader, self.reading() as connection:
            definition: Definition = self.definitions.in_force(connection, viewer.organisation, process_id, viewer.at)
            return reader.start_form(definition.id, answers, errors)

    def diagram(self, viewer: Viewer, case_id: int, path: str = "") -> str:
        """BPMN XML of a case's diagram or of one it calls."""
        with self._reading_as(viewer) as reader:
            return reader.diagram(case_id, path)

    def diagram_state(self, viewer: Viewer, case_id: int, path: str = "") -> dict[str, dict[str, Any]]:
        """What the case did at each element."""
        with self._reading_as(viewer) as reader:
            return reader.diagram_state(case_id, path)

    def paper(self, viewer: Viewer, case_id: int, paper_id: str, *, index: int | None = None) -> papers.Paper:
        """A paper made from a visible case now; raises NotFound."""
        with self._reading_as(viewer) as reader:
            return reader.paper(case_id, paper_id, index)

    def attachment(self, viewer: Viewer, attachment_id: int) -> tuple[AttachmentShown, bytes]:
        """An attachment with its bytes; raises NotFound."""
        with self._reading_as(viewer) as reader:
            return reader.attachment(attachment_id)

    # ---------------------------------------------------------------- drafts and notices

    def save_draft(self, viewer: Viewer, about: str, answers: Mapping[str, Any]) -> datetime:
        """Keep what was typed, whatever it is; it never reaches the case. Nothing typed drops the draft."""
        text = storable(json.dumps(dict(answers), ensure_ascii=False))
        if len(text) > MAX_DRAFT or len(about) > 200:
            raise TextTooLong(name="下書き", limit=MAX_DRAFT)
        with self.writing() as connection:
            mine = sa.and_(draft.c.person == viewer.person, draft.c.about == about)
            if not answers:
                connection.execute(draft.delete().where(mine))
                return viewer.at
            connection.execute(
                insert_new(connection, draft), {"person": viewer.person, "about": about, "answers": text, "saved_at": viewer.at}
            )
            connection.execute(draft.update().where(mine).values(answers=text, saved_at=viewer.at))
        return viewer.at

    def load_draft(self, viewer: Viewer, about: str) -> tuple[dict[str, Any] | None, datetime | None]:
        """What was typed and not sent, and when it was kept."""
        with self._reading_as(viewer) as reader:
            return reader.draft(about)

    def notices(self, viewer: Viewer, *, unread_only: bool = False, limit: int = 50) -> tuple[tuple[NoticeShown, ...], int]:
        """The viewer's notices, newest first, and how many are unread."""
        return self._notices.mine(viewer, unread_only=unread_only, limit=limit)

    def unread_notices(self, viewer: Viewer) -> int:
        """How many notices the viewer has not read: asked for by every page."""
        return self._notices.unread(viewer)

    def read_notices(self, viewer: Viewer, ids: list[int] | None = None) -> None:
        """Mark the viewer's notices read; all of them, or those named."""
        self._notices.read(viewer, ids)

    def acknowledge(self, viewer: Viewer, ids: Sequence[int]) -> None:
        """Confirm notices of the viewer's that ask for it (escalations, statutory dates)."""
        self._notices.acknowledge(viewer, ids)

    def told(self, viewer: Viewer, case_id: int) -> tuple[ToldShown, ...]:
        """Who was told of a case, when it was sent, opened and acknowledged; raises CaseNotFound."""
        return self._notices.told(viewer, case_id)

    def outbox(self, organisation_id: str, limit: int = 100, *, state: str | None = None) -> tuple[DeliveryShown, ...]:
        """The newest deliveries of an office, of one state perhaps; they hold number, step and link only."""
        return self._notices.outbox(organisation_id, state=state, limit=limit)

    def resend(self, viewer: Viewer, delivery_id: int) -> None:
        """Let a dead letter go out once more; raises NotAllowed, DeliveryNotFound."""
        self._notices.resend(viewer, delivery_id)

    # ---------------------------------------------------------------- operation

    def stopped(self, viewer: Viewer | None) -> tuple[stopped.StoppedStep, ...]:
        """Every stopped step of the viewer's office, the longest stopped first; of the whole installation for its own commands (None).

        Raises:
            NotAllowed: the viewer is no administrator.
        """
        if viewer is not None and not viewer.has_role(stopped.ADMINISTRATOR):
            raise NotAllowed()
        with self.reading() as connection:
            return stopped.steps(connection, viewer.organisation if viewer is not None else None)

    def run_due(self, limit: int = 100) -> int:
        """Run due work; returns how many jobs were done."""
        return jobs.run_due(self, limit)

    def deploy(
        self, organisation_id: str, by: str, warn: Callable[[Finding], None] | None = None, *, replace: Collection[str] = ()
    ) -> tuple[tuple[str, int], ...]:
        """Put every changed diagram of an office's folder in force, once it is proven.

        Args:
            warn: is told what was noticed that does not keep a diagram from coming into force.
            replace: procedures of which the folder wins over a newer version that was drawn and approved.

        Returns:
            (process id, version) of each version stored.

        Raises:
            DefinitionRefused: with every finding; nothing is stored then.
            FolderBehind, VersionComing: a procedure was changed in the designer as well.
        """
        office = self.organisation(organisation_id)
        paper_templates.load_templates(office.folder)  # a paper that cannot be made must be found today, not on the day it is due
        with self.reading() as connection:
            known = self.definitions.known(connection, organisation_id, self.clock.now())
        prepared = self.definitions.prepare(
            office, known, civil_day(self.clock.now()), self.prove, replace
        )  # takes seconds: nothing is held
        for finding in prepared.warnings:
            log.warning("%s %s %s: %s", finding.file, finding.rule, finding.element, finding.message)
            if warn is not None:
                warn(finding)
        now = self.clock.now()
        with self.writing() as connection:
            stored = self.definitions.store(connection, office, prepared, by, now)
            for process_id, version in stored:
                entry = history.Entry("definition.deployed", now, by, data={"process": process_id, "number": version})
                history.append_to_organisation(connection, organisation_id, entry)
            starts.arm(connection, organisation_id, prepared.timers, now)
        return stored

    def register(
        self, person_id: str, organisation_id: str, name: str, *, email: str | None, password_hash: str | None, seats: Sequence[str] = ()
    ) -> None:
        """Register a person, with the seats held from today; all or nothing. Raises PersonExists, UnknownSeat, OrganisationNotFound."""
        office = self.organisation(organisation_id)
        now = self.clock.now()
        with self.writing() as connection:
            if connection.scalar(sa.select(person.c.id).where(person.c.id == person_id)) is not None:
                raise PersonExists(person=person_id)
            people.add(
                connection, person_id=person_id, organisation=organisation_id, name=name, email=email, password_hash=password_hash, at=now
            )
            entry = history.Entry("person.registered", now, person_id, data={"name": name})
            history.append_to_organisation(connection, organisation_id, entry)
            for seat in seats:
                self._appoint(connection, office, person_id, seat, "main", civil_day(now), None)

    def appoint(self, person_id: str, seat: str, *, kind: str = "main", since: date | None = None, until: date | None = None) -> None:
        """Record that a person holds a seat from a day (today when left out); raises UnknownSeat, PersonNotFound."""
        with self.writing() as connection:
            office = self.organisations[people.find(connection, person_id, civil_day(self.clock.now())).organisation]
            self._appoint(connection, office, person_id, seat, kind, since or civil_day(self.clock.now()), until)

    def _appoint(
        self, connection: sa.Connection, office: Organisation, person_id: str, seat: str, kind: str, since: date, until: date | None
    ) -> None:
        if seat not in office.seats(since):
            raise UnknownSeat(seat=seat)
        now = self.clock.now()
        people.appoint(
            connection, person_id=person_id, organisation=office.id, seat=seat, kind=kind, valid_from=since, valid_to=until, at=now
        )
        data = {"name": office.seat_name(seat), "kind": kind, "from": since.isoformat(), "to": until.isoformat() if until else None}
        history.append_to_organisation(connection, office.id, history.Entry("seat.appointed", now, person_id, seat, data=data))
        after_posts_change(connection, office.id, max(now, start_of_day(since)), until)

    def verify_history(self) -> tuple[history.Fault, ...]:
        """Every place where the record does not hold."""
        with self.reading() as connection:
            return (*history.verify(connection), *ledger_book.verify(connection))

    def migrate(self) -> None:
        """Bring the database to the schema this version needs."""
        migrate(self.database)

    def close(self) -> None:
        """Let go of the database and of what runs beside it."""
        self.matrix.close()
        self.proofs.close()
        self.drafts.close()
        self.database.dispose()
