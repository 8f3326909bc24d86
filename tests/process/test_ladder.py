"""督促の段と報告の遅れ：第25条の一つひとつの引継ぎで、だれに、いつ知らせが行くか。細目（rules.toml）の順に読む。"""

from __future__ import annotations

from datetime import date, timedelta

import pytest

from engine import FormInvalid, SnoozeRefused, TaskNotFound
from tests.process.conftest import FRIDAY, UNIT, Case, Office, Official


def told(office: Office, *seats: str) -> dict[str, list[str]]:
    """What each seat's holder has been told so far of the containment, by template."""
    return {
        seat: [
            row["template"]
            for row in office.rows("notice")
            if row["person"] == office.person(seat) and row["template"] in ("remind", "escalate") and row["step"] == "直ちにできる拡大防止"
        ]
        for seat in seats
    }


MANAGER, DIVISION = f"protection_manager@{UNIT}", "division_protection_manager@isa"
GENERAL, DESK = "general_protection_manager@isa", "commission_desk@isa"


@pytest.mark.article("ISA-25-2")
def test_containment_at_once_is_reminded_after_one_hour_and_told_upward_after_three(office: Office, incident: Case) -> None:
    """直ちに：1時間で担当に、2時間で代理にも、3時間で上の段に、6時間で委員会対応係にも知らせる。夜も休日も数える。"""
    division = office.engine.organisation("isa").next_seat(MANAGER, date(2026, 11, 20)) or ""
    incident.lets_pass(minutes=59)
    assert told(office, MANAGER) == {MANAGER: []}
    incident.lets_pass(minutes=1)
    assert told(office, MANAGER, division) == {MANAGER: ["remind"], division: []}
    incident.lets_pass(hours=1)
    assert told(office, MANAGER, division) == {MANAGER: ["remind", "remind"], division: []}
    incident.lets_pass(hours=1)
    assert told(office, division, DESK) == {division: ["escalate"], DESK: []}
    incident.lets_pass(hours=3)
    assert told(office, division, DESK) == {division: ["escalate", "escalate"], DESK: ["escalate"]}
    assert "contain_at_once" in incident.waits, "義務は、担当の役に残っている"


@pytest.mark.article("ISA-25-2")
def test_whoever_is_told_can_look_but_not_act(office: Office, incident: Case, division: Official) -> None:
    """知らせを受けた上の段は案件を見られるが、処理は受信箱に来ない。"""
    assert not division.sees(incident)
    incident.lets_pass(hours=3)
    assert division.sees(incident) and division.inbox == []


@pytest.mark.article("ISA-25-2")
def test_the_deputy_is_reminded_with_the_holder(office: Office, incident: Case) -> None:
    """2時間たっても済まなければ、登録された代理にも知らせる。代理は、はじめの知らせと督促は受けない。"""
    keeper = office.engine.viewer(office.person("administrator@isa"))
    office.engine.personnel.register(keeper, "deputy.official", "課長補佐")
    office.engine.personnel.register_deputy(
        keeper, office.person(MANAGER), "deputy.official", kind="substitute", seat=MANAGER, basis="訓令第3条", valid_from=date(2026, 11, 20), valid_to=None
    )  # fmt: skip
    incident.lets_pass(hours=1)
    heard = [row["template"] for row in office.rows("notice") if row["person"] == "deputy.official"]
    assert heard == []
    incident.lets_pass(hours=1)
    heard = [row["template"] for row in office.rows("notice") if row["person"] == "deputy.official"]
    assert heard == ["remind", "remind"], "二つの「直ちに」の処理について、一度ずつ"


@pytest.mark.article("ISA-25-2")
def test_what_is_done_is_not_reminded(office: Office, incident: Case, manager: Official) -> None:
    """済んだ処理の督促は、そのとき取り消される。"""
    manager.completes("contain_at_once")
    incident.lets_pass(hours=7)
    steps = {row["step"] for row in office.rows("notice") if row["template"] in ("remind", "escalate")}
    assert "直ちにできる拡大防止" not in steps


@pytest.mark.article("ISA-25-3a")
def test_the_hops_of_a_report_are_measured(office: Office, staff: Official) -> None:
    """把握から報告、報告から次の段までの時間を、案件の画面に示す。"""
    incident = staff.reports(known_at=(FRIDAY - timedelta(minutes=30)).isoformat())
    page = office.engine.case(office.engine.viewer(office.person(MANAGER)), incident.id)
    first = page.hops[0]
    assert (first.to_at - first.from_at if first.to_at else None, first.late) == (timedelta(minutes=30), False)


@pytest.mark.article("ISA-25-3b")
def test_a_late_hop_asks_its_holder_for_the_reason(office: Office, incident: Case, manager: Official) -> None:
    """特に重大な第一報は直ちに。目安を過ぎて報告する人は、遅れた理由を書かなければ先へ進めない。理由は記録と画面に残る。"""
    manager.completes("assess_gravity", grave=True)
    incident.lets_pass(hours=4)
    with pytest.raises(FormInvalid) as refused:
        manager.completes("report_grave", late_reason=" ")
    assert set(refused.value.fields) == {"_late_reason"}
    manager.completes("report_grave", late_reason="停電で庁内の連絡がとれなかった")
    page = office.engine.case(office.engine.viewer(office.person(MANAGER)), incident.id)
    late = [hop for hop in page.hops if hop.late]
    assert [(hop.name, hop.reason) for hop in late] == [("部課等へ重大な第一報", "停電で庁内の連絡がとれなかった")]


