"""The cases that one case began and the one that began it, as a viewer may know of them."""

from __future__ import annotations

import sqlalchemy as sa

from engine import linked
from engine.definitions import effective
from engine.model import case_file, case_link, definition
from engine.sight import cases_of
from engine.views import CaseLinked, Viewer


def shown(connection: sa.Connection, viewer: Viewer, case_id: int) -> tuple[CaseLinked, ...]:
    """The links of a case the viewer sees, oldest case first. Of a case that he does not see he learns number and procedure, no more."""
    other = sa.case((case_link.c.case_id == case_id, case_link.c.other_id), else_=case_link.c.case_id)
    rows = connection.execute(
        sa.select(case_link.c.label, case_link.c.case_id, case_file.c.id, case_file.c.number, definition.c.name)
        .join(case_file, case_file.c.id == other)
        .join(definition, definition.c.id == case_file.c.definition)
        .where(case_link.c.kind == linked.KIND, sa.or_(case_link.c.case_id == case_id, case_link.c.other_id == case_id))
        .order_by(case_file.c.id)
    ).all()
    seen = (
        set(connection.scalars(sa.select(case_file.c.id).where(case_file.c.id.in_([row.id for row in rows]), cases_of(viewer))))
        if rows
        else set()
    )
    return tuple(
        CaseLinked(row.number, row.label or "", row.name, row.id if row.id in seen else None, row.case_id == case_id) for row in rows
    )


def procedure_name(connection: sa.Connection, viewer: Viewer, process_id: str) -> str:
    """The name of a procedure of the viewer's office in force now; the id when there is none."""
    mine = definition.c.organisation == viewer.organisation, definition.c.process_id == process_id
    newest = sa.select(definition.c.name).where(*mine, effective(viewer.at))
    return connection.scalar(newest.order_by(definition.c.in_force_from.desc(), definition.c.version.desc()).limit(1)) or process_id
