"""kill -9 at random moments: what was acknowledged is there, nothing is half done, and the checker would have seen it otherwise."""

from __future__ import annotations

import random
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.faults.checker import check
from tests.support import ROOT, World, make_world, offices, postgresql_copy

KILLS = 4
CHILDREN = 2


@pytest.fixture(params=["sqlite", pytest.param("postgresql", marks=pytest.mark.postgresql)])
def place(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[World]:
    """A world, and the database other processes find it in."""
    if request.param == "sqlite":
        world = make_world(tmp_path)
        yield world
        world.engine.close()
        return
    with postgresql_copy(request.getfixturevalue("postgresql_url")) as url:
        world = make_world(tmp_path, url)
        yield world
        world.engine.close()


def test_killed_processes_leave_nothing_half_done(place: World) -> None:
    chance = random.Random(place.engine.database.dialect.name)
    acknowledged: list[int] = []
    for kill in range(KILLS):
        children = [
            subprocess.Popen(
                [sys.executable, "-m", "tests.faults.child", place.engine.settings.database, str(offices()), str(kill * 10 + number)],
                cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
            )
            for number in range(CHILDREN)
        ]  # fmt: skip
        for child in children:
            assert child.stdout is not None and child.stderr is not None
            if child.stdout.readline() != "ready\n":
                raise AssertionError(child.stderr.read())
        counter = children[kill % CHILDREN].stdout
        assert counter is not None
        # One child is followed for a random number of steps; where the other one is by then, nobody knows.
        acknowledged += [int(counter.readline()) for _ in range(chance.randrange(4, 30))]
        for child in children[:: chance.choice((1, -1))]:
            child.kill()
        for child in children:
            out, err = child.communicate(timeout=30)
            assert "Traceback" not in err, err
            acknowledged += [int(line) for line in out.splitlines() if line.isdigit()]
        assert list(check(place, acknowledged)) == []
    assert len(acknowledged) == len(set(acknowledged)), "no step was completed twice"
    place.clock.advance(days=1)
    place.run()
    assert list(check(place, acknowledged)) == [], "and the work goes on where they were stopped"


# ---------------------------------------------------------------- the checker sees what is wrong


@pytest.mark.parametrize(
    ("damage", "says"),
    [
        ("UPDATE task SET state = 'done' WHERE id = 2", "waits for"),
        ("DELETE FROM task WHERE id = 2", "waits for"),
        ("UPDATE task SET state = 'open', closed_by = NULL WHERE id = 1", "waits for"),
        ("UPDATE case_file SET marking = (SELECT marking FROM case_file WHERE id = 2) WHERE id = 1", "waits for"),
        ("UPDATE case_file SET state = 'closed' WHERE id = 1", "is closed and waits"),
        ("INSERT INTO job (case_id, kind, key, payload, attempts) VALUES (1, 'timer', 'wait:99:gone', '{}', 0)", "timers nobody waits for"),
        ("DELETE FROM notice", "nobody was told"),
        ("DELETE FROM job WHERE kind = 'deliver'", "notices that go no way at all"),
        ("UPDATE job SET error = 'x'", "failed"),
        ("UPDATE case_file SET history_seq = history_seq + 1", "末尾の記録が消えている"),
    ],
)
def test_the_checker_finds_a_broken_database(tmp_path: Path, damage: str, says: str) -> None:
    world = make_world(tmp_path)
    case_id = world.start("approval")
    world.complete(case_id, "review", opinion="よい")
    world.start("cycle")
    assert list(check(world)) == []
    with world.engine.writing() as connection:
        connection.exec_driver_sql("PRAGMA defer_foreign_keys = ON")
        connection.exec_driver_sql(damage)
    assert any(says in fault for fault in check(world)), list(check(world))
    world.engine.close()


def test_the_checker_finds_a_broken_build(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """An engine that commits the step before its record: killed between the two, the record is missing."""
    from engine.store import Writer

    world = make_world(tmp_path)
    case_id = world.start("approval")

    def half(writer: Writer, *_: object) -> None:
        writer._connection.commit()
        raise KeyboardInterrupt

    with monkeypatch.context() as patched:
        patched.setattr(Writer, "_close_chain", half)
        with pytest.raises(KeyboardInterrupt):
            world.complete(case_id, "review", opinion="よい")
    faults = list(check(world))
    assert any("waits for" in fault for fault in faults) and any("0 rows of completion" in fault for fault in faults)
    world.engine.close()


def test_a_step_nobody_acknowledged_is_missed(tmp_path: Path) -> None:
    world = make_world(tmp_path)
    world.start("approval")
    assert list(check(world, acknowledged=[1])) == ["task 1 was acknowledged and is open"]
    world.engine.close()
