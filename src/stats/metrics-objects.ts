import type { KubeObject } from '../api/meta.ts';
import type { NodeMetrics, PodMetrics, ResourceUsage } from '../api/metrics-kinds.ts';
import type { CgroupUsage, NodeUsage, PodUsage } from './usage.ts';

/** Usage as `metrics.k8s.io/v1beta1` tells it. PURE. */

/** Undefined while there is no rate yet. @param node the Node object. */
export function nodeMetrics(usage: NodeUsage, node: KubeObject): NodeMetrics | undefined {
  const used = resourceUsage(usage);
  if (!used) return undefined;
  return {
    kind: 'NodeMetrics',
    apiVersion: 'metrics.k8s.io/v1beta1',
    metadata: metadataOf(node, usage.atMs),
    timestamp: rfc3339(usage.atMs),
    window: windowText([usage]),
    usage: used,
  };
}

/** Undefined while no container has a rate. @param pod the Pod object. */
export function podMetrics(usage: PodUsage, pod: KubeObject): PodMetrics | undefined {
  const containers = usage.containers.flatMap((container) => {
    const used = resourceUsage(container);
    return used ? [{ name: container.name, usage: used }] : [];
  });
  if (containers.length === 0) return undefined;
  return {
    kind: 'PodMetrics',
    apiVersion: 'metrics.k8s.io/v1beta1',
    metadata: metadataOf(pod, usage.atMs),
    timestamp: rfc3339(usage.atMs),
    window: windowText(usage.containers),
    containers,
  };
}

function metadataOf({ metadata }: KubeObject, atMs: number): KubeObject['metadata'] {
  const { name, namespace, uid, labels } = metadata;
  return {
    name,
    uid,
    ...(namespace === undefined ? {} : { namespace }),
    creationTimestamp: rfc3339(atMs),
    ...(labels === undefined ? {} : { labels }),
  };
}

function resourceUsage({ cpu, memory }: CgroupUsage): ResourceUsage | undefined {
  if (!cpu?.rate || !memory) return undefined;
  return { cpu: `${cpu.rate.nanoCores}n`, memory: `${Math.round(memory.workingSetBytes / 1024)}Ki` };
}

/** The longest, in Go's words. */
function windowText(usages: readonly CgroupUsage[]): string {
  const longest = Math.max(...usages.map(({ cpu }) => cpu?.rate?.windowMs ?? 0));
  return `${Math.round(longest) / 1000}s`;
}

function rfc3339(atMs: number): string {
  return new Date(atMs).toISOString().replace(/\.\d+Z$/, 'Z');
}
