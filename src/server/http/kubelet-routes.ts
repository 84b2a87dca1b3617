import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify';
import type { Registry } from 'prom-client';
import { nodeKind, podKind } from '../../api/kinds.ts';
import { notFound } from '../../api/status-error.ts';
import type { ObservedContainer } from '../../runtime/observed.ts';
import { cadvisorMetrics } from '../../stats/cadvisor-metrics.ts';
import { EXPOSITION_TYPE, expositionText, type MetricFamily } from '../../stats/exposition.ts';
import { resourceMetrics } from '../../stats/resource-metrics.ts';
import { summary } from '../../stats/summary.ts';
import type { LayerUsage, PodDiskUsage, StorageUsage, Usage } from '../../stats/usage.ts';
import type { RouteAccess } from '../access/attributes.ts';
import { jsonOf } from '../representation.ts';
import { booleanParameter } from '../request/query.ts';
import type { HttpContext } from './context.ts';
import { type HealthCheck, sendHealth } from './health-routes.ts';
import { queryOf, sendJson } from './reply.ts';

/** What the node and its pods use, and what runs. */
export interface UsageSource {
  /** Since they were started, at most a second old. */
  usage(): Promise<Usage>;
  /** The same with rates; may take a second. */
  ratedUsage(): Promise<Usage>;
  layers(): Promise<LayerUsage>;
  /** Of the pods that run, by UID: at most a minute old, those that did not take long to measure. */
  podDisks(): Promise<ReadonlyMap<string, PodDiskUsage>>;
  /** All that run, as the runtime tells it. */
  runningContainers(): readonly ObservedContainer[];
}

export interface KubeletOptions {
  readonly usage: UsageSource;
  readonly nodeName: string;
  readonly cpuCount: number;
  /** As they could stand in a file, secrets masked: `/configz`. */
  readonly settings: object;
  /** Undefined while the daemon's loops are well. */
  readonly syncLoopProblem: () => string | undefined;
  readonly registry: Registry;
  readonly probeMetrics: Registry;
}

type Handler = (request: FastifyRequest, reply: FastifyReply) => Promise<FastifyReply>;

interface Endpoint {
  readonly path: string;
  readonly handle: Handler;
}

/**
 * A kubelet's own endpoints that are read, at the paths where Prometheus, metrics-servers and node agents look for them; and the
 * same below `/api/v1/nodes/{name}/proxy/`, as an API server would pass them on. Nothing else is there: no other path leads to
 * the node by way of `proxy`, and no other method.
 */
export function registerKubeletRoutes(app: FastifyInstance, context: HttpContext, options: KubeletOptions): void {
  for (const { path, handle } of endpoints(context, options)) {
    const config = { access: accessTo(path), resource: 'nodes', kubeletPath: metricPath(path) };
    app.get(path, { config }, handle);
    if (path.endsWith('/')) continue;
    app.get(
      `/api/v1/nodes/:name/proxy${path}`,
      { config: { access: proxyAccess, resource: 'nodes/proxy' } },
      async (request, reply) => {
        const { name } = request.params as { name: string };
        if (name !== options.nodeName) throw notFound(nodeKind, name);
        return handle(request, reply);
      },
    );
  }
}

