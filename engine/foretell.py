"""What if nobody acts: who will be told what and when, found by letting the same engine run on a moved clock over a copy of the case."""

from __future__ import annotations

import copy
import logging
from collections.abc import Iterable, Mapping
from contextlib import suppress
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any

import sqlalchemy as sa
from sqlalchemy.pool import StaticPool

from engine import jobs, model, people, preferences
from engine.clock import SetClock
from engine.definitions import Definitions
from engine.errors import ProcessNotFound
from engine.notice_texts import TEMPLATES
from engine.notices import KIND, KeptSender
from engine.rules import Rules
from engine.views import Foretold

if TYPE_CHECKING:
    from engine.service import Engine

log = logging.getLogger(__name__)
#: How far a schedule looks, and how much it may hold: a daily reminder of a forgotten case goes on for ever.
LONGEST = timedelta(days=400)
MOST_RUNS = 500
#: Rows that belong to the case, by the column that says so; the rest of an office's rows it needs are of people.
_OF_CASE = tuple(
    (table, "case_id") for table in (model.case_seat, model.task, model.statutory_clock, model.job, model.notice, model.bar, model.referral)
)
_OF_OFFICE = (model.person, model.holding, model.deputy, model.absence)


def if_nobody_acts(engine: Engine, case_id: int, days: int) -> tuple[Foretold, ...]:
    """Every notice the case would cause from now on, in the order of time; the case itself and everything else stay as they are.

    Args:
        days: how far to look.
    """
    now = engine.clock.now()
    until = now + min(timedelta(days=days), LONGEST)
    database = sa.create_engine("sqlite://", poolclass=StaticPool, connect_args={"check_same_thread": False})
    try:
        with engine.reading() as connection:
            seen = _copied(connection, database, case_id, engine.definitions, now)
        apart = copy.copy(engine)  # the same offices, diagrams and code; only clock, mail and database are its own
        apart.clock = clock = SetClock(now)
        apart.sender = KeptSender()
        apart.database = database
        apart._reader = database
        _run(apart, clock, until)
        with database.connect() as connection:
            return tuple(told(connection, apart, case_id, seen))
    finally:
        database.dispose()


def _definitions(connection: sa.Connection, definitions: Definitions, case: Mapping[str, Any], at: datetime) -> set[int]:
    """The version that the case runs by, and those of every case that it may begin."""
    found = {case["definition"]}
    todo = [definitions.get(connection, case["definition"])]
    while todo:
        for node in todo.pop().net.nodes:
            if node.topic == "start_case":
                with suppress(ProcessNotFound):
                    other = definitions.in_force(connection, case["organisation"], node.properties.get("process", "").strip(), at)
                    if other.id not in found:
                        found.add(other.id)
                        todo.append(other)
    return found


def _copied(connection: sa.Connection, database: sa.Engine, case_id: int, definitions: Definitions, at: datetime) -> int:
    """Copy what the case's future depends on; returns the last notice there is."""
    model.metadata.create_all(database)
    case = connection.execute(sa.select(model.case_file).where(model.case_file.c.id == case_id)).mappings().one()
    office = case["organisation"]
    with database.begin() as into:
        definition = sa.select(model.definition).where(model.definition.c.id.in_(_definitions(connection, definitions, dict(case), at)))
        _fill(into, model.definition, connection.execute(definition).mappings())
        counters = sa.select(model.counter).where(model.counter.c.organisation == office)
        _fill(into, model.counter, connection.execute(counters).mappings())
        for table in _OF_OFFICE:
            _fill(into, table, connection.execute(sa.select(table).where(table.c.organisation == office)).mappings())
        ours = sa.select(model.person.c.id).where(model.person.c.organisation == office)
        chosen = sa.select(model.notice_setting).where(model.notice_setting.c.person.in_(ours))
        _fill(into, model.notice_setting, connection.execute(chosen).mappings())
        _fill(into, model.case_file, [{**case, "merged_into": None}])
        for table, column in _OF_CASE:
            rows = sa.select(table).where(table.c[column] == case_id)
            if table is model.job:
                rows = rows.where(model.job.c.kind != KIND)  # nothing goes out from the copy
            _fill(into, table, connection.execute(rows).mappings())
        return int(into.scalar(sa.select(sa.func.coalesce(sa.func.max(model.notice.c.id), 0))) or 0)


def _fill(into: sa.Connection, table: sa.Table, rows: Iterable[Any]) -> None:
    given = [dict(row) for row in rows]
    for start in range(0, len(given), 5_000):
        into.execute(table.insert(), given[start : start + 5_000])


def _run(engine: Engine, clock: SetClock, until: datetime) -> None:
    """Let everything that is due happen at its instant; deliveries stay where they are."""
    earliest = sa.select(sa.func.min(model.job.c.run_at)).where(model.job.c.kind != KIND, model.job.c.run_at <= until)
    for _ in range(MOST_RUNS):
        with engine.reading() as connection:
            due = connection.scalar(earliest)
        if due is None:
            return
        if due > clock.now():
            clock.set(due)
        for _ in range(50):
            if not jobs.run_some(engine):
                break
    log.warning("a schedule was cut off after %s runs", MOST_RUNS)


def told(connection: sa.Connection, engine: Engine, case_id: int, after: int) -> Iterable[Foretold]:
    """What was told since a notice, in the order of time; notices of one cause are one line."""
    notice, person, task = model.notice, model.person, model.task
    rows = connection.execute(
        sa.select(notice, person.c.email, task.c.urgency, task.c.statutory)
        .join(person, person.c.id == notice.c.person)
        .outerjoin(task, task.c.id == notice.c.task_id)
        .where(notice.c.id > after)
        .order_by(notice.c.created_at, notice.c.id)
    ).mappings().all()  # fmt: skip
    names = people.names(connection, [row["person"] for row in rows])
    chosen = preferences.chosen_by(connection, (row["person"] for row in rows))
    grouped: dict[tuple[Any, ...], list[Any]] = {}
    for row in rows:
        grouped.setdefault((row["created_at"], row["template"], row["step"], row["cause"]), []).append(row)
    for (at, template, step, _), group in grouped.items():
        who = tuple(names.get(row["person"], row["person"]) for row in group)
        yield Foretold(
            at,
            TEMPLATES[template][0],
            step if group[0]["case_id"] == case_id else f"{step}（この案件から始まる案件）",
            who,
            any(_is_mailed(row, chosen, engine.organisations[row["organisation"]].rules) for row in group),
        )


def _is_mailed(row: model.Row, chosen: Mapping[str, preferences.Chosen], rules: Rules) -> bool:
    """Whether a notice goes out by mail, perhaps later or with the day's others, or is only shown inside the application."""
    return preferences.plan(row, chosen.get(row["person"], preferences.NOTHING), rules, row["created_at"])[1] == "queued"
