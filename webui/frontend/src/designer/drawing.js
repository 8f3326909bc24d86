// The canvas: bpmn-js with what Tadachi runs and nothing else, in Japanese.
import Modeler from 'bpmn-js/lib/Modeler';
import NavigatedViewer from 'bpmn-js/lib/NavigatedViewer';
import camunda from 'camunda-bpmn-moddle/resources/camunda.json';
import colours from 'bpmn-js-color-picker';
import minimap from 'diagram-js-minimap';
import words from './words.js';
import supported from './supported.js';
import { Place } from './tidy.js';

// The sizes the diagrams are drawn for, as in ../diagram.js: larger letters would break the labels of flows in two.
const FONT = '"Noto Sans JP", "Noto Sans CJK JP", "Hiragino Sans", "BIZ UDPGothic", "Yu Gothic UI", Meiryo, sans-serif';

// Seats stand not only on user tasks here: whoever may start a case or do an action is told the same way.
const SEATED = ['bpmn:UserTask', 'bpmn:ManualTask', 'bpmn:ReceiveTask', 'bpmn:CatchEvent'];
const seated = { ...camunda, types: camunda.types.map((type) => (type.name === 'Assignable' ? { ...type, extends: SEATED } : type)) };

// Who only looks gets a canvas on which nothing can be changed.
export function createDrawing(container, readOnly) {
  const textRenderer = { defaultStyle: { fontFamily: FONT, fontSize: 12, lineHeight: 1.2 }, externalStyle: { fontFamily: FONT, fontSize: 11 } };
  const shared = { container, moddleExtensions: { camunda: seated }, textRenderer, minimap: { open: false } };
  if (readOnly) return new NavigatedViewer({ ...shared, additionalModules: [words, minimap] });
  const made = new Modeler({ ...shared, additionalModules: [words, minimap, colours, supported] });
  made.get('commandStack').registerHandler('designer.place', Place);
  return made;
}
