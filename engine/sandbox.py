"""The sandbox: a procedure played by the real engine in memory, on a clock that is moved; nothing of the installation is read or written."""

from __future__ import annotations

import hashlib
import json
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from functools import cached_property, lru_cache
from typing import TYPE_CHECKING, Any

import sqlalchemy as sa

from engine import jobs
from engine.checker.proving import unproven
from engine.clock import JST, SetClock, civil_day
from engine.decisions import Decision
from engine.definitions import Bundles, Definition, Definitions, compile_bundle
from engine.errors import PlayRefused, PlayTooLong, ProcessNotFound, ScenarioFailed, TadachiError
from engine.limits import Limits
from engine.net import Net
from engine.notices import KeptSender
from engine.offices import Fixed
from engine.organisation import Organisation
from engine.sandbox_database import SHELF, Kept, content, fresh
from engine.scenario import Player, Unexpected
from engine.scenario_text import Scenario
from engine.settings import Settings
from engine.witness import Seen

if TYPE_CHECKING:
    from engine.service import Engine

#: What one replay may need: a diagram may be anything, and somebody waits for the page.
MOST_RUNS, MOST_SECONDS, MOST_ACTS = 3_000, 8.0, 300


@dataclass(frozen=True)
class Base:
    """What is played: one procedure of an office, among those that a case of it may begin.

    Attributes:
        bundles: process id -> (name, files); `process_id` is one of them.
        admitted: the procedure is in force: limits made since then do not strand it.
    """

    office: Organisation
    process_id: str
    bundles: Bundles
    admitted: bool = True

    @property
    def net(self) -> Net:
        """The procedure compiled; raises DefinitionRefused."""
        return self.compiled(self.process_id)[0]

    def compiled(self, process_id: str) -> tuple[Net, Mapping[str, Decision]]:
        """One of the procedures compiled; raises DefinitionRefused."""
        files = tuple(sorted(self.bundles[process_id][1].items()))
        return _compiled(process_id, files, self.office.rules.limits, self.admitted or process_id != self.process_id)

    @cached_property
    def digest(self) -> str:
        """Of everything a replay depends on besides its acts."""
        found = hashlib.sha256(f"{self.office.digest}\0{self.process_id}\0{self.admitted}".encode())
        for process_id, (name, files) in self.bundles.items():
            found.update(f"\0{process_id}\0{name}".encode())
            for file, data in sorted(files.items()):
                found.update(file.encode() + b"\0" + hashlib.sha256(data).digest())
        return found.hexdigest()


@dataclass(frozen=True)
class Run:
    """What was done in a sandbox, in the words of a scenario. `start` None: nothing yet."""

    starts: datetime
    start: Mapping[str, Any] | None = None
    steps: tuple[Mapping[str, Any], ...] = ()

    @property
    def length(self) -> int:
        """How many acts it has."""
        return len(self.steps) + (self.start is not None)

    def with_act(self, act: Mapping[str, Any]) -> Run:
        """The run with one more act; the first is its start."""
        return replace(self, start=act) if self.start is None else replace(self, steps=(*self.steps, act))

    def without_last(self) -> Run:
        """The run with its last act undone, and what was expected after it."""
        steps = list(self.steps)
        while steps and "expect" in steps[-1]:
            steps.pop()
        return replace(self, steps=tuple(steps[:-1])) if steps else replace(self, start=None, steps=())

    def cut(self, length: int) -> Run:
        """The run with no more than so many acts."""
        return replace(self, start=self.start if length else None, steps=self.steps[: max(length - 1, 0)])

    def dump(self) -> str:
        """The acts as JSON."""
        return json.dumps({"start": self.start, "steps": list(self.steps)}, ensure_ascii=False, default=str)

    @staticmethod
    def load(starts: datetime, text: str) -> Run:
        """The acts from JSON."""
        told = json.loads(text)
        return Run(starts, told["start"], tuple(told["steps"]))


