"""The checker: explores every state of a procedure with the token game that will run it, before it goes live.

facts, classes, alike, hiding     what matters of the facts, and finitely many values that show every difference
chances                           what no answer decides: settings of the office, office hours
world                             one act on one state, with every way it can go
footprint, independence, liveness what commutes and what can be forgotten, so that not every order need be tried
explore, parts                    the walk through all states; large procedures diagram by diagram
verdicts, properties, replay      what is wrong, the office's own rules, runs that people could do
proving                           in a process of its own, within a budget
"""

from __future__ import annotations

import json
import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date
from typing import Any

from engine.checker.chances import put_apart
from engine.checker.classes import TooManyCombinations
from engine.checker.parts import Part, Question, Survey, Watching
from engine.checker.properties import Demand, EndWatch, Order, demands, not_waiting, question, questions, same_person, seats
from engine.checker.replay import replay
from engine.checker.verdicts import Verdict, verdicts
from engine.checker.world import OutOfTime, World
from engine.decisions import Decision
from engine.errors import Finding
from engine.moves import recorded
from engine.net import Net
from engine.organisation import Organisation
from engine.rules import Property

#: Seconds of the processor that one exploration may take; what is not finished by then is not proven and cannot come into force.
EXPLORATION = 30.0
#: Seconds for a procedure with everything its office asks of it, each question being an exploration of its own.
BUDGET = 180.0
#: A procedure that calls others is walked through as a whole up to so many states, a larger one diagram by diagram; one that calls none
#: with every fact remembered up to so many, else with those hidden that need not be.
WHOLE, MOST_EXACT, MOST = 500, 20_000, 1_000_000


@dataclass(frozen=True)
class Report:
    """What was found, and how much was walked through."""

    findings: tuple[Finding, ...]
    states: int
    transitions: int
    seconds: float
    finished: bool


def check(
    net: Net,
    decisions: Mapping[str, Decision],
    organisation: Organisation | None = None,
    *,
    on: date | None = None,
    budget: float = BUDGET,
    whole: int = WHOLE,
) -> Report:
    """Prove that a procedure comes to its end in every case, and keeps what its office demands.

    Args:
        organisation: for its tables, duties and properties; None for a diagram without an office.
        on: the day whose rules count; without it only what holds on any day is asked.
        budget: seconds in all.
        whole: states up to which it is walked through as a whole.

    Returns:
        every finding, each with a shortest run that shows it where one does.
    """
    began = time.process_time()
    net, decisions, organisation, chances = put_apart(net, decisions, organisation)
    checking = _Checking(net, decisions, organisation, began + budget, whole, chances)
    findings = list(checking.all(on))
    return Report(tuple(findings), checking.states, checking.transitions, time.process_time() - began, checking.finished)


