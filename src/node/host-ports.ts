import type { ContainerPort, Pod } from '../api/pod.ts';

interface HostPort {
  readonly ip: string;
  readonly protocol: string;
  readonly port: number;
}

/** Whether the pod wants a port of the host that one of the others has. PURE (framework.HostPortInfo.CheckConflict) */
export function conflictsOnHostPorts(pod: Pod, others: Iterable<Pod>): boolean {
  const wanted = hostPorts(pod);
  if (wanted.length === 0) return false;
  for (const other of others) {
    const taken = hostPorts(other);
    if (wanted.some((port) => taken.some((held) => overlap(port, held)))) return true;
  }
  return false;
}

/** Ports of containers that run at the same time; an init container that runs to its end publishes none. */
function hostPorts({ spec }: Pod): HostPort[] {
  const sidecars = (spec.initContainers ?? []).filter((container) => container.restartPolicy === 'Always');
  const ports: readonly ContainerPort[] = [...spec.containers, ...sidecars].flatMap(
    (container) => container.ports ?? [],
  );
  return ports.flatMap(({ hostPort, containerPort, hostIP, protocol }) => {
    // On the host's network a container's ports are the host's.
    const port = hostPort || (spec.hostNetwork === true ? containerPort : 0);
    return port > 0 ? [{ ip: hostIP || '0.0.0.0', protocol: protocol ?? 'TCP', port }] : [];
  });
}

function overlap(a: HostPort, b: HostPort): boolean {
  return a.port === b.port && a.protocol === b.protocol && (a.ip === b.ip || covers(a.ip, b.ip) || covers(b.ip, a.ip));
}

function covers(wildcard: string, ip: string): boolean {
  return wildcard === '0.0.0.0' || (wildcard === '::' && ip.includes(':'));
}
