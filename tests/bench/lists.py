"""Many open tasks and pending timers: a page of the inbox, and the worker's look at due work when nothing is due."""

from __future__ import annotations

import random
from collections.abc import Iterable, Iterator, Mapping
from datetime import timedelta
from itertools import islice
from typing import Any

import sqlalchemy as sa

from engine import Engine, civil_day
from engine.model import case_file, case_seat, holding, job, person, task, task_read
from tests.bench.figures import Figure, Samples, Sizes, statements_of
from tests.bench.office import installation, start_cases
from webui import create_app
from webui.demo import ORGANISATION, SINCE

BATCH = 10_000
TASKS_PER_CASE = 10
#: One seat in the middle of everything has one open task in a hundred; the others share the rest evenly.
CENTRAL = f"commission_desk@{ORGANISATION}"

Rows = Iterable[Mapping[str, Any]]


def insert(connection: sa.Connection, table: sa.Table, rows: Rows) -> None:
    """Insert rows in batches."""
    waiting = iter(rows)
    while batch := list(islice(waiting, BATCH)):
        connection.execute(table.insert(), batch)


def fill(engine: Engine, sizes: Sizes) -> tuple[list[str], dict[str, str]]:
    """People, cases with open tasks, and timers that are not due; returns the seats with tasks and one person of each."""
    case_id, _ = start_cases(engine, 1)[0]
    now, order = engine.clock.now(), random.Random(2026)
    office = engine.organisation(ORGANISATION)
    every = list(office.seats(civil_day(now)))
    seats = [seat for seat in every if not seat.startswith("staff@")]
    staff = [seat for seat in every if seat.startswith("staff@")]
    with engine.writing() as connection:
        case = dict(connection.execute(sa.select(case_file).where(case_file.c.id == case_id)).mappings().one())
        open_one = dict(connection.execute(sa.select(task).where(task.c.case_id == case_id)).mappings().first() or {})
        del case["id"], open_one["id"]
        names = [f"bench.{number:05d}" for number in range(max(sizes.people, len(seats)))]
        insert(connection, person, ({"id": name, "organisation": ORGANISATION, "name": name, "created_at": now} for name in names))
        places = [*seats, *(order.choice(staff) for _ in range(len(names) - len(seats)))]
        kept = {"organisation": ORGANISATION, "valid_from": SINCE, "recorded_at": now}
        insert(connection, holding, ({**kept, "person": name, "seat": seat} for name, seat in zip(names, places, strict=True)))
        holder = dict(zip(seats, names, strict=False))

        count = max(1, sizes.tasks // TASKS_PER_CASE)
        insert(connection, case_file, ({**case, "number": f"B{number}"} for number in range(count)))
        ids = list(connection.scalars(sa.select(case_file.c.id).where(case_file.c.number.like("B%")).order_by(case_file.c.id)))

        def tasks() -> Iterator[dict[str, Any]]:
            for number in range(sizes.tasks):
                seat = CENTRAL if number % 100 == 0 else order.choice(seats)
                due = now + timedelta(minutes=order.randrange(-10_000, 40_000))
                yield {
                    **open_one,
                    "case_id": ids[number % count],
                    "wait": f"{number}:x",
                    "seat": seat,
                    "unit": seat.partition("@")[2],
                    "due_at": due,
                }

        insert(connection, task, tasks())
        seen = sa.select(task.c.case_id, task.c.organisation, task.c.seat).where(
            task.c.case_id.in_(sa.select(case_file.c.id).where(case_file.c.number.like("B%")))
        )
        connection.execute(case_seat.insert().from_select(["case_id", "organisation", "seat"], seen.distinct()))
        read = [
            {"task_id": row.id, "person": holder[row.seat], "read_at": now}
            for row in connection.execute(sa.select(task.c.id, task.c.seat).where(task.c.id % 2 == 0))
        ]
        insert(connection, task_read, read)
        timer = {"kind": "timer", "payload": '{"wait": "x"}'}
        later = (
            {**timer, "case_id": ids[n % count], "key": f"wait:{n}", "run_at": now + timedelta(days=1, seconds=n)}
            for n in range(sizes.timers)
        )
        insert(connection, job, later)
    if engine.database.dialect.name == "postgresql":  # what autovacuum does within a minute
        with engine.database.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
            connection.exec_driver_sql("VACUUM ANALYZE")
    engine.run_due(limit=1_000)  # mails and reminders of the first case, so that nothing is due
    return seats, holder


def rows_alone(engine: Engine, seats: Iterable[str]) -> None:
    """The first rows of the same inbox by Core: no names, no counts, no filters."""
    wanted = sa.and_(task.c.organisation == ORGANISATION, task.c.seat.in_(list(seats)), task.c.state == "open")
    with engine.reading() as connection:
        connection.execute(sa.select(task).where(wanted).order_by(task.c.due_at, task.c.id).limit(51)).all()


def nothing(engine: Engine) -> None:
    """An empty read transaction."""
    with engine.reading() as connection:
        connection.execute(sa.select(1)).one()


def lists(name: str, database: str | None, sizes: Sizes) -> list[Figure]:
    """The inbox of people drawn at random and of the fullest seat; the idle poll of the worker."""
    with installation(database) as engine:
        seats, holder = fill(engine, sizes)
        order = random.Random(2027)
        page, full, alone, request = Samples(), Samples(), Samples(), Samples()
        app = create_app(engine, secret_key="bench")
        with statements_of(engine.database) as sent:
            engine.inbox(engine.viewer(holder[seats[0]]))
        for _ in range(sizes.pages):
            who = holder[order.choice(seats)]
            client = app.test_client()
            with client.session_transaction() as session:
                session.update({"_user_id": engine.open_session(who), "_fresh": True})
            with page.one():
                viewer = engine.viewer(who)
                engine.inbox(viewer)
            with alone.one():
                rows_alone(engine, viewer.keys)
            with full.one():
                engine.inbox(engine.viewer(holder[CENTRAL]))
            with request.one():
                answer = client.get("/inbox")
            assert answer.status_code == 200
        with statements_of(engine.database) as asked:
            client.get("/inbox")
        poll, empty = Samples(), Samples()
        assert engine.run_due() == 0
        with statements_of(engine.database) as polled:
            engine.run_due()
        for _ in range(sizes.pages):
            with poll.one():
                engine.run_due()
            with empty.one():
                nothing(engine)
    what = f"{name}: inbox, {sizes.tasks:,} open tasks, {max(sizes.people, len(seats)):,} people"
    rows = "its 51 task rows alone by Core"
    return [
        Figure("inbox", f"{what}, SQL statements", "", len(sent), rows, 1, "≤ 6"),
        Figure("inbox", f"{what}, p50", "ms", page.p50, rows, alone.p50),
        Figure("inbox", f"{what}, p95", "ms", page.p95, f"{rows}, p95", alone.p95, "≤ 20 ms (1,000,000)"),
        Figure("inbox", f"{what}, fullest seat, p95", "ms", full.p95, "any seat, p95", page.p95),
        Figure("inbox", f"{what}, GET /inbox, SQL statements", "", len(asked), rows, 1),
        Figure("inbox", f"{what}, GET /inbox, p95", "ms", request.p95, "without HTTP, p95", page.p95),
        Figure("poll", f"{name}: idle poll, {sizes.timers:,} pending timers, SQL statements", "", len(polled)),
        Figure(
            "poll",
            f"{name}: idle poll, {sizes.timers:,} pending timers, p50",
            "ms",
            poll.p50,
            "SELECT 1 in a transaction",
            empty.p50,
            "≤ 1 ms (1,000,000)",
        ),
        Figure(
            "poll", f"{name}: idle poll, {sizes.timers:,} pending timers, p95", "ms", poll.p95, "SELECT 1 in a transaction, p95", empty.p95
        ),
    ]
