"""Grants that outlive their work: what still stands in a ledger as granted is found by night, reported once, and marked until it is gone."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from engine import JST, AlreadyDone, SetClock, TaskClosed
from tests.engine.drawing import diagram, end, exclusive, flows, service, start, timer
from tests.support import (
    AUDITOR,
    GENERAL,
    KNOWN,
    MANAGER,
    MONDAY,
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

UNTIL = field("window_to", "終わり", "datetime")
REMOVED = field("removed_at", "消した日時", "datetime")
FOUND = field("orphans", "見つかったもの", "rows", "number=番号", "until=終わり", "why=理由", props={"readonly": "true"})
FIND = {"ledger": "rights", "state": "付与中,削除待ち", "until": "window_to", "grace": "hours(2)", "except": "事案化"}

DRAWN: dict[str, tuple[str, ...]] = {
    "grant": (
        said(withdraw="until_end", numbering="general"),
        start("apply", said(SUMMARY, UNIT, UNTIL), name="申請"),
        service("enter", "ledger", said(ledger="rights", state="付与中"), name="付与"),
        step("work", "作業", "protection_manager@owning_unit", REMOVED),
        service("close", "ledger", said(ledger="rights", state="削除済"), name="削除"),
        end("done", name="完了"),
        flows("apply > enter > work > close > done"),
    ),
    "sweep": (
        said(numbering="general"),
        start("every_night", timer("R/2026-11-17T02:00:00+09:00/P1D"), name="毎日2時"),
        service("find", "find_orphan_grants", said(summary="消えていない権限", **FIND), name="捜す"),
        exclusive("left", default="left_none"),
        end("none", name="なし"),
        service(
            "report", "start_case", said(process="office_finding", passes='item_summary=orphans_summary, owning_unit="a"', link="残った権限", also="orphans"),
            name="事案の開始",
        ),
        service("mark", "mark_entries", said(ledger="rights", state="事案化", entries="orphans"), name="事案化"),
        step("remove", "削除", "general_protection_manager@organisation", FOUND, REMOVED),
        service("unmark", "mark_entries", said(ledger="rights", state="削除済", entries="orphans", values="removed_at=removed_at"), name="削除の記入"),
        end("removed", name="消した"),
        flows("every_night > find > left > none", "left > report : orphans_left == true", "report > mark > remove > unmark > removed"),
    ),
    "finding": (
        said(withdraw="until_end", numbering="general"),
        start("notice", said(SUMMARY, UNIT, KNOWN), name="発見"),
        step("look", "調査", "protection_manager@owning_unit"),
        end("ended", name="終結"),
        flows("notice > look > ended"),
    ),
}  # fmt: skip

LEDGER = """
[[ledger]]
id = "rights"
name = "権限の台帳"
basis = "試験規程第1条"
clauses = ["C-1"]
valid_from = 2022-04-01
states = ["付与中", "削除待ち", "事案化", "削除済"]
closed_states = ["削除済"]
retention_years = 5
retention_from = "removed_at"
readers = ["audit_officer"]
keepers = ["protection_manager"]
column = [
  { id = "window_to", name = "終わり", kind = "datetime", value = "window_to" },
  { id = "removed_at", name = "消した日時", kind = "datetime", value = "removed_at" },
]
"""


def at(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=JST)


def make(url: str, folder: Path) -> World:
    clock = SetClock(MONDAY)
    return World(make_engine(url, clock, bpmn=folder), clock)


@pytest.fixture(scope="module")
def template(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """A database with everything in place, and the folder of the offices."""
    place = tmp_path_factory.mktemp("orphans")
    folder = write_offices(place / "bpmn")
    rules = folder / "office" / "rules.toml"
    rules.write_text(rules.read_text("utf-8") + LEDGER, "utf-8")
    for stem, parts in DRAWN.items():
        (folder / "office" / f"{stem}.bpmn").write_bytes(diagram(*parts, id=f"office_{stem}"))
    world = make(f"sqlite:///{place / 'template.sqlite'}", folder)
    world.engine.migrate()
    populate(world.engine, ("office",))
    world.engine.close()
    return place / "template.sqlite", folder


@pytest.fixture
def world(template: tuple[Path, Path], tmp_path: Path) -> Iterator[World]:
    """The office on SQLite."""
    shutil.copy(template[0], tmp_path / "tadachi.sqlite")
    made = make(f"sqlite:///{tmp_path / 'tadachi.sqlite'}", template[1])
    yield made
    assert made.engine.verify_history() == ()
    made.engine.close()


@pytest.fixture
def on_postgresql(template: tuple[Path, Path], fresh_postgresql: str) -> Iterator[World]:
    """The office on PostgreSQL."""
    made = make(fresh_postgresql, template[1])
    made.engine.migrate()
    populate(made.engine, ("office",))
    yield made
    assert made.engine.verify_history() == ()
    made.engine.close()


@pytest.fixture(params=["sqlite", pytest.param("postgresql", marks=pytest.mark.postgresql)])
def both(request: pytest.FixtureRequest) -> World:
    """The office, once on SQLite and once on PostgreSQL."""
    made: World = request.getfixturevalue("world" if request.param == "sqlite" else "on_postgresql")
    return made


def granted(world: World, until: str = "2026-11-16T20:00") -> int:
    """A case with a right that stands in the ledger."""
    return world.start("grant", window_to=until)


def night(world: World, day: str, time: str = "02:00") -> None:
    """The night's round of a day, by a worker that comes by at this time."""
    world.clock.set(at(f"{day}T{time}"))
    world.run()


