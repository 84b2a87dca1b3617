import type { TSchema } from 'typebox';
import { StatusError } from '../../api/status-error.ts';
import { isJsonObject, type Json, setMember } from './json.ts';
import { applyJsonPatch } from './json-patch.ts';
import { applyMergePatch } from './merge-patch.ts';
import { PatchError } from './patch-error.ts';
import type { PatchSchema } from './patch-schema.ts';
import { applyStrategicMergePatch } from './strategic-merge-patch.ts';

export type PatchType = 'json' | 'merge' | 'strategic';

/** By media type. Server-side apply is no patch of a document: it goes by who manages what (fields/). */
export const patchTypes: ReadonlyMap<string, PatchType | 'apply'> = new Map([
  ['application/json-patch+json', 'json'],
  ['application/merge-patch+json', 'merge'],
  ['application/strategic-merge-patch+json', 'strategic'],
  ['application/apply-patch+yaml', 'apply'],
]);

const reasons = { 400: 'BadRequest', 413: 'RequestEntityTooLarge', 422: 'Invalid' } as const;

/**
 * What the object becomes by the patch, not yet checked against its kind.
 *
 * @param patch as decoded: integers that no number holds are bigints.
 * @throws StatusError 400, 413, 422.
 */
export function applyPatch(type: PatchType, object: object, patch: unknown, schema: TSchema): Json {
  const document = toJson(object);
  const changes = toJson(patch);
  try {
    switch (type) {
      case 'json':
        return applyJsonPatch(document, changes);
      case 'merge':
        return applyMergePatch(document, objectPatch(changes));
      case 'strategic':
        return applyStrategicMergePatch(objectPatch(document), objectPatch(changes), schema as PatchSchema);
    }
  } catch (error) {
    if (!(error instanceof PatchError)) throw error;
    throw new StatusError({
      kind: 'Status',
      apiVersion: 'v1',
      metadata: {},
      status: 'Failure',
      message: error.message,
      reason: reasons[error.code],
      code: error.code,
    });
  }
}

function objectPatch(value: Json): { [key: string]: Json } {
  if (!isJsonObject(value)) throw new PatchError(400, 'this kind of patch is an object');
  return value;
}

/** A copy of plain values only, with bigints as numbers: the structural check then refuses what is too large. */
function toJson(value: unknown): Json {
  if (typeof value === 'bigint') return Number(value);
  if (Array.isArray(value)) return value.map(toJson);
  if (typeof value === 'object' && value !== null) {
    const copy = {};
    for (const [key, member] of Object.entries(value)) {
      if (member !== undefined) setMember(copy, key, toJson(member));
    }
    return copy;
  }
  return value as null | boolean | number | string;
}
