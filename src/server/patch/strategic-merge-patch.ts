import { getMember, isJsonObject, type Json, type JsonObject, setMember } from './json.ts';
import { type ListMerge, mergeList, removeFromPrimitives } from './merge-list.ts';
import { PatchError } from './patch-error.ts';
import { fieldSchema, type PatchField, type PatchSchema } from './patch-schema.ts';
import { deletePrefix, orderPrefix, withoutDirectives } from './strategic-directives.ts';

/**
 * Kubernetes' strategic merge patch (sig-api-machinery/strategic-merge-patch.md): objects merge by field, lists are
 * replaced or merge by key as the schema says, and directives in the patch say the rest:
 *
 *   $patch: replace | delete | merge     the object, or the list that the entry stands in
 *   $retainKeys: [a, b]                  drop every other field first
 *   $deleteFromPrimitiveList/field: [x]  take these out of the list
 *   $setElementOrder/field: [...]        the order that the result has
 *
 * The inputs are not changed; the result may share parts with them. @throws PatchError
 */
export function applyStrategicMergePatch(original: JsonObject, patch: JsonObject, schema: PatchSchema): JsonObject {
  const directive = getMember(patch, '$patch');
  if (directive === 'replace') {
    const { $patch: _, ...replacement } = patch;
    return replacement;
  }
  if (directive === 'delete') return {};
  if (directive !== undefined && directive !== 'merge') {
    throw new PatchError(400, `unknown patch type: ${JSON.stringify(directive)}`);
  }

  const result = retainKeys(original, patch);
  for (const [key, value] of Object.entries(patch)) {
    if (key === '$patch' || key === '$retainKeys') continue;
    if (key.startsWith(deletePrefix)) deleteFromPrimitives(result, key.slice(deletePrefix.length), value);
    else if (key.startsWith(orderPrefix)) mergeOrdered(result, patch, key.slice(orderPrefix.length), value, schema);
    else if (!Object.hasOwn(patch, `${orderPrefix}${key}`)) mergeField(result, key, value, schema);
  }
  return result;
}

function mergeField(result: JsonObject, key: string, value: Json, schema: PatchSchema): void {
  const present = getMember(result, key);
  if (value === null) {
    delete result[key];
    return;
  }
  const field = fieldSchema(schema, key);
  let merged: Json | undefined;
  if (isJsonObject(present) && isJsonObject(value)) {
    merged = field.strategy === 'replace' ? value : applyStrategicMergePatch(present, value, field.schema);
  } else if (Array.isArray(present) && Array.isArray(value) && field.strategy === 'merge') {
    merged = mergeList(present, value, listMerge(key, field));
  } else {
    merged = withoutDirectives(value);
  }
  if (merged === undefined) delete result[key];
  else setMember(result, key, merged);
}

/** A list and its order come together: the order may also name entries that the patch leaves alone. */
function mergeOrdered(result: JsonObject, patch: JsonObject, key: string, order: Json, schema: PatchSchema): void {
  const entries = getMember(patch, key);
  const present = getMember(result, key);
  if (!Array.isArray(order)) throw new PatchError(400, `${orderPrefix}${key} is not a list`);
  for (const list of [entries, present]) {
    if (list !== undefined && list !== null && !Array.isArray(list)) throw new PatchError(400, `${key} is not a list`);
  }
  if (entries === null) {
    delete result[key];
    return;
  }
  if (!Array.isArray(entries) && !Array.isArray(present)) return;
  const field = fieldSchema(schema, key);
  const before = Array.isArray(present) ? present : [];
  setMember(result, key, mergeList(before, Array.isArray(entries) ? entries : [], { ...listMerge(key, field), order }));
}

function listMerge(name: string, field: PatchField): ListMerge {
  return { name, field, mergeEntries: (original, patch) => applyStrategicMergePatch(original, patch, field.items) };
}

function deleteFromPrimitives(result: JsonObject, key: string, values: Json): void {
  if (!Array.isArray(values)) throw new PatchError(400, `${deletePrefix}${key} is not a list`);
  const present = getMember(result, key);
  if (Array.isArray(present)) setMember(result, key, removeFromPrimitives(present, values));
}

function retainKeys(original: JsonObject, patch: JsonObject): JsonObject {
  const retain = getMember(patch, '$retainKeys');
  if (retain === undefined) return { ...original };
  if (!Array.isArray(retain)) throw new PatchError(400, '$retainKeys is not a list');
  const kept = new Set(retain);
  for (const [key, value] of Object.entries(patch)) {
    if (!key.startsWith('$') && value !== null && !kept.has(key)) {
      throw new PatchError(400, `the patch sets ${JSON.stringify(key)}, which its $retainKeys does not name`);
    }
  }
  return Object.fromEntries(Object.entries(original).filter(([key]) => kept.has(key)));
}
