"""Lays out a BPMN file that has no places yet, so that it opens in a modeller: `python -m tests.engine.conformance.layout FILE…`.

Columns follow the flows, one row for each branch, sub-processes drawn open around what is in them. Enough for small test diagrams.
"""

from __future__ import annotations

import sys
from dataclasses import dataclass, field
from itertools import pairwise
from pathlib import Path
from typing import Any

from lxml import etree

BPMN = "http://www.omg.org/spec/BPMN/20100524/MODEL"
BPMNDI = "http://www.omg.org/spec/BPMN/20100524/DI"
DC = "http://www.omg.org/spec/DD/20100524/DC"
DI = "http://www.omg.org/spec/DD/20100524/DI"

EVENTS = ("startEvent", "endEvent", "intermediateCatchEvent", "intermediateThrowEvent", "boundaryEvent", "implicitThrowEvent")
SCOPES = ("subProcess", "transaction", "adHocSubProcess")
ABOVE = ("textAnnotation", "dataObjectReference", "dataStoreReference")
GAP, PAD, ROW = 90, 30, 60

Box = tuple[float, float, float, float]


def tag_of(element: Any) -> str:
    return str(etree.QName(element).localname) if isinstance(element.tag, str) else ""


def is_node(element: Any) -> bool:
    """What is drawn and may have flows."""
    tag = tag_of(element)
    return tag.endswith(("Task", "Gateway", "callActivity")) or tag == "task" or tag in EVENTS or tag in SCOPES


@dataclass
class Drawing:
    """Boxes and lines by element id, with their corner at (0, 0)."""

    boxes: dict[str, Box] = field(default_factory=dict)
    lines: dict[str, list[tuple[float, float]]] = field(default_factory=dict)
    width: float = 0
    height: float = 0


