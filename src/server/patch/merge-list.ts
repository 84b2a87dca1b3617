import { getMember, isJsonObject, type Json, type JsonObject } from './json.ts';
import { PatchError } from './patch-error.ts';
import type { PatchField } from './patch-schema.ts';
import { withoutDirectives } from './strategic-directives.ts';

type Identify = (entry: Json) => string;

export interface ListMerge {
  /** Of the field, for error texts. */
  readonly name: string;
  readonly field: PatchField;
  /** What the result is sorted by first, `$setElementOrder`; by default the patch itself. */
  readonly order?: readonly Json[];
  /** Merges two entries with the same key. */
  readonly mergeEntries: (original: JsonObject, patch: JsonObject) => JsonObject;
}

/** Merges the list of a patch into the one that is there: entries with the same key become one, new ones are added. */
export function mergeList(original: readonly Json[], patch: readonly Json[], merge: ListMerge): Json[] {
  const { field, name, order } = merge;
  if (field.strategy !== 'merge') return [...patch];
  const identify = identifier(field, name, [...original, ...patch, ...(order ?? [])]);
  if (order) checkOrder(patch, order, identify, name);
  const merged =
    field.mergeKey === undefined
      ? mergePrimitives(original, patch, identify)
      : mergeObjects(original, patch, merge, identify);
  return arrange(merged, order ?? patch.filter((entry) => !isDirective(entry)), original, identify);
}

export function removeFromPrimitives(list: readonly Json[], values: readonly Json[]): Json[] {
  const gone = new Set(values);
  return list.filter((entry) => !gone.has(entry));
}

/** What tells entries apart: a member of objects, or the plain value itself. A list never holds both. */
function identifier(field: PatchField, name: string, entries: readonly Json[]): Identify {
  const { mergeKey } = field;
  for (const entry of entries) {
    if (Array.isArray(entry)) throw new PatchError(400, `${name}: lists of lists cannot be merged`);
    if (isJsonObject(entry) !== (mergeKey !== undefined)) {
      throw new PatchError(
        400,
        `${name}: ${mergeKey === undefined ? 'objects' : 'plain values'} cannot be merged here`,
      );
    }
  }
  if (mergeKey === undefined) return (entry) => JSON.stringify(entry);
  return (entry) => {
    const value = isJsonObject(entry) ? getMember(entry, mergeKey) : undefined;
    if (value !== undefined) return JSON.stringify(value);
    if (isJsonObject(entry) && getMember(entry, '$patch') === 'replace') return '';
    throw new PatchError(400, `${name}: an entry does not contain declared merge key: ${mergeKey}`);
  };
}

function mergePrimitives(original: readonly Json[], patch: readonly Json[], identify: Identify): Json[] {
  return [...new Map([...original, ...patch].map((entry) => [identify(entry), entry])).values()];
}

function mergeObjects(original: readonly Json[], patch: readonly Json[], merge: ListMerge, identify: Identify): Json[] {
  const directives = patch.filter(isDirective);
  const additions = patch.filter((entry): entry is JsonObject => isJsonObject(entry) && !isDirective(entry));
  const gone = new Set<string>();
  for (const entry of directives) {
    const directive = getMember(entry, '$patch');
    if (directive === 'replace') return mergeInto([], additions, merge, identify);
    if (directive !== 'delete') {
      throw new PatchError(400, `${merge.name}: unknown patch type in a list: ${JSON.stringify(directive)}`);
    }
    gone.add(identify(entry));
  }
  return mergeInto(
    original.filter((entry) => !gone.has(identify(entry))),
    additions,
    merge,
    identify,
  );
}

function mergeInto(
  original: readonly Json[],
  additions: readonly JsonObject[],
  { mergeEntries }: ListMerge,
  identify: Identify,
): Json[] {
  const merged = [...original];
  const positions = new Map<string, number>();
  merged.forEach((entry, i) => {
    // The first of several with the same key is the one that merges.
    if (!positions.has(identify(entry))) positions.set(identify(entry), i);
  });
  for (const addition of additions) {
    const id = identify(addition);
    const position = positions.get(id);
    const present = position === undefined ? undefined : merged[position];
    if (position !== undefined && isJsonObject(present)) {
      merged[position] = mergeEntries(present, addition);
    } else {
      positions.set(id, merged.length);
      merged.push(withoutDirectives(addition) ?? {});
    }
  }
  return merged;
}

function isDirective(entry: Json): entry is JsonObject {
  return isJsonObject(entry) && Object.hasOwn(entry, '$patch');
}

/** The patch must list its entries in the order that it asks for. */
function checkOrder(patch: readonly Json[], order: readonly Json[], identify: Identify, name: string): void {
  let next = 0;
  for (const entry of patch) {
    if (isDirective(entry)) continue;
    const id = identify(entry);
    while (next < order.length && identify(order[next] ?? null) !== id) next += 1;
    if (next === order.length) {
      throw new PatchError(400, `the order in the patch list ${name} does not match its $setElementOrder list`);
    }
  }
}

/**
 * Entries that `order` names stand in its order; the others keep the order that they had, each before the first named
 * one that it stood before.
 */
function arrange(
  merged: readonly Json[],
  order: readonly Json[],
  original: readonly Json[],
  identify: Identify,
): Json[] {
  const wanted = indexOf(order, identify);
  const had = indexOf(original, identify);
  const rank = (index: Map<string, number>) => (entry: Json) => index.get(identify(entry)) ?? index.size;
  const named = sortBy(
    merged.filter((entry) => wanted.has(identify(entry))),
    rank(wanted),
  );
  const others = sortBy(
    merged.filter((entry) => !wanted.has(identify(entry))),
    rank(had),
  );
  const result: Json[] = [];
  let next = 0;
  for (const entry of named) {
    const place = had.get(identify(entry));
    if (place !== undefined) {
      const first = next;
      while (next < others.length && rank(had)(others[next] ?? null) < place) next += 1;
      for (const other of others.slice(first, next)) result.push(other);
    }
    result.push(entry);
  }
  return result.concat(others.slice(next));
}

function indexOf(list: readonly Json[], identify: Identify): Map<string, number> {
  const index = new Map<string, number>();
  list.forEach((entry, i) => {
    if (!index.has(identify(entry))) index.set(identify(entry), i);
  });
  return index;
}

function sortBy(list: Json[], rank: (entry: Json) => number): Json[] {
  return list.sort((left, right) => rank(left) - rank(right));
}
