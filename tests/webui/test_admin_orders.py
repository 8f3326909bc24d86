"""発令と組織の改正の画面と命令：取り込んだ人は承認できず、誤りがあれば何も取り込まれず、案件の内容は出ない。"""

from __future__ import annotations

import hashlib
import io
import json
from collections.abc import Iterator
from datetime import date
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner
from flask import Flask
from flask.testing import FlaskClient

from engine import Engine
from engine.order_rows import ACTIONS, COLUMNS
from engine.order_rows import KINDS as HELD_AS
from engine.reorganisation import KINDS
from tests.support import World
from tests.webui.conftest import Post, token_of
from tests.webui.posts import APPROVER, KEEPER, MANAGER, OTHER, SECRET, STAFF, SignIn, make_site, signed_in, words
from webui import admin_orders
from webui.cli import main

HEAD = "職員番号,氏名,発令,部署,役,区分,発令日,終了日,根拠"
RELIEVE = f"{MANAGER},,免,第一課,保護管理者,,令和8年12月1日,,"
APPOINT = f"{OTHER},,任命,第一課,保護管理者,兼務,R8.12.1,,"


@pytest.fixture
def site(tmp_path: Path) -> Iterator[tuple[World, Flask]]:
    """Monday, 16 November 2026, 10:00; one case waits with the manager of the first section."""
    world, app = make_site(tmp_path)
    world.start("approval")
    yield world, app
    world.engine.close()


@pytest.fixture
def keeper(people: SignIn) -> FlaskClient:
    return people(KEEPER)


def table(*rows: str, code: str = "utf-8", head: str = HEAD) -> bytes:
    return "".join(f"{row}\r\n" for row in (head, *rows)).encode(code)


def send(client: FlaskClient, content: bytes | None, name: str = "発令.csv", **typed: str) -> Any:
    data: dict[str, Any] = {"csrf_token": token_of(client.get("/account").text), "title": "", "on": "", **typed}
    if content is not None:
        data["file"] = (io.BytesIO(content), name)
    return client.post("/admin/orders/new", data=data, content_type="multipart/form-data")


def test_the_words_of_the_page_are_those_the_engine_reads() -> None:
    assert [name for name, _, _ in admin_orders.COLUMNS] == [names[0] for names in COLUMNS.values()]
    assert {name for name, _ in admin_orders.ACTIONS} <= set(ACTIONS)
    assert len(admin_orders.ACTIONS) == len(set(ACTIONS.values()))
    assert dict(KINDS) == admin_orders.CHANGES
    page_words = " ".join(text for _, _, text in admin_orders.COLUMNS)
    assert all(word in page_words for word in HELD_AS)


def test_the_template_is_read_as_it_is(keeper: FlaskClient) -> None:
    answer = keeper.get("/admin/orders/template.csv")
    assert answer.mimetype == "text/csv"
    assert "attachment" in answer.headers["Content-Disposition"]
    assert answer.data.startswith(b"\xef\xbb\xbf")
    refused = send(keeper, answer.data)
    assert refused.status_code == 422
    assert "発令の行がありません" in refused.text


@pytest.mark.parametrize("code", ["utf-8", "utf-8-sig", "cp932", "utf-16"])
def test_an_order_is_drafted_looked_at_and_approved_by_another(
    keeper: FlaskClient, people: SignIn, world: World, post: Post, code: str
) -> None:
    content = table(RELIEVE, APPOINT, code=code)
    made = send(keeper, content, title="十二月の異動")
    assert made.status_code == 303, made.text
    before = world.rows("holding")
    page = keeper.get(made.location).text
    number = world.case(1)["number"]
    for text in ("十二月の異動", "引き継ぐ処理 1件", "手を離れる処理 1件", number, "審査", hashlib.sha256(content).hexdigest(), "発令.csv"):
        assert text in page, text
    assert SECRET not in page
    assert "取り込んだ本人は承認できません" in page
    assert "/approve" not in page
    own = post(keeper, f"{made.location}/approve")
    assert own.status_code == 422
    assert "取り込んだ本人は承認できません" in own.text
    assert world.rows("holding") == before, "a draft changes nothing"
    approver = people(APPROVER)
    assert f'action="{made.location}/approve"' in approver.get(made.location).text
    done = post(approver, f"{made.location}/approve", follow_redirects=True)
    assert "発令を承認しました" in done.text
    assert "承認済み" in done.text
    assert "北部 部課等保護管理者さん" in done.text
    again = post(approver, f"{made.location}/approve")
    assert again.status_code == 422
    assert "すでに承認されたか" in again.text
    assert number not in people(OTHER).get("/inbox").text
    world.clock.advance(days=15)
    assert number in people(OTHER).get("/inbox").text
    assert number not in people(MANAGER).get("/inbox").text


