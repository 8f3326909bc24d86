"""The pages over the fake engine (`app`, a signed-in `client`) or over a `site` of the module's own; `post` sends a form with its CSRF token."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from flask import Flask
from flask.testing import FlaskClient

from tests.support import World
from tests.webui.fake import PASSWORD, FakeEngine
from tests.webui.posts import signed_in, token_of
from webui import create_app


@pytest.fixture
def fake() -> FakeEngine:
    """The engine behind the pages."""
    return FakeEngine()


@pytest.fixture
def app(fake: FakeEngine) -> Flask:
    """The application over the fake."""
    application = create_app(fake, secret_key="test", demo=True, demo_password=PASSWORD)  # type: ignore[arg-type]
    application.testing = False  # errors are answered as in production
    return application


Post = Callable[..., Any]


@pytest.fixture
def post() -> Post:
    """Send a form as a browser would: with the token of a page seen before."""

    def send(client: FlaskClient, path: str, data: dict[str, Any] | None = None, page: str = "/account", **more: Any) -> Any:
        token = token_of(client.get(page).text)
        return client.post(path, data={"csrf_token": token, **(data or {})}, **more)

    return send


@pytest.fixture
def sign_in(app: Flask, post: Post) -> Callable[[str], FlaskClient]:
    """Clients signed in as somebody."""

    def by(person: str) -> FlaskClient:
        client = app.test_client()
        answer = post(client, "/login", {"person": person, "password": PASSWORD}, page="/login")
        assert answer.status_code == 303
        return client

    return by


@pytest.fixture
def world(site: tuple[World, Flask]) -> World:
    """What stands behind the pages of a module that makes its own `site`."""
    return site[0]


@pytest.fixture
def people(site: tuple[World, Flask]) -> Callable[[str], FlaskClient]:
    """Somebody at those pages."""
    return lambda person: signed_in(site[1], person)


@pytest.fixture
def client(sign_in: Callable[[str], FlaskClient]) -> FlaskClient:
    """The manager of the adjudication division."""
    return sign_in("adj.manager")
