"""アカウントの棚卸（特定個人情報保護評価書 Ⅲ3 リスク2）：毎月、部署ごとに数え上げ、要らないアカウントを失効させる。"""

from __future__ import annotations

from datetime import date, timedelta
from pathlib import Path
from typing import Any

import pytest

from engine import CaseNotFound, FormInvalid, NotYourTask, PersonNotFound, SamePerson, TaskNotFound, civil_day
from tests.process.conftest import UNIT, Case, Office, Official
from webui import demo

MANAGER, ASSISTANT = f"protection_manager.{UNIT}", f"assistant.{UNIT}"
GENERAL = "general_protection_manager.isa"
SCENARIO = Path(__file__).parents[2] / "bpmn" / "isa" / "scenarios" / "account_inventory.yaml"


class Inventory(Case):
    """One month's inventory of a unit."""

    @property
    def listed(self) -> list[str]:
        """Who stands in the list, by number."""
        return [row["person"] for row in self.facts["accounts"]]

    @property
    def revoked(self) -> list[str]:
        """Whose accounts this inventory has ended, in the office's own record."""
        number = self.office.case(self.id)["number"]
        ended = self.office.history_of_office("person.ended")
        return [row["data"]["person"] for row in ended if row["data"]["case"] == number]


class Agency(Office):
    """The agency as it looks through its accounts."""

    def begins(self, seat: str = "administrator@isa", unit: str = UNIT, month: str = "2026年11月の棚卸") -> Inventory:
        """Somebody starts the month's inventory of a unit."""
        with self.acting(seat) as work:
            number = work.start("isa_account_inventory", {"owning_unit": unit, "inventory_month": month})
        self.run()
        self.current = made = Inventory(self, number)
        return made

    def history_of_office(self, tag: str) -> list[dict[str, Any]]:
        """What the office's record says that belongs to no case."""
        return self.history(None, tag)  # type: ignore[arg-type]

    def is_open(self, person: str) -> bool:
        """Whether an account can be used."""
        try:
            self.engine.viewer(person)
        except PersonNotFound:
            return False
        return True

    def is_away(self, person: str, days: int = 3) -> None:
        """The administrator registers an absence from today on."""
        today = civil_day(self.clock.now())
        self.engine.personnel.register_absence(self.viewer("administrator@isa"), person, today, today + timedelta(days=days), "sick")
        self.run()


@pytest.fixture
def office(office: Office) -> Agency:
    """The office of conftest, with the sentences about accounts: its officials too act in it."""
    return Agency(office.engine, office.clock, "isa")


@pytest.fixture
def agency(office: Agency) -> Agency:
    """The agency looking through its accounts."""
    return office


@pytest.fixture
def administrator(agency: Agency) -> Official:
    """システム管理者."""
    return agency.at("administrator@isa")


@pytest.fixture
def inventory(agency: Agency) -> Inventory:
    """The inventory of 審判課 for November, just begun."""
    return agency.begins()


def confirmed(manager: Official, division: Official, *revoke: str) -> None:
    """The manager has confirmed the list and named these; the division has no objection."""
    manager.completes("confirm_accounts", all_confirmed="yes", revoke=list(revoke))
    division.completes("review_accounts")


# ---------------------------------------------------------------- 毎月の棚卸


@pytest.mark.article("P-Ⅲ3-R2c")
def test_the_accounts_of_the_unit_are_counted_up_for_its_manager(agency: Agency, inventory: Inventory, manager: Official) -> None:
    """棚卸を始めると、その部署に役のある、いま使えるアカウントだけが一覧になり、部署ごとの管理者に届く。"""
    inventory.waits_at("confirm_accounts")
    inventory.step("confirm_accounts").is_for("protection_manager", UNIT)
    assert inventory.listed == [ASSISTANT, MANAGER, f"staff.{UNIT}"]
    assert inventory.facts["accounts"][0]["seats"] == "審判課 保護担当者（本務）"
    assert inventory.step("confirm_accounts").clauses == ["P-Ⅲ3-R2c"]
    row = agency.case(inventory.id)
    assert (row["title"], row["number"]) == ("2026年11月の棚卸", "棚R8-0001")

    agency.disable(ASSISTANT)
    agency.appoint("yamada", f"staff@{UNIT}", kind="concurrent")
    assert agency.begins(month="2026年12月の棚卸").listed == [MANAGER, f"staff.{UNIT}", "yamada"]