FAULTY: tuple[tuple[bytes, str], ...] = (
    (table("x1,甲,採用,第九課,保護管理者,,令和8年12月1日,,", code="cp932"), "部署「第九課」は、この機関にありません"),
    (table(f"{OTHER},,任命,第一課,市長,,令和8年12月1日,,"), "役「市長」は、この機関にありません"),
    (table(f"{MANAGER},,免,第一課,保護管理者,,令和8年11月16日,,"), "過去か今日です"),
    (table(f"{MANAGER},,免,第一課,保護管理者,,令和7年4月1日,,"), "過去か今日です"),
    (table(f"{OTHER},,免,第一課,保護管理者,,令和8年12月1日,,"), "その役に就いていません"),
    (table("staff.a.elsewhere,他庁 職員,採用,第一課,職員,,令和8年12月1日,,"), "この番号は使えません"),
    (table(RELIEVE, head="職員番号,氏名,発令,部署,役,区分,発令の日,終了日,根拠"), "列「発令の日」は読み取れません"),
    (b"%PDF-1.7", "PDFの形式です"),
    (b"PK\x03\x04broken", "壊れています"),
    (b"", "中身が空です"),
    (table("a\x00b"), "文字コードが"),
)


@pytest.mark.parametrize(("content", "said"), FAULTY)
def test_a_file_with_a_fault_is_told_and_nothing_is_kept(keeper: FlaskClient, world: World, content: bytes, said: str) -> None:
    answer = send(keeper, content, title="誤りのある発令")
    assert answer.status_code == 422
    assert said in words(answer.text) or said in answer.text
    assert 'value="誤りのある発令"' in answer.text
    assert world.rows("personnel_order") == []


def test_faults_are_listed_by_line_and_column(keeper: FlaskClient) -> None:
    answer = send(keeper, table("n1,甲,採用,第九課,保護管理者,,令和8年12月1日,,", f"{OTHER},,任命,第一課,市長,,32日,,"))
    rows = words(answer.text)
    for text in ("2行目部署", "3行目役", "3行目発令日", "直すところ（3か所）"):
        assert text in rows


@pytest.mark.parametrize(("typed", "said"), [({"on": "32日"}, "日付として読めません"), ({}, "発令のファイルを選んでください")])
def test_the_form_itself_is_checked(keeper: FlaskClient, typed: dict[str, str], said: str) -> None:
    answer = send(keeper, None if not typed else table(RELIEVE), title="件名", **typed)
    assert answer.status_code == 422
    assert said in answer.text
    assert 'value="件名"' in answer.text


def test_a_draft_is_withdrawn_with_a_reason(keeper: FlaskClient, people: SignIn, world: World, post: Post) -> None:
    path = send(keeper, table(RELIEVE)).location
    assert "新しく生じる欠員" in keeper.get(path).text
    assert "第一課 保護管理者</strong>　処理待ち1件" in keeper.get(path).text
    for reason in ("", "\x07"):
        refused = post(keeper, f"{path}/withdraw", {"reason": reason})
        assert refused.status_code == 422
    assert post(people(APPROVER), f"{path}/withdraw", {"reason": "x"}).status_code == 403
    assert world.rows("personnel_order")[0]["state"] == "draft"
    done = post(keeper, f"{path}/withdraw", {"reason": "取り込み誤り"}, follow_redirects=True)
    assert "取りやめ" in done.text
    assert "取り込み誤り" in done.text
    assert post(people(APPROVER), f"{path}/approve").status_code == 422
    assert "取りやめ" in keeper.get("/admin/orders").text


def test_what_no_longer_fits_cannot_be_approved(keeper: FlaskClient, people: SignIn, world: World, post: Post) -> None:
    path = send(keeper, table(RELIEVE)).location
    world.clock.advance(days=20)
    approver = people(APPROVER)
    page = approver.get(path).text
    assert "いまは承認できません" in page
    assert "/approve" not in page
    refused = post(approver, f"{path}/approve")
    assert refused.status_code == 422
    assert "過去か今日です" in refused.text


