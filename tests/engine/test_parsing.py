"""From bytes to a net: what is read, and every reason for which a diagram is refused."""

from __future__ import annotations

from pathlib import Path

import pytest

from engine.errors import DefinitionRefused
from engine.limits import DEFAULT
from engine.net import Choice, Kind, Timer, read_timer
from engine.parsing import called_processes, examine, parse_bundle, parse_decisions, parse_tables, process_ids
from tests.engine.drawing import (
    boundary,
    call,
    catch,
    condition,
    diagram,
    element,
    end,
    error,
    event_sub,
    exclusive,
    flows,
    inclusive,
    link,
    message,
    multi,
    net,
    parallel,
    properties,
    service,
    signal,
    start,
    sub,
    throw,
    timer,
    user,
)

DIAGRAMS = Path(__file__).parent / "diagrams"


def rules(data: bytes | dict[str, bytes], **options) -> set[str]:
    """The rules that refuse a diagram."""
    files = data if isinstance(data, dict) else {"p.bpmn": data}
    with pytest.raises(DefinitionRefused) as raised:
        parse_bundle(files, "p", **options)
    assert all(finding.message for finding in raised.value.findings)
    return {finding.rule for finding in raised.value.findings}


class TestReading:
    net = parse_bundle({"handling.bpmn": (DIAGRAMS / "handling.bpmn").read_bytes()}, "office_handling")

    def test_the_process(self):
        assert (self.net.process_id, self.net.name, self.net.documentation) == ("office_handling", "取扱い", "手続の説明")
        assert self.net.properties == {"withdraw": "until_first_act", "numbering": "incident"}
        assert self.net.start.id == "start"
        assert [node.index for node in self.net.nodes] == list(range(len(self.net.nodes)))

    def test_the_form_of_the_start(self):
        event, count = self.net.start.form
        assert (event.id, event.label, event.type, event.default) == ("event", "事案の種類", "enum", "leak")
        assert event.choices == (Choice("leak", "漏えい"), Choice("loss", "滅失"))
        assert event.constraints == {"required": "", "required_when": "count > 0"}
        assert event.properties == {"help": "わかる範囲で選んでください", "as_buttons": "true"}
        assert count.constraints == {"max": "1000000"}

    def test_a_user_task(self):
        node = self.net.node("assess")
        assert node.kind is Kind.USER_TASK
        assert (node.name, node.documentation, node.lane) == ("事案を確かめる", "条文を見て確かめる。", "保護管理者")
        assert node.candidate_groups == ("protection_manager@owning_unit",)
        assert node.properties == {"clause": "25-2", "urgency": "at_once", "sets": "received=true"}
        assert [self.net.nodes[index].id for index in node.boundaries] == ["late"]
        assert [self.net.flows[index].name for index in node.outgoing] == ["確かめた"]

    def test_events_services_and_tables(self):
        late = self.net.node("late").event
        assert late is not None
        assert (late.kind, late.interrupting, late.timer) == ("timer", False, Timer("duration", "PT24H", True))
        assert self.net.node("tell").topic == "notify"
        assert self.net.node("compute").expression == "${count + 1}"
        assert self.net.node("judge").decision == "gravity"

    def test_a_repeated_task(self):
        node = self.net.node("hear")
        assert node.assignee == "${reporter}"
        assert node.multi is not None
        assert (node.multi.sequential, node.multi.collection, node.multi.variable) == (True, "units", "unit")
        assert node.multi.completion == "${nrOfCompletedInstances >= 2}"
        assert self.net.scopes[node.multi.scope].kind == "multi"

    def test_an_action_is_the_message_start_of_an_event_sub_process(self):
        node = self.net.node("raised")
        assert node.event is not None
        assert (node.event.kind, node.event.name, node.event.interrupting) == ("message", "raise_to_grave", False)
        assert node.candidate_groups == ("general_protection_manager@organisation", "reporter")
        assert [field.id for field in node.form] == ["raise_reason"]
        assert node.properties == {"offered_when": "not grave"}
        assert self.net.node("raise").kind is Kind.EVENT_SUB_PROCESS
        assert self.net.node("raise").documentation == ""

    def test_extensions_on_boundary_and_catch_events(self):
        form = '<bpmn:extensionElements><camunda:formData><camunda:formField id="why" label="理由" type="text"/></camunda:formData></bpmn:extensionElements>'
        drawn = net(
            start(), user("a"), element("boundaryEvent", "x", form + message("go"), attachedToRef="a", camunda_candidateGroups="staff@owning_unit"),
            catch("c", form + message("stop"), camunda_candidateGroups="reporter"), end(), flows("s > a > c > e", "x > e"),
        )  # fmt: skip
        for name, group in (("x", "staff@owning_unit"), ("c", "reporter")):
            assert drawn.node(name).candidate_groups == (group,)
            assert [field.id for field in drawn.node(name).form] == ["why"]

    def test_flows_keep_id_condition_default_and_document_order(self):
        drawn = net(start(), exclusive("g", default="g_e"), user("a"), end(), flows("s > g", "g > a : ${x == 1}", "g > e", "a > e"))
        assert [
            (drawn.flows[index].id, drawn.flows[index].condition, drawn.flows[index].default) for index in drawn.node("g").outgoing
        ] == [
            ("g_a", "${x == 1}", False),
            ("g_e", None, True),
        ]

    def test_numbers_do_not_depend_on_the_order_of_files(self):
        files = {
            "p.bpmn": diagram(start(), call("c", "q"), user("a"), end(), flows("s > c > a > e")),
            "q.bpmn": diagram(start(), user("b"), end(), flows("s > b > e"), id="q"),
        }
        assert parse_bundle(files, "p") == parse_bundle(dict(reversed(files.items())), "p")

    def test_the_same_ids_in_two_diagrams_do_not_collide(self):
        inner = sub("w", start("s1"), user("a"), end("e1"), flows("s1 > a > e1"))
        body = (start(), inner, end(), flows("s > w > e"))
        drawn = net(start(), call("c", "q"), inner, end(), flows("s > c > w > e"), q=diagram(*body, id="q"))
        assert {"c/w", "c/a", "w", "a"} <= set(drawn.by_id)

    def test_process_ids_and_calls(self):
        data = diagram(start(), call("a", "q"), call("b", "q"), call("c", "r"), end(), flows("s > a > b > c > e"))
        assert process_ids(data) == (("p", "手続"),)
        assert called_processes(data) == ("q", "r")

    def test_two_hundred_and_ninety_steps_in_a_row(self):
        names = [f"u{number}" for number in range(290)]
        assert len(net(start(), *[user(name) for name in names], end(), flows(" > ".join(["s", *names, "e"]))).nodes) == 292

    @pytest.mark.parametrize(
        ("kind", "text", "expected"),
        [
            ("duration", "PT24H", Timer("duration", "PT24H", True)),
            ("duration", " P1Y2M3DT4H5M6S ", Timer("duration", "P1Y2M3DT4H5M6S", True)),
            ("duration", "P2W", Timer("duration", "P2W", True)),
            ("date", "2026-11-20", Timer("date", "2026-11-20", True)),
            ("date", "2026-11-20T17:00:00+09:00", Timer("date", "2026-11-20T17:00:00+09:00", True)),
            ("cycle", "R3/PT24H", Timer("cycle", "PT24H", True, 3)),
            ("cycle", "R/P1D", Timer("cycle", "P1D", True)),
            ("date", 'due("final_report")', Timer("date", 'due("final_report")', False)),
            ("duration", "${days(3)}", Timer("duration", "${days(3)}", False)),
        ],
    )
    def test_timers(self, kind, text, expected):
        assert read_timer(kind, text) == expected


