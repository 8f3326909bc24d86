"""Scenarios played on two versions of a procedure, to tell which of them go otherwise; in a process of its own, within a budget."""

from __future__ import annotations

import hashlib
import json
import logging
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import sqlalchemy as sa

from engine import coverage, draft_files, model, organisation
from engine.errors import PlayTooLong, ScenarioBroken, ScenarioFailed, TadachiError
from engine.sandbox import Base, Sandbox
from engine.scenario_text import Scenario, read
from engine.settings import Settings

if TYPE_CHECKING:
    from engine.definitions import Definition
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
#: Comparisons that are remembered: whoever comes back to one does not wait again.
MOST_REMEMBERED = 16
_REMEMBERED: dict[str, dict[str, dict[str, Any]]] = {}
PROGRAM = "import sys; sys.path.insert(0, sys.argv[1]); from engine.compare_scenarios import child; child()"


@dataclass(frozen=True)
class ScenarioCompared:
    """One scenario on both versions.

    Attributes:
        file: its name, beside the office's diagrams or in a version or draft.
        differs: `outcome` (it ends otherwise, or stops), `way` (the same end by other steps), "" (the same), `late` (no time was left).
        before, after: where the case stands in the end, or at which step it could not go on and why.
    """

    file: str
    title: str
    differs: str
    before: str
    after: str


def play_both(
    engine: Engine,
    office_id: str,
    process_id: str,
    before: Mapping[str, str],
    after: Mapping[str, str],
    others: Sequence[Definition] = (),
    *,
    seconds: float = SECONDS,
) -> tuple[ScenarioCompared, ...]:
    """Every scenario that starts this procedure, played on both bundles; nothing of it is kept.

    Those beside the office's diagrams, and those that lie in either bundle: of one that was changed, as it is in `after`.

    Args:
        before, after: bundles that have passed the gate.
        others: the procedures in force, which cases of this one may begin.
    """
    office = engine.organisation(office_id)
    told_of = {**coverage.of_folder(office), **draft_files.scenarios(before), **draft_files.scenarios(after)}
    scenarios = {name: text for name, text in told_of.items() if _of_process(name, text, process_id) is not None}
    asked = {
        "folder": str(office.folder.resolve()), "process": process_id,
        "others": {one.process_id: [one.name, {name: data.decode() for name, data in one.files.items()}] for one in others},
        "before": draft_files.drawn(before), "after": draft_files.drawn(after), "scenarios": scenarios, "seconds": seconds,
    }  # fmt: skip
    done = _done(json.dumps(asked, sort_keys=True), office.digest, process_id, seconds)
    found = []
    for name, text in sorted(scenarios.items()):
        line, title = done.get(name), read(text, name).title
        found.append(
            ScenarioCompared(name, title, line["differs"], line["before"], line["after"])
            if line is not None
            else ScenarioCompared(name, title, "late", "", "")
        )
    return tuple(found)


def _done(asked: str, office: str, process_id: str, seconds: float) -> dict[str, dict[str, Any]]:
    """What became of each scenario by its file, played if it was not before; what was ended before its time is played again next time."""
    key = hashlib.sha256(f"{office}\0{asked}".encode()).hexdigest()
    if key not in _REMEMBERED:
        done = {line["file"]: line for line in _played(asked, process_id, seconds) if "file" in line}
        if len(done) < len(json.loads(asked)["scenarios"]):
            return done
        _REMEMBERED[key] = done
        while len(_REMEMBERED) > MOST_REMEMBERED:
            _REMEMBERED.pop(next(iter(_REMEMBERED)), None)
    return _REMEMBERED[key]


def _played(asked: str, process_id: str, seconds: float) -> list[dict[str, Any]]:
    """Play in a process of its own; the lines it told."""
    with tempfile.TemporaryDirectory(prefix="tadachi-scenarios-") as folder:
        place = Path(folder)
        (place / "asked.json").write_text(asked, "utf-8")
        command = [sys.executable, "-c", PROGRAM, str(Path(__file__).resolve().parent.parent), folder]
        quiet = subprocess.DEVNULL
        try:
            subprocess.run(command, stdin=quiet, stdout=quiet, stderr=quiet, timeout=seconds + GRACE, check=False)
        except subprocess.TimeoutExpired:
            log.warning("the scenarios of %s were ended after %.0f s", process_id, seconds + GRACE)
        return _lines(place / "told.jsonl")


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


def _of_process(name: str, text: str, process_id: str) -> Scenario | None:
    """A scenario, when it can be read (else `tadachi play` tells) and starts this procedure."""
    try:
        scenario = read(text, name)
    except ScenarioBroken:
        return None
    return scenario if scenario.process == process_id else None


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
    office = organisation.load(Path(asked["folder"]))
    others = {process: (name, draft_files.encoded(files)) for process, (name, files) in asked["others"].items()}
    process = asked["process"]
    sides = [Base(office, process, {**others, process: (process, draft_files.encoded(asked[name]))}) for name in ("before", "after")]
    with (place / "told.jsonl").open("w", encoding="utf-8") as out:
        for name, text in sorted(asked["scenarios"].items()):
            if time.monotonic() > until:
                break
            scenario = read(text, name)
            (was, way_before), (now, way_after) = (_play(side, scenario) for side in sides)
            differs = "outcome" if was != now else "way" if way_before != way_after else ""
            out.write(json.dumps({"file": name, "differs": differs, "before": was, "after": now}, ensure_ascii=False) + "\n")
            out.flush()


def _play(base: Base, scenario: Scenario) -> tuple[str, list[str]]:
    """Where the case ends up, and which steps it came to."""
    from engine.service import Engine  # the service names this module

    sandbox = Sandbox(Engine, Settings(), base, scenario.starts)
    try:
        said = sandbox.play(scenario)
    except ScenarioFailed as failed:
        said = f"{failed.ids['number']}番目（{failed.ids['step']}）で止まります：{failed.ids['why']}"
    except PlayTooLong as endless:
        said = endless.text
    except TadachiError as refused:
        said = f"始められません：{refused.text}"
    try:
        query = sa.select(model.history.c.node).where(model.history.c.tag == "task.opened").order_by(model.history.c.id)
        with sandbox.engine.reading() as connection:
            return said, [str(node) for node in connection.scalars(query)]
    finally:
        sandbox.close()


__all__ = ["ScenarioCompared", "child", "play_both"]
