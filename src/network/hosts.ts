import type { HostAlias, Pod } from '../api/pod.ts';
import { podHostname } from './hostname.ts';
import { plainWord } from './plain-word.ts';

export interface HostsFacts {
  /** Addresses of the pod, the primary one first. */
  readonly podIPs: readonly string[];
  readonly clusterDomain: string;
  /** The host's own /etc/hosts, for a pod with the host's network. */
  readonly hostFile?: string;
}

/**
 * PURE. The /etc/hosts of a pod's containers, byte for byte as a kubelet writes it (pkg/kubelet/kubelet_pods.go).
 *
 * @throws NotPlainError, HostnameError
 */
export function renderHostsFile(pod: Pod, facts: HostsFacts): string {
  const aliases = aliasLines(pod.spec.hostAliases ?? []);
  if (pod.spec.hostNetwork) {
    return `# Kubernetes-managed hosts file (host network).\n${facts.hostFile ?? ''}${aliases}`;
  }
  const { shortName, domain } = podHostname(pod, facts.clusterDomain);
  const names = domain === '' ? shortName : `${shortName}.${domain}\t${shortName}`;
  const lines = [
    '# Kubernetes-managed hosts file.',
    '127.0.0.1\tlocalhost',
    '::1\tlocalhost ip6-localhost ip6-loopback',
    'fe00::0\tip6-localnet',
    'fe00::0\tip6-mcastprefix',
    'fe00::1\tip6-allnodes',
    'fe00::2\tip6-allrouters',
    ...facts.podIPs.map((ip) => `${plainWord('pod IP', ip)}\t${names}`),
  ];
  return `${lines.join('\n')}\n${aliases}`;
}

function aliasLines(aliases: readonly HostAlias[]): string {
  if (aliases.length === 0) return '';
  const lines = aliases.map(({ ip, hostnames = [] }) =>
    [plainWord('hostAliases ip', ip), hostnames.map((name) => plainWord('hostAliases hostname', name)).join('\t')].join(
      '\t',
    ),
  );
  return `\n# Entries added by HostAliases.\n${lines.join('\n')}\n`;
}
