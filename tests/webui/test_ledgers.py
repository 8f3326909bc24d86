"""台帳の画面：一覧・検索・1件と訂正・段ごとの表示・書出し。"""

from __future__ import annotations

import csv
import io
import json
import logging
import re
import threading
import unicodedata
from collections.abc import Callable, Iterator
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from click.testing import CliRunner, Result
from flask import Flask
from flask.testing import FlaskClient
from openpyxl import load_workbook
from pypdf import PdfReader
from werkzeug.serving import make_server

from tests.support import World, offices
from tests.webui.conftest import Post
from tests.webui.posts import KEEPER, MANAGER, OTHER, STAFF, STRANGER, SignIn, make_site, signed_in, words
from webui.cli import main
from webui.workbook import workbook

if TYPE_CHECKING:
    from playwright.sync_api import Page

AUDITOR = "audit_officer.office"
ENTRY = "/ledgers/loans/entries/1"
LOAN = {
    "medium": "USB-07", "sort": "usb", "lent_on": "2026-11-16", "due_at": "2026-11-20T17:00", "amount": 2, "borrower": "staff.b", "contract": "契約1",
    "own_no": "再1",
}  # fmt: skip


def lend(world: World, seat: str = "staff@a", **more: Any) -> int:
    return world.start("lend", seat, **{**LOAN, **more})


@pytest.fixture
def site(tmp_path: Path) -> Iterator[tuple[World, Flask]]:
    world, app = make_site(tmp_path)
    lend(world)
    yield world, app
    world.engine.close()


@pytest.fixture
def auditor(people: SignIn) -> FlaskClient:
    return people(AUDITOR)


@pytest.fixture
def manager(people: SignIn) -> FlaskClient:
    return people(MANAGER)


def correction(page: str, **changed: str) -> dict[str, str]:
    """What the form of a correction sends, as it stands on the page, with some of it changed."""
    form = re.findall(r'<form class="form"(.*?)</form>', page, re.DOTALL)[0]
    sent = dict(re.findall(r'<input [^>]*name="(\w+)" value="([^"]*)"', form))
    sent |= {name: re.findall(r"<textarea[^>]*>(.*?)</textarea>", part, re.DOTALL)[0] for name, part in areas(form)}
    sent |= dict(re.findall(r'<select [^>]*name="(\w+)".*?<option value="([^"]*)" selected', form, re.DOTALL))
    return {**sent, "_reason": "現物を確かめたところ、番号の読み違いであったため。", **changed}


def areas(form: str) -> list[tuple[str, str]]:
    return [(match[1], match[0]) for match in re.finditer(r'<textarea [^>]*name="(\w+)".*?</textarea>', form, re.DOTALL)]


# ---------------------------------------------------------------- lists


def test_the_menu_leads_to_the_ledgers_and_they_tell_how_many(auditor: FlaskClient, world: World) -> None:
    assert 'href="/ledgers"' in auditor.get("/inbox").text
    lend(world, lent_on="2020-04-01")
    page = words(auditor.get("/ledgers").text)
    assert "貸出台帳2件終わっていないもの2件保存期限を過ぎたもの1件" in page
    assert "保存期間：5年（翌年度の4月1日から数える）" in page


def test_a_ledger_shows_its_entries_with_state_case_and_time_of_keeping(auditor: FlaskClient) -> None:
    page = auditor.get("/ledgers/loans").text
    said = words(page)
    for one in ("USB-07", "USBメモリ", "2026年11月16日", "貸出中", "案R8-0001", "第二課職員さん", "2032年3月31日まで"):
        assert one in said, one
    assert f'href="{ENTRY}"' in page and 'href="/cases/1"' in page


def test_a_reader_without_the_case_sees_the_line_but_not_the_case(people: SignIn) -> None:
    page = people(KEEPER).get("/ledgers/loans").text
    assert "USB-07" in page and "案R8-0001" in page
    assert "/cases/1" not in page
    assert "第二課 職員さん" not in page and "伏せています" in page
    page = people(KEEPER).get(ENTRY).text
    assert "第二課 職員さん" not in page and "/cases/1" not in page


