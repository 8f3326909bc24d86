"""再委託の承認（規程第24条、評価書 Ⅱ4・Ⅲ4、番号法第10条）：庁が承認した再委託だけを、確かめてから始めさせ、終わりまで見る。"""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import date, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from engine import (
    JST,
    ActionNotOffered,
    CaseNotFound,
    FormInvalid,
    NotAllowed,
    NotYourTask,
    SamePerson,
    TaskNotFound,
    WithdrawNotAllowed,
    civil_day,
)
from tests.process.conftest import Case, Office, Official
from webui import demo

UNIT = "information_systems"  # 情報システム管理室, in 総務課
OFFICER, MANAGER, DIVISION = "contract_officer@isa", f"protection_manager@{UNIT}", "division_protection_manager@general_affairs"
AUTHORITY, GENERAL = "contract_authority@isa", "general_protection_manager@isa"
SCENARIOS = Path(__file__).parents[2] / "bpmn" / "isa" / "scenarios"
SIX = ("clause_secrecy", "clause_no_carry_out", "clause_no_other_use", "clause_no_copy", "clause_no_leak", "clause_inspection")
CONTRACT_ENDS, EXPIRES = "2029-03-31", "2028-03-31"

#: An application for a part of the maintenance of IMS that touches personal information and no My Number.
MAINTENANCE: Mapping[str, Any] = {
    "item": "ims_maintenance",
    "title": "IMS運用保守の監視作業の再委託",
    "owning_unit": UNIT,
    "contract_number": "契2026-014",
    "contract_ends_on": CONTRACT_ENDS,
    "contractor": "運用保守の委託先",
    "subcontractor": "監視作業の再委託先",
    "subsidiary": False,
    "tier": 1,
    "scope": "夜間の監視",
    "contains": ["pi"],
    "foreign": False,
    "safety_evidence": "情報セキュリティの認証の写しを添付した。",
}
#: What an application for the registration work says instead of showing evidence.
REGISTRATION: Mapping[str, Any] = {
    **{name: value for name, value in MAINTENANCE.items() if name != "safety_evidence"},
    "item": "ims_registration",
    "contains": ["pi", "mynumber_use"],
    "necessity": "繁忙の時期に人手が足りない。",
    "amount": 12_000_000,
    "capability": "同じ業務の実績が三年ある。",
    "structure_chart": "履行体制図.pdf",
}
#: What a second tier says besides.
SECOND: Mapping[str, Any] = {"tier": 2, "parent_approval": "承R8-0001", "intermediate": "監視作業の再委託先"}

#: What is answered when a test is about something else, in the order in which an application is worked off.
ANSWERS: Mapping[str, Mapping[str, Any]] = {
    "check_application": {
        "core_part": False, "prohibited": False, "parent_confirmed": True, "copy_told_on": "@today", "application_check": "complete",
    },
    "confirm_flow_down": {"measures_flowed_down": "yes", **dict.fromkeys(SIX, "yes"), "flow_down": "confirmed"},
    "check_management": {"management_method": "document", "management_note": "管理の体制の書面を見た。", "management": "adequate"},
    "check_foreign": {"foreign_system": "個人情報を守る法律がある。", "foreign_note": "鍵は庁が持つ。", "foreign_measures": "adequate"},
    "confirm_mynumber_safety": {"mynumber_note": "取扱いの区域と記録を確かめた。", "mynumber_safety": "equal"},
    "decide": {"decision": "approve", "approval_expires_on": EXPIRES, "decision_reason": "確認がそろった。"},
    "notify_result": {"notified_on": "@today", "result_copy_on": "@today"},
    "submit_contract": {"contract_copy": "contract", "contract_dated_on": "@today", "contract_copy_note": "契約書の写し.pdf"},
    "receive_contract": {"contract_received_on": "@today", "clauses_in_contract": "yes", "conditions_in_contract": "yes"},
    "report_return": {"returned_on": "@today", "return_method": ["erased"], "return_report": "監視の記録をすべて消した。"},
    "confirm_return": {"return_check": "document", "all_returned": "yes"},
}  # fmt: skip


class Application(Case):
    """One application with what becomes of it."""

    def is_worked_off(self, to: str | None = None, **answers: Mapping[str, Any]) -> None:
        """Go on with the usual answers until a step waits, or until nothing but time is waited for."""
        for _ in range(30):
            waits = self.waits
            if to is not None and to in waits:
                return
            element = next((one for one in ANSWERS if one in waits), None)
            if element is None:
                break
            self.step_done(element, **answers.get(element, {}))
        assert to is None, f"{to} is not reached; {self.waits}"

    def step_done(self, element: str, **answers: Any) -> None:
        """Whoever the step is for completes it, as usual except for what is named; what the form does not show is left out."""
        step = self.step(element)
        given = {
            name: value for name, value in {**ANSWERS.get(element, {}), **answers}.items() if name in step.fields and value is not None
        }
        self.office.at(step.row["seat"]).completes(element, case=self, **given)

    def entry(self, ledger: str) -> dict[str, Any]:
        """The newest revision of the case's entry in a ledger, its columns beside its state."""
        row = self.office.rows("ledger_entry", case_id=self.id, ledger=ledger)[-1]
        return {"state": row["state"], "closed": bool(row["closed"]), "kept_until": row["kept_until"], **json.loads(row["content"])}

    def states(self, ledger: str) -> list[str]:
        """The states its entry in a ledger has had, in order."""
        return [row["state"] for row in self.office.rows("ledger_entry", case_id=self.id, ledger=ledger)]

    @property
    def incidents(self) -> list[Case]:
        """The incidents that it has begun."""
        return [Case(self.office, row["other_id"]) for row in self.office.rows("case_link", case_id=self.id, kind="started")]


class Agency(Office):
    """The agency as contractors apply to it."""

    def receives(self, application: Mapping[str, Any] = MAINTENANCE, **answers: Any) -> Application:
        """The officer enters an application on the contractor's behalf; None leaves an answer out."""
        given = {name: value for name, value in {**application, **answers}.items() if value is not None}
        with self.acting(OFFICER) as work:
            number = work.start("isa_resubcontract", self.said(given))
        self.run()
        self.current = made = Application(self, number)
        return made

    def approves(
        self, application: Mapping[str, Any] = MAINTENANCE, *, decided: Mapping[str, Any] | None = None, **answers: Any
    ) -> Application:
        """An application that has been approved, and of which the contractor has been told."""
        made = self.receives(application, **answers)
        made.is_worked_off("submit_contract", decide=decided or {})
        return made

    def lets_begin(self, application: Mapping[str, Any] = MAINTENANCE, **answers: Any) -> Application:
        """An approved one whose work has begun."""
        made = self.approves(application, **answers)
        made.is_worked_off()
        return made

    def opens_link(self, **what: Any) -> str:
        """The contractor opens a link that the officer has just handed out; its session."""
        made = self.engine.outside.issue(self.viewer(OFFICER), party="登録業務の委託先", days=14, **what)
        return self.engine.outside.enter(made.url.rpartition("/")[2])

    def is_away(self, person: str, days: int = 3) -> None:
        """The administrator registers an absence from today on."""
        today = civil_day(self.clock.now())
        self.engine.personnel.register_absence(self.viewer("administrator@isa"), person, today, today + timedelta(days=days), "sick")
        self.run()


@pytest.fixture
def office(office: Office) -> Agency:
    """The office of conftest, with the sentences about contractors: its officials too act in it."""
    return Agency(office.engine, office.clock, "isa")


@pytest.fixture
def agency(office: Agency) -> Agency:
    """The agency receiving applications."""
    return office


@pytest.fixture
def officer(agency: Agency) -> Official:
    """契約を担当する職員."""
    return agency.at(OFFICER)


@pytest.fixture
def manager(agency: Agency) -> Official:
    """保護管理者 of 情報システム管理室."""
    return agency.at(MANAGER)


