"""What a viewer may act on and what he may see, as conditions inside queries; nothing else decides either."""

from __future__ import annotations

from functools import lru_cache

import sqlalchemy as sa

from engine.model import case_file, case_seat, referral, task
from engine.organisation import PERSON
from engine.views import Standing, Viewer

_step = task.alias("decided_step")  # a name of its own: reads of one task join the same table


_laid = referral.alias("laid")  # a name of its own: the page joins the same table


def tasks_of(viewer: Viewer) -> sa.ColumnElement[bool]:
    """Open tasks that the viewer may do today."""
    return tasks_for(viewer.standing)


def cases_of(viewer: Viewer) -> sa.ColumnElement[bool]:
    """Cases that the viewer may see: through a seat, or because he acted in them himself."""
    return cases_for(viewer.standing)


# Kept for whoever looks again and again: building a condition costs more than SQLite needs to read by it.
@lru_cache(maxsize=1_024)
def tasks_for(viewer: Standing) -> sa.ColumnElement[bool]:
    """`tasks_of`, of what is equal at each of a viewer's looks."""
    mine: list[sa.ColumnElement[bool]] = [task.c.seat.in_(viewer.keys)]
    mine += [sa.and_(task.c.process_id == process, task.c.seat == seat) for process, seat in viewer.limited]
    mine += [sa.and_(task.c.final, task.c.seat == seat, _of(task.c.process_id, process)) for process, seat in viewer.decides]
    if viewer.in_turn:
        mine.append(task.c.id.in_([number for number, _ in viewer.in_turn]))
    wanted = [task.c.state == "open", task.c.organisation == viewer.organisation, sa.or_(*mine) if len(mine) > 1 else mine[0]]
    if viewer.barred:
        wanted.append(task.c.id.not_in(viewer.barred))
    return sa.and_(*wanted)


@lru_cache(maxsize=1_024)
def cases_for(viewer: Standing) -> sa.ColumnElement[bool]:
    """`cases_of`, of what is equal at each of a viewer's looks."""
    sees = [_seen_from(viewer, list(viewer.keys))]
    sees += [sa.and_(case_file.c.process_id == process, _seen_from(viewer, [seat])) for process, seat in viewer.limited]
    sees += [
        sa.and_(
            _of(case_file.c.process_id, process),
            sa.exists().where(_step.c.case_id == case_file.c.id, _step.c.state == "open", _step.c.final, _step.c.seat == seat),
        )
        for process, seat in viewer.decides
    ]
    # What was laid before somebody he sees, until it is taken back.
    sees.append(_laid_before(list(viewer.keys)))
    sees += [sa.and_(case_file.c.process_id == process, _laid_before([seat])) for process, seat in viewer.limited]
    if viewer.in_turn:
        sees.append(case_file.c.id.in_(sorted({case for _, case in viewer.in_turn})))
    wanted = [case_file.c.organisation == viewer.organisation, sa.or_(*sees) if len(sees) > 1 else sees[0]]
    if viewer.barred_cases:  # the case is about him: what he did himself he still sees, nothing by his posts
        wanted.append(sa.or_(case_file.c.id.not_in(viewer.barred_cases), _seen_from(viewer, [f"{PERSON}{viewer.person}"])))
    return sa.and_(*wanted)


def _seen_from(viewer: Standing, seats: list[str]) -> sa.ColumnElement[bool]:
    return sa.exists().where(
        case_seat.c.case_id == case_file.c.id, case_seat.c.organisation == viewer.organisation, case_seat.c.seat.in_(seats)
    )


def _laid_before(seats: list[str]) -> sa.ColumnElement[bool]:
    return sa.exists().where(_laid.c.case_id == case_file.c.id, _laid.c.seat.in_(seats), _laid.c.state != "withdrawn")


def _of(column: sa.ColumnElement[str], process: str) -> sa.ColumnElement[bool]:
    return column == process if process else sa.true()
