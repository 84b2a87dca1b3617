import type { Container, Pod, PodSpec } from '../../../src/api/pod.ts';

export const DEMO_IMAGE = 'mini-kubelet.local/demo:1';

/** A manifest; every container gets the demo image. Grace is short, so that tests need not wait for shells that ignore SIGTERM. */
export function podManifest(
  name: string,
  containers: readonly (Partial<Container> & { name: string })[],
  spec: Partial<PodSpec> = {},
  metadata: Partial<Pod['metadata']> = {},
) {
  return {
    apiVersion: 'v1',
    kind: 'Pod',
    metadata: { name, ...metadata },
    spec: {
      terminationGracePeriodSeconds: 1,
      ...spec,
      containers: containers.map((container) => ({ image: DEMO_IMAGE, ...container })),
    },
  };
}

/** Runs a script, then stays; ends at once on SIGTERM. */
export function shell(script: string): string[] {
  return ['sh', '-c', `trap 'exit 0' TERM\n${script}\nsleep 1000000 & wait $!`];
}

export function isReady(pod: Pod): boolean {
  return pod.status?.conditions?.some((item) => item.type === 'Ready' && item.status === 'True') ?? false;
}

export function isOver(pod: Pod): boolean {
  return pod.status?.phase === 'Succeeded' || pod.status?.phase === 'Failed';
}

/** Of an app container, an init container or a sidecar. */
export function statusOf(pod: Pod, container: string) {
  const all = [...(pod.status?.initContainerStatuses ?? []), ...(pod.status?.containerStatuses ?? [])];
  const status = all.find((item) => item.name === container);
  if (!status) throw new Error(`no status of container ${container}: ${JSON.stringify(pod.status)}`);
  return status;
}

/** A log as `NAME=value` lines. */
export function parseFacts(log: string): Record<string, string> {
  return Object.fromEntries(
    log
      .trimEnd()
      .split('\n')
      .map((line) => {
        const at = line.indexOf('=');
        return [line.slice(0, at), line.slice(at + 1)];
      }),
  );
}
