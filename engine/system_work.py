"""What the system itself does to a case: begins it when it is time, timers, reminders and warnings, and work that failed and is tried again."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Any

import sqlalchemy as sa

from engine import history, people, starts, stopped, tokens
from engine.clock import JST, civil_day
from engine.definitions import Definition
from engine.desk import Begun
from engine.errors import CaseClosed, ClosingNotReady, EndlessChain, NotStopped, ProcessNotFound, TriedMeanwhile
from engine.linked import first_facts
from engine.model import Row, case_file, job, task
from engine.moves import Move, reason_of, recorded
from engine.net import Node
from engine.notices import Told
from engine.organisation import PERSON
from engine.review import ReviewVerbs
from engine.store import Writer, timer_job, work_entry
from engine.tokens import ServiceFailed
from engine.unit_of_work import changes
from engine.views import SeatHeld

#: Cases that begin cases: so many of them one act may make. Two procedures that begin each other would go on for ever.
MOST_IN_A_CHAIN = 5


class SystemVerbs(ReviewVerbs):
    """The verbs of the worker and of an administrator who lets failed work be tried again."""

    # ---------------------------------------------------------------- work that failed

    def retry(self, job_id: int, attempts: int | None = None) -> bool:
        """Try a stopped step again now, as an administrator of its office, who need not see the case; whether it goes on.

        Args:
            attempts: how often it had been tried when the actor looked: whoever presses twice tries once.

        Raises:
            NotAllowed, NotStopped, TriedMeanwhile.
        """
        self._attempting("retry", job=job_id)
        held = None
        ours = [job.c.id == job_id, job.c.kind == stopped.KIND]
        if self.person != people.SYSTEM:
            held = self._standing_among(stopped.administrators(self.organisation, self._now), "")
            ours.append(case_file.c.organisation == self.organisation_id)
        # The case first, then the job, read after the lock: the order every act takes.
        locked = sa.select(case_file.c.id).join(job, job.c.case_id == case_file.c.id).where(*ours).with_for_update(of=case_file)
        if self._connection.scalar(locked) is None:
            raise NotStopped(job=job_id)
        row = self._connection.execute(sa.select(job).where(job.c.id == job_id)).mappings().first()
        if row is None:
            raise NotStopped(job=job_id)
        if attempts is not None and attempts != row["attempts"]:
            raise TriedMeanwhile(job=job_id)
        self._connection.execute(job.delete().where(job.c.id == job_id))
        return self.try_again(row, self._entry("service.retried", None, {"name": json.loads(row["payload"])["step"]}, held))

    def try_again(self, row: Row, asked: history.Entry | None = None) -> bool:
        """Try the failed work of a job that the caller has taken away, as the system; whether it is done.

        All of it or nothing: when the work, or what follows it in the diagram, fails again, the case is as it was, but for the record
        of the try, and the job is back, due later.

        Args:
            asked: the record of who asked for it; None when it was due.
        """
        before = [asked] if asked else []
        try:
            with self._batch.part(self._now):
                self._carry_out(row, before)
            return True
        except (CaseClosed, sa.exc.SQLAlchemyError):
            raise
        except ClosingNotReady:  # which duties is the case's own affair
            reason = "未了の義務があるため、終結できません。"
        except Exception as error:
            reason = reason_of(error, self._take_up(row["case_id"]).facts)
        case = self._take_up(row["case_id"])
        wait = next(one for one in case.waits() if stopped.key_of(one.key) == row["key"])
        later = stopped.next_row(row, reason, self._now, by_hand=asked is not None)
        self._batch.add_jobs([later])
        case.entries += before
        case.entries.append(
            work_entry("service.failed", self._now, case, wait.node, wait.local, attempt=later["attempts"], error=reason),
        )
        if later["run_at"] is None:  # once: a notice is unique by its cause
            step = json.loads(row["payload"])["step"]
            case.told.append(stopped.warning(case.id, row["key"], step, case.organisation, self._now))
        self._system_writer.touch(case)
        return False

    def _carry_out(self, row: Row, before: list[history.Entry]) -> None:
        """One more try at failed work, with all that follows when it is done."""
        case = self._take_up(row["case_id"])
        wait = next((one for one in case.waits() if one.kind == "service" and stopped.key_of(one.key) == row["key"]), None)
        if wait is None:
            return
        move = case.move(self._now, acting=True)
        with self._as_system():
            step = move.retry(case.marking, wait)
        waits = tokens.waiting(case.definition.net, step.marking)
        if any(one.key == wait.key for one in waits):
            failure = move.failure(wait)
            raise ServiceFailed(failure.reason if failure else "")
        if not waits and step.marking.ended is not None:
            # Whoever did the last step could not be asked: whether the case would end was not known then.
            self._check_duties(case, move, case.definition.net.start)
        case.ran = wait.key
        data: dict[str, Any] = {"attempt": row["attempts"] + 1, "facts": changes(case.facts, move.facts)}
        if move.thrown is not None:
            data["code"] = move.thrown
        tag = "service.passed" if move.thrown is None else "service.errored"
        case.entries += [*before, work_entry(tag, self._now, case, wait.node, wait.local, **data)]
        self._save(case, move, step.marking, self._system_writer)

    @property
    def _system_writer(self) -> Writer:
        """Writes what the system did, whoever asked for it: nobody is left out when people are told."""
        return Writer(self._connection, self._now, people.SYSTEM, self._batch)

    # ---------------------------------------------------------------- a case begins

    def _begin(
        self, definition: Definition, start: Node, unit: str, answers: Callable[[Move], dict[str, Any]], held: SeatHeld | None, **told: Any
    ) -> Begun:
        """Begin a case at a start event, from a unit, with what `answers` reads, in the name of who acts."""
        self._held = held
        facts: dict[str, Any] = {
            "reporter": self.person,
            "reporting_unit": unit,
            "owning_unit": unit,
            "reported_at": self._now.astimezone(JST).isoformat(timespec="seconds"),
        }
        desk = self._desk(self.organisation)
        move = Move(definition, self.organisation, facts, self._now, acting=True, desk=desk)
        read = answers(move)
        read.setdefault("known_at", self._now.astimezone(JST).isoformat(timespec="minutes"))
        step = move.begin(start, read)
        data = {"facts": {name: [None, value] for name, value in move.facts.items()}, "name": definition.name, **told}
        entry = self._entry("case.started", start, data, held, clauses=recorded(start))
        entry.definition = definition.id
        number = desk.number(definition.net.properties.get("numbering", "general"))
        row = {
            "organisation": self.organisation_id,
            "definition": definition.id,
            "process_id": definition.process_id,
            "number": number,
            "reporter": self.person,
            "reported_for": (held.principal or None) if held is not None else None,
        }
        case_id = self._writer.create(row, definition, move, step.marking, [entry])
        self._review_opened(case_id, definition)
        return Begun(case_id, number, definition)

    def _begin_linked(self, process_id: str, passes: Mapping[str, Any], unit: str) -> Begun:
        """Begin a case that the diagram of another asks for (service `start_case`).

        Raises:
            ServiceFailed: the facts passed do not make a case.
            EndlessChain: it would be one too many; none of the chain begins.
        """
        if self._chain >= MOST_IN_A_CHAIN:
            raise EndlessChain(limit=MOST_IN_A_CHAIN)
        definition = self._definitions.in_force(self._connection, self.organisation_id, process_id, self._now)
        held = self._held
        posted = held is not None and not held.seat.startswith(PERSON)
        reporting = held.seat.partition("@")[2] if held is not None and posted else unit

        def passed(move: Move) -> dict[str, Any]:
            return first_facts(definition, passes, unit, move, people.finder(self._connection, move.organisation, civil_day(self._now)))

        self._chain += 1
        try:
            return self._begin(definition, definition.net.start, reporting, passed, held)
        finally:
            self._chain -= 1
            self._held = held

    def start_by_time(self, payload: Mapping[str, Any]) -> int | None:
        """Let a due start event begin a case, with the system as its reporter in the office's root unit, and arm the next round.

        Returns:
            the case's id; None when this round has started one already, or the version in force now starts by it no more.
        """
        self.organisation_id = payload["organisation"]
        self._attempting("start", process=payload["process"])
        try:
            definition = self._definitions.in_force(self._connection, self.organisation_id, payload["process"], self._now)
        except ProcessNotFound:
            return None
        start = next((node for node in definition.net.timed_starts if node.element == payload["event"]), None)
        if start is None:
            return None
        case_id = None
        if starts.take(self._connection, payload):
            case_id = self._begin(definition, start, self.organisation.id, lambda _move: {}, None, due_at=payload["due"]).case_id
            starts.made(self._connection, payload, case_id)
        starts.arm_next(self._connection, self._definitions, payload, self._now)
        return case_id

    # ---------------------------------------------------------------- what the worker does

    def fire_timer(self, case_id: int, wait_key: str, due: datetime) -> bool:
        """Let a due timer happen; False when the case no longer waits for it."""
        case = self._case(case_id)
        wait = next((one for one in case.waits() if one.kind == "timer" and one.key == wait_key), None)
        if wait is None:
            return False
        move = case.move(self._now, acting=True)
        step = move.fire(case.marking, wait)
        entry = history.Entry(
            "timer.fired", self._now, people.SYSTEM, None, wait.node.id, None, wait.node.properties.get("clause"), case.definition.id,
            {"name": wait.node.name, "facts": changes(case.facts, move.facts)},
        )  # fmt: skip
        case.entries.append(entry)
        self._save(case, move, step.marking)
        still = next(
            (one for one in tokens.waiting(case.definition.net, step.marking) if one.kind == "timer" and one.key == wait_key), None
        )
        if still is not None:  # a cycle: the next round counts from when this one was due, not from when a worker came by
            again = timer_job(case_id, still, move, due, again=True)
            if again is not None:
                self._batch.add_jobs([again])
                self._batch.settle(self._now)
        return True

    def tell(self, case_id: int, told: Told, entry: tuple[str, dict[str, Any]] | None = None) -> None:
        """Write notices that time causes (reminders, warnings), with a history row when the record should show it."""
        case = self._case(case_id, closed=True)
        case.told.append(told)
        if entry is not None:
            tag, data = entry
            case.entries.append(history.Entry(tag, self._now, people.SYSTEM, None, None, told.task_id, None, case.definition.id, data))
        self._writer.touch(case)

    def open_task_row(self, task_id: int) -> Row | None:
        """The task while it is open, for reminders."""
        return self._connection.execute(sa.select(task).where(task.c.id == task_id, task.c.state == "open")).mappings().first()

    def seats_to_warn(self, case_id: int) -> tuple[str, ...]:
        """Seats of every open task of a case; when it only waits, those that acted on it and the reporter: a warning never reaches nobody."""
        seats = sa.select(task.c.seat).where(task.c.case_id == case_id).distinct().order_by(task.c.seat)
        found = tuple(self._connection.scalars(seats.where(task.c.state == "open")))
        if found:
            return found
        reporter = self._connection.scalar(sa.select(case_file.c.reporter).where(case_file.c.id == case_id))
        return (*self._connection.scalars(seats.where(task.c.state == "done")), f"person:{reporter}")
