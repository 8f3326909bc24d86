"""Drafts of diagrams: begun, held by one person at a time, saved without losing anybody's work, examined within two seconds, proven aside."""

from __future__ import annotations

import json
import re
import time
from collections.abc import Iterator
from datetime import datetime, timedelta
from pathlib import Path

import pytest

from engine import (
    JST,
    DefinitionRefused,
    DraftClosed,
    DraftHeld,
    DraftMoved,
    DraftNotFound,
    DraftRefused,
    NotAllowed,
    ProcessNotFound,
    ProofNotFound,
    ProofShown,
)
from engine.deploy_check import TOPICS
from engine.draft_files import MOST_FILES, free_process
from engine.draft_files import read as read_files
from engine.draft_help import check_expression
from engine.examiner import Examiner
from engine.expressions import KNOWN_FUNCTIONS
from engine.vocabulary import FUNCTIONS, SERVICES
from tests.designing import ONE, OTHER, STRANGER, TWO, Studio, make_studio
from tests.engine.drawing import HEAD, boundary, diagram, element, end, exclusive, flows, parallel, start, timer
from tests.support import ROOT, STAFF, field, said, step


@pytest.fixture
def studio(tmp_path: Path) -> Iterator[Studio]:
    made = make_studio(tmp_path)
    yield made
    made.engine.close()


def drawn(*parts: str, id: str = "office_lending") -> str:
    """A diagram of the small office."""
    return diagram(*parts, id=id).decode()


def small(seat: str = "protection_manager@owning_unit") -> str:
    """A start, a step, an end."""
    return drawn(
        start("apply", said(field("ok", "よいか", "boolean", required=True)), name="申請"),
        step("check", "確認", seat),
        end("done", name="済み"),
        flows("apply > check > done"),
    )


# ---------------------------------------------------------------- who, and what there is


def test_only_who_may_put_diagrams_in_force_sees_drafts(studio: Studio) -> None:
    """図を施行してよい役だけが、下書きを見て、作れる。"""
    desk = studio.engine.drafts
    assert desk.may_design(studio.viewer()) and not desk.may_design(studio.viewer(OTHER))
    made = desk.begin(studio.viewer(), None, "備品の貸出し", name="lending")
    for refused in (
        lambda: desk.all(studio.viewer(OTHER)), lambda: desk.show(studio.viewer(OTHER), made), lambda: desk.begin(studio.viewer(OTHER), None, "x"),
        lambda: desk.save(studio.viewer(OTHER), made, 1, {"office/a.bpmn": ""}), lambda: desk.inspect(studio.viewer(OTHER), made),
        lambda: desk.vocabulary(studio.viewer(OTHER), made), lambda: desk.procedures(studio.viewer(OTHER)),
        lambda: desk.check_expression(studio.viewer(OTHER), "a", "condition", ()), lambda: studio.engine.proofs.start(studio.viewer(OTHER), made),
    ):  # fmt: skip
        with pytest.raises(NotAllowed):
            refused()


def test_a_draft_of_another_office_is_not_there(studio: Studio) -> None:
    """よその機関の下書きは、無いのと同じ。"""
    desk, stranger = studio.engine.drafts, studio.viewer(STRANGER)
    made = desk.begin(studio.viewer(), None, "備品の貸出し", name="lending")
    assert desk.all(stranger) == ()
    for refused in (
        lambda: desk.show(stranger, made), lambda: desk.save(stranger, made, 1, {"office/a.bpmn": "<a/>"}), lambda: desk.hold(stranger, made),
        lambda: desk.discard(stranger, made), lambda: desk.copy(stranger, made), lambda: desk.inspect(stranger, made),
        lambda: desk.release(stranger, made), lambda: studio.engine.proofs.start(stranger, made), lambda: desk.rename(stranger, made, "x", ""),
    ):  # fmt: skip
        with pytest.raises(DraftNotFound):
            refused()


def test_the_list_shows_procedures_in_force_and_what_is_drawn_from_them(studio: Studio) -> None:
    """一覧には、施行中の手続と、そこから描いている下書きの数が出る。"""
    desk, me = studio.engine.drafts, studio.viewer()
    before = {one.process_id: one for one in desk.procedures(me)}
    assert before["office_approval"].version == 1 and before["office_approval"].drafts == 0
    made = desk.begin(me, "office_approval")
    assert {one.process_id: one.drafts for one in desk.procedures(me)}["office_approval"] == 1
    (shown,) = desk.all(me)
    assert (shown.id, shown.base_version, shown.state, shown.made_by_name, shown.revision) == (made, 1, "editing", "設計の担当", 1)


