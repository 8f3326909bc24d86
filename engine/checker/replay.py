"""Turns a run of the checker into one that people could do: every answer filled in, played by the token game on real facts."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from engine.board import BpmnError
from engine.checker.facts import DAY, INSTANT, TEXT, asked, sets_of
from engine.checker.world import START, Act, Chooser, Outcome, World
from engine.errors import TadachiError
from engine.marking import Marking
from engine.marking import Step as Moved
from engine.net import FieldSpec, Node
from engine.play import Play

Step = dict[str, Any]
#: Ways that time and functions can go which are tried before a step is given up.
MAX_TRIES = 64


def replay(world: World, run: Sequence[tuple[Act, Outcome]]) -> tuple[list[Step], bool]:
    """(the steps of a scenario, whether they really lead where the run says)."""
    player = _Player(world)
    certain = True
    for act, outcome in run:
        certain = player.take(act, outcome) and certain
    return player.steps, certain


class _Player:
    """One case with real facts."""

    def __init__(self, world: World) -> None:
        self.world, self.net, self.facts = world, world.net, world.facts
        self.raw: dict[str, Any] = {}
        self.example: Mapping[str, Any] = {}
        self.marking = Marking({}, {})
        self.steps: list[Step] = []

    def take(self, act: Act, outcome: Outcome) -> bool:
        """Do what one step of the run says; whether the case then stands where the run says."""
        node = self.net.nodes[act.at]
        wanted = self._example(outcome.mask)
        answered = {field.id for field in asked(node)} if act.kind in (START, "complete", "deliver") else set()
        self.raw.update(
            {name: value for name, value in wanted.items() if name in self.facts.chances}
        )  # it has each of its values some time
        changed = {name: value for name, value in wanted.items() if self.raw.get(name) != value}
        apart = {name: value for name, value in changed.items() if name not in answered}
        if act.kind == START:
            apart = {}  # what the start does not ask is not known yet
        reached = self._amend(apart) if apart else True
        if act.kind == "condition" and reached and outcome.error is None and self.marking.shape() == outcome.state.marking.shape():
            return True  # giving the facts was what made it true
        answers = {**{name: value for name, value in changed.items() if name in answered}, **dict(outcome.answers)}
        if answered:
            answers = self._filled(node, answers)
        step: Step = {}
        if act.kind == START:
            step = {"start": node.element, "answers": answers}
        elif act.kind == "complete":
            step = {"complete": node.id, "answers": answers}
        elif act.kind == "back":
            step = {"send_back": node.id, "to": self.net.nodes[act.target].element, "reason": TEXT}
        elif act.kind == "deliver" and node.event is not None:
            step = {"act": node.event.name, "by": (node.candidate_groups or ("reporter",))[0], "answers": answers}
        elif act.kind == "fire":
            step = {"due": node.id}
        elif act.kind == "condition":
            step = {"facts": node.id}
        self.steps.append(step)
        return self._play(act, node, answers, outcome) and reached

    def _shown(self, moved: Moved) -> Step:
        """What a drawing shows of a step: (file, element) of all that was passed, and of where the case then rests."""
        nodes, flows = self.net.nodes, self.net.flows
        passed = [self.net.by_id[one.node_id].index for one in moved.trace if one.what == "entered"]
        resting = [token.node for token in moved.marking.tokens.values()]
        resting += [flows[flow].target for frame in moved.marking.frames.values() for flow, _ in frame.arrivals]
        return {
            name: [[nodes[index].source, nodes[index].element] for index in dict.fromkeys(found)]
            for name, found in (("passed", passed), ("rests", resting))
        }

    def _example(self, mask: int) -> Mapping[str, Any]:
        """Free facts under which the act goes this way: the ones at hand if they do, else those that differ least."""
        found = [example for number, example in enumerate(self.world.examples) if mask >> number & 1]
        return min(found, key=lambda example: sum(self.raw.get(name) != value for name, value in example.items()), default={})

    def _amend(self, changes: Mapping[str, Any]) -> bool:
        """Give free facts by the action that is at hand for it."""
        for node in self.net.nodes:
            if (
                node.event is not None
                and node.candidate_groups
                and set(changes) <= {field.id for field in asked(node)}
                and self._is_armed(node)
            ):
                answers = self._filled(node, dict(changes))
                self.steps.append({"act": node.event.name, "by": node.candidate_groups[0], "answers": answers})
                owner = next(
                    owner for kind, owner, index, _ in Play(self.net, _Facts(self, Chooser()), self.marking).waits() if index == node.index
                )
                return self._play(Act("deliver", owner, node.index), node, answers, None)
        return False

    def _is_armed(self, node: Node) -> bool:
        return any(index == node.index for _, _, index, _ in Play(self.net, _Facts(self, Chooser()), self.marking).waits())

    def _filled(self, node: Node, answers: dict[str, Any]) -> dict[str, Any]:
        """Every field that must be answered, answered."""
        for field in asked(node):
            known = {**self.raw, **answers}
            shown = field.properties.get("shown_when")
            if shown and not self._holds(shown, known):
                answers.pop(field.id, None)
                continue
            needed = "required" in field.constraints or field.properties.get("as_buttons") == "true"
            needed = needed or ("required_when" in field.constraints and self._holds(field.constraints["required_when"], known))
            if needed and known.get(field.id) in (None, "", []):
                answers[field.id] = _anything(field)
        return {name: value for name, value in answers.items() if value is not None or self.raw.get(name) is not None}

    def _holds(self, text: str, known: Mapping[str, Any]) -> bool:
        try:
            return self.facts.evaluate(text, known, {}) is True
        except TadachiError:
            return False

    def _play(self, act: Act, node: Node, answers: Mapping[str, Any], outcome: Outcome | None) -> bool:
        before, chooser = dict(self.raw), Chooser()
        for _ in range(MAX_TRIES):
            self.raw = {**before, **answers}
            try:
                moved: Moved | None = self._move(act, node, chooser)
            except TadachiError as error:
                moved = None
                if outcome is not None and outcome.error is not None and type(error) is type(outcome.error):
                    self.steps[-1]["shown"] = self._shown(Moved(self.marking, ()))
                    return True
            if moved is not None and (
                outcome is None or (outcome.error is None and moved.marking.shape() == outcome.state.marking.shape())
            ):
                self._stand(moved)
                return True
            if not chooser.advance():
                break
        if moved is not None:
            self._stand(moved)
        return False

    def _stand(self, moved: Moved) -> None:
        self.marking = moved.marking
        self.steps[-1]["shown"] = self._shown(moved)

    def _move(self, act: Act, node: Node, chooser: Chooser) -> Moved:
        host = _Facts(self, chooser)
        play = Play(self.net, host, self.marking)
        if act.kind in (START, "complete", "deliver"):
            host.sets(node, play.local(play.tokens[act.owner].frame) if act.owner in play.tokens else {})
        if act.kind == START:
            play.open(0, 0, 0, node.index)
            return play.settle()
        owner = self._owner(play, act)
        if owner is None:
            return Moved(self.marking, ())
        if act.kind == "complete":
            play.leave(owner)
        elif act.kind == "back":
            flow = next(flow for flow in node.send_backs if self.net.flows[flow].target == act.target)
            frame = play.tokens.pop(owner).frame
            play.queue.append((frame, act.target, flow))
        elif act.kind in ("fire", "deliver"):
            play.trigger(owner, act.at)
        return play.settle()

    def _owner(self, play: Play, act: Act) -> int | None:
        """The wait that is meant: the same number, or another of its kind at the same element."""
        found = [owner for _, owner, index, _ in play.waits() if index == act.at]
        return act.owner if act.owner in found else (found[0] if found else None)


class _Facts:
    """The host over real facts; what time or a function decides is tried both ways."""

    def __init__(self, player: _Player, chooser: Chooser) -> None:
        self.player, self.chooser = player, chooser

    def evaluate(self, expression: str, local: Mapping[str, Any]) -> Any:
        """The value over the facts."""
        if self.player.facts.reads_time(expression):
            return bool(self.chooser.pick(2))
        return self.player.facts.evaluate(expression, self.player.raw, local)

    def run(self, node: Node, local: Mapping[str, Any]) -> None:
        """Tables write, functions may fail."""
        table = self.player.facts.tables.get(node.index)
        if table is not None:
            self.player.raw.update(table.evaluate(self.player.raw))
        codes = [
            event.code for index in node.boundaries if (event := self.player.net.nodes[index].event) is not None and event.kind == "error"
        ]
        chosen = self.chooser.pick(len(codes) + 1) if codes else 0
        if chosen:
            raise BpmnError(codes[chosen - 1] or "")
        self.sets(node, local)

    def sets(self, node: Node, local: Mapping[str, Any]) -> None:
        """What passing the node makes so."""
        changes = {name: self.evaluate(text, local) for name, text in sets_of(node)}
        self.player.raw.update(changes)


def _anything(field: FieldSpec) -> Any:
    if field.type == "boolean":
        return False
    if field.type == "enum":
        return field.choices[0].value
    if field.type == "set":
        return [field.choices[0].value]
    if field.type == "rows":
        return [{choice.value: TEXT for choice in field.choices}]
    if field.type == "long":
        return int(field.constraints.get("min", "1"))
    if field.type in ("date", "datetime"):
        return "@today" if field.type == "date" else "@now"
    if field.type == "people":
        return []
    return "@owning_unit" if field.type == "unit" else TEXT


__all__ = ["DAY", "INSTANT", "replay"]
