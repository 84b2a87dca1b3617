import { Gauge, type Registry } from 'prom-client';
import { podKind } from '../api/kinds.ts';
import type { Pod } from '../api/pod.ts';
import type { PodCache } from '../runtime/pod-cache.ts';
import type { Store } from '../store/store.ts';
import { isTerminalPhase } from './phase.ts';

export interface PodMetricsOptions {
  readonly registry: Registry;
  readonly nodeName: string;
  readonly store: Pick<Store, 'list'>;
  readonly cache: Pick<PodCache, 'runningContainers' | 'containerStates'>;
}

const STATIC_SOURCE = 'kubernetes.io/config.source';

/** A kubelet's metrics of what there is at the moment, under its names: counted when they are asked for. */
export function registerPodMetrics({ registry, nodeName, store, cache }: PodMetricsOptions): void {
  const registers = [registry];
  const pods = (): readonly Pod[] => store.list(podKind).items;
  new Gauge({
    name: 'kubelet_node_name',
    help: 'The name of the node, as a label.',
    labelNames: ['node'],
    registers,
  }).set({ node: nodeName }, 1);
  new Gauge({
    name: 'kubelet_running_pods',
    help: 'Pods of which a container runs.',
    registers,
    collect() {
      this.set(new Set(cache.runningContainers().map(({ pod }) => pod.uid)).size);
    },
  });
  new Gauge({
    name: 'kubelet_running_containers',
    help: 'Containers by what they do.',
    labelNames: ['container_state'],
    registers,
    collect() {
      this.reset();
      for (const state of cache.containerStates()) this.inc({ container_state: state.toLowerCase() });
    },
  });
  const byOrigin = (name: string, help: string, isCounted: (pod: Pod) => boolean) =>
    new Gauge({
      name,
      help,
      labelNames: ['static'],
      registers,
      collect() {
        for (const isStatic of [true, false]) {
          const counted = pods().filter((pod) => isCounted(pod) && isFromFile(pod) === isStatic);
          this.set({ static: String(isStatic) }, counted.length);
        }
      },
    });
  byOrigin('kubelet_desired_pods', 'Pods that are to be on the node.', () => true);
  byOrigin('kubelet_active_pods', 'Pods that have not ended.', ({ status }) => !isTerminalPhase(status?.phase));
}

function isFromFile({ metadata }: Pod): boolean {
  const source = metadata.annotations?.[STATIC_SOURCE];
  return source !== undefined && source !== 'api';
}
