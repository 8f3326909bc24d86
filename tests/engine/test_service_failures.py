"""図が自動で行う処理の失敗：図に描かれた道へ進むか、その処理だけが止まって、間をおいて繰り返される。案件のほかの部分は変わらない。"""

from __future__ import annotations

import shutil
from collections.abc import Iterator, Mapping
from datetime import timedelta
from pathlib import Path
from typing import Any
from unittest import mock

import pytest
import sqlalchemy as sa

from engine import ClosingNotReady, NoSeat, NotAllowed, NotFound, NotStopped, SetClock, TriedMeanwhile, tokens
from engine.marking import Marking
from engine.moves import SERVICES, Announced, Move
from engine.net import Node
from engine.stopped import TRY_AGAIN_AFTER
from engine.store import Writer
from engine.tokens import BpmnError, ServiceFailed
from tests.engine.drawing import (
    Case,
    boundary,
    diagram,
    element,
    end,
    error,
    event_sub,
    exclusive,
    flows,
    inclusive,
    message,
    multi,
    net,
    parallel,
    service,
    start,
    sub,
    throw,
    timer,
    user,
)
from tests.support import (
    AMOUNT,
    DIVISION,
    MANAGER,
    MONDAY,
    STAFF,
    SUMMARY,
    UNIT,
    World,
    field,
    in_threads,
    make_engine,
    populate,
    said,
    step,
    write_offices,
)

ADMINISTRATOR = "administrator@office"
STRANGER = "administrator.elsewhere.elsewhere"  # the administrator of the other office

# ---------------------------------------------------------------- the token game alone


class Failing(Case):
    """A case whose services fail as long as their ids are in `broken`, or end in an error of a code."""

    broken: set[str] = set()
    codes: Mapping[str, str] = {}

    def run(self, node: Node, local: Mapping[str, Any]) -> None:
        super().run(node, local)
        name = node.id + "".join(f"[{local['loop_index']}]" for _ in [0] if "loop_index" in local)
        if name in self.codes:
            raise BpmnError(self.codes[name])
        if name in self.broken:
            raise ServiceFailed("away")

    def retry(self, node: str, number: int = 0) -> Failing:
        self._take(tokens.retry(self.net, self.marking, self.wait(node, number), self))
        return self


def failing(drawn: Any, *broken: str, codes: Mapping[str, str] | None = None, **facts: Any) -> Failing:
    kind = type("FailingHere", (Failing,), {"broken": set(broken), "codes": codes or {}})
    return kind(drawn, **facts)


