// Any runtime will do.
import { readFileSync } from 'node:fs';
import { request } from 'node:https';
import t from 'tap';
import type { ConfigMap } from '../../../src/api/config-map.ts';
import type { Event } from '../../../src/api/event.ts';
import { readKubeconfig } from '../../../src/server/pki/kubeconfig.ts';
import { startContainerd, wantedContainerd } from '../support/containerd.ts';
import { startDaemon } from '../support/daemon.ts';
import { waitFor } from '../support/wait.ts';
import { isReady, podManifest, shell } from './pods.ts';

const runtime = await startContainerd({ version: wantedContainerd() });
t.teardown(() => runtime.stop());
const daemon = await startDaemon({ runtime });
t.teardown(() => daemon.stop());

const API = 'https://kubernetes.default.svc.cluster.local';
const path = (plural: string, name = '', namespace = 'default') =>
  `/api/v1/namespaces/${namespace}/${plural}${name === '' ? '' : `/${name}`}`;
const claimsOf = (token: string) => JSON.parse(Buffer.from(token.split('.')[1] ?? '', 'base64url').toString());

/** The answer of the API over TLS to somebody with a token. */
function ask(url: string, token: string, method = 'GET'): Promise<{ code: number; message: string }> {
  return new Promise((resolve, reject) => {
    const { authority: ca } = readKubeconfig(readFileSync(daemon.kubeconfig, 'utf8'));
    const headers = { authorization: `Bearer ${token}` };
    const options = { host: '127.0.0.1', port: daemon.port, path: url, method, ca, agent: false, headers };
    const outgoing = request(options, (answer) => {
      const chunks: Buffer[] = [];
      answer.on('data', (chunk) => chunks.push(chunk));
      answer.on('end', () => {
        const { message = '' } = JSON.parse(Buffer.concat(chunks).toString() || '{}') as { message?: string };
        resolve({ code: answer.statusCode ?? 0, message });
      });
    });
    outgoing.once('error', reject);
    outgoing.end();
  });
}

const tokenPod = (name: string, account: string | undefined, projection: object, spec: object = {}) =>
  podManifest(
    name,
    [
      {
        name: 'a',
        command: shell('stat -L -c "mode=%a %u" /t/token; echo "token=$(cat /t/token)"; echo end'),
        volumeMounts: [{ name: 't', mountPath: '/t' }],
      },
    ],
    {
      ...(account === undefined ? {} : { serviceAccountName: account }),
      volumes: [{ name: 't', projected: { sources: [{ serviceAccountToken: { path: 'token', ...projection } }] } }],
      ...spec,
    },
  );

t.test('a pod that wants it finds its account where programs look for it', async (t) => {
  const at = '/var/run/secrets/kubernetes.io/serviceaccount';
  const script = `exec 2>&1; cd ${at}; head -1 ca.crt; echo "namespace=$(cat namespace)"; cut -d. -f2 token; touch x; echo end`;
  await daemon.createPod(
    podManifest('access', [{ name: 'a', command: shell(script) }], { automountServiceAccountToken: true }),
  );
  const log = await waitFor('its log', async () => {
    const text = await daemon.containerLog('access', 'a');
    return text.endsWith('end\n') ? text : undefined;
  });
  t.match(log, /BEGIN CERTIFICATE[\s\S]*namespace=default\n/);
  t.match(log, 'Read-only file system');
  const [claims = ''] = /^eyJ.*$/m.exec(log) ?? [];
  const { sub, iat, exp } = JSON.parse(Buffer.from(claims, 'base64url').toString());
  t.strictSame([sub, exp - iat], ['system:serviceaccount:default:default', 3607]);
  await daemon.deletePod('access');
});

async function factsOf(pod: string): Promise<{ token: string; mode: string }> {
  const log = await waitFor(`the log of ${pod}`, async () => {
    const text = await daemon.containerLog(pod, 'a');
    return text.endsWith('end\n') ? text : undefined;
  });
  return { token: /token=(.*)/.exec(log)?.[1] ?? '', mode: /mode=(.*)/.exec(log)?.[1] ?? '' };
}

t.test('every namespace has its account and the certificate of the API, whatever happens to them', async (t) => {
  await daemon.api.expectOk('POST', '/api/v1/namespaces', { body: { metadata: { name: 'mine' } } });
  const { authority } = readKubeconfig(readFileSync(daemon.kubeconfig, 'utf8'));
  for (const namespace of ['default', 'kube-system', 'mine']) {
    t.match(await daemon.api.expectOk('GET', path('serviceaccounts', 'default', namespace)), {
      metadata: { name: 'default' },
    });
    const { data } = await daemon.api.expectOk<ConfigMap>('GET', path('configmaps', 'kube-root-ca.crt', namespace));
    t.equal(data?.['ca.crt'], authority);
  }
  await daemon.api.expectOk('DELETE', path('serviceaccounts', 'default', 'mine'));
  await daemon.api.expectOk('DELETE', path('configmaps', 'kube-root-ca.crt', 'mine'));
  await daemon.api.expectOk('GET', path('serviceaccounts', 'default', 'mine'));
  await daemon.api.expectOk('GET', path('configmaps', 'kube-root-ca.crt', 'mine'));
  await daemon.api.expectOk('DELETE', '/api/v1/namespaces/mine');
  t.equal((await daemon.api.request('GET', path('serviceaccounts', 'default', 'mine'))).status, 404);
});

