// The page of one file of decision tables: dmn-js with what Tadachi reads and nothing else, saved by itself like the drawing.
import './tables.css';
import Modeler from 'dmn-js/lib/Modeler';
import { HIT_POLICIES } from 'dmn-js-decision-table/lib/features/hit-policy/HitPolicies';
import { get, post } from './api.js';
import { debounce, h } from './dom.js';
import { preserve } from './keep.js';
import { Saving } from './saving.js';
import words, { translateWithin } from './tables-words.js';

// The policies that engine/decisions.py knows.
const POLICIES = {
  UNIQUE: ['1つだけ当てはまる（UNIQUE）', '行が重ならず、当てはまる行は1つだけです。'],
  FIRST: ['上から最初（FIRST）', '上から見て、最初に当てはまった行で決まります。'],
  ANY: ['どれでも同じ（ANY）', 'いくつ当てはまっても、結果が同じです。'],
  COLLECT: ['すべて集める（COLLECT）', '当てはまった行の結果を集めます。'],
  'RULE ORDER': ['行の順に集める（RULE ORDER）', '当てはまった行の結果を、行の順に集めます。'],
};
for (let at = HIT_POLICIES.length - 1; at >= 0; at--) {
  const { hitPolicy, aggregation } = HIT_POLICIES[at].value;
  if (!POLICIES[hitPolicy] || aggregation) HIT_POLICIES.splice(at, 1);
  else [HIT_POLICIES[at].label, HIT_POLICIES[at].explanation] = POLICIES[hitPolicy];
}
const UNREAD = ['create.knowledge-source', 'create.knowledge-model', 'create.business-knowledge-model', 'append.knowledge-source', 'append.business-knowledge-model'];

// Palette and context pad without what the gate refuses.
class Limits {
  constructor(palette, contextPad) {
    const without = () => (entries) => (UNREAD.forEach((name) => delete entries[name]), entries);
    palette?.registerProvider(500, { getPaletteEntries: without });
    contextPad?.registerProvider(500, { getContextPadEntries: without });
  }
}
Limits.$inject = ['palette', 'contextPad'];
const limits = { __init__: ['tadachiLimits'], tadachiLimits: ['type', Limits] };

const place = document.getElementById('designer-tables');

class Tables extends EventTarget {
  constructor(stage) {
    super();
    Object.assign(this, { base: place.dataset.base, file: place.dataset.file, readOnly: Boolean(place.dataset.whyNot) });
    const modules = { additionalModules: [words] };
    this.drawing = new Modeler({
      container: stage,
      common: { expressionLanguages: { options: [{ value: 'tadachi', label: '式' }], defaults: { editor: 'tadachi' } }, dataTypes: ['string', 'number', 'boolean', 'Any'] },
      drd: { additionalModules: [words, limits] },
      decisionTable: modules,
      literalExpression: modules,
      boxedExpression: modules,
    });
  }

  on(type, act) {
    this.addEventListener(type, (event) => act(event.detail));
  }

  tell(type, detail) {
    this.dispatchEvent(new CustomEvent(type, { detail }));
  }

  async load() {
    this.standing = await get(`${this.base}/files.json`);
    this.files = this.standing.files;
    this.process = this.standing.process;
  }

  async open(name = this.file) {
    this.opening = true;
    await this.drawing.importXML(this.files[name]);
    this.original = this.files[name];
    this.before = (await this.drawing.saveXML({ format: true })).xml;
    this.opening = false;
    this.heard = new Set();
    this.drawing.on('views.changed', () => this.hear());
    this.hear();
    this.tell('opened');
  }

  // Every view has a command stack of its own.
  hear() {
    const viewer = this.drawing.getActiveViewer();
    if (!viewer || this.heard.has(viewer)) return;
    this.heard.add(viewer);
    viewer.get('eventBus').on('commandStack.changed', ({ trigger }) => this.opening || trigger === 'clear' || this.tell('changed'));
  }

  async written() {
    const { xml } = await this.drawing.saveXML({ format: true });
    return preserve(this.original, this.before, xml);
  }

  async keep() {
    return (this.files[this.file] = await this.written());
  }
}

async function start() {
  const stage = h('div', { class: 'tables-stage' });
  const choose = h('select', { class: 'select designer-files', 'aria-label': '開く決定表' });
  const undo = h('button', { class: 'designer-button', type: 'button', dataset: { tool: 'undo' } }, '元に戻す');
  const redo = h('button', { class: 'designer-button', type: 'button', dataset: { tool: 'redo' } }, 'やり直す');
  const told = h('div', { class: 'tables-findings', role: 'status' });
  const bar = h('div', { class: 'designer-bar', role: 'toolbar', 'aria-label': '決定表の道具' }, choose, undo, redo);
  place.querySelector('[data-editor]').replaceChildren(bar, stage, told);
  translateWithin(stage);
  const editor = (window.designer = new Tables(stage));
  await editor.load();
  const saving = new Saving(editor, place.querySelector('[data-saved]'));
  if (editor.readOnly) stage.inert = true;

  const views = () => editor.drawing.getViews();
  const list = () => {
    const active = editor.drawing.getActiveView();
    choose.replaceChildren(...views().map((view, at) => h('option', { value: String(at), selected: view.element === active?.element }, view.type === 'drd' ? '全体図' : `${view.element.name || view.element.id}（${view.element.id}）`)));
  };
  choose.addEventListener('change', () => editor.drawing.open(views()[Number(choose.value)]));
  const stack = () => editor.drawing.getActiveViewer().get('commandStack');
  undo.addEventListener('click', () => stack().undo());
  redo.addEventListener('click', () => stack().redo());

  let asking = null;
  const look = async () => {
    asking?.abort();
    const mine = (asking = new AbortController());
    try {
      const answer = await post(`${editor.base}/inspect.json`, { files: { [editor.file]: await editor.written() }, process: editor.process }, { signal: mine.signal });
      const mineOnly = answer.findings.filter((one) => one.file === editor.file || answer.decisions.some(({ id, file }) => id === one.element && file === editor.file));
      told.replaceChildren(h('p', { class: 'finding-state' }, mineOnly.length ? `直すところが${mineOnly.length}件あります。` : '直すところはありません。'), h('ul', { class: 'finding-list' }, mineOnly.map((one) => h('li', { class: `finding is-${one.severity}` }, h('strong', {}, one.element), ' ', one.message))));
    } catch (error) {
      if (error.name !== 'AbortError') told.textContent = error.message;
    }
  };
  const soon = debounce(600, look);
  editor.on('changed', soon);
  editor.drawing.on('views.changed', () => {
    list();
    if (editor.drawing.getActiveView()?.type === 'drd') beside(editor.drawing.getActiveViewer().get('canvas'));
  });
  saving.editor = editor;
  await editor.open();
  list();
  await look();
  place.dataset.ready = 'yes';
}

// The whole drawing, right of the palette and below the name of the file.
function beside(canvas) {
  canvas.zoom('fit-viewport', 'auto');
  canvas.scroll({ dx: 60, dy: 110 });
}

start().catch((error) => {
  place.querySelector('[data-editor]').replaceChildren(h('p', { class: 'alert alert-error' }, `この決定表は開けません。（${error.message}）`));
  place.dataset.ready = 'failed';
});
