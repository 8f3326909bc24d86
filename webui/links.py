"""The office's pages for one-time links: issue one for a case or for one that the party will start, see their state, revoke them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from flask import Blueprint, flash, redirect, render_template, request, url_for
from werkzeug.wrappers import Response

from engine import Conflict, FormInvalid, Invalid, LinkMade, NotAllowed, TadachiError
from webui.errors import status_of
from webui.incoming import chosen_seat, engine, posted_text, viewer

links = Blueprint("links", __name__)

DAYS = 14


def _page(
    case_id: int | None, process_id: str, *, made: LinkMade | None = None, error: TadachiError | None = None, typed: Mapping[str, Any] = {}
) -> Any:
    desk = engine().outside
    found = desk.to_start(viewer(), process_id) if case_id is None else desk.of_case(viewer(), case_id)
    errors = error.fields if isinstance(error, FormInvalid) else {}
    problem = error.text if error is not None and not errors else ""
    page = render_template("links.html", found=found, made=made, errors=errors, problem=problem, typed=typed, days=DAYS, seat=chosen_seat())
    return page, status_of(error) if error is not None else 200


def _issue(case_id: int | None, process_id: str) -> Any:
    """Issue a link; its address is shown on this answer alone."""
    typed = {"party": posted_text("_party"), "days": request.form.get("_days", ""), "shares": request.form.get("_shares") == "on"}
    days = request.form.get("_days", type=int) or 0
    given = {"party": typed["party"], "days": days, "shares": typed["shares"], "seat": chosen_seat()}
    try:
        made = engine().outside.issue(viewer(), process_id=process_id, case_id=case_id, **given)
    except (Invalid, NotAllowed, Conflict) as error:
        return _page(case_id, process_id, error=error, typed=typed)
    return _page(case_id, process_id, made=made)


@links.get("/cases/<id:case_id>/links")
def of_case(case_id: int) -> Any:
    """The links of a case."""
    return _page(case_id, "")


@links.post("/cases/<id:case_id>/links")
def issue(case_id: int) -> Any:
    """Issue a link to the steps of a case that are left to a party."""
    return _issue(case_id, "")


@links.get("/report/<process_id>/links")
def to_start(process_id: str) -> Any:
    """The links that may still start a case of a procedure."""
    return _page(None, process_id)


@links.post("/report/<process_id>/links")
def issue_to_start(process_id: str) -> Any:
    """Issue a link that starts a case."""
    return _issue(None, process_id)


@links.post("/links/<id:link_id>/revoke")
def revoke(link_id: int) -> Response:
    """Let a link open nothing any more."""
    case_id = engine().outside.revoke(viewer(), link_id)
    flash("リンクを取り消しました。相手方は、このリンクからは何もできません。", "success")
    process_id = request.form.get("_process", "")
    if case_id is not None:
        return redirect(url_for("links.of_case", case_id=case_id), 303)
    return redirect(url_for("links.to_start", process_id=process_id) if process_id else url_for("report.choose"), 303)
