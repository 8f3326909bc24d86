"""Reads and writes one running case: its row, open tasks, due work, statutory clocks, sight, notices and history, in the caller's transaction."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import date, datetime
from functools import partial
from typing import TYPE_CHECKING, Any

import sqlalchemy as sa

from engine import apart, bars, history, leaving, ledger_book, linked, notices, people, stopped
from engine.batch import Batch
from engine.clock import civil_day, start_of_day, to_micros
from engine.deadlines import ClockReading
from engine.definitions import Definition
from engine.errors import Conflict
from engine.model import FAR_FUTURE, Row, case_file, case_seat, statutory_clock, task
from engine.moves import Linked, Move, difference
from engine.net import Node
from engine.notice_texts import TEMPLATES
from engine.notices import Told
from engine.organisation import PERSON, Organisation
from engine.rules_file import MAX_RUNGS
from engine.timers import due_instant, next_round
from engine.tokens import Marking, Wait, waiting

if TYPE_CHECKING:
    from engine.desk import Desk

TITLE_LENGTH = 60
#: Ends of the keys that the jobs of a step's ladder may have; the first two are those of versions before there were rungs.
RUNG_KEYS = ("remind", "escalate", *(f"rung:{number}" for number in range(MAX_RUNGS)))

# Statements of every act, built once: building one costs more than SQLite needs to run it.
_OPEN = task.insert().returning(task.c.id, sort_by_parameter_order=True)
_CANCEL = (
    task.update()
    .where(task.c.case_id == sa.bindparam("case"), task.c.state == "open", task.c.wait.in_(sa.bindparam("waits", expanding=True)))
    .values(state="cancelled", closed_at=sa.bindparam("now"), version=task.c.version + 1)
    .returning(task.c.id, task.c.name, task.c.node, task.c.seat)
)
_UPDATE_CASE = case_file.update().where(case_file.c.id == sa.bindparam("case"), case_file.c.version == sa.bindparam("before"))


@dataclass
class OpenCase:
    """A case taken up by an act: what was read, and what the act wants written."""

    row: dict[str, Any]
    definition: Definition
    organisation: Organisation
    marking: Marking
    facts: dict[str, Any]
    entries: list[history.Entry] = field(default_factory=list)
    told: list[Told] = field(default_factory=list)
    seen_by: list[str] = field(default_factory=list)  # seats that may see the case from now on
    finished: Row | None = None  # the task row that the act has closed itself
    sent_back_to: str = ""
    ran: str = ""  # the wait whose failed work the act has tried again, and done
    desk: Desk | None = None
    reviews: list[int] = field(default_factory=list)  # task rows just opened that may be passed over when nobody is there

    @property
    def id(self) -> int:
        """The case's id."""
        return int(self.row["id"])

    def move(self, now: datetime, *, acting: bool = False) -> Move:
        """A mover over a copy of the facts; `acting` when what it does will be written."""
        return Move(self.definition, self.organisation, dict(self.facts), now, acting, desk=self.desk)

    def waits(self) -> tuple[Wait, ...]:
        """What the case waits for."""
        return waiting(self.definition.net, self.marking)


def title_of(facts: Mapping[str, Any], fallback: str) -> str:
    """The case's title: the first line of what was reported."""
    text = str(facts.get("item_summary") or facts.get("title") or fallback).splitlines()[0].strip()
    return text if len(text) <= TITLE_LENGTH else text[: TITLE_LENGTH - 1] + "…"


def step_name(node: Node, local: Mapping[str, Any]) -> str:
    """The step in words; instances of a multi-instance step are numbered from 1."""
    index = local.get("loop_index")
    return f"{node.name}（{index + 1}）" if isinstance(index, int) else node.name


def others_acted(connection: sa.Connection, case_id: int, person: str) -> bool:
    """Whether anyone but this person has closed a step of the case."""
    query = sa.select(task.c.id).where(task.c.case_id == case_id, task.c.closed_by.is_not(None), task.c.closed_by != person)
    return connection.scalar(query.limit(1)) is not None


