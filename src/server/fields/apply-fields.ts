import { applyConflict } from '../../api/status-error.ts';
import type { Json } from '../patch/json.ts';
import { compareFields, isSame } from './compare.ts';
import type { FieldSchema } from './field-schema.ts';
import { FieldSet } from './field-set.ts';
import { fieldsOf } from './fields-of.ts';
import { type Manager, type Managers, managerId, ownable } from './managed-fields.ts';
import { mergeApplied, removeFields, withNamedFields } from './merge.ts';
import { pathText } from './path-element.ts';
import { dropFields, relevant, type Tracking } from './track-update.ts';

export interface Application extends Tracking {
  /** The whole object as it is; the kind's empty object when there is none. */
  readonly live: Json;
  /** What is applied: only fields that were given. */
  readonly applied: Json;
  readonly force: boolean;
  /** Fields that may be taken from others without asking. */
  readonly allowed: FieldSet;
}

export interface Applied<T> {
  readonly object: T;
  readonly managers: Managers;
}

/**
 * Server-side apply: the object gets what is applied, and loses what this manager applied before, does not any more, and
 * nobody else has. The rules are those of structured-merge-diff's Updater. PURE.
 *
 * @param complete brings a merged document into the form of a stored object; what it throws comes out.
 * @throws StatusError 409 when a field would change that another manager has.
 */
export function applyFields<T>(application: Application, complete: (merged: Json) => T): Applied<T> {
  const { live, applied, schema, managers, manager, now } = application;
  const id = managerId(manager);
  const previous = managers.get(id);
  const given = fieldsOf(applied, schema);
  const fields = ownable(given, manager.subresource);
  // With the name in it, which nobody manages: or the metadata would go when nothing else is given of it.
  const claims = new Map(managers).set(id, { manager, fields: given, time: now });
  const merged = mergeApplied(live, applied, schema);
  const object = complete(previous ? prune(merged, previous.fields, claims, schema) : merged);

  const difference = compareFields(live, object as Json, schema);
  const { added, modified, removed } = relevant(difference, manager.subresource);
  const changed = added.union(modified);
  const others = new Map([...managers].filter(([other]) => other !== id));
  if (!application.force) checkConflicts(others, changed.difference(application.allowed));
  const result = new Map(dropFields(others, changed.union(removed)));
  if (!fields.isEmpty) {
    const isOld = previous && isSame(difference) && previous.fields.equals(fields);
    result.set(id, { manager, fields, time: isOld ? previous.time : now });
  }
  return { object, managers: result };
}

/** Takes out what this manager gave up: in its last set, and in nobody's now. */
function prune(merged: Json, last: FieldSet, claims: Managers, schema: FieldSchema): Json {
  const named = (set: FieldSet) => withNamedFields(set, schema);
  const fieldsIn = (value: Json) => named(fieldsOf(value, schema));
  const without = (gone: FieldSet) => removeFields(merged, gone, schema) ?? {};
  const claimed = named([...claims.values()].reduce((union, { fields }) => union.union(fields), new FieldSet()));
  if (named(last).difference(claimed).isEmpty) return merged;
  const all = fieldsIn(merged);
  const others = fieldsIn(without(named(last)));
  const kept = without(all.difference(others.union(claimed)));
  return without(all.difference(fieldsIn(kept)).intersection(named(last)));
}

/** @throws StatusError 409, in kubectl's words, with a cause for each field. */
function checkConflicts(others: Managers, changed: FieldSet): void {
  const conflicts = [...others.values()]
    .map((managed) => ({ by: managerText(managed.manager), fields: managed.fields.intersection(changed) }))
    .filter(({ fields }) => !fields.isEmpty)
    .map(({ by, fields }) => ({ by, paths: [...fields.paths()].map(pathText) }))
    .toSorted((left, right) => (left.by < right.by ? -1 : 1));
  const causes = conflicts.flatMap(({ by, paths }) =>
    paths.map((field) => ({ reason: 'FieldManagerConflict', message: `conflict with ${by}`, field })),
  );
  const [first, second] = causes;
  if (!first) return;
  const list = conflicts.flatMap(({ by, paths }) => [`conflicts with ${by}:`, ...paths.map((path) => `- ${path}`)]);
  const message = second
    ? `Apply failed with ${causes.length} conflicts: ${list.join('\n')}`
    : `Apply failed with 1 conflict: ${first.message}: ${first.field}`;
  throw applyConflict(message, causes);
}

function managerText({ name, operation, apiVersion, subresource }: Manager): string {
  const text =
    JSON.stringify(name) + (subresource === undefined ? '' : ` with subresource ${JSON.stringify(subresource)}`);
  return operation === 'Update' ? `${text} using ${apiVersion}` : text;
}
