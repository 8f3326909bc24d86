"""People taken over from a directory: what changes, what never does, and that a broken directory locks nobody out."""

from __future__ import annotations

import json
from collections.abc import Iterable
from typing import Any

import pytest

from engine import CsvDirectory, DirectoryInvalid, DirectoryPerson, DirectoryUnavailable, Invalid, SyncPlan, SyncRefused
from tests.support import STAFF, World


class Listed:
    """A directory held in memory: the interface is what matters here, the real ones have tests of their own."""

    def __init__(self, *people: DirectoryPerson) -> None:
        self.listed = people

    def people(self) -> Iterable[DirectoryPerson]:
        return self.listed


def one(id: str, name: str = "職員", email: str | None = "", active: bool = True) -> DirectoryPerson:
    return DirectoryPerson(id, name, email, active)


def many(count: int, active: int | None = None) -> list[DirectoryPerson]:
    return [one(f"n{number:03}", f"職員{number}", active=active is None or number < active) for number in range(count)]


def sync(world: World, *people: DirectoryPerson, **options: Any) -> SyncPlan:
    return world.engine.sync_people("office", Listed(*people), "admin", **options)


def person(world: World, id: str) -> dict[str, Any]:
    (found,) = world.rows("person", id=id)
    return found


def tags(world: World) -> list[tuple[str, str]]:
    """What happened to whom, as the record has it."""
    about = [(row["tag"], json.loads(row["data"])) for row in world.rows("history") if row["person"] == "admin"]
    return [(tag, data["person"]) for tag, data in about]


def everything(world: World) -> dict[str, Any]:
    """The tables a run could change."""
    return {table: world.rows(table) for table in ("person", "identity", "session", "holding", "history")}


def test_people_come_change_and_go(both: World) -> None:
    world = both
    plan = sync(world, one("n1", "山田　太郎", "n1@example.go.jp"), one("n2", "鈴木"), one("n3", "前任", active=False))
    assert [new.id for new in plan.added] == ["n1", "n2"], "whoever has left already is not registered"
    assert (person(world, "n1")["name"], person(world, "n1")["email"], person(world, "n1")["password_hash"]) == (
        "山田　太郎", "n1@example.go.jp", None,
    )  # fmt: skip
    world.engine.appoint("n2", STAFF)
    token = world.engine.open_session("n2")
    plan = sync(world, one("n1", "山田　花子", "new@example.go.jp"), one("n2", "鈴木", active=False))
    assert [(change.id, change.old, change.new) for change in plan.renamed] == [("n1", "山田　太郎", "山田　花子")]
    assert [(change.id, change.old, change.new) for change in plan.mail_changed] == [("n1", "n1@example.go.jp", "new@example.go.jp")]
    assert [(ending.id, ending.listed) for ending in plan.ended] == [("n2", True)]
    assert person(world, "n1")["name"] == "山田　花子" and person(world, "n1")["email"] == "new@example.go.jp"
    assert person(world, "n2")["disabled_at"] == world.clock.now()
    assert world.engine.session_person(token) is None and world.rows("session", person="n2")[0]["ended_at"] is not None
    assert [row["seat"] for row in world.rows("holding", person="n2")] == [STAFF], "seats stay as they are dated"
    assert tags(world) == [("person.registered", "n1"), ("person.registered", "n2"), ("person.changed", "n1"), ("person.ended", "n2")]
    assert world.engine.verify_history() == ()


def test_twice_changes_nothing(world: World) -> None:
    people = (one("n1", "山田", "n1@example.go.jp"), one("n2", "鈴木"))
    sync(world, *people)
    before = everything(world)
    plan = sync(world, *people)
    assert plan.changes == 0 and everything(world) == before


def test_people_the_directory_never_had_are_left_alone_and_those_it_had_end(world: World) -> None:
    world.engine.register("admin", "office", "管理者", email=None, password_hash=None)
    plan = sync(world, one("n1"), one("n2"))
    assert "admin" in plan.unknown_kept and plan.ended == ()
    plan = sync(world, one("n2"))
    assert [(ending.id, ending.listed) for ending in plan.ended] == [("n1", False)]
    assert person(world, "admin")["disabled_at"] is None
    world.engine.unlink_identity("directory", "n2", "admin")
    plan = sync(world, one("n3"))
    assert "n2" in plan.unknown_kept and plan.ended == (), "who is taken out of the directory's hands stays"


def test_people_registered_before_follow_the_directory_once_it_has_them(world: World) -> None:
    world.engine.register("old", "office", "旧来", email="old@example.go.jp", password_hash="hash")
    plan = sync(world, one("old", "旧来", None), one("n1"))
    assert plan.adopted == ("old",) and plan.renamed == plan.mail_changed == ()
    assert person(world, "old")["password_hash"] == "hash" and person(world, "old")["email"] == "old@example.go.jp"
    assert [ending.id for ending in sync(world, one("n1")).ended] == ["old"]


def test_who_was_ended_here_stays_ended(world: World) -> None:
    sync(world, one("n1"), one("n2"))
    world.disable("n1")
    before = person(world, "n1")
    plan = sync(world, one("n1", "別の名"), one("n2"))
    assert plan.ended_here == ("n1",) and plan.changes == 0 and person(world, "n1") == before


def test_a_dry_run_writes_nothing(world: World) -> None:
    sync(world, *many(10))
    before = everything(world)
    plan = sync(world, one("new"), dry_run=True)
    assert len(plan.added) == 1 and len(plan.ended) == 10 and plan.suspicious
    assert everything(world) == before


