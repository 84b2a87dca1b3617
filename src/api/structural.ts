import type { Static, TSchema } from 'typebox';
import type { KubeObject, StatusCause } from './meta.ts';
import { canonicalQuantity, QuantityError } from './quantity.ts';
import { badRequest, type StatusError } from './status-error.ts';

/**
 * From a decoded document to an object of a kind's type, as Kubernetes' decoder does it: field names are
 * case-sensitive, `null` means absent, fields that are always written get their zero value, other zero values are
 * left out, quantities, times and bytes are brought to their canonical text. What a field may contain is a matter of
 * validation.
 */

/** What happens to fields that the kind does not have: dropped, dropped with a warning, or refused. */
export type FieldValidation = 'Ignore' | 'Warn' | 'Strict';

export interface StructuralError {
  kind: 'unknown-field' | 'type';
  /** `spec.containers[0].name`. */
  field: string;
  message: string;
}

export interface StructuralResult<T> {
  /** A new object, complete only when there are no errors. The document is left as it is. */
  object: T;
  warnings: string[];
  errors: StructuralError[];
}

/** The part of a KindDefinition that the check needs. */
export interface StructuralKind {
  readonly group: string;
  readonly version: string;
  readonly kind: string;
  readonly schema: TSchema;
}

/** The plain JSON Schema below the TypeBox types, as far as schema.ts writes it. */
interface Shape {
  type?: string;
  format?: string;
  items?: Shape;
  properties?: Record<string, Shape>;
  required?: readonly string[];
  additionalProperties?: Shape;
  'x-definition'?: string;
  'x-keep-zero'?: boolean;
  'x-kubernetes-preserve-unknown-fields'?: boolean;
}

/** A document with more mistakes than this is a mistake as a whole; the rest is not worth the memory. */
const maxErrors = 100;

/** Where in the document the check is, both ways that Kubernetes writes it. */
interface Place {
  /** `spec.containers[0].name`. */
  path: string;
  /** The innermost Go struct, `Container`. */
  struct: string;
  /** Path without indexes, as encoding/json reports it: `spec.containers.name`. */
  fields: string;
}

/** Checks a document against a kind. `object` has the type T as soon as there are no errors. */
export function checkStructure<T extends KubeObject>(
  kind: StructuralKind,
  document: unknown,
  options: { fieldValidation: FieldValidation },
): StructuralResult<T> {
  const check = new Check(options.fieldValidation);
  const shape = kind.schema as Shape;
  const object = check.object(shape, document, { path: '', struct: kind.kind, fields: '' });
  check.identity(object, kind);
  return { object: object as unknown as T, warnings: check.warnings, errors: check.errors };
}

/**
 * The same check of a part of an object, as server-side apply sends it: only what is given is there, with its zero value
 * too, and what is null is not. Unknown fields are errors.
 */
export function checkPartialStructure(
  kind: StructuralKind,
  document: unknown,
): { object: Record<string, unknown>; errors: StructuralError[] } {
  const check = new Check('Strict', { partial: true });
  const object = check.object(kind.schema as Shape, document, { path: '', struct: kind.kind, fields: '' });
  return { object, errors: check.errors };
}

/** A value as one of the schema's type, without fields that it does not have; undefined when it is something else. */
export function asShape<T extends TSchema>(schema: T, value: unknown): Static<T> | undefined {
  const check = new Check('Ignore');
  const shape = schema as Shape;
  const object = check.object(shape, value, { path: '', struct: definitionName(shape) ?? '', fields: '' });
  return check.errors.length === 0 ? (object as Static<T>) : undefined;
}

/** The 400 answer to a document with structural errors: every cause, worded as Kubernetes words them. */
export function structuralFailure(kind: StructuralKind, errors: readonly StructuralError[]): StatusError {
  const typeErrors = errors.filter((error) => error.kind === 'type').map((error) => error.message);
  const strict = errors.filter((error) => error.kind === 'unknown-field').map((error) => error.message);
  const texts = [...typeErrors, ...(strict.length > 0 ? [`strict decoding error: ${strict.join(', ')}`] : [])];
  const subject = `${kind.kind} in version "${kind.group === '' ? '' : `${kind.group}/`}${kind.version}"`;
  const causes: StatusCause[] = errors.map(({ field, message, kind: cause }) => ({
    reason: cause === 'type' ? 'FieldValueTypeInvalid' : 'UnknownField',
    message,
    field,
  }));
  return badRequest(`${subject} cannot be handled as a ${kind.kind}: ${texts.join(', ')}`, { causes });
}

class Check {
  readonly warnings: string[] = [];
  readonly errors: StructuralError[] = [];
  readonly #fieldValidation: FieldValidation;
  readonly #isPartial: boolean;

  constructor(fieldValidation: FieldValidation, { partial = false } = {}) {
    this.#fieldValidation = fieldValidation;
    this.#isPartial = partial;
  }

