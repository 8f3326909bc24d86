"""The desk of the sandbox: what may be played by whom, the runs people are in the middle of, and what the scenarios of a procedure reach."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime
from typing import TYPE_CHECKING

import sqlalchemy as sa

from engine import coverage, draft_files, scenario_text
from engine.definitions import Bundles
from engine.errors import DefinitionRefused, NotAllowed, NotFound, PlayMoved, PlayRefused, ProcessNotFound
from engine.model import definition, sandbox_run
from engine.sandbox import Base, Run, Sandbox
from engine.sandbox_room import Room
from engine.sandbox_views import Played, ScenariosPlayed
from engine.storage import insert_new
from engine.views import Viewer

if TYPE_CHECKING:
    from engine.service import Engine


VERSIONS, DRAFTS = "versions", "drafts"
#: How many drafts are remembered as sound: examining one takes up to two seconds.
MOST_SOUND = 32


class SandboxDesk:
    """`Engine.sandbox` hands it out. Who may not put diagrams in force is refused (NotAllowed); `base` asks nobody."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._sound: dict[str, dict[str, bytes]] = {}  # drafts that the gate let pass, with what they call

    def _require(self, viewer: Viewer) -> None:
        if not viewer.has_role(*self._engine.organisations[viewer.organisation].rules.deployers):
            raise NotAllowed()

    def procedures(self, viewer: Viewer) -> tuple[Played, ...]:
        """The procedures in force now."""
        self._require(viewer)
        with self._engine.reading() as connection:
            found = self._engine.definitions.all_in_force(connection, viewer.organisation, viewer.at)
        return tuple(Played(VERSIONS, one.id, one.process_id, one.name, f"第{one.version}版") for one in found)

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
        base, played = self.base(viewer, kind, number)
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
        base, played = self.base(viewer, kind, number)
        told = self._scenarios(viewer, kind, number, base)
        results, reached = coverage.play_all(type(self._engine), self._engine.settings, base, told)
        beside = draft_files.scenarios(self._engine.drafts.show(viewer, number).files) if kind == DRAFTS else {}
        return ScenariosPlayed(played, results, reached, frozenset(beside))

    def _scenarios(self, viewer: Viewer, kind: str, number: int, base: Base) -> dict[str, str]:
        """Those beside the office's diagrams, covered by those of the version or draft itself."""
        files = {name: data.decode() for name, data in base.bundles[base.process_id][1].items()}
        if kind == DRAFTS:
            files = dict(self._engine.drafts.show(viewer, number).files)
        return {**coverage.of_folder(base.office), **draft_files.scenarios(files)}

    def save_scenario(self, viewer: Viewer, number: int, title: str) -> str:
        """Lay the viewer's run of a draft beside its diagrams as a scenario; returns the file's name.

        Raises:
            PlayRefused, DraftClosed, DraftHeld, DraftMoved, and as `open` does.
        """
        with self.open(viewer, DRAFTS, number) as room:
            text = room.scenario(title)
        page = self._engine.drafts.show(viewer, number)
        office = self._engine.organisations[viewer.organisation]
        taken = {*draft_files.scenarios(page.files), *coverage.of_folder(office)}
        name = draft_files.free_scenario(office.id, page.draft.process_id, taken)
        self._engine.drafts.save(viewer, number, page.draft.revision, {**page.files, name: text})
        return name

    def scenario_text(self, viewer: Viewer, kind: str, number: int, name: str) -> str:
        """One scenario of a version or draft as it is written. Raises NotFound, and as `open` does."""
        self._require(viewer)
        base, _ = self.base(viewer, kind, number)
        text = self._scenarios(viewer, kind, number, base).get(name)
        if text is None:
            raise NotFound(scenario=name)
        return text

    def follow(self, viewer: Viewer, kind: str, number: int, name: str) -> None:
        """Make a scenario the viewer's run: played as far as it goes, to look at where it stops or to play on. Raises ScenarioBroken too."""
        scenario = scenario_text.read(self.scenario_text(viewer, kind, number, name), name)
        with self.open(viewer, kind, number) as room:
            if scenario.process != room.played.process_id:
                raise PlayRefused(why="別の手続のシナリオです。")
            room.follow(scenario)

    def remove_scenario(self, viewer: Viewer, number: int, name: str) -> None:
        """Take a scenario away that lies beside a draft; those beside the office's diagrams stay.

        Raises:
            NotFound, DraftClosed, DraftHeld, DraftMoved, and as `open` does.
        """
        page = self._engine.drafts.show(viewer, number)
        files = {file: text for file, text in page.files.items() if name not in draft_files.scenarios({file: text})}
        if len(files) == len(page.files):
            raise NotFound(scenario=name)
        self._engine.drafts.save(viewer, number, page.draft.revision, files)

    # ---------------------------------------------------------------- rows

    def base(self, viewer: Viewer, kind: str, number: int) -> tuple[Base, Played]:
        """A version or a draft of the viewer's office, to be played among the procedures in force.

        Raises:
            ProcessNotFound; of drafts NotAllowed, DraftNotFound, DefinitionRefused (the gate refuses it).
        """
        office = self._engine.organisations[viewer.organisation]
        with self._engine.reading() as connection:
            in_force = self._engine.definitions.all_in_force(connection, office.id, viewer.at)
            bundles = {one.process_id: (one.name, dict(one.files)) for one in in_force}
            if kind == DRAFTS:
                return self._drawn(viewer, number, bundles)
            if kind != VERSIONS:
                raise ProcessNotFound(process=number)
            ours = sa.select(definition.c.id).where(definition.c.id == number, definition.c.organisation == office.id)
            if connection.scalar(ours) is None:
                raise ProcessNotFound(process=number)
            found = self._engine.definitions.get(connection, number)
        bundles[found.process_id] = (found.name, dict(found.files))
        return Base(office, found.process_id, bundles), Played(kind, number, found.process_id, found.name, f"第{found.version}版")

    def _drawn(self, viewer: Viewer, number: int, bundles: Bundles) -> tuple[Base, Played]:
        """A draft as it is saved. What the gate refuses is not played: it may be anything. Raises DefinitionRefused."""
        page = self._engine.drafts.show(viewer, number)
        draft, office = page.draft, self._engine.organisations[viewer.organisation]
        files = draft_files.drawn(page.files)
        key = hashlib.sha256(f"{office.digest}\0{draft.process_id}\0{draft_files.dumped(files)}".encode()).hexdigest()
        whole = self._sound.get(key)
        if whole is None:
            examined = self._engine.drafts.inspect(viewer, number, files)
            errors = [finding for finding in examined.findings if finding.severity == "error"]
            if errors:
                raise DefinitionRefused(errors)
            whole = draft_files.encoded({**files, **examined.called})
            self._sound[key] = whole
            while len(self._sound) > MOST_SOUND:
                self._sound.pop(next(iter(self._sound)), None)
        bundles[draft.process_id] = (draft.title, whole)
        played = Played(DRAFTS, number, draft.process_id, draft.title, f"下書き（{draft.revision}回目の保存）")
        return Base(office, draft.process_id, bundles, admitted=False), played

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
