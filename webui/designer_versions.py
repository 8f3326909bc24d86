"""Pages of versions: which there are, a draft's review, the date it comes into force, two versions side by side, who did what when."""

from __future__ import annotations

import io
import zipfile
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, time
from typing import Any

from flask import Blueprint, Response, abort, flash, redirect, render_template, url_for

from engine import (
    JST,
    Change,
    Comparison,
    Conflict,
    DefinitionRefused,
    FormInvalid,
    Invalid,
    NotAllowed,
    ProcessNotFound,
    SamePerson,
    ScenarioCompared,
    TadachiError,
    read_date,
)
from webui.errors import status_of
from webui.incoming import engine, posted_text, query_text, viewer

versions = Blueprint("designer_versions", __name__)

STATES = {"coming": "施行前", "in_force": "施行中", "past": "旧版", "cancelled": "取消し"}
VERDICTS = {"approved": "承認", "returned": "差戻し", "withdrawn": "依頼の取下げ", "": "確認中"}
HOW = {"added": "追加", "removed": "削除", "changed": "変更", "moved": "移動"}
DIFFERS = {"outcome": "結果が変わる", "way": "途中が変わる", "": "同じ", "late": "時間切れ"}
#: A list longer than this is cut on the page; the command has all of it.
MOST_CHANGES = 500


@versions.before_request
def require_sight() -> None:
    """Refuse a request of anybody who sees no versions before anything of it is looked at."""
    if not engine().versions.may_see(viewer()):
        raise NotAllowed()


# ---------------------------------------------------------------- changes, grouped for reading


@dataclass(frozen=True)
class ElementChanges:
    """All that changed of one element; `how` is what became of the element as a whole."""

    element: str
    name: str
    kind: str
    how: str
    rows: tuple[Change, ...]


@dataclass(frozen=True)
class DiagramChanges:
    """All that changed in one diagram or table."""

    process: str
    name: str
    elements: tuple[ElementChanges, ...]


def grouped(comparison: Comparison) -> tuple[DiagramChanges, ...]:
    """The changes by diagram and element, in the order of the diagram."""
    diagrams: dict[tuple[str, str], dict[tuple[str, str], list[Change]]] = {}
    for one in comparison.changes[:MOST_CHANGES]:
        home = one.process, one.process_name or one.process or "決定表"
        diagrams.setdefault(home, {}).setdefault((one.element, one.was), []).append(one)
    return tuple(
        DiagramChanges(process, name, tuple(_element(rows) for rows in elements.values())) for (process, name), elements in diagrams.items()
    )


def _element(rows: Iterable[Change]) -> ElementChanges:
    found = tuple(rows)
    first = found[0]
    whole = next((one.how for one in found if one.what in ("element", "diagram", "scenario")), "")
    how = whole or ("moved" if all(one.how == "moved" for one in found) else "changed")
    return ElementChanges(first.element or first.was, first.name, first.kind, how, found)


# ---------------------------------------------------------------- versions


@versions.get("/designer/versions/<process>")
def show(process: str) -> Any:
    """Every version of a procedure, and its record."""
    return _versions(process)


def _versions(process: str, problem: TadachiError | None = None, about: int | None = None) -> Any:
    desk, seen = engine().versions, viewer()
    rows = desk.all(seen, process)
    page = render_template(
        "designer/versions.html", process=process, rows=rows, states=STATES, events=desk.events(seen, process), problem=problem,
        about=about, designs=engine().drafts.may_design(seen),
    )  # fmt: skip
    return page, status_of(problem) if problem else 200


@versions.get("/designer/record")
def record() -> Any:
    """Who put what in force when, of every procedure."""
    return render_template("designer/record.html", events=engine().versions.events(viewer()))


@versions.post("/designer/versions/<id:definition_id>/cancel")
def cancel(definition_id: int) -> Any:
    """Call an approved version off before its day."""
    process = posted_text("process")
    try:
        engine().versions.cancel(viewer(), definition_id, posted_text("reason"))
    except (Invalid, Conflict) as error:
        return _versions(process, error, definition_id)
    flash("施行を取り消しました。下書きは編集中に戻りました。", "success")
    return redirect(url_for("designer_versions.show", process=process), 303)


@versions.get("/designer/versions/<id:definition_id>/files.zip")
def files(definition_id: int) -> Response:
    """All files of a version, to be kept or put into the office's folder."""
    held = engine().versions.files(viewer(), definition_id)
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, data in sorted(held.items()):
            archive.writestr(zipfile.ZipInfo(name), data, zipfile.ZIP_DEFLATED)
    return Response(
        packed.getvalue(),
        mimetype="application/zip",
        headers={"Content-Disposition": f'attachment; filename="version-{definition_id}.zip"'},
    )


# ---------------------------------------------------------------- review


@versions.get("/designer/<id:draft_id>/review")
def review(draft_id: int) -> Any:
    """A draft as its reviewer sees it; as its author sees it, with what is asked for."""
    return _review(draft_id)


def _review(draft_id: int, problem: TadachiError | None = None, **typed: str) -> Any:
    page = engine().versions.review(viewer(), draft_id)
    body = render_template(
        "designer/review.html", page=page, draft=page.draft, groups=grouped(page.comparison), how=HOW, verdicts=VERDICTS,
        problem=problem, findings=getattr(problem, "findings", ()), errors=getattr(problem, "fields", {}), typed=typed,
        errors_found=[one for one in page.findings if one.severity == "error"], most=MOST_CHANGES,
    )  # fmt: skip
    return body, status_of(problem) if problem else 200


