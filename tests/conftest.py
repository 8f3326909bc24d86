"""Services the tests use for real: a PostgreSQL cluster, an SMTP server, a browser.

A service that is missing here makes its tests skip with a reason; with TADACHI_REQUIRE_ALL=1 (continuous integration) it makes them
fail, and any other skip fails the run too. Under pytest-xdist every worker has services of its own.
"""

from __future__ import annotations

import asyncio
import os
import pwd
import shutil
import socket
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from email import message_from_bytes, policy
from email.message import EmailMessage
from pathlib import Path
from typing import TYPE_CHECKING, Any, NoReturn

import pytest

if TYPE_CHECKING:
    from playwright.sync_api import Browser, BrowserContext, Page

REQUIRE_ALL = os.environ.get("TADACHI_REQUIRE_ALL") == "1"
NOT_AVAILABLE = "service not available: "


def missing(service: str, why: str) -> NoReturn:
    """Skip the test because a service is missing, or fail it where nothing may be skipped."""
    if REQUIRE_ALL:
        pytest.fail(f"{NOT_AVAILABLE}{service}: {why}", pytrace=False)
    pytest.skip(f"{NOT_AVAILABLE}{service}: {why}")


def free_port() -> int:
    """A port nobody listens on at this moment."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


# ---------------------------------------------------------------- what is proven


@pytest.hookimpl(trylast=True)
def pytest_configure(config: pytest.Config) -> None:
    """What a run needs from its start. Proofs of diagrams are remembered beside pytest's own memory: each office is proven once, whatever workers and processes there are."""
    from tests.once import spare_the_same_work

    spare_the_same_work()
    cache = getattr(config, "cache", None)
    if cache is not None:
        os.environ.setdefault("TADACHI_PROOFS", str(cache.mkdir("proofs")))


# ---------------------------------------------------------------- what pytest is told

SERVICE_MARKERS = {"postgresql_url": "postgresql", "fresh_postgresql": "postgresql", "smtp_server": "smtp", "chromium": "browser"}


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark tests by the services they use, so that `-m "not browser"` leaves out all of them and only them."""
    for item in items:
        for fixture, marker in SERVICE_MARKERS.items():
            if fixture in getattr(item, "fixturenames", ()):
                item.add_marker(marker)


def _skips(config: pytest.Config) -> list[str]:
    reporter = config.pluginmanager.get_plugin("terminalreporter")
    reports = reporter.stats.get("skipped", []) if reporter else []
    return [report.longrepr[2] if isinstance(report.longrepr, tuple) else str(report.longrepr) for report in reports]


@pytest.hookimpl(trylast=True)
def pytest_sessionfinish(session: pytest.Session) -> None:
    """Where nothing may be skipped, a skip makes the run fail."""
    if REQUIRE_ALL and _skips(session.config) and session.exitstatus == pytest.ExitCode.OK:
        session.exitstatus = pytest.ExitCode.TESTS_FAILED


def pytest_terminal_summary(terminalreporter: Any, config: pytest.Config) -> None:
    """Say at the end which services were missing and what that left out."""
    skips = _skips(config)
    services = sorted({skip.split(NOT_AVAILABLE, 1)[1] for skip in skips if NOT_AVAILABLE in skip})
    if services:
        terminalreporter.section("services not available")
        for service in services:
            count = sum(skip.endswith(NOT_AVAILABLE + service) for skip in skips)
            terminalreporter.write_line(f"{service} ({count} tests did not run)")
    if REQUIRE_ALL and skips:
        terminalreporter.section("nothing may be skipped here (TADACHI_REQUIRE_ALL=1)")
        for skip in skips:
            terminalreporter.write_line(skip)


# ---------------------------------------------------------------- PostgreSQL

# The server lives as long as this shell, and the shell as long as the pipe to pytest: however pytest ends, nothing stays behind.
KEEPER = """
"$1/postgres" -D "$2/data" -p "$3" -k "$2" -c listen_addresses=127.0.0.1 -c fsync="$4" -c max_connections=200 >"$2/log" 2>&1 &
server=$!
read -r _
kill -INT $server
wait $server
rm -rf "$2"
"""


def _postgresql_programs() -> Path | None:
    """The folder of initdb and postgres, of the newest version installed."""
    folders = [path.parent for path in Path("/usr/lib/postgresql").glob("*/bin/initdb")]
    if folders:
        return max(folders, key=lambda folder: int(folder.parent.name))
    found = shutil.which("initdb")
    return Path(found).resolve().parent if found else None


def _postgresql_account() -> dict[str, Any]:
    """PostgreSQL refuses to run as root: then it runs as `postgres`, whom the package made."""
    if os.geteuid() != 0:
        return {}
    try:
        account = pwd.getpwnam("postgres")
    except KeyError:
        missing("postgresql", "running as root, and there is no account `postgres`")
    return {"user": account.pw_uid, "group": account.pw_gid, "extra_groups": []}


@contextmanager
def postgresql_cluster(fsync: str = "off") -> Iterator[str]:
    """Start a PostgreSQL cluster of our own and yield its address (SQLAlchemy form); skips when that is not possible here.

    Args:
        fsync: tests can lose a cluster and leave it off; a bench measures with "on".
    """
    import psycopg

    programs = _postgresql_programs()
    if programs is None:
        missing("postgresql", "initdb was not found (Debian: apt-get install postgresql)")
    account = _postgresql_account()
    folder = Path(tempfile.mkdtemp(prefix="tadachi-pg-", dir="/tmp"))  # a short path: it holds a unix socket
    if account:
        os.chown(folder, account["user"], account["group"])
    initdb = [programs / "initdb", "-D", folder / "data", "-U", "postgres", "--auth=trust", "--encoding=UTF8", "--locale=C", "--no-sync"]
    made = subprocess.run(initdb, cwd="/", capture_output=True, text=True, check=False, **account)
    if made.returncode:
        shutil.rmtree(folder, ignore_errors=True)
        missing("postgresql", f"initdb failed: {made.stderr.strip()}")
    port = free_port()
    command = ["sh", "-c", KEEPER, "keeper", programs, folder, str(port), fsync]
    keeper = subprocess.Popen(command, cwd="/", stdin=subprocess.PIPE, **account)
    try:
        until = time.monotonic() + 30
        while True:
            try:
                psycopg.connect(host="127.0.0.1", port=port, user="postgres", dbname="postgres", connect_timeout=2).close()
                break
            except psycopg.OperationalError as refusal:
                if time.monotonic() > until:
                    log = folder / "log"
                    missing("postgresql", f"the server did not start: {refusal} {log.read_text() if log.exists() else ''}")
                time.sleep(0.02)
        yield f"postgresql+psycopg://postgres@127.0.0.1:{port}/postgres"
    finally:
        assert keeper.stdin is not None
        keeper.stdin.close()
        keeper.wait(30)


@pytest.fixture(scope="session")
def postgresql_url() -> Iterator[str]:
    """The address of a PostgreSQL cluster of the tests' own. Tests want `fresh_postgresql`, a database in it."""
    with postgresql_cluster() as url:
        yield url


