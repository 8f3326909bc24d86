"""`python -m tests.engine.store_release`: keeps a running case of this version as a later one will find it, in tests/engine/stored/VERSION.

An office is drawn, cases are played to the middle of everything that can wait, and the database is written down as SQL text beside the
office's folder. Then the cases are played to their end by this very version, and what each act led to is written down as well: any later
version must load the text, migrate it and come to the same (test_stored_instances.py). All instants stand still, so a second run writes
the same bytes. A version with a heading in CHANGELOG.md has been released: its folder is never written again.
"""

from __future__ import annotations

import json
import re
import shutil
import sqlite3
import sys
import tempfile
import tomllib
from collections import Counter
from collections.abc import Iterator, Mapping
from datetime import datetime
from pathlib import Path
from typing import Any

import yaml

from engine import JST, SYSTEM, Engine, SetClock, Settings
from engine.checker.proving import unproven
from engine.tokens import Marking, waiting
from tests.engine.drawing import (
    boundary,
    call,
    catch,
    condition,
    diagram,
    element,
    end,
    event_sub,
    exclusive,
    flows,
    message,
    multi,
    parallel,
    start,
    sub,
    timer,
)
from tests.support import (
    CLAUSES,
    DAYS,
    DUTY,
    KNOWN,
    MONDAY,
    ORGANISATION,
    ROOT,
    RULES,
    SINCE,
    SUMMARY,
    UNIT,
    World,
    action,
    field,
    said,
    step,
)

STORED = Path(__file__).parent / "stored"
OFFICE = "office"
PEOPLE = (
    "staff@a", "protection_manager@a", "division_protection_manager@north", "general_protection_manager@office", "administrator@office",
    "desk_officer@desk",
)  # fmt: skip

# ---------------------------------------------------------------- the office

MIDWAY = (
    said(withdraw="until_end"),
    start("begin", said(SUMMARY, UNIT, KNOWN, DUTY, DAYS, field("persons", "人", "rows", "label=名"), field("wake_at", "起きる日時", "datetime"),
                        clause="C-1"), name="開始"),
    parallel("fork"),
    step("left", "左", "protection_manager@owning_unit", field("left_note", "左の記録", "string"), urgency="at_once"),
    step("right", "右", "division_protection_manager@owning_unit", field("amount", "金額", "long"), urgency="promptly"),
    boundary("again", "right", timer("R3/P1D"), interrupting=False),
    element("sendTask", "remember", said(to="protection_manager@owning_unit"), name="毎日の知らせ", camunda_topic="notify"),
    end("remembered", name="知らせた"),
    step("ask", "照会", "protection_manager@owning_unit", field("answer", "回答", "string"),
         inside=multi(collection="persons", variable="person")),
    step("turns", "順の照会", "division_protection_manager@owning_unit", field("reply", "回答", "string"), inside=multi(times="3", sequential=True)),
    catch("sleep", timer("wake_at"), name="待つ"),
    element("sendTask", "tell_desk", said(to="desk_officer@desk", sets="told_by=reporter"), name="係への知らせ", camunda_topic="notify"),
    boundary("give_up", "tell_desk", timer("P60D")),
    step("tell_by_hand", "係への電話", "protection_manager@owning_unit"),
    sub("inner", start("in_start"), step("draft", "下書き", "protection_manager@owning_unit"),
        step("confirm", "確認", "division_protection_manager@owning_unit", send_back_to="draft", not_same_person_as="draft"), end("in_end"),
        flows("in_start > draft > confirm > in_end"), name="中の手順"),
    boundary("inner_late", "inner", timer("P90D")),
    call("called", "office_called"),
    element("eventBasedGateway", "either"),
    catch("answered", said(candidateGroups="protection_manager@owning_unit") + message("reply"), name="返事"),
    catch("unanswered", timer("P20D"), name="返事なし"),
    exclusive("heard"),
    parallel("join"),
    step("prepare", "報告の作成", "protection_manager@owning_unit", field("reported_on", "提出日", "date"), deadline="report", clause="C-2"),
    step("finish", "終結", "division_protection_manager@owning_unit", clause="C-3"),
    end("done", name="終結"),
    end("phoned", name="電話済み"), end("stopped_waiting", name="待つのをやめた"),
    action("amend", "事実の更新", "protection_manager@owning_unit", DUTY, DAYS, field("amount", "金額", "long")),
    event_sub("large", start("is_large", condition("amount > 100"), name="大きい", isInterrupting="false"),
              element("sendTask", "tell_large", said(to="desk_officer@desk"), name="大きいことの知らせ", camunda_topic="notify"),
              step("watch", "見守り", "general_protection_manager@organisation"), end("watched", name="見守った"),
              flows("is_large > tell_large > watch > watched")),
    flows(
        "begin > fork > left > join > prepare > finish > done", "fork > right > join", "fork > ask > join", "fork > turns > join",
        "fork > sleep > join", "fork > tell_desk > join", "fork > inner > join", "fork > called > join", "fork > either > answered > heard > join",
        "either > unanswered > heard", "again > remember > remembered", "give_up > tell_by_hand > phoned", "inner_late > stopped_waiting",
    ),
)  # fmt: skip
CALLED = (
    start("c_start"),
    step("visit", "訪問", "protection_manager@owning_unit", urgency="plain"),
    end("c_end"),
    flows("c_start > visit > c_end"),
)
MESSAGES = "".join(f'<bpmn:message id="m_{name}" name="{name}"/>' for name in ("amend", "reply"))
APPROVAL = (
    said(withdraw="until_first_act"),
    start("apply", said(SUMMARY, UNIT), name="申請"),
    step("review", "審査", "protection_manager@owning_unit", field("opinion", "意見", "text"), clause="C-2"),
    step("approve", "承認", "division_protection_manager@owning_unit", field("verdict", "決定", "enum", "granted=承認", "refused=却下"),
         send_back_to="review", not_same_person_as="review"),
    end("approved", name="承認済み"),
    flows("apply > review > approve > approved"),
)  # fmt: skip


