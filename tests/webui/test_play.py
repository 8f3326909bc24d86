"""The pages of the sandbox over the real engine: a designer plays a version as every seat, with and without script, and nobody else may."""

from __future__ import annotations

import re
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml
from flask import Flask
from flask.testing import FlaskClient

from engine import Engine, hash_password
from engine.model import case_file, metadata, notice
from tests.support import GENERAL, MANAGER, OTHER_MANAGER, STAFF, World, make_world
from tests.webui.conftest import Post
from webui import create_app

PASSWORD = "a-long-and-quiet-password"


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    made = make_world(tmp_path_factory.mktemp("play"))
    with made.engine.writing() as connection:
        connection.execute(metadata.tables["person"].update().values(password_hash=hash_password(PASSWORD)))
    yield made
    made.engine.close()


@pytest.fixture
def app(world: World) -> Flask:
    with world.engine.writing() as connection:
        connection.execute(metadata.tables["sandbox_run"].delete())
    application = create_app(world.engine, secret_key="test")
    application.testing = False
    return application


class Screen:
    """Somebody at the screen of one version."""

    def __init__(self, app: Flask, world: World, post: Post, seat: str = GENERAL, process: str = "approval") -> None:
        self.client: FlaskClient = app.test_client()
        self._post = post
        answer = post(self.client, "/login", {"person": world.person(seat), "password": PASSWORD}, page="/login")
        assert answer.status_code == 303
        found = world.engine.sandbox.procedures(world.engine.viewer(world.person(GENERAL)))
        number = next(one.number for one in found if one.process_id == f"office_{process}")
        self.base = f"/designer/versions/{number}"
        self.at = f"{self.base}/play"
        self.number = number

    def page(self, **query: Any) -> str:
        answer = self.client.get(self.at, query_string=query)
        assert answer.status_code == 200, answer.text
        return answer.text

    def hidden(self, page: str, name: str) -> str:
        match = re.search(rf'name="{name}" value="([^"]*)"', page)
        assert match is not None, name
        return match[1]

    def sends(self, verb: str, page: str | None = None, **data: Any) -> Any:
        """Press a button of the page that is there (or of an older one)."""
        seen = page or self.page()
        task = re.search(r'name="_task" value="(\d+)"', seen)
        given = {"_length": self.hidden(seen, "_length"), "_as": self.hidden(seen, "_as"), **({"_task": task[1]} if task else {}), **data}
        return self._post(self.client, f"{self.at}/{verb}", given, page=self.at)

    def plays(self, verb: str, **data: Any) -> str:
        """Press a button, and look at the page that comes."""
        answer = self.sends(verb, **data)
        assert answer.status_code == 303, answer.text
        return str(self.client.get(answer.location).text)


@pytest.fixture
def screen(app: Flask, world: World, post: Post) -> Screen:
    return Screen(app, world, post)


APPLICATION = {"item_summary": "備品の購入", "owning_unit": "a", "amount": "10"}


def test_a_case_is_played_from_its_start_to_its_end(screen: Screen, world: World) -> None:
    """開始、審査、承認を、一つの画面で、それぞれの役になって進める。実際の案件も通知もできない。"""
    assert "まだ始まっていません" in screen.page()
    page = screen.plays("start", **APPLICATION, _as=STAFF)
    assert "案件の処理待ち：審査" in page
    assert "私は　第一課 保護管理者" in page
    assert "処理が届きました" in page
    page = screen.plays("complete", opinion="よい")
    assert "案件の処理待ち：承認" in page
    page = screen.plays("complete", verdict="granted")
    assert "案件は終わりました（承認済み）" in page
    with world.engine.reading() as connection:
        assert connection.execute(case_file.select()).first() is None
        assert connection.execute(notice.select()).first() is None


