"""The tests that show a clause at work, as an office's folder lists them in tests.csv; who keeps the tests keeps the list."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from pathlib import Path

from engine.office_files import Findings, read_csv

_COLUMNS = ("clause_id", "file", "test", "title")


@dataclass(frozen=True)
class ShownBy:
    """One clause and one test that shows it: the test's file and name, and its story in a sentence."""

    clause: str
    file: str
    test: str
    title: str


def read_tests(path: Path, clauses: Collection[str], findings: Findings) -> tuple[ShownBy, ...]:
    """The rows of the file; an office need not have one."""
    if not path.is_file():
        return ()
    found: list[ShownBy] = []
    for line, row in read_csv(path, _COLUMNS, (), findings):
        if any(name not in row for name in _COLUMNS):
            continue  # the missing column is already noted, once
        for name in ("clause_id", "file", "test"):
            if not row[name]:
                findings.add("missing-value", f"{line}行目：列「{name}」が空です。", row["test"], path.name)
        if row["clause_id"] and row["clause_id"] not in clauses:
            findings.add("unknown-clause", f"{line}行目：条項「{row['clause_id']}」が clauses.csv にありません。", row["test"], path.name)
        found.append(ShownBy(row["clause_id"], row["file"], row["test"], row["title"]))
    return tuple(found)
