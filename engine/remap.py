"""A marking carried over from one net to another: frames, tokens, arrivals at joins, armed events, counters and locals. Pure.

Numbers of frames and tokens stay, so that what waits stays what it is; a token that is put down anew gets a new one. What was told apart
by the net alone (scopes, flows, armed events) is found again through the elements it belongs to. Where that cannot be done without
guessing, nothing is moved and the reasons are told.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from engine.counterparts import Mapped, may_begin, rests_as
from engine.joins import starved
from engine.marking import Armed, Frame, Marking, Token
from engine.net import Kind, Net, Node


@dataclass(frozen=True)
class Obstacle:
    """Why a case cannot be moved: the element where it stands (id path and name, "" for the case as a whole), and the reason in words."""

    node: str
    name: str
    why: str


GONE = "新しい図に、この要素にあたるものがありません。"
OTHER_KIND = "新しい図の「{name}」は種類が違うため、同じものとして続けられません。"
OTHER_PLACE = "新しい図では、入っている部分手続か図が違います。"
NOT_HERE = "新しい図の「{name}」からは始められません。人の処理か、待つイベントを一つ選んでください。"
OTHER_REPEAT = "繰返しのしかたが変わっています。"
NO_VALUE = "繰返しの一件ごとの値（{name}）が、今の版にはありません。"
NO_FLOW = "合流に着いている流れ（「{name}」から）が、新しい図にはありません。"
NOTHING_LEFT = "ここには何も残らなくなります。"
STARVED = "合流「{join}」が待つ「{name}」には、もう何も来ません。移すと、そこから先へ進めなくなります。"
NO_JOIN = "着いた流れを待ち合わせている合流が、新しい図では合流ではありません。"
OTHER_EVENT = "動いている手続が、元の処理を止めるかどうかが変わっています。"


def remap(marking: Marking, before: Net, after: Net, mapping: Mapped) -> Marking | tuple[Obstacle, ...]:
    """The marking in the other net, at rest but not settled (`tokens.resume` does that); or every reason why not.

    Args:
        marking: of a case that has not ended.
        mapping: element of `before` -> its place in `after`; what is left out has none.
    """
    return _Remap(marking, before, after, mapping).done()


class _Remap:
    """One marking under way."""

    def __init__(self, marking: Marking, before: Net, after: Net, mapping: Mapped) -> None:
        self.marking, self.before, self.after, self.mapping = marking, before, after, mapping
        self.obstacles: list[Obstacle] = []
        self.scopes: dict[int, int] = {}  # frame -> its scope in the other net; without what cannot be or need not be carried over
        self.frames: dict[int, Frame] = {}
        self.tokens: dict[int, Token] = {}
        self.next = marking.next
        self.begun: list[Token] = []
        #: What is put down anew or goes: all that is in it goes.
        self.taken = {number for number, token in marking.tokens.items() if self.is_taken(before.nodes[token.node])}

    def done(self) -> Marking | tuple[Obstacle, ...]:
        for number, frame in self.marking.frames.items():
            if frame.parent in self.scopes or not frame.parent:
                self.frame(number, frame)
        for number, token in self.marking.tokens.items():
            if token.frame in self.scopes:
                self.token(number, token)
        for token in self.begun:  # the youngest tokens of all
            self.tokens[self.next] = token
            self.next += 1
        end = self.marking.end
        if end >= 0:
            reached = self.counterpart(self.before.nodes[end])
            end = reached.index if reached is not None else -1
        found = Marking(self.frames, self.tokens, self.next, end)
        if not self.obstacles:
            self.look(found)
        return tuple(dict.fromkeys(self.obstacles)) or found

    def look(self, found: Marking) -> None:
        """Whether everything can go on that could here."""
        used = {token.frame for token in found.tokens.values()} | {frame.parent for frame in found.frames.values()}
        for number, frame in found.frames.items():
            if number not in used and not frame.arrivals:
                scope = self.before.scopes[self.marking.frames[number].scope]
                self.hinder(self.before.nodes[scope.owner] if scope.owner is not None else None, NOTHING_LEFT)
        before = starved(self.before, self.marking)
        known = {(number, self.mapping[join].node) for number, join in before if join in self.mapping}
        for (number, join), missing in starved(self.after, found).items():
            if (number, join) not in known:
                name, from_ = (node.name or node.element for node in (self.after.by_id[join], self.after.by_id[missing]))
                self.hinder(None, STARVED.format(join=name, name=from_))

    # ---------------------------------------------------------------- which is which

    def is_taken(self, node: Node) -> bool:
        return node.id in self.mapping and not self.mapping[node.id].same

    def counterpart(self, node: Node) -> Node | None:
        """The same element there; told as an obstacle when there is none."""
        place = self.mapping.get(node.id)
        found = self.after.by_id.get(place.node) if place is not None else None
        if found is None:
            self.hinder(node, GONE)
        return found

    def hinder(self, node: Node | None, why: str) -> None:
        self.obstacles.append(Obstacle(node.id, node.name or node.element, why) if node is not None else Obstacle("", "", why))

    # ---------------------------------------------------------------- frames

    def frame(self, number: int, frame: Frame) -> None:
        scope = self.before.scopes[frame.scope]
        owner = self.before.nodes[scope.owner] if scope.owner is not None else None
        if owner is not None and self.is_taken(owner):
            return
        there = self.counterpart(owner) if owner is not None else None
        if owner is None:
            found = 0
        elif there is None:
            return
        elif scope.kind == "multi":
            if there.multi is None:
                return  # told at the token that owns it
            found = there.multi.scope
        elif there.body is None or rests_as(there) != rests_as(owner):
            return self.hinder(owner, OTHER_KIND.format(name=there.name or there.element))
        else:
            found = there.body
            if scope.kind == "event" and not self.same_handler(owner, there, self.scopes[frame.parent]):
                return
        self.scopes[number] = found
        local = frame.local
        if scope.kind == "multi" and owner is not None and there is not None:
            local = self.locals(owner, there, frame.local)
        armed = self.armed(scope.event_starts, self.after.scopes[found].event_starts, frame.armed)
        if self.is_interrupted(number):
            armed = ()
        self.frames[number] = Frame(found, frame.parent, frame.owner, self.arrivals(number, frame), armed, local)

    def same_handler(self, owner: Node, there: Node, around: int) -> bool:
        """Whether a running event sub-process can go on there: beside the same things, having stopped them or not as here."""
        assert owner.body is not None
        assert there.body is not None
        if there.scope != around:
            self.hinder(owner, OTHER_PLACE)
            return False
        if _interrupts(self.before, owner.body) != _interrupts(self.after, there.body):
            self.hinder(owner, OTHER_EVENT)
            return False
        return True

    def is_interrupted(self, number: int) -> bool:
        """Whether an interrupting event sub-process has taken a frame over, which disarmed all its event starts."""
        return any(
            frame.parent == number and not frame.owner and _interrupts(self.before, frame.scope) for frame in self.marking.frames.values()
        )

    def locals(self, owner: Node, there: Node, local: Mapping[str, object]) -> Mapping[str, object]:
        """The locals of one instance of a repeated activity, its element under the name it has there."""
        assert owner.multi is not None
        assert there.multi is not None
        was, now = owner.multi.variable, there.multi.variable
        if was == now:
            return local
        if now and not (was and was in local):
            self.hinder(owner, NO_VALUE.format(name=now))
            return local
        kept = {name: value for name, value in local.items() if name != was}
        return {**kept, now: local[was]} if now and was else kept

    def arrivals(self, number: int, frame: Frame) -> tuple[tuple[int, int], ...]:
        found: dict[int, int] = {}
        for index, count in frame.arrivals:
            flow = self.before.flows[index]
            join, said = self.before.nodes[flow.target], self.mapping.get(flow.id)
            if said is not None and not said.node:
                continue
            if said is not None and said.anew:
                for _ in range(count):
                    self.begin(join, said.node, number)
                continue
            there = self.counterpart(join)
            if there is None:
                continue
            if there.kind not in (Kind.PARALLEL, Kind.INCLUSIVE) or len(there.incoming) < 2:
                self.hinder(join, NO_JOIN)
                continue
            way = flow_there(self.before, self.after, self.mapping, index)
            if way is None or way in found:
                self.hinder(join, NO_FLOW.format(name=self.before.nodes[flow.source].name or flow.name or flow.id))
            else:
                found[way] = count
        return tuple(found.items())

    # ---------------------------------------------------------------- tokens

    def token(self, number: int, token: Token) -> None:
        node, scope = self.before.nodes[token.node], self.scopes[token.frame]
        if number in self.taken:
            return self.begin(node, self.mapping[node.id].node, token.frame)
        there = self.counterpart(node)
        if there is None:
            return
        if rests_as(node) != rests_as(there) or not rests_as(node):
            return self.hinder(node, OTHER_KIND.format(name=there.name or there.element))
        if not self.repeats_alike(node, there):
            return self.hinder(node, OTHER_REPEAT)
        instance = node.multi is not None and self.marking.frames[token.frame].scope == node.multi.scope
        home = there.multi.scope if instance and there.multi is not None else there.scope
        if home != scope:
            return self.hinder(node, OTHER_PLACE)
        armed = () if instance else self.armed(node.boundaries, there.boundaries, token.armed)
        self.tokens[number] = Token(token.frame, there.index, armed, token.multi)

    def begin(self, instead: Node, wanted: str, frame: int) -> None:
        """A new token in a frame in the place of something that goes; none where nothing is wanted."""
        there = self.after.by_id.get(wanted)
        if there is None:
            if wanted:
                self.hinder(instead, GONE)
        elif there.scope != self.scopes[frame]:
            self.hinder(instead, OTHER_PLACE)
        elif not may_begin(self.after, there):
            self.hinder(instead, NOT_HERE.format(name=there.name or there.element))
        else:
            self.begun.append(Token(frame, there.index, tuple((boundary, 0) for boundary in there.boundaries)))

    @staticmethod
    def repeats_alike(node: Node, there: Node) -> bool:
        if node.multi is None or there.multi is None:
            return node.multi is there.multi
        by_list = (node.multi.collection is None) == (there.multi.collection is None)
        return by_list and node.multi.sequential == there.multi.sequential

    # ---------------------------------------------------------------- armed events

    def armed(self, old: Iterable[int], new: Iterable[int], states: Armed) -> Armed:
        """What is armed there: what was armed here, and what the other net has in addition."""
        here = {self.mapping[node.id].node: node for index in old if (node := self.before.nodes[index]).id in self.mapping}
        known = dict(states)
        found = []
        for index in new:
            state = _state(self.after.nodes[index], here.get(self.after.nodes[index].id), known)
            if state is not None:
                found.append((index, state))
        return tuple(found)


def flow_there(before: Net, after: Net, mapping: Mapped, index: int) -> int | None:
    """Which flow into its join an earlier one is: the one said, that of its id, that from the same element if it is the only one."""
    flow = before.flows[index]
    old, new = before.nodes[flow.target], mapping.get(before.nodes[flow.target].id)
    join = after.by_id.get(new.node) if new is not None else None
    if join is None:
        return None
    bare = flow.id.removeprefix(f"{old.prefix}/") if old.prefix else flow.id
    said = mapping[flow.id].node if flow.id in mapping else f"{join.prefix}/{bare}" if join.prefix else bare
    for other in join.incoming:
        if after.flows[other].id == said:
            return other
    place = mapping.get(before.nodes[flow.source].id)
    source = after.by_id.get(place.node) if place is not None else None
    same = [other for other in join.incoming if source is not None and after.flows[other].source == source.index]
    return same[0] if len(same) == 1 else None


def _state(there: Node, here: Node | None, states: Mapping[int, int]) -> int | None:
    """How an armed event continues; None when it has happened as often as it may."""
    event, was = there.event, here.event if here is not None else None
    if event is None or event.interrupting or event.kind not in ("timer", "conditional"):
        return 0  # as long as its activity runs it is armed
    if here is None or was is None or was.kind != event.kind or was.interrupting:
        return 0
    if event.kind == "conditional":
        return states.get(here.index, 0)
    assert event.timer is not None
    assert was.timer is not None
    fired = states.get(here.index)
    if fired is None:
        fired = (was.timer.repeat or 1) if was.timer.kind == "cycle" else 1
    if fired and (event.timer.kind != "cycle" or (event.timer.repeat is not None and fired >= event.timer.repeat)):
        return None
    return fired


def _interrupts(net: Net, scope: int) -> bool:
    """Whether a scope is that of an event sub-process that stops what is around it."""
    if net.scopes[scope].kind != "event":
        return False
    event = net.nodes[net.scopes[scope].starts[0]].event
    return event is not None and event.interrupting


__all__ = ["Obstacle", "flow_there", "remap"]
