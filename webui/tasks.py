"""The page of one task, and everything that can be done with it."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from flask import Blueprint, abort, flash, jsonify, redirect, render_template, request, url_for
from werkzeug.wrappers import Response

from engine import Conflict, DiagramFault, FormInvalid, Invalid, NotAllowed, NotFound, StaleVersion, TadachiError, TaskPage, parse_instant
from webui.errors import status_of, text_of
from webui.incoming import (
    THEN,
    Answers,
    chosen_seat,
    engine,
    person,
    posted_answers,
    posted_case,
    posted_everything,
    posted_following,
    posted_text,
    posted_version,
    sent_files,
    viewer,
)

#: Why a hop of a report comes late; the engine names its errors so.
LATE = "_late_reason"

tasks = Blueprint("tasks", __name__, url_prefix="/tasks/<id:task_id>")


def _page(
    task_id: int,
    *,
    status: int = 200,
    answers: Answers | None = None,
    errors: dict[str, str] | None = None,
    problem: str = "",
    foreseen: Any = None,
    typed: dict[str, str] | None = None,
    opened: str = "",
    add_rows: str = "",
) -> tuple[str, int]:
    """The task's page; with `answers` it shows again what was typed."""
    page, wrong = _beside(engine().task(viewer(), task_id, answers=answers, errors=errors), errors or {})
    return (
        render_template(
            "task.html",
            page=page,
            then=_chosen(page, task_id, answers),
            errors=wrong,
            problem=problem,
            refused=status == 403,
            foreseen=foreseen,
            typed=typed or {},
            opened=opened,
            add_rows=add_rows,
            seat=chosen_seat() if request.method == "POST" else None,
        ),
        status,
    )


def _beside(page: TaskPage, errors: dict[str, str]) -> tuple[TaskPage, dict[str, str]]:
    """The page with the fields of the step after named as they are posted, and what is wrong by those names.

    A field that both steps have is asked once, at the step at hand, and what is wrong with it is said there.
    """
    if not page.following:
        return page, errors
    following = tuple(
        replace(after, fields=tuple(replace(item, id=f"{THEN}.{after.node}.{item.id}") for item in after.fields))
        for after in page.following
    )
    theirs = {item.id for after in following for item in after.fields}
    wrong = {}
    for name, text in errors.items():
        node = next((after.node for after in following if name.startswith(f"{after.node}.")), None)
        if f"{THEN}.{name}" in theirs:
            wrong[f"{THEN}.{name}"] = text
        else:
            wrong[name if node is None else name[len(node) + 1 :]] = text
    fields = tuple(replace(item, error=item.error or wrong.get(item.id, "")) for item in page.fields)
    return replace(page, fields=fields, following=following), wrong


def _chosen(page: TaskPage, task_id: int, answers: Answers | None) -> list[str]:
    """Which of the steps after are to be done together with this one, until the person says otherwise: one that alone comes next.

    What opens beside other steps is no continuation of this one, and has its own time.
    """
    if answers is None and page.following and page.draft_saved_at:
        answers = engine().load_draft(viewer(), f"task:{task_id}")[0]
    chosen = (answers or {}).get(THEN)
    if chosen is not None:
        return [after.node for after in page.following if after.node in chosen]
    opened = [{one.node for one in button.consequences if one.node or one.ends} for button in page.buttons]
    return [after.node for after in page.following if {after.node} in opened]


def _again(
    task_id: int, error: TadachiError, *, answers: Answers | None = None, typed: dict[str, str] | None = None, opened: str = ""
) -> Any:
    """The page once more after a refusal, with everything typed; when the task is gone, the page that says who was faster."""
    status = status_of(error)
    if isinstance(error, Conflict) and not isinstance(error, StaleVersion):
        return _someone_was_faster(task_id, error, answers or {}, typed or {})
    fields = error.fields if isinstance(error, FormInvalid) else {}
    return _page(
        task_id, status=status, answers=answers, errors=fields, problem="" if fields else text_of(error), typed=typed, opened=opened
    )


