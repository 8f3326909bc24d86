"""The desk of moving cases: a preview, a plan by one person, its approval by another, each case in a transaction of its own, and back."""

from __future__ import annotations

import json
import logging
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from datetime import datetime
from typing import TYPE_CHECKING, Any

import sqlalchemy as sa

from engine import history, moving_reads, version_list
from engine.counterparts import Place
from engine.errors import MoveOutdated, NotAllowed, PlanClosed, PlanRefused, SamePerson, TadachiError
from engine.model import case_file, case_move, case_move_item
from engine.moving_reads import mapping_of, plan_row
from engine.moving_views import MovedCase, MovingPage, PlanPage, PlanShown
from engine.reviews import clean
from engine.views import Viewer

if TYPE_CHECKING:
    from engine.service import Engine
    from engine.work import Work

log = logging.getLogger(__name__)
FAULT = "システムの誤りのため、移せませんでした（{kind}）。案件は元のままです。"


class MovingDesk:
    """`Engine.moving` hands it out."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    # ---------------------------------------------------------------- look

    def preview(self, viewer: Viewer, source: int, target: int, places: Mapping[str, Place] | None = None) -> MovingPage:
        """What moving the open cases of one version to another would mean; nothing is written.

        Args:
            source, target: ids of two versions of one procedure.
            places: element of the one -> where it goes on in the other, beyond what is found by itself.

        Raises:
            NotAllowed, VersionNotFound, PlanRefused (not two versions that have come into force of one procedure).
        """
        self._engine.drafts.require_designer(viewer)
        with self._engine.reading() as connection:
            return moving_reads.preview(self._engine, connection, viewer, source, target, dict(places or {}))

    def plans(self, viewer: Viewer, process_id: str) -> tuple[PlanShown, ...]:
        """The plans of a procedure, the newest first. Raises NotAllowed."""
        version_list.require_sight(self._engine, viewer)
        with self._engine.reading() as connection:
            return moving_reads.plans(connection, viewer, process_id)

    def plan(self, viewer: Viewer, plan_id: int) -> PlanPage:
        """A plan with what it means for each case now, or what became of each. Raises NotAllowed, PlanNotFound."""
        version_list.require_sight(self._engine, viewer)
        with self._engine.reading() as connection:
            return moving_reads.plan(self._engine, connection, viewer, plan_id)

    # ---------------------------------------------------------------- propose

    def propose(
        self, viewer: Viewer, source: int, target: int, chosen: Mapping[int, str], places: Mapping[str, Place] | None = None, note: str = ""
    ) -> int:
        """Propose to move cases; another person decides.

        Args:
            chosen: case -> digest of what moving it means, as it was looked at.

        Returns:
            the plan's id.

        Raises:
            NotAllowed, VersionNotFound; PlanRefused: nothing chosen, what cannot be moved, or what would mean something else by now.
        """
        page = self.preview(viewer, source, target, places)
        said = clean(note, "理由")
        known = {one.case_id: one for one in page.cases}
        if not chosen:
            raise PlanRefused(why="移す案件を選んでください。")
        for case_id, digest in chosen.items():
            _require_as_seen(known.get(case_id), case_id, digest)
        with self._engine.writing() as connection:
            values = {
                "organisation": viewer.organisation, "process_id": page.source.process_id, "from_definition": source,
                "to_definition": target, "places": json.dumps({id: list(place) for id, place in (places or {}).items()}), "note": said,
                "proposed_by": viewer.person, "proposed_at": viewer.at,
            }  # fmt: skip
            plan_id = int(connection.scalar(case_move.insert().values(values).returning(case_move.c.id)) or 0)
            connection.execute(
                case_move_item.insert(), [{"move_id": plan_id, "case_id": case_id, "digest": chosen[case_id]} for case_id in sorted(chosen)]
            )
            self._record(connection, viewer, "move.proposed", self._told(connection, plan_id) | {"count": len(chosen)})
        return plan_id

    def withdraw(self, viewer: Viewer, plan_id: int) -> None:
        """Take a plan back before it is decided; whoever proposed it may. Raises NotAllowed, PlanNotFound, PlanClosed."""
        self._engine.drafts.require_designer(viewer)
        with self._engine.writing() as connection:
            row = self._open(connection, viewer, plan_id)
            if row["proposed_by"] != viewer.person:
                raise NotAllowed()
            self._decide(connection, viewer, plan_id, "withdrawn", "")

    # ---------------------------------------------------------------- decide

    def refuse(self, viewer: Viewer, plan_id: int, comment: str) -> None:
        """Turn a plan down, saying why. Raises NotAllowed, SamePerson, PlanNotFound, PlanClosed, PlanRefused (no reason)."""
        self._engine.drafts.require_designer(viewer)
        why = clean(comment, "認めない理由")
        if not why:
            raise PlanRefused(why="認めない理由を入力してください。")
        self._independently(viewer, plan_id, "refuse_move", "refused", why)

    def approve(self, viewer: Viewer, plan_id: int, comment: str = "") -> PlanPage:
        """Approve a plan and move its cases, one by one; what cannot be moved stays as it is, with the reason.

        Raises:
            NotAllowed, SamePerson, PlanNotFound, PlanClosed.
        """
        self._engine.drafts.require_designer(viewer)
        self._independently(viewer, plan_id, "approve_move", "approved", clean(comment, "意見"))
        return self.carry_on(viewer, plan_id)

    def carry_on(self, viewer: Viewer, plan_id: int) -> PlanPage:
        """Move the cases of an approved plan that have not been tried yet, as after an interruption. Raises NotAllowed, PlanNotFound, PlanClosed."""
        self._engine.drafts.require_designer(viewer)
        with self._engine.reading() as connection:
            if plan_row(connection, viewer, plan_id)["state"] != "approved":
                raise PlanClosed()
            told = self._told(connection, plan_id)
            left = sa.select(case_move_item.c.case_id).where(case_move_item.c.move_id == plan_id, case_move_item.c.state == "planned")
            cases = connection.scalars(left.order_by(case_move_item.c.case_id)).all()
        for case_id in cases:
            self._one(viewer, plan_id, case_id, told)
        return self.plan(viewer, plan_id)

    def _one(self, viewer: Viewer, plan_id: int, case_id: int, told: Mapping[str, Any]) -> None:
        """Move one case, or keep why not."""
        try:
            with self._acting(viewer) as (connection, work):
                row, item = plan_row(connection, viewer, plan_id), self._item(connection, plan_id, case_id)
                if item["state"] != "planned":
                    return
                source, target = (self._engine.definitions.get(connection, row[name]) for name in ("from_definition", "to_definition"))
                mapping = mapping_of(source, target, moving_reads.places_of(row))
                seq, undo = work.transfer(case_id, source.id, target, mapping, item["digest"], _short(told))
                self._set(connection, plan_id, case_id, state="moved", seq=seq, undo=undo, at=work.viewer.at)
        except TadachiError as error:
            self._failed(plan_id, case_id, error.text)
        except Exception as error:  # one that goes wrong must not keep the others back
            log.exception("case %s could not be moved", case_id)
            self._failed(plan_id, case_id, FAULT.format(kind=type(error).__name__))

    @contextmanager
    def _acting(self, viewer: Viewer) -> Iterator[tuple[sa.Connection, Work]]:
        """One transaction of one case; a refusal undoes it and stays in the record."""
        attempt: dict[str, Any] = {}
        try:
            with self._engine.writing() as connection:
                work = self._engine.work_on(connection, viewer.person)
                try:
                    yield connection, work
                finally:
                    attempt = work.attempt
        except TadachiError as error:
            self._engine.record_refusal(viewer.organisation, viewer.person, None, attempt, error)
            raise

    def _failed(self, plan_id: int, case_id: int, why: str) -> None:
        with self._engine.writing() as connection:
            self._set(connection, plan_id, case_id, state="failed", why=why, at=self._engine.clock.now())

    # ---------------------------------------------------------------- back

    def undo(self, viewer: Viewer, plan_id: int, case_id: int) -> None:
        """Put a case back that was moved, as long as nothing has happened in it since.

        Raises:
            NotAllowed, PlanNotFound, PlanClosed (it was not moved, or put back already), CaseClosed, TakenOut, UndoRefused.
        """
        self._engine.drafts.require_designer(viewer)
        with self._acting(viewer) as (connection, work):
            row, item = plan_row(connection, viewer, plan_id), self._item(connection, plan_id, case_id)
            if item["state"] != "moved":
                raise PlanClosed()
            told = self._told(connection, plan_id)
            source = self._engine.definitions.get(connection, row["from_definition"])
            work.undo_transfer(case_id, item["seq"], item["undo"], source, _short(told))
            self._set(connection, plan_id, case_id, state="undone", undo=None, at=work.viewer.at)
            number = connection.scalar(sa.select(case_file.c.number).where(case_file.c.id == case_id))
            self._record(connection, viewer, "move.undone", {**told, "number": number})

    # ---------------------------------------------------------------- rows

    def _open(self, connection: sa.Connection, viewer: Viewer, plan_id: int) -> Mapping[Any, Any]:
        row = plan_row(connection, viewer, plan_id, lock=True)
        if row["state"] != "proposed":
            raise PlanClosed()
        return row

    def _independently(self, viewer: Viewer, plan_id: int, verb: str, state: str, comment: str) -> None:
        """Decide a plan that another person has proposed; an attempt at one's own stays in the record."""
        try:
            with self._engine.writing() as connection:
                if self._open(connection, viewer, plan_id)["proposed_by"] == viewer.person:
                    raise SamePerson(other="案件を移す提案")
                self._decide(connection, viewer, plan_id, state, comment)
        except SamePerson as error:
            self._engine.record_refusal(viewer.organisation, viewer.person, None, {"verb": verb, "plan": plan_id}, error)
            raise

    def _decide(self, connection: sa.Connection, viewer: Viewer, plan_id: int, state: str, comment: str) -> None:
        values = {"state": state, "decided_by": viewer.person, "decided_at": viewer.at, "comment": comment}
        connection.execute(case_move.update().where(case_move.c.id == plan_id).values(values))
        self._record(connection, viewer, f"move.{state}", self._told(connection, plan_id) | {"comment": comment})

    @staticmethod
    def _item(connection: sa.Connection, plan_id: int, case_id: int) -> Mapping[Any, Any]:
        mine = sa.and_(case_move_item.c.move_id == plan_id, case_move_item.c.case_id == case_id)
        row = connection.execute(sa.select(case_move_item).where(mine).with_for_update()).mappings().first()
        if row is None:
            raise PlanClosed()
        return row

    @staticmethod
    def _set(connection: sa.Connection, plan_id: int, case_id: int, *, state: str, at: datetime, **values: Any) -> None:
        mine = sa.and_(case_move_item.c.move_id == plan_id, case_move_item.c.case_id == case_id)
        connection.execute(case_move_item.update().where(mine).values(state=state, at=at, **values))

    def _told(self, connection: sa.Connection, plan_id: int) -> dict[str, Any]:
        """What the record says of a plan."""
        row = connection.execute(sa.select(case_move).where(case_move.c.id == plan_id)).mappings().one()
        source, target = (self._engine.definitions.get(connection, row[name]) for name in ("from_definition", "to_definition"))
        return {
            "plan": plan_id, "process": row["process_id"], "name": target.name, "from": source.version, "to": target.version,
            "proposed_by": row["proposed_by"],
        }  # fmt: skip

    def _record(self, connection: sa.Connection, viewer: Viewer, tag: str, data: dict[str, Any]) -> None:
        history.append_to_organisation(connection, viewer.organisation, history.Entry(tag, viewer.at, viewer.person, data=data))


def _short(told: Mapping[str, Any]) -> dict[str, Any]:
    return {name: told[name] for name in ("plan", "proposed_by")}


def _require_as_seen(found: MovedCase | None, case_id: int, digest: str) -> None:
    if found is None:
        raise PlanRefused(why=f"案件（{case_id}）は、この版では進行していません。表示し直して確かめてください。")
    if not found.movable:
        raise PlanRefused(why=f"案件 {found.number} は、そのままでは移せません。")
    if found.digest != digest:
        raise PlanRefused(why=f"案件 {found.number}：{MoveOutdated().text}")


__all__ = ["MovingDesk"]
