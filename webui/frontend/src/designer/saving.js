// What was drawn is saved by itself, a moment later; nothing is lost when two people save, when the connection is gone, or when the page is left.
import { announce, ask, debounce, h } from './dom.js';
import { post, Refused } from './api.js';
import { settle } from './fields.js';

const DELAY = 1200;
const AGAIN = 5000;
const WORD = 30_000; // how often it is said that somebody still edits

export class Saving {
  constructor(editor, status) {
    this.editor = editor;
    this.status = status;
    this.saved = { ...editor.files };
    this.revision = editor.standing.revision;
    this.busy = null;
    this.later = debounce(DELAY, () => this.save());
    editor.on('changed', () => this.touch());
    if (editor.readOnly) return;
    this.heartbeat = setInterval(() => this.hold(), WORD);
    addEventListener('pagehide', () => post(`${editor.base}/release.json`, {}, { keepalive: true }).catch(() => {}));
    addEventListener('beforeunload', (event) => (settle(), this.dirty) && (event.preventDefault(), (event.returnValue = '')));
    addEventListener('visibilitychange', () => document.visibilityState === 'hidden' && this.later.waits() && this.later.now());
  }

  say(text) {
    this.status.textContent = text;
  }

  touch() {
    if (this.editor.readOnly || this.stopped) return;
    this.dirty = true;
    this.say('保存していません…');
    this.later();
  }

  pending() {
    const names = new Set([...Object.keys(this.saved), ...Object.keys(this.editor.files)]);
    const changed = [...names].filter((name) => this.saved[name] !== this.editor.files[name]);
    return Object.fromEntries(changed.map((name) => [name, this.editor.files[name] ?? null]));
  }

  // Save what has changed; answers whether everything is saved now.
  async save() {
    settle();
    this.later.cancel();
    if (this.editor.readOnly || this.stopped) return false;
    if (this.busy) {
      await this.busy;
      return this.dirty ? this.save() : true;
    }
    this.busy = this.send();
    try {
      return await this.busy;
    } finally {
      this.busy = null;
    }
  }

  async send() {
    await this.editor.keep();
    const [files, process] = [this.pending(), this.editor.process];
    if (!Object.keys(files).length && process === this.editor.standing.process) {
      this.dirty = false;
      this.say('保存済み');
      return true;
    }
    this.dirty = false;
    try {
      const told = await post(`${this.editor.base}/save.json`, { revision: this.revision, files, process });
      this.revision = told.revision;
      Object.assign(this.saved, files);
      for (const name of Object.keys(files)) if (files[name] === null) delete this.saved[name];
      this.editor.standing.process = process;
      if (!this.dirty) this.say(`保存しました（${told.saved_at}）`);
      this.editor.tell('saved', { revision: told.revision });
      return !this.dirty;
    } catch (error) {
      this.dirty = true;
      if (error instanceof Refused && error.status === 409) await this.conflict(error);
      else {
        this.say(error instanceof Refused && error.status === 422 ? error.message : '保存できませんでした。通信を確かめています…');
        setTimeout(() => this.dirty && this.save(), AGAIN);
      }
      return false;
    }
  }

  async hold() {
    try {
      await post(`${this.editor.base}/hold.json`);
    } catch (error) {
      if (error instanceof Refused && error.status === 409 && !this.dirty) this.stop(error.message);
    }
  }

  stop(text) {
    this.stopped = true;
    clearInterval(this.heartbeat);
    this.say(text);
    announce(text);
  }

  // Somebody else saved, edits, or closed the draft: both are kept.
  async conflict(error) {
    const mine = this.pending();
    const theirs = error.data.files;
    const choices = new Map();
    const body = [h('p', {}, error.message)];
    const both = theirs ? Object.keys(mine).filter((name) => theirs[name] !== this.saved[name] && theirs[name] !== mine[name]) : [];
    for (const name of both) {
      choices.set(name, 'mine');
      const radio = (value, label) =>
        h('label', { class: 'choice' }, h('input', { type: 'radio', name: `which-${name}`, checked: value === 'mine', onchange: () => choices.set(name, value) }), h('span', {}, label));
      body.push(h('fieldset', { class: 'field' }, h('legend', { class: 'field-label' }, name), h('div', { class: 'choices is-row' }, radio('mine', '自分の図'), radio('theirs', '相手の図'))));
    }
    if (theirs && !both.length) body.push(h('p', {}, '変えたファイルが別々なので、そのまままとめられます。'));
    const buttons = [['copy', '自分の図を、別の下書きに残す', 'button-secondary']];
    if (theirs) buttons.unshift(['merge', both.length ? '選んだ図でまとめる' : 'まとめて続ける', '']), buttons.push(['theirs', '相手の図を開く（自分の変更は捨てる）', 'button-text']);
    const answer = await ask('ほかの人が保存しました', body, buttons);
    if (answer === 'copy') {
      const { draft } = await post(`${this.editor.base}/copy.json`, { files: mine });
      this.dirty = false;
      location.assign(this.editor.base.replace(/\d+$/, draft));
    } else if (answer === 'theirs') {
      this.dirty = false;
      location.reload();
    } else if (answer === 'merge') {
      const merged = { ...theirs };
      for (const [name, text] of Object.entries(mine)) if (choices.get(name) !== 'theirs') text === null ? delete merged[name] : (merged[name] = text);
      this.saved = { ...theirs };
      this.revision = error.data.revision;
      this.editor.files = merged;
      const again = this.editor.file in merged ? this.editor.file : Object.keys(merged)[0];
      this.editor.file = null;
      await this.editor.open(again);
      this.editor.tell('files');
      await this.send();
    } else this.say('まだ保存していません。ほかの人の保存と重なっています。');
  }
}
