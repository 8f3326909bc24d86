"""Runs the pages (waitress) and the worker, together (each in its process) or apart, and stops both cleanly."""

from __future__ import annotations

import logging
import os
import secrets
import signal
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path
from types import FrameType
from urllib.parse import urlsplit

from flask import Flask
from waitress import create_server

from engine import Engine, TadachiError, run_forever, settle_in
from webui import create_app
from webui.demo import PASSWORD
from webui.metrics import beside_worker
from webui.sign_in import sources
from webui.worker_process import LOG_FORMAT, WorkerProcess, worker_name

THREADS = 16
LAST_SECONDS = 4.0  # for what is going on when the process is told to stop


class CannotListen(TadachiError):
    """The address is taken or not this machine's."""

    message = "http://{host}:{port} で待ち受けられません（{why}）。ほかで使われていれば --port か環境変数 TADACHI_PORT で変えてください。"


def secret(path: Path) -> bytes:
    """The key that signs cookies: made once, readable by the owner only, kept across restarts."""
    path.parent.mkdir(parents=True, exist_ok=True)
    try:
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    except FileExistsError:
        return path.read_bytes()
    with os.fdopen(descriptor, "wb") as file:
        file.write(secrets.token_bytes(32))
    return path.read_bytes()


def _stop_on_signals() -> threading.Event:
    stop = threading.Event()

    def ask(_number: int, _frame: FrameType | None) -> None:
        stop.set()

    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, ask)
    return stop


def trusted_hosts(base_url: str, host: str, *, demo: bool) -> list[str] | None:
    """The host names the pages answer to; None for any, in a demonstration that only this machine reaches.

    Another name in a request means that somebody made a browser believe this address is theirs (DNS rebinding).
    """
    if demo and (host in ("localhost", "::1") or host.startswith("127.")):
        return None
    everywhere = host in ("", "0.0.0.0", "::")  # noqa: S104 - compared, not listened on
    names = [urlsplit(base_url).hostname or "", "" if everywhere else host, "localhost", "127.0.0.1"]
    if ":" in names[0]:
        return None  # werkzeug cannot compare IPv6 addresses; an office names its site
    return [name for name in dict.fromkeys(names) if name and ":" not in name]


def pages(engine: Engine, trusted: list[str] | None) -> Flask:
    """The pages of an installation as its settings say."""
    settings = engine.settings
    return create_app(
        engine,
        secret_key=secret(settings.secret_file),
        https=urlsplit(settings.base_url).scheme == "https",
        demo=settings.demo,
        demo_password=PASSWORD if settings.demo else "",
        trusted_hosts=trusted,
        sign_in=sources(settings),
        metrics_token=settings.metrics_token.reveal(),
    )


def application() -> Flask:
    """The pages for a server that starts them itself: `gunicorn 'webui.serving:application()'`. Each of its processes makes its own."""
    logging.basicConfig(level=logging.INFO, format=LOG_FORMAT)
    engine = Engine.from_environment()
    made = pages(engine, trusted_hosts(engine.settings.base_url, "", demo=False))
    settle_in()
    return made


def run(engine: Engine, host: str, port: int, *, worker: bool, say: Callable[[str], None]) -> None:
    """Serve until a signal; with `worker`, due work runs in a process beside the pages."""
    logging.basicConfig(level=logging.INFO, format=LOG_FORMAT)
    settings = engine.settings
    app = pages(engine, trusted_hosts(settings.base_url, host, demo=settings.demo))
    try:
        # What a proxy adds stays to be seen (/metrics), and is believed by nothing.
        server = create_server(app, host=host, port=port, threads=THREADS, ident="", clear_untrusted_proxy_headers=False)
    except OSError as error:
        raise CannotListen(host=host, port=port, why=error.strerror or str(error)) from None
    settle_in()
    stop = _stop_on_signals()
    web = threading.Thread(target=server.run, name="web", daemon=True)
    web.start()
    beside = WorkerProcess(settings) if worker else None
    say(f"Tadachi：http://{host}:{port} を開いてください（止めるには Ctrl+C）。")
    if settings.demo:
        say(f"デモの利用者はログイン画面から選べます。パスワードはすべて「{PASSWORD}」です。")
    while not stop.wait(1):
        if beside is not None:
            beside.watch()
    server.close()
    if beside is not None:
        beside.end(LAST_SECONDS)
    _leave(engine, [web])


def work(engine: Engine, *, say: Callable[[str], None], metrics: tuple[str, int] | None = None) -> None:
    """Run due work until a signal; with `metrics`, its numbers can be read at that address."""
    logging.basicConfig(level=logging.INFO, format=LOG_FORMAT)
    if metrics is not None:
        host, port = metrics
        try:
            beside_worker(engine, host, port, engine.settings.metrics_token.reveal())
        except OSError as error:
            raise CannotListen(host=host, port=port, why=error.strerror or str(error)) from None
    settle_in()
    stop = _stop_on_signals()
    worker = threading.Thread(target=run_forever, args=(engine, stop, worker_name()), name="worker", daemon=True)
    worker.start()
    say("ワーカーを始めました（止めるには Ctrl+C）。")
    stop.wait()
    _leave(engine, [worker])


def _leave(engine: Engine, threads: list[threading.Thread]) -> None:
    """Wait for what is going on, shortly, and go. What still hangs then is a mail that nobody answers: its lease brings it back."""
    until = time.monotonic() + LAST_SECONDS
    for thread in threads:
        thread.join(max(0.1, until - time.monotonic()))
    engine.close()
    logging.shutdown()
    sys.stdout.flush()
    sys.stderr.flush()
    if any(not thread.daemon for thread in threading.enumerate() if thread is not threading.main_thread()):
        os._exit(0)  # the interpreter would wait for threads that wait for the mail server
