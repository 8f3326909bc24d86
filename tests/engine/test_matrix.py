"""条項の対応表：条項と、それを担う要素・様式・決定表・細目、示すシナリオと試験。改正で触れるところ。下書きでも、ほかの庁は見えない。"""

from __future__ import annotations

import threading
from collections.abc import Iterator
from datetime import date
from pathlib import Path

import pytest

from engine import (
    Amendment,
    DefinitionRefused,
    DraftNotFound,
    Engine,
    Matrix,
    NotAllowed,
    OrganisationBroken,
    ProcessNotFound,
    Settings,
    VersionNotFound,
    Viewer,
    coverage,
    load_organisation,
)
from engine.citations import Place, cited, named
from tests.clausal import AUDITOR, DESIGNER, OTHER_AUDITOR, PROCESS, SCENARIO, STAFF, STRANGER, make_clausal_world, write_office
from tests.support import ROOT, World

DAY = date(2026, 11, 21)


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    made = make_clausal_world(tmp_path_factory.mktemp("matrix"))
    yield made
    made.engine.close()


def viewer(world: World, person: str = DESIGNER) -> Viewer:
    return world.engine.viewer(person)


@pytest.fixture(scope="module")
def matrix(world: World) -> Matrix:
    return world.engine.matrix.page(viewer(world), wait=None)


@pytest.fixture(scope="module")
def isa() -> tuple[Matrix, Amendment]:
    """What the agency's folder holds, and what a change of 第25条第6項 touches."""
    return Engine.clauses(ROOT / "bpmn" / "isa", Settings(), DAY, ["ISA-25-6"])


# ---------------------------------------------------------------- reading citations

SOURCES = ("試験管理規程", "試験情報の保護に関する法律", "試験情報の保護に関する法律施行規則", "試験評価書（全項目）")
REGULATION, LAW, ORDINANCE, ASSESSMENT = SOURCES


@pytest.mark.parametrize(
    ("text", "places"),
    [
        ("規程第25条第1項", [(REGULATION, "第25条", {"第1項"})]),
        ("規程第25条第1項・第2項ただし書、第26条", [(REGULATION, "第25条", {"第1項"}), (REGULATION, "第25条", {"第2項"}), (REGULATION, "第26条", set())]),
        ("規程第24条第1項と第3項", [(REGULATION, "第24条", {"第1項"}), (REGULATION, "第24条", {"第3項"})]),
        ("規程第3条から第5条", [(REGULATION, "第3条", set()), (REGULATION, "第4条", set()), (REGULATION, "第5条", set())]),
        ("数字は細目（第31条）", []),
        ("規程第5条。数字は細目（第31条）", [(REGULATION, "第5条", set()), (REGULATION, "第31条", set())]),
        ("試験情報保護法第29条の4第1項", [(LAW, "第29条の4", {"第1項"})]),
        ("試験情報保護法施行規則第44条", [(ORDINANCE, "第44条", set())]),
        ("別の規則第3条、規程第2条", [(REGULATION, "第2条", set())]),
        ("評価書 Ⅲ7 ⑨の再発防止策（2）・Ⅲ2 リスク4", [(ASSESSMENT, "Ⅲ7", {"⑨", "(2)"}), (ASSESSMENT, "Ⅲ2", {"リスク4"})]),
        ("滅失の兆候は規程第25条第1項の報告の対象", [(REGULATION, "第25条", {"第1項"})]),
        ("規程第1条から第9999条", [(REGULATION, "第1条", set()), (REGULATION, "第9999条", set())]),
        ("", []),
    ],
)  # fmt: skip
def test_a_sentence_names_places(text: str, places: list[tuple[str, str, set[str]]]) -> None:
    """略した名で書かれた根拠の文から、どの法令のどの条項かを読む。条項表に無い法令は、推し量らない。"""
    assert named(text, SOURCES) == tuple(Place(source, head, frozenset(parts)) for source, head, parts in places)


def test_a_place_meets_what_lies_within_it() -> None:
    """条だけを挙げた文は、その条のどの項にも及ぶ。ほかの項、ほかの法令には及ばない。"""
    (first,), (whole,), (other,) = cited("試験管理規程 第2条第1項"), cited("試験管理規程 第2条"), cited("試験管理規程 第2条第2項")
    assert first.meets(whole) and whole.meets(first) and not first.meets(other)
    assert not whole.meets(Place(LAW, "第2条"))


