"""Bad input to every verb: a Japanese message, one row about the attempt, and not one byte else."""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import date
from typing import Any

import pytest

from engine import (
    ActionNotOffered,
    AlreadyClaimed,
    AlreadyDone,
    AttachmentNotFound,
    AttachmentRefused,
    CaseClosed,
    CaseNotFound,
    ClosingNotReady,
    FormInvalid,
    MergeRefused,
    NoSeat,
    NotAllowed,
    NotClaimed,
    NotFound,
    NotSendBack,
    NotYourSeat,
    NotYourTask,
    PersonNotFound,
    ProcessNotFound,
    ReasonRequired,
    SamePerson,
    StaleVersion,
    TadachiError,
    TaskClosed,
    TaskNotFound,
    TextTooLong,
    WithdrawNotAllowed,
)
from engine.batch import see
from tests.support import DIVISION, GENERAL, MANAGER, OTHER_MANAGER, STAFF, World

HUGE = 10**30
JAPANESE = re.compile(r"[぀-ヿ一-鿿]")


def refused(world: World, kind: type[TadachiError], do: Callable[[], Any], *, says: str = "", rows: int = 1) -> TadachiError:
    """Do it; it must be refused in Japanese and leave nothing but the row of the attempt."""
    before = world.checksums()
    with pytest.raises(kind) as caught:
        do()
    assert type(caught.value) is kind
    assert JAPANESE.search(caught.value.text) and says in caught.value.text and "{" not in caught.value.text, caught.value.text
    after = world.checksums()
    changed = {name for name in after if after[name] != before[name]}
    assert changed == ({"history", "counter"} if rows else set())
    if rows:
        last = world.rows("history")[-1]
        assert (last["tag"], last["chain"]) == ("attempt.refused", "organisation:office")
        assert len([row for row in world.rows("history") if row["tag"] == "attempt.refused"]) == rows
        assert world.engine.verify_history() == ()
    return caught.value


def doing(world: World, person: str, seat: str | None, verb: str, *args: Any, **more: Any) -> Callable[[], Any]:
    """A verb, to be done later."""

    def do() -> Any:
        with world.engine.work(by=person, seat=seat) as work:
            return getattr(work, verb)(*args, **more)

    return do


@pytest.fixture
def case(world: World) -> int:
    """A case in review."""
    return world.start("approval")


@pytest.fixture
def task(world: World, case: int) -> int:
    """Its open task."""
    return int(world.task(case, "review")["id"])


# ---------------------------------------------------------------- who may


TASK_VERBS = [("claim", ()), ("release", ()), ("complete", ({"opinion": "よい"},)), ("send_back", ("理由",))]


@pytest.mark.parametrize(("verb", "args"), TASK_VERBS)
def test_another_units_manager_does_not_know_of_the_task(world: World, task: int, verb: str, args: tuple[Any, ...]) -> None:
    refused(world, TaskNotFound, doing(world, "protection_manager.b", OTHER_MANAGER, verb, task, *args))


@pytest.mark.parametrize(("verb", "args"), TASK_VERBS)
def test_a_seat_that_only_sees_the_case_cannot_act(world: World, task: int, verb: str, args: tuple[Any, ...]) -> None:
    refused(world, NotYourTask, doing(world, "staff.a", None, verb, task, *args), says="第一課 保護管理者")
    # the auditor reads, and never acts
    refused(world, NotYourTask, doing(world, "audit_officer.office", None, verb, task, *args), rows=2)


@pytest.mark.parametrize(("verb", "args"), TASK_VERBS)
def test_a_person_of_another_office_with_the_same_seat(world: World, task: int, verb: str, args: tuple[Any, ...]) -> None:
    before = world.checksums()
    with pytest.raises(TaskNotFound):
        doing(world, "protection_manager.a.elsewhere", MANAGER, verb, task, *args)()
    assert {name for name, total in world.checksums().items() if before[name] != total} == {"history", "counter"}
    last = world.rows("history")[-1]
    assert (last["organisation"], last["chain"], last["case_id"]) == ("elsewhere", "organisation:elsewhere", None)


