"""案件の移行の画面と命令：何が起きるかを見て提案し、別の人が承認し、一件ずつの結果を見て、戻す。"""

from __future__ import annotations

import html
import json
import re
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner
from flask import Flask
from flask.testing import FlaskClient

from engine import Engine
from tests.engine.test_moving import RENAMED, version, without_fix
from tests.support import AUDITOR, GENERAL, MANAGER, World, make_world, offices
from tests.webui.conftest import Post
from tests.webui.posts import SignIn, words
from webui import create_app
from webui.cli import main

ONE, TWO, STAFF = "designer.one", "designer.two", "staff.a"
PAGE = "/designer/moving/office_parallel"


@pytest.fixture
def site(tmp_path: Path) -> Iterator[tuple[World, Flask]]:
    """Monday, 16 November 2026, 10:00; two designers."""
    folder = tmp_path / "bpmn"
    shutil.copytree(offices(), folder)
    world = make_world(tmp_path, bpmn=folder)
    for person in (ONE, TWO):
        world.appoint(person, GENERAL)
    yield world, create_app(world.engine, secret_key="test")
    world.engine.close()


@pytest.fixture
def one(people: SignIn) -> FlaskClient:
    return people(ONE)


@pytest.fixture
def two(people: SignIn) -> FlaskClient:
    return people(TWO)


@pytest.fixture
def running(world: World) -> list[int]:
    """Three cases of a version that is not the one in force any more."""
    cases = [world.start("parallel", amount=number) for number in (1, 2, 3)]
    version(world, "parallel", RENAMED)
    return cases


def posted(page: str) -> dict[str, Any]:
    """What the form of a preview sends when nothing in it is touched."""
    form = page[page.index('name="from" value=') - 400 :]
    found: dict[str, Any] = {
        name: html.unescape(re.search(rf'name="{re.escape(name)}" value="([^"]*)"', form)[1])  # type: ignore[index]
        for name in re.findall(r'type="hidden" name="((?:from|to|place\.[^"]*))"', form)
    }
    return {**found, "case": re.findall(r'name="case" value="([^"]*)"', form)}


def propose(post: Post, client: FlaskClient, path: str = PAGE, **more: Any) -> Any:
    return post(client, path.partition("?")[0], {**posted(client.get(path).text), **more})


def test_one_proposes_another_approves_and_each_case_has_its_result(
    world: World, one: FlaskClient, two: FlaskClient, post: Post, running: list[int]
) -> None:
    page = one.get(PAGE)
    text = words(page.text)
    assert page.status_code == 200 and "3件のうち、移せるもの3件" in text
    for told in ("左の確認", "名前", "そのまま続くもの1件", "案R8-0001"):
        assert told in text, told
    assert "山田太郎" not in page.text, "nothing of what the cases are about"
    done = propose(post, one, note="様式の変更")
    assert done.status_code == 303
    plan = done.location
    own = one.get(plan).text
    assert "ほかの人に頼んでください" in own and "/approve" not in own and "計画を取り下げる" in own
    other = two.get(plan).text
    assert "承認して移す" in other and "様式の変更" in other and "計画を取り下げる" not in other
    world.complete(running[1], "left")
    assert "計画の後に変わりました" in two.get(plan).text
    assert post(two, f"{plan}/approve", {"comment": "確認しました"}).status_code == 303
    result = words(two.get(plan).text)
    assert "2件を移しました" in result and "移せなかったもの1件は、元のままです" in result and "案件が進み" in result
    assert "確認しました" in result and "元の版に戻す" in result
    assert [world.case(case)["definition"] for case in running].count(world.rows("definition", process_id="office_parallel")[-1]["id"]) == 2
    listed = words(one.get(PAGE).text)
    assert "移した2件、移せなかった1件" in listed
    assert "第1版から第2版へ移すことを提案しました" in words(one.get("/designer/versions/office_parallel").text)


