"""Two versions of a procedure laid side by side: each kind of change is told once, in words, and what only moved on the page is counted apart."""

from __future__ import annotations

import re
from datetime import date
from pathlib import Path
from xml.sax.saxutils import escape

import pytest

from engine import load_organisation
from engine.compare import Change, compare
from engine.compare_words import duration, say
from engine.definitions import bundles
from tests.engine.drawing import boundary, diagram, element, end, event_sub, exclusive, flows, message, start, timer
from tests.support import ROOT, field, said, step

FILE = "office/approval.bpmn"
FIELDS = (
    field("opinion", "意見", "text", required=True, maxlength="100"),
    field("kind", "種別", "enum", "x=甲", "y=乙"),
    field("note", "備考", "string"),
)
REVIEW = {"clause": "C-2", "urgency": "at_once", "button": "進める"}


def drawn(*, review: str = "", more: str = "", ways: str = "", way: str = "amount > 10", wait: str = "PT2H", process: str = "") -> bytes:
    """A small procedure; each part can be drawn otherwise."""
    return diagram(
        process or said(numbering="general", withdraw="never"),
        start("apply", said(field("amount", "金額", "long")), name="申請"),
        review or step("review", "審査", "protection_manager@owning_unit", *FIELDS, **REVIEW),
        boundary("late", "review", timer(wait)),
        exclusive("enough", default="enough_approve"),
        step("approve", "承認", "division_protection_manager@owning_unit"),
        step("fix", "補正", "protection_manager@owning_unit"),
        end("done", name="承認済み"),
        end("over", name="期限切れ"),
        more,
        flows("late > over", f"enough > fix : {way}", ways or "apply > review > enough > approve > done", "fix > done"),
        id="office_approval",
    )


def changes(before: bytes, after: bytes) -> list[tuple[str, str, str, str, str]]:
    """(element, what, how, before, after) of each change."""
    found = compare({FILE: before}, {FILE: after}).changes
    return [(one.element, one.what, one.how, one.before, one.after) for one in found]


def review(*fields: str, seat: str = "protection_manager@owning_unit", name: str = "審査", **properties: str) -> str:
    return step("review", name, seat, *(fields or FIELDS), **{**REVIEW, **properties})


def test_the_same_is_the_same() -> None:
    assert changes(drawn(), drawn()) == []


def test_what_an_element_says_is_told_attribute_by_attribute() -> None:
    seat = "division_protection_manager@owning_unit"
    after = drawn(
        review=review(seat=seat, name="詳しい審査", clause="C-2,C-3", urgency="promptly", sets="seen=true"), wait="PT4H", way="amount > 20"
    )
    assert changes(drawn(), after) == [
        ("review", "name", "changed", "審査", "詳しい審査"),
        ("review", "role", "changed", "protection_manager@owning_unit", seat),
        ("review", "property:clause", "changed", "C-2", "C-2,C-3"),
        ("review", "property:urgency", "changed", "at_once", "promptly"),
        ("review", "property:sets", "changed", "", "seen=true"),
        ("late", "timer", "changed", "PT2H", "PT4H"),
        ("enough_fix", "condition", "changed", "amount > 10", "amount > 20"),
    ]


def test_fields_of_a_form_come_go_change_and_change_places() -> None:
    opinion = field("opinion", "意見・理由", "text", maxlength="200")
    kind = field("kind", "種別", "enum", "x=甲", "z=丙", props={"shown_when": "amount > 1"})
    after = drawn(review=review(kind, opinion, field("until", "期日", "date", required=True)))
    assert (
        changes(drawn(), after)
        == [
            ("review", "field:choices", "changed", "甲（x）、乙（y）", "甲（x）、丙（z）"),
            ("review", "field:shown_when", "changed", "", "amount > 1"),
            ("review", "field:label", "changed", "意見", "意見・理由"),
            ("review", "field:maxlength", "changed", "100", "200"),
            ("review", "field:required", "changed", "はい", ""),
            ("review", "field", "added", "", "型 date、必須 はい"),
            ("review", "field", "removed", "型 string", ""),
            ("review", "fields", "moved", "意見、種別", "種別、意見・理由"),
        ]
        or changes(drawn(), after)[-1][3] == "意見、種別"
    )


