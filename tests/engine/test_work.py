"""Every verb on a good day: what it changes, who comes next, and what the record says."""

from __future__ import annotations

from datetime import date, timedelta
from typing import Any

import pytest

from engine import CaseNotFound, ClosingNotReady, NoSeat, NotSendBack, SamePerson, SetClock, StaleVersion
from tests.support import DIVISION, GENERAL, MANAGER, OTHER_MANAGER, STAFF, World, counted


def tags(world: World, case_id: int) -> list[str]:
    return [row["tag"] for row in world.history(case_id)]


# ---------------------------------------------------------------- start


def test_starting_numbers_the_case_opens_the_first_step_and_records_it(both: World) -> None:
    case_id = both.start("approval", amount="１，２００")
    case = both.case(case_id)
    assert (case["number"], case["state"], case["version"], case["reporter"], case["owning_unit"]) == (
        "案R8-0001",
        "open",
        1,
        "staff.a",
        "a",
    )
    assert case["title"] == "鍵付き書庫の点検で山田太郎の書類を見つけた"
    assert both.facts(case_id)["amount"] == 1200
    task = both.task(case_id, "review")
    assert (task["seat"], task["unit"], task["urgency"], task["due_at"]) == (MANAGER, "a", "at_once", both.clock.now() + timedelta(hours=3))
    started, opened = both.history(case_id)
    assert (started["tag"], started["person"], started["seat"], started["clause"]) == ("case.started", "staff.a", STAFF, "C-1")
    assert started["definition"] == case["definition"]
    assert started["data"]["facts"]["amount"] == [None, 1200]
    assert (opened["tag"], opened["person"], opened["seat"], opened["task_id"]) == ("task.opened", "system", MANAGER, task["id"])
    assert {row["seat"] for row in both.rows("case_seat")} == {"person:staff.a", MANAGER, "audit_officer@office"}


def test_numbers_run_on_without_gaps_and_by_fiscal_year(world: World) -> None:
    with pytest.raises(NoSeat):
        world.start("parallel", owning_unit="c")  # nobody above c is a division manager
    numbers = [world.case(world.start("approval"))["number"] for _ in range(2)]
    world.clock = world.engine.clock = SetClock(world.clock.now() + timedelta(days=140))  # 5 April
    assert [*numbers, world.case(world.start("approval"))["number"]] == ["案R8-0001", "案R8-0002", "案R9-0001"]


def test_the_same_form_sent_twice_makes_one_case(both: World) -> None:
    def send(seat: str, token: str) -> int:
        with both.acting(seat) as work:
            return work.start("office_approval", {"item_summary": "同じ様式", "owning_unit": "a"}, once=token)

    first = send(STAFF, "t1")
    assert send(STAFF, "t1") == first
    assert send(STAFF, "t2") != first
    assert send("staff@b", "t1") not in (first, None)
    assert len(both.rows("case_file")) == 3


def test_without_a_named_seat_one_reports_as_staff_of_the_main_post(world: World) -> None:
    world.appoint("multi", "protection_manager@c", kind="concurrent")
    world.appoint("multi", "staff@b")
    with world.engine.work(by="multi") as work:
        case_id = work.start("office_approval", {"item_summary": "x", "owning_unit": "a"})
    assert world.facts(case_id)["reporting_unit"] == "b"


def test_an_unmanaged_unit_climbs_to_the_nearest_seat(world: World) -> None:
    case_id = world.start("deadline", owning_unit="c")
    assert world.task(case_id, "work")["seat"] == "protection_manager@c"


# ---------------------------------------------------------------- claim, release, complete


def test_claim_and_release(both: World) -> None:
    case_id = both.start("approval")
    task = both.task(case_id, "review")
    for _ in range(2):  # claiming one's own again changes nothing
        with both.acting(MANAGER) as work:
            work.claim(task["id"])
    claimed = both.task(case_id, "review")
    assert (claimed["claimed_by"], claimed["claimed_at"], claimed["version"]) == ("protection_manager.a", both.clock.now(), 2)
    with both.acting(MANAGER) as work:
        work.release(task["id"])
    assert both.task(case_id, "review")["claimed_by"] is None
    assert tags(both, case_id) == ["case.started", "task.opened", "task.claimed", "task.released"]
    assert both.case(case_id)["version"] == 1, "nothing of the case changed: a page made before still fits"


