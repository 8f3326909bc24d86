"""One case while it moves: facts, derived facts and the token game's questions about them; no storage, so a dry run is the same code."""

from __future__ import annotations

import logging
import traceback
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import nullcontext
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from functools import cached_property, partial
from typing import TYPE_CHECKING, Any

from engine import orphans, tokens
from engine.clock import civil_day
from engine.deadlines import WorkingDays, known_day
from engine.definitions import Definition
from engine.deploy_check import TOPICS
from engine.deploy_services import LINKED_CASES, assignments
from engine.errors import EndlessChain, NoSeat, TadachiError
from engine.expressions import compile_expression, instant
from engine.ledger_values import Marked, Passed, items
from engine.model import storable
from engine.net import Kind, Net, Node
from engine.organisation import Organisation
from engine.play import Play
from engine.tokens import BpmnError, Marking, NotForeseen, ServiceFailed, Step, Wait
from engine.witness import Witness

if TYPE_CHECKING:
    from engine.desk import Begun, Desk

log = logging.getLogger(__name__)
REASON_LENGTH = 200


@dataclass(frozen=True)
class Failed:
    """Work of the diagram that failed during a move: which, and why, in words that hold nothing of the case's contents."""

    node: Node
    local: Mapping[str, Any]
    reason: str


@dataclass(frozen=True)
class Announced:
    """A notice that a send task of the diagram asks for."""

    node: str
    name: str
    seats: tuple[str, ...]
    template: str


@dataclass(frozen=True)
class Linked:
    """A case that a service of the diagram has begun, and what the diagram calls the link."""

    node: Node
    begun: Begun
    label: str
    also: tuple[int, ...] = ()  # further cases that the new one is linked with


