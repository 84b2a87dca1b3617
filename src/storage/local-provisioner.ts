import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import { type PersistentVolume, VOLUME_PROTECTION } from '../api/persistent-volume.ts';
import type { PersistentVolumeClaim } from '../api/persistent-volume-claim.ts';
import { LOCAL_PROVISIONER, type StorageClass } from '../api/storage-class.ts';
import { removeTree } from '../util/remove-tree.ts';
import { mkdirBeneath } from '../util/safe-fs.ts';
import { requested } from './match.ts';

/** What tells who made a volume. */
const PROVISIONED_BY = 'pv.kubernetes.io/provisioned-by';
const HOSTNAME = 'kubernetes.io/hostname';
const OWN_NAME = /^pvc-[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}$/;

/** Any user of any container may write, as in an emptyDir. */
const VOLUME_MODE = 0o777;

/** Makes volumes that are directories of the host, each `<directory>/pvc-<uid of its claim>`, and removes them. */
export class LocalProvisioner {
  readonly #directory: string;

  /** @param directory absolute. */
  constructor(directory: string) {
    this.#directory = directory;
  }

  /** PURE. The volume for a claim, reserved for it. Its directory is made by `make`, when the object is stored. */
  volumeFor(
    claim: PersistentVolumeClaim,
    storageClass: StorageClass,
    given: { readonly uid: string; readonly now: string; readonly hostname: string },
  ): PersistentVolume {
    const name = `pvc-${claim.metadata.uid}`;
    const { namespace, name: claimName, uid } = claim.metadata;
    return {
      apiVersion: 'v1',
      kind: 'PersistentVolume',
      metadata: {
        name,
        uid: given.uid,
        creationTimestamp: given.now,
        annotations: { [PROVISIONED_BY]: LOCAL_PROVISIONER },
        finalizers: [VOLUME_PROTECTION],
      },
      spec: {
        capacity: { storage: requested(claim) },
        accessModes: [...(claim.spec.accessModes ?? [])],
        claimRef: { apiVersion: 'v1', kind: 'PersistentVolumeClaim', namespace, name: claimName, uid },
        local: { path: join(this.#directory, name) },
        nodeAffinity: {
          required: {
            nodeSelectorTerms: [{ matchExpressions: [{ key: HOSTNAME, operator: 'In', values: [given.hostname] }] }],
          },
        },
        persistentVolumeReclaimPolicy: storageClass.reclaimPolicy ?? 'Delete',
        storageClassName: storageClass.metadata.name,
        volumeMode: 'Filesystem',
      },
      status: { phase: 'Pending' },
    };
  }

  /** PURE. Whether a volume says of itself that it was made here. */
  isOwn({ metadata }: PersistentVolume): boolean {
    return metadata.annotations?.[PROVISIONED_BY] === LOCAL_PROVISIONER;
  }

  /** Makes the directory of a volume, or finds it made. */
  async make(volume: PersistentVolume): Promise<void> {
    this.#checkPath(volume);
    await mkdir(this.#directory, { recursive: true, mode: 0o700 });
    await (await mkdirBeneath(this.#directory, volume.metadata.name, VOLUME_MODE)).close();
  }

  /**
   * Removes the directory of a volume with all that is in it; success if it is not there. Pods could write there: no
   * link is followed and no mount entered.
   *
   * @throws MountPointError and others of `removeTree`; when the path is not one that `make` makes.
   */
  async remove(volume: PersistentVolume, signal: AbortSignal): Promise<void> {
    this.#checkPath(volume);
    await removeTree(join(this.#directory, volume.metadata.name), { signal });
  }

  /** Whoever may write volumes may write any path: only those that are named for their volume are ours. */
  #checkPath({ metadata, spec }: PersistentVolume): void {
    const { name } = metadata;
    if (OWN_NAME.test(name) && spec.local?.path === join(this.#directory, name)) return;
    throw new Error(`${spec.local?.path ?? 'the volume'} is not a directory that ${LOCAL_PROVISIONER} has made`);
  }
}
