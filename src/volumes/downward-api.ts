import { containerNamed, podFieldValue, resourceFieldValue } from '../api/downward-api.ts';
import type { DownwardAPIVolumeFile, DownwardAPIVolumeSource, Pod } from '../api/pod.ts';
import {
  DEFAULT_MODE,
  type Payload,
  PayloadError,
  type PayloadFacts,
  type PayloadFile,
  payloadPath,
} from './payload.ts';

/** PURE. The files of a downwardAPI volume, or of a projection of one. @throws PayloadError */
export function downwardApiPayload(
  pod: Pod,
  { items = [], defaultMode = DEFAULT_MODE }: DownwardAPIVolumeSource,
  facts: Pick<PayloadFacts, 'allocatable'>,
): Payload {
  const files = items.map((item): [string, PayloadFile] => [
    payloadPath(item.path),
    { data: Buffer.from(fileText(pod, item, facts)), mode: item.mode ?? defaultMode },
  ]);
  return new Map(files);
}

/** What of the node a file cannot tell, other than a variable: it does not pass validation. */
const NOT_IN_VOLUMES = { podIPs: [], hostIPs: [], nodeName: '' };

function fileText(
  pod: Pod,
  { fieldRef, resourceFieldRef }: DownwardAPIVolumeFile,
  { allocatable }: Pick<PayloadFacts, 'allocatable'>,
): string {
  if (fieldRef) {
    const value = podFieldValue(pod, fieldRef.fieldPath, { ...NOT_IN_VOLUMES, allocatable });
    if (value === undefined) throw new PayloadError(`unsupported fieldPath: ${fieldRef.fieldPath}`);
    return value;
  }
  const { containerName = '', resource = '' } = resourceFieldRef ?? {};
  const container = containerNamed(pod, containerName);
  if (!container) throw new PayloadError(`container ${JSON.stringify(containerName)} not found`);
  const value = resourceFieldRef && resourceFieldValue(container, resourceFieldRef, allocatable);
  if (value === undefined) throw new PayloadError(`unsupported container resource: ${resource}`);
  return value;
}
