"""The pages of acting beside the ordinary way, on the real engine: deputies, two steps by one person, 引上げ, 照会, 回覧, several tasks at once."""

from __future__ import annotations

import json
import re
import shutil
from collections.abc import Callable, Iterator
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner
from flask.testing import FlaskClient

from engine import DEPUTY_KINDS, Engine, SetClock, civil_day, hash_password
from engine.model import metadata
from tests.engine.drawing import diagram, end, flows, parallel, start
from tests.support import (
    AMOUNT,
    DIVISION,
    GENERAL,
    MANAGER,
    MONDAY,
    OTHER_MANAGER,
    STAFF,
    SUMMARY,
    UNIT,
    World,
    field,
    said,
    step,
    write_offices,
)
from tests.support import make_engine as engine_on
from tests.support import populate as fill
from tests.webui.conftest import Post
from webui import cli_acting, create_app
from webui.cli import main

PASSWORD = "a-long-and-quiet-password"
TODAY = civil_day(MONDAY)
CHIEF, HEAD, KEEPER = "protection_manager.a", "division_protection_manager.north", "general_protection_manager.office"
STAFF_B, STAFF_C = "staff.b", "staff.c"
VERDICT = field("verdict", "決定", "enum", "granted=承認", "refused=却下", required=True, props={"as_buttons": "true"})
OPINION = field("opinion", "意見", "text", required=True)
PEOPLE_NAMED = field("involved", "関係した職員", "people", props={"named": "true"})

DIAGRAMS: dict[str, tuple[str, ...]] = {
    "route": (
        said(numbering="general"),
        start("begin", said(SUMMARY, UNIT), name="起案"),
        step("check", "審査", "protection_manager@owning_unit", passed_over="none", records="none"),
        step("decide", "決裁", "division_protection_manager@owning_unit", VERDICT, final="true", clause="C-3"),
        end("done", name="完了"),
        flows("begin > check > decide > done"),
    ),
    "pair": (
        said(numbering="general"),
        start("begin", said(SUMMARY, UNIT), name="開始"),
        step("first", "調査", "protection_manager@owning_unit", OPINION, AMOUNT, clause="C-2"),
        step(
            "second", "確認", "division_protection_manager@owning_unit",
            field("count", "件数", "long", required=True, min="0"), field("seen", "見たもの", "set", "p=帳簿", "q=現物"), AMOUNT, VERDICT, clause="C-3",
        ),
        end("done", name="完了"),
        flows("begin > first > second > done"),
    ),
    "optional": (
        said(numbering="general"),
        start("begin", said(SUMMARY, UNIT), name="開始"),
        step("first", "調査", "protection_manager@owning_unit", field("reason", "理由", "string")),
        step("second", "確認", "division_protection_manager@owning_unit", field("reason", "理由", "string", required=True)),
        end("done", name="完了"),
        flows("begin > first > second > done"),
    ),
    "apart": (
        said(numbering="general"),
        start("begin", said(SUMMARY, UNIT), name="開始"),
        step("first", "調査", "protection_manager@owning_unit"),
        step("second", "確認", "division_protection_manager@owning_unit", not_same_person_as="first"),
        end("done", name="完了"),
        flows("begin > first > second > done"),
    ),
    "beside": (
        said(numbering="general"),
        start("begin", said(SUMMARY, UNIT), name="開始"),
        step("first", "調査", "protection_manager@owning_unit", field("persons", "人", "rows", "label=名"), OPINION),
        parallel("fork"),
        step("left", "報告", "protection_manager@owning_unit"),
        step("right", "確認", "division_protection_manager@owning_unit", OPINION, field("measures", "措置", "rows", "what=内容", required=True)),
        parallel("join"),
        end("done", name="完了"),
        flows("begin > first > fork > left > join > done", "fork > right > join"),
    ),
    "about": (
        said(numbering="general"),
        start("begin", said(SUMMARY, UNIT, PEOPLE_NAMED), name="開始"),
        step("handle", "調査", "protection_manager@owning_unit"),
        end("done", name="完了"),
        flows("begin > handle > done"),
    ),
}  # fmt: skip

SignIn = Callable[[str], FlaskClient]


