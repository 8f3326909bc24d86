"""The small office with procedures that go by posts, people who keep its registers, and short ways to say who does what and when.

Used by the tests of posts, people and absences by date (test_orders, test_review, test_reorganisation, test_staffing, test_posts_machine).
"""

from __future__ import annotations

import atexit
import json
import shutil
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from datetime import date, datetime, timedelta
from functools import cache
from pathlib import Path
from typing import Any

from engine import JST, Engine, SetClock, Viewer, Work, civil_day, start_of_day
from tests.engine.drawing import diagram, end, exclusive, flows, start
from tests.support import (
    DUTY,
    MESSAGES,
    MONDAY,
    SUMMARY,
    UNIT,
    World,
    action,
    field,
    make_engine,
    make_world,
    populate,
    postgresql_copy,
    said,
    step,
    write_offices,
)

TODAY = civil_day(MONDAY)
TOMORROW = TODAY + timedelta(days=1)
MIDNIGHT = start_of_day(TOMORROW)

#: People of the small office by what they are.
STAFF_A, STAFF_B, MANAGER_A, MANAGER_B = "staff.a", "staff.b", "protection_manager.a", "protection_manager.b"
DIVISION_HEAD, KEEPER, AUDITOR = "division_protection_manager.north", "general_protection_manager.office", "audit_officer.office"
#: Tables that an order must not touch: everything of cases.
OF_CASES = ("case_file", "case_seat", "task", "bar", "referral", "attachment", "statutory_clock", "case_link", "definition", "draft")

OPINION = field("opinion", "意見", "text", required=True)
LATER = field("afterwards", "後閲とする", "boolean")
VERDICT = field("verdict", "決定", "enum", "granted=承認", "refused=却下", required=True, props={"as_buttons": "true"})
PASSED = {"passed_over": 'opinion="後閲"', "passed_over_when": "afterwards == true", "records": "none"}
WORKERS = field("workers", "作業する職員", "people")
INVOLVED = field("involved", "関係した職員", "people", props={"named": "true"})

