import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import t, { type Test } from 'tap';
import { startServer } from '../server/server.ts';
import { type CommandResult, kubectl as runKubectl } from '../support/kubectl.ts';

const canary = 'canary-7f3a91';
const encoded = Buffer.from(canary).toString('base64');

const configMap = `
apiVersion: v1
kind: ConfigMap
metadata: {name: settings}
data: {color: red, "app.conf": "a=1\\nb=2\\n"}
binaryData: {bytes: AAEC}
`;

const secret = `
apiVersion: v1
kind: Secret
metadata: {name: password}
stringData: {password: ${canary}}
`;

async function start(t: Test) {
  const server = await startServer(t);
  const run = (args: string[], input?: string): Promise<CommandResult> =>
    runKubectl(server.config.tls.kubeconfigPath, args, input === undefined ? {} : { input });
  const ok = async (args: string[], input?: string) => {
    const { exitCode, stdout, stderr } = await run(args, input);
    t.equal(exitCode, 0, `kubectl ${args.join(' ')}: ${stderr}`);
    return stdout;
  };
  return { ...server, run, ok };
}

t.test('ConfigMaps: create, apply, get, describe, patch, replace, delete', async (t) => {
  const { ok, run } = await start(t);
  t.match(await ok(['create', '-f', '-'], configMap), 'configmap/settings created');
  t.match(await ok(['get', 'cm', 'settings']), /NAME +DATA +AGE\s+settings +3 +\d+s/);
  const described = await ok(['describe', 'configmap', 'settings']);
  t.match(described, /color:\s+-+\s+red/);
  t.match(described, 'bytes: 3 bytes');
  await ok(['patch', 'cm', 'settings', '-p', '{"data":{"color":"blue","app.conf":null}}']);
  t.same(JSON.parse(await ok(['get', 'cm', 'settings', '-o', 'jsonpath={.data}'])), { color: 'blue' });
  await ok(['replace', '-f', '-'], configMap);
  t.match(await ok(['apply', '-f', '-'], configMap.replace('red', 'green')), 'configmap/settings configured');
  t.equal(await ok(['get', 'cm', 'settings', '-o', 'jsonpath={.data.color}']), 'green');
  await ok(['patch', 'cm', 'settings', '-p', '{"immutable":true}']);
  const refused = await run(['patch', 'cm', 'settings', '-p', '{"data":{"color":"x"}}']);
  t.match(refused.stderr, 'data: Forbidden: field is immutable when `immutable` is set');
  const wrong = await run(['create', '-f', '-'], configMap.replace('settings', 'other').replace('color', 'a/b'));
  t.match(wrong.stderr, /data\[a\/b\]: Invalid value: "a\/b": a valid config key must consist of/);
  t.match(await ok(['delete', 'cm', 'settings']), 'configmap "settings" deleted');
});

t.test('Secrets: their content is seen by those who ask for it, and by nobody else', async (t) => {
  const { ok, run, directory } = await start(t);
  t.match(await ok(['apply', '-f', '-'], secret), 'secret/password created');
  t.match(await ok(['apply', '-f', '-'], secret), /secret\/password (configured|unchanged)/);
  t.match(await ok(['get', 'secrets']), /NAME +TYPE +DATA +AGE\s+password +Opaque +1 +\d+s/);
  const described = await ok(['describe', 'secret', 'password']);
  t.match(described, /Type: +Opaque[\s\S]*password: +13 bytes/);
  t.notMatch(described, canary);
  t.equal(await ok(['get', 'secret', 'password', '-o', 'jsonpath={.data.password}']), encoded);
  t.equal(await ok(['get', 'secrets', '--field-selector=type=Opaque', '-o', 'name']), 'secret/password');
  const changed = await run(['patch', 'secret', 'password', '-p', '{"type":"kubernetes.io/tls"}']);
  t.match(changed.stderr, /type: Invalid value: "kubernetes.io\/tls": field is immutable/);
  t.notMatch(changed.stderr, encoded);
  const bad = await run(
    ['create', '-f', '-'],
    `{"apiVersion":"v1","kind":"Secret","metadata":{"name":"x"},"data":{"a":"${canary}"}}`,
  );
  t.match(bad.stderr, 'data[a]: illegal base64 data');
  t.notMatch(bad.stderr, canary);
  const files = readdirSync(directory).filter((name) => name.startsWith('store.db'));
  t.ok(files.length > 1, `database and log: ${files}`);
  for (const file of files) {
    const bytes = readFileSync(join(directory, file), 'latin1');
    t.notMatch(bytes, canary, file);
    t.notMatch(bytes, encoded, file);
  }
  t.match(await ok(['delete', 'secret', 'password']), 'secret "password" deleted');
});

t.test('ServiceAccounts, and all of it goes with its namespace', async (t) => {
  const { ok } = await start(t);
  await ok(['create', '-f', '-'], 'apiVersion: v1\nkind: Namespace\nmetadata: {name: mine}\n');
  const account = 'apiVersion: v1\nkind: ServiceAccount\nmetadata: {name: robot}\n';
  t.match(await ok(['-n', 'mine', 'create', '-f', '-'], account), 'serviceaccount/robot created');
  t.match(await ok(['-n', 'mine', 'get', 'sa', 'robot']), /NAME +AGE\s+robot +\d+s/);
  await ok(['-n', 'mine', 'create', '-f', '-'], configMap);
  await ok(['-n', 'mine', 'create', '-f', '-'], secret);
  await ok(['delete', 'ns', 'mine']);
  t.equal(
    await ok(['get', 'cm,secrets', '-A', '-l', '!x', '--field-selector=metadata.namespace=mine', '-o', 'name']),
    '',
  );
  t.match(await ok(['explain', 'secret.stringData']), /write/);
  t.match(await ok(['api-resources']), /configmaps +cm +v1 +true +ConfigMap/);
});