@pytest.mark.article("P-Ⅲ3-R2c")
def test_the_manager_confirms_the_whole_list(inventory: Inventory, manager: Official, division: Official) -> None:
    """管理者は、一覧のすべてを確かめたと言って初めて先へ進める。確かめたことが、棚卸の記録になる。"""
    for answer in (None, False):
        with pytest.raises(FormInvalid) as refused:
            manager.completes("confirm_accounts", all_confirmed=answer)
        assert set(refused.value.fields) == {"all_confirmed"}
    assert inventory.duties["P-Ⅲ3-R2c"] == "open"
    manager.completes("confirm_accounts", all_confirmed="yes")
    inventory.waits_at("review_accounts")
    inventory.step("review_accounts").is_for("division_protection_manager", "immigration_control")
    assert inventory.duties["P-Ⅲ3-R2c"] == "done"


@pytest.mark.article("P-Ⅲ3-R2c")
def test_confirming_is_asked_for_anew_after_it_was_sent_back(inventory: Inventory, manager: Official, division: Official) -> None:
    """審査で差し戻されたら、前に確かめたことでは足りず、もう一度確かめる。"""
    manager.completes("confirm_accounts", all_confirmed="yes")
    division.sends_back("review_accounts", "異動した人が残っています。")
    with pytest.raises(FormInvalid):
        manager.completes("confirm_accounts")
    manager.completes("confirm_accounts", all_confirmed="yes", revoke=[ASSISTANT])
    inventory.waits_at("review_accounts")


@pytest.mark.article("P-Ⅲ3-R2c")
def test_with_nobody_to_revoke_nothing_is_decided(
    agency: Agency, inventory: Inventory, manager: Official, division: Official, administrator: Official
) -> None:
    """失効させる人がいなければ、決裁は要らず、棚卸はそのまま終わる。"""
    confirmed(manager, division)
    inventory.waits_at("reconcile_with_orders")
    administrator.completes("reconcile_with_orders", reconciliation="not_this_month")
    assert (inventory.outcome, inventory.revoked) == ("棚卸の完了", [])
    assert inventory.completed() == ["confirm_accounts", "review_accounts", "reconcile_with_orders"]
    assert inventory.duties == {"P-Ⅲ3-R2c": "done", "P-Ⅲ3-R2b": "not_applicable", "P-Ⅲ3-R2d": "not_applicable"}


@pytest.mark.article("P-Ⅲ3-R2c")
def test_a_confirmation_that_is_late_is_told_on_and_stays_due(
    agency: Agency, inventory: Inventory, manager: Official, division: Official, administrator: Official
) -> None:
    """届いて5日たっても確認が済まなければ、システム管理者と部課等保護管理者に知らせる。確認する義務は管理者に残る。"""
    inventory.lets_pass(days=4, hours=23)
    assert (administrator.notices, division.notices) == ([], [])
    inventory.lets_pass(hours=2)
    assert (administrator.notices, division.notices) == (["escalate"], ["escalate"])
    inventory.waits_at("confirm_accounts")
    inventory.step("confirm_accounts").is_for("protection_manager", UNIT)
    confirmed(manager, division)
    inventory.waits_at("reconcile_with_orders")


@pytest.mark.article("P-Ⅲ3-R2c")
def test_a_confirmation_in_time_is_not_told_on(agency: Agency, inventory: Inventory, manager: Official, administrator: Official) -> None:
    """5日のうちに確認すれば、知らせは出ない。"""
    inventory.lets_pass(days=4)
    manager.completes("confirm_accounts", all_confirmed="yes")
    inventory.lets_pass(days=3)
    assert administrator.notices == []