function endpoints(context: HttpContext, options: KubeletOptions): Endpoint[] {
  const { usage, nodeName, cpuCount } = options;
  const pods: Handler = async (request, reply) => {
    const items = context.store.list(podKind).items.map(jsonOf);
    return sendJson(
      request,
      reply,
      200,
      `{"kind":"PodList","apiVersion":"v1","metadata":{},"items":[${items.join(',')}]}`,
    );
  };
  const runningPods: Handler = async (request, reply) =>
    sendJson(request, reply, 200, JSON.stringify(runningPodList(usage.runningContainers())));
  const health = (name: string, problem: () => string | undefined = () => undefined): Endpoint => ({
    path: `/healthz/${name}`,
    handle: async (request, reply) => {
      const checks: HealthCheck[] = [{ name, error: problem() }];
      return sendHealth(`healthz/${name}`, checks, request, reply);
    },
  });
  return [
    { path: '/pods', handle: pods },
    { path: '/runningpods', handle: runningPods },
    { path: '/runningpods/', handle: runningPods },
    {
      path: '/configz',
      handle: async (request, reply) =>
        sendJson(request, reply, 200, JSON.stringify({ kubeletconfig: options.settings })),
    },
    {
      path: '/stats/summary',
      handle: async (request, reply) => {
        const isShort = booleanParameter(queryOf(request), 'only_cpu_and_memory');
        const [used, storage] = await Promise.all([usage.ratedUsage(), isShort ? undefined : storageOf(usage)]);
        return sendJson(request, reply, 200, JSON.stringify(summary(used, { nodeName, storage })));
      },
    },
    { path: '/metrics', handle: (_, reply) => sendRegistry(reply, options.registry) },
    { path: '/metrics/probes', handle: (_, reply) => sendRegistry(reply, options.probeMetrics) },
    {
      path: '/metrics/resource',
      handle: async (_, reply) => sendFamilies(reply, resourceMetrics(await usage.usage())),
    },
    {
      path: '/metrics/cadvisor',
      handle: async (_, reply) => {
        const [used, layers] = await Promise.all([usage.usage(), usage.layers()]);
        const machine = { cpuCount, memoryBytes: used.node.memory?.limitBytes ?? 0 };
        return sendFamilies(reply, cadvisorMetrics(used, layers, machine));
      },
    },
    health('ping'),
    health('log'),
    health('syncloop', options.syncLoopProblem),
  ];
}

async function storageOf(usage: UsageSource): Promise<StorageUsage> {
  const [layers, pods] = await Promise.all([usage.layers(), usage.podDisks()]);
  return { ...layers, pods };
}

const proxyAccess: RouteAccess = { kind: 'resource', group: '', resource: 'nodes', subresource: 'proxy' };

/** What a kubelet asks its authorizer for: the part of the node that the path's first part names, or all of it. */
function accessTo(path: string): RouteAccess {
  const [, first = ''] = path.split('/');
  switch (first) {
    case 'metrics':
      return { kind: 'node', subresources: ['metrics'], orPath: true };
    case 'stats':
      return { kind: 'node', subresources: ['stats'] };
    case 'runningpods':
      return { kind: 'node', subresources: ['pods', 'proxy'] };
    default:
      return { kind: 'node', subresources: [first, 'proxy'] };
  }
}

/** The label of a kubelet's metrics of requests: `metrics/cadvisor`, and of others the first part of the path. */
function metricPath(path: string): string {
  const [, first = '', second] = path.split('/');
  return first === 'metrics' && second ? `${first}/${second}` : first;
}

async function sendRegistry(reply: FastifyReply, registry: Registry): Promise<FastifyReply> {
  return reply.header('content-type', registry.contentType).send(await registry.metrics());
}

function sendFamilies(reply: FastifyReply, families: readonly MetricFamily[]): FastifyReply {
  return reply.header('content-type', EXPOSITION_TYPE).send(expositionText(families));
}

/** Pods as far as the runtime knows them. */
function runningPodList(containers: readonly ObservedContainer[]): object {
  const items = [...Map.groupBy(containers, ({ pod }) => pod.uid).values()].map((ofPod) => {
    const { name, namespace, uid } = ofPod[0]?.pod ?? { name: '', namespace: '', uid: '' };
    return {
      metadata: { name, namespace, uid, creationTimestamp: null },
      spec: { containers: ofPod.map(({ containerName, image }) => ({ name: containerName, image, resources: {} })) },
      status: {},
    };
  });
  return { kind: 'PodList', apiVersion: 'v1', metadata: {}, items };
}
