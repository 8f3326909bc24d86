// Texts of the diagram, apart from words.js so that the two bundles share no file.
const ja = {
  zoomIn: '拡大',
  zoomOut: '縮小',
  fit: '全体',
  here: '処理中へ',
  done: '済',
  current: '処理中',
  overdue: '超過',
  added: '追加',
  removed: '削除',
  changed: '変更',
  inside: '中の手順を見る',
  broken: '図を表示できませんでした。下の一覧をご覧ください。',
  move: '矢印キーで移動、＋と−で拡大・縮小、0で全体を表示します。',
};
const en = {
  zoomIn: 'Zoom in',
  zoomOut: 'Zoom out',
  fit: 'Whole',
  here: 'Current step',
  done: 'Done',
  current: 'Current',
  overdue: 'Overdue',
  added: 'Added',
  removed: 'Removed',
  changed: 'Changed',
  inside: 'See the steps inside',
  broken: 'The diagram could not be shown. See the list below.',
  move: 'Arrow keys move, + and - zoom, 0 shows the whole.',
};
export default document.documentElement.lang.startsWith('en') ? en : ja;
