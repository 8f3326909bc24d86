"""Reorganisation (組織改正): units are renamed, moved, merged and split from a day on; work and sight follow without a case being touched."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date, timedelta

import pytest

from engine import NotAllowed, OrderInvalid, OrderRefused, UnitChange, staffing
from engine.organisation import amended
from engine.reorganisation import dumped, loaded, reform
from tests.engine.posts import (
    DIVISION_HEAD,
    KEEPER,
    MANAGER_A,
    MANAGER_B,
    STAFF_A,
    TODAY,
    TOMORROW,
    Posts,
    moved,
    second_engine,
)
from tests.support import DIVISION, GENERAL, MANAGER, OTHER_MANAGER, in_threads


def rename(unit: str, name: str, parent: str = "") -> UnitChange:
    """A unit gets another name, or another unit above."""
    return UnitChange("rename", (unit,), (name,), "", parent)


def merge(*units: str, name: str = "", into: str = "") -> UnitChange:
    """Units become one: a new one, or one that exists."""
    return UnitChange("merge", units, (name,) if name else (), into)


def split(unit: str, *names: str) -> UnitChange:
    """A unit becomes several."""
    return UnitChange("split", (unit,), names)


def drafts(posts: Posts, *changes: UnitChange, day: date | None = None) -> int:
    """An order that nobody has approved yet."""
    return posts.engine.orders.reorganise(posts.who(KEEPER), "組織改正", day or posts.on + timedelta(days=1), changes)


def orders(posts: Posts, *changes: UnitChange, day: date | None = None) -> int:
    """An approved order for tomorrow."""
    made = drafts(posts, *changes, day=day)
    posts.engine.orders.approve(posts.who(DIVISION_HEAD), made)
    return made


def faults(posts: Posts, *changes: UnitChange, day: date = TOMORROW) -> list[str]:
    """What is wrong with changes: the columns."""
    with pytest.raises(OrderInvalid) as refused:
        drafts(posts, *changes, day=day)
    return [fault.column for fault in refused.value.faults]


def heir(unit: str, day: date = TOMORROW, number: int = 1) -> str:
    """The id of a unit that begins."""
    return f"{unit}_{day:%Y%m%d}" + (f"_{number}" if number > 1 else "")


def seats_of(posts: Posts, person: str) -> list[str]:
    """The seats a person may act from."""
    return [held.seat for held in posts.who(person).seats]


# ---------------------------------------------------------------- a new name


def test_a_renamed_unit_keeps_its_people_their_work_and_their_sight(posts_both: Posts) -> None:
    """Work of before stays in rows of the old unit and is answered by the new; new steps of old cases are the new unit's."""
    posts = posts_both
    done, waiting = posts.start("pair"), posts.start("duty")
    posts.does(MANAGER_A, done, "first", found="済")
    posts.does(STAFF_A, waiting, "prepare")
    order = orders(posts, rename("a", "企画課"))
    shown = posts.engine.orders.all(posts.who(KEEPER))[0]
    assert (shown.id, shown.kind, shown.state, shown.in_force) == (order, "reorganisation", "approved", False)
    before = posts.of_cases()
    assert seats_of(posts, MANAGER_A) == [MANAGER]
    posts.to_midnight()
    after = posts.of_cases()
    assert {name: total for name, total in after.items() if name in ("case_file", "task", "case_seat")} == {
        name: before[name] for name in ("case_file", "task", "case_seat")
    }
    new = f"protection_manager@{heir('a')}"
    assert seats_of(posts, MANAGER_A) == [new, MANAGER]
    assert (posts.inbox_of(MANAGER_A), posts.sees(MANAGER_A)) == (["approve"], {done, waiting})
    assert posts.engine.inbox(posts.who(MANAGER_A)).rows[0].seat_name == "第一課 保護管理者"
    finished = posts.does(MANAGER_A, waiting, "approve", verdict="granted")
    assert (finished["closed_by"], finished["closed_seat"]) == (MANAGER_A, MANAGER)
    row = posts.history(waiting, "task.completed")[-1]
    assert row["data"]["acting"] == {"kind": "main", "held": new}
    posts.does(DIVISION_HEAD, done, "second", count=1)
    assert posts.engine.verify_history() == ()


