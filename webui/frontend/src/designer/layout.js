// 整列: where everything stands when a diagram is laid out anew, from left to right, each lane a band of rows. Pure geometry.
//
// Nodes get a layer (column) by the longest way from the start, ways back left out; within a layer and lane each has a row, if it can that
// of what comes before. Flows run through the rows, through channels between columns and through corridors between rows; flows that would
// lie over each other get tracks of their own, and channels, corridors and lanes are as wide as these and the labels need.
//
//   layout({
//     nodes: [{id, width, height, lane, kind: 'gateway' | 'event' | 'other' | 'apart', label: {width, height} | null, attached: [{id, label}]}],
//     edges: [{id, from, to, label}],      from: a node, or an event attached to one
//     lanes: [{id, height}],               top to bottom; one nameless lane where there are none
//   }) -> {nodes: {id: {x, y, label}}, attached: {id: {x, y, label}}, edges: {id: {points, label}}, lanes: {id: {y, height}}, width, height}

const GAP = 44; // least width of a channel
const TRACK = 14;
const CORRIDOR = 26;
const EDGE = 18; // between a row and the border of its lane
const EVENT = 36;

export function layout({ nodes, edges, lanes }) {
  const byId = new Map(nodes.map((node) => [node.id, node]));
  const hostOf = new Map(nodes.flatMap((node) => (node.attached ?? []).map((event) => [event.id, node.id])));
  const flows = edges.map((edge) => ({ ...edge, source: byId.get(hostOf.get(edge.from) ?? edge.from), target: byId.get(edge.to), event: hostOf.has(edge.from) ? edge.from : null })).filter((edge) => edge.source && edge.target);
  const order = new Map(lanes.map(({ id }, place) => [id, place]));
  for (const node of nodes) node.laneAt = order.get(node.lane) ?? 0;

  layer(nodes, flows);
  const rows = assignRows(nodes, flows, lanes.length);
  const grid = new Map(nodes.map((node) => [`${node.layer},${node.row}`, node]));
  const routes = inTurn(flows).map((edge) => route(edge, grid, flows));
  const channels = tracks(routes, 'v', (segment) => segment.channel);
  const corridors = tracks(routes, 'h', (segment) => segment.corridor);
  return place(nodes, flows, lanes, rows, routes, channels, corridors);
}

// ---------------------------------------------------------------- layers

function layer(nodes, flows) {
  const apart = nodes.filter((node) => node.kind === 'apart');
  const connected = nodes.filter((node) => node.kind !== 'apart');
  const out = new Map(connected.map((node) => [node, []]));
  for (const flow of flows) out.get(flow.source)?.push(flow);
  const arriving = new Set(flows.map((flow) => flow.target));
  const state = new Map();
  const visit = (first) => {
    const path = [[first, 0]];
    state.set(first, 'open');
    while (path.length) {
      const step = path.at(-1);
      const flow = out.get(step[0])?.[step[1]++];
      if (!flow) {
        state.set(step[0], 'done');
        path.pop();
      } else if (state.get(flow.target) === 'open') flow.back = true;
      else if (!state.has(flow.target)) {
        state.set(flow.target, 'open');
        path.push([flow.target, 0]);
      }
    }
  };
  for (const node of connected) if (!arriving.has(node)) visit(node);
  for (const node of connected) if (!state.has(node)) visit(node);
  for (const node of nodes) node.layer = 0;
  for (let changed = true, round = 0; changed && round <= connected.length; round++) {
    changed = false;
    for (const flow of flows) {
      if (flow.back || flow.source === flow.target) continue;
      const least = flow.source.layer + 1;
      if (flow.target.layer < least) (flow.target.layer = least), (changed = true);
    }
  }
  // What nothing leads to stands just before what it leads to.
  for (const node of connected) {
    if (arriving.has(node)) continue;
    const next = (out.get(node) ?? []).filter((flow) => !flow.back).map((flow) => flow.target.layer);
    if (next.length && !nodes.some((other) => other.layer === 0 && arriving.has(other))) node.layer = Math.max(0, Math.min(...next) - 1);
  }
  const first = Math.min(...connected.map((node) => node.layer), Infinity);
  if (Number.isFinite(first)) for (const node of connected) node.layer -= first;
  const last = Math.max(-1, ...connected.map((node) => node.layer));
  for (const node of apart) node.layer = last + 1;
}