  /** Kind and version may be left out, as the request says them; other ones are refused. */
  identity(object: Record<string, unknown>, kind: StructuralKind): void {
    const expected = {
      apiVersion: kind.group === '' ? kind.version : `${kind.group}/${kind.version}`,
      kind: kind.kind,
    };
    if (object.apiVersion === '') object.apiVersion = expected.apiVersion;
    if (object.kind === '') object.kind = expected.kind;
    if (typeof object.apiVersion === 'string' && object.apiVersion !== expected.apiVersion) {
      const [given, wanted] = [object.apiVersion, expected.apiVersion];
      const message = `the API version in the data (${given}) does not match the expected API version (${wanted})`;
      this.#typeError('apiVersion', message);
    }
    if (typeof object.kind === 'string' && object.kind !== expected.kind) {
      this.#typeError(
        'kind',
        `the kind in the data (${object.kind}) does not match the expected kind (${expected.kind})`,
      );
    }
  }

  object(shape: Shape, value: unknown, place: Place): Record<string, unknown> {
    const result: Record<string, unknown> = {};
    const properties = shape.properties ?? {};
    if (!isObject(value)) {
      this.#mismatch(value, place, goType(shape));
      return result;
    }
    // In the order of the schema, which is the order in which Kubernetes writes objects.
    const struct = definitionName(shape) ?? place.struct;
    const required = shape.required ?? [];
    for (const [key, property] of Object.entries(properties)) {
      const given = Object.hasOwn(value, key) ? value[key] : undefined;
      if (given !== undefined && given !== null) {
        const inner = { path: join(place.path, key), struct, fields: join(place.fields, key) };
        const checked = this.#value(property, given, inner);
        if (this.#isPartial || required.includes(key) || !isOmitted(property, checked)) result[key] = checked;
      } else if (!this.#isPartial && required.includes(key)) {
        result[key] = zeroValue(property);
      }
    }
    for (const key of Object.keys(value)) {
      if (!Object.hasOwn(properties, key)) this.#unknownField(join(place.path, key));
    }
    return result;
  }

  #value(shape: Shape, value: unknown, place: Place): unknown {
    switch (shape.format) {
      case 'quantity':
        return this.#quantity(value, place);
      case 'date-time':
        return this.#time(value, place, definitionName(shape) === 'MicroTime');
      case 'int-or-string':
        return typeof value === 'string' ? value : this.#integer(value, place, 'int32');
      case 'int32':
      case 'int64':
        return this.#integer(value, place, shape.format);
      case 'byte':
        return this.#bytes(value, place);
      default:
        break;
    }
    switch (shape.type) {
      case 'string':
        return typeof value === 'string' ? value : this.#mismatch(value, place, 'string');
      case 'boolean':
        return typeof value === 'boolean' ? value : this.#mismatch(value, place, 'bool');
      case 'array':
        return this.#list(shape, value, place);
      default:
        break;
    }
    if (shape['x-kubernetes-preserve-unknown-fields']) {
      return isObject(value) ? value : this.#mismatch(value, place, goType(shape));
    }
    return shape.additionalProperties ? this.#map(shape, value, place) : this.object(shape, value, place);
  }

  #list(shape: Shape, value: unknown, place: Place): unknown {
    if (!Array.isArray(value)) return this.#mismatch(value, place, goType(shape));
    const items = shape.items ?? {};
    return value.map((item: unknown, index) =>
      item === null ? zeroValue(items) : this.#value(items, item, { ...place, path: `${place.path}[${index}]` }),
    );
  }

  /** Maps have no prototype, so that no key (`__proto__`, `constructor`) means more than itself. */
  #map(shape: Shape, value: unknown, place: Place): unknown {
    if (!isObject(value)) return this.#mismatch(value, place, goType(shape));
    const values = shape.additionalProperties ?? {};
    const result: Record<string, unknown> = Object.create(null);
    for (const key of Object.keys(value)) {
      const item = value[key];
      result[key] =
        item === null || item === undefined
          ? zeroValue(values)
          : this.#value(values, item, { ...place, path: `${place.path}[${key}]` });
    }
    return result;
  }

  #integer(value: unknown, place: Place, format: 'int32' | 'int64'): number {
    if (typeof value === 'number' || typeof value === 'bigint') {
      const limit = format === 'int32' ? 2 ** 31 : Number.MAX_SAFE_INTEGER + 1;
      const exact = typeof value === 'bigint' || Number.isInteger(value);
      if (exact && value < limit && value >= -limit) return Number(value) + 0;
      this.#typeError(place.path, `json: cannot unmarshal number ${value} into ${into(place)} of type ${format}`);
      return 0;
    }
    this.#mismatch(value, place, format);
    return 0;
  }

  #quantity(value: unknown, place: Place): string {
    const text = typeof value === 'string' ? value.trim() : typeof value === 'object' ? '' : String(value);
    try {
      return canonicalQuantity(text);
    } catch (error) {
      if (!(error instanceof QuantityError)) throw error;
      this.#typeError(place.path, `${place.path}: ${error.message}`);
      return '0';
    }
  }

  #time(value: unknown, place: Place, micro: boolean): unknown {
    if (typeof value !== 'string') return this.#mismatch(value, place, 'string');
    const text = canonicalTime(value, micro);
    if (text !== undefined) return text;
    const layout = micro ? '2006-01-02T15:04:05.000000Z07:00' : '2006-01-02T15:04:05Z07:00';
    const shown = JSON.stringify(value.slice(0, 64));
    this.#typeError(place.path, `${place.path}: parsing time ${shown} as "${layout}": cannot parse`);
    return value;
  }

  /** Base64 in its canonical form. What is wrong is told without the text, which may be a secret. */
  #bytes(value: unknown, place: Place): unknown {
    if (typeof value !== 'string') return this.#mismatch(value, place, '[]uint8');
    // As Go's decoder: line ends are no part of the text.
    const text = value.replaceAll(/[\r\n]/g, '');
    if (text.length % 4 === 0 && /^[A-Za-z0-9+/]*={0,2}$/.test(text))
      return Buffer.from(text, 'base64').toString('base64');
    this.#typeError(place.path, `${place.path}: illegal base64 data`);
    return '';
  }

  #mismatch(value: unknown, place: Place, wanted: string): undefined {
    this.#typeError(place.path, `json: cannot unmarshal ${jsonType(value)} into ${into(place)} of type ${wanted}`);
    return undefined;
  }

  #typeError(field: string, message: string): void {
    if (this.errors.length < maxErrors) this.errors.push({ kind: 'type', field, message });
  }

  #unknownField(field: string): void {
    const message = `unknown field ${JSON.stringify(field)}`;
    if (this.#fieldValidation === 'Warn' && this.warnings.length < maxErrors) this.warnings.push(message);
    if (this.#fieldValidation === 'Strict' && this.errors.length < maxErrors) {
      this.errors.push({ kind: 'unknown-field', field, message });
    }
  }
}

