"""The demonstration: nine incidents and other procedures at different stages, in front of an account for every seat they pass through."""

from __future__ import annotations

import tomllib
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path

import pytest

from engine import JST, Engine, SetClock, load_organisation, load_scenario
from tests.support import make_engine
from webui import demo

FOLDER = Path(__file__).parents[2] / "bpmn" / "isa"
TOLD = tomllib.loads((FOLDER / "demo.toml").read_text("utf-8"))
INCIDENTS = [told for told in TOLD["cases"] if told["scenario"].startswith("incident_")]
NOW = datetime(2026, 11, 20, 13, 30, tzinfo=JST)


@pytest.fixture(scope="module")
def shown(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Engine]:
    """The demonstration as it stands on a Friday after lunch, its worker having run."""
    engine = make_engine(f"sqlite:///{tmp_path_factory.mktemp('demo') / 'demo.sqlite'}", SetClock(NOW), isa=True)
    engine.migrate()
    assert demo.prepare(engine)
    while engine.run_due(limit=500):
        pass
    yield engine
    engine.close()


def test_the_accounts_are_few_and_named_by_post(shown: Engine) -> None:
    """利用者は役ごとに一つ、九十人まで。"""
    people = shown.people_of("isa")
    assert 40 < len(people) <= 90
    assert all(len(seats) == 1 for _, _, seats in people)


@pytest.mark.parametrize("told", TOLD["cases"], ids=lambda told: told["scenario"])
def test_every_stage_named_is_in_its_scenario(told: dict[str, str]) -> None:
    """demo.toml が止める場所は、シナリオに一つだけある。"""
    scenario = load_scenario(FOLDER / "scenarios" / told["scenario"])
    stages = [step.get("stage") for step in scenario.steps]
    assert "until" not in told or stages.count(told["until"]) == 1


def test_each_of_the_nine_is_shown_once() -> None:
    """九件が一度ずつ出て、四件は終結、五件は途中。"""
    assert sorted(told["scenario"] for told in INCIDENTS) == sorted(path.name for path in (FOLDER / "scenarios").glob("incident_*.yaml"))
    assert sum("until" in told for told in INCIDENTS) == 5


def test_the_units_exist() -> None:
    """利用者を置く部署は、機関にある。"""
    assert set(TOLD["units"]) <= set(load_organisation(FOLDER).units)


def test_four_are_closed_on_their_days_and_five_are_open_lately(shown: Engine) -> None:
    """終結した四件は当時の日付のまま、進行中の五件は最近のこととして出る。"""
    heads, _ = shown.cases(shown.viewer("isa.audit-officer"))
    heads = tuple(head for head in heads if head.number.startswith("漏"))
    closed = [head for head in heads if head.state == "closed"]
    opened = [head for head in heads if head.state == "open"]
    assert ([head.outcome for head in closed], len(opened)) == (["終結"] * 4, 5)
    assert {head.started_at.year for head in closed} == {2022, 2023}
    assert all((NOW - head.started_at).days <= 31 and head.changed_at <= NOW for head in opened)
    assert shown.verify_history() == ()


@pytest.mark.parametrize(
    ("person", "step"),
    [
        ("saitama.protection-manager", ""),
        ("isa.general-protection-manager", "終結確認"),
        ("isa.general-protection-manager", "受領・評価"),
        ("isa.commission-desk", "速報の作成"),
        ("narita.protection-manager", "本人への通知（12）"),
        ("tokyo.division-protection-manager", "総括へ重大な第一報"),
        ("isa.contract-authority", "諾否の決裁"),
        ("adjudication.protection-manager", "操作の記録の確認"),
    ],
)
def test_the_inboxes_show_the_stages(shown: Engine, person: str, step: str) -> None:
    """終結の確認、評価の遅れ、速報の作成、本人への通知、重大な第一報、再委託の諾否の決裁、操作の記録の確認が、それぞれの受信箱で待つ。"""
    steps = [row.step for row in shown.inbox(shown.viewer(person), limit=200).rows]
    assert step in steps if step else not steps


def test_one_case_is_overdue_at_the_general_manager(shown: Engine) -> None:
    """速報の目安の日を過ぎた案件があり、総括の受信箱の一番上に出る。"""
    page = shown.inbox(shown.viewer("isa.general-protection-manager"))
    assert (page.rows[0].step, page.rows[0].overdue) == ("受領・評価", True)
    assert page.counts.overdue >= 1


def test_a_lending_is_overdue_and_will_be_an_incident_tomorrow(shown: Engine) -> None:
    """返らない記録は、督促と上位への知らせが済み、まだ事案にはなっていない。"""
    rows = shown.ledgers.page(shown.viewer("isa.audit-officer"), "lending").rows
    assert {row.state for row in rows} == {"期限超過"}
    assert "escalate" in [notice.template for notice in shown.notices(shown.viewer("immigration-control.division-protection-manager"))[0]]


def test_years_of_nightly_rounds_do_not_bury_the_cases(tmp_path: Path) -> None:
    """実演を何年も後に始めても、夜間の点検の案件は、実演の日々の分だけである。"""
    engine = make_engine(f"sqlite:///{tmp_path / 'late.sqlite'}", SetClock(datetime(2030, 6, 3, 13, 30, tzinfo=JST)), isa=True)
    engine.migrate()
    assert demo.prepare(engine)
    while engine.run_due(limit=500):
        pass
    heads, _ = engine.cases(engine.viewer("isa.audit-officer"), limit=200)
    assert 0 < sum(head.number.startswith("点") for head in heads) <= 40
    engine.close()
