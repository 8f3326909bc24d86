"""The office's own rules about its procedures (`[[property]]` and `[[duty]]` of rules.toml), as questions to the checker and answers from it."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import date

from engine.checker.explore import Graph
from engine.checker.facts import sets_of
from engine.checker.parts import Question
from engine.checker.verdicts import Verdict
from engine.checker.world import Act, Outcome, World
from engine.expressions import compile_expression
from engine.moves import recorded
from engine.net import Kind, Net, Node
from engine.organisation import Organisation
from engine.rules import Duty, Property

#: Demands that turn on at most so many facts between them are asked in one walk.
MAX_TOGETHER = 5


@dataclass(frozen=True)
class Demand:
    """At an ordinary end of the case: whenever one of `when` may hold, one of `records` has been done and `then` holds."""

    rule: str
    name: str
    basis: str
    when: tuple[str, ...]
    records: tuple[str, ...]
    then: str = ""


def demands(duties: Iterable[Duty], properties: Iterable[Property]) -> tuple[Demand, ...]:
    """What must hold at every ordinary end."""
    found = [
        Demand(
            "duty_unrecorded",
            duty.name,
            duty.clause,
            tuple(text for text in (duty.when or "true", duty.undecided_when) if text),
            duty.recorded_by,
        )
        for duty in duties
    ]
    found += [
        Demand("property_violated", item.name, item.basis, (item.when or "true",), item.steps, item.then)
        for item in properties
        if item.kind == "before_end"
    ]
    return tuple(found)


def questions(net: Net, asked: Sequence[Demand]) -> Iterator[tuple[Question, tuple[Demand, ...]]]:
    """Demands that turn on the same facts are asked together, coarsely at first."""
    groups: dict[frozenset[str], list[Demand]] = {}
    for demand in asked:
        doing = [node for node in net.nodes if _does(node, demand.records)]
        exact = frozenset(name for node in doing for name in _around(net, node))
        if demand.then:
            exact |= compile_expression(demand.then).names
        groups.setdefault(exact, []).append(demand)
    merged: list[tuple[frozenset[str], list[Demand]]] = []
    for exact, group in sorted(groups.items(), key=lambda pair: -len(pair[0])):
        for place, (other, demands_there) in enumerate(merged):
            if exact <= other or len(exact | other) <= MAX_TOGETHER:
                merged[place] = (exact | other, demands_there + group)
                break
        else:
            merged.append((exact, group))
    for exact, group in merged:
        yield question(group, exact), tuple(group)


def _around(net: Net, node: Node) -> Iterator[str]:
    """Facts that lead to a step, that it makes so, and that the next step makes so."""
    yield from (name for name, _ in sets_of(node))
    todo, seen = [net.flows[flow].target for flow in node.outgoing], set()
    while todo:
        here = net.nodes[todo.pop()]
        if here.index not in seen:
            seen.add(here.index)
            yield from (name for name, _ in sets_of(here))
            if not here.waits and here.body is None and here.kind not in (Kind.PARALLEL, Kind.INCLUSIVE):
                todo += [net.flows[flow].target for flow in here.outgoing]
    back, seen = [net.flows[flow].source for flow in node.incoming], set()
    while back:
        here = net.nodes[back.pop()]
        if here.index in seen or here.body is not None or here.kind in (Kind.USER_TASK, Kind.MANUAL_TASK, Kind.RECEIVE_TASK):
            continue
        seen.add(here.index)
        texts = [net.flows[flow].condition for flow in here.outgoing] + [here.event.condition if here.event else None]
        yield from (name for text in texts if text for name in compile_expression(text).names)
        if here.kind not in (Kind.PARALLEL, Kind.INCLUSIVE):
            back += [net.flows[flow].source for flow in here.incoming]


def question(group: Sequence[Demand], exact: frozenset[str], *, coarse: bool = True) -> Question:
    """What to ask for some demands."""
    texts = tuple(dict.fromkeys(text for demand in group for text in (*demand.when, demand.then) if text))
    marks = tuple(dict.fromkeys(record for demand in group for record in demand.records))
    return Question(texts, marks, exact=exact, coarse=coarse)


def _does(node: Node, records: Iterable[str]) -> bool:
    return bool({*recorded(node), node.id, node.element} & set(records)) and node.kind is not Kind.START


@dataclass
class EndWatch:
    """Looks at every ordinary end of the case while states are walked through; keeps the first failure of each demand."""

    world: World
    asked: Sequence[Demand]
    failed: dict[int, tuple[int, Act, Outcome]] = field(default_factory=dict)

    def __call__(self, before: int, act: Act, outcome: Outcome) -> None:
        """Judge one act that was tried."""
        ended = outcome.state.marking.ended
        # Whoever completes a step is asked for records wherever that ends the case (engine/work.py); actions are not.
        if ended is None or outcome.error is not None or not (act.kind == "complete" or self._is_ordinary(ended)):
            return
        for place, demand in enumerate(self.asked):
            if place in self.failed:
                continue
            under = outcome.mask & self._open(demand, outcome)
            done = sum(self.world.marks.get(record, 0) for record in demand.records) & outcome.state.done
            missing = under if not done and demand.records else 0
            if demand.then:
                missing |= under & self.world.not_true_under(demand.then, outcome.state.held, {})
            if missing:
                self.failed[place] = (before, act, outcome._replace(mask=missing))

    def _open(self, demand: Demand, outcome: Outcome) -> int:
        mask = 0
        for text in demand.when:
            mask |= self.world.true_under(text, outcome.state.held, {})
        return mask

    def _is_ordinary(self, ended: str) -> bool:
        """Whether the case came to its own end, and was not ended by an action or an error."""
        node = self.world.net.by_id.get(ended)
        return node is not None and self.world.net.scopes[node.scope].kind != "event"

    def verdicts(self, graph: Graph) -> Iterator[Verdict]:
        """What failed, with the run that shows it."""
        for place, (before, act, outcome) in sorted(self.failed.items()):
            demand = self.asked[place]
            node = self.world.net.by_id.get(outcome.state.marking.ended or "")
            message = f"「{demand.name}」（{demand.basis}）の記録がないまま、案件が終わることがあります。"
            if not demand.records:
                message = f"「{demand.name}」（{demand.basis}）が成り立たないまま、案件が終わることがあります。"
            yield Verdict(demand.rule, message, node, (*graph.run_to(before), (act, outcome)))


@dataclass
class Order:
    """*Never without*: while nobody does what must come before, none of the steps may be completed, where `when` may hold."""

    world: World
    item: Property
    failed: tuple[int, Act, Outcome] | None = None

    def __call__(self, before: int, act: Act, outcome: Outcome) -> None:
        """Judge one act that was tried."""
        if self.failed is not None or outcome.error is not None:
            return
        if self.world.marked[act.at] & self._bits(self.item.steps) and act.kind in ("complete", "deliver"):
            under = outcome.mask & self.world.true_under(self.item.when or "true", outcome.state.held, {})
            if under:
                self.failed = (before, act, outcome._replace(mask=under))

    def _bits(self, names: Iterable[str]) -> int:
        return sum(self.world.marks.get(name, 0) for name in names)

    def verdicts(self, graph: Graph) -> Iterator[Verdict]:
        """What failed, with the run that shows it."""
        if self.failed is not None:
            before, act, outcome = self.failed
            node = self.world.net.nodes[act.at]
            message = (
                f"「{self.item.name}」（{self.item.basis}）：先に済ませるべき処理をしないまま、「{node.name}」が完了することがあります。"
            )
            yield Verdict("property_violated", message, node, (*graph.run_to(before), (act, outcome)))


def not_waiting(world: World, graph: Graph, item: Property) -> Iterator[Verdict]:
    """*Not waiting for*: although nobody does certain steps, from everywhere the others can still be done, or the case ends."""
    bits = sum(world.marks.get(name, 0) for name in item.steps)
    goals = {number for number, state in enumerate(graph.states) if state.done & bits or state.marking.ended is not None}
    reached = graph.backward(goals, side=False)
    for number in range(len(graph.states)):
        if number not in reached or not any(state.done & bits for state in graph.states):
            names = [node.name for node in world.net.nodes if {node.id, node.element} & set(item.without)]
            message = f"「{item.name}」（{item.basis}）：「{'」「'.join(names)}」がされないと、先に進めない場合があります。"
            node = next((node for node in world.net.nodes if {node.id, node.element} & set(item.without)), None)
            yield Verdict("property_violated", message, node, tuple(graph.run_to(number)))
            return


def same_person(net: Net, item: Property) -> Iterator[Verdict]:
    """*Never the same person*: of any two of the steps, whichever comes later must shut out who did the earlier one."""
    nodes = [node for node in net.nodes if {*recorded(node), node.id, node.element} & set(item.steps)]
    yield from _apart_from_named(net, item, nodes)
    for place, one in enumerate(nodes):
        for two in nodes[place + 1 :]:
            ordered = [(a, b) for a, b in ((one, two), (two, one)) if _can_follow(net, a, b)]
            shut = ordered or [(one, two), (two, one)]  # beside each other: either may come later
            for earlier, later in shut:
                own = later.id.removesuffix(later.element)
                if earlier.id not in [own + name for name in later.listed("not_same_person_as")]:
                    message = (
                        f"「{item.name}」（{item.basis}）：「{earlier.name}」をした人が「{later.name}」もできます。"
                        f"「{later.name}」の not_same_person_as に「{earlier.element}」を加えてください。"
                    )
                    yield Verdict("same_person", message, later)


def _apart_from_named(net: Net, item: Property, nodes: Sequence[Node]) -> Iterator[Verdict]:
    """A field of people among the steps: whoever it names may do none of the others."""
    labels = {field.id: field.label for node in net.nodes for field in node.form if field.type == "people"}
    for name in (step for step in item.steps if step in labels):
        for node in nodes:
            if node.kind is not Kind.START and name not in node.listed("not_same_person_as"):
                message = (
                    f"「{item.name}」（{item.basis}）：「{labels[name]}」に挙げられた人が「{node.name}」もできます。"
                    f"「{node.name}」の not_same_person_as に「{name}」を加えてください。"
                )
                yield Verdict("same_person", message, node)


def _can_follow(net: Net, first: Node, second: Node) -> bool:
    """Whether a token that left the first can come to the second, or both can be under way at once."""
    seen: set[int] = set()
    todo = [first.index]
    while todo:
        here = net.nodes[todo.pop()]
        targets = [net.flows[flow].target for flow in (*here.outgoing, *here.send_backs)] + [*here.boundaries, *here.targets]
        if here.body is not None:
            targets += [*net.scopes[here.body].starts, *net.scopes[here.body].event_starts]
        owner = net.scopes[here.scope].owner
        if owner is not None and not here.outgoing:
            targets += [net.flows[flow].target for flow in net.nodes[owner].outgoing]
        for target in targets:
            if target == second.index:
                return True
            if target not in seen:
                seen.add(target)
                todo.append(target)
    return _beside(net, first, second)


def _beside(net: Net, first: Node, second: Node) -> bool:
    """Whether one lies in an event sub-process of a scope around the other."""
    return any(net.scopes[node.scope].kind == "event" for node in (first, second))


def seats(net: Net, organisation: Organisation, today: date) -> Iterator[Verdict]:
    """*Every task has a seat in every unit today and after each known order.*"""
    days = sorted({today, *(day for day in organisation.changes() if day > today)})
    groups: dict[str, Node] = {}
    for node in net.nodes:
        if node.kind in (Kind.USER_TASK, Kind.MANUAL_TASK, Kind.RECEIVE_TASK):
            for group in node.candidate_groups:
                groups.setdefault(group, node)
    for group, node in groups.items():
        role, _, where = group.partition("@")
        if group == "reporter" or role not in organisation.roles:
            continue
        for day in days:
            if where in ("owning_unit", "reporting_unit"):
                units = [unit.id for unit in organisation.owners(day)]
            else:
                units = [organisation.id if where == "organisation" else where]
            lacking = [unit for unit in units if unit in organisation.units and organisation.resolve(role, unit, day) is None]
            if lacking:
                names = "、".join(organisation.units[unit].name for unit in lacking[:5]) + ("ほか" if len(lacking) > 5 else "")
                message = (
                    f"「{node.name}」の担当職「{organisation.roles[role].name}」が、{day}の時点で{names}にも、その上の部署にもありません。"
                )
                yield Verdict("seat_vacant", message, node)
                break


__all__ = ["Demand", "EndWatch", "Order", "demands", "not_waiting", "question", "questions", "same_person", "seats"]
