"""Scenarios played on the real engine with a clock that is moved; as text they are `engine/scenario_text.py`'s."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from typing import TYPE_CHECKING, Any

import sqlalchemy as sa

from engine import people, starts
from engine.clock import JST, SetClock, civil_day
from engine.errors import ScenarioFailed, TadachiError
from engine.model import Row, case_file, history, job, statutory_clock, task
from engine.scenario_text import VERBS, Scenario, instant
from engine.timers import add_duration

if TYPE_CHECKING:
    from engine.service import Engine

_MOMENT = re.compile(r"@(now|today)(?:([+-])(P\S+))?")
MAX_JOBS = 10_000


class Player:
    """Plays scenarios on an engine whose clock can be moved.

    A subclass may act by other hands (the browser's): `begin`, `handle`, `do` and `check` are what it overrides.
    """

    def __init__(
        self,
        engine: Engine,
        clock: SetClock,
        organisation: str,
        say: Callable[[str], None] | None = None,
        limit: datetime | None = None,
        *,
        rounds: bool = True,
    ) -> None:
        """Play on an engine.

        Args:
            limit: the clock is never moved beyond this.
            rounds: whether each round of what time starts (such as a nightly look) happens at its own instant; without, the rounds that
                pass between two steps are made up for by one, as after an outage.
        """
        self._limit = limit
        self._stops = job.c.kind.is_not(None) if rounds else job.c.kind != starts.KIND
        self.engine = engine
        self.clock = clock
        self.office = engine.organisation(organisation)
        self._say = say or (lambda _text: None)
        self._fired: dict[str, int] = {}

    def play(self, scenario: Scenario, *, starts: datetime | None = None, until: str | None = None) -> int:
        """Play a scenario from its start, or from another instant; stop before the step marked `stage: <until>`.

        Returns:
            the case's id.

        Raises:
            ScenarioFailed: a step was refused or an expectation did not hold.
        """
        self.move_to(starts or scenario.starts)
        try:
            case_id = self.start(scenario.start["by"], scenario.process, scenario.start.get("answers") or {})
        except Unexpected as error:
            raise ScenarioFailed(title=scenario.title, number=0, step="start", why=str(error)) from None
        for number, step in enumerate(scenario.steps, 1):
            if until is not None and step.get("stage") == until:
                break
            verb = next(verb for verb in VERBS if verb in step)
            if verb == "expect" and starts is not None:
                continue  # what is expected names days; told on other days, it is a demonstration
            self.take(scenario.title, case_id, number, step)
        return case_id

    def start(self, by: str, process: str, answers: Mapping[str, Any]) -> int:
        """Start a case from a seat (`role@unit`) with answers as a scenario writes them; returns its id."""
        seat = self._seat(by, {})
        case_id = self.begin(seat, process, self._values(answers, seat.partition("@")[2]))
        self._say(f"{self._when()} {self.office.seat_name(seat)}：開始")
        return case_id

    def take(self, title: str, case_id: int, number: int, step: Mapping[str, Any]) -> None:
        """Take one step.

        Raises:
            ScenarioFailed: it was refused (the refusal is the cause) or what it expects does not hold.
        """
        verb = next(verb for verb in VERBS if verb in step)
        try:
            self._step(case_id, verb, step)
        except ScenarioFailed:
            raise
        except TadachiError as error:
            raise ScenarioFailed(title=title, number=number, step=_told(verb, step), why=error.text) from error
        except Unexpected as error:
            raise ScenarioFailed(title=title, number=number, step=_told(verb, step), why=str(error)) from None

    def _step(self, case_id: int, verb: str, step: Mapping[str, Any]) -> None:
        if "at" in step:
            moment = instant(step["at"])
            if moment is None:
                raise Unexpected(f"日時「{step['at']}」を読めません。")
            self.move_to(moment)
        if "after" in step:
            self._pass(step["after"])
        if verb == "passes":
            self._pass(step["passes"])
            return
        if verb == "expect":
            self.check(case_id, step["expect"])
            return
        if verb == "due":
            self._let_be_due(case_id, step["due"])
            return
        self._fired = self._firings(case_id)
        answers = self._values(step.get("answers") or {}, str(self._facts(case_id).get("owning_unit") or ""))
        if verb in ("complete", "send_back", "claim"):
            for row in self._tasks(case_id, step[verb], bool(step.get("each")), step.get("instance")):
                seat = row["seat"] if "by" not in step else self._seat(step["by"], self._facts(case_id))
                self.handle(verb, seat, row, answers, step)
                self._say(f"{self._when()} {self.office.seat_name(seat)}：{row['name']}（{verb}）")
        else:
            seat = self._seat(step["by"], self._facts(case_id))
            self.do(verb, seat, case_id, answers, step)
            self._say(f"{self._when()} {self.office.seat_name(seat)}：{step[verb]}")
        self.run_due()

    # ---------------------------------------------------------------- the hands

    def begin(self, seat: str, process: str, answers: Mapping[str, Any]) -> int:
        """Start the case; returns its id."""
        with self.engine.work(by=self.person(seat), seat=seat) as work:
            return work.start(process, answers)

    def handle(self, verb: str, seat: str, row: Row, answers: Mapping[str, Any], step: Mapping[str, Any]) -> None:
        """Complete, claim or send back one task."""
        with self.engine.work(by=self.person(seat), seat=None if seat.startswith("person:") else seat) as work:
            if verb == "complete":
                work.complete(row["id"], answers, late_reason=str(step.get("late", "")))
            elif verb == "claim":
                work.claim(row["id"])
            else:
                work.send_back(row["id"], step["reason"], step.get("to"))

    def do(self, verb: str, seat: str, case_id: int, answers: Mapping[str, Any], step: Mapping[str, Any]) -> None:
        """Do one of the case's actions, leave a note, or withdraw it."""
        with self.engine.work(by=self.person(seat), seat=None if seat.startswith("person:") else seat) as work:
            if verb == "act":
                work.act(case_id, step["act"], answers)
            elif verb == "note":
                work.note(case_id, step["note"])
            else:
                work.withdraw(case_id, step["withdraw"])

    # ---------------------------------------------------------------- time

    def _when(self) -> str:
        return f"{self.clock.now().astimezone(JST):%Y-%m-%d %H:%M}"

    def _pass(self, text: Any) -> None:
        moved = add_duration(str(text), self.clock.now())
        if moved is None:
            raise Unexpected(f"期間「{text}」を読めません。")
        self.move_to(moved)

    def move_to(self, target: datetime) -> None:
        """Move the clock, stopping at every due instant on the way so that timers and reminders happen when they would."""
        if self._limit is not None:
            target = min(target, self._limit)
        for _ in range(MAX_JOBS):
            with self.engine.reading() as connection:
                due = connection.scalar(sa.select(sa.func.min(job.c.run_at)).where(job.c.run_at <= target, self._stops))
            if due is None:
                break
            if due > self.clock.now():
                self.clock.set(due)
            self.run_due()
        self.clock.set(max(target, self.clock.now()) if target >= self.clock.now() else target)

    def run_due(self) -> None:
        """Run everything that is due now."""
        while self.engine.run_due(limit=500):
            pass

    def _let_be_due(self, case_id: int, element: str) -> None:
        """Let a waiting timer happen at its instant. One whose instant was past has happened already, with the step before."""
        if not self._has_fired(case_id, element):
            with self.engine.reading() as connection:
                rows = connection.execute(
                    sa.select(job.c.run_at, job.c.payload)
                    .where(job.c.case_id == case_id, job.c.kind == "timer", job.c.run_at.is_not(None))
                    .order_by(job.c.run_at, job.c.id)
                ).all()
            waiting = [(row.run_at, json.loads(row.payload)["wait"].partition(":")[2]) for row in rows]
            due = next((run_at for run_at, node in waiting if _is_named(node, element)), None)
            if due is None:
                names = "、".join(node for _, node in waiting) or "なし"
                raise Unexpected(f"「{element}」の時間は計られていません（計られているもの：{names}）。")
            self.move_to(max(due, self.clock.now()))
            self.run_due()
            if not self._has_fired(case_id, element):
                raise Unexpected(self._why_not_fired(case_id, element))
        node = next(node for node, count in self._firings(case_id).items() if _is_named(node, element) and count > self._fired.get(node, 0))
        self._fired[node] = self._fired.get(node, 0) + 1
        self._say(f"{self._when()} 時間の経過：{element}")

    def _why_not_fired(self, case_id: int, element: str) -> str:
        query = sa.select(job.c.payload, job.c.error).where(job.c.case_id == case_id, job.c.kind == "timer", job.c.error.is_not(None))
        with self.engine.reading() as connection:
            rows = connection.execute(query).all()
        for row in rows:
            if _is_named(json.loads(row.payload)["wait"].partition(":")[2], element):
                return f"「{element}」の時間が来ましたが、先へ進めませんでした：{row.error}"
        return f"「{element}」の時間が来る前に、ほかの処理で取り消されました。"

    def _has_fired(self, case_id: int, element: str) -> bool:
        return any(_is_named(node, element) and count > self._fired.get(node, 0) for node, count in self._firings(case_id).items())

    def _firings(self, case_id: int) -> dict[str, int]:
        """node -> how often its timer has happened."""
        query = sa.select(history.c.node, sa.func.count()).where(history.c.case_id == case_id, history.c.tag == "timer.fired")
        with self.engine.reading() as connection:
            return {str(node): int(count) for node, count in connection.execute(query.group_by(history.c.node))}

    # ---------------------------------------------------------------- who and what

    def _facts(self, case_id: int) -> Mapping[str, Any]:
        with self.engine.reading() as connection:
            return dict(json.loads(connection.scalar(sa.select(case_file.c.facts).where(case_file.c.id == case_id)) or "{}"))

    def _seat(self, group: str, facts: Mapping[str, Any]) -> str:
        if group == "reporter" and "reporter" in facts:
            return f"person:{facts['reporter']}"
        role, _, where = group.partition("@")
        unit = self.office.id if where == "organisation" else str(facts.get(where) or where)
        seat = self.office.resolve(role, unit, civil_day(self.clock.now()))
        if seat is None:
            raise Unexpected(f"「{group}」の役がありません。")
        return seat

    def person(self, seat: str) -> str:
        """Who holds a seat today, the main holder first."""
        if seat.startswith("person:"):
            return seat.removeprefix("person:")
        with self.engine.reading() as connection:
            found = people.holders(connection, self.office, [seat], civil_day(self.clock.now()))
        if not found:
            raise Unexpected(f"「{self.office.seat_name(seat)}」に就いている人がいません。")
        return min(found, key=lambda holder: holder.kind != "main").person

    def _tasks(self, case_id: int, element: str, each: bool, instance: int | None = None) -> Sequence[Row]:
        """The open tasks of an element: the first, all of them, or the one whose name has this number (instances count from 1)."""
        with self.engine.reading() as connection:
            rows = connection.execute(
                sa.select(task).where(task.c.case_id == case_id, task.c.state == "open").order_by(task.c.id)
            ).mappings().all()  # fmt: skip
        found = [row for row in rows if _is_named(row["node"], element) and (instance is None or row["name"].endswith(f"（{instance}）"))]
        if not found:
            raise Unexpected(f"「{element}」は待っていません（待っているもの：{'、'.join(row['node'] for row in rows) or 'なし'}）。")
        return found if each else found[:1]

    def _values(self, answers: Mapping[str, Any], unit: str) -> dict[str, Any]:
        return {name: self._value(value, unit) for name, value in answers.items()}

    def _value(self, value: Any, unit: str) -> Any:
        """A value as written, or what it stands for.

        `@now`, `@now-PT30M`, `@today`, `@today+P3D` are moments relative to the scenario's clock, so that a scenario can be played on any
        day; `@owning_unit` is the unit that has the case, before there is one that of the seat that starts it.
        """
        if isinstance(value, list):
            return [self._value(item, unit) for item in value]
        if isinstance(value, dict):
            return {name: self._value(item, unit) for name, item in value.items()}
        if value == "@owning_unit":
            return unit
        match = _MOMENT.fullmatch(value) if isinstance(value, str) else None
        if match is None:
            return value.isoformat() if isinstance(value, datetime) else str(value) if hasattr(value, "isoformat") else value
        now = self.clock.now().astimezone(JST)
        moved = now
        if match[3]:
            later = add_duration(match[3], now)
            if later is None:
                raise Unexpected(f"「{value}」を読めません。")
            moved = later if match[2] == "+" else now - (later - now)
        return moved.date().isoformat() if match[1] == "today" else moved.isoformat(timespec="minutes")

    # ---------------------------------------------------------------- expectations

    def stands(self, case_id: int) -> str:
        """Where the case is, in a sentence."""
        with self.engine.reading() as connection:
            case = connection.execute(sa.select(case_file.c.state, case_file.c.outcome).where(case_file.c.id == case_id)).one()
            steps = connection.scalars(
                sa.select(task.c.name).where(task.c.case_id == case_id, task.c.state == "open").order_by(task.c.id)
            ).all()
            timers = connection.scalars(sa.select(job.c.run_at).where(job.c.case_id == case_id, job.c.kind == "timer")).all()
        if case.state != "open":
            return f"案件は終わりました（{case.outcome or case.state}）。"
        if steps:
            return f"案件の処理待ち：{'、'.join(dict.fromkeys(steps))}"
        due = min((run_at for run_at in timers if run_at is not None), default=None)
        if due is not None:
            return f"案件は時間の経過を待っています（次は {due.astimezone(JST):%Y-%m-%d %H:%M}）。"
        return "案件は終わっておらず、処理待ちも、計られている時間もありません。"

    def check(self, case_id: int, wanted: Mapping[str, Any]) -> None:
        """See that the case stands as the scenario says."""
        with self.engine.reading() as connection:
            row = connection.execute(sa.select(case_file).where(case_file.c.id == case_id)).mappings().one()
            nodes = connection.scalars(sa.select(task.c.node).where(task.c.case_id == case_id, task.c.state == "open")).all()
            running = sa.select(statutory_clock.c.clock, statutory_clock.c.due_on).where(statutory_clock.c.case_id == case_id)
            clocks = {clock.clock: clock.due_on for clock in connection.execute(running)}
        facts = self._facts(case_id)
        for key, value in wanted.items():
            if key == "waits_at":
                found: Any = sorted(node.rsplit("/", 1)[-1] for node in nodes)
                value = sorted(value)
            elif key == "outcome":
                found = row["outcome"]
            elif key == "facts":
                found = {name: facts.get(name) for name in value}
            elif key == "clocks":
                found = {name: clocks[name].isoformat() if name in clocks else None for name in value}
                value = {name: str(day) if day is not None else None for name, day in value.items()}
            else:
                raise Unexpected(f"「{key}」は確かめられません。")
            if found != value and key == "waits_at":
                with self.engine.reading() as connection:
                    net = self.engine.definitions.get(connection, row["definition"]).net
                names = {node.element: f"「{' '.join(node.name.split())}」" for node in net.nodes if node.name}
                found, value = ([names.get(one, one) for one in ones] for ones in (found, value))
            if found != value:
                raise Unexpected(f"{_EXPECTED[key]}は{_listed(value, found)}のはずが、{_listed(found, value)}です。")


class Unexpected(Exception):
    """A step cannot be done or an expectation does not hold; turned into ScenarioFailed with its place."""


def _is_named(node: str, element: str) -> bool:
    """Whether a node is the one a scenario names: by its id with the path of its calls, or by its element alone."""
    return element in (node, node.rsplit("/", 1)[-1])


#: What may be expected, as people call it.
_EXPECTED = {"waits_at": "待っている処理", "outcome": "案件の結果", "facts": "事実", "clocks": "法定の期限"}


def _told(verb: str, step: Mapping[str, Any]) -> str:
    """Which step it is; what is expected is told with what there is instead."""
    return verb if verb == "expect" else f"{verb} {_words(step[verb])}"


def _listed(value: Any, other: Any) -> str:
    """A value that is not as the other one is; of several facts, those that differ."""
    if isinstance(value, dict) and isinstance(other, dict):
        return "、".join(f"{name}＝{_words(one)}" for name, one in value.items() if one != other.get(name))
    if isinstance(value, list):
        return "、".join(str(one) for one in value) or "なし"
    return "なし" if value is None else _words(value)


def _words(value: Any) -> str:
    """A value of a scenario as it would be written there."""
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False, default=str)
