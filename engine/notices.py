"""Notices: one per cause and recipient, written with the act that causes them; what hands mails over to the outside."""

from __future__ import annotations

import json
import smtplib
import ssl
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from email.message import EmailMessage
from typing import Any, Protocol
from urllib.parse import unquote, urlsplit

import sqlalchemy as sa

from engine.clock import to_micros
from engine.model import notice
from engine.people import Holder
from engine.storage import insert_new

#: The kind of the jobs that let notices go out: first those of an act together, to be given their ways, then each way by itself.
KIND = "deliver"
#: The key of the first.
TOLD = "told"


@dataclass(frozen=True)
class Told:
    """A notice to be written: `cause` makes it unique per recipient.

    `deputies` says whether substitutes (代理) are told beside the holders: `away` while their principal is registered absent, `always`, `never`.
    """

    cause: str
    template: str
    seats: tuple[str, ...]
    step: str
    task_id: int | None = None
    deputies: str = "away"
    without: frozenset[str] = frozenset()  # people of these seats who are not told

    def reaches(self, holder: Holder) -> bool:
        """Whether somebody behind one of the seats is told."""
        if holder.person in self.without:
            return False
        return holder.kind != "substitute" or self.deputies == "always" or (self.deputies == "away" and holder.standing_in)


def write(
    connection: sa.Connection,
    organisation: str,
    case_id: int | None,
    told: Sequence[Told],
    holders: Iterable[Holder],
    now: datetime,
    skip: str | None = None,
) -> list[dict[str, Any]]:
    """Insert the notices; a cause already told to a person is left alone.

    Which way each goes out (`engine.deliveries`), and what other systems hear, is worked out afterwards by the worker: an act should not wait for it.

    Args:
        holders: everyone behind the seats named, as of now.
        skip: a person who needs no notice (who did the act).

    Returns:
        the job row that lets them go out, for the caller to insert with its others; none when all of it was told before.
    """
    by_seat: dict[str, list[Holder]] = {}
    for holder in holders:
        by_seat.setdefault(holder.seat, []).append(holder)
    rows: dict[tuple[str, str], dict[str, Any]] = {}
    for item in told:
        for seat in item.seats:
            for holder in by_seat.get(seat, ()):
                if holder.person == skip or not item.reaches(holder):
                    continue
                rows.setdefault(
                    (item.cause, holder.person),
                    {
                        "organisation": organisation,
                        "cause": item.cause,
                        "person": holder.person,
                        "template": item.template,
                        "case_id": case_id,
                        "task_id": item.task_id,
                        "step": item.step,
                        "created_at": now,
                    },
                )
    written: Sequence[int] = ()
    if rows:
        written = connection.scalars(insert_new(connection, notice).returning(notice.c.id), list(rows.values())).all()
    if rows and not written:
        return []
    events = [[item.cause, item.template, item.step, item.task_id] for item in {item.cause: item for item in told}.values()]
    payload = {"organisation": organisation, "case": case_id, "notices": list(written), "events": events, "at": to_micros(now)}
    return [{"case_id": None, "kind": KIND, "key": TOLD, "run_at": now, "payload": json.dumps(payload, ensure_ascii=False)}]


class Sender(Protocol):
    """Something that hands a message over to the outside; raises OSError or smtplib.SMTPException when it cannot.

    `delivers` is False for one that keeps everything here: such a mail must not be shown as sent.
    """

    delivers: bool

    def send(self, message: EmailMessage) -> None:
        """Hand one message over."""


class SmtpSender:
    """Sends by SMTP: `smtp://host:port`, `smtp+starttls://user:password@host`, `smtps://…`."""

    delivers = True

    def __init__(self, url: str, timeout: float = 10.0) -> None:
        self._url = urlsplit(url)
        self._timeout = timeout

    def send(self, message: EmailMessage) -> None:
        """Hand one message to the server."""
        host, port, scheme = self._url.hostname or "localhost", self._url.port, self._url.scheme
        if scheme == "smtps":
            client: smtplib.SMTP = smtplib.SMTP_SSL(host, port or 465, timeout=self._timeout, context=ssl.create_default_context())
        else:
            client = smtplib.SMTP(host, port or 25, timeout=self._timeout)
        with client:
            if scheme == "smtp+starttls":
                client.starttls(context=ssl.create_default_context())
            if self._url.username:
                client.login(unquote(self._url.username), unquote(self._url.password or ""))
            client.send_message(message)


class KeptSender:
    """Keeps messages instead of sending them: an installation without a mail server, where the outbox page shows them."""

    delivers = False

    def send(self, message: EmailMessage) -> None:
        """Nothing leaves the machine; the notice row is the copy."""
