"""代理, 代決, 後閲 and a change of posts at midnight, through a real browser by everybody concerned in turn."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

import pytest
from playwright.sync_api import Page, expect

from engine import hash_password
from tests.browser.driver import PASSWORD, Officials, Site, account, fill_in, press

UNIT = "adjudication"
MANAGER = account(f"protection_manager@{UNIT}")
STAFF = account(f"staff@{UNIT}")
ASSISTANT = account(f"assistant@{UNIT}")
ADMINISTRATOR, GENERAL, AUDITOR = (account(f"{role}@isa") for role in ("administrator", "general_protection_manager", "audit_officer"))
MIDNIGHT = datetime(2026, 11, 16, 15, 0, tzinfo=UTC)  # 0:00 of Tuesday in Japan


@pytest.fixture
def officials(site: Site, page_at: Callable[..., Page]) -> Officials:
    """A browser for everybody."""
    return Officials(site, page_at)


def division(site: Site) -> str:
    """Who reviews for the unit."""
    seat = site.engine.organisation("isa").next_seat(f"protection_manager@{UNIT}", site.clock.now().date())
    assert seat is not None
    return account(seat)


def choose(page: Page, name: str, value: str) -> None:
    """Choose somebody or something in a form of the registers, whether it is offered as a list or typed."""
    field = page.locator(f'[name="{name}"]')
    if field.evaluate("node => node.tagName") == "SELECT":
        field.select_option(value)
    else:
        field.fill(value)


def registers_absence(officials: Officials, person: str) -> None:
    """An official is away today, by his own registration."""
    page = officials.at(person, "/account/absences/new")
    page.locator('[name="from"]').fill("2026-11-16")
    page.locator('[name="to"]').fill("2026-11-18")
    page.locator('input[name="reason"][value="travel"]').check()
    page.get_by_role("button", name="登録する", exact=True).click()
    expect(page.locator(".alert-success")).to_be_visible()


def test_an_inventory_by_a_deputy_past_an_absent_reviewer_decided_in_absence(site: Site, officials: Officials) -> None:
    """The manager's deputy confirms; the reviewer is away and reads later; who decides is away too, and a registered 代決者 decides."""
    reviewer = division(site)
    # The manager lets the assistant stand in.
    page = officials.at(MANAGER, "/account/deputies/new")
    choose(page, "person", ASSISTANT)
    page.locator('[name="basis"]').fill("事務代理の定め第3条")
    page.locator('[name="from"]').fill("令和8年11月16日") if page.locator('[name="from"]').get_attribute(
        "type"
    ) == "text" else page.locator('[name="from"]').fill("2026-11-16")
    page.get_by_role("button", name="登録する", exact=True).click()
    expect(page.locator(".alert-success")).to_be_visible()
    # The administrator registers who decides in the general manager's absence.
    page = officials.at(ADMINISTRATOR, "/admin/deputies/new")
    choose(page, "principal", GENERAL)
    choose(page, "person", AUDITOR)
    page.locator('input[name="kind"][value="decision"]').check()
    choose(page, "seat", "general_protection_manager@isa")
    page.locator('[name="basis"]').fill("専決代決の定め第5条")
    page.locator('[name="from"]').fill("2026-11-16")
    page.get_by_role("button", name="登録する", exact=True).click()
    expect(page.locator(".alert-success")).to_be_visible()
    registers_absence(officials, reviewer)
    registers_absence(officials, GENERAL)

    # The administrator begins the inventory of the unit.
    page = officials.at(ADMINISTRATOR, "/report/isa_account_inventory")
    form = page.locator("form[data-draft]")
    fill_in(form, {"owning_unit": UNIT, "inventory_month": "2026年11月の棚卸"})
    form.locator(".button-row button[type=submit]").first.click()
    # The deputy finds it in the inbox, marked so, and names somebody to be revoked.
    page = officials.at(ASSISTANT)
    row = page.locator(".inbox-title", has_text="アカウントの確認")
    expect(page.locator("main")).to_contain_text("代理")
    row.click()
    expect(page.locator("main")).to_contain_text("事務代理の定め第3条")
    form = page.locator("#task-form")
    fill_in(form, {"revoke": STAFF})
    press(form, {})
    expect(page.locator(".alert-success")).to_contain_text("処理を完了しました")

    # Nobody reviews: it has gone on to the decision, which the 代決者 takes.
    page = officials.at(AUDITOR)
    page.locator(".inbox-title", has_text="失効の決裁").click()
    expect(page.locator("main")).to_contain_text("代決")
    press(page.locator("#task-form"), {})
    expect(page.locator(".alert-success")).to_contain_text("処理を完了しました")

    # The reviewer and who decides find it among what they have to read.
    for person in (reviewer, GENERAL):
        page = officials.at(person, "/referrals")
        expect(page.locator("main")).to_contain_text("後閲")
        page.get_by_role("button", name="確認した").first.click()
        expect(page.locator(".alert-success")).to_be_visible()
    # The record says who acted for whom, and the account is closed.
    page = officials.at(ADMINISTRATOR, f"/admin/people/{STAFF}")
    expect(page.locator("main")).to_contain_text("終")
    case = site.engine.cases(site.engine.viewer(ADMINISTRATOR))[0][0]
    page = officials.at(ADMINISTRATOR, f"/cases/{case.id}")
    for words in ("代理、根拠：事務代理の定め第3条", "代決", "後閲"):
        expect(page.locator("main")).to_contain_text(words)


