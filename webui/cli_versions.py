"""The commands of versions: which there are, what differs between two, and an approved version written back into the office's folder."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import click

from engine import JST, Comparison, Engine, compare_files
from webui.cli_shared import open_engine, print_json

STATES = {"coming": "施行前", "in_force": "施行中", "past": "旧版", "cancelled": "取消し"}
HOW = {"added": "追加", "removed": "削除", "changed": "変更", "moved": "移動"}

DIFFERS = {"outcome": "結果が変わる", "way": "途中が変わる", "": "同じ", "late": "時間切れ"}


@click.command()
@click.argument("process")
@click.option("--as", "person", required=True, metavar="利用者ID", help="誰として見るか。")
@click.option("--json", "as_json", is_flag=True)
def versions(process: str, person: str, as_json: bool) -> None:
    """手続 PROCESS の版を、新しい順に示します（施行の日時、作った人、承認した人、進行中の案件）。"""
    engine = open_engine()
    rows = engine.versions.all(engine.viewer(person), process)
    if as_json:
        print_json(rows)
        return
    for one in rows:
        since = f"{one.in_force_from.astimezone(JST):%Y-%m-%d %H:%M}から"
        authors = f"、作成 {'・'.join(one.authors)}" if one.drawn else "、フォルダーから"
        off = f"、取消しの理由：{one.cancel_reason}" if one.state == "cancelled" else ""
        click.echo(f"第{one.number}版　{STATES[one.state]}　{since}　施行 {one.by_name}{authors}、進行中{one.running}件{off}")


@click.command()
@click.argument("before", metavar="A")
@click.argument("after", metavar="B")
@click.option("--as", "person", metavar="利用者ID", help="誰として見るか（版や下書きを比べるとき）。")
@click.option(
    "--scenarios", "play", is_flag=True, help="機関のシナリオを両方で演じ、結果が変わるものも示します（版や下書きを比べるとき）。"
)
@click.option("--json", "as_json", is_flag=True)
def compare(before: str, after: str, person: str | None, play: bool, as_json: bool) -> None:
    """A から B へ何が変わるかを、要素ごとに示します。

    A と B は、版（手続:番号　例 isa_incident:2）、下書き（draft:番号）、ファイル（.bpmn・.dmn）かフォルダーです。
    """
    if all(Path(one).exists() for one in (before, after)):
        found, cases, played = compare_files(_files(Path(before)), _files(Path(after))), None, None
    else:
        if person is None:
            raise click.UsageError("版や下書きを比べるには --as が要ります。")
        engine = open_engine()
        pair = _reference(engine, person, before), _reference(engine, person, after)
        page = engine.versions.compare(engine.viewer(person), *pair)
        found, cases = page.comparison, page.cases
        played = engine.versions.scenarios(engine.viewer(person), *pair) if play else None
    if as_json:
        print_json(
            {"changes": found.changes, "layout_only": found.layout_only, "broken": found.broken, "cases": cases, "scenarios": played}
        )
        return
    _tell(found)
    if cases is not None:
        click.echo(
            f"進行中の案件 {cases.running}件（変わったところがこの先にある {cases.before}件、なくなったところで待っている {cases.at_removed}件）"
        )
    for one in played or ():
        told = f"：{one.before} → {one.after}" if one.differs == "outcome" else ""
        click.echo(f"シナリオ {one.file}　{DIFFERS[one.differs]}{told}")


def _reference(engine: Engine, person: str, text: str) -> str:
    kind, _, number = text.rpartition(":")
    if not kind or not (number.isascii() and number.isdigit()):
        raise click.BadParameter(f"「{text}」は、版（手続:番号）でも、下書き（draft:番号）でも、ファイルでもありません。")
    if kind == "draft":
        return f"d{number}"
    return engine.versions.reference(engine.viewer(person), kind, int(number))


def _files(place: Path) -> Mapping[str, bytes]:
    """A file, or every diagram and table of a folder. Two files are taken for the same one, whatever they are called."""
    if place.is_file():
        return {f"file{place.suffix}": place.read_bytes()}
    return {path.name: path.read_bytes() for path in sorted(place.iterdir()) if path.suffix in (".bpmn", ".dmn")}


def _tell(found: Comparison) -> None:
    last = ("", "")
    for one in found.changes:
        if (one.process_name or one.file, one.element) != last:
            last = (one.process_name or one.file, one.element)
            click.echo(f"{last[0]}　{one.kind}「{one.name}」（{one.element or one.was}）")
        said = f"{one.before or '（なし）'} → {one.after or '（なし）'}" if one.how in ("changed", "moved") else one.before or one.after
        click.echo(f"  {HOW[one.how]}　{one.label}：{said}")
    if not found.changes:
        click.echo("手続の動きに関わる変更はありません。")
    if found.layout_only:
        click.echo(f"配置だけの変更 {len(found.layout_only)}件")
    for name in found.broken:
        click.echo(f"読み取れないファイル：{name}", err=True)


@click.command("export-bundle")
@click.argument("process")
@click.option("--version", "number", type=int, metavar="番号", help="書き出す版（省くと、取り消されていない最も新しい版）。")
@click.option("--to", "folder", type=click.Path(file_okay=False, path_type=Path), help="書き出し先（省くと、機関のフォルダーの置き場）。")
@click.option("--as", "person", required=True, metavar="利用者ID", help="誰が書き出すか。")
@click.option("--overwrite", is_flag=True, help="内容の違うファイルがあるとき、上書きします。")
def export_bundle(process: str, number: int | None, folder: Path | None, person: str, overwrite: bool) -> None:
    """手続 PROCESS の版の図と決定表を、機関のフォルダーに書き出します。設計の画面で作った版とフォルダーを合わせるときに使います。"""
    engine = open_engine()
    viewer = engine.viewer(person)
    rows = [one for one in engine.versions.all(viewer, process) if one.number == number or (number is None and one.state != "cancelled")]
    if not rows:
        raise click.BadParameter(f"手続「{process}」の第{number}版はありません。")
    place = folder or engine.settings.bpmn
    files = engine.versions.files(viewer, rows[0].id)
    held = {name: place / name for name in files}
    other = [name for name, path in held.items() if path.exists() and path.read_bytes() != files[name]]
    if other and not overwrite:
        for name in other:
            click.echo(f"内容の違うファイルがあります：{name}", err=True)
        raise click.ClickException("何も書き出していません。違いを確かめてから --overwrite を付けてください。")
    for name, path in held.items():
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(files[name])
    click.echo(f"{process} 第{rows[0].number}版の{len(held)}個のファイルを {place} に書き出しました。")


COMMANDS = (versions, compare, export_bundle)