def test_orders_are_the_offices_own(keeper: FlaskClient, site: tuple[World, Flask], people: SignIn, post: Post) -> None:
    path = send(keeper, table(RELIEVE)).location
    stranger = signed_in(site[1], "general_protection_manager.elsewhere.elsewhere")
    assert stranger.get(path).status_code == 404
    assert post(stranger, f"{path}/approve").status_code == 404
    assert post(stranger, f"{path}/withdraw", {"reason": "x"}).status_code == 404
    assert "発令はまだありません" in stranger.get("/admin/orders").text
    for who in (STAFF, MANAGER):
        assert people(who).get(path).status_code == 403


# ---------------------------------------------------------------- reorganisation


def test_several_changes_are_drafted_and_take_effect(keeper: FlaskClient, people: SignIn, world: World, post: Post) -> None:
    first = {"title": "機構改革", "on": "令和8年12月1日", "_changes": "1", "c0_kind": "rename", "c0_units": "a", "c0_names": "企画課"}
    more = post(keeper, "/admin/reorganise", first | {"_add": "change"})
    assert more.status_code == 200
    assert 'name="c1_kind"' in more.text
    for kept in ('value="機構改革"', 'value="a" selected', ">企画課</textarea>", 'value="rename" checked'):
        assert kept in more.text
    second = first | {"_changes": "3", "c1_kind": "split", "c1_units": "b", "c1_names": "第二課\r\n第三課", "c2_kind": ""}
    made = post(keeper, "/admin/reorganise", second)
    assert made.status_code == 303, made.text
    page = words(keeper.get(made.location).text)
    assert "第一課は企画課になる" in page
    assert "第二課は第二課、第三課になる" in page
    assert "進行中の案件：1件" in page
    assert "就く企画課保護管理者" in page
    assert SECRET not in page
    assert post(people(APPROVER), f"{made.location}/approve").status_code == 303
    assert "第一課は企画課になる" in words(keeper.get(made.location).text)
    world.clock.advance(days=15)
    chart = words(people(KEEPER).get("/admin/units").text)
    for text in ("企画課", "第三課", "第一課保護管理者さん"):
        assert text in chart
    assert world.case(1)["number"] in people(MANAGER).get("/inbox").text


@pytest.mark.parametrize(
    ("typed", "said"),
    [
        ({"on": ""}, "施行日を入力してください"),
        ({"on": "2026-11-16"}, "過去か今日です"),
        ({"c0_kind": ""}, "種類は、名称・所属の変更、統合、分割のどれか"),
        ({"c0_units": "moon"}, "施行日にある部署ではありません"),
        ({"c0_names": ""}, "新しい部署の名称を1つ書いてください"),
        ({"c0_names": "第二課"}, "という部署が、ほかにあります"),
        ({"c0_kind": "split"}, "名称を2つ以上書いてください"),
        ({"c0_parent": "moon"}, "施行日にある部署ではありません"),
        ({"c0_units": "office"}, "機関そのものは変更できません"),
    ],
)
def test_a_bad_change_is_told_and_kept(keeper: FlaskClient, world: World, post: Post, typed: dict[str, str], said: str) -> None:
    given = {"title": "改正", "on": "2026-12-01", "_changes": "1", "c0_kind": "rename", "c0_units": "a", "c0_names": "企画課"} | typed
    answer = post(keeper, "/admin/reorganise", given)
    assert answer.status_code == 422
    assert said in answer.text
    assert 'value="改正"' in answer.text
    assert world.rows("personnel_order") == []


def test_a_form_that_was_tampered_with_stays_small(keeper: FlaskClient, post: Post) -> None:
    answer = post(keeper, "/admin/reorganise", {"_changes": "100000", "_add": "change", "on": "", "title": ""})
    assert answer.status_code == 200
    assert answer.text.count("_kind") <= 3 * admin_orders.MOST_CHANGES


# ---------------------------------------------------------------- commands


def run(world: World, monkeypatch: pytest.MonkeyPatch, *words: str) -> Any:
    monkeypatch.setattr(Engine, "from_environment", classmethod(lambda _: world.engine))
    result = CliRunner().invoke(main, list(words))
    assert result.exception is None or isinstance(result.exception, SystemExit), result.exception
    return result


