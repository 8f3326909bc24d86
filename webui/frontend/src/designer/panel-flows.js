// Flows and the ways out of a decision: conditions in their order, and the way for everything else.
import { h } from './dom.js';
import { check, group, text } from './fields.js';
import { expression } from './expression.js';
import { is, nameOf, objectOf, oneLine } from './model.js';

const DECIDING = ['bpmn:ExclusiveGateway', 'bpmn:InclusiveGateway', 'bpmn:Activity'];
export const decides = (element) => Boolean(element) && DECIDING.some((type) => is(element, type));
export const waysOf = (element) => (element.outgoing ?? []).filter((one) => is(one, 'bpmn:SequenceFlow'));

function conditionInputs(editor, model, flow, key, label) {
  const source = flow.source;
  const standard = objectOf(source).default === objectOf(flow);
  const many = waysOf(source).length > 1;
  return [
    many && check(`${key}-default`, 'どれにも当てはまらないときの流れ', standard, (on) => model.setDefault(source, on ? flow : null)),
    !standard && (many || model.condition(flow) || is(source, 'bpmn:Activity')) && expression(editor, `${key}-condition`, label, model.condition(flow), (value) => model.setCondition(flow, value.trim()), { help: many ? undefined : '条件がなければ、いつも通ります。' }),
  ];
}

export function flowPane(editor, model, flow) {
  return group(
    'flow',
    '流れ',
    text('name', '名前', oneLine(objectOf(flow).name), (name) => editor.get('modeling').updateLabel(flow, name), { help: '分かれ道から出る流れには、どんな場合かを短く書きます。' }),
    h('p', { class: 'pane-help' }, `${nameOf(flow.source)} → ${nameOf(flow.target)}`),
    decides(flow.source) && conditionInputs(editor, model, flow, 'flow', '条件'),
  );
}

// All ways out of a gateway at once.
export function waysPane(editor, model, element) {
  const ways = waysOf(element);
  if (!decides(element) || ways.length < 2) return null;
  return group(
    'ways',
    '分かれ方',
    is(element, 'bpmn:ExclusiveGateway') && h('p', { class: 'pane-help' }, '上から順に、最初に当てはまった流れへ進みます。'),
    h(
      'ol',
      { class: 'pane-ways' },
      ways.map((flow, place) =>
        h(
          'li',
          {},
          text(`way-${place}-name`, `${place + 1}　${nameOf(flow.target)}へ`, oneLine(objectOf(flow).name), (name) => editor.get('modeling').updateLabel(flow, name)),
          conditionInputs(editor, model, flow, `way-${place}`, '条件'),
        ),
      ),
    ),
  );
}
