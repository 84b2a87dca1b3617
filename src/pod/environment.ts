import { expand } from '../api/expansion.ts';
import type { Container, EnvVar, Pod } from '../api/pod.ts';
import { cpuMilli, quantityNumber } from '../api/quantity.ts';

/** What a container's environment can tell of its pod and node beside the manifest. */
export interface EnvironmentFacts {
  readonly podIPs: readonly string[];
  readonly hostIPs: readonly string[];
  readonly nodeName: string;
  /** What "unlimited" means here: the node's allocatable, as quantities. */
  readonly allocatable: Readonly<Record<string, string>>;
}

export interface EnvEntry {
  readonly key: string;
  readonly value: string;
}

/** A variable that cannot be computed; shown as `CreateContainerConfigError`. */
export class EnvironmentError extends Error {}

/**
 * The container's environment in the manifest's order. A later variable may use earlier ones as `$(NAME)`; of two with
 * the same name the later one wins, at its own place. PURE.
 *
 * @throws EnvironmentError naming the variable.
 */
export function containerEnvironment(pod: Pod, container: Container, facts: EnvironmentFacts): EnvEntry[] {
  const values = new Map<string, string>();
  for (const variable of container.env ?? []) {
    const value = variable.valueFrom
      ? valueFrom(pod, container, variable, facts)
      : expand(variable.value ?? '', values);
    // A name that is set again moves to the end, so that what it was expanded from stands before it.
    values.delete(variable.name);
    values.set(variable.name, value);
  }
  return [...values].map(([key, value]) => ({ key, value }));
}

/** `command` or `args` with `$(NAME)` filled in from the container's environment. PURE. */
export function expandAll(texts: readonly string[] | undefined, environment: readonly EnvEntry[]): string[] {
  const values = new Map(environment.map(({ key, value }) => [key, value]));
  return (texts ?? []).map((text) => expand(text, values));
}

/**
 * The parts of volumes that a container mounts, by the index of the volumeMount: `subPath` as it is, `subPathExpr` filled
 * in from the container's environment. One that comes to nothing is the whole volume. PURE.
 *
 * @throws EnvironmentError for a variable that is not set (other than in `command`, which keeps it as it is written), and
 *   for what no manifest may have: an absolute path, `..` (makeMounts in pkg/kubelet/kubelet_pods.go).
 */
export function containerSubPaths(container: Container, environment: readonly EnvEntry[]): Map<number, string> {
  const values = new Map(environment.map(({ key, value }) => [key, value]));
  const subPaths = new Map<number, string>();
  for (const [index, mount] of (container.volumeMounts ?? []).entries()) {
    const subPath = mount.subPathExpr ? expand(mount.subPathExpr, values, requireValue) : (mount.subPath ?? '');
    if (subPath.startsWith('/')) {
      throw new EnvironmentError(`error SubPath \`${subPath}\` must not be an absolute path`);
    }
    if (subPath.split('/').includes('..')) {
      throw new EnvironmentError(`unable to provision SubPath \`${subPath}\`: must not contain '..'`);
    }
    if (subPath !== '') subPaths.set(index, subPath);
  }
  return subPaths;
}

function requireValue(_whole: string, name: string): never {
  throw new EnvironmentError(`missing value for ${JSON.stringify(name)}`);
}

function valueFrom(pod: Pod, container: Container, variable: EnvVar, facts: EnvironmentFacts): string {
  const { fieldRef, resourceFieldRef } = variable.valueFrom ?? {};
  if (fieldRef) return fieldValue(pod, fieldRef.fieldPath, variable.name, facts);
  if (resourceFieldRef) {
    const ownerName = resourceFieldRef.containerName || container.name;
    const owner =
      ownerName === container.name ? container : pod.spec.containers.find((item) => item.name === ownerName);
    if (!owner) {
      throw new EnvironmentError(`env ${variable.name}: container ${resourceFieldRef.containerName} not found`);
    }
    return resourceValue(owner, resourceFieldRef.resource, resourceFieldRef.divisor, variable.name, facts);
  }
  throw new EnvironmentError(`env ${variable.name}: this valueFrom is not supported`);
}

function fieldValue(pod: Pod, path: string, variable: string, facts: EnvironmentFacts): string {
  const { metadata, spec } = pod;
  const subscript = /^metadata\.(labels|annotations)\['(.*)'\]$/.exec(path);
  if (subscript) {
    const map = (subscript[1] === 'labels' ? metadata.labels : metadata.annotations) ?? {};
    const key = subscript[2] ?? '';
    return Object.hasOwn(map, key) ? (map[key] ?? '') : '';
  }
  switch (path) {
    case 'metadata.name':
      return metadata.name ?? '';
    case 'metadata.namespace':
      return metadata.namespace ?? '';
    case 'metadata.uid':
      return metadata.uid ?? '';
    case 'spec.nodeName':
      return facts.nodeName;
    case 'spec.serviceAccountName':
      return spec.serviceAccountName ?? '';
    case 'status.podIP':
      return facts.podIPs[0] ?? '';
    case 'status.podIPs':
      return facts.podIPs.join(',');
    case 'status.hostIP':
      return facts.hostIPs[0] ?? '';
    case 'status.hostIPs':
      return facts.hostIPs.join(',');
    default:
      throw new EnvironmentError(`env ${variable}: unsupported fieldPath: ${path}`);
  }
}

/** Requests and limits in units of the divisor, rounded up (pkg/api/v1/resource/helpers.go). */
function resourceValue(
  container: Container,
  path: string,
  divisor: string | number | undefined,
  variable: string,
  facts: EnvironmentFacts,
): string {
  const match = /^(limits|requests)\.(cpu|memory|ephemeral-storage|hugepages-\w+)$/.exec(path);
  const kind = match?.[1];
  const resource = match?.[2];
  if (!kind || !resource) throw new EnvironmentError(`env ${variable}: unsupported container resource: ${path}`);
  const own = (kind === 'limits' ? container.resources?.limits : container.resources?.requests) ?? {};
  const quantity = own[resource] ?? (kind === 'limits' ? facts.allocatable[resource] : undefined) ?? '0';
  const unit = divisor === undefined || String(divisor) === '0' ? '1' : String(divisor);
  const ratio =
    resource === 'cpu' ? cpuMilli(quantity) / cpuMilli(unit) : quantityNumber(quantity) / quantityNumber(unit);
  return String(Math.ceil(ratio));
}
