"""The token game beside SpiffWorkflow's own execution: the same acts on random structured diagrams of the kinds that it plays right.

The second half asserts faults that the library is known to have. They are why it only reads diagrams here; when one of these tests fails
after a new version was pinned, the library has changed, and more of it may have.
"""

from __future__ import annotations

import io
import random
from collections import Counter
from dataclasses import dataclass, field
from itertools import pairwise, permutations

import pytest
from lxml import etree
from SpiffWorkflow.bpmn.parser.ValidationException import ValidationException
from SpiffWorkflow.bpmn.specs.event_definitions.item_aware_event import SignalEventDefinition
from SpiffWorkflow.bpmn.util.event import BpmnEvent
from SpiffWorkflow.bpmn.workflow import BpmnWorkflow
from SpiffWorkflow.camunda.parser.CamundaParser import CamundaParser
from SpiffWorkflow.util.task import TaskState

from engine.parsing import parse_bundle
from tests.engine.conformance.layout import BPMN
from tests.engine.drawing import (
    Case,
    boundary,
    call,
    diagram,
    end,
    error,
    escalation,
    event_sub,
    exclusive,
    flows,
    inclusive,
    parallel,
    signal,
    start,
    sub,
    throw,
    user,
)

MODELS = 240
ACTS = 40


class Stock:
    """A workflow of the library, played as its documentation says."""

    def __init__(self, files: dict[str, bytes], **facts: bool) -> None:
        parser = CamundaParser()
        for file, data in files.items():
            parser.add_bpmn_xml(etree.parse(io.BytesIO(data)), file)
        self.workflow = BpmnWorkflow(parser.get_spec("p"), parser.get_subprocess_specs("p"))
        self.workflow.task_tree.data.update(facts)
        self.workflow.do_engine_steps()

    @property
    def waits(self) -> list[str]:
        return sorted(task.task_spec.bpmn_id for task in self.workflow.get_tasks(state=TaskState.READY, manual=True))

    @property
    def ended(self) -> bool:
        return bool(self.workflow.completed)

    def complete(self, name: str, **facts: bool) -> Stock:
        task = next(task for task in self.workflow.get_tasks(state=TaskState.READY, manual=True) if task.task_spec.bpmn_id == name)
        task.data.update(facts)
        task.run()
        self.workflow.do_engine_steps()
        return self

    def signal(self, name: str) -> Stock:
        self.workflow.catch(BpmnEvent(SignalEventDefinition(name)))
        self.workflow.do_engine_steps()
        return self


