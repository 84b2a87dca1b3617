import { type Static, type TObject, type TProperties, type TSchema, type TUnsafe, Type } from 'typebox';

/**
 * Building blocks of the API schemas.
 *
 * One schema per kind gives the TypeScript type (`Static`), the structural check (structural.ts), the OpenAPI
 * document and the keys of strategic merge patch. So a schema carries, besides plain JSON Schema:
 *
 * - `x-definition`: the OpenAPI definition name of an object, `io.k8s.api.core.v1.Container`; an OpenAPI writer
 *   replaces the object by a `$ref` to it, and error texts show its last part as Kubernetes shows the Go struct;
 * - `x-kubernetes-*`: list type, list map keys, map type, patch merge key and patch strategy, as in Kubernetes' own OpenAPI;
 * - `default`: of a member that is a key of its list;
 * - `format`: `int32`, `int64`, `date-time`, `quantity`, `int-or-string`, `byte`;
 * - `x-keep-zero`: a property that tells "absent" from "empty" (a pointer in Kubernetes' Go types).
 *
 * A property that is not optional is one that Kubernetes always writes: where a document lacks it, the structural
 * check fills in the zero value (`""`, 0, false, [], {}), as decoding into a Go struct does. Whether an empty value
 * is allowed is a matter of validation.
 */

/** How a list merges under strategic merge patch and server-side apply. */
export interface ListOptions {
  type?: 'atomic' | 'set' | 'map';
  /** Keys of list type `map`. */
  keys?: readonly string[];
  patchMergeKey?: string;
  patchStrategy?: 'merge' | 'merge,retainKeys';
}

const core = 'io.k8s.api.core.v1';
const meta = 'io.k8s.apimachinery.pkg.apis.meta.v1';

function described(description?: string): { description?: string } {
  return description === undefined ? {} : { description };
}

/**
 * A property that may be absent. `null` in a document means absent, and so does the zero value of a string, number,
 * boolean, list or map, which Kubernetes does not write either.
 */
export function opt<T extends TSchema>(schema: T) {
  return Type.Optional(schema);
}

/** A property that may be absent, and means something else when it is there with its zero value. */
export function ptr<T extends TSchema>(schema: T) {
  return Type.Optional(Type.Unsafe<Static<T>>({ ...schema, 'x-keep-zero': true }));
}

/** The same schema with a description of this use of it. */
export function about<T extends TSchema>(schema: T, description: string): TUnsafe<Static<T>> {
  return Type.Unsafe<Static<T>>({ ...schema, description });
}

export function str(description?: string): TUnsafe<string> {
  return Type.Unsafe<string>({ type: 'string', ...described(description) });
}

/** Bytes, in a document as base64 text. */
export function bytes(description?: string): TUnsafe<string> {
  return Type.Unsafe<string>({ type: 'string', format: 'byte', ...described(description) });
}

/** A property with a value that stands for it where it is left out: in the keys of a list. */
export function withDefault<T extends TSchema>(schema: T, value: Static<T>): TUnsafe<Static<T>> {
  return Type.Unsafe<Static<T>>({ ...schema, default: value });
}

/** A string with a closed set of values. The set is documentation and type; validation refuses other values. */
export function oneOf<const V extends readonly string[]>(values: V, description?: string): TUnsafe<V[number]> {
  return Type.Unsafe<V[number]>({ type: 'string', enum: [...values], ...described(description) });
}

export function bool(description?: string): TUnsafe<boolean> {
  return Type.Unsafe<boolean>({ type: 'boolean', ...described(description) });
}

export function int32(description?: string): TUnsafe<number> {
  return Type.Unsafe<number>({ type: 'integer', format: 'int32', ...described(description) });
}

/** A 64-bit integer. The structural check refuses values that a JavaScript number cannot hold exactly. */
export function int64(description?: string): TUnsafe<number> {
  return Type.Unsafe<number>({ type: 'integer', format: 'int64', ...described(description) });
}

/** RFC 3339 with seconds, as `metav1.Time`. */
export function time(description?: string): TUnsafe<string> {
  return Type.Unsafe<string>({
    type: 'string',
    format: 'date-time',
    'x-definition': `${meta}.Time`,
    ...described(description),
  });
}

/** RFC 3339 with microseconds, as `metav1.MicroTime`. */
export function microTime(description?: string): TUnsafe<string> {
  return Type.Unsafe<string>({
    type: 'string',
    format: 'date-time',
    'x-definition': `${meta}.MicroTime`,
    ...described(description),
  });
}

/** A resource quantity: a string here, though a document may also give a number. */
export function quantity(description?: string): TUnsafe<string> {
  return Type.Unsafe<string>({
    type: 'string',
    format: 'quantity',
    'x-definition': 'io.k8s.apimachinery.pkg.api.resource.Quantity',
    ...described(description),
  });
}

