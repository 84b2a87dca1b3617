import type { Container, Pod } from '../pod.ts';

/** A rule of the Pod Security Standards that a pod breaks. */
export interface Violation {
  /** Such as `hostPort`. */
  readonly reason: string;
  /** Such as `container "a" uses hostPort 80`. */
  readonly detail: string;
}

/** A rule as it has been since Kubernetes 1.`since`. */
export interface CheckVersion {
  readonly since: number;
  readonly check: (pod: Pod) => Violation | undefined;
}

/** One rule with its history. */
export interface Check {
  readonly id: string;
  /** The oldest first. */
  readonly versions: readonly CheckVersion[];
  /** Of a restricted rule: the baseline rule that it says as well. */
  readonly overrides?: string;
}

/** Every container of a pod: none of these lists may be looked at alone. */
export function everyContainer({ spec }: Pod): Pick<Container, 'name' | 'securityContext' | 'ports' | ProbeFields>[] {
  return [...(spec.initContainers ?? []), ...spec.containers, ...(spec.ephemeralContainers ?? [])];
}
type ProbeFields = 'livenessProbe' | 'readinessProbe' | 'startupProbe' | 'lifecycle';
export type AnyContainer = ReturnType<typeof everyContainer>[number];

/** The names of the containers of which something is true. */
export function namesOf(pod: Pod, isBad: (container: AnyContainer) => boolean): string[] {
  return everyContainer(pod)
    .filter(isBad)
    .map(({ name }) => name);
}

/** `"a", "b"` */
export function quoted(items: readonly string[]): string {
  return items.map((item) => `"${item}"`).join(', ');
}

/** `container "a"`, `containers "a", "b"` */
export function theContainers(names: readonly string[]): string {
  return `${plural('container', names)} ${quoted(names)}`;
}

/** `pod and containers "a", "b"`, of those that there are. */
export function podAndContainers(isPod: boolean, names: readonly string[]): string {
  return [...(isPod ? ['pod'] : []), ...(names.length > 0 ? [theContainers(names)] : [])].join(' and ');
}

export function plural(word: string, items: readonly unknown[]): string {
  return items.length === 1 ? word : `${word}s`;
}

/** Each once, in the order of Go's sort. */
export function sortedSet(items: Iterable<string>): string[] {
  return [...new Set(items)].sort((a, b) => (a < b ? -1 : Number(a > b)));
}

export function isWindows({ spec }: Pod): boolean {
  return (spec.os?.name as string | undefined) === 'windows';
}

/** Root in a user namespace of the pod's own is nobody on the host. */
export function hasUserNamespace({ spec }: Pod): boolean {
  return spec.hostUsers === false;
}
