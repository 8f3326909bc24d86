// The outline: the diagram as a list that is read and changed without the canvas, by mouse, keyboard or screen reader.
import { announce, h, unique } from './dom.js';
import { keepingFocus, pick } from './fields.js';
import { is, nameOf, objectOf, oneLine } from './model.js';
import { kindWords } from './kinds.js';
import { outline } from './outline-tree.js';
import { Acts, BOUNDARIES, COPIED, KINDS } from './outline-acts.js';
import { waysOf } from './panel-flows.js';
import { seatWords } from './panel-people.js';

export class Outline {
  constructor(editor, panel, findings, place) {
    Object.assign(this, { editor, panel, findings, place, acts: new Acts(editor) });
    this.chosen = null;
    for (const type of ['opened', 'redrawn', 'examined']) editor.on(type, () => this.show());
    editor.on('selected', () => {
      const element = editor.selected;
      if (element && element.id !== this.chosen && (is(element, 'bpmn:FlowNode') || is(element, 'bpmn:SequenceFlow'))) this.choose(element.id, false);
    });
    place.addEventListener('keydown', (event) => this.key(event));
  }

  get visible() {
    return !this.place.hidden;
  }

  show() {
    if (this.waiting || !this.visible) return;
    this.waiting = true;
    queueMicrotask(() => {
      this.waiting = false;
      keepingFocus(this.place, () => this.draw(), () => {
        if (this.focusing) this.place.querySelector(`[data-control="line-${CSS.escape(this.focusing)}"]`)?.focus();
        this.focusing = null;
      });
    });
  }

  draw() {
    const { editor } = this;
    if (editor.broken) return this.place.replaceChildren(h('p', {}, 'この図は読み取れません。'));
    const lines = outline(editor);
    const items = nested(lines, (line, inner) => this.line(line, inner));
    const nodes = lines.filter(({ kind }) => kind === 'node').length;
    return this.place.replaceChildren(
      h('h2', { class: 'pane-title' }, '構成', ' ', h('span', { class: 'small muted' }, `${nodes}個の要素`)),
      h('p', { class: 'pane-help' }, '項目を押すと、内容と操作が開きます。↑↓ 移動、Alt+↑↓ 順番を入れ替え、Delete 消す。'),
      items,
      !editor.readOnly &&
        h(
          'div',
          { class: 'button-row pane-row' },
          this.button('いつでもできる操作を足す', 'outline-any-time', () => this.made(this.acts.addAnyTime(), '操作を足しました。')),
          this.button('担当の段を足す', 'outline-lane', () => (this.acts.addLane(), announce('担当の段を足しました。'))),
          !nodes && this.button('開始を足す', 'outline-start', () => this.made(this.acts.addStart(), '開始を足しました。')),
        ),
    );
  }

  button(label, key, act, more = {}) {
    return h('button', { class: 'button button-secondary button-small', type: 'button', dataset: { control: key }, onclick: act, ...more }, label);
  }

  line(line, inner) {
    if (line.kind === 'title') return h('li', { class: 'outline-title' }, h('h3', {}, line.text), inner);
    const { element } = line;
    if (line.kind === 'jump') return h('li', { class: 'outline-jump' }, '→ ', h('button', { class: 'button-link', type: 'button', dataset: { control: `jump-${element.id}-${unique('j')}` }, onclick: () => this.choose(element.id, true) }, `${this.title(element)}へ`), inner);
    const open = this.chosen === element.id;
    const wrong = this.findings.all().filter((one) => one.element === element.id && (!one.file || one.file === this.editor.file));
    const words = line.kind === 'way' ? this.wayWords(element) : [h('span', { class: 'outline-name' }, this.title(element)), h('span', { class: 'small muted' }, this.under(element))];
    const id = unique('o');
    return h(
      'li',
      { class: `outline-line is-${line.kind}${open ? ' is-open' : ''}` },
      h(
        'button',
        { class: 'outline-item', type: 'button', 'aria-expanded': String(open), 'aria-controls': open ? id : undefined, dataset: { control: `line-${element.id}`, line: element.id }, onclick: () => this.choose(open ? null : element.id, true) },
        h('span', { class: 'badge outline-kind' }, line.kind === 'way' ? '分かれ' : kindWords(element)),
        h('span', { class: 'outline-words' }, words),
        wrong.length > 0 && h('span', { class: `badge ${wrong.some((one) => one.severity === 'error') ? 'badge-overdue' : 'badge-today'}` }, `指摘${wrong.length}`),
      ),
      open && h('div', { class: 'outline-open', id }, wrong.map((one) => h('p', { class: 'field-error' }, one.message)), h('fieldset', { class: 'pane', disabled: this.editor.readOnly }, line.kind === 'way' ? this.wayActions(element) : this.actions(element), this.panel.parts(element))),
      inner,
    );
  }