class TestXmlSafety:
    good = diagram(start(), end(), flows("s > e"))

    @pytest.mark.parametrize(
        ("data", "rule"),
        [
            (b"", "xml_broken"),
            (b"<a>", "xml_broken"),
            (good.replace(b"?>", b'?><!DOCTYPE a [<!ENTITY x "y">]>', 1), "xml_unsafe"),
            (good.replace(b"<bpmn:startEvent", b"<?php x?><bpmn:startEvent", 1), "xml_unsafe"),
            (good.replace(b"?>", b'?><?xml-stylesheet href="x"?>', 1), "xml_unsafe"),
            (good.replace(b'encoding="UTF-8"', b'encoding="UTF-16"'), "xml_broken"),
            (good.decode().encode("shift_jis").replace(b"UTF-8", b"Shift_JIS"), "xml_encoding"),
            (good.replace(b"UTF-8", b"iso-8859-1"), "xml_encoding"),
            (good.decode().replace("UTF-8", "UTF-16").encode("utf-16-le"), "xml_encoding"),
            (b" " * (DEFAULT.xml_bytes + 1), "xml_size"),
            (b"<a>" * 100 + b"</a>" * 100, "xml_depth"),
        ],
    )
    def test_refused(self, data, rule):
        assert rules(data) == {rule}
        with pytest.raises(DefinitionRefused) as raised:
            process_ids(data)
        assert [finding.rule for finding in raised.value.findings] == [rule]

    def test_nothing_is_fetched(self):
        data = self.good.replace(
            b"<bpmn:process", b'<bpmn:import namespace="n" location="http://127.0.0.1:9/x" importType="t"/><bpmn:process', 1
        )
        assert rules(data) >= {"schema"} or parse_bundle({"p.bpmn": data}, "p")


