"""Proves a procedure in a process of its own, which may neither hang, fail nor grow at the expense of who asks; what is proven is remembered.

A remembered proof counts for exactly equal input only: the bundle, the office's folder, the rules in force and this engine's own source. It is a
small file that may be deleted at any time. What could not be finished is not remembered: another day or another machine may finish it.
"""

from __future__ import annotations

import hashlib
import importlib.metadata
import json
import logging
import math
import os
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from datetime import date, timedelta
from pathlib import Path
from typing import IO, Any, Protocol

from engine import organisation as offices
from engine import parsing
from engine.checker import BUDGET, Report, check
from engine.errors import DefinitionRefused, Finding
from engine.office_files import Dated
from engine.organisation import Organisation

try:
    import fcntl
    import resource
except ImportError:  # where the system has neither, the time alone bounds a proof, and equal proofs may run side by side
    _POSIX = False
else:
    _POSIX = True

log = logging.getLogger(__name__)

SOURCE = Path(__file__).resolve().parents[1]
#: Address space of the process.
MEMORY = 2 * 1024**3
#: What starting, reading the files and telling the result may take beyond the budget.
GRACE = 5.0
#: A proof counts the processor's seconds, so that a busy machine proves no less; by the clock it is ended after so many times the budget.
PATIENCE = 3
#: Seconds after which somebody who can stop a proof is asked whether to go on.
TICK = 0.25
#: More than this no report needs.
MOST_BYTES = 16 * 1024**2
FORMAT = 1
PROGRAM = "import sys; sys.path.insert(0, sys.argv[1]); from engine.checker.proving import child; child()"
_OUT_OF_MEMORY = b'{"failed": "memory"}'
_LATE = "決められた時間のうちに、すべての場合を調べ終えられませんでした。図を分けるか、分かれ道で読む項目を減らしてください。"
_LARGE = "使えるメモリーのうちに、すべての場合を調べ終えられませんでした。図を分けるか、分かれ道で読む項目を減らしてください。"
_BROKEN = "検査が途中で止まり、すべての場合を調べられませんでした。もう一度行い、繰り返すならログの記録を管理者に見せてください。"
_MOVED = "検査のあいだに機関のフォルダーが変わりました。もう一度行ってください。"


class Prove(Protocol):
    """Something that proves a procedure which the static checks have let through."""

    def __call__(
        self,
        process_id: str,
        files: Mapping[str, bytes],
        organisation: Organisation | None = None,
        *,
        on: date | None = None,
        budget: float = BUDGET,
    ) -> Report:
        """What is wrong with it; never raises because of what the diagram says."""
        ...


def unproven(
    process_id: str,
    files: Mapping[str, bytes],
    organisation: Organisation | None = None,
    *,
    on: date | None = None,
    budget: float = BUDGET,
) -> Report:
    """Proves nothing, and finds nothing: only for a database that is thrown away afterwards."""
    return Report((), 0, 0, 0.0, True)


class Stopped(Exception):
    """Whoever wanted the proof does not any more."""


