"""What if nobody acts: the schedule told beforehand is what happens afterwards, and telling it changes nothing."""

from __future__ import annotations

from datetime import date, timedelta
from typing import Any

import pytest
import sqlalchemy as sa

from engine import CaseNotFound
from engine.model import metadata
from tests.support import DIVISION, GENERAL, MANAGER, World


def everything(world: World) -> dict[str, list[tuple[Any, ...]]]:
    """Every row of every table."""
    with world.engine.reading() as connection:
        return {name: sorted(map(tuple, connection.execute(sa.select(table))), key=repr) for name, table in metadata.tables.items()}


def test_the_schedule_is_told_and_nothing_is_changed_by_telling(both: World) -> None:
    """A review due 直ちに: the holder after an hour, the rung above after three."""
    case_id = both.start("approval")
    before = everything(both)
    told = both.engine.if_nobody_acts(both.viewer(MANAGER), case_id, 3)
    assert everything(both) == before
    now = both.clock.now()
    assert [(one.at - now, one.step, one.to) for one in told] == [
        (timedelta(hours=1), "審査", ("第一課 保護管理者さん",)),
        (timedelta(hours=3), "審査", ("第一課 保護管理者さん", "北部 部課等保護管理者さん")),
    ]
    assert told[0].what == "処理が済んでいません（督促）"


@pytest.mark.parametrize("process", ["approval", "parallel", "clock", "cycle"])
def test_what_is_foretold_is_what_happens(world: World, process: str) -> None:
    """The same instants, words and people, when then indeed nobody acts."""
    given = {"duty": "yes", "report_days": 5, "known_at": "2026-11-16 09:00"} if process == "clock" else {}
    case_id = world.start(process, **given)
    told = world.engine.if_nobody_acts(world.viewer("person:staff.a"), case_id, 20)
    known = {row["id"] for row in world.notices()}
    world.pass_time(days=20)
    happened: dict[tuple[Any, str], set[str]] = {}
    for row in world.notices():
        if row["id"] not in known:
            happened.setdefault((row["created_at"], row["cause"]), set()).add(row["person"])
    assert sorted((one.at, len(one.to)) for one in told) == sorted((at, len(who)) for (at, _), who in happened.items())


def test_what_is_only_shown_is_foretold_as_such(world: World) -> None:
    """As each recipient has chosen by then; what is 直ちに goes out whatever was chosen."""
    pressing, other = world.start("approval"), world.start("cycle")
    viewer = world.viewer("person:staff.a")

    def mailed(case_id: int) -> set[bool]:
        told = world.engine.if_nobody_acts(viewer, case_id, 20)
        assert told
        return {one.mailed for one in told}

    assert mailed(pressing) == mailed(other) == {True}
    for who, *_ in world.engine.people_of("office"):
        one = world.engine.viewer(who)
        world.engine.receiving.save(one, dict.fromkeys(("step_told", "remind"), "in_app"), digest=False, quiet_time="office")
    assert mailed(pressing) == {True} and mailed(other) == {False}


def test_an_order_of_tomorrow_is_foretold_with_its_holder(world: World) -> None:
    """Who will hold the seat by then is told, not who holds it now."""
    case_id = world.start("approval")
    keeper = world.viewer(GENERAL)
    world.engine.personnel.register(keeper, "successor", "後任の課長")
    row = next(one for one in world.rows("holding") if one["person"] == "protection_manager.a")
    world.engine.personnel.end_holding(keeper, row["id"], date(2026, 11, 16), "異動")
    world.engine.personnel.appoint(keeper, "successor", MANAGER, "main", date(2026, 11, 17))
    world.clock.set(world.clock.now().replace(hour=14, minute=30))  # 23:30 in Japan
    late = world.start("approval")
    told = world.engine.if_nobody_acts(world.viewer("person:staff.a"), late, 1)
    assert told[0].to == ("後任の課長",)
    assert case_id != late


def test_only_who_sees_the_case_is_told_its_schedule(world: World) -> None:
    case_id = world.start("approval")
    with pytest.raises(CaseNotFound):
        world.engine.if_nobody_acts(world.viewer(DIVISION), case_id)
    stranger = world.engine.people_of("elsewhere")[0][0]
    with pytest.raises(CaseNotFound):
        world.engine.if_nobody_acts(world.engine.viewer(stranger), case_id)
