"""第25条：安全管理上の問題への対応。一つの定めに一つの試験。"""

from __future__ import annotations

import shutil
from datetime import date, datetime, timedelta
from pathlib import Path

import pytest

from engine import (
    JST,
    ActionNotOffered,
    CaseClosed,
    CaseNotFound,
    ClosingNotReady,
    FormInvalid,
    NotYourTask,
    TaskNotFound,
    WithdrawNotAllowed,
    end_of_day,
)
from tests.process.conftest import FRIDAY, REPORT, UNIT, Case, Office, Official
from tests.support import ROOT, make_engine

TUESDAY = datetime(2026, 11, 24, 17, 0, tzinfo=JST)  # the first working day after FRIDAY


# ---------------------------------------------------------------- 第1項：知った職員は、直ちに保護管理者へ


@pytest.mark.article("ISA-25-1")
def test_staff_report_to_the_manager_who_manages_the_information(office: Office, manager: Official, other_manager: Official) -> None:
    """知った職員は、自分の上司ではなく、その情報を管理する課室の保護管理者に直ちに知らせる。"""
    case = office.at("staff@enforcement").reports(unit=UNIT)
    case.waits_at("assess_gravity", "confirm_unknown", "contain_at_once")
    case.step("contain_at_once").is_for("protection_manager", UNIT)
    assert manager.inbox == case.waits
    assert (manager.sees(case), other_manager.sees(case), other_manager.inbox) == (True, False, [])


@pytest.mark.article("ISA-25-1")
def test_three_answers_are_enough_to_report(staff: Official) -> None:
    """概要・知った日時・情報を管理する課室だけで出せる。分からないことは「該当しない」とは扱わない。"""
    case = staff.reports(**dict.fromkeys((name for name in REPORT if name != "item_summary"), None))
    case.waits_at("assess_gravity", "confirm_unknown", "contain_at_once")
    assert (case.facts["appi68"], case.facts["commission_duty"]) == ("review", "review")


@pytest.mark.article("ISA-25-1")
def test_a_report_without_what_and_when_is_refused(office: Office, staff: Official) -> None:
    """概要と知った日時が無ければ、受け付けずに欄を示し、断ったことを記録する。"""
    with pytest.raises(FormInvalid) as refused:
        staff.reports(item_summary=None, known_at=None)
    assert set(refused.value.fields) == {"item_summary", "known_at"}
    assert office.rows("case_file") == []
    assert [row["person"] for row in office.rows("history", tag="attempt.refused")] == [office.person(staff.seat)]


@pytest.mark.article("ISA-25-1")
def test_a_rule_violation_or_a_mere_sign_is_reported_too(staff: Official) -> None:
    """漏えい等だけでなく、規程違反やその兆候も報告の対象になる。"""
    case = staff.reports(event="rule_violation", suspected=True, sensitive="no")
    case.waits_at("assess_gravity", "contain_at_once")
    assert case.facts["commission_duty"] == "no"


@pytest.mark.article("ISA-25-1")
def test_knowledge_is_dated_by_who_knew_and_never_later_than_the_report(staff: Official) -> None:
    """知った日時は報告者が書く。報告より後にはできず、一日を超えてさかのぼるときは理由が要る。"""
    with pytest.raises(FormInvalid) as refused:
        staff.reports(known_at=(FRIDAY + timedelta(minutes=2)).isoformat())
    assert set(refused.value.fields) == {"known_at"}
    with pytest.raises(FormInvalid) as refused:
        staff.reports(known_at=(FRIDAY - timedelta(days=2)).isoformat())
    assert set(refused.value.fields) == {"backdate_reason"}
    case = staff.reports(known_at=(FRIDAY - timedelta(days=2)).isoformat(), backdate_reason="出張先で知り、戻ってから報告した。")
    clock = case.clock("preliminary_report")
    assert clock is not None
    assert (clock.started_on, clock.day) == (date(2026, 11, 18), 3)


@pytest.mark.article("ISA-25-1")
def test_knowledge_at_ten_to_midnight_and_ten_past_are_different_days(staff: Official) -> None:
    """期限の起点は、知った時刻の日本の日付である。"""
    before = staff.reports(known_at="2026-11-19T23:50:00+09:00")
    after = staff.reports(known_at="2026-11-20T00:10:00+09:00")
    assert (before.due("preliminary_report"), after.due("preliminary_report")) == (date(2026, 11, 23), date(2026, 11, 24))


@pytest.mark.article("ISA-25-1")
def test_a_late_report_is_taken_and_shows_an_overdue_clock(staff: Official, manager: Official) -> None:
    """遅れて入った報告も断らない。期限を過ぎていれば、過ぎたものとして直ちに知らせる。"""
    case = staff.reports(known_at=(FRIDAY - timedelta(days=40)).isoformat(), backdate_reason="台帳の点検で、先月に知っていたと分かった。")
    final = case.clock("final_report")
    assert final is not None
    assert (final.state, final.started_on, final.due_on, final.day) == ("overdue", date(2026, 10, 11), date(2026, 11, 9), 41)
    assert manager.notices.count("clock_overdue") == 2  # 速報と確報


@pytest.mark.article("ISA-25-1")
def test_the_reporter_follows_the_case_and_cannot_act_in_it(incident: Case, staff: Official) -> None:
    """報告した職員は、自分の報告の行方を見られる。処理はできない。"""
    assert staff.sees(incident)
    assert staff.offered == []
    with pytest.raises(NotYourTask):
        staff.completes("contain_at_once")


@pytest.mark.article("ISA-25-1")
def test_a_transfer_moves_the_steps_and_not_the_clock(
    office: Office, incident: Case, staff: Official, manager: Official, other_manager: Official
) -> None:
    """宛先の課室を間違えた報告は、理由を付けて転送する。期限は数え直さない。元の課室の受信箱からは消える。"""
    before = (incident.due("preliminary_report"), incident.due("final_report"))
    incident.lets_pass(minutes=20)
    manager.does("transfer", owning_unit="enforcement", transfer_reason="警備課が管理する記録である。")
    incident.waits_at("assess_gravity", "confirm_unknown", "contain_at_once")
    incident.step("contain_at_once").is_for("protection_manager", "enforcement")
    assert (incident.due("preliminary_report"), incident.due("final_report")) == before
    assert (other_manager.sees(incident), staff.sees(incident)) == (True, True)
    assert other_manager.notices == ["task_moved"] * 3
    assert (manager.inbox, manager.offered) == ([], [])
    with pytest.raises(NotYourTask):  # who acted in a case keeps seeing it, as the person
        manager.completes("contain_at_once")
    successor = office.appoint("successor", manager.seat)
    assert office.engine.cases(office.engine.viewer(successor))[0] == ()  # the seat itself has nothing to do with it any more


