import { isIPv6 } from 'node:net';
import type { Endpoint, EndpointPort, EndpointSlice } from './endpoint-slice.ts';
import type { EndpointAddress, EndpointSubset } from './endpoints.ts';
import type { Pod } from './pod.ts';
import type { Service, ServicePort } from './service.ts';

/** What the slices of a service are. */
export interface SliceContent {
  readonly addressType: 'IPv4' | 'IPv6';
  readonly ports: readonly EndpointPort[];
  readonly endpoints: readonly Endpoint[];
}

/** Who writes the slices of services with a selector: as Kubernetes' own controller, whose place the daemon takes. */
export const SLICE_MANAGER = 'endpointslice-controller.k8s.io';
export const SERVICE_NAME_LABEL = 'kubernetes.io/service-name';
export const MANAGED_BY_LABEL = 'endpointslice.kubernetes.io/managed-by';
/** Tells clients that the service has no address of its own. */
export const HEADLESS_LABEL = 'service.kubernetes.io/headless';

/** The same of Endpoints, which are called as their service. */
export const ENDPOINTS_MANAGED_BY_LABEL = 'endpoints.kubernetes.io/managed-by';
export const ENDPOINTS_MANAGER = 'endpoint-controller';
/** Says that there are more pods than are told. */
export const OVER_CAPACITY_ANNOTATION = 'endpoints.kubernetes.io/over-capacity';

const MAX_ADDRESSES = 1_000;

/** As Kubernetes' controller by default. */
const MAX_ENDPOINTS_PER_SLICE = 100;

/**
 * The pods of a service, by family of addresses and by their ports, which differ where a port is named by pods (reconciler
 * of k8s.io/endpointslice). A service whose pods are none has an empty slice. PURE.
 *
 * @param pods of the service's namespace.
 * @returns undefined for a service without a selector: its slices are somebody else's.
 */
export function serviceSlices({ metadata, spec }: Service, pods: readonly Pod[]): SliceContent[] | undefined {
  if (Object.keys(spec.selector ?? {}).length === 0) return undefined;
  const selected = pods.filter((pod) => isSelected(spec.selector ?? {}, pod) && !hasEnded(pod));
  return (spec.ipFamilies ?? ['IPv4']).flatMap((family) => {
    const addressType = family === 'IPv6' ? 'IPv6' : 'IPv4';
    const groups = new Map<string, { ports: EndpointPort[]; endpoints: Endpoint[] }>();
    for (const pod of selected) {
      const addresses = addressesOf(pod, addressType);
      if (addresses.length === 0) continue;
      const ports = portsOf(spec.ports ?? [], pod);
      const key = JSON.stringify(ports);
      const group = groups.get(key) ?? { ports, endpoints: [] };
      group.endpoints.push(endpointOf(metadata.name, spec.publishNotReadyAddresses ?? false, pod, addresses));
      groups.set(key, group);
    }
    if (groups.size === 0) return [{ addressType, ports: [], endpoints: [] }];
    return [...groups.values()].flatMap(({ ports, endpoints }) =>
      chunks(endpoints).map((chunk): SliceContent => ({ addressType, ports, endpoints: chunk })),
    );
  });
}

/**
 * The same as Endpoints of core/v1 tell it: of the service's first family of addresses, without pods that are being deleted,
 * and no more than a thousand, those that are ready first. PURE.
 */
export function endpointSubsets(
  spec: Service['spec'],
  slices: readonly SliceContent[],
): { subsets: EndpointSubset[]; isTruncated: boolean } {
  const family = spec.ipFamilies?.[0] === 'IPv6' ? 'IPv6' : 'IPv4';
  const told = slices.filter(({ addressType, ports }) => {
    // A pod has none of the ports by the names that the service gives.
    const hasPorts = ports.length > 0 || (spec.ports ?? []).length === 0;
    return addressType === family && hasPorts;
  });
  const isReady = ({ conditions }: Endpoint) => conditions?.ready === true;
  const isNotReady = (endpoint: Endpoint) => !isReady(endpoint) && endpoint.conditions?.terminating !== true;
  const count = (which: (endpoint: Endpoint) => boolean) =>
    told.reduce((sum, { endpoints }) => sum + endpoints.filter(which).length, 0);
  let readyLeft = MAX_ADDRESSES;
  let notReadyLeft = Math.max(0, MAX_ADDRESSES - count(isReady));
  const subsets = new Map<string, Required<Pick<EndpointSubset, 'addresses' | 'notReadyAddresses' | 'ports'>>>();
  for (const { ports, endpoints } of told) {
    const key = JSON.stringify(ports);
    const subset = subsets.get(key) ?? { addresses: [], notReadyAddresses: [], ports: subsetPorts(ports) };
    subsets.set(key, subset);
    const ready = endpoints.filter(isReady).slice(0, readyLeft);
    const notReady = endpoints.filter(isNotReady).slice(0, notReadyLeft);
    readyLeft -= ready.length;
    notReadyLeft -= notReady.length;
    subset.addresses.push(...ready.map(addressOf));
    subset.notReadyAddresses.push(...notReady.map(addressOf));
  }
  return {
    subsets: [...subsets.values()]
      .filter(({ addresses, notReadyAddresses }) => addresses.length + notReadyAddresses.length > 0)
      .map(withoutEmptyLists),
    isTruncated: count(isReady) + count(isNotReady) > MAX_ADDRESSES,
  };
}