@pytest.mark.article("ISA-25-3b")
def test_a_hop_in_time_asks_nothing(incident: Case, manager: Official) -> None:
    """目安のうちなら、理由は要らない。"""
    manager.completes("assess_gravity", grave=True)
    manager.completes("report_grave", late_reason="")
    assert incident.data("task.completed")[-1].get("late") is None


def test_a_step_can_be_put_off_but_a_legal_date_never(office: Office, incident: Case, manager: Official, other_manager: Official) -> None:
    """後で見ることにした処理は、その人の受信箱からだけ隠れ、その時に戻る。法定の期限のある処理は隠せない。"""
    engine = office.engine
    viewer = engine.viewer(office.person(MANAGER))
    rows = {row.step: row for row in engine.inbox(viewer).rows}
    chosen = rows["重大性の判断"]
    engine.snooze(viewer, chosen.task_id, FRIDAY + timedelta(days=3))
    after = engine.inbox(viewer)
    assert chosen.task_id not in {row.task_id for row in after.rows} and after.counts.later == 1
    assert [row.task_id for row in engine.inbox(viewer, show="later").rows] == [chosen.task_id]
    with pytest.raises(TaskNotFound):
        engine.snooze(engine.viewer(office.person(other_manager.seat)), chosen.task_id, FRIDAY + timedelta(days=1))
    with pytest.raises(SnoozeRefused):
        engine.snooze(viewer, chosen.task_id, FRIDAY - timedelta(days=1))
    incident.lets_pass(days=3, minutes=1)
    viewer = engine.viewer(office.person(MANAGER))
    assert chosen.task_id in {row.task_id for row in engine.inbox(viewer).rows}, "時が来れば、ひとりでに戻る"
    legal = [row for row in engine.inbox(viewer).rows if row.statutory]
    for row in legal:
        with pytest.raises(SnoozeRefused, match="法定"):
            engine.snooze(viewer, row.task_id, viewer.at + timedelta(days=1))


def test_what_will_be_told_if_nobody_acts(office: Office, incident: Case) -> None:
    """だれも処理しなければ、いつ、だれに、何が知らされるか。法令の期限の知らせも、その順に並ぶ。"""
    viewer = office.engine.viewer(office.person(MANAGER))
    told_later = office.engine.if_nobody_acts(viewer, incident.id, 35)
    assert [one.at for one in told_later] == sorted(one.at for one in told_later)
    words = {one.what for one in told_later}
    assert {
        "処理が済んでいません（督促）",
        "期限の目安を過ぎた処理があります",
        "法令上の期限が近づいています",
        "法令上の期限を過ぎました",
    } <= words


#: Each hop of Article 25 that waits for somebody: what must be true for it to come up, and its word. 速やかに and no word count working days.
HOPS = {
    "report_to_division": ({}, "plain"),
    "report_to_general": ({}, "plain"),
    "report_grave": ({"assess_gravity": {"grave": True, "grave_reason": "機微な情報"}}, "at_once"),
    "report_grave_to_general": ({"assess_gravity": {"grave": True, "grave_reason": "機微な情報"}}, "at_once"),
    "report_to_commissioner": (
        {
            "receive_report": {"head_report_needed": True},
            "receive_grave_report": {"head_report_needed": True},
            "assess_gravity": {"grave": True, "grave_reason": "機微な情報"},
        },
        "promptly",
    ),
}
#: Word -> (what is waited, in days of the calendar from a Friday evening; who is told then beside the holder).
LADDER = {
    "at_once": (
        (timedelta(hours=1), ()),
        (timedelta(hours=2), ()),
        (timedelta(hours=3), ("next",)),
        (timedelta(hours=6), ("next", "desk")),
    ),
    "promptly": ((1, ()), (2, ()), (3, ("next",)), (5, ("next", "desk"))),
    "plain": ((3, ()), (5, ()), (7, ("next",))),
}


@pytest.mark.article("ISA-25-3a")
@pytest.mark.article("ISA-25-4")
@pytest.mark.article("ISA-25-5")
@pytest.mark.parametrize("hop", HOPS)
def test_every_hop_of_article_25_has_its_ladder(office: Office, staff: Official, hop: str) -> None:
    """どの段の報告も、目安の時に、担当、次に上の段、次に委員会対応係へと知らせが広がる。報告する義務は、担当の役に残る。"""
    answers, word = HOPS[hop]
    case = staff.reports()
    case.goes_on(hop, **answers)
    step = case.step(hop)
    opened, seat = step.row["opened_at"], step.row["seat"]
    calendar, isa = office.engine.organisation("isa").rules.calendar, office.engine.organisation("isa")
    above = isa.next_seat(seat, FRIDAY.date())
    for wait, further in LADDER[word]:
        due = calendar.add_working_days(opened, wait) if isinstance(wait, int) else opened + wait
        case.lets_pass(minutes=(due - office.clock.now()).total_seconds() / 60)
        heard = {
            row["person"]
            for row in office.rows("notice")
            if row["task_id"] == step.row["id"] and row["created_at"] == due and row["template"] in ("remind", "escalate")
        }
        wanted = {office.person(seat)} | ({office.person(above)} if "next" in further and above else set())
        wanted |= {office.person(DESK)} if "desk" in further else set()
        assert heard == wanted, (hop, wait)
    assert hop in case.waits
