"""消し忘れた権限の夜間の点検（特定個人情報保護評価書 Ⅲ3 リスク4、操作の監視と定期の棚卸し）：毎晩2時に捜し、見つかれば一つの事案にする。"""

from __future__ import annotations

from datetime import date, datetime
from typing import Any

import pytest

from engine import JST, FormInvalid, NotAllowed
from tests.process.conftest import UNIT, Case, Office, Official

SYSTEMS = "information_systems"
OWNER, SUPERVISOR = f"system_owner@{SYSTEMS}", f"staff@{SYSTEMS}"


class Nights(Office):
    """The agency by night, from December 2026 on."""

    def until(self, text: str) -> None:
        """Time passes until an instant of Japanese time."""
        self.pass_time(seconds=(datetime.fromisoformat(text).replace(tzinfo=JST) - self.clock.now()).total_seconds())

    def granted(self, start: str = "2026-12-02T09:00", end: str = "2026-12-02T17:00") -> Case:
        """A right whose time has begun."""
        given = {
            "title": "照合のための複製", "owning_unit": UNIT, "right": "copy", "work_content": "検証用の領域に複製する。", "dataset": "審判の記録のデータ",
            "holds": ["pi"], "contractor": False, "workers": [f"staff.{UNIT}"], "window_from": start, "window_to": end,
        }  # fmt: skip
        with self.acting(f"staff@{UNIT}") as work:
            case = Case(self, work.start("isa_temporary_access", given))
        self.run()
        self.at(OWNER).completes("approve_access", case=case, access_decision="approved")
        self.until(start)
        return case

    def of(self, process: str) -> list[Case]:
        """The cases of a procedure, oldest first."""
        return [Case(self, row["id"]) for row in self.rows("case_file", process_id=f"isa_{process}")]

    @property
    def states(self) -> dict[str, str]:
        """What the ledger says of each right, by number."""
        return {row.case_number: row.state for row in self.engine.ledgers.page(self.viewer("audit_officer@isa"), "access").rows}

    def linked(self, case: Case) -> set[int | None]:
        """The cases that a case is linked with."""
        return {one.id for one in self.engine.case(self.viewer("audit_officer@isa"), case.id).linked}


@pytest.fixture
def office(office: Office) -> Nights:
    """The office of conftest, on a December day."""
    made = Nights(office.engine, office.clock, "isa")
    made.clock.set(datetime(2026, 12, 1, 17, 0, tzinfo=JST))
    made.run()
    return made


@pytest.fixture
def nights(office: Nights) -> Nights:
    """The agency by night."""
    return office


@pytest.fixture
def owner(nights: Nights) -> Official:
    """情報システムの管理者."""
    return nights.at(OWNER)


@pytest.fixture
def supervisor(nights: Nights) -> Official:
    """Whoever supervises."""
    return nights.at(SUPERVISOR)


def removed(nights: Nights, case: Case, supervisor: Official) -> None:
    """The right is removed under supervision."""
    supervisor.completes("supervise_work", case=case, work_result="済み")
    now = nights.clock.now().astimezone(JST).isoformat(timespec="minutes")
    supervisor.completes("confirm_removal", case=case, removed_at=now, removal_note="一覧に無い。")


@pytest.mark.article("P-Ⅲ3-R4")
def test_every_night_at_two_the_ledger_is_looked_through(nights: Nights, supervisor: Official) -> None:
    """毎晩2時に点検があり、残っている権限が無ければ、そう記録して終わる。誰の処理にもならない。"""
    removed(nights, nights.granted(), supervisor)
    before = len(nights.of("access_sweep"))
    nights.until("2026-12-05T12:00")
    sweeps = nights.of("access_sweep")[before:]
    assert [nights.case(sweep.id)["outcome"] for sweep in sweeps] == ["残っている権限なし"] * 3
    assert [f"{nights.case(sweep.id)['started_at'].astimezone(JST):%m-%d %H:%M}" for sweep in sweeps] == [
        "12-03 02:00",
        "12-04 02:00",
        "12-05 02:00",
    ]
    assert nights.of("incident") == []


@pytest.mark.article("P-Ⅲ3-R4")
def test_nobody_starts_a_round_by_hand(nights: Nights) -> None:
    """点検は時刻だけが始める。誰の画面にも出ず、始めようとしても断られる。"""
    for seat in (OWNER, "administrator@isa", f"staff@{UNIT}"):
        assert "isa_access_sweep" not in dict(nights.engine.startable(nights.viewer(seat)))
        with pytest.raises(NotAllowed), nights.acting(seat) as work:
            work.start("isa_access_sweep", {})


