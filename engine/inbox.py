"""The inbox and the register: lists of what a viewer may act on or see; visibility is inside every query."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from functools import lru_cache
from typing import Any

import sqlalchemy as sa

from engine import access, claims, people
from engine.clock import civil_day, end_of_day, to_micros
from engine.definitions import Definition
from engine.model import FAR_FUTURE, Instant, Row, case_file, outside_link, person, snooze, statutory_clock, task, task_read
from engine.organisation import Organisation
from engine.sight import cases_of, tasks_for
from engine.views import CaseHead, InboxCounts, InboxPage, InboxRow, Standing, Viewer

MAX_PAGE = 200
SHOWS = ("all", "overdue", "today", "mine", "unread", "later")
GetDefinition = Callable[[int], Definition]


#: Filled in when a statement runs, so that it can be kept from one look to the next.
_NOW, _TODAY_ENDS = (sa.bindparam(name, type_=Instant) for name in ("now", "today_ends"))


def _unread(viewer: Standing) -> sa.ColumnElement[bool]:
    mark = task_read.alias("mark")  # a name of its own: the page joins the same table
    return ~sa.exists().where(mark.c.task_id == task.c.id, mark.c.person == viewer.person)


def _put_off(viewer: Standing) -> sa.ColumnElement[bool]:
    """Steps the viewer has put off and that have not come back yet; what stands under a legal date is never hidden."""
    return sa.and_(
        sa.not_(task.c.statutory),
        sa.exists().where(snooze.c.task_id == task.c.id, snooze.c.person == viewer.person, snooze.c.until > _NOW),
    )


def _instants(viewer: Viewer) -> dict[str, datetime]:
    return {"now": viewer.at, "today_ends": end_of_day(civil_day(viewer.at))}


def escape_like(text: str) -> str:
    """A text as part of a LIKE pattern with backslash as escape: what is typed is looked for, not interpreted."""
    return "%" + text.replace("\\", "\\\\").replace("%", "\\%").replace("_", "\\_") + "%"


def parse_after(after: str | None) -> tuple[int, int] | None:
    """The (micros, id) a page continues after; anything else than our own marker starts from the beginning."""
    first, _, second = (after or "").partition(".")
    digits = first.lstrip("-")
    return (
        (int(first), int(second))
        if digits.isascii() and digits.isdigit() and second.isascii() and second.isdigit() and len(digits) < 19 and len(second) < 19
        else None
    )


def task_source(viewer: Viewer | Standing) -> tuple[sa.FromClause, list[sa.ColumnElement[Any]]]:
    """Tasks joined to their case, the claimer's name and the viewer's read mark."""
    claimed = person.alias("claimed")
    source = (
        task.join(case_file, case_file.c.id == task.c.case_id)
        .outerjoin(claimed, claimed.c.id == task.c.claimed_by)
        .outerjoin(task_read, sa.and_(task_read.c.task_id == task.c.id, task_read.c.person == viewer.person))
    )
    columns = [
        *task.c, case_file.c.number, case_file.c.title, case_file.c.definition,
        claimed.c.name.label("claimed_name"), task_read.c.read_at.label("read_at"),
    ]  # fmt: skip
    return source, columns


def row_shown(row: Row, organisation: Organisation, definition: Definition, viewer: Viewer, *, lapsed: bool = False) -> InboxRow:
    """A task row in words; `lapsed`: whoever claimed it no longer holds the seat."""
    node = definition.net.by_id.get(row["node"])
    clause_id = (node.properties.get("clause", "") if node else "").split(",")[0].strip()
    clause = organisation.clauses.get(clause_id)
    unit = organisation.units.get(row["unit"])
    return InboxRow(
        task_id=row["id"],
        case_id=row["case_id"],
        number=row["number"],
        title=row["title"],
        step=row["name"],
        process_id=row["process_id"],
        process_name=definition.name,
        seat=row["seat"],
        seat_name=organisation.seat_name(row["seat"]),
        unit=row["unit"],
        unit_name=unit.name if unit else row["unit"],
        clause=clause.citation if clause else "",
        urgency=row["urgency"],
        urgency_label=organisation.rules.urgency(row["urgency"], civil_day(row["opened_at"])).label,
        opened_at=row["opened_at"],
        due_at=None if row["due_at"] == FAR_FUTURE else row["due_at"],
        statutory=bool(row["statutory"]),
        overdue=row["due_at"] <= viewer.at,
        unread=row["read_at"] is None,
        claimed_by=None if lapsed else row["claimed_by"],
        claimed_by_name=None if lapsed else row["claimed_name"],
        acting=_acting(viewer, row),
        form=bool(node is None or node.form),
    )


def _acting(viewer: Viewer, row: Row) -> str:
    """How a task is the viewer's without his holding its seat, in a word."""
    plainest = next(iter(access.standings(viewer, row)), None)
    return people.KINDS[plainest.kind] if plainest is not None and plainest.kind in ("substitute", "decision", "in_turn") else ""


