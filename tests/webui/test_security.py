"""Who gets in, what every answer carries, and how refusals are told."""

from __future__ import annotations

import io
import re
from collections.abc import Callable

import pytest
from flask import Flask
from flask.testing import FlaskClient

from tests.webui.conftest import Post, token_of
from tests.webui.fake import PASSWORD, FakeEngine
from webui import create_app
from webui.auth import PUBLIC

#: Something for every part of an address.
VALUES = {
    "task_id": 12,
    "case_id": 7,
    "process_id": "isa_incident",
    "name": "raise_to_grave",
    "paper_id": "commission_report",
    "ledger": "loans",
    "number": 1,
    "attachment_id": 3,
    "referral_id": 1,
    "person_id": "staff",
    "holding_id": 1,
    "order_id": 1,
    "absence_id": 1,
    "deputy_id": 1,
    "handover_id": 1,
    "webhook_id": 3,
    "link_id": 1,
    "token": "made-up",
    "draft_id": 1,
    "proof_id": 1,
    "rule": "deadlock",
    "definition_id": 1,
    "plan_id": 1,
    "process": "isa_incident",
    "ref": "v1",
    "kind": "versions",
}


def writing_rules(app: Flask) -> list[str]:
    """An address for every route that takes a POST."""
    adapter = app.url_map.bind("localhost")
    return [
        adapter.build(rule.endpoint, {name: VALUES[name] for name in rule.arguments}, method="POST")
        for rule in app.url_map.iter_rules()
        if "POST" in (rule.methods or ())
    ]


def test_nothing_is_shown_without_signing_in(app: Flask) -> None:
    client = app.test_client()
    adapter = app.url_map.bind("localhost")
    for rule in app.url_map.iter_rules():
        if rule.endpoint in PUBLIC or "GET" not in (rule.methods or ()):
            continue
        answer = client.get(adapter.build(rule.endpoint, {name: VALUES[name] for name in rule.arguments}))
        assert answer.status_code in (303, 401), rule.rule
        if answer.status_code == 303:
            assert answer.location.startswith("/login"), rule.rule


def test_every_write_wants_its_token(app: Flask, client: FlaskClient, fake: FakeEngine) -> None:
    for path in writing_rules(app):
        answer = client.post(path, data={"_version": "9", "_case": "7"})
        assert answer.status_code == 400, path
        assert "読み直してください" in answer.text
    assert fake.acts == [] and fake.typed == {} and fake.read == []


def test_another_site_cannot_write_even_with_a_token(client: FlaskClient, fake: FakeEngine, post: Post) -> None:
    for origin in ("cross-site", "same-site"):
        assert post(client, "/tasks/12/claim", headers={"Sec-Fetch-Site": origin}).status_code == 403
    assert fake.acts == []
    assert post(client, "/tasks/12/claim", headers={"Sec-Fetch-Site": "same-origin"}).status_code == 303


def test_reading_changes_nothing(app: Flask, client: FlaskClient, fake: FakeEngine) -> None:
    for path in writing_rules(app):
        client.get(path)
        client.head(path)
    assert fake.acts == [] and fake.typed == {} and fake.read == [] and len(fake.sessions) == 1


def test_unknown_ids_and_wrong_passwords_get_the_same_answer(app: Flask, post: Post) -> None:
    answers = [
        post(app.test_client(), "/login", {"person": person, "password": password}, page="/login")
        for person, password in (("staff", "wrong"), ("nobody", PASSWORD), ("", ""))
    ]
    assert {answer.status_code for answer in answers} == {401}
    bodies = {re.sub(r'(csrf_token" value|id="person"[^>]*value)="[^"]*"', "", answer.text) for answer in answers}
    assert len(bodies) == 1
    assert post(app.test_client(), "/login", {"person": "locked", "password": "x"}, page="/login").status_code == 401


