import type { KubeObject, ListMeta } from '../../api/meta.ts';
import { badRequest, expired, expiredPages } from '../../api/status-error.ts';
import { parseResourceVersion } from '../../store/resource-version.ts';
import { tooLargeResourceVersion } from '../../store/statuses.ts';
import type { ListFilter } from '../../store/store.ts';
import type { AnyKind } from '../representation.ts';
import type { ListOptions } from '../request/list-options.ts';
import { type ContinueToken, readContinueToken, writeContinueToken } from './continue-token.ts';
import type { ObjectStore } from './viewed-store.ts';

export interface Page {
  readonly items: KubeObject[];
  readonly metadata: ListMeta;
}

/** The objects of a kind at one resourceVersion. */
interface State {
  readonly items: readonly KubeObject[];
  readonly resourceVersion: string;
}

/**
 * A list, or the page of it that is asked for. All pages show the state at the first one's resourceVersion.
 *
 * @throws StatusError 410 when that state is forgotten: for a further page with a token that goes on at the latest
 *   state. 504 when the wanted resourceVersion is yet to come.
 */
export function listPage(
  store: ObjectStore,
  kind: AnyKind,
  which: ListFilter<KubeObject>,
  options: Pick<ListOptions, 'limit' | 'continue' | 'resourceVersion' | 'resourceVersionMatch'>,
): Page {
  const token = options.continue === undefined ? undefined : readContinueToken(options.continue);
  const { items, resourceVersion } = token
    ? stateOfToken(store, kind, which, token, options)
    : firstState(store, kind, which, options);
  const rest = token ? items.filter((item) => comesAfter(item, token)) : [...items];
  const metadata: ListMeta = { resourceVersion };
  if (!options.limit || rest.length <= options.limit) return { items: rest, metadata };
  const page = rest.slice(0, options.limit);
  const { namespace = '', name = '' } = page.at(-1)?.metadata ?? {};
  metadata.continue = writeContinueToken({ resourceVersion: Number(resourceVersion), namespace, name });
  if (!which.filter) metadata.remainingItemCount = rest.length - page.length;
  return { items: page, metadata };
}

/** The state that the pages before this one have shown. */
function stateOfToken(
  store: ObjectStore,
  kind: AnyKind,
  which: ListFilter<KubeObject>,
  token: ContinueToken,
  options: Pick<ListOptions, 'resourceVersion'>,
): State {
  if (parseResourceVersion(options.resourceVersion) !== 0) {
    throw badRequest('specifying resource version is not allowed when using continue');
  }
  if (token.resourceVersion === undefined) return store.list(kind, which);
  const items = store.listAt(kind, token.resourceVersion, which);
  if (!items) throw expiredPages(writeContinueToken({ ...token, resourceVersion: undefined }));
  return { items, resourceVersion: String(token.resourceVersion) };
}

/** The latest state, unless the client wants exactly that of a resourceVersion, which must be reached in any case. */
function firstState(
  store: ObjectStore,
  kind: AnyKind,
  which: ListFilter<KubeObject>,
  options: Pick<ListOptions, 'limit' | 'resourceVersion' | 'resourceVersionMatch'>,
): State {
  const wanted = parseResourceVersion(options.resourceVersion);
  if (wanted !== 0 && isExact(options)) {
    const items = store.listAt(kind, wanted, which);
    if (!items) throw expired('The resourceVersion for the provided list is too old.');
    return { items, resourceVersion: String(wanted) };
  }
  const present = store.list(kind, which);
  const current = Number(present.resourceVersion);
  if (wanted > current) throw tooLargeResourceVersion(wanted, current);
  return present;
}

/** A list in pages from a resourceVersion means exactly that one, unless the client says otherwise. */
function isExact({ limit, resourceVersionMatch }: Pick<ListOptions, 'limit' | 'resourceVersionMatch'>): boolean {
  return resourceVersionMatch === undefined ? Boolean(limit) : resourceVersionMatch === 'Exact';
}

function comesAfter({ metadata }: KubeObject, token: ContinueToken): boolean {
  const namespace = metadata.namespace ?? '';
  if (namespace !== token.namespace) return namespace > token.namespace;
  return metadata.name > token.name;
}
