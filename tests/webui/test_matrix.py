"""条項の対応表の画面と命令：両方向の表、絞り込み、印刷とCSV、改正で触れるところ、図、下書き。読めない人には何も見えない。"""

from __future__ import annotations

import csv
import io
import json
import re
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result
from flask import Flask
from flask.testing import FlaskClient

from engine import coverage
from tests.clausal import AUDITOR, CLAUSES, DESIGNER, PROCESS, SCENARIO, STAFF, STRANGER, make_clausal_world, write_office
from tests.support import World
from tests.webui.posts import signed_in, words
from webui import create_app
from webui.cli import main

ADDRESSES = (
    "/designer/clauses", "/designer/clauses?view=elements", "/designer/clauses?view=rows", "/designer/clauses?view=proofs", "/designer/clauses?view=gaps", "/designer/clauses.csv",
    "/designer/clauses/amended?clause=C-1", f"/designer/clauses/diagram?procedure={PROCESS}", f"/designer/clauses/diagram.bpmn?procedure={PROCESS}",
)  # fmt: skip


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    made = make_clausal_world(tmp_path_factory.mktemp("matrix"))
    made.engine.matrix.page(made.engine.viewer(DESIGNER), wait=None)
    yield made
    made.engine.close()


@pytest.fixture(scope="module")
def app(world: World) -> Flask:
    made = create_app(world.engine, secret_key="test")
    made.testing = False
    return made


@pytest.fixture
def designer(app: Flask) -> FlaskClient:
    return signed_in(app, DESIGNER)


@pytest.fixture
def auditor(app: Flask) -> FlaskClient:
    return signed_in(app, AUDITOR)


def row_of(page: str, clause: str) -> str:
    """What the row of a clause says."""
    found = re.search(rf'<tr id="c-{clause}">(.*?)</tr>', page, re.DOTALL)
    assert found is not None, clause
    return words(found[1])


# ---------------------------------------------------------------- both ways


def test_each_clause_with_what_carries_and_shows_it(designer: FlaskClient) -> None:
    """条項の行に、要素、細目の行、シナリオと試験が並ぶ。手続を置かない条項には、その理由が出る。"""
    page = designer.get("/designer/clauses").text
    first = row_of(page, "C-1")
    for text in ("第1条", "直ちに", "申請", "報告", "貸出台帳", "シナリオ1件", "備品の購入を審査まで", "試験1件", "知った人が知らせる。"):
        assert text in first, text
    assert "手続を置かない：行いの定めで、手続にならない。" in row_of(page, "C-4")
    assert "なし" in row_of(page, "C-5") and "施行前" in row_of(page, "C-6")
    assert "2027-04-01に改正" in row_of(page, "C-3") and 'id="c-C-7"' not in page


def test_each_element_with_its_clauses(designer: FlaskClient) -> None:
    """要素の行に、条項、急ぎの語、様式、通るシナリオが並ぶ。条項のない要素はそう出る。分岐や終了は出ない。"""
    page = words(designer.get(f"/designer/clauses?view=elements&process={PROCESS}").text)
    review = page.partition("審査人の処理review")[2].partition("人の処理fix")[0]
    for text in ("第2条第1項", "直ちに", "入力欄10", "意見", "1件", "備品の購入を審査まで"):
        assert text in review, text
    assert "補正人の処理fix条項なし" in page
    assert "enough" not in page


def test_each_row_scenario_and_test_with_its_clauses(designer: FlaskClient) -> None:
    """細目の行、シナリオ、試験の側からも、条項が分かる。根拠の文から読んだものは、そう分かる。"""
    rows = words(designer.get("/designer/clauses?view=rows").text)
    assert "台帳貸出台帳loans試験規程第1条第1条C-1" in rows
    assert "第2条第1項C-2（根拠の文）" in rows.partition("who_reviews_does_not_approve")[2]
    assert "貸出台帳" not in words(designer.get("/designer/clauses?view=rows&clause=C-3").text.partition("細目（rules.toml）")[2])
    proofs = words(designer.get("/designer/clauses?view=proofs").text)
    assert "備品の購入を審査まで手続review.yaml第1条C-1、第2条第1項C-2" in proofs
    assert "知った人が知らせる。tests/test_rule.py::test_telling第1条C-1、第3条C-3" in proofs
    assert "備品の購入" not in designer.get("/designer/clauses?view=proofs&clause=C-3").text


