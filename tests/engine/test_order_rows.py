"""Rows of a personnel order, each held against the office of the day and the people known; everything wrong is said at once."""

from __future__ import annotations

import csv
import io
import time
from collections.abc import Mapping
from dataclasses import replace
from datetime import date
from typing import Any

import openpyxl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from engine.order_rows import OrderRead, OrderRow, RowFault, read_rows
from engine.organisation import Organisation, Unit, load
from engine.sheets import Sheet, SheetRow, read_table
from tests.support import offices

DAY = date(2027, 4, 1)
PEOPLE = {"a1": "髙橋 一郎", "b2": "渡邉花子", "c3": "神田三郎"}


def unit(id: str, name: str, since: date = date(2022, 4, 1), until: date | None = None, **posts: str) -> Unit:
    """A unit below the office with the seats of a manager and staff."""
    return Unit(id, name, "office", "unit", 9, since, until, ("protection_manager", "staff"), posts)


def with_more_units() -> Organisation:
    """The small office, with units that begin, end, share a name, and have posts."""
    office = load(offices() / "office")
    more = (
        unit("old", "旧企画課", until=date(2027, 3, 31)),
        unit("new", "新企画課", since=date(2027, 4, 1)),
        unit("before", "審査課", until=date(2027, 3, 31)),
        unit("after", "審査課", since=date(2027, 4, 1)),
        unit("x1", "総務課"),
        unit("x2", "総務課"),
        unit("posts", "参事官（研修）", protection_manager="参事官（研修）", staff="主査"),
        unit("both", "秘書室", protection_manager="秘書室長", staff="秘書室長"),
    )
    return replace(office, units={**office.units, **{unit.id: unit for unit in more}})


OFFICE = with_more_units()
PLAIN = {"職員番号": "a1", "発令": "任命", "部署": "第一課", "役": "保護管理者"}
LEAVE = {"職員番号": "a1", "発令": "退職"}
JOIN = {"職員番号": "n9", "氏名": "新井 新", "発令": "採用"}


def order(*rows: Mapping[str, str], on: date | None = DAY, headers: tuple[str, ...] = ()) -> OrderRead:
    """Read rows written by header; the file's first line has the headers."""
    names = headers or tuple(dict.fromkeys(name for row in rows for name in row))
    sheet = Sheet(names, tuple(SheetRow(line, {name: row.get(name, "") for name in names}) for line, row in enumerate(rows, 2)))
    return read_rows(sheet, OFFICE, on, PEOPLE)


def the_row(given: Mapping[str, str], *others: Mapping[str, str], on: date | None = DAY) -> OrderRow:
    """The first row, where nothing is wrong."""
    read = order(given, *others, on=on)
    assert read.faults == ()
    return read.rows[0]


def the_fault(given: Mapping[str, str], *others: Mapping[str, str], on: date | None = DAY) -> RowFault:
    """The only thing wrong."""
    (fault,) = order(given, *others, on=on).faults
    return fault


# ---------------------------------------------------------------- what is ordered


def test_a_row_in_full() -> None:
    given = {
        "職員番号": "ａ１", "氏名": "髙橋　一郎", "発令": "任命", "部署": "第一課", "役": "保護管理者", "区分": "職務代理", "発令日": "令和９年４月１日",
        "終了日": "2028/3/31", "根拠": "規程第５条（職務代理）～別表①", "メール": "Ichiro@example.go.jp", "備考1": "\u202e何でも",
    }  # fmt: skip
    assert order(given, on=None) == OrderRead(
        (
            OrderRow(
                2, "appoint", "a1", "髙橋 一郎", "protection_manager@a", "acting", DAY, date(2028, 3, 31), "規程第5条（職務代理）～別表①", "Ichiro@example.go.jp"
            ),
        ),
        (),
    )  # fmt: skip


@pytest.mark.parametrize(
    ("word", "action"),
    [
        ("任命", "appoint"), ("命ずる", "appoint"), ("就任", "appoint"), ("免", "relieve"), ("免ずる", "relieve"), ("解任", "relieve"),
        ("異動", "move"), ("配置換", "move"), ("配置換え", "move"), (" 任 命　", "appoint"),
    ],
)  # fmt: skip
def test_the_words_of_orders(word: str, action: str) -> None:
    row = the_row({**PLAIN, "発令": word})
    assert (row.action, row.person, row.seat, row.kind) == (action, "a1", "protection_manager@a", "main")
    assert (row.valid_from, row.valid_to, row.name, row.basis, row.email) == (DAY, None, "髙橋 一郎", "", None)