def test_a_case_goes_back_until_something_happens(world: World, one: FlaskClient, two: FlaskClient, post: Post, running: list[int]) -> None:
    plan = propose(post, one).location
    post(two, f"{plan}/approve")
    assert post(one, f"{plan}/undo/{running[0]}").status_code == 303
    assert "元の版に戻しました" in words(one.get(plan).text)
    with world.acting(MANAGER) as work:
        work.note(running[1], "見た")
    page = one.get(plan).text
    assert f"/undo/{running[1]}" not in page and f"/undo/{running[2]}" in page and "戻せません" in page
    late = post(one, f"{plan}/undo/{running[1]}")
    assert late.status_code == 409 and "元の版に戻せません" in late.text


def test_where_a_step_is_gone_somebody_says_what_takes_its_place(world: World, one: FlaskClient, two: FlaskClient, post: Post) -> None:
    case = world.start("approval", amount=1)
    world.complete(case, "review", opinion="よい", needs_fix=True)
    version(world, "approval", without_fix)
    page = one.get("/designer/moving/office_approval")
    assert "移せません" in page.text and 'name="place.fix"' in page.text and "閉じて、ここから始める" in page.text
    assert 'name="case"' not in page.text and "この内容で提案する" not in page.text
    base = {row["version"]: row["id"] for row in world.rows("definition", process_id="office_approval")}
    path = f"/designer/moving/office_approval?from={base[1]}&to={base[2]}&place.fix=anew:review"
    text = words(one.get(path).text)
    assert "1件のうち、移せるもの1件" in text and "増える処理審査" in text and "なくなる処理補正" in text
    plan = propose(post, one, path).location
    assert "補正：閉じて、「審査」から始める" in words(two.get(plan).text)
    post(two, f"{plan}/approve")
    assert world.waits(case) == ["review"]


@pytest.mark.parametrize(
    ("data", "told"),
    [({"case": []}, "移す案件を選んでください"), ({"case": ["1:x"]}, "案件が進み"), ({"case": ["999:x"]}, "進行していません")],
)
def test_what_cannot_be_proposed_is_told_and_what_was_typed_stays(
    world: World, one: FlaskClient, post: Post, running: list[int], data: dict[str, Any], told: str
) -> None:
    data = {"case": [text.replace("1:", f"{running[0]}:") if text.startswith("1:") else text for text in data["case"]]}
    answer = propose(post, one, note="理由はそのまま", **data)
    assert answer.status_code == 422 and told in answer.text and "理由はそのまま" in answer.text
    assert world.rows("case_move") == []


@pytest.mark.parametrize("data", [{"case": "x:y"}, {"case": "１:y"}, {"from": "0"}, {"to": "x"}, {"place.left": "nonsense"}])
def test_what_no_form_sends_is_refused(world: World, one: FlaskClient, post: Post, running: list[int], data: dict[str, str]) -> None:
    assert propose(post, one, **data).status_code == 400
    assert one.get(f"{PAGE}?place.left=nonsense").status_code == 400
    assert world.rows("case_move") == []


def test_a_plan_is_turned_down_or_taken_back(one: FlaskClient, two: FlaskClient, post: Post, running: list[int]) -> None:
    first, second = propose(post, one).location, propose(post, one).location
    assert post(one, f"{first}/approve").status_code == 403
    assert post(two, f"{first}/withdraw").status_code == 403
    assert post(two, f"{first}/refuse", {"reason": ""}).status_code == 422
    assert post(two, f"{first}/refuse", {"reason": "様式が未定"}).status_code == 303
    page = words(one.get(first).text)
    assert "認められなかった" in page and "様式が未定" in page
    assert post(one, f"{second}/withdraw").status_code == 303
    for late in ("approve", "carry-on"):
        answer = post(two, f"{second}/{late}")
        assert answer.status_code == 409 and "すでに決まっているか" in answer.text


