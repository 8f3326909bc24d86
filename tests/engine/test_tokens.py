"""The token game, element by element: what waits after which act, and how a case ends."""

from __future__ import annotations

from dataclasses import replace

import pytest

from engine import tokens
from engine.errors import BadInstances, NotSendBack, NotWaiting, NoWayOut, TooManySteps, UnknownFormat
from engine.marking import FORMAT, Marking
from tests.engine.drawing import (
    Case,
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
    terminate,
    throw,
    timer,
    user,
)


class TestTasks:
    def test_a_user_task_waits_and_its_end_event_is_the_outcome(self):
        case = Case(net(start(), user("a"), end("done", name="終結"), flows("s > a > done")))
        assert case.waits == ["a"]
        case.complete("a")
        assert case.ended == "done"
        assert case.net.outcome_name(case.ended) == "終結"
        assert case.trace == [("a", "left"), ("done", "entered"), ("done", "left")]

    def test_service_business_rule_send_and_plain_tasks_run_through(self):
        case = Case(
            net(
                start(),
                service("a"),
                element("businessRuleTask", "b", camunda_decisionRef="t"),
                element("sendTask", "c", camunda_topic="tell"),
                element("task", "d"),
                end(),
                flows("s > a > b > c > d > e"),
            )
        )
        assert case.ran == ["a", "b", "c"]
        assert case.ended == "e"

    def test_a_manual_task_waits(self):
        case = Case(net(start(), element("manualTask", "a"), end(), flows("s > a > e")))
        assert case.waits == ["a"]
        assert case.complete("a").ended == "e"

    @pytest.mark.parametrize("how", ["message", "complete"])
    def test_a_receive_task_waits_for_its_message_or_for_its_completion(self, how):
        case = Case(net(start(), element("receiveTask", "a", messageRef="m_go"), end(), flows("s > a > e")))
        assert case.waits == ["message:a"]
        assert (case.message("go") if how == "message" else case.complete("a")).ended == "e"

    def test_a_receive_task_without_a_message_is_completed(self):
        case = Case(net(start(), element("receiveTask", "a"), end(), flows("s > a > e")))
        assert case.waits == ["a"]

    def test_completing_twice_is_refused(self):
        case = Case(net(start(), parallel("g"), user("a"), user("b"), end(), flows("s > g > a > e", "g > b > e")))
        owner = case.wait("a").owner
        case.complete("a")
        with pytest.raises(NotWaiting):
            tokens.complete(case.net, case.marking, owner, case)

    def test_several_flows_leave_an_activity_by_their_conditions(self):
        """BPMN 2.0.2, 13.3.1: all flows whose condition is true; the default only when none is."""
        drawn = net(
            start(),
            user("a", default="a_d"),
            user("b"),
            user("c"),
            user("d"),
            end(),
            flows("s > a", "a > b : x", "a > c : y", "a > d", "b > e", "c > e", "d > e"),
        )
        assert Case(drawn, x=True, y=True).complete("a").waits == ["b", "c"]
        assert Case(drawn).complete("a").waits == ["d"]


