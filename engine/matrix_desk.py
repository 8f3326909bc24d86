"""The desk of the matrix of clauses: who reads it, of which versions and drafts it is made, and what is played for it meanwhile."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import date
from typing import TYPE_CHECKING

from engine import coverage, draft_files, matrix
from engine.clock import civil_day
from engine.definitions import Bundles, bundles
from engine.errors import NotAllowed, ScenarioBroken, VersionNotFound
from engine.matrix import Shown
from engine.matrix_reach import Reach, Wanted, tell
from engine.matrix_tables import Source
from engine.matrix_views import Amendment, Matrix
from engine.organisation import Organisation
from engine.sandbox import Base
from engine.sandbox_desk import DRAFTS, VERSIONS
from engine.settings import Settings
from engine.views import Viewer

if TYPE_CHECKING:
    from engine.service import Engine

#: How long a page waits for scenarios that have not been played yet.
SECONDS = 0.5


class MatrixDesk:
    """`Engine.matrix` hands it out. Everything is refused to who neither draws diagrams nor audits (NotAllowed), drafts to who does not draw."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._reach = Reach(engine)
        self._bases: dict[str, tuple[object, dict[str, Base]]] = {}  # of each office the last ones: their digests take time

    def close(self) -> None:
        """Play no further."""
        self._reach.close()

    def may_read(self, viewer: Viewer) -> bool:
        """Whether the viewer may put diagrams in force, or audits: sees every case of the office."""
        rules = self._engine.organisations[viewer.organisation].rules
        return viewer.has_role(*rules.deployers, *rules.sees_every_case(civil_day(viewer.at)))

    def page(self, viewer: Viewer, draft: int | None = None, *, wait: float | None = SECONDS) -> Matrix:
        """The matrix of the viewer's office as it is in force; with a draft, that in the place of its procedure.

        Args:
            wait: seconds to wait for scenarios that have not been played yet, None for as long as it takes.

        Raises:
            NotAllowed; of drafts DraftNotFound, DefinitionRefused (the gate refuses it).
        """
        self._require(viewer)
        office = self._engine.organisations[viewer.organisation]
        sources, bases = self._in_force(viewer, office)
        own: dict[str, Mapping[str, str]] = {one.process_id: _texts(one.files) for one in sources}
        if draft is not None:
            base, played = self._engine.sandbox.base(viewer, DRAFTS, draft)
            net, decisions = base.compiled(base.process_id)
            drawn = Source(base.process_id, played.name, f"d{draft}", played.title, net, decisions, base.bundles[base.process_id][1])
            sources = [drawn, *(one for one in sources if one.process_id != base.process_id)]
            bases = {**bases, base.process_id: base}
            own[base.process_id] = draft_files.scenarios(self._engine.drafts.show(viewer, draft).files)
        wanted, lost = _scenarios(office, bases, own)
        shown = self._reach.of(wanted, wait=wait)
        return matrix.build(office, civil_day(viewer.at), sources, (*shown, *lost), draft=draft)

    def amended(
        self, viewer: Viewer, clauses: Sequence[str], draft: int | None = None, *, wait: float | None = SECONDS
    ) -> tuple[Matrix, Amendment]:
        """What changed clauses touch, with the matrix it is read from. Raises as `page` does."""
        whole = self.page(viewer, draft, wait=wait)
        return whole, matrix.amended(whole, clauses)

    def drawing(self, viewer: Viewer, ref: str, file: str) -> bytes:
        """A diagram of a version (`v12`) or draft (`d5`) of the viewer's office.

        Raises:
            NotAllowed, VersionNotFound (of the file too), ProcessNotFound, DraftNotFound, DefinitionRefused.
        """
        self._require(viewer)
        kind, number = {"v": VERSIONS, "d": DRAFTS}.get(ref[:1]), ref[1:]
        if kind is None or not (number.isascii() and number.isdigit()) or len(number) > 15:
            raise VersionNotFound(definition=ref)
        base, _ = self._engine.sandbox.base(viewer, kind, int(number))
        files = base.bundles[base.process_id][1]
        if file not in files:
            raise VersionNotFound(definition=ref)
        return files[file]

    def _require(self, viewer: Viewer) -> None:
        if not self.may_read(viewer):
            raise NotAllowed()

    def _in_force(self, viewer: Viewer, office: Organisation) -> tuple[list[Source], dict[str, Base]]:
        with self._engine.reading() as connection:
            found = self._engine.definitions.all_in_force(connection, office.id, viewer.at)
        sources = [Source(one.process_id, one.name, f"v{one.id}", f"第{one.version}版", one.net, one.decisions, one.files) for one in found]
        key = office.digest, office.amendments, tuple(one.id for one in found)
        kept = self._bases.get(office.id)
        if kept is None or kept[0] != key:
            kept = self._bases[office.id] = key, _bases(office, {one.process_id: (one.name, dict(one.files)) for one in found})
        return sources, kept[1]


def of_folder(make: type[Engine], settings: Settings, office: Organisation, on: date) -> Matrix:
    """The matrix of what an office's folder holds, with all its scenarios played; nothing of an installation is looked at.

    Raises:
        DefinitionRefused.
    """
    bases = _bases(office, bundles(office.folder, office.folder.parent / "common"))
    sources = [
        Source(process_id, base.bundles[process_id][0], "", "", *base.compiled(process_id), base.bundles[process_id][1])
        for process_id, base in bases.items()
    ]
    wanted, lost = _scenarios(office, bases, {})
    played = [tell(one[0], *coverage.play_one(make, settings, *one)) for one in wanted]
    return matrix.build(office, on, sources, (*played, *lost))


def _bases(office: Organisation, found: Bundles) -> dict[str, Base]:
    return {process_id: Base(office, process_id, found) for process_id in found}


def _texts(files: Mapping[str, bytes]) -> Mapping[str, str]:
    return draft_files.scenarios({name: data.decode() for name, data in files.items() if name.endswith(".yaml")})


def _scenarios(office: Organisation, bases: Mapping[str, Base], own: Mapping[str, Mapping[str, str]]) -> tuple[list[Wanted], list[Shown]]:
    """Which scenarios there are to be played, each on its procedure; and those that nobody can play: broken ones, and of no procedure."""
    folder = coverage.of_folder(office)
    wanted: list[Wanted] = []
    lost: dict[str, Shown] = {}
    for name, text in _all(folder, own):
        try:
            scenario = coverage.scenario_of(text, name)
        except ScenarioBroken:
            lost[name] = Shown(name, name, "", "failed")
            continue
        base = bases.get(scenario.process)
        if base is None:
            lost[name] = Shown(name, scenario.title, scenario.process, "failed")
        elif {**folder, **own.get(scenario.process, {})}.get(name) == text:
            wanted.append((base, name, text))
    return wanted, list(lost.values())


def _all(folder: Mapping[str, str], own: Mapping[str, Mapping[str, str]]) -> Iterable[tuple[str, str]]:
    return dict.fromkeys((*folder.items(), *(item for texts in own.values() for item in texts.items())))


__all__ = ["MatrixDesk", "of_folder"]
