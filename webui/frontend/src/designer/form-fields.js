// The form of a step: fields added, ordered, described; and the form as people will see it, drawn by the server's own templates.
import { announce, debounce, h } from './dom.js';
import { area, button, check, group, pick, select, text } from './fields.js';
import { expression, knownFacts } from './expression.js';
import { post } from './api.js';
import { enhanceForms } from '../forms.js';

const CHOOSING = ['enum', 'set', 'rows'];
const opened = new Set();

export function formPane(editor, model, element, { title = '入力項目', button: label = '' } = {}) {
  const fields = model.form(element);
  const types = editor.vocabulary?.field_types.map(({ id, name }) => [id, name]) ?? [];
  const put = (list, say) => (model.setForm(element, list), say && announce(say));
  const freeId = () => {
    const taken = new Set(knownFacts(editor).map((one) => one.name));
    let number = 1;
    while (taken.has(`field_${number}`) || editor.element(`field_${number}`)) number++;
    return `field_${number}`;
  };
  const add = (type) => {
    const made = model.make('camunda:FormField', { id: freeId(), label: '新しい項目', type });
    if (CHOOSING.includes(type)) made.values = [model.make('camunda:Value', { id: 'a', name: type === 'rows' ? '列1' : '選択肢1' }, made), model.make('camunda:Value', { id: 'b', name: type === 'rows' ? '列2' : '選択肢2' }, made)];
    opened.add(made.id);
    put([...fields, made], '入力項目を足しました。');
  };
  const chooser = pick('form-add', '項目を足す', types, add, { empty: '種類を選ぶ' });
  // A field that exists already is asked again here: the same fact, its label and type taken over.
  const known = knownFacts(editor).filter((one) => one.origin === 'form' && !fields.some((field) => field.id === one.name));
  const again = known.length
    ? pick('form-again', 'ほかの画面の項目を、ここでも尋ねる', known.map((one) => [one.name, `${one.label}（${one.name}、${one.place}）`]), (name) => {
        const one = known.find((fact) => fact.name === name);
        if (!one) return;
        const made = model.make('camunda:FormField', { id: one.name, label: one.label, type: one.type });
        if (one.choices.length) made.values = one.choices.map(([id, words]) => model.make('camunda:Value', { id, name: words }, made));
        put([...fields, made], `「${one.label}」を足しました。`);
      })
    : null;
  return group(
    'form',
    `${title}${fields.length ? `（${fields.length}）` : ''}`,
    h('ol', { class: 'pane-fields' }, fields.map((field, place) => fieldPane(editor, model, element, fields, field, place, put))),
    chooser,
    again,
    preview(editor, model, fields, label),
  );
}

function fieldPane(editor, model, element, fields, field, place, put) {
  const vocabulary = editor.vocabulary;
  const types = vocabulary?.field_types.map(({ id, name }) => [id, name]) ?? [];
  const constraints = model.constraints(field);
  const properties = model.fieldProperties(field);
  const key = (name) => `field-${place}-${name}`;
  const moved = (step) => {
    const list = [...fields];
    list.splice(place, 1);
    list.splice(place + step, 0, field);
    put(list, `「${field.label ?? field.id}」を${place + step + 1}番目に移しました。`);
  };
  const constraint = (name, value) => model.setConstraint(element, field, name, value);
  const property = (name, value) => model.setFieldProperty(element, field, name, value);
  const figure = (name, label, help) => text(key(name), label, constraints[name], (value) => constraint(name, value.trim() || null), { help });
  const rule = (name, label, help) => expression(editor, key(name), label, constraints[name], (value) => constraint(name, value.trim() || null), { help });
  const type = field.type ?? 'string';
  const required = 'required' in constraints ? 'always' : 'required_when' in constraints ? 'when' : 'no';
  const made = h(
    'details',
    { class: 'pane-formfield', open: opened.has(field.id) },
    h('summary', {}, h('span', {}, h('strong', {}, field.label ?? field.id), ` ${types.find(([one]) => one === type)?.[1] ?? type}`, required === 'always' && h('span', { class: 'required' }, '※必須'))),
    text(key('label'), '表示名', field.label, (label) => model.setIn(element, field, { label })),
    text(key('id'), '項目のID', field.id, (id) => (opened.delete(field.id), opened.add(id), model.setIn(element, field, { id })), { help: '式や決定表から、この名前で読みます。英字で始まる英数字。', code: true }),
    select(key('type'), '種類', type, types, (value) => model.setIn(element, field, { type: value })),
    CHOOSING.includes(type) && choices(model, element, field, key, type),
    select(key('required'), '必須', required, [['no', '任意'], ['always', 'いつも必須'], ['when', '条件により必須']], (value) =>
      model.together(() => {
        constraint('required', value === 'always' ? '' : null);
        constraint('required_when', value === 'when' ? constraints.required_when || 'true' : null);
      }),
    ),
    required === 'when' && rule('required_when', '必須になる条件'),
    expression(editor, key('shown_when'), '出す条件', properties.shown_when, (value) => property('shown_when', value.trim()), { help: '空なら、いつも出ます。' }),
    area(key('help'), '説明', properties.help, (value) => property('help', value), { help: '入力する人の言葉で、何を書くか。' }),
    h(
      'details',
      { class: 'pane-more' },
      h('summary', {}, '細かい決まり'),
      type === 'enum' && check(key('as_buttons'), '選択肢を完了ボタンにする', properties.as_buttons === 'true', (on) => property('as_buttons', on ? 'true' : '')),
      type === 'people' && check(key('named'), '挙げられた人を、この案件の担当から外す', properties.named === 'true', (on) => property('named', on ? 'true' : '')),
      ['string', 'text'].includes(type) && figure('maxlength', '文字数の上限'),
      type === 'long' && [figure('min', '最小'), figure('max', '最大')],
      ['date', 'datetime'].includes(type) && [figure('not_after', 'これより後にできない', 'now（いま）か、ほかの日付の項目のID'), figure('not_before', 'これより前にできない', 'now（いま）か、ほかの日付の項目のID')],
      text(key('default'), '初めの値', field.defaultValue, (value) => model.setIn(element, field, { defaultValue: value || undefined })),
      others(vocabulary, properties, key, property),
    ),
    h(
      'div',
      { class: 'button-row pane-row' },
      button('上へ', () => moved(-1), key('up'), { disabled: place === 0, 'aria-label': `${field.label}を上へ` }),
      button('下へ', () => moved(1), key('down'), { disabled: place === fields.length - 1, 'aria-label': `${field.label}を下へ` }),
      button('消す', () => put(fields.filter((one) => one !== field), `「${field.label}」を消しました。`), key('remove'), { 'aria-label': `${field.label}を消す` }),
    ),
  );
  made.addEventListener('toggle', () => (made.open ? opened.add(field.id) : opened.delete(field.id)));
  return h('li', {}, made);
}

