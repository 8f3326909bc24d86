"""Due work: reminders, escalations, statutory clocks and timers, each once and at its instant, whatever workers do."""

from __future__ import annotations

import json
from datetime import date, datetime, timedelta
from threading import Event
from typing import Any

import pytest

from engine import CaseNotFound, Engine, SetClock, run_forever
from engine import jobs as jobs_module
from engine.jobs import RETRY_AFTER, run_some
from engine.model import job
from engine.work import Work
from tests.support import DIVISION, GENERAL, JST, MANAGER, MONDAY, OTHER_MANAGER, World, in_threads


def at(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=JST)


def jobs(world: World, case_id: int) -> list[tuple[str, datetime | None]]:
    """Due work of a case, mails left out."""
    rows = [row for row in world.rows("job", case_id=case_id) if row["kind"] != "deliver"]
    return sorted((row["key"], row["run_at"]) for row in rows)


def templates(world: World, person: str) -> list[str]:
    return [row["template"] for row in world.notices(person)]


# ---------------------------------------------------------------- reminders


def test_the_holder_is_reminded_and_the_next_rung_told_at_the_urgencys_instants(both: World) -> None:
    case_id = both.start("approval")
    task = both.task(case_id, "review")["id"]
    assert jobs(both, case_id) == [
        (f"task:{task}:rung:0", MONDAY + timedelta(hours=1)), (f"task:{task}:rung:1", MONDAY + timedelta(hours=3)),
    ]  # fmt: skip
    both.pass_time(minutes=59)
    assert templates(both, "protection_manager.a") == ["task_opened"]
    both.pass_time(minutes=1)
    assert templates(both, "protection_manager.a") == ["task_opened", "remind"]
    with pytest.raises(CaseNotFound):
        both.engine.case(both.viewer(DIVISION), case_id)
    both.pass_time(hours=2)
    assert templates(both, "protection_manager.a") == ["task_opened", "remind", "escalate"]
    assert templates(both, both.person(DIVISION)) == ["escalate"]
    assert both.engine.case(both.viewer(DIVISION), case_id).steps[0].overdue, "who is told can look"
    assert both.engine.inbox(both.viewer(DIVISION)).counts.all == 0, "the duty stays where the clause put it"
    assert [row["tag"] for row in both.history(case_id)][-2:] == ["task.reminded", "task.escalated"]
    assert both.history(case_id)[-1]["data"]["told"] == ["第一課 保護管理者", "北部 部課等保護管理者"]
    assert jobs(both, case_id) == []


def test_promptly_counts_working_days(world: World) -> None:
    friday = at("2026-11-20 15:00")
    world.clock.set(friday)
    case_id = world.start("parallel")
    right = world.task(case_id, "right")["id"]
    due = dict(jobs(world, case_id))
    assert due[f"task:{right}:rung:0"] == at("2026-11-23 15:00")  # this office keeps weekends only
    assert due[f"task:{right}:rung:1"] == at("2026-11-25 15:00")


def test_nothing_is_said_about_a_step_that_is_done(world: World) -> None:
    case_id = world.start("approval")
    world.complete(case_id, "review", opinion="よい")
    world.pass_time(days=1)
    assert templates(world, "protection_manager.a") == ["task_opened"]


def test_a_claimed_step_is_still_reminded(world: World) -> None:
    case_id = world.start("approval")
    with world.acting(MANAGER) as work:
        work.claim(world.task(case_id, "review")["id"])
    world.pass_time(hours=1)
    assert templates(world, "protection_manager.a") == ["task_opened", "remind"]


def test_no_work_is_left_when_a_case_has_ended(both: World) -> None:
    ended = [both.start("approval"), both.start("parallel"), both.start("cycle"), both.start("clock", duty="no")]
    both.complete(ended[0], "review", opinion="よい")
    both.complete(ended[0], "approve", verdict="granted")
    with both.acting("staff@a") as work:
        work.withdraw(ended[1], "やめる")
    both.complete(ended[2], "work")
    both.complete(ended[3], "prepare")
    both.complete(ended[3], "finish", really=True)
    clock = both.start("clock", duty="yes", report_days=30)
    both.complete(clock, "prepare")
    both.complete(clock, "finish", really=True, duty="no")
    for case_id in (*ended, clock):
        assert both.case(case_id)["state"] != "open"
        assert jobs(both, case_id) == []


