"""What an outside party may do through its link: start the one case it is for, complete the steps left to it there, attach files to them."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any

import sqlalchemy as sa

from engine import history, links, people
from engine.batch import see
from engine.clock import civil_day
from engine.definitions import Definitions
from engine.errors import CaseClosed, NotAllowed, StepOver, TaskNotFound
from engine.model import Row, outside_link, task
from engine.net import Node
from engine.organisation import Organisation
from engine.store import OpenCase
from engine.views import SeatHeld, Viewer
from engine.work import Work

#: Where the record keeps the answers as the party sent them, beside the facts that they changed.
SENT = "sent"


class OutsideWork(Work):
    """The verbs of people, done by the party of one link on behalf of a seat: of one case only, and there only of what is left to it.

    `engine.outside` opens it and calls `apply`, `complete` and `attach` alone; what guards them below guards every verb.
    """

    def __init__(
        self,
        connection: sa.Connection,
        definitions: Definitions,
        organisations: Mapping[str, Organisation],
        row: Row,
        viewer: Viewer,
    ) -> None:
        self._link = row
        self._may: int | None = row["case_id"]  # the only case
        self._sent: tuple[Node | None, dict[str, Any]] = None, {}  # the form at hand, and what was sent in it
        super().__init__(connection, definitions, organisations, by=viewer.person, seat=None, now=viewer.at, viewer=viewer)

    @property
    def case_id(self) -> int:
        """The only case; there is one once a step of it was found."""
        assert self._may is not None
        return self._may

    # ---------------------------------------------------------------- acts

    def apply(self, answers: Mapping[str, Any]) -> int:
        """Start the case the link is for, once; returns its id.

        Raises:
            StepOver, ProcessNotFound, FormInvalid, NotAllowed, NoSeat.
        """
        self._attempting("start", process=self._link["process_id"])
        if self._may is not None:
            raise StepOver(case=self._may)
        process_id = self._link["process_id"]
        if not self._definitions.in_force(self._connection, self.organisation_id, process_id, self._now).net.start.by_link:
            raise NotAllowed(process=process_id)  # the version in force now leaves it to officials
        self._may = self.start(process_id, answers)
        self._connection.execute(outside_link.update().where(outside_link.c.id == self._link["id"]).values(case_id=self._may))
        see(self._connection, self.organisation_id, self._may, [self._link["seat"]])  # whoever it was done for has it before him
        return self._may

    def record(self, tag: str) -> None:
        """Say in the record what became of the link."""
        data = {"party": self._link["party"], "link": self._link["id"]}
        if self._may is None:
            entry = history.Entry(tag, self._now, self.person, self._link["seat"], data={**data, "process": self._link["process_id"]})
            history.append_to_organisation(self._connection, self.organisation_id, entry)
            return
        case = self._case(self._may, closed=True)
        case.entries.append(self._entry(tag, None, data, self._behalf(self._link["seat"])))
        self._writer.touch(case)

    # ---------------------------------------------------------------- what guards them

    def _behalf(self, seat: str) -> SeatHeld:
        """The seat as it is acted from: whose link it was stands in the record as the rule."""
        since = civil_day(self._link["issued_at"])
        return SeatHeld(seat, self.organisation.seat_name(seat), "link", since, None, basis=f"入力用リンク{self._link['id']}番")

    def _may_see(self, case_id: int, organisation: str) -> bool:
        return case_id == self._may and organisation == self.organisation_id

    def _task(self, task_id: int) -> tuple[OpenCase, dict[str, Any]]:
        """A step of the one case that is left to the party; every other step, of this case or another, does not exist."""
        found = self._connection.execute(sa.select(task.c.case_id, task.c.node).where(task.c.id == task_id)).first()
        if found is None or self._may is None or found.case_id != self._may:
            raise TaskNotFound(task=task_id)
        try:
            case = self._case(self._may)
        except CaseClosed:
            raise StepOver(task=task_id) from None
        node = case.definition.net.by_id.get(found.node)
        if node is None or not node.by_link:
            raise TaskNotFound(task=task_id)
        row = self._connection.execute(sa.select(task).where(task.c.id == task_id)).mappings().one()  # after the lock
        if row["state"] != "open":
            raise StepOver(task=task_id)
        return case, dict(row)

    def _read(self, node: Node, *given: Any, **more: Any) -> dict[str, Any]:
        answers = super()._read(node, *given, **more)
        self._sent = node, dict(answers)
        return answers

    def _entry(self, tag: str, node: Node | None, data: dict[str, Any], *given: Any, **more: Any) -> history.Entry:
        """The record of a form holds every answer as it was sent: facts may be changed by others, and the party reads its own words again."""
        if node is not None and node is self._sent[0]:
            data = {**data, SENT: self._sent[1]}
        return super()._entry(tag, node, data, *given, **more)

    def _act_on(self, case: OpenCase, row: Row) -> SeatHeld:
        """On behalf of the step's seat. That a colleague there has claimed it keeps colleagues from it, and not whom they have asked."""
        self._held = self._behalf(row["seat"])
        return self._held

    def _sight(self, case: OpenCase) -> SeatHeld:
        return self._behalf(self._link["seat"])

    def _starting_seat(self, process_id: str) -> SeatHeld:
        return self._behalf(self._link["seat"])


def party_of(row: Row, organisation: Organisation, now: datetime) -> Viewer:
    """A link's party as the engine takes people: by no seat of its own but the one it acts for."""
    seat = SeatHeld(row["seat"], organisation.seat_name(row["seat"]), "link", civil_day(row["issued_at"]), None)
    return Viewer(links.actor_of(row), people.party_name(row["party"]), row["organisation"], (seat,), now)