def cases(world: World, process: str) -> list[int]:
    """The cases of a procedure, in order."""
    return [row["id"] for row in world.rows("case_file", process_id=f"office_{process}")]


def states(world: World) -> list[str]:
    """What the ledger says of each right now."""
    return [row.state for row in world.engine.ledgers.page(world.viewer(AUDITOR), "rights").rows]


def linked(world: World, case_id: int) -> set[int]:
    """The cases that a case is linked with, as its page shows them."""
    return {one.id for one in world.engine.case(world.viewer(AUDITOR), case_id).linked}


def test_a_right_that_is_gone_in_time_troubles_nobody(both: World) -> None:
    world = both
    world.complete(granted(world), "work", removed_at="2026-11-16T19:00")
    night(world, "2026-11-17")
    [sweep] = cases(world, "sweep")
    assert (world.case(sweep)["outcome"], world.facts(sweep)["orphans"], cases(world, "finding")) == ("なし", [], [])


@pytest.mark.parametrize(("until", "found"), [("2026-11-17T00:00", False), ("2026-11-16T23:59", True), ("2026-11-17T09:00", False)])
def test_a_right_is_left_over_from_the_end_of_its_time_and_the_grace(world: World, until: str, found: bool) -> None:
    """終わりから2時間は、消す作業の途中とみる。"""
    granted(world, until)
    night(world, "2026-11-17")
    assert len(cases(world, "finding")) == found


def test_all_that_is_found_makes_one_case_which_names_it_and_is_linked_with_it(both: World) -> None:
    world = both
    first, second = granted(world), granted(world, "2026-11-16T23:00")
    granted(world, "2026-11-17T12:00")
    night(world, "2026-11-17")
    [sweep], [finding] = cases(world, "sweep"), cases(world, "finding")
    numbers = [world.case(case)["number"] for case in (first, second)]
    assert world.facts(finding)["item_summary"] == "消えていない権限\n" + "、".join(numbers)
    assert world.case(finding)["title"] == "消えていない権限"
    assert [row["number"] for row in world.facts(sweep)["orphans"]] == numbers
    assert world.facts(sweep)["orphans"][0]["why"] == "終わりの時刻を過ぎても、消えていない"
    assert linked(world, finding) == {first, second, sweep}
    assert linked(world, first) == {finding}
    assert sorted(states(world)) == ["事案化", "事案化", "付与中"]
    assert [row["data"]["number"] for row in world.history(first, "case.linked")] == [world.case(finding)["number"]]


def test_what_was_reported_once_is_never_reported_again(both: World) -> None:
    """同じ権限は、消されないままでも、案件の側で台帳が書き直されても、二度は事案にならない。"""
    world = both
    case_id = granted(world)
    for day in ("2026-11-17", "2026-11-18", "2026-11-19"):
        night(world, day)
    assert (len(cases(world, "sweep")), len(cases(world, "finding")), states(world)) == (3, 1, ["事案化"])
    world.complete(case_id, "work", removed_at="2026-11-19T03:00")
    night(world, "2026-11-20")
    assert (len(cases(world, "finding")), states(world)) == (1, ["削除済"])


