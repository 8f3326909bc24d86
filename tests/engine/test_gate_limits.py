"""Limits can only be lowered, and no input up to the size limit costs the static rules more than two seconds or a hundred megabytes.

Each large input is checked in a process of its own, with the kernel's limits on its processor time and memory.
"""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable
from dataclasses import fields
from itertools import pairwise
from pathlib import Path

import pytest

from engine.errors import DefinitionRefused
from engine.limits import DEFAULT, Limits, lowered
from engine.parsing import examine, parse_bundle, parse_decisions, process_ids
from tests.engine.drawing import (
    DECLARED,
    HEAD,
    boundary,
    call,
    catch,
    diagram,
    end,
    exclusive,
    flows,
    inclusive,
    multi,
    parallel,
    start,
    sub,
    timer,
    user,
)

ROOT = Path(__file__).resolve().parents[2]
CPU_SECONDS, MEGABYTES = 2.0, 100

DMN = '<definitions xmlns="https://www.omg.org/spec/DMN/20191111/MODEL/" id="d" name="表" namespace="t">{}</definitions>'


def table(own: str, rows: int, columns: int, cell: Callable[[int, int], str], *, policy: str = "FIRST", requires: str = "") -> str:
    """A decision table; cells by row and column."""
    head = "".join(
        f'<input id="{own}i{c}"><inputExpression id="{own}e{c}"><text>x{c}</text></inputExpression></input>' for c in range(columns)
    )
    body = "".join(
        f'<rule id="{own}r{r}">'
        + "".join(f'<inputEntry id="{own}r{r}c{c}"><text>{cell(r, c)}</text></inputEntry>' for c in range(columns))
        + f'<outputEntry id="{own}r{r}o"><text>1</text></outputEntry></rule>'
        for r in range(rows)
    )
    inside = f'<decisionTable id="{own}t" hitPolicy="{policy}">{head}<output id="{own}o" name="y"/>{body}</decisionTable>'
    return f'<decision id="{own}" name="{own}">{requires}{inside}</decision>'


def dmn(*decisions: str) -> bytes:
    return DMN.format("".join(decisions)).encode()


def raw(inside: str) -> bytes:
    """A file whose process is written as it is."""
    return f'{HEAD}{DECLARED}<bpmn:process id="p" isExecutable="true">{inside}</bpmn:process></bpmn:definitions>'.encode()