class TestGateways:
    def test_an_exclusive_gateway_takes_the_first_true_flow_in_document_order(self):
        drawn = net(
            start(), exclusive("g", default="g_a"), user("a"), user("b"), user("c"), end(),
            flows("s > g > a > e", "g > b : n > 1", "g > c : n > 2", "b > e", "c > e"),
        )  # fmt: skip
        assert Case(drawn, n=3).waits == ["b"]
        assert Case(drawn, n=1).waits == ["a"]
        assert Case(drawn).waits == ["a"]

    def test_without_a_true_flow_the_act_does_not_happen(self):
        """The gate asks for a default; a version stored before it did must not move silently."""
        drawn = net(start(), user("a"), exclusive("g", default="g_b"), user("b"), end(), flows("s > a > g", "g > b", "g > e : x", "b > e"))
        drawn = replace(
            drawn, flows=tuple(replace(flow, default=False, condition="x" if flow.id == "g_b" else flow.condition) for flow in drawn.flows)
        )
        case = Case(drawn)
        with pytest.raises(NoWayOut):
            case.complete("a")
        assert case.waits == ["a"]

    def test_a_parallel_join_waits_for_every_branch(self):
        case = Case(net(start(), parallel("g"), user("a"), user("b"), parallel("j"), end(), flows("s > g > a > j > e", "g > b > j")))
        assert case.waits == ["a", "b"]
        assert case.complete("a").waits == ["b"]
        assert case.complete("b").ended == "e"

    def test_a_parallel_join_in_a_loop_counts_arrivals_for_each_flow(self):
        """Two tokens by one flow do not stand for one by each."""
        drawn = net(
            start(), parallel("g"), user("a"), user("b"), parallel("j"), exclusive("again", default="again_e"), exclusive("m"), end(),
            flows("s > m > g > a > j > again > e", "g > b > j", "again > m : more"),
        )  # fmt: skip
        case = Case(drawn, more=True)
        for _ in range(3):
            case.complete("b")
            assert case.waits == ["a"]
            case.complete("a")
            assert case.waits == ["a", "b"]
        case.complete("a")
        assert case.complete("b", more=False).ended == "e"

    def test_two_tokens_by_one_flow_wait_for_two_by_the_other(self):
        drawn = net(
            start(),
            parallel("g"),
            user("a"),
            user("b"),
            exclusive("m"),
            user("c"),
            parallel("j"),
            user("d"),
            end(),
            flows("s > g > a > m", "g > b > m", "m > j > d > e", "g > c > j"),
        )
        case = Case(drawn).complete("a").complete("b")
        assert case.waits == ["c"]
        assert case.complete("c").waits == ["d"]
        assert case.complete("d").ended is None  # the second token by the first flow is left over: a deadlock the checker reports

    def test_two_flows_between_the_same_pair_are_two_flows(self):
        case = Case(
            net(start(), user("a"), parallel("g"), parallel("j"), user("b"), end(), flows("s > a > g", "g > j", "g > j", "j > b > e"))
        )
        assert case.complete("a").waits == ["b"]

    @pytest.mark.parametrize(("x", "y", "waits"), [(True, False, ["a"]), (True, True, ["a", "b"]), (False, False, ["c"])])
    def test_an_inclusive_split_takes_every_true_flow_and_its_join_waits_for_what_was_started(self, x, y, waits):
        drawn = net(
            start(), inclusive("g", default="g_c"), user("a"), user("b"), user("c"), inclusive("j"), user("last"), end(),
            flows("s > g", "g > a : x", "g > b : y", "g > c", "a > j", "b > j", "c > j", "j > last > e"),
        )  # fmt: skip
        case = Case(drawn, x=x, y=y)
        assert case.waits == waits
        for name in waits:
            assert case.waits != ["last"]
            case.complete(name)
        assert case.waits == ["last"]
        assert case.complete("last").ended == "e"

    def test_an_inclusive_join_waits_for_a_boundary_way(self):
        """13.4.3 with boundary events as exits: the token at `a` may still come by its timer's way."""
        drawn = net(
            start(), parallel("g"), user("a"), boundary("late", "a", timer("P1D")), user("b"), user("c"), inclusive("j"), user("last"), end(),
            flows("s > g > a > e", "g > b > j > last > e", "late > c > j"),
        )  # fmt: skip
        case = Case(drawn).complete("b")
        assert case.waits == ["a", "timer:late"]
        assert case.fire("late").waits == ["c"]
        assert case.complete("c").waits == ["last"]

    def test_an_unstructured_inclusive_join_goes_on_when_nothing_can_reach_it(self):
        drawn = net(
            start(), parallel("g"), user("a"), exclusive("x", default="x_e"), user("b"), inclusive("j"), user("last"), end(),
            flows("s > g > a > x > e", "x > j : join", "g > b > j > last > e"),
        )  # fmt: skip
        case = Case(drawn).complete("b")
        assert case.waits == ["a"]
        assert case.complete("a").waits == ["last"]

    def test_an_inclusive_join_in_a_loop(self):
        drawn = net(
            start(), exclusive("m"), inclusive("g", default="g_b"), user("a"), user("b"), inclusive("j"), exclusive("again", default="again_e"), end(),
            flows("s > m > g", "g > a : x", "g > b", "a > j", "b > j", "j > again > e", "again > m : more"),
        )  # fmt: skip
        case = Case(drawn, x=True, more=True)
        for _ in range(3):
            assert case.waits == ["a"]
            case.complete("a")
        case.complete("a", x=False)
        assert case.waits == ["b"]
        assert case.complete("b", more=False).ended == "e"

    def test_an_event_based_gateway_takes_the_first_event(self):
        drawn = net(
            start(), element("eventBasedGateway", "g"), catch("t1", timer("PT5H")), catch("t2", timer("PT1H")), catch("m", message("go")),
            catch("c", condition("x")), element("receiveTask", "r", messageRef="m_stop"),
            user("a"), user("b"), end(), flows("s > g > t1 > a > e", "g > t2 > b > e", "g > m > b", "g > c > b", "g > r > b"),
        )  # fmt: skip
        case = Case(drawn)
        assert case.waits == ["conditional:c", "message:m", "message:r", "timer:t1", "timer:t2"]
        assert case.fire("t2").waits == ["b"]
        assert Case(drawn).fire("t1").waits == ["a"]
        assert Case(drawn).message("go").waits == ["b"]
        assert Case(drawn).message("stop").waits == ["b"]
        assert Case(drawn).touch(x=True).waits == ["b"]


