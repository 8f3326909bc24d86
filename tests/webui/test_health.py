"""Signs of life and numbers: who may read them, and what they say when something is amiss."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pytest
from flask import Flask

from engine.model import worker_heartbeat
from tests.support import World, make_world, postgresql_copy
from webui import create_app
from webui.metrics import beside_worker, may_read

TOKEN = "a-token-for-supervision"


@pytest.fixture(params=["sqlite", pytest.param("postgresql", marks=pytest.mark.postgresql)])
def world(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[World]:
    if request.param == "sqlite":
        made = make_world(tmp_path)
        yield made
        made.engine.close()
        return
    with postgresql_copy(request.getfixturevalue("postgresql_url")) as url:
        made = make_world(tmp_path, url)
        yield made
        made.engine.close()


@pytest.fixture
def app(world: World) -> Flask:
    return create_app(world.engine, secret_key="x", metrics_token=TOKEN)


def beat(world: World, name: str = "machine-1", ago: int = 0, ahead: int | None = None) -> None:
    with world.engine.writing() as connection:
        seen = world.clock.now() - timedelta(seconds=ago)
        connection.execute(worker_heartbeat.delete().where(worker_heartbeat.c.worker == name))
        connection.execute(worker_heartbeat.insert().values(worker=name, seen_at=seen, ahead=ahead))


def test_ready_means_database_schema_and_a_worker(world: World, app: Flask) -> None:
    client = app.test_client()
    assert client.get("/livez").json == {"status": "ok"}
    no_worker = client.get("/readyz")
    assert (no_worker.status_code, no_worker.json) == (503, {"status": "not ready", "database": True, "schema": True, "worker": False})
    beat(world, ago=59)
    assert (client.get("/readyz").status_code, client.get("/readyz").json["status"]) == (200, "ok")
    beat(world, ago=61)
    assert client.get("/readyz").status_code == 503
    beat(world, ago=5)
    with world.engine.writing() as connection:
        connection.exec_driver_sql("UPDATE alembic_version SET version_num = '0001'")
    old = client.get("/readyz")
    assert (old.status_code, old.json["schema"], old.json["database"]) == (503, False, True)
    assert client.get("/healthz").status_code == 200 and client.get("/livez").status_code == 200


def test_a_database_that_is_away_is_said_without_its_address(world: World, app: Flask) -> None:
    world.engine.close()
    with world.engine.writing() as connection:
        connection.exec_driver_sql("ALTER TABLE worker_heartbeat RENAME TO gone")
    answer = app.test_client().get("/readyz")
    assert (answer.status_code, answer.json) == (503, {"status": "not ready", "database": False, "schema": False, "worker": False})
    with world.engine.writing() as connection:
        connection.exec_driver_sql("ALTER TABLE job RENAME TO gone_too")
    numbers = app.test_client().get("/metrics", headers={"Authorization": f"Bearer {TOKEN}"}).text
    assert "tadachi_database_up 0.0" in numbers and "tadachi_jobs_due" not in numbers


def test_the_numbers(world: World, app: Flask) -> None:
    world.start("deadline")
    broken = world.start("broken", amount=1)
    world.clock.advance(hours=2, minutes=10)
    beat(world, ago=3, ahead=1_500_000)
    client = app.test_client()
    client.get("/login")
    text = client.get("/metrics").text
    assert 'tadachi_jobs_due{kind="timer"} 2.0' in text and 'tadachi_jobs_oldest_due_seconds{kind="timer"} 4200.0' in text
    assert 'tadachi_jobs_due{kind="deliver"} 2.0' in text
    assert 'tadachi_worker_heartbeat_age_seconds{worker="machine-1"} 3.0' in text
    assert 'tadachi_worker_clock_ahead_seconds{worker="machine-1"} 1.5' in text
    assert 'tadachi_request_seconds_count{endpoint="auth.login",method="GET",status="200"} 1.0' in text
    world.run()
    text = client.get("/metrics").text
    assert 'tadachi_jobs_failing{kind="timer"} 1.0' in text
    assert f'tadachi_deliveries{{channel="mail",state="none"}} {len(world.mails())}.0' in text
    with world.engine.writing() as connection:
        connection.exec_driver_sql(f"UPDATE job SET run_at = NULL WHERE case_id = {broken} AND kind = 'timer'")
    assert 'tadachi_jobs_dead{kind="timer"} 1.0' in client.get("/metrics").text
    assert "山田" not in text and "@example" not in text


@pytest.mark.parametrize(
    ("address", "headers", "allowed"),
    [
        ("127.0.0.1", {}, True), ("::1", {}, True), ("10.0.0.5", {}, False), ("", {}, False),
        ("10.0.0.5", {"Authorization": f"Bearer {TOKEN}"}, True), ("10.0.0.5", {"Authorization": "Bearer x"}, False),
        ("10.0.0.5", {"Authorization": "Bearer "}, False),
        ("127.0.0.1", {"X-Forwarded-For": "203.0.113.9"}, False), ("127.0.0.1", {"Host": "tadachi.example.go.jp"}, False),
    ],
)  # fmt: skip
def test_who_may_read_the_numbers(app: Flask, address: str, headers: dict[str, str], allowed: bool) -> None:
    """A proxy on the same machine passes on requests from anywhere: they must not count as this machine's own."""
    answer = app.test_client().get("/metrics", headers=headers, environ_base={"REMOTE_ADDR": address})
    assert answer.status_code == (200 if allowed else 403)


def test_no_token_opens_nothing() -> None:
    assert not may_read({"REMOTE_ADDR": "10.0.0.5", "HTTP_AUTHORIZATION": "Bearer "}, "")


def test_a_worker_without_pages_has_its_own_door(world: World) -> None:
    from urllib.error import HTTPError
    from urllib.request import Request, urlopen

    from tests.conftest import free_port

    port = free_port()
    end = beside_worker(world.engine, "127.0.0.1", port, TOKEN)
    address = f"http://127.0.0.1:{port}"
    assert b"tadachi_database_up 1.0" in urlopen(f"{address}/metrics").read()
    assert urlopen(f"{address}/livez").status == 200
    for request, status in ((Request(f"{address}/metrics", headers={"X-Forwarded-For": "203.0.113.9"}), 403), (Request(address), 404)):
        with pytest.raises(HTTPError) as refused:
            urlopen(request)
        assert refused.value.code == status
        refused.value.close()
    end()
