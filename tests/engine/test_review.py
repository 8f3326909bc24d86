"""Acting in somebody's stead (代理, 代決), reviews that go on without their reviewer (後閲), consultation, and people a case is about."""

from __future__ import annotations

from datetime import timedelta

import pytest

from engine import (
    CaseClosed,
    CaseNotFound,
    DatedFactInvalid,
    FormInvalid,
    NotAbove,
    NotAllowed,
    NotPassedOver,
    NotYourTask,
    ReasonRequired,
    ReferralClosed,
    ReferralNotFound,
    ReferralRefused,
    SamePerson,
    TakenOut,
    TaskNotFound,
)
from engine.batch import see
from engine.review import MOST_IN_A_ROW
from tests.engine.posts import (
    AUDITOR,
    DIVISION_HEAD,
    KEEPER,
    MANAGER_A,
    MANAGER_B,
    STAFF_A,
    STAFF_B,
    TODAY,
    TOMORROW,
    Posts,
    moved,
)
from tests.support import DIVISION, GENERAL, MANAGER, STAFF


def drafted(posts: Posts, **answers: object) -> int:
    """A case whose draft has been written: the manager is to review it."""
    case_id = posts.start("route")
    posts.does(STAFF_A, case_id, "draft", **answers)
    return case_id


def later_reviews(posts: Posts, person: str) -> list[tuple[int, str]]:
    """What a person has to read afterwards: (case, step)."""
    return [(one.case_id, one.step) for one in posts.engine.referrals(posts.who(person)) if one.kind == "later_review"]


def gives_sight(posts: Posts, case_id: int, seat: str) -> None:
    """Let a seat see a case, as an escalation would."""
    with posts.engine.writing() as connection:
        see(connection, "office", case_id, [seat])


# ---------------------------------------------------------------- 代理: standing in


def test_a_substitute_acts_and_the_record_says_for_whom_and_under_which_rule(posts_both: Posts) -> None:
    posts = posts_both
    posts.deputy(MANAGER_A, STAFF_B, by=MANAGER_A, basis="規程第5条第2項")
    case_id = drafted(posts)
    done = posts.does(STAFF_B, case_id, "check", opinion="代理でみた")
    assert (done["closed_by"], done["closed_seat"], done["closed_for"]) == (STAFF_B, MANAGER, MANAGER_A)
    row = posts.history(case_id, "task.completed")[-1]
    assert (row["person"], row["seat"]) == (STAFF_B, MANAGER)
    assert row["data"]["acting"] == {"kind": "substitute", "for": MANAGER_A, "basis": "規程第5条第2項"}
    told = [event.acting for event in posts.engine.case(posts.who(MANAGER_A), case_id).timeline if event.acting]
    assert told == ["第一課 保護管理者さんの代理、根拠：規程第5条第2項"]
    assert posts.engine.verify_history() == ()


def test_plain_holders_leave_no_such_note_but_caretakers_and_acting_holders_do(posts: Posts) -> None:
    posts.newcomer("caretaker", MANAGER, kind="caretaker")
    for person, kind in ((MANAGER_A, None), ("caretaker", "caretaker")):
        case_id = drafted(posts)
        posts.does(person, case_id, "check", opinion="みた")
        told = posts.history(case_id, "task.completed")[-1]["data"].get("acting")
        assert (told or {}).get("kind") == kind


def test_a_case_started_in_somebodys_stead_is_his_application_too(posts: Posts) -> None:
    """Who stands in reports for the principal; neither of them may then approve it."""
    posts.newcomer("manager2", MANAGER)
    posts.newcomer("helper")
    posts.deputy("manager2", "helper", by="manager2")
    with posts.by("helper", MANAGER) as work:
        case_id = work.start("office_duty", {"item_summary": "代理の申請", "owning_unit": "a"})
    assert (posts.case(case_id)["reporter"], posts.case(case_id)["reported_for"]) == ("helper", "manager2")
    posts.does(STAFF_A, case_id, "prepare")
    task = posts.task(case_id, "approve")["id"]
    for person in ("helper", "manager2"):
        assert posts.inbox_of(person) == []
        with pytest.raises(SamePerson), posts.by(person) as work:
            work.complete(task, {"verdict": "granted"})
    posts.does(MANAGER_A, case_id, "approve", verdict="granted")


def test_a_deputy_for_one_procedure_sees_that_procedure_only(posts_both: Posts) -> None:
    posts = posts_both
    posts.newcomer("helper")
    posts.deputy(MANAGER_A, "helper", process="office_route")
    route, about = drafted(posts), posts.start("about")
    assert posts.inbox_of(MANAGER_A) == ["check", "handle"]
    assert (posts.inbox_of("helper"), posts.sees("helper")) == (["check"], {route})
    with pytest.raises(TaskNotFound), posts.by("helper") as work:
        work.complete(posts.task(about, "handle")["id"], {})
    with pytest.raises(CaseNotFound), posts.by("helper") as work:
        work.note(about, "見えない")
    assert posts.does("helper", route, "check", opinion="代理")["closed_for"] == MANAGER_A
    assert posts.sees("helper") == {route}


def test_a_deputy_by_seat_stands_in_for_that_seat_only(posts: Posts) -> None:
    posts.engine.appoint(MANAGER_A, "protection_manager@b", kind="concurrent", since=TODAY)
    posts.newcomer("helper")
    posts.deputy(MANAGER_A, "helper", seat="protection_manager@b")
    mine, other = posts.start("about", owning_unit="b"), posts.start("about")
    assert (posts.sees("helper"), posts.inbox_of("helper")) == ({mine}, ["handle"])
    assert posts.sees(MANAGER_A) == {mine, other}


