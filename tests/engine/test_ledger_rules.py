"""`[[ledger]]` in rules.toml: what a ledger is made of, and every mistake named in Japanese."""

from __future__ import annotations

import shutil
from datetime import date
from pathlib import Path

import pytest

from engine.errors import OrganisationBroken
from engine.organisation import Organisation, load
from tests.support import ROOT

LEDGER = """
[[ledger]]
id = "keys"
name = "鍵の台帳"
basis = "規程第17条"
clauses = ["ISA-17"]
valid_from = 2022-04-01
states = ["貸出中", "返却済", "紛失"]
closed_states = ["返却済", "紛失"]
retention_years = 5
retention_from = "lent_on"
readers = ["audit_officer"]
keepers = ["protection_manager"]
rows = "keys"
parent = "above"
key = "label"
group = "unit"

  [[ledger.column]]
  id = "label"
  name = "鍵"
  kind = "text"
  value = "label"

  [[ledger.column]]
  id = "above"
  name = "親の鍵"
  kind = "text"
  value = "above"

  [[ledger.column]]
  id = "lent_on"
  name = "貸出日"
  kind = "date"
  value = "lent_on"
  masked = true

  [[ledger.column]]
  id = "unit"
  name = "課室"
  kind = "unit"
  value = "owning_unit"
"""


def office(tmp_path: Path, text: str) -> Organisation:
    """The office with one more ledger in its rules."""
    folder = tmp_path / "isa"
    folder.mkdir()
    for name in ("organisation.toml", "rules.toml", "clauses.csv"):
        shutil.copy(ROOT / "bpmn" / "isa" / name, folder / name)
    with (folder / "rules.toml").open("a", encoding="utf-8") as rules:
        rules.write(text)
    return load(folder)


def test_a_ledger_is_read_with_its_columns(tmp_path: Path) -> None:
    rules = office(tmp_path, LEDGER).rules
    ledger = rules.ledger("keys", date(2026, 11, 21))
    assert "keys" in rules.ledger_ids
    assert (ledger.name, ledger.states, ledger.closed_states) == ("鍵の台帳", ("貸出中", "返却済", "紛失"), ("返却済", "紛失"))
    assert (ledger.retention_years, ledger.retention_from, ledger.rows, ledger.is_tree) == (5, "lent_on", "keys", True)
    assert [(column.id, column.kind, column.masked) for column in ledger.columns] == [
        ("label", "text", False),
        ("above", "text", False),
        ("lent_on", "date", True),
        ("unit", "unit", False),
    ]


def test_a_ledger_that_changes_is_a_further_row(tmp_path: Path) -> None:
    later = LEDGER.replace("2022-04-01", "2026-12-01").replace("鍵の台帳", "鍵等の台帳")
    rules = office(tmp_path, LEDGER + later).rules
    assert rules.ledger("keys", date(2026, 11, 30)).name == "鍵の台帳"
    assert rules.ledger("keys", date(2026, 12, 1)).name == "鍵等の台帳"


@pytest.mark.parametrize(
    ("old", "new", "rule", "words"),
    [
        ('clauses = ["ISA-17"]', 'clauses = ["ISA-99"]', "unknown-clause", "ISA-99"),
        ('readers = ["audit_officer"]', 'readers = ["king"]', "unknown-role", "king"),
        ('keepers = ["protection_manager"]', 'keepers = ["queen"]', "unknown-role", "queen"),
        ('basis = "規程第17条"', 'bases = "規程第17条"', "unknown-key", "bases"),
        ('kind = "date"', 'kind = "day"', "out-of-range", "lent_on"),
        ('  value = "lent_on"', '  value = "lent_on +"', "expression", "lent_on"),
        ('  value = "lent_on"', "  value = 'open(\"x\")'", "expression", "open"),
        ('  value = "lent_on"', "", "missing-key", "value"),
        ("masked = true", "hidden = true", "unknown-key", "hidden"),
        ('closed_states = ["返却済", "紛失"]', 'closed_states = ["返した"]', "ledger", "返した"),
        ('closed_states = ["返却済", "紛失"]', 'closed_states = ["貸出中"]', "ledger", "貸出中"),
        ('states = ["貸出中", "返却済", "紛失"]', "states = []", "ledger", "states"),
        ('retention_from = "lent_on"', 'retention_from = "returned_on"', "ledger", "returned_on"),
        ('retention_from = "lent_on"', 'retention_from = "label"', "ledger", "date か datetime"),
        ('retention_from = "lent_on"', "", "ledger", "retention_years"),
        ("retention_years = 5", "", "ledger", "retention_years"),
        ("retention_years = 5", "retention_years = 0", "out-of-range", "1から100"),
        ('parent = "above"', 'parent = "label"', "ledger", "別の列"),
        ('key = "label"', "", "ledger", "key"),
        ('group = "unit"', 'group = "contract"', "ledger", "contract"),
        ('  id = "above"', '  id = "label"', "duplicate-id", "label"),
        ('group = "unit"', 'group = "lent_on"', "ledger", "伏せる列"),
        ('"紛失"]\nclosed', '"抹消"]\nclosed', "ledger", "抹消"),
        ('"紛失"]\nclosed', '"' + "あ" * 41 + '"]\nclosed', "ledger", "40字"),
        ('rows = "keys"', 'rows = "the keys"', "bad-id", "the keys"),
        ('id = "keys"', 'id = "' + "k" * 41 + '"', "bad-id", "40字"),
        (LEDGER, LEDGER + LEDGER, "duplicate-id", "2022-04-01"),
    ],
)
def test_a_mistake_in_a_ledger_is_named(tmp_path: Path, old: str, new: str, rule: str, words: str) -> None:
    changed = LEDGER.replace(old, new, 1)
    assert changed != LEDGER, "the test changes nothing"
    with pytest.raises(OrganisationBroken) as broken:
        office(tmp_path, changed)
    found = [(one.rule, one.file, one.message) for one in broken.value.findings]
    assert any((one, file) == (rule, "rules.toml") and words in message for one, file, message in found), found
