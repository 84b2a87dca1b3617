import { execFileSync } from 'node:child_process';
import { existsSync, readdirSync, readFileSync, readlinkSync, rmSync, symlinkSync } from 'node:fs';
import { join } from 'node:path';
import t from 'tap';
import type { Event } from '../../../src/api/event.ts';
import type { Pod } from '../../../src/api/pod.ts';
import { startContainerd, wantedContainerd } from '../support/containerd.ts';
import { startDaemon } from '../support/daemon.ts';
import { waitFor } from '../support/wait.ts';
import { isReady, podManifest, shell } from './pods.ts';

const runtime = await startContainerd({ version: wantedContainerd() });
t.teardown(() => runtime.stop());
const daemon = await startDaemon({ runtime });
t.teardown(() => daemon.stop());

const canary = 'canary-7f3a91';
const path = (plural: string, name = '') => `/api/v1/namespaces/default/${plural}${name === '' ? '' : `/${name}`}`;
const create = (plural: string, name: string, fields: object) =>
  daemon.api.expectOk('POST', path(plural), { body: { metadata: { name }, ...fields } });
const patch = (plural: string, name: string, body: object) =>
  daemon.api.expectOk('PATCH', path(plural, name), { body, contentType: 'application/merge-patch+json' });
const volumesOf = (pod: Pod) => join(daemon.stateDir, 'pods', pod.metadata.uid, 'volumes');

/** Tells everything in /v again and again, each time it has changed. */
const watchFiles = shell(
  `last=; while true; do now=$(cd /v; for f in $(find -L . -type f ! -path "./..*" | sort); do echo "$f $(stat -L -c %a $f) $(cat $f)"; done; echo .); if [ "$now" != "$last" ]; then echo "$now"; last=$now; fi; sleep 0.1; done &`,
);

async function waitForLog(pod: string, what: string | RegExp): Promise<string> {
  return await waitFor(`${what} in the log of ${pod}`, async () => {
    const log = await daemon.containerLog(pod, 'a');
    return (typeof what === 'string' ? log.includes(what) : what.test(log)) ? log : undefined;
  });
}

function mountsOf(pod: Pod): string[] {
  return readFileSync('/proc/self/mountinfo', 'utf8')
    .split('\n')
    .filter((line) => line.includes(pod.metadata.uid));
}

t.test('files from ConfigMaps, Secrets and the pod itself; changes show in the running pod', async (t) => {
  await create('configmaps', 'settings', { data: { color: 'red', conf: 'x=1' }, binaryData: { bin: 'QUI=' } });
  await create('secrets', 'password', { stringData: { password: canary } });
  await daemon.createPod(
    podManifest(
      'files',
      [
        {
          name: 'a',
          command: watchFiles,
          resources: { limits: { memory: '64Mi' } },
          volumeMounts: [
            { name: 'map', mountPath: '/v/map' },
            { name: 'secret', mountPath: '/v/secret' },
            { name: 'pod', mountPath: '/v/pod' },
            { name: 'all', mountPath: '/v/all' },
            { name: 'map', mountPath: '/v/single', subPath: 'color' },
          ],
        },
      ],
      {
        volumes: [
          { name: 'map', configMap: { name: 'settings' } },
          { name: 'secret', secret: { secretName: 'password', defaultMode: 0o400 } },
          {
            name: 'pod',
            downwardAPI: {
              items: [
                { path: 'labels', fieldRef: { fieldPath: 'metadata.labels' } },
                { path: 'memory', resourceFieldRef: { containerName: 'a', resource: 'limits.memory', divisor: '1Mi' } },
              ],
            },
          },
          {
            name: 'all',
            projected: {
              sources: [
                { configMap: { name: 'settings', items: [{ key: 'conf', path: 'etc/app.conf', mode: 0o600 }] } },
                { secret: { name: 'password', items: [{ key: 'password', path: 'etc/password' }] } },
                { configMap: { name: 'nowhere', optional: true } },
              ],
            },
          },
        ],
      },
      { labels: { app: 'web' } },
    ),
  );
  const pod = await daemon.waitForExistingPod('files', isReady);
  const first = await waitForLog('files', '\n.\n');
  for (const line of [
    './map/bin 644 AB',
    './map/color 644 red',
    './map/conf 644 x=1',
    './single 644 red',
    `./secret/password 400 ${canary}`,
    './pod/labels 644 app="web"',
    './pod/memory 644 64',
    './all/etc/app.conf 600 x=1',
    `./all/etc/password 644 ${canary}`,
  ]) {
    t.match(first, `${line}\n`);
  }
  const tmpfs = mountsOf(pod).filter((line) => line.includes(' - tmpfs '));
  t.same(tmpfs.map((line) => line.split(' ')[4]?.split('/').slice(-2).join('/')).sort(), [
    'kubernetes.io~projected/all',
    'kubernetes.io~secret/secret',
  ]);

  const changes: [string, () => Promise<unknown>, string][] = [
    [
      'a ConfigMap',
      () => patch('configmaps', 'settings', { data: { color: 'blue', more: 'm' } }),
      './map/color 644 blue',
    ],
    [
      'a Secret',
      () => patch('secrets', 'password', { stringData: { password: 'changed' } }),
      'etc/password 644 changed',
    ],
    [
      'a label',
      () => patch('pods', 'files', { metadata: { labels: { app: 'other' } } }),
      './pod/labels 644 app="other"',
    ],
    ['one that was missing', () => create('configmaps', 'nowhere', { data: { came: 'now' } }), './all/came 644 now'],
  ];
  for (const [what, change, line] of changes) {
    const begin = performance.now();
    await change();
    await waitForLog('files', line);
    t.ok(performance.now() - begin < 3000, `${what}: soon`);
  }
  const last = (await waitForLog('files', './all/came')).split('\n.\n').at(-2) ?? '';
  t.match(last, './map/more 644 m');
  t.match(last, './single 644 red', 'a part that was mounted by itself stays as it was');
  t.match(last, './secret/password 400 changed');

  const content = readlinkSync(join(volumesOf(pod), 'kubernetes.io~configmap/map/..data'));
  await daemon.restart('SIGKILL');
  await patch('secrets', 'password', { stringData: { password: 'after' } });
  await waitForLog('files', './secret/password 400 after');
  t.equal(readlinkSync(join(volumesOf(pod), 'kubernetes.io~configmap/map/..data')), content, 'not written anew');
  t.equal((await daemon.getPod('files')).status?.containerStatuses?.[0]?.restartCount, 0);
});

