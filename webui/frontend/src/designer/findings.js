// What is wrong with the drawing, while it is drawn: the gate and the office at once, all ways a case can go in the background.
import { announce, debounce, h, icon } from './dom.js';
import { get, post, Refused } from './api.js';

const DELAY = 600;
const QUIET = 5000; // nothing was changed for so long: then all ways are walked through
const LOOK = 1000;

// What the drawing library could not read, in Japanese.
const MOST = 20;
function unread({ message = '' }) {
  const [, reference] = /unresolved reference <([^>]*)>/.exec(message) ?? [];
  if (reference) return `「${reference}」を指していますが、そのような要素はありません。`;
  const [, content] = /unparsable content <([^>]*)>/.exec(message) ?? [];
  if (content) return `「${content}」は、BPMNの要素として読み取れません。`;
  const [, attribute] = /unknown attribute <([^>]*)>/.exec(message) ?? [];
  if (attribute) return `「${attribute}」は、この要素では働きません（そのまま残します）。`;
  return /[ぁ-ん]/.test(message) ? message : '読み取れない箇所があります。';
}

export class Findings {
  constructor(editor, saving, place, tab, replay) {
    Object.assign(this, { editor, saving, place, tab, replay });
    this.found = [];
    this.proof = null;
    this.marked = [];
    this.soon = debounce(DELAY, () => this.look());
    this.quiet = debounce(QUIET, () => this.proveUnasked());
    editor.on('changed', () => this.again());
    editor.on('opened', () => this.mark());
    editor.on('files', () => this.again());
    this.list = h('ol', { class: 'finding-list' });
    this.state = h('p', { class: 'finding-state', role: 'status' });
    this.button = h('button', { class: 'button button-secondary button-small', type: 'button', onclick: () => (this.running ? this.cancel() : this.prove()) });
    this.progress = h('p', { class: 'small muted finding-progress' });
    this.rule = h('div', { class: 'finding-rule', hidden: true });
    place.append(this.state, this.list, h('div', { class: 'button-row finding-proof' }, this.button, this.progress), this.rule);
    this.show();
  }

  get running() {
    return this.proof?.state === 'running';
  }

  ready() {
    return !this.editor.readOnly && this.fresh && !this.found.some((one) => one.severity === 'error');
  }

  again() {
    this.asking?.abort(); // an answer about the drawing before says nothing of this one
    this.fresh = this.due = false;
    if (this.running) this.cancel();
    this.proof = null;
    this.turn = (this.turn ?? 0) + 1;
    this.show();
    this.soon();
    this.quiet();
  }

  async look() {
    this.asking?.abort();
    const asking = (this.asking = new AbortController());
    this.state.textContent = '確かめています…';
    try {
      const text = await this.editor.written();
      const files = { ...this.saving.pending(), [this.editor.file]: text };
      const told = await post(`${this.editor.base}/inspect.json`, { files, process: this.editor.process }, { signal: asking.signal });
      if (asking.signal.aborted) return;
      this.found = told.findings;
      this.fresh = true;
      Object.assign(this.editor, { facts: told.facts, decisions: told.decisions, processes: told.processes });
      if (Object.keys(told.called).length) {
        Object.assign(this.editor.files, told.called);
        this.saving.touch();
        this.editor.tell('files', { quiet: true });
      }
      this.editor.tell('examined');
      this.show();
      this.mark();
      if (this.due) this.proveUnasked();
    } catch (error) {
      if (error.name !== 'AbortError') this.state.textContent = error instanceof Refused ? error.message : '確かめられませんでした。通信を確かめてください。';
    }
  }

  all() {
    const { warnings, completed, file } = this.editor;
    const told = (message, element = '') => ({ rule: '', severity: 'warning', message, element, file, page: false });
    return [
      ...this.found,
      ...(this.proof?.findings ?? []),
      ...(warnings ?? []).slice(0, MOST).map((one) => told(unread(one), one.element?.id ?? one.context?.element?.id ?? '')),
      ...(completed ? [told(`形のなかった${completed}個の要素に、形を付けました。`)] : []),
    ];
  }

  show() {
    const all = this.all();
    const wrong = all.filter((one) => one.severity === 'error').length;
    this.tab.textContent = all.length ? `指摘 ${all.length}` : '指摘';
    this.tab.classList.toggle('has-errors', wrong > 0);
    if (this.fresh) {
      const text = wrong ? `直すところが${wrong}件あります。` : all.length ? '直すところはありません（お知らせがあります）。' : '直すところはありません。';
      if (this.state.textContent !== text) this.state.textContent = text;
    }
    this.list.replaceChildren(...all.map((one, number) => this.line(one, number)));
    this.button.textContent = this.running ? '検査をやめる' : 'すべての進み方を調べる';
    this.button.disabled = !this.running && !this.ready();
    this.progress.textContent = this.said();
  }

  said() {
    if (this.running) return `調べています…（${this.seconds ?? 0}秒）`;
    if (this.proof?.state === 'done') {
      const ways = `${this.proof.states.toLocaleString('ja-JP')}通りの状態`;
      return this.proof.findings.length ? `${ways}を調べ、${this.proof.findings.length}件を見つけました。` : `${ways}を調べました。どの進み方でも終わりに達します。`;
    }
    if (this.proof?.state === 'cancelled') return '検査をやめました。';
    if (this.proof?.state === 'lost') return '検査が途中で止まりました。もう一度行ってください。';
    return this.refusal ?? '';
  }

