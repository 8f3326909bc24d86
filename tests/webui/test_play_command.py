"""`tadachi play` on an office's folder: results, what is reached, and a status that a build can go by."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from tests.support import write_offices
from webui.cli import main

HEAD = "title: 期限を待つ\nprocess: office_deadline\nstarts: 2026-11-16 10:00\nstart:\n  by: staff@a\n  answers: {item_summary: あ, owning_unit: a}\n"
GOOD = f"{HEAD}steps:\n- due: too_late\n- complete: take_over\n- expect: {{waits_at: [], outcome: 引継ぎ済み}}\n"
BAD = f"{HEAD}steps:\n- complete: gone\n"


@pytest.fixture
def office(tmp_path: Path) -> Path:
    """The folder of a small office with one scenario."""
    write_offices(tmp_path)
    folder = next(path.parent for path in tmp_path.rglob("organisation.toml") if path.parent.name == "office")
    (folder / "scenarios").mkdir()
    (folder / "scenarios" / "good.yaml").write_text(GOOD, "utf-8")
    return folder


def play(*arguments: str | Path) -> Result:
    return CliRunner().invoke(main, ["play", *map(str, arguments)], catch_exceptions=False)


def test_all_scenarios_of_a_folder_are_played_and_what_they_reach_is_told(office: Path) -> None:
    """機関のフォルダーを渡すと、すべてのシナリオを演じ、通ったところと通らないところを言う。"""
    result = play(office, "--coverage")
    assert result.exit_code == 0, result.output
    assert "○ good.yaml　期限を待つ" in result.output
    lines = result.output.split("office_deadline")[1]
    assert "通った要素 83%、流れ 75%、条項 100%" in lines
    assert "通らない要素（1）：完了" in lines
    quiet = play(office)
    assert quiet.exit_code == 0
    assert "通った要素" not in quiet.output


def test_as_json_for_a_build(office: Path) -> None:
    """JSON では、シナリオの結果と、手続ごとの網羅が、名前と割合で出る。"""
    told = json.loads(play(office, "--coverage", "--json").output)
    assert [(one["name"], one["passed"], one["process_id"]) for one in told["scenarios"]] == [("good.yaml", True, "office_deadline")]
    [deadline] = [one for one in told["coverage"] if one["process"] == "office_deadline"]
    assert deadline["elements"]["percent"] == 83.3
    assert [one["element"] for one in deadline["elements"]["missed"]] == ["done"]
    assert {one["process"] for one in told["coverage"]} > {"office_deadline", "office_approval"}


def test_one_that_fails_makes_the_build_fail_and_the_others_are_played(office: Path) -> None:
    """一つでも通らなければ 1 で終わる。読めないもの、手続のないものも、そう言う。"""
    (office / "scenarios" / "bad.yaml").write_text(BAD, "utf-8")
    (office / "scenarios" / "no.yaml").write_text("[", "utf-8")
    (office / "scenarios" / "stray.yaml").write_text(GOOD.replace("office_deadline", "office_nowhere"), "utf-8")
    result = play(office)
    assert result.exit_code == 1
    for line in ("○ good.yaml", "× bad.yaml", "× no.yaml", "× stray.yaml"):
        assert result.output.count(line) == 1
    assert "gone" in result.output
    alone = play(office / "scenarios" / "good.yaml", "--coverage")
    assert alone.exit_code == 0, alone.output
    assert "bad.yaml" not in alone.output


def test_a_folder_that_is_no_office_is_refused(tmp_path: Path, office: Path) -> None:
    """機関のフォルダーでないものは、使い方の誤りとして断る。"""
    empty = tmp_path / "empty"
    empty.mkdir()
    result = play(empty)
    assert result.exit_code == 2
    assert "organisation.toml" in result.output
    shutil.rmtree(office / "scenarios")
    assert play(office).exit_code == 0
