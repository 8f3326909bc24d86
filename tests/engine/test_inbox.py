"""The inbox and the register: only what one's seats allow is shown or counted, in order, and paging loses nothing."""

from __future__ import annotations

import random
from datetime import timedelta
from typing import Any

import pytest

from engine import CaseNotFound, NotFound, TadachiError, TaskNotFound
from engine.batch import see
from engine.inbox import MAX_PAGE, escape_like, parse_after
from tests.support import AUDITOR, DIVISION, GENERAL, MANAGER, OTHER_MANAGER, STAFF, World, counted


def pages(world: World, seat: str, limit: int, **filters: Any) -> list[list[int]]:
    """Task ids page by page."""
    found, after = [], None
    while True:
        page = world.engine.inbox(world.viewer(seat), limit=limit, after=after, **filters)
        found.append([row.task_id for row in page.rows])
        after = page.next
        if after is None:
            return found


# ---------------------------------------------------------------- sight


def test_a_random_walk_never_shows_a_case_of_another_unit(world: World) -> None:
    """After every act, what each person can reach is compared with what the rows of `case_seat` and `task` say by plain Python."""
    chance = random.Random(20261116)
    seats = [STAFF, "staff@b", "staff@c", MANAGER, OTHER_MANAGER, "protection_manager@c", DIVISION, GENERAL, AUDITOR]
    viewers = {seat: world.viewer(seat) for seat in seats}
    cases: list[int] = []
    for _ in range(45):
        kind = chance.choice(["start", "complete", "transfer", "escalate", "withdraw"])
        try:
            if kind == "start" or not cases:
                unit = chance.choice("abc")
                cases.append(
                    world.start(chance.choice(["approval", "clock", "deadline"]), seat=f"staff@{chance.choice('abc')}", owning_unit=unit)
                )
            elif kind == "complete":
                row = chance.choice(world.rows("task", state="open"))
                answers = {"review": {"opinion": "よい"}, "approve": {"verdict": "granted"}}.get(row["node"], {})
                with world.acting(row["seat"]) as work:
                    work.complete(row["id"], answers)
            elif kind == "transfer":
                case_id = chance.choice(cases)
                world.act(case_id, "transfer", f"protection_manager@{world.case(case_id)['owning_unit']}", owning_unit=chance.choice("ab"))
            elif kind == "withdraw":
                case_id = chance.choice(cases)
                with world.acting(f"person:{world.case(case_id)['reporter']}") as work:
                    work.withdraw(case_id, "やめる")
            else:
                world.pass_time(hours=1)
        except TadachiError:
            pass
        check_sight(world, viewers)


def check_sight(world: World, viewers: dict[str, Any]) -> None:
    sight = world.rows("case_seat")
    tasks = world.rows("task")
    everyone = [row["id"] for row in world.rows("case_file")]
    attempts = random.Random(len(sight)).sample(everyone, min(3, len(everyone)))
    for seat, viewer in viewers.items():
        keys = {seat, f"person:{world.person(seat)}"}
        seen = {row["case_id"] for row in sight if row["seat"] in keys}
        mine = {row["id"] for row in tasks if row["state"] == "open" and row["seat"] in keys}
        inbox = world.engine.inbox(viewer, limit=MAX_PAGE)
        assert {row.task_id for row in inbox.rows} == mine
        assert inbox.counts.all == len(mine)
        assert {unit for unit, _ in inbox.units} == {row["unit"] for row in tasks if row["id"] in mine}
        heads, _ = world.engine.cases(viewer, limit=MAX_PAGE)
        assert {head.id for head in heads} == seen
        for case_id in attempts:
            for read in (world.engine.case, world.engine.diagram_state, world.engine.diagram):
                if case_id in seen:
                    read(viewer, case_id)
                else:
                    with pytest.raises(CaseNotFound):
                        read(viewer, case_id)
            for row in tasks:
                if row["case_id"] == case_id and case_id not in seen:
                    with pytest.raises(TaskNotFound):
                        world.engine.task(viewer, row["id"])
                    with pytest.raises(TaskNotFound):
                        world.engine.preview(viewer, row["id"], {})


def test_an_office_sees_nothing_of_another_with_the_same_seats(both: World) -> None:
    case_id = both.start("approval")
    task = both.task(case_id, "review")["id"]
    stranger = both.engine.viewer("protection_manager.a.elsewhere")
    assert both.engine.inbox(stranger).counts.all == 0
    assert both.engine.cases(stranger) == ((), None)
    for read in (lambda: both.engine.case(stranger, case_id), lambda: both.engine.task(stranger, task)):
        with pytest.raises(NotFound):
            read()


def test_a_file_is_read_only_by_who_sees_its_case(world: World) -> None:
    case_id = world.start("approval")
    with world.acting(STAFF) as work:
        attachment = work.attach(case_id, "a.txt", b"text")
    assert world.engine.attachment(world.viewer(MANAGER), attachment)[1] == b"text"
    with pytest.raises(NotFound):
        world.engine.attachment(world.viewer(OTHER_MANAGER), attachment)


