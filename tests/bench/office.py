"""The installation a bench measures: the shipped office and diagrams over a database of its own."""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest
import sqlalchemy as sa

from engine import Engine, Settings
from engine.model import task
from engine.settings import ROOT
from tests.conftest import postgresql_cluster
from webui.demo import ORGANISATION, SINCE, populate

UNIT = "adjudication"
REPORTER = f"{UNIT}.staff"
MANAGER = f"{UNIT}.protection-manager"
MANAGER_SEAT = f"protection_manager@{UNIT}"
DEPUTY = f"{UNIT}.assistant"
STEP = "contain_at_once"
ANSWERS = {
    "containment_done": ["recall", "silence"],
    "containment_note": "送付先に電話し、開封せず返送するよう依頼した。相手は承諾した。",
    "recovered_unseen": "unknown",
}

#: Two steps, the second of which may return to the first.
ROUNDS_DIAGRAM = f"""<?xml version="1.0" encoding="UTF-8"?>
<bpmn:definitions xmlns:bpmn="http://www.omg.org/spec/BPMN/20100524/MODEL" xmlns:camunda="http://camunda.org/schema/1.0/bpmn"
  id="definitions_rounds" targetNamespace="https://tadachi.example/bpmn">
  <bpmn:process id="rounds" name="差戻しの繰返し" isExecutable="true">
    <bpmn:startEvent id="begin" name="始める"><bpmn:outgoing>f1</bpmn:outgoing></bpmn:startEvent>
    <bpmn:userTask id="draft" name="案を作る" camunda:candidateGroups="staff@{UNIT}">
      <bpmn:extensionElements><camunda:formData><camunda:formField id="text" label="案" type="text" /></camunda:formData></bpmn:extensionElements>
      <bpmn:incoming>f1</bpmn:incoming><bpmn:outgoing>f2</bpmn:outgoing>
    </bpmn:userTask>
    <bpmn:userTask id="check" name="案を確かめる" camunda:candidateGroups="{MANAGER_SEAT}">
      <bpmn:extensionElements><camunda:properties><camunda:property name="send_back_to" value="draft" /></camunda:properties></bpmn:extensionElements>
      <bpmn:incoming>f2</bpmn:incoming><bpmn:outgoing>f3</bpmn:outgoing>
    </bpmn:userTask>
    <bpmn:endEvent id="done" name="済み"><bpmn:incoming>f3</bpmn:incoming></bpmn:endEvent>
    <bpmn:sequenceFlow id="f1" sourceRef="begin" targetRef="draft" />
    <bpmn:sequenceFlow id="f2" sourceRef="draft" targetRef="check" />
    <bpmn:sequenceFlow id="f3" sourceRef="check" targetRef="done" />
  </bpmn:process>
</bpmn:definitions>
"""


@contextmanager
def installation(database: str | None = None) -> Iterator[Engine]:
    """The office on a database, by default a SQLite file that is thrown away; one account for each seat of one division."""
    with tempfile.TemporaryDirectory(prefix="tadachi-bench-") as name:
        folder = Path(name)
        shutil.copytree(ROOT / "bpmn", folder / "bpmn")
        (folder / "bpmn" / ORGANISATION / "rounds.bpmn").write_text(ROUNDS_DIAGRAM, "utf-8")
        engine = Engine(Settings(database=database or f"sqlite:///{folder}/bench.sqlite", bpmn=folder / "bpmn"), prove=Engine.unproven)
        try:
            engine.migrate()
            populate(engine, {UNIT, ORGANISATION})
            engine.appoint(DEPUTY, MANAGER_SEAT, kind="acting", since=SINCE)  # so that a step that opens is told to somebody
            engine.deploy(ORGANISATION, f"{ORGANISATION}.designer")
            yield engine
        finally:
            engine.close()


@dataclass(frozen=True)
class Target:
    """A kind of database: the address of a server, None for a SQLite file of the installation's own; `missing` says why it cannot be had."""

    name: str
    server: str | None = None
    missing: str = ""


@contextmanager
def targets() -> Iterator[tuple[Target, Target]]:
    """SQLite, and a PostgreSQL cluster of our own that does write through to the disk."""
    with ExitStack() as stack:
        try:
            postgresql = Target("PostgreSQL", stack.enter_context(postgresql_cluster(fsync="on")))
        except pytest.skip.Exception as skipped:
            postgresql = Target("PostgreSQL", missing=str(skipped))
        yield Target("SQLite"), postgresql


@contextmanager
def fresh_database(url: str | None) -> Iterator[str | None]:
    """A new database in a cluster, dropped afterwards; None stays None."""
    if url is None:
        yield None
        return
    server = sa.create_engine(url, isolation_level="AUTOCOMMIT")
    name = f"bench_{os.urandom(6).hex()}"
    with server.connect() as connection:
        connection.exec_driver_sql(f"CREATE DATABASE {name} TEMPLATE template0")
    try:
        yield url.rsplit("/", 1)[0] + f"/{name}"
    finally:
        with server.connect() as connection:
            connection.exec_driver_sql(f"DROP DATABASE {name} WITH (FORCE)")
        server.dispose()


def start_cases(engine: Engine, count: int) -> list[tuple[int, int]]:
    """(case, task) of new incidents that wait at the step measured."""
    known = engine.clock.now().isoformat()
    answers = {
        "item_summary": "別の申請者の書類の写しを誤って交付した。",
        "known_at": known,
        "owning_unit": UNIT,
        "event": "leak",
        "holds": ["pi"],
        "count": 1,
    }
    cases = []
    for _ in range(count):
        with engine.work(by=REPORTER) as work:
            cases.append(work.start("isa_incident", answers))
    with engine.reading() as connection:
        query = sa.select(task.c.case_id, task.c.id).where(task.c.node == STEP, task.c.case_id.in_(cases)).order_by(task.c.case_id)
        return [(row.case_id, row.id) for row in connection.execute(query)]
