"""The pages in a real browser, at the desk and on a telephone: they fit, obey the content security policy, and keep what is typed."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING

import pytest
from flask import Flask
from werkzeug.serving import make_server

from tests.webui.fake import PASSWORD, FakeEngine
from tests.webui.test_pages import PAGES

if TYPE_CHECKING:
    from playwright.sync_api import Page

PageAt = Callable[..., "Page"]


@pytest.fixture
def site(app: Flask) -> Iterator[str]:
    """The application on loopback."""
    logging.getLogger("werkzeug").setLevel(logging.ERROR)
    server = make_server("127.0.0.1", 0, app, threaded=True)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    thread.join()
    server.server_close()


def sign_in(page: Page, site: str, person: str = "adj.manager") -> Page:
    """Sign in by keyboard alone."""
    page.goto(f"{site}/login")
    page.locator("#person").focus()
    page.keyboard.type(person)
    page.keyboard.press("Tab")
    page.keyboard.type(PASSWORD)
    page.keyboard.press("Enter")
    page.wait_for_url("**/inbox")
    return page


@pytest.mark.parametrize("width", [1280, 390])
def test_every_page_fits_the_screen(page_at: PageAt, site: str, width: int) -> None:
    page = sign_in(page_at(width), site)
    for path in PAGES:
        page.goto(site + path)
        assert page.evaluate("document.documentElement.scrollWidth <= document.documentElement.clientWidth"), (
            f"{path} is wider than {width}"
        )


def test_a_refused_form_puts_the_focus_on_what_is_wrong(page_at: PageAt, site: str, fake: FakeEngine) -> None:
    page = sign_in(page_at(), site)
    page.goto(f"{site}/tasks/12")
    page.fill("textarea[name=item_cause]", "書いたこと")
    fake.refuse = "invalid"
    page.get_by_role("button", name="特に重大と認める").click()
    page.wait_for_selector(".error-summary")
    assert page.evaluate("document.activeElement.classList.contains('error-summary')")
    page.get_by_role("link", name="「発生原因」を入力してください。").click()
    assert page.evaluate("document.activeElement.name") == "item_cause"
    assert page.input_value("textarea[name=item_cause]") == "書いたこと"


def test_what_is_typed_is_kept_by_itself(page_at: PageAt, site: str, fake: FakeEngine) -> None:
    page = sign_in(page_at(), site)
    page.goto(f"{site}/report/isa_incident")
    page.fill("textarea[name=what]", "書きかけ")
    page.wait_for_function("() => document.querySelector('[data-draft-status]').textContent.includes('保存しました')")
    page.context.close()
    page = sign_in(page_at(), site)
    page.goto(f"{site}/report/isa_incident")
    assert page.input_value("textarea[name=what]") == "書きかけ"
    assert fake.acts == []


def test_enter_in_a_field_never_decides(page_at: PageAt, site: str, fake: FakeEngine) -> None:
    page = sign_in(page_at(), site)
    page.goto(f"{site}/tasks/12")
    page.locator("input[name=count]").press("Enter")
    page.wait_for_selector("text=下書きを保存しました")
    assert fake.acts == [] and "task:12" in fake.typed


def test_the_preview_comes_without_leaving_the_page(page_at: PageAt, site: str, fake: FakeEngine) -> None:
    page = sign_in(page_at(), site)
    page.goto(f"{site}/tasks/12")
    page.fill("textarea[name=item_cause]", "書いたこと")
    page.get_by_role("button", name="この内容でどこへ進むか確かめる").click()
    page.wait_for_selector("#foreseen >> text=総務課 委員会対応係")
    assert page.input_value("textarea[name=item_cause]") == "書いたこと" and fake.acts == []


def test_rows_can_be_added_and_taken_away(page_at: PageAt, site: str, fake: FakeEngine) -> None:
    page = sign_in(page_at(), site)
    page.goto(f"{site}/tasks/12")
    page.get_by_role("button", name="行を追加").click()
    page.keyboard.type("B")
    page.get_by_role("button", name="通常の事案として進める").click()
    page.wait_for_url("**/cases/7")
    answers = fake.acts[0][4]
    assert "B" in [value for name, value in answers.items() if name.startswith("persons.") and name.endswith(".ref")]


def test_without_script_one_can_report_and_decide(page_at: PageAt, site: str, fake: FakeEngine) -> None:
    page = sign_in(page_at(java_script_enabled=False), site)
    page.get_by_role("link", name="漏えい等を報告する").click()
    page.get_by_role("link", name="漏えい等事案への対応").click()
    page.fill("textarea[name=what]", "誤交付")
    page.fill("input[name=known_at]", "2026-11-20T10:00")
    page.select_option("select[name=owning_unit]", "adjudication")
    page.get_by_role("button", name="報告する").click()
    page.wait_for_url("**/cases/7/started")
    page.goto(f"{site}/tasks/12")
    page.get_by_role("button", name="行を追加").click()
    page.get_by_role("button", name="通常の事案として進める").click()
    page.wait_for_url("**/cases/7")
    assert [act[0] for act in fake.acts] == ["start", "complete"]


def test_the_diagram_is_drawn_with_its_marks(page_at: PageAt, site: str) -> None:
    page = sign_in(page_at(), site)
    page.goto(f"{site}/cases/7")
    page.wait_for_selector(".diagram[data-ready]")
    assert page.locator(".diagram .is-overdue").count() > 0
    page.locator("summary", has_text="図の内容を文字で読む").click()
    assert page.locator("li.is-open", has_text="重大性").count() > 0


def test_the_keyboard_reaches_the_first_task(page_at: PageAt, site: str) -> None:
    page = sign_in(page_at(), site)
    page.keyboard.press("j")
    page.keyboard.press("Enter")
    page.wait_for_url("**/tasks/12")
    page.keyboard.press("Tab")
    assert page.evaluate("document.activeElement.className") == "skip-link"
