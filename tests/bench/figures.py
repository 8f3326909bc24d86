"""What a bench yields and how it measures: figures with their peers, samples of wall and CPU time, counts of SQL statements."""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from typing import Any

import sqlalchemy as sa

#: Calls measured together where one is too short to measure.
BATCH = 10


@dataclass(frozen=True)
class Figure:
    """One measured number beside its peer of the same run; a value of None was not measured, and `note` says why."""

    bench: str
    what: str
    unit: str
    value: float | None
    peer: str = ""
    peer_value: float | None = None
    budget: str = ""
    note: str = ""

    @property
    def ratio(self) -> float | None:
        """How many times the peer."""
        return self.value / self.peer_value if self.value is not None and self.peer_value else None

    def as_json(self) -> dict[str, Any]:
        """All of it, with the ratio."""
        return {**asdict(self), "ratio": self.ratio}


@dataclass(frozen=True)
class Sizes:
    """How much each bench does."""

    steps: int = 200
    requests: int = 150
    acts: int = 10_000
    rounds: int = 3_000
    round_samples: int = 50
    tasks: int = 20_000
    people: int = 6_000
    timers: int = 20_000
    pages: int = 100
    branches: int = 17
    timed: int = 10
    budget: float = 180.0
    late: int = 20
    beside: int = 300
    drained: int = 400

    @classmethod
    def large(cls) -> Sizes:
        """The sizes the budgets speak of."""
        return cls(tasks=1_000_000, timers=1_000_000, late=60, beside=1_000, drained=10_000)

    @classmethod
    def tiny(cls) -> Sizes:
        """Just enough to run every line."""
        return cls(
            steps=2,
            requests=2,
            acts=2,
            rounds=8,
            round_samples=2,
            tasks=60,
            people=400,
            timers=20,
            pages=2,
            branches=3,
            timed=2,
            budget=2.0,
            late=2,
            beside=2,
            drained=4,
        )


@dataclass
class Samples:
    """Wall and CPU times of one thing done again and again, in ms."""

    cpu_clock: Callable[[], int] = time.process_time_ns
    wall: list[float] = field(default_factory=list)
    cpu: list[float] = field(default_factory=list)

    @contextmanager
    def one(self) -> Iterator[None]:
        """Measure the block once."""
        cpu, wall = self.cpu_clock(), time.perf_counter_ns()
        yield
        self.wall.append((time.perf_counter_ns() - wall) / 1e6)
        self.cpu.append((self.cpu_clock() - cpu) / 1e6)

    @property
    def p50(self) -> float:
        """Median wall time."""
        return statistics.median(self.wall)

    @property
    def p95(self) -> float:
        """Wall time that 95 in 100 stayed below."""
        return sorted(self.wall)[min(len(self.wall) - 1, int(len(self.wall) * 0.95))]

    @property
    def cpu50(self) -> float:
        """Median CPU time."""
        return statistics.median(self.cpu)


@contextmanager
def statements_of(database: sa.Engine) -> Iterator[list[str]]:
    """The SQL statements sent in the block. BEGIN and COMMIT are left out, as not every driver sends them; one for many rows counts once."""
    sent: list[str] = []

    def keep(_connection: Any, _cursor: Any, statement: str, *_rest: Any) -> None:
        if not statement.startswith("BEGIN"):
            sent.append(statement)

    sa.event.listen(database, "before_cursor_execute", keep)
    try:
        yield sent
    finally:
        sa.event.remove(database, "before_cursor_execute", keep)


def microseconds(*functions: Callable[[], object], times: int) -> list[float]:
    """Median µs of a call of each function, over short batches that take turns: what else the machine does meets all alike, and few batches."""
    batch = min(BATCH, times)
    found: list[list[float]] = [[] for _ in functions]
    for _ in range(max(2, times // batch)):
        for samples, function in zip(found, functions, strict=True):
            since = time.perf_counter_ns()
            for _ in range(batch):
                function()
            samples.append((time.perf_counter_ns() - since) / batch / 1e3)
    return [statistics.median(samples) for samples in found]


def short(value: float | None) -> str:
    """Three digits are enough."""
    if value is None:
        return "not measured"
    return f"{value:,.0f}" if abs(value) >= 100 or value == int(value) else f"{value:.3g}"


def table(figures: Sequence[Figure]) -> str:
    """The figures as plain text."""
    head = ("what", "value", "", "peer in this run", "value", "ratio", "budget (DESIGN §9)")
    rows = [
        (f.what, short(f.value), f.unit if f.value is not None else f.note, f.peer, short(f.peer_value) if f.peer else "",
         f"× {f.ratio:.3g}" if f.ratio is not None else "", f.budget)
        for f in figures
    ]  # fmt: skip
    widths = [max(len(row[column]) for row in [head, *rows]) for column in range(len(head))]
    right = {1, 4, 5}

    def line(row: Sequence[str]) -> str:
        cells = [
            cell.rjust(width) if number in right else cell.ljust(width)
            for number, (cell, width) in enumerate(zip(row, widths, strict=True))
        ]
        return "  ".join(cells).rstrip()

    lines = [line(head), line(["-" * width for width in widths])]
    for number, row in enumerate(rows):
        if number and figures[number].bench != figures[number - 1].bench:
            lines.append("")
        lines.append(line(row))
    return "\n".join(lines)
