import { type ErrorSink, forbidden, invalid, notSupported, required } from '../field-error.ts';
import { checkDnsSubdomain, isLongerThan } from '../formats.ts';
import { addProblems } from '../meta-validation.ts';
import type { PodSpec, WindowsSecurityContextOptions } from '../pod.ts';
import { allContainers } from './annotations.ts';

/** Rules around spec.os, and of the settings that only Windows knows. */

const maxCredentialSpecBytes = 64 * 1024;
const maxDomainBytes = 256;
const maxUserBytes = 104;
const netBiosName = /^[^\\/:*?"<>|.][^\\/:*?"<>|]{0,14}$/;
const dnsDomain = /^[a-zA-Z0-9](?:[a-zA-Z0-9-]{0,61}[a-zA-Z0-9])?(?:\.[a-zA-Z0-9](?:[a-zA-Z0-9-]{0,61}[a-zA-Z0-9])?)*$/;
// biome-ignore lint/suspicious/noControlCharactersInRegex: control characters are what it looks for
const controlCharacter = /[\u0000-\u001f\u007f]/;

const windowsForbiddenInPod = [
  'appArmorProfile',
  'seLinuxOptions',
  'seccompProfile',
  'fsGroup',
  'fsGroupChangePolicy',
  'sysctls',
  'runAsUser',
  'runAsGroup',
  'supplementalGroups',
  'supplementalGroupsPolicy',
  'seLinuxChangePolicy',
] as const;

const windowsForbiddenInContainer = [
  'appArmorProfile',
  'seLinuxOptions',
  'seccompProfile',
  'capabilities',
  'readOnlyRootFilesystem',
  'privileged',
  'allowPrivilegeEscalation',
  'procMount',
  'runAsUser',
  'runAsGroup',
] as const;

export function validateOs(spec: PodSpec, path: string, errors: ErrorSink): void {
  if (!spec.os) return;
  const name: string = spec.os.name;
  if (name === '') errors.push(required(`${path}.os.name`, 'cannot be empty'));
  else if (name === 'linux') validateLinux(spec, path, errors);
  else if (name === 'windows') validateWindows(spec, path, errors);
  else errors.push(notSupported(`${path}.os`, name, ['linux', 'windows']));
}

/** Host process containers: all of a pod or none, and on the host's network. */
export function validateHostProcess(spec: PodSpec, allowPrivileged: boolean, path: string, errors: ErrorSink): void {
  const ofPod = spec.securityContext?.windowsOptions?.hostProcess;
  let all = 0;
  let hostProcesses = 0;
  for (const [container, at] of allContainers(spec, path)) {
    all++;
    const own = container.securityContext?.windowsOptions?.hostProcess;
    if (ofPod !== undefined && own !== undefined && ofPod !== own) {
      const detail = `pod hostProcess value must be identical if both are specified, was ${ofPod}`;
      errors.push(invalid(`${at}.securityContext.windowsOptions.hostProcess`, own, detail));
    }
    if (own ?? ofPod) hostProcesses++;
  }
  if (hostProcesses === 0) return;
  if (hostProcesses !== all) {
    const detail = 'If pod contains any hostProcess containers then all containers must be HostProcess containers';
    errors.push(invalid(path, '', detail));
  }
  if (!spec.hostNetwork) {
    const detail = 'hostNetwork must be true if pod contains any hostProcess containers';
    errors.push(invalid(`${path}.hostNetwork`, false, detail));
  }
  if (!allowPrivileged) errors.push(forbidden(path, 'hostProcess containers are disallowed by cluster policy'));
}

export function validateWindowsOptions(
  options: WindowsSecurityContextOptions | undefined,
  path: string,
  errors: ErrorSink,
): void {
  if (!options) return;
  const { gmsaCredentialSpecName: specName, gmsaCredentialSpec: spec, runAsUserName } = options;
  if (specName !== undefined) {
    addProblems(errors, `${path}.gmsaCredentialSpecName`, specName, checkDnsSubdomain(specName));
  }
  if (spec === '') {
    errors.push(invalid(`${path}.gmsaCredentialSpec`, spec, 'gmsaCredentialSpec cannot be an empty string'));
  } else if (spec !== undefined && isLongerThan(spec, maxCredentialSpecBytes)) {
    errors.push(invalid(`${path}.gmsaCredentialSpec`, spec, 'gmsaCredentialSpec size must be under 64 KiB'));
  }
  if (runAsUserName !== undefined) {
    addProblems(errors, `${path}.runAsUserName`, runAsUserName, checkUserName(runAsUserName));
  }
}

/** `DOMAIN\user` or `user`. */
function checkUserName(name: string): string[] {
  if (name === '') return ['runAsUserName cannot be an empty string'];
  if (controlCharacter.test(name)) return ['runAsUserName cannot contain control characters'];
  const parts = name.split('\\');
  if (parts.length > 2) return ['runAsUserName cannot contain more than one backslash'];
  const user = parts.at(-1) ?? '';
  const domain = parts.length === 2 ? parts[0] : undefined;
  const problems: string[] = [];
  if (domain !== undefined) {
    if (domain.length >= maxDomainBytes) {
      problems.push(`runAsUserName's Domain length must be under ${maxDomainBytes} characters`);
    }
    if (!netBiosName.test(domain) && !dnsDomain.test(domain)) {
      problems.push("runAsUserName's Domain doesn't match the NetBios nor the DNS format");
    }
  }
  if (user === '') problems.push("runAsUserName's User cannot be empty");
  else if (isLongerThan(user, maxUserBytes)) {
    problems.push(`runAsUserName's User length must not be longer than ${maxUserBytes} characters`);
  }
  if (/^[. ]+$/.test(user)) problems.push("runAsUserName's User cannot contain only periods or spaces");
  if (/["/\\:;|=,+*?<>@[\]]/.test(user)) {
    problems.push('runAsUserName\'s User cannot contain the following characters: "/\\:;|=,+*?<>@[]');
  }
  return problems;
}

function validateLinux(spec: PodSpec, path: string, errors: ErrorSink): void {
  const detail = 'windows options cannot be set for a linux pod';
  if (spec.securityContext?.windowsOptions) errors.push(forbidden(`${path}.securityContext.windowsOptions`, detail));
  for (const [container, at] of allContainers(spec, path)) {
    if (container.securityContext?.windowsOptions) {
      errors.push(forbidden(`${at}.securityContext.windowsOptions`, detail));
    }
  }
}

function validateWindows(spec: PodSpec, path: string, errors: ErrorSink): void {
  const detail = 'cannot be set for a windows pod';
  const context = spec.securityContext ?? {};
  for (const field of windowsForbiddenInPod) {
    if (context[field] !== undefined) errors.push(forbidden(`${path}.securityContext.${field}`, detail));
  }
  for (const field of ['hostUsers', 'shareProcessNamespace'] as const) {
    if (spec[field] !== undefined) errors.push(forbidden(`${path}.${field}`, detail));
  }
  for (const field of ['hostPID', 'hostIPC'] as const) {
    if (spec[field]) errors.push(forbidden(`${path}.${field}`, detail));
  }
  for (const [container, at] of allContainers(spec, path)) {
    for (const field of windowsForbiddenInContainer) {
      if (container.securityContext?.[field] !== undefined) {
        errors.push(forbidden(`${at}.securityContext.${field}`, detail));
      }
    }
  }
}