def test_completing_writes_the_facts_the_record_and_the_next_step(both: World) -> None:
    case_id = both.start("approval", amount=5)
    task = both.task(case_id, "review")
    both.clock.advance(minutes=7)
    both.complete(case_id, "review", opinion="適当と認める", amount="7")
    done = both.rows("task", id=task["id"])[0]
    assert (done["state"], done["closed_by"], done["closed_seat"], done["closed_at"]) == (
        "done",
        "protection_manager.a",
        MANAGER,
        both.clock.now(),
    )
    assert both.waits(case_id) == ["approve"]
    row = both.history(case_id, "task.completed")[0]
    assert (row["node"], row["clause"], row["seat"], row["task_id"]) == ("review", "C-2", MANAGER, task["id"])
    assert row["data"]["facts"] == {"amount": [5, 7], "opinion": [None, "適当と認める"]}, "old and new"
    assert row["data"]["version"] == both.case(case_id)["version"] == 2
    both.complete(case_id, "approve", verdict="refused")
    case = both.case(case_id)
    assert (case["state"], case["outcome"], case["ended_at"]) == ("closed", "却下", both.clock.now())
    assert tags(both, case_id)[-2:] == ["task.completed", "case.ended"]
    assert not [row for row in both.rows("job", case_id=case_id) if row["kind"] != "deliver"]
    assert both.engine.verify_history() == ()


def test_a_completed_task_drops_only_its_own_draft(world: World) -> None:
    case_id = world.start("approval")
    task = world.task(case_id, "review")["id"]
    for who in (MANAGER, OTHER_MANAGER):
        world.engine.save_draft(world.viewer(who), f"task:{task}", {"opinion": "途中"})
    world.complete(case_id, "review", opinion="よい")
    assert [row["person"] for row in world.rows("draft")] == ["protection_manager.b"]


def test_a_step_for_the_reporter_reaches_only_that_person(world: World) -> None:
    world.appoint("colleague", STAFF)
    case_id = world.start("approval")
    world.complete(case_id, "review", opinion="直して", needs_fix=True)
    task = world.task(case_id, "fix")
    assert task["seat"] == "person:staff.a"
    assert world.engine.inbox(world.viewer(STAFF)).counts.all == 1
    assert world.engine.inbox(world.engine.viewer("colleague")).counts.all == 0
    with pytest.raises(CaseNotFound), world.engine.work(by="colleague") as work:
        work.note(case_id, "見えない")
    world.complete(case_id, "fix", amount=3)
    assert world.waits(case_id) == ["review"]


def test_the_version_seen_matters_only_for_facts_that_somebody_else_changed(both: World) -> None:
    case_id = both.start("parallel", amount=1)
    seen = both.case(case_id)["version"]
    both.complete(case_id, "left", amount=2, left_note="左")
    with pytest.raises(StaleVersion) as refused:
        both.complete(case_id, "right", version=seen, amount=1, right_note="右")
    assert refused.value.ids["field"] == "amount"
    both.complete(case_id, "right", version=seen, right_note="右")  # the note is nobody else's
    assert both.case(case_id)["state"] == "closed"
    assert both.facts(case_id)["amount"] == 2


def test_agreeing_with_what_somebody_else_changed_is_not_stale(world: World) -> None:
    case_id = world.start("parallel", amount=1)
    seen = world.case(case_id)["version"]
    world.complete(case_id, "left", amount=2)
    world.complete(case_id, "right", version=seen, amount=2)
    assert world.case(case_id)["state"] == "closed"


def test_what_one_changed_oneself_in_another_window_is_not_stale(world: World) -> None:
    case_id = world.start("clock", duty="no")
    seen = world.case(case_id)["version"]
    world.act(case_id, "amend", amount=2)
    world.complete(case_id, "prepare", version=seen, amount=3)
    assert world.facts(case_id)["amount"] == 3


# ---------------------------------------------------------------- several instances


def test_each_instance_has_its_own_step_and_answers(both: World) -> None:
    case_id = both.start("many", persons=[{"label": "甲"}, {"label": "乙"}])
    rows = both.rows("task", case_id=case_id)
    assert [row["name"] for row in rows] == ["照会（1）", "照会（2）"]
    with both.acting(MANAGER) as work:
        work.complete(rows[1]["id"], {"answer": "乙は済"})
    assert both.facts(case_id)["ask"] == [None, {"answer": "乙は済"}]
    assert both.history(case_id, "task.completed")[0]["data"]["index"] == 1
    page = both.engine.task(both.viewer(MANAGER), rows[0]["id"])
    assert page.fields[0].value is None, "another instance's answer is not shown as one's own"
    assert page.extra["local"] == {"person": {"label": "甲"}}
    with both.acting(MANAGER) as work:
        work.complete(rows[0]["id"], {"answer": "甲も済"})
    assert both.facts(case_id)["ask"] == [{"answer": "甲も済"}, {"answer": "乙は済"}]
    assert both.case(case_id)["state"] == "closed"


