import { isDeepStrictEqual } from 'node:util';
import { type ErrorSink, type FieldError, FieldErrors, forbidden, invalid } from './field-error.ts';
import { validateObjectMetaUpdate } from './meta-validation.ts';
import type { Container, Pod, ResourceRequirements } from './pod.ts';
import { plain } from './pod-prepare.ts';
import { isSidecar } from './pod-resources.ts';
import { type PodValidationOptions, validatePod } from './pod-validation.ts';
import { qosClass } from './qos.ts';

/** `pods/resize`: changing cpu and memory of containers that run (ValidatePodResize of Kubernetes 1.36). */

const resizable = new Set(['cpu', 'memory']);
const sourceAnnotation = 'kubernetes.io/config.source';

/** Of a change through `pods/resize` only the resources of containers count. In place on next. */
export function preparePodResize(next: Pod, current: Pod): void {
  const asked = next.spec;
  next.metadata = structuredClone(current.metadata);
  next.status = structuredClone(current.status);
  next.spec = structuredClone(current.spec);
  for (const list of ['initContainers', 'containers'] as const) {
    const wanted = new Map((asked[list] ?? []).map((container) => [container.name, container.resources]));
    for (const container of next.spec[list] ?? []) {
      if (!wanted.has(container.name)) continue;
      const resources = wanted.get(container.name);
      if (resources) container.resources = resources;
      else delete container.resources;
    }
  }
  if (asked.resources) next.spec.resources = asked.resources;
  else delete next.spec.resources;
}

export function validatePodResize(next: Pod, current: Pod, options: PodValidationOptions): FieldError[] {
  const source = current.metadata.annotations?.[sourceAnnotation];
  if (source !== undefined && source !== 'api') return [forbidden('', 'static pods cannot be resized')];
  const errors = new FieldErrors();
  for (const error of validateObjectMetaUpdate(next.metadata, current.metadata)) errors.push(error);
  validatePod(next, options, errors);
  if (qosClass(next) !== qosClass(current)) {
    errors.push(invalid('spec', qosClass(next), 'Pod QOS Class may not change as a result of resizing'));
  }
  if (!isSame(next.spec.resources, current.spec.resources)) {
    errors.push(forbidden('spec.resources', 'not supported by mini-kubelet yet: only resources of containers change'));
  }
  for (const list of ['initContainers', 'containers'] as const) {
    const before = new Map((current.spec[list] ?? []).map((container) => [container.name, container]));
    for (const [index, container] of (next.spec[list] ?? []).entries()) {
      const path = `spec.${list}[${index}].resources`;
      const old = before.get(container.name);
      if (!old || isSame(container.resources, old.resources)) continue;
      if (list === 'initContainers' && !isSidecar(container)) {
        errors.push(forbidden(path, 'resources for non-sidecar init containers cannot be resized'));
      }
      validateChange(container, old, path, errors);
    }
  }
  return errors.list;
}

function validateChange(next: Container, current: Container, path: string, errors: ErrorSink): void {
  for (const list of ['limits', 'requests'] as const) {
    const after: Readonly<Record<string, string>> = next.resources?.[list] ?? {};
    const before: Readonly<Record<string, string>> = current.resources?.[list] ?? {};
    for (const name of new Set([...Object.keys(after), ...Object.keys(before)])) {
      const key = `${path}.${list}[${name}]`;
      if (after[name] === before[name]) continue;
      if (!resizable.has(name)) errors.push(forbidden(key, 'only cpu and memory resources are mutable'));
      else if (after[name] === undefined) errors.push(forbidden(key, `resource ${list} cannot be removed`));
    }
  }
  if (!isDeepStrictEqual(plain(next.resources?.claims ?? []), plain(current.resources?.claims ?? []))) {
    errors.push(forbidden(`${path}.claims`, 'only cpu and memory resources are mutable'));
  }
}

function isSame(a: ResourceRequirements | undefined, b: ResourceRequirements | undefined): boolean {
  return isDeepStrictEqual(plain(a ?? {}), plain(b ?? {}));
}
