"""Machines of a test's own: network namespaces joined to one that holds a PostgreSQL server, and a browser of sorts inside each."""

from __future__ import annotations

import ctypes
import http.client
import os
import re
import shutil
import subprocess
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeVar
from urllib.parse import urlencode

from tests.conftest import _postgresql_account, _postgresql_programs, missing

Answer = TypeVar("Answer")
CLONE_NEWNET = 0x40000000


def run(*command: str) -> None:
    """Run a command; its words on failure."""
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        raise OSError(f"{' '.join(command)}: {done.stderr.strip()}")


@contextmanager
def namespace(name: str) -> Iterator[str]:
    """A network namespace with its loopback up; skips where the machine does not allow one."""
    if os.geteuid() != 0 or shutil.which("ip") is None:
        missing("network namespaces", "needs root and the command `ip` (Debian: apt-get install iproute2)")
    try:
        run("ip", "netns", "add", name)
    except OSError as refusal:
        missing("network namespaces", str(refusal))
    try:
        run("ip", "-n", name, "link", "set", "lo", "up")
        yield name
    finally:
        for pid in subprocess.run(["ip", "netns", "pids", name], capture_output=True, text=True, check=False).stdout.split():
            os.kill(int(pid), 9)  # nothing of the test's own outlives its namespace
        run("ip", "netns", "del", name)


def join(one: str, one_address: str, other: str, other_address: str) -> None:
    """A cable between two namespaces; skips where the machine does not allow one."""
    end = os.urandom(3).hex()
    try:
        run("ip", "link", "add", f"ta{end}", "netns", one, "type", "veth", "peer", "name", f"tb{end}", "netns", other)
        for name, device, address in ((one, f"ta{end}", one_address), (other, f"tb{end}", other_address)):
            run("ip", "-n", name, "addr", "add", f"{address}/30", "dev", device)
            run("ip", "-n", name, "link", "set", device, "up")
    except OSError as refusal:
        missing("network namespaces", str(refusal))


def inside(name: str, do: Callable[[], Answer]) -> Answer:
    """Do something in a namespace, in a thread of its own: a thread belongs to one, a process to several."""
    result: list[Any] = []

    def enter() -> None:
        try:
            with open(f"/run/netns/{name}") as handle:
                if ctypes.CDLL(None, use_errno=True).setns(handle.fileno(), CLONE_NEWNET) != 0:
                    raise OSError(ctypes.get_errno(), "setns")
            result.append(do())
        except BaseException as error:
            result.append(error)

    thread = threading.Thread(target=enter)
    thread.start()
    thread.join(60)
    assert result, "it hangs"
    if isinstance(result[0], BaseException):
        raise result[0]
    found: Answer = result[0]
    return found


@contextmanager
def database_server(name: str, addresses: list[str], port: int) -> Iterator[Path]:
    """A PostgreSQL server in a namespace, which listens on addresses there; yields the folder of its socket, which has no namespace."""
    programs = _postgresql_programs()
    if programs is None:
        missing("postgresql", "initdb was not found (Debian: apt-get install postgresql)")
    account = _postgresql_account()
    folder = Path(tempfile.mkdtemp(prefix="tadachi-ns-", dir="/tmp"))
    try:
        os.chown(folder, account["user"], account["group"])
        folder.chmod(0o755)
        made = [
            str(programs / "initdb"),
            "-D",
            str(folder / "data"),
            "-U",
            "postgres",
            "--auth=trust",
            "--encoding=UTF8",
            "--locale=C",
            "--no-sync",
        ]
        subprocess.run(made, cwd="/", capture_output=True, check=True, **account)
        with open(folder / "data" / "pg_hba.conf", "a") as rules:
            rules.write("host all all 10.231.0.0/16 trust\n")
        server = subprocess.Popen(
            ["ip", "netns", "exec", name, "setpriv", f"--reuid={account['user']}", f"--regid={account['group']}", "--clear-groups",
             str(programs / "postgres"), "-D", str(folder / "data"), "-p", str(port), "-k", str(folder), "-c", f"listen_addresses={','.join(addresses)}",
             "-c", "fsync=off"],
            cwd="/", stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
        )  # fmt: skip
        try:
            import psycopg

            until = time.monotonic() + 30
            while True:
                try:
                    psycopg.connect(host=str(folder), port=port, user="postgres", dbname="postgres").close()
                    break
                except psycopg.OperationalError:
                    assert time.monotonic() < until and server.poll() is None, "the server did not start"
                    time.sleep(0.05)
            yield folder
        finally:
            server.send_signal(2)
            server.wait(20)
    finally:
        shutil.rmtree(folder, ignore_errors=True)


@dataclass
class Visitor:
    """Somebody at a desk in a namespace: signs in and posts forms, as a browser without script does."""

    machine: str
    host: str
    port: int
    cookies: dict[str, str] = field(default_factory=dict)

    def _ask(self, method: str, path: str, data: dict[str, str] | None = None) -> tuple[int, str, str]:
        def ask() -> tuple[int, str, str]:
            connection = http.client.HTTPConnection(self.host, self.port, timeout=30)
            headers = {"Cookie": "; ".join(f"{name}={value}" for name, value in self.cookies.items())}
            if data is not None:
                headers |= {"Content-Type": "application/x-www-form-urlencoded", "Sec-Fetch-Site": "same-origin"}
            connection.request(method, path, urlencode(data) if data is not None else None, headers)
            answer = connection.getresponse()
            for cookie in answer.headers.get_all("Set-Cookie") or []:
                name, _, value = cookie.partition(";")[0].partition("=")
                self.cookies[name] = value
            text = answer.read().decode()
            connection.close()
            return answer.status, answer.headers.get("Location") or "", text

        return inside(self.machine, ask)

    def get(self, path: str) -> tuple[int, str]:
        """Status and page."""
        status, _, text = self._ask("GET", path)
        return status, text

    def post(self, path: str, data: dict[str, str], page: str) -> tuple[int, str]:
        """Status and where it leads; the token of the form is taken from the page it stands on."""
        found = re.search(r'name="csrf_token" value="([^"]+)"', self.get(page)[1])
        assert found is not None, page
        status, location, _ = self._ask("POST", path, {"csrf_token": found[1], **data})
        return status, location

    def sign_in(self, person: str, password: str) -> None:
        """Sign in, as somebody else than before perhaps."""
        self.cookies.clear()
        status, _ = self.post("/login", {"person": person, "password": password}, "/login")
        assert status == 303, person


@contextmanager
def two_machines(port: int) -> Iterator[tuple[list[tuple[str, str]], Path]]:
    """Two machines and a third with the database; yields (namespace, address of the database seen from there) of the two, and its socket's folder."""
    tag = os.urandom(3).hex()
    with ExitStack() as stack:
        names = [stack.enter_context(namespace(f"tadachi-{what}-{tag}")) for what in ("db", "a", "b")]
        machines = []
        for number, name in enumerate(names[1:], 1):
            join(names[0], f"10.231.{number}.1", name, f"10.231.{number}.2")
            machines.append((name, f"10.231.{number}.1"))
        yield machines, stack.enter_context(database_server(names[0], [address for _, address in machines], port))
