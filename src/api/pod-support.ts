import { isIP } from 'node:net';
import { type ErrorSink, type FieldError, FieldErrors, forbidden, invalid } from './field-error.ts';
import { validateNfsAddress } from './nfs.ts';
import type { Pod } from './pod.ts';
import { allContainers } from './pod-validation/annotations.ts';
import { isExtendedResource } from './pod-validation/resources.ts';
import { signalNumber } from './stop-signal.ts';
import { isPlainSysctlValue } from './sysctls.ts';

/**
 * What Kubernetes allows and this daemon does not do. Such a pod is refused by name: a field is either honoured or
 * refused, never ignored.
 */

export interface PodSupport {
  /** Whether the host has AppArmor. */
  hasAppArmor: boolean;
  /** Whether the host has SELinux. */
  hasSELinux: boolean;
}

interface Unsupported {
  /** `spec.containers[*].env`; `[*]` stands for every entry of a list, `*` for every key of a map. */
  path: string;
  /** The values that are fine. Without it no value is: the field must be absent. */
  unless?: (value: unknown, key: string, support: PodSupport) => boolean;
  /** What the error says besides that it is not supported. */
  hint?: string;
}

const later = 'not supported by mini-kubelet yet';

/** Only these come without a daemon of their own. */
const volumeSources = [
  'name',
  'emptyDir',
  'hostPath',
  'configMap',
  'secret',
  'downwardAPI',
  'projected',
  'persistentVolumeClaim',
  'ephemeral',
  'image',
  'nfs',
];
const projections = ['configMap', 'secret', 'downwardAPI', 'serviceAccountToken'];

const oneOf =
  (...values: readonly unknown[]) =>
  (value: unknown) =>
    values.includes(value);

const onAppArmor: Pick<Unsupported, 'unless' | 'hint'> = {
  unless: (value, _key, { hasAppArmor }) => hasAppArmor || value === 'Unconfined',
  hint: 'the host has no AppArmor',
};
/** Charts write `seLinuxOptions: {}`, which asks for nothing. */
const onSELinux: Pick<Unsupported, 'unless' | 'hint'> = {
  unless: (value, _key, { hasSELinux }) => hasSELinux || isEmptyMap(value),
  hint: 'the host has no SELinux',
};

/** True also of fields at their defaults: empty texts, and `hostProcess: false`. */
function isEmptyMap(value: unknown): boolean {
  return (
    typeof value === 'object' &&
    value !== null &&
    Object.values(value).every((item) => item === undefined || item === '' || item === false)
  );
}

/** Kubernetes takes an empty name, and then means no profile at all (CVE-2023-2431). */
const someText: Pick<Unsupported, 'unless' | 'hint'> = {
  unless: (value) => value !== '' && !String(value).includes('\0'),
  hint: 'a profile without a name',
};

const plainResource: Unsupported['unless'] = (_value, key) => !isExtendedResource(key);

const isMedium: Unsupported['unless'] = (value) => /^(Memory|HugePages|HugePages-\d+[KMG]i?)$/.test(String(value));

const isSignal: Unsupported['unless'] = (value) => signalNumber(String(value)) !== undefined;

/**
 * One line per field that is refused; a step of the project that brings the field takes its line away. What is said of
 * `spec.containers` is true of `spec.initContainers` and `spec.ephemeralContainers` too.
 */
const unsupported: readonly Unsupported[] = [
  { path: 'spec.containers[*].lifecycle.stopSignal', unless: isSignal, hint: 'not a signal that can be sent' },
  { path: 'spec.containers[*].volumeDevices' },
  { path: 'spec.containers[*].resources.claims' },
  { path: 'spec.containers[*].resources.limits.*', unless: plainResource, hint: 'there are no device plugins' },
  { path: 'spec.containers[*].securityContext.appArmorProfile.type', ...onAppArmor },
  { path: 'spec.containers[*].securityContext.seccompProfile.localhostProfile', ...someText },
  { path: 'spec.containers[*].securityContext.seLinuxOptions', ...onSELinux },
  { path: 'spec.containers[*].securityContext.windowsOptions', unless: isEmptyMap },
  { path: 'spec.volumes[*].*', unless: (_value, key) => volumeSources.includes(key) },
  { path: 'spec.volumes[*].projected.sources[*].*', unless: (_value, key) => projections.includes(key) },
  { path: 'spec.volumes[*].emptyDir.medium', unless: isMedium },
  { path: 'spec.os.name', unless: oneOf('linux') },
  { path: 'spec.resourceClaims' },
  { path: 'spec.schedulingGroup' },
  { path: 'spec.securityContext.appArmorProfile.type', ...onAppArmor },
  { path: 'spec.securityContext.seccompProfile.localhostProfile', ...someText },
  { path: 'spec.securityContext.seLinuxChangePolicy', ...onSELinux },
  { path: 'spec.securityContext.seLinuxOptions', ...onSELinux },
  { path: 'spec.securityContext.windowsOptions', unless: isEmptyMap },
];

const prefix = 'spec.containers[*]';
const lists = ['containers', 'initContainers', 'ephemeralContainers'];

/** Paths of the table in parts, `containers[*]` as two. */
const rules = unsupported
  .flatMap((rule) =>
    rule.path.startsWith(prefix)
      ? lists.map((list) => ({ ...rule, path: `spec.${list}[*]${rule.path.slice(prefix.length)}` }))
      : [rule],
  )
  .map((rule) => ({ ...rule, parts: rule.path.split(/\.|(?=\[\*\])/) }));

