// 整列 on the canvas: what is drawn is read, laid out anew (layout.js) and put in place as one command that can be undone.
import { is, objectOf } from './model.js';
import { layout } from './layout.js';

const PAD = { x: 40, y: 36 }; // inside a sub-process
const HEAD = 30; // the strip with the name of a pool or lane

// Puts shapes, labels and flows where they are told, in the drawing and in what is saved of it.
export class Place {
  constructor(moddle) {
    this.moddle = moddle;
  }

  execute(context) {
    context.before = context.places.map(({ element }) => ({
      element,
      ...(element.waypoints ? { waypoints: element.waypoints } : { bounds: { x: element.x, y: element.y, width: element.width, height: element.height } }),
      written: element.waypoints ? element.di.get('waypoint') : element.type === 'label' ? element.di.get('label') : element.di.get('bounds'),
    }));
    return this.put(context.places);
  }

  revert(context) {
    return this.put(context.before);
  }

  // `written` is what stood in the file, to stand there again as it was.
  put(places) {
    for (const one of places) {
      const { element, waypoints } = one;
      const what = waypoints ? 'waypoint' : element.type === 'label' ? 'label' : 'bounds';
      if (waypoints) element.waypoints = waypoints.map(({ x, y, original }) => ({ x, y, ...(original ? { original } : {}) }));
      else Object.assign(element, 'written' in one ? one.bounds : rounded(one.bounds));
      element.di.set(what, 'written' in one ? one.written : this.made(what, one));
    }
    return places.map(({ element }) => element);
  }

  made(what, { element, bounds, waypoints }) {
    if (what === 'waypoint') return waypoints.map(({ x, y }) => this.moddle.create('dc:Point', { x, y }));
    const box = this.moddle.create('dc:Bounds', rounded(bounds));
    if (what === 'bounds') return box;
    const label = this.moddle.create('bpmndi:BPMNLabel', { bounds: box });
    label.$parent = element.di;
    return label;
  }
}
Place.$inject = ['moddle'];

const rounded = (bounds) => Object.fromEntries(Object.entries(bounds).map(([name, value]) => [name, Math.round(value)]));

export function tidy(editor) {
  const root = editor.get('canvas').getRootElement();
  const places = new Map();
  const put = (element, value) => element && places.set(element, { element, ...value });
  const pools = (root.children ?? []).filter((one) => is(one, 'bpmn:Participant') && (one.children ?? []).length);
  if (pools.some((pool) => pool.di.isHorizontal === false)) return false;
  if (pools.length) {
    let top = Math.min(...pools.map((pool) => pool.y));
    const left = Math.min(...pools.map((pool) => pool.x));
    for (const pool of pools.sort((a, b) => a.y - b.y)) top += band(pool, left, top, put) + 40;
  } else {
    const nodes = flowNodes(root);
    if (nodes.length) region(root, Math.min(...nodes.map((one) => one.x)), Math.min(...nodes.map((one) => one.y)), put);
  }
  notes(root, places, put);
  if (!places.size) return false;
  editor.get('commandStack').execute('designer.place', { places: [...places.values()] });
  return true;
}

const flowNodes = (parent) => (parent.children ?? []).filter((one) => is(one, 'bpmn:FlowNode') && one.type !== 'label' && !one.host);

function leaves(pool) {
  const lanes = [];
  const walk = (one) => {
    const inner = (one.children ?? []).filter((child) => is(child, 'bpmn:Lane'));
    if (is(one, 'bpmn:Lane') && !inner.length) lanes.push(one);
    inner.sort((a, b) => a.y - b.y).forEach(walk);
  };
  walk(pool);
  return lanes;
}

// One pool: its lanes as bands; answers with its height.
function band(pool, left, top, put) {
  const lanes = leaves(pool);
  const depth = (lane) => {
    let count = 0;
    for (let one = lane; one !== pool; one = one.parent) count++;
    return count;
  };
  const deepest = Math.max(0, ...lanes.map(depth));
  const begin = left + HEAD * (1 + deepest) + 36;
  const size = region(pool, begin, top, put, lanes);
  const width = Math.max(600, begin - left + size.width + 48);
  put(pool, { bounds: { x: left, y: top, width, height: size.height } });
  const bounds = new Map(lanes.map((lane) => [lane, size.lanes[lane.id]]));
  const extent = (lane) => {
    const inner = (lane.children ?? []).filter((child) => is(child, 'bpmn:Lane'));
    if (!inner.length) return bounds.get(lane);
    const all = inner.map(extent);
    const y = Math.min(...all.map((one) => one.y));
    return { y, height: Math.max(...all.map((one) => one.y + one.height)) - y };
  };
  const frame = (one, level) => {
    for (const lane of (one.children ?? []).filter((child) => is(child, 'bpmn:Lane'))) {
      const { y, height } = extent(lane);
      put(lane, { bounds: { x: left + HEAD * level, y: top + y, width: width - HEAD * level, height } });
      frame(lane, level + 1);
    }
  };
  frame(pool, 1);
  return size.height;
}

