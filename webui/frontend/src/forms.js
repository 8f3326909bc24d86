// Forms: fields that appear when they matter, counted characters, rows that can be added, drafts that save themselves.
import words from './words.js';
import { evaluate } from './expression.js';

export function enhanceForms(part) {
  const forms = new Set(part.querySelectorAll('form'));
  if (part.closest('form')) forms.add(part.closest('form'));
  for (const form of forms) {
    if (form.dataset.enhanced) continue;
    form.dataset.enhanced = 'yes';
    if (form.dataset.draft) saveDrafts(form);
    if (form.querySelector('[data-shown-when], [data-required-when]')) {
      showWhatMatters(form);
      form.addEventListener('input', () => showWhatMatters(form));
    }
    if (form.method === 'post') sendOnce(form);
  }
  part.querySelectorAll('[data-count]').forEach(countCharacters);
  part.querySelectorAll('[data-add-row]').forEach(addRows);
}

// ---------------------------------------------------------------- fields that appear when they matter

function answer(field) {
  const name = field.dataset.field;
  const inputs = [...field.querySelectorAll('input, select, textarea')].filter((input) => input.name === name);
  const values = inputs.filter((input) => !/^(radio|checkbox)$/.test(input.type) || input.checked).map((input) => input.value);
  const value = values[0] ?? '';
  switch (field.dataset.type) {
    case 'set':
      return values.filter(Boolean);
    case 'boolean':
      return /^(true|yes|1|on)$/.test(value) ? true : /^(false|no|0|off)$/.test(value) ? false : null;
    case 'long':
      return /^[+-]?\d+$/.test(value.normalize('NFKC').replaceAll(',', '').trim())
        ? Number(value.normalize('NFKC').replaceAll(',', ''))
        : null;
    default:
      return value.trim() || null;
  }
}

function holds(expression, names) {
  try {
    return evaluate(expression, names) === true;
  } catch {
    return null; // not ours to decide: the server does
  }
}

function showWhatMatters(form) {
  const facts = JSON.parse(form.dataset.facts || '{}');
  const fields = [...form.querySelectorAll('[data-field]')];
  const names = { ...facts };
  for (const field of fields) if (!field.hidden) names[field.dataset.field] = answer(field);
  for (const field of fields) {
    const { shownWhen, requiredWhen } = field.dataset;
    if (shownWhen) {
      const shown = holds(shownWhen, names) !== false;
      if (field.hidden === shown) {
        field.hidden = !shown;
        // A hidden field is not sent, but what was typed is still there when it comes back.
        field.querySelectorAll('input, select, textarea, button').forEach((input) => (input.disabled = !shown));
        names[field.dataset.field] = shown ? answer(field) : (facts[field.dataset.field] ?? null);
      }
    }
    const mark = requiredWhen && field.querySelector('[data-required-mark]');
    if (mark) mark.hidden = holds(requiredWhen, names) === false;
  }
}

// ---------------------------------------------------------------- counted characters

function countCharacters(input) {
  if (input.dataset.counted) return;
  input.dataset.counted = 'yes';
  const limit = Number(input.dataset.count);
  const counter = document.createElement('p');
  counter.className = 'counter';
  counter.id = `${input.id || input.name}-count`;
  input.after(counter);
  input.setAttribute('aria-describedby', `${input.getAttribute('aria-describedby') ?? ''} ${counter.id}`.trim());
  const count = () => {
    const left = limit - [...input.value.normalize('NFC').trim()].length; // as the server counts
    counter.textContent = left < 0 ? words.over(-left) : words.left(left);
    counter.classList.toggle('is-over', left < 0);
    counter.hidden = left > Math.max(50, limit / 5); // near the limit only, so that it does not distract
  };
  input.addEventListener('input', count);
  count();
}

// ---------------------------------------------------------------- rows
// <button data-add-row="ID"> puts a copy of <template id="ID"> before the template, __index__ being the next number.

function addRows(button) {
  if (button.dataset.ready) return;
  button.dataset.ready = 'yes';
  button.hidden = false;
  const template = document.getElementById(button.dataset.addRow);
  const parent = template.parentElement;
  let next = parent.children.length;
  button.addEventListener('click', () => {
    const holder = document.createElement(parent.tagName === 'TBODY' ? 'tbody' : 'div');
    holder.append(template.content.cloneNode(true));
    holder.innerHTML = holder.innerHTML.replaceAll('__index__', String(next++));
    const row = holder.firstElementChild;
    parent.insertBefore(row, template);
    row.querySelector('input, select, textarea')?.focus();
  });
  parent.addEventListener('click', (event) => {
    const remove = event.target.closest('[data-remove-row]');
    if (!remove) return;
    remove.closest('[data-row]').remove();
    parent.dispatchEvent(new Event('input', { bubbles: true }));
    button.focus();
  });
}

// ---------------------------------------------------------------- drafts
// <form data-draft="address">: what is typed is sent there a moment later; [data-draft-status] says so.

function saveDrafts(form) {
  const status = form.querySelector('[data-draft-status]') ?? document.querySelector('[data-draft-status]');
  let waiting = null;
  let sent = '';
  const content = () => new URLSearchParams([...new FormData(form)].filter(([, value]) => typeof value === 'string'));
  const say = (text) => status && (status.textContent = text);

  async function save(leaving = false) {
    clearTimeout(waiting);
    waiting = null;
    const body = content();
    if (form.dataset.sending || String(body) === sent) return;
    if (!leaving) say(words.saving);
    try {
      const token = document.querySelector('meta[name="csrf-token"]');
      const headers = token ? { 'X-CSRFToken': token.content } : {};
      const answered = await fetch(form.dataset.draft, { method: 'POST', body, headers, keepalive: leaving, redirect: 'error' });
      if (!answered.ok) throw new Error(answered.statusText);
      sent = String(body);
      say(words.saved(new Date().toLocaleTimeString('ja-JP', { hour: '2-digit', minute: '2-digit' })));
    } catch {
      say(words.unsaved);
    }
  }

  sent = String(content());
  form.addEventListener('input', () => {
    clearTimeout(waiting);
    waiting = setTimeout(save, Number(form.dataset.draftDelay || 1500));
  });
  document.addEventListener('visibilitychange', () => {
    if (document.visibilityState === 'hidden' && waiting) save(true);
  });
}

// ---------------------------------------------------------------- once

function sendOnce(form) {
  form.addEventListener('submit', (event) => {
    if (event.defaultPrevented) return;
    if (form.dataset.sending) {
      event.preventDefault();
      return;
    }
    if (form.matches('[hx-post]')) return;
    form.dataset.sending = 'yes';
    setTimeout(() => delete form.dataset.sending, 8000); // a download or a lost connection leaves the page here
  });
  addEventListener('pageshow', () => delete form.dataset.sending);
}
