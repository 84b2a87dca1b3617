import * as fieldError from '../../api/field-error.ts';
import type { ManagedFieldsEntry } from '../../api/meta.ts';
import { StatusError } from '../../api/status-error.ts';
import { FieldSet } from './field-set.ts';
import { readFieldsV1, writeFieldsV1 } from './fields-v1.ts';

/**
 * `metadata.managedFields`: who has set which fields. PURE.
 *
 * A manager is a name, an operation, and the subresource that it was done through; one who applies and updates is two.
 */
export interface Manager {
  readonly name: string;
  readonly operation: 'Apply' | 'Update';
  readonly apiVersion: string;
  readonly subresource: string | undefined;
}

export interface ManagedSet {
  readonly manager: Manager;
  readonly fields: FieldSet;
  /** RFC 3339. */
  readonly time: string | undefined;
}

/** By managerId. */
export type Managers = ReadonlyMap<string, ManagedSet>;

/** As in Kubernetes: beyond it the oldest updates become one entry. Appliers stay apart. */
const maxUpdaters = 10;
const mergedUpdaters = 'ancient-changes';

/** Kubernetes has no bound but that of the whole object. */
const maxEntries = 100;
const maxLength = 4 * 1024 * 1024;

export function managerId({ name, operation, apiVersion, subresource }: Manager): string {
  // Whoever applies is the same in whatever version it is done.
  return JSON.stringify([name, operation, operation === 'Apply' ? '' : apiVersion, subresource ?? '']);
}

/** What is stored. An entry that cannot be read is left out: it was checked when it came. */
export function readManagers(entries: readonly ManagedFieldsEntry[] | undefined): Managers {
  const managers = new Map<string, ManagedSet>();
  for (const entry of entries ?? []) {
    const fields = readFieldsV1(entry.fieldsV1 ?? {});
    if (!fields || (entry.operation !== 'Apply' && entry.operation !== 'Update')) continue;
    const manager: Manager = {
      name: entry.manager ?? '',
      operation: entry.operation,
      apiVersion: entry.apiVersion ?? '',
      subresource: entry.subresource,
    };
    managers.set(managerId(manager), { manager, fields, time: entry.time });
  }
  return managers;
}

/** In Kubernetes' order: appliers first, then by time. Undefined when there are none. */
export function writeManagers(managers: Managers): ManagedFieldsEntry[] | undefined {
  const entries = [...managers.values()]
    .filter(({ fields }) => !fields.isEmpty)
    .sort(
      (left, right) =>
        order(left.manager.operation, right.manager.operation) ||
        order(left.time ?? '', right.time ?? '') ||
        order(managerId(left.manager), managerId(right.manager)),
    )
    .map(
      ({ manager, fields, time }): ManagedFieldsEntry => ({
        manager: manager.name,
        operation: manager.operation,
        apiVersion: manager.apiVersion,
        ...(time === undefined ? {} : { time }),
        fieldsType: 'FieldsV1',
        fieldsV1: writeFieldsV1(fields),
        ...(manager.subresource === undefined ? {} : { subresource: manager.subresource }),
      }),
    );
  if (entries.length > maxEntries || (entries.length > 1 && JSON.stringify(entries).length > maxLength)) {
    throw tooMuchManaged();
  }
  return entries.length === 0 ? undefined : entries;
}

/** `[{}]` asks to forget all managers; an empty list does not, so that no client does it by accident. */
export function isReset(entries: readonly ManagedFieldsEntry[]): boolean {
  const [first, ...rest] = entries;
  return first !== undefined && rest.length === 0 && Object.keys(first).length === 0;
}

/** What is wrong with entries of a client, beyond what validateObjectMeta sees. */
export function managedFieldsProblems(entries: readonly ManagedFieldsEntry[]): fieldError.FieldError[] {
  const path = 'metadata.managedFields';
  if (entries.length > maxEntries) return [fieldError.tooMany(path, entries.length, maxEntries)];
  return entries.flatMap(({ apiVersion, fieldsType, fieldsV1 = {} }, index) => {
    const errors: fieldError.FieldError[] = [];
    if (!apiVersion) errors.push(fieldError.required(`${path}[${index}].apiVersion`));
    if (!fieldsType) errors.push(fieldError.required(`${path}[${index}].fieldsType`));
    if (!readFieldsV1(fieldsV1)) {
      errors.push(fieldError.invalid(`${path}[${index}].fieldsV1`, '', 'must be a tree of `f:`, `k:`, `v:` and `.`'));
    }
    return errors;
  });
}

/** Makes one entry of the oldest updates when there are too many. */
export function capUpdaters(managers: Managers): Managers {
  const updaters = [...managers.entries()]
    .filter(([, { manager }]) => manager.operation === 'Update' && manager.name !== mergedUpdaters)
    .sort(([, left], [, right]) => order(left.time ?? '', right.time ?? ''));
  const total = [...managers.values()].filter(({ manager }) => manager.operation === 'Update').length;
  if (total <= maxUpdaters) return managers;
  const result = new Map(managers);
  // One more than the surplus: what they become is an entry too, unless it is there already.
  const surplus = total - maxUpdaters + (updaters.length === total ? 1 : 0);
  for (const [id, { manager, fields, time }] of updaters.slice(0, surplus)) {
    const bucket: Manager = { ...manager, name: mergedUpdaters, subresource: undefined };
    const present = result.get(managerId(bucket));
    result.delete(id);
    result.set(managerId(bucket), { manager: bucket, fields: present ? present.fields.union(fields) : fields, time });
  }
  return result;
}

/** Fields that are nobody's: the server gives them, or they name the object. */
const unmanaged = fieldSetOf([
  ['f:apiVersion'],
  ['f:kind'],
  ['f:metadata'],
  ...[
    'name',
    'namespace',
    'creationTimestamp',
    'selfLink',
    'uid',
    'generation',
    'managedFields',
    'resourceVersion',
  ].map((field) => ['f:metadata', `f:${field}`]),
]);

/** Of the fields those that a manager can own who writes through the subresource. Rules of GetResetFields. */
export function ownable(fields: FieldSet, subresource: string | undefined): FieldSet {
  const kept = fields.difference(unmanaged);
  return subresource === 'status'
    ? kept.without(['f:spec']).without(['f:metadata', 'f:ownerReferences'])
    : kept.without(['f:status']);
}

function fieldSetOf(paths: readonly (readonly string[])[]): FieldSet {
  const set = new FieldSet();
  for (const path of paths) set.insert(path);
  return set;
}

function order(left: string, right: string): number {
  return left < right ? -1 : left > right ? 1 : 0;
}

function tooMuchManaged(): StatusError {
  return new StatusError({
    kind: 'Status',
    apiVersion: 'v1',
    metadata: {},
    status: 'Failure',
    message: `metadata.managedFields would have more than ${maxEntries} entries or ${maxLength} characters: set it to [{}] to begin anew`,
    reason: 'RequestEntityTooLarge',
    code: 413,
  });
}
