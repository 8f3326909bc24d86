"""The designer over HTTP: who may, what two people do to each other, any file at all, and pages that need no script."""

from __future__ import annotations

import io
import json
import re
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from flask.testing import FlaskClient

from tests.designing import ONE, OTHER, PASSWORD, STRANGER, TWO, Studio, make_studio
from tests.engine.drawing import diagram, end, flows, start
from tests.engine.test_hostile import HOSTILE
from tests.support import ROOT, step
from tests.webui.conftest import Post, token_of
from webui import create_app
from webui.rule_pages import PAGES, has_page, rule_page, title_of

#: What one request may cost here; what the examining process may is its own bound (tests/engine/test_draft_desk.py).
SECONDS = 2.0
SMALL = diagram(
    start("apply", name="申請"), step("check", "確認", "protection_manager@owning_unit"), end("done", name="済み"), flows("apply > check > done"),
    id="office_lending",
).decode()  # fmt: skip


@pytest.fixture(scope="module")
def studio(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Studio]:
    made = make_studio(tmp_path_factory.mktemp("studio"))
    yield made
    made.engine.close()


@pytest.fixture(scope="module")
def people(studio: Studio) -> Callable[[str], FlaskClient]:
    """Clients signed in, one a person."""
    app = create_app(studio.engine, secret_key="test")
    clients: dict[str, FlaskClient] = {}

    def by(person: str) -> FlaskClient:
        if person not in clients:
            client = clients[person] = app.test_client()
            token = token_of(client.get("/login").text)
            assert client.post("/login", data={"csrf_token": token, "person": person, "password": PASSWORD}).status_code == 303
        return clients[person]

    return by


def draft_of(client: FlaskClient, post: Post, **form: str) -> int:
    """A draft begun through the page; the id is in the address it leads to."""
    answer = post(client, "/designer/begin", form or {"title": "備品の貸出し", "name": "lending"})
    assert answer.status_code == 303, answer.text
    return int(answer.location.rpartition("/")[2])


def send(client: FlaskClient, path: str, data: Any = None, token: str | None = None) -> Any:
    """JSON as the editor sends it."""
    given = token_of(client.get("/account").text) if token is None else token
    return client.post(path, json={} if data is None else data, headers={"X-CSRFToken": given, "Accept": "application/json"})


READS = (
    "/designer",
    "/designer/{id}",
    "/designer/{id}/files.json",
    "/designer/{id}/vocabulary.json",
    "/designer/{id}/files/office/lending.bpmn",
)
WRITES = (
    "save.json",
    "copy.json",
    "hold.json",
    "release.json",
    "inspect.json",
    "expression.json",
    "form",
    "proof.json",
    "discard",
    "copy",
    "take",
    "rename",
)


# ---------------------------------------------------------------- who may


def test_the_menu_offers_the_designer_to_who_may_use_it(people: Callable[[str], FlaskClient]) -> None:
    """「設計」は、図を施行してよい役の人にだけ出る。"""
    assert ">設計</a>" in people(ONE).get("/inbox").text
    assert ">設計</a>" not in people(OTHER).get("/inbox").text


def test_nobody_else_reads_or_changes_a_draft(people: Callable[[str], FlaskClient], post: Post) -> None:
    """役のない人は403、よその機関の人には見つからない、ログインしていない人はログインへ。"""
    made = draft_of(people(ONE), post)
    for person, status in ((OTHER, 403), (STRANGER, 404)):
        for path in READS[1:] if person == STRANGER else READS:
            assert people(person).get(path.format(id=made)).status_code == status, path
        for path in WRITES:
            if person == STRANGER and path in ("expression.json", "form"):
                continue  # say nothing of any draft
            answer = send(people(person), f"/designer/{made}/{path}", {"revision": 1, "files": {}})
            assert answer.status_code in ((403,) if person == OTHER else (404, 400)), (person, path)
    assert people(ONE).application.test_client().get("/designer").status_code in (302, 303, 401)


def test_every_write_wants_the_token(people: Callable[[str], FlaskClient], post: Post) -> None:
    """印のない書込みは、どれも断られる。"""
    made = draft_of(people(ONE), post)
    for path in WRITES:
        assert send(people(ONE), f"/designer/{made}/{path}", {"revision": 1, "files": {}}, token="").status_code == 400, path
    assert people(ONE).post("/designer/begin", data={"title": "x"}).status_code == 400
    assert people(ONE).get(f"/designer/{made}/files.json").json["revision"] == 1


