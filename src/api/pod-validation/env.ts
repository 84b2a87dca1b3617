import { type ErrorSink, invalid, notFound, notSupported, required } from '../field-error.ts';
import { checkConfigMapKey, checkDnsLabel, checkDnsSubdomain, checkEnvName, checkQualifiedName } from '../formats.ts';
import { addProblems } from '../meta-validation.ts';
import type { EnvFromSource, EnvVar, FileKeySelector, ObjectFieldSelector, ResourceFieldSelector } from '../pod.ts';
import { canonicalQuantity } from '../quantity.ts';
import { validateNoBacksteps } from './paths.ts';

/** Environment variables, and the downward API that they share with volumes. */

const envFieldPaths = [
  'metadata.name',
  'metadata.namespace',
  'metadata.uid',
  'spec.nodeName',
  'spec.serviceAccountName',
  'status.hostIP',
  'status.hostIPs',
  'status.podIP',
  'status.podIPs',
];

/** Fields that can be named at all; which of them are taken depends on the place. */
const knownFieldPaths = new Set([
  ...envFieldPaths,
  'metadata.annotations',
  'metadata.labels',
  'spec.restartPolicy',
  'spec.schedulerName',
  'status.phase',
]);

const resourceFieldPaths = [
  'limits.cpu',
  'limits.ephemeral-storage',
  'limits.memory',
  'requests.cpu',
  'requests.ephemeral-storage',
  'requests.memory',
];

const sizeDivisors = ['1', '1k', '1M', '1G', '1T', '1P', '1E', '1Ki', '1Mi', '1Gi', '1Ti', '1Pi', '1Ei'];

export function validateEnv(variables: readonly EnvVar[], path: string, errors: ErrorSink): void {
  for (const [index, variable] of variables.entries()) {
    const at = `${path}[${index}]`;
    if (variable.name === '') errors.push(required(`${at}.name`));
    else addProblems(errors, `${at}.name`, variable.name, checkEnvName(variable.name));
    validateValueFrom(variable, `${at}.valueFrom`, errors);
  }
}

export function validateEnvFrom(sources: readonly EnvFromSource[], path: string, errors: ErrorSink): void {
  for (const [index, source] of sources.entries()) {
    const at = `${path}[${index}]`;
    if (source.prefix) addProblems(errors, `${at}.prefix`, source.prefix, checkEnvName(source.prefix));
    const given = (['configMapRef', 'secretRef'] as const).filter((key) => source[key] !== undefined);
    for (const key of given) {
      // A trailing dash passes here, as it does in Kubernetes.
      const name = source[key]?.name ?? '';
      const checked = name.length > 1 && name.endsWith('-') ? `${name.slice(0, -2)}a` : name;
      if (name === '') errors.push(required(`${at}.${key}.name`));
      else addProblems(errors, `${at}.${key}.name`, name, checkDnsSubdomain(checked));
    }
    if (given.length === 0) {
      errors.push(invalid(path, '', 'must specify one of: `configMapRef` or `secretRef`'));
    } else if (given.length > 1) {
      errors.push(invalid(path, '', 'may not have more than one field specified at a time'));
    }
  }
}

/** A pod's field in an environment variable, `metadata.labels['app']`. */
export function validateFieldRef(
  ref: ObjectFieldSelector,
  allowed: readonly string[],
  path: string,
  errors: ErrorSink,
): void {
  if ((ref.apiVersion ?? '') === '') return void errors.push(required(`${path}.apiVersion`));
  if (ref.fieldPath === '') return void errors.push(required(`${path}.fieldPath`));

  const subscripted = splitSubscript(ref.fieldPath);
  const problem = fieldPathProblem(ref, subscripted?.path);
  if (problem !== undefined) {
    errors.push(invalid(`${path}.fieldPath`, ref.fieldPath, `error converting fieldPath: ${problem}`));
  } else if (subscripted) {
    // Annotation keys are compared in lower case, label keys as they are.
    const isAnnotation = subscripted.path === 'metadata.annotations';
    const key = isAnnotation ? subscripted.key.toLowerCase() : subscripted.key;
    addProblems(errors, path, key, checkQualifiedName(key));
  } else {
    const fieldPath = ref.fieldPath === 'spec.host' ? 'spec.nodeName' : ref.fieldPath;
    if (!allowed.includes(fieldPath)) errors.push(notSupported(`${path}.fieldPath`, fieldPath, allowed));
  }
}

/** A container's request or limit. In a volume the container must be named. */
export function validateResourceFieldRef(
  ref: ResourceFieldSelector,
  place: 'env' | 'volume',
  path: string,
  errors: ErrorSink,
): void {
  const isHugePages = /^(requests|limits)\.hugepages-/.test(ref.resource);
  if (place === 'volume' && !ref.containerName) errors.push(required(`${path}.containerName`));
  else if (ref.resource === '') errors.push(required(`${path}.resource`));
  else if (!isHugePages && !resourceFieldPaths.includes(ref.resource)) {
    errors.push(notSupported(`${path}.resource`, ref.resource, resourceFieldPaths));
  }
  validateDivisor(ref, isHugePages, path, errors);
}

