import type { Container, Pod, PodSpec } from '../../../src/api/pod.ts';

type Amounts = Record<string, string>;

/** A pod as it is stored, in as far as cgroups look at it. */
export function podOf(spec: Partial<PodSpec> = {}, uid = '5a1c7e90-0000-4000-8000-0123456789ab'): Pod {
  return {
    apiVersion: 'v1',
    kind: 'Pod',
    metadata: { name: 'pod', namespace: 'default', uid },
    spec: { containers: [containerOf()], ...spec },
  } as Pod;
}

export function containerOf(requests?: Amounts, limits?: Amounts, rest: Partial<Container> = {}): Container {
  return { name: 'main', image: 'busybox', resources: { requests, limits }, ...rest } as Container;
}

/** Requests and limits the same, as defaults make it for a container that has limits alone. */
export function guaranteedPod(amounts: Amounts, uid?: string): Pod {
  return podOf({ containers: [containerOf(amounts, amounts)] }, uid);
}

export function burstablePod(requests: Amounts, uid?: string): Pod {
  return podOf({ containers: [containerOf(requests)] }, uid);
}
