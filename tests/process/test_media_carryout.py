"""媒体の持出し等（保護管理規程第14条・第17条・第18条、特定個人情報保護評価書 Ⅱ6・Ⅲ2・Ⅲ4）：一つの定めに、通る側と通らない側の試験。"""

from __future__ import annotations

import shutil
from datetime import date, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from engine import JST, ActionNotOffered, CaseNotFound, EntryShown, FormInvalid, NotFound, SamePerson, civil_day
from tests.process.conftest import UNIT, Case, Office
from tests.support import ROOT, make_engine
from webui import demo

APPLICANT = "staff@information_systems"
SECURITY, SERVER_ROOM = "security_officer@information_systems", "server_room_officer@information_systems"
WORKER, WITNESS, MANAGER = f"staff@{UNIT}", f"assistant@{UNIT}", f"protection_manager@{UNIT}"
DIVISION, AUDITOR = "division_protection_manager@immigration_control", "audit_officer@isa"
APPROVALS = ("approve_by_manager", "check_by_security_officer", "approve_by_server_room_officer")
SCENARIOS = ROOT / "bpmn" / "isa" / "scenarios"
OPENS, CLOSES = datetime(2026, 11, 24, 9, 0, tzinfo=JST), datetime(2026, 11, 24, 17, 0, tzinfo=JST)  # Tuesday, the next working day

DUE = datetime(2026, 11, 28, 0, 0, tzinfo=JST)  # the end of the 27th

#: RASの運用保守の委託先に、サーバ室から媒体を渡す：三つの役の承認が要る。
APPLICATION = {
    "direction": "carry_out",
    "owning_unit": UNIT,
    "purpose": "在留申請オンラインシステムの障害の調査",
    "media": [
        {"id": "F-012", "kind": "外付けディスク", "content": "申請データの写し", "count": "1"},
        {"id": "F-013", "kind": "外付けディスク", "content": "操作の記録", "count": "1"},
    ],
    "medium": "electronic",
    "includes": ["pi", "mynumber"],
    "source_system": "ras",
    "zone_from": "server_room",
    "zone_to": "contractor",
    "destination": "運用保守の委託先の作業場所",
    "counterpart": "運用保守の委託先の作業責任者",
    "carrier": "審判課の係長",
    "carrier_rank": "chief",
    "window_from": OPENS.isoformat(),
    "window_to": CLOSES.isoformat(),
    "return_way": "return",
    "return_by": "2026-11-27",
}
#: 庁内の別の場所へ、紙の記録を動かす：保護管理者の承認だけで足り、書出しも受渡しも無い。
SIMPLE = {
    "direction": "move_inside",
    "medium": "paper",
    "includes": ["pi"],
    "source_system": "other",
    "zone_from": "inside",
    "zone_to": "inside",
    "destination": "別館の会議室",
    "counterpart": None,
}
NOBODY = {"counterpart": None}
FOR_GOOD = {"direction": "send_out", "carrier_rank": None, "return_way": "none", "return_by": None}
FROM_JLIS = {"direction": "carry_in", "source_system": "jlis", "zone_from": "outside", "zone_to": "server_room"}
ANSWERS: dict[str, dict[str, Any]] = {
    "approve_by_manager": {"manager_decision": "approve", "instruction": "施錠したケースで、二人で運ぶこと。"},
    "check_by_security_officer": {"security_decision": "approve", "security_note": "契約の範囲に収まる。"},
    "approve_by_server_room_officer": {"server_room_decision": "approve"},
    "write_out": {
        "encryption": "yes",
        "encryption_method": "AES-256",
        "authentication": "yes",
        "image_hash": "9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08",
        "key_channel": "phone",
    },
    "witness_write_out": {"witness_content": "yes", "witness_encryption": "yes", "witness_hash": "yes"},
    "check_leaving": {"leaving": "go", "locked_case": "yes", "seal_number": "封-77", "no_devices": "yes", "counted": "yes"},
    "confirm_leaving": {"second_check": "yes"},
    "hand_over": {"hand_over_result": "handed", "handed_at": "@now", "receipt_signer": "委託先の作業責任者", "receipt_kept": "yes"},
    "attend_hand_over": {"attended": "yes"},
    "confirm_return": {"return_complete": "yes", "returned_count": 2, "returned_seal": "封-77", "after_return": "keep"},
    "erase": {"erasure_method": "上書き3回", "erased_at": "@now"},
    "destroy": {"erasure_checked": "yes", "destruction_method": "裁断", "destroyed_at": "@now"},
    "choose_storage": {"storage_place": "保管庫1の3段目", "storage_locked": "yes"},
    "confirm_disposal": {
        "disposal_accepted": "yes",
        "disposal_method": "物理的な破壊",
        "certificate": "証-5",
        "disposal_witness": "photo",
        "disposed_on": "2026-11-25",
    },
}
RETURNED = {"returned_at": "@now", "returned_from": "委託先の作業責任者"}


class Carryout(Case):
    """An application and what becomes of it."""

    office: Agency

    def done(self, *elements: str, **answers: Any) -> None:
        """The seats of these steps complete them one after the other, with the usual answers; `answers` go to the last."""
        for element in elements:
            given = {**ANSWERS.get(element, {}), **(answers if element == elements[-1] else {})}
            now = self.office.clock.now().isoformat()
            given = {name: now if value == "@now" else value for name, value in given.items()}
            self.office.at(self.step(element).row["seat"]).completes(element, case=self, **given)

    def acts(self, action: str, seat: str = WORKER, **answers: Any) -> None:
        """A seat does an action of the case."""
        now = self.office.clock.now().isoformat()
        self.office.at(seat).does(action, case=self, **{name: now if value == "@now" else value for name, value in answers.items()})

    def approved(self) -> None:
        """Every seat that is asked approves."""
        self.done(*(one for one in APPROVALS if one in self.waits))

    def goes_out(self) -> None:
        """Approved, prepared and sent out at the beginning of its term."""
        self.approved()
        self.office.until(OPENS)
        if "write_out" in self.waits:
            self.done("write_out", "witness_write_out")
        self.done("check_leaving", "confirm_leaving")

    def handed(self) -> None:
        """Gone out, and handed over at ten."""
        self.goes_out()
        self.office.until(OPENS + timedelta(hours=1))
        self.done("hand_over", "attend_hand_over")

    def entries(self, ledger: str = "transfer") -> list[EntryShown]:
        """Its rows in a ledger, by the medium's own number."""
        found = self.office.engine.ledgers.page(self.office.viewer(AUDITOR), ledger).rows
        return sorted((row for row in found if row.case_id == self.id), key=lambda row: said(row, "medium_id"))

    @property
    def states(self) -> list[str]:
        """The states of its rows in the transfer ledger."""
        return [row.state for row in self.entries()]

    @property
    def incidents(self) -> list[Case]:
        """The incidents it has begun."""
        numbers = self.facts.get("linked_cases") or []
        return [Case(self.office, row["id"]) for row in self.office.rows("case_file") if row["number"] in numbers]


def said(row: EntryShown, column: str) -> str:
    """What an entry says in a column, in words."""
    cell = row.cell(column)
    assert cell is not None, column
    return cell.text


