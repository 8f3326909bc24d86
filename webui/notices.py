"""Notices inside the application, and the outbox: every delivery with its state, and the dead letters that can be sent again."""

from __future__ import annotations

from flask import Blueprint, abort, current_app, flash, redirect, render_template, request, url_for
from werkzeug.wrappers import Response

from engine import ADMINISTRATOR, NotAllowed
from webui.incoming import engine, query_choice, viewer

notices = Blueprint("notices", __name__)

SHOWN = {"all": "すべて", "unread": "未読のみ"}
STATES = {"all": "すべて", "queued": "送信待ち", "failed": "再送待ち", "dead": "送れず", "sent": "送信済み", "none": "画面のみ"}


@notices.get("/notices")
def show() -> str:
    """The viewer's notices, newest first; looking alone does not mark them."""
    chosen, unknown = query_choice("show", SHOWN, "all")
    rows, unread = engine().notices(viewer(), unread_only=chosen == "unread", limit=100)
    return render_template("notices.html", rows=rows, unread=unread, show=chosen, tabs=SHOWN, unknown=unknown)


@notices.post("/notices/read")
def read() -> Response:
    """Mark the chosen notices as read, or all of them."""
    ids = request.form.getlist("id", type=int)
    engine().read_notices(viewer(), ids or None)
    return redirect(url_for("notices.show"), 303)


@notices.post("/notices/acknowledge")
def acknowledge() -> Response:
    """Confirm notices of statutory dates and escalations; the case shows when."""
    engine().acknowledge(viewer(), request.form.getlist("id", type=int))
    flash("確認したことを記録しました。", "success")
    return redirect(url_for("notices.show"), 303)


def may_see_outbox() -> bool:
    """Whether the outbox is offered: to everyone in the demo, else to administrators."""
    return bool(current_app.config["TADACHI_DEMO"]) or viewer().has_role(ADMINISTRATOR)


@notices.get("/outbox")
def outbox() -> str:
    """Every delivery by recipient and channel, with what went wrong and when it is tried again."""
    if not may_see_outbox():
        raise NotAllowed
    chosen, unknown = query_choice("state", STATES, "all")
    rows = engine().outbox(viewer().organisation, limit=100, state=None if chosen == "all" else chosen)
    return render_template(
        "outbox.html", rows=rows, state=chosen, tabs=STATES, unknown=unknown, may_resend=viewer().has_role(ADMINISTRATOR)
    )


@notices.post("/outbox/resend")
def resend() -> Response:
    """Let a dead letter go out once more; the engine decides who may."""
    delivery = request.form.get("id", type=int)
    if delivery is None:
        abort(400)
    engine().resend(viewer(), delivery)
    flash("もう一度送ります。結果は、この画面で確かめてください。", "success")
    return redirect(url_for("notices.outbox", state="dead"), 303)
