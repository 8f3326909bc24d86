"""Looks at drafts in a process of its own that stays: an answer within two seconds of work, whatever was handed in, and pages never wait behind it.

Parent and child speak in lines of JSON. A child that takes too long is ended from outside and another takes its place at the next asking;
nothing it reads is ever run.
"""

from __future__ import annotations

import json
import logging
import os
import selectors
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Mapping
from pathlib import Path
from typing import IO, Any

from engine.draft_views import Examined, FactKnown
from engine.errors import Finding, OrganisationBroken
from engine.organisation import Organisation

try:
    import resource
except ImportError:  # without limits of the system, the clock alone bounds it
    resource = None  # type: ignore[assignment]

log = logging.getLogger(__name__)

SOURCE = Path(__file__).resolve().parent
#: Seconds of the processor for one look; on a busy machine its clock is given PATIENCE times as long.
SECONDS, PATIENCE = 2.0, 4
#: Starting Python and reading SpiffWorkflow, before anything is asked.
STARTING = 60.0
MEMORY = 1024**3
MOST_BYTES = 8 * 1024**2
PROGRAM = "import sys; sys.path.insert(0, sys.argv[1]); from engine.examiner import child; child()"
_LATE = "2秒のうちに検査を終えられませんでした。図や表を分けてください。"


class Examiner:
    """Examines one draft at a time; who asks meanwhile waits his turn.

    Args:
        seconds: of the processor, for one look.
        program: what the process runs.
    """

    def __init__(self, *, seconds: float = SECONDS, program: str = PROGRAM) -> None:
        self.seconds, self.program = seconds, program
        self._turn = threading.Lock()
        self._process: subprocess.Popen[bytes] | None = None

    def __call__(
        self, process_id: str, files: Mapping[str, str], office: Organisation | None, *, whole: bool = False
    ) -> tuple[Examined, tuple[str, ...]]:
        """What was found, and the processes that are called and not among the files.

        Args:
            whole: there are no more files than these; without it, no findings are told while some are missing.
        """
        asked = {
            "process": process_id,
            "files": dict(files),
            "folder": str(office.folder.resolve()) if office is not None else None,
            "amendments": office.amendments if office is not None else "",
            "digest": office.digest if office is not None else "",
            "seconds": self.seconds,
            "whole": whole,
        }
        line = json.dumps(asked).encode() + b"\n"
        with self._turn:
            began = time.monotonic()
            told = self._ask(line)
            took = time.monotonic() - began
        if told is None:
            file = next((name for name in files if name.endswith(".bpmn")), "")
            return Examined((Finding("xml_size", _LATE, "", file),), (), (), (), seconds=took), ()
        return _examined(told, took), tuple(told["missing"])

    def close(self) -> None:
        """End the process."""
        with self._turn:
            self._end()

    def _ask(self, line: bytes) -> dict[str, Any] | None:
        process = self._running()
        if process is None:
            return None
        out, back = _pipes(process)
        try:
            _write(out, line, self.seconds * PATIENCE)
            answer = _read(back, self.seconds * PATIENCE)
        except OSError:
            answer = None
        try:
            told = json.loads(answer) if answer else None
        except ValueError:
            told = None
        if not isinstance(told, dict) or "findings" not in told:
            self._end()
            return None
        return told

    def _running(self) -> subprocess.Popen[bytes] | None:
        """The process, ready to be asked."""
        if self._process is not None and self._process.poll() is None:
            return self._process
        try:
            self._process = subprocess.Popen(
                [sys.executable, "-P", "-c", self.program, str(SOURCE.parent)],
                stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, bufsize=0,
            )  # fmt: skip
            _, back = _pipes(self._process)
            os.set_blocking(_pipes(self._process)[0].fileno(), False)
            if _read(back, STARTING).strip() == b"ready":
                return self._process
        except OSError:
            log.exception("no process to examine drafts in")
        self._end()
        return None

    def _end(self) -> None:
        process, self._process = self._process, None
        if process is not None:
            process.kill()
            process.wait()
            for pipe in _pipes(process):
                pipe.close()


