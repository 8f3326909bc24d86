// The part of the engine's expression language that forms use in `shown_when` and `required_when`, so that a field appears at once.
// The server decides with its own evaluator (engine/expressions.py) what counts; what is not understood here throws, and the field stays.

const TOKEN = /\s*(?:(\d+(?:\.\d+)?)|"([^"\\]*)"|'([^'\\]*)'|([A-Za-z_]\w*)|(==|!=|<=|>=|[<>()[\],+\-*]))/y;

function tokens(text) {
  const source = text.trim().replace(/^\$\{([\s\S]*)\}$/, '$1').trimEnd();
  const found = [];
  TOKEN.lastIndex = 0;
  while (TOKEN.lastIndex < source.length) {
    const match = TOKEN.exec(source);
    if (!match) throw new SyntaxError(text);
    const [, number, double, single, name, sign] = match;
    if (number !== undefined) found.push({ value: Number(number) });
    else if (double !== undefined || single !== undefined) found.push({ value: double ?? single });
    else found.push({ word: name ?? sign, name: name !== undefined });
  }
  return found;
}

const three = (value) =>
  value === true || value === 'yes' ? 'yes' : value === false || value === 'no' ? 'no' : 'unknown';
const FUNCTIONS = {
  either: (...all) => (all.some((x) => three(x) === 'yes') ? 'yes' : all.every((x) => three(x) === 'no') ? 'no' : 'unknown'),
  every: (...all) => (all.some((x) => three(x) === 'no') ? 'no' : all.every((x) => three(x) === 'yes') ? 'yes' : 'unknown'),
  opposite: (x) => ({ yes: 'no', no: 'yes', unknown: 'unknown' })[three(x)],
  over: (x, limit) => (x === null ? 'unknown' : x > limit ? 'yes' : 'no'),
  has: (list, x) => (list ?? []).includes(x),
  size: (list) => (list ?? []).length,
  known: (x) => x !== null && x !== '' && x !== 'unknown',
  greatest: (...all) => all.flat().filter((x) => x !== null).reduce((a, b) => (a === null || b > a ? b : a), null),
  smallest: (...all) => all.flat().filter((x) => x !== null).reduce((a, b) => (a === null || b < a ? b : a), null),
};
const CONSTANTS = { True: true, False: false, None: null, true: true, false: false, null: null };

export function evaluate(text, names) {
  const list = tokens(text);
  let at = 0;
  const peek = (...words) => at < list.length && words.includes(list[at].word);
  const take = (...words) => (peek(...words) ? list[at++].word : undefined);
  const expect = (word) => {
    if (!take(word)) throw new SyntaxError(text);
  };
  const number = (x) => {
    if (typeof x !== 'number') throw new TypeError(text);
    return x;
  };

  function ternary() {
    const value = or();
    if (!take('if')) return value;
    const condition = or();
    expect('else');
    const other = ternary();
    return condition ? value : other;
  }
  function or() {
    let value = and();
    while (take('or')) {
      const right = and();
      value = value || right;
    }
    return value;
  }
  function and() {
    let value = not();
    while (take('and')) {
      const right = not();
      value = value && right;
    }
    return value;
  }
  function not() {
    return take('not') ? !not() : comparison();
  }
  function comparison() {
    let left = sum();
    let result;
    for (;;) {
      let sign = take('==', '!=', '<', '<=', '>', '>=', 'in');
      if (!sign && peek('not') && list[at + 1]?.word === 'in') {
        at += 2;
        sign = 'not in';
      }
      if (!sign) return result === undefined ? left : result;
      const right = sum();
      result = (result ?? true) && compare(sign, left, right);
      left = right;
    }
  }
  function compare(sign, left, right) {
    if (sign === '==') return same(left, right);
    if (sign === '!=') return !same(left, right);
    if (sign === 'in') return (right ?? []).includes(left);
    if (sign === 'not in') return !(right ?? []).includes(left);
    if (left === null || right === null || typeof left !== typeof right) throw new TypeError(text);
    return { '<': left < right, '<=': left <= right, '>': left > right, '>=': left >= right }[sign];
  }
  function same(left, right) {
    return Array.isArray(left) && Array.isArray(right) ? JSON.stringify(left) === JSON.stringify(right) : left === right;
  }
  function sum() {
    let value = product();
    for (let sign; (sign = take('+', '-')); ) {
      const right = number(product());
      value = sign === '+' ? number(value) + right : number(value) - right;
    }
    return value;
  }
  function product() {
    let value = atom();
    while (take('*')) value = number(value) * number(atom());
    return value;
  }
  function series(end) {
    const items = [];
    while (!take(end)) {
      items.push(ternary());
      if (!peek(end)) expect(',');
    }
    return items;
  }
  function atom() {
    if (take('-')) return -number(atom());
    if (take('(')) {
      const value = ternary();
      expect(')');
      return value;
    }
    if (take('[')) return series(']');
    const token = list[at++];
    if (!token) throw new SyntaxError(text);
    if ('value' in token) return token.value;
    if (!token.name) throw new SyntaxError(text);
    if (take('(')) {
      if (!Object.hasOwn(FUNCTIONS, token.word)) throw new ReferenceError(token.word);
      return FUNCTIONS[token.word](...series(')'));
    }
    if (Object.hasOwn(CONSTANTS, token.word)) return CONSTANTS[token.word];
    return Object.hasOwn(names, token.word) ? names[token.word] : null; // an absent fact is null
  }

  const value = ternary();
  if (at !== list.length) throw new SyntaxError(text);
  return value;
}
