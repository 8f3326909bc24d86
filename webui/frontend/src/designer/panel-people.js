// Who does a step, under which clause, how soon, and who may not; what anybody may do at any time.
import { h } from './dom.js';
import { check, group, select, several, startClosed, text } from './fields.js';
import { expression, knownFacts } from './expression.js';
import { is, kindOf, listed, nameOf, objectOf } from './model.js';

startClosed('moments', 'more');

const pairs = (list) => (list ?? []).map(({ id, name }) => [id, name]);

// ---------------------------------------------------------------- seats

export function seatInputs(editor, key, seat, act, label = '役') {
  const [role = '', where = ''] = (seat ?? '').split('@');
  const { roles, places } = editor.vocabulary ?? {};
  return h(
    'div',
    { class: 'pane-seat' },
    select(`${key}-role`, label, role, pairs(roles), (value) => act(value ? `${value}@${where || 'owning_unit'}` : ''), { empty: '選んでください' }),
    select(`${key}-where`, 'どこの', where, pairs(places), (value) => act(role ? `${role}@${value}` : ''), { empty: '選んでください' }),
  );
}

export function seatWords(editor, seat) {
  if (seat === 'reporter') return '報告者本人';
  const [role, where] = seat.split('@');
  const named = (list, id) => list?.find((one) => one.id === id)?.name ?? id;
  return `${named(editor.vocabulary?.places, where)}の${named(editor.vocabulary?.roles, role)}`;
}

export function peoplePane(editor, model, element) {
  const assignee = model.attribute(element, 'assignee');
  const groups = model.groups(element);
  const person = assignee.replace(/^\$\{(.*)\}$/, '$1').trim();
  const way = assignee ? (person === 'reporter' ? 'reporter' : 'expression') : 'seat';
  const choose = (value) =>
    model.together(() => {
      if (value === 'seat') model.setAttribute(element, 'assignee', '');
      else {
        if (groups.length) model.setGroups(element, []);
        model.setAttribute(element, 'assignee', value === 'reporter' ? 'reporter' : person === 'reporter' ? '' : assignee || 'reporter');
      }
    });
  return group(
    'people',
    '担当',
    select('who', '誰が行うか', way, [['seat', '役に就いている人'], ['reporter', '報告者本人'], ['expression', '式で決める人']], choose),
    way === 'seat' && seatInputs(editor, 'seat', groups[0], (seat) => model.setGroups(element, seat ? [seat] : [])),
    way === 'seat' && groups.length > 1 && h('p', { class: 'field-error' }, '担当の役は1つにしてください。'),
    way === 'expression' && expression(editor, 'assignee', '人を表す式', assignee, (value) => model.setAttribute(element, 'assignee', value.trim()), { kind: 'value' }),
    several('not_same_person_as', '同じ人が行ってはいけない処理', model.list(element, 'not_same_person_as'), [...steps(editor, element, true), ...people(editor)], (values) => model.setList(element, 'not_same_person_as', values), { help: '処理や操作を行った人のほか、入力項目（職員）に挙げられた人も選べます。' }),
    several('send_back_to', '差し戻せる先', model.list(element, 'send_back_to'), steps(editor, element, false, true), (values) => model.setList(element, 'send_back_to', values)),
    byLink(editor, model, element),
    text('button', '完了ボタンの文字', model.property(element, 'button'), (value) => model.setProperty(element, 'button', value.trim()), { help: '空なら「完了する」。' }),
  );
}

// An outside party may do it too, through a link that is good once.
function byLink(editor, model, element) {
  const kind = is(element, 'bpmn:StartEvent') ? 'startEvent' : 'userTask';
  if (!editor.vocabulary?.properties[kind]?.includes('by_link')) return null;
  return select('by_link', '外部の相手', model.property(element, 'by_link'), [['contractor', '委託先も、1回限りのリンクで行える']], (value) => model.setProperty(element, 'by_link', value), { empty: '行えない' });
}

// Steps of people in this diagram; the start as well where it counts, only those beside it where BPMN asks so.
function steps(editor, element, starts, beside = false) {
  return editor
    .get('elementRegistry')
    .filter((one) => one !== element && one.type !== 'label' && (is(one, 'bpmn:UserTask') || is(one, 'bpmn:ManualTask') || (starts && is(one, 'bpmn:StartEvent'))))
    .filter((one) => !beside || objectOf(one).$parent === objectOf(element).$parent)
    .map((one) => [one.id, `${nameOf(one)}（${one.id}）`]);
}

