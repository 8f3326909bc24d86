"""The designer's pages: procedures and drafts, beginning one, the editor, decision tables, taking files out."""

from __future__ import annotations

from typing import Any

from flask import Blueprint, Response, abort, flash, make_response, redirect, render_template, request, url_for

from engine import Conflict, DefinitionRefused, DraftPage, Invalid, TadachiError
from webui.admin_forms import file_sent
from webui.designer_outline import outline_of
from webui.errors import status_of
from webui.incoming import engine, posted_text, viewer
from webui.rule_pages import has_page, rule_page, title_of
from webui.security import CSP

designer = Blueprint("designer", __name__)

#: The drawing places styles inside its own elements; nothing but styles is let in by it, and only on these pages.
EDITOR_CSP = CSP.replace("style-src 'self'", "style-src 'self' 'unsafe-inline'")
STATES = {"editing": "編集中", "review": "確認中", "approved": "承認済み", "discarded": "破棄済み"}


def may_design() -> bool:
    """Whether the menu offers the designer. The engine decides again."""
    return bool(engine().drafts.may_design(viewer()))


@designer.before_request
def require_designer() -> None:
    """Refuse a request of anybody else before anything of it is looked at."""
    engine().drafts.require_designer(viewer())


def _hub(problem: TadachiError | None = None, **typed: str) -> Any:
    desk, seen = engine().drafts, viewer()
    closed = request.args.get("closed") == "yes"
    page = render_template(
        "designer/hub.html",
        procedures=desk.procedures(seen),
        drafts=desk.all(seen, closed=closed),
        closed=closed,
        states=STATES,
        problem=problem,
        findings=getattr(problem, "findings", ()),
        typed=typed,
    )
    return page, status_of(problem) if problem else 200


@designer.get("/designer")
def show() -> Any:
    """Every procedure, and what is being drawn."""
    return _hub()


@designer.post("/designer/begin")
def begin() -> Any:
    """Begin a draft from a version in force, or from nothing."""
    process = posted_text("process") or None
    title, name = posted_text("title"), posted_text("name")
    try:
        made = engine().drafts.begin(viewer(), process, title, name=name)
    except Invalid as error:
        return _hub(error, title=title, name=name)
    return redirect(url_for("designer.edit", draft_id=made), 303)


@designer.post("/designer/import")
def take_in() -> Any:
    """Begin a draft from a file of any origin."""
    name, data = file_sent("file")
    try:
        made = engine().drafts.import_file(viewer(), name or "imported.bpmn", data)
    except (Invalid, DefinitionRefused) as error:
        return _hub(error)
    flash("取り込みました。動かないところは、指摘に出ています。", "success")
    return redirect(url_for("designer.edit", draft_id=made), 303)


# ---------------------------------------------------------------- one draft


def with_styles(page: str) -> Response:
    """A page on which the drawing may place its own styles."""
    response = make_response(page)
    response.headers["Content-Security-Policy"] = EDITOR_CSP
    return response


@designer.get("/designer/<id:draft_id>")
def edit(draft_id: int) -> Any:
    """The editor; without script, the outline and the files."""
    page = _held(draft_id)
    file = request.args.get("file") or main_file(page)
    if file not in page.files or not file.endswith(".bpmn"):
        abort(404)
    return with_styles(
        render_template(
            "designer/edit.html", page=page, draft=page.draft, file=file, states=STATES, outline=outline_of(page.files[file]),
            tables=[name for name in page.files if name.endswith(".dmn")],
            diagrams=[name for name in page.files if name.endswith(".bpmn")],
        )
    )  # fmt: skip


def _held(draft_id: int) -> DraftPage:
    """The draft, held by whoever opens it when nobody else does."""
    page = engine().drafts.show(viewer(), draft_id)
    if page.draft.state != "editing":
        return page
    try:
        return engine().drafts.hold(viewer(), draft_id)
    except Conflict:  # somebody was faster
        return engine().drafts.show(viewer(), draft_id)


def main_file(page: DraftPage) -> str:
    """The file with the draft's own process."""
    diagrams = [name for name in page.files if name.endswith(".bpmn")]
    wanted = f'id="{page.draft.process_id}"'
    own = [name for name in diagrams if wanted in page.files[name]]
    return next(iter(own or diagrams), "")


@designer.get("/designer/<id:draft_id>/files/<path:name>")
def file(draft_id: int, name: str) -> Response:
    """One file of a draft, as other tools read it."""
    page = engine().drafts.show(viewer(), draft_id)
    if name not in page.files:
        abort(404)
    plain = name.rpartition("/")[2]
    return Response(
        page.files[name], mimetype="application/xml", headers={"Content-Disposition": f'attachment; filename="{plain}"'}
    )  # fmt: skip


@designer.get("/designer/<id:draft_id>/tables/<path:name>")
def table(draft_id: int, name: str) -> Any:
    """The editor of decision tables."""
    page = _held(draft_id)
    if name not in page.files or not name.endswith(".dmn"):
        abort(404)
    return with_styles(render_template("designer/table.html", page=page, draft=page.draft, file=name, states=STATES))


@designer.post("/designer/<id:draft_id>/discard")
def discard(draft_id: int) -> Any:
    """Throw a draft away."""
    try:
        engine().drafts.discard(viewer(), draft_id)
    except Conflict as error:
        return _hub(error)
    flash("下書きを破棄しました。破棄した下書きは、一覧から写しを作れます。", "success")
    return redirect(url_for("designer.show"), 303)


@designer.post("/designer/<id:draft_id>/copy")
def copy(draft_id: int) -> Any:
    """Another draft with the same files."""
    made = engine().drafts.copy(viewer(), draft_id)
    return redirect(url_for("designer.edit", draft_id=made), 303)


@designer.post("/designer/<id:draft_id>/take")
def take(draft_id: int) -> Any:
    """Relieve somebody who has been silent."""
    try:
        engine().drafts.hold(viewer(), draft_id, take=True)
    except Conflict as error:
        flash(error.text, "warning")
    return redirect(url_for("designer.edit", draft_id=draft_id), 303)


@designer.post("/designer/<id:draft_id>/rename")
def rename(draft_id: int) -> Any:
    """Another name, another note."""
    try:
        engine().drafts.rename(viewer(), draft_id, posted_text("title"), posted_text("note"))
        flash("下書きの名前とメモを変えました。", "success")
    except (Invalid, Conflict) as error:
        flash(error.text, "error")
    return redirect(url_for("designer.edit", draft_id=draft_id), 303)


@designer.get("/designer/rules/<rule>")
def rule(rule: str) -> Any:
    """What a rule of the gate or the checker means, and how to put it right; alone where the editor shows it beside the drawing."""
    if not has_page(rule):
        abort(404)
    template = "designer/rule_bare.html" if request.args.get("bare") == "yes" else "designer/rule.html"
    return render_template(template, rule=rule, title=title_of(rule), page=rule_page(rule))
