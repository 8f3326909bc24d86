"""The matrix of clauses in a real browser: from a clause to its place in the diagram and in a draft; without script; on a telephone; on paper."""

from __future__ import annotations

import re
from collections.abc import Iterator

import pytest
from playwright.sync_api import Page, expect

from tests.browser.driver import sign_in
from tests.browser.test_pages import AXE, PageAt
from tests.conftest import missing
from tests.designing import ONE, PASSWORD, Studio, make_studio, served


@pytest.fixture(scope="module")
def studio(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Studio]:
    """The real office served to a browser, with a draft of its largest procedure; all scenarios have been played."""
    made = make_studio(tmp_path_factory.mktemp("matrix"), isa=True)
    made.engine.drafts.begin(made.viewer(ONE), "isa_incident", "第25条の見直し")
    made.engine.matrix.page(made.viewer(ONE), wait=None)
    with served(made) as site:
        yield site


def opened(studio: Studio, page_at: PageAt, path: str, width: int = 1280, **options: object) -> Page:
    page = page_at(width, studio.address + "/login", **options)
    sign_in(page, ONE, PASSWORD)
    page.goto(studio.address + path)
    return page


def test_from_a_changed_clause_to_its_place_in_the_diagram_and_in_the_draft(studio: Studio, page_at: PageAt) -> None:
    """条項を選び、触れるところを見て、図のその要素へ、下書きのその要素へ行く。"""
    page = opened(studio, page_at, "/designer/clauses?text=第25条第2項")
    page.get_by_role("checkbox", name="第25条第2項を選ぶ").check()
    page.get_by_role("button", name="選んだ条項の改正で触れるところを見る").click()
    expect(page.locator("h1")).to_have_text("改正で触れるところ")
    draft = page.get_by_role("link", name=re.compile("下書きで描く.*直ちにできる拡大防止")).get_attribute("href")
    page.get_by_role("link", name="直ちにできる拡大防止", exact=True).click()
    drawing = page.locator("[data-diagram]")
    expect(drawing).to_have_attribute("data-ready", "yes", timeout=30_000)
    here = drawing.locator('.djs-shape[data-element-id="contain_at_once"]')
    expect(here).to_have_class(re.compile("is-chosen"))
    expect(here).to_have_class(re.compile("is-pointed"))
    expect(drawing.locator('.djs-shape[data-element-id="judge_duty"]')).to_have_class(re.compile("is-uncited"))
    page.goto(studio.address + str(draft))
    expect(page.locator("#designer")).to_have_attribute("data-ready", "yes", timeout=30_000)
    expect(page.locator('.djs-shape.selected[data-element-id="contain_at_once"]')).to_have_count(1)


PAGES = (
    "?process=isa_incident", "?view=elements&process=isa_incident", "?view=rows", "?view=proofs&process=isa_incident", "?view=gaps",
    "/amended", "/amended?clause=ISA-25-6&clause=P-Ⅲ4-台帳",
    "/diagram?procedure=isa_incident&element=contain_at_once&clause=ISA-25-2",
)  # fmt: skip


@pytest.mark.parametrize("width", [1280, 390])
def test_axe_finds_nothing_and_nothing_lies_outside_the_page(studio: Studio, page_at: PageAt, width: int) -> None:
    """どの画面にも、axe-core の違反も横のはみ出しも無い。"""
    if not AXE.is_file():
        missing("axe-core", "not in webui/frontend/node_modules (a development dependency of the front end)")
    page = opened(studio, page_at, "/designer", width)
    for path in PAGES:
        page.goto(f"{studio.address}/designer/clauses{path}")
        expect(page.locator(".diagram[data-ready='yes']")).to_have_count(page.locator(".diagram").count(), timeout=30_000)
        page.evaluate(AXE.read_text("utf-8"))
        told = page.evaluate("axe.run(document, {resultTypes: ['violations']})")
        assert [(path, one["id"], [node["target"] for node in one["nodes"]][:3]) for one in told["violations"]] == []
        assert page.evaluate("document.documentElement.scrollWidth") <= width, path


def test_everything_is_there_without_script(studio: Studio, page_at: PageAt) -> None:
    """スクリプトが無くても、表も、改正で触れるところも、図の要素の条項も読め、条項を選べる。"""
    page = opened(studio, page_at, "/designer/clauses?text=第25条第2項", java_script_enabled=False)
    page.get_by_role("checkbox", name="第25条第2項を選ぶ").check()
    page.get_by_role("button", name="選んだ条項の改正で触れるところを見る").click()
    page.get_by_role("link", name="直ちにできる拡大防止", exact=True).click()
    expect(page.locator("tr.is-pointed")).to_contain_text("第25条第2項")


def test_on_paper_the_table_fills_a_wide_sheet(studio: Studio, page_at: PageAt) -> None:
    """紙では、A4の横いっぱいに表が入り、シナリオは番号で示され、最後に番号の説明がある。"""
    page = opened(studio, page_at, "/designer/clauses?process=isa_incident")
    page.emulate_media(media="print")
    page.set_viewport_size({"width": 1032, "height": 700})
    expect(page.locator(".matrix-legend")).to_be_visible()
    expect(page.get_by_role("button", name="絞る")).to_be_hidden()
    table, last = page.locator(".matrix-table").bounding_box(), page.locator(".matrix-table th").nth(3).bounding_box()
    assert table is not None and last is not None
    assert abs(table["x"] + table["width"] - last["x"] - last["width"]) < 2
    assert page.pdf(prefer_css_page_size=True).count(b"/MediaBox [0 0 841") > 0
