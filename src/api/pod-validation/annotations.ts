import { type ErrorSink, forbidden, invalid } from '../field-error.ts';
import type { AppArmorProfile, Container, Pod, PodSpec, SeccompProfile, Toleration } from '../pod.ts';
import { validateLocalDescendingPath } from './paths.ts';
import { validateTolerations } from './scheduling.ts';

/** Annotations of pods that mean something to Kubernetes. */

export const mirrorPodAnnotation = 'kubernetes.io/config.mirror';
export const appArmorAnnotationPrefix = 'container.apparmor.security.beta.kubernetes.io/';
const tolerationsAnnotation = 'scheduler.alpha.kubernetes.io/tolerations';
const deletionCostAnnotation = 'controller.kubernetes.io/pod-deletion-cost';
export const seccompPodAnnotation = 'seccomp.security.alpha.kubernetes.io/pod';
export const seccompContainerPrefix = 'container.seccomp.security.alpha.kubernetes.io/';

export function validatePodAnnotations(pod: Pod, path: string, errors: ErrorSink): void {
  const annotations = pod.metadata.annotations ?? {};
  const names = new Set([...allContainers(pod.spec, '')].map(([container]) => container.name));
  for (const [key, value] of Object.entries(annotations)) {
    if (key === mirrorPodAnnotation && !pod.spec.nodeName) {
      errors.push(invalid(`${path}[${key}]`, value, 'must set spec.nodeName if mirror pod annotation is set'));
    } else if (key === tolerationsAnnotation && value !== '') {
      validateTolerationsText(value, path, errors);
    } else if (key === deletionCostAnnotation && !isDeletionCost(value)) {
      errors.push(invalid(`${path}[${key}]`, value, 'must be a 32bit integer'));
    } else if (key === seccompPodAnnotation || key.startsWith(seccompContainerPrefix)) {
      validateSeccompText(value, `${path}.${key}`, errors);
    } else if (key.startsWith(appArmorAnnotationPrefix)) {
      validateAppArmorText(key, value, names, path, errors);
    }
  }
}

/** Where both an annotation and the field that replaces it say something, they say the same. */
export function validateAnnotationsMatchFields(pod: Pod, path: string, errors: ErrorSink): void {
  const annotations = pod.metadata.annotations ?? {};
  const podSeccomp = pod.spec.securityContext?.seccompProfile;
  const ofPod = annotations[seccompPodAnnotation];
  if (podSeccomp && ofPod !== undefined) {
    matchSeccomp(ofPod, podSeccomp, `${path}.securityContext.seccompProfile`, errors);
  }
  for (const [container, at] of allContainers(pod.spec, path)) {
    const seccomp = container.securityContext?.seccompProfile;
    const ofContainer = annotations[`${seccompContainerPrefix}${container.name}`];
    if (seccomp && ofContainer !== undefined) {
      matchSeccomp(ofContainer, seccomp, `${at}.securityContext.seccompProfile`, errors);
    }
    if ((pod.spec.os?.name as string) === 'windows') continue;
    const appArmor = container.securityContext?.appArmorProfile ?? pod.spec.securityContext?.appArmorProfile;
    const annotation = annotations[`${appArmorAnnotationPrefix}${container.name}`];
    if (appArmor && annotation !== undefined) {
      matchAppArmor(annotation, appArmor, `${at}.securityContext.appArmorProfile`, errors);
    }
  }
}

/** Annotations that bind a pod to a file on the node cannot come or go. */
export function validateAnnotationsUpdate(next: Pod, current: Pod, path: string, errors: ErrorSink): void {
  const before = current.metadata.annotations ?? {};
  const after = next.metadata.annotations ?? {};
  for (const key of new Set([...Object.keys(before), ...Object.keys(after)])) {
    const isAppArmor = key.startsWith(appArmorAnnotationPrefix);
    if (before[key] === after[key] || (!isAppArmor && key !== mirrorPodAnnotation)) continue;
    const what = isAppArmor ? 'AppArmor annotations' : 'mirror pod annotation';
    const how = before[key] === undefined ? 'may not add' : 'may not remove or update';
    errors.push(forbidden(`${path}[${key}]`, `${how} ${what}`));
  }
}