@pytest.fixture
def division(agency: Agency) -> Official:
    """部課等保護管理者 of 総務課."""
    return agency.at(DIVISION)


@pytest.fixture
def authority(agency: Agency) -> Official:
    """契約の決裁者."""
    return agency.at(AUTHORITY)


@pytest.fixture
def application(agency: Agency) -> Application:
    """An application for a part of the maintenance of IMS, just received."""
    return agency.receives()


def refused_for(error: pytest.ExceptionInfo[FormInvalid]) -> set[str]:
    """The fields that a form was refused for."""
    return set(error.value.fields)


# ---------------------------------------------------------------- 申請：委託している業務ごとの書類（評価書 Ⅱ4）


@pytest.mark.article("P-Ⅱ4-1⑧", "P-Ⅱ4-2⑧")
@pytest.mark.parametrize("item", ["ims_maintenance", "ras_maintenance"])
def test_maintenance_is_applied_for_with_evidence_of_safety(agency: Agency, item: str) -> None:
    """運用保守の再委託は、安全管理措置の証跡を付けて申請する。履行能力や予定金額の欄は無い。"""
    media = {"media_handover": False} if item == "ras_maintenance" else {}
    with pytest.raises(FormInvalid) as refused:
        agency.receives(item=item, safety_evidence=None, **media)
    assert refused_for(refused) == {"safety_evidence"}
    application = agency.receives(item=item, capability="ある", amount=1, structure_chart="図", **media)
    application.waits_at("check_application")
    assert {application.facts.get(name) for name in ("capability", "amount", "structure_chart", "necessity")} == {None}


@pytest.mark.article("P-Ⅱ4-3⑧")
def test_registration_is_applied_for_with_need_amount_capability_and_structure(agency: Agency) -> None:
    """個人番号登録業務の再委託は、範囲・必要性・予定金額・履行能力の申請書と履行体制図で申請する。"""
    asked = ("necessity", "amount", "capability", "structure_chart")
    with pytest.raises(FormInvalid) as refused:
        agency.receives(REGISTRATION, scope=None, **dict.fromkeys(asked))
    assert refused_for(refused) == {"scope", *asked}
    application = agency.receives(REGISTRATION, safety_evidence="要らない欄")
    application.waits_at("check_application")
    assert application.facts.get("safety_evidence") is None


@pytest.mark.article("P-Ⅱ4-2④", "P-Ⅱ4-1④/3④")
def test_media_are_handed_over_for_ras_alone(agency: Agency) -> None:
    """媒体の受渡しを申し出られるのはRASだけ。IMSの申請に書いても、受け付けない。"""
    assert agency.receives(item="ras_maintenance", media_handover=True).facts["media_handover"] is True
    assert agency.receives(media_handover=True).facts.get("media_handover") is None


@pytest.mark.article("P-Ⅱ4-1⑧")
def test_an_application_has_a_number_and_tells_nobody_a_name(agency: Agency, application: Application) -> None:
    """申請には番号が付き、件名で呼ばれる。会社の名前は一覧に出ない。法令の報告の期限は動かない。"""
    row = agency.case(application.id)
    assert (row["number"], row["title"]) == ("再R8-0001", "IMS運用保守の監視作業の再委託")
    assert agency.rows("statutory_clock", case_id=application.id) == []
    application.step("check_application").is_for("contract_officer", "isa")


@pytest.mark.article("P-Ⅱ4-1⑧")
def test_an_application_can_be_taken_back_until_others_look_at_it(agency: Agency, application: Application) -> None:
    """申請は、ほかの人が審査を始めるまで取り下げられる。始めた後は取り下げられない。"""
    application.step_done("check_application")
    application.step_done("check_management")
    with pytest.raises(WithdrawNotAllowed), agency.acting(OFFICER) as work:
        work.withdraw(application.id, "申請を見合わせる。")
    other = agency.receives()
    with agency.acting(OFFICER) as work:
        work.withdraw(other.id, "申請を見合わせる。")
    assert agency.case(other.id)["state"] == "withdrawn"


@pytest.mark.article("P-Ⅱ4-1⑧")
def test_a_contractor_that_changes_its_mind_is_believed_until_the_decision(
    agency: Agency, application: Application, officer: Official, manager: Official
) -> None:
    """諾否が決まるまでは、契約担当が取下げの申し出を記録して終わらせられる。決まった後や、ほかの役には、その操作は無い。"""
    application.is_worked_off("decide")
    with pytest.raises(ActionNotOffered):
        manager.does("take_back_application", take_back_reason="理由")
    with pytest.raises(FormInvalid):
        officer.does("take_back_application")
    officer.does("take_back_application", take_back_reason="自ら行うことにした。")
    assert (application.outcome, application.waits, agency.rows("ledger_entry", case_id=application.id)) == ("取下げ", [], [])
    with pytest.raises(ActionNotOffered):
        officer.does("take_back_application", case=agency.approves(), take_back_reason="理由")


@pytest.mark.article("P-Ⅱ4-1⑧")
def test_applications_are_entered_by_the_contract_desk_alone(agency: Agency) -> None:
    """申請を入力するのは契約担当で、課室の職員や保護管理者は入力できない。"""
    for seat in (MANAGER, f"staff@{UNIT}"):
        with pytest.raises(NotAllowed), agency.acting(seat) as work:
            work.start("isa_resubcontract", dict(MAINTENANCE))
    assert agency.rows("case_file") == []


@pytest.mark.article("P-Ⅱ4-3⑧", "P-Ⅲ4-再委託", "P-Ⅲ4-返却")
def test_the_contractor_sends_its_part_through_links_of_its_own(agency: Agency, officer: Official, authority: Official) -> None:
    """委託先は、入力用のリンクから、申請、補正、契約の写し、返却の報告を自ら送れる。足りないところと条件は、その画面で知らされる。"""
    desk = agency.engine.outside
    session = agency.opens_link(process_id="isa_resubcontract")
    desk.start(session, dict(REGISTRATION))
    application = Application(agency, agency.rows("outside_link")[-1]["case_id"])
    agency.current = application
    assert application.facts["reporter"].startswith("link:")
    officer.completes("check_application", application_check="incomplete", shortcoming="体制図に責任者がありません。")

    [step] = desk.thread(session).steps
    told = {field.id: field.value for field in desk.form(session, step.task_id).fields if field.readonly}
    assert (step.name, told) == ("申請の補正", {"shortcoming": "体制図に責任者がありません。"})
    desk.complete(session, step.task_id, {"amendment": "責任者を書いた。", "structure_chart": "履行体制図（改）.pdf"})
    assert (application.facts["version_no"], application.facts["structure_chart"]) == (2, "履行体制図（改）.pdf")
    application.is_worked_off("notify_result", decide={"decision": "conditional", "conditions": "月ごとに記録を出すこと。"})
    assert desk.thread(session).steps == ()

    application.step_done("notify_result")
    [step] = desk.thread(session).steps
    told = {field.id: field.value for field in desk.form(session, step.task_id).fields if field.readonly}
    assert (step.name, told) == ("契約の写しの提出", {"approval_number": "承R8-0001", "conditions": "月ごとに記録を出すこと。"})
    desk.complete(session, step.task_id, {"contract_copy": "pledge", "contract_dated_on": "2026-11-20", "contract_copy_note": "誓約書.pdf"})
    application.step_done("receive_contract")
    assert (desk.thread(session).steps, application.facts["work_may_start"]) == ((), True)

    authority.does("revoke_approval", revoke_reason="記録が出ない。")
    [step] = desk.thread(session).steps
    assert {field.id: field.value for field in desk.form(session, step.task_id).fields if field.readonly} == {
        "revoke_reason": "記録が出ない。"
    }
    desk.complete(session, step.task_id, {"returned_on": "2026-11-20", "return_method": ["erased"], "return_report": "消した。"})
    application.is_worked_off()
    assert application.outcome == "承認の取消し"
    by = {
        row["person"]
        for row in agency.history(application.id, "task.completed")
        if row["node"].endswith(("amend_application", "submit_contract", "report_return"))
    }
    assert by == {application.facts["reporter"]}


