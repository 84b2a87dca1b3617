// Any runtime will do.
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import t from 'tap';
import type { Node } from '../../../src/api/node.ts';
import { startContainerd, wantedContainerd } from '../support/containerd.ts';
import { startDaemon } from '../support/daemon.ts';
import { FakeLogind } from '../support/logind/logind.ts';
import { Timeline, timelineCommand } from '../support/timeline.ts';
import { waitFor } from '../support/wait.ts';
import { isReady, podManifest, statusOf } from './pods.ts';

const logind = new FakeLogind();
t.teardown(() => logind.stop());
await logind.start();
const runtime = await startContainerd({ version: wantedContainerd() });
t.teardown(() => runtime.stop());
const daemon = await startDaemon({
  runtime,
  config: { shutdownGracePeriod: '20s', shutdownGracePeriodCriticalPods: '10s' },
  env: { DBUS_SYSTEM_BUS_ADDRESS: logind.address },
});
t.teardown(() => daemon.stop());

const directory = join(daemon.root.path, 'timeline');
mkdirSync(directory);
const timeline = () => Timeline.read(directory);
/** A pod with one container that writes its timeline under the pod's name. */
const pod = (name: string, priorityClassName?: string) => {
  const container = {
    name: 'a',
    command: timelineCommand(name, { termSeconds: 1 }),
    volumeMounts: [{ name: 'timeline', mountPath: '/timeline' }],
  };
  const volumes = [{ name: 'timeline', hostPath: { path: directory } }];
  return podManifest(name, [container], {
    terminationGracePeriodSeconds: 600,
    volumes,
    ...(priorityClassName ? { priorityClassName } : {}),
  });
};

const nodeReady = async () => {
  const { items } = await daemon.api.expectOk<{ items: Node[] }>('GET', '/api/v1/nodes');
  return items[0]?.status?.conditions?.find(({ type }) => type === 'Ready');
};

t.test('while the daemon runs, the machine waits for it before it goes down', async (t) => {
  await waitFor('the lock', () => logind.locks === 1);
  await daemon.createPod(pod('plain'));
  await daemon.waitForExistingPod('plain', isReady);
  await daemon.restart();
  await waitFor('the lock of the new one', () => logind.locks === 1);
  await daemon.kill9();
  await waitFor('the lock to go with the daemon', () => logind.locks === 0);
  await daemon.start();
  await waitFor('the lock', () => logind.locks === 1);
  t.equal(timeline().count('plain', 'term'), 0, "the daemon's own end ends no pod");
});

t.test('before the machine goes down pods end in the order of their priority, and no new ones start', async (t) => {
  writeFileSync(join(daemon.manifestsDir, 'fixed.yaml'), JSON.stringify(pod('fixed')));
  const fixed = `fixed-${daemon.root.name}`;
  await daemon.createPod(pod('critical', 'system-node-critical'));
  for (const name of ['critical', fixed]) await daemon.waitForExistingPod(name, isReady);

  logind.announce('shutdown');
  await waitFor('the first to be told', () => timeline().count('plain', 'term') === 1);
  t.equal(logind.locks, 1, 'the machine waits');
  await daemon.createPod(pod('late'));
  const late = await daemon.waitForExistingPod('late', ({ status }) => status?.phase === 'Failed');
  t.match(late.status, {
    reason: 'NodeShutdown',
    message: 'Pod was rejected: Pod was rejected as the node is shutting down.',
  });
  await waitFor('the machine to be let go', () => logind.locks === 0, 25_000);

  t.ok(timeline().exitsBefore('plain', 'critical'), String(timeline()));
  t.ok(timeline().secondsBetween(['plain', 'exit'], ['critical', 'term']) >= 0, 'critical ones serve to the end');
  for (const name of ['plain', 'critical', fixed]) {
    const { status } = await daemon.getPod(name);
    t.match(status, {
      phase: 'Failed',
      reason: 'Terminated',
      message: 'Pod was terminated in response to imminent node shutdown.',
    });
    t.match(
      status?.conditions?.find(({ type }) => type === 'DisruptionTarget'),
      {
        status: 'True',
        reason: 'TerminationByKubelet',
      },
    );
  }
  t.match(statusOf(await daemon.getPod('plain'), 'a').state?.terminated, { exitCode: 0 });
  t.match(await nodeReady(), { status: 'False', reason: 'KubeletNotReady', message: 'node is shutting down' });
});

t.test('when it was called off, the node is ready again and static pods are made anew', async (t) => {
  logind.announce('cancel');
  await waitFor('the lock', () => logind.locks === 1);
  await daemon.waitForExistingPod(`fixed-${daemon.root.name}`, isReady);
  await waitFor('the node', async () => (await nodeReady())?.status === 'True');
  t.equal((await daemon.getPod('plain')).status?.phase, 'Failed', 'others stay ended');
});

t.test('after a boot static pods run again', async (t) => {
  logind.announce('shutdown');
  await waitFor('the machine to be let go', () => logind.locks === 0, 25_000);
  await daemon.end('SIGTERM');
  logind.announce('cancel');
  await daemon.start();
  await daemon.waitForExistingPod(`fixed-${daemon.root.name}`, isReady);
  t.equal((await daemon.getPod('critical')).status?.reason, 'Terminated');
});