class Agency(Office):
    """The agency as media come and go."""

    def applies(self, seat: str = APPLICANT, /, **answers: Any) -> Carryout:
        """Somebody applies, as in APPLICATION except for what is named; None leaves an answer out."""
        given = {name: value for name, value in {**APPLICATION, **answers}.items() if value is not None}
        with self.acting(seat) as work:
            number = work.start("isa_media_carryout", given)
        self.run()
        self.current = made = Carryout(self, number)
        return made

    def reasons(self, carryout: Carryout) -> str:
        """Why it is refused, as the applicant's page shows it."""
        page = self.engine.case(self.viewer(APPLICANT), carryout.id)
        return next(fact.text for fact in page.facts if fact.label == "認められない理由")

    def tries(self, person: str, seat: str | None, carryout: Carryout, element: str) -> None:
        """A person, from a seat or from any, completes a step with the usual answers."""
        given = {name: self.clock.now().isoformat() if value == "@now" else value for name, value in ANSWERS[element].items()}
        step = carryout.step(element).row["id"]
        with self.engine.work(by=person, seat=seat) as work:
            work.complete(step, given)
        self.run()

    def substitutes(self, principal: str, person: str) -> None:
        """From today on somebody stands in for a principal (代理), who is away."""
        today = civil_day(self.clock.now())
        registers, keeper = self.engine.personnel, self.viewer("administrator@isa")
        registers.register_deputy(keeper, principal, person, kind="substitute", basis="代理の定め", valid_from=today, valid_to=None)
        registers.register_absence(keeper, principal, today, today + timedelta(days=10), "travel")
        self.run()

    def until(self, instant: datetime) -> None:
        """Time passes up to an instant; what falls due meanwhile happens at its own."""
        self.pass_time(seconds=(instant - self.clock.now()).total_seconds())


@pytest.fixture
def agency(office: Office) -> Agency:
    """The agency on Friday at 17:00, with the sentences about media."""
    return Agency(office.engine, office.clock, "isa")


@pytest.fixture
def carryout(agency: Agency) -> Carryout:
    """The application of a member of another division, for information that 審判課 manages."""
    return agency.applies()


# ---------------------------------------------------------------- 承認（規程第14条、評価書 Ⅱ6 ①・Ⅲ4）


@pytest.mark.article("ISA-14")
def test_the_manager_of_the_information_is_asked_before_anything_moves(agency: Agency) -> None:
    """媒体を動かす前に、申請した人の上司ではなく、入っている情報を管理する課室の保護管理者の承認を受ける。"""
    carryout = agency.applies(**SIMPLE)
    carryout.waits_at("approve_by_manager")
    carryout.step("approve_by_manager").is_for("protection_manager", UNIT)
    assert carryout.step("approve_by_manager").clauses == ["ISA-14"]
    row = agency.case(carryout.id)
    assert (row["number"], row["title"]) == ("媒R8-0001", APPLICATION["purpose"])
    assert carryout.duties["ISA-14"] == "not_applicable"
    carryout.done("approve_by_manager")
    assert (carryout.waits, carryout.facts["permit_number"], carryout.duties["ISA-14"]) == ([], "承R8-0001", "done")


@pytest.mark.article("ISA-14")
def test_the_manager_limits_what_may_be_done(agency: Agency, carryout: Carryout) -> None:
    """承認するときは、行ってよい場合を限る指示を書く。承認しないときは、理由を書く。"""
    manager = agency.at(MANAGER)
    for decision, missing in (("approve", "instruction"), ("refuse", "manager_reason")):
        with pytest.raises(FormInvalid) as refused:
            manager.completes("approve_by_manager", manager_decision=decision)
        assert set(refused.value.fields) == {missing}
    carryout.done("approve_by_manager")
    assert "approve_by_manager" not in carryout.waits


@pytest.mark.article("P-Ⅱ6-①a", "P-Ⅲ4-提供")
def test_who_else_is_asked_depends_on_where_it_goes(agency: Agency) -> None:
    """委託先に渡すなら情報セキュリティ責任者の確認が、サーバ室に出し入れするならその責任者の承認が、あわせて要る。ほかは保護管理者だけ。"""
    manager, security, server_room = APPROVALS
    for changed, asked in (
        ({"zone_from": "inside", "zone_to": "elsewhere", "includes": ["pi"], **NOBODY}, [manager]),
        ({"zone_from": "inside"}, [manager, security]),
        ({"zone_from": "server_room", "zone_to": "inside", **NOBODY}, [manager, server_room]),
        ({"direction": "carry_in", "zone_from": "outside", "zone_to": "server_room", **NOBODY}, [manager, server_room]),
        ({**FOR_GOOD, "zone_from": "inside", "zone_to": "agency", "legal_basis": "article_19"}, [manager]),
        ({}, [manager, security, server_room]),
    ):
        agency.applies(**changed).waits_at(*asked)


@pytest.mark.article("P-Ⅱ6-①a", "P-Ⅲ4-提供")
@pytest.mark.parametrize("last", APPROVALS)
def test_all_of_them_must_have_approved(agency: Agency, carryout: Carryout, last: str) -> None:
    """承認の順は問わない。一つでも欠けていれば、許可の番号は付かず、期間が始まれば期限切れになる。"""
    carryout.done(*(one for one in APPROVALS if one != last))
    carryout.waits_at(last)
    assert "permit_number" not in carryout.facts
    agency.until(OPENS)
    assert (carryout.outcome, carryout.waits, carryout.entries()) == ("期限切れ", [], [])


@pytest.mark.article("ISA-14")
@pytest.mark.parametrize(
    ("element", "answers"),
    [
        ("approve_by_manager", {"manager_decision": "refuse", "manager_reason": "要る範囲を超えている。", "instruction": None}),
        ("check_by_security_officer", {"security_decision": "refuse", "security_reason": "契約に無い提供である。", "security_note": None}),
        ("approve_by_server_room_officer", {"server_room_decision": "refuse", "server_room_reason": "作業の予定が無い。"}),
    ],
)  # fmt: skip
def test_one_refusal_is_enough(agency: Agency, element: str, answers: dict[str, Any]) -> None:
    """三つのうち一つの役が承認しなければ、ほかの役の答えを待たずに却下になる。ほかの役がみな承認した後でも同じ。"""
    first, last = agency.applies(), agency.applies()
    last.done(*(one for one in APPROVALS if one != element))
    for carryout in (first, last):
        carryout.done(element, **answers)
        assert (carryout.outcome, carryout.waits) == ("却下", [])


@pytest.mark.article("ISA-14")
@pytest.mark.parametrize(
    ("element", "seat"),
    [("approve_by_manager", MANAGER), ("check_by_security_officer", SECURITY), ("approve_by_server_room_officer", SERVER_ROOM)],
)
def test_whoever_applied_does_not_approve_in_a_second_post(agency: Agency, element: str, seat: str) -> None:
    """申請した人は、承認する役を兼ねていても、自分の申請を承認できない。同じ役に就くほかの人は承認できる。"""
    applicant = agency.appoint(agency.person(APPLICANT), seat, kind="concurrent")
    carryout = agency.applies()
    with pytest.raises(SamePerson):
        agency.tries(applicant, seat, carryout, element)
    carryout.done(element)
    assert element not in carryout.waits


@pytest.mark.article("ISA-14")
def test_whoever_applied_does_not_approve_as_a_deputy(agency: Agency) -> None:
    """申請した人は、保護管理者が不在でその代理をしていても、自分の申請を承認できない。"""
    applicant = agency.person(APPLICANT)
    agency.substitutes(agency.person(MANAGER), applicant)
    carryout = agency.applies()
    with pytest.raises(SamePerson):
        agency.tries(applicant, None, carryout, "approve_by_manager")
    carryout.waits_at(*sorted(APPROVALS))


