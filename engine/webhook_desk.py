"""The desk of webhooks: administrators register where other systems hear of what happens; those read again with a token."""

from __future__ import annotations

import hashlib
import secrets
from typing import TYPE_CHECKING, Any

import sqlalchemy as sa

from engine import delivery_rows, history, outgoing, people, stopped
from engine.delivery_rows import OPEN
from engine.errors import FormInvalid, NotAllowed, TextTooLong, WebhookNotFound
from engine.model import delivery, event, webhook
from engine.notice_views import WebhookMade, WebhookShown
from engine.views import Viewer
from engine.webhooks import CHANNEL, line

if TYPE_CHECKING:
    from engine.service import Engine

MOST_EVENTS = 1_000
MAX_NAME = 100


class Webhooks:
    """`Engine.webhooks` hands it out: where other systems hear of what happens, kept by administrators."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    def _require(self, viewer: Viewer) -> None:
        if not viewer.has_role(stopped.ADMINISTRATOR):
            raise NotAllowed()

    def all(self, viewer: Viewer) -> tuple[WebhookShown, ...]:
        """Every address of the viewer's office, the newest first."""
        self._require(viewer)
        counted = (
            sa.select(
                delivery.c.channel,
                sa.func.max(delivery.c.sent_at).label("sent"),
                sa.func.sum(sa.case((delivery.c.state.in_(OPEN), 1), else_=0)).label("waiting"),
                sa.func.sum(sa.case((delivery.c.state == "dead", 1), else_=0)).label("dead"),
            )
            .where(delivery.c.organisation == viewer.organisation, delivery.c.channel.startswith(CHANNEL))
            .group_by(delivery.c.channel)
        )
        ours = sa.and_(webhook.c.organisation == viewer.organisation, webhook.c.removed_at.is_(None))
        with self._engine.reading() as connection:
            of = {row.channel: row for row in connection.execute(counted)}
            rows = connection.execute(sa.select(webhook).where(ours).order_by(webhook.c.id.desc())).all()
            names = people.names(connection, [row.created_by for row in rows])
        shown = []
        for row in rows:
            count = of.get(f"{CHANNEL}{row.id}")
            numbers = (count.sent, int(count.waiting), int(count.dead)) if count else (None, 0, 0)
            who = names.get(row.created_by, row.created_by)
            shown.append(WebhookShown(row.id, row.name, row.url, row.created_at, who, row.disabled_at, row.disabled_why or "", *numbers))
        return tuple(shown)

    def register(self, viewer: Viewer, name: str, url: str) -> WebhookMade:
        """A new address; what signs and what reads again is told now and never again.

        Raises:
            NotAllowed, FormInvalid.
        """
        self._require(viewer)
        name, url = name.strip(), url.strip()
        wrong = {}
        if not name:
            wrong["name"] = "名前を入力してください。"
        if len(name) > MAX_NAME:
            raise TextTooLong(name="名前", limit=MAX_NAME)
        try:
            outgoing.check_url(url, self._engine.settings.webhook_hosts)
        except outgoing.Refused as refused:
            wrong["url"] = str(refused)
        if wrong:
            raise FormInvalid(wrong)
        secret, token = f"whs_{secrets.token_urlsafe(32)}", f"wht_{secrets.token_urlsafe(32)}"
        values = {"organisation": viewer.organisation, "name": name, "url": url, "secret": secret, "token": _hash(token)}
        with self._engine.writing() as connection:
            made = connection.scalar(
                webhook.insert().values(**values, created_at=viewer.at, created_by=viewer.person).returning(webhook.c.id)
            )
            self._record(connection, viewer, "webhook.registered", int(made or 0), name)
        return WebhookMade(int(made or 0), secret, token)

    def stop(self, viewer: Viewer, webhook_id: int) -> None:
        """Send nothing there for now; what waits becomes dead letters. Events are still kept for reading again."""
        with self._engine.writing() as connection:
            name = self._change(connection, viewer, webhook_id, disabled_at=viewer.at, disabled_why="管理者が止めました。")
            delivery_rows.give_up(connection, f"{CHANNEL}{webhook_id}", "管理者が送信を止めました。")
            self._record(connection, viewer, "webhook.stopped", webhook_id, name)

    def resume(self, viewer: Viewer, webhook_id: int) -> None:
        """Send again what happens from now on; what was missed is read from the cursor, or sent again one by one."""
        with self._engine.writing() as connection:
            name = self._change(connection, viewer, webhook_id, disabled_at=None, disabled_why=None)
            self._record(connection, viewer, "webhook.resumed", webhook_id, name)

    def remove(self, viewer: Viewer, webhook_id: int) -> None:
        """Nobody listens there any more: nothing is sent, and the token reads nothing."""
        with self._engine.writing() as connection:
            name = self._change(connection, viewer, webhook_id, removed_at=viewer.at)
            delivery_rows.give_up(connection, f"{CHANNEL}{webhook_id}", "送り先の登録がなくなりました。")
            self._record(connection, viewer, "webhook.removed", webhook_id, name)

    def _change(self, connection: sa.Connection, viewer: Viewer, webhook_id: int, **values: Any) -> str:
        self._require(viewer)
        mine = (webhook.c.id == webhook_id, webhook.c.organisation == viewer.organisation, webhook.c.removed_at.is_(None))
        name = connection.scalar(webhook.update().where(*mine).values(values).returning(webhook.c.name))
        if name is None:
            raise WebhookNotFound(webhook=webhook_id)
        return str(name)

    def _record(self, connection: sa.Connection, viewer: Viewer, tag: str, webhook_id: int, name: str) -> None:
        entry = history.Entry(tag, viewer.at, viewer.person, data={"webhook": webhook_id, "name": name})
        history.append_to_organisation(connection, viewer.organisation, entry)

    def events(self, token: str, after: int, limit: int = 100) -> tuple[tuple[bytes, ...], int]:
        """The events after a cursor, in order, as JSON lines, and the cursor to go on from.

        Raises:
            WebhookNotFound: the token is nobody's (any more).
        """
        with self._engine.reading() as connection:
            mine = sa.select(webhook.c.organisation).where(webhook.c.token == _hash(token), webhook.c.removed_at.is_(None))
            office = connection.scalar(mine)
            if office is None:
                raise WebhookNotFound()
            rows = connection.execute(
                sa.select(event)
                .where(event.c.organisation == office, event.c.position > after)
                .order_by(event.c.position)
                .limit(max(1, min(limit, MOST_EVENTS)))
            ).mappings().all()  # fmt: skip
        return tuple(line(row, self._engine.settings.base_url) for row in rows), int(rows[-1]["position"]) if rows else after


def _hash(token: str) -> str:
    return hashlib.sha256(token.encode("utf-8", "surrogatepass")).hexdigest()
