"""The designer's sandbox: a version or a draft played by one person as any seat, with the clock in his hand."""

from __future__ import annotations

import io
from collections.abc import Callable
from typing import Any

from flask import Blueprint, Response, abort, flash, jsonify, redirect, render_template, request, send_file, url_for

from engine import Conflict, DefinitionRefused, DiagramFault, FormInvalid, Invalid, NotAllowed, PlayMoved, TadachiError, parse_instant
from webui.diagrams import elements
from webui.errors import status_of, text_of
from webui.formatting import safe_name
from webui.incoming import Answers, engine, posted_answers, posted_text, query_text, viewer

play = Blueprint("play", __name__)

BASE = "/designer/<any(versions, drafts):kind>/<id:number>/play"
#: The steps of time that have a button; the engine reads any ISO 8601 period.
PERIODS = (("PT1H", "1時間"), ("P1D", "1日"), ("P7D", "1週間"))
LATE = "_late_reason"
Do = Callable[[Any], None]


@play.get("/designer/play")
def index() -> str:
    """The procedures in force, each to be played."""
    return render_template("designer/play_index.html", procedures=engine().sandbox.procedures(viewer()))


def _page(
    room: Any,
    *,
    status: int = 200,
    seat: str | None = None,
    task_id: int | None = None,
    action: str | None = None,
    answers: Answers | None = None,
    error: TadachiError | None = None,
    typed: dict[str, str] | None = None,
    opened: str = "",
) -> tuple[str, int]:
    fields = error.fields if isinstance(error, FormInvalid) else {}
    path = request.values.get("path", "") or posted_text("_path")
    page = room.page(seat=seat, task_id=task_id, action=action, path=path, answers=answers, errors=fields)
    return (
        render_template(
            "designer/play.html",
            page=page,
            errors=fields,
            problem=text_of(error) if error is not None and not fields else "",
            typed=typed or {},
            opened=opened,
            add_rows=request.form.get("_add", ""),
            periods=PERIODS,
            elements=elements(room.diagram(page.path), page.state),
            ways={"kind": page.played.kind, "number": page.played.number},
        ),
        status,
    )


@play.errorhandler(DefinitionRefused)
def unsound(error: DefinitionRefused) -> tuple[str, int]:
    """A draft that cannot run is not played; what is wrong with it is said instead."""
    return render_template("designer/play_refused.html", findings=error.findings, number=(request.view_args or {}).get("number")), 422


@play.get(BASE)
def show(kind: str, number: int) -> Any:
    """The run as it stands."""
    with engine().sandbox.open(viewer(), kind, number) as room:
        return _page(room, seat=query_text("as"), task_id=request.args.get("task", type=int), action=query_text("action"))


def _act(kind: str, number: int, do: Do, *, answers: Answers | None = None, typed: dict[str, str] | None = None, opened: str = "") -> Any:
    """Do something in the run; what is refused is said on the page, with all that was typed."""
    seat, task_id, action = posted_text("_as") or None, request.form.get("_task", type=int), posted_text("_name") or None
    try:
        with engine().sandbox.open(viewer(), kind, number, length=request.form.get("_length", type=int)) as room:
            if request.form.get("_add"):
                return _page(room, seat=seat, task_id=task_id, action=action, answers=answers)
            try:
                do(room)
            except (Invalid, NotAllowed, Conflict, DiagramFault) as error:
                return _page(
                    room, status=status_of(error), seat=seat, task_id=task_id, action=action, answers=answers, error=error, typed=typed, opened=opened
                )  # fmt: skip
    except PlayMoved as error:
        flash(error.text, "warning")
    return redirect(url_for("play.show", kind=kind, number=number, path=posted_text("_path") or None), 303)


def _seat() -> str:
    return posted_text("_as") or abort(400)


@play.post(f"{BASE}/start")
def start(kind: str, number: int) -> Any:
    """Begin the case."""
    answers, seat = posted_answers(), _seat()
    return _act(kind, number, lambda room: room.start(seat, answers), answers=answers)


@play.post(f"{BASE}/complete")
def complete(kind: str, number: int) -> Any:
    """Complete a step."""
    answers, seat, late = posted_answers(), _seat(), posted_text(LATE)
    task_id = request.form.get("_task", type=int) or abort(400)
    return _act(kind, number, lambda room: room.complete(seat, task_id, answers, late), answers=answers, typed={LATE: late})


