"""The regulation and the diagrams against each other: every clause a step names exists, and every clause of 第25条・第26条 has a step and a test."""

from __future__ import annotations

from datetime import date
from pathlib import Path

import pytest

from engine import load_organisation
from engine.definitions import bundles, compile_bundle
from engine.net import Net
from tests.process.marks import marks

FOLDER = Path(__file__).parents[2] / "bpmn"
OFFICE = load_organisation(FOLDER / "isa")
TODAY = date(2026, 11, 20)
NETS: dict[str, Net] = {name: compile_bundle(name, files)[0] for name, (_, files) in bundles(FOLDER / "isa", FOLDER / "common").items()}
OF_INCIDENTS = sorted(clause for clause in OFFICE.clauses if clause.startswith(("ISA-25-", "ISA-26-")))


def cited(net: Net) -> dict[str, set[str]]:
    """clause id -> elements that name it."""
    found: dict[str, set[str]] = {}
    for node in net.nodes:
        for clause in filter(None, (part.strip() for part in node.properties.get("clause", "").split(","))):
            found.setdefault(clause, set()).add(node.element)
    return found


def test_the_incident_procedure_is_there() -> None:
    """入管庁のフォルダーには、漏えい等事案への対応の手続がある。"""
    assert "isa_incident" in NETS
    assert len(OF_INCIDENTS) == 12


@pytest.mark.parametrize("process", sorted(NETS))
def test_every_clause_a_diagram_cites_exists(process: str) -> None:
    """図が挙げる条項は、すべて条項表にあり、いま施行されている。"""
    unknown = {clause: where for clause, where in cited(NETS[process]).items() if OFFICE.clause(clause, TODAY) is None}
    assert unknown == {}


@pytest.mark.parametrize("clause", OF_INCIDENTS)
def test_every_clause_of_articles_25_and_26_is_done_by_a_step_and_shown_by_a_test(clause: str) -> None:
    """第25条と第26条のどの項も、図のどこかの処理が担い、どこかの試験が示している。"""
    assert cited(NETS["isa_incident"]).get(clause)
    assert clause in {mark.clause for mark in marks()}


def test_the_office_lists_the_tests_that_show_its_clauses() -> None:
    """機関のフォルダーの一覧（tests.csv）は、試験の印と同じである。違うときは python -m tests.process.marks で書き直す。"""
    assert OFFICE.shown_by == marks()


def test_every_duty_can_be_recorded_by_some_step() -> None:
    """終結の前に記録が要る義務には、その記録を残す処理が図にある（準備や評価だけの処理は、記録を残さない）。"""
    for duty in OFFICE.rules.duties:
        recording = {
            clause.strip()
            for process in duty.processes
            for node in NETS[process].nodes
            if node.properties.get("records") != "none"
            for clause in node.properties.get("clause", "").split(",")
        }
        assert set(duty.recorded_by) & recording, duty.clause


def test_every_step_reaches_a_seat_in_every_unit_that_answers_for_information() -> None:
    """保護管理者を置くどの課室の事案でも、図のどの処理にも、届く先の役がある。"""
    roles = {tuple(group.split("@")) for net in NETS.values() for node in net.nodes for group in node.candidate_groups if "@" in group}
    for unit in OFFICE.units_with("protection_manager", TODAY):
        places = {"owning_unit": unit.id, **{own: own for own in OFFICE.units}}
        missing = [(role, where) for role, where in roles if OFFICE.resolve(role, places.get(where, OFFICE.id), TODAY) is None]
        assert missing == [], unit.name


@pytest.mark.parametrize("process", sorted(NETS))
def test_no_step_is_for_the_reporter_of_a_leak(process: str) -> None:
    """報告した職員に、報告のほかの処理を負わせない。"""
    assert [node.id for node in NETS[process].nodes if node.assignee] == []
