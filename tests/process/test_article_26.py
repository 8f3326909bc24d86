"""第26条：公表と本人への対応。本人への通知は個人情報保護法第68条第2項・番号法第29条の4第2項。一つの定めに一つの試験。"""

from __future__ import annotations

from datetime import date, timedelta

import pytest

from engine import JST, FormInvalid, NotYourTask
from tests.process.conftest import FRIDAY, UNIT, Case, Official

TWELVE = [{"label": f"申請人{number}", "contact": "申請書の連絡先"} for number in range(1, 13)]


# ---------------------------------------------------------------- 第1項：公表と本人対応


@pytest.mark.article("ISA-26-1")
def test_publication_and_the_persons_are_considered_once_the_report_is_received(incident: Case) -> None:
    """総括が報告を受けたら、公表と本人への対応の判断が、委員会への報告と並んで始まる。"""
    incident.goes_on("check_article_78")
    assert {"check_article_78", "decide_publication", "prepare_preliminary"} <= set(incident.waits)
    incident.step("decide_publication").is_for("general_protection_manager", "isa")


@pytest.mark.article("ISA-26-1")
def test_not_publishing_needs_a_reason(incident: Case, general: Official) -> None:
    """公表するかは内容や影響に応じて判断する。しないときは理由を残す。"""
    incident.goes_on("decide_publication")
    with pytest.raises(FormInvalid) as refused:
        general.completes("decide_publication", publish=False, publication_reason=None)
    assert set(refused.value.fields) == {"publication_reason"}
    general.completes("decide_publication", publish=True, publication_reason=None, item_publication="公式の頁に掲げた。")
    assert "decide_publication" not in incident.waits


@pytest.mark.article("ISA-26-1")
def test_publication_can_be_put_off_to_a_day_and_comes_back(incident: Case, general: Official) -> None:
    """公表が本人を傷付けるおそれのある間は、期日と理由を付けて見合わせる。期日が来れば、もう一度判断する。"""
    incident.goes_on("decide_publication")
    day = (FRIDAY + timedelta(days=14)).date()
    with pytest.raises(FormInvalid) as refused:
        general.completes("decide_publication", publication_postponed=True, publication_reason="安全の確認中")
    assert set(refused.value.fields) == {"publication_postponed_until"}
    general.completes(
        "decide_publication", publication_postponed=True, publication_postponed_until=day.isoformat(), publication_reason="安全の確認中"
    )
    incident.goes_on()
    incident.waits_at()
    assert incident.outcome is None
    incident.lets_pass(days=13)
    incident.waits_at()
    incident.lets_pass(days=1)
    incident.waits_at("decide_publication")
    general.completes("decide_publication", publication_postponed=False)
    incident.waits_at("confirm_closing")


@pytest.mark.article("ISA-26-1")
def test_without_a_statutory_duty_telling_the_person_is_at_discretion(staff: Official, general: Official) -> None:
    """法令の通知の義務が無い事案では、本人に知らせるかを総括が判断する。知らせないときは理由を残す。"""
    case = staff.reports(sensitive="no")
    case.goes_on("decide_response")
    assert case.facts["notify"] == "discretion(26-1)"
    with pytest.raises(FormInvalid) as refused:
        general.completes("decide_response", respond_reason=None)
    assert set(refused.value.fields) == {"respond_reason"}
    general.completes("decide_response")
    case.goes_on("confirm_closing")
    assert (case.duties["ISA-26-1"], case.duties["LAW-68-2"]) == ("done", "not_applicable")


@pytest.mark.article("ISA-26-1")
def test_the_office_can_tell_the_person_though_no_law_asks(staff: Official, general: Official) -> None:
    """義務が無くても、知らせると決めたら、一人ずつ知らせて記録する。"""
    case = staff.reports(sensitive="no")
    case.goes_on("decide_response")
    general.completes("decide_response", respond_to_persons=True, respond_reason=None)
    case.step("register_persons").is_for("protection_manager", UNIT)
    case.goes_on("confirm_closing")
    assert case.completed().count("notify_person") == 1


# ---------------------------------------------------------------- 本人への通知（法第68条第2項）


