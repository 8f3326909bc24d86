"""Separation of duties beyond steps: whoever asked by an action, and whoever a field of people names, may not answer; whatever the post."""

from __future__ import annotations

import pytest

from engine import SamePerson
from tests.engine.posts import DIVISION_HEAD, MANAGER_A, STAFF_A, STAFF_B, TODAY, Posts
from tests.support import MANAGER, STAFF

SEAT_ABOVE = "division_protection_manager@north"


def applied(posts: Posts, *workers: str) -> int:
    """An application that names who works."""
    with posts.by(STAFF_A, STAFF) as work:
        case_id = work.start("office_named", {"item_summary": "作業", "owning_unit": "a", "workers": list(workers)})
    posts.run()
    return case_id


def test_whoever_the_application_names_may_not_approve_it(posts_both: Posts) -> None:
    """一覧に挙げられた人には届かず、直接にも断られ、次の順位の役が処理する。"""
    posts = posts_both
    case_id = applied(posts, MANAGER_A, STAFF_B)
    task = posts.task(case_id, "approve")["id"]
    assert (posts.inbox_of(MANAGER_A), posts.inbox_of(DIVISION_HEAD)) == ([], ["approve"])
    with pytest.raises(SamePerson, match="「作業する職員」に挙げられている本人"), posts.by(MANAGER_A) as work:
        work.complete(task, {"verdict": "granted"})
    assert "「作業する職員」に挙げられている本人" in posts.engine.why(posts.who(MANAGER_A), task).refused
    posts.does(DIVISION_HEAD, case_id, "approve", verdict="granted")


def test_the_case_stays_in_sight_of_whom_it_names(posts: Posts) -> None:
    """関係した職員として外すのとは違い、案件は見える。"""
    assert applied(posts, MANAGER_A) in posts.sees(MANAGER_A)


def test_a_concurrent_post_or_a_deputy_changes_nothing(posts: Posts) -> None:
    """兼務で承認の役に就いても、代理として処理しようとしても、挙げられた本人は処理できない。"""
    posts.engine.appoint(STAFF_B, MANAGER, kind="concurrent", since=TODAY)
    posts.deputy(MANAGER_A, STAFF_B, by=MANAGER_A)
    case_id = applied(posts, STAFF_B)
    for seat in (MANAGER, None):
        with pytest.raises(SamePerson), posts.by(STAFF_B, seat) as work:
            work.complete(posts.task(case_id, "approve")["id"], {"verdict": "granted"})
    assert posts.inbox_of(STAFF_B) == []
    posts.does(MANAGER_A, case_id, "approve", verdict="granted")


def test_who_is_named_later_is_kept_out_and_who_is_no_longer_named_comes_back(posts: Posts) -> None:
    """挙げる人を後から改めれば、届く先もその場で改まる。"""
    posts.newcomer("manager2", MANAGER)
    case_id = applied(posts)
    assert posts.inbox_of(MANAGER_A) == ["approve"]
    for workers, inbox in (([MANAGER_A], []), ([STAFF_B], ["approve"])):
        with posts.by("manager2") as work:
            work.act(case_id, "transfer", {"workers": workers})
        assert posts.inbox_of(MANAGER_A) == inbox
    posts.does(MANAGER_A, case_id, "approve", verdict="granted")


def test_whoever_did_an_action_may_not_do_the_step_that_must_be_anothers(posts_both: Posts) -> None:
    """操作をした人も、後の処理から外れる。操作だけでは処理の記録が無いので、操作の記録で判じる。"""
    posts = posts_both
    posts.newcomer("both", MANAGER)
    posts.engine.appoint("both", SEAT_ABOVE, kind="concurrent", since=TODAY)
    case_id = applied(posts)
    with posts.by("both", MANAGER) as work:
        work.act(case_id, "transfer", {"workers": []})
    posts.does(MANAGER_A, case_id, "approve", verdict="granted")
    assert (posts.inbox_of("both"), posts.inbox_of(DIVISION_HEAD)) == ([], ["settle"])
    with pytest.raises(SamePerson), posts.by("both") as work:
        work.complete(posts.task(case_id, "settle")["id"], {})
    posts.does(DIVISION_HEAD, case_id, "settle")


def test_an_action_done_while_the_step_is_open_keeps_its_doer_from_it(posts: Posts) -> None:
    """開いている処理についても、操作をした時から外れる。"""
    posts.newcomer("head2", SEAT_ABOVE)
    case_id = applied(posts)
    posts.does(MANAGER_A, case_id, "approve", verdict="granted")
    assert posts.inbox_of(DIVISION_HEAD) == ["settle"]
    with posts.by(DIVISION_HEAD) as work:
        work.act(case_id, "transfer", {"workers": []})
    with pytest.raises(SamePerson), posts.by(DIVISION_HEAD) as work:
        work.complete(posts.task(case_id, "settle")["id"], {})
    assert (posts.inbox_of(DIVISION_HEAD), posts.inbox_of("head2")) == ([], ["settle"])