class _Checking:
    """One procedure being checked."""

    def __init__(
        self,
        net: Net,
        decisions: Mapping[str, Decision],
        organisation: Organisation | None,
        until: float,
        whole: int,
        chances: Mapping[str, tuple[Any, ...]],
    ) -> None:
        self.net, self.organisation, self.limit, self.until = net, organisation, whole, until
        derived = organisation.rules.derived_of(net.process_id) if organisation is not None else tuple(decisions)
        self.survey = Survey(net, decisions, derived, until, chances)
        self.states = self.transitions = 0
        self.finished = True

    def all(self, on: date | None) -> Iterator[Finding]:
        """Every finding; first whether the procedure comes to an end at all."""
        try:
            found = list(self._sound())
            yield from found
            if self.organisation is not None and on is not None and not any(item.severity == "error" for item in found):
                yield from self._keeps(self.organisation, on)
        except (TooManyCombinations, OutOfTime):
            self.finished = False
        if not self.finished:
            message = "決められた時間のうちに、すべての場合を調べ終えられませんでした。図を分けるか、分かれ道で読む項目を減らしてください。"
            yield Finding("not_proven", message, self.net.process_id, self.net.diagrams[0].source)

    def _sound(self) -> Iterator[Finding]:
        parts = self._explored(Question())
        found = [(part, verdict) for part in parts for verdict in verdicts(part.world, part.graph)]
        if found and len(parts) > 1:
            self.survey.until = min(self.until, time.process_time() + EXPLORATION)
            again = self.survey.whole(Question(), MOST)  # parts may be stricter than the whole: what the whole can say counts
            self._count([again])
            if again.graph.finished:
                self.finished = True
                found = [(again, verdict) for verdict in verdicts(again.world, again.graph)]
        yield from self._told(found)

    def _explored(self, question: Question, watching: Watching | None = None) -> list[Part]:
        """The walk through all states, as a whole or in parts; what is watched is the walk that counts."""
        self.survey.until = min(self.until, time.process_time() + EXPLORATION)
        part = self.survey.whole(self._exactly(question), self.limit if self.survey.inside else MOST_EXACT, watching)
        parts = [part]
        if not part.graph.finished:
            parts = (
                list(self.survey.parts(question, MOST, watching)) if self.survey.inside else [self.survey.whole(question, MOST, watching)]
            )
        self._count(parts)
        return parts

    def _exactly(self, asking: Question) -> Question:
        """The same question with nothing hidden, for as long as that can be walked through."""
        return asking if asking.coarse else replace(asking, exact=self.survey.names)

    def _count(self, parts: Iterable[Part]) -> None:
        for part in parts:
            self.states += len(part.graph.states)
            self.transitions += part.graph.transitions
        self.finished = self.finished and all(part.graph.finished for part in parts)

    def _keeps(self, organisation: Organisation, on: date) -> Iterator[Finding]:
        """The office's duties and properties."""
        process = self.net.process_id
        properties = organisation.rules.properties_of(process, on)
        asked = demands(organisation.rules.duties_of(process, on), properties)
        for asking, group in questions(self.net, asked):
            part, watch = self._ended(asking, group)
            if watch.failed:  # perhaps only because too little was known: what failed is asked again with everything known
                again = tuple(group[place] for place in sorted(watch.failed))
                part, watch = self._ended(question(again, asking.exact, coarse=False), again)
            yield from self._told((part, verdict) for verdict in watch.verdicts(part.graph))
        for item in properties:
            yield from self._told(self._property(item))
        if any(item.kind == "seats" for item in properties):
            yield from (_finding(verdict) for verdict in seats(self.net, organisation, on))

    def _ended(self, asking: Question, group: Sequence[Demand]) -> tuple[Part, EndWatch]:
        """Walk through all states and judge every ordinary end."""
        watches: list[EndWatch] = []

        def watching(world: World) -> EndWatch:
            watches.append(EndWatch(world, group))
            return watches[-1]

        return self._explored(asking, watching)[-1], watches[-1]

    def _property(self, item: Property) -> Iterator[tuple[Part, Verdict]]:
        if item.kind == "never_without":
            first = frozenset(node.index for node in self.net.nodes if {*recorded(node), node.id, node.element} & set(item.after))
            orders: list[Order] = []

            def watching(world: World) -> Order:
                orders.append(Order(world, item))
                return orders[-1]

            asking = Question((item.when,) if item.when else (), item.steps, first, coarse=True)
            parts = self._explored(asking, watching)
            if orders[-1].failed is not None:  # perhaps only because too little was known
                parts = self._explored(replace(asking, coarse=False), watching)
            yield from ((parts[-1], verdict) for verdict in orders[-1].verdicts(parts[-1].graph))
        elif item.kind == "not_waiting_for":
            frozen = frozenset(node.index for node in self.net.nodes if {node.id, node.element} & set(item.without))
            parts = self._explored(Question(marks=item.steps, frozen=frozen))
            # Where the steps lie in called diagrams, it is these that must not wait; what calls them only has to call.
            asked = [part for part in parts if part.world.root and part.world.can_mark()] or parts
            yield from ((part, verdict) for part in asked for verdict in not_waiting(part.world, part.graph, item))
        elif item.kind == "never_same_person":
            part = Part("", None, None)  # type: ignore[arg-type]  # told from the diagram alone
            yield from ((part, verdict) for verdict in same_person(self.net, item))

    def _told(self, found: Iterable[tuple[Part, Verdict]]) -> Iterator[Finding]:
        for part, verdict in found:
            if not verdict.run:
                yield _finding(verdict)
                continue
            steps, certain = replay(part.world, verdict.run)
            message = verdict.message if certain else f"{verdict.message}（この手順を実際の回答だけで再現することは確かめられていません）"
            yield _finding(verdict._replace(message=message), json.dumps(steps, ensure_ascii=False))


def _finding(verdict: Verdict, run: str = "") -> Finding:
    node = verdict.node
    return Finding(verdict.rule, verdict.message, node.id if node else "", node.source if node else "", run=run)


__all__ = ["BUDGET", "Report", "check"]