@pytest.mark.parametrize(
    "target", ["https://evil.example/", "//evil.example/", "/\\evil.example", "javascript:alert(1)", "/a\r\nSet-Cookie: x=1", "inbox"]
)
def test_signing_in_leads_to_no_other_host(app: Flask, post: Post, target: str) -> None:
    answer = post(app.test_client(), "/login", {"person": "staff", "password": PASSWORD, "next": target}, page="/login")
    assert answer.location == "/inbox"


def test_signing_in_leads_back_to_where_one_was_going(app: Flask, post: Post) -> None:
    client = app.test_client()
    first = client.get("/inbox?show=today")
    assert first.location == "/login?next=/inbox?show%3Dtoday"
    assert (
        post(client, "/login", {"person": "staff", "password": PASSWORD, "next": "/inbox?show=today"}, page=first.location).location
        == "/inbox?show=today"
    )


def test_a_session_is_new_at_sign_in_and_dead_after_sign_out(app: Flask, fake: FakeEngine, post: Post) -> None:
    client = app.test_client()
    before = token_of(client.get("/login").text)
    post(client, "/login", {"person": "staff", "password": PASSWORD}, page="/login")
    cookie = client.get_cookie("tadachi")
    assert cookie is not None
    assert client.post("/notices/read", data={"csrf_token": before}).status_code == 400, "a token from before the sign-in still works"
    post(client, "/logout")
    client.set_cookie("tadachi", cookie.value)  # a copy of the cookie, kept by a thief
    assert client.get("/inbox").status_code == 303


def test_a_session_that_ended_elsewhere_ends_here_without_losing_what_was_typed(client: FlaskClient, fake: FakeEngine) -> None:
    token = token_of(client.get("/tasks/12").text)
    fake.sessions.clear()
    answer = client.post("/tasks/12", data={"csrf_token": token, "_version": "9", "item_cause": "長い文章", "old": "secret-password"})
    assert answer.status_code == 401 and "長い文章" in answer.text and "secret-password" not in answer.text and fake.acts == []
    saved = client.post("/tasks/12/draft", data={"csrf_token": token, "item_cause": "x"}, headers={"Accept": "application/json"})
    assert saved.status_code == 401 and saved.json is not None and saved.json["error"] == "SignInNeeded"


def test_changing_the_password(client: FlaskClient, fake: FakeEngine, post: Post, sign_in: Callable[[str], FlaskClient]) -> None:
    other = sign_in("adj.manager")
    for data, words in (
        ({"old": "x", "new": "long-enough-words", "again": "long-enough-words"}, "いまのパスワードが違います"),
        ({"old": PASSWORD, "new": "short", "again": "short"}, "12文字以上"),
        ({"old": PASSWORD, "new": "long-enough-words", "again": "other"}, "一致しません"),
    ):
        answer = post(client, "/account/password", data)
        assert answer.status_code == 422 and words in answer.text and data["new"] not in answer.text
    assert post(client, "/account/password", {"old": PASSWORD, "new": "long-enough-words", "again": "long-enough-words"}).status_code == 303
    assert client.get("/inbox").status_code == 200 and other.get("/inbox").status_code == 303


def test_demo_accounts_are_offered_in_the_demo_only(app: Flask, fake: FakeEngine) -> None:
    page = app.test_client().get("/login?as=staff").text
    assert PASSWORD in page and 'value="staff"' in page and "審判課 課長" in page
    real = create_app(fake, secret_key="x", demo_password=PASSWORD)  # type: ignore[arg-type]
    page = real.test_client().get("/login?as=staff").text
    assert PASSWORD not in page and "審判課" not in page and 'value="staff"' not in page


def test_every_answer_carries_its_headers(client: FlaskClient) -> None:
    for path in ("/inbox", "/nope", "/cases/7/diagram.json", "/static/app.css", "/login", "/attachments/3"):
        with client.get(path) as answer:
            headers = answer.headers
        assert headers["X-Content-Type-Options"] == "nosniff" and headers["Referrer-Policy"] == "same-origin"
        assert "default-src 'none'" in headers["Content-Security-Policy"] and "unsafe" not in headers["Content-Security-Policy"]
        assert headers["X-Frame-Options"] == "DENY"
    assert client.get("/inbox").headers["Cache-Control"] == "no-store"
    with client.get("/static/app.css") as answer:
        assert "max-age" in answer.headers["Cache-Control"]