class TestSchema:
    def test_what_the_schema_does_not_know(self):
        assert "schema" in rules(diagram(start(), "<bpmn:strange/>", end(), flows("s > e")))

    def test_a_double_id(self):
        assert "schema" in rules(diagram(start(), user("a"), user("a"), end(), flows("s > a > e")))


REFUSED = [
    ("reserved_id", (start("Start"), end(), flows("Start > e"))),
    ("reserved_id", (start(), end("End"), flows("s > End"))),
    ("script_refused", (start(), element("scriptTask", "a", "<bpmn:script>1</bpmn:script>"), end(), flows("s > a > e"))),
    ("complex_gateway", (start(), element("complexGateway", "a"), end(), flows("s > a > e"))),
    ("ad_hoc", (start(), element("adHocSubProcess", "a", user("b")), end(), flows("s > a > e"))),
    ("transaction", (start(), element("transaction", "a", start("s1") + end("e1") + flows("s1 > e1")), end(), flows("s > a > e"))),
    ("compensation", (start(), throw("a", "<bpmn:compensateEventDefinition/>"), end(), flows("s > a > e"))),
    ("compensation", (start(), user("a", isForCompensation="true"), end(), flows("s > e"))),
    ("standard_loop", (start(), user("a", "<bpmn:standardLoopCharacteristics/>"), end(), flows("s > a > e"))),
    ("event_reference", (start(), catch("a", "<bpmn:eventDefinitionRef>x</bpmn:eventDefinitionRef>"), end(), flows("s > a > e"))),
    ("event_missing", (start(), catch("a", ""), end(), flows("s > a > e"))),
    ("multiple_event", (start(), catch("a", message("go") + signal("go")), end(), flows("s > a > e"))),
    ("unsupported_event", (start("s", error("A")), end(), flows("s > e"))),
    ("unsupported_event", (start(), end("e", timer("P1D")), flows("s > e"))),
    ("token_quantity", (start(), user("a", completionQuantity="2"), end(), flows("s > a > e"))),
    ("start_missing", (user("a"), end(), flows("a > e"))),
    ("end_missing", (start(), user("a"), exclusive("m"), flows("s > m > a > m"))),
    ("several_starts", (start(), start("s2"), end(), flows("s > e", "s2 > e"))),
    ("several_starts", (start(), sub("w", start("s1", message("go")), end("e1"), flows("s1 > e1")), end(), flows("s > w > e"))),
    ("event_start", (start(), end(), event_sub("h", start("hs"), end("he"), flows("hs > he")), flows("s > e"))),
    ("error_interrupts", (start(), end(), event_sub("h", start("hs", error("A"), isInterrupting="false"), end("he"), flows("hs > he")), flows("s > e"))),
    ("error_interrupts", (start(), user("a"), boundary("x", "a", error("A"), interrupting=False), end(), flows("s > a > e", "x > e"))),
    ("unreachable", (start(), user("a"), end(), flows("s > e", "a > e"))),
    ("dead_end", (start(), parallel("g"), user("a"), end(), flows("s > g > a", "g > e"))),
    ("flow_into", (start(), user("a"), end(), flows("s > a > e", "a > s"))),
    ("flow_out_of", (start(), user("a"), end(), flows("s > a > e", "e > a"))),
    ("flow_crosses", (start(), sub("w", start("s1"), user("a"), end("e1"), flows("s1 > a > e1")), end(), flows("s > w > e", "a > e"))),
    ("boundary_host", (start(), exclusive("g"), boundary("x", "g", timer("P1D")), end(), flows("s > g > e", "x > e"))),
    ("link_partner", (start(), throw("a", link("L")), end(), flows("s > a"), user("b"), flows("b > e"))),
    ("link_partner", (start(), catch("a", link("L")), end(), flows("s > e", "a > e"))),
    ("link_partner", (start(), throw("t", link("L")), catch("a", link("L")), catch("b", link("L")), end(), flows("s > t", "a > e", "b > e"))),
    ("default_missing", (start(), exclusive("g"), user("a"), end(), flows("s > g", "g > a : x", "g > e : y", "a > e"))),
    ("default_missing", (start(), inclusive("g"), user("a"), end(), flows("s > g", "g > a : x", "g > e : y", "a > e"))),
    ("default_missing", (start(), exclusive("g", default="s_g"), user("a"), end(), flows("s > g", "g > a : x", "g > e : y", "a > e"))),
    ("condition_missing", (start(), exclusive("g"), user("a"), end(), flows("s > g", "g > a : x", "g > e", "a > e"))),
    ("condition_ignored", (start(), parallel("g"), user("a"), end(), flows("s > g", "g > a : x", "g > e", "a > e"))),
    ("event_gateway", (start(), element("eventBasedGateway", "g"), user("a"), catch("c", timer("P1D")), end(), flows("s > g > a > e", "g > c > e"))),
    ("event_gateway", (start(), element("eventBasedGateway", "g"), catch("c", timer("P1D")), end(), flows("s > g > c > e"))),
    ("restless_loop", (start(), exclusive("m"), service("a"), exclusive("g", default="g_e"), end(), flows("s > m > a > g > e", "g > m : x"))),
    ("service_missing", (start(), element("serviceTask", "a"), end(), flows("s > a > e"))),
    ("service_missing", (start(), element("sendTask", "a"), end(), flows("s > a > e"))),
    ("decision_missing", (start(), element("businessRuleTask", "a"), end(), flows("s > a > e"))),
    ("event_reference", (start(), catch("a", '<bpmn:messageEventDefinition messageRef="nobody"/>'), end(), flows("s > a > e"))),
    ("event_reference", (start(), catch("a", "<bpmn:signalEventDefinition/>"), end(), flows("s > a > e"))),
    ("event_reference", (start(), end("e", error()), flows("s > e"))),
    ("timer", (start(), catch("a", timer("P")), end(), flows("s > a > e"))),
    ("timer", (start(), catch("a", timer("PT0S")), end(), flows("s > a > e"))),
    ("timer", (start(), catch("a", timer("2026-02-30T99")), end(), flows("s > a > e"))),
    ("timer", (start(), catch("a", "<bpmn:timerEventDefinition/>"), end(), flows("s > a > e"))),
    ("timer_cycle", (start(), catch("a", timer("R3/P1D")), end(), flows("s > a > e"))),
    ("multi_count", (start(), user("a", multi()), end(), flows("s > a > e"))),
    ("multi_count", (start(), user("a", multi(collection="x", times="3")), end(), flows("s > a > e"))),
    ("multi_behaviour", (start(), user("a", multi(times="3").replace(" isSeq", ' behavior="One" isSeq')), end(), flows("s > a > e"))),
    ("send_back_to", (start(), user("a", properties(send_back_to="nobody")), end(), flows("s > a > e"))),
    ("send_back_to", (start(), service("b"), user("a", properties(send_back_to="b")), end(), flows("s > b > a > e"))),
    ("send_back_to", (start(), user("b"), sub("w", start("s1"), user("a", properties(send_back_to="b")), end("e1"), flows("s1 > a > e1")), end(), flows("s > b > w > e"))),
    ("send_back_to", (start(), user("b"), user("a", properties(send_back_to="b") + multi(times="2")), end(), flows("s > b > a > e"))),
    ("expression", (start(), user("a", default="a_e"), end(), flows("s > a", "a > e", "a > e : a.b"))),
    ("expression", (start(), catch("a", condition("open(1)")), end(), flows("s > a > e"))),
    ("expression", (start(), catch("a", timer("__import__('os')")), end(), flows("s > a > e"))),
    ("expression", (start(), user("a", multi(collection="x[0]")), end(), flows("s > a > e"))),
    ("expression", (start(), user("a", multi(times="2", until="x.y")), end(), flows("s > a > e"))),
    ("expression", (start(), element("userTask", "a", camunda_assignee="${a.b}"), end(), flows("s > a > e"))),
    ("expression", (start(), element("serviceTask", "a", camunda_expression="exec('x')"), end(), flows("s > a > e"))),
    ("expression", (start(), user("a", properties(sets="x=y.z")), end(), flows("s > a > e"))),
    ("sets", (start(), user("a", properties(sets="x")), end(), flows("s > a > e"))),
    ("one_seat", (start(), element("userTask", "a", camunda_candidateGroups="a@b,c@d"), end(), flows("s > a > e"))),
    ("boundary_host", (start(), end(), event_sub("h", start("hs", message("go")), end("he"), flows("hs > he")), boundary("x", "h", timer("P1D")), flows("s > e", "x > e"))),
    ("condition_ignored", (start(), exclusive("g", default="g_e"), user("a"), end(), flows("s > g", "g > a : x", "g > e : y", "a > e"))),
    ("condition_ignored", (start(), exclusive("g"), end(), flows("s > g", "g > e : x"))),
    ("condition_ignored", (start(), throw("t"), end(), flows("s > t", "t > e : x"))),
    ("condition_ignored", (start(), end(), flows("s > e : x"))),
    ("default_missing", (start(), inclusive("g"), end(), flows("s > g", "g > e : x"))),
    ("default_missing", (start(), user("a"), end(), flows("s > a", "a > e : x"))),
    ("expression", (start(), exclusive("g", default="g_e"), user("a"), end(), flows("s > g > e", 'g > a : "yes"', "a > e"))),
    ("expression", (start(), exclusive("g", default="g_e"), user("a"), end(), flows("s > g > e", 'g > a : 1 < "x"', "a > e"))),
    ("expression", (start(), user("a", properties(suggestion="x.y")), end(), flows("s > a > e"))),
    ("expression_language", (start(), catch("a", condition("x").replace("<bpmn:condition ", '<bpmn:condition language="feel" ')), end(), flows("s > a > e"))),
    ("timer", (start(), catch("a", timer("PT２４H")), end(), flows("s > a > e"))),
    ("timer", (start(), catch("a", timer("P100000Y")), end(), flows("s > a > e"))),
    ("timer", (start(), catch("a", timer("P1D").replace("P1D", "days(-1)")), end(), flows("s > a > e"))),
    ("timer_cycle", (start(), user("a"), boundary("x", "a", timer("R/PT59S"), interrupting=False), end(), flows("s > a > e", "x > e"))),
    ("multi_count", (start(), user("a", multi(times="101")), end(), flows("s > a > e"))),
    ("multi_count", (start(), user("a", multi(times="-1")), end(), flows("s > a > e"))),
    ("multi_count", (start(), user("a", multi(times="2.0")), end(), flows("s > a > e"))),
    ("multi_count", (start(), user("a", multi(times="'3'")), end(), flows("s > a > e"))),
    ("multi_count", (start(), user("a", multi(collection="5")), end(), flows("s > a > e"))),
    ("multi_count", (start(), user("a", multi(collection="x", variable="due")), end(), flows("s > a > e"))),
    ("receive_instantiate", (start(), element("receiveTask", "a", messageRef="m_go", instantiate="true"), end(), flows("s > a > e"))),
    ("id_missing", (start(), "<bpmn:userTask name='x'/>", end(), flows("s > e"))),
    ("id_missing", (start(), end(), '<bpmn:sequenceFlow sourceRef="s" targetRef="e"/>')),
    ("property_unknown", (start(), user("a", properties(not_same_person="s")), end(), flows("s > a > e"))),
    ("property_unknown", (start(), service("a", inside=properties(deadline="x")), end(), flows("s > a > e"))),
    ("property_unknown", (properties(withdraw="always"), start(), end(), flows("s > e"))),
    ("unsupported_element", (start(), user("a", "<bpmn:potentialOwner><bpmn:resourceRef>x</bpmn:resourceRef></bpmn:potentialOwner>"), end(), flows("s > a > e"))),
    ("called_missing", (start(), call("a", "nobody"), end(), flows("s > a > e"))),
    ("call_cycle", (start(), call("a", "p"), end(), flows("s > a > e"))),
    ("too_many_nodes", (start(), *[user(f"u{n}") for n in range(300)], end(), flows(" > ".join(["s", *[f"u{n}" for n in range(300)], "e"])))),
]  # fmt: skip


