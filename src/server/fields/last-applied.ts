import { asJson, getMember, isJsonObject, type Json, type JsonObject, setMember } from '../patch/json.ts';
import { compareFields } from './compare.ts';
import type { FieldSchema } from './field-schema.ts';
import { FieldSet } from './field-set.ts';
import { fieldsOf } from './fields-of.ts';

/**
 * The annotation of `kubectl apply` without --server-side: what was applied. Who turns to server-side apply with kubectl
 * takes over what it says, and keeps it true, so that the way back is open. PURE.
 */
const annotation = 'kubectl.kubernetes.io/last-applied-configuration';

/** The manager for which this holds: kubectl's own name. */
export const kubectlManager = 'kubectl';

const maxAnnotationBytes = 256 * 1024;

export function lastAppliedOf(annotations: Readonly<Record<string, string>> | undefined): string | undefined {
  return (annotations && Object.hasOwn(annotations, annotation) ? annotations[annotation] : undefined) || undefined;
}

/** The fields that were applied and have not been changed since. @param check a part of an object, if it is one. */
export function unchangedSince(
  text: string,
  live: Json,
  schema: FieldSchema,
  check: (document: unknown) => Json | undefined,
): FieldSet {
  const applied = check(parse(text));
  if (applied === undefined) return new FieldSet();
  const { added, modified, removed } = compareFields(applied, live, schema);
  return fieldsOf(applied, schema).difference(added).difference(modified).difference(removed);
}

/** What the annotation says after `applied` was applied. Empty when it would be too long. */
function lastAppliedText(applied: JsonObject, otherAnnotationBytes: number): string {
  const document = asJson(applied) as JsonObject;
  const metadata = getMember(document, 'metadata');
  const annotations = isJsonObject(metadata ?? null) ? getMember(metadata as JsonObject, 'annotations') : undefined;
  if (isJsonObject(annotations ?? null)) delete (annotations as JsonObject)[annotation];
  const text = `${JSON.stringify(sorted(document))}\n`;
  return Buffer.byteLength(text) + otherAnnotationBytes > maxAnnotationBytes ? '' : text;
}

export function setLastApplied(annotations: Record<string, string>, applied: JsonObject): void {
  const others = Object.entries(annotations).filter(([key]) => key !== annotation);
  const bytes = others.reduce((sum, [key, value]) => sum + Buffer.byteLength(key) + Buffer.byteLength(value), 0);
  annotations[annotation] = lastAppliedText(applied, bytes + annotation.length);
}

function parse(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch (error) {
    if (error instanceof SyntaxError) return undefined;
    throw error;
  }
}

/** As Go writes maps. */
function sorted(value: Json): Json {
  if (Array.isArray(value)) return value.map(sorted);
  if (!isJsonObject(value)) return value;
  const result: JsonObject = {};
  for (const key of Object.keys(value).sort()) setMember(result, key, sorted(getMember(value, key) ?? null));
  return result;
}
