/** The reasons of a kubelet (pkg/kubelet/images/types.go, k8s.io/cri-api/pkg/errors). */
export type ImageErrorReason =
  | 'ErrImagePull'
  | 'ImagePullBackOff'
  | 'ErrImageNeverPull'
  | 'InvalidImageName'
  | 'ImageInspectError'
  | 'RegistryUnavailable'
  | 'SignatureValidationFailed';

/** Why a container's image cannot be used, as `state.waiting` shows it. */
export class ImageError extends Error {
  readonly reason: ImageErrorReason;
  /** When to try again, milliseconds from now. */
  readonly retryAfterMs: number;

  constructor(reason: ImageErrorReason, message: string, retryAfterMs: number) {
    super(message);
    this.name = 'ImageError';
    this.reason = reason;
    this.retryAfterMs = retryAfterMs;
  }
}

/** What runtimes begin a message with, and what a kubelet says instead. */
const knownCauses = {
  RegistryUnavailable: 'the registry is unavailable',
  SignatureValidationFailed: 'the signature validation failed',
} as const;

/** Reason and message of a failed pull, from what the runtime says (`evalCRIPullErr` in pkg/kubelet/images). PURE. */
export function pullFailure(image: string, details: string): { reason: ImageErrorReason; message: string } {
  for (const [reason, cause] of Object.entries(knownCauses) as [keyof typeof knownCauses, string][]) {
    if (!details.startsWith(reason)) continue;
    return { reason, message: `image pull failed for ${image} because ${cause}${details.slice(reason.length)}` };
  }
  return { reason: 'ErrImagePull', message: details };
}
