// What an element is called, by its kind.
import { is } from 'bpmn-js/lib/util/ModelUtil';
import { isEventSubProcess } from 'bpmn-js/lib/util/DiUtil';
import { definitionOf, kindOf, objectOf } from './model.js';

const EVENTS = { none: '', message: '操作', timer: '時間', signal: '合図', conditional: '条件', error: 'エラー', escalation: '報告', link: 'リンク', terminate: '全体' };
const KINDS = [
  ['bpmn:UserTask', '人の処理'], ['bpmn:ManualTask', '手作業'], ['bpmn:ServiceTask', '自動処理'], ['bpmn:SendTask', '知らせる・送る'], ['bpmn:ReceiveTask', '受け取る'],
  ['bpmn:BusinessRuleTask', '決定表'], ['bpmn:ScriptTask', 'スクリプト（使えません）'], ['bpmn:Task', '区切り'], ['bpmn:CallActivity', '別の図を呼ぶ'],
  ['bpmn:ExclusiveGateway', 'どれか1つ'], ['bpmn:ParallelGateway', '同時に'], ['bpmn:InclusiveGateway', '当てはまるものすべて'], ['bpmn:EventBasedGateway', '先に起きたもの'],
  ['bpmn:Gateway', '分かれ道（使えません）'], ['bpmn:SequenceFlow', '流れ'], ['bpmn:Lane', '担当の段'], ['bpmn:Participant', '枠'], ['bpmn:TextAnnotation', '注記'], ['bpmn:Group', '囲み'],
];

export function kindWords(element) {
  const object = objectOf(element);
  if (is(object, 'bpmn:Event')) {
    const word = definitionOf(object) ? (EVENTS[kindOf(object)] ?? '使えない種類') : '';
    if (is(object, 'bpmn:StartEvent')) return word ? `開始（${word}）` : '開始';
    if (is(object, 'bpmn:EndEvent')) return word ? `終了（${word}）` : '終了';
    if (is(object, 'bpmn:BoundaryEvent')) return `${word || '途中'}${object.cancelActivity === false ? '（中断しない）' : '（中断する）'}`;
    if (is(object, 'bpmn:IntermediateThrowEvent')) return word ? `送る（${word}）` : '通過点';
    return word ? `待つ（${word}）` : '待つ';
  }
  if (is(object, 'bpmn:SubProcess')) return isEventSubProcess(object) ? 'いつでもできる操作' : 'まとまり';
  return KINDS.find(([type]) => is(object, type))?.[1] ?? object.$type.replace(/^.*:/, '');
}
