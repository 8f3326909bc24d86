"""The worker's loop: woken by word of due work, mails beside it through the queue, what was lost brought back, a stop between two transactions."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa

from engine import SystemClock, run_forever
from engine.courier import Courier
from engine.delivery_rows import LEASE
from engine.model import job
from engine.notices import SmtpSender
from engine.storage import LOG_PAGES
from engine.wakeup import LOOK, Listening, add_jobs
from tests.conftest import SmtpServer
from tests.support import ROOT, World


def until(done: Callable[[], Any], seconds: float = 10) -> None:
    """Wait for something another thread does."""
    end = time.monotonic() + seconds
    while not done():
        assert time.monotonic() < end, "it did not happen"
        time.sleep(0.01)


@contextmanager
def working(world: World, name: str = "worker-1") -> Iterator[threading.Event]:
    """A worker runs meanwhile, in a thread."""
    stop = threading.Event()
    thread = threading.Thread(target=run_forever, args=(world.engine, stop, name), daemon=True)
    thread.start()
    try:
        yield stop
    finally:
        stop.set()
        thread.join(10)
        assert not thread.is_alive(), "the worker hangs"


def queued(world: World) -> list[tuple[str, Any]]:
    """(lock, status) of what is in the queue of deliveries."""
    with world.engine.reading() as connection:
        return [(row[0], row[1]) for row in connection.execute(sa.text("SELECT queueing_lock, status FROM procrastinate_jobs ORDER BY id"))]


def given_ways(world: World) -> int:
    """Let the notices of the one act there was be given their ways; returns the job of the one mail, which is in the queue by itself now."""
    told = world.rows("job", kind="deliver")[0]["id"]
    Courier(world.engine).deliver(told)
    (mail,) = world.rows("job", kind="deliver")
    assert (f"deliver:{mail['id']}", "todo") in queued(world)
    with world.engine.writing() as connection:  # as the queue does when a job is done
        connection.execute(sa.text("DELETE FROM procrastinate_jobs WHERE queueing_lock = :lock"), {"lock": f"deliver:{told}"})
    return int(mail["id"])


# ---------------------------------------------------------------- PostgreSQL: LISTEN and the queue


def test_work_due_now_wakes_a_worker_at_once(on_postgresql: World) -> None:
    """Without a word it would look again after 15 seconds."""
    world = on_postgresql
    world.engine.clock = SystemClock()
    with working(world):
        until(lambda: world.rows("worker_heartbeat"))
        time.sleep(0.3)  # it waits now
        since = time.monotonic()
        case_id = world.start("wait", wake_at="2026-01-01 09:00")
        until(lambda: world.waits(case_id) == ["work"])
        assert time.monotonic() - since < 3


def test_a_timer_due_before_the_next_look_is_made_known_and_one_far_off_is_not(on_postgresql: World) -> None:
    world, stop, now = on_postgresql, threading.Event(), on_postgresql.clock.now()
    listening = Listening(world.engine.database)
    listening.wait(1, stop)  # connects

    def told(after: timedelta, *, kept: bool = True) -> bool:
        row = {"case_id": None, "kind": "posts", "key": "posts:x", "run_at": now + after, "payload": '{"organisation": "office"}'}
        connection = world.engine.database.connect()
        add_jobs(connection, [row], now)
        connection.commit() if kept else connection.rollback()
        connection.close()
        since = time.monotonic()
        listening.wait(1.2, stop)
        return time.monotonic() - since < 1.1

    assert told(timedelta(0)) and told(timedelta(seconds=LOOK))
    assert not told(timedelta(hours=1))
    assert not told(timedelta(0), kept=False), "a transaction that did not happen tells nothing"
    listening.close()


def test_a_listener_that_lost_its_connection_makes_another(on_postgresql: World) -> None:
    listening, stop = Listening(on_postgresql.engine.database), threading.Event()
    listening.wait(0.01, stop)
    with on_postgresql.engine.database.connect() as connection:
        connection.execute(sa.text("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE query LIKE 'LISTEN%'"))
    listening.wait(0.05, stop)
    listening.wait(0.05, stop)
    assert listening._connection is not None and not listening._connection.closed
    listening.close()


def test_mails_go_out_through_the_queue(on_postgresql: World, smtp_server: SmtpServer) -> None:
    world = on_postgresql
    world.engine.sender = SmtpSender(f"smtp://127.0.0.1:{smtp_server.port}")
    with working(world, "a"), working(world, "b"):
        cases = [world.start("approval") for _ in range(5)]
        until(lambda: len(cases) == sum(row["state"] == "sent" for row in world.mails()))
        until(lambda: queued(world) == [])
    ids = [str(one.message["Message-ID"]) for one in smtp_server.messages]
    assert len(ids) == len(set(ids)) == len(world.notices()) == len(cases)
    assert world.rows("job", kind="deliver") == []


def test_a_case_that_did_not_come_to_be_leaves_nothing_in_the_queue(on_postgresql: World) -> None:
    def fail() -> None:
        with on_postgresql.acting("staff@a") as work:
            work.start("office_approval", {"item_summary": "x", "owning_unit": "a"})
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        fail()
    assert queued(on_postgresql) == []
    on_postgresql.start("approval")
    mail = on_postgresql.rows("job", kind="deliver")[0]
    assert queued(on_postgresql) == [(f"deliver:{mail['id']}", "todo")]


def test_the_sweep_brings_back_what_was_lost(on_postgresql: World, smtp_server: SmtpServer) -> None:
    """A queue that was emptied, a queue job that comes twice, one whose worker died with the mail in its hands: each mail goes once."""
    from engine import queue

    world = on_postgresql
    world.engine.sender = SmtpSender(f"smtp://127.0.0.1:{smtp_server.port}")
    world.start("approval")
    world.clock.advance(seconds=10)
    assert queue.sweep(world.engine) == 0, "it is in the queue"
    given_ways(world)
    world.clock.advance(seconds=10)
    assert queue.sweep(world.engine) == 0, "so is the mail"
    with world.engine.writing() as connection:
        connection.execute(sa.text("DELETE FROM procrastinate_jobs"))
    assert queue.sweep(world.engine) == 1
    assert queue.sweep(world.engine) == 0
    with world.engine.writing() as connection:  # taken up by a worker that is no more; the mail's lease still runs
        connection.execute(sa.text("UPDATE procrastinate_jobs SET status = 'doing'"))
        connection.execute(job.update().where(job.c.kind == "deliver").values(attempts=1, run_at=world.clock.now() + LEASE))
    assert queue.sweep(world.engine) == 0 and queued(world) == []
    world.clock.advance(seconds=LEASE.total_seconds() + 10)
    with world.engine.writing() as connection:
        queue.defer(connection, [999_999])  # a mail that is not there any more
    with working(world):
        until(lambda: world.mails()[0]["state"] == "sent")
        until(lambda: queued(world) == [])
    assert len(smtp_server.messages) == 1


def test_one_mail_is_sent_once_though_its_queue_job_came_twice(on_postgresql: World, smtp_server: SmtpServer) -> None:
    world = on_postgresql
    world.engine.sender = SmtpSender(f"smtp://127.0.0.1:{smtp_server.port}")
    world.start("approval")
    mail, courier = given_ways(world), Courier(world.engine)
    smtp_server.hang("DATA")
    threads = [threading.Thread(target=courier.deliver, args=(mail,)) for _ in range(3)]
    for thread in threads:
        thread.start()
    until(lambda: sum(thread.is_alive() for thread in threads) == 1)
    smtp_server.wait_for(1)
    smtp_server.down()  # whoever waits for the answer gets none
    for thread in threads:
        thread.join(10)
    assert len(smtp_server.messages) == 1
    row = world.rows("job", kind="deliver")[0]
    assert (row["attempts"], row["run_at"]) == (1, world.clock.now() + timedelta(minutes=1)), "it goes again, with the same Message-ID"


def test_what_is_to_go_out_later_is_in_the_queue_only_then(on_postgresql: World) -> None:
    """Quiet time puts a mail off: until then it is in our table alone."""
    from engine import queue

    world, now = on_postgresql, on_postgresql.clock.now()
    row = {"case_id": None, "kind": "deliver", "key": "told", "payload": "{}"}
    with world.engine.writing() as connection:
        add_jobs(connection, [row | {"run_at": now + timedelta(hours=1)}], now)
    assert queued(world) == [] and queue.sweep(world.engine) == 0
    world.clock.advance(hours=1, seconds=10)
    assert queue.sweep(world.engine) == 1
    assert queued(world) == [(f"deliver:{world.rows('job', kind='deliver')[0]['id']}", "todo")]


# ---------------------------------------------------------------- a receiver that does not answer


def test_a_courier_asks_a_receiver_that_is_away_once_and_then_not_for_a_while(both: World, monkeypatch: pytest.MonkeyPatch) -> None:
    class Away:
        delivers = True
        asked = 0

        def send(self, message: object) -> None:
            self.asked += 1
            raise ConnectionRefusedError("nobody there")

    both.engine.sender = sender = Away()
    courier = Courier(both.engine)
    for _ in range(3):
        both.start("approval")
    for told in both.rows("job", kind="deliver"):
        courier.deliver(told["id"])
    mails = both.rows("job", kind="deliver")
    for mail in mails:
        courier.deliver(mail["id"])
    assert sender.asked == 1 and len(mails) == 3
    assert [(row["state"], row["error"]) for row in both.mails()] == [("failed", "ConnectionRefusedError: nobody there")] * 3
    both.clock.advance(minutes=1)
    monkeypatch.setattr("engine.courier.time.monotonic", lambda: time.time() * 2)  # that while is over
    courier.deliver(mails[0]["id"])
    assert sender.asked == 2


def test_timers_run_while_the_mail_server_hangs(both: World, smtp_server: SmtpServer) -> None:
    both.engine.sender = SmtpSender(f"smtp://127.0.0.1:{smtp_server.port}", timeout=2)
    smtp_server.hang("EHLO")
    case_id = both.start("deadline")
    both.clock.advance(hours=2)
    since = time.monotonic()
    with working(both):
        until(lambda: both.waits(case_id) == ["take_over"], 1.8)
    assert time.monotonic() - since < 6
    assert smtp_server.messages == []


def test_a_worker_stops_within_five_seconds_whatever_it_does(both: World, smtp_server: SmtpServer) -> None:
    both.engine.sender = SmtpSender(f"smtp://127.0.0.1:{smtp_server.port}", timeout=60)
    smtp_server.hang("EHLO")
    both.start("approval")
    with working(both) as stop:
        until(lambda: [row for row in both.rows("job", kind="deliver") if row["key"].startswith("delivery:") and row["attempts"] == 1])
        since = time.monotonic()
        stop.set()
    assert time.monotonic() - since < 5
    smtp_server.down()  # ends the thread that still waits for an answer
    time.sleep(0.1)


# ---------------------------------------------------------------- SQLite does without all that


def test_an_installation_on_sqlite_never_loads_the_queue(tmp_path: Path) -> None:
    program = f"""
import sys, threading
from pathlib import Path
from tests.support import make_world
world = make_world(Path({str(tmp_path)!r}))
case_id = world.start("approval"); world.complete(case_id, "review", opinion="よい")
from engine import run_forever
stop = threading.Event()
threading.Timer(0.5, stop.set).start()
run_forever(world.engine, stop, "w")
world.engine.close()
print(sorted(name for name in sys.modules if name.partition(".")[0] in ("procrastinate", "croniter", "asgiref")))
"""
    done = subprocess.run([sys.executable, "-c", program], cwd=ROOT, capture_output=True, text=True, check=False, env=dict(os.environ))
    assert done.stdout.strip() == "[]", done.stderr


def test_the_worker_takes_sqlites_log_over_so_that_nobody_who_commits_waits_for_it(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("engine.worker.TAKE_OVER", 0.0)
    world.start("deadline")
    file = Path(str(world.engine.database.url.database))
    before = file.read_bytes()
    assert file.with_name(f"{file.name}-wal").stat().st_size > 0
    with working(world):
        until(lambda: file.read_bytes() != before)
    with world.engine.reading() as connection:
        assert connection.exec_driver_sql("PRAGMA wal_autocheckpoint").scalar_one() == LOG_PAGES
