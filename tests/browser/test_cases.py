"""Three real incidents from the first report to closing, through a real browser by all officials in turn."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Page

from tests.browser.driver import BrowserPlayer, Officials, Site


@pytest.mark.parametrize("name", ["incident_r5-6", "incident_r5-5", "incident_r6-8"])
def test_x(site: Site, page_at: Callable[..., Page], name: str) -> None:
    player = BrowserPlayer(Officials(site, page_at))
    player.run(name)