def test_another_site_cannot_write(people: Callable[[str], FlaskClient], post: Post) -> None:
    """別のサイトからの書込みは断られる。"""
    made = draft_of(people(ONE), post)
    token = token_of(people(ONE).get("/account").text)
    answer = people(ONE).post(
        f"/designer/{made}/save.json", json={"revision": 1, "files": {}}, headers={"X-CSRFToken": token, "Sec-Fetch-Site": "cross-site"}
    )
    assert answer.status_code == 403


# ---------------------------------------------------------------- pages


def test_the_page_reads_without_script(people: Callable[[str], FlaskClient], post: Post) -> None:
    """スクリプトがなくても、構成が読め、ファイルが取り出せる。"""
    made = draft_of(people(ONE), post, process="office_approval")
    page = people(ONE).get(f"/designer/{made}")
    assert page.status_code == 200 and "style-src 'self' 'unsafe-inline'" in page.headers["Content-Security-Policy"]
    assert "unsafe-inline" not in people(ONE).get("/designer").headers["Content-Security-Policy"]
    for words in ("審査", "どれか1つ", "protection_manager@owning_unit", "補正"):
        assert words in page.text
    file = people(ONE).get(f"/designer/{made}/files/office/approval.bpmn")
    assert file.status_code == 200 and 'filename="approval.bpmn"' in file.headers["Content-Disposition"]
    assert people(ONE).get(f"/designer/{made}/files/office/nothing.bpmn").status_code == 404
    assert people(ONE).get(f"/designer/{made}?file=office/nothing.bpmn").status_code == 404
    assert people(ONE).get(f"/designer/{made}/tables/office/approval.bpmn").status_code == 404


def test_the_list_says_what_is_drawn_and_by_whom(people: Callable[[str], FlaskClient], post: Post) -> None:
    """一覧から、下書きの状態と、誰が開いているかが分かる。写しと破棄もできる。"""
    made = draft_of(people(ONE), post, title="一覧の試験", name="listed")
    people(ONE).get(f"/designer/{made}")
    page = people(TWO).get("/designer").text
    assert "一覧の試験" in page and "設計の担当が開いています" in page
    post(people(ONE), f"/designer/{made}/rename", {"title": "名を変えた", "note": "メモ"})
    copied = post(people(TWO), f"/designer/{made}/copy")
    assert copied.status_code == 303 and "名を変えた（写し）" in people(TWO).get("/designer").text
    refused = post(people(TWO), f"/designer/{made}/discard")
    assert refused.status_code == 409 and "設計の担当" in refused.text
    assert post(people(ONE), f"/designer/{made}/discard").status_code == 303
    assert f'/designer/{made}"' not in people(ONE).get("/designer").text
    assert f'/designer/{made}"' in people(ONE).get("/designer?closed=yes").text


def test_a_refused_beginning_keeps_what_was_typed(people: Callable[[str], FlaskClient], post: Post) -> None:
    """名前のない下書きは断られ、入力したものは残る。"""
    answer = post(people(ONE), "/designer/begin", {"title": "", "name": "kept"})
    assert answer.status_code == 422 and 'value="kept"' in answer.text and "手続の名前を入力してください" in answer.text
    assert post(people(ONE), "/designer/begin", {"process": "office_nothing"}).status_code == 404


def test_the_second_looks_on_and_takes_over(studio: Studio, people: Callable[[str], FlaskClient], post: Post) -> None:
    """2人目は見るだけ。2分の沈黙のあと、引き継ぐ。"""
    made = draft_of(people(ONE), post)
    people(ONE).get(f"/designer/{made}")
    looking = people(TWO).get(f"/designer/{made}").text
    assert "見るだけです" in looking and "編集を引き継ぐ" not in looking
    assert "引き継ぐ" not in post(people(TWO), f"/designer/{made}/take").headers.get("Location", "")
    studio.clock.advance(minutes=2)
    assert "編集を引き継ぐ" in people(TWO).get(f"/designer/{made}").text
    assert post(people(TWO), f"/designer/{made}/take").status_code == 303
    assert "見るだけです" not in people(TWO).get(f"/designer/{made}").text
    assert "見るだけです" in people(ONE).get(f"/designer/{made}").text


# ---------------------------------------------------------------- what the script asks