def counts(connection: sa.Connection, viewer: Viewer) -> InboxCounts:
    """How much the viewer may do; what was put off counts by itself."""
    return InboxCounts(*(int(number) for number in connection.execute(_counting(viewer.standing), _instants(viewer)).one()))


@lru_cache(maxsize=256)
def _counting(viewer: Standing) -> sa.Select[Any]:
    mine, put_off = tasks_for(viewer), _put_off(viewer)

    def how_many(condition: sa.ColumnElement[bool]) -> sa.ColumnElement[int]:
        return sa.func.coalesce(sa.func.sum(sa.case((condition, 1), else_=0)), 0)

    return sa.select(
        sa.func.count(),
        how_many(task.c.due_at <= _NOW),
        how_many(sa.and_(task.c.due_at > _NOW, task.c.due_at <= _TODAY_ENDS)),
        how_many(task.c.claimed_by == viewer.person),
        how_many(_unread(viewer)),
        sa.select(sa.func.count()).select_from(task).where(mine, put_off).scalar_subquery(),
    ).where(mine, ~put_off)


@lru_cache(maxsize=256)
def _choices(viewer: Standing) -> sa.Select[Any]:
    """Procedures and units of the viewer's tasks, to filter by."""
    return (
        sa.select(task.c.process_id, task.c.unit, sa.func.max(case_file.c.definition).label("definition"))
        .join(case_file, case_file.c.id == task.c.case_id)
        .where(tasks_for(viewer))
        .group_by(task.c.process_id, task.c.unit)
    )


@lru_cache(maxsize=256)
def _page(
    viewer: Standing, show: str, process: str | None, unit: str | None, text: str, marker: tuple[int, int] | None, limit: int
) -> sa.Select[Any]:
    """The rows of a page and one more: their ids first, by the index; the joins then touch these rows instead of the whole seat (tests/bench)."""
    put_off = _put_off(viewer)
    chosen = sa.select(task.c.id).where(tasks_for(viewer), put_off if show == "later" else sa.not_(put_off))
    if show == "overdue":
        chosen = chosen.where(task.c.due_at <= _NOW)
    elif show == "today":
        chosen = chosen.where(task.c.due_at > _NOW, task.c.due_at <= _TODAY_ENDS)
    elif show == "mine":
        chosen = chosen.where(task.c.claimed_by == viewer.person)
    elif show == "unread":
        chosen = chosen.where(_unread(viewer))
    if process:
        chosen = chosen.where(task.c.process_id == process)
    if unit:
        chosen = chosen.where(task.c.unit == unit)
    if text:
        pattern = escape_like(text)
        matches = [column.ilike(pattern, escape="\\") for column in (case_file.c.number, case_file.c.title, task.c.name)]
        chosen = chosen.join(case_file, case_file.c.id == task.c.case_id).where(sa.or_(*matches))
    if marker:
        chosen = chosen.where(sa.tuple_(sa.type_coerce(task.c.due_at, sa.BigInteger), task.c.id) > sa.tuple_(*marker))
    page = chosen.order_by(task.c.due_at, task.c.id).limit(limit + 1).subquery()
    source, columns = task_source(viewer)
    return sa.select(*columns).select_from(source.join(page, page.c.id == task.c.id)).order_by(task.c.due_at, task.c.id)


def inbox(
    connection: sa.Connection,
    viewer: Viewer,
    organisation: Organisation,
    definition: GetDefinition,
    *,
    show: str = "all",
    process: str | None = None,
    unit: str | None = None,
    text: str | None = None,
    after: str | None = None,
    limit: int = 50,
) -> InboxPage:
    """One page of the viewer's open tasks, earliest due first (overdue ones therefore on top), with counts and filter choices."""
    limit = max(1, min(limit, MAX_PAGE))
    wanted = _page(viewer.standing, show, process or None, unit or None, (text or "").strip()[:100], parse_after(after), limit)
    rows = connection.execute(wanted, _instants(viewer)).mappings().all()
    more = len(rows) > limit
    rows = rows[:limit]
    choices = connection.execute(_choices(viewer.standing)).all()
    processes = {row.process_id: definition(row.definition).name for row in choices}
    units = {row.unit: organisation.units[row.unit].name if row.unit in organisation.units else row.unit for row in choices}
    last = rows[-1] if rows else None
    others = [row for row in rows if row["claimed_by"] != viewer.person]
    lapsed = claims.lapsed(connection, organisation, others, viewer.at)
    return InboxPage(
        rows=tuple(row_shown(row, organisation, definition(row["definition"]), viewer, lapsed=row["id"] in lapsed) for row in rows),
        counts=counts(connection, viewer),
        next=f"{to_micros(last['due_at'])}.{last['id']}" if more and last else None,
        processes=tuple(sorted(processes.items(), key=lambda pair: pair[1])),
        units=tuple(
            sorted(units.items(), key=lambda pair: list(organisation.units).index(pair[0]) if pair[0] in organisation.units else 0)
        ),
    )


