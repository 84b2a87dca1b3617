import t from 'tap';
import type { PodSpec } from '../../../src/api/pod.ts';
import { startContainerd, wantedContainerd } from '../support/containerd.ts';
import { startDaemon } from '../support/daemon.ts';
import { waitFor } from '../support/wait.ts';
import { isReady, podManifest, shell } from './pods.ts';

const runtime = await startContainerd({ version: wantedContainerd() });
t.teardown(() => runtime.stop());
const daemon = await startDaemon({ runtime });
t.teardown(() => daemon.stop());

/** The writable layer is measured by the runtime each 10 s, and its numbers are looked at each 10 s. */
const timeoutMs = 120_000;

async function create(name: string, script: string, limit: string | undefined, spec: Partial<PodSpec> = {}) {
  const limits: Record<string, string> = limit === undefined ? {} : { 'ephemeral-storage': limit };
  const volumeMounts = (spec.volumes ?? []).map((volume) => ({ name: volume.name, mountPath: `/${volume.name}` }));
  // It would take its time, if it were asked.
  const command = ['sh', '-c', `trap '' TERM; ${script}; sleep 1000000 & wait`];
  const terminationGracePeriodSeconds = 600;
  const main = { name: 'main', command, resources: { limits }, volumeMounts };
  await daemon.createPod(podManifest(name, [main], { terminationGracePeriodSeconds, ...spec }));
}

t.test('a pod that has more on the disk than it may is evicted', async (t) => {
  const fill = (path: string) => `dd if=/dev/zero of=${path} bs=1M count=24 2>/dev/null`;
  const emptyDir = { volumes: [{ name: 'scratch', emptyDir: { sizeLimit: '8Mi' } }] };
  const pods: Record<string, [script: string, limit: string | undefined, spec: Partial<PodSpec>, message: RegExp]> = {
    volume: [
      fill('/scratch/x'),
      undefined,
      emptyDir,
      /^Usage of EmptyDir volume "scratch" exceeds the limit "8Mi"\. $/,
    ],
    layer: [fill('/x'), '8Mi', {}, /^Pod ephemeral local storage usage exceeds the total limit of containers 8Mi\. $/],
    hosts: [fill('/etc/hosts'), '8Mi', {}, /^Pod ephemeral local storage usage exceeds the total limit/],
    termination: [
      fill('/dev/termination-log'),
      '8Mi',
      {},
      /^Pod ephemeral local storage usage exceeds the total limit/,
    ],
    log: ['yes | head -c 12000000', '8Mi', {}, /^Pod ephemeral local storage usage exceeds the total limit/],
  };
  const free = { volumes: [{ name: 'scratch', emptyDir: { sizeLimit: '100Mi' } }] };
  await create('modest', `${fill('/scratch/x')}; ${fill('/x')}`, '200Mi', free);
  for (const [name, [script, limit, spec]] of Object.entries(pods)) await create(name, script, limit, spec);
  for (const [name, [, , , message]] of Object.entries(pods)) {
    const { status } = await daemon.waitForExistingPod(name, (pod) => pod.status?.phase === 'Failed', { timeoutMs });
    t.match(status, { reason: 'Evicted', message }, name);
    t.match(
      status?.conditions?.find(({ type }) => type === 'DisruptionTarget'),
      { status: 'True', reason: 'TerminationByKubelet', message },
      name,
    );
    t.ok(status?.containerStatuses?.[0]?.state?.terminated, name);
  }
  const events = await waitFor('the event', async () => {
    const { stdout } = await daemon.kubectl('events --for pod/volume --types=Warning'.split(' '));
    return stdout.includes('Evicted') && stdout;
  });
  t.match(events, /Warning +Evicted +Pod\/volume +Usage of EmptyDir volume "scratch" exceeds/);
  t.ok(isReady(await daemon.getPod('modest')), 'one that keeps to its limits stays');
});

t.test('requests of storage count at admission, and are told to containers', async (t) => {
  const resources = { requests: { 'ephemeral-storage': '900Ti' } };
  await daemon.createPod(podManifest('greedy', [{ name: 'a', command: shell(''), resources }]));
  const { status } = await daemon.waitForExistingPod('greedy', (pod) => pod.status?.phase === 'Failed');
  t.equal(status?.reason, 'OutOfephemeral-storage');
  const env = [
    { name: 'LIMIT', valueFrom: { resourceFieldRef: { resource: 'limits.ephemeral-storage', divisor: '1Mi' } } },
  ];
  const limits = { 'ephemeral-storage': '64Mi' };
  await daemon.createPod(
    podManifest('told', [{ name: 'a', command: ['sh', '-c', 'echo $LIMIT'], env, resources: { limits } }], {
      restartPolicy: 'Never',
    }),
  );
  await daemon.waitForExistingPod('told', (pod) => pod.status?.phase === 'Succeeded');
  t.equal(await daemon.containerLog('told', 'a'), '64\n');
});
