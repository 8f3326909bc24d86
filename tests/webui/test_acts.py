"""Every act over HTTP on the small offices of `tests.support`: what the pages offer, what they refuse and what they leave untouched."""

from __future__ import annotations

import io
import re
from collections.abc import Callable, Iterator
from datetime import datetime
from pathlib import Path

import pytest
from flask.testing import FlaskClient

from engine import JST, Player, SetClock, hash_password, load_scenario, parsing
from engine.model import metadata
from tests.engine.drawing import diagram, element, end, exclusive, flows, inclusive, multi, start
from tests.support import (
    AMOUNT,
    AUDITOR,
    DIVISION,
    GENERAL,
    MANAGER,
    MONDAY,
    OTHER_MANAGER,
    ROOT,
    STAFF,
    SUMMARY,
    UNIT,
    World,
    make_engine,
    make_world,
    populate,
    said,
    step,
    write_offices,
)
from tests.webui.conftest import Post
from webui import create_app
from webui.serving import trusted_hosts

PASSWORD = "a-long-and-quiet-password"
OTHER_DIVISION = "protection_manager@c"
SignIn = Callable[[str], FlaskClient]


@pytest.fixture(scope="module")
def hashed() -> str:
    return hash_password(PASSWORD)


def open_doors(world: World, hashed: str, post: Post) -> SignIn:
    """Give everyone the same password; answers with a way to sign in by seat or person."""
    table = metadata.tables["person"]
    with world.engine.writing() as connection:
        connection.execute(table.update().values(password_hash=hashed))
    app = create_app(world.engine, secret_key="test")

    def by(seat: str) -> FlaskClient:
        client = app.test_client()
        answer = post(client, "/login", {"person": world.person(seat), "password": PASSWORD}, page="/login")
        assert answer.status_code == 303, answer.text
        return client

    return by


@pytest.fixture
def world(tmp_path: Path) -> Iterator[World]:
    """The small offices on a Monday morning."""
    made = make_world(tmp_path)
    yield made
    assert made.engine.verify_history() == ()
    made.engine.close()


@pytest.fixture
def people(world: World, hashed: str, post: Post) -> SignIn:
    """Clients signed in by seat."""
    return open_doors(world, hashed, post)


def controls(world: World, case_id: int, node: str) -> tuple[str, dict[str, str]]:
    """The address of an open step and what its form carries along."""
    row = world.task(case_id, node)
    return f"/tasks/{row['id']}", {"_version": str(world.case(case_id)["version"]), "_case": str(case_id)}


def at_approval(world: World) -> int:
    """A case that waits for its approval."""
    case_id = world.start("approval", amount=5)
    world.complete(case_id, "review", opinion="よい")
    return case_id


# ---------------------------------------------------------------- sending back


def test_a_step_is_sent_back_with_a_reason_the_other_reads(world: World, people: SignIn, post: Post) -> None:
    case_id = at_approval(world)
    path, given = controls(world, case_id, "approve")
    division = people(DIVISION)
    page = division.get(path).text
    assert "前の段階へ差し戻す" in page and 'value="review"' in page and 'value="fix"' in page
    for data, said_ in (({"_to": "review"}, "理由"), ({"_reason": "足りない"}, "差戻し先を選んでください。")):
        refused = post(division, f"{path}/send-back", {**given, **data})
        assert refused.status_code == 422 and said_ in refused.text and 'id="send-back" open' in refused.text
        assert data.get("_reason", "") in refused.text
    assert post(division, f"{path}/send-back", {**given, "_to": "apply", "_reason": "x"}).status_code == 409
    assert world.waits(case_id) == ["approve"]
    done = post(division, f"{path}/send-back", {**given, "_to": "review", "_reason": "金額の根拠が足りない"})
    assert done.status_code == 303 and world.waits(case_id) == ["review"]
    again, _ = controls(world, case_id, "review")
    assert "差し戻されています" in (shown := people(MANAGER).get(again).text) and "金額の根拠が足りない" in shown


