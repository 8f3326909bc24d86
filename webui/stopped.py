"""Stopped steps, for administrators: which automatic work of which case failed, why, and the button that tries it again."""

from __future__ import annotations

from typing import Any

from flask import Blueprint, abort, flash, redirect, render_template, request, url_for

from engine import ADMINISTRATOR, NotStopped, TadachiError, TriedMeanwhile
from webui.errors import status_of, text_of
from webui.incoming import engine, person, viewer

stopped = Blueprint("stopped", __name__)


def may_administer() -> bool:
    """Whether the page is offered; the engine decides again."""
    return viewer().has_role(ADMINISTRATOR)


def _page(problem: TadachiError | None = None) -> Any:
    rows = engine().stopped(viewer())
    return render_template("stopped.html", rows=rows, problem=text_of(problem) if problem else ""), status_of(problem) if problem else 200


@stopped.get("/stopped")
def show() -> Any:
    """Every stopped step of the viewer's office."""
    return _page()


@stopped.post("/stopped/retry")
def retry() -> Any:
    """Try one again now; the number of tries the page showed keeps a second click from being a second try."""
    job_id, attempts = request.form.get("id", type=int), request.form.get("attempts", type=int)
    if job_id is None or attempts is None:
        abort(400)
    try:
        with engine().work(by=person()) as work:
            goes_on = work.retry(job_id, attempts)
    except (NotStopped, TriedMeanwhile) as error:
        return _page(error)
    if goes_on:
        flash("もう一度実行し、案件は続きへ進みました。", "success")
    else:
        flash("もう一度実行しましたが、再び失敗しました。新しい理由を確かめてください。案件は元のままです。", "warning")
    return redirect(url_for("stopped.show"), 303)
