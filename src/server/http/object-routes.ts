import type { FastifyInstance, FastifyReply, FastifyRequest, HTTPMethods } from 'fastify';
import type { RouteAccess } from '../access/attributes.ts';
import type { Target } from '../objects/object-api.ts';
import { type AnyKind, apiVersionOf } from '../representation.ts';
import type { HttpContext } from './context.ts';
import { checkPathSegment, methodNotAllowedHere } from './errors.ts';
import { ObjectHandlers } from './object-handlers.ts';

type Handler = (target: Target, request: FastifyRequest, reply: FastifyReply) => Promise<FastifyReply | undefined>;
type Handlers = Partial<Record<HTTPMethods, Handler>>;

const methods: HTTPMethods[] = ['GET', 'POST', 'PUT', 'PATCH', 'DELETE'];

/** Subresources with handlers of their own, by `plural/name`. */
export type SubresourceHandlers = Readonly<Record<string, Handlers>>;

/** The paths of every kind, as Kubernetes lays them out. */
export function registerObjectRoutes(
  app: FastifyInstance,
  context: HttpContext,
  subresourceHandlers: SubresourceHandlers,
): void {
  const handlers = new ObjectHandlers(context);
  for (const kind of context.kinds) {
    const base = `${kind.group === '' ? '/api' : '/apis'}/${apiVersionOf(kind)}`;
    const collection = kind.namespaced ? `${base}/namespaces/:namespace/${kind.plural}` : `${base}/${kind.plural}`;
    register(app, collection, kind, undefined, collectionHandlers(handlers, kind));
    if (kind.namespaced)
      register(app, `${base}/${kind.plural}`, kind, undefined, { GET: pick(kind, 'list', handlers) });
    register(app, `${collection}/:name`, kind, undefined, itemHandlers(handlers, kind));
    for (const { name, verbs } of kind.subresources) {
      const own = subresourceHandlers[`${kind.plural}/${name}`];
      const generic: Handlers = {
        GET: verbs.includes('get') ? (...args) => handlers.get(...args) : undefined,
        PUT: verbs.includes('update') ? (...args) => handlers.update(...args) : undefined,
        PATCH: verbs.includes('patch') ? (...args) => handlers.patch(...args) : undefined,
      };
      register(app, `${collection}/:name/${name}`, kind, name, own ?? generic);
    }
  }
}

function collectionHandlers(handlers: ObjectHandlers, kind: AnyKind): Handlers {
  return {
    GET: pick(kind, 'list', handlers),
    POST: kind.verbs.includes('create') ? (...args) => handlers.create(...args) : undefined,
    DELETE: kind.verbs.includes('deletecollection') ? (...args) => handlers.deleteCollection(...args) : undefined,
  };
}

function itemHandlers(handlers: ObjectHandlers, kind: AnyKind): Handlers {
  return {
    GET: kind.verbs.includes('get') ? (...args) => handlers.get(...args) : undefined,
    PUT: kind.verbs.includes('update') ? (...args) => handlers.update(...args) : undefined,
    PATCH: kind.verbs.includes('patch') ? (...args) => handlers.patch(...args) : undefined,
    DELETE: kind.verbs.includes('delete') ? (...args) => handlers.delete(...args) : undefined,
  };
}

function pick(kind: AnyKind, verb: 'list', handlers: ObjectHandlers): Handler | undefined {
  return kind.verbs.includes(verb) ? (...args) => handlers.list(...args) : undefined;
}

/** Every method has a route, so that a wrong one is answered as such and not as a wrong path. */
function register(
  app: FastifyInstance,
  url: string,
  kind: AnyKind,
  subresource: string | undefined,
  handlers: Handlers,
): void {
  const access: RouteAccess = {
    kind: 'resource',
    group: kind.group,
    resource: kind.plural,
    ...(subresource === undefined ? {} : { subresource }),
    // What runs in a pod is not read, however it begins.
    ...(subresource !== undefined && isStream(kind, subresource) ? { verb: 'create' } : {}),
  };
  for (const method of methods) {
    const handler = handlers[method];
    app.route({
      method,
      url,
      config: { access, resource: subresource === undefined ? kind.plural : `${kind.plural}/${subresource}` },
      handler: async (request, reply) => {
        if (!handler) throw methodNotAllowedHere();
        return handler(targetOf(kind, subresource, request), request, reply);
      },
    });
  }
}

function isStream(kind: AnyKind, subresource: string): boolean {
  return kind.plural === 'pods' && ['attach', 'exec', 'portforward'].includes(subresource);
}

function targetOf(kind: AnyKind, subresource: string | undefined, request: FastifyRequest): Target {
  const { namespace, name } = request.params as { namespace?: string; name?: string };
  for (const segment of [namespace, name]) if (segment !== undefined) checkPathSegment(segment);
  return { kind, namespace, name: name ?? '', subresource, requester: request.identity };
}