@pytest.mark.parametrize(("verb", "args"), TASK_VERBS)
def test_a_seat_one_does_not_hold(world: World, task: int, verb: str, args: tuple[Any, ...]) -> None:
    refused(world, NotYourSeat, doing(world, "staff.a", MANAGER, verb, task, *args), says="第一課 保護管理者")


def test_the_right_task_from_ones_other_seat(world: World, task: int) -> None:
    world.appoint("protection_manager.a", "staff@b", kind="concurrent")
    refused(world, NotYourTask, doing(world, "protection_manager.a", "staff@b", "complete", task, {"opinion": "よい"}))


@pytest.mark.parametrize("period", [{"until": date(2026, 11, 15)}, {"since": date(2026, 11, 17)}])
@pytest.mark.parametrize("seat", [MANAGER, None])
def test_a_holding_that_ended_yesterday_or_begins_tomorrow(world: World, task: int, period: dict[str, date], seat: str | None) -> None:
    world.appoint("other", MANAGER, **period)
    # One may not even know of the task.
    refused(world, TaskNotFound, doing(world, "other", seat, "complete", task, {"opinion": "よい"}))


def test_a_disabled_account_cannot_act_and_the_attempt_is_recorded(world: World, task: int) -> None:
    world.disable("protection_manager.a")
    refused(world, PersonNotFound, doing(world, "protection_manager.a", MANAGER, "complete", task, {"opinion": "よい"}))


@pytest.mark.parametrize("person", ["nobody", "", "a\x00b", "x" * 5_000, "'; DROP TABLE person; --", "\ud800"], ids=range(6))
def test_an_unknown_person_leaves_nothing(world: World, task: int, person: str) -> None:
    refused(world, PersonNotFound, doing(world, person, None, "complete", task, {}), rows=0)


def test_who_holds_nothing_cannot_start(world: World) -> None:
    world.engine.register("newcomer", "office", "新人", email=None, password_hash=None)
    refused(world, NotAllowed, doing(world, "newcomer", None, "start", "office_approval", {"item_summary": "x", "owning_unit": "a"}))


@pytest.mark.parametrize("seat", ["staff@b", "nonsense", "", "x" * 300, "a\x00b", "person:staff.a"], ids=range(6))
def test_starting_from_a_seat_one_does_not_hold(world: World, seat: str) -> None:
    start = doing(world, "staff.a", seat, "start", "office_approval", {"item_summary": "x", "owning_unit": "a"})
    refused(world, NotYourSeat, start)


def test_claiming_and_completing_what_a_colleague_has_claimed(world: World, task: int) -> None:
    world.appoint("colleague", MANAGER)
    with world.acting(MANAGER) as work:
        work.claim(task)
    for number, (verb, args) in enumerate(TASK_VERBS, 1):
        error = refused(world, AlreadyClaimed, doing(world, "colleague", None, verb, task, *args), rows=number)
        assert error.text == "この処理は 2026年11月16日（月） 10:00 に 第一課 保護管理者さん が引き受けています。"


def test_releasing_what_nobody_claimed(world: World, task: int) -> None:
    refused(world, NotClaimed, doing(world, "protection_manager.a", None, "release", task))


# ---------------------------------------------------------------- does it fit