class TestTokens:
    def test_failed_work_waits_and_the_rest_of_the_act_happens(self) -> None:
        case = failing(net(start(), parallel("f"), service("a"), user("b"), parallel("j"), end(),
                           flows("s > f > a > j > e", "f > b > j")), "a")  # fmt: skip
        assert case.waits == ["b", "service:a"]
        assert ("a", "entered") in case.trace
        assert ("a", "left") not in case.trace
        case.complete("b")
        assert case.waits == ["service:a"]
        key = case.wait("a").key
        case.retry("a")
        assert case.waits == ["service:a"]
        assert case.wait("a").key == key, "the same wait, however often it is tried"
        case.broken.clear()
        assert case.retry("a").ended == "e"
        assert case.trace[0] == ("a", "left"), "it was entered once"

    def test_an_error_with_its_code_takes_the_drawn_path(self) -> None:
        drawn = net(start(), service("a"), boundary("x", "a", error("A")), user("u"), end(), flows("s > a > e", "x > u > e"))
        assert failing(drawn, codes={"a": "A"}).waits == ["u"]
        assert failing(drawn, codes={"a": "B"}).ended == "error:B", "an error that nobody catches ends the case, as before"
        assert failing(drawn, "a").waits == ["service:a"], "a failure without a code is not the error of a code"

    def test_an_error_event_without_a_code_takes_every_failure(self) -> None:
        drawn = net(
            start(), service("a"), boundary("x", "a", error("A")), boundary("y", "a", error()), user("u"), user("v"), end(),
            flows("s > a > e", "x > u > e", "y > v > e"),
        )  # fmt: skip
        assert failing(drawn, "a").waits == ["v"]
        assert failing(drawn, codes={"a": "A"}).waits == ["u"]
        assert failing(drawn, codes={"a": "B"}).waits == ["v"]

    def test_it_is_searched_for_outward_past_those_of_a_code(self) -> None:
        inside = sub("q", start("i"), service("a"), end("o"), flows("i > a > o"))
        around = net(start(), inside, boundary("x", "q", error("A")), end(),
                     event_sub("h", start("c", error()), user("u"), end("d"), flows("c > u > d")),
                     user("w"), flows("s > q > e", "x > w > e"))  # fmt: skip
        assert failing(around, "a").waits == ["u"]

    def test_what_follows_waits_for_the_work(self) -> None:
        """A send task's message and an end event's end come only when the work is done."""
        drawn = net(
            start(), parallel("f"), element("sendTask", "a", camunda_topic="do", messageRef="m_go"), user("b"),
            boundary("go", "b", message("go")), end(), end("d"), flows("s > f > a > e", "f > b > e", "go > d"),
        )  # fmt: skip
        case = failing(drawn, "a")
        assert case.waits == ["b", "message:go", "service:a"]
        case.broken.clear()
        assert case.retry("a").ended in ("e", "d")
        assert ("b", "cancelled") in case.trace

    @pytest.mark.parametrize("last", [True, False])
    def test_a_throwing_message_event_with_a_function(self, last: bool) -> None:
        event = element("messageEventDefinition", "m", camunda_topic="do", messageRef="m_go")
        thrown = end("t", event) if last else throw("t", event)
        drawn = net(start(), user("u"), thrown, *([] if last else [end()]), flows("s > u > t", *([] if last else ["t > e"])))
        case = failing(drawn, "t").complete("u")
        assert case.waits == ["service:t"]
        assert case.ended is None
        case.broken.clear()
        assert case.retry("t").ended == ("t" if last else "e")
        assert case.ran == ["t", "t"]

    def test_boundary_events_of_failed_work_stay_armed(self) -> None:
        drawn = net(
            start(), service("a"), boundary("late", "a", timer("PT1H")), boundary("tell", "a", timer("PT10M"), interrupting=False),
            user("u"), user("v"), end(), flows("s > a > e", "late > u > e", "tell > v > e"),
        )  # fmt: skip
        case = failing(drawn, "a")
        assert case.waits == ["service:a", "timer:late", "timer:tell"]
        assert case.fire("tell").waits == ["service:a", "timer:late", "v"]
        assert case.fire("late").waits == ["u", "v"]
        with pytest.raises(AssertionError):
            case.wait("a")

    def test_one_of_several_instances_fails(self) -> None:
        drawn = net(start(), service("a", inside=multi(times="3")), end(), flows("s > a > e"))
        case = failing(drawn, "a[1]")
        assert case.ran == ["a[0]", "a[1]", "a[2]"]
        assert case.waits == ["service:a"]
        assert case.wait("a").local == {"loop_index": 1}
        case.broken.clear()
        assert case.retry("a").ended == "e"
        assert case.ran[3:] == ["a[1]"]

    def test_instances_in_turn_stop_at_the_one_that_fails(self) -> None:
        case = failing(net(start(), service("a", inside=multi(times="3", sequential=True)), end(), flows("s > a > e")), "a[1]")
        assert case.ran == ["a[0]", "a[1]"]
        case.broken.clear()
        assert case.retry("a").ended == "e"
        assert case.ran[2:] == ["a[1]", "a[2]"]

    def test_an_inclusive_join_waits_for_failed_work(self) -> None:
        drawn = net(
            start(), inclusive("f", default="f_b"), service("a"), user("b"), inclusive("j"), user("c"), end(),
            flows("s > f", "f > a : x", "f > b", "f > k : x", "a > j", "b > j", "k > j", "j > c > e"), user("k"),
        )  # fmt: skip
        case = failing(drawn, "a", x=True)
        assert case.complete("k").waits == ["service:a"]
        case.broken.clear()
        assert case.retry("a").waits == ["c"]

    def test_only_what_failed_can_be_retried(self) -> None:
        case = failing(net(start(), service("a"), user("u"), end(), flows("s > a > u > e")), "a")
        wait = case.wait("a")
        case.broken.clear()
        case.retry("a")
        with pytest.raises(tokens.NotWaiting):
            tokens.retry(case.net, case.marking, wait, case)
        with pytest.raises(tokens.NotWaiting):
            tokens.retry(case.net, case.marking, case.wait("u"), case)

    def test_ending_the_case_takes_it_away(self) -> None:
        case = failing(net(start(), service("a"), end(), flows("s > a > e")), "a")
        assert tokens.waiting(case.net, tokens.cancel(case.net, case.marking, "取下げ").marking) == ()

    def test_a_preview_rests_without_taking_an_error_path(self) -> None:
        drawn = net(start(), user("u"), service("a"), boundary("x", "a", error()), user("v"), end(), flows("s > u > a > e", "x > v > e"))
        case = failing(drawn)

        class Preview(Failing):
            def run(self, node: Node, local: Mapping[str, Any]) -> None:
                raise tokens.NotForeseen

        marking = tokens.complete(drawn, case.marking, case.wait("u").owner, Preview(drawn)).marking
        assert [(wait.kind, wait.node.id) for wait in tokens.waiting(drawn, marking)] == [("service", "a")]


