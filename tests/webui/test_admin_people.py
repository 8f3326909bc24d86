"""利用者・部署と役・欠員・処理できない仕事の画面：登録を預かる者だけが使え、案件の内容は出ない。"""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from flask import Flask
from flask.testing import FlaskClient

from tests.support import World
from tests.webui.conftest import Post
from tests.webui.posts import APPROVER, KEEPER, MANAGER, OTHER, SECRET, STAFF, STRANGER, SignIn, make_site, signed_in_with, words

SEAT = "protection_manager@a"


@pytest.fixture
def site(tmp_path: Path) -> Iterator[tuple[World, Flask]]:
    """Monday, 16 November 2026, 10:00; one case waits with the manager of the first section."""
    world, app = make_site(tmp_path)
    world.start("approval")
    yield world, app
    world.engine.close()


@pytest.fixture
def keeper(people: SignIn) -> FlaskClient:
    return people(KEEPER)


PAGES = (
    "/admin", "/admin/people", "/admin/people/new", f"/admin/people/{MANAGER}", f"/admin/people/{MANAGER}/change", f"/admin/people/{MANAGER}/end",
    "/admin/appoint", "/admin/units", f"/admin/units/seat?seat={SEAT}", "/admin/vacancies", "/admin/stuck", "/admin/absences", "/admin/absences/new",
    "/admin/deputies/new", "/admin/orders", "/admin/orders/new", "/admin/orders/template.csv", "/admin/reorganise", "/admin/handovers",
)  # fmt: skip


@pytest.mark.parametrize("path", PAGES)
def test_each_page_is_the_keepers_and_tells_nothing_of_a_case(keeper: FlaskClient, people: SignIn, world: World, path: str) -> None:
    for person in (MANAGER, OTHER):
        world.disable(person)  # so that there are vacancies and stuck work to show
    page = keeper.get(path)
    assert page.status_code == (404 if path.endswith(("/change", "/end")) else 200), page.text
    assert SECRET not in page.text and "点検" not in page.text
    assert people(STAFF).get(path).status_code == 403


def test_the_menu_offers_it_to_those_who_may(people: SignIn, keeper: FlaskClient) -> None:
    assert 'href="/admin"' in keeper.get("/inbox").text
    assert 'href="/admin"' not in people(STAFF).get("/inbox").text
    approver = people(APPROVER)
    assert 'href="/admin"' in approver.get("/inbox").text
    hub = approver.get("/admin").text
    assert 'href="/admin/orders"' in hub
    assert 'href="/admin/people"' not in hub
    assert approver.get("/admin/people").status_code == 403


def test_the_hub_counts(keeper: FlaskClient, world: World) -> None:
    world.disable(MANAGER)
    hub = words(keeper.get("/admin").text)
    for text in ("8人", "5部署", "1の役だれも就いていない役", "うち処理が待っている役1", "1件処理できる人がいない処理"):
        assert text in hub, hub


def test_people_are_found_and_ended_ones_only_when_asked_for(keeper: FlaskClient, world: World) -> None:
    world.disable(OTHER)
    everybody = keeper.get("/admin/people").text
    assert "staff.a</code>" in everybody
    assert "elsewhere" not in everybody
    assert OTHER not in everybody
    assert "利用終了" in keeper.get("/admin/people?ended=yes").text
    found = keeper.get("/admin/people?text=監査責任者").text
    assert "audit_officer.office" in found
    assert "staff.a<" not in found
    assert "この条件に合う利用者はいません" in keeper.get("/admin/people?text=いない").text


@pytest.mark.parametrize("path", ["", "/change", "/end", "/holdings/1/end"])
def test_people_of_another_office_are_not_found(keeper: FlaskClient, path: str) -> None:
    assert keeper.get(f"/admin/people/{STRANGER}{path}").status_code == 404
    assert keeper.get(f"/admin/people/nobody{path}").status_code == 404
    assert keeper.get(f"/admin/people/%00{path}").status_code == 404


def test_acts_on_people_of_another_office_are_refused(keeper: FlaskClient, world: World, post: Post) -> None:
    before = world.rows("person", id=STRANGER)
    assert post(keeper, f"/admin/people/{STRANGER}/password").status_code == 404
    assert post(keeper, f"/admin/people/{STRANGER}/change", {"name": "別人"}).status_code == 404
    assert post(keeper, f"/admin/people/{STRANGER}/end", {"reason": "x"}).status_code == 404
    refused = post(keeper, "/admin/appoint", {"person": STRANGER, "seat": SEAT, "kind": "main", "from": "2026-11-16"})
    assert refused.status_code == 422
    assert "この機関にいません" in refused.text
    assert world.rows("person", id=STRANGER) == before