def test_instances_in_turn_open_one_after_the_other(world: World) -> None:
    case_id = world.start("turns")
    for number in range(3):
        assert [row["name"] for row in world.rows("task", case_id=case_id, state="open")] == [f"照会（{number + 1}）"]
        world.complete(case_id, "ask", answer=f"{number}")
    assert world.facts(case_id)["ask"] == [{"answer": "0"}, {"answer": "1"}, {"answer": "2"}]


def test_nobody_to_ask_passes_the_step(world: World) -> None:
    assert world.case(world.start("many", persons=[]))["state"] == "closed"


# ---------------------------------------------------------------- send back


def test_sending_back_reopens_the_earlier_step_with_the_reason(both: World) -> None:
    case_id = both.start("approval")
    both.complete(case_id, "review", opinion="よい")
    task = both.task(case_id, "approve")
    with both.acting(DIVISION) as work:
        work.send_back(task["id"], "根拠が足りません", to="review")
    assert both.rows("task", id=task["id"])[0]["state"] == "sent_back"
    again = both.task(case_id, "review")
    assert (again["sent_back_reason"], again["seat"]) == ("根拠が足りません", MANAGER)
    row = both.history(case_id, "task.sent_back")[0]
    assert (row["person"], row["data"]["reason"], row["data"]["to"]) == (DIVISION.replace("@", "."), "根拠が足りません", "審査")
    page = both.engine.task(both.viewer(MANAGER), again["id"])
    assert page.sent_back_reason == "根拠が足りません"
    assert next(field.value for field in page.fields if field.id == "opinion") == "よい", "what was written stays"
    told = both.notices("protection_manager.a", task_id=again["id"])
    assert [row["template"] for row in told] == ["task_sent_back"]
    both.complete(case_id, "review", opinion="根拠を足した")
    both.complete(case_id, "approve", verdict="granted")
    assert both.case(case_id)["outcome"] == "承認済み"


def test_a_step_with_two_earlier_steps_wants_one_named(world: World) -> None:
    case_id = world.start("approval")
    world.complete(case_id, "review", opinion="よい")
    task = world.task(case_id, "approve")["id"]
    for to in (None, "approve", "nothing"):
        with pytest.raises(NotSendBack), world.acting(DIVISION) as work:
            work.send_back(task, "理由", to=to)
    with world.acting(DIVISION) as work:
        work.send_back(task, "理由", to="fix")
    assert world.task(case_id, "fix")["seat"] == "person:staff.a"


def test_the_cost_of_sending_back_does_not_grow(world: World) -> None:
    case_id = world.start("approval")
    sent = []
    for _ in range(6):
        world.complete(case_id, "review", opinion="よい")
        with counted(world.engine.database) as statements, world.acting(DIVISION) as work:
            work.send_back(world.task(case_id, "approve")["id"], "もう一度", to="review")
        sent.append(len(statements))
    assert len(set(sent)) == 1
    assert len(world.case(case_id)["marking"]) < 400


# ---------------------------------------------------------------- separation of duties


@pytest.mark.parametrize("kind", ["concurrent", "joint", "caretaker", "acting"])
def test_the_reviewer_cannot_approve_through_any_other_post(world: World, kind: str) -> None:
    world.appoint("protection_manager.a", DIVISION, kind=kind)
    case_id = world.start("approval")
    world.complete(case_id, "review", opinion="よい")
    task = world.task(case_id, "approve")["id"]
    for seat in (DIVISION, None):
        with pytest.raises(SamePerson, match="審査"), world.engine.work(by="protection_manager.a", seat=seat) as work:
            work.complete(task, {"verdict": "granted"})
    world.complete(case_id, "approve", verdict="granted")


def test_the_applicant_cannot_approve(world: World) -> None:
    world.appoint("staff.a", DIVISION, kind="acting")
    case_id = world.start("approval")
    world.complete(case_id, "review", opinion="よい")
    with pytest.raises(SamePerson, match="申請"), world.engine.work(by="staff.a", seat=DIVISION) as work:
        work.complete(world.task(case_id, "approve")["id"], {"verdict": "granted"})


