"""The doctor says what is amiss, each thing by itself, and nothing when all is well."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from engine import Engine, SetClock, Settings, SystemClock
from engine.model import delivery, event, job, worker_heartbeat
from tests.conftest import SmtpServer, free_port
from tests.support import MONDAY, World, offices
from webui.cli import main


def beat(world: World, ago: float = 0, ahead: float | None = None, name: str = "m-1") -> None:
    with world.engine.writing() as connection:
        seen = world.engine.clock.now() - timedelta(seconds=ago)
        micros = None if ahead is None else int(ahead * 1e6)
        connection.execute(worker_heartbeat.insert().values(worker=name, seen_at=seen, ahead=micros))


def states(world: World) -> dict[str, list[str]]:
    found: dict[str, list[str]] = {}
    for check in world.engine.examine():
        found.setdefault(check.name, []).append(check.state)
        assert check.text.endswith("。")
    return found


@pytest.fixture
def well(both: World, smtp_server: SmtpServer, tmp_path: Path) -> World:
    """An installation where all is well."""
    key, proofs = tmp_path / "secret", tmp_path / "proofs"
    key.write_bytes(b"x" * 32)
    key.chmod(0o600)
    proofs.mkdir(mode=0o700)
    both.run()
    both.engine.clock = SystemClock()
    both.engine.settings = replace(both.engine.settings, mail=f"smtp://127.0.0.1:{smtp_server.port}", secret_file=key, proofs=proofs)
    beat(both)
    return both


def test_all_is_well(well: World) -> None:
    assert {state for found in states(well).values() for state in found} == {"ok"}


def test_the_mail_server_is_only_greeted(well: World, smtp_server: SmtpServer, monkeypatch: pytest.MonkeyPatch) -> None:
    states(well)
    assert smtp_server.messages == []
    smtp_server.down()
    assert states(well)["mail"] == ["fault"]
    smtp_server.up()
    smtp_server.hang("EHLO")
    monkeypatch.setattr("engine.doctor.MAIL_TIMEOUT", 0.2)
    assert states(well)["mail"] == ["fault"]
    well.engine.settings = replace(well.engine.settings, mail="")
    assert states(well)["mail"] == ["warning"]


def test_workers_and_clocks(well: World) -> None:
    with well.engine.writing() as connection:
        connection.execute(worker_heartbeat.delete())
    assert states(well)["worker"] == ["fault"]
    beat(well, ago=3_600, name="old")
    assert states(well)["worker"] == ["fault", "warning"]
    beat(well, ahead=5.0)
    assert (states(well)["worker"], states(well)["clock"]) == (["ok", "warning"], ["warning"])
    beat(well, ahead=-40.0, name="m-2")
    assert sorted(states(well)["clock"]) == ["fault", "warning"]


@pytest.mark.postgresql
def test_this_machines_clock_beside_the_databases(on_postgresql: World) -> None:
    on_postgresql.engine.clock = SetClock(MONDAY)
    assert states(on_postgresql)["clock"] == ["fault"]


def test_work_that_is_stuck(well: World) -> None:
    row: dict[str, Any] = {"case_id": 1, "kind": "timer", "key": "x", "payload": "{}"}
    now = well.engine.clock.now()
    with well.engine.writing() as connection:
        connection.execute(job.insert().values(row | {"run_at": None, "error": "x"}))
        connection.execute(job.insert().values(row | {"run_at": now - timedelta(minutes=20)}))
        connection.execute(job.insert().values(row | {"run_at": now + timedelta(minutes=1), "error": "x"}))
    found = states(well)
    assert (found["dead"], found["late"], found["failing"]) == (["fault"], ["warning"], ["warning"]) and "due" not in found


def test_deliveries_that_were_given_up_are_told_by_the_way_they_were_to_go(well: World) -> None:
    told = {"case_id": None, "kind": "deliver", "key": "told", "payload": "{}", "run_at": None, "error": "x"}
    made = {"organisation": "office", "state": "dead", "created_at": well.engine.clock.now()}
    case_id = well.start("approval")
    notice = well.notices()[0]["id"]
    with well.engine.writing() as connection:
        connection.execute(job.insert().values(told))
        connection.execute(delivery.insert().values(made | {"notice": notice, "channel": "mail", "message_id": "<1@x>"}))
        posted = {
            "organisation": "office",
            "position": 1,
            "cause": "c",
            "uid": "u",
            "kind": "remind",
            "case_id": case_id,
            "number": "",
            "step": "s",
        }
        about = connection.scalar(event.insert().values(posted | {"at": made["created_at"]}).returning(event.c.id))
        connection.execute(delivery.insert().values(made | {"event": about, "channel": "webhook:1", "message_id": "u"}))
    texts = [check.text for check in well.engine.examine() if check.name == "dead"]
    assert (
        len(texts) == 3
        and [word in text for text, word in zip(texts, ("メールが1件", "外部システムへの通知が1件", "1組"), strict=True)] == [True] * 3
    )


def test_a_record_that_nothing_guards(well: World) -> None:
    with well.engine.writing() as connection:
        if connection.dialect.name == "sqlite":
            connection.exec_driver_sql("DROP TRIGGER history_no_update")
        else:
            connection.exec_driver_sql("ALTER TABLE history DISABLE TRIGGER history_append_only")
    assert states(well)["history"] == ["fault"]


def test_what_others_may_read_or_write(well: World, monkeypatch: pytest.MonkeyPatch) -> None:
    settings = well.engine.settings
    assert settings.proofs is not None
    settings.secret_file.chmod(0o644)
    settings.proofs.chmod(0o777)
    found = states(well)
    assert (found["secret"], found["proofs"]) == (["fault"], ["fault"])
    settings.secret_file.chmod(0o600)
    settings.secret_file.write_bytes(b"short")
    assert states(well)["secret"] == ["fault"]
    settings.secret_file.unlink()
    assert states(well)["secret"] == ["warning"]
    monkeypatch.setattr("engine.doctor.LITTLE", 10**18)
    assert set(states(well)["disk"]) == {"warning"}


def test_holidays_reach_to_the_end_of_the_next_fiscal_year(well: World) -> None:
    well.engine.clock = SetClock(MONDAY.replace(year=2097))
    assert states(well)["holidays"][0] == "ok"
    well.engine.clock = SetClock(MONDAY.replace(year=2098))
    assert states(well)["holidays"][0] == "fault"


def test_a_database_that_is_not_there_or_not_of_this_version(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    away = Engine(Settings(database=f"postgresql://nobody:hidden@127.0.0.1:{free_port()}/x", bpmn=offices()))
    found = {check.name: check for check in away.examine()}
    assert found["database"].state == "fault" and "worker" not in found
    assert "hidden" not in "".join(check.text for check in found.values())
    monkeypatch.setenv("TADACHI_DATABASE", f"sqlite:///{tmp_path / 'empty.sqlite'}")
    monkeypatch.setenv("TADACHI_BPMN", str(offices()))
    result = CliRunner().invoke(main, ["doctor", "--json"])
    said = {check["name"]: check["state"] for check in json.loads(result.output)}
    assert result.exit_code == 1 and said["schema"] == "fault"
    assert "tadachi migrate" in CliRunner().invoke(main, ["doctor"]).output
    assert CliRunner().invoke(main, ["migrate"]).exit_code == 0
    assert "要対応" in CliRunner().invoke(main, ["doctor"]).output, "no worker runs"
