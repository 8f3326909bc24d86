"""A marking carried over to another net: what is the same goes on as it was, what cannot is told, element by element."""

from __future__ import annotations

import random
import re
from typing import Any
from unittest.mock import patch

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from engine import play, tokens
from engine.counterparts import Place, counterparts
from engine.errors import NotWaiting, NoWayOut, TooManySteps
from engine.marking import Marking
from engine.net import Net
from engine.parsing import parse_bundle
from engine.remap import Obstacle, remap
from tests.engine.drawing import (
    Case,
    boundary,
    condition,
    diagram,
    element,
    end,
    event_sub,
    exclusive,
    flows,
    message,
    multi,
    parallel,
    start,
    timer,
)
from tests.engine.random_models import AGAIN, FACTS, FAMILIES, Model, draw
from tests.engine.test_differential import LISTS, Player, sound

# ---------------------------------------------------------------- small diagrams


def drawn(*parts: str, **called: bytes) -> tuple[Net, dict[str, bytes]]:
    files = {"p.bpmn": diagram(*parts), **{f"{name}.bpmn": data for name, data in called.items()}}
    return parse_bundle(files, "p"), files


def user(name: str, title: str = "", inside: str = "") -> str:
    return element("userTask", name, inside, name=title or name)


def moved(case: Case, old: tuple[Net, dict[str, bytes]], new: tuple[Net, dict[str, bytes]], **places: Place) -> Case:
    """The case in the other net, settled there."""
    mapping = {**counterparts(old[0], new[0], old[1], new[1]), **places}
    found = remap(case.marking, old[0], new[0], mapping)
    assert isinstance(found, Marking), found
    case.net = new[0]
    return case._take(tokens.resume(new[0], found, case))


def refused(case: Case, old: tuple[Net, dict[str, bytes]], new: tuple[Net, dict[str, bytes]], **places: Place) -> list[tuple[str, str]]:
    mapping = {**counterparts(old[0], new[0], old[1], new[1]), **places}
    found = remap(case.marking, old[0], new[0], mapping)
    assert not isinstance(found, Marking)
    assert all(isinstance(one, Obstacle) for one in found)
    return [(one.node, one.why) for one in found]


LINE = (start("s"), user("check"), user("sign"), end("e"), flows("s > check > sign > e"))


def test_a_step_before_which_another_was_put_waits_on_and_does_not_go_back() -> None:
    new = drawn(
        start("s"), user("early"), user("check"), user("sign"), user("late"), end("e"), flows("s > early > check > sign > late > e")
    )
    old = drawn(*LINE)
    case = moved(Case(old[0]), old, new)
    assert case.waits == ["check"]
    assert case.complete("check").complete("sign").waits == ["late"]


def test_a_step_keeps_its_key_and_so_all_that_is_kept_by_it() -> None:
    old, new = drawn(*LINE), drawn(start("s"), user("check"), user("more"), user("sign"), end("e"), flows("s > check > more > sign > e"))
    case = Case(old[0])
    key = case.wait("check").key
    assert moved(case, old, new).wait("check").key == key


def test_an_element_with_another_id_is_known_by_its_name_or_because_somebody_says_so() -> None:
    old = drawn(*LINE[:1], user("check", "確認"), *LINE[2:])
    by_name = drawn(start("s"), user("verify", "確認"), user("sign"), end("e"), flows("s > verify > sign > e"))
    assert moved(Case(old[0]), old, by_name).waits == ["verify"]
    other = drawn(start("s"), user("verify", "検証"), user("sign"), end("e"), flows("s > verify > sign > e"))
    assert refused(Case(old[0]), old, other) == [("check", "新しい図に、この要素にあたるものがありません。")]
    case = Case(old[0])
    owner = case.wait("check").owner
    assert moved(case, old, other, check=Place("verify")).wait("verify").owner == owner
    again = moved(Case(old[0]), old, other, check=Place("sign", anew=True))
    assert again.waits == ["sign"] and again.wait("sign").owner != owner, "another step is another wait"


def test_a_step_taken_out_can_be_gone_on_from_at_the_next_one() -> None:
    old, new = drawn(*LINE), drawn(start("s"), user("sign"), end("e"), flows("s > sign > e"))
    assert refused(Case(old[0]), old, new)[0][0] == "check"
    assert moved(Case(old[0]), old, new, check=Place("sign", anew=True)).complete("sign").ended == "e"


