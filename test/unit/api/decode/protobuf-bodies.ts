import protobuf from 'protobufjs';
import { MessageTypes, protobufKinds } from '../../../../src/api/decode/protobuf-messages.ts';
import { inlinedFields } from '../../../../src/api/decode/protobuf-values.ts';

/** What a client does: writes objects as Kubernetes' protobuf. */

type Json = Record<string, unknown>;

const types = new MessageTypes();

export interface EnvelopeParts {
  readonly apiVersion?: string;
  readonly kind?: string;
  readonly raw?: Uint8Array;
  readonly contentEncoding?: string;
  readonly contentType?: string;
}

/** `k8s\0` and a runtime.Unknown. */
export function envelope({ apiVersion, kind, raw, contentEncoding, contentType }: EnvelopeParts): Buffer {
  const writer = protobuf.Writer.create();
  writer.uint32(0x0a).fork();
  if (apiVersion !== undefined) writer.uint32(0x0a).string(apiVersion);
  if (kind !== undefined) writer.uint32(0x12).string(kind);
  writer.ldelim();
  if (raw !== undefined) writer.uint32(0x12).bytes(raw);
  if (contentEncoding !== undefined) writer.uint32(0x1a).string(contentEncoding);
  if (contentType !== undefined) writer.uint32(0x22).string(contentType);
  return Buffer.concat([Buffer.from('k8s\0'), writer.finish()]);
}

/** The body that a client makes of an object. */
export function protobufBody(object: Json): Buffer {
  const { apiVersion, kind, ...rest } = object as { apiVersion: string; kind: string };
  const name =
    kind === 'DeleteOptions' ? 'kubernetes.meta.v1.DeleteOptions' : protobufKinds.get(`${apiVersion} ${kind}`);
  if (name === undefined) throw new Error(`${apiVersion} ${kind} is not written in protobuf`);
  const type = types.type(name);
  const message = type.fromObject(toMessage(type, rest));
  return envelope({ apiVersion, kind, raw: type.encode(message).finish(), contentEncoding: '', contentType: '' });
}

/** Fields of a message as protobufjs wants them, out of JSON. */
function toMessage(type: protobuf.Type, json: Json): Json {
  const message: Json = {};
  for (const field of type.fieldsArray) {
    if (inlinedFields.has(`${type.name}.${field.name}`)) {
      message[field.name] = toMessage(field.resolvedType as protobuf.Type, json);
      continue;
    }
    const value = Object.hasOwn(json, field.name) ? json[field.name] : undefined;
    if (value === undefined || value === null) continue;
    if (field.map) {
      const entries = Object.entries(value).map(([key, item]) => [key, toValue(field, item)]);
      message[field.name] = Object.fromEntries(entries);
    } else {
      message[field.name] = field.repeated
        ? (value as unknown[]).map((item) => toValue(field, item))
        : toValue(field, value);
    }
  }
  return message;
}

function toValue(field: protobuf.Field, value: unknown): unknown {
  const type = field.resolvedType;
  if (!(type instanceof protobuf.Type)) return field.type === 'bytes' ? Buffer.from(value as string, 'base64') : value;
  switch (type.name) {
    case 'Time':
    case 'MicroTime': {
      const milliseconds = Date.parse(value as string);
      const micros = Number(/\.(\d{6})Z$/.exec(value as string)?.[1] ?? 0);
      return { seconds: Math.floor(milliseconds / 1000), nanos: micros * 1000 };
    }
    case 'Quantity':
      return { string: value };
    case 'IntOrString':
      return typeof value === 'string' ? { type: 1, intVal: 0, strVal: value } : { type: 0, intVal: value, strVal: '' };
    case 'FieldsV1':
      return { raw: Buffer.from(JSON.stringify(value)) };
    case 'ExtraValue':
    case 'AttestationValue':
      return { items: value };
    default:
      return toMessage(type, value as Json);
  }
}
