"""Shared builders: two small offices in a folder, an engine with a person in every seat on SQLite or PostgreSQL, and short ways to act.

The offices are drawn here so that each feature of the engine can be tested by itself, whatever the real offices' diagrams say.
`office` has two divisions: `north` with the units `a` and `b`, and `c`, which has no division manager above it. `elsewhere` is a stranger.
"""

from __future__ import annotations

import atexit
import hashlib
import json
import os
import shutil
import tempfile
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from datetime import date, datetime, timedelta
from functools import cache
from pathlib import Path
from typing import Any
from xml.sax.saxutils import quoteattr

import psycopg
import sqlalchemy as sa

from engine import JST, Engine, SetClock, Settings, Viewer, Work, civil_day
from engine.model import metadata
from tests.engine.drawing import (
    boundary,
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
    timer,
)

ROOT = Path(__file__).resolve().parent.parent
MONDAY = datetime(2026, 11, 16, 10, 0, tzinfo=JST)
SINCE = date(2022, 4, 1)

STAFF, MANAGER, OTHER_MANAGER = "staff@a", "protection_manager@a", "protection_manager@b"
DIVISION, GENERAL, AUDITOR = "division_protection_manager@north", "general_protection_manager@office", "audit_officer@office"

# ---------------------------------------------------------------- the offices' files

ORGANISATION = """
id = "{id}"
name = "{name}"
short = "{name}"
head_title = "長"
owner_role = "protection_manager"
role = [
  {{ id = "staff", name = "職員", next = "protection_manager" }},
  {{ id = "protection_manager", name = "保護管理者", next = "division_protection_manager" }},
  {{ id = "division_protection_manager", name = "部課等保護管理者", next = "general_protection_manager" }},
  {{ id = "general_protection_manager", name = "総括保護管理者" }},
  {{ id = "audit_officer", name = "監査責任者" }},
]
unit = [
  {{ id = "{id}", name = "{name}", kind = "root", order = 1, valid_from = 2022-04-01, seats = ["general_protection_manager", "audit_officer"] }},
  {{ id = "north", name = "北部", kind = "division", parent = "{id}", order = 2, valid_from = 2022-04-01, seats = ["division_protection_manager"] }},
  {{ id = "a", name = "第一課", kind = "unit", parent = "north", order = 3, valid_from = 2022-04-01, seats = ["protection_manager", "staff"] }},
  {{ id = "b", name = "第二課", kind = "unit", parent = "north", order = 4, valid_from = 2022-04-01, seats = ["protection_manager", "staff"] }},
  {{ id = "c", name = "離れ", kind = "unit", parent = "{id}", order = 5, valid_from = 2022-04-01, seats = ["protection_manager", "staff"] }},
]
"""

RULES = """
urgency = [
  { id = "at_once", label = "直ちに", valid_from = 2022-04-01, remind_after = "PT1H", escalate_after = "PT3H" },
  { id = "promptly", label = "速やかに", valid_from = 2022-04-01, remind_working_days = 1, escalate_working_days = 3 },
  { id = "plain", label = "定めなし", valid_from = 2022-04-01 },
]
closed_days = [{ name = "土曜日・日曜日", weekdays = ["sat", "sun"], valid_from = 1992-05-01 }]
numbering = [{ key = "general", pattern = "案R{era_year}-{sequence:04d}", year = "fiscal", era_first_year = 2019, valid_from = 2022-04-01 }]
setting = [
  { id = "kept_days", name = "保存の日数", value = 3, basis = "試験細目第1条", valid_from = 2022-04-01, valid_to = 2026-12-31 },
  { id = "kept_days", name = "保存の日数", value = 7, basis = "試験細目第1条", valid_from = 2027-01-01 },
  { id = "strict", name = "厳格な扱い", value = false, basis = "試験細目第2条", valid_from = 2022-04-01 },
]
visibility = [{ role = "audit_officer", basis = "試験規程第9条", valid_from = 2022-04-01 }]

[[clock]]
id = "report"
name = "報告"
basis = "試験法第1条"
clauses = ["C-1"]
valid_from = 2022-04-01
starts = "known_at"
days_fact = "report_days"
moved_past_closed_days = true
warn_days_before = [3, 0]
warn_time = 09:00:00
met_by = ["reported_on"]
when = [{ any_of = ["duty"], is = ["yes", "review"] }]

[[duty]]
clause = "C-3"
name = "確認の記録"
when = 'duty == "yes"'
recorded_by = ["C-3"]
processes = ["office_clock"]
valid_from = 2022-04-01

[session]
idle = "PT30M"
idle_privileged = "PT15M"
absolute = "PT10H"
privileged_roles = ["general_protection_manager"]

[password]
minimum_length = 12
failures = 5
lock = "PT15M"

[deployment]
roles = ["general_protection_manager"]

[personnel]
roles = ["general_protection_manager"]
approvers = ["general_protection_manager", "division_protection_manager"]

[judgement]
decision = "duties"
tells = ["duty"]

[attachments]
maximum_bytes = 2097152

[attachments.types]
pdf = "application/pdf"
png = "image/png"
jpg = "image/jpeg"
txt = "text/plain"
docx = "application/vnd.openxmlformats-officedocument.wordprocessingml.document"
xlsx = "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"
"""

