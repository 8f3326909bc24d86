// Reads and writes what Tadachi keeps in a diagram's objects; every change is a command of the drawing, so that it can be undone.
import { is, isAny } from 'bpmn-js/lib/util/ModelUtil';

export { is, isAny };

export const objectOf = (element) => element.businessObject ?? element;
export const oneLine = (text) => (text ?? '').replace(/\s+/g, ' ').trim();
export const nameOf = (element) => oneLine(objectOf(element).name) || objectOf(element).id;

// The parts of a comma-separated text; a comma inside brackets or quotes separates nothing (as engine/net.py `listed`).
export function listed(text) {
  const parts = [''];
  let [depth, quote] = [0, ''];
  for (const char of text ?? '') {
    if (quote) quote = char === quote ? '' : quote;
    else if (char === '"' || char === "'") quote = char;
    else if ('(['.includes(char)) depth++;
    else if (')]'.includes(char)) depth = Math.max(depth - 1, 0);
    if (char === ',' && !quote && !depth) parts.push('');
    else parts[parts.length - 1] += char;
  }
  return parts.map((part) => part.trim()).filter(Boolean);
}

export const definitionOf = (element) => objectOf(element).eventDefinitions?.[0] ?? null;
export const kindOf = (element) => definitionOf(element)?.$type.replace(/^bpmn:|EventDefinition$/g, '').toLowerCase() ?? 'none';

// ---------------------------------------------------------------- extensions

const extensionsOf = (object) => object.extensionElements?.get('values') ?? [];
const holders = (element) => [objectOf(element), ...(objectOf(element).eventDefinitions ?? [])];
const partOf = (object, type) => extensionsOf(object).find((one) => is(one, type));

// The object that carries a part already, else the element's own.
const holderOf = (element, type) => holders(element).find((holder) => partOf(holder, type)) ?? objectOf(element);

export class Model {
  constructor(editor) {
    this.editor = editor;
  }

  get modeling() {
    return this.editor.get('modeling');
  }

  make(type, attributes, parent) {
    const made = this.editor.get('bpmnFactory').create(type, attributes);
    if (parent) made.$parent = parent;
    return made;
  }

  // Several changes as one that is undone at once.
  together(act) {
    this.editor.get('commandStack').execute('designer.together', { act });
  }

  set(element, values) {
    this.modeling.updateProperties(element, values);
  }

  setIn(element, object, values) {
    this.modeling.updateModdleProperties(element, object, values);
  }

  // ------------------------------------------------------------ properties

  properties(element) {
    const found = {};
    for (const holder of holders(element).reverse())
      for (const one of extensionsOf(holder).filter((part) => is(part, 'camunda:Properties')))
        for (const item of one.get('values') ?? []) found[item.name ?? ''] = item.value ?? '';
    return found;
  }

  property(element, name) {
    return this.properties(element)[name] ?? '';
  }

  setProperty(element, name, value) {
    const holder = holders(element).find((one) => this.itemsOf(one).some((item) => item.name === name)) ?? holderOf(element, 'camunda:Properties');
    const item = this.itemsOf(holder).find((one) => one.name === name);
    if (item && value !== '') return this.setIn(element, item, { value });
    const part = item ? item.$parent : partOf(holder, 'camunda:Properties');
    if (item) {
      const values = part.get('values').filter((one) => one !== item);
      return values.length ? this.setIn(element, part, { values }) : this.replacePart(element, holder, part, null);
    }
    if (value === '') return undefined;
    if (part) return this.setIn(element, part, { values: [...part.get('values'), this.make('camunda:Property', { name, value }, part)] });
    const made = this.make('camunda:Properties', { values: [] });
    made.values = [this.make('camunda:Property', { name, value }, made)];
    return this.replacePart(element, holder, null, made);
  }

  itemsOf(holder) {
    return extensionsOf(holder)
      .filter((part) => is(part, 'camunda:Properties'))
      .flatMap((part) => part.get('values') ?? []);
  }

  // Put one part of the extensions in the place of another (null: none).
  replacePart(element, holder, before, after) {
    const old = extensionsOf(holder);
    const values = before ? old.flatMap((one) => (one === before ? (after ? [after] : []) : [one])) : [...old, after];
    if (!values.length) return this.setIn(element, holder, { extensionElements: undefined });
    const made = this.make('bpmn:ExtensionElements', { values }, holder);
    if (after) after.$parent = made;
    return this.setIn(element, holder, { extensionElements: made });
  }

  list(element, name) {
    return listed(this.property(element, name));
  }

  setList(element, name, values) {
    this.setProperty(element, name, values.join(','));
  }

  // ------------------------------------------------------------ attributes

  // A `camunda:` attribute of the element or of its event's definition.
  attribute(element, name) {
    return holders(element).map((holder) => holder.get(`camunda:${name}`)).find((value) => value) ?? '';
  }