def next_number(connection: sa.Connection, organisation: str, name: str, period: str) -> int:
    """The next number of a series; counted in the same transaction, so a refused act leaves no gap."""
    text = sa.text(
        "INSERT INTO counter (organisation, name, period, value) VALUES (:organisation, :name, :period, 1) "
        "ON CONFLICT (organisation, name, period) DO UPDATE SET value = counter.value + 1 RETURNING value"
    )
    return int(connection.scalar(text, {"organisation": organisation, "name": name, "period": period}) or 0)


def task_due(node: Node, move: Move, opened: datetime) -> tuple[datetime, bool]:
    """(due instant, whether it is a legal date) of a step: its statutory clock's, or the target its urgency word gives."""
    clock = node.properties.get("deadline")
    if clock:
        due = move.due(clock)
        if due is not None:
            return due, True
    rules = move.organisation.rules
    target = rules.urgency(node.properties.get("urgency", "plain"), civil_day(opened)).target(opened, rules.calendar)
    return target or FAR_FUTURE, False


class Writer:
    """Writes what an act changed, in one place, so that no verb can forget a part.

    Args:
        batch: where rows that may wait are gathered, when the act is one of several in its transaction.
    """

    def __init__(self, connection: sa.Connection, now: datetime, actor: str, batch: Batch | None = None) -> None:
        self._connection = connection
        self._now = now
        self._actor = actor
        self._batch = batch or Batch(connection)

    def create(self, row: dict[str, Any], definition: Definition, move: Move, marking: Marking, entries: list[history.Entry]) -> int:
        """Insert a new case with all it waits for; returns its id."""
        values = dict(
            row,
            title=title_of(move.facts, definition.name),
            owning_unit=move.facts["owning_unit"],
            known_at=_instant(move.facts.get("known_at")),
            version=1,
            marking=marking.dump(),
            facts=history.canonical(move.facts),
            started_at=self._now,
            changed_at=self._now,
            history_seq=0,
            history_digest=history.GENESIS,
        )
        case_id = int(self._connection.scalar(case_file.insert().returning(case_file.c.id), values) or 0)
        case = OpenCase({**values, "id": case_id, "version": 0}, definition, move.organisation, marking, {}, entries)
        case.seen_by += [f"person:{values['reporter']}", *self._overseers(move.organisation)]
        self._write(case, move, marking, (), waiting(definition.net, marking))
        return case_id

    def save(self, case: OpenCase, move: Move, marking: Marking) -> None:
        """Write a case after a move."""
        self._write(case, move, marking, case.waits(), waiting(case.definition.net, marking))

    def touch(self, case: OpenCase) -> None:
        """Write only history and notices: the act did not move the process."""
        self._batch.add_jobs(self._tell(case))
        self._close_chain(case, {})

    def _overseers(self, organisation: Organisation) -> list[str]:
        today = civil_day(self._now)
        seats = [organisation.resolve(role, organisation.id, today) for role in sorted(organisation.rules.sees_every_case(today))]
        return [seat for seat in seats if seat]

    def _write(self, case: OpenCase, move: Move, marking: Marking, before: tuple[Wait, ...], after: tuple[Wait, ...]) -> None:
        opened, closed = difference(before, after)
        ended = marking.ended if not after else None
        jobs: list[dict[str, Any]] = []
        dropped: list[str] = []
        if move.entered:
            case.entries += ledger_book.enter(self._connection, case, move, self._now, self._actor, partial(self._next, case))
        for marked in move.marked:
            case.entries += ledger_book.mark(self._connection, case, marked, self._now, self._actor)
        if closed:
            dropped += self._close(case, closed)
        if move.failed:
            self._halt(case, move, opened)
        if opened:
            jobs += self._open(case, move, opened)
        if case.facts.get("owning_unit") != move.facts.get("owning_unit") and before:
            self._reseat(case, move, before, after)
        if move.changed:
            moved = self._retime(case, move, before, after)
            dropped += [row["key"] for row in moved]
            jobs += [row for row in moved if row["run_at"] is not None]
        clock_jobs, clock_dropped = self._clocks(case, move, ended is not None)
        jobs += clock_jobs
        for person in dict.fromkeys(move.revoked):
            told = {"case": case.row["number"]}
            if person != self._actor:  # nobody ends his own account by an act that is still going on
                leaving.end_account(self._connection, case.organisation, person, self._now, self._actor, "棚卸による失効", told)
                self._batch.posts_changed()
        bars.name(self._connection, case, move, self._now, self._actor)
        transferred = bool(before) and case.facts.get("owning_unit") != move.facts.get("owning_unit")
        renamed = bool(before) and apart.names_others(case, move, (wait.node for wait in after))
        if opened or transferred or renamed or case.finished is not None:
            bars.separate(self._connection, case, after, self._now, move)
        if ended is not None:
            self._end(case, move, ended)
            bars.lift_of_case(self._connection, case.id, self._now)
        dropped += clock_dropped
        self._batch.drop_jobs(case.id, dropped)
        for announced in move.told:
            case.seen_by += announced.seats  # who is told must be able to look
            cause = f"case:{case.id}:{announced.node}:{case.row['version'] + 1}"
            case.told.append(Told(cause, announced.template, announced.seats, announced.name))
        self._batch.see(case.row["organisation"], case.id, case.seen_by)
        jobs += self._tell(case)
        self._batch.add_jobs(jobs)
        values: dict[str, Any] = {
            "marking": marking.dump(),
            "facts": history.canonical(move.facts),
            "title": title_of(move.facts, case.definition.name),
            "owning_unit": move.facts["owning_unit"],
            "known_at": _instant(move.facts.get("known_at")),
        }
        if ended is not None:
            values |= {"state": "closed", "outcome": outcome_name(case.definition, ended), "ended_at": self._now}
        for one in move.linked:
            self._link(case, one)
        self._close_chain(case, values)

    def _link(self, case: OpenCase, one: Linked) -> None:
        """The link to a case that this one has begun, and its record on both sides."""
        other, begun = linked.write(self._connection, case, one, self._now, self._actor), one.begun
        entries = [linked.entry(self._now, self._actor, None, begun.definition.id, one.label, case.row["number"], case.id)]
        for row, entry, own in linked.write_also(self._connection, one, self._now, self._actor):
            self._close_chain(OpenCase(dict(row), begun.definition, case.organisation, case.marking, {}, [own]), {})
            entries.append(entry)
        self._close_chain(OpenCase(dict(other), begun.definition, case.organisation, case.marking, {}, entries), {})

    def _close_chain(self, case: OpenCase, values: dict[str, Any]) -> None:
        """Append the history rows and update the case under its version: the one statement that decides who was faster."""
        version = int(case.row["version"])
        for entry in case.entries:
            entry.data.setdefault("version", version + 1)
        seq, digest = int(case.row["history_seq"]), str(case.row["history_digest"])
        rows = history.rows_for(f"case:{case.id}", seq, digest, case.row["organisation"], case.id, case.entries)
        if rows:
            self._batch.record(rows)
            values |= {"history_seq": rows[-1]["seq"], "history_digest": rows[-1]["digest"]}
        self._batch.settle(self._now)
        if not values:
            return
        if not values.keys() <= {"history_seq", "history_digest"}:
            values |= {"version": version + 1, "changed_at": self._now}
        before = version or 1  # a case that is being created has its first version already
        if self._connection.execute(_UPDATE_CASE, {"case": case.id, "before": before, **values}).rowcount != 1:
            raise Conflict(case=case.id)

    def _open(self, case: OpenCase, move: Move, opened: tuple[Wait, ...]) -> list[dict[str, Any]]:
        """Insert what newly waits: tasks with their reminders, and timers."""
        jobs: list[dict[str, Any]] = []
        steps: list[tuple[Wait, dict[str, Any]]] = []
        for wait in opened:
            if wait.kind == "task":
                due, statutory = task_due(wait.node, move, self._now)
                steps.append(
                    (
                        wait,
                        {
                            "case_id": case.id,
                            "organisation": case.row["organisation"],
                            "wait": wait.key,
                            "node": wait.node.id,
                            "name": step_name(wait.node, wait.local),
                            "seat": move.seat_of(wait.node, wait.local),
                            "unit": move.facts["owning_unit"],
                            "process_id": case.row["process_id"],
                            "urgency": wait.node.properties.get("urgency", "plain"),
                            "opened_at": self._now,
                            "due_at": due,
                            "statutory": statutory,
                            "final": wait.node.properties.get("final") == "true",
                        },
                    )
                )
            elif wait.kind == "timer":
                timer = timer_job(case.id, wait, move, self._now)
                if timer:
                    jobs.append(timer)
        if steps:
            ids = self._connection.scalars(_OPEN, [row for _, row in steps]).all()
            case.seen_by += [row["seat"] for _, row in steps]
            case.reviews += [task_id for task_id, (wait, _) in zip(ids, steps, strict=True) if "passed_over" in wait.node.properties]
            for task_id, (_wait, row) in zip(ids, steps, strict=True):
                jobs += self._urgency_jobs(case.id, task_id, row, move)
                cause = f"task:{task_id}:opened"
                template = "task_sent_back" if row["node"] == case.sent_back_to else "task_opened"
                case.told.append(Told(cause, template, (row["seat"],), row["name"], task_id))
                case.entries.append(
                    history.Entry(
                        "task.opened", self._now, people.SYSTEM, row["seat"], row["node"], task_id, None, case.definition.id,
                        {"name": row["name"], "due_at": None if row["due_at"] == FAR_FUTURE else to_micros(row["due_at"])},
                    )
                )  # fmt: skip
        return jobs

    def _next(self, case: OpenCase, series: str) -> int:
        return next_number(self._connection, case.row["organisation"], series, "")

    def _halt(self, case: OpenCase, move: Move, opened: tuple[Wait, ...]) -> None:
        """Record the work that failed; unless the diagram draws a path for that, it is due work from now on."""
        case.entries += [
            work_entry("service.failed", self._now, case, one.node, one.local, attempt=1, error=one.reason) for one in move.failed
        ]
        rows = [
            stopped.first_row(case.id, wait.key, work_name(wait.node, wait.local), failure.reason, self._now)
            for wait in opened
            if wait.kind == "service" and (failure := move.failure(wait)) is not None
        ]
        self._batch.add_jobs(rows)

    def _urgency_jobs(self, case_id: int, task_id: int, row: Row, move: Move) -> list[dict[str, Any]]:
        rules = move.organisation.rules
        rungs = rules.urgency(row["urgency"], civil_day(row["opened_at"])).rungs
        return [
            {
                "case_id": case_id,
                "kind": "rung",
                "key": f"task:{task_id}:rung:{number}",
                "run_at": rung.at(row["opened_at"], rules.calendar),
                "payload": json.dumps({"task": task_id, "rung": number}),
            }
            for number, rung in enumerate(rungs)
        ]

    def _close(self, case: OpenCase, closed: tuple[Wait, ...]) -> list[str]:
        """Cancel the tasks the move took away, besides the one the act has closed itself; returns the job keys to drop."""
        keys = [stopped.key_of(wait.key) for wait in closed if wait.kind in ("timer", "service")]
        for wait in closed:
            if wait.kind == "service" and wait.key != case.ran:
                case.entries.append(work_entry("service.cancelled", self._now, case, wait.node, wait.local))
        ids = [int(case.finished["id"])] if case.finished is not None else []
        mine = case.finished["wait"] if case.finished is not None else None
        waits = [wait.key for wait in closed if wait.kind == "task" and wait.key != mine]
        if waits:
            gone = self._connection.execute(_CANCEL, {"case": case.id, "waits": waits, "now": self._now}).all()
            gone = sorted(gone, key=lambda row: int(row.id))  # RETURNING has no order of its own
            case.entries += [
                history.Entry(
                    "task.cancelled", self._now, people.SYSTEM, row.seat, row.node, row.id, None, case.definition.id, {"name": row.name}
                )
                for row in gone
            ]
            ids += [row.id for row in gone]
        return keys + [f"task:{task_id}:{which}" for task_id in ids for which in RUNG_KEYS]

    def _reseat(self, case: OpenCase, move: Move, before: tuple[Wait, ...], after: tuple[Wait, ...]) -> None:
        """The owning unit changed (転送): open tasks move to the seats that now answer; clocks are not touched."""
        old = {wait.key for wait in before}
        waits = {wait.key: wait for wait in after if wait.kind == "task" and wait.key in old}
        rows = self._connection.execute(sa.select(task).where(task.c.case_id == case.id, task.c.state == "open")).mappings().all()
        left: set[str] = set()
        for row in rows:
            if row["wait"] not in waits:
                continue
            wait = waits[row["wait"]]
            seat = move.seat_of(wait.node, wait.local)
            values: dict[str, Any] = {"unit": move.facts["owning_unit"]}
            if seat != row["seat"]:
                values |= {"seat": seat, "claimed_by": None, "claimed_at": None, "version": row["version"] + 1}
                left.add(row["seat"])
                case.seen_by.append(seat)
                case.told.append(Told(f"task:{row['id']}:moved:{case.row['version'] + 1}", "task_moved", (seat,), row["name"], row["id"]))
                case.entries.append(
                    history.Entry(
                        "task.moved", self._now, people.SYSTEM, seat, row["node"], row["id"], None, case.definition.id,
                        {"name": row["name"], "from": row["seat"]},
                    )
                )  # fmt: skip
            self._connection.execute(task.update().where(task.c.id == row["id"]).values(values))
        still = set(self._connection.scalars(sa.select(task.c.seat).where(task.c.case_id == case.id, task.c.state.in_(("open", "done")))))
        gone = left - still
        if gone:  # a seat that has neither done nor to do anything here no longer needs to see the case
            self._connection.execute(case_seat.delete().where(case_seat.c.case_id == case.id, case_seat.c.seat.in_(gone)))

    def _retime(self, case: OpenCase, move: Move, before: tuple[Wait, ...], after: tuple[Wait, ...]) -> list[dict[str, Any]]:
        """Job rows of waiting timers whose expression the changed facts gave another value; `run_at` None when it says never now."""
        old, was = {wait.key for wait in before}, case.move(self._now)
        moved = []
        for wait in after:
            timer = wait.node.event.timer if wait.kind == "timer" and wait.node.event is not None else None
            if timer is None or timer.literal or wait.key not in old:
                continue
            if was.evaluate(timer.text, wait.local) != move.evaluate(timer.text, wait.local):
                moved.append(timer_job(case.id, wait, move, self._now) or {"key": f"wait:{wait.key}", "run_at": None})
        return moved

    def _clocks(self, case: OpenCase, move: Move, ended: bool) -> tuple[list[dict[str, Any]], list[str]]:
        """Recompute the statutory clocks whenever facts changed, with a record of each change; returns new jobs and job keys to drop."""
        if case.facts and not move.changed and not ended:
            return [], []  # clocks follow facts alone
        rules = move.organisation.rules
        old = {r.id: r for r in rules.clocks(case.facts, rules.calendar)} if case.facts else {}
        new = {r.id: r for r in rules.clocks(move.facts, rules.calendar)}
        met_before = {name for name in rules.clock_ids if case.facts and rules.clock_met(name, case.facts)}
        met_now = {name for name in rules.clock_ids if rules.clock_met(name, move.facts)}
        if old == new and met_before == met_now and not ended:
            return [], []
        stored = {
            row["clock"]: row
            for row in self._connection.execute(sa.select(statutory_clock).where(statutory_clock.c.case_id == case.id)).mappings()
        }
        jobs: list[dict[str, Any]] = []
        dropped: list[str] = []
        for name in rules.clock_ids:
            reading, row = new.get(name), stored.get(name)
            if reading is None and row is None:
                continue
            if reading is None and row is not None:
                if row["stopped_at"] is None:
                    self._change(case, row, {"stopped_at": self._now}, "clock.stopped", move)
                    dropped += clock_keys(row["warn_at"], name)
                continue
            assert reading is not None
            values = clock_values(reading)
            met = name in met_now
            met_at = self._met_at(rules.met_on(name, move.facts))
            if row is None:
                values |= {"case_id": case.id, "clock": name, "met_at": met_at if met else None}
                self._connection.execute(statutory_clock.insert().values(values))
                case.entries.append(clock_entry("clock.started", self._now, case, name, values, move))
                jobs += [] if met or ended else clock_jobs(case.id, reading, self._now)
                continue
            changed = {
                key: values[key] for key in ("days", "started_on", "due_on", "due_at", "warn_at", "basis") if row[key] != values[key]
            }
            if row["stopped_at"] is not None:
                changed["stopped_at"] = None
            if not met and row["met_at"] is not None:
                changed["met_at"] = None  # what was submitted has been withdrawn and is due again
            if changed:
                self._change(case, row, {**changed, "name": values["name"]}, "clock.changed", move)
            now_met = met and row["met_at"] is None
            if now_met:
                self._change(case, row, {"met_at": met_at}, "clock.met", move)
            if changed or now_met or ended:
                dropped += clock_keys(row["warn_at"], name)
                if changed and not met and not ended:
                    jobs += clock_jobs(case.id, reading, self._now)
        if old != new:
            self._redate(case, move)
        return jobs, dropped

    def _met_at(self, day: date | None) -> datetime:
        """The instant a duty counts as done: the day it was done, or now where that is today or not told."""
        return self._now if day is None or day >= civil_day(self._now) else start_of_day(day)

    def _change(self, case: OpenCase, row: Row, values: dict[str, Any], tag: str, move: Move) -> None:
        self._connection.execute(statutory_clock.update().where(statutory_clock.c.id == row["id"]).values(values))
        case.entries.append(clock_entry(tag, self._now, case, row["clock"], {**dict(row), **values}, move, row))

    def _redate(self, case: OpenCase, move: Move) -> None:
        """Open tasks that stand under a statutory clock follow it."""
        by_id = {node.id: node for node in case.definition.net.nodes if node.properties.get("deadline")}
        rows = self._connection.execute(
            sa.select(task.c.id, task.c.node, task.c.opened_at, task.c.due_at).where(
                task.c.case_id == case.id, task.c.state == "open", task.c.node.in_(by_id)
            )
        ).all()
        for row in rows:
            due, statutory = task_due(by_id[row.node], move, row.opened_at)
            if due != row.due_at:
                self._connection.execute(task.update().where(task.c.id == row.id).values(due_at=due, statutory=statutory))

    def _end(self, case: OpenCase, move: Move, ended: str) -> None:
        name = outcome_name(case.definition, ended)
        case.entries.append(
            history.Entry("case.ended", self._now, people.SYSTEM, None, ended, None, None, case.definition.id, {"outcome": name})
        )
        case.told.append(Told(f"case:{case.id}:ended", "case_ended", (f"person:{move.facts['reporter']}",), name))

    def _tell(self, case: OpenCase) -> list[dict[str, Any]]:
        # A template this version does not have, as a diagram of another one may name, is told in general words.
        told = [item if item.template in TEMPLATES else replace(item, template="step_told") for item in case.told]
        case.told = []
        if not told:
            return []
        told = self._without_barred(case, told)
        seats = {seat for item in told for seat in item.seats}
        holders = self._batch.holders(case.organisation, seats, civil_day(self._now), case.row["process_id"])
        return notices.write(self._connection, case.row["organisation"], case.id, told, holders, self._now, skip=self._actor)

    def _without_barred(self, case: OpenCase, told: list[Told]) -> list[Told]:
        """Whoever is kept from the case or the step is not told of it; the rung that has it in turn is."""
        kept = bars.of_case(self._connection, case.id) if case.row.get("barred") else {}
        if not kept:
            return told
        on, process = civil_day(self._now), case.row["process_id"]
        found = []
        for item in told:
            away = kept.get(None, set()) | kept.get(item.task_id, set()) if item.task_id is not None else kept.get(None, set())
            seats = tuple(
                seat if seat.startswith(PERSON) else bars.answering(self._connection, case.organisation, seat, process, away, on) or seat
                for seat in item.seats
            )
            found.append(replace(item, seats=seats, without=frozenset(away)))
        return found