def arrange(container: Any) -> Drawing:
    """One process or sub-process with everything in it."""
    nodes = {child.get("id"): child for child in container if is_node(child)}
    inner = {name: arrange(node) for name, node in nodes.items() if tag_of(node) in SCOPES}
    size = {name: _size(node, inner.get(name)) for name, node in nodes.items()}
    hosts = {name: node.get("attachedToRef") for name, node in nodes.items() if node.get("attachedToRef") in nodes}
    flows = [child for child in container if tag_of(child) == "sequenceFlow"]
    ways: dict[str, list[str]] = {name: [] for name in nodes}
    for flow in flows:
        if flow.get("sourceRef") in nodes and flow.get("targetRef") in nodes:
            ways[flow.get("sourceRef")].append(flow.get("targetRef"))
    cells = _cells(nodes, ways, hosts)
    lanes = [
        [reference.text for reference in lane.iter(f"{{{BPMN}}}flowNodeRef")]
        for lane in container.iter(f"{{{BPMN}}}lane")
        if lane.getparent().getparent() is container
    ]
    for number, names in enumerate(lanes):
        cells = {name: (column, number * 10 + row) if name in names else (column, row) for name, (column, row) in cells.items()}
    rows = sorted({row for _, row in cells.values()})
    columns = range(1 + max((column for column, _ in cells.values()), default=0))
    extras = [child for child in container if tag_of(child) in ABOVE]
    top = 90.0 if extras else 0.0
    alone = {name for name, node in nodes.items() if node.get("triggeredByEvent") == "true"}
    x_of, y_of, at = {}, {}, float(GAP // 2)
    for column in columns:
        widest = max((size[name][0] for name, cell in cells.items() if cell[0] == column and name not in alone), default=0)
        x_of[column] = (at, widest)
        at += widest + GAP
    drawing = Drawing(width=max([at - GAP // 2, *(size[name][0] + GAP for name in alone)]))
    at = top + PAD
    for row in rows:
        tallest = max(size[name][1] for name, cell in cells.items() if cell[1] == row)
        y_of[row] = (at, tallest)
        at += tallest + ROW
    drawing.height = at - ROW + PAD + 20
    for name, (column, row) in cells.items():
        wide, tall = size[name]
        x = float(GAP // 2) if name in alone else x_of[column][0] + (x_of[column][1] - wide) / 2
        drawing.boxes[name] = (x, y_of[row][0] + (y_of[row][1] - tall) / 2, wide, tall)
    for host in dict.fromkeys(hosts.values()):
        x, y, wide, tall = drawing.boxes[host]
        attached = [name for name in hosts if hosts[name] == host]
        for place, name in enumerate(attached):
            share = 0.08 + 0.84 * place / (len(attached) - 1) if len(attached) > 1 else 0.5
            drawing.boxes[name] = (x + wide * share - 18, y + tall - 18, 36, 36)
    for name, within in inner.items():
        x, y, _, _ = drawing.boxes[name]
        drawing.boxes |= {key: (x + box[0], y + box[1], box[2], box[3]) for key, box in within.boxes.items()}
        drawing.lines |= {key: [(x + px, y + py) for px, py in line] for key, line in within.lines.items()}
    _extras(container, extras, drawing)
    lane_under = drawing.height - 20
    for flow in flows:
        source, target = flow.get("sourceRef"), flow.get("targetRef")
        if source in nodes and target in nodes:
            back = _route(flow.get("id"), source, target, drawing, list(nodes), hosts, lane_under)
            if back:
                lane_under += 18
                drawing.height += 18
    _group(container, drawing)
    return drawing


def _size(node: Any, within: Drawing | None) -> tuple[float, float]:
    if within is not None:
        return within.width, within.height
    tag = tag_of(node)
    return (36, 36) if tag in EVENTS else (50, 50) if tag.endswith("Gateway") else (120, 80)


def _cells(nodes: dict[str, Any], ways: dict[str, list[str]], hosts: dict[str, str]) -> dict[str, tuple[int, int]]:
    """Column and row: as far right as the longest way without going back, a further row for each further branch."""
    after = {name: [*targets] for name, targets in ways.items() if name not in hosts}
    for name, host in hosts.items():
        after[host] = [*after[host], *ways[name]]
    forward: dict[str, list[str]] = {name: [] for name in after}
    state: dict[str, int] = {}
    order: list[str] = []

    def walk(name: str) -> None:
        state[name] = 1
        for target in after[name]:
            if state.get(target) != 1:
                forward[name].append(target)
                if target not in state:
                    walk(target)
        state[name] = 2
        order.append(name)

    arriving = {target for targets in after.values() for target in targets}
    # What begins first comes first: the order is turned round below. What only a circle reaches is walked last.
    for name in [*reversed([name for name in after if name not in arriving]), *after]:
        if name not in state:
            walk(name)
    order.reverse()
    column = dict.fromkeys(order, 0)
    for name in order:
        for target in forward[name]:
            column[target] = max(column[target], column[name] + 1)
    cells: dict[str, tuple[int, int]] = {}
    spans: dict[int, list[tuple[int, int]]] = {}

    def place(name: str, row: int, since: int) -> None:
        """In the first free row from this one; a flow's own way there is kept free too."""
        while any(low <= column[name] and since <= high for low, high in spans.get(row, [])):
            row += 1
        spans.setdefault(row, []).append((since, column[name]))
        cells[name] = (column[name], row)
        low = row
        for target in [target for target in forward[name] if target in ways[name]] + [
            target for target in forward[name] if target not in ways[name]
        ]:
            if target not in cells and all(other in cells for other in forward if target in forward[other]):
                place(target, row if target in ways[name] else low + 1, column[name] + 1)

    for name in order:
        if name not in cells:
            place(name, 0 if not cells else max(row for _, row in cells.values()) + 1, 0)
    return cells


def _route(name: str, source: str, target: str, drawing: Drawing, nodes: list[str], hosts: dict[str, str], lane: float) -> bool:
    """The line of one flow; whether it went round below everything."""
    sx, sy, sw, sh = drawing.boxes[source]
    tx, ty, tw, th = drawing.boxes[target]
    middle, aim = sy + sh / 2, ty + th / 2
    options: list[list[tuple[float, float]]] = []
    if source in hosts:
        options.append([(sx + sw / 2, sy + sh), (sx + sw / 2, aim), (tx, aim)])
        options.append([(sx + sw / 2, sy + sh), (sx + sw / 2, sy + sh + 22), (tx - 25, sy + sh + 22), (tx - 25, aim), (tx, aim)])
    elif tx > sx + sw:
        if abs(middle - aim) < 1:
            options.append([(sx + sw, middle), (tx, aim)])
            options.append([(sx + sw / 2, sy), (sx + sw / 2, sy - 25), (tx + tw / 2, sy - 25), (tx + tw / 2, ty)])
        else:
            options.append([(sx + sw, middle), (sx + sw + 15, middle), (sx + sw + 15, aim), (tx, aim)])
            options.append([(sx + sw, middle), (tx - 30, middle), (tx - 30, aim), (tx, aim)])
    taken = list(drawing.lines.values())
    for line in options:
        free = not any(_crosses(line, drawing.boxes[other]) for other in nodes if other not in (source, target, hosts.get(source)))
        if free and line not in taken:
            drawing.lines[name] = line
            return False
    drawing.lines[name] = [(sx + sw / 2, sy + sh), (sx + sw / 2, lane), (tx + tw / 2, lane), (tx + tw / 2, ty + th)]
    if any(_crosses(drawing.lines[name], drawing.boxes[other]) for other in nodes if other not in (source, target, *hosts)):
        drawing.lines[name] = [
            (sx + sw, middle), (sx + sw + 15, middle), (sx + sw + 15, lane), (tx - 15, lane), (tx - 15, aim), (tx, aim)
        ]  # fmt: skip
    return True


def _crosses(line: list[tuple[float, float]], box: Box) -> bool:
    x, y, wide, tall = box
    return any(
        max(ax, bx) > x and min(ax, bx) < x + wide and max(ay, by) > y and min(ay, by) < y + tall for (ax, ay), (bx, by) in pairwise(line)
    )


def _extras(container: Any, extras: list[Any], drawing: Drawing) -> None:
    """Annotations and data above, each joined to what it is about."""
    links = [child for child in container if tag_of(child) == "association"]
    at = float(GAP // 2)
    for extra in extras:
        name = extra.get("id")
        about = [link for link in links if name in (link.get("sourceRef"), link.get("targetRef"))]
        wide, tall = (150, 40) if tag_of(extra) == "textAnnotation" else (40, 50)
        other = next((link.get("targetRef") if link.get("sourceRef") == name else link.get("sourceRef") for link in about), None)
        x = max(at, drawing.boxes[other][0]) if other in drawing.boxes else at
        drawing.boxes[name] = (x, 20, wide, tall)
        drawing.width = max(drawing.width, x + wide + GAP // 2)
        at = x + wide + GAP
        for link in about:
            if other in drawing.boxes:
                bx, by, bw, _ = drawing.boxes[other]
                drawing.lines[link.get("id")] = [(x + wide / 2, 20 + tall), (bx + bw / 2, by)]
                if link.get("sourceRef") == other:
                    drawing.lines[link.get("id")].reverse()
    for link in links:
        source, target = drawing.boxes.get(link.get("sourceRef")), drawing.boxes.get(link.get("targetRef"))
        if source and target and link.get("id") not in drawing.lines:
            drawing.lines[link.get("id")] = [(source[0] + source[2] / 2, source[1] + source[3]), (target[0] + target[2] / 2, target[1])]


def _group(container: Any, drawing: Drawing) -> None:
    for child in container:
        if tag_of(child) == "group":
            tasks = [drawing.boxes[node.get("id")] for node in container if is_node(node) and tag_of(node) not in EVENTS]
            left, top = min(box[0] for box in tasks) - 15, min(box[1] for box in tasks) - 15
            right, bottom = max(box[0] + box[2] for box in tasks) + 15, max(box[1] + box[3] for box in tasks) + 15
            drawing.boxes[child.get("id")] = (left, top, right - left, bottom - top)


def lay_out(root: Any) -> None:
    """Give every element of a file its place, in place of what it had."""
    for old in root.findall(f"{{{BPMNDI}}}BPMNDiagram"):
        root.remove(old)
    collaboration = root.find(f"{{{BPMN}}}collaboration")
    whole = Drawing()
    horizontal: list[str] = []
    at = 80.0
    for process in root.findall(f"{{{BPMN}}}process"):
        part = arrange(process)
        left = 160.0
        pool = next(
            (
                item
                for item in root.iter(f"{{{BPMN}}}participant")
                if collaboration is not None and item.get("processRef") == process.get("id")
            ),
            None,
        )
        if pool is not None:
            left += 60
            whole.boxes[pool.get("id")] = (160, at, part.width + 60, part.height)
            horizontal.append(pool.get("id"))
        lanes = list(process.iter(f"{{{BPMN}}}lane"))
        ends = []
        for lane in lanes:
            boxes = [part.boxes[reference.text] for reference in lane.iter(f"{{{BPMN}}}flowNodeRef")]
            ends.append(max(y + tall for _, y, _, tall in boxes) + ROW / 2)
        edge = 0.0
        for lane, bottom in zip(lanes, [*ends[:-1], part.height], strict=False):
            whole.boxes[lane.get("id")] = (left - 30, at + edge, part.width + 30, bottom - edge)
            horizontal.append(lane.get("id"))
            edge = bottom
        whole.boxes |= {key: (left + x, at + y, wide, tall) for key, (x, y, wide, tall) in part.boxes.items()}
        whole.lines |= {key: [(left + x, at + y) for x, y in line] for key, line in part.lines.items()}
        at += part.height + 60
        whole.width = max(whole.width, left + part.width)
    for pool in root.iter(f"{{{BPMN}}}participant"):
        if pool.get("id") not in whole.boxes:
            whole.boxes[pool.get("id")] = (160, at, whole.width - 160, 60)
            horizontal.append(pool.get("id"))
            at += 120
    for flow in root.iter(f"{{{BPMN}}}messageFlow"):
        source, target = whole.boxes[flow.get("sourceRef")], whole.boxes[flow.get("targetRef")]
        small = source if source[2] < target[2] else target
        x = small[0] + small[2] / 2
        down = source[1] < target[1]
        whole.lines[flow.get("id")] = [(x, source[1] + source[3] * down), (x, target[1] + target[3] * (not down))]
    _write(root, whole, horizontal)


def _write(root: Any, drawing: Drawing, horizontal: list[str]) -> None:
    by_id = {item.get("id"): item for item in root.iter() if item.get("id")}
    main = root.find(f"{{{BPMN}}}collaboration")
    main = root.find(f"{{{BPMN}}}process") if main is None else main
    diagram = etree.SubElement(root, f"{{{BPMNDI}}}BPMNDiagram", id="diagram")
    plane = etree.SubElement(diagram, f"{{{BPMNDI}}}BPMNPlane", id="plane", bpmnElement=main.get("id"))
    for name, (x, y, wide, tall) in drawing.boxes.items():
        shape = etree.SubElement(plane, f"{{{BPMNDI}}}BPMNShape", id=f"{name}_di", bpmnElement=name)
        if tag_of(by_id[name]) in SCOPES:
            shape.set("isExpanded", "true")
        if tag_of(by_id[name]) == "exclusiveGateway":
            shape.set("isMarkerVisible", "true")
        if name in horizontal:
            shape.set("isHorizontal", "true")
        bounds = {"x": x, "y": y, "width": wide, "height": tall}
        etree.SubElement(shape, f"{{{DC}}}Bounds", {key: f"{round(value)}" for key, value in bounds.items()})
    for name, line in drawing.lines.items():
        edge = etree.SubElement(plane, f"{{{BPMNDI}}}BPMNEdge", id=f"{name}_di", bpmnElement=name)
        for x, y in line:
            etree.SubElement(edge, f"{{{DI}}}waypoint", x=f"{round(x)}", y=f"{round(y)}")
        _label(edge, line, by_id[name].get("name") or "")


def _label(edge: Any, line: list[tuple[float, float]], name: str) -> None:
    """A flow's name over its last level stretch, of a way back over its lowest one."""
    if not name or (len(line) == 2 and line[0][1] != line[1][1]):
        return
    (ax, ay), (bx, by) = line[-2:] if line[-2][1] == line[-1][1] else line[1:3]
    wide = 13 * len(name) + 4
    left = min(ax, bx) + 2 if line[-1] == (bx, by) else (ax + bx - wide) / 2
    bounds = {"x": left, "y": max(ay, by) - 18, "width": wide, "height": 14}
    label = etree.SubElement(edge, f"{{{BPMNDI}}}BPMNLabel")
    etree.SubElement(label, f"{{{DC}}}Bounds", {key: f"{round(value)}" for key, value in bounds.items()})


def laid_out(data: bytes) -> bytes:
    """The same file with places."""
    root = etree.fromstring(data, etree.XMLParser(remove_blank_text=True, resolve_entities=False, no_network=True))
    lay_out(root)
    text: bytes = etree.tostring(root, xml_declaration=True, encoding="UTF-8", pretty_print=True)
    return text


if __name__ == "__main__":
    for given in sys.argv[1:]:
        Path(given).write_bytes(laid_out(Path(given).read_bytes()))
