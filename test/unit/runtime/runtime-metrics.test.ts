import { Registry } from 'prom-client';
import t from 'tap';
import { operationType, runtimeMetrics } from '../../../src/runtime/runtime-metrics.ts';

t.test('methods have the names that a kubelet gives them', async (t) => {
  t.same(
    ['RunPodSandbox', 'PodSandboxStatus', 'ListContainers', 'PullImage', 'Version', 'ImageFsInfo'].map(operationType),
    ['run_podsandbox', 'podsandbox_status', 'list_containers', 'pull_image', 'version', 'image_fs_info'],
  );
});

t.test('calls, failures and times by method; pods and containers that were started', async (t) => {
  const registry = new Registry();
  const observe = runtimeMetrics(registry);
  observe('RunPodSandbox', 0.3, false);
  observe('RunPodSandbox', 0.1, true);
  observe('StartContainer', 0.1, false);
  observe('PullImage', 2, false);
  const text = await registry.metrics();
  for (const line of [
    'kubelet_runtime_operations_total{operation_type="run_podsandbox"} 2',
    'kubelet_runtime_operations_errors_total{operation_type="run_podsandbox"} 1',
    'kubelet_runtime_operations_duration_seconds_count{operation_type="pull_image"} 1',
    'kubelet_started_pods_total 2',
    'kubelet_started_pods_errors_total 1',
    'kubelet_run_podsandbox_duration_seconds_count 1',
    'kubelet_started_containers_total 1',
    'kubelet_started_containers_errors_total 0',
    'kubelet_image_pull_duration_seconds_sum 2',
  ]) {
    t.ok(text.includes(`${line}\n`), line);
  }
});