@pytest.mark.article("P-Ⅲ3-R2c")
def test_another_units_manager_sees_nothing(
    agency: Agency, inventory: Inventory, other_manager: Official, other_division: Official
) -> None:
    """棚卸は部署ごとにその管理者が行い、ほかの部署の管理者には一覧も案件も見えない。"""
    step = inventory.step("confirm_accounts").row["id"]
    for outsider in (other_manager, other_division):
        assert (outsider.sees(inventory), outsider.inbox) == (False, [])
        with pytest.raises(CaseNotFound):
            agency.engine.case(agency.viewer(outsider.seat), inventory.id)
        with pytest.raises(TaskNotFound), agency.acting(outsider.seat) as work:
            work.complete(step, {"all_confirmed": "yes"})


@pytest.mark.article("P-Ⅲ3-R2c")
def test_an_absent_reviewer_is_passed_over_and_reads_it_afterwards(
    agency: Agency, inventory: Inventory, manager: Official, division: Official
) -> None:
    """審査する人が不在なら、審査を待たずに先へ進み、戻ってから読む（後閲）。決裁までは飛ばさない。"""
    reviewer = agency.person(division.seat)
    agency.is_away(reviewer)
    manager.completes("confirm_accounts", all_confirmed="yes", revoke=[ASSISTANT])
    inventory.waits_at("decide_revocation")
    assert inventory.history("task.passed_over") == [("task.passed_over", "review_accounts")]

    inventory.lets_pass(days=4)
    [later] = agency.engine.referrals(agency.viewer(division.seat))
    assert (later.kind, later.case_id, later.step) == ("later_review", inventory.id, "確認内容の審査")
    with agency.acting(division.seat) as work:
        work.confirm(later.id)
    assert inventory.history("referral.confirmed") != []
    inventory.waits_at("decide_revocation")


# ---------------------------------------------------------------- 失効


@pytest.mark.article("P-Ⅲ3-R2b")
def test_a_revoked_account_closes_at_once_and_its_work_stays_with_the_seat(
    agency: Agency, manager: Official, division: Official, general: Official, staff: Official
) -> None:
    """失効が決まると、その人の使用はその場で切れ、役からも外れる。手元にあった処理は役に残り、後の人が続ける。"""
    agency.appoint("sato", manager.seat, kind="concurrent")
    incident = Case(agency, staff.reports().id)
    contain = incident.step("contain_at_once").row["id"]
    with agency.engine.work(by="sato", seat=manager.seat) as work:
        work.claim(contain)
    token = agency.engine.open_session("sato")
    assert agency.engine.session_person(token) == "sato"

    inventory = agency.begins()
    confirmed(manager, division, "sato")
    assert (agency.engine.session_person(token), inventory.revoked) == ("sato", [])
    general.completes("decide_revocation")
    inventory.waits_at("reconcile_with_orders")
    assert (agency.engine.session_person(token), inventory.revoked, agency.is_open("sato")) == (None, ["sato"], False)
    assert inventory.duties["P-Ⅲ3-R2b"] == "done"

    assert "contain_at_once" in manager.inbox
    incident.step("contain_at_once").is_for("protection_manager", UNIT)
    manager.completes("contain_at_once", case=incident)
    assert "contain_further" in incident.waits


@pytest.mark.article("P-Ⅲ3-R2b")
def test_general_may_decide_not_to_revoke(inventory: Inventory, manager: Official, division: Official, general: Official) -> None:
    """総括が失効させないときは、理由を付けて差し戻す。誰も失効しない。"""
    confirmed(manager, division, ASSISTANT)
    general.sends_back("decide_revocation", "月末まで引継ぎに使います。")
    inventory.waits_at("confirm_accounts")
    confirmed(manager, division)
    inventory.waits_at("reconcile_with_orders")
    assert inventory.revoked == []


