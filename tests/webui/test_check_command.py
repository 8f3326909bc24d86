"""The command `tadachi check`: what it looks at, what it says and how it ends; and a run it found, played by `tadachi play`."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml
from click.testing import CliRunner, Result

from engine import Finding, parsing
from engine.checker.proving import Prover
from tests.engine.drawing import boundary, call, diagram, end, exclusive, flows, parallel, start, timer
from tests.support import SUMMARY, UNIT, field, offices, said, step
from webui.cli import main

MANAGER = "protection_manager@owning_unit"
Run = Callable[..., Result]

STUCK = (
    said(numbering="general"),
    start("begin", said(SUMMARY, UNIT), name="開始"),
    exclusive("which", default="which_left"),
    step("left", "左", MANAGER, field("remark", "所見", "string", required=True)),
    step("right", "右", MANAGER),
    parallel("join"),
    end("done", name="完了"),
    flows("begin > which > left > join > done", 'which > right : item_summary == "右"', "right > join"),
)
LATE = (
    said(numbering="general"),
    start("begin", said(SUMMARY, UNIT), name="開始"),
    step("work", "作業", MANAGER),
    boundary("late", "work", timer("PT2H")),
    exclusive("which", default="which_join"),
    parallel("join"),
    end("done", name="完了"),
    end("never", name="来ない"),
    flows("begin > work > done", "late > which > join > never", 'which > again : item_summary == "再"', "again > join"),
    step("again", "再作業", MANAGER),
)
SOUND = (
    said(numbering="general"),
    start("begin", said(SUMMARY, UNIT)),
    step("work", "作業", MANAGER),
    end("done"),
    flows("begin > work > done"),
)
TABLE = """<?xml version="1.0" encoding="UTF-8"?>
<definitions xmlns="https://www.omg.org/spec/DMN/20191111/MODEL/" id="d" name="d" namespace="n"><decision id="known" name="表">
<decisionTable id="t" hitPolicy="FIRST"><input id="i"><inputExpression id="x" typeRef="string"><text>kind</text></inputExpression></input>
<output id="o" name="result" typeRef="string"/><rule id="r"><inputEntry id="c"><text>{}</text></inputEntry><outputEntry id="u"><text>"a"</text></outputEntry>
</rule></decisionTable></decision></definitions>"""


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with one office of two sound procedures, where the commands are called."""
    shutil.copytree(offices() / "office", tmp_path / "bpmn" / "office")
    (tmp_path / "bpmn" / "common").mkdir()
    for path in (tmp_path / "bpmn" / "office").glob("*.bpmn"):
        if path.stem not in ("approval", "parallel"):
            path.unlink()
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("TADACHI_BPMN", str(tmp_path / "bpmn"))
    monkeypatch.setenv("TADACHI_DATABASE", f"sqlite:///{tmp_path / 'no' / 'database.sqlite'}")  # check needs none
    return tmp_path


@pytest.fixture
def run() -> Run:
    """Runs one command; fails on a stack trace."""

    def invoke(*words: str) -> Result:
        result = CliRunner().invoke(main, list(words))
        assert result.exception is None or isinstance(result.exception, SystemExit), result.exception
        return result

    return invoke


def draw(place: Path, name: str, *parts: str, id: str | None = None) -> None:
    (place / name).parent.mkdir(parents=True, exist_ok=True)
    (place / name).write_bytes(diagram(*parts, id=id or f"office_{Path(name).stem}"))


def told(result: Result, status: int) -> dict[str, list[dict[str, Any]]]:
    """The JSON of a check; all of the output must be JSON."""
    assert result.exit_code == status, result.output
    found = json.loads(result.stdout)
    for findings in found.values():
        for finding in findings:
            assert list(finding) == ["rule", "severity", "element", "message", "run"]
            assert finding["run"] is None or (isinstance(finding["run"], list) and "start" in finding["run"][0])
    return dict(found)


def rules(findings: list[dict[str, Any]]) -> list[str]:
    return [finding["rule"] for finding in findings]


# ---------------------------------------------------------------- what is looked at