@pytest.mark.article("ISA-14")
def test_a_manager_who_applies_is_approved_by_the_rung_above(agency: Agency) -> None:
    """保護管理者が自分で申請したときは、一つ上の部課等保護管理者が承認する。"""
    carryout = agency.applies(MANAGER, **SIMPLE)
    manager, division = agency.at(MANAGER), agency.at(DIVISION)
    assert (manager.inbox, division.inbox) == ([], ["approve_by_manager"])
    with pytest.raises(SamePerson):
        agency.tries(agency.person(MANAGER), MANAGER, carryout, "approve_by_manager")
    division.completes("approve_by_manager", **ANSWERS["approve_by_manager"])
    assert carryout.facts["permitted"] is True


@pytest.mark.article("P-Ⅱ6-①a")
def test_a_contractor_applies_for_its_own_tools_by_a_link(agency: Agency) -> None:
    """委託先の作業者が機器を持ち込むときは、職員が渡した一度だけのリンクで、委託先が申請できる。リンクを渡した職員は申請者ではない。"""
    officer = f"contract_officer@{agency.engine.organisation('isa').id}"
    made = agency.engine.outside.issue(agency.viewer(officer), process_id="isa_media_carryout", party="運用保守の委託先", days=3)
    session = agency.engine.outside.enter(made.url.rpartition("/")[2])
    tool = {"direction": "carry_in", "medium": "device", "source_system": "other", "zone_from": "outside", "zone_to": "server_room"}
    given = {name: value for name, value in {**APPLICATION, **tool, **NOBODY, "carrier_rank": "worker"}.items() if value is not None}
    agency.engine.outside.start(session, given)
    agency.run()
    [row] = agency.rows("case_file")
    carryout = Carryout(agency, row["id"])
    carryout.waits_at("approve_by_manager", "approve_by_server_room_officer")
    agency.appoint(agency.person(officer), SERVER_ROOM, kind="concurrent")
    agency.tries(agency.person(officer), SERVER_ROOM, carryout, "approve_by_server_room_officer")
    carryout.goes_out()
    agency.until(DUE + timedelta(days=2))
    assert len(carryout.incidents) == 1


# ---------------------------------------------------------------- 誰が承認しても認められない場合（評価書 Ⅱ4・Ⅲ2・Ⅲ3・Ⅲ4・Ⅲ7）

#: What is applied for -> what the reason says.
REFUSED: dict[str, tuple[dict[str, Any], str]] = {
    "no export of My Number from IMS": (
        {"source_system": "ims", "zone_to": "elsewhere", "legal_basis": "article_19", **NOBODY},
        "書き出す機能が無い",
    ),
    "nor to a contractor": ({"source_system": "ims"}, "書き出す機能が無い"),
    "media from J-LIS stay in the server room": (
        {"direction": "move_inside", "source_system": "jlis", "zone_to": "inside"},
        "サーバ室の中だけで扱い",
    ),
    "and do not go back out": ({"source_system": "jlis", "zone_to": "jlis"}, "サーバ室の中だけで扱い"),
    "My Number on media to no contractor but that of RAS": ({"source_system": "other"}, "RASの運用保守だけ"),
    "who carries is of rank": ({"carrier_rank": "clerk"}, "係長以上の職員に限る"),
    "and of the office": ({"carrier_rank": "worker"}, "係長以上の職員に限る"),
    "My Number to others only by the Act": ({"zone_to": "agency", "legal_basis": "none"}, "番号法第19条"),
    "a contractor gives back or destroys": ({"return_way": "none", "return_by": None}, "報告をさせなければならない"),
    "what is carried comes back": (
        {"zone_to": "elsewhere", "legal_basis": "article_19", "return_way": "none", "return_by": None, **NOBODY},
        "外部への送付だけである",
    ),
}


@pytest.mark.article("ISA-14", "P-Ⅲ2-R4", "P-Ⅱ4-1④/3④", "P-Ⅱ4-2④", "P-Ⅲ7-⑨(5)", "ISA-23-9")
def test_what_nobody_could_approve_ends_with_its_reason(agency: Agency) -> None:
    """当たる場合には、誰の受信箱にも届かずに却下になり、申請した人がその理由を読める。理由がいくつもあれば、すべて示す。"""
    for name, (changed, reason) in REFUSED.items():
        carryout = agency.applies(**changed)
        assert (carryout.outcome, carryout.waits, carryout.history("task.opened")) == ("却下", [], []), name
        assert reason in agency.reasons(carryout), name
    assert len(agency.applies(source_system="ims", carrier_rank="worker").facts["refusal_reasons"]) == 3


#: The same as in REFUSED but for one thing.
ALLOWED: dict[str, dict[str, Any]] = {
    "My Number from IMS by the way of J-LIS": {"source_system": "ims", "zone_to": "jlis"},
    "from IMS without My Number": {"source_system": "ims", "includes": ["pi"]},
    "from J-LIS into the server room": FROM_JLIS,
    "to another contractor without My Number": {"source_system": "other", "includes": ["pi"]},
    "carried by a chief": {"carrier_rank": "chief"},
    "a clerk inside the house": {"direction": "move_inside", "zone_to": "inside", "carrier_rank": "clerk", **NOBODY},
    "My Number where the Act allows it": {"zone_to": "agency", "legal_basis": "article_19"},
    "a contractor who destroys it": {"return_way": "dispose"},
    "sent for good": {**FOR_GOOD, "zone_to": "agency", "includes": ["pi"]},
}


@pytest.mark.article("ISA-14", "P-Ⅲ2-R4", "P-Ⅱ4-2④", "P-Ⅲ7-⑨(5)", "ISA-23-9")
def test_what_may_be_approved_is_put_before_the_manager(agency: Agency) -> None:
    """一つだけ違う、認められる場合は、保護管理者の承認に届く。"""
    for name, changed in ALLOWED.items():
        carryout = agency.applies(**changed)
        assert (carryout.outcome, "approve_by_manager" in carryout.waits) == (None, True), name


@pytest.mark.article("ISA-23-9")
def test_the_basis_for_giving_my_number_must_be_said(agency: Agency) -> None:
    """個人番号を含む媒体をほかの機関に渡すときは、番号法の根拠を答えずには申請できない。含まなければ尋ねない。"""
    with pytest.raises(FormInvalid) as refused:
        agency.applies(zone_to="agency")
    assert set(refused.value.fields) == {"legal_basis"}
    assert agency.rows("case_file") == []
    assert "legal_basis" not in agency.applies(zone_to="agency", includes=["pi"], legal_basis="none").facts


# ---------------------------------------------------------------- 動かす期間


@pytest.mark.article("P-Ⅱ6-①a")
def test_an_application_comes_before_its_term(agency: Agency) -> None:
    """事前の申請なので、もう始まった期間や、終わりが始めより前の期間では申請できない。返却の期限は、期間の始めの日からにする。"""
    for wrong, field in (
        ({"window_from": (agency.clock.now() - timedelta(minutes=1)).isoformat()}, "window_from"),
        ({"window_to": (OPENS - timedelta(minutes=1)).isoformat()}, "window_to"),
        ({"return_by": "2026-11-23"}, "return_by"),
        ({"return_by": None}, "return_by"),
    ):
        with pytest.raises(FormInvalid) as refused:
            agency.applies(**wrong)
        assert set(refused.value.fields) == {field}
    assert agency.applies(return_by="2026-11-24").facts["return_by"] == "2026-11-24"


