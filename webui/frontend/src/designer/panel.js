import { h } from './dom.js';
export class Panel {
  constructor(editor, place) {
    this.editor = editor;
    this.place = place;
    editor.on('selected', () => this.show());
    editor.on('opened', () => this.show());
  }
  show() {
    const element = this.editor.selected;
    this.place.replaceChildren(h('p', {}, element ? element.businessObject.name ?? element.id : '要素を選んでください。'));
  }
}
