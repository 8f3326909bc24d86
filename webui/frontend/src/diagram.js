// Shows a case's diagram, read-only, with what is done, current and overdue marked by colour, outline and word.
//
// <div class="diagram" data-diagram="address of BPMN XML" data-diagram-state="address of JSON" data-diagram-label="…"
//      data-diagram-link="/cases/12?diagram={path}"></div>
// With data-diagram-marks (the same as JSON, states "added" | "removed" | "changed") instead of a state, two versions are compared: what is
// marked [data-diagram-twin] moves together.
// Links with data-show-element and data-show-diagram lead to the element in the drawings with that data-diagram-process.
// With data-diagram-legend="coverage" the states are "reached" | "missed": what scenarios pass. Flows are only coloured ("taken" by a case).
// With data-diagram-legend="clauses" they are "chosen" | "cited" | "uncited". data-diagram-point names an element to begin with.
// State: {element id: {state: "done" | "current" | "overdue", label, count, calls: path of the diagram behind a call activity}}
import './diagram.css';
import NavigatedViewer from 'bpmn-js/lib/NavigatedViewer';
import words from './diagram-words.js';

const FONT = '"Noto Sans JP", "Noto Sans CJK JP", "Hiragino Sans", "BIZ UDPGothic", "Yu Gothic UI", Meiryo, sans-serif';
const LEGIBLE = 0.6;
const EDGE = 24; // of a drawing, in its own units
const STATES = ['done', 'current', 'overdue'];
const CHANGES = ['added', 'removed', 'changed'];
const COVERAGE = ['reached', 'missed'];
const LEGENDS = { coverage: COVERAGE, clauses: ['chosen', 'cited', 'uncited'] };
// States that say that all is well: an event, which is small, bears no word for them.
const WELL = ['done', 'reached', 'cited'];
// What a flow may be marked with; it bears no word.
const FLOWS = [...CHANGES, ...COVERAGE, 'taken'];

function make(tag, className, text) {
  const made = document.createElement(tag);
  made.className = className;
  if (text) made.textContent = text;
  return made;
}

class Diagram {
  constructor(place) {
    this.place = place;
    this.tools = make('div', 'diagram-tools');
    this.stage = make('div', 'diagram-stage');
    this.stage.tabIndex = 0;
    this.stage.setAttribute('role', 'group');
    this.stage.setAttribute('aria-label', place.dataset.diagramLabel || '');
    this.hint = make('p', 'visually-hidden', words.move);
    this.hint.id = `diagram-hint-${Math.random().toString(36).slice(2, 8)}`;
    this.stage.setAttribute('aria-describedby', this.hint.id);
    place.replaceChildren(this.tools, this.stage, this.hint);
    this.viewer = new NavigatedViewer({
      container: this.stage,
      // The sizes the diagrams were drawn for: larger letters would break the labels of flows in two.
      textRenderer: { defaultStyle: { fontFamily: FONT, fontSize: 12, lineHeight: 1.2 }, externalStyle: { fontFamily: FONT, fontSize: 11 } },
    });
    this.canvas = this.viewer.get('canvas');
  }

  async show() {
    const [xml, state] = await Promise.all([this.load('diagram', 'text'), this.load('diagramState', 'json')]);
    await this.viewer.importXML(xml);
    const marks = this.place.dataset.diagramMarks;
    this.states = LEGENDS[this.place.dataset.diagramLegend] ?? (marks ? CHANGES : STATES);
    this.mark(state ?? JSON.parse(marks || '{}'));
    this.controls();
    this.fit();
    this.touch();
    this.begin();
    new ResizeObserver(() => {
      if (Math.abs(this.stage.clientWidth - this.width) > 4) this.fit(), this.begin();
    }).observe(this.stage);
    this.place.dataset.ready = 'yes';
  }

  async load(name, kind) {
    const address = this.place.dataset[name];
    if (!address) return null;
    const answered = await fetch(address, { credentials: 'same-origin' });
    if (!answered.ok) throw new Error(`${answered.status} ${address}`);
    return answered[kind]();
  }