@pytest.mark.article("P-Ⅱ6-①a")
def test_an_approval_in_the_last_minute_counts_and_one_later_does_not(agency: Agency, carryout: Carryout) -> None:
    """期間が始まる一分前の承認は間に合う。始まれば、承認のそろわない申請は期限切れになる。"""
    late = agency.applies()
    agency.until(OPENS - timedelta(minutes=1))
    carryout.approved()
    agency.until(OPENS)
    carryout.waits_at("write_out")
    assert (late.outcome, late.waits) == ("期限切れ", [])


@pytest.mark.article("P-Ⅱ6-①a")
def test_work_begins_with_the_term(agency: Agency, carryout: Carryout) -> None:
    """承認がそろっても、期間が始まるまでは書出しも送り出しもできない。"""
    carryout.approved()
    carryout.waits_at()
    agency.until(OPENS - timedelta(minutes=1))
    carryout.waits_at()
    agency.until(OPENS)
    carryout.waits_at("write_out")


@pytest.mark.article("P-Ⅱ6-①a")
def test_what_has_not_left_by_the_end_of_the_term_stays(agency: Agency, carryout: Carryout) -> None:
    """期間のうちに出なければ、承認は効かなくなり、期限切れになる。台帳には何も載らない。"""
    carryout.approved()
    agency.until(CLOSES - timedelta(minutes=1))
    carryout.waits_at("write_out")
    agency.until(CLOSES)
    assert (carryout.outcome, carryout.waits, carryout.entries()) == ("期限切れ", [], [])


@pytest.mark.article("P-Ⅱ6-③")
def test_what_was_written_and_has_not_left_is_destroyed(agency: Agency, carryout: Carryout) -> None:
    """書き出した後に期間が終われば、残った媒体を消して壊してから、期限切れで終わる。"""
    carryout.approved()
    agency.until(OPENS)
    carryout.done("write_out", "witness_write_out", "check_leaving")
    agency.until(CLOSES)
    carryout.waits_at("erase")
    carryout.done("erase", "destroy")
    assert (carryout.outcome, carryout.entries()) == ("期限切れ", [])
    assert [row.state for row in carryout.entries("disposal")] == ["廃棄済", "廃棄済"]


def test_what_left_in_the_last_minute_is_out(agency: Agency, carryout: Carryout) -> None:
    """期間の終わりの一分前に送り出せば、期間が終わっても、返却を待つ。"""
    carryout.approved()
    agency.until(CLOSES - timedelta(minutes=1))
    carryout.done("write_out", "witness_write_out", "check_leaving", "confirm_leaving")
    agency.until(CLOSES + timedelta(hours=1))
    carryout.waits_at("hand_over")


# ---------------------------------------------------------------- 取消


def test_an_application_can_be_taken_back_until_something_is_written(agency: Agency, carryout: Carryout) -> None:
    """書き出す前なら、申請した人か保護管理者が、理由を付けて取り消せる。ほかの人や、書き出した後は、取り消せない。"""
    applicant = f"person:{agency.person(APPLICANT)}"
    with pytest.raises(ActionNotOffered):
        carryout.acts("cancel_application", SECURITY, cancel_reason="理由")
    with pytest.raises(FormInvalid):
        carryout.acts("cancel_application", applicant)
    carryout.acts("cancel_application", applicant, cancel_reason="障害が直った。")
    assert (carryout.outcome, carryout.waits) == ("取消", [])

    other = agency.applies()
    other.approved()
    agency.until(OPENS)
    assert agency.at(APPLICANT).offered == ["cancel_application"]
    other.done("write_out")
    assert agency.at(APPLICANT).offered == []
    with pytest.raises(ActionNotOffered):
        other.acts("cancel_application", MANAGER, cancel_reason="理由")


@pytest.mark.article("P-Ⅱ6-③")
def test_what_is_not_sent_out_after_all_is_not_left_lying_about(agency: Agency, carryout: Carryout) -> None:
    """出るときの点検で取りやめるには理由が要る。書き出した媒体は消して壊し、台帳には授受として載せない。"""
    carryout.approved()
    agency.until(OPENS)
    carryout.done("write_out", "witness_write_out")
    with pytest.raises(FormInvalid) as refused:
        agency.at(WORKER).completes("check_leaving", leaving="stop")
    assert set(refused.value.fields) == {"stop_reason"}
    agency.at(WORKER).completes("check_leaving", leaving="stop", stop_reason="委託先の都合で延びた。")
    carryout.done("erase", "destroy")
    assert (carryout.outcome, carryout.entries(), len(carryout.entries("disposal"))) == ("取消", [], 2)


def test_paper_that_is_not_sent_out_needs_nothing_more(agency: Agency) -> None:
    """書出しの無い紙の記録を取りやめたときは、そのまま取消で終わる。"""
    carryout = agency.applies(**SIMPLE)
    carryout.approved()
    agency.until(OPENS)
    agency.at(WORKER).completes("check_leaving", leaving="stop", stop_reason="要らなくなった。")
    assert (carryout.outcome, carryout.waits) == ("取消", [])


# ---------------------------------------------------------------- 書出しの立会いと暗号化（評価書 Ⅲ2 リスク1）


@pytest.fixture
def written(agency: Agency, carryout: Carryout) -> Carryout:
    """Approved, its term begun: the data is about to be written out."""
    carryout.approved()
    agency.until(OPENS)
    carryout.waits_at("write_out")
    return carryout


@pytest.mark.article("P-Ⅲ2-R1")
def test_what_is_written_out_is_encrypted_and_the_key_goes_another_way(agency: Agency, written: Carryout) -> None:
    """暗号化、認証の設定、ハッシュ値、媒体とは別の鍵の渡し方のどれが欠けても、書出しは済まない。"""
    for missing in ANSWERS["write_out"]:
        with pytest.raises(FormInvalid) as refused:
            agency.at(WORKER).completes("write_out", **{**ANSWERS["write_out"], missing: None})
        assert set(refused.value.fields) == {missing}
    with pytest.raises(FormInvalid):  # 「していない」という答えは無い
        agency.at(WORKER).completes("write_out", **{**ANSWERS["write_out"], "encryption": "no"})
    with pytest.raises(FormInvalid):  # 媒体と一緒に、という渡し方は無い
        agency.at(WORKER).completes("write_out", **{**ANSWERS["write_out"], "key_channel": "together"})
    written.done("write_out")
    written.waits_at("witness_write_out")


@pytest.mark.article("P-Ⅲ2-R1")
def test_with_jlis_the_checklist_is_asked_for(agency: Agency) -> None:
    """J-LISとの受渡しでは、協定書とチェックリストの確認も要る。ほかでは尋ねない。"""
    carryout = agency.applies(source_system="ims", zone_to="jlis")
    carryout.approved()
    agency.until(OPENS)
    with pytest.raises(FormInvalid) as refused:
        carryout.done("write_out")
    assert set(refused.value.fields) == {"checklist"}
    carryout.done("write_out", checklist="yes")
    assert carryout.facts["checklist"] == "yes"


@pytest.mark.article("P-Ⅲ2-R1")
def test_nothing_leaves_before_the_writing_was_witnessed(agency: Agency, written: Carryout) -> None:
    """書き出した人とは別の役が立ち会い、内容・暗号化・ハッシュ値の三つを確かめて初めて、出るときの点検に進む。"""
    written.done("write_out")
    written.step("witness_write_out").is_for("assistant", UNIT)
    assert written.duties["P-Ⅲ2-R1"] == "not_applicable"
    with pytest.raises(FormInvalid) as refused:
        agency.at(WITNESS).completes("witness_write_out")
    assert set(refused.value.fields) == {"witness_content", "witness_encryption", "witness_hash"}
    written.done("witness_write_out")
    written.waits_at("check_leaving")