def _someone_was_faster(task_id: int, error: Conflict, answers: Answers, typed: dict[str, str]) -> tuple[str, int]:
    page = engine().task(viewer(), task_id, answers=answers)
    words = {field.id: (field.label, field.text) for field in page.fields}
    typed_there = {name: value for name, value in answers.items() if value and name != THEN}
    lines = [words.get(name, (name, value if isinstance(value, str) else "、".join(value))) for name, value in typed_there.items()]
    lines += [("理由", typed[name]) for name in ("_reason", "_pull_up") if typed.get(name)]
    return render_template("conflict.html", page=page, task_id=task_id, text=error.text, lines=lines), status_of(error)


@tasks.get("")
def show(task_id: int) -> Any:
    """The task's page; looking at it marks it read."""
    return _page(task_id)


@tasks.post("")
def complete(task_id: int) -> Any:
    """Complete the task with the answers and the button pressed."""
    answers, following = posted_answers(), posted_following()
    if request.form.get("_add"):
        return _page(task_id, answers=posted_everything(), add_rows=request.form["_add"])
    version, case_id, files = posted_version(), posted_case(), sent_files()
    chosen = {node: following[node] for node in request.form.getlist(THEN) if node in following}
    try:
        with engine().work(by=person(), seat=chosen_seat()) as work:
            late = posted_text(LATE)
            more = {**({"following": chosen} if chosen else {}), **({"late_reason": late} if late else {})}
            if case_id is not None:  # before the step is done: what is sent with a decision lay before who decided
                for file in files:
                    work.attach(case_id, file.name, file.data, task_id=task_id)
            work.complete(task_id, answers, version=version, **more)
    except (Invalid, NotAllowed, Conflict, DiagramFault) as error:
        return _again(task_id, error, answers=posted_everything(), typed={LATE: posted_text(LATE)})
    return _done("処理を完了しました。次に進んだ先は、下の「いま誰のところにあるか」で確かめられます。", case_id)


def _done(text: str, case_id: int | None) -> Response:
    flash(text, "success")
    return redirect(url_for("cases.show", case_id=case_id) if case_id else url_for("inbox.show"), 303)


@tasks.post("/later")
def later(task_id: int) -> Any:
    """Put the task off until a day, or (an empty one) let it come back at once."""
    text = posted_text("_until")
    try:
        until = parse_instant(f"{text} 08:30" if len(text) <= 10 else text) if text else None
    except ValueError:
        return _again(
            task_id,
            FormInvalid({"_until": "「いつまで」には日付を入力してください（例：2026-11-25）。"}),
            opened="later",
            typed={"_until": text},
        )
    try:
        engine().snooze(viewer(), task_id, until)
    except (Invalid, NotFound) as error:
        return _again(task_id, error, opened="later", typed={"_until": text})
    flash("後で見ることにしました。その日の朝、受信箱に戻ります。" if until else "受信箱に戻しました。", "success")
    return redirect(url_for("inbox.show"), 303)


@tasks.post("/preview")
def preview(task_id: int) -> Any:
    """What would happen with the answers as they stand; nothing is stored."""
    answers = posted_answers()
    try:
        foreseen = engine().preview(viewer(), task_id, answers)
    except (Invalid, NotAllowed, Conflict, DiagramFault) as error:
        if "HX-Request" in request.headers:
            return render_template("part_foreseen.html", foreseen=None, problem=text_of(error)), 200  # htmx swaps only successful answers
        return _again(task_id, error, answers=posted_everything())
    if "HX-Request" in request.headers:
        return render_template("part_foreseen.html", foreseen=foreseen, problem="")
    return _page(task_id, answers=posted_everything(), foreseen=foreseen)


@tasks.post("/draft")
def save_draft(task_id: int) -> Any:
    """Keep what was typed for the same person; nothing reaches the case."""
    return keep_draft(f"task:{task_id}", url_for("tasks.show", task_id=task_id))


@tasks.post("/draft/discard")
def discard_draft(task_id: int) -> Response:
    """Throw the draft away."""
    return drop_draft(f"task:{task_id}", url_for("tasks.show", task_id=task_id))