/** A number or a name, as a probe's port. */
export function intOrString(description?: string): TUnsafe<number | string> {
  return Type.Unsafe<number | string>({
    format: 'int-or-string',
    'x-kubernetes-int-or-string': true,
    oneOf: [{ type: 'integer' }, { type: 'string' }],
    'x-definition': 'io.k8s.apimachinery.pkg.util.intstr.IntOrString',
    ...described(description),
  });
}

export function list<T extends TSchema>(
  items: T,
  options: ListOptions = {},
  description?: string,
): TUnsafe<Static<T>[]> {
  return Type.Unsafe<Static<T>[]>({
    type: 'array',
    items,
    ...(options.type ? { 'x-kubernetes-list-type': options.type } : {}),
    ...(options.keys ? { 'x-kubernetes-list-map-keys': [...options.keys] } : {}),
    ...(options.patchMergeKey ? { 'x-kubernetes-patch-merge-key': options.patchMergeKey } : {}),
    ...(options.patchStrategy ? { 'x-kubernetes-patch-strategy': options.patchStrategy } : {}),
    ...described(description),
  });
}

/** A list that is replaced as a whole by patches. */
export function atomicList<T extends TSchema>(items: T, description?: string): TUnsafe<Static<T>[]> {
  return list(items, { type: 'atomic' }, description);
}

export function mapOf<T extends TSchema>(values: T, description?: string): TUnsafe<Record<string, Static<T>>> {
  return Type.Unsafe<Record<string, Static<T>>>({
    type: 'object',
    additionalProperties: values,
    ...described(description),
  });
}

/** A map that is owned and replaced as a whole. */
export function atomicMap<T extends TSchema>(values: T, description?: string): TUnsafe<Record<string, Static<T>>> {
  return Type.Unsafe<Record<string, Static<T>>>({ ...mapOf(values, description), 'x-kubernetes-map-type': 'atomic' });
}

export function stringMap(description?: string): TUnsafe<Record<string, string>> {
  return mapOf(str(), description);
}

/** Resource names to quantities, as `v1.ResourceList`. */
export function resourceList(description?: string): TUnsafe<Record<string, string>> {
  return mapOf(quantity(), description);
}

/** Any JSON object, kept as it is. */
export function anyObject(description?: string): TUnsafe<Record<string, unknown>> {
  return Type.Unsafe<Record<string, unknown>>({
    type: 'object',
    'x-kubernetes-preserve-unknown-fields': true,
    ...described(description),
  });
}

export interface ObjectOptions {
  description?: string;
  /** Patches by server-side apply replace the object as a whole. */
  atomic?: boolean;
}

/** An object of the core/v1 group. */
export function coreObject<P extends TProperties>(
  name: string,
  properties: P,
  options: ObjectOptions = {},
): TObject<P> {
  return namedObject(`${core}.${name}`, properties, options);
}

/** An object of node.k8s.io/v1. */
export function nodeGroupObject<P extends TProperties>(
  name: string,
  properties: P,
  options: ObjectOptions = {},
): TObject<P> {
  return namedObject(`io.k8s.api.node.v1.${name}`, properties, options);
}

/** An object of rbac.authorization.k8s.io/v1. */
export function rbacObject<P extends TProperties>(
  name: string,
  properties: P,
  options: ObjectOptions = {},
): TObject<P> {
  return namedObject(`io.k8s.api.rbac.v1.${name}`, properties, options);
}

/** An object of policy/v1. */
export function policyObject<P extends TProperties>(
  name: string,
  properties: P,
  options: ObjectOptions = {},
): TObject<P> {
  return namedObject(`io.k8s.api.policy.v1.${name}`, properties, options);
}

/** An object of storage.k8s.io/v1. */
export function storageObject<P extends TProperties>(
  name: string,
  properties: P,
  options: ObjectOptions = {},
): TObject<P> {
  return namedObject(`io.k8s.api.storage.v1.${name}`, properties, options);
}

/** An object of authentication.k8s.io/v1 or authorization.k8s.io/v1. */
export function reviewObject<P extends TProperties>(
  group: 'authentication' | 'authorization',
  name: string,
  properties: P,
): TObject<P> {
  return namedObject(`io.k8s.api.${group}.v1.${name}`, properties, {});
}

/** An object of v1 of another group, by the first part of its name: `discovery` for discovery.k8s.io. */
export function groupObject<P extends TProperties>(
  group: 'coordination' | 'discovery' | 'events' | 'scheduling',
  name: string,
  properties: P,
  options: ObjectOptions = {},
): TObject<P> {
  return namedObject(`io.k8s.api.${group}.v1.${name}`, properties, options);
}

/** An object of meta/v1. */
export function metaObject<P extends TProperties>(
  name: string,
  properties: P,
  options: ObjectOptions = {},
): TObject<P> {
  return namedObject(`${meta}.${name}`, properties, options);
}

function namedObject<P extends TProperties>(definition: string, properties: P, options: ObjectOptions): TObject<P> {
  return Type.Object(properties, {
    'x-definition': definition,
    ...(options.atomic ? { 'x-kubernetes-map-type': 'atomic' } : {}),
    ...described(options.description),
  });
}