@pytest.mark.article("P-Ⅲ2-R1")
def test_a_witness_who_finds_something_else_sends_it_back(agency: Agency, written: Carryout) -> None:
    """ハッシュ値などが違えば、理由を付けて差し戻し、書出しからやり直す。"""
    written.done("write_out")
    agency.at(WITNESS).sends_back("witness_write_out", "ハッシュ値が違う。")
    written.waits_at("write_out")
    written.done("write_out", "witness_write_out")
    written.waits_at("check_leaving")


@pytest.mark.article("P-Ⅲ2-R1")
def test_the_operator_is_not_the_witness_in_a_second_post(agency: Agency, written: Carryout) -> None:
    """書き出した人は、保護担当者を兼ねていても立ち会えない。"""
    operator = agency.appoint(agency.person(WORKER), WITNESS, kind="concurrent")
    written.done("write_out")
    with pytest.raises(SamePerson):
        agency.tries(operator, WITNESS, written, "witness_write_out")
    written.done("witness_write_out")


@pytest.mark.article("P-Ⅲ2-R1")
def test_the_operator_is_not_the_witness_as_a_deputy(agency: Agency, written: Carryout) -> None:
    """書き出した人は、保護担当者が不在でその代理をしていても立ち会えない。"""
    agency.substitutes(agency.person(WITNESS), agency.person(WORKER))
    written.done("write_out")
    with pytest.raises(SamePerson):
        agency.tries(agency.person(WORKER), None, written, "witness_write_out")
    written.waits_at("witness_write_out")


@pytest.mark.article("P-Ⅲ2-R1")
def test_only_what_is_written_out_is_witnessed(agency: Agency) -> None:
    """紙の記録と、作業のために持ち込む機器には、書出しが無い。J-LISの媒体は、持込みでも書出しに立ち会う。"""
    tool = {
        "direction": "carry_in",
        "medium": "device",
        "source_system": "other",
        "zone_from": "outside",
        "zone_to": "server_room",
        **NOBODY,
    }
    asked = ((SIMPLE, "check_leaving"), (tool, "check_leaving"), (FROM_JLIS, "write_out"), ({"medium": "device"}, "write_out"))
    applied = [(agency.applies(**changed), first) for changed, first in asked]
    for carryout, _ in applied:
        carryout.approved()
    agency.until(OPENS)
    for carryout, first in applied:
        carryout.waits_at(first)


# ---------------------------------------------------------------- 出るときの点検と台帳（評価書 Ⅱ6 ①・Ⅲ4）


@pytest.fixture
def leaving(written: Carryout) -> Carryout:
    """Written out and witnessed: about to leave."""
    written.done("write_out", "witness_write_out")
    return written


@pytest.mark.article("P-Ⅱ6-①b", "P-Ⅲ2-R2")
def test_case_seal_devices_and_number_are_checked(agency: Agency, leaving: Carryout) -> None:
    """施錠ケース、封緘、要らない機器、数のどれか一つでも確かめていなければ、出せない。"""
    for missing in ("locked_case", "seal_number", "no_devices", "counted"):
        with pytest.raises(FormInvalid) as refused:
            agency.at(WORKER).completes("check_leaving", **{**ANSWERS["check_leaving"], missing: None})
        assert set(refused.value.fields) == {missing}
    leaving.done("check_leaving")
    leaving.waits_at("confirm_leaving")


@pytest.mark.article("P-Ⅱ6-①b")
def test_two_people_check_before_it_leaves(agency: Agency, leaving: Carryout) -> None:
    """点検した人は、兼務でも代理でも二人目になれない。違っていれば二人目が差し戻す。"""
    worker = agency.appoint(agency.person(WORKER), WITNESS, kind="concurrent")
    leaving.done("check_leaving")
    with pytest.raises(SamePerson):
        agency.tries(worker, WITNESS, leaving, "confirm_leaving")
    agency.at(WITNESS).sends_back("confirm_leaving", "封が破れている。")
    leaving.waits_at("check_leaving")
    leaving.done("check_leaving", "confirm_leaving")
    assert leaving.facts["has_gone"] is True


@pytest.mark.article("P-Ⅱ6-①b")
def test_the_second_person_is_not_the_first_ones_deputy(agency: Agency, leaving: Carryout) -> None:
    """点検した人が、二人目の役の人の代理として確かめることもできない。"""
    agency.substitutes(agency.person(WITNESS), agency.person(WORKER))
    leaving.done("check_leaving")
    with pytest.raises(SamePerson):
        agency.tries(agency.person(WORKER), None, leaving, "confirm_leaving")


@pytest.mark.article("P-Ⅲ4-台帳")
def test_leaving_opens_a_row_for_each_medium(leaving: Carryout) -> None:
    """二人目が送り出すと、媒体ごとに、媒体・期限・返却の方法が授受台帳に載る。それまでは載らない。"""
    leaving.done("check_leaving")
    assert leaving.entries() == []
    leaving.done("confirm_leaving")
    rows = leaving.entries()
    assert [(row.state, said(row, "medium_id"), said(row, "return_by"), said(row, "return_way")) for row in rows] == [
        ("持出中", "F-012", "2026年11月27日", "返却する（持ち帰る、持ち出す）"),
        ("持出中", "F-013", "2026年11月27日", "返却する（持ち帰る、持ち出す）"),
    ]
    assert [said(row, "permit_number") for row in rows] == ["承R8-0001"] * 2
    assert leaving.duties["P-Ⅲ4-台帳"] == "done"


# ---------------------------------------------------------------- 受渡し（評価書 Ⅲ2 リスク2）


@pytest.fixture
def gone(carryout: Carryout) -> Carryout:
    """On its way, at nine on Tuesday."""
    carryout.goes_out()
    carryout.waits_at("hand_over")
    return carryout


@pytest.mark.article("P-Ⅲ2-R2")
def test_hand_over_is_in_office_hours_or_says_why_not(agency: Agency) -> None:
    """受渡しは業務時間のうちに行う。業務時間の外や閉庁日の受渡しは、理由がなければ記録できない。"""
    carryout = agency.applies(return_by="2026-12-25")
    carryout.goes_out()
    agency.until(datetime(2026, 11, 30, 9, 0, tzinfo=JST))
    for out_of_hours in ("2026-11-24T17:16+09:00", "2026-11-25T08:29+09:00", "2026-11-28T12:00+09:00"):
        with pytest.raises(FormInvalid) as refused:
            carryout.done("hand_over", handed_at=out_of_hours)
        assert set(refused.value.fields) == {"off_hours_reason"}
    for within in ("2026-11-24T12:00+09:00", "2026-11-24T17:15+09:00", "2026-11-25T08:30+09:00"):
        carryout.done("hand_over", handed_at=within)
        agency.at(WITNESS).sends_back("attend_hand_over", "時刻を書き直す。")
    carryout.done("hand_over", handed_at="2026-11-28T12:00+09:00", off_hours_reason="休日に行う工事に合わせた。")
    carryout.waits_at("attend_hand_over")


@pytest.mark.article("P-Ⅲ2-R2")
def test_the_other_party_signs(agency: Agency, gone: Carryout) -> None:
    """受け渡した日時、受渡し簿に署名した相手、その写しの添付のどれが欠けても、受渡しは済まない。"""
    for missing in ("handed_at", "receipt_signer", "receipt_kept"):
        given = {**ANSWERS["hand_over"], "handed_at": agency.clock.now().isoformat(), missing: None}
        with pytest.raises(FormInvalid) as refused:
            agency.at(WORKER).completes("hand_over", **given)
        assert set(refused.value.fields) == {missing}