@versions.post("/designer/<id:draft_id>/review/ask")
def ask(draft_id: int) -> Any:
    """Lay a draft before a second person."""
    said = posted_text("request")
    try:
        engine().versions.ask(viewer(), draft_id, _number("revision"), said)
    except (Invalid, Conflict, DefinitionRefused) as error:
        return _review(draft_id, error, request=said)
    flash("確認を依頼しました。すべての進み方の検査を始めています。", "success")
    return redirect(url_for("designer_versions.review", draft_id=draft_id), 303)


@versions.post("/designer/<id:draft_id>/review/withdraw")
def withdraw(draft_id: int) -> Any:
    """Take it back to draw on."""
    try:
        engine().versions.withdraw(viewer(), draft_id)
    except Conflict as error:
        return _review(draft_id, error)
    flash("確認の依頼を取り下げました。続きを描けます。", "success")
    return redirect(url_for("designer_versions.review", draft_id=draft_id), 303)


@versions.post("/designer/<id:draft_id>/review/return")
def send_back(draft_id: int) -> Any:
    """Give it back with a reason."""
    why = posted_text("reason")
    try:
        engine().versions.send_back(viewer(), draft_id, why)
    except (Invalid, Conflict, SamePerson) as error:
        return _review(draft_id, error, reason=why)
    flash("下書きを差し戻しました。", "success")
    return redirect(url_for("designer_versions.review", draft_id=draft_id), 303)


@versions.post("/designer/<id:draft_id>/review/approve")
def approve(draft_id: int) -> Any:
    """Approve it, for now or for a day."""
    typed = {name: posted_text(name) for name in ("when", "day", "time", "comment")}
    try:
        since = _instant(typed)
        replaces = _number("replaces") if posted_text("replaces") else None
        made = engine().versions.approve(
            viewer(), draft_id, _number("revision"), replaces, in_force_from=since, comment=typed["comment"]
        )  # fmt: skip
    except (Invalid, Conflict, DefinitionRefused, SamePerson) as error:
        return _review(draft_id, error, **typed)
    flash(f"第{made.number}版を承認しました。" + ("施行しました。" if since is None else "指定した日時に施行されます。"), "success")
    return redirect(url_for("designer_versions.show", process=made.process_id), 303)


def _number(name: str) -> int:
    text = posted_text(name)
    if not (text.isascii() and text.isdigit()) or len(text) > 15:
        abort(400)
    return int(text)


def _instant(typed: dict[str, str]) -> datetime | None:
    """The instant that was chosen; None = at once. Raises FormInvalid."""
    if typed["when"] == "now":
        return None
    errors = {}
    found = None
    if typed["when"] != "day":
        errors["when"] = "いつ施行するかを選んでください。"
    else:
        try:
            found = read_date(typed["day"])
        except ValueError:
            errors["day"] = "施行日を入力してください。2027-04-01、令和9年4月1日のように書きます。"
    try:
        clock = time.fromisoformat(typed["time"] or "00:00")
    except ValueError:
        errors["time"] = "時刻は 09:00 のように入力してください。"
    if errors or found is None:
        raise FormInvalid(errors)
    return datetime.combine(found, clock.replace(tzinfo=None), JST)


# ---------------------------------------------------------------- compare


@versions.get("/designer/compare")
def compare() -> Any:
    """Two versions, or a draft and a version, side by side and as a list."""
    before, after = query_text("from") or "", query_text("to") or ""
    page = engine().versions.compare(viewer(), before, after)
    wanted = query_text("diagram")
    changed = [pair for pair in page.diagrams if pair.changes]
    shown = next((pair for pair in page.diagrams if pair.process == wanted), None) or next(iter(changed or page.diagrams), None)
    marks = {"before": {}, "after": {}}
    if shown is not None:
        for name in marks:
            found = page.comparison.marks(shown.process, before=name == "before")
            marks[name] = {element: {"state": state} for element, state in found.items()}
    try:
        others = engine().versions.all(viewer(), page.after.process_id)
    except ProcessNotFound:
        others = ()
    return render_template(
        "designer/compare.html", page=page, shown=shown, marks=marks, groups=grouped(page.comparison), how=HOW, others=others,
        states=STATES, most=MOST_CHANGES,
    )  # fmt: skip


@versions.get("/designer/compare/scenarios")
def scenarios() -> Any:
    """The office's scenarios played on both; it takes its time."""
    before, after = query_text("from") or "", query_text("to") or ""
    desk, seen = engine().versions, viewer()
    problem: TadachiError | None = None
    rows: tuple[ScenarioCompared, ...] = ()
    try:
        rows = desk.scenarios(seen, before, after)
    except (Conflict, DefinitionRefused) as error:
        problem = error
    page = render_template(
        "designer/compare_scenarios.html",
        before=desk.side(seen, before),
        after=desk.side(seen, after),
        rows=rows,
        problem=problem,
        words=DIFFERS,
    )
    return page, status_of(problem) if problem else 200


@versions.get("/designer/compare/<ref>/<path:name>")
def drawing(ref: str, name: str) -> Response:
    """One file of a version or draft, for the drawing."""
    held = engine().versions.side(viewer(), ref).files
    if name not in held:
        abort(404)
    return Response(held[name], mimetype="application/xml")
