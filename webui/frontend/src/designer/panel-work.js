// What runs by itself: service functions with their parameters, decision tables, called diagrams, repetition.
import { h } from './dom.js';
import { button, group, select, several, text } from './fields.js';
import { expression, knownFacts } from './expression.js';
import { seatInputs, seatWords } from './panel-people.js';
import { is, listed, objectOf } from './model.js';

const pairs = (list) => (list ?? []).map(({ id, name }) => [id, name]);

export function servicePane(editor, model, element) {
  if (!is(element, 'bpmn:ServiceTask') && !is(element, 'bpmn:SendTask')) return null;
  const topic = model.attribute(element, 'topic');
  const source = model.attribute(element, 'expression');
  const services = editor.vocabulary?.services ?? [];
  const chosen = services.find(({ id }) => id === topic);
  const choose = (value) =>
    model.together(() => {
      const stale = (chosen?.parameters ?? []).map(({ id }) => id).filter((id) => !services.find((one) => one.id === value)?.parameters.some((one) => one.id === id));
      for (const name of stale) model.setProperty(element, name, '');
      model.setAttribute(element, 'topic', value);
      if (value && source) model.setAttribute(element, 'expression', '');
    });
  return group(
    'service',
    '自動で行うこと',
    select('topic', '機能', topic, pairs(services), choose, { empty: source ? '式' : '選んでください' }),
    (chosen?.parameters ?? []).map((one) => parameter(editor, model, element, one)),
    !topic && expression(editor, 'service-expression', '式', source, (value) => model.setAttribute(element, 'expression', value.trim()), { kind: 'value' }),
    is(element, 'bpmn:SendTask') && text('send-message', '送るメッセージ（英字）', objectOf(element).messageRef?.name, (value) => model.together(() => model.set(element, { messageRef: value.trim() ? model.root('bpmn:Message', { name: value.trim() }) : undefined })), { help: '案件の中で待つ相手がいるときだけ。', code: true }),
  );
}

function parameter(editor, model, element, { id, name, kind }) {
  const value = model.property(element, id);
  const set = (text) => model.setProperty(element, id, text.trim());
  const vocabulary = editor.vocabulary;
  const lists = {
    template: pairs(vocabulary.templates), numbering: pairs(vocabulary.numberings), ledger: pairs(vocabulary.ledgers),
    process: pairs(vocabulary.callable),
    state: (vocabulary.ledgers.find((one) => one.id === model.property(element, 'ledger'))?.states ?? []).map((one) => [one, one]),
  };
  if (kind === 'seats') {
    const seats = listed(value);
    const put = (list) => set(list.filter(Boolean).join(','));
    return h(
      'fieldset',
      { class: 'pane-field' },
      h('legend', { class: 'pane-label' }, name),
      seats.map((seat, place) =>
        h('div', { class: 'pane-several' }, seat === 'reporter' ? h('p', {}, '報告者本人') : seatInputs(editor, `${id}-${place}`, seat, (next) => put(seats.map((one, at) => (at === place ? next : one)))), h('button', { class: 'pane-remove', type: 'button', 'aria-label': `${seatWords(editor, seat)}を外す`, dataset: { control: `${id}-${place}-remove` }, onclick: () => put(seats.filter((_, at) => at !== place)) }, '外す')),
      ),
      h('div', { class: 'button-row pane-row' }, button('役を足す', () => put([...seats, `${vocabulary.roles[0]?.id}@owning_unit`]), `${id}-add`), !seats.includes('reporter') && button('報告者本人を足す', () => put([...seats, 'reporter']), `${id}-reporter`)),
    );
  }
  if (kind === 'states') return several(id, name, listed(value), lists.state, (list) => set(list.join(',')));
  if (kind === 'sets') return expression(editor, id, name, value, set, { kind: 'sets', help: '「名前=値」をコンマで並べます。' });
  if (lists[kind]) return select(id, name, value, lists[kind], set, { empty: '選んでください' });
  return text(id, name, value, set, { code: true });
}

