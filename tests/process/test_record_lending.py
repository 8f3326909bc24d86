"""記録の貸出し（特定個人情報保護評価書 Ⅲ7 ⑨の再発防止策(2)）：書庫からの持出しと他の署への貸出しは、その都度二人で確かめ、台帳に残す。

期限を過ぎた記録は、予告、督促、上位への知らせを経て、滅失の疑いのある事案になる（規程第25条第1項）。
"""

from __future__ import annotations

import shutil
from collections.abc import Mapping
from datetime import date, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from engine import JST, ActionNotOffered, CaseNotFound, FormInvalid, NotAllowed, SamePerson, TaskNotFound, civil_day
from tests.process.conftest import UNIT, Case, Office, Official
from tests.support import make_engine
from webui import demo

BPMN = Path(__file__).parents[2] / "bpmn"
SCENARIOS = BPMN / "isa" / "scenarios"
CUSTODIAN = "document_custodian@immigration_control"
MANAGER, STAFF, DIVISION = f"protection_manager.{UNIT}", f"staff.{UNIT}", "division_protection_manager.immigration_control"

#: What is borrowed, on a Friday evening, until the Friday after.
REQUEST: Mapping[str, Any] = {
    "title": "確認のための記録の貸出し",
    "owning_unit": UNIT,
    "lending_kind": "other_office",
    "records": [{"record": "審判記録 第12号", "volumes": "2"}, {"record": "審判記録 第15号", "volumes": "1"}],
    "records_total": 3,
    "holds": ["pi"],
    "borrower": "警備課",
    "purpose": "護送の準備のため、経過を確かめる。",
    "return_by": "2026-11-27",
}


class Lending(Case):
    """One lending."""

    @property
    def rows(self) -> list[Any]:
        """Its rows in the lending ledger, as the auditor reads them."""
        page = self.office.engine.ledgers.page(self.office.viewer("audit_officer@isa"), "lending")
        return sorted((row for row in page.rows if row.case_id == self.id), key=lambda row: row.entry)

    @property
    def states(self) -> list[str]:
        """The states of its rows."""
        return [row.state for row in self.rows]

    def says(self, column: str) -> list[str]:
        """What a column of its rows says, in words."""
        return [cell.text for row in self.rows for cell in row.cells if cell.column == column]

    @property
    def incidents(self) -> list[Case]:
        """The incidents it has begun."""
        page = self.office.engine.case(self.office.viewer("audit_officer@isa"), self.id)
        return [Case(self.office, one.id) for one in page.linked if one.id is not None]


class Archive(Office):
    """The agency as it lends its records."""

    def asks(self, seat: str = "staff@enforcement", **answers: Any) -> Lending:
        """Somebody asks for records of 審判課."""
        with self.acting(seat) as work:
            number = work.start("isa_record_lending", {**REQUEST, **answers})
        self.run()
        self.current = made = Lending(self, number)
        return made

    def lends(self, **answers: Any) -> Lending:
        """Records are lent: asked for, approved, counted by two."""
        lending = self.asks(**answers)
        self.at(f"protection_manager@{UNIT}").completes("approve_lending", lending_decision="approved")
        self.at(f"staff@{UNIT}").completes("check_out_by_staff", out_count=3)
        self.at(CUSTODIAN).completes("check_out_by_custodian", out_count_again=3)
        return lending

    def until(self, text: str) -> None:
        """Time passes until an instant of Japanese time."""
        self.pass_time(seconds=(datetime.fromisoformat(text).replace(tzinfo=JST) - self.clock.now()).total_seconds())


@pytest.fixture
def office(office: Office) -> Archive:
    """The office of conftest, with the sentences about lending."""
    return Archive(office.engine, office.clock, "isa")


@pytest.fixture
def archive(office: Archive) -> Archive:
    """The agency as it lends its records."""
    return office


