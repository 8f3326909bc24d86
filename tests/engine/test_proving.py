"""Proving in a process of its own: whatever that process does, an answer comes in time; what is proven is remembered for equal input only."""

from __future__ import annotations

import dataclasses
import json
import shutil
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Mapping
from datetime import date
from pathlib import Path
from typing import Any

import pytest

from engine import DefinitionRefused, Finding, SetClock, organisation
from engine.checker import Report
from engine.checker.proving import Prover, digest_of
from engine.settings import Settings
from tests.engine.drawing import boundary, diagram, end, exclusive, flows, parallel, start, timer
from tests.support import MONDAY, SUMMARY, UNIT, World, make_engine, offices, said, step, unproven

DAY = date(2026, 11, 16)
MANAGER = "protection_manager@owning_unit"


def drawn(*parts: str, id: str = "p") -> dict[str, bytes]:
    return {"x/p.bpmn": diagram(said(numbering="general"), start("begin", said(SUMMARY, UNIT)), *parts, id=id)}


SOUND = drawn(step("work", "作業", MANAGER), end("done"), flows("begin > work > done"))
STUCK = drawn(
    exclusive("which", default="which_left"),
    step("left", "左", MANAGER),
    step("right", "右", MANAGER),
    parallel("join"),
    end("done"),
    flows("begin > which > left > join > done", 'which > right : item_summary == "右"', "right > join"),
)
#: Every round adds a token: states without end, as far as time and memory go.
ENDLESS = drawn(
    step("work", "作業", MANAGER),
    boundary("again", "work", timer("R/PT1H"), interrupting=False),
    *(step(f"note_{number}", "控え", MANAGER) for number in range(6)),
    parallel("fork"),
    end("done"),
    *(end(f"noted_{number}") for number in range(6)),
    flows("begin > work > done", "again > fork", *(f"fork > note_{number} > noted_{number}" for number in range(6))),
)


def rules(report: Report) -> list[str]:
    return [finding.rule for finding in report.findings]


def acting(program: str, **more: Any) -> Prover:
    """A prover whose process runs something else."""
    return Prover(None, program=program, **more)


# ---------------------------------------------------------------- what comes back


def test_a_sound_procedure_is_proven() -> None:
    report = Prover(None)("p", SOUND)
    assert report.finished and report.findings == ()
    assert report.states >= 2 and report.transitions >= 2


def test_a_finding_comes_back_whole_with_its_run() -> None:
    """理由・要素・ファイル・手順が、別のプロセスからそのまま届く。"""
    report = Prover(None)("p", STUCK)
    assert rules(report) == ["deadlock", "dead_element"]
    finding, dead = report.findings
    assert dead.run == ""
    assert (finding.severity, finding.file) == ("error", "x/p.bpmn")
    assert [next(iter(one)) for one in json.loads(finding.run)] == ["start", "complete"]


# ---------------------------------------------------------------- whatever the process does


def test_a_process_that_hangs_is_ended_from_outside() -> None:
    began = time.monotonic()
    report = acting("import time; time.sleep(600)", grace=0.2)("p", SOUND, budget=0.3)
    assert time.monotonic() - began < 30  # a hang guard: 600 s are slept
    assert rules(report) == ["not_proven"] and not report.finished
    assert (report.findings[0].element, report.findings[0].file, report.findings[0].severity) == ("p", "x/p.bpmn", "error")


def test_a_process_that_does_not_listen_to_signals_is_ended_too() -> None:
    stubborn = "import signal, time; [signal.signal(n, signal.SIG_IGN) for n in (2, 15)]; time.sleep(600)"
    assert rules(acting(stubborn, grace=0.5)("p", SOUND, budget=0.5)) == ["not_proven"]


