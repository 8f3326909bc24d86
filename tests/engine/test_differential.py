"""The token game against the second semantics of tests/engine/reference.py, on thousands of random diagrams and runs."""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Mapping
from functools import partial
from typing import Any
from unittest.mock import patch

import pytest

from engine import play, tokens
from engine.errors import NotWaiting, NoWayOut, TooManySteps
from engine.net import Net, Node
from engine.tokens import ServiceFailed, Wait
from tests.engine import reference
from tests.engine.drawing import Case
from tests.engine.random_models import AGAIN, FACTS, FAMILIES, NAMES, Model, draw
from tests.engine.reference import Reading, Refused

#: Diagrams of each family, runs of each diagram, acts of each run.
MODELS = 150
RUNS = 3
ACTS = 14
#: More waits than this tell nothing new and cost time.
CROWD = 14
LISTS = [None, [], ["a"], ["a", "b"], ["a", "b", "c"]]


class Difference(Exception):
    """The two do not agree. Says how to come back here: `compare(family, seed)`, and the number of the act."""


class Player(Case):
    """The token game's side. The marking is dumped and loaded again before every act (`Case._take`)."""

    def run(self, node: Node, local: Mapping[str, Any]) -> None:
        """The services that tests/engine/reference.py knows too."""
        super().run(node, local)
        what, _, fact = (node.topic or "").partition(":")
        if what == "clear":
            self.facts[fact] = False
        if what == "broken" and not self.facts.get("works"):
            raise ServiceFailed("broken")

    @property
    def seen(self) -> list[tuple[str, str, int, dict[str, Any]]]:
        """Every wait, in the order of `tokens.waiting`."""
        return [(wait.kind, wait.node.id, wait.fired, dict(wait.local)) for wait in tokens.waiting(self.net, self.marking)]

    @property
    def standing(self) -> Counter[str]:
        """Tokens at joins, by flow."""
        found: Counter[str] = Counter()
        for frame in self.marking.frames.values():
            for flow, count in frame.arrivals:
                found[self.net.flows[flow].id] += count
        return found


def compare(family: str, seed: int, model: Model | None = None) -> Counter[str]:
    """Play random runs of one random diagram on both sides; what happened in them, by rule, with the number of `acts`.

    Raises:
        Difference: the sides do not agree.
    """
    model = model or draw(family, seed)
    happened: Counter[str] = Counter()
    with patch.object(play, "STEP_LIMIT", 2_000):  # what never rests is told apart soon enough
        for run in range(RUNS):
            happened.update(Duel(model, run).play())
    return happened


