// What an event waits for, throws or hears: message, signal, error, escalation, condition, link.
import { group, select, text } from './fields.js';
import { expression } from './expression.js';
import { definitionOf, is, kindOf, objectOf } from './model.js';

export function eventPane(editor, model, element) {
  const definition = definitionOf(element);
  const kind = kindOf(element);
  const boundary = is(element, 'bpmn:BoundaryEvent');
  const inner = is(element, 'bpmn:StartEvent') && objectOf(element).$parent?.triggeredByEvent;
  const interrupts = boundary ? objectOf(element).cancelActivity !== false : objectOf(element).isInterrupting !== false;
  const way = (boundary || inner) && kind !== 'error' && select('interrupting', '起きたら', interrupts ? 'yes' : 'no', [['yes', boundary ? '元の処理をやめる' : 'まわりの流れをやめる'], ['no', '元の流れはそのまま続ける']], (value) => model.set(element, boundary ? { cancelActivity: value === 'yes' } : { isInterrupting: value === 'yes' }));
  const named = (type, property, label, help, attribute = 'name') =>
    text('event-name', label, definition[property]?.[attribute], (value) => model.setReference(element, type, property, attribute === 'name' ? { name: value.trim() } : { name: definition[property]?.name ?? value.trim(), [attribute]: value.trim() }), { help, code: true });
  const inputs = {
    message: () => named('bpmn:Message', 'messageRef', is(element, 'bpmn:CatchEvent') ? '操作の名前（英字）' : 'メッセージの名前（英字）', '操作を表す名前。同じ名前を送る要素があれば、それも受けます。'),
    signal: () => named('bpmn:Signal', 'signalRef', '合図の名前（英字）'),
    error: () => named('bpmn:Error', 'errorRef', 'エラーの番号', is(element, 'bpmn:EndEvent') ? undefined : '空なら、どのエラーでも受けます。', 'errorCode'),
    escalation: () => named('bpmn:Escalation', 'escalationRef', '報告の番号', is(element, 'bpmn:ThrowEvent') ? undefined : '空なら、どの報告でも受けます。', 'escalationCode'),
    conditional: () => expression(editor, 'condition', '条件', definition.condition?.body, (value) => model.setIn(element, definition, { condition: value.trim() ? model.make('bpmn:FormalExpression', { body: value.trim() }, definition) : undefined }), { help: '成り立った時に進みます。' }),
    link: () => text('link', 'リンクの名前', definition.name, (value) => model.setIn(element, definition, { name: value.trim() })),
  };
  return group('event', '起きること', inputs[kind]?.(), way);
}