t.test('a pod gets a token of its account, which the API knows and lets do nothing', async (t) => {
  await daemon.api.expectOk('POST', path('serviceaccounts'), { body: { metadata: { name: 'robot' } } });
  await daemon.createPod(tokenPod('own', 'robot', {}));
  await daemon.createPod(tokenPod('plain', undefined, { audience: 'vault', expirationSeconds: 600 }));
  await daemon.createPod(tokenPod('user', 'robot', {}, { securityContext: { runAsUser: 1234 } }));
  const pod = await daemon.waitForExistingPod('own', isReady);
  const own = await factsOf('own');
  t.equal(own.mode, '644 0');
  t.match(claimsOf(own.token), {
    sub: 'system:serviceaccount:default:robot',
    aud: [API],
    'kubernetes.io': { pod: { name: 'own', uid: pod.metadata.uid }, node: { name: daemon.root.name } },
  });
  const plain = await factsOf('plain');
  t.match(claimsOf(plain.token), { sub: 'system:serviceaccount:default:default', aud: ['vault'] });
  t.equal((await factsOf('user')).mode, '600 1234', 'for the only user of its containers');
  t.equal((await daemon.getPod('plain')).spec.serviceAccountName, 'default');

  const user = '"system:serviceaccount:default:robot"';
  for (const [url, method] of [
    ['/api/v1/pods', 'GET'],
    [path('secrets'), 'GET'],
    [path('pods', 'own'), 'DELETE'],
    [path('serviceaccounts', 'robot/token'), 'POST'],
    ['/metrics', 'GET'],
  ] as const) {
    const { code, message } = await ask(url, own.token, method);
    t.equal(code, 403, `${method} ${url}`);
    t.match(message, `User ${user} cannot`);
  }
  t.equal((await ask('/api/v1/pods', plain.token)).code, 401, 'a token for somebody else is nobody');
  t.equal((await ask('/api/v1/pods', `${own.token}x`)).code, 401);
  await daemon.restart('SIGKILL');
  t.equal((await ask('/api/v1/pods', own.token)).code, 403, 'the key outlives the daemon');
  await Promise.all(['own', 'plain', 'user'].map((name) => daemon.deletePod(name)));
  t.equal((await ask('/api/v1/pods', own.token)).code, 401, 'with its pod the token ends');
  t.notMatch(daemon.log(), own.token);
});

t.test('a pod of an account that does not exist is refused; one whose account goes away waits for it', async (t) => {
  const refused = await daemon.api.request('POST', path('pods'), { body: tokenPod('nobody', 'nobody', {}) });
  t.equal(refused.status, 403);
  t.match(refused.body, {
    message:
      'pods "nobody" is forbidden: error looking up service account default/nobody: serviceaccount "nobody" not found',
  });
  await daemon.api.expectOk('POST', path('serviceaccounts'), { body: { metadata: { name: 'late' } } });
  // Held until its account is gone: a token that was made for it before would do.
  const { metadata, spec } = tokenPod('late', 'late', {});
  await daemon.createPod({ metadata, spec: { ...spec, schedulingGates: [{ name: 'mini-kubelet.io/later' }] } });
  await daemon.api.expectOk('DELETE', path('serviceaccounts', 'late'));
  await daemon.api.expectOk('PATCH', path('pods', 'late'), {
    body: { spec: { schedulingGates: [] } },
    contentType: 'application/merge-patch+json',
  });
  await waitFor('the event', async () => {
    const { items } = await daemon.api.expectOk<{ items: Event[] }>('GET', path('events'));
    return items.find(({ message }) => message?.includes('failed to fetch token: serviceaccounts "late" not found'));
  });
  await daemon.api.expectOk('POST', path('serviceaccounts'), { body: { metadata: { name: 'late' } } });
  await daemon.waitForExistingPod('late', isReady);
  await daemon.deletePod('late');
});

t.test('tokens on request', async (t) => {
  const url = path('serviceaccounts', 'robot/token');
  const ask201 = (spec: object) =>
    daemon.api.expectOk<{ status: { token: string; expirationTimestamp: string } }>('POST', url, { body: { spec } });
  const { status } = await ask201({ audiences: ['vault', API], expirationSeconds: 700 });
  const claims = claimsOf(status.token);
  t.match(claims, { aud: ['vault', API], sub: 'system:serviceaccount:default:robot' });
  t.equal(claims.exp - claims.iat, 700);
  t.equal(new Date(status.expirationTimestamp).getTime() / 1000, claims.exp);
  t.equal((await ask('/api/v1/pods', status.token)).code, 403);
  const wrong = await daemon.api.request<{ details: { causes: { field: string }[] } }>('POST', url, {
    body: { spec: { audiences: [1], expirationSeconds: 60, boundObjectRef: { kind: 'Node', name: 'x' } } },
  });
  t.equal(wrong.status, 422);
  t.same(
    wrong.body.details.causes.map(({ field }) => field),
    ['spec.audiences', 'spec.expirationSeconds', 'spec.boundObjectRef.kind'],
  );
  t.equal((await daemon.api.request('POST', path('serviceaccounts', 'nobody/token'), { body: {} })).status, 404);
  const bound = { boundObjectRef: { kind: 'Pod', name: 'nobody' } };
  t.equal((await daemon.api.request('POST', url, { body: { spec: bound } })).status, 404);
  await daemon.api.expectOk('DELETE', path('serviceaccounts', 'robot'));
  t.equal((await ask('/api/v1/pods', status.token)).code, 401, 'with its account the token ends');
});
