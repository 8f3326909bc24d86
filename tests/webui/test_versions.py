"""版の画面と命令：別の人の確認、施行の日、2つの版の比較、施行の取消し、フォルダーとの突合せ。"""

from __future__ import annotations

import io
import json
import re
import shutil
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner
from flask import Flask
from flask.testing import FlaskClient

from engine import Engine
from engine.draft_desk import DraftDesk
from engine.examiner import Examiner
from tests.support import GENERAL, World, make_world, offices
from tests.webui.conftest import Post
from tests.webui.posts import SignIn, words
from webui import create_app
from webui.cli import main

PROCESS = "office_parallel"
AUTHOR, REVIEWER, STAFF = "designer.one", "designer.two", "staff.a"


class _Shared(Examiner):
    """One process for all of these tests."""

    def close(self) -> None:
        """The last test does."""


@pytest.fixture(scope="module")
def examiner() -> Iterator[Examiner]:
    """What looks at drafts."""
    made = _Shared()
    yield made
    Examiner.close(made)


@pytest.fixture
def site(tmp_path: Path, examiner: Examiner) -> Iterator[tuple[World, Flask]]:
    """Monday, 16 November 2026, 10:00; two designers."""
    folder = tmp_path / "bpmn"
    shutil.copytree(offices(), folder)
    world = make_world(tmp_path, bpmn=folder)
    world.engine.drafts = DraftDesk(world.engine, examiner)
    for person in (AUTHOR, REVIEWER):
        world.appoint(person, GENERAL)
    yield world, create_app(world.engine, secret_key="test")
    world.engine.close()


@pytest.fixture
def author(people: SignIn) -> FlaskClient:
    return people(AUTHOR)


@pytest.fixture
def reviewer(people: SignIn) -> FlaskClient:
    return people(REVIEWER)


@pytest.fixture
def draft(world: World) -> int:
    """A draft in which two steps were renamed."""
    desk, viewer = world.engine.drafts, world.engine.viewer(AUTHOR)
    made = desk.begin(viewer, PROCESS)
    files = {n: t.replace('name="左"', 'name="左の確認"') for n, t in desk.show(viewer, made).files.items()}
    desk.save(viewer, made, 1, files)
    desk.release(viewer, made)
    return made


def hidden(page: str, name: str) -> str:
    found = re.search(rf'name="{name}" value="([^"]*)"', page)
    assert found is not None, name
    return found[1]


def ask(post: Post, client: FlaskClient, draft: int, text: str = "名前を直しました") -> Any:
    page = client.get(f"/designer/{draft}/review").text
    return post(client, f"/designer/{draft}/review/ask", {"revision": hidden(page, "revision"), "request": text})


def approve(post: Post, client: FlaskClient, draft: int, **more: str) -> Any:
    page = client.get(f"/designer/{draft}/review").text
    data = {"revision": hidden(page, "revision"), "replaces": hidden(page, "replaces"), "when": "now", **more}
    return post(client, f"/designer/{draft}/review/approve", data)


def test_a_draft_is_asked_for_looked_at_and_approved_by_another(
    world: World, author: FlaskClient, reviewer: FlaskClient, post: Post, draft: int
) -> None:
    page = author.get(f"/designer/{draft}/review").text
    assert "確認を依頼する" in page and "/review/approve" not in page
    assert ask(post, author, draft).status_code == 303
    own = author.get(f"/designer/{draft}/review").text
    assert "ほかの人に頼んでください" in own and "/review/approve" not in own and "依頼を取り下げて" in own
    assert approve(post, reviewer, draft, when="").status_code == 422
    page = reviewer.get(f"/designer/{draft}/review").text
    for text in ("名前を直しました", "左の確認", "第1版から変わるところ", "人の処理", "指摘なし"):
        assert text in page, text
    done = approve(post, reviewer, draft, comment="確認しました")
    assert done.status_code == 303 and done.location.endswith(f"/designer/versions/{PROCESS}")
    listed = reviewer.get(done.location).text
    for text in ("第2版", "施行中", "旧版", f"{AUTHOR}さん", f"{REVIEWER}さん", "確認しました", "第1版と比べる"):
        assert text in listed, text
    assert "第2版を承認しました（2026年11月16日（月） 10:00から施行）" in listed


def test_the_author_is_refused_even_with_the_address(author: FlaskClient, post: Post, draft: int, world: World) -> None:
    ask(post, author, draft)
    base = world.rows("definition", process_id=PROCESS)[-1]["id"]
    answer = post(author, f"/designer/{draft}/review/approve", {"revision": "2", "replaces": str(base), "when": "now"})
    assert answer.status_code == 403 and "本人は" in answer.text
    assert len(world.rows("definition", process_id=PROCESS)) == 1


