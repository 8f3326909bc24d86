"""Papers as PDF, read back from the bytes: the CID text can be extracted, so order, completeness and place are checked as written."""

from __future__ import annotations

import io
import re
from dataclasses import replace
from datetime import date

import pypdf
import pytest

from engine import Paper
from webui.pdf import SUBSTITUTED, render_pdf

NINE = (
    "概要", "漏えい等した保有個人情報の項目", "本人の数", "原因", "二次被害又はそのおそれの有無とその内容",
    "本人への対応の実施状況", "公表の実施状況", "再発防止のための措置", "その他参考となる事項",
)  # fmt: skip


def section(number: str, heading: str, *lines: str, rows: tuple[tuple[str, ...], ...] = (), columns: tuple[str, ...] = ()) -> object:
    from engine.papers import Section

    return Section(number, heading, lines, rows, columns=columns)


HEADER = section("", "報告の種別等", rows=(("報告種別", "速報"), ("事案番号", "漏R8-0007")))
REPORT = Paper(
    id="commission_report", title="漏えい等報告書（速報）", office="出入国在留管理庁", addressee="個人情報保護委員会 御中", number="漏R8-0007",
    made_on=date(2026, 11, 21), sections=(HEADER, *(section(str(n), heading, f"{heading}の本文") for n, heading in enumerate(NINE, 1))),
    notes=("受付番号を記録してください。",), missing=("原因",), complete=False, sender="出入国在留管理庁",
)  # fmt: skip
LETTER = replace(REPORT, id="notice_letter", title="お知らせ", addressee="山田 太郎 様", layout="letter", missing=(), complete=True)


def with_text(*lines: str) -> Paper:
    return replace(REPORT, sections=(section("1", "概要", *lines),), notes=(), missing=())


def pages(paper: Paper) -> list[str]:
    return [page.extract_text() for page in pypdf.PdfReader(io.BytesIO(render_pdf(paper))).pages]


def joined(paper: Paper) -> str:
    """All text without the line breaks of the layout and without the footers."""
    return "".join(re.sub(r"漏R8-0007\n\d+ / \d+ ページ", "", page).replace("\n", "") for page in pages(paper))


def test_the_nine_headings_can_be_read_back_in_order() -> None:
    read = joined(REPORT)
    places = [read.index(f"{n} {heading}") for n, heading in enumerate(NINE, 1)]
    assert places == sorted(places)
    assert read.index("個人情報保護委員会 御中") < read.index("漏えい等報告書（速報）") < places[0]
    assert "令和8年11月21日" in read


def test_the_same_paper_gives_the_same_bytes() -> None:
    assert render_pdf(REPORT) == render_pdf(replace(REPORT))
    assert render_pdf(REPORT) != render_pdf(LETTER)


def test_the_document_says_what_it_is_and_nothing_about_the_machine() -> None:
    data = render_pdf(REPORT)
    reader = pypdf.PdfReader(io.BytesIO(data))
    assert reader.metadata is not None
    assert reader.metadata.title == "漏えい等報告書（速報） 漏R8-0007"
    assert (reader.metadata.author, reader.metadata.creator, reader.metadata.producer) == ("出入国在留管理庁", "Tadachi", "Tadachi")
    assert reader.trailer["/Root"]["/Lang"] == "ja"
    assert reader.trailer["/Root"]["/ViewerPreferences"]["/DisplayDocTitle"]
    assert reader.metadata.creation_date is not None and reader.metadata.creation_date.year == 2000  # not the machine's clock
    assert b"/home" not in data and b"/work" not in data and b"/tmp" not in data


def test_pages_are_a4_and_numbered_with_the_case_number() -> None:
    paper = with_text(*["本文"] * 120)
    reader = pypdf.PdfReader(io.BytesIO(render_pdf(paper)))
    count = len(reader.pages)
    assert count > 2
    for number, page in enumerate(reader.pages, 1):
        assert (round(page.mediabox.width), round(page.mediabox.height)) == (595, 842)
        assert f"{number} / {count} ページ" in page.extract_text() and "漏R8-0007" in page.extract_text()


def test_fonts_are_named_and_not_embedded() -> None:
    data = render_pdf(with_text("日本語 é 김철수 汉语"))
    for name in (b"HeiseiMin-W3", b"HeiseiKakuGo-W5", b"HYSMyeongJo-Medium", b"STSong-Light", b"Times-Roman"):
        assert name in data
    assert b"/FontFile" not in data
    assert b"HYSMyeongJo" not in render_pdf(REPORT)