FORM: list[tuple[dict[str, Any], str]] = [
    ({}, "「意見」を入力してください。"),
    ({"opinion": "　 \n"}, "「意見」を入力してください。"),
    ({"opinion": "あ" * 101}, "「意見」は100文字以内"),
    ({"opinion": "x\x00y"}, "「意見」に使えない制御文字"),
    ({"opinion": "読む\u202e逆"}, "「意見」に使えない制御文字"),
    ({"opinion": "\ud800"}, "「意見」に壊れた文字"),
    ({"opinion": ["a", "b"]}, "「意見」に複数の値"),
    ({"opinion": {"a": 1}}, "「意見」には文字"),
    ({"opinion": "x", "amount": "たくさん"}, "「金額」には整数"),
    ({"opinion": "x", "amount": "-1"}, "「金額」には0以上"),
    ({"opinion": "x", "amount": 1.5}, "「金額」には整数"),
    ({"opinion": "x", "amount": "9" * 13}, "「金額」には整数"),
    ({"opinion": "x", "amount": 10**10}, "「金額」には1000000000以下"),
    ({"opinion": "x", "amount": True}, "「金額」には整数"),
    ({"opinion": "x", "amount": "nan"}, "「金額」には整数"),
    ({"opinion": "x", "amount": float("nan")}, "「金額」には整数"),
    ({"opinion": "x", "amount": float("inf")}, "「金額」には整数"),
    ({"opinion": "x", "urgent": "たぶん"}, "「急ぎ」は、はい・いいえ"),
    ({"opinion": "x", "kind": "z"}, "「種別」は、選択肢から"),
    ({"opinion": "x", "kinds": ["p", "z"]}, "「該当」は、選択肢から"),
    ({"opinion": "x", "kinds": {"p": 1}}, "「該当」は、選択肢から"),
    ({"opinion": "x", "seen_on": "2026-02-30"}, "「見た日」には日付"),
    ({"opinion": "x", "seen_on": "2026-11-17"}, "「見た日」には現在以前"),
    ({"opinion": "x", "seen_on": "0001-01-01"}, "「見た日」の年"),
    ({"opinion": "x", "seen_on": "2026-11-10", "until": "2026-11-09"}, "「期日」には「見た日」以後"),
    ({"opinion": "x", "kind": "y"}, "「乙の理由」を入力してください。"),
    ({"opinion": "x", "list": "文字"}, "「一覧」は、表の形"),
    ({"opinion": "x", "list": [{"other": "1"}]}, "「一覧」の1行目に、表にない列「other」"),
    ({"opinion": "x", "list": [{"name": "a"}] * 1_001}, "「一覧」は1000行以内"),
    ({"opinion": "x", "undeclared": "1"}, "「undeclared」は、この画面にない項目"),
    ({"opinion": "x", "reporter": "staff.b"}, "「reporter」は、この画面にない項目"),
    ({"opinion": "x", "__class__": "1"}, "「__class__」は、この画面にない項目"),
    ({"opinion": "x", "owning_unit": "b"}, "「owning_unit」は、この画面にない項目"),
    ({"opinion": "x", "list.0.other": "1"}, "「list.0.other」は、この画面にない項目"),
    ({"opinion": "x", "list.99999.name": "1"}, "「list.99999.name」は、この画面にない項目"),
]  # fmt: skip


@pytest.mark.parametrize(("answers", "says"), FORM, ids=range(len(FORM)))
def test_a_form_that_does_not_fit_names_the_field(world: World, task: int, answers: dict[str, Any], says: str) -> None:
    error = refused(world, FormInvalid, doing(world, "protection_manager.a", None, "complete", task, answers), says=says)
    assert isinstance(error, FormInvalid)
    assert len(error.fields) == 1


def test_ten_thousand_fields_and_a_megabyte(world: World, task: int) -> None:
    many = {f"f{number}": "x" for number in range(10_000)} | {"opinion": "x"}
    error = refused(world, FormInvalid, doing(world, "protection_manager.a", None, "complete", task, many))
    assert len(world.rows("history")[-1]["data"]) < 10_000
    assert isinstance(error, FormInvalid)
    refused(world, FormInvalid, doing(world, "protection_manager.a", None, "complete", task, {"opinion": "あ" * 1_000_000}), rows=2)


def test_several_wrong_fields_are_all_told(world: World, task: int) -> None:
    error = refused(
        world, FormInvalid, doing(world, "protection_manager.a", None, "complete", task, {"amount": "x", "kind": "z", "extra": 1})
    )
    assert isinstance(error, FormInvalid)
    assert set(error.fields) == {"opinion", "amount", "kind", "extra"}


