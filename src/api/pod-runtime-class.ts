import type { Pod, Toleration } from './pod.ts';
import { compareQuantity } from './quantity.ts';
import type { RuntimeClass } from './runtime-class.ts';

/**
 * Fills in what the pod's runtime class says of its pods, in place (plugin/pkg/admission/runtimeclass of Kubernetes).
 *
 * @param runtimeClass the one that the pod names; undefined when there is none.
 * @returns why the pod is refused, or undefined.
 */
export function applyRuntimeClass({ spec }: Pod, runtimeClass: RuntimeClass | undefined): string | undefined {
  const { runtimeClassName, overhead = {} } = spec;
  if (runtimeClassName && !runtimeClass)
    return `pod rejected: RuntimeClass ${JSON.stringify(runtimeClassName)} not found`;
  const wanted = runtimeClass?.overhead?.podFixed;
  if (Object.keys(overhead).length > 0) {
    if (!wanted) return 'pod rejected: Pod Overhead set without corresponding RuntimeClass defined Overhead';
    if (!isSame(overhead, wanted)) {
      return "pod rejected: Pod's Overhead doesn't match RuntimeClass's defined Overhead";
    }
  }
  if (wanted) spec.overhead = { ...wanted };

  const { nodeSelector = {}, tolerations = [] } = runtimeClass?.scheduling ?? {};
  for (const [key, value] of Object.entries(nodeSelector)) {
    const own = spec.nodeSelector?.[key];
    if (own !== undefined && own !== value) {
      return `conflict: runtimeClass.scheduling.nodeSelector[${key}] = ${value}; pod.spec.nodeSelector[${key}] = ${own}`;
    }
  }
  if (Object.keys(nodeSelector).length > 0) spec.nodeSelector = { ...spec.nodeSelector, ...nodeSelector };
  const missing = tolerations.filter((toleration) => !spec.tolerations?.some((own) => sameToleration(own, toleration)));
  if (missing.length > 0) spec.tolerations = [...(spec.tolerations ?? []), ...missing];
  return undefined;
}

function isSame(a: Readonly<Record<string, string>>, b: Readonly<Record<string, string>>): boolean {
  const names = Object.keys(a);
  return (
    names.length === Object.keys(b).length &&
    names.every((name) => b[name] !== undefined && compareQuantity(a[name] ?? '0', b[name]) === 0)
  );
}

function sameToleration(a: Toleration, b: Toleration): boolean {
  const keys = ['key', 'operator', 'value', 'effect', 'tolerationSeconds'] as const;
  return keys.every((key) => a[key] === b[key]);
}
