"""One running case as it would be in another version: what stays, comes and goes, which dates change, or why it cannot go there.

Nothing is written here: the preview and the move itself compute the same effect, and its digest tells whether it is still the one approved.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from datetime import date, datetime
from typing import Any

import sqlalchemy as sa

from engine import history, tokens
from engine.clock import to_micros
from engine.counterparts import Mapped
from engine.definitions import Definition
from engine.errors import TadachiError
from engine.marking import ROOT
from engine.model import Row, job, task
from engine.model import history as history_table
from engine.moves import Move, difference
from engine.net import Node, Timer
from engine.remap import Obstacle, remap
from engine.store import OpenCase, step_name, task_due, timer_job
from engine.timers import due_instant
from engine.tokens import Marking, Wait

ENDS = "移すと案件が終わってしまいます。"
CUT = "IDが変わっていますが、この案件にはすでに前のIDでの記録があります。IDを元のままにすると移せます。"
#: What a step is due by. A step keeps its due instant unless one of them changes.
_DUE_BY = ("urgency", "deadline")


@dataclass(frozen=True)
class StepState:
    """An open step as its row says it."""

    node: str
    name: str
    seat: str
    urgency: str
    due_at: datetime
    statutory: bool
    final: bool


@dataclass(frozen=True)
class StepChange:
    """What becomes of a step: `kept` (as it is), `changed`, `gained` or `lost`; a step that is gained has no row yet."""

    how: str
    task_id: int | None
    was: StepState | None
    now: StepState | None


@dataclass(frozen=True)
class TimerChange:
    """What becomes of a timer, in the same words; `key` is that of its wait there (of a lost one, here), `now` when it will be due."""

    how: str
    key: str
    name: str
    was: datetime | None
    now: datetime | None
    row: Mapping[str, Any] | None = None  # the row of due work that takes the place of the earlier one


@dataclass(frozen=True)
class ClockChange:
    """A statutory date that tables of the new version reckon otherwise; None where the clock does not run."""

    name: str
    was: date | None
    now: date | None


@dataclass
class Effect:
    """Everything that moving one case means.

    Attributes:
        source: the version the case comes from.
        move, marking: the case in the other version, settled; None where it cannot go there.
        pairs: what waits here and goes on waiting there as the same.
        before: what the case waits for as `difference` has to see it from there; after: what it waits for there.
        happened: names of what is passed at once; worked: whether work of the diagram is among it, which nothing can undo.
        facts: those that the other version's tables derive otherwise.
    """

    case: OpenCase
    target: Definition
    mapping: Mapped
    obstacles: tuple[Obstacle, ...] = ()
    move: Move | None = None
    marking: Marking | None = None
    pairs: tuple[tuple[Wait, Wait], ...] = ()
    before: tuple[Wait, ...] = ()
    after: tuple[Wait, ...] = ()
    steps: list[StepChange] = field(default_factory=list)
    timers: list[TimerChange] = field(default_factory=list)
    clocks: tuple[ClockChange, ...] = ()
    facts: tuple[str, ...] = ()
    happened: tuple[str, ...] = ()
    worked: bool = False
    source: Definition = field(init=False)

    def __post_init__(self) -> None:
        """Keep the version, as the case gets its new one when it is written."""
        self.source = self.case.definition

    @property
    def digest(self) -> str:
        """The same as long as moving the case means the same, whenever it is done and whatever else was done in the case."""
        said = {
            "to": self.target.id,
            "obstacles": [(one.node, one.why) for one in self.obstacles],
            "steps": [(one.how, one.task_id, _said(one)) for one in self.steps],
            "timers": [(one.how, one.key) for one in self.timers],
            "clocks": [(one.name, str(one.was), str(one.now)) for one in self.clocks],
            "facts": self.facts,
            "happened": self.happened,
        }
        return hashlib.sha256(history.canonical(said).encode()).hexdigest()


def _said(one: StepChange) -> list[Any]:
    state = one.now or one.was
    assert state is not None
    return [state.node, state.name, state.seat, state.urgency, to_micros(state.due_at) if one.how == "changed" else None]


def effect(
    connection: sa.Connection, case: OpenCase, target: Definition, mapping: Mapped, now: datetime, *, acting: bool = False
) -> Effect:
    """What moving an open case to another version means now.

    Args:
        mapping: element of the case's version -> its place in the other.
        acting: whether it will be written: then the work that happens at once is done.
    """
    found = Effect(case, target, mapping)
    net = target.net
    mapped = remap(case.marking, case.definition.net, net, mapping)
    found.obstacles = (*(mapped if isinstance(mapped, tuple) else ()), *_cut(connection, case, target, mapping))
    if isinstance(mapped, tuple) or found.obstacles:
        return found
    move = Move(target, case.organisation, dict(case.facts), now, acting, desk=case.desk)
    try:
        move.derive()
        step = tokens.resume(net, mapped, move)
        found.move, found.marking, found.after = move, step.marking, tokens.waiting(net, step.marking)
        found.pairs = tuple(_pairs(case, mapped, target, mapping))
        _changes(connection, found)
    except TadachiError as error:  # nobody answers for a step there, a gateway has no way out
        return Effect(case, target, mapping, (Obstacle("", "", error.text),))
    if not found.after:
        return Effect(case, target, mapping, (Obstacle("", "", ENDS),))
    found.facts = tuple(sorted(move.changed))
    passed = [net.by_id[id] for id, what in step.trace if what == "entered"]
    found.happened = tuple(dict.fromkeys(_name(node) for node in passed))
    found.worked = any(node.topic or node.expression or node.decision for node in passed)
    found.clocks = _clocks(case, move)
    return found


def _cut(connection: sa.Connection, case: OpenCase, target: Definition, mapping: Mapped) -> Iterator[Obstacle]:
    """What has another id and was recorded by the old one already: actions and decisions in the record, answers of repeated steps."""
    renamed = [
        case.definition.net.by_id[id]
        for id, place in mapping.items()
        if place.same and place.node != id and id in case.definition.net.by_id
    ]
    by_record = [node for node in renamed if node.decides or (node.event is not None and node.event.kind == "message")]
    done: set[str] = set()
    if by_record:
        tags = history_table.c.tag.in_(("action.done", "task.completed", "task.sent_back"))
        query = sa.select(history_table.c.node).where(history_table.c.case_id == case.id, tags)
        done = set(connection.scalars(query.where(history_table.c.node.in_([node.id for node in by_record]))))
    for node in renamed:
        answers = node.multi is not None and node.element in case.facts and target.net.by_id[mapping[node.id].node].element != node.element
        if node.id in done or answers:
            yield Obstacle(node.id, node.name or node.element, CUT)


def _pairs(case: OpenCase, mapped: Marking, target: Definition, mapping: Mapped) -> Iterator[tuple[Wait, Wait]]:
    there = {wait.key: wait for wait in tokens.waiting(target.net, mapped)}
    for wait in case.waits():
        place = mapping.get(wait.node.id)
        other = there.get(f"{wait.owner}:{place.node}") if place is not None and place.same else None
        if other is not None and other.kind == wait.kind:
            yield wait, other


def _changes(connection: sa.Connection, found: Effect) -> None:
    """Steps and timers one by one; with them, what the case has to be taken to have waited for."""
    case, kept = found.case, {here.key: there for here, there in found.pairs}
    left = tuple(wait for wait in case.waits() if wait.key not in kept and wait.kind in ("task", "service"))
    found.before = (*(there for _, there in found.pairs), *left)
    mine = sa.and_(task.c.case_id == case.id, task.c.state == "open")
    rows = {row["wait"]: row for row in connection.execute(sa.select(task).where(mine).order_by(task.c.id)).mappings()}
    query = sa.select(job).where(job.c.case_id == case.id, job.c.kind == "timer")
    due = {row["key"]: row["run_at"] for row in connection.execute(query).mappings()}
    stays = {wait.key for wait in found.after}
    opened, _ = difference(found.before, found.after)
    for wait in case.waits():
        there = kept.get(wait.key)
        goes_on = there if there is not None and there.key in stays else None
        if wait.kind == "task":
            found.steps.append(_step(found, rows[wait.key], wait.node, goes_on))
        elif wait.kind == "timer":
            found.timers.append(_timer(found, wait, goes_on, due.get(f"wait:{wait.key}"), rows))
    for wait in opened:
        if wait.kind == "task":
            found.steps.append(StepChange("gained", None, None, _state(found, wait, None, None)))
        elif wait.kind == "timer":
            assert found.move is not None
            row = timer_job(case.id, wait, found.move, found.move.now)
            found.timers.append(TimerChange("gained", wait.key, _name(wait.node), None, row["run_at"] if row else None))


def _name(node: Node) -> str:
    return " ".join(node.name.split()) or node.element


def _step(found: Effect, row: Row, node: Node, there: Wait | None) -> StepChange:
    was = StepState(row["node"], row["name"], row["seat"], row["urgency"], row["due_at"], bool(row["statutory"]), bool(row["final"]))
    if there is None:
        return StepChange("lost", row["id"], was, None)
    now = _state(found, there, row, node)
    return StepChange("kept" if replace(now, node=was.node) == was else "changed", row["id"], was, now)


def _state(found: Effect, wait: Wait, row: Row | None, before: Node | None) -> StepState:
    """A step as it will be there; one that has a row keeps when it is due, unless what it is due by was changed."""
    move, node = found.move, wait.node
    assert move is not None
    as_before = before is not None and all(before.properties.get(name) == node.properties.get(name) for name in _DUE_BY)
    if row is not None and as_before and not (move.changed and node.properties.get("deadline")):
        due, statutory = row["due_at"], bool(row["statutory"])
    else:
        due, statutory = task_due(node, move, row["opened_at"] if row is not None else move.now)
    properties = node.properties
    return StepState(
        node.id, step_name(node, wait.local), move.seat_of(node, wait.local), properties.get("urgency", "plain"), due, statutory,
        properties.get("final") == "true",
    )  # fmt: skip


def _timer(found: Effect, wait: Wait, there: Wait | None, due: datetime | None, rows: Mapping[str, Row]) -> TimerChange:
    name, move = _name(wait.node), found.move
    assert move is not None
    if there is None:
        return TimerChange("lost", wait.key, name, due, None)
    assert wait.node.event is not None
    assert there.node.event is not None
    timer, now = wait.node.event.timer, there.node.event.timer
    assert timer is not None
    assert now is not None
    if timer == now:
        was = found.case.move(move.now)
        if now.literal or was.evaluate(now.text, wait.local) == move.evaluate(now.text, there.local):
            return TimerChange("kept", there.key, _name(there.node), due, due)
        since = move.now  # its facts have changed: reckoned as after any such act
    else:
        since = _armed(found.case, wait, timer, due, rows) or move.now
    row = timer_job(found.case.id, there, move, since)
    return TimerChange("changed", there.key, _name(there.node), due, row["run_at"] if row else None, row)


def _armed(case: OpenCase, wait: Wait, timer: Timer, due: datetime | None, rows: Mapping[str, Row]) -> datetime | None:
    """Since when a timer has been running, as far as that can be told; None for one that has fired before."""
    if wait.fired:
        return None
    if wait.owner == ROOT:
        started: datetime = case.row["started_at"]
        return started
    opened = next((row["opened_at"] for key, row in rows.items() if key.startswith(f"{wait.owner}:")), None)
    if opened is not None or due is None or not timer.literal or timer.kind == "date":
        return opened
    span = due_instant(replace(timer, begin=None), due, lambda _text: None)
    exact = span is not None and not set("YM") & set(timer.text.partition("T")[0])
    return due - (span - due) if exact and span is not None else None


def _clocks(case: OpenCase, move: Move) -> tuple[ClockChange, ...]:
    rules = case.organisation.rules
    old, new = ({one.id: one for one in rules.clocks(facts, rules.calendar)} for facts in (case.facts, move.facts))
    found = []
    for id in dict.fromkeys((*old, *new)):
        was, now = old.get(id), new.get(id)
        if (was and was.due_on) != (now and now.due_on):
            reading = now or was
            assert reading is not None
            found.append(ClockChange(reading.name, was.due_on if was else None, now.due_on if now else None))
    return tuple(found)


__all__ = ["ClockChange", "Effect", "StepChange", "StepState", "TimerChange", "effect"]
