"""The inbox: what waits for the viewer's seats, overdue first."""

from __future__ import annotations

from typing import Any

from flask import Blueprint, redirect, render_template, request, url_for
from werkzeug.wrappers import Response

from webui.incoming import engine, query_choice, query_text, viewer

inbox = Blueprint("inbox", __name__)

#: The tabs, in order; the keys are those of `engine.inbox(show=…)` and of `InboxCounts`.
TABS = {"all": "すべて", "overdue": "期限超過", "today": "本日", "mine": "自分が引受", "unread": "未読"}


@inbox.get("/")
def home() -> Response:
    """The inbox is the first page."""
    return redirect(url_for("inbox.show"), 303)


@inbox.get("/inbox")
def show() -> str:
    """One page of the inbox, narrowed by the query."""
    chosen, unknown = query_choice("show", TABS, "all")
    filters: dict[str, Any] = {"process": query_text("process"), "unit": query_text("unit"), "text": query_text("text")}
    page = engine().inbox(viewer(), show=chosen, after=request.args.get("after") or None, **filters)
    kept = {name: value for name, value in {"show": chosen if chosen != "all" else None, **filters}.items() if value}
    return render_template(
        "inbox.html",
        page=page,
        tabs=TABS,
        show=chosen,
        unknown=unknown,
        filters=filters,
        kept=kept,
        continued=bool(request.args.get("after")),
    )
