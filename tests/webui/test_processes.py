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
    """A command over the world's database; it must end by SIGTERM, cleanly and soon."""
    own = {
        "TADACHI_DATABASE": world.engine.settings.database,
        "TADACHI_BPMN": str(offices()),
        "TADACHI_SECRET_FILE": str(folder / "secret"),
    }
    made = subprocess.Popen([sys.executable, "-m", *command], cwd=ROOT, env={**os.environ, **own, **settings}, stderr=subprocess.DEVNULL)
    try:
        yield made
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