# ---------------------------------------------------------------- begin


def test_a_draft_begins_from_the_version_in_force(studio: Studio) -> None:
    """施行中の版から始めると、図も決定表も同じものが入る。"""
    desk, me = studio.engine.drafts, studio.viewer()
    page = desk.show(me, desk.begin(me, "office_approval"))
    with studio.engine.reading() as connection:
        version = studio.engine.definitions.in_force(connection, "office", "office_approval", me.at)
    assert page.files == {name: data.decode() for name, data in version.files.items()}
    assert page.draft.base_definition == version.id and page.why_not == ""
    with pytest.raises(ProcessNotFound):
        desk.begin(me, "office_nothing")


def test_a_new_procedure_gets_a_file_and_id_by_the_conventions(studio: Studio) -> None:
    """新しい手続のファイルとIDは、決まりどおりに付き、重ならない。"""
    desk, me = studio.engine.drafts, studio.viewer()
    page = desk.show(me, desk.begin(me, None, "備品の貸出し", name="Lending of goods"))
    assert page.draft.process_id == "office_Lending_of_goods" and "office/Lending_of_goods.bpmn" in page.files
    taken = desk.show(me, desk.begin(me, None, "承認", name="approval"))
    assert taken.draft.process_id == "office_approval_2"
    with pytest.raises(DraftRefused):
        desk.begin(me, None, "  ")
    assert free_process("isa", "../../etc/passwd", ()) == ("isa/etc_passwd.bpmn", "isa_etc_passwd")
    assert free_process("isa", "日本語", ()) == ("isa/procedure.bpmn", "isa_procedure")


def test_everything_that_does_not_run_is_named_element_by_element(studio: Studio) -> None:
    """ほかの道具だけが使う要素は、まとめて断られず、1つずつ名前で示される。使えるものは残る。"""
    desk, me = studio.engine.drafts, studio.viewer()
    parts = [
        start("begin", name="開始"),
        step("check", "確認", "protection_manager@owning_unit"),
        element("scriptTask", "magic", name="計算"),
    ]
    parts += [element("complexGateway", "odd", name="難しい分かれ道"), element("transaction", "deal", name="取引")]
    parts += [element("adHocSubProcess", "loose", name="順不同"), end("done", "<bpmn:compensateEventDefinition/>", name="取消し")]
    made = desk.import_file(me, "foreign.bpmn", drawn(*parts, flows("begin > check > magic > odd > deal > loose > done")).encode())
    found = desk.inspect(me, made).findings
    assert {"magic", "odd", "deal", "loose", "done"} <= {one.element for one in found if one.severity == "error"}
    assert not [one for one in found if one.element == "check"] and all(re.search("[ぁ-ん]", one.message) for one in found)


def test_an_imported_file_is_kept_as_it_is_and_told_element_by_element(studio: Studio) -> None:
    """ほかの道具の図は1バイトも変えずに残り、動かない要素は1つずつ名指しされる。"""
    desk, me = studio.engine.drafts, studio.viewer()
    text = drawn(
        start("begin", name="開始"),
        '<bpmn:scriptTask id="magic" name="計算"><bpmn:script>x()</bpmn:script></bpmn:scriptTask>',
        end("done"),
        flows("begin > magic > done"),
        id="foreign",
    )
    text = text.replace("<bpmn:startEvent", '<!-- kept -->\n<bpmn:startEvent acme:x="1" xmlns:acme="urn:acme"', 1)
    made = desk.import_file(me, "C:\\図\\よその図.bpmn", text.encode())
    page = desk.show(me, made)
    assert page.draft.process_id == "foreign" and text in page.files.values()
    found = desk.inspect(me, made).findings
    assert [(one.rule, one.element) for one in found if one.severity == "error"] == [("script_refused", "magic")]