@pytest.mark.parametrize(("rule", "parts"), REFUSED, ids=[f"{rule}-{number}" for number, (rule, _) in enumerate(REFUSED)])
def test_a_diagram_is_refused(rule, parts):
    assert rule in rules(diagram(*parts))


@pytest.mark.parametrize(
    "field",
    [
        '<camunda:formField id="" type="string"/>',
        '<camunda:formField id="a.b" type="string"/>',
        '<camunda:formField id="__class__" type="string"/>',
        '<camunda:formField id="sum" type="string"/><camunda:formField id="sum" type="string"/>',
        '<camunda:formField id="due" type="string"/>',
        '<camunda:formField id="true" type="boolean"/>',
        '<camunda:formField id="in" type="string"/>',
        '<camunda:formField id="loop_index" type="long"/>',
        '<camunda:formField id="ｓｕｍ" type="string"/>',
        '<camunda:formField id="sum" type="long" defaultValue="many"/>',
        '<camunda:formField id="sum" type="enum" defaultValue="z"><camunda:value id="x"/></camunda:formField>',
        '<camunda:formField id="sum" type="enum"><camunda:value id="x"/><camunda:value id="x"/></camunda:formField>',
        '<camunda:formField id="sum" type="string"><camunda:validation><camunda:constraint name="maxlength" config="0"/></camunda:validation></camunda:formField>',
        '<camunda:formField id="sum" type="long"><camunda:validation><camunda:constraint name="max" config="１２"/></camunda:validation></camunda:formField>',
        '<camunda:formField id="sum" type="string"><camunda:properties><camunda:property id="as_buttons" value="true"/></camunda:properties></camunda:formField>',
        '<camunda:formField id="sum" type="money"/>',
        '<camunda:formField id="sum" type="enum"/>',
        '<camunda:formField id="sum" type="long"><camunda:validation><camunda:constraint name="max" config="many"/></camunda:validation></camunda:formField>',
        '<camunda:formField id="sum" type="long"><camunda:validation><camunda:constraint name="pattern" config="x"/></camunda:validation></camunda:formField>',
    ],
)
def test_a_form_is_refused(field):
    form = f"<bpmn:extensionElements><camunda:formData>{field}</camunda:formData></bpmn:extensionElements>"
    assert rules(diagram(start(), user("a", form), end(), flows("s > a > e"))) == {"form_field"}