// ---------------------------------------------------------------- rows

function assignRows(nodes, flows, laneCount) {
  const before = new Map(nodes.map((node) => [node, []]));
  for (const flow of flows) if (!flow.back) before.get(flow.target).push(flow.source);
  const taken = new Map(); // "layer,lane,row"
  const most = Array(Math.max(laneCount, 1)).fill(0);
  const last = Math.max(0, ...nodes.map((node) => node.layer));
  const place = new Map(nodes.map((node, at) => [node, at]));
  for (let at = 0; at <= last; at++) {
    const here = nodes.filter((node) => node.layer === at);
    const wish = new Map(
      here.map((node) => {
        const same = before.get(node).filter((one) => one.laneAt === node.laneAt);
        return [node, same.length ? Math.min(...same.map((one) => one.inLane)) : 0];
      }),
    );
    // Where several follow one gateway they keep the order in which its flows were drawn.
    here.sort((a, b) => a.laneAt - b.laneAt || wish.get(a) - wish.get(b) || place.get(a) - place.get(b));
    for (const node of here) {
      let row = wish.get(node);
      while (taken.has(`${at},${node.laneAt},${row}`)) row++;
      taken.set(`${at},${node.laneAt},${row}`, node);
      node.inLane = row;
      most[node.laneAt] = Math.max(most[node.laneAt], row + 1);
    }
  }
  const begins = [];
  let total = 0;
  for (const [lane, count] of most.entries()) {
    begins[lane] = total;
    total += Math.max(1, count);
  }
  for (const node of nodes) node.row = begins[node.laneAt] + node.inLane;
  return { begins, most, total };
}

// ---------------------------------------------------------------- routes

// Flows in the order in which they choose the side they leave by: of a gateway first the one straight on, then the nearest.
function inTurn(flows) {
  const far = (edge) => (edge.target.layer <= edge.source.layer ? 1000 : 0) + Math.abs(edge.target.row - edge.source.row) * 10 + (edge.target.layer - edge.source.layer);
  return [...flows].sort((one, other) => far(one) - far(other));
}

// A route: how it leaves, its segments in channels and corridors, how it arrives. Rows are whole numbers; the corridor below row r is r + 0.5.
function route(edge, grid, flows) {
  const { source, target } = edge;
  const [a, b] = [source.layer, target.layer];
  const [from, to] = [source.row, target.row];
  const free = (row, left, right) => {
    for (let at = left + 1; at < right; at++) if (grid.has(`${at},${row}`)) return false;
    return true;
  };
  const clear = (column, top, bottom) => {
    for (let row = Math.min(top, bottom); row <= Math.max(top, bottom); row++) if (row !== from && grid.has(`${column},${row}`)) return false;
    return true;
  };
  const made = { edge, exit: 'right', segments: [] };
  const v = (channel, top, bottom, key, ends) => made.segments.push({ way: 'v', channel, from: Math.min(top, bottom), to: Math.max(top, bottom), key, ...ends });
  const h = (corridor, left, right, key) => made.segments.push({ way: 'h', corridor, from: Math.min(left, right), to: Math.max(left, right), key });
  const outward = `out ${source.id}`;
  const inward = `in ${target.id}`;
  const branches = source.kind === 'gateway' && flows.filter((flow) => flow.source === source && !flow.event).length > 1;
  source.sides ??= { right: 0, bottom: 0, top: 0 };
  const leave = (side, more = {}) => {
    made.exit = side;
    made.shared = source.sides[side]++ > 0;
    return Object.assign(made, more);
  };

  if (edge.event) {
    // Out of the bottom of its event, along the corridor below, and to the target's row in the channel before it.
    made.exit = 'event';
    if (b > a && to === from + 1 && !grid.has(`${a},${to}`) && free(to, a, b)) return { ...made, straight: 'below' };
    h(from + 0.5, a, b - 0.5, `event ${edge.event}`);
    v(b, from + 0.5, to, inward, { enters: to });
    return made;
  }
  if (b > a && from === to && free(from, a, b)) return leave('right', { straight: 'row' });
  if (branches) {
    // A gateway's ways leave by sides of their own as long as there are some.
    const [near, other] = to < from ? ['top', 'bottom'] : ['bottom', 'top'];
    if (b > a && to !== from && clear(a, from, to) && free(to, a, b)) return leave(near, { straight: 'turn' });
    const side = !source.sides[near] ? near : !source.sides[other] ? other : near;
    const corridor = side === 'bottom' ? from + 0.5 : from - 0.5;
    h(corridor, a, b - 0.5, `${edge.id}`);
    v(b, corridor, to, inward, { enters: to });
    return leave(side);
  }
  // Along a row only where nothing else leaves into it or enters from it beside this flow.
  if (b > a && from !== to && free(to, a, b) && (b === a + 1 || !grid.has(`${a},${to}`))) {
    v(a + 1, from, to, b === a + 1 ? `${outward} ${inward}` : outward, { leaves: from, ...(b === a + 1 ? { enters: to } : {}) });
    return leave('right');
  }
  if (b > a && from !== to && free(from, a, b) && !grid.has(`${b},${from}`)) {
    v(b, from, to, inward, { enters: to, ...(b === a + 1 ? { leaves: from } : {}) });
    return leave('right');
  }
  const corridor = to < from ? from - 0.5 : from + 0.5;
  v(a + 1, from, corridor, outward, { leaves: from });
  h(corridor, a + 0.5, b - 0.5, `${outward} ${inward}`);
  v(b, corridor, to, inward, { enters: to });
  return leave('right');
}

