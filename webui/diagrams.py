"""The diagram of a case: its drawing for the script, where the case stands in it, and the same in text."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import Any
from xml.etree import ElementTree

from flask import Blueprint, Response, abort, jsonify, render_template

from webui.incoming import engine, query_text, viewer

diagrams = Blueprint("diagrams", __name__)

#: Marks of the text list beside the diagram.
MARKS = {"overdue": "期限超過", "current": "処理中", "done": "済"}
#: Elements that are steps to a reader; what the engine does by itself, gateways and flows are the drawing's own.
STEPS = frozenset({"task", "userTask", "manualTask", "receiveTask", "callActivity", "subProcess", "endEvent"})


@dataclass(frozen=True)
class Element:
    """A line of the diagram's equivalent in text. `mark` is one of MARKS or empty, `calls` the path of the diagram behind it."""

    name: str
    mark: str
    count: int
    calls: str | None


@lru_cache(maxsize=64)
def _steps_of(xml: str) -> tuple[tuple[str, str, bool], ...]:
    """(id, name, whether it is a step) of everything that has a name, in the order of the diagram. The gate has already refused unsafe XML."""
    found = []
    for node in ElementTree.fromstring(xml).iter():  # noqa: S314 - what was deployed has passed the gate's XML rules
        kind = node.tag.rpartition("}")[2]
        if node.get("id") and node.get("name") and kind != "sequenceFlow":
            found.append((node.attrib["id"], " ".join(node.attrib["name"].split()), kind in STEPS))
    return tuple(found)


def elements_of(case_id: int, path: str) -> tuple[Element, ...]:
    """Every step of a diagram with what the case did there: what the drawing says, for those who do not see it."""
    return elements(engine().diagram(viewer(), case_id, path), engine().diagram_state(viewer(), case_id, path))


def elements(xml: str, done: Mapping[str, Mapping[str, Any]]) -> tuple[Element, ...]:
    """Every step of a drawing with its state (as `Engine.diagram_state` tells it)."""
    rows = []
    for id, name, is_step in _steps_of(xml):
        entry = done.get(id)
        if is_step or (entry is not None and (entry.get("state") or entry.get("calls"))):
            now: Mapping[str, Any] = entry or {}
            rows.append(Element(name, MARKS.get(now.get("state", ""), ""), now.get("count", 0), now.get("calls")))
    return tuple(rows)


@diagrams.get("/cases/<id:case_id>/diagram")
def show(case_id: int) -> str:
    """One diagram of the case alone: large, printable, with its list of steps."""
    path = query_text("path") or ""
    page = engine().case(viewer(), case_id)
    name = dict(page.diagrams).get(path)
    if name is None:
        abort(404)
    elements = elements_of(case_id, path)
    return render_template("diagram.html", page=page, path=path, name=name, elements=elements)


@diagrams.get("/cases/<id:case_id>/diagram.bpmn")
def xml(case_id: int) -> Response:
    """The diagram of the case's own version."""
    return Response(engine().diagram(viewer(), case_id, query_text("path") or ""), mimetype="application/xml")


@diagrams.get("/cases/<id:case_id>/diagram.json")
def state(case_id: int) -> Response:
    """Where the case stands in that diagram."""
    return jsonify(engine().diagram_state(viewer(), case_id, query_text("path") or ""))
