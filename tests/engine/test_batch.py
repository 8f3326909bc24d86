"""What acts of one transaction gather is what each would have written by itself, and what is taken back takes nothing else along."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa

from engine import jobs
from engine.batch import Batch
from engine.model import job
from engine.work import Work
from tests.support import DIVISION, MONDAY, World, make_world, postgresql_copy

PROCEDURES = ("deadline", "cycle", "deadline", "parallel", "cycle", "deadline", "parallel", "cycle", "deadline")


def left(world: World) -> dict[str, list[str]]:
    """Everything that due work has left, in no order: jobs of several cases that are due together may be done in another one."""
    notices = {row["id"]: (row["cause"], row["person"]) for row in world.rows("notice")}
    found: dict[str, list[str]] = {}
    for name in ("case_file", "task", "notice", "history", "job", "case_seat"):
        rows = [{column: value for column, value in row.items() if column != "id"} for row in world.rows(name)]
        for row in rows:
            if row.get("kind") == "deliver":
                payload = json.loads(row["payload"])
                row["payload"] = {**payload, "notices": sorted(notices[number] for number in payload["notices"])}
        found[name] = sorted(map(str, rows))
    return found


@pytest.mark.postgresql
def test_due_work_done_together_leaves_what_each_done_alone_leaves(
    postgresql_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    together = []
    held = Batch.write
    found = []
    for most in (jobs.AT_ONCE, 1):
        monkeypatch.setattr(jobs, "AT_ONCE", most)
        batches: list[Batch] = []
        monkeypatch.setattr(Batch, "write", lambda self, now, seen=batches: seen.append(self) or held(self, now))
        (tmp_path / str(most)).mkdir()
        with postgresql_copy(postgresql_url) as url:
            world = make_world(tmp_path / str(most), url)
            for process in PROCEDURES:
                world.start(process)
            world.clock.advance(hours=30)  # timers, reminders and escalations of every case
            batches.clear()
            while jobs.run_some(world.engine):
                pass
            together.append(len(batches))
            found.append(left(world))
            assert world.engine.verify_history() == ()
            world.engine.close()
    assert all(tag in str(found[0]["history"]) for tag in ("timer.fired", "task.reminded", "task.escalated", "task.cancelled"))
    assert together[0] < together[1] / 2, "the first time most were written together"
    assert found[0] == found[1]


def test_a_part_that_is_taken_back_leaves_what_was_gathered_before_it(both: World) -> None:
    case_id = both.start("deadline")
    before = len(both.rows("job", case_id=case_id))
    with both.engine.writing() as connection:
        batch = Batch(connection, held=True)
        batch.add_jobs([due(case_id, "first"), due(case_id, "dropped")])
        with pytest.raises(ValueError, match="anything"):
            fail_half_way(batch, case_id)
        with batch.part(MONDAY):
            batch.add_jobs([due(case_id, "third")])
        batch.add_jobs([due(case_id, "fourth"), due(case_id, "fifth")])
        batch.drop_jobs(case_id, ["fourth", "dropped"])
        assert "fifth" not in set(connection.scalars(sa.select(job.c.key))), "what is held waits"
        batch.write(MONDAY)
    assert [row["key"] for row in both.rows("job", case_id=case_id)[before:]] == ["first", "third", "fifth"]
    assert not both.rows("case_seat", case_id=case_id, seat=DIVISION)


def fail_half_way(batch: Batch, case_id: int) -> None:
    with batch.part(MONDAY):
        batch.add_jobs([due(case_id, "second")])
        batch.see("office", case_id, [DIVISION])
        raise ValueError("anything")


def test_the_row_of_a_case_is_given_out_once(both: World) -> None:
    case_id = both.start("deadline")
    with both.engine.writing() as connection:
        batch = Batch(connection, held=True, cases=both.rows("case_file", id=case_id))
        assert batch.take(case_id) is not None
        assert batch.take(case_id) is None, "an act has changed it since"


def test_who_is_told_is_asked_again_when_an_act_has_changed_who_holds_what(both: World) -> None:
    office, day = both.engine.organisations["office"], MONDAY.date()
    with both.engine.writing() as connection:
        batch = Batch(connection, held=True)
        behind = batch.holders(office, [DIVISION], day, "office_deadline")
        assert [holder.person for holder in behind]
        connection.execute(sa.text("DELETE FROM holding WHERE seat = :seat"), {"seat": DIVISION})
        assert batch.holders(office, [DIVISION], day, "office_deadline") == behind, "asked once"
        batch.posts_changed()
        assert batch.holders(office, [DIVISION], day, "office_deadline") == ()


def due(case_id: int, key: str) -> dict[str, Any]:
    return {"case_id": case_id, "kind": "timer", "key": key, "run_at": MONDAY.replace(year=2100), "payload": "{}"}


def test_failing_work_of_one_case_takes_nothing_of_another_along(on_postgresql: World, monkeypatch: pytest.MonkeyPatch) -> None:
    cases = [on_postgresql.start("deadline") for _ in range(3)]
    on_postgresql.clock.advance(hours=3)
    fire = Work.fire_timer

    def failing(self: Work, case_id: int, *rest: Any) -> bool:
        done = fire(self, case_id, *rest)
        if case_id == cases[1]:
            raise ValueError("after it was gathered")
        return done

    monkeypatch.setattr(Work, "fire_timer", failing)
    while jobs.run_some(on_postgresql.engine):
        pass
    assert [len(on_postgresql.history(case_id, "timer.fired")) for case_id in cases] == [1, 0, 1]
    assert on_postgresql.engine.verify_history() == ()
