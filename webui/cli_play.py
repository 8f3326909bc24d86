"""The command that plays scenarios: told as they go, or all of an office at once with what they reach of its procedures."""

from __future__ import annotations

import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import click

from engine import Coverage, Engine, ScenarioPlayed, Settings
from webui import demo
from webui.cli_shared import print_json

Results = Sequence[ScenarioPlayed]
OFFICE = "organisation.toml"


@click.command()
@click.argument("paths", nargs=-1, required=True, metavar="FILE|FOLDER…", type=click.Path(exists=True, path_type=Path))
@click.option("--organisation", default="isa", show_default=True, help="機関のフォルダーの外にあるシナリオを演じる機関。")
@click.option("--coverage", is_flag=True, help="シナリオが手続の要素・流れ・条項のどれだけを通ったかと、通らないところを示します。")
@click.option("--json", "as_json", is_flag=True, help="結果と網羅を JSON で出します。")
def play(paths: tuple[Path, ...], organisation: str, coverage: bool, as_json: bool) -> None:
    """シナリオ（YAML）を、使い捨てのデータベースと動かせる時計で実際のエンジンに演じさせます。

    FOLDER は機関のフォルダー（organisation.toml のあるもの）で、その scenarios/ のすべてを演じます。
    最後まで通らないものが一つでもあれば 1 で終わります。
    """
    if not coverage and not as_json and not any(path.is_dir() for path in paths):
        for file in paths:
            demo.play(file, organisation, say=click.echo)
            click.echo(f"{file.name}：最後まで通りました。")
        return
    settings = Settings.from_environment()
    found = [
        part for folder, files in _places(paths, settings.bpmn / organisation).items() for part in Engine.rehearse(folder, settings, files)
    ]
    if as_json:
        print_json({"scenarios": [one for results, _ in found for one in results], "coverage": [_plain(reached) for _, reached in found]})
    else:
        for results, reached in found:
            _say(results, reached, coverage)
    if not all(one.passed for results, _ in found for one in results):
        sys.exit(1)


def _places(paths: Sequence[Path], otherwise: Path) -> dict[Path, list[Path] | None]:
    """Office folder -> the files to play; None for all of its own."""
    places: dict[Path, list[Path] | None] = {}
    for path in paths:
        if path.is_dir():
            if not (path / OFFICE).is_file():
                raise click.UsageError(f"「{path}」は機関のフォルダーではありません（{OFFICE} がありません）。")
            places[path.resolve()] = None
            continue
        home = path.resolve().parent.parent
        folder = home if (home / OFFICE).is_file() else otherwise
        files = places.setdefault(folder, [])
        if files is not None:
            files.append(path)
    return places


def _say(results: Results, reached: Coverage, coverage: bool) -> None:
    if not results and not coverage:
        return
    click.echo(f"{reached.name}（{reached.process_id}）")
    for one in results:
        click.echo(f"  {'○' if one.passed else '×'} {one.name}　{one.title}" + ("" if one.passed else f"\n    {one.text}"))
    if not coverage:
        return
    elements, flows, clauses = reached.percent
    click.echo(f"  通った要素 {elements:.0f}%、流れ {flows:.0f}%、条項 {clauses:.0f}%")
    for what, names in (
        ("要素", [one.name or one.element for one in reached.missed]),
        ("流れ", [one.name for one in reached.missed_flows]),
        ("条項", [one.citation for one in reached.missed_clauses]),
    ):
        if names:
            click.echo(f"  通らない{what}（{len(names)}）：{'、'.join(names)}")


def _plain(reached: Coverage) -> Mapping[str, Any]:
    """What is reached of a procedure, as data."""
    elements, flows, clauses = reached.percent
    return {
        "process": reached.process_id,
        "name": reached.name,
        "elements": {"all": len(reached.elements), "percent": round(elements, 1), "missed": reached.missed},
        "flows": {"all": len(reached.flows), "percent": round(flows, 1), "missed": reached.missed_flows},
        "clauses": {"all": len(reached.clauses), "percent": round(clauses, 1), "missed": reached.missed_clauses},
    }


COMMANDS = (play,)
