"""The small offices with a procedure whose application and corrections an outside party may send through one-time links.

The contract desk is the `staff` of a unit here; `check` and `decide` are the office's own, and their facts are nobody else's.
"""

from __future__ import annotations

import atexit
import shutil
import tempfile
from datetime import timedelta
from functools import cache
from pathlib import Path
from typing import Any

from engine import Engine, OutsideThread, SetClock
from tests.engine.drawing import diagram, end, exclusive, flows, multi, service, start
from tests.support import (
    MANAGER,
    MESSAGES,
    MONDAY,
    STAFF,
    SUMMARY,
    World,
    field,
    make_engine,
    populate,
    postgresql_copy,
    said,
    step,
    write_offices,
)

PARTY = "株式会社みほん情報"
OFFICER = "staff.a"
#: What must never reach the party: what officials wrote, and their names.
SECRETS = ("内部の評価は低い", "第一課 職員さん", "保護管理者さん")

MEASURES = field("measures", "安全管理の方法", "text", required=True)
TIER = field("tier", "段階", "enum", "first=再委託", "second=再々委託", required=True)
REASON = field("tier_reason", "再々委託とする理由", "string", required_when='tier == "second"', props={"shown_when": 'tier == "second"'})
RATING = field("rating", "内部の評価", "text")
VERDICT = field("verdict", "決定", "enum", "granted=承認", "refused=不承認", required=True, props={"as_buttons": "true"})

DIAGRAMS: dict[str, tuple[str, ...]] = {
    "contract": (
        said(withdraw="never", numbering="general"),
        start("apply", said(SUMMARY, MEASURES, TIER, REASON, by_link="contractor", clause="C-1"), name="申請", camunda_candidateGroups="staff@owning_unit"),
        step(
            "check", "形式の確認", "protection_manager@owning_unit", RATING, MEASURES, field("ask", "相手方に尋ねること", "text"),
            field("complete", "整っている", "boolean"), clause="C-2", not_same_person_as="apply", send_back_to="correct",
        ),
        exclusive("ready", default="ready_correct"),
        step(
            "correct", "申請の補正", "staff@owning_unit", SUMMARY, MEASURES, TIER, REASON,
            field("ask", "担当からのお尋ね", "text", props={"readonly": "true"}),
            field("hidden", "評価への回答", "string", props={"shown_when": 'rating == "内部の評価は低い"'}),
            by_link="contractor", button="補正した内容を送る",
        ),
        step("decide", "決定", "division_protection_manager@owning_unit", VERDICT, final="true", clause="C-3", not_same_person_as="apply,check"),
        step("report", "契約の写しの提出", "staff@owning_unit", field("contracted_on", "契約した日", "date", not_after="now", required=True), by_link="contractor"),
        end("done", name="完了"),
        flows("apply > check > ready > correct > check", "ready > decide : complete == true", "decide > report > done"),
    ),
    # Nothing of this is left to anybody outside.
    "inside": (
        said(withdraw="never", numbering="general"),
        start("begin", said(SUMMARY), name="開始"),
        step("work", "作業", "staff@owning_unit"),
        end("done", name="完了"),
        flows("begin > work > done"),
    ),
    # The second form must not come from whoever sent the first.
    "apart": (
        said(withdraw="never", numbering="general"),
        start("apply", said(SUMMARY, by_link="contractor"), name="申請"),
        step("confirm", "別の者による確認", "staff@owning_unit", field("reply", "回答", "string"), by_link="contractor", not_same_person_as="apply"),
        end("done", name="完了"),
        flows("apply > confirm > done"),
    ),
    # What the party tells begins a case of another procedure, whose start is left to a party as well.
    "breach": (
        said(withdraw="never", numbering="general"),
        start("begin", said(SUMMARY), name="開始"),
        step("tell", "事故の連絡", "staff@owning_unit", field("what", "起きたこと", "text", required=True), by_link="contractor"),
        service("open", "start_case", said(process="office_apart", passes="item_summary=what", link="事故の連絡"), name="案件の開始"),
        end("done", name="完了"),
        flows("begin > tell > open > done"),
    ),
    # One answer for each place.
    "places": (
        said(withdraw="never", numbering="general"),
        start("apply", said(SUMMARY, field("places", "場所", "rows", "name=名称"), by_link="contractor"), name="申請"),
        step(
            "describe", "場所ごとの説明", "staff@owning_unit", field("lock", "施錠の方法", "string", required=True), by_link="contractor",
            inside=multi(collection="places", variable="place"),
        ),
        end("done", name="完了"),
        flows("apply > describe > done"),
    ),
    # The answer cannot go on: what is left to the party ends in a fault of the diagram.
    "faulty": (
        said(withdraw="never", numbering="general"),
        start("begin", said(SUMMARY), name="開始"),
        step("answer", "回答", "staff@owning_unit", field("reply", "回答", "string"), by_link="contractor"),
        exclusive("which", default="which_done"),
        end("done", name="完了"),
        end("other", name="別"),
        flows("begin > answer > which > done", 'which > other : reply + 1 == "x"'),
    ),
}  # fmt: skip

