import type { Container, Pod, PodSpec } from './pod.ts';
import { hasPodLevelResources } from './pod-resources.ts';
import { addQuantity, compareQuantity, parseQuantity, type Quantity } from './quantity.ts';

export type QosClass = 'Guaranteed' | 'Burstable' | 'BestEffort';

const computeResources = ['cpu', 'memory'] as const;

/**
 * The quality-of-service class, by the rules of Kubernetes' pkg/apis/core/v1/helper/qos: Guaranteed when cpu and
 * memory are limited everywhere and requests equal limits, BestEffort when nothing is requested or limited.
 * Pod-level resources, where set, decide alone. Ephemeral containers do not count.
 */
export function qosClass(pod: Pick<Pod, 'spec'>): QosClass {
  const requests = new Map<string, Quantity>();
  const limits = new Map<string, Quantity>();
  let allLimited = true;
  for (const resources of resourceOwners(pod.spec)) {
    collect(requests, resources?.requests);
    const limited = collect(limits, resources?.limits);
    if (limited < computeResources.length) allLimited = false;
  }
  if (requests.size === 0 && limits.size === 0) return 'BestEffort';
  if (!allLimited || requests.size !== limits.size) return 'Burstable';
  for (const [name, request] of requests) {
    const limit = limits.get(name);
    if (limit === undefined || compareQuantity(limit, request) !== 0) return 'Burstable';
  }
  return 'Guaranteed';
}

function resourceOwners(spec: PodSpec): (Container['resources'] | undefined)[] {
  if (hasPodLevelResources(spec)) return [spec.resources];
  return [...spec.containers, ...(spec.initContainers ?? [])].map((container) => container.resources);
}

/** Adds cpu and memory above zero to the total; returns how many of them there were. */
function collect(total: Map<string, Quantity>, list: Readonly<Record<string, string>> | undefined): number {
  let found = 0;
  for (const name of computeResources) {
    const text = list?.[name];
    if (text === undefined) continue;
    const value = parseQuantity(text);
    if (value.nanos <= 0n) continue;
    found++;
    const current = total.get(name);
    total.set(name, current === undefined ? value : addQuantity(current, value));
  }
  return found;
}