  mark(state) {
    const overlays = this.viewer.get('overlays');
    const registry = this.viewer.get('elementRegistry');
    this.current = [];
    for (const [id, { state: is, label, count, calls }] of Object.entries(state)) {
      const shape = registry.get(id);
      if (!shape) continue;
      if (shape.waypoints || shape.isFrame || !shape.parent?.parent) {
        if ((shape.waypoints ? FLOWS : CHANGES).includes(is)) this.canvas.addMarker(id, `is-${is}`);
        continue;
      }
      if (this.states.includes(is)) {
        this.canvas.addMarker(id, `is-${is}`);
        if (!WELL.includes(is)) this.current.push(shape);
        const small = shape.width < 60;
        const text = (label || words[is]) + (count > 1 ? ` ${count}` : '');
        if (!small || !WELL.includes(is)) {
          overlays.add(id, 'state', { position: { top: -12, left: small ? shape.width + 14 : shape.width - 6 }, html: make('span', `diagram-badge is-${is}`, text) });
        }
      }
      if (calls != null && this.place.dataset.diagramLink) {
        const link = make('a', 'diagram-inside', words.inside);
        link.href = this.place.dataset.diagramLink.replace('{path}', encodeURIComponent(calls));
        overlays.add(id, 'inside', { position: { bottom: 0, left: 0 }, html: link });
        link.style.width = `${shape.width}px`;
      }
    }
  }

  controls() {
    const button = (sign, name, act) => {
      const made = make('button', 'diagram-button', sign);
      made.type = 'button';
      if (sign !== name) made.setAttribute('aria-label', name), (made.title = name);
      made.addEventListener('click', act);
      this.tools.append(made);
    };
    button('＋', words.zoomIn, () => this.zoom(1.25));
    button('−', words.zoomOut, () => this.zoom(0.8));
    button(words.fit, words.fit, () => this.whole());
    if (this.current.length && this.states === STATES) button(words.here, words.here, () => this.here());
    const legend = make('p', 'diagram-legend');
    for (const is of this.states) legend.append(make('span', `diagram-badge is-${is}`, words[is]));
    this.tools.append(legend);

    this.stage.addEventListener('keydown', (event) => {
      if (event.ctrlKey || event.metaKey || event.altKey) return;
      const steps = { ArrowLeft: [60, 0], ArrowRight: [-60, 0], ArrowUp: [0, 60], ArrowDown: [0, -60] };
      if (steps[event.key]) this.canvas.scroll({ dx: steps[event.key][0], dy: steps[event.key][1] });
      else if (event.key === '+' || event.key === ';') this.zoom(1.25);
      else if (event.key === '-') this.zoom(0.8);
      else if (event.key === '0') this.whole();
      else return;
      event.preventDefault();
    });
    // The wheel belongs to the page; with Ctrl it zooms the diagram.
    this.stage.addEventListener('wheel', (event) => event.ctrlKey || event.metaKey || event.stopPropagation(), true);
  }

  touch() {
    const points = new Map();
    this.stage.addEventListener('pointerdown', (event) => event.pointerType === 'touch' && points.set(event.pointerId, event));
    const end = (event) => points.delete(event.pointerId);
    this.stage.addEventListener('pointerup', end);
    this.stage.addEventListener('pointercancel', end);
    this.stage.addEventListener('pointermove', (event) => {
      const before = points.get(event.pointerId);
      if (!before) return;
      if (points.size === 1) this.canvas.scroll({ dx: event.clientX - before.clientX, dy: event.clientY - before.clientY });
      else {
        const other = [...points.values()].find((point) => point.pointerId !== event.pointerId);
        const apart = (point) => Math.hypot(point.clientX - other.clientX, point.clientY - other.clientY);
        this.zoom(apart(event) / Math.max(apart(before), 1));
      }
      points.set(event.pointerId, event);
    });
  }

  zoom(factor) {
    const scale = Math.min(Math.max(this.canvas.zoom() * factor, 0.2), 4);
    if (!Number.isFinite(scale) || !this.stage.clientWidth) return;
    this.canvas.zoom(scale, { x: this.stage.clientWidth / 2, y: this.stage.clientHeight / 2 });
  }

  // The stage gets the height the diagram needs; where the whole would be too small to read, the current step is shown instead.
  fit() {
    this.width = this.stage.clientWidth;
    if (!this.width) return; // not laid out (a closed <details>, a hidden tab): the observer calls again when it is
    this.canvas.resized(); // what was measured while it had no size is forgotten
    const { inner } = this.canvas.viewbox();
    const scale = Math.min(1, this.width / (inner.width + 48));
    const needed = (inner.height + 64) * (scale < LEGIBLE ? LEGIBLE + 0.15 : scale) + 24; // room for the mark of bpmn.io
    this.stage.style.height = `${Math.round(Math.min(Math.max(needed, 240), Math.max(360, innerHeight * 0.75)))}px`;
    this.canvas.resized();
    this.whole();
    if (this.canvas.zoom() < LEGIBLE) this.here();
  }