@pytest.mark.parametrize("word", ["退職", "離職"])
def test_leaving(word: str) -> None:
    row = the_row({**LEAVE, "発令": word, "部署": "", "役": ""})
    assert (row.action, row.seat) == ("leave", "")


def test_joining_with_and_without_a_seat() -> None:
    assert the_row(JOIN).seat == ""
    row = the_row({**JOIN, "部署": "a", "役": "staff", "メール": "ｎ９＠example.go.jp"})
    assert (row.action, row.person, row.name, row.seat, row.email) == ("join", "n9", "新井 新", "staff@a", "n9@example.go.jp")


def test_who_joins_can_be_appointed_in_the_same_file_in_any_order() -> None:
    row = the_row({**PLAIN, "職員番号": "n9", "氏名": "新井新"}, JOIN)
    assert (row.person, row.name) == ("n9", "新井新")


@pytest.mark.parametrize(
    ("word", "kind"), [("", "main"), ("本務", "main"), ("兼務", "concurrent"), ("併任", "joint"), ("事務取扱", "caretaker"), ("職務代理", "acting")]
)  # fmt: skip
def test_how_a_seat_is_held(word: str, kind: str) -> None:
    assert the_row({**PLAIN, "区分": word, "根拠": "規程第5条"}).kind == kind


@pytest.mark.parametrize("word", ["事務取扱", "職務代理"])
def test_what_stands_in_for_an_appointment_names_its_basis(word: str) -> None:
    fault = the_fault({**PLAIN, "区分": word, "根拠": " "})
    assert (fault.line, fault.column) == (2, "根拠") and word in fault.message
    assert the_fault({**PLAIN, "区分": word}).column == "根拠"


@pytest.mark.parametrize(
    ("change", "column", "said"),
    [
        ({"発令": ""}, "発令", "採用・任命・免・異動・退職"),
        ({"発令": "昇任"}, "発令", "「昇任」は使えません。採用・任命・免・異動・退職のどれか"),
        ({"区分": "兼任"}, "区分", "本務・兼務・併任・事務取扱・職務代理のどれか"),
        ({"職員番号": ""}, "職員番号", "職員番号を書いて"),
        ({"職員番号": "山田"}, "職員番号", "「山田」は使えません"),
        ({"職員番号": "a 1"}, "職員番号", "使えません"),
        ({"職員番号": "a" * 65}, "職員番号", "64文字以内"),
        ({"職員番号": "z9"}, "職員番号", "「z9」は登録されていません"),
        ({"職員番号": "A1"}, "職員番号", "登録されていません"),
        ({"氏名": "渡邉花子"}, "氏名", "行がずれていないか"),
        ({"メール": "a1"}, "メール", "メールアドレスの形"),
        ({"メール": "a1@localhost"}, "メール", "メールアドレスの形"),
        ({"メール": "a1@@example.jp"}, "メール", "メールアドレスの形"),
        ({"メール": "a1@example..jp"}, "メール", "メールアドレスの形"),
        ({"メール": "あ@example.jp"}, "メール", "メールアドレスの形"),
        ({"部署": ""}, "部署", "部署を書いて"),
        ({"役": ""}, "役", "役（または職）を書いて"),
        ({"部署": "第一科"}, "部署", "「第一課」のことですか"),
        ({"部署": "宇宙開発本部"}, "部署", "この機関にありません。"),
        ({"部署": "総務課"}, "部署", "2つあります。部署のid（x1、x2）"),
        ({"部署": "旧企画課"}, "部署", "令和9年4月1日にはありません"),
        ({"部署": "old"}, "部署", "令和9年4月1日にはありません"),
        ({"役": "保護管理官"}, "役", "「保護管理者」のことですか"),
        ({"役": "監査責任者"}, "役", "第一課に、役「監査責任者」はありません（あるもの：保護管理者、職員）"),
        ({"部署": "north", "役": "staff"}, "役", "あるもの：部課等保護管理者"),
        ({"根拠": "あ" * 301}, "根拠", "300文字以内"),
        ({"氏名": "あ" * 201}, "氏名", "200文字以内"),
        ({"発令日": "4月1日"}, "発令日", "日付として読めません"),
        ({"発令日": "46478"}, "発令日", "日付として読めません"),
        ({"発令日": "1027-04-01"}, "発令日", "年を確かめて"),
        ({"発令日": "2027-04-02"}, "発令日", "令和9年4月2日は、この発令の日（令和9年4月1日）と違います"),
        ({"終了日": "いつか"}, "終了日", "日付として読めません"),
        ({"終了日": "2027-03-31"}, "終了日", "より前"),
    ],
)  # fmt: skip
def test_what_does_not_fit_is_named(change: dict[str, str], column: str, said: str) -> None:
    fault = the_fault({**PLAIN, **change})
    assert (fault.line, fault.column) == (2, column)
    assert said in fault.message


