import { isDeepStrictEqual } from 'node:util';
import fc from 'fast-check';
import protobuf from 'protobufjs';
import t from 'tap';
import { Decoder } from '../../../../src/api/decode/decode.ts';
import { DecodeError } from '../../../../src/api/decode/decode-error.ts';
import { parseProtobuf } from '../../../../src/api/decode/protobuf.ts';
import { MessageTypes, protobufKinds } from '../../../../src/api/decode/protobuf-messages.ts';
import { inlinedFields, scalarMessages } from '../../../../src/api/decode/protobuf-values.ts';
import type { KindDefinition } from '../../../../src/api/kind.ts';
import { kinds } from '../../../../src/api/kinds.ts';
import type { KubeObject } from '../../../../src/api/meta.ts';
import { reviewKinds } from '../../../../src/api/reviews.ts';
import { checkStructure } from '../../../../src/api/structural.ts';
import { envelope, protobufBody } from './protobuf-bodies.ts';

type Kind = KindDefinition<KubeObject>;
type Json = Record<string, unknown>;

/** The JSON Schema below a kind's types, as far as values are made from it. */
interface Shape {
  readonly type?: string;
  readonly format?: string;
  readonly items?: Shape;
  readonly properties?: Record<string, Shape>;
  readonly additionalProperties?: Shape;
  readonly 'x-definition'?: string;
  readonly 'x-kubernetes-preserve-unknown-fields'?: boolean;
}

const types = new MessageTypes();
const apiVersionOf = ({ group, version }: Pick<Kind, 'group' | 'version'>) =>
  group === '' ? version : `${group}/${version}`;
const messageOf = (kind: Pick<Kind, 'group' | 'version' | 'kind'>) =>
  protobufKinds.get(`${apiVersionOf(kind)} ${kind.kind}`);
const readable = kinds.filter((kind) => messageOf(kind) !== undefined);
const fieldsV1 = '.kubernetes.meta.v1.FieldsV1';

function shapeText(shape: Shape | undefined): string {
  if (shape?.type === 'array') return `${shapeText(shape.items)}[]`;
  if (shape?.additionalProperties) return `map of ${shapeText(shape.additionalProperties)}`;
  if (shape?.['x-kubernetes-preserve-unknown-fields']) return 'FieldsV1';
  const definition = shape?.['x-definition'];
  if (definition !== undefined) return definition.slice(definition.lastIndexOf('.') + 1);
  if (shape?.format === 'byte') return 'bytes';
  if (shape?.type === 'boolean') return 'bool';
  return shape?.type === 'integer' ? (shape.format ?? '') : (shape?.type ?? 'nothing');
}

function fieldText(field: protobuf.Field): string {
  const name = field.resolvedType?.name ?? field.type;
  const type = name === 'ExtraValue' ? 'string[]' : name;
  if (field.map) return `map of ${type}`;
  return field.repeated ? `${type}[]` : type;
}

/** The fields that JSON has, those of inlined messages included. */
function jsonFields(type: protobuf.Type): protobuf.Field[] {
  return type.fieldsArray.flatMap((field) =>
    inlinedFields.has(`${type.name}.${field.name}`) ? jsonFields(field.resolvedType as protobuf.Type) : [field],
  );
}

/** Where the messages and the schema say different things. */
function differences(type: protobuf.Type, shape: Shape, done: Set<string>): string[] {
  if (done.has(type.fullName) || scalarMessages.has(type.fullName) || type.fullName === fieldsV1) return [];
  done.add(type.fullName);
  const properties = { ...shape.properties };
  const found: string[] = [];
  for (const field of jsonFields(type)) {
    const property = properties[field.name];
    delete properties[field.name];
    if (fieldText(field) !== shapeText(property)) {
      found.push(`${type.name}.${field.name}: ${fieldText(field)} and ${shapeText(property)}`);
    }
    if (!(field.resolvedType instanceof protobuf.Type) || !property) continue;
    found.push(...differences(field.resolvedType, property.items ?? property.additionalProperties ?? property, done));
  }
  for (const key of Object.keys(properties)) found.push(`${type.name}.${key}: only in the schema`);
  return found;
}

t.test('messages have the fields of the schemas, with the same types', async (t) => {
  for (const kind of [...readable, ...reviewKinds]) {
    const { apiVersion, kind: _, ...properties } = (kind.schema as Shape).properties ?? {};
    t.ok(apiVersion);
    t.same(differences(types.type(messageOf(kind) ?? ''), { properties }, new Set()), [], kind.kind);
  }
});