class TestScopes:
    def test_a_sub_process_ends_when_nothing_is_left_in_it(self):
        inner = sub("p1", start("s1"), parallel("g1"), user("a"), user("b"), end("e1"), flows("s1 > g1 > a > e1", "g1 > b > e1"))
        case = Case(net(start(), inner, user("c"), end(), flows("s > p1 > c > e")))
        assert case.complete("a").waits == ["b"]
        assert case.complete("b").waits == ["c"]
        assert case.complete("c").ended == "e"

    def test_a_called_process_is_inlined_under_the_call(self):
        called = diagram(start(), user("a"), call("deeper", "r"), end(), flows("s > a > deeper > e"), id="q")
        deepest = diagram(start(), user("a"), end(), flows("s > a > e"), id="r")
        drawn = net(start(), call("one", "q"), call("two", "q"), end(), flows("s > one > two > e"), q=called, r=deepest)
        case = Case(drawn)
        assert case.waits == ["one/a"]
        assert case.complete("one/a").waits == ["one/deeper/a"]
        assert case.complete("one/deeper/a").waits == ["two/a"]
        case.complete("two/a").complete("two/deeper/a")
        assert case.ended == "e"
        node = drawn.node("one/deeper/a")
        assert (node.element, node.source, node.process, node.prefix) == ("a", "r.bpmn", "r", "one/deeper")
        assert [(item.prefix, item.source) for item in drawn.diagrams][:3] == [("", "p.bpmn"), ("one", "q.bpmn"), ("one/deeper", "r.bpmn")]

    def test_terminate_ends_the_process_or_only_its_sub_process(self):
        both = parallel("g") + user("a") + user("b")
        case = Case(net(start(), both, end("stop", terminate()), end(), flows("s > g > a > stop", "g > b > e")))
        assert case.complete("a").ended == "stop"
        inner = sub("p1", start("s1"), both, end("stop", terminate()), end("e1"), flows("s1 > g > a > stop", "g > b > e1"))
        case = Case(net(start(), inner, user("c"), end(), flows("s > p1 > c > e")))
        assert case.complete("a").waits == ["c"]
        assert ("b", "cancelled") in case.trace

    def test_terminate_in_a_called_process_ends_that_one(self):
        called = diagram(
            start(), parallel("g"), user("a"), user("b"), end("x", terminate()), end(), flows("s > g > a > x", "g > b > e"), id="q"
        )
        case = Case(net(start(), call("one", "q"), user("c"), end(), flows("s > one > c > e"), q=called))
        assert case.complete("one/a").waits == ["c"]


