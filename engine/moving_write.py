"""Writes a case into another version and back: rows that stay are told their new names, everything else is what any act writes."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from datetime import date, datetime
from typing import Any

import sqlalchemy as sa

from engine import bars, history, people, stopped
from engine.clock import from_micros, to_micros
from engine.model import FAR_FUTURE, Instant, Row, bar, case_file, case_seat, job, statutory_clock, task
from engine.moves import Move
from engine.moving import Effect
from engine.notices import Told
from engine.store import RUNG_KEYS, OpenCase, Writer, work_name
from engine.tokens import Marking

#: Due work that belongs to where a case stands; what is to be delivered is told already.
_KINDS = ("timer", stopped.KIND, "rung", "remind", "escalate", "warn", "overdue")
_STANDS = ("marking", "definition")
#: What follows from the facts; kept only where the move changes some, as it is what the case is about.
_FACTS = ("facts", "title", "owning_unit", "known_at")


class TransferWriter(Writer):
    """Writes one case that an effect moves."""

    def __init__(self, connection: sa.Connection, now: datetime, actor: str, effect: Effect) -> None:
        super().__init__(connection, now, actor)
        self._effect = effect

    def save(self, case: OpenCase, move: Move, marking: Marking) -> None:
        """Write the case in its new version; `case.definition` is that version already."""
        found = self._effect
        self._rename_rows(case)
        jobs = [*self._steps(case, move), *self._timers(case)]
        self._batch.add_jobs(jobs)
        self._connection.execute(case_file.update().where(case_file.c.id == case.id).values(definition=case.definition.id))
        self._reseat(case, move, found.before, found.after)
        self._bars(case, move)
        self._write(case, move, marking, found.before, found.after)

    def _rename_rows(self, case: OpenCase) -> None:
        """Tasks, open or done, and due work under the names their elements have now."""
        waits = {here.key: there for here, there in self._effect.pairs}
        renamed = {id: place.node for id, place in self._effect.mapping.items() if place.same}
        rows = self._connection.execute(sa.select(task.c.id, task.c.wait, task.c.node, task.c.state).where(task.c.case_id == case.id)).all()
        for row in rows:
            there = waits.get(row.wait) if row.state == "open" else None
            node = there.node.id if there is not None else renamed.get(row.node, row.node) if row.state != "open" else row.node
            if (there is not None and there.key != row.wait) or node != row.node:
                values = {"node": node, "wait": there.key if there is not None else row.wait}
                self._connection.execute(task.update().where(task.c.id == row.id).values(values))
        due = {f"wait:{key}": there for key, there in waits.items()}
        mine = sa.and_(job.c.case_id == case.id, job.c.kind.in_(("timer", stopped.KIND)))
        for row in self._connection.execute(sa.select(job).where(mine)).all():
            there = due.get(row.key)
            if there is None and row.kind == "timer":
                self._connection.execute(job.delete().where(job.c.id == row.id))
            elif there is not None:
                payload = {**json.loads(row.payload), "wait": there.key}
                if row.kind == stopped.KIND:
                    payload["step"] = work_name(there.node, there.local)
                values = {"key": f"wait:{there.key}", "payload": json.dumps(payload, ensure_ascii=False)}
                self._connection.execute(job.update().where(job.c.id == row.id).values(values))

    def _steps(self, case: OpenCase, move: Move) -> Iterator[dict[str, Any]]:
        """Steps that go on otherwise than before; the rungs of a new ladder that are passed already tell nobody."""
        for one in self._effect.steps:
            if one.how != "changed" or one.was is None or one.now is None or one.task_id is None:
                continue
            now = one.now
            values = {"name": now.name, "urgency": now.urgency, "due_at": now.due_at, "statutory": now.statutory, "final": now.final}
            row = self._connection.execute(
                task.update().where(task.c.id == one.task_id).values({**values, "version": task.c.version + 1}).returning(task)
            ).mappings().one()  # fmt: skip
            if one.was.urgency != now.urgency:
                keys = [f"task:{one.task_id}:{which}" for which in RUNG_KEYS]
                self._connection.execute(job.delete().where(job.c.case_id == case.id, job.c.key.in_(keys)))
                rungs = self._urgency_jobs(case.id, one.task_id, row, move)
                yield from (rung for rung in rungs if rung["run_at"] > self._now)

    def _timers(self, case: OpenCase) -> Iterator[dict[str, Any]]:
        for one in self._effect.timers:
            if one.how == "changed":
                self._connection.execute(job.delete().where(job.c.case_id == case.id, job.c.key == f"wait:{one.key}"))
                if one.row is not None:
                    yield dict(one.row)

    def _bars(self, case: OpenCase, move: Move) -> None:
        """Who is kept from what, where the versions say it differently."""
        if self._effect.source.named_fields != case.definition.named_fields:
            bars.name(self._connection, case, move, self._now, self._actor, whole=True)
        tasks = {there.key for here, there in self._effect.pairs if here.node.listed(_APART) != there.node.listed(_APART)}
        if tasks:
            rows = sa.select(task.c.id).where(task.c.case_id == case.id, task.c.state == "open", task.c.wait.in_(tasks))
            open_bars = sa.and_(bar.c.task_id.in_(rows), bar.c.reason == "same_person", bar.c.lifted_at.is_(None))
            self._connection.execute(bar.update().where(open_bars).values(lifted_at=self._now))
            bars.separate(self._connection, case, self._effect.after, self._now, move)


_APART = "not_same_person_as"


# ---------------------------------------------------------------- and back


def snapshot(connection: sa.Connection, case: OpenCase, move: Move) -> str:
    """The rows of a case as they are before a move, to be put back as long as nothing has happened since."""

    def rows(query: sa.Select[Any]) -> list[dict[str, Any]]:
        return [{name: _plain(value) for name, value in row.items()} for row in connection.execute(query).mappings()]

    mine, columns = case.id, (*_STANDS, *(_FACTS if move.changed else ()))
    found = {
        "case": rows(sa.select(*(case_file.c[name] for name in columns)).where(case_file.c.id == mine))[0],
        "task": rows(sa.select(task).where(task.c.case_id == mine).order_by(task.c.id)),
        "job": rows(sa.select(job).where(job.c.case_id == mine, job.c.kind.in_(_KINDS)).order_by(job.c.id)),
        "statutory_clock": rows(sa.select(statutory_clock).where(statutory_clock.c.case_id == mine).order_by(statutory_clock.c.id)),
        "case_seat": rows(sa.select(case_seat).where(case_seat.c.case_id == mine)),
        "bar": rows(sa.select(bar).where(bar.c.case_id == mine, bar.c.lifted_at.is_(None))),
    }
    return json.dumps(found, ensure_ascii=False)


def _plain(value: Any) -> Any:
    return to_micros(value) if isinstance(value, datetime) else value.isoformat() if isinstance(value, date) else value


def _row(table: sa.Table, said: Mapping[str, Any]) -> dict[str, Any]:
    """A row of a snapshot as the database takes it."""

    def read(column: sa.Column[Any], value: Any) -> Any:
        if value is None:
            return None
        if isinstance(column.type, Instant):
            return from_micros(value)
        return date.fromisoformat(value) if isinstance(column.type, sa.Date) else value

    return {name: read(table.c[name], value) for name, value in said.items()}


class UndoWriter(Writer):
    """Puts a moved case back."""

    def restore(self, case: OpenCase, text: str) -> None:
        """Put back the rows of a snapshot; who had a step again, or has none any more, is told."""
        said = json.loads(text)
        values = _row(case_file, said["case"])
        self._tasks(case, [_row(task, one) for one in said["task"]])
        mine = job.c.case_id == case.id
        self._connection.execute(job.delete().where(mine, job.c.kind.in_(_KINDS)))
        due = [{name: value for name, value in _row(job, one).items() if name != "id"} for one in said["job"]]
        self._batch.add_jobs(due)
        self._batch.add_jobs(self._tell(case))
        for table, where in (
            (statutory_clock, statutory_clock.c.case_id == case.id),
            (case_seat, case_seat.c.case_id == case.id),
        ):
            self._connection.execute(table.delete().where(where))
            rows = [_row(table, one) for one in said[table.name]]
            if rows:
                self._connection.execute(table.insert(), rows)
        kept = [one["id"] for one in said["bar"]]
        self._connection.execute(bar.update().where(bar.c.case_id == case.id, bar.c.id.in_(kept)).values(lifted_at=None))
        others = sa.and_(bar.c.case_id == case.id, bar.c.id.not_in(kept), bar.c.lifted_at.is_(None))
        self._connection.execute(bar.update().where(others).values(lifted_at=self._now))
        self._close_chain(case, values)

    def _tasks(self, case: OpenCase, rows: list[dict[str, Any]]) -> None:
        now = {row["id"]: row for row in self._connection.execute(sa.select(task).where(task.c.case_id == case.id)).mappings()}
        for row in rows:
            there = now.pop(row["id"])
            values = {**row, "version": there["version"] + 1}
            self._connection.execute(task.update().where(task.c.id == row["id"]).values(values))
            if row["state"] == "open" and (there["state"] != "open" or there["seat"] != row["seat"]):
                self._back(case, row, "task_opened" if there["state"] != "open" else "task_moved")
        for there in now.values():
            if there["state"] == "open":
                gone = {"state": "cancelled", "closed_at": self._now, "version": there["version"] + 1}
                self._connection.execute(task.update().where(task.c.id == there["id"]).values(gone))
                self._record(case, "task.cancelled", there, {"name": there["name"]})

    def _back(self, case: OpenCase, row: Row, template: str) -> None:
        case.told.append(Told(f"task:{row['id']}:back:{case.row['version'] + 1}", template, (row["seat"],), row["name"], row["id"]))
        data = {"name": row["name"], "due_at": None if row["due_at"] == FAR_FUTURE else to_micros(row["due_at"])}
        self._record(case, template.replace("_", "."), row, data)

    def _record(self, case: OpenCase, tag: str, row: Row, data: dict[str, Any]) -> None:
        case.entries.append(
            history.Entry(tag, self._now, people.SYSTEM, row["seat"], row["node"], row["id"], None, case.definition.id, data)
        )


__all__ = ["TransferWriter", "UndoWriter", "snapshot"]
