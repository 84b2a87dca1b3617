import { type ErrorSink, forbidden, invalid, notSupported, required, tooLong } from '../field-error.ts';
import { checkId, isLongerThan } from '../formats.ts';
import { addProblems } from '../meta-validation.ts';
import type { AppArmorProfile, PodSecurityContext, PodSpec, SeccompProfile, SecurityContext, Sysctl } from '../pod.ts';
import { sysctlNamespace } from '../sysctls.ts';
import type { ContainerContext } from './containers.ts';
import { validateLocalDescendingPath } from './paths.ts';
import { validateWindowsOptions } from './windows.ts';

/** Security contexts of the pod and its containers. */

const profileTypes = ['Localhost', 'RuntimeDefault', 'Unconfined'];
const maxProfileBytes = 4095;
const maxSysctlBytes = 253;
const sysctlSegment = '[a-z0-9]([-_a-z0-9]*[a-z0-9])?';
const sysctlName = new RegExp(`^(${sysctlSegment}[\\./])*${sysctlSegment}$`);

export function validateSecurityContext(
  context: SecurityContext | undefined,
  { spec, allowPrivileged }: ContainerContext,
  path: string,
  errors: ErrorSink,
): void {
  if (!context) return;
  if (context.privileged && !allowPrivileged) {
    errors.push(forbidden(`${path}.privileged`, 'disallowed by cluster policy'));
  }
  validateIds(context, path, errors);
  const procMount: string | undefined = context.procMount;
  if (procMount !== undefined) {
    const supported = ['Default', 'Unmasked'];
    if (!supported.includes(procMount)) errors.push(notSupported(`${path}.procMount`, procMount, supported));
    if (procMount === 'Unmasked' && spec.hostUsers !== false) {
      errors.push(invalid(`${path}.procMount`, procMount, '`hostUsers` must be false to use `Unmasked`'));
    }
  }
  validateSeccompProfile(context.seccompProfile, `${path}.seccompProfile`, errors);
  if (context.allowPrivilegeEscalation === false) {
    const head = 'cannot set `allowPrivilegeEscalation` to false and';
    if (context.privileged) errors.push(invalid(path, context, `${head} \`privileged\` to true`));
    if (context.capabilities?.add?.includes('CAP_SYS_ADMIN')) {
      errors.push(invalid(path, context, `${head} \`capabilities.Add\` CAP_SYS_ADMIN`));
    }
  }
  validateWindowsOptions(context.windowsOptions, `${path}.windowsOptions`, errors);
  validateAppArmorProfile(context.appArmorProfile, `${path}.appArmorProfile`, errors);
}

export function validatePodSecurityContext(spec: PodSpec, path: string, errors: ErrorSink): void {
  const context = spec.securityContext ?? {};
  if (context.fsGroup !== undefined) addProblems(errors, `${path}.fsGroup`, context.fsGroup, checkId(context.fsGroup));
  validateIds(context, path, errors);
  for (const [index, group] of (context.supplementalGroups ?? []).entries()) {
    addProblems(errors, `${path}.supplementalGroups[${index}]`, group, checkId(group));
  }
  if (spec.shareProcessNamespace && spec.hostPID) {
    const detail = 'ShareProcessNamespace and HostPID cannot both be enabled';
    errors.push(invalid(`${path}.shareProcessNamespace`, true, detail));
  }
  validateSysctls(context.sysctls ?? [], spec, `${path}.sysctls`, errors);
  validatePolicies(context, path, errors);
  validateSeccompProfile(context.seccompProfile, `${path}.seccompProfile`, errors);
  validateWindowsOptions(context.windowsOptions, `${path}.windowsOptions`, errors);
  validateAppArmorProfile(context.appArmorProfile, `${path}.appArmorProfile`, errors);
}

/** A pod with a user namespace of its own shares no other namespace with the host. */
export function validateHostUsers(spec: PodSpec, path: string, errors: ErrorSink): void {
  if (spec.hostUsers !== false) return;
  const detail = 'when `hostUsers` is false';
  if (spec.hostNetwork) errors.push(forbidden(`${path}.hostNetwork`, detail));
  // The spelling of these two is Kubernetes' own.
  if (spec.hostPID) errors.push(forbidden(`${path}.HostPID`, detail));
  if (spec.hostIPC) errors.push(forbidden(`${path}.HostIPC`, detail));
  for (const list of ['containers', 'initContainers', 'ephemeralContainers'] as const) {
    for (const [index, container] of (spec[list] ?? []).entries()) {
      if (container.volumeDevices) errors.push(forbidden(`${path}.${list}[${index}].volumeDevices`, detail));
    }
  }
}

