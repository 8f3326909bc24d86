"""The registers of people and posts: accounts, holdings, deputies, absences, vacancies, and who held what as known when.

Keeping them shows nobody a case: what an administrator reads here is numbers, steps and seats.
"""

from __future__ import annotations

import secrets
from collections.abc import Callable, Mapping, Sequence
from datetime import date, datetime, timedelta
from typing import TYPE_CHECKING, Any

import sqlalchemy as sa

from engine import accounts, history, identity, leaving, people, staffing
from engine.clock import civil_day, start_of_day
from engine.errors import DatedFactInvalid, NotAllowed, PersonExists, PersonNotFound, UnknownSeat
from engine.forms import clean_text
from engine.model import absence, deputy, holding, person
from engine.orders import after_posts_change
from engine.organisation import Organisation
from engine.people import ABSENCES, DEPUTY_KINDS, HOLDING_KINDS
from engine.staff_views import (
    AbsenceShown,
    DeputyShown,
    HolderAsKnown,
    HoldingShown,
    PersonPage,
    PersonRow,
    StuckTask,
    UnitShown,
    Vacancy,
)
from engine.views import Viewer

if TYPE_CHECKING:
    from engine.service import Engine

MOST_PEOPLE = 500
LONGEST_BASIS = 300
#: A one-time password, without letters that are mistaken for one another.
_LETTERS = "abcdefghijkmnpqrstuvwxyzABCDEFGHJKLMNPQRSTUVWXYZ23456789"