def test_a_choice_is_one_button_for_each_answer_and_says_what_it_causes(world: World, people: SignIn, post: Post) -> None:
    case_id = at_approval(world)
    path, given = controls(world, case_id, "approve")
    division = people(DIVISION)
    page = division.get(path).text
    buttons = re.findall(r'<button class="button button-secondary" type="submit" name="(\w+)" value="(\w+)"[^>]*>([^<]+)<', page)
    assert buttons == [("verdict", "granted", "承認"), ("verdict", "refused", "却下")]
    assert "案件が終わります：承認済み" in page and "案件が終わります：却下" in page
    without = post(division, path, given)
    assert without.status_code == 422 and 'href="#f-verdict"' in without.text
    assert post(division, path, {**given, "verdict": "refused"}).status_code == 303
    assert world.case(case_id)["outcome"] == "却下"


def test_the_one_who_did_the_step_before_may_not_approve(world: World, people: SignIn, post: Post) -> None:
    world.appoint("protection_manager.a", DIVISION, kind="concurrent")
    case_id = at_approval(world)
    path, given = controls(world, case_id, "approve")
    answer = post(people(MANAGER), path, {**given, "verdict": "granted", "_seat": DIVISION})
    assert answer.status_code == 403 and "審査" in answer.text and world.waits(case_id) == ["approve"]


# ---------------------------------------------------------------- withdrawing and merging


def test_the_reporter_withdraws_until_somebody_acted(world: World, people: SignIn, post: Post) -> None:
    first, second = world.start("approval"), world.start("approval")
    staff = people(STAFF)
    assert f"/cases/{first}/withdraw" in staff.get(f"/cases/{first}").text
    assert f"/cases/{first}/withdraw" not in people(MANAGER).get(f"/cases/{first}").text
    assert post(people(MANAGER), f"/cases/{first}/withdraw", {"_reason": "x"}).status_code == 403
    empty = post(staff, f"/cases/{first}/withdraw", {"_reason": "  "})
    assert empty.status_code == 422 and "理由を入力してください。" in empty.text
    assert post(staff, f"/cases/{first}/withdraw", {"_reason": "二重に出した"}).status_code == 303
    page = staff.get(f"/cases/{first}").text
    assert "取下げ" in page and "二重に出した" in page and world.waits(first) == []
    assert post(staff, f"/cases/{first}/withdraw", {"_reason": "もう一度"}).status_code == 409
    world.complete(second, "review", opinion="よい")
    late = post(staff, f"/cases/{second}/withdraw", {"_reason": "やめる"})
    assert late.status_code == 403 and "すでに他の職員が処理した" in late.text and world.waits(second) == ["approve"]


def test_a_duplicate_is_merged_by_its_number(world: World, people: SignIn, post: Post) -> None:
    kept, lost = world.start("clock"), world.start("clock")
    number = world.case(kept)["number"]
    with world.acting(STAFF) as work:
        work.note(lost, "統合の前のメモ")
    general = people(GENERAL)
    for case_id in (kept, lost):  # whoever may merge has acted on both, and sees them
        world.engine.appoint("general_protection_manager.office", STAFF, kind="concurrent")
        with world.engine.writing() as connection:
            row = {"case_id": case_id, "organisation": "office", "seat": GENERAL, "since": world.clock.now()}
            table = metadata.tables["case_seat"]
            connection.execute(table.insert().values({name: row[name] for name in row if name in table.c}))
    path = f"/cases/{lost}/merge"
    assert path in general.get(f"/cases/{lost}").text and path not in people(MANAGER).get(f"/cases/{lost}").text
    unknown = post(general, path, {"_number": "案R9-9999", "_reason": "同じ事案"})
    assert unknown.status_code == 422 and "その番号の案件は" in unknown.text and "同じ事案" in unknown.text
    own = post(general, path, {"_number": world.case(lost)["number"], "_reason": "同じ"})
    assert own.status_code == 422 and "同じ案件どうしです。" in own.text
    assert post(people(MANAGER), path, {"_number": number, "_reason": "同じ"}).status_code == 403
    assert post(general, path, {"_number": number, "_reason": "同じ事案"}).status_code == 303
    assert "この案件は統合されました" in general.get(f"/cases/{lost}").text
    page = general.get(f"/cases/{kept}").text
    assert "統合の前のメモ" in page and world.waits(lost) == [] and world.waits(kept) == ["prepare"]


# ---------------------------------------------------------------- actions


