import { base64Bytes, validateDataKeys, validateDataSize, validateImmutableData } from './data-keys.ts';
import { ageText } from './duration-text.ts';
import { type ErrorSink, type FieldError, FieldErrors, invalid, required } from './field-error.ts';
import { checkDnsSubdomain } from './formats.ts';
import type { KindDefinition } from './kind.ts';
import { immutableMessage, validateObjectMeta, validateObjectMetaUpdate } from './meta-validation.ts';
import { type Secret, SecretSchema } from './secret.ts';

const accountAnnotation = 'kubernetes.io/service-account.name';

/** What stands for data in messages. */
const redacted = '<secret contents redacted>';

/** The kind Secret of core/v1. Neither messages nor tables show what it holds. */
export const secretKind: KindDefinition<Secret> = {
  group: '',
  version: 'v1',
  kind: 'Secret',
  listKind: 'SecretList',
  plural: 'secrets',
  singular: 'secret',
  shortNames: [],
  categories: [],
  namespaced: true,
  schema: SecretSchema,
  verbs: ['create', 'delete', 'deletecollection', 'get', 'list', 'patch', 'update', 'watch'],
  subresources: [],
  isSecret: true,
  prepareForCreate: () => {},
  prepareForUpdate: (next, current) => {
    next.type ||= current.type ?? '';
  },
  prepareForStatusUpdate: () => {},
  // Whoever applies a text owns the data that it becomes.
  prepareForApply: mergeTexts,
  applyDefaults,
  validateCreate,
  validateUpdate: (next, current) => {
    const errors = new FieldErrors();
    for (const error of validateObjectMetaUpdate(next.metadata, current.metadata)) errors.push(error);
    validateImmutableData(next, current, ['data'], errors);
    if (next.type !== current.type) errors.push(invalid('type', next.type, immutableMessage));
    return [...errors.list, ...validateCreate(next)];
  },
  validateStatusUpdate: () => [],
  columns: [
    { name: 'Name', type: 'string', format: 'name', description: 'Name of the Secret.', priority: 0 },
    { name: 'Type', type: 'string', format: '', description: 'What the data is for.', priority: 0 },
    { name: 'Data', type: 'string', format: '', description: 'How many names it has values for.', priority: 0 },
    { name: 'Age', type: 'string', format: '', description: 'Time since it was created.', priority: 0 },
  ],
  row: ({ metadata, type, data }, now) => [
    metadata.name,
    type ?? '',
    Object.keys(data ?? {}).length,
    ageText(metadata.creationTimestamp, now),
  ],
  selectableFields: ({ metadata, type }) => ({
    'metadata.name': metadata.name,
    'metadata.namespace': metadata.namespace,
    type: type ?? '',
  }),
};

function applyDefaults(secret: Secret): void {
  secret.type ||= 'Opaque';
  mergeTexts(secret);
}

/** Texts become data, so that whoever reads finds all in one place. */
function mergeTexts(secret: Partial<Secret>): void {
  if (!secret.stringData) return;
  const data: Record<string, string> = Object.assign(Object.create(null), secret.data);
  for (const [key, text] of Object.entries(secret.stringData)) data[key] = Buffer.from(text).toString('base64');
  secret.data = data;
  delete secret.stringData;
}

/** ValidateSecret in pkg/apis/core/validation. */
function validateCreate(secret: Secret): FieldError[] {
  const { metadata, data = {} } = secret;
  const errors = new FieldErrors();
  for (const error of validateObjectMeta(metadata, { namespaced: true, checkName: checkDnsSubdomain })) {
    errors.push(error);
  }
  validateDataKeys(data, 'data', errors);
  const totalBytes = Object.values(data).reduce((sum, text) => sum + base64Bytes(text), 0);
  validateDataSize(totalBytes, 'data', errors);
  validateType(secret, errors);
  return errors.list;
}

function validateType({ metadata, type, data = {} }: Secret, errors: ErrorSink): void {
  const requireKey = (key: string) => {
    if (!Object.hasOwn(data, key)) errors.push(required(`data[${key}]`));
  };
  switch (type) {
    case 'kubernetes.io/service-account-token':
      if (!metadata.annotations?.[accountAnnotation]) {
        errors.push(required(`metadata.annotations[${accountAnnotation}]`));
      }
      break;
    case 'kubernetes.io/dockercfg':
      validateJson(data, '.dockercfg', errors);
      break;
    case 'kubernetes.io/dockerconfigjson':
      validateJson(data, '.dockerconfigjson', errors);
      break;
    case 'kubernetes.io/basic-auth':
      if (Object.hasOwn(data, 'username') || Object.hasOwn(data, 'password')) break;
      requireKey('username');
      requireKey('password');
      break;
    case 'kubernetes.io/ssh-auth':
      if (!data['ssh-privatekey']) errors.push(required('data[ssh-privatekey]'));
      break;
    case 'kubernetes.io/tls':
      requireKey('tls.crt');
      requireKey('tls.key');
      break;
    default:
  }
}

/** What is wrong with the text is not told: the message of a parser repeats a part of it. */
function validateJson(data: Readonly<Record<string, string>>, key: string, errors: ErrorSink): void {
  if (!Object.hasOwn(data, key)) return void errors.push(required(`data[${key}]`));
  try {
    const value: unknown = JSON.parse(Buffer.from(data[key] ?? '', 'base64').toString());
    if (typeof value === 'object' && value !== null && !Array.isArray(value)) return;
  } catch (error) {
    if (!(error instanceof SyntaxError)) throw error;
  }
  errors.push(invalid(`data[${key}]`, redacted, 'must be a JSON object'));
}
