"""The pages over the real engine: an incident is reported and handled through HTTP alone."""

from __future__ import annotations

import dataclasses
import io
import re
import shutil
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from flask.testing import FlaskClient

from engine import Engine, SetClock, Settings, hash_password
from tests.webui.conftest import Post
from webui import create_app

PASSWORD = "a-long-and-quiet-password"
STAFF, MANAGER, DIVISION, OTHER = (
    "staff@adjudication",
    "protection_manager@adjudication",
    "division_protection_manager@immigration_control",
    "protection_manager@tokyo_adjudication",
)
SignIn = Callable[[str], FlaskClient]


#: Friday 20 November 2026, 17:30 in Japan.
NOW = datetime(2026, 11, 20, 8, 30, tzinfo=UTC)


@pytest.fixture
def clock() -> SetClock:
    return SetClock(NOW)


def opened(database: Path, clock: SetClock) -> Engine:
    return Engine(dataclasses.replace(Settings(), database=f"sqlite:///{database}"), clock=clock, prove=Engine.unproven)


@pytest.fixture(scope="module")
def prepared(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A database with the agency's diagrams in force and four officials."""
    database = tmp_path_factory.mktemp("prepared") / "test.sqlite"
    made = opened(database, SetClock(NOW))
    made.migrate()
    hashed = hash_password(PASSWORD)
    for seat in (STAFF, MANAGER, DIVISION, OTHER):
        made.register(seat, "isa", made.organisation("isa").seat_name(seat), email=None, password_hash=hashed)
        made.appoint(seat, seat)
    made.deploy("isa", MANAGER)
    made.close()
    return database


@pytest.fixture
def engine(tmp_path: Path, clock: SetClock, prepared: Path) -> Iterator[Engine]:
    """The engine on a copy of it."""
    made = opened(shutil.copy(prepared, tmp_path / "test.sqlite"), clock)
    yield made
    made.close()


@pytest.fixture
def people(engine: Engine, post: Post) -> SignIn:
    """Clients signed in by seat; the account's id is the seat."""
    app = create_app(engine, secret_key="test")

    def by(seat: str) -> FlaskClient:
        client = app.test_client()
        assert post(client, "/login", {"person": seat, "password": PASSWORD}, page="/login").status_code == 303
        return client

    return by


def controls_of(page: str) -> dict[str, str]:
    """The hidden controls of a task's form, as the browser would send them."""
    form = page[page.index('id="task-form"') :]
    return dict(re.findall(r'<input type="hidden" name="(_[a-z]+)" value="([^"]*)"', form))


REPORT = {
    "item_summary": "窓口で、別の申請者の申請書の写しを誤って交付した。",
    "known_at": "2026-11-20T16:00",
    "owning_unit": "adjudication",
}


@pytest.fixture
def case_id(people: SignIn, post: Post) -> int:
    """An incident reported by a member of staff."""
    answer = post(people(STAFF), "/report/isa_incident", REPORT)
    assert answer.status_code == 303, answer.text
    return int(answer.location.split("/")[2])


def task_of(client: FlaskClient, step: str) -> str:
    """The address of an open task by its step's name."""
    match = re.search(rf'href="(/tasks/\d+)" data-item>{step}<', client.get("/inbox").text)
    assert match is not None, f"「{step}」 is not in the inbox"
    return match[1]


def test_three_fields_are_enough_to_report(people: SignIn, case_id: int) -> None:
    started = people(STAFF).get(f"/cases/{case_id}/started").text
    assert "受け付けました" in started and "審判課 保護管理者" in started
    assert "誤って交付した" in people(STAFF).get("/my-reports").text
    assert "誤って交付した" in people(MANAGER).get("/inbox").text


def test_pressing_twice_makes_one_case(people: SignIn, post: Post) -> None:
    staff = people(STAFF)
    page = staff.get("/report/isa_incident").text
    once = re.search(r'name="_once" value="([^"]+)"', page)
    assert once is not None and once[1] not in staff.get("/report/isa_incident").text
    refused = post(staff, "/report/isa_incident", {"_once": once[1], "item_summary": ""})
    assert refused.status_code == 422 and once[1] in refused.text
    first, second = (post(staff, "/report/isa_incident", {**REPORT, "_once": once[1]}).location for _ in range(2))
    assert first == second and staff.get("/my-reports").text.count("誤って交付した") == 1


def test_another_divisions_manager_neither_sees_nor_reaches_it(people: SignIn, post: Post, case_id: int) -> None:
    task = task_of(people(MANAGER), "重大性の判断")
    other = people(OTHER)
    assert "誤って交付した" not in other.get("/inbox").text + other.get("/register").text
    for path in (
        f"/cases/{case_id}",
        task,
        f"/cases/{case_id}/diagram.bpmn",
        f"/cases/{case_id}/diagram.json",
        f"/cases/{case_id}/papers/division_report.pdf",
    ):
        assert other.get(path).status_code == 404, path
    answer = post(other, task, {"_version": "1", "_case": str(case_id), "grave": "true", "grave_reason": "x"})
    assert answer.status_code == 404


def test_the_reporter_may_look_at_a_step_but_not_take_it(people: SignIn, post: Post, case_id: int) -> None:
    task = task_of(people(MANAGER), "重大性の判断")
    page = people(STAFF).get(task).text
    assert "閲覧だけができます" in page and 'id="task-form"' not in page
    assert post(people(STAFF), task, {"_version": "1", "_case": str(case_id), "grave": "true", "grave_reason": "x"}).status_code == 403


def test_a_step_is_done_and_the_next_official_has_it(people: SignIn, post: Post, case_id: int) -> None:
    manager = people(MANAGER)
    task = task_of(manager, "重大性の判断")
    page = manager.get(task).text
    refused = post(manager, task, {**controls_of(page), "grave_reason": "身分の分かる書類のため"})
    assert refused.status_code == 422 and "身分の分かる書類のため" in refused.text and 'href="#f-grave"' in refused.text
    done = post(
        manager, task, {**controls_of(page), "grave": "true", "grave_reason": "身分の分かる書類のため", "holds": ["", "pi"], "count": "１"}
    )
    assert done.status_code == 303 and done.location == f"/cases/{case_id}", done.text
    case = manager.get(done.location).text
    assert "部課等へ重大な第一報" in case and "身分の分かる書類のため" in case and "完了しました" in case
    assert "この処理は終わっています" in manager.get(task).text


def test_the_slower_of_two_is_told_who_was_faster_and_loses_nothing(people: SignIn, post: Post, case_id: int) -> None:
    manager = people(MANAGER)
    task = task_of(manager, "重大性の判断")
    controls = controls_of(manager.get(task).text)
    post(manager, task, {**controls, "grave": "false", "grave_reason": "軽微"})
    late = post(manager, task, {**controls, "grave": "true", "grave_reason": "後から書いた理由"})
    assert late.status_code == 409 and "審判課 保護管理者" in late.text and "後から書いた理由" in late.text and "はい" in late.text


def test_an_undeclared_field_is_refused_by_name_and_remembered(people: SignIn, post: Post, case_id: int) -> None:
    manager = people(MANAGER)
    task = task_of(manager, "重大性の判断")
    data = {**controls_of(manager.get(task).text), "grave": "true", "grave_reason": "x", "appi68": "no", "__class__": "x"}
    answer = post(manager, task, data)
    assert answer.status_code == 422 and "「appi68」は、この画面にない項目です。" in answer.text and "「__class__」" in answer.text
    assert "操作が認められませんでした" in manager.get(f"/cases/{case_id}").text


def test_claim_note_attach_and_download(people: SignIn, post: Post, case_id: int) -> None:
    manager = people(MANAGER)
    task = task_of(manager, "重大性の判断")
    assert post(manager, f"{task}/claim").status_code == 303 and "自分が引受中" in manager.get("/inbox?show=mine").text
    assert post(manager, f"{task}/release").status_code == 303
    post(manager, f"/cases/{case_id}/notes", {"_text": "相手方に電話した。"})
    data = {"_files": (io.BytesIO(b"%PDF-1.4\n%%EOF\n"), "回収確認書.pdf")}
    answer = post(manager, f"/cases/{case_id}/attachments", data, content_type="multipart/form-data")
    assert answer.status_code == 303, answer.text
    page = manager.get(f"/cases/{case_id}").text
    assert "相手方に電話した。" in page and "回収確認書.pdf" in page
    link = re.search(r'href="(/attachments/\d+)"', page)
    assert link is not None
    assert manager.get(link[1]).data.startswith(b"%PDF") and people(OTHER).get(link[1]).status_code == 404


def test_a_draft_outlives_the_browser_and_only_its_writer_sees_it(people: SignIn, post: Post) -> None:
    post(people(STAFF), "/report/isa_incident/draft", {"item_summary": "書きかけの報告"})
    assert "書きかけの報告" in people(STAFF).get("/report/isa_incident").text
    assert "書きかけの報告" not in people(MANAGER).get("/report/isa_incident").text
    post(people(STAFF), "/report/isa_incident", REPORT)
    assert "書きかけの報告" not in people(STAFF).get("/report/isa_incident").text


def test_a_discarded_draft_is_gone(people: SignIn, post: Post) -> None:
    staff = people(STAFF)
    post(staff, "/report/isa_incident/draft", {"item_summary": "書きかけの報告"})
    post(staff, "/report/isa_incident/draft/discard")
    page = staff.get("/report/isa_incident").text
    assert "書きかけの報告" not in page and "下書きの続き" not in page


def test_a_late_report_shows_what_is_already_late(people: SignIn, post: Post) -> None:
    answer = post(people(STAFF), "/report/isa_incident", {**REPORT, "known_at": "2026-09-01T10:00"})
    assert answer.status_code == 422 and "理由" in answer.text
    answer = post(
        people(STAFF),
        "/report/isa_incident",
        {**REPORT, "known_at": "2026-09-01T10:00", "backdate_reason": "休暇中だった", "sensitive": "yes", "holds": "pi"},
    )
    assert answer.status_code == 303, answer.text
    case = people(STAFF).get(answer.location.removesuffix("/started")).text
    assert "期限超過" in case


def test_every_diagram_of_a_case_can_be_read(people: SignIn, case_id: int) -> None:
    manager = people(MANAGER)
    page = manager.get(f"/cases/{case_id}").text
    paths = {"", *re.findall(rf"/cases/{case_id}/diagram\?path=([^\"&{{]+)", page)}
    assert len(paths) > 1
    for path in paths:
        assert manager.get(f"/cases/{case_id}/diagram?path={path}").status_code == 200, path
        assert "definitions" in manager.get(f"/cases/{case_id}/diagram.bpmn?path={path}").text
        assert manager.get(f"/cases/{case_id}/diagram.json?path={path}").status_code == 200
    for path in ("nothing", "../..", "statutory/nothing"):
        assert manager.get(f"/cases/{case_id}/diagram.json?path={path}").status_code == 404


@pytest.mark.parametrize(
    "query",
    [
        "after=zzz",
        "after=99999999999999999999.1",
        "process=x'--",
        "unit=%25_",
        "text=%25",
        "show=%F0%9F%98%80",
        "text=%00",
        "after=%EF%BC%91",
    ],
)
def test_whatever_stands_in_the_address_the_lists_answer(people: SignIn, case_id: int, query: str) -> None:
    manager = people(MANAGER)
    for path in ("/inbox", "/register", "/my-reports", "/notices"):
        assert manager.get(f"{path}?{query}").status_code == 200, path


def test_papers_can_be_made(people: SignIn, case_id: int) -> None:
    manager = people(MANAGER)
    papers: list[Any] = re.findall(rf'href="(/cases/{case_id}/papers/\w+)"', manager.get(f"/cases/{case_id}").text)
    assert papers
    for path in papers:
        assert manager.get(path).status_code == 200
        assert manager.get(f"{path}.pdf").data.startswith(b"%PDF")
        assert manager.get(f"{path}.json").is_json
        assert manager.get(f"{path}?index=-5").status_code in (200, 404) and manager.get(f"{path}?index=99999").status_code in (200, 404)