def test_deputies_count_by_day(posts_both: Posts) -> None:
    """A registration from tomorrow to the day after: not today, on both days, and not on the day after those."""
    posts = posts_both
    posts.newcomer("helper")
    posts.deputy(MANAGER_A, "helper", valid_from=TOMORROW, valid_to=TOMORROW + timedelta(days=1))
    case_id = drafted(posts)
    seen = []
    for _ in range(4):
        seen.append(posts.inbox_of("helper"))
        posts.to_midnight()
    assert seen == [[], ["check"], ["check"], []]
    with pytest.raises(TaskNotFound), posts.by("helper") as work:
        work.claim(posts.task(case_id, "check")["id"])


def test_there_is_no_deputy_of_a_deputy(posts: Posts) -> None:
    posts.newcomer("first")
    posts.newcomer("second")
    posts.deputy(MANAGER_A, "first")
    posts.deputy("first", "second", by="first")
    case_id = drafted(posts)
    assert (posts.inbox_of("first"), posts.inbox_of("second"), posts.sees("second")) == (["check"], [], set())
    posts.newcomer("acting", MANAGER, kind="acting")
    posts.deputy("acting", "second", by="acting")
    assert (posts.inbox_of("acting"), posts.inbox_of("second")) == (["check"], []), "a 職務代理 stands in already"
    with pytest.raises(DatedFactInvalid):
        posts.deputy("acting", "second", by="acting", seat=MANAGER)
    with pytest.raises(TaskNotFound), posts.by("second", MANAGER) as work:
        work.complete(posts.task(case_id, "check")["id"], {"opinion": "又代理"})


def test_standing_in_gives_no_part_in_keeping_the_registers(posts: Posts) -> None:
    posts.newcomer("helper")
    posts.deputy(KEEPER, "helper")
    assert posts.who("helper").has_role("general_protection_manager") is False
    with pytest.raises(NotAllowed):
        posts.engine.personnel.people(posts.who("helper"))


def test_what_a_deputy_did_keeps_principal_and_deputy_from_the_step_after(posts: Posts) -> None:
    posts.newcomer("helper")
    posts.deputy(STAFF_A, "helper")
    posts.engine.appoint(STAFF_A, MANAGER, kind="concurrent", since=TODAY)
    posts.engine.appoint("helper", MANAGER, kind="joint", since=TODAY)
    case_id = posts.start("duty", seat="staff@b")
    posts.does("helper", case_id, "prepare", seat=STAFF)
    for person in (STAFF_A, "helper"):
        assert posts.inbox_of(person) == []
        with pytest.raises(SamePerson), posts.by(person) as work:
            work.complete(posts.task(case_id, "approve")["id"], {"verdict": "granted"})


def test_the_deputy_of_somebody_kept_from_a_step_is_not_shown_it(posts: Posts) -> None:
    """The manager applied himself: what he may not approve, nobody approves in his stead."""
    posts.newcomer("helper")
    posts.deputy(MANAGER_A, "helper")
    case_id = posts.start("duty", MANAGER)
    posts.does(STAFF_A, case_id, "prepare")
    task = posts.task(case_id, "approve")["id"]
    assert (posts.inbox_of(MANAGER_A), posts.inbox_of("helper")) == ([], [])
    assert posts.inbox_of(DIVISION_HEAD) == ["approve"], "nobody else is behind the seat: the next rung has it in turn"
    with pytest.raises((SamePerson, NotYourTask)), posts.by("helper") as work:
        work.complete(task, {"verdict": "granted"})
    done = posts.does(DIVISION_HEAD, case_id, "approve", verdict="granted")
    assert done["closed_seat"] == DIVISION
    assert posts.history(case_id, "task.completed")[-1]["data"]["acting"]["kind"] == "in_turn"


def test_who_is_registered_as_deputy_later_is_kept_from_what_he_may_not_do(posts: Posts) -> None:
    """The applicant becomes the manager's deputy while the application waits."""
    case_id = posts.start("duty")
    posts.does(STAFF_A, case_id, "prepare")
    posts.deputy(MANAGER_A, STAFF_A, by=MANAGER_A)
    assert posts.inbox_of(STAFF_A) == []
    with pytest.raises(SamePerson), posts.by(STAFF_A) as work:
        work.complete(posts.task(case_id, "approve")["id"], {"verdict": "granted"})
    assert posts.inbox_of(MANAGER_A) == ["approve"]


def test_the_next_in_order_is_never_somebody_who_did_it_himself(posts: Posts) -> None:
    """The division's head applied, the manager prepared: the step passes both and reaches the general manager."""
    posts.engine.appoint(MANAGER_A, STAFF, kind="concurrent", since=TODAY)
    with posts.by(DIVISION_HEAD) as work:
        case_id = work.start("office_duty", {"item_summary": "部長の申請", "owning_unit": "a"})
    posts.does(MANAGER_A, case_id, "prepare")
    assert (posts.inbox_of(MANAGER_A), posts.inbox_of(DIVISION_HEAD), posts.inbox_of(KEEPER)) == ([], [], ["approve"])
    assert posts.does(KEEPER, case_id, "approve", verdict="granted")["closed_seat"] == GENERAL


