"""相手方の画面：一度だけ開けるリンク、自分のやりとりだけの画面、職員の出す・取り消す画面。"""

from __future__ import annotations

import io
import logging
import re
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from flask import Flask
from flask.testing import FlaskClient
from werkzeug.serving import make_server

from tests.engine.outside import APPLICATION, OFFICER, PARTY, SECRETS, Outside, make_outside
from tests.support import MANAGER
from tests.webui.conftest import token_of
from tests.webui.posts import signed_in, words
from tests.webui.test_pages import outline_of
from webui import create_app

if TYPE_CHECKING:
    from playwright.sync_api import Page

PDF = b"%PDF-1.7\n"
UNUSABLE = "このリンクは使えません。"


@pytest.fixture
def outside(tmp_path: Path) -> Iterator[Outside]:
    """The small office with a party outside."""
    made = make_outside(tmp_path)
    yield made
    made.engine.close()


@pytest.fixture
def app(outside: Outside) -> Flask:
    """The pages over it."""
    return create_app(outside.engine, secret_key="test")


@pytest.fixture
def party(outside: Outside, app: Flask) -> FlaskClient:
    """A browser whose link has just been opened."""
    return opened(app, outside.issue())


def opened(app: Flask, token: str) -> FlaskClient:
    """A browser that has exchanged a link."""
    client = app.test_client()
    answer = client.post(f"/c/{token}", data={"csrf_token": token_of(client.get(f"/c/{token}").text)})
    assert (answer.status_code, answer.location) == (303, "/c/"), answer.text
    return client


def send(client: FlaskClient, path: str, data: dict[str, Any] | None = None, **more: Any) -> Any:
    """Send a form with the token of its page."""
    return client.post(path, data={"csrf_token": token_of(client.get(path).text), **(data or {})}, **more)


def applied(client: FlaskClient, outside: Outside, **data: Any) -> int:
    """Apply; the case's id."""
    answer = send(client, "/c/start", {**APPLICATION, **data}, content_type="multipart/form-data")
    assert (answer.status_code, answer.location) == (303, "/c/received"), answer.text
    return int(outside.rows("case_file")[-1]["id"])


# ---------------------------------------------------------------- the address


def test_looking_uses_nothing_up_and_the_button_does(outside: Outside, app: Flask) -> None:
    token = outside.issue()
    scanner = app.test_client()
    for _ in range(3):
        assert scanner.head(f"/c/{token}").status_code == 200
        page = scanner.get(f"/c/{token}").text
        assert PARTY in page and "はじめる" in page and "一度だけ" in page
    client = opened(app, token)
    assert client.get("/c/").location == "/c/start" and "送信する" in client.get("/c/start").text
    assert client.get(f"/c/{token}").location == "/c/", "the same browser is led on"
    late = scanner.get(f"/c/{token}")
    assert late.status_code == 404 and UNUSABLE in late.text
    assert scanner.post(f"/c/{token}", data={"csrf_token": token_of(page)}).status_code == 404


def test_used_expired_revoked_and_made_up_addresses_are_answered_alike(outside: Outside, app: Flask) -> None:
    used, revoked, late = outside.issue(), outside.issue(), outside.issue(days=1)
    outside.desk.enter(used)
    outside.desk.revoke(outside.engine.viewer(OFFICER), 2)
    outside.wait(days=1)
    client = app.test_client()
    answers = [client.get(f"/c/{token}") for token in (used, revoked, late, "made-up", "x" * 500)] + [
        client.get("/c/"),
        client.get("/c/start"),
    ]
    assert {answer.status_code for answer in answers} == {404} and len({answer.text for answer in answers}) == 1
    assert {tuple(sorted(answer.headers)) for answer in answers} == {tuple(sorted(answers[0].headers))}


