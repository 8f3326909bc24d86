"""Starting a case: the form, its draft, and the confirmation with the number and what happens next."""

from __future__ import annotations

import secrets
from typing import Any

from flask import Blueprint, redirect, render_template, request, url_for
from werkzeug.wrappers import Response

from engine import Conflict, DiagramFault, FormInvalid, Invalid, NotAllowed
from webui.errors import status_of, text_of
from webui.incoming import Answers, chosen_seat, engine, person, posted_answers, sent_files, viewer
from webui.tasks import drop_draft, keep_draft

report = Blueprint("report", __name__)


@report.get("/report")
def choose() -> Any:
    """Straight to the form of what is reported 直ちに, or of the only procedure there is; else, and with `all`, the choice."""
    chosen = None if "all" in request.args else engine().urgent_start(viewer())
    if chosen is not None:
        return redirect(url_for("report.form", process_id=chosen), 303)
    return render_template("report_choose.html", startable=engine().startable(viewer()))


def _form(
    process_id: str,
    *,
    status: int = 200,
    answers: Answers | None = None,
    errors: dict[str, str] | None = None,
    problem: str = "",
    add_rows: str = "",
) -> Any:
    form = engine().start_form(viewer(), process_id, answers=answers, errors=errors)
    once = request.form.get("_once") or secrets.token_urlsafe(16)
    several = len(engine().startable(viewer())) > 1
    page = render_template(
        "report.html", form=form, errors=errors or {}, problem=problem, add_rows=add_rows, seat=chosen_seat(), once=once, several=several
    )
    return page, status


@report.get("/report/<process_id>")
def form(process_id: str) -> Any:
    """The form that starts a case, with the draft the viewer left."""
    return _form(process_id)


@report.post("/report/<process_id>")
def start(process_id: str) -> Any:
    """Start the case."""
    answers = posted_answers()
    if request.form.get("_add"):
        return _form(process_id, answers=answers, add_rows=request.form["_add"])
    files = sent_files()
    try:
        with engine().work(by=person(), seat=chosen_seat()) as work:
            case_id = work.start(process_id, answers, once=request.form.get("_once") or None)
            for file in files:
                work.attach(case_id, file.name, file.data)
    except (Invalid, NotAllowed, Conflict, DiagramFault) as error:
        fields = error.fields if isinstance(error, FormInvalid) else {}
        return _form(process_id, status=status_of(error), answers=answers, errors=fields, problem="" if fields else text_of(error))
    return redirect(url_for("report.started", case_id=case_id), 303)


@report.post("/report/<process_id>/draft")
def save_draft(process_id: str) -> Any:
    """Keep what was typed."""
    return keep_draft(f"start:{process_id}", url_for("report.form", process_id=process_id))


@report.post("/report/<process_id>/draft/discard")
def discard_draft(process_id: str) -> Response:
    """Throw the draft away."""
    return drop_draft(f"start:{process_id}", url_for("report.form", process_id=process_id))


@report.get("/cases/<id:case_id>/started")
def started(case_id: int) -> str:
    """The confirmation: the number, who has it now, what happens next."""
    return render_template("started.html", page=engine().case(viewer(), case_id))