@pytest.mark.article("ISA-25-1")
def test_a_transfer_needs_a_reason_and_the_manager(incident: Case, staff: Official, manager: Official) -> None:
    """転送には理由が要る。転送できるのは、いまの宛先の保護管理者だけ。"""
    with pytest.raises(FormInvalid) as refused:
        manager.does("transfer", owning_unit="enforcement")
    assert set(refused.value.fields) == {"transfer_reason"}
    with pytest.raises(ActionNotOffered):
        staff.does("transfer", owning_unit="enforcement", transfer_reason="理由")
    incident.step("contain_at_once").is_for("protection_manager", UNIT)


@pytest.mark.article("ISA-25-1")
def test_a_late_transfer_moves_what_is_open_up_to_the_other_division(incident: Case, manager: Official, division: Official) -> None:
    """総括へ上げるところで転送しても、開いている処理はみな、新しい宛先の側の役に移る。"""
    incident.goes_on("report_to_general")
    manager.does("transfer", owning_unit="tokyo_inspection", transfer_reason="東京局が管理する記録である。")
    incident.step("report_to_general").is_for("division_protection_manager", "tokyo")
    incident.step("analyse_by_manager").is_for("protection_manager", "tokyo_inspection")
    assert division.inbox == []
    incident.goes_on("confirm_closing")


@pytest.mark.article("ISA-25-1")
def test_a_report_goes_to_a_unit_that_has_a_manager(staff: Official) -> None:
    """宛先に選べるのは、保護管理者を置く課室だけ。局や部そのものや、庁に無い部署は選べない。"""
    for unit in ("tokyo", "immigration_control", "moj"):
        with pytest.raises(FormInvalid) as refused:
            staff.reports(unit=unit)
        assert set(refused.value.fields) == {"owning_unit"}


@pytest.mark.article("ISA-25-1")
def test_two_reports_of_one_event_are_merged_and_the_earliest_knowledge_counts(office: Office, staff: Official, manager: Official) -> None:
    """同じ事案が二つ報告されたら統合する。両方の経過を残し、早く知った方から期限を数える。"""
    kept = staff.reports(item_summary="書類が無い")
    lost = office.at("staff@enforcement").reports(item_summary="書類を見た人がいる", known_at=(FRIDAY - timedelta(hours=20)).isoformat())
    manager.merges(lost, into=kept, reason="同じ書類の事案である。")
    lost.waits_at()
    kept.waits_at("assess_gravity", "confirm_unknown", "contain_at_once")
    assert lost.outcome == "統合（重複事案）"
    clock = kept.clock("final_report")
    assert clock is not None
    assert clock.started_on == date(2026, 11, 19)
    page = office.engine.case(office.viewer(manager.seat), kept.id)
    assert {event.case_id for event in page.timeline} == {None, lost.id}
    assert office.at("staff@enforcement").sees(kept)


@pytest.mark.article("ISA-25-1")
def test_who_is_not_in_charge_cannot_merge(office: Office, staff: Official, other_manager: Official) -> None:
    """関わりの無い課室の保護管理者は、統合できない（見ることもできない）。"""
    kept, lost = staff.reports(), staff.reports()
    with pytest.raises(CaseNotFound):
        other_manager.merges(lost, into=kept, reason="同じ事案")
    assert (kept.outcome, lost.outcome) == (None, None)


# ---------------------------------------------------------------- 第2項：拡大防止と復旧


@pytest.mark.article("ISA-25-2")
def test_what_can_be_done_at_once_is_done_before_the_rest(incident: Case, manager: Official) -> None:
    """直ちにできる拡大防止を先に行い、そのほかの措置は速やかに続ける。"""
    incident.step("contain_at_once").is_due(FRIDAY + timedelta(hours=3))
    manager.completes("contain_at_once")
    incident.waits_at("assess_gravity", "contain_further")
    incident.step("contain_further").is_for("protection_manager", UNIT)


@pytest.mark.article("ISA-25-2")
def test_at_once_reminds_after_an_hour_and_tells_the_next_rung_after_three(incident: Case, manager: Official, division: Official) -> None:
    """「直ちに」は、夜でも休日でも一時間で督促し、三時間で一つ上の段にも知らせる。義務は保護管理者に残る。"""
    incident.lets_pass(minutes=59)
    assert "remind" not in manager.notices
    incident.lets_pass(minutes=1)
    assert manager.notices.count("remind") == 2  # 拡大防止と、重大性の判断
    assert not division.sees(incident)
    incident.lets_pass(hours=2)
    assert (manager.notices.count("escalate"), division.notices) == (2, ["escalate", "escalate"])
    incident.step("contain_at_once").is_for("protection_manager", UNIT)
    assert division.sees(incident)
    with pytest.raises(NotYourTask):
        division.completes("contain_at_once")


@pytest.mark.article("ISA-25-2")
def test_promptly_counts_working_days(incident: Case, manager: Official) -> None:
    """「速やかに」は開庁日で数える。連休前の金曜17時に届いた処理の督促は、休みが明けた火曜の17時になる。"""
    manager.completes("contain_at_once")
    incident.lets_pass(days=3, hours=23, minutes=59)
    assert "拡大防止・復旧" not in [row["name"] for row in incident.data("task.reminded")]
    incident.lets_pass(minutes=1)
    assert incident.office.clock.now() == TUESDAY
    assert "拡大防止・復旧" in [row["name"] for row in incident.data("task.reminded")]


@pytest.mark.article("ISA-25-2")
def test_one_cause_tells_a_person_once(incident: Case, office: Office, manager: Official) -> None:
    """同じ事で同じ人に二度知らせない。済んだ処理の督促はしない。"""
    manager.completes("contain_at_once")
    manager.completes("assess_gravity")
    incident.lets_pass(hours=12)
    assert "remind" not in manager.notices
    rows = office.notices(case_id=incident.id)
    assert len({(row["cause"], row["person"]) for row in rows}) == len(rows)


# ---------------------------------------------------------------- 第3項本文：調査して部課等保護管理者へ


