"""Tables out of files that people saved, and everything else that gets handed in under that name; days as offices write them."""

from __future__ import annotations

import csv
import io
import re
import time
import zipfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from datetime import date, datetime
from datetime import time as clock
from typing import Any

import openpyxl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from engine.era import japanese_date, read_date
from engine.errors import Invalid
from engine.sheets import LIMITS, Sheet, SheetLimits, SheetUnreadable, read_table

# ---------------------------------------------------------------- days


@pytest.mark.parametrize(
    "text",
    [
        "2027-04-01", "2027-4-1", "2027/4/1", "2027/04/01", "2027.4.1", "20270401", "2027年4月1日", "2027年 4月 1日",
        "令和9年4月1日", "令和 9年 4月 1日", "令和09年04月01日", "R9.4.1", "R9/4/1", "R9-4-1", "Ｒ９．４．１", "２０２７／４／１",
        "２０２７年４月１日", "令和９年４月１日", "　2027-04-01 ", "㋿9年4月1日", "R09.04.01",
    ],
)  # fmt: skip
def test_one_day_in_many_spellings(text: str) -> None:
    assert read_date(text) == date(2027, 4, 1)


@pytest.mark.parametrize(
    ("text", "day"),
    [
        ("令和元年5月1日", date(2019, 5, 1)),
        ("令和1年5月1日", date(2019, 5, 1)),
        ("R元.5.1", date(2019, 5, 1)),
        ("平成31年4月30日", date(2019, 4, 30)),
        ("H31.4.30", date(2019, 4, 30)),
        ("平成元年1月8日", date(1989, 1, 8)),
        ("昭和64年1月7日", date(1989, 1, 7)),
        ("S64.1.7", date(1989, 1, 7)),
        ("昭和元年12月25日", date(1926, 12, 25)),
        ("令和6年2月29日", date(2024, 2, 29)),
    ],
)
def test_an_era_holds_from_its_first_day_to_its_last(text: str, day: date) -> None:
    assert read_date(text) == day


@pytest.mark.parametrize(
    "text",
    [
        "", "　", "明日", "2027", "2027-04", "2027-4/1", "2027 4 1", "2027041", "202704011", "27-04-01", "04/01/2027", "2027-04-01T00:00",
        "2027-02-29", "2027-13-01", "2027-04-31", "2027-00-10", "0000-01-01", "令和9年2月29日", "令和9年4月", "9年4月1日",
        "令和元年4月30日", "平成31年5月1日", "H31.5.1", "平成元年1月7日", "昭和64年1月8日", "昭和元年12月24日", "令和0年4月1日", "R0.4.1",
        "大正16年1月1日", "r9.4.1", "R9.4/1", "T9.4.1", "令和9999年4月1日", "٢٠٢٧-٠٤-٠١", "2027‐04‐01", "2027-04-01\u202e", "9" * 100_000,
    ],
)  # fmt: skip
def test_what_is_no_day_is_refused(text: str) -> None:
    with pytest.raises(ValueError):
        read_date(text)


@pytest.mark.parametrize(
    ("day", "text"),
    [
        (date(2027, 4, 1), "令和9年4月1日"), (date(2019, 5, 1), "令和元年5月1日"), (date(2019, 4, 30), "平成31年4月30日"),
        (date(1989, 1, 8), "平成元年1月8日"), (date(1989, 1, 7), "昭和64年1月7日"), (date(1926, 12, 25), "昭和元年12月25日"),
        (date(1926, 12, 24), "大正15年12月24日"), (date(1868, 1, 24), "1868年1月24日"),
    ],
)  # fmt: skip
def test_a_day_with_its_era(day: date, text: str) -> None:
    assert japanese_date(day) == text


@given(st.dates(date(1900, 1, 1), date(2100, 1, 1)))
def test_what_is_written_can_be_read(day: date) -> None:
    assert read_date(japanese_date(day)) == read_date(day.isoformat()) == day


# ---------------------------------------------------------------- helpers

HEADERS = ["職員番号", "氏名", "発令日"]
PERSON = ["a1", "髙橋①～", "令和9年4月1日"]
TEXT = "職員番号,氏名,発令日\r\na1,髙橋①～,令和9年4月1日\r\n"


def rows_of(sheet: Sheet) -> list[tuple[int, list[str]]]:
    return [(row.line, list(row.cells.values())) for row in sheet.rows]


