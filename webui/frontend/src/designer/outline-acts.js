// What the outline does to the drawing: steps added, moved, taken away, flows led elsewhere; each one command that can be undone, with its layout.
import { getMid } from 'diagram-js/lib/layout/LayoutUtil';
import { is, objectOf } from './model.js';
import { waysOf } from './panel-flows.js';
import { makeSpace } from './supported.js';

export const KINDS = [
  ['user', '人の処理', 'bpmn:UserTask'],
  ['exclusive', 'どれか1つに分ける', 'bpmn:ExclusiveGateway'],
  ['parallel', '同時に進める・合わせる', 'bpmn:ParallelGateway'],
  ['end', '終了', 'bpmn:EndEvent'],
  ['timer', '時間を待つ', 'bpmn:IntermediateCatchEvent', { eventDefinitionType: 'bpmn:TimerEventDefinition' }],
  ['condition', '条件を待つ', 'bpmn:IntermediateCatchEvent', { eventDefinitionType: 'bpmn:ConditionalEventDefinition' }],
  ['service', '自動処理', 'bpmn:ServiceTask'],
  ['send', '知らせる', 'bpmn:SendTask'],
  ['rule', '決定表', 'bpmn:BusinessRuleTask'],
  ['call', '別の図を呼ぶ', 'bpmn:CallActivity'],
  ['inclusive', '当てはまるものすべてに分ける', 'bpmn:InclusiveGateway'],
];
export const BOUNDARIES = [
  ['due', '時間がたったとき（続ける）', { eventDefinitionType: 'bpmn:TimerEventDefinition', cancelActivity: false }],
  ['due-stop', '時間がたったとき（やめる）', { eventDefinitionType: 'bpmn:TimerEventDefinition' }],
  ['act', '操作があったとき（続ける）', { eventDefinitionType: 'bpmn:MessageEventDefinition', cancelActivity: false }],
  ['act-stop', '操作があったとき（やめる）', { eventDefinitionType: 'bpmn:MessageEventDefinition' }],
  ['condition', '条件が成り立ったとき（やめる）', { eventDefinitionType: 'bpmn:ConditionalEventDefinition' }],
  ['error', 'エラーになったとき', { eventDefinitionType: 'bpmn:ErrorEventDefinition' }],
];
const GAP = 60;
const BELOW = 150; // what a notice and its label need under a step
const NODE = 'bpmn:FlowNode';
export const COPIED = 'copied';

export class Acts {
  constructor(editor) {
    this.editor = editor;
  }

  get(name) {
    return this.editor.get(name);
  }

  together(act) {
    let made = null;
    this.editor.model.together(() => (made = act()));
    return made;
  }

  shape(type, options) {
    return this.get('elementFactory').createShape({ type, ...options });
  }

  // The one step that was copied, if it is one that can follow another.
  copied() {
    const shapes = Object.values(this.get('clipboard')?.get() ?? {}).flat().filter((one) => one.businessObject && !one.labelTarget && !one.source);
    return shapes.length === 1 && is(shapes[0], NODE) && !is(shapes[0], 'bpmn:StartEvent') && !is(shapes[0], 'bpmn:BoundaryEvent') ? shapes[0] : null;
  }

  addCopied(element) {
    const { width } = this.copied();
    return this.together(() => {
      const modeling = this.get('modeling');
      const ways = waysOf(element);
      const way = ways.length === 1 && !this.branches(element) ? ways[0] : null;
      const right = element.x + element.width;
      if (way && way.target.x >= right) makeSpace(this.get('canvas'), this.get('spaceTool'), right + 1, Math.max(0, width + 2 * GAP - (way.target.x - right)));
      const made = this.get('copyPaste').paste({ element: element.parent, point: { x: right + GAP + width / 2, y: getMid(element).y } }).find((one) => is(one, NODE) && one.type !== 'label');
      const next = way?.target;
      if (next) modeling.reconnectEnd(way, made, getMid(made));
      else modeling.connect(element, made, { type: 'bpmn:SequenceFlow' });
      if (next && !is(made, 'bpmn:EndEvent')) modeling.layoutConnection(modeling.connect(made, next, { type: 'bpmn:SequenceFlow' }));
      return made;
    });
  }

