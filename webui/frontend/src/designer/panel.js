// The properties panel: what the selected element is, in words; each part of it in a module of its own.
import { h } from './dom.js';
import { button, group, keepingFocus } from './fields.js';
import { Model, is, kindOf, nameOf } from './model.js';
import { generalPane, laneAndNotePane, processPane } from './panel-general.js';
import { actionPane, duePane, momentsPane, morePane, peoplePane } from './panel-people.js';
import { eventPane } from './panel-events.js';
import { callPane, repeatPane, rulePane, servicePane } from './panel-work.js';
import { flowPane, waysPane } from './panel-flows.js';
import { formPane } from './form-fields.js';
import { remindersPane } from './reminders.js';
import { timerPane } from './timers.js';
import { kindWords } from './kinds.js';

// An element that was something else before still carries what it asked.
const strayForm = (model, element) =>
  group(
    'form',
    '入力項目',
    h('p', { class: 'pane-help' }, `この要素は何も尋ねません。以前の入力項目（${model.form(element).map((one) => one.label ?? one.id).join('、')}）が残っています。`),
    button('残っている入力項目を消す', () => model.setForm(element, []), 'form-clear'),
  );

class Together {
  preExecute({ act }) {
    act();
  }
}

export class Panel {
  constructor(editor, place) {
    this.editor = editor;
    this.place = place;
    this.model = new Model(editor);
    editor.model = this.model;
    if (!editor.readOnly) editor.get('commandStack').registerHandler('designer.together', Together);
    for (const type of ['selected', 'opened', 'vocabulary']) editor.on(type, () => this.show());
    editor.on('redrawn', () => this.show());
    let offered = '';
    editor.on('examined', () => {
      const now = JSON.stringify([editor.processes, editor.decisions]);
      if (now !== offered) this.show();
      offered = now;
    });
  }

  show() {
    if (this.place.hidden) return this.place.replaceChildren(); // drawn when its tab is opened
    if (this.waiting) return;
    this.waiting = true;
    queueMicrotask(() => {
      this.waiting = false;
      if (this.place.hidden) return;
      keepingFocus(this.place, () => this.place.replaceChildren(this.drawn()));
    });
  }

  drawn() {
    const { editor } = this;
    if (editor.broken) return h('div', { class: 'alert alert-error' }, h('p', {}, 'この図は、BPMNとして読み取れないので描けません。「指摘」を見て、元の道具で直してください。'), h('p', { class: 'small', lang: 'en' }, h('code', {}, editor.broken.message)));
    const many = editor.get('selection').get();
    if (many.length > 1) return h('p', {}, `${many.length}個の要素を選んでいます。`);
    const element = editor.selected ?? null;
    const inside = h('fieldset', { class: 'pane', disabled: editor.readOnly }, this.parts(element));
    return inside;
  }

  parts(element) {
    const { editor, model } = this;
    if (!element || is(element, 'bpmn:Participant') || is(element, 'bpmn:Process') || is(element, 'bpmn:Collaboration'))
      return [h('h2', { class: 'pane-title' }, '手続'), processPane(editor, model, element)];
    const title = h('h2', { class: 'pane-title' }, nameOf(element), ' ', h('span', { class: 'badge' }, kindWords(element)));
    if (is(element, 'bpmn:SequenceFlow')) return [title, flowPane(editor, model, element)];
    if (is(element, 'bpmn:Lane') || is(element, 'bpmn:TextAnnotation') || is(element, 'bpmn:Group')) return [title, laneAndNotePane(editor, model, element)];
    const personal = is(element, 'bpmn:UserTask') || is(element, 'bpmn:ManualTask');
    const event = is(element, 'bpmn:Event');
    const asks = personal || (is(element, 'bpmn:StartEvent') && ['none', 'message'].includes(kindOf(element))) || (event && kindOf(element) === 'message' && is(element, 'bpmn:CatchEvent'));
    return [
      title,
      generalPane(editor, model, element),
      personal && peoplePane(editor, model, element),
      event && eventPane(editor, model, element),
      event && kindOf(element) === 'timer' && timerPane(editor, model, element),
      event && asks && actionPane(editor, model, element),
      duePane(editor, model, element),
      personal && remindersPane(editor, model, element),
      asks && formPane(editor, model, element, { button: model.property(element, 'button') }),
      !asks && model.form(element).length > 0 && strayForm(model, element),
      servicePane(editor, model, element),
      rulePane(editor, model, element),
      callPane(editor, model, element),
      repeatPane(editor, model, element),
      personal && momentsPane(editor, model, element),
      waysPane(editor, model, element),
      morePane(editor, model, element),
    ];
  }
}
