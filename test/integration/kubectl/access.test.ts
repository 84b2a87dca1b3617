// Any runtime will do.
import { readFileSync, statSync } from 'node:fs';
import { request } from 'node:https';
import { join } from 'node:path';
import t from 'tap';
import { readKubeconfig } from '../../../src/server/pki/kubeconfig.ts';
import { podManifest, shell } from '../pod/pods.ts';
import { startContainerd, wantedContainerd } from '../support/containerd.ts';
import { startDaemon } from '../support/daemon.ts';
import { waitFor } from '../support/wait.ts';

const runtime = await startContainerd({ version: wantedContainerd() });
t.teardown(() => runtime.stop());
const daemon = await startDaemon({ runtime });
t.teardown(() => daemon.stop());

const kubeconfig = () => readKubeconfig(readFileSync(daemon.kubeconfig, 'utf8'));

/** The answer's code, or 0 where there was none. */
function ask(path: string, options: object = {}): Promise<{ code: number; text: string }> {
  return new Promise((resolve) => {
    const ca = kubeconfig().authority;
    const outgoing = request({ host: '127.0.0.1', port: daemon.port, path, ca, agent: false, ...options }, (answer) => {
      const chunks: Buffer[] = [];
      answer.on('data', (chunk) => chunks.push(chunk));
      answer.on('end', () => resolve({ code: answer.statusCode ?? 0, text: Buffer.concat(chunks).toString() }));
    });
    outgoing.once('error', (error) => resolve({ code: 0, text: error.message }));
    outgoing.end();
  });
}

const closed = ['/', '/api', '/api/v1/pods', '/api/v1/nodes', '/version', '/metrics', '/openapi/v3', '/nonexistent'];

t.test('kubectl gets in by certificate and by token, before and after a restart of the daemon', async (t) => {
  t.equal(statSync(daemon.kubeconfig).mode & 0o777, 0o600);
  const before = readFileSync(daemon.kubeconfig, 'utf8');
  for (const round of ['before', 'after']) {
    for (const context of ['mini-kubelet', 'mini-kubelet-token']) {
      const { exitCode, stdout, stderr } = await daemon.kubectl([`--context=${context}`, 'get', 'nodes', '-o', 'name']);
      t.strictSame(
        { exitCode, stdout },
        { exitCode: 0, stdout: `node/${daemon.root.name}` },
        `${round}, ${context}: ${stderr}`,
      );
    }
    if (round === 'before') await daemon.restart('SIGKILL');
  }
  t.equal(readFileSync(daemon.kubeconfig, 'utf8'), before, 'the same credentials');
  const wrong = await daemon.kubectl(['--token=wrong', '--context=mini-kubelet-token', 'get', 'nodes']);
  t.not(wrong.exitCode, 0);
  t.match(wrong.stderr, /Unauthorized|logged in/);
});

t.test('without credentials there is health, and nothing else', async (t) => {
  for (const path of ['/healthz', '/livez', '/readyz']) t.match(await ask(path), { code: 200, text: 'ok' }, path);
  for (const path of closed) {
    const { code, text } = await ask(path);
    t.equal(code, 401, path);
    t.match(JSON.parse(text), { kind: 'Status', reason: 'Unauthorized', code: 401 }, path);
  }
  const headers = { authorization: `Bearer ${kubeconfig().token}x` };
  t.equal((await ask('/api/v1/pods', { headers })).code, 401, 'a wrong token');
  t.equal((await ask('/healthz', { ca: undefined })).code, 0, 'the certificate is of an authority of its own');
  const { socketPath } = daemon.api;
  t.equal(statSync(socketPath).mode & 0o777, 0o660);
  t.equal((await daemon.api.request('GET', '/api/v1/pods')).status, 200, 'who may open the socket needs none');
  t.equal(statSync(daemon.stateDir).mode & 0o777, 0o700);
});

t.test("a pod in the host's network does not find the API's socket", async (t) => {
  const script = `ls ${join(daemon.runDir, 'api.sock')}; grep -c ' @.*mini-kubelet' /proc/net/unix; grep -c ${daemon.api.socketPath} /proc/net/unix`;
  await daemon.createPod(
    podManifest('curious', [{ name: 'a', command: shell(`exec 2>&1; ${script}; echo end`) }], { hostNetwork: true }),
  );
  const log = await waitFor('its log', async () => {
    const text = await daemon.containerLog('curious', 'a');
    return text.endsWith('end\n') ? text : undefined;
  });
  t.match(
    log,
    /api\.sock: No such file or directory\n0\n[1-9]\d*\nend\n$/,
    'it has no abstract name, and its path leads nowhere',
  );
  await daemon.deletePod('curious');
});