@pytest.mark.parametrize("last", ["2027-04-01", "R10.3.31"])
def test_the_last_day_may_be_the_first(last: str) -> None:
    assert the_row({**PLAIN, "終了日": last}).valid_to is not None


@pytest.mark.parametrize(
    ("given", "columns"),
    [
        ({**JOIN, "氏名": ""}, ["氏名"]),
        ({**JOIN, "職員番号": "a1"}, ["職員番号"]),
        ({**JOIN, "部署": "第一課", "役": ""}, ["役"]),
        ({**JOIN, "部署": "", "役": "職員"}, ["部署"]),
        ({"職員番号": "a1", "発令": "免"}, ["部署", "役"]),
        ({"職員番号": "a1", "発令": "異動", "部署": "", "役": ""}, ["部署", "役"]),
        ({**PLAIN, "発令": "免", "終了日": "2028-03-31"}, ["終了日"]),
        ({**PLAIN, "発令": "異動", "区分": "兼務"}, ["区分"]),
        ({**LEAVE, "部署": "第一課"}, ["部署"]),
        ({**LEAVE, "部署": "", "役": "職員", "職": "課長"}, ["役", "職"]),
        ({**LEAVE, "区分": "兼務"}, ["区分"]),
        ({**LEAVE, "終了日": "2028-03-31"}, ["終了日"]),
    ],
)
def test_what_each_kind_of_order_wants(given: dict[str, str], columns: list[str]) -> None:
    assert sorted(fault.column for fault in order(given).faults) == sorted(columns)


@pytest.mark.parametrize("name", ["髙橋一郎", "髙橋　一郎", " 髙 橋 一 郎 ", ""])
def test_a_name_is_compared_without_its_blanks(name: str) -> None:
    assert the_row({**PLAIN, "氏名": name}).person == "a1"


def test_another_letter_is_another_name() -> None:
    assert the_fault({**PLAIN, "氏名": "高橋一郎"}).column == "氏名"


def test_a_name_keeps_its_very_letters() -> None:
    """U+FA19 stays what it is; widths and half-width kana do not."""
    assert the_row({**JOIN, "氏名": "\ufa19田　ﾊﾞﾙ（Ｔ）"}).name == "\ufa19田 バル（T）"
    assert the_row({**PLAIN, "職員番号": "c3", "氏名": "\ufa19田三郎"}).name == "\ufa19田三郎"


# ---------------------------------------------------------------- units, roles and posts


@pytest.mark.parametrize(
    ("place", "seat"),
    [
        ({"部署": "a", "役": "protection_manager"}, "protection_manager@a"),
        ({"部署": "第 一　課", "役": "保護 管理者"}, "protection_manager@a"),
        ({"部署": "北部", "役": "部課等保護管理者"}, "division_protection_manager@north"),
        ({"部署": "x2", "役": "職員"}, "staff@x2"),
        ({"部署": "新企画課", "役": "職員"}, "staff@new"),
        ({"部署": "審査課", "役": "職員"}, "staff@after"),
        ({"部署": "参事官(研修)", "職": "参事官（研修）"}, "protection_manager@posts"),
        ({"部署": "posts", "職": "主査"}, "staff@posts"),
        ({"部署": "posts", "役": "職員", "職": "主査"}, "staff@posts"),
        ({"部署": "秘書室", "役": "職員", "職": "秘書室長"}, "staff@both"),
    ],
)
def test_how_a_seat_is_named(place: dict[str, str], seat: str) -> None:
    assert the_row({"職員番号": "a1", "発令": "任命", **place}).seat == seat


