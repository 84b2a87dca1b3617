// Any runtime will do.
import { readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import t from 'tap';
import type { Event } from '../../../src/api/event.ts';
import type { Secret } from '../../../src/api/secret.ts';
import { startContainerd, wantedContainerd } from '../support/containerd.ts';
import { startDaemon } from '../support/daemon.ts';
import { waitFor } from '../support/wait.ts';
import { isReady, parseFacts, podManifest, shell, statusOf } from './pods.ts';

const runtime = await startContainerd({ version: wantedContainerd() });
t.teardown(() => runtime.stop());
const daemon = await startDaemon({ runtime });
t.teardown(() => daemon.stop());

const canary = 'canary-7f3a91';
const path = (plural: string, name = '') => `/api/v1/namespaces/default/${plural}${name === '' ? '' : `/${name}`}`;
const create = (plural: string, name: string, fields: object) =>
  daemon.api.expectOk('POST', path(plural), { body: { metadata: { name }, ...fields } });

async function environmentOf(pod: string): Promise<Record<string, string>> {
  const log = await waitFor(`the log of ${pod}`, async () => {
    const text = await daemon.containerLog(pod, 'a');
    return text.endsWith('end=\n') ? text : undefined;
  });
  return parseFacts(log);
}

/** The shell leaves out what it cannot name. */
const tell = shell('tr "\\0" "\\n" </proc/1/environ; echo end=');

t.test('variables from ConfigMaps and Secrets', async (t) => {
  await create('configmaps', 'settings', { data: { color: 'red', 'a.b': 'dotted', OWN: 'no' } });
  await create('secrets', 'password', { stringData: { password: canary, OTHER: 'x y' } });
  await daemon.createPod(
    podManifest('env', [
      {
        name: 'a',
        command: tell,
        envFrom: [
          { configMapRef: { name: 'settings' } },
          { prefix: 'S_', secretRef: { name: 'password' } },
          { configMapRef: { name: 'nowhere', optional: true } },
        ],
        env: [
          { name: 'OWN', value: 'own' },
          { name: 'COLOR', valueFrom: { configMapKeyRef: { name: 'settings', key: 'color' } } },
          { name: 'PASSWORD', valueFrom: { secretKeyRef: { name: 'password', key: 'password' } } },
          { name: 'URL', value: 'u:$(PASSWORD)@$(COLOR)' },
          { name: 'NOT', valueFrom: { secretKeyRef: { name: 'password', key: 'nothing', optional: true } } },
        ],
      },
    ]),
  );
  await daemon.waitForExistingPod('env', isReady);
  const seen = await environmentOf('env');
  t.match(seen, {
    color: 'red',
    'a.b': 'dotted',
    OWN: 'own',
    S_password: canary,
    S_OTHER: 'x y',
    COLOR: 'red',
    PASSWORD: canary,
    URL: `u:${canary}@red`,
  });
  t.notOk('NOT' in seen);
  await daemon.deletePod('env');
});

t.test('a container waits for what is missing, says so, and starts as soon as it is there', async (t) => {
  const waits = [
    ['no-map', { configMapKeyRef: { name: 'later-map', key: 'a' } }, 'configmap "later-map" not found'],
    ['no-secret', { secretKeyRef: { name: 'later-secret', key: 'a' } }, 'secret "later-secret" not found'],
    [
      'no-key',
      { configMapKeyRef: { name: 'settings', key: 'later' } },
      "couldn't find key later in ConfigMap default/settings",
    ],
  ] as const;
  for (const [name, valueFrom] of waits) {
    const other = { name: 'b', command: shell('') };
    await daemon.createPod(podManifest(name, [{ name: 'a', command: tell, env: [{ name: 'A', valueFrom }] }, other]));
  }
  for (const [name, , message] of waits) {
    const pod = await daemon.waitForExistingPod(
      name,
      (seen) =>
        seen.status?.containerStatuses?.some((item) => item.state?.waiting?.reason === 'CreateContainerConfigError') ??
        false,
    );
    t.equal(statusOf(pod, 'a').state?.waiting?.message, message);
    await daemon.waitForExistingPod(name, (seen) => statusOf(seen, 'b').state?.running !== undefined);
    const told = await waitFor(`the event of ${name}`, async () => {
      const { items } = await daemon.api.expectOk<{ items: Event[] }>('GET', path('events'));
      return items.find((item) => item.involvedObject.name === name && item.reason === 'Failed');
    });
    t.match(told, { type: 'Warning', message: `Error: ${message}` });
  }
  const begin = performance.now();
  await create('configmaps', 'later-map', { data: { a: 'came' } });
  await create('secrets', 'later-secret', { stringData: { a: 'came' } });
  await daemon.api.expectOk('PATCH', path('configmaps', 'settings'), {
    body: { data: { later: 'came' } },
    contentType: 'application/merge-patch+json',
  });
  for (const [name] of waits) await daemon.waitForExistingPod(name, isReady);
  // Who tries again from time to time does so after 10 s.
  t.ok(performance.now() - begin < 8000, 'at once');
  for (const [name] of waits) t.match(await environmentOf(name), { A: 'came' });
  await Promise.all(waits.map(([name]) => daemon.deletePod(name)));
});

t.test('a file brings a pod and what it needs, and takes both away', async (t) => {
  const list = {
    apiVersion: 'v1',
    kind: 'List',
    items: [
      podManifest('static', [{ name: 'a', command: tell, envFrom: [{ secretRef: { name: 'static' } }] }]),
      { apiVersion: 'v1', kind: 'Secret', metadata: { name: 'static' }, stringData: { FROM_FILE: canary } },
    ],
  };
  const file = join(daemon.manifestsDir, 'static.json');
  const name = `static-${daemon.root.name}`;
  writeFileSync(file, JSON.stringify(list));
  await daemon.waitForExistingPod(name, isReady);
  t.match(await environmentOf(name), { FROM_FILE: canary });
  rmSync(file);
  await daemon.waitForPod(name, (pod) => pod === undefined);
  t.equal((await daemon.api.request('GET', path('secrets', 'static'))).status, 404);
});

t.test('the keys of the Secrets are changed without losing any', async (t) => {
  const keys = () => readFileSync(join(daemon.stateDir, 'secrets.key'), 'utf8').match(/^[0-9a-f]{8} /gm) ?? [];
  const [first] = keys();
  const rotated = await daemon.runProgram(['secrets', 'rotate-key', '--config', daemon.configFile]);
  t.match(rotated, { exitCode: 0, stdout: /restart mini-kubelet/ });
  t.same(keys().slice(1), [first]);
  await daemon.restart();
  t.match(daemon.log(), 'Secrets were encrypted anew');
  const { data } = await daemon.api.expectOk<Secret>('GET', path('secrets', 'password'));
  t.equal(Buffer.from(data?.password ?? '', 'base64').toString(), canary);
});

t.test('no secret is in the log, in an event, or on the disk', async (t) => {
  t.notMatch(daemon.log(), canary);
  t.notMatch(daemon.log(), Buffer.from(canary).toString('base64'));
  const events = await daemon.api.request('GET', path('events'));
  t.notMatch(events.text, canary);
});

t.test('variables from a file that an init container writes', async (t) => {
  const volume = { name: 'shared', emptyDir: {} };
  const volumeMounts = [{ name: 'shared', mountPath: '/shared' }];
  const fromFile = (name: string, file: string, optional = false) => ({
    name,
    valueFrom: { fileKeyRef: { volumeName: 'shared', path: file, key: name, optional } },
  });
  const write = `mkdir /shared/dir; printf "A='one' # first\nB='two\nlines'\n" > /shared/dir/env`;
  const plant = 'ln -s /etc/passwd /shared/link; ln -s / /shared/root; mkfifo /shared/fifo';
  const initContainers = [
    { name: 'init', image: 'mini-kubelet.local/demo:1', command: ['sh', '-c', `${write}; ${plant}`], volumeMounts },
  ];
  const start = (name: string, env: Parameters<typeof podManifest>[1][number]['env']) =>
    daemon.createPod(podManifest(name, [{ name: 'a', command: tell, env }], { initContainers, volumes: [volume] }));
  await start('env-file', [
    fromFile('A', 'dir/env'),
    { ...fromFile('A', '/dir/./env'), name: 'ALSO' },
    { name: 'USED', value: '<$(A)>' },
    fromFile('C', 'dir/env', true),
    fromFile('D', 'nowhere', true),
  ]);
  const wrong: [string, ReturnType<typeof fromFile>, RegExp][] = [
    ['env-key', fromFile('C', 'dir/env'), /environment variable key "C" not found in file "dir\/env"/],
    ['env-link', fromFile('root', 'link'), /is a symbolic link/],
    ['env-root', fromFile('root', 'root/etc/passwd', true), /is a symbolic link|is not a directory/],
    ['env-fifo', fromFile('A', 'fifo'), /is not a regular file/],
  ];
  for (const [name, variable] of wrong) await start(name, [variable]);
  for (const [name, , message] of wrong) {
    const pod = await daemon.waitForExistingPod(
      name,
      (seen) => seen.status?.containerStatuses?.[0]?.state?.waiting?.reason === 'CreateContainerConfigError',
    );
    t.match(statusOf(pod, 'a').state?.waiting?.message, message);
  }
  const seen = await environmentOf('env-file');
  t.match(seen, { A: 'one', ALSO: 'one', USED: '<one>' });
  t.notOk('C' in seen || 'D' in seen, 'what is optional and missing is not set');
});
