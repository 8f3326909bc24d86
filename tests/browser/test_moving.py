"""Moving running cases in a real browser: three of a shipped procedure go to a changed version by two persons, their steps are seen, one comes back."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from datetime import timedelta
from pathlib import Path

import pytest
from playwright.sync_api import Page, expect

from engine import Engine
from tests.browser.driver import sign_in
from tests.designing import ONE, PASSWORD, TWO, Studio, hashed_password, make_studio, served
from tests.support import SINCE

PageAt = Callable[..., Page]
PROCESS, MANAGER, SEAT = "isa_incident", "manager", "protection_manager@osaka_inspection"


@pytest.fixture
def studio(tmp_path: Path) -> Iterator[Studio]:
    """The real office served to a browser, with three incidents and a version of the procedure that came after them."""
    made = make_studio(tmp_path, isa=True)
    made.engine.prove = Engine.unproven
    made.engine.register(MANAGER, "isa", "保護管理者の職員", email=None, password_hash=hashed_password())
    made.engine.appoint(MANAGER, SEAT, since=SINCE)
    for number in range(3):
        begin(made, f"電話の応答で別人に審査の状況を話した（{number + 1}）")
    made.clock.advance(minutes=10)
    change(made)
    with served(made) as site:
        yield site


def begin(studio: Studio, summary: str) -> None:
    known = studio.clock.now()
    answers = {
        "item_summary": summary, "known_at": known.isoformat(), "occurred_at": (known - timedelta(minutes=10)).isoformat(),
        "owning_unit": "osaka_inspection", "event": "leak", "holds": ["pi"], "count": "1", "sensitive": "yes", "malicious": "no", "encrypted": "no",
    }  # fmt: skip
    with studio.engine.work(by="staff.osaka_inspection") as work:
        work.start(PROCESS, answers)


def change(studio: Studio) -> None:
    """One step has another name, one another clock: drawn by one designer and approved by the other."""
    desk, versions, viewer = studio.engine.drafts, studio.engine.versions, studio.viewer(ONE)
    draft = desk.begin(viewer, PROCESS)
    files = dict(desk.show(viewer, draft).files)
    text = files["isa/incident.bpmn"]
    text = re.sub(r'(id="contain_at_once" name=")[^"]*', r"\1その場での拡大防止", text)
    start = text.index('id="assess_gravity"')
    text = text[:start] + text[start:].replace('name="urgency" value="at_once"', 'name="urgency" value="promptly"', 1)
    revision = desk.save(viewer, draft, 1, {**files, "isa/incident.bpmn": text})
    versions.ask(viewer, draft, revision)
    versions.approve(studio.viewer(TWO), draft, revision, versions.all(viewer, PROCESS)[0].id)


def signed_in(studio: Studio, page_at: PageAt, person: str, path: str, width: int = 1280) -> Page:
    page = page_at(width, studio.address + "/login")
    sign_in(page, person, PASSWORD)
    page.goto(studio.address + path)
    return page


def confirm(page: Page, button: str) -> None:
    page.get_by_role("dialog").get_by_role("button", name=button).click()


def wide_enough(page: Page) -> bool:
    return bool(page.evaluate("document.documentElement.scrollWidth <= document.documentElement.clientWidth"))


@pytest.mark.parametrize("width", [1280, 390])
def test_three_running_cases_are_moved_by_two_persons_and_one_comes_back(
    studio: Studio, page_at: PageAt, width: int, tmp_path: Path
) -> None:
    manager = signed_in(studio, page_at, MANAGER, "/", width)
    expect(manager.get_by_role("link", name="直ちにできる拡大防止")).to_have_count(3)

    author = signed_in(studio, page_at, ONE, f"/designer/versions/{PROCESS}", width)
    author.get_by_role("link", name="進行中の案件を別の版へ移す").click()
    expect(author.get_by_role("checkbox")).to_have_count(3)
    expect(author.locator(".change-after").first).to_contain_text("その場での拡大防止")
    assert wide_enough(author)
    author.screenshot(path=tmp_path / f"preview-{width}.png", full_page=True)
    author.get_by_label("移す理由").fill("名前を改めたため")
    author.get_by_role("button", name="この内容で提案する").click()
    expect(author.get_by_role("button", name="承認して移す")).to_have_count(0)
    assert wide_enough(author)

    other = signed_in(studio, page_at, TWO, f"/designer/moving/{PROCESS}", width)
    other.get_by_role("link", name="計画1").click()
    other.screenshot(path=tmp_path / f"plan-{width}.png", full_page=True)
    other.get_by_role("button", name="承認して移す").click()
    confirm(other, "承認して移す")
    expect(other.locator("main")).to_contain_text("3件を移しました")
    expect(other.locator(".move-cases .badge-done")).to_have_count(3)
    assert wide_enough(other)
    other.screenshot(path=tmp_path / f"result-{width}.png", full_page=True)

    manager.reload()
    expect(manager.get_by_role("link", name="その場での拡大防止")).to_have_count(3)
    expect(manager.get_by_role("link", name="直ちにできる拡大防止")).to_have_count(0)

    other.get_by_role("button", name="元の版に戻す").first.click()
    confirm(other, "戻す")
    expect(other.locator("main")).to_contain_text("元の版に戻しました")
    manager.reload()
    expect(manager.get_by_role("link", name="その場での拡大防止")).to_have_count(2)
    manager.get_by_role("link", name="直ちにできる拡大防止").click()
    expect(manager.get_by_label("回収を依頼した")).to_be_visible()
    assert studio.engine.verify_history() == ()
