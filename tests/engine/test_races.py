"""Several people at the same moment, in threads over a real file and a real server: one wins, nobody waits for ever, nothing is lost."""

from __future__ import annotations

from typing import Any

import pytest

from engine import AlreadyClaimed, AlreadyDone, Conflict, SignInRefused, TadachiError, TaskNotFound
from engine.accounts import hash_password
from engine.batch import see
from tests.support import DIVISION, GENERAL, MANAGER, OTHER_MANAGER, STAFF, World, in_threads

LEAST = 12


def crowd(world: World, count: int, seat: str = MANAGER) -> list[str]:
    """Several people in one seat."""
    return [world.appoint(f"person{number}", seat, kind="acting") for number in range(count)]


def test_of_two_simultaneous_completions_one_wins_and_the_other_is_told_who_was_faster(both: World) -> None:
    people = crowd(both, 2)
    for _ in range(6):
        case_id = both.start("approval")
        task = both.task(case_id, "review")["id"]

        def complete(number: int, task: int = task) -> None:
            with both.engine.work(by=people[number], seat=MANAGER) as work:
                work.complete(task, {"opinion": f"{number}の意見"}, version=1)

        results = in_threads(2, complete)
        assert sorted(type(result) for result in results if result) == [AlreadyDone], results
        winner = results.index(None)
        lost = next(result for result in results if result)
        assert f"person{winner}さん" in lost.text and "11月16日（月） 10:00" in lost.text
        done = both.history(case_id, "task.completed")
        assert [row["person"] for row in done] == [f"person{winner}"]
        assert both.facts(case_id)["opinion"] == f"{winner}の意見"
        refused = both.history(case_id, "attempt.refused")
        assert [row["person"] for row in refused] == [f"person{1 - winner}"]
        assert both.waits(case_id) == ["approve"]
    assert both.engine.verify_history() == ()


def test_twelve_at_once_have_one_winner_and_eleven_records(both: World) -> None:
    people = crowd(both, LEAST)
    case_id = both.start("approval")
    task = both.task(case_id, "review")["id"]

    def complete(number: int) -> None:
        with both.engine.work(by=people[number]) as work:
            work.complete(task, {"opinion": "十二人のうち一人"})

    results = in_threads(LEAST, complete)
    assert results.count(None) == 1
    assert {type(result) for result in results if result} == {AlreadyDone}
    assert len(both.history(case_id, "task.completed")) == 1
    assert len(both.history(case_id, "attempt.refused")) == LEAST - 1
    assert len(both.notices("division_protection_manager.north")) == 1
    assert both.engine.verify_history() == ()


def test_the_same_person_pressing_twelve_times_acts_once(both: World) -> None:
    case_id = both.start("approval")
    task = both.task(case_id, "review")["id"]

    def complete(_number: int) -> None:
        with both.acting(MANAGER) as work:
            work.complete(task, {"opinion": "連打"})

    results = in_threads(LEAST, complete)
    assert results.count(None) == 1 and all(isinstance(result, AlreadyDone) for result in results if result)


def test_the_same_start_form_sent_twelve_times_at_once_makes_one_case(both: World) -> None:
    def send(_number: int) -> int:
        with both.acting(STAFF) as work:
            return work.start("office_approval", {"item_summary": "連打", "owning_unit": "a"}, once="token")

    results = in_threads(LEAST, send)
    assert len(set(results)) == 1 and isinstance(results[0], int), results
    assert len(both.rows("case_file")) == 1


def test_cases_started_at_once_get_different_numbers(both: World) -> None:
    results = in_threads(8, lambda number: both.start("approval", item_summary=f"{number}件目"))
    assert not [result for result in results if isinstance(result, Exception)], results
    assert sorted(row["number"] for row in both.rows("case_file")) == [f"案R8-{number:04d}" for number in range(1, 9)]


def test_one_of_two_simultaneous_claims_wins(both: World) -> None:
    people = crowd(both, 2)
    for _ in range(4):
        task = both.task(both.start("approval"), "review")["id"]

        def claim(number: int, task: int = task) -> None:
            with both.engine.work(by=people[number]) as work:
                work.claim(task)

        results = in_threads(2, claim)
        assert sorted(type(result) for result in results if result) == [AlreadyClaimed], results
        assert both.rows("task", id=task)[0]["claimed_by"] == people[results.index(None)]


def test_two_parallel_branches_completed_at_once_both_succeed(both: World) -> None:
    for _ in range(6):
        case_id = both.start("parallel", amount=1)
        version = both.case(case_id)["version"]

        def complete(number: int, case_id: int = case_id, version: int = version) -> None:
            side = ("left", "right")[number]
            both.complete(case_id, side, version=version, **{f"{side}_note": "済"})

        assert in_threads(2, complete) == [None, None]
        case = both.case(case_id)
        assert (case["state"], case["version"]) == ("closed", 3)
        assert both.facts(case_id)["left_note"] == both.facts(case_id)["right_note"] == "済"
    assert both.engine.verify_history() == ()


