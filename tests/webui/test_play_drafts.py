"""The pages of the sandbox over drafts: played from the editor, refused with what is to be put right, kept as scenarios."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from flask import Flask

from engine import Viewer, hash_password
from engine.model import metadata
from tests.support import GENERAL, STAFF, World, make_world
from tests.webui.conftest import Post
from tests.webui.test_play import APPLICATION, PASSWORD, Screen
from webui import create_app


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    made = make_world(tmp_path_factory.mktemp("play-drafts"))
    with made.engine.writing() as connection:
        connection.execute(metadata.tables["person"].update().values(password_hash=hash_password(PASSWORD)))
    yield made
    made.engine.close()


@pytest.fixture
def app(world: World) -> Flask:
    application = create_app(world.engine, secret_key="test")
    application.testing = False
    return application


@pytest.fixture
def designer(world: World) -> Viewer:
    return world.engine.viewer(world.person(GENERAL))


@pytest.fixture
def screen(app: Flask, world: World, post: Post, designer: Viewer) -> Screen:
    made = Screen(app, world, post)
    made.number = world.engine.drafts.begin(designer, "office_approval", "審査を変える")
    made.base = f"/designer/drafts/{made.number}"
    made.at = f"{made.base}/play"
    return made


def test_a_draft_is_played_from_the_list_and_its_run_kept(screen: Screen, world: World, designer: Viewer) -> None:
    """下書きの一覧と編集の画面から試し、シナリオを下書きに保存し、シナリオの画面に出る。"""
    for page in (screen.client.get("/designer").text, screen.client.get(f"/designer/{screen.number}").text):
        assert f'href="{screen.at}"' in page
    page = screen.plays("start", **APPLICATION, _as=STAFF)
    assert "下書き（" in page
    assert "案件の処理待ち：審査" in page
    page = screen.plays("save", _title="申請まで")
    assert "シナリオ「office/scenarios/approval_1.yaml」を下書きに保存しました。" in page
    assert "office/scenarios/approval_1.yaml" in world.engine.drafts.show(designer, screen.number).files
    told = screen.client.get(f"{screen.base}/scenarios").text
    assert "申請まで" in told
    assert "すべてが、最後まで通りました" in told


def test_a_draft_that_cannot_run_says_what_to_put_right(screen: Screen, world: World, designer: Viewer) -> None:
    """指摘のある下書きは、試行の代わりに、直すところを示す。"""
    page = world.engine.drafts.show(designer, screen.number)
    files = {name: text.replace("needs_fix == true", "needs_fix == =") for name, text in page.files.items()}
    world.engine.drafts.save(designer, screen.number, page.draft.revision, files)
    for path in (screen.at, f"{screen.base}/scenarios"):
        answer = screen.client.get(path)
        assert answer.status_code == 422
        assert "まだ試せません" in answer.text
        assert "enough_fix" in answer.text
    assert screen.client.get("/designer/drafts/999999/play").status_code == 404


def test_nothing_is_kept_before_there_is_a_run(screen: Screen) -> None:
    """まだ何もしていなければ、保存できないと言う。"""
    assert "まだ何も行っていません" in screen.plays("save", _title="空")


def test_strangers_may_neither_play_nor_keep(app: Flask, world: World, post: Post, screen: Screen) -> None:
    """設計の役でない人は、下書きを試せず、シナリオも保存できない。"""
    stranger = Screen(app, world, post, STAFF)
    assert stranger.client.get(screen.at).status_code == 403
    assert post(stranger.client, f"{screen.at}/save", {"_title": "a"}).status_code == 403