// Segments that overlap in a channel or corridor get tracks of their own; those of one bundle share one. What leaves a row stands left of
// what enters the same row from the channel, or the two would lie over each other.
function tracks(routes, way, where) {
  const places = new Map();
  for (const one of routes) {
    for (const segment of one.segments) {
      if (segment.way !== way) continue;
      const place = where(segment);
      if (!places.has(place)) places.set(place, new Map());
      const bundles = places.get(place);
      const bundle = bundles.get(segment.key) ?? { from: segment.from, to: segment.to, segments: [], leaves: new Set(), enters: new Set() };
      bundle.from = Math.min(bundle.from, segment.from);
      bundle.to = Math.max(bundle.to, segment.to);
      if (segment.leaves !== undefined) bundle.leaves.add(segment.leaves);
      if (segment.enters !== undefined) bundle.enters.add(segment.enters);
      bundle.segments.push(segment);
      bundles.set(segment.key, bundle);
    }
  }
  const counts = new Map();
  const meet = (one, other) => [...one].some((row) => other.has(row));
  for (const [place, bundles] of places) {
    const waiting = [...bundles.values()].sort((x, y) => x.from - y.from || x.to - y.to);
    const done = [];
    while (waiting.length) {
      let next = waiting.findIndex((one) => !waiting.some((other) => other !== one && meet(other.leaves, one.enters)));
      if (next < 0) next = 0; // two that lead into each other's rows: one of them has to cross
      const [bundle] = waiting.splice(next, 1);
      let track = Math.max(-1, ...done.filter((one) => meet(one.leaves, bundle.enters)).map((one) => one.track)) + 1;
      while (done.some((one) => one.track === track && one.from <= bundle.to && bundle.from <= one.to)) track++;
      bundle.track = track;
      done.push(bundle);
      for (const segment of bundle.segments) segment.track = track;
    }
    counts.set(place, Math.max(0, ...done.map((one) => one.track + 1)));
  }
  return counts;
}

// ---------------------------------------------------------------- coordinates

