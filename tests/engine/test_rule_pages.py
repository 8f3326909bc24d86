"""Every rule that can refuse a diagram has a page in docs/rules, and the examples on the pages are refused and accepted as they say.

How a page is written stands at the top of docs/rules/README.md.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from datetime import date
from functools import cache
from pathlib import Path

import pytest

from engine import checker, load_organisation, parsing
from engine.definitions import neighbours
from engine.deploy_check import check
from engine.errors import DefinitionRefused, Finding
from engine.limits import DEFAULT, Limits, lowered
from engine.net import Net
from engine.organisation import Organisation
from engine.parsing import examine, parse_tables
from engine.rules import Duty, Property
from tests.engine.drawing import DECLARED, HEAD, diagram, end, flows, start
from tests.support import write_offices

ROOT = Path(__file__).resolve().parents[2]
PAGES = ROOT / "docs" / "rules"
#: Modules whose rules refuse a diagram or table. What reads an office's folder reports under rules of its own (`tadachi organisation check`).
MODULES = (
    "xml_safety", "xml_schema", "parsing", "gate", "gate_check", "gate_elements", "gate_bundle", "gate_extensions", "gate_tables", "decisions", "deploy_check", "deploy_services",
    "ledger_check",
    *(f"checker/{path.stem}" for path in sorted((ROOT / "engine" / "checker").glob("*.py"))),
)  # fmt: skip

_FRONT = re.compile(r"---\n(.*?)\n---\n", re.DOTALL)
_BLOCK = re.compile(r"```(xml|dmn) (fail|pass)([^\n]*)\n(.*?)\n```", re.DOTALL)


@dataclass(frozen=True)
class Example:
    """The files of one example, and what the office asks of them."""

    files: Mapping[str, bytes]
    element: str
    limits: Limits
    seconds: float = checker.BUDGET


@dataclass(frozen=True)
class Page:
    """One page."""

    rule: str
    stage: str
    severity: str
    text: str

    def example(self, kind: str) -> Example:
        """All blocks of one kind are one example."""
        files: dict[str, bytes] = {}
        element, limits, seconds = "", DEFAULT, checker.BUDGET
        for language, wanted, options, body in _BLOCK.findall(self.text):
            if wanted != kind:
                continue
            given = dict(option.split("=", 1) for option in options.split())
            name = given.get("file", "p.bpmn" if language == "xml" else "t.dmn")
            files[name] = _whole(body, name).encode(given.get("encoding", "utf-8"))
            element = given.get("element", element).strip('"')
            if "limits" in given:
                key, _, value = given["limits"].partition(":")
                limits, wrong = lowered({key: int(value)})
                assert not wrong
            seconds = float(given.get("seconds", seconds))
        return Example(files, element, limits, seconds)


def _whole(body: str, name: str) -> str:
    """An inner part of a process gets the process around it."""
    if body.startswith(("<?xml", "<bpmn:definitions", "<definitions")):
        return body
    head = HEAD.replace("<bpmn:definitions ", '<bpmn:definitions xmlns:color="http://example.jp/color" ')
    own = "p" if name in ("p.bpmn", "a.bpmn", "b.bpmn") else name.removesuffix(".bpmn")
    return f'{head}{DECLARED}<bpmn:process id="{own}" name="申請の手続" isExecutable="true">\n{body}\n</bpmn:process></bpmn:definitions>'


@cache
def pages() -> dict[str, Page]:
    """Every page by its file's name."""
    found = {}
    for path in sorted(PAGES.glob("*.md")):
        if path.name == "README.md":
            continue
        text = path.read_text(encoding="utf-8")
        front = _FRONT.match(text)
        assert front, path
        given = dict(line.split(": ", 1) for line in front[1].splitlines())
        found[path.stem] = Page(given["rule"], given["stage"], given["severity"], text)
    return found


# ---------------------------------------------------------------- how each stage is run


def read_diagrams(example: Example, _office: Organisation) -> list[Finding]:
    """Stages xml, schema, diagram, bundle."""
    return list(examine(example.files, "p", None, example.limits)[1])


def read_tables(example: Example, _office: Organisation) -> list[Finding]:
    """Stage tables."""
    try:
        parse_tables(example.files, example.limits)
    except DefinitionRefused as refused:
        return list(refused.findings)
    return []


def ask_the_office(example: Example, office: Organisation) -> list[Finding]:
    """Stage office: what a sound diagram names, against the small office of tests/support.py."""
    net, findings = examine(example.files, "p", None, example.limits)
    assert net is not None, findings
    return [*findings, *check(net, parse_tables(example.files, example.limits), office, neighbours(office))]


DAY = date(2026, 11, 16)
#: What the small office demands of the checker's examples. Each turns on facts, steps or seats that only the page about it has.
DUTIES = (Duty("C-3", "確認の記録", 'duty == "yes"', "", ("C-3",), ("p",), DAY),)
PROPERTIES = (
    Property("second", "before_end", "再確認", "試験規程第5条", ("p",), DAY, when="refund > 100", steps=("second_check",)),
    Property("apart", "never_same_person", "起案と決裁", "試験規程第6条", ("p",), DAY, steps=("draft_letter", "decide_letter")),
    Property("seats", "seats", "席", "試験規程第7条", ("p",), DAY),
)  # fmt: skip


def explore(example: Example, office: Organisation) -> list[Finding]:
    """Stage checker: every state of a diagram that passed the gate; one without a default flow can only have been stored before."""
    net, findings = examine(example.files, "p", None, example.limits)
    if net is None:
        assert {finding.rule for finding in findings} == {"default_missing"}, findings
        net, _ = examine(example.files, "p", None, example.limits, admitted=True)
    assert net is not None
    asking = replace(office, rules=replace(office.rules, derived=(), duties=DUTIES, properties=PROPERTIES))
    tables = parse_tables(example.files, example.limits)
    return list(checker.check(net, tables, asking, on=DAY, budget=example.seconds).findings)