def head_columns(now: datetime) -> tuple[sa.FromClause, list[sa.ColumnElement[Any]]]:
    """What one line of the register needs: the case, the reporter's name, and whether a statutory date has passed."""
    reporter = person.alias("reporter_person")
    source = case_file.outerjoin(reporter, reporter.c.id == case_file.c.reporter)
    wanted = [column for column in case_file.c if column.name not in ("marking", "facts")]
    late = sa.exists().where(
        statutory_clock.c.case_id == case_file.c.id,
        statutory_clock.c.due_at <= now,
        statutory_clock.c.met_at.is_(None),
        statutory_clock.c.stopped_at.is_(None),
    )
    # A case that an outside party has started; the cast stands behind a condition, as other people's ids are no numbers.
    number = sa.cast(sa.func.substr(case_file.c.reporter, len(people.LINK) + 1), sa.BigInteger)
    link = sa.case((case_file.c.reporter.startswith(people.LINK), number))
    party = sa.select(outside_link.c.party).where(sa.type_coerce(outside_link.c.id, sa.BigInteger) == link)
    names = [reporter.c.name.label("reporter_name"), party.scalar_subquery().label("reporter_party")]
    return source, [*wanted, *names, late.label("clock_overdue")]


def open_steps(connection: sa.Connection, case_ids: list[int]) -> dict[int, list[tuple[str, datetime]]]:
    """case id -> (step, due) of its open tasks."""
    steps: dict[int, list[tuple[str, datetime]]] = {}
    if case_ids:
        rows = connection.execute(
            sa.select(task.c.case_id, task.c.name, task.c.due_at)
            .where(task.c.case_id.in_(case_ids), task.c.state == "open")
            .order_by(task.c.case_id, task.c.due_at, task.c.id)
        )
        for row in rows:
            steps.setdefault(row.case_id, []).append((row.name, row.due_at))
    return steps


def head_shown(row: Row, steps: list[tuple[str, datetime]], organisation: Organisation, definition: Definition, now: datetime) -> CaseHead:
    """A case in one line."""
    if row["state"] == "withdrawn":
        state_text = "取下げ"
    elif row["state"] == "closed":
        state_text = row["outcome"] or "終結"
    elif steps:
        names = list(dict.fromkeys(name for name, _ in steps))
        state_text = "処理中：" + "、".join(names[:3]) + (f" ほか{len(names) - 3}件" if len(names) > 3 else "")
    else:
        state_text = "待機中"
    unit = organisation.units.get(row["owning_unit"])
    return CaseHead(
        id=row["id"],
        number=row["number"],
        title=row["title"],
        process_id=row["process_id"],
        process_name=definition.name,
        version=row["version"],
        state=row["state"],
        state_text=state_text,
        outcome=row["outcome"] or "",
        unit=row["owning_unit"],
        unit_name=unit.name if unit else row["owning_unit"],
        reporter=row["reporter"],
        reporter_name=row["reporter_name"] or (people.party_name(row["reporter_party"]) if row["reporter_party"] else row["reporter"]),
        known_at=row["known_at"],
        started_at=row["started_at"],
        changed_at=row["changed_at"],
        ended_at=row["ended_at"],
        merged_into=row["merged_into"],
        overdue=row["state"] == "open" and (bool(row["clock_overdue"]) or any(due <= now for _, due in steps)),
    )


def cases(
    connection: sa.Connection,
    viewer: Viewer,
    organisation: Organisation,
    definition: GetDefinition,
    *,
    text: str | None = None,
    state: str | None = None,
    mine: bool = False,
    unit: str | None = None,
    after: str | None = None,
    limit: int = 50,
) -> tuple[tuple[CaseHead, ...], str | None]:
    """The register of visible cases, newest first; `mine` keeps the viewer's own reports."""
    limit = max(1, min(limit, MAX_PAGE))
    source, columns = head_columns(viewer.at)
    query = sa.select(*columns).select_from(source).where(cases_of(viewer))
    if text and text.strip():
        pattern = escape_like(text.strip()[:100])
        query = query.where(sa.or_(case_file.c.number.ilike(pattern, escape="\\"), case_file.c.title.ilike(pattern, escape="\\")))
    if state in ("open", "closed", "withdrawn"):
        query = query.where(case_file.c.state == state)
    if mine:
        query = query.where(case_file.c.reporter == viewer.person)
    if unit:
        query = query.where(case_file.c.owning_unit == unit)
    if after and after.isascii() and after.isdigit() and len(after) < 19:
        query = query.where(case_file.c.id < int(after))
    rows = connection.execute(query.order_by(case_file.c.id.desc()).limit(limit + 1)).mappings().all()
    more, rows = len(rows) > limit, rows[:limit]
    steps = open_steps(connection, [row["id"] for row in rows])
    heads = tuple(head_shown(row, steps.get(row["id"], []), organisation, definition(row["definition"]), viewer.at) for row in rows)
    return heads, str(rows[-1]["id"]) if more else None
