"""Notices inside the application, and the outbox of mails in the demo."""

from __future__ import annotations

from flask import Blueprint, current_app, redirect, render_template, request, url_for
from werkzeug.wrappers import Response

from engine import NotAllowed
from webui.incoming import engine, query_choice, viewer

notices = Blueprint("notices", __name__)

SHOWN = {"all": "すべて", "unread": "未読のみ"}


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


def may_see_outbox() -> bool:
    """Whether the outbox is offered: to everyone in the demo, else to administrators."""
    return bool(current_app.config["TADACHI_DEMO"]) or viewer().has_role("administrator")


@notices.get("/outbox")
def outbox() -> str:
    """The mails as they were sent, with what went wrong."""
    if not may_see_outbox():
        raise NotAllowed
    return render_template("outbox.html", rows=engine().outbox(viewer().organisation, limit=100))
