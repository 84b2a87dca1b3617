import type { PersistentVolumeSpec } from '../api/persistent-volume.ts';

/** The persistent volume behind a pod's volume. */
export interface ClaimedVolume {
  readonly spec: PersistentVolumeSpec;
  /** The pod asks to read it only. */
  readonly readOnly: boolean;
}
