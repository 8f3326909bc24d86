"""The commands about ledgers (台帳): which there are, what stands in one, and a correction."""

from __future__ import annotations

from collections.abc import Callable
from datetime import date
from typing import Any, TypeVar

import click

from webui.cli_shared import as_json as json_option
from webui.cli_shared import by, day, open_engine, print_json
from webui.ledger_files import MASK, csv_file

Command = TypeVar("Command", bound=Callable[..., Any])


def _narrowed(command: Command) -> Command:
    """The filters of a list."""
    for option in (
        click.option("--text", help="台帳の言葉か案件番号で絞ります。"),
        click.option("--state", help="状態で絞ります（台帳の状態の言葉、または open・closed）。"),
        click.option("--unit", help="担当の部署の id で絞ります。"),
        click.option("--since", callback=day, help="この日以後に登載されたもの。"),
        click.option("--until", callback=day, help="この日以前に登載されたもの。"),
        click.option("--kept", type=click.Choice(["expired", "undecided"]), help="保存期限を過ぎたもの・未定のもの。"),
        click.option(
            "--order", type=click.Choice(["new", "kept"]), default="new", show_default=True, help="番号の新しい順・保存期限の順。"
        ),
    ):
        command = option(command)
    return command


@click.group()
def ledger() -> None:
    """台帳：一覧、閲覧、訂正。"""


@ledger.command("list")
@by
@json_option
def ledger_list(person: str, as_json: bool) -> None:
    """機関の台帳と、閲覧できる件数を示します。"""
    engine = open_engine()
    found = engine.ledgers.all(engine.viewer(person))
    if as_json:
        print_json(found)
        return
    for one in found:
        click.echo(
            f"{one.id}  {one.name}  {one.total}件（終わっていないもの {one.open}件、保存期限を過ぎたもの {one.expired}件）  保存期間 {one.kept}"
        )


@ledger.command("show")
@click.argument("ledger_id", metavar="ID")
@by
@_narrowed
@json_option
@click.option("--csv", "as_csv", is_flag=True, help="CSV（UTF-8、BOM付き）で出します。書き出したことは記録に残ります。")
def ledger_show(
    ledger_id: str,
    person: str,
    as_json: bool,
    as_csv: bool,
    text: str | None,
    state: str | None,
    unit: str | None,
    since: date | None,
    until: date | None,
    kept: str | None,
    order: str,
) -> None:
    """台帳 ID の、閲覧できるものを示します。"""
    engine = open_engine()
    viewer = engine.viewer(person)
    filters = {"text": text, "state": state, "unit": unit, "since": since, "until": until, "kept": kept, "order": order}
    form = "CSV" if as_csv else "JSON" if as_json else "画面の文字"
    head, rows = engine.ledgers.take_out(viewer, ledger_id, form, **filters)
    if as_csv:
        click.echo(csv_file(head, rows), nl=False)
    elif as_json:
        print_json({"ledger": head, "rows": rows})
    else:
        for row in rows:
            said = "　".join(f"{cell.name}：{MASK if cell.masked else cell.text}" for cell in row.cells if cell.masked or cell.text)
            click.echo(f"{row.entry:>6}  {row.state}  {row.case_number}  {said}  保存期限：{row.kept}{'【経過】' if row.expired else ''}")


@ledger.command("correct")
@click.argument("ledger_id", metavar="ID")
@click.argument("number", type=click.IntRange(1, 2**63 - 1), metavar="番号")
@click.argument("values", nargs=-1, required=True, metavar="列=内容…")
@by
@click.option("--seat", metavar="役@部署", help="どの役として行うか。")
@click.option("--reason", required=True, help="訂正の理由。")
def ledger_correct(ledger_id: str, number: int, values: tuple[str, ...], person: str, seat: str | None, reason: str) -> None:
    """台帳 ID の第「番号」号を訂正します。元の記載は、これまでの版に残ります。"""
    given = dict(part.partition("=")[::2] for part in values)
    with open_engine().work(by=person, seat=seat) as work:
        work.correct_entry(ledger_id, number, given, reason)
    click.echo("訂正しました。")


COMMANDS = (ledger,)