  under(element) {
    const parts = [];
    if (is(element, 'bpmn:UserTask') || is(element, 'bpmn:ManualTask')) {
      const [seat] = this.editor.model.groups(element);
      parts.push(seat ? seatWords(this.editor, seat) : this.editor.model.attribute(element, 'assignee') ? '報告者など' : '担当が決まっていません');
    }
    const called = is(element, 'bpmn:CallActivity') && objectOf(element).calledElement;
    if (called) parts.push([...this.editor.processes, ...(this.editor.vocabulary?.callable ?? [])].find(({ id }) => id === called)?.name ?? called);
    return parts.join('　');
  }

  // What an element is called here: what joins or parts ways often has no name of its own.
  title(element) {
    const name = oneLine(objectOf(element).name);
    if (name || !is(element, 'bpmn:Gateway')) return name || nameOf(element);
    if (waysOf(element).length > 1) return is(element, 'bpmn:ParallelGateway') ? '同時に分かれて進む' : '分かれる';
    return is(element, 'bpmn:ParallelGateway') ? 'すべてそろうまで待つ' : '合流する';
  }

  wayWords(flow) {
    if (is(flow.source, 'bpmn:ParallelGateway')) return h('span', { class: 'outline-name' }, oneLine(objectOf(flow).name) || `同時に進む枝${waysOf(flow.source).indexOf(flow) + 1}`);
    const standard = objectOf(flow.source).default === objectOf(flow);
    const condition = this.editor.model.condition(flow);
    return [h('span', { class: 'outline-name' }, oneLine(objectOf(flow).name) || (standard ? 'どれでもないとき' : condition ? '（名前なし）' : '（条件なし）')), h('span', { class: 'small muted' }, standard ? 'どれにも当てはまらないとき' : condition ? h('code', {}, condition) : '')];
  }

  // ------------------------------------------------------------ acts

  actions(element) {
    const { acts } = this;
    const ends = is(element, 'bpmn:EndEvent');
    const target = acts.targets(element).map((one) => [one.id, `${nameOf(one)}（${one.id}）`]);
    const lane = acts.laneOf(element);
    const activity = is(element, 'bpmn:Activity') && !objectOf(element).triggeredByEvent;
    return h(
      'div',
      { class: 'outline-actions' },
      !ends && !objectOf(element).triggeredByEvent && pick(`add-${element.id}`, waysOf(element).length && acts.branches(element) ? '分かれを足す' : '次に足す', this.kinds(), (kind) => this.made(acts.addAfter(element, kind), `${this.kinds().find(([id]) => id === kind)[1]}を足しました。`)),
      !ends && target.length > 0 && pick(`connect-${element.id}`, waysOf(element).length ? 'ほかの要素へもつなぐ' : 'ほかの要素へつなぐ', target, (id) => (acts.connect(element, this.editor.element(id)), this.stay(element.id, 'つなぎました。')), { verb: 'つなぐ' }),
      activity && pick(`boundary-${element.id}`, '途中で起きることを足す', BOUNDARIES.map(([id, label]) => [id, label]), (kind) => this.made(acts.addBoundary(element, kind), '途中で起きることを足しました。')),
      acts.lanes().length > 1 && !is(element, 'bpmn:BoundaryEvent') && pick(`lane-${element.id}`, `図の段（いまは${lane ? nameOf(lane) : 'なし'}）`, acts.lanes().filter((one) => one !== lane).map((one) => [one.id, nameOf(one)]), (id) => (acts.toLane(element, this.editor.element(id)), this.stay(element.id, '段を移しました。')), { verb: '移す' }),
      h(
        'div',
        { class: 'button-row pane-row' },
        this.button('前へ移す', `up-${element.id}`, () => (acts.move(element, -1), this.stay(element.id, '前へ移しました。')), { disabled: !acts.canMove(element, -1) }),
        this.button('後へ移す', `down-${element.id}`, () => (acts.move(element, 1), this.stay(element.id, '後へ移しました。')), { disabled: !acts.canMove(element, 1) }),
        !is(element, 'bpmn:BoundaryEvent') && this.button('コピー', `copy-${element.id}`, () => (this.editor.get('copyPaste').copy(element), this.stay(element.id, 'コピーしました。次に足すものとして選べます。'))),
        this.button('消す', `remove-${element.id}`, () => this.remove(element)),
      ),
    );
  }

