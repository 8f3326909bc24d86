"""図の自動処理が案件の項目のほかにすること：台帳の番号を付ける、別の案件を始める。数値は細目（[[setting]]）の日付による。"""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from contextlib import suppress
from datetime import datetime
from pathlib import Path

import pytest

from engine import SetClock
from engine.clock import JST
from tests.engine.drawing import catch, diagram, end, exclusive, flows, service, start, timer
from tests.support import DIVISION, KNOWN, MONDAY, SUMMARY, UNIT, World, field, make_engine, populate, said, step, write_offices

AT = field("handed_at", "受渡しの日時", "datetime")
DRAWN: dict[str, tuple[str, ...]] = {
    "approving": (
        said(withdraw="until_end"),
        start("begin", said(SUMMARY, UNIT), name="申請"),
        step("decide", "決裁", "division_protection_manager@owning_unit", field("decision", "決定", "enum", "approve=承認", "refuse=不承認")),
        exclusive("decided", default="decided_refused"),
        service("give", "number", said(numbering="approval", fact="approval_number"), name="承認番号"),
        step("deliver", "承認書の交付", "protection_manager@owning_unit"),
        end("done", name="承認"),
        end("refused", name="不承認"),
        flows("begin > decide > decided > refused", 'decided > give : decision == "approve"', "give > deliver > done"),
    ),
    "later": (
        said(),
        start("begin", said(SUMMARY, UNIT), name="申請"),
        service("give", "number", said(numbering="coming", fact="later_number"), name="番号"),
        step("finish", "終結", "protection_manager@owning_unit"),
        end("done", name="済み"),
        flows("begin > give > finish > done"),
    ),
    "halved": (
        said(),
        start("begin", said(SUMMARY, UNIT), name="申請"),
        service("give", "number", said(numbering="approval", fact="approval_number", sets="half=approval_number * 2"), name="番号"),
        end("done", name="済み"),
        flows("begin > give > done"),
    ),
    "keeping": (
        said(),
        start("begin", said(SUMMARY, UNIT, KNOWN, field("return_on", "返却日", "date"), AT), name="申請"),
        exclusive("when", default="when_kept"),
        step("refuse", "時間外の受渡し", "protection_manager@owning_unit"),
        catch("kept", timer('later(return_on, setting("kept_days"))'), name="返却を待つ"),
        step("chase", "督促", "protection_manager@owning_unit"),
        end("done", name="済み"),
        flows("begin > when > kept > chase > done", "when > refuse : known(handed_at) and not in_office_hours(handed_at)", "refuse > done"),
    ),
}  # fmt: skip

NUMBERINGS = """
  { key = "approval", pattern = "承R{era_year}-{sequence:03d}", year = "fiscal", era_first_year = 2019, valid_from = 2022-04-01 },
  { key = "coming", pattern = "来{year}-{sequence}", year = "fiscal", era_first_year = 2019, valid_from = 2026-11-17 },
]
setting = ["""


def write(folder: Path) -> Path:
    """The small offices with the procedures above, and series of numbers for them."""
    write_offices(folder)
    place = folder / "office"
    rules = (place / "rules.toml").read_text("utf-8")
    assert "]\nsetting = [" in rules
    (place / "rules.toml").write_text(rules.replace("}]\nsetting = [", "}," + NUMBERINGS, 1), "utf-8")
    for stem, parts in DRAWN.items():
        (place / f"{stem}.bpmn").write_bytes(diagram(*parts, id=f"office_{stem}"))
    return folder


def make(url: str, folder: Path) -> World:
    clock = SetClock(MONDAY)
    return World(make_engine(url, clock, bpmn=folder), clock)


