import { isJsonObject, type Json } from '../patch/json.ts';
import { entriesOf, type FieldSchema, granularityOf, isEmptyValue, memberSchema, membersOf } from './field-schema.ts';
import { FieldSet } from './field-set.ts';
import { pathText } from './path-element.ts';

/** The fields that an object has: what somebody who applies it owns. PURE. */
export function fieldsOf(object: Json, schema: FieldSchema): FieldSet {
  const set = new FieldSet();
  addMembers(set, object, schema);
  return set;
}

function addFields(set: FieldSet, element: string, value: Json, schema: FieldSchema): void {
  switch (granularityOf(schema)) {
    case 'leaf':
      set.add(element);
      return;
    case 'object':
    case 'map':
      if (isEmptyValue(value)) set.add(element);
      else addMembers(set.child(element), value, schema);
      return;
    case 'list':
    case 'set':
      if (!isEmptyValue(value)) addEntries(set.child(element), value, schema);
  }
}

function addMembers(set: FieldSet, value: Json, schema: FieldSchema): void {
  for (const [element, member] of membersOf(value)) {
    addFields(set, element, member, memberSchema(schema, element.slice(2)));
  }
}

function addEntries(set: FieldSet, value: Json, schema: FieldSchema): void {
  for (const [element, [item = null, second]] of entriesOf(value, schema)) {
    set.add(element);
    // Entries that are there twice are owned as one, whatever is in them.
    if (second === undefined && isJsonObject(item)) addFields(set, element, item, schema.items ?? {});
  }
}

/** What is wrong with the lists of an applied object: entries without keys, or with the same ones. */
export function listProblems(value: Json, schema: FieldSchema, path: readonly string[] = []): string[] {
  const granularity = granularityOf(schema);
  if (granularity === 'object' || granularity === 'map') {
    return [...membersOf(value)].flatMap(([element, member]) =>
      listProblems(member, memberSchema(schema, element.slice(2)), [...path, element]),
    );
  }
  if (granularity === 'leaf') return [];
  return [...entriesOf(value, schema)].flatMap(([element, items]) => {
    if (element === 'k:{}') {
      const keys = JSON.stringify(schema['x-kubernetes-list-map-keys']).replaceAll(',', ' ');
      return [
        `${pathText(path)}: associative list with keys has an element that omits all key fields ${keys} (and doesn't have default values for any key fields)`,
      ];
    }
    if (items.length > 1) return [`${pathText(path)}: duplicate entries for key ${pathText([element])}`];
    return listProblems(items[0] ?? null, schema.items ?? {}, [...path, element]);
  });
}