@pytest.mark.parametrize(
    "program",
    [
        "raise SystemExit(3)",
        "import os; os.abort()",
        "import os; os.kill(os.getpid(), 9)",
        "raise RuntimeError('x' * 100_000)",
        "pass",
        "print('finished')",
        "print('[]')",
        "print('null')",
        "print('[' * 100_000)",
        """print('{"findings": [], "states": 1, "transitions": 1, "seconds": 0, "finished": "yes"}')""",
        """print('{"findings": [], "states": -1, "transitions": 1, "seconds": 0, "finished": true}')""",
        """print('{"findings": [["rule"]], "states": 1, "transitions": 1, "seconds": 0, "finished": true}')""",
        """print('{"findings": [[1, 2, 3, 4, 5, 6]], "states": 1, "transitions": 1, "seconds": 0, "finished": true}')""",
        """print('{"findings": [], "states": 1, "transitions": 1, "seconds": 0, "finished": true}'); raise SystemExit(1)""",
        "import sys; sys.stdout.buffer.write(b'\\xff\\xfe' * 1000)",
        "import sys; sys.stdout.write(' ' * (17 * 1024 * 1024)); print('{}')",
    ],
)
def test_a_crash_or_garbage_proves_nothing(program: str, caplog: pytest.LogCaptureFixture) -> None:
    report = acting(program)("p", SOUND)
    assert rules(report) == ["not_proven"] and not report.finished
    assert "p" in caplog.text and caplog.records[-1].levelname == "ERROR"


def test_no_process_at_all_proves_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "executable", "/nowhere/python")
    assert rules(Prover(None)("p", SOUND)) == ["not_proven"]


def test_what_finds_no_end_is_not_proven_within_its_budget() -> None:
    """際限のない図は、時間内に「調べ終えられない」と分かるか、誤りが見つかる。施行はできない。"""
    report = Prover(None)("p", ENDLESS, budget=1.0)
    assert report.findings and all(finding.severity == "error" for finding in report.findings)


def test_memory_that_runs_out_ends_that_process_alone() -> None:
    """メモリーの上限は検証のプロセスだけを止め、そのことが指摘になる。"""
    hungry = (
        "import sys; sys.path.insert(0, sys.argv[1]); from engine.checker import proving\n"
        "def hungry(*given, **more):\n    found = []\n    while True: found.append(bytearray(10_000_000))\n"
        "proving.check = hungry; proving.child()"
    )
    report = acting(hungry, memory=700_000_000)("p", SOUND)
    assert rules(report) == ["not_proven"]
    assert "メモリー" in report.findings[0].message


def test_what_the_checker_prints_is_no_result() -> None:
    chatty = "import sys; sys.path.insert(0, sys.argv[1]); import engine.checker.proving as p\nc = p.check\ndef f(*a, **k): print('{}'); return c(*a, **k)\np.check = f; p.child()"
    assert acting(chatty)("p", SOUND).finished


def test_a_process_that_nobody_watches_ends_by_itself() -> None:
    """親が消えても、残ったプロセスは自分で終わる。"""
    code = (
        "import sys, time; sys.path.insert(0, sys.argv[1]); from engine.checker import proving\n"
        "proving.check = lambda *a, **k: time.sleep(600)\nproving.child()"
    )
    asked = {"process": "p", "files": {n: d.decode() for n, d in SOUND.items()}, "folder": None, "office": None, "on": None}
    asked |= {"budget": 1, "memory": 2**31, "alarm": 1}
    ended = subprocess.run(
        [sys.executable, "-P", "-c", code, str(Path(__file__).resolve().parents[2])],
        input=json.dumps(asked).encode(), capture_output=True, timeout=60, check=False,
    )  # fmt: skip
    assert ended.returncode < 0


# ---------------------------------------------------------------- with an office