# ---------------------------------------------------------------- statutory clocks


def clock(world: World, case_id: int) -> dict[str, Any]:
    return world.rows("statutory_clock", case_id=case_id)[0]


def test_a_clock_starts_with_the_report_and_its_step_follows_it(both: World) -> None:
    case_id = both.start("clock", duty="yes", report_days=10, known_at="2026-11-15 23:30")
    row = clock(both, case_id)
    assert (row["started_on"], row["due_on"], row["due_at"]) == (date(2026, 11, 15), date(2026, 11, 24), at("2026-11-25 00:00"))
    task = both.task(case_id, "prepare")
    assert (task["due_at"], task["statutory"]) == (at("2026-11-25 00:00"), True)
    assert [key for key, _ in jobs(both, case_id)] == [
        "clock:report:0",
        "clock:report:1",
        "clock:report:due",
        f"wait:{wait_of(both, case_id)}",
    ]
    started = both.history(case_id, "clock.started")[0]["data"]
    assert (started["clock"], started["days"], started["due_on"]) == ("report", 10, "2026-11-24")


def wait_of(world: World, case_id: int) -> str:
    """The key of the waiting timer."""
    return next(row["key"].removeprefix("wait:") for row in world.rows("job", case_id=case_id, kind="timer"))


def test_a_clock_changes_with_the_facts_and_says_why(both: World) -> None:
    case_id = both.start("clock", duty="yes", report_days=30, known_at="2026-11-16 09:00")
    assert clock(both, case_id)["due_on"] == date(2026, 12, 15)
    both.act(case_id, "amend", report_days=60)
    assert (clock(both, case_id)["days"], clock(both, case_id)["due_on"]) == (60, date(2027, 1, 14))
    both.act(case_id, "amend", report_days=30)
    changed = [row["data"] for row in both.history(case_id, "clock.changed")]
    assert [(row["from"]["days"], row["days"], row["because"]) for row in changed] == [(30, 60, ["report_days"]), (60, 30, ["report_days"])]
    task = both.task(case_id, "prepare")
    assert (task["due_at"], task["statutory"]) == (at("2026-12-16 00:00"), True)
    due = [run_at for key, run_at in jobs(both, case_id) if key.startswith(("clock:report:due", "wait:"))]
    assert due == [at("2026-12-16 00:00")] * 2, "the reminder of the clock and the diagram's timer moved with it, and there is one of each"


def test_a_timer_waits_for_a_clock_that_starts_later(world: World) -> None:
    case_id = world.start("clock", duty="no")
    assert world.rows("job", case_id=case_id, kind="timer") == []
    world.act(case_id, "amend", duty="yes", report_days=10)
    assert world.rows("job", case_id=case_id, kind="timer")[0]["run_at"] == at("2026-11-26 00:00")
    world.act(case_id, "amend", duty="no")
    assert jobs(world, case_id) == []


def test_a_clock_stops_when_the_duty_falls_away_and_starts_again_with_it(both: World) -> None:
    case_id = both.start("clock", duty="yes", report_days=30)
    both.act(case_id, "amend", duty="no")
    assert clock(both, case_id)["stopped_at"] == both.clock.now()
    task = both.task(case_id, "prepare")
    assert not task["statutory"] and task["due_at"].year == 9999
    assert jobs(both, case_id) == []
    both.act(case_id, "amend", duty="review")
    assert clock(both, case_id)["stopped_at"] is None
    assert len(jobs(both, case_id)) == 4
    tags = [row["tag"] for row in both.history(case_id) if row["tag"].startswith("clock.")]
    assert tags == ["clock.started", "clock.stopped", "clock.changed"]


