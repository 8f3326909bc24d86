"""The conformance table (docs/conformance.md) at work: each supported element's diagram is played, each refused one is refused by its rule.

Every act works on a saved and reloaded marking (tests/engine/drawing.py). The last class holds the table itself to account.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from functools import cache
from importlib import resources
from itertools import permutations, product
from pathlib import Path
from typing import Any

import pytest
from lxml import etree

from engine import tokens
from engine.errors import BadInstances, DefinitionRefused, NotSendBack, NotWaiting, NoWayOut, TooManySteps
from engine.marking import Wait
from engine.net import Net, Node
from engine.parsing import called_processes, parse_bundle
from engine.play import MAX_INSTANCES, STEP_LIMIT
from engine.tokens import BpmnError, ServiceFailed
from tests.engine import drawing
from tests.engine.conformance.layout import BPMN, BPMNDI, DC, DI, SCOPES, is_node, laid_out, tag_of
from tests.engine.drawing import Case, diagram, end, exclusive, flows, net, parallel, service, start, sub, user

FOLDER = Path(__file__).parent / "conformance"
TABLE = Path(__file__).parents[2] / "docs" / "conformance.md"
SCHEMA = resources.files("SpiffWorkflow") / "bpmn" / "parser" / "schema" / "Semantic.xsd"

Act = Callable[["Played"], Any]


def files_of(name: str) -> dict[str, bytes]:
    """A diagram of the folder with those it calls."""
    files: dict[str, bytes] = {}
    todo = [name]
    while todo:
        file = f"{todo.pop()}.bpmn"
        if file not in files and (FOLDER / file).exists():
            files[file] = (FOLDER / file).read_bytes()
            todo += called_processes(files[file])
    return files


@cache
def net_of(name: str) -> Net:
    """Its net; the process is called like the file."""
    return parse_bundle(files_of(name), name)


class Played(Case):
    """A case of a diagram of the folder. `fails`: element -> the code its work fails with; `sets`: element -> the facts its work gives."""

    def __init__(
        self,
        name: str,
        *,
        event: str | None = None,
        fails: Mapping[str, str] | None = None,
        sets: Mapping[str, Mapping[str, Any]] | None = None,
        **facts: Any,
    ) -> None:
        self.fails, self.sets = dict(fails or {}), sets or {}
        super().__init__(net_of(name), event=event, **facts)

    def run(self, node: Node, local: Mapping[str, Any]) -> None:
        self.ran.append(node.id + (f"[{local['loop_index']}]" if "loop_index" in local else ""))
        if node.element in self.fails:
            raise BpmnError(self.fails[node.element]) if self.fails[node.element] else ServiceFailed("down")
        self.facts |= self.sets.get(node.element, {})

    def completes(self, *nodes: str) -> Played:
        """Several completions, one act each."""
        for node in nodes:
            self.complete(node)
        return self

    def gone(self, wait: Wait) -> bool:
        """Whether an event that was armed can no longer fire."""
        name = wait.node.event.name if wait.node.event else ""
        try:
            if wait.kind == "timer":
                tokens.fire(self.net, self.marking, wait, self)
            else:
                tokens.deliver(self.net, self.marking, wait.kind, name, self, wait)
        except NotWaiting:
            return True
        return False


# --- Tasks ------------------------------------------------------------------------------------------------------------------------------


def test_user_task():
    case = Played("user_task")
    assert case.waits == ["check"]
    first = case.wait("check")
    assert case.complete("check").waits == ["file_away"]
    with pytest.raises(NotWaiting):
        tokens.complete(case.net, case.marking, first.owner, case)
    assert case.complete("file_away").ended == "finish"
    assert (case.waits, case.net.outcome_name("finish")) == ([], "終結")


def test_manual_task():
    case = Played("manual_task")
    assert case.waits == ["put_away"]
    assert case.complete("put_away").ended == "finish"


def test_service_task():
    assert Played("service_task").ended == "told"
    failed = Played("service_task", fails={"notify": "UNREACHABLE"})
    assert failed.waits == ["call_person"]
    assert ("notify", "cancelled") in failed.trace
    assert failed.complete("call_person").ended == "told_by_phone"
    assert Played("service_task", fails={"notify": "OTHER"}).ended == "error:OTHER"


def test_business_rule_task():
    assert Played("business_rule_task", sets={"judge": {"urgent": True}}).waits == ["at_once"]
    case = Played("business_rule_task", sets={"judge": {"urgent": False}})
    assert (case.waits, case.ran) == (["normal"], ["judge"])
    assert case.net.node("judge").decision == "judgement"


def test_send_task():
    case = Played("send_task")
    assert (case.waits, case.ran) == (["answer"], ["ask"])
    assert case.complete("answer").ended == "answered"
    assert Played("send_task", fails={"ask": "DOWN"}).ended == "error:DOWN"  # what failed has sent nothing


@pytest.mark.parametrize("act", [lambda case: case.message("answer"), lambda case: case.complete("wait_answer")])
def test_receive_task(act: Act):
    case = Played("receive_task")
    assert case.waits == ["message:wait_answer"]
    act(case)
    assert case.waits == ["read"]
    with pytest.raises(NotWaiting):
        case.message("answer")


def test_plain_task():
    case = Played("plain_task")
    assert (case.waits, case.ran) == (["look"], [])
    assert ("mark", "left") in case.trace


# --- Gateways ---------------------------------------------------------------------------------------------------------------------------


def test_exclusive_gateway():
    case = Played("exclusive_gateway", incomplete=True)
    for _ in range(3):
        assert case.complete("review").waits == ["review"]
    assert case.complete("review", incomplete=False).waits == ["reject"]
    assert case.complete("reject").ended == "done"
    both = Played("exclusive_gateway", approved=True, incomplete=True).complete("review")
    assert both.waits == ["approve"]  # the first true one in document order, and no other


def test_parallel_gateway():
    for order in permutations(["tell_person", "tell_office"]):
        case = Played("parallel_gateway")
        assert case.waits == ["tell_office", "tell_person"]
        assert case.complete(order[0]).waits == [order[1]]
        assert case.complete(order[1]).waits == ["close"]
        assert case.complete("close").ended == "done"


def test_parallel_gateway_in_a_loop_is_right_in_every_order():
    """All orders of three rounds, 216 in all: the join never fires early, and nothing is left over for the next round."""
    orders = list(permutations(["check_a", "check_b", "check_c"]))
    net_of("parallel_gateway_in_loop")
    for rounds in product(orders, repeat=3):
        case = Played("parallel_gateway_in_loop", more=True)
        for order in rounds:
            waiting = {"check_a", "check_b", "check_c"}
            for name in order:
                assert set(case.waits) == waiting
                waiting.remove(name)
                case.complete(name)
            assert case.waits == ["summarise"]
            case.complete("summarise")
        assert case.waits == ["check_a", "check_b", "check_c"]
        assert not case.marking.frames[1].arrivals


def test_parallel_gateway_unstructured():
    case = Played("parallel_gateway_unstructured")
    assert case.waits == ["collect", "inspect"]
    assert case.complete("inspect").waits == ["clean", "collect"]
    assert case.complete("clean").waits == ["collect"]
    assert case.complete("collect").waits == ["draft"]
    assert case.complete("draft").ended == "done"
    other = Played("parallel_gateway_unstructured").complete("collect")
    assert other.waits == ["inspect"]
    assert other.complete("inspect").waits == ["clean", "draft"]


def test_two_flows_between_the_same_two_nodes():
    case = Played("parallel_gateway_double_flow").complete("write")
    assert case.waits == ["copy", "copy", "sign"]
    assert case.trace.count(("join", "entered")) == 1
    assert case.completes("copy", "sign", "copy").ended == "done"


@pytest.mark.parametrize(
    ("facts", "started"),
    [
        ({"legal": True}, ["ask_legal"]),
        ({"system": True}, ["ask_system"]),
        ({"legal": True, "system": True}, ["ask_legal", "ask_system"]),
        ({}, ["ask_nobody"]),
    ],
)
def test_inclusive_gateway(facts: dict[str, bool], started: list[str]):
    for order in permutations(started):
        case = Played("inclusive_gateway", **facts)
        assert case.waits == started
        for name in order:
            assert "decide" not in case.waits
            case.complete(name)
        assert case.waits == ["decide"]


def test_inclusive_gateway_unstructured():
    def case(**facts: Any) -> Played:
        return Played("inclusive_gateway_unstructured", **facts)

    waiting = case().complete("prepare")
    assert waiting.waits == ["investigate", "timer:late"]  # it can still come by two ways
    assert case().complete("prepare").complete("investigate", found=True).waits == ["report"]
    assert case().complete("prepare").complete("investigate").waits == ["report"]  # nothing can come any more
    late = case().complete("prepare").fire("late")
    assert late.waits == ["explain"]
    assert late.complete("explain").waits == ["report"]
    assert case().complete("investigate", found=True).waits == ["prepare"]


def test_inclusive_gateway_in_a_loop():
    case = Played("inclusive_gateway_in_loop", legal=True, more=True)
    for _ in range(3):
        assert case.waits == ["ask_legal"]
        assert case.complete("ask_legal").waits == ["read"]
        case.complete("read")
    case.complete("ask_legal").complete("read", legal=False)
    assert case.waits == ["ask_system"]
    assert case.complete("ask_system").complete("read", more=False).ended == "done"


EVENTS = ["conditional:settled", "message:answered", "message:withdrawn", "signal:called_off", "timer:in_time", "timer:overdue"]


@pytest.mark.parametrize(
    ("act", "then"),
    [
        (lambda case: case.message("answer"), ["read"]),
        (lambda case: case.message("withdrawal"), []),
        (lambda case: case.signal("call_off"), []),
        (lambda case: case.fire("in_time"), []),
        (lambda case: case.fire("overdue"), ["remind"]),
        (lambda case: case.touch(settled=True), []),
    ],
)
def test_event_based_gateway(act: Act, then: list[str]):
    case = Played("event_based_gateway")
    assert case.waits == EVENTS
    overdue = case.wait("overdue")
    act(case)
    assert case.waits == then
    assert case.ended == (None if then else "stopped")
    assert case.gone(overdue)


def test_event_based_gateway_waits_again_in_a_loop():
    case = Played("event_based_gateway").fire("overdue")
    with pytest.raises(NotWaiting):
        case.message("answer")
    assert case.complete("remind").waits == EVENTS
    assert case.message("answer").complete("read").ended == "done"


# --- Sub-processes and calls ------------------------------------------------------------------------------------------------------------


def test_sub_process():
    for order in permutations(["read_papers", "visit"]):
        case = Played("sub_process")
        assert case.waits == ["read_papers", "visit"]
        assert case.complete(order[0]).waits == [order[1]]
        assert case.complete(order[1]).waits == ["decide"]
        assert case.complete("decide").ended == "done"


def test_call_activity():
    case = Played("call_activity")
    assert case.waits == ["first/write"]
    assert case.complete("first/write").send_back("first/send_out", "write").waits == ["first/write"]
    case.completes("first/write", "first/send_out")
    assert case.waits == ["second/write"]
    assert case.completes("second/write", "second/send_out").ended == "done"  # the ends of what was called are no outcome
    assert Played("call_activity_called").completes("write", "send_out").ended == "sent"


KINDS = {
    "event_sub_process_timer": ("timer", lambda case: case.fire("stopped"), lambda case: case.fire("noticed"), []),
    "event_sub_process_message": ("message", lambda case: case.message("call_off"), lambda case: case.message("ask"), ["message:noticed"]),
    "event_sub_process_signal": ("signal", lambda case: case.signal("closed_down"), lambda case: case.signal("moved"), ["signal:noticed"]),
    "event_sub_process_conditional": (
        "conditional", lambda case: case.touch(recalled=True), lambda case: case.touch(count=101), ["conditional:noticed"],
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", KINDS)
def test_event_sub_process(name: str):
    kind, interrupt, notice, stays = KINDS[name]
    armed = [f"{kind}:noticed", f"{kind}:stopped"]
    assert Played(name).waits == ["handle", *armed] if kind != "conditional" else Played(name).waits == [*armed, "handle"]
    # Interrupting: the frame is cleared, everything disarmed, and its own end is the outcome.
    case = Played(name)
    interrupt(case)
    assert case.waits == ["clean_up"]
    assert ("handle", "cancelled") in case.trace
    assert case.complete("clean_up").ended == "cleaned"
    # Not interrupting: it runs beside, keeps the case from ending, and does not change the outcome.
    case = Played(name)
    notice(case)
    assert case.waits == sorted(["handle", "look_after", f"{kind}:stopped", *stays])
    case.completes("handle", "finish_up")
    assert (case.ended, "look_after" in case.waits) == (None, True)
    assert case.complete("look_after").ended == "done"
    # The interrupting one ends what runs beside, too.
    case = Played(name)
    notice(case)
    interrupt(case)
    assert case.waits == ["clean_up"]
    # Armed ones do not keep the case from ending.
    assert Played(name).completes("handle", "finish_up").ended == "done"


@pytest.mark.parametrize(("name", "again"), [("event_sub_process_message", "message"), ("event_sub_process_signal", "signal")])
def test_event_sub_process_may_run_twice_at_once(name: str, again: str):
    case = Played(name)
    for _ in range(2):
        getattr(case, again)("ask" if again == "message" else "moved")
    assert case.waits.count("look_after") == 2


def test_event_sub_process_may_start_while_only_another_runs():
    """Where 13.5.4 would start no more: what is armed stays armed as long as the frame is open."""
    case = Played("event_sub_process_message").message("ask").completes("handle", "finish_up")
    assert case.waits == ["look_after", "message:noticed", "message:stopped"]
    assert case.message("ask").waits.count("look_after") == 2
    assert case.message("call_off").waits == ["clean_up"]
    assert case.complete("clean_up").ended == "cleaned"


def test_event_sub_process_escalation():
    case = Played("event_sub_process_escalation").complete("handle")
    assert case.waits == ["advise", "go_on"]  # who throws goes on
    case.complete("go_on")
    assert case.waits == ["handle_above"]  # who throws does not go on
    assert {("advise", "cancelled"), ("take_over", "entered")} <= set(case.trace)
    assert case.complete("handle_above").ended == "handled"


def test_event_sub_process_error():
    case = Played("event_sub_process_error", fails={"connect": "DOWN"})
    assert case.waits == ["fix"]  # also what was under way beside it
    assert case.complete("fix").ended == "fixed"
    assert Played("event_sub_process_error", fails={"connect": "OTHER"}).ended == "error:OTHER"
    assert Played("event_sub_process_error").complete("wait_beside").ended == "done"


# --- Repeated activities ----------------------------------------------------------------------------------------------------------------


def test_multi_instance_parallel():
    case = Played("multi_instance_parallel", units=["甲", "乙", "丙"])
    assert case.waits == ["ask_unit", "ask_unit", "ask_unit", "timer:late"]
    assert [case.wait("ask_unit", number).local for number in range(3)] == [
        {"loop_index": number, "unit": unit} for number, unit in enumerate("甲乙丙")
    ]
    assert case.complete("ask_unit", 2).waits == ["ask_unit", "ask_unit", "timer:late"]
    assert case.complete("ask_unit", 0).waits == ["decide"]  # two are enough
    assert Played("multi_instance_parallel", units=["甲", "乙"]).complete("ask_unit", objected=True).waits == ["decide"]
    assert Played("multi_instance_parallel", units=["甲", "乙", "丙"]).fire("late").waits == ["chase"]  # ends every instance
    assert Played("multi_instance_parallel", units=["甲"]).complete("ask_unit").waits == ["decide"]


@pytest.mark.parametrize("units", [None, []])
def test_multi_instance_of_nothing_is_passed(units: list[str] | None):
    assert Played("multi_instance_parallel", units=units).waits == ["decide"]


@pytest.mark.parametrize("units", ["text", 3, ["x"] * (MAX_INSTANCES + 1)])
def test_multi_instance_of_what_cannot_be_counted(units: Any):
    with pytest.raises(BadInstances):
        Played("multi_instance_parallel", units=units)
    assert Played("multi_instance_parallel", units=["x"] * MAX_INSTANCES).waits.count("ask_unit") == MAX_INSTANCES


def test_multi_instance_sequential():
    case = Played("multi_instance_sequential", approvers=["課長", "部長"])
    assert (case.waits, case.wait("approve").local["person"]) == (["approve"], "課長")
    case.complete("approve", approvers=["誰か"])  # the list was read when the activity was entered
    assert (case.waits, case.wait("approve").local["person"]) == (["approve"], "部長")
    assert case.complete("approve").waits == ["announce"]
    assert Played("multi_instance_sequential", approvers=["課長", "部長"]).complete("approve", rejected=True).waits == ["announce"]


def test_multi_instance_sub_process():
    case = Played("multi_instance_sub_process", cases=2)
    assert case.waits == ["compare", "compare", "read", "read"]
    case.complete("read", 1)
    assert (case.waits, case.wait("read").local["loop_index"]) == (["compare", "read"], 0)  # terminate ended one instance
    assert case.complete("compare").waits == ["read"]
    assert case.complete("read").waits == ["decide"]


def test_multi_instance_service_and_call():
    case = Played("multi_instance_service", units=["甲", "乙"])
    assert (case.ran, case.waits) == (["notify[0]", "notify[1]"], ["tell/write", "tell/write"])
    assert case.completes("tell/write", "tell/send_out", "tell/write").waits == ["tell/send_out"]
    assert case.complete("tell/send_out").ended == "done"


# --- Start events -----------------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "event"), [("start_message", "incident_reported"), ("start_signal", "disaster"), ("start_timer", "by_event")]
)
def test_start(name: str, event: str):
    assert Played(name).waits == ["by_hand_task"]
    assert Played(name, event=event).waits == ["by_event_task"]
    assert Played(name, event="by_event").complete("by_event_task").ended == "done"
    with pytest.raises(NotWaiting):
        Played(name, event="unheard_of")


# --- Intermediate events ----------------------------------------------------------------------------------------------------------------


def test_intermediate_timer():
    case = Played("intermediate_timer")
    first = case.wait("a_week")
    assert case.waits == ["timer:a_week"]
    assert case.fire("a_week").waits == ["timer:the_day"]
    assert case.gone(first)
    assert case.fire("the_day").waits == ["act"]


def test_intermediate_message():
    case = Played("intermediate_message")
    assert case.waits == ["message:hear_first", "message:hear_second", "write"]
    assert case.complete("write").waits == ["first_answers", "message:hear_second"]  # one of the two has heard it
    assert Played("intermediate_message").message("question", "hear_second").waits == ["message:hear_first", "second_answers", "write"]
    with pytest.raises(NotWaiting):
        case.message("other")


def test_intermediate_signal():
    case = Played("intermediate_signal")
    assert case.waits == ["write"]
    assert case.complete("write").waits == ["first_moves", "second_moves"]  # both were armed in this same act
    assert case.signal("now").waits == ["first_moves", "second_moves"]


def test_intermediate_escalation():
    case = Played("intermediate_escalation").complete("look")
    assert case.waits == ["advise", "go_on"]
    assert case.complete("go_on").waits == ["advise"]
    assert case.complete("advise").ended == "advised"


def test_intermediate_link():
    case = Played("intermediate_link")
    assert case.waits == ["write"]
    assert case.complete("write").waits == ["send_out"]
    assert case.complete("send_out").ended == "done"


def test_intermediate_conditional():
    case = Played("intermediate_conditional")
    assert case.touch(paid=False).waits == ["conditional:paid"]
    assert case.touch(paid=True).waits == ["issue"]
    assert Played("intermediate_conditional", paid=True).waits == ["issue"]


def test_intermediate_none():
    case = Played("intermediate_none").complete("write")
    assert case.waits == ["go_on"]
    assert ("milestone", "left") in case.trace


# --- Boundary events --------------------------------------------------------------------------------------------------------------------

BOUNDARIES = {
    "boundary_timer": ("timer", lambda case: case.fire("stop"), lambda case: case.fire("notice"), []),
    "boundary_message": ("message", lambda case: case.message("withdraw"), lambda case: case.message("ask"), ["message:notice"]),
    "boundary_signal": ("signal", lambda case: case.signal("closed_down"), lambda case: case.signal("moved"), ["signal:notice"]),
    "boundary_conditional": (
        "conditional", lambda case: case.touch(recalled=True), lambda case: case.touch(count=101), ["conditional:notice"],
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", BOUNDARIES)
def test_boundary(name: str):
    kind, stop, notice, stays = BOUNDARIES[name]
    case = Played(name)
    assert case.waits == sorted(["handle", f"{kind}:notice", f"{kind}:stop"])
    # The task is first: both are disarmed.
    armed = [case.wait("stop"), case.wait("notice")]
    assert case.complete("handle").waits == ["finish_up"]
    if kind == "conditional":
        assert case.touch(recalled=True, count=101).waits == ["finish_up"]
    else:
        assert all(case.gone(wait) for wait in armed)
    assert case.complete("finish_up").ended == "done"
    # The interrupting event is first: the task is taken away with its other event.
    case = Played(name)
    task = case.wait("handle")
    stop(case)
    assert case.waits == ["after_stop"]
    assert ("handle", "cancelled") in case.trace
    with pytest.raises(NotWaiting):
        tokens.complete(case.net, case.marking, task.owner, case)
    assert case.complete("after_stop").ended == "stopped"
    # The other one is first: the task stays, and can still be completed or taken away.
    case = Played(name)
    notice(case)
    assert case.waits == sorted(["beside", "handle", f"{kind}:stop", *stays])
    assert case.complete("handle").waits == ["beside", "finish_up"]
    case = Played(name)
    notice(case)
    stop(case)
    assert case.waits == ["after_stop", "beside"]


def test_boundary_message_and_signal_stay_armed():
    case = Played("boundary_message").message("ask").message("ask")
    assert case.waits.count("beside") == 2
    case = Played("boundary_signal").signal("moved").signal("moved")
    assert case.waits.count("beside") == 2


def test_boundary_conditional_fires_again_only_after_it_was_false():
    case = Played("boundary_conditional").touch(count=101)
    assert case.touch(count=102).waits.count("beside") == 1
    assert case.touch(count=0).waits.count("beside") == 1
    assert case.touch(count=103).waits.count("beside") == 2
    assert Played("boundary_conditional", count=500).waits.count("beside") == 1  # true when it was armed


def test_boundary_timer_cycle():
    case = Played("boundary_timer_cycle")
    for fired in range(3):
        assert case.wait("remind").fired == fired
        case.fire("remind")
    assert case.waits == ["handle", "timer:report"]
    for _ in range(5):
        case.fire("report")
    assert (case.waits, case.ran) == (["handle", "timer:report"], ["send_reminder"] * 3 + ["send_report"] * 5)
    assert case.complete("handle").ended == "done"


def test_boundary_escalation():
    case = Played("boundary_escalation")
    assert case.waits == ["look"]
    assert case.complete("look").waits == ["beside", "go_on"]
    assert case.complete("go_on").waits == ["after_stop", "beside"]
    assert ("handle", "cancelled") in case.trace


def test_boundary_error():
    case = Played("boundary_error")
    assert case.waits == ["look", "look_2"]
    assert case.complete("look", form=True).waits == ["ask_again", "look_2"]  # the exact code, not the neighbour, not catch-all
    assert Played("boundary_error", other=True).complete("look").waits == ["examine", "look_2"]
    assert Played("boundary_error").complete("look").waits == ["look_2"]
    assert Played("boundary_error", form=True).completes("look", "look_2", "ask_again").ended == "done"


# --- End events -------------------------------------------------------------------------------------------------------------------------


def test_end_none():
    assert Played("end_none").complete("first").waits == ["second"]
    assert Played("end_none").completes("first", "second").ended == "second_done"
    assert Played("end_none").completes("second", "first").ended == "first_done"


def test_end_terminate():
    case = Played("end_terminate").complete("read")
    assert case.waits == ["abandon", "decide"]  # the rest of the sub-process is over, nothing else
    assert ("visit", "cancelled") in case.trace
    assert Played("end_terminate").complete("abandon").ended == "stopped"
    assert Played("end_terminate").completes("read", "decide", "abandon").ended == "stopped"


def test_end_error():
    case = Played("end_error").complete("handle")
    assert (case.ended, case.waits) == ("error:IMPOSSIBLE", [])
    assert Played("end_error").complete("beside").waits == ["handle"]


def test_end_escalation():
    assert Played("end_escalation").complete("look").waits == ["advise", "finish_up"]


def test_end_message():
    case = Played("end_message")
    assert case.waits == ["message:hear", "write"]
    assert case.complete("write").waits == ["act"]
    alone = Played("end_message").message("request").complete("act")
    assert alone.complete("write").ended == "asked"  # nobody hears it: no harm


def test_end_signal():
    case = Played("end_signal")
    assert case.waits == ["signal:hear_first", "signal:hear_second", "watch"]
    assert case.complete("watch").waits == ["first_moves", "second_moves"]


# --- Flows and drawing ------------------------------------------------------------------------------------------------------------------


def test_conditional_flow():
    assert Played("conditional_flow", grave=True, doubtful=True).complete("look").waits == ["ask", "tell"]
    assert Played("conditional_flow", doubtful=True).complete("look").waits == ["ask"]
    assert Played("conditional_flow").complete("look").waits == ["keep"]


def test_uncontrolled_flow():
    case = Played("uncontrolled_flow").complete("look")
    assert case.waits == ["first", "second"]
    assert case.complete("second").waits == ["first", "record"]
    assert case.complete("first").waits == ["record", "record"]


def test_send_back():
    case = Played("send_back").complete("draft").complete("review")
    assert case.send_back("decide", "draft").waits == ["beside", "draft"]
    assert case.trace == [("decide", "left"), ("draft", "entered")]
    with pytest.raises(NotSendBack):
        case.complete("draft").send_back("review", "decide")
    assert case.complete("beside").send_back("review", "draft").waits == ["draft"]


def test_lanes_and_pools_are_drawing():
    case = Played("lanes")
    assert case.waits == ["report"]
    assert {name: case.net.node(name).lane for name in ("begin", "report", "assess")} == {
        "begin": "職員", "report": "職員", "assess": "保護管理者"
    }  # fmt: skip
    assert case.completes("report", "assess").ended == "done"


def test_artifacts_and_data_objects_are_drawing():
    case = Played("artifacts")
    assert [node.id for node in case.net.nodes] == ["begin", "check", "decide", "done"]
    assert case.completes("check", "decide").ended == "done"


# --- Policies ---------------------------------------------------------------------------------------------------------------------------


class TestPolicies:
    """What engine/tokens.py states and no other test shows; the second table of docs/conformance.md says which test shows what."""

    def test_tokens_move_oldest_first(self):
        drawn = net(
            start(), parallel("g"), service("a"), service("b"), service("c"), service("d"), end(),
            flows("s > g > a > c > e", "g > b > d > e"),
        )  # fmt: skip
        assert Case(drawn).ran == ["a", "b", "c", "d"]

    def test_conditions_are_looked_at_outer_frames_first(self):
        """Both become true by the same fact: the outer one ends the frame of the inner one, which never fires."""
        inner = sub("w", start("s1"), drawing.catch("c", drawing.condition("x")), service("inner"), end("e1"), flows("s1 > c > inner > e1"))
        outer = drawing.event_sub("h", start("hs", drawing.condition("x")), service("outer"), end("he"), flows("hs > outer > he"))
        case = Case(net(start(), inner, end(), outer, flows("s > w > e"))).touch(x=True)
        assert (case.ran, case.ended) == (["outer"], "he")

    def test_conditions_of_one_frame_are_looked_at_by_age(self):
        drawn = net(
            start(), parallel("g"), user("a"), drawing.catch("late", drawing.condition("x")), drawing.catch("early", drawing.condition("x")),
            service("by_late"), service("by_early"), end(), flows("s > g > a > late > by_late > e", "g > early > by_early > e"),
        )  # fmt: skip
        assert Case(drawn).complete("a").touch(x=True).ran == ["by_early", "by_late"]

    def test_conditions_come_before_inclusive_joins(self):
        """The join could fire as nothing can reach it; the condition that becomes true in the same act ends the process first."""
        stop = drawing.event_sub("h", start("hs", drawing.condition("x")), user("fix"), end("he"), flows("hs > fix > he"))
        drawn = net(
            start(), parallel("g"), user("a"), user("b"), drawing.inclusive("j"), service("joined"), end(), stop,
            flows("s > g > a > j > joined > e", "g > b > j"),
        )  # fmt: skip
        case = Case(drawn).complete("a").complete("b", x=True)
        assert (case.ran, case.waits) == ([], ["fix"])

    def test_inclusive_joins_fire_one_by_one_in_document_order(self):
        """Each of two joins waits for nothing once the tasks are done: the first one drawn fires first, and then the other is looked at anew."""
        drawn = net(
            start(), parallel("g"), user("a"), user("b"), exclusive("x", default="x_e"), drawing.inclusive("j2"), drawing.inclusive("j1"),
            service("second"), service("first"), end(),
            flows("s > g > a > x > e", "x > j1 : never", "x > j2 : never", "g > b > j1 > first > e", "g > j2 > second > e"),
        )  # fmt: skip
        case = Case(drawn).complete("b")
        assert (case.ran, case.waits) == ([], ["a"])
        assert case.complete("a").ran == ["second", "first"]

    def test_the_innermost_empty_frame_is_closed_first(self):
        """One signal empties two frames: the one within another goes on before the one beside."""
        beside = sub("w", start("s1"), drawing.catch("c1", drawing.signal("go")), end("e1"), flows("s1 > c1 > e1"))
        inner = sub("i", start("s3"), drawing.catch("c3", drawing.signal("go")), end("e3"), flows("s3 > c3 > e3"))
        around = sub("o", start("s2"), inner, end("e2"), flows("s2 > i > e2"))
        case = Case(net(start(), parallel("g"), beside, around, end(), flows("s > g > w > e", "g > o > e"))).signal("go")
        assert [node for node, what in case.trace if what == "left" and node in "wio"] == ["i", "o", "w"]
        assert case.ended == "e"

    def test_the_step_limit_undoes_the_act(self):
        """A circle that never waits is refused at deployment unless what waits in it is passed, like a list of nothing."""
        drawn = net(
            start(), user("a"), exclusive("m"), user("b", drawing.multi(collection="none")), exclusive("x", default="x_m"), end(),
            flows("s > a > m > b > x > m", "x > e : stop"),
        )  # fmt: skip
        case = Case(drawn)
        before = case.marking
        with pytest.raises(TooManySteps):
            case.complete("a")
        assert (case.marking, case.waits) == (before, ["a"])
        assert STEP_LIMIT == 10_000
        assert case.complete("a", stop=True).ended == "e"

    def test_an_inclusive_gateway_without_a_true_flow_undoes_the_act(self):
        drawn = net_of("inclusive_gateway")
        bare = replace(drawn, flows=tuple(replace(flow, default=False, condition=flow.condition or "never") for flow in drawn.flows))
        with pytest.raises(NoWayOut):
            Case(bare)

    def test_a_join_counts_arrivals_for_each_flow(self):
        """Two tokens by one flow do not stand for one by each."""
        drawn = net(
            start(), parallel("g"), user("a"), user("b"), user("c"), exclusive("m"), parallel("j"), user("z"), end(),
            flows("s > g > a > m > j > z > e", "g > b > m", "g > c > j"),
        )  # fmt: skip
        case = Case(drawn).complete("a").complete("b")
        assert case.waits == ["c"]
        assert case.complete("c").waits == ["z"]
        assert case.complete("z").ended is None  # the second token by the first flow waits for another by the second

    def test_a_join_does_not_wait_for_what_could_only_be_sent_back(self):
        """`b` could be returned to `c`, from where the join can be reached: no reason to wait for that."""
        drawn = net(
            start(), parallel("g"), user("a"), drawing.inclusive("j"), user("b", drawing.properties(send_back_to="c")), user("c"),
            exclusive("x", default="x_b"), user("z"), end(), flows("s > g > a > j > z > e", "g > c > x > b > e", "x > j : direct"),
        )  # fmt: skip
        case = Case(drawn).complete("a")
        assert case.waits == ["c"]
        assert case.complete("c").waits == ["b", "z"]

    @pytest.mark.parametrize(("event", "thrown"), [(drawing.error, "error"), (drawing.escalation, "escalation")])
    def test_an_event_sub_process_comes_before_the_boundary_and_the_boundary_before_the_frame_around(self, event: Any, thrown: str):
        def drawn(*, inside: bool, boundary: bool) -> Net:
            catcher = drawing.event_sub("h", start("hs", event("A")), user("own"), end("he"), flows("hs > own > he"))
            around = drawing.event_sub("k", start("ks", event("A")), user("outer"), end("ke"), flows("ks > outer > ke"))
            body = sub("w", start("s1"), user("a"), end("up", event("A")), catcher if inside else "", flows("s1 > a > up"))
            edge = drawing.boundary("x", "w", event("A")) if boundary else ""
            return net(
                start(), body, edge, user("edge"), end(), around, flows("s > w > e", *(["x > edge > e"] if boundary else ["s > edge > e"]))
            )

        assert "own" in Case(drawn(inside=True, boundary=True)).complete("a").waits
        assert "edge" in Case(drawn(inside=False, boundary=True)).complete("a").waits
        assert Case(drawn(inside=False, boundary=False)).complete("a").waits == ["outer"]

    def test_a_message_goes_to_the_oldest_when_none_is_named(self):
        drawn = net(
            start(), parallel("g"), user("a"), drawing.catch("young", drawing.message("go")), drawing.catch("old", drawing.message("go")),
            user("by_young"), user("by_old"), end(), flows("s > g > a > young > by_young > e", "g > old > by_old > e"),
        )  # fmt: skip
        assert Case(drawn).complete("a").message("go").waits == ["by_old", "message:young"]

    def test_conditions_are_looked_at_after_every_act(self):
        """Also after a completion, a signal and a timer, without anybody saying that facts have changed."""
        drawn = net(
            start(), parallel("g"), user("a"), drawing.catch("t", drawing.timer("P1D")), drawing.catch("c", drawing.condition("x")), user("b"), end(),
            flows("s > g > a > e", "g > t > e", "g > c > b > e"),
        )  # fmt: skip
        assert Case(drawn).complete("a", x=True).waits == ["b", "timer:t"]
        case = Case(drawn)
        case.facts["x"] = True
        assert case.fire("t").waits == ["a", "b"]
        case = Case(drawn)
        case.facts["x"] = True
        assert "b" in case.signal("go").waits

    @pytest.mark.parametrize(("text", "times"), [("R2/P1D", 2), ("R/P1D", 5)])
    def test_a_cycle_of_an_event_sub_process(self, text: str, times: int):
        inner = drawing.event_sub(
            "h", start("hs", drawing.timer(text), isInterrupting="false"), service("remind"), end("he"), flows("hs > remind > he")
        )
        case = Case(net(start(), user("a"), end(), inner, flows("s > a > e")))
        for _ in range(times):
            case.fire("hs")
        assert case.ran == ["remind"] * times
        assert case.waits == (["a"] if text == "R2/P1D" else ["a", "timer:hs"])

    def test_escalations_stay_armed_when_they_do_not_interrupt(self):
        again = sub(
            "w", start("s1"), user("a"), drawing.throw("one", drawing.escalation("A")), drawing.throw("two", drawing.escalation("A")), end("e1"),
            flows("s1 > a > one > two > e1"),
        )  # fmt: skip
        drawn = net(
            start(),
            again,
            drawing.boundary("x", "w", drawing.escalation("A"), interrupting=False),
            user("b"),
            end(),
            flows("s > w > e", "x > b > e"),
        )
        assert Case(drawn).complete("a").waits == ["b", "b"]

    def test_terminate_within_an_event_sub_process_ends_that_one(self):
        inner = drawing.event_sub(
            "h", start("hs", drawing.message("go"), isInterrupting="false"), parallel("g"), user("u"), user("v"), end("stop", drawing.terminate()),
            end("he"), flows("hs > g > u > stop", "g > v > he"),
        )  # fmt: skip
        case = Case(net(start(), user("a"), end(), inner, flows("s > a > e"))).message("go")
        assert case.waits == ["a", "message:hs", "u", "v"]
        assert case.complete("u").waits == ["a", "message:hs"]

    def test_a_completion_condition_sees_locals_and_counters(self):
        seen: list[dict[str, Any]] = []

        class Watching(Case):
            def evaluate(self, expression: str, local: Mapping[str, Any]) -> Any:
                if expression == "until":
                    seen.append(dict(local))
                    return False
                return super().evaluate(expression, local)

        drawn = net(start(), user("a", drawing.multi(collection="units", variable="unit", until="until")), end(), flows("s > a > e"))
        case = Watching(drawn, units=["x", "y", "z"])
        case.complete("a", 1).complete("a", 1)
        assert [(names["unit"], names["loop_index"]) for names in seen] == [("y", 1), ("z", 2)]
        assert [(names["nrOfInstances"], names["nrOfCompletedInstances"], names["nrOfActiveInstances"]) for names in seen] == [
            (3, 1, 2),
            (3, 2, 1),
        ]

    def test_the_outcome_is_the_last_end_of_the_process_itself(self):
        inner = sub("w", start("s1"), user("b"), end("inner"), flows("s1 > b > inner"))
        drawn = net(start(), parallel("g"), user("a"), inner, end("of_a"), end("of_w"), flows("s > g > a > of_a", "g > w > of_w"))
        assert Case(drawn).complete("b").complete("a").ended == "of_a"
        assert Case(drawn).complete("a").complete("b").ended == "of_w"

    def test_work_that_fails_without_a_code_rests_and_is_tried_again(self):
        case = Played("service_task", fails={"notify": ""})
        assert case.waits == ["service:notify"]  # the event for the code UNREACHABLE does not hear it
        again = tokens.retry(case.net, case.marking, case.wait("notify"), case)
        assert again.marking.tokens == case.marking.tokens
        case.fails.clear()
        assert tokens.retry(case.net, case.marking, case.wait("notify"), case).marking.ended == "told"


# --- Flat, and bounded ------------------------------------------------------------------------------------------------------------------


def test_three_thousand_rounds_of_sending_back_do_not_grow():
    """差戻し三千回：記録される印の長さは、番号の桁のほかは変わらない。"""
    case = Played("send_back").complete("draft").complete("review")

    def length() -> int:
        return len(re.sub(r"\d+", "0", case.marking.dump()))

    case.send_back("decide", "draft").completes("draft", "review")
    first, size = len(case.marking.dump()), length()
    for _ in range(3_000):
        case.send_back("decide", "draft").completes("draft", "review")
        assert length() == size
    assert len(case.marking.dump()) <= first + 4 * len(re.findall(r"\d+", case.marking.dump()))


def test_three_thousand_rounds_by_drawn_flow_do_not_grow():
    case = Played("exclusive_gateway", incomplete=True)
    shapes = set()
    for _ in range(3_000):
        case.complete("review")
        shapes.add(re.sub(r"\d+", "0", case.marking.dump()))
    assert len(shapes) == 1


def chain(length: int) -> bytes:
    names = [f"t{number}" for number in range(length - 2)]
    return diagram(start(), *(user(name) for name in names), end(), flows(" > ".join(["s", *names, "e"])))


def test_a_chain_of_three_hundred_nodes_runs():
    case = Case(parse_bundle({"p.bpmn": chain(300)}, "p"))
    for number in range(298):
        assert case.waits == [f"t{number}"]
        case.complete(f"t{number}")
    assert case.ended == "e"


def test_a_chain_of_six_hundred_nodes_is_refused_with_the_limit():
    with pytest.raises(DefinitionRefused) as refused:
        parse_bundle({"p.bpmn": chain(600)}, "p")
    assert [finding.rule for finding in refused.value.findings] == ["too_many_nodes"]
    assert "300" in refused.value.findings[0].message


# --- The table --------------------------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Row:
    """One row of the first table.

    Attributes:
        codes: what stands as code in its first column; `keys` are those outside parentheses, of which the row is the one row.
    """

    element: str
    codes: tuple[str, ...]
    keys: tuple[str, ...]
    rule: str
    section: str
    diagrams: tuple[str, ...]
    tests: tuple[str, ...]


def rows_under(header: str) -> list[list[str]]:
    """The cells of every table of the page that has this header."""
    found, inside = [], False
    for line in TABLE.read_text(encoding="utf-8").splitlines():
        if line.startswith(header):
            inside = True
        elif not line.startswith("|"):
            inside = False
        elif inside and not line.startswith("|---"):
            found.append([cell.strip() for cell in line.strip("|").split(" | ")])
    return found


def table() -> list[Row]:
    rows = []
    for cells in rows_under("| Element |"):
        element, status, _, _, section, drawn, tests = cells
        assert status == "yes" or re.fullmatch(r"refused: `\w+`", status), status
        rule = "" if status == "yes" else status.split("`")[1]
        diagrams = tuple(re.findall(r"\]\(\.\./tests/engine/conformance/(\w+)\.bpmn\)", drawn))
        codes, keys = (tuple(re.findall(r"`([^`]+)`", text)) for text in (element, re.sub(r"\([^)]*\)", "", element)))
        rows.append(Row(element, codes, keys, rule, section, diagrams, tuple(re.findall(r"`([^`]+)`", tests))))
    return rows


ROWS = table()
REFUSED = [(row, name) for row in ROWS if row.rule for name in row.diagrams]

#: Where an event can be drawn. A frame around it makes the rest of the diagram sound.
POSITIONS = ("startEvent", "eventSubProcess", "intermediateCatchEvent", "intermediateThrowEvent", "boundaryEvent", "endEvent")
DEFINITIONS = {
    "none": "",
    "message": drawing.message("go"),
    "timer": drawing.timer("P1D"),
    "signal": drawing.signal("go"),
    "conditional": drawing.condition("x"),
    "error": drawing.error("A"),
    "escalation": drawing.escalation("A"),
    "link": drawing.link("L"),
    "terminate": drawing.terminate(),
    "compensate": "<bpmn:compensateEventDefinition/>",
    "cancel": "<bpmn:cancelEventDefinition/>",
    "multiple": drawing.message("go") + drawing.signal("go"),
    "parallelMultiple": drawing.message("go") + drawing.signal("go"),
}


def event_drawn(position: str, kind: str, *, interrupting: bool = True) -> bytes:
    """A sound diagram with just this event."""
    event = DEFINITIONS[kind]
    more = {"parallelMultiple": "true"} if kind == "parallelMultiple" else {}
    if position == "startEvent":
        return diagram(drawing.element("startEvent", "s", event, **more), user("a"), end(), flows("s > a > e"))
    if position == "eventSubProcess":
        more |= {} if interrupting else {"isInterrupting": "false"}
        inner = drawing.event_sub("h", drawing.element("startEvent", "x", event, **more), user("b"), end("he"), flows("x > b > he"))
        return diagram(start(), user("a"), end(), inner, flows("s > a > e"))
    if position == "boundaryEvent":
        more |= {} if interrupting else {"cancelActivity": "false"}
        host = sub("a", start("s1"), user("u"), end("e1"), flows("s1 > u > e1"))
        return diagram(
            start(), host, drawing.element("boundaryEvent", "x", event, attachedToRef="a", **more), end(), flows("s > a > e", "x > e")
        )
    if position == "endEvent":
        return diagram(start(), user("a"), end("x", event), flows("s > a > x"))
    if kind == "link":
        return diagram(
            start(), user("a"), drawing.throw("t", event), drawing.catch("c", event), end(), flows("s > a > t", "c > e")
        )  # fmt: skip
    more = more if position == "intermediateCatchEvent" else {}
    return diagram(start(), drawing.element(position, "x", event, **more), user("a"), end(), flows("s > x > a > e"))


def rules_of(files: Mapping[str, bytes], process_id: str) -> set[str]:
    """The rules by which these files are refused; none when they are taken."""
    try:
        parse_bundle(files, process_id)
    except DefinitionRefused as refused:
        return {finding.rule for finding in refused.findings if getattr(finding, "severity", "error") == "error"}
    return set()


@cache
def functions(file: str) -> dict[str, str]:
    """Every test function of a file (`test_x`, `TestY::test_z`) with its text and decorators."""
    text = (Path(__file__).parent / file).read_text(encoding="utf-8")
    lines = text.splitlines()
    found: dict[str, str] = {}

    def walk(body: list[ast.stmt], prefix: str) -> None:
        for item in body:
            if isinstance(item, ast.ClassDef):
                walk(item.body, f"{item.name}::")
            elif isinstance(item, ast.FunctionDef) and item.name.startswith("test_"):
                first = min([item.lineno, *(decorator.lineno for decorator in item.decorator_list)])
                found[prefix + item.name] = "\n".join(lines[first - 1 : item.end_lineno])

    walk(ast.parse(text).body, "")
    return found


def source_of(test: str) -> str:
    """The text of a test that the page names; KeyError when there is none."""
    file, _, name = test.rpartition(".py::")
    return functions(f"{file}.py" if file else Path(__file__).name)[name or test]


@pytest.mark.parametrize(("row", "name"), REFUSED, ids=[name for _, name in REFUSED])
def test_refused(row: Row, name: str):
    files = files_of(name)
    assert row.rule in rules_of(files, name)


#: What has to run, whatever else is refused.
MUST_RUN = [
    *("userTask", "serviceTask", "businessRuleTask", "sendTask", "receiveTask", "manualTask"),
    *("exclusiveGateway", "parallelGateway", "inclusiveGateway", "eventBasedGateway"),
    *("subProcess", "callActivity", "multiInstanceLoopCharacteristics", "sequenceFlow"),
    *(f"eventSubProcess {kind}" for kind in ("timer", "message", "signal", "escalation", "error")),
    *(f"boundaryEvent {kind}" for kind in ("timer", "message", "signal", "escalation", "error", "conditional")),
    *(f"intermediateCatchEvent {kind}" for kind in ("timer", "message", "signal", "link", "conditional")),
    *(f"intermediateThrowEvent {kind}" for kind in ("none", "message", "signal", "escalation", "link")),
    *(f"endEvent {kind}" for kind in ("none", "terminate", "error", "escalation", "message", "signal")),
    *(f"startEvent {kind}" for kind in ("none", "message", "timer", "signal")),
]


class TestTable:
    def test_what_must_run_is_in_the_table_as_supported(self):
        supported = {key for row in ROWS if not row.rule for key in row.keys}
        assert [key for key in MUST_RUN if key not in supported] == []

    def test_every_diagram_is_in_the_table_and_every_row_has_one(self):
        drawn = {path.stem for path in FOLDER.glob("*.bpmn")}
        named = {name for row in ROWS for name in row.diagrams}
        assert named == drawn
        assert [row.element for row in ROWS if not row.diagrams] == []
        assert [row.element for row in ROWS if not row.codes] == []
        assert [row.element for row in ROWS if not row.section] == []

    def test_every_row_names_a_test_that_plays_its_diagram(self):
        for row in ROWS:
            assert row.tests, row.element
            if row.rule:
                assert row.tests == ("test_refused",)
                continue
            texts = [source_of(test) for test in row.tests]
            for name in row.diagrams:
                shown = any(
                    f'"{name}"' in text or (f"{name}" in KINDS and "KINDS" in text) or (name in BOUNDARIES and "BOUNDARIES" in text)
                    for text in texts
                )
                called = any(name in called_processes((FOLDER / f"{other}.bpmn").read_bytes()) for other in row.diagrams if other != name)
                assert shown or called, (row.element, name)

    def test_no_supported_diagram_is_refused(self):
        for name in {name for row in ROWS if not row.rule for name in row.diagrams}:
            assert rules_of(files_of(name), name) == set(), name

    def test_a_key_stands_in_one_row(self):
        keys = [key for row in ROWS for key in row.keys]
        assert sorted(keys) == sorted(set(keys))

    @pytest.mark.parametrize("position", POSITIONS)
    @pytest.mark.parametrize("kind", DEFINITIONS)
    def test_every_event_at_every_place_is_taken_or_refused_as_the_table_says(self, position: str, kind: str):
        row = next((row for row in ROWS if f"{position} {kind}" in row.keys), None)
        assert row is not None, f"`{position} {kind}` is not in the table"
        found = rules_of({"p.bpmn": event_drawn(position, kind)}, "p")
        assert (row.rule in found) if row.rule else not found, (row.rule, found)

    @pytest.mark.parametrize("position", ["eventSubProcess", "boundaryEvent"])
    @pytest.mark.parametrize("kind", ["message", "timer", "signal", "conditional", "escalation", "error"])
    def test_every_event_but_an_error_may_leave_its_activity_running(self, position: str, kind: str):
        found = rules_of({"p.bpmn": event_drawn(position, kind, interrupting=False)}, "p")
        assert found == ({"error_interrupts"} if kind == "error" else set())

    def test_everything_the_schema_lets_a_modeller_draw_is_in_the_table(self):
        schema = etree.fromstring(SCHEMA.read_bytes())
        groups = ("flowElement", "artifact", "loopCharacteristics", "conversationNode", "choreography", "performer", "resourceRole")
        drawn = {
            item.get("name")
            for item in schema.iter("{http://www.w3.org/2001/XMLSchema}element")
            if item.get("substitutionGroup") in groups or str(item.get("name")).startswith("global")
        } | {"participant", "lane", "messageFlow", "dataInput", "dataOutput", "dataInputAssociation", "dataOutputAssociation", "property"}
        drawn -= {"event", "implicitThrowEvent"} | {
            key.split()[0] for row in ROWS for key in row.keys if " " in key
        }  # without a symbol, or in the rows of events
        missing = drawn - {key for row in ROWS for key in row.keys}
        assert missing == set()

    def test_every_element_of_the_rows_is_drawn_in_their_diagrams(self):
        """The code of a row is an element or attribute of its diagrams, with the kind of event it names; of a refused row, the first one."""
        for row in ROWS:
            present = set()
            for name in row.diagrams:
                for element in etree.fromstring((FOLDER / f"{name}.bpmn").read_bytes()).iter(f"{{{BPMN}}}*"):
                    present |= {tag_of(element), *element.attrib}
            for key in row.codes if not row.rule else row.codes[:1]:
                tag, _, kind = key.partition(" ")
                wanted = {"eventSubProcess": "subProcess"}.get(tag, tag)
                assert wanted in present, (row.element, key)
                if not row.rule and kind in DEFINITIONS and kind not in ("none", "multiple", "parallelMultiple"):
                    assert f"{kind}EventDefinition" in present, (row.element, key)

    def test_every_policy_is_shown_by_tests(self):
        """Each paragraph of POLICIES that opens with *words* has its rows, and each row's tests exist."""
        policies = re.findall(r"^\*([^*]+?)\.?\*", tokens.__doc__ or "", re.MULTILINE)
        rows = rows_under("| Policy |")
        assert len(policies) >= 11
        named = {cells[0] for cells in rows}
        assert [policy for policy in policies if policy not in named] == []
        assert named <= set(policies)
        for cells in rows:
            tests = re.findall(r"`([^`]+)`", cells[2])
            assert tests, cells
            for test in tests:
                assert source_of(test)

    def test_every_difference_is_shown_by_tests(self):
        rows = rows_under("| What | The standard |")
        assert len(rows) >= 6
        for cells in rows:
            tests = re.findall(r"`([^`]+)`", cells[3])
            assert tests, cells
            for test in tests:
                assert test == "test_refused" or source_of(test)

    def test_links_to_policies_name_one(self):
        policies = set(re.findall(r"^\*([^*]+?)\.?\*", tokens.__doc__ or "", re.MULTILINE))
        for cells in rows_under("| Element |"):
            for name in re.findall(r"\[([^\]]+)\]\(\.\./engine/tokens\.py\)", cells[3]):
                assert name in policies, name


