"""The record: appended with the act, chained, never changed; and every way to tamper with it is found."""

from __future__ import annotations

import json

import pytest
import sqlalchemy as sa

from engine import NotYourTask
from tests.support import MANAGER, OTHER_MANAGER, World


def work_a_little(world: World) -> int:
    """A case with a dozen rows, a refused attempt among them."""
    case_id = world.start("parallel", amount=1)
    with pytest.raises(NotYourTask), world.acting(MANAGER) as work:
        work.complete(world.task(case_id, "right")["id"], {})
    world.complete(case_id, "left", amount=2)
    with world.acting(MANAGER) as work:
        work.note(case_id, "確認した")
    world.complete(case_id, "right", amount=3)
    return case_id


def tamper(world: World, *statements: str) -> None:
    """What somebody with the database's password could do: take the triggers away first."""
    with world.engine.writing() as connection:
        if connection.dialect.name == "sqlite":
            for trigger in ("history_no_update", "history_no_delete"):
                connection.exec_driver_sql(f"DROP TRIGGER {trigger}")
        else:
            connection.exec_driver_sql("DROP TRIGGER history_append_only ON history")
        for statement in statements:
            connection.exec_driver_sql(statement)


def faults(world: World) -> list[tuple[str, int]]:
    return [(fault.chain, fault.seq) for fault in world.engine.verify_history()]


def test_facts_are_told_with_their_old_and_new_value(both: World) -> None:
    case_id = work_a_little(both)
    changed = [row["data"]["facts"] for row in both.history(case_id, "task.completed")]
    assert changed == [{"amount": [1, 2]}, {"amount": [2, 3]}]
    assert [row["data"]["version"] for row in both.history(case_id, "task.completed")] == [2, 3]


def test_the_chain_holds(both: World) -> None:
    work_a_little(both)
    assert both.engine.verify_history() == ()
    rows = [row for row in both.rows("history") if row["chain"] == "case:1"]
    assert [row["seq"] for row in rows] == list(range(1, len(rows) + 1))
    case = both.case(1)
    assert (case["history_seq"], case["history_digest"]) == (rows[-1]["seq"], rows[-1]["digest"])


@pytest.mark.parametrize("verb", ["UPDATE history SET person = 'somebody'", "DELETE FROM history", "DELETE FROM history WHERE id = 1"])
def test_the_database_refuses_to_change_the_record(both: World, verb: str) -> None:
    work_a_little(both)
    before = both.checksums()
    with pytest.raises(sa.exc.DatabaseError, match="append-only"), both.engine.writing() as connection:
        connection.exec_driver_sql(verb)
    assert both.checksums() == before


def test_the_server_refuses_to_empty_the_record(on_postgresql: World) -> None:
    with pytest.raises(sa.exc.DatabaseError, match="append-only"), on_postgresql.engine.writing() as connection:
        connection.exec_driver_sql("TRUNCATE history")


@pytest.mark.parametrize(
    "change",
    [
        "person = 'staff.b'", "seat = NULL", "at = at + 1", "tag = 'note.added'", "clause = 'C-3'", "task_id = 99", "node = 'other'",
        "definition = 99", "organisation = 'elsewhere'", "case_id = 99", "data = '{}'", "previous = digest", "digest = previous",
    ],
)  # fmt: skip
def test_an_altered_row_is_found(world: World, change: str) -> None:
    work_a_little(world)
    tamper(world, f"UPDATE history SET {change} WHERE chain = 'case:1' AND seq = 3")
    assert faults(world)[0] == ("case:1", 3)


def test_an_altered_row_is_found_on_both_databases(both: World) -> None:
    work_a_little(both)
    tamper(both, "UPDATE history SET data = '{\"facts\":{}}' WHERE chain = 'case:1' AND seq = 4")
    assert faults(both) == [("case:1", 4)]


def test_a_missing_row_is_found(both: World) -> None:
    work_a_little(both)
    tamper(both, "DELETE FROM history WHERE chain = 'case:1' AND seq = 4")
    assert faults(both)[0] == ("case:1", 4)


def test_a_cut_tail_is_found(both: World) -> None:
    work_a_little(both)
    last = both.case(1)["history_seq"]
    tamper(both, f"DELETE FROM history WHERE chain = 'case:1' AND seq > {last - 2}")
    assert faults(both) == [("case:1", last)]


def test_a_whole_chain_that_is_gone_is_found(world: World) -> None:
    work_a_little(world)
    tamper(world, "DELETE FROM history WHERE chain = 'case:1'")
    assert [chain for chain, _ in faults(world)] == ["case:1"]


def test_a_cut_tail_of_the_offices_own_record_is_found(both: World) -> None:
    """Refused attempts and sign-ins belong to no case: their chain has a counter for a head."""
    work_a_little(both)
    tamper(both, "DELETE FROM history WHERE tag = 'attempt.refused'")
    assert [chain for chain, _ in faults(both)] == ["organisation:office"]


def test_exchanged_rows_are_found(world: World) -> None:
    work_a_little(world)
    swap = "UPDATE history SET seq = {new} WHERE chain = 'case:1' AND seq = {old}"
    tamper(world, swap.format(old=2, new=900), swap.format(old=3, new=2), swap.format(old=900, new=3))
    assert faults(world)[0][1] == 2


def test_a_refused_attempt_says_who_wanted_what(both: World) -> None:
    case_id = work_a_little(both)
    row = both.history(case_id, "attempt.refused")[0]
    assert (row["person"], row["seat"], row["chain"]) == ("protection_manager.a", MANAGER, "organisation:office")
    assert row["data"]["error"] == "NotYourTask"
    assert row["data"]["message"] == "この処理の担当は「北部 部課等保護管理者」です。"
    assert row["data"]["attempt"] == {"verb": "complete", "task": "2", "case": "1"}


def test_a_refused_attempt_on_a_case_one_must_not_see_tells_nothing_of_it(both: World) -> None:
    from engine import CaseNotFound

    case_id = both.start("approval")
    with pytest.raises(CaseNotFound) as refused, both.acting(OTHER_MANAGER) as work:
        work.note(case_id, "のぞき見")
    assert "鍵付き" not in json.dumps(refused.value.ids, ensure_ascii=False)
    assert both.history(case_id, "attempt.refused")[0]["person"] == "protection_manager.b", "but the case's record shows who tried"