  addAfter(element, kind) {
    if (kind === COPIED) return this.addCopied(element);
    const [, , type, options] = KINDS.find(([name]) => name === kind);
    return this.together(() => {
      const ways = waysOf(element);
      const shape = this.shape(type, options);
      if (ways.length !== 1 || this.branches(element)) return this.get('autoPlace').append(element, shape);
      return this.insert(ways[0], shape);
    });
  }

  // Whether what is added to an element is one more way: of what branches already, and of a gateway that joins nothing.
  branches(element) {
    const joins = (element.incoming ?? []).filter((one) => is(one, 'bpmn:SequenceFlow')).length > 1;
    return waysOf(element).length > 1 || (is(element, 'bpmn:Gateway') && !joins);
  }

  // Put a new shape into a flow; an end takes the flow over, what came after is left to be connected.
  insert(flow, shape) {
    const modeling = this.get('modeling');
    const { source, target } = flow;
    const right = source.x + source.width;
    const forward = target.x >= right;
    if (forward && shape.width + 2 * GAP > target.x - right) makeSpace(this.get('canvas'), this.get('spaceTool'), right + 1, shape.width + 2 * GAP - (target.x - right));
    const y = forward ? getMid(source).y : (getMid(source).y + getMid(target).y) / 2;
    const position = forward ? { x: right + GAP + shape.width / 2, y } : { x: Math.max(right, target.x + target.width) + GAP + shape.width / 2, y };
    const made = modeling.createShape(shape, position, source.parent);
    modeling.reconnectEnd(flow, made, getMid(made));
    if (!is(made, 'bpmn:EndEvent')) modeling.layoutConnection(modeling.connect(made, target, { type: 'bpmn:SequenceFlow' }));
    modeling.layoutConnection(flow);
    return made;
  }

  addBoundary(host, kind) {
    const [, , options] = BOUNDARIES.find(([name]) => name === kind);
    return this.together(() => {
      const taken = host.attachers?.length ?? 0;
      const position = { x: host.x + host.width - 20 - taken * 44, y: host.y + host.height };
      return this.get('modeling').createShape(this.shape('bpmn:BoundaryEvent', options), position, host, { attach: true });
    });
  }

  // A timer on the edge of a step that goes on, and the notice that goes out when it is due.
  addReminder(host, time, { name, word, template, seat }) {
    const { model } = this.editor;
    return this.together(() => {
      const modeling = this.get('modeling');
      this.roomBelow(host);
      const event = this.addBoundary(host, 'due');
      time(event);
      modeling.updateLabel(event, name);
      const send = this.get('autoPlace').append(event, this.shape('bpmn:SendTask'));
      modeling.updateLabel(send, word);
      model.setAttribute(send, 'topic', 'notify');
      if (seat) model.setProperty(send, 'to', seat);
      model.setProperty(send, 'template', template);
      const end = this.get('autoPlace').append(send, this.shape('bpmn:EndEvent'));
      modeling.updateLabel(end, `${word}済み`);
      return event;
    });
  }

  // Whatever stands where a notice is to be drawn below a step moves down.
  roomBelow(host) {
    const bottom = host.y + host.height;
    const near = this.get('elementRegistry').filter((one) => is(one, NODE) && one.type !== 'label' && one.parent === host.parent && one.host !== host);
    const inWay = near.filter((one) => one.y >= bottom && one.y < bottom + BELOW && one.x < host.x + host.width + 300 && one.x + one.width > host.x);
    if (inWay.length) makeSpace(this.get('canvas'), this.get('spaceTool'), bottom + 1, bottom + BELOW - Math.min(...inWay.map((one) => one.y)), 'y');
  }

  addAnyTime() {
    return this.together(() => {
      const root = this.pool();
      const modeling = this.get('modeling');
      const inside = (root.children ?? []).filter((one) => !one.waypoints && !is(one, 'bpmn:Lane'));
      const x = Math.max(root.x ?? 0, ...inside.map((one) => one.x + one.width)) + GAP + 150;
      const y = (root.y ?? 80) + 110;
      const frame = modeling.createShape(this.shape('bpmn:SubProcess', { triggeredByEvent: true, isExpanded: true, width: 300, height: 140 }), { x, y }, root);
      const start = modeling.createShape(this.shape('bpmn:StartEvent', { eventDefinitionType: 'bpmn:MessageEventDefinition', isInterrupting: false }), { x: frame.x + 60, y: frame.y + 70 }, frame);
      this.get('autoPlace').append(start, this.shape('bpmn:EndEvent'));
      return start;
    });
  }