def test_an_action_shows_what_is_wrong_then_is_done(world: World, people: SignIn, post: Post) -> None:
    case_id = world.start("clock", duty="no")
    manager, path = people(MANAGER), f"/cases/{case_id}/actions/amend"
    assert path in manager.get(f"/cases/{case_id}").text
    wrong = post(manager, path, {"report_days": "百", "amount": "-1", "duty": "maybe"})
    assert wrong.status_code == 422 and all(f'href="#f-{name}"' in wrong.text for name in ("report_days", "amount", "duty"))
    assert 'value="百"' in wrong.text and world.facts(case_id)["duty"] == "no"
    done = post(manager, path, {"duty": "yes", "report_days": "30"})
    assert done.status_code == 303, done.text
    page = manager.get(f"/cases/{case_id}").text
    assert "「事実の更新」を行いました" in page and world.facts(case_id)["duty"] == "yes"
    timeline = page[page.index("timeline-title") :]
    assert "2026年12月15日（火）まで" in timeline and not re.search(
        r"\d{4}-\d{2}-\d{2}(?![T\d])", re.sub(r'datetime="[^"]*"', "", timeline)
    )


def test_an_action_is_only_for_its_seats(world: World, people: SignIn, post: Post) -> None:
    case_id = world.start("clock")
    path = f"/cases/{case_id}/actions/transfer"
    assert people(STAFF).get(path).status_code == 404 and post(people(STAFF), path, {"owning_unit": "b"}).status_code == 403
    assert post(people(OTHER_DIVISION), path, {"owning_unit": "b"}).status_code == 404
    assert people(MANAGER).get(f"/cases/{case_id}/actions/hidden").status_code == 404


def test_with_several_seats_one_chooses_from_which_to_act(world: World, people: SignIn, post: Post) -> None:
    world.appoint("protection_manager.a", DIVISION, kind="concurrent")
    world.appoint("protection_manager.a", OTHER_MANAGER, kind="acting")
    case_id = world.start("clock")
    both, path = people(MANAGER), f"/cases/{case_id}/actions/amend"
    offered = re.findall(r'type="radio" name="_seat" value="([^"]+)"', both.get(path).text)
    assert offered == [MANAGER, DIVISION]  # not the one of the other division, which may not
    refused = post(both, path, {"amount": "x", "_seat": DIVISION})
    assert refused.status_code == 422 and f'value="{DIVISION}" checked' in refused.text
    assert post(both, path, {"amount": "7", "_seat": OTHER_MANAGER}).status_code == 403
    assert post(both, path, {"amount": "7", "_seat": GENERAL}).status_code == 403
    assert post(both, path, {"amount": "7", "_seat": DIVISION}).status_code == 303
    assert world.history(case_id, "action.done")[-1]["seat"] == DIVISION
    world.complete(case_id, "prepare")
    offered = re.findall(r'type="radio" name="_seat" value="([^"]+)"', both.get(f"/cases/{case_id}/notes").text)
    assert offered == [MANAGER, DIVISION]
    assert post(both, f"/cases/{case_id}/notes", {"_text": "部として確かめた", "_seat": DIVISION}).status_code == 303
    assert world.history(case_id, "note.added")[-1]["seat"] == DIVISION
    assert 'name="_seat"' not in people(STAFF).get(f"/cases/{case_id}/notes").text


# ---------------------------------------------------------------- notes and files


def test_a_note_needs_words_and_is_in_the_record(world: World, people: SignIn, post: Post) -> None:
    case_id = world.start("approval")
    staff = people(STAFF)
    assert post(staff, f"/cases/{case_id}/notes", {"_text": " \n "}).status_code == 422
    long = post(staff, f"/cases/{case_id}/notes", {"_text": "あ" * 4001})
    assert long.status_code == 422 and "4000文字以内" in long.text
    assert post(staff, f"/cases/{case_id}/notes", {"_text": "<b>太字</b>ではない"}).status_code == 303
    assert "&lt;b&gt;太字" in staff.get(f"/cases/{case_id}").text
    assert post(people(OTHER_DIVISION), f"/cases/{case_id}/notes", {"_text": "x"}).status_code == 404


