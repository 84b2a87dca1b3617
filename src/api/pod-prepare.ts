import { isDeepStrictEqual } from 'node:util';
import { FieldErrors } from './field-error.ts';
import type { LabelSelector } from './meta.ts';
import type { Pod, PodAffinity, PodAffinityTerm } from './pod.ts';
import { applyPodDefaults } from './pod-defaults.ts';
import { allContainers, appArmorAnnotationPrefix, appArmorProfileOf } from './pod-validation/annotations.ts';
import { validateAppArmorProfile } from './pod-validation/security.ts';
import { qosClass } from './qos.ts';

/** What happens to a pod between its defaults and its validation (pkg/registry/core/pod/strategy.go of Kubernetes). */

/** A new pod: the status is the daemon's, label keys are turned into selectors, old annotations into fields. In place. */
export function preparePodForCreate(pod: Pod): void {
  // What follows reads defaulted values, whoever has called whom first.
  applyPodDefaults(pod);
  pod.metadata.generation = 1;
  pod.status = { phase: 'Pending', qosClass: qosClass(pod) };
  mergeLabelKeys(pod);
  applyAppArmorAnnotations(pod);
}

/**
 * A changed pod: the status stays, and so does what the daemon itself put into the spec, so that the manifest that
 * made the pod is no change. In place on next.
 */
export function preparePodForUpdate(next: Pod, current: Pod): void {
  applyPodDefaults(next);
  next.spec.nodeName ??= current.spec.nodeName;
  next.spec.serviceAccountName ??= current.spec.serviceAccountName;
  next.spec.serviceAccount ??= current.spec.serviceAccount;
  next.spec.priorityClassName ??= current.spec.priorityClassName;
  next.spec.priority ??= current.spec.priority;
  next.spec.preemptionPolicy ??= current.spec.preemptionPolicy;
  next.status = structuredClone(current.status);
}

/** What the daemon observes or remembers in the status: a client's writing there would only be written over. */
const observedFields = [
  'observedGeneration',
  'hostIP',
  'hostIPs',
  'podIP',
  'podIPs',
  'startTime',
  'initContainerStatuses',
  'containerStatuses',
  'ephemeralContainerStatuses',
  'qosClass',
] as const;

/**
 * A changed status: all else stays but what tools may put into metadata, and of the status what the daemon observes. A
 * client may end a pod (phase Failed or Succeeded); one that has ended stays so. In place on next.
 */
export function preparePodForStatusUpdate(next: Pod, current: Pod): void {
  next.spec = structuredClone(current.spec);
  next.metadata.generation = current.metadata.generation;
  next.metadata.deletionTimestamp = current.metadata.deletionTimestamp;
  next.metadata.ownerReferences = structuredClone(current.metadata.ownerReferences);
  const status: Record<string, unknown> = { ...next.status };
  const isEnded = (phase: string | undefined) => phase === 'Failed' || phase === 'Succeeded';
  const endsNow = isEnded(next.status?.phase) && !isEnded(current.status?.phase);
  for (const field of [...observedFields, ...(endsNow ? [] : (['phase', 'reason', 'message'] as const))]) {
    status[field] = structuredClone(current.status?.[field]);
    if (status[field] === undefined) delete status[field];
  }
  next.status = status;
}

/** Without prototypes: maps from the decoder have none, maps from the store have Object's. */
export function plain(value: unknown): unknown {
  return value === undefined ? undefined : JSON.parse(JSON.stringify(value));
}

/** matchLabelKeys stand for the values that the pod itself has: from here on the selector says so. */
function mergeLabelKeys(pod: Pod): void {
  const labels = pod.metadata.labels ?? {};
  const merge = (selector: LabelSelector | undefined, keys: readonly string[], operator: 'In' | 'NotIn') => {
    for (const key of keys) {
      if (!selector || !Object.hasOwn(labels, key)) continue;
      selector.matchExpressions ??= [];
      selector.matchExpressions.push({ key, operator, values: [labels[key] ?? ''] });
    }
  };
  const mergeTerm = (term: PodAffinityTerm) => {
    merge(term.labelSelector, term.matchLabelKeys ?? [], 'In');
    merge(term.labelSelector, term.mismatchLabelKeys ?? [], 'NotIn');
  };
  const rules: (PodAffinity | undefined)[] = [pod.spec.affinity?.podAffinity, pod.spec.affinity?.podAntiAffinity];
  for (const rule of rules) {
    for (const term of rule?.requiredDuringSchedulingIgnoredDuringExecution ?? []) mergeTerm(term);
    for (const { podAffinityTerm } of rule?.preferredDuringSchedulingIgnoredDuringExecution ?? []) {
      mergeTerm(podAffinityTerm);
    }
  }
  for (const constraint of pod.spec.topologySpreadConstraints ?? []) {
    merge(constraint.labelSelector, constraint.matchLabelKeys ?? [], 'In');
  }
}

/** AppArmor annotations of containers become the field, unless the container has one or the pod's says the same. */
function applyAppArmorAnnotations(pod: Pod): void {
  const annotations = pod.metadata.annotations;
  if (!annotations || pod.spec.os?.name === 'windows') return;
  for (const [container] of allContainers(pod.spec, 'spec')) {
    const annotation = annotations[`${appArmorAnnotationPrefix}${container.name}`];
    if (annotation === undefined || container.securityContext?.appArmorProfile) continue;
    const profile = appArmorProfileOf(annotation);
    const errors = new FieldErrors();
    validateAppArmorProfile(profile, '', errors);
    if (!profile || errors.list.length > 0) continue;
    if (isDeepStrictEqual(profile, pod.spec.securityContext?.appArmorProfile)) continue;
    container.securityContext = { ...container.securityContext, appArmorProfile: profile };
  }
}
