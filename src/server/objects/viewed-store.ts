import type { KindDefinition } from '../../api/kind.ts';
import type { KubeObject } from '../../api/meta.ts';
import type { Store, WatchOptions } from '../../store/store.ts';

/** What the API asks of the store. */
export type ObjectStore = Pick<Store, 'get' | 'list' | 'listAt' | 'create' | 'update' | 'delete' | 'watch'>;

/**
 * The store as clients see it: objects of a kind that is a view of another are kept as those of the other one, and
 * converted on the way out and in. All else goes through as it is.
 */
export function viewedStore(store: Store): ObjectStore {
  return {
    get: (kind, namespace, name) => {
      const { view } = kind;
      if (!view) return store.get(kind, namespace, name);
      const stored = store.get(view.of, namespace, name);
      return stored && view.show(stored);
    },
    list: (kind, options = {}) => {
      const { view } = kind;
      if (!view) return store.list(kind, options);
      const { namespace, filter = () => true } = options;
      const { items, resourceVersion } = store.list(view.of, { namespace });
      return { items: items.map((stored) => view.show(stored)).filter(filter), resourceVersion };
    },
    listAt: (kind, resourceVersion, options = {}) => {
      const { view } = kind;
      if (!view) return store.listAt(kind, resourceVersion, options);
      const { namespace, filter = () => true } = options;
      const items = store.listAt(view.of, resourceVersion, { namespace });
      return items?.map((stored) => view.show(stored)).filter(filter);
    },
    create: (kind, object, options) => {
      const { view } = kind;
      return view ? view.show(store.create(view.of, view.store(object), options)) : store.create(kind, object, options);
    },
    update: (kind, namespace, name, mutate, options) => {
      const { view } = kind;
      if (!view) return store.update(kind, namespace, name, mutate, options);
      const change = (current: KubeObject) => {
        const next = mutate(view.show(current));
        return next && view.store(next);
      };
      return view.show(store.update(view.of, namespace, name, change, options));
    },
    delete: (kind, namespace, name, preconditions, options) => {
      const { view } = kind;
      if (!view) return store.delete(kind, namespace, name, preconditions, options);
      return view.show(store.delete(view.of, namespace, name, preconditions, options));
    },
    watch: (kind, options, listener) => {
      const { view } = kind;
      if (!view) return store.watch(kind, options, listener);
      const { filter, ...rest } = options;
      return store.watch(view.of, viewedFilter(kind, rest, filter), ({ type, object }) =>
        listener({ type, object: view.show(object) }),
      );
    },
  };
}

function viewedFilter<T extends KubeObject>(
  { view }: KindDefinition<T>,
  options: Omit<WatchOptions<T>, 'filter'>,
  filter: ((object: T) => boolean) | undefined,
): WatchOptions<KubeObject> {
  return view && filter ? { ...options, filter: (stored) => filter(view.show(stored)) } : options;
}