t.test('a source that goes leaves a running pod its files', async (t) => {
  await daemon.api.expectOk('DELETE', path('configmaps', 'settings'));
  const told = await waitFor('the event', async () => {
    const { items } = await daemon.api.expectOk<{ items: Event[] }>('GET', path('events'));
    return items.find((item) => item.reason === 'FailedMount' && item.involvedObject.name === 'files');
  });
  t.match(told?.message, 'MountVolume.SetUp failed for volume "map" : configmap "settings" not found');
  const log = await daemon.containerLog('files', 'a');
  t.match(log.split('\n.\n').at(-2), './map/color 644 blue');
  t.ok(isReady(await daemon.getPod('files')));
  await create('configmaps', 'settings', { data: { color: 'back', conf: 'x=2' } });
  await waitForLog('files', './map/color 644 back');
});

t.test('containers cannot change the files, and root cannot lead the daemon astray with them', async (t) => {
  const pod = await daemon.getPod('files');
  const outside = join(daemon.root.path, 'outside');
  execFileSync('sh', ['-c', `mkdir ${outside}; for i in 1 2 3; do echo alive >${outside}/$i; done`]);
  const volume = join(volumesOf(pod), 'kubernetes.io~configmap/map');
  rmSync(join(volume, '..data'));
  symlinkSync(outside, join(volume, '..data'));
  symlinkSync(outside, join(volume, '..2020_01_01_00_00_00.1'));
  await patch('configmaps', 'settings', { data: { color: 'green' } });
  await waitForLog('files', './map/color 644 green');
  t.same(readdirSync(outside), ['1', '2', '3']);

  await daemon.createPod(
    podManifest(
      'attacker',
      [
        {
          name: 'a',
          command: shell(
            'for d in map secret all pod; do for c in "touch /v/$d/x" "ln -sfn / /v/$d/..data" "rm /v/$d/..data" "chmod 777 /v/$d"; do $c 2>/dev/null && echo "DONE $c" || echo FAILED; done; done; echo end',
          ),
          volumeMounts: ['map', 'secret', 'all', 'pod'].map((name) => ({ name, mountPath: `/v/${name}` })),
        },
      ],
      {
        volumes: [
          { name: 'map', configMap: { name: 'settings' } },
          { name: 'secret', secret: { secretName: 'password' } },
          { name: 'all', projected: { sources: [{ configMap: { name: 'settings' } }] } },
          { name: 'pod', downwardAPI: { items: [{ path: 'name', fieldRef: { fieldPath: 'metadata.name' } }] } },
        ],
      },
    ),
  );
  const log = await waitForLog('attacker', 'end\n');
  t.notMatch(log, 'DONE');
  t.equal(log.match(/FAILED/g)?.length, 16);
  await daemon.deletePod('attacker');
});