class Applicant(Official):
    """Whoever applied: acts in his own name, from no seat."""

    def does(self, action: str, *, case: Case | None = None, **answers: Any) -> None:
        """Do one of the actions that the case offers to who applied."""
        with self.office.engine.work(by=self.office.person(self.seat), seat=None) as work:
            work.act((case or self.office.current).id, action, answers)
        self.office.run()


@pytest.fixture
def borrower(archive: Archive) -> Applicant:
    """The official of 警備課 who borrows."""
    return Applicant(archive, "staff@enforcement")


@pytest.fixture
def custodian(archive: Archive) -> Official:
    """文書取扱責任者 of 出入国管理部."""
    return archive.at(CUSTODIAN)


@pytest.fixture
def lending(archive: Archive) -> Lending:
    """Records of 審判課 that are out until the end of Friday, 27 November."""
    return archive.lends()


# ---------------------------------------------------------------- 申請と承認（規程第14条）


@pytest.mark.article("ISA-14", "P-Ⅲ7-⑨(2)")
def test_whoever_keeps_the_records_decides_whether_they_are_lent(archive: Archive, manager: Official, other_manager: Official) -> None:
    """借りる側の長ではなく、記録を保管する部署の保護管理者が、貸し出してよいかを決める。"""
    lending = archive.asks()
    lending.waits_at("approve_lending")
    lending.step("approve_lending").is_for("protection_manager", UNIT)
    assert (other_manager.inbox, archive.case(lending.id)["number"], archive.case(lending.id)["title"]) == (
        [], "貸R8-0001", "確認のための記録の貸出し",
    )  # fmt: skip
    manager.completes("approve_lending", lending_decision="approved", lending_condition="課の外に持ち出さない。")
    lending.waits_at("check_out_by_staff")
    assert (lending.duties["ISA-14"], lending.states) == ("not_applicable", [])


@pytest.mark.article("ISA-14")
def test_what_is_refused_is_not_lent(archive: Archive, manager: Official) -> None:
    """承認されなければ貸し出されない。承認しないときは理由が要る。"""
    lending = archive.asks()
    with pytest.raises(FormInvalid) as refused:
        manager.completes("approve_lending", lending_decision="refused")
    assert set(refused.value.fields) == {"lending_condition"}
    manager.completes("approve_lending", lending_decision="refused", lending_condition="写しで足りる。")
    assert (lending.outcome, lending.states) == ("不承認", [])


@pytest.mark.article("ISA-14")
def test_who_asks_does_not_approve_by_whatever_post(archive: Archive, division: Official) -> None:
    """申請した人は、兼務で保護管理者に就いていても、保護管理者の代理になっていても、承認できない。"""
    archive.appoint("staff.enforcement", f"protection_manager@{UNIT}", kind="concurrent")
    today = civil_day(archive.clock.now())
    archive.engine.personnel.register_deputy(
        archive.viewer("administrator@isa"), MANAGER, "staff.enforcement",
        kind="substitute", seat="", basis="規程第5条", valid_from=today, valid_to=date(2027, 3, 31),
    )  # fmt: skip
    lending = archive.asks()
    step = lending.step("approve_lending").row["id"]
    for seat in (f"protection_manager@{UNIT}", None):
        with pytest.raises(SamePerson), archive.engine.work(by="staff.enforcement", seat=seat) as work:
            work.complete(step, {"lending_decision": "approved"})
    with archive.engine.work(by=MANAGER, seat=f"protection_manager@{UNIT}") as work:
        work.complete(step, {"lending_decision": "approved"})
    lending.waits_at("check_out_by_staff")


@pytest.mark.article("ISA-14")
def test_the_managers_own_request_goes_to_the_next_in_order(archive: Archive, manager: Official, division: Official) -> None:
    """保護管理者が自分で借りるときは、次の順位の部課等保護管理者が承認する。"""
    lending = archive.asks(seat=f"protection_manager@{UNIT}")
    assert (manager.inbox, division.inbox) == ([], ["approve_lending"])
    with pytest.raises(SamePerson):
        manager.completes("approve_lending", lending_decision="approved")
    division.completes("approve_lending", lending_decision="approved")
    lending.waits_at("check_out_by_staff")


