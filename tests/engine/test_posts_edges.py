"""Posts, people and absences by date at their edges: first steps, transfers, two principals, claims, what was taken back."""

from __future__ import annotations

import pytest

from engine import AlreadyClaimed, CaseNotFound, NotAllowed, TaskNotFound
from tests.engine.posts import DIVISION_HEAD, MANAGER_A, MANAGER_B, STAFF_A, STAFF_B, TODAY, Posts
from tests.support import DIVISION, MANAGER, OTHER_MANAGER


def test_a_review_that_is_the_first_step_is_passed_over_when_its_reviewer_is_absent(posts: Posts) -> None:
    """`Work.start` writes by `Writer.create`, which nobody follows up: only completing, sending back and so on look at new reviews."""
    posts.away(MANAGER_A)
    assert posts.waits(posts.start("at_once")) == ["decide"]


def test_a_review_that_is_the_first_step_is_passed_over_when_designated(posts: Posts) -> None:
    assert posts.waits(posts.start("at_once", afterwards=True)) == ["decide"]


def test_a_transferred_step_is_not_shown_to_who_may_not_do_it(posts: Posts) -> None:
    """The applicant is the other unit's manager: `Writer._reseat` moves the step to his seat, and `bars.separate` is not asked."""
    with posts.by(MANAGER_B) as work:
        case_id = work.start("office_moving", {"item_summary": "転送する", "owning_unit": "a"})
    with posts.by(MANAGER_B) as work:
        work.act(case_id, "transfer", {"owning_unit": "b"})
    assert posts.task(case_id, "approve")["seat"] == OTHER_MANAGER
    assert (posts.inbox_of(MANAGER_B), posts.inbox_of(DIVISION_HEAD)) == ([], ["approve"])


def test_a_deputy_of_two_acts_for_the_one_who_may(posts: Posts) -> None:
    """One principal applied himself, the other did not: `access.standings` offers the first, and the act is refused though another way is open."""
    posts.newcomer("second", MANAGER)
    posts.newcomer("helper")
    posts.deputy(MANAGER_A, "helper")
    posts.deputy("second", "helper")
    case_id = posts.start("duty", MANAGER)
    posts.does(STAFF_A, case_id, "prepare")
    assert posts.inbox_of("helper") == ["approve"]
    assert posts.does("helper", case_id, "approve", verdict="granted")["closed_for"] == "second"


def test_nobody_acts_in_the_stead_of_who_the_case_is_about(posts: Posts) -> None:
    """Not shown, but done all the same by whoever knows the step's number: `access.acting_as` asks only for the actor's own bars."""
    posts.newcomer("helper")
    posts.deputy(MANAGER_A, "helper")
    case_id = posts.start("about", involved=MANAGER_A)
    with pytest.raises((NotAllowed, TaskNotFound)), posts.by("helper") as work:
        work.complete(posts.task(case_id, "handle")["id"], {})


def test_a_claim_in_turn_holds_against_others(posts: Posts) -> None:
    """Whoever claims in turn, or as 代決者, is neither holder nor substitute, and yet has claimed it: in the act and on the page."""
    posts.newcomer("second", DIVISION)
    case_id = posts.start("about", involved=MANAGER_A)
    task = posts.task(case_id, "handle")["id"]
    with posts.by(DIVISION_HEAD) as work:
        work.claim(task)
    with pytest.raises(AlreadyClaimed), posts.by("second") as work:
        work.complete(task, {})
    assert [row.claimed_by for row in posts.engine.inbox(posts.who("second")).rows] == [DIVISION_HEAD]
    assert posts.engine.why(posts.who("second"), task).refused == "ほかの人が引き受けています。"


def test_a_claim_of_who_decides_in_absence_holds_against_others(posts: Posts) -> None:
    for person in ("one", "two"):
        posts.newcomer(person)
        posts.deputy(MANAGER_A, person, kind="decision", seat=MANAGER)
    case_id = posts.start("duty")
    posts.does(STAFF_A, case_id, "prepare")
    posts.away(MANAGER_A)
    task = posts.task(case_id, "approve")["id"]
    with posts.by("one") as work:
        work.claim(task)
    with pytest.raises(AlreadyClaimed), posts.by("two") as work:
        work.complete(task, {"verdict": "granted"})


def test_what_is_taken_back_unanswered_is_out_of_sight_again(posts: Posts) -> None:
    """Asked by mistake and recalled at once: the wrong person sees the case for good, as `recall` leaves `case_seat`."""
    case_id = posts.start("about")
    with posts.by(MANAGER_A) as work:
        asked = work.consult(case_id, f"person:{STAFF_B}", "宛先まちがい")
    with posts.by(MANAGER_A) as work:
        work.recall(asked)
    assert posts.sees(STAFF_B) == set()
    with pytest.raises(CaseNotFound):
        posts.engine.case(posts.who(STAFF_B), case_id)


def test_appointing_by_command_lets_the_worker_look(posts: Posts) -> None:
    """`Engine.appoint` writes the holding without a `posts` job: the applicant who is made manager by command is shown his own application."""
    case_id = posts.start("duty")
    posts.does(STAFF_A, case_id, "prepare")
    posts.engine.appoint(STAFF_A, MANAGER, kind="joint", since=TODAY)
    posts.run()
    assert posts.inbox_of(STAFF_A) == []
