// A small way to build pages from script: h('button', { class: 'button', onclick }, 'text'). Nothing is ever parsed as HTML.
export function h(tag, attributes = {}, ...children) {
  const made = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes ?? {})) {
    if (value === undefined || value === null || value === false) continue;
    if (name.startsWith('on')) made.addEventListener(name.slice(2), value);
    else if (name === 'value' || name === 'checked' || name === 'disabled' || name === 'selected' || name === 'hidden' || name === 'open') made[name] = value;
    else if (name === 'dataset') Object.assign(made.dataset, value);
    else made.setAttribute(name, value === true ? '' : value);
  }
  made.append(...children.flat(Infinity).filter((child) => child !== null && child !== undefined && child !== false));
  return made;
}

export function icon(name) {
  return h('span', { class: `icon icon-${name}`, 'aria-hidden': 'true' });
}

let made = 0;
export const unique = (stem) => `${stem}-${++made}`;

export function debounce(milliseconds, act) {
  let waiting = null;
  const later = (...given) => {
    clearTimeout(waiting);
    waiting = setTimeout(() => {
      waiting = null;
      act(...given);
    }, milliseconds);
  };
  later.cancel = () => (clearTimeout(waiting), (waiting = null));
  later.now = (...given) => (later.cancel(), act(...given));
  later.waits = () => waiting !== null;
  return later;
}

// A question in a dialog; answers with the value of the button pressed, null when it was closed.
export function ask(title, body, buttons) {
  return new Promise((resolve) => {
    const id = unique('dialog');
    const dialog = h(
      'dialog',
      { class: 'dialog designer-dialog', 'aria-labelledby': id },
      h('h2', { class: 'dialog-title', id }, title),
      ...[body].flat(),
      h(
        'div',
        { class: 'button-row is-end' },
        buttons.map(([value, label, kind]) =>
          h('button', { class: `button button-small ${kind ?? 'button-secondary'}`, type: 'button', onclick: () => (dialog.close(value), resolve(value)) }, label),
        ),
      ),
    );
    dialog.addEventListener('close', () => (resolve(dialog.returnValue || null), dialog.remove()));
    document.body.append(dialog);
    dialog.showModal();
  });
}

let announcer = null;
// Says something to a screen reader without moving the focus.
export function announce(text) {
  announcer ??= document.body.appendChild(h('p', { class: 'visually-hidden', role: 'status', 'aria-live': 'polite' }));
  announcer.textContent = '';
  requestAnimationFrame(() => (announcer.textContent = text));
}