@pytest.fixture
def fresh_postgresql(postgresql_url: str) -> Iterator[str]:
    """The address of a new, empty PostgreSQL database, dropped after the test whoever is still connected."""
    import psycopg

    name = f"test_{os.urandom(6).hex()}"
    server = postgresql_url.replace("+psycopg", "")
    with psycopg.connect(server, autocommit=True) as connection:
        connection.execute(f"CREATE DATABASE {name} TEMPLATE template0")  # type: ignore[call-overload]
    yield postgresql_url.rsplit("/", 1)[0] + "/" + name
    with psycopg.connect(server, autocommit=True) as connection:
        connection.execute(f"DROP DATABASE {name} WITH (FORCE)")  # type: ignore[call-overload]


# ---------------------------------------------------------------- SMTP


@dataclass
class Delivered:
    """One mail the server accepted."""

    sender: str
    recipients: list[str]
    message: EmailMessage


@dataclass
class SmtpServer:
    """A real SMTP server that can misbehave.

    `messages` holds what was accepted. `down()` closes the port (connections are refused), `up()` opens the same port again,
    `refuse()` answers a code to every recipient or to those named, `hang()` never answers, `answer()` goes back to normal.
    """

    host: str = "127.0.0.1"
    port: int = field(default_factory=free_port)
    messages: list[Delivered] = field(default_factory=list)
    _controller: Any = None
    _refusal: tuple[str, frozenset[str]] | None = None
    _hang: str | None = None
    _stuck: int = 0

    def up(self) -> None:
        """Listen on the port."""
        from aiosmtpd.controller import Controller

        if self._controller is None:
            self._controller = Controller(self, hostname=self.host, port=self.port, ready_timeout=10)
            self._controller.start()

    def down(self) -> None:
        """Stop listening and cut what is open."""
        if self._controller is not None:
            self._controller.stop()
            self._controller = None

    def refuse(self, answer: str = "550 5.1.1 no such mailbox", *recipients: str) -> None:
        """Answer this to every recipient, or to those named. A 4xx answer asks the sender to come again."""
        self._refusal = (answer, frozenset(recipients))

    def hang(self, at: str = "DATA") -> None:
        """Never answer at "EHLO", "RCPT" or "DATA" (the mail has been sent, but the sender is never told)."""
        assert at in {"EHLO", "RCPT", "DATA"}
        self._hang = at

    def answer(self) -> None:
        """Behave again."""
        self._refusal = self._hang = None

    def wait_for(self, count: int, seconds: float = 10) -> list[Delivered]:
        """The messages, once there are that many."""
        until = time.monotonic() + seconds
        while len(self.messages) < count:
            assert time.monotonic() < until, f"{len(self.messages)} of {count} messages came within {seconds} seconds"
            time.sleep(0.01)
        return self.messages

    async def _maybe_hang(self, at: str) -> None:
        if self._hang == at:
            await asyncio.Event().wait()

    async def handle_EHLO(self, server: Any, session: Any, envelope: Any, hostname: str, responses: list[str]) -> list[str]:
        await self._maybe_hang("EHLO")
        session.host_name = hostname
        return responses

    async def handle_RCPT(self, server: Any, session: Any, envelope: Any, address: str, options: list[str]) -> str:
        await self._maybe_hang("RCPT")
        if self._refusal and (not self._refusal[1] or address in self._refusal[1]):
            return self._refusal[0]
        envelope.rcpt_tos.append(address)
        return "250 OK"

    async def handle_DATA(self, server: Any, session: Any, envelope: Any) -> str:
        message = message_from_bytes(envelope.content, policy=policy.default)
        assert isinstance(message, EmailMessage)
        self.messages.append(Delivered(envelope.mail_from, list(envelope.rcpt_tos), message))
        await self._maybe_hang("DATA")
        return "250 accepted"


