"""Pages of urgency: a late hop asks for its reason, a step is put off and comes back, and what will be told if nobody acts."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime
from pathlib import Path

import pytest
from click.testing import CliRunner
from flask.testing import FlaskClient

from engine import JST, hash_password
from tests.support import World, make_world
from tests.webui.conftest import Post
from tests.webui.test_acts import open_doors
from webui.cli import main

UNIT = "adjudication"
MANAGER = f"protection_manager@{UNIT}"


@pytest.fixture
def isa(tmp_path: Path) -> Iterator[World]:
    """The agency with a grave case whose first report is wanted 直ちに."""
    made = make_world(tmp_path, isa=True, at=datetime(2026, 11, 16, 10, 0, tzinfo=JST))
    with made.engine.work(by=f"staff.{UNIT}") as work:
        work.start("isa_incident", {"item_summary": "名簿を別人に渡した", "known_at": "2026-11-16T09:40:00+09:00", "owning_unit": UNIT})
    yield made
    made.engine.close()


@pytest.fixture
def manager(isa: World, post: Post) -> FlaskClient:
    """The manager, signed in."""
    return open_doors(isa, hash_password("a-long-and-quiet-password"), post)(MANAGER)


def task(world: World, node: str) -> int:
    """The open step of the only case."""
    return int(next(row["id"] for row in world.rows("task", state="open") if row["node"] == node))


def test_a_late_report_is_asked_for_its_reason_and_keeps_what_was_typed(isa: World, post: Post) -> None:
    with isa.engine.work(by=isa.person(MANAGER)) as work:
        work.complete(task(isa, "assess_gravity"), {"grave": True, "grave_reason": "機微な情報"})
    isa.pass_time(hours=4)
    manager = open_doors(isa, hash_password("a-long-and-quiet-password"), post)(MANAGER)
    number = task(isa, "report_grave")
    page = manager.get(f"/tasks/{number}").text
    assert "報告の目安の時刻を過ぎています" in page
    typed = {"_version": str(isa.case(1)["version"]), "_case": "1", "item_summary": "名簿を別人に渡した"}
    refused = post(manager, f"/tasks/{number}", typed)
    assert refused.status_code == 422 and "「遅れた理由」を入力してください" in refused.text
    done = post(manager, f"/tasks/{number}", {**typed, "_late_reason": "停電のため"})
    assert done.status_code == 303, done.text
    shown = manager.get("/cases/1").text
    assert "報告の速さ" in shown and "目安を超過" in shown and "停電のため" in shown


def test_a_step_is_put_off_and_taken_back(isa: World, manager: FlaskClient, post: Post) -> None:
    number = task(isa, "assess_gravity")
    wrong = post(manager, f"/tasks/{number}/later", {"_until": "あした"})
    assert wrong.status_code == 422 and "日付を入力してください" in wrong.text
    assert post(manager, f"/tasks/{number}/later", {"_until": "令和8年11月18日"}).status_code == 303
    assert "重大性の判断" not in manager.get("/inbox").text.split("<main")[1]
    assert "重大性の判断" in manager.get("/inbox?show=later").text
    past = post(manager, f"/tasks/{number}/later", {"_until": "2026-11-01"})
    assert past.status_code == 422 and "90日以内" in past.text
    assert post(manager, f"/tasks/{number}/later", {"_until": ""}).status_code == 303
    assert "重大性の判断" in manager.get("/inbox").text


def test_what_will_be_told_is_a_page_and_a_command(isa: World, manager: FlaskClient, monkeypatch: pytest.MonkeyPatch) -> None:
    page = manager.get("/cases/1/what-if?days=7").text
    assert "期限の目安を過ぎた処理があります" in page and "部課等保護管理者" in page
    assert manager.get("/cases/99/what-if").status_code == 404
    monkeypatch.setenv("TADACHI_DATABASE", str(isa.engine.database.url))
    said = CliRunner().invoke(main, ["show", "1", "--as", isa.person(MANAGER), "--what-if", "--days", "3"])
    assert said.exit_code == 0, said.output
