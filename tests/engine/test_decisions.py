"""Decision tables: cells, hit policies, required decisions, and what is refused."""

from __future__ import annotations

from collections.abc import Sequence
from xml.sax.saxutils import escape

import pytest

from engine.decisions import Decision, TableSpec, compile_decisions, read_cell
from engine.errors import DecisionAmbiguous, DefinitionRefused, ExpressionError
from engine.parsing import parse_decisions

VERSIONS = (
    "http://www.omg.org/spec/DMN/20151101/dmn.xsd",
    "https://www.omg.org/spec/DMN/20191111/MODEL/",
)


def decision(
    id: str, inputs: Sequence[str], outputs: Sequence[str], rules: Sequence[str], policy: str = "UNIQUE", needs: Sequence[str] = ()
) -> str:
    """One decision; a rule is `cell | cell => cell | cell`."""
    required = "".join(
        f'<informationRequirement id="r_{id}_{name}"><requiredDecision href="#{name}"/></informationRequirement>' for name in needs
    )
    columns = "".join(
        f'<input id="{id}_i{n}"><inputExpression id="{id}_x{n}"><text>{escape(text)}</text></inputExpression></input>'
        for n, text in enumerate(inputs)
    )
    columns += "".join(f'<output id="{id}_o{n}" name="{name}"/>' for n, name in enumerate(outputs))
    rows = ""
    for n, rule in enumerate(rules):
        left, _, right = rule.partition("=>")
        cells = "".join(
            f'<inputEntry id="{id}_c{n}_{k}"><text>{escape(cell.strip())}</text></inputEntry>'
            for k, cell in enumerate(left.split("|"))
            if inputs
        )
        cells += "".join(
            f'<outputEntry id="{id}_d{n}_{k}"><text>{escape(cell.strip())}</text></outputEntry>' for k, cell in enumerate(right.split("|"))
        )
        rows += f'<rule id="{id}_r{n}">{cells}</rule>'
    return f'<decision id="{id}" name="{id}">{required}<decisionTable id="{id}_t" hitPolicy="{policy}">{columns}{rows}</decisionTable></decision>'


def file(*decisions: str, version: str = VERSIONS[-1]) -> bytes:
    return f'<?xml version="1.0" encoding="UTF-8"?><definitions xmlns="{version}" id="d" name="d" namespace="n">{"".join(decisions)}</definitions>'.encode()


def one(*rules: str, policy: str = "UNIQUE", inputs: Sequence[str] = ("x",), outputs: Sequence[str] = ("y",)) -> Decision:
    return parse_decisions(file(decision("t", inputs, outputs, rules, policy)))[0]


@pytest.mark.parametrize("version", VERSIONS)
def test_every_supported_version_of_the_file(version):
    assert parse_decisions(file(decision("t", ["x"], ["y"], ["1 => 2"]), version=version))[0].evaluate({"x": 1}) == {"y": 2}


@pytest.mark.parametrize(
    ("cell", "yes", "no"),
    [
        ("-", [None, 1, "a"], []),
        ("", [None, 1, "a"], []),
        ('"a"', ["a"], ["b", None, ["a"]]),
        ('"a", "b"', ["a", "b"], ["c"]),
        ("null", [None], [0, "", False]),
        ("true", [True], [False, None, 1]),
        ("not(true)", [False, None], [True]),
        ('not("a", "b")', ["c", None], ["a", "b"]),
        ("not(null)", [0, "a"], [None]),
        ("> 100", [101], [100, None]),
        (">= 100", [100], [99]),
        ("< 5, > 10", [4, 11], [7]),
        ("!= 3", [4, None], [3]),
        ("[1..5]", [1, 5, 3], [0, 6, None]),
        ("]1..5[", [2], [1, 5]),
        ("(1..5]", [2, 5], [1]),
        ("[1..5], 9", [9, 1], [8]),
        ("limit", [7], [8]),
        ("> limit + 1", [9], [8]),
        ('has(?, "a")', [["a", "b"]], [["b"], None]),
        ('? == "a?" or ? == "b"', ["a?", "b"], ["a"]),
        ("not(x) and true", [True], [False, None]),  # an expression, not a negated list
    ],
)
def test_cells(cell, yes, no):
    test = read_cell(cell)
    for values, expected in ((yes, True), (no, False)):
        for value in values:
            assert (True if test is None else test(value, {"limit": 7, "x": False}, {})) is expected, value


@pytest.mark.parametrize("cell", ["yes", "> ", "a.b", '"a', "not()", "[1..]", "unknown, yes", "f(x)"])
def test_cells_that_are_refused(cell):
    with pytest.raises(ExpressionError):
        read_cell(cell)


def test_order_between_kinds_is_an_error():
    with pytest.raises(ExpressionError):
        one("> 100 => 1").evaluate({"x": "many"})