# ---------------------------------------------------------------- both ways


def names(rows: object) -> list[str]:
    return [row.name for row in rows]  # type: ignore[attr-defined]


def test_a_clause_knows_what_carries_it_and_what_shows_it(matrix: Matrix) -> None:
    """第1条は、申請の様式と、期限と台帳を通じて担われ、シナリオと試験が示す。"""
    carried = matrix.by_clause["C-1"]
    assert ("office_approval", "apply") in {(one.procedure, one.element) for one in carried.elements}
    assert {(row.table, row.id) for row in carried.rows} == {("clock", "report"), ("ledger", "loans")}
    assert [one.title for one in carried.scenarios] == ["備品の購入を審査まで"]
    assert [one.test for one in carried.tests] == ["test_telling"]
    through = next(one for one in carried.elements if one.element == "prepare")
    assert [(link.way, link.what) for link in through.links if link.clause == "C-1"] == [("through", "報告")]


def test_an_element_knows_its_clauses_form_urgency_and_scenarios(matrix: Matrix) -> None:
    """審査は、第2条の下で、直ちに、10の欄で行われ、シナリオが通る。承認は、シナリオがまだ通らない。"""
    review, approve = (
        next(one for one in matrix.elements if (one.procedure, one.element) == (PROCESS, id)) for id in ("review", "approve")
    )
    assert (review.clauses, review.urgency, len(review.fields), review.scenarios) == (("C-2",), "at_once", 10, ("review.yaml",))
    assert (approve.clauses, approve.scenarios) == (("C-3",), ())


def test_only_what_has_been_done_is_shown_by_a_scenario(matrix: Matrix) -> None:
    """承認の処理まで来ただけでは、第3条を示したことにならない。"""
    assert [one.clauses for one in matrix.scenarios] == [("C-1", "C-2")]
    assert not matrix.by_clause["C-3"].scenarios


def test_what_has_no_counterpart_is_listed(matrix: Matrix) -> None:
    """要素の無い条項は、理由や注とともに挙がる。廃止された条項は、何も挙げていなければ出ない。施行前の条項は、そう分かる。"""
    bare = {one.id: one for one in matrix.without_element}
    assert set(bare) == {"C-4", "C-5", "C-6"}
    assert bare["C-4"].no_procedure == "行いの定めで、手続にならない。"
    assert (bare["C-5"].no_procedure, bare["C-5"].note, bare["C-6"].state) == ("", "まだ図が無い", "coming")
    assert [one.element for one in matrix.without_clause if one.procedure == PROCESS] == ["fix"]


def test_a_row_that_is_over_is_not_looked_at(matrix: Matrix) -> None:
    """終わった細目の行は出ない。これから始まる行は、始まる日とともに出る。"""
    assert "over" not in {row.id for row in matrix.rows}
    assert [row.since for row in matrix.rows if row.id == "kept_days"] == ["", "2027-01-01"]


def test_a_clause_that_will_change_says_when(matrix: Matrix) -> None:
    """条項表に先の日付の行があれば、いまの行が、変わる日とともに出る。"""
    third = matrix.clause("C-3")
    assert third is not None and (third.plain, third.state, third.changes) == ("確かめてください。", "current", "2027-04-01")
    assert [one.id for one in matrix.clauses].count("C-3") == 1


def test_the_words_of_a_basis_are_told_apart_from_what_names_a_clause(matrix: Matrix) -> None:
    """根拠の文に条があるだけの行は、名指しの行と分けて出る。"""
    carried = matrix.by_clause["C-2"]
    assert [row.id for row in carried.rows] == ["pieces"]
    assert "who_reviews_does_not_approve" in [row.id for row in carried.cited]


def test_a_clause_that_ended_is_told_as_long_as_something_names_it(tmp_path: Path) -> None:
    """廃止された条項を挙げたままの処理があれば、その条項は廃止として出る。"""
    office = write_office(tmp_path / "bpmn")
    file = office / "approval.bpmn"
    file.write_text(file.read_text("utf-8").replace('value="C-2"', 'value="C-7"'), "utf-8")
    whole, _ = Engine.clauses(office, Settings(), date(2026, 11, 16))
    ended = whole.clause("C-7")
    assert ended is not None and ended.state == "ended"
    assert [one.element for one in whole.by_clause["C-7"].elements] == ["review"]


