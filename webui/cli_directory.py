"""The commands `tadachi people …`: take people over from a directory, and say whom an outside identity stands for."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

import click

from engine import ADMINISTRATOR, JST, SYSTEM, CsvDirectory, Directory, Engine, LdapDirectory, NotAllowed, SettingsBroken, SyncPlan

Command = TypeVar("Command", bound=Callable[..., Any])


@click.group()
def people() -> None:
    """名簿からの利用者の取込みと、認証基盤の番号の登録。"""


def _acting(command: Command) -> Command:
    """--as: who does it, for the record."""
    option = click.option("--as", "person", metavar="利用者ID", help="どの管理者が行うか（省くと、システムとして記録します）。")
    return option(command)


def _actor(engine: Engine, person: str | None, organisation: str | None = None) -> tuple[str, str | None]:
    """Who acts, and for which office alone: an administrator for the own office, the system for any."""
    if person is None:
        return SYSTEM, organisation
    viewer = engine.viewer(person)
    if organisation not in (None, viewer.organisation) or not viewer.has_role(ADMINISTRATOR):
        raise NotAllowed()
    return person, viewer.organisation


@people.command()
@click.option("--organisation", required=True, help="機関のフォルダー名。")
@click.option(
    "--csv",
    "file",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    help="名簿のファイル（CSV か XLSX。職員番号・氏名・メール・在職）。",
)
@click.option("--ldap", "use_ldap", is_flag=True, help="TADACHI_LDAP_* で決めた名簿のサーバーから。")
@click.option("--dry-run", is_flag=True, help="何が変わるかを示すだけで、何も変えません。")
@click.option("--force", is_flag=True, help="多くの人の利用を終えることになっても行います。")
@click.option("--json", "as_json", is_flag=True)
@_acting
def sync(organisation: str, file: Path | None, use_ldap: bool, dry_run: bool, force: bool, as_json: bool, person: str | None) -> None:
    """名簿にある人を登録し、氏名とメールを合わせ、名簿から外れた人の利用を終えます。役はそのままです。"""
    engine = Engine.from_environment()
    by, _ = _actor(engine, person, engine.organisation(organisation).id)
    plan = engine.sync_people(organisation, _directory(engine, file, use_ldap), by, dry_run=dry_run, force=force)
    if as_json:
        told = {**_as_object(plan), "dry_run": dry_run, "suspicious": plan.suspicious}
        click.echo(json.dumps(told, ensure_ascii=False, indent=2))
    else:
        _print(plan, dry_run)
    if dry_run and not force:
        plan.check()  # the same refusal as without --dry-run, after the plan


def _directory(engine: Engine, file: Path | None, use_ldap: bool) -> Directory:
    if (file is None) == (not use_ldap):
        raise click.UsageError("--csv か --ldap の、どちらか一つを指定してください。")
    if file is not None:
        return CsvDirectory(file.read_bytes(), file.name)
    if engine.settings.ldap is None:
        raise SettingsBroken(name="TADACHI_LDAP_URL", why="名簿のサーバーを指定してください")
    return LdapDirectory(engine.settings.ldap)


def _as_object(plan: SyncPlan) -> dict[str, Any]:
    found = dataclasses.asdict(plan)
    for added in found["added"]:
        del added["active"], added["where"]
    return found


def _print(plan: SyncPlan, dry_run: bool) -> None:
    for new in plan.added:
        click.echo(f"登録    {new.id}  {new.name}{f'  {new.email}' if new.email else ''}")
    for change in plan.renamed:
        click.echo(f"氏名    {change.id}  {change.old} → {change.new}")
    for change in plan.mail_changed:
        click.echo(f"メール  {change.id}  {change.old or 'なし'} → {change.new or 'なし'}")
    for ending in plan.ended:
        click.echo(f"終了    {ending.id}  {ending.name}（{'在職でない' if ending.listed else '名簿にない'}）")
    for id in plan.ended_here:
        click.echo(f"注意：{id} は名簿では在職ですが、ここでは利用を終えています。そのままにしました。", err=True)
    if plan.unknown_kept:
        click.echo(f"名簿になく、名簿から登録したのでもない人（そのまま）：{'、'.join(plan.unknown_kept)}")
    if plan.adopted:
        click.echo(f"これからは名簿に従う人：{'、'.join(plan.adopted)}")
    counts = f"登録{len(plan.added)}人、氏名{len(plan.renamed)}人、メール{len(plan.mail_changed)}人、終了{len(plan.ended)}人"
    click.echo(f"{'（まだ何も変えていません）' if dry_run else ''}{counts}")


@people.command()
@click.argument("person_id", metavar="PERSON")
@click.argument("source")
@click.argument("subject")
@_acting
def link(person_id: str, source: str, subject: str, person: str | None) -> None:
    """認証元 SOURCE（例：oidc）の番号 SUBJECT を、利用者 PERSON のものとします。"""
    engine = Engine.from_environment()
    engine.link_identity(person_id, source, subject, *_actor(engine, person))
    click.echo(f"{source} の「{subject}」でサインインすると、利用者「{person_id}」になります。")


@people.command()
@click.argument("source")
@click.argument("subject")
@_acting
def unlink(source: str, subject: str, person: str | None) -> None:
    """認証元 SOURCE の番号 SUBJECT を、だれのものでもなくします。その利用者の進行中のログインも終わります。"""
    engine = Engine.from_environment()
    known = engine.unlink_identity(source, subject, *_actor(engine, person))
    click.echo(f"{source} の「{subject}」は、利用者「{known}」ではなくなりました。")


@people.command()
@click.argument("person_id", metavar="PERSON")
def links(person_id: str) -> None:
    """利用者 PERSON の、認証元と番号を一覧にします。"""
    for one in Engine.from_environment().links_of(person_id):
        click.echo(f"{one.source}  {one.subject}  {one.linked_at.astimezone(JST):%Y-%m-%d}  {one.linked_by}")