LEDGERS = """
[[ledger]]
id = "loans"
name = "貸出台帳"
basis = "試験規程第1条"
clauses = ["C-1"]
valid_from = 2022-04-01
states = ["貸出中", "返却済"]
closed_states = ["返却済"]
retention_years = 5
retention_from = "lent_on"
readers = ["audit_officer", "general_protection_manager"]
keepers = ["protection_manager"]
column = [
  { id = "case", name = "案件", kind = "text", value = "case_number" },
  { id = "medium", name = "媒体", kind = "text", value = "medium" },
  { id = "sort", name = "種類", kind = "choice", value = "sort" },
  { id = "lent_on", name = "貸出日", kind = "date", value = "lent_on" },
  { id = "due_at", name = "期限", kind = "datetime", value = "due_at" },
  { id = "amount", name = "数量", kind = "number", value = "amount" },
  { id = "unit", name = "課", kind = "unit", value = "owning_unit" },
  { id = "back", name = "返却", kind = "yes_no", value = "back" },
  { id = "borrower", name = "借りた人", kind = "text", value = "borrower", masked = true },
]

[[ledger]]
id = "pieces"
name = "品目の台帳"
basis = "試験規程第2条"
clauses = ["C-2"]
valid_from = 2022-04-01
states = ["貸出中", "返却済"]
closed_states = ["返却済"]
readers = ["audit_officer"]
rows = "pieces"
key = "label"
column = [
  { id = "label", name = "品名", kind = "text", value = "label" },
  { id = "count", name = "数", kind = "number", value = "count" },
  { id = "medium", name = "媒体", kind = "text", value = "medium" },
]

[[ledger]]
id = "tiers"
name = "段の登録簿"
basis = "試験規程第3条"
clauses = ["C-3"]
valid_from = 2022-04-01
states = ["有効", "終了"]
closed_states = ["終了"]
readers = ["audit_officer"]
keepers = ["audit_officer"]
parent = "parent_no"
key = "own_no"
group = "contract"
column = [
  { id = "contract", name = "契約", kind = "text", value = "contract" },
  { id = "own_no", name = "番号", kind = "text", value = "own_no" },
  { id = "parent_no", name = "上位の番号", kind = "text", value = "parent_no" },
  { id = "medium", name = "相手", kind = "text", value = "medium" },
]
"""

CLAUSES = """clause_id,citation,actor,trigger,action,addressee,urgency,condition,record,plain,valid_from
C-1,試験規程 第1条,職員,知った時,知らせる,保護管理者,直ちに,―,記録,知らせてください。,2022-04-01
C-2,試験規程 第2条,保護管理者,知らされた時,調べる,―,速やかに,―,記録,調べてください。,2022-04-01
C-3,試験規程 第3条,部課等保護管理者,終わる時,確かめる,―,―,―,記録,確かめてください。,2022-04-01
"""

# ---------------------------------------------------------------- drawing


def field(
    id: str, label: str, type: str, *choices: str, required: bool = False, props: Mapping[str, str] | None = None, **rules: str
) -> str:
    """A form field; choices as "value=label"."""
    values = "".join(f"<camunda:value id={quoteattr(c.partition('=')[0])} name={quoteattr(c.partition('=')[2])}/>" for c in choices)
    made = ['<camunda:constraint name="required"/>'] if required else []
    made += [f'<camunda:constraint name="{name}" config={quoteattr(value)}/>' for name, value in rules.items()]
    given = "".join(f'<camunda:property id="{name}" value={quoteattr(value)}/>' for name, value in (props or {}).items())
    inside = (
        (f"<camunda:properties>{given}</camunda:properties>" if given else "")
        + (f"<camunda:validation>{''.join(made)}</camunda:validation>" if made else "")
        + values
    )
    return f'<camunda:formField id="{id}" label={quoteattr(label)} type="{type}">{inside}</camunda:formField>'


