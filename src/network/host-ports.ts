import type { Container, Pod } from '../api/pod.ts';

/** A PortMapping of CRI. */
export interface PortMapping {
  readonly protocol: 'TCP' | 'UDP' | 'SCTP';
  readonly containerPort: number;
  readonly hostPort: number;
  /** Empty: every address of the host. */
  readonly hostIp: string;
}

/**
 * PURE. The ports of the host that lead to a pod: those of its containers and of its sidecars (a kubelet leaves the
 * sidecars' out). None with the host's network, where a container binds the host's port itself.
 */
export function podPortMappings(pod: Pod): PortMapping[] {
  if (pod.spec.hostNetwork) return [];
  const sidecars = (pod.spec.initContainers ?? []).filter((container) => container.restartPolicy === 'Always');
  return [...sidecars, ...pod.spec.containers].flatMap(containerPortMappings);
}

function containerPortMappings(container: Container): PortMapping[] {
  return (container.ports ?? []).flatMap(({ protocol = 'TCP', containerPort, hostPort = 0, hostIP = '' }) =>
    hostPort > 0 ? [{ protocol, containerPort, hostPort, hostIp: hostIP }] : [],
  );
}