class Duel:
    """One run on both sides."""

    def __init__(self, model: Model, run: int) -> None:
        self.model, self.net, self.run = model, model.net, run
        self.chance = random.Random(f"{model.family} {model.seed} {run}")
        self.act = 0
        self.said = "start"
        facts: dict[str, Any] = {name: self.chance.choice([True, False, None]) for name in FACTS}
        facts |= {"units": self.chance.choice(LISTS), "works": self.chance.random() < 0.3}
        self.facts = facts
        self.theirs = Reading(model.files, "p", dict(facts))
        self.ours: Player

    def play(self) -> Counter[str]:
        """Start, and act until the case ends or has shown enough; a well-nested diagram always comes to its end."""
        event = self.chance.choice(self.model.events) if self.model.events and self.chance.random() < 0.75 else None
        nested = FAMILIES[self.model.family].nested
        on = self.both(lambda: setattr(self, "ours", Player(self.net, event=event, **self.facts)), lambda: self.theirs.begin(event))
        while on and self.theirs.outcome is None and (nested or self.act < ACTS):
            self.act += 1
            waits = self.theirs.waits()
            if nested and self.act > ACTS:
                on = self.lead_out(waits)
            elif len(waits) > CROWD and not nested:
                break
            else:
                self.change_facts()
                on = self.once(waits)
        self.theirs.happened["acts"] += self.act
        return self.theirs.happened

    def change_facts(self) -> None:
        """Some facts, the same on both sides."""
        for name in (*FACTS, AGAIN, "works"):
            if self.chance.random() < 0.25:
                self.ours.facts[name] = self.theirs.facts[name] = self.chance.random() < 0.5
        if self.chance.random() < 0.25:
            self.ours.facts["units"] = self.theirs.facts["units"] = self.chance.choice(LISTS)

    def lead_out(self, waits: list[reference.Wait]) -> bool:
        """The way to the end of a well-nested diagram: conditions that lead out of loops, and nothing that comes in addition."""
        for name in (*FACTS, AGAIN):
            self.ours.facts[name] = self.theirs.facts[name] = False
        resting = [place for place, wait in enumerate(waits) if wait.armed is None]
        assert resting, f"{self.where}: a well-nested diagram never gets stuck"
        assert self.act < 1_000, f"{self.where}: a well-nested diagram comes to its end"
        calm = [place for place in resting if waits[place].kind != "conditional"]  # making facts true calls up what adds work
        return self.one(self.chance.choice(calm or resting), waits)

    def once(self, waits: list[reference.Wait]) -> bool:
        """One random act; False when both refuse it."""
        if not waits or self.chance.random() < 0.06:
            if self.chance.random() < 0.5:
                self.said = "touch"
                return self.both(self.ours.touch, self.theirs.settle)
            kind, name = self.chance.choice(["message", "signal"]), self.chance.choice(NAMES)
            self.said = f"{kind} {name}"
            return self.both(lambda: self.take(tokens.deliver, kind, name, self.ours), lambda: self.theirs.deliver(kind, name))
        return self.one(self.chance.randrange(len(waits)), waits)

    def one(self, place: int, waits: list[reference.Wait]) -> bool:
        """An act on one of the waits."""
        wait, other = tokens.waiting(self.net, self.ours.marking)[place], waits[place]
        self.said = f"{wait.kind} {wait.key}"
        on = self.on(wait, other)
        if on:
            self.nothing_else_moves(wait)
        return on

    def nothing_else_moves(self, wait: Wait) -> None:
        """What waited before and waits no longer is refused, and so is completing a token that rests at no task."""
        net, marking, host = self.net, self.ours.marking, self.ours
        now = tokens.waiting(net, marking)
        attempts = [partial(tokens.complete, net, marking, token, host) for token in marking.tokens.keys() - self.tasks(now)]
        if wait.key not in {other.key for other in now}:
            act = {"task": tokens.complete, "timer": tokens.fire, "service": tokens.retry}.get(wait.kind)
            if act:
                attempts.append(partial(act, net, marking, wait.owner if wait.kind == "task" else wait, host))
            elif wait.kind in ("message", "signal") and wait.node.event:
                attempts.append(partial(tokens.deliver, net, marking, wait.kind, wait.node.event.name, host, wait))
        for attempt in attempts:
            try:
                attempt()
            except NotWaiting:
                self.theirs.happened["refused as not waiting"] += 1
            else:
                self.differ("what does not wait was moved", attempt, None)

    def tasks(self, now: tuple[Wait, ...]) -> set[int]:
        """Tokens at tasks for people, as the reference has them."""
        pairs = zip(now, self.theirs.waits(), strict=True)
        return {wait.owner for wait, other in pairs if _task(other)}

    def on(self, wait: Wait, other: reference.Wait) -> bool:
        """What fits this wait."""
        event, theirs = wait.node.event, self.theirs
        if wait.node.send_backs and self.chance.random() < 0.5:
            target = self.chance.choice(other.part.send_back_to)
            self.said += f" back to {target}"
            return self.both(lambda: self.take(tokens.send_back, wait.owner, target, self.ours), lambda: theirs.send_back(other, target))
        if wait.kind == "timer":
            return self.both(lambda: self.take(tokens.fire, wait, self.ours), lambda: theirs.fire(other))
        if wait.kind == "service":
            return self.both(lambda: self.take(tokens.retry, wait, self.ours), lambda: theirs.retry(other))
        if wait.kind == "conditional":
            assert event
            name = event.condition or ""
            self.ours.facts[name] = theirs.facts[name] = self.chance.random() < 0.7
            return self.both(self.ours.touch, theirs.settle)
        if _task(other) and (wait.kind == "task" or self.chance.random() < 0.5):
            return self.both(lambda: self.take(tokens.complete, wait.owner, self.ours), lambda: theirs.complete(other))
        assert event
        if self.chance.random() < 0.5:
            return self.both(
                lambda: self.take(tokens.deliver, wait.kind, event.name, self.ours), lambda: theirs.deliver(wait.kind, event.name)
            )
        return self.both(lambda: self.take(tokens.deliver, wait.kind, event.name, self.ours, wait), lambda: theirs.fire(other))

    def take(self, act: Any, *given: Any) -> None:
        """An act of the token game on the stored marking."""
        self.ours._take(act(self.net, self.ours.marking, *given))

    def both(self, ours: Any, theirs: Any) -> bool:
        """The act on both sides; False when both refuse it and have nothing to compare any more."""
        refusals: list[Exception | None] = []
        if self.act:
            self.ours.ran, self.ours.trace = [], []
            self.theirs.ran, self.theirs.trace = [], []
        for act, refused in ((ours, (NotWaiting, NoWayOut, TooManySteps)), (theirs, Refused)):
            try:
                act()
                refusals.append(None)
            except refused as error:
                refusals.append(error)
            except Exception as error:
                raise Difference(f"{self.where}: {type(error).__name__} {error}") from error
        if (refusals[0] is None) != (refusals[1] is None):
            self.differ("refusal", *refusals)
        if isinstance(refusals[0], (NoWayOut, TooManySteps)):
            self.theirs.happened["refused"] += 1
            return False
        self.look()
        return True

    def look(self) -> None:
        """Everything that shows must be the same."""
        ours, theirs = self.ours, self.theirs
        self.same("outcome", ours.ended, theirs.outcome)
        self.same("waits", ours.seen, [(wait.kind, wait.id, wait.fired, theirs.local(wait.scope)) for wait in theirs.waits()])
        self.same("tokens at joins", ours.standing, theirs.standing())
        self.same("services run", ours.ran, theirs.ran)
        self.same("facts", ours.facts, theirs.facts)
        self.same("trace", Counter(ours.trace), Counter(theirs.trace))
        sound(self.net, ours)

    def same(self, what: str, ours: object, theirs: object) -> None:
        if ours != theirs:
            self.differ(what, ours, theirs)

    def differ(self, what: str, ours: object, theirs: object) -> None:
        raise Difference(f"{self.where}: {what}\n  token game {ours}\n  reference  {theirs}")

    @property
    def where(self) -> str:
        return f"compare({self.model.family!r}, {self.model.seed}), run {self.run}, act {self.act} ({self.said})"


