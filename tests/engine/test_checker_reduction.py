"""Partial-order reduction finds what trying everything finds: over hundreds of random diagrams both walks agree, and the runs told can be played."""

from __future__ import annotations

import random
from typing import NamedTuple

import pytest

from engine.checker import check
from engine.checker.explore import Graph, explore
from engine.checker.facts import Facts
from engine.checker.parts import Question, Survey
from engine.checker.replay import replay
from engine.checker.verdicts import verdicts
from engine.checker.world import World
from engine.net import Net
from engine.parsing import parse_bundle
from tests.engine import random_models
from tests.engine.drawing import (
    boundary,
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
    net,
    parallel,
    service,
    start,
    sub,
    terminate,
    throw,
    timer,
    user,
)
from tests.engine.random_models import AGAIN, FACTS, FAMILIES, Model
from tests.support import field, said

#: A model is left out when trying everything takes more states; there are enough others (see `MANY`).
MOST = 400
#: Numbers of the models, of each family and for both ways of drawing; over 300 of the 368 are small enough.
SEEDS = range(8)
FEWEST = 2


class _Answering(random_models._Drawing):
    """The same drawings, in which people answer, and steps set, the facts that conditions and conditional events read."""

    def user(self, level: random_models._Level, depth: int, inside: str = "") -> random_models._Piece:
        """A user task, often with a form or with `sets`."""
        name, exits = super().user(level, depth, inside)
        tag, drawn, more = level.parts[name]
        if not inside and not drawn and self.chance.random() < 0.6:
            names = self.chance.sample((*FACTS, AGAIN), self.chance.randint(1, 2))
            if self.chance.random() < 0.5:
                drawn = said(*(field(name, name, "boolean", required=self.chance.random() < 0.5) for name in names))
            else:
                drawn = said(sets=", ".join(f"{name}={self.chance.choice(['true', 'false'])}" for name in names))
            level.parts[name] = (tag, drawn, {**more, "camunda_candidateGroups": "staff@owning_unit"})
        return name, exits


def answering(family: str, seed: int) -> Model:
    """The diagram of this family and number, with answers."""
    drawing = _Answering(FAMILIES[family], random.Random(f"answering {family} {seed}"))
    inside, events = drawing.process()
    files = {"p.bpmn": diagram(inside), **drawing.called}
    return Model(family, seed, files, parse_bundle(files, "p"), events)


DRAWN = {"plain": random_models.draw, "answering": answering}


class Summary(NamedTuple):
    """What a walk shows. Where tokens pile up the walk is cut short, so nothing else is compared."""

    piles_up: bool
    found: frozenset[tuple[str, str]] = frozenset()
    goes_round: bool = False
    ends: bool = False
    passed: frozenset[str] = frozenset()


def summary(world: World, graph: Graph) -> Summary:
    if graph.crowded:
        return Summary(True)
    told = {(verdict.rule, verdict.node.id if verdict.node else "") for verdict in verdicts(world, graph)}
    ends = any(state.marking.ended is not None for state in graph.states)
    round_ = any(rule == "livelock" for rule, _ in told)
    return Summary(False, frozenset(pair for pair in told if pair[0] != "livelock"), round_, ends, frozenset(graph.passed))


def both(net: Net) -> tuple[Summary, Summary] | None:
    """(trying everything, reduced); None when there is too much to try."""
    world = World(net, Facts(net, {}, ()))
    full = explore(world, limit=MOST)
    if not full.finished:
        return None
    part = Survey(net, {}, ()).whole(Question(), MOST)
    assert part.graph.finished
    assert len(part.graph.states) <= len(full.states)
    return summary(world, full), summary(part.world, part.graph)


@pytest.mark.parametrize("drawn", sorted(DRAWN))
@pytest.mark.parametrize("family", sorted(FAMILIES))
def test_the_reduced_walk_finds_the_same(family: str, drawn: str) -> None:
    compared = 0
    for seed in SEEDS:
        found = both(DRAWN[drawn](family, seed).net)
        if found is not None:
            compared += 1
            assert found[1] == found[0], f"{drawn} {family} {seed}"
    assert compared >= FEWEST


