import { getMember, isJsonObject, type Json } from '../patch/json.ts';

/**
 * Elements of a path, as FieldsV1 writes them: `f:name` a field or a key of a map, `k:{"name":"c"}` the entry of a list
 * by its keys, `v:"x"` that of a set, `i:0` that of a list by position, which nobody writes.
 */

export function fieldElement(name: string): string {
  return `f:${name}`;
}

export function valueElement(value: Json): string {
  return `v:${JSON.stringify(value)}`;
}

/** @param keys with their values. The order makes no difference. */
export function keyElement(keys: readonly (readonly [string, Json])[]): string {
  const sorted = keys.toSorted(([a], [b]) => (a < b ? -1 : 1));
  return `k:{${sorted.map(([key, value]) => `${JSON.stringify(key)}:${JSON.stringify(value)}`).join(',')}}`;
}

/** An element as we write it ourselves; undefined when it is none. */
export function canonicalElement(text: string): string | undefined {
  const content = text.slice(2);
  switch (text.slice(0, 2)) {
    case 'f:':
      return text;
    case 'i:':
      return /^\d{1,9}$/.test(content) ? text : undefined;
    case 'v:': {
      const value = parse(content);
      return value === undefined || typeof value === 'object' ? undefined : valueElement(value);
    }
    case 'k:': {
      const keys = parse(content);
      return isJsonObject(keys ?? null)
        ? keyElement(Object.entries(keys as Record<string, Json>).map(([key, value]) => [key, value ?? null]))
        : undefined;
    }
    default:
      return undefined;
  }
}

/** As Kubernetes shows a path in messages: `.spec.containers[name="c"].image`. */
export function pathText(path: readonly string[]): string {
  return path.map(elementText).join('');
}

function elementText(element: string): string {
  const content = element.slice(2);
  switch (element.slice(0, 2)) {
    case 'f:':
      return `.${content}`;
    case 'v:':
      return `[=${content}]`;
    case 'k:': {
      const keys = parse(content);
      if (!keys || !isJsonObject(keys)) return `[${content}]`;
      return `[${Object.keys(keys)
        .map((key) => `${key}=${JSON.stringify(getMember(keys, key))}`)
        .join(',')}]`;
    }
    default:
      return `[${content}]`;
  }
}

function parse(text: string): Json | undefined {
  try {
    return JSON.parse(text);
  } catch (error) {
    if (error instanceof SyntaxError) return undefined;
    throw error;
  }
}