@pytest.mark.article("LAW-78-1")
def test_article_78_is_checked_before_the_person_is_told(incident: Case, general: Official) -> None:
    """本人に知らせる前に、不開示情報に当たらないかを確かめる。当たるかどうかは必ず答える。"""
    incident.goes_on("check_article_78")
    incident.step("check_article_78").is_for("general_protection_manager", "isa")
    with pytest.raises(FormInvalid) as refused:
        general.completes("check_article_78", nd78=None)
    assert set(refused.value.fields) == {"nd78"}
    assert "register_persons" not in incident.waits
    general.completes("check_article_78", nd78="no")
    assert "register_persons" in incident.waits


@pytest.mark.article("LAW-78-1")
def test_information_that_may_not_be_disclosed_exempts_from_telling_with_a_record(incident: Case, general: Official) -> None:
    """不開示情報に当たるときは、根拠を残して通知しない。それでも記録が無ければ終わらない。"""
    incident.goes_on("check_article_78")
    with pytest.raises(FormInvalid) as refused:
        general.completes("check_article_78", nd78="yes")
    assert set(refused.value.fields) == {"nd78_basis"}
    general.completes("check_article_78", nd78="yes", nd78_basis="法第78条第1項第2号")
    assert incident.facts["notify"] == "exempt"
    assert "record_exemption" in incident.waits
    incident.goes_on("confirm_closing")
    assert "notify_person" not in incident.completed()
    assert (incident.duties["LAW-78-1"], incident.duties["LAW-68-2"]) == ("done", "not_applicable")


@pytest.mark.article("MN-29-4-2")
def test_my_number_knows_no_such_exemption(staff: Official, manager: Official) -> None:
    """番号法の通知には、不開示情報の例外が無い。78条の確認を経ずに通知へ進む。"""
    case = staff.reports(holds=["pi", "mynumber"])
    manager.does("amend_facts", mn_system="ロ", amend_reason="基幹の業務システムの情報である。")
    case.goes_on("register_persons")
    assert (case.facts["appi68"], case.facts["mn294"], case.facts["notify"]) == ("yes", "yes", "notify")
    assert "check_article_78" not in case.completed()
    case.goes_on("confirm_closing")
    assert case.duties["MN-29-4-2"] == "done"


@pytest.mark.article("LAW-68-2")
def test_who_cannot_be_reached_is_served_by_a_substitute_measure(incident: Case, manager: Official) -> None:
    """本人に連絡できないときは、公表や窓口などの代わりの措置をとり、記録する。"""
    manager.does("amend_facts", contact="no", amend_reason="帰国していて連絡先が無い。")
    incident.goes_on("take_substitute_measure")
    assert incident.facts["notify"] == "substitute"
    with pytest.raises(FormInvalid) as refused:
        manager.completes("take_substitute_measure", substitute_measure=None)
    assert set(refused.value.fields) == {"substitute_measure"}
    incident.goes_on("confirm_closing")
    assert incident.duties["LAW-68-2"] == "done"


@pytest.mark.article("LAW-68-2")
def test_the_order_of_work_leaves_no_notice_unrecorded(staff: Official) -> None:
    """番号法により先に本人へ知らせ、その後で個人情報保護法の通知の義務も確かになっても、終結できる。"""
    case = staff.reports(holds=["pi", "mynumber"], malicious="yes")
    case.goes_on(leaving=("contain_at_once",))
    assert (case.facts["appi68"], case.facts["mn294"]) == ("review", "yes")
    assert "notify_person" in case.completed()
    case.goes_on()
    assert case.outcome == "終結"
    assert (case.duties["LAW-68-2"], case.duties["MN-29-4-2"]) == ("done", "done")


@pytest.mark.article("LAW-68-2")
def test_each_of_twelve_persons_has_a_step_and_a_result(staff: Official, manager: Official, division: Official) -> None:
    """本人が12人なら、一人に一つの処理が立つ。全員の結果が残るまで、通知は終わらない。"""
    case = staff.reports(count=12)
    case.goes_on("register_persons")
    manager.completes("register_persons", persons=TWELVE)
    assert case.waits.count("notify_person") == 12
    case.step("notify_person").is_for("protection_manager", UNIT)
    with pytest.raises(NotYourTask):
        division.completes("notify_person")
    for number in range(11):
        manager.completes("notify_person", result="returned" if number == 3 else "told")
    case.goes_on(leaving=("notify_person",))
    case.waits_at("notify_person")
    manager.completes("notify_person")
    case.waits_at("confirm_closing")
    assert [row["result"] for row in case.facts["notify_person"]].count("returned") == 1
    assert len(case.facts["notify_person"]) == 12