const text = fc.string({ unit: 'binary', maxLength: 8 });

function values(shape: Shape): fc.Arbitrary<unknown> {
  switch (shape.format) {
    case 'quantity':
      return fc.constantFrom('0', '1', '100m', '1500m', '2Gi', '-5', '12e6');
    case 'int-or-string':
      return fc.oneof(text, fc.integer());
    case 'int32':
      return fc.integer();
    case 'int64':
      return fc.maxSafeInteger();
    case 'byte':
      return fc.uint8Array({ maxLength: 9 }).map((bytes) => Buffer.from(bytes).toString('base64'));
    case 'date-time': {
      const isMicro = shape['x-definition']?.endsWith('MicroTime');
      return fc
        .tuple(fc.integer({ min: -62167219200, max: 253402300799 }), fc.integer({ min: 0, max: 999_999 }))
        .map(([seconds, micros]) => {
          const whole = new Date(seconds * 1000).toISOString().slice(0, 19);
          return isMicro ? `${whole}.${String(micros).padStart(6, '0')}Z` : `${whole}Z`;
        });
    }
    default:
      break;
  }
  if (shape.type === 'string') return text;
  if (shape.type === 'boolean') return fc.boolean();
  if (shape.type === 'array') return fc.array(values(shape.items ?? {}), { maxLength: 2 });
  if (shape.additionalProperties) return fc.dictionary(text, values(shape.additionalProperties), { maxKeys: 2 });
  if (shape['x-kubernetes-preserve-unknown-fields']) return fc.dictionary(text, fc.constant({}), { maxKeys: 2 });
  const properties = shape.properties ?? {};
  return fc
    .uniqueArray(fc.constantFrom(...Object.keys(properties)), { maxLength: 4 })
    .chain((keys) => fc.record(Object.fromEntries(keys.map((key) => [key, values(properties[key] ?? {})]))));
}

/** The object as it would be stored, and what was wrong with the document. */
function checked(kind: Kind, document: unknown) {
  const { object, errors } = checkStructure(kind, document, { fieldValidation: 'Strict' });
  return { object: JSON.parse(JSON.stringify(object)), errors };
}

for (const kind of readable) {
  t.test(`${kind.kind}: what comes in protobuf is what comes in JSON`, async () => {
    const { apiVersion: _, kind: __, ...properties } = (kind.schema as Shape).properties ?? {};
    const identity = { apiVersion: apiVersionOf(kind), kind: kind.kind };
    fc.assert(
      fc.property(values({ properties }), (fields) => {
        const document = { ...identity, ...(fields as Json) };
        const wanted = checked(kind, document);
        const found = checked(kind, parseProtobuf(protobufBody(document)));
        return wanted.errors.length === 0 && isDeepStrictEqual(found, wanted);
      }),
      { numRuns: 300 },
    );
  });
}

const secretText = 'hunter2';
const podBody = protobufBody({ apiVersion: 'v1', kind: 'Pod', spec: { containers: [{ name: 'c' }] } });

/** A body of a ConfigMap whose message has these bytes. */
function configMap(...bytes: (number | Uint8Array | string)[]): Buffer {
  const parts = bytes.map((part) => (typeof part === 'number' ? Buffer.from([part]) : Buffer.from(part)));
  return envelope({ apiVersion: 'v1', kind: 'ConfigMap', raw: Buffer.concat(parts) });
}

function field(id: number, content: Uint8Array | string): Buffer {
  const bytes = Buffer.from(content);
  return Buffer.from(
    protobuf.Writer.create()
      .uint32((id << 3) | 2)
      .bytes(bytes)
      .finish(),
  );
}

