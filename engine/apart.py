"""What a step must be independent of (`not_same_person_as`): who did the other step or action, and whom a field of people names."""

from __future__ import annotations

import json
from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Any

import sqlalchemy as sa

from engine.model import Row, history, task
from engine.net import Node

if TYPE_CHECKING:
    from engine.moves import Move
    from engine.store import OpenCase


@dataclass(frozen=True)
class Earlier:
    """What another step may have to be independent of.

    Attributes:
        node: id of the step, action or start event; "" where people are named by a field.
        name: its name; of a field its label.
        persons: who did it, and whom he did it for; or who is named.
        at: when; None for a field.
    """

    node: str
    name: str
    persons: frozenset[str]
    at: datetime | None


def others(node: Node) -> frozenset[str]:
    """Ids of the steps, actions and starts that this step must be independent of."""
    prefix = node.id.removesuffix(node.element)
    return frozenset(prefix + other for other in node.listed("not_same_person_as"))


def in_the_way(connection: sa.Connection, case: OpenCase, node: Node, persons: Collection[str]) -> Earlier | None:
    """What keeps one of these persons from a step; None when nothing does."""
    wanted = others(node)
    if not wanted:
        return None
    columns = (task.c.node, task.c.name, task.c.closed_by, task.c.closed_for, task.c.closed_at)
    done = sa.select(*columns).where(task.c.case_id == case.id, task.c.state == "done", task.c.node.in_(wanted))
    rows = connection.execute(done).mappings().all()
    found = (*beside_tasks(connection, case, (node,)), *of_tasks(rows), *named(case, node, case.facts))
    return next((one for one in found if not one.persons.isdisjoint(persons)), None)


def of_tasks(rows: Iterable[Row]) -> Iterator[Earlier]:
    """Completed steps, from their rows."""
    for row in rows:
        yield Earlier(row["node"], row["name"], frozenset({row["closed_by"], row["closed_for"]} - {None}), row["closed_at"])


def beside_tasks(connection: sa.Connection, case: OpenCase, nodes: Iterable[Node]) -> Iterator[Earlier]:
    """The report, and the actions done so far, as far as these steps must be independent of them: they leave no row among the tasks."""
    net = case.definition.net
    wanted = frozenset[str]().union(*(others(node) for node in nodes))
    if net.start.id in wanted:
        reported = frozenset({case.row["reporter"], case.row.get("reported_for")} - {None})
        yield Earlier(net.start.id, net.start.name, reported, case.row.get("started_at"))
    actions = [one for one in wanted - {net.start.id} if one in net.by_id and net.by_id[one].event is not None]
    if not actions:
        return
    columns = (history.c.node, history.c.person, history.c.at, history.c.data)
    acts = sa.select(*columns).where(history.c.case_id == case.id, history.c.tag == "action.done", history.c.node.in_(actions))
    for row in connection.execute(acts):
        yield Earlier(row.node, net.by_id[row.node].name, _who(row.person, json.loads(row.data)), row.at)
    for entry in case.entries:  # done by this very act, and not written yet
        if entry.tag == "action.done" and entry.node in actions:
            yield Earlier(entry.node, net.by_id[entry.node].name, _who(entry.person, entry.data), entry.at)


def _who(person: str, data: Mapping[str, Any]) -> frozenset[str]:
    return frozenset({person, (data.get("acting") or {}).get("for") or person})


def named(case: OpenCase, node: Node, facts: Mapping[str, Any]) -> Iterator[Earlier]:
    """The people whom fields name that the step must be independent of."""
    for name in node.listed("not_same_person_as"):
        if name in case.definition.people_fields:
            persons = frozenset(str(person) for person in facts.get(name) or ())
            yield Earlier("", case.definition.people_fields[name], persons, None)


def names_others(case: OpenCase, move: Move, nodes: Iterable[Node]) -> bool:
    """Whether an act has changed whom a field names that one of these open steps must be independent of, or is an action they name."""
    fields = case.definition.people_fields.keys() & move.changed.keys()
    actions = {entry.node for entry in case.entries if entry.tag == "action.done"}
    if not fields and not actions:
        return False
    return any(not (fields.isdisjoint(node.listed("not_same_person_as")) and actions.isdisjoint(others(node))) for node in nodes)
