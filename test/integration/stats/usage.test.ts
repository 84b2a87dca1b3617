import t, { type Test } from 'tap';
import type { PodMetrics } from '../../../src/api/metrics-kinds.ts';
import { isReady, podManifest, shell } from '../pod/pods.ts';
import { startContainerd, wantedContainerd } from '../support/containerd.ts';
import { startDaemon } from '../support/daemon.ts';

const runtime = await startContainerd({ version: wantedContainerd() });
t.teardown(() => runtime.stop());
const daemon = await startDaemon({ runtime });
t.teardown(() => daemon.stop());

/** One that computes without end on half a CPU and one that sleeps; 20 MiB are written into the memory of the latter. */
const busy = podManifest(
  'busy',
  [
    {
      name: 'loop',
      command: ['sh', '-c', "trap 'exit 0' TERM; while :; do :; done"],
      resources: { limits: { cpu: '500m', memory: '64Mi' } },
    },
    {
      name: 'idle',
      command: shell('head -c 20971520 /dev/zero >/memory/zeros'),
      volumeMounts: [{ name: 'm', mountPath: '/memory' }],
    },
  ],
  { volumes: [{ name: 'm', emptyDir: { medium: 'Memory' } }] },
  { labels: { app: 'busy' } },
);

await daemon.createPod(busy);
await daemon.createPod(podManifest('quiet', [{ name: 'main', command: shell('true') }]));
await daemon.createPod(podManifest('other', [{ name: 'main', command: shell('true') }]), 'kube-public');
await daemon.waitForExistingPod('busy', isReady);
await daemon.waitForExistingPod('quiet', isReady);
await daemon.waitForExistingPod('other', isReady, { namespace: 'kube-public' });

async function top(t: Test, suite: 'trixie' | 'sid', args: string): Promise<string> {
  const { exitCode, stdout, stderr } = await daemon.kubectl(['top', ...args.split(' ')], { suite });
  t.equal(exitCode, 0, `kubectl top ${args}: ${stderr}`);
  return stdout;
}

for (const suite of ['trixie', 'sid'] as const) {
  t.test(`kubectl top of Debian ${suite}`, async (t) => {
    t.match(
      await top(t, suite, 'pod'),
      /^NAME +CPU\(cores\) +MEMORY\(bytes\) *\nbusy +\d+m +\d+Mi *\nquiet +\d+m +\d+Mi *$/,
    );
    t.match(
      await top(t, suite, 'pod busy --containers'),
      /^POD +NAME +CPU\(cores\) .*\nbusy +idle +\d+m .*\nbusy +loop +\d+m /,
    );
    t.match(
      await top(t, suite, 'pod -A --sort-by=cpu'),
      /^NAMESPACE +NAME .*\ndefault +busy .*\n(?:.*\n)?kube-public +other /,
    );
    t.match(await top(t, suite, 'pod -l app=busy --no-headers'), /^busy +\d+m +\d+Mi *$/);
    t.match(
      await top(t, suite, 'node'),
      new RegExp(`^NAME +CPU\\(cores\\) +CPU\\(%\\) .*\\n${daemon.root.name} +\\d+m +\\d+% +\\d+Mi +\\d+% *$`),
    );
    const missing = await daemon.kubectl(['top', 'pod', 'none'], { suite });
    t.match(missing.stderr, /NotFound/);
  });
}

t.test('the numbers are those of the containers', async (t) => {
  const pod = await daemon.api.expectOk<PodMetrics>('GET', '/apis/metrics.k8s.io/v1beta1/namespaces/default/pods/busy');
  const usageOf = (name: string) => {
    const usage = pod.containers.find((container) => container.name === name)?.usage;
    if (!usage) throw new Error(`nothing is told of ${name}: ${JSON.stringify(pod)}`);
    return { nanoCores: Number(usage.cpu.replace(/n$/, '')), kib: Number(usage.memory.replace(/Ki$/, '')) };
  };
  const [loop, idle] = [usageOf('loop'), usageOf('idle')];
  t.ok(loop.nanoCores > idle.nanoCores, `the loop computes: ${loop.nanoCores} beside ${idle.nanoCores}`);
  t.ok(loop.nanoCores < 1_000_000_000, `and keeps its limit: ${loop.nanoCores}`);
  t.ok(idle.kib > 20_480 && idle.kib < 40_960, `what was written to memory counts: ${idle.kib} KiB`);
  t.ok(loop.kib < 20_480, `${loop.kib} KiB`);
});
