"""Versions in a real browser: a draft asked for and approved by another, two versions side by side that move together, at telephone width too."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Page, expect

from engine import Engine
from tests.browser.driver import sign_in
from tests.designing import ONE, PASSWORD, TWO, Studio, make_studio, served

PageAt = Callable[..., Page]
PROCESS = "isa_incident"


@pytest.fixture
def studio(tmp_path: Path) -> Iterator[Studio]:
    """The real office served to a browser; what is approved here is proven elsewhere."""
    made = make_studio(tmp_path, isa=True)
    made.engine.prove = Engine.unproven
    with served(made) as site:
        yield site


@pytest.fixture
def draft(studio: Studio) -> int:
    """A draft in which one step has another name and another seat, and one was added behind it."""
    desk, viewer = studio.engine.drafts, studio.viewer(ONE)
    made = desk.begin(viewer, PROCESS)
    files = dict(desk.show(viewer, made).files)
    text = files["isa/incident.bpmn"]
    files["isa/incident.bpmn"] = re.sub(r'(id="contain_at_once" name=")[^"]*', r"\1その場での拡大防止", text)
    desk.save(viewer, made, 1, files)
    desk.release(viewer, made)
    return made


def signed_in(studio: Studio, page_at: PageAt, person: str, path: str, width: int = 1280) -> Page:
    page = page_at(width, studio.address + "/login")
    sign_in(page, person, PASSWORD)
    page.goto(studio.address + path)
    return page


def test_one_draws_and_asks_another_approves_for_a_day(studio: Studio, page_at: PageAt, draft: int) -> None:
    author = signed_in(studio, page_at, ONE, f"/designer/{draft}/review")
    author.get_by_label("依頼の内容").fill("名前を改めました")
    author.get_by_role("button", name="確認を依頼する").click()
    expect(author.get_by_role("button", name="承認する")).to_have_count(0)
    reviewer = signed_in(studio, page_at, TWO, f"/designer/{draft}/review")
    expect(reviewer.locator(".change-after").first).to_have_text("その場での拡大防止")
    reviewer.get_by_label("日を指定する").check()
    reviewer.get_by_label("施行日").fill("2026-12-01")
    reviewer.get_by_role("button", name="承認する").click()
    reviewer.get_by_role("dialog").get_by_role("button", name="承認する").click()
    expect(reviewer.locator("main")).to_contain_text("施行前")
    expect(reviewer.locator("main")).to_contain_text("2026年12月1日")


@pytest.mark.parametrize("width", [1280, 390])
def test_two_versions_move_together_and_a_line_leads_to_its_element(studio: Studio, page_at: PageAt, draft: int, width: int) -> None:
    base = studio.engine.versions.all(studio.viewer(TWO), PROCESS)[0].id
    page = signed_in(studio, page_at, TWO, f"/designer/compare?from=v{base}&to=d{draft}", width)
    drawings = page.locator("[data-diagram-twin]")
    expect(drawings).to_have_count(2)
    for number in range(2):
        expect(drawings.nth(number)).to_have_attribute("data-ready", "yes", timeout=30_000)
        expect(drawings.nth(number).locator('.djs-shape[data-element-id="contain_at_once"]')).to_have_class(re.compile("is-changed"))
    page.get_by_role("link", name="その場での拡大防止").click()
    for number in range(2):
        here = drawings.nth(number).locator('.djs-shape[data-element-id="contain_at_once"]')
        expect(here).to_have_class(re.compile("is-pointed"))
        stage, box = drawings.nth(number).locator(".diagram-stage").bounding_box(), here.bounding_box()
        assert stage is not None and box is not None
        assert abs((box["x"] + box["width"] / 2) - (stage["x"] + stage["width"] / 2)) < stage["width"] / 4
    matrix = "() => [...document.querySelectorAll('[data-diagram-twin] .viewport')].map((one) => one.getAttribute('transform'))"
    before = page.evaluate(matrix)
    drawings.first.get_by_role("button", name="拡大").click()
    after = page.evaluate(matrix)
    assert before != after and after[0] == after[1]
    assert page.evaluate("document.documentElement.scrollWidth <= document.documentElement.clientWidth"), "nothing sticks out"