  addStart() {
    return this.together(() => {
      const root = this.pool();
      return this.get('modeling').createShape(this.shape('bpmn:StartEvent'), { x: (root.x ?? 100) + 100, y: (root.y ?? 80) + (root.height ?? 200) / 2 }, root);
    });
  }

  pool() {
    const root = this.get('canvas').getRootElement();
    return root.children?.find((one) => is(one, 'bpmn:Participant')) ?? root;
  }

  remove(elements) {
    this.get('modeling').removeElements(elements);
  }

  canMove(element, step) {
    const [before, after] = [this.before(element), this.after(element)];
    if (!before || !after || is(element, 'bpmn:Gateway')) return false;
    const other = step < 0 ? before.source : after.target;
    return Boolean(this.before(other) && this.after(other)) && !is(other, 'bpmn:Gateway') && objectOf(other).$parent === objectOf(element).$parent;
  }

  before(element) {
    const flows = (element.incoming ?? []).filter((one) => is(one, 'bpmn:SequenceFlow'));
    return flows.length === 1 ? flows[0] : null;
  }

  after(element) {
    const flows = waysOf(element);
    return flows.length === 1 ? flows[0] : null;
  }

  // Exchange a step with the one before or after it: a -> b -> c -> d becomes a -> c -> b -> d.
  move(element, step) {
    const [first, second] = step < 0 ? [this.before(element).source, element] : [element, this.after(element).target];
    const [into, between, out] = [this.before(first), this.after(first), this.after(second)];
    this.together(() => {
      const modeling = this.get('modeling');
      const [a, b] = [getMid(first), getMid(second)];
      const inward = into.source;
      const onward = out.target;
      modeling.reconnect(between, second, first, [getMid(second), getMid(first)]);
      modeling.reconnect(into, inward, second, [getMid(inward), getMid(second)]);
      modeling.reconnect(out, first, onward, [getMid(first), getMid(onward)]);
      modeling.moveElements([first], { x: b.x - a.x, y: sameLane(first, second) ? b.y - a.y : 0 }, first.parent, { autoResize: false });
      modeling.moveElements([second], { x: a.x - b.x, y: sameLane(first, second) ? a.y - b.y : 0 }, second.parent, { autoResize: false });
      for (const flow of [into, between, out]) modeling.layoutConnection(flow);
    });
  }

  connect(source, target) {
    return this.together(() => this.get('modeling').connect(source, target, { type: 'bpmn:SequenceFlow' }));
  }

  lead(flow, target) {
    this.together(() => {
      const modeling = this.get('modeling');
      modeling.reconnectEnd(flow, target, getMid(target));
      modeling.layoutConnection(flow);
    });
  }

  // Where a flow or a new one may lead: anything in the same scope that something can arrive at.
  targets(source) {
    return this.get('elementRegistry').filter(
      (one) => one !== source && one.type !== 'label' && is(one, 'bpmn:FlowNode') && !is(one, 'bpmn:StartEvent') && !is(one, 'bpmn:BoundaryEvent') && !objectOf(one).triggeredByEvent && objectOf(one).$parent === objectOf(source).$parent,
    );
  }

  lanes() {
    return this.get('elementRegistry').filter((one) => is(one, 'bpmn:Lane') && !(one.children ?? []).some((child) => is(child, 'bpmn:Lane')));
  }

  laneOf(element) {
    const [x, y] = [element.x + element.width / 2, element.y + element.height / 2];
    return this.lanes().find((lane) => x >= lane.x && x <= lane.x + lane.width && y >= lane.y && y <= lane.y + lane.height) ?? null;
  }

  toLane(element, lane) {
    const delta = Math.round(getMid(lane).y - getMid(element).y);
    this.together(() => this.get('modeling').moveElements([element], { x: 0, y: delta }, element.parent));
  }

  addLane() {
    const lanes = this.lanes();
    const beside = lanes.at(-1) ?? this.pool();
    if (!is(beside, 'bpmn:Lane') && !is(beside, 'bpmn:Participant')) return null;
    return this.get('modeling').addLane(beside, 'bottom');
  }
}

function sameLane(one, other) {
  return Math.abs(getMid(one).y - getMid(other).y) < 60;
}