def test_the_lists_filters_are_kept_from_page_to_page(auditor: FlaskClient, world: World) -> None:
    for number in range(60):
        lend(world, medium=f"紙束{number:02}", sort="paper")
    page = auditor.get("/ledgers/loans?text=紙束&state=open&order=kept").text
    assert page.count("data-item") == 50 and "紙束00" in page
    following = re.search(r'href="(/ledgers/loans\?after=[^"]+)"', page)
    assert following is not None
    page = auditor.get(following[1].replace("&amp;", "&")).text
    assert page.count("data-item") == 10 and "USB-07" not in page
    assert "最初へ" in page and "次へ" not in page
    assert 'value="紙束"' in page


def test_a_condition_that_is_not_understood_is_said(auditor: FlaskClient) -> None:
    page = auditor.get("/ledgers/loans?state=なくした&since=きのう&kept=ever&order=x&after=zzz").text
    for typed in ("なくした", "きのう", "ever"):
        assert f"条件「{typed}」は使えないため" in page
    assert "USB-07" in page
    assert "USB-07" in auditor.get("/ledgers/loans?since=令和8年11月1日").text
    assert "USB-07" not in auditor.get("/ledgers/loans?until=R8.11.1").text


def test_where_there_is_nothing_the_page_says_so(people: SignIn, auditor: FlaskClient) -> None:
    assert "閲覧できるものはまだありません" in people("staff.c").get("/ledgers/loans").text
    assert "この条件に合うものはありません" in auditor.get("/ledgers/loans?text=ない").text
    assert "まだ登載がありません" in auditor.get("/ledgers/pieces").text
    assert "閲覧できる登録はまだありません" in people("staff.c").get("/ledgers/tiers/tree").text


@pytest.mark.parametrize("path", ["/ledgers/nothing", "/ledgers/loans/entries/99", "/ledgers/loans/tree", "/ledgers/loans/entries/0"])
def test_what_is_not_there_is_not_found(auditor: FlaskClient, path: str) -> None:
    assert auditor.get(path).status_code == 404


def test_nobody_reads_without_signing_in(site: tuple[World, Flask]) -> None:
    client = site[1].test_client()
    for path in ("/ledgers", "/ledgers/loans", ENTRY, "/ledgers/tiers/tree"):
        assert client.get(path).status_code in (302, 303)


def test_another_office_reads_nothing(people: SignIn, post: Post) -> None:
    stranger = people(STRANGER)
    assert "USB-07" not in stranger.get("/ledgers/loans").text
    assert stranger.get(ENTRY).status_code == 404
    assert "USB-07" not in post(stranger, "/ledgers/loans.csv").text


def test_who_has_nothing_to_do_with_the_case_does_not_find_its_entry(people: SignIn, post: Post) -> None:
    other = people(OTHER)
    assert other.get(ENTRY).status_code == 404
    assert post(other, ENTRY, {"_version": "1", "_reason": "x", "medium": "y"}).status_code == 404


def test_what_was_typed_is_shown_as_typed(auditor: FlaskClient, world: World, manager: FlaskClient) -> None:
    evil = "<script>alert(1)</script>\"'&"
    lend(world, medium=evil, contract=evil, own_no="</textarea>", pieces=[{"label": evil, "count": "1"}])
    for client, path in (
        (auditor, "/ledgers/loans"), (auditor, "/ledgers/pieces"), (manager, "/ledgers/loans/entries/2"), (auditor, "/ledgers/tiers/tree"),
        (auditor, "/ledgers/loans?text=" + evil.replace("&", "%26")), (auditor, "/cases/2"),
    ):  # fmt: skip
        page = client.get(path).text
        assert "<script>alert" not in page and "</textarea></textarea>" not in page
        assert path.startswith("/ledgers/tiers") or "&lt;script&gt;alert" in page


# ---------------------------------------------------------------- one entry