def test_the_cookie_is_for_these_pages_alone(outside: Outside, app: Flask) -> None:
    client = opened(app, outside.issue())
    cookie = client.get_cookie("tadachi-c", path="/c")
    assert cookie is not None and cookie.http_only and cookie.same_site == "Lax" and cookie.path == "/c" and not cookie.secure
    thief = app.test_client()
    with thief.session_transaction() as session:  # not even as the token of an official's session
        session["_user_id"], session["_fresh"] = cookie.value, True
    for path in ("/inbox", "/cases/1", "/account"):
        assert client.get(path).status_code == 303 and client.get(path).location.startswith("/login"), path
        assert thief.get(path).location.startswith("/login"), path
    official = signed_in(app, OFFICER)
    assert official.get("/c/start").status_code == 404, "and an official's session opens no thread"
    official.set_cookie("tadachi-c", outside.engine.open_session(OFFICER), path="/c")
    assert official.get("/c/start").status_code == 404


def test_over_https_the_cookie_stays_there_and_no_referer_is_asked_for(outside: Outside) -> None:
    app = create_app(outside.engine, secret_key="test", https=True)
    client, token = app.test_client(), outside.issue()
    page = client.get(f"/c/{token}", base_url="https://localhost").text
    answer = client.post(f"/c/{token}", data={"csrf_token": token_of(page)}, base_url="https://localhost")
    assert answer.status_code == 303, answer.text
    assert answer.headers["Set-Cookie"].startswith("__Secure-tadachi-c=")
    assert all(word in answer.headers["Set-Cookie"] for word in ("Secure", "HttpOnly", "SameSite=Lax", "Path=/c"))


def test_every_answer_tells_nobody_where_it_came_from(outside: Outside, app: Flask, party: FlaskClient) -> None:
    for path in ("/c/start", "/c/", "/c/made-up", "/c/tasks/1", "/c/tasks/x", "/c/files/1", f"/c/{outside.issue()}"):
        headers = party.get(path).headers
        assert headers["Referrer-Policy"] == "no-referrer" and headers["X-Robots-Tag"] == "noindex, nofollow", path
        assert "default-src 'none'" in headers["Content-Security-Policy"] and "unsafe" not in headers["Content-Security-Policy"]
        assert headers["Cache-Control"] == "no-store"


def test_every_write_wants_its_token_from_this_site(outside: Outside, app: Flask, party: FlaskClient) -> None:
    token = outside.issue()
    for path in (f"/c/{token}", "/c/start", "/c/tasks/1", "/c/end"):
        assert party.post(path, data=APPLICATION).status_code == 400, path
        assert party.post(path, data={**APPLICATION, "csrf_token": "forged"}).status_code == 400, path
        right = {**APPLICATION, "csrf_token": token_of(party.get("/c/start").text)}
        assert party.post(path, data=right, headers={"Sec-Fetch-Site": "cross-site"}).status_code == 403, path
    assert outside.rows("case_file") == [] and outside.desk.welcome(token)


def test_a_session_that_ended_loses_nothing_that_was_typed(outside: Outside, party: FlaskClient) -> None:
    token = token_of(party.get("/c/start").text)
    outside.wait(minutes=61)
    answer = party.post("/c/start", data={**APPLICATION, "csrf_token": token})
    assert answer.status_code == 404 and UNUSABLE in answer.text and APPLICATION["measures"] in answer.text and token not in answer.text
    assert outside.rows("case_file") == []


# ---------------------------------------------------------------- the thread


