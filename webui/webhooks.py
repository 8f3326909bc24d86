"""Other systems: the addresses that hear of what happens, kept by administrators; and the events read again from a cursor."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from flask import Blueprint, Response, flash, jsonify, redirect, render_template, request, url_for

from engine import FormInvalid, WebhookNotFound
from webui.errors import status_of
from webui.incoming import engine, posted_text, viewer

webhooks = Blueprint("webhooks", __name__)

MOST_AT_ONCE = 1_000


def _page(*, made: Any = None, errors: Mapping[str, str] | None = None, status: int = 200) -> Any:
    rows = engine().webhooks.all(viewer())
    return render_template("webhooks.html", rows=rows, made=made, errors=errors or {}, typed=request.form if errors else {}), status


@webhooks.get("/admin/webhooks")
def show() -> Any:
    """Every address of the viewer's office."""
    return _page()


@webhooks.post("/admin/webhooks")
def register() -> Any:
    """Register an address; its secret and its token are shown on this page alone."""
    try:
        made = engine().webhooks.register(viewer(), posted_text("name"), posted_text("url"))
    except FormInvalid as error:
        return _page(errors=error.fields, status=status_of(error))
    return _page(made=made)


@webhooks.post("/admin/webhooks/<id:webhook_id>/stop")
def stop(webhook_id: int) -> Any:
    """Send nothing there for now."""
    engine().webhooks.stop(viewer(), webhook_id)
    flash("送信を止めました。", "success")
    return redirect(url_for("webhooks.show"), 303)


@webhooks.post("/admin/webhooks/<id:webhook_id>/resume")
def resume(webhook_id: int) -> Any:
    """Send again what happens from now on."""
    engine().webhooks.resume(viewer(), webhook_id)
    flash("送信を再開しました。止まっている間の出来事は、受け手が /api/events で読み直せます。", "success")
    return redirect(url_for("webhooks.show"), 303)


@webhooks.post("/admin/webhooks/<id:webhook_id>/remove")
def remove(webhook_id: int) -> Any:
    """Take an address away."""
    engine().webhooks.remove(viewer(), webhook_id)
    flash("送り先の登録を消しました。", "success")
    return redirect(url_for("webhooks.show"), 303)


@webhooks.get("/api/events")
def events() -> Any:
    """The events after a cursor, in order, one JSON line each; `Tadachi-Cursor` says where to go on."""
    scheme, _, token = request.headers.get("Authorization", "").partition(" ")
    after, limit = _number("after", 0), _number("limit", 100)
    if after is None or limit is None:
        return jsonify(error="BadRequest", message="after と limit は0以上の整数で指定してください。"), 400
    try:
        if scheme.lower() != "bearer":
            raise WebhookNotFound
        lines, cursor = engine().webhooks.events(token.strip(), after, min(limit, MOST_AT_ONCE))
    except WebhookNotFound:
        answer = jsonify(error="Unauthorized", message="Authorization: Bearer に、送り先の登録のときに示されたトークンを付けてください。")
        answer.headers["WWW-Authenticate"] = "Bearer"
        return answer, 401
    body = b"".join(line + b"\n" for line in lines)
    return Response(body, mimetype="application/x-ndjson", headers={"Tadachi-Cursor": str(cursor)})


def _number(name: str, default: int) -> int | None:
    text = request.args.get(name, "")
    if not text:
        return default
    return int(text) if text.isascii() and text.isdigit() and len(text) < 19 else None
