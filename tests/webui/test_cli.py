"""The command `tadachi`: the same acts as the pages, refusals as sentences, and a whole case by commands alone."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest
import yaml
from click.testing import CliRunner, Result

from engine import JST, Engine, civil_day
from tests.engine.test_services import make, write
from tests.support import populate
from webui.cli import main

ROOT = Path(__file__).resolve().parents[2]
PASSWORD = "a-long-enough-pass"

Run = Callable[..., Result]


@pytest.fixture
def run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Run:
    """Runs one command on a database of the test's own; fails on a stack trace."""
    monkeypatch.setenv("TADACHI_DATABASE", f"sqlite:///{tmp_path / 'tadachi.sqlite'}")
    monkeypatch.delenv("TADACHI_BPMN", raising=False)

    def invoke(*words: str, input: str | None = None) -> Result:
        result = CliRunner().invoke(main, list(words), input=input)
        assert result.exception is None or isinstance(result.exception, SystemExit), result.exception
        return result

    return invoke


@pytest.fixture
def office(run: Run) -> Run:
    """The same, with the office set up and a person in every seat, named by it."""
    assert run("init", "--organisation", "isa", "--password", PASSWORD).exit_code == 0
    engine = Engine.from_environment()
    isa = engine.organisation("isa")
    for seat in isa.seats(civil_day(engine.clock.now())):
        engine.register(seat.replace("@", "."), "isa", isa.seat_name(seat), email=None, password_hash=None)
        engine.appoint(seat.replace("@", "."), seat)
    engine.close()
    return run


def as_json(result: Result) -> Any:
    assert result.exit_code == 0, result.output
    return json.loads(result.stdout)


def test_init_makes_an_office_with_its_first_administrator_and_no_demonstration(run: Run) -> None:
    result = run("init", "--organisation", "isa", "--password", PASSWORD)
    assert result.exit_code == 0
    assert "admin" in result.stdout
    assert "0件" in run("tasks", "--as", "admin").stdout
    assert run("person", "add", "chief", "--organisation", "isa", "--name", "審判課長", "--seat", "protection_manager@adjudication",
               "--password", PASSWORD).exit_code == 0  # fmt: skip
    assert run("deploy", "--organisation", "isa", "--as", "admin").stdout == "変わった手続はありません。\n"


def test_due_moves_past_the_year_end(run: Run) -> None:
    assert run("due", "--known", "2026-12-01", "--days", "30").stdout.strip() == "2027-01-04"
    assert as_json(run("due", "--known", "令和8年12月1日", "--days", "30", "--json")) == {
        "known": "2026-12-01", "days": 30, "raw": "2026-12-30", "due": "2027-01-04",
    }  # fmt: skip
    refused = run("due", "--known", "きのう", "--days", "30")
    assert refused.exit_code == 2
    assert "日付" in refused.stderr


def test_duties_says_what_facts_open_and_what_it_assumed(run: Run) -> None:
    result = run("duties", "--organisation", "isa", "--facts", "-", "--json", input='{"sensitive": "yes"}')
    told = as_json(result)
    assert list(told) == [
        "appi68", "rule43", "unknown", "mn294", "mn_rule2", "mn_guideline", "isa25_6", "isa25_8", "isa26_2", "kakuho_days", "notify",
    ]  # fmt: skip
    assert told["appi68"] == "yes"
    assert told["rule43"] == [1]
    assert "malicious" in result.stderr
    unknown = as_json(run("duties", "--facts", "-", "--json", "--absent", "unknown", input="{}"))
    assert unknown["appi68"] == "review"


@pytest.mark.parametrize(
    ("facts", "named"),
    [
        ('{"sensitiv": "yes"}', "sensitiv"),
        ('{"count": "many"}', "count"),
        ('{"sensitive": "maybe"}', "sensitive"),
        ('{"holds": "pi and more"}', "holds"),
    ],
)
def test_duties_names_the_fact_that_does_not_fit(run: Run, facts: str, named: str) -> None:
    result = run("duties", "--facts", "-", input=facts)
    assert result.exit_code == 1
    assert named in result.stderr


