import { execFile } from 'node:child_process';
import { readFileSync, statSync, writeFileSync } from 'node:fs';
import { request } from 'node:https';
import type { TLSSocket } from 'node:tls';
import { fileURLToPath } from 'node:url';
import t, { type Test } from 'tap';
import { issueServerCertificate } from '../../../src/server/pki/certificates.ts';
import { kubectl } from '../support/kubectl.ts';
import { waitFor } from '../support/wait.ts';
import { type RunningServer, startServer } from './server.ts';

const patienceMs = 60_000;
const main = fileURLToPath(new URL('../../../src/main.ts', import.meta.url));

/** The program's commands, beside a server that runs. */
function miniKubelet(t: Test, { directory, config }: RunningServer) {
  const flags = [`--state-dir=${directory}`, `--run-dir=${directory}/run`, `--port=${config.tls.port}`];
  return (...args: string[]) =>
    new Promise<string>((resolve) => {
      execFile(process.execPath, [main, ...args, ...flags], (error, stdout, stderr) => {
        t.equal(error, null, `${args.join(' ')}: ${stderr}`);
        resolve(stdout);
      });
    });
}

/** The answer's code, and the serial number of the certificate that the server has shown. */
function ask({ config }: RunningServer, token: string): Promise<{ code: number | undefined; serial: string }> {
  const ca = readFileSync(`${config.tls.pkiDirectory}/ca.crt`);
  const headers = { authorization: `Bearer ${token}` };
  const path = '/api/v1/namespaces/default/pods';
  return new Promise((resolve, reject) => {
    const outgoing = request(
      { host: '127.0.0.1', port: config.tls.port, path, ca, headers, agent: false },
      (answer) => {
        const serial = (answer.socket as TLSSocket).getPeerCertificate().serialNumber;
        answer.resume().once('end', () => resolve({ code: answer.statusCode, serial }));
      },
    );
    outgoing.once('error', reject).end();
  });
}

t.test('certificates and tokens with a name and groups', async (t) => {
  const server = await startServer(t);
  const { directory, config } = server;
  const run = miniKubelet(t, server);
  const admin = (...args: string[]) => kubectl(config.tls.kubeconfigPath, args);
  const file = `${directory}/alice.kubeconfig`;
  t.equal(await run('cert', '--name', 'alice', '--groups=dev,ops', '--days=1', '--out', file), '');
  t.equal(statSync(file).mode & 0o777, 0o600);
  t.match((await kubectl(file, ['auth', 'whoami'])).stdout, /alice[\s\S]*\[dev ops system:authenticated\]/);
  t.match((await kubectl(file, ['get', 'pods'])).stderr, 'User "alice" cannot list resource "pods"');

  const token = (await run('token', 'create', '--name=ci', '--groups=dev', '--expires=1h')).trim();
  t.equal((await ask(server, token)).code, 403);
  t.equal((await admin('create', 'rolebinding', 'dev', '--clusterrole=view', '--group=dev')).exitCode, 0);
  t.equal((await kubectl(file, ['get', 'pods'])).exitCode, 0);
  t.equal((await ask(server, token)).code, 200);
  t.equal((await ask(server, `${token.slice(0, -4)}0000`)).code, 401);

  const id = token.split('_')[1] ?? '';
  t.match(await run('token', 'list'), new RegExp(`${id} +ci +dev +20\\S+Z +20\\S+Z\n`));
  await run('token', 'revoke', id);
  t.equal((await ask(server, token)).code, 401, 'at once');
  t.notMatch(await run('token', 'list'), id);
});

t.test('a certificate that is replaced is served without a restart; a wrong one is not', async (t) => {
  const server = await startServer(t);
  const { pkiDirectory } = server.config.tls;
  const write = (name: string, text: string) => writeFileSync(`${pkiDirectory}/${name}`, text);
  const read = (name: string) => readFileSync(`${pkiDirectory}/${name}`, 'utf8');
  const authority = { certificate: read('ca.crt'), key: read('ca.key') };
  const first = (await ask(server, 'x')).serial;
  const made = await issueServerCertificate(authority, ['localhost', '127.0.0.1'], Date.now());
  write('server.crt', made.certificate);
  write('server.key', made.key);
  const second = await waitFor(
    'the new certificate',
    async () => {
      const { serial } = await ask(server, 'x');
      return serial === first ? undefined : serial;
    },
    patienceMs,
  );
  write('server.key', 'nonsense');
  await waitFor('the complaint', async () => server.certificateProblems.length > 0, patienceMs);
  t.match(server.certificateProblems[0], /server.crt and server.key are missing, unreadable or not of each other/);
  t.equal((await ask(server, 'x')).serial, second, 'nobody is locked out');
  t.equal(read('server.key'), 'nonsense', 'what somebody is just writing is left to him');
});