/** Files of environment variables are read from emptyDir volumes of the pod. */
export function validateFileKeyVolumes(
  variables: readonly EnvVar[],
  emptyDirs: ReadonlyMap<string, boolean>,
  path: string,
  errors: ErrorSink,
): void {
  for (const [index, variable] of variables.entries()) {
    const volume = variable.valueFrom?.fileKeyRef?.volumeName;
    if (volume === undefined) continue;
    const at = `${path}[${index}].valueFrom.fileKeyRef.volumeName`;
    const isEmptyDir = emptyDirs.get(volume);
    if (isEmptyDir === undefined) errors.push(notFound(at, volume));
    else if (!isEmptyDir) errors.push(invalid(at, volume, 'referenced volume must be of type emptyDir'));
  }
}

/** `metadata.labels['app']` into path and key. */
export function splitSubscript(fieldPath: string): { path: string; key: string } | undefined {
  const start = fieldPath.indexOf("['");
  if (start <= 0 || !fieldPath.endsWith("']") || start + 4 > fieldPath.length) return undefined;
  return { path: fieldPath.slice(0, start), key: fieldPath.slice(start + 2, -2) };
}

function fieldPathProblem(ref: ObjectFieldSelector, subscripted: string | undefined): string | undefined {
  if (ref.apiVersion !== 'v1') return `unsupported pod version: ${ref.apiVersion}`;
  if (subscripted !== undefined) {
    const takesKey = subscripted === 'metadata.annotations' || subscripted === 'metadata.labels';
    return takesKey ? undefined : `field label does not support subscript: ${ref.fieldPath}`;
  }
  if (knownFieldPaths.has(ref.fieldPath) || ref.fieldPath === 'spec.host') return undefined;
  return `field label not supported: ${ref.fieldPath}`;
}

function validateValueFrom(variable: EnvVar, path: string, errors: ErrorSink): void {
  const source = variable.valueFrom;
  if (!source) return;
  let sources = 0;
  if (source.fieldRef) {
    sources++;
    validateFieldRef(source.fieldRef, envFieldPaths, `${path}.fieldRef`, errors);
  }
  if (source.resourceFieldRef) {
    sources++;
    validateResourceFieldRef(source.resourceFieldRef, 'env', `${path}.resourceFieldRef`, errors);
  }
  for (const key of ['configMapKeyRef', 'secretKeyRef'] as const) {
    const ref = source[key];
    if (!ref) continue;
    sources++;
    addProblems(errors, `${path}.${key}.name`, ref.name ?? '', checkDnsSubdomain(ref.name ?? ''));
    if (ref.key === '') errors.push(required(`${path}.${key}.key`));
    else addProblems(errors, `${path}.${key}.key`, ref.key, checkConfigMapKey(ref.key));
  }
  if (source.fileKeyRef) {
    sources++;
    validateFileKeyRef(source.fileKeyRef, `${path}.fileKeyRef`, errors);
  }
  if (sources === 0) {
    const names = '`fieldRef`, `resourceFieldRef`, `configMapKeyRef`, `secretKeyRef` or `fileKeyRef`';
    errors.push(invalid(path, '', `must specify one of: ${names}`));
  } else if (variable.value) {
    errors.push(invalid(path, '', 'may not be specified when `value` is not empty'));
  } else if (sources > 1) {
    errors.push(invalid(path, '', 'may not have more than one field specified at a time'));
  }
}

function validateFileKeyRef(ref: FileKeySelector, path: string, errors: ErrorSink): void {
  if (ref.key === '') errors.push(required(`${path}.key`));
  else addProblems(errors, `${path}.key`, ref.key, checkEnvName(ref.key));
  if (ref.volumeName === '') errors.push(required(`${path}.volumeName`));
  else addProblems(errors, `${path}.volumeName`, ref.volumeName, checkDnsLabel(ref.volumeName));
  if (ref.path === '') errors.push(required(`${path}.path`));
  else validateNoBacksteps(ref.path, `${path}.path`, errors);
}

function validateDivisor(ref: ResourceFieldSelector, isHugePages: boolean, path: string, errors: ErrorSink): void {
  const divisor = canonicalQuantity(ref.divisor ?? '0');
  if (divisor === '0') return;
  const isKnown = isHugePages || resourceFieldPaths.includes(ref.resource);
  if (!isKnown) return;
  const kind = isHugePages ? 'hugepages' : ref.resource.replace(/^(requests|limits)\./, '');
  if (kind === 'cpu') {
    if (divisor !== '1' && divisor !== '1m') {
      const detail = "only divisor's values 1m and 1 are supported with the cpu resource";
      errors.push(invalid(`${path}.divisor`, ref.resource, detail));
    }
    return;
  }
  const what = kind === 'ephemeral-storage' ? 'local ephemeral storage' : kind;
  if (!sizeDivisors.includes(divisor)) {
    const detail = `only divisor's values ${sizeDivisors.join(', ')} are supported with the ${what} resource`;
    errors.push(invalid(`${path}.divisor`, ref.resource, detail));
  }
}
