import t, { type Test } from 'tap';
import { nodeKind } from '../../../src/api/kinds.ts';
import { type CommandResult, kubectl as runKubectl } from '../support/kubectl.ts';
import { startServer } from './server.ts';

const pod = (image: string) => `
apiVersion: v1
kind: Pod
metadata: {name: web, labels: {app: web}}
spec:
  containers:
  - {name: a, image: "${image}", ports: [{containerPort: 80}], env: [{name: A, value: "1"}]}
`;

const config = (level: string) => `
apiVersion: v1
kind: ConfigMap
metadata: {name: settings}
data: {level: "${level}", color: blue}
`;

/** One object of each kind that clients make, and the label of the node. */
const everything = `
apiVersion: v1
kind: Namespace
metadata: {name: shop, labels: {team: a}}
---
apiVersion: v1
kind: Secret
metadata: {name: password}
stringData: {password: secret}
---
apiVersion: v1
kind: ServiceAccount
metadata: {name: robot}
---
apiVersion: v1
kind: Service
metadata: {name: web}
spec: {selector: {app: web}, ports: [{port: 80}]}
---
apiVersion: v1
kind: Node
metadata: {name: node-1, labels: {rack: "7"}}
---
apiVersion: node.k8s.io/v1
kind: RuntimeClass
metadata: {name: special}
handler: runc
---
apiVersion: rbac.authorization.k8s.io/v1
kind: Role
metadata: {name: reader}
rules: [{apiGroups: [""], resources: [pods], verbs: [get]}]
---
apiVersion: rbac.authorization.k8s.io/v1
kind: RoleBinding
metadata: {name: readers}
roleRef: {apiGroup: rbac.authorization.k8s.io, kind: Role, name: reader}
subjects: [{kind: ServiceAccount, name: robot, namespace: default}]
---${config('1')}---${pod('busybox:1')}`;

interface Kubectl {
  run(args: string[], input?: string): Promise<CommandResult>;
  /** Runs it, fails the test when it fails, and gives what it printed. */
  ok(args: string[], input?: string): Promise<string>;
}

async function start(t: Test, suite: 'sid' | 'trixie'): Promise<Kubectl> {
  const { store, config } = await startServer(t);
  const metadata = { name: 'node-1', uid: 'n', creationTimestamp: '2026-01-01T00:00:00Z' };
  store.create(nodeKind, { apiVersion: 'v1', kind: 'Node', metadata });
  const run: Kubectl['run'] = (args, input) =>
    runKubectl(config.tls.kubeconfigPath, args, { suite, ...(input === undefined ? {} : { input }) });
  const ok: Kubectl['ok'] = async (args, input) => {
    const { exitCode, stdout, stderr } = await run(args, input);
    t.equal(exitCode, 0, `kubectl ${args.join(' ')}: ${stderr}`);
    return stdout;
  };
  return { run, ok };
}

for (const suite of ['sid', 'trixie'] as const) {
  t.test(`kubectl of ${suite} applies every kind on the server, and the second time nothing`, async (t) => {
    const { ok } = await start(t, suite);
    const versions = ['get', 'ns/shop', 'node/node-1', 'pod/web', 'secret/password', 'cm/settings', 'role/reader'];
    const shown = [...versions, '-o', 'jsonpath={range .items[*]}{.metadata.resourceVersion} {end}'];
    t.equal((await ok(['apply', '--server-side', '-f', '-'], everything)).split('serverside-applied').length, 11);
    const before = await ok(shown);
    await ok(['apply', '--server-side', '-f', '-'], everything);
    t.equal(await ok(shown), before);
    t.equal(await ok(['diff', '--server-side', '-f', '-'], everything), '');
    t.match(
      await ok(['get', 'pod', 'web', '-o', 'yaml', '--show-managed-fields']),
      /manager: kubectl\n +operation: Apply/,
    );
    t.notMatch(await ok(['get', 'pod', 'web', '-o', 'yaml']), 'managedFields');
  });

  t.test(`kubectl of ${suite} is told of conflicts, and takes fields over`, async (t) => {
    const { ok, run } = await start(t, suite);
    await ok(['apply', '--server-side', '-f', '-'], config('1'));
    await ok(['patch', 'cm', 'settings', '-p', '{"data":{"level":"2"}}', '--type=merge']);
    const refused = await run(['apply', '--server-side', '-f', '-'], config('3'));
    t.match(refused.stderr, /conflict with "kubectl-patch" using v1: \.data\.level/);
    t.match(refused.stderr, '--force-conflicts');
    const diff = await run(['diff', '--server-side', '--force-conflicts', '-f', '-'], config('3'));
    t.match(diff.stdout, /- {2}level: "2"\n\+ {2}level: "3"/);
    await ok(['apply', '--server-side', '--force-conflicts', '-f', '-'], config('3'));
    await ok(['apply', '--server-side', '--field-manager=other', '-f', '-'], config('3'));
    const level = ['get', 'cm', 'settings', '-o', 'jsonpath={.data}'];
    await ok(['apply', '--server-side', '-f', '-'], config('3').replace(', color: blue', ''));
    t.same(JSON.parse(await ok(level)), { level: '3', color: 'blue' }, 'others still have it');
    await ok(['apply', '--server-side', '--field-manager=other', '-f', '-'], config('3').replace(', color: blue', ''));
    t.same(JSON.parse(await ok(level)), { level: '3' });
  });

  t.test(`kubectl of ${suite} goes from the client side to the server side`, async (t) => {
    const { ok, run } = await start(t, suite);
    await ok(['apply', '-f', '-'], pod('busybox:1'));
    await ok(['apply', '--server-side', '-f', '-'], pod('busybox:2'));
    const managers = [
      'get',
      'pod',
      'web',
      '-o',
      'jsonpath={.metadata.managedFields[*].manager}',
      '--show-managed-fields',
    ];
    t.notMatch(await ok(managers), 'kubectl-client-side-apply', 'what it has applied before is its own');
    await ok(['apply', '--server-side', '-f', '-'], pod('busybox:2').replace(', labels: {app: web}', ''));
    t.equal(await ok(['get', 'pod', 'web', '-o', 'jsonpath={.metadata.labels}']), '');
    const refused = await run(['apply', '--server-side', '-f', '-'], pod('busybox:2').replace('"1"}]', '"2"}]'));
    t.match(refused.stderr, 'pod updates may not change fields other than');
    const unknown = await run(['apply', '--server-side', '-f', '-'], pod('busybox:2').replace('image:', 'imagee:'));
    t.match(unknown.stderr, '.spec.containers[0].imagee: field not declared in schema');
  });
}
