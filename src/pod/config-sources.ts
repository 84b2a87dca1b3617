import type { ConfigSources } from '../api/config-sources.ts';
import { configMapKind, secretKind, serviceAccountKind } from '../api/kinds.ts';
import type { Pod } from '../api/pod.ts';
import type { Store } from '../store/store.ts';

/** The ConfigMaps, Secrets and service accounts that a pod may refer to: those of its own namespace, as they are stored now. */
export function configSourcesOf(store: Pick<Store, 'get'>, pod: Pick<Pod, 'metadata'>): ConfigSources {
  const { namespace } = pod.metadata;
  return {
    configMap: (name) => store.get(configMapKind, namespace, name),
    secret: (name) => store.get(secretKind, namespace, name),
    serviceAccount: (name) => store.get(serviceAccountKind, namespace, name),
  };
}
