import type { Pod } from '../api/pod.ts';
import { plainWord } from './plain-word.ts';

export interface PodHostname {
  /** What uname(2) shows in the pod's containers. */
  readonly hostname: string;
  /** The first label of the pod's name in DNS. */
  readonly shortName: string;
  /** `<subdomain>.<namespace>.svc.<cluster domain>`, or empty without a subdomain. */
  readonly domain: string;
}

/** The kernel's limit of a host name. */
const FQDN_MAX = 64;
const HOSTNAME_MAX = 63;
const LABEL = /^[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?$/;

/** The pod's name cannot be a host name; the pod cannot start. */
export class HostnameError extends Error {
  constructor(message: string) {
    super(message);
    this.name = 'HostnameError';
  }
}

/**
 * PURE. The host name of a pod (GeneratePodHostNameAndDomain and GetNodenameForKernel of pkg/kubelet): `hostname`, else
 * the pod's name, cut to 63 characters; with `setHostnameAsFQDN` followed by the domain; `hostnameOverride` as it is.
 *
 * @throws HostnameError when the full name is longer than the kernel takes.
 */
export function podHostname(pod: Pod, clusterDomain: string): PodHostname {
  const { spec, metadata } = pod;
  if (spec.hostnameOverride !== undefined) {
    const hostname = plainWord('hostnameOverride', spec.hostnameOverride);
    return { hostname, shortName: hostname, domain: '' };
  }
  const shortName = truncate(spec.hostname ? label('hostname', spec.hostname) : plainWord('name', metadata.name));
  const domain = spec.subdomain
    ? `${label('subdomain', spec.subdomain)}.${plainWord('namespace', metadata.namespace)}.svc.${clusterDomain}`
    : '';
  if (!spec.setHostnameAsFQDN || domain === '') return { hostname: shortName, shortName, domain };

  const fqdn = `${shortName}.${domain}`;
  if (fqdn.length > FQDN_MAX) {
    throw new HostnameError(
      `failed to construct FQDN from pod hostname and cluster domain, FQDN ${fqdn} is too long ` +
        `(${FQDN_MAX} characters is the max, ${fqdn.length} characters requested)`,
    );
  }
  return { hostname: fqdn, shortName, domain };
}

function label(field: string, value: string): string {
  if (!LABEL.test(value)) throw new HostnameError(`pod ${field} ${JSON.stringify(value)} is not a valid DNS label`);
  return value;
}

function truncate(name: string): string {
  if (name.length <= HOSTNAME_MAX) return name;
  return name.slice(0, HOSTNAME_MAX).replace(/[-.]+$/, '');
}
