"""What the designer's script asks of the server: saving, holding, findings, expressions, previews, proofs. JSON in, JSON out."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from flask import Blueprint, abort, jsonify, render_template, request

from engine import EXPRESSION_KINDS, DraftMoved, DraftPage, Examined, Finding, LockShown, ProofShown
from webui.designer import require_designer
from webui.formatting import moment
from webui.incoming import engine, viewer
from webui.rule_pages import has_page, title_of

designer_desk = Blueprint("designer_desk", __name__)
designer_desk.before_request(require_designer)

MOST_FIELDS = 300


def _sent() -> dict[str, Any]:
    """The object that was sent."""
    data = request.get_json(silent=True)
    if not isinstance(data, dict):
        abort(400)
    return data


def _whole(page: DraftPage, sent: object) -> dict[str, str]:
    """The draft's files with those laid over them that were sent; null takes one away."""
    if sent is None:
        return dict(page.files)
    if not isinstance(sent, Mapping) or not all(isinstance(text, str | None) for text in sent.values()):
        abort(400)
    return {name: text for name, text in {**page.files, **sent}.items() if text is not None}


def _process(data: Mapping[str, Any]) -> str | None:
    given = data.get("process")
    return given if isinstance(given, str) and given else None


# ---------------------------------------------------------------- files


@designer_desk.get("/designer/<id:draft_id>/files.json")
def files(draft_id: int) -> Any:
    """All files and where the draft stands."""
    page = engine().drafts.show(viewer(), draft_id)
    return jsonify(files=dict(page.files), **_standing(page))


def _standing(page: DraftPage) -> dict[str, Any]:
    draft = page.draft
    return {
        "revision": draft.revision,
        "process": draft.process_id,
        "title": draft.title,
        "saved_by": draft.saved_by_name,
        "saved_at": moment(draft.saved_at),
        "why_not": page.why_not,
        "lock": _lock(draft.lock),
    }


def _lock(lock: LockShown | None) -> dict[str, Any] | None:
    if lock is None:
        return None
    return {"name": lock.name, "since": moment(lock.since), "mine": lock.mine, "silent": lock.silent}


@designer_desk.post("/designer/<id:draft_id>/save.json")
def save(draft_id: int) -> Any:
    """Keep what was drawn; who was slower is told who saved, when, and what is there now."""
    data, desk = _sent(), engine().drafts
    page = desk.show(viewer(), draft_id)
    revision = data.get("revision")
    if not isinstance(revision, int) or isinstance(revision, bool):
        abort(400)
    try:
        made = desk.save(viewer(), draft_id, revision, _whole(page, data.get("files")), process_id=_process(data))
    except DraftMoved as error:
        now = desk.show(viewer(), draft_id)
        return jsonify(error=error.code, message=error.text, files=dict(now.files), **_standing(now)), 409
    return jsonify(revision=made, saved_at=moment(viewer().at))


@designer_desk.post("/designer/<id:draft_id>/copy.json")
def copy(draft_id: int) -> Any:
    """Keep what was drawn as another draft."""
    data, desk = _sent(), engine().drafts
    page = desk.show(viewer(), draft_id)
    title = data.get("title")
    made = desk.copy(viewer(), draft_id, title if isinstance(title, str) else "", _whole(page, data.get("files")))
    return jsonify(draft=made)


@designer_desk.post("/designer/<id:draft_id>/hold.json")
def hold(draft_id: int) -> Any:
    """Say that one is still there; tells who edits."""
    page = engine().drafts.hold(viewer(), draft_id)
    return jsonify(**_standing(page))


@designer_desk.post("/designer/<id:draft_id>/release.json")
def release(draft_id: int) -> Any:
    """Stop editing."""
    engine().drafts.release(viewer(), draft_id)
    return "", 204


# ---------------------------------------------------------------- findings


@designer_desk.get("/designer/<id:draft_id>/vocabulary.json")
def vocabulary(draft_id: int) -> Any:
    """What the office offers to name."""
    return jsonify(engine().drafts.vocabulary(viewer(), draft_id))


