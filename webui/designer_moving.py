"""Pages that move running cases to another version: a preview to choose from, the plan that another person approves, what became of each case."""

from __future__ import annotations

from typing import Any

from flask import Blueprint, abort, flash, redirect, render_template, request, url_for

from engine import (
    MOVE_WORDS,
    Conflict,
    Invalid,
    MovingPage,
    NotAllowed,
    Place,
    SamePerson,
    TadachiError,
    VersionShown,
    read_place,
    written_place,
)
from webui.designer_versions import STATES as VERSION_STATES
from webui.errors import status_of
from webui.incoming import engine, posted_text, query_text, viewer

moving = Blueprint("moving", __name__)

PLAN_STATES = {"proposed": "承認待ち", "approved": "承認済み", "refused": "認められなかった", "withdrawn": "取下げ"}
CASE_STATES = {"planned": "これから", "moved": "移した", "failed": "移せなかった", "undone": "戻した"}
#: The fields that say where an element goes on begin so.
PLACE = "place."


@moving.before_request
def require_sight() -> None:
    """Refuse a request of anybody who sees no versions before anything of it is looked at."""
    if not engine().versions.may_see(viewer()):
        raise NotAllowed()


# ---------------------------------------------------------------- preview


@moving.get("/designer/moving/<process>")
def show(process: str) -> Any:
    """The plans of a procedure, and what moving the cases of one version to another would mean."""
    rows = engine().versions.all(viewer(), process)
    source, target = (_chosen(rows, query_text(name)) for name in ("from", "to"))
    target = target or next((one for one in rows if one.state == "in_force"), None)
    source = source or next((one for one in rows if one.running and one is not target), None)
    return _show(process, rows, source, target, _places(request.args))


def _show(
    process: str,
    rows: tuple[VersionShown, ...],
    source: VersionShown | None,
    target: VersionShown | None,
    places: dict[str, Place],
    problem: TadachiError | None = None,
    note: str = "",
) -> Any:
    desk, seen, page = engine().moving, viewer(), None
    designs = engine().drafts.may_design(seen)
    if designs and source is not None and target is not None:
        try:
            page = desk.preview(seen, source.id, target.id, places)
        except Invalid as error:
            problem = problem or error
    body = render_template(
        "designer/moving.html", process=process, rows=rows, states=VERSION_STATES, source=source, target=target, page=page,
        plans=desk.plans(seen, process), plan_states=PLAN_STATES, how=MOVE_WORDS, problem=problem, note=note, places=places,
        options=_options(page), said={id: written_place(place) for id, place in places.items()},
    )  # fmt: skip
    return body, status_of(problem) if problem else 200


def _options(page: MovingPage | None) -> dict[str, list[tuple[str, list[tuple[str, str]]]]]:
    """Element -> what may be chosen for it, in groups: (heading, (value, words))."""
    found = {}
    for one in page.asked if page is not None else ():
        groups = [
            ("同じものとして続ける", [(written_place(Place(id)), name) for id, name in one.same]),
            ("閉じて、ここから始める", [(written_place(Place(id, anew=True)), name) for id, name in one.anew]),
            ("なくす", [(written_place(Place("")), "枝ごとなくす（ほかに進むものがあるとき）")]),
        ]
        found[one.id] = [group for group in groups if group[1]]
    return found


def _chosen(rows: tuple[VersionShown, ...], text: str | None) -> VersionShown | None:
    return next((one for one in rows if str(one.id) == text), None)


def _places(given: Any) -> dict[str, Place]:
    """Where elements go on, as the form says it; what says nothing is left out."""
    found = {}
    for name, text in given.items():
        if name.startswith(PLACE) and text:
            try:
                found[name.removeprefix(PLACE)] = read_place(text)
            except ValueError:
                abort(400)
    return found