# ---------------------------------------------------------------- an office with such procedures

OUTCOME = field("result", "結果", "enum", "x=甲", "y=乙")
DRAWN: dict[str, tuple[str, ...]] = {
    "filing": (
        said(withdraw="until_end"),
        start("begin", said(SUMMARY, UNIT, AMOUNT), name="開始"),
        step("prepare", "作成", "protection_manager@owning_unit", AMOUNT, field("text", "本文", "text")),
        parallel("fork"),
        service("file", "test", said(sets="filed_by=reporter"), name="台帳への登録"),
        boundary("no_room", "file", error("A")),
        step("make_room", "空きの確保", "division_protection_manager@owning_unit"),
        boundary("too_late", "file", timer("P2D")),
        step("by_hand", "手作業の登録", "protection_manager@owning_unit"),
        exclusive("filed"),
        step("check", "点検", "division_protection_manager@owning_unit", AMOUNT),
        parallel("join"),
        step("finish", "終結", "protection_manager@owning_unit"),
        end("done", name="登録済み"),
        flows(
            "begin > prepare > fork > file > filed > join > finish > done", "fork > check > join", "no_room > make_room > filed",
            "too_late > by_hand > filed",
        ),
    ),
    "coping": (
        said(withdraw="until_end"),
        start("begin", said(SUMMARY, UNIT), name="開始"),
        step("prepare", "作成", "protection_manager@owning_unit"),
        service("file", "test", name="台帳への登録"),
        boundary("whatever", "file", error()),
        step("cope", "対処", "division_protection_manager@owning_unit"),
        end("done", name="登録済み"),
        end("coped", name="対処済み"),
        flows("begin > prepare > file > done", "whatever > cope > coped"),
    ),
    "deciding": (
        said(withdraw="until_end"),
        start("begin", said(SUMMARY, UNIT, AMOUNT, OUTCOME), name="開始"),
        element("businessRuleTask", "decide", name="区分の決定", camunda_decisionRef="grade"),
        step("finish", "終結", "protection_manager@owning_unit"),
        end("done", name="決定済み"),
        event_sub(
            "at_any_time", start("amend", said(AMOUNT, candidateGroups="reporter") + message("amend"), name="更新",
                                 isInterrupting="false"), end("amended", name="更新済み"), flows("amend > amended"),
        ),
        flows("begin > decide > finish > done"),
    ),
    "closing": (
        said(withdraw="until_end"),
        start("begin", said(SUMMARY, UNIT, field("duty", "義務", "enum", "yes=はい", "no=いいえ")), name="開始"),
        step("prepare", "作成", "protection_manager@owning_unit"),
        service("file", "test", name="台帳への登録"),
        end("done", name="登録済み"),
        event_sub(
            "at_any_time", start("amend", said(candidateGroups="protection_manager@owning_unit", clause="C-3") + message("amend"),
                                 name="確認", isInterrupting="false"), end("amended", name="確認済み"), flows("amend > amended"),
        ),
        flows("begin > prepare > file > done"),
    ),
    "telling": (
        said(withdraw="until_end"),
        start("begin", said(SUMMARY, UNIT), name="開始"),
        element("sendTask", "tell", said(to="desk_officer@desk"), name="監査への知らせ", camunda_topic="notify"),
        step("finish", "終結", "protection_manager@owning_unit"),
        end("done", name="知らせた"),
        flows("begin > tell > finish > done"),
    ),
    "each": (
        said(withdraw="until_end"),
        start("begin", said(SUMMARY, UNIT, field("persons", "人", "rows", "label=名")), name="開始"),
        service("file", "test", multi(collection="persons", variable="person"), name="一人ずつの登録"),
        end("done", name="登録済み"),
        flows("begin > file > done"),
    ),
}  # fmt: skip

GRADE = """<?xml version="1.0" encoding="UTF-8"?>
<definitions xmlns="https://www.omg.org/spec/DMN/20191111/MODEL/" id="d" name="d" namespace="http://tadachi.example">
  <decision id="grade" name="区分"><decisionTable id="t" hitPolicy="UNIQUE">
    <input id="i"><inputExpression id="ie" typeRef="number"><text>amount</text></inputExpression></input>
    <output id="o" name="grade" typeRef="string"/>
    <rule id="r1"><inputEntry id="e1"><text>&gt; 10</text></inputEntry><outputEntry id="o1"><text>"big"</text></outputEntry></rule>
    <rule id="r2"><inputEntry id="e2"><text>&lt; 20</text></inputEntry><outputEntry id="o2"><text>"small"</text></outputEntry></rule>
  </decisionTable></decision>
</definitions>
"""


