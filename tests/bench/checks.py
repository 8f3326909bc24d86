"""What a check costs: branches beside each other reduced and whole, a large walk with timers, every shipped procedure with and without its office."""

from __future__ import annotations

import time
from datetime import date
from pathlib import Path

from engine import load_organisation
from engine.checker import check
from engine.checker.explore import explore
from engine.checker.facts import Facts
from engine.checker.world import World
from engine.definitions import bundles, compile_bundle
from tests.bench.figures import Figure, Sizes
from tests.engine.drawing import boundary, end, flows, net, parallel, start, timer, user

SHIPPED = Path(__file__).resolve().parents[2] / "bpmn"
DAY = date(2026, 11, 21)


def beside(branches: int, *, timers: bool = False):
    """So many user tasks between a fork and a join, each with an interrupting timer if asked for."""
    parts = [start(), parallel("g"), parallel("j"), end(), flows("s > g", "j > e")]
    for number in range(branches):
        parts += [user(f"u{number}"), flows(f"g > u{number} > j")]
        if timers:
            parts += [
                boundary(f"b{number}", f"u{number}", timer("P1D")),
                user(f"v{number}"),
                end(f"x{number}"),
                flows(f"b{number} > v{number} > x{number}"),
            ]
    return net(*parts)


def checks(sizes: Sizes) -> list[Figure]:
    """Times are the best of three, as nothing but the machine's load can make them longer; the office's are taken once."""
    reduced = min(check(beside(sizes.branches), {}).seconds for _ in range(3))
    figures = [Figure("checks", f"{sizes.branches} branches beside each other, decided", "ms", reduced * 1000, budget="≤ 50")]
    large = beside(sizes.timed, timers=True)
    since = time.perf_counter()
    walk = explore(World(large, Facts(large, {}, ())))
    took = time.perf_counter() - since
    what = f"{sizes.timed} branches with timers, every order ({len(walk.states):,} states), transitions per second"
    figures.append(Figure("checks", what, "1/s", walk.transitions / took, budget="≥ 30,000"))
    office = load_organisation(SHIPPED / "isa")
    for process, (_, files) in bundles(SHIPPED / "isa", SHIPPED / "common").items() if sizes.budget >= 30 else ():
        compiled, decisions = compile_bundle(process, files)
        alone = check(compiled, decisions, office, budget=sizes.budget)
        note = "" if alone.finished else "not finished"
        figures.append(
            Figure(
                "checks", f"{process}: comes to its end ({alone.transitions:,} transitions)", "s", alone.seconds, budget="≤ 2", note=note
            )
        )
        whole = check(compiled, decisions, office, on=DAY, budget=sizes.budget)
        note = "" if whole.finished else "not finished"
        figures.append(Figure("checks", f"{process}: keeps the office's duties and properties too", "s", whole.seconds, note=note))
    return figures