// Fields that list people: nor may whoever they name do it.
const people = (editor) => knownFacts(editor).filter((one) => one.type === 'people').map((one) => [one.name, `${one.label}に挙げた人（${one.name}）`]);

// ---------------------------------------------------------------- clauses, urgency

const WITHOUT = ['bpmn:Gateway', 'bpmn:SubProcess', 'bpmn:CallActivity'];

export function duePane(editor, model, element) {
  const kind = objectOf(element).$type.replace('bpmn:', '');
  const known = editor.vocabulary?.properties[kind.charAt(0).toLowerCase() + kind.slice(1)] ?? [];
  if (!known.includes('clause') || WITHOUT.some((type) => is(element, type))) return null;
  const clauses = editor.vocabulary?.clauses ?? [];
  const chosen = model.list(element, 'clause');
  const records = model.property(element, 'records');
  const personal = is(element, 'bpmn:UserTask') || is(element, 'bpmn:ManualTask');
  const plain = (id) => clauses.find((one) => one.id === id)?.plain ?? '';
  const names = new Map(clauses.map((one) => [one.id, `${one.citation}　${one.id}`]));
  return group(
    'due',
    '根拠と期限',
    several('clause', '根拠の条項', chosen, [...names], (values) => model.setList(element, 'clause', values), { words: plain }),
    known.includes('records') &&
      chosen.length > 0 &&
      select('records-way', 'この処理が残す記録', records === 'none' ? 'none' : records ? 'some' : '', [['none', '残さない（準備・承認・評価）'], ['some', '一部の条項の記録']], (value) =>
        model.setProperty(element, 'records', value === 'some' ? chosen[0] : value), { empty: 'すべての条項の記録になる' }),
    known.includes('records') && records && records !== 'none' && several('records', '記録になる条項', listed(records), chosen.map((id) => [id, names.get(id) ?? id]), (values) => model.setProperty(element, 'records', values.join(','))),
    known.includes('urgency') && select('urgency', '緊急度', model.property(element, 'urgency'), pairs(editor.vocabulary?.urgencies), (value) => model.setProperty(element, 'urgency', value), { empty: '決めない', help: ladder(editor, model.property(element, 'urgency')) }),
    known.includes('deadline') && personal && select('deadline', '法定の期限', model.property(element, 'deadline'), pairs(editor.vocabulary?.clocks), (value) => model.setProperty(element, 'deadline', value), { empty: 'なし' }),
  );
}

// Who is told when, by the office's own rules.
const ladder = (editor, chosen) => editor.vocabulary?.urgencies.find(({ id }) => id === (chosen || 'plain'))?.says || '督促と上位者への知らせは、機関の細目（rules.toml）のとおりに届きます。';

// ---------------------------------------------------------------- the start of a case, and what can be done at any time

export function actionPane(editor, model, element) {
  const groups = model.groups(element);
  const put = (place, seat) => {
    const list = [...groups];
    if (seat) list[place] = seat;
    else list.splice(place, 1);
    model.setGroups(element, list);
  };
  const start = is(element, 'bpmn:StartEvent') && kindOf(element) === 'none';
  const offered = model.property(element, 'offered_when');
  return group(
    'action',
    start ? '始める人' : 'この操作ができる人',
    groups.length === 0 && h('p', { class: 'pane-help' }, start ? '決めなければ、機関の職員なら誰でも始められます。' : 'まだ誰もできません。'),
    groups.map((seat, place) =>
      h(
        'div',
        { class: 'pane-several' },
        seat === 'reporter' ? h('p', {}, '報告者本人') : seatInputs(editor, `group-${place}`, seat, (value) => put(place, value)),
        h('button', { class: 'pane-remove', type: 'button', dataset: { control: `group-${place}-remove` }, 'aria-label': `${seatWords(editor, seat)}を外す`, onclick: () => put(place, '') }, '外す'),
      ),
    ),
    h(
      'div',
      { class: 'button-row pane-row' },
      h('button', { class: 'button button-secondary button-small', type: 'button', dataset: { control: 'group-add' }, onclick: () => model.setGroups(element, [...groups, `${editor.vocabulary?.roles[0]?.id ?? ''}@owning_unit`]) }, '役を足す'),
      !start && !groups.includes('reporter') && h('button', { class: 'button button-secondary button-small', type: 'button', dataset: { control: 'group-reporter' }, onclick: () => model.setGroups(element, [...groups, 'reporter']) }, '報告者本人を足す'),
    ),
    !start && expression(editor, 'offered_when', 'できる条件', offered, (value) => model.setProperty(element, 'offered_when', value.trim()), { help: '空なら、いつでもできます。' }),
    start && byLink(editor, model, element),
    text('button', 'ボタンの文字', model.property(element, 'button'), (value) => model.setProperty(element, 'button', value.trim())),
  );
}

