"""One act on one state, with every way it can go: the token game itself, asked about facts of which only what matters is known.

A state is a marking, the held facts and what has been done so far. Wherever a free fact, the instant or an answer decides, the act is
played again for each possibility. Free facts are chosen anew in every act: a condition over them may become true at any time, by itself.
That allows slightly more than can happen (never less), so a run that is found is replayed with real answers before it is told
(engine/checker/replay.py).
"""

from __future__ import annotations

import ast
import json
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from itertools import product
from math import prod
from typing import Any, NamedTuple

from engine.board import BpmnError, wait_kind
from engine.checker.alike import representatives
from engine.checker.classes import Values, classes, observe, observer
from engine.checker.facts import Column, Facts, Raw, asked, expressions, freeze, is_side_action, sets_of
from engine.errors import TadachiError
from engine.expressions import syntax
from engine.marking import Marking, Step
from engine.moves import recorded
from engine.net import FieldSpec, Kind, Net, Node
from engine.play import Play

#: An action of this name is what merging a duplicate uses, whatever its `offered_when` says (engine/work.py).
MERGED = "merged"
START = "start"
#: At most so many combinations of facts that are not known are looked at; beyond, a condition may be true or false.
MAX_UNKNOWN = 256
#: With facts not known at all, so often one act may pass a place.
MAX_ROUNDS = 2


class State(NamedTuple):
    """Where a case can stand: `held` are value numbers in the order of `Facts.held`, `done` the marks of what was done."""

    marking: Marking
    held: tuple[int, ...]
    done: int


class Act(NamedTuple):
    """Something that can happen: complete, back (to node `target`), fire, deliver, condition or start; `side` beside the ordinary course."""

    kind: str
    owner: int
    at: int
    target: int = -1
    side: bool = False


class Outcome(NamedTuple):
    """One way an act can go.

    Attributes:
        passed: numbers of the nodes that were entered or left.
        answers: held facts that were answered.
        mask: the examples of free facts under which it goes this way.
        error: why it cannot go on.
        sure: whether it can go this way whatever the hidden facts are.
    """

    state: State
    passed: frozenset[str]
    answers: tuple[tuple[str, Any], ...]
    mask: int
    error: TadachiError | None = None
    sure: bool = True


class Chooser:
    """Makes the same choices as before, then the first of each further one; `advance` moves to the next combination."""

    def __init__(self) -> None:
        self.picked: list[tuple[int, int]] = []
        self._at = 0

    def pick(self, options: int) -> int:
        """The number of the option to take now."""
        if self._at == len(self.picked):
            self.picked.append((0, options))
        self._at += 1
        return self.picked[self._at - 1][0]

    def advance(self) -> bool:
        """Whether there is another combination; it is taken next."""
        while self.picked and self.picked[-1][0] + 1 == self.picked[-1][1]:
            self.picked.pop()
        if not self.picked:
            return False
        choice, options = self.picked[-1]
        self.picked[-1] = (choice + 1, options)
        self._at = 0
        return True


class Box(NamedTuple):
    """A called diagram that stands as one step, after it was explored by itself.

    Attributes:
        names: facts that it writes and others read, or it reads again when it is called again.
        ends: (their values when it was called, their values when it ended, marks of what was done in it) of every way it can go.
        needs: (condition, facts of its own) it waits for at some point: it cannot end while others keep one from ever coming true.
    """

    names: tuple[str, ...]
    ends: tuple[tuple[tuple[Any, ...], tuple[Any, ...], frozenset[str]], ...]
    needs: tuple[tuple[str, tuple[str, ...]], ...]


