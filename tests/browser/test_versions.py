"""Versions in a real browser: a draft asked for and approved by another for a day, two versions side by side that move together."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from datetime import datetime
from pathlib import Path

import pytest
from playwright.sync_api import Page, expect

from engine import JST, Engine
from tests.browser.designer_page import english
from tests.browser.driver import sign_in
from tests.browser.test_pages import AXE
from tests.conftest import missing
from tests.designing import ONE, OTHER, PASSWORD, TWO, Studio, make_studio, served

PageAt = Callable[..., Page]
PROCESS = "isa_incident"
RENAMED = "その場での拡大防止"
SLOW = 30_000  # milliseconds: a busy machine draws two diagrams slowly


@pytest.fixture
def studio(tmp_path: Path) -> Iterator[Studio]:
    """The real office served to a browser; what is approved here is proven elsewhere."""
    made = make_studio(tmp_path, isa=True)
    made.engine.prove = Engine.unproven
    with served(made) as site:
        yield site


@pytest.fixture
def draft(studio: Studio) -> int:
    """A draft in which one step has another name and another seat."""
    desk, viewer = studio.engine.drafts, studio.viewer(ONE)
    made = desk.begin(viewer, PROCESS)
    files = dict(desk.show(viewer, made).files)
    step = re.compile(r'(id="contain_at_once" name=")[^"]*("[^>]*candidateGroups=")[^"]*')
    files["isa/incident.bpmn"], changed = step.subn(rf"\1{RENAMED}\2staff@owning_unit", files["isa/incident.bpmn"])
    assert changed == 1
    desk.save(viewer, made, 1, files)
    desk.release(viewer, made)
    return made


def signed_in(studio: Studio, page_at: PageAt, person: str, path: str, width: int = 1280) -> Page:
    page = page_at(width)
    page.set_default_timeout(SLOW)
    page.goto(studio.address + "/login")
    sign_in(page, person, PASSWORD)
    page.goto(studio.address + path)
    return page


def test_what_one_draws_another_puts_in_force_on_a_date_and_running_cases_keep_theirs(studio: Studio, page_at: PageAt, draft: int) -> None:
    """作った人が確認を頼み、別の人が日を指定して承認する。その日までは元の版で、その日からは新しい版で案件が始まる。"""
    author = signed_in(studio, page_at, ONE, f"/designer/{draft}/review")
    author.get_by_label("依頼の内容").fill("名前を改めました")
    author.get_by_role("button", name="確認を依頼する").click()
    expect(author.locator(".alert-success")).to_contain_text("確認を依頼しました")
    expect(author.get_by_role("button", name="承認する")).to_have_count(0)

    reviewer = signed_in(studio, page_at, TWO, "/designer")
    reviewer.get_by_role("link", name="確認する").click()
    expect(reviewer.locator(".change-after", has_text=RENAMED)).to_have_count(1)
    reviewer.get_by_role("radio", name="日を指定する").check()
    reviewer.locator("#f-day").fill("2026-12-01")
    reviewer.get_by_role("button", name="承認する", exact=True).click()
    reviewer.locator("dialog[open]").get_by_role("button", name="承認する").click()
    expect(reviewer.locator(".alert-success")).to_contain_text("指定した日時に施行されます")
    rows = reviewer.get_by_role("region", name="版の一覧").locator("tbody tr")
    expect(rows.nth(0)).to_contain_text("施行前")
    expect(rows.nth(0)).to_contain_text("2026年12月1日")

    def starts() -> str:
        with studio.engine.work(by=OTHER) as work:
            case = work.start(
                PROCESS, {"item_summary": "別人に書類を渡した", "known_at": studio.clock.now().isoformat(), "owning_unit": "adjudication"}
            )
        return studio.engine.case(studio.viewer(OTHER), case).head.state_text

    assert "直ちにできる拡大防止" in starts()
    studio.clock.set(datetime(2026, 12, 1, 9, 0, tzinfo=JST))
    assert RENAMED in starts()
    reviewer.goto(f"{studio.address}/designer/versions/{PROCESS}")
    sign_in(reviewer, TWO, PASSWORD)
    reviewer.goto(f"{studio.address}/designer/versions/{PROCESS}")
    for row, state in ((0, "施行中"), (1, "旧版")):
        expect(rows.nth(row)).to_contain_text(state)
        expect(rows.nth(row)).to_contain_text("1件")


def test_two_versions_move_together_and_a_line_leads_to_its_element(studio: Studio, page_at: PageAt, draft: int) -> None:
    """2つの版を並べる。広い画面でも電話の画面でも、一方を動かすと他方も動き、一覧の行から図の要素へ行ける。"""
    base = studio.engine.versions.all(studio.viewer(TWO), PROCESS)[0].id
    page = signed_in(studio, page_at, TWO, f"/designer/compare?from=v{base}&to=d{draft}")
    drawings = page.locator("[data-diagram-twin]")
    view = """() => [...document.querySelectorAll('[data-diagram-twin] .viewport')].map(
      (one) => one.getAttribute('transform').match(/-?[\\d.]+/g).map((part) => Math.round(part * 100) / 100).join(' '))"""
    for width in (1280, 390):
        page.set_viewport_size({"width": width, "height": 900})
        page.reload()
        expect(drawings).to_have_count(2)
        for number in range(2):
            expect(drawings.nth(number)).to_have_attribute("data-ready", "yes", timeout=SLOW)
            step = drawings.nth(number).locator('.djs-shape[data-element-id="contain_at_once"]')
            expect(step).to_have_class(re.compile("is-changed"))
        page.locator('[data-show-element="contain_at_once"]').click()
        for number in range(2):
            here = drawings.nth(number).locator('.djs-shape[data-element-id="contain_at_once"]')
            expect(here).to_have_class(re.compile("is-pointed"))
            stage, box = drawings.nth(number).locator(".diagram-stage").bounding_box(), here.bounding_box()
            assert stage is not None and box is not None
            assert abs((box["x"] + box["width"] / 2) - (stage["x"] + stage["width"] / 2)) < stage["width"] / 4
        before = page.evaluate(view)
        drawings.first.get_by_role("button", name="拡大").click()
        after = page.evaluate(view)
        assert before != after and after[0] == after[1]
    expect(page.locator(".change-before", has_text="直ちにできる拡大防止")).to_have_count(1)
    expect(page.locator(".change-table tr", has_text=re.compile("^担当"))).to_have_count(1)


def test_the_pages_of_versions_are_accessible_and_fit(studio: Studio, page_at: PageAt, draft: int) -> None:
    """設計の入口、確認、版の一覧、比較、記録の画面に、axe-core の違反も、横のはみ出しも、日本語でない言葉も無い。"""
    if not AXE.is_file():
        missing("axe-core", "not in webui/frontend/node_modules (a development dependency of the front end)")
    studio.engine.versions.ask(studio.viewer(ONE), draft, 2, "名前と役を改めました")
    base = studio.engine.versions.all(studio.viewer(TWO), PROCESS)[0].id
    page = signed_in(studio, page_at, TWO, "/designer")
    for path in ("", f"/{draft}/review", f"/versions/{PROCESS}", f"/compare?from=v{base}&to=d{draft}", "/record"):
        page.goto(f"{studio.address}/designer{path}")
        for width in (1280, 390):
            page.set_viewport_size({"width": width, "height": 900})
            expect(page.locator(".diagram[data-ready='yes']")).to_have_count(page.locator(".diagram").count(), timeout=SLOW)
            assert page.evaluate("document.documentElement.scrollWidth") <= width, path
        page.evaluate(AXE.read_text("utf-8"))
        told = page.evaluate("axe.run(document, {resultTypes: ['violations']})")
        assert [(one["id"], [node["target"] for node in one["nodes"]]) for one in told["violations"]] == [], path
        assert path == "" or english(page, "main") == [], path  # at the entrance .bpmn and .dmn are named
