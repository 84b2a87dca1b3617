import type { Container, Pod, Volume } from './pod.ts';
import type { ServiceAccount } from './service-account.ts';

/** Where programs in a pod look for the account's token, `ca.crt` and `namespace`. */
export const API_ACCESS_PATH = '/var/run/secrets/kubernetes.io/serviceaccount';

const volumePrefix = 'kube-api-access-';
/** An hour, and seven seconds by which such a token is known. */
const expirationSeconds = 3607;

export interface ApiAccessOptions {
  /** For pods that do not say, nor does their account. */
  readonly byDefault: boolean;
  /** Without TLS the API has no authority whose certificate could be given. */
  readonly hasAuthority: boolean;
  /** Five characters for the volume's name. */
  readonly nameSuffix: string;
}

/**
 * Gives a new pod the volume with its account's token, and all of its containers that have nothing else there a mount of
 * it. In place. Rules of k8s.io/kubernetes' plugin/pkg/admission/serviceaccount. PURE.
 */
export function addApiAccess(pod: Pod, account: ServiceAccount | undefined, options: ApiAccessOptions): void {
  const { spec } = pod;
  if (!(spec.automountServiceAccountToken ?? account?.automountServiceAccountToken ?? options.byDefault)) return;
  const existing = spec.volumes?.find(({ name }) => name.startsWith(volumePrefix));
  const name = existing?.name ?? volumePrefix + options.nameSuffix;
  const lacking = [...(spec.initContainers ?? []), ...spec.containers].filter(
    ({ volumeMounts = [] }) => !volumeMounts.some(({ mountPath }) => mountPath === API_ACCESS_PATH),
  );
  for (const container of lacking) mountInto(container, name);
  if (!existing && lacking.length > 0) spec.volumes = [...(spec.volumes ?? []), apiAccessVolume(name, options)];
}

function mountInto(container: Container, name: string): void {
  container.volumeMounts = [...(container.volumeMounts ?? []), { name, readOnly: true, mountPath: API_ACCESS_PATH }];
}

function apiAccessVolume(name: string, { hasAuthority }: ApiAccessOptions): Volume {
  const items = [{ key: 'ca.crt', path: 'ca.crt' }];
  return {
    name,
    projected: {
      sources: [
        { serviceAccountToken: { expirationSeconds, path: 'token' } },
        { configMap: { name: 'kube-root-ca.crt', items, ...(hasAuthority ? {} : { optional: true }) } },
        {
          downwardAPI: {
            items: [{ path: 'namespace', fieldRef: { apiVersion: 'v1', fieldPath: 'metadata.namespace' } }],
          },
        },
      ],
      defaultMode: 0o644,
    },
  };
}
