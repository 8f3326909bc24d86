// The canvas: bpmn-js with what Tadachi runs and nothing else, in Japanese.
import Modeler from 'bpmn-js/lib/Modeler';
import camunda from 'camunda-bpmn-moddle/resources/camunda.json';
import colours from 'bpmn-js-color-picker';
import minimap from 'diagram-js-minimap';
import words from './words.js';
import supported from './supported.js';

// The sizes the diagrams are drawn for, as in ../diagram.js: larger letters would break the labels of flows in two.
const FONT = '"Noto Sans JP", "Noto Sans CJK JP", "Hiragino Sans", "BIZ UDPGothic", "Yu Gothic UI", Meiryo, sans-serif';

export function createDrawing(container) {
  return new Modeler({
    container,
    moddleExtensions: { camunda },
    additionalModules: [words, minimap, colours, supported],
    minimap: { open: false },
    textRenderer: { defaultStyle: { fontFamily: FONT, fontSize: 12, lineHeight: 1.2 }, externalStyle: { fontFamily: FONT, fontSize: 11 } },
  });
}