DIAGRAMS: dict[str, tuple[str, ...]] = {
    # Prepared and approved by different people, neither of them who applied.
    "duty": (
        said(withdraw="until_end", numbering="general"),
        start("apply", said(SUMMARY, UNIT), name="申請"),
        step("prepare", "準備", "staff@owning_unit", field("text", "内容", "string")),
        step(
            "approve", "承認", "protection_manager@owning_unit", VERDICT, final="true", not_same_person_as="prepare,apply", send_back_to="prepare",
        ),
        end("done", name="完了"),
        flows("apply > prepare > approve > done"),
    ),
    # A draft goes past its reviewer to who decides.
    "route": (
        said(withdraw="until_end", numbering="general"),
        start("begin", said(SUMMARY, UNIT), name="開始"),
        step("draft", "起案", "staff@owning_unit", LATER),
        step("check", "審査", "protection_manager@owning_unit", OPINION, not_same_person_as="begin", **PASSED),
        step("decide", "決裁", "division_protection_manager@owning_unit", VERDICT, final="true", clause="C-3", not_same_person_as="draft,check"),
        end("done", name="完了"),
        flows("begin > draft > check > decide > done"),
    ),
    # The review is the first step of all.
    "at_once": (
        said(withdraw="until_end", numbering="general"),
        start("begin", said(SUMMARY, UNIT, LATER), name="開始"),
        step("check", "審査", "protection_manager@owning_unit", OPINION, **PASSED),
        step("decide", "決裁", "division_protection_manager@owning_unit", VERDICT, final="true"),
        end("done", name="完了"),
        flows("begin > check > decide > done"),
    ),
    # Two reviews that lead to each other until one of the reviewers says stop.
    "rounds": (
        said(withdraw="until_end", numbering="general"),
        start("begin", said(SUMMARY, UNIT), name="開始"),
        step("draft", "起案", "staff@owning_unit"),
        step("one", "審査一", "protection_manager@owning_unit", field("stop", "止める", "boolean"), passed_over="none", records="none"),
        step("two", "審査二", "division_protection_manager@owning_unit", passed_over="none", records="none"),
        exclusive("which", default="which_one"),
        end("done", name="完了"),
        flows("begin > draft > one > two > which > one", "which > done : stop == true"),
    ),
    # The review is the last step, and a duty wants a record that it does not leave.
    "obliged": (
        said(withdraw="until_end", numbering="general"),
        start("begin", said(SUMMARY, UNIT, DUTY), name="開始"),
        step("draft", "起案", "staff@owning_unit", DUTY),
        step("check", "確認", "protection_manager@owning_unit", passed_over="none", records="none"),
        end("done", name="完了"),
        flows("begin > draft > check > done"),
    ),
    # A case may be about the people who would handle it.
    "about": (
        said(withdraw="until_end", numbering="general"),
        start("begin", said(SUMMARY, UNIT, INVOLVED), name="開始"),
        step("handle", "調査", "protection_manager@owning_unit", INVOLVED, field("text", "内容", "string")),
        step("settle", "終結", "division_protection_manager@owning_unit", INVOLVED),
        end("done", name="完了"),
        action("amend", "事実の更新", "reporter,division_protection_manager@owning_unit", INVOLVED),
        action("transfer", "転送", "reporter", UNIT),
        flows("begin > handle > settle > done"),
    ),
    # Two steps in a row that one person may have by two seats.
    "pair": (
        said(withdraw="until_end", numbering="general"),
        start("begin", said(SUMMARY, UNIT), name="開始"),
        step("first", "調査", "protection_manager@owning_unit", field("found", "結果", "string", required=True), field("skip", "省く", "boolean"), clause="C-2"),
        exclusive("which", default="which_second"),
        step("second", "確認", "division_protection_manager@owning_unit", field("count", "件数", "long", required=True, min="0"), clause="C-3"),
        step("third", "点検", "division_protection_manager@owning_unit"),
        end("done", name="完了"),
        end("skipped", name="省略"),
        flows("begin > first > which > second > done", "which > third : skip == true", "third > skipped"),
    ),
    # Whoever a list names, and whoever asked by an action, may not answer.
    "named": (
        said(withdraw="until_end", numbering="general"),
        start("apply", said(SUMMARY, UNIT, WORKERS), name="申請"),
        step("approve", "承認", "protection_manager@owning_unit", VERDICT, WORKERS, not_same_person_as="workers"),
        step("settle", "確認", "division_protection_manager@owning_unit", not_same_person_as="transfer,workers"),
        end("done", name="完了"),
        action("transfer", "転送", "protection_manager@owning_unit,division_protection_manager@owning_unit", WORKERS),
        flows("apply > approve > settle > done"),
    ),
    # A transfer in the middle of steps that must be different people's.
    "moving": (
        said(withdraw="until_end", numbering="general"),
        start("apply", said(SUMMARY, UNIT), name="申請"),
        step("approve", "承認", "protection_manager@owning_unit", VERDICT, not_same_person_as="apply"),
        end("done", name="完了"),
        action("transfer", "転送", "reporter", UNIT),
        flows("apply > approve > done"),
    ),
}  # fmt: skip


@cache
def scratch() -> Path:
    """A folder that goes when the test run ends."""
    made = tempfile.mkdtemp(prefix="tadachi-posts-")
    atexit.register(shutil.rmtree, made, ignore_errors=True)
    return Path(made)


@cache
def folder() -> Path:
    """The folder of the small offices with these procedures as well."""
    made = write_offices(scratch() / "bpmn")
    for office in ("office", "elsewhere"):
        for stem, parts in DIAGRAMS.items():
            (made / office / f"{stem}.bpmn").write_bytes(diagram(*parts, id=f"{office}_{stem}", head=MESSAGES))
        rules = made / office / "rules.toml"
        text = rules.read_text("utf-8")
        rules.write_text(text.replace(f'["{office}_clock"]', f'["{office}_clock", "{office}_obliged"]'), "utf-8")
    return made


@cache
def template() -> Path:
    """A SQLite database with everything in place."""
    path = scratch() / "template.sqlite"
    engine = make_engine(f"sqlite:///{path}", SetClock(MONDAY), bpmn=folder())
    engine.migrate()
    populate(engine, ("office", "elsewhere"))
    engine.close()
    return path