@pytest.mark.article("P-Ⅲ2-R2")
def test_two_people_are_there_at_the_hand_over(agency: Agency, gone: Carryout) -> None:
    """受け渡した人は、兼務でも、二人目の立会いを自分で記録できない。二人目が確かめて、台帳に授受の日と署名した相手が載る。"""
    worker = agency.appoint(agency.person(WORKER), WITNESS, kind="concurrent")
    agency.until(OPENS + timedelta(hours=1))
    gone.done("hand_over")
    assert gone.duties["P-Ⅲ2-R2"] == "not_applicable"
    with pytest.raises(SamePerson):
        agency.tries(worker, WITNESS, gone, "attend_hand_over")
    gone.done("attend_hand_over")
    assert gone.duties["P-Ⅲ2-R2"] == "done"
    gone.waits_at()
    assert [(row.state, row.revision, said(row, "signer")) for row in gone.entries()] == [("持出中", 2, "委託先の作業責任者")] * 2


@pytest.mark.article("P-Ⅲ2-R2")
def test_the_second_person_at_the_hand_over_is_no_deputy_of_the_first(agency: Agency, gone: Carryout) -> None:
    """受け渡した人が、立会者の代理として立ち会うこともできない。"""
    agency.substitutes(agency.person(WITNESS), agency.person(WORKER))
    gone.done("hand_over")
    with pytest.raises(SamePerson):
        agency.tries(agency.person(WORKER), None, gone, "attend_hand_over")


@pytest.mark.article("P-Ⅲ2-R2")
def test_what_cannot_be_handed_over_comes_back(agency: Agency, gone: Carryout) -> None:
    """相手がいないなどで渡せなければ、理由を書いて持ち帰り、返却と同じように数と封を確かめる。"""
    with pytest.raises(FormInvalid) as refused:
        agency.at(WORKER).completes("hand_over", hand_over_result="brought_back")
    assert set(refused.value.fields) == {"brought_back_reason"}
    agency.at(WORKER).completes("hand_over", hand_over_result="brought_back", brought_back_reason="相手が不在だった。")
    gone.waits_at("confirm_return")
    gone.done("confirm_return", "erase", "destroy")
    assert (gone.outcome, gone.states) == ("完了", ["返却済", "返却済"])


def test_without_another_party_there_is_no_hand_over(agency: Agency) -> None:
    """相手のいない持出し・庁内の移動では、受渡しを求めず、戻るのを待つ。"""
    carryout = agency.applies(**SIMPLE)
    carryout.goes_out()
    carryout.waits_at()
    carryout.acts("return_received", returned_at="@now", returned_from="審判課の係長")
    carryout.waits_at("confirm_return")


@pytest.mark.article("P-Ⅲ4-台帳")
def test_what_is_sent_for_good_is_closed_with_the_receipt(agency: Agency) -> None:
    """返却を求めない送付は、相手の署名を確かめたところで台帳を閉じ、完了する。督促は起きない。"""
    carryout = agency.applies(
        direction="send_out", carrier_rank=None, carrier="書留", zone_to="agency", includes=["pi"], return_way="none", return_by=None
    )
    carryout.handed()
    assert (carryout.outcome, carryout.states) == ("完了", ["送付済", "送付済"])
    carryout.lets_pass(days=30)
    assert carryout.incidents == []


# ---------------------------------------------------------------- 返却と使った後の措置（規程第17条・第18条、評価書 Ⅱ6 ③・Ⅲ4）


@pytest.fixture
def out(carryout: Carryout) -> Carryout:
    """Handed over at ten on Tuesday, to come back until Friday."""
    carryout.handed()
    return carryout


@pytest.mark.article("P-Ⅲ4-返却")
def test_a_return_is_confirmed_by_number_and_seal(agency: Agency, out: Carryout) -> None:
    """戻ったら、いつ誰から戻ったかを書き、数と封緘を記録と見比べる。どちらも書かずには確認できない。"""
    with pytest.raises(FormInvalid) as refused:
        out.acts("return_received")
    assert set(refused.value.fields) == {"returned_at", "returned_from"}
    out.acts("return_received", **RETURNED)
    out.waits_at("confirm_return")
    out.step("confirm_return").is_for("assistant", UNIT)
    with pytest.raises(FormInvalid) as refused:
        agency.at(WITNESS).completes("confirm_return", return_complete="yes")
    assert set(refused.value.fields) == {"returned_count", "returned_seal", "after_return"}
    assert out.states == ["持出中", "持出中"]
    out.done("confirm_return")
    assert out.duties["P-Ⅲ4-返却"] == "done"


@pytest.mark.article("P-Ⅱ6-③", "ISA-18")
def test_my_number_on_a_medium_is_erased_and_destroyed_by_two(agency: Agency, out: Carryout) -> None:
    """個人番号の入った電子記録媒体は、保管を選んでも、使った後は完全に消し、別の人が壊す。廃棄台帳に載り、授受台帳が閉じる。"""
    out.acts("return_received", **RETURNED)
    out.done("confirm_return", after_return="keep")
    out.waits_at("erase")
    eraser = agency.appoint(agency.person(WORKER), WITNESS, kind="concurrent")
    out.done("erase")
    with pytest.raises(SamePerson):
        agency.tries(eraser, WITNESS, out, "destroy")
    assert (out.entries("disposal"), out.duties["P-Ⅱ6-③"]) == ([], "open")
    out.done("destroy")
    assert (out.outcome, out.states) == ("完了", ["返却済", "返却済"])
    rows = out.entries("disposal")
    assert [(row.state, said(row, "erasure"), said(row, "destruction")) for row in rows] == [("廃棄済", "上書き3回", "裁断")] * 2


@pytest.mark.article("P-Ⅱ6-③")
def test_whoever_erased_does_not_destroy_as_a_deputy(agency: Agency, out: Carryout) -> None:
    """消した人が、立会者の代理として壊すこともできない。消えていなければ、壊す人が差し戻す。"""
    out.acts("return_received", **RETURNED)
    agency.substitutes(agency.person(WITNESS), agency.person(WORKER))
    agency.at(WITNESS).completes("confirm_return", **ANSWERS["confirm_return"])
    out.done("erase")
    with pytest.raises(SamePerson):
        agency.tries(agency.person(WORKER), None, out, "destroy")
    agency.at(WITNESS).sends_back("destroy", "一部が読める。")
    out.waits_at("erase")


@pytest.mark.article("ISA-17", "P-Ⅱ6-①c")
def test_other_media_go_back_to_their_place(agency: Agency) -> None:
    """ほかの媒体は、消して壊すか定位置に保管するかを選ぶ。保管するときは、場所と施錠を記録する。"""
    carryout = agency.applies(includes=["pi"])
    carryout.handed()
    carryout.acts("return_received", **RETURNED)
    carryout.done("confirm_return", after_return="keep")
    carryout.waits_at("choose_storage")
    with pytest.raises(FormInvalid) as refused:
        agency.at(WORKER).completes("choose_storage", case=carryout)
    assert set(refused.value.fields) == {"storage_place", "storage_locked"}
    carryout.done("choose_storage")
    assert (carryout.outcome, carryout.states, carryout.entries("disposal")) == ("完了", ["返却済", "返却済"], [])
    assert said(carryout.entries()[0], "storage") == "保管庫1の3段目"