def test_a_sound_office_is_clean(run: Run, place: Path) -> None:
    assert told(run("check", "bpmn/office", "--json"), 0) == {"bpmn/office/approval.bpmn": [], "bpmn/office/parallel.bpmn": []}
    said_to_people = run("check", "bpmn/office")
    assert said_to_people.exit_code == 0
    assert "指摘 0件" in said_to_people.stdout and "手続 2件" in said_to_people.stdout and "遷移" in said_to_people.stdout


def test_a_finding_stands_at_its_file_with_its_run(run: Run, place: Path) -> None:
    draw(place, "bpmn/office/stuck.bpmn", *STUCK)
    found = told(run("check", "bpmn/office", "--json"), 1)
    assert found.pop("bpmn/office/approval.bpmn") == found.pop("bpmn/office/parallel.bpmn") == []
    (findings,) = found.values()
    assert rules(findings)[0] == "deadlock"
    assert [next(iter(one)) for one in findings[0]["run"]] == ["start", "complete"]
    people = run("check", "bpmn/office")
    assert people.exit_code == 1
    lines = people.stdout.splitlines()
    assert lines[0] == "bpmn/office/stuck.bpmn"
    assert "[deadlock]" in lines[1]
    assert lines[2].startswith("    1. 開始 begin（") and lines[3].startswith("    2. 完了 ")


def test_a_file_of_an_office_is_checked_with_the_office(run: Run, place: Path) -> None:
    draw(place, "bpmn/office/stuck.bpmn", *STUCK)
    assert told(run("check", "bpmn/office/approval.bpmn", "--json"), 0) == {"bpmn/office/approval.bpmn": []}
    text = (place / "bpmn/office/approval.bpmn").read_text("utf-8")
    (place / "bpmn/office/approval.bpmn").write_text(text.replace("division_protection_manager@owning_unit", "nobody@owning_unit"), "utf-8")
    found = told(run("check", "bpmn/office/approval.bpmn", "--json"), 1)
    assert list(found) == ["bpmn/office/approval.bpmn"] and "role_unknown" in rules(found["bpmn/office/approval.bpmn"])


def test_called_diagrams_are_found_in_common(run: Run, place: Path) -> None:
    draw(place, "bpmn/office/caller.bpmn", start(), call("c", "common_part"), end(), flows("s > c > e"))
    draw(place, "bpmn/common/part.bpmn", *STUCK, id="common_part")
    draw(place, "bpmn/common/unused.bpmn", *STUCK, id="common_unused")
    found = told(run("check", "bpmn/office/caller.bpmn", "--json"), 1)
    assert sorted(found) == ["bpmn/common/part.bpmn", "bpmn/office/caller.bpmn"]
    assert {"c/right", "c/join"} == {finding["element"] for finding in found["bpmn/common/part.bpmn"]}  # no form there asks the fact
    deadlock = next(finding for finding in found["bpmn/office/caller.bpmn"] if finding["rule"] == "deadlock")
    assert any(one.get("complete") == "c/left" for one in deadlock["run"])


def test_a_lone_diagram_is_checked_alone(run: Run, place: Path) -> None:
    draw(place, "draft/one.bpmn", *STUCK, id="one")
    draw(place, "draft/two.bpmn", start(), call("c", "one"), end(), flows("s > c > e"), id="two")
    assert rules(told(run("check", "draft/one.bpmn", "--json"), 1)["draft/one.bpmn"])[0] == "deadlock"
    assert rules(told(run("check", "draft/two.bpmn", "--json"), 1)["draft/two.bpmn"]) == ["called_missing"]
    assert "called_missing" not in rules(told(run("check", "draft", "--json"), 1)["draft/two.bpmn"])


def test_a_circle_of_calls_is_not_overlooked(run: Run, place: Path) -> None:
    """互いに呼び合うだけの図は、どこからも始まらないが、調べるときには見つかる。"""
    for name, other in (("a", "office_b"), ("b", "office_a")):
        draw(place, f"bpmn/office/{name}.bpmn", start(), call("c", other), end(), flows("s > c > e"))
    found = told(run("check", "bpmn/office", "--json"), 1)
    assert "call_cycle" in rules(found["bpmn/office/a.bpmn"]) + rules(found["bpmn/office/b.bpmn"])


