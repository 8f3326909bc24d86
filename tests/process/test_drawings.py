"""Every shipped diagram and table is drawn whole: nothing without a place on the canvas, and nothing drawn that is no longer there."""

from __future__ import annotations

from pathlib import Path

import pytest
from lxml import etree

FOLDER = Path(__file__).resolve().parents[2] / "bpmn"
DRAWINGS = sorted(path.relative_to(FOLDER).as_posix() for pattern in ("*.bpmn", "*.dmn") for path in FOLDER.rglob(pattern))
#: Elements that have a shape or an edge of their own, by the end of their names.
NODES = ("Event", "Task", "Gateway")
OTHERS = ("task", "subProcess", "callActivity", "lane", "textAnnotation", "association", "sequenceFlow")
REQUIREMENTS = ("decision", "inputData", "informationRequirement", "knowledgeRequirement", "authorityRequirement")


def _local(element: etree._Element) -> str:
    return etree.QName(element).localname


def _parts(root: etree._Element) -> set[str]:
    """Ids of everything that belongs on the canvas."""
    return {
        str(element.get("id"))
        for element in root.iter(etree.Element)
        if element.get("id") and (_local(element).endswith(NODES) or _local(element) in (*OTHERS, *REQUIREMENTS))
    }


def _drawn(root: etree._Element) -> list[str]:
    """What shapes and edges stand for."""
    return [
        str(reference)
        for element in root.iter(etree.Element)
        if _local(element) in ("BPMNShape", "BPMNEdge", "DMNShape", "DMNEdge")
        and (reference := element.get("bpmnElement") or element.get("dmnElementRef"))
    ]


@pytest.mark.parametrize("file", DRAWINGS)
def test_a_diagram_shows_all_it_holds_and_nothing_else(file: str) -> None:
    """What is in the file but not drawn cannot be seen in an editor; what is drawn but gone keeps the editor from opening it."""
    root = etree.parse(FOLDER / file).getroot()
    parts, drawn = _parts(root), _drawn(root)
    ids = {str(element.get("id")) for element in root.iter(etree.Element) if element.get("id")}
    assert drawn, "nothing is drawn"
    assert len(drawn) == len(set(drawn)), "drawn twice"
    assert sorted(set(drawn) - ids) == []
    assert sorted(parts - set(drawn)) == []
