"""A worker to be killed: runs due work by the machine's clock, moved by some seconds, until SIGTERM or kill -9.

python -m tests.faults.worker URL FOLDER_OF_OFFICES SMTP_PORT SECONDS
"""

from __future__ import annotations

import os
import signal
import sys
import threading
from datetime import datetime, timedelta
from pathlib import Path

from engine import Engine, Settings, SystemClock, run_forever


class MovedClock(SystemClock):
    """The machine's clock, so many seconds ahead."""

    def __init__(self, seconds: float) -> None:
        self._ahead = timedelta(seconds=seconds)

    def now(self) -> datetime:
        """The present instant, moved."""
        return super().now() + self._ahead


def main(url: str, folder: str, port: str, seconds: str) -> None:
    """Returns after SIGTERM."""
    stop = threading.Event()
    signal.signal(signal.SIGTERM, lambda *_: stop.set())
    settings = Settings(database=url, bpmn=Path(folder), mail=f"smtp://127.0.0.1:{port}", mail_from="tadachi@example.go.jp")
    engine = Engine(settings, clock=MovedClock(float(seconds)))
    print("ready", flush=True)
    run_forever(engine, stop, f"worker-{os.getpid()}")
    engine.close()


if __name__ == "__main__":
    main(*sys.argv[1:])