@pytest.mark.article("ISA-18")
def test_other_media_are_destroyed_where_that_is_chosen(agency: Agency) -> None:
    """個人番号の無い媒体でも、消して壊すと選べば、二人で消して壊す。"""
    carryout = agency.applies(includes=["pi"])
    carryout.handed()
    carryout.acts("return_received", **RETURNED)
    carryout.done("confirm_return", after_return="destroy")
    carryout.waits_at("erase")


@pytest.mark.article("P-Ⅲ4-消去", "ISA-18")
def test_the_contractors_destruction_is_proven_to_the_manager(agency: Agency) -> None:
    """相手が廃棄・消去したときは、報告書を受け、保護管理者が方法・証明・立会いを確かめて初めて台帳が閉じる。足りなければ、やり直させる。"""
    carryout = agency.applies(return_way="dispose")
    carryout.handed()
    agency.until(datetime(2026, 11, 26, 9, 0, tzinfo=JST))
    carryout.acts("disposal_reported", reported_on="2026-11-25", report_number="廃棄報告書")
    carryout.waits_at("confirm_disposal")
    manager = agency.at(MANAGER)
    with pytest.raises(FormInvalid) as refused:
        manager.completes("confirm_disposal", disposal_accepted="yes")
    assert set(refused.value.fields) == {"disposal_method", "certificate", "disposal_witness", "disposed_on"}
    manager.completes("confirm_disposal", disposal_accepted="no", disposal_missing="写真が無い。")
    carryout.waits_at()
    assert (carryout.states, carryout.outcome) == (["持出中", "持出中"], None)

    carryout.acts("disposal_reported", reported_on="2026-11-26", report_number="廃棄報告書（追加）")
    carryout.done("confirm_disposal")
    assert (carryout.outcome, carryout.states) == ("完了", ["廃棄済", "廃棄済"])
    assert [(row.state, said(row, "destruction"), said(row, "certificate")) for row in carryout.entries("disposal")] == [
        ("廃棄済", "物理的な破壊", "証-5")
    ] * 2
    assert carryout.duties["P-Ⅲ4-消去"] == "done"


@pytest.mark.article("ISA-25-1")
def test_what_does_not_come_back_whole_becomes_an_incident(agency: Agency, out: Carryout) -> None:
    """数が足りない、封が破れているなどの異常があれば、内容を書き、その場で漏えい等の事案に引き継ぐ。台帳は事案化で閉じる。"""
    out.acts("return_received", **RETURNED)
    with pytest.raises(FormInvalid) as refused:
        agency.at(WITNESS).completes("confirm_return", return_complete="no", returned_count=1, returned_seal="封-77")
    assert set(refused.value.fields) == {"return_fault"}
    agency.at(WITNESS).completes(
        "confirm_return", return_complete="no", returned_count=1, returned_seal="封-77", return_fault="一つ足りない。"
    )
    assert (out.outcome, out.states) == ("事案化", ["事案化", "事案化"])
    [incident] = out.incidents
    assert (incident.facts["event"], incident.facts["suspected"], incident.facts["owning_unit"]) == ("loss", True, UNIT)
    assert "contain_at_once" in incident.waits
    assert datetime.fromisoformat(incident.facts["known_at"]) == agency.clock.now()


# ---------------------------------------------------------------- 返却の期限（評価書 Ⅲ4、規程第25条第1項）


def told(agency: Agency, carryout: Carryout) -> dict[str, list[str]]:
    """Who has been told by a send task of the ladder since the hand-over, by the name of what told him."""
    steps = {"返却の期限が近い", "返却の督促", "返却の遅れの報告"}
    found: dict[str, list[str]] = {}
    for row in agency.rows("notice", case_id=carryout.id):
        if row["step"] in steps:
            found.setdefault(row["step"], []).append(row["person"])
    return {step: sorted(people) for step, people in found.items()}


@pytest.mark.article("P-Ⅲ4-台帳", "ISA-25-1")
def test_overdue_minute_by_minute(agency: Agency, out: Carryout) -> None:
    """期限の前日に知らせ、過ぎれば督促し、一日後に上の職へ、二日後に紛失のおそれの事案になる。どれも、その一分前には起きない。"""
    minute, day = timedelta(minutes=1), timedelta(days=1)
    applicant, worker, manager, division = (agency.person(seat) for seat in (APPLICANT, WORKER, MANAGER, DIVISION))
    near = {"返却の期限が近い": sorted([applicant, worker])}
    urged = near | {"返却の督促": sorted([applicant, worker, manager])}
    escalated = urged | {"返却の遅れの報告": sorted([manager, division])}
    for instant, expected in ((DUE - day, near), (DUE, urged), (DUE + day, escalated)):
        before = told(agency, out)
        agency.until(instant - minute)
        assert told(agency, out) == before
        agency.until(instant)
        assert told(agency, out) == expected

    agency.until(DUE + 2 * day - minute)
    assert out.incidents == []
    agency.until(DUE + 2 * day)
    [incident] = out.incidents
    assert (incident.facts["event"], incident.facts["suspected"], incident.facts["contractor"]) == ("loss", True, True)
    assert (incident.facts["holds"], incident.facts["encrypted"], incident.facts["owning_unit"]) == (["pi", "mynumber"], "yes", UNIT)
    assert incident.facts["known_at"] == "2026-11-30T00:00+09:00"
    incident.step("contain_at_once").is_for("protection_manager", UNIT)
    assert incident.due("preliminary_report") == date(2026, 12, 4)
    assert (out.outcome, out.states) == (None, ["持出中", "持出中"])


@pytest.mark.article("ISA-25-1")
def test_the_incident_is_known_at_the_due_instant_even_when_the_worker_was_down(agency: Agency, out: Carryout) -> None:
    """時間を見る仕組みが三日止まっていても、事案を知った時は、期限の二日後のままである。督促も抜けずに、遅れて届く。"""
    agency.clock.set(datetime(2026, 12, 3, 10, 0, tzinfo=JST))
    agency.run()
    [incident] = out.incidents
    assert incident.facts["known_at"] == "2026-11-30T00:00+09:00"
    clock = incident.clock("preliminary_report")
    assert clock is not None
    assert (clock.started_on, clock.day) == (date(2026, 11, 30), 4)
    assert set(told(agency, out)) == {"返却の期限が近い", "返却の督促", "返却の遅れの報告"}


@pytest.mark.article("P-Ⅲ4-返却")
@pytest.mark.parametrize("back_at", [DUE - timedelta(days=1, minutes=1), DUE - timedelta(minutes=1), DUE + timedelta(hours=47, minutes=59)])
def test_what_is_back_is_chased_no_more(agency: Agency, out: Carryout, back_at: datetime) -> None:
    """どの段でも、戻れば、その後の督促も事案も起きない。"""
    agency.until(back_at)
    out.acts("return_received", **RETURNED)
    before = told(agency, out)
    agency.until(DUE + timedelta(days=10))
    assert (told(agency, out), out.incidents) == (before, [])
    out.done("confirm_return", "erase", "destroy")
    assert out.outcome == "完了"


@pytest.mark.article("ISA-25-1")
def test_what_is_found_after_all_ends_the_case_in_its_own_way(agency: Agency, out: Carryout) -> None:
    """事案が始まっても、この案件は続く。見つかって戻れば、確かめて完了する。事案の方は、事案の手続で終える。"""
    agency.until(DUE + timedelta(days=3))
    [incident] = out.incidents
    out.acts("return_received", **RETURNED)
    out.done("confirm_return", "erase", "destroy")
    assert (out.outcome, out.states, incident.outcome) == ("完了", ["返却済", "返却済"], None)


