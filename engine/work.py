"""The verbs of people: start, claim, complete, send back, act, withdraw, note, attach, merge."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from datetime import datetime
from typing import Any

import sqlalchemy as sa

from engine import access, attachments, bars, decision_record, hops, tokens
from engine.clock import civil_day, to_micros
from engine.correcting import LedgerVerbs
from engine.definitions import Definition
from engine.errors import (
    ActionNotOffered,
    FormInvalid,
    MergeRefused,
    NotAllowed,
    NotClaimed,
    NotSendBack,
    NotYourSeat,
    ReasonRequired,
    TakenOut,
    TaskNotFound,
    WithdrawNotAllowed,
)
from engine.link_verbs import LinkVerbs
from engine.model import attachment, case_file, case_link, submission, task
from engine.moves import Move, armed, recorded, send_back_targets
from engine.moving_verbs import MovingVerbs
from engine.net import Node
from engine.notices import Told
from engine.organisation import PERSON
from engine.sight import tasks_of
from engine.storage import insert_new
from engine.store import OpenCase, others_acted
from engine.unit_of_work import changed_facts, changes, japanese
from engine.views import SeatHeld

#: The page's own input for why something comes late; errors about it carry this name.
LATE_REASON = "_late_reason"


class Work(LedgerVerbs, MovingVerbs, LinkVerbs):
    """One actor acting at one instant. Opened by `Engine.work`, which commits or rolls back and records refusals."""

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
        held = self._starting_seat(process_id)
        definition = self._definitions.in_force(self._connection, self.organisation_id, process_id, self._now)
        start = definition.net.start
        if not definition.may_start(self.viewer):
            raise NotAllowed(process=process_id)

        def answered(move: Move) -> dict[str, Any]:
            read = self._read(start, answers, move)
            self._check_starter(start, Move(definition, self.organisation, {**move.facts, **read}, self._now))
            return read

        case_id = self._begin(definition, start, held.seat.partition("@")[2], answered, held).case_id
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

    def _check_starter(self, start: Node, move: Move) -> None:
        """Where the start names seats, one of them for this very case must be the actor's."""
        if start.candidate_groups:
            allowed = {seat for group in start.candidate_groups if (seat := move.seat_or_none(group)) is not None}
            self._standing_among(allowed, move.definition.process_id)

    def _starting_seat(self, process_id: str) -> SeatHeld:
        """The seat a case is started from: the one named, or the main post; `reporter_role` is the one from which anyone reports."""
        seats = [held for held in self.viewer.seats if held.kind != "decision" and held.process in ("", process_id)]
        if self._seat is not None:
            seats = [held for held in seats if held.seat == self._seat]
            if not seats:
                raise NotYourSeat(seat=self._seat, seat_name=self.organisation.seat_name(self._seat))
        if not seats:
            raise NotAllowed()
        reporters = f"{self.organisation.reporter_role}@"
        return min(seats, key=lambda held: (not held.own, held.kind != "main", not held.seat.startswith(reporters)))

    # ---------------------------------------------------------------- tasks

    def claim(self, task_id: int) -> None:
        """Take a task of one's seat for oneself; claiming one's own again changes nothing."""
        self._attempting("claim", task=task_id)
        case, row = self._task(task_id)
        held = self._act_on(case, row)
        self._check_same_person(case, self._wait(case, row["wait"]).node, held)  # who may not do it keeps nobody from doing it
        if row["claimed_by"] == self.person:
            return
        self._connection.execute(
            task.update().where(task.c.id == task_id).values(claimed_by=self.person, claimed_at=self._now, version=row["version"] + 1)
        )
        case.entries.append(self._entry("task.claimed", None, {"name": row["name"]}, held, row))
        self._writer.touch(case)

    def release(self, task_id: int) -> None:
        """Give a claimed task back to the seat."""
        self._attempting("release", task=task_id)
        case, row = self._task(task_id)
        held = self._act_on(case, row)
        if row["claimed_by"] != self.person:
            raise NotClaimed(task=task_id)
        self._connection.execute(
            task.update().where(task.c.id == task_id).values(claimed_by=None, claimed_at=None, version=row["version"] + 1)
        )
        case.entries.append(self._entry("task.released", None, {"name": row["name"]}, held, row))
        self._writer.touch(case)

    def complete(
        self,
        task_id: int,
        answers: Mapping[str, Any],
        version: int | None = None,
        following: Mapping[str, Mapping[str, Any]] | None = None,
        late_reason: str = "",
    ) -> None:
        """Complete a task with the answers of its form.

        Args:
            version: the case version the actor saw; facts changed since by somebody else are not overwritten unseen.
            following: node id -> answers of the step after, for who does both by two seats; left out when another step follows.
            late_reason: why a hop of the report comes late, where its urgency word asks for one.

        Raises:
            TaskNotFound, NotYourTask, SamePerson, AlreadyDone, AlreadyClaimed, TaskClosed, StaleVersion, FormInvalid, ClosingNotReady, NoSeat.
        """
        self._attempting("complete", task=task_id)
        case, row = self._task(task_id)
        held = self._act_on(case, row)
        wait = self._wait(case, row["wait"])
        node = wait.node
        self._check_same_person(case, node, held)
        move = case.move(self._now, acting=True)
        multiple = isinstance(wait.local.get("loop_index"), int)
        read = self._read(node, answers, move, wait.local, keep_facts=not multiple)
        if version is not None and version != case.row["version"] and not multiple:
            self._check_version(case, version, read)
        step = move.complete(case.marking, wait, read)
        if not tokens.waiting(case.definition.net, step.marking) and step.marking.ended is not None:
            self._check_duties(case, move, node)
        hop = hops.is_hop(node)
        late = self._late(node, row["opened_at"], case.definition, late_reason) if hop else {}
        self._finish_task(case, row, "done", held)
        data: dict[str, Any] = {"name": row["name"], "facts": changes(case.facts, move.facts), **late}
        if multiple:
            data["index"] = wait.local["loop_index"]
        data |= self._names(case, node, move.facts, held)
        case.entries.append(self._entry("task.completed", node, data, held, row, recorded(node)))
        if held.kind == "decision":  # 代決: whoever decides is told, and reads it when back
            principal = f"{PERSON}{held.principal}"
            case.told.append(Told(f"task:{task_id}:decided", "decided_for_you", (principal,), row["name"], task_id))
            self._open_referral(case, "later_review", principal, f"「{row['name']}」が代決されました。", held, task_id)
        self._save(case, move, step.marking)
        self._drop_draft(f"task:{task_id}")
        for node_id, more in (following or {}).items():
            self._complete_following(case.id, node_id, more)

    def _names(self, case: OpenCase, node: Node, facts: Mapping[str, Any], held: SeatHeld) -> dict[str, Any]:
        """What a decision's row says beside the act: what everybody and everything was called, for its paper (決裁鑑)."""
        if not node.decides:
            return {}
        more = (self.person, held.principal)
        return {"names": decision_record.names_now(self._connection, case, facts, node, civil_day(self._now), more, held.seat)}

    def _late(self, node: Node, since: datetime, definition: Definition, reason: str) -> dict[str, Any]:
        """What the record says of a hop that took longer than its urgency word allows; raises FormInvalid when the reason is missing."""
        rules = self._organisations[definition.organisation].rules
        target = hops.target_of(node, since, rules)
        if target is None or self._now <= target:
            return {}
        if not reason.strip():
            raise FormInvalid({LATE_REASON: f"「遅れた理由」を入力してください（目安は{japanese(target)}でした）。"})
        return {"late": {"target": to_micros(target), "reason": self._text(reason, "遅れた理由")}}

    def _complete_following(self, case_id: int, node_id: str, answers: Mapping[str, Any]) -> None:
        """The step after, when it too is this person's by another seat: an act of its own, with its own record, in the same transaction."""
        mine = sa.select(task.c.id).where(task.c.case_id == case_id, task.c.node == node_id, tasks_of(self.viewer))
        next_id = self._connection.scalar(mine.order_by(task.c.id.desc()).limit(1))
        if next_id is None:
            return  # with these answers the case went another way
        seat, self._seat = self._seat, None
        try:
            self.complete(next_id, answers)
        except FormInvalid as invalid:
            raise FormInvalid({f"{node_id}.{field}": text for field, text in invalid.fields.items()}) from None
        finally:
            self._seat = seat

    def send_back(self, task_id: int, reason: str, to: str | None = None) -> None:
        """Return a step to an earlier one (差戻し), with a reason the receiver reads.

        Args:
            to: element id of the earlier step; may be left out when there is only one.
        """
        self._attempting("send_back", task=task_id)
        case, row = self._task(task_id)
        held = self._act_on(case, row)
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
        self._finish_task(case, row, "sent_back", held)
        data: dict[str, Any] = {"name": row["name"], "to": chosen.name, "to_node": chosen.id, "reason": text}
        data |= changed_facts(case.facts, move.facts) | self._names(case, wait.node, move.facts, held)
        case.entries.append(self._entry("task.sent_back", wait.node, data, held, row))
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
        usable = {held.seat for held in access.usable(self.viewer, case.row["process_id"])}
        instead = bars.instead_of(self._connection, case, civil_day(self._now))
        wait = next(
            (one for one in offers if move.may_send(one, usable | {seat for seat, heir in instead.items() if heir in usable})), None
        )
        if wait is None:
            label = offers[0].node.name if offers else name
            raise ActionNotOffered(action=label, case=case_id)
        if case_id in self.viewer.barred_cases:
            raise TakenOut(case=case_id)
        allowed = {found for group in wait.node.candidate_groups if (found := move.seat_or_none(group))}
        held = self._standing_among(allowed | {instead[seat] for seat in allowed if seat in instead}, case.row["process_id"])
        read = self._read(wait.node, answers, move, wait.local)
        if version is not None and version != case.row["version"]:
            self._check_version(case, version, read)
        step = move.deliver(case.marking, wait, read)
        data = {"name": wait.node.name, "facts": changes(case.facts, move.facts)}
        case.entries.append(self._entry("action.done", wait.node, data, held, clauses=recorded(wait.node)))
        case.seen_by.append(f"person:{self.person}")
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
        case.entries.append(self._entry("case.withdrawn", None, {"reason": text}, self._self))
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
        if {case_id, into} & self.viewer.barred_cases:
            raise TakenOut(case=case_id)
        allowed = {found for group in wait.node.candidate_groups if (found := lost_move.seat_or_none(group))}
        held = self._standing_among(allowed, lost.row["process_id"])
        step = lost_move.deliver(lost.marking, wait, {})
        told = {"into": kept.row["number"], "into_id": into, "reason": text, **changed_facts(lost.facts, lost_move.facts)}
        lost.entries.append(self._entry("case.merged", wait.node, told, held))
        self._save(lost, lost_move, step.marking)
        self._connection.execute(case_file.update().where(case_file.c.id == case_id).values(merged_into=into))
        self._connection.execute(case_link.insert().values(case_id=into, other_id=case_id, kind="merged"))
        known = [value for value in (lost.facts.get("known_at"), kept.facts.get("known_at")) if value]
        earliest = min(known, key=datetime.fromisoformat) if known else None
        step = kept_move.touch(kept.marking, {"known_at": earliest})
        data = {"from": lost.row["number"], "from_id": case_id, "reason": text, "facts": changes(kept.facts, kept_move.facts)}
        kept.entries.append(self._entry("case.absorbed", None, data, held))
        kept.told.append(Told(f"case:{case_id}:merged", "case_merged", (f"person:{lost.row['reporter']}",), lost.row["number"]))
        kept.seen_by.append(f"person:{lost.row['reporter']}")
        self._save(kept, kept_move, step.marking)