# ---------------------------------------------------------------- withdraw, note, attach, act, merge


def test_withdrawing_ends_everything_that_waits(both: World) -> None:
    case_id = both.start("parallel")
    both.complete(case_id, "left", left_note="済")
    with both.acting(STAFF) as work:
        work.withdraw(case_id, "二重に出した")
    case = both.case(case_id)
    assert (case["state"], case["outcome"]) == ("withdrawn", "取下げ")
    assert [row["state"] for row in both.rows("task", case_id=case_id)] == ["done", "cancelled"]
    assert not [row for row in both.rows("job", case_id=case_id) if row["kind"] != "deliver"]
    assert both.history(case_id, "case.withdrawn")[0]["data"]["reason"] == "二重に出した"
    texts = [event.text for event in both.engine.case(both.viewer(STAFF), case_id).timeline]
    assert not any("withdrawn" in text for text in texts)


def test_notes_and_files_may_be_added_even_after_the_end(both: World) -> None:
    case_id = both.start("approval")
    both.complete(case_id, "review", opinion="よい")
    both.complete(case_id, "approve", verdict="granted")
    version = both.case(case_id)["version"]
    with both.acting(MANAGER) as work:
        work.note(case_id, "後日、書類が見つかった\r\n（別の棚）")
        attachment = work.attach(case_id, "写真.png", b"\x89PNG\r\n\x1a\n....")
    assert both.history(case_id, "note.added")[0]["data"]["note"] == "後日、書類が見つかった\n（別の棚）"
    assert both.history(case_id, "attachment.added")[0]["data"]["attachment"] == attachment
    shown, content = both.engine.attachment(both.viewer(STAFF), attachment)
    assert (shown.name, content) == ("写真.png", b"\x89PNG\r\n\x1a\n....")
    assert both.case(case_id)["version"] == version
    assert both.engine.verify_history() == ()


def test_an_action_changes_facts_without_moving_the_steps(both: World) -> None:
    case_id = both.start("clock", duty="no")
    both.act(case_id, "amend", amount="12")
    assert both.facts(case_id)["amount"] == 12
    assert both.waits(case_id) == ["prepare"]
    row = both.history(case_id, "action.done")[0]
    assert (row["node"], row["data"]["facts"], row["seat"]) == ("amend", {"amount": [None, 12]}, MANAGER)
    both.act(case_id, "amend", seat="person:staff.a", amount="13")  # the reporter may as well
    with both.acting(GENERAL) as work:
        assert both.engine.inbox(both.viewer(GENERAL)).counts.all == 0
        with pytest.raises(CaseNotFound):
            work.act(case_id, "stop", {})  # the general manager has not come to see it yet


def test_who_did_an_action_keeps_seeing_the_case(world: World) -> None:
    """architecture.md, 5: the reporter and everyone who acted have sight as person:ID."""
    case_id = world.start("clock", duty="no")
    world.act(case_id, "transfer", owning_unit="b")
    assert world.engine.case(world.viewer(MANAGER), case_id).head.unit == "b"


def give_sight(world: World, case_id: int, seat: str) -> None:
    """Let a seat see a case, as an escalation would."""
    from engine.batch import see

    with world.engine.writing() as connection:
        see(connection, "office", case_id, [seat])


def test_merging_keeps_both_timelines_and_the_earliest_knowledge(both: World) -> None:
    first = both.start("clock", duty="yes", report_days=30, known_at="2026-11-10 09:00")
    second = both.start("clock", seat="staff@b", duty="yes", report_days=30, known_at="2026-11-05 09:00")
    for case_id in (first, second):
        give_sight(both, case_id, GENERAL)
    with both.acting(GENERAL) as work:
        work.merge(second, into=first, reason="同じ書類の事案")
    lost, kept = both.case(second), both.case(first)
    assert (lost["state"], lost["merged_into"], lost["outcome"]) == ("closed", first, "統合済み")
    assert both.facts(first)["known_at"].startswith("2026-11-05T09:00")
    assert both.rows("statutory_clock", case_id=first)[0]["started_on"] == date(2026, 11, 5)
    assert kept["state"] == "open" and both.waits(first) == ["prepare"]
    assert both.rows("case_link") == [{"case_id": first, "other_id": second, "kind": "merged", "label": None}]
    page = both.engine.case(both.viewer(GENERAL), first)
    assert {event.case_id for event in page.timeline} == {None, second}
    assert [link.id for link in page.links] == [second]
    assert both.engine.case(both.viewer("staff@b"), first).head.id == first, "who reported the duplicate follows the case that is left"
    assert both.engine.verify_history() == ()
    told = [row for row in both.notices("staff.b") if row["template"] == "case_merged"]
    assert [(row["case_id"], row["step"]) for row in told] == [(first, lost["number"])], "no words of the case in a notice"


