// Keeps a file as it was written wherever nothing was changed: other tools' extensions, comments, order and spacing stay byte for byte.
//
// The library reads a file into objects and writes all of it anew. Written at once after reading, that text (`before`) shows how it would
// write each element unchanged; an element that reads the same there and in the text written after drawing (`now`) is therefore untouched,
// and the original's own text stands in its place.

const TOKEN = /<!--[\s\S]*?-->|<!\[CDATA\[[\s\S]*?\]\]>|<\?[\s\S]*?\?>|<\/([^\s>]+)\s*>|<([^\s/>!?]+)((?:[^"'>]|"[^"]*"|'[^']*')*?)(\/?)>/g;
const BLANK = /^(\s|<!--[\s\S]*?-->)*$/; // blanks and comments
const ATTRIBUTE = /([^\s=]+)\s*=\s*("[^"]*"|'[^']*')/g;

// The elements of a text with their places; null when it is not well-formed enough to tell.
export function read(text) {
  const root = { tag: '', id: '', start: 0, inside: 0, outside: text.length, end: text.length, children: [] };
  const open = [root];
  TOKEN.lastIndex = 0;
  for (let found; (found = TOKEN.exec(text)); ) {
    const [whole, closing, tag, attributes, empty] = found;
    const end = TOKEN.lastIndex;
    if (closing !== undefined) {
      const node = open.pop();
      if (node === root || node.tag !== closing) return null;
      node.outside = found.index;
      node.end = end;
    } else if (tag !== undefined) {
      const id = /(?:^|\s)id\s*=\s*(?:"([^"]*)"|'([^']*)')/.exec(attributes);
      const node = { tag, id: id ? (id[1] ?? id[2]) : '', start: found.index, inside: end, outside: end, end, children: [], empty: Boolean(empty) };
      open.at(-1).children.push(node);
      if (!empty) open.push(node);
    } else if (!whole.startsWith('<!--') && !whole.startsWith('<![CDATA[') && !whole.startsWith('<?')) return null;
  }
  return open.length === 1 && root.children.length === 1 ? root : null;
}

function byId(node, found = new Map()) {
  if (node.id && !found.has(node.id)) found.set(node.id, node);
  for (const child of node.children) byId(child, found);
  return found;
}

const attributesOf = (text) => new Map([...text.matchAll(ATTRIBUTE)].map(([, name, value]) => [name, value]));

// The opening tag with the namespaces that the original declared there, so that its own text below can be understood.
function withNamespaces(opening, original) {
  const [here, there] = [attributesOf(opening), attributesOf(original)];
  let added = '';
  for (const [name, value] of there) {
    if (!/^xmlns(:|$)/.test(name)) continue;
    if (!here.has(name)) added += ` ${name}=${value}`;
    else if (here.get(name).slice(1, -1) !== value.slice(1, -1)) throw new Error('one prefix, two namespaces');
  }
  return added ? opening.replace(/\s*(\/?)>$/, `${added}$1>`) : opening;
}

export function preserve(original, before, now) {
  if (before === now) return original;
  const [first, middle, last] = [read(original), read(before), read(now)];
  if (!first || !middle || !last) return now;
  const [ids0, ids1] = [byId(first), byId(middle)];
  const text = (whole, node) => whole.slice(node.start, node.end);
  const opening = (whole, node) => whole.slice(node.start, node.inside);

  // The counterparts of a node: in the text before drawing, and in the original.
  function counterparts(node, parents, used) {
    if (node.id) {
      const [b, o] = [ids1.get(node.id), ids0.get(node.id)];
      return b && o ? { b, o } : null;
    }
    const { b: parentB, o: parentO } = parents;
    const same = (list, tag) => list.filter((child) => !child.id && local(child.tag) === local(tag));
    const [listB, listO] = [same(parentB.children, node.tag), same(parentO.children, node.tag)];
    if (listB.length !== listO.length) return null;
    let place = listB.findIndex((child) => !used.has(child) && text(before, child) === text(now, node));
    if (place < 0 && listB.length === 1 && !used.has(listB[0])) place = 0;
    return place < 0 ? null : { b: listB[place], o: listO[place] };
  }

  // One node: the original's text where it is untouched, else its own with its children treated alike.
  function write(node, pair) {
    if (!pair) return text(now, node);
    if (text(before, pair.b) === text(now, node)) return text(original, pair.o);
    const same = opening(before, pair.b) === opening(now, node);
    if (node.empty) return withNamespaces(opening(now, node), opening(original, pair.o));
    const begin = same && !pair.o.empty ? opening(original, pair.o) : withNamespaces(opening(now, node), opening(original, pair.o));
    const used = new Set();
    const parts = node.children.map((child, place) => {
      const inner = counterparts(child, pair, used);
      if (inner) used.add(inner.b);
      const before = place ? node.children[place - 1].end : node.inside;
      return { inner, text: ((inner && leadOf(inner.o, pair.o)) ?? now.slice(before, child.start)) + write(child, inner) };
    });
    // The library writes shapes in an order of its own: those that were there stand as they stood.
    const placeOf = ({ inner }) => (inner ? pair.o.children.indexOf(inner.o) : Infinity);
    if (local(node.tag) === 'BPMNPlane') parts.sort((one, other) => (placeOf(one) === placeOf(other) ? 0 : placeOf(one) - placeOf(other)));
    const made = begin + parts.map(({ text: part }) => part).join('');
    const foot = original.slice(pair.o.children.at(-1)?.end ?? pair.o.inside, pair.o.outside);
    const tail = pair.o.children.length && BLANK.test(foot) ? foot : now.slice(node.children.at(-1)?.end ?? node.inside, node.outside);
    const closing = begin.match(/^<([^\s/>]+)/)[1];
    return `${made}${tail}</${closing}>`;
  }

  // What stands before an element in the original: blanks and comments.
  function leadOf(node, parent) {
    const place = parent.children.indexOf(node);
    if (place < 0) return null;
    const lead = original.slice(place ? parent.children[place - 1].end : parent.inside, node.start);
    return BLANK.test(lead) ? lead : null;
  }

  try {
    const [o, b, n] = [first.children[0], middle.children[0], last.children[0]];
    return original.slice(0, o.start) + write(n, { b, o }) + original.slice(o.end);
  } catch {
    return now;
  }
}

const local = (tag) => tag.slice(tag.indexOf(':') + 1);