def test_completing_and_withdrawing_at_once_leaves_one_of_the_two(both: World) -> None:
    for _ in range(4):
        case_id = both.start("parallel")
        task = both.task(case_id, "left")["id"]

        def do(number: int, case_id: int = case_id, task: int = task) -> None:
            if number:
                with both.acting(STAFF) as work:
                    work.withdraw(case_id, "やめる")
            else:
                with both.acting(MANAGER) as work:
                    work.complete(task, {})

        results = in_threads(2, do)
        assert all(result is None or isinstance(result, Conflict) for result in results), results
        assert results[1] is None and both.case(case_id)["state"] == "withdrawn", "until_end: withdrawing is possible after the step, too"
        assert both.rows("task", id=task)[0]["state"] == ("done" if results[0] is None else "cancelled")
    assert both.engine.verify_history() == ()


def test_merging_two_cases_crosswise_does_not_hang(both: World) -> None:
    for _ in range(4):
        pair = [both.start("clock", duty="no", item_summary=f"{side}") for side in "甲乙"]
        with both.engine.writing() as connection:
            for case_id in pair:
                see(connection, "office", case_id, [GENERAL])

        def merge(number: int, pair: list[int] = pair) -> None:
            with both.acting(GENERAL) as work:
                work.merge(pair[number], into=pair[1 - number], reason="同じ事案")

        results = in_threads(2, merge)
        assert results.count(None) == 1, results
        assert all(result is None or isinstance(result, TadachiError) for result in results)
        assert sorted(both.case(case_id)["state"] for case_id in pair) == ["closed", "open"]
    assert both.engine.verify_history() == ()


def test_sign_ins_at_once_are_all_recorded(both: World) -> None:
    hashed = hash_password("正しいパスワードです123")
    for number in range(2):
        both.engine.register(f"user{number}", "office", "利用者", email=None, password_hash=hashed)
    passwords = ["正しいパスワードです123", "まちがい"]

    def sign_in(number: int) -> Any:
        return both.engine.sign_in(f"user{number // 2}", passwords[number % 2])

    results = in_threads(4, sign_in)
    assert [result if isinstance(result, str) else type(result) for result in results] == ["user0", SignInRefused, "user1", SignInRefused]
    tags = [row["tag"] for row in both.rows("history") if row["person"].startswith("user") and "sign" in row["tag"]]
    assert sorted(tags) == ["person.sign_in_refused"] * 2 + ["person.signed_in"] * 2
    assert both.engine.verify_history() == ()


def test_refusals_of_different_cases_at_once_are_all_recorded(both: World) -> None:
    """They share the office's chain, and no row of a case keeps them apart."""
    tasks = [both.task(both.start("approval"), "review")["id"] for _ in range(8)]

    def try_it(number: int) -> None:
        for _ in range(3):
            with pytest.raises(TaskNotFound), both.acting(OTHER_MANAGER) as work:
                work.complete(tasks[number], {})

    assert in_threads(8, try_it) == [None] * 8
    assert len([row for row in both.rows("history") if row["tag"] == "attempt.refused"]) == 24
    assert both.engine.verify_history() == ()


def test_an_action_while_a_step_is_completed_loses_neither(both: World) -> None:
    for _ in range(4):
        case_id = both.start("clock", duty="no")

        def do(number: int, case_id: int = case_id) -> None:
            if number:
                both.act(case_id, "amend", amount=5)
            else:
                both.complete(case_id, "prepare", reported_on="2026-11-16")

        assert in_threads(2, do) == [None, None]
        facts = both.facts(case_id)
        assert (facts["amount"], facts["reported_on"]) == (5, "2026-11-16")


@pytest.mark.parametrize("rounds", [3])
def test_drafts_saved_in_two_windows_at_once(both: World, rounds: int) -> None:
    viewer = both.viewer(DIVISION)
    for number in range(rounds):
        results = in_threads(4, lambda window, number=number: both.engine.save_draft(viewer, f"task:{number}", {"opinion": str(window)}))
        assert not [result for result in results if isinstance(result, Exception)], results


def test_a_task_opened_in_two_windows_at_once_is_marked_read_once(both: World) -> None:
    task = both.task(both.start("approval"), "review")["id"]
    results = in_threads(4, lambda _number: both.engine.task(both.viewer(MANAGER), task))
    assert not [result for result in results if isinstance(result, Exception)], results
    assert len(both.rows("task_read")) == 1
