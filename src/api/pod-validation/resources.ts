import { duplicate, type ErrorSink, forbidden, invalid, notFound, notSupported, required } from '../field-error.ts';
import { checkDnsLabel, checkQualifiedName } from '../formats.ts';
import { addProblems, negativeMessage } from '../meta-validation.ts';
import type { PodSpec, ResourceClaim, ResourceRequirements } from '../pod.ts';
import { aggregateContainerLimits, aggregateContainerRequests, isPodLevelResource } from '../pod-resources.ts';
import { compareQuantity, parseQuantity, quantityBytes, quantityProblem } from '../quantity.ts';

/** Requests and limits, of containers and of the pod as a whole. */

const quotaResources = [
  'pods',
  'resourcequotas',
  'services',
  'replicationcontrollers',
  'secrets',
  'configmaps',
  'persistentvolumeclaims',
  'services.nodeports',
  'services.loadbalancers',
];

const standardResources = new Set([
  'cpu',
  'memory',
  'ephemeral-storage',
  'storage',
  ...['cpu', 'memory', 'ephemeral-storage', 'storage'].map((name) => `requests.${name}`),
  ...['cpu', 'memory', 'ephemeral-storage'].map((name) => `limits.${name}`),
  ...quotaResources,
]);

const containerResources = new Set(['cpu', 'memory', 'ephemeral-storage']);

const hugePagesPrefix = 'hugepages-';
const maxShownClaims = 20;

type NameRule = (name: string, path: string, errors: ErrorSink) => void;

/** True where requests may be lower than limits: Kubernetes' own resources but huge pages. */
function isOvercommitAllowed(name: string): boolean {
  return isNative(name) && !name.startsWith(hugePagesPrefix);
}

function isNative(name: string): boolean {
  return !name.includes('/') || name.includes('kubernetes.io/');
}

/** A resource of a device plugin or the like, `example.com/gpu`: whole numbers only. */
export function isExtendedResource(name: string): boolean {
  return !isNative(name) && !name.startsWith('requests.') && checkQualifiedName(`requests.${name}`).length === 0;
}

export function validateContainerResources(
  resources: ResourceRequirements | undefined,
  podClaims: ReadonlySet<string>,
  path: string,
  errors: ErrorSink,
): void {
  if (resources) validateRequirements(resources, containerResourceName, podClaims, path, errors);
}

/**
 * Pod-level resources: as far as they are set, they hold the containers' requests and huge pages, and no container's
 * limit exceeds them.
 */
export function validatePodResources(
  spec: PodSpec,
  podClaims: ReadonlySet<string>,
  path: string,
  errors: ErrorSink,
): void {
  const resources = spec.resources;
  if (!resources) return;
  if (spec.os?.name === 'windows') return void errors.push(forbidden(path, 'may not be set for a windows pod'));
  if (resources.claims) errors.push(forbidden(`${path}.claims`, 'claims may not be set for Resources at pod-level'));
  validateRequirements(resources, podResourceName, podClaims, path, errors);

  const hugePages = [...aggregateContainerLimits(spec)].filter(([name]) => isHugePages(name));
  const sums = { requests: aggregateContainerRequests(spec), limits: hugePages };
  for (const field of ['requests', 'limits'] as const) {
    for (const [name, value] of sums[field]) {
      const ofPod = resources[field]?.[name];
      if (ofPod !== undefined && compareQuantity(value, ofPod) > 0) {
        const detail = `must be greater than or equal to aggregate container ${field} of ${value}`;
        errors.push(invalid(`${path}.${field}[${name}]`, ofPod, detail));
      }
    }
  }
  for (const [index, container] of spec.containers.entries()) {
    for (const [name, limit] of Object.entries(container.resources?.limits ?? {})) {
      const ofPod = resources.limits?.[name];
      if (ofPod !== undefined && compareQuantity(limit, ofPod) > 0) {
        const detail = `must be less than or equal to pod limits of ${ofPod}`;
        errors.push(invalid(`${path}.containers[${index}][${name}].limits`, limit, detail));
      }
    }
  }
}

/** What the runtime class needs besides the containers. */
export function validateOverhead(overhead: Record<string, string>, path: string, errors: ErrorSink): void {
  validateRequirements({ limits: overhead }, containerResourceName, new Set(), path, errors);
}

/** A quantity of a resource: not negative, whole for resources that have no parts. */
export function validateResourceQuantity(name: string, value: string, path: string, errors: ErrorSink): void {
  const { nanos } = parseQuantity(value);
  if (nanos < 0n) errors.push(invalid(path, value, negativeMessage));
  const isWhole = quotaResources.includes(name) || isExtendedResource(name);
  if (isWhole && nanos % 1_000_000_000n !== 0n) errors.push(invalid(path, value, 'must be an integer'));
}