def test_a_clock_is_met_on_the_day_of_submission(both: World) -> None:
    case_id = both.start("clock", duty="yes", report_days=10, known_at="2026-11-16 09:00")
    both.clock.set(at("2026-11-27 10:00"))
    both.complete(case_id, "prepare", reported_on="2026-11-25")
    row = clock(both, case_id)
    assert row["met_at"] == at("2026-11-25 00:00"), "recorded on Friday, submitted on Wednesday"
    assert both.engine.case(both.viewer(MANAGER), case_id).clocks[0].state == "met"
    assert jobs(both, case_id) == []


def test_a_late_submission_is_late(world: World) -> None:
    case_id = world.start("clock", duty="yes", report_days=10, known_at="2026-11-16 09:00")
    world.clock.set(at("2026-11-27 10:00"))
    world.complete(case_id, "prepare", reported_on="2026-11-26")
    assert world.engine.case(world.viewer(MANAGER), case_id).clocks[0].state == "late"


def test_warnings_come_on_their_days_and_once(both: World) -> None:
    case_id = both.start("clock", duty="yes", report_days=10, known_at="2026-11-16 09:00")
    both.pass_time(days=5, hours=22)  # 22 November, 8:00
    assert templates(both, "protection_manager.a") == ["task_opened"]
    both.pass_time(hours=1)
    assert templates(both, "protection_manager.a") == ["task_opened", "clock_warning"]
    both.pass_time(days=20)
    assert templates(both, "protection_manager.a") == ["task_opened", "clock_warning", "clock_warning", "clock_overdue"]
    assert templates(both, both.person(GENERAL)) == ["clock_overdue"], "the diagram's timer fired once, too"
    told = sorted(row["tag"] for row in both.history(case_id) if row["tag"] in ("clock.warned", "clock.overdue", "timer.fired"))
    assert told == ["clock.overdue", "clock.warned", "clock.warned", "timer.fired"]
    assert both.waits(case_id) == ["prepare"]


def test_a_late_entry_does_not_fail_and_tells_at_once(both: World) -> None:
    case_id = both.start("clock", duty="yes", report_days=10, known_at="2026-09-01 09:00")
    shown = both.engine.case(both.viewer(MANAGER), case_id).clocks[0]
    assert (shown.state, shown.due_on) == ("overdue", date(2026, 9, 10))
    assert both.engine.inbox(both.viewer(MANAGER), show="overdue").counts.overdue == 1
    both.run()
    assert templates(both, "protection_manager.a") == ["task_opened", "clock_overdue"], "no warnings about days long past"
    assert templates(both, both.person(GENERAL)) == ["clock_overdue"]
    assert both.run() == 0


def test_a_warning_reaches_somebody_when_no_step_is_open(world: World) -> None:
    from engine.notices import Told

    case_id = world.start("wait", wake_at="2026-12-01 09:00")
    with world.engine.writing() as connection:
        work = world.engine.work_on(connection, "system")
        assert work.seats_to_warn(case_id) == ("person:staff.a",)
        work.tell(case_id, Told("x", "clock_overdue", work.seats_to_warn(case_id), "報告"))
    assert templates(world, "staff.a") == ["clock_overdue"]


def test_transfer_keeps_the_clock_and_moves_the_steps(both: World) -> None:
    both.appoint("second", MANAGER, kind="acting")
    case_id = both.start("clock", duty="yes", report_days=30)
    with both.acting(MANAGER) as work:
        work.claim(both.task(case_id, "prepare")["id"])
    before = clock(both, case_id), jobs(both, case_id)
    both.act(case_id, "transfer", owning_unit="b")
    task = both.task(case_id, "prepare")
    assert (task["seat"], task["unit"], task["claimed_by"]) == (OTHER_MANAGER, "b", None)
    assert (clock(both, case_id), jobs(both, case_id)) == before
    assert both.case(case_id)["owning_unit"] == "b"
    assert templates(both, "protection_manager.b") == ["task_moved"]
    assert both.engine.inbox(both.viewer(OTHER_MANAGER)).counts.all == 1
    assert both.engine.inbox(both.viewer(MANAGER)).counts.all == 0
    second = both.engine.viewer("second")
    with pytest.raises(CaseNotFound):
        both.engine.case(second, case_id)
    assert both.engine.cases(second) == ((), None)
    assert both.engine.case(both.viewer("audit_officer@office"), case_id).head.unit == "b"
    both.complete(case_id, "prepare", reported_on="2026-11-16")
    assert both.case(case_id)["state"] == "open"


