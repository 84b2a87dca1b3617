import { Counter, Histogram, type Registry } from 'prom-client';

/** One call to the runtime that has ended. */
export type CallObserver = (method: string, seconds: number, isError: boolean) => void;

/** As a kubelet's, from 5 ms to 11 minutes. */
const CALL_BUCKETS = [
  0.005, 0.0125, 0.03125, 0.078125, 0.1953125, 0.48828125, 1.220703125, 3.0517578125, 7.62939453125,
];
const SLOW_BUCKETS = [0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 120, 300, 600];

/**
 * A kubelet's metrics of its calls to the runtime, under its names. Labels are names of methods, of which there are as many as
 * CRI has.
 */
export function runtimeMetrics(registry: Registry): CallObserver {
  const registers = [registry];
  const labelNames = ['operation_type'];
  const counter = (name: string, help: string) => new Counter({ name, help, registers });
  const histogram = (name: string, help: string) => new Histogram({ name, help, buckets: SLOW_BUCKETS, registers });
  const total = new Counter({
    name: 'kubelet_runtime_operations_total',
    help: 'Calls to the runtime.',
    labelNames,
    registers,
  });
  const errors = new Counter({
    name: 'kubelet_runtime_operations_errors_total',
    help: 'Calls to the runtime that failed.',
    labelNames,
    registers,
  });
  const duration = new Histogram({
    name: 'kubelet_runtime_operations_duration_seconds',
    help: 'How long a call to the runtime took.',
    labelNames,
    buckets: CALL_BUCKETS,
    registers,
  });
  /** What a kubelet also counts by itself. */
  const particular: Readonly<Record<string, { total?: Counter; errors?: Counter; duration?: Histogram }>> = {
    RunPodSandbox: {
      total: counter('kubelet_started_pods_total', 'Pods that were started.'),
      errors: counter('kubelet_started_pods_errors_total', 'Pods that could not be started.'),
      duration: histogram('kubelet_run_podsandbox_duration_seconds', 'How long making a sandbox took.'),
    },
    StartContainer: {
      total: counter('kubelet_started_containers_total', 'Containers that were started.'),
      errors: counter('kubelet_started_containers_errors_total', 'Containers that could not be started.'),
    },
    PullImage: {
      duration: histogram('kubelet_image_pull_duration_seconds', 'How long pulling an image took.'),
    },
  };
  return (method, seconds, isError) => {
    const labels = { operation_type: operationType(method) };
    total.inc(labels);
    duration.observe(labels, seconds);
    particular[method]?.total?.inc();
    if (isError) {
      errors.inc(labels);
      particular[method]?.errors?.inc();
    } else {
      particular[method]?.duration?.observe(seconds);
    }
  };
}

/** `RunPodSandbox` is `run_podsandbox`. PURE. */
export function operationType(method: string): string {
  return method
    .replace('PodSandbox', 'Podsandbox')
    .replace(/[A-Z]/g, (letter, at) => `${at === 0 ? '' : '_'}${letter.toLowerCase()}`);
}
