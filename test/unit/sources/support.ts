import { pino } from 'pino';
import type { KindDefinition } from '../../../src/api/kind.ts';
import {
  configMapKind,
  persistentVolumeClaimKind,
  persistentVolumeKind,
  secretKind,
  serviceAccountKind,
  storageClassKind,
} from '../../../src/api/kinds.ts';
import type { KubeObject } from '../../../src/api/meta.ts';
import { createPodKind } from '../../../src/api/pod-kind.ts';

export const logger = pino({ level: 'silent' });
export const podKind = createPodKind({ allowPrivileged: true, hasAppArmor: false, hasSELinux: false });
export const objectKinds = [
  configMapKind,
  secretKind,
  serviceAccountKind,
  storageClassKind,
  persistentVolumeKind,
  persistentVolumeClaimKind,
] as readonly KindDefinition<KubeObject>[];
export const node = { nodeName: 'n1', podKind, objectKinds };

/** A manifest of a pod with one container. */
export function manifest(name: string, { image = 'busybox', extra = '' } = {}): string {
  return `apiVersion: v1
kind: Pod
metadata:
  name: ${name}
spec:
  containers:
  - name: main
    image: ${image}
${extra}`;
}