def test_over_https_cookies_stay_there(fake: FakeEngine) -> None:
    app = create_app(fake, secret_key="x", https=True)  # type: ignore[arg-type]
    client = app.test_client()
    page = client.get("/login", base_url="https://localhost").text
    data = {"csrf_token": token_of(page), "person": "staff", "password": PASSWORD}
    answer = client.post("/login", data=data, base_url="https://localhost", headers={"Referer": "https://localhost/login"})
    cookie = answer.headers["Set-Cookie"]
    assert answer.status_code == 303
    assert cookie.startswith("__Host-tadachi=")
    for word in ("Secure", "HttpOnly", "SameSite=Lax", "Path=/"):
        assert word in cookie
    assert "Strict-Transport-Security" in answer.headers


def test_errors_are_told_in_japanese_and_without_secrets(client: FlaskClient, fake: FakeEngine, post: Post) -> None:
    assert "見つかりません" in client.get("/nope").text
    assert "画面のボタンから" in client.get("/logout").text
    assert "案件 99 が見つからないか、閲覧する権限がありません。" in client.get("/cases/99").text
    assert client.get("/tasks/999999999999999999999999").status_code == 404
    assert client.get("/tasks/0").status_code == 404 and client.get("/tasks/-1").status_code == 404
    assert client.get("/cases/99/diagram.json").json == {
        "error": "CaseNotFound",
        "message": "案件 99 が見つからないか、閲覧する権限がありません。",
    }
    fake.refuse = "crash"
    answer = post(client, "/tasks/12", {"_version": "9"})
    assert answer.status_code == 500 and "secret detail" not in answer.text and "途中まで進んだものはありません" in answer.text


def test_when_the_store_fails_the_error_page_is_still_drawn(client: FlaskClient, fake: FakeEngine, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(*_: object, **__: object) -> None:
        raise RuntimeError("disk I/O error")

    for name in ("viewer", "notices", "session_person"):
        with monkeypatch.context() as patch:
            patch.setattr(fake, name, broken)
            answer = client.get("/inbox")
            assert answer.status_code == 500 and "処理できませんでした" in answer.text and "disk" not in answer.text


def test_too_much_is_refused_politely(fake: FakeEngine, post: Post) -> None:
    app = create_app(fake, secret_key="test", max_upload=100_000)  # type: ignore[arg-type]
    client = app.test_client()
    post(client, "/login", {"person": "adj.manager", "password": PASSWORD}, page="/login")
    data = {"_case": "7", "_files": (io.BytesIO(b"x" * 200_000), "a.bin")}
    answer = post(client, "/cases/7/attachments", data, content_type="multipart/form-data")
    assert answer.status_code == 413 and "大きすぎます" in answer.text
    many = {f"field{number}": "x" for number in range(5_000)}
    assert post(client, "/report/isa_incident", many).status_code == 413
    assert fake.acts == []


def test_a_person_disabled_while_signed_in_is_out(client: FlaskClient, fake: FakeEngine, monkeypatch: pytest.MonkeyPatch) -> None:
    import engine

    def gone(person: str) -> None:
        raise engine.PersonNotFound(person=person)

    monkeypatch.setattr(fake, "viewer", gone)
    answer = client.get("/inbox")
    assert answer.status_code == 401 and "ログインしてください" in answer.text and fake.sessions == {}
    assert client.get("/inbox").location.startswith("/login")


def test_names_from_people_are_only_text(client: FlaskClient) -> None:
    page = client.get("/register?text=%22%3E%3Cscript%3Ealert(1)%3C/script%3E").text
    assert "<script>alert" not in page and "&lt;script&gt;" in page


def test_the_sign_of_life_needs_no_account(app: Flask) -> None:
    assert app.test_client().get("/healthz").json == {"status": "ok"}
