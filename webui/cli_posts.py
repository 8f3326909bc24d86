"""The commands about people and posts: orders, who held what, vacancies, work nobody can do, absences and deputies."""

from __future__ import annotations

from collections.abc import Callable
from datetime import date, datetime
from pathlib import Path
from typing import Any, TypeVar

import click

from engine import ABSENCES, DEPUTY_KINDS, JST, NotAllowed, OrderPreview, OrderShown, end_of_day, parse_instant, read_date
from webui.cli_shared import as_json as _json
from webui.cli_shared import by as _by
from webui.cli_shared import day as _day
from webui.cli_shared import open_engine, print_json

Command = TypeVar("Command", bound=Callable[..., Any])

STATES = {"draft": "承認待ち", "approved": "承認済み", "withdrawn": "取りやめ"}


def _instant(_context: click.Context, _parameter: click.Parameter, value: str | None) -> datetime | None:
    """An instant; a day alone is its end."""
    if not value:
        return None
    try:
        return end_of_day(read_date(value))
    except ValueError:
        pass
    try:
        return parse_instant(value)
    except (ValueError, OverflowError):
        raise click.BadParameter(f"日時「{value}」を読めません（例：2027-04-01 09:00、令和9年4月1日）。") from None


def _period(first: date, last: date | None) -> str:
    return f"{first}から{f'{last}まで' if last else ''}"


# ---------------------------------------------------------------- orders


@click.group()
def order() -> None:
    """発令：取込み、確かめ、承認。"""


