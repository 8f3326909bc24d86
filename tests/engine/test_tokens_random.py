"""The token game against a second, slow reading of BPMN's gateways (13.4) on random diagrams, mostly unstructured and with loops."""

from __future__ import annotations

import random
from collections import Counter
from dataclasses import dataclass, field

import pytest

from engine import tokens
from engine.errors import DefinitionRefused
from tests.engine.drawing import (
    Case,
    boundary,
    condition,
    end,
    escalation,
    event_sub,
    exclusive,
    flows,
    inclusive,
    message,
    multi,
    net,
    parallel,
    signal,
    start,
    sub,
    timer,
    user,
)

MODELS = 150
FACTS = ("x", "y", "z")


@dataclass
class Model:
    """A flat diagram: kinds of nodes, flows as (source, target, condition or "" or "default"), boundary events by host."""

    kinds: dict[str, str]
    flows: list[tuple[str, str, str]]
    boundaries: dict[str, tuple[str, bool]] = field(default_factory=dict)

    def leaving(self, node: str) -> list[int]:
        return [number for number, flow in enumerate(self.flows) if flow[0] == node]

    def arriving(self, node: str) -> list[int]:
        return [number for number, flow in enumerate(self.flows) if flow[1] == node]

    def net(self):
        default = {source: f"{source}_{target}" for source, target, condition in self.flows if condition == "default"}
        make = {"start": start, "end": end, "user": user, "parallel": parallel}
        parts = []
        for name, kind in self.kinds.items():
            if kind in make:
                parts.append(make[kind](name))
            else:
                more = {"default": default[name]} if name in default else {}
                parts.append((exclusive if kind == "exclusive" else inclusive)(name, **more))
        parts += [boundary(name, host, timer("P1D"), interrupting=interrupting) for name, (host, interrupting) in self.boundaries.items()]
        chains = [
            f"{source} > {target}" + (f" : {condition}" if condition not in ("", "default") else "")
            for source, target, condition in self.flows
        ]
        return net(*parts, flows(*chains))


def draw(chance: random.Random) -> Model:
    """A random diagram in which everything is reachable; loops and jumps wherever they fall."""
    inner = [f"n{number}" for number in range(chance.randint(4, 11))]
    kinds = (
        {"s": "start"}
        | {name: chance.choice(["user", "user", "exclusive", "parallel", "inclusive", "inclusive"]) for name in inner}
        | {"e": "end"}
    )
    pairs = [("s", inner[0])]
    for place, name in enumerate(inner[1:], 1):
        pairs.append((chance.choice(inner[:place]), name))
    for name in inner:
        if not any(source == name for source, _ in pairs):
            pairs.append((name, chance.choice([*inner, "e", "e"])))
    for _ in range(chance.randint(1, 4)):
        pairs.append((chance.choice(inner), chance.choice([*inner, "e"])))
    pairs = [pair for pair in dict.fromkeys(pairs) if pair[0] != pair[1]]
    ways = []
    for source, target in pairs:
        several = [pair for pair in pairs if pair[0] == source]
        condition = ""
        if len(several) > 1 and kinds[source] in ("exclusive", "inclusive"):
            condition = "default" if (source, target) == several[-1] else chance.choice(FACTS)
        ways.append((source, target, condition))
    model = Model(kinds, ways)
    for number in range(chance.randint(0, 2)):
        hosts = [name for name in inner if kinds[name] == "user"]
        if hosts:
            model.boundaries[f"b{number}"] = (chance.choice(hosts), chance.random() < 0.5)
            model.flows.append((f"b{number}", chance.choice([*inner, "e"]), ""))
    return model


