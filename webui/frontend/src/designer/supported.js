// What can be drawn: palette, context pad and change menu hold what docs/conformance.md says runs; new elements get ids that people can read.
import ContextPadProvider from 'bpmn-js/lib/features/context-pad/ContextPadProvider';
import BpmnFactory from 'bpmn-js/lib/features/modeling/BpmnFactory';
import CommandInterceptor from 'diagram-js/lib/command/CommandInterceptor';
import { selfAndAllChildren } from 'diagram-js/lib/util/Elements';
import { getLabel } from 'bpmn-js/lib/util/LabelUtil';
import { is } from 'bpmn-js/lib/util/ModelUtil';
import { isEventSubProcess } from 'bpmn-js/lib/util/DiUtil';

// ---------------------------------------------------------------- ids

const STEMS = [
  ['bpmn:StartEvent', 'start'], ['bpmn:EndEvent', 'end'], ['bpmn:BoundaryEvent', 'event'], ['bpmn:Event', 'event'], ['bpmn:Gateway', 'gateway'],
  ['bpmn:CallActivity', 'call'], ['bpmn:SubProcess', 'part'], ['bpmn:Activity', 'step'], ['bpmn:SequenceFlow', 'flow'], ['bpmn:Lane', 'lane'],
  ['bpmn:Participant', 'pool'], ['bpmn:Process', 'process'], ['bpmn:TextAnnotation', 'note'], ['bpmn:Message', 'message'], ['bpmn:Signal', 'signal'],
  ['bpmn:Error', 'error'], ['bpmn:Escalation', 'escalation'],
];

class ReadableFactory extends BpmnFactory {
  _ensureId(element) {
    const stem = !element.id && STEMS.find(([type]) => is(element, type))?.[1];
    if (stem) {
      const taken = this._model.ids;
      let number = 1;
      while (taken.assigned(`${stem}_${number}`)) number++;
      element.id = `${stem}_${number}`;
    }
    return super._ensureId(element);
  }
}

// ---------------------------------------------------------------- palette

class Palette {
  constructor(palette, create, elementFactory, spaceTool, lassoTool, handTool, globalConnect, translate) {
    Object.assign(this, { create, elementFactory, spaceTool, lassoTool, handTool, globalConnect, translate });
    palette.registerProvider(this);
  }

  make(group, className, title, type, options = {}) {
    const start = (event) => this.create.start(event, this.elementFactory.createShape({ type, ...options }));
    return { group, className, title, action: { dragstart: start, click: start } };
  }

  getPaletteEntries() {
    const { create, elementFactory, translate } = this;
    const tool = (className, title, act) => ({ group: 'tools', className, title: translate(title), action: { click: act } });
    const framed = (event, options) => {
      const frame = elementFactory.createShape({ type: 'bpmn:SubProcess', x: 0, y: 0, isExpanded: true, ...options });
      const start = elementFactory.createShape({
        type: 'bpmn:StartEvent', x: 40, y: 82, parent: frame,
        ...(options?.triggeredByEvent ? { eventDefinitionType: 'bpmn:MessageEventDefinition', isInterrupting: false } : {}),
      });
      create.start(event, [frame, start], { hints: { autoSelect: [frame] } });
    };
    const frame = (className, title, options) => ({
      group: 'activity', className, title,
      action: { dragstart: (event) => framed(event, options), click: (event) => framed(event, options) },
    });
    const pool = (event) => create.start(event, elementFactory.createParticipantShape());
    return {
      'hand-tool': tool('bpmn-icon-hand-tool', 'Activate hand tool', (event) => this.handTool.activateHand(event)),
      'lasso-tool': tool('bpmn-icon-lasso-tool', 'Activate lasso tool', (event) => this.lassoTool.activateSelection(event)),
      'space-tool': tool('bpmn-icon-space-tool', 'Activate create/remove space tool', (event) => this.spaceTool.activateSelection(event)),
      'global-connect-tool': tool('bpmn-icon-connection-multi', 'Activate global connect tool', (event) => this.globalConnect.start(event)),
      'tool-separator': { group: 'tools', separator: true },
      'create.start-event': this.make('event', 'bpmn-icon-start-event-none', '開始', 'bpmn:StartEvent'),
      'create.timer': this.make('event', 'bpmn-icon-intermediate-event-catch-timer', '時間を待つ（処理の縁に置くと期限）', 'bpmn:IntermediateCatchEvent', {
        eventDefinitionType: 'bpmn:TimerEventDefinition',
      }),
      'create.end-event': this.make('event', 'bpmn-icon-end-event-none', '終了', 'bpmn:EndEvent'),
      'create.user-task': this.make('activity', 'bpmn-icon-user-task', '人の処理', 'bpmn:UserTask'),
      'create.service-task': this.make('activity', 'bpmn-icon-service-task', '自動処理', 'bpmn:ServiceTask'),
      'create.call-activity': this.make('activity', 'bpmn-icon-call-activity', '別の図を呼ぶ', 'bpmn:CallActivity'),
      'create.exclusive-gateway': this.make('gateway', 'bpmn-icon-gateway-xor', 'どれか1つに分ける', 'bpmn:ExclusiveGateway'),
      'create.parallel-gateway': this.make('gateway', 'bpmn-icon-gateway-parallel', '同時に進める・合わせる', 'bpmn:ParallelGateway'),
      'create.sub-process': frame('bpmn-icon-subprocess-expanded', 'まとまり（サブプロセス）'),
      'create.event-sub-process': frame('bpmn-icon-event-subprocess-expanded', 'いつでもできる操作', { triggeredByEvent: true }),
      'create.participant': {
        group: 'collaboration', className: 'bpmn-icon-participant', title: '枠（プール）', action: { dragstart: pool, click: pool },
      },
      'create.annotation': this.make('artifact', 'bpmn-icon-text-annotation', '注記', 'bpmn:TextAnnotation'),
    };
  }
}
Palette.$inject = ['palette', 'create', 'elementFactory', 'spaceTool', 'lassoTool', 'handTool', 'globalConnect', 'translate'];

