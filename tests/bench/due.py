"""Due work: the idle look, how soon what is due is run, how fast many timers are drained, and what officials notice of it."""

from __future__ import annotations

import itertools
import math
import multiprocessing
import random
import shutil
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import datetime, timedelta
from functools import partial
from pathlib import Path
from typing import Any

import sqlalchemy as sa

from engine import Engine, Settings, SystemClock, hash_password, run_forever, settle_in
from engine.jobs import next_due, run_some
from engine.model import case_file, history, job
from engine.model import person as person_table
from engine.wakeup import CHANNEL, add_jobs
from tests.bench.figures import Figure, Samples, Sizes
from tests.bench.lists import insert, nothing
from tests.bench.steps import PASSWORD, csrf_token
from tests.support import World, offices, populate, unproven
from webui import create_app

DRAINING = 4
#: Timers that a worker is given while requests are measured beside it, again and again.
AT_A_TIME = 200


def settings(database: str, folder: str) -> Settings:
    """The small offices of the tests: their procedure `deadline` has a timer."""
    return Settings(database=database, bpmn=Path(folder), mail_from="tadachi@example.go.jp")


@contextmanager
def small(database: str | None) -> Iterator[World]:
    """An installation with the small offices, on a database of its own."""
    with tempfile.TemporaryDirectory(prefix="tadachi-bench-") as name:
        shutil.copytree(offices(), Path(name) / "bpmn")
        engine = Engine(settings(database or f"sqlite:///{name}/bench.sqlite", f"{name}/bpmn"), clock=SystemClock(), prove=unproven)
        engine.migrate()
        populate(engine, ("office",))
        with engine.writing() as connection:  # mails are measured elsewhere
            connection.exec_driver_sql("UPDATE person SET email = NULL")
        try:
            yield World(engine, engine.clock)  # type: ignore[arg-type]
        finally:
            engine.close()


def case_with_timers(world: World, count: int, at: datetime) -> None:
    """Cases of `deadline` in another unit than the official's whose pages are measured; their timers are due at an instant, nothing else of them is."""
    with world.engine.writing() as connection:
        known = set(connection.scalars(sa.select(case_file.c.id)))
    for _ in range(count):
        world.start("deadline", owning_unit="b")
    with world.engine.writing() as connection:
        ours = job.c.case_id.not_in(known) if known else sa.true()
        connection.execute(job.delete().where(ours, job.c.kind != "timer"))
        connection.execute(job.update().where(ours, job.c.kind == "timer").values(run_at=at))


def late_by(world: World, count: int) -> Samples:
    """How long after it was due a timer took effect, with a worker that has nothing else to do; times in ms."""
    found, stop = Samples(), threading.Event()
    worker = threading.Thread(target=run_forever, args=(world.engine, stop, "bench"), daemon=True)
    worker.start()
    time.sleep(1.5)
    order = random.Random(2028)
    for number in range(count):
        time.sleep(order.random())  # the worker looks at its own beat
        case_id = world.start("wait")
        wait = _wait_of(world, case_id)
        # Half are due at once, half in a moment: told by NOTIFY, and slept for.
        due = world.engine.clock.now() + timedelta(milliseconds=0 if number % 2 else 700)
        row = {"case_id": case_id, "kind": "timer", "key": f"wait:{wait}", "run_at": due, "payload": f'{{"wait": "{wait}"}}'}
        with world.engine.writing() as connection:
            add_jobs(connection, [row], world.engine.clock.now())
        while not (fired := world.history(case_id, "timer.fired")):
            time.sleep(0.005)
        found.wall.append((fired[0]["at"] - due).total_seconds() * 1000)
    stop.set()
    worker.join(10)
    return found


def _wait_of(world: World, case_id: int) -> str:
    from engine.marking import Marking
    from engine.tokens import waiting

    with world.engine.reading() as connection:
        row = connection.execute(sa.select(case_file).where(case_file.c.id == case_id)).mappings().one()
        net = world.engine.definitions.get(connection, row["definition"]).net
    return waiting(net, Marking.load(row["marking"]))[0].key