// Properties that the office's rules know and no input above has.
const SHOWN = ['help', 'shown_when', 'as_buttons', 'named'];
const WORDS = { personal: '個人情報（true）', readonly: '見せるだけ（true）' };
function others(vocabulary, properties, key, set) {
  return (vocabulary?.properties.field ?? []).filter((name) => !SHOWN.includes(name)).map((name) => text(key(name), WORDS[name] ?? name, properties[name], (value) => set(name, value.trim()), { code: true }));
}

function choices(model, element, field, key, type) {
  const now = () => (field.values ?? []).map((one) => [one.id ?? '', one.name ?? '']); // what was typed last may not be drawn yet
  const words = type === 'rows' ? '列' : '選択肢';
  const put = (change) => model.setChoices(element, field, change(now()));
  return h(
    'fieldset',
    { class: 'pane-field' },
    h('legend', { class: 'pane-label' }, words),
    h(
      'ol',
      { class: 'pane-choices' },
      now().map(([id, name], place) =>
        h(
          'li',
          {},
          text(key(`choice-${place}-name`), `${words}${place + 1}の表示`, name, (value) => put((pairs) => pairs.map((pair, at) => (at === place ? [pair[0], value] : pair)))),
          text(key(`choice-${place}-id`), '値', id, (value) => put((pairs) => pairs.map((pair, at) => (at === place ? [value.trim(), pair[1]] : pair))), { code: true }),
          h('button', { class: 'pane-remove', type: 'button', dataset: { control: key(`choice-${place}-remove`) }, 'aria-label': `${name}を消す`, onclick: () => put((pairs) => pairs.filter((_, at) => at !== place)) }, '消す'),
        ),
      ),
    ),
    button(`${words}を足す`, () => {
      put((pairs) => {
        let number = pairs.length + 1;
        while (pairs.some(([id]) => id === `v${number}`)) number++;
        return [...pairs, [`v${number}`, `${words}${pairs.length + 1}`]];
      });
    }, key('choice-add')),
  );
}

function plain(model, field) {
  return {
    id: field.id ?? '', label: field.label ?? '', type: field.type ?? 'string', default: field.defaultValue ?? '',
    choices: (field.values ?? []).map((one) => [one.id ?? '', one.name ?? '']), constraints: model.constraints(field), properties: model.fieldProperties(field),
  };
}

let shownPreview = false;
function preview(editor, model, fields, label) {
  const place = h('div', { class: 'pane-preview', 'aria-live': 'off' });
  const draw = debounce(200, async () => {
    try {
      const page = new DOMParser().parseFromString(await post(`${editor.base}/form`, { fields: fields.map((field) => plain(model, field)), button: label }, { html: true }), 'text/html');
      const form = document.importNode(page.querySelector('form'), true);
      // The page may have inputs of the same ids.
      for (const one of form.querySelectorAll('[id]')) one.id = `preview-${one.id}`;
      for (const one of form.querySelectorAll('[for]')) one.setAttribute('for', `preview-${one.getAttribute('for')}`);
      for (const one of form.querySelectorAll('[aria-describedby]')) one.setAttribute('aria-describedby', one.getAttribute('aria-describedby').split(' ').map((id) => `preview-${id}`).join(' '));
      for (const one of form.querySelectorAll('[data-add-row]')) one.dataset.addRow = `preview-${one.dataset.addRow}`;
      form.addEventListener('submit', (event) => event.preventDefault());
      form.addEventListener('input', (event) => event.stopPropagation());
      place.replaceChildren(form);
      enhanceForms(place);
    } catch {
      place.replaceChildren(h('p', { class: 'muted' }, '見本を作れませんでした。'));
    }
  });
  const made = h('details', { class: 'pane-more', open: shownPreview, ontoggle: () => ((shownPreview = made.open), made.open && draw()) }, h('summary', {}, '画面の見本'), place);
  if (shownPreview) draw();
  return made;
}