const refused: Readonly<Record<string, readonly [Buffer, RegExp]>> = {
  'nothing at all': [Buffer.alloc(0), /does not begin with "k8s" and a zero/],
  'no magic': [Buffer.from('{"kind":"ConfigMap"}'), /does not begin with "k8s" and a zero/],
  'a message without an envelope': [Buffer.from('k8s\0\x08\x01'), /envelope has an unknown field/],
  'an encoded object': [envelope({ apiVersion: 'v1', kind: 'Pod', contentEncoding: 'gzip' }), /contentEncoding/],
  'JSON in the envelope': [envelope({ apiVersion: 'v1', kind: 'Pod', contentType: 'application/json' }), /contentType/],
  'an envelope with two objects': [Buffer.concat([podBody, field(2, '')]), /envelope has a field twice/],
  'a truncated body': [podBody.subarray(0, podBody.length - 6), /ends inside a field/],
  'a length beyond the end': [configMap(0x0a, 0x7f, 'x'), /the object: the body ends inside a field|metadata: /],
  'a length of 2^63': [
    configMap(0x0a, new Uint8Array(9).fill(0xff), 0x7f),
    /metadata: (the body ends|a number is longer)/,
  ],
  'an endless varint': [configMap(new Uint8Array(64).fill(0xff)), /the object: a number is longer than 64 bits/],
  'field number 0': [configMap(0x02, 0x00), /no valid number/],
  'a field that is not known': [configMap(field(99, secretText)), /the object: field 99 of ConfigMap is not known/],
  'one further inside': [configMap(field(1, field(77, 'x'))), /metadata: field 77 of ObjectMeta is not known/],
  'a wrong wire type': [configMap(0x08, 0x01), /metadata: the field has another wire type/],
  'a group': [configMap(0x0b, 0x0c), /metadata: the field has another wire type/],
  'a field that is given twice': [configMap(field(1, ''), field(1, '')), /metadata: given twice/],
  'a key that is given twice': [
    configMap(field(2, field(1, secretText)), field(2, field(1, secretText))),
    /data: a key is given twice/,
  ],
  'an entry with two keys': [configMap(field(2, Buffer.concat([field(1, 'a'), field(1, 'b')]))), /data: an entry has/],
  'text that is no UTF-8': [configMap(field(1, field(1, Buffer.from([0xc3, 0x28])))), /metadata.name: invalid UTF-8/],
  'a time that no calendar has': [
    configMap(field(1, field(8, Buffer.concat([Buffer.from([0x08]), Buffer.alloc(8, 0xff), Buffer.from([0x7f])])))),
    /metadata.creationTimestamp: the time is out of range/,
  ],
  'JSON that is none, inside': [
    configMap(field(1, field(17, field(7, field(1, '{'))))),
    /metadata.managedFields\[0\].fieldsV1: /,
  ],
  'more values than any object has': [
    configMap(Buffer.concat(new Array(250_001).fill(field(2, '')))),
    /a key is given twice/,
  ],
  'a list without end': [
    envelope({ apiVersion: 'v1', kind: 'ServiceAccount', raw: Buffer.concat(new Array(250_001).fill(field(3, ''))) }),
    /more than 250000 values/,
  ],
};

t.test('what is refused, with the field, and without a word of the content', async (t) => {
  const decoder = new Decoder();
  t.teardown(() => decoder.stop());
  for (const [name, [bytes, why]] of Object.entries(refused)) {
    const error = await decoder.decode(bytes, 'protobuf').catch((error: unknown) => error);
    t.match(error, { message: why, status: { code: 400 } }, name);
    t.match(error, { message: /^the body is not valid Kubernetes protobuf: / }, name);
    t.notMatch(String(error), secretText, name);
  }
});

t.test('a kind that is not read from protobuf is named, with what to send instead', async (t) => {
  const decoder = new Decoder();
  const body = envelope({ apiVersion: 'apps/v1', kind: 'Deployment', raw: Buffer.from('anything') });
  await t.rejects(decoder.decode(body, 'protobuf'), {
    message: /the kind "Deployment" of "apps\/v1" is not read from protobuf - .*application\/json/,
    status: { code: 415, reason: 'UnsupportedMediaType' },
  });
});

t.test('a large body is read on the thread, with the same result', async (t) => {
  const decoder = new Decoder();
  t.teardown(() => decoder.stop());
  const document = {
    apiVersion: 'v1',
    kind: 'ConfigMap',
    metadata: { name: 'big' },
    data: { big: 'x'.repeat(200_000) },
  };
  t.same((await decoder.decode(protobufBody(document), 'protobuf')).value, document);
});

t.test('any damage to a body gives an object or a refusal', async () => {
  fc.assert(
    fc.property(fc.nat(podBody.length - 1), fc.nat(255), fc.nat(podBody.length), (place, byte, end) => {
      const damaged = Buffer.from(podBody);
      damaged[place] = byte;
      try {
        parseProtobuf(damaged.subarray(0, end));
      } catch (error) {
        if (!(error instanceof DecodeError)) throw error;
      }
    }),
    { numRuns: 3000 },
  );
});
