// Files of other tools may hold elements that are drawn nowhere: each gets a shape, so that what runs can also be seen.
import { is } from 'bpmn-js/lib/util/ModelUtil';

const SIZES = [['bpmn:Gateway', 50, 50], ['bpmn:Event', 36, 36], ['bpmn:SubProcess', 350, 200], ['bpmn:Activity', 100, 80]];
const sizeOf = (element) => SIZES.find(([type]) => is(element, type))?.slice(1) ?? [100, 80];

// Adds what is missing to the drawing of a file's definitions; answers how many elements had no shape.
export function drawUndrawn(moddle, definitions) {
  const drawn = new Set();
  const diagrams = definitions.get('diagrams');
  for (const diagram of diagrams) for (const part of diagram.plane?.get('planeElement') ?? []) if (part.bpmnElement) drawn.add(part.bpmnElement);
  const processes = definitions.get('rootElements').filter((one) => is(one, 'bpmn:Process'));
  const collaboration = definitions.get('rootElements').find((one) => is(one, 'bpmn:Collaboration'));
  if (!processes.length) return 0;
  let plane = diagrams[0]?.plane;
  if (!plane) {
    plane = moddle.create('bpmndi:BPMNPlane', { id: free(moddle, 'plane'), bpmnElement: collaboration ?? processes[0] });
    const diagram = moddle.create('bpmndi:BPMNDiagram', { id: free(moddle, 'drawing'), plane });
    [plane.$parent, diagram.$parent] = [diagram, definitions];
    diagrams.push(diagram);
  }
  let count = 0;
  const shapes = new Map();
  for (const part of plane.get('planeElement')) if (part.bounds) shapes.set(part.bpmnElement, part.bounds);
  let low = Math.max(0, ...[...shapes.values()].map((one) => one.y + one.height)) + 40;

  function shape(element, x, y, width, height, more = {}) {
    const bounds = moddle.create('dc:Bounds', { x, y, width, height });
    const made = moddle.create('bpmndi:BPMNShape', { id: free(moddle, `${element.id}_di`), bpmnElement: element, bounds, ...more });
    [bounds.$parent, made.$parent] = [made, plane];
    plane.get('planeElement').push(made);
    shapes.set(element, bounds);
    count++;
  }

  function scope(container, left, top) {
    const nodes = (container.get('flowElements') ?? []).filter((one) => is(one, 'bpmn:FlowNode'));
    let x = left;
    for (const node of nodes.filter((one) => !one.attachedToRef)) {
      const [width, height] = sizeOf(node);
      if (!drawn.has(node)) {
        shape(node, x, top + 100 - height / 2, width, height, is(node, 'bpmn:SubProcess') ? { isExpanded: true } : {});
        x += width + 50;
      }
      if (is(node, 'bpmn:SubProcess')) scope(node, shapes.get(node)?.x + 40, shapes.get(node)?.y);
    }
    for (const node of nodes.filter((one) => one.attachedToRef && !drawn.has(one))) {
      const host = shapes.get(node.attachedToRef);
      if (host) shape(node, host.x + host.width - 36, host.y + host.height - 18, 36, 36);
    }
    for (const flow of (container.get('flowElements') ?? []).filter((one) => is(one, 'bpmn:SequenceFlow') && !drawn.has(one))) {
      const [from, to] = [shapes.get(flow.sourceRef), shapes.get(flow.targetRef)];
      if (!from || !to) continue;
      const point = ({ x: px, y: py }) => moddle.create('dc:Point', { x: px, y: py });
      const edge = moddle.create('bpmndi:BPMNEdge', { id: free(moddle, `${flow.id}_di`), bpmnElement: flow, waypoint: [point({ x: from.x + from.width, y: from.y + from.height / 2 }), point({ x: to.x, y: to.y + to.height / 2 })] });
      edge.$parent = plane;
      plane.get('planeElement').push(edge);
      count++;
    }
    return x;
  }

  for (const process of processes) {
    const pool = collaboration?.participants?.find((one) => one.processRef === process);
    const begin = shapes.get(pool);
    const top = begin ? begin.y : low;
    const before = plane.get('planeElement').length;
    if (pool && !begin) {
      shape(pool, 0, top, 600, 200, { isHorizontal: true });
      const lanes = (process.get('laneSets') ?? []).flatMap((set) => set.get('lanes') ?? []);
      lanes.forEach((lane, at) => drawn.has(lane) || shape(lane, 30, top + (200 / lanes.length) * at, 570, 200 / lanes.length, { isHorizontal: true }));
    }
    const right = scope(process, begin ? begin.x + begin.width + 60 : 80, top);
    const bounds = shapes.get(pool);
    if (bounds && !begin) bounds.width = Math.max(600, right + 40);
    if (plane.get('planeElement').length > before) low = top + 280;
  }
  return count;
}

function free(moddle, wanted) {
  let id = wanted;
  for (let number = 2; moddle.ids?.assigned(id); number++) id = `${wanted}_${number}`;
  return id;
}
