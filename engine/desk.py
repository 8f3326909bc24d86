"""What services of a diagram do beyond the facts of their case: all of it in the transaction of the act that gets to them."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import sqlalchemy as sa

from engine import leaving
from engine.clock import civil_day
from engine.definitions import Definition
from engine.organisation import Organisation
from engine.store import next_number


@dataclass(frozen=True)
class Begun:
    """A case that another has begun."""

    case_id: int
    number: str
    definition: Definition


#: Begins a case: process id, its first facts as the diagram gives them, the unit that it belongs to unless they say otherwise.
Begin = Callable[[str, Mapping[str, Any], str], Begun]


@dataclass(frozen=True)
class Desk:
    """An act's transaction, for the services it gets to; a preview has none.

    Attributes:
        begin: begins another case in the name of who acts, and writes it.
        nested: what one service writes within this stays all together, or not at all.
        begun: whether the case at hand is itself being begun by another.
    """

    connection: sa.Connection
    organisation: Organisation
    now: datetime
    begin: Begin
    nested: Callable[[], AbstractContextManager[None]]
    begun: bool = False

    def accounts(self, unit: str) -> list[dict[str, str]]:
        """The open accounts of a unit."""
        return leaving.accounts_in(self.connection, self.organisation, unit, self.now)

    def number(self, key: str) -> str:
        """The next number of a series; a refused act leaves no gap.

        Raises:
            NotFound: the office has no such `[[numbering]]` today.
        """
        today = civil_day(self.now)
        numbering = self.organisation.rules.numbering_of(key, today)
        sequence = next_number(self.connection, self.organisation.id, numbering.key, str(numbering.year(today)))
        return numbering.number(today, sequence)
