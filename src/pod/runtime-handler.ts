import { runtimeClassKind } from '../api/kinds.ts';
import type { Pod } from '../api/pod.ts';
import type { Store } from '../store/store.ts';

/**
 * The runtime's handler that a pod's class names: '' for the default one.
 *
 * @returns undefined when there is no such class (any more).
 */
export function runtimeHandlerOf(store: Pick<Store, 'get'>, { spec }: Pod): string | undefined {
  const { runtimeClassName } = spec;
  return runtimeClassName ? store.get(runtimeClassKind, undefined, runtimeClassName)?.handler : '';
}