@pytest.mark.article("P-Ⅲ7-⑨(2)")
def test_what_is_asked_for_is_told_record_by_record_and_by_when(archive: Archive) -> None:
    """何を、合わせて幾つ、いつまで、何のために借りるかを書かなければ申請できない。期限は過ぎた日にできない。"""
    for missing in ("records", "records_total", "return_by", "purpose", "holds", "borrower"):
        with pytest.raises(FormInvalid) as refused:
            archive.asks(**{missing: None})
        assert set(refused.value.fields) == {missing}
    with pytest.raises(FormInvalid) as refused:
        archive.asks(return_by="2026-11-19", records_total=0)
    assert set(refused.value.fields) == {"return_by", "records_total"}


# ---------------------------------------------------------------- 持出しのときの二人の確認


@pytest.mark.article("P-Ⅲ7-⑨(2)", "ISA-19-1")
def test_two_people_count_before_it_is_lent_and_the_ledger_says_so(
    archive: Archive, staff: Official, manager: Official, custodian: Official
) -> None:
    """職員と文書取扱責任者の二人が数えて初めて貸出中になり、記録ごとに台帳に載る。"""
    lending = archive.asks()
    manager.completes("approve_lending", lending_decision="approved")
    lending.step("check_out_by_staff").is_for("staff", UNIT)
    staff.completes("check_out_by_staff", out_count=3, out_condition="封かん済み")
    assert lending.states == []
    lending.step("check_out_by_custodian").is_for("document_custodian", "immigration_control")
    custodian.completes("check_out_by_custodian", out_count_again=3)
    lending.waits_at()
    assert (lending.states, lending.says("record")) == (["貸出中", "貸出中"], ["審判記録 第12号", "審判記録 第15号"])
    assert (lending.says("volumes"), lending.says("out_count"), set(lending.says("return_by"))) == (
        ["2", "1"],
        ["3", "3"],
        {"2026年11月27日"},
    )
    assert lending.duties == {"P-Ⅲ7-⑨(2)": "done", "ISA-14": "done"}


@pytest.mark.article("P-Ⅲ7-⑨(2)")
def test_one_person_cannot_be_both(archive: Archive, staff: Official, manager: Official, custodian: Official) -> None:
    """一人目に数えた人は、文書取扱責任者を兼ねていても二人目になれず、文書取扱責任者が別にいれば、その人が確かめる。"""
    archive.appoint(STAFF, CUSTODIAN, kind="concurrent")
    lending = archive.asks()
    manager.completes("approve_lending", lending_decision="approved")
    staff.completes("check_out_by_staff", out_count=3)
    step = lending.step("check_out_by_custodian").row["id"]
    with pytest.raises(SamePerson), archive.engine.work(by=STAFF, seat=CUSTODIAN) as work:
        work.complete(step, {"out_count_again": 3})
    with archive.engine.work(by="document_custodian.immigration_control", seat=CUSTODIAN) as work:
        work.complete(step, {"out_count_again": 3})
    assert lending.states == ["貸出中", "貸出中"]


@pytest.mark.article("P-Ⅲ7-⑨(2)")
def test_a_deputy_counts_for_his_principal_and_not_against_himself(archive: Archive, staff: Official, manager: Official) -> None:
    """文書取扱責任者の代理が一人目に数えていたら、代理としても二人目になれない。代理のした確認は本人のした確認でもある。"""
    today = civil_day(archive.clock.now())
    archive.engine.personnel.register_deputy(
        archive.viewer("administrator@isa"), "document_custodian.immigration_control", STAFF,
        kind="substitute", seat="", basis="規程第6条", valid_from=today, valid_to=date(2027, 3, 31),
    )  # fmt: skip
    lending = archive.asks()
    manager.completes("approve_lending", lending_decision="approved")
    staff.completes("check_out_by_staff", out_count=3)
    with pytest.raises(SamePerson), archive.engine.work(by=STAFF, seat=None) as work:
        work.complete(lending.step("check_out_by_custodian").row["id"], {"out_count_again": 3})