/** All fields of a valid pod that this daemon would have to ignore, and values that cannot reach a process. */
export function validatePodSupport(pod: Pod, support: PodSupport): FieldError[] {
  const errors = new FieldErrors();
  for (const rule of rules) {
    visit(pod, rule.parts, 0, '', (value, key, path) => {
      if (rule.unless?.(value, key, support)) return;
      errors.push(forbidden(path, rule.hint === undefined ? later : `${later}: ${rule.hint}`));
    });
  }
  validateOwnAnnotations(pod, errors);
  validateTexts(pod, errors);
  return errors.list;
}

type Visitor = (value: unknown, key: string, path: string) => void;

function visit(value: unknown, parts: readonly string[], depth: number, path: string, found: Visitor): void {
  const part = parts[depth];
  if (value === undefined || value === null) return;
  if (part === undefined) {
    found(value, parts.at(-1) ?? '', path);
  } else if (part === '[*]') {
    if (!Array.isArray(value)) return;
    for (const [index, item] of value.entries()) visit(item, parts, depth + 1, `${path}[${index}]`, found);
  } else if (typeof value === 'object') {
    if (part !== '*') {
      const next = Object.hasOwn(value, part) ? (value as Record<string, unknown>)[part] : undefined;
      visit(next, parts, depth + 1, path === '' ? part : `${path}.${part}`, found);
    } else {
      const isMap = parts[depth - 1] === 'limits';
      for (const [key, item] of Object.entries(value)) found(item, key, isMap ? `${path}[${key}]` : `${path}.${key}`);
    }
  }
}

/** Our own annotations: what they allow, and how it is told. */
const ownAnnotations: Readonly<Record<string, readonly [pattern: RegExp, detail: string]>> = {
  'mini-kubelet.io/atomic-start': [/^(true|false)$/, 'must be "true" or "false"'],
  'mini-kubelet.io/atomic-start-grace-seconds': [/^[1-9]\d{0,5}$/, 'must be a number of seconds from 1 to 999999'],
  // Written for static pods.
  'mini-kubelet.io/manifest': [/^/, ''],
  'mini-kubelet.io/static-pod-uid': [/^/, ''],
  'mini-kubelet.io/crash-loop-max-seconds': [/^([1-9]\d?|[12]\d\d|300)$/, 'must be a number of seconds from 1 to 300'],
};

/** A misspelt one would be ignored. */
function validateOwnAnnotations({ metadata }: Pod, errors: ErrorSink): void {
  for (const [name, value] of Object.entries(metadata.annotations ?? {})) {
    if (!name.startsWith('mini-kubelet.io/')) continue;
    const path = `metadata.annotations[${name}]`;
    const rule = ownAnnotations[name];
    if (!rule) errors.push(invalid(path, value, `is not one of ${Object.keys(ownAnnotations).join(', ')}`));
    else if (!rule[0].test(value)) errors.push(invalid(path, value, rule[1]));
  }
}

/** Texts that the kernel takes: NUL ends them, and a program would see less than was written. */
function validateTexts({ spec }: Pod, errors: ErrorSink): void {
  const check = (text: string | undefined, path: string) => {
    if (text?.includes('\0')) errors.push(invalid(path, text, 'must not contain a NUL character'));
  };
  for (const [container, path] of allContainers(spec, 'spec')) {
    for (const field of ['image', 'workingDir', 'terminationMessagePath'] as const) {
      check(container[field], `${path}.${field}`);
    }
    for (const field of ['command', 'args'] as const) {
      for (const [index, text] of (container[field] ?? []).entries()) check(text, `${path}.${field}[${index}]`);
    }
    for (const probe of ['livenessProbe', 'readinessProbe', 'startupProbe'] as const) {
      for (const [index, text] of (container[probe]?.exec?.command ?? []).entries()) {
        check(text, `${path}.${probe}.exec.command[${index}]`);
      }
    }
    for (const [index, { value }] of (container.env ?? []).entries()) check(value, `${path}.env[${index}].value`);
    for (const [index, mount] of (container.volumeMounts ?? []).entries()) {
      for (const field of ['mountPath', 'subPath', 'subPathExpr'] as const) {
        check(mount[field], `${path}.volumeMounts[${index}].${field}`);
      }
    }
    for (const [index, { hostIP = '' }] of (container.ports ?? []).entries()) {
      if (hostIP !== '' && isIP(hostIP) === 0) {
        errors.push(invalid(`${path}.ports[${index}].hostIP`, hostIP, 'must be a valid IP address'));
      }
    }
  }
  for (const [index, { value }] of (spec.securityContext?.sysctls ?? []).entries()) {
    if (isPlainSysctlValue(value)) continue;
    const detail = 'must have letters, digits, blanks and -_.,:/ only';
    errors.push(invalid(`spec.securityContext.sysctls[${index}].value`, value, detail));
  }
  for (const [index, { hostPath, nfs }] of (spec.volumes ?? []).entries()) {
    if (nfs) validateNfsAddress(nfs, `spec.volumes[${index}].nfs`, errors);
    if (!hostPath) continue;
    check(hostPath.path, `spec.volumes[${index}].hostPath.path`);
    if (!hostPath.path.startsWith('/')) {
      errors.push(invalid(`spec.volumes[${index}].hostPath.path`, hostPath.path, 'must be an absolute path'));
    }
  }
}
