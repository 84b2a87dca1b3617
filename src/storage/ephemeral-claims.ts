import type { PersistentVolumeClaim } from '../api/persistent-volume-claim.ts';
import { CLAIM_PROTECTION } from '../api/persistent-volume-claim.ts';
import type { Pod } from '../api/pod.ts';
import { defaultClass, type StorageClass } from '../api/storage-class.ts';
import { claimNameOf } from './claim-users.ts';

/**
 * PURE. The claims that a pod's ephemeral volumes need, owned by the pod (pkg/controller/volume/ephemeral). Their uid is
 * still to be given. `now`: RFC 3339.
 */
export function ephemeralClaims(
  pod: Pod,
  classes: readonly StorageClass[],
  now: string,
): Omit<PersistentVolumeClaim, 'uid'>[] {
  const { namespace, name, uid } = pod.metadata;
  return (pod.spec.volumes ?? []).flatMap((volume) => {
    const template = volume.ephemeral?.volumeClaimTemplate;
    if (!template) return [];
    const { labels, annotations } = template.metadata ?? {};
    const owner = { apiVersion: 'v1', kind: 'Pod', name, uid, controller: true, blockOwnerDeletion: true };
    const fallback = defaultClass(classes)?.metadata.name;
    return [
      {
        apiVersion: 'v1',
        kind: 'PersistentVolumeClaim',
        metadata: {
          name: claimNameOf(pod, volume) ?? '',
          namespace,
          uid: '',
          creationTimestamp: now,
          ...(labels ? { labels } : {}),
          ...(annotations ? { annotations } : {}),
          ownerReferences: [owner],
          finalizers: [CLAIM_PROTECTION],
        },
        spec: {
          volumeMode: 'Filesystem' as const,
          ...(fallback === undefined ? {} : { storageClassName: fallback }),
          ...template.spec,
        },
        status: { phase: 'Pending' as const },
      },
    ];
  });
}

/** PURE. Whether a claim was made for a pod that is not there any more. */
export function isAbandoned({ metadata }: PersistentVolumeClaim, hasPod: (uid: string) => boolean): boolean {
  const owner = metadata.ownerReferences?.find(({ controller, kind }) => controller && kind === 'Pod');
  return owner !== undefined && !hasPod(owner.uid);
}