# ---------------------------------------------------------------- a changed clause


def test_a_changed_clause_touches(world: World) -> None:
    """第2条が変わると、審査の処理、その様式と急ぎの語、審査を名指す決まり、根拠に挙げる行、通るシナリオに触れる。"""
    _, found = world.engine.matrix.amended(viewer(world), ["C-2", "C-2", "no such clause"], wait=None)
    assert [one.id for one in found.clauses] == ["C-2"]
    assert "review" in [one.element for one in found.forms]
    assert dict(found.urgencies)["at_once"] == 1
    rows = {(one.row.table, one.row.id): one.why for one in found.rows}
    assert rows["property", "who_reviews_does_not_approve"] == ("basis", "step")
    assert rows["urgency", "at_once"] == ("step",)
    assert rows["ledger", "pieces"] == ("named", "step")
    assert ("visibility", "audit_officer") not in rows
    assert [(one.file, [element.element for element in some]) for one, some in found.scenarios] == [("review.yaml", ["review"])]
    assert found.tests == ()


def test_nothing_is_touched_by_no_clause(world: World) -> None:
    """条項を選ばなければ、何にも触れない。"""
    _, found = world.engine.matrix.amended(viewer(world), [], wait=None)
    assert (found.clauses, found.elements, found.rows, found.tables, found.scenarios) == ((), (), (), (), ())


# ---------------------------------------------------------------- drafts


def test_a_draft_is_looked_at_in_the_place_of_its_procedure(world: World) -> None:
    """下書きで補正の処理に第5条を当てると、第5条に要素ができる。施行中の対応表は変わらない。"""
    engine, designer = world.engine, viewer(world)
    draft = engine.drafts.begin(designer, PROCESS, "補正に条項を当てる")
    page = engine.drafts.show(designer, draft)
    name = next(name for name, text in page.files.items() if f'id="{PROCESS}"' in text)
    drawn = page.files[name].replace('value="C-2"', 'value="C-2,C-5"')
    engine.drafts.save(designer, draft, page.draft.revision, {**page.files, name: drawn})
    whole = engine.matrix.page(designer, draft, wait=None)
    assert (whole.draft, whole.procedures[0].ref) == (draft, f"d{draft}")
    assert [one.element for one in whole.by_clause["C-5"].elements] == ["review"]
    assert [one.title for one in whole.by_clause["C-5"].scenarios] == ["備品の購入を審査まで"]
    assert {one.ref for one in whole.elements if one.procedure == PROCESS} == {f"d{draft}"}
    assert not engine.matrix.page(designer, wait=None).by_clause["C-5"].elements
    assert b"C-2,C-5" in engine.matrix.drawing(designer, f"d{draft}", name)


def test_a_draft_that_the_gate_refuses_has_no_matrix(world: World) -> None:
    """動かない下書きは、指摘とともに断られる。"""
    engine, designer = world.engine, viewer(world)
    draft = engine.drafts.begin(designer, PROCESS, "壊れた下書き")
    page = engine.drafts.show(designer, draft)
    broken = {name: text.replace('sourceRef="apply"', 'sourceRef="approved"') for name, text in page.files.items()}
    engine.drafts.save(designer, draft, page.draft.revision, broken)
    with pytest.raises(DefinitionRefused):
        engine.matrix.page(designer, draft)


# ---------------------------------------------------------------- who reads


def test_designers_and_auditors_read_and_nobody_else(world: World) -> None:
    """読めるのは、図を施行する役と、すべての案件を閲覧する役だけ。監査する人は、下書きを見ない。"""
    engine = world.engine
    assert engine.matrix.page(viewer(world, AUDITOR)).office == "試験庁"
    for refused in (
        engine.matrix.page, lambda who: engine.matrix.amended(who, ["C-1"]),
        lambda who: engine.matrix.drawing(who, "v1", "office/approval.bpmn"),
    ):  # fmt: skip
        with pytest.raises(NotAllowed):
            refused(viewer(world, STAFF))
    draft = engine.drafts.begin(viewer(world), PROCESS, "監査からは見えない")
    with pytest.raises(NotAllowed):
        engine.matrix.page(viewer(world, AUDITOR), draft)


