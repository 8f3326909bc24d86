"""Lists of what has been laid before people who do not decide: in the inbox of whom it is for, and on the case's page."""

from __future__ import annotations

from functools import lru_cache
from typing import Any

import sqlalchemy as sa

from engine.inbox import GetDefinition
from engine.model import case_file, person, referral, task
from engine.organisation import PERSON, Organisation
from engine.sight import cases_for, cases_of
from engine.views import ReferralShown, Standing, Viewer
from engine.wording import REFERRALS

MOST = 200


def for_viewer(connection: sa.Connection, viewer: Viewer, office: Organisation, definition: GetDefinition) -> tuple[ReferralShown, ...]:
    """What is open and laid before the viewer, the oldest first."""
    return shown(connection, viewer, office, definition, sa.and_(_mine(viewer.standing), cases_of(viewer)))


def count(connection: sa.Connection, viewer: Viewer) -> int:
    """How much is open and laid before the viewer."""
    return int(connection.scalar(_counting(viewer.standing)) or 0)


@lru_cache(maxsize=256)
def _counting(viewer: Standing) -> sa.Select[Any]:
    query = sa.select(sa.func.count()).select_from(referral.join(case_file, case_file.c.id == referral.c.case_id))
    return query.where(_mine(viewer), cases_for(viewer))


def shown(
    connection: sa.Connection, viewer: Viewer, office: Organisation, definition: GetDefinition, wanted: sa.ColumnElement[bool]
) -> tuple[ReferralShown, ...]:
    """Referrals in words."""
    asker, closer, addressee = person.alias("asker"), person.alias("closer"), person.alias("addressee")
    query = (
        sa.select(
            referral, case_file.c.number, case_file.c.title, case_file.c.definition, task.c.name.label("step"), asker.c.name.label("asker_name"),
            closer.c.name.label("closer_name"), addressee.c.name.label("addressee_name"), case_file.c.process_id,
        )
        .select_from(
            referral.join(case_file, case_file.c.id == referral.c.case_id)
            .outerjoin(task, task.c.id == referral.c.task_id)
            .outerjoin(asker, asker.c.id == referral.c.asked_by)
            .outerjoin(closer, closer.c.id == referral.c.closed_by)
            .outerjoin(addressee, referral.c.seat == sa.literal(PERSON) + addressee.c.id)
        )
        .where(wanted)
        .order_by(referral.c.id)
        .limit(MOST)
    )  # fmt: skip
    found = []
    for row in connection.execute(query).mappings():
        mine = row["seat"] in viewer.keys or (row["process_id"], row["seat"]) in viewer.limited
        found.append(
            ReferralShown(
                id=row["id"],
                kind=row["kind"],
                label=REFERRALS[row["kind"]],
                case_id=row["case_id"],
                number=row["number"],
                title=row["title"],
                process_name=definition(row["definition"]).name,
                task_id=row["task_id"],
                step=row["step"] or "",
                to_name=row["addressee_name"] or office.seat_name(row["seat"]),
                asked_by=row["asked_by"],
                asked_by_name=row["asker_name"] or "システム",
                asked_seat_name=office.seat_name(row["asked_seat"]) if row["asked_seat"] else "",
                text=row["text"],
                opened_at=row["opened_at"],
                state=row["state"],
                closed_at=row["closed_at"],
                closed_by_name=row["closer_name"] or "",
                answer=row["answer"] or "",
                mine=mine and row["state"] == "open" and row["case_id"] not in viewer.barred_cases,
                recallable=row["state"] == "open" and row["asked_by"] == viewer.person and row["kind"] != "later_review",
            )
        )
    return tuple(found)


def _mine(viewer: Standing) -> sa.ColumnElement[bool]:
    own: list[sa.ColumnElement[bool]] = [referral.c.seat.in_(viewer.keys)]
    own += [sa.and_(case_file.c.process_id == process, referral.c.seat == seat) for process, seat in viewer.limited]
    return sa.and_(referral.c.organisation == viewer.organisation, referral.c.state == "open", sa.or_(*own))
