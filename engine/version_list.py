"""Reads of versions: which there are of a procedure, what a reviewer sees of a draft, two versions compared, who did what to them when."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import TYPE_CHECKING, Any

import sqlalchemy as sa

from engine import compare, compare_words, definitions, draft_authors, draft_files, people
from engine.clock import civil_day
from engine.errors import NotAllowed, ProcessNotFound, VersionNotFound
from engine.model import Row, case_file, definition, diagram_draft, draft_author, draft_review, history
from engine.stopped import ADMINISTRATOR
from engine.version_views import ReviewPage, ReviewShown, VersionEvent, VersionShown
from engine.views import Viewer
from engine.wording import event_text

if TYPE_CHECKING:
    from engine.service import Engine

MOST_EVENTS = 300
_TAGS = ("definition.", "draft.", "move.")
DRAWN_ALONE = "この下書きを作成・保存した人と、確認を依頼した人は、承認や差戻しができません。ほかの人に頼んでください。"


def may_see(engine: Engine, viewer: Viewer) -> bool:
    """Who draws diagrams and who administers sees their versions."""
    return viewer.has_role(*engine.organisations[viewer.organisation].rules.deployers, ADMINISTRATOR)


def require_sight(engine: Engine, viewer: Viewer) -> None:
    """Raises NotAllowed for anybody else."""
    if not may_see(engine, viewer):
        raise NotAllowed()


def row_of(connection: sa.Connection, viewer: Viewer, definition_id: int, *, lock: bool = False) -> Row:
    """The row of a version of the viewer's office; raises VersionNotFound."""
    query = sa.select(definition).where(definition.c.id == definition_id, definition.c.organisation == viewer.organisation)
    row = connection.execute(query.with_for_update() if lock else query).mappings().first()
    if row is None:
        raise VersionNotFound(definition=definition_id)
    return row


def versions(engine: Engine, viewer: Viewer, process_id: str) -> tuple[VersionShown, ...]:
    """Every version of a procedure, the newest first. Raises NotAllowed, ProcessNotFound."""
    require_sight(engine, viewer)
    with engine.reading() as connection:
        query = sa.select(definition).where(definition.c.organisation == viewer.organisation, definition.c.process_id == process_id)
        rows = connection.execute(query.order_by(definition.c.version.desc())).mappings().all()
        if not rows:
            raise ProcessNotFound(process=process_id)
        return shown(engine, connection, viewer, rows)


def shown(engine: Engine, connection: sa.Connection, viewer: Viewer, rows: Iterable[Row]) -> tuple[VersionShown, ...]:
    """Rows of one procedure's versions, all of them and the newest first, in words."""
    found = list(rows)
    ids = [row["id"] for row in found]
    now = engine.clock.now()
    running = _counted(
        connection, sa.select(case_file.c.definition, sa.func.count()).where(case_file.c.definition.in_(ids), case_file.c.state == "open")
        .group_by(case_file.c.definition)
    )  # fmt: skip
    reviews = {
        row["definition"]: row
        for row in connection.execute(sa.select(draft_review).where(draft_review.c.definition.in_(ids))).mappings()
    }  # fmt: skip
    drafts = [review["draft_id"] for review in reviews.values()]
    authors: dict[int, list[str]] = {}
    for drew in connection.execute(sa.select(draft_author).where(draft_author.c.draft_id.in_(drafts)).order_by(draft_author.c.person)):
        authors.setdefault(drew.draft_id, []).append(drew.person)
    wanted = {who for group in authors.values() for who in group} | {row[name] for row in found for name in ("deployed_by", "cancelled_by")}
    names = people.names(connection, [who for who in wanted if who])
    designer = engine.drafts.may_design(viewer)
    made, following, current, last = [], None, False, True
    for row in found:
        review = reviews.get(row["id"])
        state = _state(row, now, current)
        current = current or state == "in_force"
        why_not = "" if state == "coming" and last and designer else "いまは取り消せません。"
        if not why_not and row["deployed_by"] != viewer.person and _is_designer(engine, row["deployed_by"]):
            why_not = f"取り消せるのは、承認した{names.get(row['deployed_by'], '人')}です。"
        made.append(
            VersionShown(
                row["id"], row["process_id"], row["version"], row["name"], state, row["in_force_from"],
                following if state != "cancelled" else None, row["deployed_at"], row["deployed_by"],
                names.get(row["deployed_by"]) or row["deployed_by"], review is not None,
                review["draft_id"] if review is not None else None,
                tuple(names.get(who) or who for who in authors.get(review["draft_id"], ())) if review is not None else (),
                review["comment"] if review is not None else "", running.get(row["id"], 0), row["cancelled_at"],
                names.get(row["cancelled_by"] or "", ""), row["cancel_reason"] or "", why_not,
            )
        )  # fmt: skip
        if state != "cancelled":
            following, last = row["in_force_from"], False
    return tuple(made)