// ---------------------------------------------------------------- context pad

const UNWANTED = ['append.append-task', 'append.gateway', 'append.intermediate-event', 'append.compensation-activity', 'append.end-event'];

class ContextPad extends ContextPadProvider {
  getContextPadEntries(element) {
    const entries = super.getContextPadEntries(element);
    const plain = 'append.append-task' in entries;
    for (const name of UNWANTED) delete entries[name];
    if (plain) {
      const append = (type, className, title, options) => this.appended(type, className, title, options);
      const added = {
        'append.user-task': append('bpmn:UserTask', 'bpmn-icon-user-task', '次に人の処理'),
        'append.exclusive-gateway': append('bpmn:ExclusiveGateway', 'bpmn-icon-gateway-xor', '次にどれか1つに分ける'),
        'append.parallel-gateway': append('bpmn:ParallelGateway', 'bpmn-icon-gateway-parallel', '次に同時に進める・合わせる'),
        'append.end-event': append('bpmn:EndEvent', 'bpmn-icon-end-event-none', '次に終了'),
        'append.timer': append('bpmn:IntermediateCatchEvent', 'bpmn-icon-intermediate-event-catch-timer', '次に時間を待つ', {
          eventDefinitionType: 'bpmn:TimerEventDefinition',
        }),
        'append.call-activity': append('bpmn:CallActivity', 'bpmn-icon-call-activity', '次に別の図を呼ぶ'),
      };
      return { ...added, ...entries };
    }
    return entries;
  }

  appended(type, className, title, options = {}) {
    const shape = () => this._elementFactory.createShape({ type, ...options });
    const drag = (event, element) => this._create.start(event, shape(), { source: element });
    return {
      group: 'model', className, title,
      action: {
        dragstart: drag,
        click: this._autoPlace ? (_, element) => this._autoPlace.append(element, shape()) : drag,
        hover: (_, element) => (this._appendPreview.create(element, type, options), () => this._appendPreview.cleanUp()),
      },
    };
  }
}

// ---------------------------------------------------------------- change menu

const REFUSED = /script-task|transaction|ad-hoc|complex-gateway|compensation|cancel|collapsed-pool|data-store|data-object|none-boundary|instantiat|multiple|event-subprocess/;

class ChangeMenu {
  constructor(popupMenu) {
    popupMenu.registerProvider('bpmn-replace', 500, this);
  }

  getPopupMenuEntries(element) {
    return (entries) => {
      for (const name of Object.keys(entries)) if (REFUSED.test(name) || !runs(name, element)) delete entries[name];
      return entries;
    };
  }