def test_new_steps_of_old_cases_and_new_cases_belong_to_the_successor(posts: Posts) -> None:
    old = posts.start("duty")
    orders(posts, rename("a", "企画課"))
    posts.to_midnight()
    posts.does(STAFF_A, old, "prepare")
    assert posts.task(old, "approve")["seat"] == f"protection_manager@{heir('a')}"
    assert posts.task(old, "approve")["unit"] == "a", "the case is what it was"
    with posts.by(STAFF_A) as work:
        new = work.start("office_about", {"item_summary": "新しい課の案件", "owning_unit": heir("a")})
    assert (posts.case(new)["owning_unit"], posts.task(new, "handle")["seat"]) == (heir("a"), f"protection_manager@{heir('a')}")
    assert posts.facts(new)["reporting_unit"] == heir("a")
    chart = [unit.name for unit in posts.engine.personnel.chart(posts.who(KEEPER))]
    assert "企画課" in chart and "第一課" not in chart
    assert "第一課" in [unit.name for unit in posts.engine.personnel.chart(posts.who(KEEPER), TODAY)]


def test_a_unit_that_is_no_more_is_not_chosen_for_a_new_case(posts: Posts) -> None:
    from engine import FormInvalid

    orders(posts, rename("a", "企画課"))
    posts.to_midnight()
    with pytest.raises(FormInvalid):
        posts.start("about", seat="staff@b", owning_unit="a")


def test_escalation_climbs_from_the_old_seat_to_the_next_rung_of_today(posts: Posts) -> None:
    """The unit goes under another division meanwhile: its step is late, and the new division's head is told."""
    orders(posts, rename("north", "北部改", ""), day=TOMORROW)
    posts.clock.set(posts.clock.now().replace(hour=14, minute=0))  # 23:00 in Japan
    case_id = posts.start("approval")
    posts.pass_time(hours=4)
    new = f"division_protection_manager@{heir('north')}"
    assert new in {row["seat"] for row in posts.rows("case_seat", case_id=case_id)}
    assert "escalate" in {row["template"] for row in posts.notices(DIVISION_HEAD)}
    assert posts.sees(DIVISION_HEAD) == {case_id}
    assert posts.engine.organisations["office"].next_seat(MANAGER, posts.on) == new


# ---------------------------------------------------------------- another place


def test_a_unit_that_moves_is_decided_by_the_unit_now_above_it(posts_both: Posts) -> None:
    posts = posts_both
    case_id = posts.start("about", owning_unit="c")
    assert posts.engine.organisations["office"].next_seat("protection_manager@c", TODAY) == GENERAL
    orders(posts, rename("c", "離れ", parent="north"))
    posts.to_midnight()
    assert posts.engine.organisations["office"].next_seat("protection_manager@c", TOMORROW) == DIVISION
    posts.does("protection_manager.c", case_id, "handle")
    assert posts.task(case_id, "settle")["seat"] == DIVISION, "it had no division before"


# ---------------------------------------------------------------- merging


def test_a_unit_merged_into_another_hands_its_work_to_the_others_people(posts_both: Posts) -> None:
    posts = posts_both
    mine, other = posts.start("about", owning_unit="b", seat="staff@b"), posts.start("about")
    preview = posts.engine.orders.preview(posts.who(DIVISION_HEAD), made := drafts(posts, merge("b", into="a")))
    assert (preview.units, preview.cases, preview.may_approve) == ((("第二課", "第一課"),), 1, True)
    posts.engine.orders.approve(posts.who(DIVISION_HEAD), made)
    assert posts.inbox_of(MANAGER_A) == ["handle"]
    posts.to_midnight()
    assert (posts.inbox_of(MANAGER_A), posts.inbox_of(MANAGER_B)) == (["handle", "handle"], [])
    assert posts.sees(MANAGER_A) == {mine, other} and posts.sees(MANAGER_B) == set()
    assert seats_of(posts, MANAGER_B) == [], "who goes where is for a personnel order to say"
    done = posts.does(MANAGER_A, mine, "handle")
    assert done["closed_seat"] == OTHER_MANAGER
    assert posts.history(mine, "task.completed")[0]["data"]["acting"]["held"] == MANAGER
    assert posts.sees("staff.b") == {mine}, "the own report stays"