@pytest.mark.article("LAW-68-2")
def test_a_notice_that_would_widen_the_harm_waits_for_its_day(incident: Case, manager: Official) -> None:
    """知らせることで被害が広がる間は、期日と理由を付けて延ばせる。期日に、もう一度確かめてから知らせる。"""
    incident.goes_on("register_persons")
    day = (FRIDAY + timedelta(days=7)).date().isoformat()
    given = {"notice_postponed": True, "notice_postponed_until": day}
    with pytest.raises(FormInvalid) as refused:
        manager.completes("register_persons", **given)
    assert set(refused.value.fields) == {"notice_postponed_reason"}
    manager.completes("register_persons", **given, notice_postponed_reason="捜索の途中である。")
    assert not {"register_persons", "notify_person"} & set(incident.waits)
    incident.lets_pass(days=6, hours=8)
    assert "register_persons" in incident.waits
    manager.completes("register_persons", notice_postponed=False)
    assert "notify_person" in incident.waits


@pytest.mark.article("LAW-68-2")
def test_while_the_duty_is_undecided_the_notice_waits_and_is_asked_about(staff: Official, manager: Official) -> None:
    """報告の要否が分からないうちは、通知の要否も決めない。「義務なし」とは扱わない。"""
    case = staff.reports(sensitive="unknown")
    case.goes_on("judge_applicability")
    assert not {"decide_response", "check_article_78", "register_persons"} & set(case.waits)
    manager.does("amend_facts", sensitive="yes", amend_reason="病歴が含まれていた。")
    assert "check_article_78" in case.waits


@pytest.mark.article("LAW-68-2")
def test_no_notice_is_owed_when_the_duty_falls_away(incident: Case, manager: Official) -> None:
    """通知の前に対象でないと分かれば、通知の処理は消え、知らせるかは裁量に戻る。"""
    incident.goes_on("notify_person")
    manager.does("amend_facts", recovered_unseen="yes", amend_reason="誰も開けていないことが確かめられた。")
    assert "notify_person" not in incident.waits
    assert "decide_response" in incident.waits


# ---------------------------------------------------------------- 第2項：匿名加工情報等（広い方）


@pytest.mark.article("ISA-26-2")
@pytest.mark.parametrize("held", ["anon", "deleted_info", "method_info"])
def test_what_was_done_for_the_persons_is_reported_where_anonymised_information_in_the_wide_sense_is_concerned(
    staff: Official, general: Official, held: str
) -> None:
    """匿名加工情報「等」の事案では、本人対応などをしたら、直ちに委員会へ報告する。削除情報や加工方法だけでも同じ。"""
    case = staff.reports(holds=[held], sensitive="no")
    case.goes_on("decide_response")
    assert "report_response_to_commission" not in case.waits  # what has not been decided cannot be reported
    general.completes("decide_response")
    assert "report_response_to_commission" in case.waits
    case.step("report_response_to_commission").is_for("general_protection_manager", "isa")
    opened = case.office.clock.now().astimezone(JST)
    case.step("report_response_to_commission").is_due(opened + timedelta(hours=3))
    case.goes_on(leaving=("report_response_to_commission",))
    case.waits_at("report_response_to_commission")
    general.completes("report_response_to_commission")
    assert case.duties["ISA-26-2"] == "done"


@pytest.mark.article("ISA-26-2")
def test_an_ordinary_leak_needs_no_such_report(incident: Case) -> None:
    """匿名加工情報等が関わらない事案では、この報告は要らない。"""
    incident.goes_on("confirm_closing")
    assert "report_response_to_commission" not in incident.completed()
    assert incident.duties["ISA-26-2"] == "not_applicable"


@pytest.mark.article("ISA-26-2")
def test_the_report_is_dated_and_never_in_the_future(staff: Official, general: Official) -> None:
    """報告した日を必ず書く。先の日付は書けない。"""
    case = staff.reports(holds=["deleted_info"], sensitive="no")
    case.goes_on("report_response_to_commission")
    with pytest.raises(FormInvalid) as refused:
        general.completes("report_response_to_commission", response_reported_on=date(2026, 11, 21).isoformat())
    assert set(refused.value.fields) == {"response_reported_on"}
