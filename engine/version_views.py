"""What the reads of versions and reviews hand to pages."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from engine.compare import Comparison
from engine.draft_views import DraftShown, ProofShown
from engine.errors import Finding


@dataclass(frozen=True)
class VersionShown:
    """A version of a procedure.

    Attributes:
        state: `coming`, `in_force`, `past` or `cancelled`.
        in_force_to: when the next one takes its place; None when that is not known.
        by, by_name: who put it in force: the reviewer, or who deployed the folder.
        drawn: it came from a draft that was reviewed; then `draft` is that draft, `authors` the names of who drew it.
        running: open cases that run by it.
        why_not: why the viewer may not call it off; "" when he may.
    """

    id: int
    process_id: str
    number: int
    name: str
    state: str
    in_force_from: datetime
    in_force_to: datetime | None
    decided_at: datetime
    by: str
    by_name: str
    drawn: bool
    draft: int | None
    authors: tuple[str, ...]
    comment: str
    running: int
    cancelled_at: datetime | None
    cancelled_by_name: str
    cancel_reason: str
    why_not: str


@dataclass(frozen=True)
class ReviewShown:
    """One time that a draft was laid before a reviewer. `verdict` is `approved`, `returned`, `withdrawn` or "" while it is open."""

    revision: int
    asked_by_name: str
    asked_at: datetime
    request: str
    verdict: str
    decided_by_name: str
    decided_at: datetime | None
    comment: str
    in_force_from: datetime | None
    version: int | None


@dataclass(frozen=True)
class ReviewPage:
    """A draft as a reviewer sees it.

    Attributes:
        replaces: the newest version, with which it is compared and whose place it takes; None for a new procedure.
        outdated: the draft was begun from an older version than that: what changed since would be undone.
        asked: the review that is open; None when there is none.
        why_not: why the viewer may not decide; "" when he may.
        why_not_ask: why the viewer may not ask for a review; "" when he may.
        findings: of the gate, now.
    """

    draft: DraftShown
    authors: tuple[str, ...]
    replaces: VersionShown | None
    outdated: bool
    comparison: Comparison
    findings: tuple[Finding, ...]
    proof: ProofShown | None
    asked: ReviewShown | None
    reviews: tuple[ReviewShown, ...]
    why_not: str
    why_not_ask: str
    is_author: bool


@dataclass(frozen=True)
class VersionEvent:
    """A line of the record about versions and drafts."""

    at: datetime
    person_name: str
    text: str
    process_id: str
