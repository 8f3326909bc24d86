"""How one is told (お知らせの受け取り方): by mail at once, in the daily digest, inside the application; quiet time; and the calendar's address."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from flask import Blueprint, Response, flash, redirect, render_template, request, url_for

from engine import FormInvalid
from webui.errors import status_of
from webui.incoming import engine, viewer

receiving = Blueprint("receiving", __name__)

HOW = {"at_once": "すぐにメール", "digest": "毎日のまとめ", "in_app": "画面のみ"}
KIND = "how."


def _page(*, address: str = "", errors: Mapping[str, str] | None = None, status: int = 200) -> Any:
    found = engine().receiving.show(viewer())
    return render_template(
        "account_notices.html", found=found, how=HOW, address=address, errors=errors or {}, typed=request.form if errors else {}
    ), status


@receiving.get("/account/notices")
def show() -> Any:
    """The viewer's own choices."""
    return _page()


@receiving.post("/account/notices")
def save() -> Any:
    """Keep the viewer's choices."""
    form = request.form
    choices = {name.removeprefix(KIND): value for name, value in form.items() if name.startswith(KIND)}
    try:
        engine().receiving.save(
            viewer(),
            choices,
            digest=form.get("digest") == "on",
            quiet_time=form.get("quiet", ""),
            hours=(form.get("quiet_from", ""), form.get("quiet_to", "")),
            closed_days=form.get("closed_days") == "on",
        )
    except FormInvalid as error:
        return _page(errors=error.fields, status=status_of(error))
    flash("お知らせの受け取り方を保存しました。", "success")
    return redirect(url_for("receiving.show"), 303)


@receiving.post("/account/notices/calendar")
def make_feed() -> Any:
    """A new address of the calendar, shown on this page alone."""
    return _page(address=engine().calendar.create(viewer()))


@receiving.post("/account/notices/calendar/revoke")
def revoke_feed() -> Any:
    """Let the calendar's address answer no more."""
    engine().calendar.revoke(viewer())
    flash("予定表のアドレスを無効にしました。", "success")
    return redirect(url_for("receiving.show"), 303)


@receiving.get("/calendar/<token>.ics")
def feed(token: str) -> Response:
    """The calendar of whoever made this address; 404 for any other."""
    return Response(engine().calendar.read(token), mimetype="text/calendar")
