import type { Pod, ServiceAccountTokenProjection } from '../api/pod.ts';
import { onlyUserOf, type Payload, PayloadError, type PayloadFacts, payloadPath } from './payload.ts';

/** Nobody but the user, or the group, that the pod has for its files. */
const PRIVATE_MODE = 0o600;
const DEFAULT_EXPIRATION_SECONDS = 3600;

/**
 * PURE. The file with a token of the pod's service account. Where the pod's containers run as one user the file is that
 * user's alone; with an fsGroup it is for root and the group (pkg/volume/projected). @throws PayloadError
 */
export function tokenPayload(
  pod: Pod,
  { path, audience = '', expirationSeconds = DEFAULT_EXPIRATION_SECONDS }: ServiceAccountTokenProjection,
  defaultMode: number,
  { token }: Pick<PayloadFacts, 'token'>,
): Payload {
  const text = token({ audience, expirationSeconds });
  if (text === undefined) {
    const account = JSON.stringify(pod.spec.serviceAccountName || 'default');
    throw new PayloadError(`failed to fetch token: serviceaccounts ${account} not found`);
  }
  const uid = onlyUserOf(pod);
  const isPrivate = uid !== undefined || pod.spec.securityContext?.fsGroup !== undefined;
  const mode = isPrivate ? PRIVATE_MODE : defaultMode;
  return new Map([[payloadPath(path), { data: Buffer.from(text), mode, ...(uid === undefined ? {} : { uid }) }]]);
}
