import type { Pod, Probe } from '../pod.ts';
import {
  appArmorAnnotationPrefix,
  seccompContainerPrefix,
  seccompPodAnnotation,
} from '../pod-validation/annotations.ts';
import {
  type AnyContainer,
  type Check,
  everyContainer,
  hasUserNamespace,
  namesOf,
  plural,
  podAndContainers,
  quoted,
  sortedSet,
  theContainers,
  type Violation,
} from './check.ts';

/** What the level baseline forbids: known ways from a pod to the host. Reasons and details are Kubernetes' words. */

const capabilities = new Set([
  'AUDIT_WRITE',
  'CHOWN',
  'DAC_OVERRIDE',
  'FOWNER',
  'FSETID',
  'KILL',
  'MKNOD',
  'NET_BIND_SERVICE',
  'SETFCAP',
  'SETGID',
  'SETPCAP',
  'SETUID',
  'SYS_CHROOT',
]);

/** With the minor version of Kubernetes that began to allow them. */
const sysctls: Readonly<Record<string, number>> = {
  'kernel.shm_rmid_forced': 0,
  'net.ipv4.ip_local_port_range': 0,
  'net.ipv4.tcp_syncookies': 0,
  'net.ipv4.ping_group_range': 0,
  'net.ipv4.ip_unprivileged_port_start': 0,
  'net.ipv4.ip_local_reserved_ports': 27,
  'net.ipv4.tcp_keepalive_time': 29,
  'net.ipv4.tcp_fin_timeout': 29,
  'net.ipv4.tcp_keepalive_intvl': 29,
  'net.ipv4.tcp_keepalive_probes': 29,
  'net.ipv4.tcp_rmem': 32,
  'net.ipv4.tcp_wmem': 32,
};

const seLinuxTypes = ['', 'container_t', 'container_init_t', 'container_kvm_t'];

/** In the order in which violations are told. */
export const baselineChecks: readonly Check[] = [
  { id: 'appArmorProfile', versions: [{ since: 0, check: appArmorProfile }] },
  { id: 'capabilities_baseline', versions: [{ since: 0, check: addedCapabilities }] },
  { id: 'hostNamespaces', versions: [{ since: 0, check: hostNamespaces }] },
  { id: 'hostPathVolumes', versions: [{ since: 0, check: hostPathVolumes }] },
  { id: 'hostPorts', versions: [{ since: 0, check: hostPorts }] },
  { id: 'hostProbesAndHostLifecycle', versions: [{ since: 34, check: probeHosts }] },
  { id: 'privileged', versions: [{ since: 0, check: privileged }] },
  {
    id: 'procMount',
    versions: [
      { since: 0, check: procMount },
      { since: 35, check: (pod) => (hasUserNamespace(pod) ? undefined : procMount(pod)) },
    ],
  },
  {
    id: 'seLinuxOptions',
    versions: [
      { since: 0, check: (pod) => seLinuxOptions(pod, seLinuxTypes) },
      { since: 31, check: (pod) => seLinuxOptions(pod, [...seLinuxTypes, 'container_engine_t']) },
    ],
  },
  {
    id: 'seccompProfile_baseline',
    versions: [
      { since: 0, check: seccompAnnotations },
      { since: 19, check: seccompProfile },
    ],
  },
  {
    id: 'sysctls',
    versions: [0, 27, 29, 32].map((since) => ({ since, check: (pod: Pod) => forbiddenSysctls(pod, since) })),
  },
  { id: 'windowsHostProcess', versions: [{ since: 0, check: windowsHostProcess }] },
];