def outcome_name(definition: Definition, ended: str) -> str:
    """The end in words: the end event's name, or why the case stopped."""
    return definition.net.outcome_name(ended)


def work_name(node: Node, local: Mapping[str, Any]) -> str:
    """Failed work as people read it; what nobody sees while it runs may have no name in the diagram."""
    return step_name(node, local) if node.name else node.element


def work_entry(tag: str, now: datetime, case: OpenCase, node: Node, local: Mapping[str, Any], **data: Any) -> history.Entry:
    """The record of what became of work that failed."""
    return history.Entry(tag, now, people.SYSTEM, None, node.id, None, None, case.definition.id, {"name": work_name(node, local), **data})


def timer_job(case_id: int, wait: Wait, move: Move, start: datetime, *, again: bool = False) -> dict[str, Any] | None:
    """The job row that fires a timer armed at `start`, or due then and to be fired `again`; None when its expression says never."""
    event = wait.node.event
    assert event is not None
    assert event.timer is not None

    def evaluate(text: str) -> Any:
        return move.evaluate(text, wait.local)

    due = next_round(event.timer, start, move.now, evaluate) if again else due_instant(event.timer, start, evaluate)
    if due is None:
        return None
    return {"case_id": case_id, "kind": "timer", "key": f"wait:{wait.key}", "run_at": due, "payload": json.dumps({"wait": wait.key})}


