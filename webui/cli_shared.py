"""What several files of the command share: who acts, data as JSON, a case by its number."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Callable, Mapping
from datetime import date, datetime
from typing import Any, TypeVar

import click

from engine import JST, CaseNotFound, Engine, read_date

Command = TypeVar("Command", bound=Callable[..., Any])


def open_engine() -> Engine:
    """The engine that the environment describes."""
    return Engine.from_environment()


def plain(value: Any) -> Any:
    """Data for JSON: dataclasses as objects, instants in Japanese time."""
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        return {item.name: plain(getattr(value, item.name)) for item in dataclasses.fields(value)}
    if isinstance(value, Mapping):
        return {str(name): plain(item) for name, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [plain(item) for item in value]
    if isinstance(value, datetime):
        return value.astimezone(JST).isoformat(timespec="seconds")
    return value.isoformat() if isinstance(value, date) else value


def print_json(value: Any) -> None:
    """Print data as JSON."""
    click.echo(json.dumps(plain(value), ensure_ascii=False, indent=2))


def acting(command: Command) -> Command:
    """--as and --seat: who acts, and from which seat; recorded as made there."""
    command = click.option("--seat", metavar="役@部署", help="どの役として行うか（省くと、その処理の役）。")(command)
    return click.option("--as", "person", required=True, metavar="利用者ID", help="誰が行うか。")(command)


def by(command: Command) -> Command:
    """--by: who looks or acts."""
    return click.option("--by", "--as", "person", required=True, metavar="利用者ID", help="誰が行うか。")(command)


def as_json(command: Command) -> Command:
    """--json: data instead of lines."""
    return click.option("--json", "as_json", is_flag=True, help="JSON で出します。")(command)


def day(_context: click.Context, _parameter: click.Parameter, value: str | None) -> date | None:
    """The day an option writes, in any way that offices write one."""
    try:
        return read_date(value) if value else None
    except ValueError:
        raise click.BadParameter(f"日付「{value}」を読めません（例：2027-04-01、令和9年4月1日）。") from None


def case_id(engine: Engine, person: str, case: str) -> int:
    """A case by id or by number, among those the person may see."""
    if case.isdigit():
        return int(case)
    heads, _ = engine.cases(engine.viewer(person), text=case, limit=200)
    for head in heads:
        if head.number == case:
            return head.id
    raise CaseNotFound(case=case)
