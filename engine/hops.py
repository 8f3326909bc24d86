"""Hops of a report (known → reported → passed on): how long each took, by when it should have been, and why it was late."""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import datetime
from typing import Any

import sqlalchemy as sa

from engine import people
from engine.clock import civil_day
from engine.model import history, task
from engine.net import Node
from engine.organisation import Organisation
from engine.rules import Rules
from engine.store import OpenCase
from engine.views import HopShown


def target_of(node: Node, since: datetime, rules: Rules) -> datetime | None:
    """By when a hop should be done that began then: when its urgency word's ladder goes beyond the seat. None without a target."""
    urgency = rules.urgency(node.properties.get("urgency", "plain"), civil_day(since))
    return urgency.target(since, rules.calendar)


def is_hop(node: Node | None) -> bool:
    """Whether a step passes a report on (property `hop`: `true`, or on a start the field that says why it comes late)."""
    return node is not None and "hop" in node.properties


def of_case(connection: sa.Connection, case: OpenCase, office: Organisation, now: datetime) -> tuple[HopShown, ...]:
    """Every hop of a case in the order of time, those under way included."""
    net = case.definition.net
    found: list[HopShown] = []
    reasons = _reasons(connection, case.id)
    if is_hop(net.start) and isinstance(case.facts.get("known_at"), str):
        known = datetime.fromisoformat(case.facts["known_at"])
        started = case.row["started_at"]
        why = str(case.facts.get(net.start.properties["hop"]) or "")
        who = people.names(connection, [case.row["reporter"]]).get(case.row["reporter"], "")
        found.append(_hop(net.start, net.start.name, who, known, started, office.rules, now, why))
    rows = connection.execute(
        sa.select(task)
        .where(task.c.case_id == case.id, task.c.state.in_(("open", "done", "sent_back")))
        .order_by(task.c.opened_at, task.c.id)
    ).mappings()
    for row in rows:
        node = net.by_id.get(row["node"])
        if node is not None and is_hop(node):
            by = office.seat_name(row["seat"])
            found.append(_hop(node, row["name"], by, row["opened_at"], row["closed_at"], office.rules, now, reasons.get(row["id"], "")))
    return tuple(found)


def _hop(node: Node, name: str, by: str, since: datetime, until: datetime | None, rules: Rules, now: datetime, reason: str) -> HopShown:
    target = target_of(node, since, rules)
    return HopShown(name, by, since, until, target, target is not None and (until or now) > target, reason)


def _reasons(connection: sa.Connection, case_id: int) -> Mapping[int, str]:
    """task id -> why it was late."""
    query = sa.select(history.c.task_id, history.c.data).where(
        history.c.case_id == case_id, history.c.chain == f"case:{case_id}", history.c.tag == "task.completed"
    )
    told: dict[int, Any] = {row.task_id: json.loads(row.data).get("late") for row in connection.execute(query)}
    return {task_id: str(late.get("reason", "")) for task_id, late in told.items() if late}