def test_what_is_of_another_kind_is_not_the_same_step() -> None:
    old, new = drawn(*LINE), drawn(start("s"), element("intermediateCatchEvent", "check", timer("P1D"), name="check"), *LINE[2:])
    assert "種類が違う" in refused(Case(old[0]), old, new)[0][1]


def test_nothing_begins_at_what_does_not_wait() -> None:
    old = drawn(*LINE)
    new = drawn(start("s"), exclusive("way"), user("sign"), end("e"), flows("s > way > sign > e"))
    for target in ("way", "e"):
        assert "始められません" in refused(Case(old[0]), old, new, check=Place(target, anew=True))[0][1]


FORK = (start("s"), parallel("f"), user("a"), user("b"), parallel("j"), user("after"), end("e"))


def test_what_has_come_to_a_join_stays_there() -> None:
    old = drawn(*FORK, flows("s > f > a > j > after > e", "f > b > j"))
    new = drawn(*FORK, user("more"), flows("s > f > a > j > after > more > e", "f > b > j"))
    case = moved(Case(old[0]).complete("a"), old, new)
    assert case.waits == ["b"]
    assert case.complete("b").complete("after").waits == ["more"]


THREE = (*FORK, user("c"), flows("s > f > a > j > after > e", "f > b > j", "f > c > j"))
TWO = (*FORK, flows("s > f > a > j > after > e", "f > b > j"))


def test_a_branch_that_was_taken_out_goes_and_the_join_waits_for_it_no_more() -> None:
    old, new = drawn(*THREE), drawn(*TWO)
    assert refused(Case(old[0]), old, new)[0][0] == "c"
    assert moved(Case(old[0]), old, new, c=Place("")).complete("a").complete("b").waits == ["after"]
    stands = Case(old[0]).complete("a").complete("b")
    assert moved(stands, old, new, c=Place("")).waits == ["after"], "what the join waits for is there already"
    arrived = Case(old[0]).complete("a").complete("c")
    assert refused(arrived, old, new) == [("j", "合流に着いている流れ（「c」から）が、新しい図にはありません。")]
    assert moved(arrived, old, new, c_j=Place("")).complete("b").waits == ["after"]


def test_a_branch_that_was_added_after_the_fork_was_passed_would_never_come() -> None:
    old, new = drawn(*TWO), drawn(*THREE)
    told = [("", "合流「j」が待つ「c」には、もう何も来ません。移すと、そこから先へ進めなくなります。")]
    assert refused(Case(old[0]), old, new) == told
    assert refused(Case(old[0]).complete("a"), old, new) == told
    assert moved(Case(old[0]).complete("a").complete("b"), old, new).waits == ["after"]


def test_a_fork_taken_out_leaves_one_branch() -> None:
    old, new = drawn(*TWO), drawn(start("s"), user("a"), user("after"), end("e"), flows("s > a > after > e"))
    said = {"b": Place(""), "a_j": Place("after", anew=True), "b_j": Place("")}
    assert moved(Case(old[0]), old, new, **said).waits == ["a"]
    assert moved(Case(old[0]).complete("a"), old, new, **said).waits == ["after"]
    assert moved(Case(old[0]).complete("b"), old, new, **said).waits == ["a"]
    assert refused(Case(old[0]), old, new, a=Place(""), b=Place("")) == [("", "ここには何も残らなくなります。")]


def test_what_came_by_a_flow_that_has_another_id_and_source_can_be_said() -> None:
    old = drawn(*TWO)
    new = drawn(*FORK, user("more"), flows("s > f > a > more > j > after > e", "f > b > j"))
    case = Case(old[0]).complete("a")
    assert refused(case, old, new)[0][0] == "j"
    assert moved(case, old, new, a_j=Place("more_j")).complete("b").waits == ["after"]


def test_a_join_that_is_none_any_more_is_told() -> None:
    old = drawn(*FORK, flows("s > f > a > j > after > e", "f > b > j"))
    new = drawn(
        start("s"),
        parallel("f"),
        user("a"),
        user("b"),
        exclusive("j"),
        user("after"),
        end("e"),
        flows("s > f > a > j > after > e", "f > b > j"),
    )
    assert refused(Case(old[0]).complete("a"), old, new)[0][0] == "j"


