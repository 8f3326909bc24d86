"""The unit of work: one actor, one instant, one commit. What every verb needs: find the case, ask whether the actor may, read, record."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from datetime import datetime
from functools import partial
from typing import Any

import sqlalchemy as sa

from engine import access, apart, claims, forms, history, obligations, people, standing
from engine.batch import Batch
from engine.clock import civil_day
from engine.definitions import Definitions
from engine.desk import Begun, Desk
from engine.errors import (
    AlreadyClaimed,
    AlreadyDone,
    CaseClosed,
    CaseNotFound,
    ClosingNotReady,
    FormInvalid,
    NamedApart,
    ReasonRequired,
    SamePerson,
    StaleVersion,
    TakenOut,
    TaskClosed,
    TaskNotFound,
    TextTooLong,
)
from engine.model import Row, bar, case_file, case_seat, draft, task
from engine.model import history as history_table
from engine.moves import Move
from engine.net import Node
from engine.organisation import Organisation
from engine.sight import cases_of
from engine.store import OpenCase, Writer
from engine.tokens import Marking, Wait
from engine.views import SeatHeld, Viewer

MAX_NOTE = 4_000

# Statements of every completed step, built once: building one costs more than SQLite needs to run it.
_BARRED = sa.exists().where(bar.c.case_id == case_file.c.id, bar.c.lifted_at.is_(None)).label("barred")
_CASE_OF_TASK = (
    sa.select(case_file, _BARRED)
    .join(task, task.c.case_id == case_file.c.id)
    .where(task.c.id == sa.bindparam("task"))
    .with_for_update(of=case_file)
)
#: Cases that the caller has locked, as an act reads them.
CASES = sa.select(case_file, _BARRED).where(case_file.c.id.in_(sa.bindparam("cases", expanding=True)))
_CASE = sa.select(case_file, _BARRED).where(case_file.c.id == sa.bindparam("case")).with_for_update(of=case_file)
_TASK = sa.select(task).where(task.c.id == sa.bindparam("task"))
_FINISH_TASK = task.update().where(
    task.c.id == sa.bindparam("task"), task.c.version == sa.bindparam("before"), task.c.state == sa.literal("open")
)
_DROP_DRAFT = draft.delete().where(draft.c.person == sa.bindparam("person"), draft.c.about == sa.bindparam("about"))


def japanese(instant: datetime) -> str:
    """An instant as messages write it."""
    return forms.japanese_instant(instant.isoformat())


def acting_data(held: SeatHeld) -> dict[str, Any]:
    """What the record says of how one came to act, when it is not plainly by holding the seat."""
    said = {"for": held.principal, "basis": held.basis, "held": held.held}
    said = {name: value for name, value in said.items() if value}
    if not said and held.kind in ("main", "concurrent", "joint", "person"):
        return {}
    return {"acting": {"kind": held.kind, **said}}


class UnitOfWork:
    """One actor, one instant, one connection; the verbs are its subclasses'."""

    def __init__(
        self,
        connection: sa.Connection,
        definitions: Definitions,
        organisations: Mapping[str, Organisation],
        *,
        by: str,
        seat: str | None,
        now: datetime,
        viewer: Viewer | None = None,
        batch: Batch | None = None,
    ) -> None:
        self._connection = connection
        self._batch = batch or Batch(connection)
        self._definitions = definitions
        self._organisations = organisations
        self._now = now
        self._seat = seat
        self._held: SeatHeld | None = None  # as what the actor does the act at hand
        self._chain = 0  # cases being begun within each other
        self.attempt: dict[str, Any] = {}
        self.person = by
        if viewer is None and by == people.SYSTEM:
            viewer = Viewer(by, people.SYSTEM_NAME, "", (), now)
        self.viewer = viewer or standing.viewer_of(connection, organisations, by, now)
        self.organisation_id = self.viewer.organisation

    @property
    def organisation(self) -> Organisation:
        """The actor's office."""
        return self._organisations[self.organisation_id]

    @property
    def _self(self) -> SeatHeld:
        """The actor as nobody but himself."""
        return SeatHeld(self.viewer.own_key, "本人", "person", civil_day(self._now), None)

    @property
    def _writer(self) -> Writer:
        return Writer(self._connection, self._now, self.person, self._batch)

    # ---------------------------------------------------------------- find

    def _attempting(self, verb: str, **ids: Any) -> None:
        """Remember what was tried, for the row of a refused attempt."""
        self.attempt = {"verb": verb, **ids}

    def _case(self, case_id: int, *, closed: bool = False) -> OpenCase:
        """Take up a case the actor may see; its row is locked on PostgreSQL, the whole database on SQLite."""
        row = self._batch.take(case_id) or self._connection.execute(_CASE, {"case": case_id}).mappings().first()
        if row is None or not self._may_see(case_id, row["organisation"]):
            raise CaseNotFound(case=case_id)
        if row["state"] != "open" and not closed:
            raise CaseClosed(case=case_id)
        return self._open_case(dict(row))

    def _take_up(self, case_id: int) -> OpenCase:
        """Take up an open case for what the system does to it, whoever may see it."""
        row = self._batch.take(case_id) or self._connection.execute(_CASE, {"case": case_id}).mappings().one()
        if row["state"] != "open":
            raise CaseClosed(case=case_id)
        return self._open_case(dict(row))

    def _open_case(self, row: dict[str, Any]) -> OpenCase:
        definition = self._definitions.get(self._connection, row["definition"])
        self.attempt.setdefault("case", row["id"])
        self.organisation_id = self.organisation_id or row["organisation"]
        office = self._organisations[row["organisation"]]
        case = OpenCase(row, definition, office, Marking.load(row["marking"]), json.loads(row["facts"]))
        case.desk = self._desk(office)
        return case

    def _desk(self, office: Organisation) -> Desk:
        return Desk(self._connection, office, self._now, self._begin_linked, partial(self._batch.part, self._now), begun=self._chain > 0)

    def _begin_linked(self, process_id: str, passes: Mapping[str, Any], unit: str) -> Begun:
        raise NotImplementedError  # engine/system_work.py knows how a case begins

    def _may_see(self, case_id: int, organisation: str) -> bool:
        if self.person == people.SYSTEM:
            return True
        if organisation != self.organisation_id:
            return False
        return self._connection.scalar(sa.select(case_file.c.id).where(case_file.c.id == case_id, cases_of(self.viewer))) is not None

    def _task(self, task_id: int) -> tuple[OpenCase, dict[str, Any]]:
        """Take up a task and its case, the case locked first (the other order deadlocks on PostgreSQL).

        The task is read after the lock: a joined read that had to wait would show it as it was before the wait.
        """
        found = self._connection.execute(_CASE_OF_TASK, {"task": task_id}).mappings().first()
        if found is None:
            raise TaskNotFound(task=task_id)
        row = dict(self._connection.execute(_TASK, {"task": task_id}).mappings().one())
        self.attempt["case"] = row["case_id"]
        mine = access.standings(self.viewer, row) and row["case_id"] not in self.viewer.barred_cases
        if row["organisation"] != self.organisation_id or not (mine or self._may_see(row["case_id"], row["organisation"])):
            raise TaskNotFound(task=task_id)
        if row["state"] == "cancelled":
            raise TaskClosed(task=task_id, at=japanese(row["closed_at"]))
        if row["state"] != "open":
            who = people.names(self._connection, [row["closed_by"]]).get(row["closed_by"], "")
            raise AlreadyDone(task=task_id, at=japanese(row["closed_at"]), person=who)
        return self._open_case(dict(found)), row

    def _locked_task(self, task_id: int) -> tuple[OpenCase, Row | None]:
        """A task and its case for what the system does to them, whoever may see them; no row when the case is over."""
        found = self._connection.execute(_CASE_OF_TASK, {"task": task_id}).mappings().one()
        row = self._connection.execute(_TASK, {"task": task_id}).mappings().one()
        return self._open_case(dict(found)), dict(row) if found["state"] == "open" else None

    def _wait(self, case: OpenCase, key: str) -> Wait:
        return next(wait for wait in case.waits() if wait.kind == "task" and wait.key == key)

    # ---------------------------------------------------------------- may they?

    def _act_on(self, case: OpenCase, row: Row) -> SeatHeld:
        """As what the actor does a task."""
        held = access.acting_as(self._seat, self.viewer, row, case.organisation)
        another = row["claimed_by"] not in (None, self.person)
        if another and not claims.lapsed(self._connection, case.organisation, [row], self._now):
            who = people.names(self._connection, [row["claimed_by"]]).get(row["claimed_by"], "")
            raise AlreadyClaimed(task=row["id"], at=japanese(row["claimed_at"]), person=who)
        self._held = held
        return held

    def _standing_among(self, allowed: Iterable[str], process: str) -> SeatHeld:
        self._held = access.standing_among(self._seat, self.viewer, allowed, process, self.organisation)
        return self._held

    @contextmanager
    def _as_system(self) -> Iterator[None]:
        """What happens within this is the system's doing, whoever's act led to it."""
        acting = self.person, self._held
        self.person, self._held = people.SYSTEM, None
        try:
            yield
        finally:
            self.person, self._held = acting

    def _sight(self, case: OpenCase) -> SeatHeld:
        """As what a note, an attachment or a question is made: from the seat named, or from one that sees the case.

        Raises:
            TakenOut: the case is about the actor.
        """
        if case.id in self.viewer.barred_cases:
            raise TakenOut(case=case.id)
        usable = access.usable(self.viewer, case.row["process_id"])
        if self._seat is not None:
            return self._standing_among([self._seat], case.row["process_id"])
        wanted = sa.select(case_seat.c.seat).where(case_seat.c.case_id == case.id, case_seat.c.seat.in_([held.seat for held in usable]))
        sees = set(self._connection.scalars(wanted))
        return next((held for held in usable if held.seat in sees), usable[-1])

    def _check_same_person(self, case: OpenCase, node: Node, held: SeatHeld) -> None:
        """Separation of duties: whatever seat one acts from, one is the same person; and a deputy's act is his principal's too."""
        found = apart.in_the_way(self._connection, case, node, {self.person, held.principal} - {""})
        if found is not None:
            raise (SamePerson if found.at is not None else NamedApart)(other=found.name, case=case.id)

    # ---------------------------------------------------------------- does it fit?

    def _read(
        self, node: Node, answers: Mapping[str, Any], move: Move, local: Mapping[str, Any] | None = None, *, keep_facts: bool = True
    ) -> dict[str, Any]:
        def evaluate(expression: str, known: Mapping[str, Any]) -> Any:
            return move.evaluate(expression, {**(local or {}), **known})

        units: dict[str, str] = {}
        if any(field.type == "unit" for field in node.form):
            units = {unit.id: unit.name for unit in move.organisation.owners(civil_day(self._now))}
        find = people.finder(self._connection, move.organisation, civil_day(self._now))
        return forms.read(
            node.form, answers, facts=move.facts, now=self._now, units=units, evaluate=evaluate, keep_facts=keep_facts, people=find
        )

    def _check_version(self, case: OpenCase, version: int, answers: Mapping[str, Any]) -> None:
        """Refuse to overwrite a fact that somebody changed after the actor's page was made; other changes do not matter."""
        since = self._connection.scalars(
            sa.select(history_table.c.data).where(
                history_table.c.case_id == case.id, history_table.c.chain == f"case:{case.id}", history_table.c.person != self.person
            )
        )
        for text in since:
            data = json.loads(text)
            if data.get("version", 0) > version:
                for name in data.get("facts", {}):
                    if name in answers and answers[name] != case.facts.get(name):
                        raise StaleVersion(case=case.id, field=name)

    def _check_duties(self, case: OpenCase, move: Move, node: Node) -> None:
        """Before a case closes, every duty it opened must have its record (rules.toml, `[[duty]]`)."""
        unmet = obligations.unmet(self._connection, case.id, case.row["process_id"], move, node)
        if unmet:
            raise ClosingNotReady(duties="、".join(unmet), case=case.id)

    def _reason(self, reason: str) -> str:
        if not reason or not reason.strip():
            raise ReasonRequired()
        return self._text(reason, "理由")

    def _text(self, text: str, name: str) -> str:
        if len(text) > MAX_NOTE:
            raise TextTooLong(name=name, limit=MAX_NOTE)
        try:
            return forms.clean_text(text, MAX_NOTE, lines=True) or ""
        except ValueError as error:
            raise FormInvalid({name: f"「{name}」{error}"}) from None

    # ---------------------------------------------------------------- record

    def _entry(
        self,
        tag: str,
        node: Node | None,
        data: dict[str, Any],
        held: SeatHeld | None,
        row: Row | None = None,
        clauses: tuple[str, ...] = (),
    ) -> history.Entry:
        if held is not None:
            data = {**data, **acting_data(held)}
        return history.Entry(
            tag,
            self._now,
            self.person,
            held.seat if held is not None else None,
            node.id if node else row["node"] if row else None,
            row["id"] if row else None,
            ",".join(clauses) or None,
            None,
            data,
        )

    def _finish_task(self, case: OpenCase, row: Row, state: str, held: SeatHeld) -> None:
        """Close the task row under its version: the second of two simultaneous completions finds it changed."""
        values = {
            "state": state, "closed_at": self._now, "closed_by": self.person, "closed_seat": held.seat,
            "closed_for": held.principal or None, "version": row["version"] + 1,
        }  # fmt: skip
        if self._connection.execute(_FINISH_TASK, {"task": row["id"], "before": row["version"], **values}).rowcount != 1:
            raise AlreadyDone(task=row["id"], at=japanese(self._now), person="")
        case.finished = row
        case.seen_by.append(f"person:{self.person}")

    def _save(self, case: OpenCase, move: Move, marking: Marking, writer: Writer | None = None) -> None:
        for entry in case.entries:
            entry.definition = entry.definition or case.definition.id
        (writer or self._writer).save(case, move, marking)

    def _drop_draft(self, about: str) -> None:
        self._connection.execute(_DROP_DRAFT, {"person": self.person, "about": about})


def changes(before: Mapping[str, Any], after: Mapping[str, Any]) -> dict[str, list[Any]]:
    """fact -> [old, new] for every fact that differs."""
    return {
        name: [before.get(name), after.get(name)] for name in sorted(before.keys() | after.keys()) if before.get(name) != after.get(name)
    }


def changed_facts(before: Mapping[str, Any], after: Mapping[str, Any]) -> dict[str, Any]:
    """The changes as the record keeps them beside an act that seldom makes any; nothing when there is none."""
    found = changes(before, after)
    return {"facts": found} if found else {}
