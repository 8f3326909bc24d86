// Inputs of the panel: a label, an input, what it means; each says what was typed a moment later, and at once when it is left.
import { h, unique } from './dom.js';

const DELAY = 500;

function field(key, label, help, control, wrong) {
  const id = control.id || (control.id = unique('p'));
  const helpId = help ? `${id}-help` : null;
  if (helpId) control.setAttribute('aria-describedby', helpId);
  return h(
    'div',
    { class: `pane-field${wrong ? ' has-error' : ''}`, dataset: { key } },
    h('label', { class: 'pane-label', for: id }, label),
    help && h('p', { class: 'pane-help', id: helpId }, help),
    control,
    wrong && h('p', { class: 'field-error' }, wrong),
  );
}

const pending = new Set();

// Takes what was typed and is not taken yet. The canvas asks for it as soon as the pointer comes there: a change in the middle of a drag
// would end the drag, and one between press and release would draw what is pressed anew under the pointer.
export const settle = () => [...pending].forEach((take) => take());

// Japanese is typed through an input method: nothing is taken before a word is settled.
export function commits(control, act, delay = DELAY) {
  let [last, waiting] = [control.value, null];
  const take = () => {
    clearTimeout(waiting);
    pending.delete(take);
    if (control.value === last) return;
    last = control.value;
    act(control.value);
  };
  const later = () => (clearTimeout(waiting), pending.add(take), (waiting = setTimeout(take, delay)));
  control.addEventListener('input', (event) => event.isComposing || later());
  control.addEventListener('compositionend', later);
  control.addEventListener('change', take);
  return control;
}

export function text(key, label, value, act, { help, wrong, code, placeholder } = {}) {
  const control = h('input', { class: `input pane-input${code ? ' pane-code' : ''}`, type: 'text', value: value ?? '', autocomplete: 'off', spellcheck: 'false', dataset: { control: key }, 'aria-label': placeholder });
  return field(key, label, help, commits(control, act), wrong);
}

export function area(key, label, value, act, { help } = {}) {
  const control = h('textarea', { class: 'textarea pane-input', rows: '3', dataset: { control: key } });
  control.value = value ?? '';
  return field(key, label, help, commits(control, act));
}

// options: [value, label]; a value that is not offered is shown as it is, so that nothing changes by looking.
export function select(key, label, value, options, act, { help, empty } = {}) {
  const known = options.some(([one]) => one === value);
  const all = [...(empty !== undefined ? [['', empty]] : []), ...(value && !known ? [[value, `${value}（一覧にありません）`]] : []), ...options];
  const control = h('select', { class: 'select pane-input', dataset: { control: key }, onchange: () => act(control.value) }, all.map(([one, words]) => h('option', { value: one, selected: one === (value ?? '') }, words)));
  return field(key, label, help, control);
}

export function check(key, label, checked, act, { help } = {}) {
  const control = h('input', { type: 'checkbox', checked, dataset: { control: key }, onchange: () => act(control.checked) });
  return h('div', { class: 'pane-field', dataset: { key } }, h('label', { class: 'choice pane-choice' }, control, h('span', {}, label)), help && h('p', { class: 'pane-help' }, help));
}

const chosen = new Map();

// A choice that does something: a select and a button, since arrow keys change a select before anything was decided.
export function pick(key, label, options, act, { help, verb = '足す', empty = '選んでください' } = {}) {
  const id = unique('p');
  const before = chosen.get(key); // what is chosen and not done yet outlives the panel's being drawn anew
  const control = h('select', { class: 'select pane-input', id, dataset: { control: key }, onchange: () => chosen.set(key, control.value) }, h('option', { value: '' }, empty), options.map(([one, words]) => h('option', { value: one, selected: one === before }, words)));
  const done = () => {
    if (!control.value) return control.focus();
    chosen.delete(key);
    return act(control.value);
  };
  const go = h('button', { class: 'button button-secondary button-small pane-go', type: 'button', dataset: { control: `${key}-go` }, 'aria-label': `${label}：${verb}`, onclick: done }, verb);
  return h('div', { class: 'pane-field', dataset: { key } }, h('label', { class: 'pane-label', for: id }, label), help && h('p', { class: 'pane-help' }, help), h('div', { class: 'pane-pick' }, control, go));
}