class TestBoundary:
    def drawn(self, event, *, interrupting=True, host=None):
        return net(
            start(),
            host or user("a"),
            boundary("x", "a", event, interrupting=interrupting),
            user("b"),
            user("c"),
            end(),
            flows("s > a > b > e", "x > c > e"),
        )

    def test_an_interrupting_timer(self):
        case = Case(self.drawn(timer("PT24H")))
        assert case.waits == ["a", "timer:x"]
        assert (case.wait("a").is_token, case.wait("x").is_token) == (True, False)
        assert case.fire("x").waits == ["c"]
        assert ("a", "cancelled") in case.trace

    def test_completing_disarms(self):
        case = Case(self.drawn(timer("PT24H")))
        wait = case.wait("x")
        assert case.complete("a").waits == ["b"]
        with pytest.raises(NotWaiting):
            tokens.fire(case.net, case.marking, wait, case)

    def test_a_non_interrupting_timer_fires_once(self):
        assert Case(self.drawn(timer("PT24H"), interrupting=False)).fire("x").waits == ["a", "c"]

    def test_a_cycle_fires_n_times_and_its_wait_keeps_its_key(self):
        case = Case(self.drawn(timer("R3/PT24H"), interrupting=False))
        key = case.wait("x").key
        for fired in range(3):
            assert case.wait("x").key == key
            assert case.wait("x").fired == fired
            case.fire("x")
        assert case.waits == ["a", "c", "c", "c"]

    def test_a_cycle_without_number_goes_on(self):
        case = Case(self.drawn(timer("R/PT24H"), interrupting=False))
        for _ in range(5):
            case.fire("x")
        assert case.waits == ["a", "c", "c", "c", "c", "c", "timer:x"]

    def test_messages_and_signals_stay_armed_when_they_do_not_interrupt(self):
        assert Case(self.drawn(message("go"), interrupting=False)).message("go").message("go", "x").waits == ["a", "c", "c", "message:x"]
        assert Case(self.drawn(signal("go"), interrupting=False)).signal("go").signal("go").waits == ["a", "c", "c", "signal:x"]
        assert Case(self.drawn(message("go"))).message("go").waits == ["c"]
        assert Case(self.drawn(signal("go"))).signal("go").waits == ["c"]

    def test_a_message_nobody_waits_for_is_refused_and_a_signal_is_not(self):
        case = Case(self.drawn(message("go")))
        with pytest.raises(NotWaiting):
            case.message("stop")
        with pytest.raises(NotWaiting):
            tokens.deliver(case.net, case.marking, "message", "stop", case, case.wait("x"))
        assert case.signal("go").waits == ["a", "message:x"]

    def test_a_conditional_fires_when_the_condition_becomes_true(self):
        assert Case(self.drawn(condition("n > 1"))).touch(n=2).waits == ["c"]
        assert Case(self.drawn(condition("n > 1")), n=2).waits == ["c"]  # already true when armed
        case = Case(self.drawn(condition("n > 1"), interrupting=False)).touch(n=2)
        assert case.waits == ["a", "c", "conditional:x"]
        assert case.touch(n=3).waits == ["a", "c", "conditional:x"]
        assert case.touch(n=0).touch(n=5).waits == ["a", "c", "c", "conditional:x"]

    def test_an_error_of_a_service_is_caught_by_its_code(self):
        assert Case(self.drawn(error("A"), host=service("a", "fail:A"))).waits == ["c"]
        assert Case(self.drawn(error(), host=service("a", "fail:A"))).waits == ["c"]
        assert Case(self.drawn(error("B"), host=service("a", "fail:A"))).ended == "error:A"
        assert Case(self.drawn(error("A"), host=service("a", "fail:A")), works=True).waits == ["b"]

    def test_the_exact_code_comes_before_catch_all(self):
        drawn = net(
            start(), service("a", "fail:A"), boundary("all", "a", error()), boundary("exact", "a", error("A")), user("b"), user("c"), end(),
            flows("s > a > e", "all > b > e", "exact > c > e"),
        )  # fmt: skip
        assert Case(drawn).waits == ["c"]

    def test_an_error_end_cancels_everything_in_the_sub_process(self):
        inner = sub(
            "a",
            start("s1"),
            parallel("g"),
            user("u"),
            user("v"),
            end("fail", error("A")),
            end("e1"),
            flows("s1 > g > u > fail", "g > v > e1"),
        )
        case = Case(self.drawn(error("A"), host=inner)).complete("u")
        assert case.waits == ["c"]
        assert ("v", "cancelled") in case.trace
        assert ("a", "cancelled") in case.trace

    def test_an_error_is_not_heard_by_a_sibling(self):
        """SpiffWorkflow fault 19: the boundary of a parallel sibling must not catch."""

        def part(name, *inside):
            return sub(name, start(f"s{name}"), *inside)

        drawn = net(
            start(), parallel("g"),
            part("a", user("ua"), end("ea", error("A")), flows("sa > ua > ea")),
            part("b", user("ub"), end("eb"), flows("sb > ub > eb")),
            boundary("xb", "b", error("A")), boundary("xa", "a", error("A")), user("fa"), user("fb"), end(),
            flows("s > g > a > e", "g > b > e", "xa > fa > e", "xb > fb > e"),
        )  # fmt: skip
        assert Case(drawn).complete("ua").waits == ["fa", "ub"]

    def test_errors_search_outward_through_calls(self):
        called = diagram(start(), user("u"), end("fail", error("B")), flows("s > u > fail"), id="q")
        drawn = net(
            start(), sub("a", start("s1"), call("one", "q"), end("e1"), flows("s1 > one > e1")), boundary("x", "a", error("B")), user("c"), end(),
            flows("s > a > e", "x > c > e"), q=called,
        )  # fmt: skip
        assert Case(drawn).complete("one/u").waits == ["c"]

    def test_an_uncaught_error_ends_the_case(self):
        case = Case(
            net(start(), parallel("g"), user("a"), user("b"), end("fail", error("A")), end(), flows("s > g > a > fail", "g > b > e"))
        ).complete("a")
        assert case.ended == "error:A"
        assert case.waits == []

    @pytest.mark.parametrize(("interrupting", "waits"), [(True, ["c"]), (False, ["c", "v"])])
    def test_an_escalation_is_told_outward(self, interrupting, waits):
        inner = sub("a", start("s1"), user("u"), throw("up", escalation("A")), user("v"), end("e1"), flows("s1 > u > up > v > e1"))
        assert Case(self.drawn(escalation("A"), interrupting=interrupting, host=inner)).complete("u").waits == waits

    def test_an_escalation_end_and_an_escalation_nobody_catches(self):
        inner = sub("a", start("s1"), user("u"), end("up", escalation("A")), flows("s1 > u > up"))
        assert Case(self.drawn(escalation("A"), interrupting=False, host=inner)).complete("u").waits == ["b", "c"]
        assert Case(self.drawn(escalation("B"), host=inner)).complete("u").waits == ["b"]

    def test_the_innermost_catcher_of_an_escalation_takes_it(self):
        inner = sub("i", start("s2"), user("u"), end("up", escalation("A")), flows("s2 > u > up"))
        middle = sub(
            "a",
            start("s1"),
            inner,
            boundary("y", "i", escalation(), interrupting=False),
            user("near"),
            end("e1"),
            flows("s1 > i > e1", "y > near > e1"),
        )
        case = Case(self.drawn(escalation("A"), host=middle)).complete("u")
        assert case.waits == ["near"]