def test_an_application_from_beginning_to_end_without_script(outside: Outside, app: Flask, party: FlaskClient) -> None:
    wrong = send(party, "/c/start", {**APPLICATION, "measures": ""})
    assert wrong.status_code == 422 and "「安全管理の方法」を入力してください。" in wrong.text and APPLICATION["item_summary"] in wrong.text
    case_id = applied(party, outside, _files=(io.BytesIO(PDF), "体制図.pdf"))
    page = party.get("/c/received").text
    assert "受け付けました" in page and "案R8-0001" in page and "体制図.pdf" in page and "専用の区画で扱います" in page
    assert "担当で確認しています" in party.get("/c/").text
    with outside.acting(MANAGER) as work:
        work.send_back(outside.task(case_id, "check")["id"], "図面を付けてください。")
    page = party.get("/c/").text
    link = re.search(r'href="(/c/tasks/\d+)"', page)
    assert link is not None and "図面を付けてください。" in page
    form = party.get(link[1]).text
    assert "専用の区画で扱います" in form and "図面を付けてください。" in form and "補正した内容を送る" in form
    assert send(party, link[1], {**APPLICATION, "measures": "図面のとおり"}).location == "/c/received"
    assert party.get("/c/").text.count("<summary>") == 2 and outside.waits(case_id) == ["check"]
    again = party.get(link[1])
    assert again.status_code == 409 and "もう受け付けていません" in again.text
    file = re.search(r'href="(/c/files/\d+)"', party.get("/c/").text)
    assert file is not None
    download = party.get(file[1])
    assert download.data == PDF and download.headers["Content-Disposition"].startswith("attachment")
    assert download.headers["Content-Security-Policy"].startswith("sandbox")


def test_nothing_of_the_office_is_on_any_page(outside: Outside, app: Flask, party: FlaskClient) -> None:
    case_id = applied(party, outside)
    outside.checked(case_id, ask="区画の図面はありますか。")
    task = outside.task(case_id, "correct")["id"]
    for path in ("/c/", f"/c/tasks/{task}", "/c/received", "/c/tasks/999", "/c/nothing", "/c/start"):
        page = party.get(path).text
        assert not [secret for secret in SECRETS if secret in page], path
        assert not re.search(r'(href|action)="/(?!c/|static/)', page), path
        assert 'name="robots"' in page and "受信箱" not in page and "ログイン" not in page, path
    assert "区画の図面はありますか。" in party.get(f"/c/tasks/{task}").text


def test_what_is_another_cases_or_the_offices_own_is_not_there(outside: Outside, app: Flask, party: FlaskClient) -> None:
    case_id = applied(party, outside)
    other = opened(app, outside.issue())
    other_case = applied(other, outside, _files=(io.BytesIO(PDF), "体制図.pdf"))
    outside.checked(other_case)
    with outside.acting(MANAGER) as work:
        internal = work.attach(case_id, "内部.pdf", PDF)
    theirs = outside.task(other_case, "correct")["id"]
    own = outside.task(case_id, "check")["id"]
    for path in (
        f"/c/tasks/{theirs}",
        f"/c/tasks/{own}",
        "/c/tasks/999",
        "/c/files/1",
        f"/c/files/{internal}",
        "/c/files/999",
        "/c/tasks/0",
    ):
        assert party.get(path).status_code == 404, path
    for task in (theirs, own, 999):
        answer = party.post(f"/c/tasks/{task}", data={**APPLICATION, "csrf_token": token_of(party.get("/c/").text), "complete": "true"})
        assert answer.status_code in (404, 422) and "見つか" in answer.text, task
    assert outside.waits(case_id) == ["check"] and outside.waits(other_case) == ["correct"]


def test_names_from_people_are_only_text(outside: Outside, app: Flask) -> None:
    evil = '"><script>alert(1)</script>{{ 7 * 7 }}'
    client = opened(app, token := outside.issue(party=evil))
    case_id = applied(client, outside, item_summary=evil, measures=evil)
    official = signed_in(app, OFFICER)
    pages = [client.get("/c/"), client.get("/c/received"), official.get(f"/cases/{case_id}"), official.get(f"/cases/{case_id}/links")]
    pages.append(app.test_client().get(f"/c/{outside.issue(party=evil)}"))
    for page in pages:
        assert (
            page.status_code == 200 and "<script>alert" not in page.text and "&lt;script&gt;" in page.text and "49" not in words(page.text)
        )
    assert token not in "".join(page.text for page in pages)


