// When a timer event is due: written as a sentence, shown as what it means, or written as ISO 8601 or an expression.
import { h, unique } from './dom.js';
import { commits, group, select } from './fields.js';
import { expression, knownFacts } from './expression.js';
import { EXAMPLES, parse, say } from './sentences.js';
import { definitionOf, is } from './model.js';

const PARTS = { timeDuration: 'duration', timeDate: 'date', timeCycle: 'cycle' };
const KINDS = [['duration', '時間がたったら（期間）'], ['date', '決まった日時・期限'], ['cycle', '繰り返し']];

export function timerOf(element) {
  const definition = definitionOf(element);
  for (const [part, kind] of Object.entries(PARTS)) if (definition?.[part]) return { kind, text: definition[part].body ?? '' };
  return { kind: 'duration', text: '' };
}

export function setTimer(model, element, { kind, text }) {
  const definition = definitionOf(element);
  const values = {};
  for (const [part, one] of Object.entries(PARTS)) values[part] = one === kind && text ? model.make('bpmn:FormalExpression', { body: text }, definition) : undefined;
  model.setIn(element, definition, values);
}

export function timerPane(editor, model, element) {
  const now = timerOf(element);
  const context = () => ({ now: new Date(), clocks: editor.vocabulary?.clocks ?? [], facts: knownFacts(editor) });
  const id = unique('t');
  const input = h('input', { class: 'input pane-input', id, type: 'text', autocomplete: 'off', value: say(now.kind, now.text, context()) ?? '', dataset: { control: 'timer-sentence' }, 'aria-describedby': `${id}-help ${id}-says` });
  const says = h('p', { class: 'pane-says', id: `${id}-says`, role: 'status' }, now.text ? h('code', {}, now.text) : '');
  const row = h(
    'div',
    { class: 'pane-field', dataset: { key: 'timer-sentence' } },
    h('label', { class: 'pane-label', for: id }, '時刻（文で書く）'),
    h('p', { class: 'pane-help', id: `${id}-help` }, `例：${[...EXAMPLES, ...context().clocks.slice(0, 1).map(({ name }) => `${name}の期限の3日前`)].map((one) => `「${one}」`).join('')}`),
    input,
    says,
  );
  const judge = (text) => {
    const meant = parse(text, context());
    row.classList.toggle('has-error', Boolean(meant.wrong) && Boolean(text));
    says.replaceChildren(meant.wrong ? h('span', { class: 'pane-wrong' }, text ? meant.wrong : '') : h('code', {}, meant.text));
    return meant;
  };
  input.addEventListener('input', (event) => event.isComposing || judge(input.value));
  commits(input, (text) => {
    const meant = judge(text);
    if (!meant.wrong) setTimer(model, element, meant);
    else if (!text.trim()) setTimer(model, element, { kind: now.kind, text: '' });
  });
  const allowed = is(element, 'bpmn:IntermediateCatchEvent') ? KINDS.filter(([kind]) => kind !== 'cycle') : KINDS;
  return group(
    'timer',
    '時間',
    row,
    h(
      'details',
      { class: 'pane-more', open: Boolean(now.text) && say(now.kind, now.text, context()) === null },
      h('summary', {}, '式やISO 8601で書く'),
      select('timer-kind', '種類', now.kind, allowed, (kind) => setTimer(model, element, { kind, text: now.text })),
      expression(editor, 'timer-text', '時刻', now.text, (text) => setTimer(model, element, { kind: now.kind, text }), { kind: now.kind }),
    ),
  );
}