@pytest.fixture
def smtp_server() -> Iterator[SmtpServer]:
    """A real SMTP server on loopback, listening; see `SmtpServer`."""
    try:
        import aiosmtpd  # noqa: F401  # only to know whether it is there
    except ImportError:
        missing("smtp", "aiosmtpd is not installed (make setup)")
    server = SmtpServer()
    server.up()
    yield server
    server.down()


# ---------------------------------------------------------------- browser

CHROMIUM_FLAGS = [
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]


@pytest.fixture(scope="session")
def chromium() -> Iterator[Browser]:
    """A real Chromium, driven by Playwright. Tests want `page_at`."""
    names = ("chromium-headless-shell", "chromium", "chromium-browser")  # the first draws no windows, which takes a third of the time
    program = next((found for name in names if (found := shutil.which(name))), None)
    if program is None:
        missing("chromium", "not found (Debian: apt-get install chromium)")
    try:
        from playwright.sync_api import sync_playwright
    except ImportError:
        missing("chromium", "playwright is not installed (make setup)")
    flags = CHROMIUM_FLAGS + (["--no-sandbox"] if os.geteuid() == 0 else [])
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=program, headless=True, args=flags)
        yield browser
        browser.close()


@dataclass
class Pages:
    """Opens pages: `page = page_at(390)`; problems the browser reports on any of them fail the test at its end."""

    browser: Browser
    problems: list[str] = field(default_factory=list)
    contexts: list[BrowserContext] = field(default_factory=list)

    def __call__(self, width: int = 1280, url: str | None = None, **options: Any) -> Page:
        """A page of a fresh browser profile, 1280 (desk) or 390 (telephone) wide; options are those of Playwright's new_context."""
        size = {"width": width, "height": 844 if width < 600 else 800}
        settings: dict[str, Any] = {"viewport": size, "locale": "ja-JP", "timezone_id": "Asia/Tokyo", "reduced_motion": "reduce", **options}
        context = self.browser.new_context(**settings)
        context.set_default_timeout(10_000)
        self.contexts.append(context)
        page = context.new_page()
        page.on("pageerror", lambda error: self.problems.append(f"script error: {error}"))
        page.on("console", self._listen)
        if url is not None:
            page.goto(url)
        return page

    def _listen(self, message: Any) -> None:
        # Answers such as 409 or 422 are logged as errors though the page handles them: tests look at those themselves.
        if message.type == "error" and "Failed to load resource" not in message.text:
            self.problems.append(f"console: {message.text}")


@pytest.fixture
def page_at(chromium: Browser) -> Iterator[Callable[..., Page]]:
    """Opens pages 1280 or 390 px wide. Script errors and violations of the content security policy fail the test."""
    pages = Pages(chromium)
    yield pages
    for context in pages.contexts:
        context.close()
    assert not pages.problems, pages.problems
