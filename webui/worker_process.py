"""A worker as a process of its own beside the pages: begun anew when it dies, gone when they go.

As a thread it would share the interpreter with every request, and a busy worker would be felt on each page (`tests/bench`, bench `due`).
"""

from __future__ import annotations

import logging
import multiprocessing
import os
import signal
import socket
import threading
import time
from contextlib import suppress
from multiprocessing.connection import Connection
from multiprocessing.context import SpawnProcess

from engine import Engine, Settings, run_forever, settle_in

log = logging.getLogger(__name__)
LOG_FORMAT = "%(asctime)s %(levelname)s %(name)s %(message)s"
#: Seconds between two begins of a worker that dies at once: a database that is away must not make a storm of processes.
PAUSE = 5.0


def worker_name() -> str:
    """What a worker is called where its signs of life are read: machine and process."""
    return f"{socket.gethostname()[:60]}-{os.getpid()}"


class WorkerProcess:
    """One worker with an installation's settings; `watch` it, and `end` it."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._context = multiprocessing.get_context("spawn")
        self._begin()

    def _begin(self) -> None:
        self._begun = time.monotonic()
        # Nothing is ever sent: the pipe closes when this process lets go of it, also by dying, and that tells the worker to stop.
        theirs, self._ours = self._context.Pipe(duplex=False)
        self._process: SpawnProcess = self._context.Process(target=_run, args=(self._settings, theirs), name="worker", daemon=True)
        self._process.start()
        theirs.close()

    def watch(self) -> None:
        """Begin another worker when this one has died. What it had at hand is due again, or still is: every job is a transaction."""
        if self._process.is_alive() or time.monotonic() - self._begun < PAUSE:
            return
        log.error("the worker has died (exit code %s); another one begins", self._process.exitcode)
        self._ours.close()
        self._begin()

    def end(self, seconds: float) -> None:
        """Tell the worker to stop after what it has at hand; one that still runs after these seconds is ended."""
        self._ours.close()
        self._process.join(seconds)
        if self._process.is_alive():
            self._process.terminate()
            self._process.join(1)


def _run(settings: Settings, held: Connection) -> None:
    """The worker's process."""
    logging.basicConfig(level=logging.INFO, format=LOG_FORMAT)
    stop = threading.Event()
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl+C reaches both; the pages' process decides when to go
    signal.signal(signal.SIGTERM, lambda _number, _frame: stop.set())
    threading.Thread(target=_until_let_go, args=(held, stop), name="held", daemon=True).start()
    engine = Engine(settings)
    settle_in()
    run_forever(engine, stop, worker_name())
    engine.close()
    logging.shutdown()
    os._exit(0)  # a thread may still wait for a mail server; its lease brings the mail back


def _until_let_go(held: Connection, stop: threading.Event) -> None:
    with suppress(EOFError, OSError):
        held.recv()
    stop.set()