@pytest.mark.parametrize(
    ("typed", "told"),
    [
        ({"when": "day", "day": ""}, "施行日を入力"),
        ({"when": "day", "day": "きのう"}, "施行日を入力"),
        ({"when": "day", "day": "2026-11-15"}, "いまより後"),
        ({"when": "day", "day": "2026-11-16"}, "いまより後"),
        ({"when": "day", "day": "2026-12-01", "time": "25:00"}, "09:00 のように"),
        ({"when": ""}, "いつ施行するか"),
        ({"revision": "1"}, "保存しています"),
        ({"replaces": "1"}, "確かめ直してください"),
    ],
)
def test_what_cannot_be_approved_is_told_and_what_was_typed_stays(
    world: World, author: FlaskClient, reviewer: FlaskClient, post: Post, draft: int, typed: dict[str, str], told: str
) -> None:
    ask(post, author, draft)
    answer = approve(post, reviewer, draft, comment="意見はそのまま", **typed)
    assert answer.status_code in (409, 422) and told in answer.text, words(answer.text)
    assert "意見はそのまま" in answer.text
    assert len(world.rows("definition", process_id=PROCESS)) == 1


def test_a_version_for_a_day_to_come_is_listed_and_called_off(
    world: World, author: FlaskClient, reviewer: FlaskClient, post: Post, draft: int
) -> None:
    ask(post, author, draft)
    done = approve(post, reviewer, draft, when="day", day="令和8年12月1日", time="")
    page = reviewer.get(done.location).text
    assert ("施行前" in page and "2026年12月1日" in words(page).replace("（火）", "")) or "12月1日" in page
    made = world.rows("definition", process_id=PROCESS)[-1]
    assert f"/designer/versions/{made['id']}/cancel" in page
    assert f"/designer/versions/{made['id']}/cancel" not in author.get(done.location).text
    empty = post(reviewer, f"/designer/versions/{made['id']}/cancel", {"process": PROCESS, "reason": ""})
    assert empty.status_code == 422 and "理由を入力" in empty.text
    post(reviewer, f"/designer/versions/{made['id']}/cancel", {"process": PROCESS, "reason": "日付の誤り"})
    page = reviewer.get(done.location).text
    assert "取消し" in page and "日付の誤り" in page
    assert "編集中" in author.get(f"/designer/{draft}/review").text


def test_a_draft_comes_back_with_a_reason(author: FlaskClient, reviewer: FlaskClient, post: Post, draft: int) -> None:
    ask(post, author, draft)
    assert post(reviewer, f"/designer/{draft}/review/return", {"reason": ""}).status_code == 422
    assert post(reviewer, f"/designer/{draft}/review/return", {"reason": "右も直してください"}).status_code == 303
    page = author.get(f"/designer/{draft}/review").text
    assert "差戻し" in page and "右も直してください" in page and "確認を依頼する" in page
    ask(post, author, draft)
    assert post(author, f"/designer/{draft}/review/withdraw").status_code == 303
    assert approve_status(post, reviewer, draft) == 409


def approve_status(post: Post, client: FlaskClient, draft: int) -> int:
    return int(post(client, f"/designer/{draft}/review/approve", {"revision": "2", "replaces": "", "when": "now"}).status_code)


def test_two_versions_side_by_side(world: World, author: FlaskClient, reviewer: FlaskClient, post: Post, draft: int) -> None:
    world.start("parallel", amount=1)
    base = world.rows("definition", process_id=PROCESS)[-1]["id"]
    page = author.get(f"/designer/compare?from=v{base}&to=d{draft}")
    assert page.status_code == 200
    assert page.text.count("data-diagram-twin") == 2 and "{&#34;left&#34;: {&#34;state&#34;: &#34;changed&#34;}}" in page.text
    for text in (
        "変わったところがこの先にある",
        "左の確認",
        "変わる前",
        "変わった後",
        f'data-show-element="left" data-show-diagram="{PROCESS}"',
    ):
        assert text in page.text, text
    assert "unsafe-inline" not in page.headers["Content-Security-Policy"]
    drawn = re.findall(r'data-diagram="([^"]+)"', page.text)
    assert 'name="左"' in author.get(drawn[0]).text and 'name="左の確認"' in author.get(drawn[1]).text
    assert author.get(drawn[0] + "x").status_code == 404
    for wrong in ("/designer/compare", "/designer/compare?from=v0&to=v1", "/designer/compare?from=x&to=v１"):
        assert author.get(wrong).status_code == 404, wrong
    same = author.get(f"/designer/compare?from=v{base}&to=v{base}").text
    assert "手続の動きに関わる変更はありません" in same