def refused(content: bytes, limits: SheetLimits = LIMITS) -> str:
    """The reason why a file is refused."""
    with pytest.raises(SheetUnreadable) as refusal:
        read_table("発令.xlsx", content, limits)
    assert isinstance(refusal.value, Invalid), "pages answer it with 422"
    assert refusal.value.text.startswith("ファイル「発令.xlsx」を読めません：")
    return str(refusal.value.ids["why"])


@contextmanager
def soon(seconds: float = 12) -> Iterator[None]:
    """What is inside takes no longer: half a second to 2.5 where the machine is free; what is not stopped takes minutes."""
    begun = time.process_time()
    yield
    assert time.process_time() - begun < seconds


def workbook(*rows: list[Any], change: Callable[[Any], None] | None = None) -> bytes:
    """A workbook as another program writes it."""
    book = openpyxl.Workbook()
    for row in rows:
        book.active.append(row)
    if change:
        change(book.active)
    out = io.BytesIO()
    book.save(out)
    return out.getvalue()


def changed(content: bytes, part: str, change: Callable[[bytes], bytes]) -> bytes:
    """The same archive with one part changed, or added."""
    out = io.BytesIO()
    with zipfile.ZipFile(io.BytesIO(content)) as source, zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as target:
        for name in dict.fromkeys([*source.namelist(), part]):
            data = source.read(name) if name in source.namelist() else b""
            target.writestr(name, change(data) if name == part else data)
    return out.getvalue()


SHEET, STYLES, BOOK = "xl/worksheets/sheet1.xml", "xl/styles.xml", "xl/workbook.xml"
RELATIONS, STRINGS = "xl/_rels/workbook.xml.rels", "xl/sharedStrings.xml"
PARTS = [SHEET, STYLES, BOOK, RELATIONS, STRINGS]


def cells(inside: str, head: str = "") -> bytes:
    """A workbook whose sheet data is written by hand."""
    xml = f'{head}<worksheet xmlns="http://schemas.openxmlformats.org/spreadsheetml/2006/main"><sheetData>{inside}</sheetData></worksheet>'
    return changed(workbook(["x"]), SHEET, lambda _: xml.encode())


def text_cell(place: str, text: str) -> str:
    return f'<c r="{place}" t="inlineStr"><is><t>{text}</t></is></c>'


def shared(content: bytes, strings: bytes) -> bytes:
    """A workbook with a table of shared strings, as Excel writes one."""
    kind = b"http://schemas.openxmlformats.org/officeDocument/2006/relationships/sharedStrings"
    item = b'<Relationship Id="strings" Type="' + kind + b'" Target="sharedStrings.xml"/></Relationships>'
    content = changed(content, RELATIONS, lambda xml: xml.replace(b"</Relationships>", item))
    return changed(content, STRINGS, lambda _: strings)


HEAD_ROW = f'<row r="1">{text_cell("A1", "甲")}{text_cell("B1", "乙")}</row>'


def second_row(cell: str) -> bytes:
    """A workbook whose second row is one cell in column A."""
    return cells(HEAD_ROW + f'<row r="2">{cell}</row>')


# ---------------------------------------------------------------- CSV


@pytest.mark.parametrize("code", ["utf-8", "utf-8-sig", "utf-16", "cp932"])
@pytest.mark.parametrize("newline", ["\r\n", "\n", "\r"])
@pytest.mark.parametrize("mark", [",", "\t", ";"])
def test_every_way_a_spreadsheet_saves(code: str, newline: str, mark: str) -> None:
    content = TEXT.replace("\r\n", newline).replace(",", mark).encode(code)
    sheet = read_table("x.csv", content)
    assert sheet.headers == tuple(HEADERS)
    assert rows_of(sheet) == [(2, PERSON)]


def test_utf_16_with_the_other_end_first() -> None:
    assert rows_of(read_table("x.csv", b"\xfe\xff" + TEXT.encode("utf-16-be"))) == [(2, PERSON)]


def test_lines_are_counted_as_a_person_sees_them() -> None:
    text = '\n\n甲,乙\n1,"一行目\r\n二行目\n""三行目"""\n,\n\n 　,\n2,x\n3'
    sheet = read_table("x.csv", text.encode())
    assert rows_of(sheet) == [(4, ["1", '一行目\r\n二行目\n"三行目"']), (10, ["2", "x"]), (11, ["3", ""])]


def test_headers_lose_width_and_blanks() -> None:
    sheet = read_table("x.csv", '職 員　番号,"利用\n者ＩＤ",ﾒｰﾙ,,\n1,2,3,,\n'.encode())
    assert sheet.headers == ("職員番号", "利用者ID", "メール")
    assert rows_of(sheet) == [(3, ["1", "2", "3"])]