def fill(unit: str, around: int = 20_000, most: int = 1_000_000) -> str:
    """A text repeated up to the size limit, each `~` in it replaced by the number of the repetition."""
    count = min(most, (DEFAULT.xml_bytes - around) // (len(unit.encode()) + 5 * unit.count("~")))
    before, *after = unit.split("~")
    return "".join(f"{before}{number}{str(number).join(after)}" for number in range(count)) if after else unit * count


def stages(number: int, gateway: Callable[[str], str]) -> tuple[str, ...]:
    """Gateways in a row, each joined to the next by many flows."""
    names = [f"g{place}" for place in range(number)]
    ways = [f"{one} > {two}" for one, two in pairwise(names) for _ in range(3)]
    return (start(), *(gateway(name) for name in names), end(), flows(f"s > {names[0]}", *ways, f"{names[-1]} > e"))


def doubling(depth: int) -> dict[str, bytes]:
    """Each process calls the next one twice."""
    files = {}
    for place in range(depth):
        one = "p" if not place else f"p{place}"
        files[f"{one}.bpmn"] = diagram(
            start(), call("a", f"p{place + 1}"), call("b", f"p{place + 1}"), end(), flows("s > a > b > e"), id=one
        )
    files["last.bpmn"] = diagram(start(), user("u"), end(), flows("s > u > e"), id=f"p{depth}")
    return files


def deep(number: int) -> str:
    inside = start("s_") + end("e_") + flows("s_ > e_")
    for place in range(number):
        inside = start(f"s{place}") + sub(f"w{place}", inside) + end(f"e{place}") + flows(f"s{place} > w{place} > e{place}")
    return inside


def one_file(data: bytes) -> tuple[str, dict[str, bytes]]:
    return "bpmn", {"p.bpmn": data}


def long_expressions() -> str:
    """As many conditions as fit, each as long and as branched as the language allows."""
    text = "+".join(["a"] * 49) + " == ~"
    return (
        start()
        + exclusive("g", default="g_e")
        + end()
        + flows("s > g", "g > e")
        + fill(
            f'<bpmn:sequenceFlow id="f~" sourceRef="g" targetRef="e"><bpmn:conditionExpression>{text}</bpmn:conditionExpression></bpmn:sequenceFlow>'
        )
    )


def expressions_within_limits() -> tuple[str, ...]:
    """As much text of expressions as a diagram may have, in different ones."""
    text = " + ".join(["a"] * 40)
    return (
        start(),
        exclusive("g", default="g_e"),
        end(),
        flows("s > g > e"),
        *(flows(f"g > e : {text} == {number}").replace('id="g_e"', f'id="f{number}"') for number in range(340)),
    )


def unknown_facts() -> tuple[str, ...]:
    """As many declared fields, and as many expressions with misspelt ones, as a diagram may have."""
    fields = [f'<camunda:formField id="fact_{n}" label="x" type="string"/>' for n in range(16_000)]
    forms = [
        f"<bpmn:extensionElements><camunda:formData>{''.join(fields[n * 160 : n * 160 + 160])}</camunda:formData></bpmn:extensionElements>"
        for n in range(100)
    ]
    names = ["s", *(f"u{n}" for n in range(100)), "g"]
    return (
        start(),
        *(user(f"u{n}", form) for n, form in enumerate(forms)),
        exclusive("g", default="g_e"),
        end(),
        flows(" > ".join(names), "g > e"),
        *(flows(f"g > e : {' + '.join(f'fect_{n}{k}' for k in range(6))} == 1").replace('id="g_e"', f'id="f{n}"') for n in range(700)),
    )


CASES: dict[str, Callable[[], tuple[str, object]]] = {
    "flows": lambda: one_file(raw(fill('<bpmn:sequenceFlow id="f~" sourceRef="a" targetRef="b"/>'))),
    "flows of one step": lambda: one_file(
        raw(start() + user("a") + end() + fill('<bpmn:sequenceFlow id="f~" sourceRef="a" targetRef="a"/>'))
    ),
    "thousand flows": lambda: one_file(diagram(*stages(300, parallel))),
    "inclusive stages": lambda: one_file(diagram(*stages(290, inclusive))),
    "parallel branches": lambda: one_file(
        raw(start() + parallel("g") + end() + fill('<bpmn:userTask id="u~"/><bpmn:sequenceFlow id="f~" sourceRef="g" targetRef="u~"/>'))
    ),
    "297 parallel branches": lambda: one_file(
        diagram(
            start(),
            parallel("g"),
            parallel("j"),
            *(user(f"u{n}") for n in range(296)),
            end(),
            flows("s > g", "j > e", *(f"g > u{n} > j" for n in range(296))),
        )
    ),
    "tasks": lambda: one_file(raw(fill('<bpmn:userTask id="u~"/>'))),
    "attributes of one element": lambda: one_file(raw("<bpmn:task id='a' " + fill(' a~=""') + "/>")),
    "foreign attributes": lambda: one_file(raw("<bpmn:task id='a' " + fill(' camunda:a~=""') + "/>")),
    "tasks with many attributes": lambda: one_file(
        raw(start() + fill("<bpmn:task id='a~' " + "".join(f' camunda:a{n}=""' for n in range(190)) + "/>", most=300))
    ),
    "attributes with blanks": lambda: one_file(raw("<bpmn:task id='a' " + fill(' a~=" x "', most=59_000) + "/>")),
    "namespaces": lambda: one_file(raw("<bpmn:task id='a' " + fill(' xmlns:a~="u~"') + "/>")),
    "empty elements": lambda: one_file(raw(fill("<a/>"))),
    "unknown elements": lambda: one_file(raw(fill("<bpmn:x/>"))),
    "wrong attributes": lambda: one_file(raw(fill('<bpmn:task k="1"/>'))),
    "unknown elements, fewer": lambda: one_file(raw(fill("<bpmn:x/>", most=29_000))),
    "wrong attributes, fewer": lambda: one_file(raw(fill('<bpmn:task k="1" l="2"/>', most=29_000))),
    "the same id, less often": lambda: one_file(raw(fill('<bpmn:task id="a"/>', most=29_000))),
    "flows, fewer": lambda: one_file(raw(fill('<bpmn:sequenceFlow id="f~" sourceRef="a" targetRef="b"/>', most=29_000))),
    "tasks, fewer": lambda: one_file(raw(start() + fill('<bpmn:userTask id="u~"/>', most=29_000))),
    "listeners": lambda: one_file(
        raw(
            start()
            + "<bpmn:userTask id='a'><bpmn:extensionElements>"
            + fill("<camunda:taskListener/>", most=29_000)
            + "</bpmn:extensionElements></bpmn:userTask>"
        )
    ),
    "scripts": lambda: one_file(raw(start() + fill('<bpmn:scriptTask id="u~"/>', most=29_000))),
    "attributes, fewer": lambda: one_file(raw("<bpmn:task id='a' " + fill(' camunda:a~=""', most=59_000) + "/>")),
    "the same id": lambda: one_file(raw(fill('<bpmn:task id="a"/>'))),
    "the same id in the layout": lambda: one_file(
        diagram(start(), end(), flows("s > e")).replace(
            b"</bpmn:definitions>",
            (
                '<d:BPMNDiagram xmlns:d="http://www.omg.org/spec/BPMN/20100524/DI"><d:BPMNPlane>'
                + fill('<d:BPMNShape id="a"/>')
                + "</d:BPMNPlane></d:BPMNDiagram></bpmn:definitions>"
            ).encode(),
        )
    ),
    "layout beside 290 steps": lambda: one_file(
        diagram(
            start(), *(user(f"u{n}") for n in range(290)), end(), flows(" > ".join(["s", *(f"u{n}" for n in range(290)), "e"]))
        ).replace(
            b"</bpmn:definitions>",
            (
                '<d:BPMNDiagram xmlns:d="http://www.omg.org/spec/BPMN/20100524/DI"><d:BPMNPlane>'
                + fill('<d:BPMNShape id="z~" bpmnElement="u~"/>', 200_000)[:1_500_000].rpartition("<")[0]
                + "</d:BPMNPlane></d:BPMNDiagram></bpmn:definitions>"
            ).encode(),
        )
    ),
    "text": lambda: one_file(raw("<bpmn:documentation>" + fill("あ") + "</bpmn:documentation>")),
    "documentations": lambda: one_file(raw(fill("<bpmn:documentation>x</bpmn:documentation>"))),
    "character references": lambda: one_file(raw("<bpmn:documentation>" + fill("&#65;") + "</bpmn:documentation>")),
    "a long id": lambda: one_file(diagram(start(), user("a" * 1_900_000), end(), flows("s > e"))),
    "nesting": lambda: one_file(raw("<bpmn:extensionElements>" + "<a>" * 200_000 + "</a>" * 200_000 + "</bpmn:extensionElements>")),
    "sub-processes in each other": lambda: one_file(raw(deep(50))),
    "processes": lambda: one_file(
        (
            HEAD
            + fill('<bpmn:process id="p~"><bpmn:startEvent id="s~"/><bpmn:callActivity id="c~" calledElement="p"/></bpmn:process>')
            + "</bpmn:definitions>"
        ).encode()
    ),
    "calls that double": lambda: ("bpmn", doubling(40)),
    "calls in a row": lambda: (
        "bpmn",
        {f"{n}.bpmn": diagram(start(), call("c", f"p{n + 1}"), end(), flows("s > c > e"), id=f"p{n}" if n else "p") for n in range(300)},
    ),
    "messages": lambda: one_file(
        raw(start() + "".join(catch(f"c{n}", '<bpmn:messageEventDefinition messageRef="m_go"/>') for n in range(290))).replace(
            b"<bpmn:message ", (fill('<bpmn:message id="k~" name="n"/>', 150_000) + "<bpmn:message ").encode(), 1
        )
    ),
    "boundary events": lambda: one_file(
        diagram(
            start(), user("a"), end(), flows("s > a > e"), *(boundary(f"b{n}", "a", timer("P1D")) + flows(f"b{n} > e") for n in range(296))
        )
    ),
    "event-based gateways": lambda: one_file(
        raw(
            start()
            + "".join(f'<bpmn:eventBasedGateway id="g{n}"/>' for n in range(250))
            + "".join(catch(f"c{n}", timer("P1D")) for n in range(40))
            + "".join(f'<bpmn:sequenceFlow id="f{n}" sourceRef="g{n % 250}" targetRef="c{n % 40}"/>' for n in range(900))
        )
    ),
    "conditions": lambda: one_file(raw(long_expressions())),
    "expressions within the limits": lambda: one_file(diagram(*expressions_within_limits())),
    "form fields": lambda: one_file(
        raw(
            start(
                "s",
                "<bpmn:extensionElements><camunda:formData>"
                + fill('<camunda:formField id="f~" type="string"/>')
                + "</camunda:formData></bpmn:extensionElements>",
            )
        )
    ),
    "choices": lambda: one_file(
        raw(
            start(
                "s",
                "<bpmn:extensionElements><camunda:formData><camunda:formField id='f' type='enum'>"
                + fill('<camunda:value id="f~"/>')
                + "</camunda:formField></camunda:formData></bpmn:extensionElements>",
            )
        )
    ),
    "properties": lambda: one_file(
        raw(
            start(
                "s",
                "<bpmn:extensionElements><camunda:properties>"
                + fill('<camunda:property name="sets" value="a=1"/>')
                + "</camunda:properties></bpmn:extensionElements>",
            )
        )
    ),
    "a list of ways back": lambda: one_file(
        diagram(
            start(),
            user("b"),
            user(
                "a",
                f'<bpmn:extensionElements><camunda:properties><camunda:property name="send_back_to" value="{"b," * 900_000}"/></camunda:properties></bpmn:extensionElements>',
            ),
            end(),
            flows("s > b > a > e"),
        )
    ),
    "misspelt properties": lambda: one_file(
        raw(
            start(
                "s",
                "<bpmn:extensionElements><camunda:properties>"
                + fill('<camunda:property name="claus~" value="a"/>', most=28_000)
                + "</camunda:properties></bpmn:extensionElements>",
            )
        )
    ),
    "misspelt properties of a field": lambda: one_file(
        raw(
            start(
                "s",
                "<bpmn:extensionElements><camunda:formData><camunda:formField id='f' type='string'><camunda:properties>"
                + fill('<camunda:property id="hel~" value="a"/>', most=28_000)
                + "</camunda:properties></camunda:formField></camunda:formData></bpmn:extensionElements>",
            )
        )
    ),
    "a list of unknown ways back": lambda: one_file(
        diagram(
            start(),
            *(user(f"b{n}") for n in range(200)),
            user(
                "a",
                "<bpmn:extensionElements><camunda:properties>"
                f'<camunda:property name="send_back_to" value="{",".join(f"b{n}x" for n in range(200_000))}"/>'
                "</camunda:properties></bpmn:extensionElements>",
            ),
            end(),
            flows(" > ".join(["s", *(f"b{n}" for n in range(200)), "a", "e"])),
        )
    ),
    "a list of sets": lambda: one_file(
        diagram(
            start(),
            user(
                "a",
                f'<bpmn:extensionElements><camunda:properties><camunda:property name="sets" value="{"b=1," * 400_000}"/></camunda:properties></bpmn:extensionElements>',
            ),
            end(),
            flows("s > a > e"),
        )
    ),
    "candidate groups": lambda: one_file(
        diagram(start(), user("a").replace("staff@owning_unit", "a@b," * 400_000), end(), flows("s > a > e"))
    ),
    "huge numbers": lambda: one_file(
        diagram(start(), user("a", multi(times="9" * 900)), catch("c", timer("P" + "9" * 100_000 + "D")), end(), flows("s > a > c > e"))
    ),
    "cells": lambda: ("dmn", dmn(table("t", 1_000, 9, lambda r, c: f"&gt;{r}"))),
    "different cells": lambda: ("dmn", dmn(table("t", 300, 9, lambda r, c: f'[{r}..{r + c}], "{r}x{c}"'))),
    "too many cells": lambda: ("dmn", dmn(table("t", 400, 40, lambda r, c: f"{r}"))),
    "rows to compare": lambda: ("dmn", dmn(table("t", 400, 20, lambda r, c: "-" if c < 19 else str(r), policy="UNIQUE"))),
    "values of one cell": lambda: ("dmn", dmn(table("t", 1, 1, lambda r, c: ",".join(str(n) for n in range(240_000))))),
    "values of cells": lambda: ("dmn", dmn(table("t", 220, 2, lambda r, c: ",".join(str(r * 500 + n) for n in range(20))))),
    "branched cells": lambda: ("dmn", dmn(table("t", 600, 1, lambda r, c: "+".join(["?"] * 45) + f"&gt;{r}"))),
    "many decisions": lambda: ("dmn", dmn(*(table(f"t{n}", 1, 1, lambda r, c: "1") for n in range(1_500)))),
    "decisions of two hundred": lambda: ("dmn", dmn(*(table(f"t{n}", 2, 1, lambda r, c: str(r)) for n in range(200)))),
    "a broken table that many need": lambda: (
        "dmn",
        dmn(
            table("t0", 900, 5, lambda r, c: "a.b"),
            *(
                table(
                    f"t{n}",
                    1,
                    1,
                    lambda r, c: "1",
                    requires='<informationRequirement id="q#"><requiredDecision href="#t0"/></informationRequirement>'.replace(
                        "q#", f"q{n}"
                    ),
                )
                for n in range(1, 199)
            ),
        ),
    ),
    "decisions that double": lambda: (
        "dmn",
        dmn(
            *(
                f'<decision id="t{n}" name="t"><variable id="v{n}" name="y{n}"/>'
                + "".join(
                    f'<informationRequirement id="q{n}x{k}"><requiredDecision href="#t{k}"/></informationRequirement>'
                    for k in range(max(n - 3, 0), n)
                )
                + f'<literalExpression id="l{n}"><text>1</text></literalExpression></decision>'
                for n in range(190)
            )
        ),
    ),
    "facts nobody knows": lambda: ("office", {"p.bpmn": diagram(*unknown_facts())}),
    "wrong attributes of a table, fewer": lambda: ("dmn", dmn(fill('<inputData id="i~" k="1"/>', most=29_000))),
    "wrong attributes of a table": lambda: ("dmn", dmn(fill('<inputData id="i~" k="1"/>'))),
    "the same id in a table": lambda: ("dmn", dmn(fill('<inputData id="i" name="n"/>'))),
}


WORKER = """
import gc, resource, sys
from pathlib import Path
resource.setrlimit(resource.RLIMIT_CPU, (30, 30))
from tests.engine.test_gate_limits import CASES, ROOT
from engine import load_organisation
from engine.deploy_check import check
from engine.errors import DefinitionRefused
from engine.parsing import parse_bundle, parse_decisions, process_ids

OFFICE = load_organisation(ROOT / "bpmn/isa")

def high_water():
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith("VmHWM")) / 1024

def look(kind, data):
    try:
        if kind == "office":
            findings = list(check(parse_bundle(data, "p"), {}, OFFICE))
            return f"{len(findings)} {','.join(sorted({finding.rule for finding in findings}))}"
        if kind == "bpmn":
            for file in data.values():
                process_ids(file)
            parse_bundle(data, "p")
        else:
            parse_decisions(data)
    except DefinitionRefused as refused:
        return f"{len(refused.findings)} {','.join(sorted({finding.rule for finding in refused.findings}))}"
    return "0 accepted"

parse_bundle({"h.bpmn": (ROOT / "tests/engine/diagrams/handling.bpmn").read_bytes()}, "office_handling")
parse_decisions((ROOT / "bpmn/isa/gravity.dmn").read_bytes())
for name in sys.argv[1:]:
    kind, data = CASES[name]()
    assert all(len(file) <= 2 * 1024 * 1024 for file in ([data] if kind == "dmn" else data.values())), name
    gc.collect()
    Path("/proc/self/clear_refs").write_text("5")
    before, spent = high_water(), resource.getrusage(resource.RUSAGE_SELF)
    answer = look(kind, data)
    after = resource.getrusage(resource.RUSAGE_SELF)
    seconds = after.ru_utime + after.ru_stime - spent.ru_utime - spent.ru_stime
    print(f"{name}|{seconds:.3f}|{high_water() - before:.1f}|{answer}", flush=True)
"""


def run(*names: str) -> list[tuple[str, float, float, str]]:
    """What each case cost in a process of its own: name, processor seconds, megabytes, number of findings and rules."""
    done = subprocess.run(
        [sys.executable, "-c", WORKER, *names],
        check=False,
        capture_output=True,
        text=True,
        timeout=120,
        cwd=ROOT,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
    )
    assert done.returncode == 0, done.stderr[-2000:]
    rows = [line.split("|") for line in done.stdout.splitlines()]
    return [(name, float(seconds), float(megabytes), answer) for name, seconds, megabytes, answer in rows]


@pytest.mark.parametrize("names", [list(CASES)[place::4] for place in range(4)], ids=range(4))
def test_no_input_up_to_the_size_limit_is_costly(names: list[str]) -> None:
    results = run(*names)
    assert [name for name, *_ in results] == names
    assert [row for row in results if row[1] > CPU_SECONDS or row[2] > MEGABYTES] == []
    assert [row for row in results if int(row[3].split()[0]) > DEFAULT.findings] == []
    accepted = {name for name, _, _, answer in results if answer == "0 accepted"}
    assert accepted == ACCEPTED & set(names)


#: Large, and allowed.
ACCEPTED = {
    "297 parallel branches",
    "boundary events",
    "sub-processes in each other",
    "expressions within the limits",
    "cells",
    "different cells",
    "rows to compare",
    "values of cells",
    "branched cells",
    "decisions of two hundred",
    "decisions that double",
}


# ---------------------------------------------------------------- limits


def test_limits_can_be_lowered_and_not_raised() -> None:
    given = {"nodes": 20, "flows": 5_000, "form_fields": 0, "instances": True, "xml_depth": "3", "size": 1}
    limits, wrong = lowered(given)
    assert limits == Limits(nodes=20)
    assert [rule for rule, _ in wrong] == ["out-of-range"] * 4 + ["unknown-key"]
    assert [name for name in given if any(f"「{name}」" in message for _, message in wrong)] == [
        "flows",
        "form_fields",
        "instances",
        "xml_depth",
        "size",
    ]
    assert lowered({"nodes": 21}, limits) == (limits, lowered({"nodes": 21}, limits)[1])
    assert lowered({}) == (DEFAULT, ())


def test_every_limit_has_a_name_a_unit_and_is_used() -> None:
    """打ち間違いで、どこでも使われない上限が残ってはならない。"""
    sources = "".join(path.read_text() for path in (ROOT / "engine").glob("*.py") if path.name != "limits.py")
    for item in fields(Limits):
        assert item.metadata["label"] and item.metadata["unit"]
        assert f"limits.{item.name}" in sources or f'"{item.name}"' in sources, item.name
        assert DEFAULT.label(item.name) in DEFAULT.exceeded(item.name, 3)


def refusals(data: bytes, **limits: int) -> set[str]:
    """The rules that refuse a diagram under lowered limits, all of which it keeps by default."""
    assert parse_bundle({"p.bpmn": data}, "p")
    net, findings = examine({"p.bpmn": data}, "p", None, lowered(limits)[0])
    assert net is None
    return {finding.rule for finding in findings}


FIELD = '<camunda:formField id="{}" label="項目" type="enum"><camunda:value id="x" name="甲"/><camunda:value id="y" name="乙"/></camunda:formField>'
FORM = f"<bpmn:extensionElements><camunda:formData>{FIELD.format('one')}{FIELD.format('two')}</camunda:formData></bpmn:extensionElements>"


@pytest.mark.parametrize(
    ("limits", "rule"),
    [
        ({"xml_bytes": 500}, "xml_size"),
        ({"xml_elements": 10}, "xml_size"),
        ({"xml_attributes": 20}, "xml_size"),
        ({"element_attributes": 2}, "xml_size"),
        ({"xml_depth": 3}, "xml_depth"),
        ({"nodes": 4}, "too_many_nodes"),
        ({"flows": 4}, "too_many_nodes"),
        ({"nodes_with_calls": 4}, "too_many_nodes"),
        ({"instances": 2}, "multi_count"),
        ({"identifier": 3}, "text_too_long"),
        ({"name": 1}, "text_too_long"),
        ({"form_fields": 1}, "form_field"),
        ({"choices": 1}, "form_field"),
        ({"expression_length": 8}, "expression"),
        ({"expression_nodes": 4}, "expression"),
        ({"expressions_length": 8}, "too_many_nodes"),
    ],
)
def test_a_lowered_limit_holds(limits: dict[str, int], rule: str) -> None:
    data = diagram(
        start("s", FORM),
        user("step", multi(times="3")),
        exclusive("g", default="g_e"),
        user("back"),
        end(),
        flows("s > step > g > e", 'g > back : one == "x"', "back > e"),
    )
    assert refusals(data, **limits) == {rule}


def test_a_lowered_limit_on_tables_holds() -> None:
    data = dmn(table("t", 3, 2, lambda r, c: str(r)), table("u", 1, 1, lambda r, c: "1"))
    assert parse_decisions(data)
    for name, value in (("decisions", 1), ("table_rows", 2), ("table_columns", 2), ("table_cells", 5), ("expressions_length", 5)):
        with pytest.raises(DefinitionRefused) as raised:
            parse_decisions(data, "t.dmn", lowered({name: value})[0])
        assert {finding.rule for finding in raised.value.findings} == {"dmn_size"}, name


def test_a_bundle_in_force_still_loads_after_a_limit_was_lowered() -> None:
    """上限を下げても、動いている案件の版は読める。"""
    data = diagram(start(), user("a"), end(), flows("s > a > e"))
    assert parse_bundle({"p.bpmn": data}, "p", None, lowered({"nodes": 2})[0], admitted=True) == parse_bundle({"p.bpmn": data}, "p")


def test_a_file_with_a_thousand_processes_is_refused_before_each_is_checked() -> None:
    with pytest.raises(DefinitionRefused):
        process_ids((HEAD + "".join(f'<bpmn:process id="p{n}"/>' for n in range(1_000)) + "</bpmn:definitions>").encode())