def test_units_merged_into_a_new_one_are_led_by_the_first_ones_people(posts: Posts) -> None:
    cases = {unit: posts.start("about", owning_unit=unit) for unit in "ab"}
    orders(posts, merge("b", "a", name="総合課"))
    posts.to_midnight()
    new = heir("b")
    assert set(seats_of(posts, MANAGER_B)) == {f"protection_manager@{new}", MANAGER, OTHER_MANAGER}
    assert seats_of(posts, MANAGER_A) == []
    assert (posts.inbox_of(MANAGER_B), posts.sees(MANAGER_B)) == (["handle", "handle"], set(cases.values()))
    assert posts.engine.organisations["office"].units[new].name == "総合課"
    assert posts.engine.organisations["office"].resolve("protection_manager", "a", TOMORROW) == f"protection_manager@{new}"


# ---------------------------------------------------------------- splitting


def test_a_unit_split_in_two_leaves_its_cases_to_the_first(posts_both: Posts) -> None:
    posts = posts_both
    case_id = posts.start("about")
    orders(posts, split("a", "第一課甲", "第一課乙"))
    posts.to_midnight()
    one, two = heir("a"), heir("a", number=2)
    assert (posts.inbox_of(MANAGER_A), posts.sees(MANAGER_A)) == (["handle"], {case_id})
    assert f"protection_manager@{one}" in seats_of(posts, MANAGER_A)
    office = posts.engine.organisations["office"]
    assert (office.units[two].name, office.units[two].seats) == ("第一課乙", ("protection_manager", "staff"))
    empty = {one.seat for one in posts.engine.personnel.vacancies(posts.who(KEEPER))}
    assert {f"protection_manager@{two}", f"staff@{two}"} <= empty
    posts.newcomer("second")
    posts.order(moved("second", "第一課乙", "保護管理者", "任命"))
    posts.to_midnight()
    assert (posts.inbox_of("second"), posts.sees("second")) == ([], set())
    with posts.by(STAFF_A) as work:  # what belongs to the other half is transferred, case by case
        work.act(case_id, "transfer", {"owning_unit": two})
    assert (posts.inbox_of("second"), posts.inbox_of(MANAGER_A)) == (["handle"], [])


# ---------------------------------------------------------------- one change after the other


def test_several_successions_in_a_row_lead_to_the_last(posts: Posts) -> None:
    """Renamed, renamed again, merged into another: whoever answers for the last answers for all before."""
    case_id = posts.start("about")
    orders(posts, rename("a", "企画課"))
    posts.to_midnight()
    first = heir("a")
    orders(posts, rename(first, "政策課"))
    posts.to_midnight()
    second = heir(first, posts.on)
    assert posts.inbox_of(MANAGER_A) == ["handle"]
    orders(posts, merge(second, into="b"))
    posts.to_midnight()
    assert (posts.inbox_of(MANAGER_A), posts.inbox_of(MANAGER_B)) == ([], ["handle"])
    office = posts.engine.organisations["office"]
    assert [office.current_unit("a", TODAY + timedelta(days=day)) for day in range(4)] == ["a", first, second, "b"]
    assert [office.current_seat(MANAGER, TODAY + timedelta(days=day)) for day in range(4)] == [
        MANAGER, f"protection_manager@{first}", f"protection_manager@{second}", OTHER_MANAGER,
    ]  # fmt: skip
    assert [unit.id for unit in office.chain("a", posts.on)] == ["b", "north", "office"]
    assert set(office.answered_by(OTHER_MANAGER, posts.on)) == {MANAGER, f"protection_manager@{first}", f"protection_manager@{second}"}
    posts.does(MANAGER_B, case_id, "handle")


def test_a_unit_is_not_merged_into_one_where_nobody_would_answer(posts: Posts) -> None:
    office = posts.engine.organisations["office"]
    after = amended(office, {"b": (TOMORROW, "north")}, [])
    assert after.current_seat(OTHER_MANAGER, TOMORROW) is None, "nobody above has the role"
    assert "部署" in faults(posts, merge("b", into="north")), "north has no 保護管理者: nobody would answer"


def test_changes_of_one_order_stand_together(posts: Posts) -> None:
    """Two units trade names in one order; a third goes below a unit that is renamed at the same time."""
    orders(posts, rename("a", "第一課改"), rename("north", "北部改"), rename("c", "離れ改", parent="north"))
    posts.to_midnight()
    office = posts.engine.organisations["office"]
    assert [unit.id for unit in office.chain("c", posts.on)] == [heir("c"), heir("north"), "office"]
    assert seats_of(posts, DIVISION_HEAD)[0] == f"division_protection_manager@{heir('north')}"


