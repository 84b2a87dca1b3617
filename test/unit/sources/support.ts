import { pino } from 'pino';
import { createPodKind } from '../../../src/api/pod-kind.ts';
import { objectKinds } from '../../../src/manifests.ts';

export const logger = pino({ level: 'silent' });
export { objectKinds };
export const podKind = createPodKind({ allowPrivileged: true, hasAppArmor: false, hasSELinux: false });
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