function validateRequirements(
  resources: ResourceRequirements,
  checkName: NameRule,
  podClaims: ReadonlySet<string>,
  path: string,
  errors: ErrorSink,
): void {
  const { limits = {}, requests = {} } = resources;
  for (const [name, value] of Object.entries(limits)) {
    validateEntry(name, value, checkName, `${path}.limits[${name}]`, errors);
  }
  for (const [name, value] of Object.entries(requests)) {
    validateEntry(name, value, checkName, `${path}.requests[${name}]`, errors);
    validateAgainstLimit(name, value, limits[name], path, errors);
  }
  const names = [...Object.keys(limits), ...Object.keys(requests)];
  if (names.some(isHugePages) && !names.includes('cpu') && !names.includes('memory')) {
    errors.push(forbidden(path, 'HugePages require cpu or memory'));
  }
  validateClaims(resources.claims ?? [], podClaims, `${path}.claims`, errors);
}

function validateEntry(name: string, value: string, checkName: NameRule, path: string, errors: ErrorSink): void {
  checkName(name, path, errors);
  validateResourceQuantity(name, value, path, errors);
  if (isHugePages(name) && !isWholePages(name, value)) {
    errors.push(invalid(path, value, `${value} is not positive integer multiple of ${name}`));
  }
}

function validateAgainstLimit(
  name: string,
  request: string,
  limit: string | undefined,
  path: string,
  errors: ErrorSink,
): void {
  if (limit === undefined) {
    if (!isOvercommitAllowed(name)) {
      errors.push(required(`${path}.limits`, 'Limit must be set for non overcommitable resources'));
    }
    return;
  }
  const order = compareQuantity(request, limit);
  if (order !== 0 && !isOvercommitAllowed(name)) {
    errors.push(invalid(`${path}.requests`, request, `must be equal to ${name} limit of ${limit}`));
  } else if (order > 0) {
    errors.push(invalid(`${path}.requests`, request, `must be less than or equal to ${name} limit of ${limit}`));
  }
}

function resourceName(name: string, path: string, errors: ErrorSink): boolean {
  const problems = checkQualifiedName(name);
  addProblems(errors, path, name, problems);
  if (problems.length > 0) return false;
  const isKnown = name.includes('/') || standardResources.has(name) || isHugePages(name);
  if (!isKnown && !name.startsWith(`requests.${hugePagesPrefix}`)) {
    errors.push(invalid(path, name, 'must be a standard resource type or fully qualified'));
    return false;
  }
  return true;
}

function containerResourceName(name: string, path: string, errors: ErrorSink): void {
  resourceName(name, path, errors);
  if (!name.includes('/')) {
    if (!containerResources.has(name) && !isHugePages(name)) {
      errors.push(invalid(path, name, 'must be a standard resource for containers'));
    }
  } else if (name.split('/').length > 1 && !isNative(name) && !isExtendedResource(name)) {
    errors.push(invalid(path, name, "doesn't follow extended resource name standard"));
  }
}

function podResourceName(name: string, path: string, errors: ErrorSink): void {
  if (resourceName(name, path, errors) && !isPodLevelResource(name)) {
    errors.push(notSupported(path, name, ['cpu', hugePagesPrefix, 'memory']));
  }
}

function isHugePages(name: string): boolean {
  return name.startsWith(hugePagesPrefix);
}

function isWholePages(name: string, value: string): boolean {
  const size = name.slice(hugePagesPrefix.length);
  if (quantityProblem(size) !== undefined) return false;
  const pageBytes = quantityBytes(size);
  return pageBytes > 0n && quantityBytes(value) % pageBytes === 0n;
}

/** Claims that a container uses must be claims of the pod; a claim is used as a whole or by its requests. */
function validateClaims(
  claims: readonly ResourceClaim[],
  podClaims: ReadonlySet<string>,
  path: string,
  errors: ErrorSink,
): void {
  const whole = new Set<string>();
  const parts = new Map<string, Set<string>>();
  for (const [index, { name, request = '' }] of claims.entries()) {
    const at = `${path}[${index}]`;
    if (name === '') {
      errors.push(required(at));
      continue;
    }
    const partsOfClaim = parts.get(name) ?? new Set<string>();
    parts.set(name, partsOfClaim);
    if (whole.has(name)) errors.push(duplicate(at, name));
    else if (request !== '') {
      addProblems(errors, `${at}.request`, request, checkDnsLabel(request));
      if (partsOfClaim.has(request)) errors.push(duplicate(at, `${name}/${request}`));
      partsOfClaim.add(request);
    } else {
      for (const _ of partsOfClaim) errors.push(duplicate(at, name));
      whole.add(name);
    }
    if (!podClaims.has(name)) {
      const names = [...podClaims].slice(0, maxShownClaims).toSorted().join(', ');
      const known = podClaims.size === 0 ? ' which is empty' : `: ${names}`;
      const detail = `must be one of the names in pod.spec.resourceClaims${known}`;
      errors.push({ ...notFound(at, name), detail });
    }
  }
}