@designer_desk.post("/designer/<id:draft_id>/inspect.json")
def inspect(draft_id: int) -> Any:
    """What the gate and the office say of the files as they are on the screen."""
    data, desk = _sent(), engine().drafts
    page = desk.show(viewer(), draft_id)
    return jsonify(examined(desk.inspect(viewer(), draft_id, _whole(page, data.get("files")), process_id=_process(data))))


def examined(found: Examined) -> dict[str, Any]:
    """An examination as the script reads it."""
    return {
        "findings": [told(one) for one in found.findings],
        "facts": [
            {
                "name": one.name, "label": one.label, "type": one.type, "origin": one.origin, "place": one.place,
                "element": one.element, "file": one.file, "choices": list(one.choices),
            }
            for one in found.facts
        ],
        "processes": [{"id": id, "name": name, "file": file} for id, name, file in found.processes],
        "decisions": [{"id": id, "name": name, "file": file, "outputs": list(outputs)} for id, name, file, outputs in found.decisions],
        "called": dict(found.called),
        "seconds": round(found.seconds, 3),
    }  # fmt: skip


def told(finding: Finding) -> dict[str, Any]:
    """A finding as the script reads it; `element` is the bare id in its file."""
    return {
        "rule": finding.rule,
        "title": title_of(finding.rule),
        "page": has_page(finding.rule),
        "message": finding.message,
        "element": finding.element.rsplit("/", 1)[-1],
        "file": finding.file,
        "severity": finding.severity,
        "run": finding.run or None,
    }


@designer_desk.post("/designer/<id:draft_id>/expression.json")
def expression(draft_id: int) -> Any:
    """Whether an expression can stand where it is written, while it is typed."""
    data = _sent()
    text, kind, names = data.get("text"), data.get("kind"), data.get("names")
    if not isinstance(text, str) or kind not in EXPRESSION_KINDS:
        abort(400)
    known = [name for name in names if isinstance(name, str)][:3_000] if isinstance(names, list) else []
    wrong = engine().drafts.check_expression(viewer(), text[:5_000], kind, known)
    return jsonify(wrong=wrong and {"position": wrong[0], "message": wrong[1]})


@designer_desk.post("/designer/<id:draft_id>/form")
def form(draft_id: int) -> Any:
    """The form as the person will see it, drawn by the pages' own templates."""
    data = _sent()
    fields = data.get("fields")
    if not isinstance(fields, list) or len(fields) > MOST_FIELDS or not all(isinstance(one, dict) for one in fields):
        abort(400)
    shown = engine().drafts.form_preview(viewer(), fields)
    return render_template("designer/form.html", fields=shown, button=str(data.get("button") or "")[:100])


# ---------------------------------------------------------------- proofs


@designer_desk.post("/designer/<id:draft_id>/proof.json")
def prove(draft_id: int) -> Any:
    """Begin to prove the draft as it is saved."""
    made = engine().proofs.start(viewer(), draft_id)
    return jsonify(_proof(engine().proofs.poll(viewer(), made)))


@designer_desk.get("/designer/proofs/<id:proof_id>.json")
def proof(proof_id: int) -> Any:
    """How far a proof is."""
    return jsonify(_proof(engine().proofs.poll(viewer(), proof_id)))


@designer_desk.post("/designer/proofs/<id:proof_id>/cancel.json")
def cancel(proof_id: int) -> Any:
    """Stop a proof."""
    engine().proofs.cancel(viewer(), proof_id)
    return jsonify(_proof(engine().proofs.poll(viewer(), proof_id)))


def _proof(shown: ProofShown) -> dict[str, Any]:
    return {
        "id": shown.id, "state": shown.state, "revision": shown.revision, "finished": shown.finished, "states": shown.states,
        "seconds": round(shown.seconds, 1), "findings": [told(one) for one in shown.findings],
    }  # fmt: skip