@pytest.mark.parametrize(
    ("people", "leave", "refused"),
    [(30, 6, False), (30, 7, True), (10, 5, False), (10, 6, True), (3, 2, False), (3, 3, True), (1, 1, True)],
)
@pytest.mark.parametrize("listed", [True, False], ids=["as gone", "not at all"])
def test_a_directory_that_lost_its_people_locks_nobody_out(world: World, people: int, leave: int, refused: bool, listed: bool) -> None:
    sync(world, *many(people))
    left = many(people, people - leave) if listed else many(people - leave)
    before = everything(world)
    if not refused:
        assert len(sync(world, *left).ended) == leave
        return
    with pytest.raises(SyncRefused) as refusal:
        sync(world, *left)
    assert f"{people}人のうち{leave}人" in refusal.value.text and "--force" in refusal.value.text
    assert everything(world) == before
    assert len(sync(world, *left, force=True).ended) == leave


@pytest.mark.parametrize(
    ("wrong", "why"),
    [
        (one("n 1"), "英数字"),
        (one(""), "英数字"),
        (one("x" * 65), "英数字"),
        (one("職員"), "英数字"),
        (one("n\n"), "英数字"),
        (one("system"), "英数字"),
        (one("n1"), "重なって"),
        (one("N1"), "重なって"),
        (one("STAFF.A"), "大文字と小文字"),
        (one("staff.e"), "ほかの機関"),
        (one("n2", "　"), "氏名"),
        (one("n2", "名" * 201), "氏名"),
        (one("n2", "山田\n太郎"), "氏名"),
        (one("n2", "山田", "n2"), "メールアドレス"),
        (one("n2", "山田", "n2@example.go.jp\nBcc: x@example.com"), "メールアドレス"),
    ],
    ids=range(15),
)
def test_one_row_that_does_not_fit_stops_them_all(world: World, wrong: DirectoryPerson, why: str) -> None:
    world.engine.register("staff.e", "elsewhere", "他庁", email=None, password_hash=None)
    before = everything(world)
    with pytest.raises(DirectoryInvalid) as refused:
        sync(world, one("n1"), wrong, force=True)
    assert len(refused.value.rows) == 1 and why in refused.value.rows[0].why and why in refused.value.text
    assert everything(world) == before


def test_every_row_that_does_not_fit_is_told_at_once(world: World) -> None:
    with pytest.raises(DirectoryInvalid) as refused:
        sync(world, one("n 1", ""), one("n2", "", "x"), one("gone", "", "x", active=False))
    assert [row.id for row in refused.value.rows] == ["n 1", "n 1", "n2", "n2"], "of those who left only the number matters"


def test_nothing_is_half_done_when_writing_fails(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    sync(world, one("n1"), one("n2"))
    before = everything(world)

    def broken(*_: object) -> None:
        raise RuntimeError("the disk is full")

    monkeypatch.setattr("engine.accounts.end_sessions_of", broken)
    with pytest.raises(RuntimeError):
        sync(world, one("n1", "別の名"), one("n3"))
    assert everything(world) == before


def test_a_directory_that_does_not_answer_changes_nothing(world: World) -> None:
    class Away:
        def people(self) -> Iterable[DirectoryPerson]:
            yield one("n1")
            raise DirectoryUnavailable(why="途中で切れました")

    before = everything(world)
    with pytest.raises(DirectoryUnavailable):
        world.engine.sync_people("office", Away(), "admin")
    assert everything(world) == before


# ---------------------------------------------------------------- files

TABLE = (
    "職員番号,氏名,メール,在職\r\nn1,髙橋　一郎,n1@example.go.jp,はい\r\nn2,鈴木,,\r\n\r\nn3,佐藤,,いいえ\r\nn4,田中,,0\r\nn5,渡辺,,1\r\n"
)


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "cp932"])
def test_a_csv_file(encoding: str) -> None:
    found = list(CsvDirectory(TABLE.encode(encoding)).people())
    assert found[0] == DirectoryPerson("n1", "髙橋　一郎", "n1@example.go.jp", True)
    assert [(each.id, each.active, each.where) for each in found] == [
        ("n1", True, "2行目"), ("n2", True, "3行目"), ("n3", False, "5行目"), ("n4", False, "6行目"), ("n5", True, "7行目"),
    ]  # fmt: skip


def test_columns_may_be_left_out_and_stand_in_any_order() -> None:
    (found,) = CsvDirectory("氏名,所属,職員番号\n山田,審判課,n1\n".encode()).people()
    assert found == DirectoryPerson("n1", "山田", None, True), "an address the file does not tell is left as it is"


@pytest.mark.parametrize(
    ("content", "told"),
    [
        (b"", "空"),
        ("氏名,メール\n山田,\n".encode(), "職員番号"),
        ("職員番号,氏名,在職\nn1,山田,たぶん\n".encode(), "在職"),
        ("職員番号,氏名,氏名\n1,2,3\n".encode(), "氏名"),
        ('職員番号,氏名\n"n1,山田\n'.encode(), "引用符"),
        (b"\xff\x00\xff\x00", "文字コード"),
        ("職員番号,氏名\nn1,山田,余分\n".encode(), "列目"),
    ],
    ids=range(7),
)
def test_a_file_that_cannot_be_read(content: bytes, told: str) -> None:
    with pytest.raises(Invalid) as refused:
        list(CsvDirectory(content).people())
    assert told in refused.value.text


def test_a_file_taken_over(world: World) -> None:
    plan = world.engine.sync_people("office", CsvDirectory(TABLE.encode("cp932")), "admin")
    assert [new.id for new in plan.added] == ["n1", "n2", "n5"] and person(world, "n1")["name"] == "髙橋　一郎"
    with pytest.raises(DirectoryInvalid) as refused:
        world.engine.sync_people("office", CsvDirectory(TABLE.replace("n5", "n1").encode()), "admin")
    assert "7行目" in refused.value.text and "2行目" in refused.value.text