def keep_draft(about: str, back: str) -> Any:
    """Save the posted answers as the viewer's draft and answer as the caller asked: a page again, or JSON for the autosave."""
    engine().save_draft(viewer(), about, posted_everything())
    if "text/html" not in request.headers.get("Accept", ""):  # the autosave of the pages' script
        return jsonify(saved_at=viewer().at.isoformat())
    flash("下書きを保存しました。まだ提出されていません。", "info")
    return redirect(back, 303)


def drop_draft(about: str, back: str) -> Response:
    """Delete the viewer's draft."""
    engine().save_draft(viewer(), about, {})
    flash("下書きを破棄しました。", "info")
    return redirect(back, 303)


@tasks.post("/attachments")
def attach(task_id: int) -> Any:
    """Attach the chosen files from the task's form; what was typed there is kept as a draft."""
    answers, case_id, files = posted_everything(), posted_case(), sent_files()
    if case_id is None:
        abort(400)
    try:
        if not files:
            raise FormInvalid({"_files": "添付するファイルを選んでください。"})
        with engine().work(by=person(), seat=chosen_seat()) as work:
            for file in files:
                work.attach(case_id, file.name, file.data, task_id=task_id)
        if any(value for name, value in answers.items() if name != THEN):
            engine().save_draft(viewer(), f"task:{task_id}", answers)
    except (Invalid, NotAllowed, Conflict, DiagramFault) as error:
        return _again(task_id, error, answers=answers)
    flash(f"{len(files)}件のファイルを添付しました。", "success")
    return redirect(url_for("tasks.show", task_id=task_id, _anchor="attachments"), 303)


@tasks.post("/claim")
def claim(task_id: int) -> Any:
    """引き受ける: others of the seat see who is on it."""
    try:
        with engine().work(by=person(), seat=chosen_seat()) as work:
            work.claim(task_id)
    except (NotAllowed, Conflict) as error:
        return _again(task_id, error)
    flash("引き受けました。同じ役のほかの方には「引受中」と表示されます。", "success")
    return redirect(url_for("tasks.show", task_id=task_id), 303)


@tasks.post("/release")
def release(task_id: int) -> Any:
    """引き受けを戻す."""
    try:
        with engine().work(by=person(), seat=chosen_seat()) as work:
            work.release(task_id)
    except (NotAllowed, Conflict) as error:
        return _again(task_id, error)
    flash("引き受けを戻しました。", "success")
    return redirect(url_for("tasks.show", task_id=task_id), 303)


@tasks.post("/send-back")
def send_back(task_id: int) -> Any:
    """差し戻す: with a reason, to one of the steps the diagram allows."""
    reason, target, case_id = posted_text("_reason"), request.form.get("_to", ""), posted_case()
    try:
        if not target:
            raise FormInvalid({"_to": "差戻し先を選んでください。"})
        with engine().work(by=person(), seat=chosen_seat()) as work:
            work.send_back(task_id, reason, to=target)
    except (Invalid, NotAllowed, Conflict, DiagramFault) as error:
        return _again(task_id, error, typed={"_reason": reason, "_to": target}, opened="send-back")
    return _done("差し戻しました。理由は相手の画面と履歴に表示されます。", case_id)


@tasks.post("/pull-up")
def pull_up(task_id: int) -> Any:
    """引上げ: go on without the reviewer, who reads it afterwards."""
    reason, case_id = posted_text("_pull_up"), posted_case()
    try:
        with engine().work(by=person()) as work:
            work.pull_up(task_id, reason)
    except (Invalid, NotAllowed, Conflict, DiagramFault) as error:
        return _again(task_id, error, typed={"_pull_up": reason}, opened="pull-up")
    return _done("引き上げました。確認を待たずに先へ進み、担当の役には後閲として届きます。", case_id)


@tasks.get("/why")
def why(task_id: int) -> str:
    """Why the step is somebody's, and why it is not the viewer's."""
    return render_template("why.html", why=engine().why(viewer(), task_id))