def said(*fields: str, **properties: str) -> str:
    """The extensions of an element: its form and its properties."""
    form = f"<camunda:formData>{''.join(fields)}</camunda:formData>" if fields else ""
    given = "".join(f'<camunda:property name="{name}" value={quoteattr(value)}/>' for name, value in properties.items())
    return f"<bpmn:extensionElements>{form}<camunda:properties>{given}</camunda:properties></bpmn:extensionElements>"


def step(id: str, name: str, seat: str, *fields: str, inside: str = "", **properties: str) -> str:
    """A user task of a seat, or of a person when the seat is an expression."""
    who = {"camunda_assignee": seat} if seat.startswith("$") else {"camunda_candidateGroups": seat}
    return element("userTask", id, said(*fields, **properties) + inside, name=name, **who)


def action(name: str, label: str, groups: str, *fields: str, interrupting: bool = False, **properties: str) -> str:
    """An event sub-process that a message starts: something that can be done at any time."""
    begin = start(
        name, said(*fields, candidateGroups=groups, **properties) + message(name), name=label, isInterrupting=str(interrupting).lower()
    )
    return event_sub(f"{name}_at_any_time", begin, end(f"{name}_done", name=f"{label}済み"), flows(f"{name} > {name}_done"))


SUMMARY = field("item_summary", "概要", "text", required=True)
UNIT = field("owning_unit", "担当の課", "unit", required=True)
KNOWN = field("known_at", "知った日時", "datetime", not_after="now")
DUTY = field("duty", "義務", "enum", "yes=はい", "no=いいえ", "review=判断待ち")
DAYS = field("report_days", "日数", "long", min="1", max="90")
AMOUNT = field("amount", "金額", "long", min="0")