def test_nobody_else_sees_any_of_it(world: World, people: SignIn, author: FlaskClient, post: Post, draft: int) -> None:
    staff = people(STAFF)
    base = world.rows("definition", process_id=PROCESS)[-1]["id"]
    for path in (
        f"/designer/versions/{PROCESS}", "/designer/record", f"/designer/{draft}/review", f"/designer/compare?from=v{base}&to=d{draft}",
        f"/designer/compare/v{base}/office/parallel.bpmn", f"/designer/versions/{base}/files.zip",
    ):  # fmt: skip
        assert staff.get(path).status_code == 403, path
        assert author.get(path).status_code == 200, path
    other = people("general_protection_manager.elsewhere.elsewhere")
    assert other.get(f"/designer/{draft}/review").status_code == 404
    assert other.get(f"/designer/versions/{base}/files.zip").status_code == 404
    assert author.get("/designer/versions/nothing").status_code == 404


def test_the_record_tells_who_did_what(author: FlaskClient, reviewer: FlaskClient, post: Post, draft: int) -> None:
    ask(post, author, draft)
    approve(post, reviewer, draft)
    text = words(reviewer.get("/designer/record").text)
    assert text.index("第2版を承認しました") < text.index("確認を依頼しました") < text.index("下書き「手続」を作りました")


def test_a_versions_files_can_be_taken_away(world: World, author: FlaskClient) -> None:
    base = world.rows("definition", process_id=PROCESS)[-1]
    packed = author.get(f"/designer/versions/{base['id']}/files.zip")
    with zipfile.ZipFile(io.BytesIO(packed.data)) as archive:
        assert {name: archive.read(name).decode() for name in archive.namelist()} == json.loads(base["bundle"])


def test_the_designer_leads_there(author: FlaskClient, draft: int) -> None:
    hub = author.get("/designer").text
    assert f"/designer/{draft}/review" in hub and f"/designer/versions/{PROCESS}" in hub
    assert f"/designer/{draft}/review" in author.get(f"/designer/{draft}").text


SCENARIO = """
title: 両方を済ませる
process: office_parallel
starts: 2026-11-16T10:00:00+09:00
start: {by: staff@a, answers: {item_summary: 点検, owning_unit: a, amount: 1}}
steps:
  - complete: left
  - complete: right
"""


def test_scenarios_are_played_on_both_and_what_goes_otherwise_is_told(
    world: World, author: FlaskClient, monkeypatch: pytest.MonkeyPatch, draft: int
) -> None:
    place = world.engine.settings.bpmn / "office" / "scenarios"
    place.mkdir()
    (place / "both.yaml").write_text(SCENARIO, "utf-8")
    (place / "stops.yaml").write_text(SCENARIO.replace("両方を", "片方だけ").replace("  - complete: right\n", ""), "utf-8")
    (place / "other.yaml").write_text(SCENARIO.replace("office_parallel", "office_approval"), "utf-8")
    base = world.rows("definition", process_id=PROCESS)[-1]["id"]
    desk, viewer = world.engine.drafts, world.engine.viewer(AUTHOR)
    other = desk.begin(viewer, PROCESS)
    files = {n: t.replace('name="both"', "").replace('"right"', '"right_one"') for n, t in desk.show(viewer, other).files.items()}
    kept = SCENARIO.replace("両方を", "下書きの").replace("  - complete: left\n", "  - complete: left\n  - complete: right_one\n", 1)
    desk.save(viewer, other, 1, {**files, "office/scenarios/kept.yaml": kept.replace("  - complete: right\n", "")})
    page = author.get(f"/designer/compare/scenarios?from=v{base}&to=d{other}")
    text = words(page.text)
    assert "結果が変わる" in text and "案件は終わりました（両方済み）" in text and "2番目（completeright）で止まります" in text
    assert "3件のうち、変わるもの3件" in text, "two of the folder, and the one that lies beside the draft"
    assert "other.yaml" not in text
    assert "kept.yaml" in text and "2番目（completeright_one）で止まります" in text
    told = run(world, monkeypatch, "compare", f"{PROCESS}:1", f"draft:{other}", "--as", AUTHOR, "--scenarios").stdout
    assert "シナリオ both.yaml　結果が変わる" in told and "シナリオ stops.yaml　途中が変わる" in told
    broken = desk.begin(viewer, PROCESS)
    refused = {n: t.replace("protection_manager@owning_unit", "nobody@owning_unit") for n, t in files.items()}
    desk.save(viewer, broken, 1, refused)
    assert author.get(f"/designer/compare/scenarios?from=v{base}&to=d{broken}").status_code == 422


