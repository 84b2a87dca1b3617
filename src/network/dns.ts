import type { Pod, PodDNSConfigOption } from '../api/pod.ts';
import { plainWord } from './plain-word.ts';

/** The parts of a resolv.conf. */
export interface HostResolvConf {
  readonly servers: readonly string[];
  readonly searches: readonly string[];
  /** As they stand in the file: `ndots:5`, `rotate`. */
  readonly options: readonly string[];
}

export interface DnsFacts {
  readonly clusterDNS: readonly string[];
  readonly clusterDomain: string;
  /** Undefined when the daemon is configured to give pods no resolver of the host. */
  readonly hostResolvConf: HostResolvConf | undefined;
}

export interface DnsWarning {
  readonly type: 'Normal' | 'Warning';
  readonly reason: string;
  readonly message: string;
}

export interface PodDns extends HostResolvConf {
  /** For Events of the pod. */
  readonly warnings: readonly DnsWarning[];
}

// What glibc takes, and Kubernetes' limits (pkg/apis/core/validation).
const MAX_SERVERS = 3;
const MAX_SEARCHES = 32;
const MAX_SEARCH_CHARACTERS = 2048;
/** Some resolvers abort the process on a longer search path. */
const MAX_SEARCH_LENGTH = 253;
const CLUSTER_OPTIONS = ['ndots:5'];

/**
 * PURE. Reads a resolv.conf as a kubelet does: name servers add up, of several `search` or `options` lines the last one
 * counts, search paths lose their trailing dot. `domain` and `sortlist` are not looked at.
 */
export function parseResolvConf(text: string): HostResolvConf {
  const servers: string[] = [];
  let searches: string[] = [];
  let options: string[] = [];
  for (const line of text.split('\n')) {
    const [keyword, ...values] = line.trim().split(/\s+/);
    if (keyword === 'nameserver' && values[0] !== undefined) servers.push(values[0]);
    if (keyword === 'search') searches = values.map((value) => (value === '.' ? value : value.replace(/\.$/, '')));
    if (keyword === 'options') options = values;
  }
  return { servers, searches, options };
}

/**
 * PURE. Whether no name server of this resolv.conf can be reached from a pod's own network, as with the stub resolver
 * of systemd-resolved (which keeps the real ones in /run/systemd/resolve/resolv.conf).
 */
export function hasOnlyLoopbackServers(conf: HostResolvConf): boolean {
  return conf.servers.length > 0 && conf.servers.every(isLoopback);
}

/**
 * PURE. The resolv.conf of a pod (pkg/kubelet/network/dns): a base from dnsPolicy, then dnsConfig added to it, then cut
 * to what resolvers take. What was cut or replaced is told in `warnings`.
 *
 * @throws NotPlainError
 */
export function podDnsConfig(pod: Pod, facts: DnsFacts): PodDns {
  const warnings: PodDns['warnings'][number][] = [];
  const base = basis(pod, facts, warnings);
  const { nameservers = [], searches = [], options = [] } = pod.spec.dnsConfig ?? {};
  const hasConfig = pod.spec.dnsConfig !== undefined;
  const all = {
    servers: hasConfig ? unique([...base.servers, ...nameservers]) : base.servers,
    searches: hasConfig ? unique([...base.searches, ...searches]) : base.searches,
    options: hasConfig ? mergeOptions(base.options, options) : base.options,
  };
  return {
    servers: fitServers(all.servers, warnings).map((server) => plainWord('name server', server)),
    searches: fitSearches(all.searches, warnings).map((search) => plainWord('DNS search path', search)),
    options: all.options.map((option) => plainWord('DNS option', option)),
    warnings,
  };
}

type Warnings = DnsWarning[];

function basis(pod: Pod, facts: DnsFacts, warnings: Warnings): HostResolvConf {
  const { dnsPolicy = 'ClusterFirst', hostNetwork = false } = pod.spec;
  if (dnsPolicy === 'None') return { servers: [], searches: [], options: [] };

  const wantsCluster = dnsPolicy === 'ClusterFirstWithHostNet' || (dnsPolicy === 'ClusterFirst' && !hostNetwork);
  const host = facts.hostResolvConf;
  if (wantsCluster && facts.clusterDNS.length > 0) {
    const { clusterDomain } = facts;
    const cluster =
      clusterDomain === ''
        ? []
        : [`${pod.metadata.namespace}.svc.${clusterDomain}`, `svc.${clusterDomain}`, clusterDomain];
    return {
      servers: facts.clusterDNS,
      searches: unique([...cluster, ...(host?.searches ?? [])]),
      options: CLUSTER_OPTIONS,
    };
  }
  if (wantsCluster) {
    warnings.push({
      // A kubelet warns. Here it is how most machines are, and "ClusterFirst" is what most manifests do not say.
      type: 'Normal',
      reason: 'MissingClusterDNS',
      message:
        'no clusterDNS is configured: dnsPolicy "ClusterFirst" falls back to "Default", the host\'s name servers',
    });
  }
  // An empty resolv.conf means "the name server on this machine"; this says the same, and looks nothing up.
  if (!host) return { servers: ['127.0.0.1'], searches: ['.'], options: [] };
  if (!hostNetwork && hasOnlyLoopbackServers(host)) {
    warnings.push({
      type: 'Warning',
      reason: 'DNSConfigForming',
      message: `the host's name servers (${host.servers.join(' ')}) cannot be reached from the network of the pod`,
    });
  }
  return host;
}

/** An option of the manifest replaces one of the same name, in its place. */
function mergeOptions(base: readonly string[], added: readonly PodDNSConfigOption[]): string[] {
  const values = new Map<string, string>();
  for (const option of base) {
    const colon = option.indexOf(':');
    values.set(colon < 0 ? option : option.slice(0, colon), colon < 0 ? '' : option.slice(colon + 1));
  }
  for (const { name, value } of added) values.set(name ?? '', value ?? '');
  return [...values].map(([name, value]) => (value === '' ? name : `${name}:${value}`));
}

function fitServers(servers: readonly string[], warnings: Warnings): readonly string[] {
  if (servers.length <= MAX_SERVERS) return servers;
  const kept = servers.slice(0, MAX_SERVERS);
  warnings.push({
    type: 'Warning',
    reason: 'DNSConfigForming',
    message:
      'Nameserver limits were exceeded, some nameservers have been omitted, ' +
      `the applied nameserver line is: ${kept.join(' ')}`,
  });
  return kept;
}

function fitSearches(searches: readonly string[], warnings: Warnings): readonly string[] {
  const kept = searches.slice(0, MAX_SEARCHES).filter((search) => search.length <= MAX_SEARCH_LENGTH);
  while (kept.join(' ').length > MAX_SEARCH_CHARACTERS) kept.pop();
  if (kept.length === searches.length) return searches;
  warnings.push({
    type: 'Warning',
    reason: 'DNSConfigForming',
    message:
      'Search Line limits were exceeded, some search paths have been omitted, ' +
      `the applied search line is: ${kept.join(' ')}`,
  });
  return kept;
}

function unique(values: readonly string[]): string[] {
  return [...new Set(values)];
}

function isLoopback(server: string): boolean {
  return /^127(\.\d{1,3}){3}$/.test(server) || server === '::1';
}