DIAGRAMS: dict[str, tuple[str, ...]] = {
    "approval": (
        said(withdraw="until_first_act", numbering="general"),
        start("apply", said(SUMMARY, UNIT, AMOUNT, clause="C-1"), name="申請"),
        step(
            "review", "審査", "protection_manager@owning_unit",
            field("opinion", "意見", "text", required=True, maxlength="100"), AMOUNT, field("urgent", "急ぎ", "boolean"),
            field("kind", "種別", "enum", "x=甲", "y=乙"), field("kinds", "該当", "set", "p=ア", "q=イ"),
            field("seen_on", "見た日", "date", not_after="now"), field("until", "期日", "date", not_before="seen_on"),
            field("why_y", "乙の理由", "string", required_when='kind == "y"', props={"shown_when": 'kind == "y"'}),
            field("list", "一覧", "rows", "name=名", "note=備考"), field("needs_fix", "補正が要る", "boolean"),
            clause="C-2", urgency="at_once",
        ),
        exclusive("enough", default="enough_approve"),
        step("fix", "補正", "${reporter}", AMOUNT),
        step(
            "approve", "承認", "division_protection_manager@owning_unit",
            field("verdict", "決定", "enum", "granted=承認", "refused=却下", required=True, props={"as_buttons": "true"}),
            clause="C-3", urgency="promptly", not_same_person_as="review,apply", send_back_to="review,fix",
        ),
        exclusive("which", default="which_approved"),
        end("approved", name="承認済み"),
        end("rejected", name="却下"),
        flows(
            "apply > review > enough > approve > which > approved", "enough > fix : needs_fix == true", "fix > review",
            'which > rejected : verdict == "refused"',
        ),
    ),
    "parallel": (
        said(withdraw="until_end", numbering="general"),
        start("begin", said(SUMMARY, UNIT, AMOUNT), name="開始"),
        parallel("fork"),
        step("left", "左", "protection_manager@owning_unit", AMOUNT, field("left_note", "左の記録", "string"), urgency="at_once"),
        step("right", "右", "division_protection_manager@owning_unit", AMOUNT, field("right_note", "右の記録", "string"), urgency="promptly"),
        parallel("join"),
        end("both", name="両方済み"),
        flows("begin > fork > left > join > both", "fork > right > join"),
    ),
    "deadline": (
        said(numbering="general"),
        start("begin", said(SUMMARY, UNIT), name="開始"),
        step("work", "作業", "protection_manager@owning_unit", field("note", "記録", "string"), urgency="at_once"),
        boundary("too_late", "work", timer("PT2H")),
        step("take_over", "引継ぎ", "division_protection_manager@owning_unit"),
        end("done", name="完了"),
        end("taken_over", name="引継ぎ済み"),
        flows("begin > work > done", "too_late > take_over > taken_over"),
    ),
    "cycle": (
        said(numbering="general"),
        start("begin", said(SUMMARY, UNIT), name="開始"),
        step("work", "作業", "protection_manager@owning_unit"),
        boundary("again", "work", timer("R/PT1H"), interrupting=False),
        element("sendTask", "tell", said(to="general_protection_manager@organisation"), name="毎時の知らせ", camunda_topic="notify"),
        end("done", name="完了"),
        end("told", name="知らせた"),
        flows("begin > work > done", "again > tell > told"),
    ),
    "broken": (
        said(numbering="general"),
        start("begin", said(SUMMARY, UNIT, AMOUNT), name="開始"),
        step("work", "作業", "protection_manager@owning_unit"),
        boundary("later", "work", timer("PT1H"), interrupting=False),
        exclusive("which", default="which_never"),
        end("done", name="完了"),
        end("never", name="通らない"),
        end("other", name="別"),
        flows("begin > work > done", "later > which > never", 'which > other : amount + "x" == 1'),
    ),
    "wait": (
        said(numbering="general"),
        start("begin", said(SUMMARY, UNIT, field("wake_at", "起きる日時", "datetime")), name="開始"),
        element("intermediateCatchEvent", "sleep", timer("wake_at"), name="待つ"),
        step("work", "作業", "protection_manager@owning_unit"),
        end("done", name="完了"),
        flows("begin > sleep > work > done"),
    ),
    "many": (
        said(numbering="general"),
        start("begin", said(SUMMARY, UNIT, field("persons", "人", "rows", "label=名")), name="開始"),
        step(
            "ask", "照会", "protection_manager@owning_unit", field("answer", "回答", "string", required=True),
            inside=multi(collection="persons", variable="person"),
        ),
        end("done", name="完了"),
        flows("begin > ask > done"),
    ),
    "turns": (
        said(numbering="general"),
        start("begin", said(SUMMARY, UNIT), name="開始"),
        step("ask", "照会", "protection_manager@owning_unit", field("answer", "回答", "string"), inside=multi(times="3", sequential=True)),
        end("done", name="完了"),
        flows("begin > ask > done"),
    ),
    "clock": (
        said(withdraw="never", numbering="general"),
        start("begin", said(SUMMARY, UNIT, KNOWN, DUTY, DAYS), name="開始"),
        step(
            "prepare", "報告の作成", "protection_manager@owning_unit", field("reported_on", "提出日", "date"), AMOUNT, deadline="report", clause="C-2",
        ),
        boundary("due_now", "prepare", timer('due("report")'), interrupting=False),
        element("sendTask", "warn", said(to="general_protection_manager@organisation", template="clock_overdue"), name="超過", camunda_topic="notify"),
        end("warned", name="知らせた"),
        step(
            "finish", "終結", "division_protection_manager@owning_unit", field("really", "確かか", "boolean"), field("duty", "義務", "enum", "yes=はい", "no=いいえ"),
        ),
        exclusive("sure", default="sure_closed"),
        step("check", "確認", "division_protection_manager@owning_unit", clause="C-3"),
        end("closed", name="終結"),
        action("amend", "事実の更新", "protection_manager@owning_unit,division_protection_manager@owning_unit,reporter", KNOWN, DUTY, DAYS, AMOUNT),
        action("transfer", "転送", "protection_manager@owning_unit", UNIT),
        action("hidden", "出さない", "protection_manager@owning_unit", offered_when="amount == 1"),
        action("merged", "統合", "general_protection_manager@organisation", interrupting=True, offered_when="false"),
        action("stop", "中止", "general_protection_manager@organisation", interrupting=True),
        flows("begin > prepare > finish > sure > closed", "sure > check : really == false", "check > finish", "due_now > warn > warned"),
    ),
    "lend": (
        said(withdraw="until_end", numbering="general"),
        start(
            "apply",
            said(
                SUMMARY, UNIT, AMOUNT, field("medium", "媒体", "string"), field("sort", "種類", "enum", "usb=USBメモリ", "paper=紙"),
                field("lent_on", "貸出日", "date"), field("due_at", "期限", "datetime"), field("borrower", "借りた人", "people"),
                field("contract", "契約", "string"), field("own_no", "番号", "string"), field("parent_no", "上位の番号", "string"),
                field("pieces", "品目", "rows", "label=品名", "count=数"),
            ),
            name="申請",
        ),
        element("serviceTask", "enter", said(ledger="loans", state="貸出中"), name="台帳への登載", camunda_topic="ledger"),
        element("serviceTask", "enter_pieces", said(ledger="pieces", state="貸出中"), name="品目の登載", camunda_topic="ledger"),
        element("serviceTask", "enter_tier", said(ledger="tiers", state="有効"), name="登録", camunda_topic="ledger"),
        step(
            "give_back", "返却の確認", "protection_manager@owning_unit", AMOUNT, field("back", "返却", "boolean"), field("medium", "媒体", "string"),
            field("lent_on", "貸出日", "date"), field("pieces", "品目", "rows", "label=品名", "count=数"), UNIT,
        ),
        exclusive("is_back", default="is_back_enter"),
        element("serviceTask", "close", said(ledger="loans", state="返却済"), name="台帳の締め", camunda_topic="ledger"),
        element("serviceTask", "close_pieces", said(ledger="pieces", state="返却済"), name="品目の締め", camunda_topic="ledger"),
        end("returned", name="返却済み"),
        flows(
            "apply > enter > enter_pieces > enter_tier > give_back > is_back > enter", "is_back > close : back == true",
            "close > close_pieces > returned",
        ),
    ),
}  # fmt: skip
MESSAGES = "".join(f'<bpmn:message id="m_{name}" name="{name}"/>' for name in ("amend", "transfer", "hidden", "merged"))