@pytest.mark.parametrize("columns", [(), ("日時", "内容", "行った役")])
def test_long_texts_break_across_pages_without_loss(columns: tuple[str, ...]) -> None:
    long = "".join(f"第{n:04}文を書く。" for n in range(450))[:4000]
    cells = ("見出し", long) if not columns else ("日時", long, "役")
    texts = [section(str(n), f"項目{n}", long) for n in range(1, 10)]
    paper = replace(REPORT, sections=(*texts, section("10", "表", rows=(cells,), columns=columns)))
    read = joined(paper)
    assert read.count(long) >= 9
    assert all(read.count(f"第{n:04}文") == 10 for n in range(0, 400, 17))


def test_a_text_without_any_break_wraps() -> None:
    assert joined(with_text("あ" * 4000)).count("あ") == 4000
    assert joined(with_text("W" * 4000)).count("W") == 4000
    assert joined(with_text("ｱ" * 4000)).count("ｱ") == 4000


def test_a_table_of_a_thousand_rows() -> None:
    rows = tuple((f"{n}日", f"処理{n:04}", "審判課 保護管理者") for n in range(1000))
    read = joined(replace(REPORT, sections=(section("", "処理の経過", rows=rows, columns=("日時", "内容", "行った役")),)))
    assert all(f"処理{n:04}" in read for n in range(1000))


def test_what_looks_like_markup_is_text() -> None:
    text = "<b>太字</b> & &amp; <br/> <font color='red'> </para> <img src='/etc/passwd'/> ]]>"
    assert text.replace(" ", "") in joined(with_text(text)).replace(" ", "")
    assert "<i>" in joined(replace(LETTER, addressee="<i>山田</i> 様", title="<u>", sender="<a href='x'>"))


@pytest.mark.parametrize("text", ["ｱｲｳｴｵ ﾊﾟｽﾎﾟｰﾄ", "髙﨑①㈱Ⅷ", "〜−‖－～", "é ñ Ü", "김철수", "汉语说", "ABC abc 0123 ¥", "か\u3099"])
def test_characters_with_a_glyph_are_kept(text: str) -> None:
    read = joined(with_text(text))
    assert (text if "\u3099" not in text else "が").replace(" ", "") in read.replace(" ", "")
    assert SUBSTITUTED not in read


@pytest.mark.parametrize(
    ("text", "drawn"),
    [("𠮷野家", "〓野家"), ("😀です", "〓です"), ("Nguyễn", "Nguyen"), ("สวัสดี", "〓"), ("\ue000外字", "〓外字"), ("\ud800", "〓")],
)
def test_characters_without_a_glyph_are_replaced_and_said_to_be(text: str, drawn: str) -> None:
    read = joined(with_text(text))
    assert drawn in read and SUBSTITUTED in read


def test_invisible_characters_vanish() -> None:
    read = joined(with_text("甲\u200b乙\ufe0f\x00丙\U000e0100"))
    assert "甲乙丙" in read and SUBSTITUTED not in read


def test_notes_are_printed_after_a_report_and_never_on_a_letter() -> None:
    report = joined(REPORT)
    assert "受付番号を記録してください。" in report and "記載が済んでいない事項：原因" in report
    assert report.index("作成者への注意") > report.index("その他参考となる事項の本文")
    assert "受付番号" not in joined(LETTER) and "作成者への注意" not in joined(LETTER)


def test_an_unfinished_letter_is_marked_as_a_draft() -> None:
    assert "（案）お知らせ" in joined(replace(LETTER, complete=False, missing=("宛名",), addressee=""))
    assert "（案）" not in joined(LETTER)


@pytest.mark.parametrize("layout", ["report", "letter"])
def test_an_empty_paper_is_still_a_page(layout: str) -> None:
    empty = Paper("x", "", "", "", "", date(2026, 1, 1), (), layout=layout)
    assert len(pages(empty)) == 1
    assert len(pages(replace(empty, sections=(section("", ""), section("1", "", ""), section("", "見出し"))))) == 1


@pytest.mark.parametrize("layout", ["report", "letter"])
def test_a_heading_is_never_alone_at_the_foot_of_a_page(layout: str) -> None:
    for before in range(20, 45):
        paper = replace(LETTER, layout=layout, sections=(section("", "", *["前"] * before), section("2", "見出し二", "続く本文" * 200)))
        page = next(page for page in pages(paper) if "見出し二" in page)
        assert "続く本文" in page, before


@pytest.mark.parametrize("paper", [REPORT, LETTER, with_text("あ" * 900, "W" * 900, "ｱ" * 900, "長い語 " * 300)])
def test_nothing_is_drawn_in_the_margins(paper: Paper) -> None:
    starts: list[tuple[float, float]] = []

    def note(text: str, cm: list[float], tm: list[float], font: object, size: float) -> None:
        if text.strip():
            starts.append((cm[0] * tm[4] + cm[4], cm[3] * tm[5] + cm[5]))

    for page in pypdf.PdfReader(io.BytesIO(render_pdf(paper))).pages:
        page.extract_text(visitor_text=note)
    assert len(starts) > 5
    assert all(50 < x < 545 and 30 < y < 800 for x, y in starts)