def test_what_has_no_counterpart(designer: FlaskClient) -> None:
    """担う要素の無い条項、理由のある条項、条項の無い要素が、分けて挙がる。"""
    page = words(designer.get("/designer/clauses?view=gaps").text)
    open_ones, _, rest = page.partition("手続を置かない条項とその理由")
    assert "試験規程第5条" in open_ones and "試験規程第6条施行前" in open_ones and "第4条" not in open_ones
    assert "試験規程第4条行いの定めで、手続にならない。" in rest
    assert "補正人の処理" in rest


@pytest.mark.parametrize(
    ("query", "here", "gone"),
    [
        ("text=調べて", ["C-2"], ["C-1", "C-3", "C-4"]),
        ("text=試験規程 第3条", ["C-3"], ["C-1", "C-2"]),
        ("clause=C-3", ["C-3"], ["C-1", "C-2", "C-4"]),
        (f"process={PROCESS}", ["C-1", "C-2", "C-3"], ["C-4", "C-5"]),
        ("process=nothing", [], ["C-1"]),
        ("view=other", ["C-1", "C-4"], []),
    ],
)
def test_filtered(designer: FlaskClient, query: str, here: list[str], gone: list[str]) -> None:
    """言葉、条項、手続で絞れる。"""
    page = designer.get(f"/designer/clauses?{query}").text
    assert all(f'id="c-{one}"' in page for one in here)
    assert not any(f'id="c-{one}"' in page for one in gone)


def test_a_strange_question_is_answered_or_not_found(designer: FlaskClient) -> None:
    """おかしな絞り方では何も壊れず、無い図や下書きは見つからない。"""
    for address in (
        "/designer/clauses?text=<script>",
        "/designer/clauses?clause=x'\"",
        "/designer/clauses/amended",
        "/designer/clauses/amended?clause=<b>",
    ):
        answer = designer.get(address)
        assert answer.status_code == 200
        assert "<script>" not in answer.text.partition("<main")[2] and "<b>" not in answer.text.partition("<main")[2]
    for address in (
        "/designer/clauses?draft=x", "/designer/clauses?draft=99999", "/designer/clauses?draft=9999999999999999999999", "/designer/clauses/diagram",
        "/designer/clauses/diagram?procedure=office_nothing", f"/designer/clauses/diagram?procedure={PROCESS}&process=office_clock",
        "/designer/clauses/diagram.bpmn?procedure=../x",
    ):  # fmt: skip
        assert designer.get(address).status_code == 404, address


def test_the_page_is_there_for_who_has_no_script(designer: FlaskClient) -> None:
    """表も、改正で触れるところも、図の条項も、スクリプトなしで読める：どれも GET で、表の中に書いてある。"""
    page = designer.get("/designer/clauses").text
    main_part = page.partition("<main")[2]
    assert "onclick" not in main_part and "<script" not in main_part
    assert 'method="post"' not in main_part
    drawn = designer.get(f"/designer/clauses/diagram?procedure={PROCESS}&element=review").text
    assert "審査" in words(drawn.partition("要素と条項")[2])


# ---------------------------------------------------------------- on paper and as a file


def test_on_paper_it_lies_on_a_wide_sheet(designer: FlaskClient) -> None:
    """印刷はA4の横で、機関、日時、印刷した人が出る。"""
    page = designer.get("/designer/clauses").text
    assert "page-sheet" in page
    head = re.search(r'<p class="only-print">(.*?)</p>', page, re.DOTALL)
    assert head is not None and "試験庁" in head[1] and "2026年11月16日" in head[1] and "総括保護管理者" in head[1]


