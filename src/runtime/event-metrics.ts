import { Gauge, type Registry } from 'prom-client';
import type { EventStreamState } from './event-stream.ts';

/** Tells whether the runtime's events are followed: 0 means that changes are only seen by asking every second. */
export function registerEventStreamMetric(registry: Registry, state: () => EventStreamState | undefined): void {
  new Gauge({
    name: 'mini_kubelet_runtime_event_stream_up',
    help: "Whether the runtime's events are followed; without them its containers are listed every second.",
    labelNames: ['source'],
    registers: [registry],
    collect() {
      const { source, isFollowing } = state() ?? { source: 'none', isFollowing: false };
      this.reset();
      this.set({ source }, isFollowing ? 1 : 0);
    },
  });
}