def test_what_was_drawn_is_saved_and_the_slower_gets_both(people: Callable[[str], FlaskClient], post: Post) -> None:
    """遅れた保存には、誰がいつ保存したかと、相手の図が返る。"""
    client = people(ONE)
    made = draft_of(client, post)
    saved = send(
        client, f"/designer/{made}/save.json", {"revision": 1, "files": {"office/lending.bpmn": SMALL}, "process": "office_lending"}
    )
    assert saved.status_code == 200 and saved.json["revision"] == 2
    late = send(client, f"/designer/{made}/save.json", {"revision": 1, "files": {"office/lending.bpmn": "<mine/>"}})
    assert late.status_code == 409 and late.json["revision"] == 2 and late.json["files"]["office/lending.bpmn"] == SMALL
    assert "設計の担当" in late.json["message"]
    kept = send(client, f"/designer/{made}/copy.json", {"files": {"office/lending.bpmn": "<mine/>"}})
    assert client.get(f"/designer/{kept.json['draft']}/files.json").json["files"]["office/lending.bpmn"] == "<mine/>"
    gone = send(client, f"/designer/{made}/save.json", {"revision": 2, "files": {"office/lending.bpmn": None, "office/other.bpmn": SMALL}})
    assert gone.status_code == 200 and list(client.get(f"/designer/{made}/files.json").json["files"]) == ["office/other.bpmn"]


@pytest.mark.parametrize(
    "data",
    [
        [],
        "x",
        None,
        {"revision": "1"},
        {"revision": True, "files": {}},
        {"revision": 1, "files": []},
        {"revision": 1, "files": {"a": 3}},
        {},
    ],
)
def test_a_saving_that_makes_no_sense_is_refused(people: Callable[[str], FlaskClient], post: Post, data: Any) -> None:
    """形の違う保存は400。"""
    made = draft_of(people(ONE), post)
    token = token_of(people(ONE).get("/account").text)
    answer = people(ONE).post(
        f"/designer/{made}/save.json", data=json.dumps(data), content_type="application/json", headers={"X-CSRFToken": token}
    )
    assert answer.status_code == 400


def test_findings_come_with_their_pages(people: Callable[[str], FlaskClient], post: Post) -> None:
    """指摘には、要素・言葉・説明のページが付く。"""
    client = people(ONE)
    made = draft_of(client, post)
    told = send(
        client, f"/designer/{made}/inspect.json", {"files": {"office/lending.bpmn": SMALL.replace("protection_manager@", "nobody@")}}
    ).json
    (finding,) = told["findings"]
    assert (finding["rule"], finding["element"], finding["page"], finding["file"]) == ("role_unknown", "check", True, "office/lending.bpmn")
    assert client.get(f"/designer/rules/{finding['rule']}").status_code == 200
    assert "<html" not in client.get(f"/designer/rules/{finding['rule']}?bare=yes").text
    assert client.get("/designer/rules/nothing").status_code == 404 and client.get("/designer/rules/..%2fREADME").status_code == 404
    assert {"id": "office_lending", "name": "手続", "file": "office/lending.bpmn"} in told["processes"]


def test_expressions_and_forms_are_judged_while_typing(people: Callable[[str], FlaskClient], post: Post) -> None:
    """式は打っている間に確かめられ、画面の見本は本物の部品で描かれる。"""
    client = people(ONE)
    made = draft_of(client, post)
    wrong = send(client, f"/designer/{made}/expression.json", {"text": "kont > 3", "kind": "condition", "names": ["count"]}).json["wrong"]
    assert wrong["position"] == 0 and "kont" in wrong["message"]
    assert (
        send(client, f"/designer/{made}/expression.json", {"text": "count > 3", "kind": "condition", "names": ["count"]}).json["wrong"]
        is None
    )
    assert send(client, f"/designer/{made}/expression.json", {"text": "x", "kind": "evil"}).status_code == 400
    evil = "<script>alert(1)</script>"
    shown = send(
        client,
        f"/designer/{made}/form",
        {"fields": [{"id": "a", "label": evil, "type": "text", "constraints": {"required": ""}}], "button": evil},
    )
    assert shown.status_code == 200 and "※必須" in shown.text and "<script>" not in shown.text
    assert send(client, f"/designer/{made}/form", {"fields": "x"}).status_code == 400
    assert send(client, f"/designer/{made}/form", {"fields": [{"id": str(n)} for n in range(400)]}).status_code == 400


def test_a_proof_is_begun_followed_and_cancelled(people: Callable[[str], FlaskClient], post: Post) -> None:
    """検査は背後で走り、進み具合が分かり、やめられる。"""
    client = people(ONE)
    made = draft_of(client, post)
    assert send(client, f"/designer/{made}/proof.json").status_code == 422, "the gate refuses it already"
    send(client, f"/designer/{made}/save.json", {"revision": 1, "files": {"office/lending.bpmn": SMALL}})
    begun = send(client, f"/designer/{made}/proof.json").json
    until = time.monotonic() + 60
    while (told := client.get(f"/designer/proofs/{begun['id']}.json").json)["state"] == "running":
        assert time.monotonic() < until
        time.sleep(0.05)
    assert told["state"] == "done" and told["finished"] and told["findings"] == []
    again = send(client, f"/designer/{made}/proof.json").json
    assert send(client, f"/designer/proofs/{again['id']}/cancel.json").json["state"] in ("cancelled", "done")
    assert people(STRANGER).get(f"/designer/proofs/{begun['id']}.json").status_code == 404