class Hands(Player):
    """The player of scenarios in a sandbox: nothing goes out, and due work has a budget."""

    def __init__(self, engine: Engine, clock: SetClock, organisation: str, say: Callable[[str], None] | None = None) -> None:
        super().__init__(engine, clock, organisation, say)
        self._runs = 0
        self._until = time.thread_time() + MOST_SECONDS  # of work: on a machine that is busy with other things, people just wait

    def take(self, title: str, case_id: int, number: int, step: Mapping[str, Any]) -> None:
        """Take one step, while there is time left."""
        self._spend(0)
        super().take(title, case_id, number, step)

    def _spend(self, runs: int) -> None:
        self._runs += runs
        if self._runs > MOST_RUNS:
            raise PlayTooLong(why=f"時間による処理が{MOST_RUNS}件を超えました")
        if time.thread_time() > self._until:
            raise PlayTooLong(why=f"{MOST_SECONDS:g}秒を超える計算が要ります")

    @property
    def fired(self) -> dict[str, int]:
        """Which firings of timers the acts have accounted for; a run that is played on goes on from there."""
        return dict(self._fired)

    @fired.setter
    def fired(self, told: Mapping[str, int]) -> None:
        self._fired = dict(told)

    def next_due(self) -> datetime | None:
        """When something happens next by itself."""
        return jobs.next_due(self.engine)

    def run_due(self) -> None:
        """Run everything that is due now, but for deliveries."""
        while jobs.run_some(self.engine):
            self._spend(1)

    def move_to(self, target: datetime) -> None:
        """Move the clock, stopping at every due instant on the way; it never goes back."""
        while (due := self.next_due()) is not None and due <= target:
            self._spend(1)
            if due > self.clock.now():
                self.clock.set(due)
            self.run_due()
        self.clock.set(max(target, self.clock.now()))


class Sandbox:
    """One replay. Close it when it has been looked at.

    Attributes:
        case_id: the case that was begun, None before.
        done: how many acts of the run were possible.
        stopped: why the act after those was not; None when all were.
        seen: process id -> what cases of it have passed.
    """

    def __init__(
        self, make: type[Engine], settings: Settings, base: Base, starts: datetime, *, say: Callable[[str], None] | None = None
    ) -> None:
        self.base = base
        self.clock = SetClock(starts)
        self.seen: dict[str, Seen] = {process_id: Seen() for process_id in base.bundles}
        self.case_id: int | None = None
        self.done = 0
        self.stopped: TadachiError | None = None
        self.engine = make(
            replace(settings, database="sqlite://", mail=""),
            clock=self.clock,
            sender=KeptSender(),
            database=fresh(base.office, tuple((process_id, name) for process_id, (name, _) in base.bundles.items()), civil_day(starts)),
            prove=unproven,
            organisations=Fixed(base.office),
        )
        self.engine.definitions = _Played(self)
        self._say = say

    def close(self) -> None:
        """Let go of the database."""
        self.engine.database.dispose()

    @cached_property
    def hands(self) -> Hands:
        """Who plays."""
        return Hands(self.engine, self.clock, self.base.office.id, self._say)

    @property
    def definition(self) -> Definition:
        """The version that is played."""
        with self.engine.reading() as connection:
            return self.engine.definitions.get(connection, list(self.base.bundles).index(self.base.process_id) + 1)

    def replay(self, run: Run) -> None:
        """Play a run from its start, or from where it was left last time, until it ends or an act is not possible."""
        acts = [run.start, *run.steps] if run.start is not None else []
        for length in range(len(acts), 0, -1):
            kept = SHELF.get(self._key(run.cut(length)))
            if kept is not None:
                self._go_on(kept, length)
                break
        known = self.done
        for act in acts[known:]:
            try:
                self.take(act or {})
            except TadachiError as error:
                self.stopped = error
                break
        if self.done > known:
            self.keep(run.cut(self.done))

    def _key(self, run: Run) -> str:
        return hashlib.sha256(f"{self.base.digest}\0{run.starts.isoformat()}\0{run.dump()}".encode()).hexdigest()

    def keep(self, run: Run) -> None:
        """Remember the state, which this run has led to."""
        seen = {process_id: one.copy() for process_id, one in self.seen.items()}
        SHELF.put(self._key(run), Kept(content(self.engine.database), self.clock.now(), self.case_id, self.hands.fired, seen))

    def _go_on(self, kept: Kept, length: int) -> None:
        self.engine.use(kept.open())
        self.clock.set(kept.at)
        self.case_id, self.done, self.hands.fired = kept.case_id, length, kept.fired
        for process_id, seen in kept.seen.items():
            self.seen[process_id].become(seen)

    def take(self, act: Mapping[str, Any]) -> None:
        """Do one act: the start, then steps of a scenario. What is refused changes nothing.

        Raises:
            TadachiError: the refusal itself; PlayRefused for what is not there to be done.
        """
        before = {process_id: seen.copy() for process_id, seen in self.seen.items()}
        try:
            if self.case_id is None:
                self._begin(act)
            else:
                self.hands.take("", self.case_id, self.done, act)
        except TadachiError as error:
            for process_id, seen in before.items():
                self.seen[process_id].become(seen)
            if not isinstance(error, ScenarioFailed):
                raise
            cause = error.__cause__
            raise (cause if isinstance(cause, TadachiError) else PlayRefused(why=error.ids["why"])) from None
        self.done += 1

    def _begin(self, act: Mapping[str, Any]) -> None:
        seat = str(act["by"])
        answers = dict(act.get("answers") or {})
        try:
            self.case_id = self.hands.start(seat, self.base.process_id, answers)
        except Unexpected as error:
            raise PlayRefused(why=str(error)) from None

    def play(self, scenario: Scenario) -> str:
        """Play a whole scenario; returns where the case stands at its end. Raises ScenarioFailed, PlayTooLong or what refused its start."""
        self.case_id = self.hands.play(scenario)
        return self.hands.stands(self.case_id)


