import { parseFieldSelector } from '../../api/selectors.ts';
import { StatusError } from '../../api/status-error.ts';
import { booleanParameter, type Query, stringParameter } from '../request/query.ts';

/** What a request does with which objects, as rules see it. Empty texts for what it does not name. */
export interface ResourceAttributes {
  readonly verb: string;
  readonly group: string;
  readonly resource: string;
  readonly subresource: string;
  readonly namespace: string;
  readonly name: string;
}

/** A request for a path that is no object. */
export interface PathAttributes {
  readonly verb: string;
  readonly path: string;
}

export type Attributes = ResourceAttributes | PathAttributes;

export function isResource(attributes: Attributes): attributes is ResourceAttributes {
  return 'resource' in attributes;
}

/** Which right a route asks for. Every route names one. */
export type RouteAccess =
  /** Nobody needs a credential. */
  | { readonly kind: 'public' }
  /** The path itself, `/metrics`. */
  | { readonly kind: 'path' }
  /** Objects, by group, plural name and subresource; namespace and name come from the path. */
  | {
      readonly kind: 'resource';
      readonly group: string;
      readonly resource: string;
      readonly subresource?: string;
      /** Where the method does not say it: streams into pods are `create`, also when they begin with GET. */
      readonly verb?: string;
    }
  /**
   * The kubelet's own endpoints: the right to one of these subresources of the node is enough. A kubelet asks for the
   * fine-grained one (`pods`, `stats`, `metrics`, `log`, `configz`, `healthz`) and then for `proxy`.
   */
  | {
      readonly kind: 'node';
      readonly subresources: readonly string[];
      readonly verb?: string;
      /** True: so is the right to the path. */
      readonly orPath?: boolean;
    };

/** As much of a request as its rights depend on. */
export interface RequestFacts {
  readonly method: string;
  /** Without the query. */
  readonly path: string;
  readonly params: { readonly namespace?: string; readonly name?: string };
  readonly query: Query;
  /** Of the one node there is. */
  readonly nodeName: string;
}

const verbs: Readonly<Record<string, string>> = {
  GET: 'get',
  HEAD: 'get',
  POST: 'create',
  PUT: 'update',
  PATCH: 'patch',
  DELETE: 'delete',
};

/**
 * What the request asks for, in the order in which it is tried; one of them is enough. None for what is public.
 * Rules of k8s.io/apiserver's RequestInfoFactory, and of the kubelet's NodeRequestAttributesGetter. PURE.
 */
export function attributesOf(access: RouteAccess, facts: RequestFacts): Attributes[] {
  const { method, path, params, nodeName } = facts;
  const methodVerb = verbs[method] ?? method.toLowerCase();
  // As in Kubernetes, the verb for a path is the method's own name.
  const pathAttributes = { verb: method.toLowerCase(), path };
  switch (access.kind) {
    case 'public':
      return [];
    case 'path':
      return [pathAttributes];
    case 'node': {
      const verb = access.verb ?? methodVerb;
      const common = { verb, group: '', resource: 'nodes', namespace: '', name: nodeName };
      const ofNode = access.subresources.map((subresource) => ({ ...common, subresource }));
      return access.orPath ? [pathAttributes, ...ofNode] : ofNode;
    }
    case 'resource': {
      const { group, resource, subresource = '' } = access;
      const { verb, name } = access.verb
        ? { verb: access.verb, name: params.name ?? '' }
        : verbAndName(methodVerb, facts);
      // A namespace is itself in the namespace of its name.
      const namespace = group === '' && resource === 'namespaces' ? params.name : params.namespace;
      return [{ verb, group, resource, subresource, namespace: namespace ?? '', name }];
    }
  }
}

/** Without a name in the path, reading is `list` or `watch`, and deleting `deletecollection`. */
function verbAndName(methodVerb: string, { params, query }: RequestFacts): { verb: string; name: string } {
  const { name = '' } = params;
  if (name !== '') return { verb: methodVerb, name };
  if (methodVerb === 'delete') return { verb: 'deletecollection', name };
  if (methodVerb !== 'get') return { verb: methodVerb, name };
  return { verb: booleanParameter(query, 'watch') ? 'watch' : 'list', name: selectedName(query) };
}

/** Whoever may read only objects of certain names may list and watch them one by one. */
function selectedName(query: Query): string {
  const selector = stringParameter(query, 'fieldSelector');
  if (selector === undefined) return '';
  try {
    return parseFieldSelector(selector).exactValue('metadata.name') ?? '';
  } catch (error) {
    // What is no selector is refused after this, to whoever may list at all.
    if (error instanceof StatusError) return '';
    throw error;
  }
}

/** `pods "web" is forbidden: User "bob" cannot get resource "pods" in API group "" in the namespace "default"`, without the beginning. */
export function refusalText(user: string, attributes: Attributes): string {
  const who = `User ${JSON.stringify(user)} cannot`;
  if (!isResource(attributes)) return `${who} ${attributes.verb} path ${JSON.stringify(attributes.path)}`;
  const { verb, group, resource, subresource, namespace } = attributes;
  const what = subresource === '' ? resource : `${resource}/${subresource}`;
  const where = namespace === '' ? 'at the cluster scope' : `in the namespace ${JSON.stringify(namespace)}`;
  return `${who} ${verb} resource ${JSON.stringify(what)} in API group ${JSON.stringify(group)} ${where}`;
}