class Reading:
    """The second semantics: tokens lie on flows or in tasks; whatever is enabled fires until nothing is."""

    def __init__(self, model: Model) -> None:
        self.model = model
        self.on: Counter[int] = Counter()
        self.tasks: list[tuple[str, list[str]]] = []
        self.leave("s", {})

    def leave(self, node: str, facts: dict[str, bool]) -> None:
        out, kind = self.model.leaving(node), self.model.kinds.get(node, "boundary")
        if kind in ("exclusive", "inclusive") and len(out) > 1:
            true = [number for number in out if facts.get(self.model.flows[number][2])]
            default = [number for number in out if self.model.flows[number][2] == "default"]
            out = (true if kind == "inclusive" else true[:1]) or default
        for number in out:
            self.on[number] += 1

    def step(self, facts: dict[str, bool]) -> bool:
        for node, kind in self.model.kinds.items():
            arriving = self.model.arriving(node)
            filled = [number for number in arriving if self.on[number]]
            if kind == "parallel" or (kind == "inclusive" and len(arriving) == 1):
                if arriving and len(filled) == len(arriving):
                    self.on.subtract(arriving)
                    self.leave(node, facts)
                    return True
            elif kind != "inclusive" and filled:
                self.on[filled[0]] -= 1
                if kind == "user":
                    self.tasks.append((node, [name for name, (host, _) in self.model.boundaries.items() if host == node]))
                else:
                    self.leave(node, facts)
                return True
        for node, kind in self.model.kinds.items():
            arriving = self.model.arriving(node)
            filled = [number for number in arriving if self.on[number]]
            if kind == "inclusive" and filled and not self.held(node, set(filled), set(arriving)):
                self.on.subtract(filled)
                self.leave(node, facts)
                return True
        return False

    def held(self, join: str, filled: set[int], arriving: set[int]) -> bool:
        places = [self.model.flows[number][1] for number, count in self.on.items() if count and self.model.flows[number][1] != join]
        places += [task for task, _ in self.tasks]
        return any((reached := self.reaches(place, join, arriving)) and not reached & filled for place in places)

    def reaches(self, place: str, join: str, arriving: set[int]) -> set[int]:
        found, seen, todo = set(), set(), [place]
        while todo:
            node = todo.pop()
            if node in seen or node == join:
                continue
            seen.add(node)
            todo += [name for name, (host, _) in self.model.boundaries.items() if host == node]
            for number in self.model.leaving(node):
                found |= {number} & arriving
                todo.append(self.model.flows[number][1])
        return found

    def settle(self, facts: dict[str, bool]) -> None:
        for _ in range(2_000):
            if not self.step(facts):
                return
        raise RecursionError

    def shown(self) -> Counter[str]:
        return Counter([task for task, _ in self.tasks] + [f"timer:{name}" for _, armed in self.tasks for name in armed])


def play(seed: int) -> int:
    """Compare both semantics along one random run; how many acts were compared."""
    chance = random.Random(seed)
    while True:
        model = draw(chance)
        try:
            drawn = model.net()
            break
        except DefinitionRefused as refused:
            rules = {finding.rule for finding in refused.findings}
            if not rules <= {"restless_loop", "dead_end", "unreachable"}:  # the drawing itself would be wrong
                raise
    facts = {name: chance.random() < 0.5 for name in FACTS}
    case, other = Case(drawn, **facts), Reading(model)
    other.settle(facts)
    acts = 0
    for acts in range(25):
        assert Counter(case.waits) == other.shown(), (seed, acts)
        assert (case.ended is not None) == (not other.tasks and not +other.on), (seed, acts)
        if not other.tasks or len(other.tasks) > 12:
            break
        facts = {name: chance.random() < 0.5 for name in FACTS}
        case.facts |= facts
        which = chance.randrange(len(other.tasks))
        task, armed = other.tasks[which]
        # The n-th token of this task is the n-th oldest in both.
        nth = sum(name == task for name, _ in other.tasks[:which])
        owner = [wait for wait in tokens.waiting(drawn, case.marking) if wait.node.id == task][nth].owner
        if armed and chance.random() < 0.4:
            name = chance.choice(armed)
            wait = next(wait for wait in tokens.waiting(drawn, case.marking) if wait.node.id == name and wait.owner == owner)
            case._take(tokens.fire(drawn, case.marking, wait, case))
            if model.boundaries[name][1]:
                del other.tasks[which]
            else:
                armed.remove(name)
            other.leave(name, facts)
        else:
            case._take(tokens.complete(drawn, case.marking, owner, case))
            del other.tasks[which]
            other.leave(task, facts)
        other.settle(facts)
    return acts