def test_rows_conditions_and_a_bad_file_come_back_as_typed(outside: Outside, party: FlaskClient) -> None:
    refused = send(party, "/c/start", {**APPLICATION, "tier": "second"})
    assert refused.status_code == 422 and "「再々委託とする理由」を入力してください。" in refused.text
    assert 'data-shown-when="tier == &#34;second&#34;"' in refused.text and "data-facts" in refused.text
    bad = send(party, "/c/start", {**APPLICATION, "_files": (io.BytesIO(b"MZ"), "a.exe")}, content_type="multipart/form-data")
    assert bad.status_code == 422 and "添付できません" in bad.text and APPLICATION["measures"] in bad.text
    outline = outline_of(bad.text)
    assert outline.problems == [] and len(outline.ids) == len(set(outline.ids))
    undeclared = send(party, "/c/start", {**APPLICATION, "owning_unit": "b"})
    assert undeclared.status_code == 422 and "この画面にない項目です" in undeclared.text
    assert outside.rows("case_file") == []


def test_closing_the_thread_ends_it_everywhere(outside: Outside, app: Flask, party: FlaskClient) -> None:
    applied(party, outside)
    cookie = party.get_cookie("tadachi-c", path="/c")
    assert cookie is not None
    answer = party.post("/c/end", data={"csrf_token": token_of(party.get("/c/").text)})
    assert answer.status_code == 200 and "閉じました" in answer.text and party.get_cookie("tadachi-c", path="/c") is None
    copy = app.test_client()
    copy.set_cookie("tadachi-c", cookie.value, path="/c")
    assert copy.get("/c/").status_code == 404


def test_a_fault_of_the_diagram_says_whom_to_ask_and_no_more(outside: Outside, app: Flask) -> None:
    case_id = outside.entered("faulty")
    client = opened(app, outside.issue(case_id=case_id))
    answer = send(client, f"/c/tasks/{outside.task(case_id, 'answer')['id']}", {"reply": "図面の写し"})
    assert answer.status_code == 409 and "担当の職員に連絡" in answer.text and "図面の写し" in answer.text and "文字目" not in answer.text


# ---------------------------------------------------------------- the office's pages


def test_the_officer_hands_out_a_link_and_takes_it_back(outside: Outside, app: Flask) -> None:
    officer = signed_in(app, OFFICER)
    assert "/report/office_contract/links" in officer.get("/report/office_contract").text
    path = "/report/office_contract/links"
    refused = send(officer, path, {"_party": "", "_days": "31"})
    assert refused.status_code == 422 and "「相手方の名称」を入力してください。" in refused.text and "30日まで" in refused.text
    answer = send(officer, path, {"_party": PARTY, "_days": "7"})
    url = re.search(r'value="https://tadachi.example(/c/[\w-]+)"', answer.text)
    assert url is not None and "未使用" in answer.text and answer.headers["Cache-Control"] == "no-store"
    assert url[1] not in officer.get(path).text, "shown once"
    case_id = applied(opened(app, url[1].removeprefix("/c/")), outside)
    page = officer.get(f"/cases/{case_id}").text
    assert "相手方のリンク" in page and "使用中" in page and f"相手方 {PARTY}（リンク）" in page
    assert officer.post("/links/1/revoke", data={"csrf_token": token_of(page)}).location == f"/cases/{case_id}/links"
    assert "取消" in officer.get(f"/cases/{case_id}/links").text