@pytest.mark.article("P-Ⅲ7-⑨(2)")
def test_who_borrows_is_not_the_second_to_count(archive: Archive, manager: Official, staff: Official) -> None:
    """借りる人が文書取扱責任者でも、自分の借りる記録の二人目の確認はできず、次の順位の役に回る。"""
    lending = archive.asks(seat=CUSTODIAN)
    manager.completes("approve_lending", lending_decision="approved")
    staff.completes("check_out_by_staff", out_count=3)
    with pytest.raises(SamePerson):
        archive.at(CUSTODIAN).completes("check_out_by_custodian", out_count_again=3)
    assert "check_out_by_custodian" not in archive.at(CUSTODIAN).inbox
    lending.waits_at("check_out_by_custodian")


@pytest.mark.article("P-Ⅲ7-⑨(2)")
@pytest.mark.parametrize(("first", "second"), [(3, 2), (2, 3), (2, 2)])
def test_nothing_is_lent_while_the_counts_differ(
    archive: Archive, staff: Official, manager: Official, custodian: Official, first: int, second: int
) -> None:
    """二人の数と申請の合計がそろわなければ、貸し出さずに数え直す。一人目がもう一度、二人目がもう一度数える。"""
    lending = archive.asks()
    manager.completes("approve_lending", lending_decision="approved")
    staff.completes("check_out_by_staff", out_count=first)
    custodian.completes("check_out_by_custodian", out_count_again=second)
    lending.waits_at("check_out_by_staff")
    assert lending.states == []
    staff.completes("check_out_by_staff", out_count=3)
    custodian.completes("check_out_by_custodian", out_count_again=3)
    assert lending.states == ["貸出中", "貸出中"]


@pytest.mark.article("P-Ⅲ7-⑨(2)")
def test_the_second_may_send_the_first_back_to_count(archive: Archive, staff: Official, manager: Official, custodian: Official) -> None:
    """二人目がおかしいと思えば、理由を付けて一人目に差し戻す。"""
    lending = archive.asks()
    manager.completes("approve_lending", lending_decision="approved")
    staff.completes("check_out_by_staff", out_count=3)
    custodian.sends_back("check_out_by_custodian", "封が無い。")
    lending.waits_at("check_out_by_staff")


@pytest.mark.article("P-Ⅲ7-⑨(2)")
def test_a_request_can_be_taken_back_until_the_records_are_out(
    archive: Archive, borrower: Applicant, manager: Official, custodian: Official, lending: Lending
) -> None:
    """要らなくなれば、持ち出すまでは取り消せる。持ち出した後は、返すほかに終わりようがない。"""
    with pytest.raises(ActionNotOffered):
        borrower.does("cancel_lending", cancel_reason="要らなくなった。")
    early = archive.asks()
    manager.completes("approve_lending", lending_decision="approved")
    with pytest.raises((NotAllowed, CaseNotFound, ActionNotOffered)):
        custodian.does("cancel_lending", cancel_reason="要らない。")
    with pytest.raises(FormInvalid):
        borrower.does("cancel_lending")
    borrower.does("cancel_lending", cancel_reason="写しで足りた。")
    assert (early.outcome, early.states) == ("取消し", [])


@pytest.mark.article("P-Ⅲ7-⑨(2)")
def test_neighbours_see_nothing_of_it(archive: Archive, lending: Lending, other_division: Official) -> None:
    """関わりのない部署には、案件も台帳の行も見えない。台帳をすべて読めるのは、監査責任者と総括保護管理者である。"""
    assert not other_division.sees(lending)
    ledgers = archive.engine.ledgers
    assert ledgers.page(archive.viewer("audit_officer@isa"), "lending").rows
    assert ledgers.page(archive.viewer("general_protection_manager@isa"), "lending").rows
    assert list(ledgers.page(archive.viewer(f"staff@{UNIT}"), "lending").rows) != []
    assert all(row.case_id is None for row in ledgers.page(archive.viewer("general_protection_manager@isa"), "lending").rows)


