"""事案に関係した職員：その案件の担当から外れ、処理は次の順位の役に回る（規程第25条第1項・第2項の報告と措置が、当人を経ないように）。"""

from __future__ import annotations

import pytest

from engine import CaseNotFound, FormInvalid, TaskNotFound
from tests.process.conftest import FRIDAY, UNIT, Office, Official

MANAGER = f"protection_manager.{UNIT}"
FIRST = ("assess_gravity", "confirm_unknown", "contain_at_once")


@pytest.mark.article("ISA-25-1", "ISA-25-2")
def test_a_report_about_the_manager_himself_goes_to_the_next_in_order(
    office: Office, staff: Official, manager: Official, division: Official
) -> None:
    """保護管理者自身が関係した事案は、本人には届かず見えもせず、次の順位の部課等保護管理者が同じ処理をする。"""
    case = staff.reports(involved=MANAGER)
    case.waits_at(*FIRST)
    assert (manager.inbox, manager.sees(case), division.inbox) == ([], False, list(FIRST))
    with pytest.raises(CaseNotFound):
        office.engine.case(office.viewer(manager.seat), case.id)
    step = case.step("contain_at_once").row["id"]
    with pytest.raises(TaskNotFound), office.acting(manager.seat) as work:
        work.complete(step, {"containment_done": ["silence"]})
    division.completes("contain_at_once")
    case.waits_at("assess_gravity", "contain_further")
    [done] = [row for row in office.history(case.id, "task.completed") if row["node"] == "contain_at_once"]
    assert (done["person"], done["data"]["acting"]) == ("division_protection_manager.immigration_control", {"kind": "in_turn"})


@pytest.mark.article("ISA-25-1")
def test_who_is_named_later_is_taken_out_and_who_is_no_longer_named_is_taken_back(
    staff: Official, manager: Official, division: Official
) -> None:
    """関係が後から分かれば事実の更新で外し、関係が無いと分かれば戻す。どちらも記録に残る。"""
    case = staff.reports()
    assert manager.inbox == list(FIRST)
    manager.does("amend_facts", involved=f"{MANAGER}、staff.{UNIT}", amend_reason="二人とも事案の場にいた。")
    assert (manager.inbox, division.inbox) == ([], list(FIRST))
    division.does("amend_facts", involved=[f"staff.{UNIT}"], amend_reason="保護管理者は居合わせただけと分かった。")
    assert (manager.inbox, division.inbox) == (list(FIRST), [])
    assert [row["person"] for row in case.data("person.taken_out")] == [MANAGER, f"staff.{UNIT}"]
    assert [row["person"] for row in case.data("person.taken_in")] == [MANAGER]
    manager.completes("contain_at_once")


@pytest.mark.article("ISA-25-1")
def test_nobody_need_be_named_and_a_wrong_name_is_told(staff: Official, manager: Official) -> None:
    """関係した職員の欄は書かなくてよい。登録されていない名は、欄を示して断る。"""
    with pytest.raises(FormInvalid) as refused:
        staff.reports(involved="いない人")
    assert set(refused.value.fields) == {"involved"}
    case = staff.reports(involved="")
    assert (manager.inbox, case.facts.get("involved")) == (list(FIRST), [])


@pytest.mark.article("ISA-25-1")
def test_who_is_named_is_not_told_and_who_acts_in_turn_is(office: Office, staff: Official) -> None:
    """名を挙げられた保護管理者には知らせが行かず、代わりに処理する部課等保護管理者に行く。督促も同じ。"""
    manager_id = office.person(f"protection_manager@{UNIT}")
    division = office.engine.organisation("isa").next_seat(f"protection_manager@{UNIT}", FRIDAY.date()) or ""
    case = staff.reports(involved=manager_id)
    case.lets_pass(hours=2)
    told = {row["person"] for row in office.rows("notice") if row["template"] in ("task_opened", "remind")}
    assert manager_id not in told and office.person(division) in told


@pytest.mark.article("ISA-25-1")
def test_who_acts_in_turn_can_also_take_the_case_s_actions(office: Office, staff: Official) -> None:
    """処理だけでなく、転送などの操作も次の順位の役が行える。"""
    division = office.engine.organisation("isa").next_seat(f"protection_manager@{UNIT}", FRIDAY.date()) or ""
    staff.reports(involved=office.person(f"protection_manager@{UNIT}"))
    assert "transfer" in office.at(division).offered
