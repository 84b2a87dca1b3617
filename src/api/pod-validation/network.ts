import { type ErrorSink, forbidden, invalid, required, tooLong } from '../field-error.ts';
import {
  checkDnsLabel,
  checkDnsSubdomain,
  checkDnsSubdomainWithUnderscore,
  checkIp,
  isLongerThan,
} from '../formats.ts';
import { addProblems } from '../meta-validation.ts';
import type { PodDNSConfig, PodSpec } from '../pod.ts';

/** Names and name resolution of a pod, and ports of pods on the host's network. */

const maxNameservers = 3;
const maxSearches = 32;
const maxSearchBytes = 2048;
const maxHostnameBytes = 64;

export function validateNetwork(spec: PodSpec, path: string, errors: ErrorSink): void {
  if (spec.hostNetwork) validateHostNetworkPorts(spec, path, errors);
  validateDnsConfig(spec, `${path}.dnsConfig`, errors);
  for (const field of ['hostname', 'subdomain'] as const) {
    const name = spec[field];
    if (name) addProblems(errors, `${path}.${field}`, name, checkDnsLabel(name));
  }
  validateHostnameOverride(spec, path, errors);
  for (const [index, alias] of (spec.hostAliases ?? []).entries()) {
    const at = `${path}.hostAliases[${index}]`;
    addProblems(errors, `${at}.ip`, alias.ip, checkIp(alias.ip));
    for (const [nameIndex, name] of (alias.hostnames ?? []).entries()) {
      addProblems(errors, `${at}.hostnames[${nameIndex}]`, name, checkDnsSubdomain(name));
    }
  }
}

function validateHostNetworkPorts(spec: PodSpec, path: string, errors: ErrorSink): void {
  for (const [index, container] of spec.containers.entries()) {
    for (const [portIndex, port] of (container.ports ?? []).entries()) {
      if ((port.hostPort ?? 0) === port.containerPort) continue;
      const at = `${path}.containers[${index}].ports[${portIndex}].hostPort`;
      errors.push(invalid(at, port.hostPort ?? 0, 'must match `containerPort` when `hostNetwork` is true'));
    }
  }
}

function validateHostnameOverride(spec: PodSpec, path: string, errors: ErrorSink): void {
  const name = spec.hostnameOverride;
  if (name === undefined) return;
  const at = `${path}.hostnameOverride`;
  addProblems(errors, at, name, checkDnsSubdomain(name));
  if (isLongerThan(name, maxHostnameBytes)) errors.push(tooLong(at, maxHostnameBytes));
  if (spec.hostNetwork) errors.push(forbidden(at, 'may not be specified when hostNetwork is true'));
  if (spec.setHostnameAsFQDN) errors.push(forbidden(at, 'may not be specified when setHostnameAsFQDN is true'));
}

function validateDnsConfig(spec: PodSpec, path: string, errors: ErrorSink): void {
  const config: PodDNSConfig | undefined = spec.dnsConfig;
  if (spec.dnsPolicy === 'None') {
    const when = 'when `dnsPolicy` is None';
    if (!config) return void errors.push(required(path, `must provide \`dnsConfig\` ${when}`));
    if ((config.nameservers ?? []).length === 0) {
      return void errors.push(required(`${path}.nameservers`, `must provide at least one DNS nameserver ${when}`));
    }
  }
  const { nameservers = [], searches = [], options = [] } = config ?? {};
  if (nameservers.length > maxNameservers) {
    const detail = `must not have more than ${maxNameservers} nameservers`;
    errors.push(invalid(`${path}.nameservers`, nameservers, detail));
  }
  for (const [index, server] of nameservers.entries()) {
    addProblems(errors, `${path}.nameservers[${index}]`, server, checkIp(server));
  }
  if (searches.length > maxSearches) {
    errors.push(invalid(`${path}.searches`, searches, `must not have more than ${maxSearches} search paths`));
  }
  if (isLongerThan(searches.join(' '), maxSearchBytes)) {
    const detail = `must not have more than ${maxSearchBytes} characters (including spaces) in the search list`;
    errors.push(invalid(`${path}.searches`, searches, detail));
  }
  for (const [index, search] of searches.entries()) {
    if (search === '.') continue;
    const domain = search.endsWith('.') ? search.slice(0, -1) : search;
    addProblems(errors, `${path}.searches[${index}]`, domain, checkDnsSubdomainWithUnderscore(domain));
  }
  for (const [index, option] of options.entries()) {
    if (!option.name) errors.push(required(`${path}.options[${index}]`, 'must not be empty'));
  }
}
