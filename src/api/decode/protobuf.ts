import protobuf from 'protobufjs';
import { DecodeError } from './decode-error.ts';
import { exactInteger, parseJson, setOwn } from './json.ts';
import { maxDepth, maxValues } from './limits.ts';
import { MessageTypes, protobufKinds } from './protobuf-messages.ts';
import { inlinedFields, scalarMessages } from './protobuf-values.ts';
import { decodeUtf8 } from './utf8.ts';
import { WireReader, wireTypes } from './wire.ts';

const { MapField, Type } = protobuf;
type MapField = protobuf.MapField;
type Field = protobuf.Field | MapField;
type Type = protobuf.Type;

export const protobufMediaType = 'application/vnd.kubernetes.protobuf';

/** What every body begins with. */
const magic = Buffer.from('k8s\0');

/** The field of FieldsV1 that holds JSON as bytes. */
const fieldsV1 = '.kubernetes.meta.v1.FieldsV1';

const empty = new Uint8Array(0);

const messageTypes = new MessageTypes();

interface Envelope {
  readonly apiVersion: string;
  readonly kind: string;
  readonly raw: Uint8Array;
}

/**
 * Reads a body in Kubernetes' protobuf (`k8s\0`, then a runtime.Unknown with the object in it) into the plain values
 * that the same object in JSON would give. What protobuf would let pass is refused here: fields that are not known,
 * and fields that are given twice. Fields with a zero value are kept; the structural check leaves them out.
 *
 * @throws DecodeError
 */
export function parseProtobuf(bytes: Uint8Array): unknown {
  const { apiVersion, kind, raw } = readEnvelope(bytes);
  const message = messageOf(apiVersion, kind);
  if (message === undefined) throw new DecodeError('the kind is not known in protobuf');
  return { apiVersion, kind, ...new Reading().message(messageTypes.type(message), raw, '') };
}

/**
 * The kind of a body, if it is none that is read from protobuf; undefined when it is one.
 *
 * @throws DecodeError when there is no envelope.
 */
export function unsupportedProtobufKind(bytes: Uint8Array): { apiVersion: string; kind: string } | undefined {
  const { apiVersion, kind } = readEnvelope(bytes);
  return messageOf(apiVersion, kind) === undefined ? { apiVersion, kind } : undefined;
}

/** The options of a deletion come under the version of whatever is deleted. */
function messageOf(apiVersion: string, kind: string): string | undefined {
  return kind === 'DeleteOptions' ? 'kubernetes.meta.v1.DeleteOptions' : protobufKinds.get(`${apiVersion} ${kind}`);
}

function readEnvelope(bytes: Uint8Array): Envelope {
  if (!magic.equals(bytes.subarray(0, magic.length))) throw new DecodeError('it does not begin with "k8s" and a zero');
  const [typeMeta, raw, contentEncoding, contentType] = readByteFields(bytes.subarray(magic.length), 4);
  if (contentEncoding?.length) throw new DecodeError('its contentEncoding is not supported');
  if (contentType?.length && decodeUtf8(contentType) !== protobufMediaType) {
    throw new DecodeError('its contentType is not protobuf');
  }
  const [apiVersion, kind] = readByteFields(typeMeta ?? empty, 2);
  return { apiVersion: decodeUtf8(apiVersion ?? empty), kind: decodeUtf8(kind ?? empty), raw: raw ?? empty };
}

/** A message of which all fields, 1 to `count`, are bytes or text. */
function readByteFields(bytes: Uint8Array, count: number): (Uint8Array | undefined)[] {
  const fields: (Uint8Array | undefined)[] = new Array(count).fill(undefined);
  const reader = new WireReader(bytes);
  while (!reader.isAtEnd) {
    const { id, wireType } = reader.tag();
    if (id > count || wireType !== wireTypes.bytes) throw new DecodeError('its envelope has an unknown field');
    if (fields[id - 1] !== undefined) throw new DecodeError('its envelope has a field twice');
    fields[id - 1] = reader.bytes();
  }
  return fields;
}

/** One body's values, counted. */
class Reading {
  #values = 0;
  #depth = 0;