def test_what_is_refused_is_said_beside_the_form_with_what_was_typed(screen: Screen) -> None:
    """誤りは欄の横に出て、入力は残り、試行は進まない。"""
    answer = screen.sends("start", item_summary="", owning_unit="a", amount="十")
    assert answer.status_code == 422
    assert "「概要」を入力してください。" in answer.text
    assert 'value="十"' in answer.text
    screen.plays("start", **APPLICATION, _as=STAFF)
    answer = screen.sends("complete", opinion="よい", _as=OTHER_MANAGER)
    assert answer.status_code in (403, 422, 404)
    answer = screen.sends("complete", opinion="よい", invented="x")
    assert answer.status_code == 422
    assert "この画面にない項目" in answer.text
    answer = screen.sends("time", _pass="until", _until="あした")
    assert answer.status_code == 422
    assert "「進める先の日時」を入力してください" in answer.text
    assert "案件の処理待ち：審査" in screen.page()


def test_time_is_moved_by_buttons_and_taken_back(screen: Screen) -> None:
    """1時間、次に起きるまで、日時を選んで進め、一つ前に戻し、はじめからやり直す。"""
    page = screen.plays("start", **APPLICATION, _as=STAFF)
    assert "11月16日（月）10:00" in page
    page = screen.plays("time", _pass="next")
    assert "11月16日（月）11:00" in page
    assert "処理が済んでいません（督促）" in page
    page = screen.plays("time", _pass="until", _until="2026-11-18T09:30")
    assert "11月18日（水）9:30" in page
    page = screen.plays("undo")
    assert "11月16日（月）11:00" in page
    page = screen.plays("again", _starts="2026-12-01T09:00")
    assert "12月1日（火）9:00" in page
    assert "まだ始まっていません" in page


def test_a_step_is_sent_back_with_its_reason(screen: Screen) -> None:
    """差戻しには理由が要り、理由は戻った先の画面に出る。"""
    screen.plays("start", **APPLICATION, _as=STAFF)
    screen.plays("complete", opinion="よい")
    answer = screen.sends("send-back", _to="review", _reason="")
    assert answer.status_code == 422
    page = screen.plays("send-back", _to="review", _reason="金額が違う")
    assert "差し戻されています" in page
    assert "金額が違う" in page


def test_the_seat_is_chosen_and_says_when_it_cannot(screen: Screen) -> None:
    """別の役になると、その役にできないことは、できないと書いてある。"""
    screen.plays("start", **APPLICATION, _as=STAFF)
    page = screen.page(**{"as": OTHER_MANAGER})
    assert "私は　第二課 保護管理者" in page
    assert "この役を待っている処理はありません" in page
    assert screen.client.get(screen.at, query_string={"as": "nobody@nowhere"}).status_code in (404, 422)
    page = screen.page(**{"as": MANAGER})
    assert 'name="opinion"' in page


def test_an_old_window_does_not_play_on(screen: Screen) -> None:
    """ほかの画面で進んだあとに古い画面から押しても、二重には進まない。"""
    old = screen.page()
    screen.plays("start", **APPLICATION, _as=STAFF)
    answer = screen.sends("start", page=old, **APPLICATION)
    assert answer.status_code == 303
    page = screen.client.get(answer.location).text
    assert "別の画面で操作が進んでいます" in page
    assert "案件の処理待ち：審査" in page


def test_the_picture_its_state_and_the_same_in_words(screen: Screen) -> None:
    """図は絵と、状態の印と、文字の一覧の三つで出る。"""
    screen.plays("start", **APPLICATION, _as=STAFF)
    drawing = screen.client.get(f"{screen.at}/diagram.bpmn")
    assert drawing.mimetype == "application/xml"
    state = screen.client.get(f"{screen.at}/diagram.json").json
    assert state is not None
    assert (state["review"]["state"], state["apply_review"]["state"]) == ("current", "taken")
    words = screen.page().split("図の内容を文字で読む")[1]
    assert re.search(r"処理中</span> <span class=\"check-text\">審査", words)


def test_the_run_is_taken_as_a_scenario_file(screen: Screen) -> None:
    """試行をシナリオのファイルとして受け取る。まだ何もしていなければ、そう言う。"""
    assert screen.client.get(f"{screen.at}/scenario.yaml").status_code == 422
    screen.plays("start", **APPLICATION, _as=STAFF)
    answer = screen.client.get(f"{screen.at}/scenario.yaml", query_string={"title": "審査まで"})
    assert "attachment" in answer.headers["Content-Disposition"]
    assert answer.headers["Content-Disposition"].isascii(), "the name is Japanese; a header is not"
    assert yaml.safe_load(answer.text)["steps"] == [{"expect": {"waits_at": ["review"]}}]