EXTENSIONS = [
    element("userTask", "a", camunda_candidateGroups="a@b", **{f"camunda_{name}": "x"})
    for name in (
        "formKey",
        "formRef",
        "dueDate",
        "followUpDate",
        "candidateUsers",
        "skipExpression",
        "candidateGroup",
        "initiator",
        "businessKey",
    )
]
EXTENSIONS += [
    element("serviceTask", "a", camunda_topic="do", **{f"camunda_{name}": "x"})
    for name in ("class", "delegateExpression", "resultVariable", "assignee", "type", "errorCodeVariable", "candidateGroups")
]
EXTENSIONS += [
    user("a", f"<bpmn:extensionElements><camunda:{name}/></bpmn:extensionElements>")
    for name in (
        "executionListener",
        "taskListener",
        "inputOutput",
        "in",
        "out",
        "connector",
        "field",
        "script",
        "errorEventDefinition",
        "sequenceFlow",
    )
]
EXTENSIONS += [
    user("a", '<bpmn:extensionElements><zeebe:userTask xmlns:zeebe="http://camunda.org/schema/zeebe/1.0"/></bpmn:extensionElements>'),
    user("a", "<bpmn:extensionElements><camunda:formData businessKey='x'/></bpmn:extensionElements>"),
    user("a", multi(collection="x").replace(" isSeq", ' camunda:asyncBefore="true" camunda:class="x" isSeq')),
]


