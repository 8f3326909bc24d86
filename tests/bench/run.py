"""Runs the benches one after the other, each on every database there is."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence

from tests.bench.checks import checks
from tests.bench.due import due
from tests.bench.figures import Figure, Sizes
from tests.bench.lists import lists
from tests.bench.office import fresh_database, targets
from tests.bench.steps import request, step
from tests.bench.tokens import send_backs, token_game

ON_DATABASES: dict[str, Callable[[str, str | None, Sizes], list[Figure]]] = {"step": step, "http": request, "inbox": lists, "due": due}
ALONE: dict[str, Callable[[Sizes], list[Figure]]] = {"tokens": token_game, "rounds": send_backs, "checks": checks}
BENCHES = ("step", "http", "tokens", "rounds", "checks", "inbox", "due")


def run(names: Sequence[str], sizes: Sizes, say: Callable[[str], None]) -> list[Figure]:
    """All figures of the named benches; a database that cannot be had gives a figure without a value and the reason."""
    figures: list[Figure] = []
    with targets() as databases:
        for name in names:
            since = time.perf_counter()
            if name in ALONE:
                figures += ALONE[name](sizes)
            else:
                for target in databases:
                    if target.missing:
                        figures.append(Figure(name, f"{target.name}: {name}", "", None, note=target.missing))
                        continue
                    with fresh_database(target.server) as database:
                        figures += ON_DATABASES[name](target.name, database, sizes)
            say(f"{name}: {time.perf_counter() - since:.0f} s")
    return figures
