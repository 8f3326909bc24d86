// What the table editor says, in Japanese. It has no translations of its own for some texts; those are put right where they appear.
const WORDS = {
  Add: '足す', 'Add cell description': 'セルに説明を付ける', 'Add input': '入力列を足す', 'Add input column left': '左に入力列を足す', 'Add input column right': '右に入力列を足す',
  'Add output': '出力列を足す', 'Add output column left': '左に出力列を足す', 'Add output column right': '右に出力列を足す', 'Add predefined values': '選択肢を足す',
  'Add rule': '行を足す', 'Add rule above': '上に行を足す', 'Add rule below': '下に行を足す', 'Add text annotation': '注記を付ける', 'Add values': '値を足す',
  'Activate hand tool': '図を動かす', 'Activate lasso tool': '囲んで選ぶ', After: 'より後', And: 'かつ', Annotation: '注記', Annotations: '注記',
  'Append decision': '決定を足す', 'Append input data': '入力を足す', 'Append knowledge source': '根拠を足す', 'Append business knowledge model': '知識を足す',
  Before: 'より前', Between: '間', 'Boolean value': 'はい・いいえ', 'Change cell expression language': '式の言語', 'Change type': '種類を変える', 'Change element': '種類を変える',
  'Clear predefined values': '選択肢を消す', Comparison: '比べる', 'Comparison operator': '比べ方', 'Connect to other element': 'ほかの要素へつなぐ',
  'Copy input column': '入力列を写す', 'Copy output column': '出力列を写す', 'Copy rule': '行を写す', 'Create decision': '決定', 'Create input data': '入力', 'Create knowledge model': '知識',
  'Create knowledge source': '根拠', 'Custom values': '自由な値', 'Cut input column': '入力列を切り取る', 'Cut output column': '出力列を切り取る', 'Cut rule': '行を切り取る',
  Date: '日付', 'Date and time': '日時', 'Decision name': '決定の名前', 'Decision name: ': '決定の名前：', 'Decision table': '決定表', 'Literal Expression': '1つの式', 'Literal expression': '1つの式',
  Empty: '空', 'Definition ID': '定義のID', 'Definition name': '定義の名前', Delete: '消す', Edit: '編集', 'Edit boolean': 'はい・いいえを選ぶ', 'Edit input': '入力列を編集', 'Edit number': '数を入れる',
  'Edit output': '出力列を編集', 'Edit string': '文字を入れる', 'Editing not supported for set expression language': 'この言語の式は編集できません', 'Element name': '要素の名前', 'End value': '終わりの値',
  'Enter expression': '式を入力', Equals: '等しい', Exactly: 'ちょうど', Exclude: '含まない', Expression: '式', 'Expression language': '式の言語', 'Expression language:': '式の言語：', Greater: 'より大きい',
  'Greater or equals': '以上', 'Hit policy': '当てはめ方', 'Hit policy:': '当てはめ方：', Include: '含む', Input: '入力', 'Input expression': '入力の式', 'Input expression: ': '入力の式：', 'Input label': '入力の名前',
  'Input label: ': '入力の名前：', 'Input type': '入力の種類', 'Input values': '入力の値', Less: 'より小さい', 'Less or equals': '以下', 'Literal expression editor': '式の編集', 'Match none': 'どれでもない', 'Match one': 'どれか',
  'Move rule': '行を移す', 'Move Input': '入力列を移す', 'Move Output': '出力列を移す', No: 'いいえ', 'No values': '値がありません', Output: '出力', 'Output label': '出力の表示名', 'Output label: ': '出力の表示名：', 'Output name': '出力の項目', 'Output name: ': '出力の項目：', 'Output type': '出力の種類',
  'Output values': '出力の値', 'Paste input column left': '左に入力列を貼る', 'Paste input column right': '右に入力列を貼る', 'Paste output column left': '左に出力列を貼る', 'Paste output column right': '右に出力列を貼る',
  'Paste rule above': '上に行を貼る', 'Paste rule below': '下に行を貼る', 'Predefined values': '選択肢', Range: '範囲', 'Range end operator': '終わりを含むか', 'Range end value': '終わりの値', 'Range start operator': '始まりを含むか',
  'Range start value': '始まりの値', 'Remove cell description': 'セルの説明を消す', 'Remove input column': '入力列を消す', 'Remove output column': '出力列を消す', 'Remove rule': '行を消す', Resize: '幅を変える', 'Set value': '値を決める',
  'Start value': '始まりの値', 'String value': '文字', 'Strings must be in double quotes': '文字は " " で囲みます', 'Test type': '調べ方', Then: 'ならば', Time: '時刻', Type: '種類', 'Use now': 'いまの日時', 'Use today': '今日', Value: '値', Values: '値',
  'Variable name': '項目の名前', 'Variable name:': '項目の名前：', 'Variable type': '項目の種類', 'Variable type:': '項目の種類：', 'View DRD': '全体図を見る', When: 'もし', Yes: 'はい', 'e.g. { sample }': '例：{ sample }', 'e.g. { example } ': '例：{ example }',
  'Open decision table': '決定表を開く', 'Open literal expression': '式を開く', 'Search in diagram': '図の中を探す', string: '文字', boolean: 'はい・いいえ', number: '数', Any: 'なんでも',
  'Toggle dropdown': '一覧を開く', 'Set color': '色を付ける', 'Align elements': '位置をそろえる', 'Distribute elements horizontally': '横の間隔をそろえる', 'Distribute elements vertically': '縦の間隔をそろえる',
  'Input type:': '入力の種類：', 'Output type:': '出力の種類：', 'Drag to move': '動かす', 'Add annotation': '注記を付ける',
};

export function translate(template, replacements = {}) {
  return (WORDS[template] ?? template).replace(/{\s*([^}\s]+)\s*}/g, (_, key) => replacements[key] ?? `{${key}}`);
}

export default { translate: ['value', translate] };

// Texts that come without translation are replaced as they appear; what people wrote is never among them.
export function translateWithin(place) {
  const fix = (node) => {
    if (node.nodeType === Node.TEXT_NODE) {
      const text = node.data.trim();
      if (WORDS[text] && !node.parentElement?.closest('[contenteditable], .content-editable, input, textarea')) node.data = node.data.replace(text, WORDS[text]);
      return;
    }
    if (node.nodeType !== Node.ELEMENT_NODE) return;
    for (const name of ['title', 'placeholder', 'aria-label']) {
      const text = node.getAttribute(name);
      if (WORDS[text]) node.setAttribute(name, WORDS[text]);
    }
    node.childNodes.forEach(fix);
  };
  fix(place);
  new MutationObserver((changes) => {
    for (const change of changes) {
      if (change.type === 'attributes') fix(change.target);
      else if (change.type === 'characterData') fix(change.target);
      else change.addedNodes.forEach(fix);
    }
  }).observe(place, { childList: true, subtree: true, characterData: true, attributes: true, attributeFilter: ['title', 'placeholder', 'aria-label'] });
}
