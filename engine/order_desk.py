"""The desk of orders: import, preview, approval by a second person, and the handovers that follow from them."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Mapping, Sequence
from datetime import date
from typing import TYPE_CHECKING, Any

import sqlalchemy as sa

from engine import history, orders, people, reorganisation, staffing
from engine.clock import civil_day
from engine.errors import HandoverNotFound, NotAllowed, OrderInvalid, OrderNotFound, OrderRefused, RowFault
from engine.forms import clean_text, japanese_day
from engine.model import handover, person, personnel_order
from engine.order_rows import OrderRow, read_rows
from engine.orders import Plan
from engine.organisation import Organisation, amended
from engine.people import HOLDING_KINDS
from engine.reorganisation import Change, Reform
from engine.sheets import read_table
from engine.staff_views import HandoverShown, OrderPreview, OrderRowShown, OrderShown, PersonMoved, TaskMoved, Vacancy
from engine.views import Viewer

if TYPE_CHECKING:
    from engine.service import Engine

MOST_SHOWN = 200
MAX_TITLE = 200
MAX_NOTE = 4_000
MAX_REASON = 1_000


class OrderDesk:
    """`Engine.orders` hands it out."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    def _office(self, viewer: Viewer) -> Organisation:
        return self._engine.organisations[viewer.organisation]

    def _require_sight(self, viewer: Viewer) -> None:
        """Orders are seen by who keeps the registers and by who approves."""
        if not (self._engine.personnel.may_keep(viewer) or self._engine.personnel.may_approve(viewer)):
            raise NotAllowed()

    # ---------------------------------------------------------------- import

    def read(self, viewer: Viewer, title: str, effective_on: date | None, file_name: str, content: bytes) -> int:
        """Import a personnel order from a CSV or XLSX file as a draft; returns its id.

        Raises:
            NotAllowed, SheetUnreadable, OrderInvalid (with every fault of every row; nothing is kept then).
        """
        self._engine.personnel.require_keeper(viewer)
        office = self._office(viewer)
        sheet = read_table(file_name, content)
        with self._engine.writing() as connection:
            rows = connection.execute(sa.select(person.c.id, person.c.name).where(person.c.organisation == office.id))
            known = {row.id: row.name for row in rows}
            got = read_rows(sheet, office, effective_on, known)
            faults = list(got.faults) + self._foreign(connection, office, got.rows)
            if not faults:
                faults = orders.plan(connection, office, got.rows, civil_day(viewer.at)).faults
            if faults:
                raise OrderInvalid(sorted(faults, key=lambda fault: fault.line))
            day = got.rows[0].valid_from
            return self._keep(connection, viewer, "personnel", title, day, file_name, content, orders.dumped(got.rows))

    def reorganise(self, viewer: Viewer, title: str, effective_on: date, changes: Sequence[Change]) -> int:
        """Draft an order that renames, moves, merges or splits units; returns its id. Raises NotAllowed, OrderInvalid."""
        self._engine.personnel.require_keeper(viewer)
        made = reorganisation.reform(self._office(viewer), changes, effective_on, civil_day(viewer.at))
        if made.faults:
            raise OrderInvalid(made.faults)
        content = reorganisation.dumped(changes)
        with self._engine.writing() as connection:
            return self._keep(connection, viewer, "reorganisation", title, effective_on, "", content.encode(), content)

    def _foreign(self, connection: sa.Connection, office: Organisation, rows: Iterable[OrderRow]) -> list[RowFault]:
        """Ids of new accounts that another office of the installation has, or that are the system's own."""
        joining = {row.person: row.line for row in rows if row.action == "join"}
        taken = set(connection.scalars(sa.select(person.c.id).where(person.c.id.in_(sorted(joining)), person.c.organisation != office.id)))
        taken |= {people.SYSTEM} & joining.keys()
        return [RowFault(joining[one], "職員番号", "この番号は使えません。") for one in sorted(taken)]

    def _keep(
        self, connection: sa.Connection, viewer: Viewer, kind: str, title: str, day: date, file_name: str, raw: bytes, content: str
    ) -> int:
        try:
            named = clean_text(title, MAX_TITLE, lines=False) or f"{japanese_day(day.isoformat())}付け"
        except ValueError as wrong:
            raise OrderInvalid([RowFault(0, "件名", f"件名{wrong}")]) from None
        values = {
            "organisation": viewer.organisation, "kind": kind, "title": named, "effective_on": day, "file_name": file_name[:255],
            "sha256": hashlib.sha256(raw).hexdigest(), "content": content, "created_at": viewer.at, "created_by": viewer.person,
        }  # fmt: skip
        made = int(connection.scalar(personnel_order.insert().values(values).returning(personnel_order.c.id)) or 0)
        self._record(connection, viewer, "order.drafted", made, values)
        return made

    def _record(self, connection: sa.Connection, viewer: Viewer, tag: str, order_id: int, row: Mapping[str, Any], **more: Any) -> None:
        data = {"title": row["title"], "effective_on": row["effective_on"].isoformat(), "order": order_id, "sha256": row["sha256"], **more}
        history.append_to_organisation(connection, viewer.organisation, history.Entry(tag, viewer.at, viewer.person, data=data))

    # ---------------------------------------------------------------- look

    def all(self, viewer: Viewer) -> tuple[OrderShown, ...]:
        """Every order of the office, the newest first."""
        self._require_sight(viewer)
        with self._engine.reading() as connection:
            rows = connection.execute(
                sa.select(personnel_order).where(personnel_order.c.organisation == viewer.organisation).order_by(personnel_order.c.id.desc()).limit(MOST_SHOWN)
            ).mappings().all()  # fmt: skip
            names = people.names(connection, [who for row in rows for who in (row["created_by"], row["decided_by"])])
        return tuple(_shown(row, names, viewer) for row in rows)

    def preview(self, viewer: Viewer, order_id: int) -> OrderPreview:
        """What an order would do as things stand now. Raises OrderNotFound."""
        self._require_sight(viewer)
        office = self._office(viewer)
        with self._engine.reading() as connection:
            row = self._row(connection, viewer, order_id)
            names = people.names(connection, [row["created_by"], row["decided_by"]])
            shown = _shown(row, names, viewer)
            rows = orders.loaded(row["content"]) if row["kind"] == "personnel" else ()
            lines = tuple(self._line(connection, office, one) for one in rows)
            units = self._changed(office, row)
            if row["state"] != "draft":
                return OrderPreview(shown, lines, (), (), (), (), units)
            made, plan = self._planned(connection, office, row, civil_day(viewer.at))
            after = amended(office, made.ends, made.begins) if made is not None else office
            why_not = self._why_not(viewer, row)
            return OrderPreview(
                order=shown,
                rows=lines,
                people=self._moved(connection, office, after, plan),
                vacancies=self._vacant(connection, office, after, plan),
                warnings=tuple(plan.warnings),
                faults=tuple((fault.line, fault.column, fault.message) for fault in plan.faults),
                units=units,
                cases=reorganisation.open_cases(connection, office, made.ends) if made is not None else 0,
                may_approve=not why_not and not plan.faults,
                why_not=why_not,
            )

    @staticmethod
    def _changed(office: Organisation, row: Mapping[str, Any]) -> tuple[tuple[str, str], ...]:
        """(what ends, what takes its place) of a reorganisation, every new unit of a split named."""

        def name(unit: str) -> str:
            return office.units[unit].name if unit in office.units else unit

        changes = reorganisation.loaded(row["content"]) if row["kind"] == "reorganisation" else ()
        return tuple((name(unit), "、".join(one.names) or name(one.into)) for one in changes for unit in one.units)

    def _planned(self, connection: sa.Connection, office: Organisation, row: Mapping[str, Any], today: date) -> tuple[Reform | None, Plan]:
        if row["kind"] == "personnel":
            return None, orders.plan(connection, office, orders.loaded(row["content"]), today)
        made = reorganisation.reform(office, reorganisation.loaded(row["content"]), row["effective_on"], today)
        plan = reorganisation.posts(connection, office, made) if not made.faults else Plan(row["effective_on"])
        plan.faults += made.faults
        return made, plan

    def _moved(self, connection: sa.Connection, office: Organisation, after: Organisation, plan: Plan) -> tuple[PersonMoved, ...]:
        """For each person the order touches: seats and the open steps that come and go with them."""
        gained, lost = plan.gained(), plan.lost()
        day = plan.effective_on
        coming = staffing.open_tasks(connection, after, gained, day)
        going = staffing.open_tasks(connection, office, lost, plan.last_day)
        persons = sorted({who for group in (*gained.values(), *lost.values()) for who in group})
        names = {**people.names(connection, persons), **{row.person: row.name for row in plan.joins}}
        found = []
        for who in persons:
            begins = [seat for seat, group in gained.items() if who in group]
            ends = [seat for seat, group in lost.items() if who in group]
            gains = [one for seat in begins for one in coming.get(seat, [])]
            loses = [one for seat in ends for one in going.get(seat, [])]
            stays = {one.task_id for one in gains} & {one.task_id for one in loses}  # a renamed unit keeps its people and their work
            found.append(
                PersonMoved(
                    who, names.get(who, who), tuple(after.seat_name(seat) for seat in begins), tuple(office.seat_name(seat) for seat in ends),
                    tuple(one for one in gains if one.task_id not in stays)[:MOST_SHOWN],
                    tuple(one for one in loses if one.task_id not in stays)[:MOST_SHOWN],
                )
            )  # fmt: skip
        return tuple(found)

    def _vacant(self, connection: sa.Connection, office: Organisation, after: Organisation, plan: Plan) -> tuple[Vacancy, ...]:
        """Seats that would be without anybody from the day on, and are not so now."""
        day = plan.effective_on
        held = set(staffing.held_seats(connection, office, day))
        ended: dict[str, int] = {}
        for row in plan.ends:
            ended[row["seat"]] = ended.get(row["seat"], 0) + 1
        for seat, many in ended.items():
            others = people.holders(connection, office, [seat], day)
            if sum(holder.kind != "substitute" for holder in others) <= many:
                held.discard(seat)
        held |= {one.seat for one in plan.begins}
        before = staffing.held_seats(connection, office, plan.last_day)
        waiting = staffing.open_by_seat(connection, after, day)
        found = []
        for seat in after.seats(day):
            old = after.answered_by(seat, day)
            if seat not in held and (seat in before or any(one in before for one in old)):
                above = after.next_seat(seat, day)
                found.append(
                    Vacancy(seat, after.seat_name(seat), day, None, waiting.get(seat, 0), after.seat_name(above) if above else "", ())
                )
        return tuple(found)

    def _line(self, connection: sa.Connection, office: Organisation, row: OrderRow) -> OrderRowShown:
        return OrderRowShown(
            row.line, orders.action_name(row.action), row.person, row.name, office.seat_name(row.seat) if row.seat else "",
            HOLDING_KINDS.get(row.kind, row.kind) if row.seat else "", row.valid_from, row.valid_to, row.basis,
        )  # fmt: skip

    # ---------------------------------------------------------------- decide

    def approve(self, viewer: Viewer, order_id: int) -> None:
        """Approve an order: what it changes is written with its dates, and takes effect when its day begins.

        Raises:
            NotAllowed, OrderNotFound, OrderRefused, OrderInvalid.
        """
        if not self._engine.personnel.may_approve(viewer):
            raise NotAllowed()
        with self._engine.writing() as connection:
            # One order after the other, each weighed against what the one before has changed: in this process or in another.
            ours = sa.select(personnel_order.c.id).where(personnel_order.c.organisation == viewer.organisation)
            connection.execute(ours.order_by(personnel_order.c.id).with_for_update())
            self._engine.organisations.refresh(connection, viewer.at, at_once=True)
            office = self._office(viewer)
            row = self._row(connection, viewer, order_id, lock=True)
            why_not = self._why_not(viewer, row)
            if why_not:
                raise OrderRefused(why=why_not, order=order_id)
            made, plan = self._planned(connection, office, row, civil_day(viewer.at))
            if plan.faults:
                raise OrderInvalid(plan.faults, order=order_id)
            if made is not None:
                reorganisation.write(connection, office, order_id, made)
                reorganisation.carry_deputies(connection, office, made, plan, viewer.at, viewer.person)
                office = amended(office, made.ends, made.begins)
            orders.apply(connection, office, order_id, plan, viewer.person, viewer.at)
            values = {"state": "approved", "decided_at": viewer.at, "decided_by": viewer.person}
            connection.execute(personnel_order.update().where(personnel_order.c.id == order_id).values(values))
            self._record(connection, viewer, "order.approved", order_id, row, begins=len(plan.begins), ends=len(plan.ends))
            if made is not None:
                self._engine.organisations.refresh(connection, viewer.at, at_once=True)

    def withdraw(self, viewer: Viewer, order_id: int, reason: str) -> None:
        """Give up an order that nobody has approved yet. Raises NotAllowed, OrderNotFound, OrderRefused."""
        self._engine.personnel.require_keeper(viewer)
        try:
            why = clean_text(reason, MAX_REASON, lines=False)
        except ValueError as wrong:
            raise OrderRefused(why=f"理由{wrong}", order=order_id) from None
        if not why:
            raise OrderRefused(why="取りやめる理由を入力してください。", order=order_id)
        with self._engine.writing() as connection:
            row = self._row(connection, viewer, order_id, lock=True)
            if row["state"] != "draft":
                raise OrderRefused(why="この発令は、すでに承認されたか、取りやめられています。", order=order_id)
            values = {"state": "withdrawn", "decided_at": viewer.at, "decided_by": viewer.person, "reason": why}
            connection.execute(personnel_order.update().where(personnel_order.c.id == order_id).values(values))
            self._record(connection, viewer, "order.withdrawn", order_id, row, reason=why)

    def _row(self, connection: sa.Connection, viewer: Viewer, order_id: int, *, lock: bool = False) -> Mapping[str, Any]:
        row = orders.find(connection, viewer.organisation, order_id, lock=lock)
        if row is None:
            raise OrderNotFound(order=order_id)
        return row

    def _why_not(self, viewer: Viewer, row: Mapping[str, Any]) -> str:
        """Why the viewer may not approve this order; empty when he may."""
        if row["state"] != "draft":
            return "この発令は、すでに承認されたか、取りやめられています。"
        if not self._engine.personnel.may_approve(viewer):
            return "発令を承認できる役ではありません。"
        if row["created_by"] == viewer.person:
            return "取り込んだ本人は承認できません。ほかの人が承認してください。"
        return ""

    # ---------------------------------------------------------------- handovers

    def handovers(self, viewer: Viewer, *, everybody: bool = False) -> tuple[HandoverShown, ...]:
        """What the viewer hands over or takes over, the newest first; of the whole office for who keeps the registers."""
        if everybody:
            self._engine.personnel.require_keeper(viewer)
        office, on = self._office(viewer), civil_day(viewer.at)
        mine = sa.or_(handover.c.taker == viewer.person, handover.c.giver == viewer.person)
        query = (
            sa.select(handover)
            .where(handover.c.organisation == viewer.organisation)
            .order_by(handover.c.effective_on.desc(), handover.c.id)
        )
        with self._engine.reading() as connection:
            rows = connection.execute((query if everybody else query.where(mine)).limit(MOST_SHOWN)).mappings().all()
            names = people.names(connection, [who for row in rows for who in (row["giver"], row["taker"])])
            return tuple(self._handover(connection, office, row, names, viewer, on) for row in rows)

    def _handover(
        self, connection: sa.Connection, office: Organisation, row: Mapping[Any, Any], names: Mapping[str, str], viewer: Viewer, on: date
    ) -> HandoverShown:
        state = "accepted" if row["accepted_at"] else "open" if row["effective_on"] <= on else "coming"
        if row["items"]:
            items = tuple(TaskMoved(one["task"], one["number"], one["step"], one["seat"], None) for one in json.loads(row["items"]))
        else:
            seat = office.current_seat(row["seat"], on) or row["seat"]
            items = tuple(staffing.open_tasks(connection, office, [seat], on).get(seat, [])[:MOST_SHOWN])
        mine = "taker" if row["taker"] == viewer.person else "giver" if row["giver"] == viewer.person else ""
        return HandoverShown(
            row["id"], row["seat"], office.seat_name(row["seat"]), row["giver"] or "", names.get(row["giver"] or "", ""), row["taker"],
            names.get(row["taker"], row["taker"]), row["effective_on"], row["note"], state, row["accepted_at"], items, mine,
        )  # fmt: skip

    def note_handover(self, viewer: Viewer, handover_id: int, note: str) -> None:
        """What the predecessor wants the successor to know; until it is accepted. Raises HandoverNotFound, OrderInvalid."""
        try:
            text = clean_text(note, MAX_NOTE, lines=True) or ""
        except ValueError as wrong:
            raise OrderInvalid([RowFault(0, "引継ぎ事項", f"引継ぎ事項{wrong}")]) from None
        with self._engine.writing() as connection:
            row = self._mine(connection, viewer, handover_id, handover.c.giver)
            connection.execute(handover.update().where(handover.c.id == handover_id).values(note=text, noted_at=viewer.at))
            self._told(connection, viewer, "handover.noted", row)

    def accept_handover(self, viewer: Viewer, handover_id: int) -> None:
        """Take a seat's work over: the open steps of the moment are kept with the acceptance. Raises HandoverNotFound, OrderRefused."""
        office, on = self._office(viewer), civil_day(viewer.at)
        with self._engine.writing() as connection:
            row = self._mine(connection, viewer, handover_id, handover.c.taker)
            if row["effective_on"] > on:
                raise OrderRefused(why="引継ぎの確認は、発令日から行えます。", handover=handover_id)
            seat = office.current_seat(row["seat"], on) or row["seat"]
            items = staffing.open_tasks(connection, office, [seat], on).get(seat, [])
            kept = [{"task": one.task_id, "number": one.number, "step": one.step, "seat": one.seat_name} for one in items]
            values = {"accepted_at": viewer.at, "items": json.dumps(kept, ensure_ascii=False)}
            connection.execute(handover.update().where(handover.c.id == handover_id).values(values))
            self._told(connection, viewer, "handover.accepted", row, count=len(kept))

    def _mine(self, connection: sa.Connection, viewer: Viewer, handover_id: int, part: sa.Column[Any]) -> Mapping[Any, Any]:
        query = sa.select(handover).where(
            handover.c.id == handover_id, handover.c.organisation == viewer.organisation, part == viewer.person
        )
        row = connection.execute(query.where(handover.c.accepted_at.is_(None)).with_for_update()).mappings().first()
        if row is None:
            raise HandoverNotFound(handover=handover_id)
        return row

    def _told(self, connection: sa.Connection, viewer: Viewer, tag: str, row: Mapping[Any, Any], **more: Any) -> None:
        data = {"name": self._office(viewer).seat_name(row["seat"]), "handover": row["id"], **more}
        entry = history.Entry(tag, viewer.at, viewer.person, row["seat"], data=data)
        history.append_to_organisation(connection, viewer.organisation, entry)


def _shown(row: Mapping[Any, Any], names: Mapping[str, str], viewer: Viewer) -> OrderShown:
    decided = names.get(row["decided_by"], "") if row["decided_by"] else ""
    in_force = row["state"] == "approved" and row["effective_on"] <= civil_day(viewer.at)
    return OrderShown(
        row["id"], row["kind"], row["title"], row["effective_on"], row["state"], in_force, row["file_name"], row["sha256"], row["created_at"],
        row["created_by"], names.get(row["created_by"], row["created_by"]), row["decided_at"], decided, row["reason"] or "",
    )  # fmt: skip