function appArmorProfile(pod: Pod): Violation | undefined {
  const allowed = ['RuntimeDefault', 'Localhost'];
  const isBad = (type: string | undefined) => type !== undefined && !allowed.includes(type);
  const ofPod = pod.spec.securityContext?.appArmorProfile?.type;
  const typeOf = ({ securityContext }: AnyContainer) => securityContext?.appArmorProfile?.type;
  const bad = namesOf(pod, (container) => isBad(typeOf(container)));
  const annotations = Object.entries(pod.metadata.annotations ?? {})
    .filter(([key, value]) => key.startsWith(appArmorAnnotationPrefix) && !isAppArmorText(value))
    .map(([key, value]) => `${key}=${JSON.stringify(value)}`);
  const values = [
    ...sortedSet([ofPod, ...everyContainer(pod).map(typeOf)].filter((type) => type !== undefined).filter(isBad)),
    ...sortedSet(annotations),
  ];
  if (values.length === 0) return undefined;
  const setters = podAndContainers(isBad(ofPod), bad);
  const all = [setters, annotations.length > 0 ? plural('annotation', annotations) : ''].filter(Boolean).join(' and ');
  return {
    reason: plural('forbidden AppArmor profile', values),
    detail: `${all} must not set AppArmor profile type to ${quoted(values)}`,
  };
}

function isAppArmorText(value: string): boolean {
  return value === '' || value === 'runtime/default' || value.startsWith('localhost/');
}

function addedCapabilities(pod: Pod): Violation | undefined {
  const added = ({ securityContext }: AnyContainer) =>
    (securityContext?.capabilities?.add ?? []).filter((name) => !capabilities.has(name));
  const bad = namesOf(pod, (container) => added(container).length > 0);
  if (bad.length === 0) return undefined;
  const names = quoted(sortedSet(everyContainer(pod).flatMap(added)));
  return {
    reason: 'non-default capabilities',
    detail: `${theContainers(bad)} must not include ${names} in securityContext.capabilities.add`,
  };
}

function hostNamespaces({ spec }: Pod): Violation | undefined {
  const bad = (['hostNetwork', 'hostPID', 'hostIPC'] as const).filter((field) => spec[field]);
  if (bad.length === 0) return undefined;
  return { reason: 'host namespaces', detail: bad.map((field) => `${field}=true`).join(', ') };
}

function hostPathVolumes({ spec }: Pod): Violation | undefined {
  const bad = (spec.volumes ?? []).filter(({ hostPath }) => hostPath).map(({ name }) => name);
  if (bad.length === 0) return undefined;
  return { reason: 'hostPath volumes', detail: `${plural('volume', bad)} ${quoted(bad)}` };
}

function hostPorts(pod: Pod): Violation | undefined {
  const portsOf = ({ ports = [] }: AnyContainer) => ports.flatMap(({ hostPort }) => (hostPort ? [`${hostPort}`] : []));
  const bad = namesOf(pod, (container) => portsOf(container).length > 0);
  if (bad.length === 0) return undefined;
  const ports = sortedSet(everyContainer(pod).flatMap(portsOf));
  const use = bad.length === 1 ? 'uses' : 'use';
  return {
    reason: 'hostPort',
    detail: `${theContainers(bad)} ${use} ${plural('hostPort', ports)} ${ports.join(', ')}`,
  };
}

/** A probe of another host would have the node ask where the pod cannot. */
function probeHosts(pod: Pod): Violation | undefined {
  type Handler = Pick<Probe, 'httpGet' | 'tcpSocket'> | undefined;
  const hostsOf = (container: AnyContainer) => {
    const { livenessProbe, readinessProbe, startupProbe, lifecycle } = container;
    const handlers: Handler[] = [livenessProbe, readinessProbe, startupProbe, lifecycle?.postStart, lifecycle?.preStop];
    return handlers.flatMap((handler) => [handler?.httpGet?.host, handler?.tcpSocket?.host]).filter((host) => host);
  };
  const bad = sortedSet(namesOf(pod, (container) => hostsOf(container).length > 0));
  if (bad.length === 0) return undefined;
  const hosts = sortedSet(everyContainer(pod).flatMap((container) => hostsOf(container).map(String)));
  const use = bad.length === 1 ? 'uses' : 'use';
  return {
    reason: 'probe or lifecycle host',
    detail: `${theContainers(bad)} ${use} ${plural('probe or lifecycle host', hosts)} ${quoted(hosts)}`,
  };
}

function privileged(pod: Pod): Violation | undefined {
  const bad = namesOf(pod, ({ securityContext }) => securityContext?.privileged === true);
  if (bad.length === 0) return undefined;
  return { reason: 'privileged', detail: `${theContainers(bad)} must not set securityContext.privileged=true` };
}