def test_registering_shows_a_password_once_and_it_signs_in(site: tuple[World, Flask], keeper: FlaskClient, post: Post) -> None:
    answer = post(keeper, "/admin/people/new", {"person": "n0001", "name": "採用　花子", "email": "n1@example.go.jp"})
    assert answer.status_code == 200
    assert "初回のサインイン後に変えるよう伝えてください" in answer.text
    password = re.findall(r'class="one-time">([^<]+)<', answer.text)[0]
    assert len(password) == 23
    assert signed_in_with(site[1], "n0001", password).get("/account").status_code == 200
    assert password not in keeper.get("/admin/people/n0001").text
    assert site[0].rows("person", id="n0001")[0]["email"] == "n1@example.go.jp"


BAD_PEOPLE: tuple[tuple[dict[str, str], str], ...] = (
    ({"person": "", "name": "甲"}, "利用者IDを入力してください"),
    ({"person": "n1", "name": ""}, "氏名を入力してください"),
    ({"person": STAFF, "name": "甲"}, "すでに登録されています"),
    ({"person": STRANGER, "name": "甲"}, "すでに登録されています"),
    ({"person": "system", "name": "甲"}, "すでに登録されています"),
    ({"person": "職員", "name": "甲"}, "半角の英数字"),
    ({"person": "n1", "name": "甲\x00"}, "制御文字"),
    ({"person": "n1", "name": "甲", "email": "どこか"}, "「メール」の形"),
)


@pytest.mark.parametrize(("typed", "said"), BAD_PEOPLE)
def test_what_does_not_fit_is_said_and_kept(keeper: FlaskClient, world: World, post: Post, typed: dict[str, str], said: str) -> None:
    before = len(world.rows("person"))
    answer = post(keeper, "/admin/people/new", typed)
    assert answer.status_code == 422
    assert said in answer.text
    assert f'value="{typed["person"]}"' in answer.text
    assert len(world.rows("person")) == before


def test_name_and_mail_change(keeper: FlaskClient, world: World, post: Post) -> None:
    assert f'value="{STAFF}@example.go.jp"' in keeper.get(f"/admin/people/{STAFF}/change").text
    assert post(keeper, f"/admin/people/{STAFF}/change", {"name": "第一課 主任", "email": ""}).status_code == 303
    row = world.rows("person", id=STAFF)[0]
    assert (row["name"], row["email"]) == ("第一課 主任", None)
    refused = post(keeper, f"/admin/people/{STAFF}/change", {"name": "", "email": "x@example.go.jp"})
    assert refused.status_code == 422
    assert 'value="x@example.go.jp"' in refused.text


def test_a_new_password_ends_every_session(site: tuple[World, Flask], keeper: FlaskClient, people: SignIn, post: Post) -> None:
    staff = people(STAFF)
    answer = post(keeper, f"/admin/people/{STAFF}/password")
    password = re.findall(r'class="one-time">([^<]+)<', answer.text)[0]
    assert staff.get("/inbox").status_code == 303
    assert signed_in_with(site[1], STAFF, password).get("/inbox").status_code == 200


def test_ending_an_account_tells_what_stays_open_first(keeper: FlaskClient, world: World, people: SignIn, post: Post) -> None:
    manager = people(MANAGER)
    told = words(keeper.get(f"/admin/people/{MANAGER}/end").text)
    assert "第一課保護管理者：処理待ち1件。ほかに就いている人がいないため、欠員になります" in told
    assert post(keeper, f"/admin/people/{MANAGER}/end", {"reason": ""}).status_code == 422
    assert manager.get("/inbox").status_code == 200
    done = post(keeper, f"/admin/people/{MANAGER}/end", {"reason": "退職した"}, follow_redirects=True)
    assert "利用を終えました" in done.text
    assert manager.get("/inbox").status_code == 303
    assert keeper.get(f"/admin/people/{MANAGER}/end").status_code == 404
    assert world.waits(1) == ["review"]
    own = post(keeper, f"/admin/people/{KEEPER}/end", {"reason": "試し"})
    assert own.status_code == 422
    assert "自分の利用を終えることはできません" in own.text


