"""The small office with a procedure that is decided: applied for, checked, approved under conditions, sent back, revoked; with its papers.

Used by the tests of decision papers and of the papers of approvals (test_decision_paper, webui/test_decision_pages).
"""

from __future__ import annotations

import atexit
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from pathlib import Path

from engine import SetClock
from tests.engine.drawing import diagram, end, exclusive, flows, start
from tests.engine.posts import DIVISION_HEAD, MANAGER_A, MONDAY, STAFF_A, Posts
from tests.engine.posts import folder as posts_folder
from tests.support import AMOUNT, SUMMARY, UNIT, action, field, make_engine, make_world, populate, postgresql_copy, said, step

CONTRACTOR = field("contractor", "委託先", "string")
MEDIA = field("media", "媒体", "rows", "id=番号", "kind=種類", "note=備考")
UNTIL = field("expires_on", "期限", "date")
INVOLVED = field("carrier", "携行する人", "people")
OPINION = field("opinion", "意見", "text", required=True)
VERDICT = field(
    "decision", "決定", "enum", "approve=承認", "conditional=条件を付けて承認", "refuse=不承認", "correct=是正を求める",
    required=True, props={"as_buttons": "true"},
)  # fmt: skip
CONDITIONS = field("conditions", "条件", "text", required_when='decision == "conditional"')
PASSED = {"passed_over": 'opinion="後閲"', "records": "none"}

PERMIT = (
    said(withdraw="until_end", numbering="general"),
    start("apply", said(SUMMARY, UNIT, CONTRACTOR, AMOUNT, UNTIL, MEDIA, INVOLVED, clause="C-1"), name="申請"),
    step("check", "審査", "protection_manager@owning_unit", OPINION, AMOUNT, field("on_site", "実地で確認した", "boolean"), **PASSED),
    step(
        "decide", "決裁", "division_protection_manager@owning_unit", VERDICT, CONDITIONS, clause="C-3", decision="true", final="true",
        sets="decided_on=today()", send_back_to="check", not_same_person_as="apply,check", paper="decision",
    ),
    exclusive("which", default="which_receive"),
    step("fix", "補正", "${reporter}", AMOUNT, CONTRACTOR, sets="on_site=null"),
    step(
        "receive", "契約の写しの受領", "protection_manager@owning_unit", field("approval_number", "承認番号", "string"), clause="C-2",
        send_back_to="decide", paper="permit_paper",
    ),
    end("done", name="完了"),
    end("refused", name="不承認"),
    action("amend", "事実の更新", "protection_manager@owning_unit", SUMMARY, AMOUNT, CONTRACTOR, UNTIL, CONDITIONS),
    action("revoke", "承認の取消し", "division_protection_manager@owning_unit", field("revoked_because", "取消しの理由", "text"), sets="revoked=true"),
    flows(
        "apply > check > decide > which > receive > done", 'which > fix : decision == "correct"', 'which > refused : decision == "refuse"', "fix > check",
    ),
)  # fmt: skip
HEAD = "".join(f'<bpmn:message id="m_{name}" name="{name}"/>' for name in ("amend", "revoke"))

PAPER = """
name = "許可書"
title = "持出しの許可について"
process = ["office_permit"]
approved_when = 'decision == "approve" or decision == "conditional"'
void_when = "revoked == true"
void = "取消済み"
number = "{approval_number}"
for_party = true
layout = "letter"
sender = "{office} {decided_post}"
unknown = "記載なし"

[[addressee]]
text = "{contractor} 殿"

[[note]]
text = "条件の履行を確かめてください。"
when = ['decision == "conditional"']

[[section]]
id = "opening"
text = ["申請のあった持出しを、{clauses}により許可します。"]

[[section]]
id = "terms"
heading = "許可の内容"
  [[section.row]]
  label = "期限"
  value = "{expires_on}"
  needed = true
  [[section.row]]
  label = "金額"
  value = "{amount}"
  if_known = true
  [[section.row]]
  label = "携行する人"
  value = "{carrier}"
  if_known = true
  [[section.row]]
  label = "条件"
  value = "{conditions}"
  when = ['decision == "conditional"']

[[section]]
id = "media"
heading = "媒体"
table = "media"
columns = ["id", "kind"]
"""


@cache
def folder() -> Path:
    """The folder of the small offices with the procedure and its paper."""
    made = Path(tempfile.mkdtemp(prefix="tadachi-decided-")) / "bpmn"
    atexit.register(shutil.rmtree, made.parent, ignore_errors=True)
    shutil.copytree(posts_folder(), made)
    (made / "office" / "permit.bpmn").write_bytes(diagram(*PERMIT, id="office_permit", head=HEAD))
    (made / "office" / "papers").mkdir()
    (made / "office" / "papers" / "permit_paper.toml").write_text(PAPER, "utf-8")
    return made


@cache
def template() -> Path:
    """A SQLite database with everything in place."""
    path = folder().parent / "template.sqlite"
    engine = make_engine(f"sqlite:///{path}", SetClock(MONDAY), bpmn=folder())
    engine.migrate()
    populate(engine, ("office", "elsewhere"))
    engine.close()
    return path


class Decided(Posts):
    """The office at work, with short ways to have something decided."""

    def applied(self, **answers: object) -> int:
        """An application that waits for its check."""
        given = {"item_summary": "研修用の媒体の持出し", "contractor": "甲社", "amount": 1200, "expires_on": "2027-03-31", **answers}
        return self.start("permit", **given)

    def checked(self, **answers: object) -> int:
        """An application that waits for its decision."""
        case_id = self.applied(**answers)
        self.pass_time(hours=1)
        self.does(MANAGER_A, case_id, "check", opinion="差し支えない")
        self.pass_time(hours=1)
        return case_id

    def decided(self, decision: str = "approve", **answers: object) -> int:
        """An application that was decided."""
        case_id = self.checked()
        self.does(DIVISION_HEAD, case_id, "decide", decision=decision, **answers)
        return case_id

    def attach(self, case_id: int, name: str, content: bytes = b"%PDF-1.4 a", by: str = STAFF_A) -> None:
        """Attach a file."""
        with self.by(by) as work:
            work.attach(case_id, name, content)


@contextmanager
def decided_on(database: str, place: Path, server: str = "") -> Iterator[Decided]:
    """The office on one of the databases."""
    if database == "sqlite":
        path = place / "decided.sqlite"
        shutil.copy(template(), path)
        clock = SetClock(MONDAY)
        made = Decided(make_engine(f"sqlite:///{path}", clock, bpmn=folder()), clock)
        yield made
        made.engine.close()
        return
    with postgresql_copy(server) as url:
        world = make_world(place, url, bpmn=folder())
        world.engine.deploy("office", "designer.office")
        yield Decided(world.engine, world.clock)
        world.engine.close()
