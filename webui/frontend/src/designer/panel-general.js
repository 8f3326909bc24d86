// Name, id, kind and explanation of an element; the procedure as a whole; lanes and notes.
import { area, button, group, select, text } from './fields.js';
import { is, listed, objectOf, oneLine } from './model.js';

const ID = /^[A-Za-z_][\w.-]*$/;
const REFERRING = ['not_same_person_as', 'send_back_to'];

export function generalPane(editor, model, element) {
  const object = objectOf(element);
  return group(
    'general',
    '基本',
    text('name', '名前', oneLine(object.name), (name) => editor.get('modeling').updateLabel(element, name), { help: is(element, 'bpmn:Task') ? '受信箱に出ます。体言止めで短く。' : undefined }),
    idField(editor, model, element),
    !is(element, 'bpmn:SequenceFlow') &&
      button('種類を変える', (event) => change(editor, element, event.currentTarget), 'change'),
    area('documentation', '説明', model.documentation(element), (value) => model.setDocumentation(element, value), { help: is(element, 'bpmn:UserTask') ? '担当者が読みます。何をするかを、平易な言葉で。' : undefined }),
  );
}

function change(editor, element, beside) {
  const { left, bottom } = beside.getBoundingClientRect();
  editor.get('popupMenu').open(element, 'bpmn-replace', { x: left, y: bottom, cursor: { x: left, y: bottom } }, { title: '種類を変える', width: 300, search: true });
}

// Another id, with everything in this file that names the old one: who may not be the same person, where a step is sent back to.
export function rename(editor, model, element, id) {
  const old = objectOf(element).id;
  model.together(() => {
    for (const other of editor.get('elementRegistry').getAll()) {
      if (!other.businessObject || other.type === 'label') continue;
      for (const name of REFERRING) {
        const names = listed(model.property(other, name));
        if (names.includes(old)) model.setList(other, name, names.map((one) => (one === old ? id : one)));
      }
    }
    model.set(element, { id });
  });
}

function idField(editor, model, element) {
  const object = objectOf(element);
  const field = text('id', 'ID', object.id, (value) => {
    const id = value.trim();
    if (id === object.id) return;
    const taken = editor.drawing.get('moddle').ids.assigned(id);
    const wrong = !ID.test(id) ? '英字で始まる英数字と「_」にしてください。' : taken ? 'このIDは、ほかの要素が使っています。' : '';
    field.querySelector('.field-error')?.remove();
    field.classList.toggle('has-error', Boolean(wrong));
    if (wrong) field.append(Object.assign(document.createElement('p'), { className: 'field-error', textContent: wrong }));
    else rename(editor, model, element, id);
  }, { code: true });
  return field;
}

export function laneAndNotePane(editor, model, element) {
  const object = objectOf(element);
  if (is(element, 'bpmn:TextAnnotation')) return group('general', '基本', area('text', '文', object.text, (value) => editor.get('modeling').updateLabel(element, value)));
  if (is(element, 'bpmn:Group')) return null;
  return group('general', '基本', text('name', '名前', oneLine(object.name), (name) => editor.get('modeling').updateLabel(element, name), { help: '段は図の見た目です。誰が行うかは、処理ごとの「担当」で決まります。' }), idField(editor, model, element));
}

export function processPane(editor, model, element) {
  const process = element && is(element, 'bpmn:Participant') ? objectOf(element).processRef : editor.processObject;
  if (!process) return null;
  const pools = editor.get('elementRegistry').filter((one) => is(one, 'bpmn:Participant') && one.businessObject.processRef === process);
  const at = pools[0] ?? editor.get('canvas').getRootElement();
  const holder = { businessObject: process };
  const property = (name, value) => setOn(model, at, process, name, value);
  const values = model.properties(holder);
  return [
    group(
      'process',
      '基本',
      text('process-name', '手続の名前', oneLine(process.name), (name) =>
        model.together(() => {
          model.setIn(at, process, { name });
          for (const pool of pools) model.set(pool, { name });
        }),
      ),
      text('process-id', 'プロセスID', process.id, (value) => {
        const id = value.trim();
        if (!ID.test(id) || id === process.id || editor.drawing.get('moddle').ids.assigned(id)) return;
        const main = process.id === editor.process;
        model.setIn(at, process, { id });
        if (main) editor.process = id;
      }, { code: true, help: '「機関_ファイルの名前」にします。' }),
      area('process-documentation', '説明', process.documentation?.[0]?.text ?? '', (value) => model.setIn(at, process, { documentation: value ? [model.make('bpmn:Documentation', { text: value }, process)] : [] })),
    ),
    process.id === editor.process &&
      group(
        'process-rules',
        '手続の決まり',
        select('withdraw', '取下げ', values.withdraw ?? '', [['never', 'できない'], ['until_first_act', '最初の処理が済むまで'], ['until_end', '終わるまで']], (value) => property('withdraw', value), { empty: '決めない' }),
        select('numbering', '案件の番号', values.numbering ?? '', editor.vocabulary?.numberings.map(({ id, name }) => [id, name]) ?? [], (value) => property('numbering', value), { empty: '決めない（一般の番号）' }),
      ),
  ];
}

// A property of the process, which has no shape of its own: told as a change of its pool or of the canvas.
function setOn(model, at, process, name, value) {
  const target = { businessObject: process };
  const inner = Object.create(model);
  inner.setIn = (_, object, values) => model.setIn(at, object, values);
  inner.setProperty(target, name, value);
}
