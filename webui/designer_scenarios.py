"""The scenarios of a procedure: all of them played, and what they reach of its elements, flows and clauses."""

from __future__ import annotations

from typing import Any

from flask import Blueprint, Response, abort, jsonify, render_template

from engine import Coverage, DefinitionRefused
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


scenarios.register_error_handler(DefinitionRefused, unsound)


@scenarios.get(BASE)
def show(kind: str, number: int) -> str:
    """What became of each scenario, and what they reach together."""
    found = engine().sandbox.scenarios(viewer(), kind, number)
    process = query_text("process") or found.coverage.process_id
    names = {id: name for id, name, _ in found.coverage.diagrams}
    if process not in names:
        abort(404)
    return render_template(
        "designer/scenarios.html", found=found, reached=found.coverage, process=process, names=names, kinds=KINDS, ways={"kind": kind, "number": number}
    )  # fmt: skip


@scenarios.get(f"{BASE}/diagram.bpmn")
def diagram(kind: str, number: int) -> Response:
    """One diagram of the procedure."""
    with engine().sandbox.open(viewer(), kind, number) as room:
        return Response(room.file_of(query_text("process") or room.played.process_id), mimetype="application/xml")


@scenarios.get(f"{BASE}/diagram.json")
def state(kind: str, number: int) -> Response:
    """What scenarios reach in it."""
    found = engine().sandbox.scenarios(viewer(), kind, number)
    return jsonify(marks(found.coverage, query_text("process") or found.coverage.process_id))


def marks(coverage: Coverage, process: str) -> dict[str, dict[str, Any]]:
    """Element id -> as the drawing marks it."""
    found: dict[str, dict[str, Any]] = {}
    for one in (*coverage.elements, *coverage.flows):
        if one.process == process and one.kind != "send_back":
            flow = one.kind == "sequenceFlow"
            label = "" if flow else f"{one.times}回" if one.times else "未到達"
            found[one.element] = {"state": "reached" if one.times else "missed", "label": label, "count": 0, "calls": None}
    return found
