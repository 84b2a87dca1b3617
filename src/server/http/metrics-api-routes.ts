import type { FastifyInstance } from 'fastify';
import { nodeKind, podKind } from '../../api/kinds.ts';
import type { KubeObject } from '../../api/meta.ts';
import { nodeMetricsKind, podMetricsKind, type ReadKind } from '../../api/metrics-kinds.ts';
import { nodeMetrics, podMetrics } from '../../stats/metrics-objects.ts';
import type { Usage } from '../../stats/usage.ts';
import type { HttpContext } from './context.ts';
import type { UsageSource } from './kubelet-routes.ts';
import { registerReadRoutes } from './read-routes.ts';

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

function registerKind<T extends KubeObject>(
  app: FastifyInstance,
  context: HttpContext,
  source: UsageSource,
  definition: ReadKind<T>,
  measure: Measure,
): void {
  // Only what `measure` gives is written.
  const kind = definition as unknown as ReadKind<KubeObject>;
  registerReadRoutes(app, context, kind, async (namespace) => measure(await source.ratedUsage(), namespace));
}