def _pipes(process: subprocess.Popen[bytes]) -> tuple[IO[bytes], IO[bytes]]:
    assert process.stdin is not None
    assert process.stdout is not None
    return process.stdin, process.stdout


def _write(pipe: IO[bytes], data: bytes, seconds: float) -> None:
    """Hand over a line, never waiting longer than that for a reader."""
    until = time.monotonic() + seconds
    view = memoryview(data)
    with selectors.DefaultSelector() as watch:
        watch.register(pipe, selectors.EVENT_WRITE)
        while view:
            if not watch.select(max(0.0, until - time.monotonic())):
                raise TimeoutError
            view = view[os.write(pipe.fileno(), view[: 1 << 16]) :]


def _read(pipe: IO[bytes], seconds: float) -> bytes:
    """One line; nothing when it does not come in time, or is longer than any answer."""
    until = time.monotonic() + seconds
    parts: list[bytes] = []
    size = 0
    with selectors.DefaultSelector() as watch:
        watch.register(pipe, selectors.EVENT_READ)
        while size <= MOST_BYTES and watch.select(max(0.0, until - time.monotonic())):
            data = os.read(pipe.fileno(), 1 << 16)
            if not data:
                break
            parts.append(data)
            size += len(data)
            if data.endswith(b"\n"):
                return b"".join(parts)
    return b""


def _examined(told: Mapping[str, Any], seconds: float) -> Examined:
    return Examined(
        findings=tuple(Finding(*one) for one in told["findings"]),
        facts=tuple(_fact(*one) for one in told["facts"]),
        processes=tuple((one[0], one[1], one[2]) for one in told["processes"]),
        decisions=tuple((one[0], one[1], one[2], tuple(one[3])) for one in told["decisions"]),
        seconds=seconds,
    )


def _fact(name: str, label: str, type: str, origin: str, place: str, element: str, file: str, choices: list[list[str]]) -> FactKnown:
    return FactKnown(name, label, type, origin, place, element, file, tuple((value, shown) for value, shown in choices))


# ---------------------------------------------------------------- the other process


class _TooLong(BaseException):
    """No `except Exception` on the way may swallow it."""


def child() -> None:
    """The other process: answers a line with a line until nobody asks any more."""
    from engine import organisation as offices
    from engine.examining import examine
    from engine.offices import with_amendments

    out = os.dup(1)
    os.dup2(2, 1)  # what anything prints is no answer
    if resource is not None:
        resource.setrlimit(resource.RLIMIT_AS, (MEMORY, MEMORY))
        resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    known: tuple[str, Organisation | None] = ("", None)

    def ring(*_: object) -> None:
        raise _TooLong

    signal.signal(signal.SIGPROF, ring)
    _tell(out, b"ready\n")
    for line in sys.stdin.buffer:
        asked = json.loads(line)
        try:
            if asked["digest"] != known[0]:
                office = offices.load(Path(asked["folder"])) if asked["folder"] else None
                if office is not None and asked["amendments"]:
                    office = with_amendments(office, asked["amendments"])
                known = (asked["digest"], office)
            signal.setitimer(signal.ITIMER_PROF, asked["seconds"])
            files = {name: text.encode() for name, text in asked["files"].items()}
            told = examine(asked["process"], files, known[1], whole=asked["whole"])
        except OrganisationBroken as broken:  # the folder was changed under the running pages
            findings = [[item.rule, item.message, "", "", item.severity, ""] for item in broken.findings]
            told = {"missing": [], "findings": findings, "facts": [], "processes": [], "decisions": []}
        except (_TooLong, MemoryError, RecursionError):
            told = {"late": True}
        finally:
            signal.setitimer(signal.ITIMER_PROF, 0)
        _tell(out, json.dumps(told).encode() + b"\n")


def _tell(out: int, data: bytes) -> None:
    while data:
        data = data[os.write(out, data) :]


__all__ = ["Examiner", "child"]
