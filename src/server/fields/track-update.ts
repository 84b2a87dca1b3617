import type { Json } from '../patch/json.ts';
import { type Comparison, compareFields } from './compare.ts';
import type { FieldSchema } from './field-schema.ts';
import type { FieldSet } from './field-set.ts';
import { capUpdaters, type ManagedSet, type Manager, type Managers, managerId, ownable } from './managed-fields.ts';

export interface Tracking {
  readonly managers: Managers;
  readonly manager: Manager;
  readonly schema: FieldSchema;
  /** RFC 3339. */
  readonly now: string;
}

/**
 * Who manages what after an update: whoever sets a field to another value has it from then on, and has it alone; what is
 * gone is nobody's. PURE.
 */
export function trackUpdate(before: Json, after: Json, { managers, manager, schema, now }: Tracking): Managers {
  const comparison = relevant(compareFields(before, after, schema), manager.subresource);
  const taken = comparison.added.union(comparison.modified);
  const result = new Map(dropFields(managers, taken.union(comparison.removed)));
  if (taken.isEmpty) return result;
  const id = managerId(manager);
  const kept = result.get(id)?.fields;
  result.set(id, { manager, fields: kept ? kept.union(taken) : taken, time: now });
  return capUpdaters(result);
}

/** The parts of a change that are somebody's. */
export function relevant({ added, modified, removed }: Comparison, subresource: string | undefined): Comparison {
  return {
    added: ownable(added, subresource),
    modified: ownable(modified, subresource),
    removed: ownable(removed, subresource),
  };
}

/** The managers without some fields, and without those that have none left. */
export function dropFields(managers: Managers, fields: FieldSet): Managers {
  const result = new Map<string, ManagedSet>();
  for (const [id, managed] of managers) {
    const left = fields.isEmpty ? managed.fields : managed.fields.difference(fields);
    if (!left.isEmpty) result.set(id, { ...managed, fields: left });
  }
  return result;
}
