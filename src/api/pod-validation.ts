import {
  duplicate,
  type ErrorSink,
  type FieldError,
  FieldErrors,
  forbidden,
  invalid,
  required,
} from './field-error.ts';
import { checkDnsLabel, checkDnsSubdomain, checkQualifiedName, rangeMessage } from './formats.ts';
import { addProblems, validateLabels, validateObjectMeta } from './meta-validation.ts';
import type { Pod, PodResourceClaim, PodSpec } from './pod.ts';
import {
  mirrorPodAnnotation,
  validateAnnotationsMatchFields,
  validatePodAnnotations,
} from './pod-validation/annotations.ts';
import { apiObjectReference } from './pod-validation/api-references.ts';
import { validateChoice } from './pod-validation/choice.ts';
import {
  type ContainerContext,
  validateContainers,
  validateEphemeralContainers,
  validateImageSpace,
  validateInitContainers,
  validateNewInitContainers,
} from './pod-validation/containers.ts';
import { validateFileKeyVolumes } from './pod-validation/env.ts';
import { validateNetwork } from './pod-validation/network.ts';
import { validateOverhead, validatePodResources } from './pod-validation/resources.ts';
import { validateAffinity, validateTolerations, validateTopologySpread } from './pod-validation/scheduling.ts';
import { validateHostUsers, validatePodSecurityContext } from './pod-validation/security.ts';
import { validateVolumes } from './pod-validation/volumes.ts';
import { validateHostProcess, validateOs } from './pod-validation/windows.ts';

/**
 * The rules of Kubernetes 1.36 for pods (pkg/apis/core/validation), with their field paths and words, in the state
 * that its feature gates have by default.
 */

export interface PodValidationOptions {
  /** Whether containers may be privileged; off by default, as in kube-apiserver. */
  allowPrivileged: boolean;
}

export const podMetaRules = { namespaced: true, checkName: checkDnsSubdomain };

const maxInt32 = 2 ** 31 - 1;

/** All reasons to refuse a new pod that has its defaults. */
export function validatePodCreate(pod: Pod, options: PodValidationOptions): FieldError[] {
  const errors = new FieldErrors();
  validatePod(pod, options, errors);
  const { spec } = pod;
  validateNewInitContainers(spec, 'spec.initContainers', errors);
  if (spec.ephemeralContainers) errors.push(forbidden('spec.ephemeralContainers', 'cannot be set on create'));
  if (spec.nodeName && spec.schedulingGates) {
    errors.push(forbidden('spec.nodeName', 'cannot be set until all schedulingGates have been cleared'));
  }
  validateAnnotationsMatchFields(pod, 'spec', errors);
  if (pod.metadata.annotations?.[mirrorPodAnnotation] !== undefined) {
    const referenced = apiObjectReference(spec);
    // The path is what Kubernetes prints for a path without a name.
    if (referenced !== undefined) errors.push(forbidden('[]', `can not reference ${referenced} from a mirror pod`));
  }
  return errors.list;
}

/** The rules that hold for a pod at any time. */
export function validatePod(pod: Pod, options: PodValidationOptions, errors: ErrorSink): void {
  for (const error of validateObjectMeta(pod.metadata, podMetaRules)) errors.push(error);
  validatePodAnnotations(pod, 'metadata.annotations', errors);
  validateSpec(pod, options, 'spec', errors);
  const { containers, initContainers = [], serviceAccountName, volumes = [] } = pod.spec;
  if (!serviceAccountName) {
    for (const [index, volume] of volumes.entries()) {
      for (const [sourceIndex, source] of (volume.projected?.sources ?? []).entries()) {
        if (!source.serviceAccountToken) continue;
        const at = `spec.volumes[${index}].projected.sources[${sourceIndex}].serviceAccountToken`;
        errors.push(forbidden(at, 'must not be specified when serviceAccountName is not set'));
      }
    }
  }
  for (const [index, container] of containers.entries()) {
    validateImageSpace(container, `spec.containers[${index}]`, errors);
  }
  for (const [index, container] of initContainers.entries()) {
    validateImageSpace(container, `spec.initContainers[${index}]`, errors);
  }
}