class World:
    """A procedure, or one diagram of it, as the checker sees it.

    Args:
        root: the scope that is explored.
        boxes: called diagrams that stand as one step.
        plain: examples of the facts that are free even when nothing is hidden.
        texts: expressions of the office's own rules, read beside those of the diagram.
        marks: clauses (as recorded by a step) and element ids whose having been done a state remembers.
    """

    def __init__(
        self,
        net: Net,
        facts: Facts,
        texts: Iterable[str] = (),
        marks: Iterable[str] = (),
        *,
        root: int = 0,
        boxes: Mapping[int, Box] | None = None,
        plain: Sequence[Raw] = (),
    ) -> None:
        self.net, self.facts, self.root = net, facts, root
        self.until: float | None = None
        self.boxes, self.plain = boxes or {}, plain
        decided = [facts.tables[node.index] for node in facts.nodes if node.index in facts.tables]
        columns = [Column(table, place) for table in decided for place, name in enumerate(table.outputs) if name in facts.relevant]
        found = classes(facts, [*_texts(net, facts), *texts], columns)
        self.examples: tuple[Raw, ...] = tuple(example.facts for example in found)
        self._shows = tuple(example.shows for example in found)
        self.every = (1 << len(self.examples)) - 1
        self.values = Values()
        self.null = self.values.number(None)
        self.place = {name: place for place, name in enumerate(facts.held)}
        self.marks = {name: 1 << place for place, name in enumerate(dict.fromkeys(marks))}
        self.marked = {node.index: self._marks_of(node) for node in net.nodes}
        self.texts = tuple(dict.fromkeys([*_texts(net, facts), *texts]))
        #: Per held fact, what stands for each of its values; flags also take what the diagram sets them to.
        self.alike = {name: representatives(facts, self.texts, name, [*facts.domain(name), None, False, True]) for name in facts.held}
        self.domains = {name: tuple(dict.fromkeys(self.number(name, value) for value in facts.domain(name))) for name in facts.held}
        self.counting = frozenset(
            text for node in facts.nodes if node.multi for text in (node.multi.collection, node.multi.cardinality) if text
        )
        self._read: dict[str, tuple[tuple[int, ...], bool, bool, tuple[tuple[int, int], ...]]] = {}
        self._ends: dict[tuple[int, ...], tuple[Any, ...]] = {}
        self._partitions: dict[Any, tuple[tuple[Any, int, bool], ...]] = {}
        self.free_conditions = {
            node.index
            for node in facts.nodes
            if node.event is not None
            and node.event.condition
            and (self.reads(node.event.condition)[1] or self.reads(node.event.condition)[2])
        }
        self.asks = {node.index: self._asks(node) for node in facts.nodes}
        self.changes = {node.index: bool({field.id for field in asked(node)} & facts.free) and node.multi is None for node in net.nodes}
        self.thrown = frozenset(
            (node.event.kind, node.event.name)
            for node in net.nodes
            if node.event is not None and node.event.kind in ("message", "signal") and node.kind in (Kind.THROW, Kind.END, Kind.SEND_TASK)
        )

    def can_mark(self) -> bool:
        """Whether something asked about can be done here, or in a diagram called from here."""
        here = any(self.marked[node.index] for node in self.facts.nodes)
        return here or any(mark in self.marks for box in self.boxes.values() for _, _, marks in box.ends for mark in marks)

    def number(self, name: str, value: Any) -> int:
        """The number of a held fact's value, or of one that nothing tells apart from it."""
        return self.values.number(self.alike[name].get(freeze(value), value))

    def _marks_of(self, node: Node) -> int:
        names = (*recorded(node), node.id, node.element)
        return sum(self.marks[name] for name in dict.fromkeys(names) if name in self.marks)

    def _asks(self, node: Node) -> tuple[FieldSpec, ...]:
        return tuple(field for field in asked(node) if field.id in self.place) if node.multi is None else ()

    # Expressions over what is known.

    def reads(self, text: str) -> tuple[tuple[int, ...], bool, bool, tuple[tuple[int, int], ...]]:
        """Of an expression: places of held facts, whether it reads free ones, whether the instant, and examples that it tells apart."""
        if text not in self._read:
            names = self.facts.raw_names(text)
            time = self.facts.reads_time(text)
            free = bool(names & (self.facts.free | self.facts.unknown))
            groups: dict[Any, list[int]] = {}
            units = observer(self.facts, text) if free else ()
            for number, shows in enumerate(self._shows):
                example = self.examples[number]
                sign = tuple([shows[unit.key] if unit.key in shows else observe(self.facts, unit, example) for unit in units])
                groups.setdefault(sign, []).append(number)
            spread = tuple((numbers[0], sum(1 << number for number in numbers)) for numbers in groups.values())
            self._read[text] = (tuple(sorted(self.place[name] for name in names if name in self.place)), free, time, spread)
        return self._read[text]

    def partition(self, text: str, held: tuple[int, ...], local: Mapping[str, Any]) -> tuple[tuple[Any, int, bool], ...]:
        """(value, examples under which it is that, whether it can be that whatever the hidden facts are); an error is a value to be raised
        when it is met."""
        places, _, time, _ = self.reads(text)
        key = (text, tuple([held[place] for place in places]), json.dumps(local, sort_keys=True, default=str) if local else "")
        if key not in self._partitions:
            known = {self.facts.held[place]: self.values.values[held[place]] for place in places}
            if time:
                self._partitions[key] = ((True, self.every, True), (False, self.every, True))
            elif self.facts.unknown & self.facts.raw_names(text):
                self._partitions[key] = tuple((value, mask, True) for value, mask in self._possible(text, held, known, local))
            else:
                found = self._values(text, known, local, ({},))
                sure = self._sure(text, known, local) if self.facts.hidden & self.facts.raw_names(text) else set(found)
                self._partitions[key] = tuple((value, mask, sign in sure) for sign, (value, mask) in found.items())
        return self._partitions[key]

    def _values(self, text: str, known: Raw, local: Mapping[str, Any], unknown: Iterable[Mapping[str, Any]]) -> dict[Any, tuple[Any, int]]:
        """Sign -> (value, examples under which an expression has it)."""
        found: dict[Any, tuple[Any, int]] = {}
        spread = self.reads(text)[3]
        for given in unknown:
            for number, mask in spread:
                value = self._value(text, {**self.examples[number], **known, **given}, local)
                sign = _sign(value)
                found[sign] = (value, found[sign][1] | mask if sign in found else mask)
        return found

    def _possible(self, text: str, held: tuple[int, ...], known: Raw, local: Mapping[str, Any]) -> list[tuple[Any, int]]:
        """(value, examples under which it may be that) where some facts are not known at all; its parts are taken one by one."""
        tree = syntax(text)
        if isinstance(tree, ast.BoolOp):
            parts = [self.partition(ast.unparse(part), held, local) for part in tree.values]
            errors = [(value, mask) for part in parts for value, mask, _ in part if not isinstance(value, bool)]
            yes = [sum_of(mask for value, mask, _ in part if value is True) for part in parts]
            no = [sum_of(mask for value, mask, _ in part if value is False) for part in parts]
            wide, narrow = (yes, no) if isinstance(tree.op, ast.Or) else (no, yes)
            every = self.every
            for mask in narrow:
                every &= mask
            some = sum_of(wide)
            return [
                (value, mask) for value, mask in ((isinstance(tree.op, ast.Or), some), (isinstance(tree.op, ast.And), every)) if mask
            ] + errors
        names = self.facts.unknown & self.facts.raw_names(text)
        if prod(len(self.facts.values_of(name)) for name in names) > MAX_UNKNOWN:
            return [(True, self.every), (False, self.every)]
        return list(self._values(text, known, local, list(self._unknown(text))).values())

    def _unknown(self, text: str) -> Iterator[Mapping[str, Any]]:
        """Every combination of facts that are not known at all."""
        names = sorted(self.facts.unknown & self.facts.raw_names(text))
        for combination in product(*(self.facts.values_of(name) for name in names)):
            yield dict(zip(names, combination, strict=True))

    def _sure(self, text: str, known: Raw, local: Mapping[str, Any]) -> set[Any]:
        """The values an expression can have whatever the hidden facts are."""
        hidden = sorted(self.facts.hidden & self.facts.raw_names(text))
        names = self.facts.raw_names(text)
        others = sorted((names & self.facts.foreign).difference(*self.plain[:1]))
        distinct = {freeze({name: example.get(name) for name in names}): example for example in self.plain}
        examples = [
            {**example, **dict(zip(others, combination, strict=True))}
            for example in distinct.values()
            for combination in product(*(self.facts.values_of(name) for name in others))
        ]
        sure: set[Any] | None = None
        for combination in product(*(self.facts.values_of(name) for name in hidden)):
            given = {**known, **dict(zip(hidden, combination, strict=True))}
            found: set[Any] = set()
            for place, example in enumerate(examples):
                found.add(_sign(self._value(text, {**example, **given}, local)))
                if sure is not None and sure <= found:
                    examples.insert(0, examples.pop(place))  # what told the most is asked first next time
                    break
            sure = found if sure is None else sure & found
            if not sure:
                break
        return sure or set()

    def _value(self, text: str, raw: Raw, local: Mapping[str, Any]) -> Any:
        try:
            value = self.facts.evaluate(text, raw, local)
        except TadachiError as error:
            return error
        return bool(value) if (value is None or value is False) and text not in self.counting else value

    def true_under(self, text: str, held: tuple[int, ...], local: Mapping[str, Any]) -> int:
        """The examples under which a condition is true."""
        mask = 0
        for value, under, _ in self.partition(text, held, local):
            if value is True:
                mask |= under
        return mask

    def not_true_under(self, text: str, held: tuple[int, ...], local: Mapping[str, Any]) -> int:
        """The examples under which a condition may be anything but true."""
        return sum_of(under for value, under, _ in self.partition(text, held, local) if value is not True)

    def surely_comes_true(self, state: State, act: Act) -> bool:
        """Whether an armed condition can come true whatever the hidden facts are."""
        event = self.net.nodes[act.at].event
        assert event is not None
        local = _Known(self, state).local_of(act.owner)
        return any(value is True and sure for value, _, sure in self.partition(event.condition or "", state.held, local))

    # Acts.

    def begin(self, entries: Iterable[tuple[int, ...]] = ()) -> list[Outcome]:
        """Every way a case, or a call, can start."""
        starts = self.net.scopes[self.root].starts
        if self.root:  # a call enters by the plain start
            starts = tuple(index for index in starts if (event := self.net.nodes[index].event) is None or event.kind == "none") or starts
        empty = Marking({}, {})
        return [
            outcome
            for held in entries or [(self.null,) * len(self.facts.held)]
            for index in starts
            for outcome in self.outcomes(State(empty, held, 0), Act(START, 0, index))
        ]

    def acts(self, state: State) -> list[Act]:
        """Everything that can happen in a state, as far as can be seen without playing it."""
        play = _Known(self, state)
        found: list[Act] = []
        nodes = self.net.nodes
        for kind, owner, index, count in play.waits():
            node = nodes[index]
            event = node.event
            if kind == "task" and index in self.boxes:
                if self._can_end(self.boxes[index], state):
                    found.append(Act("complete", owner, index))
                if (
                    not self.facts.unknown
                    and self._can_end(self.boxes[index], state)
                    and any(numbers for numbers, _ in self.ends(index, state.held))
                ):
                    found.append(Act("progress", owner, index))
                found += [Act("raise", owner, boundary) for boundary in self._raised(node)]
            elif kind == "task":
                found.append(Act("complete", owner, index))
                found += [Act("back", owner, index, self.net.flows[flow].target) for flow in node.send_backs]
            elif kind == "timer":
                if self._can_be_due(node, state, play.local_of(owner)):
                    found.append(Act("fire", owner, index))
            elif kind == "message":
                if (node.candidate_groups or node.kind is Kind.RECEIVE_TASK) and self._is_offered(node, state, play.local_of(owner)):
                    found.append(Act("deliver", owner, index, side=is_side_action(self.net, node)))
            elif kind == "conditional" and index in self.free_conditions and not count:
                assert event is not None
                if self.true_under(event.condition or "", state.held, play.local_of(owner)):
                    found.append(Act("condition", owner, index))
        return found

    def ends(self, index: int, held: tuple[int, ...]) -> tuple[tuple[tuple[tuple[int, int], ...], int], ...]:
        """((place of a held fact, value number) it changes, marks) of each way a called diagram can end, as its facts stand."""
        box = self.boxes[index]
        seen = [(at, self.place[name], name) for at, name in enumerate(box.names) if name in self.place]
        now = (index, *(held[place] for _, place, _ in seen))
        if now not in self._ends:
            found: dict[Any, None] = {}
            for exact in (True, False):
                for entry, end, marks in box.ends:
                    if not exact or all(self.number(name, entry[at]) == held[place] for at, place, name in seen):
                        changed = tuple(
                            (place, number) for at, place, name in seen if (number := self.number(name, end[at])) != held[place]
                        )
                        found.setdefault((changed, sum(self.marks[mark] for mark in marks if mark in self.marks)))
                if found:
                    break
            self._ends[now] = tuple(found)
        return self._ends[now]

    def _can_end(self, box: Box, state: State) -> bool:
        """Whether nothing it waits for is out of reach, whatever its own facts are."""
        return all(self._within_reach(text, own, state) for text, own in box.needs)

    def _within_reach(self, text: str, own: tuple[str, ...], state: State) -> bool:
        held = list(state.held)
        for combination in product(*((self.null, self.number(name, True), self.number(name, False)) for name in own if name in self.place)):
            for name, number in zip((name for name in own if name in self.place), combination, strict=True):
                held[self.place[name]] = number
            if self.true_under(text, tuple(held), {}):
                return True
        return False

    def _raised(self, node: Node) -> list[int]:
        """Boundary events of a call that an error or escalation inside it can set off."""
        return [index for index in node.boundaries if (event := self.net.nodes[index].event) and event.kind in ("error", "escalation")]

    def _can_be_due(self, node: Node, state: State, local: Mapping[str, Any]) -> bool:
        assert node.event is not None
        timer = node.event.timer
        assert timer is not None
        return timer.literal or any(value not in (None, False) for value, _, _ in self.partition(timer.text, state.held, local))

    def _is_offered(self, node: Node, state: State, local: Mapping[str, Any]) -> bool:
        text = node.properties.get("offered_when")
        if not text or (node.event is not None and node.event.name == MERGED):
            return True
        return bool(self.true_under(text, state.held, local))

    def outcomes(self, state: State, act: Act) -> list[Outcome]:
        """Every way one act can go, each different one once."""
        chooser = Chooser()
        found: dict[Any, Outcome] = {}
        while True:
            outcome = _Known(self, state, act, chooser).play()
            if outcome is not None:
                key = (id(outcome) if outcome.error else key_of(outcome.state), outcome.passed)
                if key not in found:
                    found[key] = outcome
                else:
                    found[key] = found[key]._replace(mask=found[key].mask | outcome.mask, sure=found[key].sure or outcome.sure)
            if not chooser.advance():
                return list(found.values())
            if self.until is not None and time.process_time() > self.until:
                raise OutOfTime