@pytest.mark.article("ISA-25-3a")
def test_the_manager_investigates_and_reports_to_the_division(incident: Case, manager: Official, division: Official) -> None:
    """保護管理者は、経緯と被害の状況を調べ、部課等保護管理者に報告する。"""
    incident.goes_on("investigate")
    incident.step("investigate").is_for("protection_manager", UNIT)
    manager.completes("investigate")
    incident.step("report_to_division").is_for("protection_manager", UNIT)
    manager.completes("report_to_division")
    incident.step("report_to_general").is_for("division_protection_manager", "immigration_control")
    assert "report_to_general" in division.inbox


@pytest.mark.article("ISA-25-3a")
def test_another_units_manager_neither_sees_nor_completes(
    office: Office, incident: Case, other_manager: Official, other_division: Official
) -> None:
    """ほかの課室・ほかの部の管理者には、受信箱にも一覧にも出ず、番号を知っていても処理できない。試みは記録に残る。"""
    for stranger in (other_manager, other_division):
        assert (stranger.inbox, stranger.sees(incident), stranger.notices) == ([], False, [])
        with pytest.raises(TaskNotFound):
            stranger.completes("assess_gravity")
    refused = [row["person"] for row in office.rows("history", tag="attempt.refused")]
    assert refused == [office.person(other_manager.seat), office.person(other_division.seat)]
    incident.waits_at("assess_gravity", "confirm_unknown", "contain_at_once")


@pytest.mark.article("ISA-25-3a")
def test_the_investigation_must_say_what_happened_and_which_data(incident: Case, manager: Official) -> None:
    """何が起きたか、どの情報かが分からないまま、調査を終えることはできない。"""
    incident.goes_on("investigate")
    with pytest.raises(FormInvalid) as refused:
        manager.completes("investigate", item_data="", holds=[])
    assert set(refused.value.fields) == {"item_data", "holds"}
    assert "investigate" in incident.waits


@pytest.mark.article("ISA-25-3a")
def test_what_is_unknown_is_asked_again_every_day(staff: Official, manager: Official) -> None:
    """報告の要否が分からないうちは、確認の処理を日ごとに出し続ける。分かれば消える。"""
    case = staff.reports(sensitive="unknown")
    case.goes_on("investigate")
    manager.completes("confirm_unknown", sensitive="unknown")
    case.waits_at("investigate")
    case.lets_pass(days=1)
    case.waits_at("confirm_unknown", "investigate")
    manager.completes("confirm_unknown", sensitive="unknown")
    manager.does("amend_facts", sensitive="yes", amend_reason="病歴が含まれていた。")
    case.lets_pass(days=2)
    case.waits_at("investigate")
    assert case.facts["appi68"] == "yes"


@pytest.mark.article("ISA-25-3a")
def test_unknown_is_never_no(staff: Official) -> None:
    """不明の事項があるときは、該当しないとは扱わず、期限も仮に進める。"""
    case = staff.reports(sensitive="unknown")
    case.goes_on("investigate")
    assert (case.facts["appi68"], case.facts["unknown"], case.facts["notify"], case.facts["kakuho_days"]) == ("review", [1], "review", 30)
    assert case.due("final_report") == date(2026, 12, 21)


# ---------------------------------------------------------------- 第3項ただし書：特に重大な事案


@pytest.mark.article("ISA-25-3b")
def test_a_grave_case_is_reported_at_once_before_the_investigation(incident: Case, manager: Official, division: Official) -> None:
    """特に重大な事案は、調査を待たずに直ちに部課等保護管理者へ知らせる。知らせても、調査は要る。"""
    manager.completes("contain_at_once")
    manager.completes("assess_gravity", grave=True, grave_reason="生命に関わる。")
    incident.waits_at("contain_further", "investigate", "report_grave")
    incident.step("report_grave").is_due(FRIDAY + timedelta(hours=3))
    manager.completes("report_grave")
    incident.waits_at("contain_further", "investigate", "report_grave_to_general")
    assert division.inbox == ["report_grave_to_general"]


@pytest.mark.article("ISA-25-3b")
def test_the_first_report_does_not_waive_the_investigation(incident: Case, manager: Official) -> None:
    """先に知らせた事案も、調査と調査報告が済むまでは終わらない。"""
    manager.completes("assess_gravity", grave=True, grave_reason="生命に関わる。")
    incident.goes_on(leaving=("investigate",))
    incident.waits_at("investigate")
    incident.goes_on("confirm_closing")
    done = incident.completed()
    assert done.index("receive_grave_report") < done.index("investigate") < done.index("receive_report")
    assert (done.count("report_to_general"), done.count("report_grave_to_general")) == (1, 1)


@pytest.mark.article("ISA-25-3b")
def test_gravity_is_suggested_and_decided_by_the_manager(staff: Official, manager: Official) -> None:
    """画面の目安は参考で、決めるのは保護管理者。どちらに決めても理由を残す。"""
    case = staff.reports(malicious="unknown")
    assert (case.facts["grave_suggested"], case.facts.get("grave")) == ("yes", None)
    for grave in (True, False):
        with pytest.raises(FormInvalid) as refused:
            manager.completes("assess_gravity", grave=grave, grave_reason=None)
        assert set(refused.value.fields) == {"grave_reason"}
    manager.completes("assess_gravity", grave=False, grave_reason="いたずらの形跡は無い。")
    assert "report_grave" not in case.waits


@pytest.mark.article("ISA-25-3b")
@pytest.mark.parametrize(
    "answers",
    [
        {"malicious": "yes"},
        {"malicious": "unknown"},
        {"count": None, "count_max": 150},
        {"count": 101},
        {"ongoing": True},
    ],
    ids=str,
)
def test_what_suggests_gravity(staff: Official, answers: dict[str, object]) -> None:
    """不正の目的（分からないときも）、百人を超える見込み、続いている被害は、特に重大の目安になる。"""
    assert staff.reports(**answers).facts["grave_suggested"] == "yes"


@pytest.mark.article("ISA-25-3b")
def test_one_persons_ordinary_case_is_not_suggested_as_grave(incident: Case) -> None:
    """要配慮個人情報でも、生命や外国の政府などの事情が無ければ、目安は立たない。"""
    assert (incident.facts["grave_suggested"], incident.facts["grave_reasons"]) == ("no", [])


@pytest.mark.article("ISA-25-3b")
def test_gravity_can_be_raised_while_the_investigation_runs(incident: Case, manager: Official) -> None:
    """調査の途中で特に重大と分かれば、いつでも改められ、その時から直ちに第一報が要る。"""
    incident.goes_on("investigate")
    incident.lets_pass(days=4)
    assert "raise_to_grave" in manager.offered
    manager.does("raise_to_grave", grave_reason="今の住所が含まれていた。")
    incident.waits_at("investigate", "report_grave")
    incident.step("report_grave").is_due(TUESDAY + timedelta(hours=3))


