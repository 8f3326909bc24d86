"""一時的な複製の権限と閲覧ID（特定個人情報保護評価書 Ⅲ3 リスク4、Ⅲ4）：普段は誰にも無い権限を、承認された作業の間だけ、監督の下で与えて消す。"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date, datetime
from pathlib import Path
from typing import Any

import pytest

from engine import JST, ActionNotOffered, CaseNotFound, FormInvalid, NotAllowed, NotYourTask, SamePerson, TaskNotFound, civil_day
from tests.process.conftest import UNIT, Case, Office, Official
from webui import demo

SCENARIOS = Path(__file__).parents[2] / "bpmn" / "isa" / "scenarios"
SYSTEMS = "information_systems"
OWNER, SUPERVISOR, MANAGER = f"system_owner@{SYSTEMS}", f"staff@{SYSTEMS}", f"protection_manager@{UNIT}"
WORKER = f"staff.{UNIT}"

#: Asked on Friday at 17:00, for Tuesday from nine to five: Monday is a holiday.
REQUEST: Mapping[str, Any] = {
    "title": "照合のための複製",
    "owning_unit": UNIT,
    "right": "copy",
    "work_content": "抽出したデータを検証用の領域に複製する。",
    "dataset": "審判の記録のデータ",
    "holds": ["pi", "mynumber"],
    "contractor": False,
    "workers": [WORKER],
    "window_from": "2026-11-24T09:00",
    "window_to": "2026-11-24T17:00",
}
UNMASK: Mapping[str, Any] = {"right": "unmask", "contractor": True, "workers": None, "contractor_workers": "運用保守の委託先 作業者1名"}
REMOVED: Mapping[str, Any] = {"removed_at": "2026-11-24T12:10", "removal_note": "一覧に無いことを見た。"}
CLEAN: Mapping[str, Any] = {"log_note": "作業の間の記録をすべて見た。", "log_result": "clean"}


class Access(Case):
    """One temporary right."""

    @property
    def entry(self) -> Any:
        """Its row in the ledger of granted rights, as the auditor reads it; None while there is none."""
        page = self.office.engine.ledgers.page(self.office.viewer("audit_officer@isa"), "access")
        return next((row for row in page.rows if row.case_id == self.id), None)

    @property
    def state(self) -> str | None:
        """What the ledger says of the right."""
        return self.entry.state if self.entry is not None else None

    @property
    def revisions(self) -> list[tuple[str, str]]:
        """(state, when) of everything the ledger has said of it, oldest first."""
        viewer = self.office.viewer("audit_officer@isa")
        page = self.office.engine.ledgers.entry(viewer, "access", self.entry.entry)
        return [(one.state, f"{one.recorded_at.astimezone(JST):%m-%d %H:%M}") for one in reversed(page.revisions)]

    @property
    def incidents(self) -> list[Case]:
        """The incidents it has begun."""
        page = self.office.engine.case(self.office.viewer("audit_officer@isa"), self.id)
        return [Case(self.office, one.id) for one in page.linked if one.id is not None]


class Rights(Office):
    """The agency as it grants rights for a while."""

    def asks(self, seat: str = f"staff@{UNIT}", **answers: Any) -> Access:
        """Somebody asks for a right; whoever works is the one who asks, unless it is said otherwise."""
        given = {name: value for name, value in {**REQUEST, **answers}.items() if value is not None}
        with self.acting(seat) as work:
            number = work.start("isa_temporary_access", given)
        self.run()
        self.current = made = Access(self, number)
        return made

    def until(self, text: str) -> None:
        """Time passes until an instant of Japanese time."""
        self.pass_time(seconds=(datetime.fromisoformat(text).replace(tzinfo=JST) - self.clock.now()).total_seconds())

    def works(self, **answers: Any) -> Access:
        """A right has been approved, and its time has begun."""
        access = self.asks(**answers)
        self.at(OWNER).completes(
            "approve_access", access_decision="approved", granted_id="V-031" if answers.get("right") == "unmask" else None
        )
        self.until("2026-11-24T09:00")
        return access


@pytest.fixture
def office(office: Office) -> Rights:
    """The office of conftest, with the sentences about rights."""
    return Rights(office.engine, office.clock, "isa")


@pytest.fixture
def rights(office: Rights) -> Rights:
    """The agency as it grants rights for a while."""
    return office


@pytest.fixture
def owner(rights: Rights) -> Official:
    """情報システムの管理者."""
    return rights.at(OWNER)


@pytest.fixture
def supervisor(rights: Rights) -> Official:
    """Whoever supervises, of 情報システム管理室."""
    return rights.at(SUPERVISOR)


# ---------------------------------------------------------------- 申請


@pytest.mark.article("P-Ⅲ3-R4", "P-Ⅲ4-制限")
def test_nobody_has_the_right_without_asking(rights: Rights) -> None:
    """権限は、作業・対象・時間・作業する人を書いて申請し、情報システムの管理者が承認するまで誰にも無い。"""
    for missing in ("work_content", "dataset", "window_from", "window_to", "workers", "right", "contractor"):
        with pytest.raises(FormInvalid) as refused:
            rights.asks(**{missing: None})
        assert missing in refused.value.fields
    access = rights.asks()
    access.waits_at("approve_access")
    access.step("approve_access").is_for("system_owner", SYSTEMS)
    assert (access.state, rights.case(access.id)["number"]) == (None, "権R8-0001")


@pytest.mark.article("P-Ⅲ3-R4")
def test_the_window_is_no_longer_than_the_office_allows(rights: Rights) -> None:
    """作業の時間は、細目の上限（8時間）までである。1分でも超えれば申請できず、終わりが始まりより前でも、過ぎた時刻からでも申請できない。"""
    for end, wrong in (("2026-11-24T17:01", True), ("2026-11-24T08:59", True), ("2026-11-24T17:00", False)):
        if wrong:
            with pytest.raises(FormInvalid) as refused:
                rights.asks(window_to=end)
            assert set(refused.value.fields) == {"window_to"}
    with pytest.raises(FormInvalid, match="2026年11月24日（火） 17:00以前"):
        rights.asks(window_to="2026-11-25T09:00")
    with pytest.raises(FormInvalid) as refused:
        rights.asks(window_from="2026-11-20T16:59", window_to="2026-11-20T18:00")
    assert set(refused.value.fields) == {"window_from"}
    rights.asks().waits_at("approve_access")


@pytest.mark.article("P-Ⅲ4-制限")
def test_a_contractor_is_named_and_gets_an_id_of_its_own(rights: Rights, owner: Official) -> None:
    """委託先の作業なら委託先と作業者を書き、承認のときに、その都度のIDを払い出す。"""
    with pytest.raises(FormInvalid) as refused:
        rights.asks(**{**UNMASK, "contractor_workers": None})
    assert set(refused.value.fields) == {"contractor_workers"}
    access = rights.asks(**UNMASK)
    with pytest.raises(FormInvalid) as refused:
        owner.completes("approve_access", access_decision="approved")
    assert set(refused.value.fields) == {"granted_id"}
    owner.completes("approve_access", access_decision="approved", granted_id="V-031")
    assert access.duties["P-Ⅲ4-制限"] == "not_applicable"
    rights.until("2026-11-24T09:00")
    assert access.duties["P-Ⅲ4-制限"] == "done"
    cells = {cell.column: cell.text for cell in access.entry.cells}
    assert (cells["granted_id"], cells["right"]) == ("V-031", "隠されていない情報を見るID（閲覧ID）")


# ---------------------------------------------------------------- 承認


@pytest.mark.article("P-Ⅲ3-R4")
def test_who_asks_does_not_approve_by_whatever_post(rights: Rights, owner: Official) -> None:
    """申請した人は、兼務でも代理でも承認できない。"""
    rights.appoint(f"assistant.{UNIT}", OWNER, kind="concurrent")
    access = rights.asks(seat=f"assistant@{UNIT}")
    step = access.step("approve_access").row["id"]
    for seat in (OWNER, None):
        with pytest.raises(SamePerson), rights.engine.work(by=f"assistant.{UNIT}", seat=seat) as work:
            work.complete(step, {"access_decision": "approved"})
    with rights.engine.work(by=f"system_owner.{SYSTEMS}", seat=OWNER) as work:
        work.complete(step, {"access_decision": "approved"})
    access.waits_at()


@pytest.mark.article("P-Ⅲ3-R4")
def test_who_works_does_not_approve_even_if_another_asked(rights: Rights, owner: Official) -> None:
    """作業する人として挙げられた情報システムの管理者は、ほかの人の申請でも承認できず、次の順位の役が決める。"""
    access = rights.asks(workers=[f"system_owner.{SYSTEMS}", WORKER])
    assert owner.inbox == []
    with pytest.raises(SamePerson, match="「作業する職員」に挙げられている本人"):
        owner.completes("approve_access", access_decision="approved")
    rights.at(f"protection_manager@{SYSTEMS}").completes("approve_access", access_decision="approved")
    access.waits_at()


@pytest.mark.article("P-Ⅲ3-R4")
def test_a_deputy_who_works_does_not_approve_for_his_principal(rights: Rights) -> None:
    """情報システムの管理者の代理が作業する人なら、代理としても承認できない。"""
    today = civil_day(rights.clock.now())
    rights.engine.personnel.register_deputy(
        rights.viewer("administrator@isa"), f"system_owner.{SYSTEMS}", WORKER,
        kind="substitute", seat="", basis="規程第5条", valid_from=today, valid_to=date(2027, 3, 31),
    )  # fmt: skip
    access = rights.asks(seat=f"assistant@{UNIT}")
    with pytest.raises(SamePerson), rights.engine.work(by=WORKER, seat=None) as work:
        work.complete(access.step("approve_access").row["id"], {"access_decision": "approved"})


@pytest.mark.article("P-Ⅲ3-R4")
def test_what_is_refused_is_never_granted(rights: Rights, owner: Official) -> None:
    """承認しないときは理由が要り、権限は付かない。"""
    access = rights.asks()
    with pytest.raises(FormInvalid) as refused:
        owner.completes("approve_access", access_decision="refused")
    assert set(refused.value.fields) == {"access_condition"}
    owner.completes("approve_access", access_decision="refused", access_condition="写しで足りる。")
    rights.until("2026-11-25T09:00")
    assert (access.outcome, access.state) == ("不承認", None)


@pytest.mark.article("P-Ⅲ3-R4")
def test_nobody_deciding_in_time_means_no_right(rights: Rights, owner: Official) -> None:
    """作業の終わりまでに承認されなければ期限切れになり、後から承認することはできない。"""
    access = rights.asks()
    rights.until("2026-11-24T16:59")
    access.waits_at("approve_access")
    rights.until("2026-11-24T17:00")
    assert (access.outcome, access.state, owner.inbox) == ("期限切れ", None, [])


@pytest.mark.article("P-Ⅲ3-R4")
def test_an_approval_within_the_window_grants_at_once_and_for_what_is_left_of_it(rights: Rights, owner: Official) -> None:
    """作業の時間に入ってからの承認では、すぐに付与され、終わりの時刻は動かない。"""
    access = rights.asks()
    rights.until("2026-11-24T11:00")
    owner.completes("approve_access", access_decision="approved")
    access.waits_at("supervise_work")
    rights.until("2026-11-24T17:00")
    assert access.revisions == [("付与中", "11-24 11:00"), ("削除待ち", "11-24 17:00")]


@pytest.mark.article("P-Ⅲ3-R4")
def test_it_can_be_taken_back_before_the_window_opens(rights: Rights, owner: Official) -> None:
    """作業の始まりまでは、申請した人も情報システムの管理者も取り消せる。権限が付いてからは、消して確かめるほかに終わりようがない。"""
    first = rights.asks()
    with rights.engine.work(by=WORKER, seat=None) as work:
        work.act(first.id, "cancel_access", {"cancel_reason": "作業が無くなった。"})
    assert (first.outcome, first.state) == ("取消し", None)
    second = rights.asks()
    owner.completes("approve_access", access_decision="approved")
    with pytest.raises((NotAllowed, CaseNotFound, ActionNotOffered)):
        rights.at("staff@enforcement").does("cancel_access", cancel_reason="要らない。")
    owner.does("cancel_access", cancel_reason="保守が延びた。")
    rights.until("2026-11-24T10:00")
    assert (second.outcome, second.state) == ("取消し", None)
    rights.current = third = rights.asks(window_from="2026-11-25T09:00", window_to="2026-11-25T12:00")
    owner.completes("approve_access", access_decision="approved")
    rights.until("2026-11-25T09:00")
    with pytest.raises(ActionNotOffered):
        owner.does("cancel_access", cancel_reason="要らない。")
    with pytest.raises(ActionNotOffered), rights.engine.work(by=WORKER, seat=None) as work:
        work.act(third.id, "cancel_access", {"cancel_reason": "要らない。"})
    third.waits_at("supervise_work")


# ---------------------------------------------------------------- 付与と監督


@pytest.mark.article("P-Ⅲ3-R4")
def test_the_right_begins_with_the_window_and_not_before(rights: Rights, owner: Official) -> None:
    """承認されても、作業の始まりの時刻までは台帳に無く、その時刻に「付与中」になる。"""
    access = rights.asks()
    owner.completes("approve_access", access_decision="approved")
    rights.until("2026-11-24T08:59")
    access.waits_at()
    assert access.state is None
    rights.until("2026-11-24T09:00")
    assert access.revisions == [("付与中", "11-24 09:00")]
    access.step("supervise_work").is_for("staff", SYSTEMS)


@pytest.mark.article("P-Ⅲ3-R4")
def test_who_works_neither_supervises_nor_confirms_the_removal_nor_reads_the_log(rights: Rights, manager: Official) -> None:
    """作業する人は、兼務で監督の役や保護管理者に就いていても、監督も、削除の確認も、操作の記録の確認もできない。"""
    for seat in (SUPERVISOR, MANAGER):
        rights.appoint(WORKER, seat, kind="concurrent")
    access = rights.works()

    def refused(element: str, seat: str, answers: Mapping[str, Any]) -> None:
        step = access.step(element).row["id"]
        for held in (seat, None):
            with pytest.raises(SamePerson), rights.engine.work(by=WORKER, seat=held) as work:
                work.complete(step, dict(answers))
        by = f"{'protection_manager' if seat == MANAGER else 'staff'}.{seat.partition('@')[2]}"
        with rights.engine.work(by=by, seat=seat) as work:
            work.complete(step, dict(answers))
        rights.run()

    rights.until("2026-11-24T12:10")
    refused("supervise_work", SUPERVISOR, {"work_result": "済み"})
    refused("confirm_removal", SUPERVISOR, REMOVED)
    refused("check_log", MANAGER, CLEAN)
    assert (access.outcome, access.state) == ("完了", "削除済")


@pytest.mark.article("P-Ⅲ3-R4")
def test_work_that_is_done_early_ends_the_right_early(rights: Rights, supervisor: Official) -> None:
    """作業が早く終われば、終わりの時刻を待たずに消す。"""
    access = rights.works()
    rights.until("2026-11-24T12:00")
    supervisor.completes("supervise_work", work_result="複製し、照合した。")
    access.waits_at("confirm_removal")
    assert access.state == "削除待ち"
    rights.until("2026-11-24T12:10")
    supervisor.completes("confirm_removal", **REMOVED)
    assert access.revisions == [("付与中", "11-24 09:00"), ("削除待ち", "11-24 12:00"), ("削除済", "11-24 12:10")]
    assert (access.duties["P-Ⅲ3-R4"], access.entry.kept_until) == ("done", date(2032, 3, 31))


@pytest.mark.article("P-Ⅲ3-R4")
def test_the_end_of_the_window_ends_the_work(rights: Rights, supervisor: Official) -> None:
    """終わりの時刻になれば、作業の途中でも権限の時間は終わり、消したことの確認が直ちに求められる。"""
    access = rights.works()
    rights.until("2026-11-24T16:59")
    access.waits_at("supervise_work")
    rights.until("2026-11-24T17:00")
    access.waits_at("confirm_removal")
    assert access.state == "削除待ち"
    with pytest.raises((TaskNotFound, NotYourTask, AssertionError, KeyError, StopIteration)):
        supervisor.completes("supervise_work", work_result="まだ作業中")
    assert access.step("confirm_removal").row["urgency"] == "at_once"


@pytest.mark.article("P-Ⅲ3-R4")
def test_removal_is_confirmed_with_its_time_and_manner(rights: Rights, supervisor: Official) -> None:
    """いつ消し、どう確かめたかを書く。これからの時刻は書けない。"""
    rights.works()
    supervisor.completes("supervise_work", work_result="済み")
    for answers in ({"removed_at": "2026-11-24T09:00"}, {"removal_note": "見た。"}, {**REMOVED, "removed_at": "2026-11-24T09:30"}):
        with pytest.raises(FormInvalid):
            supervisor.completes("confirm_removal", **answers)


# ---------------------------------------------------------------- 操作の記録（評価書 Ⅲ4）


@pytest.fixture
def worked(rights: Rights, supervisor: Official) -> Access:
    """The right is gone; the log is to be read."""
    access = rights.works()
    rights.until("2026-11-24T12:10")
    supervisor.completes("supervise_work", work_result="複製し、照合した。")
    supervisor.completes("confirm_removal", **REMOVED)
    return access


@pytest.mark.article("P-Ⅲ4-記録")
def test_the_log_is_read_after_the_work_by_who_answers_for_the_information(worked: Access, manager: Official) -> None:
    """作業の後に、情報を管理する部署の保護管理者が操作の記録を確かめて、初めて終わる。"""
    worked.waits_at("check_log")
    worked.step("check_log").is_for("protection_manager", UNIT)
    assert (worked.outcome, worked.duties["P-Ⅲ4-記録"]) == (None, "open")
    with pytest.raises(FormInvalid):
        manager.completes("check_log", log_result="clean")
    manager.completes("check_log", **CLEAN)
    assert (worked.outcome, worked.duties["P-Ⅲ4-記録"], worked.incidents) == ("完了", "done", [])


@pytest.mark.article("P-Ⅲ4-記録", "ISA-25-1")
def test_what_was_not_asked_for_becomes_an_incident(rights: Rights, worked: Access, manager: Official) -> None:
    """申請に無い操作が見つかれば、規程違反の疑いのある事案になる。含まれる情報と、委託先が関わるかは引き継ぐ。"""
    rights.until("2026-11-25T09:00")
    manager.completes("check_log", log_note="申請の範囲の外を複製していた。", log_result="finding")
    assert worked.outcome == "完了（事案で扱う）"
    [incident] = worked.incidents
    facts = incident.facts
    assert {name: facts[name] for name in ("event", "suspected", "holds", "contractor", "owning_unit", "known_at")} == {
        "event": "rule_violation", "suspected": True, "holds": ["pi", "mynumber"], "contractor": False, "owning_unit": UNIT,
        "known_at": "2026-11-25T09:00+09:00",
    }  # fmt: skip
    assert facts["reporter"] == f"protection_manager.{UNIT}"


@pytest.mark.article("P-Ⅲ4-記録")
def test_who_supervised_does_not_read_the_log(rights: Rights, worked: Access) -> None:
    """監督した人が保護管理者を兼ねていても、その作業の操作の記録は確かめられない。"""
    rights.appoint(f"staff.{SYSTEMS}", MANAGER, kind="concurrent")
    with pytest.raises(SamePerson), rights.engine.work(by=f"staff.{SYSTEMS}", seat=MANAGER) as work:
        work.complete(worked.step("check_log").row["id"], dict(CLEAN))
    worked.waits_at("check_log")


@pytest.mark.article("P-Ⅲ3-R4")
def test_what_the_ledger_hides_from_who_does_not_see_the_case(rights: Rights, worked: Access) -> None:
    """作業する人や払い出したIDは、案件を見ない人には伏せる。関わりの無い部署には行も見えない。"""
    page = rights.engine.ledgers.page(rights.viewer("general_protection_manager@isa"), "access")
    [row] = page.rows
    shown = {cell.column: cell.text for cell in row.cells}
    assert (row.case_id, shown["dataset"]) == (None, "審判の記録のデータ")
    assert WORKER not in str(shown) and "審判課 職員" not in str(shown)
    assert list(rights.engine.ledgers.page(rights.viewer("staff@enforcement"), "access").rows) == []


@pytest.mark.parametrize("file", ["temporary_access.yaml", "temporary_access_orphan.yaml"])
def test_the_scenarios_play_to_their_ends(file: str) -> None:
    """シナリオ（tadachi play で動かすもの）は、操作の記録の確認まで通る。"""
    said: list[str] = []
    demo.play(SCENARIOS / file, "isa", said.append)
    assert said[-1] == "案件は終わりました（完了）。"
