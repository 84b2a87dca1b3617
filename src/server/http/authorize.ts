import type { FastifyInstance, FastifyRequest } from 'fastify';
import { forbidden, type StatusError, unauthorized } from '../../api/status-error.ts';
import { type Attributes, attributesOf, isResource, type RouteAccess, refusalText } from '../access/attributes.ts';
import { readImpersonation } from '../access/impersonation.ts';
import type { RbacAuthorizer } from '../access/rbac.ts';
import type { Identity } from '../identity.ts';
import type { Target } from '../objects/object-api.ts';
import { methodNotAllowedHere } from './errors.ts';
import { healthPaths } from './health-routes.ts';
import { queryOf } from './reply.ts';

/**
 * Who the request is to be taken for: whoever sent it, or whoever that one may impersonate.
 *
 * @throws StatusError Forbidden where it may not: the headers are never passed over.
 */
export function identify(
  request: FastifyRequest,
  sender: Identity | undefined,
  authorizer: RbacAuthorizer,
): Identity | undefined {
  if (!sender) return undefined;
  const impersonation = readImpersonation(request.raw.rawHeaders);
  if (!impersonation) return sender;
  for (const attributes of impersonation.needed) {
    if (!authorizer.decide(sender, attributes).allowed) throw refusal(sender, attributes);
  }
  return impersonation.identity;
}

/** From here on a route that does not say which right it takes is no route: the server does not even start. */
export function requireAccess(app: FastifyInstance): void {
  const routeAccess = new Map<string, RouteAccess>();
  app.decorate('routeAccess', routeAccess);
  app.addHook('onRoute', ({ method, url, config }) => {
    const access = config?.access;
    if (access === undefined) throw new Error(`the route ${method} ${url} does not say which right it takes`);
    for (const one of [method].flat()) routeAccess.set(`${one} ${url}`, access);
  });
}

/** @throws StatusError Unauthorized, Forbidden, and MethodNotAllowed where everybody may know it. */
export function authorize(
  request: FastifyRequest,
  { authorizer, nodeName }: { readonly authorizer: RbacAuthorizer; readonly nodeName: string },
): void {
  const { identity } = request;
  const { access } = request.routeOptions.config;
  if (access?.kind === 'public') return;
  if (request.is404 && healthPaths.has(pathOf(request))) throw methodNotAllowedHere();
  if (!identity) throw unauthorized();
  const wanted = wantedAttributes(request, nodeName);
  if (wanted.some((attributes) => authorizer.decide(identity, attributes).allowed)) return;
  const [first] = wanted;
  if (first) throw refusal(identity, first);
}

/**
 * Whoever applies an object that is not there makes it, and needs the right to that too.
 *
 * @throws StatusError Forbidden.
 */
export function authorizeCreation({ kind, namespace, name, requester }: Target, authorizer: RbacAuthorizer): void {
  const attributes: Attributes = {
    verb: 'create',
    group: kind.group,
    resource: kind.plural,
    subresource: '',
    namespace: (kind.plural === 'namespaces' ? name : namespace) ?? '',
    name,
  };
  if (!requester) throw unauthorized();
  if (!authorizer.decide(requester, attributes).allowed) throw refusal(requester, attributes);
}

/** What the request asks for; one of them is enough. None for what is public. */
export function wantedAttributes(request: FastifyRequest, nodeName: string): Attributes[] {
  // What leads nowhere is told to those only who may read that path.
  const access: RouteAccess = request.routeOptions.config.access ?? { kind: 'path' };
  const params = (request.params ?? {}) as { namespace?: string; name?: string };
  const { method } = request;
  return attributesOf(access, { method, path: pathOf(request), params, query: queryOf(request), nodeName });
}

/** As the router has read it, so that no encoding leads elsewhere than it says. */
function pathOf({ url, routeOptions }: FastifyRequest): string {
  const route = routeOptions.url;
  return route !== undefined && !/[:*]/.test(route) ? route : (url.split('?', 1)[0] ?? '');
}

/** In Kubernetes' words. */
function refusal({ user }: Identity, attributes: Attributes): StatusError {
  const text = refusalText(user, attributes);
  if (!isResource(attributes)) return forbidden(`forbidden: ${text}`);
  const { group, resource, name } = attributes;
  const what = group === '' ? resource : `${resource}.${group}`;
  const about = name === '' ? what : `${what} ${JSON.stringify(name)}`;
  return forbidden(`${about} is forbidden: ${text}`, {
    ...(name === '' ? {} : { name }),
    ...(group === '' ? {} : { group }),
    kind: resource,
  });
}
