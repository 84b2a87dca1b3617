import { readFileSync, writeFileSync } from 'node:fs';
import { request } from 'node:https';
import t, { type Test } from 'tap';
import { nodeKind, podKind } from '../../../src/api/kinds.ts';
import { readKubeconfig } from '../../../src/server/pki/kubeconfig.ts';
import { startServer } from '../server/server.ts';
import { kubectl as runKubectl } from '../support/kubectl.ts';

/** What kubectl sends in protobuf: all that it makes by itself instead of reading it from a file. */

const suites = ['sid', 'trixie'] as const;
type Suite = (typeof suites)[number];

async function start(t: Test, suite: Suite) {
  const server = await startServer(t);
  const { store, config, directory } = server;
  store.create(nodeKind, {
    apiVersion: 'v1',
    kind: 'Node',
    metadata: { name: 'node-1', uid: 'n', creationTimestamp: '2026-01-01T00:00:00Z' },
    status: { capacity: { cpu: '2', memory: '4Gi', pods: '110' }, conditions: [] },
  });
  const run = (args: string[]) => runKubectl(config.tls.kubeconfigPath, args, { suite });
  const ok = async (args: string[]) => {
    const { exitCode, stdout, stderr } = await run(args);
    t.equal(exitCode, 0, `kubectl ${args.join(' ')}: ${stderr}`);
    return stdout;
  };
  const object = async (...args: string[]) => JSON.parse(await ok(['get', ...args, '-o', 'json']));
  const file = (name: string, content: string | Buffer): string => {
    writeFileSync(`${directory}/${name}`, content);
    return `${directory}/${name}`;
  };
  return { ...server, run, ok, object, file };
}