# ---------------------------------------------------------------- 代決: final decisions in absence


def decider(posts: Posts) -> str:
    """Somebody who may take the division head's final decisions."""
    posts.newcomer("decider")
    posts.deputy(DIVISION_HEAD, "decider", kind="decision", seat=DIVISION, basis="文書規程第9条")
    return "decider"


def to_decide(posts: Posts) -> int:
    """A case that waits for its final decision."""
    case_id = drafted(posts)
    posts.does(MANAGER_A, case_id, "check", opinion="みた")
    return case_id


def test_a_final_decision_may_be_taken_only_while_the_principal_is_absent(posts_both: Posts) -> None:
    posts = posts_both
    who, case_id = decider(posts), to_decide(posts)
    task = posts.task(case_id, "decide")["id"]
    assert (posts.inbox_of(who), posts.sees(who)) == ([], set())
    with pytest.raises(TaskNotFound), posts.by(who) as work:
        work.complete(task, {"verdict": "granted"})
    posts.away(DIVISION_HEAD, TOMORROW, TOMORROW)
    assert posts.inbox_of(who) == []
    posts.to_midnight()
    assert (posts.inbox_of(who), posts.sees(who)) == (["decide"], {case_id})
    posts.to_midnight()
    assert (posts.inbox_of(who), posts.sees(who)) == ([], set()), "he is back"
    away = posts.away(DIVISION_HEAD)
    done = posts.does(who, case_id, "decide", verdict="granted")
    assert (done["closed_by"], done["closed_seat"], done["closed_for"]) == (who, DIVISION, DIVISION_HEAD)
    told = posts.history(case_id, "task.completed")[-1]["data"]["acting"]
    assert told == {"kind": "decision", "for": DIVISION_HEAD, "basis": "文書規程第9条"}
    assert [row["template"] for row in posts.notices(DIVISION_HEAD, task_id=task)][-1] == "decided_for_you"
    posts.engine.personnel.end_absence(posts.who(DIVISION_HEAD), away)
    assert later_reviews(posts, DIVISION_HEAD) == [(case_id, "決裁")]
    with posts.by(DIVISION_HEAD) as work:
        work.confirm(posts.rows("referral")[0]["id"])
    assert later_reviews(posts, DIVISION_HEAD) == []
    assert posts.sees(who) == {case_id}, "the own act stays in sight"
    assert posts.engine.verify_history() == ()


def test_only_steps_drawn_as_final_decisions_may_be_taken_so(posts: Posts) -> None:
    posts.newcomer("decider")
    posts.deputy(MANAGER_A, "decider", kind="decision", seat=MANAGER)
    about, duty = posts.start("about"), posts.start("duty")
    posts.does(STAFF_A, duty, "prepare")
    posts.away(MANAGER_A)
    assert (posts.inbox_of("decider"), posts.sees("decider")) == (["approve"], {duty})
    with pytest.raises(TaskNotFound), posts.by("decider") as work:
        work.complete(posts.task(about, "handle")["id"], {})
    with pytest.raises(NotAllowed), posts.by("decider", MANAGER) as work:
        work.start("office_about", {"item_summary": "代決では始められない", "owning_unit": "a"})


def test_a_decision_may_not_be_taken_for_a_principal_who_reviewed(posts: Posts) -> None:
    """Who drafted may not decide in the head's stead, and is not shown the step."""
    posts.deputy(DIVISION_HEAD, STAFF_A, kind="decision", seat=DIVISION)
    case_id = to_decide(posts)
    posts.away(DIVISION_HEAD)
    assert posts.inbox_of(STAFF_A) == []
    with pytest.raises(SamePerson), posts.by(STAFF_A) as work:
        work.complete(posts.task(case_id, "decide")["id"], {"verdict": "granted"})


def test_decisions_in_absence_are_registered_by_who_keeps_the_registers_for_one_seat(posts: Posts) -> None:
    with pytest.raises(NotAllowed):
        posts.deputy(MANAGER_A, STAFF_B, kind="decision", by=MANAGER_A, seat=MANAGER)
    with pytest.raises(DatedFactInvalid, match="役を1つ"):
        posts.deputy(MANAGER_A, STAFF_B, kind="decision")


# ---------------------------------------------------------------- registrations themselves


def test_what_a_registration_of_a_deputy_must_say(posts: Posts) -> None:
    posts.newcomer("helper")
    for wrong in (
        {"basis": " "}, {"valid_from": TODAY - timedelta(days=1)}, {"valid_from": TOMORROW, "valid_to": TODAY}, {"seat": "staff@b"},
        {"process": "office_nothing"}, {"kind": "anything"},
    ):  # fmt: skip
        with pytest.raises(DatedFactInvalid):
            posts.deputy(MANAGER_A, "helper", **wrong)  # type: ignore[arg-type]
    with pytest.raises(DatedFactInvalid):
        posts.deputy(MANAGER_A, MANAGER_A)
    with pytest.raises(NotAllowed):
        posts.deputy(MANAGER_A, "helper", by=STAFF_A)
    posts.deputy(MANAGER_A, "helper", by=MANAGER_A)
    with pytest.raises(DatedFactInvalid, match="重なる"):
        posts.deputy(MANAGER_A, "helper", valid_from=TOMORROW)


