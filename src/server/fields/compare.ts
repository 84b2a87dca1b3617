import { type Json, jsonEqual } from '../patch/json.ts';
import { elementSchema, entriesOf, type FieldSchema, granularityOf, isEmptyValue, membersOf } from './field-schema.ts';
import { FieldSet } from './field-set.ts';

/** What makes one object another. */
export interface Comparison {
  readonly added: FieldSet;
  readonly modified: FieldSet;
  readonly removed: FieldSet;
}

/** Compares two objects field by field, as the schema tells fields apart. PURE. */
export function compareFields(before: Json, after: Json, schema: FieldSchema): Comparison {
  const comparison = { added: new FieldSet(), modified: new FieldSet(), removed: new FieldSet() };
  compareChildren(comparison, [], membersOf(before), membersOf(after), schema);
  return comparison;
}

export function isSame({ added, modified, removed }: Comparison): boolean {
  return added.isEmpty && modified.isEmpty && removed.isEmpty;
}

/** @param path where the values are; extended and cut again on the way. */
function compareAt(
  comparison: Comparison,
  path: string[],
  before: Json | undefined,
  after: Json | undefined,
  schema: FieldSchema,
): void {
  const granularity = granularityOf(schema);
  const isLeaf = granularity === 'leaf' || (isEmptyValue(before) && isEmptyValue(after));
  if (isLeaf && before !== undefined && after !== undefined) {
    if (!jsonEqual(before, after)) comparison.modified.insert(path);
    return;
  }
  if (!isLeaf && (granularity === 'object' || granularity === 'map')) {
    compareChildren(comparison, path, membersOf(before), membersOf(after), schema);
  } else if (!isLeaf) {
    compareEntries(comparison, path, entriesOf(before, schema), entriesOf(after, schema), schema);
  }
  if (before === undefined) comparison.added.insert(path);
  else if (after === undefined) comparison.removed.insert(path);
}

function compareChildren(
  comparison: Comparison,
  path: string[],
  before: ReadonlyMap<string, Json>,
  after: ReadonlyMap<string, Json>,
  schema: FieldSchema,
): void {
  for (const element of new Set([...before.keys(), ...after.keys()])) {
    path.push(element);
    compareAt(comparison, path, before.get(element), after.get(element), elementSchema(schema, element));
    path.pop();
  }
}

/** Entries that are there several times are compared as one, whatever is in them. */
function compareEntries(
  comparison: Comparison,
  path: string[],
  before: ReadonlyMap<string, readonly Json[]>,
  after: ReadonlyMap<string, readonly Json[]>,
  schema: FieldSchema,
): void {
  for (const element of new Set([...before.keys(), ...after.keys()])) {
    const [old = [], next = []] = [before.get(element), after.get(element)];
    const items = schema.items ?? {};
    path.push(element);
    if (old.length > 1 && next.length > 1) {
      if (!jsonEqual([...old], [...next])) comparison.modified.insert(path);
    } else if (old.length > 1) {
      if (next[0] !== undefined) compareAt(comparison, path, undefined, next[0], items);
      comparison.removed.insert(path);
    } else if (next.length > 1) {
      if (old[0] !== undefined) compareAt(comparison, path, old[0], undefined, items);
      comparison.added.insert(path);
    } else compareAt(comparison, path, old[0], next[0], items);
    path.pop();
  }
}
