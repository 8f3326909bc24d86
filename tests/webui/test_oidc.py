"""Signing in by a service that vouches for people, against a provider that is there for real; and what none of its answers may lead to."""

from __future__ import annotations

import base64
import json
import re
import time
from collections.abc import Callable, Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
import requests
from flask import Flask, Response
from flask.testing import FlaskClient

from engine import OpenIdSettings, Secret, Settings, SettingsBroken, hash_password
from tests.conftest import free_port
from tests.support import World, make_world
from tests.webui.conftest import token_of
from tests.webui.openid_provider import CLIENT, SECRET, Provider, rsa_key, running, shared, signed, unsigned
from webui import create_app
from webui.openid import SECONDS, OpenIdConnect
from webui.sign_in import LocalPassword, sources

WHO, PASSWORD = "protection_manager.a", "a-long-and-quiet-password"
HASHED = hash_password(PASSWORD)
BASE = "http://localhost"
DISCOVERY = "/.well-known/openid-configuration"
Browse = Callable[..., Any]


@pytest.fixture(autouse=True)
def _straight(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing between the site and the provider, whatever this machine is set to."""
    monkeypatch.setenv("NO_PROXY", "*")


@pytest.fixture
def world(tmp_path: Path) -> Iterator[World]:
    """The small offices; the manager of the first division is linked with sub-1."""
    made = make_world(tmp_path)
    made.engine.link_identity(WHO, "oidc", "sub-1", "admin")
    made.engine.register("local", "office", "手元の利用者", email=None, password_hash=HASHED)
    yield made
    made.engine.close()


@pytest.fixture
def provider(world: World) -> Iterator[Provider]:
    """The provider."""
    with running(Provider(world.clock.now, f"{BASE}/login/oidc/return")) as made:
        yield made


def site(world: World, issuer: str, *, local: bool = True, claim: str = "sub", seconds: float = 2.0) -> Flask:
    """The pages with the provider as a source."""
    service = OpenIdConnect(OpenIdSettings(issuer, CLIENT, Secret(text=SECRET), claim), BASE, seconds=seconds)
    app = create_app(world.engine, secret_key="test", sign_in=(*([LocalPassword()] if local else []), service))
    app.testing = False
    return app


@pytest.fixture
def app(world: World, provider: Provider) -> Flask:
    """The pages with both sources."""
    return site(world, provider.issuer)


def go(client: FlaskClient, begin: str = "/login/oidc") -> str:
    """What a browser does until the provider sends it back: the path on our site with the answer in it."""
    sent = client.get(begin)
    assert sent.status_code == 303, sent.text
    answer = requests.get(sent.location, allow_redirects=False, timeout=5)
    assert answer.status_code == 302, answer.text
    back = answer.headers["Location"]
    assert back.startswith(BASE)
    return back.removeprefix(BASE)


def come(app: Flask) -> Any:
    """A whole sign-in of a new browser."""
    client = app.test_client()
    return client.get(go(client))


def recorded(world: World) -> list[tuple[str, str]]:
    return [(row["tag"], row["person"]) for row in world.rows("history") if "sign" in row["tag"]]


def nobody_came_in(world: World) -> bool:
    return world.rows("session") == [] and "person.signed_in" not in [tag for tag, _ in recorded(world)]


# ---------------------------------------------------------------- the good path


def test_signing_in_is_like_signing_in_here(app: Flask, world: World) -> None:
    client = app.test_client()
    page = client.get("/login?next=/notices").text
    (begin,) = re.findall(r'href="(/login/oidc[^"]*)"', page)
    assert "職員認証基盤でサインイン" in page and 'name="password"' in page
    answer = client.get(go(client, begin.replace("&amp;", "&")))
    assert (answer.status_code, answer.location) == (303, "/notices")
    assert WHO in client.get("/account").text
    here = app.test_client()
    token = token_of(here.get("/login").text)
    assert here.post("/login", data={"csrf_token": token, "person": "local", "password": PASSWORD}).status_code == 303
    theirs, ours = sorted(world.rows("session"), key=lambda row: str(row["person"] == "local"))
    assert theirs["person"] == WHO and all(theirs[name] == ours[name] for name in ("idle_seconds", "ends_at", "created_at", "ended_at"))
    assert recorded(world) == [("person.signed_in", WHO), ("person.signed_in", "local")]
    rows = [json.loads(row["data"]) for row in world.rows("history", tag="person.signed_in")]
    assert rows[0] == {"source": "oidc"} and world.engine.verify_history() == ()


def test_what_the_provider_is_asked(app: Flask, provider: Provider) -> None:
    first, second = (parse_qs(urlsplit(app.test_client().get("/login/oidc").location).query) for _ in range(2))
    assert set(first) == {
        "response_type",
        "client_id",
        "redirect_uri",
        "scope",
        "state",
        "nonce",
        "code_challenge",
        "code_challenge_method",
    }
    assert first["code_challenge_method"] == ["S256"] and first["scope"] == ["openid"]
    assert all(first[name] != second[name] and len(first[name][0]) >= 32 for name in ("state", "nonce", "code_challenge"))
    assert provider.asked == [DISCOVERY], "once, then remembered"


def test_nothing_of_before_survives_and_the_earlier_session_ends(app: Flask, world: World) -> None:
    client = app.test_client()
    token = token_of(client.get("/login").text)
    client.post("/login", data={"csrf_token": token, "person": "local", "password": PASSWORD})
    assert client.get(go(client)).status_code == 303 and WHO in client.get("/account").text
    assert [row["person"] for row in world.rows("session") if row["ended_at"] is None] == [WHO]
    with client.session_transaction() as kept:
        assert set(kept) & {"away", "csrf_token"} == set(kept) & {"csrf_token"}


def test_several_tabs_and_a_cookie_that_stays_small(app: Flask) -> None:
    client = app.test_client()
    long = "/register?text=" + "x" * 480
    first, *others = [go(client, f"/login/oidc?next={long}") for _ in range(5)]
    cookie = client.get_cookie("tadachi")
    assert cookie is not None and len(cookie.value) < 3_500
    assert client.get(first).status_code == 401, "the oldest of many is given up"
    assert client.get(others[-1]).location.startswith("/register?text=xxx")


def test_the_providers_keys_may_change(app: Flask, provider: Provider, world: World) -> None:
    assert come(app).status_code == 303
    provider.keys = ("first", "second")
    assert come(app).status_code == 303
    provider.keys = ("second",)
    assert come(app).status_code == 303
    assert provider.asked.count("/keys") == 2


def test_a_provider_that_wants_the_secret_in_the_form(world: World, provider: Provider) -> None:
    provider.metadata = {"token_endpoint_auth_methods_supported": ["client_secret_post"]}
    assert come(site(world, provider.issuer)).status_code == 303


def test_a_claim_that_is_the_person_id(world: World, provider: Provider) -> None:
    provider.user, provider.claims = "sub-of-nobody", {"preferred_username": "staff.a"}
    assert come(site(world, provider.issuer, claim="preferred_username")).status_code == 303
    assert world.rows("session")[0]["person"] == "staff.a"
    provider.claims = {"email": WHO, "email_verified": False}
    assert come(site(world, provider.issuer, claim="email")).status_code == 401
    provider.claims = {"preferred_username": ["staff.a"]}
    assert come(site(world, provider.issuer, claim="preferred_username")).status_code == 401


def test_signing_out_ends_our_session_and_offers_to_end_theirs(app: Flask, provider: Provider, world: World) -> None:
    provider.metadata = {"end_session_endpoint": f"{provider.issuer}/bye"}
    client = app.test_client()
    client.get(go(client))
    left = client.post("/logout", data={"csrf_token": token_of(client.get("/account").text)})
    assert left.location == "/login" and world.rows("session")[0]["ended_at"] is not None
    page = client.get("/login").text
    assert f'href="{provider.issuer}/bye?client_id={CLIENT}"' in page
    assert "/bye" not in client.get("/login").text, "offered once"


@pytest.mark.parametrize("endpoint", [None, "http://elsewhere.example/bye", "javascript:alert(1)", 5])
def test_without_a_safe_address_to_sign_out_nothing_is_offered(app: Flask, provider: Provider, endpoint: Any) -> None:
    provider.metadata = {"end_session_endpoint": endpoint}
    client = app.test_client()
    client.get(go(client))
    client.post("/logout", data={"csrf_token": token_of(client.get("/account").text)})
    page = client.get("/login").text
    assert "ログアウトしました" in page and "サインアウト" not in page


# ---------------------------------------------------------------- answers that prove nothing


def refused(answer: Any, world: World) -> str:
    """The page of a refusal: sign-in is offered again, and nobody is in."""
    assert answer.status_code == 401 and "もう一度はじめから" in answer.text and 'name="password"' in answer.text
    assert nobody_came_in(world)
    assert "script-src 'self'" in answer.headers["Content-Security-Policy"]
    return str(answer.text)


def test_an_answer_belongs_to_the_browser_that_asked(app: Flask, world: World) -> None:
    asked, other = app.test_client(), app.test_client()
    back = go(asked)
    go(other)
    refused(other.get(back), world)
    refused(app.test_client().get(back), world)
    code = parse_qs(urlsplit(back).query)["code"][0]
    for query in (f"code={code}", f"code={code}&state=", f"code={code}&state=made-up", "", f"{urlsplit(back).query}&state=x"):
        if not query.endswith("state=x"):
            refused(asked.get(f"/login/oidc/return?{query}"), world)
    assert asked.get(back).status_code == 303, "none of which used up the real one"


def test_an_answer_is_taken_once(app: Flask, world: World, provider: Provider) -> None:
    client = app.test_client()
    back = go(client)
    cookie = client.get_cookie("tadachi")
    assert cookie is not None and client.get(back).status_code == 303
    assert client.get(back).status_code == 401
    thief = app.test_client()
    thief.set_cookie("tadachi", cookie.value)
    answer = thief.get(back)
    assert answer.status_code == 401 and "もう一度はじめから" in answer.text, "the provider takes its code once"
    assert len(world.rows("session")) == 1


def test_an_answer_that_was_refused_is_used_up(app: Flask, world: World, provider: Provider) -> None:
    provider.claims = {"nonce": "another"}
    client = app.test_client()
    back = go(client)
    refused(client.get(back), world)
    refused(client.get(back), world)
    assert provider.asked.count("/token") == 1


def test_a_stolen_code_is_worth_nothing_in_another_browser(app: Flask, world: World, provider: Provider) -> None:
    victim, thief = app.test_client(), app.test_client()
    stolen = parse_qs(urlsplit(go(victim)).query)["code"][0]
    state = parse_qs(urlsplit(go(thief)).query)["state"][0]
    refused(thief.get(f"/login/oidc/return?code={stolen}&state={state}"), world)


def test_without_the_verifier_the_provider_gives_nothing(app: Flask, provider: Provider) -> None:
    code = parse_qs(urlsplit(go(app.test_client())).query)["code"][0]
    data = {"grant_type": "authorization_code", "code": code, "redirect_uri": provider.redirect_uri}
    answer = requests.post(f"{provider.issuer}/token", data, auth=(CLIENT, SECRET), timeout=5)
    assert answer.status_code == 400 and answer.json() == {"error": "invalid_grant"}


def test_an_answer_that_comes_late(app: Flask, world: World) -> None:
    client = app.test_client()
    back = go(client)
    world.clock.advance(minutes=15, seconds=1)
    refused(client.get(back), world)


WRONG: dict[str, dict[str, Any]] = {
    "nonce of another sign-in": {"nonce": "another"},
    "no nonce": {"nonce": None},
    "another issuer": {"iss": "https://elsewhere.example"},
    "no issuer": {"iss": None},
    "for another client": {"aud": "another"},
    "for others": {"aud": ["another", "third"]},
    "for us among others, who asked unknown": {"aud": [CLIENT, "another"]},
    "asked by another": {"azp": "another"},
    "for nobody": {"aud": []},
    "no audience": {"aud": None},
    "no subject": {"sub": None},
    "an empty subject": {"sub": ""},
    "a subject that is a number": {"sub": 1},
    "without an end": {"exp": None},
    "an access token of another": {"at_hash": "AAAAAAAAAAAAAAAAAAAAAA"},
}


@pytest.mark.parametrize("claims", WRONG.values(), ids=WRONG)
def test_what_an_id_token_must_say(app: Flask, world: World, provider: Provider, claims: dict[str, Any]) -> None:
    provider.claims = claims
    refused(come(app), world)


@pytest.mark.parametrize(("begins", "ends", "right"), [(-400, -59, True), (-400, -61, False), (59, 400, True), (61, 400, False)])
def test_an_id_token_is_of_now(app: Flask, world: World, provider: Provider, begins: int, ends: int, right: bool) -> None:
    now = int(world.clock.now().timestamp())
    provider.claims = {"iat": now + begins, "exp": now + ends}
    if right:
        assert come(app).status_code == 303
    else:
        refused(come(app), world)


PUBLIC_KEY = rsa_key("first").as_pem(private=False)
FORGED: dict[str, Callable[[dict[str, Any]], str]] = {
    "no signature": unsigned,
    "signed with the client's secret": shared,
    "signed with the public key as a secret": lambda claims: shared(claims, PUBLIC_KEY, "first"),
    "signed by another with the same name": lambda claims: signed(claims, "another", kid="first"),
    "signed by a key of another name": lambda claims: signed(claims, "another"),
    "the signature cut off": lambda claims: signed(claims).rpartition(".")[0] + ".",
    "the content changed": lambda claims: ".".join([signed(claims).split(".")[0], signed({**claims, "sub": "sub-1 "}).split(".")[1], signed(claims).split(".")[2]]),
    "not a token": lambda claims: "not-a-token",
    "empty": lambda claims: "",
}  # fmt: skip


@pytest.mark.parametrize("forge", FORGED.values(), ids=FORGED)
def test_signatures_that_are_not_the_providers(
    app: Flask, world: World, provider: Provider, forge: Callable[[dict[str, Any]], str], caplog: pytest.LogCaptureFixture
) -> None:
    provider.signed_by = forge
    refused(come(app), world)
    assert "the ID token" in caplog.text


def test_a_shared_secret_proves_nothing_even_among_the_providers_keys(app: Flask, world: World, provider: Provider) -> None:
    key = {"kty": "oct", "k": base64.urlsafe_b64encode(SECRET.encode()).rstrip(b"=").decode(), "kid": "shared", "alg": "HS256"}
    provider.answer = {"/keys": Response(json.dumps({"keys": [key]}), mimetype="application/json")}
    provider.signed_by = lambda claims: shared(claims, kid="shared")
    refused(come(app), world)


def test_an_answer_of_another_issuer(app: Flask, world: World) -> None:
    client = app.test_client()
    refused(client.get(f"{go(client)}&iss=https://elsewhere.example"), world)


def test_turning_back_at_the_provider(app: Flask, world: World) -> None:
    client = app.test_client()
    state = parse_qs(urlsplit(client.get("/login/oidc").location).query)["state"][0]
    answer = client.get(f"/login/oidc/return?error=access_denied&error_description=%3Cscript%3E&state={state}")
    assert answer.status_code == 401 and "取りやめられた" in answer.text and "<script>" not in answer.text
    assert nobody_came_in(world)


# ---------------------------------------------------------------- people who are not let in


def test_an_identity_nobody_knows(app: Flask, provider: Provider, world: World) -> None:
    provider.user = "sub-of-nobody"
    answer = come(app)
    assert answer.status_code == 401 and "この認証の利用者は、この庁のタダチに登録されていません。" in answer.text
    assert WHO not in answer.text and nobody_came_in(world)


def test_an_ended_account(app: Flask, world: World) -> None:
    world.disable(WHO)
    answer = come(app)
    assert answer.status_code == 401 and "利用を終えています" in answer.text
    assert nobody_came_in(world) and recorded(world) == [("person.sign_in_refused", WHO)]


def test_a_session_ends_with_the_account(app: Flask, world: World) -> None:
    client = app.test_client()
    client.get(go(client))
    world.disable(WHO)
    assert client.get("/account").status_code == 303


# ---------------------------------------------------------------- where one goes on to


@pytest.mark.parametrize(
    "target",
    ["https://evil.example/", "//evil.example/", "/\\evil.example", "javascript:alert(1)", "/a%0d%0aSet-Cookie:x=1", "inbox", "/%09/evil.example", "/" + "x" * 501],
)  # fmt: skip
def test_signing_in_leads_to_no_other_host(app: Flask, target: str) -> None:
    client = app.test_client()
    assert client.get(go(client, f"/login/oidc?next={target}")).location == "/inbox"
    again = app.test_client()
    assert again.get(f"{go(again)}&next={target}").location == "/inbox"


def test_nothing_in_the_address_decides_where_the_provider_is(app: Flask, provider: Provider) -> None:
    sent = app.test_client().get(
        "/login/oidc?issuer=https://evil.example&redirect_uri=https://evil.example", headers={"Host": "evil.example"}
    )
    assert sent.location.startswith(f"{provider.issuer}/authorize?") and "evil" not in sent.location
    for name in ("local", "other", "OIDC"):
        assert app.test_client().get(f"/login/{name}").status_code == 404
        assert app.test_client().get(f"/login/{name}/return").status_code == 404


# ---------------------------------------------------------------- a provider that is not there


def offered_here(answer: Any) -> None:
    assert answer.status_code == 503 and "つながりませんでした" in answer.text and 'name="password"' in answer.text


@pytest.mark.faults
def test_a_provider_that_is_down(world: World, caplog: pytest.LogCaptureFixture) -> None:
    app = site(world, f"http://127.0.0.1:{free_port()}")
    client = app.test_client()
    assert "職員認証基盤" in client.get("/login").text, "the page needs no provider"
    offered_here(client.get("/login/oidc?next=/notices"))
    token = token_of(client.get("/login").text)
    assert client.post("/login", data={"csrf_token": token, "person": "local", "password": PASSWORD}).status_code == 303
    assert SECRET not in caplog.text


@pytest.mark.faults
@pytest.mark.parametrize("address", [DISCOVERY, "/token", "/keys"])
def test_a_provider_that_hangs(world: World, provider: Provider, address: str) -> None:
    app = site(world, provider.issuer, seconds=0.2)
    provider.hang = {address}
    client = app.test_client()
    began = time.monotonic()
    offered_here(client.get("/login/oidc") if address == DISCOVERY else client.get(go(client)))
    assert nobody_came_in(world) and time.monotonic() - began < 5 and SECONDS == 5


@pytest.mark.faults
def test_a_provider_that_did_not_answer_is_left_alone_for_a_moment_then_asked_again(world: World, provider: Provider) -> None:
    app = site(world, provider.issuer)
    provider.answer = {DISCOVERY: Response("busy", 503)}
    for _ in range(3):
        offered_here(app.test_client().get("/login/oidc"))
    assert provider.asked == [DISCOVERY]
    provider.answer = {}
    world.clock.advance(seconds=10)
    assert come(app).status_code == 303
    provider.answer = {DISCOVERY: Response("busy", 503)}
    world.clock.advance(hours=2)
    assert come(app).status_code == 303, "what it said before serves on"


UNUSABLE: dict[str, dict[str, Any]] = {
    "calls itself another": {"issuer": "https://elsewhere.example"},
    "sends people elsewhere in the clear": {"authorization_endpoint": "http://elsewhere.example/authorize"},
    "takes the secret in the clear": {"token_endpoint": "http://elsewhere.example/token"},
    "has no keys": {"jwks_uri": None},
    "keys on the disk": {"jwks_uri": "file:///etc/passwd"},
    "too long": {"padding": "x" * 1_100_000},
}


@pytest.mark.parametrize("metadata", UNUSABLE.values(), ids=UNUSABLE)
def test_a_provider_that_cannot_be_used(app: Flask, provider: Provider, metadata: dict[str, Any]) -> None:
    provider.metadata = metadata
    offered_here(app.test_client().get("/login/oidc"))


@pytest.mark.parametrize("body", [b"", b"[]", b"not json", b"\xff\xfe", b"[" * 100_000], ids=range(5))
@pytest.mark.parametrize("address", [DISCOVERY, "/keys", "/token"])
def test_answers_that_are_no_answers(app: Flask, world: World, provider: Provider, address: str, body: bytes) -> None:
    provider.answer = {address: Response(body, 200, mimetype="application/json")}
    client = app.test_client()
    answer = client.get("/login/oidc") if address == DISCOVERY else client.get(go(client))
    assert answer.status_code in (401, 503) and nobody_came_in(world)


@pytest.mark.parametrize("address", [DISCOVERY, "/keys", "/token"])
def test_nobody_is_followed_to_another_address(app: Flask, world: World, provider: Provider, address: str) -> None:
    provider.answer = {address: Response(status=307, headers={"Location": f"{provider.issuer}/elsewhere"})}
    client = app.test_client()
    answer = client.get("/login/oidc") if address == DISCOVERY else client.get(go(client))
    assert answer.status_code in (401, 503) and nobody_came_in(world) and "/elsewhere" not in provider.asked


# ---------------------------------------------------------------- what an installation decides


def test_passwords_can_be_switched_off(world: World, provider: Provider) -> None:
    app = site(world, provider.issuer, local=False)
    client = app.test_client()
    page = client.get("/login").text
    assert "職員認証基盤でサインイン" in page and "password" not in page
    assert client.get(go(client)).status_code == 303
    account = client.get("/account").text
    assert WHO in account and "パスワードの変更" not in account
    token = token_of(account)
    assert (
        client.post("/account/password", data={"csrf_token": token, "old": PASSWORD, "new": "x" * 20, "again": "x" * 20}).status_code == 403
    )
    with_password = app.test_client()
    with with_password.session_transaction() as kept:
        kept["csrf_token"] = "f" * 40
    app.config["WTF_CSRF_ENABLED"] = False
    answer = with_password.post("/login", data={"person": "local", "password": PASSWORD})
    assert answer.status_code == 403 and "使われていません" in answer.text
    assert [row["person"] for row in world.rows("session")] == [WHO]


OIDC = {"TADACHI_OIDC_ISSUER": "https://idp.example.go.jp", "TADACHI_OIDC_CLIENT_ID": "tadachi"}


def test_settings_from_the_environment(tmp_path: Path) -> None:
    assert [source.id for source in sources(Settings.from_environment({}))] == ["local"]
    file = tmp_path / "secret"
    file.write_text("from-a-file\n")
    told = {**OIDC, "TADACHI_OIDC_CLIENT_SECRET_FILE": str(file), "TADACHI_OIDC_NAME": "庁内認証", "TADACHI_LOCAL_PASSWORDS": "off"}
    settings = Settings.from_environment(told)
    (source,) = sources(settings)
    assert (source.id, source.label) == ("oidc", "庁内認証") and settings.open_id is not None
    assert settings.open_id.claim == "sub" and settings.open_id.secret.reveal() == "from-a-file"
    assert "from-here" not in repr(Settings.from_environment({**OIDC, "TADACHI_OIDC_CLIENT_SECRET": "from-here"}))


@pytest.mark.parametrize(
    ("told", "named"),
    [
        ({"TADACHI_OIDC_ISSUER": "http://idp.example.go.jp", "TADACHI_OIDC_CLIENT_ID": "x"}, "TADACHI_OIDC_ISSUER"),
        ({"TADACHI_OIDC_ISSUER": "idp.example.go.jp", "TADACHI_OIDC_CLIENT_ID": "x"}, "TADACHI_OIDC_ISSUER"),
        ({"TADACHI_OIDC_ISSUER": "https://idp.example.go.jp"}, "TADACHI_OIDC_CLIENT_ID"),
        ({"TADACHI_LOCAL_PASSWORDS": "off"}, "TADACHI_LOCAL_PASSWORDS"),
        ({**OIDC, "TADACHI_LOCAL_PASSWORDS": "no"}, "TADACHI_LOCAL_PASSWORDS"),
        ({**OIDC, "TADACHI_OIDC_CLIENT_SECRET_FILE": "/nowhere/secret"}, "TADACHI_OIDC_CLIENT_SECRET_FILE"),
        ({"TADACHI_LDAP_URL": "http://ad.example.go.jp", "TADACHI_LDAP_BASE": "DC=x"}, "TADACHI_LDAP_URL"),
        ({"TADACHI_LDAP_URL": "ldaps://ad.example.go.jp"}, "TADACHI_LDAP_BASE"),
        ({"TADACHI_LDAP_URL": "ldaps://ad", "TADACHI_LDAP_BASE": "DC=x", "TADACHI_LDAP_BIND_DN": "CN=y"}, "TADACHI_LDAP_PASSWORD_FILE"),
    ],
)
def test_settings_that_cannot_be_followed_are_named(told: dict[str, str], named: str) -> None:
    with pytest.raises(SettingsBroken) as broken:
        sources(Settings.from_environment(told))
    assert named in broken.value.text


def test_a_day_later_it_still_works(app: Flask, world: World, provider: Provider) -> None:
    assert come(app).status_code == 303
    world.clock.advance(seconds=timedelta(days=1).total_seconds())
    assert come(app).status_code == 303 and provider.asked.count(DISCOVERY) == 2
