"""Would the comparison see it? Known ways to get the token game wrong, each made on purpose, must make a difference in its family.

A mutant changes `engine.play` in this process alone and only while its test runs. `MODELS` bounds how many diagrams of a family may pass
before one differs; the same diagrams are part of tests/engine/test_differential.py, where they pass without a mutant.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from dataclasses import replace
from functools import lru_cache
from typing import Any

import pytest

from engine import play, tokens
from engine.board import Board
from engine.marking import Frame
from engine.net import Kind, Node
from engine.play import Play
from tests.engine.random_models import Model, draw
from tests.engine.test_differential import MODELS, Difference, compare

Patch = pytest.MonkeyPatch
MUTANTS: list[Any] = []

drawn: Callable[[str, int], Model] = lru_cache(maxsize=None)(draw)


def mutant(*families: str) -> Callable[[Callable[[Patch], None]], Callable[[Patch], None]]:
    """Each of these families must tell this mutant."""

    def add(make: Callable[[Patch], None]) -> Callable[[Patch], None]:
        MUTANTS.extend(pytest.param(make, family, id=f"{make.__name__}-{family}") for family in families)
        return make

    return add


@pytest.mark.parametrize(("make", "family"), MUTANTS)
def test_a_mutant_differs_and_without_it_the_same_diagram_does_not(make, family):
    told = False
    for seed in range(MODELS):
        model = drawn(family, seed)
        with pytest.MonkeyPatch.context() as patch:
            make(patch)
            try:
                compare(family, seed, model)
            except Difference as difference:
                told = difference.__cause__ is None  # acting wrongly counts, a crash does not
        if told:
            break
    assert told, f"{make.__name__} was not seen in {MODELS} diagrams of {family}"
    compare(family, seed, model)


def test_there_are_enough_mutants():
    assert len({param.values[0] for param in MUTANTS}) >= 40


# --- flows and gateways -----------------------------------------------------------------------------------------------------------------


@mutant("inclusive_joins", "inclusive_in_blocks", "gateways", "nested_blocks")
def eager_inclusive_join(patch: Patch) -> None:
    def enabled(self: Play, number: int, frame: Frame, join: int) -> bool:
        return bool({flow for flow, _ in frame.arrivals} & set(self.nodes[join].incoming))

    patch.setattr(Play, "enabled", enabled)


@mutant("inclusive_joins", "gateways")
def inclusive_join_waits_although_it_may_come_by_a_filled_flow(patch: Patch) -> None:
    def enabled(self: Play, number: int, frame: Frame, join: int) -> bool:
        arrived = {flow for flow, _ in frame.arrivals}
        if not arrived & set(self.nodes[join].incoming):
            return False
        places = {token.node for token in self.tokens.values() if token.frame == number}
        return not any(reach >> place & 1 for flow, reach in self.net.reach[join] if flow not in arrived for place in places)

    patch.setattr(Play, "enabled", enabled)


@mutant("inclusive_joins", "inclusive_in_blocks")
def inclusive_join_forgets_tokens_at_other_joins(patch: Patch) -> None:
    right = Play.enabled

    def enabled(self: Play, number: int, frame: Frame, join: int) -> bool:
        own = set(self.nodes[join].incoming)
        return right(self, number, frame._replace(arrivals=tuple(pair for pair in frame.arrivals if pair[0] in own)), join)

    patch.setattr(Play, "enabled", enabled)


@mutant("inclusive_in_blocks", "nested_blocks")
def inclusive_split_takes_one_way(patch: Patch) -> None:
    def passing(self: Play, frame: int, node: Node, flow: int) -> None:
        (Play.exclusive if node.kind is Kind.INCLUSIVE else right)(self, frame, node, flow)

    right = Play.passing
    patch.setattr(Play, "passing", passing)


@mutant("joins_in_loops", "double_flows")
def parallel_join_counts_tokens_instead_of_flows(patch: Patch) -> None:
    def parallel(self: Play, frame: int, node: Node, flow: int) -> None:
        if len(node.incoming) > 1:
            arrived = self.add_arrival(frame, flow)
            if sum(arrived.get(index, 0) for index in node.incoming) < len(node.incoming):
                return
            left = tuple(pair for pair in self.frames[frame].arrivals if pair[0] not in node.incoming)
            self.frames[frame] = self.frames[frame]._replace(arrivals=left)
        self.passing(frame, node, flow)

    patch.setitem(play._ARRIVALS, Kind.PARALLEL, parallel)


@mutant("joins_in_loops", "double_flows", "nested_blocks")
def parallel_join_does_not_wait(patch: Patch) -> None:
    patch.setitem(play._ARRIVALS, Kind.PARALLEL, Play.passing)


@mutant("joins_in_loops", "double_flows", "inclusive_joins")
def join_arrivals_are_not_consumed(patch: Patch) -> None:
    patch.setattr(Board, "take_arrivals", lambda self, frame, flows: None)


@mutant("joins_in_loops", "inclusive_joins")
def join_consumes_every_token_of_a_flow(patch: Patch) -> None:
    def take_arrivals(self: Board, frame: int, flows: tuple[int, ...]) -> None:
        left = tuple(pair for pair in self.frames[frame].arrivals if pair[0] not in flows)
        self.frames[frame] = self.frames[frame]._replace(arrivals=left)

    patch.setattr(Board, "take_arrivals", take_arrivals)


@mutant("double_flows")
def double_flow_collapses(patch: Patch) -> None:
    right = Play.follow

    def follow(self: Play, frame: int, node: Node) -> None:
        only = {self.net.flows[index].target: index for index in reversed(node.outgoing)}
        right(self, frame, replace(node, outgoing=tuple(reversed(only.values()))))

    patch.setattr(Play, "follow", follow)


@mutant("gateways", "nested_blocks", "joins_in_loops")
def exclusive_gateway_takes_every_true_way(patch: Patch) -> None:
    patch.setitem(play._ARRIVALS, Kind.EXCLUSIVE, Play.passing)


@mutant("gateways", "nested_blocks")
def default_is_taken_as_well(patch: Patch) -> None:
    right = Play.follow

    def follow(self: Play, frame: int, node: Node) -> None:
        before = len(self.queue)
        right(self, frame, node)
        taken = {move[2] for move in list(self.queue)[before:]}
        for index in node.outgoing:
            if self.net.flows[index].default and index not in taken:
                self.queue.append((frame, self.net.flows[index].target, index))

    patch.setattr(Play, "follow", follow)


@mutant("starts", "nested_blocks", "signals")
def event_gateway_goes_on_waiting(patch: Patch) -> None:
    right = Play.trigger

    def trigger(self: Play, owner: int, index: int) -> None:
        token = self.tokens.get(owner)
        right(self, owner, index)
        if token is not None and token.node != index and self.nodes[token.node].kind is Kind.EVENT_GATEWAY:
            self.tokens[owner] = token

    patch.setattr(Play, "trigger", trigger)


# --- boundary events and timers ---------------------------------------------------------------------------------------------------------


@mutant("timers", "send_backs", "gateways")
def timer_stays_armed_after_its_task_is_completed(patch: Patch) -> None:
    right = Play.leave

    def leave(self: Play, token: int) -> None:
        here = self.tokens[token]
        timers = tuple(pair for pair in here.armed if (event := self.nodes[pair[0]].event) and event.kind == "timer")
        right(self, token)
        frame = self.frames[here.frame]
        self.frames[here.frame] = frame._replace(armed=(*frame.armed, *timers))

    patch.setattr(Play, "leave", leave)


@mutant("timers", "send_backs")
def cycle_never_exhausts(patch: Patch) -> None:
    right = play.rearmed

    def rearmed(armed: Any, node: Node) -> Any:
        assert node.event
        if node.event.timer and node.event.timer.kind == "cycle":
            return tuple((index, state + (index == node.index)) for index, state in armed)
        return right(armed, node)

    patch.setattr(play, "rearmed", rearmed)


@mutant("timers")
def cycle_fires_once(patch: Patch) -> None:
    patch.setattr(play, "rearmed", lambda armed, node: tuple(pair for pair in armed if pair[0] != node.index or not node.event.timer))


@mutant("timers", "send_backs", "gateways")
def boundary_that_adds_interrupts(patch: Patch) -> None:
    _as_if(patch, "boundary", lambda event: True)


@mutant("timers", "messages", "send_backs")
def boundary_that_interrupts_adds(patch: Patch) -> None:
    _as_if(patch, "boundary", lambda event: False)


@mutant("escalations")
def escalation_that_adds_interrupts(patch: Patch) -> None:
    _as_if(patch, "boundary", lambda event: event.interrupting or event.kind == "escalation")


@mutant("nested_frames", "errors", "repeated")
def interrupting_boundary_leaves_inner_frames(patch: Patch) -> None:
    right = Play.boundary

    def boundary(self: Play, owner: int, node: Node) -> None:
        with pytest.MonkeyPatch.context() as inner:
            inner.setattr(Board, "cancel_inside", lambda self, token: None)
            right(self, owner, node)

    patch.setattr(Play, "boundary", boundary)


@mutant("messages", "signals")
def non_interrupting_message_or_signal_is_heard_once(patch: Patch) -> None:
    def rearmed(armed: Any, node: Node) -> Any:
        return tuple(pair for pair in armed if pair[0] != node.index)

    patch.setattr(play, "rearmed", rearmed)


# --- event sub-processes ----------------------------------------------------------------------------------------------------------------


@mutant("event_sub_processes", "nested_blocks")
def event_sub_process_does_not_interrupt(patch: Patch) -> None:
    _as_if(patch, "event_start", lambda event: False)


@mutant("event_sub_processes", "timers")
def event_sub_process_always_interrupts(patch: Patch) -> None:
    _as_if(patch, "event_start", lambda event: True)


@mutant("event_sub_processes", "signals")
def interrupting_event_sub_process_leaves_the_others_armed(patch: Patch) -> None:
    right = Play.event_start

    def event_start(self: Play, number: int, node: Node) -> None:
        before = self.frames[number].armed
        right(self, number, node)
        if not self.frames[number].armed:
            self.frames[number] = self.frames[number]._replace(armed=tuple(pair for pair in before if pair[0] != node.index))

    patch.setattr(Play, "event_start", event_start)


@mutant("interrupted_throws", "event_sub_processes")
def cancelled_frame_leaves_its_moving_tokens_queued(patch: Patch) -> None:
    right = Play.event_start

    def event_start(self: Play, number: int, node: Node) -> None:
        moving = [move for move in self.queue if move[0] == number]
        right(self, number, node)
        self.queue.extend(move for move in moving if move not in self.queue)

    patch.setattr(Play, "event_start", event_start)


@mutant("escalations", "nested_frames")
def dropped_frame_leaves_its_moving_tokens_queued(patch: Patch) -> None:
    right = Board.clear

    def clear(self: Board, number: int) -> None:
        queue, late = deque(self.queue), deque(self.late)
        right(self, number)
        self.queue, self.late = queue, late

    patch.setattr(Board, "clear", clear)


@mutant("event_sub_processes", "escalations")
def event_sub_process_hears_what_is_thrown_inside_itself(patch: Patch) -> None:
    right = Board.match
    patch.setattr(Board, "match", lambda self, armed, kind, code, skip=-1: right(self, armed, kind, code))


@mutant("event_sub_processes", "nested_blocks", "timers")
def process_does_not_wait_for_its_event_sub_processes(patch: Patch) -> None:
    right = Play.close

    def close(self: Play) -> bool:
        busy = {token.frame for token in self.tokens.values()}
        busy |= {frame.parent for frame in self.frames.values() if self.net.scopes[frame.scope].kind != "event"}
        for number, frame in list(self.frames.items()):
            if number not in busy and not frame.arrivals and self.net.scopes[frame.scope].kind != "event":
                self.clear(number)
        return right(self)

    patch.setattr(Play, "close", close)


@mutant("event_sub_processes", "timers", "starts")
def outcome_is_taken_from_an_event_sub_process_that_adds(patch: Patch) -> None:
    def reached(self: Play, frame: int, node: Node) -> None:
        here = self.frames[frame]
        if not here.parent or (self.net.scopes[here.scope].kind == "event" and not self.frames[here.parent].parent):
            self.end = node.index

    patch.setattr(Play, "reached", reached)


@mutant("event_sub_processes", "everything")
def outcome_is_taken_from_a_sub_process(patch: Patch) -> None:
    patch.setattr(Play, "reached", lambda self, frame, node: setattr(self, "end", node.index))


# --- errors and escalations -------------------------------------------------------------------------------------------------------------


@mutant("errors")
def error_is_caught_by_a_sibling(patch: Patch) -> None:
    right = Play.search

    def search(self: Play, kind: str, code: str | None, frame: int, token: int) -> bool:
        for other, here in list(self.tokens.items()) if kind == "error" else ():
            index = self.match(here.armed, kind, code)
            if index is not None:
                self.boundary(other, self.nodes[index])
                return True
        return right(self, kind, code, frame, token)

    patch.setattr(Play, "search", search)


@mutant("errors")
def catch_all_comes_before_the_exact_code(patch: Patch) -> None:
    right = Board.match

    def match(self: Board, armed: Any, kind: str, code: str | None, skip: int = -1) -> int | None:
        anyway = right(self, armed, kind, None, skip)
        return right(self, armed, kind, code, skip) if anyway is None else anyway

    patch.setattr(Board, "match", match)


@mutant("errors", "escalations")
def code_does_not_matter(patch: Patch) -> None:
    def match(self: Board, armed: Any, kind: str, code: str | None, skip: int = -1) -> int | None:
        return next((index for index, _ in armed if (event := self.nodes[index].event) and event.kind == kind and index != skip), None)

    patch.setattr(Board, "match", match)


@mutant("errors")
def uncaught_error_only_ends_its_token(patch: Patch) -> None:
    patch.setattr(Play, "error", lambda self, code, frame, token=0: self.search("error", code, frame, token))


@mutant("escalations")
def escalation_is_heard_by_every_catcher_on_its_way(patch: Patch) -> None:
    right = Play.search

    def search(self: Play, kind: str, code: str | None, frame: int, token: int) -> bool:
        found = right(self, kind, code, frame, token)
        here = self.frames.get(frame)
        if kind == "escalation" and found and here is not None and here.parent:
            right(self, kind, code, here.parent, here.owner if here.owner in self.tokens else 0)
        return found

    patch.setattr(Play, "search", search)


@mutant("services")
def failed_service_ends_the_case(patch: Patch) -> None:
    right = Play.work

    def work(self: Play, frame: int, node: Node, token: int) -> bool:
        done = right(self, frame, node, token)
        if not done and token in self.tokens:
            self.finish("failed")
        return done

    patch.setattr(Play, "work", work)


@mutant("services")
def retried_throw_only_does_its_work(patch: Patch) -> None:
    patch.setattr(Play, "again", lambda self, token: self.carry_out(self.tokens[token].frame, self.nodes[self.tokens[token].node], token))


@mutant("messages")
def message_of_a_task_goes_out_although_its_work_took_an_error_path(patch: Patch) -> None:
    _sends_after_failing(patch, {Kind.SEND_TASK})


@mutant("messages")
def message_of_an_event_goes_out_although_its_work_took_an_error_path(patch: Patch) -> None:
    _sends_after_failing(patch, {Kind.THROW, Kind.END})


def _sends_after_failing(patch: Patch, kinds: set[Kind]) -> None:
    right = Play.work

    def work(self: Play, frame: int, node: Node, token: int) -> bool:
        done = right(self, frame, node, token)
        if done and token not in self.tokens and node.event and node.event.kind == "message" and node.kind in kinds and self.ended is None:
            self.message(node.event.name)
        return done

    patch.setattr(Play, "work", work)


@mutant("starts", "nested_frames")
def call_begins_at_its_last_start(patch: Patch) -> None:
    right = Play.perform

    def perform(self: Play, frame: int, node: Node, token: int) -> None:
        if node.kind is Kind.CALL_ACTIVITY and node.body is not None:
            self.open(node.body, frame, token, self.net.scopes[node.body].starts[-1])
        else:
            right(self, frame, node, token)

    patch.setattr(Play, "perform", perform)


@mutant("services")
def failed_service_goes_on(patch: Patch) -> None:
    right = Play.work
    patch.setattr(Play, "work", lambda self, frame, node, token: right(self, frame, node, token) or True)


# --- repeated activities ----------------------------------------------------------------------------------------------------------------


@mutant("repeated", "nested_blocks")
def completion_condition_is_ignored(patch: Patch) -> None:
    right = Play.instance_done

    def instance_done(self: Play, token: int, local: Any) -> None:
        with pytest.MonkeyPatch.context() as inner:
            inner.setattr(play, "truth", lambda value, source="": False)
            right(self, token, local)

    patch.setattr(Play, "instance_done", instance_done)


@mutant("repeated", "nested_blocks")
def completion_leaves_the_other_instances(patch: Patch) -> None:
    right = Play.instance_done

    def instance_done(self: Play, token: int, local: Any) -> None:
        with pytest.MonkeyPatch.context() as inner:
            inner.setattr(Board, "cancel_inside", lambda self, token: None)
            right(self, token, local)

    patch.setattr(Play, "instance_done", instance_done)


@mutant("repeated", "nested_blocks")
def first_instance_is_enough(patch: Patch) -> None:
    def instance_done(self: Play, token: int, local: Any) -> None:
        self.cancel_inside(token)
        self.leave(token)

    patch.setattr(Play, "instance_done", instance_done)


@mutant("repeated", "nested_blocks")
def sequential_instances_begin_together(patch: Patch) -> None:
    right = Play.repeat

    def repeat(self: Play, frame: int, node: Node, token: int) -> None:
        assert node.multi
        right(self, frame, replace(node, multi=replace(node.multi, sequential=False)), token)

    patch.setattr(Play, "repeat", repeat)


@mutant("repeated")
def completion_condition_does_not_see_the_instance(patch: Patch) -> None:
    right = Play.instance_done
    patch.setattr(Play, "instance_done", lambda self, token, local: right(self, token, {"loop_index": 0}))


# --- messages, signals, conditions, throws ----------------------------------------------------------------------------------------------


@mutant("signals", "interrupted_throws")
def signal_is_heard_by_one(patch: Patch) -> None:
    def signal(self: Play, name: str) -> None:
        for owner, index in self.catchers("signal", name)[:1]:
            self.trigger(owner, index)

    patch.setattr(Play, "signal", signal)


@mutant("messages")
def message_is_heard_by_all(patch: Patch) -> None:
    def message(self: Play, name: str) -> bool:
        catchers = self.catchers("message", name)
        for owner, index in catchers:
            if any((owner, index) == (other, node) for _, other, node, _ in self.waits()):
                self.trigger(owner, index)
        return bool(catchers)

    patch.setattr(Play, "message", message)


@mutant("messages")
def message_goes_to_the_youngest(patch: Patch) -> None:
    right = Board.catchers
    patch.setattr(Play, "catchers", lambda self, kind, name: right(self, kind, name)[:: -1 if kind == "message" else 1])


@mutant("interrupted_throws", "escalations", "signals")
def throw_that_interrupts_its_own_frame_goes_on(patch: Patch) -> None:
    right = Play.throw

    def throw(self: Play, frame: int, node: Node, token: int) -> None:
        before = list(self.trace)
        right(self, frame, node, token)
        gone_on = any(passed == (node.id, "left") for passed in self.trace[len(before) :])
        if not gone_on and token not in self.tokens and frame in self.frames and node.kind is Kind.THROW:
            self.follow(frame, node)

    patch.setattr(Play, "throw", throw)


@mutant("signals", "messages")
def throws_are_not_put_off(patch: Patch) -> None:
    patch.setattr(play, "_throws", lambda node: False)


@mutant("terminate", "nested_frames")
def terminate_ends_only_its_token(patch: Patch) -> None:
    right = Play.throw

    def throw(self: Play, frame: int, node: Node, token: int) -> None:
        event = node.event
        right(self, frame, replace(node, event=None) if event and event.kind == "terminate" else node, token)

    patch.setattr(Play, "throw", throw)


@mutant("terminate")
def terminate_ends_the_case(patch: Patch) -> None:
    right = Play.throw

    def throw(self: Play, frame: int, node: Node, token: int) -> None:
        right(self, frame, node, token)
        if node.event and node.event.kind == "terminate":
            self.finish(node.id)

    patch.setattr(Play, "throw", throw)


@mutant("terminate")
def terminated_scope_still_looks_at_its_conditions(patch: Patch) -> None:
    right = Play.throw

    def throw(self: Play, frame: int, node: Node, token: int) -> None:
        armed = self.frames[frame].armed
        right(self, frame, node, token)
        if node.event and node.event.kind == "terminate":
            self.frames[frame] = self.frames[frame]._replace(armed=armed)

    patch.setattr(Play, "throw", throw)


@mutant("conditionals")
def conditional_event_fires_as_long_as_it_is_true(patch: Patch) -> None:
    right = tokens.touch

    def touch(net: Any, marking: Any, host: Any) -> Any:
        def unseen(armed: Any) -> Any:
            kinds = [(pair, net.nodes[pair[0]].event) for pair in armed]
            return tuple((pair[0], 0) if event and event.kind == "conditional" else pair for pair, event in kinds)

        frames = {number: frame._replace(armed=unseen(frame.armed)) for number, frame in marking.frames.items()}
        resting = {number: token._replace(armed=unseen(token.armed)) for number, token in marking.tokens.items()}
        return right(net, replace(marking, frames=frames, tokens=resting), host)

    patch.setattr(tokens, "touch", touch)


@mutant("conditionals")
def conditional_event_never_fires_again(patch: Patch) -> None:
    right = Play.conditions

    def conditions(self: Play) -> bool:
        before = {number: dict(holder.armed) for number, holder in [*self.frames.items(), *self.tokens.items()]}
        fired = right(self)
        for table in (self.frames, self.tokens):
            for number, holder in list(table.items()):
                seen = before.get(number, {})
                table[number] = holder._replace(armed=tuple((index, max(state, seen.get(index, 0))) for index, state in holder.armed))
        return fired

    patch.setattr(Play, "conditions", conditions)


@mutant("conditionals")
def condition_true_from_the_beginning_does_not_count(patch: Patch) -> None:
    right = Play.put

    def put(self: Play, frame: int, node: Node, armed: Any = ()) -> int:
        def state(index: int) -> int:
            event = self.nodes[index].event
            assert event
            return int(event.kind == "conditional" and self.holds(event.condition or "", frame))

        return right(self, frame, node, tuple((index, state(index)) for index, _ in armed))

    patch.setattr(Play, "put", put)


@mutant("conditionals")
def conditions_are_looked_at_only_once_in_an_act(patch: Patch) -> None:
    right, looked = Play.conditions, []

    def conditions(self: Play) -> bool:
        if any(one is self for one in looked):
            return False
        looked.append(self)
        return right(self)

    patch.setattr(Play, "conditions", conditions)


@mutant("conditionals")
def conditions_of_tokens_are_looked_at_first(patch: Patch) -> None:
    right, waits = Play.conditions, Board.waits

    def conditions(self: Play) -> bool:
        fired = False
        for table in (self.tokens, self.frames):
            with pytest.MonkeyPatch.context() as inner:
                inner.setattr(Board, "waits", lambda self, table=table: [wait for wait in waits(self) if wait[1] in table])
                fired = right(self) or fired
        return fired

    patch.setattr(Play, "conditions", conditions)


# --- send-back, frames ------------------------------------------------------------------------------------------------------------------


@mutant("send_backs")
def send_back_leaves_the_step_waiting(patch: Patch) -> None:
    right = tokens.send_back

    def send_back(net: Any, marking: Any, token: int, target: str, host: Any) -> Any:
        step = right(net, marking, token, target, host)
        return step._replace(marking=replace(step.marking, tokens={**step.marking.tokens, token: marking.tokens[token]}))

    patch.setattr(tokens, "send_back", send_back)


@mutant("send_backs")
def send_back_leaves_boundary_events_armed(patch: Patch) -> None:
    right = tokens.send_back

    def send_back(net: Any, marking: Any, token: int, target: str, host: Any) -> Any:
        here, step = marking.tokens[token], right(net, marking, token, target, host)
        frame = step.marking.frames[here.frame]
        frames = {**step.marking.frames, here.frame: frame._replace(armed=(*frame.armed, *here.armed))}
        return step._replace(marking=replace(step.marking, frames=frames))

    patch.setattr(tokens, "send_back", send_back)


@mutant("send_backs")
def inclusive_join_waits_for_what_could_only_be_sent_back(patch: Patch) -> None:
    right = Play.enabled

    def enabled(self: Play, number: int, frame: Frame, join: int) -> bool:
        resting = [self.nodes[token.node] for token in self.tokens.values() if token.frame == number]
        back = {self.net.flows[index].target for node in resting for index in node.send_backs}
        empty = [reach for flow, reach in self.net.reach[join] if flow not in {index for index, _ in frame.arrivals}]
        return right(self, number, frame, join) and not any(reach >> place & 1 for reach in empty for place in back)

    patch.setattr(Play, "enabled", enabled)


@mutant("nested_frames", "nested_blocks", "terminate")
def sub_process_ends_with_its_first_end_event(patch: Patch) -> None:
    right = Play.reached

    def reached(self: Play, frame: int, node: Node) -> None:
        right(self, frame, node)
        if self.net.scopes[self.frames[frame].scope].kind in ("sub", "call"):
            self.clear(frame)

    patch.setattr(Play, "reached", reached)


@mutant("nested_frames", "joins_in_loops", "gateways")
def frame_with_tokens_at_a_join_is_closed(patch: Patch) -> None:
    right = Play.close

    def close(self: Play) -> bool:
        busy = {token.frame for token in self.tokens.values()} | {frame.parent for frame in self.frames.values()}
        for number in self.frames.keys() - busy:
            self.frames[number] = self.frames[number]._replace(arrivals=())
        return right(self)

    patch.setattr(Play, "close", close)


@mutant("nested_frames", "event_sub_processes", "terminate")
def event_sub_processes_of_inner_scopes_are_not_armed(patch: Patch) -> None:
    right = Play.open

    def open_(self: Play, scope: int, parent: int, owner: int, start_node: int) -> None:
        number = self.next
        right(self, scope, parent, owner, start_node)
        if parent:
            self.frames[number] = self.frames[number]._replace(armed=())

    patch.setattr(Play, "open", open_)


# --- order ------------------------------------------------------------------------------------------------------------------------------


@mutant("in_one_act", "everything")
def youngest_token_moves_first(patch: Patch) -> None:
    class Stack(deque):  # type: ignore[type-arg]
        def popleft(self) -> Any:
            return self.pop()

    right = Board.__init__

    def init(self: Board, *given: Any) -> None:
        right(self, *given)
        self.queue = Stack()

    patch.setattr(Board, "__init__", init)


@mutant("in_one_act")
def last_inclusive_join_goes_first(patch: Patch) -> None:
    patch.setattr(play, "min", max, raising=False)


@mutant("in_one_act")
def inclusive_joins_go_before_conditions(patch: Patch) -> None:
    right = Play.conditions
    patch.setattr(Play, "conditions", lambda self: self.join() or right(self))


@mutant("in_one_act", "repeated")
def oldest_empty_frame_closes_first(patch: Patch) -> None:
    patch.setattr(play, "sorted", lambda items, reverse=False: sorted(items), raising=False)


@mutant("repeated")
def list_is_read_again_for_every_instance(patch: Patch) -> None:
    right = Play.instance

    def instance(self: Play, token: int) -> None:
        here = self.tokens[token]
        multi = self.nodes[here.node].multi
        assert multi
        assert here.multi
        if multi.collection and here.multi[1]:
            items = tuple(self.host.evaluate(multi.collection, self.local(here.frame)) or ())
            total, started, done, _ = here.multi
            self.tokens[token] = here._replace(multi=(total, started, done, items[started:]))
        right(self, token)

    patch.setattr(Play, "instance", instance)


def _as_if(patch: Patch, method: str, interrupting: Callable[[Any], bool]) -> None:
    """Boundary events or event sub-processes are played as if drawn otherwise."""
    right = getattr(Play, method)

    def played(self: Play, owner: int, node: Node) -> None:
        assert node.event
        right(self, owner, replace(node, event=replace(node.event, interrupting=interrupting(node.event))))

    patch.setattr(Play, method, played)
