import { type StrictProblems, strictDecodingMessage, strictDecodingProblems } from '../../api/decode/strict.ts';
import * as fieldError from '../../api/field-error.ts';
import type { KubeObject } from '../../api/meta.ts';
import { badRequest, invalid, type StatusError } from '../../api/status-error.ts';
import {
  checkStructure,
  type FieldValidation,
  type StructuralError,
  type StructuralKind,
  structuralFailure,
} from '../../api/structural.ts';
import type { AnyKind } from '../representation.ts';

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
