"""The import directions of the design (DESIGN §3), read from the source."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
ENGINE = sorted((ROOT / "engine").rglob("*.py"))
WEBUI = sorted(path for path in (ROOT / "webui").rglob("*.py") if "node_modules" not in path.parts)

# Ways of reading the clock. `engine/clock.py` is the only module that may.
CLOCK_READINGS = {
    ("datetime", "now"), ("datetime", "utcnow"), ("datetime", "today"), ("date", "today"),
    ("time", "time"), ("time", "time_ns"), ("time", "localtime"), ("time", "gmtime"),
}  # fmt: skip


def imports(path: Path) -> Iterator[tuple[int, str]]:
    """Every module a file imports, as (line, dotted name); for `from a import b` both `a` and `a.b`, since b may be a module."""
    package = path.relative_to(ROOT).parent.parts
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"), str(path))):
        if isinstance(node, ast.Import):
            for name in node.names:
                yield node.lineno, name.name
        elif isinstance(node, ast.ImportFrom):
            base = ".".join(package[: len(package) - node.level + 1]) if node.level else ""
            module = ".".join(part for part in (base, node.module) if part)
            yield node.lineno, module
            for name in node.names:
                yield node.lineno, f"{module}.{name.name}"


def offences(files: list[Path], forbidden: tuple[str, ...]) -> list[str]:
    """The imports in files that name a forbidden package or anything inside it."""
    return [
        f"{path.relative_to(ROOT)}:{line} imports {module}"
        for path in files
        for line, module in imports(path)
        if any(module.lower() == name.lower() or module.lower().startswith(name.lower() + ".") for name in forbidden)
    ]


def modules_of_engine() -> set[str]:
    return {f"engine.{path.stem}" for path in ENGINE if path.stem != "__init__"}


def test_the_engine_does_not_know_the_web() -> None:
    assert offences(ENGINE, ("flask", "flask_login", "flask_wtf", "werkzeug", "jinja2", "wtforms", "webui")) == []


def test_spiffworkflow_stays_behind_one_module() -> None:
    assert offences([path for path in ENGINE if path.name != "parsing.py"] + WEBUI, ("SpiffWorkflow",)) == []


def test_the_queue_stays_behind_one_module() -> None:
    """And that module is loaded on PostgreSQL only (tests/engine/test_worker.py)."""
    assert offences([path for path in ENGINE if path.name != "queue.py"] + WEBUI, ("procrastinate",)) == []


def test_the_web_does_not_know_storage() -> None:
    assert offences(WEBUI, ("sqlalchemy", "alembic", "psycopg", "sqlite3")) == []


def test_the_web_uses_the_public_face_only() -> None:
    inside = [
        f"{path.relative_to(ROOT)}:{line} imports {module}"
        for path in WEBUI
        for line, module in imports(path)
        if any(module == name or module.startswith(name + ".") for name in modules_of_engine())
    ]
    assert inside == [], "webui imports only names that engine/__init__.py gives out"


def test_time_is_read_in_one_place() -> None:
    readings = []
    for path in [*ENGINE, *WEBUI]:
        if path == ROOT / "engine" / "clock.py":
            continue
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Attribute):
                owner = node.value.attr if isinstance(node.value, ast.Attribute) else getattr(node.value, "id", None)
                if (owner, node.attr) in CLOCK_READINGS:
                    readings.append(f"{path.relative_to(ROOT)}:{node.lineno} reads {owner}.{node.attr}")
            elif isinstance(node, ast.ImportFrom) and node.module == "time":
                names = [name.name for name in node.names if ("time", name.name) in CLOCK_READINGS]
                readings += [f"{path.relative_to(ROOT)}:{node.lineno} imports time.{name}" for name in names]
    assert readings == []


def test_an_office_is_data() -> None:
    assert [str(path) for path in (ROOT / "bpmn").rglob("*.py")] == []


@pytest.mark.parametrize(
    ("source", "expected"),
    [
        ("import engine.model", {"engine.model"}),
        ("from engine import model", {"engine", "engine.model"}),
        ("from . import model", {"engine", "engine.model"}),
        ("from .model import case", {"engine.model", "engine.model.case"}),
        ("def f():\n    import flask.json", {"flask.json"}),
    ],
)
def test_no_way_of_importing_goes_unseen(source: str, expected: set[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(globals(), "ROOT", tmp_path)
    (tmp_path / "engine").mkdir()
    file = tmp_path / "engine" / "x.py"
    file.write_text(source)
    assert {module for _, module in imports(file)} == expected