def test_seats_are_those_of_the_day() -> None:
    before = date(2027, 3, 31)
    assert the_row({**PLAIN, "部署": "旧企画課"}, on=before).seat == "protection_manager@old"
    assert the_row({**PLAIN, "部署": "審査課"}, on=before).seat == "protection_manager@before"
    assert "令和9年3月31日にはありません" in the_fault({**PLAIN, "部署": "新企画課"}, on=before).message


@pytest.mark.parametrize(
    ("place", "column", "said"),
    [
        ({"部署": "posts", "職": "課長"}, "職", "職「課長」はありません（あるもの：参事官（研修）、主査）"),
        ({"部署": "a", "職": "課長"}, "職", "あるもの：なし"),
        ({"部署": "秘書室", "職": "秘書室長"}, "職", "1つに決まりません。次のどれかを役の列に書いてください：保護管理者（protection_manager）、職員（staff）"),
        ({"部署": "posts", "役": "保護管理者", "職": "主査"}, "職", "職「主査」で役「保護管理者」のものはありません"),
    ],
)  # fmt: skip
def test_a_post_leads_to_one_seat_or_to_none(place: dict[str, str], column: str, said: str) -> None:
    fault = the_fault({"職員番号": "a1", "発令": "任命", **place})
    assert fault.column == column and said in fault.message


def test_without_a_day_units_are_still_looked_up() -> None:
    """A day at fault does not hide what else is wrong, nor make more of it."""
    faults = order(
        {**PLAIN, "発令日": "x", "部署": "旧企画課"}, {**PLAIN, "職員番号": "b2", "発令日": "x", "部署": "ない課"}, on=None
    ).faults
    assert sorted((fault.line, fault.column) for fault in faults) == [(2, "発令日"), (3, "発令日"), (3, "部署")]


# ---------------------------------------------------------------- days


def test_the_day_comes_from_the_file_or_from_outside() -> None:
    assert the_row({**PLAIN, "発令日": "2027年4月1日"}, on=None).valid_from == DAY
    assert the_row({**PLAIN, "発令日": "R9.4.1"}).valid_from == DAY
    assert the_row({**PLAIN, "発令日": ""}).valid_from == DAY
    assert the_row(PLAIN).valid_from == DAY


def test_without_a_day_from_outside_every_row_has_one() -> None:
    fault = the_fault(PLAIN, on=None)
    assert (fault.line, fault.column) == (0, "発令日")
    fault = the_fault({**PLAIN, "発令日": "2027-04-01"}, {**PLAIN, "職員番号": "b2"}, on=None)
    assert (fault.line, fault.column, fault.message) == (3, "発令日", "発令日を書いてください。")


def test_one_file_is_one_day() -> None:
    days = ("2027-04-01", "2027-04-02", "令和9年4月1日", "2027-04-03")
    rows = [
        {**PLAIN, "役": role, "部署": unit, "発令日": day} for day, role, unit in zip(days, ["職員", "保護管理者"] * 2, "aabb", strict=True)
    ]
    read = order(*rows, on=None)
    assert [(fault.line, fault.column) for fault in read.faults] == [(3, "発令日"), (5, "発令日")]
    assert "2行目（令和9年4月1日）と違います" in read.faults[0].message
    assert [row.line for row in read.rows] == [2, 4]


# ---------------------------------------------------------------- columns


@pytest.mark.parametrize("header", ["利用者ID", "利用者id", "職員番号"])
def test_headers_have_other_names(header: str) -> None:
    given = {
        header: "a1",
        "発令内容": "任命",
        "所属": "a",
        "役": "staff",
        "名前": "髙橋一郎",
        "メールアドレス": "a@example.jp",
        "備考": "x",
        "備考（人事）": "",
    }
    assert the_row(given).email == "a@example.jp"


def test_a_fault_is_named_by_the_header_of_the_file() -> None:
    assert the_fault({"利用者ID": "z9", "発令": "任命", "部署": "a", "役": "staff"}).column == "利用者ID"


