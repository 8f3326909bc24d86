"""Who is kept from a case or a step: the person a case is about, and whoever did what a step must be independent of.

The acts themselves are judged by what was done (`UnitOfWork._check_same_person`); the rows here are for the inboxes, which must not show a
step to somebody who may not do it, and for finding who is next in order when everybody behind a seat is kept from it.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime
from typing import TYPE_CHECKING

import sqlalchemy as sa

from engine import history, people
from engine.clock import civil_day
from engine.model import Row, bar, task
from engine.moves import Move
from engine.net import Net, Node
from engine.tokens import Wait

if TYPE_CHECKING:
    from engine.store import OpenCase


def named_fields(net: Net) -> frozenset[str]:
    """The facts that name people who take no part: fields of type `people` with property `named`."""
    return frozenset(
        spec.id for node in net.nodes for spec in node.form if spec.type == "people" and spec.properties.get("named") == "true"
    )


def name(connection: sa.Connection, case: OpenCase, move: Move, now: datetime, by: str) -> None:
    """Bring the bars of a case up to the people its facts name; who is no longer named comes back in."""
    fields = named_fields(case.definition.net)
    if not fields or (case.facts and not fields & move.changed.keys()):
        return
    wanted = {str(person) for field in fields for person in (move.facts.get(field) or [])}
    query = sa.select(bar.c.person).where(bar.c.case_id == case.id, bar.c.task_id.is_(None), bar.c.lifted_at.is_(None))
    known = set(connection.scalars(query))
    for person in sorted(wanted - known):
        _put(connection, case, None, person, "named", now)
        case.entries.append(history.Entry("person.taken_out", now, by, definition=case.definition.id, data={"person": person}))
    for person in sorted(known - wanted):
        lifted = sa.and_(bar.c.case_id == case.id, bar.c.task_id.is_(None), bar.c.person == person, bar.c.lifted_at.is_(None))
        connection.execute(bar.update().where(lifted).values(lifted_at=now))
        case.entries.append(history.Entry("person.taken_in", now, by, definition=case.definition.id, data={"person": person}))


def separate(connection: sa.Connection, case: OpenCase, move: Move, waits: Iterable[Wait], now: datetime) -> None:
    """Keep from each open step those of its candidates today who did what it must be independent of."""
    apart = [wait for wait in waits if wait.kind == "task" and wait.node.listed("not_same_person_as")]
    if not apart:
        return
    columns = (task.c.id, task.c.wait, task.c.node, task.c.seat, task.c.state, task.c.closed_by, task.c.closed_for)
    query = sa.select(*columns).where(task.c.case_id == case.id, task.c.state.in_(("open", "done")))
    rows = connection.execute(query).mappings().all()
    start = case.definition.net.start.id
    acted = [(row["node"], {row["closed_by"], row["closed_for"]}) for row in rows if row["state"] == "done"]
    acted.append((start, {case.row["reporter"], case.row.get("reported_for")}))
    steps = {row["wait"]: row for row in rows if row["state"] == "open"}
    for wait in apart:
        row = steps.get(wait.key)
        persons = set().union(*(who for node, who in acted if node in others(wait.node))) - {None} if row else set()
        if row is not None and persons:
            _keep_from(connection, case, row, persons, move, now)


def others(node: Node) -> frozenset[str]:
    """Ids of the steps that this one must be independent of."""
    prefix = node.id.removesuffix(node.element)
    return frozenset(prefix + other for other in node.listed("not_same_person_as"))


def _keep_from(connection: sa.Connection, case: OpenCase, row: Row, persons: set[str], move: Move, now: datetime) -> None:
    """A bar for each of these people who is, or stands in for, a candidate of the step today: most who acted never are."""
    behind = people.holders(connection, case.organisation, [row["seat"]], civil_day(now), case.row["process_id"])
    candidates = {holder.person for holder in behind} | {holder.principal for holder in behind}
    if not persons & candidates:
        return
    barred = set(connection.scalars(sa.select(bar.c.person).where(bar.c.task_id == row["id"], bar.c.lifted_at.is_(None))))
    for person in sorted((persons & candidates) - barred):
        _put(connection, case, int(row["id"]), person, "same_person", now)


def _put(connection: sa.Connection, case: OpenCase, task_id: int | None, person: str, reason: str, now: datetime) -> None:
    values = {"organisation": case.row["organisation"], "case_id": case.id, "task_id": task_id, "person": person, "reason": reason}
    connection.execute(bar.insert().values({**values, "since": now}))


def lift_of_case(connection: sa.Connection, case_id: int, now: datetime) -> None:
    """A case that has ended keeps nobody from anything any more."""
    connection.execute(bar.update().where(bar.c.case_id == case_id, bar.c.lifted_at.is_(None)).values(lifted_at=now))