def test_appointing_and_ending_leave_the_course_of_the_record(keeper: FlaskClient, world: World, post: Post) -> None:
    form = keeper.get(f"/admin/appoint?person={OTHER}&seat={SEAT}&kind=caretaker").text
    assert f'value="{OTHER}" selected' in form
    assert f'value="{SEAT}" selected' in form
    assert 'value="caretaker" checked' in form
    typed = {"person": OTHER, "seat": SEAT, "kind": "caretaker", "from": "令和８年１１月１７日", "to": "R8.11.30", "basis": "発令第1号"}
    assert post(keeper, "/admin/appoint", typed).status_code == 303
    page = keeper.get(f"/admin/people/{OTHER}").text
    assert "事務取扱（発令第1号）" in page
    assert "予定" in page
    assert "2026年11月30日（月）" in page
    row = next(row for row in world.rows("holding", person=OTHER) if row["seat"] == SEAT)
    path = f"/admin/people/{OTHER}/holdings/{row['id']}/end"
    assert "第一課 保護管理者（事務取扱）" in keeper.get(path).text
    late = post(keeper, path, {"last": "2026-12-31", "reason": "誤り"})
    assert late.status_code == 422
    assert "いま登録されている終了日より後" in late.text
    assert post(keeper, path, {"last": "2026/11/20", "reason": "後任が決まった"}).status_code == 303
    page = keeper.get(f"/admin/people/{OTHER}").text
    assert "記録の訂正の経過（1件）" in page
    assert "2026年11月20日（金）" in page
    assert post(keeper, path, {"last": "2026-11-19", "reason": "古い画面"}).status_code == 404


APPOINTMENT = {"person": OTHER, "seat": SEAT, "kind": "caretaker", "from": "2026-11-17", "to": "", "basis": "発令第1号"}


@pytest.mark.parametrize(
    ("changed", "field", "said"),
    [
        ({"person": ""}, "person", "就く人を選ぶか"),
        ({"person": "だれか"}, "person", "この機関にいません"),
        ({"seat": "mayor@moon"}, "seat", "役を選んでください"),
        ({"kind": "king"}, "kind", "区分を選んでください"),
        ({"from": ""}, "from", "始まりの日を入力してください"),
        ({"from": "令和8年13月1日"}, "from", "日付として読めません"),
        ({"to": "らいねん"}, "to", "日付として読めません"),
        ({"basis": ""}, "basis", "根拠を入力してください"),
        ({"to": "2026-11-01"}, "", "終わりの日が、始まりの日より前です"),
        ({"person": MANAGER}, "", "すでに同じ役に就いています"),
    ],
)
def test_a_bad_appointment_is_told_beside_its_field(
    keeper: FlaskClient, world: World, post: Post, changed: dict[str, str], field: str, said: str
) -> None:
    before = len(world.rows("holding"))
    answer = post(keeper, "/admin/appoint", APPOINTMENT | changed)
    assert answer.status_code == 422
    assert said in answer.text
    assert not field or f'id="e-{field}"' in answer.text
    assert 'value="令和8年13月1日"' in answer.text or changed.get("from") != "令和8年13月1日"
    assert len(world.rows("holding")) == before


def test_a_person_may_be_typed_by_name_and_two_of_a_name_are_told_apart(keeper: FlaskClient, world: World, post: Post) -> None:
    for who in ("twin.1", "twin.2", "single"):
        world.engine.register(who, "office", "双葉" if who != "single" else "一条", email=None, password_hash=None)
    answer = post(keeper, "/admin/appoint", APPOINTMENT | {"person": "双葉"})
    assert answer.status_code == 422
    assert "twin.1、twin.2" in answer.text
    assert post(keeper, "/admin/appoint", APPOINTMENT | {"person": "一条"}).location == "/admin/people/single"


def test_in_a_large_office_people_are_typed_instead_of_chosen(keeper: FlaskClient, monkeypatch: pytest.MonkeyPatch) -> None:
    assert '<select class="select" id="f-person"' in keeper.get("/admin/appoint").text
    monkeypatch.setattr("webui.admin_forms.MOST_LISTED", 1)
    page = keeper.get(f"/admin/appoint?person={OTHER}").text
    assert "利用者IDか氏名を入力してください" in page
    assert f'type="text" name="person" value="{OTHER}"' in page


# ---------------------------------------------------------------- posts


def test_the_chart_of_another_day(keeper: FlaskClient, world: World, post: Post) -> None:
    post(keeper, "/admin/appoint", APPOINTMENT)
    today = words(keeper.get("/admin/units").text)
    assert "第二課保護管理者さん（事務取扱）" not in today
    assert "第二課保護管理者さん（事務取扱）" in words(keeper.get("/admin/units?on=令和8年11月17日").text)
    wrong = keeper.get("/admin/units?on=あした")
    assert wrong.status_code == 422
    assert "日付として読めません" in wrong.text
    world.disable(MANAGER)
    vacant = keeper.get("/admin/units?show=vacant").text
    assert "第一課" in vacant
    assert "欠員" in vacant
    assert "離れ" not in words(vacant)
    assert "この条件に合う部署はありません" in keeper.get("/admin/units?text=ない").text


