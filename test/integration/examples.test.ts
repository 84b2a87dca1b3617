// Any runtime will do.
// What examples/ promises is true: each is sent as a user sends it.
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import t from 'tap';
import type { Pod } from '../../src/api/pod.ts';
import { isReady } from './support/api-client.ts';
import { startContainerd, wantedContainerd } from './support/containerd.ts';
import { startDaemon } from './support/daemon.ts';
import { projectRoot } from './support/machine.ts';
import { waitFor } from './support/wait.ts';

const runtime = await startContainerd({ version: wantedContainerd() });
t.teardown(() => runtime.stop());
const daemon = await startDaemon({ runtime });
t.before(() => t.teardown(() => daemon.stop()));

async function create(example: string): Promise<Pod> {
  const body = readFileSync(join(projectRoot, 'examples', `${example}.yaml`), 'utf8');
  return daemon.api.expectOk<Pod>('POST', '/api/v1/namespaces/default/pods', {
    body,
    contentType: 'application/yaml',
  });
}

t.test('hello says hello and stays as Succeeded', async (t) => {
  await create('hello');
  await daemon.waitForExistingPod('hello', ({ status }) => status?.phase === 'Succeeded');
  t.equal(await daemon.containerLog('hello', 'hello'), 'Hello from a pod\n');
});

t.test('web-with-sidecar serves what its sidecar writes', async (t) => {
  await create('web-with-sidecar');
  const { status } = await daemon.waitForExistingPod('web-with-sidecar', isReady);
  const page = await waitFor('the page', async () => {
    const response = await fetch(`http://${status?.podIP}:8080/`);
    return response.ok && response.text();
  });
  t.match(page, /^Hello from web at /);
  const log = await waitFor('the writer to read its page', async () => {
    const text = await daemon.containerLog('web-with-sidecar', 'writer');
    return text.includes('Hello from web') && text;
  });
  t.match(log, `I am web at ${status?.podIP}, and may use 16777216 bytes of memory`);
  const start = performance.now();
  await daemon.deletePod('web-with-sidecar');
  t.ok(performance.now() - start < 4_000, 'its containers end on SIGTERM, well within the grace period');
});

t.test('scratch-in-memory has a small file system in memory and no privilege', async (t) => {
  await create('scratch-in-memory');
  await daemon.waitForExistingPod('scratch-in-memory', isReady);
  const log = await waitFor('its words', async () => {
    const text = await daemon.containerLog('scratch-in-memory', 'worker');
    return text.split('\n').length > 4 && text;
  });
  t.match(log, /tmpfs +16\.0M/);
  t.match(log, 'uid=65534 gid=65534');
});

t.test('graceful-shutdown serves for three more seconds, and its sidecar for longer', async (t) => {
  await create('graceful-shutdown');
  const { status } = await daemon.waitForExistingPod('graceful', isReady);
  await waitFor('the hook to be told', async () =>
    (await daemon.containerLog('graceful', 'log')).includes('the server answers'),
  );
  const deleted = daemon.deletePod('graceful');
  const start = performance.now();
  const response = await fetch(`http://${status?.podIP}:8080/`);
  t.equal(await response.text(), 'hello\n', 'it serves though it is being deleted');
  await deleted;
  const seconds = (performance.now() - start) / 1000;
  t.ok(seconds > 2.5 && seconds < 15, `${seconds} s`);
});

t.test('init-and-sidecar is prepared before it serves', async (t) => {
  await create('init-and-sidecar');
  const { status } = await daemon.waitForExistingPod('prepared', isReady);
  t.match(status?.initContainerStatuses, [
    { name: 'prepare', ready: true, state: { terminated: { exitCode: 0 } } },
    { name: 'watcher', ready: true, state: { running: {} } },
  ]);
  const log = await waitFor('the sidecar to read the page', async () => {
    const text = await daemon.containerLog('prepared', 'watcher');
    return text.includes('\nPrepared for prepared') && text;
  });
  // What wget says of a server that is not there yet comes to the log another way, and may be earlier.
  t.match(log, /^before the server I see: Prepared for prepared\n/m);
  await daemon.deletePod('prepared');
});

t.test('together-or-not does not run alone', async (t) => {
  await create('together-or-not');
  const { status } = await daemon.waitForExistingPod('together-or-not', (pod) => pod.status?.phase === 'Failed');
  t.equal(status?.reason, 'AtomicStartFailed');
  t.notOk(status?.containerStatuses?.some(({ state }) => state?.running));
});

t.test('probes is ready when its server has started', async (t) => {
  await create('probes');
  const starting = await daemon.waitForExistingPod('probes', ({ status }) => status?.phase === 'Running');
  t.match(starting.status?.containerStatuses?.[0], { started: false, ready: false });
  const { status } = await daemon.waitForExistingPod('probes', isReady);
  t.match(status?.containerStatuses?.[0], { started: true, ready: true, restartCount: 0 });
});

t.test('settings-and-secret brings its settings along, and shows a change of them at once', async (t) => {
  const file = join(projectRoot, 'examples/settings-and-secret.yaml');
  const applied = await daemon.kubectl(['apply', '-f', file]);
  t.equal(applied.exitCode, 0, applied.stderr);
  await daemon.waitForExistingPod('greeter', isReady);
  const logWith = (text: string) =>
    waitFor(`${text} in the log`, async () => {
      const log = await daemon.containerLog('greeter', 'greeter');
      return log.includes(text) && log;
    });
  const log = await logWith('Good morning from app="greeter"\n');
  t.match(log, 'The password has 11 characters, and is in memory only: tmpfs\n');
  await daemon.kubectl(['patch', 'configmap', 'greeting', '-p', '{"data":{"text":"Good night"}}']);
  await logWith('Good night from app="greeter"\n');
  const deleted = await daemon.kubectl(['delete', '-f', file]);
  t.equal(deleted.exitCode, 0, deleted.stderr);
});
