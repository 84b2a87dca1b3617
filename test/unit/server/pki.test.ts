import { X509Certificate } from 'node:crypto';
import { readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { pino } from 'pino';
import t, { type Test } from 'tap';
import { readKubeconfig, renderKubeconfig } from '../../../src/server/pki/kubeconfig.ts';
import { ensurePki, hashToken, type PkiOptions } from '../../../src/server/pki/pki.ts';

const dayMs = 24 * 3600 * 1000;
const now = Date.parse('2026-01-01T00:00:00Z');

function optionsIn(t: Test): PkiOptions {
  const dir = t.testdir({});
  return {
    directory: `${dir}/state/pki`,
    kubeconfigPath: `${dir}/etc/admin.kubeconfig`,
    serverUrl: 'https://127.0.0.1:10250',
    names: ['localhost', 'my-host', '127.0.0.1', '::1'],
    logger: pino({ level: 'silent' }),
  };
}

function files(options: PkiOptions): Record<string, string> {
  const names = ['ca.crt', 'ca.key', 'server.crt', 'server.key', 'admin-token.sha256'];
  const contents = names.map((name) => [name, readFileSync(`${options.directory}/${name}`, 'utf8')]);
  return { ...Object.fromEntries(contents), kubeconfig: readFileSync(options.kubeconfigPath, 'utf8') };
}

t.test('at the first start everything is made, for the owner only', async (t) => {
  const options = optionsIn(t);
  const umask = process.umask(0);
  const pki = await ensurePki(options, now);
  process.umask(umask);
  const ca = new X509Certificate(pki.authority);
  const server = new X509Certificate(pki.server.certificate);
  t.ok(ca.ca);
  t.ok(server.verify(ca.publicKey));
  t.notOk(server.ca);
  for (const name of ['localhost', 'my-host']) t.ok(server.checkHost(name), name);
  for (const address of ['127.0.0.1', '::1']) t.ok(server.checkIP(address), address);
  t.equal(ca.validToDate.getTime(), now + 3650 * dayMs);

  const config = readKubeconfig(readFileSync(options.kubeconfigPath, 'utf8'));
  const client = new X509Certificate(config.clientCertificate ?? '');
  t.ok(client.verify(ca.publicKey));
  t.match(client.subject, 'O=system:masters');
  for (const { validFromDate } of [ca, server, client]) {
    t.ok(validFromDate.getTime() < now - dayMs, 'it holds on a clock that is set back by a day');
  }
  t.same(hashToken(config.token ?? ''), pki.tokenHash);
  t.ok((config.token ?? '').length >= 43, 'the token has 256 bits');

  t.equal(statSync(options.directory).mode & 0o777, 0o700);
  t.equal(statSync(options.kubeconfigPath).mode & 0o777, 0o600);
  for (const name of ['ca.key', 'server.key', 'admin-token.sha256']) {
    t.equal(statSync(`${options.directory}/${name}`).mode & 0o777, 0o600, name);
  }
  for (const [name, text] of Object.entries(files(options))) {
    if (name !== 'kubeconfig') t.notMatch(text, config.token, 'the token is nowhere but in the kubeconfig');
  }
});

t.test('a later start changes nothing', async (t) => {
  const options = optionsIn(t);
  const first = await ensurePki(options, now);
  const before = files(options);
  t.same(await ensurePki(options, now + 300 * dayMs), first);
  t.same(files(options), before);
});

t.test('what the user changed in the kubeconfig stays while it works', async (t) => {
  const options = optionsIn(t);
  await ensurePki(options, now);
  const mine = readFileSync(options.kubeconfigPath, 'utf8').replace(
    'current-context: mini-kubelet',
    'current-context: other',
  );
  writeFileSync(options.kubeconfigPath, mine);
  await ensurePki(options, now);
  t.equal(readFileSync(options.kubeconfigPath, 'utf8'), mine);
});

t.test('what can no longer work is made anew, and no more than that', async (t) => {
  const cases: Record<
    string,
    { change: (options: PkiOptions) => Partial<PkiOptions> | undefined; at?: number; changed: string[] }
  > = {
    'the kubeconfig is gone': {
      change: (options) => void rmSync(options.kubeconfigPath),
      changed: ['admin-token.sha256', 'kubeconfig'],
    },
    'the kubeconfig is broken': {
      change: (options) => void writeFileSync(options.kubeconfigPath, '{ not: [yaml'),
      changed: ['admin-token.sha256', 'kubeconfig'],
    },
    'the port is another': {
      change: () => ({ serverUrl: 'https://127.0.0.1:6443' }),
      changed: ['admin-token.sha256', 'kubeconfig'],
    },
    'the host has another name': {
      change: () => ({ names: ['localhost', 'new-name'] }),
      changed: ['server.crt', 'server.key'],
    },
    'certificates are about to expire': {
      change: () => undefined,
      at: now + 340 * dayMs,
      changed: ['admin-token.sha256', 'kubeconfig', 'server.crt', 'server.key'],
    },
    'the key of the authority is another': {
      change: (options) =>
        void writeFileSync(`${options.directory}/ca.key`, readFileSync(`${options.directory}/server.key`)),
      changed: ['admin-token.sha256', 'ca.crt', 'ca.key', 'kubeconfig', 'server.crt', 'server.key'],
    },
    'the authority is damaged': {
      change: (options) => void writeFileSync(`${options.directory}/ca.crt`, 'garbage'),
      changed: ['admin-token.sha256', 'ca.crt', 'ca.key', 'kubeconfig', 'server.crt', 'server.key'],
    },
  };
  for (const [name, { change, at = now, changed }] of Object.entries(cases)) {
    t.test(name, async (t) => {
      const options = optionsIn(t);
      await ensurePki(options, now);
      const before = files(options);
      const next = { ...options, ...change(options) };
      await ensurePki(next, at);
      const after = files(options);
      t.same(
        Object.keys(before)
          .filter((file) => before[file] !== after[file])
          .sort(),
        changed,
      );
    });
  }
});

t.test('a kubeconfig is read as it was written', async (t) => {
  const config = {
    server: 'https://[::1]:10250',
    authority: 'ca\n',
    clientCertificate: 'crt\n',
    clientKey: 'key\n',
    token: 'yes',
  };
  t.same(readKubeconfig(renderKubeconfig(config)), config);
  for (const text of ['', '[]', 'clusters: 1', 'clusters: [1]\nusers: [{name: mini-kubelet-admin}]']) {
    t.equal(readKubeconfig(text).clientCertificate, undefined, text);
  }
});
