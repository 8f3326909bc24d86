// What the parts of the editor share: the drawing, the draft's files, what the office offers, what is selected. Parts listen to its events:
// `opened` (a file), `changed` (the drawing), `selected`, `examined` (facts and findings), `files` (their list), `vocabulary`.
import { createDrawing } from './drawing.js';
import { preserve } from './keep.js';
import { get } from './api.js';
import { tidy } from './tidy.js';
import { drawUndrawn } from './undrawn.js';

// A diagram laid out on a canvas that nobody sees, for whoever only looks: nothing can be moved on theirs.
async function laidOut(text) {
  const aside = document.body.appendChild(document.createElement('div'));
  Object.assign(aside, { className: 'designer-aside', inert: true });
  const drawing = createDrawing(aside, false);
  try {
    await drawing.importXML(text);
    tidy(drawing);
    return (await drawing.saveXML({ format: true })).xml;
  } finally {
    drawing.destroy();
    aside.remove();
  }
}

export class Editor extends EventTarget {
  constructor(place, stage) {
    super();
    this.base = place.dataset.base;
    this.draft = Number(place.dataset.draft);
    this.office = place.dataset.office;
    this.readOnly = Boolean(place.dataset.whyNot);
    this.files = {};
    this.facts = [];
    this.decisions = [];
    this.processes = [];
    this.vocabulary = null;
    this.warnings = [];
    this.drawing = createDrawing(stage, this.readOnly);
    this.drawing.on('selection.changed', () => this.tell('selected'));
    this.drawing.on('elements.changed', () => this.file && !this.opening && this.tell('redrawn'));
    this.drawing.on('commandStack.changed', () => this.file && !this.opening && this.tell('changed'));
  }

  tell(type, detail) {
    this.dispatchEvent(new CustomEvent(type, { detail }));
  }

  on(type, act) {
    this.addEventListener(type, (event) => act(event.detail));
  }

  get(service) {
    return this.drawing.get(service, false);
  }

  async load() {
    const [told, vocabulary] = await Promise.all([get(`${this.base}/files.json`), get(`${this.base}/vocabulary.json`)]);
    this.files = told.files;
    this.standing = told;
    this.process = told.process;
    this.vocabulary = vocabulary;
  }

  get diagrams() {
    return Object.keys(this.files).filter((name) => name.endsWith('.bpmn'));
  }

  // Open one of the files; what was drawn in the one before is kept.
  async open(name) {
    if (this.file) await this.keep();
    this.opening = true;
    try {
      const text = this.files[name];
      const whole = await this.whole(text);
      const { warnings } = await this.drawing.importXML(whole?.text ?? text);
      this.warnings = [...(whole?.warnings ?? []), ...warnings];
      this.original = text;
      if (!whole) this.before = (await this.drawing.saveXML({ format: true })).xml;
      this.file = name;
      this.broken = null;
    } catch (error) {
      this.file = name;
      this.original = this.before = null;
      this.broken = error;
    } finally {
      this.opening = false;
    }
    this.tell('opened');
    if (!this.broken && this.completed && !this.readOnly) tidy(this);
    return !this.broken;
  }

  // The file with shapes for what is drawn nowhere; null when all of it is.
  async whole(text) {
    this.completed = 0;
    const moddle = this.get('moddle');
    const { rootElement, warnings } = await moddle.fromXML(text);
    const before = (await moddle.toXML(rootElement, { format: true, preamble: true })).xml;
    this.completed = drawUndrawn(moddle, rootElement);
    if (!this.completed) return null;
    this.before = before;
    const { xml } = await moddle.toXML(rootElement, { format: true, preamble: true });
    return { text: this.readOnly ? await laidOut(xml) : xml, warnings };
  }

  // The open file as it would be written now: what was not touched stays as it was.
  async written() {
    if (this.readOnly || this.broken || !this.original) return this.files[this.file];
    const { xml } = await this.drawing.saveXML({ format: true });
    return preserve(this.original, this.before, xml);
  }

  async keep() {
    const text = await this.written();
    this.files[this.file] = text;
    return text;
  }

  get selected() {
    const found = this.get('selection').get();
    return found.length === 1 ? (found[0].labelTarget ?? found[0]) : null;
  }

  element(id) {
    return this.get('elementRegistry').get(id);
  }

  // Select an element and bring it into view; answers whether it is in the open file.
  show(id) {
    const element = this.element(id);
    if (!element) return false;
    const canvas = this.get('canvas');
    const root = canvas.findRoot(element);
    if (root && root !== canvas.getRootElement()) canvas.setRootElement(root);
    if (root !== element) canvas.scrollToElement(element, { top: 80, bottom: 80, left: 120, right: 80 });
    this.get('selection').select(root === element ? null : element);
    return true;
  }

  // The whole drawing beside the palette.
  fit() {
    if (this.broken) return;
    const canvas = this.get('canvas');
    canvas.resized();
    const { inner, outer } = canvas.viewbox();
    const left = this.readOnly ? 16 : 124;
    const [width, height] = [outer.width - left - 16, outer.height - 72];
    if (!(width > 0 && height > 0 && inner.width)) return;
    const scale = Math.max(0.2, Math.min(1, width / inner.width, height / inner.height));
    canvas.viewbox({ x: inner.x - left / scale - Math.max(0, (width / scale - inner.width) / 2), y: inner.y - 28 / scale - Math.min(60 / scale, Math.max(0, (height / scale - inner.height) / 2)), width: outer.width / scale, height: outer.height / scale });
  }

  // The process that is drawn: of the pool, or alone.
  get processObject() {
    const root = this.get('canvas').getRootElement()?.businessObject;
    if (!root) return null;
    if (root.$type === 'bpmn:Process') return root;
    const definitions = this.drawing.getDefinitions();
    return definitions.rootElements.find((one) => one.$type === 'bpmn:Process') ?? null;
  }
}