@pytest.fixture
def folder(world: World) -> Iterator[Path]:
    """Where the office keeps scenarios; it is every test's, and empty again afterwards."""
    place = world.engine.organisation("office").folder / "scenarios"
    place.mkdir()
    yield place
    shutil.rmtree(place)


def test_what_the_scenarios_reach_is_on_a_page_and_on_the_picture(screen: Screen, folder: Path) -> None:
    """シナリオの結果と、通ったところの割合、通らないところの一覧、図の印が出る。"""
    head = "process: office_approval\nstarts: 2026-11-16 10:00\nstart:\n  by: staff@a\n  answers: {item_summary: あ, owning_unit: a}\n"
    (folder / "a.yaml").write_text(f"title: 審査まで\n{head}steps:\n- complete: review\n  answers: {{opinion: よい}}\n", "utf-8")
    (folder / "b.yaml").write_text(f"title: 通らない\n{head}steps:\n- complete: gone\n", "utf-8")
    page = screen.client.get(f"{screen.base}/scenarios").text
    assert "2件のうち1件が、最後まで通りませんでした" in page
    assert "補正" in page.split("どのシナリオも通らないところ")[1]
    state = screen.client.get(f"{screen.base}/scenarios/diagram.json").json
    assert state is not None
    assert (state["review"], state["fix"]["state"]) == (
        {"state": "reached", "label": "2回", "count": 0, "calls": None},
        "missed",
    )
    assert screen.client.get(f"{screen.base}/scenarios/diagram.bpmn").mimetype == "application/xml"
    by_clause = screen.client.get(f"{screen.base}/scenarios/diagram.json", query_string={"by": "clauses"}).json
    assert by_clause is not None
    assert {element for element, mark in by_clause.items() if mark["state"] == "missed"} == {"approve"}
    assert 'data-show-element="fix"' in page
    told = screen.client.get(f"{screen.base}/scenarios", query_string={"by": "clauses"}).text
    assert "条項と、その処理" in told
    assert screen.client.get(f"{screen.base}/scenarios", query_string={"by": "nothing"}).status_code == 404
    assert screen.client.get(f"{screen.base}/scenarios/a.yaml").text.startswith("title: 審査まで")
    assert screen.client.get(f"{screen.base}/scenarios/none.yaml").status_code == 404
    assert screen.client.get(f"{screen.base}/scenarios", query_string={"process": "nowhere"}).status_code == 404


def test_only_who_may_put_diagrams_in_force_gets_in(app: Flask, world: World, post: Post, screen: Screen) -> None:
    """設計の役でない人には、どの画面も開かない。ログインしていない人も。"""
    stranger = Screen(app, world, post, STAFF)
    for path in (
        "/designer/play",
        stranger.at,
        f"{stranger.at}/diagram.json",
        f"{stranger.at}/scenario.yaml",
        f"{stranger.base}/scenarios",
    ):
        assert stranger.client.get(path).status_code == 403, path
    assert post(stranger.client, f"{stranger.at}/start", {**APPLICATION, "_as": STAFF, "_length": "0"}).status_code == 403
    assert app.test_client().get(screen.at).status_code in (302, 303)
    assert screen.client.get("/designer/play").status_code == 200
    for path in ("/designer/versions/999999/play", "/designer/nothing/1/play", f"{screen.at}/diagram.bpmn?path=nowhere"):
        assert screen.client.get(path).status_code == 404, path


def test_the_engine_of_the_pages_is_never_the_one_that_plays(screen: Screen, world: World) -> None:
    """試行の間、実際のエンジンの時計も、データベースも、送り先も替わらない。"""
    engine: Engine = world.engine
    before = (engine.clock, engine.database, engine.sender, engine.organisations, engine.definitions)
    screen.plays("start", **APPLICATION, _as=STAFF)
    screen.plays("time", _pass="P7D")
    assert (engine.clock, engine.database, engine.sender, engine.organisations, engine.definitions) == before