def drain(database: str, folder: str, begin: Any, cpu: Any) -> None:
    """A process that runs what is due until nothing is; tells the CPU seconds it took."""
    engine = Engine(settings(database, folder), clock=SystemClock(), prove=unproven)
    engine.run_due(limit=1)  # the net is compiled
    begin.wait()
    idle, since = 0, time.process_time()
    while idle < 3:  # what another one holds is passed over
        idle = 0 if run_some(engine) else idle + 1
        if idle:
            time.sleep(0.01)
    cpu.put(time.process_time() - since)
    engine.close()


def drained(world: World, count: int) -> tuple[float, float]:
    """Timer transactions a second of four workers, and the CPU time they need for one, in ms."""
    case_with_timers(world, count + DRAINING, world.engine.clock.now())
    context = multiprocessing.get_context("spawn")
    begin, cpu = context.Barrier(DRAINING + 1), context.Queue()
    place = str(world.engine.settings.bpmn)
    workers = [context.Process(target=drain, args=(world.engine.settings.database, place, begin, cpu)) for _ in range(DRAINING)]
    for worker in workers:
        worker.start()
    begin.wait(120)
    since = time.perf_counter()
    while (left := next_due(world.engine)) is not None and left <= world.engine.clock.now():
        time.sleep(0.02)
    took = time.perf_counter() - since
    needed = sum(cpu.get(timeout=30) for _ in workers) * 1000 / count
    for worker in workers:
        worker.join(30)
    return count / took, needed


@contextmanager
def worker_beside(world: World) -> Iterator[None]:
    """A worker in a process of its own, as `tadachi run` has it; it has done one job when this begins, so nothing is measured that only its first costs."""
    case_with_timers(world, 1, world.engine.clock.now())
    context = multiprocessing.get_context("spawn")
    stop = context.Event()
    worker = context.Process(target=work_until, args=(world.engine.settings.database, str(world.engine.settings.bpmn), stop))
    worker.start()
    while (left := next_due(world.engine)) is not None and left <= world.engine.clock.now():
        time.sleep(0.02)
    yield
    stop.set()
    worker.join(10)


def work_until(database: str, folder: str, stop: Any) -> None:
    """The worker's process."""
    engine = Engine(settings(database, folder), clock=SystemClock(), prove=unproven)
    settle_in()
    run_forever(engine, stop, "bench")
    engine.close()


def requests(world: World) -> Iterator[Callable[[], None]]:
    """What an official's browser asks for, in turn: the inbox, and a step claimed or released."""
    mine = [world.start("deadline") for _ in range(3)]
    tasks = [world.task(case_id, "work")["id"] for case_id in mine]
    with world.engine.writing() as connection:
        connection.execute(job.delete().where(job.c.case_id.in_(mine)))
    person = "protection_manager.a"
    with world.engine.writing() as connection:
        connection.execute(person_table.update().where(person_table.c.id == person).values(password_hash=hash_password(PASSWORD)))
    client = create_app(world.engine, secret_key="bench").test_client()
    sign_in = {"csrf_token": csrf_token(client.get("/login").text), "person": person, "password": PASSWORD}
    assert client.post("/login", data=sign_in).status_code == 303
    token = csrf_token(client.get("/account").text)

    def read() -> None:
        assert client.get("/inbox").status_code == 200

    def act(number: int) -> None:
        verb = "release" if number // len(tasks) % 2 else "claim"
        answer = client.post(f"/tasks/{tasks[number % len(tasks)]}/{verb}", data={"csrf_token": token, "_seat": "protection_manager@a"})
        assert answer.status_code == 303, answer.text

    for number in itertools.count():
        yield read
        yield partial(act, number)