def test_ending_a_registration_never_makes_it_longer(posts: Posts) -> None:
    """One that ran out last week stays as it was; a later day than registered is refused or left."""
    posts.newcomer("helper")
    made = posts.deputy(MANAGER_A, "helper", by=MANAGER_A, valid_to=TOMORROW)
    with pytest.raises(DatedFactInvalid):
        posts.engine.personnel.end_deputy(posts.who(MANAGER_A), made, TOMORROW + timedelta(days=30))
    posts.pass_time(days=7)
    with pytest.raises(DatedFactInvalid):
        posts.engine.personnel.end_deputy(posts.who(MANAGER_A), made)
    current = [row for row in posts.rows("deputy") if row["superseded_at"] is None]
    assert [row["valid_to"] for row in current] == [TOMORROW]


def test_ending_an_absence_that_is_over_never_makes_it_longer(posts: Posts) -> None:
    made = posts.away(MANAGER_A, TODAY, TODAY)
    posts.pass_time(days=7)
    with pytest.raises(DatedFactInvalid):
        posts.engine.personnel.end_absence(posts.who(MANAGER_A), made)
    assert [row["valid_to"] for row in posts.rows("absence") if row["superseded_at"] is None] == [TODAY]


def test_absences_do_not_overlap_and_are_ended_by_the_person_or_the_registers(posts: Posts) -> None:
    made = posts.away(MANAGER_A, TODAY, TOMORROW)
    with pytest.raises(DatedFactInvalid, match="重なる"):
        posts.away(MANAGER_A, TOMORROW)
    with pytest.raises(NotAllowed):
        posts.engine.personnel.end_absence(posts.who(STAFF_A), made)
    with pytest.raises(NotAllowed):
        posts.engine.personnel.register_absence(posts.who(STAFF_A), MANAGER_B, TODAY, None, "sick")
    with pytest.raises(DatedFactInvalid):
        posts.engine.personnel.register_absence(posts.who(MANAGER_B), MANAGER_B, TODAY, None, "腰痛")
    posts.engine.personnel.end_absence(posts.who(KEEPER), made)
    assert [row for row in posts.rows("absence") if row["superseded_at"] is None] == [], "it never held"
    assert posts.engine.personnel.person(posts.who(MANAGER_A), MANAGER_A).row.away is False


# ---------------------------------------------------------------- 後閲: reviews passed over


def test_a_review_opens_passed_over_when_its_reviewer_is_absent(posts_both: Posts) -> None:
    posts = posts_both
    posts.away(MANAGER_A)
    case_id = drafted(posts)
    assert posts.waits(case_id) == ["decide"]
    check = next(row for row in posts.rows("task", case_id=case_id) if row["node"] == "check")
    assert (check["state"], check["closed_by"]) == ("cancelled", None)
    row = posts.history(case_id, "task.passed_over")[0]
    assert (row["person"], row["data"]["why"], row["data"]["to"]) == ("system", "担当が不在のため", "第一課 保護管理者")
    assert posts.facts(case_id)["opinion"] == "後閲"
    assert later_reviews(posts, MANAGER_A) == [(case_id, "審査")]
    assert not [row for row in posts.rows("job", case_id=case_id) if row["key"].startswith(f"task:{check['id']}:")]
    posts.does(DIVISION_HEAD, case_id, "decide", verdict="granted")
    assert later_reviews(posts, MANAGER_A) == [(case_id, "審査")], "it stays when the case has ended"
    with posts.by(MANAGER_A) as work:
        work.confirm(posts.rows("referral")[0]["id"])
    assert later_reviews(posts, MANAGER_A) == []
    assert posts.history(case_id, "referral.confirmed")[0]["data"]["kind"] == "後閲"
    assert posts.engine.verify_history() == ()


def test_an_absence_that_begins_later_passes_the_review_over_at_midnight(posts_both: Posts) -> None:
    posts = posts_both
    case_id = drafted(posts)
    posts.away(MANAGER_A, TOMORROW, TOMORROW)
    assert posts.waits(case_id) == ["check"]
    posts.to_midnight()
    assert posts.waits(case_id) == ["decide"]
    assert posts.history(case_id, "task.passed_over")[0]["at"].astimezone().isoformat() == posts.clock.now().astimezone().isoformat()


def test_everybody_behind_the_seat_must_be_absent(posts: Posts) -> None:
    """A second holder or a substitute who is there keeps the review with the seat."""
    posts.newcomer("helper")
    posts.deputy(MANAGER_A, "helper", valid_to=TOMORROW)
    case_id = drafted(posts)
    posts.away(MANAGER_A)
    assert (posts.waits(case_id), posts.inbox_of("helper")) == (["check"], ["check"])
    posts.away("helper", TODAY, TODAY)
    assert posts.waits(case_id) == ["decide"]


def test_a_review_goes_on_when_the_only_one_there_stops_standing_in(posts: Posts) -> None:
    """The substitute's registration runs out while the manager is away: from then on nobody is there."""
    posts.newcomer("helper")
    posts.deputy(MANAGER_A, "helper", valid_to=TODAY)
    case_id = drafted(posts)
    posts.away(MANAGER_A)
    assert posts.waits(case_id) == ["check"]
    posts.to_midnight()
    assert posts.waits(case_id) == ["decide"]


def test_a_review_goes_on_when_the_substitute_is_ended_by_hand(posts: Posts) -> None:
    posts.newcomer("helper")
    made = posts.deputy(MANAGER_A, "helper")
    case_id = drafted(posts)
    posts.away(MANAGER_A)
    posts.engine.personnel.end_deputy(posts.who(MANAGER_A), made)
    posts.run()
    assert posts.waits(case_id) == ["decide"]


