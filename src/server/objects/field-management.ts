import type { KubeObject, ManagedFieldsEntry } from '../../api/meta.ts';
import { checkPartialStructure, checkStructure } from '../../api/structural.ts';
import { type Application, applyFields } from '../fields/apply-fields.ts';
import type { FieldSchema } from '../fields/field-schema.ts';
import { FieldSet } from '../fields/field-set.ts';
import { kubectlManager, lastAppliedOf, setLastApplied, unchangedSince } from '../fields/last-applied.ts';
import { isReset, type Manager, readManagers, writeManagers } from '../fields/managed-fields.ts';
import { trackUpdate } from '../fields/track-update.ts';
import { asJson, type Json, type JsonObject } from '../patch/json.ts';
import { type AnyKind, apiVersionOf } from '../representation.ts';

/** Who writes, in what way, and when. */
export interface Writer {
  readonly fieldManager: string;
  readonly subresource: string | undefined;
  /** RFC 3339. */
  readonly now: string;
}

/**
 * The managers of an object that a client has written as a whole or patched.
 *
 * @param current undefined: it is new.
 * @param next with its defaults; its own managedFields are what the client asked for.
 */
export function managedAfterUpdate(
  kind: AnyKind,
  current: KubeObject | undefined,
  next: KubeObject,
  writer: Writer,
): ManagedFieldsEntry[] | undefined {
  const asked = writer.subresource === undefined ? next.metadata.managedFields : undefined;
  const base = asked && isReset(asked) ? [] : (asked ?? current?.metadata.managedFields);
  const tracking = {
    managers: readManagers(base),
    manager: managerOf(kind, 'Update', writer),
    schema: fieldSchemaOf(kind),
    now: writer.now,
  };
  const before = unmanaged(current ?? emptyObject(kind));
  return writeManagers(trackUpdate(before, unmanaged(next), tracking));
}

/**
 * What an object becomes when a part of it is applied, and who manages it then.
 *
 * @param current undefined: it is new.
 * @param complete brings a merged document into the form of a stored object.
 * @throws StatusError 409.
 */
export function applyPart(
  kind: AnyKind,
  current: KubeObject | undefined,
  applied: JsonObject,
  { force, ...writer }: Writer & { readonly force: boolean },
  complete: (merged: Json) => KubeObject,
): { object: KubeObject; managedFields: ManagedFieldsEntry[] | undefined } {
  const live = unmanaged(current ?? emptyObject(kind));
  const schema = fieldSchemaOf(kind);
  const lastApplied = writer.fieldManager === kubectlManager ? lastAppliedOf(current?.metadata.annotations) : undefined;
  const application: Application = {
    live,
    applied,
    schema,
    managers: readManagers(current?.metadata.managedFields),
    manager: managerOf(kind, 'Apply', writer),
    force,
    allowed:
      lastApplied === undefined
        ? new FieldSet()
        : unchangedSince(lastApplied, live, schema, (document) => partOf(kind, document)),
    now: writer.now,
  };
  const { object, managers } = applyFields(application, complete as (merged: Json) => KubeObject & Json);
  const { annotations } = object.metadata;
  if (annotations && writer.fieldManager === kubectlManager && lastAppliedOf(annotations) !== undefined) {
    setLastApplied(annotations, applied);
  }
  return { object, managedFields: writeManagers(managers) };
}

/** A part of an object as it is stored; undefined when it is none of this kind. */
function partOf(kind: AnyKind, document: unknown): Json | undefined {
  const { object, errors } = checkPartialStructure(kind, document);
  if (errors.length > 0 || object.apiVersion !== apiVersionOf(kind)) return undefined;
  kind.prepareForApply?.(object as Partial<KubeObject>);
  return asJson(object);
}

function managerOf(kind: AnyKind, operation: Manager['operation'], { fieldManager, subresource }: Writer): Manager {
  return { name: fieldManager, operation, apiVersion: apiVersionOf(kind), subresource };
}

/** Only the schema's JSON is looked at. */
function fieldSchemaOf(kind: AnyKind): FieldSchema {
  return kind.schema as FieldSchema;
}

/** What stands for an object that is not there yet. */
function emptyObject(kind: AnyKind): KubeObject {
  return checkStructure<KubeObject>(kind, {}, { fieldValidation: 'Ignore' }).object;
}

/** Nobody manages the list of managers. */
function unmanaged(object: KubeObject): Json {
  const { managedFields: _, ...metadata } = object.metadata;
  return asJson({ ...object, metadata });
}