@dataclass
class Sketch:
    """A structured diagram while it is drawn. `drawn` and `ways` are of the scope at hand; `decides`: task -> the fact it settles."""

    chance: random.Random
    drawn: list[str] = field(default_factory=list)
    ways: list[str] = field(default_factory=list)
    files: dict[str, bytes] = field(default_factory=dict)
    facts: list[str] = field(default_factory=list)
    decides: dict[str, str] = field(default_factory=dict)
    signals: dict[str, str] = field(default_factory=dict)
    families: Counter[str] = field(default_factory=Counter)
    declared: list[str] = field(default_factory=list)
    count: int = 0

    def name(self, prefix: str) -> str:
        self.count += 1
        return f"{prefix}{self.count}"

    def fact(self) -> str:
        self.facts.append(self.name("x"))
        return self.facts[-1]

    def inside(self, depth: int, looping: bool, blocks: int = 1) -> str:
        """What lies in the process, a sub-process or a called process: its own scope."""
        kept, self.drawn, self.ways = (self.drawn, self.ways), [], []
        first, final = self.block(depth, looping)
        for _ in range(blocks - 1):
            following, ending = self.block(depth, looping)
            self.ways.append(f"{final} > {following}")
            final = ending
        begin, finish = self.name("s"), self.name("e")
        self.ways += [f"{begin} > {first}", f"{final} > {finish}"]
        text = "".join([start(begin), *self.drawn, end(finish), flows(*self.ways)])
        self.drawn, self.ways = kept
        return text

    def block(self, depth: int, looping: bool = False) -> tuple[str, str]:
        """One block: its first and its last element."""
        kinds = ["task", "sequence", "exclusive", "sub", "call", "error", "escalation", "signal"]
        kinds += ["loop"] if looping else ["loop", "parallel", "parallel", "inclusive"]  # joins in loops are not for the library
        kind = self.chance.choice(kinds) if depth else "task"
        self.families[kind] += 1
        return getattr(self, f"draw_{kind}")(depth - 1, looping)

    def draw_task(self, depth: int, looping: bool) -> tuple[str, str]:
        task = self.name("t")
        self.drawn.append(user(task))
        return task, task

    def draw_sequence(self, depth: int, looping: bool) -> tuple[str, str]:
        blocks = [self.block(depth, looping) for _ in range(self.chance.randint(2, 3))]
        for (_, last), (first, _) in pairwise(blocks):
            self.ways.append(f"{last} > {first}")
        return blocks[0][0], blocks[-1][1]

    def split(self, kind: str, depth: int, looping: bool) -> tuple[str, str]:
        fork, join = self.name("g"), self.name("j")
        blocks = [self.block(depth, looping) for _ in range(self.chance.randint(2, 3))]
        if kind == "parallel":
            self.drawn += [parallel(fork), parallel(join)]
        else:
            make = exclusive if kind == "exclusive" else inclusive
            self.drawn += [make(fork, default=f"{fork}_{blocks[-1][0]}"), make(join)]
        for number, (first, last) in enumerate(blocks):
            condition = f" : {self.fact()}" if kind != "parallel" and number < len(blocks) - 1 else ""
            self.ways += [f"{fork} > {first}{condition}", f"{last} > {join}"]
        return fork, join

    def draw_exclusive(self, depth: int, looping: bool) -> tuple[str, str]:
        return self.split("exclusive", depth, looping)

    def draw_parallel(self, depth: int, looping: bool) -> tuple[str, str]:
        return self.split("parallel", depth, looping)

    def draw_inclusive(self, depth: int, looping: bool) -> tuple[str, str]:
        return self.split("inclusive", depth, looping)

    def draw_loop(self, depth: int, looping: bool) -> tuple[str, str]:
        first, last = self.block(depth, True)
        merge, judge, fork, on = self.name("m"), self.name("t"), self.name("g"), self.name("n")
        fact = self.fact()
        self.decides[judge] = fact
        self.drawn += [exclusive(merge), user(judge), exclusive(fork, default=f"{fork}_{on}"), user(on)]
        self.ways += [f"{merge} > {first}", f"{last} > {judge} > {fork} > {on}", f"{fork} > {merge} : {fact}"]
        return merge, on

    def draw_sub(self, depth: int, looping: bool) -> tuple[str, str]:
        name = self.name("w")
        self.drawn.append(sub(name, self.inside(depth, looping)))
        return name, name

    def draw_call(self, depth: int, looping: bool) -> tuple[str, str]:
        name, called = self.name("c"), self.name("q")
        inside = self.inside(depth, looping)
        self.files[f"{called}.bpmn"] = diagram(inside, id=called, head="".join(self.declared))
        self.drawn.append(call(name, called))
        return name, name

    def caught(self, kind: str, depth: int, looping: bool) -> tuple[str, str]:
        """A sub-process that may throw, and what catches it; both ways meet again."""
        name, catch, after, meet, code = self.name("w"), self.name("b"), self.name("t"), self.name("m"), self.name("K")
        kept, self.drawn, self.ways = (self.drawn, self.ways), [], []
        first, last = self.block(depth, looping)
        begin, fork, fine, bad, condition = self.name("s"), self.name("g"), self.name("e"), self.name("e"), self.fact()
        event = {
            "error": f'<bpmn:errorEventDefinition errorRef="e_{code}"/>',
            "escalation": f'<bpmn:escalationEventDefinition escalationRef="e_{code}"/>',
        }[kind]
        self.declared.append(f'<bpmn:{kind} id="e_{code}" name="{code}" {kind}Code="{code}"/>')
        self.ways += [f"{begin} > {first}", f"{last} > {fork} > {fine}", f"{fork} > {bad} : {condition}"]
        body = [start(begin), *self.drawn, exclusive(fork, default=f"{fork}_{fine}"), end(fine), end(bad, event), flows(*self.ways)]
        self.drawn, self.ways = kept
        self.drawn += [sub(name, *body), boundary(catch, name, event), user(after), exclusive(meet)]
        self.ways += [f"{name} > {meet}", f"{catch} > {after} > {meet}"]
        return name, meet

    def draw_error(self, depth: int, looping: bool) -> tuple[str, str]:
        return self.caught("error", depth, looping)

    def draw_escalation(self, depth: int, looping: bool) -> tuple[str, str]:
        return self.caught("escalation", depth, looping)

    def draw_signal(self, depth: int, looping: bool) -> tuple[str, str]:
        task, catch, after, meet, name = self.name("t"), self.name("b"), self.name("t"), self.name("m"), self.name("S")
        self.declared.append(f'<bpmn:signal id="i_{name}" name="{name}"/>')
        self.signals[task] = name
        self.drawn += [
            user(task),
            boundary(catch, task, f'<bpmn:signalEventDefinition signalRef="i_{name}"/>'),
            user(after),
            exclusive(meet),
        ]
        self.ways += [f"{task} > {meet}", f"{catch} > {after} > {meet}"]
        return task, meet