// ---------------------------------------------------------------- what is rarely needed

export function momentsPane(editor, model, element) {
  const known = editor.vocabulary?.properties.userTask ?? [];
  const property = (name) => model.property(element, name);
  const set = (name) => (value) => model.setProperty(element, name, value.trim());
  return group(
    'moments',
    '決裁・書面',
    known.includes('final') && check('final', '最終の決裁（代決できる）', property('final') === 'true', (on) => model.setProperty(element, 'final', on ? 'true' : '')),
    known.includes('decision') && check('decision', '決裁の処理（決裁の書面ができる）', property('decision') === 'true', (on) => model.setProperty(element, 'decision', on ? 'true' : '')),
    text('moment', '案件の頭に出す時点の名前', property('moment'), set('moment'), { help: '例：決裁' }),
    select('paper', '書面', property('paper').split(':')[0], pairs(editor.vocabulary?.papers), (value) => model.setProperty(element, 'paper', value), { empty: 'なし' }),
    known.includes('hop') && check('hop', '報告を上げる段（かかった時間を記録する）', property('hop') === 'true', (on) => model.setProperty(element, 'hop', on ? 'true' : '')),
    expression(editor, 'suggestion', '入力の横に出す目安', property('suggestion'), set('suggestion'), { kind: 'value' }),
    known.includes('passed_over') && expression(editor, 'passed_over', '後閲にするときの答え', property('passed_over'), set('passed_over'), { kind: 'sets', help: '「項目=値」をコンマで。答えが無ければ none。' }),
    known.includes('passed_over_when') && expression(editor, 'passed_over_when', '後閲を起案者が選べる条件', property('passed_over_when'), set('passed_over_when')),
  );
}

const COVERED = new Set([
  'candidateGroups', 'clause', 'records', 'urgency', 'deadline', 'send_back_to', 'not_same_person_as', 'button', 'final', 'moment', 'paper', 'hop', 'suggestion',
  'passed_over', 'passed_over_when', 'offered_when', 'to', 'template', 'numbering', 'fact', 'ledger', 'state', 'withdraw', 'decision', 'by_link',
  'process', 'link', 'passes', 'also', 'until', 'grace', 'except', 'summary', 'entries', 'values',
]);

// Everything else: what the rules know of such an element, what stands there from elsewhere, and other tools' extensions, which stay as they are.
export function morePane(editor, model, element) {
  const kind = objectOf(element).$type.replace('bpmn:', '');
  const known = editor.vocabulary?.properties[kind.charAt(0).toLowerCase() + kind.slice(1)] ?? [];
  const values = model.properties(element);
  const rest = Object.keys(values).filter((name) => !COVERED.has(name) && name !== 'sets' && !known.includes(name));
  const more = known.filter((name) => !COVERED.has(name) && name !== 'sets');
  const holders = [objectOf(element), ...(objectOf(element).eventDefinitions ?? [])];
  const foreign = holders.flatMap((holder) => (holder.extensionElements?.get('values') ?? []).map((part) => [holder, part])).filter(([, { $type }]) => !/^camunda:(Properties|FormData)$/.test($type));
  return group(
    'more',
    'そのほか',
    known.includes('sets') && expression(editor, 'sets', '済んだら決まる項目', values.sets, (value) => model.setProperty(element, 'sets', value.trim()), { kind: 'sets', help: '「項目=値」をコンマで並べます。' }),
    more.map((name) => text(`property-${name}`, name, values[name], (value) => model.setProperty(element, name, value.trim()), { code: true })),
    rest.map((name) => text(`property-${name}`, `${name}（この要素では働きません）`, values[name], (value) => model.setProperty(element, name, value.trim()), { code: true })),
    foreign.length > 0 &&
      h(
        'div',
        { class: 'pane-field' },
        h('p', { class: 'pane-label' }, 'ほかの道具の拡張（消さなければ、そのまま残ります）'),
        h(
          'ul',
          { class: 'pane-chosen' },
          foreign.map(([holder, part], place) =>
            h(
              'li',
              {},
              h('code', {}, part.$type),
              h('button', { class: 'pane-remove', type: 'button', dataset: { control: `foreign-${place}` }, 'aria-label': `${part.$type}を消す`, onclick: () => model.replacePart(element, holder, part, null) }, '消す'),
            ),
          ),
        ),
      ),
  );
}