def test_who_only_sees_a_task_gets_no_buttons(world: World) -> None:
    task = world.task(world.start("approval"), "review")["id"]
    page = world.engine.task(world.viewer(STAFF), task)
    assert (page.buttons, page.acting_seats, page.send_back_targets) == ((), (), ())
    assert "第一課 保護管理者" in page.why
    assert world.rows("task_read") == [], "and looking does not mark it read"


# ---------------------------------------------------------------- order and counts


def fill(world: World) -> list[int]:
    """Steps with different due instants: overdue, today, later, never, and one claimed."""
    made = [world.start("clock", duty="yes", report_days=days, known_at="2026-11-16 09:00") for days in (20, 10)]
    made.append(world.start("approval"))  # due at 13:00
    made.append(world.start("cycle"))  # never
    made.append(world.start("clock", duty="yes", report_days=10, known_at="2026-10-01 09:00"))  # overdue since October
    return made


def test_what_is_due_first_stands_first(both: World) -> None:
    cases = fill(both)
    page = both.engine.inbox(both.viewer(MANAGER))
    assert [row.case_id for row in page.rows] == [cases[4], cases[2], cases[1], cases[0], cases[3]]
    assert [(row.overdue, row.statutory, row.due_at is None) for row in page.rows] == [
        (True, True, False), (False, False, False), (False, True, False), (False, True, False), (False, False, True),
    ]  # fmt: skip
    assert page.rows[1].clause == "試験規程 第2条" and page.rows[1].urgency_label == "直ちに"
    with both.acting(MANAGER) as work:
        work.claim(page.rows[0].task_id)
    both.engine.task(both.viewer(MANAGER), page.rows[1].task_id)
    page = both.engine.inbox(both.viewer(MANAGER))
    counts = page.counts
    assert (counts.all, counts.overdue, counts.today, counts.mine, counts.unread) == (5, 1, 1, 1, 4)
    assert page.rows[0].claimed_by_name == "第一課 保護管理者さん"
    assert not page.rows[1].unread


def test_filters(both: World) -> None:
    cases = fill(both)
    both.start("approval", seat="staff@b", owning_unit="b")
    viewer = both.viewer(MANAGER)

    def found(**filters: Any) -> list[int]:
        page = both.engine.inbox(viewer, **filters)
        assert page.counts.all == 5, "counts are of everything, whatever the filter"
        return sorted(row.case_id for row in page.rows)

    assert found(show="overdue") == [cases[4]]
    assert found(show="today") == [cases[2]]
    assert found(show="mine") == []
    assert found(show="unread") == sorted(cases)
    assert found(process="office_cycle") == [cases[3]]
    assert found(unit="a") == sorted(cases) and found(unit="b") == []
    assert found(text=both.case(cases[1])["number"]) == [cases[1]]
    assert found(text="作成") == sorted([cases[0], cases[1], cases[4]])
    assert found(text="書庫") == sorted(cases)
    assert found(process="x\x00", unit="\ud800", text="\x00") == []
    assert found(show="nonsense") == sorted(cases)
    assert {name for name, _ in both.engine.inbox(viewer).processes} == {"office_approval", "office_clock", "office_cycle"}


def test_what_is_typed_is_looked_for_and_not_interpreted(both: World) -> None:
    titles = ["100%の件", "1000の件", "a_bの件", "axbの件", r"c\dの件", "cdの件", "'; DROP TABLE task; --"]
    for title in titles:
        both.start("approval", item_summary=title)
    for text, count in [
        ("100%", 1),
        ("a_b", 1),
        (r"c\d", 1),
        ("%", 1),
        ("_", 1),
        ("\\", 1),
        ("'; DROP", 1),
        ("の件", 6),
        ("A_B", 1),
        ("　", 7),
        ("%%%", 0),
    ]:
        assert len(both.engine.inbox(both.viewer(MANAGER), text=text).rows) == count, text
        assert len(both.engine.cases(both.viewer(MANAGER), text=text)[0]) == count, text
    assert escape_like(r"a%b_c\d") == r"%a\%b\_c\\d%"


# ---------------------------------------------------------------- paging


def test_no_row_is_lost_or_doubled_while_others_come_and_go(both: World) -> None:
    for number in range(9):
        both.start("cycle" if number % 3 else "approval", item_summary=f"{number}")
        both.clock.advance(minutes=number % 2)
    expected = pages(both, MANAGER, 100)[0]
    assert [task for page in pages(both, MANAGER, 2) for task in page] == expected
    first = both.engine.inbox(both.viewer(MANAGER), limit=4)
    shown = [row.task_id for row in first.rows]
    both.start("clock", duty="yes", report_days=1, known_at="2026-10-01 09:00")  # before the page
    late = both.start("cycle")  # after it
    assert first.rows[0].step == "審査"
    both.complete(first.rows[0].case_id, "review", opinion="よい")
    after = first.next
    while after is not None:
        page = both.engine.inbox(both.viewer(MANAGER), limit=4, after=after)
        shown += [row.task_id for row in page.rows]
        after = page.next
    assert shown == [*expected, both.task(late, "work")["id"]]