def write_office(folder: Path) -> None:
    """The office's own files; its diagrams too, which the database then keeps."""
    place = folder / OFFICE
    place.mkdir(parents=True)
    role = '{ id = "audit_officer", name = "監査責任者" },'
    text = ORGANISATION.format(id=OFFICE, name="試験庁")
    text = text.replace(role, f'{role}\n  {{ id = "administrator", name = "管理者" }},\n  {{ id = "desk_officer", name = "係" }},')
    text = text.replace('"general_protection_manager", "audit_officer"]', '"general_protection_manager", "audit_officer", "administrator"]')
    desk = (
        f'{{ id = "desk", name = "係", kind = "unit", parent = "{OFFICE}", order = 6, valid_from = 2026-11-18, seats = ["desk_officer"] }}'
    )
    (place / "organisation.toml").write_text(text.rstrip().removesuffix("]") + f"  {desk},\n]\n", "utf-8")
    (place / "rules.toml").write_text(RULES.replace(f"{OFFICE}_clock", f"{OFFICE}_midway"), "utf-8")
    (place / "clauses.csv").write_text(CLAUSES, "utf-8")
    (place / "midway.bpmn").write_bytes(diagram(*MIDWAY, id="office_midway", head=MESSAGES))
    (place / "called.bpmn").write_bytes(diagram(*CALLED, id="office_called"))
    (place / "approval.bpmn").write_bytes(diagram(*APPROVAL, id="office_approval"))
    (folder / "common").mkdir()


def open_world(database: Path, folder: Path, at: datetime) -> World:
    """The office over a database, at an instant."""
    clock = SetClock(at)
    settings = Settings(
        database=f"sqlite:///{database}", bpmn=folder, mail_from="tadachi@example.go.jp", base_url="https://tadachi.example"
    )
    return World(Engine(settings, clock=clock, prove=unproven), clock, OFFICE)


# ---------------------------------------------------------------- playing and looking, for the test as well


def do(world: World, act: Mapping[str, Any]) -> None:
    """One act: start, complete, send_back, act or retry by a seat, or time that passes."""
    number = act.get("case", 1)
    if "until" in act:
        until = datetime.fromisoformat(act["until"])
        world.pass_time(seconds=(until - world.clock.now()).total_seconds())
        return
    seat = act.get("by", "staff@a")
    with world.engine.work(by=world.person(seat) if seat != SYSTEM else seat) as work:
        if "start" in act:
            work.start(act["start"], act["answers"])
        elif "complete" in act:
            work.complete(world.task(number, act["complete"])["id"], act.get("answers", {}))
        elif "send_back" in act:
            work.send_back(world.task(number, act["send_back"])["id"], act["reason"])
        elif "act" in act:
            work.act(number, act["act"], act.get("answers", {}))
        else:
            assert work.retry(next(one.id for one in world.engine.stopped(None) if one.step == act["retry"]))