def clock_values(reading: ClockReading) -> dict[str, Any]:
    """Column values of a clock reading."""
    return {
        "name": reading.name,
        "basis": reading.basis,
        "days": reading.days,
        "started_on": reading.started_on,
        "due_on": reading.due_on,
        "due_at": reading.due_at,
        "warn_at": json.dumps([to_micros(at) for at in reading.warn_at]),
    }


def clock_keys(warn_at: str, name: str) -> list[str]:
    """Keys of every job a stored clock may have."""
    return [f"clock:{name}:{number}" for number in range(len(json.loads(warn_at)))] + [f"clock:{name}:due"]


def clock_jobs(case_id: int, reading: ClockReading, now: datetime) -> list[dict[str, Any]]:
    """Jobs that warn before and tell after; warnings already past are left out, an overdue clock tells at once."""
    jobs = [
        {
            "case_id": case_id,
            "kind": "warn",
            "key": f"clock:{reading.id}:{number}",
            "run_at": at,
            "payload": json.dumps({"clock": reading.id, "n": number}),
        }
        for number, at in enumerate(reading.warn_at)
        if at > now
    ]
    due = {"clock": reading.id}
    jobs.append(
        {
            "case_id": case_id,
            "kind": "overdue",
            "key": f"clock:{reading.id}:due",
            "run_at": max(reading.due_at, now),
            "payload": json.dumps(due),
        }
    )
    return jobs


def clock_entry(
    tag: str, now: datetime, case: OpenCase, name: str, values: Mapping[str, Any], move: Move, before: Row | None = None
) -> history.Entry:
    """The record of a clock's start or change: from what, to what, because of which facts."""
    data: dict[str, Any] = {
        "clock": name,
        "name": values["name"],
        "days": values["days"],
        "started_on": values["started_on"].isoformat(),
        "due_on": values["due_on"].isoformat(),
        "because": sorted(move.changed),
    }
    if before is not None:
        data["from"] = {"days": before["days"], "due_on": before["due_on"].isoformat(), "started_on": before["started_on"].isoformat()}
    return history.Entry(tag, now, people.SYSTEM, None, None, None, None, case.definition.id, data)


def _instant(value: Any) -> datetime | None:
    return datetime.fromisoformat(value) if isinstance(value, str) else None