def test_an_entry_names_every_revision_with_who_and_why(manager: FlaskClient, world: World, post: Post) -> None:
    page = manager.get(ENTRY).text
    assert "第1版" in page and "照合用の値" in page and "訂正する" in page
    answer = post(manager, ENTRY, correction(page, medium="USB-70"), page=ENTRY, follow_redirects=True)
    said = words(answer.text)
    assert "訂正しました" in said
    assert "第2版訂正第一課保護管理者さん（第一課保護管理者として）理由：現物を確かめたところ" in said
    assert "媒体：USB-07→USB-70" in said
    assert [row["revision"] for row in world.rows("ledger_entry", ledger="loans")] == [1, 2]
    world.complete(1, "give_back", back="true")
    assert "状態：貸出中→返却済" in words(manager.get(ENTRY).text)
    assert "貸出台帳の第1号を訂正しました" in manager.get("/cases/1").text  # the case tells it too


def test_the_cases_page_leads_to_its_entries(manager: FlaskClient) -> None:
    page = manager.get("/cases/1").text
    assert f'href="{ENTRY}"' in page and "保存期限 2032年3月31日まで" in page


def test_a_form_sent_as_it_stands_changes_nothing(manager: FlaskClient, world: World, post: Post) -> None:
    answer = post(manager, ENTRY, correction(manager.get(ENTRY).text), page=ENTRY)
    assert answer.status_code == 422 and "訂正するところがありません" in answer.text
    assert len(world.rows("ledger_entry", ledger="loans")) == 1


def test_a_correction_needs_its_reason(manager: FlaskClient, world: World, post: Post) -> None:
    answer = post(manager, ENTRY, correction(manager.get(ENTRY).text, medium="USB-70", _reason=" "), page=ENTRY)
    assert answer.status_code == 422
    assert "訂正の理由を入力してください" in answer.text and "USB-70" in answer.text  # nothing typed is lost
    assert len(world.rows("ledger_entry", ledger="loans")) == 1


def test_what_does_not_fit_is_said_at_its_field(manager: FlaskClient, world: World, post: Post) -> None:
    answer = post(manager, ENTRY, correction(manager.get(ENTRY).text, lent_on="きのう", amount="ふたつ"), page=ENTRY)
    assert answer.status_code == 422
    assert "「貸出日」には日付を入力してください" in answer.text and "「数量」には数を入力してください" in answer.text
    assert 'value="きのう"' in answer.text and 'aria-invalid="true"' in answer.text
    assert len(world.rows("ledger_entry", ledger="loans")) == 1


def test_of_two_who_correct_the_second_sees_what_the_first_did(manager: FlaskClient, people: SignIn, world: World, post: Post) -> None:
    world.appoint("manager.two", "protection_manager@a")
    second = people("manager.two")
    seen = second.get(ENTRY).text
    assert post(manager, ENTRY, correction(manager.get(ENTRY).text, medium="USB-70"), page=ENTRY).status_code == 303
    answer = post(second, ENTRY, correction(seen, amount="9", medium="USB-71"), page=ENTRY)
    assert answer.status_code == 409
    said = words(answer.text)
    assert "第一課保護管理者さんが更新しています" in said
    assert "あなたが入力していた内容：USB-71" in said and "あなたが入力していた内容：9" in said
    sent = correction(answer.text)
    assert (sent["medium"], sent["_version"]) == ("USB-70", "2")  # sent again, it would not undo the other's correction unseen
    assert len(world.rows("ledger_entry", ledger="loans")) == 2


def test_who_does_not_keep_the_ledger_is_not_asked_and_not_let(people: SignIn, world: World, post: Post) -> None:
    for who in (STAFF, AUDITOR, KEEPER):
        client = people(who)
        assert "訂正する" not in client.get(ENTRY).text
        answer = post(client, ENTRY, {"_version": "1", "_reason": "直す", "medium": "USB-70"})
        assert answer.status_code == 403, who
    assert len(world.rows("ledger_entry", ledger="loans")) == 1


