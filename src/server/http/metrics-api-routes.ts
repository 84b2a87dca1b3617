import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify';
import { nodeKind, podKind } from '../../api/kinds.ts';
import type { KubeObject } from '../../api/meta.ts';
import { nodeMetricsKind, podMetricsKind, type ReadKind } from '../../api/metrics-kinds.ts';
import { methodNotAllowed, notFound } from '../../api/status-error.ts';
import { nodeMetrics, podMetrics } from '../../stats/metrics-objects.ts';
import type { Usage } from '../../stats/usage.ts';
import { selectorFilter } from '../objects/object-api.ts';
import { apiVersionOf, writeList, writeObject } from '../representation.ts';
import { parseListOptions } from '../request/list-options.ts';
import type { HttpContext } from './context.ts';
import { checkPathSegment, methodNotAllowedHere } from './errors.ts';
import type { UsageSource } from './kubelet-routes.ts';
import { includeObject, representations } from './object-handlers.ts';
import { acceptedBy, queryOf, sendJson } from './reply.ts';

type Measure = (usage: Usage, namespace: string | undefined) => readonly KubeObject[];

/** `metrics.k8s.io`: what `kubectl top` shows, without a metrics-server. */
export function registerMetricsApiRoutes(app: FastifyInstance, context: HttpContext, source: UsageSource): void {
  const { store } = context;
  registerKind(app, context, source, nodeMetricsKind, ({ node }) =>
    store.list(nodeKind).items.flatMap((item) => nodeMetrics(node, item) ?? []),
  );
  registerKind(app, context, source, podMetricsKind, ({ pods }, namespace) =>
    pods
      .filter((pod) => namespace === undefined || pod.namespace === namespace)
      .flatMap((usage) => {
        const pod = store.get(podKind, usage.namespace, usage.name);
        return pod?.metadata.uid === usage.uid ? (podMetrics(usage, pod) ?? []) : [];
      }),
  );
}

/** `metrics.k8s.io` has but these two kinds: their paths, and 405 for whatever else is tried there. */
function registerKind<T extends KubeObject>(
  app: FastifyInstance,
  context: HttpContext,
  source: UsageSource,
  definition: ReadKind<T>,
  measure: Measure,
): void {
  // Only what `measure` gives is written.
  const kind = definition as unknown as ReadKind<KubeObject>;
  const base = `/apis/${apiVersionOf(kind)}`;
  const collection = kind.namespaced ? `${base}/namespaces/:namespace/${kind.plural}` : `${base}/${kind.plural}`;
  const list = async (request: FastifyRequest, reply: FastifyReply) => {
    const accepted = acceptedBy(request, representations);
    const options = parseListOptions(queryOf(request));
    if (options.watch) throw methodNotAllowed(kind, 'watch');
    const filter = selectorFilter(kind, options) ?? (() => true);
    const { namespace } = segments(request);
    const items = measure(await source.ratedUsage(), namespace).filter(filter);
    const text = writeList(kind, items, {}, accepted, includeObject(request), context.clock.now());
    return sendJson(request, reply, 200, text);
  };
  const get = async (request: FastifyRequest, reply: FastifyReply) => {
    const accepted = acceptedBy(request, representations);
    const { namespace, name = '' } = segments(request);
    const items = measure(await source.ratedUsage(), namespace);
    const object = items.find(({ metadata }) => metadata.name === name);
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
  const config = { access, resource: `${kind.plural}.${kind.group}` };
  app.route({ method: 'GET', url, config, handler });
  const refuse = async () => {
    throw methodNotAllowedHere();
  };
  app.route({ method: ['POST', 'PUT', 'PATCH', 'DELETE'], url, config, handler: refuse });
}

function segments(request: FastifyRequest): { namespace?: string; name?: string } {
  const params = request.params as { namespace?: string; name?: string };
  for (const segment of Object.values(params)) if (segment !== undefined) checkPathSegment(segment);
  return params;
}
