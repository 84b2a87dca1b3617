import t, { type Test } from 'tap';
import { configMapKind, nodeKind, podKind } from '../../../src/api/kinds.ts';
import type { Pod, PodStatus } from '../../../src/api/pod.ts';
import type { Store } from '../../../src/store/store.ts';
import { type CommandResult, kubectl as runKubectl } from '../support/kubectl.ts';
import { type RunningServer, startServer } from './server.ts';

const time = '2026-01-01T00:00:00Z';

const webManifest = `
apiVersion: v1
kind: Pod
metadata: {name: web, labels: {app: web}}
spec:
  containers:
  - {name: a, image: "busybox:1.36", command: [sleep, "1000"], resources: {limits: {cpu: 100m, memory: 64Mi}}}
  - {name: b, image: "busybox:1.36"}
`;

interface Kubectl extends RunningServer {
  /** Runs it, fails the test when it fails, and gives what it printed. */
  ok(args: string[], input?: string): Promise<string>;
  run(args: string[], input?: string): Promise<CommandResult>;
}

/** A server whose pods run as soon as they are made, and go as soon as they are to. */
async function start(t: Test): Promise<Kubectl> {
  const server = await startServer(t);
  const { store, config } = server;
  store.create(nodeKind, {
    apiVersion: 'v1',
    kind: 'Node',
    metadata: { name: 'node-1', uid: 'n', creationTimestamp: time },
    status: { capacity: { cpu: '2', memory: '4Gi', pods: '110' }, conditions: [] },
  });
  t.teardown(playDaemon(store));
  const run = (args: string[], input?: string) =>
    runKubectl(config.tls.kubeconfigPath, args, input === undefined ? {} : { input });
  const ok = async (args: string[], input?: string) => {
    const { exitCode, stdout, stderr } = await run(args, input);
    t.equal(exitCode, 0, `kubectl ${args.join(' ')}: ${stderr}`);
    return stdout;
  };
  return { ...server, run, ok };
}

function runningStatus({ spec, status }: Pod): PodStatus {
  return {
    ...status,
    phase: 'Running',
    podIP: '10.1.2.3',
    podIPs: [{ ip: '10.1.2.3' }],
    conditions: [{ type: 'Ready', status: 'True', lastTransitionTime: time }],
    containerStatuses: spec.containers.map(({ name, image = '' }) => ({
      name,
      image,
      imageID: 'sha256:x',
      containerID: 'containerd://x',
      ready: true,
      restartCount: 0,
      state: { running: { startedAt: time } },
    })),
  };
}

function playDaemon(store: Store): () => void {
  return store.watch(podKind, {}, ({ type, object: { metadata, status } }) => {
    if (type === 'DELETED') return;
    if (metadata.deletionTimestamp) {
      store.delete(podKind, metadata.namespace, metadata.name);
    } else if (status?.phase === 'Pending') {
      store.update(podKind, metadata.namespace, metadata.name, (pod) => ({ ...pod, status: runningStatus(pod) }));
    }
  });
}

t.test('apply, get, describe, logs, delete', async (t) => {
  const { ok, run } = await start(t);
  t.match(await ok(['apply', '-f', '-'], webManifest), 'pod/web created');
  t.match(await ok(['apply', '-f', '-'], webManifest), 'pod/web unchanged');
  t.match(await ok(['apply', '-f', '-'], webManifest.replace('app: web', 'app: other')), 'pod/web configured');
  t.match(await ok(['get', 'pods']), /NAME +READY +STATUS +RESTARTS +AGE\s+web +2\/2 +Running +0 +\d+s/);
  t.match(await ok(['get', 'po', '-A', '-o', 'wide']), /default +web .* 10\.1\.2\.3 +node-1/);
  t.match(await ok(['get', 'all', '-l', 'app=other', '--show-labels']), 'app=other');
  t.equal(await ok(['get', 'pods', '--field-selector=status.phase=Running', '-o', 'name']), 'pod/web');
  t.match(JSON.parse(await ok(['get', 'pod', 'web', '-o', 'json'])), { kind: 'Pod', status: { podIP: '10.1.2.3' } });
  t.match(await ok(['get', 'pod', 'web', '-o', 'yaml']), 'terminationGracePeriodSeconds: 30');
  t.match(await ok(['describe', 'pod', 'web']), /Status: +Running[\s\S]*QoS Class: +Burstable/);
  t.match(await ok(['describe', 'node', 'node-1']), /cpu +100m \(5%\)/);
  t.equal(await ok(['logs', 'web', '-c', 'a', '--tail=1']), 'hello');
  t.equal(await ok(['wait', '--for=condition=Ready', 'pod/web', '--timeout=5s']), 'pod/web condition met');
  t.match(await ok(['delete', 'pod', 'web', '--now']), 'pod "web" deleted');
  t.match((await run(['get', 'pod', 'web'])).stderr, 'Error from server (NotFound): pods "web" not found');
});