class Personnel:
    """What administrators do and read; what anybody may register for himself is said so. `Engine.personnel` hands it out."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    # ---------------------------------------------------------------- who may

    def may_keep(self, viewer: Viewer) -> bool:
        """Whether the viewer keeps the registers of his office (`[personnel] roles`)."""
        return viewer.has_role(*self._office(viewer).rules.personnel.roles)

    def may_approve(self, viewer: Viewer) -> bool:
        """Whether the viewer may approve orders (`[personnel] approvers`)."""
        return viewer.has_role(*self._office(viewer).rules.personnel.approvers)

    def require_keeper(self, viewer: Viewer) -> None:
        """Raise NotAllowed unless the viewer keeps the registers."""
        if not self.may_keep(viewer):
            raise NotAllowed()

    def _office(self, viewer: Viewer) -> Organisation:
        return self._engine.organisations[viewer.organisation]

    def _record(self, connection: sa.Connection, viewer: Viewer, tag: str, data: Mapping[str, Any], seat: str | None = None) -> None:
        entry = history.Entry(tag, viewer.at, viewer.person, seat, data=dict(data))
        history.append_to_organisation(connection, viewer.organisation, entry)

    # ---------------------------------------------------------------- people

    def people(self, viewer: Viewer, text: str = "", *, ended: bool = False) -> tuple[PersonRow, ...]:
        """People of the office, by name, id or a seat's name; those whose accounts have ended only when asked for."""
        self.require_keeper(viewer)
        office, on = self._office(viewer), civil_day(viewer.at)
        with self._engine.reading() as connection:
            query = sa.select(person).where(person.c.organisation == office.id).order_by(person.c.id)
            if not ended:
                query = query.where(people.account_open())
            rows = connection.execute(query, {"on_day": on}).mappings().all()
            held = people.all_holdings(connection, office.id, on)
            away = people.absent(connection, [row["id"] for row in rows], on)
        shown = (self._row(office, row, held.get(row["id"], ()), row["id"] in away, on) for row in rows)
        wanted = text.strip().lower()
        found = [row for row in shown if wanted in " ".join((row.id, row.name, *row.seats)).lower()]
        return tuple(found[:MOST_PEOPLE])

    def person(self, viewer: Viewer, person_id: str) -> PersonPage:
        """One person with all dated facts; anybody may see the own. Raises PersonNotFound."""
        if person_id != viewer.person:
            self.require_keeper(viewer)
        office, on = self._office(viewer), civil_day(viewer.at)
        with self._engine.reading() as connection:
            found = (
                connection.execute(sa.select(person).where(person.c.id == person_id, person.c.organisation == office.id)).mappings().first()
            )
            if found is None:
                raise PersonNotFound(person=person_id)
            held = people.all_holdings(connection, office.id, on).get(person_id, ())
            away = person_id in people.absent(connection, [person_id], on)
            holdings = self._holdings(connection, office, holding.c.person == person_id, on)
            deputies = self._deputies(connection, office, sa.or_(deputy.c.person == person_id, deputy.c.principal == person_id), on)
            absences = self._absences(connection, absence.c.person == person_id, on)
            links = tuple((link.source, link.subject) for link in identity.links_of(connection, person_id))
        row = self._row(office, found, held, away, on)
        return PersonPage(row, holdings, deputies, absences, links, found["password_hash"] is not None)

    def register(self, viewer: Viewer, person_id: str, name: str, email: str | None = None) -> str:
        """A new account of the office; returns its one-time password. Raises PersonExists, DatedFactInvalid."""
        self.require_keeper(viewer)
        given = self._words("氏名", name, 200)
        password = one_time_password()
        if (
            not person_id
            or len(person_id) > 64
            or not all(letter.isascii() and (letter.isalnum() or letter in ".-_") for letter in person_id)
        ):
            raise DatedFactInvalid(why="職員番号は、半角の英数字と . - _ で64文字までにしてください。")
        with self._engine.writing() as connection:
            if person_id == people.SYSTEM or connection.scalar(sa.select(person.c.id).where(person.c.id == person_id)) is not None:
                raise PersonExists(person=person_id)
            people.add(
                connection, person_id=person_id, organisation=viewer.organisation, name=given, email=self._email(email),
                password_hash=accounts.hash_password(password), at=viewer.at,
            )  # fmt: skip
            self._record(connection, viewer, "person.registered", {"name": given, "person": person_id})
        return password

    def change(self, viewer: Viewer, person_id: str, name: str, email: str | None) -> None:
        """Another name or mail address. Raises PersonNotFound, DatedFactInvalid."""
        self.require_keeper(viewer)
        given, address = self._words("氏名", name, 200), self._email(email)
        with self._engine.writing() as connection:
            old = self._known(connection, viewer, person_id)
            connection.execute(person.update().where(person.c.id == person_id).values(name=given, email=address))
            told = {"name": given, "person": person_id, "old_name": old["name"], "mail_changed": old["email"] != address}
            self._record(connection, viewer, "person.changed", told)

    def end_account(self, viewer: Viewer, person_id: str, reason: str) -> None:
        """End an account at once, with every session; seats end with today. Open work stays with the seats. Raises PersonNotFound."""
        self.require_keeper(viewer)
        if person_id == viewer.person:
            raise DatedFactInvalid(why="自分の利用を終えることはできません。ほかの管理者に依頼してください。")
        why = self._words("理由", reason, 1_000)
        with self._engine.writing() as connection:
            if not leaving.end_account(connection, self._office(viewer), person_id, viewer.at, viewer.person, why):
                raise PersonNotFound(person=person_id)

    def reset_password(self, viewer: Viewer, person_id: str) -> str:
        """A new one-time password; every session ends. Raises PersonNotFound."""
        self.require_keeper(viewer)
        password = one_time_password()
        hashed = accounts.hash_password(password)
        with self._engine.writing() as connection:
            old = self._known(connection, viewer, person_id)
            values = {"password_hash": hashed, "failed_sign_ins": 0, "locked_until": None}
            connection.execute(person.update().where(person.c.id == person_id).values(values))
            accounts.end_sessions_of(connection, person_id, viewer.at)
            self._record(connection, viewer, "password.reset", {"name": old["name"], "person": person_id})
        return password

    # ---------------------------------------------------------------- holdings

    def appoint(
        self, viewer: Viewer, person_id: str, seat: str, kind: str, valid_from: date, valid_to: date | None = None, basis: str = ""
    ) -> None:
        """Let a person hold a seat for a period, as the repair of a vacancy or a correction. Raises DatedFactInvalid, UnknownSeat, PersonNotFound."""
        self.require_keeper(viewer)
        office = self._office(viewer)
        self._period(valid_from, valid_to)
        if seat not in office.seats(valid_from):
            raise UnknownSeat(seat=seat)
        if kind not in HOLDING_KINDS:
            raise DatedFactInvalid(why="区分は、本務・兼務・併任・事務取扱・職務代理のどれかです。")
        if kind in ("caretaker", "acting") and not basis.strip():
            raise DatedFactInvalid(why="事務取扱・職務代理には、根拠を書いてください。")
        rule = self._words("根拠", basis, LONGEST_BASIS) if basis.strip() else ""
        with self._engine.writing() as connection:
            self._known(connection, viewer, person_id, lock=True)
            self._no_overlap(connection, person_id, seat, valid_from, valid_to)
            people.appoint(
                connection, person_id=person_id, organisation=office.id, seat=seat, kind=kind, valid_from=valid_from, valid_to=valid_to,
                at=viewer.at, by=viewer.person, basis=rule,
            )  # fmt: skip
            data = {
                "name": office.seat_name(seat), "kind": kind, "from": valid_from.isoformat(), "to": valid_to.isoformat() if valid_to else None,
                "person": person_id,
            }  # fmt: skip
            self._record(connection, viewer, "seat.appointed", data, seat)
            after_posts_change(connection, office.id, max(viewer.at, start_of_day(valid_from)), valid_to)

    def end_holding(self, viewer: Viewer, holding_id: int, last_day: date, reason: str) -> None:
        """Let a holding end on a day; the row is superseded, never changed. Raises DatedFactInvalid."""
        self.require_keeper(viewer)
        why = self._words("理由", reason, 1_000)
        with self._engine.writing() as connection:
            row = self._current(connection, holding, holding_id, viewer)
            self._not_longer(row, last_day)
            people.end_row(connection, holding, row, last_day, viewer.at, viewer.person)
            data = {
                "name": self._office(viewer).seat_name(row["seat"]),
                "last_day": last_day.isoformat(),
                "person": row["person"],
                "reason": why,
            }
            self._record(connection, viewer, "seat.ended", data, row["seat"])
            after_posts_change(connection, viewer.organisation, max(viewer.at, start_of_day(last_day + timedelta(days=1))))

    def who_held(self, viewer: Viewer, seat: str, on: date, known_at: datetime | None = None) -> tuple[HolderAsKnown, ...]:
        """Who held a seat on a day, as the record stood at an instant (now when left out)."""
        self.require_keeper(viewer)
        with self._engine.reading() as connection:
            rows = people.held_as_known(connection, viewer.organisation, seat, on, known_at or viewer.at)
        return tuple(
            HolderAsKnown(
                row["person"], row["name"], HOLDING_KINDS[row["kind"]], row["valid_from"], row["valid_to"], row["basis"], row["source"],
                row["recorded_at"], row["superseded_at"],
            )
            for row in rows
        )  # fmt: skip

    # ---------------------------------------------------------------- deputies and absences: also by oneself

    def register_deputy(
        self,
        viewer: Viewer,
        principal: str,
        person_id: str,
        *,
        kind: str,
        seat: str = "",
        process: str = "",
        basis: str,
        valid_from: date,
        valid_to: date | None,
    ) -> int:
        """Let somebody stand in (代理) or take final decisions in absence (代決); for oneself, or for anybody by who keeps the registers.

        Raises:
            NotAllowed, DatedFactInvalid, PersonNotFound.
        """
        if principal != viewer.person or kind == "decision":
            self.require_keeper(viewer)
        office = self._office(viewer)
        self._period(valid_from, valid_to)
        rule = self._words("根拠", basis, LONGEST_BASIS)
        if kind not in DEPUTY_KINDS:
            raise DatedFactInvalid(why="種類は、代理か代決のどちらかです。")
        if principal == person_id:
            raise DatedFactInvalid(why="本人を本人の代理にすることはできません。")
        if kind == "decision" and not seat:
            raise DatedFactInvalid(why="代決は、役を1つ選んで登録してください。")
        today = civil_day(viewer.at)
        if valid_to is not None and valid_to < today:
            raise DatedFactInvalid(why="終わりの日が過ぎています。")
        if valid_from < today:
            raise DatedFactInvalid(why="始まりの日が過ぎています。きょう以後の日付にしてください。")
        with self._engine.writing() as connection:
            self._known(connection, viewer, principal, lock=True)
            self._known(connection, viewer, person_id)
            if process and process not in dict(self._engine.definitions.names_in_force(connection, office.id, viewer.at)):
                raise DatedFactInvalid(why="手続は、施行されているものから選んでください。")
            if seat and not self._holds(connection, principal, seat, valid_from):
                raise DatedFactInvalid(why=f"始まりの日に、その人は「{office.seat_name(seat)}」に就いていません。")
            same = sa.and_(
                deputy.c.principal == principal, deputy.c.person == person_id, deputy.c.kind == kind, deputy.c.seat == seat,
                deputy.c.process_id == process, self._overlapping(deputy, valid_from, valid_to),
            )  # fmt: skip
            if connection.scalar(sa.select(deputy.c.id).where(same)) is not None:
                raise DatedFactInvalid(why="同じ代理が、重なる期間ですでに登録されています。")
            values = {
                "organisation": office.id, "principal": principal, "person": person_id, "kind": kind, "seat": seat, "process_id": process,
                "basis": rule, "valid_from": valid_from, "valid_to": valid_to, "recorded_at": viewer.at, "recorded_by": viewer.person,
            }  # fmt: skip
            made = int(connection.scalar(deputy.insert().values(values).returning(deputy.c.id)) or 0)
            names = people.names(connection, [principal, person_id])
            data = {
                "name": names.get(principal, principal), "kind": DEPUTY_KINDS[kind], "deputy": person_id, "principal": principal, "seat": seat,
                "process": process, "basis": rule, "from": valid_from.isoformat(), "to": valid_to.isoformat() if valid_to else None,
            }  # fmt: skip
            self._record(connection, viewer, "deputy.registered", data)
            after_posts_change(connection, office.id, max(viewer.at, start_of_day(valid_from)), valid_to)
        return made

    def end_deputy(self, viewer: Viewer, deputy_id: int, last_day: date | None = None) -> None:
        """End a registration, at once or on a day; by the principal, or by who keeps the registers."""
        with self._engine.writing() as connection:
            row = self._current(connection, deputy, deputy_id, viewer)
            if row["principal"] != viewer.person:
                self.require_keeper(viewer)
            last = last_day or civil_day(viewer.at) - timedelta(days=1)
            self._not_longer(row, last)
            people.end_row(connection, deputy, row, last, viewer.at, viewer.person)
            names = people.names(connection, [row["principal"]])
            data = {
                "name": names.get(row["principal"], ""),
                "kind": DEPUTY_KINDS[row["kind"]],
                "deputy": row["person"],
                "last_day": last.isoformat(),
            }
            self._record(connection, viewer, "deputy.ended", data)
            after_posts_change(connection, viewer.organisation, viewer.at, last)

    def register_absence(self, viewer: Viewer, person_id: str, valid_from: date, valid_to: date | None, reason: str) -> int:
        """Register an absence; for oneself, or for anybody by who keeps the registers. Reviews then go on without him (後閲)."""
        if person_id != viewer.person:
            self.require_keeper(viewer)
        self._period(valid_from, valid_to)
        if reason not in ABSENCES:
            raise DatedFactInvalid(why="理由は、選択肢から選んでください。")
        if valid_to is not None and valid_to < civil_day(viewer.at):
            raise DatedFactInvalid(why="終わりの日が過ぎています。")
        with self._engine.writing() as connection:
            self._known(connection, viewer, person_id, lock=True)
            mine = sa.and_(absence.c.person == person_id, self._overlapping(absence, valid_from, valid_to))
            if connection.scalar(sa.select(absence.c.id).where(mine)) is not None:
                raise DatedFactInvalid(why="重なる期間の不在が、すでに登録されています。")
            values = {
                "organisation": viewer.organisation, "person": person_id, "reason": reason, "valid_from": valid_from, "valid_to": valid_to,
                "recorded_at": viewer.at, "recorded_by": viewer.person,
            }  # fmt: skip
            made = int(connection.scalar(absence.insert().values(values).returning(absence.c.id)) or 0)
            data = {"person": person_id, "from": valid_from.isoformat(), "to": valid_to.isoformat() if valid_to else "未定"}
            self._record(connection, viewer, "absence.registered", data)
            after_posts_change(connection, viewer.organisation, max(viewer.at, start_of_day(valid_from)))
        return made

    def end_absence(self, viewer: Viewer, absence_id: int) -> None:
        """End an absence: back from today on."""
        with self._engine.writing() as connection:
            row = self._current(connection, absence, absence_id, viewer)
            if row["person"] != viewer.person:
                self.require_keeper(viewer)
            last = civil_day(viewer.at) - timedelta(days=1)
            self._not_longer(row, last)
            people.end_row(connection, absence, row, last, viewer.at, viewer.person)
            self._record(connection, viewer, "absence.ended", {"person": row["person"]})

    def absences(self, viewer: Viewer) -> tuple[AbsenceShown, ...]:
        """Absences of today and later, of the whole office."""
        self.require_keeper(viewer)
        on = civil_day(viewer.at)
        wanted = sa.and_(absence.c.organisation == viewer.organisation, sa.or_(absence.c.valid_to.is_(None), absence.c.valid_to >= on))
        with self._engine.reading() as connection:
            return self._absences(connection, wanted, on)

    def deputies(self, viewer: Viewer) -> tuple[DeputyShown, ...]:
        """Deputies of today and later, of the whole office."""
        self.require_keeper(viewer)
        on = civil_day(viewer.at)
        wanted = sa.and_(deputy.c.organisation == viewer.organisation, sa.or_(deputy.c.valid_to.is_(None), deputy.c.valid_to >= on))
        with self._engine.reading() as connection:
            return self._deputies(connection, self._office(viewer), wanted, on)

    def colleagues(self, viewer: Viewer, on: date | None = None) -> tuple[tuple[str, str], ...]:
        """(id, name) of everybody in the office whose account is open: whom one may ask, circulate to, or name as deputy."""
        with self._engine.reading() as connection:
            query = sa.select(person.c.id, person.c.name).where(person.c.organisation == viewer.organisation, people.account_open())
            rows = connection.execute(query.order_by(person.c.name, person.c.id), {"on_day": on or civil_day(viewer.at)})
            return tuple((row.id, row.name) for row in rows)

    # ---------------------------------------------------------------- is there somebody for the work

    def chart(self, viewer: Viewer, on: date | None = None) -> tuple[UnitShown, ...]:
        """Units with their seats, holders and waiting work."""
        self.require_keeper(viewer)
        with self._engine.reading() as connection:
            return staffing.chart(connection, self._office(viewer), on or civil_day(viewer.at))

    def vacancies(self, viewer: Viewer) -> tuple[Vacancy, ...]:
        """Seats nobody holds, today or from a day that is known already."""
        self.require_keeper(viewer)
        with self._engine.reading() as connection:
            procedures = self._engine.definitions.all_in_force(connection, viewer.organisation, viewer.at)
            return staffing.vacancies(connection, self._office(viewer), civil_day(viewer.at), procedures)

    def stuck(self, viewer: Viewer) -> tuple[StuckTask, ...]:
        """Work nobody can do now."""
        self.require_keeper(viewer)
        with self._engine.reading() as connection:
            get = self._definition(connection)
            return staffing.stuck(connection, self._office(viewer), get, viewer.at)

    def _definition(self, connection: sa.Connection) -> Callable[[int], Any]:
        return lambda definition_id: self._engine.definitions.get(connection, definition_id)

    # ---------------------------------------------------------------- inside

    def _row(self, office: Organisation, row: Mapping[Any, Any], held: Sequence[str], away: bool, on: date) -> PersonRow:
        ended = row["disabled_at"] is not None or (row["ends_on"] is not None and row["ends_on"] < on)
        return PersonRow(
            row["id"], row["name"], row["email"] or "", tuple(office.seat_name(seat) for seat in held), row["ends_on"], ended, away
        )

    def _holdings(
        self, connection: sa.Connection, office: Organisation, wanted: sa.ColumnElement[bool], on: date
    ) -> tuple[HoldingShown, ...]:
        rows = connection.execute(
            sa.select(holding, person.c.name).join(person, person.c.id == holding.c.person).where(wanted).order_by(holding.c.valid_from.desc(), holding.c.id.desc())
        ).mappings().all()  # fmt: skip
        names = people.names(connection, [row["recorded_by"] for row in rows])
        return tuple(
            HoldingShown(
                row["id"], row["person"], row["name"], row["seat"], office.seat_name(row["seat"]), row["kind"], HOLDING_KINDS[row["kind"]],
                row["valid_from"], row["valid_to"], row["basis"], row["source"], _state(row, on), row["recorded_at"],
                names.get(row["recorded_by"], row["recorded_by"]), row["superseded_at"],
            )
            for row in rows
        )  # fmt: skip

    def _deputies(
        self, connection: sa.Connection, office: Organisation, wanted: sa.ColumnElement[bool], on: date
    ) -> tuple[DeputyShown, ...]:
        rows = connection.execute(
            sa.select(deputy).where(wanted, deputy.c.superseded_at.is_(None)).order_by(deputy.c.valid_from.desc(), deputy.c.id.desc())
        ).mappings().all()  # fmt: skip
        names = people.names(connection, [who for row in rows for who in (row["person"], row["principal"])])
        procedures = dict(self._engine.definitions.names_in_force(connection, office.id, self._engine.clock.now())) if rows else {}
        return tuple(
            DeputyShown(
                row["id"], row["principal"], names.get(row["principal"], ""), row["person"], names.get(row["person"], ""), row["kind"],
                DEPUTY_KINDS[row["kind"]], row["seat"], office.seat_name(row["seat"]) if row["seat"] else "", row["process_id"],
                procedures.get(row["process_id"], row["process_id"]), row["basis"], row["valid_from"], row["valid_to"], _state(row, on),
            )
            for row in rows
        )  # fmt: skip

    def _absences(self, connection: sa.Connection, wanted: sa.ColumnElement[bool], on: date) -> tuple[AbsenceShown, ...]:
        rows = connection.execute(
            sa.select(absence, person.c.name)
            .join(person, person.c.id == absence.c.person)
            .where(wanted, absence.c.superseded_at.is_(None))
            .order_by(absence.c.valid_from.desc(), absence.c.id.desc())
        ).mappings()
        return tuple(
            AbsenceShown(
                row["id"], row["person"], row["name"], row["reason"], ABSENCES.get(row["reason"], row["reason"]), row["valid_from"],
                row["valid_to"], _state(row, on),
            )
            for row in rows
        )  # fmt: skip

    def _known(self, connection: sa.Connection, viewer: Viewer, person_id: str, *, lock: bool = False) -> Mapping[Any, Any]:
        """An account that is open today; locked, so that of two facts that overlap the second sees the first."""
        query = sa.select(person).where(person.c.id == person_id, person.c.organisation == viewer.organisation, people.account_open())
        row = connection.execute(query.with_for_update() if lock else query, {"on_day": civil_day(viewer.at)}).mappings().first()
        if row is None:
            raise PersonNotFound(person=person_id)
        return row

    def _current(self, connection: sa.Connection, table: sa.Table, row_id: int, viewer: Viewer) -> Mapping[Any, Any]:
        """A dated fact as it is known now; locked, so that two who end it do so one after the other."""
        query = sa.select(table).where(table.c.id == row_id, table.c.organisation == viewer.organisation, table.c.superseded_at.is_(None))
        row = connection.execute(query.with_for_update()).mappings().first()
        if row is None:
            raise DatedFactInvalid(why="この登録は、もう変わっています。画面を開き直してください。")
        return row

    def _holds(self, connection: sa.Connection, person_id: str, seat: str, on: date) -> bool:
        query = sa.select(holding.c.id).where(
            holding.c.person == person_id, holding.c.seat == seat, holding.c.kind.in_(people.DEPUTISED), people.in_period(holding)
        )
        return connection.scalar(query, {"on_day": on}) is not None

    def _no_overlap(self, connection: sa.Connection, person_id: str, seat: str, first: date, last: date | None) -> None:
        same = sa.and_(holding.c.person == person_id, holding.c.seat == seat, self._overlapping(holding, first, last))
        if connection.scalar(sa.select(holding.c.id).where(same)) is not None:
            raise DatedFactInvalid(why="この人は、その期間にすでに同じ役に就いています（期間が重なります）。")

    @staticmethod
    def _overlapping(table: sa.Table, first: date, last: date | None) -> sa.ColumnElement[bool]:
        begins = sa.true() if last is None else table.c.valid_from <= last
        return sa.and_(begins, sa.or_(table.c.valid_to.is_(None), table.c.valid_to >= first), table.c.superseded_at.is_(None))

    @staticmethod
    def _not_longer(row: Mapping[Any, Any], last_day: date) -> None:
        if row["valid_to"] is not None and last_day > row["valid_to"]:
            raise DatedFactInvalid(why="終了日が、いま登録されている終了日より後です。")

    @staticmethod
    def _period(first: date, last: date | None) -> None:
        if last is not None and last < first:
            raise DatedFactInvalid(why="終わりの日が、始まりの日より前です。")
        if not 1990 <= first.year <= 2200:
            raise DatedFactInvalid(why="始まりの日の年を確かめてください。")

    @staticmethod
    def _words(label: str, text: str, limit: int) -> str:
        try:
            clean = clean_text(text, limit, lines=False)
        except ValueError as wrong:
            raise DatedFactInvalid(why=f"「{label}」{wrong}") from None
        if not clean:
            raise DatedFactInvalid(why=f"「{label}」を入力してください。")
        return clean

    def _email(self, email: str | None) -> str | None:
        text = (email or "").strip()
        if not text:
            return None
        address = self._words("メール", text, 254)
        name, at, host = address.partition("@")
        if not name or not at or "." not in host or any(letter.isspace() for letter in address):
            raise DatedFactInvalid(why="「メール」の形を確かめてください。")
        return address


def one_time_password() -> str:
    """A password for the first sign-in, to be handed over on paper."""
    return "-".join("".join(secrets.choice(_LETTERS) for _ in range(5)) for _ in range(4))


def _state(row: Mapping[Any, Any], on: date) -> str:
    if row["superseded_at"] is not None:
        return "superseded"
    if row["valid_from"] > on:
        return "future"
    return "past" if row["valid_to"] is not None and row["valid_to"] < on else "now"