for (const suite of suites) {
  t.test(`kubectl of ${suite}: create configmap, secret, serviceaccount, namespace`, async (t) => {
    const { ok, run, object, file } = await start(t, suite);
    const bytes = Buffer.from([0, 1, 0xfe, 0xff]);
    const binary = file('logo.bin', bytes);
    const text = file('app.conf', 'a=1\nb=ü\n');
    t.match(
      await ok([
        'create',
        'configmap',
        'settings',
        '--from-literal=color=red',
        `--from-file=${text}`,
        `--from-file=${binary}`,
      ]),
      'configmap/settings created',
    );
    const settings = await object('cm', 'settings');
    t.same(settings.data, { color: 'red', 'app.conf': 'a=1\nb=ü\n' });
    t.same(settings.binaryData, { 'logo.bin': bytes.toString('base64') });

    t.match(
      await ok(['create', 'secret', 'generic', 'password', '--from-literal=p=hunter2', '--from-literal=empty=']),
      'secret/password created',
    );
    const secret = await object('secret', 'password');
    t.same([secret.type, secret.data], ['Opaque', { p: Buffer.from('hunter2').toString('base64'), empty: '' }]);
    await ok([
      ...['create', 'secret', 'docker-registry', 'pull', '--docker-server=registry.example'],
      ...['--docker-username=me', '--docker-password=pw'],
    ]);
    t.equal((await object('secret', 'pull')).type, 'kubernetes.io/dockerconfigjson');

    t.match(await ok(['create', 'serviceaccount', 'robot']), 'serviceaccount/robot created');
    t.match(await object('sa', 'robot'), { metadata: { name: 'robot', namespace: 'default' } });

    const token = await ok(['create', 'token', 'robot', '--duration=20m', '--audience=https://one.example']);
    const claims = JSON.parse(Buffer.from(token.split('.')[1] ?? '', 'base64url').toString());
    t.match(claims, { sub: 'system:serviceaccount:default:robot', aud: ['https://one.example'] });
    t.equal(claims.exp - claims.iat, 1200);

    t.match(await ok(['create', 'namespace', 'mine']), 'namespace/mine created');
    t.match(await object('ns', 'mine'), {
      metadata: { labels: { 'kubernetes.io/metadata.name': 'mine' } },
      status: { phase: 'Active' },
    });
    t.match(await ok(['create', 'cm', 'there', '-n', 'mine']), 'configmap/there created');

    const dry = await ok(['create', 'cm', 'dry', '--from-literal=a=b', '--dry-run=server', '-o', 'name']);
    t.match(dry, 'configmap/dry');
    t.match((await run(['get', 'cm', 'dry'])).stderr, 'configmaps "dry" not found');
    t.match((await run(['create', 'cm', 'settings'])).stderr, 'configmaps "settings" already exists');
    t.match((await run(['create', 'cm', 'x', '-n', 'nowhere'])).stderr, 'namespaces "nowhere" not found');
    t.match((await run(['create', 'cm', 'A_b'])).stderr, /ConfigMap "A_b" is invalid: metadata.name: Invalid value/);
    t.match((await run(['create', 'ns', 'a.b'])).stderr, /Namespace "a.b" is invalid/);
  });

  t.test(`kubectl of ${suite}: priority classes`, async (t) => {
    const { ok, run, object } = await start(t, suite);
    t.match(
      await ok(['create', 'priorityclass', 'usual', '--value=7', '--global-default', '--description=as usual']),
      'priorityclass.scheduling.k8s.io/usual created',
    );
    t.match(await ok(['get', 'pc']), /system-node-critical +2000001000 +false[\s\S]*usual +7 +true/);
    t.match(await ok(['describe', 'priorityclass', 'usual']), /Value: +7[\s\S]*GlobalDefault: +true/);
    await ok(['run', 'web', '--image=busybox:1.36']);
    t.match((await object('pod', 'web')).spec, {
      priority: 7,
      priorityClassName: 'usual',
      preemptionPolicy: 'PreemptLowerPriority',
    });
    const overrides = JSON.stringify({ spec: { priorityClassName: 'none' } });
    t.match(
      (await run(['run', 'lost', '--image=busybox:1.36', `--overrides=${overrides}`])).stderr,
      'pods "lost" is forbidden: no PriorityClass with name none was found',
    );
    t.match(
      (await run(['create', 'priorityclass', 'other', '--value=8', '--global-default'])).stderr,
      'PriorityClass usual is already marked as default',
    );
    t.match((await run(['delete', 'pc', 'system-node-critical'])).stderr, 'cannot be deleted');
    await ok(['delete', 'pc', 'usual']);
  });

  t.test(`kubectl of ${suite}: delete a namespace with a pod in it`, async (t) => {
    const { ok, run, store } = await start(t, suite);
    await ok(['create', 'ns', 'mine']);
    await ok(['run', 'web', '--image=busybox:1.36', '-n', 'mine']);
    await ok(['create', 'cm', 'settings', '-n', 'mine']);
    await ok(['delete', 'ns', 'mine', '--wait=false']);
    t.match(await ok(['get', 'ns', 'mine']), /mine +Terminating/);
    t.match(
      (await run(['create', 'cm', 'late', '-n', 'mine'])).stderr,
      'configmaps "late" is forbidden: unable to create new content in namespace mine because it is being terminated',
    );
    const gone = ok(['wait', '--for=delete', 'ns/mine', '--timeout=30s']);
    store.delete(podKind, 'mine', 'web');
    await gone;
    t.match((await run(['get', 'ns', 'mine'])).stderr, 'namespaces "mine" not found');
    t.equal(await ok(['get', 'cm', '-n', 'mine', '-o', 'name']), '');
    t.match((await run(['delete', 'ns', 'default'])).stderr, 'this namespace may not be deleted');
  });

  t.test(`kubectl of ${suite}: auth whoami and can-i`, async (t) => {
    const { ok, config } = await start(t, suite);
    t.match(await ok(['auth', 'whoami']), /Username +mini-kubelet-admin[\s\S]*Groups +\[system:masters/);
    t.equal(await ok(['auth', 'can-i', 'delete', 'pods']), 'yes');
    t.equal(await ok(['auth', 'can-i', 'get', '/metrics']), 'yes');
    t.match(await ok(['auth', 'can-i', '--list']), /\*\.\* +\[\] +\[\] +\[\*\]/);
    const token = await ok(['create', 'token', 'default']);
    const { authority } = readKubeconfig(readFileSync(config.tls.kubeconfigPath, 'utf8'));
    const ask = (path: string, body: object) =>
      new Promise<string>((resolve, reject) => {
        const headers = { authorization: `Bearer ${token}`, 'content-type': 'application/json' };
        const { port } = config.tls;
        const outgoing = request(
          { host: '127.0.0.1', port, path, method: 'POST', ca: authority, headers, agent: false },
          (answer) => {
            const chunks: Buffer[] = [];
            answer.on('data', (chunk) => chunks.push(chunk));
            answer.on('end', () => resolve(Buffer.concat(chunks).toString()));
          },
        );
        outgoing.on('error', reject).end(JSON.stringify(body));
      });
    const who = JSON.parse(await ask('/apis/authentication.k8s.io/v1/selfsubjectreviews', {}));
    t.equal(who.status.userInfo.username, 'system:serviceaccount:default:default');
    const may = (resource: string, group: string) =>
      ask('/apis/authorization.k8s.io/v1/selfsubjectaccessreviews', {
        spec: { resourceAttributes: { verb: 'create', resource, group } },
      });
    t.match(JSON.parse(await may('pods', '')).status, { allowed: false });
    t.match(JSON.parse(await may('selfsubjectreviews', 'authentication.k8s.io')).status, { allowed: true });
  });

  t.test(`kubectl of ${suite}: debug a node`, async (t) => {
    const { ok, object } = await start(t, suite);
    const said = await ok(['debug', 'node/node-1', '--image=busybox:1.36', '--', 'sh', '-c', 'echo hello']);
    const name = /node-debugger-[\w-]+/.exec(said)?.[0] ?? '';
    const { spec } = await object('pod', name);
    t.match(spec, {
      nodeName: 'node-1',
      hostNetwork: true,
      hostPID: true,
      hostIPC: true,
      restartPolicy: 'Never',
      containers: [
        { image: 'busybox:1.36', command: ['sh', '-c', 'echo hello'], volumeMounts: [{ mountPath: '/host' }] },
      ],
      tolerations: [{ operator: 'Exists' }],
      volumes: [{ hostPath: { path: '/' } }],
    });
  });
}