def write_offices(folder: Path) -> Path:
    """Write the two offices; `elsewhere` has the same units, so that the ids of its seats are the same."""
    for office, name in (("office", "試験庁"), ("elsewhere", "他庁")):
        place = folder / office
        place.mkdir(parents=True)
        (place / "organisation.toml").write_text(ORGANISATION.format(id=office, name=name), "utf-8")
        (place / "rules.toml").write_text(RULES.replace("office_clock", f"{office}_clock") + LEDGERS, "utf-8")
        (place / "clauses.csv").write_text(CLAUSES, "utf-8")
        for stem, parts in DIAGRAMS.items():
            (place / f"{stem}.bpmn").write_bytes(diagram(*parts, id=f"{office}_{stem}", head=MESSAGES))
    (folder / "common").mkdir()
    return folder


# ---------------------------------------------------------------- the world


class World:
    """An engine at a set time with a person in every seat: `protection_manager.a` holds `protection_manager@a`, and so on."""

    def __init__(self, engine: Engine, clock: SetClock, office: str = "office") -> None:
        self.engine, self.clock, self.office = engine, clock, office

    # Acting.

    def person(self, seat: str) -> str:
        """Who holds a seat from the beginning."""
        return seat.removeprefix("person:") if seat.startswith("person:") else seat.replace("@", ".")

    @contextmanager
    def acting(self, seat: str) -> Iterator[Work]:
        """A unit of work of the seat's holder, from that seat."""
        with self.engine.work(by=self.person(seat), seat=None if seat.startswith("person:") else seat) as work:
            yield work

    def start(self, process: str, seat: str = STAFF, **answers: Any) -> int:
        """Start a case of one of the small procedures."""
        given = {"item_summary": "鍵付き書庫の点検で山田太郎の書類を見つけた", "owning_unit": "a", **answers}
        with self.acting(seat) as work:
            return work.start(f"{self.office}_{process}", given)

    def complete(self, case_id: int, node: str, seat: str | None = None, version: int | None = None, **answers: Any) -> None:
        """Complete the open step of this element."""
        row = self.task(case_id, node)
        with self.acting(seat or row["seat"]) as work:
            work.complete(row["id"], answers, version)

    def act(self, case_id: int, name: str, seat: str = MANAGER, version: int | None = None, **answers: Any) -> None:
        """Do an action of the case."""
        with self.acting(seat) as work:
            work.act(case_id, name, answers, version)

    def appoint(self, person: str, seat: str, **more: Any) -> str:
        """Register a further person, if new, and give a seat; returns the person's id."""
        if not self.rows("person", id=person):
            self.engine.register(person, self.office, f"{person}さん", email=f"{person}@example.go.jp", password_hash=None)
        self.engine.appoint(person, seat, **{"since": SINCE, **more})
        return person

    def disable(self, person: str) -> None:
        """End an account."""
        with self.engine.writing() as connection:
            table = metadata.tables["person"]
            connection.execute(table.update().where(table.c.id == person).values(disabled_at=self.clock.now()))

    def pass_time(self, **span: float) -> None:
        """Move the clock, stopping at every due instant on the way as a worker would."""
        until = self.clock.now() + timedelta(**span)
        while (due := self.next_due()) is not None and due <= until:
            self.clock.set(max(due, self.clock.now()))
            self.run()
        self.clock.set(until)

    def run(self) -> int:
        """Everything that is due now."""
        done = 0
        while ran := self.engine.run_due(limit=500):
            done += ran
        return done

    def next_due(self) -> datetime | None:
        """When the next job is due."""
        jobs = metadata.tables["job"]
        with self.engine.reading() as connection:
            return connection.scalar(sa.select(sa.func.min(jobs.c.run_at)))

    # Looking.

    def viewer(self, seat: str) -> Viewer:
        """The holder of a seat, looking now."""
        return self.engine.viewer(self.person(seat))

    def rows(self, table: str, **where: Any) -> list[dict[str, Any]]:
        """Rows of a table in the order of their keys."""
        wanted = metadata.tables[table]
        query = sa.select(wanted).where(*(wanted.c[name] == value for name, value in where.items()))
        with self.engine.reading() as connection:
            return [dict(row) for row in connection.execute(query.order_by(*wanted.primary_key)).mappings()]

    def task(self, case_id: int, node: str) -> dict[str, Any]:
        """The first open step of this element."""
        found = [row for row in self.rows("task", case_id=case_id, state="open") if row["node"].rsplit("/", 1)[-1] == node]
        assert found, f"{node} is not open; {self.waits(case_id)}"
        return found[0]

    def waits(self, case_id: int) -> list[str]:
        """Elements of the open steps."""
        return sorted(row["node"] for row in self.rows("task", case_id=case_id, state="open"))

    def case(self, case_id: int) -> dict[str, Any]:
        """The case's row."""
        return self.rows("case_file", id=case_id)[0]

    def facts(self, case_id: int) -> dict[str, Any]:
        """The case's facts."""
        return dict(json.loads(self.case(case_id)["facts"]))

    def history(self, case_id: int, tag: str | None = None) -> list[dict[str, Any]]:
        """History rows that name the case, data read."""
        rows = [row | {"data": json.loads(row["data"])} for row in self.rows("history", case_id=case_id)]
        return [row for row in rows if tag in (None, row["tag"])]

    def notices(self, person: str | None = None, **where: Any) -> list[dict[str, Any]]:
        """Notices, of one person perhaps."""
        return self.rows("notice", **where, **({"person": person} if person else {}))

    def mails(self, person: str | None = None) -> list[dict[str, Any]]:
        """The mail deliveries with their notices, of one person perhaps."""
        told = {row["id"]: row for row in self.notices(person)}
        return [{**told[row["notice"]], **row} for row in self.rows("delivery", channel="mail") if row["notice"] in told]

    def checksums(self) -> dict[str, str]:
        """Table -> checksum over all its rows."""
        sums = {}
        for name in metadata.tables:
            total = hashlib.sha256()
            for row in self.rows(name):
                total.update(repr(sorted(row.items())).encode())
            sums[name] = total.hexdigest()
        return sums