class Posts(World):
    """The small office at work, with its registers."""

    @property
    def on(self) -> date:
        """Today in Japan."""
        return civil_day(self.clock.now())

    def who(self, person: str) -> Viewer:
        """A person, looking now."""
        return self.engine.viewer(person)

    @contextmanager
    def by(self, person: str, seat: str | None = None) -> Iterator[Work]:
        """A unit of work of a person."""
        with self.engine.work(by=person, seat=seat) as work:
            yield work

    def does(self, person: str, case_id: int, node: str, *, seat: str | None = None, **answers: Any) -> dict[str, Any]:
        """A person completes the open step of this element; the task row as it is then."""
        task = self.task(case_id, node)
        with self.by(person, seat) as work:
            work.complete(task["id"], answers)
        return self.rows("task", id=task["id"])[0]

    def inbox_of(self, person: str) -> list[str]:
        """Elements of the open steps in a person's inbox."""
        return sorted(self.rows("task", id=row.task_id)[0]["node"] for row in self.engine.inbox(self.who(person), limit=200).rows)

    def sees(self, person: str) -> set[int]:
        """Ids of the cases a person sees."""
        return {head.id for head in self.engine.cases(self.who(person), limit=200)[0]}

    def newcomer(self, person: str, seat: str = "", **more: Any) -> str:
        """A further person, who holds a seat perhaps."""
        self.engine.register(person, self.office, f"{person}さん", email=f"{person}@example.go.jp", password_hash=None)
        if seat:
            self.engine.appoint(person, seat, **{"since": date(2022, 4, 1), **more})
        return person

    def away(self, person: str, first: date | None = None, last: date | None = None) -> int:
        """Register an absence by the person; the worker runs."""
        made = self.engine.personnel.register_absence(self.who(person), person, first or self.on, last, "leave")
        self.run()
        return made

    def deputy(self, principal: str, person: str, *, kind: str = "substitute", by: str = KEEPER, **more: Any) -> int:
        """Register a deputy; the worker runs."""
        given = {"seat": "", "process": "", "basis": "規程第5条", "valid_from": self.on, "valid_to": None, **more}
        made = self.engine.personnel.register_deputy(self.who(by), principal, person, kind=kind, **given)
        self.run()
        return made

    def holding(self, person: str, seat: str) -> dict[str, Any]:
        """The row of a seat that a person holds, as known now."""
        return next(row for row in self.rows("holding", person=person, seat=seat) if row["superseded_at"] is None)

    def read(self, *rows: Mapping[str, str], by: str = KEEPER, day: date | None = TOMORROW, encoding: str = "utf-8") -> int:
        """Import an order from a CSV file with these rows; its id."""
        headers = list(dict.fromkeys(name for row in rows for name in row))
        lines = [",".join(headers), *(",".join(row.get(name, "") for name in headers) for row in rows)]
        content = "\r\n".join(lines).encode(encoding)
        return self.engine.orders.read(self.who(by), "人事異動", day, "発令.csv", content)

    def order(self, *rows: Mapping[str, str], day: date | None = None) -> int:
        """Import an order for tomorrow and have the second person approve it."""
        made = self.read(*rows, day=day or self.on + timedelta(days=1))
        self.engine.orders.approve(self.who(DIVISION_HEAD), made)
        return made

    def to_midnight(self) -> None:
        """Let time pass to 0:00 of tomorrow, the worker running."""
        left = start_of_day(self.on + timedelta(days=1)) - self.clock.now()
        self.pass_time(seconds=left.total_seconds())

    def of_cases(self) -> dict[str, str]:
        """Checksums of all that belongs to cases; of history and due work only the rows that do."""
        sums = {name: total for name, total in self.checksums().items() if name in OF_CASES}
        for name in ("history", "job", "notice"):
            sums[name] = json.dumps([row for row in self.rows(name) if row["case_id"] is not None], default=str)
        return sums


def moved(person: str, unit: str, role: str, action: str = "異動", **more: str) -> dict[str, str]:
    """A row of an order."""
    return {"職員番号": person, "発令": action, "部署": unit, "役": role, **more}


def leaves(person: str) -> dict[str, str]:
    """The row of somebody who leaves."""
    return {"職員番号": person, "発令": "退職"}


def make_posts(place: Path, at: datetime = MONDAY, of: Path | None = None) -> Posts:
    """The office on a copy of the SQLite template, or of another database."""
    path = place / "posts.sqlite"
    shutil.copy(of or template(), path)
    clock = SetClock(at)
    return Posts(make_engine(f"sqlite:///{path}", clock, bpmn=folder()), clock)


@contextmanager
def posts_on(database: str, place: Path, server: str = "") -> Iterator[Posts]:
    """The office on one of the databases."""
    if database == "sqlite":
        made = make_posts(place)
        yield made
        made.engine.close()
        return
    with postgresql_copy(server) as url:
        world = make_world(place, url, bpmn=folder())
        world.engine.deploy("office", "designer.office")
        yield Posts(world.engine, world.clock)
        world.engine.close()


def midnight(days: int = 1) -> datetime:
    """0:00 of the day after so many from today, in Japan."""
    return start_of_day(TODAY + timedelta(days=days)).astimezone(JST)


def second_engine(posts: Posts) -> Engine:
    """Another process on the same database."""
    return make_engine(posts.engine.settings.database, posts.clock, bpmn=folder())
