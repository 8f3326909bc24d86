"""The agency served to a real browser: `site` is fresh for every test."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import expect

from tests.browser.driver import BusyOffice, Site, make_busy, make_office, serve

expect.set_options(timeout=10_000)


@pytest.fixture(scope="session")
def office(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A database with every seat of the agency held by somebody; made once, copied for each test."""
    file = tmp_path_factory.mktemp("office") / "office.sqlite"
    make_office(file)
    return file


@pytest.fixture
def site(office: Path, tmp_path: Path) -> Iterator[Site]:
    """The application on a copy of the office, on Monday 16 November 2026, 10:00."""
    with serve(office, tmp_path) as served:
        yield served


@pytest.fixture(scope="session")
def busy_office(office: Path, tmp_path_factory: pytest.TempPathFactory) -> BusyOffice:
    """The office in the middle of R5-6: persons are being told, the final report is being prepared."""
    return make_busy(office, tmp_path_factory.mktemp("busy"))


@pytest.fixture
def busy(busy_office: BusyOffice, tmp_path: Path) -> Iterator[Site]:
    """The application on a copy of that office, at the instant it was left."""
    with serve(busy_office.file, tmp_path, busy_office.at) as served:
        yield served
