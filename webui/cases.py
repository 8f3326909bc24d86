"""A case: its page, what can be done to it at any time, its files and papers."""

from __future__ import annotations

import io
import re
from collections.abc import Callable
from typing import Any

from flask import Blueprint, flash, jsonify, redirect, render_template, request, send_file, url_for
from werkzeug.wrappers import Response

from engine import Conflict, DiagramFault, FormInvalid, Invalid, NotAllowed, NotFound, Paper
from webui.diagrams import elements_of
from webui.errors import status_of, text_of
from webui.formatting import safe_name
from webui.incoming import Answers, chosen_seat, engine, person, posted_answers, posted_text, sent_files, viewer

cases = Blueprint("cases", __name__)


# ---------------------------------------------------------------- the case


@cases.get("/cases/<id:case_id>")
def show(case_id: int) -> str:
    """Everything the viewer may see of the case."""
    page = engine().case(viewer(), case_id)
    elements = elements_of(case_id, "") if page.diagrams else ()
    links = engine().outside.of_case(viewer(), case_id).links if page.by_link else ()
    told, entries = engine().told(viewer(), case_id), engine().ledgers.of_case(viewer(), case_id)
    return render_template("case.html", page=page, elements=elements, told=told, links=links, entries=entries)


@cases.get("/cases/<id:case_id>/what-if")
def what_if(case_id: int) -> str:
    """Who will be told what and when, if nobody acts from now on."""
    days = min(max(request.args.get("days", 30, type=int), 1), 365)
    told = engine().if_nobody_acts(viewer(), case_id, days)
    return render_template("what_if.html", head=engine().case(viewer(), case_id).head, told=told, days=days)


# ---------------------------------------------------------------- acts


def _action(
    case_id: int,
    name: str,
    *,
    status: int = 200,
    answers: Answers | None = None,
    errors: dict[str, str] | None = None,
    problem: str = "",
    add: str = "",
) -> Any:
    action = engine().action(viewer(), case_id, name, answers=answers, errors=errors)
    page = engine().case(viewer(), case_id)
    return render_template(
        "action.html", action=action, page=page, errors=errors or {}, problem=problem, add_rows=add, seat=chosen_seat()
    ), status


@cases.get("/cases/<id:case_id>/actions/<name>")
def action(case_id: int, name: str) -> Any:
    """The form of one action."""
    return _action(case_id, name)


@cases.post("/cases/<id:case_id>/actions/<name>")
def act(case_id: int, name: str) -> Any:
    """Do the action."""
    answers = posted_answers()
    if request.form.get("_add"):
        return _action(case_id, name, answers=answers, add=request.form["_add"])
    try:
        with engine().work(by=person(), seat=chosen_seat()) as work:
            work.act(case_id, name, answers)
    except (Invalid, DiagramFault) as error:
        fields = error.fields if isinstance(error, FormInvalid) else {}
        return _action(case_id, name, status=status_of(error), answers=answers, errors=fields, problem="" if fields else text_of(error))
    return _back(case_id, "操作を記録しました。")


def _back(case_id: int, text: str, anchor: str | None = None) -> Response:
    flash(text, "success")
    return redirect(url_for("cases.show", case_id=case_id, _anchor=anchor), 303)


def _simple(case_id: int, template: str, do: Callable[[Any], object], done: str, **typed: str) -> Any:
    """One act with a small form of its own: do it, or show the form again with what was typed."""
    try:
        with engine().work(by=person(), seat=chosen_seat()) as work:
            do(work)
    except (Invalid, NotAllowed, Conflict, DiagramFault) as error:
        fields = error.fields if isinstance(error, FormInvalid) else {}
        page = engine().case(viewer(), case_id)
        return render_template(
            template, page=page, problem="" if fields else text_of(error), errors=fields, typed=typed, seat=chosen_seat()
        ), status_of(error)
    return _back(case_id, done)


@cases.get("/cases/<id:case_id>/notes")
def note_form(case_id: int) -> str:
    """The form for a note."""
    return render_template("case_note.html", page=engine().case(viewer(), case_id), problem="", errors={}, typed={})


@cases.post("/cases/<id:case_id>/notes")
def note(case_id: int) -> Any:
    """Add a note to the timeline."""
    text = posted_text("_text")

    def do(work: Any) -> None:
        if not text:
            raise FormInvalid({"_text": "メモの内容を入力してください。"})
        work.note(case_id, text)

    return _simple(case_id, "case_note.html", do, "メモを経過に追加しました。", _text=text)