const laneOf = (element, lanes) => {
  const y = element.y + element.height / 2;
  return lanes.find((lane) => y >= lane.y && y < lane.y + lane.height) ?? lanes[0];
};

const sizeOf = (label) => (label && (label.width || label.height) ? { width: label.width, height: label.height } : null);
const labelOf = (element) => element.labels?.find((one) => one.type === 'label' && oneText(element)) ?? null;
const oneText = (element) => (objectOf(element).name ?? '').trim();

// The flow nodes of one scope, from a corner on; sub-processes that are open are laid out first and then stand as one node.
function region(parent, x, y, put, lanes = []) {
  const elements = flowNodes(parent);
  const sizes = new Map();
  const later = [];
  for (const element of elements) {
    const open = is(element, 'bpmn:SubProcess') && element.di.isExpanded !== false && !element.collapsed && flowNodes(element).length;
    if (!open) {
      sizes.set(element, { width: element.width, height: element.height });
      continue;
    }
    const inner = new Map();
    const size = region(element, 0, 0, (one, value) => one && inner.set(one, value));
    sizes.set(element, { width: Math.max(120, size.width + 2 * PAD.x), height: Math.max(90, size.height + PAD.y) });
    later.push([element, inner]);
  }
  const nodes = elements.map((element) => ({
    id: element.id, ...sizes.get(element), lane: lanes.length ? laneOf(element, lanes).id : '',
    kind: is(element, 'bpmn:Gateway') ? 'gateway' : is(element, 'bpmn:Event') ? 'event' : objectOf(element).triggeredByEvent ? 'apart' : 'other',
    label: sizeOf(labelOf(element)),
    attached: (element.attachers ?? []).filter((one) => is(one, 'bpmn:BoundaryEvent')).sort((a, b) => b.x - a.x).map((one) => ({ id: one.id, label: sizeOf(labelOf(one)) })),
  }));
  const connections = (parent.children ?? []).filter((one) => one.waypoints && is(one, 'bpmn:SequenceFlow'));
  const edges = connections.map((one) => ({ id: one.id, from: one.source.id, to: one.target.id, label: sizeOf(labelOf(one)) }));
  const done = layout({ nodes, edges, lanes: lanes.map((lane) => ({ id: lane.id, least: 80 })) });
  const moved = ({ x: px, y: py }) => ({ x: px + x, y: py + y });
  const label = (element, told) => {
    const one = labelOf(element);
    if (one && told) put(one, { bounds: { ...moved(told), width: one.width, height: one.height } });
  };
  for (const element of elements) {
    const told = done.nodes[element.id];
    put(element, { bounds: { ...moved(told), ...sizes.get(element) } });
    label(element, told.label);
    for (const event of element.attachers ?? []) {
      const at = done.attached[event.id];
      if (!at) continue;
      put(event, { bounds: { ...moved(at), width: event.width, height: event.height } });
      label(event, at.label);
    }
  }
  for (const one of connections) {
    const told = done.edges[one.id];
    if (!told) continue;
    put(one, { waypoints: told.points.map(moved) });
    label(one, told.label);
  }
  for (const [element, inner] of later) {
    const at = moved(done.nodes[element.id]);
    for (const [one, value] of inner) {
      const shift = (point) => ({ ...point, x: point.x + at.x + PAD.x, y: point.y + at.y + PAD.y / 2 });
      put(one, value.waypoints ? { waypoints: value.waypoints.map(shift) } : { bounds: shift(value.bounds) });
    }
  }
  return done;
}

// Notes, groups and dotted lines keep their place beside what they belong to.
function notes(root, places, put) {
  const all = [];
  const walk = (one) => (one.children ?? []).forEach((child) => (all.push(child), walk(child)));
  walk(root);
  const shiftOf = (element) => {
    const told = places.get(element);
    return told?.bounds ? { x: told.bounds.x - element.x, y: told.bounds.y - element.y } : null;
  };
  for (const note of all.filter((one) => is(one, 'bpmn:TextAnnotation'))) {
    const links = [...(note.incoming ?? []), ...(note.outgoing ?? [])].filter((one) => is(one, 'bpmn:Association'));
    const beside = links.map((one) => (one.source === note ? one.target : one.source)).find((one) => shiftOf(one));
    const shift = beside && shiftOf(beside);
    if (shift) put(note, { bounds: { x: note.x + shift.x, y: note.y + shift.y, width: note.width, height: note.height } });
    for (const link of links) if (shift) put(link, { waypoints: link.waypoints.map(({ x, y }) => ({ x: x + shift.x, y: y + shift.y })) });
  }
}