@pytest.mark.parametrize("unit", ["nowhere", "", "elsewhere", "office", ["a", "b"], None, "a\x00"], ids=range(7))
def test_a_unit_that_cannot_own_a_case(world: World, unit: Any) -> None:
    start = doing(world, "staff.a", None, "start", "office_approval", {"item_summary": "x", "owning_unit": unit})
    error = refused(world, FormInvalid, start, says="「担当の課」")
    assert isinstance(error, FormInvalid)


def test_a_step_that_would_reach_nobody(world: World) -> None:
    start = doing(world, "staff.a", None, "start", "office_parallel", {"item_summary": "x", "owning_unit": "c"})
    refused(world, NoSeat, start, says="「部課等保護管理者」の役が、部署「離れ」")


@pytest.mark.parametrize("process", ["nothing", "", "elsewhere_approval", "x\x00", "x" * 10_000, "\ud800"], ids=range(6))
def test_an_unknown_procedure(world: World, process: str) -> None:
    refused(world, ProcessNotFound, doing(world, "staff.a", None, "start", process, {}))


@pytest.mark.parametrize("number", [0, -1, 999, 2**31, 2**63, HUGE, -HUGE])
def test_unknown_ids(world: World, case: int, number: int) -> None:
    for tried, (verb, args) in enumerate(TASK_VERBS, 1):
        refused(world, TaskNotFound, doing(world, "protection_manager.a", None, verb, number, *args), rows=tried)
    on_case: list[tuple[str, tuple[Any, ...]]] = [
        ("act", ("amend", {})), ("withdraw", ("理由",)), ("note", ("メモ",)), ("attach", ("a.txt", b"x")), ("merge", (case, "理由")),
    ]  # fmt: skip
    for tried, (verb, args) in enumerate(on_case, len(TASK_VERBS) + 1):
        refused(world, CaseNotFound, doing(world, "protection_manager.a", None, verb, number, *args), rows=tried)
    viewer = world.viewer(MANAGER)
    reads: list[Callable[[], Any]] = [
        lambda: world.engine.case(viewer, number), lambda: world.engine.task(viewer, number), lambda: world.engine.preview(viewer, number, {}),
        lambda: world.engine.action(viewer, number, "amend"), lambda: world.engine.attachment(viewer, number),
        lambda: world.engine.diagram(viewer, number), lambda: world.engine.diagram_state(viewer, number), lambda: world.engine.paper(viewer, number, "x"),
    ]  # fmt: skip
    for read in reads:
        with pytest.raises(NotFound):
            read()


def test_an_unknown_attachment_says_so(world: World) -> None:
    with pytest.raises(AttachmentNotFound, match="添付ファイル 5 が見つかりません"):
        world.engine.attachment(world.viewer(MANAGER), 5)


def test_a_finished_task(world: World, case: int, task: int) -> None:
    world.complete(case, "review", opinion="よい")
    for number, (verb, args) in enumerate(TASK_VERBS, 1):
        error = refused(world, AlreadyDone, doing(world, "protection_manager.a", None, verb, task, *args), rows=number)
        assert "2026年11月16日（月） 10:00 に 第一課 保護管理者さん が完了" in error.text


def test_a_cancelled_task_and_a_closed_case(world: World) -> None:
    case = world.start("parallel")
    task = world.task(case, "left")["id"]
    with world.acting(STAFF) as work:
        work.withdraw(case, "やめる")
    for number, (verb, args) in enumerate(TASK_VERBS, 1):
        refused(
            world,
            TaskClosed,
            doing(world, "protection_manager.a", None, verb, task, *args),
            says="2026年11月16日（月） 10:00 に不要",
            rows=number,
        )
    refused(world, CaseClosed, doing(world, "staff.a", None, "withdraw", case, "もう一度"), rows=5)
    refused(world, CaseClosed, doing(world, "protection_manager.a", None, "act", case, "amend", {}), rows=6)


# ---------------------------------------------------------------- reasons and texts


