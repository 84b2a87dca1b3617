import type { Pod, ProjectedVolumeSource, VolumeProjection } from '../api/pod.ts';
import { configMapPayload } from './config-map.ts';
import { downwardApiPayload } from './downward-api.ts';
import { DEFAULT_MODE, mergedPayload, type Payload, PayloadError, type PayloadFacts } from './payload.ts';
import { secretPayload } from './secret.ts';
import { tokenPayload } from './service-account-token.ts';

/** PURE. The files of a projected volume: those of all its sources. @throws PayloadError naming every source that failed. */
export function projectedPayload(
  pod: Pod,
  { sources = [], defaultMode = DEFAULT_MODE }: ProjectedVolumeSource,
  facts: PayloadFacts,
): Payload {
  const problems: string[] = [];
  const payloads = sources.flatMap((source) => {
    try {
      return [projectionPayload(pod, source, defaultMode, facts)];
    } catch (error) {
      if (!(error instanceof PayloadError)) throw error;
      problems.push(error.message);
      return [];
    }
  });
  if (problems.length > 0) throw new PayloadError(problems.join(', '));
  return mergedPayload(payloads);
}

/** PURE. Whether a projected volume has what must not reach the disk. */
export function hasSecrets({ sources = [] }: ProjectedVolumeSource): boolean {
  return sources.some(({ secret, serviceAccountToken }) => secret !== undefined || serviceAccountToken !== undefined);
}

function projectionPayload(
  pod: Pod,
  { configMap, secret, downwardAPI, serviceAccountToken, ...others }: VolumeProjection,
  defaultMode: number,
  facts: PayloadFacts,
): Payload {
  if (configMap) return configMapPayload({ ...configMap, defaultMode }, facts);
  if (secret) {
    const { name, ...rest } = secret;
    return secretPayload({ ...rest, ...(name === undefined ? {} : { secretName: name }), defaultMode }, facts);
  }
  if (downwardAPI) return downwardApiPayload(pod, { ...downwardAPI, defaultMode }, facts);
  if (serviceAccountToken) return tokenPayload(pod, serviceAccountToken, defaultMode, facts);
  throw new PayloadError(`projections of type ${Object.keys(others).join(', ')} are not supported`);
}