def test_a_comma_inside_does_not_make_a_separator() -> None:
    sheet = read_table("x.csv", '"甲,子";乙;丙\n1,2;"3;4";5\n'.encode())
    assert sheet.headers == ("甲,子", "乙", "丙")
    assert rows_of(sheet) == [(2, ["1,2", "3;4", "5"])]


def test_texts_are_handed_on_as_they_are() -> None:
    """What is in a cell is for the next one to judge: blanks, widths, control characters."""
    assert rows_of(read_table("x.csv", "甲,乙\n ａ\u202e,\x01\n".encode())) == [(2, [" ａ\u202e", "\x01"])]


def test_headers_alone_are_a_table_without_rows() -> None:
    assert read_table("x.csv", "甲,乙\n".encode()) == Sheet(("甲", "乙"), ())


@pytest.mark.parametrize(
    ("content", "why"),
    [
        (b"", "中身が空"),
        (b"\xef\xbb\xbf", "見出しの行がありません"),
        (b"\r\n , \r\n", "見出しの行がありません"),
        ("甲,乙,甲\n".encode(), "見出し「甲」の列が2つ"),
        ("甲,ＡＢ,A B\n".encode(), "見出し「AB」の列が2つ"),
        ("発令の一覧\n職員番号,氏名\n1,x\n".encode(), "2行目の2列目に値がありますが、その列に見出しがありません"),
        ("甲,,乙\n1,2,3\n".encode(), "2行目の2列目に値がありますが"),
        ("甲,乙\n1,2,3\n".encode(), "2行目の3列目に値がありますが"),
        ("甲\u202e,乙\n".encode(), "見えない文字"),
        (("あ" * 101 + ",乙\n").encode(), "1列目の見出しが長すぎ"),
        ('甲,乙\n1,"2\n3,4\n'.encode(), "2行目から、CSVの引用符"),
        ('甲,乙\n1,"2"x\n'.encode(), "2行目から、CSVの引用符"),
        (("甲\n" + "あ" * 10_001).encode(), "文字が多すぎ"),
        (("甲\n" + "あ" * 140_000).encode(), "1つの値が長すぎ"),
        (TEXT.encode("utf-16-le"), "文字コード"),
        (b"\xff\xfea", "文字コード"),
        (b"\xef\xbb\xbf\x82\xa0", "文字コード"),
        ("甲,乙\n".encode("utf-32"), "文字コード"),
        (b"a,b\n\0,1\n", "文字コード"),
        (b"\x82\xa0,\xfd\n", "文字コード"),
        (b"\x82\xa0,\x81\n", "文字コード"),
    ],
)
def test_what_is_no_table_is_refused_with_the_reason(content: bytes, why: str) -> None:
    assert why in refused(content)


def table(rows: int, columns: int) -> bytes:
    line = ",".join("x" * columns) + "\n"
    return (",".join(f"h{number}" for number in range(columns)) + "\n" + line * rows).encode()


def test_how_much_a_table_may_hold() -> None:
    assert len(read_table("x.csv", table(5_000, 3)).rows) == 5_000
    assert "5,000行まで" in refused(table(5_001, 3))
    assert len(read_table("x.csv", table(2, 100)).headers) == 100
    assert "列は100まで" in refused(table(2, 101))
    assert "大きさは5 MBまで" in refused(b"a" * (5 * 1024 * 1024 + 1))
    small = SheetLimits(size=1024, rows=1, columns=2, letters=3)
    assert "1行まで" in refused(table(2, 2), small)
    assert "列は2まで" in refused(table(1, 3), small)
    assert "3文字まで" in refused("甲\nabcd\n".encode(), small)
    assert "大きさは" in refused(b"a" * 1025, small)


# ---------------------------------------------------------------- other kinds of files


