// The bar above the canvas: files, undo, zoom, search, and taking the drawing out as BPMN, SVG, PNG or on paper.
import { announce, h, icon } from './dom.js';
import { tidy } from './tidy.js';

export function tools(editor, saving, bar) {
  const button = (label, act, name, more = {}) => {
    const made = h('button', { class: 'designer-button', type: 'button', onclick: act, dataset: { tool: name }, ...more }, label);
    bar.append(made);
    return made;
  };
  const choose = h('select', { class: 'select designer-files', 'aria-label': '開く図', onchange: () => editor.open(choose.value).then(() => editor.fit()) });
  const list = () => choose.replaceChildren(...editor.diagrams.map((name) => h('option', { value: name, selected: name === editor.file }, name)));
  editor.on('opened', list);
  editor.on('files', list);
  bar.append(choose);
  if (!editor.readOnly) {
    const stack = () => editor.get('commandStack');
    const undo = button('元に戻す', () => stack().undo(), 'undo');
    const redo = button('やり直す', () => stack().redo(), 'redo');
    const refresh = () => ((undo.disabled = !stack().canUndo()), (redo.disabled = !stack().canRedo()));
    for (const type of ['changed', 'opened']) editor.on(type, refresh);
    refresh();
    const copied = () => !editor.get('clipboard').isEmpty();
    const copy = button('コピー', () => {
      editor.get('copyPaste').copy(editor.get('selection').get());
      announce('コピーしました。');
      able();
    }, 'copy', { title: '選んでいる要素をコピーします（Ctrl+C）' });
    const paste = button('貼り付け', () => (editor.get('copyPaste').paste(), announce('図の中の、置く場所を押してください。')), 'paste', { title: '押した後、図の中の置く場所を押します（Ctrl+V）' });
    const able = () => ((copy.disabled = !editor.get('selection').get().length), (paste.disabled = !copied()));
    for (const type of ['selected', 'opened']) editor.on(type, able);
    editor.drawing.on('copyPaste.elementsCopied', () => queueMicrotask(able));
    able();
    button('整列', () => {
      announce(tidy(editor) ? '図を整列しました。' : 'この図は整列できません。');
      editor.fit();
    }, 'tidy', { title: '段と文字が重ならないように並べ直します' });
  }
  const canvas = () => editor.get('canvas');
  button('＋', () => canvas().zoom(canvas().zoom() * 1.2), 'zoom-in', { 'aria-label': '拡大', title: '拡大' });
  button('−', () => canvas().zoom(canvas().zoom() / 1.2), 'zoom-out', { 'aria-label': '縮小', title: '縮小' });
  button('全体', () => editor.fit(), 'fit');
  searchesJapanese(editor);
  button('探す', () => {
    const pad = editor.get('searchPad');
    const open = pad?.isOpen();
    setTimeout(() => open || pad?.open()); // any click closes it, this one as well
  }, 'search');
  button('縮図', () => editor.get('minimap')?.toggle(), 'minimap');
  const out = h('div', { class: 'menu-list' });
  const take = (label, act) => out.append(h('button', { type: 'button', onclick: () => (act(), menu.removeAttribute('open')) }, label));
  const menu = h('details', { class: 'menu designer-out' }, h('summary', {}, '書き出す', icon('chevron-down')), out);
  const stem = () => editor.file.split('/').at(-1).replace(/\.bpmn$/, '');
  take('BPMN（この図）', async () => save(`${stem()}.bpmn`, new Blob([await editor.written()], { type: 'application/xml' })));
  take('SVG（絵）', async () => save(`${stem()}.svg`, new Blob([await picture(editor)], { type: 'image/svg+xml' })));
  take('PNG（絵）', async () => save(`${stem()}.png`, await bitmap(await picture(editor))));
  take('印刷', () => printed(editor));
  bar.append(menu);
  return button;
}

// The search listens to keys; what an input method or the clipboard enters comes without any, and Enter ends a word before it chooses a result.
function searchesJapanese(editor) {
  const stage = editor.get('canvas').getContainer();
  const typed = (event) => event.target.matches?.('.djs-search-input input');
  let composed = 0;
  stage.addEventListener('compositionend', (event) => typed(event) && (composed = Date.now()), true);
  stage.addEventListener('keyup', (event) => typed(event) && event.key === 'Enter' && Date.now() - composed < 300 && event.stopPropagation(), true);
  stage.addEventListener('input', (event) => typed(event) && event.target.dispatchEvent(new KeyboardEvent('keyup', { key: 'Unidentified', bubbles: true })), true);
}

function save(name, blob) {
  const address = URL.createObjectURL(blob);
  const link = h('a', { href: address, download: name });
  document.body.append(link);
  link.click();
  link.remove();
  setTimeout(() => URL.revokeObjectURL(address), 10_000);
}

const picture = async (editor) => (await editor.drawing.saveSVG()).svg;

function bitmap(svg) {
  return new Promise((resolve, reject) => {
    const image = new Image();
    image.onload = () => {
      const scale = Math.min(2, 12_000 / Math.max(image.width, image.height, 1));
      const canvas = h('canvas', { width: Math.ceil(image.width * scale), height: Math.ceil(image.height * scale) });
      const context = canvas.getContext('2d');
      context.fillStyle = '#fff';
      context.fillRect(0, 0, canvas.width, canvas.height);
      context.drawImage(image, 0, 0, canvas.width, canvas.height);
      canvas.toBlob((blob) => (blob ? resolve(blob) : reject(new Error('PNG'))), 'image/png');
    };
    image.onerror = reject;
    image.src = `data:image/svg+xml;charset=utf-8,${encodeURIComponent(svg)}`;
  });
}

// On paper the drawing alone: as a picture that fits the sheet.
async function printed(editor) {
  const image = h('img', { class: 'designer-print', alt: editor.file, src: `data:image/svg+xml;charset=utf-8,${encodeURIComponent(await picture(editor))}` });
  await new Promise((resolve) => ((image.onload = resolve), (image.onerror = resolve)));
  document.body.append(image);
  document.documentElement.classList.add('prints-drawing');
  print();
  document.documentElement.classList.remove('prints-drawing');
  image.remove();
}
