"""The small office with an administrator and with rules of its own about notices, for the tests of how people and systems are told."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from email.message import EmailMessage
from pathlib import Path
from typing import Any

from tests.support import World, make_world, offices, postgresql_copy

ADMINISTRATOR = "administrator@office"


def office_folder(place: Path, notices: str = "", texts: str = "") -> Path:
    """The offices' folder anew: `notices` is the table [notices] of rules.toml, `texts` the office's notices.toml."""
    folder = place / "bpmn"
    shutil.copytree(offices(), folder)
    of = folder / "office"
    told = (of / "organisation.toml").read_text("utf-8")
    told = told.replace("role = [\n", 'role = [\n  { id = "administrator", name = "管理者" },\n', 1)
    told = told.replace(
        '"general_protection_manager", "audit_officer"]', '"general_protection_manager", "audit_officer", "administrator"]', 1
    )
    (of / "organisation.toml").write_text(told, "utf-8")
    if notices:
        rules = (of / "rules.toml").read_text("utf-8")
        (of / "rules.toml").write_text(f"{rules}\n[notices]\n{notices}\n", "utf-8")
    if texts:
        (of / "notices.toml").write_text(texts, "utf-8")
    return folder


@contextmanager
def telling(place: Path, postgresql: str | None = None, notices: str = "", texts: str = "", **settings: Any) -> Iterator[World]:
    """A world of that office; `postgresql` is the address of a cluster."""
    folder = office_folder(place, notices, texts)
    if postgresql is not None:
        with postgresql_copy(postgresql) as url:
            yield from _opened(make_world(place, url, bpmn=folder, **settings))
    else:
        yield from _opened(make_world(place, bpmn=folder, **settings))


def _opened(world: World) -> Iterator[World]:
    world.appoint("administrator.office", ADMINISTRATOR)
    yield world
    world.engine.close()


class Sent:
    """A sender that remembers, and fails when told to."""

    delivers = True

    def __init__(self, world: World) -> None:
        world.engine.sender = self
        self.messages: list[EmailMessage] = []
        self.error: Exception | None = None

    def send(self, message: EmailMessage) -> None:
        """Keep one."""
        if self.error is not None:
            raise self.error
        self.messages.append(message)

    def to(self, person: str) -> list[str]:
        """Subjects of what a person got."""
        return [str(message["Subject"]) for message in self.messages if message["To"] == f"{person}@example.go.jp"]


def deliveries(world: World, person: str | None = None, **where: Any) -> list[dict[str, Any]]:
    """Deliveries of notices with template and recipient, of one person perhaps."""
    told = {row["id"]: row for row in world.notices(person)}
    return [
        {**row, "template": told[row["notice"]]["template"], "person": told[row["notice"]]["person"]}
        for row in world.rows("delivery", **where)
        if row["notice"] in told
    ]
