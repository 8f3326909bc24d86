"""Which test of this folder shows which clause, by its mark `article`; run as a program, it writes the office's list, bpmn/isa/tests.csv."""

from __future__ import annotations

import ast
import csv
from collections.abc import Iterator
from pathlib import Path

from engine.shown_by import ShownBy

HERE = Path(__file__).parent
LIST = HERE.parents[1] / "bpmn" / "isa" / "tests.csv"


def marks() -> tuple[ShownBy, ...]:
    """Every clause of every marked test, in the order of the files."""
    return tuple(row for path in sorted(HERE.glob("test_*.py")) for row in _of(path))


def _of(path: Path) -> Iterator[ShownBy]:
    for test in ast.walk(ast.parse(path.read_text("utf-8"))):
        if isinstance(test, ast.FunctionDef):
            title = (ast.get_docstring(test) or "").partition("\n")[0]
            for clause in _clauses(test):
                yield ShownBy(clause, f"tests/process/{path.name}", test.name, title)


def _clauses(test: ast.FunctionDef) -> Iterator[str]:
    for mark in test.decorator_list:
        if isinstance(mark, ast.Call) and isinstance(mark.func, ast.Attribute) and mark.func.attr == "article":
            yield from (argument.value for argument in mark.args if isinstance(argument, ast.Constant))


if __name__ == "__main__":
    with LIST.open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(("clause_id", "file", "test", "title"))
        writer.writerows((row.clause, row.file, row.test, row.title) for row in marks())
