import { getMember, isJsonObject, type Json } from '../patch/json.ts';
import { fieldElement, keyElement, valueElement } from './path-element.ts';

/** The parts of a JSON schema that say how server-side apply merges, and who can own what. */
export interface FieldSchema {
  readonly type?: string;
  readonly properties?: Readonly<Record<string, FieldSchema>>;
  readonly items?: FieldSchema;
  readonly additionalProperties?: FieldSchema | boolean;
  readonly default?: Json;
  readonly 'x-kubernetes-list-type'?: string;
  readonly 'x-kubernetes-list-map-keys'?: readonly string[];
  readonly 'x-kubernetes-map-type'?: string;
}

/**
 * - leaf: owned and replaced as a whole: plain values, atomic lists, atomic maps and objects
 * - object, map: by member. Only an object has names of its own
 * - list: entries are told apart by their keys; set: by their value
 */
export type Granularity = 'leaf' | 'object' | 'map' | 'list' | 'set';

const nothingKnown: FieldSchema = {};

export function granularityOf(schema: FieldSchema): Granularity {
  if (schema['x-kubernetes-map-type'] === 'atomic') return 'leaf';
  const listType = schema['x-kubernetes-list-type'];
  if (listType === 'map') return 'list';
  if (listType === 'set') return 'set';
  if (schema.properties) return 'object';
  return typeof schema.additionalProperties === 'object' ? 'map' : 'leaf';
}

/** The schema of a member; unknown members are leaves. */
export function memberSchema(schema: FieldSchema, key: string): FieldSchema {
  const { properties, additionalProperties } = schema;
  if (properties) return (Object.hasOwn(properties, key) ? properties[key] : undefined) ?? nothingKnown;
  return typeof additionalProperties === 'object' ? additionalProperties : nothingKnown;
}

/** The schema of what an element of a path stands for. */
export function elementSchema(schema: FieldSchema, element: string): FieldSchema {
  return element.startsWith('f:') ? memberSchema(schema, element.slice(2)) : (schema.items ?? nothingKnown);
}

/** Members that are there, by their elements. */
export function membersOf(value: Json | undefined): Map<string, Json> {
  const members = new Map<string, Json>();
  if (typeof value !== 'object' || value === null || Array.isArray(value)) return members;
  for (const key of Object.keys(value)) {
    const member = value[key];
    if (member !== undefined) members.set(fieldElement(key), member);
  }
  return members;
}

/** The entries of a list or set by their elements. Several of the same element are not told apart. */
export function entriesOf(value: Json | readonly Json[] | undefined, schema: FieldSchema): Map<string, Json[]> {
  const entries = new Map<string, Json[]>();
  for (const item of Array.isArray(value) ? (value as readonly Json[]) : []) {
    const element = entryElement(item, schema);
    const same = entries.get(element);
    if (same) same.push(item);
    else entries.set(element, [item]);
  }
  return entries;
}

/** A key that an entry lacks has its default, as `protocol` of a port. */
export function entryElement(item: Json, schema: FieldSchema): string {
  if (granularityOf(schema) === 'set') return valueElement(item);
  const keys: [string, Json][] = [];
  for (const key of schema['x-kubernetes-list-map-keys'] ?? []) {
    const given = isJsonObject(item) ? getMember(item, key) : undefined;
    const value = given ?? memberSchema(schema.items ?? nothingKnown, key).default;
    if (value !== undefined) keys.push([key, value]);
  }
  return keyElement(keys);
}

/** An empty value and none are the same to those who merge. */
export function isEmptyValue(value: Json | undefined): boolean {
  if (typeof value !== 'object' || value === null) return value === undefined || value === null;
  for (const _ in value) return false;
  return true;
}