class Function:
    """A registered function that does half its work before it fails, as long as it is told to."""

    def __init__(self) -> None:
        self.error: BaseException | None = None
        self.only: int | None = None
        self.calls: list[dict[str, Any]] = []

    def __call__(self, move: Move, node: Node, local: Mapping[str, Any]) -> None:
        self.calls.append(dict(move.facts))
        move.put({"filed": True})
        move.told.append(Announced(node.id, node.name, (DIVISION,), "step_told"))
        if self.error is not None and self.only in (None, local.get("loop_index")):
            raise self.error


@pytest.fixture
def function(monkeypatch: pytest.MonkeyPatch) -> Function:
    """The function `test`, registered for one test."""
    made = Function()
    monkeypatch.setitem(SERVICES, "test", made)
    return made


def write(folder: Path) -> Path:
    """The two small offices, with administrators and the procedures above."""
    write_offices(folder)
    for office in ("office", "elsewhere"):
        place = folder / office
        text = (place / "organisation.toml").read_text("utf-8")
        role = '{ id = "audit_officer", name = "監査責任者" },'
        assert role in text
        text = text.replace(role, f'{role}\n  {{ id = "administrator", name = "管理者" }},\n  {{ id = "desk_officer", name = "係" }},')
        text = text.replace(
            '"general_protection_manager", "audit_officer"]', '"general_protection_manager", "audit_officer", "administrator"]'
        )
        desk = f'{{ id = "desk", name = "係", kind = "unit", parent = "{office}", order = 6, valid_from = 2026-12-01, seats = ["desk_officer"] }}'
        text = text.rstrip().removesuffix("]") + f"  {desk},\n]\n"  # a unit that does not exist yet
        (place / "organisation.toml").write_text(text, "utf-8")
        rules = (place / "rules.toml").read_text("utf-8").replace(f'"{office}_clock"', f'"{office}_clock", "{office}_closing"')
        (place / "rules.toml").write_text(rules, "utf-8")
        (place / "grade.dmn").write_text(GRADE, "utf-8")
        for stem, parts in DRAWN.items():
            head = '<bpmn:message id="m_amend" name="amend"/>'
            (place / f"{stem}.bpmn").write_bytes(diagram(*parts, id=f"{office}_{stem}", head=head))
    return folder


def make(url: str, folder: Path) -> World:
    clock = SetClock(MONDAY)
    return World(make_engine(url, clock, bpmn=folder), clock)