def test_an_action_that_interrupts_ends_the_case(world: World) -> None:
    case_id = world.start("clock", duty="no")
    give_sight(world, case_id, GENERAL)
    world.act(case_id, "stop", GENERAL)
    assert world.case(case_id)["state"] == "closed"
    assert world.case(case_id)["outcome"] == "中止済み"
    assert world.rows("job", case_id=case_id, kind="timer") == []


def test_a_case_closes_only_when_every_opened_duty_has_its_record(both: World) -> None:
    case_id = both.start("clock", duty="yes", report_days=30)
    both.complete(case_id, "prepare", reported_on="2026-11-16")
    with pytest.raises(ClosingNotReady, match="確認の記録（C-3）"):
        both.complete(case_id, "finish", really=True)
    assert both.waits(case_id) == ["finish"]
    both.complete(case_id, "finish", really=False)
    both.complete(case_id, "check")
    both.complete(case_id, "finish", really=True)
    assert both.case(case_id)["state"] == "closed"


def test_a_duty_that_fell_away_needs_no_record(world: World) -> None:
    case_id = world.start("clock", duty="yes", report_days=30)
    world.complete(case_id, "prepare", reported_on="2026-11-16")
    world.complete(case_id, "finish", really=True, duty="no")
    assert world.case(case_id)["state"] == "closed"


# ---------------------------------------------------------------- personnel orders


def test_a_personnel_order_moves_the_inbox_at_midnight_without_touching_a_case(both: World) -> None:
    case_id = both.start("approval")
    both.clock.set(both.clock.now().replace(hour=14, minute=59))  # 23:59 in Japan
    both.appoint("newcomer", MANAGER, since=date(2026, 11, 17))
    with both.engine.writing() as connection:
        from engine.model import holding

        old = holding.c.person == "protection_manager.a"
        connection.execute(holding.update().where(old).values(valid_to=date(2026, 11, 16)))
    before = {name: total for name, total in both.checksums().items() if name in ("case_file", "task", "case_seat", "history", "job")}

    def inboxes() -> tuple[int, int]:
        counts = [both.engine.inbox(both.engine.viewer(person)).counts.all for person in ("protection_manager.a", "newcomer")]
        return counts[0], counts[1]

    assert inboxes() == (1, 0)
    both.clock.advance(minutes=1)
    assert inboxes() == (0, 1)
    assert before.items() <= both.checksums().items()
    with both.engine.work(by="newcomer") as work:
        work.complete(both.task(case_id, "review")["id"], {"opinion": "着任しました"})
    assert both.history(case_id, "task.completed")[0]["person"] == "newcomer"


def test_a_deputy_acts_from_the_same_seat_under_the_own_name(world: World) -> None:
    world.appoint("deputy", MANAGER, kind="acting", since=date(2026, 11, 16), until=date(2026, 11, 16))
    case_id = world.start("approval")
    with world.engine.work(by="deputy") as work:
        work.complete(world.task(case_id, "review")["id"], {"opinion": "代理で確認"})
    row = world.history(case_id, "task.completed")[0]
    assert (row["person"], row["seat"]) == ("deputy", MANAGER)


def test_one_step_stays_within_its_statements(both: World) -> None:
    """DESIGN 9: complete one step in at most 15 statements, everything included."""
    case_id = both.start("approval")
    task = both.task(case_id, "review")["id"]
    with counted(both.engine.database) as sent, both.acting(MANAGER) as work:
        work.complete(task, {"opinion": "よい"})
    assert len(sent) <= 15, "\n".join(sent)


def test_the_real_office_completes_a_step_within_its_statements(isa: World) -> None:
    answers: dict[str, Any] = {
        "item_summary": "別人の書類を渡した", "known_at": "2026-11-16 09:30", "owning_unit": "adjudication", "event": "leak", "holds": ["pi"], "sensitive": "yes",
    }  # fmt: skip
    with isa.engine.work(by="staff.adjudication") as work:
        case_id = work.start("isa_incident", answers)
    with counted(isa.engine.database) as sent:
        isa.complete(case_id, "contain_at_once", containment_done=["recall"])
    assert len(sent) <= 15, "\n".join(sent)
