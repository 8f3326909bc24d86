"""One completed step: through the engine, beside a bare commit and beside the same row writes by SQLAlchemy Core; and the same by HTTP."""

from __future__ import annotations

import http.client
import multiprocessing
import re
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import closing, contextmanager
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import sqlalchemy as sa

from engine import Engine, Settings
from tests.bench.figures import Figure, Samples, Sizes, statements_of
from tests.bench.office import ANSWERS, MANAGER, MANAGER_SEAT, installation, start_cases
from webui import create_app
from webui.demo import PASSWORD

WARM_UP = 5
BUDGET_CORE = "≤ × 2"

Writes = list[tuple[Any, Any]]
bare_row = sa.Table("bench_bare_row", sa.MetaData(), sa.Column("id", sa.Integer, primary_key=True), sa.Column("text", sa.Text))


class _Undo(Exception):
    """Takes a recorded step back."""


def complete(engine: Engine, task_id: int) -> None:
    """The step measured."""
    with engine.work(by=MANAGER, seat=MANAGER_SEAT) as work:
        work.complete(task_id, ANSWERS)


def recorded_writes(engine: Engine, task_id: int) -> Writes:
    """Every insert, update and delete of the step with its parameters; the step is taken back, so that they can be played once."""
    writes: Writes = []

    def keep(_connection: Any, clause: Any, many: list[Any], one: dict[str, Any], _options: Any) -> None:
        if getattr(clause, "is_dml", False):
            writes.append((clause, many or one or None))

    sa.event.listen(engine.database, "before_execute", keep)
    try:
        with engine.work(by=MANAGER, seat=MANAGER_SEAT) as work:
            work.complete(task_id, ANSWERS)
            raise _Undo
    except _Undo:
        return writes
    finally:
        sa.event.remove(engine.database, "before_execute", keep)


def replay(engine: Engine, writes: Writes) -> None:
    """The same rows by Core alone, in one transaction."""
    with engine.database.begin() as connection:
        for clause, parameters in writes:
            connection.execute(clause, parameters)


def bare_commit(engine: Engine) -> None:
    """A transaction of one row."""
    with engine.database.begin() as connection:
        connection.execute(sa.insert(bare_row), {"text": "x"})


def step(name: str, database: str | None, sizes: Sizes) -> list[Figure]:
    """One completed step through the engine on one database."""
    with installation(database) as engine:
        bare_row.create(engine.database)
        cases = iter(start_cases(engine, 2 * (sizes.steps + WARM_UP) + 1))
        with statements_of(engine.database) as sent:
            complete(engine, next(cases)[1])
        real, core, bare = Samples(), Samples(), Samples()
        for number in range(sizes.steps + WARM_UP):
            if number == WARM_UP:
                real, core, bare = Samples(), Samples(), Samples()
            with real.one():
                complete(engine, next(cases)[1])
            writes = recorded_writes(engine, next(cases)[1])
            with core.one():
                replay(engine, writes)
            with bare.one():
                bare_commit(engine)
        fault = engine.verify_history()
        assert not fault, fault[:1]
    title = f"{name}: one completed step"
    same = f"same {len(writes)} writes by Core"
    return [
        Figure("step", f"{title}, SQL statements", "", len(sent), same, len(writes)),
        Figure("step", f"{title}, CPU", "ms", real.cpu50, same, core.cpu50),
        Figure("step", f"{title}, wall p50", "ms", real.p50, same, core.p50, BUDGET_CORE),
        Figure("step", f"{title}, wall p50", "ms", real.p50, "bare commit of one row", bare.p50),
        Figure("step", f"{title}, wall p95", "ms", real.p95, "bare commit of one row, p95", bare.p95),
    ]


# ---------------------------------------------------------------- by HTTP

Post = Callable[[int, int], Mapping[str, str]]


def form(case_id: int, task_id: int, token: str) -> tuple[str, dict[str, Any]]:
    """Address and body of the task page's form."""
    return f"/tasks/{task_id}", {"csrf_token": token, "_version": "1", "_case": str(case_id), "_seat": MANAGER_SEAT, **ANSWERS}


def csrf_token(page: str) -> str:
    """The token a page's forms carry."""
    found = re.search(r'name="csrf_token" value="([^"]+)"', page)
    assert found is not None
    return found[1]