APPLICATION = {"item_summary": "給与計算の再委託", "measures": "専用の区画で扱います", "tier": "first"}


@cache
def scratch() -> Path:
    """A folder that goes when the test run ends."""
    made = tempfile.mkdtemp(prefix="tadachi-outside-")
    atexit.register(shutil.rmtree, made, ignore_errors=True)
    return Path(made)


@cache
def folder() -> Path:
    """The folder of the small offices with these procedures as well."""
    made = write_offices(scratch() / "bpmn")
    for office in ("office", "elsewhere"):
        for stem, parts in DIAGRAMS.items():
            text = diagram(*parts, id=f"{office}_{stem}", head=MESSAGES)
            (made / office / f"{stem}.bpmn").write_bytes(text.replace(b"office_apart", f"{office}_apart".encode()))
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


class Outside(World):
    """The small office with a party outside."""

    @property
    def desk(self) -> Any:
        """What the engine offers for outside parties."""
        return self.engine.outside

    def issue(self, by: str = OFFICER, party: str = PARTY, days: int = 14, **what: Any) -> str:
        """Issue a link, to start the contract procedure unless a case is named; its token."""
        given = what if "case_id" in what or "process_id" in what else {**what, "process_id": f"{self.office}_contract"}
        url = self.desk.issue(self.engine.viewer(by), party=party, days=days, **given).url
        assert url.startswith("https://tadachi.example/c/")
        return str(url).rpartition("/")[2]

    def session(self, **what: Any) -> str:
        """A session of a link just issued."""
        return str(self.desk.enter(self.issue(**what)))

    def applied(self, **answers: Any) -> tuple[str, int]:
        """A session that has just applied, and the case."""
        session = self.session()
        self.desk.start(session, {**APPLICATION, **answers})
        return session, int(self.rows("outside_link")[-1]["case_id"])

    def entered(self, process: str = "contract", **answers: Any) -> int:
        """A case that the officer has entered himself."""
        with self.engine.work(by=OFFICER) as work:
            return work.start(f"{self.office}_{process}", answers or {"item_summary": "依頼"})

    def thread(self, session: str) -> OutsideThread:
        """What the party sees."""
        found: OutsideThread = self.desk.thread(session)
        return found

    def wait(self, **span: float) -> None:
        """Time passes without the worker."""
        self.clock.set(self.clock.now() + timedelta(**span))

    def checked(self, case_id: int, *, complete: bool = False, **answers: Any) -> None:
        """The office looks at an application, in words that are its own."""
        self.complete(case_id, "check", MANAGER, rating=SECRETS[0], complete=complete, **answers)


def make_outside(place: Path, url: str | None = None) -> Outside:
    """The offices on a copy of the SQLite template, or on a database that `postgresql_copy` made."""
    clock = SetClock(MONDAY)
    if url is None:
        path = place / "outside.sqlite"
        shutil.copy(template(), path)
        return Outside(make_engine(f"sqlite:///{path}", clock, bpmn=folder()), clock)
    engine: Engine = make_engine(url, clock, bpmn=folder())
    for office in ("office", "elsewhere"):
        engine.deploy(office, f"designer.{office}")
    return Outside(engine, clock)


__all__ = ["APPLICATION", "OFFICER", "PARTY", "SECRETS", "STAFF", "Outside", "make_outside", "postgresql_copy"]
