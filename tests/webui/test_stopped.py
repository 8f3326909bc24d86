"""止まっている処理の画面と命令：管理者だけが見て、もう一度実行できる。案件の内容は番号と処理の名前のほか何も出ない。"""

from __future__ import annotations

import json
import re
import shutil
from collections.abc import Callable, Iterator, Mapping
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner
from flask.testing import FlaskClient

from engine import Engine, SetClock, hash_password
from engine.moves import SERVICES, Move
from engine.net import Node
from tests.engine.drawing import diagram, end, flows, service, start
from tests.support import MONDAY, ROOT, SUMMARY, UNIT, World, make_engine, said, step
from tests.webui.conftest import Post
from webui import create_app
from webui.cli import main

PASSWORD = "a-long-and-quiet-password"
ADMINISTRATOR, STAFF, MANAGER = "administrator@isa", "staff@adjudication", "protection_manager@adjudication"
SECRET = "外国公館へ山田太郎の申請書を誤送付"
SignIn = Callable[[str], FlaskClient]


class Away:
    """A registered function that fails as long as nobody has mended it."""

    mended = False

    def __call__(self, move: Move, node: Node, local: Mapping[str, Any]) -> None:
        if not self.mended:
            raise ConnectionRefusedError(111, f"Connection refused <b>{move.facts['item_summary']}</b>")


