import { isDeepStrictEqual } from 'node:util';
import { type FieldError, FieldErrors, forbidden } from './field-error.ts';
import { validateObjectMetaUpdate } from './meta-validation.ts';
import type { EphemeralContainer, Pod } from './pod.ts';
import { plain } from './pod-prepare.ts';
import { mirrorPodAnnotation } from './pod-validation/annotations.ts';
import { type PodValidationOptions, validatePod } from './pod-validation.ts';

const path = 'spec.ephemeralContainers';

/** Of a change through `pods/ephemeralcontainers` only the ephemeral containers count. In place on next. */
export function prepareEphemeralContainersUpdate(next: Pod, current: Pod): void {
  const { ephemeralContainers } = next.spec;
  next.metadata = structuredClone(current.metadata);
  next.spec = structuredClone(current.spec);
  next.status = structuredClone(current.status);
  if (ephemeralContainers?.length) next.spec.ephemeralContainers = ephemeralContainers;
  else delete next.spec.ephemeralContainers;
}

/**
 * Ephemeral containers may come, and never change (ValidatePodEphemeralContainersUpdate of Kubernetes 1.36). Beyond
 * Kubernetes, one that has ended may be taken out.
 */
export function validateEphemeralContainersUpdate(
  next: Pod,
  current: Pod,
  options: PodValidationOptions,
): FieldError[] {
  const errors = new FieldErrors();
  for (const error of validateObjectMetaUpdate(next.metadata, current.metadata)) errors.push(error);
  validatePod(next, options, errors);
  if (current.metadata.annotations?.[mirrorPodAnnotation] !== undefined) {
    return [forbidden('', 'static pods do not support ephemeral containers')];
  }
  const after = new Map((next.spec.ephemeralContainers ?? []).map((container) => [container.name, container]));
  for (const container of current.spec.ephemeralContainers ?? []) {
    const kept = after.get(container.name);
    const name = JSON.stringify(container.name);
    if (!kept) {
      if (hasEnded(current, container)) continue;
      const detail = `existing ephemeral containers ${name} may not be removed before they have ended`;
      errors.push(forbidden(path, detail));
    } else if (!isDeepStrictEqual(plain(kept), plain(container))) {
      errors.push(forbidden(path, `existing ephemeral containers ${name} may not be changed`));
    }
  }
  return errors.list;
}

function hasEnded({ status }: Pod, { name }: EphemeralContainer): boolean {
  const own = status?.ephemeralContainerStatuses?.find((item) => item.name === name);
  return own?.state?.terminated !== undefined;
}