@pytest.mark.article("P-Ⅲ3-R2b")
def test_only_who_stands_in_the_list_can_be_revoked(
    agency: Agency, inventory: Inventory, manager: Official, division: Official, general: Official
) -> None:
    """一覧にない人を挙げても、誰も失効せず、確認からやり直しになる。一覧に書き足しても、書き出したままの一覧が残る。"""
    outsider = "staff.enforcement"
    smuggled = [*inventory.facts["accounts"], {"person": outsider, "name": "別の課の人", "seats": "審判課 職員（本務）"}]
    listed = inventory.listed
    manager.completes("confirm_accounts", all_confirmed="yes", revoke=[ASSISTANT, outsider], accounts=smuggled)
    assert inventory.listed == listed
    division.completes("review_accounts", accounts=smuggled)
    assert inventory.listed == listed
    general.completes("decide_revocation", accounts=smuggled)
    assert (inventory.revoked, agency.is_open(outsider), agency.is_open(ASSISTANT)) == ([], True, True)
    assert inventory.history("service.failed") == [("service.failed", "revoke_accounts")]

    inventory.waits_at("confirm_accounts")
    confirmed(manager, division, ASSISTANT)
    general.completes("decide_revocation")
    assert inventory.revoked == [ASSISTANT]


@pytest.mark.article("P-Ⅲ3-R2b")
def test_somebody_nobody_knows_cannot_be_named(inventory: Inventory, manager: Official) -> None:
    """失効させる人は、番号か氏名で登録されている人から挙げる。"""
    with pytest.raises(FormInvalid) as refused:
        manager.completes("confirm_accounts", all_confirmed="yes", revoke="いない人")
    assert set(refused.value.fields) == {"revoke"}
    manager.completes("confirm_accounts", all_confirmed="yes", revoke="審判課 保護担当者さん、staff.adjudication")
    assert inventory.facts["revoke"] == [ASSISTANT, f"staff.{UNIT}"]


@pytest.mark.article("P-Ⅲ3-R2b")
def test_nobody_revokes_the_own_account(
    agency: Agency, manager: Official, division: Official, general: Official, administrator: Official
) -> None:
    """決裁する人が一覧に載り、失効の対象に挙げられても、自分の決裁で自分のアカウントを失効させることにはならない。"""
    agency.appoint(GENERAL, f"staff@{UNIT}", kind="concurrent")
    inventory = agency.begins()
    assert GENERAL in inventory.listed
    confirmed(manager, division, GENERAL, ASSISTANT)
    general.completes("decide_revocation")
    assert (inventory.revoked, agency.is_open(GENERAL)) == ([ASSISTANT], True)
    administrator.completes("reconcile_with_orders", reconciliation="not_this_month")
    assert inventory.outcome == "棚卸の完了"


@pytest.mark.article("P-Ⅲ3-R2b")
def test_who_named_somebody_does_not_decide_it(agency: Agency, division: Official, general: Official, commissioner: Official) -> None:
    """失効させる人を挙げた人は、総括の役に就いていても、その失効を決裁しない。次の順位の役に回る。"""
    agency.appoint(GENERAL, f"protection_manager@{UNIT}", kind="concurrent")
    inventory = agency.begins()
    step = inventory.step("confirm_accounts").row["id"]
    with agency.engine.work(by=GENERAL, seat=f"protection_manager@{UNIT}") as work:
        work.complete(step, {"all_confirmed": "yes", "revoke": [ASSISTANT]})
    division.completes("review_accounts")
    inventory.waits_at("decide_revocation")
    with pytest.raises(SamePerson):
        general.completes("decide_revocation")
    assert (general.inbox, commissioner.inbox) == ([], ["decide_revocation"])
    commissioner.completes("decide_revocation")
    assert inventory.revoked == [ASSISTANT]


# ---------------------------------------------------------------- 代決


