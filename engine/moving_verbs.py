"""The verbs that take one case to another version of its procedure and back, as somebody who designs procedures."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import sqlalchemy as sa

from engine.clock import civil_day
from engine.counterparts import Mapped
from engine.definitions import Definition
from engine.errors import CaseNotFound, MoveImpossible, MoveOutdated, NotAllowed, TakenOut, UndoRefused
from engine.model import case_file
from engine.moving import effect
from engine.moving_write import TransferWriter, UndoWriter, snapshot
from engine.store import OpenCase
from engine.system_work import SystemVerbs
from engine.unit_of_work import changed_facts
from engine.views import SeatHeld


class MovingVerbs(SystemVerbs):
    """移行 and its undoing. Whoever does it need not see the case; what is told him of it are its number and its steps."""

    def transfer(
        self, case_id: int, source: int, target: Definition, mapping: Mapped, digest: str, told: Mapping[str, Any]
    ) -> tuple[int, str | None]:
        """Move an open case to another version.

        Args:
            source: id of the version it is to come from; digest: of what moving it means, as it was looked at.
            told: what the record says of the plan.

        Returns:
            the number of the case's last line of record, and its rows as they were; None where the move cannot be undone.

        Raises:
            NotAllowed, CaseNotFound, CaseClosed, TakenOut, MoveOutdated, MoveImpossible.
        """
        self._attempting("transfer", case=case_id)
        held = self._designer()
        case = self._of_this_office(case_id)
        version = int(case.row["version"])
        found = effect(self._connection, case, target, mapping, self._now)
        if case.definition.id != source or found.digest != digest:
            raise MoveOutdated(case=case_id)
        if found.obstacles:
            raise MoveImpossible(why=" ".join(one.why for one in found.obstacles), case=case_id)
        if found.happened:  # now in earnest
            with self._as_system():
                found = effect(self._connection, case, target, mapping, self._now, acting=True)
        assert found.move is not None
        assert found.marking is not None
        undo = None if found.worked else snapshot(self._connection, case, found.move)
        renamed = {id: list(place) for id, place in mapping.items() if tuple(place) != (id, False)}
        data = {
            "from": case.definition.version,
            "to": target.version,
            **told,
            "mapping": renamed,
            **changed_facts(case.facts, found.move.facts),
        }
        case.entries.append(self._entry("case.moved", None, data, held))
        case.definition = target
        writer = TransferWriter(self._connection, self._now, self.person, found)
        self._save(case, found.move, found.marking, writer)
        row = self._connection.execute(sa.select(case_file.c.version, case_file.c.history_seq).where(case_file.c.id == case_id)).one()
        return row.history_seq, undo if row.version == version + 1 else None  # else a review has gone on by itself

    def undo_transfer(self, case_id: int, seq: int, undo: str | None, source: Definition, told: Mapping[str, Any]) -> None:
        """Put a moved case back as it was.

        Args:
            seq: the case's last line of record when it was moved; undo: its rows before; source: the version it goes back to.

        Raises:
            NotAllowed, CaseNotFound, CaseClosed, TakenOut, UndoRefused.
        """
        self._attempting("undo_transfer", case=case_id)
        held = self._designer()
        case = self._of_this_office(case_id)
        if undo is None or int(case.row["history_seq"]) != seq:
            raise UndoRefused(case=case_id)
        entry = self._entry("case.move_undone", None, {"from": source.version, **told}, held)
        entry.definition = case.definition.id
        case.entries.append(entry)
        UndoWriter(self._connection, self._now, self.person).restore(case, undo)

    def _designer(self) -> SeatHeld:
        today, roles = civil_day(self._now), self.organisation.rules.deployers
        if not self.viewer.has_role(*roles):  # standing in for a designer makes no designer
            raise NotAllowed()
        return self._standing_among([seat for seat in self.organisation.seats(today) if seat.partition("@")[0] in roles], "")

    def _of_this_office(self, case_id: int) -> OpenCase:
        office = self._connection.scalar(sa.select(case_file.c.organisation).where(case_file.c.id == case_id))
        if office != self.organisation_id:
            raise CaseNotFound(case=case_id)
        if case_id in self.viewer.barred_cases:
            raise TakenOut(case=case_id)
        return self._take_up(case_id)


__all__ = ["MovingVerbs"]