# ---------------------------------------------------------------- 形式の確認と差戻し


@pytest.mark.article("P-Ⅱ4-1⑧")
def test_what_is_missing_is_told_and_the_application_comes_again(agency: Agency, application: Application, officer: Official) -> None:
    """足りないところを書いて差し戻す。直して出し直すと、版が上がり、形式の確認からやり直す。前の版は履歴で読める。"""
    with pytest.raises(FormInvalid) as refused:
        officer.completes("check_application", application_check="incomplete")
    assert refused_for(refused) == {"shortcoming"}
    officer.completes("check_application", application_check="incomplete", shortcoming="証跡の日付がない。")
    application.waits_at("amend_application")
    assert application.facts["version_no"] == 1
    with pytest.raises(FormInvalid) as refused:
        officer.completes("amend_application", scope="夜間と休日の監視")
    assert refused_for(refused) == {"amendment"}
    officer.completes("amend_application", amendment="証跡を差し替えた。", scope="夜間と休日の監視")
    application.waits_at("check_application")
    assert (application.facts["version_no"], application.facts["scope"]) == (2, "夜間と休日の監視")
    [amended] = [row["data"] for row in agency.history(application.id, "task.completed") if row["node"] == "amend_application"]
    assert amended["facts"]["scope"] == ["夜間の監視", "夜間と休日の監視"]


@pytest.mark.article("P-Ⅱ4-1⑧")
def test_what_is_not_mended_in_time_counts_as_withdrawn(agency: Agency, application: Application, officer: Official) -> None:
    """差し戻した日の翌日から14日の終わりまでに出し直されなければ、取り下げたものとみなす。"""
    officer.completes("check_application", application_check="incomplete", shortcoming="体制が分からない。")
    agency.pass_time(seconds=(datetime(2026, 12, 4, 23, 59, tzinfo=JST) - agency.clock.now()).total_seconds())
    application.waits_at("amend_application")
    application.lets_pass(minutes=2)
    assert (application.outcome, application.waits) == ("取下げとみなす", [])
    assert agency.rows("ledger_entry", case_id=application.id) == []


@pytest.mark.article("P-Ⅱ4-1⑧")
def test_what_is_mended_on_the_last_day_is_in_time(agency: Agency, application: Application, officer: Official) -> None:
    """最後の日のうちに出し直せば、期限は消え、もう一度差し戻されれば数え直す。"""
    officer.completes("check_application", application_check="incomplete", shortcoming="体制が分からない。")
    agency.pass_time(seconds=(datetime(2026, 12, 4, 23, 50, tzinfo=JST) - agency.clock.now()).total_seconds())
    officer.completes("amend_application", amendment="体制を書いた。")
    application.lets_pass(days=1)
    officer.completes("check_application", application_check="incomplete", shortcoming="印がない。")
    application.lets_pass(days=14)
    application.waits_at("amend_application")
    application.lets_pass(days=1)
    assert application.outcome == "取下げとみなす"


# ---------------------------------------------------------------- 承認できないもの


@pytest.mark.article("P-Ⅱ4-1⑧", "P-Ⅱ4-2⑧")
@pytest.mark.parametrize(
    ("found", "reason"),
    [({"core_part": True}, "業務の主体的な部分に及ぶ"), ({"prohibited": True}, "委託契約の定めが再委託を禁じている")],
)
def test_the_core_part_and_what_the_contract_forbids_cannot_be_approved(
    agency: Agency, application: Application, authority: Official, found: dict[str, bool], reason: str
) -> None:
    """主体的な部分に及ぶもの、契約が禁じているものは、審査にも決裁にも進まず、承認できないものとして終わる。"""
    application.step_done("check_application", **found)
    assert (application.outcome, application.facts["admission_reason"], application.facts.get("decision")) == ("承認できない", reason, None)
    assert (authority.inbox, agency.rows("ledger_entry", case_id=application.id)) == ([], [])


@pytest.mark.article("P-Ⅱ4-1⑧")
def test_a_complete_application_is_judged_on_the_core_part_and_the_contract(application: Application, officer: Official) -> None:
    """そろっているとするには、主体的な部分か、契約が禁じていないかを答える。出し直された版では、答え直す。"""
    with pytest.raises(FormInvalid) as refused:
        officer.completes("check_application", application_check="complete")
    assert refused_for(refused) == {"core_part", "prohibited"}
    application.step_done("check_application")
    application.step_done("confirm_flow_down", flow_down="unconfirmed", flow_down_note="約束が足りない。")
    application.step_done("check_management")
    officer.completes("request_correction", correction="correct", correction_asked="契約を直すこと。")
    officer.completes("amend_application", amendment="契約を直した。")
    with pytest.raises(FormInvalid) as refused:
        officer.completes("check_application", application_check="complete")
    assert refused_for(refused) == {"core_part", "prohibited"}


@pytest.mark.article("ISA-24-3a")
@pytest.mark.parametrize(
    ("contains", "tier", "admitted"),
    [(["anon_make"], SECOND, False), (["anon_make"], {}, True), (["pi", "anon_handle"], SECOND, True)],
)
def test_making_anonymised_information_goes_no_further_down(
    agency: Agency, contains: list[str], tier: dict[str, Any], admitted: bool
) -> None:
    """匿名加工情報を作る業務の再々委託は、規程に定めが無いので認めない。再委託や、扱うだけの業務は認め得る。"""
    application = agency.receives(contains=contains, **tier)
    application.step_done("check_application")
    assert (application.outcome is None) is admitted


# ---------------------------------------------------------------- 再々委託（何段目でも庁が決める）


@pytest.mark.article("ISA-24-3a")
def test_a_further_tier_applies_to_the_office_itself(agency: Agency) -> None:
    """再々委託の申請は、間の会社ではなく庁に出す。一つ上の承認番号と間の委託先を書く。1段目には、その欄が無い。"""
    with pytest.raises(FormInvalid) as refused:
        agency.receives(tier=2)
    assert refused_for(refused) == {"parent_approval", "intermediate"}
    with pytest.raises(FormInvalid) as refused:
        agency.receives(tier=0)
    assert refused_for(refused) == {"tier"}
    agency.receives(**SECOND).waits_at("check_application")
    assert agency.receives(parent_approval="承R8-0001").facts.get("parent_approval") is None


@pytest.mark.article("ISA-24-3a")
def test_the_company_between_is_told_and_recorded(agency: Agency, officer: Official) -> None:
    """間の委託先に申請の写しを知らせた日を残さなければ、審査に進めない。結果を知らせるときも、写しを渡した日を残す。"""
    application = agency.receives(**SECOND)
    with pytest.raises(FormInvalid) as refused:
        officer.completes("check_application", core_part=False, prohibited=False, parent_confirmed=True, application_check="complete")
    assert refused_for(refused) == {"copy_told_on"}
    application.is_worked_off("notify_result")
    with pytest.raises(FormInvalid) as refused:
        officer.completes("notify_result", notified_on="@today")
    assert refused_for(refused) == {"result_copy_on"}
    application.step_done("notify_result")
    application.waits_at("submit_contract")


@pytest.mark.article("ISA-24-3a")
def test_a_tier_below_what_is_not_approved_cannot_be_approved(agency: Agency, officer: Official) -> None:
    """一つ上の再委託が承認されていなければ、その下は承認できない。確かめたかどうかは、答えなければならない。"""
    application = agency.receives(**SECOND)
    with pytest.raises(FormInvalid) as refused:
        officer.completes("check_application", core_part=False, prohibited=False, copy_told_on="@today", application_check="complete")
    assert refused_for(refused) == {"parent_confirmed"}
    application.step_done("check_application", parent_confirmed=False)
    assert (application.outcome, application.facts["admission_reason"]) == ("承認できない", "一つ上の再委託が承認されていない")


