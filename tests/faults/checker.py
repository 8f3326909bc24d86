"""Looks at a database after faults: does what it says hold together?"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator

from engine.marking import Marking
from engine.tokens import waiting
from tests.support import World


def check(world: World, acknowledged: list[int] | None = None) -> Iterator[str]:
    """Everything that does not hold, in words.

    Args:
        acknowledged: ids of tasks whose completion somebody was told had succeeded.
    """
    tasks = world.rows("task")
    history = [row | {"data": json.loads(row["data"])} for row in world.rows("history")]
    notices = {(row["cause"], row["person"]) for row in world.rows("notice")}
    jobs = world.rows("job")
    with world.engine.reading() as connection:
        definitions = {row["definition"]: world.engine.definitions.get(connection, row["definition"]) for row in world.rows("case_file")}
    for case in world.rows("case_file"):
        marking = Marking.load(case["marking"])
        waits = waiting(definitions[case["definition"]].net, marking)
        wanted = Counter(wait.key for wait in waits if wait.kind == "task")
        found = Counter(row["wait"] for row in tasks if row["case_id"] == case["id"] and row["state"] == "open")
        if wanted != found:
            yield f"case {case['id']}: waits for {dict(wanted)}, open tasks are {dict(found)}"
        timers = Counter(f"wait:{wait.key}" for wait in waits if wait.kind == "timer")
        armed = Counter(row["key"] for row in jobs if row["case_id"] == case["id"] and row["kind"] == "timer")
        if armed - timers:
            yield f"case {case['id']}: timers nobody waits for {dict(armed - timers)}"
        if (case["state"] == "open") != bool(waits):
            yield f"case {case['id']} is {case['state']} and waits for {len(waits)}"
    recorded = Counter(row["task_id"] for row in history if row["tag"] == "task.completed")
    opened = Counter(row["task_id"] for row in history if row["tag"] == "task.opened")
    cancelled = Counter(row["task_id"] for row in history if row["tag"] == "task.cancelled")
    for row in tasks:
        if recorded[row["id"]] != (row["state"] == "done"):
            yield f"task {row['id']} is {row['state']} and has {recorded[row['id']]} rows of completion"
        if opened[row["id"]] != 1:
            yield f"task {row['id']} was recorded as opened {opened[row['id']]} times"
        if cancelled[row["id"]] != (row["state"] == "cancelled"):
            yield f"task {row['id']} is {row['state']} and has {cancelled[row['id']]} rows of cancelling"
        if (f"task:{row['id']}:opened", world.person(row["seat"])) not in notices:
            yield f"nobody was told of task {row['id']}"
        if row["id"] in (acknowledged or ()) and row["state"] != "done":
            yield f"task {row['id']} was acknowledged and is {row['state']}"
    delivered = {row["notice"] for row in world.rows("delivery")}
    going = {one for row in jobs if row["kind"] == "deliver" for one in json.loads(row["payload"]).get("notices", [])}
    lost = {row["id"] for row in world.rows("notice")} - delivered - going
    if lost:
        yield f"notices that go no way at all: {sorted(lost)}"
    queued = {
        f"delivery:{row['id']}" for row in world.rows("delivery") if row["state"] in ("queued", "failed") and row["channel"] != "digest"
    }
    missing = queued - {row["key"] for row in jobs if row["kind"] == "deliver"}
    if missing:
        yield f"mails that nobody will send: {sorted(missing)}"
    for row in jobs:
        if row["error"]:
            yield f"job {row['id']} failed: {row['error']}"
    yield from (f"{fault.chain} {fault.seq}: {fault.why}" for fault in world.engine.verify_history())