@pytest.fixture(scope="module")
def prepared(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the small offices and these procedures, and a database with everything in place."""
    place = tmp_path_factory.mktemp("acting")
    bpmn = write_offices(place / "bpmn")
    for office in ("office", "elsewhere"):
        for stem, parts in DIAGRAMS.items():
            (bpmn / office / f"{stem}.bpmn").write_bytes(diagram(*parts, id=f"{office}_{stem}"))
    engine = engine_on(f"sqlite:///{place}/template.sqlite", SetClock(MONDAY), bpmn=bpmn)
    engine.migrate()
    fill(engine, ("office",))
    table = metadata.tables["person"]
    with engine.writing() as connection:
        connection.execute(table.update().values(password_hash=hash_password(PASSWORD)))
    engine.close()
    return place


@pytest.fixture
def world(prepared: Path, tmp_path: Path) -> Iterator[World]:
    """The office on a Monday morning."""
    shutil.copy(prepared / "template.sqlite", tmp_path / "acting.sqlite")
    clock = SetClock(MONDAY)
    made = World(engine_on(f"sqlite:///{tmp_path}/acting.sqlite", clock, bpmn=prepared / "bpmn"), clock)
    yield made
    assert made.engine.verify_history() == ()
    made.engine.close()


@pytest.fixture
def people(world: World, post: Post) -> SignIn:
    """Clients signed in by seat or person."""
    app = create_app(world.engine, secret_key="test")

    def by(seat: str) -> FlaskClient:
        client = app.test_client()
        answer = post(client, "/login", {"person": world.person(seat), "password": PASSWORD}, page="/login")
        assert answer.status_code == 303, answer.text
        return client

    return by


def deputy(engine: Engine, principal: str, person: str, kind: str = "substitute", **more: Any) -> int:
    """Register somebody who stands in, as who keeps the registers."""
    given = {"basis": "代決規程第3条", "valid_from": TODAY, "valid_to": None, **more}
    assert kind in DEPUTY_KINDS
    return engine.personnel.register_deputy(engine.viewer(KEEPER), principal, person, kind=kind, **given)


def away(engine: Engine, person: str, last: date | None = None) -> None:
    """Register that somebody is absent from today."""
    engine.personnel.register_absence(engine.viewer(KEEPER), person, TODAY, last, "leave")


def at(world: World, case_id: int, node: str) -> str:
    """The address of an open step."""
    return f"/tasks/{world.task(case_id, node)['id']}"


def carried(world: World, case_id: int, **more: Any) -> dict[str, Any]:
    """What a task's form carries along."""
    return {"_version": str(world.case(case_id)["version"]), "_case": str(case_id), **more}


# ---------------------------------------------------------------- as whom


def test_a_deputy_is_told_for_whom_and_by_which_rule_and_so_is_the_record(world: World, people: SignIn, post: Post) -> None:
    deputy(world.engine, CHIEF, STAFF_B)
    case_id = world.start("route")
    client, path = people(STAFF_B), at(world, case_id, "check")
    inbox = client.get("/inbox").text
    assert '<span class="badge badge-acting">代理</span>' in inbox
    page = client.get(path).text
    assert "<strong>第一課 保護管理者（第一課 保護管理者さんの代理、根拠：代決規程第3条）</strong>として行います。" in page
    assert post(client, path, carried(world, case_id, _seat=MANAGER)).status_code == 303
    assert (
        "第二課 職員さん　第一課 保護管理者（第一課 保護管理者さんの代理、根拠：代決規程第3条）として"
        in client.get(f"/cases/{case_id}").text
    )


def test_who_holds_the_seat_gets_no_tag(world: World, people: SignIn) -> None:
    world.start("route")
    page = people(MANAGER).get("/inbox").text
    assert "審査" in page and "badge-acting" not in page
    own = people(MANAGER).get(re.findall(r'href="(/tasks/\d+)"', page)[0]).text
    assert "<strong>第一課 保護管理者</strong>として行います。" in own


def test_a_final_decision_is_taken_for_the_absent_and_only_then(world: World, people: SignIn, post: Post) -> None:
    deputy(world.engine, HEAD, STAFF_B, "decision", seat=DIVISION)
    case_id = world.start("route")
    with world.acting(MANAGER) as work:
        work.complete(world.task(case_id, "check")["id"], {})
    client, path = people(STAFF_B), at(world, case_id, "decide")
    assert client.get(path).status_code == 404 and client.get(f"{path}/why").status_code == 404
    away(world.engine, HEAD, TODAY + timedelta(days=2))
    assert "代決</span>" in client.get("/inbox").text
    assert "北部 部課等保護管理者（北部 部課等保護管理者さんの代決、根拠：代決規程第3条）" in client.get(path).text
    assert post(client, path, carried(world, case_id, verdict="granted", _seat=DIVISION)).status_code == 303
    page = people(HEAD).get("/referrals").text
    assert "後閲" in page and "「決裁」が代決されました。" in page


def test_who_may_do_it_in_two_ways_says_in_which(world: World, people: SignIn) -> None:
    world.appoint(CHIEF, OTHER_MANAGER, kind="caretaker")
    page = people(MANAGER).get("/report/office_route").text
    assert "どの役として行いますか" in page and "第二課 保護管理者（事務取扱）" in page
    deputy(world.engine, HEAD, CHIEF)
    page = people(MANAGER).get("/report/office_route").text
    assert "北部 部課等保護管理者（北部 部課等保護管理者さんの代理、根拠：代決規程第3条）" in page


def test_a_deputys_deputy_sees_nothing(world: World, people: SignIn, post: Post) -> None:
    deputy(world.engine, CHIEF, STAFF_B)
    deputy(world.engine, STAFF_B, STAFF_C)
    case_id = world.start("route")
    client, path = people(STAFF_C), at(world, case_id, "check")
    assert "審査" not in client.get("/inbox").text
    for address in (path, f"{path}/why", f"/cases/{case_id}", f"/cases/{case_id}/consult", f"/cases/{case_id}/circulate"):
        assert client.get(address).status_code == 404, address
    assert post(client, path, carried(world, case_id, _seat=MANAGER)).status_code in (403, 404)
    assert world.waits(case_id) == ["check"]


def test_what_somebody_is_kept_from_comes_to_the_next_in_order(world: World, people: SignIn, post: Post) -> None:
    case_id = world.start("about", involved=[CHIEF])
    path = at(world, case_id, "handle")
    named, next_one = people(MANAGER), people(DIVISION)
    assert "調査" not in named.get("/inbox").text and named.get(f"{path}/why").status_code == 404
    assert "次順位</span>" in next_one.get("/inbox").text
    page = next_one.get(path).text
    assert "北部 部課等保護管理者（次順位）" in page
    assert post(next_one, path, carried(world, case_id, _seat=DIVISION)).status_code == 303
    assert "（次順位）として" in next_one.get(f"/cases/{case_id}").text


# ---------------------------------------------------------------- why


def test_why_a_step_is_mine_or_another_s(world: World, people: SignIn) -> None:
    case_id = world.start("route")
    path = at(world, case_id, "check")
    mine = people(MANAGER).get(f"{path}/why").text
    assert "なぜ私に届いたか" in mine and "あなたは、この処理を行えます" in mine and "情報を管理する部署の保護管理者" in mine
    assert f'href="{path}/why">なぜ私に届いたか' in people(MANAGER).get(path).text
    theirs = people(STAFF).get(f"{path}/why").text
    assert "なぜできないか" in theirs and "この処理の担当は「第一課 保護管理者」です。" in theirs and "第一課 保護管理者さん" in theirs
    assert f'href="{path}/why">なぜできないか' in people(STAFF).get(path).text
    for outsider in (OTHER_MANAGER, STAFF_B, GENERAL):
        assert people(outsider).get(f"{path}/why").status_code == 404


def test_a_refusal_leads_to_its_reasons(world: World, people: SignIn, post: Post) -> None:
    world.appoint(CHIEF, DIVISION, kind="concurrent")
    case_id = world.start("apart")
    path = at(world, case_id, "first")
    refused = post(people(STAFF), path, carried(world, case_id))
    assert refused.status_code == 403 and f'href="{path}/why"' in refused.text
    assert "続けて行う処理" not in people(MANAGER).get(path).text  # two steps that must be two people's are never one task
    post(people(MANAGER), path, carried(world, case_id))
    late = post(people(MANAGER), path, carried(world, case_id))
    assert late.status_code == 409 and f'href="{path}/why"' in late.text
    second = at(world, case_id, "second")
    again = post(people(MANAGER), second, carried(world, case_id, _seat=DIVISION))
    assert again.status_code in (403, 404) and world.waits(case_id) == ["second"]


# ---------------------------------------------------------------- two steps of one person


def test_two_steps_of_one_person_are_one_task_and_two_records(world: World, people: SignIn, post: Post) -> None:
    world.appoint(CHIEF, DIVISION, kind="concurrent")
    case_id = world.start("pair")
    client, path = people(MANAGER), at(world, case_id, "first")
    page = client.get(path).text
    assert "続けて行う処理：確認（北部 部課等保護管理者として）" in page and "確かめてください。" in page
    assert re.search(r'name="_then" value="second" checked', page) and 'name="_then.second.count"' in page
    assert "_then.second.amount" not in page  # asked once
    given = carried(
        world, case_id, _seat=MANAGER, opinion="よい", amount="5", _then="second", _then_shown="second",
        **{"_then.second.count": "百", "_then.second.seen": ["", "p"], "_then.second.verdict": "granted"},
    )  # fmt: skip
    wrong = post(client, path, given)
    assert wrong.status_code == 422 and 'href="#f-_then.second.count"' in wrong.text and 'id="e-_then.second.count"' in wrong.text
    assert 'value="百"' in wrong.text and ">よい</textarea>" in wrong.text and world.waits(case_id) == ["first"]
    assert re.search(r'name="_then.second.seen" value="p" checked', wrong.text)
    assert re.search(r'name="_then.second.verdict" value="granted" checked', wrong.text)
    evil = post(client, path, {**given, "_then.second.count": "3", "_then.second.reporter": "x"})
    assert evil.status_code == 422 and "この画面にない項目です。" in evil.text
    done = post(client, path, {**given, "_then.second.count": "3"})
    assert done.status_code == 303, done.text
    assert world.case(case_id)["state"] == "closed" and world.facts(case_id)["amount"] == 5 and world.facts(case_id)["count"] == 3
    records = [(row["node"], row["seat"], row["clause"]) for row in world.history(case_id, "task.completed")]
    assert records == [("first", MANAGER, "C-2"), ("second", DIVISION, "C-3")]


def test_the_step_after_is_left_when_one_says_so(world: World, people: SignIn, post: Post) -> None:
    world.appoint(CHIEF, DIVISION, kind="concurrent")
    case_id = world.start("pair")
    client, path = people(MANAGER), at(world, case_id, "first")
    typed = {"_then_shown": "second", "_then.second.count": "7", "_seat": MANAGER}
    refused = post(client, path, carried(world, case_id, **typed))
    assert refused.status_code == 422 and 'href="#f-opinion"' in refused.text and 'value="7"' in refused.text
    assert re.search(r'name="_then" value="second" aria', refused.text)  # still not chosen
    assert post(client, path, carried(world, case_id, opinion="よい", **typed)).status_code == 303
    assert world.waits(case_id) == ["second"] and "count" not in world.facts(case_id)


def test_a_draft_keeps_what_was_typed_for_both(world: World, people: SignIn, post: Post) -> None:
    world.appoint(CHIEF, DIVISION, kind="concurrent")
    case_id = world.start("pair")
    client, path = people(MANAGER), at(world, case_id, "first")
    post(client, f"{path}/draft", {"opinion": "書きかけ", "_then_shown": "second", "_then.second.count": "9"})
    page = client.get(path).text
    assert "書きかけ" in page and re.search(r'name="_then.second.count" value="9"', page)
    assert re.search(r'name="_then" value="second" aria', page)


def test_what_opens_beside_another_step_is_offered_and_not_presumed(world: World, people: SignIn, post: Post) -> None:
    world.appoint(CHIEF, DIVISION, kind="concurrent")
    case_id = world.start("beside")
    client, path = people(MANAGER), at(world, case_id, "first")
    assert re.search(r'name="_then" value="right" aria', client.get(path).text)
    typed = {"_then_shown": "right", "_then": "right", "_seat": MANAGER, "persons.0.label": "甲", "_then.right.measures.0.what": "施錠"}
    refused = post(client, path, carried(world, case_id, **typed))  # rows are kept, of both steps
    assert refused.status_code == 422 and 'name="persons.0.label" value="甲"' in refused.text
    assert 'name="_then.right.measures.0.what" value="施錠"' in refused.text
    more = post(client, path, carried(world, case_id, opinion="よい", **typed, _add="_then.right.measures"))
    assert 'name="_then.right.measures.3.what"' in more.text
    del typed["_then.right.measures.0.what"]
    wrong = post(client, path, carried(world, case_id, opinion="よい", **typed))
    assert wrong.status_code == 422 and 'href="#f-_then.right.measures"' in wrong.text
    assert post(client, path, carried(world, case_id, opinion="よい", **typed | {"_then.right.measures.0.what": "施錠"})).status_code == 303
    assert world.waits(case_id) == ["left"]


def test_what_both_steps_ask_is_wrong_where_it_is_asked(world: World, people: SignIn, post: Post) -> None:
    world.appoint(CHIEF, DIVISION, kind="concurrent")
    case_id = world.start("optional")
    client, path = people(MANAGER), at(world, case_id, "first")
    given = carried(world, case_id, _seat=MANAGER, _then="second", _then_shown="second", reason="")
    assert "_then.second.reason" not in client.get(path).text
    wrong = post(client, path, given)
    assert wrong.status_code == 422 and 'href="#f-reason"' in wrong.text and 'id="e-reason"' in wrong.text
    assert post(client, path, given | {"reason": "済み"}).status_code == 303 and world.case(case_id)["state"] == "closed"


def test_the_same_seat_twice_is_no_pair(world: World, people: SignIn) -> None:
    case_id = world.start("pair")
    assert "続けて行う処理" not in people(MANAGER).get(at(world, case_id, "first")).text


# ---------------------------------------------------------------- 引上げ


def test_a_superior_takes_the_paper_past_its_reviewer(world: World, people: SignIn, post: Post) -> None:
    case_id = world.start("route")
    path = at(world, case_id, "check")
    with world.acting(MANAGER) as work:
        work.circulate(case_id, [DIVISION, "staff@b"], "急ぎのため")
    head = people(DIVISION)
    assert 'id="pull-up"' in head.get(path).text
    for other in (MANAGER, STAFF_B):
        assert 'id="pull-up"' not in people(other).get(path).text
        assert post(people(other), f"{path}/pull-up", {"_case": str(case_id), "_pull_up": "x"}).status_code == 403
    empty = post(head, f"{path}/pull-up", {"_case": str(case_id), "_pull_up": " "})
    assert empty.status_code == 422 and "理由を入力してください。" in empty.text and 'id="pull-up" open' in empty.text
    assert post(head, f"{path}/pull-up", {"_case": str(case_id), "_pull_up": "きょう中に決裁が要る"}).status_code == 303
    assert world.waits(case_id) == ["decide"]
    manager = people(MANAGER)
    page = manager.get("/referrals").text
    assert "後閲" in page and "きょう中に決裁が要る" in page
    number = re.findall(r"/referrals/(\d+)/confirm", page)[0]
    assert post(manager, f"/referrals/{number}/confirm").status_code == 303
    assert "後閲を確認しました" in manager.get(f"/cases/{case_id}").text
    assert post(manager, f"/referrals/{number}/confirm").status_code == 409


# ---------------------------------------------------------------- 照会 and 回覧


def test_who_is_asked_reads_and_answers_and_does_nothing_else(world: World, people: SignIn, post: Post) -> None:
    case_id = world.start("route")
    path = at(world, case_id, "check")
    asked, manager = people(OTHER_MANAGER), people(MANAGER)
    assert asked.get(f"/cases/{case_id}").status_code == 404
    form = manager.get(f"/cases/{case_id}/consult").text
    assert '<option value="第二課 保護管理者（役）">' in form and '<option value="第二課 保護管理者さん（本人）">' in form
    assert "第一課 保護管理者さん（本人）" not in form  # not oneself
    typed = {"_addressee": "第二課 保護管理者（役）", "_text": "前例はありますか"}
    for data, words in (
        (typed | {"_addressee": "第九課"}, "「第九課」という役も職員も見つかりません"),
        (typed | {"_text": ""}, "尋ねること"),
    ):
        refused = post(manager, f"/cases/{case_id}/consult", data)
        assert refused.status_code == 422 and words in refused.text and f'value="{data["_addressee"]}"' in refused.text
    assert post(manager, f"/cases/{case_id}/consult", typed).status_code == 303
    page = manager.get(f"/cases/{case_id}").text
    assert "照会：第二課 保護管理者" in page and "回答待ち" in page and "取りやめる" in page
    inbox = asked.get("/inbox").text
    assert "読むもの・答えるもの（1）" in inbox and 'href="/referrals"' in inbox
    page = asked.get("/referrals").text
    assert "前例はありますか" in page and f'href="/cases/{case_id}"' in page
    number = re.findall(r"/referrals/(\d+)/answer", page)[0]
    # He reads …
    assert "回答する" in asked.get(f"/cases/{case_id}").text and "閲覧だけができます" in asked.get(path).text
    # … and decides nothing.
    assert post(asked, path, carried(world, case_id)).status_code == 403
    assert post(asked, f"{path}/claim").status_code == 403
    assert post(asked, f"/referrals/{number}/confirm").status_code == 403
    empty = post(asked, f"/referrals/{number}/answer", {"_text": " "})
    assert empty.status_code == 422 and f'href="#f-_text_{number}"' in empty.text and f'id="e-_text_{number}"' in empty.text
    assert post(people(STAFF_B), f"/referrals/{number}/answer", {"_text": "横から"}).status_code == 404
    assert post(manager, f"/referrals/{number}/answer", {"_text": "自分で"}).status_code == 404
    assert post(asked, f"/referrals/{number}/answer", {"_text": "令和6年に一件あります"}).status_code == 303
    page = manager.get(f"/cases/{case_id}").text
    assert "回答済み" in page and "令和6年に一件あります" in page and "取りやめる" not in page
    assert "照会に回答がありました" in manager.get("/notices").text
    late = post(asked, f"/referrals/{number}/answer", {"_text": "もう一度書いた"})
    assert late.status_code == 409 and "もう一度書いた" in late.text
    assert "読むもの・答えるものはありません" in asked.get("/referrals").text and world.waits(case_id) == ["check"]


def test_several_read_and_confirm_and_one_is_taken_back(world: World, people: SignIn, post: Post) -> None:
    case_id = world.start("route")
    manager, path = people(MANAGER), f"/cases/{case_id}/circulate"
    empty = post(manager, path, {"_addressee": ["", ""], "_text": ""})
    assert empty.status_code == 422 and "宛先を選んでください。" in empty.text and "趣旨を入力してください。" in empty.text
    given = {"_addressee": ["第二課 職員さん", "離れ　職員（役）", "protection_manager@b", ""], "_text": "参考まで"}
    more = post(manager, path, {**given, "_add": "_addressee"})
    assert more.text.count('name="_addressee"') == 7 and 'value="離れ　職員（役）"' in more.text  # three typed, three empty, the template
    own = post(manager, path, {"_addressee": [f"person:{CHIEF}"], "_text": "x"})
    assert own.status_code == 422
    assert post(manager, path, given).status_code == 303
    seats = [row["seat"] for row in world.rows("referral", case_id=case_id)]
    assert seats == ["person:staff.b", "staff@c", OTHER_MANAGER]
    reader = people(STAFF_B)
    number = re.findall(r"/referrals/(\d+)/confirm", reader.get("/referrals").text)[0]
    assert post(reader, f"/referrals/{number}/answer", {"_text": "回覧に回答"}).status_code == 403
    assert post(reader, f"/referrals/{number}/confirm").status_code == 303
    page = manager.get(f"/cases/{case_id}").text
    assert page.count("確認待ち") == 2 and page.count("確認済み") >= 1
    last = world.rows("referral", case_id=case_id)[-1]["id"]
    assert post(reader, f"/referrals/{last}/recall", {"_case": str(case_id)}).status_code == 404
    assert post(manager, f"/referrals/{last}/recall", {"_case": str(case_id)}).location == f"/cases/{case_id}#referrals"
    assert "取りやめ" in manager.get(f"/cases/{case_id}").text
    assert "参考まで" not in people(OTHER_MANAGER).get("/referrals").text


# ---------------------------------------------------------------- several at once


def test_several_are_taken_given_back_and_completed_at_once(world: World, people: SignIn, post: Post) -> None:
    one, two, asking = world.start("route"), world.start("route"), world.start("pair")
    stranger = world.start("route", owning_unit="b")
    ids = [world.task(case_id, node)["id"] for case_id, node in ((one, "check"), (two, "check"), (asking, "first"), (stranger, "check"))]
    manager = people(MANAGER)
    page = manager.get("/inbox").text
    assert page.count('name="task"') == 3 and page.count("入力なし</span>") == 2
    taken = post(manager, "/inbox/together", {"verb": "claim", "task": [str(one) for one in ids], "back": "/inbox?show=unread"})
    assert taken.status_code == 200 and "引き受ける：4件のうち3件" in taken.text and 'href="/inbox?show=unread"' in taken.text
    assert post(manager, "/inbox/together", {"verb": "release", "task": str(ids[1])}).text.count("is-done") == 1
    done = post(manager, "/inbox/together", {"verb": "complete", "task": [str(one) for one in ids]}).text
    assert "完了する：4件のうち2件" in done and "入力欄のある処理です。" in done
    assert [world.waits(case_id) for case_id in (one, two, asking, stranger)] == [["decide"], ["decide"], ["first"], ["check"]]


def test_nothing_chosen_nothing_done(people: SignIn, post: Post) -> None:
    manager = people(MANAGER)
    answer = post(manager, "/inbox/together", {"verb": "claim", "back": "https://elsewhere.example/"})
    assert answer.status_code == 303 and answer.location == "/inbox"
    assert "処理が選ばれていません" in manager.get("/inbox").text
    assert post(manager, "/inbox/together", {"verb": "withdraw", "task": "1"}).status_code == 400
    assert post(manager, "/inbox/together", {"verb": "claim", "task": ["x", "9" * 30, "-1"]}).status_code == 303


def test_who_takes_over_is_told_at_the_head_of_the_inbox(world: World, people: SignIn) -> None:
    world.start("route")
    csv = f"職員番号,発令,部署,役\r\n{CHIEF},退職,,\r\n{STAFF_B},異動,a,protection_manager".encode()
    orders = world.engine.orders
    order = orders.read(world.viewer(GENERAL), "人事異動", TODAY + timedelta(days=1), "発令.csv", csv)
    orders.approve(world.viewer(DIVISION), order)
    assert "引継ぎが" not in people(STAFF_B).get("/inbox").text
    world.pass_time(days=1)
    page = people(STAFF_B).get("/inbox").text
    assert "引継ぎが1件あります" in page and "第一課 保護管理者（第一課 保護管理者さんから）" in page and 'href="/handovers"' in page
    assert "審査" in page


# ---------------------------------------------------------------- the commands


def test_the_commands_do_the_same(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cli_acting, "open_engine", lambda: world.engine)
    case_id = world.start("route")
    number, task_id = world.case(case_id)["number"], str(world.task(case_id, "check")["id"])

    def run(*arguments: str, fails: bool = False) -> str:
        result = CliRunner().invoke(main, list(arguments))
        assert (result.exit_code != 0) == fails, result.output
        return result.output

    assert "あなたは、この処理を行えます。" in run("why", task_id, "--as", CHIEF)
    assert json.loads(run("why", task_id, "--as", "staff.a", "--json"))["may"] is False
    assert "見つからない" in run("why", task_id, "--as", STAFF_B, fails=True)
    run("consult", number, DIVISION, "前例は", "--as", CHIEF)
    run("circulate", number, "person:staff.b", OTHER_MANAGER, "--text", "参考", "--as", CHIEF, "--seat", MANAGER)
    listed = json.loads(run("referrals", "--as", HEAD, "--json"))
    assert [row["kind"] for row in listed] == ["consultation"] and "前例は" in run("referrals", "--as", HEAD)
    run("answer", str(listed[0]["id"]), "ありません", "--as", HEAD)
    assert "すでに終わっています" in run("answer", str(listed[0]["id"]), "x", "--as", HEAD, fails=True)
    run("confirm", str(json.loads(run("referrals", "--as", STAFF_B, "--json"))[0]["id"]), "--as", STAFF_B)
    run("recall", str(world.rows("referral", case_id=case_id)[-1]["id"]), "--as", CHIEF)
    assert "引上げは" in run("pull-up", task_id, "--reason", "急ぎ", "--as", STAFF_B, fails=True)
    run("pull-up", task_id, "--reason", "急ぎ", "--as", HEAD)
    assert world.waits(case_id) == ["decide"] and "後閲" in run("referrals", "--as", CHIEF)
