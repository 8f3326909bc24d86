"""A process to be killed: completes steps, starts cases and works due jobs until it dies. Prints what was acknowledged.

python -m tests.faults.child URL FOLDER_OF_OFFICES SEED
"""

from __future__ import annotations

import random
import sys
from datetime import timedelta
from pathlib import Path

from engine import Conflict, Engine, NotFound, SetClock, Settings
from tests.support import MONDAY, World


def main(url: str, folder: str, seed: int) -> None:
    """Never returns."""
    chance = random.Random(seed)
    clock = SetClock(MONDAY)
    world = World(Engine(Settings(database=url, bpmn=Path(folder), mail_from="tadachi@example.go.jp"), clock=clock), clock)
    print("ready", flush=True)
    while True:
        clock.set(MONDAY + timedelta(minutes=chance.randrange(600)))
        try:
            step(world, chance)
        except (Conflict, NotFound):  # another child was faster
            continue


def step(world: World, chance: random.Random) -> None:
    """One thing to do."""
    tasks = world.rows("task", state="open")
    kind = chance.random()
    if kind < 0.2 or not tasks:
        world.start(chance.choice(["approval", "parallel", "deadline", "cycle"]))
    elif kind < 0.5:
        world.engine.run_due(limit=10)
    else:
        row = chance.choice(tasks)
        answers = {"review": {"opinion": "よい"}, "approve": {"verdict": "granted"}}.get(row["node"], {})
        with world.acting(row["seat"]) as work:
            if row["node"] == "approve" and chance.random() < 0.5:
                work.send_back(row["id"], "もう一度", to="review")
                return
            work.complete(row["id"], answers)
        print(row["id"], flush=True)


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2], int(sys.argv[3]))