@pytest.mark.article("MN-10")
@pytest.mark.parametrize("tier", [1, 2, 5])
def test_the_first_consignor_decides_at_every_tier(agency: Agency, authority: Official, tier: int) -> None:
    """個人番号を扱う再委託は、何段目でも、最初に委託した庁が安全を確かめ、庁の決裁者が許す。"""
    more = {**SECOND, "tier": tier} if tier > 1 else {}
    application = agency.receives(REGISTRATION, **more)
    application.is_worked_off("confirm_mynumber_safety")
    application.is_worked_off("decide")
    application.step("decide").is_for("contract_authority", "isa")
    application.step_done("decide")
    assert application.duties["MN-10"] == "done"


@pytest.mark.article("ISA-24-3a")
def test_the_register_shows_the_tiers_of_a_contract(agency: Agency) -> None:
    """登録簿では、再々委託は、一つ上の再委託の承認番号の下に、同じ契約の木として並ぶ。"""
    first = agency.approves()
    second = agency.approves(**{**SECOND, "parent_approval": first.facts["approval_number"]})
    above, below = first.entry("resubcontract"), second.entry("resubcontract")
    assert (above["approval_number"], above["parent_approval"], above["tier"]) == ("承R8-0001", None, 1)
    assert (below["approval_number"], below["parent_approval"], below["tier"]) == ("承R8-0002", "承R8-0001", 2)
    assert above["contract_number"] == below["contract_number"] == "契2026-014"


# ---------------------------------------------------------------- 審査：並行する確認


@pytest.mark.article("ISA-24-3a", "ISA-24-3b")
def test_the_checks_go_on_side_by_side(agency: Agency, officer: Official, manager: Official, division: Official) -> None:
    """措置の引継ぎは契約担当、管理の状況と外国での扱いは保護管理者、個人番号の安全は部課等保護管理者が、並行して確かめる。"""
    application = agency.receives(contains=["pi", "mynumber_related"], foreign=True, foreign_country="ある国")
    application.step_done("check_application")
    application.waits_at("check_foreign", "check_management", "confirm_flow_down", "confirm_mynumber_safety")
    application.step("confirm_flow_down").is_for("contract_officer", "isa")
    application.step("check_management").is_for("protection_manager", UNIT)
    application.step("check_foreign").is_for("protection_manager", UNIT)
    application.step("confirm_mynumber_safety").is_for("division_protection_manager", "general_affairs")
    for element in ("confirm_mynumber_safety", "check_foreign", "check_management"):
        application.step_done(element)
        assert "decide" not in application.waits
    application.step_done("confirm_flow_down")
    application.waits_at("decide")


@pytest.mark.article("P-Ⅲ4-再委託")
@pytest.mark.parametrize("clause", [*SIX, "measures_flowed_down"])
def test_each_of_the_six_clauses_and_the_measures_is_confirmed(application: Application, officer: Official, clause: str) -> None:
    """六つの約束と安全の措置は、一つずつ確かめる。一つでも欠ければ、すべて確かめたとは言えない。"""
    application.step_done("check_application")
    given = {name: value for name, value in ANSWERS["confirm_flow_down"].items() if name != clause}
    with pytest.raises(FormInvalid) as refused:
        officer.completes("confirm_flow_down", **given)
    assert refused_for(refused) == {clause}
    officer.completes("confirm_flow_down", **given, **{clause: "yes"})
    assert "confirm_flow_down" not in application.waits


@pytest.mark.article("P-Ⅲ4-再委託")
def test_a_clause_that_is_missing_does_not_reach_the_decision(application: Application, officer: Official, authority: Official) -> None:
    """確かめられない約束があれば、何が足りないかを残し、決裁には進まない。"""
    application.step_done("check_application")
    with pytest.raises(FormInvalid) as refused:
        officer.completes("confirm_flow_down", flow_down="unconfirmed")
    assert refused_for(refused) == {"flow_down_note"}
    officer.completes("confirm_flow_down", flow_down="unconfirmed", flow_down_note="調査への協力の約束がない。")
    application.step_done("check_management")
    application.waits_at("request_correction")
    assert authority.inbox == []


@pytest.mark.article("ISA-24-3a")
@pytest.mark.parametrize("method", ["document", "on_site", "via_contractor"])
def test_management_is_looked_at_on_paper_on_site_or_through_the_contractor(
    application: Application, manager: Official, method: str
) -> None:
    """再委託先の管理の状況は、書面・実地・委託先を通じての、どれかで確かめ、方法と内容を残す。"""
    application.step_done("check_application")
    with pytest.raises(FormInvalid) as refused:
        manager.completes("check_management", management="adequate")
    assert refused_for(refused) == {"management_method", "management_note"}
    manager.completes("check_management", management_method=method, management_note="確かめた。", management="adequate")
    application.waits_at("confirm_flow_down")
    assert application.duties["ISA-24-3a"] == "not_applicable"  # what is refused may end without


@pytest.mark.article("ISA-24-3a")
def test_bad_management_does_not_reach_the_decision(application: Application, authority: Official) -> None:
    """再委託先の管理が適切といえなければ、決裁には進まない。"""
    application.step_done("check_application")
    application.step_done("check_management", management="inadequate")
    application.step_done("confirm_flow_down")
    application.waits_at("request_correction")
    assert authority.inbox == []


# ---------------------------------------------------------------- 個人番号：確かめてから諾否を決める（第24条第3項、番号法第10条）


@pytest.mark.article("ISA-24-3b")
@pytest.mark.parametrize("contains", [["mynumber_use"], ["mynumber_related"], ["pi", "mynumber_use", "mynumber_related"]])
def test_the_decision_does_not_open_before_my_number_is_confirmed_safe(
    agency: Agency, authority: Official, division: Official, contains: list[str]
) -> None:
    """個人番号を扱うなら、利用事務でも関係事務でも、同等の安全管理を確かめるまで、諾否の決裁は開かない。"""
    application = agency.receives(contains=contains)
    for element in ("check_application", "confirm_flow_down", "check_management"):
        application.step_done(element)
    application.waits_at("confirm_mynumber_safety")
    assert (authority.inbox, division.inbox) == ([], ["confirm_mynumber_safety"])
    application.lets_pass(days=30)
    assert authority.inbox == []
    application.step_done("confirm_mynumber_safety")
    application.waits_at("decide")


@pytest.mark.article("ISA-24-3b", "P-Ⅱ4-3⑧")
def test_registration_always_counts_as_my_number(agency: Agency) -> None:
    """個人番号登録業務は、申請が個人番号を挙げていなくても、個人番号を扱うものとして確かめる。"""
    application = agency.receives(REGISTRATION, contains=["pi"])
    application.step_done("check_application")
    assert "confirm_mynumber_safety" in application.waits


@pytest.mark.article("ISA-24-3b")
def test_without_my_number_that_check_is_not_asked(application: Application) -> None:
    """個人番号を扱わない再委託には、その確認は届かない。義務にも挙がらない。"""
    application.step_done("check_application")
    application.waits_at("check_management", "confirm_flow_down")
    application.is_worked_off("notify_result")
    assert (application.duties["ISA-24-3b"], application.duties["MN-10"]) == ("not_applicable", "not_applicable")


@pytest.mark.article("ISA-24-3b", "MN-10")
def test_my_number_that_is_not_safe_is_never_approved(agency: Agency, authority: Official, officer: Official) -> None:
    """同等の安全管理が講じられるといえなければ、承認の決裁には進まない。是正させるか、不承認にする。"""
    application = agency.receives(REGISTRATION)
    application.is_worked_off("request_correction", confirm_mynumber_safety={"mynumber_safety": "not_equal"})
    assert authority.inbox == []
    officer.completes("request_correction", correction="refuse", correction_asked="区域を分けられない。")
    application.waits_at("decide_refusal")
    assert application.step("decide_refusal").fields == {"decision_reason"}


