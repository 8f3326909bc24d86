"""The command `tadachi doctor`: what an administrator should see to."""

from __future__ import annotations

import dataclasses
import json
import sys

import click

from engine import Engine

MARKS = {"ok": "　よし", "warning": "　注意", "fault": "要対応"}


@click.command()
@click.option("--json", "as_json", is_flag=True)
def doctor(as_json: bool) -> None:
    """設置の具合を調べ、することを示します（データベース、時計、ワーカー、メール、祝日、空き、権限）。

    要対応があれば 1、なければ 0 で終わります。何も変えません。
    """
    found = Engine.from_environment().examine()
    if as_json:
        click.echo(json.dumps([dataclasses.asdict(check) for check in found], ensure_ascii=False, indent=2))
    else:
        for check in found:
            click.echo(f"{MARKS[check.state]}　{check.text}")
    if any(check.state == "fault" for check in found):
        sys.exit(1)