def test_a_review_goes_on_when_a_second_holders_term_runs_out(posts: Posts) -> None:
    posts.newcomer("caretaker")
    posts.engine.personnel.appoint(posts.who(KEEPER), "caretaker", MANAGER, "caretaker", TODAY, TODAY, "欠員のため")
    case_id = drafted(posts)
    posts.away(MANAGER_A)
    assert posts.waits(case_id) == ["check"]
    posts.to_midnight()
    assert posts.waits(case_id) == ["decide"]


def test_a_vacant_seat_is_no_absence(posts: Posts) -> None:
    posts.engine.personnel.end_holding(posts.who(KEEPER), posts.holding(MANAGER_A, MANAGER)["id"], TODAY - timedelta(days=1), "誤り")
    posts.run()
    case_id = drafted(posts)
    assert posts.waits(case_id) == ["check"]
    assert [one.step for one in posts.engine.personnel.stuck(posts.who(KEEPER))] == ["審査"]


def test_a_draft_may_designate_the_review_as_one_for_later(posts: Posts) -> None:
    case_id = drafted(posts, afterwards=True)
    assert posts.waits(case_id) == ["decide"]
    assert posts.history(case_id, "task.passed_over")[0]["data"]["why"] == "起案の指定により"
    assert later_reviews(posts, MANAGER_A) == [(case_id, "審査")]


def test_a_step_that_is_no_review_waits_for_whoever_is_absent(posts: Posts) -> None:
    posts.away(MANAGER_A)
    assert posts.waits(posts.start("about")) == ["handle"]


def test_a_superior_takes_a_paper_up_past_its_reviewer(posts_both: Posts) -> None:
    posts = posts_both
    case_id = drafted(posts)
    gives_sight(posts, case_id, DIVISION)
    task = posts.task(case_id, "check")["id"]
    with pytest.raises(ReasonRequired), posts.by(DIVISION_HEAD) as work:
        work.pull_up(task, " ")
    with posts.by(DIVISION_HEAD) as work:
        work.pull_up(task, "急を要するため")
    assert posts.waits(case_id) == ["decide"]
    row = posts.history(case_id, "task.passed_over")[0]
    assert (row["person"], row["seat"], row["data"]["why"], row["data"]["reason"]) == (
        DIVISION_HEAD, DIVISION, "上位者の引上げにより", "急を要するため",
    )  # fmt: skip
    shown = posts.engine.referrals(posts.who(MANAGER_A))
    assert [(one.kind, one.asked_by, one.text) for one in shown] == [
        ("later_review", DIVISION_HEAD, "「審査」を上位者の引上げにより先へ進めました。急を要するため")
    ]
    assert f"person:{DIVISION_HEAD}" in {one["seat"] for one in posts.rows("case_seat", case_id=case_id)}, "he acted in it"


def test_nobody_else_takes_a_paper_up(posts: Posts) -> None:
    case_id = drafted(posts)
    task = posts.task(case_id, "check")["id"]
    with pytest.raises(TaskNotFound), posts.by(DIVISION_HEAD) as work:
        work.pull_up(task, "見えない案件")
    for person in (STAFF_A, MANAGER_A, AUDITOR):  # the drafter, the reviewer himself, and who only sees it
        with pytest.raises(NotAbove), posts.by(person) as work:
            work.pull_up(task, "上位ではない")
    posts.newcomer("helper")
    posts.deputy(DIVISION_HEAD, "helper", process="office_route")
    gives_sight(posts, case_id, DIVISION)
    with pytest.raises(NotAbove), posts.by("helper") as work:
        work.pull_up(task, "手続を限った代理")
    case_about = posts.start("about")
    gives_sight(posts, case_about, DIVISION)
    with pytest.raises(NotPassedOver), posts.by(DIVISION_HEAD) as work:
        work.pull_up(posts.task(case_about, "handle")["id"], "審査ではない")


def test_an_applicant_who_stands_above_does_not_take_his_own_paper_up(posts: Posts) -> None:
    with posts.by(DIVISION_HEAD) as work:
        case_id = work.start("office_route", {"item_summary": "部長の起案", "owning_unit": "a"})
    posts.does(STAFF_A, case_id, "draft")
    with pytest.raises(SamePerson), posts.by(DIVISION_HEAD) as work:
        work.pull_up(posts.task(case_id, "check")["id"], "自分のもの")
    assert posts.waits(case_id) == ["check"]


def test_duties_block_closing_whoever_is_absent(posts: Posts) -> None:
    """The review is the last step and no record of what the duty asks for: without the duty it is passed over, with it the case stays open."""
    posts.away(MANAGER_A)
    free, bound = posts.start("obliged", duty="no"), posts.start("obliged", duty="yes")
    posts.does(STAFF_A, free, "draft", duty="no")
    posts.does(STAFF_A, bound, "draft", duty="yes")
    assert (posts.case(free)["state"], posts.case(bound)["state"]) == ("closed", "open")
    assert posts.waits(bound) == ["check"]
    assert later_reviews(posts, MANAGER_A) == [(free, "確認")]
    assert posts.history(bound, "task.passed_over") == []
    assert posts.engine.verify_history() == ()


