import { ageText, durationText } from './duration-text.ts';
import type { Cell, TableColumn } from './kind.ts';
import type { ContainerState, ContainerStatus, Pod } from './pod.ts';
import { isSidecar } from './pod-resources.ts';

/** The row that `kubectl get pods` shows (printPod of Kubernetes' pkg/printers). */

export const podColumns: readonly TableColumn[] = [
  { name: 'Name', type: 'string', format: 'name', description: 'Name of the pod.', priority: 0 },
  { name: 'Ready', type: 'string', format: '', description: 'Ready containers of all containers.', priority: 0 },
  { name: 'Status', type: 'string', format: '', description: 'What the containers of the pod do.', priority: 0 },
  { name: 'Restarts', type: 'string', format: '', description: 'How often containers were restarted.', priority: 0 },
  { name: 'Age', type: 'string', format: '', description: 'Time since the pod was created.', priority: 0 },
  { name: 'IP', type: 'string', format: '', description: 'Address of the pod.', priority: 1 },
  { name: 'Node', type: 'string', format: '', description: 'Node of the pod.', priority: 1 },
  { name: 'Nominated Node', type: 'string', format: '', description: 'Node kept free for the pod.', priority: 1 },
  { name: 'Readiness Gates', type: 'string', format: '', description: 'Gates that are true.', priority: 1 },
];

interface Summary {
  reason: string;
  ready: number;
  restarts: number;
  /** When the last instance before the present one ended, in ms; 0 for never. */
  lastRestart: number;
}

export function podRow(pod: Pod, now: number): Cell[] {
  const { metadata, spec, status = {} } = pod;
  const summary = summarize(pod);
  const total = spec.containers.length + (spec.initContainers ?? []).filter(isSidecar).length;
  const { restarts, lastRestart } = summary;
  const ago = restarts > 0 && lastRestart > 0 ? ` (${durationText(now - lastRestart)} ago)` : '';
  return [
    metadata.name,
    `${summary.ready}/${total}`,
    summary.reason,
    `${restarts}${ago}`,
    ageText(metadata.creationTimestamp, now),
    status.podIPs?.[0]?.ip || '<none>',
    spec.nodeName || '<none>',
    status.nominatedNodeName || '<none>',
    readinessGates(pod),
  ];
}

function summarize(pod: Pod): Summary {
  const { status = {} } = pod;
  const scheduled = status.conditions?.find(({ type }) => type === 'PodScheduled');
  const gated = scheduled?.reason === 'SchedulingGated' ? scheduled.reason : undefined;
  const initial = gated ?? status.reason ?? status.phase ?? '';

  const initialization = summarizeInit(pod, initial);
  const isInitialized = status.conditions?.find(({ type }) => type === 'Initialized')?.status === 'True';
  const summary =
    initialization.isInitializing && !isInitialized
      ? initialization.summary
      : summarizeContainers(pod, { ...initialization.sidecars, reason: initialization.summary.reason });

  const isOver = status.phase === 'Failed' || status.phase === 'Succeeded';
  if (pod.metadata.deletionTimestamp !== undefined) {
    if (status.reason === 'NodeLost') summary.reason = 'Unknown';
    else if (!isOver) summary.reason = 'Terminating';
  }
  return summary;
}

/** Init containers up to the first one that is not through; sidecars that have started are. */
function summarizeInit(pod: Pod, reason: string) {
  const specs = new Map((pod.spec.initContainers ?? []).map((container) => [container.name, container]));
  const summary: Summary = { reason, ready: 0, restarts: 0, lastRestart: 0 };
  const sidecars = { ready: 0, restarts: 0, lastRestart: 0 };
  for (const [index, container] of (pod.status?.initContainerStatuses ?? []).entries()) {
    countRestarts(summary, container);
    const spec = specs.get(container.name);
    const isSide = spec !== undefined && isSidecar(spec);
    if (isSide) countRestarts(sidecars, container);

    const state = container.state ?? {};
    if (state.terminated?.exitCode === 0) continue;
    if (isSide && container.started) {
      if (container.ready) sidecars.ready++;
      continue;
    }
    summary.ready = sidecars.ready;
    const waiting = state.waiting?.reason;
    if (state.terminated) summary.reason = `Init:${terminatedReason(state)}`;
    else if (waiting && waiting !== 'PodInitializing') summary.reason = `Init:${waiting}`;
    else summary.reason = `Init:${index}/${specs.size}`;
    return { isInitializing: true, summary, sidecars };
  }
  summary.ready = sidecars.ready;
  return { isInitializing: false, summary, sidecars };
}

/** The first container that has something to tell gives the reason, so they are read from the last to the first. */
function summarizeContainers(pod: Pod, start: Summary): Summary {
  const summary = { ...start };
  let hasRunning = false;
  for (const container of (pod.status?.containerStatuses ?? []).toReversed()) {
    countRestarts(summary, container);
    const state = container.state ?? {};
    if (state.waiting?.reason) summary.reason = state.waiting.reason;
    else if (state.terminated) summary.reason = terminatedReason(state);
    else if (container.ready && state.running) {
      hasRunning = true;
      summary.ready++;
    }
  }
  if (summary.reason === 'Completed' && hasRunning) {
    const isReady = pod.status?.conditions?.some(({ type, status }) => type === 'Ready' && status === 'True');
    summary.reason = isReady ? 'Running' : 'NotReady';
  }
  return summary;
}

function countRestarts(total: Pick<Summary, 'restarts' | 'lastRestart'>, container: ContainerStatus): void {
  total.restarts += container.restartCount;
  const finishedAt = container.lastState?.terminated?.finishedAt;
  if (finishedAt) total.lastRestart = Math.max(total.lastRestart, Date.parse(finishedAt));
}

function terminatedReason({ terminated }: ContainerState): string {
  if (terminated?.reason) return terminated.reason;
  return terminated?.signal ? `Signal:${terminated.signal}` : `ExitCode:${terminated?.exitCode ?? 0}`;
}

function readinessGates({ spec, status }: Pod): string {
  const gates = spec.readinessGates ?? [];
  if (gates.length === 0) return '<none>';
  const isTrue = (wanted: string) => status?.conditions?.find(({ type }) => type === wanted)?.status === 'True';
  return `${gates.filter(({ conditionType }) => isTrue(conditionType)).length}/${gates.length}`;
}
