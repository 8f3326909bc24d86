"""Behaviour of the token game that no other test held it to, found by changing the game at random (docs/mutation.md)."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from engine import play, tokens
from engine.errors import BadInstances, ExpressionError, NotSendBack, NotWaiting, NoWayOut, TooManySteps
from engine.net import EventSpec, FieldSpec, Flow, Kind, MultiSpec, Node, Scope, Timer, read_timer
from engine.play import Play
from engine.tokens import BpmnError, ServiceFailed, Wait
from tests.engine.drawing import (
    Case,
    boundary,
    catch,
    condition,
    element,
    end,
    error,
    event_sub,
    exclusive,
    flows,
    inclusive,
    message,
    multi,
    net,
    parallel,
    properties,
    service,
    start,
    sub,
    throw,
    timer,
    user,
)

STEP = Node(0, "a", "a", Kind.TASK, "", 0)


class TestLocals:
    """Names that only a frame and what is in it can read."""

    def test_a_repetition_inside_another_reads_the_outer_one(self) -> None:
        """How often the inner one is done and when it has been done enough may depend on which outer one it lies in."""
        inner = user("u", multi(times="loop_index + 1", until='group == "short"'))
        repeated = sub("w", multi(collection="groups", variable="group"), start("s1"), inner, end("e1"), flows("s1 > u > e1"))
        case = Case(net(start(), repeated, end(), flows("s > w > e")), groups=["long", "short"])
        found = [wait.local for wait in tokens.waiting(case.net, case.marking)]
        assert [(local["group"], local["loop_index"]) for local in found] == [("long", 0), ("short", 0), ("short", 1)]
        assert case.complete("u", 1).waits == ["u"]
        assert case.wait("u").local["group"] == "long"

    def test_a_conditional_event_reads_the_names_of_its_own_frame(self) -> None:
        inner = user("u") + boundary("x", "u", condition("go and unit == 'b'")) + user("late")
        repeated = sub(
            "w", multi(collection="units", variable="unit"), start("s1"), inner, end("e1"), flows("s1 > u > e1", "x > late > e1")
        )
        case = Case(net(start(), repeated, end(), flows("s > w > e")), units=["a", "b"])
        assert case.waits == ["conditional:x", "conditional:x", "u", "u"]
        assert case.touch(go=True).waits == ["conditional:x", "late", "u"]
        assert (case.wait("u").local["unit"], case.wait("late").local["unit"]) == ("a", "b")

    @pytest.mark.parametrize("split", [exclusive, inclusive, user])
    def test_the_condition_of_a_flow_reads_the_names_of_its_own_frame(self, split: Callable[..., str]) -> None:
        inside = start("s1") + user("u") + split("g", default="g_no") + user("yes") + user("no") + end("e1")
        ways = flows("s1 > u > g", "g > yes : unit == 'b'", "g > no", "yes > e1", "no > e1")
        case = Case(
            net(start(), sub("w", multi(collection="units", variable="unit"), inside, ways), end(), flows("s > w > e")), units=["a", "b"]
        )
        case.complete("u").complete("u")
        for _ in range(2 if split is user else 0):
            case.complete("g")
        assert (case.wait("yes").local["unit"], case.wait("no").local["unit"]) == ("b", "a")

    @pytest.mark.parametrize("name", ["nrOf{}Instances", "numberOf{}Instances"])
    def test_the_completion_condition_counts_under_two_names(self, name: str) -> None:
        """Those of Camunda and those of the standard."""
        until = " and ".join(f"{name.format(what)} == {count}" for what, count in (("", 4), ("Completed", 1), ("Active", 3)))
        assert Case(net(start(), user("a", multi(times="4", until=until)), end(), flows("s > a > e"))).complete("a").ended == "e"


class TestRefusals:
    """Whoever reads a refusal learns what it is about: the ids are in it."""

    @pytest.mark.parametrize(
        ("how", "facts", "why"),
        [
            (multi(collection="x"), {"x": "text"}, "「x」はリストではありません"),
            (multi(times="n"), {"n": "1"}, "「n」は0以上の整数ではありません"),
            (multi(times="n"), {"n": 101}, "101件、上限100件"),
        ],
    )
    @pytest.mark.parametrize(("name", "shown"), [("聴取", "聴取"), ("", "a")])
    def test_a_repetition_that_cannot_be_counted(self, how: str, facts: dict[str, Any], why: str, name: str, shown: str) -> None:
        """The step by its name, or by its id when it has none; and the reason."""
        with pytest.raises(BadInstances) as refused:
            Case(net(start(), user("a", how, name=name), end(), flows("s > a > e")), **facts)
        assert refused.value.ids == {"node": shown, "why": why}

    @pytest.mark.parametrize("split", [exclusive, inclusive, user])
    @pytest.mark.parametrize(("name", "shown"), [("分岐", "分岐"), ("", "g")])
    def test_a_step_that_cannot_be_left(self, split: Callable[..., str], name: str, shown: str) -> None:
        """Only a version stored before the gate asked for a default can come to this."""
        drawn = net(start(), user("a"), split("g", default="g_b", name=name), user("b"), end(), flows("s > a > g > b > e", "g > e : x"))
        drawn = replace(
            drawn, flows=tuple(replace(flow, default=False, condition="x" if flow.id == "g_b" else flow.condition) for flow in drawn.flows)
        )
        with pytest.raises(NoWayOut) as refused:
            Case(drawn).complete("a").complete("g")
        assert refused.value.ids == {"node": shown}

    def test_an_only_flow_with_a_condition_is_no_way_out_either_while_it_is_not_true(self) -> None:
        drawn = net(start(), user("a"), user("b"), end(), flows("s > a > b > e"))
        drawn = replace(drawn, flows=tuple(replace(flow, condition="x" if flow.id == "a_b" else None) for flow in drawn.flows))
        with pytest.raises(NoWayOut):
            Case(drawn, x=False).complete("a")
        assert Case(drawn, x=True).complete("a").waits == ["b"]

    def test_a_completion_condition_that_cannot_decide_is_quoted(self) -> None:
        case = Case(net(start(), user("a", multi(times="2", until="answer")), end(), flows("s > a > e")), answer="yes")
        with pytest.raises(ExpressionError) as refused:
            case.complete("a")
        assert refused.value.ids["source"] == "answer"

    def test_a_condition_that_cannot_decide_is_quoted(self) -> None:
        drawn = net(start(), user("a"), exclusive("g", default="g_b"), user("b"), end(), flows("s > a > g > b > e", "g > e : answer"))
        with pytest.raises(ExpressionError) as refused:
            Case(drawn, answer="no").complete("a")
        assert refused.value.ids["source"] == "answer"

    def test_an_act_on_what_does_not_wait(self) -> None:
        drawn = net(start(), user("a"), user("b", properties(send_back_to="a")), user("c"), end(), flows("s > a > b > c > e"))
        case = Case(drawn).complete("a")
        wait = case.wait("b")
        acts: list[tuple[object, Any]] = [
            (99, lambda: tokens.complete(drawn, case.marking, 99, case)),
            (99, lambda: tokens.send_back(drawn, case.marking, 99, "a", case)),
            (wait.key, lambda: tokens.retry(drawn, case.marking, wait, case)),
            (wait.key, lambda: tokens.fire(drawn, case.marking, wait, case)),
            ("go", lambda: tokens.deliver(drawn, case.marking, "message", "go", case)),
            ("go", lambda: tokens.start(drawn, case, "go")),
            ("done", lambda: tokens.cancel(drawn, tokens.cancel(drawn, case.marking, "done").marking, "again")),
        ]
        for named, act in acts:
            with pytest.raises(NotWaiting) as refused:
                act()
            assert refused.value.ids == {"wait": named}
        with pytest.raises(NotSendBack) as back:
            case.send_back("b", "c")
        assert back.value.ids == {"to": "c"}

    def test_what_a_host_raises_says_its_code_or_reason(self) -> None:
        assert str(BpmnError("A")) == "A"
        assert str(ServiceFailed("timeout")) == "timeout"


class TestConditions:
    def test_all_conditional_events_are_looked_at_before_anything_moves(self) -> None:
        """One that is gone, because another ended what it sat on, does not keep those after it waiting."""
        inner = sub("w", start("s1"), user("u"), boundary("y", "u", condition("go")), end("e1"), flows("s1 > u > e1", "y > e1"))
        drawn = net(
            start(), parallel("g"), inner, boundary("x", "w", condition("go")), service("clear", "set:cleared"),
            user("a"), user("b"), boundary("z", "b", condition("go and not cleared")), user("c"), end(),
            flows("s > g > w > e", "x > clear > e", "g > a > b > e", "z > c > e"),
        )  # fmt: skip
        case = Case(drawn).complete("a")
        assert case.waits == ["b", "conditional:x", "conditional:y", "conditional:z", "u"]
        assert case.touch(go=True).waits == ["c"]

    def test_a_condition_that_became_false_does_not_reset_the_other_events_of_its_step(self) -> None:
        drawn = net(
            start(), user("a"), boundary("t", "a", timer("R3/P1D"), interrupting=False), boundary("x", "a", condition("x"), interrupting=False),
            boundary("y", "a", condition("y"), interrupting=False), end("late"), end("ex"), end("ey"), end(),
            flows("s > a > e", "t > late", "x > ex", "y > ey"),
        )  # fmt: skip
        case = Case(drawn).fire("t").touch(x=True, y=True)
        assert [name for name, what in case.trace if what == "entered"] == ["x", "y", "ex", "ey"]
        assert case.touch(x=False).wait("t").fired == 1
        assert case.touch(x=True).trace == [("x", "entered"), ("x", "left"), ("ex", "entered"), ("ex", "left")]

    def test_of_a_condition_is_remembered_whether_it_was_last_seen_true(self) -> None:
        drawn = net(
            start(), user("a"), boundary("x", "a", condition("x"), interrupting=False), end("ex"), end(), flows("s > a > e", "x > ex")
        )
        case = Case(drawn)
        owner, index = case.wait("x").owner, case.wait("x").node.index
        for seen in (True, True, False, True):
            assert case.touch(x=seen).marking.tokens[owner].armed == ((index, int(seen)),)

    def test_who_holds_facts_otherwise_is_asked_for_each_event_with_its_place(self) -> None:
        """The checker does not hold all facts and answers `becomes` itself."""
        asked: list[tuple[int, str, int]] = []

        class Asked(Play):
            __slots__ = ()

            def becomes(self, owner: int, node: Node, frame: int) -> bool:
                asked.append((owner, node.id, frame))
                return False

        case = Case(net(start(), user("a"), boundary("x", "a", condition("x")), end(), flows("s > a > e", "x > e")))
        owner = case.wait("a").owner
        Asked(case.net, case, case.marking).settle()
        assert asked == [(owner, "x", 1)]


class TestStart:
    def test_a_process_that_only_starts_by_events_starts_by_the_first(self) -> None:
        drawn = net(
            start("by_message", message("go")), start("by_time", timer("P1D")), user("a"), user("b"), end(),
            flows("by_message > a > e", "by_time > b > e"),
        )  # fmt: skip
        assert [node.id for node in drawn.starts] == ["by_message", "by_time"]
        assert drawn.start.id == "by_message"
        assert Case(drawn).waits == ["a"]

    def test_the_name_of_an_outcome(self) -> None:
        """What has not ended has none, and one that no end event gave is shown as it is."""
        drawn = net(start(), user("a"), end("done", name="終結"), end(), flows("s > a > done", "a > e"))
        assert [drawn.outcome_name(outcome) for outcome in (None, "done", "e", "error:A")] == ["", "終結", "e", "error:A"]


class TestOrder:
    def test_each_instance_of_a_repeated_sender_goes_last(self) -> None:
        """What another throw leads to in the same act is armed before the instance sends, and hears it."""
        drawn = net(
            start(), parallel("g"), element("sendTask", "a", multi(times="1"), messageRef="m_go", camunda_topic="tell"),
            throw("t", message("stop")), catch("c", message("go")), user("u"), end(),
            flows("s > g > a > e", "g > t > c > u > e"),
        )  # fmt: skip
        assert Case(drawn).waits == ["u"]

    def test_a_sender_whose_work_failed_sends_nothing(self) -> None:
        drawn = net(
            start(), parallel("g"), catch("c", message("go")), element("sendTask", "a", messageRef="m_go", camunda_topic="fail:A"),
            boundary("x", "a", error("A")), user("u"), end(), flows("s > g > c > e", "g > a > e", "x > u > e"),
        )  # fmt: skip
        assert Case(drawn).waits == ["message:c", "u"]
        assert Case(drawn, works=True).ended == "e"

    def test_an_act_has_just_as_many_steps_as_the_limit_says(self, monkeypatch: pytest.MonkeyPatch) -> None:
        """One for each element that a token comes to; the refusal names the element at which it was one too many."""
        named, unnamed = (net(start(), user("a"), throw("t"), end(name=name), flows("s > a > t > e")) for name in ("終結", ""))
        monkeypatch.setattr(play, "STEP_LIMIT", 2)
        assert Case(named).complete("a").ended == "e"
        case, other = Case(named), Case(unnamed)
        monkeypatch.setattr(play, "STEP_LIMIT", 1)
        for stuck, shown in ((case, "終結"), (other, "e")):
            with pytest.raises(TooManySteps) as refused:
                stuck.complete("a")
            assert refused.value.ids == {"node": shown}

    def test_numbers_are_given_one_after_another(self) -> None:
        """Short numbers keep the marking small; frames and tokens share them."""
        case = Case(net(start(), user("a", multi(times="2")), end(), flows("s > a > e")))
        assert (sorted({*case.marking.frames, *case.marking.tokens}), case.marking.next) == ([1, 2, 3, 4, 5, 6], 7)


class TestStorage:
    def test_japanese_is_stored_as_it_is_written(self) -> None:
        """Escaped it would take six characters each."""
        case = Case(net(start(), user("a", multi(collection="units", variable="unit")), end(), flows("s > a > e")), units=["北"])
        assert case.marking.dump() == '[1,5,-1,null,[[1],[3,1,1,2,[],[],{"loop_index":0,"unit":"北"}]],[[2,1,1,[],[1,1,0,[]]],[4,3,1]]]'


class TestShape:
    """Two cases that will behave alike have one shape, and only they."""

    @staticmethod
    def apart(*cases: Case) -> None:
        """Every one has a shape of its own, and one that can be hashed."""
        assert len({case.marking.shape() for case in cases}) == len(cases)

    def test_where_tokens_rest(self) -> None:
        drawn = net(start(), user("a"), user("b"), end(), flows("s > a > b > e"))
        self.apart(Case(drawn), Case(drawn).complete("a"), Case(drawn).complete("a").complete("b"))

    def test_what_a_repetition_has_still_to_do(self) -> None:
        drawn = net(start(), user("a", multi(sequential=True, collection="x")), end(), flows("s > a > e"))
        self.apart(Case(drawn, x=[1, 2, 3]), Case(drawn, x=[1, 2]), Case(drawn, x=[1, 4]), Case(drawn, x=[1, 2, 3]).complete("a"))

    def test_what_runs_inside_a_step_or_beside_all_of_them(self) -> None:
        inner = sub("w", start("s1"), user("u"), user("v"), end("e1"), flows("s1 > u > v > e1"))
        beside = event_sub("h", start("hs", message("go"), isInterrupting="false"), user("fix"), end("he"), flows("hs > fix > he"))
        drawn = net(start(), inner, beside, end(), flows("s > w > e"))
        self.apart(Case(drawn), Case(drawn).complete("u"), Case(drawn).message("go"), Case(drawn).message("go").message("go"))

    def test_what_an_instance_is_about_in_whatever_order_it_is_written(self) -> None:
        drawn = net(start(), user("a", multi(collection="x", variable="one")), end(), flows("s > a > e"))
        case = Case(drawn, x=[{"k": 1, "l": 2}])
        self.apart(case, Case(drawn, x=[{"k": 2, "l": 2}]), Case(drawn, x=[{"k": 1}]))
        assert case.marking.shape() == Case(drawn, x=[{"l": 2, "k": 1}]).marking.shape()


class TestTimers:
    @pytest.mark.parametrize(
        ("kind", "text"),
        [
            ("duration", "PT0S"), ("duration", "P100001D"), ("duration", "PT1.5H"), ("duration", "PT２４H"),
            ("date", "2026-11-20T17:00"), ("date", "２０２６-11-20"),
            ("cycle", "R0/P1D"), ("cycle", "R3/PT0S"), ("cycle", "R3/tomorrow"), ("cycle", "R３/P1D"),
        ],
    )  # fmt: skip
    def test_a_time_that_can_never_be_due_is_refused_by_its_text(self, kind: str, text: str) -> None:
        with pytest.raises(ValueError, match=re.escape(text)):
            read_timer(kind, f" {text} ")

    def test_the_shortest_cycle_and_the_longest_duration(self) -> None:
        assert read_timer("cycle", "R1/P1D") == Timer("cycle", "P1D", True, 1)
        assert read_timer("duration", "P100000D") == Timer("duration", "P100000D", True)


class TestDefaults:
    """What whoever draws a net by hand need not say."""

    @pytest.mark.parametrize(
        ("made", "unsaid"),
        [
            (FieldSpec("a", "甲"), {"type": "string", "default": None, "choices": (), "constraints": {}, "properties": {}}),
            (Timer("date", "2026-11-20", True), {"repeat": None}),
            (EventSpec("none"), {"name": "", "code": None, "condition": None, "timer": None, "interrupting": True}),
            (MultiSpec(False), {"collection": None, "cardinality": None, "variable": None, "completion": None, "scope": -1}),
            (Flow(0, "f", 1, 2), {"condition": None, "name": "", "default": False, "virtual": False}),
            (Scope(0, "process", None, None), {"starts": (), "event_starts": (), "joins": ()}),
            (Wait("task", 1, STEP, {}), {"fired": 0}),
            (
                STEP,
                {"source": "", "process": "", "prefix": "", "documentation": "", "lane": "", "candidate_groups": (), "assignee": None}
                | {"form": (), "properties": {}, "topic": None, "expression": None, "decision": None, "event": None, "multi": None}
                | {"called": None, "body": None, "attached": None, "boundaries": (), "incoming": (), "outgoing": ()}
                | {"send_backs": (), "targets": ()},
            ),
        ],
        ids=lambda value: type(value).__name__,
    )
    def test_it_is_a_plain_one(self, made: object, unsaid: dict[str, Any]) -> None:
        assert {name: getattr(made, name) for name in unsaid} == unsaid