def test_reviews_that_lead_to_each_other_end_when_both_reviewers_are_absent(posts: Posts) -> None:
    posts.away(MANAGER_A)
    posts.away(DIVISION_HEAD)
    case_id = posts.start("rounds")
    posts.does(STAFF_A, case_id, "draft")
    passed = posts.history(case_id, "task.passed_over")
    assert len(passed) == MOST_IN_A_ROW
    assert posts.waits(case_id) == ["one"]
    assert posts.engine.verify_history() == ()


def test_what_is_to_be_read_afterwards_moves_to_the_successor(posts: Posts) -> None:
    posts.away(MANAGER_A)
    case_id = drafted(posts)
    posts.newcomer("successor")
    posts.order(moved(MANAGER_A, "第一課", "保護管理者", "免"), moved("successor", "第一課", "保護管理者", "任命"))
    posts.to_midnight()
    assert (later_reviews(posts, MANAGER_A), later_reviews(posts, "successor")) == ([], [(case_id, "審査")])
    review = posts.rows("referral")[0]["id"]
    with pytest.raises(ReferralNotFound), posts.by(MANAGER_A) as work:
        work.confirm(review)
    with posts.by("successor") as work:
        work.confirm(review)
    assert later_reviews(posts, "successor") == []


# ---------------------------------------------------------------- 照会 and 回覧


def test_who_is_consulted_reads_and_answers_but_decides_nothing(posts_both: Posts) -> None:
    posts = posts_both
    case_id = posts.start("about")
    assert posts.sees(MANAGER_B) == set()
    with posts.by(MANAGER_A) as work:
        asked = work.consult(case_id, "protection_manager@b", "同じ例がありましたか")
    assert posts.sees(MANAGER_B) == {case_id}
    assert (posts.inbox_of(MANAGER_B), [one.id for one in posts.engine.referrals(posts.who(MANAGER_B))]) == ([], [asked])
    task = posts.task(case_id, "handle")["id"]
    for verb in ("claim", "complete"):
        with pytest.raises(NotYourTask), posts.by(MANAGER_B) as work:
            work.claim(task) if verb == "claim" else work.complete(task, {})
    with pytest.raises(NotAllowed), posts.by(MANAGER_B) as work:
        work.confirm(asked)
    with pytest.raises(ReasonRequired), posts.by(MANAGER_B) as work:
        work.answer(asked, "")
    with posts.by(MANAGER_B) as work:
        work.answer(asked, "ありません")
    row = posts.rows("referral", id=asked)[0]
    assert (row["state"], row["closed_by"], row["closed_seat"], row["answer"]) == (
        "closed",
        MANAGER_B,
        "protection_manager@b",
        "ありません",
    )
    assert [one["template"] for one in posts.notices(MANAGER_A) if one["cause"].startswith("referral")] == ["consultation_answered"]
    with pytest.raises(ReferralClosed), posts.by(MANAGER_B) as work:
        work.answer(asked, "もう一度")
    shown = posts.engine.case(posts.who(MANAGER_A), case_id).referrals
    assert [(one.state, one.answer, one.mine) for one in shown] == [("closed", "ありません", False)]
    assert posts.engine.verify_history() == ()


def test_who_has_answered_keeps_sight_of_the_own_answer(posts: Posts) -> None:
    """architecture.md, 11: everyone who acted sees the case as person:ID."""
    case_id = posts.start("about")
    with posts.by(MANAGER_A) as work:
        asked = work.consult(case_id, "protection_manager@b", "同じ例がありましたか")
    with posts.by(MANAGER_B) as work:
        work.answer(asked, "ありません")
    posts.order(moved(MANAGER_B, "離れ", "職員"))
    posts.to_midnight()
    assert posts.sees(MANAGER_B) == {case_id}


def test_what_is_circulated_is_confirmed_by_each_even_after_the_end(posts: Posts) -> None:
    case_id = posts.start("about")
    posts.does(MANAGER_A, case_id, "handle")
    posts.does(DIVISION_HEAD, case_id, "settle")
    with posts.by(MANAGER_A) as work:
        ids = work.circulate(case_id, ["protection_manager@b", f"person:{STAFF_B}", "protection_manager@b"], "参考まで")
    assert len(ids) == 2
    for person, one in zip((MANAGER_B, STAFF_B), ids, strict=True):
        with pytest.raises(NotAllowed), posts.by(person) as work:
            work.answer(one, "回答")
        with posts.by(person) as work:
            work.confirm(one)
        assert posts.engine.referrals(posts.who(person)) == ()
    with pytest.raises(CaseClosed), posts.by(MANAGER_A) as work:
        work.consult(case_id, "protection_manager@b", "終わった案件")


def test_only_who_asked_takes_it_back(posts: Posts) -> None:
    case_id = posts.start("about")
    with posts.by(MANAGER_A) as work:
        asked = work.consult(case_id, f"person:{STAFF_B}", "教えてください")
    for person in (STAFF_A, STAFF_B, KEEPER):
        with pytest.raises(ReferralNotFound), posts.by(person) as work:
            work.recall(asked)
    with posts.by(MANAGER_A) as work:
        work.recall(asked)
    assert posts.engine.referrals(posts.who(STAFF_B)) == ()
    with pytest.raises(ReferralClosed), posts.by(STAFF_B) as work:
        work.answer(asked, "遅かった")
    with pytest.raises(ReferralClosed), posts.by(MANAGER_A) as work:
        work.recall(asked)


