import type { Container, Pod, PodSpec } from '../../../src/api/pod.ts';

export const image = 'mini-kubelet.local/demo:1';

/** A container of the demo image that runs until it is stopped, unless it is given another command. */
export function container(name: string, changes: Partial<Container> = {}): Container {
  // A shell as process 1 ignores SIGTERM unless it traps it.
  const command = ['sh', '-c', 'trap "exit 0" TERM; sleep 1000000 & wait'];
  return { name, image, command, ...changes };
}

/** What a client sends: without the fields that the server sets. */
export interface PodManifest {
  apiVersion: 'v1';
  kind: 'Pod';
  metadata: Partial<Pod['metadata']> & { name: string };
  spec: PodSpec;
}

/** A pod manifest with one container `main`, and a short grace period, unless the changes say otherwise. */
export function podManifest(
  name: string,
  spec: Partial<PodSpec> = {},
  metadata: Partial<Pod['metadata']> = {},
): PodManifest {
  return {
    apiVersion: 'v1',
    kind: 'Pod',
    metadata: { ...metadata, name },
    spec: { terminationGracePeriodSeconds: 2, containers: [container('main')], ...spec },
  };
}