def test_elements_come_and_go_with_their_flows_and_a_flow_leads_elsewhere() -> None:
    more = step("hear", "聞き取り", "protection_manager@owning_unit")
    after = drawn(more=more, ways="apply > hear > review > enough > approve > over")
    found = changes(drawn(), after)
    assert ("hear", "element", "added", "", "担当 protection_manager@owning_unit") in found
    whole = {(one[0], one[2]) for one in found if one[1] == "element"}
    assert whole == {
        ("hear", "added"), ("apply_hear", "added"), ("hear_review", "added"), ("approve_over", "added"),
        ("apply_review", "removed"), ("approve_done", "removed"),
    }  # fmt: skip
    rerouted = drawn().replace(
        b'id="approve_done" sourceRef="approve" targetRef="done"', b'id="approve_done" sourceRef="approve" targetRef="over"'
    )
    assert rerouted != drawn()
    assert changes(drawn(), rerouted) == [("approve_done", "to", "changed", "「承認済み」", "「期限切れ」")]


def test_a_step_that_was_given_another_id_is_the_same_step() -> None:
    after = re.sub(rb"\breview\b", b"examine", drawn()).replace(b"apply_review", b"Flow_1").replace(b"review_enough", b"Flow_2")
    found = changes(drawn(), after)
    assert ("examine", "id", "changed", "review", "examine") in found
    assert {one[1] for one in found} == {"id"}, "its flows and its timer lead where they led"


def test_a_step_of_another_kind_keeps_its_identity() -> None:
    after = drawn(review=element("manualTask", "review", name="審査", camunda_candidateGroups="protection_manager@owning_unit"))
    found = changes(drawn(), after)
    assert ("review", "kind", "changed", "人の処理", "画面の外の処理") in found
    assert not [one for one in found if one[:2] == ("review", "element")]


def test_the_default_flow_and_the_kind_of_an_event_are_told() -> None:
    after = (
        drawn()
        .replace(b'default="enough_approve"', b'default="enough_fix"')
        .replace(b"<bpmn:conditionExpression", b"<bpmn:conditionExpression", 1)
    )
    assert ("enough", "default", "changed", "「enough」→「承認」", "「enough」→「補正」") in changes(drawn(), after)
    event = event_sub(
        "stop",
        start("stopped", message("stop") + said(candidateGroups="protection_manager@owning_unit"), name="中止", isInterrupting="true"),
        end("ended"),
        flows("stopped > ended"),
    )
    other = event.replace('isInterrupting="true"', 'isInterrupting="false"')
    assert ("stopped", "interrupting", "changed", "はい", "いいえ") in changes(drawn(more=event), drawn(more=other))


def test_the_procedures_own_properties_and_what_nobody_knows_are_told_too() -> None:
    after = drawn(process=said(numbering="special", withdraw="until_end"))
    assert changes(drawn(), after) == [
        ("office_approval", "property:numbering", "changed", "general", "special"),
        ("office_approval", "property:withdraw", "changed", "never", "until_end"),
    ]
    foreign = drawn().replace(b'<bpmn:userTask id="approve"', b'<bpmn:userTask camunda:dueDate="2027-01-01" id="approve"')
    assert changes(drawn(), foreign) == [("approve", "attribute:dueDate", "changed", "", "2027-01-01")]
    listener = b'<bpmn:extensionElements><camunda:executionListener event="start" expression="x"/></bpmn:extensionElements>'
    heard = re.sub(rb'(<bpmn:userTask id="approve"[^>]*>)', rb"\1" + listener, drawn())
    assert [one[1] for one in changes(drawn(), heard)] == ["element:executionListener"], "nothing is kept from the reviewer"


def shipped() -> dict[str, bytes]:
    return dict(bundles(ROOT / "bpmn" / "isa", ROOT / "bpmn" / "common")["isa_incident"][1])


def test_what_only_moved_on_the_page_is_counted_apart() -> None:
    before = shipped()
    text = before["isa/incident.bpmn"].decode()
    moved = re.sub(r'(bpmnElement="contain_at_once"[^>]*>\s*<dc:Bounds x=")(\d+)', lambda m: f"{m[1]}{int(m[2]) + 40}", text)
    assert moved != text
    found = compare(before, {**before, "isa/incident.bpmn": moved.encode()})
    assert found.changes == () and found.layout_only == (("isa_incident", "contain_at_once"),)
    again = "\n".join(line.strip() for line in text.splitlines()).replace("<bpmn:definitions", '<bpmn:definitions exporter="other"', 1)
    assert compare(before, {**before, "isa/incident.bpmn": again.encode()}).changes == (), "line breaks and who wrote it mean nothing"