def _texts(net: Net, facts: Facts) -> Iterator[str]:
    yield from expressions(net, facts.within)
    for node in facts.nodes:
        for name, text in sets_of(node):
            if name in facts.relevant:
                yield text


def key_of(state: State) -> Any:
    """What makes two states alike."""
    marking = state.marking
    if len(marking.frames) == 1:  # the common case, told faster
        (frame,) = marking.frames.values()
        tokens = [token[1:] for token in marking.tokens.values()]
        if not any(multi is not None for _, _, multi in tokens):
            tokens.sort()
            return marking.end, frame.scope, frame.armed, tuple(sorted(frame.arrivals)), tuple(tokens), state.held, state.done
    return marking.shape(), state.held, state.done


def sum_of(masks: Iterable[int]) -> int:
    """The union of masks."""
    found = 0
    for mask in masks:
        found |= mask
    return found


def _sign(value: Any) -> Any:
    return freeze(value if not isinstance(value, TadachiError) else str(value))


class OutOfTime(Exception):
    """The time for the exploration is up in the middle of an act."""


class _Impossible(Exception):
    """The choices made so far cannot go together."""


class _Known(Play):
    """The token game in one state, and its own host: it knows what the state knows, and chooses the rest."""

    __slots__ = ("act", "answers", "chooser", "forced", "known", "mask", "rounds", "state", "sure", "world", "writes")

    def __init__(self, world: World, state: State, act: Act | None = None, chooser: Chooser | None = None) -> None:
        super().__init__(world.net, self, state.marking)
        self.world, self.state, self.act, self.chooser = world, state, act, chooser or Chooser()
        self.known = state.held
        self.answers: dict[str, Any] = {}
        self.mask = world.every
        self.writes = False
        self.sure = True
        self.rounds: dict[int, int] = {}
        self.forced: tuple[int, int] | None = None

    def frame_of(self, owner: int) -> int:
        """The frame in which a wait reads its local names."""
        return self.tokens[owner].frame if owner in self.tokens else owner

    def local_of(self, owner: int) -> Mapping[str, Any]:
        """The local names a wait reads."""
        return self.local(self.frame_of(owner))

    # The act.

    def play(self) -> Outcome | None:
        """Play the act once, with the choices at hand; None when they cannot go together."""
        act = self.act
        assert act is not None
        node = self.nodes[act.at]
        done = self.state.done
        try:
            if act.kind not in (START, "condition"):
                self._not_interrupted(act)
            if act.at in self.world.boxes and act.kind in ("complete", "progress"):
                done |= self._end_box(act.at)
            elif act.kind in (START, "complete", "deliver"):
                self._answer(node)
                self._sets(node, self.local_of(act.owner) if act.kind != START else {})
                done |= self.world.marked[act.at]
            step = self._move(act, node)
        except _Impossible:
            return None
        except TadachiError as error:
            return Outcome(
                self.state, frozenset(passed.node_id for passed in self.trace), tuple(self.answers.items()), self.mask, error, self.sure
            )
        passed = frozenset(passed.node_id for passed in step.trace)
        return Outcome(State(step.marking, self.known, done), passed, tuple(self.answers.items()), self.mask, None, self.sure)

    def _move(self, act: Act, node: Node) -> Step:
        if act.kind == START:
            self.open(self.world.root, 0, 0, node.index)
        elif act.kind == "progress":
            pass
        elif act.kind == "raise":
            self.boundary(act.owner, node)
        elif act.kind == "complete":
            self.leave(act.owner)
        elif act.kind == "back":
            flow = next(flow for flow in node.send_backs if self.net.flows[flow].target == act.target)
            frame = self.tokens.pop(act.owner).frame
            self.note(node, "left")
            self.queue.append((frame, act.target, flow))
        elif act.kind == "condition":
            self.forced = (act.owner, act.at)
            assert node.event is not None
            self.evaluate_as(True, node.event.condition or "", self.local_of(act.owner))
        else:
            self.trigger(act.owner, act.at)
        return self.settle()

    def _end_box(self, index: int) -> int:
        """One of the ways a called diagram can end from where its facts stand; the marks of it."""
        ends = self.world.ends(index, self.known)
        numbers, marks = ends[self.chooser.pick(len(ends))] if len(ends) > 1 else ends[0]
        known = list(self.known)
        for place, number in numbers:
            known[place] = number
        self.known = tuple(known)
        return marks

    def _not_interrupted(self, act: Act) -> None:
        """Facts under which a condition would already have taken the act's step away are left out."""
        for owner, index in self._above(act.owner):
            event = self.nodes[index].event
            assert event is not None
            if event.interrupting and index in self.world.free_conditions and index != act.at:
                self.mask &= self.world.not_true_under(event.condition or "", self.known, self.local_of(owner))
        if not self.mask:
            raise _Impossible

    def _above(self, owner: int) -> Iterator[tuple[int, int]]:
        """Conditional events armed on a wait and on everything around it."""
        frame = owner
        if owner in self.tokens:
            yield from ((owner, index) for index, _ in self.tokens[owner].armed if self._conditional(index))
            frame = self.tokens[owner].frame
        while frame:
            here = self.frames[frame]
            yield from ((frame, index) for index, _ in here.armed if self._conditional(index))
            if here.owner:
                yield from ((here.owner, index) for index, _ in self.tokens[here.owner].armed if self._conditional(index))
            frame = here.parent

    def _conditional(self, index: int) -> bool:
        event = self.nodes[index].event
        return event is not None and event.kind == "conditional"

    def arrive(self, frame: int, index: int, flow: int) -> None:
        """Where facts are not known at all, going round without a stop shows nothing new."""
        if self.world.facts.unknown:
            self.rounds[index] = self.rounds.get(index, 0) + 1
            if self.rounds[index] > MAX_ROUNDS:
                raise _Impossible
        super().arrive(frame, index, flow)

    # What the game asks.

    def becomes(self, owner: int, node: Node, frame: int) -> bool:
        """A condition over free facts becomes true by an act of its own, or because this very act changed the facts around it."""
        if node.index not in self.world.free_conditions:
            return super().becomes(owner, node, frame)
        if self.forced == (owner, node.index):
            self.forced = None
            return True
        if self.writes and self.act is not None and owner in self.frames:
            return super().becomes(owner, node, frame)
        assert node.event is not None
        return all(value is True for value, _, _ in self.world.partition(node.event.condition or "", self.known, self.local(frame)))

    def evaluate(self, expression: str, local: Mapping[str, Any]) -> Any:
        """A value that is possible here; which one, the chooser says."""
        return self._one_of(
            [
                (value, self.mask & under, sure)
                for value, under, sure in self.world.partition(expression, self.known, local)
                if self.mask & under
            ]
        )

    def evaluate_as(self, wanted: Any, expression: str, local: Mapping[str, Any]) -> None:
        """Take a value that is possible here without choosing."""
        for value, mask, sure in self.world.partition(expression, self.known, local):
            if value is wanted:
                self.mask, self.sure = mask, self.sure and sure

    def _one_of(self, options: list[tuple[Any, int, bool]]) -> Any:
        if not options:
            raise _Impossible
        value, mask, sure = options[self.chooser.pick(len(options))] if len(options) > 1 else options[0]
        self.mask = mask
        self.sure = self.sure and sure
        if isinstance(value, TadachiError):
            raise value
        return value

    def run(self, node: Node, local: Mapping[str, Any]) -> None:
        """A table of its own writes facts; a function may fail in any way that the diagram provides for."""
        table = self.world.facts.tables.get(node.index)
        if table is not None:
            self._write({name: self._column(Column(table, place)) for place, name in enumerate(table.outputs) if name in self.world.place})
        elif node.kind is not Kind.BUSINESS_RULE_TASK:
            codes = self._caught(node)
            chosen = self.chooser.pick(len(codes) + 1) if codes else 0
            if chosen:
                raise BpmnError(codes[chosen - 1])
        self._sets(node, local)

    def _caught(self, node: Node) -> list[str]:
        """Error codes that something around a service task catches."""
        codes = []
        for index in node.boundaries:
            event = self.nodes[index].event
            if event is not None and event.kind == "error":
                codes.append(event.code or "")
        scope = self.net.scopes[node.scope]
        while True:
            for start in scope.event_starts:
                event = self.nodes[start].event
                if event is not None and event.kind == "error":
                    codes.append(event.code or "")
            if scope.owner is None or scope.parent is None:
                return list(dict.fromkeys(codes))
            for index in self.nodes[scope.owner].boundaries:
                event = self.nodes[index].event
                if event is not None and event.kind == "error":
                    codes.append(event.code or "")
            scope = self.net.scopes[scope.parent]

    def _column(self, column: Column) -> Any:
        world = self.world
        known = {name: world.values.values[self.known[place]] for name, place in world.place.items()}
        found: dict[Any, tuple[Any, int]] = {}
        for number, example in enumerate(world.examples):
            if self.mask >> number & 1:
                try:
                    value = world.facts.column(column, {**example, **known})
                except TadachiError as error:
                    value = error
                sign = _sign(value)
                found[sign] = (value, (found[sign][1] if sign in found else 0) | 1 << number)
        return self._one_of([(value, mask, True) for value, mask in found.values()])

    def _sets(self, node: Node, local: Mapping[str, Any]) -> None:
        changes = {}
        for name, text in sets_of(node):
            if name in self.world.place:
                changes[name] = self.evaluate(text, local)
        self._write(changes)

    def _write(self, changes: Mapping[str, Any]) -> None:
        if changes:
            known = list(self.known)
            for name, value in changes.items():
                known[self.world.place[name]] = self.world.number(name, value)
            self.known = tuple(known)

    def _answer(self, node: Node) -> None:
        """Every combination of answers to what is held; free facts can then be anything."""
        if self.world.changes[node.index]:
            self.mask, self.writes = self.world.every, True
        for field in self.world.asks[node.index]:
            options = self._options(field)
            if options:
                number, value = options[self.chooser.pick(len(options))] if len(options) > 1 else options[0]
                self.answers[field.id] = value
                known = list(self.known)
                known[self.world.place[field.id]] = number
                self.known = tuple(known)

    def _options(self, field: FieldSpec) -> list[tuple[int, Any]]:
        """(number, value) a field can be left with; nothing when it is not shown."""
        old = self.known[self.world.place[field.id]]
        shown = self._certain(field.properties["shown_when"]) if field.properties.get("shown_when") else True
        if shown is False:
            return []
        needed = field.properties.get("as_buttons") == "true" or "required" in field.constraints
        needed = needed or ("required_when" in field.constraints and self._certain(field.constraints["required_when"]) is True)
        found: dict[int, Any] = {}
        for value in self.world.facts.domain(field.id):
            if value is not None or not needed:
                found.setdefault(self.world.number(field.id, value), value)
        if not needed or shown is None:
            found.setdefault(old, self.world.values.values[old])
        return list(found.items())

    def _certain(self, text: str) -> bool | None:
        """Whether a form's condition holds, where that can be told from held facts."""
        names = self.world.facts.raw_names(text)
        if not names <= self.world.place.keys() or self.world.facts.reads_time(text):
            return None
        return self.world.partition(text, self.known, {})[0][0] is True


__all__ = ["Act", "Callable", "Chooser", "Outcome", "State", "World", "key_of", "wait_kind"]