# ---------------------------------------------------------------- 外国での扱い


@pytest.mark.article("ISA-24-3a")
def test_handling_abroad_is_looked_at_with_that_countrys_law(agency: Agency, manager: Official) -> None:
    """外国で扱うなら国を書き、その国の制度を調べて、踏まえた措置があるかを確かめる。国内だけなら要らない。"""
    with pytest.raises(FormInvalid) as refused:
        agency.receives(foreign=True)
    assert refused_for(refused) == {"foreign_country"}
    application = agency.receives(foreign=True, foreign_country="ある国")
    application.step_done("check_application")
    application.waits_at("check_foreign", "check_management", "confirm_flow_down")
    with pytest.raises(FormInvalid) as refused:
        manager.completes("check_foreign", foreign_measures="adequate")
    assert refused_for(refused) == {"foreign_system", "foreign_note"}


@pytest.mark.article("ISA-24-3a")
def test_handling_abroad_without_measures_does_not_reach_the_decision(agency: Agency, authority: Official) -> None:
    """その国の制度を踏まえた措置が確かめられなければ、決裁には進まない。"""
    application = agency.receives(foreign=True, foreign_country="ある国")
    application.is_worked_off("request_correction", check_foreign={"foreign_measures": "inadequate"})
    assert authority.inbox == []


# ---------------------------------------------------------------- 是正の求め


@pytest.mark.article("ISA-24-3a")
def test_a_round_of_correction_checks_everything_of_the_new_version_anew(
    agency: Agency, application: Application, officer: Official, manager: Official
) -> None:
    """是正を求めると申請からやり直しになる。新しい版は、前に確かめたことも含めて、すべて確かめ直す。"""
    application.is_worked_off("request_correction", check_management={"management": "inadequate"})
    with pytest.raises(FormInvalid) as refused:
        officer.completes("request_correction", correction="correct")
    assert refused_for(refused) == {"correction_asked"}
    officer.completes("request_correction", correction="correct", correction_asked="入退室の記録を残させること。")
    application.waits_at("amend_application")
    officer.completes("amend_application", amendment="入退室の記録を始めさせた。", safety_evidence="記録の様式を添付した。")
    application.step_done("check_application")
    application.waits_at("check_management", "confirm_flow_down")
    with pytest.raises(FormInvalid) as refused:
        officer.completes("confirm_flow_down", flow_down="confirmed")
    assert refused_for(refused) == {"measures_flowed_down", *SIX}
    with pytest.raises(FormInvalid):
        manager.completes("check_management")
    application.is_worked_off("decide")
    assert application.facts["version_no"] == 2
    changed = [
        row["data"]["facts"]["safety_evidence"]
        for row in agency.history(application.id, "task.completed")
        if "safety_evidence" in row["data"].get("facts", {})
    ]
    assert changed == [["情報セキュリティの認証の写しを添付した。", "記録の様式を添付した。"]]


@pytest.mark.article("ISA-24-3a")
def test_what_my_number_adds_in_a_later_version_is_confirmed_then(agency: Agency, application: Application, officer: Official) -> None:
    """直した版で個人番号を扱うことになれば、その確認が加わる。扱わないことになれば、要らなくなる。"""
    application.is_worked_off("request_correction", check_management={"management": "inadequate"})
    officer.completes("request_correction", correction="correct", correction_asked="範囲を確かめること。")
    officer.completes("amend_application", amendment="個人番号も扱う。", contains=["pi", "mynumber_use"])
    application.is_worked_off("request_correction", confirm_mynumber_safety={"mynumber_safety": "not_equal"})
    with pytest.raises(FormInvalid):  # what was asked of the version before is not what is asked now
        officer.completes("request_correction", correction="correct")
    officer.completes("request_correction", correction="correct", correction_asked="個人番号を外すこと。")
    officer.completes("amend_application", amendment="個人番号を外した。", contains=["pi"])
    application.is_worked_off("decide")
    assert application.facts["version_no"] == 3


@pytest.mark.article("ISA-24-3a")
def test_a_correction_that_does_not_come_counts_as_withdrawn(agency: Agency, application: Application, officer: Official) -> None:
    """是正を求めてから14日のうちに出し直されなければ、これも取下げとみなす。"""
    application.is_worked_off("request_correction", check_management={"management": "inadequate"})
    officer.completes("request_correction", correction="correct", correction_asked="入退室の記録を残させること。")
    application.lets_pass(days=14)
    application.waits_at("amend_application")
    application.lets_pass(days=1)
    assert application.outcome == "取下げとみなす"


@pytest.mark.article("ISA-24-3a")
def test_without_prospect_of_correction_it_is_refused_by_the_authority(
    agency: Agency, application: Application, officer: Official, authority: Official
) -> None:
    """是正の見込みがなければ、契約担当が不承認の決裁に上げる。決裁者は理由を残して不承認にし、承認はできない。"""
    application.is_worked_off("request_correction", check_management={"management": "inadequate"})
    officer.completes("request_correction", correction="refuse", correction_asked="再委託先が応じない。")
    application.waits_at("decide_refusal")
    with pytest.raises(FormInvalid) as refused:
        authority.completes("decide_refusal", decision="approve", decision_reason="急ぐため。")
    assert refused_for(refused) == {"decision"}
    authority.completes("decide_refusal", decision_reason="管理の状況を確かめられない。")
    application.is_worked_off()
    assert (application.outcome, application.facts["decision"], application.facts.get("approval_number")) == ("不承認", "refuse", None)
    assert application.states("approval") == ["不承認"]
    assert application.entry("approval")["closed_on"] == "2026-11-20"


# ---------------------------------------------------------------- 諾否の決裁


@pytest.mark.article("P-Ⅱ4-1⑧", "P-Ⅱ4-2⑧")
def test_an_approval_has_a_number_a_scope_and_an_end(agency: Agency, application: Application, authority: Official) -> None:
    """承認すると番号が付き、範囲・期限とともに承認台帳に載る。期限は、委託契約の終わりの日まで。"""
    application.is_worked_off("decide")
    for wrong in ("2029-04-01", "2026-11-19", None):
        with pytest.raises(FormInvalid) as refused:
            authority.completes("decide", decision="approve", decision_reason="理由", approval_expires_on=wrong)
        assert refused_for(refused) == {"approval_expires_on"}
    authority.completes("decide", decision="approve", decision_reason="確認がそろった。", approval_expires_on=CONTRACT_ENDS)
    application.waits_at("notify_result")
    facts = application.facts
    assert (facts["approval_number"], facts["decided_on"], facts["approval_expires_on"]) == ("承R8-0001", "2026-11-20", CONTRACT_ENDS)
    entry = application.entry("approval")
    assert (entry["state"], entry["approval_number"], entry["scope"], entry["expires_on"]) == (
        "有効",
        "承R8-0001",
        "夜間の監視",
        CONTRACT_ENDS,
    )
    assert application.duties["P-Ⅱ4-1⑧"] == "done"
    assert (application.duties["P-Ⅱ4-2⑧"], application.duties["P-Ⅱ4-3⑧"]) == ("not_applicable", "not_applicable")


@pytest.mark.article("P-Ⅱ4-3⑧")
def test_a_conditional_approval_says_its_conditions(agency: Agency, authority: Official) -> None:
    """条件を付けて承認するには、条件を書く。条件は台帳に残る。"""
    application = agency.receives(REGISTRATION)
    application.is_worked_off("decide")
    with pytest.raises(FormInvalid) as refused:
        authority.completes("decide", decision="conditional", decision_reason="理由", approval_expires_on=EXPIRES)
    assert refused_for(refused) == {"conditions"}
    application.step_done("decide", decision="conditional", conditions="半年ごとに実地で確かめる。")
    assert application.entry("approval")["conditions"] == "半年ごとに実地で確かめる。"
    assert application.duties["P-Ⅱ4-3⑧"] == "done"