@dataclass
class Move:
    """The facts of one case during one act; answers what the token game asks (`tokens.Host`).

    Attributes:
        acting: whether this is the act itself. A preview does none of the work that reaches outside (all but `FORESEEN`).
        changed: every fact that differs from before the act, with its old value.
        failed: the work that failed on the way, in order.
        thrown: the code of the last error that work named.
    """

    definition: Definition
    organisation: Organisation
    facts: dict[str, Any]
    now: datetime
    acting: bool = False
    changed: dict[str, Any] = field(default_factory=dict)
    told: list[Announced] = field(default_factory=list)
    failed: list[Failed] = field(default_factory=list)
    thrown: str | None = None
    desk: Desk | None = None  # the act's transaction, for the services it gets to
    revoked: list[str] = field(default_factory=list)  # people whose accounts end with this act
    entered: list[Passed] = field(default_factory=list)  # what is to stand in ledgers after this act
    marked: list[Marked] = field(default_factory=list)  # what is to stand in other cases' entries of ledgers after this act
    linked: list[Linked] = field(default_factory=list)  # cases that this act has begun
    foreseen: list[str] = field(default_factory=list)  # procedures of which a preview foresees that a case begins

    def evaluate(self, expression: str, local: Mapping[str, Any] | None = None) -> Any:
        """The value of an expression over the facts, the local names of a multi-instance laid over them."""
        values = {**self.facts, **local} if local else self.facts
        return compile_expression(expression).evaluate(values, self.functions)

    @cached_property
    def functions(self) -> Mapping[str, Callable[..., Any]]:
        """The named functions that need the case or the instant."""
        return {
            "now": lambda: self.now,
            "today": lambda: civil_day(self.now).isoformat(),
            "days": lambda number: timedelta(days=number),
            "hours": lambda number: timedelta(hours=number),
            "working_days": lambda number: WorkingDays(number, self.organisation.rules.calendar),
            "due": self.due,
            "setting": self.setting,
            "in_office_hours": self.in_office_hours,
        }

    @property
    def play(self) -> Callable[..., Play]:
        """What plays the act's tokens: with a witness where somebody counts what cases pass; a preview passes nothing."""
        seen = self.definition.seen if self.acting else None
        return Play if seen is None else partial(Witness, seen)

    @property
    def at_desk(self) -> Desk:
        """The act's transaction.

        Raises:
            ServiceFailed: nothing is being written.
        """
        if self.desk is None:
            raise ServiceFailed("この操作では、書込みを伴う自動処理を行えません。")
        return self.desk

    def due(self, clock: str) -> datetime | None:
        """When a statutory clock of this case is due; None while it does not run."""
        for reading in self.organisation.rules.clocks(self.facts, self.organisation.rules.calendar):
            if reading.id == clock:
                return reading.due_at
        return None

    def setting(self, setting_id: str) -> str | int | float | bool:
        """A setting of the office as it was on the day of knowledge, so that a later change does not reach into a case under way.

        Raises:
            SettingUnknown: no such setting.
        """
        return self.organisation.rules.setting(setting_id, known_day(self.facts.get("known_at")) or civil_day(self.now))

    def in_office_hours(self, value: Any) -> bool:
        """Whether an instant lies within office hours; one that is not known does not."""
        return value is not None and self.organisation.rules.calendar.in_office_hours(instant(value))

    def run(self, node: Node, local: Mapping[str, Any]) -> None:
        """Do the work of a service, send or business rule task, or of a throwing message event: all of it, or nothing.

        Raises:
            BpmnError: the function names a code of the diagram; the facts it has put stay.
            ServiceFailed: anything else went wrong.
            NotForeseen: in a preview, for a function whose effects only doing it would show.
        """
        if node.topic and not self.acting and node.topic not in FORESEEN:
            raise NotForeseen
        before = dict(self.facts), dict(self.changed), list(self.told), list(self.revoked)
        done = len(self.entered), len(self.linked), len(self.foreseen), len(self.marked)
        try:
            with self.desk.nested() if self.desk is not None and node.topic in WRITING else nullcontext():
                self._work(node, local)
        except BpmnError as error:
            self.thrown = error.code
            raise
        except Exception as error:
            if isinstance(error, EndlessChain) and self.desk is not None and self.desk.begun:
                raise  # the failure of the case that began it all: else every further try would add to the chain
            reason = reason_of(error, (before[0], self.facts))
            self.facts, self.changed, self.told, self.revoked = before
            del self.entered[done[0] :], self.linked[done[1] :], self.foreseen[done[2] :], self.marked[done[3] :]
            self.failed.append(Failed(node, dict(local), reason))
            if self.acting:  # the frames, not the exception's own words: those may hold what the case does
                log.error("the work of %s failed: %s\n%s", node.id, reason, "".join(traceback.format_tb(error.__traceback__)))
            raise ServiceFailed(reason) from error

    def _work(self, node: Node, local: Mapping[str, Any]) -> None:
        if node.kind is Kind.BUSINESS_RULE_TASK and node.decision:
            decision = self.definition.decisions[node.decision]
            outputs = decision.evaluate(self.facts, self.functions)
            self._set({name: outputs.get(name) for name in decision.outputs})  # not the steps of its reckoning
        elif node.topic:
            SERVICES[node.topic](self, node, local)
        elif node.expression:
            self.evaluate(node.expression, local)
        self._sets(node, local)

    def put(self, changes: Mapping[str, Any]) -> None:
        """Change facts, then recompute what the office's tables derive from them."""
        if self._set(changes):
            self.derive()

    def derive(self) -> None:
        """Recompute the derived facts (`derived` in rules.toml), so that no decision ever reads a stale one."""
        for key in self.organisation.rules.derived_of(self.definition.net.process_id):
            decision = self.definition.decisions.get(key)
            if decision is not None:
                outputs = decision.evaluate(self.facts, self.functions)
                self._set({name: outputs.get(name) for name in decision.outputs})

    def _set(self, changes: Mapping[str, Any]) -> bool:
        moved = False
        for name, value in changes.items():
            old = self.facts.get(name)
            if old == value and type(old) is type(value):
                continue
            self.changed.setdefault(name, old)
            self.facts[name] = value
            moved = True
        return moved

    def _sets(self, node: Node, local: Mapping[str, Any], key: str = "sets") -> None:
        """The node's `sets` property: facts that passing it makes true."""
        changes: dict[str, Any] = {}
        for name, expression in assignments(node, key):
            value = self.evaluate(expression, local)
            changes[name] = value.isoformat() if isinstance(value, (datetime, date)) else value
        self.put(changes)

    def failure(self, wait: Wait) -> Failed | None:
        """How the work failed that this wait is for, in this move."""
        return next((one for one in reversed(self.failed) if one.node.id == wait.node.id and one.local == wait.local), None)

    # The moves themselves: answers first, so that every condition on the way reads them.

    def begin(self, start: Node, answers: Mapping[str, Any]) -> Step:
        """Start the case with the answers of its start form."""
        self.facts.update(answers)
        self.derive()
        self._sets(start, {})
        self.changed.clear()  # the first facts are told as a whole, not as changes
        event = start.element if start.event is not None and start.event.kind != "none" else None
        return tokens.start(self.definition.net, self, event)

    def complete(self, marking: Marking, wait: Wait, answers: Mapping[str, Any]) -> Step:
        """Complete a waiting step. The answers of a multi-instance step go to the list fact named like its element."""
        index = wait.local.get("loop_index")
        if isinstance(index, int) and wait.node.form:
            rows = list(self.facts.get(wait.node.element) or [])
            rows += [None] * (index + 1 - len(rows))
            rows[index] = dict(answers)
            self.put({wait.node.element: rows})
        else:
            self.put(answers)
        self._sets(wait.node, wait.local)
        return tokens.complete(self.definition.net, marking, wait.owner, self)

    def pass_over(self, marking: Marking, wait: Wait) -> Step:
        """Go on without the review of somebody who is away (後閲): its property `passed_over` answers in his stead."""
        if wait.node.properties.get("passed_over") != "none":
            self._sets(wait.node, wait.local, "passed_over")
        return tokens.complete(self.definition.net, marking, wait.owner, self)

    def send_back(self, marking: Marking, wait: Wait, target: str) -> Step:
        """Return a waiting step to an earlier one."""
        return tokens.send_back(self.definition.net, marking, wait.owner, target, self)

    def deliver(self, marking: Marking, wait: Wait, answers: Mapping[str, Any]) -> Step:
        """Hand an armed message its answers."""
        self.put(answers)
        self._sets(wait.node, wait.local)
        assert wait.node.event is not None
        return tokens.deliver(self.definition.net, marking, "message", wait.node.event.name, self, wait)

    def fire(self, marking: Marking, wait: Wait) -> Step:
        """Let a due timer happen."""
        return tokens.fire(self.definition.net, marking, wait, self)

    def retry(self, marking: Marking, wait: Wait) -> Step:
        """Try failed work again."""
        return tokens.retry(self.definition.net, marking, wait, self)

    def touch(self, marking: Marking, changes: Mapping[str, Any]) -> Step:
        """Facts changed without a step: only conditions are looked at again."""
        self.put(changes)
        return tokens.touch(self.definition.net, marking, self)

    # Who a step is for.

    def seat_for(self, group: str) -> str:
        """The seat that `role@where` means for this case today.

        Raises:
            NoSeat: no unit upward has such a seat.
        """
        if group == "reporter":
            return f"person:{self.facts['reporter']}"
        role, _, where = group.partition("@")
        if where == "organisation":
            unit = self.organisation.id
        elif where in ("owning_unit", "reporting_unit"):
            unit = str(self.facts.get(where))
        else:
            unit = where
        seat = self.organisation.resolve(role, unit, civil_day(self.now))
        if seat is None:
            name = self.organisation.units[unit].name if unit in self.organisation.units else unit
            raise NoSeat(role=self.organisation.roles[role].name, unit=name)
        return seat

    def seat_of(self, node: Node, local: Mapping[str, Any]) -> str:
        """The seat whose inbox a user task belongs to."""
        if node.candidate_groups:
            return self.seat_for(node.candidate_groups[0])
        return f"person:{self.evaluate(node.assignee or 'reporter', local)}"

    def may_send(self, wait: Wait, seats: frozenset[str] | set[str]) -> bool:
        """Whether one of these seats may do an armed action now."""
        condition = wait.node.properties.get("offered_when")
        if condition and self.evaluate(condition, wait.local) is not True:
            return False
        return any(self.seat_or_none(group) in seats for group in wait.node.candidate_groups)

    def seat_or_none(self, group: str) -> str | None:
        """The seat of a group, or None when nobody answers."""
        try:
            return self.seat_for(group)
        except NoSeat:
            return None