def test_a_correction_is_taken_from_our_own_pages_alone(manager: FlaskClient, world: World, post: Post) -> None:
    sent = correction(manager.get(ENTRY).text, medium="USB-70")
    assert manager.post(ENTRY, data={**sent, "csrf_token": "wrong"}).status_code == 400
    assert post(manager, ENTRY, sent, page=ENTRY, headers={"Sec-Fetch-Site": "cross-site"}).status_code == 403
    assert post(manager, ENTRY, {name: value for name, value in sent.items() if name != "_version"}, page=ENTRY).status_code == 400
    assert post(manager, ENTRY, {**sent, "state": "返却済"}, page=ENTRY).status_code == 422  # the state is the process's
    assert len(world.rows("ledger_entry", ledger="loans")) == 1


# ---------------------------------------------------------------- trees


def test_the_tree_shows_each_tier_below_the_one_above(auditor: FlaskClient, world: World) -> None:
    lend(world, own_no="再2", parent_no="再1", medium="孫請け")
    lend(world, own_no="再9", parent_no="再8", medium="迷子")
    lend(world, contract="契約2")
    page = auditor.get("/ledgers/tiers/tree").text
    assert "契約1" in page and "契約2" in page and "第1段" not in page  # first a contract is chosen
    page = auditor.get("/ledgers/tiers/tree?group=契約1").text
    assert re.findall(r"第(\d)段", page) == ["1", "2"]  # of the third nobody knows on which tier it stands
    assert "上位の登録が見当たりません" in page and "再8" in page
    assert "この契約の登録はありません" in auditor.get("/ledgers/tiers/tree?group=x").text


# ---------------------------------------------------------------- files


def test_csv_opens_as_it_is_and_runs_nothing(auditor: FlaskClient, world: World, post: Post) -> None:
    for typed in ('=HYPERLINK("http://x")', "+1", "-1", "@SUM(A1)", "＝1+1", "　=1", 'ふつう, "引用"'):
        lend(world, medium=typed)
    answer = post(auditor, "/ledgers/loans.csv?order=new", page="/ledgers/loans")
    assert answer.status_code == 200 and answer.headers["Content-Type"] == "text/csv; charset=utf-8"
    assert "attachment" in answer.headers["Content-Disposition"]
    assert answer.data.startswith(b"\xef\xbb\xbf")
    head, *rows = csv.reader(io.StringIO(answer.data.decode("utf-8-sig"), newline=""))
    assert head == [
        "番号", "状態", "案件", "媒体", "種類", "貸出日", "期限", "数量", "課", "返却", "借りた人", "案件番号", "担当の部署", "保存期限", "登載日時",
        "最終更新日時", "訂正",
    ]  # fmt: skip
    assert [row[3] for row in rows] == [
        "ふつう, \"引用\"", "'=1", "'＝1+1", "'@SUM(A1)", "'-1", "'+1", "'=HYPERLINK(\"http://x\")", "USB-07",
    ]  # fmt: skip
    assert rows[-1][5:8] == ["2026-11-16", "2026-11-20 17:00", "2"]
    assert (rows[-1][13], rows[-1][14]) == ("2032-03-31", "2026-11-16 10:00")
    assert [json.loads(row["data"])["rows"] for row in world.rows("history", tag="ledger.exported")] == [8]


def test_xlsx_has_days_as_days_and_formulas_as_text(auditor: FlaskClient, world: World, post: Post) -> None:
    lend(world, medium="=1+1", lent_on="2020-02-29")
    answer = post(auditor, "/ledgers/loans.xlsx")
    assert answer.data == post(auditor, "/ledgers/loans.xlsx").data  # the same table, the same bytes
    sheet = load_workbook(io.BytesIO(answer.data)).active
    rows = list(sheet.iter_rows(min_row=2))
    assert [(cell.value, cell.data_type) for cell in rows[0][3:6]] == [("=1+1", "s"), ("USBメモリ", "s"), (datetime(2020, 2, 29), "d")]  # noqa: DTZ001
    assert rows[0][3].quotePrefix and not rows[0][4].quotePrefix
    assert rows[0][6].value == datetime(2026, 11, 20, 17, 0)  # noqa: DTZ001
    assert (rows[0][7].value, rows[0][0].value) == (2, 2)
    assert (sheet.print_title_rows, sheet.freeze_panes, sheet.page_setup.orientation) == ("$1:$1", "B2", "landscape")


