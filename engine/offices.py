"""The offices of an installation: their folders, with the units laid over them that approved orders of reorganisation end and begin."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Mapping
from dataclasses import replace
from datetime import date, datetime, timedelta
from pathlib import Path
from types import MappingProxyType
from typing import Any

import sqlalchemy as sa

from engine import organisation
from engine.model import unit_change
from engine.organisation import Organisation, Unit, amended

#: Orders take effect at a coming midnight: what another process approved need not be known in the same second.
READ_AGAIN_AFTER = timedelta(minutes=1)


def load_organisations(folder: Path) -> dict[str, Organisation]:
    """Every office under a folder: each sub-folder with an organisation.toml; raises OrganisationBroken."""
    return {place.name: organisation.load(place) for place in sorted(folder.iterdir()) if (place / "organisation.toml").is_file()}


class Offices(Mapping[str, Organisation]):
    """Offices by id, as they are known now."""

    def __init__(self, folder: Path) -> None:
        self._loaded = load_organisations(folder)
        self._known = dict(self._loaded)
        self._changes = 0
        self._read_at: datetime | None = None

    def __getitem__(self, office: str) -> Organisation:
        return self._known[office]

    def __iter__(self) -> Iterator[str]:
        return iter(self._known)

    def __len__(self) -> int:
        return len(self._known)

    def refresh(self, connection: sa.Connection, now: datetime, *, at_once: bool = False) -> None:
        """Read the changes of units again when that was long ago."""
        if not at_once and self._read_at is not None and timedelta(0) <= now - self._read_at < READ_AGAIN_AFTER:
            return
        self._read_at = now
        rows = connection.execute(sa.select(unit_change).order_by(unit_change.c.id)).mappings().all()
        if len(rows) == self._changes and not at_once:
            return
        self._changes = len(rows)
        self._known = {
            office.id: with_changes(office, [row for row in rows if row["organisation"] == office.id]) for office in self._loaded.values()
        }


class Fixed(Offices):
    """One office as it is known at the moment; no database changes its units (for what is played apart from the installation)."""

    def __init__(self, office: Organisation) -> None:
        self._known = {office.id: office}

    def refresh(self, connection: sa.Connection, now: datetime, *, at_once: bool = False) -> None:
        """Nothing changes."""


def with_changes(office: Organisation, rows: list[Any]) -> Organisation:
    """The office with rows of `unit_change` laid over it."""
    told = [[row["unit"], row["successor"], row["effective_on"].isoformat(), row["begins"]] for row in rows]
    return with_amendments(office, json.dumps(told, ensure_ascii=False)) if rows else office


def with_amendments(office: Organisation, amendments: str) -> Organisation:
    """The office with changes laid over it as `Organisation.amendments` writes them: [unit, successor, first day, unit that begins] each."""
    told = [(unit, successor, date.fromisoformat(day), begins) for unit, successor, day, begins in json.loads(amendments)]
    ends = {unit: (day, successor) for unit, successor, day, begins in told if not begins}
    begins_of = [unit_from(json.loads(begins), day) for _, _, day, begins in told if begins]
    digest = hashlib.sha256(f"{office.digest}\0{amendments}".encode()).hexdigest()
    return replace(amended(office, ends, begins_of), amendments=amendments, digest=digest)


def unit_from(told: Mapping[str, Any], first_day: date) -> Unit:
    """A unit as an order describes it."""
    return Unit(
        id=told["id"], name=told["name"], parent=told["parent"], kind=told["kind"], order=int(told["order"]), valid_from=first_day, valid_to=None,
        seats=tuple(told["seats"]), posts=MappingProxyType(dict(told.get("posts", {}))),
    )  # fmt: skip