@pytest.mark.parametrize("reason", ["", "  \u3000\n"], ids=range(2))
def test_a_reason_is_wanted(world: World, case: int, reason: str) -> None:
    world.complete(case, "review", opinion="よい")
    task = world.task(case, "approve")["id"]
    refused(world, ReasonRequired, doing(world, world.person(DIVISION), None, "send_back", task, reason, "review"), says="理由")
    refused(world, ReasonRequired, doing(world, "staff.a", None, "withdraw", case, reason), rows=2)
    refused(world, ReasonRequired, doing(world, "staff.a", None, "note", case, reason), rows=3)


def test_texts_have_a_limit_and_no_controls(world: World, case: int) -> None:
    refused(world, TextTooLong, doing(world, "staff.a", None, "note", case, "あ" * 4_001), says="メモは4000文字以内")
    refused(world, FormInvalid, doing(world, "staff.a", None, "note", case, "x\x00"), rows=2, says="「メモ」に使えない制御文字")
    refused(world, FormInvalid, doing(world, "staff.a", None, "withdraw", case, "\ud800"), rows=3, says="「理由」に壊れた文字")


# ---------------------------------------------------------------- the other verbs


def test_sending_back_where_it_cannot_go(world: World, case: int, task: int) -> None:
    refused(world, NotSendBack, doing(world, "protection_manager.a", None, "send_back", task, "理由", "approve"), says="approve")
    refused(world, NotSendBack, doing(world, "protection_manager.a", None, "send_back", task, "理由"), rows=2)


def test_withdrawing(world: World, case: int) -> None:
    refused(world, NotAllowed, doing(world, "protection_manager.a", None, "withdraw", case, "やめさせる"))
    world.complete(case, "review", opinion="よい")
    refused(world, WithdrawNotAllowed, doing(world, "staff.a", None, "withdraw", case, "遅かった"), rows=2)
    never = world.start("clock", duty="no")
    refused(world, WithdrawNotAllowed, doing(world, "staff.a", None, "withdraw", never, "やめる"), rows=3)


@pytest.mark.parametrize("name", ["nothing", "merged", "hidden", "stop", "", "x\x00", "\ud800"], ids=range(7))
def test_an_action_that_is_not_offered(world: World, name: str) -> None:
    case = world.start("clock", duty="no")
    refused(world, ActionNotOffered, doing(world, "protection_manager.a", None, "act", case, name, {}))


def test_an_action_of_another_seat_or_of_a_case_one_cannot_see(world: World) -> None:
    case = world.start("clock", duty="no")
    refused(world, ActionNotOffered, doing(world, "staff.a", None, "act", case, "transfer", {"owning_unit": "b"}), says="転送")
    refused(world, CaseNotFound, doing(world, "protection_manager.b", None, "act", case, "transfer", {"owning_unit": "b"}), rows=2)
    refused(world, NotYourSeat, doing(world, "protection_manager.a", OTHER_MANAGER, "act", case, "transfer", {"owning_unit": "b"}), rows=3)
    refused(world, FormInvalid, doing(world, "protection_manager.a", None, "act", case, "transfer", {"owning_unit": "nowhere"}), rows=4)


def test_a_transfer_to_where_a_step_would_reach_nobody(world: World) -> None:
    case = world.start("clock", duty="no")
    world.complete(case, "prepare")
    refused(world, NoSeat, doing(world, "protection_manager.a", None, "act", case, "transfer", {"owning_unit": "c"}))