def test_another_office_sees_its_own_alone(world: World) -> None:
    """ほかの庁の人には、その庁の対応表が出る。この庁の版も下書きも、無いものとして断られる。"""
    engine = world.engine
    ours = engine.matrix.page(viewer(world))
    for person in (STRANGER, OTHER_AUDITOR):
        theirs = engine.matrix.page(viewer(world, person), wait=None)
        assert theirs.office == "他庁"
        assert {one.procedure for one in theirs.elements} & {one.procedure for one in ours.elements} == set()
        assert theirs.tests == () and theirs.scenarios == ()
        with pytest.raises(ProcessNotFound):
            engine.matrix.drawing(viewer(world, person), ours.procedures[0].ref, "office/approval.bpmn")
    draft = engine.drafts.begin(viewer(world), PROCESS, "よそからは見えない")
    with pytest.raises(DraftNotFound):
        engine.matrix.page(viewer(world, STRANGER), draft)


@pytest.mark.parametrize("ref", ["", "x1", "v", "v-1", "v１", "v9999999999999999999", "vv1"])
def test_what_is_no_reference_is_not_found(world: World, ref: str) -> None:
    """版でも下書きでもない名は、無いものとして断られる。"""
    with pytest.raises(VersionNotFound):
        world.engine.matrix.drawing(viewer(world), ref, "office/approval.bpmn")


def test_a_file_of_the_server_is_no_diagram(world: World) -> None:
    """版のファイルでないものは、渡されない。"""
    ref = next(one.ref for one in world.engine.matrix.page(viewer(world)).procedures if one.id == PROCESS)
    for file in ("office/clauses.csv", "../rules.toml", "/etc/passwd"):
        with pytest.raises(VersionNotFound):
            world.engine.matrix.drawing(viewer(world), ref, file)


# ---------------------------------------------------------------- what is played meanwhile


