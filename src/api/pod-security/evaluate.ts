import type { Pod } from '../pod.ts';
import { baselineChecks } from './baseline.ts';
import type { Check, CheckVersion, Violation } from './check.ts';
import { compareLevels, rulesText, type SecurityPolicy, type SecurityRules } from './policy.ts';
import { restrictedChecks } from './restricted.ts';

/** What a policy says to a pod. */
export interface SecurityVerdict {
  /** Why it is refused: `violates PodSecurity "baseline:latest": host namespaces (hostNetwork=true)`. */
  readonly forbidden?: string;
  /** What its author is told. */
  readonly warning?: string;
  /** What is noted. */
  readonly audit?: string;
}

/** Every rule that the pod breaks, those of baseline first. */
export function securityViolations(pod: Pod, rules: SecurityRules): Violation[] {
  return checksOf(rules).flatMap(({ check }) => check(pod) ?? []);
}

/** Judges a pod after its defaults. */
export function judgePod(pod: Pod, policy: SecurityPolicy): SecurityVerdict {
  const shown = (rules: SecurityRules, verb: string) => {
    const violations = securityViolations(pod, rules);
    if (violations.length === 0) return undefined;
    const details = violations.map(({ reason, detail }) => `${reason} (${detail})`).join(', ');
    return `${verb} PodSecurity ${JSON.stringify(rulesText(rules))}: ${details}`;
  };
  const forbidden = shown(policy.enforce, 'violates');
  const audit = shown(policy.audit, 'would violate');
  const warning = forbidden === undefined ? shown(policy.warn, 'would violate') : undefined;
  return {
    ...(forbidden === undefined ? {} : { forbidden }),
    ...(warning === undefined ? {} : { warning }),
    ...(audit === undefined ? {} : { audit }),
  };
}

/** Whether a change of the pod is one that is judged anew: another image, or another ephemeral container. */
export function isSignificantChange(next: Pod, current: Pod): boolean {
  const imagesOf = ({ spec }: Pod) =>
    JSON.stringify(
      [spec.containers, spec.initContainers ?? [], spec.ephemeralContainers ?? []].map((list) =>
        list.map(({ name, image }) => [name, image]),
      ),
    );
  return imagesOf(next) !== imagesOf(current);
}

/**
 * What the author of a namespace's new labels is told of the pods that are there and break the new rules: they go on.
 *
 * @param before the rules that were enforced until now.
 */
export function existingPodWarnings(
  namespace: string,
  pods: readonly Pod[],
  rules: SecurityRules,
  before: SecurityRules,
): string[] {
  const isTightened = rules.level !== 'privileged' && rulesText(rules) !== rulesText(before);
  const isLess = rules.version === before.version && compareLevels(rules.level, before.level) <= 0;
  if (!isTightened || isLess) return [];
  const names = new Map<string, string[]>();
  for (const pod of pods) {
    const reasons = securityViolations(pod, rules).map(({ reason }) => reason);
    if (reasons.length === 0) continue;
    const text = reasons.join(', ');
    names.set(text, [...(names.get(text) ?? []), pod.metadata.name]);
  }
  if (names.size === 0) return [];
  const head = `existing pods in namespace ${JSON.stringify(namespace)} violate the new PodSecurity enforce level`;
  const lines = [...names].map(([reasons, all]) => {
    const [first = ''] = all.sort();
    const others = all.length - 1;
    const more = others === 0 ? '' : ` (and ${others} other ${others === 1 ? 'pod' : 'pods'})`;
    return `${first}${more}: ${reasons}`;
  });
  return [`${head} ${JSON.stringify(rulesText(rules))}`, ...lines.sort()];
}

function checksOf({ level, version }: SecurityRules): CheckVersion[] {
  if (level === 'privileged') return [];
  const inForce = (checks: readonly Check[]) =>
    checks.flatMap((check) => {
      const found = check.versions.findLast(({ since }) => version === 'latest' || since <= version);
      return found ? [{ check, found }] : [];
    });
  const restricted = level === 'restricted' ? inForce(restrictedChecks) : [];
  const overridden = new Set(restricted.map(({ check }) => check.overrides));
  const baseline = inForce(baselineChecks).filter(({ check }) => !overridden.has(check.id));
  return [...baseline, ...restricted].map(({ found }) => found);
}