@pytest.mark.article("ISA-25-3b")
def test_gravity_is_not_raised_twice_nor_after_the_report(incident: Case, manager: Official) -> None:
    """すでに特に重大な事案や、部課等へ報告した後の事案では、改める操作は出ない。"""
    manager.completes("assess_gravity", grave=True, grave_reason="生命に関わる。")
    with pytest.raises(ActionNotOffered):
        manager.does("raise_to_grave", grave_reason="もう一度")
    later = incident.office.at(f"staff@{UNIT}").reports()
    later.goes_on("report_to_general")
    assert "raise_to_grave" not in manager.offered
    with pytest.raises(ActionNotOffered):
        manager.does("raise_to_grave", grave_reason="遅い")


@pytest.mark.article("ISA-25-3b")
def test_nobody_but_the_manager_raises_gravity(incident: Case, staff: Official, division: Official) -> None:
    """重大と認めるのは、その課室の保護管理者。"""
    incident.lets_pass(hours=3)  # the division was told, so it sees the case
    for official in (staff, division):
        with pytest.raises(ActionNotOffered):
            official.does("raise_to_grave", grave_reason="重大と思う。")
    assert incident.facts.get("grave") is None


# ---------------------------------------------------------------- 第4項：部課等保護管理者から総括保護管理者へ


@pytest.mark.article("ISA-25-4")
def test_the_division_cannot_decline_to_report(incident: Case, division: Official) -> None:
    """部課等保護管理者は、報告を受けたら必ず総括へ報告する。しないという選択肢は画面に無く、報告するまで案件は終わらない。"""
    incident.goes_on("report_to_general")
    assert incident.step("report_to_general").fields == {"division_opinion"}
    assert "ISA-25-4" in incident.step("report_to_general").clauses
    incident.goes_on(leaving=("report_to_general",))
    incident.waits_at("report_to_general")
    incident.lets_pass(days=60)
    incident.waits_at("report_to_general")
    division.completes("report_to_general")
    assert "receive_report" in incident.waits


@pytest.mark.article("ISA-25-4")
def test_a_report_sent_back_still_goes_up(incident: Case, manager: Official, division: Official) -> None:
    """足りない報告は理由を付けて差し戻せる。差戻しは、報告しないことにはならない。"""
    incident.goes_on("report_to_general")
    division.sends_back("report_to_general", "時刻が書かれていない。")
    assert incident.step("report_to_division").row["sent_back_reason"] == "時刻が書かれていない。"
    assert manager.notices[-1] == "task_sent_back"
    incident.goes_on("receive_report")
    assert incident.duties["ISA-25-4"] == "done"


@pytest.mark.article("ISA-25-4")
def test_every_report_received_is_passed_on(incident: Case, manager: Official) -> None:
    """第一報と調査報告のそれぞれについて、総括への報告が要る。"""
    manager.completes("assess_gravity", grave=True, grave_reason="生命に関わる。")
    incident.goes_on("confirm_closing")
    passed = [element for element in incident.completed() if element in ("report_grave_to_general", "report_to_general")]
    assert passed == ["report_grave_to_general", "report_to_general"]


@pytest.mark.article("ISA-25-4")
def test_a_regional_bureau_reports_through_its_own_head(office: Office) -> None:
    """各庁では、支局・出張所の情報も、その局の長が部課等保護管理者として総括へ報告する。"""
    case = office.at("staff@kawasaki").reports(unit="kawasaki")  # 横浜支局の出張所
    case.goes_on("report_to_general")
    case.step("report_to_general").is_for("division_protection_manager", "tokyo")


# ---------------------------------------------------------------- 第5項：総括保護管理者から長官へ


@pytest.mark.article("ISA-25-5")
def test_reporting_to_the_head_is_at_discretion_and_its_refusal_needs_a_reason(incident: Case, general: Official) -> None:
    """長官への報告は、事案の内容等に応じて総括が判断する。しないときは理由を残す。"""
    incident.goes_on("receive_report")
    incident.step("receive_report").is_for("general_protection_manager", "isa")
    with pytest.raises(FormInvalid) as refused:
        general.completes("receive_report", head_report_needed=False, head_report_reason=None)
    assert set(refused.value.fields) == {"head_report_reason"}
    with pytest.raises(FormInvalid) as refused:
        general.completes("receive_report", head_report_needed=None, head_report_reason=None)
    assert set(refused.value.fields) == {"head_report_needed"}
    general.completes("receive_report")
    assert "report_to_commissioner" not in incident.waits


@pytest.mark.article("ISA-25-5")
def test_the_head_receives_what_the_general_manager_reports(incident: Case, general: Official, commissioner: Official) -> None:
    """報告すると決めたら、総括が速やかに長官へ報告し、長官が受領して指示する。"""
    incident.goes_on("receive_report")
    general.completes("receive_report", head_report_needed=True)
    incident.step("report_to_commissioner").is_for("general_protection_manager", "isa")
    assert commissioner.inbox == []
    general.completes("report_to_commissioner")
    assert commissioner.inbox == ["receive_by_commissioner"]
    commissioner.completes("receive_by_commissioner", head_instruction="速やかに再発防止を。")
    assert incident.duties["ISA-25-5"] == "done"


# ---------------------------------------------------------------- 第6項：委員会へ


@pytest.mark.article("ISA-25-6")
def test_the_commission_does_not_wait_for_the_head(incident: Case, general: Official) -> None:
    """委員会への報告は、総括への報告「又は」長官への報告で始まる。長官を待たずに出し終えられる。"""
    incident.goes_on("receive_report")
    general.completes("receive_report", head_report_needed=True)
    incident.waits_at(
        "analyse_by_division",
        "analyse_by_manager",
        "check_article_78",
        "decide_publication",
        "prepare_preliminary",
        "report_to_commissioner",
    )
    incident.goes_on(leaving=("report_to_commissioner",))
    incident.waits_at("report_to_commissioner")
    assert incident.facts["final_submitted_on"] == "2026-11-20"


@pytest.mark.article("ISA-25-6")
def test_a_grave_first_report_starts_the_report_to_the_commission(incident: Case, manager: Official, desk: Official) -> None:
    """特に重大な事案では、調査が終わっていなくても、総括が第一報を受ければ委員会への報告が始まる。"""
    manager.completes("assess_gravity", grave=True, grave_reason="生命に関わる。")
    incident.goes_on("prepare_preliminary", leaving=("investigate",))
    assert "investigate" in incident.waits
    assert desk.inbox == ["prepare_preliminary"]
    incident.step("prepare_preliminary").is_due(end_of_day(date(2026, 11, 24)), statutory=True)


