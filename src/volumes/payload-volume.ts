import { join } from 'node:path';
import type { Pod, Volume } from '../api/pod.ts';
import { writeAtomically } from './atomic-writer.ts';
import { configMapPayload } from './config-map.ts';
import { downwardApiPayload } from './downward-api.ts';
import { type EmptyDirFacts, mountEmptyDir } from './empty-dir.ts';
import { applyFsGroup, type FsGroup, fsGroupMode } from './fs-group.ts';
import type { Payload, PayloadFacts } from './payload.ts';
import { pathComponent } from './pod-directory.ts';
import { hasSecrets, projectedPayload } from './projected.ts';
import { secretPayload } from './secret.ts';

/** A volume whose files are made from objects of the API, and made anew when these change. */
export interface PayloadVolume {
  readonly name: string;
  /** Where a kubelet has such volumes: `kubernetes.io~configmap`. */
  readonly plugin: string;
  /** What is secret is in memory only. */
  readonly medium: '' | 'Memory';
  /** @throws PayloadError */
  readonly payload: (facts: PayloadFacts) => Payload;
}

/** PURE. Undefined for volumes of other kinds. */
export function payloadVolumeOf(
  pod: Pod,
  { name, configMap, secret, downwardAPI, projected }: Volume,
): PayloadVolume | undefined {
  if (configMap) {
    return {
      name,
      plugin: 'kubernetes.io~configmap',
      medium: '',
      payload: (facts) => configMapPayload(configMap, facts),
    };
  }
  if (secret) {
    return { name, plugin: 'kubernetes.io~secret', medium: 'Memory', payload: (facts) => secretPayload(secret, facts) };
  }
  if (downwardAPI) {
    return {
      name,
      plugin: 'kubernetes.io~downward-api',
      medium: '',
      payload: (facts) => downwardApiPayload(pod, downwardAPI, facts),
    };
  }
  if (projected) {
    return {
      name,
      plugin: 'kubernetes.io~projected',
      medium: hasSecrets(projected) ? 'Memory' : '',
      payload: (facts) => projectedPayload(pod, projected, facts),
    };
  }
  return undefined;
}

/** PURE. Where the volume is, made or not. */
export function payloadVolumePath(volumesDir: string, { plugin, name }: PayloadVolume): string {
  return join(volumesDir, plugin, pathComponent(name));
}

export interface PayloadPlace
  extends Omit<EmptyDirFacts, 'parent' | 'podMemoryLimitBytes' | 'hugePageSizes' | 'fsGroup'> {
  /** Absolute path of the directory that has the pod's volumes, by plugin. */
  readonly volumesDir: string;
  readonly fsGroup: FsGroup | undefined;
  /** Milliseconds since the epoch. */
  readonly now: number;
}

/**
 * Makes the volume, or brings it to what its sources say now.
 *
 * @returns its absolute path.
 * @throws PayloadError before anything is made or changed.
 */
export async function mountPayloadVolume(
  volume: PayloadVolume,
  facts: PayloadFacts,
  { volumesDir, fsGroup, now, kernelRelease, nodeAllocatableMemoryBytes }: PayloadPlace,
  signal?: AbortSignal,
): Promise<string> {
  const payload = volume.payload(facts);
  const path = await mountEmptyDir(
    pathComponent(volume.name),
    volume.medium === '' ? {} : { medium: volume.medium },
    {
      parent: join(volumesDir, volume.plugin),
      // The pod's limit says nothing about what the daemon writes for it.
      podMemoryLimitBytes: undefined,
      nodeAllocatableMemoryBytes,
      hugePageSizes: [],
      kernelRelease,
      ...(fsGroup ? { fsGroup } : {}),
    },
    signal,
  );
  await writeAtomically(path, payload, { now, ...(fsGroup ? groupRules(fsGroup) : {}) });
  return path;
}

/** The group may read, whatever the modes of the manifest say. */
function groupRules({ gid }: FsGroup) {
  return {
    prepare: (directory: string) => applyFsGroup(directory, { gid, readOnly: true }),
    modeOf: (mode: number) => fsGroupMode(mode, false, true),
  };
}
