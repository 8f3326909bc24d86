"""The unit of work: one actor, one instant, one commit; every verb that changes a case."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from datetime import datetime
from typing import Any

import sqlalchemy as sa

from engine import access, attachments, forms, history, obligations, people, stopped, tokens
from engine.clock import JST, civil_day
from engine.definitions import Definitions
from engine.errors import (
    ActionNotOffered,
    AlreadyClaimed,
    AlreadyDone,
    CaseClosed,
    CaseNotFound,
    ClosingNotReady,
    FormInvalid,
    MergeRefused,
    NotAllowed,
    NotClaimed,
    NotSendBack,
    NotStopped,
    NotYourSeat,
    ReasonRequired,
    SamePerson,
    StaleVersion,
    TaskClosed,
    TaskNotFound,
    TextTooLong,
    TriedMeanwhile,
    WithdrawNotAllowed,
)
from engine.model import Row, attachment, case_file, case_link, case_seat, draft, job, submission, task
from engine.model import history as history_table
from engine.moves import Move, armed, reason_of, recorded, send_back_targets
from engine.net import Node
from engine.notices import Told
from engine.organisation import Organisation
from engine.store import OpenCase, Writer, insert_new, next_number, others_acted, see, timer_job, work_entry
from engine.tokens import Marking, ServiceFailed, Wait

MAX_NOTE = 4_000

# Statements of every completed step, built once: building one costs more than SQLite needs to run it.
_CASE_OF_TASK = (
    sa.select(case_file).join(task, task.c.case_id == case_file.c.id).where(task.c.id == sa.bindparam("task")).with_for_update(of=case_file)
)
_CASE = sa.select(case_file).where(case_file.c.id == sa.bindparam("case")).with_for_update()
_TASK = sa.select(task).where(task.c.id == sa.bindparam("task"))
_FINISH_TASK = task.update().where(
    task.c.id == sa.bindparam("task"), task.c.version == sa.bindparam("before"), task.c.state == sa.literal("open")
)
_DROP_DRAFT = draft.delete().where(draft.c.person == sa.bindparam("person"), draft.c.about == sa.bindparam("about"))


def japanese(instant: datetime) -> str:
    """An instant as messages write it."""
    return forms.japanese_instant(instant.isoformat())


class Work:
    """One actor acting at one instant. Opened by `Engine.work`, which commits or rolls back and records refusals."""

    def __init__(
        self,
        connection: sa.Connection,
        definitions: Definitions,
        organisations: Mapping[str, Organisation],
        *,
        by: str,
        seat: str | None,
        now: datetime,
        host: str,
    ) -> None:
        self._connection = connection
        self._definitions = definitions
        self._organisations = organisations
        self._now = now
        self._host = host
        self._seat = seat
        self.attempt: dict[str, Any] = {}
        self.person = by
        if by == people.SYSTEM:
            self._seats: frozenset[str] = frozenset()
            self.organisation_id = ""
            return
        someone, held = people.find_with_seats(connection, by, civil_day(now))
        self.organisation_id = someone.organisation
        self._held = held
        self._seats = frozenset([*(row[0] for row in held), f"person:{by}"])

    @property
    def organisation(self) -> Organisation:
        """The actor's office."""
        return self._organisations[self.organisation_id]

    @property
    def _writer(self) -> Writer:
        return Writer(self._connection, self._now, self.person, self._host)

    # ---------------------------------------------------------------- starting

    def start(self, process_id: str, answers: Mapping[str, Any], once: str | None = None) -> int:
        """Start a case of a procedure with the answers of its start form; returns the case's id.

        Args:
            once: a token of the form: sending the same form again returns the first case instead of making a second.

        Raises:
            ProcessNotFound, NotAllowed, FormInvalid, NoSeat.
        """
        self._attempting("start", process=process_id)
        if once is not None:
            made = self._made_before(once)
            if made is not None:
                return made
        seat = self._starting_seat()
        definition = self._definitions.in_force(self._connection, self.organisation_id, process_id, self._now)
        start = definition.net.start
        unit = seat.partition("@")[2]
        facts: dict[str, Any] = {
            "reporter": self.person,
            "reporting_unit": unit,
            "owning_unit": unit,
            "reported_at": self._now.astimezone(JST).isoformat(timespec="seconds"),
        }
        move = Move(definition, self.organisation, facts, self._now, acting=True)
        read = self._read(start, answers, move)
        read.setdefault("known_at", self._now.astimezone(JST).isoformat(timespec="minutes"))
        step = move.begin(start, read)
        today = civil_day(self._now)
        numbering = self.organisation.rules.numbering_of(definition.net.properties.get("numbering", "general"), today)
        sequence = next_number(self._connection, self.organisation_id, numbering.key, str(numbering.year(today)))
        data = {"facts": {name: [None, value] for name, value in move.facts.items()}, "name": definition.name}
        entry = self._entry("case.started", start, data, seat, clauses=recorded(start))
        entry.definition = definition.id
        row = {
            "organisation": self.organisation_id,
            "definition": definition.id,
            "process_id": process_id,
            "number": numbering.number(today, sequence),
            "reporter": self.person,
        }
        case_id = self._writer.create(row, definition, move, step.marking, [entry])
        if once is not None:
            self._connection.execute(submission.update().where(*self._token(once)).values(case_id=case_id))
        self._drop_draft(f"start:{process_id}")
        return case_id

    def _token(self, once: str) -> tuple[sa.ColumnElement[bool], sa.ColumnElement[bool]]:
        return submission.c.person == self.person, submission.c.token == once[:64]

    def _made_before(self, once: str) -> int | None:
        """The case an earlier sending of this form made. The token is taken before the case is made: a second sending waits for the first."""
        mine = {"person": self.person, "token": once[:64], "at": self._now}
        taken = self._connection.execute(insert_new(self._connection, submission), mine).rowcount == 1
        return None if taken else self._connection.scalar(sa.select(submission.c.case_id).where(*self._token(once)))

    def _starting_seat(self) -> str:
        held = [row[0] for row in self._held]
        if self._seat is not None:
            if self._seat not in held:
                raise NotYourSeat(seat=self._seat, seat_name=self.organisation.seat_name(self._seat))
            return self._seat
        if not held:
            raise NotAllowed()
        # The main post says where one works; `staff` is the seat from which anyone reports.
        return min(self._held, key=lambda row: (row[1] != "main", not row[0].startswith("staff@")))[0]

    # ---------------------------------------------------------------- tasks

    def claim(self, task_id: int) -> None:
        """Take a task of one's seat for oneself; claiming one's own again changes nothing."""
        self._attempting("claim", task=task_id)
        case, row = self._task(task_id)
        seat = self._act_on(case, row)
        if row["claimed_by"] == self.person:
            return
        self._connection.execute(
            task.update().where(task.c.id == task_id).values(claimed_by=self.person, claimed_at=self._now, version=row["version"] + 1)
        )
        case.entries.append(self._entry("task.claimed", None, {"name": row["name"]}, seat, row))
        self._writer.touch(case)

    def release(self, task_id: int) -> None:
        """Give a claimed task back to the seat."""
        self._attempting("release", task=task_id)
        case, row = self._task(task_id)
        seat = self._act_on(case, row)
        if row["claimed_by"] != self.person:
            raise NotClaimed(task=task_id)
        self._connection.execute(
            task.update().where(task.c.id == task_id).values(claimed_by=None, claimed_at=None, version=row["version"] + 1)
        )
        case.entries.append(self._entry("task.released", None, {"name": row["name"]}, seat, row))
        self._writer.touch(case)

    def complete(self, task_id: int, answers: Mapping[str, Any], version: int | None = None) -> None:
        """Complete a task with the answers of its form.

        Args:
            version: the case version the actor saw; facts changed since by somebody else are not overwritten unseen.

        Raises:
            TaskNotFound, NotYourTask, SamePerson, AlreadyDone, AlreadyClaimed, TaskClosed, StaleVersion, FormInvalid, ClosingNotReady, NoSeat.
        """
        self._attempting("complete", task=task_id)
        case, row = self._task(task_id)
        seat = self._act_on(case, row)
        wait = self._wait(case, row["wait"])
        node = wait.node
        self._check_same_person(case, node)
        move = case.move(self._now, acting=True)
        multiple = isinstance(wait.local.get("loop_index"), int)
        read = self._read(node, answers, move, wait.local, keep_facts=not multiple)
        if version is not None and version != case.row["version"] and not multiple:
            self._check_version(case, version, read)
        step = move.complete(case.marking, wait, read)
        if not tokens.waiting(case.definition.net, step.marking) and step.marking.ended is not None:
            self._check_duties(case, move, node)
        self._finish_task(case, row, "done", seat)
        data: dict[str, Any] = {"name": row["name"], "facts": changes(case.facts, move.facts)}
        if multiple:
            data["index"] = wait.local["loop_index"]
        case.entries.append(self._entry("task.completed", node, data, seat, row, recorded(node)))
        self._save(case, move, step.marking)
        self._drop_draft(f"task:{task_id}")

    def send_back(self, task_id: int, reason: str, to: str | None = None) -> None:
        """Return a step to an earlier one (差戻し), with a reason the receiver reads.

        Args:
            to: element id of the earlier step; may be left out when there is only one.
        """
        self._attempting("send_back", task=task_id)
        case, row = self._task(task_id)
        seat = self._act_on(case, row)
        text = self._reason(reason)
        wait = self._wait(case, row["wait"])
        targets = send_back_targets(case.definition.net, wait.node)
        chosen = (
            next((node for node in targets if to in (node.id, node.element)), None) if to else targets[0] if len(targets) == 1 else None
        )
        if chosen is None:
            raise NotSendBack(to=to or "", task=task_id)
        move = case.move(self._now, acting=True)
        step = move.send_back(case.marking, wait, chosen.id)
        case.sent_back_to = chosen.id
        self._finish_task(case, row, "sent_back", seat)
        case.entries.append(self._entry("task.sent_back", wait.node, {"name": row["name"], "to": chosen.name, "reason": text}, seat, row))
        self._save(case, move, step.marking)
        self._connection.execute(
            task.update().where(task.c.case_id == case.id, task.c.node == chosen.id, task.c.state == "open").values(sent_back_reason=text)
        )
        self._drop_draft(f"task:{task_id}")

    # ---------------------------------------------------------------- the case as a whole

    def act(self, case_id: int, name: str, answers: Mapping[str, Any], version: int | None = None) -> None:
        """Do one of the actions the diagram keeps armed (a message), such as 事実の更新 or 転送."""
        self._attempting("act", case=case_id, action=name)
        case = self._case(case_id)
        move = case.move(self._now, acting=True)
        offers = armed(case.waits(), name)
        wait = next((one for one in offers if move.may_send(one, self._seats)), None)
        if wait is None:
            label = offers[0].node.name if offers else name
            raise ActionNotOffered(action=label, case=case_id)
        seat = self._seat_among({found for group in wait.node.candidate_groups if (found := move.seat_or_none(group))})
        read = self._read(wait.node, answers, move, wait.local)
        if version is not None and version != case.row["version"]:
            self._check_version(case, version, read)
        step = move.deliver(case.marking, wait, read)
        data = {"name": wait.node.name, "facts": changes(case.facts, move.facts)}
        case.entries.append(self._entry("action.done", wait.node, data, seat, clauses=recorded(wait.node)))
        see(self._connection, case.row["organisation"], case_id, [f"person:{self.person}"])
        self._save(case, move, step.marking)
        self._drop_draft(f"action:{case_id}:{name}")

    def withdraw(self, case_id: int, reason: str) -> None:
        """Take one's own case back (取下げ), as far as the procedure's `withdraw` property allows."""
        self._attempting("withdraw", case=case_id)
        case = self._case(case_id)
        text = self._reason(reason)
        rule = case.definition.net.properties.get("withdraw", "never")
        if case.row["reporter"] != self.person:
            raise NotAllowed(case=case_id)
        if not access.may_withdraw(rule, own=True, others_acted=others_acted(self._connection, case.id, self.person)):
            raise WithdrawNotAllowed(case=case_id)
        move = case.move(self._now)
        step = tokens.cancel(case.definition.net, case.marking, "取下げ")
        case.entries.append(self._entry("case.withdrawn", None, {"reason": text}, f"person:{self.person}"))
        self._save(case, move, step.marking)
        self._connection.execute(case_file.update().where(case_file.c.id == case_id).values(state="withdrawn"))

    def note(self, case_id: int, text: str) -> None:
        """Add a note to the record. Notes are never changed; a correction is another note."""
        self._attempting("note", case=case_id)
        case = self._case(case_id, closed=True)
        if not text.strip():
            raise ReasonRequired(case=case_id)
        clean = self._text(text, "メモ")
        case.entries.append(self._entry("note.added", None, {"note": clean}, self._sight(case)))
        self._writer.touch(case)

    def attach(self, case_id: int, name: str, content: bytes, task_id: int | None = None) -> int:
        """Attach a file; returns its id.

        Raises:
            AttachmentRefused: size, kind or name does not fit.
        """
        self._attempting("attach", case=case_id)
        case = self._case(case_id, closed=True)
        if task_id is not None and not self._connection.scalar(sa.select(task.c.id).where(task.c.id == task_id, task.c.case_id == case_id)):
            raise TaskNotFound(task=task_id)
        shown, media_type = attachments.check(name, content, case.organisation.rules.attachments)
        digest = hashlib.sha256(content).hexdigest()
        attachment_id = self._connection.scalar(
            attachment.insert()
            .values(
                case_id=case_id, task_id=task_id, name=shown, media_type=media_type, size=len(content), sha256=digest,
                added_by=self.person, added_at=self._now, content=content,
            )
            .returning(attachment.c.id)
        )  # fmt: skip
        data = {"name": shown, "sha256": digest, "size": len(content), "attachment": attachment_id}
        case.entries.append(self._entry("attachment.added", None, data, self._sight(case)))
        self._writer.touch(case)
        return int(attachment_id or 0)

    def merge(self, case_id: int, into: int, reason: str) -> None:
        """Merge a duplicate into another case: both timelines are kept, and the earliest knowledge starts the clocks."""
        self._attempting("merge", case=case_id, into=into)
        if case_id == into:
            raise MergeRefused(why="同じ案件どうしです。", case=case_id)
        first, second = sorted((case_id, into))  # always lock in the same order: two merges crossing must not wait for each other
        taken = {one: self._case(one) for one in (first, second)}
        lost, kept = taken[case_id], taken[into]
        text = self._reason(reason)
        if lost.row["organisation"] != kept.row["organisation"] or lost.row["process_id"] != kept.row["process_id"]:
            raise MergeRefused(why="手続が違います。", case=case_id)
        lost_move, kept_move = lost.move(self._now, acting=True), kept.move(self._now, acting=True)
        wait = next(iter(armed(lost.waits(), "merged")), None)
        if wait is None:
            raise MergeRefused(why="この手続では統合できません。", case=case_id)
        allowed = {found for group in wait.node.candidate_groups if (found := lost_move.seat_or_none(group))}
        seat = self._seat_among(allowed)
        step = lost_move.deliver(lost.marking, wait, {})
        lost.entries.append(self._entry("case.merged", wait.node, {"into": kept.row["number"], "into_id": into, "reason": text}, seat))
        self._save(lost, lost_move, step.marking)
        self._connection.execute(case_file.update().where(case_file.c.id == case_id).values(merged_into=into))
        self._connection.execute(case_link.insert().values(case_id=into, other_id=case_id, kind="merged"))
        known = [value for value in (lost.facts.get("known_at"), kept.facts.get("known_at")) if value]
        earliest = min(known, key=datetime.fromisoformat) if known else None
        step = kept_move.touch(kept.marking, {"known_at": earliest})
        data = {"from": lost.row["number"], "from_id": case_id, "reason": text, "facts": changes(kept.facts, kept_move.facts)}
        kept.entries.append(self._entry("case.absorbed", None, data, seat))
        kept.told.append(Told(f"case:{case_id}:merged", "case_merged", (f"person:{lost.row['reporter']}",), lost.row["number"]))
        see(self._connection, kept.row["organisation"], into, [f"person:{lost.row['reporter']}"])
        self._save(kept, kept_move, step.marking)

    # ---------------------------------------------------------------- work that failed

    def retry(self, job_id: int, attempts: int | None = None) -> bool:
        """Try a stopped step again now, as an administrator of its office, who need not see the case; whether it goes on.

        Args:
            attempts: how often it had been tried when the actor looked: whoever presses twice tries once.

        Raises:
            NotAllowed, NotStopped, TriedMeanwhile.
        """
        self._attempting("retry", job=job_id)
        seat = None
        ours = [job.c.id == job_id, job.c.kind == stopped.KIND]
        if self.person != people.SYSTEM:
            seat = self._seat_among(set(stopped.administrators(self.organisation, self._now)))
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
        return self.try_again(row, self._entry("service.retried", None, {"name": json.loads(row["payload"])["step"]}, seat))

    def try_again(self, row: Row, asked: history.Entry | None = None) -> bool:
        """Try the failed work of a job that the caller has taken away, as the system; whether it is done.

        All of it or nothing: when the work, or what follows it in the diagram, fails again, the case is as it was, but for the record
        of the try, and the job is back, due later.

        Args:
            asked: the record of who asked for it; None when it was due.
        """
        before = [asked] if asked else []
        try:
            with self._connection.begin_nested():
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
        self._connection.execute(job.insert().values(later))
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
        return Writer(self._connection, self._now, people.SYSTEM, self._host)

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
                self._connection.execute(job.insert().values(again))
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

    # ---------------------------------------------------------------- find

    def _attempting(self, verb: str, **ids: Any) -> None:
        """Remember what was tried, for the row of a refused attempt."""
        self.attempt = {"verb": verb, **ids}

    def _case(self, case_id: int, *, closed: bool = False) -> OpenCase:
        """Take up a case the actor may see; its row is locked on PostgreSQL, the whole database on SQLite."""
        row = self._connection.execute(_CASE, {"case": case_id}).mappings().first()
        if row is None or not self._may_see(case_id, row["organisation"]):
            raise CaseNotFound(case=case_id)
        if row["state"] != "open" and not closed:
            raise CaseClosed(case=case_id)
        return self._open_case(dict(row))

    def _take_up(self, case_id: int) -> OpenCase:
        """Take up an open case for what the system does to it, whoever may see it."""
        row = self._connection.execute(_CASE, {"case": case_id}).mappings().one()
        if row["state"] != "open":
            raise CaseClosed(case=case_id)
        return self._open_case(dict(row))

    def _open_case(self, row: dict[str, Any]) -> OpenCase:
        definition = self._definitions.get(self._connection, row["definition"])
        self.attempt.setdefault("case", row["id"])
        self.organisation_id = self.organisation_id or row["organisation"]
        return OpenCase(row, definition, self._organisations[row["organisation"]], Marking.load(row["marking"]), json.loads(row["facts"]))

    def _may_see(self, case_id: int, organisation: str) -> bool:
        if self.person == people.SYSTEM:
            return True
        found = self._connection.scalar(
            sa.select(case_seat.c.case_id)
            .where(case_seat.c.case_id == case_id, case_seat.c.organisation == organisation, case_seat.c.seat.in_(self._seats))
            .limit(1)
        )
        return found is not None and organisation == self.organisation_id

    def _task(self, task_id: int) -> tuple[OpenCase, dict[str, Any]]:
        """Take up a task and its case, the case locked first (the other order deadlocks on PostgreSQL).

        The task is read after the lock: a joined read that had to wait would show it as it was before the wait.
        """
        found = self._connection.execute(_CASE_OF_TASK, {"task": task_id}).mappings().first()
        if found is None:
            raise TaskNotFound(task=task_id)
        row = dict(self._connection.execute(_TASK, {"task": task_id}).mappings().one())
        self.attempt["case"] = row["case_id"]
        if row["organisation"] != self.organisation_id or (
            row["seat"] not in self._seats and not self._may_see(row["case_id"], row["organisation"])
        ):
            raise TaskNotFound(task=task_id)
        if row["state"] == "cancelled":
            raise TaskClosed(task=task_id, at=japanese(row["closed_at"]))
        if row["state"] != "open":
            who = people.names(self._connection, [row["closed_by"]]).get(row["closed_by"], "")
            raise AlreadyDone(task=task_id, at=japanese(row["closed_at"]), person=who)
        return self._open_case(dict(found)), row

    def _wait(self, case: OpenCase, key: str) -> Wait:
        return next(wait for wait in case.waits() if wait.kind == "task" and wait.key == key)

    # ---------------------------------------------------------------- may they?

    def _act_on(self, case: OpenCase, row: Row) -> str:
        """The seat from which the actor does a task."""
        seat = access.acting_seat(self._seat, self._seats, row["id"], row["seat"], case.organisation)
        if row["claimed_by"] not in (None, self.person):
            who = people.names(self._connection, [row["claimed_by"]]).get(row["claimed_by"], "")
            raise AlreadyClaimed(task=row["id"], at=japanese(row["claimed_at"]), person=who)
        return seat

    def _seat_among(self, allowed: set[str]) -> str:
        return access.seat_among(self._seat, self._seats, allowed, self.organisation)

    def _sight(self, case: OpenCase) -> str:
        """The seat a note or attachment is made from: the one named, or one that sees the case."""
        if self._seat is not None:
            return self._seat_among(set(self._seats) if self._seat in self._seats else {self._seat})
        sees = set(
            self._connection.scalars(sa.select(case_seat.c.seat).where(case_seat.c.case_id == case.id, case_seat.c.seat.in_(self._seats)))
        )
        return next((seat for seat in sorted(sees) if not seat.startswith("person:")), f"person:{self.person}")

    def _check_same_person(self, case: OpenCase, node: Node) -> None:
        """Separation of duties: whatever seat or deputy one acts through, one is the same person."""
        others = node.listed("not_same_person_as")
        if not others:
            return
        prefix = node.id.removesuffix(node.element)
        start = case.definition.net.start
        if case.row["reporter"] == self.person and start.id in [prefix + other for other in others]:
            raise SamePerson(other=start.name)
        rows = self._connection.execute(
            sa.select(task.c.name).where(
                task.c.case_id == case.id,
                task.c.state == "done",
                task.c.closed_by == self.person,
                task.c.node.in_([prefix + other for other in others]),
            )
        ).first()
        if rows is not None:
            raise SamePerson(other=rows.name)

    # ---------------------------------------------------------------- does it fit?

    def _read(
        self, node: Node, answers: Mapping[str, Any], move: Move, local: Mapping[str, Any] | None = None, *, keep_facts: bool = True
    ) -> dict[str, Any]:
        def evaluate(expression: str, known: Mapping[str, Any]) -> Any:
            return move.evaluate(expression, {**(local or {}), **known})

        units: dict[str, str] = {}
        if any(field.type == "unit" for field in node.form):
            units = {unit.id: unit.name for unit in move.organisation.owners(civil_day(self._now))}
        return forms.read(node.form, answers, facts=move.facts, now=self._now, units=units, evaluate=evaluate, keep_facts=keep_facts)

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
        self, tag: str, node: Node | None, data: dict[str, Any], seat: str | None, row: Row | None = None, clauses: tuple[str, ...] = ()
    ) -> history.Entry:
        return history.Entry(
            tag,
            self._now,
            self.person,
            seat,
            node.id if node else row["node"] if row else None,
            row["id"] if row else None,
            ",".join(clauses) or None,
            None,
            data,
        )

    def _finish_task(self, case: OpenCase, row: Row, state: str, seat: str) -> None:
        """Close the task row under its version: the second of two simultaneous completions finds it changed."""
        values = {"state": state, "closed_at": self._now, "closed_by": self.person, "closed_seat": seat, "version": row["version"] + 1}
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
