"""The duties a case opens: whether each applies, whether an act left a record of it, and what still stands before closing."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import datetime

import sqlalchemy as sa

from engine.clock import civil_day
from engine.model import history
from engine.moves import Move, recorded
from engine.net import Node
from engine.rules import Duty

#: Acts whose clause column is a record of having done what the clause asks.
RECORDING = ("case.started", "task.completed", "action.done")


def state(move: Move, duty: Duty) -> str:
    """open, undecided or not_applicable: whether the facts open a duty. Unknown is never no: undecided blocks closing as open does."""
    if not duty.when or move.evaluate(duty.when) is True:
        return "open"
    return "undecided" if duty.undecided_when and move.evaluate(duty.undecided_when) is True else "not_applicable"


def applicable(move: Move, process: str, clauses: Iterable[str]) -> tuple[str, ...]:
    """The clauses without those whose duty the facts do not open, for showing.

    One submission serves every law it cites, of which a case may know only some now and others tomorrow; so the record keeps them all,
    and which of them count is judged when it is read.
    """
    duties = {duty.clause: duty for duty in move.organisation.rules.duties_of(process, civil_day(move.now))}
    return tuple(clause for clause in clauses if clause not in duties or state(move, duties[clause]) != "not_applicable")


def records(connection: sa.Connection, case_id: int) -> Mapping[str, tuple[datetime, str]]:
    """clause id -> (when, by whom) of the last act that recorded it."""
    done: dict[str, tuple[datetime, str]] = {}
    rows = connection.execute(
        sa.select(history.c.clause, history.c.at, history.c.person)
        .where(history.c.case_id == case_id, history.c.clause.is_not(None), history.c.tag.in_(RECORDING))
        .order_by(history.c.id)
    )
    for row in rows:
        for clause in row.clause.split(","):
            done[clause.strip()] = (row.at, row.person)
    return done


def unmet(connection: sa.Connection, case_id: int, process: str, move: Move, finishing: Node) -> list[str]:
    """Names of duties that the facts open and no act has recorded; what the step being finished records counts."""
    done = {*records(connection, case_id), *recorded(finishing)}
    return [
        f"{duty.name}（{duty.clause}）"
        for duty in move.organisation.rules.duties_of(process, civil_day(move.now))
        if state(move, duty) != "not_applicable" and not done & set(duty.recorded_by)
    ]
