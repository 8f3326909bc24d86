"""A small OpenID Connect provider over HTTP on loopback, strict in what it takes; tests tell it what to get wrong in what it gives."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import secrets
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime
from functools import cache
from typing import Any
from urllib.parse import urlencode

from flask import Flask, Response, jsonify, redirect, request
from joserfc import jwt
from joserfc.jwk import RSAKey
from werkzeug.serving import make_server

CLIENT, SECRET = "tadachi", "a-secret-of-client-and-provider"


@cache
def rsa_key(name: str) -> RSAKey:
    """A key by name: making one takes its time."""
    return RSAKey.generate_key(2048, {"kid": name, "use": "sig"})


@dataclass
class Provider:
    """The provider. `user` is who is signed in there; the other fields make it misbehave.

    Attributes:
        claims: put over the claims of each ID token; None takes one out.
        signed_by: makes the ID token from header and claims.
        metadata: put over the discovery document.
        hang: addresses that never answer; `released` lets them go.
    """

    now: Callable[[], datetime]
    redirect_uri: str
    user: str = "sub-1"
    claims: dict[str, Any] = field(default_factory=dict)
    keys: tuple[str, ...] = ("first",)
    signed_by: Callable[[dict[str, Any]], str] | None = None
    metadata: dict[str, Any] = field(default_factory=dict)
    hang: set[str] = field(default_factory=set)
    answer: dict[str, Response] = field(default_factory=dict)
    port: int = 0
    asked: list[str] = field(default_factory=list)
    codes: dict[str, dict[str, str]] = field(default_factory=dict)
    released: threading.Event = field(default_factory=threading.Event)

    @property
    def issuer(self) -> str:
        """Its address."""
        return f"http://127.0.0.1:{self.port}"

    def app(self) -> Flask:
        """Its pages."""
        app = Flask("provider")

        @app.before_request
        def misbehave() -> Response | None:
            self.asked.append(request.path)
            if request.path in self.hang:
                self.released.wait(30)
            return self.answer.get(request.path)

        @app.get("/.well-known/openid-configuration")
        def discovery() -> Response:
            told = {
                "issuer": self.issuer,
                "authorization_endpoint": f"{self.issuer}/authorize",
                "token_endpoint": f"{self.issuer}/token",
                "jwks_uri": f"{self.issuer}/keys",
                "id_token_signing_alg_values_supported": ["RS256", "HS256", "none"],
            }
            return jsonify({**told, **self.metadata})

        @app.get("/keys")
        def keys() -> Response:
            return jsonify(keys=[rsa_key(name).as_dict(private=False) for name in self.keys])

        app.get("/authorize")(self._authorize)
        app.post("/token")(self._token)
        return app

    def _authorize(self) -> Any:
        wanted = request.args
        right = {"client_id": CLIENT, "redirect_uri": self.redirect_uri, "response_type": "code", "code_challenge_method": "S256"}
        if any(wanted.get(name) != value for name, value in right.items()) or "openid" not in wanted["scope"].split():
            return Response("invalid_request", 400)
        code = secrets.token_urlsafe(16)
        self.codes[code] = {"challenge": wanted["code_challenge"], "nonce": wanted["nonce"], "user": self.user}
        return redirect(f"{self.redirect_uri}?{urlencode({'code': code, 'state': wanted['state']})}", 302)

    def _token(self) -> Any:
        sent = request.form
        login = request.authorization
        known = (login.username, login.password) if login else (sent.get("client_id"), sent.get("client_secret"))
        if known != (CLIENT, SECRET):
            return jsonify(error="invalid_client"), 401
        code = self.codes.pop(sent.get("code", ""), None)  # once
        digest = hashlib.sha256(sent.get("code_verifier", "").encode()).digest()
        proven = _encoded(digest).decode()
        if code is None or sent.get("redirect_uri") != self.redirect_uri or proven != code["challenge"]:
            return jsonify(error="invalid_grant"), 400
        now = int(self.now().timestamp())
        claims = {
            "iss": self.issuer,
            "sub": code["user"],
            "aud": CLIENT,
            "iat": now,
            "exp": now + 300,
            "nonce": code["nonce"],
            **self.claims,
        }
        claims = {name: value for name, value in claims.items() if value is not None}
        token = self.signed_by(claims) if self.signed_by else signed(claims, self.keys[-1])
        return jsonify(access_token=secrets.token_urlsafe(16), token_type="Bearer", expires_in=300, id_token=token)


def signed(claims: dict[str, Any], key: str = "first", kid: str | None = None) -> str:
    """A token with an RSA signature."""
    return jwt.encode({"alg": "RS256", "kid": kid or key}, claims, rsa_key(key))


def shared(claims: dict[str, Any], secret: bytes = SECRET.encode(), kid: str | None = None) -> str:
    """A token signed with what the client knows as well."""
    header = {"alg": "HS256", "typ": "JWT"} | ({"kid": kid} if kid else {})
    content = b".".join(_encoded(json.dumps(part).encode()) for part in (header, claims))
    return b".".join((content, _encoded(hmac.digest(secret, content, "sha256")))).decode()


def unsigned(claims: dict[str, Any]) -> str:
    """A token without a signature."""
    return b".".join((*(_encoded(json.dumps(part).encode()) for part in ({"alg": "none"}, claims)), b"")).decode()


def _encoded(data: bytes) -> bytes:
    return base64.urlsafe_b64encode(data).rstrip(b"=")


@contextmanager
def running(provider: Provider) -> Iterator[Provider]:
    """The provider at work on a port of its own."""
    server = make_server("127.0.0.1", 0, provider.app(), threaded=True)
    server.daemon_threads = False
    provider.port = server.server_port
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    yield provider
    provider.released.set()
    server.shutdown()
    thread.join()
    server.server_close()