export function rulePane(editor, model, element) {
  if (!is(element, 'bpmn:BusinessRuleTask')) return null;
  const chosen = model.attribute(element, 'decisionRef');
  const one = editor.decisions.find(({ id }) => id === chosen);
  const offered = editor.decisions.length ? editor.decisions.map(({ id, name }) => [id, `${name || id}（${id}）`]) : [[chosen, chosen]]; // not heard of yet
  return group(
    'rule',
    '決定表',
    select('decision', '使う決定表', chosen, offered, (value) => model.setAttribute(element, 'decisionRef', value), { empty: '選んでください' }),
    one && h('p', { class: 'pane-help' }, '出力：', h('code', {}, one.outputs.join('、')), '　', h('a', { href: `${editor.base}/tables/${one.file}` }, '表を開く')),
  );
}

export function callPane(editor, model, element) {
  if (!is(element, 'bpmn:CallActivity')) return null;
  const chosen = objectOf(element).calledElement ?? '';
  const here = editor.processes.filter(({ id }) => id !== editor.processObject?.id);
  const options = new Map([...(editor.vocabulary?.callable ?? []).filter(({ id }) => id !== editor.processObject?.id).map(({ id, name }) => [id, `${name}（${id}）`]), ...here.map(({ id, name }) => [id, `${name}（${id}）`])]);
  const file = editor.processes.find(({ id }) => id === chosen)?.file;
  return group(
    'call',
    '呼び出す図',
    select('called', '呼び出す手続', chosen, [...options], (value) => model.set(element, { calledElement: value || undefined }), { empty: '選んでください' }),
    file && file !== editor.file && button('中を開く', () => editor.open(file), 'call-open'),
  );
}

export function repeatPane(editor, model, element) {
  if (!is(element, 'bpmn:Activity') || objectOf(element).triggeredByEvent) return null;
  const object = objectOf(element);
  const loop = object.loopCharacteristics;
  const multi = loop && is(loop, 'bpmn:MultiInstanceLoopCharacteristics') ? loop : null;
  const way = multi ? (multi.isSequential ? 'sequential' : 'parallel') : '';
  const choose = (value) => {
    if (!value) return model.set(element, { loopCharacteristics: undefined });
    if (multi) return model.setIn(element, multi, { isSequential: value === 'sequential' });
    return model.set(element, { loopCharacteristics: model.make('bpmn:MultiInstanceLoopCharacteristics', { isSequential: value === 'sequential' }, object) });
  };
  const body = (name) => multi?.[name]?.body ?? '';
  const setBody = (name) => (value) => model.setIn(element, multi, { [name]: value.trim() ? model.make('bpmn:FormalExpression', { body: value.trim() }, multi) : undefined });
  const lists = knownFacts(editor).filter((one) => ['rows', 'set', 'people'].includes(one.type)).map((one) => [one.name, `${one.label}（${one.name}）`]);
  return group(
    'repeat',
    '繰り返し',
    select('repeat', '繰り返すか', way, [['parallel', '同時に、それぞれ'], ['sequential', '順に、1つずつ']], choose, { empty: '1回だけ' }),
    multi && select('collection', '何について', multi.get('camunda:collection') ?? '', lists, (value) => model.together(() => {
      model.setIn(element, multi, { 'camunda:collection': value || undefined });
      if (value) model.setIn(element, multi, { loopCardinality: undefined });
    }), { empty: '回数で決める' }),
    multi && multi.get('camunda:collection') && text('elementVariable', '1つを表す名前（英字）', multi.get('camunda:elementVariable'), (value) => model.setIn(element, multi, { 'camunda:elementVariable': value.trim() || undefined }), { code: true }),
    multi && !multi.get('camunda:collection') && expression(editor, 'cardinality', '回数', body('loopCardinality'), setBody('loopCardinality'), { kind: 'value' }),
    multi && expression(editor, 'completion', '途中で打ち切る条件', body('completionCondition'), setBody('completionCondition'), { locals: ['nrOfInstances', 'nrOfCompletedInstances', 'nrOfActiveInstances', 'loop_index'] }),
  );
}