def test_duties_of_something_that_is_no_json(run: Run) -> None:
    result = run("duties", "--facts", "-", input="これはJSONではない")
    assert result.exit_code == 2
    assert "JSON" in result.stderr


def test_refusals_are_sentences_with_a_status(office: Run) -> None:
    report = ("start", "isa_incident", "--as", "staff.adjudication", "--seat", "staff@adjudication")
    refused = office(*report, "--set", "owning_unit=mars")
    assert refused.exit_code == 1
    for word in ("概要", "情報を管理する課室"):
        assert word in refused.stderr
    filled = (
        "--set",
        "item_summary=封筒の入れ違い",
        "--set",
        "owning_unit=adjudication",
        "--set",
        f"known_at={datetime.now(JST):%Y-%m-%d %H:%M}",
    )
    head = as_json(office(*report, *filled, "--json"))
    mine = as_json(office("tasks", "--as", "protection_manager.adjudication", "--json"))
    task = str(mine[0]["task_id"])
    wrong = office("complete", task, "--as", "protection_manager.residence_management", "--seat", "protection_manager@residence_management")
    assert wrong.exit_code == 1
    assert "見つからないか、閲覧する権限がありません" in wrong.stderr
    not_held = office("claim", task, "--as", "protection_manager.adjudication", "--seat", "commissioner@isa")
    assert "保持していません" in not_held.stderr
    assert office("claim", task, "--as", "protection_manager.adjudication").exit_code == 0
    assert "担当は" in office("complete", task, "--as", "staff.adjudication").stderr
    assert head["number"] in office("show", head["number"], "--as", "protection_manager.adjudication").stdout
    assert "エラー" in office("show", head["number"], "--as", "protection_manager.residence_management").stderr
    assert office("audit", "verify").exit_code == 0


def test_a_taken_port_and_a_missing_office_are_sentences(office: Run) -> None:
    assert "見つかりません" in office("deploy", "--organisation", "mars", "--as", "admin").stderr
    assert "登録されていません" in office("tasks", "--as", "nobody").stderr
    assert "すでに登録" in office("person", "add", "admin", "--organisation", "isa", "--name", "x", "--password", PASSWORD).stderr
    assert "この機関に" in office("person", "appoint", "admin", "boss@adjudication").stderr


@pytest.mark.parametrize(
    ("file", "text", "named"),
    [
        ("organisation.toml", 'id = "isa"\nname = "庁"\n[[unit]]\nid = "a"\nparent = "nowhere"\n', "nowhere"),
        ("organisation.toml", "id = \n", "organisation.toml"),
        ("incident.bpmn", "<not-bpmn", "incident.bpmn"),
        ("rules.toml", "nonsense = 1\n", "nonsense"),
    ],
)
def test_a_broken_office_or_diagram_stops_the_deployment_with_its_place(
    office: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, file: str, text: str, named: str
) -> None:
    folder = tmp_path / "bpmn"
    for path in (*(ROOT / "bpmn/isa").glob("*.*"), *(ROOT / "bpmn/common").rglob("*.*")):
        target = folder / path.relative_to(ROOT / "bpmn")
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_bytes(path.read_bytes())
    (folder / "isa" / file).write_text(text, "utf-8")
    monkeypatch.setenv("TADACHI_BPMN", str(folder))
    result = office("deploy", "--organisation", "isa", "--as", "admin")
    assert result.exit_code == 1
    assert named in result.stderr