export function procMount(pod: Pod): Violation | undefined {
  const typeOf = ({ securityContext }: AnyContainer) => securityContext?.procMount ?? 'Default';
  const bad = namesOf(pod, (container) => typeOf(container) !== 'Default');
  if (bad.length === 0) return undefined;
  const types = sortedSet(everyContainer(pod).map(typeOf)).filter((type) => type !== 'Default');
  return {
    reason: 'procMount',
    detail: `${theContainers(bad)} must not set securityContext.procMount to ${quoted(types)}`,
  };
}

function seLinuxOptions(pod: Pod, allowedTypes: readonly string[]): Violation | undefined {
  const ofPod = pod.spec.securityContext?.seLinuxOptions;
  type Options = typeof ofPod;
  const hasBadType = (options: Options) => !allowedTypes.includes(options?.type ?? '');
  const isBad = (options: Options) => hasBadType(options) || Boolean(options?.user) || Boolean(options?.role);
  const bad = namesOf(pod, ({ securityContext }) => isBad(securityContext?.seLinuxOptions));
  const setters = podAndContainers(isBad(ofPod), bad);
  if (setters === '') return undefined;
  const all = [ofPod, ...everyContainer(pod).map(({ securityContext }) => securityContext?.seLinuxOptions)];
  const types = sortedSet(all.filter(hasBadType).map((options) => options?.type ?? ''));
  const data = [
    ...(types.length > 0 ? [`${plural('type', types)} ${quoted(types)}`] : []),
    ...(all.some((options) => options?.user) ? ['user may not be set'] : []),
    ...(all.some((options) => options?.role) ? ['role may not be set'] : []),
  ];
  return {
    reason: 'seLinuxOptions',
    detail: `${setters} set forbidden securityContext.seLinuxOptions: ${data.join('; ')}`,
  };
}

function seccompAnnotations(pod: Pod): Violation | undefined {
  const keys = [seccompPodAnnotation, ...everyContainer(pod).map(({ name }) => `${seccompContainerPrefix}${name}`)];
  const bad = sortedSet(
    keys.flatMap((key) => {
      const value = pod.metadata.annotations?.[key];
      return value === undefined || isSeccompText(value) ? [] : [`${key}=${JSON.stringify(value)}`];
    }),
  );
  if (bad.length === 0) return undefined;
  return { reason: 'seccompProfile', detail: `forbidden ${plural('annotation', bad)} ${bad.join(', ')}` };
}

function isSeccompText(value: string): boolean {
  return value === 'runtime/default' || value === 'docker/default' || value.startsWith('localhost/');
}

/** A profile that is named must be one. */
export function seccompProfile(pod: Pod): Violation | undefined {
  const isBad = (type: string | undefined) => type === 'Unconfined';
  const typeOf = ({ securityContext }: AnyContainer) => securityContext?.seccompProfile?.type;
  const ofPod = isBad(pod.spec.securityContext?.seccompProfile?.type);
  const setters = podAndContainers(
    ofPod,
    namesOf(pod, (container) => isBad(typeOf(container))),
  );
  if (setters === '') return undefined;
  return {
    reason: 'seccompProfile',
    detail: `${setters} must not set securityContext.seccompProfile.type to "Unconfined"`,
  };
}

function forbiddenSysctls({ spec }: Pod, version: number): Violation | undefined {
  const isAllowed = (name: string) => Object.hasOwn(sysctls, name) && (sysctls[name] ?? Number.NaN) <= version;
  const bad = (spec.securityContext?.sysctls ?? []).map(({ name }) => name).filter((name) => !isAllowed(name));
  return bad.length === 0 ? undefined : { reason: 'forbidden sysctls', detail: bad.join(', ') };
}

function windowsHostProcess(pod: Pod): Violation | undefined {
  const bad = namesOf(pod, ({ securityContext }) => securityContext?.windowsOptions?.hostProcess === true);
  const setters = podAndContainers(pod.spec.securityContext?.windowsOptions?.hostProcess === true, bad);
  if (setters === '') return undefined;
  return {
    reason: 'hostProcess',
    detail: `${setters} must not set securityContext.windowsOptions.hostProcess=true`,
  };
}