@pytest.fixture(scope="module")
def template(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """A database with everything in place, and the folder of the offices."""
    place = tmp_path_factory.mktemp("services")
    folder = write(place / "bpmn")
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
    made.engine.close()


@pytest.fixture
def on_postgresql(template: tuple[Path, Path], fresh_postgresql: str) -> Iterator[World]:
    """The office on PostgreSQL."""
    made = make(fresh_postgresql, template[1])
    made.engine.migrate()
    populate(made.engine, ("office",))
    yield made
    made.engine.close()


@pytest.fixture(params=["sqlite", pytest.param("postgresql", marks=pytest.mark.postgresql)])
def both(request: pytest.FixtureRequest) -> World:
    """The office, once on SQLite and once on PostgreSQL."""
    made: World = request.getfixturevalue("world" if request.param == "sqlite" else "on_postgresql")
    return made


def on(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=JST)


class TestNumbers:
    def test_what_is_approved_gets_the_next_number_of_its_own_series(self, both: World) -> None:
        cases = [both.start("approving") for _ in range(3)]
        both.complete(cases[0], "decide", decision="approve")
        both.complete(cases[1], "decide", decision="refuse")
        both.complete(cases[2], "decide", decision="approve")
        found = [both.facts(case).get("approval_number") for case in cases]
        assert found == ["承R8-001", None, "承R8-002"]
        assert [both.case(case)["number"] for case in cases] == ["案R8-0001", "案R8-0002", "案R8-0003"]
        [told] = both.history(cases[0], "task.completed")
        assert told["data"]["facts"]["approval_number"] == [None, "承R8-001"]

    def test_a_series_begins_anew_with_the_fiscal_year(self, world: World) -> None:
        both_years = []
        for instant in ("2027-03-31T17:00", "2027-04-01T09:00"):
            world.clock.set(on(instant))
            case = world.start("approving")
            world.complete(case, "decide", decision="approve")
            both_years.append(world.facts(case)["approval_number"])
        assert both_years == ["承R8-001", "承R9-001"]

    def test_an_act_that_is_refused_leaves_no_gap(self, both: World) -> None:
        case = both.start("approving")
        row = both.task(case, "decide")
        with suppress(RuntimeError), both.acting(DIVISION) as work:
            work.complete(row["id"], {"decision": "approve"})
            raise RuntimeError
        assert both.rows("counter", name="approval") == []
        both.complete(case, "decide", decision="approve")
        assert both.facts(case)["approval_number"] == "承R8-001"

    def test_a_preview_shows_what_follows_and_takes_no_number(self, world: World) -> None:
        case = world.start("approving")
        row = world.task(case, "decide")
        before = world.checksums()
        found = world.engine.preview(world.viewer(DIVISION), row["id"], {"decision": "approve"})
        assert [one.step for one in found] == ["承認書の交付"]
        assert world.checksums() == before

    def test_without_a_series_in_force_the_case_waits_for_it(self, both: World) -> None:
        """番号の細目が施行される前の日：番号を付ける処理だけが止まり、施行の日の再実行で付く。"""
        case = both.start("later")
        assert both.waits(case) == []
        assert [row["data"]["attempt"] for row in both.history(case, "service.failed")] == [1]
        both.clock.set(on("2026-11-17T09:00"))
        both.run()
        assert (both.facts(case)["later_number"], both.waits(case)) == ("来2026-1", ["finish"])

    def test_a_number_whose_step_fails_is_not_used_up(self, both: World) -> None:
        case = both.start("halved")
        assert [row["tag"] for row in both.history(case) if row["tag"].startswith("service")] == ["service.failed"]
        assert both.rows("counter", name="approval") == []
        assert "approval_number" not in both.facts(case)


class TestSettings:
    """細目の数値は、案件を知った日の行による。"""

    @pytest.mark.parametrize(
        ("known_at", "return_on", "chased_at"),
        [
            ("2026-11-16T09:00", "2026-11-20", "2026-11-24T00:00"),  # 3 days after the 20th has ended
            ("2026-12-31T23:59", "2026-12-31", "2027-01-04T00:00"),
            ("2027-01-01T00:00", "2026-12-31", "2027-01-08T00:00"),  # known in the new year: 7 days
        ],
    )
    def test_a_timer_counts_the_days_of_the_setting(self, world: World, known_at: str, return_on: str, chased_at: str) -> None:
        world.clock.set(max(on(known_at), MONDAY))
        case = world.start("keeping", known_at=known_at, return_on=return_on)
        jobs = [row["run_at"] for row in world.rows("job", case_id=case, kind="timer")]
        assert jobs == [on(chased_at)]
        world.pass_time(days=12)
        assert world.waits(case) == ["chase"]

    def test_without_a_day_there_is_nothing_to_wait_for(self, world: World) -> None:
        case = world.start("keeping", known_at="2026-11-16T09:00")
        assert world.rows("job", case_id=case, kind="timer") == []

    @pytest.mark.parametrize(
        ("handed_at", "waits"), [("2026-11-16T10:00", []), ("2026-11-16T18:00", ["refuse"]), ("2026-11-21T10:00", ["refuse"])]
    )
    def test_a_hand_over_lies_within_office_hours_or_not(self, world: World, handed_at: str, waits: list[str]) -> None:
        case = world.start("keeping", known_at="2026-11-16T09:00", return_on="2026-11-30", handed_at=handed_at)
        assert world.waits(case) == waits
