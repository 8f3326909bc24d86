"""The hub of administration: what there is to keep, with a count for each."""

from __future__ import annotations

from typing import Any

from flask import Blueprint, render_template

from engine import NotAllowed
from webui.admin_forms import today
from webui.incoming import engine, viewer
from webui.stopped import may_administer

admin = Blueprint("admin", __name__)


def may_manage() -> bool:
    """Whether the menu offers administration: to who keeps the registers or approves orders. The engine decides again."""
    personnel = engine().personnel
    return bool(personnel.may_keep(viewer()) or personnel.may_approve(viewer()))


def require_sight() -> None:
    """Refuse a request of anybody else."""
    if not may_manage():
        raise NotAllowed()


def require_keeper() -> None:
    """Refuse a request of who does not keep the registers, before anything of it is looked at."""
    engine().personnel.require_keeper(viewer())


admin.before_request(require_sight)


@admin.get("/admin")
def show() -> str:
    """The hub; who only approves sees the orders alone."""
    seen, personnel = viewer(), engine().personnel
    keeps = personnel.may_keep(seen)
    orders = engine().orders.all(seen)
    counts: dict[str, Any] = {"drafts": sum(order.state == "draft" for order in orders)}
    counts["reforms"] = sum(order.kind == "reorganisation" and order.state == "draft" for order in orders)
    if keeps:
        office, on = engine().organisations[seen.organisation], today()
        vacant = personnel.vacancies(seen)
        counts |= {
            "people": len(personnel.people(seen)),
            "units": sum(unit.exists(on) for unit in office.units.values()),
            "seats": len(office.seats(on)),
            "away": sum(one.state == "now" for one in personnel.absences(seen)),
            "deputies": sum(one.state == "now" for one in personnel.deputies(seen)),
            "vacancies": len(vacant),
            "waiting": sum(bool(one.open_tasks) for one in vacant),
            "stuck": len(personnel.stuck(seen)),
            "handovers": sum(one.state == "open" for one in engine().orders.handovers(seen, everybody=True)),
        }
    if may_administer():
        counts["stopped"] = len(engine().stopped(seen))
    return render_template("admin/hub.html", counts=counts, keeps=keeps)