@pytest.fixture(scope="module")
def template(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """The agency with one small procedure, an administrator and two officials."""
    place = tmp_path_factory.mktemp("stopped-pages")
    folder = place / "bpmn"
    (folder / "isa").mkdir(parents=True)
    shutil.copytree(ROOT / "bpmn" / "common", folder / "common")
    for source in (ROOT / "bpmn" / "isa").iterdir():
        if source.suffix in (".toml", ".csv"):
            shutil.copy(source, folder / "isa")
    if (ROOT / "bpmn" / "isa" / "papers").is_dir():
        shutil.copytree(ROOT / "bpmn" / "isa" / "papers", folder / "isa" / "papers")
    for source in (ROOT / "bpmn" / "isa").glob("*.dmn"):
        shutil.copy(source, folder / "isa")
    drawn = diagram(
        said(withdraw="until_end"),
        start("begin", said(SUMMARY, UNIT), name="開始"),
        step("prepare", "登録の準備", "protection_manager@owning_unit"),
        service("file", "test", name="台帳への登録"),
        step("finish", "終結", "protection_manager@owning_unit"),
        end("done", name="登録済み"),
        flows("begin > prepare > file > finish > done"),
        id="isa_filing",
    )
    (folder / "isa" / "filing.bpmn").write_bytes(drawn)
    engine = make_engine(f"sqlite:///{place / 'template.sqlite'}", SetClock(MONDAY), bpmn=folder)
    engine.migrate()
    hashed = hash_password(PASSWORD)
    for seat in (ADMINISTRATOR, STAFF, MANAGER):
        engine.register(seat, "isa", engine.organisation("isa").seat_name(seat), email=None, password_hash=hashed)
        engine.appoint(seat, seat)
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr("engine.deploy_check.TOPICS", frozenset({"notify", "test"}))
        engine.deploy("isa", ADMINISTRATOR)
    engine.close()
    return place / "template.sqlite", folder


@pytest.fixture
def away(monkeypatch: pytest.MonkeyPatch) -> Away:
    """The function `test`, registered for one test."""
    made = Away()
    monkeypatch.setitem(SERVICES, "test", made)
    return made


@pytest.fixture
def world(template: tuple[Path, Path], tmp_path: Path, away: Away) -> Iterator[World]:
    """The agency with one case whose registration has failed."""
    shutil.copy(template[0], tmp_path / "tadachi.sqlite")
    clock = SetClock(MONDAY)
    engine = make_engine(f"sqlite:///{tmp_path / 'tadachi.sqlite'}", clock, bpmn=template[1])
    made = World(engine, clock, "isa")
    with engine.work(by=STAFF) as work:
        work.start("isa_filing", {"item_summary": SECRET, "owning_unit": "adjudication"})
    with engine.work(by=MANAGER) as work:
        work.complete(1, {})
    assert [row["attempts"] for row in made.rows("job", kind="service")] == [1]
    yield made
    engine.close()


@pytest.fixture
def people(world: World, post: Post) -> SignIn:
    """Clients signed in by seat; the account's id is the seat."""
    app = create_app(world.engine, secret_key="test")

    def by(seat: str) -> FlaskClient:
        client = app.test_client()
        assert post(client, "/login", {"person": seat, "password": PASSWORD}, page="/login").status_code == 303
        return client

    return by


def controls(page: str) -> dict[str, str]:
    """What the button sends."""
    form = page[page.index('action="/stopped/retry"') :]
    return dict(re.findall(r'<input type="hidden" name="([a-z_]+)" value="([^"]*)"', form[: form.index("</form>")]))


def test_an_administrator_sees_what_stopped_and_nothing_of_the_case(world: World, people: SignIn) -> None:
    client = people(ADMINISTRATOR)
    assert "止まっている処理" in client.get("/inbox").text, "the menu leads there"
    page = client.get("/stopped").text
    for text in ("台帳への登録", world.case(1)["number"], "ConnectionRefusedError", "11月16日（月）10:00", "11月16日（月）10:01"):
        assert text in page
    assert "山田" not in page
    assert "<b>" not in page[page.index("ConnectionRefusedError") :][:80], "a reason is text"
    assert client.get("/cases/1").status_code == 404


def test_trying_again_that_fails_and_then_goes_on(world: World, people: SignIn, post: Post, away: Away) -> None:
    client = people(ADMINISTRATOR)
    failed = client.post("/stopped/retry", data=controls(client.get("/stopped").text), follow_redirects=True)
    assert failed.status_code == 200
    assert "再び失敗しました" in failed.text
    assert '<span class="number">2</span>回失敗' in failed.text
    away.mended = True
    done = client.post("/stopped/retry", data=controls(failed.text), follow_redirects=True)
    assert "続きへ進みました" in done.text
    assert "止まっている処理はありません" in done.text
    assert world.waits(1) == ["finish"]
    assert [(row["tag"], row["person"]) for row in world.history(1) if row["tag"] == "service.retried"] == [
        ("service.retried", ADMINISTRATOR)
    ] * 2


def test_a_second_click_and_an_old_page_try_nothing(world: World, people: SignIn, away: Away) -> None:
    client = people(ADMINISTRATOR)
    old = controls(client.get("/stopped").text)
    client.post("/stopped/retry", data=old)
    again = client.post("/stopped/retry", data=old)
    assert again.status_code == 409
    assert "表示のあとに実行されました" in again.text
    assert world.rows("job", kind="service")[0]["attempts"] == 2
    away.mended = True
    client.post("/stopped/retry", data=controls(again.text))
    gone = client.post("/stopped/retry", data=old)
    assert gone.status_code == 404
    assert "もう止まっていません" in gone.text
    assert [row["tag"] for row in world.history(1)].count("service.passed") == 1


@pytest.mark.parametrize("seat", [STAFF, MANAGER])
def test_it_is_the_administrators_alone(world: World, people: SignIn, post: Post, seat: str) -> None:
    client = people(seat)
    assert "止まっている処理" not in client.get("/inbox").text
    assert client.get("/stopped").status_code == 403
    job = world.rows("job", kind="service")[0]
    assert post(client, "/stopped/retry", {"id": job["id"], "attempts": 1}).status_code == 403
    assert world.rows("job", kind="service") == [job]


def test_a_write_wants_its_token_and_its_inputs(world: World, people: SignIn, post: Post) -> None:
    client = people(ADMINISTRATOR)
    sent = {name: value for name, value in controls(client.get("/stopped").text).items() if name != "csrf_token"}
    assert client.post("/stopped/retry", data=sent).status_code == 400
    assert post(client, "/stopped/retry", {"id": "x"}).status_code == 400
    assert post(client, "/stopped/retry", sent, headers={"Sec-Fetch-Site": "cross-site"}).status_code == 403
    assert world.rows("job", kind="service")[0]["attempts"] == 1


def test_after_the_last_try_the_page_says_so(world: World, people: SignIn) -> None:
    world.pass_time(days=1)
    page = people(ADMINISTRATOR).get("/stopped").text
    assert "自動では試みません" in page
    assert '<span class="number">6</span>回失敗' in page


def test_the_cases_people_see_that_it_stopped_and_not_why(world: World, people: SignIn, away: Away) -> None:
    client = people(MANAGER)
    page = client.get("/cases/1").text
    assert "自動処理が止まっています：台帳への登録" in page
    assert "自動処理「台帳への登録」が失敗しました（1回目）" in page
    assert "11月16日（月）10:00" in page
    assert "ConnectionRefused" not in page
    assert "理由を見る" not in page
    assert "待っている処理はありません" not in page
    assert client.get("/cases/1/diagram.json").json["file"] == {"state": "current", "label": "停止", "count": 1, "calls": None}
    away.mended = True
    world.pass_time(minutes=1)
    page = client.get("/cases/1").text
    assert "自動処理が止まっています" not in page
    assert "自動処理「台帳への登録」が終わりました（2回目）" in page


def test_administrators_are_told_where_to_look(world: World, people: SignIn) -> None:
    world.pass_time(days=1)
    page = people(ADMINISTRATOR).get("/notices").text
    assert f'<a href="/stopped" data-item>自動処理が止まっています：台帳への登録（{world.case(1)["number"]}）</a>' in page
    (mail,) = [row for row in world.engine.outbox("isa") if row.template == "service_stopped"]
    assert "https://tadachi.example/stopped" in mail.body
    assert mail.person == ADMINISTRATOR
    assert "山田" not in mail.subject + mail.body + mail.text


# ---------------------------------------------------------------- commands


def run(world: World, monkeypatch: pytest.MonkeyPatch, *words: str) -> Any:
    monkeypatch.setattr(Engine, "from_environment", classmethod(lambda _: world.engine))
    result = CliRunner().invoke(main, list(words))
    assert result.exception is None or isinstance(result.exception, SystemExit), result.exception
    return result


def test_the_commands(world: World, away: Away, monkeypatch: pytest.MonkeyPatch) -> None:
    job = world.rows("job", kind="service")[0]
    (row,) = json.loads(run(world, monkeypatch, "stopped", "--json").stdout)
    assert (row["id"], row["step"], row["attempts"]) == (job["id"], "台帳への登録", 1)
    assert row["next_try"] == "2026-11-16T10:01:00+09:00"
    listed = run(world, monkeypatch, "stopped", "--as", ADMINISTRATOR).stdout
    assert world.case(1)["number"] in listed
    assert "1件" in listed
    assert "山田" not in listed
    assert run(world, monkeypatch, "stopped", "--as", STAFF).exit_code == 1
    refused = run(world, monkeypatch, "retry", str(job["id"]), "--as", STAFF)
    assert (refused.exit_code, "権限" in refused.stderr) == (1, True)
    failed = run(world, monkeypatch, "retry", str(job["id"]))
    assert (failed.exit_code, "再び失敗" in failed.stderr) == (1, True)
    away.mended = True
    assert run(world, monkeypatch, "retry", str(job["id"]), "--as", ADMINISTRATOR).exit_code == 0
    assert run(world, monkeypatch, "stopped").stdout == "0件\n"
    gone = run(world, monkeypatch, "retry", str(job["id"]))
    assert (gone.exit_code, "もう止まっていません" in gone.stderr) == (1, True)
    people = [row["person"] for row in world.history(1) if row["tag"] == "service.retried"]
    assert people == ["system", ADMINISTRATOR]
    assert world.clock.now() - MONDAY == timedelta(0)