def look(world: World) -> dict[int, dict[str, Any]]:
    """Where every case stands: what it waits for, what is due when. Numbers of tokens and rows are an engine's own affair."""
    found: dict[int, dict[str, Any]] = {}
    nodes = {str(row["id"]): row["node"] for row in world.rows("task")}
    with world.engine.reading() as connection:
        for case in world.rows("case_file"):
            net = world.engine.definitions.get(connection, case["definition"]).net
            waits = sorted(_wait(wait) for wait in waiting(net, Marking.load(case["marking"])))
            tasks = sorted(f"{row['node']} {row['seat']}" for row in world.rows("task", case_id=case["id"], state="open"))
            due = sorted(
                f"{row['kind']} {_about(row['key'], nodes)} {_instant(row['run_at'])}" for row in world.rows("job", case_id=case["id"])
            )
            found[case["id"]] = {"state": case["state"], "outcome": case["outcome"], "waits": waits, "tasks": tasks, "due": due}
    return found


def _wait(wait: Any) -> str:
    local = "".join(f" {name}={json.dumps(value, ensure_ascii=False)}" for name, value in sorted(wait.local.items()))
    return f"{wait.kind} {wait.node.id}{f' fired={wait.fired}' if wait.fired else ''}{local}"


def _about(key: str, nodes: Mapping[str, str]) -> str:
    """What a job is about, without the numbers in its key."""
    first, _, rest = key.partition(":")
    return rest.partition(":")[2] if first == "wait" else nodes[rest.partition(":")[0]] if first == "task" else key


def _instant(at: datetime | None) -> str:
    return at.astimezone(JST).isoformat(timespec="seconds") if at else "never"


def told(world: World) -> dict[str, int]:
    """How often the record names each kind of event, the whole installation's."""
    return dict(sorted(Counter(row["tag"] for row in world.rows("history")).items()))


# ---------------------------------------------------------------- the acts

MANAGER, DIVISION, GENERAL = "protection_manager@a", "division_protection_manager@north", "general_protection_manager@office"
BEFORE: tuple[dict[str, Any], ...] = (
    {"start": "office_midway", "answers": {
        "item_summary": "書類の所在が分からない", "owning_unit": "a", "known_at": "2026-11-16T09:00", "duty": "yes", "report_days": 30,
        "persons": [{"label": "甲"}, {"label": "乙"}, {"label": "丙"}], "wake_at": "2026-12-10T09:00"}},
    {"start": "office_approval", "answers": {"item_summary": "持出しの申請", "owning_unit": "a"}},
    {"start": "office_approval", "answers": {"item_summary": "終わった申請", "owning_unit": "a"}},
    {"complete": "review", "by": MANAGER, "case": 2, "answers": {"opinion": "よい"}},
    {"send_back": "approve", "by": DIVISION, "case": 2, "reason": "期間を書き足してください"},
    {"complete": "review", "by": MANAGER, "case": 3, "answers": {"opinion": "よい"}},
    {"complete": "approve", "by": DIVISION, "case": 3, "answers": {"verdict": "granted"}},
    {"complete": "left", "by": MANAGER, "answers": {"left_note": "済み"}},
    {"complete": "ask", "by": MANAGER, "answers": {"answer": "なし"}},
    {"complete": "turns", "by": DIVISION, "answers": {"reply": "一"}},
    {"complete": "draft", "by": MANAGER},
    {"until": "2026-11-17T20:00:00+09:00"},
    {"act": "amend", "by": MANAGER, "answers": {"duty": "yes", "report_days": 30, "amount": 150}},
    {"until": "2026-11-17T20:10:00+09:00"},
)  # fmt: skip
AFTER: tuple[dict[str, Any], ...] = (
    {"complete": "review", "by": MANAGER, "case": 2, "answers": {"opinion": "期間は12月まで"}},
    {"complete": "approve", "by": DIVISION, "case": 2, "answers": {"verdict": "granted"}},
    {"complete": "ask", "by": MANAGER, "answers": {"answer": "あり"}},
    {"complete": "ask", "by": MANAGER, "answers": {"answer": "なし"}},
    {"complete": "turns", "by": DIVISION, "answers": {"reply": "二"}},
    {"until": "2026-11-18T09:00:00+09:00"},  # the desk exists now: what is tried by itself goes on, what is not waits to be asked
    {"retry": "係への知らせ", "by": "administrator@office"},
    {"until": "2026-11-19T12:00:00+09:00"},
    {"send_back": "confirm", "by": DIVISION, "reason": "もう一度"},
    {"complete": "draft", "by": MANAGER},
    {"complete": "confirm", "by": DIVISION},
    {"complete": "turns", "by": DIVISION, "answers": {"reply": "三"}},
    {"act": "amend", "by": MANAGER, "answers": {"duty": "yes", "report_days": 20, "amount": 50}},
    {"act": "amend", "by": MANAGER, "answers": {"duty": "yes", "report_days": 20, "amount": 200}},
    {"complete": "watch", "by": GENERAL},
    {"complete": "watch", "by": GENERAL},
    {"complete": "visit", "by": MANAGER},
    {"complete": "right", "by": DIVISION, "answers": {"amount": 200}},
    {"until": "2026-12-10T10:00:00+09:00"},
    {"complete": "prepare", "by": MANAGER, "answers": {"reported_on": "2026-12-10"}},
    {"complete": "finish", "by": DIVISION},
)


