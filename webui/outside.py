"""The pages of an outside party (相手方): a one-time link, its own thread, the forms left to it; and nothing of the office's pages."""

from __future__ import annotations

import io
from typing import Any

from flask import Blueprint, current_app, flash, redirect, render_template, request, send_file, url_for
from flask_wtf.csrf import CSRFError, validate_csrf
from werkzeug.wrappers import Response
from wtforms import ValidationError

from engine import AttachmentRefused, FormInvalid, Invalid, LinkNotUsable, NotAccepted, OutsideForm, StaleVersion, TadachiError
from webui.errors import status_of
from webui.formatting import safe_name
from webui.incoming import Answers, engine, posted_answers, sent_files
from webui.security import SAFE_METHODS

PREFIX = "/c"
COOKIE = "tadachi-c"

outside = Blueprint("outside", __name__, url_prefix=PREFIX)


@outside.before_request
def _require_token() -> None:
    """The same token as on every other page. Flask-WTF's own check would ask for a Referer too, which these pages tell browsers not to send."""
    if request.method not in SAFE_METHODS:
        try:
            validate_csrf(request.form.get("csrf_token"))
        except ValidationError as error:
            raise CSRFError(str(error)) from None


# ---------------------------------------------------------------- the cookie: for these pages alone


def _cookie() -> str:
    return f"__Secure-{COOKIE}" if current_app.config["SESSION_COOKIE_SECURE"] else COOKIE


def _session() -> str:
    return request.cookies.get(_cookie(), "")


def _give(answer: Response, session: str) -> Response:
    secure = bool(current_app.config["SESSION_COOKIE_SECURE"])
    answer.set_cookie(_cookie(), session, path=PREFIX, httponly=True, samesite="Lax", secure=secure)
    return answer


# ---------------------------------------------------------------- the address


@outside.get("/<token>")
def welcome(token: str) -> Any:
    """What the link is for, and a button: looking uses nothing up. Whoever has exchanged it in this browser is led on."""
    if engine().outside.leads_to(_session(), token):
        return redirect(url_for("outside.thread"), 303)
    return render_template("outside/welcome.html", welcome=engine().outside.welcome(token), token=token)


@outside.post("/<token>")
def enter(token: str) -> Response:
    """Exchange the link, once, for a session of its own."""
    return _give(redirect(url_for("outside.thread"), 303), engine().outside.enter(token))


# ---------------------------------------------------------------- the thread


@outside.get("/")
def thread() -> Any:
    """The party's thread; as long as nothing was sent, the form it begins with."""
    found = engine().outside.thread(_session())
    return redirect(url_for("outside.start"), 303) if found.may_start else render_template("outside/thread.html", thread=found)


@outside.get("/received")
def received() -> Any:
    """What was just sent, with the number, to keep a copy of."""
    found = engine().outside.thread(_session())
    own = [form for form in found.sent if form.by_party]
    return render_template("outside/received.html", thread=found, form=own[0]) if own else redirect(url_for("outside.thread"), 303)


@outside.get("/files/<id:attachment_id>")
def file(attachment_id: int) -> Response:
    """A file that the party has sent itself, always as a download."""
    shown, data = engine().outside.file(_session(), attachment_id)
    answer = send_file(io.BytesIO(data), mimetype=shown.media_type, as_attachment=True, download_name=safe_name(shown.name))
    answer.headers["Content-Security-Policy"] = "sandbox; default-src 'none'"
    return answer


@outside.get("/papers/<paper_id>")
def paper(paper_id: str) -> str:
    """A paper of the office's that is for the party."""
    desk = engine().outside
    return render_template("outside/paper.html", paper=desk.paper(_session(), paper_id), thread=desk.thread(_session()))


@outside.get("/papers/<paper_id>.pdf")
def paper_pdf(paper_id: str) -> Response:
    """The same as PDF."""
    from webui.pdf import render_pdf  # drawing is imported only where it is asked for

    made = engine().outside.paper(_session(), paper_id)
    name = safe_name(f"{made.number}_{made.title}.pdf")
    return send_file(io.BytesIO(render_pdf(made)), mimetype="application/pdf", as_attachment=True, download_name=name)


@outside.post("/end")
def end() -> Any:
    """End the session in the table, not only in the browser."""
    engine().outside.leave(_session())
    answer = current_app.make_response(render_template("outside/ended.html"))
    answer.delete_cookie(_cookie(), path=PREFIX)
    return answer


# ---------------------------------------------------------------- forms


def _page(form: OutsideForm, *, status: int = 200, errors: dict[str, str] | None = None, problem: str = "", add_rows: str = "") -> Any:
    page = render_template(
        "outside/form.html", form=form, thread=engine().outside.thread(_session()), errors=errors or {}, problem=problem, add_rows=add_rows
    )
    return page, status


def _form(task_id: int | None, answers: Answers | None = None, errors: dict[str, str] | None = None) -> OutsideForm:
    desk = engine().outside
    if task_id is None:
        return desk.start_form(_session(), answers=answers, errors=errors)
    return desk.form(_session(), task_id, answers=answers, errors=errors)


def _send(task_id: int | None) -> Any:
    """Send a form; refused, it comes back with everything that was typed, even when the session is over."""
    answers = posted_answers()
    try:
        if request.form.get("_add"):
            return _page(_form(task_id, answers), add_rows=request.form["_add"])
        files = [(sent.name, sent.data) for sent in sent_files()]
        if task_id is None:
            engine().outside.start(_session(), answers, files)
        else:
            engine().outside.complete(_session(), task_id, answers, request.form.get("_version", type=int), files)
    except LinkNotUsable as error:
        typed = [value if isinstance(value, str) else "、".join(value) for value in answers.values()]
        return render_template("outside/lost.html", text=error.text, typed=[text for text in typed if text]), status_of(error)
    except (Invalid, StaleVersion, NotAccepted) as error:
        return _again(task_id, answers, error)
    flash("送信しました。", "success")
    return redirect(url_for("outside.received"), 303)


def _again(task_id: int | None, answers: Answers, error: TadachiError) -> Any:
    fields = error.fields if isinstance(error, FormInvalid) else {"_files": error.text} if isinstance(error, AttachmentRefused) else {}
    form = _form(task_id, answers, fields)
    return _page(form, status=status_of(error), errors=fields, problem="" if fields else error.text)


@outside.get("/start")
def start() -> Any:
    """The form that starts the case."""
    return _page(_form(None))


@outside.post("/start")
def send_start() -> Any:
    """Start the case."""
    return _send(None)


@outside.get("/tasks/<id:task_id>")
def task(task_id: int) -> Any:
    """The form of a step that is left to the party."""
    return _page(_form(task_id))


@outside.post("/tasks/<id:task_id>")
def send_task(task_id: int) -> Any:
    """Complete the step."""
    return _send(task_id)
