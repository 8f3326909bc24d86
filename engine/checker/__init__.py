"""The checker: explores every state of a procedure with the token game that will run it, before it goes live.

facts, classes, alike, hiding     what matters of the facts, and finitely many values that show every difference
world                             one act on one state, with every way it can go
footprint, independence, liveness what commutes and what can be forgotten, so that not every order need be tried
explore, parts                    the walk through all states; large procedures diagram by diagram
verdicts, properties, replay      what is wrong, the office's own rules, runs that people could do
proving                           in a process of its own, within a budget
"""

from __future__ import annotations

import json
import time
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import date
from typing import Any

from engine.checker.classes import TooManyCombinations
from engine.checker.parts import Part, Question, Survey, Watching
from engine.checker.properties import EndWatch, Order, demands, not_waiting, questions, same_person, seats
from engine.checker.replay import replay
from engine.checker.verdicts import Verdict, verdicts
from engine.decisions import Decision
from engine.errors import Finding
from engine.net import Net
from engine.organisation import Organisation
from engine.rules import Property

#: Seconds an exploration may take; what is not finished by then is not proven and cannot come into force.
BUDGET = 30.0
#: A procedure is walked through as a whole up to so many states; a larger one diagram by diagram.
WHOLE, MOST = 1_500, 1_000_000


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
        budget: seconds.
        whole: states up to which it is walked through as a whole.

    Returns:
        every finding, each with a shortest run that shows it where one does.
    """
    began = time.monotonic()
    checking = _Checking(net, decisions, organisation, began + budget, whole)
    findings = list(checking.all(on))
    return Report(tuple(findings), checking.states, checking.transitions, time.monotonic() - began, checking.finished)


class _Checking:
    """One procedure being checked."""

    def __init__(self, net: Net, decisions: Mapping[str, Decision], organisation: Organisation | None, until: float, whole: int) -> None:
        self.net, self.organisation, self.limit = net, organisation, whole
        derived = organisation.rules.derived if organisation is not None else tuple(decisions)
        self.survey = Survey(net, decisions, derived, until)
        self.states = self.transitions = 0
        self.finished = True

    def all(self, on: date | None) -> Iterator[Finding]:
        """Every finding; first whether the procedure comes to an end at all."""
        try:
            found = list(self._sound())
            yield from found
            if self.organisation is not None and on is not None and not any(item.severity == "error" for item in found):
                yield from self._keeps(self.organisation, on)
        except TooManyCombinations:
            self.finished = False
        if not self.finished:
            message = "決められた時間のうちに、すべての場合を調べ終えられませんでした。図を分けるか、分かれ道で読む項目を減らしてください。"
            yield Finding("not_proven", message, self.net.process_id, self.net.diagrams[0].source)

    def _sound(self) -> Iterator[Finding]:
        parts = self._explored(Question())
        found = [(part, verdict) for part in parts for verdict in verdicts(part.world, part.graph)]
        if found and len(parts) > 1:
            again = self.survey.whole(Question(), MOST)  # parts may be stricter than the whole: what the whole can say counts
            self._count([again])
            if again.graph.finished:
                found = [(again, verdict) for verdict in verdicts(again.world, again.graph)]
        yield from self._told(found)

    def _explored(self, question: Question, watching: Watching | None = None) -> list[Part]:
        """The walk through all states, as a whole or in parts; what is watched is the walk that counts."""
        if self.survey.inside:
            part = self.survey.whole(question, self.limit, watching)
            parts = [part] if part.graph.finished else list(self.survey.parts(question, MOST, watching))
        else:
            parts = [self.survey.whole(question, MOST, watching)]
        self._count(parts)
        return parts

    def _count(self, parts: Iterable[Part]) -> None:
        for part in parts:
            self.states += len(part.graph.states)
            self.transitions += part.graph.transitions
        self.finished = all(part.graph.finished for part in parts)

    def _keeps(self, organisation: Organisation, on: date) -> Iterator[Finding]:
        """The office's duties and properties."""
        process = self.net.process_id
        properties = organisation.rules.properties_of(process, on)
        asked = demands(organisation.rules.duties_of(process, on), properties)
        for question, group in questions(self.net, asked, self.survey.hideable()):
            watches: list[EndWatch] = []

            def watching(world: Any, group: Any = group, watches: list[EndWatch] = watches) -> EndWatch:
                watches.append(EndWatch(world, group))
                return watches[-1]

            parts = self._explored(question, watching)
            yield from self._told((parts[-1], verdict) for verdict in watches[-1].verdicts(parts[-1].graph))
        for item in properties:
            yield from self._told(self._property(item))
        if any(item.kind == "seats" for item in properties):
            yield from (_finding(verdict) for verdict in seats(self.net, organisation, on))

    def _property(self, item: Property) -> Iterator[tuple[Part, Verdict]]:
        if item.kind == "never_without":
            orders: list[Order] = []

            def watching(world: Any) -> Order:
                orders.append(Order(world, item))
                return orders[-1]

            parts = self._explored(Question(marks=(*item.after, *item.steps)), watching)
            yield from ((parts[-1], verdict) for verdict in orders[-1].verdicts(parts[-1].graph))
        elif item.kind == "not_waiting_for":
            frozen = frozenset(node.index for node in self.net.nodes if {node.id, node.element} & set(item.without))
            parts = self._explored(Question(marks=item.steps, frozen=frozen))
            yield from ((parts[-1], verdict) for verdict in not_waiting(parts[-1].world, parts[-1].graph, item))
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
