// Asking the server: JSON both ways, with the page's token; a refusal comes as `Refused` with the sentence to show.
export class Refused extends Error {
  constructor(status, data) {
    super(data?.message || `通信できませんでした（${status}）`);
    this.status = status;
    this.data = data ?? {};
  }
}

const token = () => document.querySelector('meta[name="csrf-token"]')?.content ?? '';

export async function post(address, body = {}, options = {}) {
  return ask(address, {
    method: 'POST',
    body: JSON.stringify(body),
    headers: { 'Content-Type': 'application/json', Accept: options.html ? 'text/html' : 'application/json', 'X-CSRFToken': token() },
    signal: options.signal,
    keepalive: options.keepalive ?? false,
  }, options.html);
}

export const get = (address, options = {}) => ask(address, { headers: { Accept: options.html ? 'text/html' : 'application/json' }, signal: options.signal }, options.html);

async function ask(address, options, html) {
  const answered = await fetch(address, { credentials: 'same-origin', redirect: 'error', ...options });
  if (answered.status === 204) return null;
  if (!answered.ok) throw new Refused(answered.status, await answered.json().catch(() => null));
  return html ? answered.text() : answered.json();
}
