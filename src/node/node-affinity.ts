import type { NodeSelector, NodeSelectorRequirement, NodeSelectorTerm, Pod } from '../api/pod.ts';

/**
 * Whether a pod's nodeSelector and its required node affinity let it run here. Preferences do not count. PURE
 * (component-helpers/scheduling/corev1/nodeaffinity.)
 */
export function matchesNode(pod: Pod, node: { name: string; labels: Readonly<Record<string, string>> }): boolean {
  for (const [key, value] of Object.entries(pod.spec.nodeSelector ?? {})) {
    if (labelOf(node.labels, key) !== value) return false;
  }
  const required = pod.spec.affinity?.nodeAffinity?.requiredDuringSchedulingIgnoredDuringExecution;
  return required === undefined || matchesNodeSelector(required, node);
}

/** Whether any of the terms lets it be this node. PURE. */
export function matchesNodeSelector(
  { nodeSelectorTerms }: NodeSelector,
  node: { name: string; labels: Readonly<Record<string, string>> },
): boolean {
  return nodeSelectorTerms.some((term) => matchesTerm(term, node));
}

/** A term without a requirement matches nothing, not everything. */
function matchesTerm(
  { matchExpressions = [], matchFields = [] }: NodeSelectorTerm,
  node: { name: string; labels: Readonly<Record<string, string>> },
): boolean {
  if (matchExpressions.length === 0 && matchFields.length === 0) return false;
  return (
    matchExpressions.every((requirement) => matchesRequirement(requirement, labelOf(node.labels, requirement.key))) &&
    matchFields.every((requirement) =>
      matchesRequirement(requirement, requirement.key === 'metadata.name' ? node.name : undefined),
    )
  );
}

function matchesRequirement({ operator, values = [] }: NodeSelectorRequirement, value: string | undefined): boolean {
  switch (operator) {
    case 'In':
      return value !== undefined && values.includes(value);
    case 'NotIn':
      return value === undefined || !values.includes(value);
    case 'Exists':
      return value !== undefined;
    case 'DoesNotExist':
      return value === undefined;
    case 'Gt':
      return compareIntegers(value, values[0], (label, bound) => label > bound);
    case 'Lt':
      return compareIntegers(value, values[0], (label, bound) => label < bound);
  }
}

function compareIntegers(
  value: string | undefined,
  bound: string | undefined,
  holds: (value: bigint, bound: bigint) => boolean,
): boolean {
  const integer = /^[+-]?\d+$/;
  if (value === undefined || bound === undefined || !integer.test(value) || !integer.test(bound)) return false;
  return holds(BigInt(value.replace('+', '')), BigInt(bound.replace('+', '')));
}

/** Labels come from objects that users write: only their own keys count, not what every JavaScript object inherits. */
function labelOf(labels: Readonly<Record<string, string>>, key: string): string | undefined {
  return Object.hasOwn(labels, key) ? labels[key] : undefined;
}