def test_the_real_offices_clocks_follow_30_and_60_days_and_100_and_101_persons(isa: World) -> None:
    with isa.engine.work(by="staff.adjudication") as work:
        case_id = work.start("isa_incident", {
            "item_summary": "別人の書類を渡した", "known_at": "2026-11-16 09:30", "owning_unit": "adjudication", "event": "leak", "holds": ["pi"],
            "count": 100, "sensitive": "no", "financial": "no", "malicious": "no", "encrypted": "no",
        })  # fmt: skip

    def clocks() -> dict[str, tuple[int, bool]]:
        return {row["clock"]: (row["days"], row["stopped_at"] is None) for row in isa.rows("statutory_clock", case_id=case_id)}

    def amend(**facts: Any) -> None:
        isa.act(case_id, "amend_facts", "protection_manager@adjudication", amend_reason="調べて分かった", **facts)

    isa.complete(case_id, "contain_at_once", containment_done=["recall"], recovered_unseen="no")
    assert not any(running for _, running in clocks().values()), "a hundred persons, nothing sensitive: no duty under the act"
    amend(count=101)
    assert clocks() == {"preliminary_report": (5, True), "final_report": (30, True)}
    amend(malicious="yes")
    assert clocks()["final_report"] == (60, True)
    amend(malicious="no")
    assert clocks()["final_report"] == (30, True)
    amend(count=100)
    assert not any(running for _, running in clocks().values())
    assert isa.engine.verify_history() == ()


# ---------------------------------------------------------------- timers and workers


def test_an_interrupting_timer_takes_the_step_away_once(both: World) -> None:
    case_id = both.start("deadline")
    task = both.task(case_id, "work")["id"]
    both.pass_time(hours=2)
    assert both.waits(case_id) == ["take_over"]
    assert both.rows("task", id=task)[0]["state"] == "cancelled"
    tags = [row["tag"] for row in both.history(case_id)]
    assert tags.count("timer.fired") == 1 and "task.cancelled" in tags
    assert both.run() == 0
    both.complete(case_id, "take_over")
    assert both.case(case_id)["outcome"] == "引継ぎ済み"


def test_completing_disarms_the_timer(world: World) -> None:
    case_id = world.start("deadline")
    world.complete(case_id, "work", note="間に合った")
    assert world.case(case_id)["outcome"] == "完了" and jobs(world, case_id) == []


def test_six_workers_fire_each_timer_once(both: World) -> None:
    cases = [both.start("deadline") for _ in range(5)]
    both.clock.advance(hours=4)

    def work(_number: int) -> int:
        done = 0
        while ran := both.engine.run_due(limit=50):
            done += ran
        return done

    results = in_threads(6, work)
    assert not [result for result in results if isinstance(result, Exception)], results
    while both.run():  # on PostgreSQL a worker passes over a case that another one holds
        pass
    for case_id in cases:
        tags = [row["tag"] for row in both.history(case_id)]
        assert tags.count("timer.fired") == tags.count("task.cancelled") == 1
        assert both.waits(case_id) == ["take_over"]
    sent = [row["cause"] for row in both.notices(both.person(DIVISION)) if row["template"] == "task_opened"]
    assert len(sent) == len(set(sent)) == 5
    assert not [row for row in both.rows("job") if row["error"]]
    assert both.engine.verify_history() == ()


def test_workers_and_people_at_once(both: World) -> None:
    """Somebody completes the step at the very moment its timer is due."""
    for _ in range(3):
        case_id = both.start("deadline")
        both.clock.advance(hours=2)
        task = both.task(case_id, "work")["id"]

        def do(number: int, task: int = task) -> Any:
            if number:
                return both.run()
            with both.acting(MANAGER) as work:
                work.complete(task, {})
            return None

        in_threads(3, do)
        both.run()
        tags = [row["tag"] for row in both.history(case_id)]
        assert (tags.count("task.completed"), tags.count("timer.fired")) in {(1, 0), (0, 1)}
        assert both.waits(case_id) == (["take_over"] if "timer.fired" in tags else [])
    assert not [row for row in both.rows("job") if row["error"]]


