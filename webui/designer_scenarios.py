"""The scenarios of a procedure: all of them played, and what they reach of its elements, flows and clauses."""

from __future__ import annotations

from typing import Any

from flask import Blueprint, Response, abort, flash, jsonify, redirect, render_template, url_for

from engine import ClauseReached, Conflict, Coverage, DefinitionRefused, Invalid, ScenarioBroken
from webui.designer_play import unsound
from webui.incoming import engine, query_text, viewer

scenarios = Blueprint("scenarios", __name__)

BASE = "/designer/<any(versions, drafts):kind>/<id:number>/scenarios"
#: Elements in the words of who draws them; what is not named here is called as BPMN calls it.
KINDS = {
    "startEvent": "開始", "endEvent": "終了", "intermediateCatchEvent": "待ち", "intermediateThrowEvent": "送出", "boundaryEvent": "境界の出来事",
    "userTask": "人の処理", "manualTask": "人の処理", "receiveTask": "受信の処理", "sendTask": "知らせ", "serviceTask": "自動の処理",
    "businessRuleTask": "決定表", "subProcess": "中の手順", "eventSubProcess": "いつでも起きる手順", "callActivity": "呼び出す手順",
    "exclusiveGateway": "分岐", "parallelGateway": "並行", "inclusiveGateway": "包含分岐", "eventBasedGateway": "出来事による分岐", "task": "処理",
}  # fmt: skip


#: What the drawing marks: every element and flow, or the steps done under clauses.
BY = ("elements", "clauses")

scenarios.register_error_handler(DefinitionRefused, unsound)


@scenarios.get(BASE)
def show(kind: str, number: int) -> str:
    """What became of each scenario, and what they reach together."""
    found = engine().sandbox.scenarios(viewer(), kind, number)
    process = query_text("process") or found.coverage.process_id
    diagrams = {id: name for id, name, _ in found.coverage.diagrams}
    if process not in diagrams:
        abort(404)
    names = {(one.process, one.element): one.name or KINDS.get(one.kind, one.kind) for one in found.coverage.elements}
    return render_template(
        "designer/scenarios.html", found=found, reached=found.coverage, process=process, by=_by(), diagrams=diagrams, names=names,
        kinds=KINDS, ways={"kind": kind, "number": number},
    )  # fmt: skip


def _by() -> str:
    by = query_text("by") or BY[0]
    return by if by in BY else abort(404)


@scenarios.get(f"{BASE}/diagram.bpmn")
def diagram(kind: str, number: int) -> Response:
    """One diagram of the procedure."""
    with engine().sandbox.open(viewer(), kind, number) as room:
        return Response(room.file_of(query_text("process") or room.played.process_id), mimetype="application/xml")


@scenarios.get(f"{BASE}/diagram.json")
def state(kind: str, number: int) -> Response:
    """What scenarios reach in it."""
    found = engine().sandbox.scenarios(viewer(), kind, number)
    process = query_text("process") or found.coverage.process_id
    return jsonify(marks(found.coverage, process) if _by() == BY[0] else clause_marks(found.coverage, process))


def _mark(reached: bool, label: str) -> dict[str, Any]:
    return {"state": "reached" if reached else "missed", "label": label, "count": 0, "calls": None}


def marks(coverage: Coverage, process: str) -> dict[str, dict[str, Any]]:
    """Element id -> as the drawing marks it."""
    found: dict[str, dict[str, Any]] = {}
    for one in (*coverage.elements, *coverage.flows):
        if one.process == process and one.kind != "send_back":
            flow = one.kind == "sequenceFlow"
            found[one.element] = _mark(bool(one.times), "" if flow else f"{one.times}回" if one.times else "未到達")
    return found


def clause_marks(coverage: Coverage, process: str) -> dict[str, dict[str, Any]]:
    """Element id -> its clauses, those first that no scenario reaches; an element under no clause is left as it is drawn."""
    of: dict[str, list[ClauseReached]] = {}
    for clause in sorted(coverage.clauses, key=lambda one: one.reached):
        for home, element in clause.elements:
            if home == process:
                of.setdefault(element, []).append(clause)
    return {
        element: _mark(clauses[0].reached, clauses[0].citation.rpartition(" ")[2] + (f"ほか{len(clauses) - 1}" if clauses[1:] else ""))
        for element, clauses in of.items()
    }


# ---------------------------------------------------------------- one scenario


@scenarios.get(f"{BASE}/<name>.yaml")
def text(kind: str, number: int, name: str) -> Response:
    """A scenario as it is written."""
    return Response(engine().sandbox.scenario_text(viewer(), kind, number, f"{name}.yaml"), mimetype="text/plain")


@scenarios.post(f"{BASE}/<name>.yaml/follow")
def follow(kind: str, number: int, name: str) -> Any:
    """Open a scenario in the sandbox, in the place of the run that is there."""
    try:
        engine().sandbox.follow(viewer(), kind, number, f"{name}.yaml")
    except (Invalid, ScenarioBroken) as error:
        flash(error.text, "error")
        return redirect(url_for("scenarios.show", kind=kind, number=number), 303)
    return redirect(url_for("play.show", kind=kind, number=number), 303)


@scenarios.post("/designer/drafts/<id:number>/scenarios/<name>.yaml/remove")
def remove(number: int, name: str) -> Any:
    """Take a scenario away that lies beside a draft."""
    try:
        engine().sandbox.remove_scenario(viewer(), number, f"{name}.yaml")
        flash(f"シナリオ「{name}.yaml」を下書きから外しました。", "success")
    except Conflict as error:
        flash(error.text, "error")
    return redirect(url_for("scenarios.show", kind="drafts", number=number), 303)
