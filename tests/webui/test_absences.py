"""自分の不在と代理、機関全体の不在と代理・代決、引継ぎの画面。"""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import date
from pathlib import Path

import pytest
from flask import Flask
from flask.testing import FlaskClient

from tests.support import World
from tests.webui.conftest import Post
from tests.webui.posts import APPROVER, KEEPER, MANAGER, OTHER, STAFF, STRANGER, SignIn, make_site

SEAT = "protection_manager@a"


@pytest.fixture
def site(tmp_path: Path) -> Iterator[tuple[World, Flask]]:
    world, app = make_site(tmp_path)
    world.start("approval")
    yield world, app
    world.engine.close()


@pytest.fixture
def manager(people: SignIn) -> FlaskClient:
    return people(MANAGER)


# ---------------------------------------------------------------- one's own


def test_the_accounts_page_leads_there(manager: FlaskClient) -> None:
    assert 'href="/account/absences"' in manager.get("/account").text
    assert "登録はありません" in manager.get("/account/absences").text
    assert "試験庁" in manager.get("/account/absences").text, "the frame names the office"


def test_anybody_registers_and_ends_the_own_absence(manager: FlaskClient, world: World, post: Post) -> None:
    answer = post(
        manager, "/account/absences/new", {"from": "令和８年11月16日", "to": "2026-11-20", "reason": "travel"}, follow_redirects=True
    )
    assert "不在を登録しました" in answer.text
    assert "出張" in answer.text
    row = world.rows("absence")[0]
    assert (row["person"], row["recorded_by"], row["reason"]) == (MANAGER, MANAGER, "travel")
    ended = post(manager, f"/account/absences/{row['id']}/end", follow_redirects=True)
    assert "不在を終えました" in ended.text
    again = post(manager, f"/account/absences/{row['id']}/end")
    assert again.status_code == 422
    assert "もう変わっています" in again.text


@pytest.mark.parametrize(
    ("changed", "said"),
    [
        ({"from": ""}, "始まりの日を入力してください"),
        ({"from": "きょう"}, "日付として読めません"),
        ({"to": "2026-11-01", "from": "2026-11-01"}, "終わりの日が過ぎています"),
        ({"to": "2026-11-15"}, "終わりの日が、始まりの日より前です"),
        ({"reason": "かぜ"}, "理由を選んでください"),
    ],
)
def test_a_bad_absence_is_kept_and_told(manager: FlaskClient, world: World, post: Post, changed: dict[str, str], said: str) -> None:
    answer = post(manager, "/account/absences/new", {"from": "2026-11-16", "to": "", "reason": "leave"} | changed)
    assert answer.status_code == 422
    assert said in answer.text
    assert world.rows("absence") == []


def test_an_own_absence_is_nobody_elses(manager: FlaskClient, people: SignIn, world: World, post: Post) -> None:
    post(manager, "/account/absences/new", {"person": OTHER, "from": "2026-11-16", "reason": "leave"})
    row = world.rows("absence")[0]
    assert row["person"] == MANAGER, "another name that was posted counts for nothing"
    assert post(people(OTHER), f"/account/absences/{row['id']}/end").status_code == 403
    assert world.rows("absence")[0]["superseded_at"] is None


def test_a_deputy_gets_the_work_and_is_told_for_whom(manager: FlaskClient, people: SignIn, world: World, post: Post) -> None:
    number = world.case(1)["number"]
    other = people(OTHER)
    assert number not in other.get("/inbox").text
    typed = {"person": OTHER, "seat": SEAT, "basis": "事務代理規程第4条", "from": "2026-11-16", "to": "2026-11-20"}
    shown = post(manager, "/account/deputies/new", typed, follow_redirects=True).text
    assert "代理を登録しました" in shown
    assert "第二課 保護管理者さん" in shown
    assert number in other.get("/inbox").text
    assert "第一課 保護管理者さん</strong>の代理" in other.get("/account/absences").text
    row = world.rows("deputy")[0]
    assert (row["kind"], row["principal"]) == ("substitute", MANAGER)
    assert post(other, f"/account/deputies/{row['id']}/end").status_code == 403
    assert post(manager, f"/account/deputies/{row['id']}/end").status_code == 303
    assert number not in other.get("/inbox").text


@pytest.mark.parametrize(
    ("changed", "said"),
    [
        ({"person": MANAGER}, "本人を本人の代理にすることはできません"),
        ({"person": STRANGER}, "この機関にいません"),
        ({"seat": "protection_manager@b"}, "役を選んでください"),
        ({"process": "x"}, "手続を選んでください"),
        ({"basis": ""}, "根拠を入力してください"),
        ({"from": "2026-11-15"}, "始まりの日が過ぎています"),
        ({"from": "昭和64年1月8日"}, "日付として読めません"),
    ],
)
def test_a_bad_deputy_is_kept_and_told(manager: FlaskClient, world: World, post: Post, changed: dict[str, str], said: str) -> None:
    typed = {"person": OTHER, "seat": SEAT, "process": "", "basis": "規程", "from": "2026-11-16", "to": ""} | changed
    answer = post(manager, "/account/deputies/new", typed)
    assert answer.status_code == 422
    assert said in answer.text
    assert world.rows("deputy") == []