export function validateAppArmorProfile(profile: AppArmorProfile | undefined, path: string, errors: ErrorSink): void {
  if (!profile) return;
  const { localhostProfile } = profile;
  const type: string = profile.type;
  if (type === 'Localhost') validateAppArmorName(localhostProfile, `${path}.localhostProfile`, errors);
  else if (type === '') errors.push(required(`${path}.type`, 'type is required when appArmorProfile is set'));
  else if (!profileTypes.includes(type)) errors.push(notSupported(`${path}.type`, type, profileTypes));
  else if (localhostProfile !== undefined) {
    const detail = 'can only be set when AppArmor type is Localhost';
    errors.push(invalid(`${path}.localhostProfile`, localhostProfile, detail));
  }
}

function validateAppArmorName(name: string | undefined, path: string, errors: ErrorSink): void {
  const missing = 'must be set when AppArmor type is Localhost';
  if (name === undefined) return void errors.push(required(path, missing));
  if (name !== name.trim()) errors.push(invalid(path, name, 'must not be padded with whitespace'));
  else if (name === '') errors.push(required(path, missing));
  if (isLongerThan(name, maxProfileBytes)) errors.push(tooLong(path, maxProfileBytes));
}

function validateSeccompProfile(profile: SeccompProfile | undefined, path: string, errors: ErrorSink): void {
  if (!profile) return;
  const { localhostProfile } = profile;
  const type: string = profile.type;
  if (type === '') errors.push(required(`${path}.type`, 'type is required when seccompProfile is set'));
  else if (!profileTypes.includes(type)) errors.push(notSupported(`${path}.type`, type, profileTypes));
  const at = `${path}.localhostProfile`;
  if (type !== 'Localhost') {
    if (localhostProfile !== undefined) {
      errors.push(invalid(at, profile, 'can only be set when seccomp type is Localhost'));
    }
  } else if (localhostProfile === undefined) {
    errors.push(required(at, 'must be set when seccomp type is Localhost'));
  } else validateLocalDescendingPath(localhostProfile, at, errors);
}

function validateIds(ids: { runAsUser?: number; runAsGroup?: number }, path: string, errors: ErrorSink): void {
  for (const field of ['runAsUser', 'runAsGroup'] as const) {
    const id = ids[field];
    if (id !== undefined) addProblems(errors, `${path}.${field}`, id, checkId(id));
  }
}

function validatePolicies(context: PodSecurityContext, path: string, errors: ErrorSink): void {
  const supported = {
    fsGroupChangePolicy: ['Always', 'OnRootMismatch'],
    supplementalGroupsPolicy: ['Merge', 'Strict'],
    // MountOption needs a gate that is off in 1.36.
    seLinuxChangePolicy: ['Recursive'],
  };
  for (const [field, values] of Object.entries(supported)) {
    const value = context[field as keyof typeof supported];
    if (value !== undefined && !values.includes(value)) errors.push(notSupported(`${path}.${field}`, value, values));
  }
}

function validateSysctls(sysctls: readonly Sysctl[], spec: PodSpec, path: string, errors: ErrorSink): void {
  const names = new Set<string>();
  for (const [index, { name }] of sysctls.entries()) {
    const at = `${path}[${index}].name`;
    if (name === '') errors.push(required(at));
    else if (isLongerThan(name, maxSysctlBytes) || !sysctlName.test(name)) {
      const detail = `must have at most ${maxSysctlBytes} characters and match regex ${sysctlName.source}`;
      errors.push(invalid(at, name, detail));
    } else if (names.has(name)) errors.push({ type: 'FieldValueDuplicate', field: at, detail: '', badValue: name });
    names.add(name);
    const namespace = sysctlNamespace(name);
    if (spec.hostNetwork && namespace === 'net') {
      errors.push(invalid(at, name, "may not be specified when 'hostNetwork' is true"));
    } else if (spec.hostIPC && namespace === 'ipc') {
      errors.push(invalid(at, name, "may not be specified when 'hostIPC' is true"));
    }
  }
}
