"""Reviews of drafts: laid before a second person, who sends one back or approves it; nothing unsound comes into force.

The reviewer approves one revision, compared with one version. What is stored are the very files that were examined and proven, by the office's
folder as it is on the day of the approval. Running cases keep their version.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any

import sqlalchemy as sa

from engine import coming, definitions, draft_authors, draft_files, draft_locks, history, parsing, people, version_list
from engine.checker.proving import Prover
from engine.clock import civil_day
from engine.draft_desk import STATES
from engine.draft_views import DraftPage
from engine.errors import (
    DefinitionRefused,
    DraftClosed,
    DraftMoved,
    DraftNotFound,
    NotAllowed,
    ReviewClosed,
    ReviewRefused,
    SamePerson,
    VersionMoved,
    VersionNotFound,
)
from engine.forms import clean_text, japanese_instant
from engine.model import Row, definition, diagram_draft, draft_review
from engine.version_views import VersionShown
from engine.views import Viewer

if TYPE_CHECKING:
    from engine.service import Engine

MAX_COMMENT = 2_000
#: How far ahead a version may be approved; a date further away is a slip of the hand.
FURTHEST = timedelta(days=5 * 366)
DECIDED = "この確認は、すでに終わっているか、取り下げられています。"


class Reviews:
    """What of `Engine.versions` asks for reviews and decides them."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    # ---------------------------------------------------------------- ask

    def ask(self, viewer: Viewer, draft_id: int, revision: int, request: str = "") -> None:
        """Lay a draft before a second person, as it is saved; it is proven meanwhile.

        Raises:
            NotAllowed, DraftNotFound, DraftClosed, DraftHeld, DraftMoved, ReviewRefused (nothing has changed), DefinitionRefused.
        """
        page = self._engine.drafts.show(viewer, draft_id)
        said = clean(request, "依頼の内容")
        files = self._examined(viewer, page)
        with self._engine.writing() as connection:
            row = self._locked(connection, viewer, draft_id)
            if row["state"] != "editing":
                raise DraftClosed(draft=draft_id, state=STATES[row["state"]])
            draft_locks.require(connection, draft_id, viewer)
            self._require_revision(connection, row, revision)
            last = definitions.newest(connection, viewer.organisation, row["process_id"])
            if last is not None and last["digest"] == definitions.digest_of(definitions.bundle_text(files)):
                raise ReviewRefused(why=f"第{last['version']}版と変わったところがありません。")
            values = {
                "draft_id": draft_id, "revision": revision, "asked_by": viewer.person, "asked_at": viewer.at, "comment": "", "request": said,
            }  # fmt: skip
            connection.execute(draft_review.insert().values(values))
            self._set_state(connection, draft_id, "review")
            draft_locks.release(connection, draft_id, viewer)
            self._record(connection, viewer, "draft.review_asked", row, revision=revision)
        if isinstance(self._engine.prove, Prover):
            self._engine.proofs.start(viewer, draft_id)

    def withdraw(self, viewer: Viewer, draft_id: int) -> None:
        """Take a draft back from the reviewer, to draw on; whoever drew it may. Raises NotAllowed, DraftNotFound, ReviewClosed."""
        self._engine.drafts.require_designer(viewer)
        with self._engine.writing() as connection:
            row = self._locked(connection, viewer, draft_id)
            asked = self._open_review(connection, row)
            if viewer.person not in (*draft_authors.of(connection, draft_id), asked["asked_by"]):
                raise NotAllowed()
            self._decide(connection, viewer, asked, "withdrawn", "")
            self._set_state(connection, draft_id, "editing")
            self._record(connection, viewer, "draft.review_withdrawn", row, revision=asked["revision"])

    # ---------------------------------------------------------------- decide

    def send_back(self, viewer: Viewer, draft_id: int, comment: str) -> None:
        """Give a draft back to be drawn on, saying why.

        Raises:
            NotAllowed, SamePerson, DraftNotFound, ReviewClosed, ReviewRefused.
        """
        self._engine.drafts.require_designer(viewer)
        why = clean(comment, "差し戻す理由")
        if not why:
            raise ReviewRefused(why="差し戻す理由を入力してください。")
        with self._refusals(viewer, "send_back", draft_id), self._engine.writing() as connection:
            row = self._locked(connection, viewer, draft_id)
            asked = self._open_review(connection, row)
            self._require_independent(connection, viewer, asked)
            self._decide(connection, viewer, asked, "returned", why)
            self._set_state(connection, draft_id, "editing")
            self._record(connection, viewer, "draft.returned", row, revision=asked["revision"], comment=why)

    def approve(
        self,
        viewer: Viewer,
        draft_id: int,
        revision: int,
        replaces: int | None,
        *,
        in_force_from: datetime | None = None,
        comment: str = "",
    ) -> VersionShown:
        """Approve a draft: it comes into force at once or at an instant, once examined and proven. It takes seconds.

        Args:
            revision: what the reviewer looked at.
            replaces: id of the version he compared it with; None for a new procedure.
            in_force_from: an instant to come; None = at once.

        Raises:
            NotAllowed, SamePerson, DraftNotFound, DraftMoved, ReviewClosed, ReviewRefused (the instant), VersionMoved;
            DefinitionRefused: the gate, the office or the checker has found something, or the proof was not finished.
        """
        page = self._engine.drafts.show(viewer, draft_id)
        said = clean(comment, "意見")
        with self._refusals(viewer, "approve", draft_id), self._engine.reading() as connection:  # before the seconds of the proof
            self._may_approve(connection, viewer, self._row(connection, viewer, draft_id), revision, replaces, in_force_from)
        files = self._examined(viewer, page)
        self._prove(viewer, page, files, in_force_from or viewer.at)
        with self._engine.writing() as connection:
            row = self._locked(connection, viewer, draft_id)
            mine = sa.and_(definition.c.organisation == viewer.organisation, definition.c.process_id == row["process_id"])
            connection.execute(sa.select(definition.c.id).where(mine).order_by(definition.c.id).with_for_update())
            now = self._engine.clock.now()
            asked = self._may_approve(connection, viewer, row, revision, replaces, in_force_from)
            since = in_force_from or now
            try:
                with connection.begin_nested():
                    made, number = definitions.add(
                        connection, viewer.organisation, row["process_id"], _name(files, row["process_id"]),
                        definitions.bundle_text(files), viewer.person, now, since,
                    )  # fmt: skip
            except sa.exc.IntegrityError:  # the first version of a procedure, put in force by somebody else in this very moment
                raise self._moved(connection, viewer, row) from None
            self._decide(connection, viewer, asked, "approved", said, definition=made, in_force_from=since)
            self._set_state(connection, draft_id, "approved")
            coming.take_effect(self._engine, connection, made, now)
            data = {"name": _name(files, row["process_id"]), "process": row["process_id"], "number": number, "draft": draft_id}
            data |= {"revision": revision, "from": japanese_instant(since.isoformat()), "asked_by": asked["asked_by"], "comment": said}
            self._history(connection, viewer, "definition.approved", data, made)
        return next(one for one in version_list.versions(self._engine, viewer, row["process_id"]) if one.id == made)

    def _may_approve(
        self, connection: sa.Connection, viewer: Viewer, row: Row, revision: int, replaces: int | None, since: datetime | None
    ) -> Row:
        """The open review, when the viewer may approve this revision in the place of that version from then on."""
        asked = self._open_review(connection, row)
        self._require_independent(connection, viewer, asked)
        self._require_revision(connection, row, revision)
        last = definitions.newest(connection, viewer.organisation, row["process_id"])
        if (last["id"] if last is not None else None) != replaces:
            raise self._moved(connection, viewer, row)
        now = self._engine.clock.now()
        if since is not None and since <= now:
            raise ReviewRefused(why="施行の日時は、いまより後にしてください。すぐに施行するときは「承認と同時」を選びます。")
        if since is not None and since > now + FURTHEST:
            raise ReviewRefused(why="施行の日時が遠すぎます。5年以内にしてください。")
        if last is not None and last["in_force_from"] > (since or now):
            when = japanese_instant(last["in_force_from"].isoformat())
            raise ReviewRefused(
                why=f"第{last['version']}版が{when}に施行されることになっています。それより後にするか、先にその施行を取り消してください。"
            )
        return asked

    def _prove(self, viewer: Viewer, page: DraftPage, files: dict[str, bytes], at: datetime) -> None:
        """Raises DefinitionRefused when the very files are not proven sound by the office's rules of that day."""
        office = self._engine.organisations[viewer.organisation]
        report = self._engine.prove(page.draft.process_id, files, office, on=civil_day(at))
        if any(finding.severity == "error" for finding in report.findings):
            raise DefinitionRefused(report.findings)

    def _examined(self, viewer: Viewer, page: DraftPage) -> dict[str, bytes]:
        """The bundle of a draft, with the diagrams it calls; raises DefinitionRefused when the gate refuses it."""
        examined = self._engine.drafts.inspect(viewer, page.draft.id, page.files)
        if any(finding.severity == "error" for finding in examined.findings):
            raise DefinitionRefused(examined.findings)
        return draft_files.encoded({**page.files, **examined.called})

    # ---------------------------------------------------------------- rows

    def _row(self, connection: sa.Connection, viewer: Viewer, draft_id: int, *, lock: bool = False) -> Row:
        query = sa.select(diagram_draft).where(diagram_draft.c.id == draft_id, diagram_draft.c.organisation == viewer.organisation)
        row = connection.execute(query.with_for_update() if lock else query).mappings().first()
        if row is None:
            raise DraftNotFound(draft=draft_id)
        return row

    def _locked(self, connection: sa.Connection, viewer: Viewer, draft_id: int) -> Row:
        return self._row(connection, viewer, draft_id, lock=True)

    def _open_review(self, connection: sa.Connection, row: Row) -> Row:
        query = sa.select(draft_review).where(draft_review.c.draft_id == row["id"], draft_review.c.verdict.is_(None))
        asked = connection.execute(query.order_by(draft_review.c.id.desc()).limit(1)).mappings().first()
        if asked is None or row["state"] != "review":
            raise ReviewClosed(why=DECIDED)
        return asked

    def _require_independent(self, connection: sa.Connection, viewer: Viewer, asked: Row) -> None:
        """Separation of duties is judged by persons, whatever seats they act from (docs/architecture.md §16)."""
        if viewer.person in (*draft_authors.of(connection, asked["draft_id"]), asked["asked_by"]):
            raise SamePerson(other="図の作成・確認の依頼")

    def _require_revision(self, connection: sa.Connection, row: Row, revision: int) -> None:
        if row["revision"] != revision:
            names = people.names(connection, [row["saved_by"]])
            at = japanese_instant(row["saved_at"].isoformat())
            raise DraftMoved(draft=row["id"], revision=row["revision"], at=at, person=names.get(row["saved_by"], ""))

    @contextmanager
    def _refusals(self, viewer: Viewer, verb: str, draft_id: int) -> Iterator[None]:
        """An attempt to approve or refuse what one drew oneself stays in the record."""
        try:
            yield
        except SamePerson as error:
            self._engine.record_refusal(viewer.organisation, viewer.person, None, {"verb": verb, "draft": draft_id}, error)
            raise

    def _moved(self, connection: sa.Connection, viewer: Viewer, row: Row) -> VersionMoved | ReviewClosed:
        last = definitions.newest(connection, viewer.organisation, row["process_id"])
        if last is None:
            return ReviewClosed(why="見比べた版の施行が取り消されています。変わったところを確かめ直してください。")
        name = people.names(connection, [last["deployed_by"]]).get(last["deployed_by"]) or last["deployed_by"]
        return VersionMoved(number=last["version"], person=name, definition=last["id"])

    def _decide(self, connection: sa.Connection, viewer: Viewer, asked: Row, verdict: str, comment: str, **more: Any) -> None:
        values = {"verdict": verdict, "decided_by": viewer.person, "decided_at": viewer.at, "comment": comment, **more}
        connection.execute(draft_review.update().where(draft_review.c.id == asked["id"]).values(values))

    def _set_state(self, connection: sa.Connection, draft_id: int | None, state: str) -> None:
        connection.execute(diagram_draft.update().where(diagram_draft.c.id == draft_id).values(state=state))

    def _record(self, connection: sa.Connection, viewer: Viewer, tag: str, row: Row, **more: Any) -> None:
        data = {"title": row["title"], "draft": row["id"], "process": row["process_id"], **more}
        self._history(connection, viewer, tag, data)

    def _history(self, connection: sa.Connection, viewer: Viewer, tag: str, data: dict[str, Any], made: int | None = None) -> None:
        entry = history.Entry(tag, self._engine.clock.now(), viewer.person, definition=made, data=data)
        history.append_to_organisation(connection, viewer.organisation, entry)


def clean(text: str, name: str) -> str:
    try:
        return clean_text(text, MAX_COMMENT, lines=True) or ""
    except ValueError as wrong:
        raise ReviewRefused(why=f"{name}{wrong}") from None


def _name(files: dict[str, bytes], process_id: str) -> str:
    for file, data in files.items():
        if file.endswith(".bpmn"):
            for found, name in parsing.process_ids(data):
                if found == process_id:
                    return name
    raise VersionNotFound()


__all__ = ["Reviews", "clean"]