def test_a_failing_job_is_tried_again_later_and_kept_in_the_end(both: World, caplog: pytest.LogCaptureFixture) -> None:
    case_id = both.start("broken", amount=1)
    fine = both.start("deadline")
    both.clock.advance(hours=2)
    both.run()
    assert both.waits(fine) == ["take_over"], "one bad job does not stop the others"
    for attempt, later in enumerate(RETRY_AFTER, 1):
        row = both.rows("job", case_id=case_id, kind="timer")[0]
        assert (row["attempts"], row["run_at"]) == (attempt, both.clock.now() + later)
        both.clock.advance(seconds=later.total_seconds() - 1)
        assert both.run() == 0
        both.clock.advance(seconds=1)
        assert both.run() == 1
    dead = both.rows("job", case_id=case_id, kind="timer")[0]
    assert (dead["attempts"], dead["run_at"]) == (len(RETRY_AFTER) + 1, None)
    assert "amount" in dead["error"] and "Traceback" not in dead["error"]
    assert both.run() == 0
    assert both.waits(case_id) == ["work"], "nothing half done"
    assert "timer.fired" not in [row["tag"] for row in both.history(case_id)]
    both.complete(case_id, "work")
    assert jobs(both, case_id) == [], "the case ended: its dead letter went with it"
    assert "failed" in caplog.text


def test_a_cycle_keeps_its_beat_whenever_the_worker_comes_by(both: World) -> None:
    case_id = both.start("cycle")
    both.clock.advance(hours=1, minutes=25)
    both.run()
    assert [run_at for _, run_at in jobs(both, case_id)] == [MONDAY + timedelta(hours=2)]
    both.clock.set(MONDAY + timedelta(hours=2))
    both.run()
    assert [row["template"] for row in both.notices(both.person(GENERAL))] == ["step_told"] * 2
    assert [run_at for _, run_at in jobs(both, case_id)] == [MONDAY + timedelta(hours=3)]


def test_after_an_outage_a_cycle_does_not_fire_for_every_round_it_missed(both: World) -> None:
    case_id = both.start("cycle")
    both.clock.advance(hours=10, minutes=30)
    both.run()
    assert len(both.history(case_id, "timer.fired")) == 1
    assert [run_at for _, run_at in jobs(both, case_id)] == [MONDAY + timedelta(hours=11)]


def test_a_timer_at_a_date_from_the_facts(both: World) -> None:
    case_id = both.start("wait", wake_at="2026-11-18 09:00")
    assert jobs(both, case_id)[0][1] == at("2026-11-18 09:00")
    past = both.start("wait", wake_at="2026-11-01 09:00")
    both.run()
    assert both.waits(past) == ["work"], "an instant in the past is due at once"
    never = both.start("wait")
    assert jobs(both, never) == []
    both.pass_time(days=2)
    assert both.waits(case_id) == ["work"]