def _notify(move: Move, node: Node, _local: Mapping[str, Any]) -> None:
    """Service `notify`: tell the seats in property `to`, with the template in property `template`."""
    seats = tuple(dict.fromkeys(move.seat_for(group) for group in node.listed("to")))
    move.told.append(Announced(node.id, node.name, seats, node.properties.get("template", "step_told")))


def _export_accounts(move: Move, _node: Node, _local: Mapping[str, Any]) -> None:
    """Service `export_accounts`: the open accounts of the owning unit become the fact `accounts` (棚卸の一覧)."""
    move.put({"accounts": move.at_desk.accounts(str(move.facts["owning_unit"]))})


def _revoke_accounts(move: Move, _node: Node, _local: Mapping[str, Any]) -> None:
    """Service `revoke_accounts`: ends the accounts in the fact `revoke`, as far as the list in `accounts` has them."""
    listed = {str(row.get("person")) for row in move.facts.get("accounts") or []}
    chosen = [str(one) for one in move.facts.get("revoke") or []]
    foreign = [one for one in chosen if one not in listed]
    if foreign:
        raise ServiceFailed(f"一覧にない利用者が{len(foreign)}人、失効の対象に挙げられています。")
    move.revoked += chosen


def _number(move: Move, node: Node, _local: Mapping[str, Any]) -> None:
    """Service `number`: the fact in property `fact` receives the next number of the series in property `numbering`."""
    number = move.at_desk.number(node.properties.get("numbering", "")) if move.acting else NOT_YET
    move.put({node.properties["fact"]: number})