@order.command("import")
@click.argument("file", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@click.option("--organisation", required=True, help="機関のフォルダー名。")
@click.option("--title", default="", help="件名（省くと、発令日から付けます）。")
@click.option("--date", "on", callback=_day, help="発令日（ファイルに列があれば省けます）。")
@_by
def order_import(file: Path, organisation: str, title: str, on: date | None, person: str) -> None:
    """発令のファイル FILE（CSV か XLSX）を下書きとして取り込みます。誤りが1つでもあれば、何も取り込みません。"""
    engine = open_engine()
    viewer = engine.viewer(person)
    if viewer.organisation != engine.organisation(organisation).id:
        raise NotAllowed()
    made = engine.orders.read(viewer, title, on, file.name, file.read_bytes())
    click.echo(f"発令 {made} を取り込みました。まだ何も変わっていません。ほかの人が tadachi order approve {made} で承認してください。")


@order.command("preview")
@click.argument("order_id", type=click.IntRange(1, 2**63 - 1), metavar="ID")
@_by
@_json
def order_preview(order_id: int, person: str, as_json: bool) -> None:
    """発令 ID で、だれの何がどう変わるかを示します（案件の内容は出ません）。"""
    engine = open_engine()
    found = engine.orders.preview(engine.viewer(person), order_id)
    if as_json:
        print_json(found)
    else:
        _tell(found)


def _tell(found: OrderPreview) -> None:
    click.echo(_line(found.order))
    for old, new in found.units:
        click.echo(f"部署：{old} → {new}")
    if found.units and found.order.state == "draft":
        click.echo(f"なくなる部署の進行中の案件：{found.cases}件")
    for row in found.rows:
        click.echo(f"{row.line:>4}行  {row.action}  {row.name}（{row.person}）  {row.seat_name}  {row.kind_name}".rstrip())
    for one in found.people:
        click.echo(f"{one.name}（{one.person}）")
        for words, seats in (("離れる", one.ends), ("就く", one.begins)):
            if seats:
                click.echo(f"  {words}：{'、'.join(seats)}")
        for words, tasks in (("引き継ぐ処理", one.gains), ("手を離れる処理", one.loses)):
            for task in tasks:
                click.echo(f"  {words}：{task.number}  {task.step}  {task.seat_name}")
    for vacancy in found.vacancies:
        click.echo(f"欠員が生じます：{vacancy.seat_name}（処理待ち {vacancy.open_tasks}件）")
    for warning in found.warnings:
        click.echo(f"注意：{warning}")
    for line, column, message in found.faults:
        click.echo(f"誤り：{f'{line}行目 ' if line else ''}{f'「{column}」' if column else ''}{message}")
    if found.order.state == "draft":
        click.echo("承認できます。" if found.may_approve else found.why_not or "誤りがあるため、承認できません。")


def _line(one: OrderShown) -> str:
    kind = "  組織の改正" if one.kind == "reorganisation" else ""
    return f"{one.id:>6}  {one.effective_on}  {STATES[one.state]}{kind}  {one.title}  下書き：{one.created_by_name}  SHA-256 {one.sha256[:16]}…"


@order.command("approve")
@click.argument("order_id", type=click.IntRange(1, 2**63 - 1), metavar="ID")
@_by
def order_approve(order_id: int, person: str) -> None:
    """発令 ID を承認します（取り込んだ本人は承認できません）。"""
    engine = open_engine()
    engine.orders.approve(engine.viewer(person), order_id)
    click.echo("承認しました。発令日の0時から効きます。")


@order.command("list")
@_by
@_json
def order_list(person: str, as_json: bool) -> None:
    """発令を、新しいものから一覧にします。"""
    engine = open_engine()
    rows = engine.orders.all(engine.viewer(person))
    if as_json:
        print_json(rows)
        return
    for one in rows:
        click.echo(_line(one))
    click.echo(f"{len(rows)}件")


# ---------------------------------------------------------------- posts


@click.command()
@click.argument("seat", metavar="役@部署")
@click.option("--on", required=True, callback=_day, help="いつ就いていたか。")
@click.option("--known", callback=_instant, help="いつの時点の登録によるか（省くと、いま）。")
@_by
@_json
def who(seat: str, on: date, known: datetime | None, person: str, as_json: bool) -> None:
    """役 SEAT にその日だれが就いていたかを、ある時点の登録に従って示します。"""
    engine = open_engine()
    rows = engine.personnel.who_held(engine.viewer(person), seat, on, known)
    if as_json:
        print_json(rows)
        return
    for row in rows:
        basis = f"  根拠：{row.basis}" if row.basis else ""
        recorded = f"{row.recorded_at.astimezone(JST):%Y-%m-%d %H:%M}"
        click.echo(f"{row.name}（{row.person}）  {row.kind_name}  {_period(row.valid_from, row.valid_to)}{basis}  記録 {recorded}")
    click.echo(f"{len(rows)}人")


@click.command()
@_by
@_json
def vacancies(person: str, as_json: bool) -> None:
    """だれも就いていない役と、これから空く役を一覧にします。"""
    engine = open_engine()
    rows = engine.personnel.vacancies(engine.viewer(person))
    if as_json:
        print_json(rows)
        return
    for row in rows:
        used = f"  手続：{'、'.join(row.used_by)}" if row.used_by else ""
        click.echo(f"{row.seat}  {row.seat_name}  {_period(row.since, row.until)}  処理待ち {row.open_tasks}件{used}")
    click.echo(f"{len(rows)}の役")


@click.command()
@_by
@_json
def stuck(person: str, as_json: bool) -> None:
    """いま誰も処理できない仕事を一覧にします。"""
    engine = open_engine()
    rows = engine.personnel.stuck(engine.viewer(person))
    if as_json:
        print_json(rows)
        return
    for row in rows:
        click.echo(f"{row.task_id:>6}  {row.number}  {row.step}  {row.seat_name}  {row.why}")
    click.echo(f"{len(rows)}件")


# ---------------------------------------------------------------- absences and deputies


@click.command()
@click.argument("absent", metavar="PERSON")
@click.argument("first", metavar="FROM", callback=_day)
@click.argument("last", metavar="[TO]", required=False, callback=_day)
@click.option("--reason", required=True, type=click.Choice(list(ABSENCES)), help="、".join(f"{id}={name}" for id, name in ABSENCES.items()))
@_by
def absence(absent: str, first: date, last: date | None, reason: str, person: str) -> None:
    """利用者 PERSON の不在を FROM から TO（この日を含む。省くと未定）まで登録します。"""
    engine = open_engine()
    engine.personnel.register_absence(engine.viewer(person), absent, first, last, reason)
    click.echo(f"不在を登録しました（{_period(first, last)}）。")


@click.command()
@click.argument("principal")
@click.argument("deputy_id", metavar="PERSON")
@click.option("--kind", type=click.Choice(list(DEPUTY_KINDS)), default="substitute", show_default=True, help="代理か代決か。")
@click.option("--seat", default="", metavar="役@部署", help="役（省くと、すべての役。代決では必須）。")
@click.option("--process", default="", help="手続のid（省くと、すべての手続）。")
@click.option("--basis", required=True, help="根拠。")
@click.option("--from", "first", required=True, callback=_day, help="いつから。")
@click.option("--to", "last", callback=_day, help="いつまで（この日を含む。省くと未定）。")
@_by
def deputy(
    principal: str, deputy_id: str, kind: str, seat: str, process: str, basis: str, first: date, last: date | None, person: str
) -> None:
    """利用者 PRINCIPAL の代理（代決）を、利用者 PERSON にさせます。"""
    engine = open_engine()
    engine.personnel.register_deputy(
        engine.viewer(person), principal, deputy_id, kind=kind, seat=seat, process=process, basis=basis, valid_from=first, valid_to=last
    )
    click.echo(f"{DEPUTY_KINDS[kind]}を登録しました（{_period(first, last)}）。")


COMMANDS = (order, who, vacancies, stuck, absence, deputy)
