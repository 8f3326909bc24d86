"""A small office whose clauses, rules, scenarios and tests come to each other in every way there is, for the tests of the matrix."""

from __future__ import annotations

import shutil
from pathlib import Path

from tests.support import World, make_world, offices

DESIGNER, AUDITOR, STAFF = "general_protection_manager.office", "audit_officer.office", "staff.a"
#: Of the other office.
STRANGER, OTHER_AUDITOR = "general_protection_manager.elsewhere.elsewhere", "audit_officer.elsewhere.elsewhere"
PROCESS = "office_approval"

CLAUSES = """clause_id,citation,actor,trigger,action,addressee,urgency,condition,record,plain,valid_from,valid_to,note,no_procedure
C-1,試験規程 第1条,職員,知った時,知らせる,保護管理者,直ちに,―,記録,知らせてください。,2022-04-01,,,
C-2,試験規程 第2条第1項,保護管理者,知らされた時,調べる,―,速やかに,―,記録,調べてください。,2022-04-01,,,
C-3,試験規程 第3条,部課等保護管理者,終わる時,確かめる,―,―,―,記録,確かめてください。,2022-04-01,,,
C-4,試験規程 第4条,職員,常時,守る,―,―,―,―,いつも守ってください。,2022-04-01,,,行いの定めで、手続にならない。
C-5,試験規程 第5条,職員,年度の始め,学ぶ,―,―,―,―,研修を受けてください。,2022-04-01,,まだ図が無い,
C-6,試験規程 第6条,職員,来年,備える,―,―,―,―,来年から備えてください。,2027-04-01,,,
C-3,試験規程 第3条,部課等保護管理者,終わる時,よく確かめる,―,―,―,記録,よく確かめてください。,2027-04-01,,,
C-7,試験規程 第7条,職員,いつか,した,―,―,―,―,もう要りません。,2022-04-01,2025-03-31,,
"""
MORE_RULES = """
[[property]]
id = "who_reviews_does_not_approve"
kind = "never_same_person"
name = "審査した人は承認しない"
basis = "試験規程第2条・第3条"
processes = ["office_approval"]
valid_from = 2022-04-01
steps = ["review", "approve"]

[[property]]
id = "over"
kind = "never_same_person"
name = "前の決まり"
basis = "試験規程第3条"
processes = ["office_approval"]
valid_from = 2022-04-01
valid_to = 2025-03-31
steps = ["review", "approve"]
"""
TESTS = """clause_id,file,test,title
C-1,tests/test_rule.py,test_telling,知った人が知らせる。
C-3,tests/test_rule.py,test_telling,知った人が知らせる。
"""
SCENARIO = """title: 備品の購入を審査まで
process: office_approval
starts: 2026-11-16 10:00
start:
  by: staff@a
  answers: {item_summary: 備品の購入, owning_unit: a, amount: 10}
steps:
- complete: review
  answers: {opinion: よい, urgent: false, needs_fix: false}
"""


def write_office(folder: Path, clauses: str = CLAUSES) -> Path:
    """The folder of both offices; returns the first one's."""
    shutil.copytree(offices(), folder)
    office = folder / "office"
    (office / "clauses.csv").write_text(clauses, "utf-8")
    rules = (office / "rules.toml").read_text("utf-8") + MORE_RULES
    (office / "rules.toml").write_text(rules, "utf-8")
    (office / "tests.csv").write_text(TESTS, "utf-8")
    (office / "scenarios").mkdir()
    (office / "scenarios" / "review.yaml").write_text(SCENARIO, "utf-8")
    return office


def make_clausal_world(folder: Path, clauses: str = CLAUSES) -> World:
    """Monday, 16 November 2026, 10:00, on the database of the small offices."""
    write_office(folder / "bpmn", clauses)
    return make_world(folder, bpmn=folder / "bpmn")
