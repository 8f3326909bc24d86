"""Which acts must be tried in a state so that everything that can happen is still found: stubborn sets over the moves of a net.

Two moves are independent when neither touches what the other reads, writes, takes or awaits (engine/checker/footprint.py). In each state a set of moves
is closed: with an enabled move everything that depends on it, with a disabled one enough moves to contain whatever would enable it first.
The enabled acts of the smallest such set stand for all; the others commute with them and come later. What is put off in a circle for ever
is the explorer's to prevent (engine/checker/explore.py).
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from itertools import product
from math import prod
from typing import Any

from engine.checker.facts import is_side_action
from engine.checker.footprint import Barrier, Footprint, Footprints, Move, Part, conjuncts
from engine.checker.world import Act, State, World
from engine.expressions import compile_expression
from engine.net import Kind, Net, Node

#: At most so many combinations of facts are compared to see whether one only helps.
MAX_COMPARED = 512


class Independence:
    """Reduces the acts of a state; an object for one world."""

    def __init__(self, world: World) -> None:
        self.world, self.net = world, world.net
        self.prints = Footprints(world)
        self.reaching = {
            node.index: _reach(world.net, node.index)
            for node in world.net.nodes
            if node.kind in (Kind.PARALLEL, Kind.INCLUSIVE) and len(node.incoming) > 1
        }
        self.moves = [move for move in self.prints.all if not self._stands_apart(world.net.nodes[move.at])]
        self.number = {move: number for number, move in enumerate(self.moves)}
        #: Masks of move numbers: those of a node, those whose token rests at a node, send-backs by their target.
        self.events: dict[int, int] = {}
        self.placed: dict[int, int] = {}
        self.backs: dict[int, int] = {}
        found = [self.prints.all[move] for move in self.moves]
        for number, move in enumerate(self.moves):
            table, key = (self.backs, move.detail) if move.kind == "back" else (self.events, move.at)
            table[key] = table.get(key, 0) | 1 << number
            for index in _bits(found[number].place):
                self.placed[index] = self.placed.get(index, 0) | 1 << number
        #: Per held fact, every value it can have.
        self.written = {
            name: tuple(
                dict.fromkeys(
                    [
                        world.null,
                        *world.domains[name],
                        *(
                            world.number(name, value)
                            for value in [
                                *world.facts.constants(name),
                                *([True, False] if any(name in names for names in world.facts.boxes.values()) else []),
                            ]
                        ),
                    ]
                )
            )
            for name in world.facts.held
        }
        self._helping: dict[tuple[str, str, str | None], bool] = {}
        #: Per move, the moves that depend on it, by the events that must be armed for it to be so.
        self.conflicts: list[dict[frozenset[int], int]] = [{} for _ in found]
        for one, first in enumerate(found):
            for two in range(one + 1):
                for armed in [frozenset()] if one == two else self._depend(first, found[two]):
                    self.conflicts[one][armed] = self.conflicts[one].get(armed, 0) | 1 << two
                    self.conflicts[two][armed] = self.conflicts[two].get(armed, 0) | 1 << one
        self.writers: dict[str, int] = {}
        for number, footprint in enumerate(found):
            for part in footprint.parts.values():
                for name in part.writes:
                    self.writers[name] = self.writers.get(name, 0) | 1 << number
        self.throwers: dict[tuple[str, str], list[int]] = {}
        for node in world.net.nodes:
            if node.event is not None and node.kind in (Kind.THROW, Kind.END, Kind.SEND_TASK):
                self.throwers.setdefault((node.event.kind, node.event.name), []).append(node.index)
        self._closed = self._now = 0
        self._doors: set[tuple[str, int]] | None = None
        self._before: dict[int, tuple[int, tuple[tuple[str, int], ...]]] = {}
        self._occupied = 0
        self._scopes: set[int] = set()
        self._owning: set[int] = set()
        self._tried: set[tuple[int, ...]] = set()

    def _stands_apart(self, node: Node) -> bool:
        """An action that ends the ordinary course from any state: it is tried in every state besides."""
        return (
            is_side_action(self.net, node)
            and node.event is not None
            and node.event.interrupting
            and self.net.scopes[node.scope].parent == 0
        )

    # Dependence.

    def _depend(self, one: Footprint, two: Footprint) -> set[frozenset[int]]:
        """Sets of events under which the two depend on each other; the empty set when they always do."""
        if one.place & two.place:
            return {frozenset()}
        if any(self._same_way(join, one, two) for join in self.reaching if self.net.nodes[join].kind is Kind.INCLUSIVE):
            return {frozenset()}
        found: set[frozenset[int]] = set()
        for behind, part in one.parts.items():
            if self._awaited(behind, one, two):
                continue
            for against, other in two.parts.items():
                armed = frozenset(barrier.at for barrier in behind | against if barrier.kind == "armed")
                if armed not in found and not self._awaited(against, two, one) and self._clash(part, other, one.place, two.place):
                    found.add(armed)
        for first, second in ((one, two), (two, one)):
            for behind, part in first.parts.items():
                armed = frozenset(barrier.at for barrier in behind if barrier.kind == "armed")
                if armed not in found and not self._awaited(behind, first, second) and self._hinders(part, second.guards):
                    found.add(armed)
        return {armed for armed in found if not any(other < armed for other in found)}

    def _hinders(self, part: Part, guards: Sequence[str]) -> bool:
        """Whether what is written can make one of the conditions less true than it was; making it true only adds what can happen."""
        return any(
            name in part.writes and not self._helps(guard, name, part.writes[name])
            for guard in guards
            for name in self.world.facts.raw_names(guard)
        )

    def _helps(self, text: str, name: str, constant: str | None) -> bool:
        key = (text, name, constant)
        if key not in self._helping:
            self._helping[key] = constant is not None and self._always_helps(text, name, constant)
        return self._helping[key]

    def _always_helps(self, text: str, name: str, constant: str) -> bool:
        world = self.world
        others = [world.facts.held[place] for place in world.reads(text)[0] if world.facts.held[place] != name]
        value = world.number(name, compile_expression(constant).evaluate({}))
        choices = [self.written[other] for other in others]
        if world.facts.reads_time(text) or prod(len(some) for some in choices) > MAX_COMPARED:
            return False
        held = [world.null] * len(world.facts.held)
        for combination in product(*choices):
            for other, number in zip(others, combination, strict=True):
                held[world.place[other]] = number
            held[world.place[name]] = value
            best = world.true_under(text, tuple(held), {})
            for number in self.written[name]:
                held[world.place[name]] = number
                if world.true_under(text, tuple(held), {}) & ~best:
                    return False
        return True

    @staticmethod
    def _clash(part: Part, other: Part, place: int, other_place: int) -> bool:
        if part.takes & (other_place | other.rests) or other.takes & (place | part.rests):
            return True
        for first, second in ((part, other), (other, part)):
            for name, constant in first.writes.items():
                if name in second.reads:
                    return True
                if name in second.writes and (constant is None or second.writes[name] != constant):
                    return True
        return False

    def _awaited(self, behind: Iterable[Barrier], one: Footprint, two: Footprint) -> bool:
        """Whether a barrier that the first comes to also awaits the second, so that nothing passes between them."""
        for barrier in behind:
            if barrier.kind == "armed":
                continue
            if barrier.kind == "scope":
                starts = sum(1 << start for start in self.net.scopes[barrier.at].event_starts)  # armed, but not awaited
                if two.place & self.prints.inside[barrier.at] & ~starts:
                    return True
            else:
                ours, theirs = self._flows(barrier.at, one.place), self._flows(barrier.at, two.place)
                if theirs and not ours & theirs:
                    return True
        return False

    def _same_way(self, join: int, one: Footprint, two: Footprint) -> bool:
        if self._owner_in(join, one.place) == self._owner_in(join, two.place) is not None:
            return False  # both inside one activity: its end is the barrier
        return bool(self._flows(join, one.place) & self._flows(join, two.place))

    def _owner_in(self, join: int, place: int) -> int | None:
        """The activity beside the join in which a place lies; None when it lies beside the join itself or elsewhere."""
        scope = self.net.nodes[join].scope
        for node in self.net.nodes:
            if node.scope == scope and node.body is not None and place & self.prints.inside[node.body]:
                return node.index
        return None

    def _flows(self, join: int, place: int) -> frozenset[int]:
        """The flows of a join that a token at a place can still come by."""
        owner = self._owner_in(join, place)
        mask = place if owner is None else 1 << owner
        return frozenset(flow for flow, reach in self.reaching[join] if reach & mask)

    # Stubborn sets.

    def reduce(self, state: State, acts: Sequence[Act]) -> tuple[Sequence[Act], Sequence[Act]]:
        """(acts that stand for all of them, side actions that are tried besides since they have not been seen under these facts)."""
        besides = [act for act in acts if act.side and self._is_new(act, state)]
        others = [act for act in acts if not self._stands_apart(self.net.nodes[act.at])]
        if self._is_crossed(state):
            return acts, ()
        enabled: dict[int, Act] = {number: act for act in others for number in self._moves_of(act, state)}
        now = sum(1 << number for number in enabled)
        self._look_at(state)
        best: list[Act] | None = None
        # Always in the same order, so that one line is walked to its end before the next: else their places would multiply.
        ordinary = sorted((act for act in enabled.values() if not act.side), key=lambda act: (act.kind == "condition", act.at))
        for act in dict.fromkeys(ordinary):
            closed = self._close(sum(1 << number for number, same in enabled.items() if same == act), now, state)
            chosen = list(dict.fromkeys(act for number, act in enabled.items() if closed >> number & 1))
            if best is None or len(chosen) < len(best):
                best = chosen
                if len({act.owner for act in best}) == 1:
                    break
        return best if best is not None else others, besides

    def _look_at(self, state: State) -> None:
        """Where tokens are, looked up often while sets are closed."""
        marking = state.marking
        self._occupied = 0
        for token in marking.tokens.values():
            self._occupied |= 1 << token.node
        self._scopes = {frame.scope for frame in marking.frames.values()}
        self._owning = {frame.owner for frame in marking.frames.values()}

    def _is_new(self, act: Act, state: State) -> bool:
        """An action that depends on nothing else does the same from every state with the same facts."""
        footprint = self.prints.all[Move("event", act.at)]
        names = set().union(*(part.reads for part in footprint.parts.values()))
        key = (act.at, *(state.held[self.world.place[name]] for name in sorted(names) if name in self.world.place))
        if key in self._tried:
            return False
        self._tried.add(key)
        return True

    def _moves_of(self, act: Act, state: State) -> list[int]:
        if act.kind == "complete":
            return [self.number[Move("complete", act.at)]]
        if act.kind == "back":
            return [self.number[Move("back", act.at, act.target)]]
        if act.kind == "progress":
            return [self.number[Move("progress", act.at)]]
        texts = self.prints.alternatives[act.at]
        return [
            self.number[Move("event", act.at, place)]
            for place, text in enumerate(texts)
            if not text or len(texts) == 1 or self.world.true_under(text, state.held, {})
        ]

    def _is_crossed(self, state: State) -> bool:
        """Whether two tokens are on one way, so that what is awaited is not one token for each flow."""
        seen: set[tuple[int, int]] = set()
        for token in state.marking.tokens.values():
            if (token.frame, token.node) in seen:
                return True
            seen.add((token.frame, token.node))
        for number, frame in state.marking.frames.items():
            for flow, count in frame.arrivals:
                if count > 1:
                    return True
                reach = dict(self.reaching.get(self.net.flows[flow].target, ())).get(flow, 0)
                if any(token.frame == number and reach >> token.node & 1 for token in state.marking.tokens.values()):
                    return True
        return False

    def _close(self, first: int, now: int, state: State) -> int:
        closed, todo = first, first
        self._now = now
        while todo:
            self._closed = closed
            low = todo & -todo
            todo ^= low
            number = low.bit_length() - 1
            if now & low:
                more = self._depending(number, state)
            else:
                more = self._enabling(number, state)
            todo |= more & ~closed
            closed |= more
        return closed

    def _depending(self, number: int, state: State) -> int:
        """What depends on an enabled move; where that takes an event that is not armed, what could arm it."""
        found = 0
        for armed, moves in self.conflicts[number].items():
            best: int | None = None
            for index in armed:
                if not self._is_armed(index, state):
                    node = self.net.nodes[index]
                    best = self._fewer(best, self._sources(node.attached if node.attached is not None else index, state))
            found |= moves if best is None else best
        return found

    def _is_armed(self, index: int, state: State) -> bool:
        node = self.net.nodes[index]
        if node.kind is Kind.START:
            return any(index == armed for frame in state.marking.frames.values() for armed, _ in frame.armed)
        if node.kind is Kind.BOUNDARY:
            return any(index == armed for token in state.marking.tokens.values() for armed, _ in token.armed)
        places = 1 << index
        for flow in node.incoming:
            places |= 1 << self.net.flows[flow].source
        return bool(places & self._occupied)

    # What could enable a move.

    def _enabling(self, number: int, state: State) -> int:
        move = self.moves[number]
        node = self.net.nodes[move.at]
        place = self.prints.all[move].place
        if node.kind is Kind.START:
            parent = self.net.scopes[node.scope].parent
            if parent not in self._scopes:
                owner = self.net.scopes[parent].owner if parent is not None else None
                return self._sources(owner, state) if owner is not None else 0
        elif not place & self._occupied:
            found = 0
            for index in _bits(place):
                found |= self._sources(index, state)
            text = self.prints.alternatives[node.index][move.detail] if move.kind == "event" else ""
            if text and not self.world.facts.reads_time(text) and not self.world.true_under(text, state.held, {}):
                return self._fewer(found, self._making(text, state))
            return found
        if node.index in self.world.boxes:
            found = 0
            for text, own in self.world.boxes[node.index].needs:
                if not self.world._within_reach(text, own, state):
                    found |= self._making(text, state)
            return found
        return self._happening(node, move.detail, state)

    def _happening(self, node: Node, detail: int, state: State) -> int:
        """What could make an armed event happen."""
        event = node.event
        if event is None:
            return 0
        if event.kind == "conditional":
            return self._making(self.prints.alternatives[node.index][detail], state)
        if event.kind == "timer":
            return self._making(event.timer.text, state) if event.timer is not None and not event.timer.literal else 0
        found = 0
        if event.kind == "message" and node.properties.get("offered_when"):
            found |= self._making(node.properties["offered_when"], state)
        for (kind, name), throwers in self.throwers.items():
            if kind == event.kind and (kind not in ("message", "signal") or name == event.name):
                for index in throwers:
                    found |= self._sources(index, state)
        if event.kind == "error":
            for other in self.net.nodes:
                if other.kind in (Kind.SERVICE_TASK, Kind.SEND_TASK):
                    found |= self._sources(other.index, state)
        return found

    def _making(self, text: str, state: State) -> int:
        """Who could write what a condition lacks: of several things it lacks, one will do."""
        if self.world.facts.reads_time(text):
            return 0
        best: int | None = None
        for part in conjuncts(text):
            if self.world.reads(part)[0] and not self.world.true_under(part, state.held, {}):
                found = self._writers_of(part)
                best = self._fewer(best, found)
        return best if best is not None else self._writers_of(text)

    def _fewer(self, one: int | None, two: int) -> int:
        """Of two sets that would both do, the one that brings less that is new."""
        if one is None:
            return two
        new, other = two & ~self._closed, one & ~self._closed
        return two if ((new & self._now).bit_count(), new.bit_count()) < ((other & self._now).bit_count(), other.bit_count()) else one

    def _writers_of(self, text: str) -> int:
        found = 0
        for name in self.world.facts.raw_names(text):
            found |= self.writers.get(name, 0)
        return found

    def _sources(self, index: int, state: State) -> int:
        """The moves of which one must come before a token can rest at, or pass, a node."""
        outermost = self._doors is None
        seen = self._doors if self._doors is not None else set()
        self._doors = seen
        try:
            found, todo = 0, [index]
            while todo:
                here = todo.pop()
                if here not in self._before:
                    self._before[here] = self._look_back(here)
                mask, doors = self._before[here]
                found |= mask
                for door in doors:
                    if door not in seen:
                        seen.add(door)
                        found |= self._through(door, state, todo)
            return found
        finally:
            if outermost:
                self._doors = None

    def _look_back(self, index: int) -> tuple[int, tuple[tuple[str, int], ...]]:
        """What the diagram alone says of that: moves, and doors of which the state says whether they are open."""
        found, doors, seen, todo = 0, [], set(), [index]
        while todo:
            here = todo.pop()
            if here in seen:
                continue
            seen.add(here)
            node = self.net.nodes[here]
            found |= self.backs.get(here, 0)
            if node.kind is Kind.BOUNDARY:
                found |= self._events(here)
                doors.append(("boundary", here))
            elif node.kind is Kind.START:
                owner = self.net.scopes[node.scope].owner
                if self.net.scopes[node.scope].kind == "event":
                    found |= self._events(here)
                    doors.append(("start", here))
                elif owner is not None:
                    todo.append(owner)
            elif node.kind is Kind.CATCH and node.event is not None and node.event.kind == "link":
                todo += [other.index for other in self.net.nodes if here in other.targets and other.kind is Kind.THROW]
            elif node.kind in (Kind.PARALLEL, Kind.INCLUSIVE) and len(node.incoming) > 1:
                doors.append(("join", here))
            else:
                for flow in node.incoming:
                    source = self.net.nodes[self.net.flows[flow].source]
                    mask, door = self._from(source)
                    found |= mask
                    if door is not None:
                        doors.append(door)
                    elif not mask:
                        todo.append(source.index)
        return found, tuple(dict.fromkeys(doors))

    def _from(self, node: Node) -> tuple[int, tuple[str, int] | None]:
        """What lets a token leave a node by its flows: moves, or a door; neither when it only lets through."""
        if node.kind in (Kind.USER_TASK, Kind.MANUAL_TASK, Kind.RECEIVE_TASK) and node.multi is None:
            return self._events(node.index), None
        if node.kind in (Kind.CATCH, Kind.EVENT_GATEWAY) and (node.event is None or node.event.kind != "link"):
            found = 0
            for index in (node.index, *node.targets):
                found |= self._events(index)
            return found, None
        if node.body is not None or node.multi is not None:
            return 0, ("inside", node.index)
        return 0, None

    def _through(self, door: tuple[str, int], state: State, todo: list[int]) -> int:
        """What opens a door in this state; where that is further back, `todo` says so."""
        kind, index = door
        node = self.net.nodes[index]
        if kind == "boundary":
            if node.attached is not None and self._occupied >> node.attached & 1:
                return self._happening_any(node, state)
            assert node.attached is not None
            todo.append(node.attached)
            return 0
        if kind == "start":
            return self._happening_any(node, state)
        if kind == "inside":
            inside = self._one_inside(node, state)
            if inside is None:
                todo.append(index)
            return inside or 0
        if node.kind is Kind.INCLUSIVE:
            held = self._holding(node, state)
            if held is not None:
                return held
        found = 0
        for flow in self._lacking(node, state) or node.incoming:
            source = self.net.nodes[self.net.flows[flow].source]
            mask, inner = self._from(source)
            found |= mask
            if inner is not None:
                found |= self._through(inner, state, todo)
            elif not mask:
                todo.append(source.index)
        return found

    def _events(self, index: int) -> int:
        return self.events.get(index, 0)

    def _happening_any(self, node: Node, state: State) -> int:
        found = 0
        for detail in range(len(self.prints.alternatives[node.index])):
            found |= self._happening(node, detail, state)
        return found

    def _one_inside(self, node: Node, state: State) -> int | None:
        """The moves of one step in a running performance of an activity; None when it does not run."""
        if not self._occupied >> node.index & 1:
            return None
        frames = {
            number for number, frame in state.marking.frames.items() if frame.owner and state.marking.tokens[frame.owner].node == node.index
        }
        if not frames:
            return None
        grown = True
        while grown:
            inner = {number for number, frame in state.marking.frames.items() if frame.parent in frames}
            grown = not inner <= frames
            frames |= inner
        found: int | None = None
        for number, token in state.marking.tokens.items():
            if token.frame in frames and number not in self._owning:
                found = self._fewer(found, self._at(token.node))
        return found

    def _at(self, index: int) -> int:
        """Every move that consumes or disturbs a token resting at a node."""
        return self.placed.get(index, 0)

    def _lacking(self, node: Node, state: State) -> list[int]:
        """One flow by which a parallel join still awaits a token, for each place where it runs."""
        if node.kind is not Kind.PARALLEL:
            return []
        found = []
        frames = [frame for frame in state.marking.frames.values() if frame.scope == node.scope]
        for frame in frames:
            arrived = {flow for flow, _ in frame.arrivals}
            found += [flow for flow in node.incoming if flow not in arrived][:1]
        return found if frames else [node.incoming[0]]

    def _holding(self, node: Node, state: State) -> int | None:
        """The moves of one token that an inclusive join waits for: it cannot let anything through before that has moved."""
        found: int | None = None
        for number, frame in state.marking.frames.items():
            if frame.scope != node.scope:
                continue
            arrived = {flow for flow, _ in frame.arrivals}
            best: int | None = None
            for token in state.marking.tokens.values():
                if token.frame == number and any(
                    reach >> token.node & 1 for flow, reach in self.reaching[node.index] if flow not in arrived
                ):
                    inside = self._one_inside(self.net.nodes[token.node], state)
                    best = self._fewer(best, inside if inside is not None else self._at(token.node))
            if best is None:
                return None
            found = (found or 0) | best
        return found


def _reach(net: Net, join: int) -> tuple[tuple[int, int], ...]:
    """Per incoming flow of a join, the mask of nodes from which a token can come by it without passing the join."""
    if join in net.reach:
        return net.reach[join]
    before: dict[int, list[int]] = {}
    for flow in net.flows:
        if not flow.virtual:
            before.setdefault(flow.target, []).append(flow.source)
    for node in net.nodes:
        if node.attached is not None:
            before.setdefault(node.index, []).append(node.attached)
        if node.kind is Kind.THROW:
            for target in node.targets:
                before.setdefault(target, []).append(node.index)
    result = []
    for index in net.nodes[join].incoming:
        mask, todo = 0, [net.flows[index].source]
        while todo:
            here = todo.pop()
            if here != join and not mask >> here & 1:
                mask |= 1 << here
                todo += before.get(here, ())
        result.append((index, mask))
    return tuple(result)


def _bits(mask: int) -> Iterable[int]:
    while mask:
        low = mask & -mask
        yield low.bit_length() - 1
        mask ^= low


__all__ = ["Any", "Independence"]