def test_the_chart_shows_every_unit_there_is(posts: Posts) -> None:
    """Even one whose own unit above has become itself, as when a division is merged into its last section."""
    office = amended(posts.engine.organisations["office"], {"north": (TOMORROW, "a")}, [])
    with posts.engine.reading() as connection:
        shown = [(unit.id, unit.depth) for unit in staffing.chart(connection, office, TOMORROW)]
    assert shown == [("office", 0), ("a", 1), ("b", 2), ("c", 1)]


# ---------------------------------------------------------------- what is wrong


def test_nothing_is_put_below_itself(posts: Posts) -> None:
    assert faults(posts, rename("north", "北部改", parent="a")) == ["上位の部署"]
    assert faults(posts, rename("a", "第一課改", parent="a")) == ["上位の部署"]


@pytest.mark.parametrize(
    ("changes", "columns"),
    [
        ([], [""]),
        ([rename("office", "新庁")], ["部署"]),
        ([rename("nowhere", "新課")], ["部署"]),
        ([rename("a", "第二課")], ["新しい名称"]),
        ([rename("a", " ")], ["新しい名称"]),
        ([rename("a", "課" * 101)], ["新しい名称"]),
        ([rename("a", "新\u202e課")], ["新しい名称"]),
        ([rename("a", "新課", parent="nowhere")], ["上位の部署"]),
        ([rename("a", "新課"), rename("a", "別課")], ["部署"]),
        ([rename("a", "新課"), rename("b", "新課")], ["新しい名称"]),
        ([split("a", "一つだけ")], ["新しい名称"]),
        ([split("a", "同じ", "同じ")], ["新しい名称", "新しい名称"]),
        ([UnitChange("split", ("a", "b"), ("x", "y"))], ["部署"]),
        ([merge("a", into="a")], ["統合先"]),
        ([merge("a", into="nowhere")], ["統合先"]),
        ([rename("b", "新課"), merge("a", into="b")], ["統合先"]),
        ([merge("a", "a", name="新課")], ["部署"]),
        ([UnitChange("abolish", ("a",))], ["種類"]),
    ],
    ids=lambda value: None,
)
def test_changes_that_do_not_hold_together(posts: Posts, changes: Sequence[UnitChange], columns: list[str]) -> None:
    assert faults(posts, *changes) == columns
    assert posts.rows("personnel_order") == []


def test_a_name_that_becomes_free_the_same_day_may_be_taken(posts: Posts) -> None:
    orders(posts, rename("a", "第一課"))  # the same unit under its own name, as a fresh one
    posts.to_midnight()
    assert posts.engine.organisations["office"].units[heir("a")].name == "第一課"


def test_a_change_is_for_a_day_to_come_and_for_a_unit_of_that_day(posts: Posts) -> None:
    assert faults(posts, rename("a", "企画課"), day=TODAY) == ["施行日"]
    orders(posts, rename("a", "企画課"))
    assert faults(posts, rename("a", "政策課"), day=TOMORROW + timedelta(days=5)) == ["部署"]


def test_only_who_keeps_the_registers_drafts_and_a_second_person_approves(posts: Posts) -> None:
    with pytest.raises(NotAllowed):
        posts.engine.orders.reorganise(posts.who(DIVISION_HEAD), "改正", TOMORROW, [rename("a", "企画課")])
    made = drafts(posts, rename("a", "企画課"))
    with pytest.raises(OrderRefused):
        posts.engine.orders.approve(posts.who(KEEPER), made)
    assert posts.rows("unit_change") == []


def test_a_draft_that_no_longer_fits_is_refused_when_it_is_approved(posts: Posts) -> None:
    one, two = drafts(posts, rename("a", "企画課")), drafts(posts, rename("a", "政策課"))
    posts.engine.orders.approve(posts.who(DIVISION_HEAD), one)
    preview = posts.engine.orders.preview(posts.who(DIVISION_HEAD), two)
    assert (preview.may_approve, [column for _, column, _ in preview.faults]) == (False, ["部署"])
    with pytest.raises(OrderInvalid):
        posts.engine.orders.approve(posts.who(DIVISION_HEAD), two)
    assert len(posts.rows("unit_change")) == 2


def test_an_appointment_to_a_unit_that_is_no_more_by_then_is_refused(posts: Posts) -> None:
    """The personnel order was read before the reorganisation was approved."""
    made = posts.read(moved(STAFF_A, "第二課", "職員"))
    orders(posts, merge("b", into="a"))
    with pytest.raises(OrderInvalid):
        posts.engine.orders.approve(posts.who(DIVISION_HEAD), made)