def _counted(connection: sa.Connection, query: sa.Select[Any]) -> dict[int, int]:
    return {int(key): int(count) for key, count in connection.execute(query)}


def _state(row: Row, now: datetime, current: bool) -> str:
    if row["cancelled_at"] is not None:
        return "cancelled"
    if row["in_force_from"] > now:
        return "coming"
    return "past" if current else "in_force"


def _is_designer(engine: Engine, person: str) -> bool:
    return engine.versions.has_part(person)


# ---------------------------------------------------------------- one draft, for its reviewer


def review(engine: Engine, viewer: Viewer, draft_id: int) -> ReviewPage:
    """A draft with what it changes, what was found, and who may decide. Raises NotAllowed, DraftNotFound."""
    page = engine.drafts.show(viewer, draft_id)
    examined = engine.drafts.inspect(viewer, draft_id, page.files)
    office = engine.organisations[viewer.organisation]
    with engine.reading() as connection:
        last = definitions.newest(connection, viewer.organisation, page.draft.process_id)
        every = sa.select(definition).where(
            definition.c.organisation == viewer.organisation, definition.c.process_id == page.draft.process_id
        )
        rows = connection.execute(every.order_by(definition.c.version.desc())).mappings().all()
        replaces = next((one for one in shown(engine, connection, viewer, rows) if last is not None and one.id == last["id"]), None)
        asked = connection.execute(
            sa.select(draft_review, definition.c.version.label("made"))
            .outerjoin(definition, definition.c.id == draft_review.c.definition)
            .where(draft_review.c.draft_id == draft_id)
            .order_by(draft_review.c.id.desc())
        ).mappings().all()  # fmt: skip
        authors = draft_authors.of(connection, draft_id)
        names = people.names(connection, [who for row in asked for who in (row["asked_by"], row["decided_by"]) if who] + list(authors))
    before = {name: text.encode() for name, text in json.loads(last["bundle"]).items()} if last is not None else {}
    after = draft_files.encoded({**page.files, **examined.called})
    found = compare.compare(before, after, compare_words.say(office, civil_day(viewer.at)))
    reviews = tuple(_review(row, names) for row in asked)
    open_one = next((one for one in reviews if not one.verdict), None) if page.draft.state == "review" else None
    involved = viewer.person in (*authors, *(row["asked_by"] for row in asked if row["verdict"] is None))
    why_not = "確認の依頼は出ていません。" if open_one is None else DRAWN_ALONE if involved else ""
    return ReviewPage(
        page.draft, tuple(names.get(who) or who for who in authors), replaces,
        replaces is not None and page.draft.base_definition != replaces.id, found, examined.findings,
        engine.proofs.newest(viewer, draft_id), open_one, reviews, why_not, page.why_not, viewer.person in authors,
    )  # fmt: skip


def _review(row: Row, names: Mapping[str, str]) -> ReviewShown:
    return ReviewShown(
        row["revision"], names.get(row["asked_by"]) or row["asked_by"], row["asked_at"], row["request"] or "", row["verdict"] or "",
        names.get(row["decided_by"] or "", ""), row["decided_at"], row["comment"], row["in_force_from"], row["made"],
    )  # fmt: skip


# ---------------------------------------------------------------- the record


def events(engine: Engine, viewer: Viewer, process_id: str | None = None) -> tuple[VersionEvent, ...]:
    """The lines of the office's record about drafts and versions, the newest first. Raises NotAllowed."""
    require_sight(engine, viewer)
    tags = sa.or_(*(history.c.tag.startswith(tag) for tag in _TAGS))
    query = sa.select(history).where(history.c.organisation == viewer.organisation, history.c.case_id.is_(None), tags)
    with engine.reading() as connection:
        rows = connection.execute(query.order_by(history.c.id.desc()).limit(MOST_EVENTS * 5)).mappings().all()
        drafts = {
            row.id: row.process_id
            for row in connection.execute(
                sa.select(diagram_draft.c.id, diagram_draft.c.process_id).where(diagram_draft.c.organisation == viewer.organisation)
            )
        }
        names = people.names(connection, {row["person"] for row in rows})
        ours = sa.select(definition.c.process_id, definition.c.name).where(definition.c.organisation == viewer.organisation)
        called = {row.process_id: row.name for row in connection.execute(ours.order_by(definition.c.version))}
    found = []
    for row in rows:
        data = json.loads(row["data"])
        process = str(data.get("process") or drafts.get(data.get("draft"), ""))
        if process_id in (None, process):
            name = names.get(row["person"]) or ("システム" if row["person"] == people.SYSTEM else row["person"])
            found.append(VersionEvent(row["at"], name, event_text(row["tag"], {**data, "process": called.get(process, process)}), process))
    return tuple(found[:MOST_EVENTS])


__all__ = ["events", "may_see", "require_sight", "review", "row_of", "shown", "versions"]
