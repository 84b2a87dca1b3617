import { isJsonObject, type Json, setMember } from './json.ts';

export const deletePrefix = '$deleteFromPrimitiveList/';
export const orderPrefix = '$setElementOrder/';

/**
 * A part of a patch that meets nothing to merge with: without nulls and directives, as it is to be stored. Undefined
 * when it is nothing but a directive.
 */
export function withoutDirectives(value: Json): Json | undefined {
  if (Array.isArray(value)) {
    return value
      .map((entry) => (entry === null ? null : withoutDirectives(entry)))
      .filter((entry) => entry !== undefined);
  }
  if (!isJsonObject(value)) return value;
  if (Object.hasOwn(value, '$patch')) return undefined;
  const result = {};
  for (const [key, member] of Object.entries(value)) {
    if (member === null || isDirectiveKey(key)) continue;
    const kept = withoutDirectives(member);
    if (kept !== undefined) setMember(result, key, kept);
  }
  return result;
}

function isDirectiveKey(key: string): boolean {
  return key === '$retainKeys' || key.startsWith(deletePrefix) || key.startsWith(orderPrefix);
}