def _ledger(move: Move, node: Node, _local: Mapping[str, Any]) -> None:
    """Service `ledger`: the case's entries in the ledger of property `ledger` are to say what the facts say now, in the state of `state`."""
    ledger = move.organisation.rules.ledger(node.properties.get("ledger", ""), civil_day(move.now))
    passed = Passed(ledger, node.properties.get("state", ledger.states[0]), node.id, dict(move.facts))
    # Worked out here already, so that what cannot be is this task's failure; number and names are known when it is written.
    items(ledger, {**passed.facts, "case_number": "", "case_id": 0}, move.functions, move.definition.net, lambda _ids: {})
    move.entered.append(passed)


def _start_case(move: Move, node: Node, local: Mapping[str, Any]) -> None:
    """Service `start_case`: begins a case of the procedure in property `process`, in the name of who acts; `passes` says its first facts.

    The case stands when the service is done, so that whatever keeps it from beginning is a failure of this service.
    """
    process, number = node.properties.get("process", "").strip(), NOT_YET
    passes = {name: move.evaluate(text, local) for name, text in assignments(node, "passes")}
    if move.acting:
        begun = move.at_desk.begin(process, passes, str(move.facts["owning_unit"]))
        also = orphans.others(move.facts, node.properties.get("also", ""))
        move.linked.append(Linked(node, begun, node.properties.get("link", ""), also))
        number = begun.number
    else:
        move.foreseen.append(process)
    move.put({LINKED_CASES: [*(move.facts.get(LINKED_CASES) or []), number]})


