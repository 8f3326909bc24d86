"""How people were told, as pages show it: deliveries, proof of notice, the choices of one person, the addresses of other systems."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, time


@dataclass(frozen=True)
class DeliveryShown:
    """One way of telling one recipient. `channel`: mail, digest, webhook; `state`: queued, sent, failed (tried again), dead, none (not sent at all)."""

    id: int
    channel: str
    state: str
    recipient: str
    person: str
    template: str
    text: str
    subject: str
    body: str
    tries: int
    created_at: datetime
    next_at: datetime | None
    sent_at: datetime | None
    error: str
    message_id: str


@dataclass(frozen=True)
class WayShown:
    """How a notice left the application: as in `DeliveryShown`."""

    channel: str
    state: str
    sent_at: datetime | None
    next_at: datetime | None


@dataclass(frozen=True)
class ToldShown:
    """Proof of notice: who was told of what, when it was sent, opened and acknowledged. `asks`: an acknowledgement is asked for."""

    id: int
    person_name: str
    text: str
    step: str
    told_at: datetime
    ways: tuple[WayShown, ...]
    opened_at: datetime | None
    acknowledged_at: datetime | None
    asks: bool


@dataclass(frozen=True)
class ChoiceShown:
    """A kind of notice and how one is told of it: at_once, digest, in_app. `fixed`: the office lets nobody put it off."""

    template: str
    label: str
    choice: str
    fixed: bool


@dataclass(frozen=True)
class ReceivingShown:
    """How one person is told. `quiet`: office, none or own; the hours and days are those that hold."""

    email: str
    choices: tuple[ChoiceShown, ...]
    digest: bool
    digest_time: time
    quiet: str
    quiet_from: time | None
    quiet_to: time | None
    quiet_closed_days: bool
    office_quiet: str
    calendar_since: datetime | None


@dataclass(frozen=True)
class WebhookShown:
    """Where another system hears of what happens. `waiting`: events not delivered yet; `dead`: given up."""

    id: int
    name: str
    url: str
    created_at: datetime
    created_by: str
    disabled_at: datetime | None
    disabled_why: str
    sent_at: datetime | None
    waiting: int
    dead: int


@dataclass(frozen=True)
class WebhookMade:
    """A new address with what is shown this once: the secret that signs, the token that reads again."""

    id: int
    secret: str
    token: str