class TestEventSubProcess:
    def drawn(self, event, *, interrupting=True, extra="", more=()):
        inner = event_sub("h", start("hs", event, isInterrupting=str(interrupting).lower()), user("fix"), end("he"), flows("hs > fix > he"))
        return net(start(), user("a"), user("b"), *more, end(), inner, extra, flows("s > a > b > e"))

    @pytest.mark.parametrize(
        ("event", "act"),
        [
            (timer("P1D"), lambda case: case.fire("hs")),
            (message("go"), lambda case: case.message("go")),
            (signal("go"), lambda case: case.signal("go")),
            (condition("x"), lambda case: case.touch(x=True)),
        ],
    )
    def test_interrupting(self, event, act):
        case = Case(self.drawn(event))
        act(case)
        assert case.waits == ["fix"]
        assert ("a", "cancelled") in case.trace
        assert case.complete("fix").ended == "he"

    @pytest.mark.parametrize(
        ("event", "act", "again"),
        [
            (timer("P1D"), lambda case: case.fire("hs"), []),
            (message("go"), lambda case: case.message("go"), ["message:hs"]),
            (signal("go"), lambda case: case.signal("go"), ["signal:hs"]),
            (condition("x"), lambda case: case.touch(x=True), ["conditional:hs"]),
        ],
    )
    def test_not_interrupting(self, event, act, again):
        case = Case(self.drawn(event, interrupting=False))
        act(case)
        assert case.waits == sorted(["a", "fix", *again])
        case.complete("a").complete("b")
        assert case.ended is None
        assert case.waits == sorted(["fix", *again])  # the process ends when its event sub-process has
        assert case.complete("fix").ended == "e"

    def test_a_non_interrupting_one_may_run_several_times_at_once(self):
        case = Case(self.drawn(message("go"), interrupting=False)).message("go").message("go")
        assert case.waits == ["a", "fix", "fix", "message:hs"]

    def test_an_armed_one_does_not_keep_the_process_from_ending(self):
        assert Case(self.drawn(timer("P1D"))).complete("a").complete("b").ended == "e"

    def test_an_error_start(self):
        inner = event_sub("h", start("hs", error("A")), user("fix"), end("he"), flows("hs > fix > he"))
        drawn = net(start(), user("a"), service("b", "fail:A"), end(), inner, flows("s > a > b > e"))
        case = Case(drawn).complete("a")
        assert case.waits == ["fix"]
        assert case.complete("fix").ended == "he"

    def test_an_escalation_start_lets_the_thrower_go_on_unless_it_interrupts(self):
        def drawn(interrupting):
            inner = event_sub(
                "h", start("hs", escalation("A"), isInterrupting=interrupting), user("fix"), end("he"), flows("hs > fix > he")
            )
            return net(start(), user("a"), throw("up", escalation("A")), user("b"), end(), inner, flows("s > a > up > b > e"))

        assert Case(drawn("false")).complete("a").waits == ["b", "fix"]
        assert Case(drawn("true")).complete("a").waits == ["fix"]

    def test_it_does_not_hear_what_is_thrown_inside_itself(self):
        inner = event_sub(
            "h", start("hs", escalation("A"), isInterrupting="false"), user("fix"), end("he", escalation("A")), flows("hs > fix > he")
        )
        drawn = net(start(), user("a"), throw("up", escalation("A")), user("b"), end(), inner, flows("s > a > up > b > e"))
        assert Case(drawn).complete("a").complete("fix").waits == ["b"]

    def test_within_a_sub_process_the_sub_process_then_ends_normally(self):
        inner = event_sub("h", start("hs", message("stop")), user("fix"), end("he"), flows("hs > fix > he"))
        drawn = net(
            start(), sub("w", start("s1"), user("a"), end("e1"), inner, flows("s1 > a > e1")), user("b"), end(), flows("s > w > b > e")
        )
        case = Case(drawn).message("stop")
        assert case.waits == ["fix"]
        assert case.complete("fix").waits == ["b"]
        assert case.complete("b").ended == "e"

    def test_interrupting_ends_other_event_sub_processes_too(self):
        side = event_sub("k", start("ks", message("go"), isInterrupting="false"), user("side"), end("ke"), flows("ks > side > ke"))
        case = Case(self.drawn(signal("stop"), extra=side)).message("go")
        assert case.waits == ["a", "message:ks", "side", "signal:hs"]
        assert case.signal("stop").waits == ["fix"]
        assert ("side", "cancelled") in case.trace

    def test_cancelling_purges_what_is_under_way(self):
        """Two branches move in one act; the first interrupts the frame, so the second must not arrive anywhere."""
        inner = event_sub("h", start("hs", escalation("A")), user("fix"), end("he"), flows("hs > fix > he"))
        drawn = net(
            start(), user("a"), parallel("g"), throw("up", escalation("A")), service("slow"), user("b"), user("c"), end(), inner,
            flows("s > a > g > up > b > e", "g > slow > c > e"),
        )  # fmt: skip
        case = Case(drawn).complete("a")
        assert case.waits == ["fix"]
        assert case.ran == []