def sketched(seed: int) -> Sketch:
    """A diagram of this number."""
    made = Sketch(random.Random(seed))
    inside = made.inside(2, False, blocks=3)
    head = "".join(made.declared)
    # Where a called diagram names what was declared after it was drawn, it is drawn again with everything declared.
    for file, data in made.files.items():
        root = etree.fromstring(data)
        for kind in ("error", "escalation", "signal"):
            for item in [item for item in root.findall(f"{{{BPMN}}}{kind}") if f'id="{item.get("id")}"' in head]:
                root.remove(item)
        for item in etree.fromstring(f'<x xmlns:bpmn="{BPMN}">{head}</x>'):
            root.insert(0, item)
        made.files[file] = etree.tostring(root)
    made.files["p.bpmn"] = diagram(inside, head=head)
    return made


def play(seed: int) -> tuple[int, Counter[str]]:
    """The same acts on both sides; how many, and of which families the diagram is."""
    model = sketched(seed)
    chance = random.Random(-seed)
    facts = {name: chance.random() < 0.5 for name in model.facts}
    ours = Case(parse_bundle(dict(model.files), "p"), **facts)
    stock = Stock(model.files, **facts)
    for act in range(ACTS):
        waits = sorted(wait.node.element for wait in map(ours.wait, dict.fromkeys(name for name in ours.waits if ":" not in name)))
        assert waits == stock.waits, (seed, act)
        assert (ours.ended is not None) == stock.ended, (seed, act)
        if not waits:
            assert stock.ended, (seed, act)
            return act, model.families
        name = chance.choice(waits)
        path = next(path for path in ours.waits if path.rpartition("/")[2] == name)
        if name in model.signals and chance.random() < 0.5:
            ours.signal(model.signals[name])
            stock.signal(model.signals[name])
        else:
            answer = {model.decides[name]: chance.random() < 0.3} if name in model.decides else {}
            ours.complete(path, **answer)
            stock.complete(name, **answer)
    return ACTS, model.families


