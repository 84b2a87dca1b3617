import type { FastifyReply, FastifyRequest } from 'fastify';
import { evictionProblem, isBudgetOf, isFreeToEvict } from '../../api/disruption.ts';
import { podDisruptionBudgetKind, podKind } from '../../api/kinds.ts';
import type { Pod, PodCondition } from '../../api/pod.ts';
import { type Eviction, evictionKind } from '../../api/pod-disruption-budget.ts';
import { badRequest, disruptionRefused, internalError, notFound } from '../../api/status-error.ts';
import { checkPreconditions } from '../../store/store.ts';
import { readObject } from '../objects/body.ts';
import type { Target } from '../objects/object-api.ts';
import type { AnyKind } from '../representation.ts';
import { type DeleteOptions, parseDeleteOptions } from '../request/delete-options.ts';
import { parseWriteOptions } from '../request/write-options.ts';
import type { HttpContext } from './context.ts';
import { readBody } from './read-body.ts';
import { addWarnings, queryOf, sendJson } from './reply.ts';

/** `POST pods/x/eviction`: a deletion that asks the PodDisruptionBudgets first. */
export async function handleEviction(
  context: HttpContext,
  { namespace = '', name }: Target,
  request: FastifyRequest,
  reply: FastifyReply,
): Promise<FastifyReply> {
  const query = queryOf(request);
  const write = parseWriteOptions(query, 'CreateOptions', undefined);
  const body = await readBody(context, request);
  const { object, warnings } = readObject(evictionKind, body, write.fieldValidation);
  const { metadata, deleteOptions } = object as unknown as Eviction;
  if (metadata.name !== name) throw badRequest('name in URL does not match name in Eviction object');
  if (metadata.namespace && metadata.namespace !== namespace) {
    throw badRequest('the namespace of the provided object does not match the namespace sent on the request');
  }
  const options = parseDeleteOptions({}, deleteOptions ?? {});
  evict(context, namespace, name, { ...options, dryRun: options.dryRun || write.dryRun });
  await context.store.flushed();
  addWarnings(reply, warnings);
  const status = { kind: 'Status', apiVersion: 'v1', metadata: {}, status: 'Success', code: 201 };
  return sendJson(request, reply, 201, JSON.stringify(status));
}

/** In one go, so that two evictions never share what a budget allows. @throws StatusError 404, 409, 429, 500. */
function evict(context: HttpContext, namespace: string, name: string, options: DeleteOptions): void {
  const { store, podOperations } = context;
  const pod = store.get(podKind, namespace, name);
  if (!pod) throw notFound(podKind, name);
  checkPreconditions(podKind as unknown as AnyKind, pod, options);
  if (!isFreeToEvict(pod)) checkBudgets(context, pod);
  if (options.dryRun) return;
  if (!pod.metadata.deletionTimestamp) markAsDisrupted(context, pod);
  const { gracePeriodSeconds } = options;
  podOperations.requestDelete(namespace, name, {
    gracePeriodSeconds,
    uid: pod.metadata.uid,
    resourceVersion: undefined,
  });
}

function checkBudgets({ store }: HttpContext, pod: Pod): void {
  const { namespace } = pod.metadata;
  const filter = (other: Parameters<typeof isBudgetOf>[0]) => isBudgetOf(other, pod);
  const budgets = store.list(podDisruptionBudgetKind, { namespace, filter }).items;
  const [budget] = budgets;
  if (!budget) return;
  if (budgets.length > 1) {
    throw internalError(
      'This pod has more than one PodDisruptionBudget, which the eviction subresource does not support.',
    );
  }
  const pods = store.list(podKind, { namespace, filter: (other) => isBudgetOf(budget, other) }).items;
  const problem = evictionProblem(pod, budget, pods);
  if (problem !== undefined) throw disruptionRefused(problem);
}

/** Tells those who made the pod that it did not fail by itself. */
function markAsDisrupted({ store, clock }: HttpContext, pod: Pod): void {
  const condition: PodCondition = {
    type: 'DisruptionTarget',
    status: 'True',
    reason: 'EvictionByEvictionAPI',
    message: 'Eviction API: evicting',
    lastTransitionTime: new Date(clock.now()).toISOString().replace(/\.\d+Z$/, 'Z'),
    ...(pod.metadata.generation ? { observedGeneration: pod.metadata.generation } : {}),
  };
  store.update(podKind, pod.metadata.namespace, pod.metadata.name, (current) => {
    const others = current.status?.conditions?.filter(({ type }) => type !== condition.type) ?? [];
    return { ...current, status: { ...current.status, conditions: [...others, condition] } };
  });
}