@pytest.mark.parametrize("step", EXTENSIONS, ids=range(len(EXTENSIONS)))
def test_what_only_another_engine_would_run_is_refused_by_name(step):
    with pytest.raises(DefinitionRefused) as raised:
        parse_bundle({"p.bpmn": diagram(start(), step, end(), flows("s > a > e"))}, "p")
    assert [(finding.rule, finding.element) for finding in raised.value.findings] == [("extension_refused", "a")]


def test_what_only_concerns_another_engine_is_told_and_does_not_stop():
    step = element(
        "userTask",
        "a",
        '<bpmn:extensionElements><x:note xmlns:x="x"/></bpmn:extensionElements>',
        camunda_asyncBefore="true",
        camunda_priority="5",
    )
    files = {"p.bpmn": diagram(start(), step, end(), flows("s > a > e"))}
    made, findings = examine(files, "p")
    assert made == parse_bundle(files, "p")
    assert [(finding.rule, finding.severity, finding.element) for finding in findings] == [("ignored_extension", "warning", "a")] * 3


def test_many_warnings_do_not_hide_an_error():
    step = user("a", "<bpmn:extensionElements>" + "<x:note xmlns:x='x'/>" * 500 + "</bpmn:extensionElements>")
    made, findings = examine({"p.bpmn": diagram(start(), step, element("serviceTask", "b"), end(), flows("s > a > b > e"))}, "p")
    assert made is None
    assert [finding.rule for finding in findings if finding.severity == "error"] == ["service_missing"]