def test_a_lone_table_is_checked_alone(run: Run, place: Path) -> None:
    (place / "good.dmn").write_text(TABLE.format("&quot;a&quot;"), "utf-8")
    (place / "bad.dmn").write_text(TABLE.format("(((("), "utf-8")
    found = told(run("check", "good.dmn", "bad.dmn", "--json"), 1)
    assert found["good.dmn"] == [] and found["bad.dmn"] != []


def test_a_folder_of_offices_and_several_paths(run: Run, place: Path) -> None:
    shutil.copytree(place / "bpmn/office", place / "bpmn/second")
    draw(place, "draft/one.bpmn", *SOUND, id="one")
    found = told(run("check", "bpmn", "draft/one.bpmn", "bpmn/office/parallel.bpmn", "--json"), 0)
    assert sorted(found) == ["bpmn/office/approval.bpmn", "bpmn/office/parallel.bpmn", "bpmn/second/approval.bpmn", "bpmn/second/parallel.bpmn", "draft/one.bpmn"]  # fmt: skip


def test_from_inside_the_folder_and_from_the_root(run: Run, place: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert str(place / "bpmn/office/approval.bpmn") in told(run("check", str(place / "bpmn/office"), "--json"), 0)
    monkeypatch.chdir(place / "bpmn/office")
    assert list(told(run("check", ".", "--json"), 0)) == ["approval.bpmn", "parallel.bpmn"]


def test_a_broken_office_is_a_finding_of_its_file(run: Run, place: Path) -> None:
    (place / "bpmn/office/rules.toml").write_text("urgency = [", "utf-8")
    found = told(run("check", "bpmn/office", "--json"), 1)
    assert "broken-toml" in rules(found["bpmn/office/rules.toml"])


def test_what_is_no_diagram_is_a_finding(run: Run, place: Path) -> None:
    (place / "x.bpmn").write_bytes(b"\x89PNG")
    (place / "empty.bpmn").write_bytes(b"<a/>")
    assert told(run("check", "x.bpmn", "--json"), 1)["x.bpmn"] != []
    assert told(run("check", "empty.bpmn", "--json"), 1)["empty.bpmn"] != []


def test_static_walks_through_nothing(run: Run, place: Path) -> None:
    draw(place, "bpmn/office/stuck.bpmn", *STUCK)
    result = run("check", "bpmn/office", "--static")
    assert result.exit_code == 0
    assert "検証はしていません" in result.stdout


def test_a_warning_is_shown_and_ends_well(run: Run, place: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    original = parsing.examine

    def warned(files: Any, process_id: str, *rest: Any, **more: Any) -> Any:
        net, findings = original(files, process_id, *rest, **more)
        return net, (*findings, Finding("unused", "使われていません。", "work", "draft/one.bpmn", severity="warning"))

    monkeypatch.setattr(parsing, "examine", warned)
    draw(place, "draft/one.bpmn", *SOUND, id="one")
    assert told(run("check", "draft", "--json"), 0)["draft/one.bpmn"][0]["severity"] == "warning"
    people = run("check", "draft")
    assert people.exit_code == 0 and "注意：使われていません。 [unused]" in people.stdout


def test_what_is_not_finished_in_its_budget_is_a_finding(run: Run, place: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("engine.service.Prover", lambda proofs: Prover(None, program="import time; time.sleep(600)", grace=0.1))
    draw(place, "draft/one.bpmn", *SOUND, id="one")
    result = run("check", "draft", "--budget", "0.2")
    assert result.exit_code == 1
    assert "[not_proven]" in result.stdout and "うち 1件は終わりまで調べられず" in result.stdout


# ---------------------------------------------------------------- calls that cannot be used


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        ((), "調べるファイルかフォルダーを指定してください"),
        (("nowhere",), "「nowhere」というファイルもフォルダーもありません。"),
        (("bpmn/office/rules.toml",), "調べる図（.bpmn）も決定表（.dmn）もありません。"),
        (("empty",), "「empty」には、調べる図"),
        (("bpmn/office", "empty"), "「empty」には、調べる図"),
        (("bpmn/office", "--budget", "abc"), "「abc」"),
        (("bpmn/office", "--budget", "0"), "0より大きく"),
        (("bpmn/office", "--budget", "-1"), "0より大きく"),
        (("bpmn/office", "--budget", "nan"), "0より大きく"),
        (("bpmn/office", "--budget", "inf"), "0より大きく"),
        (("bpmn/office", "--save-runs", "bpmn/office/rules.toml"), "フォルダーではありません"),
    ],
)
def test_a_call_that_cannot_be_used_ends_with_2_and_says_why(run: Run, place: Path, words: tuple[str, ...], sentence: str) -> None:
    (place / "empty").mkdir()
    for more in ((), ("--json",)):
        result = run("check", *words, *more)
        assert result.exit_code == 2, result.output
        assert sentence in result.stderr and result.stdout == ""


def test_a_file_that_cannot_be_read_ends_with_2(run: Run, place: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    original = Path.read_bytes

    def read(path: Path) -> bytes:
        if path.name == "parallel.bpmn":
            raise PermissionError(13, "denied", str(path))
        return original(path)

    monkeypatch.setattr(Path, "read_bytes", read)
    result = run("check", "bpmn/office/approval.bpmn", "--static")
    assert result.exit_code == 2 and "parallel.bpmn」を読めません" in result.stderr


# ---------------------------------------------------------------- runs


def test_a_deadlock_is_saved_and_played_to_where_it_is_stuck(run: Run, place: Path) -> None:
    """見つかった行き詰まりの手順を保存し、そのまま演じると、案件は本当にそこで止まる。"""
    draw(place, "bpmn/office/stuck.bpmn", *STUCK)
    saved = run("check", "bpmn/office/stuck.bpmn", "--save-runs", "runs/deep")
    assert saved.exit_code == 1 and "1件保存" in saved.stdout
    (file,) = (place / "runs/deep").iterdir()
    assert file.name.startswith("deadlock-") and file.suffix == ".yaml"
    scenario = yaml.safe_load(file.read_text("utf-8"))
    assert list(scenario) == ["title", "process", "starts", "start", "steps"]
    assert scenario["process"] == "office_stuck" and scenario["start"]["by"] == "staff@a"
    assert [next(iter(one)) for one in scenario["steps"]] == ["complete"]
    played = run("play", "--organisation", "office", str(file))
    assert played.exit_code == 0, played.output
    assert "案件は終わっておらず、処理待ちも、計られている時間もありません。" in played.stdout


def test_a_run_through_a_called_diagram_and_back_is_played(run: Run, place: Path) -> None:
    """呼び出し先の要素は道筋つきのIDで名指しされ、差戻しもそのまま演じられる。"""
    part = (
        start("s"),
        step("first", "準備", MANAGER),
        step("second", "確認", MANAGER, send_back_to="first"),
        end("e"),
        flows("s > first > second > e"),
    )
    draw(place, "bpmn/common/part.bpmn", *part, id="common_part")
    draw(
        place,
        "bpmn/office/late.bpmn",
        said(numbering="general"),
        start("begin", said(SUMMARY, UNIT)),
        call("c", "common_part"),
        end(),
        flows("begin > c > e"),
    )
    steps = ({"complete": "c/first"}, {"send_back": "c/second", "to": "first", "reason": "もう一度"}, {"expect": {"waits_at": ["first"]}})
    result = play(run, place, *steps)
    assert result.exit_code == 0, result.output
    assert play(run, place, {"complete": "d/first"}).exit_code == 1


def test_a_timer_of_a_run_is_let_be_due(run: Run, place: Path) -> None:
    """手順の中の「時間の経過」は、その期限まで時計を進めて演じられる。"""
    draw(place, "bpmn/office/late.bpmn", *LATE)
    assert run("check", "bpmn/office/late.bpmn", "--save-runs", "runs").exit_code == 1
    file = next((place / "runs").glob("deadlock-*.yaml"))
    assert {"due": "late"} in yaml.safe_load(file.read_text("utf-8"))["steps"]
    played = run("play", "--organisation", "office", str(file))
    assert played.exit_code == 0, played.output
    assert "12:00 時間の経過：late" in played.stdout
    assert "処理待ちも、計られている時間もありません。" in played.stdout


def play(run: Run, place: Path, *steps: dict[str, Any], process: str = "office_late") -> Result:
    scenario = {
        "title": "試し", "process": process, "starts": "2026-11-20T10:00:00+09:00",
        "start": {"by": "staff@b", "answers": {"item_summary": "再", "owning_unit": "@owning_unit"}}, "steps": list(steps),
    }  # fmt: skip
    (place / "play.yaml").write_text(yaml.safe_dump(scenario, allow_unicode=True), "utf-8")
    return run("play", "--organisation", "office", str(place / "play.yaml"))


def test_due_takes_the_case_on_and_names_the_unit(run: Run, place: Path) -> None:
    draw(place, "bpmn/office/late.bpmn", *LATE)
    result = play(run, place, {"due": "late"}, {"expect": {"waits_at": ["again"], "facts": {"owning_unit": "b"}}})
    assert result.exit_code == 0, result.output
    assert "案件の処理待ち：再作業" in result.stdout


@pytest.mark.parametrize(
    ("steps", "sentence"),
    [
        (({"due": "nothing"},), "「nothing」の時間は計られていません（計られているもの：late）。"),
        (({"complete": "work"}, {"due": "late"}), "待っていません"),
        (({"due": "late"}, {"due": "late"}), "「late」の時間は計られていません（計られているもの：なし）。"),
    ],
)
def test_due_of_a_timer_that_does_not_run(run: Run, place: Path, steps: tuple[dict[str, Any], ...], sentence: str) -> None:
    draw(place, "bpmn/office/late.bpmn", *LATE)
    result = play(run, place, *steps)
    assert result.exit_code == 1
    assert sentence in result.stderr or "計られていません" in result.stderr


def test_a_timer_whose_instant_was_past_has_happened_already(run: Run, place: Path) -> None:
    wait = (
        said(numbering="general"),
        start("begin", said(SUMMARY, UNIT), name="開始"),
        step("set", "日時の記入", MANAGER, field("wake_at", "起きる日時", "datetime")),
        '<bpmn:intermediateCatchEvent id="sleep" name="待つ">' + timer("wake_at") + "</bpmn:intermediateCatchEvent>",
        step("work", "作業", MANAGER),
        end("done", name="完了"),
        flows("begin > set > sleep > work > done"),
    )
    draw(place, "bpmn/office/waits.bpmn", *wait)
    steps = ({"complete": "set", "answers": {"wake_at": "@now-PT1H"}}, {"due": "sleep"}, {"expect": {"waits_at": ["work"]}})
    assert play(run, place, *steps, process="office_waits").exit_code == 0
    again = play(run, place, *steps[:2], {"due": "sleep"}, process="office_waits")
    assert again.exit_code == 1 and "計られていません" in again.stderr


# ---------------------------------------------------------------- deploying


def test_init_refuses_what_the_proof_refuses_and_leaves_nothing(run: Run, place: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """行き詰まる図のある機関は始められず、図を直せば始められる。施行も同じ検証を通る。"""
    monkeypatch.setenv("TADACHI_DATABASE", f"sqlite:///{place / 'd.sqlite'}")
    draw(place, "bpmn/office/stuck.bpmn", *STUCK)
    words = ("init", "--organisation", "office", "--password", "a-long-enough-pass")
    refused = run(*words)
    assert refused.exit_code == 1 and "進まなくなります" in refused.stderr
    (place / "bpmn/office/stuck.bpmn").unlink()
    toml = (place / "bpmn/office/organisation.toml").read_text("utf-8")
    toml = toml.replace(
        '{ id = "audit_officer", name = "監査責任者" },',
        '{ id = "audit_officer", name = "監査責任者" },\n  { id = "administrator", name = "管理者" },',
    )
    toml = toml.replace(
        'seats = ["general_protection_manager", "audit_officer"]',
        'seats = ["general_protection_manager", "audit_officer", "administrator"]',
    )
    (place / "bpmn/office/organisation.toml").write_text(toml, "utf-8")
    done = run(*words)
    assert done.exit_code == 0, done.output
    assert "手続2件を施行しました" in done.stdout