#: Functions that service and send tasks may name as `camunda:topic`. They change facts by `move.put` alone, may be called again after a
#: failure, and fail by raising: `BpmnError(code)` for what the diagram names, anything else for what it does not.
SERVICES: dict[str, Callable[[Move, Node, Mapping[str, Any]], None]] = {
    "notify": _notify,
    "export_accounts": _export_accounts,
    "revoke_accounts": _revoke_accounts,
    "number": _number,
    "ledger": _ledger,
    "start_case": _start_case,
    "find_orphan_grants": orphans.find,
    "mark_entries": orphans.mark,
}
assert SERVICES.keys() == TOPICS, "the deployment check must know exactly these"
#: Those of them that do nothing but put facts and announce: a preview does them too. Beyond any other it foresees nothing.
FORESEEN = frozenset({"notify", "number", "ledger", "start_case"})
#: Those that write more than facts and announcements: what one of them wrote is undone when it fails.
WRITING = frozenset({"number", "start_case"})
#: What stands in a preview for a number that only the act gives.
NOT_YET = "（番号）"


def reason_of(error: Exception, facts: Any) -> str:
    """Why work failed, short: the error's own type and words, with everything that stands in the case's facts left out."""
    if isinstance(error, ServiceFailed):
        kind, text = "", error.reason
    elif isinstance(error, TadachiError):
        kind, text = "", error.text
    else:
        kind, text = type(error).__name__, str(error)
    for content in sorted(set(_contents(facts)), key=len, reverse=True):
        text = text.replace(content, "…")
    text = " ".join(storable(text).split())
    text = f"{kind}: {text}" if kind and text else kind or text
    return text if len(text) <= REASON_LENGTH else text[: REASON_LENGTH - 1] + "…"


def _contents(value: Any) -> Iterator[str]:
    """The texts and numbers in facts that an error's words may repeat; what is too short to tell anything is left."""
    if isinstance(value, Mapping):
        for item in value.values():
            yield from _contents(item)
    elif isinstance(value, (list, tuple)):
        for item in value:
            yield from _contents(item)
    elif value is not None and not isinstance(value, bool):
        for text in (str(value), *str(value).splitlines()):
            if len(text) > (3 if text.isascii() else 1):
                yield text


def recorded(node: Node) -> tuple[str, ...]:
    """The clauses that completing a step leaves a record of: its `records`, or else every `clause` it is done under.

    A step that only prepares, approves or assesses stands under a clause without fulfilling it (`records` = none).
    """
    return tuple(clause for clause in node.listed("records" if "records" in node.properties else "clause") if clause != "none")


def send_back_targets(net: Net, node: Node) -> tuple[Node, ...]:
    """The earlier steps that a step may be sent back to."""
    return tuple(net.nodes[net.flows[flow].target] for flow in node.send_backs)


def ends_case(net: Net, node: Node) -> bool:
    """Whether an action's start event interrupts the whole case."""
    return (
        node.event is not None and node.event.interrupting and net.scopes[node.scope].kind == "event" and net.scopes[node.scope].parent == 0
    )


def armed(waits: Iterable[Wait], name: str) -> tuple[Wait, ...]:
    """The waits that hear a message of this name: actions the diagram keeps armed."""
    return tuple(wait for wait in waits if wait.kind == "message" and wait.node.event is not None and wait.node.event.name == name)


def difference(before: tuple[Wait, ...], after: tuple[Wait, ...]) -> tuple[tuple[Wait, ...], tuple[Wait, ...]]:
    """What opened and what closed between two states, by key."""
    old, new = {wait.key for wait in before}, {wait.key for wait in after}
    return tuple(wait for wait in after if wait.key not in old), tuple(wait for wait in before if wait.key not in new)