def test_removing_it_closes_the_entry_with_the_instant_and_keeps_it_for_its_time(world: World) -> None:
    granted(world)
    night(world, "2026-11-17")
    [sweep] = cases(world, "sweep")
    world.complete(sweep, "remove", GENERAL, removed_at="2026-11-17T02:00")
    [entry] = world.engine.ledgers.page(world.viewer(AUDITOR), "rights").rows
    assert (entry.state, entry.closed, entry.kept_until.isoformat()) == ("削除済", True, "2032-03-31")
    page = world.engine.ledgers.entry(world.viewer(AUDITOR), "rights", entry.entry)
    assert [(one.revision, one.state) for one in page.revisions] == [(3, "削除済"), (2, "事案化"), (1, "付与中")]


def test_the_own_case_may_close_it_first(world: World) -> None:
    """案件の側で先に消していれば、閉じた行はそのまま残る。"""
    case_id = granted(world)
    night(world, "2026-11-17")
    world.complete(case_id, "work", removed_at="2026-11-17T01:30")
    [sweep] = cases(world, "sweep")
    world.complete(sweep, "remove", GENERAL, removed_at="2026-11-17T02:00")
    [entry] = world.engine.ledgers.page(world.viewer(AUDITOR), "rights").rows
    assert (entry.state, entry.revision, entry.cells[1].text) == ("削除済", 3, "2026年11月17日 01:30")


def test_a_right_whose_case_has_ended_is_left_over_at_once(world: World) -> None:
    """案件が取り下げられても、権限は残っている。"""
    case_id = granted(world, "2026-12-31T00:00")
    with world.acting("staff@a") as work:
        work.withdraw(case_id, "やめる。")
    night(world, "2026-11-17")
    [finding] = cases(world, "finding")
    assert case_id in linked(world, finding)
    assert world.facts(cases(world, "sweep")[0])["orphans"][0]["why"] == "案件が終わったのに、消えていない"


def test_after_days_without_a_worker_there_is_one_round_that_catches_up(both: World) -> None:
    world = both
    granted(world)
    night(world, "2026-11-21", "08:30")
    assert (len(cases(world, "sweep")), len(cases(world, "finding"))) == (1, 1)
    night(world, "2026-11-22")
    assert (len(cases(world, "sweep")), len(cases(world, "finding"))) == (2, 1)


def test_workers_that_come_by_together_report_it_once(both: World) -> None:
    world = both
    granted(world)
    world.clock.set(at("2026-11-17T02:00"))
    in_threads(4, lambda _number: world.engine.run_due(limit=50))
    world.run()
    assert (len(cases(world, "sweep")), len(cases(world, "finding")), states(world)) == (1, 1, ["事案化"])


def test_whoever_removes_it_while_the_round_is_on_is_not_reported(both: World) -> None:
    """消す処理と点検が同時でも、消えたなら事案にならず、見つかったなら事案は一つだけになる。"""
    world = both
    case_id = granted(world)
    task = world.task(case_id, "work")["id"]
    world.clock.set(at("2026-11-17T02:00"))

    def act(number: int) -> Any:
        if number:
            return world.engine.run_due(limit=50)
        with world.acting(MANAGER) as work:
            return work.complete(task, {"removed_at": "2026-11-17T01:59"})

    assert not [one for one in in_threads(2, act) if isinstance(one, Exception) and not isinstance(one, (AlreadyDone, TaskClosed))]
    world.run()
    assert states(world) == ["削除済"]
    found = [row["number"] for sweep in cases(world, "sweep") for row in world.facts(sweep)["orphans"]]
    assert len(cases(world, "finding")) == len(found) <= 1


@pytest.mark.parametrize("later", [timedelta(days=30), timedelta(days=400)])
def test_a_right_never_found_because_nobody_worked_is_still_found_later(world: World, later: timedelta) -> None:
    granted(world)
    world.clock.set(MONDAY + later)
    world.run()
    assert states(world) == ["事案化"]
