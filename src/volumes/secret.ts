import type { SecretVolumeSource } from '../api/pod.ts';
import { DEFAULT_MODE, keyedPayload, type Payload, PayloadError, type PayloadFacts } from './payload.ts';

/** PURE. The files of a secret volume, or of a projection of one. @throws PayloadError */
export function secretPayload(
  { secretName = '', items, optional = false, defaultMode = DEFAULT_MODE }: SecretVolumeSource,
  { sources }: Pick<PayloadFacts, 'sources'>,
): Payload {
  const secret = sources.secret(secretName);
  if (!secret && !optional) throw new PayloadError(`secret ${JSON.stringify(secretName)} not found`);
  const entries = Object.entries(secret?.data ?? {});
  const data = new Map(entries.map(([key, base64]) => [key, Buffer.from(base64, 'base64')]));
  const missing = (key: string) => `references non-existent secret key: ${key}`;
  return keyedPayload(data, { items, optional, defaultMode, missing });
}
