"""Six workers on one PostgreSQL, killed at random moments: every timer takes effect once, every mail goes out at least once under one Message-ID."""

from __future__ import annotations

import random
import signal
import subprocess
import sys
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from engine import run_forever
from engine.notices import SmtpSender
from tests.conftest import SmtpServer
from tests.faults.checker import check
from tests.support import ROOT, World, make_world, offices, postgresql_copy

TIMERS, WORKERS, KILLS = 40, 6, 10
LATER = "900"  # the leases of killed workers have run out by then


@pytest.fixture
def place(postgresql_url: str, tmp_path: Path) -> Iterator[World]:
    """The small offices on PostgreSQL, last Monday."""
    with postgresql_copy(postgresql_url) as url:
        world = make_world(tmp_path, url)
        yield world
        world.engine.close()


def started(world: World, port: int, seconds: str = "0") -> subprocess.Popen[str]:
    command = [sys.executable, "-m", "tests.faults.worker", world.engine.settings.database, str(offices()), str(port), seconds]
    return subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


def until(done: Callable[[], Any], seconds: float = 90) -> None:
    end = time.monotonic() + seconds
    while not done():
        assert time.monotonic() < end, "it did not happen"
        time.sleep(0.05)


def ready(process: subprocess.Popen[str]) -> None:
    assert process.stdout is not None and process.stderr is not None
    assert process.stdout.readline() == "ready\n", process.stderr.read()


def test_forty_timers_six_workers_and_kill_9(place: World, smtp_server: SmtpServer) -> None:
    chance = random.Random(20261201)
    cases = [place.start("deadline") for _ in range(TIMERS)]
    workers = [started(place, smtp_server.port) for _ in range(WORKERS)]
    kills = fired = 0
    try:
        ready(workers[0])
        for _ in range(KILLS):
            time.sleep(chance.random() * 0.4)
            victim = chance.randrange(WORKERS)
            workers[victim].kill()
            workers[victim].communicate(timeout=10)
            kills += 1
            workers[victim] = started(place, smtp_server.port)
            fired = sum(row["tag"] == "timer.fired" for row in place.rows("history"))
        until(lambda: not [row for row in place.rows("job") if row["kind"] not in ("deliver", "digest")])
    finally:
        for worker in workers:
            worker.kill()
            worker.communicate(timeout=10)
    last = [started(place, smtp_server.port, LATER) for _ in range(2)]
    try:
        for worker in last:
            ready(worker)
        until(lambda: {row["kind"] for row in place.rows("job")} <= {"digest"})
        since = time.monotonic()
        for worker in last:
            worker.send_signal(signal.SIGTERM)
        ends = [worker.wait(10) for worker in last]
        assert time.monotonic() - since < 5 and ends == [0, 0], "told to stop, they stop"
        assert place.rows("worker_heartbeat") == [] or all("worker-" in row["worker"] for row in place.rows("worker_heartbeat"))
    finally:
        for worker in last:
            worker.kill()
            _, err = worker.communicate(timeout=10)
            assert "Traceback" not in err, err
    for case_id in cases:
        tags = Counter(row["tag"] for row in place.history(case_id))
        assert (tags["timer.fired"], tags["task.cancelled"], tags["task.reminded"]) == (1, 1, 1)
        assert place.waits(case_id) == ["take_over"]
    assert list(check(place)) == []
    notices = place.mails()
    assert len(notices) == 3 * TIMERS and {row["state"] for row in notices} == {"sent"}
    mails = Counter(str(one.message["Message-ID"]) for one in smtp_server.messages)
    assert mails.keys() == {row["message_id"] for row in notices}, "each at least once, each under a key of its own"
    copies = sum(mails.values()) - len(mails)
    assert copies <= 4 * (kills + WORKERS), "a second copy only of what a killed worker had in its hands"
    print(f"{kills} kills ({fired} timers had fired by the last), {len(mails)} mails, {copies} second copies")


@pytest.mark.parametrize("fault", ["down", "refuse", "hang"])
def test_a_mail_server_that_fails_stops_no_timer_and_loses_no_mail(place: World, smtp_server: SmtpServer, fault: str) -> None:
    place.engine.sender = SmtpSender(f"smtp://127.0.0.1:{smtp_server.port}", timeout=1)
    {"down": smtp_server.down, "refuse": lambda: smtp_server.refuse("451 4.3.0 come again"), "hang": lambda: smtp_server.hang("RCPT")}[
        fault
    ]()
    case_id = place.start("deadline")
    place.clock.advance(hours=2)
    stop = threading.Event()
    worker = threading.Thread(target=run_forever, args=(place.engine, stop, "w"), daemon=True)
    worker.start()
    until(lambda: place.waits(case_id) == ["take_over"], 10)
    until(lambda: len(place.mails()) == len(place.notices()) and all(row["error"] for row in place.mails()), 20)
    assert {row["state"] for row in place.mails()} == {"failed"} and smtp_server.messages == []
    stop.set()
    worker.join(10)
    assert not worker.is_alive()
    smtp_server.answer()
    smtp_server.up()
    place.clock.advance(days=1)
    place.run()
    assert sorted(str(one.message["Message-ID"]) for one in smtp_server.messages) == sorted(row["message_id"] for row in place.mails())
    assert not place.rows("job", kind="deliver")