  whole() {
    const { inner } = this.canvas.viewbox();
    const [width, height] = [this.stage.clientWidth, this.stage.clientHeight];
    const scale = Math.min(1, width / (inner.width + 48), height / (inner.height + 56));
    this.centre(inner.x + inner.width / 2, inner.y + inner.height / 2 + 8, scale);
  }

  here() {
    const [first] = this.current;
    const { inner } = this.canvas.viewbox();
    const scale = Math.max(this.canvas.zoom(), LEGIBLE + 0.15);
    if (first) this.centre(first.x + first.width / 2, first.y + first.height / 2, scale);
    else this.centre(inner.x + this.stage.clientWidth / scale / 2 - 16, inner.y + inner.height / 2, scale);
  }

  begin() {
    const id = this.place.dataset.diagramPoint;
    if (id && this.viewer.get('elementRegistry').get(id)) this.point(id);
  }

  // Brings one element to the middle and marks it as the one that was asked for.
  point(id) {
    const shape = this.viewer.get('elementRegistry').get(id);
    const points = shape.waypoints ?? [{ x: shape.x + shape.width / 2, y: shape.y + shape.height / 2 }];
    if (this.pointed) this.canvas.removeMarker(this.pointed, 'is-pointed');
    this.canvas.addMarker(id, 'is-pointed');
    this.pointed = id;
    const middle = points[Math.floor((points.length - 1) / 2)];
    this.centre(middle.x, middle.y, Math.max(this.canvas.zoom(), LEGIBLE + 0.15));
  }

  centre(x, y, scale) {
    const width = this.stage.clientWidth / scale;
    const height = this.stage.clientHeight / scale;
    if (![x, y, width, height].every(Number.isFinite) || width <= 0 || height <= 0) return; // no size, or an empty diagram
    const { inner } = this.canvas.viewbox();
    // What is drawn fills the stage where it can: nothing is gained by looking past its edge.
    const within = (middle, size, start, length) =>
      length + 2 * EDGE <= size ? start + (length - size) / 2 : Math.min(Math.max(middle - size / 2, start - EDGE), start + length + EDGE - size);
    this.canvas.viewbox({ x: within(x, width, inner.x, inner.width), y: within(y, height, inner.y, inner.height), width, height });
  }
}

const shown = [];
for (const place of document.querySelectorAll('[data-diagram]')) {
  const diagram = new Diagram(place);
  shown.push(
    diagram
      .show()
      .then(() => diagram)
      .catch(() => {
        place.replaceChildren(make('p', 'alert alert-warning', words.broken));
        place.dataset.ready = 'failed';
      }),
  );
}

// Two versions side by side: what one shows the other shows.
function together(pair) {
  let leading = false;
  for (const one of pair) {
    one.viewer.get('eventBus').on('canvas.viewbox.changed', ({ viewbox }) => {
      if (leading) return;
      leading = true;
      for (const other of pair) {
        if (other === one || !other.stage.clientWidth) continue;
        const width = other.stage.clientWidth / viewbox.scale;
        const height = other.stage.clientHeight / viewbox.scale;
        other.canvas.viewbox({ x: viewbox.x, y: viewbox.y, width, height });
      }
      leading = false;
    });
  }
}

// A line of a list leads to its element, in every drawing here that has it.
function lead(diagrams) {
  for (const link of document.querySelectorAll('[data-show-element]')) {
    const { showElement: element, showDiagram: process } = link.dataset;
    const found = diagrams.filter((one) => one.place.dataset.diagramProcess === process && one.viewer.get('elementRegistry').get(element));
    if (!found.length) continue;
    link.addEventListener('click', (event) => {
      if (event.ctrlKey || event.metaKey) return;
      event.preventDefault();
      for (const one of [...found].reverse()) one.point(element);
      found[0].place.scrollIntoView({ block: 'center' });
      found[0].stage.focus({ preventScroll: true });
    });
  }
}

Promise.all(shown).then((all) => {
  const diagrams = all.filter(Boolean);
  together(diagrams.filter((one) => 'diagramTwin' in one.place.dataset));
  lead(diagrams);
});
