"""Worlds to test in: on SQLite, on both databases, and with the real office."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.engine.posts import Posts, posts_on
from tests.support import World, make_world, postgresql_copy


@pytest.fixture
def world(tmp_path: Path) -> Iterator[World]:
    """The small offices on SQLite."""
    made = make_world(tmp_path)
    yield made
    made.engine.close()


@pytest.fixture
def on_postgresql(postgresql_url: str, tmp_path: Path) -> Iterator[World]:
    """The small offices on PostgreSQL."""
    with postgresql_copy(postgresql_url) as url:
        made = make_world(tmp_path, url)
        yield made
        made.engine.close()


@pytest.fixture(params=["sqlite", pytest.param("postgresql", marks=pytest.mark.postgresql)])
def both(request: pytest.FixtureRequest) -> World:
    """The small offices, once on SQLite and once on PostgreSQL."""
    made: World = request.getfixturevalue("world" if request.param == "sqlite" else "on_postgresql")
    return made


@pytest.fixture
def isa(tmp_path: Path) -> Iterator[World]:
    """The real office on SQLite."""
    made = make_world(tmp_path, isa=True)
    yield made
    made.engine.close()


@pytest.fixture
def posts(tmp_path: Path) -> Iterator[Posts]:
    """The small office with its registers and procedures that go by posts, on SQLite."""
    with posts_on("sqlite", tmp_path) as made:
        yield made


@pytest.fixture(params=["sqlite", pytest.param("postgresql", marks=pytest.mark.postgresql)])
def posts_both(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Posts]:
    """The same, once on SQLite and once on PostgreSQL."""
    server = "" if request.param == "sqlite" else request.getfixturevalue("postgresql_url")
    with posts_on(request.param, tmp_path, server) as made:
        yield made
