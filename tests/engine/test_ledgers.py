"""Ledgers (台帳): fed by the processes alone, corrected by superseding, kept for their time, read by whom they are for."""

from __future__ import annotations

import json
from datetime import date, datetime, timedelta
from typing import Any

import pytest
import sqlalchemy as sa

from engine import (
    JST,
    CaseNotFound,
    EntryChanged,
    EntryPage,
    EntryShown,
    ExpressionError,
    FormInvalid,
    LedgerEntryNotFound,
    NotAllowed,
    NotFound,
    NothingCorrected,
    NotYourSeat,
    ReasonRequired,
    TreeNode,
)
from engine.model import metadata
from engine.retention import kept_until
from tests.support import AUDITOR, DIVISION, GENERAL, MANAGER, OTHER_MANAGER, STAFF, World, in_threads

LOAN: dict[str, Any] = {
    "medium": "USB-07",
    "sort": "usb",
    "lent_on": "2026-11-16",
    "due_at": "2026-11-20T17:00",
    "amount": 2,
    "borrower": "staff.b",
    "contract": "契約1",
    "own_no": "再1",
}


def lend(world: World, seat: str = STAFF, **more: Any) -> int:
    """Lend a medium out: the case puts itself into the ledgers."""
    return world.start("lend", seat, **{**LOAN, **more})


def says(entry: EntryShown) -> dict[str, Any]:
    """What an entry says, in words."""
    return {cell.column: cell.text for cell in entry.cells}


def loans(world: World, seat: str = AUDITOR, **filters: Any) -> list[EntryShown]:
    """The loans somebody may read."""
    return list(world.engine.ledgers.page(world.viewer(seat), "loans", **filters).rows)


def entry(world: World, number: int = 1, seat: str = AUDITOR, ledger: str = "loans") -> EntryPage:
    """One entry with its revisions."""
    return world.engine.ledgers.entry(world.viewer(seat), ledger, number)


def correct(world: World, seat: str = MANAGER, number: int = 1, ledger: str = "loans", reason: str = "誤記のため", **values: Any) -> None:
    """Correct an entry."""
    revision = values.pop("revision", None)
    with world.acting(seat) as work:
        work.correct_entry(ledger, number, values, reason, revision)


# ---------------------------------------------------------------- the process writes


def test_the_process_enters_what_its_facts_say(both: World) -> None:
    case_id = lend(both)
    (row,) = loans(both)
    assert says(row) == {
        "case": "案R8-0001", "medium": "USB-07", "sort": "USBメモリ", "lent_on": "2026年11月16日", "due_at": "2026年11月20日 17:00",
        "amount": "2", "unit": "第一課", "back": "", "borrower": "第二課 職員さん",
    }  # fmt: skip
    assert (row.ledger, row.entry, row.revision, row.case_id, row.case_number) == ("loans", 1, 1, case_id, "案R8-0001")
    assert (row.state, row.closed, row.unit_name) == ("貸出中", False, "第一課")
    (told,) = [row for row in both.history(case_id, "ledger.entered") if row["data"]["ledger"] == "loans"]
    assert (told["person"], told["seat"], told["node"]) == ("staff.a", STAFF, "enter")
    assert told["data"] | {"digest": ""} == {
        "name": "貸出台帳", "ledger": "loans", "entry": 1, "revision": 1, "state": "貸出中", "digest": "", "version": 1,
    }  # fmt: skip


def test_an_entry_says_who_brought_it_about_from_which_seat_by_which_step(both: World) -> None:
    case_id = lend(both)
    both.complete(case_id, "give_back", back="true")
    newest, first = entry(both).revisions
    assert (first.revision, first.state, first.person_name, first.seat_name, first.act) == (
        1, "貸出中", "第一課 職員さん", "第一課 職員", "「手続」を開始しました",
    )  # fmt: skip
    assert (newest.revision, newest.state, newest.state_before, newest.person_name) == (2, "返却済", "貸出中", "第一課 保護管理者さん")
    assert (newest.seat_name, newest.act, newest.correction, newest.reason) == (
        "第一課 保護管理者", "「返却の確認」を完了しました", False, "",
    )  # fmt: skip
    assert {cell.column: cell.before for cell in newest.cells if cell.before is not None} == {"back": ""}