function validateSpec(pod: Pod, options: PodValidationOptions, path: string, errors: ErrorSink): void {
  const { spec } = pod;
  if (spec.terminationGracePeriodSeconds === undefined) {
    errors.push(required(`${path}.terminationGracePeriodSeconds`));
  }
  const context: ContainerContext = {
    spec,
    volumes: validateVolumes(pod, `${path}.volumes`, errors),
    podClaims: validateResourceClaims(spec.resourceClaims ?? [], `${path}.resourceClaims`, errors),
    allowPrivileged: options.allowPrivileged,
  };
  validateContainers(context, `${path}.containers`, errors);
  validateInitContainers(context, `${path}.initContainers`, errors);
  validateEphemeralContainers(context, `${path}.ephemeralContainers`, errors);
  validateEnvFiles(spec, path, errors);
  validatePodResources(spec, context.podClaims, `${path}.resources`, errors);
  validateChoice(spec.restartPolicy, ['Always', 'OnFailure', 'Never'], `${path}.restartPolicy`, errors);
  const dnsPolicies = ['ClusterFirstWithHostNet', 'ClusterFirst', 'Default', 'None'];
  validateChoice(spec.dnsPolicy, dnsPolicies, `${path}.dnsPolicy`, errors);
  validateNetwork(spec, path, errors);
  validatePodSecurityContext(spec, `${path}.securityContext`, errors);
  validateHostUsers(spec, path, errors);
  validatePlacement(spec, path, errors);
  validateHostProcess(spec, options.allowPrivileged, path, errors);
  validateNames(spec, path, errors);
  const deadline = spec.activeDeadlineSeconds;
  if (deadline !== undefined && (deadline < 1 || deadline > maxInt32)) {
    errors.push(invalid(`${path}.activeDeadlineSeconds`, deadline, rangeMessage(1, maxInt32)));
  }
  if (spec.overhead) validateOverhead(spec.overhead, `${path}.overhead`, errors);
  validateOs(spec, path, errors);
}

/** Where the pod may run, and when it counts as ready. */
function validatePlacement(spec: PodSpec, path: string, errors: ErrorSink): void {
  validateLabels(spec.nodeSelector, `${path}.nodeSelector`, errors);
  validateAffinity(spec.affinity, `${path}.affinity`, errors);
  validateTopologySpread(spec.topologySpreadConstraints ?? [], `${path}.topologySpreadConstraints`, errors);
  validateTolerations(spec.tolerations ?? [], `${path}.tolerations`, errors);
  for (const [index, { conditionType }] of (spec.readinessGates ?? []).entries()) {
    const at = `${path}.readinessGates[${index}].conditionType`;
    addProblems(errors, at, conditionType, checkQualifiedName(conditionType));
  }
  const gates = new Set<string>();
  for (const [index, { name }] of (spec.schedulingGates ?? []).entries()) {
    addProblems(errors, `${path}.schedulingGates[${index}]`, name, checkQualifiedName(name));
    if (gates.has(name)) errors.push(duplicate(`${path}.schedulingGates[${index}]`, name));
    gates.add(name);
  }
  if (spec.preemptionPolicy !== undefined) {
    const policies = ['PreemptLowerPriority', 'Never'];
    validateChoice(spec.preemptionPolicy, policies, `${path}.preemptionPolicy`, errors);
  }
}

/** Names of other objects. */
function validateNames(spec: PodSpec, path: string, errors: ErrorSink): void {
  for (const field of ['serviceAccountName', 'nodeName', 'priorityClassName'] as const) {
    const name = spec[field];
    if (name) addProblems(errors, `${path}.${field}`, name, checkDnsSubdomain(name));
  }
  const { runtimeClassName } = spec;
  if (runtimeClassName !== undefined) {
    addProblems(errors, `${path}.runtimeClassName`, runtimeClassName, checkDnsSubdomain(runtimeClassName));
  }
}

function validateResourceClaims(claims: readonly PodResourceClaim[], path: string, errors: ErrorSink): Set<string> {
  const names = new Set<string>();
  for (const [index, claim] of claims.entries()) {
    const at = `${path}[${index}]`;
    if (claim.name === '') errors.push(required(`${at}.name`));
    else if (names.has(claim.name)) errors.push(duplicate(`${at}.name`, claim.name));
    else addProblems(errors, `${at}.name`, claim.name, checkDnsLabel(claim.name));
    if (claim.name !== '') names.add(claim.name);

    const { resourceClaimName, resourceClaimTemplateName } = claim;
    const both = '`resourceClaimName` or `resourceClaimTemplateName`';
    if (resourceClaimName !== undefined && resourceClaimTemplateName !== undefined) {
      errors.push(invalid(at, claim, `at most one of ${both} may be specified`));
    } else if (resourceClaimName === undefined && resourceClaimTemplateName === undefined) {
      errors.push(invalid(at, claim, 'must specify one of: `resourceClaimName`, `resourceClaimTemplateName`'));
    }
    for (const [field, name] of Object.entries({ resourceClaimName, resourceClaimTemplateName })) {
      if (name !== undefined) addProblems(errors, `${at}.${field}`, name, checkDnsSubdomain(name));
    }
  }
  return names;
}

function validateEnvFiles(spec: PodSpec, path: string, errors: ErrorSink): void {
  const emptyDirs = new Map((spec.volumes ?? []).map((volume) => [volume.name, volume.emptyDir !== undefined]));
  for (const list of ['containers', 'initContainers', 'ephemeralContainers'] as const) {
    for (const [index, container] of (spec[list] ?? []).entries()) {
      validateFileKeyVolumes(container.env ?? [], emptyDirs, `${path}.${list}[${index}].env`, errors);
    }
  }
}