t.test('create, run, label, annotate, patch, replace, diff', async (t) => {
  const { ok, run } = await start(t);
  await ok(['create', '-f', '-'], webManifest);
  t.match((await run(['create', '-f', '-'], webManifest)).stderr, /AlreadyExists/);
  t.match(await ok(['run', 'one', '--image=busybox', '--restart=Never', '--', 'true']), 'pod/one created');
  await ok(['label', 'pod', 'web', 'x=y']);
  await ok(['annotate', 'pod', 'web', 'k=v']);
  await ok(['patch', 'pod', 'web', '-p', '{"spec":{"containers":[{"name":"b","image":"busybox:1.37"}]}}']);
  await ok(['patch', 'pod', 'web', '--type=json', '-p', '[{"op":"remove","path":"/metadata/labels/x"}]']);
  t.same(JSON.parse(await ok(['get', 'pod', 'web', '-o', 'jsonpath={.metadata.labels}'])), { app: 'web' });
  t.equal(await ok(['get', 'pod', 'web', '-o', 'jsonpath={.spec.containers[*].image}']), 'busybox:1.36 busybox:1.37');
  await ok([
    'patch',
    'pod',
    'web',
    '--subresource=status',
    '--type=merge',
    '-p',
    '{"status":{"conditions":[{"type":"example.com/blessed","status":"True","reason":"ByHand"}]}}',
  ]);
  t.equal(
    await ok(['get', 'pod', 'web', '-o', 'jsonpath={.status.conditions[?(@.type=="example.com/blessed")].reason}']),
    'ByHand',
  );
  await ok(['replace', '-f', '-'], webManifest);
  t.match((await run(['diff', '-f', '-'], webManifest.replace('app: web', 'app: diff'))).stdout, '+    app: diff');
  const refused = await run(['patch', 'pod', 'web', '-p', '{"spec":{"restartPolicy":"Never"}}']);
  t.match(refused.stderr, 'The Pod "web" is invalid');
  t.match(await ok(['delete', 'pods', '--all', '--force', '--grace-period=0']), 'deleted');
});

t.test('a List is created, changed and checked by its objects', async (t) => {
  const { ok, run } = await start(t);
  const pod = (name: string, spec: object = {}) => ({
    apiVersion: 'v1',
    kind: 'Pod',
    metadata: { name },
    spec: { containers: [{ name: 'a', image: 'busybox:1.36', ...spec }] },
  });
  const list = (...items: object[]) => JSON.stringify({ apiVersion: 'v1', kind: 'List', items });
  t.match(await ok(['create', '-f', '-'], list(pod('x'), pod('y'))), /pod\/x created\npod\/y created/);
  t.match(await ok(['apply', '-f', '-'], list(pod('y', { image: 'busybox:1.37' }))), /pod\/y configured/);
  const wrong = await run(['create', '-f', '-'], list(pod('z', { imagge: 'busybox' })));
  t.match(wrong.stderr, /unknown field "spec.containers\[0\].imagge"/);
});

t.test('a list in chunks of one shows a single state, while objects change all the time', async (t) => {
  const { ok, store } = await start(t);
  const names = Array.from({ length: 12 }, (_, i) => `c${String(i).padStart(2, '0')}`);
  for (const name of names) await ok(['create', 'configmap', name, '--from-literal=round=0']);
  // Round after round, in the order of their names: at any moment those in front are at most one round ahead.
  let written = 0;
  const writing = setInterval(() => {
    const round = String(Math.floor(written / names.length) + 1);
    const name = names[written++ % names.length] ?? '';
    store.update(configMapKind, 'default', name, (object) => ({ ...object, data: { round } }));
  }, 10);
  t.teardown(() => clearInterval(writing));
  const before = written;
  const list = ['get', 'configmaps', '--field-selector=metadata.name!=kube-root-ca.crt', '--chunk-size=1'];
  const rounds = (await ok([...list, '-o=jsonpath={.items[*].data.round}'])).split(' ').map(Number);
  t.ok(written > before, 'there were changes meanwhile');
  t.equal(rounds.length, names.length, 'every object once');
  t.same(
    rounds,
    [...rounds].sort((a, b) => b - a),
    'in one state none is behind the one after it',
  );
  t.ok(Math.max(...rounds) - Math.min(...rounds) <= 1, `in one state all are in one round or the next: ${rounds}`);
});

t.test('mistakes are explained', async (t) => {
  const { run } = await start(t);
  const cases: [string, string[], string, string][] = [
    [
      'a typing error',
      ['apply', '-f', '-'],
      webManifest.replaceAll('image:', 'imagee:'),
      'unknown field "spec.containers[0].imagee"',
    ],
    [
      'a bad name',
      ['apply', '-f', '-'],
      webManifest.replace('name: web', 'name: We_b'),
      'metadata.name: Invalid value: "We_b"',
    ],
    ['an unknown namespace', ['apply', '-n', 'nowhere', '-f', '-'], webManifest, 'namespaces "nowhere" not found'],
    [
      'a field that cannot be selected by',
      ['get', 'pods', '--field-selector=spec.color=red'],
      '',
      'field label not supported: spec.color',
    ],
    ['a container that is not there', ['logs', 'nobody'], '', 'pods "nobody" not found'],
  ];
  for (const [name, args, input, message] of cases) {
    const { exitCode, stderr } = await run(args, input);
    t.not(exitCode, 0, name);
    t.match(stderr, message, name);
  }
});

t.test('what is served, explained by the server itself', async (t) => {
  const { ok } = await start(t);
  t.match(await ok(['version']), /Server Version: v1\.36\.2\+mini-kubelet/);
  t.match(await ok(['api-resources']), /pods +po +v1 +true +Pod/);
  t.match(
    await ok(['explain', 'pod.spec.containers.resources']),
    /FIELD: resources <ResourceRequirements>[\s\S]*limits/,
  );
  t.match(await ok(['get', '--raw', '/readyz']), 'ok');
  t.match(await ok(['get', 'ns']), /kube-system +Active/);
  t.match(await ok(['get', 'nodes', '-o', 'wide']), 'node-1');
  t.match(await ok(['events']), '');
});

t.test('the other context of the kubeconfig works by token', async (t) => {
  const { ok } = await start(t);
  t.match(await ok(['--context=mini-kubelet-token', 'get', 'ns']), 'default');
});