@pytest.mark.parametrize(
    ("name", "data"),
    [("報告.pdf", b"MZ\x90 not a pdf"), ("run.exe", b"MZ"), ("写真.png", b"%PDF-1.4\n%%EOF\n"), ("空.pdf", b""), ("無名", b"abc")],
)
def test_a_file_that_is_not_what_its_name_says_is_refused(world: World, people: SignIn, post: Post, name: str, data: bytes) -> None:
    case_id = world.start("approval")
    manager = people(MANAGER)
    path, given = controls(world, case_id, "review")
    sent = {"_files": (io.BytesIO(data), name)}
    answer = post(manager, f"/cases/{case_id}/attachments", sent, content_type="multipart/form-data")
    assert answer.status_code == 422 and "添付できません" in answer.text
    # with a step: neither the file nor the step
    sent = {**given, "opinion": "添付を見てください", "_files": (io.BytesIO(data), name)}
    answer = post(manager, path, sent, content_type="multipart/form-data")
    assert answer.status_code == 422 and "添付を見てください" in answer.text
    assert world.waits(case_id) == ["review"] and world.rows("attachment") == []


# ---------------------------------------------------------------- who may, and who was faster


def test_a_wrong_seat_is_told_so_or_sees_nothing(world: World, people: SignIn, post: Post) -> None:
    case_id = world.start("approval")
    path, given = controls(world, case_id, "review")
    before = world.facts(case_id)
    assert post(people(STAFF), path, {**given, "opinion": "x"}).status_code == 403  # the reporter sees the case
    assert people(AUDITOR).get(path).status_code == 200
    assert post(people(AUDITOR), path, {**given, "opinion": "x"}).status_code == 403
    for seat in (OTHER_DIVISION, OTHER_MANAGER):
        stranger = people(seat)
        for act, data in (
            ("", {"opinion": "x"}),
            ("/claim", {}),
            ("/release", {}),
            ("/send-back", {"_to": "x", "_reason": "x"}),
            ("/preview", {}),
        ):
            assert post(stranger, path + act, {**given, **data}).status_code == 404, act
        assert stranger.get(path).status_code == 404 and stranger.get(f"/cases/{case_id}/papers/division_report.json").status_code == 404
    assert post(people(MANAGER), path, {**given, "opinion": "x", "_seat": DIVISION}).status_code == 403
    assert world.facts(case_id) == before and world.waits(case_id) == ["review"]


def test_who_was_faster_is_named(world: World, people: SignIn, post: Post) -> None:
    world.appoint("deputy", MANAGER, kind="acting")
    by = people
    with world.engine.writing() as connection:
        table = metadata.tables["person"]
        known = connection.execute(table.select().where(table.c.id == "protection_manager.a")).mappings().one()
        connection.execute(table.update().where(table.c.id == "deputy").values(password_hash=known["password_hash"]))
    case_id = world.start("approval")
    path, given = controls(world, case_id, "review")
    deputy = by("person:deputy")
    assert post(deputy, f"{path}/claim", given).status_code == 303
    taken = post(by(MANAGER), path, {**given, "opinion": "私の意見"})
    assert taken.status_code == 409 and "deputyさん が引き受けています" in taken.text and "私の意見" in taken.text
    assert post(deputy, path, {**given, "opinion": "代理の意見"}).status_code == 303
    late = post(by(MANAGER), path, {**given, "opinion": "私の意見"})
    assert late.status_code == 409 and "deputyさん が完了しています" in late.text and "2026年11月16日（月）" in late.text
    assert "私の意見" in late.text and world.facts(case_id)["opinion"] == "代理の意見"


# ---------------------------------------------------------------- one step for each person


def test_each_person_has_a_step_of_their_own(world: World, people: SignIn, post: Post) -> None:
    case_id = world.start("many", persons=[{"label": "甲"}, {"label": "乙"}])
    manager = people(MANAGER)
    rows = world.rows("task", case_id=case_id, state="open")
    pages = [manager.get(f"/tasks/{row['id']}").text for row in rows]
    assert [("対象：甲" in page, "対象：乙" in page) for page in pages] == [(True, False), (False, True)]
    given = {"_version": str(world.case(case_id)["version"]), "_case": str(case_id)}
    second = f"/tasks/{rows[1]['id']}"
    assert post(manager, second, {**given, "answer": ""}).status_code == 422
    assert post(manager, second, {**given, "answer": "乙の答え"}).status_code == 303
    assert (
        post(manager, f"/tasks/{rows[0]['id']}", {**given, "answer": "甲の答え"}).status_code == 303
    )  # another's row changes nothing here
    assert world.facts(case_id)["ask"] == [{"answer": "甲の答え"}, {"answer": "乙の答え"}] and world.waits(case_id) == []