@cases.get("/cases/<id:case_id>/withdraw")
def withdraw_form(case_id: int) -> str:
    """The form for withdrawing."""
    return render_template("case_withdraw.html", page=engine().case(viewer(), case_id), problem="", errors={}, typed={})


@cases.post("/cases/<id:case_id>/withdraw")
def withdraw(case_id: int) -> Any:
    """取り下げる."""
    reason = posted_text("_reason")
    return _simple(case_id, "case_withdraw.html", lambda work: work.withdraw(case_id, reason), "案件を取り下げました。", _reason=reason)


@cases.get("/cases/<id:case_id>/merge")
def merge_form(case_id: int) -> str:
    """The form for merging a duplicate."""
    return render_template("case_merge.html", page=engine().case(viewer(), case_id), problem="", errors={}, typed={})


@cases.post("/cases/<id:case_id>/merge")
def merge(case_id: int) -> Any:
    """統合する: this case goes on in the other."""
    number, reason = posted_text("_number"), posted_text("_reason")

    def do(work: Any) -> None:
        if not number:
            raise FormInvalid({"_number": "統合先の案件番号を入力してください。"})
        try:
            other = engine().find_case(viewer(), number)
        except NotFound:
            raise FormInvalid({"_number": "その番号の案件は、閲覧できる案件の中に見つかりません。"}) from None
        work.merge(case_id, into=other.id, reason=reason)

    return _simple(case_id, "case_merge.html", do, "案件を統合しました。", _number=number, _reason=reason)


# ---------------------------------------------------------------- files


@cases.get("/cases/<id:case_id>/attachments")
def attach_form(case_id: int) -> str:
    """The form for files."""
    return render_template("case_attach.html", page=engine().case(viewer(), case_id), problem="", errors={}, typed={})


@cases.post("/cases/<id:case_id>/attachments")
def attach(case_id: int) -> Any:
    """Attach the chosen files."""
    files = sent_files()

    def do(work: Any) -> None:
        if not files:
            raise FormInvalid({"_files": "添付するファイルを選んでください。"})
        for file in files:
            work.attach(case_id, file.name, file.data)

    return _simple(case_id, "case_attach.html", do, f"{len(files)}件のファイルを添付しました。")


@cases.get("/attachments/<id:attachment_id>")
def attachment(attachment_id: int) -> Response:
    """A file, always as a download: nothing that was uploaded is ever shown as a page of this site."""
    shown, data = engine().attachment(viewer(), attachment_id)
    media_type = shown.media_type if re.fullmatch(r"[\w.+-]+/[\w.+-]+", shown.media_type) else "application/octet-stream"
    answer = send_file(io.BytesIO(data), mimetype=media_type, as_attachment=True, download_name=safe_name(shown.name))
    answer.headers["Content-Security-Policy"] = "sandbox; default-src 'none'"
    return answer


# ---------------------------------------------------------------- papers


#: The paper of a decision has an address of its own.
DECISION = {"paper_id": "decision"}


def _paper(case_id: int, paper_id: str) -> Paper:
    return engine().paper(viewer(), case_id, paper_id, index=request.args.get("index", type=int))


@cases.get("/cases/<id:case_id>/papers/<paper_id>")
@cases.get("/cases/<id:case_id>/decision", defaults=DECISION)
def paper(case_id: int, paper_id: str) -> str:
    """The paper as a page, which prints as it looks."""
    made = _paper(case_id, paper_id)
    return render_template("paper.html", paper=made, case_id=case_id, paper_id=paper_id, index=request.args.get("index", type=int))


@cases.get("/cases/<id:case_id>/papers/<paper_id>.pdf")
@cases.get("/cases/<id:case_id>/decision.pdf", defaults=DECISION)
def paper_pdf(case_id: int, paper_id: str) -> Response:
    """The paper as PDF."""
    from webui.pdf import render_pdf  # drawing is imported only where it is asked for

    made = _paper(case_id, paper_id)
    index = request.args.get("index", type=int)
    name = safe_name(f"{made.number or case_id}_{made.title}{'' if index is None else f'_{index + 1}'}.pdf")  # never a person's name
    return send_file(io.BytesIO(render_pdf(made)), mimetype="application/pdf", as_attachment=True, download_name=name)


@cases.get("/cases/<id:case_id>/papers/<paper_id>.json")
@cases.get("/cases/<id:case_id>/decision.json", defaults=DECISION)
def paper_json(case_id: int, paper_id: str) -> Response:
    """The paper as data."""
    return jsonify(_paper(case_id, paper_id).as_json())