def test_the_file_has_a_line_for_each_pair(designer: FlaskClient) -> None:
    """CSVは、条項と、担うもの・示すものの組ごとに一行。対応のないものの行もある。"""
    answer = designer.get("/designer/clauses.csv")
    assert answer.mimetype == "text/csv" and "clauses.csv" in answer.headers["Content-Disposition"]
    rows = list(csv.DictReader(io.StringIO(answer.data.decode("utf-8-sig"))))
    first = {(row["対応"], row["ID"], row["つながり"]) for row in rows if row["条項ID"] == "C-1"}
    assert ("要素", "apply", "名指し") in first and ("要素", "prepare", "経由（報告）") in first
    assert {("細目", "loans", "名指し"), ("シナリオ", "review.yaml", ""), ("試験", "test_telling", "")} <= first
    assert [(row["対応"], row["理由"]) for row in rows if row["条項ID"] == "C-4"] == [("なし", "行いの定めで、手続にならない。")]
    assert any(row["対応"] == "要素（条項なし）" and row["ID"] == "fix" for row in rows)
    filtered = designer.get("/designer/clauses.csv?clause=C-3").data.decode("utf-8-sig")
    assert "C-1," not in filtered and "C-3," in filtered


def test_nothing_in_the_file_runs_as_a_formula(tmp_path: Path) -> None:
    """式になる文字で始まる言葉は、ただの文字として書き出される。"""
    world = make_clausal_world(tmp_path, CLAUSES.replace("知らせてください。", "=HYPERLINK(1)"))
    client = signed_in(create_app(world.engine, secret_key="test"), DESIGNER)
    world.engine.matrix.page(world.engine.viewer(DESIGNER), wait=None)
    data = client.get("/designer/clauses.csv").data.decode("utf-8-sig")
    assert "'=HYPERLINK(1)" in data and ",=HYPERLINK" not in data
    world.engine.close()


# ---------------------------------------------------------------- a changed clause, and the diagram


def test_what_a_changed_clause_touches(designer: FlaskClient) -> None:
    """変わる条項を選ぶと、要素、様式の欄、急ぎの語、細目の行、シナリオ、試験が出て、図と下書きへ行ける。"""
    page = designer.get("/designer/clauses/amended?clause=C-2&clause=C-3").text
    told = words(page)
    for text in (
        "試験規程第2条第1項",
        "試験規程第3条",
        "審査",
        "意見",
        "直ちに",
        "審査した人は承認しない",
        "触れる要素に使われている",
        "備品の購入を審査まで",
        "知った人が知らせる。",
    ):
        assert text in told, text
    assert f"/designer/clauses/diagram?procedure={PROCESS}&amp;process={PROCESS}&amp;element=review" in page
    assert 'action="/designer/begin"' in page and f'name="process" value="{PROCESS}"' in page
    assert 'value="C-2" checked' in page and 'value="C-1" checked' not in page


def test_nothing_chosen_asks_to_choose(designer: FlaskClient) -> None:
    """何も選ばなければ、選ぶ欄が開いて出る。"""
    page = designer.get("/designer/clauses/amended").text
    assert "変わる条項を選んでください" in page and re.search(r"<details[^>]* open", page)


def test_the_diagram_marks_what_stands_under_the_clauses(designer: FlaskClient) -> None:
    """図では、選んだ条項の要素が濃く、条項のない要素が分かるように出る。"""
    page = designer.get(f"/designer/clauses/diagram?procedure={PROCESS}&element=review&clause=C-2").text
    found = re.search(r'data-diagram-marks="([^"]*)"', page)
    assert found is not None
    marks = json.loads(found[1].replace("&#34;", '"').replace("&amp;", "&"))
    assert {name: marks[name]["state"] for name in ("review", "approve", "fix")} == {
        "review": "chosen",
        "approve": "cited",
        "fix": "uncited",
    }
    assert marks["review"]["label"] == "第2条第1項" and "enough" not in marks
    assert 'data-diagram-point="review"' in page
    drawn = designer.get(f"/designer/clauses/diagram.bpmn?procedure={PROCESS}")
    assert drawn.mimetype == "application/xml" and b'id="office_approval"' in drawn.data