function place(nodes, flows, lanes, rows, routes, channels, corridors) {
  const columns = Math.max(0, ...nodes.map((node) => node.layer)) + 1;
  const topUsed = new Set(routes.filter((one) => one.exit === 'top').map((one) => one.edge.source));
  const bottomUsed = new Set(routes.filter((one) => one.exit === 'bottom').map((one) => one.edge.source));

  // How far each node reaches from its centre, its label and attached events included.
  const reach = new Map();
  for (const node of nodes) {
    const side = node.width / 2;
    const found = { up: node.height / 2, down: node.height / 2, left: side, right: side };
    if (node.label) {
      const where = node.kind === 'gateway' ? (!topUsed.has(node) ? 'above' : !bottomUsed.has(node) ? 'below' : 'corner') : 'below';
      node.labelAt = where;
      if (where === 'below') found.down += node.label.height + 6;
      else found.up += node.label.height + 6;
      const half = where === 'corner' ? node.label.width + 6 : node.label.width / 2;
      found.left = Math.max(found.left, half);
      if (where !== 'corner') found.right = Math.max(found.right, half);
    }
    (node.attached ?? []).forEach((event, number) => {
      const beside = besideEvent(node, event, number);
      found.down = Math.max(found.down, node.height / 2 + EVENT / 2 + (beside ? beside.y + event.label.height - EVENT / 2 + 4 : 0));
      if (number) found.left = Math.max(found.left, beside ? node.width / 2 - eventAt(node, number) - beside.x : 0);
    });
    reach.set(node, found);
  }

  // Columns and the channels before them.
  const channelWidth = (at) => {
    const many = channels.get(at) ?? 0;
    const labels = flows.filter((flow) => flow.label && flow.source.layer === at - 1 && flow.source.kind === 'gateway').map((flow) => flow.label.width + 20);
    return Math.max(at === 0 ? 0 : GAP, many ? GAP / 2 + many * TRACK + 16 : 0, ...labels);
  };
  const left = [];
  const width = [];
  const channelAt = [];
  let x = 0;
  for (let at = 0; at < columns; at++) {
    channelAt[at] = x;
    x += channelWidth(at);
    const here = nodes.filter((node) => node.layer === at);
    left[at] = x;
    const [before, after] = [Math.max(0, ...here.map((node) => reach.get(node).left)), Math.max(0, ...here.map((node) => reach.get(node).right))];
    width[at] = [before, after];
    x += before + after;
  }
  channelAt[columns] = x;
  x += channels.get(columns) ? GAP / 2 + channels.get(columns) * TRACK : 0;
  const centre = (at) => left[at] + width[at][0];
  const trackX = (segment) => channelAt[segment.channel] + (segment.channel === 0 ? 4 : 16) + segment.track * TRACK;

  // Rows, corridors between them, and lanes around them.
  const up = Array(rows.total).fill(28);
  const down = Array(rows.total).fill(28);
  for (const node of nodes) {
    up[node.row] = Math.max(up[node.row], reach.get(node).up);
    down[node.row] = Math.max(down[node.row], reach.get(node).down);
  }
  const middle = [];
  const corridorAt = new Map();
  const bands = {};
  let y = 0;
  for (let lane = 0; lane < Math.max(lanes.length, 1); lane++) {
    const top = y;
    y += EDGE;
    const begin = rows.begins[lane];
    const count = Math.max(1, rows.most[lane]);
    for (let row = begin; row < begin + count; row++) {
      if (row === begin && corridors.get(row - 0.5) && !corridorAt.has(row - 0.5)) {
        corridorAt.set(row - 0.5, y);
        y += corridors.get(row - 0.5) * TRACK + 8;
      }
      y += up[row];
      middle[row] = y;
      y += down[row];
      const many = corridors.get(row + 0.5) ?? 0;
      const inner = row < begin + count - 1;
      corridorAt.set(row + 0.5, y + 10);
      if (many || inner) y += (many ? many * TRACK + 10 : 0) + (inner ? CORRIDOR - 8 : 0);
    }
    y += EDGE;
    const least = lanes[lane]?.least ?? 0;
    if (y - top < least) y = top + least;
    if (lanes[lane]) bands[lanes[lane].id] = { y: top, height: y - top };
  }
  const trackY = (segment) => (corridorAt.get(segment.corridor) ?? 0) + segment.track * TRACK;

  const made = { nodes: {}, attached: {}, edges: {}, lanes: bands, width: x, height: y };
  for (const node of nodes) {
    const [cx, cy] = [centre(node.layer), middle[node.row]];
    const one = { x: cx - node.width / 2, y: cy - node.height / 2, label: null };
    if (node.label) {
      const { width: w, height: h } = node.label;
      if (node.labelAt === 'above') one.label = { x: cx - w / 2, y: one.y - h - 4 };
      else if (node.labelAt === 'corner') one.label = { x: cx - w - 8, y: one.y - h };
      else one.label = { x: cx - w / 2, y: one.y + node.height + 5 };
    }
    made.nodes[node.id] = one;
    (node.attached ?? []).forEach((event, number) => {
      const ex = one.x + eventAt(node, number);
      const ey = one.y + node.height;
      const beside = besideEvent(node, event, number);
      made.attached[event.id] = { x: ex - EVENT / 2, y: ey - EVENT / 2, label: beside && { x: ex + beside.x, y: ey + beside.y } };
    });
  }
  for (const one of routes) made.edges[one.edge.id] = drawn(one, made, { centre, middle, trackX, trackY });
  return made;
}

