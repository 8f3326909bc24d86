"""The office's scenarios played on two versions of a procedure, to tell which of them go otherwise; in a process of its own, within a budget."""

from __future__ import annotations

import json
import logging
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING, Any

import sqlalchemy as sa

from engine import model, people
from engine.clock import SetClock, civil_day
from engine.definitions import bundle_text, bundles, digest_of
from engine.errors import ScenarioBroken, ScenarioFailed, TadachiError
from engine.scenario import Player, Scenario, load
from engine.settings import Settings

if TYPE_CHECKING:
    from engine.service import Engine

try:
    import resource
except ImportError:  # without limits of the system, the clock alone bounds it
    resource = None  # type: ignore[assignment]

log = logging.getLogger(__name__)

#: Seconds for all scenarios on both sides, and how much longer by the clock before the process is ended from outside.
SECONDS, GRACE = 60.0, 30.0
MOST_BYTES = 4 * 1024**2
MEMORY = 2 * 1024**3
SINCE = date(2000, 4, 1)
PROGRAM = "import sys; sys.path.insert(0, sys.argv[1]); from engine.compare_scenarios import child; child()"


@dataclass(frozen=True)
class ScenarioCompared:
    """One scenario on both versions.

    Attributes:
        file: its name in the office's folder.
        differs: `outcome` (it ends otherwise, or stops), `way` (the same end by other steps), "" (the same), `late` (no time was left).
        before, after: where the case stands in the end, or at which step it could not go on and why.
    """

    file: str
    title: str
    differs: str
    before: str
    after: str


def play_both(
    engine: Engine, organisation: str, process_id: str, before: Mapping[str, str], after: Mapping[str, str], *, seconds: float = SECONDS
) -> tuple[ScenarioCompared, ...]:
    """Every scenario of the office's folder that starts this procedure, played on both bundles; nothing of it is kept.

    Args:
        before, after: bundles that have passed the gate.
    """
    office = engine.organisation(organisation)
    asked = {
        "bpmn": str(engine.settings.bpmn.resolve()), "office": organisation, "process": process_id,
        "before": dict(before), "after": dict(after), "seconds": seconds,
    }  # fmt: skip
    with tempfile.TemporaryDirectory(prefix="tadachi-scenarios-") as folder:
        place = Path(folder)
        (place / "asked.json").write_text(json.dumps(asked), "utf-8")
        command = [sys.executable, "-c", PROGRAM, str(Path(__file__).resolve().parent.parent), folder]
        try:
            subprocess.run(
                command,
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL,
                timeout=seconds + GRACE,
                check=False,
            )
        except subprocess.TimeoutExpired:
            log.warning("the scenarios of %s were ended after %.0f s", process_id, seconds + GRACE)
        told = _lines(place / "told.jsonl")
    done = {line["file"]: line for line in told if "file" in line}
    found = []
    for path, scenario in _of_process(office.folder, process_id):
        line = done.get(path.name)
        found.append(
            ScenarioCompared(path.name, scenario.title, line["differs"], line["before"], line["after"])
            if line is not None
            else ScenarioCompared(path.name, scenario.title, "late", "", "")
        )
    return tuple(found)


def _lines(path: Path) -> list[dict[str, Any]]:
    """What the process told before it ended, however it ended."""
    if not path.is_file() or path.stat().st_size > MOST_BYTES:
        return []
    found = []
    for line in path.read_text("utf-8", "replace").splitlines():
        try:
            found.append(json.loads(line))
        except ValueError:
            break  # the last one was cut off
    return found


def _of_process(folder: Path, process_id: str) -> list[tuple[Path, Scenario]]:
    found = []
    for path in sorted((folder / "scenarios").glob("*.yaml")):
        try:
            scenario = load(path)
        except ScenarioBroken:
            continue  # told by `tadachi play`
        if scenario.process == process_id:
            found.append((path, scenario))
    return found


# ---------------------------------------------------------------- in the process of its own


