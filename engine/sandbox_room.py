"""One sandbox as somebody at a screen uses it: what he does as any seat, written down in the words of a scenario."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from datetime import datetime, timedelta
from typing import Any

from engine import forms
from engine.clock import civil_day
from engine.errors import NotFound, PlayRefused, UnknownSeat
from engine.net import Node
from engine.organisation import PERSON
from engine.sandbox import MOST_ACTS, Run, Sandbox, duration
from engine.sandbox_look import Answers, Look
from engine.sandbox_views import Played
from engine.scenario_text import Scenario
from engine.timers import add_duration

#: How far one act may move the clock.
LONGEST = timedelta(days=366 * 3)


class Room(Look):
    """A run, and what may be done next. Every verb is kept when it succeeds, and changes nothing when it is refused."""

    def __init__(self, sandbox: Sandbox, played: Played, run: Run, keep: Callable[[Run], None]) -> None:
        super().__init__(sandbox, played, run)
        self._keep = keep

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

    def follow(self, scenario: Scenario) -> None:
        """Play a scenario in the place of this run, as far as it goes; whoever looks goes on from there. Raises PlayRefused."""
        if len(scenario.steps) >= MOST_ACTS:
            raise PlayRefused(why=f"一つの試行でできる操作は{MOST_ACTS}回までです。")
        start, *steps = json.loads(
            json.dumps([scenario.start, *scenario.steps], ensure_ascii=False, default=lambda moment: moment.isoformat())
        )
        self._keep(Run(scenario.starts, start, tuple(steps)))

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


def _plain(value: Any) -> Any:
    return None if value in ("", []) else value


__all__ = ["Room"]
