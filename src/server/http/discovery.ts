import { type AnyKind, apiVersionOf } from '../representation.ts';

/** The documents by which clients learn what is served. PURE. */

/** As much of a kind as is told here. */
export type DiscoveredKind = Pick<
  AnyKind,
  | 'group'
  | 'version'
  | 'kind'
  | 'plural'
  | 'singular'
  | 'shortNames'
  | 'categories'
  | 'namespaced'
  | 'verbs'
  | 'subresources'
>;

const v2 = 'apidiscovery.k8s.io/v2';

/** For `GET /api` (core) and `GET /apis` (all other groups) with `as=APIGroupDiscoveryList`. */
export function aggregatedDiscovery(kinds: readonly DiscoveredKind[], apiVersion = v2): object {
  const groups = [...new Set(kinds.map(({ group }) => group))];
  return {
    kind: 'APIGroupDiscoveryList',
    apiVersion,
    metadata: {},
    items: groups.map((group) => ({
      metadata: { name: group, creationTimestamp: null },
      versions: versionsOf(kinds, group).map((version) => ({
        version,
        resources: kinds.filter((kind) => kind.group === group && kind.version === version).map(discoveredResource),
        freshness: 'Current',
      })),
    })),
  };
}

/** `GET /api` for clients that know no aggregated discovery. @param serverAddress `127.0.0.1:10250`. */
export function apiVersions(serverAddress: string): object {
  return {
    kind: 'APIVersions',
    versions: ['v1'],
    serverAddressByClientCIDRs: [{ clientCIDR: '0.0.0.0/0', serverAddress }],
  };
}

/** `GET /apis` for the same. */
export function apiGroupList(kinds: readonly DiscoveredKind[]): object {
  const groups = [...new Set(kinds.map(({ group }) => group))].filter((group) => group !== '');
  return { kind: 'APIGroupList', apiVersion: 'v1', groups: groups.map((group) => apiGroup(kinds, group)) };
}

function apiGroup(kinds: readonly DiscoveredKind[], name: string): object {
  const versions = versionsOf(kinds, name).map((version) => ({ groupVersion: `${name}/${version}`, version }));
  return { name, versions, preferredVersion: versions[0] };
}

/** `GET /api/v1`: every resource and subresource of a group and version. */
export function apiResourceList(kinds: readonly DiscoveredKind[], groupVersion: string): object {
  const resources = kinds
    .filter((kind) => apiVersionOf(kind) === groupVersion)
    .flatMap((kind) => [
      {
        name: kind.plural,
        singularName: kind.singular,
        namespaced: kind.namespaced,
        kind: kind.kind,
        verbs: kind.verbs,
        ...(kind.shortNames.length > 0 ? { shortNames: kind.shortNames } : {}),
        ...(kind.categories.length > 0 ? { categories: kind.categories } : {}),
      },
      ...kind.subresources.map((subresource) => ({
        name: `${kind.plural}/${subresource.name}`,
        singularName: '',
        namespaced: kind.namespaced,
        ...(subresource.group === undefined ? {} : { group: subresource.group, version: subresource.version }),
        kind: subresource.kind,
        verbs: subresource.verbs,
      })),
    ]);
  return { kind: 'APIResourceList', apiVersion: 'v1', groupVersion, resources };
}

function discoveredResource(kind: DiscoveredKind): object {
  const { group, version } = kind;
  return {
    resource: kind.plural,
    responseKind: { group, version, kind: kind.kind },
    scope: kind.namespaced ? 'Namespaced' : 'Cluster',
    singularResource: kind.singular,
    verbs: kind.verbs,
    ...(kind.shortNames.length > 0 ? { shortNames: kind.shortNames } : {}),
    ...(kind.categories.length > 0 ? { categories: kind.categories } : {}),
    ...(kind.subresources.length > 0
      ? {
          subresources: kind.subresources.map((subresource) => ({
            subresource: subresource.name,
            responseKind: {
              group: subresource.group ?? group,
              version: subresource.version ?? version,
              kind: subresource.kind,
            },
            verbs: subresource.verbs,
          })),
        }
      : {}),
  };
}

function versionsOf(kinds: readonly DiscoveredKind[], group: string): string[] {
  return [...new Set(kinds.filter((kind) => kind.group === group).map(({ version }) => version))];
}