@pytest.mark.article("P-Ⅱ4-1⑧")
def test_a_refusal_gives_no_number_and_is_told(agency: Agency, application: Application, authority: Official) -> None:
    """承認しないときは、理由を残し、番号は付かない。委託先に知らせて終わる。"""
    application.is_worked_off("decide")
    with pytest.raises(FormInvalid) as refused:
        authority.completes("decide", decision="refuse")
    assert refused_for(refused) == {"decision_reason"}
    authority.completes("decide", decision="refuse", decision_reason="再委託の必要がない。", approval_expires_on=EXPIRES, conditions="なし")
    application.waits_at("notify_result")
    assert (application.facts.get("approval_number"), application.facts.get("approval_expires_on")) == (None, None)
    application.is_worked_off()
    assert (application.outcome, application.states("approval"), application.states("resubcontract")) == ("不承認", ["不承認"], [])
    assert agency.receives().facts.get("approval_number") is None


@pytest.mark.article("P-Ⅱ4-1⑧", "P-Ⅱ4-3⑧")
def test_the_approval_is_a_paper_with_number_scope_and_end(agency: Agency, officer: Official, authority: Official) -> None:
    """承認すると、番号・範囲・条件・期限のある承認書が出せる。決める前と、承認しなかったときには無い。取り消せば、その旨が入る。"""

    def papers(application: Application) -> dict[str, str]:
        return {paper.id: paper.name for paper in agency.engine.case(agency.viewer(OFFICER), application.id).papers}

    application = agency.receives()
    application.is_worked_off("decide")
    assert set(papers(application)) == {"decision"}
    application.is_worked_off("notify_result", decide={"decision": "conditional", "conditions": "記録を月ごとに出すこと。"})
    shown = agency.engine.task(agency.viewer(OFFICER), application.step("notify_result").row["id"])
    assert [paper.id for paper in shown.papers if paper.of_step] == ["resubcontract_approval"]
    paper = agency.engine.paper(agency.viewer(OFFICER), application.id, "resubcontract_approval")
    said = json.dumps(paper.as_json(), ensure_ascii=False, default=str)
    assert (paper.number, paper.complete, paper.watermark) == ("承R8-0001", True, "")
    for words in ("運用保守の委託先 殿", "監視作業の再委託先", "夜間の監視", "令和10年3月31日", "記録を月ごとに出すこと。"):
        assert words in said, words
    application.is_worked_off()
    authority.does("revoke_approval", revoke_reason="条件に反した。")
    assert agency.engine.paper(agency.viewer(OFFICER), application.id, "resubcontract_approval").watermark == "承認取消し"

    other = agency.receives()
    other.is_worked_off("notify_result", decide={"decision": "refuse", "approval_expires_on": None})
    assert set(papers(other)) == {"decision"}


@pytest.mark.article("ISA-24-3a")
def test_only_the_authority_decides(agency: Agency, application: Application, officer: Official, manager: Official) -> None:
    """諾否を決めるのは契約の決裁者だけで、審査した人も総括も決められない。"""
    application.is_worked_off("decide")
    for other in (officer, manager):
        with pytest.raises(NotYourTask):
            other.completes("decide", **ANSWERS["decide"])
    with pytest.raises(TaskNotFound):
        agency.at(GENERAL).completes("decide", **ANSWERS["decide"])


@pytest.mark.article("ISA-24-3a")
@pytest.mark.parametrize("seat", [OFFICER, MANAGER])
def test_whoever_applied_or_checked_does_not_decide_in_a_second_post(
    agency: Agency, application: Application, authority: Official, seat: str
) -> None:
    """申請を入力した人や審査した人は、決裁者を兼ねていても決裁できない。ほかに決裁者がいれば、その人が決める。"""
    person = agency.appoint(agency.person(seat), AUTHORITY, kind="concurrent")
    application.is_worked_off("decide")
    step = application.step("decide").row["id"]
    with pytest.raises(SamePerson), agency.engine.work(by=person, seat=AUTHORITY) as work:
        work.complete(step, dict(ANSWERS["decide"]))
    authority.completes("decide", **ANSWERS["decide"])
    application.waits_at("notify_result")


@pytest.mark.article("ISA-24-3b")
def test_whoever_confirmed_my_number_does_not_decide_as_a_deputy(agency: Agency, authority: Official) -> None:
    """個人番号の安全を確かめた人は、決裁者が不在のときの代理としても、決裁できない。"""
    checker = agency.person(DIVISION)
    today = civil_day(agency.clock.now())
    agency.engine.personnel.register_deputy(
        agency.viewer("administrator@isa"), agency.person(AUTHORITY), checker,
        kind="decision", seat=AUTHORITY, basis="専決規程", valid_from=today, valid_to=date(2027, 3, 31),
    )  # fmt: skip
    agency.is_away(agency.person(AUTHORITY))
    application = agency.receives(REGISTRATION)
    application.is_worked_off("decide")
    step = application.step("decide").row["id"]
    with pytest.raises(SamePerson), agency.engine.work(by=checker, seat=None) as work:
        work.complete(step, dict(ANSWERS["decide"]))


@pytest.mark.article("ISA-24-3a")
def test_when_everybody_is_kept_from_deciding_the_next_rung_does(agency: Agency, application: Application) -> None:
    """決裁者のほかに決められる人がいない審査をその人がしたときは、次の順位の総括が決める。"""
    authority = agency.person(AUTHORITY)
    agency.appoint(authority, MANAGER, kind="concurrent")
    application.step_done("check_application")
    application.step_done("confirm_flow_down")
    step = application.step("check_management").row["id"]
    with agency.engine.work(by=authority, seat=MANAGER) as work:
        work.complete(step, dict(ANSWERS["check_management"]))
    agency.run()
    application.waits_at("decide")
    assert (agency.at(AUTHORITY).inbox, agency.at(GENERAL).inbox) == ([], ["decide"])
    agency.at(GENERAL).completes("decide", **ANSWERS["decide"])
    application.waits_at("notify_result")


# ---------------------------------------------------------------- 契約の写しを受け取るまで、業務は始められない（評価書 Ⅲ4）


@pytest.mark.article("P-Ⅲ4-再委託")
def test_work_may_not_begin_before_the_contract_is_seen(agency: Agency, officer: Official) -> None:
    """承認されても、再委託の契約書か誓約書の写しを庁が確かめるまで、業務は始められない。一年たっても、確認の時期は来ない。"""
    application = agency.approves()
    application.waits_at("submit_contract")
    assert (application.facts["work_may_start"], application.states("resubcontract")) == (False, ["契約待ち"])
    application.lets_pass(days=366)
    application.waits_at("submit_contract")
    application.step_done("submit_contract", contract_copy="pledge")
    application.waits_at("receive_contract")
    assert application.facts["work_may_start"] is False
    with pytest.raises(FormInvalid) as refused:
        officer.completes("receive_contract", contract_received_on="@today")
    assert refused_for(refused) == {"clauses_in_contract"}
    application.step_done("receive_contract")
    assert (application.facts["work_may_start"], application.states("resubcontract")) == (True, ["契約待ち", "実施中"])
    assert application.waits == []


@pytest.mark.article("P-Ⅲ4-再委託")
def test_a_contract_without_the_clauses_goes_back(agency: Agency, officer: Official) -> None:
    """約束が足りない写しは差し戻す。条件付の承認なら、条件が守られるかも確かめる。"""
    application = agency.approves(decided={"decision": "conditional", "conditions": "実地で確かめる。"})
    application.step_done("submit_contract")
    officer.sends_back("receive_contract", "写しを禁じる約束がありません。")
    application.waits_at("submit_contract")
    application.step_done("submit_contract")
    with pytest.raises(FormInvalid) as refused:
        officer.completes("receive_contract", contract_received_on="@today", clauses_in_contract="yes")
    assert refused_for(refused) == {"conditions_in_contract"}
    application.step_done("receive_contract")
    assert application.entry("resubcontract")["state"] == "実施中"


