"""The desk of the sandbox: what may be played by whom, the runs people are in the middle of, and what the scenarios of a procedure reach."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime
from typing import TYPE_CHECKING

import sqlalchemy as sa

from engine import coverage
from engine.errors import NotAllowed, PlayMoved, ProcessNotFound
from engine.model import definition, sandbox_run
from engine.sandbox import Base, Run, Sandbox
from engine.sandbox_room import Room
from engine.sandbox_views import Played, ScenariosPlayed
from engine.store import insert_new
from engine.views import Viewer

if TYPE_CHECKING:
    from engine.service import Engine


class SandboxDesk:
    """`Engine.sandbox` hands it out. Everything is refused to who may not put diagrams in force (NotAllowed)."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    def _require(self, viewer: Viewer) -> None:
        if not viewer.has_role(*self._engine.organisations[viewer.organisation].rules.deployers):
            raise NotAllowed()

    def procedures(self, viewer: Viewer) -> tuple[Played, ...]:
        """The procedures in force now."""
        self._require(viewer)
        with self._engine.reading() as connection:
            found = self._engine.definitions.all_in_force(connection, viewer.organisation, viewer.at)
        return tuple(Played("versions", one.id, one.process_id, one.name, f"第{one.version}版") for one in found)

    @contextmanager
    def open(self, viewer: Viewer, kind: str, number: int, *, length: int | None = None) -> Iterator[Room]:
        """The viewer's run of a version or a draft, played up to now.

        Args:
            kind: versions or drafts; number: its id.
            length: how many acts the run had when the viewer looked at it.

        Raises:
            NotAllowed, NotFound, DefinitionRefused (it cannot be run), PlayMoved.
        """
        self._require(viewer)
        base, played = self._base(viewer, kind, number)
        key = f"{kind}:{number}"
        run = self._run(viewer, key)
        sandbox = Sandbox(type(self._engine), self._engine.settings, base, run.starts)
        try:
            room = Room(sandbox, played, run, lambda now: self._keep(viewer, key, now))
            if length is not None and length != room.run.length:
                raise PlayMoved()
            yield room
        finally:
            sandbox.close()

    def scenarios(self, viewer: Viewer, kind: str, number: int) -> ScenariosPlayed:
        """Play every scenario of the procedure; raises as `open` does."""
        self._require(viewer)
        base, played = self._base(viewer, kind, number)
        results, reached = coverage.play_all(type(self._engine), self._engine.settings, base, coverage.of_folder(base.office))
        return ScenariosPlayed(played, results, reached)

    # ---------------------------------------------------------------- rows

    def _base(self, viewer: Viewer, kind: str, number: int) -> tuple[Base, Played]:
        office = self._engine.organisations[viewer.organisation]
        with self._engine.reading() as connection:
            in_force = self._engine.definitions.all_in_force(connection, office.id, viewer.at)
            bundles = {one.process_id: (one.name, dict(one.files)) for one in in_force}
            if kind != "versions":
                raise ProcessNotFound(process=number)
            ours = sa.select(definition.c.id).where(definition.c.id == number, definition.c.organisation == office.id)
            if connection.scalar(ours) is None:
                raise ProcessNotFound(process=number)
            found = self._engine.definitions.get(connection, number)
        bundles[found.process_id] = (found.name, dict(found.files))
        return Base(office, found.process_id, bundles), Played(kind, number, found.process_id, found.name, f"第{found.version}版")

    def _run(self, viewer: Viewer, key: str) -> Run:
        mine = sa.select(sandbox_run).where(sandbox_run.c.person == viewer.person, sandbox_run.c.base == key)
        with self._engine.reading() as connection:
            row = connection.execute(mine).mappings().first()
        return Run.load(row["starts"], row["acts"]) if row is not None else Run(_minute(viewer.at))

    def _keep(self, viewer: Viewer, key: str, run: Run) -> None:
        values = {"starts": run.starts, "acts": run.dump(), "length": run.length, "changed_at": viewer.at}
        with self._engine.writing() as connection:
            connection.execute(insert_new(connection, sandbox_run), {"person": viewer.person, "base": key, **values})
            mine = sa.and_(sandbox_run.c.person == viewer.person, sandbox_run.c.base == key)
            connection.execute(sandbox_run.update().where(mine).values(values))


def _minute(instant: datetime) -> datetime:
    return instant.replace(second=0, microsecond=0)


__all__ = ["SandboxDesk"]