# ---------------------------------------------------------------- papers of the real office


@pytest.fixture
def isa(tmp_path: Path) -> Iterator[World]:
    """The agency with the incident of the twelve persons, waiting for the notices."""
    made = make_world(tmp_path, isa=True)
    scenario = load_scenario(ROOT / "bpmn" / "isa" / "scenarios" / "incident_r5-5.yaml")
    Player(made.engine, made.clock, "isa").play(scenario, starts=datetime(2026, 11, 17, 17, 0, tzinfo=JST), until="notice")
    yield made
    made.engine.close()


def test_papers_for_persons_and_rungs(isa: World, hashed: str, post: Post) -> None:
    by = open_doors(isa, hashed, post)
    row = next(row for row in isa.rows("task", state="open") if row["name"] == "本人への通知（2）")
    manager, case_id = by(row["seat"]), row["case_id"]
    page = manager.get(f"/tasks/{row['id']}").text
    letter = f"/cases/{case_id}/papers/notice_letter"
    assert f'href="{letter}?index=1"' in page and f'href="{letter}.pdf?index=1"' in page
    assert page.index(f"{letter}?index=1") < page.index('id="task-form"')
    shown = manager.get(f"{letter}?index=1").text
    labels = [person["label"] for person in isa.facts(case_id)["persons"]]
    assert f'index=1" aria-current="page">{labels[1]}</a>' in shown and all(f">{label}</a>" in shown for label in labels)
    made = manager.get(f"{letter}.json?index=1").json
    assert made is not None and labels[1] in made["addressee"] and labels[0] not in made["addressee"]
    pdf = manager.get(f"{letter}.pdf?index=1")
    assert pdf.data.startswith(b"%PDF") and labels[1] not in pdf.headers["Content-Disposition"]
    assert manager.get(f"{letter}?index={len(labels)}").status_code == 404 and manager.get(f"{letter}.pdf?index=-1").status_code == 404
    assert "宛先を選ぶ（12）" in manager.get(letter).text
    report = f"/cases/{case_id}/papers/division_report"
    rungs = re.findall(rf'href="{report}\?index=(\d)"[^>]*>([^<]+)</a>', manager.get(report).text)
    assert [number for number, _ in rungs] == ["0", "1", "2"] and rungs[1][1] == "総括保護管理者 殿"
    desk = by("commission_desk@isa")
    final = next(row for row in isa.rows("task", state="open") if row["node"].endswith("prepare_final"))
    page = desk.get(f"/tasks/{final['id']}").text
    assert page.index(f"/cases/{case_id}/papers/commission_report") < page.index('id="task-form"')
    assert by("protection_manager@adjudication").get(f"{letter}.pdf?index=1").status_code == 404


def test_every_rung_has_its_own_report(isa: World) -> None:
    viewer = isa.viewer("general_protection_manager@isa")
    rungs = {"report_to_division": 0, "report_grave": 0, "report_to_general": 1, "report_grave_to_general": 1, "report_to_commissioner": 2}
    passed = {row["node"]: row["id"] for row in isa.rows("task") if row["node"] in rungs}
    assert {rungs[node] for node in passed} == {0, 1, 2}
    for node, task in passed.items():
        papers = isa.engine.task(viewer, task).papers
        assert (papers[0].id, papers[0].index, papers[0].of_step) == ("division_report", rungs[node], True)
        assert not any(paper.of_step for paper in papers[1:])


# ---------------------------------------------------------------- faults of a diagram


