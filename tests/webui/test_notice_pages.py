"""お知らせの画面：受け取り方、送信箱、外部システム、予定表、知らせた記録。"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from flask import Flask
from flask.testing import FlaskClient

from engine import hash_password
from engine.model import person
from tests.engine.telling import Sent, telling
from tests.support import DIVISION, MANAGER, World
from tests.webui.conftest import Post
from tests.webui.fake import FakeEngine
from tests.webui.test_pages import outline_of
from webui import create_app

SignIn = Callable[[str], FlaskClient]
PASSWORD = "a-long-and-quiet-password"


# ---------------------------------------------------------------- over the fake engine


def test_the_choices_are_shown_and_what_is_fixed_is_only_told(client: FlaskClient, fake: FakeEngine, post: Post) -> None:
    page = client.get("/account/notices").text
    assert re.search(r'<option value="digest" selected>毎日のまとめ', page) and 'name="how.clock_overdue"' not in page
    assert "あと回しにできないもの" in page and "法令上の期限を過ぎました" in page and "8:30" in page
    data = {"how.task_opened": "in_app", "quiet": "own", "quiet_from": "21:00", "quiet_to": "06:00", "closed_days": "on", "digest": "on"}
    assert post(client, "/account/notices", data).status_code == 303
    ((verb, who, choices, named),) = fake.acts
    assert (verb, who, choices) == ("receiving", "adj.manager", {"task_opened": "in_app"})
    assert named == {"digest": True, "quiet_time": "own", "hours": ("21:00", "06:00"), "closed_days": True}


def test_a_refused_choice_comes_back_as_it_was_typed(client: FlaskClient, fake: FakeEngine, post: Post) -> None:
    data = {"how.task_opened": "in_app", "quiet": "own", "quiet_from": "20:00", "quiet_to": "20:00"}
    answer = post(client, "/account/notices", data)
    assert answer.status_code == 422 and fake.acts == []
    page = answer.text
    assert "送らない時間を、違う時刻で書いてください。" in page and re.search(r'<option value="in_app" selected>', page)
    assert re.search(r'name="quiet_to" value="20:00"', page) and not re.search(r'name="digest" value="on" checked', page)
    outline = outline_of(page)
    assert outline.problems == [] and len(outline.ids) == len(set(outline.ids))


def test_the_calendars_address_is_shown_once(client: FlaskClient, fake: FakeEngine, post: Post) -> None:
    page = post(client, "/account/notices/calendar")
    assert (
        page.status_code == 200
        and "https://tadachi.example/calendar/right.ics" in page.text
        and page.headers["Cache-Control"] == "no-store"
    )
    assert "calendar/right.ics" not in client.get("/account/notices").text
    assert post(client, "/account/notices/calendar/revoke").status_code == 303
    assert [act[0] for act in fake.acts] == ["feed", "unfeed"]


def test_the_calendar_answers_to_its_address_alone(app: Flask) -> None:
    nobody = app.test_client()
    answer = nobody.get("/calendar/right.ics")
    assert answer.status_code == 200 and answer.mimetype == "text/calendar" and answer.headers["Cache-Control"] == "private, max-age=300"
    assert nobody.get("/calendar/wrong.ics").status_code == 404 and nobody.get("/calendar/.ics").status_code == 404
    assert "Set-Cookie" not in answer.headers


def test_the_outbox_is_filtered_by_state_and_dead_letters_can_be_sent_again(sign_in: SignIn, fake: FakeEngine, post: Post) -> None:
    admin = sign_in("admin")
    page = admin.get("/outbox").text
    for words in ("送れず", "接続できませんでした", "再送待ち", "応答 500", "次は", "まとめ待ち", "グループウェア", "外部システム"):
        assert words in page
    assert page.count(">再送<") == 1
    assert "グループウェア" not in admin.get("/outbox?state=dead").text and "接続できませんでした" in admin.get("/outbox?state=dead").text
    assert "この状態のものはありません" in admin.get("/outbox?state=sent").text
    assert "使えないため" in admin.get("/outbox?state=zzz").text
    assert post(admin, "/outbox/resend", {"id": "3"}).status_code == 303 and post(admin, "/outbox/resend", {"id": "x"}).status_code == 400
    assert fake.acts == [("resend", "admin", 3)]
    assert ">再送<" not in sign_in("adj.manager").get("/outbox").text, "in the demonstration everybody may look"


def test_administrators_keep_the_addresses_of_other_systems(sign_in: SignIn, fake: FakeEngine, post: Post) -> None:
    assert sign_in("adj.manager").get("/admin/webhooks").status_code == 403
    assert "/admin/webhooks" not in sign_in("adj.manager").get("/inbox").text
    admin = sign_in("admin")
    page = admin.get("/admin/webhooks").text
    assert "停止中" in page and "送れず3件" in page and "whs_" not in page
    assert outline_of(page).problems == []
    refused = post(admin, "/admin/webhooks", {"name": "掲示板", "url": "http://x"})
    assert refused.status_code == 422 and "https:// で始まる" in refused.text and 'value="掲示板"' in refused.text
    made = post(admin, "/admin/webhooks", {"name": "掲示板", "url": "https://x.example.go.jp/"})
    assert (
        made.status_code == 200 and "whs_secret" in made.text and "wht_token" in made.text and made.headers["Cache-Control"] == "no-store"
    )
    assert (
        outline_of(made.text).problems == []
        and [c for c in outline_of(made.text).controls if c.get("id") not in outline_of(made.text).labelled] == []
    )
    for verb in ("stop", "resume", "remove"):
        assert post(admin, f"/admin/webhooks/2/{verb}").status_code == 303
    assert [act[0] for act in fake.acts] == ["webhook", "stop", "resume", "remove"]


def test_events_are_read_with_a_bearer_token(app: Flask, client: FlaskClient) -> None:
    nobody = app.test_client()
    answer = nobody.get("/api/events?after=1", headers={"Authorization": "Bearer wht_token"})
    assert answer.data == b'{"cursor":2}\n{"cursor":3}\n' and answer.mimetype == "application/x-ndjson"
    assert answer.headers["Tadachi-Cursor"] == "3" and answer.headers["Cache-Control"] == "no-store"
    assert nobody.get("/api/events?limit=1", headers={"Authorization": "bearer wht_token"}).data == b'{"cursor":1}\n'
    for headers in ({}, {"Authorization": "Bearer x"}, {"Authorization": "Basic wht_token"}, {"Authorization": "Bearer"}):
        for who in (nobody, client):  # a session is no token
            refused = who.get("/api/events", headers=headers)
            assert refused.status_code == 401 and refused.headers["WWW-Authenticate"] == "Bearer" and refused.json is not None
    for wrong in ("after=x", "after=-1", "limit=%EF%BC%91", "after=99999999999999999999"):
        assert nobody.get(f"/api/events?{wrong}", headers={"Authorization": "Bearer wht_token"}).status_code == 400


def test_notices_that_ask_for_it_are_acknowledged_by_a_button(client: FlaskClient, fake: FakeEngine, post: Post) -> None:
    page = client.get("/notices").text
    assert page.count(">確認した<") == 1
    assert post(client, "/notices/acknowledge", {"id": "2"}).status_code == 303
    assert fake.acts == [("acknowledge", "adj.manager", [2])]


# ---------------------------------------------------------------- over the real engine


@pytest.fixture
def world(tmp_path: Path) -> Iterator[World]:
    """The small office whose people can sign in."""
    with telling(tmp_path) as made:
        Sent(made)
        with made.engine.writing() as connection:
            connection.execute(person.update().values(password_hash=hash_password(PASSWORD)))
        yield made


@pytest.fixture
def people(world: World, post: Post) -> SignIn:
    """Clients signed in by seat."""
    app = create_app(world.engine, secret_key="test")

    def by(seat: str) -> FlaskClient:
        client = app.test_client()
        assert post(client, "/login", {"person": world.person(seat), "password": PASSWORD}, page="/login").status_code == 303
        return client

    return by


def test_the_case_shows_the_proof_of_notice(world: World, people: SignIn, post: Post) -> None:
    case_id = world.start("approval", item_summary="件名")
    world.pass_time(hours=3)
    page = people(MANAGER).get(f"/cases/{case_id}").text
    block = page[page.index('id="told-title"') :]
    assert "期限の目安を過ぎた処理があります" in block and "メール <time" in block and block.count("badge-today") == 2
    division = people(DIVISION)
    told = re.findall(r'action="/notices/acknowledge".*?name="id" value="(\d+)"', division.get("/notices").text, re.S)
    world.clock.advance(minutes=10)
    post(division, "/notices/acknowledge", {"id": told[0]})
    assert "確認した</span>" in division.get("/notices").text
    block = (after := people(MANAGER).get(f"/cases/{case_id}").text)[after.index('id="told-title"') :]
    assert block.count("badge-today") == 1 and "13:10" in block
    assert outline_of(after).problems == []


def test_choices_and_calendar_over_the_real_engine(world: World, people: SignIn, post: Post) -> None:
    manager = people(MANAGER)
    assert (
        post(
            manager, "/account/notices", {"how.task_opened": "digest", "quiet": "own", "quiet_from": "21:00", "quiet_to": "6:00"}
        ).status_code
        == 303
    )
    page = manager.get("/account/notices").text
    assert re.search(r'name="quiet" value="own" checked', page) and 'value="06:00"' in page
    assert post(manager, "/account/notices", {"how.escalate": "digest", "quiet": "office"}).status_code == 422
    world.start("approval", item_summary="山田太郎の件")
    address = re.search(r'readonly value="([^"]+)"', post(manager, "/account/notices/calendar").text)
    assert address is not None
    path = address[1].removeprefix("https://tadachi.example")
    read = manager.application.test_client().get(path)
    assert read.status_code == 200 and "案R8-0001 審査" in read.text and "山田" not in read.text
    post(manager, "/account/notices/calendar/revoke")
    assert manager.application.test_client().get(path).status_code == 404


def test_an_administrator_registers_a_system_and_it_reads_events(world: World, people: SignIn, post: Post) -> None:
    admin = people("administrator@office")
    page = post(admin, "/admin/webhooks", {"name": "<b>掲示板", "url": "https://hook.invalid/in"}).text
    token = re.search(r"wht_[\w-]+", page)
    assert token is not None and "&lt;b&gt;掲示板" in page
    world.start("approval", item_summary="山田太郎の件")
    world.run()
    read = admin.application.test_client().get("/api/events", headers={"Authorization": f"Bearer {token[0]}"})
    assert read.headers["Tadachi-Cursor"] == "1" and '"kind":"task_opened"' in read.text and "山田" not in read.text
    assert "再送待ち" in admin.get("/outbox?state=failed").text and "hook.invalid" not in admin.get("/outbox?state=sent").text
    assert post(people(MANAGER), "/admin/webhooks", {"name": "x", "url": "https://x.jp/"}).status_code == 403
