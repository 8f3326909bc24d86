// An input for the expression language: completion of facts, values and functions, and what is wrong with it while it is typed.
import { h, unique } from './dom.js';
import { commits } from './fields.js';
import { post } from './api.js';

const DELAY = 250;
const MOST = 12;
const ORIGINS = { form: '入力項目', table: '決定表', sets: '設定される項目', service: '自動処理が入れる項目', engine: 'どの案件にもある項目', loop: '繰り返し' };

// Everything an expression may read now: what the server found, and what was declared on the screen since.
export function knownFacts(editor) {
  const found = new Map(editor.facts.map((one) => [one.name, one]));
  const registry = editor.get('elementRegistry');
  for (const element of registry?.getAll() ?? []) {
    const object = element.businessObject;
    if (!object || element.type === 'label') continue;
    for (const holder of [object, ...(object.eventDefinitions ?? [])])
      for (const part of holder.extensionElements?.get('values') ?? [])
        for (const field of part.$type === 'camunda:FormData' ? (part.get('fields') ?? []) : [])
          if (field.id)
            found.set(field.id, {
              name: field.id, label: field.label ?? field.id, type: field.type ?? 'string', origin: 'form', place: object.name ?? object.id,
              choices: (field.values ?? []).map((one) => [one.id ?? '', one.name ?? one.id ?? '']),
            });
  }
  return [...found.values()];
}