# ---------------------------------------------------------------- 返却のときの二人の確認


@pytest.mark.article("P-Ⅲ7-⑨(2)", "ISA-19-1")
def test_two_people_count_again_when_it_comes_back(archive: Archive, lending: Lending, staff: Official, custodian: Official) -> None:
    """返ってきたら、もう一度二人で数えて、台帳を閉じる。台帳は翌年度の初日から5年残す。"""
    archive.until("2026-11-24T10:00")
    staff.does("records_returned", returned_by="警備課 職員")
    lending.waits_at("check_return_by_staff")
    assert lending.states == ["貸出中", "貸出中"]
    staff.completes("check_return_by_staff", back_count=3)
    lending.waits_at("check_return_by_custodian")
    custodian.completes("check_return_by_custodian", back_count_again=3, return_result="complete")
    assert (lending.outcome, lending.states, lending.incidents) == ("返却", ["返却済", "返却済"], [])
    assert set(lending.says("returned_at")) == {"2026年11月24日 10:00"}
    assert {row.kept_until for row in lending.rows} == {date(2032, 3, 31)}


@pytest.mark.article("P-Ⅲ7-⑨(2)")
def test_one_person_cannot_count_it_back_twice(archive: Archive, lending: Lending, staff: Official, custodian: Official) -> None:
    """返却の確認も、別の二人で行う。文書取扱責任者が一人目を兼ねても、二人目は別の人になる。"""
    archive.appoint("document_custodian.immigration_control", f"staff@{UNIT}", kind="concurrent")
    custodian.does("records_returned", returned_by="警備課 職員")
    with archive.engine.work(by="document_custodian.immigration_control", seat=f"staff@{UNIT}") as work:
        work.complete(lending.step("check_return_by_staff").row["id"], {"back_count": 3})
    archive.run()
    with pytest.raises(SamePerson):
        custodian.completes("check_return_by_custodian", back_count_again=3, return_result="complete")
    assert lending.states == ["貸出中", "貸出中"]


@pytest.mark.article("P-Ⅲ7-⑨(2)", "ISA-25-1")
@pytest.mark.parametrize(
    ("back", "again", "result"), [(2, 2, "missing"), (3, 3, "missing"), (2, 3, "complete"), (3, 2, "complete"), (4, 3, "complete")]
)
def test_what_is_missing_when_it_comes_back_is_an_incident_at_once(
    archive: Archive, lending: Lending, staff: Official, custodian: Official, manager: Official, back: int, again: int, result: str
) -> None:
    """足りないか、中身が欠けているか、二人の数が合わなければ、その場で滅失の疑いのある事案になり、保管する部署の保護管理者に届く。"""
    archive.until("2026-11-24T10:00")
    staff.does("records_returned", returned_by="警備課 職員")
    staff.completes("check_return_by_staff", back_count=back)
    custodian.completes("check_return_by_custodian", back_count_again=again, return_result=result, back_note="第15号が見当たらない。")
    assert (lending.outcome, lending.states) == ("亡失・不足（事案で扱う）", ["亡失・不足", "亡失・不足"])
    [incident] = lending.incidents
    facts = incident.facts
    assert {name: facts[name] for name in ("event", "suspected", "holds", "owning_unit", "known_at")} == {
        "event": "loss", "suspected": True, "holds": ["pi"], "owning_unit": UNIT, "known_at": "2026-11-24T10:00+09:00",
    }  # fmt: skip
    incident.step("contain_at_once").is_for("protection_manager", UNIT)
    assert "contain_at_once" in manager.inbox
    assert set(lending.says("incident")) == {archive.case(incident.id)["number"]}