def test_lanes_are_told_when_a_step_moves_to_another() -> None:
    before = shipped()
    text = before["isa/incident.bpmn"].decode()
    ref = "<bpmn:flowNodeRef>contain_at_once</bpmn:flowNodeRef>"
    assert text.count(ref) == 1
    other = text.replace(ref, "").replace("<bpmn:flowNodeRef>", ref + "<bpmn:flowNodeRef>", 1)
    (change,) = compare(before, {**before, "isa/incident.bpmn": other.encode()}).changes
    assert (change.element, change.what, change.how, change.label) == ("contain_at_once", "lane", "moved", "レーン")
    assert change.before != change.after


def test_a_diagram_that_is_called_comes_goes_and_changes_under_its_own_name() -> None:
    before = shipped()
    called = next(name for name in before if name.endswith(".bpmn") and name != "isa/incident.bpmn")
    gone = {name: data for name, data in before.items() if name != called}
    changes_ = compare(before, gone).changes
    assert [(one.what, one.how) for one in changes_] == [("diagram", "removed")]
    assert [(one.what, one.how) for one in compare(gone, before).changes] == [("diagram", "added")]


def test_a_file_that_is_no_xml_is_told_and_stops_nothing() -> None:
    found = compare({FILE: drawn()}, {FILE: drawn(), "office/other.dmn": b"<!DOCTYPE x><x/>"})
    assert found.broken == ("office/other.dmn",) and found.changes == ()
    found = compare({FILE: drawn()}, {FILE: b"<broken"})
    assert found.broken == (FILE,) and found.changes == ()


def test_marks_say_what_to_paint_on_each_side() -> None:
    after = drawn(
        more=step("hear", "聞き取り", "protection_manager@owning_unit"), ways="apply > hear > review > enough > approve > done", wait="PT9H"
    )
    found = compare({FILE: drawn()}, {FILE: after})
    assert found.marks("office_approval", before=True) == {"late": "changed", "apply_review": "removed"}
    assert found.marks("office_approval", before=False) == {
        "late": "changed", "hear": "added", "apply_hear": "added", "hear_review": "added",
    }  # fmt: skip


def test_scenarios_beside_the_diagrams_are_told_line_by_line() -> None:
    """下書きに置いたシナリオは、増え、減り、直した行が、図の変更とは別に出る。図の印にも、案件の数にも関わらない。"""
    old = "title: 申請\nprocess: office_approval\nstarts: 2026-11-16 10:00\nstart: {by: staff@a}\nsteps:\n- complete: review\n".encode()
    new = old.replace(b"complete: review", b"passes: P1D")
    one, other = "office/scenarios/a.yaml", "office/scenarios/b.yaml"
    found = compare({FILE: drawn(), one: old, "office/scenarios/gone.yaml": b"[]"}, {FILE: drawn(), one: new, other: old})
    assert [(change.file, change.name, change.how) for change in found.changes] == [
        (one, "申請", "changed"), (other, "申請", "added"), ("office/scenarios/gone.yaml", "gone.yaml", "removed"),
    ]  # fmt: skip
    assert (found.changes[0].before, found.changes[0].after) == ("- complete: review", "- passes: P1D")
    assert found.broken == ()
    assert {change.what for change in found.changes} == {"scenario"} and found.marks("office_approval", before=False) == {}


# ---------------------------------------------------------------- decision tables


def table(*rows: str, policy: str = "UNIQUE", columns: tuple[str, ...] = ("金額", "種別"), name: str = "判定") -> bytes:
    """A table with one output; a row is `cell | cell | out`."""
    inputs = "".join(
        f'<input id="i{n}" label="{c}"><inputExpression id="e{n}" typeRef="string"><text>{c}</text></inputExpression></input>'
        for n, c in enumerate(columns)
    )
    rules = "".join(
        f'<rule id="r{n}">'
        + "".join(f"<inputEntry><text>{escape(cell.strip())}</text></inputEntry>" for cell in row.split("|")[:-1])
        + f"<outputEntry><text>{row.split('|')[-1].strip()}</text></outputEntry></rule>"
        for n, row in enumerate(rows)
    )
    return (
        f'<definitions xmlns="https://www.omg.org/spec/DMN/20191111/MODEL/" id="d" name="d" namespace="x"><decision id="judge" name="{name}">'
        f'<decisionTable id="t" hitPolicy="{policy}">{inputs}<output id="o" name="result" typeRef="string"/>{rules}</decisionTable></decision></definitions>'
    ).encode()