class Prover:
    """Proves each different procedure once.

    Args:
        proofs: the folder where proofs are remembered; None remembers nothing.
        memory: bytes of address space.
        grace: seconds beyond the budget after which the process is ended from outside.
        program: what the process runs.
    """

    def __init__(self, proofs: Path | None, *, memory: int = MEMORY, grace: float = GRACE, program: str = PROGRAM) -> None:
        self.proofs, self.memory, self.grace, self.program = proofs, memory, grace, program

    def __call__(
        self,
        process_id: str,
        files: Mapping[str, bytes],
        organisation: Organisation | None = None,
        *,
        on: date | None = None,
        budget: float = BUDGET,
        stop: Callable[[], bool] | None = None,
    ) -> Report:
        """See `Prove`. Uses no more than the budget and a few seconds of the processor; on a busy machine that takes up to `PATIENCE` times as long.

        Args:
            stop: asked again and again whether to give up.

        Raises:
            Stopped: it said so.
        """
        asked = {
            "process": process_id,
            "files": {name: data.decode("utf-8") for name, data in sorted(files.items())},
            "folder": str(organisation.folder.resolve()) if organisation is not None else None,
            "office": organisation.digest if organisation is not None else None,
            "amendments": organisation.amendments if organisation is not None else "",
            "on": on.isoformat() if on is not None else None,
            "budget": budget,
            "memory": self.memory,
            "alarm": math.ceil(budget * PATIENCE + self.grace) + 1,
        }
        key = digest_of(process_id, files, organisation, on)
        began = time.monotonic()
        patience = budget * PATIENCE
        with _kept(self.proofs, key, began + patience + self.grace) as file:
            if file is not None and (known := _read(file, key)) is not None:
                return known
            left = patience - (time.monotonic() - began)
            if left <= 0:  # somebody else spent the whole budget on the same procedure, and did not finish
                return _not_proven(_LATE, process_id, files, budget)
            report = self._run(asked | {"budget": min(budget, left)}, process_id, files, stop)
            if file is not None and report.finished:
                _write(file, key, report)
        return report

    def _run(self, asked: Mapping[str, Any], process_id: str, files: Mapping[str, bytes], stop: Callable[[], bool] | None = None) -> Report:
        """One process, spoken to by files: however it ends, nothing waits for it."""
        budget = float(asked["budget"])
        began = time.monotonic()
        with tempfile.TemporaryFile() as given, tempfile.TemporaryFile() as told, tempfile.TemporaryFile() as said:
            given.write(json.dumps(asked).encode())
            given.seek(0)
            try:
                process = subprocess.Popen(
                    [sys.executable, "-P", "-c", self.program, str(SOURCE.parent)],
                    stdin=given,
                    stdout=told,
                    stderr=said,
                    env={**os.environ, "PYTHONHASHSEED": "0"},  # equal input, equal runs
                )
            except OSError:
                log.exception("no process to prove %s in", process_id)
                return _not_proven(_BROKEN, process_id, files, 0.0)
            why = ""
            try:
                code = _ended(process, budget * PATIENCE + self.grace, stop)
            except subprocess.TimeoutExpired:
                why = _LATE
            finally:  # also when the person who asked interrupts
                process.kill()
                process.wait()
            took = time.monotonic() - began
            if why:
                log.warning("proving %s was ended after %.1f s", process_id, took)
                return _not_proven(why, process_id, files, took)
            told.seek(0)
            result = told.read(MOST_BYTES + 1)
            said.seek(0, os.SEEK_END)
            said.seek(max(0, said.tell() - 4_000))
            tail = said.read().decode("utf-8", "replace").strip()
        if code == -getattr(signal, "SIGALRM", 0) or code == -getattr(signal, "SIGXCPU", 0):
            return _not_proven(_LATE, process_id, files, took)
        report = as_report(result) if code == 0 and len(result) <= MOST_BYTES else None
        if report is not None:
            return report
        failed = {b'{"failed": "moved"}': _MOVED, _OUT_OF_MEMORY: _LARGE}.get(result)
        log.error("proving %s failed: status %s: %s", process_id, code, tail or repr(result[:200]))
        return _not_proven(failed or _BROKEN, process_id, files, took)


def _ended(process: subprocess.Popen[bytes], seconds: float, stop: Callable[[], bool] | None) -> int:
    """The exit status; raises TimeoutExpired, or Stopped when asked to."""
    if stop is None:
        return process.wait(seconds)
    until = time.monotonic() + seconds
    while True:
        try:
            return process.wait(min(TICK, max(0.0, until - time.monotonic())))
        except subprocess.TimeoutExpired:
            if stop():
                raise Stopped from None
            if time.monotonic() >= until:
                raise


def _not_proven(message: str, process_id: str, files: Mapping[str, bytes], seconds: float) -> Report:
    home = next((name for name, data in files.items() if name.endswith(".bpmn") and _holds(data, process_id)), "")
    return Report((Finding("not_proven", message, process_id, home),), 0, 0, seconds, False)


def _holds(data: bytes, process_id: str) -> bool:
    try:
        return process_id in dict(parsing.process_ids(data))
    except DefinitionRefused:
        return False


# ---------------------------------------------------------------- what is remembered


def digest_of(process_id: str, files: Mapping[str, bytes], organisation: Organisation | None, on: date | None) -> str:
    """One figure for everything that a proof depends on."""
    told = [
        FORMAT,
        process_id,
        sorted((name, hashlib.sha256(data).hexdigest()) for name, data in files.items()),
        [organisation.id, organisation.digest] if organisation is not None else None,
        _since(organisation, on),
        _source(),
        [*sys.version_info[:3]],
        importlib.metadata.version("SpiffWorkflow"),
    ]
    return hashlib.sha256(json.dumps(told).encode()).hexdigest()


def _since(organisation: Organisation | None, on: date | None) -> str | None:
    """The last day until `on` on which a rule or a unit began or ended: between two such days every day gives the same proof."""
    if organisation is None or on is None:
        return None
    rows: list[Dated] = [*organisation.rules.duties, *organisation.rules.properties]
    days = {*organisation.changes(), *(row.valid_from for row in rows)}
    days |= {row.valid_to + timedelta(days=1) for row in rows if row.valid_to is not None}
    return max((day for day in days if day <= on), default=date.min).isoformat()


