"""The desk of versions: which there are, two of them compared, an approved one called off before its day; reviews are `engine/reviews.py`."""

from __future__ import annotations

import json
import threading
from typing import TYPE_CHECKING

import sqlalchemy as sa

from engine import (
    coming,
    compare_desk,
    compare_scenarios,
    definitions,
    version_list,
)
from engine.compare_desk import ComparePage, Side
from engine.compare_scenarios import ScenarioCompared
from engine.errors import (
    NotAllowed,
    PersonNotFound,
    ReviewClosed,
    ReviewRefused,
    ScenariosBusy,
)
from engine.model import Row, definition, draft_review, job
from engine.reviews import Reviews, clean
from engine.version_views import ReviewPage, VersionEvent, VersionShown
from engine.views import Viewer

if TYPE_CHECKING:
    from engine.service import Engine


class VersionDesk(Reviews):
    """`Engine.versions` hands it out."""

    def __init__(self, engine: Engine) -> None:
        super().__init__(engine)
        self._playing = threading.Lock()  # a process that plays scenarios keeps a processor busy: one at a time

    # ---------------------------------------------------------------- look

    def all(self, viewer: Viewer, process_id: str) -> tuple[VersionShown, ...]:
        """Every version of a procedure, the newest first. Raises NotAllowed, ProcessNotFound."""
        return version_list.versions(self._engine, viewer, process_id)

    def events(self, viewer: Viewer, process_id: str | None = None) -> tuple[VersionEvent, ...]:
        """Who began, laid before, approved, deployed and called off what, the newest first. Raises NotAllowed."""
        return version_list.events(self._engine, viewer, process_id)

    def review(self, viewer: Viewer, draft_id: int) -> ReviewPage:
        """A draft with all that a reviewer needs. Raises NotAllowed, DraftNotFound."""
        return version_list.review(self._engine, viewer, draft_id)

    def files(self, viewer: Viewer, definition_id: int) -> dict[str, bytes]:
        """The files of a version. Raises NotAllowed, VersionNotFound."""
        version_list.require_sight(self._engine, viewer)
        with self._engine.reading() as connection:
            row = version_list.row_of(connection, viewer, definition_id)
        return {name: text.encode() for name, text in json.loads(row["bundle"]).items()}

    def compare(self, viewer: Viewer, before: str, after: str) -> ComparePage:
        """Two versions (`v12`) or drafts (`d5`) side by side. Raises NotAllowed, VersionNotFound, DraftNotFound."""
        return compare_desk.page(self._engine, viewer, before, after)

    def scenarios(
        self, viewer: Viewer, before: str, after: str, *, seconds: float = compare_scenarios.SECONDS
    ) -> tuple[ScenarioCompared, ...]:
        """The scenarios of the procedure played on both, to tell which go otherwise. It takes up to a minute.

        Raises:
            NotAllowed, VersionNotFound, DraftNotFound, DefinitionRefused (a draft that the gate refuses), ScenariosBusy.
        """
        old, new = self.side(viewer, before), self.side(viewer, after)
        for one in (old, new):
            if one.draft is not None:
                self._examined(viewer, self._engine.drafts.show(viewer, one.draft))
        if not self._playing.acquire(blocking=False):
            raise ScenariosBusy()
        try:
            with self._engine.reading() as connection:
                others = self._engine.definitions.all_in_force(connection, viewer.organisation, viewer.at)
            return compare_scenarios.play_both(
                self._engine, viewer.organisation, new.process_id, old.files, new.files, others, seconds=seconds
            )  # fmt: skip
        finally:
            self._playing.release()

    def side(self, viewer: Viewer, ref: str) -> Side:
        """A version or draft by its reference, with its files. Raises NotAllowed, VersionNotFound, DraftNotFound."""
        return compare_desk.side(self._engine, viewer, ref)

    def reference(self, viewer: Viewer, process_id: str, number: int) -> str:
        """The reference (`v12`) of a procedure's version by its number. Raises NotAllowed, ProcessNotFound, VersionNotFound."""
        return compare_desk.reference(self._engine, viewer, process_id, number)

    def may_see(self, viewer: Viewer) -> bool:
        """Whether the viewer may see versions at all."""
        return version_list.may_see(self._engine, viewer)

    # ---------------------------------------------------------------- call off

    def cancel(self, viewer: Viewer, definition_id: int, reason: str) -> None:
        """Call an approved version off before its day; whoever approved it may. Its draft can be drawn on again.

        Raises:
            NotAllowed, VersionNotFound, ReviewClosed (in force, called off, or another comes after it), ReviewRefused (no reason).
        """
        self._engine.drafts.require_designer(viewer)
        why = clean(reason, "取り消す理由")
        if not why:
            raise ReviewRefused(why="施行を取り消す理由を入力してください。")
        with self._engine.writing() as connection:
            row = version_list.row_of(connection, viewer, definition_id, lock=True)
            self._require_coming(connection, row)
            if row["deployed_by"] != viewer.person and self.has_part(row["deployed_by"]):
                raise NotAllowed()
            values = {"cancelled_at": viewer.at, "cancelled_by": viewer.person, "cancel_reason": why}
            connection.execute(definition.update().where(definition.c.id == definition_id).values(values))
            connection.execute(job.delete().where(job.c.kind == coming.KIND, job.c.key == coming.key_of(definition_id)))
            draft_id = connection.scalar(sa.select(draft_review.c.draft_id).where(draft_review.c.definition == definition_id))
            self._set_state(connection, draft_id, "editing")
            data = {"name": row["name"], "process": row["process_id"], "number": row["version"], "draft": draft_id, "reason": why}
            self._history(connection, viewer, "definition.cancelled", data, definition_id)

    def _require_coming(self, connection: sa.Connection, row: Row) -> None:
        if row["cancelled_at"] is not None:
            raise ReviewClosed(why=f"第{row['version']}版の施行は、すでに取り消されています。")
        if row["in_force_from"] <= self._engine.clock.now():
            raise ReviewClosed(why=f"第{row['version']}版は、もう施行されています。前の内容に戻すには、新しい版を作ってください。")
        last = definitions.newest(connection, row["organisation"], row["process_id"])
        if last is not None and last["id"] != row["id"]:
            raise ReviewClosed(why=f"先に、後から承認された第{last['version']}版の施行を取り消してください。")

    def has_part(self, person: str) -> bool:
        """Whether a reviewer still is one who may draw and review: else what he approved could not be called off by anybody."""
        try:
            return self._engine.drafts.may_design(self._engine.viewer(person))
        except PersonNotFound:
            return False


__all__ = ["VersionDesk"]