def test_who_held_a_seat_as_was_known(keeper: FlaskClient, world: World, post: Post) -> None:
    world.clock.advance(minutes=10)
    row = world.rows("holding", person=MANAGER)[0]
    post(keeper, f"/admin/people/{MANAGER}/holdings/{row['id']}/end", {"last": "2026-10-31", "reason": "10月に離れていた"})
    path = f"/admin/units/seat?seat={SEAT}&on=2026-11-10"
    assert "だれも就いていませんでした" in keeper.get(path).text
    before = keeper.get(f"{path}&known=2026-11-16 10:05").text
    assert "第一課 保護管理者さん" in before
    assert "に訂正" in before
    assert "だれも就いていませんでした" in keeper.get(f"{path}&known=R8.11.16").text, "a day alone is its end"
    for query, said in (("&known=いつか", "日時として読めません"), ("&on=32日", "日付として読めません"), ("&seat=x@y", "この機関にない役")):
        answer = keeper.get(f"/admin/units/seat?seat={SEAT}{query}" if "seat" not in query else f"/admin/units/seat?{query[1:]}")
        assert answer.status_code == 422
        assert said in answer.text


def test_a_vacancy_and_stuck_work_are_repaired_from_their_pages(keeper: FlaskClient, world: World, people: SignIn, post: Post) -> None:
    world.disable(MANAGER)
    vacancies = keeper.get("/admin/vacancies").text
    assert "処理が待っている役（1）" in vacancies
    stuck = keeper.get("/admin/stuck").text
    number = world.case(1)["number"]
    assert number in stuck
    assert "審査" in stuck
    assert "役に就いている人がいません" in stuck
    link = re.findall(r'href="(/admin/appoint\?[^"]+)"', stuck)[0].replace("&amp;", "&")
    form = keeper.get(link).text
    assert f'value="{SEAT}" selected' in form
    assert 'value="acting" checked' in form
    typed = {"person": OTHER, "seat": SEAT, "kind": "acting", "from": "2026-11-16", "basis": "職務代理の発令"}
    assert post(keeper, "/admin/appoint", typed).status_code == 303
    assert "誰も処理できない仕事はありません" in keeper.get("/admin/stuck").text
    assert number in people(OTHER).get("/inbox").text


# ---------------------------------------------------------------- every write

WRITES: tuple[tuple[str, dict[str, Any]], ...] = (
    ("/admin/people/new", {"person": "n1", "name": "甲"}),
    (f"/admin/people/{OTHER}/change", {"name": "甲"}),
    (f"/admin/people/{OTHER}/password", {}),
    (f"/admin/people/{OTHER}/end", {"reason": "x"}),
    (f"/admin/people/{OTHER}/holdings/1/end", {"last": "2026-11-16", "reason": "x"}),
    ("/admin/appoint", APPOINTMENT),
    ("/admin/absences/new", {"person": OTHER, "from": "2026-11-16", "reason": "leave"}),
    ("/admin/deputies/new", {"principal": MANAGER, "person": OTHER, "kind": "substitute", "basis": "x", "from": "2026-11-16"}),
    ("/admin/absences/1/end", {}),
    ("/admin/deputies/1/end", {}),
    ("/admin/orders/new", {"title": "x"}),
    ("/admin/orders/1/approve", {}),
    ("/admin/orders/1/withdraw", {"reason": "x"}),
    ("/admin/reorganise", {"on": "2027-04-01"}),
)


@pytest.mark.parametrize(("path", "data"), WRITES)
def test_writes_want_a_token_and_a_keeper(
    keeper: FlaskClient, people: SignIn, world: World, post: Post, path: str, data: dict[str, Any]
) -> None:
    tables = ("person", "holding", "absence", "deputy", "personnel_order")
    before = {name: world.rows(name) for name in tables}
    assert keeper.post(path, data=data).status_code == 400
    assert post(keeper, path, data, headers={"Sec-Fetch-Site": "cross-site"}).status_code == 403
    assert post(people(STAFF), path, data).status_code == 403
    assert {name: world.rows(name) for name in tables} == before


def test_an_idle_keeper_signs_in_again(keeper: FlaskClient, world: World) -> None:
    world.clock.advance(minutes=16)
    assert keeper.get("/admin").location.startswith("/login")
