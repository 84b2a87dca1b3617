import type { ConfigSources } from '../api/config-sources.ts';
import { containerNamed, type DownwardFacts, podFieldValue, resourceFieldValue } from '../api/downward-api.ts';
import { expand } from '../api/expansion.ts';
import type { Container, EnvFromSource, EnvVar, FileKeySelector, Pod } from '../api/pod.ts';
import type { Service } from '../api/service.ts';
import type { EnvFiles } from './env-files.ts';
import { serviceEnvironment } from './service-environment.ts';

/** What a container's environment can tell of its pod and node beside the manifest. */
export interface EnvironmentFacts extends DownwardFacts {
  readonly sources: ConfigSources;
  /** Those that the container is told of. */
  readonly services: readonly Service[];
  readonly envFiles: EnvFiles;
}

export interface EnvEntry {
  readonly key: string;
  readonly value: string;
}

/** A variable that cannot be computed; shown as `CreateContainerConfigError`. */
export class EnvironmentError extends Error {}

/**
 * The container's environment in the manifest's order, `envFrom` before `env`. A later variable of `env` may use earlier
 * ones of `env` as `$(NAME)`, and those of services; of two with the same name the later one wins, at its own place. The
 * variables of services follow, where the manifest has none of the name (makeEnvironmentVariables in
 * pkg/kubelet/kubelet_pods.go). PURE.
 *
 * @throws EnvironmentError naming the variable or what is missing; never with a value.
 */
export function containerEnvironment(pod: Pod, container: Container, facts: EnvironmentFacts): EnvEntry[] {
  const fromSources = new Map<string, string>();
  for (const source of container.envFrom ?? []) {
    for (const [key, value] of variablesOf(source, facts.sources))
      setLast(fromSources, `${source.prefix ?? ''}${key}`, value);
  }
  const ofServices = serviceEnvironment(facts.services);
  const values = new Map<string, string>();
  for (const variable of container.env ?? []) {
    const known = { get: (name: string) => values.get(name) ?? ofServices.get(name) };
    const value = variable.valueFrom ? valueFrom(pod, container, variable, facts) : expand(variable.value ?? '', known);
    // Without the optional source that it is from, a variable is not set, unless it was before.
    if (value !== undefined) setLast(values, variable.name, value);
  }
  for (const [name, value] of values) setLast(fromSources, name, value);
  for (const [name, value] of ofServices) if (!fromSources.has(name)) fromSources.set(name, value);
  return [...fromSources].map(([key, value]) => ({ key, value }));
}

/** A name that is set again moves to the end, so that what it was expanded from stands before it. */
function setLast(values: Map<string, string>, name: string, value: string): void {
  // The kernel ends a variable there: the program would see less than was written.
  if (value.includes('\0')) throw new EnvironmentError(`env ${name}: the value has a NUL character`);
  values.delete(name);
  values.set(name, value);
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

/** The variables of a whole ConfigMap or Secret, sorted by name; none when an optional one is missing. */
function variablesOf({ configMapRef, secretRef }: EnvFromSource, sources: ConfigSources): [string, string][] {
  const sorted = (data: Readonly<Record<string, string>>) => Object.entries(data).sort(([a], [b]) => (a < b ? -1 : 1));
  if (configMapRef) {
    const configMap = required('configmap', configMapRef, (name) => sources.configMap(name));
    return sorted(configMap?.data ?? {});
  }
  if (secretRef) {
    const secret = required('secret', secretRef, (name) => sources.secret(name));
    return sorted(secret?.data ?? {}).map(([key, value]) => [key, decoded(key, value)]);
  }
  return [];
}

/** Undefined when an optional source, or its key, is missing. */
function valueFrom(
  pod: Pod,
  container: Container,
  { name, valueFrom: source }: EnvVar,
  facts: EnvironmentFacts,
): string | undefined {
  const { fieldRef, resourceFieldRef, configMapKeyRef, secretKeyRef, fileKeyRef } = source ?? {};
  const { sources } = facts;
  if (fieldRef) {
    const value = podFieldValue(pod, fieldRef.fieldPath, facts);
    if (value === undefined) throw new EnvironmentError(`env ${name}: unsupported fieldPath: ${fieldRef.fieldPath}`);
    return value;
  }
  if (resourceFieldRef) {
    const { containerName, resource } = resourceFieldRef;
    const owner = containerName ? containerNamed(pod, containerName) : container;
    if (!owner) throw new EnvironmentError(`env ${name}: container ${containerName} not found`);
    const value = resourceFieldValue(owner, resourceFieldRef, facts.allocatable);
    if (value === undefined) throw new EnvironmentError(`env ${name}: unsupported container resource: ${resource}`);
    return value;
  }
  if (configMapKeyRef) {
    const configMap = required('configmap', configMapKeyRef, (wanted) => sources.configMap(wanted));
    return configMap && keyOf(pod, 'ConfigMap', configMapKeyRef, configMap.data);
  }
  if (secretKeyRef) {
    const secret = required('secret', secretKeyRef, (wanted) => sources.secret(wanted));
    const value = secret && keyOf(pod, 'Secret', secretKeyRef, secret.data);
    return value === undefined ? undefined : decoded(secretKeyRef.key, value);
  }
  if (fileKeyRef) return fileKeyOf(fileKeyRef, facts.envFiles);
  throw new EnvironmentError(`env ${name}: this valueFrom is not supported`);
}

function fileKeyOf(ref: FileKeySelector, files: EnvFiles): string | undefined {
  const found = files.get(ref);
  if (found === undefined) {
    if (ref.optional) return undefined;
    throw new EnvironmentError(
      `environment variable key ${JSON.stringify(ref.key)} not found in file ${JSON.stringify(ref.path)}`,
    );
  }
  if ('value' in found) return found.value;
  throw new EnvironmentError(
    `couldn't read file ${JSON.stringify(ref.path)} of volume ${ref.volumeName}: ${found.problem}`,
  );
}

function required<T>(
  what: 'configmap' | 'secret',
  { name = '', optional }: { readonly name?: string | undefined; readonly optional?: boolean | undefined },
  find: (name: string) => T | undefined,
): T | undefined {
  const found = find(name);
  if (found === undefined && !optional) throw new EnvironmentError(`${what} ${JSON.stringify(name)} not found`);
  return found;
}

function keyOf(
  pod: Pod,
  what: 'ConfigMap' | 'Secret',
  { name, key, optional }: { readonly name?: string; readonly key: string; readonly optional?: boolean },
  data: Readonly<Record<string, string>> = {},
): string | undefined {
  if (Object.hasOwn(data, key)) return data[key];
  if (optional) return undefined;
  throw new EnvironmentError(`couldn't find key ${key} in ${what} ${pod.metadata.namespace}/${name}`);
}

/** The text that a Secret's bytes are. Other bytes cannot pass CRI. */
function decoded(key: string, base64: string): string {
  try {
    return new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(Buffer.from(base64, 'base64'));
  } catch (error) {
    if (!(error instanceof TypeError)) throw error;
    throw new EnvironmentError(`the value of key ${key} is no UTF-8 text: only a volume can have it`);
  }
}