@pytest.mark.parametrize(
    ("content", "kind"),
    [
        (b"%PDF-1.7\n1 0 obj", "PDF"),
        (b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR", "PNG"),
        (b"\xff\xd8\xff\xe0\0\x10JFIF", "JPEG"),
        (b"GIF89a\x01\0", "GIF"),
        (b"II*\0\x08\0", "TIFF"),
        (b"<html><table><tr><td>1</td></tr></table></html>", "HTML"),
        (b"\xef\xbb\xbf\n<?xml version='1.0'?><Workbook/>", "HTML"),
        (b"{\\rtf1 }", "リッチテキスト"),
        (b"\x1f\x8b\x08\0", "圧縮"),
        (b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + b"\0" * 500 + "Workbook\0".encode("utf-16-le"), "古いExcel（.xls）"),
        (b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + b"\0" * 500 + "WordDocument\0".encode("utf-16-le"), "古いOffice文書"),
    ],
)
def test_other_kinds_are_refused_by_what_they_are(content: bytes, kind: str) -> None:
    why = refused(content)
    assert kind in why and "保存し直して" in why


@pytest.mark.parametrize(
    ("part", "kind"), [("word/document.xml", "Word"), ("ppt/presentation.xml", "PowerPoint"), ("xl/workbook.bin", ".xlsb"), ("a.txt", "ZIP"), ("content.xml", "OpenDocument")]
)  # fmt: skip
def test_other_archives_are_refused_by_what_they_are(part: str, kind: str) -> None:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w") as archive:
        archive.writestr(part, "x")
    assert kind in refused(out.getvalue())


def test_the_name_decides_nothing_and_does_no_harm() -> None:
    assert rows_of(read_table("x.pdf", TEXT.encode())) == rows_of(read_table("x", workbook(HEADERS, PERSON))) == [(2, PERSON)]
    with pytest.raises(SheetUnreadable) as refusal:
        read_table("発令\u202e\n" + "x" * 200 + "{name}", b"")
    assert len(refusal.value.ids["name"]) == 60
    assert not {"\u202e", "\n"} & set(refusal.value.text)


def test_encrypted_workbooks_are_told_apart() -> None:
    wrapped = b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + b"\0" * 500 + "EncryptedPackage".encode("utf-16-le") + "Workbook\0".encode("utf-16-le")
    assert "パスワード" in refused(wrapped)
    content = bytearray(workbook(["甲"]))
    for found in re.finditer(rb"PK\x01\x02", bytes(content)):
        content[found.start() + 8] |= 1
    assert "パスワード" in refused(bytes(content))


# ---------------------------------------------------------------- XLSX


def test_what_a_person_sees_in_a_workbook() -> None:
    def change(sheet: Any) -> None:
        sheet["A4"].number_format = "00000"
        sheet["B4"].number_format = '[$-411]ggge"年"m"月"d"日"'
        sheet["C4"].number_format = "#,##0;[Red]-#,##0"

    content = workbook(
        ["甲", "乙", "丙"],
        [1, 1.5, True],
        [date(2027, 4, 1), datetime.combine(date(2027, 4, 1), clock(9, 30)), datetime.combine(date(2027, 4, 1), clock())],
        [123, date(2027, 4, 1), 46478],
        [None, None, None],
        [2.0, 1e20, " 髙橋①～\n "],
        ["=1+1", None, None],
        change=change,
    )
    content = changed(
        content,
        SHEET,
        lambda xml: xml.replace(b"<f>1+1</f><v></v>", b"<f>1+1</f><v>2</v>").replace(b"<f>1+1</f><v />", b"<f>1+1</f><v>2</v>"),
    )
    assert rows_of(read_table("x.xlsx", content)) == [
        (2, ["1", "1.5", "TRUE"]),
        (3, ["2027-04-01", "2027-04-01 09:30:00", "2027-04-01"]),
        (4, ["00123", "2027-04-01", "46478"]),
        (6, ["2", "1" + "0" * 20, " 髙橋①～\n "]),
        (7, ["2", "", ""]),
    ]  # fmt: skip


@pytest.mark.parametrize("number", [14, 27, 30, 31, 36, 50, 57, 58])
def test_the_date_formats_built_into_japanese_excel(number: int) -> None:
    """Such a file names the number of the format and nothing else."""

    def change(sheet: Any) -> None:
        sheet["A2"].number_format = "mm-dd-yy"

    content = workbook(["甲"], [46478], change=change)
    content = changed(content, STYLES, lambda xml: xml.replace(b'numFmtId="14"', b'numFmtId="%d"' % number))
    assert rows_of(read_table("x.xlsx", content)) == [(2, ["2027-04-01"])]


@pytest.mark.parametrize(
    ("code", "text"),
    [
        ("yyyy/m/d", "2027-04-01"), ("[$-ja-JP]ge.m.d;@", "2027-04-01"), ("m月d日(aaa)", "2027-04-01"), ("ggge年", "2027-04-01"),
        ("General", "46478"), ("G/標準", "46478"), ("0.00E+00", "46478"), ('0"day"', "46478"), ("0\\d", "46478"), ("[Red]0", "46478"), ("0_d", "46478"),
        ("000000", "046478"), ("@", "46478"),
    ],
)  # fmt: skip
def test_whether_a_format_is_a_date(code: str, text: str) -> None:
    def change(sheet: Any) -> None:
        sheet["A2"].number_format = code

    assert rows_of(read_table("x.xlsx", workbook(["甲"], [46478], change=change))) == [(2, [text])]


def test_the_epoch_of_old_macintoshes() -> None:
    content = workbook(["甲"], [date(2027, 4, 1)])
    content = changed(content, BOOK, lambda xml: re.sub(rb"<workbookPr\b", b'<workbookPr date1904="1"', xml))
    assert rows_of(read_table("x.xlsx", content)) == [(2, ["2031-04-02"])]


@pytest.mark.parametrize(
    ("cell", "text"),
    [
        ('<c r="A2" t="str"><f>B1&amp;""</f><v></v></c>', None),
        ('<c r="A2" t="str"><f>B1</f><v>乙</v></c>', "乙"),
        ('<c r="A2"><v>1E+3</v></c>', "1000"),
        ('<c r="A2"><v>0.10000000000000001</v></c>', "0.1"),
        ('<c r="A2"><v>12345678901234567890</v></c>', "12345678901234567890"),
        ('<c r="A2" t="d"><v>2027-04-01T00:00:00</v></c>', "2027-04-01"),
        ('<c r="A2" t="b"><v>0</v></c>', "FALSE"),
        ('<c r="A2" t="inlineStr"><is><r><t>髙</t></r><r><t>橋</t></r><rPh sb="0" eb="2"><t>タカハシ</t></rPh></is></c>', "髙橋"),
        ('<c r="A2" t="inlineStr"><is><t>a_x000D_b_x202E_c</t></is></c>', "a\rb\u202ec"),
        ('<c><v>5</v></c>', "5"),
    ],
)  # fmt: skip
def test_cells_of_every_kind(cell: str, text: str | None) -> None:
    assert rows_of(read_table("x.xlsx", second_row(cell))) == ([(2, [text, ""])] if text else [])


@pytest.mark.parametrize(
    ("cell", "why"),
    [
        ('<c r="A2"><f>B1</f></c>', "セルA2の数式に計算結果がありません"),
        ('<c r="A2"><f>B1</f><v/></c>', "セルA2の数式に計算結果がありません"),
        ('<c><f>B1</f></c>', "セル2行目の1列目の数式に"),
        ('<c r="A2" t="e"><v>#N/A</v></c>', "セルA2がエラー（#N/A）"),
        ('<c r="A2" t="s"><v>99</v></c>', "セルA2の値を読めません"),
        ('<c r="A2" t="s"><v>x</v></c>', "セルA2の値を読めません"),
        ('<c r="A2"><v>x</v></c>', "セルA2の値を読めません"),
        ('<c r="A2"><v>nan</v></c>', "セルA2の値を読めません"),
        ('<c r="A2"><v>1e999</v></c>', "セルA2の値を読めません"),
        ('<c r="A2"><v>1_000</v></c>', "セルA2の値を読めません"),
        ('<c r="A2" t="d"><v>2027-13-01</v></c>', "セルA2の値を読めません"),
        ('<c r="CW2"><v>1</v></c>', "列は100まで"),
        ('<c r="C2"><v>1</v></c>', "2行目の3列目に値がありますが"),
        ('<c r="A3"><v>1</v></c>', "壊れています"),
        ('<c r="1A"><v>1</v></c>', "壊れています"),
        ('<c r="A2"><v>1</v></c><c r="A2"><v>2</v></c>', "壊れています"),
        ('<c r="A2"><v>1</v>', "壊れています"),
        ('<c r="A2"><v>&x;</v></c>', "壊れています"),
    ],
)  # fmt: skip
def test_cells_that_cannot_be_read_are_named(cell: str, why: str) -> None:
    assert why in refused(second_row(cell))


def test_a_date_beyond_the_calendar_is_refused() -> None:
    def change(sheet: Any) -> None:
        sheet["A2"].number_format = "yyyy/m/d"

    assert "セルA2の値を読めません" in refused(workbook(["甲"], [99999999], change=change))


@pytest.mark.parametrize("number", ["0", "1", "x", "1048577", "99999999999"])
def test_a_row_out_of_order_is_refused(number: str) -> None:
    assert "壊れています" in refused(cells(HEAD_ROW + f'<row r="{number}"><c><v>1</v></c></row>'))


def test_blank_cells_far_out_do_not_count() -> None:
    content = second_row('<c r="A2"><v>1</v></c><c r="XFD2" s="0"/>')
    assert rows_of(read_table("x.xlsx", content)) == [(2, ["1", ""])]
    content = cells(HEAD_ROW + '<row r="1048576"><c r="A1048576"><v>1</v></c></row>')
    assert rows_of(read_table("x.xlsx", content)) == [(1_048_576, ["1", ""])]


def test_shared_strings_lose_their_readings_and_formats() -> None:
    strings = """<?xml version="1.0" encoding="UTF-8" standalone="yes"?>
    <sst xmlns="http://schemas.openxmlformats.org/spreadsheetml/2006/main"><si><t>氏名</t></si><si><t/></si>
    <si><t>髙橋</t><rPh sb="0" eb="2"><t>タカハシ</t></rPh><phoneticPr fontId="1"/></si>
    <si><r><rPr><b/></rPr><t>渡</t></r><r><t xml:space="preserve"> 邉</t></r><rPh sb="0" eb="1"><t>ワタ</t></rPh></si></sst>"""
    rows = "".join(f'<row r="{line}"><c r="A{line}" t="s"><v>{number}</v></c></row>' for line, number in ((1, 0), (2, 2), (3, 1), (4, 3)))
    assert rows_of(read_table("x.xlsx", shared(cells(rows), strings.encode()))) == [(2, ["髙橋"]), (4, ["渡 邉"])]
    assert "セルA1の値を読めません" in refused(cells(rows))


def test_the_first_sheet_that_people_see_is_read() -> None:
    book = openpyxl.Workbook()
    book.active.append(["隠れた"])
    book.active.sheet_state = "hidden"
    book.create_chartsheet("図", 0)
    seen = book.create_sheet("見える")
    seen.append(["見出し"])
    book.create_sheet("後").append(["別"])
    out = io.BytesIO()
    book.active = seen
    book.save(out)
    assert read_table("x.xlsx", out.getvalue()).headers == ("見出し",)
    content = changed(workbook(["甲"]), BOOK, lambda xml: xml.replace(b'state="visible"', b'state="veryHidden"'))
    assert "表示されているシート" in refused(content)


def test_the_strict_form_and_prefixes_are_read() -> None:
    row = "<x:row><x:c t='inlineStr'><x:is><x:t>甲</x:t></x:is></x:c></x:row>"
    xml = f"<x:worksheet xmlns:x='http://purl.oclc.org/ooxml/spreadsheetml/main'><x:sheetData>{row}</x:sheetData></x:worksheet>"
    assert read_table("x.xlsx", changed(workbook(["x"]), SHEET, lambda _: xml.encode())).headers == ("甲",)


def test_what_drawings_call_rows_is_not_read() -> None:
    anchor = b'<controls xmlns:xdr="urn:d"><xdr:row>5</xdr:row></controls></worksheet>'
    content = changed(workbook(["甲"], ["1"]), SHEET, lambda xml: xml.replace(b"</worksheet>", anchor))
    assert rows_of(read_table("x.xlsx", content)) == [(2, ["1"])]


def test_the_same_table_reads_the_same_from_every_kind_of_file() -> None:
    rows = [HEADERS, PERSON, ["b2", "渡邉　花子", "R9.4.1"], ["c3", "﨑山（兼）", "2027-04-01"]]
    out = io.StringIO(newline="")
    csv.writer(out).writerows(rows)
    first = read_table("x", workbook(*rows))
    assert rows_of(first) == [(number, row) for number, row in enumerate(rows, 1) if number > 1]
    assert all(read_table("x", out.getvalue().encode(code)) == first for code in ("utf-8", "utf-8-sig", "utf-16", "cp932"))


# ---------------------------------------------------------------- hostile files


def test_an_archive_that_unpacks_to_too_much_is_not_unpacked() -> None:
    with soon():
        assert "展開すると大きすぎます" in refused(changed(workbook(["甲"]), "xl/media/big.bin", lambda _: b"\0" * (101 * 1024 * 1024)))


def test_a_directory_that_lies_about_sizes() -> None:
    content = bytearray(changed(workbook(["甲"]), SHEET, lambda _: b" " * 1_000_000))
    place = content.rindex(b"PK\x01\x02", 0, content.rindex(SHEET.encode()))
    content[place + 24 : place + 28] = (10).to_bytes(4, "little")
    assert "壊れています" in refused(bytes(content))


@pytest.mark.parametrize(
    "xml",
    [
        '<!DOCTYPE lolz [<!ENTITY a "lol"><!ENTITY b "&a;&a;&a;&a;&a;&a;&a;&a;&a;&a;">]><worksheet>&b;</worksheet>',
        '<!DOCTYPE x [<!ENTITY e SYSTEM "file:///etc/passwd">]><worksheet>&e;</worksheet>',
        '<!DOCTYPE x SYSTEM "http://127.0.0.1:9/x.dtd"><worksheet/>',
    ],
)
@pytest.mark.parametrize("part", PARTS)
def test_document_types_and_entities_are_refused(xml: str, part: str) -> None:
    assert "DOCTYPE" in refused(changed(shared(workbook(["甲"]), b"<sst/>"), part, lambda _: xml.encode()))


@pytest.mark.parametrize("code", ["utf-16", "utf-16-le", "utf-32", "cp037", "utf-7"])
def test_entities_hidden_by_another_code_are_not_read(code: str) -> None:
    xml = f'<?xml version="1.0" encoding="{code}"?><!DOCTYPE x [<!ENTITY e "甲">]>'.replace("甲", "a") + "<worksheet>&e;</worksheet>"
    assert "壊れています" in refused(changed(workbook(["甲"]), SHEET, lambda _: xml.encode(code))) or code == "utf-7"


MAIN = b'<worksheet xmlns="m"><sheetData>'


@pytest.mark.parametrize(
    ("start", "piece", "times", "end"),
    [
        (b"", b"<c/>", 5_000_000, b""),
        (b"", b"<row/>", 599_000, b""),
        (b"", b"<row><c><v>1</v></c></row>", 95_000, b"</sheetData></worksheet>"),
        (b"<row>", b"<c><v>1</v></c>", 149_000, b"</row></sheetData></worksheet>"),
        (b"", b"<a>", 599_000, b""),
        (b"<row ", b'a=""', 599_000, b"/>"),
        (b"<row ", b'a=""', 5_000_000, b"/>"),
        (b"", b" ", 100_000_000, b""),
        (b"<row><c><v>", b"9", 9_000_000, b"</v></c></row></sheetData></worksheet>"),
        (b'<row><c r="', b"A", 9_000_000, b'"/></row></sheetData></worksheet>'),
        (b'<row><c t="inlineStr"><is>', b"<t>a</t>", 290_000, b"</is></c></row></sheetData></worksheet>"),
    ],
    ids=["cells", "rows", "full", "one row", "nested", "attributes", "more", "blanks", "figure", "place", "pieces"],
)
def test_sheets_that_are_enormous_are_refused_soon(start: bytes, piece: bytes, times: int, end: bytes) -> None:
    content = changed(workbook(["甲"]), SHEET, lambda _: MAIN + start + piece * times + end)
    assert len(content) < LIMITS.size
    with soon():
        refused(content)


def test_very_many_attributes_are_refused_soon() -> None:
    row = b"<row " + b" ".join(b'a%d=""' % number for number in range(599_000)) + b"/></sheetData></worksheet>"
    content = changed(workbook(["甲"]), SHEET, lambda _: MAIN + row)
    with soon():
        refused(content)


def test_a_long_text_used_again_and_again_is_refused() -> None:
    head = "<row>" + "".join(f'<c t="inlineStr"><is><t>h{number}</t></is></c>' for number in range(20)) + "</row>"
    rows = "<row>" + '<c t="s"><v>0</v></c>' * 20 + "</row>"
    book = shared(cells(head + rows * 1_000), b"<sst xmlns='m'><si><t>" + b"a" * 10_000 + b"</t></si></sst>")
    with soon():
        assert "文字が多すぎます" in refused(book)


@pytest.mark.parametrize("part", PARTS)
def test_other_parts_that_are_enormous_are_refused_soon(part: str) -> None:
    with soon():
        refused(changed(shared(workbook(["甲"]), b"<sst/>"), part, lambda _: b"<x>" + b'<xf numFmtId="5"/>' * 3_000_000 + b"</x>"))


def test_an_archive_of_very_many_parts_is_refused_soon() -> None:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w") as archive:
        archive.writestr(BOOK, "<workbook/>")
        for number in range(6_000):
            archive.writestr(str(number), "")
    with soon():
        assert "数が多すぎます" in refused(out.getvalue())


@pytest.mark.filterwarnings("ignore:Duplicate name")
def test_two_parts_of_one_name_are_refused() -> None:
    out = io.BytesIO(workbook(["甲"]))
    with zipfile.ZipFile(out, "a") as archive:
        archive.writestr(SHEET, "<worksheet/>")
    assert "壊れています" in refused(out.getvalue())


def test_compression_that_unpacks_in_one_go_is_refused() -> None:
    out = io.BytesIO(workbook(["甲"]))
    with zipfile.ZipFile(out, "a", zipfile.ZIP_LZMA) as archive:
        archive.writestr("xl/more.xml", "x" * 1000)
    assert "壊れています" in refused(out.getvalue())


@pytest.mark.parametrize("part", [SHEET, BOOK, RELATIONS])
def test_parts_that_are_missing_or_no_xml(part: str) -> None:
    refused(changed(workbook(["甲"]), part, lambda _: b""))
    refused(changed(workbook(["甲"]), part, lambda _: b"\xff\xfe<"))
    refused(workbook(["甲"]).replace(part.encode(), part.encode()[:-1] + b"_"))


MEGABYTES = 5 * 1024 * 1024


@pytest.mark.parametrize(
    "content",
    [
        b"a" * MEGABYTES,
        b"," * MEGABYTES,
        b"a," * (MEGABYTES // 2),
        b'"' * MEGABYTES,
        b'"' + b"a" * (MEGABYTES - 1),
        b"\n" * MEGABYTES,
        b"a\n" + b"\n" * (MEGABYTES - 2),
        b"a\n" + b",\n" * (MEGABYTES // 2 - 1),
        b"a\n" + b"," * (MEGABYTES - 2),
        b"a\n" + b"b\n" * (MEGABYTES // 2 - 1),
        b"PK\x03\x04" + b"PK\x01\x02" * (MEGABYTES // 4 - 1),
        b"PK\x03\x04" + b"\0" * (MEGABYTES - 4),
        "\u0323\u0301".encode() * (MEGABYTES // 4),
    ],
    ids=["letters", "commas", "columns", "quotes", "open quote", "lines", "lines below", "blank rows", "wide", "rows", "zip", "zip zero", "marks"],
)  # fmt: skip
def test_five_megabytes_of_anything_are_refused_soon(content: bytes) -> None:
    with soon(), suppress(SheetUnreadable):
        assert read_table("x.csv", content).rows == ()


@settings(max_examples=150, deadline=2_000)
@given(st.binary(max_size=400), st.sampled_from([b"", b"PK\x03\x04", b"\xff\xfe", b"\xef\xbb\xbf", b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1"]))
def test_random_bytes_are_a_table_or_refused(content: bytes, start: bytes) -> None:
    try:
        sheet = read_table("x", start + content)
    except SheetUnreadable:
        return
    assert all(set(row.cells) == set(sheet.headers) for row in sheet.rows)


VALID = shared(
    cells(HEAD_ROW + '<row r="2"><c r="A2" t="s"><v>0</v></c><c r="B2" s="1"><v>46478.5</v></c></row>'),
    "<sst xmlns='m'><si><t>髙橋</t></si></sst>".encode(),
)


@settings(max_examples=200, deadline=2_000)
@given(st.lists(st.tuples(st.integers(4, len(VALID) - 1), st.integers(0, 255)), min_size=1, max_size=6))
def test_a_workbook_with_wrong_bytes_is_a_table_or_refused(wrong: list[tuple[int, int]]) -> None:
    content = bytearray(VALID)
    for place, value in wrong:
        content[place] = value
    with suppress(SheetUnreadable):
        read_table("x", bytes(content))


@settings(max_examples=200, deadline=2_000)
@given(st.sampled_from(PARTS), st.integers(0, 3_000), st.binary(max_size=12), st.integers(0, 12))
def test_a_workbook_with_wrong_xml_is_a_table_or_refused(part: str, place: int, put: bytes, taken: int) -> None:
    with suppress(SheetUnreadable):
        read_table("x", changed(VALID, part, lambda xml: xml[: place % (len(xml) or 1)] + put + xml[place % (len(xml) or 1) + taken :]))


@pytest.mark.parametrize("kept", [0.1, 0.5, 0.9, 0.999])
def test_a_workbook_cut_off_is_refused(kept: float) -> None:
    assert "壊れています" in refused(VALID[: int(len(VALID) * kept)])
