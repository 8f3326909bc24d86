"""The commands as processes: gunicorn takes the pages, the worker answers for itself, and both leave within five seconds."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from urllib.error import HTTPError, URLError
from urllib.request import urlopen

from tests.conftest import SmtpServer, free_port
from tests.support import ROOT, World, make_world, offices


@contextmanager
def process(world: World, folder: Path, *command: str, **settings: str) -> Iterator[subprocess.Popen[bytes]]:
    """A command over the world's database; unless the test kills it, it must end by SIGTERM, cleanly and soon."""
    own = {
        "TADACHI_DATABASE": world.engine.settings.database,
        "TADACHI_BPMN": str(offices()),
        "TADACHI_SECRET_FILE": str(folder / "secret"),
    }
    made = subprocess.Popen([sys.executable, "-m", *command], cwd=ROOT, env={**os.environ, **own, **settings}, stderr=subprocess.DEVNULL)
    try:
        yield made
        if made.poll() is None:
            since = time.monotonic()
            made.send_signal(signal.SIGTERM)
            assert made.wait(10) == 0 and time.monotonic() - since < 5
    finally:
        made.kill()
        made.wait()


def answer(address: str, seconds: float = 60) -> tuple[int, str]:
    """What an address answers, once somebody listens there."""
    until = time.monotonic() + seconds
    while True:
        try:
            with urlopen(address) as found:
                return found.status, found.read().decode()
        except HTTPError as refused:
            with refused:
                return refused.code, refused.read().decode()
        except URLError:
            assert time.monotonic() < until, "nobody listens"
            time.sleep(0.1)


def test_gunicorn_takes_the_pages(tmp_path: Path) -> None:
    world, port, together = make_world(tmp_path), free_port(), tmp_path / "together"
    together.mkdir()
    command = (
        "gunicorn",
        "--worker-class",
        "gthread",
        "--workers",
        "2",
        "--threads",
        "8",
        "--bind",
        f"127.0.0.1:{port}",
        "webui.serving:application()",
    )
    with process(world, tmp_path, *command, PROMETHEUS_MULTIPROC_DIR=str(together)):
        at = f"http://127.0.0.1:{port}"
        assert answer(f"{at}/livez")[0] == 200
        status, said = answer(f"{at}/readyz")
        assert (status, json.loads(said)["worker"]) == (503, False)
        for _ in range(20):
            assert answer(f"{at}/login")[0] == 200
        numbers = answer(f"{at}/metrics")[1]
        assert 'tadachi_request_seconds_count{endpoint="auth.login",method="GET",status="200"} 20.0' in numbers, "both processes together"
        assert "tadachi_database_up 1.0" in numbers
    world.engine.close()


def test_a_worker_answers_for_itself_and_leaves_a_mail_server_that_hangs(tmp_path: Path, smtp_server: SmtpServer) -> None:
    world, port = make_world(tmp_path), free_port()
    smtp_server.hang("EHLO")
    world.start("approval")
    mail = f"smtp://127.0.0.1:{smtp_server.port}"
    with process(world, tmp_path, "webui.cli", "worker", "--metrics-port", str(port), TADACHI_SMTP=mail):
        assert answer(f"http://127.0.0.1:{port}/livez")[0] == 200
        until = time.monotonic() + 30
        while not (world.rows("worker_heartbeat") and world.rows("job", kind="deliver")[0]["attempts"]):
            assert time.monotonic() < until
            time.sleep(0.05)
        assert "tadachi_worker_heartbeat_age_seconds{" in answer(f"http://127.0.0.1:{port}/metrics")[1]
    assert world.rows("worker_heartbeat") == []
    world.engine.close()


def worker_of(world: World, other_than: str = "") -> str:
    """The name of the worker that shows signs of life."""
    until = time.monotonic() + 60
    while True:
        found = [row["worker"] for row in world.rows("worker_heartbeat") if row["worker"] != other_than]
        if found:
            return str(found[0])
        assert time.monotonic() < until, "no worker began"
        time.sleep(0.05)


def test_pages_and_worker_beside_each_other_and_a_killed_worker_is_replaced(tmp_path: Path) -> None:
    world, port = make_world(tmp_path), free_port()
    with process(world, tmp_path, "webui.cli", "run", "--port", str(port)) as both:
        assert answer(f"http://127.0.0.1:{port}/livez")[0] == 200
        first = worker_of(world)
        number = int(first.rpartition("-")[2])
        assert number != both.pid, "a worker's work is no burden to the pages"
        os.kill(number, signal.SIGKILL)
        worker_of(world, other_than=first)
        case_id = world.start("wait", wake_at="2026-01-01 09:00")
        until = time.monotonic() + 30
        while world.waits(case_id) != ["work"]:
            assert time.monotonic() < until, "the new worker does its work"
            time.sleep(0.05)
    assert [row["worker"] for row in world.rows("worker_heartbeat")] == [first], "the second one took its leave"
    world.engine.close()


def test_a_worker_does_not_outlive_pages_that_were_killed(tmp_path: Path) -> None:
    world, port = make_world(tmp_path), free_port()
    with process(world, tmp_path, "webui.cli", "run", "--port", str(port)) as both:
        worker_of(world)
        both.kill()
        both.wait()
    until = time.monotonic() + 30
    while world.rows("worker_heartbeat"):
        assert time.monotonic() < until, "nobody is left to tell it"
        time.sleep(0.05)
    world.engine.close()