@pytest.mark.parametrize(
    "data", [b"", b"not xml", b"\xff\xfe<\x00a\x00", b"<html/>", b"<!DOCTYPE a [<!ENTITY b 'c'>]><a>&b;</a>", b"<a" * 1_000]
)
def test_what_is_no_diagram_is_refused_with_a_reason(studio: Studio, data: bytes) -> None:
    """図でも決定表でもないものは、理由を示して断る。"""
    with pytest.raises(DefinitionRefused) as refused:
        studio.engine.drafts.import_file(studio.viewer(), "x.bpmn", data)
    assert refused.value.findings[0].message.endswith("。")


def test_a_file_without_a_process_is_refused(studio: Studio) -> None:
    """プロセスのない図は、下書きにできない。"""
    with pytest.raises(DraftRefused):
        studio.engine.drafts.import_file(studio.viewer(), "x.bpmn", f"{HEAD}</bpmn:definitions>".encode())


# ---------------------------------------------------------------- save, hold, lose nothing


def test_saving_goes_up_by_one_and_the_slower_is_told_who_and_when(studio: Studio) -> None:
    """保存のたびに版が進み、遅れた人には、誰がいつ保存したかが伝わる。"""
    desk, me = studio.engine.drafts, studio.viewer()
    made = desk.begin(me, None, "備品の貸出し", name="lending")
    files = {**desk.show(me, made).files, "office/lending.bpmn": small()}
    assert desk.save(me, made, 1, files) == 2
    studio.clock.advance(minutes=3)
    with pytest.raises(DraftMoved) as moved:
        desk.save(studio.viewer(), made, 1, files)
    assert "設計の担当" in moved.value.text and "10:00" in moved.value.text and moved.value.ids["revision"] == 2
    assert desk.show(me, made).files["office/lending.bpmn"] == small()


def test_only_one_edits_at_a_time_and_is_relieved_after_a_silence(studio: Studio) -> None:
    """編集は1人ずつ。2分応答がなければ引き継げ、前の人の保存は断られるが写しに残せる。"""
    desk, one, two = studio.engine.drafts, studio.viewer(ONE), studio.viewer(TWO)
    made = desk.begin(one, None, "備品の貸出し", name="lending")
    assert desk.hold(one, made).why_not == ""
    looking = desk.hold(two, made)
    assert looking.draft.lock is not None and looking.draft.lock.name == "設計の担当" and not looking.draft.lock.mine
    assert "設計の担当" in looking.why_not
    files = dict(looking.files)
    with pytest.raises(DraftHeld):
        desk.save(two, made, 1, files)
    with pytest.raises(DraftHeld):
        desk.hold(two, made, take=True)
    with pytest.raises(DraftHeld):
        desk.discard(two, made)
    studio.clock.advance(seconds=119)
    with pytest.raises(DraftHeld):
        desk.hold(studio.viewer(TWO), made, take=True)
    studio.clock.advance(seconds=1)
    assert desk.show(studio.viewer(TWO), made).draft.lock.silent  # type: ignore[union-attr]
    assert desk.hold(studio.viewer(TWO), made, take=True).why_not == ""
    assert desk.save(studio.viewer(TWO), made, 1, {**files, "office/lending.bpmn": small()}) == 2
    mine = drawn(start("begin"), end("over"), flows("begin > over"))
    with pytest.raises(DraftHeld):
        desk.save(studio.viewer(ONE), made, 1, {**files, "office/lending.bpmn": mine})
    kept = desk.copy(studio.viewer(ONE), made, "", {**files, "office/lending.bpmn": mine})
    assert desk.show(studio.viewer(ONE), kept).files["office/lending.bpmn"] == mine
    assert desk.show(studio.viewer(ONE), kept).draft.title == "備品の貸出し（写し）"
    assert "draft.taken_over" in [row["tag"] for row in studio.world.rows("history", organisation="office")]


def test_a_released_draft_is_free(studio: Studio) -> None:
    """画面を閉じた人の下書きは、すぐ別の人が編集できる。"""
    desk = studio.engine.drafts
    made = desk.begin(studio.viewer(ONE), None, "備品の貸出し", name="lending")
    desk.hold(studio.viewer(ONE), made)
    desk.release(studio.viewer(TWO), made)  # not one's own: nothing happens
    assert desk.hold(studio.viewer(TWO), made).why_not != ""
    desk.release(studio.viewer(ONE), made)
    assert desk.hold(studio.viewer(TWO), made).why_not == ""