def test_nothing_is_ignored_silently() -> None:
    fault = the_fault({**PLAIN, "根処": "x"})
    assert (fault.line, fault.column) == (0, "根処")
    assert "「根拠」のことですか" in fault.message and "備考" in fault.message
    assert the_fault({**PLAIN, "内部備考": ""}).column == "内部備考"
    assert "同じ意味" in the_fault({**PLAIN, "利用者ID": "a1"}).message


def test_columns_that_must_be_there() -> None:
    faults = order({"氏名": "髙橋一郎"}, {"氏名": "渡邉花子"}, on=None).faults
    assert {(fault.line, fault.column) for fault in faults} == {(0, "職員番号"), (0, "発令"), (0, "発令日")}


def test_a_file_without_rows() -> None:
    (fault,) = order(headers=("職員番号", "発令")).faults
    assert (fault.line, fault.message) == (0, "発令の行がありません。")


@pytest.mark.parametrize("column", ["職員番号", "氏名", "発令", "部署", "役", "職", "区分", "発令日", "終了日", "根拠", "メール"])
@pytest.mark.parametrize(
    "mark", ["\x00", "\n", "\t", "\x85", "\u202e", "\u2066", "\u200f", "\u200b", "\u2028", "\ufeff", "\ufffd", chr(0xD800), "\xad"]
)
def test_characters_that_nobody_sees_are_refused(column: str, mark: str) -> None:
    given = {**PLAIN, column: f"a{mark}b"}
    faults = [fault for fault in order(given).faults if fault.column == column]
    assert len(faults) == 1 and "見えない文字" in faults[0].message
    assert not any(mark in fault.message for fault in order(given).faults)


def test_blanks_around_a_text_do_not_count() -> None:
    assert the_row({name: f"\u3000 {text}\r\n" for name, text in PLAIN.items()}).seat == "protection_manager@a"


# ---------------------------------------------------------------- rows among each other


@pytest.mark.parametrize(
    ("first", "second"),
    [
        (PLAIN, {**PLAIN, "部署": "a", "役": "protection_manager", "発令": "命ずる"}),
        ({**PLAIN, "発令": "免"}, {**PLAIN, "発令": "解任"}),
        (LEAVE, {**LEAVE, "発令": "離職"}),
        ({**PLAIN, "発令": "異動"}, {**PLAIN, "発令": "異動", "役": "職員"}),
        (JOIN, {**JOIN, "部署": "a", "役": "staff"}),
    ],
)
def test_the_same_twice_names_the_other_line(first: dict[str, str], second: dict[str, str]) -> None:
    fault = the_fault(first, {**PLAIN, "職員番号": "b2"}, second)
    assert (fault.line, fault.column) == (4, "職員番号") and "2行目と同じ" in fault.message


def test_different_seats_and_people_may_stand_together() -> None:
    rows = [PLAIN, {**PLAIN, "役": "職員", "区分": "兼務"}, {**PLAIN, "職員番号": "b2"}, {**PLAIN, "発令": "免", "部署": "b"}]
    assert len(order(*rows).rows) == 4


@pytest.mark.parametrize("action", ["任命", "異動"])
def test_who_leaves_gets_nothing(action: str) -> None:
    fault = the_fault({**PLAIN, "発令": action}, LEAVE)
    assert (fault.line, fault.column, fault.message) == (2, "発令", "3行目で退職する職員です。")
    assert order({**PLAIN, "発令": "免"}, LEAVE).faults == ()


def test_everything_wrong_is_said_at_once_in_order() -> None:
    read = order(
        {**PLAIN, "発令": "昇任", "部署": "ない課", "役": "ない役", "メール": "x", "余計": ""},
        PLAIN,
        {**PLAIN, "職員番号": "z9", "区分": "x", "発令日": "x", "終了日": "x"},
    )
    assert [(fault.line, fault.column) for fault in read.faults] == [
        (0, "余計"), (2, "発令"), (2, "部署"), (2, "役"), (2, "メール"), (4, "職員番号"), (4, "区分"), (4, "発令日"), (4, "終了日"),
    ]  # fmt: skip
    assert [row.line for row in read.rows] == [3], "rows without a fault can be shown"


# ---------------------------------------------------------------- whole files