BEGIN = start("begin", said(SUMMARY, UNIT, AMOUNT), name="開始")
WORK = step("work", "作業", "protection_manager@owning_unit", AMOUNT)
FAULTS: dict[str, tuple[str, tuple[str, ...]]] = {
    "no_way_out": (
        "条件が、どれも成り立ちません",
        (
            inclusive("which", name="分かれ道"), end("few", name="少"), end("many", name="多"),
            flows("begin > work > which", "which > few : amount == 1", "which > many : amount == 2"),
        ),
    ),
    "too_many_steps": (
        "処理が終わりません",
        (
            exclusive("which", name="分かれ道", default="which_done"), end("done", name="完了"),
            element("serviceTask", "turn", said(to="general_protection_manager@organisation"), name="一回り", camunda_topic="notify"),
            flows("begin > work > which > done", "which > turn : amount == 3", "turn > which"),
        ),
    ),
    "bad_instances": (
        "繰り返しの数が正しくありません",
        (
            step("ask", "照会", "protection_manager@owning_unit", inside=multi(times="amount")), end("done", name="完了"),
            flows("begin > work > ask > done"),
        ),
    ),
    "expression": (
        "文字目",
        (
            exclusive("which", name="分かれ道", default="which_done"), end("done", name="完了"), end("other", name="別"),
            flows("begin > work > which > done", 'which > other : amount + "x" == 1'),
        ),
    ),
}  # fmt: skip


@pytest.fixture
def faulty(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[World]:
    """The small office with a diagram for each fault, in force from before the gate knew how to find it."""
    monkeypatch.setattr(parsing, "check_diagram", lambda *_: [])
    folder = write_offices(tmp_path / "bpmn")
    for name, (_, parts) in FAULTS.items():
        (folder / "office" / f"{name}.bpmn").write_bytes(diagram(said(numbering="general"), BEGIN, WORK, *parts, id=f"office_{name}"))
    clock = SetClock(MONDAY)
    made = World(make_engine(f"sqlite:///{tmp_path}/faulty.sqlite", clock, bpmn=folder), clock)
    made.engine.migrate()
    populate(made.engine, ("office",))
    yield made
    made.engine.close()


@pytest.mark.parametrize("fault", FAULTS)
def test_a_fault_of_the_diagram_is_told_and_changes_nothing(faulty: World, hashed: str, post: Post, fault: str) -> None:
    case_id = faulty.start(fault)
    manager = open_doors(faulty, hashed, post)(MANAGER)
    path, given = controls(faulty, case_id, "work")
    assert manager.get(path).status_code == 200
    answers = {**given, "amount": "" if fault == "bad_instances" else "3"}
    before = {name: value for name, value in faulty.checksums().items() if name not in ("history", "counter", "session", "task_read")}
    answer = post(manager, path, answers)
    assert answer.status_code == 422, answer.text
    assert FAULTS[fault][0] in answer.text and "案件は元のままです" in answer.text and 'id="task-form"' in answer.text
    assert {name: value for name, value in faulty.checksums().items() if name in before} == before
    assert [row["data"]["error"] for row in faulty.history(case_id, "attempt.refused")] != []
    assert post(manager, f"{path}/preview", answers).status_code in (200, 422)
    assert faulty.waits(case_id) == ["work"]


# ---------------------------------------------------------------- the names the site answers to


@pytest.mark.parametrize(
    ("base_url", "host", "demo", "expected"),
    [
        ("http://127.0.0.1:8000", "127.0.0.1", True, None),
        ("http://127.0.0.1:8000", "::1", True, None),
        ("https://tadachi.example.go.jp", "0.0.0.0", True, ["tadachi.example.go.jp", "localhost", "127.0.0.1"]),  # noqa: S104
        ("https://tadachi.example.go.jp/", "10.0.0.5", False, ["tadachi.example.go.jp", "10.0.0.5", "localhost", "127.0.0.1"]),
        ("http://127.0.0.1:8000", "localhost", False, ["127.0.0.1", "localhost"]),
        ("http://[2001:db8::1]:8000", "::", False, None),
    ],
)
def test_the_names_the_site_answers_to(base_url: str, host: str, demo: bool, expected: list[str] | None) -> None:
    assert trusted_hosts(base_url, host, demo=demo) == expected


def test_another_name_is_refused_in_plain_words(world: World) -> None:
    names = trusted_hosts("https://tadachi.example.go.jp", "0.0.0.0", demo=False)  # noqa: S104
    app = create_app(world.engine, secret_key="test", trusted_hosts=names)
    for host, status in (("tadachi.example.go.jp", 200), ("127.0.0.1:8000", 200), ("evil.example", 400)):
        answer = app.test_client().get("/login", headers={"Host": host})
        assert answer.status_code == status and ("応答しません" in answer.text) == (status == 400)
        assert answer.headers["X-Frame-Options"] == "DENY"