class TestMultiInstance:
    def drawn(self, how, host=None):
        return net(start(), host or user("a", how), user("b"), end(), flows("s > a > b > e"))

    def test_parallel_over_a_list(self):
        case = Case(self.drawn(multi(collection="units", variable="unit")), units=["x", "y"])
        assert case.waits == ["a", "a"]
        assert [case.wait("a", number).local for number in (0, 1)] == [{"loop_index": 0, "unit": "x"}, {"loop_index": 1, "unit": "y"}]
        case.complete("a", 1)
        assert case.wait("a").local["loop_index"] == 0
        assert case.complete("a").waits == ["b"]

    def test_sequential_over_a_list_keeps_the_list_as_it_was(self):
        case = Case(self.drawn(multi(sequential=True, collection="${units}", variable="unit")), units=["x", "y"])
        assert case.waits == ["a"]
        case.complete("a", units=[])
        assert case.wait("a").local == {"loop_index": 1, "unit": "y"}
        assert case.complete("a").waits == ["b"]

    def test_a_number_of_times_and_none(self):
        assert Case(self.drawn(multi(times="n + 1")), n=2).waits == ["a", "a", "a"]
        assert Case(self.drawn(multi(collection="units"))).waits == ["b"]
        assert Case(self.drawn(multi(times="0"))).waits == ["b"]

    @pytest.mark.parametrize(
        ("how", "facts"),
        [(multi(collection="x"), {"x": "text"}), (multi(times="n"), {}), (multi(times="n"), {"n": 101}), (multi(times="n"), {"n": -1})],
    )
    def test_what_cannot_be_counted_is_refused(self, how, facts):
        with pytest.raises(BadInstances):
            Case(self.drawn(how), **facts)

    @pytest.mark.parametrize("sequential", [True, False])
    def test_the_completion_condition_ends_the_rest(self, sequential):
        case = Case(self.drawn(multi(sequential=sequential, times="3", until="nrOfCompletedInstances >= 2 or rejected")))
        case.complete("a")
        assert "a" in case.waits
        assert case.complete("a").waits == ["b"]
        assert Case(self.drawn(multi(sequential=sequential, times="3", until="rejected"))).complete("a", rejected=True).waits == ["b"]

    def test_a_boundary_event_belongs_to_the_whole(self):
        drawn = net(
            start(), user("a", multi(times="2")), boundary("x", "a", timer("P1D")), user("b"), end(), flows("s > a > e", "x > b > e")
        )
        case = Case(drawn)
        assert case.waits == ["a", "a", "timer:x"]
        assert case.complete("a").waits == ["a", "timer:x"]
        assert case.fire("x").waits == ["b"]
        assert case.trace.count(("a", "cancelled")) == 1

    def test_sub_processes_and_calls_and_services_repeat(self):
        inner = sub(
            "a", multi(collection="units", variable="unit"), start("s1"), user("u"), service("t"), end("e1"), flows("s1 > u > t > e1")
        )
        case = Case(self.drawn("", inner), units=["x", "y"])
        assert case.waits == ["u", "u"]
        assert case.wait("u", 1).local["unit"] == "y"
        case.complete("u", 1).complete("u")
        assert case.ran == ["t[1]", "t[0]"]
        assert case.waits == ["b"]
        called = diagram(start(), user("u"), end(), flows("s > u > e"), id="q")
        case = Case(net(start(), call("a", "q", multi(sequential=True, times="2")), end(), flows("s > a > e"), q=called))
        assert case.waits == ["a/u"]
        assert case.complete("a/u").complete("a/u").ended == "e"
        case = Case(self.drawn("", service("a", inside=multi(sequential=True, times="3"))))
        assert case.ran == ["a[0]", "a[1]", "a[2]"]

    def test_terminate_ends_one_instance(self):
        inner = sub(
            "a",
            multi(times="2"),
            start("s1"),
            parallel("g"),
            user("u"),
            user("v"),
            end("x", terminate()),
            end("e1"),
            flows("s1 > g > u > x", "g > v > e1"),
        )
        assert Case(self.drawn("", inner)).complete("u").waits == ["u", "v"]