def test_an_order_moves_the_inbox_at_midnight_and_the_successor_takes_over(site: Site, officials: Officials, tmp_path: Path) -> None:
    """A file is imported, a second person approves, and at 0:00 the step is in the successor's inbox and in nobody else's."""
    site.engine.register("successor", "isa", "後任の審判課長", email=None, password_hash=hash_password(PASSWORD))
    with site.engine.work(by=STAFF) as work:
        work.start("isa_incident", {"item_summary": "封筒の入れ違い", "known_at": "2026-11-16T09:30:00+09:00", "owning_unit": UNIT})
    order = tmp_path / "order.csv"
    lines = [
        "職員番号,氏名,発令,部署,役,区分,発令日",
        f"{MANAGER},,免,審判課,保護管理者,,令和8年11月17日",
        "successor,後任の審判課長,任命,審判課,保護管理者,本務,令和8年11月17日",
    ]
    order.write_bytes("\r\n".join(lines).encode("cp932"))
    page = officials.at(ADMINISTRATOR, "/admin/orders/new")
    page.locator('[name="title"]').fill("11月17日付けの異動")
    page.locator('[name="file"]').set_input_files(order)
    page.get_by_role("button", name="取り込む").click()
    expect(page.locator("main")).to_contain_text("直ちにできる拡大防止")
    expect(page.locator("main")).not_to_contain_text("封筒")  # an administrator does not read cases
    expect(page.locator("main")).to_contain_text("取り込んだ本人は承認できません")
    address = page.url.removeprefix(site.address)
    page = officials.at(GENERAL, address)
    page.get_by_role("button", name="承認する").first.click()
    if page.locator("dialog[open]").count():
        page.locator("dialog[open]").get_by_role("button", name="承認する").click()
    expect(page.locator(".alert-success")).to_be_visible()

    expect(officials.at(MANAGER).locator(".inbox-title", has_text="直ちにできる拡大防止")).to_be_visible()
    page = officials.at(MANAGER, "/handovers")
    page.locator("textarea").first.fill("差出人への連絡は済んでいます。")
    page.get_by_role("button", name="保存する").first.click()
    expect(page.locator(".alert-success")).to_be_visible()

    site.clock.set(MIDNIGHT)
    expect(officials.at(MANAGER).locator(".inbox-title", has_text="直ちにできる拡大防止")).to_have_count(0)
    page = officials.at("successor")
    expect(page.locator(".inbox-title", has_text="直ちにできる拡大防止")).to_be_visible()
    expect(page.locator("main")).to_contain_text("引継ぎ")
    page = officials.at("successor", "/handovers")
    expect(page.locator("main")).to_contain_text("差出人への連絡は済んでいます。")
    page.get_by_role("button", name="引継ぎを確認した").first.click()
    expect(page.locator(".alert-success")).to_be_visible()
