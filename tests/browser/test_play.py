"""The sandbox in a real browser: a designer plays an incident as every seat with the mouse, without script and on a telephone."""

from __future__ import annotations

import pytest
from playwright.sync_api import Page, expect

from tests.browser.driver import Officials, Site, account, field_of, fill_in
from tests.browser.test_pages import AXE, CONTAINED, REPORT, PageAt
from tests.conftest import missing

DESIGNER = account("designer@isa")


def play_of(site: Site, process: str) -> str:
    """The address of the sandbox of a procedure's version in force."""
    found = site.engine.sandbox.procedures(site.engine.viewer(DESIGNER))
    number = next(one.number for one in found if one.process_id == process)
    return f"/designer/versions/{number}/play"


def start(page: Page) -> None:
    form = page.locator(".play-side form[action$='/start']")
    fill_in(form, REPORT)
    form.get_by_role("button", name="始める").click()
    expect(page.locator(".lead")).to_contain_text("直ちにできる拡大防止")


def test_an_incident_is_played_as_every_seat_and_the_picture_follows(site: Site, page_at: PageAt) -> None:
    """試行で第一報を出し、担当の役として拡大防止を記録し、時計を進める。図の印と、知らされる人がついてくる。実際の案件は無い。"""
    page = Officials(site, page_at).at(DESIGNER, play_of(site, "isa_incident"))
    start(page)
    drawing = page.locator(".diagram[data-ready='yes']")
    expect(drawing.locator("[data-element-id='contain_at_once'].is-current")).to_have_count(1)
    expect(drawing.locator(".djs-connection.is-taken")).not_to_have_count(0)
    expect(drawing.locator("[data-element-id='contain_further'].is-current")).to_have_count(0)

    page.get_by_role("button", name="次に起きるまで進める").click()
    expect(page.locator(".play-main")).to_contain_text("処理が済んでいません（督促）")
    form = page.locator(".play-side form[action$='/complete']")
    fill_in(form, CONTAINED)
    form.get_by_role("button", name="拡大防止を記録する").click()
    expect(page.locator("[data-element-id='contain_further'].is-current")).to_have_count(1)
    expect(page.locator("[data-element-id='contain_at_once'].is-done")).to_have_count(1)

    page.get_by_role("button", name="一つ前に戻す").click()
    expect(page.locator("[data-element-id='contain_at_once'].is-current")).to_have_count(1)
    with page.expect_download() as taken:
        page.get_by_role("button", name="ファイルとして受け取る").click()
    assert "process: isa_incident" in taken.value.path().read_text("utf-8")
    page.goto(site.address + "/register")
    expect(page.locator("main")).not_to_contain_text(REPORT["item_summary"])


def test_everything_but_the_drawing_works_without_script(site: Site, page_at: PageAt) -> None:
    """スクリプトが無くても、始め、誤りを直し、時計を進め、図の中身を文字で読める。"""
    page = Officials(site, page_at, java_script_enabled=False).at(DESIGNER, play_of(site, "isa_incident"))
    page.locator(".play-side form[action$='/start']").get_by_role("button", name="始める").click()
    expect(page.locator(".error-summary")).to_contain_text("「概要」を入力してください。")
    start(page)
    page.get_by_role("button", name="1日進める").click()
    expect(page.locator(".play-now")).to_contain_text("11月17日（火）10:00")
    page.locator("summary", has_text="図の内容を文字で読む").click()
    expect(page.locator(".checklist li.is-open", has_text="直ちにできる拡大防止")).to_contain_text("期限超過")


@pytest.mark.parametrize("width", [1280, 390])
def test_the_pages_of_the_sandbox_are_accessible_and_fit(site: Site, page_at: PageAt, width: int) -> None:
    """始める前、途中、シナリオの画面に、axe-core の違反も横のはみ出しも無い。"""
    if not AXE.is_file():
        missing("axe-core", "not in webui/frontend/node_modules (a development dependency of the front end)")
    address = play_of(site, "isa_account_inventory")
    page = Officials(site, page_at, width=width).at(DESIGNER, address)

    def look() -> None:
        expect(page.locator(".diagram[data-ready='yes']")).to_have_count(page.locator(".diagram").count())
        page.evaluate(AXE.read_text("utf-8"))
        told = page.evaluate("axe.run(document, {resultTypes: ['violations']})")
        assert [(one["id"], [node["target"] for node in one["nodes"]]) for one in told["violations"]] == []
        assert page.evaluate("document.documentElement.scrollWidth") <= width

    look()
    form = page.locator(".play-side form[action$='/start']")
    expect(field_of(form, "owning_unit")).to_be_visible()
    fill_in(form, {"owning_unit": "adjudication", "inventory_month": "2026年11月の棚卸"})
    form.get_by_role("button", name="始める").click()
    expect(page.locator(".lead")).to_contain_text("処理待ち")
    look()
    page.goto(site.address + address.replace("/play", "/scenarios"))
    expect(page.locator("h1")).to_contain_text("シナリオ")
    look()
    page.goto(site.address + "/designer/play")
    look()
