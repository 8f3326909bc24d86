"""Cases that time starts: once for each due date, one catch-up after an outage, by the newest version, whatever workers and clocks do."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from engine import DefinitionRefused
from engine.jobs import RETRY_AFTER
from engine.net import Timer, read_timer
from engine.starts import next_due
from engine.timers import due_instant, first_round, next_round
from tests.engine.drawing import diagram, end, flows, start, timer
from tests.support import JST, MONDAY, World, in_threads, make_world, offices, postgresql_copy, said, step

PROCESS = "office_inventory"


def at(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=JST)


def drawn(when: str, *, seat: str = "general_protection_manager@organisation", event: str = "monthly", name: str = "点検") -> bytes:
    """A procedure that begins by itself."""
    return diagram(
        said(numbering="general"), start(event, timer(when), name="月の初め"), step("check", name, seat), end("done", name="済み"),
        flows(f"{event} > check > done"), id=PROCESS,
    )  # fmt: skip


@pytest.fixture(params=["sqlite", pytest.param("postgresql", marks=pytest.mark.postgresql)])
def place(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[World]:
    """The small offices in a folder of their own, so that procedures can be added."""

    folder = tmp_path / "bpmn"
    shutil.copytree(offices(), folder)
    if request.param == "sqlite":
        world = make_world(tmp_path, bpmn=folder)
        yield world
        world.engine.close()
        return
    with postgresql_copy(request.getfixturevalue("postgresql_url")) as url:
        world = make_world(tmp_path, url, bpmn=folder)
        yield world
        world.engine.close()


def deploy(world: World, when: str, **more: Any) -> None:
    (world.engine.settings.bpmn / "office" / "inventory.bpmn").write_bytes(drawn(when, **more))
    world.engine.deploy("office", "designer.office")


def cases(world: World) -> list[dict[str, Any]]:
    return world.rows("case_file", process_id=PROCESS)


def armed(world: World) -> list[datetime | None]:
    return [row["run_at"] for row in world.rows("job", kind="start")]


MONTHLY = "R/2026-12-01T09:00:00+09:00/P1M"


def test_a_case_begins_by_itself_on_each_due_date(place: World) -> None:
    deploy(place, MONTHLY)
    assert armed(place) == [at("2026-12-01 09:00")]
    place.pass_time(days=45)
    place.pass_time(days=20)
    assert [case["started_at"] for case in cases(place)] == [at("2026-12-01 09:00"), at("2027-01-01 09:00")]
    assert armed(place) == [at("2027-02-01 09:00")]
    made = cases(place)[0]
    assert (made["reporter"], made["owning_unit"], made["title"]) == ("system", "office", "手続")
    started = place.history(made["id"])[0]
    assert (started["tag"], started["person"], started["node"]) == ("case.started", "system", "monthly")
    assert place.task(made["id"], "check")["seat"] == "general_protection_manager@office"
    place.complete(made["id"], "check")
    assert place.case(made["id"])["state"] == "closed"
    assert place.engine.case(place.viewer("general_protection_manager@office"), made["id"]).head.title == "手続"
    assert place.engine.verify_history() == ()


def test_after_an_outage_of_any_length_one_case_makes_up_for_it(place: World) -> None:
    deploy(place, MONTHLY)
    place.clock.set(at("2027-05-20 10:00"))
    place.run()
    assert [case["started_at"] for case in cases(place)] == [at("2027-05-20 10:00")]
    assert armed(place) == [at("2027-06-01 09:00")]


def test_many_workers_start_one_case(place: World) -> None:
    deploy(place, MONTHLY)
    place.clock.set(at("2026-12-01 09:00"))
    results = in_threads(6, lambda _number: [place.engine.run_due(limit=20) for _ in range(3)])
    assert not [result for result in results if isinstance(result, Exception)], results
    assert len(cases(place)) == 1 and armed(place) == [at("2027-01-01 09:00")]


def test_a_new_version_supersedes_the_old_ones_dates(place: World) -> None:
    deploy(place, MONTHLY)
    deploy(place, "R/2026-11-20T08:00:00+09:00/P1W")
    assert armed(place) == [at("2026-11-20 08:00")]
    place.clock.set(at("2026-11-20 08:00"))
    place.run()
    assert armed(place) == [at("2026-11-27 08:00")]
    deploy(place, "R/2026-12-05T08:00:00+09:00/P1Y", event="yearly")
    assert [(row["key"], row["run_at"]) for row in place.rows("job", kind="start")] == [
        (f"start:office:{PROCESS}:yearly", at("2026-12-05 08:00"))
    ]
    place.pass_time(days=30)
    assert len(cases(place)) == 2


def test_deploying_again_changes_no_date_and_loses_none(place: World) -> None:
    deploy(place, "R/P1M")
    due = at("2026-12-16 10:00")
    place.clock.set(at("2026-12-10 10:00"))
    place.engine.deploy("office", "designer.office")
    assert armed(place) == [due], "counted from when this version came into force"
    place.clock.set(at("2026-12-17 10:00"))  # no worker has come by
    deploy(place, "R/P1M", name="確認")
    assert armed(place) == [due]
    place.run()
    assert [place.waits(case["id"]) for case in cases(place)] == [["check"]]
    assert place.task(cases(place)[0]["id"], "check")["name"] == "確認", "by the version in force now"
    assert armed(place) == [at("2027-01-17 10:00")]


def test_a_clock_put_back_starts_nothing_twice(place: World) -> None:
    deploy(place, MONTHLY)
    place.clock.set(at("2026-12-01 09:00"))
    place.run()
    place.clock.set(at("2026-12-01 08:00"))
    deploy(place, MONTHLY, name="確認")
    place.pass_time(hours=2)
    assert len(cases(place)) == 1
    assert place.rows("timed_start")[0]["case_id"] == cases(place)[0]["id"]
    assert armed(place) == [at("2027-01-01 09:00")]


def test_a_start_that_fails_for_good_does_not_stop_the_next(place: World, caplog: pytest.LogCaptureFixture) -> None:
    deploy(place, MONTHLY, seat="staff@organisation")  # the root unit has no such seat
    place.clock.set(at("2026-12-01 09:00"))
    place.run()
    for later in RETRY_AFTER:
        place.clock.advance(seconds=later.total_seconds())
        place.run()
    rows = sorted(place.rows("job", kind="start"), key=lambda row: row["id"])
    assert [row["run_at"] for row in rows] == [None, at("2027-01-01 09:00")]
    assert rows[0]["error"] and "failed" in caplog.text
    assert cases(place) == [] and place.rows("timed_start") == []


def test_a_date_and_a_number_of_rounds(place: World) -> None:
    deploy(place, "2026-12-24T12:00:00+09:00")
    place.pass_time(days=60)
    assert len(cases(place)) == 1 and armed(place) == []
    deploy(place, "R2/2027-02-01T09:00:00+09:00/P1W")
    place.pass_time(days=60)
    assert len(cases(place)) == 3 and armed(place) == []


def test_an_expression_can_read_no_case_yet(place: World) -> None:
    with pytest.raises(DefinitionRefused) as refused:
        deploy(place, "known_at")
    assert "R/2026-12-01" in refused.value.findings[0].message


# ---------------------------------------------------------------- the beat itself


@pytest.mark.parametrize(
    ("text", "after", "due"),
    [
        ("R/2026-01-31T10:00:00+09:00/P1M", "2026-02-10 00:00", "2026-02-28 10:00"),
        ("R/2026-01-31T10:00:00+09:00/P1M", "2026-03-01 00:00", "2026-03-31 10:00"),
        ("R/2026-01-31T10:00:00+09:00/P1M", "2020-01-01 00:00", "2026-01-31 10:00"),
        ("R/2026-01-31T10:00:00+09:00/P1M", "2026-01-31 10:00", "2026-02-28 10:00"),
        ("R/2024-02-29/P1Y", "2027-01-01 00:00", "2027-02-28 00:00"),
        ("R/2026-04-01/P1D", "2026-12-31 23:59", "2027-01-01 00:00"),
        ("R3/2026-04-01/P1D", "2026-04-02 12:00", "2026-04-03 00:00"),
        ("R3/2026-04-01/P1D", "2026-04-03 00:00", None),
        ("R/2026-04-01/P1000Y", "9500-01-01 00:00", None),
        ("R/PT1H", "2026-11-16 12:30", "2026-11-16 13:00"),
        ("R2/PT1H", "2026-11-16 12:30", None),
    ],
)  # fmt: skip
def test_rounds_keep_the_beat_of_their_beginning(text: str, after: str, due: str | None) -> None:
    found = first_round(read_timer("cycle", text), MONDAY, at(after))
    assert found == (at(due) if due else None)


def test_an_anchored_cycle_in_a_case_keeps_its_hour() -> None:
    daily = read_timer("cycle", "R/2026-04-01T09:00:00+09:00/P1D")
    assert daily == Timer("cycle", "P1D", True, None, "2026-04-01T09:00:00+09:00")
    assert due_instant(daily, MONDAY, str) == at("2026-11-17 09:00")
    assert next_round(daily, at("2026-11-17 09:00"), MONDAY + timedelta(days=11), str) == at("2026-11-28 09:00")
    assert next_due(Timer("date", "2026-01-01", True), MONDAY, MONDAY) is None


@pytest.mark.parametrize(
    "text", ["R/2026-13-01/P1M", "R/x/P1M", "R//P1M", "R/2026-12-01T09:00/P1M", "R/2026-12-01/2027-01-01/P1M", "R/P1M/2026-12-01"]
)
def test_what_is_no_cycle(text: str) -> None:
    with pytest.raises(ValueError):
        read_timer("cycle", text)