def test_a_discarded_draft_is_read_and_copied_and_never_changed(studio: Studio) -> None:
    """破棄した下書きは読めて写しも作れるが、変えられない。"""
    desk, me = studio.engine.drafts, studio.viewer()
    made = desk.begin(me, None, "備品の貸出し", name="lending")
    desk.discard(me, made)
    assert desk.all(me) == () and [one.id for one in desk.all(me, closed=True)] == [made]
    assert "破棄済み" in desk.show(me, made).why_not
    for refused in (
        lambda: desk.save(me, made, 1, desk.show(me, made).files),
        lambda: desk.hold(me, made),
        lambda: desk.discard(me, made),
        lambda: desk.rename(me, made, "x", ""),
    ):
        with pytest.raises(DraftClosed):
            refused()
    assert desk.show(me, desk.copy(me, made)).draft.state == "editing"


def test_name_and_note_are_changed(studio: Studio) -> None:
    """下書きの名前とメモは変えられる。"""
    desk, me = studio.engine.drafts, studio.viewer()
    made = desk.begin(me, None, "備品の貸出し", name="lending")
    desk.rename(me, made, "備品の貸出し（改）", "4月から\n使う")
    assert (desk.show(me, made).draft.title, desk.show(me, made).draft.note) == ("備品の貸出し（改）", "4月から\n使う")
    for title, note in ((" ", ""), ("x" * 300, ""), ("よい", "x" * 3_000), ("\u202e逆", "")):
        with pytest.raises(DraftRefused):
            desk.rename(me, made, title, note)


@pytest.mark.parametrize(
    "files",
    [
        None, [], {}, "x", {3: "x"}, {"office/a.bpmn": 3}, {"a.bpmn": "x"}, {"../a.bpmn": "x"}, {"office/a.txt": "x"}, {"office/../../a.bpmn": "x"},
        {"office/a.bpmn": "x" * 3_000_000}, {f"office/a{number}.bpmn": "x" for number in range(MOST_FILES + 1)},
        {f"office/a{number}.bpmn": "x" * 1_900_000 for number in range(3)},
    ],
    ids=lambda files: str(files)[:20],
)  # fmt: skip
def test_what_no_version_could_hold_is_not_kept(studio: Studio, files: object) -> None:
    """版に入れられない名前や大きさのものは、下書きにもならない。"""
    desk, me = studio.engine.drafts, studio.viewer()
    made = desk.begin(me, None, "備品の貸出し", name="lending")
    with pytest.raises(DraftRefused):
        desk.save(me, made, 1, files)
    assert desk.show(me, made).draft.revision == 1
    with pytest.raises(DraftRefused):
        desk.save(me, made, 1, {"office/a.bpmn": "x"}, process_id="a b")


def test_texts_no_database_holds_are_made_storable() -> None:
    """データベースに入らない文字で保存が失敗することはない。"""
    assert read_files({"office/a.bpmn": "a\0b\ud800"}) == {"office/a.bpmn": "a\ufffdb?"}


# ---------------------------------------------------------------- findings


def test_a_draft_is_told_what_a_deployment_would_say(studio: Studio) -> None:
    """下書きへの指摘は、施行のときの検査と同じ。保存していない図にも言える。"""
    desk, me = studio.engine.drafts, studio.viewer()
    made = desk.begin(me, None, "備品の貸出し", name="lending")
    assert {one.rule for one in desk.inspect(me, made).findings} == {"end_missing", "dead_end"}
    files = {**desk.show(me, made).files, "office/lending.bpmn": small()}
    found = desk.inspect(me, made, files)
    assert found.findings == () and found.seconds < 2
    wrong = desk.inspect(me, made, {**files, "office/lending.bpmn": small(seat="nobody@nowhere")})
    assert [(one.rule, one.element) for one in wrong.findings] == [("role_unknown", "check")]
    assert desk.show(me, made).draft.revision == 1, "looking stores nothing"