@pytest.mark.article("P-Ⅲ4-再委託")
def test_a_contract_that_does_not_come_is_told_after_ten_days(agency: Agency, officer: Official, authority: Official) -> None:
    """承認から10日たっても写しが出なければ、契約担当と決裁者に知らせる。業務は始められないまま、提出を待つ。"""
    application = agency.approves()
    application.lets_pass(days=10)
    assert authority.notices.count("escalate") == 0
    told = officer.notices.count("escalate")
    application.lets_pass(days=1)
    assert (officer.notices.count("escalate"), authority.notices.count("escalate")) == (told + 1, 1)
    application.waits_at("submit_contract")
    application.lets_pass(days=60)
    assert authority.notices.count("escalate") == 1


@pytest.mark.article("P-Ⅲ4-再委託")
def test_an_approval_without_a_contract_lapses_at_its_end(agency: Agency) -> None:
    """写しが出ないまま承認の期限が来れば、承認は終わり、渡したものが無いことを確かめて閉じる。"""
    application = agency.approves(decided={"approval_expires_on": "2026-12-20"})
    agency.pass_time(seconds=(datetime(2026, 12, 20, 23, 59, tzinfo=JST) - agency.clock.now()).total_seconds())
    application.waits_at("submit_contract")
    application.lets_pass(minutes=2)
    application.waits_at("report_return")
    assert application.states("approval") == ["有効", "終了"]
    application.is_worked_off(report_return={"return_method": ["nothing"], "return_report": "何も受け取っていない。"})
    assert application.outcome == "再委託の終了"


# ---------------------------------------------------------------- 実施中の確認（第24条第2項・第3項、評価書 Ⅲ4）


@pytest.mark.article("ISA-24-2", "P-Ⅲ4-現地")
def test_the_subcontractor_is_looked_at_every_year(agency: Agency, officer: Official) -> None:
    """業務の始まりから一年ごとに、再委託先の管理の状況を確かめる。次の時期は、確かめた時から数える。"""
    application = agency.lets_begin()
    for year in (2027, 2028):
        until = datetime(year, 11, 20, 16, 59, tzinfo=JST) if year == 2027 else datetime(2028, 3, 31, 23, 0, tzinfo=JST)
        agency.pass_time(seconds=(until - agency.clock.now()).total_seconds())
        assert application.waits == []
        if year == 2027:
            application.lets_pass(minutes=2)
            application.waits_at("check_subcontractor")
            application.step("check_subcontractor").is_for("contract_officer", "isa")
            officer.completes(
                "check_subcontractor",
                check_method="on_site",
                last_checked_on="@today",
                check_findings="記録を見た。",
                check_result="in_order",
            )
    assert application.entry("resubcontract")["last_checked_on"] == "2027-11-20"
    assert application.states("resubcontract") == ["契約待ち", "実施中", "実施中"]


@pytest.mark.article("P-Ⅲ4-現地", "ISA-24-3a")
def test_what_is_found_wanting_is_improved_and_looked_at_again(agency: Agency, officer: Official) -> None:
    """直すところがあれば、改善を求めて報告させ、もう一度確かめる。適切になって初めて、次の時期を待つ。"""
    application = agency.lets_begin()
    application.lets_pass(days=366)
    looked = {"check_method": "document", "last_checked_on": "@today", "check_findings": "施錠が無い。"}
    with pytest.raises(FormInvalid) as refused:
        officer.completes("check_subcontractor", **looked, check_result="improve")
    assert refused_for(refused) == {"improvement_asked"}
    officer.completes("check_subcontractor", **looked, check_result="improve", improvement_asked="施錠すること。")
    application.waits_at("improve")
    officer.completes("improve", improved_on="@today", improvement_report="鍵を付けた。")
    application.waits_at("check_subcontractor")
    officer.completes("check_subcontractor", **{**looked, "check_findings": "鍵を見た。"}, check_result="in_order")
    assert application.waits == []


@pytest.mark.article("P-Ⅲ4-返却")
def test_a_check_that_is_open_at_the_end_is_finished_first(agency: Agency, officer: Official) -> None:
    """確認が終わらないうちに期限が来ても、確認は消えない。確かめ終えると、すぐに返却・消去に進む。"""
    application = agency.lets_begin(decided={"approval_expires_on": "2027-11-30"})
    application.lets_pass(days=380)
    application.waits_at("check_subcontractor")
    officer.completes(
        "check_subcontractor", check_method="document", last_checked_on="@today", check_findings="適切。", check_result="in_order"
    )
    application.waits_at("report_return")


# ---------------------------------------------------------------- 終わり：返却・消去の報告と確認


@pytest.mark.article("P-Ⅲ4-返却", "P-Ⅲ4-消去")
def test_at_the_end_everything_is_returned_or_erased_and_confirmed(agency: Agency, officer: Official, manager: Official) -> None:
    """承認の期限の日が終わると、返却・消去の報告が求められ、保護管理者が報告書で確かめて、登録簿が閉じる。"""
    application = agency.lets_begin(REGISTRATION, decided={"approval_expires_on": "2027-03-31"})
    agency.pass_time(seconds=(datetime(2027, 3, 31, 23, 59, tzinfo=JST) - agency.clock.now()).total_seconds())
    assert application.waits == []
    application.lets_pass(minutes=2)
    application.waits_at("report_return")
    assert (application.facts["work_may_start"], application.states("resubcontract")[-1], application.states("approval")[-1]) == (
        False,
        "返却待ち",
        "終了",
    )
    application.step_done("report_return")
    application.step("confirm_return").is_for("protection_manager", UNIT)
    with pytest.raises(FormInvalid) as refused:
        manager.completes("confirm_return", return_check="document")
    assert refused_for(refused) == {"all_returned"}
    application.step_done("confirm_return")
    assert (application.outcome, application.entry("resubcontract")["state"], application.entry("resubcontract")["closed"]) == (
        "再委託の終了",
        "終了",
        True,
    )
    assert set(application.duties.values()) <= {"done", "not_applicable"}


@pytest.mark.article("P-Ⅲ4-消去")
def test_a_report_that_is_not_enough_goes_back(agency: Agency, manager: Official) -> None:
    """証明が足りない報告は差し戻す。確かめられるまで、案件も登録簿も閉じない。"""
    application = agency.lets_begin()
    agency.at(OFFICER).does("finish_work", finished_on="@today")
    application.step_done("report_return")
    manager.sends_back("confirm_return", "消去の証明書がありません。")
    application.waits_at("report_return")
    assert (application.outcome, application.entry("resubcontract")["state"]) == (None, "返却待ち")
    application.is_worked_off()
    assert application.outcome == "再委託の終了"


@pytest.mark.article("P-Ⅲ4-消去")
def test_who_entered_the_report_does_not_confirm_it(agency: Agency) -> None:
    """報告を代わって入力した人は、保護管理者を兼ねていても、それを確認しない。"""
    agency.appoint(agency.person(OFFICER), MANAGER, kind="concurrent")
    application = agency.lets_begin()
    agency.at(OFFICER).does("finish_work", finished_on="@today")
    application.step_done("report_return")
    step = application.step("confirm_return").row["id"]
    with pytest.raises(SamePerson), agency.engine.work(by=agency.person(OFFICER), seat=MANAGER) as work:
        work.complete(step, dict(ANSWERS["confirm_return"]))


