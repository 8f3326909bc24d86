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


def test_a_scenario_is_read_opened_in_the_sandbox_and_taken_away(screen: Screen, world: World, designer: Viewer, post: Post) -> None:
    """下書きのシナリオは、YAML で読め、試行で開くとそこから続けられ、要らなければ外せる。機関のものは外せない。"""
    screen.plays("start", **APPLICATION, _as=STAFF)
    screen.plays("complete", opinion="よい")
    screen.plays("save", _title="審査まで")
    screen.plays("again")
    assert "まだ始まっていません" in screen.page()
    listed = f"{screen.base}/scenarios"
    name = world.engine.sandbox.scenarios(designer, "drafts", screen.number).results[0].name
    assert "- complete: review" in screen.client.get(f"{listed}/{name}").text
    answer = post(screen.client, f"{listed}/{name}/follow", {}, page=listed)
    assert answer.status_code == 303
    page = screen.client.get(answer.location).text
    assert "案件の処理待ち：承認" in page
    assert "案件の処理待ち：審査" in screen.plays("undo"), "what the scenario expected after the step goes with it"
    screen.plays("complete", opinion="よい")
    page = screen.plays("complete", verdict="granted")
    assert "案件は終わりました（承認済み）" in page
    assert "私は" not in page
    assert post(screen.client, f"{listed}/none.yaml/follow", {}, page=listed).status_code == 404
    assert post(screen.client, f"{listed}/none.yaml/remove", {}, page=listed).status_code == 404
    answer = post(screen.client, f"{listed}/{name}/remove", {}, page=listed)
    assert f"シナリオ「{name}」を下書きから外しました。" in screen.client.get(answer.location).text
    assert world.engine.sandbox.scenarios(designer, "drafts", screen.number).results == ()


def test_a_scenario_that_stops_is_opened_where_it_stops(screen: Screen, world: World, designer: Viewer, post: Post) -> None:
    """通らないシナリオを試行で開くと、通らないところまで進み、なぜ先へ進めないかを言う。読めないものは開かない。"""
    page = world.engine.drafts.show(designer, screen.number)
    head = "title: 古い\nprocess: office_approval\nstarts: 2026-11-16 10:00\nstart: {by: staff@a, answers: {item_summary: あ, owning_unit: a}}\n"
    files = {
        "office/scenarios/old.yaml": head + "steps:\n- complete: review\n  answers: {opinion: よい, amount: 1}\n- complete: gone\n",
        "office/scenarios/other.yaml": head.replace("office_approval", "office_cycle") + "steps: []\n",
        "office/scenarios/broken.yaml": "[",
    }
    world.engine.drafts.save(designer, screen.number, page.draft.revision, {**page.files, **files})
    listed = f"{screen.base}/scenarios"
    answer = post(screen.client, f"{listed}/old.yaml/follow", {}, page=listed)
    told = screen.client.get(answer.location).text
    assert "3番目の操作は、いまの図ではできません" in told
    assert "「gone」は待っていません" in told
    assert "案件の処理待ち：承認" in told
    for name, why in (("other", "別の手続のシナリオです"), ("broken", "シナリオを読めません")):
        answer = post(screen.client, f"{listed}/{name}.yaml/follow", {}, page=listed)
        assert why in screen.client.get(answer.location).text


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
    for verb in ("follow", "remove"):
        assert post(stranger.client, f"{screen.base}/scenarios/a.yaml/{verb}", {}).status_code == 403
    assert stranger.client.get(f"{screen.base}/scenarios/a.yaml").status_code == 403
