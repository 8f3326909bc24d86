"""The commands that move running cases to another version: proposed by one person, approved by another, and put back."""

from __future__ import annotations

import click

from engine import MOVE_WORDS, Engine, MovedCase, Place, PlanPage, VersionShown, read_place
from webui.cli_shared import as_json, by, open_engine, print_json

STATES = {"planned": "これから", "moved": "移した", "failed": "移せなかった", "undone": "戻した", "": ""}


def _places(_context: click.Context, _parameter: click.Parameter, values: tuple[str, ...]) -> dict[str, Place]:
    """Each `要素=same:要素`, `要素=anew:要素` or `要素=gone`."""
    found = {}
    for text in values:
        id, _, place = text.partition("=")
        try:
            found[id] = read_place(place)
        except ValueError:
            raise click.BadParameter(
                f"「{text}」は読めません。要素=same:新しい要素、要素=anew:新しい要素、要素=gone のどれかです。"
            ) from None
    return found


@click.command("move-cases")
@click.argument("process")
@click.option("--to", "target", type=int, required=True, metavar="番号", help="移す先の版。")
@click.option("--from", "source", type=int, metavar="番号", help="移す元の版（省くと、ほかのすべての版）。")
@click.option(
    "--place", "places", multiple=True, callback=_places, metavar="要素=先",
    help="新しい図にない要素の移し先：same:要素（同じ処理）、anew:要素（そこから始める）、gone（なくす）。",
)  # fmt: skip
@click.option("--note", default="", help="移す理由。")
@click.option("--dry-run", is_flag=True, help="何が起きるかを示すだけで、何も残しません。")
@by
@as_json
def move_cases(
    process: str, target: int, source: int | None, places: dict[str, Place], note: str, dry_run: bool, person: str, as_json: bool
) -> None:
    """手続 PROCESS の進行中の案件を、別の版へ移すことを提案します。移すには、ほかの人の承認（approve-move）が要ります。"""
    engine = open_engine()
    viewer = engine.viewer(person)
    versions = engine.versions.all(viewer, process)
    to = _version(versions, process, target)
    sources = [_version(versions, process, source)] if source is not None else [one for one in versions if one.running and one.id != to.id]
    told = []
    for one in reversed(sources):
        page = engine.moving.preview(viewer, one.id, to.id, places)
        chosen = {case.case_id: case.digest for case in page.cases if case.movable}
        plan = engine.moving.propose(viewer, one.id, to.id, chosen, places, note) if chosen and not dry_run else None
        told.append({"from": one.number, "to": to.number, "plan": plan, "cases": page.cases, "asked": page.asked, "cut_off": page.cut_off})
        if not as_json:
            click.echo(f"第{one.number}版から第{to.number}版へ：{len(page.cases)}件のうち、移せるもの{len(chosen)}件")
            for case in page.cases:
                _tell(case)
            if plan is not None:
                click.echo(f"計画{plan}として提案しました。ほかの人が approve-move {plan} で承認すると移ります。")
    if as_json:
        print_json(told)
    elif not sources:
        click.echo("移す案件はありません。")


def _version(versions: tuple[VersionShown, ...], process: str, number: int) -> VersionShown:
    for one in versions:
        if one.number == number:
            return one
    raise click.BadParameter(f"手続「{process}」の第{number}版はありません。")


def _tell(case: MovedCase) -> None:
    click.echo(f"{case.number}　{STATES[case.state]}{case.why or ('' if case.movable else '移せません')}")
    for name, why in case.obstacles:
        click.echo(f"  ✕ {f'{name}：' if name else ''}{why}")
    for line in case.lines:
        changes = "、".join(f"{label} {was} → {now}" for label, was, now in line.changes)
        click.echo(f"  {MOVE_WORDS[line.how]}　{line.what}「{line.name}」{f'：{changes}' if changes else ''}")


@click.command("approve-move")
@click.argument("plan", type=int)
@click.option("--comment", default="", help="意見。")
@by
@as_json
def approve_move(plan: int, comment: str, person: str, as_json: bool) -> None:
    """提案された計画 PLAN を承認し、案件を移します。途中で止まった計画は、続きから移します。"""
    engine = open_engine()
    viewer = engine.viewer(person)
    approved = engine.moving.plan(viewer, plan).plan.state == "approved"
    page = engine.moving.carry_on(viewer, plan) if approved else engine.moving.approve(viewer, plan, comment)
    _result(page, as_json)


@click.command("undo-move")
@click.argument("plan", type=int)
@click.argument("case")
@by
@as_json
def undo_move(plan: int, case: str, person: str, as_json: bool) -> None:
    """計画 PLAN で移した案件 CASE（番号）を、元の版に戻します。移した後に何も起きていないときだけ戻せます。"""
    engine: Engine = open_engine()
    viewer = engine.viewer(person)
    found = next((one for one in engine.moving.plan(viewer, plan).cases if case in (one.number, str(one.case_id))), None)
    if found is None:
        raise click.BadParameter(f"計画{plan}に案件「{case}」はありません。")
    engine.moving.undo(viewer, plan, found.case_id)
    _result(engine.moving.plan(viewer, plan), as_json)


def _result(page: PlanPage, as_json: bool) -> None:
    if as_json:
        print_json(page)
        return
    click.echo(f"計画{page.plan.id}：移した{page.plan.moved}件、移せなかった{page.plan.failed}件")
    for case in page.cases:
        _tell(case)


COMMANDS = (move_cases, approve_move, undo_move)