def test_a_later_review_is_not_taken_back(posts: Posts) -> None:
    case_id = drafted(posts)
    gives_sight(posts, case_id, DIVISION)
    with posts.by(DIVISION_HEAD) as work:
        work.pull_up(posts.task(case_id, "check")["id"], "急ぎ")
    with pytest.raises(ReferralNotFound), posts.by(DIVISION_HEAD) as work:
        work.recall(posts.rows("referral")[0]["id"])


def test_nobody_outside_the_office_is_asked_and_no_seat_that_is_not_there(posts: Posts) -> None:
    case_id = posts.start("about")
    for to in ("person:staff.a.elsewhere", "person:nobody", "person:system", "staff@nowhere", "", f"person:{MANAGER_A}"):
        with pytest.raises(ReferralRefused), posts.by(MANAGER_A) as work:
            work.consult(case_id, to, "聞きたい")
    with pytest.raises(ReferralRefused), posts.by(MANAGER_A) as work:
        work.circulate(case_id, [], "だれにも")
    with pytest.raises(CaseNotFound), posts.by("protection_manager.a.elsewhere") as work:
        work.consult(case_id, "staff@a", "他庁から")
    with posts.by(MANAGER_A) as work:
        asked = work.consult(case_id, "staff@b", "聞きたい")
    for verb in ("answer", "recall", "confirm"):
        with pytest.raises(ReferralNotFound), posts.by("staff.b.elsewhere") as work:
            getattr(work, verb)(asked, *(["他庁"] if verb == "answer" else []))


def test_nothing_is_laid_before_somebody_the_case_is_about(posts: Posts) -> None:
    case_id = posts.start("about", involved=STAFF_B)
    with pytest.raises(ReferralRefused, match="関係した職員"), posts.by(MANAGER_A) as work:
        work.consult(case_id, f"person:{STAFF_B}", "事情は")
    with posts.by(MANAGER_A) as work:
        asked = work.consult(case_id, "staff@b", "課に聞く")
    assert (posts.engine.referrals(posts.who(STAFF_B)), posts.sees(STAFF_B)) == ((), set())
    with pytest.raises(ReferralNotFound), posts.by(STAFF_B) as work:
        work.answer(asked, "自分のこと")


# ---------------------------------------------------------------- people a case is about


def test_who_a_case_is_about_takes_no_part_and_the_next_rung_does(posts_both: Posts) -> None:
    posts = posts_both
    case_id = posts.start("about", involved=MANAGER_A)
    task = posts.task(case_id, "handle")["id"]
    assert (posts.inbox_of(MANAGER_A), posts.sees(MANAGER_A)) == ([], set())
    with pytest.raises(CaseNotFound):
        posts.engine.case(posts.who(MANAGER_A), case_id)
    with pytest.raises(TaskNotFound), posts.by(MANAGER_A) as work:  # not even that there is such a case
        work.complete(task, {})
    assert (posts.inbox_of(DIVISION_HEAD), posts.sees(DIVISION_HEAD)) == (["handle"], {case_id})
    done = posts.does(DIVISION_HEAD, case_id, "handle", text="次の順位で")
    assert (done["closed_by"], done["closed_seat"], done["closed_for"]) == (DIVISION_HEAD, DIVISION, None)
    assert posts.history(case_id, "task.completed")[0]["data"]["acting"]["kind"] == "in_turn"
    assert posts.history(case_id, "person.taken_out")[0]["data"]["person"] == MANAGER_A
    posts.does(DIVISION_HEAD, case_id, "settle")
    assert {row["lifted_at"] for row in posts.rows("bar")} == {posts.clock.now()}, "an ended case keeps nobody from anything"
    assert posts.sees(MANAGER_A) == {case_id}


def test_somebody_named_later_sees_only_what_he_did_himself(posts: Posts) -> None:
    other, case_id = posts.start("about"), posts.start("about")
    posts.does(MANAGER_A, case_id, "handle", involved=f"{MANAGER_A}、{DIVISION_HEAD}")
    assert posts.sees(MANAGER_A) == {other, case_id}, "the case in which he acted stays"
    assert (posts.inbox_of(DIVISION_HEAD), posts.sees(DIVISION_HEAD), posts.inbox_of(KEEPER)) == ([], set(), ["settle"])
    with posts.by(STAFF_A) as work:
        work.act(case_id, "amend", {"involved": ""})
    assert (posts.inbox_of(DIVISION_HEAD), posts.inbox_of(KEEPER)) == (["settle"], [])
    assert [row["data"]["person"] for row in posts.history(case_id, "person.taken_in")] == sorted([DIVISION_HEAD, MANAGER_A])
    posts.does(DIVISION_HEAD, case_id, "settle")
    assert posts.case(case_id)["state"] == "closed"


def test_a_second_holder_who_is_not_named_keeps_the_step(posts: Posts) -> None:
    posts.newcomer("second", MANAGER, kind="joint")
    case_id = posts.start("about", involved=MANAGER_A)
    assert (posts.inbox_of("second"), posts.inbox_of(DIVISION_HEAD)) == (["handle"], [])
    with pytest.raises(TaskNotFound), posts.by(DIVISION_HEAD) as work:
        work.complete(posts.task(case_id, "handle")["id"], {})


def test_nobody_stands_in_for_who_the_case_is_about(posts: Posts) -> None:
    """The named manager's deputy is not shown the step either: it went to the next rung."""
    posts.newcomer("helper")
    posts.deputy(MANAGER_A, "helper")
    posts.start("about", involved=MANAGER_A)
    assert (posts.inbox_of("helper"), posts.inbox_of(DIVISION_HEAD)) == ([], ["handle"])