def test_events_that_are_new_are_armed_and_those_that_happened_do_not_happen_again() -> None:
    late = boundary("late", "check", timer("P1D"), interrupting=False)
    told = (user("told"), end("f"), flows("late > told > f"))
    old = drawn(*LINE, late, *told)
    again = boundary("soon", "check", timer("PT1H"), interrupting=False)
    new = drawn(*LINE, late, *told, again, user("asked"), end("g"), flows("soon > asked > g"))
    case = moved(Case(old[0]).fire("late"), old, new)
    assert case.waits == ["check", "timer:soon", "told"]
    cycle = drawn(*LINE, boundary("late", "check", timer("R3/P1D"), interrupting=False), *told)
    case = moved(Case(old[0]).fire("late"), old, cycle)
    assert case.wait("late").fired == 1, "it has happened once of three times"
    gone = moved(Case(old[0]), old, drawn(*LINE))
    assert gone.waits == ["check"]


def test_a_running_cycle_keeps_its_count() -> None:
    def with_cycle(times: int) -> tuple[Net, dict[str, bytes]]:
        late = boundary("late", "check", timer(f"R{times}/P1D"), interrupting=False)
        return drawn(*LINE, late, user("told"), end("f"), flows("late > told > f"))

    old = with_cycle(5)
    case = Case(old[0]).fire("late").fire("late")
    assert moved(case, old, with_cycle(3)).wait("late").fired == 2
    case = Case(old[0]).fire("late").fire("late")
    assert "timer:late" not in moved(case, old, with_cycle(2)).waits


def test_a_condition_that_is_true_fires_at_once_where_it_is_new() -> None:
    old = drawn(*LINE)
    new = drawn(*LINE, boundary("when", "check", condition("urgent")), user("rush"), flows("when > rush > e"))
    assert moved(Case(old[0], urgent=True), old, new).waits == ["rush"]
    assert moved(Case(old[0], urgent=False), old, new).waits == ["check", "conditional:when"]


INNER = element("subProcess", "sub", start("s2") + user("inside") + end("e2") + flows("s2 > inside > e2"))


def test_scopes_go_on_and_those_dissolved_are_told() -> None:
    old = drawn(start("s"), INNER, end("e"), flows("s > sub > e"))
    new = drawn(start("s"), INNER, user("after"), end("e"), flows("s > sub > after > e"))
    assert moved(Case(old[0]), old, new).complete("inside").waits == ["after"]
    flat = drawn(start("s"), user("inside"), end("e"), flows("s > inside > e"))
    assert [node for node, _ in refused(Case(old[0]), old, flat)] == ["sub"]
    assert moved(Case(old[0]), old, flat, sub=Place("inside", anew=True)).waits == ["inside"], "all that was in it goes"


def test_what_went_into_another_scope_is_told() -> None:
    old = drawn(start("s"), user("inside"), end("e"), flows("s > inside > e"))
    new = drawn(start("s"), INNER, end("e"), flows("s > sub > e"))
    assert refused(Case(old[0]), old, new) == [("inside", "新しい図では、入っている部分手続か図が違います。")]


def test_called_diagrams_are_followed() -> None:
    def calling(name: str, call: str, *more: str) -> tuple[Net, dict[str, bytes]]:
        inner = diagram(start("s"), *more, user("inside"), end("e"), flows(f"s > {'before > ' if more else ''}inside > e"), id=name)
        return drawn(
            start("s"),
            element("callActivity", call, name="呼出し", calledElement=name),
            end("e"),
            flows(f"s > {call} > e"),
            **{name: inner},
        )

    old, new = calling("q", "call"), calling("q2", "other", user("before"))
    case = moved(Case(old[0]), old, new)
    assert case.waits == ["other/inside"]
    assert case.complete("other/inside").ended == "e"


def repeated(variable: str = "unit", **more: Any) -> tuple[Net, dict[str, bytes]]:
    return drawn(start("s"), user("ask", inside=multi(collection="units", variable=variable, **more)), end("e"), flows("s > ask > e"))


