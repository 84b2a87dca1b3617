// Any runtime will do.
import t from 'tap';
import type { Pod, PodCondition } from '../../../src/api/pod.ts';
import { podPath } from '../support/api-client.ts';
import { startContainerd, wantedContainerd } from '../support/containerd.ts';
import { startDaemon } from '../support/daemon.ts';
import { isOver, isReady, podManifest, shell, statusOf } from './pods.ts';

const runtime = await startContainerd({ version: wantedContainerd() });
t.teardown(() => runtime.stop());
const daemon = await startDaemon({ runtime });
t.teardown(() => daemon.stop());

const conditionOf = ({ status }: Pod, type: string) => status?.conditions?.find((item) => item.type === type);
const statusPath = (name: string) => `${podPath(name)}/status`;

/** Writes conditions as a controller does, by strategic merge patch. */
async function setConditions(name: string, ...conditions: PodCondition[]): Promise<Pod> {
  return daemon.api.expectOk<Pod>('PATCH', statusPath(name), {
    body: { status: { conditions } },
    contentType: 'application/strategic-merge-patch+json',
  });
}

t.test('a pod is Ready when its containers are and every gate is open', async (t) => {
  await daemon.createPod(
    podManifest('gated', [{ name: 'a', command: shell('') }], {
      readinessGates: [{ conditionType: 'example.com/a' }, { conditionType: 'example.com/b' }],
    }),
  );
  const running = await daemon.waitForExistingPod(
    'gated',
    (pod) => conditionOf(pod, 'ContainersReady')?.status === 'True',
  );
  t.match(conditionOf(running, 'Ready'), {
    status: 'False',
    reason: 'ReadinessGatesNotReady',
    message:
      'corresponding condition of pod readiness gate "example.com/a" does not exist., ' +
      'corresponding condition of pod readiness gate "example.com/b" does not exist.',
  });
  await setConditions('gated', { type: 'example.com/a', status: 'True' }, { type: 'example.com/b', status: 'False' });
  const half = await daemon.waitForExistingPod('gated', (pod) =>
    Boolean(conditionOf(pod, 'Ready')?.message?.startsWith('the status of')),
  );
  t.equal(
    conditionOf(half, 'Ready')?.message,
    'the status of pod readiness gate "example.com/b" is not "True", but False',
  );

  const opened = await daemon.kubectl([
    'patch',
    'pod/gated',
    '--subresource=status',
    '--type=strategic',
    '-p',
    JSON.stringify({ status: { conditions: [{ type: 'example.com/b', status: 'True' }] } }),
  ]);
  t.equal(opened.exitCode, 0, opened.stderr);
  const ready = await daemon.waitForExistingPod('gated', isReady);
  t.notOk(conditionOf(ready, 'Ready')?.reason);
  const wide = await daemon.kubectl(['get', 'pod/gated', '-o', 'wide', '--no-headers']);
  t.match(wide.stdout, /2\/2\s*$/, 'kubectl shows the gates');

  await setConditions('gated', { type: 'example.com/a', status: 'False' });
  await daemon.waitForExistingPod('gated', (pod) => !isReady(pod));
  t.equal(statusOf(await daemon.getPod('gated'), 'a').restartCount, 0, 'the container goes on');
  await daemon.deletePod('gated');
});

t.test("others' conditions stay, the daemon's own come back, however a client writes", async (t) => {
  await daemon.createPod(podManifest('told', [{ name: 'a', command: shell('') }]));
  const before = await daemon.waitForExistingPod('told', isReady);
  const mine: PodCondition = {
    type: 'example.com/mine',
    status: 'True',
    reason: 'Because',
    lastTransitionTime: '2026-01-01T00:00:00Z',
  };
  await setConditions('told', mine, { type: 'Ready', status: 'False', reason: 'Lie' });
  const patched = await daemon.waitForExistingPod('told', isReady);
  t.strictSame(conditionOf(patched, mine.type), mine);
  t.notOk(conditionOf(patched, 'Ready')?.reason);

  const wrong = { ...patched, status: { phase: 'Pending', podIP: '1.2.3.4', conditions: [mine] } };
  const { resourceVersion: _, ...metadata } = wrong.metadata;
  await daemon.api.expectOk('PUT', statusPath('told'), { body: { ...wrong, metadata } });
  const replaced = await daemon.waitForExistingPod('told', isReady);
  t.strictSame(conditionOf(replaced, mine.type), mine);
  t.equal(replaced.status?.podIP, before.status?.podIP);
  t.equal(replaced.status?.phase, 'Running');
  t.strictSame(replaced.status?.containerStatuses, before.status?.containerStatuses);

  const path = `/status/conditions/${replaced.status?.conditions?.findIndex(({ type }) => type === mine.type)}`;
  await daemon.api.expectOk('PATCH', statusPath('told'), {
    body: [{ op: 'remove', path }],
    contentType: 'application/json-patch+json',
  });
  t.notOk(conditionOf(await daemon.getPod('told'), mine.type));
  await daemon.api.expectOk('PATCH', statusPath('told'), {
    body: { status: { conditions: [mine] } },
    contentType: 'application/merge-patch+json',
  });
  await daemon.restart('SIGKILL');
  const restarted = await daemon.waitForExistingPod('told', isReady);
  t.strictSame(conditionOf(restarted, mine.type), mine, 'also after the daemon was killed');

  await daemon.api.expectOk('PATCH', statusPath('told'), {
    body: { status: { phase: 'Failed', reason: 'Enough' } },
    contentType: 'application/merge-patch+json',
  });
  const over = await daemon.waitForExistingPod('told', (pod) => isOver(pod) && !statusOf(pod, 'a').ready);
  t.match(over.status, { phase: 'Failed', reason: 'Enough' }, 'a client may end a pod');
  t.ok(statusOf(over, 'a').state?.terminated, 'and its containers are stopped');
  await daemon.deletePod('told');
});