@pytest.mark.article("P-Ⅲ7-⑨(2)")
def test_missing_asks_for_what_is_missing(lending: Lending, staff: Official, custodian: Official) -> None:
    """足りないとするなら、何が足りないかを書く。"""
    staff.does("records_returned", returned_by="警備課 職員")
    staff.completes("check_return_by_staff", back_count=2)
    with pytest.raises(FormInvalid) as refused:
        custodian.completes("check_return_by_custodian", back_count_again=2, return_result="missing")
    assert set(refused.value.fields) == {"back_note"}


# ---------------------------------------------------------------- 期限


@pytest.mark.article("P-Ⅲ7-⑨(2)", "ISA-25-1")
def test_the_term_is_watched_day_by_day(
    archive: Archive, lending: Lending, borrower: Applicant, staff: Official, manager: Official, division: Official, custodian: Official
) -> None:
    """期限の前日に予告、期限の日が終われば督促、翌日の終わりに上位へ、2日過ぎたら滅失の疑いのある事案になる。"""
    archive.until("2026-11-26T23:59")
    assert "step_told" not in borrower.notices
    archive.until("2026-11-27T00:00")
    assert (borrower.notices[-1], staff.notices[-1]) == ("step_told", "step_told")

    archive.until("2026-11-27T23:59")
    assert ("remind" in borrower.notices, lending.states) == (False, ["貸出中", "貸出中"])
    archive.until("2026-11-28T00:00")
    assert (borrower.notices[-1], manager.notices[-1]) == ("remind", "remind")
    assert lending.states == ["期限超過", "期限超過"]
    assert "escalate" not in division.notices

    archive.until("2026-11-29T00:00")
    assert (division.notices[-1], custodian.notices[-1]) == ("escalate", "escalate")

    archive.until("2026-11-29T23:59")
    assert lending.incidents == []
    archive.until("2026-11-30T00:00")
    [incident] = lending.incidents
    assert (lending.states, incident.facts["known_at"]) == (["事案化", "事案化"], "2026-11-30T00:00+09:00")
    assert (incident.facts["event"], incident.facts["suspected"], incident.facts["owning_unit"]) == ("loss", True, UNIT)
    assert archive.case(incident.id)["title"] == "貸し出した記録が、期限を過ぎても返らない（貸出しの手続からの自動の知らせ）"
    assert (lending.outcome, set(lending.says("incident"))) == (None, {archive.case(incident.id)["number"]})
    assert incident.duties["ISA-25-1"] == "done"


@pytest.mark.article("ISA-25-1")
def test_the_day_of_knowledge_is_the_day_it_lapsed_however_late_a_worker_comes(archive: Archive, lending: Lending) -> None:
    """機械が1週間止まっていても、知った日時は定めた日数が過ぎた時のままで、法令の期限もそこから数える。"""
    archive.clock.set(datetime(2026, 12, 7, 9, 0, tzinfo=JST))
    archive.run()
    [incident] = lending.incidents
    assert incident.facts["known_at"] == "2026-11-30T00:00+09:00"
    assert incident.facts["backdate_reason"] == "定めた日数が過ぎた時を、知った日時とした。"
    assert incident.due("preliminary_report") in (None, date(2026, 12, 4))


@pytest.mark.article("P-Ⅲ7-⑨(2)")
def test_what_comes_back_in_time_troubles_nobody(archive: Archive, lending: Lending, staff: Official, borrower: Applicant) -> None:
    """期限の日のうちに返れば、督促も事案も無い。確認が翌日になっても、返ったことは変わらない。"""
    archive.until("2026-11-27T23:50")
    staff.does("records_returned", returned_by="警備課 職員")
    archive.pass_time(days=5)
    assert ("remind" in borrower.notices, lending.incidents, lending.states) == (False, [], ["貸出中", "貸出中"])


