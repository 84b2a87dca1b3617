// Any runtime will do.
import { PassThrough } from 'node:stream';
import { text } from 'node:stream/consumers';
import { setTimeout } from 'node:timers/promises';
import {
  CoreV1Api,
  Exec,
  type Informer,
  KubeConfig,
  Log,
  makeInformer,
  type ObjectCache,
  type V1Pod,
  type V1Status,
} from '@kubernetes/client-node';
import t, { type Test } from 'tap';
import { isReady, podManifest, shell } from '../pod/pods.ts';
import { podPath } from '../support/api-client.ts';
import { startContainerd, wantedContainerd } from '../support/containerd.ts';
import { startDaemon } from '../support/daemon.ts';
import { waitFor } from '../support/wait.ts';

const runtime = await startContainerd({ version: wantedContainerd() });
t.teardown(() => runtime.stop());
const daemon = await startDaemon({ runtime });
t.teardown(() => daemon.stop());

const config = new KubeConfig();
config.loadFromFile(daemon.kubeconfig);
const core = config.makeApiClient(CoreV1Api);
const collection = '/api/v1/namespaces/default/pods';

const create = async (name: string): Promise<void> => {
  await core.createNamespacedPod({
    namespace: 'default',
    body: podManifest(name, [{ name: 'a', command: shell(`echo hello from ${name}`) }]) as V1Pod,
  });
  await daemon.waitForExistingPod(name, isReady, { timeoutMs: 30_000 });
};

const label = (name: string, value: string) =>
  daemon.api.expectOk('PATCH', podPath(name), {
    body: { metadata: { labels: { value } } },
    contentType: 'application/merge-patch+json',
  });

interface Observed {
  readonly informer: Informer<V1Pod> & ObjectCache<V1Pod>;
  /** Each `add`, `delete`, and `update` of a label or of being ready. */
  readonly seen: string[];
  /** How often it has listed. */
  lists(): number;
}

/** An informer as its documentation shows it: started again some time after an error. */
async function inform(t: Test, labelSelector?: string): Promise<Observed> {
  const seen: string[] = [];
  let lists = 0;
  let isOver = false;
  const list = () => {
    lists += 1;
    return core.listNamespacedPod({ namespace: 'default', ...(labelSelector !== undefined && { labelSelector }) });
  };
  const informer = makeInformer(config, collection, list, labelSelector);
  const note = (what: string) => (pod: V1Pod) => seen.push(`${what} ${pod.metadata?.name}`);
  informer.on('add', note('add'));
  informer.on('delete', note('delete'));
  informer.on('update', ({ metadata }) => {
    const value = metadata?.labels?.value;
    if (value !== undefined) seen.push(`update ${metadata?.name} ${value}`);
  });
  informer.on('error', async () => {
    await setTimeout(100);
    if (!isOver) await informer.start();
  });
  t.teardown(() => {
    isOver = true;
    return informer.stop();
  });
  await informer.start();
  return { informer, seen, lists: () => lists };
}

t.test('an informer sees pods come, change and go', async (t) => {
  await create('first');
  const { informer, seen } = await inform(t);
  t.strictSame(seen, ['add first'], 'what is there is there from the start');
  await create('second');
  await label('first', 'red');
  await daemon.deletePod('second');
  await waitFor('the events', () => seen.includes('delete second'));
  t.strictSame(seen, ['add first', 'add second', 'update first red', 'delete second']);
  t.strictSame(
    informer.list('default').map(({ metadata }) => metadata?.name),
    ['first'],
  );
  t.match(informer.get('first', 'default')?.status, { phase: 'Running', podIP: /\d/ });
});

t.test('an informer goes on after a restart of the daemon, with what happened around it', async (t) => {
  await create('unseen');
  await label('unseen', 'hidden');
  const { informer, seen, lists } = await inform(t, 'value!=hidden');
  await create('gone');
  await waitFor('the pod', () => informer.get('gone', 'default'));
  // A change that this informer is not told of: after the restart its watch is too old by that one, and gets a 410.
  await daemon.deletePod('unseen');
  await daemon.restart('SIGKILL');
  await Promise.all([label('first', 'blue'), daemon.deletePod('gone'), create('late')]);
  await waitFor(
    'what happened',
    () => ['update first blue', 'delete gone', 'add late'].every((event) => seen.includes(event)),
    60_000,
  );
  t.ok(lists() > 1, 'it has listed anew, as it does after a 410 only');
  await daemon.deletePod('late');
  await waitFor('a live event after it', () => seen.includes('delete late'), 60_000);
  t.strictSame(
    informer.list('default').map(({ metadata }) => metadata?.name),
    ['first'],
  );
});

t.test('exec and logs', async (t) => {
  const read = new PassThrough();
  await new Log(config).log('default', 'first', 'a', read, { tailLines: 1 });
  t.equal(await text(read), 'hello from first\n');

  const [stdin, stdout, stderr] = [new PassThrough(), new PassThrough(), new PassThrough()];
  const ended = new Promise<V1Status>((resolve, reject) => {
    const command = ['sh', '-c', 'read line; echo "got $line"; echo oops >&2; exit 3'];
    new Exec(config).exec('default', 'first', 'a', command, stdout, stderr, stdin, false, resolve).catch(reject);
  });
  stdin.write('words\n');
  t.match(await ended, {
    status: 'Failure',
    reason: 'NonZeroExitCode',
    details: { causes: [{ reason: 'ExitCode', message: '3' }] },
  });
  stdout.end();
  stderr.end();
  t.equal(await text(stdout), 'got words\n');
  t.equal(await text(stderr), 'oops\n');
});

t.test('what is refused is an error with the words of the server', async (t) => {
  await t.rejects(core.readNamespacedPod({ namespace: 'default', name: 'nobody' }), {
    code: 404,
    body: /pods \\"nobody\\" not found/,
  });
});
