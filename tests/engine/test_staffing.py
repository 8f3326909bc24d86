"""Whether there is somebody for the work: who held a seat as known when, seats that fall vacant, and steps that nobody can do."""

from __future__ import annotations

from datetime import date, timedelta

import pytest

from engine import DatedFactInvalid, NotAllowed, PersonNotFound, UnknownSeat
from tests.engine.posts import (
    DIVISION_HEAD,
    KEEPER,
    MANAGER_A,
    MANAGER_B,
    STAFF_A,
    TODAY,
    TOMORROW,
    Posts,
    leaves,
    moved,
)
from tests.support import DIVISION, GENERAL, MANAGER, OTHER_MANAGER, STAFF, in_threads

YESTERDAY = TODAY - timedelta(days=1)


def held(posts: Posts, seat: str, on: date, **known: object) -> list[str]:
    """Who held a seat on a day, as known at an instant."""
    return [one.person for one in posts.engine.personnel.who_held(posts.who(KEEPER), seat, on, **known)]  # type: ignore[arg-type]


def vacant(posts: Posts) -> dict[str, date]:
    """Vacant seats, and since when."""
    return {one.seat: one.since for one in posts.engine.personnel.vacancies(posts.who(KEEPER))}


def stuck(posts: Posts) -> dict[str, str]:
    """Steps nobody can do, and why."""
    return {one.step: one.why for one in posts.engine.personnel.stuck(posts.who(KEEPER))}


def end(posts: Posts, person: str, seat: str, last: date) -> None:
    """A holding ends on a day; the worker runs."""
    posts.engine.personnel.end_holding(posts.who(KEEPER), posts.holding(person, seat)["id"], last, "異動のため")
    posts.run()


def fill(posts: Posts, person: str, seat: str, kind: str = "concurrent", first: date | None = None, last: date | None = None) -> None:
    """Somebody is appointed; the worker runs."""
    posts.engine.personnel.appoint(posts.who(KEEPER), person, seat, kind, first or posts.on, last, "欠員のため")
    posts.run()


# ---------------------------------------------------------------- what was known when


def test_a_correction_changes_what_is_known_now_and_not_what_was_known_then(posts_both: Posts) -> None:
    """On Wednesday it comes out that the manager had left the seat on Sunday: until then the record said otherwise, and it still says so."""
    posts = posts_both
    monday = posts.clock.now()
    assert held(posts, MANAGER, TODAY) == [MANAGER_A]
    posts.pass_time(days=2)
    end(posts, MANAGER_A, MANAGER, YESTERDAY)
    fill(posts, STAFF_A, MANAGER, "caretaker", TODAY)
    corrected = posts.clock.now()
    posts.pass_time(hours=1)
    assert held(posts, MANAGER, TODAY) == [STAFF_A]
    assert held(posts, MANAGER, YESTERDAY) == [MANAGER_A]
    assert held(posts, MANAGER, TODAY, known_at=monday) == [MANAGER_A]
    assert held(posts, MANAGER, TODAY, known_at=corrected - timedelta(microseconds=1)) == [MANAGER_A]
    assert held(posts, MANAGER, TODAY, known_at=corrected) == [STAFF_A]
    shown = posts.engine.personnel.who_held(posts.who(KEEPER), MANAGER, TODAY, monday)[0]
    assert (shown.kind_name, shown.valid_to, shown.superseded_at) == ("本務", None, corrected)
    rows = posts.rows("holding", person=MANAGER_A)
    assert [(row["valid_to"], row["superseded_by"]) for row in rows] == [(None, KEEPER), (YESTERDAY, None)], "nothing is overwritten"
    assert [one.state for one in posts.engine.personnel.person(posts.who(KEEPER), MANAGER_A).holdings] == ["past", "superseded"]
    assert posts.engine.verify_history() == ()


def test_a_holding_that_never_was_is_taken_back_altogether(posts: Posts) -> None:
    fill(posts, STAFF_A, MANAGER, first=TOMORROW)
    end(posts, STAFF_A, MANAGER, TODAY)
    assert held(posts, MANAGER, TOMORROW) == [MANAGER_A]
    assert [row["superseded_at"] for row in posts.rows("holding", person=STAFF_A, seat=MANAGER)] == [posts.clock.now()]


def test_an_order_is_the_source_of_what_it_made_so(posts: Posts) -> None:
    before = posts.clock.now()
    posts.clock.advance(minutes=1)
    made = posts.order(moved(MANAGER_A, "第二課", "保護管理者"), moved(MANAGER_B, "第一課", "保護管理者", 根拠="令和8年人事異動"))
    assert (held(posts, MANAGER, TODAY), held(posts, MANAGER, TOMORROW), held(posts, MANAGER, TOMORROW, known_at=before)) == (
        [MANAGER_A], [MANAGER_B], [MANAGER_A],
    )  # fmt: skip
    shown = posts.engine.personnel.who_held(posts.who(KEEPER), MANAGER, TOMORROW)[0]
    assert (shown.source, shown.basis) == (f"order:{made}", "令和8年人事異動")