def _task(wait: reference.Wait) -> bool:
    """Whether a person can complete it: a receive task behind an event-based gateway is an event, not a task."""
    return wait.part.tag in reference.FOR_PEOPLE and isinstance(wait.holder, reference.Work) and wait.holder.part is wait.part


def sound(net: Net, case: Case) -> None:
    """Nothing hangs in the air: every frame has its parent and owner, every token its frame, and what has ended is empty."""
    marking = case.marking
    for number, frame in marking.frames.items():
        assert frame.parent in marking.frames or (frame.parent == 0 and number == tokens.ROOT)
        assert frame.owner == 0 or marking.tokens[frame.owner].frame == frame.parent
    assert all(token.frame in marking.frames for token in marking.tokens.values())
    assert (marking.ended is None) == bool(marking.frames)


#: What a family is about must really occur in its diagrams, at least so often.
REACHED: dict[str, dict[str, int]] = {
    "nested_blocks": {"sub ended": 160, "call ended": 50, "instances done": 100, "inclusive join": 70, "parallel join": 70, "event gateway": 70},
    "gateways": {"inclusive join": 360, "inclusive join held": 100, "inclusive join of several": 40, "parallel join": 30},
    "joins_in_loops": {"parallel join": 150, "inclusive join held": 40},
    "inclusive_joins": {"inclusive join": 500, "inclusive join held": 200, "inclusive join of several": 70, "link": 130, "boundary timer adds": 50},
    "inclusive_in_blocks": {"inclusive join": 500, "inclusive join held": 160, "inclusive join of several": 40, "sub ended": 120},
    "double_flows": {"parallel join": 230, "inclusive join of several": 100},
    "nested_frames": {"sub ended": 440, "call ended": 160, "activity with scopes interrupted": 60, "moving token cancelled": 30, "terminate": 170},
    "event_sub_processes": {
        **{f"event sub-process {kind} interrupts": 10 for kind in ("timer", "message", "signal", "escalation", "conditional", "error")},
        **{f"event sub-process {kind} adds": 20 for kind in ("timer", "message", "signal", "escalation", "conditional")},
        "event sub-process ended by another": 20, "escalation thrown in its own handler": 8, "moving token cancelled": 30,
    },
    "errors": {
        "boundary error interrupts": 100, "event sub-process error interrupts": 50, "error not caught": 80, "service error": 110,
        "activity with scopes interrupted": 80, "moving token cancelled": 40,
    },
    "escalations": {
        "boundary escalation adds": 80, "boundary escalation interrupts": 60, "event sub-process escalation adds": 150,
        "event sub-process escalation interrupts": 110, "escalation dropped": 340, "escalation thrown in its own handler": 90,
    },
    "repeated": {
        "instances done": 230, "instances cut short": 70, "activity with scopes interrupted": 20, "boundary error interrupts": 3,
        "boundary conditional interrupts": 8, "boundary message adds": 20, "terminate": 40,
    },
    "signals": {
        "signal with several catchers": 500, "signal thrown and heard": 500, "boundary signal interrupts": 30, "boundary signal adds": 500,
        "event sub-process signal interrupts": 170, "event sub-process signal adds": 500, "interrupted by its own throw": 80,
    },
    "messages": {
        "message thrown and heard": 500, "message with several catchers": 360, "boundary message interrupts": 40, "boundary message adds": 190,
        "event sub-process message interrupts": 120, "event sub-process message adds": 500, "event gateway": 120,
    },
    "links": {"link": 500, "inclusive join": 150, "inclusive join held": 8},
    "conditionals": {
        "condition became true": 500, "condition seen false again": 100, "boundary conditional adds": 100, "boundary conditional interrupts": 70,
        "event sub-process conditional adds": 140, "event sub-process conditional interrupts": 80, "event gateway": 250,
    },
    "terminate": {"terminate": 470, "moving token cancelled": 150, "sub ended": 340, "call ended": 80},
    "send_backs": {"sent back": 160, "inclusive join held": 80, "boundary timer interrupts": 90, "call ended": 30},
    "services": {
        "service failure": 500, "service failure caught": 10, "service error": 30, "boundary error interrupts": 10,
        "event sub-process error interrupts": 10, "message thrown and heard": 190,
    },
    "starts": {"event gateway": 140, "event sub-process message adds": 30},
    "timers": {
        "cycle exhausted": 40, "boundary timer adds": 220, "boundary timer interrupts": 60, "event sub-process timer adds": 210,
        "event sub-process timer interrupts": 40,
    },
    "interrupted_throws": {"interrupted by its own throw": 80, "moving token cancelled": 30, "event sub-process escalation interrupts": 50},
    "in_one_act": {"inclusive join": 310, "signal with several catchers": 100, "sub ended": 140, "condition became true": 70},
    "everything": {"sub ended": 40, "event gateway": 50, "link": 50, "terminate": 20, "instances done": 30, "message thrown and heard": 160},
}  # fmt: skip
LEAST_ACTS = 1_000


@pytest.mark.parametrize("family", FAMILIES)
def test_both_semantics_agree(family):
    happened: Counter[str] = Counter()
    for seed in range(MODELS):
        happened.update(compare(family, seed))
    print(f"{family}: {MODELS} diagrams, {happened['acts']} acts, no difference")
    seldom = {rule: happened[rule] for rule, least in {"acts": LEAST_ACTS, **REACHED[family]}.items() if happened[rule] < least}
    assert not seldom, f"{family} no longer reaches what it is about"


def test_there_are_enough_models():
    assert MODELS * len(FAMILIES) >= 3_000
    assert REACHED.keys() == FAMILIES.keys()