def test_merging_what_does_not_belong_together(world: World) -> None:
    first, other, third = world.start("clock", duty="no"), world.start("approval"), world.start("clock", duty="no")
    with world.engine.writing() as connection:
        for case in (first, other):
            see(connection, "office", case, [GENERAL])
    general = world.person(GENERAL)
    refused(world, MergeRefused, doing(world, general, None, "merge", first, first, "理由"), says="同じ案件")
    refused(world, MergeRefused, doing(world, general, None, "merge", first, other, "理由"), rows=2, says="手続が違います")
    refused(world, CaseNotFound, doing(world, general, None, "merge", first, third, "理由"), rows=3)
    refused(world, ReasonRequired, doing(world, general, None, "merge", other, first, " "), rows=4)
    with world.engine.writing() as connection:
        see(connection, "office", third, [GENERAL, MANAGER])
    refused(world, NotAllowed, doing(world, "protection_manager.a", None, "merge", first, third, "理由"), rows=5)
    with world.acting(GENERAL) as work:
        work.merge(third, first, "同じ")
    refused(world, CaseClosed, doing(world, general, None, "merge", first, third, "理由"), rows=6)


def test_a_file_for_another_cases_task(world: World, case: int) -> None:
    other = world.task(world.start("approval"), "review")["id"]
    refused(world, TaskNotFound, doing(world, "protection_manager.a", None, "attach", case, "a.txt", b"x", task_id=other))
    refused(world, TaskNotFound, doing(world, "protection_manager.a", None, "attach", case, "a.txt", b"x", task_id=HUGE), rows=2)
    refused(world, AttachmentRefused, doing(world, "protection_manager.a", None, "attach", case, "a.exe", b"x"), rows=3)


def test_the_remaining_kinds(world: World, case: int) -> None:
    """Stale facts, one's own second post and open duties: each leaves nothing but its row."""
    both = world.start("parallel", amount=1)
    world.complete(both, "left", amount=2)
    right = world.task(both, "right")["id"]
    refused(world, StaleVersion, doing(world, world.person(DIVISION), None, "complete", right, {"amount": 1}, version=1))
    world.complete(case, "review", opinion="よい")
    world.appoint("protection_manager.a", DIVISION, kind="acting")
    approve = world.task(case, "approve")["id"]
    refused(world, SamePerson, doing(world, "protection_manager.a", DIVISION, "complete", approve, {"verdict": "granted"}), rows=2)
    clock = world.start("clock", duty="yes", report_days=30)
    world.complete(clock, "prepare")
    finish = world.task(clock, "finish")["id"]
    refused(world, ClosingNotReady, doing(world, world.person(DIVISION), None, "complete", finish, {}), rows=3)


def test_refusals_look_the_same_on_postgresql(on_postgresql: World) -> None:
    """Where a server is stricter than a file: long, broken and huge values."""
    world = on_postgresql
    case = world.start("clock", duty="no")
    task = world.task(case, "prepare")["id"]
    tries: list[tuple[type[TadachiError], Callable[[], Any]]] = [
        (TaskNotFound, doing(world, "protection_manager.a", None, "complete", HUGE, {})),
        (TaskNotFound, doing(world, "protection_manager.a", None, "complete", 2**63, {})),
        (CaseNotFound, doing(world, "protection_manager.a", None, "note", -HUGE, "x")),
        (NotYourSeat, doing(world, "protection_manager.a", "x" * 300, "complete", task, {})),
        (NotYourSeat, doing(world, "protection_manager.a", "a\x00b", "complete", task, {})),
        (NotYourSeat, doing(world, "protection_manager.a", "\ud800", "complete", task, {})),
        (ProcessNotFound, doing(world, "staff.a", None, "start", "x\x00", {})),
        (ProcessNotFound, doing(world, "staff.a", None, "start", "\ud800", {})),
        (ActionNotOffered, doing(world, "protection_manager.a", None, "act", case, "x\x00\ud800", {})),
        (FormInvalid, doing(world, "protection_manager.a", None, "complete", task, {"x\x00": "1", "\ud800": "2"})),
        (TaskNotFound, doing(world, "protection_manager.a", None, "attach", case, "a.txt", b"x", task_id=HUGE)),
    ]  # fmt: skip
    for rows, (kind, do) in enumerate(tries, 1):
        refused(world, kind, do, rows=rows)
    for person in ("a\x00b", "\ud800", "x" * 5_000):
        with pytest.raises(PersonNotFound):
            doing(world, person, None, "complete", task, {})()
