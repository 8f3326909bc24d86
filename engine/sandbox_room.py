"""One sandbox as somebody at a screen uses it: what he sees as any seat, and what he does, written down in the words of a scenario."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from datetime import datetime, timedelta
from typing import Any

import sqlalchemy as sa
import yaml

from engine import foretell, forms, jobs
from engine.clock import civil_day
from engine.errors import NotFound, PlayRefused, TadachiError, TaskNotFound, UnknownSeat
from engine.model import FAR_FUTURE, Row, case_file, job, task
from engine.net import Kind, Node
from engine.organisation import PERSON
from engine.sandbox import MOST_ACTS, Run, Sandbox, duration, local
from engine.sandbox_views import ActionWaiting, Played, PlayPage, TimerWaiting, Waiting
from engine.store import OpenCase
from engine.timers import add_duration
from engine.tokens import Marking
from engine.views import ActionOffered, StartForm, TaskPage, Viewer

#: How far one act may move the clock.
LONGEST = timedelta(days=366 * 3)
Answers = Mapping[str, Any]


class Room:
    """A run, played, and what may be done next. Every verb is kept when it succeeds, and changes nothing when it is refused."""

    def __init__(self, sandbox: Sandbox, played: Played, run: Run, keep: Callable[[Run], None]) -> None:
        self._sandbox = sandbox
        self._engine = sandbox.engine
        self._keep = keep
        self.played = played
        self.run = run
        sandbox.replay(run)
        self.stopped = sandbox.stopped
        if self.stopped is not None:
            self.run = run.cut(sandbox.done)

    # ---------------------------------------------------------------- do

    def start(self, seat: str, answers: Answers) -> None:
        """Begin the case from a seat. Raises what the start page would."""
        if self.run.start is not None:
            raise PlayRefused(why="この試行は、もう始まっています。")
        node = self._sandbox.definition.net.start
        self._do({"by": self._by(seat), "answers": self._written(node, answers, None)})

    def complete(self, seat: str, task_id: int, answers: Answers, late: str = "") -> None:
        """Complete a waiting step from a seat. Raises what the task's page would."""
        row = self._task(task_id)
        case = self._case(row["case_id"])
        node = case.definition.net.by_id[row["node"]]
        wait = next((one for one in case.waits() if one.kind == "task" and one.key == row["wait"]), None)
        index = wait.local.get("loop_index") if wait is not None else None
        act: dict[str, Any] = {"complete": self._named(node)}
        if seat != row["seat"]:
            act["by"] = self._by(seat)
        if isinstance(index, int):
            act["instance"] = index + 1
        told = self._written(node, answers, case.facts if index is None else {})
        if told:
            act["answers"] = told
        if late.strip():
            act["late"] = late.strip()
        self._do(act)

    def send_back(self, seat: str, task_id: int, to: str, reason: str) -> None:
        """Return a waiting step. Raises what the task's page would."""
        row = self._task(task_id)
        node = self._sandbox.definition.net.by_id[row["node"]]
        act = {"send_back": self._named(node), "reason": reason}
        if to:
            act["to"] = to
        if seat != row["seat"]:
            act["by"] = self._by(seat)
        self._do(act)

    def act(self, seat: str, name: str, answers: Answers) -> None:
        """Do an action of the case from a seat. Raises what its page would."""
        case = self._own_case()
        wait = next(
            (one for one in case.waits() if one.kind == "message" and one.node.event is not None and one.node.event.name == name), None
        )
        if wait is None:
            raise NotFound(action=name)
        told = self._written(wait.node, answers, case.facts)
        self._do({"act": name, "by": self._by(seat), **({"answers": told} if told else {})})

    def passes(self, period: str) -> None:
        """Let a period pass (ISO 8601)."""
        moved = add_duration(period, self._sandbox.clock.now())
        if moved is None:
            raise PlayRefused(why="期間を読めません。")
        self._pass_to(moved)

    def until(self, instant: datetime) -> None:
        """Let time pass until an instant."""
        self._pass_to(instant)

    def until_next(self) -> None:
        """Let time pass until something happens by itself."""
        due = self._sandbox.hands.next_due()
        if due is None:
            raise PlayRefused(why="このあと、時間によって起きることはありません。")
        self._pass_to(max(due, self._sandbox.clock.now()))

    def _pass_to(self, instant: datetime) -> None:
        now = self._sandbox.clock.now()
        if self.run.start is None:
            raise PlayRefused(why="案件を始めてから、時間を進めてください。始める日時は、開始の画面で選べます。")
        if not now <= instant <= now + LONGEST:
            raise PlayRefused(why="いまより後の、3年以内の日時を選んでください。")
        self._do({"passes": duration(instant - now)})

    def fire(self, node_id: str) -> None:
        """Let a timer that runs happen, at its instant."""
        node = self._sandbox.definition.net.by_id.get(node_id)
        if node is None:
            raise NotFound(timer=node_id)
        self._do({"due": self._named(node)})

    def undo(self) -> None:
        """Take the last act back."""
        self._keep(self.run.without_last())

    def again(self, starts: datetime | None) -> None:
        """Begin anew, at an instant perhaps."""
        self._keep(Run(starts or self.run.starts))

    def _do(self, act: Mapping[str, Any]) -> None:
        if self.run.length >= MOST_ACTS:
            raise PlayRefused(why=f"一つの試行でできる操作は{MOST_ACTS}回までです。")
        plain = json.loads(json.dumps(act, ensure_ascii=False, default=str))
        self._sandbox.take(plain)
        self.run = self.run.with_act(plain)
        self._sandbox.keep(self.run)
        self._keep(self.run)

    def _by(self, seat: str) -> str:
        """How a scenario names who acts. Raises UnknownSeat."""
        if seat.startswith(PERSON):
            if self._sandbox.case_id is None or seat != f"{PERSON}{self._own_case().facts['reporter']}":
                raise UnknownSeat(seat=seat)
            return "reporter"
        if seat not in self._sandbox.base.office.seats(civil_day(self._sandbox.clock.now())):
            raise UnknownSeat(seat=seat)
        return seat

    def _named(self, node: Node) -> str:
        """How a scenario names a node: by its element alone where that says which."""
        alike = [one for one in self._sandbox.definition.net.nodes if one.element == node.element]
        return node.element if len(alike) == 1 else node.id

    def _written(self, node: Node, posted: Answers, known: Mapping[str, Any] | None) -> dict[str, Any]:
        """The answers worth writing down, in their fields' types: what is known already and what was left blank need not be said."""
        fields = {spec.id: spec for spec in node.form}
        read = forms.guess(node.form, posted, now=self._sandbox.clock.now(), units=self._units)
        told: dict[str, Any] = {}
        for name, value in posted.items():
            id = name.partition(".")[0] if name not in fields else name
            spec = fields.get(id)
            if spec is None or id not in read:
                if value not in ("", []):  # what cannot be read is refused by the step itself, in its own words
                    told[name] = value
            elif spec.properties.get("as_buttons") == "true" or _plain(read[id]) != _plain((known or {}).get(id)):
                told[id] = read[id]
        return told

    @property
    def _units(self) -> dict[str, str]:
        return {unit.id: unit.name for unit in self._sandbox.base.office.owners(civil_day(self._sandbox.clock.now()))}

    # ---------------------------------------------------------------- look

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
        return yaml.safe_dump(told, allow_unicode=True, sort_keys=False, width=140)

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


def _plain(value: Any) -> Any:
    return None if value in ("", []) else value


__all__ = ["Room"]