  getPopupMenuHeaderEntries() {
    return (entries) => {
      for (const name of ['toggle-loop', 'toggle-participant-multiplicity', 'toggle-is-collection', 'toggle-adhoc', 'toggle-ad-hoc']) delete entries[name];
      return entries;
    };
  }
}
ChangeMenu.$inject = ['popupMenu'];

// The start of a procedure waits for nothing but an order, a time or a signal: conditions start event sub-processes only.
function runs(name, element) {
  const object = element.businessObject;
  if (isEventSubProcess(object) && /subprocess/.test(name)) return false; // its start would be of the wrong kind, as the other way round
  if (!is(object, 'bpmn:StartEvent') && /-start\b/.test(name)) return false; // a start is drawn, nothing becomes one
  if (is(object, 'bpmn:StartEvent') && is(object.$parent, 'bpmn:Process')) return !/conditional-start|error-start|escalation-start/.test(name);
  if (is(object, 'bpmn:StartEvent') && isEventSubProcess(object.$parent)) return !/none-start/.test(name);
  return true;
}

// ---------------------------------------------------------------- room

const GAP = 50;

// Something dropped on a flow that is too short for it pushes what comes after to the right, instead of lying over it.
class Room extends CommandInterceptor {
  constructor(eventBus, bpmnRules, canvas, injector) {
    super(eventBus);
    this.preExecute('shape.create', 1500, (context) => {
      const { parent: flow, shape } = context;
      if (!flow?.waypoints || !bpmnRules.canInsert(shape, flow)) return;
      const start = flow.source.x + flow.source.width;
      if (flow.target.x < start) return;
      const missing = shape.width + 2 * GAP - (flow.target.x - start);
      if (missing > 0) makeSpace(canvas, injector.get('spaceTool'), start + 1, missing);
      context.position = { x: start + GAP + shape.width / 2, y: flow.source.y + flow.source.height / 2 };
    }, true);
  }
}
Room.$inject = ['eventBus', 'bpmnRules', 'canvas', 'injector'];

// Everything right of a line (or below it, `y`) moves by so much; frames that it crosses grow.
export function makeSpace(canvas, spaceTool, start, width, axis = 'x') {
  const root = canvas.getRootElement();
  const all = selfAndAllChildren(root, true).filter((one) => one !== root);
  const { movingShapes, resizingShapes } = spaceTool.calculateAdjustments([root, ...all], axis, width, start);
  spaceTool.makeSpace(movingShapes, resizingShapes, { x: 0, y: 0, [axis]: width }, axis === 'x' ? 'e' : 's', start);
}

// A name that was looked at and left as it was is no change to be undone.
class SameName {
  constructor(labelEditingProvider) {
    const update = labelEditingProvider.update;
    labelEditingProvider.update = function (element, text, ...more) {
      if (text !== (getLabel(element) ?? '')) update.call(this, element, text, ...more);
    };
  }
}
SameName.$inject = ['labelEditingProvider'];

const boundsOf = (one) => one && { x: one.x, y: one.y, width: one.width, height: one.height };

// The library writes a label's place anew whenever it is drawn, rounded: one that stands where it was read keeps what the file said.
class LabelsAsWritten {
  constructor(eventBus, elementRegistry) {
    let read = new Map();
    eventBus.on('import.done', () => {
      const labels = elementRegistry.filter((one) => one.type === 'label' && one.di);
      read = new Map(labels.map((one) => [one, { here: boundsOf(one), written: one.di.get('label'), said: boundsOf(one.di.get('label')?.bounds) }]));
    });
    eventBus.on('shape.changed', 500, ({ element }) => {
      const was = read.get(element);
      if (!was || Object.entries(was.here).some(([name, value]) => element[name] !== value)) return;
      if (was.said) Object.assign(was.written.bounds, was.said);
      element.di.set('label', was.written);
    });
  }
}
LabelsAsWritten.$inject = ['eventBus', 'elementRegistry'];

export default {
  __init__: ['changeMenuLimits', 'labelsAsWritten', 'roomForInserted', 'sameName'],
  bpmnFactory: ['type', ReadableFactory],
  paletteProvider: ['type', Palette],
  contextPadProvider: ['type', ContextPad],
  changeMenuLimits: ['type', ChangeMenu],
  labelsAsWritten: ['type', LabelsAsWritten],
  roomForInserted: ['type', Room],
  sameName: ['type', SameName],
};