// A list one adds to and takes from: chosen values with what they say, and a choice for one more.
export function several(key, label, values, options, act, { help, words = () => '' } = {}) {
  const labels = new Map(options);
  const rest = options.filter(([one]) => !values.includes(one));
  const listed = values.map((value, place) =>
    h(
      'li',
      {},
      h('div', {}, h('strong', {}, labels.get(value) ?? `${value}（一覧にありません）`), words(value) && h('p', { class: 'small muted' }, words(value))),
      h('button', { class: 'pane-remove', type: 'button', dataset: { control: `${key}-${value}` }, 'aria-label': `${labels.get(value) ?? value}を外す`, onclick: () => act(values.filter((_, at) => at !== place)) }, '外す'),
    ),
  );
  const made = pick(key, label, rest, (value) => act([...values, value]), { help });
  if (listed.length) made.insertBefore(h('ul', { class: 'pane-chosen' }, listed), made.lastChild);
  return made;
}

export const button = (label, act, key, more = {}) =>
  h('button', { class: 'button button-secondary button-small', type: 'button', onclick: act, dataset: { control: key }, ...more }, label);

// A part of the panel that opens and closes, and stays as it was left.
const closed = new Set();
export function group(name, title, ...children) {
  const inside = children.flat(Infinity).filter(Boolean);
  if (!inside.length) return null;
  const made = h('details', { class: 'pane-group', open: !closed.has(name) }, h('summary', {}, h('h3', {}, title)), inside);
  made.addEventListener('toggle', () => (made.open ? closed.delete(name) : closed.add(name)));
  return made;
}
export const startClosed = (...names) => names.forEach((name) => closed.add(name));

// Whether drawing a panel anew would break into a word that an input method is composing, close a list one is choosing from, or take
// away the button that is just being pressed.
let [composing, pressed, typed] = [false, null, 0];
const CHOOSING = 2000;
for (const type of ['input', 'keydown']) addEventListener(type, () => (typed = Date.now()), true);
addEventListener('compositionstart', () => (composing = true), true);
for (const type of ['compositionend', 'focusout']) addEventListener(type, () => (composing = false), true);
addEventListener('pointerdown', ({ target }) => (pressed = target), true);
for (const type of ['pointerup', 'pointercancel', 'dragend']) addEventListener(type, () => (pressed = null), true);
const busy = (place) => {
  const active = document.activeElement;
  const chooses = active.getAttribute('role') === 'combobox' && active.getAttribute('aria-expanded') === 'true' && Date.now() - typed < CHOOSING;
  return place.contains(pressed) || (place.contains(active) && (composing || chooses));
};
const AGAIN = 50;
const postponed = new WeakSet();

// Draws a panel anew, when it can be, and puts the focus back where it was; `after` may put it elsewhere.
export function keepingFocus(place, draw, after = () => {}) {
  if (busy(place)) {
    if (postponed.has(place)) return;
    postponed.add(place);
    setTimeout(() => (postponed.delete(place), keepingFocus(place, draw, after)), AGAIN);
    return;
  }
  const active = place.contains(document.activeElement) ? document.activeElement : null;
  const key = active?.dataset.control ?? active?.closest('[data-control]')?.dataset.control;
  const [start, end] = active && 'selectionStart' in active ? [active.selectionStart, active.selectionEnd] : [null, null];
  const typed = active && 'value' in active && active.tagName !== 'SELECT' ? active.value : null;
  const top = place.scrollTop;
  draw();
  place.scrollTop = top;
  if (key) focusAgain(place, active, key, typed, start, end);
  after();
}

function focusAgain(place, active, key, typed, start, end) {
  const again = place.querySelector(`[data-control="${CSS.escape(key)}"]`);
  if (!again) {
    if (active && !document.contains(active)) place.focus();
    return;
  }
  if (typed !== null && again.value !== typed && again.type !== 'checkbox' && again.type !== 'radio') again.value = typed;
  again.focus({ preventScroll: true });
  if (start !== null && again.setSelectionRange && /^(text|search|)$/.test(again.type === 'textarea' ? '' : again.type)) again.setSelectionRange(start, end);
}
