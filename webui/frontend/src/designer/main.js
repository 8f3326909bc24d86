// The designer's page: puts the parts together around one draft.
import './designer.css';
import { h } from './dom.js';
import { Editor } from './editor.js';
import { settle } from './fields.js';
import { Findings } from './findings.js';
import { preserve } from './keep.js';
import { layout } from './layout.js';
import { Outline } from './outline.js';
import { Panel } from './panel.js';
import { Replay } from './replay.js';
import { Saving } from './saving.js';
import { parse, reminder, say } from './sentences.js';
import { tools } from './tools.js';
import { missed } from './words.js';

const place = document.getElementById('designer');

function tabs(side, chosen) {
  const bar = h('div', { class: 'designer-tabs', role: 'tablist', 'aria-label': '図の内容' });
  const made = new Map();
  const choose = (name, focus) => {
    for (const [other, { tab, panel }] of made) {
      const on = other === name;
      tab.setAttribute('aria-selected', String(on));
      tab.tabIndex = on ? 0 : -1;
      panel.hidden = !on;
      if (on && focus) tab.focus();
    }
    chosen(name);
  };
  const add = (name, label) => {
    const tab = h('button', { class: 'designer-tab', type: 'button', role: 'tab', id: `tab-${name}`, 'aria-controls': `panel-${name}`, onclick: () => choose(name) }, label);
    tab.addEventListener('keydown', (event) => {
      const names = [...made.keys()];
      const step = { ArrowRight: 1, ArrowLeft: -1 }[event.key];
      if (step) choose(names[(names.indexOf(name) + step + names.length) % names.length], true), event.preventDefault();
    });
    const panel = h('div', { class: 'designer-panel', role: 'tabpanel', id: `panel-${name}`, 'aria-labelledby': `tab-${name}`, tabindex: '-1' });
    made.set(name, { tab, panel });
    bar.append(tab);
    side.append(panel);
    return { tab, panel };
  };
  side.append(bar);
  return { add, choose };
}

async function start() {
  const stage = h('div', { class: 'designer-stage' });
  const side = h('section', { class: 'designer-side', 'aria-label': '図の内容' });
  const bar = h('div', { class: 'designer-bar', role: 'toolbar', 'aria-label': '図の道具' });
  const playing = h('div', { class: 'replay', role: 'region', 'aria-label': '動きの再生' });
  place.querySelector('[data-editor]').replaceChildren(bar, h('div', { class: 'designer-main' }, h('div', { class: 'designer-canvas' }, stage, playing), side));
  for (const type of ['pointermove', 'pointerdown']) for (const one of [stage, bar]) one.addEventListener(type, settle, true);
  const editor = new Editor(place, stage);
  editor.proofs = place.dataset.proofs;
  window.designer = Object.assign(editor, { pure: { layout, parse, preserve, reminder, say }, missed }); // for tests and for people who look behind the page
  await editor.load();
  const shown = {}; // what draws a tab's panel, once it is there
  const { add, choose } = tabs(side, (name) => shown[name]?.show());
  const [properties, outline, findings] = [add('properties', '内容'), add('outline', '構成'), add('findings', '指摘')];
  choose('properties');
  const saving = (editor.saving = new Saving(editor, place.querySelector('[data-saved]')));
  tools(editor, saving, bar);
  const panel = (shown.properties = new Panel(editor, properties.panel));
  const found = new Findings(editor, saving, findings.panel, findings.tab, new Replay(editor, playing));
  shown.outline = new Outline(editor, panel, found, outline.panel);
  editor.on('pointed', (one) => one.message || choose('findings'));
  const opened = await editor.open(place.dataset.file);
  if (opened) editor.fit(), editor.show(place.dataset.element);
  found.look();
  place.dataset.ready = 'yes';
}

start().catch((error) => {
  place.querySelector('[data-editor]').replaceChildren(h('p', { class: 'alert alert-error' }, `図を開けませんでした。読み直してください。（${error.message}）`));
  place.dataset.ready = 'failed';
  throw error;
});