def test_a_draft_on_the_pages(world: World, designer: FlaskClient, auditor: FlaskClient) -> None:
    """下書きを選ぶと、その対応表が出て、要素から下書きのその場所へ行ける。監査する人には、下書きは出ない。"""
    desk, viewer = world.engine.drafts, world.engine.viewer(DESIGNER)
    draft = desk.begin(viewer, PROCESS, "補正の見直し")
    page = desk.show(viewer, draft)
    desk.save(
        viewer, draft, page.draft.revision, {name: text.replace('value="C-2"', 'value="C-2,C-5"') for name, text in page.files.items()}
    )
    world.engine.matrix.page(viewer, draft, wait=None)
    assert f'<option value="{draft}"' in designer.get("/designer/clauses").text
    drawn = designer.get(f"/designer/clauses?draft={draft}").text
    assert "審査" in row_of(drawn, "C-5") and "下書き（2回目の保存）" in drawn
    touched = designer.get(f"/designer/clauses/amended?clause=C-5&draft={draft}").text
    assert f"/designer/{draft}?file=office/approval.bpmn&amp;element=review" in touched
    assert "C-2,C-5" in designer.get(f"/designer/clauses/diagram.bpmn?procedure={PROCESS}&draft={draft}").text
    assert designer.get(f"/designer/{draft}?element=review").status_code == 200
    assert "補正の見直し" not in auditor.get("/designer/clauses").text
    for address in ADDRESSES:
        mark = "&" if "?" in address else "?"
        assert auditor.get(f"{address}{mark}draft={draft}").status_code == 403, address


def test_a_draft_that_cannot_run_says_what_is_wrong(world: World, designer: FlaskClient) -> None:
    """動かない下書きは、対応表の代わりに、直すところが出る。"""
    desk, viewer = world.engine.drafts, world.engine.viewer(DESIGNER)
    draft = desk.begin(viewer, PROCESS, "壊れた下書き")
    page = desk.show(viewer, draft)
    broken = {name: text.replace('sourceRef="apply"', 'sourceRef="approved"') for name, text in page.files.items()}
    desk.save(viewer, draft, page.draft.revision, broken)
    answer = designer.get(f"/designer/clauses?draft={draft}")
    assert answer.status_code == 422 and "直すところ" in answer.text


# ---------------------------------------------------------------- who reads


def test_where_designers_and_auditors_find_it(designer: FlaskClient, auditor: FlaskClient, app: Flask) -> None:
    """設計する人は設計の入口から、監査する人は自分のメニューから行ける。ほかの人のメニューには無い。"""
    assert 'href="/designer/clauses"' in designer.get("/designer").text
    assert 'href="/designer/clauses"' in auditor.get("/inbox").text
    assert "/designer/clauses" not in signed_in(app, STAFF).get("/inbox").text


def test_the_auditor_reads_and_is_offered_nothing_to_draw(auditor: FlaskClient) -> None:
    """監査する人は、どの画面もファイルも読める。描くための入口は出ない。"""
    for address in ADDRESSES:
        answer = auditor.get(address)
        assert answer.status_code == 200, address
        assert "/designer/begin" not in answer.text and 'href="/designer"' not in answer.text
    assert auditor.get("/designer").status_code == 403


@pytest.mark.parametrize("address", ADDRESSES)
def test_nobody_else_reads_it(app: Flask, address: str) -> None:
    """ほかの職員には断り、名乗らない人はログインへ送る。"""
    assert signed_in(app, STAFF).get(address).status_code == 403
    answer = app.test_client().get(address)
    assert answer.status_code in (302, 303) and "/login" in answer.location


def test_another_office_is_shown_its_own(app: Flask) -> None:
    """ほかの庁の設計の担当には、この庁のものは何も出ない。"""
    client = signed_in(app, STRANGER)
    page = client.get("/designer/clauses").text
    assert "他庁" in page and "備品の購入を審査まで" not in page and PROCESS not in page
    for address in (f"/designer/clauses/diagram?procedure={PROCESS}", f"/designer/clauses/diagram.bpmn?procedure={PROCESS}"):
        assert client.get(address).status_code == 404


# ---------------------------------------------------------------- while scenarios are played