  kinds() {
    const copied = this.acts.copied();
    return [...KINDS.map(([id, label]) => [id, label]), ...(copied ? [[COPIED, `コピーした「${nameOf(copied)}」`]] : [])];
  }

  wayActions(flow) {
    const target = this.acts.targets(flow.source).map((one) => [one.id, `${nameOf(one)}（${one.id}）`]);
    return h(
      'div',
      { class: 'outline-actions' },
      pick(`insert-${flow.id}`, 'この途中に足す', KINDS.map(([id, label]) => [id, label]), (kind) => this.inserted(flow, kind)),
      pick(`lead-${flow.id}`, `行き先（いまは${nameOf(flow.target)}）`, target.filter(([id]) => id !== flow.target.id), (id) => (this.acts.lead(flow, this.editor.element(id)), this.stay(flow.id, '行き先を変えました。')), { verb: '変える' }),
      h('div', { class: 'button-row pane-row' }, this.button('この流れを消す', `remove-${flow.id}`, () => this.remove(flow))),
    );
  }

  inserted(flow, kind) {
    const [, label, type, options] = KINDS.find(([id]) => id === kind);
    this.made(this.acts.together(() => this.acts.insert(flow, this.acts.shape(type, options))), `${label}を足しました。`);
  }

  made(element, text) {
    if (element) this.stay(element.id, text);
  }

  stay(id, text) {
    announce(text);
    this.choose(id, true);
  }

  remove(element) {
    const items = [...this.place.querySelectorAll('[data-line]')].map((one) => one.dataset.line);
    const place = items.indexOf(element.id);
    this.acts.remove([element]);
    // Flows go with what they lead to.
    const next = [...items.slice(place + 1), ...items.slice(0, Math.max(place, 0)).reverse()].find((id) => this.editor.element(id)) ?? null;
    announce(`${nameOf(element)}を消しました。元に戻すには、元に戻すボタンか Ctrl+Z。`);
    this.chosen = null;
    this.focusing = next;
    this.show();
  }

  choose(id, focus) {
    this.chosen = id;
    const element = id && this.editor.element(id);
    if (element && focus) this.editor.show(id);
    if (focus) this.focusing = id;
    this.show();
  }

  // ------------------------------------------------------------ keys

  key(event) {
    const item = event.target.closest?.('[data-line]');
    if (!item || event.isComposing) return;
    const element = this.editor.element(item.dataset.line);
    const items = [...this.place.querySelectorAll('[data-line]')];
    const step = { ArrowDown: 1, ArrowUp: -1 }[event.key];
    if (step && event.altKey) {
      if (!this.editor.readOnly && is(element, 'bpmn:FlowNode') && this.acts.canMove(element, step)) this.acts.move(element, step), this.stay(element.id, step < 0 ? '前へ移しました。' : '後へ移しました。');
    } else if (step) items[items.indexOf(item) + step]?.focus();
    else if (event.key === 'Home') items[0].focus();
    else if (event.key === 'End') items.at(-1).focus();
    else if (event.key === 'Delete' && !this.editor.readOnly) this.remove(element);
    else if ((event.ctrlKey || event.metaKey) && event.key === 'z' && !this.editor.readOnly) this.editor.get('commandStack').undo();
    else return;
    event.preventDefault();
  }
}

// Lines with depths as lists within lists.
function nested(lines, draw) {
  let place = 0;
  const level = (depth) => {
    const list = h('ol', { class: 'outline' });
    while (place < lines.length && lines[place].depth >= depth) {
      const line = lines[place++];
      const inner = place < lines.length && lines[place].depth > line.depth ? level(lines[place].depth) : null;
      list.append(draw(line, inner));
    }
    return list;
  };
  return level(0);
}
