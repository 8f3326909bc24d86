"""Running cases go to another version: planned by one person, approved by another, nothing lost, and back while nothing has happened since."""

from __future__ import annotations

import json
import re
import shutil
from collections.abc import Callable, Iterator, Mapping
from datetime import timedelta
from pathlib import Path
from typing import Any
from unittest.mock import patch

import pytest

from engine import (
    AlreadyDone,
    CaseClosed,
    MovedCase,
    NotAllowed,
    NotYourTask,
    Place,
    PlanClosed,
    PlanNotFound,
    PlanRefused,
    SamePerson,
    TaskNotFound,
    UndoRefused,
    VersionNotFound,
)
from engine.marking import Marking
from engine.moving_write import TransferWriter
from tests.support import (
    AUDITOR,
    DIVISION,
    GENERAL,
    MANAGER,
    MONDAY,
    ROOT,
    STAFF,
    World,
    in_threads,
    make_world,
    offices,
    postgresql_copy,
)

ONE, TWO = "designer.one", "designer.two"
#: When the office's procedure with a statutory date is told that it is due.
DUE = 'due("report")'
Edit = Callable[[str], str]


@pytest.fixture(params=["sqlite", pytest.param("postgresql", marks=pytest.mark.postgresql)])
def place(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[World]:
    """The small offices in a folder of their own, with two designers."""
    folder = tmp_path / "bpmn"
    shutil.copytree(offices(), folder)

    def made(url: str | None = None) -> World:
        world = make_world(tmp_path, url, bpmn=folder)
        for person in (ONE, TWO):
            world.appoint(person, GENERAL)
        return world

    if request.param == "sqlite":
        world = made()
        yield world
        world.engine.close()
        return
    with postgresql_copy(request.getfixturevalue("postgresql_url")) as url:
        world = made(url)
        yield world
        world.engine.close()


# ---------------------------------------------------------------- short ways


def version(world: World, process: str, edit: Edit | None = None) -> int:
    """The id of the version in force, after an edit of the office's file has been deployed."""
    if edit is not None:
        file = world.engine.settings.bpmn / "office" / f"{process}.bpmn"
        before = file.read_text("utf-8")
        after = edit(before)
        assert after != before, "the edit changes something"
        file.write_text(after, "utf-8")
        world.engine.deploy("office", ONE)
    return int(world.rows("definition", process_id=f"office_{process}")[-1]["id"])


def replaced(*pairs: tuple[str, str]) -> Edit:
    def edit(text: str) -> str:
        for old, new in pairs:
            assert old in text, old
            text = text.replace(old, new)
        return text

    return edit


def seen(world: World, person: str) -> Any:
    return world.engine.viewer(person)


def preview(world: World, source: int, target: int, **places: Place) -> Any:
    return world.engine.moving.preview(seen(world, ONE), source, target, places)


def propose(world: World, source: int, target: int, *cases: int, person: str = ONE, **places: Place) -> int:
    page = world.engine.moving.preview(seen(world, person), source, target, places)
    chosen = {one.case_id: one.digest for one in page.cases if (not cases and one.movable) or one.case_id in cases}
    return world.engine.moving.propose(seen(world, person), source, target, chosen, places, "新しい様式")


def moved(world: World, source: int, target: int, *cases: int, **places: Place) -> Any:
    """Proposed by one, approved by the other."""
    plan = propose(world, source, target, *cases, **places)
    return world.engine.moving.approve(seen(world, TWO), plan)


def lines(one: MovedCase) -> list[tuple[str, str, str]]:
    return [(line.how, line.what, line.name) for line in one.lines]


def kept_rows(world: World, case: int) -> dict[str, Any]:
    """All that a person would miss."""
    tables = (
        "attachment",
        "referral",
        "draft",
        "snooze",
        "task_read",
        "statutory_clock",
        "notice",
        "case_link",
        "ledger_entry",
        "outside_link",
    )
    found: dict[str, Any] = {}
    for name in tables:
        rows = world.rows(name)
        found[name] = [row for row in rows if row.get("case_id", case) == case]
    return found


def state_of(world: World, case: int) -> dict[str, Any]:
    """What must be as before after coming back; numbers of versions go on."""
    row = world.case(case)
    left = {name: row[name] for name in ("definition", "marking", "facts", "title", "owning_unit", "state")}
    tasks = [{k: v for k, v in task.items() if k != "version"} for task in world.rows("task", case_id=case) if task["state"] != "cancelled"]
    jobs = sorted(
        (job["kind"], job["key"], job["run_at"], job["payload"]) for job in world.rows("job", case_id=case) if job["kind"] != "deliver"
    )
    return {"case": left, "tasks": tasks, "jobs": jobs, "clocks": world.rows("statutory_clock", case_id=case),
            "seats": sorted(row["seat"] for row in world.rows("case_seat", case_id=case)),
            "bars": [(row["task_id"], row["person"]) for row in world.rows("bar", case_id=case) if row["lifted_at"] is None]}  # fmt: skip


RENAMED = replaced(('name="左"', 'name="左の確認"'))


# ---------------------------------------------------------------- nothing is lost


def test_a_moved_case_keeps_its_steps_with_all_that_belongs_to_them(place: World) -> None:
    old = version(place, "parallel")
    case = place.start("parallel", amount=1)
    left = place.task(case, "left")
    with place.acting(MANAGER) as work:
        work.claim(left["id"])
        work.attach(case, "memo.txt", b"memo")
        work.note(case, "メモ")
        work.consult(case, DIVISION, "これでよいか")
    manager = place.viewer(MANAGER)
    place.engine.save_draft(manager, f"task:{left['id']}", {"left_note": "書きかけ"})
    place.engine.snooze(manager, left["id"], MONDAY + timedelta(days=1))
    place.clock.advance(minutes=30)
    before, rows, due = kept_rows(place, case), place.rows("task", case_id=case), place.rows("job", case_id=case, kind="rung")
    new = version(place, "parallel", RENAMED)
    page = moved(place, old, new)
    assert [(one.state, one.why) for one in page.cases] == [("moved", "")]
    assert place.case(case)["definition"] == new
    assert kept_rows(place, case) == before
    after = place.rows("task", case_id=case)
    told = {"name": "左の確認", "version": left["version"] + 2}
    assert after == [{**row, **(told if row["id"] == left["id"] else {})} for row in rows], "row, claim, opening, due instant"
    assert place.rows("job", case_id=case, kind="rung") == due
    place.complete(case, "left", amount=2)
    place.complete(case, "right")
    assert place.case(case)["outcome"] == "両方済み"
    assert place.engine.verify_history() == ()


def test_the_record_says_who_moved_it_from_where_to_where(place: World) -> None:
    old, case = version(place, "parallel"), place.start("parallel", amount=1)
    new = version(place, "parallel", RENAMED)
    plan = moved(place, old, new).plan.id
    (entry,) = place.history(case, "case.moved")
    assert (entry["person"], entry["definition"], entry["seat"]) == (TWO, new, GENERAL)
    said = entry["data"]
    assert (said["from"], said["to"], said["plan"], said["proposed_by"], said["mapping"]) == (1, 2, plan, ONE, {})
    page = place.engine.case(place.engine.viewer(place.person(STAFF)), case)
    assert [event.text for event in page.timeline][-1] == f"手続の第1版から第2版へ移しました（計画{plan}）"
    record = [one.text for one in place.engine.versions.events(seen(place, ONE), "office_parallel")][:2]
    assert record == [
        f"計画{plan}を承認しました：手続「手続」の案件を第1版から第2版へ",
        f"手続「手続」の進行中の案件1件を、第1版から第2版へ移すことを提案しました（計画{plan}）",
    ]


def test_a_step_that_is_another_seats_now_goes_there_and_its_claim_with_it(place: World) -> None:
    old, case = version(place, "parallel"), place.start("parallel", amount=1)
    left = place.task(case, "left")
    with place.acting(MANAGER) as work:
        work.claim(left["id"])
    new = version(
        place, "parallel",
        lambda text: text.replace('id="left" name="左" camunda:candidateGroups="protection_manager@owning_unit"',
                                  'id="left" name="左" camunda:candidateGroups="audit_officer@organisation"'),
    )  # fmt: skip
    (one,) = preview(place, old, new).cases
    (changed,) = [line for line in one.lines if line.how == "changed"]
    assert changed.changes == (("担当", "第一課 保護管理者", "試験庁 監査責任者"),)
    moved(place, old, new)
    row = place.task(case, "left")
    assert (row["id"], row["seat"], row["claimed_by"], row["due_at"]) == (left["id"], AUDITOR, None, left["due_at"])
    assert place.notices(place.person(AUDITOR), template="task_moved")
    place.complete(case, "left", seat=AUDITOR)
    with pytest.raises((AlreadyDone, NotYourTask, TaskNotFound)), place.acting(MANAGER) as work:
        work.claim(left["id"])


def test_a_due_instant_changes_only_where_its_rule_does_and_counts_from_the_opening(place: World) -> None:
    old, case = version(place, "parallel"), place.start("parallel", amount=1)
    opened = place.clock.now()
    place.clock.advance(minutes=90)
    new = version(place, "parallel", lambda text: text.replace('name="urgency" value="promptly"', 'name="urgency" value="at_once"'))
    (one,) = preview(place, old, new).cases
    (changed,) = [line for line in one.lines if line.how == "changed"]
    assert (changed.name, changed.changes[0][0]) == ("右", "期限")
    assert changed.changes[0][2] == "2026年11月16日（月） 13:00（目安）"
    moved(place, old, new)
    row = place.task(case, "right")
    assert (row["due_at"], row["urgency"], row["opened_at"]) == (opened + timedelta(hours=3), "at_once", opened)
    rungs = {
        job["key"]: job["run_at"] for job in place.rows("job", case_id=case, kind="rung") if job["key"].startswith(f"task:{row['id']}:")
    }
    assert rungs == {f"task:{row['id']}:rung:1": opened + timedelta(hours=3)}, "the first rung is past and tells nobody"


def test_timers_stay_unless_they_were_changed_and_count_from_when_they_began(place: World) -> None:
    old, case = version(place, "deadline"), place.start("deadline")
    opened = place.clock.now()
    place.clock.advance(hours=1)
    same = version(place, "deadline", replaced(('name="作業"', 'name="作業の確認"')))
    assert ("kept", "時間", "too_late") in lines(preview(place, old, same).cases[0])
    moved(place, old, same)
    (timer,) = place.rows("job", case_id=case, kind="timer")
    assert timer["run_at"] == opened + timedelta(hours=2)
    longer = version(place, "deadline", replaced(("PT2H", "PT5H")))
    moved(place, same, longer)
    (timer,) = place.rows("job", case_id=case, kind="timer")
    assert timer["run_at"] == opened + timedelta(hours=5)
    place.pass_time(hours=5)
    assert place.waits(case) == ["take_over"]


def test_a_timer_under_another_id_goes_on_running(place: World) -> None:
    old, case = version(place, "deadline"), place.start("deadline")
    (before,) = place.rows("job", case_id=case, kind="timer")
    new = version(place, "deadline", replaced(('"too_late"', '"over"'), ('"work"', '"labour"')))
    plan = moved(place, old, new).plan.id
    (timer,) = place.rows("job", case_id=case, kind="timer")
    assert timer["run_at"] == before["run_at"] and timer["key"] == before["key"].replace("too_late", "over")
    place.engine.moving.undo(seen(place, ONE), plan, case)
    assert [row["key"] for row in place.rows("job", case_id=case, kind="timer")] == [before["key"]]
    moved(place, old, new)
    place.pass_time(hours=2)
    assert place.waits(case) == ["take_over"]


def test_work_that_stopped_goes_on_by_the_version_that_mends_it(place: World) -> None:
    def calling(before: str, expression: str) -> Edit:
        work = (
            f'<bpmn:serviceTask id="reckon" name="計算" camunda:expression="{expression}"/>'
            '<bpmn:sequenceFlow id="reckon_on" sourceRef="reckon" targetRef="take_over"/>'
        )
        flow = 'sourceRef="too_late" targetRef="take_over"'
        if before:
            return replaced((before, expression))
        return replaced((flow, 'sourceRef="too_late" targetRef="reckon"'), ("</bpmn:process>", f"{work}</bpmn:process>"))

    broken = version(place, "deadline", calling("", "1 + item_summary"))
    case = place.start("deadline")
    place.pass_time(hours=2)
    (stopped,) = place.engine.stopped(None)
    assert stopped.step == "計算" and place.waits(case) == []
    mended = version(place, "deadline", calling("1 + item_summary", "1 + 1"))
    assert [one.state for one in moved(place, broken, mended).cases] == ["moved"]
    assert len(place.engine.stopped(None)) == 1, "it is tried again when that is due"
    place.pass_time(minutes=2)
    assert place.engine.stopped(None) == () and place.waits(case) == ["take_over"]


def test_a_timer_that_is_past_by_the_new_rule_happens_at_once_and_the_preview_says_so(place: World) -> None:
    old, case = version(place, "deadline"), place.start("deadline")
    place.clock.advance(hours=1)
    new = version(place, "deadline", replaced(("PT2H", "PT30M")))
    (line,) = [line for line in preview(place, old, new).cases[0].lines if line.what == "時間"]
    assert line.due.endswith("（すぐに起きます）")
    moved(place, old, new)
    place.run()
    assert place.waits(case) == ["take_over"]


def test_statutory_clocks_are_not_touched(place: World) -> None:
    old = version(place, "clock")
    case = place.start("clock", known_at="2026-11-16T09:00", duty="yes", report_days=5)
    clocks, due = place.rows("statutory_clock", case_id=case), place.task(case, "prepare")["due_at"]
    place.clock.advance(days=1)
    new = version(place, "clock", replaced(('name="報告の作成"', 'name="報告書の作成"')))
    moved(place, old, new)
    assert place.rows("statutory_clock", case_id=case) == clocks
    row = place.task(case, "prepare")
    assert (row["due_at"], row["statutory"], row["name"]) == (due, True, "報告書の作成")
    place.act(case, "amend", report_days=9)
    assert place.task(case, "prepare")["due_at"] > due, "and go on running by the facts"


def test_steps_come_and_go_as_somebody_says(place: World) -> None:
    old, case = version(place, "approval"), place.start("approval", amount=1)
    place.complete(case, "review", opinion="よい", needs_fix=True)
    assert place.waits(case) == ["fix"]
    new = version(place, "approval", without_fix)
    page = preview(place, old, new)
    (one,), (asked,) = page.cases, page.asked
    assert one.obstacles == (("補正", "新しい図に、この要素にあたるものがありません。"),)
    assert (asked.id, asked.cases, asked.said) == ("fix", 1, None)
    assert set(asked.anew) == {("review", "審査"), ("approve", "承認")} and asked.same == ()
    with pytest.raises(PlanRefused, match="そのままでは移せません"):
        propose(place, old, new, case)
    instead = Place("review", anew=True)
    (one,) = preview(place, old, new, fix=instead).cases
    assert sorted(lines(one)) == [("gained", "処理", "審査"), ("lost", "処理", "補正")]
    told = len(place.notices(place.person(MANAGER), template="task_opened"))
    moved(place, old, new, fix=instead)
    assert place.waits(case) == ["review"]
    assert [row["state"] for row in place.rows("task", case_id=case, node="fix")] == ["cancelled"]
    assert len(place.notices(place.person(MANAGER), template="task_opened")) == told + 1
    fixed = next(row for row in place.rows("task", case_id=case, node="fix"))
    page = place.engine.task(place.engine.viewer(place.person(STAFF)), fixed["id"])
    assert page.row.step == "補正", "what was there before can still be read"


def without_fix(text: str) -> str:
    for id in ("fix", "enough_fix", "fix_review"):
        text = re.sub(rf'<bpmn:(\w+) id="{id}"(?:[^>]*/>|.*?</bpmn:\1>)', "", text, count=1, flags=re.DOTALL)
    return text.replace('value="review,fix"', 'value="review"')


def test_an_element_with_another_id_keeps_its_step_and_who_did_it_may_still_not_do_the_next(place: World) -> None:
    old, waiting, done = version(place, "approval"), place.start("approval", amount=1), place.start("approval", amount=2)
    place.appoint("both.roles", MANAGER)
    place.appoint("both.roles", DIVISION)
    row = place.task(waiting, "review")
    with place.engine.work(by="both.roles", seat=MANAGER) as work:
        work.complete(place.task(done, "review")["id"], {"opinion": "よい"})
    new = version(place, "approval", other_ids)
    assert dict(preview(place, old, new).renamed)["review"] == "assess"
    moved(place, old, new)
    kept = place.task(waiting, "assess")
    assert (kept["id"], kept["opened_at"], kept["due_at"]) == (row["id"], row["opened_at"], row["due_at"])
    with pytest.raises(SamePerson), place.engine.work(by="both.roles", seat=DIVISION) as work:
        work.complete(place.task(done, "approve")["id"], {"verdict": "granted"})
    place.complete(waiting, "assess", opinion="よい")
    place.complete(waiting, "approve", verdict="granted")
    assert place.case(waiting)["outcome"] == "承認済み"


def other_ids(text: str) -> str:
    for mark in ('id="{}"', 'sourceRef="{}"', 'targetRef="{}"'):
        text = text.replace(mark.format("review"), mark.format("assess"))
    return text.replace('value="review,apply"', 'value="assess,apply"').replace('value="review,fix"', 'value="assess,fix"')


def test_an_action_that_was_done_under_another_id_keeps_the_case_where_its_record_is(place: World) -> None:
    old = version(place, "clock")
    cases = [place.start("clock", known_at="2026-11-16T09:00", duty="yes", report_days=5) for _ in range(2)]
    place.act(cases[0], "amend", amount=3)
    new = version(
        place,
        "clock",
        lambda text: text.replace('<bpmn:startEvent id="amend"', '<bpmn:startEvent id="change"').replace(
            'sourceRef="amend"', 'sourceRef="change"'
        ),
    )
    found = {one.case_id: one for one in preview(place, old, new).cases}
    assert "前のIDでの記録" in found[cases[0]].obstacles[0][1]
    assert found[cases[1]].movable


def test_repeated_steps_keep_their_rows_and_answers(place: World) -> None:
    old = version(place, "many")
    case = place.start("many", persons=[{"label": "甲"}, {"label": "乙"}, {"label": "丙"}])
    place.complete(case, "ask", answer="はい")
    rows = [(row["id"], row["name"]) for row in place.rows("task", case_id=case, state="open")]
    new = version(place, "many", replaced(('name="照会"', 'name="聴取り"')))
    moved(place, old, new)
    assert [(row["id"], row["name"]) for row in place.rows("task", case_id=case, state="open")] == [
        (id, name.replace("照会", "聴取り")) for id, name in rows
    ]
    place.complete(case, "ask", answer="いいえ")
    place.complete(case, "ask", answer="はい")
    assert [one["answer"] for one in place.facts(case)["ask"]] == ["はい", "いいえ", "はい"]
    assert place.case(case)["state"] == "closed"


def test_people_kept_from_a_step_follow_what_the_new_version_says(place: World) -> None:
    old, case = version(place, "approval"), place.start("approval", amount=1)
    place.appoint("both.roles", MANAGER)
    place.appoint("both.roles", DIVISION)
    with place.engine.work(by="both.roles", seat=MANAGER) as work:
        work.complete(place.task(case, "review")["id"], {"opinion": "よい"})
    barred = [row["person"] for row in place.rows("bar", case_id=case) if row["lifted_at"] is None]
    assert barred == ["both.roles"]
    new = version(
        place, "approval", replaced(('name="not_same_person_as" value="review,apply"', 'name="not_same_person_as" value="apply"'))
    )
    moved(place, old, new)
    assert [row["person"] for row in place.rows("bar", case_id=case) if row["lifted_at"] is None] == []
    with place.engine.work(by="both.roles", seat=DIVISION) as work:
        work.complete(place.task(case, "approve")["id"], {"verdict": "granted"})


LABEL = 'id="borrower" label="借りた人" type="people">'
NAMED = (LABEL, LABEL + '<camunda:properties><camunda:property id="named" value="true"/></camunda:properties>')


def test_people_whom_a_field_of_the_new_version_names_take_no_part_from_then_on(place: World) -> None:
    old, case = version(place, "lend"), place.start("lend", medium="USB", borrower="staff.b")
    before = state_of(place, case)
    plan = moved(place, old, version(place, "lend", replaced(NAMED))).plan.id
    assert [row["person"] for row in place.rows("bar", case_id=case) if row["lifted_at"] is None] == ["staff.b"]
    assert place.engine.viewer("staff.b").barred_cases == {case}
    place.engine.moving.undo(seen(place, ONE), plan, case)
    assert state_of(place, case) == before


def test_nobody_moves_a_case_that_is_about_himself(place: World) -> None:
    old = version(place, "lend", replaced(NAMED))
    mine, other = place.start("lend", medium="USB", borrower=TWO), place.start("lend", medium="USB", borrower="staff.b")
    new = version(place, "lend", replaced(('name="返却の確認"', 'name="返却"')))
    assert [one.case_id for one in place.engine.moving.preview(seen(place, TWO), old, new).cases] == [other]
    page = moved(place, old, new)
    assert [(one.case_id, one.state) for one in page.cases] == [(other, "moved")], "nor is he shown it"
    told = place.engine.moving.plan(seen(place, ONE), page.plan.id).cases
    assert [(one.case_id, one.state) for one in told] == [(mine, "failed"), (other, "moved")]
    assert place.case(mine)["definition"] == old


def test_dates_that_the_new_tables_reckon_otherwise_are_shown_before_and_come_back(tmp_path: Path) -> None:
    folder = tmp_path / "bpmn"
    shutil.copytree(ROOT / "bpmn", folder)
    place = make_world(tmp_path, isa=True, bpmn=folder)
    for person in (ONE, TWO):
        place.appoint(person, f"{place.engine.organisation('isa').rules.deployers[0]}@isa")
    known = MONDAY - timedelta(hours=1)
    with place.engine.work(by="staff.osaka_inspection") as work:
        case = work.start("isa_incident", {
            "item_summary": "別人に話した", "known_at": known.isoformat(), "occurred_at": known.isoformat(), "owning_unit": "osaka_inspection",
            "event": "leak", "holds": ["pi"], "count": "1", "sensitive": "yes", "malicious": "no", "encrypted": "no",
        })  # fmt: skip
    place.complete(case, "contain_at_once", containment_done=["silence"], containment_note="依頼した", recovered_unseen="no")
    before, clocks = state_of(place, case), {row["clock"]: row["due_on"] for row in place.rows("statutory_clock", case_id=case)}
    old = place.case(case)["definition"]
    file = folder / "isa" / "duties.dmn"
    text = file.read_text("utf-8")
    assert text.count("<text>30</text>") == 1
    file.write_text(text.replace("<text>30</text>", "<text>20</text>"), "utf-8")
    place.engine.deploy("isa", ONE)
    new = place.rows("definition", process_id="isa_incident")[-1]["id"]
    (one,) = preview(place, old, new).cases
    told = {(line.what, line.name): line.changes for line in one.lines if line.what in ("法令上の期限", "判定")}
    assert told.keys() == {("法令上の期限", "確報"), ("判定", "確報の日数")} and told["法令上の期限", "確報"][0][0] == "期限"
    plan = moved(place, old, new).plan.id
    after = {row["clock"]: row["due_on"] for row in place.rows("statutory_clock", case_id=case)}
    assert after["final_report"] < clocks["final_report"] and after["preliminary_report"] == clocks["preliminary_report"]
    assert place.history(case, "clock.changed")[-1]["data"]["because"] == ["kakuho_days"]
    place.engine.moving.undo(seen(place, ONE), plan, case)
    assert state_of(place, case) == before
    assert place.engine.verify_history() == ()
    place.engine.close()


# ---------------------------------------------------------------- two persons


def test_nobody_approves_what_he_proposed(place: World) -> None:
    old, case = version(place, "parallel"), place.start("parallel", amount=1)
    plan = propose(place, old, version(place, "parallel", RENAMED))
    desk = place.engine.moving
    assert "ほかの人" in desk.plan(seen(place, ONE), plan).why_not
    for act in (lambda: desk.approve(seen(place, ONE), plan), lambda: desk.refuse(seen(place, ONE), plan, "誤り")):
        with pytest.raises(SamePerson):
            act()
    refused = [json.loads(row["data"]) for row in place.rows("history", tag="attempt.refused")]
    assert [(one["attempt"]["verb"], one["error"]) for one in refused] == [("approve_move", "SamePerson"), ("refuse_move", "SamePerson")]
    assert place.case(case)["definition"] == old


def test_only_designers_propose_and_approve_and_only_for_their_own_office(place: World) -> None:
    old, _case = version(place, "parallel"), place.start("parallel", amount=1)
    new = version(place, "parallel", RENAMED)
    plan, desk = propose(place, old, new), place.engine.moving
    place.engine.personnel.register_deputy(
        place.viewer(GENERAL), ONE, "staff.a", seat=GENERAL, kind="substitute", valid_from=MONDAY.date(), valid_to=None, basis="不在"
    )
    for person in (place.person(AUDITOR), "staff.a"):
        stranger = seen(place, person)
        for act in (
            lambda who=stranger: desk.preview(who, old, new),
            lambda who=stranger: desk.propose(who, old, new, {1: ""}),
            lambda who=stranger: desk.plan(who, plan),
            lambda who=stranger: desk.plans(who, "office_parallel"),
            lambda who=stranger: desk.approve(who, plan),
            lambda who=stranger: desk.refuse(who, plan, "理由"),
            lambda who=stranger: desk.withdraw(who, plan),
            lambda who=stranger: desk.carry_on(who, plan),
            lambda who=stranger: desk.undo(who, plan, 1),
        ):
            with pytest.raises(NotAllowed):
                act()
    other = seen(place, "general_protection_manager.elsewhere.elsewhere")
    with pytest.raises(VersionNotFound):
        desk.preview(other, old, new)
    for wrong in (desk.plan, desk.approve, desk.withdraw, desk.carry_on):
        with pytest.raises(PlanNotFound):
            wrong(other, plan)
    assert desk.plans(other, "office_parallel") == ()


def test_a_plan_is_decided_once(place: World) -> None:
    old, case = version(place, "parallel"), place.start("parallel", amount=1)
    new, desk = version(place, "parallel", RENAMED), place.engine.moving
    plan = propose(place, old, new)
    with pytest.raises(NotAllowed):
        desk.withdraw(seen(place, TWO), plan)
    desk.withdraw(seen(place, ONE), plan)
    with pytest.raises(PlanClosed):
        desk.approve(seen(place, TWO), plan)
    with pytest.raises(PlanClosed):
        desk.carry_on(seen(place, TWO), plan)
    plan = propose(place, old, new)
    with pytest.raises(PlanRefused, match="理由"):
        desk.refuse(seen(place, TWO), plan, "　")
    desk.refuse(seen(place, TWO), plan, "様式が決まってから")
    with pytest.raises(PlanClosed):
        desk.approve(seen(place, TWO), plan)
    assert place.case(case)["definition"] == old
    assert [(one.state, one.comment) for one in desk.plans(seen(place, ONE), "office_parallel")] == [
        ("refused", "様式が決まってから"), ("withdrawn", "")
    ]  # fmt: skip


def test_two_who_approve_at_once_move_each_case_once(place: World) -> None:
    old, cases = version(place, "parallel"), [place.start("parallel", amount=1) for _ in range(3)]
    plan = propose(place, old, version(place, "parallel", RENAMED))
    place.appoint("designer.three", GENERAL)
    viewers = [seen(place, TWO), seen(place, "designer.three")]
    results = in_threads(2, lambda n: place.engine.moving.approve(viewers[n], plan))
    assert sum(isinstance(one, PlanClosed) for one in results) == 1, results
    assert [len(place.history(case, "case.moved")) for case in cases] == [1, 1, 1]
    assert place.engine.verify_history() == ()


# ---------------------------------------------------------------- what was looked at is what happens


def test_a_case_that_went_on_is_not_moved_otherwise_than_was_looked_at(place: World) -> None:
    old, went, stayed = version(place, "parallel"), place.start("parallel", amount=1), place.start("parallel", amount=1)
    plan = propose(place, old, version(place, "parallel", RENAMED))
    place.complete(went, "left")
    page = place.engine.moving.plan(seen(place, TWO), plan)
    assert {one.case_id: one.outdated for one in page.cases} == {went: True, stayed: False}
    page = place.engine.moving.approve(seen(place, TWO), plan)
    assert {one.case_id: one.state for one in page.cases} == {went: "failed", stayed: "moved"}
    assert "案件が進み" in next(one.why for one in page.cases if one.case_id == went)
    assert place.case(went)["definition"] == old and place.history(went, "case.moved") == []
    assert [row["data"]["error"] for row in place.history(went, "attempt.refused")] == ["MoveOutdated"]


def test_what_changes_nothing_of_the_outcome_does_not_hinder(place: World) -> None:
    old, case = version(place, "parallel"), place.start("parallel", amount=1)
    plan = propose(place, old, version(place, "parallel", RENAMED))
    with place.acting(MANAGER) as work:
        work.claim(place.task(case, "left")["id"])
        work.note(case, "ついでに")
    place.clock.advance(days=2)
    place.run()
    assert [one.state for one in place.engine.moving.approve(seen(place, TWO), plan).cases] == ["moved"]


def test_a_case_that_has_ended_or_was_moved_meanwhile_is_told(place: World) -> None:
    old, ended, gone = version(place, "parallel"), place.start("parallel", amount=1), place.start("parallel", amount=1)
    new = version(place, "parallel", RENAMED)
    first, second = propose(place, old, new), propose(place, old, new, gone)
    place.complete(ended, "left")
    place.complete(ended, "right")
    place.engine.moving.approve(seen(place, TWO), second)
    page = place.engine.moving.approve(seen(place, TWO), first)
    assert {one.case_id: one.why for one in page.cases} == {
        ended: CaseClosed().text, gone: "計画を確かめた後に案件が進み、移した結果が変わりました。もう一度計画してください。"
    }  # fmt: skip


def test_only_what_was_seen_is_proposed(place: World) -> None:
    old, case = version(place, "parallel"), place.start("parallel", amount=1)
    new, desk = version(place, "parallel", RENAMED), place.engine.moving
    digest = preview(place, old, new).cases[0].digest
    for chosen, told in (({}, "選んで"), ({case: "x"}, "案件が進み"), ({case + 1: digest}, "進行していません")):
        with pytest.raises(PlanRefused, match=told):
            desk.propose(seen(place, ONE), old, new, chosen)
    with pytest.raises(PlanRefused, match="別の2つの版"):
        desk.preview(seen(place, ONE), old, old)
    with pytest.raises(PlanRefused, match="同じ手続"):
        desk.preview(seen(place, ONE), old, version(place, "clock"))
    assert place.rows("case_move") == []


def test_a_failing_case_stays_as_it_was_and_the_others_are_moved(place: World) -> None:
    old, broken, fine = version(place, "parallel"), place.start("parallel", amount=1), place.start("parallel", amount=1)
    plan = propose(place, old, version(place, "parallel", RENAMED))
    before = {**state_of(place, broken), "chain": place.case(broken)["history_digest"], "notices": place.rows("notice", case_id=broken)}
    save = TransferWriter.save

    def fails(self: Any, case: Any, move: Any, marking: Any) -> None:
        save(self, case, move, marking)
        if case.id == broken:
            raise RuntimeError("disk")

    with patch.object(TransferWriter, "save", fails):
        page = place.engine.moving.approve(seen(place, TWO), plan)
    assert {one.case_id: one.state for one in page.cases} == {broken: "failed", fine: "moved"}
    assert "RuntimeError" in page.cases[0].why and "disk" not in page.cases[0].why
    assert {
        **state_of(place, broken),
        "chain": place.case(broken)["history_digest"],
        "notices": place.rows("notice", case_id=broken),
    } == before


def test_an_approval_that_was_cut_off_is_carried_on(place: World) -> None:
    old, cases = version(place, "parallel"), [place.start("parallel", amount=1) for _ in range(3)]
    plan, desk = propose(place, old, version(place, "parallel", RENAMED)), place.engine.moving
    one = type(desk)._one

    def dies(self: Any, viewer: Any, plan_id: int, case_id: int, told: Mapping[str, Any]) -> None:
        if case_id != cases[0]:
            raise KeyboardInterrupt
        one(self, viewer, plan_id, case_id, told)

    with patch.object(type(desk), "_one", dies), pytest.raises(KeyboardInterrupt):
        desk.approve(seen(place, TWO), plan)
    assert desk.plan(seen(place, TWO), plan).plan.left == 2
    desk.carry_on(seen(place, TWO), plan)
    assert [place.case(case)["definition"] != old for case in cases] == [True] * 3
    assert [len(place.history(case, "case.moved")) for case in cases] == [1] * 3


def test_a_version_to_come_takes_no_cases(place: World) -> None:
    old, _case = version(place, "parallel"), place.start("parallel", amount=1)
    new = version(place, "parallel", RENAMED)
    place.clock.set(MONDAY - timedelta(hours=1))
    with pytest.raises(PlanRefused, match="まだ施行されていない"):
        preview(place, old, new)


# ---------------------------------------------------------------- what it would cause


def test_a_condition_that_holds_already_happens_at_once_and_was_foretold(place: World) -> None:
    old, case = version(place, "parallel"), place.start("parallel", amount=5)
    new = version(place, "parallel", with_condition("amount &gt; 3"))
    (one,) = preview(place, old, new).cases
    assert ("happens", "進む要素", "多額") in lines(one) and ("gained", "処理", "上申") in lines(one)
    assert ("lost", "処理", "左") in lines(one)
    moved(place, old, new)
    assert place.waits(case) == ["report", "right"]


def with_condition(text: str) -> Edit:
    more = (
        '<bpmn:boundaryEvent id="large" name="多額" attachedToRef="left"><bpmn:conditionalEventDefinition id="large_c">'
        f"<bpmn:condition>{text}</bpmn:condition></bpmn:conditionalEventDefinition></bpmn:boundaryEvent>"
        '<bpmn:userTask id="report" name="上申" camunda:candidateGroups="general_protection_manager@organisation"/>'
        '<bpmn:sequenceFlow id="large_report" sourceRef="large" targetRef="report"/>'
        '<bpmn:sequenceFlow id="report_join" sourceRef="report" targetRef="join2"/>'
        '<bpmn:exclusiveGateway id="join2"/><bpmn:sequenceFlow id="join2_join" sourceRef="join2" targetRef="join"/>'
    )
    return lambda xml: xml.replace(
        'id="left_join" sourceRef="left" targetRef="join"', 'id="left_join" sourceRef="left" targetRef="join2"'
    ).replace("</bpmn:process>", f"{more}</bpmn:process>")


def test_a_case_is_not_ended_by_moving_it(place: World) -> None:
    old, case = version(place, "cycle"), place.start("cycle")
    over = (
        '<bpmn:boundaryEvent id="over" attachedToRef="work"><bpmn:conditionalEventDefinition id="over_c"><bpmn:condition>known(item_summary)'
        "</bpmn:condition></bpmn:conditionalEventDefinition></bpmn:boundaryEvent>"
        '<bpmn:sequenceFlow id="over_done" sourceRef="over" targetRef="done"/>'
    )
    new = version(place, "cycle", replaced(("</bpmn:process>", f"{over}</bpmn:process>")))
    (one,) = preview(place, old, new).cases
    assert one.obstacles == (("", "移すと案件が終わってしまいます。"),)
    assert place.case(case)["state"] == "open"


# ---------------------------------------------------------------- back


def moved_all_ways(world: World) -> tuple[int, int, dict[str, Any]]:
    """A case of which a step went and another came: the case, the plan, and how it was before."""
    old, case = version(world, "approval"), world.start("approval", amount=1)
    world.complete(case, "review", opinion="よい", needs_fix=True)
    new = version(world, "approval", without_fix)
    before = state_of(world, case)
    page = moved(world, old, new, fix=Place("review", anew=True))
    assert page.cases[0].why_not_undo == ""
    return case, page.plan.id, before


def test_a_moved_case_goes_back_exactly_as_it_was(place: World) -> None:
    case, plan, before = moved_all_ways(place)
    place.engine.moving.undo(seen(place, ONE), plan, case)
    assert state_of(place, case) == before, "its version among it"
    assert place.waits(case) == ["fix"]
    assert [entry["data"]["from"] for entry in place.history(case, "case.move_undone")] == [1]
    assert place.engine.verify_history() == ()
    assert [one.state for one in place.engine.moving.plan(seen(place, ONE), plan).cases] == ["undone"]
    place.complete(case, "fix", amount=9)
    assert place.waits(case) == ["review"]
    with pytest.raises(PlanClosed):
        place.engine.moving.undo(seen(place, ONE), plan, case)


def test_clocks_timers_and_seats_come_back_too(place: World) -> None:
    old = version(place, "clock")
    case = place.start("clock", known_at="2026-11-16T09:00", duty="yes", report_days=5)
    before = state_of(place, case)
    seat = 'name="報告の作成" camunda:candidateGroups="{}"'.format
    new = version(
        place, "clock", replaced((seat("protection_manager@owning_unit"), seat("audit_officer@organisation")), (DUE, "known_at"))
    )  # fmt: skip
    plan = moved(place, old, new).plan.id
    assert place.task(case, "prepare")["seat"] == AUDITOR
    assert state_of(place, case) != before
    place.engine.moving.undo(seen(place, TWO), plan, case)
    assert state_of(place, case) == before


@pytest.mark.parametrize("what", ["complete", "claim", "note", "time"])
def test_after_anything_has_happened_nothing_is_undone(place: World, what: str) -> None:
    case, plan, _before = moved_all_ways(place)
    row = place.task(case, "review")
    if what == "time":
        place.pass_time(days=3)
    else:
        with place.acting(MANAGER) as work:
            if what == "complete":
                work.complete(row["id"], {"opinion": "よい"})
            elif what == "claim":
                work.claim(row["id"])
            else:
                work.note(case, "見た")
    before = state_of(place, case)
    assert place.engine.moving.plan(seen(place, ONE), plan).cases[0].why_not_undo
    with pytest.raises(UndoRefused):
        place.engine.moving.undo(seen(place, ONE), plan, case)
    assert state_of(place, case) == before
    assert [one.state for one in place.engine.moving.plan(seen(place, ONE), plan).cases] == ["moved"]


def test_what_the_move_did_by_itself_cannot_be_taken_back(place: World) -> None:
    old, case = version(place, "parallel"), place.start("parallel", amount=5)

    def edit(text: str) -> str:
        text = with_condition("amount &gt; 3")(text)
        tell = (
            '<bpmn:sendTask id="tell" name="知らせ" camunda:topic="notify"><bpmn:extensionElements><camunda:properties>'
            '<camunda:property name="to" value="general_protection_manager@organisation"/></camunda:properties></bpmn:extensionElements></bpmn:sendTask>'
            '<bpmn:sequenceFlow id="tell_report" sourceRef="tell" targetRef="report"/>'
        )
        return text.replace('sourceRef="large" targetRef="report"', 'sourceRef="large" targetRef="tell"').replace(
            "</bpmn:process>", f"{tell}</bpmn:process>"
        )

    plan = moved(place, old, version(place, "parallel", edit)).plan.id
    assert place.notices(place.person(GENERAL), case_id=case)
    assert "自動処理" in place.engine.moving.plan(seen(place, ONE), plan).cases[0].why_not_undo
    with pytest.raises(UndoRefused):
        place.engine.moving.undo(seen(place, ONE), plan, case)


def test_a_review_that_went_on_without_its_reviewer_cannot_be_taken_back(place: World) -> None:
    old, case = version(place, "approval"), place.start("approval", amount=1)
    place.complete(case, "review", opinion="よい", needs_fix=True)
    today = place.clock.now().date()
    manager = place.viewer(MANAGER)
    place.engine.personnel.register_absence(manager, manager.person, valid_from=today, valid_to=today, reason="leave")

    clause = '<camunda:property name="clause" value="C-2"/>'
    passed = (
        '<camunda:property name="passed_over" value="opinion=\'なし\', why_y=\'なし\'"/><camunda:property name="records" value="none"/>'
    )

    def edit(text: str) -> str:
        return replaced((clause, clause + passed))(without_fix(text))

    page = moved(place, old, version(place, "approval", edit), fix=Place("review", anew=True))
    assert place.waits(case) == ["approve"] and page.cases[0].state == "moved"
    assert "自動処理" in page.cases[0].why_not_undo
    with pytest.raises(UndoRefused):
        place.engine.moving.undo(seen(place, ONE), page.plan.id, case)


def test_to_an_identical_version_and_back_nothing_changes(place: World) -> None:
    old, case = version(place, "clock"), place.start("clock", known_at="2026-11-16T09:00", duty="yes", report_days=5)
    before = state_of(place, case)
    new = version(place, "clock", lambda text: text.replace("</bpmn:process>", "<!-- the same --></bpmn:process>"))
    (one,) = preview(place, old, new).cases
    assert {line.how for line in one.lines} == {"kept"}
    moved(place, old, new)
    here = state_of(place, case)
    assert Marking.load(here["case"].pop("marking")) == Marking.load(before["case"]["marking"])
    assert here["case"].pop("definition") == new
    assert {**here, "case": None} == {**before, "case": None}
    moved(place, new, old)
    assert state_of(place, case) == before