def test_facts_are_named_with_where_they_come_from(studio: Studio) -> None:
    """式で使える項目が、どの画面・どの決定表のものかとともに分かる。図がまだ動かなくても分かる。"""
    desk, me = studio.engine.drafts, studio.viewer()
    made = desk.begin(me, None, "備品の貸出し", name="lending")
    unfinished = drawn(
        start("apply", said(field("sort", "種類", "enum", "x=甲", "y=乙")), name="申請"), step("check", "確認", "", sets="checked=true")
    )
    tables = {"office/gravity.dmn": (ROOT / "bpmn" / "isa" / "gravity.dmn").read_text("utf-8")}
    facts = {one.name: one for one in desk.inspect(me, made, {**tables, "office/lending.bpmn": unfinished}).facts}
    assert (facts["sort"].label, facts["sort"].type, facts["sort"].place, facts["sort"].choices) == (
        "種類",
        "enum",
        "申請",
        (("x", "甲"), ("y", "乙")),
    )
    assert facts["checked"].origin == "sets" and facts["reporter"].origin == "engine"
    assert (facts["grave_suggested"].origin, facts["grave_suggested"].file) == ("table", "office/gravity.dmn")
    assert ("yes", "yes") in facts["grave_suggested"].choices


def test_called_diagrams_are_fetched_from_what_the_office_has(studio: Studio) -> None:
    """別の図を呼ぶと、機関にある図が下書きに加わる。無い図は指摘になる。"""
    desk, me = studio.engine.drafts, studio.viewer()
    made = desk.begin(me, None, "備品の貸出し", name="lending")

    def calling(target: str) -> dict[str, str]:
        text = drawn(
            start("apply", name="申請"),
            f'<bpmn:callActivity id="sub" name="承認" calledElement="{target}"/>',
            end("done"),
            flows("apply > sub > done"),
        )
        return {**desk.show(me, made).files, "office/lending.bpmn": text}

    found = desk.inspect(me, made, calling("office_approval"))
    assert list(found.called) == ["office/approval.bpmn"] and found.findings == ()
    assert [one.rule for one in desk.inspect(me, made, calling("nothing_at_all")).findings] == ["called_missing"]


def test_the_vocabulary_is_the_offices_own(studio: Studio) -> None:
    """選べる役・部署・条項・期限・台帳は、その機関のもの。"""
    desk, me = studio.engine.drafts, studio.viewer()
    told = desk.vocabulary(me, desk.begin(me, None, "備品の貸出し", name="lending"))
    assert {"id": "protection_manager", "name": "保護管理者"} in told["roles"]
    assert told["places"][0] == {"id": "owning_unit", "name": "担当の部署"} and {"id": "a", "name": "第一課"} in told["places"]
    assert [one["plain"] for one in told["clauses"] if one["id"] == "C-1"] == ["知らせてください。"]
    assert [one["id"] for one in told["urgencies"]] == ["at_once", "promptly", "plain"]
    assert told["urgencies"][0]["says"] == "1時間後に担当、3時間後に担当・一つ上の段へ催促します。"
    assert told["clocks"] == [{"id": "report", "name": "報告"}]
    assert ("office_approval" in {one["id"] for one in told["callable"]}) and json.dumps(told, ensure_ascii=False)


def test_every_function_and_service_has_words() -> None:
    """式の関数と自動処理の機能には、すべて日本語の説明がある。"""
    assert set(FUNCTIONS) == KNOWN_FUNCTIONS and set(SERVICES) == TOPICS


@pytest.mark.parametrize(
    ("text", "kind", "known", "place", "words"),
    [
        ("ok == true", "condition", ["ok"], None, ""), ("", "condition", [], None, ""), ("${ok}", "condition", ["ok"], None, ""),
        ("okk == true", "condition", ["ok", "count"], 0, "「ok」"), ("ok == ", "condition", [], 5, "読めません"), ('"yes"', "condition", [], 0, "真偽値"),
        ("a.b", "value", [], 0, "参照"), ("__import__('os')", "value", [], 0, "関数"), ("x" * 2_000, "value", [], 1_000, "長すぎ"),
        ("P3D", "duration", [], None, ""),
        ("P3X", "duration", ["a"], 0, "項目"), ("P0D", "duration", [], 0, "期間"), ("3日", "duration", [], 1, ""), ('due("report")', "date", [], None, ""),
        ("done=true, sum=a + b", "sets", ["a", "b"], None, ""), ("done", "sets", [], 0, "項目=値"), ("done=true, x = c", "sets", ["a"], 15, "「c」"),
    ],
)  # fmt: skip
def test_an_expression_is_judged_while_it_is_typed(text: str, kind: str, known: list[str], place: int | None, words: str) -> None:
    """式の誤りは、打っている間に、何文字目の何が誤りかで分かる。"""
    wrong = check_expression(text, kind, known)
    assert (wrong is None) == (place is None)
    if wrong is not None:
        assert wrong[0] == place and words in wrong[1]