@pytest.fixture
def place(tmp_path: Path) -> Path:
    """A copy of the small office, with procedures that can be proven only."""
    folder = tmp_path / "bpmn"
    shutil.copytree(offices(), folder)
    for path in (folder / "office").glob("*.bpmn"):
        if path.stem not in ("approval", "parallel"):
            path.unlink()
    toml = (folder / "office" / "rules.toml").read_text("utf-8").replace('processes = ["office_clock"]', 'processes = ["elsewhere"]')
    (folder / "office" / "rules.toml").write_text(toml, "utf-8")
    return folder


def test_an_office_that_changes_meanwhile_is_not_proven(place: Path) -> None:
    """読み込んだ後に変わったフォルダーの規則では、検証したことにならない。"""
    office = organisation.load(place / "office")
    (place / "office" / "clauses.csv").write_text((place / "office" / "clauses.csv").read_text("utf-8") + "\n", "utf-8")
    report = Prover(None)("p", SOUND, office, on=DAY)
    assert rules(report) == ["not_proven"] and "フォルダー" in report.findings[0].message


def test_the_rules_of_the_office_count(place: Path) -> None:
    """機関の定め（義務の記録）に反する図は、機関と合わせて調べると見つかる。"""
    text = (
        (place / "office" / "rules.toml")
        .read_text("utf-8")
        .replace('processes = ["elsewhere"]', 'processes = ["p"]')
        .replace("when = 'duty == \"yes\"'", "")
    )
    (place / "office" / "rules.toml").write_text(text, "utf-8")
    office = organisation.load(place / "office")
    assert Prover(None)("p", SOUND).findings == ()
    assert rules(Prover(None)("p", SOUND, office, on=DAY)) == ["duty_unrecorded"]


# ---------------------------------------------------------------- remembered


class Counted(Prover):
    """Counts the processes."""

    runs = 0

    def _run(self, asked: Mapping[str, Any], process_id: str, files: Mapping[str, bytes], stop: Callable[[], bool] | None = None) -> Report:
        self.runs += 1
        return super()._run(asked, process_id, files, stop)


def test_the_same_is_proven_once(tmp_path: Path) -> None:
    prover = Counted(tmp_path / "deep" / "proofs")
    first, second = prover("p", STUCK), prover("p", STUCK)
    assert first == second and prover.runs == 1
    assert Counted(tmp_path / "deep" / "proofs")("p", STUCK) == first
    prover("p", SOUND)
    assert prover.runs == 2


def test_what_was_not_finished_is_tried_again(tmp_path: Path) -> None:
    prover = Counted(tmp_path, program="raise SystemExit(1)")
    prover("p", SOUND)
    prover.program = Prover(None).program
    assert prover("p", SOUND).finished
    assert prover.runs == 2


@pytest.mark.parametrize("content", [b"", b"{", b"[]", b"\xff", b'{"key": "other"}', b"[" * 100_000])
def test_a_spoilt_memory_is_proven_again(tmp_path: Path, content: bytes) -> None:
    (tmp_path / f"{digest_of('p', SOUND, None, None)}.json").write_bytes(content)
    prover = Counted(tmp_path)
    assert prover("p", SOUND).finished and prover("p", SOUND).finished
    assert prover.runs == 1


def test_a_proof_of_something_else_does_not_count(tmp_path: Path) -> None:
    """ファイル名だけを変えた別の検証結果は使わない。"""
    prover = Counted(tmp_path)
    prover("p", SOUND)
    shutil.copy(tmp_path / f"{digest_of('p', SOUND, None, None)}.json", tmp_path / f"{digest_of('p', STUCK, None, None)}.json")
    assert rules(prover("p", STUCK)) == ["deadlock", "dead_element"]


