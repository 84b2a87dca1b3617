import { hasClusterIP, type Service } from '../api/service.ts';

/**
 * The variables by which a container finds the services of its namespace that have an address, in the order of the
 * services' names (FromServices in pkg/kubelet/envvars). PURE.
 */
export function serviceEnvironment(services: readonly Service[]): Map<string, string> {
  const variables = new Map<string, string>();
  for (const service of services) {
    if (!hasClusterIP(service)) continue;
    const { clusterIP = '', ports = [] } = service.spec;
    const first = ports[0];
    if (!first) continue;
    const prefix = variableName(service.metadata.name);
    variables.set(`${prefix}_SERVICE_HOST`, clusterIP);
    variables.set(`${prefix}_SERVICE_PORT`, String(first.port));
    for (const { name = '', port } of ports) {
      if (name !== '') variables.set(`${prefix}_SERVICE_PORT_${variableName(name)}`, String(port));
    }
    const host = clusterIP.includes(':') ? `[${clusterIP}]` : clusterIP;
    for (const [index, { port, protocol = 'TCP' }] of ports.entries()) {
      const scheme = protocol.toLowerCase();
      const url = `${scheme}://${host}:${port}`;
      if (index === 0) variables.set(`${prefix}_PORT`, url);
      const portPrefix = `${prefix}_PORT_${port}_${protocol}`;
      variables.set(portPrefix, url);
      variables.set(`${portPrefix}_PROTO`, scheme);
      variables.set(`${portPrefix}_PORT`, String(port));
      variables.set(`${portPrefix}_ADDR`, clusterIP);
    }
  }
  return variables;
}

/**
 * The services whose variables a pod's containers get: those of its namespace, unless it does not want them
 * (`enableServiceLinks: false`), and always `kubernetes` of the namespace `default`, if somebody has made it
 * (getServiceEnvVarMap in pkg/kubelet/kubelet_pods.go). PURE.
 *
 * @param own of the pod's namespace.
 */
export function linkedServices(
  enableServiceLinks: boolean,
  own: readonly Service[],
  kubernetes: Service | undefined,
): Service[] {
  const linked = enableServiceLinks ? [...own] : [];
  if (!kubernetes || linked.some(({ metadata }) => metadata.name === MASTER_SERVICE)) return linked;
  return [...linked, kubernetes];
}

/** The service by which pods reach the API, in the namespace `default`. */
export const MASTER_SERVICE = 'kubernetes';

function variableName(name: string): string {
  return name.toUpperCase().replaceAll('-', '_');
}