def test_of_two_changes_of_one_unit_approved_at_once_one_stands(posts_both: Posts) -> None:
    posts = posts_both
    posts.newcomer("second", DIVISION, kind="joint")
    people = (DIVISION_HEAD, "second")
    made = [drafts(posts, rename("a", name)) for name in ("企画課", "政策課")]
    results = in_threads(2, lambda number: posts.engine.orders.approve(posts.who(people[number]), made[number]))
    assert sorted(type(result).__name__ for result in results) == ["NoneType", "OrderInvalid"], results
    assert len(posts.rows("unit_change")) == 2


# ---------------------------------------------------------------- deputies and handovers


def test_a_deputy_for_a_seat_goes_on_when_the_unit_gets_another_name(posts: Posts) -> None:
    """Nobody has changed but the unit's name: who stood in yesterday stands in today."""
    posts.newcomer("helper")
    posts.deputy(MANAGER_A, "helper", seat=MANAGER)
    case_id = posts.start("about")
    orders(posts, rename("a", "企画課"))
    posts.to_midnight()
    assert posts.inbox_of("helper") == ["handle"]
    assert posts.does("helper", case_id, "handle")["closed_for"] == MANAGER_A


def test_what_a_merged_unit_leaves_is_handed_over(posts: Posts) -> None:
    """The successor's manager takes over the other manager's open steps; whoever keeps his work hands nothing over to himself."""
    posts.start("about", owning_unit="b")
    orders(posts, merge("b", into="a"), rename("c", "離れ改"))
    shown = posts.engine.orders.handovers(posts.who(KEEPER), everybody=True)
    assert {(one.seat, one.giver, one.taker) for one in shown} == {
        (OTHER_MANAGER, MANAGER_B, MANAGER_A), ("staff@b", "staff.b", STAFF_A),
    }  # fmt: skip


# ---------------------------------------------------------------- elsewhere


def test_another_process_knows_within_a_minute(posts_both: Posts) -> None:
    posts = posts_both
    case_id = posts.start("about", owning_unit="b")
    other = second_engine(posts)
    assert other.viewer(MANAGER_A).seats
    orders(posts, merge("b", into="a"))
    posts.clock.advance(seconds=61)
    other.viewer(MANAGER_A)
    assert "b" in other.organisations["office"].successors, "long before its day"
    posts.to_midnight()
    assert {row.case_id for row in other.inbox(other.viewer(MANAGER_A)).rows} == {case_id}
    with other.work(by=MANAGER_A) as work:
        work.complete(posts.task(case_id, "handle")["id"], {})
    other.close()
    fresh = second_engine(posts)
    assert [held.seat for held in fresh.viewer(MANAGER_A).seats] == [MANAGER, OTHER_MANAGER]
    fresh.close()


def test_the_other_office_is_untouched(posts: Posts) -> None:
    orders(posts, rename("a", "企画課"))
    posts.to_midnight()
    assert [held.seat for held in posts.who("protection_manager.a.elsewhere").seats] == [MANAGER]
    assert posts.engine.organisations["elsewhere"].units["a"].valid_to is None


def test_diagrams_come_into_force_as_before_and_find_the_new_units(posts: Posts) -> None:
    orders(posts, rename("a", "企画課"), merge("c", into="b"))
    posts.to_midnight()
    assert posts.engine.deploy("office", "designer.office") == (), "nothing has changed in the folder"
    with posts.engine.writing() as connection:
        from engine.model import definition

        connection.execute(definition.update().where(definition.c.organisation == "office").values(digest="changed"))
    assert len(posts.engine.deploy("office", "designer.office")) > 10, "every diagram is looked at again, with the units of today"
    with posts.by(STAFF_A) as work:
        case_id = work.start("office_pair", {"item_summary": "新版", "owning_unit": heir("a")})
    posts.does(MANAGER_A, case_id, "first", found="済")
    assert posts.waits(case_id) == ["second"]


def test_changes_are_kept_as_they_were_told(posts: Posts) -> None:
    told = (rename("a", "企画課", parent="north"), merge("b", "c", name="総合課"), split("north", "東部", "西部"))
    assert loaded(dumped(told)) == told
    made = reform(posts.engine.organisations["office"], [rename("a", "企画課")], TOMORROW, TODAY)
    assert (made.faults, made.ends) == ([], {"a": (TOMORROW, heir("a"))})