def test_only_who_keeps_the_registers_reads_and_writes_them(posts: Posts) -> None:
    registers, nobody = posts.engine.personnel, posts.who(DIVISION_HEAD)
    for refused in (
        lambda: registers.who_held(nobody, MANAGER, TODAY),
        lambda: registers.vacancies(nobody),
        lambda: registers.stuck(nobody),
        lambda: registers.chart(nobody),
        lambda: registers.appoint(nobody, STAFF_A, MANAGER, "joint", TODAY),
        lambda: registers.end_holding(nobody, 1, TODAY, "x"),
        lambda: registers.end_account(nobody, STAFF_A, "x"),
        lambda: registers.person(nobody, STAFF_A),
    ):
        with pytest.raises(NotAllowed):
            refused()
    assert registers.person(nobody, DIVISION_HEAD).holdings


def test_what_an_appointment_must_say(posts: Posts) -> None:
    appoint, keeper = posts.engine.personnel.appoint, posts.who(KEEPER)
    for wrong in (
        ("何か", TODAY, None, ""),
        ("acting", TODAY, None, " "),
        ("joint", TOMORROW, TODAY, ""),
        ("joint", date(1900, 1, 1), None, ""),
    ):
        with pytest.raises((DatedFactInvalid, UnknownSeat)):
            appoint(keeper, STAFF_A, MANAGER, *wrong)
    with pytest.raises(UnknownSeat):
        appoint(keeper, STAFF_A, "protection_manager@north", "joint", TODAY)
    for stranger in ("staff.a.elsewhere", "nobody"):
        with pytest.raises(PersonNotFound):
            appoint(keeper, stranger, MANAGER, "joint", TODAY)
    with pytest.raises(DatedFactInvalid, match="重なり"):
        appoint(keeper, MANAGER_A, MANAGER, "joint", TOMORROW)
    ours = posts.holding(MANAGER_A, MANAGER)["id"]
    with pytest.raises(DatedFactInvalid):
        posts.engine.personnel.end_holding(posts.who("general_protection_manager.elsewhere.elsewhere"), ours, TODAY, "他庁から")


def test_two_who_appoint_at_once_appoint_once(posts_both: Posts) -> None:
    posts = posts_both
    posts.newcomer("keeper2", GENERAL, kind="joint")
    keepers = (KEEPER, "keeper2")
    do = posts.engine.personnel.appoint
    results = in_threads(2, lambda number: do(posts.who(keepers[number]), STAFF_A, MANAGER, "joint", TODAY))
    assert sorted(type(result).__name__ for result in results) == ["DatedFactInvalid", "NoneType"], results
    assert len([row for row in posts.rows("holding", person=STAFF_A, seat=MANAGER) if row["superseded_at"] is None]) == 1


# ---------------------------------------------------------------- vacancies


def test_vacancies_of_today_and_those_that_are_known_to_come(posts_both: Posts) -> None:
    posts = posts_both
    assert vacant(posts) == {}
    posts.start("about")
    end(posts, STAFF_A, STAFF, YESTERDAY)
    end(posts, MANAGER_A, MANAGER, TODAY + timedelta(days=4))
    posts.order(leaves(MANAGER_B))
    assert vacant(posts) == {STAFF: TODAY, MANAGER: TODAY + timedelta(days=5), OTHER_MANAGER: TOMORROW}
    shown = {one.seat: one for one in posts.engine.personnel.vacancies(posts.who(KEEPER))}
    assert (shown[MANAGER].open_tasks, shown[MANAGER].stands_above, shown[MANAGER].seat_name) == (
        1,
        "北部 部課等保護管理者",
        "第一課 保護管理者",
    )
    assert shown[MANAGER].used_by and shown[STAFF].until is None
    fill(posts, STAFF_A, MANAGER, first=TODAY + timedelta(days=10))
    assert {one.seat: one.until for one in posts.engine.personnel.vacancies(posts.who(KEEPER))}[MANAGER] == TODAY + timedelta(days=9)
    fill(posts, "staff.c", MANAGER, first=TODAY + timedelta(days=5), last=TODAY + timedelta(days=9))
    assert MANAGER not in vacant(posts)


def test_a_seat_whose_only_holder_has_no_account_is_vacant(posts: Posts) -> None:
    posts.engine.personnel.end_account(posts.who(KEEPER), MANAGER_A, "退職")
    posts.run()
    assert vacant(posts) == {MANAGER: TODAY}
    assert held(posts, MANAGER, YESTERDAY) == [MANAGER_A]


