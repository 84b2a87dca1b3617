import { existsSync, mkdtempSync, readFileSync, rmSync, statSync, symlinkSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { pino } from 'pino';
import t, { type Test } from 'tap';
import { AuditLog } from '../../../../src/server/audit/audit-log.ts';
import { podManifest, podsUrl, startApi } from '../support.ts';

const logger = pino({ level: 'silent' });

function openLog(t: Test, limits: { maxBytes?: number; maxFiles?: number } = {}) {
  // The API has the test's own directory.
  const directory = mkdtempSync(join(tmpdir(), 'mk-audit-'));
  const path = `${directory}/audit/audit.log`;
  const log = new AuditLog({ path, maxBytes: 1_000_000, maxFiles: 3, logger, ...limits });
  log.open();
  t.teardown(() => {
    log.close();
    rmSync(directory, { recursive: true });
  });
  const text = () => readFileSync(path, 'utf8');
  const lines = () =>
    text()
      .split('\n')
      .filter((line) => line !== '')
      .map((line) => JSON.parse(line));
  return { path, log, text, lines };
}

t.test('who did what is noted, without bodies, credentials or the values of parameters', async (t) => {
  const { log, text, lines, path } = openLog(t);
  const { request } = await startApi(t, { auditLog: log });
  await request('POST', podsUrl, podManifest('web', { metadata: { name: 'web', annotations: { a: 'canary' } } }));
  await request('GET', podsUrl);
  await request('GET', '/api/v1/namespaces/default/secrets/x?labelSelector=canary');
  await request('GET', `${podsUrl}/web/exec?command=sh&command=canary&stdout=true`);
  const as = { 'impersonate-user': 'jane', authorization: 'Bearer canary', 'user-agent': 'kubectl/v1' };
  await request('DELETE', `${podsUrl}/web?dryRun=All`, undefined, as);
  await request('GET', '/healthz');
  t.equal(statSync(path).mode & 0o777, 0o600);
  t.notMatch(text(), /canary/);
  const events = lines();
  t.match(events, [
    {
      kind: 'Event',
      apiVersion: 'audit.k8s.io/v1',
      level: 'Metadata',
      auditID: /^[0-9a-f-]{36}$/,
      stage: 'ResponseComplete',
      requestURI: podsUrl,
      verb: 'create',
      user: { username: 'root', groups: ['system:masters', 'system:authenticated'] },
      objectRef: { resource: 'pods', namespace: 'default' },
      responseStatus: { code: 201 },
      requestReceivedTimestamp: '2026-01-01T00:00:00.000000Z',
      annotations: { 'authorization.k8s.io/decision': 'allow' },
    },
    { verb: 'get', objectRef: { resource: 'secrets', name: 'x' }, responseStatus: { code: 404 } },
    { stage: 'RequestReceived', verb: 'create', objectRef: { resource: 'pods', name: 'web', subresource: 'exec' } },
    {
      stage: 'ResponseComplete',
      requestURI: `${podsUrl}/web/exec?command=***&command=***&stdout=true`,
      responseStatus: { code: 400 },
    },
    {
      verb: 'delete',
      user: { username: 'root' },
      impersonatedUser: { username: 'jane', groups: ['system:authenticated'] },
      userAgent: 'kubectl/v1',
      responseStatus: { code: 403 },
      annotations: { 'authorization.k8s.io/decision': 'forbid' },
    },
  ]);
  t.equal(events.length, 5, 'reading pods and health is not noted');
});

t.test('whoever cannot say who he is, is noted as nobody', async (t) => {
  const { log, lines, text } = openLog(t);
  const { request } = await startApi(t, {
    auditLog: log,
    peerOf: () => ({ transport: 'tls', certificate: undefined }),
  });
  const answer = await request('GET', podsUrl, undefined, { authorization: 'Bearer canary' });
  t.match(lines(), [{ user: {}, verb: 'list', auditID: answer.headers['audit-id'], responseStatus: { code: 401 } }]);
  t.notMatch(text(), /canary/);
});

t.test('the file is rotated, and no more than so many are kept', async (t) => {
  const { log, path, lines } = openLog(t, { maxBytes: 100, maxFiles: 3 });
  for (let i = 0; i < 20; i++) log.write({ i, text: 'x'.repeat(30) });
  t.same(
    lines().map(({ i }) => i),
    [18, 19],
  );
  t.match(readFileSync(`${path}.1`, 'utf8'), '"i":16');
  t.ok(existsSync(`${path}.2`));
  t.notOk(existsSync(`${path}.3`));
  t.equal(statSync(`${path}.1`).mode & 0o777, 0o600);
  log.close();
  const again = new AuditLog({ path, maxBytes: 100_000, maxFiles: 3, logger });
  again.open();
  again.write({ i: 20 });
  again.close();
  t.same(
    lines().map(({ i }) => i),
    [18, 19, 20],
    'a restart goes on in the same file',
  );
});

t.test('what cannot be written is counted, and later lines follow', async (t) => {
  const { log, path, lines } = openLog(t);
  log.write({ i: 1 });
  log.close();
  rmSync(path);
  symlinkSync('/dev/full', path);
  log.write({ i: 2 });
  log.write({ i: 3 });
  t.equal(log.lost, 2, 'a link is not followed');
  rmSync(path);
  log.write({ i: 4 });
  t.same(lines(), [{ i: 4 }]);
});