def test_a_form_is_previewed_as_it_will_be_shown(studio: Studio) -> None:
    """画面の見本は、実際の画面と同じ部品で作られる。壊れた定義でも落ちない。"""
    shown = studio.engine.drafts.form_preview(
        studio.viewer(),
        [
            {"id": "sort", "label": "種類", "type": "enum", "choices": [["x", "甲"], ["y"], 3], "constraints": {"required": ""}, "properties": {"help": "選ぶ"}},
            {"id": "n", "type": "long", "constraints": {"min": "a", "max": "9"}}, {"id": ""}, {"id": 3}, {"id": "u", "type": "unit"},
            {"id": "t", "type": "evil", "choices": "x", "constraints": 3},
        ],
    )  # fmt: skip
    assert [(one.id, one.type, one.required) for one in shown] == [
        ("sort", "enum", True),
        ("n", "long", False),
        ("u", "unit", False),
        ("t", "string", False),
    ]
    assert shown[0].choices == (("x", "甲"),) and shown[0].help == "選ぶ" and ("a", "第一課") in shown[2].choices


# ---------------------------------------------------------------- the examining process


def test_what_takes_too_long_is_ended_and_the_next_is_answered() -> None:
    """2秒で終わらない図は打ち切られ、次の人はすぐ答えをもらえる。"""
    slow = "import sys, time; print('ready', flush=True); sys.stdin.readline(); time.sleep(60)"
    examiner = Examiner(seconds=0.2, program=slow)
    began = time.monotonic()
    found, missing = examiner("office_lending", {"office/lending.bpmn": small()}, None)
    assert [one.rule for one in found.findings] == ["xml_size"] and missing == () and time.monotonic() - began < 10
    examiner.program = Examiner().program
    examiner.seconds = 5
    again, _ = examiner("office_lending", {"office/lending.bpmn": small()}, None)
    assert again.findings == ()
    examiner.close()


@pytest.mark.parametrize(
    "program",
    ["raise SystemExit(3)", "print('ready'); print('[]')", "print('nonsense')", "print('ready', flush=True); print('x' * 20_000_000)"],
)
def test_a_process_that_fails_is_no_failure_of_the_page(program: str) -> None:
    """検査のプロセスが壊れても、答えは返る。"""
    examiner = Examiner(seconds=0.5, program=program)
    found, _ = examiner("office_lending", {"office/lending.bpmn": small()}, None)
    assert [one.rule for one in found.findings] == ["xml_size"]
    examiner.close()


# ---------------------------------------------------------------- proofs


def settled(studio: Studio, proof: int, person: str = ONE) -> ProofShown:
    """A proof once it no longer runs."""
    until = time.monotonic() + 60
    while (shown := studio.engine.proofs.poll(studio.viewer(person), proof)).state == "running":
        assert time.monotonic() < until, "the proof does not end"
        time.sleep(0.05)
    return shown


def test_a_reminder_comes_on_the_third_open_day(studio: Studio) -> None:
    """「3開庁日後に催促」：機関の閉庁日（土日）を数えず、木曜に始まった処理は翌週の火曜に催促される。"""
    desk, me = studio.engine.drafts, studio.viewer()
    made = desk.begin(me, None, "備品の貸出し", name="lending")
    parts = [
        start("apply", said(field("item_summary", "内容", "string")), name="申請"),
        step("check", "確認", "protection_manager@owning_unit"),
    ]
    parts += [
        boundary("due", "check", timer("working_days(3)"), interrupting=False),
        end("done", name="済み"),
        end("told", name="催促済み"),
    ]
    parts += [
        element("sendTask", "remind", said(to="protection_manager@owning_unit", template="remind"), name="催促", camunda_topic="notify")
    ]
    text = drawn(said(withdraw="until_end"), *parts, flows("apply > check > done", "due > remind > told"))
    desk.save(me, made, 1, {**desk.show(me, made).files, "office/lending.bpmn": text})
    assert desk.inspect(me, made).findings == ()
    with studio.engine.sandbox.open(me, "drafts", made) as room:
        room.again(datetime(2026, 11, 19, 10, tzinfo=JST))
    with studio.engine.sandbox.open(me, "drafts", made) as room:
        room.start(STAFF, {"item_summary": "机"})
        assert [(one.node, one.due_at) for one in room.page().timers] == [("due", datetime(2026, 11, 24, 10, tzinfo=JST))]
        room.until(datetime(2026, 11, 24, 10, tzinfo=JST))
        page = room.page()
        assert not page.timers and [one.step for one in page.waiting] == ["確認"]
        assert (page.told[-1].what, page.told[-1].to) == ("処理が済んでいません（督促）", ("第一課 保護管理者",))


