// The diagram as a list in the order of its flows: what follows a step stands below it, what may happen instead is indented. Pure reading.
import { is, objectOf } from './model.js';
import { waysOf } from './panel-flows.js';

const NODE = 'bpmn:FlowNode';

// Lines: {kind: 'node' | 'way' | 'jump' | 'title', depth, element, flow, target, text}
export function outline(editor) {
  const registry = editor.get('elementRegistry');
  const root = editor.get('canvas').getRootElement();
  const nodes = registry.filter((one) => is(one, NODE) && one.type !== 'label');
  const within = (object) => nodes.filter((one) => objectOf(one).$parent === object);
  const lines = [];
  const containers = is(root, 'bpmn:Collaboration') ? [...new Set(nodes.map((one) => objectOf(one).$parent))].filter((one) => one.$type === 'bpmn:Process') : [objectOf(root)];
  for (const container of containers) lines.push(...scope(within(container), within, 0));
  return lines;
}

function scope(nodes, within, depth) {
  const lines = [];
  const seen = new Set();
  const mine = new Set(nodes);
  const incoming = (node) => (node.incoming ?? []).filter((one) => is(one, 'bpmn:SequenceFlow') && mine.has(one.source));
  const boundaries = (node) => nodes.filter((one) => is(one, 'bpmn:BoundaryEvent') && one.host === node);

  const jump = (target, at) => lines.push({ kind: 'jump', depth: at, element: target });

  // Lists a node and all that follows; answers with the merges it stopped at, to be listed by whoever opened the branches.
  function follow(node, at, nested) {
    const waiting = [];
    for (let next = node; next; ) {
      const here = next;
      next = null;
      if (seen.has(here)) {
        jump(here, at);
        break;
      }
      seen.add(here);
      lines.push({ kind: 'node', depth: at, element: here });
      if (is(here, 'bpmn:SubProcess')) lines.push(...scope(within(objectOf(here)), within, at + 1));
      for (const event of boundaries(here)) if (!seen.has(event)) waiting.push(...follow(event, at + 1, true));
      const ways = waysOf(here);
      if (ways.length === 1 && !(ways.length > 1)) {
        const target = ways[0].target;
        if (seen.has(target)) jump(target, at);
        else if (nested && incoming(target).length > 1) {
          jump(target, at);
          waiting.push(target);
        } else next = target;
      } else if (ways.length > 1) {
        const merges = [];
        for (const flow of ways) {
          lines.push({ kind: 'way', depth: at + 1, element: flow, source: here });
          const target = flow.target;
          if (seen.has(target)) jump(target, at + 2);
          else if (incoming(target).length > 1) {
            jump(target, at + 2);
            merges.push(target);
          } else merges.push(...follow(target, at + 2, true));
        }
        const open = [...new Set(merges)].filter((one) => !seen.has(one));
        // A merge whose ways have all been listed goes on here; one that others still lead to is left to who opened them.
        const whole = open.find((one) => incoming(one).every((flow) => seen.has(flow.source)));
        next = whole ?? (nested ? null : open[0]) ?? null;
        waiting.push(...open.filter((one) => one !== next));
      }
      if (!next && !nested) {
        next = waiting.find((one) => !seen.has(one)) ?? null;
      }
    }
    return waiting.filter((one) => !seen.has(one));
  }

  const starts = nodes.filter((one) => is(one, 'bpmn:StartEvent'));
  for (const start of starts) if (!seen.has(start)) for (const late of follow(start, depth, false)) if (!seen.has(late)) follow(late, depth, false);
  const events = nodes.filter((one) => is(one, 'bpmn:SubProcess') && objectOf(one).triggeredByEvent);
  const rest = nodes.filter((one) => !seen.has(one) && !events.includes(one) && !is(one, 'bpmn:BoundaryEvent'));
  const first = rest.filter((one) => !incoming(one).length);
  for (const node of [...first, ...rest]) {
    if (seen.has(node)) continue;
    if (!lines.some((one) => one.text === LOOSE && one.depth === depth)) lines.push({ kind: 'title', depth, text: LOOSE });
    follow(node, depth, false);
  }
  if (events.length) lines.push({ kind: 'title', depth, text: ANY_TIME });
  for (const event of events) if (!seen.has(event)) follow(event, depth, false);
  return lines;
}

const LOOSE = '開始からつながっていないもの';
const ANY_TIME = 'いつでもできる操作';