# ---------------------------------------------------------------- commands


def run(world: World, monkeypatch: pytest.MonkeyPatch, *given: str) -> Any:
    monkeypatch.setattr(Engine, "from_environment", classmethod(lambda cls: world.engine))
    result = CliRunner().invoke(main, list(given))
    assert result.exception is None or isinstance(result.exception, SystemExit), result.exception
    return result


def put_in_force(world: World, draft: int) -> None:
    versions = world.engine.versions
    versions.ask(world.engine.viewer(AUTHOR), draft, 2)
    base = world.rows("definition", process_id=PROCESS)[-1]["id"]
    versions.approve(world.engine.viewer(REVIEWER), draft, 2, base)


def test_versions_and_differences_by_command(world: World, monkeypatch: pytest.MonkeyPatch, draft: int, tmp_path: Path) -> None:
    put_in_force(world, draft)
    listed = run(world, monkeypatch, "versions", PROCESS, "--as", AUTHOR).stdout.splitlines()
    assert [line[:3] for line in listed] == ["第2版", "第1版"] and f"作成 {AUTHOR}さん" in listed[0] and "フォルダーから" in listed[1]
    assert json.loads(run(world, monkeypatch, "versions", PROCESS, "--as", AUTHOR, "--json").stdout)[0]["number"] == 2
    assert run(world, monkeypatch, "versions", PROCESS, "--as", STAFF).exit_code == 1
    told = run(world, monkeypatch, "compare", f"{PROCESS}:1", f"{PROCESS}:2", "--as", AUTHOR).stdout
    assert "人の処理「左の確認」（left）" in told and "変更　名前：左 → 左の確認" in told and "進行中の案件 0件" in told
    data = json.loads(run(world, monkeypatch, "compare", f"{PROCESS}:1", f"draft:{draft}", "--as", AUTHOR, "--json").stdout)
    assert [(one["element"], one["what"]) for one in data["changes"]] == [("left", "name")]
    assert run(world, monkeypatch, "compare", f"{PROCESS}:1", f"{PROCESS}:9", "--as", AUTHOR).exit_code == 1
    assert run(world, monkeypatch, "compare", f"{PROCESS}:1", "nonsense", "--as", AUTHOR).exit_code == 2
    old, new = tmp_path / "old.bpmn", tmp_path / "new.bpmn"
    text = (world.engine.settings.bpmn / "office" / "parallel.bpmn").read_text("utf-8")
    old.write_text(text, "utf-8")
    new.write_text(text.replace('name="右"', 'name="右側"'), "utf-8")
    assert "名前：右 → 右側" in run(world, monkeypatch, "compare", str(old), str(new)).stdout


def test_the_folder_and_the_designer_are_brought_together_by_command(world: World, monkeypatch: pytest.MonkeyPatch, draft: int) -> None:
    put_in_force(world, draft)
    file = world.engine.settings.bpmn / "office" / "parallel.bpmn"
    deploy = ("deploy", "--organisation", "office", "--as", AUTHOR)
    quiet = run(world, monkeypatch, *deploy)
    assert quiet.exit_code == 0 and "変わった手続はありません" in quiet.stdout and "第2版のほうが新しい" in quiet.stderr
    file.write_text(file.read_text("utf-8").replace('name="右"', 'name="右側"'), "utf-8")
    refused = run(world, monkeypatch, *deploy)
    assert refused.exit_code == 1 and f"--replace {PROCESS}" in refused.stderr and "何も施行していません" in refused.stderr
    export = ("export-bundle", PROCESS, "--as", AUTHOR)
    held = run(world, monkeypatch, *export)
    assert held.exit_code == 1 and "内容の違うファイルがあります：office/parallel.bpmn" in held.stderr
    assert "第2版の" in run(world, monkeypatch, *export, "--overwrite").stdout
    assert 'name="左の確認"' in file.read_text("utf-8")
    told = run(world, monkeypatch, *deploy)
    assert "変わった手続はありません" in told.stdout and told.stderr == ""
    file.write_text(file.read_text("utf-8").replace('name="右"', 'name="右側"'), "utf-8")
    assert f"{PROCESS} 第3版" in run(world, monkeypatch, *deploy, "--replace", PROCESS).stdout
    assert run(world, monkeypatch, "export-bundle", PROCESS, "--version", "9", "--as", AUTHOR).exit_code == 2
