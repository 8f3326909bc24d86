"""The inbox: what waits for the viewer's seats, overdue first; and the same done to several at once."""

from __future__ import annotations

from typing import Any

from flask import Blueprint, abort, flash, redirect, render_template, request, url_for
from werkzeug.wrappers import Response

from engine import BulkResult, NotFound
from webui.incoming import engine, own_path, query_choice, query_text, viewer

inbox = Blueprint("inbox", __name__)

#: The tabs, in order; the keys are those of `engine.inbox(show=…)` and of `InboxCounts`.
TABS = {"all": "すべて", "overdue": "期限超過", "today": "本日", "mine": "自分が引受", "unread": "未読", "later": "後で見る"}


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
        laid_before_me=engine().referrals_open(viewer()),
        handovers=[row for row in engine().orders.handovers(viewer()) if row.state == "open" and row.mine == "taker"],
    )


# ---------------------------------------------------------------- several at once

#: What can be done to several tasks: the button's words, and what the result says of each that it was done to.
TOGETHER = {
    "claim": ("引き受ける", "引き受けました"),
    "release": ("引き受けを戻す", "引き受けを戻しました"),
    "complete": ("完了する", "完了しました"),
}
#: As many as one page of the inbox shows.
MOST = 200
ASKS = "入力欄のある処理です。画面を開き、内容を確かめて完了してください。"


@inbox.post("/inbox/together")
def together() -> Any:
    """The same done to each task chosen; one that is refused does not keep the others back."""
    verb, back = request.form.get("verb", ""), own_path(request.form.get("back")) or url_for("inbox.show")
    if verb not in TOGETHER:
        abort(400)
    chosen = list(dict.fromkeys(one for one in request.form.getlist("task", type=int) if 0 < one < 2**63))[:MOST]
    if not chosen:
        flash("処理が選ばれていません。左の四角で選んでから、もう一度押してください。", "warning")
        return redirect(back, 303)
    asking = {row.task_id: row for row in _asking(chosen)} if verb == "complete" else {}
    results = {row.task_id: row for row in engine().together(viewer(), verb, [one for one in chosen if one not in asking])} | asking
    return render_template("together.html", rows=[results[one] for one in chosen], words=TOGETHER[verb], back=back)


def _asking(chosen: list[int]) -> list[BulkResult]:
    """The tasks that ask for something: nobody completes those without having looked."""
    found = []
    for task_id in chosen:
        try:
            row = engine().task(viewer(), task_id).row
        except NotFound:
            continue  # the engine says so for each
        if row.form:
            found.append(BulkResult(task_id, row.number, row.step, False, ASKS))
    return found
