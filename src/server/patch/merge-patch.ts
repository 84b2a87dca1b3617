import { getMember, isJsonObject, type Json, setMember } from './json.ts';

/** JSON merge patch, RFC 7396. The inputs are not changed; the result may share parts with them. */
export function applyMergePatch(target: Json, patch: Json): Json {
  if (!isJsonObject(patch)) return patch;
  const result = isJsonObject(target) ? { ...target } : {};
  for (const key of Object.keys(patch)) {
    const value = getMember(patch, key) ?? null;
    if (value === null) delete result[key];
    else setMember(result, key, applyMergePatch(getMember(result, key) ?? null, value));
  }
  return result;
}