def test_a_named_applicant_keeps_sight_of_the_own_report_but_acts_no_more(posts: Posts) -> None:
    case_id = posts.start("about", involved=STAFF_A)
    assert posts.sees(STAFF_A) == {case_id}
    with pytest.raises(TakenOut), posts.by(STAFF_A) as work:
        work.act(case_id, "amend", {"involved": ""})


@pytest.mark.parametrize("verb", ["consult", "circulate"])
def test_who_is_named_after_having_acted_lays_the_case_before_nobody(posts: Posts, verb: str) -> None:
    """He sees his own act and takes no part any more."""
    case_id = posts.start("about")
    posts.does(MANAGER_A, case_id, "handle", involved=MANAGER_A)
    to: str | list[str] = "protection_manager@b" if verb == "consult" else ["protection_manager@b"]
    with pytest.raises(TakenOut), posts.by(MANAGER_A) as work:
        getattr(work, verb)(case_id, to, "どう思いますか")


def test_who_a_case_is_about_is_told_nothing_of_it_and_who_has_it_in_turn_is(posts: Posts) -> None:
    """Number and step of the case reach nobody it is about, by no mail."""
    case_id = posts.start("about", involved=MANAGER_A)
    assert {row["person"] for row in posts.notices(case_id=case_id)} == {DIVISION_HEAD}


def test_unknown_people_are_not_named(posts: Posts) -> None:
    with pytest.raises(FormInvalid):
        posts.start("about", involved="だれでもない")


def test_why_says_who_is_behind_a_step_and_why_it_is_not_ones_own(posts: Posts) -> None:
    posts.newcomer("helper")
    posts.deputy(MANAGER_A, "helper", basis="規程第5条")
    posts.away(MANAGER_A, TODAY, TODAY)
    case_id = posts.start("duty")
    posts.does(STAFF_A, case_id, "prepare")
    task = posts.task(case_id, "approve")["id"]
    mine = posts.engine.why(posts.who("helper"), task)
    assert mine.may and "代理" in mine.mine[0]
    refused = posts.engine.why(posts.who(STAFF_A), task)
    assert not refused.may and "第一課 保護管理者" in refused.refused
    assert dict(refused.people)["第一課 保護管理者さん"].endswith("（きょうは不在）")


# ---------------------------------------------------------------- both steps at once


def two_seats(posts: Posts) -> int:
    """The manager also has the division's seat; a case with one step for each."""
    posts.engine.appoint(MANAGER_A, DIVISION, kind="concurrent", since=TODAY)
    return posts.start("pair")


def test_two_steps_in_a_row_are_done_in_one_go_each_with_its_own_record(posts_both: Posts) -> None:
    posts = posts_both
    case_id = two_seats(posts)
    with posts.by(MANAGER_A, MANAGER) as work:
        work.complete(posts.task(case_id, "first")["id"], {"found": "異常なし"}, 1, following={"second": {"count": "3"}})
    assert posts.case(case_id)["state"] == "closed"
    rows = posts.history(case_id, "task.completed")
    assert [(row["node"], row["seat"], row["clause"], row["person"]) for row in rows] == [
        ("first", MANAGER, "C-2", MANAGER_A), ("second", DIVISION, "C-3", MANAGER_A),
    ]  # fmt: skip
    assert [row["data"]["version"] for row in rows] == [2, 3]
    assert posts.facts(case_id)["count"] == 3
    assert posts.engine.verify_history() == ()


def test_both_steps_or_neither(posts: Posts) -> None:
    case_id = two_seats(posts)
    task = posts.task(case_id, "first")["id"]
    with pytest.raises(FormInvalid) as refused, posts.by(MANAGER_A, MANAGER) as work:
        work.complete(task, {"found": "異常なし"}, following={"second": {"count": "-1"}})
    assert set(refused.value.fields) == {"second.count"}
    assert (posts.waits(case_id), posts.case(case_id)["version"]) == (["first"], 1)
    with pytest.raises(FormInvalid) as refused, posts.by(MANAGER_A, MANAGER) as work:
        work.complete(task, {"found": ""}, following={"second": {"count": "1"}})
    assert set(refused.value.fields) == {"found"}
    assert posts.history(case_id, "task.completed") == []


def test_what_follows_is_left_out_when_the_case_goes_another_way_or_is_somebody_elses(posts: Posts) -> None:
    case_id = two_seats(posts)
    with posts.by(MANAGER_A, MANAGER) as work:
        work.complete(posts.task(case_id, "first")["id"], {"found": "x", "skip": True}, following={"second": {"count": "1"}})
    assert posts.waits(case_id) == ["third"]
    other = posts.start("pair", owning_unit="b")
    with posts.by(MANAGER_B) as work:
        work.complete(posts.task(other, "first")["id"], {"found": "x"}, following={"second": {"count": "1"}})
    assert posts.waits(other) == ["second"]


def test_separation_of_duties_holds_for_what_follows(posts: Posts) -> None:
    posts.engine.appoint(STAFF_A, MANAGER, kind="concurrent", since=TODAY)
    case_id = posts.start("duty", seat="staff@b")
    with pytest.raises(SamePerson), posts.by(STAFF_A) as work:
        work.complete(posts.task(case_id, "prepare")["id"], {}, following={"approve": {"verdict": "granted"}})
    assert posts.waits(case_id) == ["prepare"]