// Events stand on the lower edge from right to left. The label of the first is right of it, those of the others left, one below the other.
const eventAt = (node, number) => node.width - 24 - number * 46;

function besideEvent(node, event, number) {
  if (!event.label) return null;
  const above = node.attached.slice(1, number).reduce((sum, other) => sum + (other.label ? other.label.height + 2 : 0), 0);
  return { x: number ? -12 - event.label.width : 12, y: EVENT / 2 - 4 + above };
}

function drawn(one, made, { middle, trackX, trackY }) {
  const { edge, segments } = one;
  const { source, target } = edge;
  const s = made.nodes[source.id];
  const t = made.nodes[target.id];
  const [sy, ty] = [middle[source.row], middle[target.row]];
  const sx = s.x + source.width / 2;
  const end = { x: t.x, y: ty };
  const points = [];
  if (one.exit === 'event') {
    const event = made.attached[edge.event];
    points.push({ x: event.x + EVENT / 2, y: event.y + EVENT });
  } else if (one.exit === 'bottom') points.push({ x: sx, y: s.y + source.height });
  else if (one.exit === 'top') points.push({ x: sx, y: s.y });
  else points.push({ x: s.x + source.width, y: sy });
  if (one.straight === 'turn' || one.straight === 'below') points.push({ x: points[0].x, y: ty });
  for (const segment of segments) {
    const last = points.at(-1);
    if (segment.way === 'v') {
      const x = trackX(segment);
      points.push({ x, y: last.y });
      const next = segments[segments.indexOf(segment) + 1];
      points.push({ x, y: next ? trackY(next) : ty });
    } else {
      const y = trackY(segment);
      points.push({ x: last.x, y });
    }
  }
  points.push(end);
  return { points: straightened(points), label: edge.label ? labelled(one, points, edge.label, s, source) : null };
}

function labelled(one, points, { width, height }, s, source) {
  const [first, second, third] = points;
  if (one.shared && third && second.x === first.x) return { x: second.x + 8, y: second.y - height - 2 }; // beside its own part, after the common one
  if (one.exit === 'right' && source.kind === 'gateway') {
    source.beside = Math.max(source.beside ?? 0, height);
    return { x: first.x + 6, y: first.y - height - 3 };
  }
  if (one.exit === 'bottom') return { x: first.x + 8, y: first.y + 6 };
  if (one.exit === 'top') return { x: first.x + 8, y: first.y - height - 6 - Math.max(0, (source.beside ?? 0) - 20) };
  const middle = second && first.y === second.y ? (first.x + second.x) / 2 : first.x + width / 2 + 6;
  return { x: middle - width / 2, y: first.y - height - 4 };
}

// Without points that lie on a line between their neighbours.
function straightened(points) {
  const rounded = points.map(({ x, y }) => ({ x: Math.round(x), y: Math.round(y) }));
  const apart = rounded.filter((point, at) => !at || point.x !== rounded[at - 1].x || point.y !== rounded[at - 1].y);
  return apart.filter((point, at) => {
    const [before, after] = [apart[at - 1], apart[at + 1]];
    return !before || !after || !((before.x === point.x && point.x === after.x) || (before.y === point.y && point.y === after.y));
  });
}