def _source() -> str:
    """The engine's own source as it lies there now, which is what a new process runs."""
    total = hashlib.sha256()
    for path in sorted(SOURCE.rglob("*.py")):
        data = path.read_bytes()
        total.update(f"{path.relative_to(SOURCE).as_posix()}\0{len(data)}\0".encode())
        total.update(data)
    return total.hexdigest()


@contextmanager
def _kept(folder: Path | None, key: str, until: float) -> Iterator[IO[bytes] | None]:
    """The file of a proof, held so that the same is not proven twice at once; None where nothing can be kept."""
    file: IO[bytes] | None = None
    try:
        if folder is not None:
            folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            file = (folder / f"{key}.json").open("a+b")
            while not _held(file):
                if time.monotonic() > until:
                    break
                time.sleep(0.05)
    except OSError as error:
        log.warning("proofs cannot be remembered in %s: %s", folder, error)
        if file is not None:
            file.close()
            file = None
    try:
        yield file
    finally:
        if file is not None:
            file.close()


def _held(file: IO[bytes]) -> bool:
    if not _POSIX:
        return True
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def _read(file: IO[bytes], key: str) -> Report | None:
    """The proof in a file, if it is one, and of this input."""
    try:
        file.seek(0)
        data = file.read(MOST_BYTES)
        found = json.loads(data) if data else None
    except (OSError, ValueError, RecursionError):
        return None
    if not isinstance(found, dict) or found.get("key") != key:
        return None
    report = as_report(json.dumps(found.get("report")).encode())
    return report if report is not None and report.finished else None


def _write(file: IO[bytes], key: str, report: Report) -> None:
    try:
        file.truncate(0)
        file.write(json.dumps({"key": key, "report": as_plain(report)}, ensure_ascii=False).encode())
        file.flush()
    except OSError as error:
        log.warning("a proof could not be remembered: %s", error)


# ---------------------------------------------------------------- between the two processes


def as_plain(report: Report) -> dict[str, Any]:
    findings = [
        [finding.rule, finding.message, finding.element, finding.file, finding.severity, finding.run] for finding in report.findings
    ]
    return {
        "findings": findings,
        "states": report.states,
        "transitions": report.transitions,
        "seconds": report.seconds,
        "finished": report.finished,
    }


def as_report(data: bytes) -> Report | None:
    """A report as the other process tells it; None for anything else."""
    try:
        told = json.loads(data)
        findings = [_finding(*item) for item in told["findings"]]
        whole = (told["states"], told["transitions"])
        if not all(type(number) is int and number >= 0 for number in whole) or type(told["finished"]) is not bool:
            return None
        return Report(tuple(findings), *whole, float(told["seconds"]), told["finished"])
    except (ValueError, TypeError, LookupError, RecursionError):
        return None


def _finding(*texts: Any) -> Finding:
    if len(texts) != 6 or not all(isinstance(text, str) for text in texts):
        raise ValueError(texts)
    return Finding(*texts)


def child() -> None:
    """The other process: reads what is asked, explores, tells the result, and ends."""
    asked = json.load(sys.stdin)
    out = os.dup(1)
    os.dup2(2, 1)  # what anything prints is no result
    _bound(int(asked["memory"]), int(asked["alarm"]))
    try:
        result = _explored(asked)
    except MemoryError:
        result = _OUT_OF_MEMORY
    _tell(out, result)


def _bound(memory: int, seconds: int) -> None:
    """Limits that hold even when nobody is left to watch."""
    if _POSIX:
        signal.alarm(seconds)
        resource.setrlimit(resource.RLIMIT_CPU, (seconds, seconds))
        resource.setrlimit(resource.RLIMIT_FSIZE, (MOST_BYTES, MOST_BYTES))
        resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
        resource.setrlimit(resource.RLIMIT_AS, (memory, memory))


def _explored(asked: Mapping[str, Any]) -> bytes:
    office = None
    if asked["folder"] is not None:
        office = offices.load(Path(asked["folder"]))
        if asked["amendments"]:
            from engine.offices import with_amendments

            office = with_amendments(office, asked["amendments"])
        if office.digest != asked["office"]:
            return b'{"failed": "moved"}'
    files = {name: text.encode("utf-8") for name, text in asked["files"].items()}
    net = parsing.parse_bundle(files, asked["process"], admitted=True)
    decisions = parsing.parse_tables(files, admitted=True)
    on = date.fromisoformat(asked["on"]) if asked["on"] else None
    return json.dumps(as_plain(check(net, decisions, office, on=on, budget=asked["budget"]))).encode()


def _tell(out: int, data: bytes) -> None:
    while data:
        data = data[os.write(out, data) :]


__all__ = ["GRACE", "Prove", "Prover", "Stopped", "as_plain", "as_report", "child", "digest_of", "unproven"]