def test_a_deadlock_is_found_aside_with_a_run_that_can_be_played(studio: Studio) -> None:
    """行き止まりは別のプロセスで見つかり、そこへ至る動きが図の上で再生できる。"""
    desk, me = studio.engine.drafts, studio.viewer()
    made = desk.begin(me, None, "備品の貸出し", name="lending")
    text = drawn(
        start("apply", said(field("ok", "よいか", "boolean", required=True)), name="申請"), exclusive("which", default="which_b"),
        step("a", "甲", "protection_manager@owning_unit"), step("b", "乙", "protection_manager@owning_unit"), parallel("join"), end("done", name="済み"),
        flows("apply > which > b > join > done", "which > a : ok == true", "a > join"),
    )  # fmt: skip
    assert desk.save(me, made, 1, {**desk.show(me, made).files, "office/lending.bpmn": text}) == 2
    shown = settled(studio, studio.engine.proofs.start(me, made))
    assert (shown.state, shown.revision, shown.finished) == ("done", 2, True)
    deadlock = next(one for one in shown.findings if one.rule == "deadlock")
    steps = json.loads(deadlock.run)
    assert steps[-1]["shown"]["rests"] == [["office/lending.bpmn", "join"]]
    assert ["office/lending.bpmn", "which"] in steps[0]["shown"]["passed"]
    assert studio.engine.proofs.newest(me, made) == shown
    with pytest.raises(ProofNotFound):
        studio.engine.proofs.poll(studio.viewer(STRANGER), shown.id)
    with pytest.raises(NotAllowed):
        studio.engine.proofs.cancel(studio.viewer(OTHER), shown.id)


def test_what_the_gate_refuses_is_not_walked_through(studio: Studio) -> None:
    """指摘の残る図は、すべての進み方を調べるところまで行かない。"""
    made = studio.engine.drafts.begin(studio.viewer(), None, "備品の貸出し", name="lending")
    with pytest.raises(DraftRefused):
        studio.engine.proofs.start(studio.viewer(), made)
    assert studio.engine.proofs.newest(studio.viewer(), made) is None


def test_a_proof_is_cancelled_by_the_next_and_by_hand(studio: Studio) -> None:
    """検査は、次の検査か人の操作で止まり、止まったものの答えは残らない。"""
    desk, me = studio.engine.drafts, studio.viewer()
    made = desk.begin(me, None, "備品の貸出し", name="lending")
    desk.save(me, made, 1, {**desk.show(me, made).files, "office/lending.bpmn": small()})
    first = studio.engine.proofs.start(me, made)
    second = studio.engine.proofs.start(studio.viewer(TWO), made)
    assert studio.engine.proofs.poll(me, first).state in ("cancelled", "done")
    studio.engine.proofs.cancel(studio.viewer(TWO), second)
    assert settled(studio, second).state in ("cancelled", "done")
    studio.engine.proofs.cancel(me, second)  # has ended: nothing happens


def test_a_proof_nobody_runs_any_more_is_told_as_lost(studio: Studio) -> None:
    """検査していたプロセスがいなくなれば、いつまでも「検査中」にはならない。"""
    desk, me = studio.engine.drafts, studio.viewer()
    made = desk.begin(me, None, "備品の貸出し", name="lending")
    from engine.model import draft_proof

    with studio.engine.writing() as connection:
        row = {"draft_id": made, "revision": 1, "started_by": ONE, "started_at": me.at, "seen_at": me.at}
        proof = connection.scalar(draft_proof.insert().values(row).returning(draft_proof.c.id))
    assert studio.engine.proofs.poll(me, proof).state == "running"
    studio.clock.advance(seconds=timedelta(minutes=1).total_seconds())
    assert studio.engine.proofs.poll(studio.viewer(), proof).state == "lost"
