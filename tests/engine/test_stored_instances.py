"""公開した各版で途中まで進んだ案件は、いつまでも続きから進む：保存された文字のまま読み、移行し、終わりまで進めて、その版と同じ結果になる。"""

from __future__ import annotations

import json
import re
import shutil
import sqlite3
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest
import yaml
from alembic.autogenerate import compare_metadata
from alembic.runtime.migration import MigrationContext

from engine import marking as markings
from engine.errors import UnknownFormat
from engine.marking import FORMAT, Marking
from engine.model import metadata
from tests.engine.store_release import STORED, do, look, main, open_world, store, told, versions
from tests.support import ROOT, World

RELEASES = sorted(place.name for place in STORED.iterdir())
LIMIT = 300_000  # bytes of one version's folder
KINDS = {"task", "timer", "message", "conditional", "service"}


def unstored(changelog: str, stored: list[str]) -> list[str]:
    """Released versions that kept no case."""
    return [version for version in versions(changelog) if version not in stored]


def resumed(release: str, folder: Path) -> tuple[World, dict[str, Any]]:
    """A stored version's installation, opened by this version; and what it should do."""
    shutil.copytree(STORED / release / "bpmn", folder / "bpmn")
    (folder / "bpmn" / "common").mkdir(exist_ok=True)
    with sqlite3.connect(folder / "tadachi.sqlite") as connection:
        connection.executescript((STORED / release / "tadachi.sql").read_text("utf-8"))
    connection.close()
    expected = yaml.safe_load((STORED / release / "expected.yaml").read_text("utf-8"))
    return open_world(folder / "tadachi.sqlite", folder / "bpmn", datetime.fromisoformat(expected["at"])), expected


@pytest.mark.parametrize("release", RELEASES)
def test_a_stored_case_goes_on_where_it_was(release: str, tmp_path: Path) -> None:
    world, expected = resumed(release, tmp_path)
    world.engine.migrate()
    with world.engine.database.connect() as connection:
        context = MigrationContext.configure(connection, opts={"compare_type": True, "compare_server_default": True})
        wrong = list(compare_metadata(context, metadata))
    assert wrong == [], "a released version lacks a migration; one that is not: python -m tests.engine.store_release makes it anew"
    assert world.engine.verify_history() == ()
    assert look(world) == expected["stands"]
    before = look(world)
    for act in expected["then"]:
        do(world, act)
        after = look(world)
        changed = {case: what for case, what in after.items() if before[case] != what}
        assert changed == act["leads_to"], act
        before = after
    assert {case["state"] for case in before.values()} == {"closed"}
    assert world.facts(1) == expected["facts"]
    assert told(world) == expected["record"]
    assert world.engine.verify_history() == ()
    world.engine.close()


@pytest.mark.parametrize("release", RELEASES)
def test_what_a_version_stored_is_worth_keeping(release: str) -> None:
    """In the middle of every kind of wait, and small enough to stay in the repository."""
    files = [file for file in (STORED / release).rglob("*") if file.is_file()]
    assert sum(file.stat().st_size for file in files) < LIMIT
    expected = yaml.safe_load((STORED / release / "expected.yaml").read_text("utf-8"))
    assert {wait.split()[0] for case in expected["stands"].values() for wait in case["waits"]} == KINDS
    due = [line.split()[0] + " " + ("later" if "T" in line else "never") for line in expected["stands"][1]["due"]]
    assert {"timer later", "service later", "service never", "warn later"} <= set(due)


def test_every_released_version_has_kept_a_case() -> None:
    assert unstored((ROOT / "CHANGELOG.md").read_text("utf-8"), RELEASES) == [], "python -m tests.engine.store_release, before the heading"


def test_a_release_without_its_case_would_be_found() -> None:
    text = "# Changelog\n\n## Unreleased\n\n## 0.2.0 (2027-01-05)\n\n### Added\n\n## [0.1.1] - 2026-12-01\n\n## v0.1.0\n"
    assert versions(text) == ["0.2.0", "0.1.1", "0.1.0"]
    assert unstored(text, ["0.1.0"]) == ["0.2.0", "0.1.1"]
    assert unstored("## Unreleased\n", []) == []


def test_a_released_version_is_not_stored_again(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    (tmp_path / "pyproject.toml").write_text('[project]\nversion = "9.8.7"\n', "utf-8")
    (tmp_path / "CHANGELOG.md").write_text("## 9.8.7\n", "utf-8")
    monkeypatch.setattr("tests.engine.store_release.ROOT", tmp_path)
    monkeypatch.setattr("tests.engine.store_release.STORED", tmp_path / "stored")
    with pytest.raises(SystemExit, match="released"):
        main()
    assert not (tmp_path / "stored").exists()


def test_storing_writes_the_same_again(tmp_path: Path) -> None:
    """Nothing in it depends on the day, the machine or chance: a change of the file is a change of the engine."""
    for name in ("one", "two"):
        store(tmp_path / name)
    texts = [{str(f.relative_to(tmp_path / n)): f.read_bytes() for f in (tmp_path / n).rglob("*") if f.is_file()} for n in ("one", "two")]
    assert texts[0] == texts[1]
    assert set(texts[0]) == {f"bpmn/office/{name}" for name in ("clauses.csv", "organisation.toml", "rules.toml")} | {
        "expected.yaml",
        "tadachi.sql",
    }
    assert "office_midway" in texts[0]["tadachi.sql"].decode()


# ---------------------------------------------------------------- formats of the marking


def test_an_older_marking_is_brought_up_step_by_step(monkeypatch: pytest.MonkeyPatch) -> None:
    """Two invented older formats: one with names spelled out, one without the deciding end event."""
    now = Marking.load(f"[{FORMAT},7,-1,null,[[1]],[[3,1,2]]]")
    monkeypatch.setitem(markings.UPGRADES, -1, lambda rows: [0, *(rows[1][name] for name in ("next", "ended", "frames", "tokens"))])
    monkeypatch.setitem(markings.UPGRADES, 0, lambda rows: [FORMAT, rows[1], -1, *rows[2:]])
    oldest = json.dumps([-1, {"next": 7, "ended": None, "frames": [[1]], "tokens": [[3, 1, 2]]}])
    assert Marking.load(oldest) == Marking.load("[0,7,null,[[1]],[[3,1,2]]]") == now
    assert json.loads(Marking.load(oldest).dump())[0] == FORMAT, "the next act writes today's"


def test_an_upgrade_that_leads_nowhere_does_not_hang(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(markings.UPGRADES, 0, lambda rows: rows)
    with pytest.raises(AssertionError, match="later"):
        Marking.load("[0,7,-1,null,[],[]]")


@pytest.mark.parametrize("written", [FORMAT + 1, 99, 0, -1, None, "1"])
def test_a_format_without_an_upgrade_is_refused_by_name(written: Any) -> None:
    with pytest.raises(UnknownFormat) as refused:
        Marking.load(json.dumps([written, 7, -1, None, [], []]))
    assert re.search(re.escape(str(written)), refused.value.text)