@pytest.fixture
def stand_in(agency: Agency) -> str:
    """Whoever is registered to decide in the absence of 総括."""
    agency.appoint("daiketsu", "staff@general_affairs")
    today = civil_day(agency.clock.now())
    agency.engine.personnel.register_deputy(
        agency.viewer("administrator@isa"), GENERAL, "daiketsu",
        kind="decision", seat="general_protection_manager@isa", basis="専決規程第3条", valid_from=today, valid_to=date(2027, 3, 31),
    )  # fmt: skip
    return "daiketsu"


def decides(agency: Agency, person: str, inventory: Inventory) -> None:
    """A person completes the decision, as whatever he can."""
    step = inventory.step("decide_revocation").row["id"]
    with agency.engine.work(by=person, seat=None) as work:
        work.complete(step, {})
    agency.run()


@pytest.mark.article("P-Ⅲ3-R2b")
def test_a_registered_person_decides_only_while_general_is_away(
    agency: Agency, inventory: Inventory, manager: Official, division: Official, stand_in: str
) -> None:
    """総括が不在の間だけ、登録された代決者が決裁できる。総括には代決されたことが知らされ、戻ってから読む。"""
    confirmed(manager, division, ASSISTANT)
    with pytest.raises((TaskNotFound, NotYourTask)):
        decides(agency, stand_in, inventory)
    agency.is_away(GENERAL)
    decides(agency, stand_in, inventory)
    assert inventory.revoked == [ASSISTANT]
    [done] = [row for row in agency.history(inventory.id, "task.completed") if row["node"] == "decide_revocation"]
    assert (done["person"], done["data"]["acting"]) == (stand_in, {"kind": "decision", "for": GENERAL, "basis": "専決規程第3条"})
    assert "decided_for_you" in agency.at("general_protection_manager@isa").notices
    [later] = agency.engine.referrals(agency.viewer("general_protection_manager@isa"))
    assert (later.kind, later.step) == ("later_review", "失効の決裁")


@pytest.mark.article("P-Ⅲ3-R2b")
def test_a_registered_person_does_nothing_but_decide(agency: Agency, inventory: Inventory, stand_in: str) -> None:
    """代決者は、総括が不在でも、決裁が届くまでは棚卸を見ない。"""
    agency.is_away(GENERAL)
    with pytest.raises(CaseNotFound):
        agency.engine.case(agency.engine.viewer(stand_in), inventory.id)


# ---------------------------------------------------------------- 人事異動との突合せ


@pytest.mark.article("P-Ⅲ3-R2d")
def test_posts_are_compared_with_the_orders_from_time_to_time(
    inventory: Inventory, manager: Official, division: Official, administrator: Official
) -> None:
    """人事異動と権限との突合せは定期に行う。行った月は記録になり、対象外の月は義務が生じない。"""
    confirmed(manager, division)
    inventory.step("reconcile_with_orders").is_for("administrator", "isa")
    with pytest.raises(FormInvalid):
        administrator.completes("reconcile_with_orders")
    administrator.completes("reconcile_with_orders", reconciliation="done", reconciliation_note="なし")
    assert (inventory.outcome, inventory.duties["P-Ⅲ3-R2d"]) == ("棚卸の完了", "done")


def test_whoever_began_it_by_mistake_takes_it_back_only_until_somebody_acted(agency: Agency, manager: Official) -> None:
    """間違えて始めた棚卸は、誰かが処理するまでは取り下げられる。"""
    first, second = agency.begins(), agency.begins(month="2026年12月の棚卸")
    with agency.acting("administrator@isa") as work:
        work.withdraw(first.id, "部署を間違えた。")
    assert agency.case(first.id)["state"] == "withdrawn"
    manager.completes("confirm_accounts", case=second, all_confirmed="yes")
    assert not agency.engine.case(agency.viewer("administrator@isa"), second.id).can_withdraw


def test_the_scenario_plays_to_its_end() -> None:
    """シナリオ（tadachi play で動かすもの）は、届いて5日の知らせと差戻しを経て、失効と突合せまで通る。"""
    said: list[str] = []
    demo.play(SCENARIO, "isa", said.append)
    assert said[-1] == "案件は終わりました（棚卸の完了）。"