class _Played(Definitions):
    """The procedures of a sandbox; what they are compiled to is shared by all its replays."""

    def __init__(self, sandbox: Sandbox) -> None:
        super().__init__(sandbox.engine.organisations, sandbox.base.office.folder.parent / "common")
        self._sandbox = sandbox

    def get(self, connection: sa.Connection, definition_id: int) -> Definition:
        """The version with this id; raises ProcessNotFound, and DefinitionRefused for one that cannot be run."""
        if definition_id not in self._compiled:
            base = self._sandbox.base
            if not 0 < definition_id <= len(base.bundles):
                raise ProcessNotFound(process=definition_id)
            process_id, (name, files) = list(base.bundles.items())[definition_id - 1]
            net, decisions = base.compiled(process_id)
            seen = self._sandbox.seen[process_id]
            self._compiled[definition_id] = Definition(definition_id, base.office.id, process_id, 1, name, net, decisions, files, seen)
        return self._compiled[definition_id]


@lru_cache(maxsize=32)
def _compiled(process_id: str, files: tuple[tuple[str, bytes], ...], limits: Limits, admitted: bool) -> tuple[Net, Mapping[str, Decision]]:
    return compile_bundle(process_id, dict(files), limits, admitted=admitted)


def duration(span: timedelta) -> str:
    """A span as ISO 8601, as scenarios write it."""
    minutes, seconds = divmod(round(span.total_seconds()), 60)
    days, minutes = divmod(minutes, 24 * 60)
    hours, minutes = divmod(minutes, 60)
    clock = "".join(f"{number}{unit}" for number, unit in ((hours, "H"), (minutes, "M"), (seconds, "S")) if number)
    return f"P{f'{days}D' if days else ''}{f'T{clock}' if clock else ''}" if days or clock else "PT0S"


def local(instant: datetime) -> datetime:
    """An instant as people of the office write it."""
    return instant.astimezone(JST)


__all__ = ["MOST_ACTS", "Base", "Hands", "Run", "Sandbox", "duration", "local"]