# ---------------------------------------------------------------- any file at all


def files_of(name: str) -> dict[str, bytes]:
    data = HOSTILE[name][1]
    return data if isinstance(data, dict) else {"p.bpmn": data}


@pytest.mark.parametrize("name", HOSTILE)
def test_any_file_is_answered_and_nothing_of_it_runs(people: Callable[[str], FlaskClient], post: Post, name: str) -> None:
    """どんなファイルでも、2秒のうちに、受け付けるか理由を示して断る。受け付けたものも、読むだけで動かさない。"""
    client = people(ONE)
    for file, data in files_of(name).items():
        began = time.process_time()
        answer = post(client, "/designer/import", {"file": (io.BytesIO(data), file)}, content_type="multipart/form-data")
        assert answer.status_code in (303, 422), answer.text
        if answer.status_code == 303:
            page = client.get(answer.location)
            assert page.status_code == 200
            assert "<script>alert" not in page.text
            told = send(client, f"{answer.location}/inspect.json")
            assert told.status_code == 200 and told.json["seconds"] < 30
        else:
            assert re.search(r"。</li>|。</p>", answer.text)
        assert time.process_time() - began < SECONDS


@pytest.mark.parametrize(
    "data",
    [b"\0" * 1_000, b"PK\x03\x04" + b"x" * 500, b"<" * 200_000, b"<a>" * 100_000, "図".encode("cp932"), b"x" * 3_000_000, b"<?xml version='1.0'?><!--" + b"-" * 100_000],
    ids=["nulls", "zip", "brackets", "depth", "cp932", "three megabytes", "comment"],
)  # fmt: skip
def test_what_is_no_file_of_ours_is_refused_in_words(people: Callable[[str], FlaskClient], post: Post, data: bytes) -> None:
    """図でないものは、日本語で断る。"""
    began = time.process_time()
    answer = post(people(ONE), "/designer/import", {"file": (io.BytesIO(data), "x.bpmn")}, content_type="multipart/form-data")
    answer.request.environ["wsgi.input"].close()  # the client's own copy of what it sent
    assert answer.status_code == 422 and "下書きを作れませんでした" in answer.text
    assert time.process_time() - began < SECONDS


def test_no_file_at_all_is_told(people: Callable[[str], FlaskClient], post: Post) -> None:
    """ファイルを選ばずに取り込んでも、言葉で答える。"""
    assert post(people(ONE), "/designer/import", {}, content_type="multipart/form-data").status_code == 422


def test_a_table_alone_begins_a_draft(people: Callable[[str], FlaskClient], post: Post) -> None:
    """決定表だけのファイルからも始められ、表のページが開く。"""
    data = (ROOT / "bpmn" / "isa" / "gravity.dmn").read_bytes()
    answer = post(people(ONE), "/designer/import", {"file": (io.BytesIO(data), "gravity.dmn")}, content_type="multipart/form-data")
    assert answer.status_code == 303
    page = people(ONE).get(f"{answer.location}/tables/office/gravity.dmn")
    assert page.status_code == 200 and "unsafe-inline" in page.headers["Content-Security-Policy"]
    assert people(ONE).get(f"{answer.location}/files.json").json["files"]["office/gravity.dmn"] == data.decode()


# ---------------------------------------------------------------- pages of rules


@pytest.mark.parametrize("page", sorted(path.stem for path in PAGES.glob("*.md") if path.stem != "README"))
def test_every_page_of_a_rule_is_drawn(page: str) -> None:
    """説明のページは、どれも題と本文を持ち、書かれた文字はすべて文字として出る。"""
    assert has_page(page) and title_of(page) != page
    html = rule_page(page)
    assert "<strong>" in html and "```" not in html and "<bpmn:" not in html and "<script" not in html


def test_the_outline_bears_any_text() -> None:
    """構成は、どんな文字列からでも作れるか、空になる。"""
    from webui.designer_outline import outline_of

    deep = "".join(f'<subProcess id="s{n}">' for n in range(5_000)) + "</subProcess>" * 5_000
    for text in (
        "",
        "<",
        "<a/>",
        "<!DOCTYPE a><a/>",
        f'<definitions xmlns="http://www.omg.org/spec/BPMN/20100524/MODEL"><process>{deep}</process></definitions>',
    ):
        assert len(outline_of(text)) < 100
    assert Path(PAGES).is_dir()