def test_the_worker_goes_on_when_the_database_or_a_mail_fails(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    world.start("approval")
    world.clock.advance(days=1)
    stop, tries = Event(), []

    def fail(*_: Any, **__: Any) -> int:
        tries.append(1)
        if len(tries) == 3:
            stop.set()
        raise ValueError("anything")

    monkeypatch.setattr("engine.jobs.run_some", fail)
    monkeypatch.setattr("engine.worker.POLL", 0.001)
    run_forever(world.engine, stop, "worker-1")
    assert len(tries) == 3


def test_the_worker_beats_while_it_runs(both: World, monkeypatch: pytest.MonkeyPatch) -> None:
    stop, seen = Event(), []

    def look(engine: Engine) -> None:
        seen.append(both.rows("worker_heartbeat"))
        stop.set()

    monkeypatch.setattr("engine.jobs.next_due", look)
    run_forever(both.engine, stop, "worker-1")
    assert [(row["worker"], row["seen_at"]) for row in seen[0]] == [("worker-1", both.clock.now())]
    assert (seen[0][0]["ahead"] is None) == (both.engine.database.dialect.name == "sqlite"), "its clock beside the database's"
    assert both.rows("worker_heartbeat") == [], "a worker that was told to stop is not missed"


def test_a_job_of_an_ended_case_is_dropped_quietly(world: World) -> None:
    case_id = world.start("deadline")
    timer = world.rows("job", case_id=case_id, kind="timer")[0]
    world.complete(case_id, "work")
    with world.engine.writing() as connection:
        connection.execute(job.insert().values({**timer, "id": None}))
        connection.execute(
            job.insert().values(case_id=case_id, kind="remind", key="task:1:remind", run_at=MONDAY, payload=json.dumps({"task": 1}))
        )
    world.clock.advance(hours=3)
    assert world.engine.run_due(limit=500) >= 2
    assert jobs(world, case_id) == []
    assert not [row for row in world.rows("job") if row["error"]]


def test_an_idle_look_costs_one_statement(world: World) -> None:
    from tests.support import counted

    world.start("cycle")
    world.run()
    with counted(world.engine.database) as sent:
        assert world.engine.run_due() == 0
    assert len(sent) == 1


def test_a_clock_that_goes_back_does_no_harm(world: World) -> None:
    case_id = world.start("deadline")
    world.pass_time(hours=2)
    world.engine.clock = world.clock = SetClock(MONDAY)
    assert world.run() == 0
    world.complete(case_id, "take_over")
    assert world.engine.verify_history() == ()


def test_due_work_done_together_is_done_alone_when_one_of_it_fails(on_postgresql: World, monkeypatch: pytest.MonkeyPatch) -> None:
    cases = [on_postgresql.start("deadline") for _ in range(4)]
    on_postgresql.clock.advance(hours=3)
    fire, tried = Work.fire_timer, []

    def failing(self: Work, case_id: int, *rest: Any) -> bool:
        tried.append(case_id)
        if case_id == cases[2]:
            raise ValueError("anything")
        return fire(self, case_id, *rest)

    monkeypatch.setattr(Work, "fire_timer", failing)
    while run_some(on_postgresql.engine):
        pass
    fired = {case_id: len(on_postgresql.history(case_id, "timer.fired")) for case_id in cases}
    assert fired == {case_id: int(case_id != cases[2]) for case_id in cases}, "the bad one alone has not happened, no other twice"
    assert tried[:3] == cases[:3], "first together"
    assert [row["attempts"] for row in on_postgresql.rows("job", case_id=cases[2], kind="timer")] == [1]


def test_an_order_of_many_appointments_is_looked_at_once(both: World, monkeypatch: pytest.MonkeyPatch) -> None:
    case_id = both.start("deadline")
    both.run()
    looked: list[str] = []
    look = jobs_module._posts_changed

    def counted(engine: Engine, connection: Any, office: str) -> None:
        looked.append(office)
        look(engine, connection, office)

    monkeypatch.setattr(jobs_module, "_posts_changed", counted)
    for number in range(20):
        both.engine.register(f"new.{number}", "office", f"新任{number}", email=None, password_hash=None)
        both.appoint(f"new.{number}", DIVISION)
    after_posts = both.rows("job", kind="posts", key="posts:office")
    later = {**after_posts[0], "id": None, "run_at": both.clock.now() + timedelta(days=30)}
    of_case = {**later, "case_id": case_id, "key": "posts", "payload": "{}", "run_at": both.clock.now()}
    with both.engine.writing() as connection:
        for row in (later, of_case, of_case):
            connection.execute(job.insert().values({name: value for name, value in row.items() if name != "id"}))
    assert len(after_posts) == 20
    both.run()
    assert looked == ["office"]
    assert [row["run_at"] for row in both.rows("job", kind="posts")] == [later["run_at"]], "what comes with its day waits for it"