#: Diagrams in which the reduction was once wrong, as small as they can be drawn.
SMALL = {
    "a receive task behind an event-based gateway": (
        start(), element("eventBasedGateway", "w"), catch("c", timer("P1D")), element("receiveTask", "r", messageRef="m_go"), end(), end("f"),
        flows("s > w > c > e", "w > r > f"),
    ),
    "an error handler in which a service could fail": (
        start(), user("a"), service("v"), end(), flows("s > a > v > e"),
        event_sub("h", start("t", error("A")), service("v2"), user("x"), end("k"), flows("t > v2 > x > k")),
    ),
    "an escalation handler that escalates": (
        start(), sub("q", start("ss"), user("a"), throw("up", escalation("A")), end("es"), flows("ss > a > up > es")),
        end(), flows("s > q > e"), event_sub("h", start("t", escalation("A"), isInterrupting="false"), user("x"), end("k", escalation("A")), flows("t > x > k")),
    ),
    "what starts beside the last step of the case": (
        start(), user("a"), end(), flows("s > a > e"),
        event_sub("h", start("t", timer("P1D"), isInterrupting="false"), user("x"), end("k"), flows("t > x > k")),
    ),
    "what starts beside the last step of a sub-process": (
        start(), sub("q", start("ss"), user("a"), end("es"), flows("ss > a > es"),
                     event_sub("h", start("t", timer("P1D"), isInterrupting="false"), user("x"), end("k"), flows("t > x > k"))),
        end(), flows("s > q > e"),
    ),
    "an error that nobody catches": (
        start(), parallel("g"), user("b"), user("a"), user("c"), user("d"), end(), end("k", error("A")), flows("s > g > a > c > d > e", "g > b > k"),
    ),
    "everything ended at once": (
        start(), parallel("g"), user("b"), user("a"), user("c"), user("d"), end(), end("k", terminate()), flows("s > g > a > c > d > e", "g > b > k"),
    ),
    "a condition that another branch makes true and false": (
        start(), parallel("g"), user("a", said(sets="x=true")), user("b", said(sets="x=false")), catch("c", condition("x")), parallel("j"), end(),
        flows("s > g > a > b > j > e", "g > c > j"),
    ),
    "a condition that interrupts what another branch does": (
        start(), parallel("g"), user("a", said(sets="x=true")), user("b"), user("d"), boundary("i", "b", condition("x")), end(), end("k"),
        flows("s > g > a > e", "g > b > d > e", "i > k"),
    ),
    "a message that comes too early": (
        start(), parallel("g"), user("a"), throw("t", message("go")), user("b"), catch("c", message("go")), parallel("j"), end(),
        flows("s > g > a > t > j > e", "g > b > c > j"),
    ),
    "an answer that decides what the other branch does": (
        start(), parallel("g"), user("a", said(field("x", "x", "boolean", required=True))), user("b"), exclusive("d", default="d_m"),
        catch("c", message("go")), exclusive("m"), parallel("j"), end(), flows("s > g > a > j > e", "g > b > d > m > j", "d > c : x", "c > m"),
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", sorted(SMALL))
def test_the_reduced_walk_finds_the_same_in_small_diagrams(name: str) -> None:
    found = both(net(*SMALL[name]))
    assert found is not None
    assert found[1] == found[0]


@pytest.mark.parametrize("drawn", sorted(DRAWN))
def test_runs_are_as_short_as_trying_everything_finds_and_can_be_played(drawn: str) -> None:
    """動かせる項目のない図では、見つかった手順は実際の回答でそのまま再現できる。"""
    played = 0
    for family in ("gateways", "inclusive_joins", "send_backs", "conditionals", "repeated", "nested_blocks"):
        for seed in SEEDS:
            model = DRAWN[drawn](family, seed)
            try:
                part = Survey(model.net, {}, ()).whole(Question(), MOST)
            except RecursionError:
                continue
            for verdict in verdicts(part.world, part.graph):
                if verdict.run:
                    _, certain = replay(part.world, verdict.run)
                    assert certain, f"{drawn} {family} {seed} {verdict.rule}"
                    played += 1
    assert played >= 10


def test_independent_branches_are_walked_one_after_the_other() -> None:
    """枝が増えても、状態は枝の数に比例してしか増えない。"""

    def states(count: int) -> int:
        steps = [f"t{number}" for number in range(count)]
        ways = flows("s > g", "j > e", *(f"g > {name} > j" for name in steps))
        return check(net(start(), parallel("g"), *map(user, steps), parallel("j"), end(), ways), {}).states

    assert [states(count) for count in (2, 5, 9, 17)] == [3, 6, 10, 18]