@pytest.mark.article("P-Ⅲ7-⑨(2)")
def test_what_comes_back_after_it_became_an_incident_is_counted_as_ever(
    archive: Archive, lending: Lending, staff: Official, custodian: Official
) -> None:
    """事案になってから返っても、二人で数えて台帳を閉じる。事案は別に続く。足りなくても、事案は増えない。"""
    archive.until("2026-11-30T09:00")
    staff.does("records_returned", returned_by="警備課 職員")
    staff.completes("check_return_by_staff", back_count=2)
    custodian.completes("check_return_by_custodian", back_count_again=2, return_result="missing", back_note="第15号が無い。")
    assert (lending.outcome, lending.states, len(lending.incidents)) == ("亡失・不足（事案で扱う）", ["亡失・不足"] * 2, 1)


@pytest.mark.article("P-Ⅲ7-⑨(2)", "ISA-25-1")
def test_only_after_the_time_is_over_can_it_be_given_up(archive: Archive, lending: Lending, manager: Official, staff: Official) -> None:
    """返らないものとして終えられるのは、日数が過ぎてから、保護管理者だけである。事案は必ずつながる。"""
    archive.until("2026-11-29T12:00")
    with pytest.raises(ActionNotOffered):
        manager.does("give_up", loss_reason="捜したが無い。")
    archive.until("2026-11-30T09:00")
    with pytest.raises((NotAllowed, ActionNotOffered)):
        staff.does("give_up", loss_reason="捜したが無い。")
    manager.does("give_up", loss_reason="捜したが無い。")
    assert (lending.outcome, lending.states, len(lending.incidents)) == ("亡失・不足（事案で扱う）", ["亡失・不足"] * 2, 1)


@pytest.mark.article("ISA-25-1")
def test_where_the_office_leaves_it_to_people_giving_up_begins_the_incident(archive: Archive, manager: Official, tmp_path: Path) -> None:
    """自動では事案にしないと細目で定めても、返らないものとして終えるときには事案になる。"""
    shutil.copytree(BPMN, tmp_path / "bpmn")
    rules = tmp_path / "bpmn" / "isa" / "rules.toml"
    said = rules.read_text("utf-8")
    before = 'name = "返らない記録を自動で事案にするか"\nvalue = true'
    assert before in said
    rules.write_text(said.replace(before, before.replace("true", "false")), "utf-8")
    office = Archive(make_engine(f"sqlite:///{tmp_path / 'isa.sqlite'}", archive.clock, bpmn=tmp_path / "bpmn"), archive.clock, "isa")
    lending = office.lends()
    office.until("2026-12-01T09:00")
    assert (lending.states, lending.incidents) == (["期限超過", "期限超過"], [])
    office.at(manager.seat).does("give_up", loss_reason="捜したが無い。")
    assert (len(lending.incidents), lending.states) == (1, ["亡失・不足"] * 2)
    office.engine.close()


# ---------------------------------------------------------------- 延長


@pytest.mark.article("ISA-14")
def test_an_extension_is_approved_and_the_watch_begins_anew(
    archive: Archive, lending: Lending, borrower: Applicant, manager: Official
) -> None:
    """延長は、いまの期限の見守りを止めずに申請し、承認されれば新しい期限で予告からやり直す。"""
    archive.until("2026-11-27T10:00")
    borrower.does("request_extension", new_return_by="2026-12-11", extension_reason="護送が延びた。")
    lending.waits_at("approve_extension")
    assert set(lending.says("return_by")) == {"2026年11月27日"}
    archive.until("2026-11-28T09:00")
    assert lending.states == ["期限超過", "期限超過"]
    manager.completes("approve_extension", extension_decision="approved")
    assert (lending.states, set(lending.says("return_by"))) == (["貸出中", "貸出中"], {"2026年12月11日"})
    before = len(borrower.notices)
    archive.until("2026-12-11T00:00")
    assert borrower.notices[before:] == ["step_told"]
    archive.until("2026-12-12T00:00")
    assert lending.states == ["期限超過", "期限超過"]
    archive.until("2026-12-14T00:00")
    assert len(lending.incidents) == 1


