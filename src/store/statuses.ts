import { StatusError } from '../api/status-error.ts';

/** The disk is full. HTTP knows 507 for it, Kubernetes has no reason of its own. */
export function insufficientStorage(message: string): StatusError {
  return new StatusError({
    kind: 'Status',
    apiVersion: 'v1',
    metadata: {},
    status: 'Failure',
    message,
    reason: 'InsufficientStorage',
    code: 507,
  });
}

/**
 * A client knows a later resourceVersion than this server: it stems from another life of the store. In the form by
 * which Kubernetes' clients recognise it and list anew (`apierrors.IsTooLargeResourceVersion`).
 */
export function tooLargeResourceVersion(wanted: number, current: number): StatusError {
  return new StatusError({
    kind: 'Status',
    apiVersion: 'v1',
    metadata: {},
    status: 'Failure',
    message: `Timeout: Too large resource version: ${wanted}, current: ${current}`,
    reason: 'Timeout',
    details: {
      causes: [{ reason: 'ResourceVersionTooLarge', message: 'Too large resource version' }],
      retryAfterSeconds: 1,
    },
    code: 504,
  });
}
