// Plays a run of the checker step by step on the drawing: where the case passes and where it then rests, in colours and in words.
import { announce, h } from './dom.js';

const VERBS = { start: '始める', complete: '完了する', send_back: '差し戻す', act: '操作する', due: '時間がたつ', facts: '条件が成り立つ' };

export class Replay {
  constructor(editor, place) {
    this.editor = editor;
    this.place = place;
    place.hidden = true;
    editor.on('changed', () => this.close());
  }

  play(finding) {
    this.steps = JSON.parse(finding.run);
    this.finding = finding;
    this.text = h('p', { class: 'replay-text', 'aria-live': 'polite' });
    const button = (label, act, name) => h('button', { class: 'button button-secondary button-small', type: 'button', onclick: act, dataset: { replay: name } }, label);
    this.place.replaceChildren(
      h('p', { class: 'replay-title' }, h('strong', {}, '動きの再生'), `　${finding.message}`),
      this.text,
      h('div', { class: 'button-row' }, button('前へ', () => this.to(this.at - 1), 'back'), button('次へ', () => this.to(this.at + 1), 'next'), button('続けて再生', () => this.run(), 'run'), button('終わる', () => this.close(), 'close')),
    );
    this.place.hidden = false;
    this.editor.get('selection').select(null); // its buttons would lie over the drawing
    this.to(0);
    this.place.querySelector('[data-replay=next]').focus();
  }

  async run() {
    clearInterval(this.timer);
    this.timer = setInterval(() => (this.at < this.steps.length - 1 ? this.to(this.at + 1) : clearInterval(this.timer)), 1400);
  }

  async to(at) {
    if (!this.steps || at < 0 || at >= this.steps.length) return;
    this.at = at;
    const step = this.steps[at];
    const shown = step.shown ?? { passed: [], rests: [] };
    const file = [...shown.passed, ...shown.rests].map(([name]) => name).find((name) => name === this.editor.file) ?? [...shown.rests, ...shown.passed][0]?.[0];
    if (file && file !== this.editor.file && file in this.editor.files) await this.editor.open(file);
    this.unmark();
    const canvas = this.editor.get('canvas');
    const mine = (list) => list.filter(([name]) => name === this.editor.file).map(([, id]) => id).filter((id) => this.editor.element(id));
    const before = this.steps.slice(0, at + 1).flatMap((one) => [...(one.shown?.passed ?? []), ...(one === step ? [] : (one.shown?.rests ?? []))]);
    this.marks = [...new Set(mine(before))].map((id) => [id, 'is-passed']).concat(mine(shown.rests).map((id) => [id, 'is-resting']));
    for (const [id, mark] of this.marks) canvas.addMarker(id, mark);
    const overlays = this.editor.get('overlays');
    for (const id of mine(shown.rests)) overlays.add(id, 'replay', { position: { top: -10, right: 10 }, html: h('span', { class: 'replay-token' }, 'ここ') });
    const focus = mine(shown.rests)[0] ?? mine(shown.passed).at(-1);
    if (focus) canvas.scrollToElement(this.editor.element(focus), 120);
    this.text.textContent = `${at + 1}／${this.steps.length}　${this.words(step, shown)}`;
  }

  words(step, shown) {
    const verb = Object.keys(VERBS).find((one) => one in step);
    const name = verb ? this.named(String(step[verb]).split('/').at(-1)) : '';
    const answers = Object.entries(step.answers ?? {}).map(([fact, value]) => `${this.editor.facts.find((one) => one.name === fact)?.label ?? fact}＝${this.valued(fact, value)}`);
    const where = shown.rests.map(([, id]) => `「${this.named(id)}」`).join('、');
    const did = verb ? `「${name}」を${VERBS[verb]}${answers.length ? `（${answers.join('、')}）` : ''}。` : '';
    return `${did}${where ? `いまは${where}で待っています。` : 'ここで終わります。'}`;
  }

  valued(fact, value) {
    const choice = this.editor.facts.find((one) => one.name === fact)?.choices.find(([one]) => one === value);
    return choice ? choice[1] : value === true ? 'はい' : value === false ? 'いいえ' : typeof value === 'object' ? JSON.stringify(value) : String(value);
  }

  named(id) {
    return (this.editor.element(id)?.businessObject.name ?? id).replace(/\s+/g, ' ');
  }

  unmark() {
    const canvas = this.editor.get('canvas');
    for (const [id, mark] of this.marks ?? []) if (this.editor.element(id)) canvas.removeMarker(id, mark);
    this.editor.get('overlays').remove({ type: 'replay' });
    this.marks = [];
  }

  close() {
    clearInterval(this.timer);
    if (this.place.hidden) return;
    this.unmark();
    this.place.hidden = true;
    announce('再生を終わりました。');
  }
}
