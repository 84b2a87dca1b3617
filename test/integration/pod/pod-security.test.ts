// Any runtime will do.
import { rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import t from 'tap';
import type { Event } from '../../../src/api/event.ts';
import { startContainerd, wantedContainerd } from '../support/containerd.ts';
import { startDaemon } from '../support/daemon.ts';
import { waitFor } from '../support/wait.ts';
import { DEMO_IMAGE, isReady, podManifest, shell } from './pods.ts';

const runtime = await startContainerd({ version: wantedContainerd() });
t.teardown(() => runtime.stop());
const daemon = await startDaemon({ runtime });
t.teardown(() => daemon.stop());

const label = (mode: string) => `pod-security.kubernetes.io/${mode}`;
const namespace = (name: string, labels: Record<string, string>) =>
  daemon.api.request('POST', '/api/v1/namespaces', {
    body: { apiVersion: 'v1', kind: 'Namespace', metadata: { name, labels } },
  });
const create = (name: string, pod: object) =>
  daemon.api.request('POST', `/api/v1/namespaces/${name}/pods`, { body: pod });
const hosty = (name: string) => podManifest(name, [{ name: 'a', command: shell('') }], { hostNetwork: true });
const good = {
  securityContext: { allowPrivilegeEscalation: false, capabilities: { drop: ['ALL'] }, runAsUser: 1000 },
};
const goodSpec = { securityContext: { runAsNonRoot: true, seccompProfile: { type: 'RuntimeDefault' as const } } };

t.test('a namespace says what its pods may be', async (t) => {
  t.equal((await namespace('strict', { [label('enforce')]: 'restricted' })).status, 201);
  t.equal((await namespace('base', { [label('enforce')]: 'baseline', [label('warn')]: 'restricted' })).status, 201);

  const refused = await create('base', hosty('x'));
  t.equal(refused.status, 403);
  t.match(JSON.parse(refused.text), {
    reason: 'Forbidden',
    message: 'pods "x" is forbidden: violates PodSecurity "baseline:latest": host namespaces (hostNetwork=true)',
    details: { name: 'x', kind: 'pods' },
  });
  t.equal((await create('default', hosty('free'))).status, 201, 'where nothing is said everything is allowed');

  const warned = await daemon.kubectl(['-n', 'base', 'run', 'warned', `--image=${DEMO_IMAGE}`, '--', 'sleep', '1000']);
  t.equal(warned.exitCode, 0);
  t.match(
    warned.stderr,
    /Warning: would violate PodSecurity "restricted:latest": allowPrivilegeEscalation != false \(container "warned"/,
  );

  t.equal((await create('strict', podManifest('plain', [{ name: 'a' }]))).status, 403);
  t.equal(
    (await create('strict', podManifest('good', [{ name: 'a', command: shell(''), ...good }], goodSpec))).status,
    201,
  );
  await daemon.waitForExistingPod('good', isReady, { namespace: 'strict' });

  await t.test('also when a pod is changed', async (t) => {
    await daemon.api.expectOk('PATCH', '/api/v1/namespaces/base', {
      body: { metadata: { labels: { [label('enforce')]: 'restricted' } } },
      headers: { 'content-type': 'application/merge-patch+json' },
    });
    const patch = (body: object, type: string) =>
      daemon.api.request('PATCH', '/api/v1/namespaces/base/pods/warned', { body, headers: { 'content-type': type } });
    const image = { spec: { containers: [{ name: 'warned', image: `${DEMO_IMAGE}0` }] } };
    t.equal((await patch(image, 'application/strategic-merge-patch+json')).status, 403);
    const operations = [{ op: 'replace', path: '/spec/containers/0/image', value: `${DEMO_IMAGE}0` }];
    t.equal((await patch(operations, 'application/json-patch+json')).status, 403);
    t.equal((await patch({ metadata: { labels: { a: 'b' } } }, 'application/merge-patch+json')).status, 200);
    const looksIn = { name: 'looks-in', image: DEMO_IMAGE, securityContext: { privileged: true } };
    const debugging = await daemon.api.request('PATCH', '/api/v1/namespaces/strict/pods/good/ephemeralcontainers', {
      body: { spec: { ephemeralContainers: [looksIn] } },
      headers: { 'content-type': 'application/strategic-merge-patch+json' },
    });
    t.equal(debugging.status, 403);
    t.match(debugging.text, 'privileged');
  });
});

t.test('who tightens a namespace is told of the pods in it, which go on', async (t) => {
  await daemon.waitForExistingPod('free', isReady);
  const labelled = await daemon.kubectl(['label', 'namespace', 'default', `${label('enforce')}=baseline`]);
  t.equal(labelled.exitCode, 0, labelled.stderr);
  t.match(
    labelled.stderr,
    'Warning: existing pods in namespace "default" violate the new PodSecurity enforce level "baseline:latest"',
  );
  t.match(labelled.stderr, 'Warning: free: host namespaces');
  await daemon.restart('SIGKILL');
  t.ok(isReady(await daemon.getPod('free')));
  const told = await waitFor('the event', async () => {
    const { items } = await daemon.api.expectOk<{ items: Event[] }>('GET', '/api/v1/events');
    return items.find(
      ({ reason, involvedObject }) => reason === 'PodSecurityViolation' && involvedObject.name === 'free',
    );
  });
  const words = 'violates PodSecurity "baseline:latest": host namespaces (hostNetwork=true)';
  t.match(told, { type: 'Warning', message: `The pod goes on, but ${words}` });
  t.match(
    daemon.log(),
    /"pod":"default\/free","reason":"violates PodSecurity .*a pod goes on that would not be let in/,
  );
  t.equal((await create('default', hosty('late'))).status, 403, 'after a restart as well');
});

t.test('a manifest in the directory is no way around', async (t) => {
  const file = join(daemon.manifestsDir, 'evil.json');
  writeFileSync(file, JSON.stringify(hosty('static')));
  const told = await waitFor('the event', async () => {
    const { items } = await daemon.api.expectOk<{ items: Event[] }>('GET', '/api/v1/events');
    return items.find(({ reason }) => reason === 'InvalidManifest');
  });
  t.match(told.message, 'violates PodSecurity "baseline:latest": host namespaces (hostNetwork=true)');
  const name = `static-${daemon.root.name}`;
  t.equal((await daemon.api.request('GET', `/api/v1/namespaces/default/pods/${name}`)).status, 404);
  const free = await daemon.kubectl(['label', 'namespace', 'default', `${label('enforce')}-`]);
  t.equal(free.exitCode, 0, free.stderr);
  await daemon.waitForExistingPod(name, isReady);
  rmSync(file);
  await daemon.waitForPod(name, (pod) => pod === undefined);
});

t.test('labels that mean nothing are refused', async (t) => {
  const answer = await namespace('wrong', { [label('enforce')]: 'base', [label('warn-version')]: 'newest' });
  t.equal(answer.status, 422);
  t.match(answer.text, 'must be one of privileged, baseline, restricted');
  t.match(answer.text, 'must be \\"latest\\" or \\"v1.x\\"');
});
