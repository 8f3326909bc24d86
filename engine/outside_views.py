"""What reads hand to the pages about outside parties: their links as the office sees them, and their thread as they see it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from engine.views import AttachmentShown, FieldShown, PaperOffered, SeatHeld

# ---------------------------------------------------------------- the office's side


@dataclass(frozen=True)
class LinkShown:
    """A one-time link. `state`: unused, in_use, ended, expired, revoked; `label` says it in Japanese. `live`: it can still be used."""

    id: int
    party: str
    state: str
    label: str
    seat_name: str
    issued_by: str
    issued_at: datetime
    expires_at: datetime
    opened_at: datetime | None
    shares: bool
    live: bool


@dataclass(frozen=True)
class LinksShown:
    """The links of a case, or those that may still start a case of a procedure.

    Attributes:
        title: the case's number and title, or the procedure's name.
        may_issue, may_revoke: what the viewer may do here.
        seats: those of the viewer's from which a case may be started.
        party: whom the last one was for, to begin the next one with.
        entered: officials have filled in forms of the party on its behalf, which it would read only if told to.
        waiting: the steps that wait for the party now.
    """

    case_id: int | None
    process_id: str
    title: str
    links: tuple[LinkShown, ...]
    may_issue: bool
    may_revoke: bool
    seats: tuple[SeatHeld, ...] = ()
    party: str = ""
    entered: bool = False
    waiting: tuple[str, ...] = ()


@dataclass(frozen=True)
class LinkMade:
    """A new link; `url` is told now and never again."""

    id: int
    url: str
    party: str
    expires_at: datetime


# ---------------------------------------------------------------- the party's side


@dataclass(frozen=True)
class Welcome:
    """What a link is for, before it is exchanged: who sent it, for whom, and until when."""

    office: str
    process: str
    party: str
    seat: str
    expires_at: datetime


@dataclass(frozen=True)
class SentForm:
    """A form of the party as it was sent. `by_party`: through a link, and not entered by an official on its behalf."""

    name: str
    at: datetime
    fields: tuple[FieldShown, ...]
    by_party: bool = True


@dataclass(frozen=True)
class OutsideStep:
    """A step that waits for the party; `returned` is the reason when it was sent back."""

    task_id: int
    name: str
    returned: str


@dataclass(frozen=True)
class OutsideButton:
    """One way to send a form: its label, and the answer it adds."""

    label: str
    name: str = ""
    value: str = ""


@dataclass(frozen=True)
class OutsideForm:
    """A form for the party to fill in.

    Attributes:
        task_id: the step it completes; None for the form that starts the case.
        facts: what the form's own conditions read, for the page's script; never more than the party knows.
        version: of the case as the form was made.
        kinds: endings of the file names that may be attached; largest: of one file, in bytes.
    """

    task_id: int | None
    name: str
    documentation: str
    fields: tuple[FieldShown, ...]
    buttons: tuple[OutsideButton, ...]
    returned: str
    facts: Mapping[str, Any]
    version: int
    kinds: tuple[str, ...]
    largest: int


@dataclass(frozen=True)
class OutsideThread:
    """All that a party sees: its own thread and nothing else.

    Attributes:
        seat: on whose behalf it acts; the only name of the office's people it is told.
        number: of the case; empty until the party has started it.
        state: open, waiting (for the party), over; `state_text` in words.
        may_start: the form that starts the case has not been sent yet.
        files: what the party itself has attached.
        papers: the office's papers that are for it.
    """

    office: str
    process: str
    party: str
    seat: str
    expires_at: datetime
    at: datetime
    number: str
    state: str
    state_text: str
    may_start: bool
    steps: tuple[OutsideStep, ...]
    sent: tuple[SentForm, ...]
    files: tuple[AttachmentShown, ...]
    papers: tuple[PaperOffered, ...] = ()