def test_play_runs_a_scenario_and_says_where_one_fails(run: Run, tmp_path: Path) -> None:
    told = yaml.safe_load((ROOT / "bpmn/isa/scenarios/incident_r5-6.yaml").read_text("utf-8"))
    told["steps"] = [{"complete": "confirm_closing", "answers": {}}]
    broken = tmp_path / "broken.yaml"
    broken.write_text(yaml.safe_dump(told, allow_unicode=True), "utf-8")
    result = run("play", str(broken))
    assert result.exit_code == 1
    assert "confirm_closing" in result.stderr
    nonsense = tmp_path / "nonsense.yaml"
    nonsense.write_text("- 1", "utf-8")
    assert "シナリオを読めません" in run("play", str(nonsense)).stderr


@pytest.mark.article("25(3) proviso")
def test_case_r5_6_runs_from_the_first_report_to_closing_by_commands_alone(office: Run) -> None:
    """第25条第3項ただし書の早い報告を通る事案を、コマンドだけで第一報から終結まで進める。"""
    told = yaml.safe_load((ROOT / "bpmn/isa/scenarios/incident_r5-6.yaml").read_text("utf-8"))
    engine = Engine.from_environment()
    isa = engine.organisation("isa")
    today = civil_day(engine.clock.now())
    moment = engine.clock.now().isoformat(timespec="minutes")

    def plain(value: Any) -> Any:
        if isinstance(value, dict):
            return {name: plain(item) for name, item in value.items()}
        if isinstance(value, list):
            return [plain(item) for item in value]
        if isinstance(value, str) and value.startswith("@today"):
            return today.isoformat()
        return moment if isinstance(value, str) and value.startswith("@now") else value

    seat = told["start"]["by"]
    answers = json.dumps(plain(told["start"]["answers"]), ensure_ascii=False)
    reporter = seat.replace("@", ".")
    head = as_json(office("start", told["process"], "--as", reporter, "--seat", seat, "--answers", "-", "--json", input=answers))
    number, unit = head["number"], head["unit"]
    lanes: list[str] = []
    for step in told["steps"]:
        if "complete" not in step:
            assert step.keys() & {"expect", "passes"}, step
            continue
        for turn in range(12):
            engine.run_due()  # what the worker does beside the commands
            waiting = as_json(office("show", number, "--as", reporter, "--json"))["steps"]
            found = [one for one in waiting if one["node"].rsplit("/", 1)[-1] == step["complete"]]
            if not found and turn:
                break
            assert found, (step["complete"], [one["node"] for one in waiting])
            holder = next(one for one in isa.seats(today) if isa.seat_name(one) == found[0]["seat_name"])
            lanes.append(holder.split("@")[0])
            body = json.dumps(plain(step.get("answers") or {}), ensure_ascii=False)
            words = ("complete", str(found[0]["task_id"]), "--as", holder.replace("@", "."), "--seat", holder, "--answers", "-")
            result = office(*words, input=body)
            assert result.exit_code == 0, (step["complete"], result.stderr)
            if not step.get("each"):
                break
    page = as_json(office("show", number, "--as", reporter, "--json"))
    assert page["head"]["outcome"] == "終結"
    assert page["head"]["unit"] == unit
    assert {"protection_manager", "division_protection_manager", "general_protection_manager", "commissioner", "commission_desk"} <= set(
        lanes
    )
    assert all(duty["state"] in ("done", "not_applicable") for duty in page["duties"])
    assert office("audit", "verify").exit_code == 0
    engine.close()


def test_show_names_the_cases_that_belong_together(run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = write(tmp_path / "bpmn")
    monkeypatch.setenv("TADACHI_BPMN", str(folder))
    world = make(f"sqlite:///{tmp_path / 'tadachi.sqlite'}", folder)
    world.engine.migrate()
    populate(world.engine, ("office",))
    first = world.start("carrying")
    world.complete(first, "give_back", lost=True)
    number = world.case(first)["number"]
    world.engine.close()
    assert "関連する案件：漏R8-01  手続（紛失）" in run("show", number, "--as", "protection_manager.a").stdout
    assert f"関連する案件：{number}  手続（紛失）" in run("show", "漏R8-01", "--as", "protection_manager.a").stdout
