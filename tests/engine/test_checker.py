"""What the checker finds: for every kind of fault a small diagram that has it, with the shortest run, and one that only looks as if it had."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import date
from typing import Any
from xml.sax.saxutils import escape

import pytest

from engine import load_organisation
from engine.checker import Report, check
from engine.decisions import Decision
from engine.errors import Finding
from engine.organisation import Organisation
from engine.parsing import parse_bundle, parse_tables
from engine.rules import Derived, Duty, Property
from tests.engine.drawing import (
    boundary,
    call,
    catch,
    condition,
    diagram,
    element,
    end,
    error,
    escalation,
    event_sub,
    exclusive,
    flows,
    message,
    multi,
    parallel,
    service,
    signal,
    start,
    sub,
    terminate,
    throw,
    timer,
)
from tests.support import MANAGER, action, field, said, step, write_offices

DAY = date(2026, 11, 16)
SEAT = MANAGER.partition("@")[0] + "@owning_unit"
YES_NO = ("yes=はい", "no=いいえ")
AMEND = '<bpmn:message id="m_amend" name="amend"/>'


def task(id: str, *fields: str, inside: str = "", **properties: str) -> str:
    """A step with a Japanese name that shows its id."""
    return step(id, f"処理{id}", SEAT, *fields, inside=inside, **properties)


def choice(id: str, *, required: bool = True) -> str:
    return field(id, id, "enum", *YES_NO, required=required)


def table(id: str, inputs: str, outputs: str, *rows: str, policy: str = "UNIQUE") -> str:
    """A decision: names of inputs and outputs, and rows as "cell, cell | result, result"."""
    drawn = "".join(
        f'<input id="{id}_i_{name}"><inputExpression id="{id}_x_{name}"><text>{name}</text></inputExpression></input>'
        for name in inputs.split()
    )
    drawn += "".join(f'<output id="{id}_o_{name}" name="{name}"/>' for name in outputs.split())
    for number, row in enumerate(rows):
        cells, results = (part.split(",") for part in row.split("|"))
        drawn += f'<rule id="{id}_r{number}">'
        drawn += "".join(
            f'<inputEntry id="{id}_r{number}i{at}"><text>{escape(text.strip())}</text></inputEntry>' for at, text in enumerate(cells)
        )
        drawn += "".join(
            f'<outputEntry id="{id}_r{number}o{at}"><text>{escape(text.strip())}</text></outputEntry>' for at, text in enumerate(results)
        )
        drawn += "</rule>"
    return f'<decision id="{id}" name="{id}"><decisionTable id="{id}_t" hitPolicy="{policy}">{drawn}</decisionTable></decision>'


def tables(*drawn: str) -> dict[str, Decision]:
    head = '<definitions xmlns="https://www.omg.org/spec/DMN/20191111/MODEL/" id="d" name="d" namespace="http://example.jp">'
    return parse_tables({"d.dmn": f"{head}{''.join(drawn)}</definitions>".encode()})


def look(*parts: str, decisions: dict[str, Decision] | None = None, called: dict[str, bytes] | None = None, **more: Any) -> Report:
    """Check a process without an office."""
    files = {"p.bpmn": diagram(*parts, head=AMEND)} | {f"{name}.bpmn": data for name, data in (called or {}).items()}
    return check(parse_bundle(files, "p"), decisions or {}, **more)


def rules(report: Report) -> list[tuple[str, str]]:
    return [(finding.rule, finding.element) for finding in report.findings]


def only(report: Report, rule: str, element: str, *words: str) -> Finding:
    """The one finding there is; it names what it is about in Japanese and can be replayed for certain."""
    assert rules(report) == [(rule, element)], report.findings
    finding = report.findings[0]
    for word in words:
        assert f"「{word}」" in finding.message, finding.message
    assert finding.message.endswith("。")
    assert finding.severity == "error"
    assert finding.file == "p.bpmn"
    assert report.finished
    return finding


def run(finding: Finding) -> list[str]:
    """The run in short: `start`, `complete a`, `due t`, …; with the answers that matter as `complete a x=yes`."""
    short = []
    for part in json.loads(finding.run):
        kind, what = next(iter(part.items()))
        answers = "".join(f" {name}={value}" for name, value in sorted(part.get("answers", {}).items()))
        short.append(("start" if kind == "start" else f"{kind} {what}") + answers)
    return short


def sound(report: Report) -> None:
    assert rules(report) == []
    assert report.finished


@pytest.fixture(scope="module")
def office(tmp_path_factory: pytest.TempPathFactory) -> Organisation:
    return load_organisation(write_offices(tmp_path_factory.mktemp("offices")) / "office")


def asking(office: Organisation, *rows: Duty | Property) -> dict[str, Any]:
    """The office with these rows of rules.toml, as arguments of `check`."""
    duties = tuple(row for row in rows if isinstance(row, Duty))
    properties = tuple(row for row in rows if isinstance(row, Property))
    return {"organisation": replace(office, rules=replace(office.rules, duties=duties, properties=properties)), "on": DAY}


def duty(when: str = "", undecided_when: str = "", valid_from: date = DAY) -> Duty:
    return Duty("C-3", "確認の記録", when, undecided_when, ("C-3",), ("p",), valid_from)


def promise(kind: str, **more: Any) -> Property:
    return Property("x", kind, "約束", "規程第1条", ("p",), DAY, **more)


def recomputing(office: Organisation, decision: str) -> dict[str, Any]:
    """The office that recomputes a table after every change."""
    return {"organisation": replace(office, rules=replace(office.rules, derived=(Derived(decision),), duties=(), properties=()))}


#: What waits for a message that nobody can send; everything before it is passed, nothing after.
def never(id: str, name: str) -> str:
    return catch(id, message("go"), name=name)


# ---------------------------------------------------------------- deadlock


def test_a_parallel_join_of_alternatives_is_a_deadlock() -> None:
    either = exclusive("which", default="which_b")
    ways = flows("s > ask > which > b > join > e", 'which > a : x == "yes"', "a > join")
    parts = (start(), task("ask", choice("x")), either, task("a"), task("b"), end())
    report = look(*parts, parallel("join"), ways)
    assert rules(report) == [("deadlock", "join"), ("dead_element", "join")]
    assert "合流「join」" in report.findings[0].message
    steps = run(report.findings[0])
    assert steps in (["start", "complete ask x=yes", "complete a"], ["start", "complete ask x=no", "complete b"])
    sound(look(*parts, exclusive("join"), ways))


def test_a_condition_that_an_answer_can_make_impossible_is_a_deadlock() -> None:
    ways = flows("s > a > c > e")
    wait = catch("c", condition('x == "yes"'), name="はいを待つ")
    found = only(look(start(), task("a", choice("x")), wait, end(), ways), "deadlock", "c", "はいを待つ")
    assert run(found) == ["start", "complete a x=no"]
    only_yes = field("x", "x", "enum", "yes=はい", required=True)
    sound(look(start(), task("a", only_yes), wait, end(), ways))


def test_a_condition_that_an_action_at_hand_can_change_is_none() -> None:
    """いつでもできる操作で変えられる項目は、待っていればよい。"""
    parts = (start(), task("a", choice("x")), catch("c", condition('x == "yes"'), name="はいを待つ"), end(), flows("s > a > c > e"))
    sound(look(*parts, action("amend", "訂正", SEAT, choice("x", required=False))))
    sometimes = action("amend", "訂正", SEAT, choice("x", required=False), offered_when='x != "no"')
    found = only(look(*parts, sometimes), "deadlock", "c", "はいを待つ")
    assert run(found) == ["start", "complete a x=no"]


def test_a_message_that_nobody_can_send_is_never_had() -> None:
    report = look(start(), task("a"), never("c", "回答を待つ"), end(), flows("s > a > c > e"))
    assert rules(report) == [("deadlock", "c"), ("dead_element", "e")]
    assert "「回答を待つ」" in report.findings[0].message
    assert run(report.findings[0]) == ["start", "complete a"]
    somebody = catch("c", message("go"), name="回答を待つ", camunda_candidateGroups=SEAT)
    sound(look(start(), task("a"), somebody, end(), flows("s > a > c > e")))
    sender = element("sendTask", "send", name="回答", messageRef="m_go")
    ways = flows("s > g > a > send > j > e", "g > c > j")
    sound(look(start(), parallel("g"), task("a"), sender, never("c", "回答を待つ"), parallel("j"), end(), ways))


def test_a_message_that_was_sent_before_anybody_waited_is_lost() -> None:
    sender = element("sendTask", "send", name="回答", messageRef="m_go")
    parts = (start(), parallel("g"), task("a"), task("b"), sender, never("c", "回答を待つ"), parallel("j"), end())
    found = only(look(*parts, flows("s > g > a > send > j > e", "g > b > c > j")), "deadlock", "c", "回答を待つ")
    assert run(found) == ["start", "complete a", "complete b"]


# ---------------------------------------------------------------- left over, unbounded


def test_a_token_that_stays_behind_at_the_end() -> None:
    parts = (start(), parallel("g"), task("a"), end(name="済み"), end("f"))
    report = look(*parts, never("c", "回答を待つ"), flows("s > g > a > e", "g > c > f"))
    assert rules(report) == [("leftover_tokens", "c"), ("dead_element", "f")]
    assert "「済み」" in report.findings[0].message
    assert "「回答を待つ」" in report.findings[0].message
    assert run(report.findings[0]) == ["start", "complete a"]
    sound(look(*parts, task("c"), flows("s > g > a > e", "g > c > f")))
    whole = (start(), parallel("g"), task("a"), end(event=terminate(), name="済み"), end("f"), catch("c", timer("P1D"), name="一日"))
    sound(look(*whole, flows("s > g > a > e", "g > c > f")))


def test_a_loop_that_leaves_a_token_behind_each_time_is_unbounded() -> None:
    parts = (start(), exclusive("m"), task("a"), parallel("g"), task("b"), end())
    found = only(look(*parts, flows("s > m > a > g > m", "g > b > e")), "unbounded_tokens", "b", "処理b")
    assert run(found) == ["start", *["complete a"] * 6]
    again = (parallel("j"), task("c", choice("x")), exclusive("d", default="d_e"))
    sound(look(*parts, *again, flows("s > m > a > g > c > j > d > e", "g > b > j", 'd > m : x == "yes"')))


@pytest.mark.xfail(strict=True, reason="what takes the tokens away is tried first, and alone")
def test_that_is_so_whatever_is_drawn_first() -> None:
    """繰り返しに出口があり、取り除く処理のほうが先に描かれていても、たまるものはたまる。"""
    parts = (start(), task("b"), end(), exclusive("m"), task("a", choice("x")), parallel("g"), exclusive("d", default="d_g"), end("f"))
    report = look(*parts, flows("s > m > a > d > g > m", "g > b > e", 'd > f : x == "yes"'))
    only(report, "unbounded_tokens", "b", "処理b")


# ---------------------------------------------------------------- no end, going round


def test_going_round_for_ever() -> None:
    parts = (start(), task("a", choice("x")), exclusive("d", default="d_e"), end(), exclusive("m"), task("b", choice("y")))
    found = only(look(*parts, flows("s > a > d > e", 'd > m : x == "yes"', "m > b > m")), "livelock", "b", "処理b")
    assert run(found) == ["start", "complete a x=yes"]
    out = exclusive("d2", default="d2_m")
    sound(look(*parts, out, end("f"), flows("s > a > d > e", 'd > m : x == "yes"', "m > b > d2 > m", 'd2 > f : y == "yes"')))


def test_only_cancelling_is_no_end() -> None:
    """いつでもできる中止だけが終わりなら、終わるとはいわない。"""
    stop = action("amend", "中止", SEAT, interrupting=True)
    parts = (start(), exclusive("m"), task("a", choice("x")), exclusive("d", default="d_m"), end())
    report = look(*parts, flows("s > m > a > d > m", 'd > e : x == "maybe"'), stop)
    assert rules(report) == [("livelock", "a"), ("dead_element", "e")]
    assert run(report.findings[0]) == ["start"]
    sound(look(*parts, flows("s > m > a > d > m", 'd > e : x == "no"'), stop))
    report = look(*parts, flows("s > m > a > d > m", 'd > e : x == "maybe"'))
    assert rules(report) == [("no_end", "s"), ("dead_element", "e")]
    assert run(report.findings[0]) == ["start"]


# ---------------------------------------------------------------- dead elements, in consistent combinations


def test_two_gateways_that_read_one_table_do_not_contradict_each_other(office: Organisation) -> None:
    """`g` が a なら `h` は必ず p。b の先で q を問う道には誰も来ない。"""
    grade = tables(table("grade", "x n", "g h", '"yes", <= 5 | "a", "p"', '"yes", > 5 | "b", "q"', '"no", - | "b", "p"'))
    parts = (
        start(), task("ask", choice("x"), field("n", "n", "long", required=True)),
        exclusive("one", default="one_e"), task("b"), exclusive("two", default="two_f"), task("c"), end(), end("f"), end("k"),
    )  # fmt: skip
    ways = flows("s > ask > one > e", 'one > b : g == "a"', "b > two > f", "c > k")
    found = only(look(*parts, ways, flows('two > c : h == "q"'), decisions=grade), "dead_element", "c", "処理c")
    assert found.run == ""
    sound(look(*parts, ways.replace('"a"', '"b"'), flows('two > c : h == "q"'), decisions=grade))
    # the same where a step of the diagram evaluates the table once
    asked = element("businessRuleTask", "rate", name="判定", camunda_decisionRef="grade")
    rated = (*parts, asked)
    ways = flows("s > ask > rate > one > e", 'one > b : g == "a"', "b > two > f", "c > k")
    plain = replace(office, rules=replace(office.rules, derived=(), duties=(), properties=()))
    only(look(*rated, ways, flows('two > c : h == "q"'), decisions=grade, organisation=plain), "dead_element", "c", "処理c")
    sound(look(*rated, ways.replace('"a"', '"b"'), flows('two > c : h == "q"'), decisions=grade, organisation=plain))


@pytest.mark.parametrize(
    ("second", "reached"), [("n < 102", True), ("n < 101", False), ("n <= 101", True), ("n == 100", False), ("n == 101", True)]
)
def test_numbers_are_tried_on_both_sides_of_every_boundary(second: str, reached: bool) -> None:
    parts = (
        start(), task("a", field("n", "n", "long", required=True)), exclusive("d", default="d_e"), task("b"),
        exclusive("d2", default="d2_f"), task("c"), end(), end("f"), end("k"),
        flows("s > a > d > e", "d > b : n > 100", "b > d2 > f", f"d2 > c : {second}", "c > k"),
    )  # fmt: skip
    report = look(*parts)
    if reached:
        sound(report)
    else:
        only(report, "dead_element", "c", "処理c")


def test_the_least_and_the_most_of_a_field_count() -> None:
    def parts(least: str, text: str) -> tuple[str, ...]:
        asked = task("a", field("n", "n", "long", min=least, max="20", required=True))
        ways = flows("s > a > d > e", f"d > b : {text}", "b > f")
        return start(), asked, exclusive("d", default="d_e"), task("b"), end(), end("f"), ways

    only(look(*parts("10", "n < 10")), "dead_element", "b", "処理b")
    sound(look(*parts("9", "n < 10")))
    only(look(*parts("10", "n > 20")), "dead_element", "b", "処理b")
    sound(look(*parts("10", "n > 19")))


#: What the values that are tried do not show yet: field, condition that an answer can make true.
VALUES = [
    pytest.param((field("n", "n", "long", required=True), field("m", "m", "long", required=True)), "n > m", id="two numbers"),
    pytest.param((field("n", "n", "long", required=True), field("m", "m", "long", required=True)), "n + m == 17", id="sum"),
    pytest.param((field("n", "n", "long", required=True),), "n * 2 == 34", id="multiple"),
    pytest.param((field("n", "n", "long", min="-10", required=True),), "n < 0 - 5", id="negative"),
    pytest.param((field("n", "n", "date"), field("m", "m", "date")), "n < m", id="two days"),
    pytest.param((field("n", "n", "date"),), 'n >= "2027-04-01"', id="a day"),
    pytest.param((field("n", "n", "rows", "k=名"),), "size(n) >= 3", id="rows"),
    pytest.param((field("n", "n", "set", "p=ア", "q=イ"),), "size(n) == 2", id="choices"),
    pytest.param((field("n", "n", "set", "p=ア", "q=イ"),), 'has(n, "p") and not has(n, "q")', id="one of two choices"),
    pytest.param((field("n", "n", "string"),), 'n == "東京"', id="text"),
    pytest.param((field("n", "n", "string"),), "not known(n)", id="left out"),
    pytest.param((field("n", "n", "boolean"),), "n == false", id="boolean"),
]


@pytest.mark.parametrize(("fields", "text"), VALUES)
def test_what_an_answer_can_make_true_is_passed(fields: tuple[str, ...], text: str, request: pytest.FixtureRequest) -> None:
    if request.node.callspec.id in NOT_YET:
        request.applymarker(pytest.mark.xfail(strict=True, reason="the values that are tried do not show it"))
    parts = start(), task("a", *fields), exclusive("d", default="d_e"), task("b"), end(), end("f")
    sound(look(*parts, flows("s > a > d > e", f"d > b : {text}", "b > f")))


NOT_YET = {"multiple", "two days", "a day", "rows", "choices"}


@pytest.mark.xfail(strict=True, reason="numbers that the diagram sets are no boundaries yet")
def test_a_number_that_the_diagram_sets_is_a_boundary() -> None:
    parts = (
        start(),
        task("a", field("n", "n", "long", required=True)),
        task("m", sets="most=500"),
        exclusive("d", default="d_e"),
        task("b"),
        end(),
        end("f"),
    )
    sound(look(*parts, flows("s > a > m > d > e", "d > b : n > most", "b > f")))


@pytest.mark.xfail(strict=True, reason="answers of a repeated step have no value yet")
def test_the_answers_of_a_repeated_step_can_be_read() -> None:
    parts = start(), task("a", choice("x"), inside=multi(times="2")), exclusive("d", default="d_e"), task("b"), end(), end("f")
    sound(look(*parts, flows("s > a > d > e", "d > b : size(a) == 2", "b > f")))


# ---------------------------------------------------------------- what cannot be carried out


def test_a_table_with_two_matching_rows_fails() -> None:
    parts = (
        start(), task("ask", choice("x"), field("n", "n", "long", required=True)), exclusive("d", default="d_e"), end(), end("f"),
        element("businessRuleTask", "rate", name="判定", camunda_decisionRef="grade"), flows("s > ask > rate > d > e", 'd > f : g == "a"'),
    )  # fmt: skip
    broken = tables(table("grade", "x n", "g", '"yes", - | "a"', '-, > 5 | "b"'))
    found = only(look(*parts, decisions=broken), "act_fails", "ask", "処理ask", "grade")
    assert run(found) == ["start", "complete ask n=6 x=yes"]
    sound(look(*parts, decisions=tables(table("grade", "x n", "g", '"yes", <= 5 | "a"', '-, > 5 | "b"'))))


def test_comparing_a_word_with_a_number_fails() -> None:
    fields = field("x", "x", "enum", "yes=はい"), choice("y")
    parts = start(), task("a", *fields), exclusive("d", default="d_e"), end(), end("f")
    found = only(look(*parts, flows("s > a > d > e", 'd > f : x < 3 or y == "yes"')), "act_fails", "a", "処理a")
    assert run(found) == ["start", "complete a x=yes y=yes"]
    sound(look(*parts, flows("s > a > d > e", 'd > f : x == "yes"')))


def test_a_number_of_instances_that_is_none_fails() -> None:
    def parts(least: str) -> tuple[str, ...]:
        asked = task("a", field("n", "n", "long", min=least, max="9", required=True))
        return start(), asked, task("b", inside=multi(times="n - 2")), end(), flows("s > a > b > e")

    found = only(look(*parts("1")), "instances_fail", "b", "処理a", "処理b")
    assert run(found) == ["start", "complete a n=1"]
    sound(look(*parts("2")))


def test_a_stored_diagram_without_a_default_may_have_no_way_out() -> None:
    """登録の検査が先に断る。以前に登録された図だけが、ここで見つかる。"""

    def report(required: bool) -> Report:
        ways = flows("s > a > d", 'd > e : x == "yes"', 'd > f : x == "no"')
        files = {
            "p.bpmn": diagram(start(), task("a", choice("x", required=required)), exclusive("d", name="どちら"), end(), end("f"), ways)
        }
        return check(parse_bundle(files, "p", admitted=True), {})

    found = only(report(False), "no_way_out", "d", "処理a", "どちら")
    assert run(found) == ["start", "complete a"]
    sound(report(True))


# ---------------------------------------------------------------- time, repetition, sending back, interruption


def test_timers_come_in_any_order() -> None:
    """九日のタイマーが一日のものより先に来ることもある（一方の枝が遅れて始まる）。"""
    parts = (
        start(), parallel("g"), catch("t1", timer("P1D"), name="一日"), catch("t2", timer("P9D"), name="九日"), task("w", sets="late=true"),
        exclusive("d", default="d_m"), exclusive("m"), parallel("j"), end(),
        flows("s > g > t1 > d > m > j > e", "d > c : late == true", "c > m", "g > t2 > w > j"),
    )  # fmt: skip
    found = only(look(*parts, never("c", "届かない")), "deadlock", "c", "届かない")
    assert run(found) == ["start", "due t2", "complete w", "due t1"]
    sound(look(*parts, task("c")))


def test_a_timer_on_an_instant_that_may_be_left_out() -> None:
    def parts(required: bool) -> tuple[str, ...]:
        asked = task("a", field("w", "w", "datetime", required=required))
        return start(), asked, catch("c", timer("w"), name="その日を待つ"), end(), flows("s > a > c > e")

    found = only(look(*parts(False)), "deadlock", "c", "その日を待つ")
    assert run(found) == ["start", "complete a"]
    sound(look(*parts(True)))


def test_whichever_of_two_events_comes_first() -> None:
    """受信タスクも、その先も、待つ相手の一つである。"""
    gate = element("eventBasedGateway", "w", name="待機")
    receive = element("receiveTask", "r", name="受領", messageRef="m_go")
    parts = (start(), gate, catch("t", timer("P1D"), name="一日"), receive, end(), end("f"))
    report = look(*parts, never("c", "届かない"), flows("s > w > t > e", "w > r > c > f"))
    assert rules(report) == [("deadlock", "c"), ("dead_element", "f")]
    assert run(report.findings[0]) == ["start", "complete r"] or run(report.findings[0]) == ["start", "act go"]
    sound(look(*parts, flows("s > w > t > e", "w > r > f")))


def test_a_repeated_step_and_what_interrupts_it() -> None:
    parts = (start(), task("m", inside=multi(times="3")), boundary("b", "m", timer("P1D")), task("x"), end(), end("f"))
    sound(look(*parts, flows("s > m > e", "b > x > f")))
    report = look(*parts, never("c", "届かない"), flows("s > m > e", "b > x > c > f"))
    assert rules(report) == [("deadlock", "c"), ("dead_element", "f")]
    assert run(report.findings[0]) == ["start", "due b", "complete x"]


def test_a_repeated_sub_process_waits_for_every_instance() -> None:
    report = look(
        start(),
        sub("q", multi(times="2"), start("ss"), task("a"), never("c", "届かない"), end("es"), flows("ss > a > c > es"), name="各課"),
        end(),
        flows("s > q > e"),
    )
    assert rules(report)[0] == ("deadlock", "c")
    assert run(report.findings[0]) == ["start", "complete a", "complete a"]
    sound(
        look(
            start(),
            sub("q", multi(times="2"), start("ss"), task("a"), task("c"), end("es"), flows("ss > a > c > es"), name="各課"),
            end(),
            flows("s > q > e"),
        )
    )


def test_sending_back_leads_to_new_answers() -> None:
    """差し戻して答え直すと、初めには来られない所に来る。"""

    def parts(back: dict[str, str]) -> tuple[str, ...]:
        return (
            start(), task("a", sets="round=2 if round == 1 else 1"), task("b", **back), exclusive("d", default="d_e"),
            task("c"), end(), end("f"), flows("s > a > b > d > e", "d > c : round == 2", "c > f"),
        )  # fmt: skip

    sound(look(*parts({"send_back_to": "a"})))
    only(look(*parts({})), "dead_element", "c", "処理c")
    stuck = look(start(), task("a", sets="round=2 if round == 1 else 1"), task("b", send_back_to="a"), exclusive("d", default="d_m"),
                 never("c", "届かない"), end(), exclusive("m"), flows("s > a > b > d > m > e", "d > c : round == 2", "c > m"))  # fmt: skip
    assert rules(stuck) == [("deadlock", "c")]
    assert run(stuck.findings[0]) == ["start", "complete a", "send_back b", "complete a", "complete b"]


def test_what_interrupts_the_whole_case() -> None:
    def parts(stop: str) -> tuple[str, ...]:
        late = start("t", timer("P1D"), name="期限", isInterrupting="true")
        return start(), task("a"), end(), flows("s > a > e"), event_sub("h", late, stop, end("k"), flows("t > c > k"))

    report = look(*parts(never("c", "届かない")))
    assert rules(report) == [("deadlock", "c"), ("dead_element", "k")]
    assert run(report.findings[0]) == ["start", "due t"]
    sound(look(*parts(task("c"))))


def test_what_runs_beside_the_whole_case() -> None:
    def parts(stop: str) -> tuple[str, ...]:
        late = start("t", timer("P1D"), name="期限", isInterrupting="false")
        return start(), task("a"), end(name="済み"), flows("s > a > e"), event_sub("h", late, stop, end("k"), flows("t > c > k"))

    report = look(*parts(never("c", "届かない")))
    assert ("leftover_tokens", "c") in rules(report) or ("deadlock", "c") in rules(report)
    assert run(report.findings[0]) == ["start", "due t", "complete a"]
    sound(look(*parts(task("c"))))


def test_an_error_that_a_handler_with_a_service_takes_up() -> None:
    handler = event_sub("h", start("t", error("A"), name="失敗"), service("v2"), task("x"), end("k"), flows("t > v2 > x > k"))
    sound(look(start(), task("a"), service("v"), end(), flows("s > a > v > e"), handler))


def test_an_escalation_beside_what_goes_on() -> None:
    inner = sub("q", start("ss"), task("a"), throw("up", escalation("A"), name="上申"), task("b"), end("es"), flows("ss > a > up > b > es"))
    told = boundary("t", "q", escalation("A"), interrupting=False)
    sound(look(start(), inner, told, task("x"), end(), end("f"), flows("s > q > e", "t > x > f")))
    other = boundary("t", "q", escalation("B"), interrupting=False)
    only(look(start(), inner, other, task("x"), end(), end("f"), flows("s > q > e", "t > x > f")), "dead_element", "t", "t")


def test_a_signal_wakes_everyone_who_waits() -> None:
    parts = (start(), parallel("g"), task("a"), throw("t", signal("go"), name="合図"), parallel("j"), end())
    waiting = catch("c", signal("go"), name="合図を待つ")
    sound(look(*parts, waiting, flows("s > g > a > t > j > e", "g > c > j")))
    found = only(look(*parts, waiting, task("b"), flows("s > g > a > t > j > e", "g > b > c > j")), "deadlock", "c", "合図を待つ")
    assert run(found) == ["start", "complete a", "complete b"]


# ---------------------------------------------------------------- called diagrams, whole and in parts


WHOLE = pytest.mark.parametrize("whole", [1_500, 0], ids=["whole", "in parts"])
_BOTH = (start(), parallel("g"), call("k1", "one"), call("k2", "two"), parallel("j"), end(), flows("s > g > k1 > j > e", "g > k2 > j"))


def _waits_for(id: str, other: str) -> bytes:
    wait = catch("c", condition(f"{other}_done == true"), name=f"{other}を待つ")
    return diagram(start(), task("a"), wait, task("z", sets=f"{id}_done=true"), end(), flows("s > a > c > z > e"), id=id)


@pytest.mark.parametrize("whole", [1_500, 0], ids=["whole", "in parts"])
def test_two_called_diagrams_that_wait_for_each_other(whole: int) -> None:
    report = look(*_BOTH, called={"one": _waits_for("one", "two"), "two": _waits_for("two", "one")}, whole=whole)
    assert [rule for rule, _ in rules(report)][:1] == ["deadlock"]
    assert "「twoを待つ」" in report.findings[0].message
    assert run(report.findings[0]) == ["start", "complete k1/a", "complete k2/a"]


@WHOLE
def test_a_called_diagram_that_waits_for_another(whole: int) -> None:
    free = diagram(start(), task("a"), task("z", sets="one_done=true"), end(), flows("s > a > z > e"), id="one")
    sound(look(*_BOTH, called={"one": free, "two": _waits_for("two", "one")}, whole=whole))


@WHOLE
def test_faults_inside_a_called_diagram(whole: int) -> None:
    stuck = diagram(start(), task("a"), never("c", "届かない"), end(), flows("s > a > c > e"), id="one")
    report = look(start(), call("k", "one"), end(), flows("s > k > e"), called={"one": stuck}, whole=whole)
    assert rules(report)[0] == ("deadlock", "k/c")
    assert report.findings[0].file == "one.bpmn"
    assert run(report.findings[0]) == ["start", "complete k/a"]
    parts = (start(), task("a", choice("x")), exclusive("d", default="d_e"), task("b"), end(), end("f"))
    for text, found in (('x == "maybe"', [("dead_element", "k/b")]), ('x == "yes"', [])):
        inner = diagram(*parts, flows("s > a > d > e", f"d > b : {text}", "b > f"), id="one")
        report = look(start(), call("k", "one"), end(), flows("s > k > e"), called={"one": inner}, whole=whole)
        assert rules(report) == found


@WHOLE
def test_what_a_called_diagram_writes_its_caller_reads(whole: int) -> None:
    parts = (start(), call("k", "one"), exclusive("d", default="d_e"), task("b"), end(), end("f"))
    ways = flows("s > k > d > e", "d > b : done == true", "b > f")
    for value, found in (("true", [("dead_element", "e")]), ("known(x)", []), ("false", [("dead_element", "b")])):
        inner = diagram(start(), task("a", choice("x", required=False), sets=f"done={value}"), end(), flows("s > a > e"), id="one")
        assert rules(look(*parts, ways, called={"one": inner}, whole=whole)) == found, value


@WHOLE
def test_one_diagram_called_twice_goes_on_from_where_it_ended(whole: int) -> None:
    """二度目は一度目の結果から始まる。"""
    inner = diagram(
        start(), exclusive("d", default="d_a"), task("a", sets="seen=true"), task("b"), end(), end("f"),
        flows("s > d > a > e", "d > b : seen == true", "b > f"), id="one",
    )  # fmt: skip
    report = look(start(), call("k1", "one"), call("k2", "one"), end(), flows("s > k1 > k2 > e"), called={"one": inner}, whole=whole)
    dead = [("dead_element", "k1/b"), ("dead_element", "k2/a")]
    assert rules(report) == (dead if whole else [])  # by itself a called diagram may always be called again


# ---------------------------------------------------------------- hidden facts


_GRADE = tables(table("grade", "f n", "g", 'true, > 5 | "a"', 'true, <= 5 | "b"', '-, > 5 | "c"', '-, - | "b"', policy="FIRST"))
_AMEND_N = action("amend", "訂正", SEAT, field("n", "n", "long"))


@pytest.mark.parametrize(("value", "reached"), [("true", True), ("false", False)])
def test_a_flag_that_a_table_reads_beside_what_can_change(office: Organisation, value: str, reached: bool) -> None:
    parts = (start(), task("m", sets=f"f={value}"), exclusive("d", default="d_e"), task("z"), end(), end("k"), _AMEND_N)
    report = look(*parts, flows("s > m > d > e", 'd > z : g == "a"', "z > k"), decisions=_GRADE, **recomputing(office, "grade"))
    if reached:
        sound(report)
    else:
        only(report, "dead_element", "z", "処理z")


def test_a_flag_that_is_surely_set_lets_its_condition_come(office: Organisation) -> None:
    parts = (start(), task("m", sets="f=true"), catch("c", condition('g == "a"'), name="甲を待つ"), end(), _AMEND_N)
    sound(look(*parts, flows("s > m > c > e"), decisions=_GRADE, **recomputing(office, "grade")))


def test_a_flag_that_is_surely_not_set_does_not(office: Organisation) -> None:
    parts = (start(), task("m", sets="f=false"), catch("c", condition('g == "a"'), name="甲を待つ"), end(), _AMEND_N)
    report = look(*parts, flows("s > m > c > e"), decisions=_GRADE, **recomputing(office, "grade"))
    assert rules(report) == [("deadlock", "c"), ("dead_element", "e")]
    assert run(report.findings[0]) == ["start", "complete m"]


def test_a_flag_that_is_set_too_late_does_not(office: Organisation) -> None:
    parts = (start(), task("a"), exclusive("d", default="d_m"), task("z"), task("m", sets="f=true"), end(), end("k"), _AMEND_N)
    report = look(*parts, flows("s > a > d > m > e", 'd > z : g == "a"', "z > k"), decisions=_GRADE, **recomputing(office, "grade"))
    only(report, "dead_element", "z", "処理z")


# ---------------------------------------------------------------- what the office demands


_ASKED = (
    start(), task("a", choice("x")), exclusive("d", default="d_e"), task("b", clause="C-3"), end(name="済み"),
    flows("s > a > d > e", 'd > b : x == "yes"', "b > e"),
)  # fmt: skip
_BESIDE = (start(), parallel("g"), task("a"), task("b"), parallel("j"), end(name="済み"))
_BESIDE_WAYS = flows("s > g > a > j > c > e", "g > b > j")


def test_a_duty_needs_its_record_before_the_end(office: Organisation) -> None:
    sound(look(*_ASKED, **asking(office, duty('x == "yes"'))))
    for row in (duty(), duty('x == "yes"', 'x == "no"')):
        found = only(look(*_ASKED, **asking(office, row)), "duty_unrecorded", "e", "確認の記録")
        assert run(found) == ["start", "complete a x=no"]
    sound(look(*_ASKED, **asking(office, duty(valid_from=date(2027, 4, 1)))))  # not in force yet


def test_a_duty_that_opens_at_the_last_moment(office: Organisation) -> None:
    """分かれ道のあとで訂正されても、義務は義務である。"""
    parts = (
        start(), task("a"), exclusive("d", default="d_w"), task("b", clause="C-3"), task("w"), end(name="済み"),
        flows("s > a > d > w > e", 'd > b : x == "yes"', "b > e"), action("amend", "訂正", SEAT, choice("x", required=False)),
    )  # fmt: skip
    found = only(look(*parts, **asking(office, duty('x == "yes"'))), "duty_unrecorded", "e", "確認の記録")
    assert run(found) == ["start", "complete a", "act amend x=yes", "complete w"]
    at_once = (
        *parts[:2], exclusive("d", default="d_e"), parts[3], end(name="済み"),
        flows("s > a > d > e", 'd > b : x == "yes"', "b > e"), parts[-1],
    )  # fmt: skip
    sound(look(*at_once, **asking(office, duty('x == "yes"'))))


def test_a_duty_where_a_deadline_ends_the_case_by_a_step(office: Organisation) -> None:
    """期限のあとの処理で終わる案件も、終結のときに記録を問われる（engine/work.py の complete）。"""
    late = start("t", timer("P1D"), name="期限", isInterrupting="true")
    parts = (start(), task("a"), task("b", clause="C-3"), end(name="済み"), flows("s > a > b > e"))
    report = look(*parts, event_sub("h", late, task("x"), end("k"), flows("t > x > k")), **asking(office, duty()))
    assert run(only(report, "duty_unrecorded", "k", "確認の記録")) == ["start", "due t", "complete x"]


def test_a_step_that_records_nothing_is_no_record(office: Organisation) -> None:
    parts = (start(), task("b", clause="C-3", records="none"), end(name="済み"), flows("s > b > e"))
    found = only(look(*parts, **asking(office, duty())), "duty_unrecorded", "e", "確認の記録")
    assert run(found) == ["start", "complete b"]


def test_always_before_the_end(office: Organisation) -> None:
    found = only(look(*_ASKED, **asking(office, promise("before_end", steps=("b",)))), "property_violated", "e", "約束")
    assert run(found) == ["start", "complete a x=no"]
    sound(look(*_ASKED, **asking(office, promise("before_end", steps=("b",), when='x == "yes"'))))
    found = only(look(*_ASKED, **asking(office, promise("before_end", then='x == "yes"'))), "property_violated", "e", "約束")
    assert "成り立たないまま" in found.message
    assert run(found) == ["start", "complete a x=no"]
    sound(look(*_ASKED, **asking(office, promise("before_end", then='x == "yes" or x == "no"'))))


def test_never_without(office: Organisation) -> None:
    sound(look(*_ASKED, **asking(office, promise("never_without", steps=("C-3",), after=("a",)))))
    parts = (*_BESIDE, task("c"), _BESIDE_WAYS)
    found = only(
        look(*parts, **asking(office, promise("never_without", steps=("a",), after=("b",)))), "property_violated", "a", "約束", "処理a"
    )
    assert run(found) == ["start", "complete a"]
    sound(look(*parts, **asking(office, promise("never_without", steps=("c",), after=("a",)))))


def test_never_without_whichever_is_drawn_first(office: Organisation) -> None:
    parts = (*_BESIDE, task("c"), _BESIDE_WAYS)
    asked = asking(office, promise("never_without", steps=("b",), after=("a",)))
    assert run(only(look(*parts, **asked), "property_violated", "b", "約束", "処理b")) == ["start", "complete b"]


def test_never_without_where_a_condition_holds(office: Organisation) -> None:
    """先に済ませるべき場合を when で限れる。その場合には守られ、外れる場合は見つかる。"""
    parts = (
        start(), task("a", choice("x")), exclusive("d", default="d_c"), task("b"), task("c"), end(),
        flows("s > a > d > c > e", 'd > b : x == "yes"', "b > c"),
    )  # fmt: skip
    sound(look(*parts, **asking(office, promise("never_without", steps=("c",), after=("b",), when='x == "yes"'))))
    asked = asking(office, promise("never_without", steps=("c",), after=("b",), when='x == "no"'))
    assert run(only(look(*parts, **asked), "property_violated", "c", "約束", "処理c")) == ["start", "complete a x=no", "complete c"]
    loose = asking(office, promise("never_without", steps=("c",), after=("b",)))
    assert run(only(look(*parts, **loose), "property_violated", "c", "約束", "処理c")) == ["start", "complete a x=no", "complete c"]


def test_a_fact_that_keeps_the_day_of_a_step() -> None:
    """処理をした日を項目に残し、分かれ道やタイマーで読める。日がいつかで道が変わるなら、どちらもあり得るとみる。"""
    sound(
        look(
            start(), task("a", sets="done_on=today()"), task("b"), boundary("t", "b", timer("today() if known(done_on) else null")),
            exclusive("d", default="d_f"), end(), end("f"), flows("s > a > b > d > f", "d > e : known(done_on)", "t > f"),
        )
    )  # fmt: skip


def test_not_waiting_for(office: Organisation) -> None:
    parts = (*_BESIDE, task("c"), _BESIDE_WAYS)
    found = only(
        look(*parts, **asking(office, promise("not_waiting_for", steps=("c",), without=("a",)))), "property_violated", "a", "処理a"
    )
    assert run(found)[0] == "start"
    sound(look(*parts, **asking(office, promise("not_waiting_for", steps=("b",), without=("a",)))))


def test_not_waiting_for_what_a_timer_takes_away(office: Organisation) -> None:
    late = (start(), task("a"), boundary("t", "a", timer("P1D")), task("b"), end(), end("f"), flows("s > a > e", "t > b > f"))
    sound(look(*late, **asking(office, promise("not_waiting_for", steps=("b",), without=("a",)))))


def test_never_the_same_person(office: Organisation) -> None:
    asked = asking(office, promise("never_same_person", steps=("a", "c")))
    only(look(*_BESIDE, task("c"), _BESIDE_WAYS, **asked), "same_person", "c", "処理a", "処理c")
    sound(look(*_BESIDE, task("c", not_same_person_as="a"), _BESIDE_WAYS, **asked))
    turned = (start(), task("c", not_same_person_as="a"), task("a"), end(), flows("s > c > a > e"))
    only(look(*turned, **asked), "same_person", "a", "処理a", "処理c")


def test_never_the_same_person_where_one_can_be_sent_back_to(office: Organisation) -> None:
    asked = asking(office, promise("never_same_person", steps=("a", "c")))

    def parts(**more: str) -> tuple[str, ...]:
        return start(), task("a", **more), task("c", not_same_person_as="a", send_back_to="a"), end(), flows("s > a > c > e")

    only(look(*parts(), **asked), "same_person", "a", "処理a")
    sound(look(*parts(not_same_person_as="c"), **asked))


def test_never_the_same_person_beside_each_other(office: Organisation) -> None:
    """並行する二つの処理を一人で済ませることもできてしまう。"""
    report = look(*_BESIDE, task("c"), _BESIDE_WAYS, **asking(office, promise("never_same_person", steps=("a", "b"))))
    assert {rule for rule, _ in rules(report)} == {"same_person"}


def test_never_the_same_person_by_clause(office: Organisation) -> None:
    parts = (start(), task("a", clause="C-2"), task("c", clause="C-3"), end(), flows("s > a > c > e"))
    only(look(*parts, **asking(office, promise("never_same_person", steps=("C-2", "C-3")))), "same_person", "c", "処理a", "処理c")


def test_never_whom_a_field_names(office: Organisation) -> None:
    """挙げられた人が、ほかの処理をできてしまう。"""
    asked = asking(office, promise("never_same_person", steps=("workers", "c")))
    workers = field("workers", "作業する職員", "people")

    def parts(**more: str) -> tuple[str, ...]:
        return start(), task("a", workers), task("c", **more), end(), flows("s > a > c > e")

    only(look(*parts(), **asked), "same_person", "c", "作業する職員")
    sound(look(*parts(not_same_person_as="workers"), **asked))


def test_what_a_form_only_shows_stays_as_it_is() -> None:
    """読むだけの欄は、書き換わる場合を調べない。"""
    when = field("when", "日時", "datetime", required=True)
    shown = field("when", "日時", "datetime", props={"readonly": "true"})
    waits = (catch("t", timer("when")), end(), flows("s > a > t > e"))
    sound(look(start("s", said(when)), task("a", shown), *waits))
    only(look(start("s", said(when)), task("a", field("when", "日時", "datetime")), *waits), "deadlock", "t", "t")


def test_what_is_set_to_the_instant_may_be_anything() -> None:
    """時刻を入れる項目は、どの時刻にもなる。"""
    parts = (
        start(),
        task("a", sets="late=now() > days(1)"),
        exclusive("x", default="x_e"),
        end(),
        end("f"),
        flows("s > a > x > e", "x > f : late == true"),
    )
    sound(look(*parts))


def test_every_step_has_a_seat_in_every_unit(office: Organisation) -> None:
    """離れには、部課等保護管理者も、その上の席もない。"""
    asked = asking(office, promise("seats"))
    sound(look(start(), task("a"), end(), flows("s > a > e"), **asked))
    lacking = step("a", "承認", "division_protection_manager@owning_unit")
    only(look(start(), lacking, end(), flows("s > a > e"), **asked), "seat_vacant", "a", "承認", "部課等保護管理者")


def test_every_step_has_a_seat_after_an_order_that_is_known_already(office: Organisation) -> None:
    order = date(2027, 4, 1)
    units = {name: replace(unit, valid_to=date(2027, 3, 31)) if name == "office" else unit for name, unit in office.units.items()}
    ended = replace(office, units=units)
    assert order in ended.changes()
    audited = step("a", "監査", "audit_officer@organisation")
    asked = asking(ended, promise("seats"))
    found = only(look(start(), audited, end(), flows("s > a > e"), **asked), "seat_vacant", "a", "監査")
    assert "2027-04-01" in found.message


# ---------------------------------------------------------------- the budget


def test_what_is_not_finished_in_time_is_not_proven() -> None:
    report = look(*_BESIDE, task("c"), _BESIDE_WAYS, budget=0.0)
    assert not report.finished
    assert rules(report) == [("not_proven", "p")]
    assert report.findings[0].severity == "error"
    assert report.findings[0].message.endswith("。")
    sound(look(*_BESIDE, task("c"), _BESIDE_WAYS))


def test_seventeen_steps_beside_each_other_are_few_states() -> None:
    steps = [f"t{number}" for number in range(17)]
    ways = flows("s > g", "j > e", *(f"g > {name} > j" for name in steps))
    report = look(start(), parallel("g"), *map(task, steps), parallel("j"), end(), ways)
    sound(report)
    assert report.states < 100


# ---------------------------------------------------------------- settings of the office, office hours


OPEN_OR_APPROVED = (
    start("s", said(field("at", "日時", "datetime"), choice("approved"))),
    exclusive("g", default="g_late"),
    task("late"),
    exclusive("h", default="h_refused"),
    task("allowed"),
    end("refused", name="不可"),
    end(),
    flows('s > g > late', 'g > e : in_office_hours(at) or approved == "yes"', "late > h > refused", 'h > allowed : approved == "yes"', "allowed > e"),
)  # fmt: skip


def test_office_hours_may_be_or_not_and_the_rest_of_the_condition_counts() -> None:
    """Whoever comes here was not approved, whatever the hour was."""
    only(look(*OPEN_OR_APPROVED), "dead_element", "allowed")


def test_a_switch_of_the_office_may_be_thrown_by_a_further_row(office: Organisation) -> None:
    """The small office has it off; what it does when it is on is proven all the same."""
    drawn = start(), exclusive("g", default="g_b"), task("a"), task("b"), end(), flows('s > g > b > e', 'g > a : setting("strict")', "a > e")  # fmt: skip
    sound(look(*drawn, **asking(office)))
    sound(look(*drawn))  # without an office it may be anything


@pytest.mark.parametrize(("most", "reached"), [("2", False), ("3", False), ("4", True), ("8", True)])
def test_a_number_is_tried_around_the_values_of_a_setting(office: Organisation, most: str, reached: bool) -> None:
    """kept_days is 3 until the end of 2026 and 7 from then on."""
    drawn = (
        start("s", said(field("count", "件数", "long", min="1", max=most, required=True))),
        exclusive("g", default="g_b"), task("a"), task("b"), end(), flows("s > g > b > e", 'g > a : count > setting("kept_days")', "a > e"),
    )  # fmt: skip
    report = look(*drawn, **asking(office))
    if reached:
        sound(report)
    else:
        only(report, "dead_element", "a")


def test_tables_read_settings_and_office_hours(office: Organisation) -> None:
    decided = tables(table("t", "count", "way", '<= setting("kept_days") | "short"', '> setting("kept_days") | "long"'),
                     table("u", "way", "when", '"short" | "at once"', '"long" | "by day" if in_office_hours(at) else "by night"'))  # fmt: skip
    drawn = (
        start("s", said(field("count", "件数", "long", required=True), field("at", "日時", "datetime"))),
        element("businessRuleTask", "t1", camunda_decisionRef="t"), element("businessRuleTask", "u1", camunda_decisionRef="u"),
        exclusive("g", default="g_z"), task("z"), task("day"), task("night"), end(),
        flows("s > t1 > u1 > g > z > e", 'g > day : when == "by day"', 'g > night : when == "by night"', "day > e", "night > e"),
    )  # fmt: skip
    sound(look(*drawn, decisions=decided, **asking(office)))


def test_a_run_that_turns_on_a_setting_is_one_that_people_could_do(office: Organisation) -> None:
    drawn = (
        start("s", said(field("count", "件数", "long", min="1", required=True))),
        parallel("f"), task("u"), exclusive("g", default="g_j"), end("x"), parallel("j"), end(),
        flows("s > f > u > j > e", "f > g > j", 'g > x : count > setting("kept_days") and setting("strict")'),
    )  # fmt: skip
    finding = only(look(*drawn, **asking(office)), "leftover_tokens", "j")
    assert run(finding) == ["start count=4", "complete u"]


def test_a_fact_may_keep_what_a_setting_said(office: Organisation) -> None:
    """Asked twice, a setting might have changed in between; kept in a fact, it is one thing."""

    def drawn(first: str, second: str) -> tuple[str, ...]:
        return (
            start("s", said(sets='strict="yes" if setting("strict") else "no"')),
            exclusive("g", default="g_b"), task("a"), task("b"), exclusive("h", default="h_c"), task("c"), task("d"), end(),
            flows("s > g > b > e", f"g > a : {first}", "a > h > c > e", f"h > d : {second}", "d > e"),
        )  # fmt: skip

    sound(look(*drawn('setting("strict")', 'setting("strict")'), **asking(office)))
    only(look(*drawn('strict == "yes"', 'strict == "yes"'), **asking(office)), "dead_element", "c")