def beside_people(world: World, count: int) -> tuple[Samples, Samples, float]:
    """What an official waits for, request by request, alone and while a worker has its hands full; and what that worker does a second."""
    alone, found, asked = Samples(), Samples(), requests(world)

    def ask(samples: Samples) -> None:
        request = next(asked)
        with samples.one():
            request()
        time.sleep(0.01)

    for _ in range(20):
        ask(Samples())  # what only the first requests cost
    for _ in range(count):
        ask(alone)
    with worker_beside(world):
        done = took = 0.0
        while len(found.wall) < count:
            before, given = fired(world), AT_A_TIME
            case_with_timers(world, given, world.engine.clock.now())
            wake(world)
            while (begun := fired(world)) == before:
                time.sleep(0.001)
            since = time.perf_counter()
            while len(found.wall) < count and fired(world) < before + given - 1:
                ask(found)  # as long as there is something to do
            while (now := fired(world)) < before + given:
                time.sleep(0.01)
            took += time.perf_counter() - since
            done += now - begun
    return alone, found, done / took


def wake(world: World) -> None:
    """Tell the workers that there is something to do, as whatever writes due work does."""
    with world.engine.writing() as connection:
        if connection.dialect.name == "postgresql":
            connection.exec_driver_sql(f"SELECT pg_notify('{CHANNEL}', '')")


def fired(world: World) -> int:
    """How many timers have happened."""
    with world.engine.reading() as connection:
        return int(connection.scalar(sa.select(sa.func.count()).where(history.c.tag == "timer.fired")) or 0)


def p99(samples: Samples) -> float:
    """Wall time that 99 in 100 did not exceed."""
    return sorted(samples.wall)[math.ceil(len(samples.wall) * 0.99) - 1]


def due(name: str, database: str | None, sizes: Sizes) -> list[Figure]:
    """All of it on one database."""
    postgresql = name == "PostgreSQL"
    with small(database) as world:
        case_id = world.start("deadline")
        now = world.engine.clock.now()
        with world.engine.writing() as connection:
            connection.execute(job.delete())
            timer = {"case_id": case_id, "kind": "timer", "payload": '{"wait": "x"}'}
            insert(
                connection, job, ({**timer, "key": f"wait:{n}", "run_at": now + timedelta(days=1, seconds=n)} for n in range(sizes.timers))
            )
        # What so many rows at once leave behind is put in order, which is no part of what is measured.
        with world.engine.database.connect().execution_options(isolation_level="AUTOCOMMIT", read_only=True) as connection:
            connection.exec_driver_sql("VACUUM ANALYZE job" if postgresql else "PRAGMA wal_checkpoint(TRUNCATE)")
        idle, empty = Samples(), Samples()
        for _ in range(sizes.pages):
            with idle.one():
                next_due(world.engine)
            with empty.one():
                nothing(world.engine)
        late = late_by(world, sizes.late)
        alone, people, beside = beside_people(world, sizes.beside)
        with world.engine.writing() as connection:
            connection.execute(job.delete().where(job.c.run_at < now + timedelta(hours=1)))
        rate = drained(world, sizes.drained) if postgresql else None
    pending = f"{sizes.timers:,} pending timers"
    budget = "≤ 100 ms" if postgresql else "≤ 1,100 ms"
    figures = [
        Figure("due", f"{name}: a worker's idle look, {pending}, p50", "ms", idle.p50, "SELECT 1 in a transaction", empty.p50, "≤ 1 ms (1,000,000)"),
        Figure("due", f"{name}: a worker's idle look, {pending}, p95", "ms", idle.p95, "SELECT 1 in a transaction, p95", empty.p95),
        Figure("due", f"{name}: due to run, {pending}, p50", "ms", late.p50),
        Figure("due", f"{name}: due to run, {pending}, p95", "ms", late.p95, budget=budget),
        Figure("due", f"{name}: one request while a worker is busy, p50", "ms", people.p50, "no worker", alone.p50),
        Figure("due", f"{name}: one request while a worker is busy, p99", "ms", p99(people), "no worker, p99", p99(alone), "" if postgresql else "≤ 20 ms"),
        Figure("due", f"{name}: timer transactions a second of that worker", "/s", beside),
    ]  # fmt: skip
    if rate is not None:
        what = f"{name}: {sizes.drained:,} timers due at once, {DRAINING} workers"
        figures.append(Figure("due", what, "/s", rate[0], budget="≥ 250 /s"))
        figures.append(Figure("due", f"{what}, CPU of theirs for one", "ms", rate[1]))
    return figures
