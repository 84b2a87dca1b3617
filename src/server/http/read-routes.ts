import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify';
import type { KubeObject } from '../../api/meta.ts';
import type { ReadKind } from '../../api/metrics-kinds.ts';
import { methodNotAllowed, notFound } from '../../api/status-error.ts';
import { selectorFilter } from '../objects/object-api.ts';
import { apiVersionOf, writeList, writeObject } from '../representation.ts';
import { parseListOptions } from '../request/list-options.ts';
import type { HttpContext } from './context.ts';
import { checkPathSegment } from './errors.ts';
import { includeObject, representations } from './object-handlers.ts';
import { acceptedBy, queryOf, sendJson } from './reply.ts';

/** The objects of a kind at the moment, of one namespace or of all. */
type Objects = (namespace: string | undefined) => Promise<readonly KubeObject[]>;

const actions: Readonly<Record<string, string>> = { POST: 'create', PUT: 'update', PATCH: 'patch', DELETE: 'delete' };

/** The paths of a kind whose objects are not in the store: they can be got and listed, and nothing else. */
export function registerReadRoutes(
  app: FastifyInstance,
  context: HttpContext,
  kind: ReadKind<KubeObject>,
  objects: Objects,
): void {
  const base = `${kind.group === '' ? '/api' : '/apis'}/${apiVersionOf(kind)}`;
  const collection = kind.namespaced ? `${base}/namespaces/:namespace/${kind.plural}` : `${base}/${kind.plural}`;
  const list = async (request: FastifyRequest, reply: FastifyReply) => {
    const accepted = acceptedBy(request, representations);
    const options = parseListOptions(queryOf(request));
    if (options.watch) throw methodNotAllowed(kind, 'watch');
    const filter = selectorFilter(kind, options) ?? (() => true);
    const items = (await objects(segments(request).namespace)).filter(filter);
    const text = writeList(kind, items, {}, accepted, includeObject(request), context.clock.now());
    return sendJson(request, reply, 200, text);
  };
  const get = async (request: FastifyRequest, reply: FastifyReply) => {
    const accepted = acceptedBy(request, representations);
    const { namespace, name = '' } = segments(request);
    const object = (await objects(namespace)).find(({ metadata }) => metadata.name === name);
    if (!object) throw notFound(kind, name);
    const text = writeObject(kind, object, accepted, includeObject(request), context.clock.now());
    return sendJson(request, reply, 200, text);
  };
  const lists = new Set([collection, `${base}/${kind.plural}`]);
  for (const url of lists) readOnly(app, kind, url, list);
  readOnly(app, kind, `${collection}/:name`, get);
}

function readOnly(
  app: FastifyInstance,
  kind: ReadKind<KubeObject>,
  url: string,
  handler: (request: FastifyRequest, reply: FastifyReply) => Promise<FastifyReply>,
): void {
  const access = { kind: 'resource', group: kind.group, resource: kind.plural } as const;
  const config = { access, resource: kind.group === '' ? kind.plural : `${kind.plural}.${kind.group}` };
  app.route({ method: 'GET', url, config, handler });
  const refuse = async ({ method }: FastifyRequest) => {
    throw methodNotAllowed(kind, actions[method] ?? method);
  };
  app.route({ method: ['POST', 'PUT', 'PATCH', 'DELETE'], url, config, handler: refuse });
}

function segments(request: FastifyRequest): { namespace?: string; name?: string } {
  const params = request.params as { namespace?: string; name?: string };
  for (const segment of Object.values(params)) if (segment !== undefined) checkPathSegment(segment);
  return params;
}