#: stage of a page -> what runs its examples.
RUNNERS: dict[str, Callable[[Example, Organisation], list[Finding]]] = {
    "xml": read_diagrams,
    "schema": read_diagrams,
    "diagram": read_diagrams,
    "bundle": read_diagrams,
    "tables": read_tables,
    "office": ask_the_office,
    "checker": explore,
}
#: The one page without examples: what it tells of would be a gap in the other rules. Its test is below.
WITHOUT_EXAMPLES = {"library"}


@pytest.fixture(scope="module")
def office(tmp_path_factory: pytest.TempPathFactory) -> Organisation:
    return load_organisation(write_offices(tmp_path_factory.mktemp("offices")) / "office")


@pytest.mark.parametrize("name", sorted(pages().keys() - WITHOUT_EXAMPLES))
def test_the_examples_of_a_page_are_true(name: str, office: Organisation) -> None:
    page = pages()[name]
    assert page.rule == name
    assert page.stage in RUNNERS, f"no runner for stage {page.stage}"
    run = RUNNERS[page.stage]
    failing = page.example("fail")
    found = run(failing, office)
    assert {finding.rule for finding in found} == {name}, found
    assert {finding.severity for finding in found} == {page.severity}
    elements = {finding.element.rpartition("/")[2] for finding in found}
    assert elements == {failing.element}, found
    assert all(finding.message.endswith("。") for finding in found), found
    passing = page.example("pass")
    assert passing.files
    assert run(passing, office) == []


@pytest.mark.parametrize("name", sorted(pages()))
def test_a_page_says_what_why_and_how(name: str) -> None:
    text = pages()[name].text
    assert re.search(rf"^# .+（`{name}`）$", text, re.MULTILINE)
    for part in ("**何が問題か**", "**なぜ**", "**直し方**"):
        assert len(text.partition(part)[2].split("\n")[0].strip()) > 5, part


def test_what_the_library_refuses_or_loses_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    """読み取れない要素が黙って消えてはならない。"""
    data = {"p.bpmn": diagram(start(), end(), flows("s > e"))}
    lost = parsing._process

    def forgetful(*given: object) -> object:
        made = lost(*given)
        return type(made)(**{**{name: getattr(made, name) for name in made.__slots__}, "flows": ()})

    monkeypatch.setattr(parsing, "_process", forgetful)
    net, findings = examine(data, "p")
    assert net is None
    assert [(finding.rule, finding.element, finding.file) for finding in findings] == [("library", "s_e", "p.bpmn")]

    def crash(*_: object) -> Net:
        raise KeyError("x")

    monkeypatch.setattr(parsing, "_read_diagram", crash)
    assert [finding.rule for finding in examine(data, "p")[1]] == ["library"]


# ---------------------------------------------------------------- pages and code


def rules_of(source: str) -> Iterator[str]:
    """Every rule id that a module names: first of a Finding, of a call that makes one, or of a pair (rule, Japanese message); or what a variable
    `rule` can be."""
    for node in ast.walk(ast.parse(source)):
        given: list[ast.expr] = []
        if isinstance(node, ast.Call):
            called = node.func.attr if isinstance(node.func, ast.Attribute) else getattr(node.func, "id", "")
            if called in ("Finding", "find", "finding", "refuse", "_unknown", "Verdict", "Demand"):
                given = [*node.args[:1], *(keyword.value for keyword in node.keywords if keyword.arg == "rule")]
        elif isinstance(node, ast.Assign) and any(isinstance(target, ast.Name) and target.id == "rule" for target in node.targets):
            given = [part for part in ast.walk(node.value) if isinstance(part, ast.Constant)]
        elif isinstance(node, ast.Tuple) and len(node.elts) == 2:
            second = "".join(
                part.value for part in ast.walk(node.elts[1]) if isinstance(part, ast.Constant) and isinstance(part.value, str)
            )
            if "。" in second:
                given = node.elts[:1]
        for item in given:
            if isinstance(item, ast.Constant) and isinstance(item.value, str) and re.fullmatch(r"[a-z]+(_[a-z]+)*", item.value):
                yield item.value


def test_every_rule_has_a_page_and_every_page_a_rule() -> None:
    emitted = {rule for module in MODULES for rule in rules_of((ROOT / "engine" / f"{module}.py").read_text(encoding="utf-8"))}
    assert emitted - pages().keys() == set(), "rules without a page"
    assert pages().keys() - emitted == set(), "pages without a rule"


def test_the_index_lists_every_page_once() -> None:
    index = (PAGES / "README.md").read_text(encoding="utf-8")
    assert sorted(re.findall(r"\]\((\w+)\.md\)", index)) == sorted(pages())


def test_the_scan_sees_every_way_of_naming_a_rule() -> None:
    source = (
        'Finding("one_a", "x")\nFinding(rule="two_b", message="x")\nself.find("three_c", "x")\nraise refuse("four_d", f"x")\n'
        'yield _unknown("five_e", "x")\nyield "six_f", f"{name}は使えません。"\nT = {"scriptTask": ("seven_g", "使えません。")}\nother("no_rule", 1)\n'
        'yield Verdict("eight_h", message, node)\nrule = "nine_i" if x else "ten_j"\nDemand("zero_k", "x")\n'
    )
    assert sorted(rules_of(source)) == [
        "eight_h",
        "five_e",
        "four_d",
        "nine_i",
        "one_a",
        "seven_g",
        "six_f",
        "ten_j",
        "three_c",
        "two_b",
        "zero_k",
    ]
