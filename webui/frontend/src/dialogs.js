// Questions before acts that cannot be undone, and the keyboard.
import words from './words.js';

function element(tag, attributes = {}, ...children) {
  const made = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) made.setAttribute(name, value);
  made.append(...children);
  return made;
}

function dialog(title, body, buttons) {
  const heading = element('h2', { class: 'dialog-title', id: 'dialog-title' }, title);
  const box = element('dialog', { class: 'dialog', 'aria-labelledby': 'dialog-title' }, heading, ...body, element('div', { class: 'button-row' }, ...buttons));
  box.addEventListener('close', () => box.remove());
  document.body.append(box);
  box.showModal();
  return box;
}

// <button data-confirm="…" data-confirm-button="取り下げる">: asks, then submits with this very button.
export function confirmDialogs() {
  let allowed = null;
  document.addEventListener(
    'click',
    (event) => {
      const button = event.target.closest?.('button[data-confirm], a[data-confirm], input[data-confirm]');
      if (!button) return;
      if (allowed === button) {
        allowed = null;
        return;
      }
      event.preventDefault();
      event.stopImmediatePropagation();
      if (button.form && !button.formNoValidate && !button.form.noValidate && !button.form.reportValidity()) return;
      const danger = button.matches('.button-danger');
      const yes = element('button', { type: 'button', class: danger ? 'button button-danger' : 'button' }, button.dataset.confirmButton || button.textContent.trim() || words.ok);
      const no = element('button', { type: 'button', class: 'button button-secondary', autofocus: '' }, words.cancel);
      const lines = button.dataset.confirm.split('\n');
      const box = dialog(lines[0], lines.slice(1).map((line) => element('p', {}, line)), [no, yes]);
      no.addEventListener('click', () => box.close());
      yes.addEventListener('click', () => {
        box.close();
        allowed = button;
        button.click();
      });
    },
    true,
  );
}

// data-key="i" on a link, button or field: the key follows, presses or focuses it. Rows that j and k walk: [data-item].
const STORED = 'tadachi-keys';
const on = () => localStorage.getItem(STORED) !== 'off';

function help() {
  const rows = [['?', words.help]];
  if (document.querySelector('[data-item]')) rows.push(['j', words.next], ['k', words.previous]);
  for (const target of document.querySelectorAll('[data-key]')) {
    rows.push([target.dataset.key, target.dataset.keyLabel || target.getAttribute('aria-label') || target.textContent.trim()]);
  }
  const list = element('dl', { class: 'keys' });
  for (const [key, text] of rows) list.append(element('div', {}, element('dt', {}, element('kbd', {}, key)), element('dd', {}, text)));
  const box = element('input', { type: 'checkbox', id: 'keys-on' });
  box.checked = on();
  box.addEventListener('change', () => localStorage.setItem(STORED, box.checked ? 'on' : 'off'));
  const close = element('button', { type: 'button', class: 'button button-secondary' }, words.close);
  const shown = dialog(words.keys, [element('label', { class: 'choice' }, box, element('span', {}, words.keysOn)), list], [close]);
  close.addEventListener('click', () => shown.close());
}

export function keyboard() {
  document.querySelectorAll('[data-keyboard-help]').forEach((button) => (button.hidden = false));
  document.addEventListener('click', (event) => {
    if (event.target.closest?.('[data-keyboard-help]')) help();
  });
  document.addEventListener('keydown', (event) => {
    if (!on() || event.ctrlKey || event.metaKey || event.altKey || event.isComposing || event.defaultPrevented) return;
    if (event.target.closest?.('input, select, textarea, [contenteditable], dialog, .diagram')) return;
    if (event.key === '?') {
      event.preventDefault();
      help();
    } else if (event.key === 'j' || event.key === 'k') {
      const items = [...document.querySelectorAll('[data-item]')];
      const now = items.indexOf(document.activeElement);
      const next = items[event.key === 'j' ? now + 1 : Math.max(now - 1, 0)];
      if (!next) return;
      event.preventDefault();
      next.focus();
      next.scrollIntoView({ block: 'nearest' });
    } else {
      const target = [...document.querySelectorAll('[data-key]')].find((item) => item.dataset.key === event.key);
      if (!target) return;
      event.preventDefault();
      if (target.matches('input, select, textarea')) target.focus();
      else target.click();
    }
  });
}