def rows(before: bytes, after: bytes) -> list[tuple[str, str, str, str]]:
    found = compare({"office/t.dmn": before}, {"office/t.dmn": after}).changes
    return [(one.label, one.how, one.before, one.after) for one in found]


A, B, C, D = "> 10 | x | yes", "<= 10 | x | no", "- | y | review", "- | z | no"


@pytest.mark.parametrize(
    ("before", "after", "told"),
    [
        ((A, B, C), (A, B, C), []),
        ((A, B, C), ("> 20 | x | yes", B, C), [("1行目 入力「金額」", "changed", "> 10", "> 20")]),
        ((A, B, C), (A, B, "- | y | yes"), [("3行目 出力「result」", "changed", "review", "yes")]),
        ((A, B), (A, B, D), [("3行目", "added", "", "入力「金額」 -、入力「種別」 z、出力「result」 no")]),
        ((A, B, D), (A, D), [("2行目（前の版）", "removed", "入力「金額」 <= 10、入力「種別」 x、出力「result」 no", "")]),
        ((A, B, C), (C, A, B), [("1行目", "moved", "3行目", "1行目")]),
    ],
)
def test_rows_and_cells_of_a_table(before: tuple[str, ...], after: tuple[str, ...], told: list[tuple[str, str, str, str]]) -> None:
    assert rows(table(*before), table(*after)) == told


def test_columns_policy_and_name_of_a_table() -> None:
    after = table("> 10 | yes", "<= 10 | no", policy="FIRST", columns=("金額",), name="新しい判定")
    assert rows(table(A, B), after) == [
        ("名前", "changed", "判定", "新しい判定"),
        ("当てはまる行の選び方", "changed", "一つだけ当てはまる（UNIQUE）", "最初の行（FIRST）"),
        ("列 入力「種別」", "removed", "種別（string）：1行目 x、2行目 x", ""),
    ]
    assert rows(table(A), b"<definitions/>")[0][1] == "removed"


# ---------------------------------------------------------------- words


def test_values_are_said_in_the_offices_words() -> None:
    office = load_organisation(Path(ROOT / "bpmn" / "isa"))
    words = say(office, date(2026, 11, 21))
    assert words("role", "protection_manager@owning_unit") == "保護管理者（担当の部署）"
    assert (
        words("property:candidateGroups", "reporter, general_protection_manager@organisation") == "報告した人、総括保護管理者（機関の全体）"
    )
    assert words("property:urgency", "at_once") == "直ちに" and words("property:urgency", "odd") == "odd"
    assert words("timer", "PT2H") == "2時間（PT2H）" and words("timer", 'due("final_report")') == 'due("final_report")'
    assert words("condition", "amount > 10") == "amount > 10"
    clause = next(iter(office.clauses))
    assert words("property:clause", clause).endswith(f"［{clause}］") and words("property:clause", "none-such") == "none-such"


@pytest.mark.parametrize(
    ("text", "spoken"),
    [
        ("P1D", "1日（P1D）"),
        ("P1Y2M3W", "1年2か月3週間（P1Y2M3W）"),
        ("R/PT30M", "30分ごと（R/PT30M）"),
        ("P", "P"),
        ("later(x, 3)", "later(x, 3)"),
    ],
)
def test_durations_are_spoken(text: str, spoken: str) -> None:
    assert duration(text) == spoken


def test_every_shipped_procedure_equals_itself_and_differs_from_every_other() -> None:
    for office in ("isa", "niye", "mext"):
        found = bundles(ROOT / "bpmn" / office, ROOT / "bpmn" / "common")
        for name, (_, files) in found.items():
            assert compare(files, files).changes == (), name
    assert isinstance(compare({}, shipped()).changes[0], Change)