class TestEvents:
    @pytest.mark.parametrize(("event", "act"), [(message("go"), "message"), (signal("go"), "signal")])
    def test_intermediate_catch(self, event, act):
        case = Case(net(start(), catch("c", event), end(), flows("s > c > e")))
        assert case.waits == [f"{act}:c"]
        assert getattr(case, act)("go").ended == "e"

    def test_timer_and_conditional_catch(self):
        case = Case(net(start(), catch("t", timer("2026-11-20")), catch("c", condition("x")), end(), flows("s > t > c > e")))
        assert case.fire("t").waits == ["conditional:c"]
        assert case.touch().waits == ["conditional:c"]
        assert case.touch(x=True).ended == "e"

    def test_a_signal_is_heard_by_all_and_by_what_is_armed_in_the_same_act(self):
        drawn = net(
            start(), user("a"), parallel("g"), throw("t", signal("go")), catch("c1", signal("go")), catch("c2", signal("go")), user("b"), user("c"), end(),
            flows("s > a > g > t > e", "g > c1 > b > e", "g > c2 > c > e"),
        )  # fmt: skip
        assert Case(drawn).complete("a").waits == ["b", "c"]

    def test_a_message_is_taken_by_one(self):
        drawn = net(
            start(),
            parallel("g"),
            catch("c1", message("go")),
            catch("c2", message("go")),
            user("a"),
            user("b"),
            end(),
            flows("s > g > c1 > a > e", "g > c2 > b > e"),
        )
        assert Case(drawn).message("go").waits == ["a", "message:c2"]
        assert Case(drawn).message("go", "c2").waits == ["b", "message:c1"]

    @pytest.mark.parametrize("tag", ["throw", "end", "send"])
    def test_messages_thrown_inside_the_case(self, tag):
        thrower = {
            "throw": throw("t", message("go")),
            "end": end("t", message("go")),
            "send": element("sendTask", "t", messageRef="m_go", camunda_topic="tell"),
        }[tag]
        ways = ["s > g > t" + ("" if tag == "end" else " > e"), "g > c > b > e"]
        case = Case(net(start(), parallel("g"), thrower, catch("c", message("go")), user("b"), end(), flows(*ways)))
        assert case.waits == ["b"]

    def test_signal_end_and_plain_throw(self):
        case = Case(
            net(
                start(),
                parallel("g"),
                throw("n"),
                end("t", signal("go")),
                catch("c", signal("go")),
                user("b"),
                end(),
                flows("s > g > n > t", "g > c > b > e"),
            )
        )
        assert case.waits == ["b"]

    def test_a_throw_that_interrupts_its_own_frame_does_not_go_on(self):
        inner = event_sub("h", start("hs", signal("stop")), user("fix"), end("he"), flows("hs > fix > he"))
        case = Case(net(start(), throw("t", signal("stop")), user("b"), end(), inner, flows("s > t > b > e")))
        assert case.waits == ["fix"]

    def test_a_link_jumps(self):
        case = Case(
            net(start(), user("a"), throw("t", link("L")), catch("c", link("L")), user("b"), end(), flows("s > a > t", "c > b > e"))
        )
        assert case.complete("a").waits == ["b"]

    def test_an_inclusive_join_sees_through_links(self):
        drawn = net(
            start(), parallel("g"), user("a"), throw("t", link("L")), catch("c", link("L")), user("b"), inclusive("j"), user("z"), end(),
            flows("s > g > a > t", "c > j", "g > b > j > z > e"),
        )  # fmt: skip
        assert Case(drawn).complete("b").waits == ["a"]
        assert Case(drawn).complete("b").complete("a").waits == ["z"]

    def test_a_case_starts_by_a_message_a_signal_or_a_timer(self):
        drawn = net(
            start("plain"), start("by_message", message("go")), start("by_signal", signal("stop")), start("by_time", timer("R/P1D")),
            user("a"), user("b"), user("c"), user("d"), end(),
            flows("plain > a > e", "by_message > b > e", "by_signal > c > e", "by_time > d > e"),
        )  # fmt: skip
        assert drawn.start.id == "plain"
        assert Case(drawn).waits == ["a"]
        assert Case(drawn, event="go").waits == ["b"]
        assert Case(drawn, event="stop").waits == ["c"]
        assert Case(drawn, event="by_time").waits == ["d"]
        with pytest.raises(NotWaiting):
            Case(drawn, event="other")