@pytest.mark.article("P-Ⅲ3-R4", "ISA-25-1")
def test_what_is_left_becomes_one_incident_that_names_all_of_it(nights: Nights, owner: Official, manager: Official) -> None:
    """消し忘れた権限が二つあれば、二つを挙げた一つの事案になり、それぞれの案件とつながる。管理者には消す処理が直ちに届く。"""
    first, second = nights.granted(), nights.granted("2026-12-02T12:00", "2026-12-02T18:00")
    nights.until("2026-12-03T01:59")
    assert (nights.of("incident"), set(nights.states.values())) == ([], {"削除待ち"})
    nights.until("2026-12-03T02:00")
    [incident] = nights.of("incident")
    numbers = [nights.case(one.id)["number"] for one in (first, second)]
    assert incident.facts["item_summary"].splitlines() == [
        "作業の時間が過ぎても消えていない一時的な権限が見つかった（夜間の点検）", "、".join(numbers),
    ]  # fmt: skip
    facts = incident.facts
    assert (facts["event"], facts["suspected"], facts["mynumber"], facts["owning_unit"]) == ("rule_violation", True, "unknown", SYSTEMS)
    assert (facts["known_at"], facts["reporter"]) == ("2026-12-03T02:00+09:00", "system")
    incident.step("contain_at_once").is_for("protection_manager", SYSTEMS)
    [sweep] = nights.of("access_sweep")[-1:]
    assert nights.linked(incident) == {first.id, second.id, sweep.id}
    assert nights.linked(first) == {incident.id}
    assert nights.states == dict.fromkeys(numbers, "事案化")
    sweep.waits_at("remove_rights")
    sweep.step("remove_rights").is_for("system_owner", SYSTEMS)
    assert (sweep.step("remove_rights").row["urgency"], "remove_rights" in owner.inbox) == ("at_once", True)


@pytest.mark.article("P-Ⅲ3-R4")
@pytest.mark.parametrize(("end", "left"), [("2026-12-03T00:00", False), ("2026-12-02T23:59", True), ("2026-12-03T04:00", False)])
def test_two_hours_after_the_end_it_counts_as_forgotten(nights: Nights, end: str, left: bool) -> None:
    """作業の終わりから細目の時間（2時間）までは、消す途中とみる。"""
    nights.granted("2026-12-02T20:00", end)
    nights.until("2026-12-03T02:00")
    assert len(nights.of("incident")) == left


@pytest.mark.article("P-Ⅲ3-R4")
def test_the_same_right_is_never_an_incident_twice(nights: Nights, supervisor: Official, owner: Official) -> None:
    """次の晩に残っていても、案件の側で確認が進んでも、同じ権限で事案は増えない。別の権限なら、別の事案になる。"""
    case = nights.granted()
    nights.until("2026-12-05T12:00")
    assert len(nights.of("incident")) == 1
    supervisor.completes("confirm_removal", case=case, removed_at="2026-12-05T11:00", removal_note="一覧に無い。")
    assert set(nights.states.values()) == {"削除済"}
    nights.granted("2026-12-07T09:00", "2026-12-07T12:00")
    nights.until("2026-12-08T12:00")
    assert len(nights.of("incident")) == 2


@pytest.mark.article("P-Ⅲ3-R4")
def test_the_owner_removes_it_and_says_so(nights: Nights, owner: Official) -> None:
    """管理者は、一覧の権限を消し、確かめたことを書く。台帳はそこで閉じ、保存の期間が決まる。"""
    nights.granted()
    nights.until("2026-12-03T09:00")
    [sweep] = nights.of("access_sweep")[-1:]
    with pytest.raises(FormInvalid) as refused:
        owner.completes("remove_rights", case=sweep)
    assert set(refused.value.fields) == {"removed_at", "removal_note"}
    owner.completes("remove_rights", case=sweep, removed_at="2026-12-03T08:30", removal_note="一覧に無い。", orphans=[])
    assert (sweep.outcome, set(nights.states.values()), sweep.duties["P-Ⅲ3-R4"]) == ("残った権限を消した", {"削除済"}, "done")
    [row] = nights.engine.ledgers.page(nights.viewer("audit_officer@isa"), "access").rows
    cells: dict[str, Any] = {cell.column: cell.text for cell in row.cells}
    assert (cells["removed_at"], row.kept_until) == ("2026年12月3日 08:30", date(2032, 3, 31))


@pytest.mark.article("P-Ⅲ3-R4")
def test_after_an_outage_one_round_catches_up(nights: Nights) -> None:
    """機械が何日止まっていても、動き出したときの一度の点検で見つかり、事案は一つである。"""
    nights.granted()
    before = len(nights.of("access_sweep"))
    nights.clock.set(datetime(2026, 12, 9, 8, 30, tzinfo=JST))
    nights.run()
    assert (len(nights.of("access_sweep")) - before, len(nights.of("incident"))) == (1, 1)
    assert nights.of("incident")[0].facts["known_at"] == "2026-12-09T08:30+09:00"


@pytest.mark.article("P-Ⅲ3-R4")
def test_the_round_is_seen_by_who_acts_on_it_and_by_the_auditor(
    nights: Nights, owner: Official, auditor: Official, staff: Official
) -> None:
    """点検は、監査責任者が見られる。見つからなかった晩の点検は、ほかの人には出ない。"""
    nights.until("2026-12-02T03:00")
    [quiet] = nights.of("access_sweep")[-1:]
    assert (auditor.sees(quiet), owner.sees(quiet), staff.sees(quiet)) == (True, False, False)
    nights.granted()
    nights.until("2026-12-03T03:00")
    [found] = nights.of("access_sweep")[-1:]
    assert (auditor.sees(found), owner.sees(found), staff.sees(found)) == (True, True, False)
