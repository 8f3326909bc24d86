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

const isNumber = (x) => typeof x === 'number';
const isList = Array.isArray;
const flat = (items) => (items.length === 1 && isList(items[0]) ? items[0] : items);
const three = (x) => (x === true || x === 'yes' ? 'yes' : x === false || x === 'no' ? 'no' : 'unknown');
const most = (better) => (...items) => flat(items).filter((x) => x !== null).reduce((a, b) => (a === null || better(b, a) ? b : a), null);
const equal = (a, b) => (isList(a) && isList(b) ? a.length === b.length && a.every((x, i) => equal(x, b[i])) : a === b);

const FUNCTIONS = {
  either(...items) {
    const read = flat(items).map(three);
    return ['yes', 'unknown'].find((x) => read.includes(x)) ?? 'no';
  },
  every(...items) {
    const read = flat(items).map(three);
    return ['no', 'unknown'].find((x) => read.includes(x)) ?? 'yes';
  },
  opposite: (x) => ({ yes: 'no', no: 'yes' })[three(x)] ?? 'unknown',
  over: (x, limit) => (!isNumber(x) || !isNumber(limit) ? 'unknown' : x > limit ? 'yes' : 'no'),
  has: (list, x) => isList(list) && list.some((item) => equal(item, x)),
  size: (list) => (isList(list) ? list.length : typeof list === 'string' ? [...list].length : 0),
  known: (x) => x !== null && x !== '' && x !== 'unknown',
  greatest: most((a, b) => a > b),
  smallest: most((a, b) => a < b),
};
const CONSTANTS = { true: true, false: false, null: null, True: true, False: false, None: null };
const ORDER = { '<': (a, b) => a < b, '<=': (a, b) => a <= b, '>': (a, b) => a > b, '>=': (a, b) => a >= b };
const contains = (x, list) =>
  typeof list === 'string' ? typeof x === 'string' && list.includes(x) : isList(list) && list.some((item) => equal(item, x));

function truth(x) {
  if (x === null) return false;
  if (typeof x !== 'boolean') throw new TypeError('not a truth value');
  return x;
}

function compare(sign, a, b) {
  if (sign === '==') return equal(a, b);
  if (sign === '!=') return !equal(a, b);
  if (sign === 'in') return contains(a, b);
  if (sign === 'not in') return !contains(a, b);
  if (a === null || b === null) return false;
  if (typeof a !== typeof b || !/^(number|string)$/.test(typeof a)) throw new TypeError('no order');
  return ORDER[sign](a, b);
}

function calculate(sign, a, b) {
  if (a === null || b === null) return null;
  if (!isNumber(a) || !isNumber(b)) throw new TypeError('not numbers');
  return sign === '+' ? a + b : sign === '-' ? a - b : a * b;
}

// Every reader below answers a closure: what is not reached is not evaluated, as in the engine.
export function evaluate(text, names) {
  const list = tokens(text);
  let at = 0;
  const peek = (...words) => at < list.length && words.includes(list[at].word);
  const take = (...words) => (peek(...words) ? list[at++].word : undefined);
  const expect = (word) => {
    if (!take(word)) throw new SyntaxError(text);
  };

  function ternary() {
    const value = logic('or', () => logic('and', not));
    if (!take('if')) return value;
    const condition = logic('or', () => logic('and', not));
    expect('else');
    const other = ternary();
    return () => (truth(condition()) ? value() : other());
  }
  function logic(word, part) {
    const parts = [part()];
    while (take(word)) parts.push(part());
    if (parts.length === 1) return parts[0];
    return word === 'or' ? () => parts.some((x) => truth(x())) : () => parts.every((x) => truth(x()));
  }
  function not() {
    if (!take('not')) return comparison();
    const value = not();
    return () => !truth(value());
  }
  function comparison() {
    const operands = [sum()];
    const signs = [];
    for (;;) {
      let sign = take('==', '!=', '<', '<=', '>', '>=', 'in');
      if (!sign && peek('not') && list[at + 1]?.word === 'in') {
        at += 2;
        sign = 'not in';
      }
      if (!sign) break;
      signs.push(sign);
      operands.push(sum());
    }
    if (!signs.length) return operands[0];
    return () => {
      let left = operands[0]();
      return signs.every((sign, i) => {
        const right = operands[i + 1]();
        const holds = compare(sign, left, right);
        left = right;
        return holds;
      });
    };
  }
  const sum = () => chain(['+', '-'], product);
  const product = () => chain(['*'], atom);
  function chain(signs, part) {
    let value = part();
    for (let sign; (sign = take(...signs)); ) {
      const [left, right, by] = [value, part(), sign];
      value = () => calculate(by, left(), right());
    }
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
    if (take('-')) {
      const value = atom();
      return () => calculate('-', 0, value());
    }
    if (take('(')) {
      const value = ternary();
      if (take(')')) return value;
      expect(',');
      const items = [value, ...series(')')];
      return () => items.map((x) => x());
    }
    if (take('[')) {
      const items = series(']');
      return () => items.map((x) => x());
    }
    const token = list[at++];
    if (!token) throw new SyntaxError(text);
    if ('value' in token) return () => token.value;
    const { word, name } = token;
    if (!name || ['and', 'or', 'not', 'if', 'else', 'in', 'is'].includes(word)) throw new SyntaxError(text);
    if (take('(')) {
      if (!Object.hasOwn(FUNCTIONS, word)) throw new ReferenceError(word);
      const given = series(')');
      return () => FUNCTIONS[word](...given.map((x) => x()));
    }
    if (Object.hasOwn(CONSTANTS, word)) return () => CONSTANTS[word];
    return () => (Object.hasOwn(names, word) ? names[word] : null); // an absent fact is null
  }

  const value = ternary();
  if (at !== list.length) throw new SyntaxError(text);
  return value();
}
