// Texts the scripts add to a page, in the page's language.
const ja = {
  left: (n) => `あと${n}文字`,
  over: (n) => `${n}文字超えています`,
  saving: '下書きを保存しています…',
  saved: (time) => `下書きを保存しました（${time}）`,
  unsaved: '下書きを保存できませんでした。通信を確かめてください。',
  ok: 'はい',
  cancel: 'やめる',
  close: '閉じる',
  keys: 'キー操作',
  keysOn: '1文字のキー操作を使う',
  help: 'この説明を開く',
  next: '次の行へ',
  previous: '前の行へ',
};
const en = {
  left: (n) => `${n} characters left`,
  over: (n) => `${n} characters too many`,
  saving: 'Saving the draft…',
  saved: (time) => `Draft saved (${time})`,
  unsaved: 'The draft could not be saved. Check the connection.',
  ok: 'Yes',
  cancel: 'Cancel',
  close: 'Close',
  keys: 'Keyboard',
  keysOn: 'Use single-key shortcuts',
  help: 'Open this help',
  next: 'Next row',
  previous: 'Previous row',
};
export default document.documentElement.lang.startsWith('en') ? en : ja;