class TestHitPolicies:
    rules = ('> 1 => "low"', '> 10 => "high"')

    def test_unique(self):
        table = one(*self.rules)
        assert table.evaluate({"x": 5}) == {"y": "low"}
        assert table.evaluate({"x": 0}) == {"y": None}
        with pytest.raises(DecisionAmbiguous, match="1・2行目"):
            table.evaluate({"x": 11})

    def test_first(self):
        assert one(*self.rules, policy="FIRST").evaluate({"x": 11}) == {"y": "low"}

    def test_any(self):
        assert one('> 1 => "a"', '> 10 => "a"', policy="ANY").evaluate({"x": 11}) == {"y": "a"}
        with pytest.raises(DecisionAmbiguous):
            one(*self.rules, policy="ANY").evaluate({"x": 11})

    @pytest.mark.parametrize("policy", ["COLLECT", "RULE ORDER"])
    def test_lists(self, policy):
        table = one(*self.rules, policy=policy)
        assert table.evaluate({"x": 11}) == {"y": ["low", "high"]}
        assert table.evaluate({"x": 0}) == {"y": []}

    @pytest.mark.parametrize("policy", ["PRIORITY", "OUTPUT ORDER"])
    def test_others_are_refused(self, policy):
        with pytest.raises(DefinitionRefused, match="ヒットポリシー"):
            one(*self.rules, policy=policy)

    def test_aggregation_is_refused(self):
        with pytest.raises(DefinitionRefused, match="ヒットポリシー"):
            compile_decisions([TableSpec("t", "", "COLLECT", "SUM", (), ("y",), ())])


def test_several_inputs_outputs_and_expressions():
    table = one(
        '"a" | > 3 => b * 2 | "yes" if c else "no"', '- | - => | [1, 2]', policy="FIRST", inputs=("x", "greatest(n, m)"), outputs=("y", "z")
    )  # fmt: skip
    assert table.evaluate({"x": "a", "n": 1, "m": 4, "b": 21, "c": True}) == {"y": 42, "z": "yes"}
    assert table.evaluate({"x": "b"}) == {"y": None, "z": [1, 2]}
    assert table.outputs == ("y", "z")
    assert table.names == {"x", "n", "m", "b", "c"}
    assert table.matching({"x": "b"}) == (2,)


def test_required_decisions_come_first_and_their_outputs_are_inputs():
    tables = {
        item.id: item
        for item in parse_decisions(
            file(
                decision("last", ["base", "twice"], ["result"], ['"big" | - => twice + 1', "- | - => 0"], "FIRST", ["base", "twice"]),
                decision("base", ["n"], ["base"], ['> 10 => "big"']),
                decision("twice", [], ["twice"], ["=> n * 2"], "UNIQUE", ["base"]),
            )
        )
    }
    assert list(tables) == ["last", "base", "twice"]
    facts = {"n": 20, "base": "what a form cannot say"}
    assert tables["last"].evaluate(facts) == {"base": "big", "twice": 40, "result": 41}
    assert tables["last"].outputs == ("result",)
    assert tables["last"].names == {"n"}
    assert facts == {"n": 20, "base": "what a form cannot say"}


def test_a_single_expression_is_a_decision():
    literal = (
        '<decision id="t" name="t"><variable id="v" name="y"/><literalExpression id="l"><text>x + 1</text></literalExpression></decision>'
    )
    assert parse_decisions(file(literal))[0].evaluate({"x": 1}) == {"y": 2}


@pytest.mark.parametrize(
    ("decisions", "rule"),
    [
        ([decision("a", ["x"], ["y"], ["1 => 2"], needs=["b"])], "decision_unknown"),
        ([decision("a", ["x"], ["y"], ["1 => 2"], needs=["b"]), decision("b", ["x"], ["z"], ["1 => 2"], needs=["a"])], "decision_cycle"),
        ([decision("a", ["x.y"], ["y"], ["1 => 2"])], "expression"),
        ([decision("a", ["x"], ["y"], ["1 => open(1)"])], "expression"),
        ([decision("a", ["x"], ["y"], ["yes => 1"])], "expression"),
        ([decision("a", ["x"], ["y"], ["1 | 2 => 1"])], "dmn"),
    ],
)
def test_refused_tables(decisions, rule):
    with pytest.raises(DefinitionRefused) as raised:
        parse_decisions(file(*decisions), "t.dmn")
    assert rule in [finding.rule for finding in raised.value.findings]
    assert {finding.file for finding in raised.value.findings} == {"t.dmn"}


@pytest.mark.parametrize(
    ("data", "rule"),
    [
        (b"<definitions/>", "dmn_version"),
        (file(decision("t", ["x"], ["y"], ["1 => " + "-" * 100_000 + "1"])), "expression"),
        (file(version="http://www.omg.org/spec/DMN/20180521/MODEL/"), "dmn_version"),
        (file("<decision/>").replace(b"<decision/>", b"<what/>"), "schema"),
        (b'<!DOCTYPE x [<!ENTITY a "b">]>' + file(), "xml_unsafe"),
    ],
)
def test_refused_files(data, rule):
    with pytest.raises(DefinitionRefused) as raised:
        parse_decisions(data)
    assert raised.value.findings[0].rule == rule


def test_an_unanswered_fact_is_unknown_not_no():
    """法68条の表のように、未回答は「不明」であって「いいえ」ではない。"""
    table = one('"yes" => "yes"', '"no" => "no"', '"unknown" => "review"', inputs=("either(sensitive, over(count, 1000))",))
    assert table.evaluate({"sensitive": "no", "count": 3}) == {"y": "no"}
    assert table.evaluate({"sensitive": "no"}) == {"y": "review"}
    assert table.evaluate({"sensitive": "yes"}) == {"y": "yes"}