  line(one, number) {
    const name = this.nameOf(one);
    const go = h('button', { class: 'finding-go', type: 'button', dataset: { finding: number }, onclick: () => this.go(one) }, name || '図の全体');
    return h(
      'li',
      { class: `finding is-${one.severity}` },
      h('p', { class: 'finding-head' }, h('span', { class: `badge ${one.severity === 'error' ? 'badge-overdue' : 'badge-today'}` }, one.severity === 'error' ? '直す' : 'お知らせ'), ' ', go),
      h('p', { class: 'finding-text' }, one.message),
      h(
        'p',
        { class: 'finding-more small' },
        one.page && h('button', { class: 'button-link', type: 'button', onclick: () => this.explain(one.rule) }, `「${one.title}」の説明`),
        one.run && h('button', { class: 'button button-secondary button-small', type: 'button', onclick: () => this.replay.play(one) }, icon('clock'), ' この動きを再生'),
      ),
    );
  }

  nameOf(one) {
    if (!one.element) return one.file;
    const object = this.editor.file === one.file || !one.file ? this.editor.element(one.element)?.businessObject : null;
    const name = (object?.name ?? '').replace(/\s+/g, ' ').trim() || one.element;
    return one.file && one.file !== this.editor.file ? `${one.file}：${name}` : name;
  }

  async go(one) {
    if (one.file.endsWith('.dmn')) {
      await this.saving.save();
      location.assign(`${this.editor.base}/tables/${one.file}`);
      return;
    }
    if (one.file && one.file !== this.editor.file && one.file in this.editor.files) await this.editor.open(one.file);
    if (!this.editor.show(one.element)) this.editor.tell('selected');
    this.editor.tell('pointed', one);
    announce(`${this.nameOf(one)}を選びました。${one.message}`);
  }

  async explain(rule) {
    this.rule.replaceChildren(h('p', { class: 'muted' }, '開いています…'));
    this.rule.hidden = false;
    const address = document.getElementById('designer').dataset.rules.replace('RULE', rule);
    const page = new DOMParser().parseFromString(await get(`${address}?bare=yes`, { html: true }), 'text/html');
    const close = h('button', { class: 'button button-text button-small', type: 'button', onclick: () => (this.rule.hidden = true) }, '説明を閉じる');
    const title = this.all().find((one) => one.rule === rule)?.title ?? '';
    this.rule.replaceChildren(close, h('h2', { class: 'pane-title' }, title), document.importNode(page.querySelector('article'), true), h('p', {}, h('a', { href: address, target: '_blank' }, '別の画面で開く')));
    this.rule.tabIndex = -1;
    this.rule.focus();
  }

  // Marks on the drawing: a coloured outline and a number, so that colour alone says nothing.
  mark() {
    const [canvas, overlays] = [this.editor.get('canvas'), this.editor.get('overlays')];
    for (const id of this.marked) if (this.editor.element(id)) canvas.removeMarker(id, 'has-error'), canvas.removeMarker(id, 'has-warning');
    overlays.remove({ type: 'finding' });
    const counts = new Map();
    for (const one of this.all()) {
      const element = (!one.file || one.file === this.editor.file) && one.element && this.editor.element(one.element);
      if (!element || !element.parent) continue;
      const before = counts.get(element) ?? { errors: 0, all: [] };
      before.errors += one.severity === 'error' ? 1 : 0;
      before.all.push(one.message);
      counts.set(element, before);
    }
    this.marked = [...counts.keys()].map((element) => element.id);
    for (const [element, { errors, all }] of counts) {
      const kind = errors ? 'error' : 'warning';
      canvas.addMarker(element, `has-${kind}`);
      const badge = h('button', { class: `finding-badge is-${kind}`, type: 'button', tabindex: '-1', title: all.join('\n'), 'aria-label': `指摘${all.length}件` }, `！${all.length > 1 ? all.length : ''}`);
      badge.addEventListener('click', () => this.editor.tell('pointed', {}));
      if (element.waypoints) {
        const middle = element.waypoints[Math.floor((element.waypoints.length - 1) / 2)];
        const x = Math.min(...element.waypoints.map((point) => point.x));
        const y = Math.min(...element.waypoints.map((point) => point.y));
        overlays.add(element, 'finding', { position: { left: middle.x - x, top: middle.y - y - 12 }, html: badge });
      } else overlays.add(element, 'finding', { position: { top: -12, left: -12 }, html: badge });
    }
  }

  // ---------------------------------------------------------------- proofs

  // Nothing was changed for a while: what the gate has nothing against is walked through; its answer is waited for.
  proveUnasked() {
    this.due = !this.fresh;
    if (this.ready()) this.prove();
  }

  async prove() {
    this.quiet.cancel();
    this.due = false;
    const turn = this.turn;
    if (!(await this.saving.save()) || turn !== this.turn) return;
    this.refusal = null;
    try {
      const proof = await post(`${this.editor.base}/proof.json`);
      if (turn !== this.turn) return void post(`${this.editor.proofs}${proof.id}/cancel.json`).catch(() => {}); // drawn on meanwhile
      this.proof = proof;
      this.began = Date.now();
      this.follow(this.proof.id);
    } catch (error) {
      this.proof = null;
      this.refusal = error.message;
    }
    this.show();
  }

  async follow(id) {
    while (this.proof?.id === id && this.running) {
      await new Promise((resolve) => setTimeout(resolve, LOOK));
      if (this.proof?.id !== id || !this.running) return;
      try {
        const told = await get(`${this.editor.proofs}${id}.json`);
        if (this.proof?.id !== id) return;
        this.proof = told;
      } catch {
        continue; // asked again
      }
      this.seconds = Math.round((Date.now() - this.began) / 1000);
      this.show();
      if (!this.running) {
        this.mark();
        announce(this.said());
      }
    }
  }

  async cancel() {
    const { id } = this.proof;
    this.proof = { ...this.proof, state: 'cancelled', findings: [] };
    this.show();
    await post(`${this.editor.proofs}${id}/cancel.json`).catch(() => {});
  }
}