# ---------------------------------------------------------------- making one


def populate(engine: Engine, offices: tuple[str, ...]) -> None:
    """A person in every seat and every diagram in force; people of the second office have its id at the end of theirs."""
    for office_id in offices:
        office = engine.organisation(office_id)
        suffix = "" if office_id == offices[0] else f".{office_id}"
        for seat in office.seats(civil_day(engine.clock.now())):
            person = seat.replace("@", ".") + suffix
            engine.register(person, office_id, f"{office.seat_name(seat)}さん", email=f"{person}@example.go.jp", password_hash=None)
            engine.appoint(person, seat, since=SINCE)
        engine.deploy(office_id, f"designer.{office_id}")


@cache
def _scratch() -> Path:
    """A folder that goes when the test run ends."""
    made = tempfile.mkdtemp(prefix="tadachi-tests-")
    atexit.register(shutil.rmtree, made, ignore_errors=True)
    return Path(made)


@cache
def offices() -> Path:
    """The folder of the two small offices, written once for a test run."""
    return write_offices(_scratch() / "bpmn")


@cache
def _template(isa: bool) -> Path:
    """A SQLite database with everything in place, to be copied for each test."""
    path = _scratch() / f"template-{isa}.sqlite"
    engine = make_engine(f"sqlite:///{path}", SetClock(MONDAY), isa=isa)
    engine.migrate()
    populate(engine, ("isa",) if isa else ("office", "elsewhere"))
    engine.close()
    return path