def test_the_step_offers_it_to_whoever_may_do_the_step(outside: Outside, app: Flask, party: FlaskClient) -> None:
    case_id = applied(party, outside)
    outside.checked(case_id)
    task = outside.task(case_id, "correct")["id"]
    officer, manager = signed_in(app, OFFICER), signed_in(app, "protection_manager.a")
    assert "相手方に入力してもらう" in officer.get(f"/tasks/{task}").text
    assert "相手方に入力してもらう" not in manager.get(f"/tasks/{task}").text
    page = officer.get(f"/cases/{case_id}/links").text
    assert "申請の補正" in page and f'value="{PARTY}"' in page
    looking = manager.get(f"/cases/{case_id}/links").text
    assert PARTY in looking and "リンクを出す</button>" not in looking and "取り消す</button>" not in looking
    token = token_of(looking)
    assert manager.post(f"/cases/{case_id}/links", data={"csrf_token": token, "_party": PARTY, "_days": "7"}).status_code == 403
    assert manager.post("/links/1/revoke", data={"csrf_token": token}).status_code == 403


def test_an_officer_of_another_office_or_unit_finds_nothing(outside: Outside, app: Flask, party: FlaskClient) -> None:
    case_id = applied(party, outside)
    for stranger in ("staff.a.elsewhere", "staff.b"):
        client = signed_in(app, stranger)
        token = token_of(client.get("/account").text)
        assert client.get(f"/cases/{case_id}/links").status_code == 404
        assert client.post(f"/cases/{case_id}/links", data={"csrf_token": token, "_party": "x", "_days": "7"}).status_code == 404
        assert client.post("/links/1/revoke", data={"csrf_token": token}).status_code == 404
    assert "送った内容" in party.get("/c/").text


def test_the_pages_are_sound(outside: Outside, app: Flask, party: FlaskClient) -> None:
    officer = signed_in(app, OFFICER)
    pages = [party.get("/c/start"), app.test_client().get(f"/c/{outside.issue()}"), officer.get("/report/office_contract/links")]
    case_id = applied(party, outside, _files=(io.BytesIO(PDF), "体制図.pdf"))
    outside.checked(case_id)
    task = outside.task(case_id, "correct")["id"]
    pages += [party.get("/c/"), party.get("/c/received"), party.get(f"/c/tasks/{task}"), party.get("/c/nothing")]
    pages += [officer.get(f"/cases/{case_id}/links"), officer.get(f"/tasks/{task}"), officer.get("/report/office_contract")]
    for page in pages:
        outline = outline_of(page.text)
        assert outline.problems == [] and len(outline.ids) == len(set(outline.ids)), page.request.path


# ---------------------------------------------------------------- in a browser


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


@pytest.mark.parametrize(("width", "script"), [(390, False), (1280, True)])
def test_a_party_applies_and_corrects_on_a_telephone_without_script(
    page_at: Callable[..., Page], site: str, outside: Outside, width: int, script: bool
) -> None:
    page = page_at(width, f"{site}/c/{outside.issue()}", java_script_enabled=script)

    def fits() -> None:
        assert page.evaluate("document.documentElement.scrollWidth") == width, f"{page.url} is wider than {width}"

    fits()
    page.get_by_role("button", name="はじめる").click()
    page.wait_for_url("**/c/start")
    reason = page.locator("[name=tier_reason]")
    assert reason.is_visible() is not script, "what a condition hides, the script hides"
    page.get_by_role("button", name="送信する").click()
    page.wait_for_selector(".error-summary")
    fits()
    page.fill("[name=item_summary]", "監視業務の再委託")
    page.fill("[name=measures]", "専用の区画で扱います")
    page.get_by_role("radio", name="再々委託").check()
    reason.fill("夜間の監視のため")
    page.get_by_role("button", name="送信する").click()
    page.wait_for_url("**/c/received")
    fits()
    case_id = outside.rows("case_file")[0]["id"]
    outside.checked(case_id, ask="区画の図面はありますか。")
    page.get_by_role("link", name="状況を見る").click()
    fits()
    page.get_by_role("link", name="入力する").click()
    fits()
    assert "区画の図面はありますか。" in page.content() and page.input_value("[name=tier_reason]") == "夜間の監視のため"
    page.get_by_role("button", name="補正した内容を送る").click()
    page.wait_for_url("**/c/received")
    assert outside.waits(case_id) == ["check"]
