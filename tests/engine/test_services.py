"""図の自動処理が案件の項目のほかにすること：台帳の番号を付ける、別の案件を始める。数値は細目（[[setting]]）の日付による。"""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from contextlib import suppress
from datetime import datetime
from pathlib import Path

import pytest

from engine import CaseLinked, DefinitionRefused, NotFound, SamePerson, SetClock, load_organisation
from engine.clock import JST
from engine.model import metadata
from tests.engine.drawing import boundary, catch, diagram, end, exclusive, flows, service, start, timer
from tests.support import (
    DIVISION,
    KNOWN,
    MANAGER,
    MONDAY,
    STAFF,
    SUMMARY,
    UNIT,
    World,
    field,
    make_engine,
    populate,
    said,
    step,
    write_offices,
)

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
    "carrying": (
        said(withdraw="until_end"),
        start("begin", said(SUMMARY, UNIT, field("due_on", "返却期限", "date"), field("media", "媒体", "string")), name="申請"),
        step("give_back", "返却", "protection_manager@owning_unit", field("lost", "紛失した", "boolean")),
        boundary("overdue", "give_back", timer("later(due_on, 1)"), interrupting=False),
        service(
            "report_overdue", "start_case",
            said(process="office_finding", passes="item_summary='返らない媒体', media=media, known_at=later(due_on, 0), count=1", link="期限を過ぎた媒体"),
            name="事故の案件の開始",
        ),
        end("reported", name="報告済み"),
        exclusive("back", default="back_done"),
        service(
            "report_lost", "start_case", said(process="office_finding", passes='item_summary="紛失の申出", media=media, suspected=lost', link="紛失"),
            name="事故の案件の開始",
        ),
        end("done", name="返却済み"),
        end("gone", name="紛失"),
        flows("begin > give_back > back > done", "back > report_lost : lost == true", "report_lost > gone", "overdue > report_overdue > reported"),
    ),
    "finding": (
        said(withdraw="until_end", numbering="finding"),
        start("notice", said(SUMMARY, UNIT, KNOWN, field("media", "媒体", "string", maxlength="20")), name="発見", camunda_candidateGroups="audit_officer@organisation"),
        step("look", "調査", "protection_manager@owning_unit", field("suspected", "疑い", "boolean"), field("count", "件数", "long"),
             not_same_person_as="notice"),
        step("close", "終結", "division_protection_manager@owning_unit"),
        end("ended", name="終結"),
        flows("notice > look > close > ended"),
    ),
    "needing": (
        said(),
        start("begin", said(SUMMARY, UNIT, field("reason", "理由", "string")), name="申請"),
        step("pass_on", "引渡し", "protection_manager@owning_unit"),
        service("hand_over", "start_case", said(process="office_strict", passes="item_summary=item_summary, reason=reason", link="引渡し"), name="引渡し先の開始"),
        step("finish", "終結", "protection_manager@owning_unit"),
        end("done", name="済み"),
        flows("begin > pass_on > hand_over > finish > done"),
    ),
    "strict": (
        said(),
        start("begin", said(SUMMARY, UNIT, field("reason", "理由", "string", required=True)), name="受領"),
        step("receive", "受領", "protection_manager@owning_unit"),
        end("done", name="済み"),
        flows("begin > receive > done"),
    ),
    "ping": (
        said(),
        start("begin", said(SUMMARY, UNIT), name="開始"),
        service("again", "start_case", said(process="office_pong", passes="item_summary=item_summary", link="往復"), name="次の開始"),
        step("finish", "終結", "protection_manager@owning_unit"),
        end("done", name="済み"),
        flows("begin > again > finish > done"),
    ),
    "pong": (
        said(),
        start("begin", said(SUMMARY, UNIT), name="開始"),
        service("again", "start_case", said(process="office_ping", passes="item_summary=item_summary", link="往復"), name="次の開始"),
        step("finish", "終結", "protection_manager@owning_unit"),
        end("done", name="済み"),
        flows("begin > again > finish > done"),
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
  { key = "finding", pattern = "漏R{era_year}-{sequence:02d}", year = "fiscal", era_first_year = 2019, valid_from = 2022-04-01 },
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


class TestCasesThatCasesBegin:
    """期限を過ぎた媒体・紛失の申出は、知った日時を持った事故の案件を、その場で始める。"""

    def test_who_completes_the_step_is_the_new_cases_reporter(self, both: World) -> None:
        first = both.start("carrying", media="USBメモリ")
        both.complete(first, "give_back", lost=True)
        [second] = [row["id"] for row in both.rows("case_file", process_id="office_finding")]
        made, facts = both.case(second), both.facts(second)
        assert (made["number"], made["state"], both.waits(second)) == ("漏R8-01", "open", ["look"])
        assert (made["reporter"], made["owning_unit"], made["known_at"]) == ("protection_manager.a", "a", MONDAY)
        assert (facts["item_summary"], facts["media"], facts["suspected"]) == ("紛失の申出", "USBメモリ", True)
        assert both.facts(first)["linked_cases"] == ["漏R8-01"]
        assert (both.case(first)["state"], both.case(first)["outcome"]) == ("closed", "紛失")
        assert both.rows("case_link") == [{"case_id": first, "other_id": second, "kind": "started", "label": "紛失"}]

    def test_both_records_tell_of_it_and_hold(self, both: World) -> None:
        first = both.start("carrying")
        both.complete(first, "give_back", lost=True)
        second = first + 1
        numbers = {case: both.case(case)["number"] for case in (first, second)}
        for case, other in ((first, second), (second, first)):
            [row] = both.history(case, "case.linked")
            assert row["data"] == {"label": "紛失", "number": numbers[other], "case": other, "version": row["data"]["version"]}
            assert row["person"] == "protection_manager.a"
        [begun] = both.history(second, "case.started")
        assert (begun["person"], begun["seat"]) == ("protection_manager.a", "protection_manager@a")
        assert both.engine.verify_history() == ()
        shown = both.engine.case(both.viewer("person:protection_manager.a"), second)
        assert [event.text for event in shown.timeline][-1] == f"案件 {numbers[first]} と関連付けました：紛失"

    def test_its_people_are_told_as_of_any_start(self, both: World) -> None:
        """担当の課の保護管理者が自分で始めたので、本人には知らせない。別の課の保護管理者なら知らせが届く。"""
        first = both.start("carrying")
        both.pass_time(days=1)
        both.appoint("another", "protection_manager@a")
        both.complete(first, "give_back", lost=True)
        task = both.task(first + 1, "look")
        assert [row["person"] for row in both.notices(cause=f"task:{task['id']}:opened")] == ["another"]

    def test_when_time_begins_it_the_system_reports_and_knowledge_is_the_end_of_the_day(self, both: World) -> None:
        first = both.start("carrying", due_on="2026-11-20", media="外付けディスク")
        both.pass_time(days=4)
        assert both.rows("case_file", process_id="office_finding") == []
        both.pass_time(days=2)
        [made] = both.rows("case_file", process_id="office_finding")
        assert (made["reporter"], made["owning_unit"], made["started_at"]) == ("system", "a", on("2026-11-22T00:00"))
        assert made["known_at"] == on("2026-11-21T00:00")
        assert (both.facts(made["id"])["count"], both.facts(made["id"])["reporting_unit"]) == (1, "a")
        assert both.waits(first) == ["give_back"], "the medium is still out"
        assert both.facts(first)["linked_cases"] == [made["number"]]
        assert {row["person"] for row in both.notices(case_id=made["id"])} == {"protection_manager.a"}
        both.complete(first, "give_back", lost=True)
        assert both.facts(first)["linked_cases"] == ["漏R8-01", "漏R8-02"]

    def test_a_deputy_reports_for_his_principal_who_may_not_look_into_it_either(self, world: World) -> None:
        """代理が行った返却から始まった案件は、本人も代理も「発見した人」であり、調査を行えない。"""
        world.engine.personnel.register_deputy(
            world.viewer(MANAGER),
            "protection_manager.a",
            "staff.a",
            kind="substitute",
            basis="試験細目第3条",
            valid_from=MONDAY.date(),
            valid_to=None,
        )
        first = world.start("carrying")
        row = world.task(first, "give_back")
        with world.engine.work(by="staff.a", seat="protection_manager@a") as work:
            work.complete(row["id"], {"lost": True})
        made = world.case(first + 1)
        assert (made["reporter"], made["reported_for"]) == ("staff.a", "protection_manager.a")
        row = world.task(first + 1, "look")
        for person in ("staff.a", "protection_manager.a"):
            with pytest.raises(SamePerson), world.engine.work(by=person, seat="protection_manager@a") as work:
                work.complete(row["id"], {})

    def test_what_is_refused_begins_nothing(self, both: World) -> None:
        first = both.start("carrying")
        row = both.task(first, "give_back")
        with suppress(RuntimeError), both.acting(MANAGER) as work:
            work.complete(row["id"], {"lost": True})
            raise RuntimeError
        assert both.rows("case_link") == []
        assert both.rows("case_file", process_id="office_finding") == []
        assert both.rows("counter", name="finding") == []

    def test_each_case_is_seen_by_its_own_people(self, world: World) -> None:
        """関連する案件の番号は見えるが、その案件を見られない人には開けない。"""
        first = world.start("carrying")
        world.complete(first, "give_back", lost=True)
        second = first + 1
        mine = world.engine.case(world.viewer(MANAGER), first)
        assert mine.linked == (CaseLinked("漏R8-01", "紛失", "手続", second, begun_here=True),)
        theirs = world.engine.case(world.viewer(STAFF), first)
        assert [(one.number, one.id) for one in theirs.linked] == [("漏R8-01", None)]
        with pytest.raises(NotFound):
            world.engine.case(world.viewer(STAFF), second)
        back = world.engine.case(world.viewer(MANAGER), second)
        assert [(one.number, one.id, one.begun_here) for one in back.linked] == [(world.case(first)["number"], first, False)]
        assert (mine.links, back.links) == ((), ()), "a link is no merge"

    def test_a_preview_foresees_it_by_name_and_begins_nothing(self, world: World) -> None:
        first = world.start("carrying")
        row = world.task(first, "give_back")
        before = world.checksums()
        found = world.engine.preview(world.viewer(MANAGER), row["id"], {"lost": True})
        assert [one.step for one in found] == ["案件「手続」を始めます", "案件が終わります：紛失"]
        assert world.checksums() == before

    def test_a_fact_that_its_form_needs_is_missing(self, both: World) -> None:
        """渡す「理由」が空：引渡しだけが止まり、直れば再実行で始まる。人の処理は取り消されない。"""
        first = both.start("needing")
        both.complete(first, "pass_on")
        assert both.waits(first) == []
        [failed] = both.history(first, "service.failed")
        assert failed["data"]["error"] == "手続「手続」の案件を始められません。「理由」が足りないか、合いません。"
        assert len(both.rows("case_file")) == 1
        assert both.rows("case_link") == []
        both.pass_time(minutes=2)
        assert len(both.history(first, "service.failed")) == 2
        assert "linked_cases" not in both.facts(first)

    def test_failed_work_that_is_tried_again_begins_it_once_and_as_the_system(self, both: World) -> None:
        first = both.start("needing", reason="点検")
        with both.engine.writing() as connection:  # the procedure is not in force yet
            table = metadata.tables["definition"]
            connection.execute(table.update().where(table.c.process_id == "office_strict").values(in_force_from=on("2026-11-16T10:30")))
        both.complete(first, "pass_on")
        [failed] = both.history(first, "service.failed")
        assert "施行されていません" in failed["data"]["error"]
        both.clock.set(on("2026-11-16T11:00"))
        both.run()
        [made] = both.rows("case_file", process_id="office_strict")
        assert (made["reporter"], both.waits(first)) == ("system", ["finish"])
        assert [row["person"] for row in both.history(made["id"], "case.linked")] == ["system"]
        both.pass_time(days=3)
        assert len(both.rows("case_link")) == 1

    def test_cases_that_begin_each_other_come_to_an_end(self, world: World) -> None:
        first = world.start("ping")
        numbers = [row["number"] for row in world.rows("case_file")]
        assert numbers == ["案R8-0001"], "none of an endless chain begins"
        [failed] = world.history(first, "service.failed")
        assert failed["data"]["error"] == "案件が案件を始める連鎖が5件を超えます。"
        world.pass_time(days=2)
        assert len(world.rows("case_file")) == 1
        assert world.engine.verify_history() == ()

    def test_if_nobody_acts_the_new_case_is_told_of(self, world: World) -> None:
        first = world.start("carrying", due_on="2026-11-20")
        found = world.engine.if_nobody_acts(world.viewer(MANAGER), first, 10)
        assert (on("2026-11-22T00:00"), "調査（この案件から始まる案件）") in [(one.at, one.step) for one in found]
        assert not any("止まっ" in one.what for one in found)
        assert len(world.rows("case_file")) == 1


class TestWhatIsToldBeforeDeployment:
    def findings(self, folder: Path, *parts: str) -> set[tuple[str, str]]:
        (folder / "office" / "begun.bpmn").write_bytes(diagram(*parts, id="office_begun"))
        with pytest.raises(DefinitionRefused) as refused:
            make("sqlite://", folder).engine.definitions.prepare(load_organisation(folder / "office"), {}, MONDAY.date(), None)
        return {(finding.rule, finding.element) for finding in refused.value.findings}

    def drawn(self, **properties: str) -> tuple[str, ...]:
        return (
            said(), start("begin", said(SUMMARY, UNIT), name="開始"), service("other", "start_case", said(**properties), name="次の開始"),
            end("done", name="済み"), flows("begin > other > done"),
        )  # fmt: skip

    @pytest.mark.parametrize(
        ("properties", "rule"),
        [
            ({"process": "office_findings", "passes": "item_summary=item_summary", "link": "関連"}, "process_unknown"),
            ({"process": "office_finding", "passes": "item_summary=item_summary, medium='x'", "link": "関連"}, "passes"),
            ({"process": "office_finding", "link": "関連"}, "passes"),
            ({"process": "office_finding", "passes": "item_summary=item_summary, reporter=reporter", "link": "関連"}, "passes"),
            ({"process": "office_finding", "passes": "item_summary", "link": "関連"}, "sets"),
            ({"process": "office_finding", "passes": "item_summary=item_sumary", "link": "関連"}, "fact_unknown"),
            ({"process": "office_finding", "passes": "item_summary=setting('nothing')", "link": "関連"}, "setting_unknown"),
            ({"process": "office_finding", "passes": "item_summary=item_summary"}, "service_property"),
        ],
    )
    def test_a_start_that_could_only_fail(self, tmp_path: Path, properties: dict[str, str], rule: str) -> None:
        found = self.findings(write(tmp_path / "bpmn"), *self.drawn(**properties))
        assert (rule, "other") in found, found

    def test_the_fact_of_linked_cases_is_the_engines(self, tmp_path: Path) -> None:
        parts = said(), start("begin", said(SUMMARY, UNIT, field("linked_cases", "関連", "string")), name="開始"), end("done", name="済み")
        assert ("derived_fact", "begin") in self.findings(write(tmp_path / "bpmn"), *parts, flows("begin > done"))