@pytest.mark.article("P-Ⅲ4-返却")
def test_work_that_ends_early_is_settled_early(agency: Agency, officer: Official, manager: Official) -> None:
    """期限より前に業務が終わったら、契約担当が記録して、返却・消去に進む。始まる前や、ほかの役には、その操作は無い。"""
    waiting = agency.approves()
    with pytest.raises(ActionNotOffered):
        officer.does("finish_work", case=waiting, finished_on="@today")
    application = agency.lets_begin()
    with pytest.raises(ActionNotOffered):
        manager.does("finish_work", case=application, finished_on="@today")
    officer.does("finish_work", case=application, finished_on="@today")
    application.waits_at("report_return")
    assert application.entry("approval")["closed_on"] == "2026-11-20"


@pytest.mark.article("P-Ⅲ4-返却", "P-Ⅲ4-台帳")
def test_the_register_is_kept_five_years_from_the_next_fiscal_year(agency: Agency, officer: Official) -> None:
    """登録簿と承認台帳は、終わった翌年度の初日から5年保つ。2026年11月21日に閉じれば、2032年3月31日まで。"""
    application = agency.lets_begin()
    assert application.entry("resubcontract")["kept_until"] is None
    application.lets_pass(days=1)
    officer.does("finish_work", finished_on="@today")
    application.is_worked_off()
    entry = application.entry("resubcontract")
    assert (entry["ended_on"], entry["kept_until"]) == ("2026-11-21", date(2032, 3, 31))
    assert application.entry("approval")["kept_until"] == date(2032, 3, 31)


# ---------------------------------------------------------------- 承認の取消し


@pytest.mark.article("ISA-24-3a")
@pytest.mark.parametrize("stage", ["contract", "work", "check"])
def test_an_approval_can_be_revoked_at_any_time_while_it_lasts(agency: Agency, authority: Official, stage: str) -> None:
    """決裁者は、理由を残して承認を取り消せる。契約待ちでも、実施中でも、確認の途中でも、返却・消去に進む。"""
    application = agency.approves() if stage == "contract" else agency.lets_begin()
    if stage == "check":
        application.lets_pass(days=366)
        application.waits_at("check_subcontractor")
    with pytest.raises(FormInvalid) as refused:
        authority.does("revoke_approval")
    assert refused_for(refused) == {"revoke_reason"}
    authority.does("revoke_approval", revoke_reason="承認の条件に反して別の会社に任せていた。")
    application.waits_at("report_return")
    assert (application.states("approval"), application.facts["work_may_start"]) == (["有効", "取消"], False)
    application.is_worked_off()
    today = civil_day(agency.clock.now()).isoformat()
    entry = application.entry("resubcontract")
    assert (application.outcome, entry["state"], entry["revoked_on"]) == ("承認の取消し", "終了", today)
    assert application.entry("approval")["closed_on"] == today


@pytest.mark.article("ISA-24-3a")
def test_only_the_authority_revokes_and_only_what_is_approved(
    agency: Agency, application: Application, authority: Official, officer: Official
) -> None:
    """取り消せるのは決裁者だけ。承認の前や、終わった後には、その操作は無い。"""
    with pytest.raises(CaseNotFound):
        authority.does("revoke_approval", case=application, revoke_reason="理由")
    application.is_worked_off()
    with pytest.raises(ActionNotOffered):
        officer.does("revoke_approval", case=application, revoke_reason="理由")
    officer.does("finish_work", case=application, finished_on="@today")
    with pytest.raises(ActionNotOffered):
        authority.does("revoke_approval", case=application, revoke_reason="理由")


# ---------------------------------------------------------------- 漏えい等の知らせ


@pytest.mark.article("ISA-25-1")
def test_a_breach_that_the_contractor_tells_begins_an_incident_linked_to_it(agency: Agency, officer: Official) -> None:
    """再委託先からの漏えいの知らせで、事案が始まり、この案件と結び付く。期限は、庁が知った日時から数える。再委託は続く。"""
    application = agency.lets_begin()
    told = agency.clock.now() - timedelta(hours=2)
    officer.does("breach_notice", breach_summary="監視の記録を別の会社に送った。", breach_event="leak", breach_known_at=told.isoformat())
    [incident] = application.incidents
    facts = incident.facts
    assert (facts["event"], facts["contractor"], facts["owning_unit"]) == ("leak", True, UNIT)
    assert datetime.fromisoformat(facts["known_at"]) == told
    assert application.facts["linked_cases"] == [agency.case(incident.id)["number"]]
    assert {"contain_at_once", "assess_gravity", "confirm_contractor_duty"} <= set(incident.waits)
    incident.step("contain_at_once").is_for("protection_manager", UNIT)
    assert incident.due("preliminary_report") == date(2026, 11, 24)
    assert (application.outcome, application.waits, application.entry("resubcontract")["state"]) == (None, [], "実施中")


@pytest.mark.article("ISA-25-1")
def test_a_breach_is_known_no_later_than_it_is_told(agency: Agency, officer: Official) -> None:
    """知った日時は、記録する時より後にはできない。一日を超えて前なら、あいた理由が要り、事案に引き継がれる。"""
    application = agency.lets_begin()
    told = {"breach_summary": "媒体が一つ見当たらない。", "breach_event": "loss"}
    later = agency.clock.now() + timedelta(minutes=5)
    with pytest.raises(FormInvalid) as refused:
        officer.does("breach_notice", **told, breach_known_at=later.isoformat())
    assert refused_for(refused) == {"breach_known_at"}
    earlier = (agency.clock.now() - timedelta(days=3)).isoformat()
    with pytest.raises(FormInvalid) as refused:
        officer.does("breach_notice", **told, breach_known_at=earlier)
    assert refused_for(refused) == {"breach_late_reason"}
    officer.does("breach_notice", **told, breach_known_at=earlier, breach_late_reason="休日をはさんだ。")
    [incident] = application.incidents
    assert incident.facts["backdate_reason"] == "休日をはさんだ。"
    assert incident.due("preliminary_report") == date(2026, 11, 21)


@pytest.mark.article("ISA-25-1")
def test_each_breach_is_an_incident_of_its_own_at_every_stage(agency: Agency, officer: Official, manager: Official) -> None:
    """知らせは、審査の途中でも返却・消去の途中でも受けられ、そのたびに別の事案になる。保護管理者からも記録できる。"""
    application = agency.receives()
    now = agency.clock.now().isoformat()
    told = {"breach_summary": "承認の前に業務を始めていた。", "breach_event": "rule_violation", "breach_known_at": now}
    officer.does("breach_notice", **told)
    application.waits_at("check_application")
    application.is_worked_off()
    officer.does("finish_work", finished_on="@today")
    manager.does("breach_notice", **{**told, "breach_summary": "返すはずの媒体が足りない。", "breach_event": "loss"})
    application.waits_at("report_return")
    assert [incident.facts["event"] for incident in application.incidents] == ["rule_violation", "loss"]
    assert len(application.facts["linked_cases"]) == 2


# ---------------------------------------------------------------- 見える範囲


@pytest.mark.article("ISA-24-3a")
def test_those_who_have_nothing_to_do_with_it_see_nothing(agency: Agency, application: Application, other_manager: Official) -> None:
    """ほかの課室の保護管理者には、申請も再委託先の名前も見えない。監査責任者には見える。"""
    application.is_worked_off()
    assert (other_manager.sees(application), agency.at("audit_officer@isa").sees(application)) == (False, True)
    with pytest.raises(CaseNotFound):
        agency.engine.case(agency.viewer(other_manager.seat), application.id)


# ---------------------------------------------------------------- シナリオ


@pytest.mark.parametrize(("name", "outcome"), [("resubcontract_straight", "再委託の終了"), ("resubcontract_correction", "承認の取消し")])
def test_the_scenarios_play_to_their_ends(name: str, outcome: str) -> None:
    """シナリオ（tadachi play で動かすもの）は、まっすぐなものも、是正を一度はさむものも、終わりまで通る。"""
    said: list[str] = []
    demo.play(SCENARIOS / f"{name}.yaml", "isa", said.append)
    assert said[-1] == f"案件は終わりました（{outcome}）。"