def test_a_later_writing_supersedes_and_overwrites_nothing(both: World) -> None:
    case_id = lend(both)
    both.complete(case_id, "give_back", back="false", medium="USB-08")
    both.complete(case_id, "give_back", back="true")
    assert [(row.entry, row.revision, row.state, says(row)["medium"]) for row in loans(both)] == [(1, 3, "返却済", "USB-08")]
    kept = both.rows("ledger_entry", ledger="loans")
    assert [(row["revision"], row["state"], json.loads(row["content"])["medium"]) for row in kept] == [
        (1, "貸出中", "USB-07"),
        (2, "貸出中", "USB-08"),
        (3, "返却済", "USB-08"),
    ]
    assert [row["data"]["revision"] for row in both.history(case_id, "ledger.changed") if row["data"]["ledger"] == "loans"] == [2, 3]


def test_nothing_is_written_when_nothing_changed(both: World) -> None:
    case_id = lend(both)
    both.complete(case_id, "give_back")  # goes round: the same facts, the same state
    assert [row["revision"] for row in both.rows("ledger_entry", ledger="tiers")] == [1]
    assert [row["revision"] for row in both.rows("ledger_entry", ledger="loans")] == [1]


def test_entries_are_numbered_within_the_ledger_whoever_enters_them(both: World) -> None:
    for seat, unit in ((STAFF, "a"), ("staff@b", "b"), (STAFF, "a")):
        lend(both, seat, owning_unit=unit)
    assert [(row.entry, row.unit_name) for row in loans(both)] == [(3, "第一課"), (2, "第二課"), (1, "第一課")]


def test_a_refused_act_leaves_no_entry_and_no_gap(both: World) -> None:
    with pytest.raises(FormInvalid):
        lend(both, amount="たくさん")
    case_id = lend(both)
    with pytest.raises(FormInvalid):
        both.complete(case_id, "give_back", back="もちろん")
    assert [(row["entry"], row["revision"]) for row in both.rows("ledger_entry", ledger="loans")] == [(1, 1)]


def test_a_list_gives_one_entry_for_each_item(both: World) -> None:
    pieces = [{"label": "簿冊1", "count": "2"}, {"label": "簿冊2", "count": "３"}]
    case_id = lend(both, pieces=pieces)
    page = both.engine.ledgers.page(both.viewer(AUDITOR), "pieces")
    assert [(row.entry, says(row)) for row in page.rows] == [
        (2, {"label": "簿冊2", "count": "3", "medium": "USB-07"}),
        (1, {"label": "簿冊1", "count": "2", "medium": "USB-07"}),
    ]
    both.complete(case_id, "give_back", pieces=[{"label": "簿冊2", "count": "3"}, {"label": "簿冊3", "count": "1"}])
    rows = both.engine.ledgers.page(both.viewer(AUDITOR), "pieces").rows
    assert [(row.entry, says(row)["label"], row.revision, row.state, row.closed) for row in rows] == [
        (3, "簿冊3", 1, "貸出中", False),
        (2, "簿冊2", 1, "貸出中", False),
        (1, "簿冊1", 2, "抹消", True),  # no longer in the case's list: it stays, and says so
    ]


def test_items_of_the_same_name_stand_beside_each_other(both: World) -> None:
    lend(both, pieces=[{"label": "簿冊", "count": "2"}, {"label": "簿冊", "count": "約5"}])
    rows = both.engine.ledgers.page(both.viewer(AUDITOR), "pieces").rows
    assert [says(row)["count"] for row in rows] == ["約5", "2"]  # what is no number stays as it was typed: a ledger stops nobody