#: Proves nothing: these tests are about what runs, and some of the small diagrams are drawn to go wrong.
unproven = Engine.unproven


def make_engine(url: str, clock: SetClock, *, isa: bool = False, prove: Any = unproven, **settings: Any) -> Engine:
    """An engine over a database, with the small offices or the real one; diagrams come into force without a proof unless one is asked for."""
    given = Settings(
        database=url, bpmn=ROOT / "bpmn" if isa else offices(), mail_from="tadachi@example.go.jp", base_url="https://tadachi.example"
    )
    return Engine(replace(given, **settings), clock=clock, prove=prove)


def make_world(folder: Path, postgresql: str | None = None, *, isa: bool = False, at: datetime = MONDAY, **settings: Any) -> World:
    """A world of its own, on a copy of the SQLite template or on a database that `postgresql_copy` made."""
    clock = SetClock(at)
    url = postgresql
    if url is None:
        path = folder / "tadachi.sqlite"
        shutil.copy(_template(isa), path)
        url = f"sqlite:///{path}"
    return World(make_engine(url, clock, isa=isa, **settings), clock, "isa" if isa else "office")


@cache
def _postgresql_template(server: str) -> str:
    """The name of a database on this server with everything in place: copying it is faster than migrating each time."""
    with psycopg.connect(server.replace("+psycopg", ""), autocommit=True) as connection:
        connection.execute("CREATE DATABASE template_offices TEMPLATE template0")
    engine = make_engine(server.rpartition("/")[0] + "/template_offices", SetClock(MONDAY))
    engine.migrate()
    populate(engine, ("office", "elsewhere"))
    engine.close()
    return "template_offices"


@contextmanager
def postgresql_copy(server: str) -> Iterator[str]:
    """The address of a database with the small offices and their people, dropped at the end."""
    name, template = f"copy_{os.urandom(6).hex()}", _postgresql_template(server)
    with psycopg.connect(server.replace("+psycopg", ""), autocommit=True) as connection:
        connection.execute(f"CREATE DATABASE {name} TEMPLATE {template}")  # type: ignore[call-overload]
        yield server.rpartition("/")[0] + f"/{name}"
        connection.execute(f"DROP DATABASE {name} WITH (FORCE)")  # type: ignore[call-overload]


def in_threads(count: int, do: Callable[[int], Any]) -> list[Any]:
    """Do something in several threads that start together; answers with each result or exception, in order."""
    barrier = threading.Barrier(count)
    results: list[Any] = [None] * count

    def run(number: int) -> None:
        barrier.wait()
        try:
            results[number] = do(number)
        except Exception as error:
            results[number] = error

    threads = [threading.Thread(target=run, args=(number,)) for number in range(count)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert not any(thread.is_alive() for thread in threads), "a thread hangs"
    return results


@contextmanager
def counted(database: sa.Engine) -> Iterator[list[str]]:
    """The SQL statements sent meanwhile, BEGIN left out."""
    sent: list[str] = []

    def note(_connection: Any, _cursor: Any, statement: str, *_rest: Any) -> None:
        if not statement.startswith("BEGIN"):
            sent.append(statement)

    sa.event.listen(database, "before_cursor_execute", note)
    try:
        yield sent
    finally:
        sa.event.remove(database, "before_cursor_execute", note)