@pytest.mark.article("ISA-25-1")
def test_what_is_not_found_is_handed_to_the_incident_that_is_there(agency: Agency, out: Carryout) -> None:
    """見つからないと保護管理者が判断すれば、事案に引き継いで終わる。事案は二つにならない。"""
    agency.until(DUE + timedelta(days=3))
    with pytest.raises(ActionNotOffered):
        out.acts("loss_found", WORKER, loss_reason="探したが無い。")
    with pytest.raises(FormInvalid):
        out.acts("loss_found", MANAGER)
    out.acts("loss_found", MANAGER, loss_reason="委託先の作業場所をすべて探したが無い。")
    assert (out.outcome, out.states, len(out.incidents)) == ("事案化", ["事案化", "事案化"], 1)


@pytest.mark.article("ISA-25-1")
def test_a_loss_noticed_early_does_not_wait_for_the_term(agency: Agency, out: Carryout) -> None:
    """期限の前でも、失くしたと分かれば、その時に知ったものとして、直ちに事案になる。"""
    out.acts("loss_found", MANAGER, loss_reason="運搬の途中で盗まれた。")
    [incident] = out.incidents
    assert datetime.fromisoformat(incident.facts["known_at"]) == agency.clock.now()
    assert (out.outcome, out.states) == ("事案化", ["事案化", "事案化"])


@pytest.mark.article("ISA-25-1")
def test_it_is_chased_from_the_moment_it_left(agency: Agency, gone: Carryout) -> None:
    """受渡しの記録が無いままでも、出た媒体の期限は進み、戻らなければ事案になる。"""
    agency.until(DUE + timedelta(days=2))
    assert len(gone.incidents) == 1
    gone.waits_at("hand_over")


@pytest.mark.article("P-Ⅲ4-消去")
def test_an_insufficient_report_does_not_stop_the_term(agency: Agency) -> None:
    """廃棄の報告が足りずにやり直しになれば、期限はまた進む。過ぎていれば事案になり、事案は二つにならない。"""
    carryout = agency.applies(return_way="dispose")
    carryout.handed()
    agency.until(DUE - timedelta(hours=1))
    for days, incidents in ((3, 1), (6, 1)):
        carryout.acts("disposal_reported", reported_on="2026-11-25", report_number="廃棄報告書")
        agency.at(MANAGER).completes("confirm_disposal", case=carryout, disposal_accepted="no", disposal_missing="写真が無い。")
        agency.until(DUE + timedelta(days=days))
        assert len(carryout.incidents) == incidents


@pytest.mark.article("ISA-31")
def test_the_office_decides_by_its_own_figures(agency: Agency, tmp_path: Path) -> None:
    """日数と、事案とするかどうかは、細目の数字による。事案としないと決めていれば、督促と報告だけで、事案は始まらない。"""
    shutil.copytree(ROOT / "bpmn", tmp_path / "bpmn")
    rules = tmp_path / "bpmn" / "isa" / "rules.toml"
    text = rules.read_text("utf-8")
    for old, new in (
        (
            'id = "media_incident"\nname = "返却の期限を過ぎた媒体を、自動で事案とするか"\nvalue = true',
            'id = "media_incident"\nname = "自動"\nvalue = false',
        ),
        ('name = "返却の期限の何日後に上の職へ知らせるか"\nvalue = 1', 'name = "上の職"\nvalue = 4'),
    ):
        assert old in text
        text = text.replace(old, new)
    rules.write_text(text, "utf-8")
    before, agency.engine = agency.engine, make_engine(str(agency.engine.database.url), agency.clock, isa=True, bpmn=tmp_path / "bpmn")
    try:
        carryout = agency.applies()
        carryout.handed()
        agency.until(DUE + timedelta(days=3))
        assert set(told(agency, carryout)) == {"返却の期限が近い", "返却の督促"}
        agency.until(DUE + timedelta(days=10))
        assert set(told(agency, carryout)) == {"返却の期限が近い", "返却の督促", "返却の遅れの報告"}
        assert carryout.incidents == []
    finally:
        agency.engine.close()
        agency.engine = before


# ---------------------------------------------------------------- 台帳（規程第19条第1項、評価書 Ⅲ4）


@pytest.mark.article("P-Ⅲ4-台帳")
def test_a_row_is_kept_five_fiscal_years(agency: Agency) -> None:
    """台帳は、授受の翌年度の初日から5年保管する。2026年11月21日の授受なら、2032年3月31日まで。"""
    saturday = datetime(2026, 11, 21, 9, 0, tzinfo=JST)
    carryout = agency.applies(window_from=saturday.isoformat(), window_to=(saturday + timedelta(hours=8)).isoformat())
    carryout.approved()
    agency.until(saturday)
    carryout.done("write_out", "witness_write_out", "check_leaving", "confirm_leaving")
    carryout.done("hand_over", off_hours_reason="休日に行う工事に合わせた。")
    carryout.done("attend_hand_over")
    carryout.acts("return_received", **RETURNED)
    carryout.done("confirm_return", "erase", "destroy")
    assert [(said(row, "transferred_on"), row.kept_until) for row in carryout.entries()] == [("2026年11月21日", date(2032, 3, 31))] * 2
    assert [row.kept_until for row in carryout.entries("disposal")] == [None, None]


@pytest.mark.article("ISA-19-1")
def test_the_ledger_is_the_units_and_its_supervisors(agency: Agency, gone: Carryout) -> None:
    """授受台帳は、監査や情報セキュリティの役がすべてを、ほかの課の人は自分の見られる案件の分だけを読める。相手の名は、案件を見ない人には伏せる。"""
    pages = {
        seat: agency.engine.ledgers.page(agency.viewer(seat), "transfer").rows
        for seat in (AUDITOR, "general_protection_manager@isa", "staff@enforcement")
    }
    assert [len(rows) for rows in pages.values()] == [2, 2, 0]
    [cell, *_] = [row.cell("counterpart") for row in pages["general_protection_manager@isa"]]
    assert cell is not None
    assert cell.masked
    with pytest.raises(CaseNotFound):
        agency.engine.case(agency.viewer("staff@enforcement"), gone.id)


@pytest.mark.article("P-Ⅱ6-①a")
def test_the_permit_can_be_carried_along_once_all_have_approved(agency: Agency, carryout: Carryout) -> None:
    """承認がそろって許可の番号が付けば、許可書を作れる。それまでは無い。"""
    worker = agency.viewer(MANAGER)
    with pytest.raises(NotFound):
        agency.engine.paper(worker, carryout.id, "media_permit")
    carryout.approved()
    permit = agency.engine.paper(worker, carryout.id, "media_permit")
    text = str(permit)
    for said_there in (
        "承R8-0001",
        "在留申請オンラインシステムの障害の調査",
        "運用保守の委託先の作業場所",
        "審判課の係長",
        "F-012",
        "F-013",
    ):
        assert said_there in text


# ---------------------------------------------------------------- シナリオ


@pytest.mark.parametrize("name", sorted(path.name for path in SCENARIOS.glob("media_carryout_*.yaml")))
def test_the_scenarios_play_to_their_end(name: str) -> None:
    """シナリオ（tadachi play で動かすもの）は、終わりまで通る。"""
    heard: list[str] = []
    demo.play(SCENARIOS / name, "isa", heard.append)
    assert heard[-1].startswith("案件は終わりました")
