"""The command of the matrix of clauses: what carries and shows them in an office's folder or as it is in force, and what changed ones touch."""

from __future__ import annotations

from pathlib import Path

import click

from engine import Amendment, Engine, Matrix, Settings, SystemClock, civil_day
from webui.cli_shared import open_engine, plain, print_json
from webui.designer_clauses import TABLES, WHY


@click.command()
@click.option("--organisation", default="isa", show_default=True, help="どの機関のフォルダーを見るか。")
@click.option("--as", "person", metavar="利用者ID", help="フォルダーではなく、施行中の版を、誰として見るか。")
@click.option(
    "--draft", type=click.IntRange(1, 2**63 - 1), metavar="番号", help="この下書きを、施行中の版の代わりに見ます（--as が要ります）。"
)
@click.option("--amended", "changed", multiple=True, metavar="条項ID", help="この条項の改正で触れるところを示します。何度でも書けます。")
@click.option("--json", "as_json", is_flag=True, help="JSON で出します。")
def clauses(organisation: str, person: str | None, draft: int | None, changed: tuple[str, ...], as_json: bool) -> None:
    """条項ごとに、担う要素・決定表・細目と、示すシナリオ・試験を示します。対応のないものは、最後に挙げます。"""
    if person is None and draft is not None:
        raise click.UsageError("下書きを見るには --as が要ります。")
    matrix, found = _found(organisation, person, draft, changed)
    unknown = [one for one in changed if matrix.clause(one) is None]
    if unknown:
        raise click.BadParameter(f"条項表にない条項です：{'、'.join(unknown)}", param_hint="--amended")
    if as_json:
        print_json(found if changed else {**plain(matrix), "without": _without(matrix)})
    elif changed:
        _tell_amended(matrix, found)
    else:
        _tell(matrix)


def _found(organisation: str, person: str | None, draft: int | None, changed: tuple[str, ...]) -> tuple[Matrix, Amendment]:
    if person is not None:
        engine = open_engine()
        try:
            return engine.matrix.amended(engine.viewer(person), changed, draft, wait=None)
        finally:
            engine.close()
    settings = Settings.from_environment()
    folder = Path(settings.bpmn) / organisation
    if not (folder / "organisation.toml").is_file():
        raise click.UsageError(f"「{folder}」は機関のフォルダーではありません。")
    return Engine.clauses(folder, settings, civil_day(SystemClock().now()), changed)


def _without(matrix: Matrix) -> dict[str, list[str]]:
    """The ids of what has no counterpart."""
    return {
        "element": [one.id for one in matrix.without_element],
        "proof": [one.id for one in matrix.without_proof],
        "clause": [f"{one.procedure}/{one.process}/{one.element}" for one in matrix.without_clause],
        "table_clause": [one.decision for one in matrix.tables_without_clause],
    }


def _tell(matrix: Matrix) -> None:
    for clause in matrix.clauses:
        carried = matrix.by_clause[clause.id]
        click.echo(
            f"{clause.id}　{clause.citation}　要素{len(carried.elements)}、決定表{len(carried.tables)}、細目{len(carried.rows)}、"
            f"シナリオ{len(carried.scenarios)}、試験{len(carried.tests)}"
        )
    for title, lines in (
        ("どの要素も担っていない条項", [f"{one.id}　{one.citation}　{one.no_procedure}".rstrip("　") for one in matrix.without_element]),
        ("シナリオも試験も示していない条項", [f"{one.id}　{one.citation}" for one in matrix.without_proof]),
        ("条項のない要素", [f"{one.procedure}　{one.element}　{one.name}" for one in matrix.without_clause]),
        ("条項のない決定表", [f"{one.decision}　{one.name}" for one in matrix.tables_without_clause]),
        ("通らないシナリオ", [f"{one.file}　{one.title}" for one in matrix.scenarios if one.state == "failed"]),
    ):
        click.echo(f"{title}（{len(lines)}）")
        for line in lines:
            click.echo(f"  {line}")


def _tell_amended(matrix: Matrix, found: Amendment) -> None:
    words = {row.id: row.name for row in matrix.rows if row.table == "urgency"}
    for title, lines in (
        ("変わる条項", [f"{one.id}　{one.citation}" for one in found.clauses]),
        (
            "要素",
            [
                f"{one.procedure}　{one.element}　{one.name}" + (f"（入力欄{len(one.fields)}）" if one.fields else "")
                for one in found.elements
            ],
        ),
        ("急ぎの語", [f"{words.get(word, word)}　要素{count}" for word, count in found.urgencies]),
        ("決定表", [f"{one.decision}　{one.name}" for one in found.tables]),
        (
            "細目",
            [f"{TABLES[one.row.table]}　{one.row.id}　{one.row.name}（{'、'.join(WHY[key] for key in one.why)}）" for one in found.rows],
        ),
        ("シナリオ", [f"{one.file}　{one.title}" for one, _ in found.scenarios]),
        ("試験", [f"{one.file}::{one.test}　{one.title}" for one in found.tests]),
    ):
        click.echo(f"{title}（{len(lines)}）")
        for line in lines:
            click.echo(f"  {line}")


COMMANDS = (clauses,)