# --- The drawings -----------------------------------------------------------------------------------------------------------------------

DRAWN = sorted(path.stem for path in FOLDER.glob("*.bpmn"))


@pytest.mark.parametrize("name", DRAWN)
def test_every_diagram_is_laid_out(name: str):
    """So that it opens in a modeller: every node has its place, every flow leads from edge to edge, nothing lies on anything else."""
    root = etree.fromstring((FOLDER / f"{name}.bpmn").read_bytes())
    boxes = {}
    for shape in root.iter(f"{{{BPMNDI}}}BPMNShape"):
        bounds = shape.find(f"{{{DC}}}Bounds")
        boxes[shape.get("bpmnElement")] = tuple(int(bounds.get(key)) for key in ("x", "y", "width", "height"))
    lines = {
        edge.get("bpmnElement"): [(int(point.get("x")), int(point.get("y"))) for point in edge.iter(f"{{{DI}}}waypoint")]
        for edge in root.iter(f"{{{BPMNDI}}}BPMNEdge")
    }
    named = {item.get("id") for item in root.iter(f"{{{BPMN}}}*") if item.get("id")}
    assert set(boxes) | set(lines) <= named
    for container in root.iter(f"{{{BPMN}}}process", *(f"{{{BPMN}}}{scope}" for scope in SCOPES)):
        nodes = [child for child in container if is_node(child)]
        for node in nodes:
            x, y, wide, tall = boxes[node.get("id")]
            if container.get("id") in boxes:
                cx, cy, cw, ch = boxes[container.get("id")]
                assert cx <= x and cy <= y and x + wide <= cx + cw and y + tall <= cy + ch
            for other in nodes:
                if other is not node and not {tag_of(node), tag_of(other)} & {"boundaryEvent"}:
                    ox, oy, ow, oh = boxes[other.get("id")]
                    assert x + wide <= ox or ox + ow <= x or y + tall <= oy or oy + oh <= y, (node.get("id"), other.get("id"))
        for flow in container.iterchildren(f"{{{BPMN}}}sequenceFlow"):
            line = lines[flow.get("id")]
            assert len(line) >= 2
            for point, end_id in ((line[0], flow.get("sourceRef")), (line[-1], flow.get("targetRef"))):
                x, y, wide, tall = boxes[end_id]
                assert x <= point[0] <= x + wide and y <= point[1] <= y + tall
    assert len(lines) == len(set(map(tuple, lines.values())))


def test_a_drawing_without_places_gets_them():
    """What draws the places of new diagrams gives the same ones again."""
    data = (FOLDER / "boundary_timer.bpmn").read_bytes()
    root = etree.fromstring(data, etree.XMLParser(remove_blank_text=True))
    for drawn in root.findall(f"{{{BPMNDI}}}BPMNDiagram"):
        root.remove(drawn)
    bare = etree.tostring(root)
    assert b"BPMNShape" not in bare
    assert laid_out(bare) == laid_out(data)
    assert laid_out(bare).count(b"<bpmndi:BPMNShape") == 10