export function expression(editor, key, label, value, act, { kind = 'condition', help, locals = [] } = {}) {
  const id = unique('x');
  const [listId, saysId] = [`${id}-list`, `${id}-says`];
  const input = h('textarea', {
    class: 'textarea pane-input pane-code', id, rows: '1', spellcheck: 'false', autocomplete: 'off', role: 'combobox', 'aria-autocomplete': 'list',
    'aria-expanded': 'false', 'aria-controls': listId, 'aria-describedby': saysId, dataset: { control: key },
  });
  input.value = value ?? '';
  const list = h('ul', { class: 'pane-completions', id: listId, role: 'listbox', 'aria-label': '候補', hidden: true });
  const says = h('p', { class: 'pane-says', id: saysId, role: 'status' });
  const row = h('div', { class: 'pane-field pane-expression', dataset: { key } }, h('label', { class: 'pane-label', for: id }, label), help && h('p', { class: 'pane-help' }, help), h('div', { class: 'pane-combo' }, input, list), says);
  let [offered, at, asking, waiting, told] = [[], -1, null, null, null];

  const grow = () => ((input.style.height = 'auto'), (input.style.height = `${Math.min(input.scrollHeight + 2, 240)}px`));
  const names = () => [...new Set([...knownFacts(editor).map((one) => one.name), ...locals])];

  async function judge() {
    asking?.abort();
    const mine = (asking = new AbortController());
    const text = input.value;
    if (!text.trim()) return shown(null, text);
    try {
      const answer = await post(`${editor.base}/expression.json`, { text, kind, names: names() }, { signal: mine.signal });
      if (!mine.signal.aborted && input.value === text) shown(answer.wrong, text);
    } catch {
      /* the next keystroke asks again; what counts is found with the findings */
    }
    return undefined;
  }

  function shown(wrong, text) {
    told = wrong;
    row.classList.toggle('has-error', Boolean(wrong));
    input.toggleAttribute('aria-invalid', Boolean(wrong));
    if (wrong) input.setAttribute('aria-invalid', 'true');
    if (!wrong) return says.replaceChildren(...read(text));
    const place = Math.min(wrong.position, text.length);
    const word = /^\w+/.exec(text.slice(place))?.[0] ?? text.slice(place, place + 1);
    return says.replaceChildren(
      h('span', { class: 'pane-wrong' }, `${place + 1}文字目：${wrong.message}`),
      h('code', { class: 'pane-shown' }, text.slice(Math.max(0, place - 30), place), h('mark', {}, word || '␣'), text.slice(place + word.length, place + 60)),
    );
  }

  // The facts that are read, in words.
  function read(text) {
    const facts = knownFacts(editor).filter((one) => new RegExp(`(^|[^\\w"'])${one.name}(?![\\w"'])`).test(text));
    const told = ({ label, name }) => (label === name ? [h('code', {}, name)] : [`${label}（`, h('code', {}, name), '）']);
    return facts.flatMap((one, place) => [place ? '、' : '読む項目：', ...told(one)]);
  }

  // What could stand where the cursor is: after `fact ==` its values, after some letters facts and functions that begin so or are called so.
  function offers() {
    const before = input.value.slice(0, input.selectionStart);
    const facts = knownFacts(editor);
    const compared = /([A-Za-z]\w*)\s*(?:==|!=|<=|>=|<|>|in|,)\s*\[?\s*(["']?)([^"'\s)]*)$/.exec(before);
    const fact = compared && facts.find((one) => one.name === compared[1]);
    const values = fact?.choices?.length ? fact.choices : fact?.type === 'boolean' ? [['true', 'はい'], ['false', 'いいえ']] : [];
    if (values.length) {
      const quoted = (one) => (fact.type === 'boolean' ? one : `"${one}"`);
      const begin = before.length - compared[3].length - compared[2].length;
      return values.filter(([one]) => one.startsWith(compared[3]) && one !== compared[3]).map(([one, words]) => ({ text: quoted(one), shown: quoted(one), says: words, begin }));
    }
    const word = /[A-Za-z_\u3040-\u30ff\u4e00-\u9fff][\w\u3040-\u30ff\u4e00-\u9fff]*$/.exec(before)?.[0];
    if (!word || /["'][^"']*$/.test(before.replace(/"[^"]*"|'[^']*'/g, ''))) return [];
    const begin = before.length - word.length;
    const lower = word.toLowerCase();
    const fits = (one) => one.name.toLowerCase().startsWith(lower) || (one.label ?? '').includes(word) || (lower.length > 2 && one.name.toLowerCase().includes(lower));
    const found = facts.filter((one) => fits(one) && one.name !== word).map((one) => ({ text: one.name, shown: one.name, says: `${one.label === one.name ? '' : one.label}　${ORIGINS[one.origin] ?? ''}：${one.place}`.trim(), begin }));
    const called = (editor.vocabulary?.functions ?? []).filter((one) => one.id.startsWith(lower)).map((one) => ({ text: `${one.id}(`, shown: one.call, says: one.says, begin }));
    return [...found.sort((a, b) => b.text.toLowerCase().startsWith(lower) - a.text.toLowerCase().startsWith(lower)), ...called];
  }

  function offer() {
    offered = offers().slice(0, MOST);
    at = -1;
    list.replaceChildren(...offered.map((one, place) => h('li', { role: 'option', id: `${listId}-${place}`, 'aria-selected': 'false', onmousedown: (event) => (event.preventDefault(), take(place)) }, h('code', {}, one.shown), h('span', { class: 'small muted' }, one.says))));
    list.hidden = !offered.length;
    input.setAttribute('aria-expanded', String(Boolean(offered.length)));
    input.removeAttribute('aria-activedescendant');
  }

  function point(place) {
    at = (place + offered.length) % offered.length;
    [...list.children].forEach((one, number) => one.setAttribute('aria-selected', String(number === at)));
    input.setAttribute('aria-activedescendant', `${listId}-${at}`);
    list.children[at].scrollIntoView({ block: 'nearest' });
  }

  function take(place) {
    const { text, begin } = offered[place];
    input.setRangeText(text, begin, input.selectionStart, 'end');
    close();
    input.dispatchEvent(new Event('input', { bubbles: true }));
    close();
  }

  function close() {
    offered = [];
    list.hidden = true;
    input.setAttribute('aria-expanded', 'false');
  }

  input.addEventListener('keydown', (event) => {
    if (event.isComposing) return;
    if (!list.hidden && (event.key === 'ArrowDown' || event.key === 'ArrowUp')) point(at + (event.key === 'ArrowDown' ? 1 : -1)), event.preventDefault();
    else if (!list.hidden && at >= 0 && (event.key === 'Enter' || event.key === 'Tab')) take(at), event.preventDefault();
    else if (event.key === 'Escape' && !list.hidden) close(), event.preventDefault(), event.stopPropagation();
    else if (event.key === 'Enter') event.preventDefault(), input.dispatchEvent(new Event('change')); // one line
    else if (event.key === ' ' && event.ctrlKey) offer(), event.preventDefault();
  });
  input.addEventListener('input', (event) => {
    grow();
    if (event.isComposing) return;
    offer();
    clearTimeout(waiting);
    waiting = setTimeout(judge, DELAY);
  });
  input.addEventListener('blur', close);
  commits(input, act, 800);
  queueMicrotask(grow);
  setTimeout(() => input.isConnected && judge(), 0);
  row.wrong = () => told;
  return row;
}