function subsetPorts(ports: readonly EndpointPort[]): NonNullable<EndpointSubset['ports']> {
  return ports.map(({ name, port = 0, protocol, appProtocol }) => ({
    ...(name ? { name } : {}),
    port,
    ...(protocol === undefined ? {} : { protocol }),
    ...(appProtocol === undefined ? {} : { appProtocol }),
  }));
}

function addressOf({ addresses: [ip = ''], hostname, nodeName, targetRef }: Endpoint): EndpointAddress {
  return {
    ip,
    ...(hostname === undefined ? {} : { hostname }),
    ...(nodeName === undefined ? {} : { nodeName }),
    ...(targetRef === undefined ? {} : { targetRef }),
  };
}

function withoutEmptyLists({ addresses = [], notReadyAddresses = [], ports = [] }: EndpointSubset): EndpointSubset {
  return {
    ...(addresses.length > 0 ? { addresses } : {}),
    ...(notReadyAddresses.length > 0 ? { notReadyAddresses } : {}),
    ...(ports.length > 0 ? { ports } : {}),
  };
}

/** Whether a slice is one that the daemon writes for the service. */
export function isSliceOf(serviceName: string, { metadata }: Pick<EndpointSlice, 'metadata'>): boolean {
  const labels = metadata.labels ?? {};
  return labels[SERVICE_NAME_LABEL] === serviceName && labels[MANAGED_BY_LABEL] === SLICE_MANAGER;
}

function isSelected(selector: Readonly<Record<string, string>>, { metadata }: Pod): boolean {
  const labels = metadata.labels ?? {};
  return Object.entries(selector).every(([key, value]) => Object.hasOwn(labels, key) && labels[key] === value);
}

function hasEnded({ status }: Pod): boolean {
  return status?.phase === 'Succeeded' || status?.phase === 'Failed';
}

function addressesOf({ status }: Pod, family: 'IPv4' | 'IPv6'): string[] {
  const ips = (status?.podIPs ?? []).map(({ ip }) => ip);
  return ips.filter((ip) => isIPv6(ip) === (family === 'IPv6')).slice(0, 1);
}

/** A named port that the pod does not have is left out. */
function portsOf(ports: readonly ServicePort[], pod: Pod): EndpointPort[] {
  return ports.flatMap(({ name = '', protocol = 'TCP', port, targetPort = port, appProtocol }) => {
    const number = typeof targetPort === 'number' ? targetPort : namedPort(pod, targetPort, protocol);
    if (number === undefined) return [];
    return [{ name, protocol, port: number, ...(appProtocol === undefined ? {} : { appProtocol }) }];
  });
}

function namedPort({ spec }: Pod, wanted: string, protocol: string): number | undefined {
  const sidecars = (spec.initContainers ?? []).filter(({ restartPolicy }) => restartPolicy === 'Always');
  const ports = [...spec.containers, ...sidecars].flatMap((container) => container.ports ?? []);
  return ports.find((port) => port.name === wanted && (port.protocol ?? 'TCP') === protocol)?.containerPort;
}

function endpointOf(serviceName: string, publishNotReady: boolean, pod: Pod, addresses: string[]): Endpoint {
  const { metadata, spec, status } = pod;
  const serving = status?.conditions?.some(({ type, status }) => type === 'Ready' && status === 'True') ?? false;
  const terminating = metadata.deletionTimestamp !== undefined;
  const hasName = spec.hostname !== undefined && spec.hostname !== '' && spec.subdomain === serviceName;
  return {
    addresses,
    conditions: { ready: publishNotReady || (serving && !terminating), serving, terminating },
    ...(hasName ? { hostname: spec.hostname } : {}),
    targetRef: { kind: 'Pod', namespace: metadata.namespace, name: metadata.name, uid: metadata.uid },
    ...(spec.nodeName ? { nodeName: spec.nodeName } : {}),
  };
}

function chunks(endpoints: readonly Endpoint[]): Endpoint[][] {
  const result: Endpoint[][] = [];
  for (let from = 0; from < endpoints.length; from += MAX_ENDPOINTS_PER_SLICE) {
    result.push(endpoints.slice(from, from + MAX_ENDPOINTS_PER_SLICE));
  }
  return result;
}
