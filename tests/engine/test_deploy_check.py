"""What a diagram names must exist in its office: each finding names the element, and the shipped diagrams have none."""

from __future__ import annotations

from pathlib import Path

import pytest

from engine import DefinitionRefused, Organisation, load_organisation
from engine.definitions import bundles, compile_bundle
from engine.deploy_check import check

BPMN = Path(__file__).resolve().parents[2] / "bpmn"


@pytest.fixture(scope="module")
def office() -> Organisation:
    return load_organisation(BPMN / "isa")


@pytest.fixture(scope="module")
def files() -> dict[str, bytes]:
    return bundles(BPMN / "isa", BPMN / "common")["isa_incident"][1]


def findings(office: Organisation, files: dict[str, bytes], file: str, old: str, new: str) -> list[tuple[str, str]]:
    """(rule, element) of what is found after one replacement in one file."""
    text = files[file].decode()
    assert old in text, old
    try:
        net, decisions = compile_bundle("isa_incident", {**files, file: text.replace(old, new, 1).encode()})
    except DefinitionRefused as refused:
        return [(finding.rule, finding.element) for finding in refused.findings]
    return [(finding.rule, finding.element.rsplit("/", 1)[-1]) for finding in check(net, decisions, office)]


def test_the_shipped_diagrams_have_no_finding(office: Organisation, files: dict[str, bytes]) -> None:
    net, decisions = compile_bundle("isa_incident", files)
    assert list(check(net, decisions, office)) == []


INCIDENT, STATUTORY, REPORT = "isa/incident.bpmn", "isa/statutory.bpmn", "common/commission_report.bpmn"


@pytest.mark.parametrize(
    ("file", "old", "new", "rule", "element"),
    [
        (STATUTORY, "received_by_general == true<", "recieved_by_general == true<", "fact_unknown", "wait_first_report"),
        (STATUTORY, 'persons_open == "no" and response_open', 'person_open == "no" and response_open', "fact_unknown", "are_persons_settled"),
        ("isa/gravity.dmn", "<text>sensitive</text>", "<text>sensitiv</text>", "fact_unknown", "grave_reasons"),
        (INCIDENT, 'value="ISA-25-2"', 'value="ISA-25-20"', "clause_unknown", "contain_at_once"),
        (INCIDENT, 'name="records" value="none"', 'name="records" value="ISA-99"', "clause_unknown", "assess_gravity"),
        (INCIDENT, 'name="urgency" value="at_once"', 'name="urgency" value="asap"', "urgency_unknown", "learn_of_incident"),
        (INCIDENT, "protection_manager@owning_unit", "protector@owning_unit", "role_unknown", "contain_at_once"),
        (INCIDENT, "commissioner@organisation", "commissioner@moon", "unit_unknown", "receive_by_commissioner"),
        (REPORT, 'name="deadline" value="preliminary_report"', 'name="deadline" value="preliminary"', "clock_unknown", "prepare_preliminary"),
        (REPORT, 'topic="notify"', 'topic="shout"', "topic_unknown", "warn_head_overdue"),
        (INCIDENT, 'decisionRef="duties"', 'decisionRef="duty"', "decision_unknown", "judge_duty"),
        (INCIDENT, 'formField id="item_summary"', 'formField id="appi68"', "derived_fact", "learn_of_incident"),
        (INCIDENT, 'formField id="item_summary"', 'formField id="contain_further"', "choice_id", "learn_of_incident"),
    ],
)  # fmt: skip
def test_a_name_that_means_nothing_is_found_with_its_element(
    office: Organisation, files: dict[str, bytes], file: str, old: str, new: str, rule: str, element: str
) -> None:
    found = findings(office, files, file, old, new)
    assert any(one == rule and (not element or where == element) for one, where in found), found


def test_not_same_person_as_must_name_a_step_of_the_diagram(office: Organisation, files: dict[str, bytes]) -> None:
    """打ち間違いで職務の分離が黙って外れてはならない。"""
    old = '<camunda:property name="clause" value="ISA-25-4" />'
    new = old + '<camunda:property name="not_same_person_as" value="report_to_divison" />'
    assert ("element_unknown", "report_to_general") in findings(office, files, INCIDENT, old, new) or (
        "element_unknown",
        "report_grave_to_general",
    ) in findings(office, files, INCIDENT, old, new)


def test_a_misspelt_fact_is_told_with_its_place_and_with_names_that_look_like_it(office: Organisation, files: dict[str, bytes]) -> None:
    """どの式の何文字目か、どの名前の間違いらしいかが読める。"""
    text = files[STATUTORY].decode().replace("received_by_general == true<", "recieved_by_general == true<", 1)
    net, decisions = compile_bundle("isa_incident", {**files, STATUTORY: text.encode()})
    message = next(finding.message for finding in check(net, decisions, office) if finding.rule == "fact_unknown")
    assert "条件：式「recieved_by_general == true」の1文字目の「recieved_by_general」" in message
    assert "（「received_by_general」" in message


@pytest.mark.parametrize(
    ("old", "new", "where", "meant"),
    [
        ("<text>sensitive</text>", "<text>sensitiv</text>", "入力3列目「sensitiv」", "sensitive"),
        ("<text>&gt; 100</text>", "<text>&gt; cuont</text>", "3行目の入力2列目「> cuont」", "count"),
        ("<text>grave_reasons</text>", "<text>grave_raesons</text>", "1行目の出力2列目「grave_raesons」", "grave_reasons"),
    ],
)
def test_a_misspelt_fact_in_a_table_is_told_with_row_and_column(
    office: Organisation, files: dict[str, bytes], old: str, new: str, where: str, meant: str
) -> None:
    text = files["isa/gravity.dmn"].decode()
    assert old in text
    net, decisions = compile_bundle("isa_incident", {**files, "isa/gravity.dmn": text.replace(old, new, 1).encode()})
    messages = [finding.message for finding in check(net, decisions, office) if finding.rule == "fact_unknown"]
    assert len(messages) == 1
    assert messages[0].startswith(where)
    assert f"「{meant}」" in messages[0]
