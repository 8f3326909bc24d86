"""Reviews that go on without their reviewer (後閲): when he is registered absent, was designated so, or a superior takes the paper up (引上げ)."""

from __future__ import annotations

import logging

import sqlalchemy as sa

from engine import access, bars, people, tokens
from engine.clock import civil_day
from engine.definitions import Definition
from engine.errors import NotAbove, NotPassedOver, TadachiError
from engine.model import Row, task
from engine.moves import Move
from engine.referrals import ReferralVerbs
from engine.store import OpenCase, Writer
from engine.tokens import Marking, Wait
from engine.unit_of_work import MAX_NOTE, changed_facts
from engine.views import SeatHeld

log = logging.getLogger(__name__)
#: How often one act may lead past another absent reviewer: a diagram whose reviews go round must not keep the office's only writer.
MOST_IN_A_ROW = 30
ABSENT, DESIGNATED, PULLED_UP = "担当が不在のため", "起案の指定により", "上位者の引上げにより"


class ReviewVerbs(ReferralVerbs):
    """引上げ, and what the system does when a reviewer is away."""

    _passed = 0

    def pull_up(self, task_id: int, reason: str) -> None:
        """Take a paper past its reviewer, as somebody on a rung above (引上げ); he reads it afterwards.

        Raises:
            TaskNotFound, NotPassedOver, NotAbove, SamePerson, ReasonRequired.
        """
        self._attempting("pull_up", task=task_id)
        case, row = self._task(task_id)
        wait = self._wait(case, row["wait"])
        if "passed_over" not in wait.node.properties:
            raise NotPassedOver(name=row["name"], task=task_id)
        held = self._above(case, row)
        self._check_same_person(case, wait.node, held)  # who may not review it may not do without the review
        case.seen_by.append(self.viewer.own_key)
        self._pass_over(case, row, wait, PULLED_UP, held, self._reason(reason))

    def pass_over_absent(self, task_id: int) -> bool:
        """Let an open review go on when everybody behind its seat is registered absent today, or when it was designated so; as the system."""
        case, row = self._locked_task(task_id)
        if row is None or row["state"] != "open":
            return False
        wait = self._wait(case, row["wait"])
        why = self._why_passed(case, row, wait)
        if why is None:
            return False
        try:
            with self._batch.part(self._now):
                self._pass_over(case, row, wait, why, None, "")
        except TadachiError as error:  # what follows cannot be: the review then waits for its reviewer, as it would have
            log.info("task %s is not passed over: %s", task_id, error.code)
            return False
        return True

    def _save(self, case: OpenCase, move: Move, marking: Marking, writer: Writer | None = None) -> None:
        super()._save(case, move, marking, writer)
        opened, case.reviews = case.reviews, []
        for task_id in opened:
            if self._passed < MOST_IN_A_ROW:
                self._passed += 1  # before: what is passed over may open another review, within this very call
                self._passed -= not self._system_review(task_id)

    def _review_opened(self, case_id: int, definition: Definition) -> None:
        """A new case may begin with a review."""
        nodes = [node.id for node in definition.net.nodes if "passed_over" in node.properties]
        query = sa.select(task.c.id).where(task.c.case_id == case_id, task.c.state == "open", task.c.node.in_(nodes)).order_by(task.c.id)
        for task_id in self._connection.scalars(query).all() if nodes else ():
            self._system_review(task_id)

    def _system_review(self, task_id: int) -> bool:
        """The same by the system, whoever's act opened the step."""
        with self._as_system():
            return self.pass_over_absent(task_id)

    def _why_passed(self, case: OpenCase, row: Row, wait: Wait) -> str | None:
        if "passed_over" not in wait.node.properties:
            return None
        designated = wait.node.properties.get("passed_over_when")
        if designated and case.move(self._now).evaluate(designated, wait.local) is True:
            return DESIGNATED
        on = civil_day(self._now)
        behind = people.holders(self._connection, case.organisation, [row["seat"]], on, case.row["process_id"])
        away = people.absent(self._connection, {holder.person for holder in behind}, on)
        return ABSENT if behind and all(holder.person in away for holder in behind) else None

    def _above(self, case: OpenCase, row: Row) -> SeatHeld:
        """The actor's seat that is a rung above the reviewer's."""
        held = access.above(self.viewer, case.id, row["seat"], case.organisation)
        if held is None:
            raise NotAbove(task=row["id"])
        return held

    def _pass_over(self, case: OpenCase, row: Row, wait: Wait, why: str, held: SeatHeld | None, reason: str) -> None:
        move = case.move(self._now, acting=True)
        step = move.pass_over(case.marking, wait)
        if not tokens.waiting(case.definition.net, step.marking) and step.marking.ended is not None:
            self._check_duties(case, move, wait.node)
        self._connection.execute(
            task.update().where(task.c.id == row["id"]).values(state="cancelled", closed_at=self._now, version=row["version"] + 1)
        )
        case.finished = row
        data = {"name": row["name"], "why": why, "to": self._name_of(row["seat"], case), **changed_facts(case.facts, move.facts)}
        if reason:
            data["reason"] = reason
        case.entries.append(self._entry("task.passed_over", wait.node, data, held, row))
        text = f"「{row['name']}」を{why}先へ進めました。{reason}"[:MAX_NOTE]
        self._open_referral(case, "later_review", row["seat"], text, held, int(row["id"]))
        self._save(case, move, step.marking)

    def posts_changed(self, case_id: int) -> None:
        """Who holds what has changed: look again who is kept from which step, and which reviews have nobody there today; as the system."""
        case = self._take_up(case_id)
        bars.separate(self._connection, case, case.waits(), self._now)
        reviews = [wait.key for wait in case.waits() if wait.kind == "task" and "passed_over" in wait.node.properties]
        query = sa.select(task.c.id).where(task.c.case_id == case_id, task.c.state == "open", task.c.wait.in_(reviews)).order_by(task.c.id)
        for task_id in self._connection.scalars(query).all() if reviews else ():
            self.pass_over_absent(task_id)
