"""Runs the pages (waitress) and the worker, together or apart, and stops both cleanly."""

from __future__ import annotations

import logging
import os
import secrets
import signal
import socket
import threading
from collections.abc import Callable
from pathlib import Path
from types import FrameType
from urllib.parse import urlsplit

from waitress import create_server

from engine import Engine, TadachiError, run_forever
from webui import create_app
from webui.demo import PASSWORD
from webui.sign_in import sources

THREADS = 16


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


def run(engine: Engine, host: str, port: int, *, worker: bool, say: Callable[[str], None]) -> None:
    """Serve until a signal; with `worker`, due work runs in a thread beside the pages."""
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(levelname)s %(name)s %(message)s")
    settings = engine.settings
    app = create_app(
        engine,
        secret_key=secret(settings.secret_file),
        https=urlsplit(settings.base_url).scheme == "https",
        demo=settings.demo,
        demo_password=PASSWORD if settings.demo else "",
        trusted_hosts=trusted_hosts(settings.base_url, host, demo=settings.demo),
        sign_in=sources(settings),
    )
    try:
        server = create_server(app, host=host, port=port, threads=THREADS, ident="")
    except OSError as error:
        raise CannotListen(host=host, port=port, why=error.strerror or str(error)) from None
    stop = _stop_on_signals()
    threads = [threading.Thread(target=server.run, name="web", daemon=True)]
    if worker:
        threads.append(threading.Thread(target=run_forever, args=(engine, stop, f"{socket.gethostname()}-{os.getpid()}"), name="worker"))
    for thread in threads:
        thread.start()
    say(f"Tadachi：http://{host}:{port} を開いてください（止めるには Ctrl+C）。")
    if settings.demo:
        say(f"デモの利用者はログイン画面から選べます。パスワードはすべて「{PASSWORD}」です。")
    stop.wait()
    server.close()
    for thread in threads:
        thread.join(timeout=10)
    engine.close()


def work(engine: Engine, *, say: Callable[[str], None]) -> None:
    """Run due work until a signal."""
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(levelname)s %(name)s %(message)s")
    stop = _stop_on_signals()
    say("ワーカーを始めました（止めるには Ctrl+C）。")
    run_forever(engine, stop, f"{socket.gethostname()}-{os.getpid()}")
    engine.close()