class TestSendBack:
    drawn = net(
        start(), user("a"), exclusive("g", default="g_b"), user("b", properties(send_back_to="a")), boundary("x", "b", timer("P1D")),
        user("c", properties(send_back_to="a, b")), end(), flows("s > a > g > b > c > e", "g > e : skip", "x > e"),
    )  # fmt: skip

    def test_a_step_returns_to_an_earlier_one(self):
        case = Case(self.drawn).complete("a").complete("b").send_back("c", "a")
        assert case.waits == ["a"]
        assert case.trace == [("c", "left"), ("a", "entered")]
        case.complete("a").complete("b").send_back("c", "b")
        assert case.waits == ["b", "timer:x"]
        assert [flow.id for flow in self.drawn.flows if flow.virtual] == ["b~a", "c~a", "c~b"]

    def test_only_where_the_step_allows(self):
        case = Case(self.drawn).complete("a")
        with pytest.raises(NotSendBack):
            case.send_back("b", "c")
        with pytest.raises(NotWaiting):
            tokens.send_back(case.net, case.marking, 99, "a", case)

    def test_within_a_called_process(self):
        called = diagram(start(), user("a"), user("b", properties(send_back_to="a")), end(), flows("s > a > b > e"), id="q")
        case = Case(net(start(), call("one", "q"), end(), flows("s > one > e"), q=called)).complete("one/a")
        assert case.send_back("one/b", "one/a").waits == ["one/a"]
        assert case.complete("one/a").send_back("one/b", "a").waits == ["one/a"]

    def test_three_thousand_rounds_do_not_grow(self):
        case = Case(self.drawn).complete("a").complete("b")
        before = len(case.marking.dump())
        for _ in range(3_000):
            case.send_back("c", "b").complete("b")
        assert len(case.marking.dump()) <= before + 6


class TestLimitsAndStorage:
    def test_a_loop_that_never_waits_ends_in_a_named_error(self):
        drawn = net(
            start(),
            exclusive("m"),
            user("a", multi(collection="none")),
            exclusive("g", default="g_m"),
            end(),
            flows("s > m > a > g > m", "g > e : stop"),
        )
        with pytest.raises(TooManySteps):
            Case(drawn)

    def test_cancel_ends_with_the_given_outcome(self):
        case = Case(net(start(), sub("w", start("s1"), user("a"), end("e1"), flows("s1 > a > e1")), end(), flows("s > w > e")))
        step = tokens.cancel(case.net, case.marking, "withdrawn")
        assert step.marking.ended == "withdrawn"
        assert tokens.waiting(case.net, step.marking) == ()
        assert [passed.node_id for passed in step.trace] == ["a", "w"]
        with pytest.raises(NotWaiting):
            tokens.cancel(case.net, step.marking, "again")

    def test_an_act_does_not_change_the_marking_it_starts_from(self):
        case = Case(net(start(), user("a"), user("b"), end(), flows("s > a > b > e")))
        before, text = case.marking, case.marking.dump()
        case.complete("a")
        assert before.dump() == text

    def test_a_marking_is_small_and_says_its_format(self):
        case = Case(net(start(), user("a"), end(), flows("s > a > e")))
        assert case.marking.dump() == f"[{FORMAT},3,-1,null,[[1]],[[2,1,1]]]"
        with pytest.raises(UnknownFormat):
            Marking.load("[99]")

    def test_cases_that_will_behave_alike_have_one_shape(self):
        parts = (
            start(),
            parallel("g"),
            sub("w", start("s1"), user("a"), end("e1"), flows("s1 > a > e1")),
            user("b"),
            parallel("j"),
            user("c"),
            end(),
        )
        drawn = net(*parts, flows("s > g > w > j > c > e", "g > b > j"))
        one, two = Case(drawn).complete("a").complete("b"), Case(drawn).complete("b").complete("a")
        assert one.marking != two.marking or one.marking.dump() == two.marking.dump()
        assert one.marking.shape() == two.marking.shape()
        assert len({Case(drawn).marking.shape(), Case(drawn).complete("a").marking.shape(), Case(drawn).complete("b").marking.shape()}) == 3
        repeated = Case(net(start(), user("a", multi(collection="x", variable="y")), end(), flows("s > a > e")), x=[{"k": 1}, {"k": 1}])
        assert hash(repeated.marking.shape()) != hash(repeated.complete("a").marking.shape())

    def test_keys_are_never_used_again(self):
        case = Case(TestSendBack.drawn)
        first = case.wait("a").key
        case.complete("a").send_back("b", "a")
        assert case.wait("a").key != first