def test_while_scenarios_are_played_the_page_says_so(world: World, designer: FlaskClient, monkeypatch: pytest.MonkeyPatch) -> None:
    """演じ終えていないシナリオがあれば、画面も紙もそう言い、CSVは終わってから書き出せる。"""
    place = world.engine.organisation("office").folder / "scenarios" / "slow.yaml"
    place.write_text(SCENARIO.replace("備品の購入を審査まで", "後ろで演じるもの"), "utf-8")
    go_on, play = threading.Event(), coverage.play_one

    def slowly(*given: Any) -> Any:
        go_on.wait(20)
        return play(*given)

    monkeypatch.setattr(coverage, "play_one", slowly)
    try:
        assert "シナリオ1件を演じているところです" in designer.get("/designer/clauses").text
        answer = designer.get("/designer/clauses.csv?clause=C-1")
        assert (answer.status_code, answer.location) == (303, "/designer/clauses?clause=C-1")
        go_on.set()
        world.engine.matrix.page(world.engine.viewer(DESIGNER), wait=None)
        designer.get("/inbox")  # where what was said of the file is read
        assert "演じているところ" not in designer.get("/designer/clauses").text
        assert "後ろで演じるもの" in designer.get("/designer/clauses").text
    finally:
        go_on.set()
        place.unlink()


# ---------------------------------------------------------------- the command


def clauses(folder: Path, monkeypatch: pytest.MonkeyPatch, *arguments: str) -> Result:
    monkeypatch.setenv("TADACHI_BPMN", str(folder))
    return CliRunner().invoke(main, ["clauses", "--organisation", "office", *arguments])


def test_the_command_tells_each_clause_and_what_has_no_counterpart(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """命令は、条項ごとの数と、対応のないものを言う。データベースは要らない。"""
    write_office(tmp_path / "bpmn")
    told = clauses(tmp_path / "bpmn", monkeypatch)
    assert told.exit_code == 0, told.output
    assert re.search(r"C-1　試験規程 第1条　要素\d+、決定表0、細目2、シナリオ1、試験1", told.output)
    assert "  C-4　試験規程 第4条　行いの定めで、手続にならない。" in told.output
    assert f"  {PROCESS}　fix　補正" in told.output


def test_the_command_tells_what_a_change_touches(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """--amended は触れるところを言い、--json は同じことをデータで言う。無い条項は断る。"""
    write_office(tmp_path / "bpmn")
    told = clauses(tmp_path / "bpmn", monkeypatch, "--amended", "C-2").output
    for text in (
        f"{PROCESS}　review　審査（入力欄10）",
        "直ちに　要素1",
        "守られること　who_reviews_does_not_approve　審査した人は承認しない",
        "review.yaml",
    ):
        assert text in told, text
    data = json.loads(clauses(tmp_path / "bpmn", monkeypatch, "--amended", "C-2", "--amended", "C-3", "--json").output)
    assert [one["id"] for one in data["clauses"]] == ["C-2", "C-3"]
    whole = json.loads(clauses(tmp_path / "bpmn", monkeypatch, "--json").output)
    assert whole["without"]["element"] == ["C-4", "C-5", "C-6"] and f"{PROCESS}/{PROCESS}/fix" in whole["without"]["clause"]
    refused = clauses(tmp_path / "bpmn", monkeypatch, "--amended", "C-99")
    assert refused.exit_code == 2 and "C-99" in refused.output


def test_the_command_looks_at_what_is_in_force_as_somebody(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """--as は、施行中の版と下書きを、その人として見る。読めない人は断られる。下書きには --as が要る。"""
    world = make_clausal_world(tmp_path)
    draft = world.engine.drafts.begin(world.engine.viewer(DESIGNER), PROCESS, "命令から見る下書き")
    world.engine.close()
    monkeypatch.setenv("TADACHI_DATABASE", f"sqlite:///{tmp_path / 'tadachi.sqlite'}")
    told = json.loads(clauses(tmp_path / "bpmn", monkeypatch, "--as", DESIGNER, "--draft", str(draft), "--json").output)
    assert (told["draft"], told["procedures"][0]["ref"]) == (draft, f"d{draft}")
    assert clauses(tmp_path / "bpmn", monkeypatch, "--as", STAFF).exit_code != 0
    assert clauses(tmp_path / "bpmn", monkeypatch, "--as", AUDITOR, "--draft", str(draft)).exit_code != 0
    assert clauses(tmp_path / "bpmn", monkeypatch, "--draft", str(draft)).exit_code == 2
    assert CliRunner().invoke(main, ["clauses", "--organisation", "nowhere"]).exit_code == 2