def by_test_client(engine: Engine) -> Post:
    """Signed in on Flask's test client, in this process."""
    client = create_app(engine, secret_key="bench").test_client()
    sign_in = {"csrf_token": csrf_token(client.get("/login").text), "person": MANAGER, "password": PASSWORD}
    assert client.post("/login", data=sign_in).status_code == 303
    token = csrf_token(client.get("/account").text)

    def post(case_id: int, task_id: int) -> Mapping[str, str]:
        path, data = form(case_id, task_id, token)
        answer = client.post(path, data=data)
        assert answer.status_code == 303, answer.text
        return answer.headers

    return post


def by_socket(connection: http.client.HTTPConnection) -> Post:
    """Signed in over one kept-alive connection, as a browser would."""
    cookie = ""

    def send(method: str, path: str, data: dict[str, Any] | None = None) -> http.client.HTTPResponse:
        nonlocal cookie
        body = urlencode(data, doseq=True).encode() if data else None
        headers = {"Content-Type": "application/x-www-form-urlencoded", "Cookie": cookie}
        connection.request(method, path, body, headers)
        answer = connection.getresponse()
        if answer.headers["Set-Cookie"]:
            cookie = answer.headers["Set-Cookie"].split(";")[0]
        return answer

    sign_in = {"csrf_token": csrf_token(send("GET", "/login").read().decode()), "person": MANAGER, "password": PASSWORD}
    answer = send("POST", "/login", sign_in)
    assert answer.status == 303, answer.read().decode()
    answer.read()
    token = csrf_token(send("GET", "/account").read().decode())

    def post(case_id: int, task_id: int) -> Mapping[str, str]:
        path, data = form(case_id, task_id, token)
        answer = send("POST", path, data)
        text = answer.read()
        assert answer.status == 303, text.decode()
        return answer.headers

    return post


def serve(database: str, bpmn: Path, parent: Connection) -> None:
    """Waitress over the installation, in a process of its own so that the client's CPU is not counted; ends when the parent does."""
    from waitress import create_server

    engine = Engine(Settings(database=database, bpmn=bpmn))
    server = create_server(create_app(engine, secret_key="bench"), host="127.0.0.1", port=0, threads=4, ident="")
    parent.send(server.effective_port)
    server.run()


@contextmanager
def waitress(engine: Engine) -> Iterator[tuple[int, int]]:
    """(port, process id) of a server over the same database."""
    context = multiprocessing.get_context("spawn")
    here, there = context.Pipe()
    address = engine.database.url.render_as_string(hide_password=False)
    process = context.Process(target=serve, args=(address, engine.settings.bpmn, there), daemon=True)
    process.start()
    try:
        assert here.poll(60), "waitress did not start"
        yield here.recv(), process.pid or 0
    finally:
        process.terminate()
        process.join()
        process.close()
        here.close()
        there.close()


def cpu_clock_of(pid: int) -> Callable[[], int]:
    """The CPU time another process has used, in ns (Linux: its CPU clock, as clock_getcpuclockid names it)."""
    return lambda: time.clock_gettime_ns((~pid << 3) | 2)


def request(name: str, database: str | None, sizes: Sizes) -> list[Figure]:
    """The same step as an HTTP request on one database: inside this process, and over a socket."""
    with installation(database) as engine:
        bare_row.create(engine.database)
        cases = iter(start_cases(engine, 2 * (sizes.requests + WARM_UP) + 1))
        post = by_test_client(engine)
        with statements_of(engine.database) as sent:
            post(*next(cases))
        with waitress(engine) as (port, pid), closing(http.client.HTTPConnection("127.0.0.1", port, timeout=30)) as connection:
            inside, bare = Samples(), Samples()
            outside = Samples(cpu_clock_of(pid))
            over_socket = by_socket(connection)
            for number in range(sizes.requests + WARM_UP):
                if number == WARM_UP:
                    inside, bare, outside = Samples(), Samples(), Samples(outside.cpu_clock)
                with inside.one():
                    post(*next(cases))
                with outside.one():
                    over_socket(*next(cases))
                with bare.one():
                    bare_commit(engine)
    peer = "bare commit of one row"
    figures = [Figure("http", f"{name}: POST of the step, SQL statements", "", len(sent), budget="≤ 15")]
    for title, samples in (("test client", inside), ("waitress, real socket", outside)):
        figures += [
            Figure("http", f"{name}: POST of the step, {title}, CPU", "ms", samples.cpu50, peer, bare.cpu50, "≤ 5 ms"),
            Figure("http", f"{name}: POST of the step, {title}, wall p50", "ms", samples.p50, peer, bare.p50),
            Figure("http", f"{name}: POST of the step, {title}, wall p95", "ms", samples.p95, f"{peer}, p95", bare.p95),
        ]
    return figures
