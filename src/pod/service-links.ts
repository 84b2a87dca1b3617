import { serviceKind } from '../api/kinds.ts';
import type { Pod } from '../api/pod.ts';
import type { Service } from '../api/service.ts';
import type { Store } from '../store/store.ts';
import { linkedServices, MASTER_SERVICE } from './service-environment.ts';

/** The services that a pod's containers are told of, as they are stored now. */
export function servicesOf(store: Pick<Store, 'get' | 'list'>, { metadata, spec }: Pod): Service[] {
  const own = store.list(serviceKind, { namespace: metadata.namespace }).items;
  return linkedServices(spec.enableServiceLinks ?? true, own, store.get(serviceKind, 'default', MASTER_SERVICE));
}
