import { isJsonObject, type Json, type JsonObject, setMember } from '../patch/json.ts';
import {
  elementSchema,
  entriesOf,
  entryElement,
  type FieldSchema,
  granularityOf,
  memberSchema,
} from './field-schema.ts';
import type { FieldSet } from './field-set.ts';
import { fieldElement } from './path-element.ts';

/** The present object with what is applied to it. The inputs are not changed; the result may share parts. PURE. */
export function mergeApplied(present: Json | undefined, applied: Json, schema: FieldSchema): Json {
  const granularity = granularityOf(schema);
  if (present === undefined || granularity === 'leaf') return applied;
  if (granularity === 'list' || granularity === 'set') {
    return Array.isArray(present) && Array.isArray(applied) ? mergeEntries(present, applied, schema) : applied;
  }
  if (!isJsonObject(present) || !isJsonObject(applied)) return applied;
  const merged: JsonObject = { ...present };
  for (const [key, value] of Object.entries(applied)) {
    const before = Object.hasOwn(present, key) ? present[key] : undefined;
    setMember(merged, key, mergeApplied(before, value, memberSchema(schema, key)));
  }
  return merged;
}

/**
 * Entries that are applied come in the order in which they are applied; those that only the present list has keep their
 * places among them, as in Kubernetes.
 */
function mergeEntries(present: readonly Json[], applied: readonly Json[], schema: FieldSchema): Json[] {
  const before = entriesOf(present, schema);
  const places = present.map((item) => entryElement(item, schema));
  const wanted = applied.map((item) => entryElement(item, schema));
  const isWanted = new Set(wanted);
  const shared = wanted.filter((element) => before.has(element));
  const done = new Set<string>();
  const merged: Json[] = [];
  let nextShared = 0;
  for (let left = 0, right = 0; left < present.length || right < applied.length; ) {
    const element = places[left];
    if (element !== undefined && !isWanted.has(element)) {
      merged.push(present[left] ?? null);
      left += 1;
      continue;
    }
    const isTurn = element === wanted[right] || element === shared[nextShared];
    if (element !== undefined && right < applied.length && nextShared < shared.length && !isTurn) {
      // It comes when what is applied before it has come.
      left += 1;
      continue;
    }
    const following = wanted[right];
    if (element !== undefined && (element === following || done.has(element))) left += 1;
    if (following === undefined) continue;
    merged.push(mergeEntry(before.get(following), applied[right] ?? null, schema));
    done.add(following);
    if (following === shared[nextShared]) nextShared += 1;
    right += 1;
  }
  return merged;
}

/** Of entries that are there several times none is the one that is meant: all make way. */
function mergeEntry([first, second]: readonly Json[] = [], applied: Json, schema: FieldSchema): Json {
  return mergeApplied(second === undefined ? first : undefined, applied, schema.items ?? {});
}

/** The object without some fields, and without what is below them. Undefined: nothing is left. PURE. */
export function removeFields(value: Json, fields: FieldSet, schema: FieldSchema): Json | undefined {
  if (fields.isEmpty) return value;
  const granularity = granularityOf(schema);
  if (granularity === 'list' || granularity === 'set') {
    if (!Array.isArray(value)) return value;
    const kept = value.flatMap((item) => {
      const element = entryElement(item, schema);
      if (fields.isMember(element)) return [];
      return [removeFields(item, fields.below(element), schema.items ?? {}) ?? item];
    });
    return kept.length === 0 ? undefined : kept;
  }
  if (granularity === 'leaf' || !isJsonObject(value)) return value;
  const result: JsonObject = {};
  for (const [key, member] of Object.entries(value)) {
    const element = fieldElement(key);
    if (fields.isMember(element)) continue;
    const kept = removeFields(member, fields.below(element), elementSchema(schema, element));
    if (kept !== undefined) setMember(result, key, kept);
  }
  return Object.keys(result).length === 0 ? undefined : result;
}

/**
 * The set with the named fields (those of objects, not keys of maps) that lead to its members: to remove all of an
 * object's fields is to remove the object.
 */
export function withNamedFields(set: FieldSet, schema: FieldSchema): FieldSet {
  return set.mapBelow((element, below) => ({
    below: withNamedFields(below, elementSchema(schema, element)),
    isMember: element.startsWith('f:') && Object.hasOwn(schema.properties ?? {}, element.slice(2)),
  }));
}