def played(world: World, acts: tuple[dict[str, Any], ...]) -> Iterator[dict[str, Any]]:
    """Each act with what it changed for the cases."""
    before = look(world)
    for act in acts:
        do(world, act)
        after = look(world)
        yield {**act, "leads_to": {case: what for case, what in after.items() if before.get(case) != what}}
        before = after


# ---------------------------------------------------------------- writing it down


def versions(changelog: str) -> list[str]:
    """The versions that CHANGELOG.md has a heading for: those that were released."""
    return re.findall(r"^## \[?v?(\d+(?:\.\d+)+[^\s\]]*)", changelog, re.MULTILINE)


def in_order(statement: str) -> str:
    """A dumped statement with a table's constraints in the order of their names: a migration that makes a table anew knows no other."""
    if not statement.startswith("CREATE TABLE"):
        return statement
    lines = statement.splitlines()
    named = [number for number, line in enumerate(lines) if line.startswith("\tCONSTRAINT ")]
    for number, line in zip(named, sorted(lines[number].rstrip(", ") for number in named), strict=True):
        lines[number] = line + lines[number][len(lines[number].rstrip(", ")) :]
    return "\n".join(lines)


def store(place: Path) -> None:
    """Write one version's folder."""
    with tempfile.TemporaryDirectory() as name:
        scratch = Path(name)
        write_office(scratch / "bpmn")
        world = open_world(scratch / "tadachi.sqlite", scratch / "bpmn", MONDAY)
        world.engine.migrate()
        office = world.engine.organisation(OFFICE)
        for seat in PEOPLE:
            world.engine.register(world.person(seat), OFFICE, office.seat_name(seat), email=None, password_hash=None)
            world.engine.appoint(world.person(seat), seat, since=max(SINCE, office.units[seat.partition("@")[2]].valid_from))
        world.engine.deploy(OFFICE, world.person("administrator@office"))
        for act in BEFORE:
            do(world, act)
        world.engine.close()
        with sqlite3.connect(scratch / "tadachi.sqlite") as connection:
            dump = "\n".join(in_order(statement) for statement in connection.iterdump()) + "\n"
        connection.close()
        world = open_world(scratch / "tadachi.sqlite", scratch / "bpmn", world.clock.now())
        expected: dict[str, Any] = {"at": _instant(world.clock.now()), "stands": look(world), "then": list(played(world, AFTER))}
        assert all(case["state"] == "closed" for case in look(world).values()), look(world)
        expected |= {"facts": world.facts(1), "record": told(world)}
        assert world.engine.verify_history() == ()
        world.engine.close()
        shutil.rmtree(place, ignore_errors=True)
        (place / "bpmn" / OFFICE).mkdir(parents=True)
        for file in sorted((scratch / "bpmn" / OFFICE).iterdir()):
            if file.suffix != ".bpmn":  # a running case has its diagram in the database
                shutil.copy(file, place / "bpmn" / OFFICE)
        (place / "tadachi.sql").write_text(dump, "utf-8")
        (place / "expected.yaml").write_text(yaml.safe_dump(expected, allow_unicode=True, sort_keys=False, width=120), "utf-8")


def main() -> None:
    """Store the version of pyproject.toml."""
    version = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]["version"]
    if version in versions((ROOT / "CHANGELOG.md").read_text("utf-8")):
        sys.exit(f"{version} has been released: what it stored stays as it is")
    store(STORED / version)
    for file in sorted((STORED / version).rglob("*")):
        if file.is_file():
            print(f"{file.relative_to(ROOT)}  {file.stat().st_size // 1000} KB")


if __name__ == "__main__":
    main()