def test_a_workbook_bears_any_text(tmp_path: Path) -> None:
    nasty = "\x00\x0b<&>]]>\ud800" + "長" * 40_000
    made = workbook("[台帳]/*?:'", ["見出し<"], [[nasty], [None], [""], [1.5], [True]])
    sheet = load_workbook(io.BytesIO(made)).active
    assert sheet.title == "_台帳______" and sheet["A1"].value == "見出し<"
    assert sheet["A2"].value[:6] == "<&>]]>" and len(sheet["A2"].value) == 32_767
    assert [sheet[f"A{number}"].value for number in (3, 4, 5, 6)] == [None, None, 1.5, "True"]


def test_pdf_is_landscape_with_its_headings_on_every_page(auditor: FlaskClient, world: World, post: Post) -> None:
    for number in range(40):
        lend(world, medium=f"簿冊{number}　在留管理の業務で用いる長い名称の媒体")
    answer = post(auditor, "/ledgers/loans.pdf?state=open&text=簿冊")
    assert answer.mimetype == "application/pdf"
    pages = PdfReader(io.BytesIO(answer.data)).pages
    assert len(pages) > 1 and pages[0].mediabox.width > pages[0].mediabox.height
    for number, page in enumerate(pages, 1):
        text = page.extract_text()
        assert "保存期限" in text and f"{number} / {len(pages)} ページ" in text
    first = unicodedata.normalize("NFKC", pages[0].extract_text())
    assert "「簿冊」を含むもの、終わっていないもの" in first and "40件" in first and "監査責任者さん 出力" in first


def test_files_hold_no_more_than_the_page_shows(people: SignIn, post: Post) -> None:
    for kind in ("csv", "xlsx", "pdf"):
        answer = post(people(KEEPER), f"/ledgers/loans.{kind}")
        assert answer.status_code == 200
        if kind == "csv":
            assert "＊" in answer.text and "第二課 職員さん" not in answer.text
        assert post(people("staff.c"), f"/ledgers/loans.{kind}").status_code == 200


def test_taking_out_is_an_act_and_no_look(auditor: FlaskClient, world: World) -> None:
    for kind in ("csv", "xlsx", "pdf"):
        assert auditor.get(f"/ledgers/loans.{kind}").status_code == 404
        assert auditor.post(f"/ledgers/loans.{kind}").status_code == 400  # without the page's token
    assert world.rows("history", tag="ledger.exported") == []