@pytest.fixture(scope="module")
def template(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """A database with everything in place, and the folder of the offices."""
    place = tmp_path_factory.mktemp("stopped")
    folder = write(place / "bpmn")
    world = make(f"sqlite:///{place / 'template.sqlite'}", folder)
    world.engine.migrate()
    with mock.patch("engine.deploy_check.TOPICS", frozenset({"notify", "ledger", "test"})):
        populate(world.engine, ("office", "elsewhere"))
    world.engine.close()
    return place / "template.sqlite", folder


@pytest.fixture
def world(template: tuple[Path, Path], tmp_path: Path) -> Iterator[World]:
    """The offices on SQLite."""
    shutil.copy(template[0], tmp_path / "tadachi.sqlite")
    made = make(f"sqlite:///{tmp_path / 'tadachi.sqlite'}", template[1])
    yield made
    made.engine.close()


@pytest.fixture
def on_postgresql(template: tuple[Path, Path], fresh_postgresql: str) -> Iterator[World]:
    """The offices on PostgreSQL."""
    made = make(fresh_postgresql, template[1])
    made.engine.migrate()
    with mock.patch("engine.deploy_check.TOPICS", frozenset({"notify", "ledger", "test"})):
        populate(made.engine, ("office", "elsewhere"))
    yield made
    made.engine.close()


@pytest.fixture(params=["sqlite", pytest.param("postgresql", marks=pytest.mark.postgresql)])
def both(request: pytest.FixtureRequest) -> World:
    """The offices, once on SQLite and once on PostgreSQL."""
    made: World = request.getfixturevalue("world" if request.param == "sqlite" else "on_postgresql")
    return made


def job_of(world: World, case_id: int) -> dict[str, Any]:
    """The one stopped step of a case."""
    (row,) = world.rows("job", case_id=case_id, kind="service")
    return row


def stopped(world: World, case_id: int) -> bool:
    return bool(world.rows("job", case_id=case_id, kind="service"))


def told(world: World) -> list[dict[str, Any]]:
    """What the administrator was told."""
    return [row for row in world.notices(world.person(ADMINISTRATOR)) if row["cause"].endswith(":stopped")]


def tags(world: World, case_id: int) -> list[str]:
    return [row["tag"] for row in world.history(case_id) if row["tag"].startswith("service.")]


def retry(world: World, job_id: int, seat: str = ADMINISTRATOR, attempts: int | None = None) -> bool:
    with world.acting(seat) as work:
        return work.retry(job_id, attempts)


def stop(world: World, function: Function, process: str = "filing", **answers: Any) -> int:
    """A case whose registration has just failed."""
    case_id = world.start(process, **answers)
    function.error = function.error or ConnectionRefusedError(111, "Connection refused")
    world.complete(case_id, "prepare")
    assert stopped(world, case_id)
    return case_id


# ---------------------------------------------------------------- what happens


def test_a_function_that_works_leaves_no_trace_of_failing(world: World, function: Function) -> None:
    case_id = world.start("filing")
    world.complete(case_id, "prepare", amount=3)
    assert not stopped(world, case_id)
    assert tags(world, case_id) == []
    assert world.facts(case_id)["filed"] is True
    assert world.waits(case_id) == ["check"]


def test_the_persons_step_is_done_and_nothing_of_the_function_is(
    world: World, function: Function, caplog: pytest.LogCaptureFixture
) -> None:
    case_id = world.start("filing")
    function.error = ConnectionRefusedError(111, "Connection refused")
    world.complete(case_id, "prepare", amount=3)
    assert world.rows("task", case_id=case_id, node="prepare")[0]["state"] == "done"
    assert world.waits(case_id) == ["check"], "the other branch goes on"
    facts = world.facts(case_id)
    assert facts["amount"] == 3
    assert "filed" not in facts
    assert "filed_by" not in facts
    assert not [row for row in world.notices() if row["template"] == "step_told"], "what it announced before failing is not told"
    row = job_of(world, case_id)
    assert (row["attempts"], row["run_at"]) == (1, MONDAY + timedelta(minutes=1))
    assert row["error"] == "ConnectionRefusedError: [Errno 111] Connection refused"
    (entry,) = world.history(case_id, "service.failed")
    assert entry["data"] | {"version": 0} == {"name": "台帳への登録", "attempt": 1, "error": row["error"], "version": 0}
    assert entry["person"] == "system"
    assert "test_service_failures.py" in caplog.text, "where it failed is in the log"
    assert world.engine.verify_history() == ()


def test_the_drawn_path_by_its_code(world: World, function: Function) -> None:
    case_id = world.start("filing")
    function.error = BpmnError("A")
    world.complete(case_id, "prepare")
    assert world.waits(case_id) == ["check", "make_room"]
    assert not stopped(world, case_id)
    assert tags(world, case_id) == []


def test_a_catch_all_takes_a_technical_failure(world: World, function: Function) -> None:
    case_id = world.start("coping")
    function.error = ZeroDivisionError("x")
    world.complete(case_id, "prepare")
    assert world.waits(case_id) == ["cope"]
    assert not stopped(world, case_id)
    assert tags(world, case_id) == ["service.failed"], "the record says why the case went that way"
    assert "filed" not in world.facts(case_id)


def test_it_is_tried_again_by_the_clock_and_the_case_goes_on_where_it_was(both: World, function: Function) -> None:
    case_id = stop(both, function)
    both.complete(case_id, "check", amount=9)
    before = both.facts(case_id)
    due = MONDAY
    for attempt, span in enumerate(TRY_AGAIN_AFTER[:3], 2):
        due += span
        both.clock.set(due - timedelta(seconds=1))
        both.run()
        assert job_of(both, case_id)["attempts"] == attempt - 1
        both.clock.set(due)
        both.run()
        row = job_of(both, case_id)
        assert (row["attempts"], row["run_at"]) == (attempt, due + TRY_AGAIN_AFTER[attempt - 1])
        assert both.facts(case_id) == before
        assert both.waits(case_id) == []
    function.error = None
    both.clock.set(row["run_at"])
    both.run()
    assert both.waits(case_id) == ["finish"]
    assert not stopped(both, case_id)
    facts = both.facts(case_id)
    assert (facts["filed"], facts["filed_by"], facts["amount"]) == (True, both.person(STAFF), 9)
    assert tags(both, case_id) == ["service.failed"] * 4 + ["service.passed"]
    assert [row["data"]["attempt"] for row in both.history(case_id) if row["tag"].startswith("service.")] == [1, 2, 3, 4, 5]
    assert both.history(case_id, "service.passed")[0]["data"]["facts"] == {"filed": [None, True], "filed_by": [None, both.person(STAFF)]}
    assert len([row for row in both.notices() if row["template"] == "step_told"]) == 1, "told once, by the try that was done"
    both.complete(case_id, "finish")
    assert both.case(case_id)["outcome"] == "登録済み"
    assert both.engine.verify_history() == ()


def test_after_the_last_try_administrators_are_told_once_and_can_try_it(world: World, function: Function) -> None:
    case_id = stop(world, function)
    world.pass_time(days=1)
    row = job_of(world, case_id)
    assert (row["attempts"], row["run_at"]) == (len(TRY_AGAIN_AFTER) + 1, None)
    assert "Connection refused" in row["error"]
    (notice,) = told(world)
    assert (notice["case_id"], notice["step"], notice["task_id"]) == (case_id, "台帳への登録", None)
    assert world.notices(STRANGER) == []
    assert retry(world, row["id"]) is False
    again = job_of(world, case_id)
    assert (again["id"], again["attempts"], again["run_at"]) == (row["id"], row["attempts"] + 1, None)
    assert len(told(world)) == 1
    function.error = None
    assert retry(world, row["id"]) is True
    assert not stopped(world, case_id)
    last = world.history(case_id)
    order = [(entry["tag"], entry["person"]) for entry in last if entry["tag"] in ("service.retried", "service.passed")]
    assert order == [("service.retried", "administrator.office")] * 2 + [("service.passed", "system")]
    world.complete(case_id, "check")
    world.complete(case_id, "finish")
    assert world.case(case_id)["outcome"] == "登録済み"
    assert world.engine.verify_history() == ()


def test_who_asked_for_the_try_is_told_like_anyone_of_what_it_opens(world: World, function: Function) -> None:
    """管理者が次の処理の担当でもあるとき、その処理が届いたことは本人にも知らされる。"""
    case_id = stop(world, function)
    world.complete(case_id, "check")
    world.appoint(world.person(ADMINISTRATOR), MANAGER, kind="concurrent")
    function.error = None
    retry(world, job_of(world, case_id)["id"])
    task = world.task(case_id, "finish")["id"]
    assert [row["template"] for row in world.notices(world.person(ADMINISTRATOR), task_id=task)] == ["task_opened"]


def test_trying_by_hand_leaves_the_automatic_tries_as_they_were_due(world: World, function: Function) -> None:
    case_id = stop(world, function)
    row = job_of(world, case_id)
    for _ in range(8):
        assert retry(world, row["id"]) is False
    again = job_of(world, case_id)
    assert (again["attempts"], again["run_at"]) == (9, row["run_at"])
    world.clock.set(row["run_at"])
    world.run()
    assert job_of(world, case_id)["run_at"] == row["run_at"] + TRY_AGAIN_AFTER[1]
    assert told(world) == []


def test_whoever_presses_twice_tries_once(world: World, function: Function) -> None:
    case_id = stop(world, function)
    row = job_of(world, case_id)
    tried = len(function.calls)
    assert retry(world, row["id"], attempts=1) is False
    with pytest.raises(TriedMeanwhile):
        retry(world, row["id"], attempts=1)
    assert len(function.calls) == tried + 1
    function.error = None
    assert retry(world, row["id"], attempts=2) is True
    with pytest.raises(NotStopped):
        retry(world, row["id"], attempts=2)
    assert len(function.calls) == tried + 2


def test_two_workers_and_an_administrator_race_and_it_is_done_once(both: World, function: Function) -> None:
    for _ in range(3):
        function.error = OSError("away")
        case_id = stop(both, function)
        row = job_of(both, case_id)
        function.error, function.calls = None, []
        both.clock.set(row["run_at"])

        def do(number: int, row: Mapping[str, Any] = row) -> Any:
            return retry(both, row["id"]) if number == 0 else both.run()

        results = in_threads(4, do)
        assert [type(result) for result in results if isinstance(result, Exception)] in ([], [NotStopped])
        both.run()
        assert len(function.calls) == 1
        assert tags(both, case_id).count("service.passed") == 1
        assert both.waits(case_id) == ["check"]
    assert not [row for row in both.rows("job") if row["error"]]
    assert both.engine.verify_history() == ()


@pytest.mark.parametrize("seat", [STAFF, MANAGER, DIVISION, "general_protection_manager@office"])
def test_other_roles_are_refused(world: World, function: Function, seat: str) -> None:
    case_id = stop(world, function)
    row = job_of(world, case_id)
    with pytest.raises(NotAllowed):
        retry(world, row["id"], seat)
    with pytest.raises(NotAllowed):
        world.engine.stopped(world.viewer(seat))
    assert job_of(world, case_id) == row
    assert world.rows("history", tag="attempt.refused")


def test_another_office_sees_nothing_of_it(world: World, function: Function) -> None:
    case_id = stop(world, function)
    row = job_of(world, case_id)
    assert world.engine.stopped(world.engine.viewer(STRANGER)) == ()
    with pytest.raises(NotFound) as one, world.engine.work(by=STRANGER) as work:
        work.retry(row["id"])
    with pytest.raises(NotFound) as other, world.engine.work(by=STRANGER) as work:
        work.retry(999_999)
    assert one.value.text == other.value.text
    assert job_of(world, case_id) == row


def test_only_stopped_work_can_be_retried(world: World, function: Function) -> None:
    """The number of a timer or of a mail names nothing here."""
    case_id = stop(world, function)
    for row in world.rows("job"):
        if row["kind"] != "service":
            with pytest.raises(NotStopped):
                retry(world, row["id"])
    assert stopped(world, case_id)


def test_what_administrators_see(world: World, function: Function) -> None:
    case_id = stop(world, function)
    world.pass_time(minutes=2)
    (shown,) = world.engine.stopped(world.viewer(ADMINISTRATOR))
    assert (shown.number, shown.step, shown.attempts) == (world.case(case_id)["number"], "台帳への登録", 2)
    assert (shown.since, shown.tried_at, shown.next_try) == (MONDAY, MONDAY + timedelta(minutes=1), MONDAY + timedelta(minutes=6))
    assert world.engine.stopped(None) == (shown,)
    with pytest.raises(NotFound):
        world.engine.case(world.viewer(ADMINISTRATOR), case_id)


def test_the_reason_holds_nothing_of_the_case(world: World, function: Function, caplog: pytest.LogCaptureFixture) -> None:
    """実装の誤りで例外の文に事実が入っても、管理者の画面にも記録にもログにも出ない。"""
    case_id = world.start("filing", amount=1_234_567)
    function.error = ValueError("cannot file '鍵付き書庫の点検で山田太郎の書類を見つけた' for 1234567\nand\0 " + "x" * 500)
    world.complete(case_id, "prepare")
    reason = job_of(world, case_id)["error"]
    assert reason.startswith("ValueError: cannot file '…' for … and")
    assert len(reason) == 200
    for text in (reason, caplog.text, str(world.history(case_id, "service.failed"))):
        assert "山田太郎" not in text
        assert "1234567" not in text


def test_a_drawn_timer_takes_a_failing_service_away(world: World, function: Function) -> None:
    case_id = stop(world, function)
    world.pass_time(days=2)
    assert world.waits(case_id) == ["by_hand", "check"]
    assert not stopped(world, case_id)
    assert world.rows("job", case_id=case_id, kind="timer") == []
    assert tags(world, case_id) == ["service.failed"] * 6 + ["service.cancelled"]
    world.complete(case_id, "by_hand")
    world.complete(case_id, "check")
    world.complete(case_id, "finish")
    assert world.case(case_id)["outcome"] == "登録済み"


def test_withdrawing_the_case_takes_it_away(world: World, function: Function) -> None:
    """取下げは、誰も処理していない案件でも、止まった処理を残さない。"""
    case_id = stop(world, function)
    row = job_of(world, case_id)
    with world.engine.work(by=world.person(STAFF)) as work:
        work.withdraw(case_id, "不要になった")
    assert world.rows("job", case_id=case_id, kind="service") == []
    assert tags(world, case_id)[-1] == "service.cancelled"
    world.pass_time(days=1)
    assert len(function.calls) == 1
    with pytest.raises(NotStopped):
        retry(world, row["id"])


def test_the_drawn_path_can_be_taken_by_a_later_try(world: World, function: Function) -> None:
    case_id = stop(world, function)
    function.error = BpmnError("A")
    world.clock.advance(minutes=1)
    world.run()
    assert world.waits(case_id) == ["check", "make_room"]
    assert tags(world, case_id) == ["service.failed", "service.errored"]
    assert world.history(case_id, "service.errored")[0]["data"]["code"] == "A"


def test_an_error_nobody_catches_still_ends_the_case(world: World, function: Function) -> None:
    case_id = stop(world, function)
    function.error = BpmnError("B")
    world.clock.advance(minutes=1)
    world.run()
    assert world.case(case_id)["outcome"] == "error:B"
    assert world.rows("job", case_id=case_id, kind="service") == []


def test_a_table_that_does_not_decide_is_a_stopped_step(world: World) -> None:
    """決定表の複数の行が当てはまる間は止まり、事実が直れば続きへ進む。"""
    fine = world.start("deciding", amount=5)
    assert (world.facts(fine)["grade"], world.waits(fine)) == ("small", ["finish"])
    case_id = world.start("deciding", amount=15)
    assert world.waits(case_id) == []
    assert "決定表" in job_of(world, case_id)["error"]
    world.act(case_id, "amend", f"person:{world.person(STAFF)}", amount=25)
    world.clock.advance(minutes=1)
    world.run()
    assert (world.facts(case_id)["grade"], world.waits(case_id)) == ("big", ["finish"])


def test_a_notice_to_a_seat_nobody_has_stops_the_step_and_not_the_report(world: World) -> None:
    case_id = world.start("telling")
    assert "役" in job_of(world, case_id)["error"]
    assert world.waits(case_id) == []


def test_one_of_several_instances(world: World, function: Function) -> None:
    function.error, function.only = OSError("away"), 1
    case_id = world.start("each", persons=[{"label": "甲"}, {"label": "乙"}, {"label": "丙"}])
    assert len(function.calls) == 3
    assert [shown.step for shown in world.engine.stopped(None)] == ["一人ずつの登録（2）"]
    function.error = None
    world.clock.advance(minutes=1)
    world.run()
    assert world.case(case_id)["outcome"] == "登録済み"


def test_a_case_does_not_close_behind_an_open_duty(world: World, function: Function) -> None:
    """最後の処理のあとで止まった案件も、義務の記録がなければ終結しない。"""
    open_duty = world.start("closing", duty="yes")
    with pytest.raises(ClosingNotReady):
        world.complete(open_duty, "prepare")
    function.error = OSError("away")
    world.complete(open_duty, "prepare")
    function.error = None
    world.clock.advance(minutes=1)
    world.run()
    assert world.case(open_duty)["state"] == "open"
    assert job_of(world, open_duty)["error"] == "未了の義務があるため、終結できません。"
    assert "filed" not in world.facts(open_duty)
    world.act(open_duty, "amend")
    assert retry(world, job_of(world, open_duty)["id"]) is True
    assert world.case(open_duty)["outcome"] == "登録済み"


def test_a_preview_does_not_run_the_function(world: World, function: Function) -> None:
    case_id = world.start("filing")
    task = world.task(case_id, "prepare")
    before = world.checksums()
    for error_ in (None, OSError("away")):
        function.error = error_
        foreseen = world.engine.preview(world.viewer(MANAGER), task["id"], {})
        assert [item.step for item in foreseen] == ["点検"], "what is certain is foreseen"
    assert world.checksums() == before
    coping = world.task(world.start("coping"), "prepare")
    assert world.engine.preview(world.viewer(MANAGER), coping["id"], {}) == ()
    assert function.calls == []


def test_stopping_the_program_is_no_failure_of_the_work(world: World, function: Function) -> None:
    case_id = world.start("filing")
    for error_ in (KeyboardInterrupt(), SystemExit(1)):
        function.error = error_
        with pytest.raises(type(error_)):
            world.complete(case_id, "prepare")
    assert world.waits(case_id) == ["prepare"]
    assert not stopped(world, case_id)


def test_a_try_cut_off_in_the_middle_leaves_it_as_it_was(world: World, function: Function) -> None:
    case_id = stop(world, function)
    before = world.checksums()
    function.error = KeyboardInterrupt()
    world.clock.advance(minutes=1)
    with pytest.raises(KeyboardInterrupt):
        world.run()
    assert world.checksums() == before
    function.error = None
    world.run()
    assert not stopped(world, case_id)


def test_what_follows_the_work_can_fail_too_and_then_nothing_stays(
    world: World, function: Function, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The work is done again by the next try: a function must bear being called twice."""
    case_id = stop(world, function)
    world.complete(case_id, "check")
    function.error = None

    def nobody(*_: Any) -> str:
        raise NoSeat(role="保護管理者", unit="第一課")

    with monkeypatch.context() as patched:
        patched.setattr(Writer, "_clocks", nobody)  # by then the next step's row is written
        world.clock.advance(minutes=1)
        world.run()
    row = job_of(world, case_id)
    assert row["attempts"] == 2
    assert "保護管理者" in row["error"]
    assert world.rows("task", case_id=case_id, node="finish") == []
    assert world.waits(case_id) == []
    assert "filed" not in world.facts(case_id)
    world.clock.set(row["run_at"])
    world.run()
    assert world.waits(case_id) == ["finish"]


def test_a_database_that_fails_during_a_try_uses_none_up(world: World, function: Function, monkeypatch: pytest.MonkeyPatch) -> None:
    case_id = stop(world, function)

    def away(*_: Any, **__: Any) -> None:
        raise sa.exc.OperationalError("UPDATE case_file SET facts = '山田太郎'", {}, Exception("disk I/O error"))

    with monkeypatch.context() as patched:
        patched.setattr(Writer, "_close_chain", away)
        for _ in range(20):
            world.clock.set(job_of(world, case_id)["run_at"])
            world.run()
    row = job_of(world, case_id)
    assert row["error"] == "OperationalError"
    assert row["run_at"] is not None
    function.error = None
    world.clock.set(row["run_at"])
    world.run()
    assert not stopped(world, case_id)


def test_the_old_marking_is_the_marking(world: World, function: Function) -> None:
    """A stopped step is a token at its node: nothing of the stored format changed for it."""
    case_id = stop(world, function)
    marking = Marking.load(world.case(case_id)["marking"])
    assert Marking.load(marking.dump()) == marking
