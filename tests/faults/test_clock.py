"""A clock that is put forward, back or over the year's end, and an outage of ten days: each due date takes effect once."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from datetime import datetime, timedelta
from pathlib import Path

import pytest

from tests.engine.drawing import boundary, diagram, element, end, flows, start, timer
from tests.support import JST, MONDAY, SUMMARY, UNIT, SetClock, World, make_engine, offices, populate, postgresql_copy, said, step


@pytest.fixture(params=["sqlite", pytest.param("postgresql", marks=pytest.mark.postgresql)])
def world(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[World]:
    """The small offices with a daily reminder in one procedure and a monthly start in another."""
    folder = tmp_path / "bpmn"
    shutil.copytree(offices(), folder)
    (folder / "office" / "daily.bpmn").write_bytes(
        diagram(
            said(numbering="general"), start("begin", said(SUMMARY, UNIT), name="開始"),
            step("work", "作業", "protection_manager@owning_unit"),
            boundary("again", "work", timer("R/2026-11-01T09:00:00+09:00/P1D"), interrupting=False),
            element("sendTask", "tell", said(to="general_protection_manager@organisation"), name="毎日の知らせ", camunda_topic="notify"),
            end("done", name="完了"), end("told", name="知らせた"), flows("begin > work > done", "again > tell > told"), id="office_daily",
        )
    )  # fmt: skip
    (folder / "office" / "monthly.bpmn").write_bytes(
        diagram(
            said(numbering="general"), start("monthly", timer("R/2026-12-01T09:00:00+09:00/P1M"), name="月の初め"),
            step("check", "点検", "general_protection_manager@organisation"), end("done", name="済み"), flows("monthly > check > done"), id="office_monthly",
        )
    )  # fmt: skip
    clock = SetClock(MONDAY)

    def made(url: str) -> World:
        return World(make_engine(url, clock, bpmn=folder), clock)

    if request.param == "sqlite":
        found = made(f"sqlite:///{tmp_path / 'tadachi.sqlite'}")
        found.engine.migrate()
        populate(found.engine, ("office",))
        yield found
    else:
        with postgresql_copy(request.getfixturevalue("postgresql_url")) as url:
            found = made(url)
            found.engine.deploy("office", "designer.office")
            yield found
    found.engine.close()


def at(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=JST)


def fired(world: World, case_id: int) -> int:
    return len(world.history(case_id, "timer.fired"))


def test_ten_days_without_a_worker(world: World) -> None:
    case_id = world.start("daily")
    world.clock.set(at("2026-11-25 10:00"))
    world.run()
    world.clock.set(at("2026-12-05 10:00"))
    world.run()
    assert fired(world, case_id) == 2, "one for each outage, however many mornings went by"
    assert [row["template"] for row in world.notices("general_protection_manager.office")].count("step_told") == 2
    begun = world.rows("case_file", process_id="office_monthly")
    assert [case["started_at"] for case in begun] == [at("2026-12-05 10:00")]
    due = {row["kind"]: row["run_at"] for row in world.rows("job") if row["kind"] in ("timer", "start")}
    assert due == {"timer": at("2026-12-06 09:00"), "start": at("2027-01-01 09:00")}, "and then on the beat again"


@pytest.mark.parametrize("jump", [timedelta(hours=1), timedelta(hours=-1)])
def test_a_clock_that_jumps(world: World, jump: timedelta) -> None:
    case_id = world.start("deadline")
    world.clock.advance(hours=1, minutes=30)
    world.run()
    world.clock.set(world.clock.now() + jump)
    world.run()
    assert fired(world, case_id) == (jump > timedelta(0))
    world.clock.set(MONDAY + timedelta(hours=2))
    world.run()
    world.clock.set(MONDAY + timedelta(hours=1))  # back again, after it was due
    world.run()
    world.pass_time(hours=3)
    assert fired(world, case_id) == 1 and world.waits(case_id) == ["take_over"]
    causes = [(row["cause"], row["person"]) for row in world.notices()]
    assert len(causes) == len(set(causes))
    assert world.engine.verify_history() == ()


def test_over_the_years_end(world: World) -> None:
    world.clock.set(at("2026-12-31 23:30"))
    world.run()
    case_id, daily = world.start("deadline"), world.start("daily")
    world.pass_time(hours=10)
    assert fired(world, case_id) == 1 and world.history(case_id, "timer.fired")[0]["at"] == at("2027-01-01 01:30")
    assert [row["at"] for row in world.history(daily, "timer.fired")] == [at("2027-01-01 09:00")]
    assert [case["started_at"] for case in world.rows("case_file", process_id="office_monthly")] == [
        at("2026-12-31 23:30"), at("2027-01-01 09:00"),
    ]  # fmt: skip
