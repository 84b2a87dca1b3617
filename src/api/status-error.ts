import { causeOf, type FieldError, formatFieldError } from './field-error.ts';
import type { Status, StatusCause, StatusDetails } from './meta.ts';

/** What a message calls the kind of object it is about. */
export interface ResourceName {
  /** API group, '' for core. */
  group: string;
  /** Plural name, `pods`. */
  plural: string;
}

/** A failed request, as the metav1.Status that the client gets. Texts are those of k8s.io/apimachinery. */
export class StatusError extends Error {
  readonly status: Status;

  constructor(status: Status) {
    super(status.message ?? status.reason ?? 'unknown');
    this.name = 'StatusError';
    this.status = status;
  }

  /** The HTTP status code. */
  get code(): number {
    return this.status.code ?? 500;
  }
}

export function notFound(resource: ResourceName, name: string): StatusError {
  return failure(404, 'NotFound', `${qualified(resource)} ${quote(name)} not found`, about(resource, name));
}

export function alreadyExists(resource: ResourceName, name: string): StatusError {
  return failure(409, 'AlreadyExists', `${qualified(resource)} ${quote(name)} already exists`, about(resource, name));
}

/** An update lost against another one: the client reads the object again and repeats. */
export function conflict(
  resource: ResourceName,
  name: string,
  why = 'the object has been modified; please apply your changes to the latest version and try again',
): StatusError {
  const message = `Operation cannot be fulfilled on ${qualified(resource)} ${quote(name)}: ${why}`;
  return failure(409, 'Conflict', message, about(resource, name));
}

/** Server-side apply would change fields that others manage: a cause for each. */
export function applyConflict(message: string, causes: StatusCause[]): StatusError {
  return failure(409, 'Conflict', message, { causes });
}

/** The object is refused by validation: 422 with every cause. */
export function invalid(
  kind: { group: string; kind: string },
  name: string,
  errors: readonly FieldError[],
): StatusError {
  const texts = [...new Set(errors.map(formatFieldError))];
  const shown = texts.length === 1 ? texts[0] : `[${texts.join(', ')}]`;
  const subject = kind.group === '' ? kind.kind : `${kind.kind}.${kind.group}`;
  const details: StatusDetails = { name, kind: kind.kind, causes: errors.map(causeOf) };
  if (kind.group !== '') details.group = kind.group;
  const message = `${subject} ${quote(name)} is invalid`;
  return failure(422, 'Invalid', errors.length === 0 ? message : `${message}: ${shown}`, details);
}

export function badRequest(message: string, details?: StatusDetails): StatusError {
  return failure(400, 'BadRequest', message, details);
}

/** The resourceVersion of a list or watch is too old. */
export function expired(message: string): StatusError {
  return failure(410, 'Expired', message);
}

/** The state that a list's pages show is forgotten. @param token goes on at the latest state. */
export function expiredPages(token: string): StatusError {
  const message =
    'The provided continue parameter is too old to display a consistent list result. You can start a new list without ' +
    'the continue parameter, or use the continue token in this response to retrieve the remainder of the results. ' +
    'Continuing with the provided token results in an inconsistent list - objects that were created, modified, or ' +
    'deleted between the time the first chunk was returned and now may show up in the list.';
  const { status } = expired(message);
  return new StatusError({ ...status, metadata: { continue: token } });
}

export function forbidden(message: string, details?: StatusDetails): StatusError {
  return failure(403, 'Forbidden', message, details);
}

export function unauthorized(message = 'Unauthorized'): StatusError {
  return failure(401, 'Unauthorized', message);
}

export function methodNotAllowed(resource: ResourceName, action: string): StatusError {
  const message = `${action} is not supported on resources of kind ${quote(qualified(resource))}`;
  return failure(405, 'MethodNotAllowed', message, about(resource));
}

export function notAcceptable(message: string): StatusError {
  return failure(406, 'NotAcceptable', message);
}

export function unsupportedMediaType(
  supported: readonly string[],
  why = 'the body of the request was in an unknown format',
): StatusError {
  const message = `${why} - accepted media types include: ${supported.join(', ')}`;
  return failure(415, 'UnsupportedMediaType', message);
}

export function requestEntityTooLarge(maxBytes: number): StatusError {
  return failure(413, 'RequestEntityTooLarge', `Request entity too large: limit is ${maxBytes}`);
}

export function tooManyRequests(message: string, retryAfterSeconds: number): StatusError {
  return failure(429, 'TooManyRequests', `Too many requests: ${message}`, { retryAfterSeconds });
}

/** An eviction that a PodDisruptionBudget does not allow now. Clients try again. */
export function disruptionRefused(why: string): StatusError {
  const causes = [{ reason: 'DisruptionBudget', message: why }];
  const message = "Cannot evict pod as it would violate the pod's disruption budget.";
  return failure(429, 'TooManyRequests', message, { causes });
}

export function internalError(message: string): StatusError {
  return failure(500, 'InternalError', `Internal error occurred: ${message}`, { causes: [{ message }] });
}

export function serviceUnavailable(message: string): StatusError {
  return failure(503, 'ServiceUnavailable', message);
}

export function timeout(message: string): StatusError {
  return failure(504, 'Timeout', `Timeout: ${message}`);
}

function failure(code: number, reason: string, message: string, details?: StatusDetails): StatusError {
  return new StatusError({
    apiVersion: 'v1',
    kind: 'Status',
    metadata: {},
    status: 'Failure',
    message,
    reason,
    ...(details ? { details } : {}),
    code,
  });
}

function qualified(resource: ResourceName): string {
  return resource.group === '' ? resource.plural : `${resource.plural}.${resource.group}`;
}

/** Details name the resource by its plural, as Kubernetes does for all but `invalid`. */
function about(resource: ResourceName, name?: string): StatusDetails {
  return {
    ...(name === undefined ? {} : { name }),
    ...(resource.group === '' ? {} : { group: resource.group }),
    kind: resource.plural,
  };
}

function quote(text: string): string {
  return JSON.stringify(text);
}