def test_what_leads_to_an_entry_by_time_is_the_systems(both: World) -> None:
    case_id = lend(both)
    with both.engine.work(by="system") as work:
        case = work._take_up(case_id)
        move = case.move(both.clock.now(), acting=True)
        move.put({"medium": "USB-09"})
        move.run(case.definition.net.by_id["enter"], {})
        work._save(case, move, case.marking)
    newest = entry(both).revisions[0]
    assert (newest.person_name, newest.seat_name, newest.act) == ("システム", "", "")


def test_a_column_that_cannot_be_worked_out_stops_that_task_alone(both: World, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(*_given: Any) -> list[Any]:
        raise ExpressionError(source="amount + medium", position=0, why="数と文字は足せません。")

    with monkeypatch.context() as patched:
        patched.setattr("engine.moves.items", broken)
        case_id = lend(both)
    assert both.waits(case_id) == [] and both.rows("ledger_entry") == []
    assert [row["data"]["name"] for row in both.history(case_id, "service.failed")] == ["台帳への登載"]
    both.pass_time(minutes=2)  # tried again
    assert both.waits(case_id) == ["give_back"]
    assert [(row.entry, row.state) for row in loans(both)] == [(1, "貸出中")]


def test_looking_ahead_writes_nothing(both: World) -> None:
    case_id = lend(both)
    before = both.rows("ledger_entry")
    seen = both.engine.preview(both.viewer(MANAGER), both.task(case_id, "give_back")["id"], {"back": "true"})
    assert [one.ends for one in seen] == [True]
    assert both.rows("ledger_entry") == before


# ---------------------------------------------------------------- corrections


def test_a_correction_supersedes_with_its_reason_and_keeps_what_stood_there(both: World) -> None:
    case_id = lend(both)
    correct(both, medium="USB-70", lent_on="令和8年11月15日", amount="３", sort="紙", due_at="2026-11-21 10:00", back="no", unit="b")
    page = entry(both)
    assert says(page.entry) | {"case": ""} == {
        "case": "", "medium": "USB-70", "sort": "紙", "lent_on": "2026年11月15日", "due_at": "2026年11月21日 10:00", "amount": "3",
        "unit": "第二課", "back": "いいえ", "borrower": "第二課 職員さん",
    }  # fmt: skip
    assert page.entry.corrected
    newest, first = page.revisions
    assert (newest.correction, newest.reason, newest.state, newest.person_name, newest.seat_name) == (
        True, "誤記のため", "貸出中", "第一課 保護管理者さん", "第一課 保護管理者",
    )  # fmt: skip
    assert {cell.column: cell.before for cell in newest.cells if cell.before is not None}["medium"] == "USB-07"
    assert next(cell.text for cell in first.cells if cell.column == "medium") == "USB-07"
    (told,) = both.history(case_id, "ledger.corrected")
    assert (told["person"], told["seat"], told["data"]["reason"], told["data"]["revision"]) == (
        "protection_manager.a", MANAGER, "誤記のため", 2,
    )  # fmt: skip
    assert both.facts(case_id)["medium"] == "USB-07"  # the ledger is put right; what the case was told stays


def test_the_process_keeps_a_correction_until_the_fact_behind_it_changes(both: World) -> None:
    case_id = lend(both)
    correct(both, medium="USB-70", lent_on="2026-11-15")
    both.complete(case_id, "give_back", back="false", lent_on="2026-11-14")
    row = entry(both).entry
    assert (says(row)["medium"], says(row)["lent_on"]) == ("USB-70", "2026年11月14日")
    assert [cell.column for cell in row.cells if cell.corrected] == ["medium"]
    both.complete(case_id, "give_back", back="true", medium="USB-08")
    row = entry(both).entry
    assert (says(row)["medium"], row.state, row.corrected) == ("USB-08", "返却済", False)


def test_an_entry_of_a_case_that_has_ended_can_be_corrected(both: World) -> None:
    case_id = lend(both)
    both.complete(case_id, "give_back", back="true")
    assert both.case(case_id)["state"] == "closed"
    correct(both, medium="USB-70")
    assert (entry(both).entry.state, says(entry(both).entry)["medium"]) == ("返却済", "USB-70")
    assert both.engine.verify_history() == ()


def test_a_correction_without_a_reason_is_refused(both: World) -> None:
    lend(both)
    for reason in ("", "  \n"):
        with pytest.raises(ReasonRequired):
            correct(both, reason=reason, medium="USB-70")
    assert entry(both).entry.revision == 1


@pytest.mark.parametrize(
    ("column", "value", "words"),
    [
        ("lent_on", "きのう", "日付"),
        ("lent_on", "2026-02-30", "日付"),
        ("due_at", "夕方", "日時"),
        ("amount", "二つ", "数"),
        ("sort", "フロッピー", "選択肢"),
        ("unit", "z", "選択肢"),
        ("back", "maybe", "選択肢"),
        ("medium", "い" * 10_001, "文字以内"),
        ("medium", "\x00", "制御文字"),
        ("nothing", "x", "列はありません"),
    ],
)
def test_a_correction_must_fit_its_column(world: World, column: str, value: str, words: str) -> None:
    lend(world)
    with pytest.raises(FormInvalid) as refused:
        correct(world, **{column: value})
    assert words in refused.value.fields[column]
    assert entry(world).entry.revision == 1


def test_a_correction_that_changes_nothing_is_refused(world: World) -> None:
    lend(world)
    for values in ({}, {"medium": "USB-07"}, {"medium": " USB-07 ", "amount": "2", "due_at": "2026-11-20T17:00", "back": ""}):
        with pytest.raises(NothingCorrected):
            correct(world, **values)


def test_of_two_who_correct_the_second_is_told_of_the_first(both: World) -> None:
    lend(both)
    both.appoint("manager.two", MANAGER)
    correct(both, medium="USB-70", revision=1)
    with pytest.raises(EntryChanged) as refused, both.engine.work(by="manager.two") as work:
        work.correct_entry("loans", 1, {"medium": "USB-71"}, "誤記", 1)
    assert "第一課 保護管理者さん" in refused.value.text
    assert says(entry(both).entry)["medium"] == "USB-70"
    with both.engine.work(by="manager.two") as work:
        work.correct_entry("loans", 1, {"medium": "USB-71"}, "誤記", 2)
    assert [revision.revision for revision in entry(both).revisions] == [3, 2, 1]


def test_two_who_correct_at_the_same_moment_do_not_lose_each_other(both: World) -> None:
    lend(both)

    def one(number: int) -> None:
        correct(both, revision=1, medium=f"USB-7{number}")

    results = in_threads(2, one)
    assert sorted(type(result).__name__ for result in results) == ["EntryChanged", "NoneType"]
    assert len(both.rows("ledger_entry", ledger="loans")) == 2


def test_only_who_keeps_the_ledger_for_the_unit_corrects(both: World) -> None:
    lend(both)
    for seat in (STAFF, AUDITOR, GENERAL):  # they read it, each for reasons of his own
        assert entry(both, seat=seat).fields == ()
        with pytest.raises(NotAllowed):
            correct(both, seat, medium="USB-70")
    for seat in (OTHER_MANAGER, DIVISION, "staff@b"):  # theirs are other units
        with pytest.raises(LedgerEntryNotFound):
            correct(both, seat, medium="USB-70")
    with pytest.raises(LedgerEntryNotFound), both.engine.work(by="protection_manager.a.elsewhere", seat=MANAGER) as work:
        work.correct_entry("loans", 1, {"medium": "USB-70"}, "誤記")
    with pytest.raises(NotYourSeat), both.engine.work(by="protection_manager.a", seat=OTHER_MANAGER) as work:
        work.correct_entry("loans", 1, {"medium": "USB-70"}, "誤記")
    assert entry(both).entry.revision == 1
    refused = [json.loads(row["data"]) for row in both.rows("history", tag="attempt.refused")]
    assert {row["attempt"]["verb"] for row in refused} == {"correct_entry"}


def test_a_deputy_corrects_in_his_principals_stead(both: World) -> None:
    lend(both)
    person = both.appoint("deputy.a", "staff@b")
    both.engine.personnel.register_deputy(
        both.viewer(MANAGER), "protection_manager.a", person, kind="substitute", basis="代理の定め", valid_from=date(2026, 11, 16), valid_to=None,
    )  # fmt: skip
    with both.engine.work(by=person, seat=MANAGER) as work:
        work.correct_entry("loans", 1, {"medium": "USB-70"}, "誤記")
    newest = entry(both).revisions[0]
    assert (newest.person_name, newest.acting) == ("deputy.aさん", "第一課 保護管理者さんの代理")


# ---------------------------------------------------------------- append only, and proven to be


def test_entries_refuse_to_be_changed_or_removed(both: World) -> None:
    lend(both)
    for statement in ("UPDATE ledger_entry SET state = '返却済'", "DELETE FROM ledger_entry"):
        with pytest.raises(sa.exc.DatabaseError, match="append-only"), both.engine.writing() as connection:
            connection.exec_driver_sql(statement)


def drop_triggers(world: World) -> None:
    with world.engine.writing() as connection:
        if connection.dialect.name == "sqlite":
            connection.exec_driver_sql("DROP TRIGGER ledger_entry_no_update")
            connection.exec_driver_sql("DROP TRIGGER ledger_entry_no_delete")
        else:
            connection.exec_driver_sql("DROP TRIGGER ledger_entry_append_only ON ledger_entry")


@pytest.mark.parametrize(
    ("statement", "why"),
    [
        ("UPDATE ledger_entry SET state = '返却済' WHERE ledger = 'loans' AND revision = 1", "違います"),
        ("UPDATE ledger_entry SET kept_until = NULL WHERE ledger = 'loans' AND revision = 2", "違います"),
        ("DELETE FROM ledger_entry WHERE ledger = 'loans' AND revision = 2", "消えています"),
    ],
)
def test_what_is_done_to_entries_behind_the_record_is_found(both: World, statement: str, why: str) -> None:
    case_id = lend(both)
    correct(both, medium="USB-70")
    both.complete(case_id, "give_back", back="true")
    assert both.engine.verify_history() == ()
    drop_triggers(both)
    with both.engine.writing() as connection:
        connection.exec_driver_sql(statement)
    (fault,) = both.engine.verify_history()
    assert (fault.chain, fault.seq) == ("ledger:office:loans", 1) and why in fault.why


def test_an_entry_nobody_recorded_is_found(both: World) -> None:
    lend(both)
    table = metadata.tables["ledger_entry"]
    row = {name: value for name, value in both.rows("ledger_entry", ledger="loans")[0].items() if name != "id"}
    with both.engine.writing() as connection:
        connection.execute(table.insert(), row | {"entry": 2, "item": "x"})
    assert [fault.seq for fault in both.engine.verify_history()] == [2]


# ---------------------------------------------------------------- how long it is kept


@pytest.mark.parametrize(
    ("day", "years", "last"),
    [
        (date(2026, 11, 21), 5, date(2032, 3, 31)),
        (date(2026, 4, 1), 5, date(2032, 3, 31)),
        (date(2027, 3, 31), 5, date(2032, 3, 31)),
        (date(2027, 4, 1), 5, date(2033, 3, 31)),
        (date(2027, 1, 1), 1, date(2028, 3, 31)),
        (date(2028, 2, 29), 3, date(2031, 3, 31)),
    ],
)
def test_a_period_begins_with_the_next_fiscal_year(day: date, years: int, last: date) -> None:
    assert kept_until(day, years) == last


def test_each_row_says_until_when_it_is_kept(both: World) -> None:
    case_id = lend(both, lent_on="2026-11-21")
    assert (loans(both)[0].kept_until, loans(both)[0].kept) == (date(2032, 3, 31), "2032年3月31日まで")
    correct(both, lent_on="2027-04-01")
    assert loans(both)[0].kept == "2033年3月31日まで"
    correct(both, lent_on="")
    assert (loans(both)[0].kept_until, loans(both)[0].kept) == (None, "未定")
    assert both.engine.ledgers.page(both.viewer(AUDITOR), "tiers").rows[0].kept == "定めなし"
    assert both.case(case_id)["state"] == "open"


def test_what_need_not_be_kept_any_more_is_found(both: World) -> None:
    for lent_on in ("2020-03-31", "2026-11-16", None, "2021-03-31", "2021-04-01"):
        lend(both, lent_on=lent_on)
    assert [row.entry for row in loans(both, order="kept")] == [1, 4, 5, 2, 3]
    assert [(row.entry, row.kept, row.expired) for row in loans(both, kept="expired")] == [
        (4, "2026年3月31日まで", True),
        (1, "2025年3月31日まで", True),
    ]
    assert [row.entry for row in loans(both, kept="undecided")] == [3]
    both.clock.set(datetime(2027, 3, 31, 23, 59, tzinfo=JST))
    assert not loans(both, kept="expired", text="2021-04-01")  # the last day still counts
    both.clock.set(both.clock.now() + timedelta(minutes=1))
    assert [row.entry for row in loans(both, kept="expired")] == [5, 4, 1]
    (head,) = [one for one in both.engine.ledgers.all(both.viewer(AUDITOR)) if one.id == "loans"]
    assert (head.total, head.open, head.expired, head.kept) == (5, 5, 3, "5年（翌年度の4月1日から数える）")


# ---------------------------------------------------------------- who reads


def test_a_reader_sees_every_entry_and_others_those_of_their_cases(both: World) -> None:
    mine, theirs = lend(both), lend(both, "staff@b", owning_unit="b")
    for seat in (AUDITOR, GENERAL):
        assert [row.entry for row in loans(both, seat)] == [2, 1]
    assert [(row.entry, row.case_id) for row in loans(both, GENERAL)] == [(2, None), (1, None)]  # the ledger, not the cases
    assert [(row.entry, row.case_id) for row in loans(both, AUDITOR)] == [(2, theirs), (1, mine)]
    assert [row.entry for row in loans(both, STAFF)] == [1]
    assert [row.entry for row in loans(both, "staff@b")] == [2]
    assert [row.entry for row in loans(both, MANAGER)] == [1]
    assert loans(both, DIVISION) == loans(both, "staff@c") == []
    totals = {
        seat: {one.id: one.total for one in both.engine.ledgers.all(both.viewer(seat))}["loans"] for seat in (AUDITOR, STAFF, DIVISION)
    }
    assert totals == {AUDITOR: 2, STAFF: 1, DIVISION: 0}
    assert [one.whole for one in both.engine.ledgers.all(both.viewer(GENERAL))] == [True, False, False]


def test_another_office_has_its_own_ledgers(both: World) -> None:
    lend(both)
    viewer = both.engine.viewer("audit_officer.elsewhere.elsewhere")
    assert both.engine.ledgers.page(viewer, "loans").rows == ()
    with pytest.raises(LedgerEntryNotFound):
        both.engine.ledgers.entry(viewer, "loans", 1)
    with both.engine.work(by="staff.a.elsewhere") as work:
        work.start("elsewhere_lend", {"item_summary": "別の貸出し", "owning_unit": "a", **LOAN, "borrower": "staff.b.elsewhere"})
    assert [row.entry for row in both.engine.ledgers.page(viewer, "loans").rows] == [1]  # numbered by itself
    assert [row.case_number for row in loans(both)] == ["案R8-0001"] and len(loans(both)) == 1


def test_masked_columns_are_for_those_who_see_the_case(both: World) -> None:
    lend(both)
    hidden, seen = loans(both, GENERAL)[0].cell("borrower"), loans(both, STAFF)[0].cell("borrower")
    assert hidden is not None and (hidden.masked, hidden.value, hidden.text) == (True, None, "")
    assert seen is not None and (seen.masked, seen.text) == (False, "第二課 職員さん")
    assert loans(both, GENERAL, text="第二課 職員") == []  # nor is it found by what is hidden
    assert len(loans(both, AUDITOR, text="第二課 職員")) == 1
    for revision in entry(both, seat=GENERAL).revisions:
        assert all(cell.text == "" for cell in revision.cells if cell.column == "borrower")


def test_a_masked_column_is_not_corrected_unseen(both: World) -> None:
    lend(both)
    office = both.engine.organisations["office"]
    assert "borrower" in {one.id for one in entry(both, seat=MANAGER).fields}
    with both.engine.writing() as connection:  # the manager's seat no longer sees the case
        table = metadata.tables["case_seat"]
        connection.execute(table.delete().where(table.c.seat == MANAGER))
    assert "borrower" not in {one.id for one in entry(both, seat=MANAGER).fields}
    with pytest.raises(FormInvalid):
        correct(both, borrower="別の人")
    correct(both, medium="USB-70")
    assert office.rules.ledger("loans", date(2026, 11, 16)).columns[-1].masked


def test_who_the_case_is_about_reads_nothing_of_it_by_his_post(both: World) -> None:
    case_id = lend(both)
    with both.engine.writing() as connection:
        connection.execute(
            metadata.tables["bar"].insert(),
            [
                {"organisation": "office", "case_id": case_id, "person": who, "reason": "named", "since": both.clock.now()}
                for who in ("general_protection_manager.office", "protection_manager.a")
            ],
        )
    assert loans(both, GENERAL) == loans(both, MANAGER) == []
    with pytest.raises(LedgerEntryNotFound):
        correct(both, medium="USB-70")


def test_ledgers_and_entries_that_are_not_there(world: World) -> None:
    lend(world)
    viewer = world.viewer(AUDITOR)
    for read in (
        lambda: world.engine.ledgers.page(viewer, "nothing"),
        lambda: world.engine.ledgers.entry(viewer, "nothing", 1),
        lambda: world.engine.ledgers.entry(viewer, "loans", 2),
        lambda: world.engine.ledgers.entry(viewer, "loans", 2**70),
        lambda: world.engine.ledgers.tree(viewer, "loans"),
    ):
        with pytest.raises(NotFound):
            read()


# ---------------------------------------------------------------- lists


def test_a_ledger_is_searched_by_words_width_and_case_alike(both: World) -> None:
    lend(both, medium="ＵＳＢ-07（暗号化）")
    lend(both, medium="50%引き_紙", sort="paper", lent_on="2026-10-01")
    for text, found in (
        ("usb-07", [1]), ("ｕｓｂ", [1]), ("暗号化", [1]), ("2026-10", [2]), ("10月1日", [2]), ("案r8-0002", [2]), ("50%", [2]),
        ("_", [2]), ("第一課", [2, 1]), ("USBメモリ", [1]), ("ない言葉", []), ("medium", []), ("  ", [2, 1]),
    ):  # fmt: skip
        assert [row.entry for row in loans(both, text=text)] == found, text


def test_a_ledger_is_filtered_by_state_unit_and_days(both: World) -> None:
    first = lend(both)
    both.pass_time(days=2)
    lend(both, "staff@b", owning_unit="b")
    both.complete(first, "give_back", back="true")
    assert [row.entry for row in loans(both, state="貸出中")] == [row.entry for row in loans(both, state="open")] == [2]
    assert [row.entry for row in loans(both, state="返却済")] == [row.entry for row in loans(both, state="closed")] == [1]
    assert [row.entry for row in loans(both, unit="b")] == [2]
    assert [row.entry for row in loans(both, until=date(2026, 11, 16))] == [1]
    assert [row.entry for row in loans(both, since=date(2026, 11, 17))] == [2]
    assert [row.entry for row in loans(both, since=date(2026, 11, 18), until=date(2026, 11, 18))] == [2]
    assert loans(both, until=date.max) and loans(both, since=date.min)


@pytest.mark.parametrize("order", ["new", "kept"])
def test_pages_follow_each_other_without_gap_or_repeat(both: World, order: str) -> None:
    for number in range(7):
        lend(both, lent_on=None if number in (2, 5) else f"20{20 + number % 3}-05-01")
    whole = [row.entry for row in loans(both, order=order)]
    found, after = [], None
    for _ in range(4):
        page = both.engine.ledgers.page(both.viewer(AUDITOR), "loans", order=order, after=after, limit=2)
        found += [row.entry for row in page.rows]
        after = page.next
    assert found == whole and after is None and sorted(whole) == list(range(1, 8))
    for nonsense in ("x", "2026-13-01.4", "1.2", "9999-12-31.99999999999", ""):
        assert len(loans(both, order=order, after=nonsense)) == 7


def test_taking_entries_out_is_recorded(both: World) -> None:
    for _ in range(3):
        lend(both)
    ledger, rows = both.engine.ledgers.take_out(both.viewer(GENERAL), "loans", "CSV", state="open")
    assert (ledger.name, [row.entry for row in rows]) == ("貸出台帳", [3, 2, 1])
    (told,) = both.rows("history", tag="ledger.exported")
    assert (told["person"], json.loads(told["data"])) == (
        "general_protection_manager.office", {"name": "貸出台帳", "ledger": "loans", "format": "CSV", "rows": 3},
    )  # fmt: skip


def test_a_cases_page_names_its_entries(both: World) -> None:
    case_id = lend(both, pieces=[{"label": "簿冊1", "count": "2"}])
    found = both.engine.ledgers.of_case(both.viewer(STAFF), case_id)
    assert [(ledger.name, row.entry, row.state) for ledger, row in found] == [
        ("貸出台帳", 1, "貸出中"), ("品目の台帳", 1, "貸出中"), ("段の登録簿", 1, "有効"),
    ]  # fmt: skip
    assert both.engine.ledgers.of_case(both.viewer(DIVISION), case_id) == ()
    with pytest.raises(CaseNotFound):
        both.engine.case(both.viewer(DIVISION), case_id)


# ---------------------------------------------------------------- trees


def outline(nodes: tuple[TreeNode, ...]) -> list[str]:
    """A tree as lines, a dot for each tier."""
    lines: list[str] = []
    for node in nodes:
        cell = node.entry.cell("own_no")
        assert cell is not None
        lines.append("." * node.tier + cell.text + (f" ({node.lost})" if node.lost else ""))
        lines += outline(node.below)
    return lines


def test_entries_hang_below_the_one_they_name(both: World) -> None:
    for own, above, contract in (
        ("再1", None, "契約1"), ("再2", "再1", "契約1"), ("再3", "再2", "契約1"), ("再4", "再1", "契約1"), ("再5", "再9", "契約1"), ("再6", None, "契約2"),
    ):  # fmt: skip
        lend(both, own_no=own, parent_no=above, contract=contract)
    viewer = both.viewer(AUDITOR)
    page = both.engine.ledgers.tree(viewer, "tiers")
    assert (page.groups, page.group, page.nodes) == ((("契約1", 5), ("契約2", 1)), None, ())
    page = both.engine.ledgers.tree(viewer, "tiers", "契約1")
    assert outline(page.nodes) == [".再1", "..再2", "...再3", "..再4", ".再5 (再9)"]
    assert outline(both.engine.ledgers.tree(viewer, "tiers", "ない契約").nodes) == []
    assert both.engine.ledgers.tree(both.viewer("staff@c"), "tiers", "契約1").nodes == ()


def test_entries_that_hang_in_a_circle_are_all_shown(both: World) -> None:
    for own, above in (("再1", "再3"), ("再2", "再1"), ("再3", "再2"), ("再4", "再4")):
        lend(both, own_no=own, parent_no=above)
    assert outline(both.engine.ledgers.tree(both.viewer(AUDITOR), "tiers").nodes) == [".再4 (再4)", ".再1 (再3)", "..再2", "...再3"]


def test_a_chain_without_end_does_not_break_the_page(world: World) -> None:
    for number in range(25):
        lend(world, own_no=f"再{number}", parent_no=f"再{number - 1}" if number else None)
    lines = outline(world.engine.ledgers.tree(world.viewer(AUDITOR), "tiers").nodes)
    assert len(lines) == 25 and max(len(line) - len(line.lstrip(".")) for line in lines) == 20