@pytest.mark.article("ISA-14")
def test_a_refused_extension_changes_nothing(archive: Archive, lending: Lending, borrower: Applicant, manager: Official) -> None:
    """延長が認められなければ、期限はそのままで、もう一度申請することもできる。"""
    borrower.does("request_extension", new_return_by="2026-12-11", extension_reason="護送が延びた。")
    with pytest.raises(ActionNotOffered):
        borrower.does("request_extension", new_return_by="2026-12-12", extension_reason="護送が延びた。")
    with pytest.raises(FormInvalid):
        manager.completes("approve_extension", extension_decision="refused")
    manager.completes("approve_extension", extension_decision="refused", extension_note="写しで足りる。")
    assert set(lending.says("return_by")) == {"2026年11月27日"}
    archive.until("2026-11-28T00:00")
    assert lending.states == ["期限超過", "期限超過"]
    borrower.does("request_extension", new_return_by="2026-12-11", extension_reason="護送が延びた。")
    lending.waits_at("approve_extension")


@pytest.mark.article("ISA-14")
def test_an_extension_goes_forward_only(lending: Lending, borrower: Applicant) -> None:
    """新しい期限は、いまの期限より前にできない。"""
    with pytest.raises(FormInvalid) as refused:
        borrower.does("request_extension", new_return_by="2026-11-26", extension_reason="護送が延びた。")
    assert set(refused.value.fields) == {"new_return_by"}


@pytest.mark.article("ISA-14")
def test_who_asks_for_more_time_does_not_grant_it(archive: Archive, lending: Lending, manager: Official, division: Official) -> None:
    """延長を申請した職員が保護管理者を兼ねていても、その延長は承認できない。"""
    archive.appoint(MANAGER, f"staff@{UNIT}", kind="concurrent")
    with archive.engine.work(by=MANAGER, seat=f"staff@{UNIT}") as work:
        work.act(lending.id, "request_extension", {"new_return_by": "2026-12-11", "extension_reason": "確認が延びた。"})
    archive.run()
    assert (manager.inbox, division.inbox) == ([], ["approve_extension"])
    with pytest.raises((SamePerson, TaskNotFound)):
        manager.completes("approve_extension", extension_decision="approved")
    division.completes("approve_extension", extension_decision="approved")
    assert set(lending.says("return_by")) == {"2026年12月11日"}


@pytest.mark.article("P-Ⅲ7-⑨(2)")
def test_a_return_makes_an_open_request_for_more_time_pointless(
    lending: Lending, borrower: Applicant, staff: Official, manager: Official
) -> None:
    """延長の返事を待つ間に返れば、延長の承認は要らなくなる。"""
    borrower.does("request_extension", new_return_by="2026-12-11", extension_reason="護送が延びた。")
    staff.does("records_returned", returned_by="警備課 職員")
    lending.waits_at("check_return_by_staff")
    assert manager.inbox == []


# ---------------------------------------------------------------- シナリオ


@pytest.mark.parametrize(("file", "ends"), [("record_lending.yaml", "返却"), ("record_lending_overdue.yaml", "亡失・不足（事案で扱う）")])
def test_the_scenarios_play_to_their_ends(file: str, ends: str) -> None:
    """シナリオ（tadachi play で動かすもの）は、延長して返る場合と、返らずに事案になる場合の終わりまで通る。"""
    said: list[str] = []
    demo.play(SCENARIOS / file, "isa", said.append)
    assert said[-1] == f"案件は終わりました（{ends}）。"


def test_a_term_that_is_a_single_day_is_told_at_once(archive: Archive, borrower: Applicant) -> None:
    """その日のうちに返す約束なら、予告はすぐに出る。"""
    archive.lends(return_by="2026-11-20")
    assert borrower.notices[-1] == "step_told"
    assert archive.clock.now() - datetime(2026, 11, 20, 17, 0, tzinfo=JST) < timedelta(minutes=1)