@pytest.mark.article("ISA-25-6")
def test_the_desk_prepares_and_the_general_manager_approves(incident: Case, general: Official, desk: Official) -> None:
    """委員会対応係が作り、総括が承認し、係が提出を受付番号とともに記録する。"""
    incident.goes_on("prepare_preliminary")
    with pytest.raises(NotYourTask):
        general.completes("prepare_preliminary")
    desk.completes("prepare_preliminary")
    incident.step("approve_preliminary").is_for("general_protection_manager", "isa")
    general.sends_back("approve_preliminary", "項目を書き足すこと。")
    desk.completes("prepare_preliminary")
    general.completes("approve_preliminary")
    with pytest.raises(FormInvalid) as refused:
        desk.completes("record_preliminary", preliminary_receipt=None)
    assert set(refused.value.fields) == {"preliminary_receipt"}
    desk.completes("record_preliminary")
    clock = incident.clock("preliminary_report")
    assert clock is not None
    assert clock.state == "met"


@pytest.mark.article("ISA-25-6")
def test_a_case_that_is_not_reportable_goes_on_without_the_commission(staff: Official, desk: Official) -> None:
    """報告の対象でない事案は、委員会への報告なしで進み、期限も立たない。"""
    case = staff.reports(sensitive="no")
    case.goes_on("confirm_closing")
    assert not {element for element in case.completed() if "preliminary" in element or "final" in element}
    assert (case.due("preliminary_report"), case.due("final_report")) == (None, None)
    assert (case.duties["ISA-25-6"], desk.sees(case)) == ("not_applicable", False)


@pytest.mark.article("ISA-25-6")
def test_while_undecided_the_general_manager_judges(staff: Official, general: Official) -> None:
    """該当するか分からないまま総括が報告を受けたら、確かめて判断する処理が総括に届く。決まれば報告が始まる。"""
    case = staff.reports(sensitive="unknown")
    case.goes_on("receive_report")
    general.completes("receive_report")
    case.step("judge_applicability").is_for("general_protection_manager", "isa")
    general.completes("judge_applicability", sensitive="unknown")
    assert "judge_applicability" in case.waits
    general.completes("judge_applicability", sensitive="yes")
    assert "prepare_preliminary" in case.waits


@pytest.mark.article("ISA-25-6")
def test_facts_that_settle_the_question_take_the_judgment_away(staff: Official, manager: Official) -> None:
    """判断を待つ間に事実が分かれば、判断の処理は要らなくなり、報告に進む。"""
    case = staff.reports(sensitive="unknown")
    case.goes_on("judge_applicability")
    manager.does("amend_facts", sensitive="yes", amend_reason="病歴が含まれていた。")
    assert "judge_applicability" not in case.waits
    assert "prepare_preliminary" in case.waits


@pytest.mark.article("ISA-25-6")
@pytest.mark.parametrize("held", ["anon", "deleted_info", "method_info"])
def test_anonymised_information_in_the_wide_sense_goes_to_the_commission_without_a_thirty_day_clock(
    staff: Official, general: Official, held: str
) -> None:
    """匿名加工情報「等」（削除情報・加工方法を含む広い方）は、直ちに報告する。法令の30日の期限は無い。"""
    case = staff.reports(holds=[held], sensitive="no", recovered_unseen=None)
    case.goes_on("report_anonymised")
    assert (case.facts["appi68"], case.facts["isa25_6"]) == ("no", "yes")
    assert (case.due("preliminary_report"), case.due("final_report")) == (None, None)
    case.step("report_anonymised").is_for("general_protection_manager", "isa")
    assert case.step("report_anonymised").row["statutory"] is False
    general.completes("report_anonymised")
    assert case.duties["ISA-25-6"] == "done"


@pytest.mark.article("MN-29-4")
def test_one_my_number_from_the_immigration_system_is_reported_though_article_25_is_silent(staff: Official, manager: Official) -> None:
    """番号を扱うシステムから一人分でも漏れれば、規程第25条第6項に当たらなくても、番号法により委員会へ報告する。"""
    case = staff.reports(holds=["pi", "mynumber"], sensitive="no")
    manager.does("amend_facts", mn_system="ロ", amend_reason="基幹の業務システムの情報である。")
    case.goes_on("prepare_preliminary")
    assert (case.facts["isa25_6"], case.facts["mn294"], case.facts["commission_duty"]) == ("no", "yes", "yes")
    case.goes_on("confirm_closing")
    assert (case.duties["MN-29-4"], case.duties["ISA-25-6"], case.duties["LAW-68-1"]) == ("done", "not_applicable", "not_applicable")


# ---------------------------------------------------------------- 速報・確報の日、追完、取下げ


@pytest.mark.article("RULE-44")
def test_thirty_days_count_from_the_day_of_knowledge_and_end_on_an_open_day(incident: Case) -> None:
    """知った日を1日目として30日。末日が土曜なら、次の開庁日まで。速報の目安は休日でも動かない。"""
    assert incident.due("preliminary_report") == date(2026, 11, 24)
    assert incident.due("final_report") == date(2026, 12, 21)


@pytest.mark.article("RULE-44")
def test_a_bad_purpose_makes_it_sixty_days_and_back_with_a_record_each_time(incident: Case, manager: Official) -> None:
    """不正の目的のおそれが分かれば60日、無いと分かれば30日に戻る。黙って延びも縮みもせず、そのつど記録が残る。"""
    incident.goes_on("prepare_final")
    incident.step("prepare_final").is_due(end_of_day(date(2026, 12, 21)), statutory=True)
    manager.does("amend_facts", malicious="yes", amend_reason="持ち出した形跡があった。")
    assert (incident.facts["kakuho_days"], incident.due("final_report")) == (60, date(2027, 1, 18))
    incident.step("prepare_final").is_due(end_of_day(date(2027, 1, 18)), statutory=True)
    manager.does("amend_facts", malicious="no", amend_reason="持ち出しではなかった。")
    assert incident.due("final_report") == date(2026, 12, 21)
    changed = [
        (row["from"]["days"], row["days"], "malicious" in row["because"])
        for row in incident.data("clock.changed")
        if row["clock"] == "final_report"
    ]
    assert changed == [(30, 60, True), (60, 30, True)]