ROWS = [
    ["職員番号", "氏　名", "発令", "部署", "役", "職", "区分", "発令日", "終了日", "根拠", "メール", "備考"],
    ["a1", "髙橋　一郎", "異動", "第二課", "保護管理者", "", "", "令和9年4月1日", "", "", "", ""],
    ["b2", "渡邉花子", "任命", "秘書室", "職員", "", "職務代理", "令和9年4月1日", "R9.9.30", "規程第5条～別表①", "", "①"],
    ["n9", "﨑山　新", "採用", "参事官（研修）", "", "主査", "", "R9.4.1", "", "", "n9@example.go.jp", ""],
    ["c3", "", "退職", "", "", "", "", "2027/4/1", "", "", "", ""],
]


def files() -> dict[str, bytes]:
    """One order in every kind of file."""
    text = io.StringIO(newline="")
    csv.writer(text).writerows(ROWS)
    found = {code: text.getvalue().encode(code) for code in ("utf-8", "utf-8-sig", "cp932", "utf-16")}
    book = openpyxl.Workbook()
    for row in ROWS:
        book.active.append([DAY if cell in ("令和9年4月1日", "R9.4.1", "2027/4/1") else cell or None for cell in row])
    out = io.BytesIO()
    book.save(out)
    return {**found, "xlsx": out.getvalue()}


@pytest.mark.parametrize("on", [DAY, None])
def test_the_same_order_from_every_kind_of_file(on: date | None) -> None:
    read = {kind: read_rows(read_table("発令", content), OFFICE, on, PEOPLE) for kind, content in files().items()}
    assert all(one == read["utf-8"] for one in read.values())
    assert read["xlsx"].faults == ()
    assert [(row.line, row.action, row.person, row.name, row.seat, row.kind, row.valid_to) for row in read["xlsx"].rows] == [
        (2, "move", "a1", "髙橋 一郎", "protection_manager@b", "main", None),
        (3, "appoint", "b2", "渡邉花子", "staff@both", "acting", date(2027, 9, 30)),
        (4, "join", "n9", "﨑山 新", "staff@posts", "main", None),
        (5, "leave", "c3", "神田三郎", "", "main", None),
    ]


@pytest.mark.parametrize("wrong", [False, True])
def test_the_largest_order_is_read_soon(wrong: bool) -> None:
    seats = [seat.split("@") for seat in OFFICE.seats(DAY)]
    rows: list[dict[str, Any]] = []
    for number in range(5_000):
        role, unit_id = seats[number % len(seats)]
        rows.append(
            {**JOIN, "職員番号": f"p{number}", "部署": f"{unit_id}{number if wrong else ''}", "役": f"{role}{number if wrong else ''}"}
        )
    begun = time.process_time()
    read = order(*rows)
    assert time.process_time() - begun < 12  # a hang guard: about one second where the machine is free
    assert (len(read.rows), len(read.faults)) == ((0, 10_000) if wrong else (5_000, 0))


CELL = st.one_of(
    st.text(max_size=12),
    st.sampled_from([cell for row in ROWS for cell in row] + ["第一課", "staff", "a", "免", "事務取扱", "総務課", "\u202e", "2027-04-31"]),
)
HEADER = st.one_of(
    st.text(min_size=1, max_size=6),
    st.sampled_from(["職員番号", "氏名", "発令", "部署", "役", "職", "区分", "発令日", "終了日", "根拠", "メール"]),
)


@settings(max_examples=200, deadline=2_000)
@given(st.data(), st.lists(HEADER, unique=True, min_size=1, max_size=11), st.sampled_from([None, DAY]))
def test_any_table_is_read_or_faulted(data: st.DataObject, headers: list[str], on: date | None) -> None:
    rows = data.draw(st.lists(st.lists(CELL, min_size=len(headers), max_size=len(headers)), max_size=4))
    sheet = Sheet(tuple(headers), tuple(SheetRow(line, dict(zip(headers, row, strict=True))) for line, row in enumerate(rows, 2)))
    read = read_rows(sheet, OFFICE, on, PEOPLE)
    assert read.faults or len(read.rows) == len(rows)
    assert all(not row.seat or row.seat in OFFICE.seats(row.valid_from) for row in read.rows)
    assert not {row.line for row in read.rows} & {fault.line for fault in read.faults}
