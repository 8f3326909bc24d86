// Reminders of a step, written as a sentence: «3開庁日後に催促» draws the timer on its edge and the notice that goes out then.
import { announce, h, unique } from './dom.js';
import { group } from './fields.js';
import { knownFacts } from './expression.js';
import { is, kindOf, nameOf } from './model.js';
import { Acts } from './outline-acts.js';
import { parse, reminder, say } from './sentences.js';
import { seatWords } from './panel-people.js';
import { setTimer, timerOf } from './timers.js';

const EXAMPLES = ['3開庁日後に催促', '24時間後に知らせる'];

export function remindersPane(editor, model, element) {
  const clocks = editor.vocabulary?.clocks ?? [];
  const context = () => ({ now: new Date(), clocks, facts: knownFacts(editor) });
  const timers = (element.attachers ?? []).filter((one) => kindOf(one) === 'timer');
  const id = unique('r');
  const input = h('input', { class: 'input pane-input', id, type: 'text', autocomplete: 'off', dataset: { control: 'reminder' }, 'aria-describedby': `${id}-help ${id}-says` });
  const says = h('p', { class: 'pane-says', id: `${id}-says`, role: 'status' });
  const row = h('div', { class: 'pane-field', dataset: { key: 'reminder' } });
  const seat = model.groups(element)[0] ?? (/^(\$\{)?\s*reporter/.test(model.attribute(element, 'assignee')) ? 'reporter' : '');

  const read = () => {
    const told = reminder(input.value);
    const meant = told ? parse(told.when, context()) : { wrong: '「3開庁日後に催促」のように、いつ・何をするかを書いてください。' };
    return { ...meant, ...told };
  };
  const judge = () => {
    const meant = read();
    const wrong = Boolean(input.value.trim() && meant.wrong);
    row.classList.toggle('has-error', wrong);
    says.replaceChildren(input.value.trim() ? (meant.wrong ? h('span', { class: 'pane-wrong' }, meant.wrong) : `${say(meant.kind, meant.text, context())}に、${seat ? seatWords(editor, seat) : '担当'}へ${meant.word === '催促' ? '催促します' : '知らせます'}。`) : '');
    return meant;
  };
  const add = () => {
    const meant = judge();
    if (meant.wrong) return input.focus();
    input.value = '';
    const made = new Acts(editor).addReminder(element, (event) => setTimer(model, event, meant), { ...meant, name: say(meant.kind, meant.text, context()), seat });
    editor.get('selection').select(element); // and not what was drawn last
    announce(`${nameOf(made)}の${meant.word}を足しました。`);
    return made;
  };
  input.addEventListener('input', (event) => event.isComposing || judge());
  input.addEventListener('keydown', (event) => event.key === 'Enter' && !event.isComposing && (event.preventDefault(), add()));
  row.append(
    h('label', { class: 'pane-label', for: id }, '催促・知らせを足す（文で書く）'),
    h('p', { class: 'pane-help', id: `${id}-help` }, `例：${[...EXAMPLES, ...clocks.slice(0, 1).map(({ name }) => `${name}の期限の3日前に催促`)].map((one) => `「${one}」`).join('')}`),
    h('div', { class: 'pane-pick' }, input, h('button', { class: 'button button-secondary button-small pane-go', type: 'button', dataset: { control: 'reminder-go' }, 'aria-label': '催促・知らせを足す', onclick: add }, '足す')),
    says,
  );
  const listed = timers.map((one) => {
    const { kind, text } = timerOf(one);
    const next = (one.outgoing ?? []).find((flow) => is(flow, 'bpmn:SequenceFlow'))?.target;
    const words = [say(kind, text, context()) ?? text, next && nameOf(next)].filter(Boolean).join('：');
    return h(
      'li',
      {},
      h('div', {}, words || nameOf(one)),
      h('button', { class: 'pane-remove', type: 'button', dataset: { control: `reminder-${one.id}` }, 'aria-label': `「${words}」を開く`, onclick: () => editor.show(one.id) }, '開く'),
    );
  });
  return group('reminders', `時間がたったとき${timers.length ? `（${timers.length}）` : ''}`, listed.length > 0 && h('ul', { class: 'pane-chosen' }, listed), row);
}