def test_the_same_waits_after_every_act_on_random_structured_diagrams():
    acts, drawn = 0, Counter[str]()
    for seed in range(1, MODELS + 1):
        done, families = play(seed)
        acts += done
        drawn.update(set(families))
    assert acts > 6 * MODELS
    kinds = {"sequence", "exclusive", "parallel", "inclusive", "loop", "sub", "call", "error", "escalation", "signal"}
    assert all(drawn[kind] >= MODELS // 12 for kind in kinds), drawn


def test_a_difference_would_be_seen():
    """Another diagram on each side: the comparison is able to fail."""
    ours = Case(parse_bundle({"p.bpmn": diagram(start(), user("a"), user("b"), end(), flows("s > a > b > e"))}, "p"))
    stock = Stock({"p.bpmn": diagram(start(), user("a"), user("c"), end(), flows("s > a > c > e"))})
    assert ours.waits == stock.waits
    assert ours.complete("a").waits != stock.complete("a").waits


class TestFaultsOfTheLibrary:
    """What is wrong in the pinned version, each beside what is right."""

    def both(self, *parts: str, **facts: bool) -> tuple[Case, Stock]:
        data = diagram(*parts)
        return Case(parse_bundle({"p.bpmn": data}, "p"), **facts), Stock({"p.bpmn": data}, **facts)

    def test_a_join_in_a_loop_fires_before_all_have_come(self):
        parts = (
            start(), exclusive("m"), parallel("g"), user("a"), user("b"), user("c"), parallel("j"), user("z"), exclusive("x", default="x_e"), end(),
            flows("s > m > g > a > j > z > x > e", "g > b > j", "g > c > j", "x > m : more"),
        )  # fmt: skip
        early = 0
        for order in permutations("abc"):
            ours, stock = self.both(*parts, more=True)
            for name in (*"abc", "z", *order[:2]):
                ours.complete(name)
                if name in stock.waits:
                    stock.complete(name)
            assert ours.waits == [order[2]]
            early += "z" in stock.waits
        assert early > 0

    def test_whether_an_event_sub_process_interrupts_is_never_read(self):
        for interrupting, right in (("true", ["fix"]), ("false", ["a", "fix", "signal:hs"])):
            inner = event_sub("h", start("hs", signal("go"), isInterrupting=interrupting), user("fix"), end("he"), flows("hs > fix > he"))
            ours, stock = self.both(start(), user("a"), end(), inner, flows("s > a > e"))
            assert ours.signal("go").waits == right
            assert stock.signal("go").waits == ["a", "fix"]

    def test_a_long_loop_stops_without_a_word(self):
        """It walks at most 1,000 steps deep: 500 rounds of two steps, or here 43 of one step among twenty-three."""
        passed = [f"d{number}" for number in range(20)]
        ours, stock = self.both(
            start(), exclusive("m"), user("a"), *(throw(name) for name in passed), exclusive("x", default="x_m"), end(),
            flows(" > ".join(["s", "m", "a", *passed, "x", "m"]), "x > e : never"), never=False,
        )  # fmt: skip
        rounds = 0
        while stock.waits and rounds < 100:
            stock.complete("a")
            ours.complete("a")
            rounds += 1
        assert rounds < 100
        assert stock.waits == []  # no exception, and nothing to do
        assert ours.waits == ["a"]

    def test_an_error_is_caught_by_a_parallel_neighbour(self):
        def part(name: str, event: str = "") -> str:
            return sub(name, start(f"s{name}"), user(f"u{name}"), end(f"e{name}", event), flows(f"s{name} > u{name} > e{name}"))

        ours, stock = self.both(
            start(), parallel("g"), part("a", error("A")), part("b"), boundary("xb", "b", error("A")), boundary("xa", "a", error("A")),
            user("fa"), user("fb"), end(), flows("s > g > a > e", "g > b > e", "xa > fa > e", "xb > fb > e"),
        )  # fmt: skip
        assert ours.complete("ua").waits == ["fa", "ub"]
        assert "fb" in stock.complete("ua").waits

    def test_two_flows_between_the_same_two_elements_are_one(self):
        """One of two flows is taken. A join wants a token on each of them (13.4.1) and waits for ever; the library's goes on with one."""
        ours, stock = self.both(
            start(), user("a"), exclusive("x", default="x_j"), parallel("j"), user("b"), end(),
            flows("s > a > x", "x > j", "x > j : other", "j > b > e"), other=False,
        )  # fmt: skip
        assert ours.complete("a").waits == []
        assert stock.complete("a").waits == ["b"]

    def test_several_flows_from_an_activity_are_refused(self):
        data = diagram(start(), user("a"), user("b"), user("c"), end(), flows("s > a", "a > b > e", "a > c > e"))
        assert Case(parse_bundle({"p.bpmn": data}, "p")).complete("a").waits == ["b", "c"]
        with pytest.raises(ValidationException):
            Stock({"p.bpmn": data})

    def test_a_plain_throw_of_an_escalation_is_right(self):
        """Not a fault: the family that the comparison above relies on, in its smallest form."""
        inner = sub("w", start("s1"), user("a"), throw("up", escalation("A")), user("b"), end("e1"), flows("s1 > a > up > b > e1"))
        ours, stock = self.both(
            start(), inner, boundary("x", "w", escalation("A"), interrupting=False), user("c"), end(), flows("s > w > e", "x > c > e")
        )
        assert ours.complete("a").waits == ["b", "c"]
        assert stock.complete("a").waits == ["b", "c"]


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_a_diagram_of_a_number_is_always_the_same(seed: int):
    assert sketched(seed).files == sketched(seed).files