function into(place: Place): string {
  return place.fields === '' ? 'Go value' : `Go struct field ${place.struct}.${place.fields}`;
}

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

function join(path: string, key: string): string {
  return path === '' ? key : `${path}.${key}`;
}

function jsonType(value: unknown): string {
  if (Array.isArray(value)) return 'array';
  if (value === null) return 'null';
  switch (typeof value) {
    case 'boolean':
      return 'bool';
    case 'bigint':
      return 'number';
    default:
      return typeof value;
  }
}

/** `Container` of `io.k8s.api.core.v1.Container`. */
function definitionName(shape: Shape): string | undefined {
  const definition = shape['x-definition'];
  return definition?.slice(definition.lastIndexOf('.') + 1);
}

function goType(shape: Shape): string {
  if (shape.type === 'array') return `[]${goType(shape.items ?? {})}`;
  if (shape.additionalProperties) return `map[string]${goType(shape.additionalProperties)}`;
  const name = definitionName(shape);
  if (name !== undefined) return `v1.${name}`;
  if (shape.type === 'integer') return shape.format ?? 'int64';
  if (shape.format === 'byte') return '[]uint8';
  return shape.type === 'boolean' ? 'bool' : (shape.type ?? 'object');
}

/** An optional field with its zero value is not written, as with Go's `omitempty`. */
function isOmitted(shape: Shape, value: unknown): boolean {
  if (shape['x-keep-zero'] || shape.format === 'quantity') return false;
  if (value === '' || value === 0 || value === false) return true;
  if (Array.isArray(value)) return value.length === 0;
  return shape.additionalProperties !== undefined && isObject(value) && Object.keys(value).length === 0;
}

/** What a Go struct holds in a field that the document lacks. */
function zeroValue(shape: Shape): unknown {
  if (shape.format === 'int-or-string') return 0;
  switch (shape.type) {
    case 'string':
      return shape.format === 'quantity' ? '0' : '';
    case 'integer':
      return 0;
    case 'boolean':
      return false;
    case 'array':
      return [];
    default:
      break;
  }
  if (!shape.properties) return Object.create(null);
  const result: Record<string, unknown> = {};
  for (const key of shape.required ?? []) {
    const property = shape.properties[key];
    if (property) result[key] = zeroValue(property);
  }
  return result;
}

const rfc3339 = /^\d{4}-\d{2}-\d{2}T([01]\d|2[0-3]):[0-5]\d:[0-5]\d([.,]\d+)?(Z|[+-]([01]\d|2[0-3]):[0-5]\d)$/;

/** The time in UTC, with seconds or microseconds; undefined when it is no RFC 3339 time of the calendar. */
function canonicalTime(text: string, micro: boolean): string | undefined {
  const match = text.length > 64 ? null : rfc3339.exec(text);
  if (!match) return undefined;
  const fraction = match[2] ?? '';
  const whole = text.slice(0, 19);
  const utc = new Date(`${whole}${match[3]}`);
  // Date rolls 30 February over; Go does not take it.
  const asWritten = new Date(`${whole}Z`);
  if (Number.isNaN(utc.getTime()) || asWritten.toISOString().slice(0, 19) !== whole) return undefined;
  const seconds = utc.toISOString().slice(0, 19);
  return micro ? `${seconds}.${fraction.slice(1).padEnd(6, '0').slice(0, 6)}Z` : `${seconds}Z`;
}