@pytest.mark.article("RULE-43")
def test_the_hundred_and_first_person_opens_the_duty_from_the_day_of_knowledge(staff: Official, manager: Official) -> None:
    """ちょうど100人は当たらない。101人と分かれば当たり、期限は初めに知った日から数える。"""
    case = staff.reports(sensitive="no", count=100)
    case.goes_on("confirm_closing")
    assert (case.facts["appi68"], case.due("final_report")) == ("no", None)
    case.lets_pass(days=3)
    manager.does("amend_facts", count=101, amend_reason="名簿をもう一枚見付けた。")
    assert (case.facts["appi68"], case.facts["rule43"], case.due("final_report")) == ("yes", [4], date(2026, 12, 21))
    case.waits_at("check_article_78", "prepare_preliminary")


@pytest.mark.article("ISA-25-6")
def test_a_duty_that_arises_late_reaches_the_desk_at_once(staff: Official, manager: Official) -> None:
    """総括が調査報告を受けた後に義務が生じても、ほかの処理が済むのを待たず、直ちに速報の作成が届く。"""
    case = staff.reports(sensitive="no", count=100)
    case.goes_on(leaving=("analyse_by_division",))
    case.waits_at("analyse_by_division")
    manager.does("amend_facts", count=101, amend_reason="名簿をもう一枚見付けた。")
    assert {"analyse_by_division", "prepare_preliminary", "check_article_78"} <= set(case.waits)


@pytest.mark.article("RULE-44")
def test_nine_items_at_once_make_one_submission_both_reports(incident: Case, desk: Official) -> None:
    """九つの事項がそろっていれば、速報が確報を兼ねる。そろっていなければ、兼ねるとは答えられない。"""
    incident.goes_on("record_preliminary")
    assert incident.facts.get("item_cause") is None
    desk.completes("record_preliminary", report_is_final=True)
    assert "prepare_final" in incident.waits
    whole = incident.office.at(f"staff@{UNIT}").reports()
    items = dict.fromkeys(
        ("item_data", "item_cause", "item_secondary_harm", "item_response", "item_publication", "item_prevention", "item_other"), "書いた"
    )
    whole.goes_on("record_preliminary", prepare_preliminary=items)
    desk.completes("record_preliminary", report_is_final=True)
    assert "prepare_final" not in whole.waits
    assert [whole.clock(name).state for name in ("preliminary_report", "final_report")] == ["met", "met"]  # type: ignore[union-attr]


@pytest.mark.article("RULE-44")
def test_missing_items_are_supplemented_until_none_is_missing(incident: Case, desk: Official) -> None:
    """確報までに分からない事項は、分かっているものを出し、残りを追完する。足りないうちは終わらない。"""
    incident.goes_on("record_final")
    desk.completes("record_final", items_missing=True)
    desk.completes("supplement", supplemented_on="@today", items_missing=True)
    assert "supplement" in incident.waits
    incident.goes_on(leaving=("supplement",))
    incident.waits_at("supplement")
    desk.completes("supplement", supplemented_on="@today", items_missing=False)
    incident.waits_at("confirm_closing")


@pytest.mark.article("RULE-44")
def test_the_week_the_days_and_the_end_of_the_limit_are_told(
    incident: Case, desk: Official, general: Official, commissioner: Official
) -> None:
    """確報の期限は7日前・3日前・1日前・当日に知らせ、過ぎれば総括と長官に知らせる。"""
    incident.goes_on("prepare_final")
    incident.lets_pass(days=31)
    warned = [(row["at"].astimezone(JST).date(), row["data"]["clock"]) for row in incident.office.history(incident.id, "clock.warned")]
    days = [date(2026, 12, 14), date(2026, 12, 18), date(2026, 12, 20), date(2026, 12, 21)]
    assert [day for day, clock in warned if clock == "final_report"] == days
    assert "clock_overdue" not in commissioner.notices
    incident.lets_pass(days=1)
    assert "clock_overdue" in commissioner.notices
    assert "clock_overdue" in general.notices
    assert "clock_overdue" in desk.notices
    assert "prepare_final" in incident.waits


@pytest.mark.article("LAW-68-1")
def test_a_submitted_report_is_withdrawn_when_the_facts_turn_out_otherwise(incident: Case, manager: Official, desk: Official) -> None:
    """提出した後に対象でないと分かれば、委員会に取下げを連絡する。期限は止まり、本人への通知の義務も無くなる。"""
    incident.goes_on("prepare_final", leaving=("check_article_78",))
    manager.does("amend_facts", recovered_unseen="yes", amend_reason="誰も開けていないことが確かめられた。")
    assert "prepare_final" not in incident.waits
    incident.step("withdraw_report").is_for("commission_desk", "isa")
    assert incident.due("final_report") is None
    with pytest.raises(FormInvalid) as refused:
        desk.completes("withdraw_report", withdrawn_on="@today")
    assert set(refused.value.fields) == {"withdraw_reason"}
    desk.completes("withdraw_report", withdrawn_on="@today", withdraw_reason="漏えいに当たらない。")
    incident.goes_on("confirm_closing")
    assert "notify_person" not in incident.completed()


@pytest.mark.article("LAW-68-1")
def test_a_report_not_yet_submitted_simply_ends(incident: Case, manager: Official) -> None:
    """提出する前に対象でないと分かれば、作りかけの報告は要らなくなる。取下げの連絡も要らない。"""
    incident.goes_on("prepare_preliminary")
    manager.does("amend_facts", recovered_unseen="yes", amend_reason="誰も開けていないことが確かめられた。")
    assert not {"prepare_preliminary", "withdraw_report"} & set(incident.waits)


@pytest.mark.article("LAW-68-1")
def test_a_duty_that_comes_back_is_reported_again(incident: Case, manager: Official, desk: Official) -> None:
    """取り下げた後にやはり対象と分かれば、もう一度報告する。期限は初めに知った日から数える。"""
    incident.goes_on("prepare_final")
    manager.does("amend_facts", recovered_unseen="yes", amend_reason="誰も開けていないとのこと。")
    desk.completes("withdraw_report", withdrawn_on="@today", withdraw_reason="漏えいに当たらない。")
    manager.does("amend_facts", recovered_unseen="no", amend_reason="やはり開けられていた。")
    assert "prepare_preliminary" in incident.waits
    assert incident.due("final_report") == date(2026, 12, 21)
    incident.goes_on("confirm_closing")


# ---------------------------------------------------------------- 第7項：原因の分析と再発防止


