"""Reads and marks of notices: one's own, the office's deliveries with their dead letters, and who was told of a case."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import sqlalchemy as sa

from engine import deliveries, delivery_rows, history, stopped, webhooks
from engine.errors import CaseNotFound, DeliveryNotFound, NotAllowed
from engine.model import case_file, delivery, event, notice, person, task, webhook
from engine.notice_texts import ACKNOWLEDGED, DIGEST, TEMPLATES
from engine.notice_views import DeliveryShown, ToldShown, WayShown
from engine.sight import cases_of
from engine.views import NoticeShown, Viewer

if TYPE_CHECKING:
    from engine.service import Engine

STATES = ("queued", "sent", "failed", "dead", "none")
MOST_TOLD = 500
# Asked for by every page; built once.
_UNREAD = (
    sa.select(sa.func.count()).select_from(notice)
    .where(notice.c.person == sa.bindparam("person"), notice.c.template != DIGEST, notice.c.read_at.is_(None))
)  # fmt: skip


def title(template: str) -> str:
    """A kind of notice in words."""
    return "本日のまとめ" if template == DIGEST else TEMPLATES.get(template, TEMPLATES["step_told"])[0]


class NoticeDesk:
    """What `Engine` answers about notices."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    # ---------------------------------------------------------------- one's own

    def mine(self, viewer: Viewer, *, unread_only: bool, limit: int) -> tuple[tuple[NoticeShown, ...], int]:
        """The viewer's notices, newest first, and how many are unread; a daily digest is a mail only."""
        ours = sa.and_(notice.c.person == viewer.person, notice.c.template != DIGEST)
        query = sa.select(notice, case_file.c.number).outerjoin(case_file, case_file.c.id == notice.c.case_id)
        query = query.where(ours, notice.c.read_at.is_(None)) if unread_only else query.where(ours)
        with self._engine.reading() as connection:
            rows = connection.execute(query.order_by(notice.c.id.desc()).limit(max(1, min(limit, 500)))).all()
            count = connection.scalar(_UNREAD, {"person": viewer.person})
        shown = tuple(
            NoticeShown(
                row.id, f"{title(row.template)}：{row.step}" + (f"（{row.number}）" if row.number else ""), row.case_id, row.task_id, row.created_at,
                row.read_at, row.template, row.acknowledged_at, row.template in ACKNOWLEDGED,
            )
            for row in rows
        )  # fmt: skip
        return shown, int(count or 0)

    def unread(self, viewer: Viewer) -> int:
        """How many of them he has not read."""
        with self._engine.reading() as connection:
            return int(connection.scalar(_UNREAD, {"person": viewer.person}) or 0)

    def read(self, viewer: Viewer, ids: Sequence[int] | None) -> None:
        """Mark the viewer's notices read; all of them, or those named."""
        query = notice.update().where(notice.c.person == viewer.person, notice.c.read_at.is_(None))
        if ids is not None:
            query = query.where(notice.c.id.in_(ids))
        with self._engine.writing() as connection:
            connection.execute(query.values(read_at=viewer.at))

    def open(self, viewer: Viewer, task_id: int) -> None:
        """The viewer has the step before him: what he was told of it has been opened."""
        unread = sa.and_(notice.c.person == viewer.person, notice.c.read_at.is_(None), notice.c.task_id == task_id)
        with self._engine.reading() as connection:
            ids = list(connection.scalars(sa.select(notice.c.id).where(unread)))
        if ids:
            self.read(viewer, ids)

    def acknowledge(self, viewer: Viewer, ids: Sequence[int]) -> None:
        """Confirm notices of the viewer's that ask for it; the first time counts."""
        mine = sa.and_(notice.c.person == viewer.person, notice.c.id.in_(ids))
        asking = sa.and_(mine, notice.c.template.in_(ACKNOWLEDGED), notice.c.acknowledged_at.is_(None))
        with self._engine.writing() as connection:
            connection.execute(notice.update().where(asking).values(acknowledged_at=viewer.at))
            connection.execute(notice.update().where(mine, notice.c.read_at.is_(None)).values(read_at=viewer.at))

    # ---------------------------------------------------------------- proof of notice

    def told(self, viewer: Viewer, case_id: int) -> tuple[ToldShown, ...]:
        """Who was told of a visible case, the newest first; raises CaseNotFound."""
        with self._engine.reading() as connection:
            if connection.scalar(sa.select(case_file.c.id).where(case_file.c.id == case_id, cases_of(viewer))) is None:
                raise CaseNotFound(case=case_id)
            rows = connection.execute(
                sa.select(notice, person.c.name)
                .join(person, person.c.id == notice.c.person)
                .where(notice.c.case_id == case_id)
                .order_by(notice.c.id.desc())
                .limit(MOST_TOLD)
            ).all()
            ways: dict[int, list[WayShown]] = {}
            for way in connection.execute(
                sa.select(delivery)
                .join(notice, notice.c.id == delivery.c.notice)
                .where(notice.c.case_id == case_id)
                .order_by(delivery.c.id)
            ):
                ways.setdefault(way.notice, []).append(WayShown(way.channel, way.state, way.sent_at, way.next_at))
        return tuple(
            ToldShown(
                row.id, row.name, title(row.template), row.step, row.created_at, tuple(ways.get(row.id, ())), row.read_at, row.acknowledged_at,
                row.template in ACKNOWLEDGED,
            )
            for row in rows
        )  # fmt: skip

    # ---------------------------------------------------------------- the office's deliveries

    def outbox(self, organisation: str, *, state: str | None, limit: int) -> tuple[DeliveryShown, ...]:
        """The newest deliveries of an office; they hold number, step and link only."""
        query = (
            sa.select(
                delivery, notice.c.template, notice.c.person, notice.c.case_id, notice.c.task_id, notice.c.step, notice.c.data, person.c.name,
                case_file.c.number, task.c.due_at, event.c.kind, event.c.step.label("event_step"), event.c.number.label("event_number"),
                webhook.c.name.label("webhook_name"),
            )
            .outerjoin(notice, notice.c.id == delivery.c.notice)
            .outerjoin(person, person.c.id == notice.c.person)
            .outerjoin(case_file, case_file.c.id == notice.c.case_id)
            .outerjoin(task, task.c.id == notice.c.task_id)
            .outerjoin(event, event.c.id == delivery.c.event)
            .outerjoin(webhook, delivery.c.channel == sa.literal(webhooks.CHANNEL) + sa.cast(webhook.c.id, sa.String))
            .where(delivery.c.organisation == organisation)
            .order_by(delivery.c.id.desc())
            .limit(max(1, min(limit, 500)))
        )  # fmt: skip
        if state in STATES:
            query = query.where(delivery.c.state == state)
        office = self._engine.organisations.get(organisation)
        texts = office.notice_texts if office is not None else {}
        shown = []
        with self._engine.reading() as connection:
            rows = connection.execute(query).mappings().all()
        for row in rows:
            template = row["template"] or row["kind"]
            step, number = (row["step"], row["number"]) if row["event"] is None else (row["event_step"], row["event_number"])
            text = f"{title(template)}：{step}" + (f"（{number}）" if number else "")
            mailed = row["channel"] == "mail"
            subject, body = deliveries.words_of(row, self._engine.settings.base_url, texts) if mailed else ("", "")
            shown.append(
                DeliveryShown(
                    row["id"], row["channel"].partition(":")[0], row["state"], row["name"] or row["webhook_name"] or "", row["person"] or "", template, text,
                    subject, body, row["tries"], row["created_at"], row["next_at"], row["sent_at"], row["error"] or "", row["message_id"],
                )
            )  # fmt: skip
        return tuple(shown)

    def resend(self, viewer: Viewer, delivery_id: int) -> None:
        """Let a dead letter go out once more, under the id it always had.

        Raises:
            NotAllowed: the viewer is no administrator.
            DeliveryNotFound: not given up, of another office, or where nobody listens any more.
        """
        if not viewer.has_role(stopped.ADMINISTRATOR):
            raise NotAllowed()
        with self._engine.writing() as connection:
            dead = (
                delivery.c.id == delivery_id,
                delivery.c.organisation == viewer.organisation,
                delivery.c.state == "dead",
                delivery.c.channel != DIGEST,
            )
            row = connection.execute(sa.select(delivery).where(*dead).with_for_update()).first()
            if row is None:
                raise DeliveryNotFound(delivery=delivery_id)
            if row.event is not None and not self._listens(connection, row.channel):
                raise DeliveryNotFound(delivery=delivery_id)
            delivery_rows.again(connection, delivery_id, viewer.at)
            entry = history.Entry("delivery.resent", viewer.at, viewer.person, data={"delivery": delivery_id, "channel": row.channel})
            history.append_to_organisation(connection, viewer.organisation, entry)

    def _listens(self, connection: sa.Connection, channel: str) -> bool:
        at = int(channel.removeprefix(webhooks.CHANNEL))
        open_now = (webhook.c.id == at, webhook.c.disabled_at.is_(None), webhook.c.removed_at.is_(None))
        return connection.scalar(sa.select(webhook.c.id).where(*open_now)) is not None