@play.post(f"{BASE}/send-back")
def send_back(kind: str, number: int) -> Any:
    """Return a step."""
    seat, to, reason = _seat(), posted_text("_to"), posted_text("_reason")
    task_id = request.form.get("_task", type=int) or abort(400)
    typed = {"_to": to, "_reason": reason}
    return _act(kind, number, lambda room: room.send_back(seat, task_id, to, reason), typed=typed, opened="send-back")


@play.post(f"{BASE}/act")
def act(kind: str, number: int) -> Any:
    """Do an action of the case."""
    answers, seat, name = posted_answers(), _seat(), posted_text("_name")
    return _act(kind, number, lambda room: room.act(seat, name, answers), answers=answers)


@play.post(f"{BASE}/time")
def time(kind: str, number: int) -> Any:
    """Move the clock: by a period, until an instant, or until something happens by itself."""
    by, text = posted_text("_pass"), posted_text("_until")
    if by == "next":
        return _act(kind, number, lambda room: room.until_next())
    if by == "until":
        try:
            instant = parse_instant(text if len(text) > 10 else f"{text} 09:00")
        except ValueError:
            wrong = FormInvalid({"_until": "「進める先の日時」を入力してください（例：2026-11-25 09:00）。"})
            return _act(kind, number, _refuse(wrong), typed={"_until": text})
        return _act(kind, number, lambda room: room.until(instant), typed={"_until": text})
    return _act(kind, number, lambda room: room.passes(by))


def _refuse(error: TadachiError) -> Do:
    def refuse(_room: Any) -> None:
        raise error

    return refuse


@play.post(f"{BASE}/timer")
def timer(kind: str, number: int) -> Any:
    """Let a timer happen at its instant."""
    node = posted_text("_timer")
    return _act(kind, number, lambda room: room.fire(node))


@play.post(f"{BASE}/undo")
def undo(kind: str, number: int) -> Any:
    """Take the last act back."""
    return _act(kind, number, lambda room: room.undo())


@play.post(f"{BASE}/again")
def again(kind: str, number: int) -> Any:
    """Begin anew, at another instant perhaps."""
    text = posted_text("_starts")
    try:
        starts = parse_instant(text if len(text) > 10 else f"{text} 09:00") if text else None
    except ValueError:
        return _act(kind, number, _refuse(FormInvalid({"_starts": "「始める日時」を入力してください（例：2026-11-25 09:00）。"})))
    return _act(kind, number, lambda room: room.again(starts))


# ---------------------------------------------------------------- the picture, and the run as a file


@play.get(f"{BASE}/diagram.bpmn")
def diagram(kind: str, number: int) -> Response:
    """The diagram, or one that it calls."""
    with engine().sandbox.open(viewer(), kind, number) as room:
        return Response(room.diagram(query_text("path") or ""), mimetype="application/xml")


@play.get(f"{BASE}/diagram.json")
def state(kind: str, number: int) -> Response:
    """Where the run stands in it."""
    with engine().sandbox.open(viewer(), kind, number) as room:
        return jsonify(room.page(path=query_text("path") or "").state)


@play.get(f"{BASE}/scenario.yaml")
def scenario(kind: str, number: int) -> Response:
    """The run as a scenario, to be laid beside the diagram."""
    title = query_text("title") or "試行"
    with engine().sandbox.open(viewer(), kind, number) as room:
        text = room.scenario(title)
    name = safe_name(f"{title}.yaml")
    return send_file(io.BytesIO(text.encode()), mimetype="application/yaml", as_attachment=True, download_name=name)


@play.post("/designer/drafts/<id:number>/play/save")
def save(number: int) -> Any:
    """Lay the run beside the draft's diagrams as a scenario."""
    try:
        name = engine().sandbox.save_scenario(viewer(), number, posted_text("_title") or "試行")
        flash(f"シナリオ「{name}」を下書きに保存しました。", "success")
    except (Invalid, Conflict) as error:
        flash(error.text, "error")
    return redirect(url_for("play.show", kind="drafts", number=number, path=posted_text("_path") or None), 303)
