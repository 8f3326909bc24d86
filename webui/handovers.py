"""Handovers: what one takes over and hands over, and the whole office's for who keeps the registers."""

from __future__ import annotations

from typing import Any

from flask import Blueprint, flash, redirect, url_for

from engine import Conflict, HandoverNotFound, Invalid, TadachiError
from webui.admin import require_keeper
from webui.admin_forms import Typed, page
from webui.incoming import engine, viewer

handovers = Blueprint("handovers", __name__)

STATES = {"coming": "発令日前", "open": "確認待ち", "accepted": "確認済み"}


def _own(typed: Typed | None = None, problem: TadachiError | None = None, about: int = 0) -> Any:
    rows = engine().orders.handovers(viewer())
    taking = [row for row in rows if row.mine == "taker"]
    giving = [row for row in rows if row.mine == "giver"]
    return page("handovers.html", typed, problem, taking=taking, giving=giving, states=STATES, about=about)


@handovers.get("/handovers")
def show() -> Any:
    """What one takes over, and what one hands over."""
    return _own()


@handovers.get("/admin/handovers")
def show_office() -> Any:
    """Every handover of the office."""
    require_keeper()
    rows = engine().orders.handovers(viewer(), everybody=True)
    return page("admin/handovers.html", rows=rows, states=STATES)


@handovers.post("/handovers/<id:handover_id>/note")
def note(handover_id: int) -> Any:
    """Write to the successor; until the handover is accepted."""
    typed = Typed.posted("note")
    try:
        engine().orders.note_handover(viewer(), handover_id, typed.values["note"])
    except (Invalid, Conflict) as error:
        return _own(typed, error, handover_id)
    flash("引継ぎ事項を保存しました。", "success")
    return redirect(url_for("handovers.show"), 303)


@handovers.post("/handovers/<id:handover_id>/accept")
def accept(handover_id: int) -> Any:
    """Take the work over; a second click is told so, and changes nothing."""
    try:
        engine().orders.accept_handover(viewer(), handover_id)
    except HandoverNotFound:
        if not any(row.id == handover_id and row.mine == "taker" for row in engine().orders.handovers(viewer())):
            raise
        flash("この引継ぎは、すでに確認されています。", "info")
        return redirect(url_for("handovers.show"), 303)
    except (Invalid, Conflict) as error:
        return _own(None, error)
    flash("引継ぎを確認しました。", "success")
    return redirect(url_for("handovers.show"), 303)
