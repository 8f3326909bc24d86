"""The daily digest: once a day and person, on open days, what is open and overdue and what was kept for it; nothing when there is nothing."""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any

import sqlalchemy as sa

from engine import delivery_rows, inbox, people, preferences, standing
from engine.clock import civil_day
from engine.deliveries import mail_row
from engine.model import case_file, delivery, job, notice, notice_setting, person
from engine.notice_texts import DIGEST, TEMPLATES
from engine.organisation import Organisation
from engine.quiet import at_time
from engine.storage import insert_new
from engine.views import Viewer
from engine.wakeup import add_jobs

if TYPE_CHECKING:
    from engine.service import Engine

#: The job of an office, and of one person on one day: everybody's is a transaction of its own.
OFFICE, ONE = "digest", "digest_of"
MOST_LINES = 50


def next_time(office: Organisation, now: datetime) -> datetime:
    """When the next digest is due: on the next open day, or today when it is yet to come."""
    rules = office.rules
    day = rules.calendar.next_open(civil_day(now))
    at = at_time(day, rules.notices.digest_time)
    if at <= now:
        at = at_time(rules.calendar.next_open(day + timedelta(days=1)), rules.notices.digest_time)
    return at


def arm(engine: Engine) -> None:
    """See to it that every office's digest is due work, at the time its rules say now; a worker asks for it as it begins and now and then."""
    now = engine.clock.now()
    wanted = {f"digest:{office.id}": office for office in engine.organisations.values()}
    query = sa.select(job.c.key, job.c.run_at).where(job.c.kind == OFFICE, job.c.case_id.is_(None))
    with engine.reading() as connection:
        known = {row.key: row.run_at for row in connection.execute(query)}
    # One that is due already is left alone: it is what an outage has left over.
    late = [
        key for key, office in wanted.items() if key not in known or (known[key] is not None and now < known[key] != next_time(office, now))
    ]
    for key in late:
        office = wanted[key]
        with engine.writing() as connection:
            _lock(connection, office.id)
            row = connection.execute(query.where(job.c.key == key)).first()
            if row is None:
                add_jobs(connection, [_office_job(office, now)], now)
            elif row.run_at is not None and row.run_at > now:
                connection.execute(job.update().where(job.c.kind == OFFICE, job.c.key == key).values(run_at=next_time(office, now)))


def _lock(connection: sa.Connection, organisation: str) -> None:
    """Two workers that begin together make one job."""
    text = "INSERT INTO counter (organisation, name, period, value) VALUES (:o, 'digest', '', 0) ON CONFLICT (organisation, name, period) DO UPDATE SET value = 0"
    connection.execute(sa.text(text), {"o": organisation})


def _office_job(office: Organisation, now: datetime) -> dict[str, Any]:
    payload = json.dumps({"organisation": office.id})
    return {"case_id": None, "kind": OFFICE, "key": f"digest:{office.id}", "run_at": next_time(office, now), "payload": payload}


def run_office(connection: sa.Connection, office: Organisation, now: datetime) -> None:
    """The office's digest is due: a job for each person it may concern, and the next one. After an outage there is one, not one for each day
    missed; on a closed day, or before the day's time, there is none yet."""
    today = civil_day(now)
    if not office.rules.calendar.is_closed(today) and at_time(today, office.rules.notices.digest_time) <= now:
        payload = json.dumps({"organisation": office.id, "day": today.isoformat()})
        jobs = [
            {
                "case_id": None,
                "kind": ONE,
                "key": f"digest:{who}"[:240],
                "run_at": now,
                "payload": json.dumps({**json.loads(payload), "person": who}),
            }
            for who in _concerned(connection, office, now)
        ]
        add_jobs(connection, jobs, now)
    add_jobs(connection, [_office_job(office, now)], now)


def _concerned(connection: sa.Connection, office: Organisation, now: datetime) -> list[str]:
    """Who may get a digest: people with an address who want one, or for whom something was kept."""
    kept = sa.exists().where(
        delivery.c.notice == notice.c.id, notice.c.person == person.c.id, delivery.c.channel == DIGEST, delivery.c.state == "queued"
    )
    asked = sa.exists().where(
        notice_setting.c.person == person.c.id, notice_setting.c.name == preferences.DIGEST, notice_setting.c.value == "on"
    )
    query = sa.select(person.c.id).where(person.c.organisation == office.id, person.c.email.is_not(None), people.account_open())
    if not office.rules.notices.digest:
        query = query.where(sa.or_(kept, asked))
    return list(connection.scalars(query.order_by(person.c.id), {"on_day": civil_day(now)}))


def run_one(connection: sa.Connection, offices: people.Offices, payload: Mapping[str, Any], now: datetime, host: str) -> None:
    """One person's digest of one day, if there is anything to say."""
    viewer = standing.viewer_of(connection, offices, payload["person"], now)
    rules = offices[viewer.organisation].rules.notices
    chosen = preferences.chosen_by(connection, [viewer.person]).get(viewer.person, preferences.NOTHING)
    kept = connection.execute(
        sa.select(delivery.c.id, delivery.c.notice, notice.c.template, notice.c.step, case_file.c.number)
        .join(notice, notice.c.id == delivery.c.notice)
        .outerjoin(case_file, case_file.c.id == notice.c.case_id)
        .where(notice.c.person == viewer.person, delivery.c.channel == DIGEST, delivery.c.state == "queued", delivery.c.message_id == "")
        .order_by(notice.c.id)
    ).all()
    counts = _counts(connection, viewer)
    if not kept and (not any(counts) or not chosen.digest(rules)):
        return
    lines = [f"{TEMPLATES[row.template][0]}：{row.step}（{row.number}）" for row in kept[:MOST_LINES]]
    if len(kept) > MOST_LINES:
        lines.append(f"ほか{len(kept) - MOST_LINES}件")
    values = {
        "organisation": viewer.organisation, "cause": f"digest:{payload['day']}", "person": viewer.person, "template": DIGEST, "step": payload["day"],
        "created_at": now, "data": json.dumps({"counts": counts, "lines": lines, "notices": [row.notice for row in kept]}, ensure_ascii=False),
    }  # fmt: skip
    made = connection.scalar(insert_new(connection, notice).returning(notice.c.id), values)
    if made is None:  # told today already
        return
    row = mail_row({**values, "id": made}, "mail", "queued", now, now, host)
    delivery_rows.queue(connection, [row], None, now)
    if kept:
        included = delivery.c.id.in_([one.id for one in kept])
        connection.execute(delivery.update().where(included).values(message_id=row["message_id"]))


def _counts(connection: sa.Connection, viewer: Viewer) -> tuple[int, int, int]:
    """(overdue, due today, later) of what the viewer may do now."""
    counts = inbox.counts(connection, viewer)
    return counts.overdue, counts.today, counts.all - counts.overdue - counts.today
