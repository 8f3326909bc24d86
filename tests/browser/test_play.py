"""The sandbox in a real browser: a designer plays an incident as every seat with the mouse, without script and on a telephone."""

from __future__ import annotations

import re
from typing import Any

from playwright.sync_api import Page, expect

from tests.browser.designer_page import english
from tests.browser.driver import Officials, Site, account, field_of, fill_in
from tests.browser.test_pages import AXE, CONTAINED, REPORT, PageAt
from tests.conftest import missing

DESIGNER = account("designer@isa")
SLOW = 30_000  # milliseconds: a busy machine compiles every procedure and draws one slowly


def play_of(site: Site, process: str) -> str:
    """The address of the sandbox of a procedure's version in force."""
    found = site.engine.sandbox.procedures(site.engine.viewer(DESIGNER))
    number = next(one.number for one in found if one.process_id == process)
    return f"/designer/versions/{number}/play"


def player(site: Site, page_at: PageAt, path: str, **options: Any) -> Page:
    """The designer's page at a path of the sandbox, signed in."""
    officials = Officials(site, page_at, **options)
    officials.page(DESIGNER).set_default_timeout(SLOW)
    page = officials.at(DESIGNER, "/inbox")
    page.goto(site.address + path)
    return page


def start(page: Page) -> None:
    form = page.locator(".play-side form[action$='/start']")
    fill_in(form, REPORT)
    form.get_by_role("button", name="始める").click()
    expect(page.locator(".lead")).to_contain_text("直ちにできる拡大防止")


def test_an_incident_is_played_as_every_seat_and_the_picture_follows(site: Site, page_at: PageAt) -> None:
    """試行で第一報を出し、担当の役として拡大防止を記録し、時計を進める。図の印と、知らされる人がついてくる。実際の案件は無い。"""
    page = player(site, page_at, play_of(site, "isa_incident"))
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
    page = player(site, page_at, play_of(site, "isa_incident"), java_script_enabled=False)
    page.locator(".play-side form[action$='/start']").get_by_role("button", name="始める").click()
    expect(page.locator(".error-summary")).to_contain_text("「概要」を入力してください。")
    start(page)
    page.get_by_role("button", name="1日進める").click()
    expect(page.locator(".play-now")).to_contain_text("11月17日（火）10:00")
    page.locator("summary", has_text="図の内容を文字で読む").click()
    expect(page.locator(".checklist li.is-open", has_text="直ちにできる拡大防止")).to_contain_text("期限超過")


def test_a_drafts_run_becomes_a_scenario_and_what_it_reaches_is_on_the_diagram(site: Site, page_at: PageAt) -> None:
    """シナリオを試行で開いて一つ戻し、中の手順の図も見て、下書きのシナリオとして保存する。通ったところと通らないところが図に出て、一覧から図へ行ける。"""
    desk, viewer = site.engine.drafts, site.engine.viewer(DESIGNER)
    draft = desk.begin(viewer, "isa_media_carryout", "下書きの試行")
    page = player(site, page_at, f"/designer/drafts/{draft}/scenarios")
    page.get_by_role("row", name="media_carryout_contractor.yaml").get_by_role("button", name="試行で開く").click()
    page.locator("dialog[open]").get_by_role("button", name="開く").click()
    expect(page.locator(".lead")).to_contain_text("案件は終わりました")
    page.get_by_role("button", name="一つ前に戻す").click()
    expect(page.locator(".lead")).to_contain_text("処理待ち")
    page.locator(".diagram-inside").first.click()
    expect(page.locator("#diagram-title")).to_contain_text("：")
    expect(page.locator(".diagram[data-ready='yes'] .is-done")).not_to_have_count(0)
    page.get_by_label("シナリオの名前").fill("終わりの手前まで")
    page.get_by_role("button", name="下書きに保存する").click()
    expect(page.locator(".alert-success")).to_contain_text("下書きに保存しました")
    assert any("title: 終わりの手前まで" in text for text in desk.show(viewer, draft).files.values())

    page.get_by_role("link", name="シナリオと網羅").click()
    row = page.get_by_role("row", name="終わりの手前まで")
    expect(row).to_contain_text("通った")
    drawing = page.locator(".diagram[data-ready='yes']")
    expect(drawing.locator(".djs-connection.is-reached")).not_to_have_count(0)
    expect(drawing.locator(".djs-connection.is-missed")).not_to_have_count(0)
    missed = page.locator("section", has=page.locator("#missed-title")).locator("details[open] [data-show-element]").first
    element = missed.get_attribute("data-show-element")
    missed.click()
    expect(drawing.locator(f"[data-element-id='{element}'].is-pointed.is-missed")).to_have_count(1)
    page.get_by_role("link", name="条項", exact=True).click()
    expect(drawing.locator(".diagram-stage .diagram-badge.is-reached", has_text=re.compile("条|Ⅲ"))).not_to_have_count(0)
    row.get_by_role("button", name="外す").click()
    page.locator("dialog[open]").get_by_role("button", name="外す").click()
    expect(page.locator(".alert-success")).to_contain_text("下書きから外しました")


def test_the_pages_of_the_sandbox_are_accessible_and_fit(site: Site, page_at: PageAt) -> None:
    """始める前、途中、シナリオの画面に、axe-core の違反も、横のはみ出しも、日本語でない言葉も無い。"""
    if not AXE.is_file():
        missing("axe-core", "not in webui/frontend/node_modules (a development dependency of the front end)")
    address = play_of(site, "isa_account_inventory")
    page = player(site, page_at, address)

    def look(*, words: bool = True) -> None:
        for width in (1280, 390):
            page.set_viewport_size({"width": width, "height": 900})
            expect(page.locator(".diagram[data-ready='yes']")).to_have_count(page.locator(".diagram").count(), timeout=SLOW)
            assert page.evaluate("document.documentElement.scrollWidth") <= width
        page.evaluate(AXE.read_text("utf-8"))
        told = page.evaluate("axe.run(document, {resultTypes: ['violations']})")
        assert [(one["id"], [node["target"] for node in one["nodes"]]) for one in told["violations"]] == []
        assert not words or english(page, "main") == []

    look()
    form = page.locator(".play-side form[action$='/start']")
    expect(field_of(form, "owning_unit")).to_be_visible()
    fill_in(form, {"owning_unit": "adjudication", "inventory_month": "2026年11月の棚卸"})
    form.get_by_role("button", name="始める").click()
    expect(page.locator(".lead")).to_contain_text("処理待ち")
    look(words=False)  # the accounts of the sandbox are listed by their ids
    page.goto(site.address + address.replace("/play", "/scenarios"))
    expect(page.locator("h1")).to_contain_text("シナリオ")
    look()
    page.goto(site.address + "/designer/play")
    look()