def test_an_order_by_command(world: World, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    file = tmp_path / "発令.csv"
    file.write_bytes(table(RELIEVE, APPOINT, code="cp932"))
    taken = ("order", "import", str(file), "--organisation", "office", "--title", "異動")
    assert run(world, monkeypatch, *taken, "--by", STAFF).exit_code == 1
    assert run(world, monkeypatch, *taken[:4], "elsewhere", "--by", KEEPER).exit_code == 1
    assert "発令 1 を取り込みました" in run(world, monkeypatch, *taken, "--by", KEEPER).stdout
    told = run(world, monkeypatch, "order", "preview", "1", "--by", KEEPER).stdout
    assert "引き継ぐ処理：" in told
    assert "取り込んだ本人は承認できません" in told
    assert SECRET not in told
    found = json.loads(run(world, monkeypatch, "order", "preview", "1", "--by", APPROVER, "--json").stdout)
    assert (found["may_approve"], found["order"]["effective_on"]) == (True, "2026-12-01")
    refused = run(world, monkeypatch, "order", "approve", "1", "--by", KEEPER)
    assert (refused.exit_code, "取り込んだ本人" in refused.stderr) == (1, True)
    assert run(world, monkeypatch, "order", "approve", "1", "--by", APPROVER).exit_code == 0
    listed = run(world, monkeypatch, "order", "list", "--as", APPROVER).stdout
    assert "承認済み" in listed
    assert "1件" in listed
    assert json.loads(run(world, monkeypatch, "order", "list", "--by", APPROVER, "--json").stdout)[0]["state"] == "approved"
    file.write_bytes(table("x,甲,採用,第九課,職員,,令和8年12月1日,,"))
    faults = run(world, monkeypatch, *taken, "--by", KEEPER)
    assert (faults.exit_code, "2行目 「部署」" in faults.stderr) == (1, True)


def test_posts_by_command(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    seat = "protection_manager@a"
    assert "第一課 保護管理者さん" in run(world, monkeypatch, "who", seat, "--on", "令和8年11月1日", "--by", KEEPER).stdout
    assert run(world, monkeypatch, "who", seat, "--on", "2026-11-01", "--known", "2020-01-01", "--by", KEEPER).stdout == "0人\n"
    assert len(json.loads(run(world, monkeypatch, "who", seat, "--on", "2026-11-01", "--by", KEEPER, "--json").stdout)) == 1
    assert run(world, monkeypatch, "who", seat, "--on", "32日", "--by", KEEPER).exit_code == 2
    assert run(world, monkeypatch, "stuck", "--by", KEEPER).stdout == "0件\n"
    world.disable(MANAGER)
    assert seat in run(world, monkeypatch, "vacancies", "--by", KEEPER).stdout
    assert json.loads(run(world, monkeypatch, "vacancies", "--by", KEEPER, "--json").stdout)[0]["open_tasks"] == 1
    told = run(world, monkeypatch, "stuck", "--by", KEEPER).stdout
    assert world.case(1)["number"] in told
    assert SECRET not in told
    assert json.loads(run(world, monkeypatch, "stuck", "--by", KEEPER, "--json").stdout)[0]["step"] == "審査"
    for command in (("vacancies",), ("stuck",), ("who", seat, "--on", "2026-11-01"), ("order", "list")):
        assert run(world, monkeypatch, *command, "--by", STAFF).exit_code == 1


def test_absences_and_deputies_by_command(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    absence = ("absence", MANAGER, "2026-11-16", "R8.11.20", "--reason", "travel")
    assert run(world, monkeypatch, *absence, "--by", OTHER).exit_code == 1
    assert run(world, monkeypatch, *absence, "--by", MANAGER).exit_code == 0
    assert world.rows("absence")[0]["valid_to"] == date(2026, 11, 20)
    deputy = ("deputy", MANAGER, OTHER, "--seat", "protection_manager@a", "--basis", "規程", "--from", "2026-11-16")
    assert run(world, monkeypatch, *deputy, "--kind", "decision", "--by", MANAGER).exit_code == 1
    assert run(world, monkeypatch, *deputy, "--kind", "decision", "--by", KEEPER).exit_code == 0
    assert run(world, monkeypatch, *deputy, "--by", MANAGER).exit_code == 0
    assert [row["kind"] for row in world.rows("deputy")] == ["decision", "substitute"]
