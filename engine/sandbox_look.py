"""What a person at the screen of a sandbox sees: where the run stands, what waits for whom, one form, the picture, the run as a scenario."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

import sqlalchemy as sa

from engine import foretell, jobs
from engine.clock import civil_day
from engine.errors import NotFound, PlayRefused, TadachiError, TaskNotFound, UnknownSeat
from engine.model import FAR_FUTURE, Row, case_file, job, task
from engine.net import Kind
from engine.organisation import PERSON
from engine.sandbox import Run, Sandbox, local
from engine.sandbox_views import ActionWaiting, Played, PlayPage, TimerWaiting, Waiting
from engine.scenario_text import dump
from engine.store import OpenCase
from engine.tokens import Marking
from engine.views import ActionOffered, StartForm, TaskPage, Viewer

Answers = Mapping[str, Any]


class Look:
    """A run, played as far as it goes."""

    def __init__(self, sandbox: Sandbox, played: Played, run: Run) -> None:
        self._sandbox = sandbox
        self._engine = sandbox.engine
        self.played = played
        self.run = run
        sandbox.replay(run)
        self.stopped = sandbox.stopped
        if self.stopped is not None:
            self.run = run.cut(sandbox.done)

    def page(
        self,
        *,
        seat: str | None = None,
        task_id: int | None = None,
        action: str | None = None,
        path: str = "",
        answers: Answers | None = None,
        errors: Mapping[str, str] | None = None,
    ) -> PlayPage:
        """The run as it stands, with one form: of the step or action asked for, else of the first step that waits, else of the start.

        Args:
            seat: who is looking; whoever the step is for when left out.
            answers, errors: of that form, to show what was typed and refused.
        """
        base, at = self._sandbox.base, self._sandbox.clock.now()
        stopped = f"{self.run.length + 1}番目の操作は、いまの図ではできません：{self.stopped.text}" if self.stopped is not None else ""
        seats = tuple((one, base.office.seat_name(one)) for one in base.office.seats(civil_day(at)))
        definition = self._sandbox.definition
        diagrams = (("", definition.name), *((node.id, node.name) for node in definition.net.nodes if node.called))
        path = path if path in dict(diagrams) else ""
        if self.run.start is None:
            seat = seat or self._starter()
            form: StartForm | None = None
            form = self._engine.start_form(self._viewer(seat), base.process_id, answers=answers, errors=errors)
            return PlayPage(
                self.played, at, self.run.starts, 0, stopped, "まだ始まっていません。", None, seat, base.office.seat_name(seat), seats,
                diagrams=diagrams, path=path, state=self._state(path), start=form,
            )  # fmt: skip
        case = self._own_case()
        waiting = self._waiting()
        mine = [one for one in waiting if not one.of]
        chosen = next((one for one in mine if one.task_id == task_id), None)
        if chosen is None and action is None:
            chosen = next((one for one in mine if one.seat == seat), None) if seat else next(iter(mine), None)
        actions = self._actions(case)
        if seat is None:
            offered = next((one.seats for one in actions if one.name == action), ())
            seat = chosen.seat if chosen else offered[0][0] if offered else f"{PERSON}{case.facts['reporter']}"
        viewer = self._viewer(seat)
        shown = self._engine.case(self._viewer(f"{PERSON}{case.facts['reporter']}"), case.id)
        with self._engine.reading() as connection:
            told = tuple(foretell.told(connection, self._engine, case.id, 0))
        return PlayPage(
            self.played, at, self.run.starts, self.run.length, stopped, self._sandbox.hands.stands(case.id), shown.head, seat,
            self._seat_name(seat, viewer), seats, waiting, actions, self._timers(case), jobs.next_due(self._engine), told, shown.facts,
            shown.clocks, tuple(event for event in shown.timeline if not event.refused), diagrams, path, self._state(path),
            task=self._task_page(viewer, chosen.task_id, answers, errors) if chosen else None,
            action=self._action(viewer, case.id, action, answers, errors) if action else None,
        )  # fmt: skip

    def diagram(self, path: str) -> str:
        """The BPMN XML of the diagram, or of one that it calls."""
        definition = self._sandbox.definition
        prefix = f"{path}/" if path else ""
        found = next((one for one in definition.net.diagrams if one.prefix in (path, prefix)), None)
        if found is None:
            raise NotFound(diagram=path)
        return definition.files[found.source].decode()

    def file_of(self, process: str) -> str:
        """The BPMN XML of the diagram with this process. Raises NotFound."""
        definition = self._sandbox.definition
        found = next((one for one in definition.net.diagrams if one.process_id == process), None)
        if found is None:
            raise NotFound(process=process)
        return definition.files[found.source].decode()

    def scenario(self, title: str) -> str:
        """The run as a scenario, ending in what stands now. Raises PlayRefused before there is a case."""
        if self.run.start is None:
            raise PlayRefused(why="まだ何も行っていません。案件を始めてから保存してください。")
        case = self._own_case()
        steps = [dict(step) for step in self.run.steps]
        if case.row["state"] == "open":
            expected: dict[str, Any] = {"waits_at": sorted(one.node.rsplit("/", 1)[-1] for one in self._waiting() if not one.of)}
        else:
            expected = {"waits_at": [], "outcome": case.row["outcome"]}
        told = {
            "title": title,
            "process": self._sandbox.base.process_id,
            "starts": local(self.run.starts).replace(tzinfo=None).isoformat(sep=" "),
            "start": self.run.start,
            "steps": [*steps, {"expect": expected}],
        }
        return dump(told)

    def _viewer(self, seat: str) -> Viewer:
        if not seat.startswith(PERSON) and seat not in self._sandbox.base.office.seats(civil_day(self._sandbox.clock.now())):
            raise UnknownSeat(seat=seat)
        return self._engine.viewer(self._sandbox.hands.person(seat))

    def _seat_name(self, seat: str, viewer: Viewer) -> str:
        return f"{viewer.name}（本人）" if seat.startswith(PERSON) else self._sandbox.base.office.seat_name(seat)

    def _starter(self) -> str:
        """A seat from which an ordinary case starts."""
        office, net = self._sandbox.base.office, self._sandbox.definition.net
        on = civil_day(self._sandbox.clock.now())
        roles = [group.partition("@")[0] for group in net.start.candidate_groups] or [office.reporter_role]
        able = {unit.id for unit in office.units.values() if office.owner_role in unit.seats}  # whose own cases find somebody there
        seats = sorted(office.seats(on), key=lambda seat: seat.partition("@")[2] not in able)
        return next((one for role in roles for one in seats if one.startswith(f"{role}@")), seats[0])

    def _own_case(self) -> OpenCase:
        if self._sandbox.case_id is None:
            raise PlayRefused(why="まだ案件がありません。")
        return self._case(self._sandbox.case_id)

    def _case(self, case_id: int) -> OpenCase:
        with self._engine.reading() as connection:
            row = connection.execute(sa.select(case_file).where(case_file.c.id == case_id)).mappings().one()
            definition = self._engine.definitions.get(connection, row["definition"])
        return OpenCase(dict(row), definition, self._sandbox.base.office, Marking.load(row["marking"]), json.loads(row["facts"]))

    def _task(self, task_id: int) -> Row:
        with self._engine.reading() as connection:
            row = connection.execute(sa.select(task).where(task.c.id == task_id, task.c.state == "open")).mappings().first()
        if row is None or row["case_id"] != self._sandbox.case_id:
            raise TaskNotFound(task=task_id)
        return row

    def _waiting(self) -> tuple[Waiting, ...]:
        now = self._sandbox.clock.now()
        names = {process_id: name for process_id, (name, _) in self._sandbox.base.bundles.items()}
        with self._engine.reading() as connection:
            query = sa.select(task, case_file.c.process_id).join(case_file, case_file.c.id == task.c.case_id).where(task.c.state == "open")
            rows = connection.execute(query.order_by(task.c.case_id, task.c.id)).mappings().all()
        return tuple(
            Waiting(
                row["id"], row["node"], row["name"], row["seat"], self._waiting_for(row["seat"]), row["opened_at"],
                None if row["due_at"] == FAR_FUTURE else row["due_at"], bool(row["statutory"]), row["due_at"] <= now,
                "" if row["case_id"] == self._sandbox.case_id else names.get(row["process_id"], ""),
            )
            for row in rows
        )  # fmt: skip

    def _waiting_for(self, seat: str) -> str:
        return self._seat_name(seat, self._viewer(seat)) if seat.startswith(PERSON) else self._sandbox.base.office.seat_name(seat)

    def _actions(self, case: OpenCase) -> tuple[ActionWaiting, ...]:
        """What may be done at any time now, once for each name."""
        if case.row["state"] != "open":
            return ()
        move, found = case.move(self._sandbox.clock.now()), {}
        for wait in case.waits():
            if wait.kind == "message" and wait.node.event is not None and wait.node.candidate_groups:
                seats = {seat for group in wait.node.candidate_groups if (seat := move.seat_or_none(group)) is not None}
                usable = tuple((seat, self._waiting_for(seat)) for seat in sorted(seats) if move.may_send(wait, {seat}))
                if usable:
                    name = wait.node.event.name
                    found[name] = ActionWaiting(name, wait.node.properties.get("button") or wait.node.name, usable)
        return tuple(found.values())

    def _timers(self, case: OpenCase) -> tuple[TimerWaiting, ...]:
        query = sa.select(job.c.run_at, job.c.payload).where(job.c.case_id == case.id, job.c.kind == "timer", job.c.run_at.is_not(None))
        with self._engine.reading() as connection:
            rows = connection.execute(query.order_by(job.c.run_at, job.c.id)).all()
        nodes = [(case.definition.net.by_id.get(json.loads(row.payload)["wait"].partition(":")[2]), row.run_at) for row in rows]
        return tuple(TimerWaiting(node.id, " ".join(node.name.split()) or node.element, due) for node, due in nodes if node is not None)

    def _task_page(self, viewer: Viewer, task_id: int, answers: Answers | None, errors: Mapping[str, str] | None) -> TaskPage | None:
        try:
            return self._engine.task(viewer, task_id, answers=answers, errors=errors)
        except TadachiError:  # this seat does not see the case at all
            return None

    def _action(
        self, viewer: Viewer, case_id: int, name: str, answers: Answers | None, errors: Mapping[str, str] | None
    ) -> ActionOffered | None:
        try:
            return self._engine.action(viewer, case_id, name, answers=answers, errors=errors)
        except TadachiError:
            return None

    def _state(self, path: str) -> dict[str, dict[str, Any]]:
        """Where the case stands in a diagram: as the case's own page tells, with every element and flow it has passed."""
        net, case_id = self._sandbox.definition.net, self._sandbox.case_id
        seen = self._sandbox.seen[self._sandbox.base.process_id]
        state: dict[str, dict[str, Any]] = {}
        if case_id is not None:
            case = self._own_case()
            state = self._engine.diagram_state(self._viewer(f"{PERSON}{case.facts['reporter']}"), case_id, path)
        prefix = f"{path}/" if path else ""
        for node in net.nodes:
            if node.prefix.rstrip("/") != path:
                continue
            entry = state.setdefault(node.element, {"state": "", "label": "", "count": 0, "calls": node.id if node.called else None})
            if not entry["state"] and seen.entered[node.id]:
                quiet = node.kind in (Kind.EXCLUSIVE, Kind.PARALLEL, Kind.INCLUSIVE, Kind.EVENT_GATEWAY)
                entry |= {"state": "done", "label": "" if quiet else "済", "count": seen.left[node.id] or seen.entered[node.id]}
        for flow in net.flows:
            if not flow.virtual and seen.flows[flow.id] and flow.id.startswith(prefix) and "/" not in flow.id.removeprefix(prefix):
                state[flow.id.removeprefix(prefix)] = {"state": "taken", "label": "", "count": seen.flows[flow.id], "calls": None}
        return state


__all__ = ["Answers", "Look"]
