import type { ConfigMapVolumeSource } from '../api/pod.ts';
import { DEFAULT_MODE, keyedPayload, type Payload, PayloadError, type PayloadFacts } from './payload.ts';

/** PURE. The files of a configMap volume, or of a projection of one. @throws PayloadError */
export function configMapPayload(
  { name = '', items, optional = false, defaultMode = DEFAULT_MODE }: ConfigMapVolumeSource,
  { sources }: Pick<PayloadFacts, 'sources'>,
): Payload {
  const configMap = sources.configMap(name);
  if (!configMap && !optional) throw new PayloadError(`configmap ${JSON.stringify(name)} not found`);
  const data = new Map<string, Uint8Array>();
  for (const [key, text] of Object.entries(configMap?.data ?? {})) data.set(key, Buffer.from(text));
  for (const [key, base64] of Object.entries(configMap?.binaryData ?? {})) data.set(key, Buffer.from(base64, 'base64'));
  const missing = (key: string) => `configmap references non-existent config key: ${key}`;
  return keyedPayload(data, { items, optional, defaultMode, missing });
}
