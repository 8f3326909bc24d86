"""Drafts become versions: laid before a second person, approved for a day after gate and proof, called off before it; the folder never overwrites them unasked."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from engine import (
    JST,
    DefinitionRefused,
    DraftClosed,
    DraftMoved,
    Finding,
    FolderBehind,
    NotAllowed,
    ReviewClosed,
    ReviewRefused,
    SamePerson,
    VersionComing,
    VersionMoved,
    VersionNotFound,
)
from engine.checker import Report
from engine.draft_desk import DraftDesk
from engine.examiner import Examiner
from engine.offices import Offices
from tests.engine.drawing import diagram, end, flows, start, timer
from tests.support import (
    GENERAL,
    MONDAY,
    World,
    in_threads,
    make_world,
    offices,
    postgresql_copy,
    said,
    step,
)

PROCESS = "office_parallel"
AUTHOR, REVIEWER, THIRD = "designer.one", "designer.two", "designer.three"
TOMORROW = datetime(2026, 11, 17, 0, 0, tzinfo=JST)


class Proofs:
    """A prover that says what it is told to say, and remembers what it was asked."""

    def __init__(self) -> None:
        self.findings: tuple[Finding, ...] = ()
        self.asked: list[tuple[str, dict[str, bytes], Any]] = []

    def __call__(self, process_id: str, files: Any, office: Any, *, on: Any = None, budget: float = 1.0) -> Report:
        self.asked.append((process_id, dict(files), on))
        return Report(self.findings, 1, 1, 0.0, True)


class _Shared(Examiner):
    """One process for all of these tests."""

    def close(self) -> None:
        """The last test does."""


@pytest.fixture(scope="module")
def examiner() -> Iterator[Examiner]:
    """What looks at drafts."""
    made = _Shared()
    yield made
    Examiner.close(made)


#: What rows, locks and instants decide is told on both databases.
both = pytest.mark.parametrize("place", ["sqlite", pytest.param("postgresql", marks=pytest.mark.postgresql)], indirect=True)


@pytest.fixture
def place(request: pytest.FixtureRequest, tmp_path: Path, examiner: Examiner) -> Iterator[World]:
    """The small offices in a folder of their own, with three designers."""
    folder = tmp_path / "bpmn"
    shutil.copytree(offices(), folder)

    def made(url: str | None = None) -> World:
        world = make_world(tmp_path, url, bpmn=folder, prove=Proofs())
        world.engine.drafts = DraftDesk(world.engine, examiner)
        for person in (AUTHOR, REVIEWER, THIRD):
            world.appoint(person, GENERAL)
        return world

    if getattr(request, "param", "sqlite") == "sqlite":
        world = made()
        yield world
        world.engine.close()
        return
    with postgresql_copy(request.getfixturevalue("postgresql_url")) as url:
        world = made(url)
        yield world
        world.engine.close()


def seen(world: World, person: str) -> Any:
    return world.engine.viewer(person)


def draw(world: World, person: str = AUTHOR, process: str = PROCESS, **changes: str) -> tuple[int, int]:
    """A draft of a procedure with other names for some of its steps; its id and revision."""
    desk = world.engine.drafts
    draft = desk.begin(seen(world, person), process)
    files = dict(desk.show(seen(world, person), draft).files)
    for old, new in (changes or {"左": "左の確認"}).items():
        files = {name: text.replace(f'name="{old}"', f'name="{new}"') for name, text in files.items()}
    return draft, desk.save(seen(world, person), draft, 1, files)


def ask(world: World, person: str = AUTHOR, **more: Any) -> tuple[int, int]:
    draft, revision = draw(world, person, **more)
    world.engine.versions.ask(seen(world, person), draft, revision, "名前を直しました")
    return draft, revision


def newest(world: World, process: str = PROCESS) -> dict[str, Any]:
    return [row for row in world.rows("definition", process_id=process) if row["cancelled_at"] is None][-1]


def approve(world: World, draft: int, revision: int, person: str = REVIEWER, **more: Any) -> Any:
    replaces = more.pop("replaces", newest(world)["id"])
    return world.engine.versions.approve(seen(world, person), draft, revision, replaces, **more)


def step_names(world: World, process: str = "parallel") -> set[str]:
    case = world.start(process, amount=1)
    return {row["name"] for row in world.rows("task", case_id=case, state="open")}


def office_record(world: World) -> list[tuple[str, str]]:
    rows = [row for row in world.rows("history") if row["case_id"] is None and row["organisation"] == "office"]
    return [(row["tag"], row["person"]) for row in rows if row["tag"].startswith(("draft.", "definition."))]


# ---------------------------------------------------------------- the good way


@both
def test_a_second_person_puts_a_draft_in_force_and_running_cases_keep_their_version(place: World) -> None:
    before = place.start("parallel", amount=1)
    draft, revision = ask(place)
    made = approve(place, draft, revision, comment="確認しました")
    assert (made.number, made.state, made.by, made.drawn, made.authors) == (2, "in_force", REVIEWER, True, (f"{AUTHOR}さん",))
    assert step_names(place) == {"左の確認", "右"}
    assert {row["name"] for row in place.rows("task", case_id=before, state="open")} == {"左", "右"}
    assert place.rows("diagram_draft", id=draft)[0]["state"] == "approved"
    assert office_record(place)[-3:] == [("draft.begun", AUTHOR), ("draft.review_asked", AUTHOR), ("definition.approved", REVIEWER)]
    assert place.engine.verify_history() == ()
    listed = place.engine.versions.all(seen(place, THIRD), PROCESS)
    assert [(one.number, one.state, one.running) for one in listed] == [(2, "in_force", 1), (1, "past", 1)]
    assert listed[1].in_force_to == listed[0].in_force_from


def test_what_comes_into_force_are_the_very_files_that_were_proven_by_the_rules_of_that_day(place: World) -> None:
    proofs: Proofs = place.engine.prove  # type: ignore[assignment]
    draft, revision = ask(place)
    in_force = datetime(2027, 1, 4, 0, 0, tzinfo=JST)
    approve(place, draft, revision, in_force_from=in_force)
    process, files, on = proofs.asked[-1]
    assert (process, on) == (PROCESS, in_force.date())
    assert json.loads(newest(place)["bundle"]) == {name: data.decode() for name, data in files.items()}


@both
def test_it_comes_into_force_on_its_day_at_midnight_in_japan(place: World) -> None:
    draft, revision = ask(place)
    made = approve(place, draft, revision, in_force_from=TOMORROW)
    assert made.state == "coming"
    place.clock.set(TOMORROW - timedelta(seconds=1))
    place.run()
    assert step_names(place) == {"左", "右"}
    place.clock.set(TOMORROW)
    place.run()
    assert step_names(place) == {"左の確認", "右"}
    assert office_record(place)[-1] == ("definition.in_force", "system")
    texts = [one.text for one in place.engine.versions.events(seen(place, AUTHOR), PROCESS)]
    assert texts[:2] == ["手続「手続」の第2版が施行されました", "手続「手続」の第2版を承認しました（2026年11月17日（火） 00:00から施行）"]
    assert place.engine.verify_history() == ()


@both
def test_a_procedure_that_never_was_comes_into_force_too(place: World) -> None:
    desk = place.engine.drafts
    draft = desk.begin(seen(place, AUTHOR), None, "新しい手続", name="fresh")
    old = place.engine.settings.bpmn / "office" / "parallel.bpmn"
    text = old.read_text("utf-8").replace("office_parallel", "office_fresh")
    revision = desk.save(seen(place, AUTHOR), draft, 1, {"office/fresh.bpmn": text})
    place.engine.versions.ask(seen(place, AUTHOR), draft, revision)
    made = approve(place, draft, revision, replaces=None)
    assert made.number == 1 and step_names(place, "fresh") == {"左", "右"}
    assert place.engine.deploy("office", AUTHOR) == (), "the folder knows nothing of it and leaves it alone"


# ---------------------------------------------------------------- the second person


def test_nobody_approves_what_he_drew_or_laid_before_others(place: World) -> None:
    draft, revision = ask(place)
    versions = place.engine.versions
    with pytest.raises(SamePerson):
        approve(place, draft, revision, person=AUTHOR)
    with pytest.raises(SamePerson):
        versions.send_back(seen(place, AUTHOR), draft, "直す")
    refused = [json.loads(row["data"]) for row in place.rows("history", tag="attempt.refused")]
    assert [(one["attempt"]["verb"], one["error"]) for one in refused] == [("approve", "SamePerson"), ("send_back", "SamePerson")]
    assert "ほかの人" in versions.review(seen(place, AUTHOR), draft).why_not
    assert versions.review(seen(place, REVIEWER), draft).why_not == ""


def test_whoever_saved_any_revision_is_an_author_for_good(place: World) -> None:
    draft, revision = draw(place)
    desk = place.engine.drafts
    desk.release(seen(place, AUTHOR), draft)
    files = dict(desk.show(seen(place, REVIEWER), draft).files)
    revision = desk.save(seen(place, REVIEWER), draft, revision, {n: t.replace('name="右"', 'name="右の確認"') for n, t in files.items()})
    desk.release(seen(place, REVIEWER), draft)
    revision = desk.save(seen(place, AUTHOR), draft, revision, files)
    place.engine.versions.ask(seen(place, AUTHOR), draft, revision)
    with pytest.raises(SamePerson):
        approve(place, draft, revision, person=REVIEWER)
    assert approve(place, draft, revision, person=THIRD).number == 2


def test_a_copy_has_the_authors_of_what_it_was_copied_from(place: World) -> None:
    draft, _ = draw(place)
    copied = place.engine.drafts.copy(seen(place, REVIEWER), draft)
    place.engine.versions.ask(seen(place, REVIEWER), copied, 1)
    with pytest.raises(SamePerson):
        approve(place, copied, 1, person=AUTHOR)


def test_a_second_post_or_standing_in_makes_no_second_person(place: World) -> None:
    draft, revision = ask(place)
    place.engine.appoint(AUTHOR, "audit_officer@office", kind="concurrent", since=MONDAY.date())  # 兼務
    with pytest.raises(SamePerson):
        approve(place, draft, revision, person=AUTHOR)
    keeper = place.viewer(GENERAL)
    staff = "staff.a"
    place.engine.personnel.register_deputy(  # 代理
        keeper, AUTHOR, staff, seat=GENERAL, kind="substitute", valid_from=MONDAY.date(), valid_to=None, basis="不在"
    )
    with pytest.raises(NotAllowed):
        approve(place, draft, revision, person=staff)
    assert newest(place)["version"] == 1


def test_only_designers_ask_look_and_decide(place: World) -> None:
    draft, revision = ask(place)
    stranger = place.viewer("audit_officer@office")
    versions = place.engine.versions
    for act in (
        lambda: versions.all(stranger, PROCESS),
        lambda: versions.events(stranger),
        lambda: versions.review(stranger, draft),
        lambda: versions.approve(stranger, draft, revision, newest(place)["id"]),
        lambda: versions.send_back(stranger, draft, "理由"),
        lambda: versions.withdraw(stranger, draft),
        lambda: versions.cancel(stranger, newest(place)["id"], "理由"),
    ):
        with pytest.raises(NotAllowed):
            act()
    other = place.engine.viewer("general_protection_manager.elsewhere.elsewhere")
    with pytest.raises(VersionNotFound):
        versions.cancel(other, newest(place)["id"], "理由")


def test_a_reviewer_sends_a_draft_back_with_a_reason_and_sees_it_again(place: World) -> None:
    draft, revision = ask(place)
    versions, desk = place.engine.versions, place.engine.drafts
    with pytest.raises(DraftClosed):
        desk.save(seen(place, AUTHOR), draft, revision, desk.show(seen(place, AUTHOR), draft).files)
    with pytest.raises(ReviewRefused, match="理由"):
        versions.send_back(seen(place, REVIEWER), draft, "　")
    versions.send_back(seen(place, REVIEWER), draft, "右も直してください")
    files = dict(desk.show(seen(place, AUTHOR), draft).files)
    again = desk.save(seen(place, AUTHOR), draft, revision, {n: t.replace('name="右"', 'name="右の確認"') for n, t in files.items()})
    versions.ask(seen(place, AUTHOR), draft, again)
    page = versions.review(seen(place, REVIEWER), draft)
    assert [(one.verdict, one.comment) for one in page.reviews] == [("", ""), ("returned", "右も直してください")]
    assert sorted((one.element, one.before, one.after) for one in page.comparison.changes) == [
        ("left", "左", "左の確認"), ("right", "右", "右の確認")
    ]  # fmt: skip
    assert approve(place, draft, again).number == 2


def test_who_drew_it_takes_it_back_before_anybody_decides(place: World) -> None:
    draft, revision = ask(place)
    with pytest.raises(NotAllowed):
        place.engine.versions.withdraw(seen(place, REVIEWER), draft)
    place.engine.versions.withdraw(seen(place, AUTHOR), draft)
    with pytest.raises(ReviewClosed):
        approve(place, draft, revision)
    assert place.rows("diagram_draft", id=draft)[0]["state"] == "editing"


# ---------------------------------------------------------------- what was looked at is what is approved


def test_only_the_revision_that_was_looked_at_is_approved(place: World) -> None:
    draft, revision = ask(place)
    with pytest.raises(DraftMoved):
        approve(place, draft, revision - 1)
    draft, revision = draw(place)
    with pytest.raises(DraftMoved):
        place.engine.versions.ask(seen(place, AUTHOR), draft, revision - 1)


def test_a_draft_without_a_change_is_laid_before_nobody(place: World) -> None:
    draft = place.engine.drafts.begin(seen(place, AUTHOR), PROCESS)
    with pytest.raises(ReviewRefused, match="変わったところがありません"):
        place.engine.versions.ask(seen(place, AUTHOR), draft, 1)


@both
def test_of_two_drafts_the_second_reviewer_must_look_again(place: World) -> None:
    first, second = ask(place), ask(place, AUTHOR, 右="右の確認")
    base = newest(place)["id"]
    assert place.engine.versions.review(seen(place, REVIEWER), second[0]).outdated is False
    approve(place, *first, replaces=base)
    with pytest.raises(VersionMoved, match="第2版"):
        approve(place, *second, replaces=base)
    page = place.engine.versions.review(seen(place, REVIEWER), second[0])
    assert page.outdated and page.replaces is not None and page.replaces.number == 2
    undone = {(one.element, one.before, one.after) for one in page.comparison.changes}
    assert undone == {("left", "左の確認", "左"), ("right", "右", "右の確認")}, "the reviewer sees what would be undone"
    approve(place, *second, replaces=page.replaces.id)
    assert newest(place)["version"] == 3


@both
def test_two_who_approve_at_once_put_one_version_in_force(place: World) -> None:
    drafts = [ask(place), ask(place, AUTHOR, 右="右の確認")]
    base = newest(place)["id"]
    viewers = [seen(place, REVIEWER), seen(place, THIRD)]
    results = in_threads(4, lambda n: place.engine.versions.approve(viewers[n % 2], *drafts[n // 2], base))
    done = [one for one in results if not isinstance(one, Exception)]
    assert len(done) == 1, results
    assert all(isinstance(one, (VersionMoved, ReviewClosed)) for one in results if isinstance(one, Exception)), results
    assert [row["version"] for row in place.rows("definition", process_id=PROCESS)] == [1, 2]
    assert place.engine.verify_history() == ()


# ---------------------------------------------------------------- nothing unsound


def test_what_the_gate_refuses_is_laid_before_nobody(place: World) -> None:
    draft, revision = draw(place)
    desk = place.engine.drafts
    files = {
        n: t.replace("protection_manager@owning_unit", "nobody@owning_unit") for n, t in desk.show(seen(place, AUTHOR), draft).files.items()
    }
    revision = desk.save(seen(place, AUTHOR), draft, revision, files)
    with pytest.raises(DefinitionRefused):
        place.engine.versions.ask(seen(place, AUTHOR), draft, revision)
    assert place.rows("diagram_draft", id=draft)[0]["state"] == "editing"


def test_what_is_not_proven_never_comes_into_force(place: World) -> None:
    draft, revision = ask(place)
    place.engine.prove.findings = (Finding("not_proven", "時間内に終えられませんでした。", PROCESS),)  # type: ignore[attr-defined]
    for day in (None, TOMORROW):
        with pytest.raises(DefinitionRefused):
            approve(place, draft, revision, in_force_from=day)
    assert newest(place)["version"] == 1 and place.rows("diagram_draft", id=draft)[0]["state"] == "review"


def test_no_version_comes_into_force_in_the_past_or_before_another(place: World) -> None:
    draft, revision = ask(place)
    for day in (MONDAY, MONDAY - timedelta(seconds=1), MONDAY - timedelta(days=1)):
        with pytest.raises(ReviewRefused, match="いまより後"):
            approve(place, draft, revision, in_force_from=day)
    with pytest.raises(ReviewRefused, match="遠すぎ"):
        approve(place, draft, revision, in_force_from=MONDAY + timedelta(days=4000))
    approve(place, draft, revision, in_force_from=TOMORROW)
    other = ask(place, AUTHOR, 右="右の確認")
    for day in (None, TOMORROW - timedelta(hours=1)):
        with pytest.raises(ReviewRefused, match="第2版が2026年11月17日"):
            approve(place, *other, in_force_from=day)
    assert approve(place, *other, in_force_from=TOMORROW).number == 3
    place.clock.set(TOMORROW)
    place.run()
    assert step_names(place) == {"左", "右の確認"}, "of two from the same instant the newer one is in force"


# ---------------------------------------------------------------- called off


@both
def test_its_approver_calls_a_version_off_before_its_day_and_the_draft_can_be_drawn_on(place: World) -> None:
    draft, revision = ask(place)
    made = approve(place, draft, revision, in_force_from=TOMORROW)
    versions = place.engine.versions
    with pytest.raises(NotAllowed):
        versions.cancel(seen(place, AUTHOR), made.id, "誤り")
    with pytest.raises(ReviewRefused, match="理由"):
        versions.cancel(seen(place, REVIEWER), made.id, " ")
    versions.cancel(seen(place, REVIEWER), made.id, "施行日の誤り")
    with pytest.raises(ReviewClosed):
        versions.cancel(seen(place, REVIEWER), made.id, "もう一度")
    place.clock.set(TOMORROW + timedelta(days=1))
    place.run()
    assert step_names(place) == {"左", "右"} and place.rows("job", kind="version") == []
    assert place.rows("diagram_draft", id=draft)[0]["state"] == "editing"
    versions.ask(seen(place, AUTHOR), draft, revision)
    assert approve(place, draft, revision).number == 3, "its number is not used again"
    listed = versions.all(seen(place, REVIEWER), PROCESS)
    assert [(one.number, one.state, one.cancel_reason) for one in listed] == [
        (3, "in_force", ""), (2, "cancelled", "施行日の誤り"), (1, "past", "")
    ]  # fmt: skip
    assert place.engine.verify_history() == ()


def test_what_is_in_force_is_not_called_off_and_the_last_one_goes_first(place: World) -> None:
    made = approve(place, *ask(place), in_force_from=TOMORROW)
    later = approve(place, *ask(place, AUTHOR, 右="右の確認"), in_force_from=TOMORROW + timedelta(days=7))
    versions = place.engine.versions
    with pytest.raises(ReviewClosed, match="第3版"):
        versions.cancel(seen(place, REVIEWER), made.id, "誤り")
    versions.cancel(seen(place, REVIEWER), later.id, "誤り")
    place.clock.set(TOMORROW)
    with pytest.raises(ReviewClosed, match="もう施行されています"):
        versions.cancel(seen(place, REVIEWER), made.id, "誤り")


def test_when_the_approver_has_gone_another_designer_calls_it_off(place: World) -> None:
    made = approve(place, *ask(place), in_force_from=TOMORROW)
    place.disable(REVIEWER)
    place.engine.versions.cancel(seen(place, THIRD), made.id, "退職した人の承認")
    assert newest(place)["version"] == 1


# ---------------------------------------------------------------- the folder


def change_folder(world: World, old: str, new: str) -> None:
    file = world.engine.settings.bpmn / "office" / "parallel.bpmn"
    file.write_text(file.read_text("utf-8").replace(f'name="{old}"', f'name="{new}"'), "utf-8")


def test_a_deployment_leaves_what_was_drawn_alone_while_the_folder_has_not_changed(place: World) -> None:
    approve(place, *ask(place))
    told: list[Finding] = []
    assert place.engine.deploy("office", AUTHOR, told.append) == ()
    assert [finding.element for finding in told if finding.rule == "drawn_version"] == [PROCESS]
    assert step_names(place) == {"左の確認", "右"}


def test_a_deployment_is_refused_when_both_have_changed_and_obeys_when_told(place: World) -> None:
    approve(place, *ask(place))
    change_folder(place, "右", "右側")
    with pytest.raises(FolderBehind, match=r"第2版.*export-bundle office_parallel.*--replace office_parallel"):
        place.engine.deploy("office", AUTHOR)
    assert newest(place)["version"] == 2
    assert place.engine.deploy("office", AUTHOR, replace=[PROCESS]) == ((PROCESS, 3),)
    assert step_names(place) == {"左", "右側"}
    change_folder(place, "右側", "右の側")
    assert place.engine.deploy("office", AUTHOR) == ((PROCESS, 4),), "the folder has it again"


@both
def test_a_deployment_never_overtakes_a_version_that_is_to_come(place: World) -> None:
    approve(place, *ask(place), in_force_from=TOMORROW)
    change_folder(place, "右", "右側")
    with pytest.raises(VersionComing, match="先にその施行を取り消して"):
        place.engine.deploy("office", AUTHOR, replace=[PROCESS])
    assert newest(place)["version"] == 2


@both
def test_what_is_approved_while_a_folder_is_proven_is_not_overwritten(place: World) -> None:
    draft, revision = ask(place)
    change_folder(place, "右", "右側")
    proofs = place.engine.prove
    done: list[Any] = []

    def meanwhile(process: str, files: Any, office: Any, **more: Any) -> Report:
        if not done:
            done.append(process)
            place.engine.prove = proofs
            approve(place, draft, revision)
        return proofs(process, files, office, **more)

    place.engine.prove = meanwhile
    with pytest.raises(FolderBehind):
        place.engine.deploy("office", AUTHOR)
    assert done and newest(place)["version"] == 2 and step_names(place) == {"左の確認", "右"}


def test_the_doctor_says_when_the_folder_no_longer_allows_what_is_to_come(place: World) -> None:
    approve(place, *ask(place), in_force_from=TOMORROW)
    assert ("coming", "ok") in {(one.name, one.state) for one in place.engine.examine()}
    file = place.engine.settings.bpmn / "office" / "rules.toml"
    file.write_text(file.read_text("utf-8").replace('key = "general"', 'key = "other"'), "utf-8")
    place.engine.organisations = Offices(place.engine.settings.bpmn)
    (told,) = [one for one in place.engine.examine() if one.name == "coming"]
    assert told.state == "fault" and "第2版" in told.text and "左の確認" not in told.text


def test_what_was_written_back_to_the_folder_is_the_same_version(place: World) -> None:
    made = approve(place, *ask(place))
    for name, data in place.engine.versions.files(seen(place, AUTHOR), made.id).items():
        (place.engine.settings.bpmn / name).write_bytes(data)
    told: list[Finding] = []
    assert place.engine.deploy("office", AUTHOR, told.append) == () and told == []


# ---------------------------------------------------------------- cases that time starts

TIMED = "office_inventory"


def timed(when: str, event: str = "monthly") -> str:
    return diagram(
        said(numbering="general"), start(event, timer(when), name="月の初め"), step("check", "点検", "general_protection_manager@organisation"),
        end("done", name="済み"), flows(f"{event} > check > done"), id=TIMED,
    ).decode()  # fmt: skip


def armed(world: World) -> list[tuple[str, datetime | None]]:
    return [(row["key"].rpartition(":")[2], row["run_at"]) for row in world.rows("job", kind="start")]


def at(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=JST)


@pytest.fixture
def monthly(place: World) -> World:
    """A procedure that begins on the first of each month."""
    (place.engine.settings.bpmn / "office" / "inventory.bpmn").write_text(timed("R/2026-12-01T00:00:00+09:00/P1M"), "utf-8")
    place.engine.deploy("office", AUTHOR)
    assert armed(place) == [("monthly", at("2026-12-01 00:00"))]
    return place


def approve_timed(world: World, text: str, since: datetime) -> Any:
    desk = world.engine.drafts
    draft = desk.begin(seen(world, AUTHOR), TIMED)
    revision = desk.save(seen(world, AUTHOR), draft, 1, {"office/inventory.bpmn": text})
    world.engine.versions.ask(seen(world, AUTHOR), draft, revision)
    return approve(world, draft, revision, replaces=newest(world, TIMED)["id"], in_force_from=since)


def test_the_starts_of_a_version_to_come_wait_for_its_day(monthly: World) -> None:
    approve_timed(monthly, timed("R/2027-01-15T09:00:00+09:00/P1M", "mid_month"), at("2027-01-10 00:00"))
    assert armed(monthly) == [("monthly", at("2026-12-01 00:00"))]
    monthly.engine.deploy("office", AUTHOR)
    assert armed(monthly) == [("monthly", at("2026-12-01 00:00"))], "a deployment of other things changes nothing of it"
    monthly.pass_time(days=50)  # over 2026-12-01 and 2027-01-01
    assert [row["started_at"] for row in monthly.rows("case_file", process_id=TIMED)] == [at("2026-12-01 00:00"), at("2027-01-01 00:00")]
    monthly.clock.set(at("2027-01-10 00:00"))
    monthly.run()
    assert armed(monthly) == [("mid_month", at("2027-01-15 09:00"))]


@both
def test_a_round_due_at_the_very_instant_of_coming_into_force_is_not_lost_nor_doubled(monthly: World) -> None:
    approve_timed(monthly, timed("R/2027-01-01T00:00:00+09:00/P1M", "first"), at("2027-01-01 00:00"))
    monthly.clock.set(at("2026-12-15 00:00"))
    monthly.run()
    monthly.pass_time(days=20)
    started = [row["started_at"] for row in monthly.rows("case_file", process_id=TIMED)]
    assert started[0] == at("2026-12-15 00:00") and at("2027-01-01 00:00") in started
    assert armed(monthly)[-1] == ("first", at("2027-02-01 00:00"))


def test_a_late_worker_arms_as_of_the_day(monthly: World) -> None:
    approve_timed(monthly, timed("R/2026-12-20T00:00:00+09:00/P1M", "later"), at("2026-12-10 00:00"))
    monthly.clock.set(at("2027-01-05 00:00"))
    monthly.run()
    starts = [row["started_at"] for row in monthly.rows("case_file", process_id=TIMED)]
    assert starts == [at("2027-01-05 00:00")], "one case makes up for what was missed; a start that is drawn no more begins nothing"
    assert armed(monthly) == [("later", at("2027-01-20 00:00"))]


def test_a_version_called_off_changes_nothing_of_the_starts(monthly: World) -> None:
    made = approve_timed(monthly, timed("R/2026-12-20T00:00:00+09:00/P1M", "later"), at("2026-12-10 00:00"))
    monthly.engine.versions.cancel(seen(monthly, REVIEWER), made.id, "やめる")
    monthly.clock.set(at("2026-12-11 00:00"))
    monthly.run()
    assert armed(monthly) == [("monthly", at("2027-01-01 00:00"))]


# ---------------------------------------------------------------- running cases that a change concerns


@both
def test_cases_at_what_goes_and_before_what_changes_are_counted(place: World) -> None:
    early, waiting, over = (place.start("approval", amount=1) for _ in range(3))
    for case in (waiting, over):
        place.complete(case, "review", opinion="可", amount=1)
    place.complete(over, "approve", seat="division_protection_manager@north", verdict="granted")
    assert place.case(over)["state"] == "closed" and place.waits(early) == ["review"]
    versions, desk, viewer = place.engine.versions, place.engine.drafts, seen(place, AUTHOR)
    before = f"v{newest(place, 'office_approval')['id']}"

    def drawn(old: str, new: str) -> str:
        draft = desk.begin(viewer, "office_approval")
        files = {name: text.replace(old, new) for name, text in desk.show(viewer, draft).files.items()}
        desk.save(viewer, draft, 1, files)
        return f"d{draft}"

    later = versions.compare(viewer, before, drawn('name="承認"', 'name="決裁"'))
    assert (later.cases.running, later.cases.before, later.cases.at_removed) == (2, 2, 0)
    gone = versions.compare(viewer, before, drawn('"approve"', '"decide"'))
    assert {one.what for one in gone.comparison.changes if one.element == "decide"} == {"id"}, "the same step under another id"
    other = versions.compare(viewer, before, drawn('<bpmn:userTask id="approve" name="承認"', '<bpmn:userTask id="decide" name="決裁"'))
    assert (other.cases.at_removed, [one[0] for one in other.cases.waiting]) == (1, ["approve"])
    assert versions.compare(viewer, before, before).cases.before == 0
    draft = desk.begin(viewer, "office_approval")
    files = {**desk.show(viewer, draft).files, "office/scenarios/told.yaml": "title: あ\n"}
    desk.save(viewer, draft, 1, files)
    told = versions.compare(viewer, before, f"d{draft}")
    assert ([one.how for one in told.comparison.changes], told.cases.before) == (["added"], 0), "a scenario concerns no case"