/** The field that an AppArmor annotation stands for; undefined for a text that names no profile. */
export function appArmorProfileOf(annotation: string): AppArmorProfile | undefined {
  if (annotation === 'unconfined') return { type: 'Unconfined' };
  if (annotation === 'runtime/default') return { type: 'RuntimeDefault' };
  const localhostProfile = annotation.startsWith('localhost/') ? annotation.slice('localhost/'.length) : '';
  return localhostProfile === '' ? undefined : { type: 'Localhost', localhostProfile };
}

/** Init, application and ephemeral containers with their paths. */
export function* allContainers(spec: PodSpec, path: string): Generator<[Container, string]> {
  for (const list of ['initContainers', 'containers', 'ephemeralContainers'] as const) {
    for (const [index, container] of (spec[list] ?? []).entries()) yield [container, `${path}.${list}[${index}]`];
  }
}

function validateTolerationsText(text: string, path: string, errors: ErrorSink): void {
  let parsed: unknown;
  try {
    parsed = JSON.parse(text);
  } catch {
    // Not JSON: refused below with the same words.
  }
  if (parsed === null) return;
  const isList = Array.isArray(parsed) && parsed.every((item) => typeof item === 'object' && item !== null);
  if (!isList) return void errors.push(invalid(path, tolerationsAnnotation, 'must be a JSON list of tolerations'));
  validateTolerations(parsed as Toleration[], `${path}.${tolerationsAnnotation}`, errors);
}

/** A number of 32 bits; behind a minus, and only there, Kubernetes takes leading zeros. */
function isDeletionCost(value: string): boolean {
  if (!/^(0|[1-9]\d*|-\d+)$/.test(value)) return false;
  const cost = Number(value);
  return cost >= -(2 ** 31) && cost < 2 ** 31;
}

function validateSeccompText(value: string, path: string, errors: ErrorSink): void {
  if (['runtime/default', 'docker/default', 'unconfined'].includes(value)) return;
  if (value.startsWith('localhost/')) validateLocalDescendingPath(value.slice('localhost/'.length), path, errors);
  else errors.push(invalid(path, value, 'must be a valid seccomp profile'));
}

function validateAppArmorText(
  key: string,
  value: string,
  containers: ReadonlySet<string>,
  path: string,
  errors: ErrorSink,
): void {
  const name = key.slice(appArmorAnnotationPrefix.length);
  if (!containers.has(name)) errors.push(invalid(`${path}[${key}]`, name, 'container not found'));
  const isProfile = ['', 'runtime/default', 'unconfined'].includes(value) || value.startsWith('localhost/');
  if (!isProfile) {
    errors.push(invalid(`${path}[${key}]`, value, `invalid AppArmor profile name: ${JSON.stringify(value)}`));
  }
}

function matchSeccomp(annotation: string, profile: SeccompProfile, path: string, errors: ErrorSink): void {
  const matches: Record<string, boolean> = {
    Unconfined: annotation === 'unconfined',
    RuntimeDefault: annotation === 'runtime/default' || annotation === 'docker/default',
    Localhost: annotation.startsWith('localhost/'),
  };
  if (matches[profile.type] === false) {
    errors.push(forbidden(`${path}.type`, 'seccomp type in annotation and field must match'));
  } else if (profile.type === 'Localhost' && annotation !== `localhost/${profile.localhostProfile}`) {
    errors.push(forbidden(`${path}.localhostProfile`, 'seccomp profile in annotation and field must match'));
  }
}

function matchAppArmor(annotation: string, profile: AppArmorProfile, path: string, errors: ErrorSink): void {
  const matches: Record<string, boolean> = {
    Unconfined: annotation === 'unconfined',
    RuntimeDefault: annotation === 'runtime/default',
    Localhost: annotation.startsWith('localhost/'),
  };
  if (matches[profile.type] === false) {
    errors.push(forbidden(`${path}.type`, 'apparmor type in annotation and field must match'));
  } else if (profile.type === 'Localhost' && annotation !== `localhost/${profile.localhostProfile}`) {
    errors.push(forbidden(`${path}.localhostProfile`, 'apparmor profile in annotation and field must match'));
  }
}