def test_repeated_steps_keep_their_counters_and_values() -> None:
    old = repeated()
    case = moved(Case(old[0], units=["a", "b", "c"]).complete("ask"), old, repeated("part"))
    assert [case.wait("ask", number).local for number in (0, 1)] == [{"loop_index": 1, "part": "b"}, {"loop_index": 2, "part": "c"}]
    assert case.complete("ask").complete("ask").ended == "e"
    assert "繰返し" in refused(Case(old[0], units=["a"]), old, repeated(sequential=True))[0][1]
    assert "繰返し" in refused(Case(old[0], units=["a"]), old, drawn(start("s"), user("ask"), end("e"), flows("s > ask > e")))[0][1]
    nameless = repeated("")
    assert refused(Case(nameless[0], units=["a"]), nameless, old)[0][1].startswith("繰返しの一件ごとの値（unit）")


def handler(*, stops: bool) -> tuple[Net, dict[str, bytes]]:
    begin = start("hs", message("go"), isInterrupting=str(stops).lower())
    return drawn(*LINE, event_sub("h", begin, user("handle"), end("he"), flows("hs > handle > he")))


def test_a_running_event_sub_process_goes_on_unless_it_stopped_what_it_now_does_not() -> None:
    for stops in (False, True):
        old, new = handler(stops=stops), handler(stops=stops)
        case = moved(Case(old[0]).message("go"), old, new)
        assert ("message:hs" in case.waits) is not stops, "what an interrupting one has disarmed stays so"
        assert refused(Case(old[0]).message("go"), old, handler(stops=not stops)) == [
            ("h", "動いている手続が、元の処理を止めるかどうかが変わっています。")
        ]
        assert "message:hs" in moved(Case(old[0]), old, handler(stops=not stops)).waits


# ---------------------------------------------------------------- random diagrams

ACTS = 10
#: Families whose diagrams hold what a mapping must carry over; the others differ in what happens while tokens move.
TRIED = ("nested_blocks", "joins_in_loops", "inclusive_in_blocks", "nested_frames", "event_sub_processes", "repeated", "conditionals",
         "send_backs", "services", "timers", "everything")  # fmt: skip


def played(model: Model, chance: random.Random, acts: int) -> Player | None:
    """A case of a random diagram somewhere on its way; None when the diagram refuses or it has ended."""
    facts: dict[str, Any] = {name: chance.choice([True, False, None]) for name in FACTS}
    try:
        case = Player(model.net, units=chance.choice(LISTS), works=chance.random() < 0.3, **facts)
        for _ in range(acts):
            if case.marking.ended is not None or len(case.marking.tokens) > 40:
                return None
            act(case, chance)
    except (NoWayOut, TooManySteps):
        return None
    return case if case.marking.ended is None and len(case.marking.tokens) <= 40 else None


def act(case: Player, chance: random.Random) -> None:
    """One random act that the case offers."""
    for name in (*FACTS, AGAIN, "works"):
        if chance.random() < 0.2:
            case.facts[name] = chance.random() < 0.5
    waits = tokens.waiting(case.net, case.marking)
    if not waits:
        return
    wait = waits[chance.randrange(len(waits))]
    try:
        if wait.kind == "task":
            case._take(tokens.complete(case.net, case.marking, wait.owner, case))
        elif wait.kind == "timer":
            case._take(tokens.fire(case.net, case.marking, wait, case))
        elif wait.kind == "service":
            case._take(tokens.retry(case.net, case.marking, wait, case))
        elif wait.kind == "conditional":
            case._take(tokens.touch(case.net, case.marking, case))
        else:
            assert wait.node.event is not None
            case._take(tokens.deliver(case.net, case.marking, wait.kind, wait.node.event.name, case, wait))
    except NotWaiting:
        return


def edited(model: Model, chance: random.Random) -> Model:
    """The diagram with small edits that lose nothing: steps put onto flows, which gives nearly everything another number."""
    files = dict(model.files)
    for name, data in files.items():
        text = data.decode()
        for _ in range(chance.randint(0, 2)):
            text = _with_step(text, chance)
        files[name] = text.encode()
    return Model(model.family, model.seed, files, parse_bundle(files, "p"), model.events)


