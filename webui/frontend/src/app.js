// Loaded on every page. Every page works without it; it only makes things quicker.
import './app.css';
import htmx from 'htmx.org/dist/htmx.esm.js';
import { confirmDialogs, keyboard } from './dialogs.js';
import { enhanceForms } from './forms.js';

Object.assign(htmx.config, {
  allowEval: false,
  includeIndicatorStyles: false,
  historyCacheSize: 0, // pages hold personal information: nothing of them is left in the browser's storage
  refreshOnHistoryMiss: true,
  scrollIntoViewOnBoost: false,
  responseHandling: [
    { code: '204', swap: false },
    { code: '[23]..', swap: true },
    { code: '409|422', swap: true }, // a refused form comes back with its messages
    { code: '[45]..', swap: false, error: true },
  ],
});

document.addEventListener('htmx:configRequest', (event) => {
  const token = document.querySelector('meta[name="csrf-token"]');
  if (token) event.detail.headers['X-CSRFToken'] = token.content;
});

htmx.onLoad((part) => enhanceForms(part instanceof Element ? part : document.body));
confirmDialogs();
keyboard();

// What must be read first gets the focus: the list of errors of a refused form, or the message of an act just done.
document.querySelector('[data-focus]')?.focus();