def test_half_a_ledger_is_not_taken_out(auditor: FlaskClient, world: World, post: Post, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("webui.ledger_pdf.MOST", 1)
    lend(world)
    answer = post(auditor, "/ledgers/loans.pdf")
    assert answer.status_code == 422 and "1件を超えるため、PDFに書き出せません" in answer.text
    assert world.rows("history", tag="ledger.exported") == []


# ---------------------------------------------------------------- in a browser


@pytest.fixture
def address(site: tuple[World, Flask]) -> Iterator[str]:
    """The application on loopback."""
    logging.getLogger("werkzeug").setLevel(logging.ERROR)
    server = make_server("127.0.0.1", 0, site[1], threaded=True)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    thread.join()
    server.server_close()


def sign_in(page: Page, site: tuple[World, Flask], address: str, person: str) -> None:
    cookie = signed_in(site[1], person).get_cookie("tadachi")
    assert cookie is not None
    page.context.add_cookies([{"name": "tadachi", "value": cookie.value, "url": address}])


@pytest.mark.parametrize("width", [1280, 390])
def test_the_pages_fit_the_screen_and_correct_by_hand(
    page_at: Callable[..., Page], site: tuple[World, Flask], address: str, width: int
) -> None:
    world, _ = site
    lend(world, own_no="再2", parent_no="再1", medium="長い名前の媒体" * 8)
    page = page_at(width)
    sign_in(page, site, address, MANAGER)
    for path in ("/ledgers", "/ledgers/loans", "/ledgers/loans?since=2026-11-01&state=open", ENTRY, "/cases/1"):
        page.goto(address + path)
        assert page.evaluate("document.documentElement.scrollWidth <= document.documentElement.clientWidth"), path
    page.goto(address + ENTRY)
    page.get_by_text("訂正する").first.click()
    page.get_by_label("媒体").fill("USB-70")
    page.get_by_label("訂正の理由").fill("読み違い")
    page.get_by_role("button", name="訂正する").click()
    page.wait_for_selector("text=訂正しました")
    assert [row["revision"] for row in world.rows("ledger_entry", ledger="loans", entry=1)] == [1, 2]
    sign_in(page, site, address, AUDITOR)
    page.goto(address + "/ledgers/tiers/tree")
    assert page.evaluate("document.documentElement.scrollWidth <= document.documentElement.clientWidth")


def test_the_ledger_prints_on_landscape_sheets_with_its_headings(
    page_at: Callable[..., Page], site: tuple[World, Flask], address: str
) -> None:
    for number in range(45):
        lend(site[0], medium=f"簿冊{number}")
    page = page_at(1280)
    sign_in(page, site, address, AUDITOR)
    page.goto(address + "/ledgers/loans")
    pages = PdfReader(io.BytesIO(page.pdf(prefer_css_page_size=True))).pages
    assert len(pages) > 1
    for sheet in pages:
        assert sheet.mediabox.width > sheet.mediabox.height
        assert "保存期限" in unicodedata.normalize("NFKC", sheet.extract_text())
    assert "探す" not in pages[0].extract_text()
    with page.expect_download() as started:
        page.get_by_role("button", name="CSV").click()
    assert started.value.suggested_filename == "貸出台帳_20261116.csv"


# ---------------------------------------------------------------- commands


@pytest.fixture
def run(world: World, monkeypatch: pytest.MonkeyPatch) -> Callable[..., Result]:
    """Runs one command on the same database."""
    monkeypatch.setenv("TADACHI_DATABASE", world.engine.settings.database)
    monkeypatch.setenv("TADACHI_BPMN", str(offices()))

    def invoke(*given: str) -> Result:
        result = CliRunner().invoke(main, ["ledger", *given])
        assert result.exception is None or isinstance(result.exception, SystemExit), result.exception
        return result

    return invoke


def test_the_commands_list_show_and_correct(run: Callable[..., Result], world: World) -> None:
    assert "loans  貸出台帳  1件（終わっていないもの 1件" in run("list", "--as", AUDITOR).output
    assert [one["id"] for one in json.loads(run("list", "--as", AUDITOR, "--json").output)] == ["loans", "pieces", "tiers"]
    assert "媒体：USB-07" in run("show", "loans", "--as", AUDITOR, "--state", "貸出中").output
    assert run("show", "loans", "--as", AUDITOR, "--state", "closed").output == ""
    assert "借りた人：＊" in run("show", "loans", "--as", KEEPER).output
    shown = json.loads(run("show", "loans", "--as", AUDITOR, "--json").output)
    assert (shown["ledger"]["name"], shown["rows"][0]["entry"], shown["rows"][0]["kept_until"]) == ("貸出台帳", 1, "2032-03-31")
    result = run("show", "loans", "--as", AUDITOR, "--csv")
    assert result.stdout_bytes.startswith(b"\xef\xbb\xbf") and "USB-07" in result.stdout_bytes.decode("utf-8-sig")
    result = run("correct", "loans", "1", "medium=USB-70", "--as", MANAGER, "--reason", "読み違い")
    assert result.output == "訂正しました。\n"
    assert [json.loads(row["content"])["medium"] for row in world.rows("ledger_entry", ledger="loans")] == ["USB-07", "USB-70"]
    assert run("correct", "loans", "1", "medium=USB-71", "--as", AUDITOR, "--reason", "x").exit_code != 0
    assert run("show", "nothing", "--as", AUDITOR).exit_code != 0