def test_nobody_makes_himself_a_decision_makers_deputy(manager: FlaskClient, world: World, post: Post) -> None:
    typed = {"person": OTHER, "principal": APPROVER, "kind": "decision", "seat": SEAT, "basis": "規程", "from": "2026-11-16"}
    assert post(manager, "/account/deputies/new", typed).status_code == 303
    row = world.rows("deputy")[0]
    assert (row["kind"], row["principal"]) == ("substitute", MANAGER)


# ---------------------------------------------------------------- the office's


def test_the_keeper_registers_for_anybody_decisions_too(people: SignIn, world: World, post: Post) -> None:
    keeper = people(KEEPER)
    assert post(keeper, "/admin/absences/new", {"person": MANAGER, "from": "2026-11-16", "reason": "sick"}).status_code == 303
    typed = {
        "principal": APPROVER, "person": OTHER, "kind": "decision", "seat": "division_protection_manager@north", "basis": "決裁規程第10条",
        "from": "2026-12-01",
    }  # fmt: skip
    assert post(keeper, "/admin/deputies/new", typed).status_code == 303
    page = keeper.get("/admin/absences").text
    for text in ("病気休暇・休職", "代決", "決裁規程第10条", "終わりは未定", "北部 部課等保護管理者"):
        assert text in page
    without = post(keeper, "/admin/deputies/new", typed | {"seat": ""})
    assert without.status_code == 422
    assert "代決は、役を1つ選んで" in without.text
    assert post(keeper, f"/admin/absences/{world.rows('absence')[0]['id']}/end").status_code == 303
    assert post(keeper, f"/admin/deputies/{world.rows('deputy')[0]['id']}/end").status_code == 303
    assert "登録はありません" in keeper.get("/admin/absences").text
    assert "代決の登録は、管理者が行います" in people(APPROVER).get("/account/absences").text


# ---------------------------------------------------------------- handovers

ORDER = f"職員番号,発令,部署,役,区分\r\n{MANAGER},免,第一課,保護管理者,\r\n{OTHER},任命,第一課,保護管理者,兼務\r\n".encode()


@pytest.fixture
def handover(world: World) -> int:
    """From tomorrow the other manager holds the first section's seat."""
    orders, engine = world.engine.orders, world.engine
    made = orders.read(engine.viewer(KEEPER), "交代", date(2026, 11, 17), "発令.csv", ORDER)
    orders.approve(engine.viewer(APPROVER), made)
    return int(next(row["id"] for row in world.rows("handover")))


def test_a_handover_is_written_read_and_confirmed(people: SignIn, world: World, post: Post, handover: int) -> None:
    giver, taker = people(MANAGER), people(OTHER)
    assert post(giver, f"/handovers/{handover}/note", {"note": "鍵は金庫に\nあります"}).status_code == 303
    page = taker.get("/handovers").text
    assert "鍵は金庫に\nあります" in page
    assert world.case(1)["number"] in page
    assert "山田" not in page
    assert "確認は、発令日から" in page
    early = post(taker, f"/handovers/{handover}/accept")
    assert early.status_code == 422
    assert "発令日から行えます" in early.text
    assert post(giver, f"/handovers/{handover}/accept").status_code == 404
    assert post(taker, f"/handovers/{handover}/note", {"note": "書換え"}).status_code == 404
    world.clock.advance(days=1)
    taker, keeper = people(OTHER), people(KEEPER)
    done = post(taker, f"/handovers/{handover}/accept", follow_redirects=True)
    assert "引継ぎを確認しました" in done.text
    assert "引き継いだ処理 1件" in done.text
    twice = post(taker, f"/handovers/{handover}/accept", follow_redirects=True)
    assert twice.status_code == 200
    assert "すでに確認されています" in twice.text
    assert post(people(MANAGER), f"/handovers/{handover}/note", {"note": "遅れて"}).status_code == 404
    office = keeper.get("/admin/handovers").text
    assert "確認済み" in office
    assert "鍵は金庫" not in office


def test_a_note_that_does_not_fit_is_kept(people: SignIn, world: World, post: Post, handover: int) -> None:
    answer = post(people(MANAGER), f"/handovers/{handover}/note", {"note": "あ" * 4_001})
    assert answer.status_code == 422
    assert "4000文字以内" in answer.text
    assert "あ" * 4_001 in answer.text
    assert world.rows("handover")[0]["note"] == ""


def test_handovers_are_the_two_persons(people: SignIn, world: World, post: Post, handover: int) -> None:
    staff = people(STAFF)
    assert "第一課 保護管理者" not in re.sub(r"<header.*?</header>", "", staff.get("/handovers").text, flags=re.DOTALL)
    assert staff.get("/admin/handovers").status_code == 403
    assert post(staff, f"/handovers/{handover}/accept").status_code == 404
    assert post(staff, "/handovers/999/note", {"note": "x"}).status_code == 404
    assert people(MANAGER).post(f"/handovers/{handover}/note", data={"note": "x"}).status_code == 400
