"""Approvals from application to the close of their ledgers, through a real browser by all officials in turn."""

from __future__ import annotations

from collections.abc import Callable

from playwright.sync_api import Page, expect

from tests.browser.driver import BrowserPlayer, Officials, Site, account

CONTRACTS = account("contract_officer@isa")


def test_media_are_carried_out_by_six_people_and_the_ledger_is_closed(site: Site, page_at: Callable[..., Page]) -> None:
    """委託先へ渡す媒体：三つの承認、立会いの下の書出し、二人での出発と受渡し、返却、消去、破壊。台帳は閉じ、保存期限が付く。"""
    officials = Officials(site, page_at)
    player = BrowserPlayer(officials)
    case_id = player.run("media_carryout_contractor")
    with site.engine.reading() as connection:
        rows = connection.exec_driver_sql(f"SELECT closed_by FROM task WHERE case_id = {case_id} AND state = 'done'").all()
    people = {row[0] for row in rows} | {player.reporter}
    assert len(people) >= 6, people
    page = officials.at(account("protection_manager@adjudication"), f"/cases/{case_id}")
    expect(page.locator(".page-head .badge", has_text="終結")).to_be_visible()
    page.get_by_role("link", name="台帳", exact=True).first.click()
    page.get_by_role("link", name="授受台帳", exact=True).click()
    for text in ("F-012", "F-013", "2032年3月31日"):
        expect(page.locator("main")).to_contain_text(text)
    page.get_by_role("link", name="廃棄台帳").or_(page.get_by_role("link", name="台帳", exact=True)).first.click()
    page.get_by_role("link", name="廃棄台帳", exact=True).click()
    expect(page.locator("main")).to_contain_text("F-012")


def test_a_re_subcontract_is_corrected_approved_and_revoked(site: Site, page_at: Callable[..., Page]) -> None:
    """個人番号登録の再々委託：差戻し、是正、条件付の承認、契約の写し、漏えいの知らせによる事案、取消し、消去の確認。"""
    officials = Officials(site, page_at)
    player = BrowserPlayer(officials)
    case_id = player.run("resubcontract_correction")
    page = officials.at(CONTRACTS, f"/cases/{case_id}")
    expect(page.locator(".page-head .badge", has_text="終結")).to_be_visible()
    related = page.locator("section", has=page.get_by_role("heading", name="関連する案件"))
    expect(related).to_contain_text("漏R")
    page.goto(f"{site.address}/cases/{case_id}/decision")
    for text in ("条件を付けて承認", "登録の区域に、ほかの業務の人を入れないこと。"):
        expect(page.locator("main")).to_contain_text(text)
    page.goto(f"{site.address}/ledgers/resubcontract")
    expect(page.locator("main")).to_contain_text("入力作業の再々委託先")
