import { protobufMediaType } from '../../api/decode/protobuf.ts';
import type { Status } from '../../api/meta.ts';
import {
  badRequest,
  internalError,
  requestEntityTooLarge,
  StatusError,
  unsupportedMediaType,
} from '../../api/status-error.ts';

export const bodyTypes = ['application/json', 'application/yaml', protobufMediaType] as const;

/**
 * The Status that a client gets for whatever was thrown. What is neither a StatusError nor a known complaint of the
 * HTTP framework is a fault of ours: the client learns that there was one, the log what it was.
 */
export function statusOf(error: unknown, maxBodyBytes: number): { status: Status; isOurFault: boolean } {
  if (error instanceof StatusError) return { status: error.status, isOurFault: false };
  const known = frameworkStatus(error, maxBodyBytes);
  if (known) return { status: known.status, isOurFault: false };
  return { status: internalError('see the log of the server').status, isOurFault: true };
}

function frameworkStatus(error: unknown, maxBodyBytes: number): StatusError | undefined {
  if (!(error instanceof Error) || !('code' in error)) return undefined;
  switch (error.code) {
    case 'FST_ERR_CTP_BODY_TOO_LARGE':
      return requestEntityTooLarge(maxBodyBytes);
    case 'FST_ERR_CTP_INVALID_MEDIA_TYPE':
      return unsupportedMediaType([...bodyTypes]);
    case 'FST_ERR_CTP_INVALID_CONTENT_LENGTH':
    case 'FST_ERR_BAD_URL':
    case 'FST_ERR_MAX_PARAM_LENGTH':
    case 'ECONNRESET':
      return badRequest(error.message);
    default:
      return undefined;
  }
}

/** What clients know of pods in Kubernetes and is not served: a user of `kubectl drain` learns more than "not found". */
const unservedOfPods = /^\/api\/v1\/namespaces\/[^/]+\/pods\/[^/]+\/(binding|proxy|resize)(?:[/?]|$)/;

/** A path that leads nowhere, in the words that kubectl knows. */
export function pathNotFound(url = ''): StatusError {
  const unserved = unservedOfPods.exec(url)?.[1];
  return new StatusError({
    kind: 'Status',
    apiVersion: 'v1',
    metadata: {},
    status: 'Failure',
    message: `the server could not find the requested resource${unserved ? `: pods/${unserved} is not supported by mini-kubelet yet` : ''}`,
    reason: 'NotFound',
    details: {},
    code: 404,
  });
}

export function methodNotAllowedHere(): StatusError {
  return new StatusError({
    kind: 'Status',
    apiVersion: 'v1',
    metadata: {},
    status: 'Failure',
    message: 'the server does not allow this method on the requested resource',
    reason: 'MethodNotAllowed',
    details: {},
    code: 405,
  });
}

/** Our names and namespaces never hold these; as k8s.io/apimachinery's IsValidPathSegmentName. */
export function checkPathSegment(segment: string): void {
  if (segment === '') throw pathNotFound();
  const complaint =
    segment === '.' || segment === '..'
      ? `may not be '${segment}'`
      : /[/%]/.test(segment)
        ? "may not contain '/' or '%'"
        : undefined;
  if (complaint) throw badRequest(`Name parameter invalid: ${JSON.stringify(segment)}: ${complaint}`);
}
