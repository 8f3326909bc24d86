"""What the scenarios beside the agency's diagrams reach of them: a floor that may only rise, and what is not reached, by name."""

from __future__ import annotations

import pytest

from engine import Coverage, Engine, ScenarioPlayed, Settings
from tests.support import ROOT

#: procedure -> per cent of elements, flows and clauses that its scenarios pass at least. One that is not here has no floor yet.
FLOOR = {
    "isa_account_inventory": (92.0, 78.0, 100.0),
    "isa_incident": (62.0, 60.0, 78.0),
    "isa_resubcontract": (84.0, 83.0, 100.0),
}
#: Clauses of the incident procedure that the nine real incidents do not touch: none had a contractor at fault, a measure to be reported
#: to the Commission, or facts that changed the duty later. tests/process/test_article_25.py and _26.py have cases for them.
NOT_TOUCHED = {"第24条第1項", "第25条第8項", "第25条第9項", "第26条第2項"}
#: Ways at any time that are left to those tests too.
NOT_TAKEN = {"amend_facts", "transfer", "close_as_not_incident", "hand_over", "merged"}

Found = dict[str, tuple[tuple[ScenarioPlayed, ...], Coverage]]


@pytest.fixture(scope="module")
def found() -> Found:
    played = Engine.rehearse(ROOT / "bpmn" / "isa", Settings())
    return {reached.process_id: (results, reached) for results, reached in played}


def test_every_scenario_beside_the_diagrams_goes_through(found: Found) -> None:
    """図と並べて置いたシナリオは、どれも最後まで通る。"""
    results = [one for results, _ in found.values() for one in results]
    assert {one.name for one in results} == {path.name for path in (ROOT / "bpmn" / "isa" / "scenarios").glob("*.yaml")}
    assert [(one.name, one.text) for one in results if not one.passed] == []


@pytest.mark.parametrize("process", FLOOR)
def test_the_scenarios_reach_no_less_than_they_did(found: Found, process: str) -> None:
    """シナリオが通る要素・流れ・条項の割合は、下がらない。"""
    reached = found[process][1]
    assert all(share >= floor for share, floor in zip(reached.percent, FLOOR[process], strict=True)), (
        reached.percent,
        [one.element for one in reached.missed],
    )


def test_what_the_nine_incidents_do_not_touch_is_known(found: Found) -> None:
    """九件の事案が通らない条項と、いつでもできる操作は、ここに挙げたものだけである。"""
    reached = found["isa_incident"][1]
    assert {one.citation.rpartition(" ")[2] for one in reached.missed_clauses} <= NOT_TOUCHED
    starts = {one.element for one in reached.missed if one.kind == "startEvent"}
    assert starts <= NOT_TAKEN | {"duty_gone"}