@pytest.mark.parametrize("block", range(5))
def test_both_readings_agree(block):
    acts = sum(play(seed) for seed in range(block * MODELS // 5, (block + 1) * MODELS // 5))
    assert acts > 50


class Blocks:
    """Draws well-nested diagrams with sub-processes, repetition, boundary events and event sub-processes: every run of one can end."""

    def __init__(self, seed: int) -> None:
        self.chance = random.Random(seed)
        self.number = 0

    def name(self, kind: str) -> str:
        self.number += 1
        return f"{kind}{self.number}"

    def block(self, depth: int) -> tuple[str, str, str]:
        """(elements and flows, first element, last element)."""
        kinds = ["user"] if depth == 0 else ["user", "line", "exclusive", "parallel", "inclusive", "sub", "sub", "loop", "late"]
        kind = self.chance.choice(kinds)
        if kind == "user":
            name = self.name("u")
            how = self.chance.choice(["", "", "", multi(times="2"), multi(sequential=True, collection="units", until="enough")])
            return user(name, how), name, name
        if kind == "line":
            one, two = self.block(depth - 1), self.block(depth - 1)
            return one[0] + two[0] + flows(f"{one[2]} > {two[1]}"), one[1], two[2]
        if kind == "sub":
            name = self.name("p")
            how = self.chance.choice(["", "", multi(times="2"), multi(sequential=True, times="2", until="enough")])
            return sub(name, how, *self.level(depth - 1)), name, name
        if kind == "loop":
            head, tail, inner = self.name("m"), self.name("x"), self.block(depth - 1)
            ways = flows(f"{head} > {inner[1]}", f"{inner[2]} > {tail}", f"{tail} > {head} : again")
            leave = exclusive(self.name("o"))
            out = f"o{self.number}"
            return (
                exclusive(head) + inner[0] + exclusive(tail, default=f"{tail}_{out}") + leave + ways + flows(f"{tail} > {out}"),
                head,
                out,
            )
        if kind == "late":
            inner = self.block(depth - 1)
            host, event, join = self.name("p"), self.name("b"), self.name("m")
            what = self.chance.choice([timer("P1D"), message("go"), signal("go"), condition("x"), timer("R2/P1D")])
            begin, finish = self.name("s"), self.name("e")
            body = sub(host, start(begin), inner[0], end(finish), flows(f"{begin} > {inner[1]}", f"{inner[2]} > {finish}"))
            aside = self.block(0)
            interrupting = self.chance.random() < 0.5
            drawn = (
                body
                + boundary(event, host, what, interrupting=interrupting)
                + aside[0]
                + exclusive(join)
                + flows(f"{host} > {join}", f"{event} > {aside[1]}")
            )
            if interrupting:
                return drawn + flows(f"{aside[2]} > {join}"), host, join
            over = self.name("e")
            return drawn + end(over) + flows(f"{aside[2]} > {over}"), host, join
        split, join = self.name("g"), self.name("j")
        branches = [self.block(depth - 1) for _ in range(self.chance.randint(2, 3))]
        drawn = "".join(branch[0] for branch in branches)
        if kind == "parallel":
            drawn += parallel(split) + parallel(join)
        else:
            make = exclusive if kind == "exclusive" else inclusive
            drawn += make(split, default=f"{split}_{branches[-1][1]}") + make(join)
        for branch in branches:
            asked = f" : {self.chance.choice(FACTS)}" if kind != "parallel" and branch is not branches[-1] else ""
            drawn += flows(f"{split} > {branch[1]}{asked}", f"{branch[2]} > {join}")
        return drawn, split, join

    def level(self, depth: int) -> list[str]:
        """What a process or sub-process holds."""
        begin, finish, inner = self.name("s"), self.name("e"), self.block(depth)
        parts = [start(begin), end(finish), inner[0], flows(f"{begin} > {inner[1]}", f"{inner[2]} > {finish}")]
        if self.chance.random() < 0.4:
            what = self.chance.choice([timer("P1D"), message("stop"), signal("stop"), condition("y"), escalation("A")])
            name, first, task, last = (self.name(kind) for kind in "hsue")
            stops = str(self.chance.random() < 0.5).lower()
            parts.append(
                event_sub(name, start(first, what, isInterrupting=stops), user(task), end(last), flows(f"{first} > {task} > {last}"))
            )
        return parts


def sound(case: Case) -> None:
    """Nothing hangs in the air: every frame has its parent and owner, every token its frame, and what has ended is empty."""
    marking = case.marking
    for number, frame in marking.frames.items():
        assert frame.parent in marking.frames or (frame.parent == 0 and number == tokens.ROOT)
        assert frame.owner == 0 or marking.tokens[frame.owner].frame == frame.parent
    assert all(token.frame in marking.frames for token in marking.tokens.values())
    assert (marking.ended is None) == bool(marking.frames)
    if marking.ended is None:
        assert any(wait.kind == "task" for wait in tokens.waiting(case.net, marking)), "a well-nested diagram never gets stuck"


@pytest.mark.parametrize("block", range(4))
def test_well_nested_diagrams_stay_sound_and_end(block):
    for seed in range(block * 40, block * 40 + 40):
        drawn = Blocks(seed)
        compiled = net(*drawn.level(3))
        chance = random.Random(seed)
        case = Case(compiled, units=["a", "b"])
        for act in range(400):
            sound(case)
            if case.ended is not None:
                break
            waits = tokens.waiting(compiled, case.marking)
            calm = act > 40  # then only complete, with conditions that lead out
            for name in (*FACTS, "again", "enough"):
                case.facts[name] = not calm and chance.random() < 0.4
            wait = chance.choice([wait for wait in waits if wait.kind == "task"] if calm else waits)
            if wait.kind == "task":
                case._take(tokens.complete(compiled, case.marking, wait.owner, case))
            elif wait.kind == "timer":
                case._take(tokens.fire(compiled, case.marking, wait, case))
            elif wait.kind == "conditional":
                case.touch()
            else:
                case._take(tokens.deliver(compiled, case.marking, wait.kind, wait.node.event.name, case, chance.choice([wait, None])))
        assert case.ended is not None, seed