@pytest.mark.article("ISA-25-7")
def test_cause_and_prevention_are_done_by_both_managers(incident: Case, manager: Official, division: Official) -> None:
    """原因の分析と再発防止は、部課等保護管理者と保護管理者が共に行う。一人では済まない。"""
    incident.goes_on("analyse_by_manager")
    incident.step("analyse_by_manager").is_for("protection_manager", UNIT)
    incident.step("analyse_by_division").is_for("division_protection_manager", "immigration_control")
    with pytest.raises(NotYourTask):
        manager.completes("analyse_by_division")
    with pytest.raises(NotYourTask):
        division.completes("analyse_by_manager")
    incident.goes_on(leaving=("analyse_by_division",))
    incident.waits_at("analyse_by_division")
    with pytest.raises(FormInvalid) as refused:
        division.completes("analyse_by_division", measures=[])
    assert set(refused.value.fields) == {"measures"}


# ---------------------------------------------------------------- 第8項・第9項：匿名加工情報（狭い方）


@pytest.mark.article("ISA-25-8")
def test_measures_are_reported_at_once_where_anonymised_information_itself_is_concerned(staff: Official, division: Official) -> None:
    """行政機関等匿名加工情報そのものの事案では、再発防止の措置を部課等から総括へ直ちに報告する。"""
    case = staff.reports(holds=["anon"], sensitive="no")
    case.goes_on("report_measures")
    case.step("report_measures").is_for("division_protection_manager", "immigration_control")
    assert case.facts["isa25_8"] == "yes"


@pytest.mark.article("ISA-25-9")
def test_the_general_manager_reports_those_measures_to_the_commission(staff: Official, division: Official, general: Official) -> None:
    """その報告を受けた総括は、措置の内容を直ちに委員会へ報告する。足りなければ差し戻せる。"""
    case = staff.reports(holds=["anon"], sensitive="no")
    case.goes_on("report_measures_to_commission")
    case.step("report_measures_to_commission").is_for("general_protection_manager", "isa")
    general.sends_back("report_measures_to_commission", "措置の日が無い。")
    division.completes("report_measures", measures_note="11月24日に改めた。")
    case.goes_on("confirm_closing")
    assert (case.duties["ISA-25-8"], case.duties["ISA-25-9"]) == ("done", "done")


@pytest.mark.article("ISA-25-8")
@pytest.mark.parametrize("held", ["deleted_info", "method_info"])
def test_deleted_information_alone_asks_only_for_a_voluntary_report(staff: Official, general: Official, held: str) -> None:
    """削除情報や加工方法だけの事案に、第8項・第9項は及ばない（「等」が無い）。任意に報告するかを総括が決める。"""
    case = staff.reports(holds=[held], sensitive="no")
    case.goes_on("report_measures_voluntarily")
    assert (case.facts["isa25_8"], case.facts["isa26_2"]) == ("no", "yes")
    with pytest.raises(FormInvalid) as refused:
        general.completes("report_measures_voluntarily", voluntary_report=False, voluntary_reported_on=None)
    assert set(refused.value.fields) == {"voluntary_reason"}
    case.goes_on("confirm_closing")
    assert "report_measures" not in case.completed()
    assert case.duties["ISA-25-8"] == "not_applicable"


@pytest.mark.article("ISA-25-8")
def test_an_ordinary_leak_needs_no_report_of_measures(incident: Case) -> None:
    """匿名加工情報が関わらない事案では、措置の報告は要らない。"""
    incident.goes_on("confirm_closing")
    assert not {element for element in incident.completed() if "measures" in element}


# ---------------------------------------------------------------- 委託先


@pytest.mark.article("ISA-24-1")
def test_a_contractors_part_is_asked_about_by_the_contract_officer(office: Office, staff: Official) -> None:
    """委託先が関わるときは、契約を担当する職員が、契約の条項を確かめ、委託先に九つの事項を尋ねる。後で分かったときも同じ。"""
    case = staff.reports(contractor=True)
    case.step("confirm_contractor_duty").is_for("contract_officer", "isa")
    later = staff.reports()
    later.goes_on("investigate")
    assert "confirm_contractor_duty" not in later.waits
    office.at(f"protection_manager@{UNIT}").does("amend_facts", contractor=True, amend_reason="委託先の端末であった。")
    assert "confirm_contractor_duty" in later.waits


@pytest.mark.article("ISA-24-1")
def test_a_contractor_found_out_after_the_report_is_still_asked(staff: Official, manager: Official) -> None:
    """総括が調査報告を受けた後に委託先の関わりが分かっても、ほかの処理が続く間は、契約を担当する職員に届く。"""
    case = staff.reports(sensitive="no", count=100)
    case.goes_on(leaving=("analyse_by_division",))
    manager.does("amend_facts", contractor=True, amend_reason="委託先の端末であった。")
    case.waits_at("analyse_by_division", "confirm_contractor_duty")


# ---------------------------------------------------------------- 終わり方


@pytest.mark.article("ISA-3-2")
def test_a_case_closes_when_every_opened_duty_has_its_record(incident: Case, general: Official) -> None:
    """開いた義務のすべてに記録がそろって、初めて総括に終結の確認が届く。"""
    incident.goes_on("confirm_closing")
    incident.waits_at("confirm_closing")
    incident.step("confirm_closing").is_for("general_protection_manager", "isa")
    assert set(incident.duties.values()) == {"done", "not_applicable"}
    general.completes("confirm_closing")
    incident.waits_at()
    assert incident.outcome == "終結"


@pytest.mark.article("ISA-3-2")
def test_closing_is_refused_while_a_duty_has_no_record(office: Office, incident: Case, tmp_path: Path) -> None:
    """記録の無い義務があるうちは、終結できない。断ったことも記録に残る（細目で義務を足したときも同じ）。"""
    incident.goes_on("confirm_closing")
    shutil.copytree(ROOT / "bpmn", tmp_path / "bpmn")
    rules = tmp_path / "bpmn" / "isa" / "rules.toml"
    more = '\n[[duty]]\nclause = "ISA-29"\nname = "措置の見直し"\nrecorded_by = ["ISA-29"]\nprocesses = ["isa_incident"]\nvalid_from = 2022-04-01\n'
    rules.write_text(
        rules.read_text("utf-8").replace("\n# ================================================================ 閲覧", more + "\n# 閲覧", 1),
        "utf-8",
    )
    before = office.engine
    office.engine = make_engine(str(before.database.url), office.clock, isa=True, bpmn=tmp_path / "bpmn")
    try:
        with pytest.raises(ClosingNotReady, match="措置の見直し"):
            office.at("general_protection_manager@isa").completes("confirm_closing")
        incident.waits_at("confirm_closing")
        assert incident.outcome is None
    finally:
        office.engine.close()
        office.engine = before
    assert [row["data"] for row in office.rows("history", tag="attempt.refused") if "ClosingNotReady" in row["data"]]


