import { type StrictProblems, strictDecodingMessage, strictDecodingProblems } from '../../api/decode/strict.ts';
import * as fieldError from '../../api/field-error.ts';
import type { KubeObject } from '../../api/meta.ts';
import { badRequest, invalid, type StatusError } from '../../api/status-error.ts';
import {
  checkPartialStructure,
  checkStructure,
  type FieldValidation,
  type StructuralError,
  type StructuralKind,
  structuralFailure,
} from '../../api/structural.ts';
import type { FieldSchema } from '../fields/field-schema.ts';
import { listProblems } from '../fields/fields-of.ts';
import { asJson, type JsonObject } from '../patch/json.ts';
import { type AnyKind, apiVersionOf } from '../representation.ts';

/** A body that was read, as the decoder gives it. */
export interface DecodedBody {
  readonly value: unknown;
  readonly duplicates: readonly string[];
  readonly format: 'json' | 'yaml';
}

export interface TypedBody {
  /** A private copy, not yet defaulted. */
  readonly object: KubeObject;
  readonly warnings: readonly string[];
}

/** An object of the kind out of a body. @throws StatusError 400 with every cause. */
export function readObject(kind: StructuralKind, body: DecodedBody, fieldValidation: FieldValidation): TypedBody {
  const { object, unknownFields } = check(kind, body.value, (errors) => structuralFailure(kind, errors));
  const problems: StrictProblems = { ...body, unknownFields };
  if (fieldValidation === 'Ignore') return { object, warnings: [] };
  if (fieldValidation === 'Warn') return { object, warnings: strictDecodingProblems(problems) };
  const message = strictDecodingMessage(problems);
  if (message !== undefined) {
    throw badRequest(`${kind.kind} in version "${kind.version}" cannot be handled as a ${kind.kind}: ${message}`, {
      causes: unknownFields.map((field) => ({ reason: 'UnknownField', message: `unknown field "${field}"`, field })),
    });
  }
  return { object, warnings: [] };
}

/** An object that a patch has made. @throws StatusError 422 as Kubernetes refuses it. */
export function readPatched(
  kind: AnyKind,
  name: string,
  value: unknown,
  duplicates: readonly string[],
  fieldValidation: FieldValidation,
): TypedBody {
  const refuse = (why: string): StatusError => invalid(kind, name, [fieldError.invalid('patch', '', why)]);
  const { object, unknownFields } = check(kind, value, (errors) =>
    refuse(errors.map((error) => error.message).join(', ')),
  );
  const problems: StrictProblems = { format: 'json', duplicates, unknownFields, value };
  if (fieldValidation === 'Ignore') return { object, warnings: [] };
  if (fieldValidation === 'Warn') return { object, warnings: strictDecodingProblems(problems) };
  const message = strictDecodingMessage(problems);
  if (message !== undefined) throw refuse(message);
  return { object, warnings: [] };
}

/**
 * What is to be applied, in the form in which it is stored: only fields that were given.
 *
 * @throws StatusError 400 with every cause. Fields that the kind does not have are refused whatever the validation.
 */
export function readApplied(
  kind: AnyKind,
  { namespace, name }: { readonly namespace: string | undefined; readonly name: string },
  body: DecodedBody,
  fieldValidation: FieldValidation,
): { part: JsonObject; warnings: readonly string[] } {
  const { object, errors } = checkPartialStructure(kind, body.value);
  const [given, expected] = [object.apiVersion, apiVersionOf(kind)];
  if (errors.length === 0 && given !== expected) {
    throw badRequest(
      `Incorrect version specified in apply patch. Specified patch version: ${given ?? ''}, expected: ${expected}`,
    );
  }
  if (errors.length === 0 && object.kind !== kind.kind) {
    throw badRequest(`the kind in the data (${object.kind ?? ''}) does not match the expected kind (${kind.kind})`);
  }
  kind.prepareForApply?.(object as Partial<KubeObject>);
  const part = asJson(object) as JsonObject;
  const problems = [
    ...errors.map(({ kind: cause, field, message }) =>
      cause === 'unknown-field' ? `.${field}: field not declared in schema` : message,
    ),
    ...listProblems(part, kind.schema as FieldSchema),
  ];
  if (problems.length > 0) throw notTyped(kind, `${namespace ?? ''}/${name}`, problems, errors);
  const metadata = part.metadata as JsonObject | undefined;
  if (metadata && Object.hasOwn(metadata, 'managedFields')) throw badRequest('metadata.managedFields must be nil');
  if (fieldValidation === 'Ignore') return { part, warnings: [] };
  if (fieldValidation === 'Warn') return { part, warnings: body.duplicates };
  if (body.duplicates.length === 0) return { part, warnings: [] };
  throw badRequest(`error strict decoding YAML: ${body.duplicates.join(', ')}`);
}

/** In the words of structured-merge-diff. */
function notTyped(
  kind: AnyKind,
  name: string,
  problems: readonly string[],
  errors: readonly StructuralError[],
): StatusError {
  const shown = problems.length === 1 ? problems[0] : `errors:\n  ${problems.join('\n  ')}`;
  const subject = `${name}; ${apiVersionOf(kind)}, Kind=${kind.kind}`;
  return badRequest(`failed to create typed patch object (${subject}): ${shown}`, {
    causes: errors.map(({ field, message, kind: cause }) => ({
      reason: cause === 'type' ? 'FieldValueTypeInvalid' : 'UnknownField',
      message,
      field,
    })),
  });
}

function check(
  kind: StructuralKind,
  value: unknown,
  failure: (errors: readonly StructuralError[]) => StatusError,
): { object: KubeObject; unknownFields: string[] } {
  // Never 'Strict' here: its errors are bounded in number, and unknown fields could crowd out the type errors, without
  // which the object would pass for whole.
  const { object, errors, warnings } = checkStructure<KubeObject>(kind, value, { fieldValidation: 'Warn' });
  if (errors.length > 0) throw failure(errors);
  return { object, unknownFields: warnings.map((warning) => JSON.parse(warning.slice('unknown field '.length))) };
}