def test_a_folder_that_cannot_be_written_only_costs_time(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("", "utf-8")
    assert Prover(tmp_path / "file" / "proofs")("p", SOUND).finished


def test_two_who_ask_the_same_wait_for_one_proof(tmp_path: Path) -> None:
    found: list[Report] = []
    provers = [Counted(tmp_path), Counted(tmp_path)]
    threads = [threading.Thread(target=lambda prover=prover: found.append(prover("p", SOUND))) for prover in provers]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert len(found) == 2 and found[0] == found[1]
    assert sum(prover.runs for prover in provers) == 1


def test_the_key_covers_everything_that_a_proof_depends_on(place: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    office = organisation.load(place / "office")
    base = digest_of("p", SOUND, office, DAY)
    assert digest_of("p", dict(SOUND), organisation.load(place / "office"), DAY) == base
    assert digest_of("p", SOUND, office, date(2026, 11, 17)) == base, "no rule changes between the two days"
    elsewhere = organisation.load(place / "elsewhere")
    different = {
        digest_of("q", SOUND, office, DAY),
        digest_of("p", STUCK, office, DAY),
        digest_of("p", {"x/q.bpmn": SOUND["x/p.bpmn"]}, office, DAY),
        digest_of("p", SOUND, None, DAY),
        digest_of("p", SOUND, elsewhere, DAY),
        digest_of("p", SOUND, dataclasses.replace(office, digest="0"), DAY),
        digest_of("p", SOUND, office, None),
        digest_of("p", SOUND, office, date(2022, 3, 31)),  # before the rules of 1 April
    }
    source = tmp_path / "engine"
    source.mkdir()
    (source / "play.py").write_text("changed", "utf-8")
    monkeypatch.setattr("engine.checker.proving.SOURCE", source)
    different.add(digest_of("p", SOUND, office, DAY))
    assert len(different | {base}) == 10


def test_a_day_on_which_a_rule_ends_makes_another_proof(place: Path) -> None:
    text = (place / "office" / "rules.toml").read_text("utf-8")
    text = text.replace(
        'processes = ["elsewhere"]\nvalid_from = 2022-04-01', 'processes = ["elsewhere"]\nvalid_from = 2022-04-01\nvalid_to = 2026-11-16'
    )
    (place / "office" / "rules.toml").write_text(text, "utf-8")
    office = organisation.load(place / "office")
    assert digest_of("p", SOUND, office, date(2026, 11, 15)) == digest_of("p", SOUND, office, date(2026, 11, 16))
    assert digest_of("p", SOUND, office, date(2026, 11, 16)) != digest_of("p", SOUND, office, date(2026, 11, 17))


@pytest.mark.parametrize(
    ("environment", "folder"),
    [
        ({"TADACHI_PROOFS": "/somewhere"}, Path("/somewhere")),
        ({"TADACHI_PROOFS": "", "HOME": "/home/x"}, None),
        ({"XDG_CACHE_HOME": "/cache", "HOME": "/home/x"}, Path("/cache/tadachi/proofs")),
        ({"HOME": "/home/x"}, Path("/home/x/.cache/tadachi/proofs")),
        ({}, None),
    ],
)
def test_where_proofs_are_kept(environment: dict[str, str], folder: Path | None) -> None:
    assert Settings.from_environment(environment).proofs == folder


# ---------------------------------------------------------------- deploying


class Told:
    """A prover that says what it is told to, and keeps what it was asked."""

    def __init__(self, **findings: Finding) -> None:
        self.findings = findings
        self.asked: list[str] = []
        self.world: World | None = None

    def __call__(self, process_id: str, files: Any, organisation: Any = None, *, on: Any = None, budget: float = 30.0) -> Report:
        self.asked.append(process_id)
        if self.world is not None:  # somebody else can write meanwhile, so no transaction is open
            self.world.appoint(f"somebody-{len(self.asked)}", "staff@b")
        found = self.findings.get(process_id)
        return Report((found,) if found else (), 1, 1, 0.0, True)


@pytest.fixture
def deployed(place: Path, tmp_path: Path) -> World:
    clock = SetClock(MONDAY)
    engine = make_engine(f"sqlite:///{tmp_path / 'd.sqlite'}", clock, bpmn=place)
    engine.migrate()
    return World(engine, clock)


def redraw(place: Path, name: str, old: str, new: str) -> None:
    path = place / "office" / f"{name}.bpmn"
    text = path.read_text("utf-8")
    assert old in text
    path.write_text(text.replace(old, new), "utf-8")


def test_only_what_changed_is_proven(deployed: World, place: Path) -> None:
    told = deployed.engine.prove = Told()
    told.world = deployed
    assert deployed.engine.deploy("office", "x") == (("office_approval", 1), ("office_parallel", 1))
    assert told.asked == ["office_approval", "office_parallel"]
    assert deployed.engine.deploy("office", "x") == ()
    redraw(place, "parallel", 'name="両方済み"', 'name="両方とも済み"')
    assert deployed.engine.deploy("office", "x") == (("office_parallel", 2),)
    assert told.asked == ["office_approval", "office_parallel", "office_parallel"]


def test_a_finding_refuses_everything_and_nothing_is_stored(deployed: World) -> None:
    error = Finding("deadlock", "進まなくなります。", "join", "office/parallel.bpmn", run="[]")
    warning = Finding("unused", "使われていません。", "x", "office/approval.bpmn", severity="warning")
    deployed.engine.prove = Told(office_parallel=error, office_approval=warning)
    with pytest.raises(DefinitionRefused) as refused:
        deployed.engine.deploy("office", "x")
    assert refused.value.findings == (warning, error)
    assert deployed.rows("definition") == [] and deployed.rows("history") == []


def test_a_warning_is_told_and_keeps_nothing_back(deployed: World, caplog: pytest.LogCaptureFixture) -> None:
    warning = Finding("unused", "使われていません。", "x", "office/approval.bpmn", severity="warning")
    deployed.engine.prove = Told(office_approval=warning)
    heard: list[Finding] = []
    assert len(deployed.engine.deploy("office", "x", heard.append)) == 2
    assert heard == [warning] and "unused" in caplog.text


def test_what_cannot_be_read_is_not_walked_through(deployed: World, place: Path) -> None:
    """図の誤りがあれば、検証に時間をかけずに、すべての指摘を示す。"""
    told = deployed.engine.prove = Told()
    redraw(place, "parallel", "protection_manager@owning_unit", "nobody@owning_unit")
    (place / "office" / "other.bpmn").write_bytes(diagram(start(), end(), flows("s > nowhere"), id="office_other"))
    with pytest.raises(DefinitionRefused) as refused:
        deployed.engine.deploy("office", "x")
    assert {finding.file for finding in refused.value.findings} >= {"office/parallel.bpmn", "office/other.bpmn"}
    assert told.asked == []


def test_a_version_stored_meanwhile_is_not_stored_again(deployed: World) -> None:
    """検証のあいだに同じ図をほかの人が施行しても、版は一つしか増えない。"""
    engine = deployed.engine

    def slow(process_id: str, *given: Any, **more: Any) -> Report:
        engine.prove = unproven
        engine.deploy("office", "the other")
        return Report((), 0, 0, 0.0, True)

    engine.prove = slow
    assert engine.deploy("office", "x") == ()
    assert [(row["process_id"], row["version"], row["deployed_by"]) for row in deployed.rows("definition")] == [
        ("office_approval", 1, "the other"), ("office_parallel", 1, "the other"),
    ]  # fmt: skip


def test_an_engine_proves_unless_told_otherwise(deployed: World, place: Path) -> None:
    """何も言わなければ、施行の前に本当に検証する：行き詰まる図は施行できない。"""
    (place / "office" / "stuck.bpmn").write_bytes(STUCK["x/p.bpmn"])
    real = type(deployed.engine)(deployed.engine.settings, clock=deployed.clock)
    with pytest.raises(DefinitionRefused) as refused:
        real.deploy("office", "x")
    assert [finding.rule for finding in refused.value.findings] == ["deadlock", "dead_element"]
    assert real.prove.__class__ is Prover
    assert deployed.rows("definition") == []
    real.close()
