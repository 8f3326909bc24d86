"""The sandbox: a procedure played as any seat on a clock that is moved, told as what a designer does, sees and may not do."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

import pytest
import sqlalchemy as sa
import yaml

from engine import (
    JST,
    Engine,
    FormInvalid,
    NotAllowed,
    PlayMoved,
    PlayPage,
    PlayRefused,
    ProcessNotFound,
    TadachiError,
    Viewer,
    coverage,
    sandbox,
)
from engine.definitions import bundles
from engine.errors import NoSeat, PlayTooLong, ReasonRequired, SamePerson, ScenarioBroken
from engine.model import metadata, sandbox_run
from engine.sandbox import Base, Run, Sandbox, duration
from engine.sandbox_database import MOST_BYTES, SHELF, Kept, Shelf
from engine.sandbox_room import Room
from engine.scenario_text import read
from tests.support import DIVISION, GENERAL, MANAGER, MONDAY, OTHER_MANAGER, STAFF, World, make_world

APPLICATION = {"item_summary": "備品の購入", "owning_unit": "a", "amount": 10}


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    """The small offices on a Monday morning; these tests change nothing in them but runs."""
    made = make_world(tmp_path_factory.mktemp("sandbox"))
    yield made
    made.engine.close()


@pytest.fixture(autouse=True)
def nothing_played(world: World) -> None:
    with world.engine.writing() as connection:
        connection.execute(sandbox_run.delete())


class Designer:
    """Somebody who may put diagrams in force, at the screen of a version."""

    def __init__(self, world: World, process: str, seat: str = GENERAL) -> None:
        self.world, self.process, self.seat = world, process, seat

    @property
    def viewer(self) -> Viewer:
        return self.world.engine.viewer(self.world.person(self.seat))

    @contextmanager
    def room(self, length: int | None = None) -> Iterator[Room]:
        number = next(one.number for one in self.world.engine.sandbox.procedures(self.viewer) if one.process_id == f"office_{self.process}")
        with self.world.engine.sandbox.open(self.viewer, "versions", number, length=length) as room:
            yield room

    def does(self, verb: str, *arguments: Any) -> None:
        with self.room() as room:
            getattr(room, verb)(*arguments)

    def sees(self, **wanted: Any) -> PlayPage:
        with self.room() as room:
            return room.page(**wanted)

    def completes(self, seat: str = "", **answers: Any) -> None:
        waiting = self.sees().waiting[0]
        self.does("complete", seat or waiting.seat, waiting.task_id, answers)


@pytest.fixture
def approval(world: World) -> Designer:
    return Designer(world, "approval")


# ---------------------------------------------------------------- acting as any seat


def test_a_version_is_played_by_every_seat_in_turn_to_its_end(approval: Designer) -> None:
    """申請、審査、承認を、それぞれの役になって一人で進め、終わりまで行ける。"""
    page = approval.sees()
    assert (page.length, page.head, page.waiting) == (0, None, ())
    assert page.start is not None
    assert {field.id for field in page.start.fields} == {"item_summary", "owning_unit", "amount"}

    approval.does("start", STAFF, APPLICATION)
    page = approval.sees()
    assert [(one.step, one.seat, one.seat_name) for one in page.waiting] == [("審査", MANAGER, "第一課 保護管理者")]
    assert (page.seat, page.task and page.task.row.step) == (MANAGER, "審査")  # whoever it waits for, without being asked
    assert page.task is not None
    assert page.task.buttons[0].consequences[0].step == "承認"

    approval.completes(opinion="よい")
    page = approval.sees()
    assert [one.step for one in page.waiting] == ["承認"]
    approval.completes(verdict="granted")
    page = approval.sees()
    assert page.head is not None
    assert (page.head.state, page.head.outcome) == ("closed", "承認済み")
    assert (page.waiting, page.task, page.actions, page.next_due) == ((), None, (), None)
    assert page.length == 3
    assert [event.tag for event in page.timeline if event.tag == "task.completed"] == ["task.completed"] * 2


def test_nothing_of_it_reaches_the_installation(world: World, approval: Designer) -> None:
    """試行は、実際の案件も、通知も、期限の仕事も、記録も作らない。残るのは本人の試行の行だけ。"""

    def everything() -> dict[str, int]:
        with world.engine.reading() as connection:
            counts = {
                name: connection.scalar(sa.select(sa.func.count()).select_from(table)) or 0 for name, table in metadata.tables.items()
            }
        return counts

    before = everything()
    approval.does("start", STAFF, APPLICATION)
    approval.does("passes", "P3D")
    approval.completes(opinion="よい")
    assert approval.sees().told
    with pytest.raises(TadachiError):
        approval.completes(verdict="nonsense")
    after = everything()
    assert {name: count - before[name] for name, count in after.items() if count != before[name]} == {"sandbox_run": 1}
    assert world.engine.clock.now() == MONDAY


def test_a_form_that_is_refused_says_so_and_changes_nothing(approval: Designer) -> None:
    """実際の画面と同じ誤りが、同じ欄に出る。試行は元のまま。"""
    with pytest.raises(FormInvalid) as refused, approval.room() as room:
        room.start(STAFF, {"item_summary": "", "owning_unit": "a"})
    assert set(refused.value.fields) == {"item_summary"}
    approval.does("start", STAFF, APPLICATION)
    with approval.room() as room:
        task_id = room.page().waiting[0].task_id
        with pytest.raises(FormInvalid) as refused:
            room.complete(MANAGER, task_id, {"opinion": "あ" * 101, "amount": "-1"})
        page = room.page(task_id=task_id, answers={"opinion": "あ" * 101}, errors=refused.value.fields)
    assert set(refused.value.fields) == {"opinion", "amount"}
    assert page.task is not None
    assert next(field for field in page.task.fields if field.id == "opinion").error
    assert (approval.sees().length, not any(event.refused for event in approval.sees().timeline)) == (1, True)


def test_only_the_seat_it_is_for_may_do_it_and_separation_of_duties_holds(approval: Designer) -> None:
    """担当でない役では処理できず、申請した人は承認できない。差戻しには理由が要る。"""
    approval.does("start", STAFF, APPLICATION)
    with pytest.raises(TadachiError):
        approval.completes(OTHER_MANAGER, opinion="よい")
    page = approval.sees(seat=OTHER_MANAGER)
    assert page.task is None  # nothing waits for this seat
    page = approval.sees(seat=DIVISION, task_id=approval.sees().waiting[0].task_id)
    assert page.task is None or not page.task.acting_seats

    approval.does("undo")
    approval.does("start", DIVISION, {**APPLICATION})
    approval.completes(opinion="よい")
    with pytest.raises((SamePerson, TadachiError)):
        approval.completes(DIVISION, verdict="granted")

    approval.does("again", None)
    approval.does("start", STAFF, APPLICATION)
    approval.completes(opinion="よい")
    waiting = approval.sees().waiting[0]
    with pytest.raises((FormInvalid, ReasonRequired)):
        approval.does("send_back", waiting.seat, waiting.task_id, "review", " ")
    approval.does("send_back", waiting.seat, waiting.task_id, "review", "金額が違う")
    page = approval.sees()
    assert [one.step for one in page.waiting] == ["審査"]
    assert page.task is not None
    assert page.task.sent_back_reason == "金額が違う"


def test_a_seat_that_cannot_start_it_is_told(approval: Designer) -> None:
    """承認の役に当たる人がいない課のことは、始めるときに分かる。"""
    approval.does("start", STAFF, {**APPLICATION, "owning_unit": "c"})
    with pytest.raises(NoSeat):
        approval.completes(opinion="よい")
    assert approval.sees().length == 1


@pytest.mark.parametrize("seat", ["nobody@nowhere", "", "reporter", "person:staff.a", "person:nobody", "staff@a@b"])
def test_nobody_acts_from_a_seat_there_is_not(approval: Designer, seat: str) -> None:
    """ない役からは、始めることも見ることもできない。"""
    with pytest.raises(TadachiError):
        approval.does("start", seat, APPLICATION)
    approval.does("start", STAFF, APPLICATION)
    if seat and seat != "person:staff.a":  # who reported may look
        with pytest.raises(TadachiError):
            approval.sees(seat=seat)
    with pytest.raises(TadachiError):
        approval.completes(seat or "x", opinion="よい")
    assert approval.sees().length == 1


def test_moments_that_cannot_be_read_are_refused(approval: Designer) -> None:
    """シナリオの言葉で書いた日時も、読めなければ断る。"""
    with pytest.raises(PlayRefused):
        approval.does("start", STAFF, {**APPLICATION, "item_summary": "@now+Pnonsense"})


# ---------------------------------------------------------------- time


def test_time_passes_and_whoever_would_be_told_is_shown(approval: Designer) -> None:
    """直ちにの処理を放っておくと、1時間で担当に、3時間で上の役に知らせが行く。"""
    approval.does("start", STAFF, APPLICATION)
    page = approval.sees()
    assert page.next_due == MONDAY + timedelta(hours=1)
    approval.does("until_next")
    page = approval.sees()
    assert (page.at, page.told[-1].what) == (MONDAY + timedelta(hours=1), "処理が済んでいません（督促）")
    assert page.told[-1].to == ("第一課 保護管理者",)
    approval.does("passes", "PT2H")
    page = approval.sees()
    assert "北部 部課等保護管理者" in {name for one in page.told for name in one.to}
    assert page.waiting[0].overdue


def test_a_drawn_timer_happens_when_it_is_let(world: World) -> None:
    """期限の時計が鳴ると、引継ぎへ進む。鳴るまで時が進む。"""
    designer = Designer(world, "deadline")
    designer.does("start", STAFF, {"item_summary": "期限", "owning_unit": "a"})
    page = designer.sees()
    [timer] = page.timers
    assert (timer.node, timer.due_at) == ("too_late", MONDAY + timedelta(hours=2))
    designer.does("fire", "too_late")
    page = designer.sees()
    assert (page.at, [one.step for one in page.waiting], page.timers) == (MONDAY + timedelta(hours=2), ["引継ぎ"], ())
    with pytest.raises(TadachiError):
        designer.does("fire", "too_late")


def test_time_never_goes_back_nor_too_far(approval: Designer) -> None:
    """時計は戻せず、一度に3年より先へも進められない。始める前には、始める日時を選ぶ。"""
    with pytest.raises(PlayRefused):
        approval.does("passes", "PT1H")
    approval.does("again", datetime(2026, 12, 1, 9, 0, tzinfo=JST))
    approval.does("start", STAFF, APPLICATION)
    assert approval.sees().at == datetime(2026, 12, 1, 9, 0, tzinfo=JST)
    for instant in (datetime(2026, 11, 30, tzinfo=JST), datetime(2031, 1, 1, tzinfo=JST)):
        with pytest.raises(PlayRefused):
            approval.does("until", instant)
    for period in ("", "P", "1h", "P-1D", "nonsense"):
        with pytest.raises(PlayRefused):
            approval.does("passes", period)
    approval.does("until", datetime(2026, 12, 2, 9, 30, tzinfo=JST))
    assert approval.sees().at == datetime(2026, 12, 2, 9, 30, tzinfo=JST)


def test_work_that_never_ends_is_stopped(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """毎時の知らせを何年も待つような試行は、途中で止める。試行は元のまま。"""
    designer = Designer(world, "cycle")
    designer.does("start", STAFF, {"item_summary": "毎時", "owning_unit": "a"})
    monkeypatch.setattr(sandbox, "MOST_RUNS", 50)
    with pytest.raises(PlayTooLong):
        designer.does("passes", "P30D")
    assert (designer.sees().length, designer.sees().at) == (1, MONDAY)
    monkeypatch.setattr(sandbox, "MOST_SECONDS", -1.0)
    with pytest.raises(PlayTooLong):
        designer.does("passes", "PT1H")


# ---------------------------------------------------------------- taking back, going on


def test_the_last_act_is_taken_back_and_the_run_goes_on_from_there(approval: Designer) -> None:
    """一つ前に戻すと、その操作の前の状態になる。"""
    approval.does("start", STAFF, APPLICATION)
    approval.does("passes", "P1D")
    approval.completes(opinion="よい")
    assert [one.step for one in approval.sees().waiting] == ["承認"]
    approval.does("undo")
    page = approval.sees()
    assert ([one.step for one in page.waiting], page.at, page.length) == (["審査"], MONDAY + timedelta(days=1), 2)
    approval.does("undo")
    assert approval.sees().at == MONDAY
    approval.does("undo")
    approval.does("undo")
    assert approval.sees().length == 0


def test_a_replay_from_the_start_and_one_that_goes_on_are_alike(approval: Designer, monkeypatch: pytest.MonkeyPatch) -> None:
    """覚えてある途中から続けても、はじめから演じ直しても、同じになる。"""
    approval.does("start", STAFF, APPLICATION)
    approval.does("passes", "PT3H")
    approval.completes(opinion="よい", amount=5)
    quick = approval.sees()
    monkeypatch.setattr(sandbox, "SHELF", Shelf())
    slow = approval.sees()
    assert slow == quick
    assert len(SHELF._kept) <= 24


def test_two_windows_do_not_play_on_unseen(approval: Designer) -> None:
    """別の画面で進めた試行を、古い画面から進めようとすると、そう告げられる。"""
    approval.does("start", STAFF, APPLICATION)
    with pytest.raises(PlayMoved), approval.room(length=0):
        pass
    with approval.room(length=1) as room:
        assert room.page().length == 1


def test_everybody_has_a_run_of_his_own_and_only_designers_have_one(world: World, approval: Designer) -> None:
    """試行は人ごと。図を施行できる役でない人と、よその機関の人は使えない。"""
    approval.does("start", STAFF, APPLICATION)
    for seat in (STAFF, DIVISION):
        other = Designer(world, "approval", seat)
        with pytest.raises(NotAllowed):
            world.engine.sandbox.procedures(other.viewer)
        with pytest.raises(NotAllowed), world.engine.sandbox.open(other.viewer, "versions", 1):
            pass
        with pytest.raises(NotAllowed):
            world.engine.sandbox.scenarios(other.viewer, "versions", 1)
    for kind, number in (("versions", 999_999), ("drafts", 999_999)):
        with pytest.raises(TadachiError) as refused, world.engine.sandbox.open(approval.viewer, kind, number):
            pass
        assert refused.value.code in ("ProcessNotFound", "DraftNotFound")
    stranger = replace(approval.viewer, organisation="elsewhere")
    ours = world.engine.sandbox.procedures(approval.viewer)[0]
    with pytest.raises(ProcessNotFound), world.engine.sandbox.open(stranger, "versions", ours.number):
        pass


def test_a_run_whose_diagram_has_changed_stops_where_it_no_longer_fits(world: World, approval: Designer) -> None:
    """図を変えて、できなくなった操作があれば、そこまでを見せて、どれがなぜできないかを言う。"""
    approval.does("start", STAFF, APPLICATION)
    with world.engine.writing() as connection:
        row = connection.execute(sa.select(sandbox_run)).mappings().one()
        run = Run.load(row["starts"], row["acts"]).with_act({"complete": "gone"}).with_act({"passes": "PT1H"})
        connection.execute(sandbox_run.update().values(acts=run.dump(), length=run.length))
    page = approval.sees()
    assert page.length == 1
    assert page.stopped.startswith("2番目の操作は、いまの図ではできません")
    approval.completes(opinion="よい")  # going on leaves the rest out
    assert (approval.sees().stopped, approval.sees().length) == ("", 2)


# ---------------------------------------------------------------- pictures, scenarios, coverage


def test_the_picture_shows_what_was_passed_with_its_flows(approval: Designer) -> None:
    """通った要素と流れが、図の印になる。予見だけでは印は付かない。"""
    approval.does("start", STAFF, APPLICATION)
    state = approval.sees().state
    assert (state["apply"]["state"], state["review"]["state"]) == ("done", "current")
    assert not state["approve"]["state"]  # foreseen beside the button, and not passed
    taken = {id for id, entry in state.items() if entry["state"] == "taken"}
    assert taken == {"apply_review"}
    approval.completes(opinion="よい", needs_fix=False)
    state = approval.sees().state
    assert {id for id, entry in state.items() if entry["state"] == "taken"} == {"apply_review", "review_enough", "enough_approve"}
    with approval.room() as room:
        assert 'id="office_approval"' in room.diagram("")
        with pytest.raises(TadachiError):
            room.diagram("nowhere")


def test_a_run_becomes_a_scenario_that_plays_to_the_same_end(world: World, approval: Designer) -> None:
    """試行をシナリオにすると、読める YAML になり、そのまま演じると同じところに着く。"""
    with pytest.raises(PlayRefused), approval.room() as room:
        room.scenario("まだ")
    approval.does("start", STAFF, {**APPLICATION, "item_summary": "一行目\n二行目"})
    approval.does("until_next")
    approval.completes(opinion="よい", urgent="true", kinds=["p"], **{"list.0.name": "甲", "list.0.note": ""})
    with approval.room() as room:
        text = room.scenario("審査まで")
    told = yaml.safe_load(text)
    assert (told["title"], told["process"], told["starts"]) == ("審査まで", "office_approval", "2026-11-16 10:00:00")
    assert told["start"]["by"] == STAFF
    assert "item_summary: |-\n      一行目\n      二行目\n" in text
    assert told["steps"][0] == {"passes": "PT1H"}
    assert told["steps"][1]["complete"] == "review"
    assert "by" not in told["steps"][1]  # the step's own seat does it
    answers = told["steps"][1]["answers"]
    assert (answers["opinion"], answers["urgent"], answers["kinds"]) == ("よい", True, ["p"])
    assert "amount" not in answers  # known already
    assert told["steps"][-1] == {"expect": {"waits_at": ["approve"]}}

    approval.completes(verdict="refused")
    with approval.room() as room:
        whole = room.scenario("却下まで")
    assert yaml.safe_load(whole)["steps"][-1] == {"expect": {"waits_at": [], "outcome": "却下"}}
    office = world.engine.organisation("office")
    found = bundles(office.folder, office.folder.parent / "common")
    base = Base(office, "office_approval", found)
    results, reached = coverage.play_all(Engine, world.engine.settings, base, {"a.yaml": text, "b.yaml": whole})
    assert [(one.title, one.passed) for one in results] == [("審査まで", True), ("却下まで", True)]
    assert {one.element for one in reached.missed} == {"fix", "approved"}
    assert {one.name for one in reached.missed_flows if one.kind == "sequenceFlow"} == {
        "分岐 → 補正", "補正 → 審査", "分岐 → 承認済み",
    }  # fmt: skip
    assert [(one.id, one.reached) for one in reached.clauses] == [("C-1", True), ("C-2", True), ("C-3", True)]


def test_instances_of_a_repeated_step_are_named_by_number() -> None:
    """シナリオは、繰り返しの何番目かを instance で言える。"""
    scenario = read(
        "title: a\nprocess: p\nstarts: 2026-11-16 10:00\nstart: {by: staff@a}\nsteps:\n- {complete: ask, instance: 2}\n", "a.yaml"
    )
    assert scenario.steps[0]["instance"] == 2


def test_a_scenario_that_no_longer_goes_through_is_told_with_its_step(world: World) -> None:
    """通らなくなったシナリオ、読めないシナリオは、どこがなぜ通らないかを言い、ほかのシナリオは演じる。"""
    office = world.engine.organisation("office")
    base = Base(office, "office_approval", bundles(office.folder, office.folder.parent / "common"))
    head = "title: 古い\nprocess: office_approval\nstarts: 2026-11-16 10:00\nstart:\n  by: staff@a\n  answers: {item_summary: あ, owning_unit: a}\n"
    scenarios = {
        "a.yaml": head + "steps:\n- complete: gone\n",
        "b.yaml": "[",
        "c.yaml": head + "steps: []\n",
        "d.yaml": head.replace("office_approval", "office_cycle") + "steps: []\n",
        "e.yaml": head + "steps:\n- expect: {waits_at: [approve]}\n",
    }
    results, _ = coverage.play_all(Engine, world.engine.settings, base, scenarios)
    assert [(one.name, one.passed) for one in results] == [("a.yaml", False), ("b.yaml", False), ("c.yaml", True), ("e.yaml", False)]
    assert "gone" in results[0].text
    assert "YAML" in results[1].text
    with pytest.raises(ScenarioBroken):
        read("title: a", "a.yaml")


HEAD = "title: あ\nprocess: office_approval\nstarts: 2026-11-16 10:00\nstart: {by: staff@a, answers: {item_summary: あ, owning_unit: a}}\n"


@pytest.mark.parametrize(
    "text",
    [
        "a: &a [x, x]\nb: &b [*a, *a]\nc: [*b, *b]\n",
        "[" * 5_000,
        "- " * 5_000,
        "x" * 300_000,
        "title: 1" + "0" * 5_000,
        "\x00",
        HEAD.replace("2026-11-16 10:00", "いつか") + "steps: []\n",
        HEAD.replace("by: staff@a", "by: [staff@a]") + "steps: []\n",
        HEAD.replace("title: あ", "title: [あ]") + "steps: []\n",
        HEAD.replace("start: {by", "start: [{by").replace("a}}", "a}}]") + "steps: []\n",
        HEAD + "steps: 5\n",
        HEAD + "steps: [complete]\n",
        HEAD + "steps:\n" + "- passes: PT1M\n" * 1_001,
        HEAD + "steps: [{complete: 5}]\n",
        HEAD + "steps: [{act: merged}]\n",
        HEAD + "steps: [{send_back: review}]\n",
        HEAD + "steps: [{complete: review, at: いつか}]\n",
        HEAD + "steps: [{complete: review, answers: [x]}]\n",
        HEAD + "steps: [{expect: {waits_at: review}}]\n",
    ],
)
def test_a_text_that_is_no_scenario_is_told_whatever_it_is(text: str) -> None:
    """下書きには何でも置ける。シナリオでないものは、どこが違うかを言うだけで、何も動かず、長くもかからない。"""
    with pytest.raises(ScenarioBroken) as broken:
        read(text, "a.yaml")
    assert broken.value.findings
    assert len(broken.value.text) < 2_000


@pytest.mark.parametrize(
    "text",
    [
        HEAD.replace("staff@a", "nobody@a") + "steps: []\n",
        HEAD.replace("staff@a", "reporter") + "steps: []\n",
        HEAD.replace("item_summary: あ", 'item_summary: "@now+P9"') + "steps: []\n",
        HEAD + "steps: [{passes: いつまでも}]\n",
        HEAD + "steps: [{note: メモ, by: nobody@nowhere}]\n",
        HEAD + "steps: [{due: nothing}]\n",
    ],
)
def test_a_scenario_that_names_what_there_is_not_fails_with_its_step(world: World, text: str) -> None:
    """知らない役、読めない期間、計られていない時間は、そのシナリオが通らないというだけで、ほかは演じられる。"""
    office = world.engine.organisation("office")
    base = Base(office, "office_approval", bundles(office.folder, office.folder.parent / "common"))
    results, _ = coverage.play_all(Engine, world.engine.settings, base, {"a.yaml": text, "b.yaml": HEAD + "steps: []\n"})
    assert [one.passed for one in results] == [False, True]
    assert results[0].text


def test_thirty_acts_are_on_the_screen_again_at_once(world: World) -> None:
    """30回の操作の試行を開き直しても、演じ直すのは新しい操作だけ。"""
    office = world.engine.organisation("office")
    base = Base(office, "office_approval", bundles(office.folder, office.folder.parent / "common"))
    run = Run(MONDAY, {"by": STAFF, "answers": APPLICATION}, tuple({"passes": "PT1H"} for _ in range(30)))
    played = []
    for _ in range(2):
        one = Sandbox(Engine, world.engine.settings, base, MONDAY)
        one.replay(run)
        played.append((one.done, one.hands._runs > 0, one.stopped, one.clock.now()))
        one.close()
    later = MONDAY + timedelta(hours=30)
    assert played == [(31, True, None, later), (31, False, None, later)]


def test_what_is_played_is_known_by_all_it_depends_on(world: World) -> None:
    """図が一字でも変われば、覚えてある途中は使わない。"""
    office = world.engine.organisation("office")
    found = bundles(office.folder, office.folder.parent / "common")
    base = Base(office, "office_approval", found)
    name, files = found["office_approval"]
    changed = {**found, "office_approval": (name, {file: data + b"\n" for file, data in files.items()})}
    digests = {base.digest, Base(office, "office_approval", changed).digest, Base(office, "office_cycle", found).digest}
    digests.add(replace(base, admitted=False).digest)
    assert len(digests) == 4


@pytest.mark.parametrize(
    ("span", "text"),
    [
        (timedelta(hours=1), "PT1H"),
        (timedelta(days=1, minutes=90), "P1DT1H30M"),
        (timedelta(seconds=5), "PT5S"),
        (timedelta(), "PT0S"),
        (timedelta(days=40), "P40D"),
    ],
)
def test_spans_are_written_as_scenarios_write_them(span: timedelta, text: str) -> None:
    assert duration(span) == text


def test_the_shelf_forgets_what_nobody_asked_for() -> None:
    """覚えておく途中の数には限りがある。"""
    shelf = Shelf()
    kept = Kept(b"", MONDAY, None, {}, {})
    for number in range(30):
        shelf.put(str(number), kept)
        shelf.get("6")
    assert shelf.get("0") is None
    assert (shelf.get("6"), shelf.get("29")) == (kept, kept)
    shelf.put("large", replace(kept, data=b" " * (MOST_BYTES + 1)))
    assert shelf.get("large") is None