t.test('processes of another user read them by the group of the pod, also what came later', async (t) => {
  await daemon.createPod(
    podManifest(
      'group',
      [
        {
          name: 'a',
          command: watchFiles,
          volumeMounts: [
            { name: 'map', mountPath: '/v/map' },
            { name: 'secret', mountPath: '/v/secret' },
          ],
        },
      ],
      {
        securityContext: { runAsUser: 1000, runAsGroup: 1000, fsGroup: 2000 },
        volumes: [
          { name: 'map', configMap: { name: 'settings', defaultMode: 0o600 } },
          { name: 'secret', secret: { secretName: 'password', defaultMode: 0o400 } },
        ],
      },
    ),
  );
  t.match(await waitForLog('group', './map/color'), './secret/password 440 after');
  const pod = await daemon.getPod('group');
  const content = readlinkSync(join(volumesOf(pod), 'kubernetes.io~secret/secret/..data'));
  await patch('configmaps', 'settings', { data: { color: 'group' } });
  await waitForLog('group', './map/color 640 group');
  t.equal(
    readlinkSync(join(volumesOf(pod), 'kubernetes.io~secret/secret/..data')),
    content,
    'what the group may read is not taken for a change',
  );
  await daemon.deletePod('group');
});

t.test('nothing is left on the disk after the end, links are not followed, and no secret was ever there', async (t) => {
  const pod = await daemon.getPod('files');
  const outside = join(daemon.root.path, 'outside');
  symlinkSync(outside, join(volumesOf(pod), 'kubernetes.io~configmap/map/evil'));
  await daemon.deletePod('files');
  t.notOk(existsSync(join(daemon.stateDir, 'pods', pod.metadata.uid)));
  t.same(mountsOf(pod), []);
  t.same(readdirSync(outside), ['1', '2', '3']);
  t.equal(execFileSync('sh', ['-c', `grep -rlaF ${canary} ${daemon.stateDir} || true`], { encoding: 'utf8' }), '');
});

t.test('a pod waits for what is missing, says so, and starts as soon as it is there, also after a kill', async (t) => {
  const waits = [
    ['wait-map', { configMap: { name: 'later-map' } }, 'configmap "later-map" not found'],
    ['wait-secret', { secret: { secretName: 'later-secret' } }, 'secret "later-secret" not found'],
    [
      'wait-key',
      { configMap: { name: 'settings', items: [{ key: 'later', path: 'a' }] } },
      'configmap references non-existent config key: later',
    ],
    [
      'wait-all',
      { projected: { sources: [{ secret: { name: 'later-secret' } }, { configMap: { name: 'later-map' } }] } },
      'secret "later-secret" not found, configmap "later-map" not found',
    ],
  ] as const;
  for (const [name, source] of waits) {
    await daemon.createPod(
      podManifest(name, [{ name: 'a', command: shell(''), volumeMounts: [{ name: 'v', mountPath: '/v' }] }], {
        volumes: [{ name: 'v', ...source } as NonNullable<Pod['spec']['volumes']>[number]],
      }),
    );
  }
  for (const [name, , message] of waits) {
    const told = await waitFor(`the event of ${name}`, async () => {
      const { items } = await daemon.api.expectOk<{ items: Event[] }>('GET', path('events'));
      return items.find((item) => item.involvedObject.name === name && item.reason === 'FailedMount');
    });
    t.match(told, { type: 'Warning', message: `MountVolume.SetUp failed for volume "v" : ${message}` });
    t.match(await daemon.getPod(name), { status: { phase: 'Pending' } });
  }
  await daemon.restart('SIGKILL');
  await create('configmaps', 'later-map', { data: { a: 'x' } });
  await create('secrets', 'later-secret', { stringData: { b: 'y' } });
  await patch('configmaps', 'settings', { data: { later: 'z' } });
  for (const [name] of waits) await daemon.waitForExistingPod(name, isReady);
  const pods = await Promise.all(waits.map(([name]) => daemon.getPod(name)));
  await daemon.kill9();
  await daemon.start();
  await Promise.all(waits.map(([name]) => daemon.deletePod(name)));
  for (const pod of pods) t.same(mountsOf(pod), []);
  t.same(readdirSync(join(daemon.stateDir, 'pods')), []);
});

t.test('no secret is in the log', async (t) => {
  t.notMatch(daemon.log(), canary);
  t.notMatch(daemon.log(), Buffer.from(canary).toString('base64'));
});