  /** @param path of the message in the object, for errors: names of fields only, as keys of maps may be secret. */
  message(type: Type, bytes: Uint8Array, path: string): Record<string, unknown> {
    this.#depth += 1;
    if (this.#depth > maxDepth) throw new DecodeError(`nested deeper than ${maxDepth} levels`);
    const result: Record<string, unknown> = {};
    const given = new Set<number>();
    const reader = new WireReader(bytes);
    while (!reader.isAtEnd) {
      const { id, wireType } = at(path, () => reader.tag());
      const field = type.fieldsById[id];
      if (!field) throw new DecodeError(`${path || 'the object'}: field ${id} of ${type.name} is not known`);
      const place = path === '' ? field.name : `${path}.${field.name}`;
      if (given.has(id) && !field.repeated && !field.map) throw new DecodeError(`${place}: given twice`);
      given.add(id);
      this.#field(result, type, field, reader, wireType, place);
    }
    this.#depth -= 1;
    return result;
  }

  #field(
    result: Record<string, unknown>,
    type: Type,
    field: Field,
    reader: WireReader,
    wireType: number,
    path: string,
  ): void {
    if (field instanceof MapField) {
      const { key, value } = this.#entry(field, reader, wireType, path);
      result[field.name] ??= {};
      const map = result[field.name] as Record<string, unknown>;
      if (Object.hasOwn(map, key)) throw new DecodeError(`${path}: a key is given twice`);
      setOwn(map, key, value);
    } else if (field.repeated) {
      result[field.name] ??= [];
      const list = result[field.name] as unknown[];
      list.push(this.#value(field, reader, wireType, `${path}[${list.length}]`));
    } else if (inlinedFields.has(`${type.name}.${field.name}`)) {
      Object.assign(result, this.#value(field, reader, wireType, path));
    } else {
      result[field.name] = this.#value(field, reader, wireType, path);
    }
  }

  /** A map is a list of messages with a key as field 1 and a value as field 2; what is missing is zero. */
  #entry(field: MapField, reader: WireReader, wireType: number, path: string): { key: string; value: unknown } {
    checkWireType(wireType, wireTypes.bytes, path);
    const entry = new WireReader(at(path, () => reader.bytes()));
    let key: string | undefined;
    let value: unknown;
    while (!entry.isAtEnd) {
      const { id, wireType: type } = at(path, () => entry.tag());
      if (id === 1 && key === undefined) {
        checkWireType(type, wireTypes.bytes, path);
        key = at(path, () => decodeUtf8(entry.bytes()));
      } else if (id === 2 && value === undefined) {
        value = this.#value(field, entry, type, path);
      } else {
        throw new DecodeError(`${path}: an entry has a field that is not known, or one twice`);
      }
    }
    return { key: key ?? '', value: value ?? this.#zero(field, path) };
  }

  #zero(field: Field, path: string): unknown {
    return field.resolvedType instanceof Type ? this.#nested(field.resolvedType, empty, path) : '';
  }

  #value(field: Field, reader: WireReader, wireType: number, path: string): unknown {
    this.#values += 1;
    if (this.#values > maxValues) throw new DecodeError(`the body has more than ${maxValues} values`);
    if (field.resolvedType instanceof Type) {
      checkWireType(wireType, wireTypes.bytes, path);
      return this.#nested(
        field.resolvedType,
        at(path, () => reader.bytes()),
        path,
      );
    }
    switch (field.type) {
      case 'string':
        checkWireType(wireType, wireTypes.bytes, path);
        return at(path, () => decodeUtf8(reader.bytes()));
      case 'bytes':
        checkWireType(wireType, wireTypes.bytes, path);
        return at(path, () => Buffer.from(reader.bytes()).toString('base64'));
      case 'bool':
        checkWireType(wireType, wireTypes.varint, path);
        return at(path, () => reader.varint()) !== 0n;
      case 'int32':
      case 'int64':
        checkWireType(wireType, wireTypes.varint, path);
        return exactInteger(
          String(
            BigInt.asIntN(
              64,
              at(path, () => reader.varint()),
            ),
          ),
        );
      default:
        throw new Error(`proto/kubernetes has a field of type ${field.type}, which nothing here reads`);
    }
  }

  #nested(type: Type, bytes: Uint8Array, path: string): unknown {
    if (type.fullName === fieldsV1) return at(path, () => readFieldsV1(bytes));
    const message = this.message(type, bytes, path);
    const toScalar = scalarMessages.get(type.fullName);
    return toScalar ? at(path, () => toScalar(message)) : message;
  }
}

/** JSON as bytes in field 1. */
function readFieldsV1(bytes: Uint8Array): unknown {
  const [raw] = readByteFields(bytes, 1);
  return raw === undefined || raw.length === 0 ? null : parseJson(decodeUtf8(raw)).value;
}

function checkWireType(given: number, wanted: number, path: string): void {
  if (given !== wanted) throw new DecodeError(`${path}: the field has another wire type than its kind says`);
}

/** Adds the place to what cannot be read. Errors from further inside have theirs already. */
function at<T>(path: string, read: () => T): T {
  try {
    return read();
  } catch (error) {
    if (!(error instanceof DecodeError)) throw error;
    throw new DecodeError(`${path || 'the object'}: ${error.reason}`);
  }
}
