"""Two machines, each with a web process and a worker, on one PostgreSQL: a case goes through with its acts now here, now there."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections import Counter
from pathlib import Path

import pytest

from engine import hash_password
from engine.model import person
from tests.conftest import free_port
from tests.faults.checker import check
from tests.faults.machines import Visitor, two_machines
from tests.support import MONDAY, ROOT, SetClock, World, make_engine, offices, populate

PASSWORD = "たしかな合言葉 2026"
TIMERS = 12


@pytest.mark.postgresql
def test_two_webs_and_two_workers_on_two_machines(tmp_path: Path) -> None:
    port = free_port()
    with two_machines(port) as (machines, socket):
        clock = SetClock(MONDAY)
        world = World(make_engine(f"postgresql+psycopg://postgres@/postgres?host={socket}&port={port}", clock), clock)
        world.engine.migrate()
        populate(world.engine, ("office",))
        with world.engine.writing() as connection:
            connection.execute(person.update().values(password_hash=hash_password(PASSWORD)))
        late = [world.start("deadline") for _ in range(TIMERS)]  # due since Monday noon
        processes: list[subprocess.Popen[str]] = []
        try:
            for name, database in machines:
                own = database.rsplit(".", 1)[0] + ".2"
                settings = {
                    **os.environ, "TADACHI_DATABASE": f"postgresql://postgres@{database}:{port}/postgres", "TADACHI_BPMN": str(offices()),
                    "TADACHI_SECRET_FILE": str(tmp_path / "secret"), "TADACHI_URL": f"http://{own}:8000", "TADACHI_SMTP": "",
                }  # fmt: skip
                for command in (["serve", "--host", own], ["worker"]):
                    line = ["ip", "netns", "exec", name, sys.executable, "-m", "webui.cli", *command]
                    processes.append(
                        subprocess.Popen(line, cwd=ROOT, env=settings, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)
                    )
            a, b = (Visitor(name, database.rsplit(".", 1)[0] + ".2", 8000) for name, database in machines)
            for visitor in (a, b):
                _until(lambda visitor=visitor: visitor.get("/readyz")[0] == 200)  # type: ignore[misc]
            with pytest.raises(OSError):
                Visitor(a.machine, b.host, 8000).get("/livez")  # they meet at the database only
            a.sign_in("staff.a", PASSWORD)
            given = {"item_summary": "二台で進める案件", "owning_unit": "a"}
            status, where = a.post("/report/office_approval", given, "/report/office_approval")
            assert status == 303
            case_id = int(where.split("/cases/")[1].split("/")[0])
            b.sign_in("protection_manager.a", PASSWORD)
            _complete(world, b, case_id, "review", {"opinion": "よい"})
            a.sign_in("division_protection_manager.north", PASSWORD)
            _complete(world, a, case_id, "approve", {"verdict": "granted"})
            assert world.case(case_id)["outcome"] == "承認済み"
            _until(lambda: all(world.waits(one) == ["take_over"] for one in late))
            beats = world.rows("worker_heartbeat")
            assert len(beats) == 2 and all(abs(row["ahead"]) < 1_000_000 for row in beats)
            for process in processes:
                process.terminate()
            since = time.monotonic()
            assert [process.wait(10) for process in processes] == [0] * 4 and time.monotonic() - since < 6
        finally:
            for process in processes:
                process.kill()
                _, err = process.communicate(timeout=10)
                assert "Traceback" not in err, err
        for one in late:
            tags = Counter(row["tag"] for row in world.history(one))
            assert (tags["timer.fired"], tags["task.cancelled"], tags["task.reminded"]) == (1, 1, 1)
        assert list(check(world)) == []
        world.engine.close()


def _until(done: object, seconds: float = 90) -> None:
    assert callable(done)
    end = time.monotonic() + seconds
    while True:
        try:
            if done():
                return
        except OSError:
            pass
        assert time.monotonic() < end, "it did not happen"
        time.sleep(0.1)


def _complete(world: World, visitor: Visitor, case_id: int, node: str, answers: dict[str, str]) -> None:
    task = world.task(case_id, node)
    page = f"/tasks/{task['id']}"
    own = {"_version": str(world.case(case_id)["version"]), "_case": str(case_id), "_seat": task["seat"]}
    status, _ = visitor.post(page, own | answers, page)
    assert status == 303
