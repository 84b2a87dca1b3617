import type { PersistentVolume } from '../api/persistent-volume.ts';
import type { PersistentVolumeClaim } from '../api/persistent-volume-claim.ts';
import { defaultClass, LOCAL_PROVISIONER, NO_PROVISIONER, type StorageClass } from '../api/storage-class.ts';
import { findVolume, isReservedFor, mismatch, type NodeMatcher } from './match.ts';

/** PURE. What is to be done next for one claim. */

/** What is known besides the claim. */
export interface ClaimWorld {
  readonly volumes: readonly PersistentVolume[];
  readonly classes: readonly StorageClass[];
  readonly matchesNode: NodeMatcher;
  /** Whether a pod that has not ended uses the claim. */
  readonly hasConsumer: boolean;
}

export interface ClaimEvent {
  readonly type: 'Normal' | 'Warning';
  readonly reason: string;
  readonly message: string;
}

export type ClaimStep =
  | { readonly kind: 'none' }
  /** The claim names no class, and there is a default one now. */
  | { readonly kind: 'setClass'; readonly className: string }
  | { readonly kind: 'bind'; readonly volume: PersistentVolume }
  | { readonly kind: 'provision'; readonly storageClass: StorageClass }
  /** It stays as it is, and says why. */
  | { readonly kind: 'wait'; readonly event: ClaimEvent }
  /** Its volume is gone. */
  | { readonly kind: 'lose'; readonly event: ClaimEvent };

/** Says that a claim was bound: what becomes of its volume afterwards makes it lost, not pending. */
export const BIND_COMPLETED = 'pv.kubernetes.io/bind-completed';

/** The next step of a claim (syncClaim in pkg/controller/volume/persistentvolume). */
export function claimStep(claim: PersistentVolumeClaim, world: ClaimWorld): ClaimStep {
  if (claim.metadata.annotations?.[BIND_COMPLETED] !== undefined) return boundStep(claim, world);
  if (claim.metadata.deletionTimestamp) return { kind: 'none' };
  if (claim.spec.volumeName) return namedVolumeStep(claim, claim.spec.volumeName, world);
  const fallback = claim.spec.storageClassName === undefined ? defaultClass(world.classes) : undefined;
  if (fallback) return { kind: 'setClass', className: fallback.metadata.name };
  const className = claim.spec.storageClassName ?? '';
  const storageClass = world.classes.find(({ metadata }) => metadata.name === className);
  const isDelayed = storageClass?.volumeBindingMode === 'WaitForFirstConsumer' && !world.hasConsumer;
  const volume = findVolume(claim, world.volumes, world.matchesNode, isDelayed);
  if (volume) return { kind: 'bind', volume };
  if (isDelayed) {
    return wait('Normal', 'WaitForFirstConsumer', 'waiting for first consumer to be created before binding');
  }
  return provisionStep(claim, className, storageClass);
}

function boundStep(claim: PersistentVolumeClaim, { volumes }: ClaimWorld): ClaimStep {
  const { volumeName } = claim.spec;
  const volume = volumes.find(({ metadata }) => metadata.name === volumeName);
  // A volume that was made anew by hand is reserved for nobody: it takes the place of the one that was.
  if (volume && (!volume.spec.claimRef || isReservedFor(volume, claim))) {
    const isDone = claim.status?.phase === 'Bound' && volume.spec.claimRef?.uid === claim.metadata.uid;
    return isDone ? { kind: 'none' } : { kind: 'bind', volume };
  }
  const event: ClaimEvent = volume
    ? {
        type: 'Warning',
        reason: 'ClaimMisbound',
        message: 'Two claims are bound to the same volume, this one is bound incorrectly',
      }
    : {
        type: 'Warning',
        reason: 'ClaimLost',
        message: 'Bound claim has lost its PersistentVolume. Data on the volume is lost!',
      };
  return { kind: 'lose', event };
}

function namedVolumeStep(claim: PersistentVolumeClaim, name: string, { volumes }: ClaimWorld): ClaimStep {
  const volume = volumes.find(({ metadata }) => metadata.name === name);
  if (!volume) return wait('Warning', 'FailedBinding', `volume ${JSON.stringify(name)} not found`);
  if (volume.spec.claimRef && !isReservedFor(volume, claim)) {
    return wait('Warning', 'FailedBinding', `volume ${JSON.stringify(name)} already bound to a different claim.`);
  }
  const problem = mismatch(volume, claim);
  if (problem === undefined) return { kind: 'bind', volume };
  return wait('Warning', 'VolumeMismatch', `Cannot bind to requested volume ${JSON.stringify(name)}: ${problem}`);
}

function provisionStep(
  claim: PersistentVolumeClaim,
  className: string,
  storageClass: StorageClass | undefined,
): ClaimStep {
  if (className === '') {
    const message = 'no persistent volumes available for this claim and no storage class is set';
    return wait('Normal', 'FailedBinding', message);
  }
  if (!storageClass) {
    const message = `storageclass.storage.k8s.io ${JSON.stringify(className)} not found`;
    return wait('Warning', 'ProvisioningFailed', message);
  }
  const { provisioner } = storageClass;
  if (provisioner === NO_PROVISIONER) {
    return wait('Normal', 'FailedBinding', 'no persistent volumes available for this claim');
  }
  if (provisioner !== LOCAL_PROVISIONER) {
    const message = `there is no provisioner ${JSON.stringify(provisioner)} here: waiting for a volume that fits`;
    return wait('Normal', 'ExternalProvisioning', message);
  }
  if (claim.spec.selector) {
    return wait('Warning', 'ProvisioningFailed', 'claim.spec.selector is not supported by the provisioner');
  }
  return { kind: 'provision', storageClass };
}

function wait(type: ClaimEvent['type'], reason: string, message: string): ClaimStep {
  return { kind: 'wait', event: { type, reason, message } };
}