def test_the_register_pages_by_number_newest_first(both: World) -> None:
    made = [both.start("approval", item_summary=f"{number}") for number in range(7)]
    heads, after = both.engine.cases(both.viewer(MANAGER), limit=3)
    both.start("approval", item_summary="後から")
    found = [head.id for head in heads]
    while after is not None:
        heads, after = both.engine.cases(both.viewer(MANAGER), limit=3, after=after)
        found += [head.id for head in heads]
    assert found == made[::-1]


@pytest.mark.parametrize(
    "after",
    ["", "x", "1", "1.", ".1", "1.x", "²", "²1.5", "1.²", "９.９", "-5.3", "1" * 30 + ".1", "1." + "1" * 30, "1.1.1", "\x00"],
    ids=range(15),
)
def test_a_made_up_page_marker_does_no_harm(world: World, after: str) -> None:
    world.start("approval")
    world.engine.inbox(world.viewer(MANAGER), after=after)
    world.engine.cases(world.viewer(MANAGER), after=after)
    assert parse_after("170.4") == (170, 4) and parse_after("x") is None


def test_the_register_filters(both: World) -> None:
    mine = both.start("approval")
    theirs = both.start("approval", seat="staff@b", owning_unit="a")
    moved = both.start("clock", duty="no", owning_unit="b")
    with both.acting("staff@b") as work:
        work.withdraw(theirs, "やめる")

    def found(seat: str, **filters: Any) -> list[int]:
        return [head.id for head in both.engine.cases(both.viewer(seat), **filters)[0]]

    assert found(STAFF, mine=True) == [moved, mine]
    assert found(AUDITOR) == [moved, theirs, mine]
    assert found(AUDITOR, state="withdrawn") == [theirs]
    assert found(AUDITOR, state="open", unit="b") == [moved]
    assert found(AUDITOR, state="closed") == []
    assert found(MANAGER, mine=True) == []
    heads = {head.id: head for head in both.engine.cases(both.viewer(AUDITOR))[0]}
    assert heads[theirs].state_text == "取下げ" and heads[mine].state_text == "処理中：審査"


@pytest.mark.parametrize(("limit", "rows"), [(0, 1), (-5, 1), (2, 2), (10_000, 3)])
def test_limits_are_kept_in_bounds(world: World, limit: int, rows: int) -> None:
    for _ in range(3):
        world.start("approval")
    assert len(world.engine.inbox(world.viewer(MANAGER), limit=limit).rows) == rows


def test_the_inbox_stays_within_its_statements(both: World) -> None:
    """DESIGN 9: at most 6 statements, however many rows."""
    fill(both)
    viewer = both.viewer(MANAGER)
    with counted(both.engine.database) as sent:
        both.engine.viewer("protection_manager.a")
        both.engine.inbox(viewer, text="件", show="today")
        few = len(sent)
        both.engine.inbox(viewer)
    assert few <= 6 and len(sent) - few <= 6, "\n".join(sent)


def test_drafts_belong_to_one_person(both: World) -> None:
    task = both.task(both.start("approval"), "review")["id"]
    viewer, other = both.viewer(MANAGER), both.viewer(DIVISION)
    both.engine.save_draft(viewer, f"task:{task}", {"opinion": "途中", "kind": "\ud800"})
    both.engine.save_draft(viewer, f"task:{task}", {"opinion": "途中まで"})
    assert both.engine.load_draft(viewer, f"task:{task}") == ({"opinion": "途中まで"}, both.clock.now())
    assert both.engine.load_draft(other, f"task:{task}") == (None, None)
    assert next(field.value for field in both.engine.task(viewer, task).fields if field.id == "opinion") == "途中まで"
    assert "opinion" not in both.facts(1), "what was only typed never reaches the case"
    both.engine.save_draft(viewer, f"task:{task}", {})
    assert both.engine.load_draft(viewer, f"task:{task}") == (None, None)
    with pytest.raises(TadachiError):
        both.engine.save_draft(viewer, "x" * 201, {"a": 1})
    with pytest.raises(TadachiError):
        both.engine.save_draft(viewer, "x", {"a": "あ" * 200_001})


def test_sight_given_by_an_escalation_is_only_sight(world: World) -> None:
    case_id = world.start("approval")
    with world.engine.writing() as connection:
        see(connection, "office", case_id, [GENERAL])
    assert world.engine.case(world.viewer(GENERAL), case_id).actions == ()
    world.clock.advance(seconds=timedelta(days=1).total_seconds())
    assert world.engine.inbox(world.viewer(GENERAL)).counts.all == 0