def test_the_chart_tells_who_is_behind_each_seat_and_what_waits_there(posts: Posts) -> None:
    posts.start("about")
    posts.newcomer("helper")
    posts.deputy(MANAGER_A, "helper")
    fill(posts, STAFF_A, MANAGER, "caretaker")
    chart = {unit.id: unit for unit in posts.engine.personnel.chart(posts.who(KEEPER))}
    assert [(unit, chart[unit].depth) for unit in chart] == [("office", 0), ("north", 1), ("a", 2), ("b", 2), ("c", 1)]
    manager, staff = chart["a"].seats
    assert [(who, kind) for who, _, kind in manager.holders] == [(MANAGER_A, "本務"), (STAFF_A, "事務取扱")]
    assert (manager.deputies, manager.open_tasks, manager.vacant) == ((("helperさん", "第一課 保護管理者さん"),), 1, False)
    assert (staff.open_tasks, staff.role_name) == (0, "職員")


# ---------------------------------------------------------------- work nobody can do


def test_work_of_a_vacant_seat_is_found_and_goes_on_with_an_appointment(posts_both: Posts) -> None:
    posts = posts_both
    case_id = posts.start("about")
    assert stuck(posts) == {}
    end(posts, MANAGER_A, MANAGER, YESTERDAY)
    assert stuck(posts) == {"調査": "役に就いている人がいません"}
    assert posts.inbox_of(DIVISION_HEAD) == [], "a vacancy passes nothing on"
    fill(posts, STAFF_A, MANAGER, "acting")
    assert stuck(posts) == {}
    done = posts.does(STAFF_A, case_id, "handle")
    assert (done["closed_by"], done["closed_seat"]) == (STAFF_A, MANAGER)
    assert posts.history(case_id, "task.completed")[0]["data"]["acting"] == {"kind": "acting", "basis": "欠員のため"}


def test_work_that_everybody_is_kept_from_is_found_and_goes_on_with_a_second_holder(posts: Posts) -> None:
    """The case is about the manager, the division's head and the general manager: no rung is left."""
    posts.newcomer("keeper2", "audit_officer@office")
    case_id = posts.start("about", involved=f"{MANAGER_A},{DIVISION_HEAD}")
    assert stuck(posts) == {}, "the general manager has it in turn"
    assert posts.inbox_of(KEEPER) == ["handle"]
    with posts.by(STAFF_A) as work:
        work.act(case_id, "amend", {"involved": f"{MANAGER_A},{DIVISION_HEAD},{KEEPER}"})
    assert list(stuck(posts)) == ["調査"] and "上位の役にも" in stuck(posts)["調査"]
    fill(posts, "staff.c", MANAGER)
    assert stuck(posts) == {}
    assert posts.inbox_of("staff.c") == ["handle"]


def test_a_step_that_must_be_anothers_is_stuck_when_all_did_the_one_before(posts: Posts) -> None:
    """The manager applied, the division's head prepared for him, the general manager is the head's second post."""
    fill(posts, DIVISION_HEAD, STAFF)
    end(posts, KEEPER, GENERAL, TODAY + timedelta(days=1))
    fill(posts, DIVISION_HEAD, GENERAL, first=TODAY + timedelta(days=2))
    case_id = posts.start("duty", MANAGER)
    posts.does(DIVISION_HEAD, case_id, "prepare", seat=STAFF)
    assert stuck(posts) == {} and posts.inbox_of(KEEPER) == ["approve"]
    posts.pass_time(days=2)
    found = {one.step: one for one in posts.engine.personnel.stuck(posts.who(DIVISION_HEAD))}
    assert list(found) == ["承認"] and found["承認"].seat_name == "第一課 保護管理者"
    assert posts.inbox_of(DIVISION_HEAD) == []


def test_a_step_of_one_person_who_has_gone_is_found(posts: Posts) -> None:
    case_id = posts.start("approval")
    posts.complete(case_id, "review", opinion="直して", needs_fix=True)
    posts.engine.personnel.end_account(posts.who(KEEPER), STAFF_A, "退職")
    posts.run()
    assert stuck(posts) == {"補正": "役に就いている人がいません"}


def test_what_is_shown_of_stuck_work_tells_nothing_of_the_case(posts: Posts) -> None:
    posts.start("about")
    end(posts, MANAGER_A, MANAGER, YESTERDAY)
    assert posts.sees(KEEPER) == set()
    shown = repr(posts.engine.personnel.stuck(posts.who(KEEPER))) + repr(posts.engine.personnel.vacancies(posts.who(KEEPER)))
    assert "山田太郎" not in shown
    assert [row["seat"] for row in posts.rows("task")] == [MANAGER] and DIVISION