def child() -> None:
    """Play what `asked.json` in the folder of the first argument says; a line of `told.jsonl` for each scenario."""
    place = Path(sys.argv[2])
    asked = json.loads((place / "asked.json").read_text("utf-8"))
    seconds = float(asked["seconds"])
    until = time.monotonic() + seconds
    if resource is not None:
        resource.setrlimit(resource.RLIMIT_AS, (MEMORY, MEMORY))
        resource.setrlimit(resource.RLIMIT_CPU, (int(seconds + GRACE), int(seconds + GRACE)))
    sides = [_Side(place / name, asked, asked[name]) for name in ("before", "after")]
    with (place / "told.jsonl").open("w", encoding="utf-8") as out:
        for path, scenario in _of_process(Path(asked["bpmn"]) / asked["office"], asked["process"]):
            if time.monotonic() > until:
                break
            (was, way_before), (now, way_after) = (side.play(scenario) for side in sides)
            differs = "outcome" if was != now else "way" if way_before != way_after else ""
            out.write(json.dumps({"file": path.name, "differs": differs, "before": was, "after": now}, ensure_ascii=False) + "\n")
            out.flush()


class _Side:
    """An engine over a database that is thrown away, with a person in every seat and one version of the procedure in force."""

    def __init__(self, place: Path, asked: Mapping[str, Any], files: Mapping[str, str]) -> None:
        place.mkdir()
        self.place, self.asked, self.files = place, asked, files
        self.template = place / "template.sqlite"
        self.made_for: date | None = None

    def _engine(self, database: Path, clock: SetClock) -> Engine:
        from engine.service import Engine  # the service names this module

        settings = replace(Settings(), bpmn=Path(self.asked["bpmn"]), database=f"sqlite:///{database}", mail="")
        return Engine(settings, clock=clock, prove=Engine.unproven)

    def _prepare(self, day: date, clock: SetClock) -> None:
        """The database all scenarios of a day begin with."""
        self.template.unlink(missing_ok=True)
        engine = self._engine(self.template, clock)
        try:
            office = engine.organisation(self.asked["office"])
            model.metadata.create_all(engine.database)
            with engine.writing() as connection:
                for seat in office.seats(day):
                    person = seat.replace("@", ".")
                    people.add(
                        connection, person_id=person, organisation=office.id, name=office.seat_name(seat), email=None, password_hash=None,
                        at=clock.now(),
                    )  # fmt: skip
                    people.appoint(
                        connection, person_id=person, organisation=office.id, seat=seat, kind="main", valid_from=SINCE, valid_to=None,
                        at=clock.now(),
                    )  # fmt: skip
                found = {
                    one: (name, bundle_text(files))
                    for one, (name, files) in bundles(office.folder, engine.settings.bpmn / "common").items()
                }
                mine = bundle_text({name: text.encode() for name, text in self.files.items()})
                found[self.asked["process"]] = (self.asked["process"], mine)
                connection.execute(
                    sa.insert(model.definition),
                    [
                        {
                            "organisation": office.id, "process_id": one, "version": 1, "name": name, "digest": digest_of(text), "bundle": text,
                            "deployed_at": clock.now(), "deployed_by": people.SYSTEM, "in_force_from": clock.now(),
                        }
                        for one, (name, text) in found.items()
                    ],
                )  # fmt: skip
        finally:
            engine.close()
        self.made_for = day

    def play(self, scenario: Scenario) -> tuple[str, list[str]]:
        """Where the case ends up, and which steps it came to."""
        clock = SetClock(scenario.starts)
        day = civil_day(scenario.starts)
        if self.made_for != day:
            self._prepare(day, clock)
        database = self.place / "play.sqlite"
        for suffix in ("", "-wal", "-shm"):
            Path(f"{database}{suffix}").unlink(missing_ok=True)
        shutil.copy(self.template, database)
        engine = self._engine(database, clock)
        try:
            player = Player(engine, clock, self.asked["office"])
            try:
                said = player.stands(player.play(scenario))
            except ScenarioFailed as failed:
                said = f"{failed.ids['number']}番目（{failed.ids['step']}）で止まります：{failed.ids['why']}"
            except TadachiError as refused:
                said = f"始められません：{refused.text}"
            return said, self._way(engine)
        finally:
            engine.close()

    @staticmethod
    def _way(engine: Engine) -> list[str]:
        query = sa.select(model.history.c.node).where(model.history.c.tag == "task.opened").order_by(model.history.c.id)
        with engine.reading() as connection:
            return [str(node) for node in connection.scalars(query)]


__all__ = ["ScenarioCompared", "child", "play_both"]