@pytest.mark.article("ISA-3-2")
def test_a_duty_that_arises_at_the_last_moment_reopens_the_work(incident: Case, manager: Official) -> None:
    """終結の確認を待つ間に新しい義務が生じたら、確認は引っ込み、その義務の処理が届く。済めばまた確認に戻る。"""
    incident.goes_on("confirm_closing")
    manager.does("amend_facts", holds=["pi", "anon"], amend_reason="匿名加工情報も含まれていた。")
    assert "confirm_closing" not in incident.waits
    incident.goes_on("confirm_closing")
    assert {"report_measures", "report_measures_to_commission", "report_response_to_commission"} <= set(incident.completed())
    assert set(incident.duties.values()) == {"done", "not_applicable"}


@pytest.mark.article("LAW-68-1")
def test_a_second_law_that_applies_after_the_report_can_still_be_fulfilled(staff: Official, manager: Official) -> None:
    """番号法だけで報告した後に、要配慮個人情報も含まれると分かったら、個人情報保護法の報告も記録して、終結できる。"""
    case = staff.reports(holds=["pi", "mynumber"], sensitive="no")
    manager.does("amend_facts", mn_system="ロ", amend_reason="基幹の業務システムの情報である。")
    case.goes_on("confirm_closing")
    manager.does("amend_facts", sensitive="yes", amend_reason="病歴が含まれていた。")
    case.goes_on()
    assert case.outcome == "終結"
    assert (case.duties["LAW-68-1"], case.duties["ISA-25-6"], case.duties["MN-29-4"]) == ("done", "done", "done")


@pytest.mark.article("LAW-68-2")
def test_who_was_told_of_free_will_is_not_stuck_when_the_law_asks_for_it(staff: Official, manager: Official, general: Official) -> None:
    """義務の無いうちに本人に知らせた後で通知の義務が生じても、知らせた記録がその義務に当たるか、改めて記録して、終結できる。"""
    case = staff.reports(sensitive="no")
    case.goes_on("decide_response")
    general.completes("decide_response", respond_to_persons=True, respond_reason=None)
    case.goes_on("confirm_closing")
    manager.does("amend_facts", sensitive="yes", amend_reason="病歴が含まれていた。")
    case.goes_on()
    assert case.outcome == "終結"
    assert case.duties["LAW-68-2"] == "done"


@pytest.mark.article("ISA-25-4")
def test_what_is_not_an_incident_is_closed_by_the_division_with_a_reason(incident: Case, manager: Official, division: Official) -> None:
    """事案に当たらないと分かれば、部課等保護管理者が理由を残して終える。保護管理者だけでは終えられない。"""
    incident.lets_pass(hours=3)
    with pytest.raises(ActionNotOffered):
        manager.does("close_as_not_incident", not_incident_reason="勘違い")
    with pytest.raises(FormInvalid) as refused:
        division.does("close_as_not_incident")
    assert set(refused.value.fields) == {"not_incident_reason"}
    division.does("close_as_not_incident", not_incident_reason="書類は鍵付きの棚の中にあった。")
    incident.waits_at()
    assert incident.outcome == "事案に該当せず"
    assert manager.inbox == []
    with pytest.raises(CaseClosed):
        division.does("close_as_not_incident", not_incident_reason="もう一度")


@pytest.mark.article("ISA-25-6")
def test_another_bodys_case_is_handed_over_by_the_general_manager(incident: Case, division: Official, general: Official) -> None:
    """ほかの機関の情報であれば、総括が移送先と理由を残して移送する。"""
    incident.goes_on("receive_report")
    with pytest.raises(ActionNotOffered):
        division.does("hand_over", handed_over_to="他省", hand_over_reason="理由")
    general.does("hand_over", handed_over_to="法務省矯正局", hand_over_reason="矯正施設が管理する情報であった。")
    incident.waits_at()
    assert incident.outcome == "他機関へ移送"


@pytest.mark.article("ISA-25-1")
def test_a_report_cannot_be_taken_back(incident: Case, office: Office, staff: Official) -> None:
    """漏えい等の報告は取り下げられない。間違いであっても、判断して終える。"""
    with pytest.raises(WithdrawNotAllowed), office.acting(staff.seat) as work:
        work.withdraw(incident.id, "勘違い")
    assert incident.outcome is None


# ---------------------------------------------------------------- 記録


@pytest.mark.article("ISA-25-1")
def test_every_act_is_recorded_with_person_seat_clause_and_version(office: Office, incident: Case) -> None:
    """どの行いにも、いつ・誰が・どの役で・どの条項の下で・どの版の図で行ったかが残る。"""
    incident.goes_on()
    assert incident.outcome == "終結"
    rows = [row for row in office.history(incident.id) if row["tag"] in ("case.started", "task.completed")]
    assert len(rows) > 15
    for row in rows:
        assert row["person"] == office.person(row["seat"])
        assert row["definition"] is not None
    clauses = {row["node"].rsplit("/", 1)[-1]: set((row["clause"] or "").split(",")) for row in rows}
    assert clauses["learn_of_incident"] == {"ISA-25-1"}
    assert clauses["contain_at_once"] == clauses["contain_further"] == {"ISA-25-2"}
    assert clauses["report_to_division"] == {"ISA-25-3a"}
    assert clauses["report_to_general"] == {"ISA-25-4"}
    assert clauses["analyse_by_manager"] == clauses["analyse_by_division"] == {"ISA-25-7"}
    assert {"ISA-25-6", "LAW-68-1"} <= clauses["record_preliminary"] & clauses["record_final"]
    assert incident.duties["MN-29-4"] == "not_applicable"  # one submission serves several laws, where they apply


@pytest.mark.article("ISA-9-2")
def test_the_audit_officer_sees_every_case_and_acts_in_none(incident: Case, auditor: Official) -> None:
    """監査責任者は、すべての案件を見る。書込みはしない。"""
    assert auditor.sees(incident)
    assert (auditor.inbox, auditor.offered, auditor.notices) == ([], [], [])
    with pytest.raises(NotYourTask):
        auditor.completes("contain_at_once")