def test_truth_is_written_in_two_ways():
    """XSDでは 1 も true。イベントサブプロセスが黙って消えてはならない。"""
    drawn = diagram(
        start(),
        user("a"),
        end(),
        flows("s > a > e"),
        event_sub("w", start("s1", message("go"), isInterrupting="0"), end("e1"), flows("s1 > e1")),
    )
    other = drawn.replace(b'isExecutable="true"', b'isExecutable="1"').replace(b'triggeredByEvent="true"', b'triggeredByEvent=" 1"')
    assert parse_bundle({"p.bpmn": other}, "p") == parse_bundle({"p.bpmn": drawn}, "p")
    assert parse_bundle({"p.bpmn": other}, "p").node("s1").event.interrupting is False


def test_a_table_of_two_files():
    table = (Path(__file__).resolve().parents[2] / "bpmn" / "isa" / "gravity.dmn").read_bytes()
    assert set(parse_tables({"a.dmn": table})) == {decision.id for decision in parse_decisions(table)}
    with pytest.raises(DefinitionRefused) as raised:
        parse_tables({"a.dmn": table, "b.dmn": table, "c.dmn": b"<a>"})
    assert {(finding.rule, finding.file) for finding in raised.value.findings} == {("duplicate_decision", "b.dmn"), ("xml_broken", "c.dmn")}


def test_findings_name_element_file_and_rule():
    with pytest.raises(DefinitionRefused) as raised:
        parse_bundle(
            {"x/p.bpmn": diagram(start(), service("a"), user("b"), element("serviceTask", "c"), end(), flows("s > a > c > e"))}, "p"
        )
    found = {(finding.rule, finding.element, finding.file) for finding in raised.value.findings}
    assert found == {("unreachable", "b", "x/p.bpmn"), ("dead_end", "b", "x/p.bpmn"), ("service_missing", "c", "x/p.bpmn")}


def test_calls_resolve_within_the_bundle_and_do_not_go_in_circles():
    one = diagram(start(), call("a", "q"), end(), flows("s > a > e"))
    two = diagram(start(), call("a", "p"), end(), flows("s > a > e"), id="q")
    assert rules({"p.bpmn": one, "q.bpmn": two}) == {"call_cycle"}
    assert rules({"p.bpmn": one}) == {"called_missing"}
    assert rules({"p.bpmn": one, "q.bpmn": two, "r.bpmn": two}) >= {"duplicate_process"}
    assert rules({"q.bpmn": diagram(start(), end(), flows("s > e"), id="q")}) == {"process_missing"}


def test_names_are_checked_when_the_facts_are_known():
    data = diagram(
        start(), user("a", multi(collection="units", variable="unit", until="nrOfCompletedInstances > counted")), end(), flows("s > a > e")
    )
    assert rules(data, known_names=frozenset({"units"})) == {"expression"}
    assert parse_bundle({"p.bpmn": data}, "p", frozenset({"units", "counted"}))


def test_a_process_must_be_executable():
    assert rules(diagram(start(), end(), flows("s > e")).replace(b'isExecutable="true"', b'isExecutable="false"')) == {"not_executable"}