  setAttribute(element, name, value) {
    const holder = holders(element).find((one) => one.get(`camunda:${name}`)) ?? objectOf(element);
    this.setIn(element, holder, { [`camunda:${name}`]: value || undefined });
  }

  // Who may do an element: the attribute of tasks; of events the attribute or the property, wherever it stands.
  groups(element) {
    return listed(this.attribute(element, 'candidateGroups') || this.property(element, 'candidateGroups'));
  }

  setGroups(element, groups) {
    if (is(element, 'bpmn:Task') || this.attribute(element, 'candidateGroups')) this.setAttribute(element, 'candidateGroups', groups.join(','));
    else this.setProperty(element, 'candidateGroups', groups.join(','));
  }

  documentation(element) {
    return objectOf(element).documentation?.[0]?.text ?? '';
  }

  setDocumentation(element, text) {
    const object = objectOf(element);
    const [first, ...rest] = object.documentation ?? [];
    if (first && text) return this.setIn(element, first, { text });
    return this.setIn(element, object, { documentation: text ? [this.make('bpmn:Documentation', { text }, object), ...rest] : rest });
  }

  // ------------------------------------------------------------ forms

  form(element) {
    return partOf(holderOf(element, 'camunda:FormData'), 'camunda:FormData')?.get('fields') ?? [];
  }

  setForm(element, fields) {
    const holder = holderOf(element, 'camunda:FormData');
    const part = partOf(holder, 'camunda:FormData');
    if (part && fields.length) {
      for (const field of fields) field.$parent = part;
      return this.setIn(element, part, { fields });
    }
    if (part) return this.replacePart(element, holder, part, null);
    const made = this.make('camunda:FormData', { fields });
    for (const field of fields) field.$parent = made;
    return this.replacePart(element, holder, null, made);
  }

  constraints(field) {
    return Object.fromEntries((field.validation?.get('constraints') ?? []).map((one) => [one.name, one.config ?? '']));
  }

  // null takes a constraint away; "" is one without a figure (`required`).
  setConstraint(element, field, name, value) {
    const old = field.validation?.get('constraints') ?? [];
    const here = old.find((one) => one.name === name);
    if (here && value !== null) return this.setIn(element, here, { config: value || undefined });
    const rest = old.filter((one) => one !== here);
    if (value !== null) rest.push(this.make('camunda:Constraint', { name, ...(value ? { config: value } : {}) }));
    if (!rest.length) return this.setIn(element, field, { validation: undefined });
    const validation = this.make('camunda:Validation', { constraints: rest }, field);
    for (const one of rest) one.$parent = validation;
    return this.setIn(element, field, { validation });
  }

  fieldProperties(field) {
    return Object.fromEntries((field.properties?.get('values') ?? []).map((one) => [one.id ?? one.name ?? '', one.value ?? '']));
  }

  setFieldProperty(element, field, id, value) {
    const old = field.properties?.get('values') ?? [];
    const here = old.find((one) => (one.id ?? one.name) === id);
    if (here && value !== '') return this.setIn(element, here, { value });
    const rest = old.filter((one) => one !== here);
    if (value !== '') rest.push(this.make('camunda:Property', { id, value }));
    if (!rest.length) return this.setIn(element, field, { properties: undefined });
    const properties = this.make('camunda:Properties', { values: rest }, field);
    for (const one of rest) one.$parent = properties;
    return this.setIn(element, field, { properties });
  }

  setChoices(element, field, choices) {
    const values = choices.map(([id, name]) => this.make('camunda:Value', { id, name }, field));
    this.setIn(element, field, { values });
  }

  // ------------------------------------------------------------ flows and events

  condition(flow) {
    return objectOf(flow).conditionExpression?.body ?? '';
  }

  setCondition(flow, text) {
    const object = objectOf(flow);
    if (object.conditionExpression && text) return this.setIn(flow, object.conditionExpression, { body: text });
    return this.set(flow, { conditionExpression: text ? this.make('bpmn:FormalExpression', { body: text }, object) : undefined });
  }

  setDefault(source, flow) {
    this.together(() => {
      if (flow && this.condition(flow)) this.setCondition(flow, '');
      this.set(source, { default: flow ? objectOf(flow) : undefined });
    });
  }

  // A message, signal, error or escalation of this name, found among the roots or made.
  root(type, values) {
    const definitions = this.editor.drawing.getDefinitions();
    const found = definitions.get('rootElements').find((one) => is(one, type) && Object.entries(values).every(([name, value]) => one.get(name) === value));
    if (found) return found;
    const made = this.make(type, values, definitions);
    const process = this.editor.get('canvas').getRootElement();
    // Messages stand before the processes that use them, as the standard has them written.
    this.setIn(process, definitions, { rootElements: [...definitions.get('rootElements'), made] });
    return made;
  }

  setReference(element, type, property, values) {
    const definition = definitionOf(element) ?? objectOf(element);
    this.together(() => {
      const target = Object.values(values).some(Boolean) ? this.root(type, values) : undefined;
      this.setIn(element, definition, { [property]: target });
    });
  }
}