def _with_step(text: str, chance: random.Random) -> str:
    """A user task put onto a flow; the flow's first half keeps its id, the second is new."""
    found = list(re.finditer(r'<bpmn:sequenceFlow id="([^"]+)" sourceRef="(\w+)" targetRef="(\w+)"', text))
    safe = [one for one in found if not one[2].startswith(("w", "s")) and one[3][0] not in "jgo"]
    if not safe:
        return text
    flow = chance.choice(safe)
    step = f"u9{chance.randrange(10**6)}"
    second = (
        f'<bpmn:sequenceFlow id="{step}_{flow[3]}" sourceRef="{step}" targetRef="{flow[3]}"/><bpmn:userTask id="{step}" name="{step}"/>'
    )
    changed = flow[0].replace(f'targetRef="{flow[3]}"', f'targetRef="{step}"')
    return text[: flow.start()] + second + changed + text[flow.end() :]


random_cases = settings(max_examples=120, deadline=None, suppress_health_check=list(HealthCheck))
seeds = st.integers(0, 400)
families = st.sampled_from(TRIED)
numbers = st.integers(0, 10**6)


@random_cases
@given(families, seeds, numbers)
def test_to_the_same_diagram_nothing_changes(family: str, seed: int, number: int) -> None:
    with patch.object(play, "STEP_LIMIT", 2_000):
        model, chance = draw(family, seed), random.Random(number)
        case = played(model, chance, chance.randint(0, ACTS))
        if case is None:
            return
        again = parse_bundle(model.files, "p")
        found = remap(case.marking, model.net, again, counterparts(model.net, again, model.files, model.files))
        assert found == case.marking
        case._take(tokens.touch(case.net, case.marking, case))
        assert tokens.resume(again, case.marking, case).marking == case.marking, "what rests goes on resting"


@random_cases
@given(families, seeds, numbers)
def test_a_moved_case_is_played_on_by_the_other_diagram_and_comes_back_as_it_was(family: str, seed: int, number: int) -> None:
    with patch.object(play, "STEP_LIMIT", 2_000):
        model, chance = draw(family, seed), random.Random(number)
        case, other = played(model, chance, chance.randint(0, ACTS)), edited(draw(family, seed), chance)
        if case is None:
            return
        there = counterparts(model.net, other.net, model.files, other.files)
        found = remap(case.marking, model.net, other.net, there)
        assert isinstance(found, Marking), found
        keys = [(wait.kind, wait.key, wait.fired, dict(wait.local)) for wait in tokens.waiting(model.net, case.marking)]
        assert [(wait.kind, wait.key, wait.fired, dict(wait.local)) for wait in tokens.waiting(other.net, found)] == keys
        back = remap(found, other.net, model.net, counterparts(other.net, model.net, other.files, model.files))
        assert back == case.marking
        case.net = other.net
        try:
            case._take(tokens.resume(other.net, found, case))
            sound(other.net, case)
            for _ in range(ACTS):
                if case.marking.ended is not None or len(case.marking.tokens) > 40:
                    return
                act(case, chance)
                sound(other.net, case)
        except (NoWayOut, TooManySteps):
            return


def test_random_cases_stand_in_every_kind_of_place() -> None:
    """Else the two tests above would say little."""
    seen: set[str] = set()
    chance = random.Random(1)
    with patch.object(play, "STEP_LIMIT", 2_000):
        for family in TRIED:
            assert family in FAMILIES
            for seed in range(12):
                case = played(model := draw(family, seed), chance, chance.randint(1, ACTS))
                if case is not None:
                    seen |= {model.net.scopes[frame.scope].kind for frame in case.marking.frames.values()}
                    seen |= {"join" for frame in case.marking.frames.values() if frame.arrivals}
                    seen |= {"armed" for token in case.marking.tokens.values() if token.armed}
                    seen |= {"fired" for token in case.marking.tokens.values() if any(state for _, state in token.armed)}
    assert seen == {"process", "sub", "event", "call", "multi", "join", "armed", "fired"}


@pytest.mark.parametrize("count", [1, 2])
def test_a_join_with_several_complete_rounds_lets_each_through(count: int) -> None:
    old = drawn(*FORK, user("c"), flows("s > f > a > j > after > e", "f > b > j", "f > c > j"))
    new = drawn(*FORK, flows("s > f > a > j > after > e", "f > b > j"))
    net = new[0]
    join = net.by_id["j"]
    frame = Case(old[0]).marking.frames[1]._replace(scope=0, arrivals=tuple((flow, count) for flow in join.incoming))
    done = tokens.resume(net, Marking({1: frame}, {}, 9), Case(net))
    assert [wait.node.id for wait in tokens.waiting(net, done.marking)] == ["after"] * count
