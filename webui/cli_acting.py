"""The commands of acting beside the ordinary way: why a step is somebody's, 引上げ, 照会, 回覧, their answers and confirmations."""

from __future__ import annotations

import click

from engine import JST
from webui.cli_shared import acting, case_id, open_engine, print_json


@click.command()
@click.argument("task_id", type=int)
@click.option("--as", "person", required=True, metavar="利用者ID", help="誰として見るか。")
@click.option("--json", "as_json", is_flag=True)
def why(task_id: int, person: str, as_json: bool) -> None:
    """処理 TASK_ID がなぜその役に届き、なぜ自分に行える（行えない）のかを示します。"""
    engine = open_engine()
    found = engine.why(engine.viewer(person), task_id)
    if as_json:
        print_json(found)
        return
    click.echo(found.step)
    for what, text in found.lines:
        click.echo(f"{what}：{text}")
    for name, how in found.people:
        click.echo(f"担う人：{name}（{how}）")
    for sentence in found.mine:
        click.echo(sentence)
    click.echo((found.refused and f"行えません：{found.refused}") or "あなたは、この処理を行えます。")


@click.command("pull-up")
@click.argument("task_id", type=int)
@acting
@click.option("--reason", required=True, help="理由。")
def pull_up(task_id: int, person: str, seat: str | None, reason: str) -> None:
    """上位の役として、確認の処理 TASK_ID を待たずに先へ進めます（引上げ。担当には後閲が届きます）。"""
    with open_engine().work(by=person, seat=seat) as work:
        work.pull_up(task_id, reason)
    click.echo("引き上げました。")


@click.command()
@click.argument("case")
@click.argument("to", metavar="宛先")
@click.argument("text")
@acting
def consult(case: str, to: str, text: str, person: str, seat: str | None) -> None:
    """案件 CASE（番号かID）について、宛先（役@部署 か person:利用者ID）に TEXT を照会します。"""
    engine = open_engine()
    with engine.work(by=person, seat=seat) as work:
        made = work.consult(case_id(engine, person, case), to, text)
    click.echo(f"照会しました（{made}）。")


@click.command()
@click.argument("case")
@click.argument("to", nargs=-1, required=True, metavar="宛先…")
@click.option("--text", required=True, help="回覧の趣旨。")
@acting
def circulate(case: str, to: tuple[str, ...], text: str, person: str, seat: str | None) -> None:
    """案件 CASE（番号かID）を、宛先（役@部署 か person:利用者ID）に回覧します。"""
    engine = open_engine()
    with engine.work(by=person, seat=seat) as work:
        made = work.circulate(case_id(engine, person, case), to, text)
    click.echo(f"回覧しました（{'、'.join(map(str, made))}）。")


@click.command()
@click.argument("referral_id", type=int, metavar="ID")
@click.argument("text")
@acting
def answer(referral_id: int, text: str, person: str, seat: str | None) -> None:
    """照会 ID（referrals の番号）に TEXT と回答します。"""
    with open_engine().work(by=person, seat=seat) as work:
        work.answer(referral_id, text)
    click.echo("回答しました。")


@click.command()
@click.argument("referral_id", type=int, metavar="ID")
@acting
def confirm(referral_id: int, person: str, seat: str | None) -> None:
    """回覧・後閲 ID（referrals の番号）を確認したと記録します。"""
    with open_engine().work(by=person, seat=seat) as work:
        work.confirm(referral_id)
    click.echo("確認しました。")


@click.command()
@click.argument("referral_id", type=int, metavar="ID")
@acting
def recall(referral_id: int, person: str, seat: str | None) -> None:
    """自分が出した照会・回覧 ID を取りやめます。"""
    with open_engine().work(by=person, seat=seat) as work:
        work.recall(referral_id)
    click.echo("取りやめました。")


@click.command()
@click.option("--as", "person", required=True, metavar="利用者ID", help="誰として見るか。")
@click.option("--json", "as_json", is_flag=True)
def referrals(person: str, as_json: bool) -> None:
    """読むもの・答えるもの（照会・回覧・後閲）を一覧にします。"""
    engine = open_engine()
    rows = engine.referrals(engine.viewer(person))
    if as_json:
        print_json(rows)
        return
    for row in rows:
        opened = f"{row.opened_at.astimezone(JST):%Y-%m-%d %H:%M}"
        click.echo(
            f"{row.id:>6}  {row.label}  {row.number}  {opened}  {row.asked_by_name}から{row.to_name}あて  {row.text.partition(chr(10))[0]}"
        )
    click.echo(f"{len(rows)}件")


COMMANDS = (why, pull_up, consult, circulate, answer, confirm, recall, referrals)