@moving.post("/designer/moving/<process>")
def propose(process: str) -> Any:
    """Lay the cases that were chosen before a second person."""
    rows = engine().versions.all(viewer(), process)
    source, target = (_chosen(rows, posted_text(name)) for name in ("from", "to"))
    if source is None or target is None:
        abort(400)
    places, note = _places(request.form), posted_text("note")
    try:
        plan = engine().moving.propose(viewer(), source.id, target.id, _cases(), places, note)
    except Invalid as error:
        return _show(process, rows, source, target, places, error, note)
    flash("計画を提案しました。ほかの人が承認すると、案件が移ります。", "success")
    return redirect(url_for("moving.plan", plan_id=plan), 303)


def _cases() -> dict[int, str]:
    """The cases chosen, each with the digest of what was seen of it."""
    found = {}
    for text in request.form.getlist("case"):
        id, _, digest = text.partition(":")
        if not (id.isascii() and id.isdigit()) or len(id) > 15:
            abort(400)
        found[int(id)] = digest
    return found


# ---------------------------------------------------------------- a plan


@moving.get("/designer/moving/plans/<id:plan_id>")
def plan(plan_id: int) -> Any:
    """What a plan means for each of its cases now; afterwards, what became of each."""
    return _plan(plan_id)


def _plan(plan_id: int, problem: TadachiError | None = None, **typed: str) -> Any:
    page = engine().moving.plan(viewer(), plan_id)
    body = render_template(
        "designer/moving_plan.html", page=page, plan=page.plan, plan_states=PLAN_STATES, case_states=CASE_STATES, how=MOVE_WORDS,
        problem=problem, typed=typed,
    )  # fmt: skip
    return body, status_of(problem) if problem else 200


@moving.post("/designer/moving/plans/<id:plan_id>/approve")
def approve(plan_id: int) -> Any:
    """Approve it and move its cases."""
    said = posted_text("comment")
    try:
        page = engine().moving.approve(viewer(), plan_id, said)
    except (Invalid, Conflict, SamePerson) as error:
        return _plan(plan_id, error, comment=said)
    return _done(plan_id, page.plan.moved, page.plan.failed)


@moving.post("/designer/moving/plans/<id:plan_id>/carry-on")
def carry_on(plan_id: int) -> Any:
    """Move what an interruption has left."""
    try:
        page = engine().moving.carry_on(viewer(), plan_id)
    except Conflict as error:
        return _plan(plan_id, error)
    return _done(plan_id, page.plan.moved, page.plan.failed)


def _done(plan_id: int, moved: int, failed: int) -> Any:
    flash(
        f"{moved}件を移しました。" + (f"移せなかったもの{failed}件は、元のままです。" if failed else ""), "warning" if failed else "success"
    )
    return redirect(url_for("moving.plan", plan_id=plan_id), 303)


@moving.post("/designer/moving/plans/<id:plan_id>/refuse")
def refuse(plan_id: int) -> Any:
    """Turn it down with a reason."""
    why = posted_text("reason")
    try:
        engine().moving.refuse(viewer(), plan_id, why)
    except (Invalid, Conflict, SamePerson) as error:
        return _plan(plan_id, error, reason=why)
    flash("計画を認めませんでした。案件は元のままです。", "success")
    return redirect(url_for("moving.plan", plan_id=plan_id), 303)


@moving.post("/designer/moving/plans/<id:plan_id>/withdraw")
def withdraw(plan_id: int) -> Any:
    """Take it back."""
    try:
        engine().moving.withdraw(viewer(), plan_id)
    except Conflict as error:
        return _plan(plan_id, error)
    flash("計画を取り下げました。", "success")
    return redirect(url_for("moving.plan", plan_id=plan_id), 303)


@moving.post("/designer/moving/plans/<id:plan_id>/undo/<id:case_id>")
def undo(plan_id: int, case_id: int) -> Any:
    """Put one case back as it was."""
    try:
        engine().moving.undo(viewer(), plan_id, case_id)
    except Conflict as error:
        return _plan(plan_id, error)
    flash("案件を元の版に戻しました。", "success")
    return redirect(url_for("moving.plan", plan_id=plan_id), 303)
