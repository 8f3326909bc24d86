"""The pages over the small offices with somebody signed in, for what is kept about people and posts."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path

from flask import Flask
from flask.testing import FlaskClient

from tests.support import World, make_world
from webui import create_app

KEEPER, APPROVER = "general_protection_manager.office", "division_protection_manager.north"
STAFF, MANAGER, OTHER = "staff.a", "protection_manager.a", "protection_manager.b"
STRANGER = "staff.a.elsewhere"  # of the other office
SECRET = "山田太郎"  # what every case of the small offices is about
SignIn = Callable[[str], FlaskClient]


def token_of(page: str) -> str:
    """The CSRF token a page carries."""
    match = re.search(r'name="csrf_token" value="([^"]+)"', page)
    assert match is not None
    return match[1]


def make_site(folder: Path) -> tuple[World, Flask]:
    """A world and the pages over it."""
    world = make_world(folder)
    return world, create_app(world.engine, secret_key="test")


def signed_in(app: Flask, person: str) -> FlaskClient:
    """A client with a session of somebody's, without the slow look at a password."""
    client = app.test_client()
    with client.session_transaction() as session:
        session["_user_id"] = app.extensions["tadachi.engine"].open_session(person)
        session["_fresh"] = True
    return client


def signed_in_with(app: Flask, person: str, password: str) -> FlaskClient:
    """A client of somebody who signed in with a password."""
    client = app.test_client()
    answer = client.post("/login", data={"csrf_token": token_of(client.get("/login").text), "person": person, "password": password})
    assert answer.status_code == 303, answer.text
    return client


def words(page: str) -> str:
    """What a page says, without its tags and blanks."""
    return re.sub(r"\s+", "", re.sub(r"<[^>]+>", "", page))