def test_a_page_does_not_wait_for_scenarios(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """まだ演じていないシナリオは、待たずに「未実行」と出る。後ろで一度だけ演じられ、次からは覚えてある。"""
    place = world.engine.organisation("office").folder / "scenarios" / "slow.yaml"
    place.write_text(SCENARIO.replace("備品の購入を審査まで", "時間のかかるもの"), "utf-8")
    go_on, played, play = threading.Event(), [], coverage.play_one

    def slowly(*given: object) -> object:
        go_on.wait(20)
        played.append(given[3])
        return play(*given)  # type: ignore[arg-type]

    monkeypatch.setattr(coverage, "play_one", slowly)
    try:
        for _ in range(2):
            early = world.engine.matrix.page(viewer(world), wait=0)
            assert {one.file: one.state for one in early.scenarios} == {"review.yaml": "passed", "slow.yaml": "waiting"}
            assert early.waiting == 1
        go_on.set()
        late = world.engine.matrix.page(viewer(world), wait=None)
        again = world.engine.matrix.page(viewer(world), wait=0)
    finally:
        go_on.set()
        place.unlink()
    assert late.waiting == again.waiting == 0
    assert played == ["slow.yaml"]


def test_scenarios_that_cannot_be_played_are_told(world: World) -> None:
    """読めないシナリオ、無い手続のシナリオ、途中で止まるシナリオは、通らないものとして出る。ほかのものは出る。"""
    folder = world.engine.organisation("office").folder / "scenarios"
    made = {
        "broken.yaml": "[", "lost.yaml": SCENARIO.replace("office_approval", "office_nowhere"),
        "stuck.yaml": SCENARIO.replace("complete: review", "complete: nowhere"),
    }  # fmt: skip
    for name, text in made.items():
        (folder / name).write_text(text, "utf-8")
    try:
        whole = world.engine.matrix.page(viewer(world), wait=None)
    finally:
        for name in made:
            (folder / name).unlink()
    assert {one.file: one.state for one in whole.scenarios} == {"review.yaml": "passed", **dict.fromkeys(made, "failed")}


def test_a_fault_of_ours_does_not_end_the_playing(world: World, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture) -> None:
    """演じる側の故障でも、画面は出て、そのシナリオは通らないものとして出る。繰り返し試みない。"""
    place = world.engine.organisation("office").folder / "scenarios" / "odd.yaml"
    place.write_text(SCENARIO.replace("備品の購入を審査まで", "故障するもの"), "utf-8")
    tried = []

    def fail(*given: object) -> object:
        tried.append(given[3])
        raise RuntimeError("a fault")

    monkeypatch.setattr(coverage, "play_one", fail)
    try:
        for _ in range(2):
            whole = world.engine.matrix.page(viewer(world), wait=None)
            assert {one.file: one.state for one in whole.scenarios} == {"odd.yaml": "failed", "review.yaml": "passed"}
    finally:
        place.unlink()
    assert tried == ["odd.yaml"]
    assert "odd.yaml could not be played" in caplog.text


def test_closing_waits_for_nothing_more(tmp_path: Path) -> None:
    """閉じたあとは、何も演じない。"""
    world = make_clausal_world(tmp_path)
    world.engine.matrix.close()
    page = world.engine.matrix.page(viewer(world), wait=None)
    assert page.clauses
    world.engine.close()


# ---------------------------------------------------------------- the office's files


@pytest.mark.parametrize(
    ("rows", "rule"),
    [
        ("clause_id,file,test,title\nC-9,a.py,test_a,あ\n", "unknown-clause"),
        ("clause_id,file,test,title\nC-1,,test_a,あ\n", "missing-value"),
        ("clause_id,file,title\nC-1,a.py,あ\n", "missing-column"),
    ],
)
def test_a_list_of_tests_that_does_not_fit_is_refused(tmp_path: Path, rows: str, rule: str) -> None:
    """試験の一覧の誤りは、機関のフォルダーのほかの誤りと同じに、読込みのときに示される。"""
    office = write_office(tmp_path / "bpmn")
    (office / "tests.csv").write_text(rows, "utf-8")
    with pytest.raises(OrganisationBroken) as refused:
        load_organisation(office)
    assert rule in {finding.rule for finding in refused.value.findings}


def test_an_office_need_not_list_tests(tmp_path: Path) -> None:
    """試験の一覧の無い機関も、そのまま動く。"""
    office = write_office(tmp_path / "bpmn")
    (office / "tests.csv").unlink()
    assert load_organisation(office).shown_by == ()


# ---------------------------------------------------------------- the agency


def test_every_clause_of_articles_25_and_26_has_elements_scenarios_or_tests(isa: tuple[Matrix, Amendment]) -> None:
    """入管庁の第25条・第26条のどの条項にも、要素があり、シナリオか試験が示している。"""
    whole, _ = isa
    mine = [one.id for one in whole.clauses if one.id.startswith(("ISA-25-", "ISA-26-"))]
    assert len(mine) == 12
    assert not {one.id for one in (*whole.without_element, *whole.without_proof)} & set(mine)
    assert whole.waiting == 0 and {one.state for one in whole.scenarios} == {"passed"}


def test_nothing_in_the_agency_names_a_clause_that_is_not_in_force(isa: tuple[Matrix, Amendment]) -> None:
    """入管庁の図も細目も試験も、施行されていない条項を挙げていない。"""
    assert {one.state for one in isa[0].clauses} == {"current"}


def test_a_clause_with_a_reason_has_no_element(isa: tuple[Matrix, Amendment]) -> None:
    """手続を置かない理由のある条項に要素ができたら、理由のほうが古い。"""
    whole, _ = isa
    reasons = {one.id for one in whole.clauses if one.no_procedure}
    assert reasons and reasons <= {one.id for one in whole.without_element}


def test_a_change_of_article_25_6_touches_reports_tables_clocks_and_words(isa: tuple[Matrix, Amendment]) -> None:
    """第25条第6項が変わると、速報と確報の処理、判定の決定表、法定の期限、「直ちに」の定め、提出を急ぐ決まりに触れる。"""
    _, found = isa
    assert {"prepare_preliminary", "record_preliminary", "report_anonymised"} <= {one.element for one in found.elements}
    assert {"isa25_6", "duties"} <= {one.decision for one in found.tables}
    rows = {(one.row.table, one.row.id): one.why for one in found.rows}
    assert rows["duty", "ISA-25-6"] == ("named",)
    assert rows["urgency", "at_once"] == ("basis", "step")
    assert rows["clock", "preliminary_report"] == ("step",)
    assert ("property", "commission_not_waiting_for_commissioner") in rows
    assert ("property", "media_seats") not in rows
    assert found.tests and found.scenarios