def test_nobody_else_comes_here(world: World, people: SignIn, one: FlaskClient, post: Post, running: list[int]) -> None:
    plan = propose(post, one).location
    staff = people(STAFF)
    for path in (PAGE, plan):
        assert staff.get(path).status_code == 403
    for path in (PAGE, f"{plan}/approve", f"{plan}/refuse", f"{plan}/withdraw", f"{plan}/carry-on", f"{plan}/undo/{running[0]}"):
        assert post(staff, path).status_code == 403, path
    auditor = people(world.person(AUDITOR))
    assert auditor.get(PAGE).status_code == 403
    other = people("general_protection_manager.elsewhere.elsewhere")
    assert other.get(plan).status_code == 404 and other.get(PAGE).status_code == 404
    assert one.get("/designer/moving/nothing").status_code == 404
    assert one.get("/designer/moving/plans/999").status_code == 404


def test_versions_and_their_comparison_lead_there(world: World, one: FlaskClient, running: list[int]) -> None:
    old, new = (row["id"] for row in world.rows("definition", process_id="office_parallel"))
    assert PAGE in one.get("/designer/versions/office_parallel").text
    page = one.get(f"/designer/compare?from=v{old}&to=v{new}").text
    assert f"{PAGE}?from={old}&amp;to={new}" in page and "第2版へ移す" in page
    assert PAGE not in one.get(f"/designer/compare?from=v{new}&to=v{old}").text, "nothing runs there"


# ---------------------------------------------------------------- commands


def run(world: World, monkeypatch: pytest.MonkeyPatch, *given: str) -> Any:
    monkeypatch.setattr(Engine, "from_environment", classmethod(lambda cls: world.engine))
    result = CliRunner().invoke(main, list(given))
    assert result.exception is None or isinstance(result.exception, SystemExit), result.exception
    return result


def test_cases_are_moved_by_command_with_two_persons(world: World, monkeypatch: pytest.MonkeyPatch, running: list[int]) -> None:
    move = ("move-cases", "office_parallel", "--to", "2", "--as", ONE)
    dry = run(world, monkeypatch, *move, "--dry-run").stdout
    assert "第1版から第2版へ：3件のうち、移せるもの3件" in dry and "変わる　処理「左の確認」：名前 左 → 左の確認" in dry
    assert world.rows("case_move") == []
    (told,) = json.loads(run(world, monkeypatch, *move, "--json").stdout)
    assert (told["from"], told["to"], len(told["cases"])) == (1, 2, 3)
    plan = str(told["plan"])
    own = run(world, monkeypatch, "approve-move", plan, "--as", ONE)
    assert own.exit_code == 1 and "本人" in own.stderr
    assert "移した3件、移せなかった0件" in run(world, monkeypatch, "approve-move", plan, "--as", TWO).stdout
    number = world.case(running[0])["number"]
    assert "戻した" in run(world, monkeypatch, "undo-move", plan, number, "--as", ONE).stdout
    assert run(world, monkeypatch, "undo-move", plan, number, "--as", ONE).exit_code == 1
    assert run(world, monkeypatch, "undo-move", plan, "x", "--as", ONE).exit_code == 2
    assert run(world, monkeypatch, *move[:3], "9", *move[4:]).exit_code == 2
    assert run(world, monkeypatch, *move[:-1], STAFF).exit_code == 1


def test_what_stands_where_nothing_is_left_is_given_its_place_by_command(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    case = world.start("approval", amount=1)
    world.complete(case, "review", opinion="よい", needs_fix=True)
    version(world, "approval", without_fix)
    move = ("move-cases", "office_approval", "--to", "2", "--as", ONE, "--dry-run")
    assert "✕ 補正：新しい図に" in run(world, monkeypatch, *move).stdout
    assert "移せるもの1件" in run(world, monkeypatch, *move, "--place", "fix=anew:review").stdout
    assert run(world, monkeypatch, *move, "--place", "fix=review").exit_code == 2
    assert "移す案件はありません" in run(world, monkeypatch, "move-cases", "office_clock", "--to", "1", "--as", ONE).stdout
