// Any runtime will do.
import t from 'tap';
import { startContainerd, wantedContainerd } from '../support/containerd.ts';
import { startDaemon } from '../support/daemon.ts';
import { kubectl } from '../support/kubectl.ts';
import { waitFor } from '../support/wait.ts';
import { isOver, parseFacts, podManifest, shell } from './pods.ts';

const runtime = await startContainerd({ version: wantedContainerd() });
t.teardown(() => runtime.stop());
const daemon = await startDaemon({ runtime, config: { serviceCIDR: '10.96.0.0/24' } });
t.teardown(() => daemon.stop());

const ok = async (args: string[], suite: 'sid' | 'trixie' = 'sid') => {
  const { exitCode, stdout, stderr } = await kubectl(daemon.kubeconfig, args, { suite });
  t.equal(exitCode, 0, `kubectl ${args.join(' ')}: ${stderr}`);
  return `${stdout}\n${stderr}`;
};
const addresses = (service: string) => [
  ...['get', 'endpointslices', '-l', `kubernetes.io/service-name=${service}`, '-o'],
  'jsonpath={range .items[*].endpoints[?(@.conditions.ready==true)]}{.addresses[0]} {end}',
];

t.test('a service tells where its pods are, and containers where it is', async (t) => {
  const gate = shell('while [ ! -e /tmp/open ]; do sleep 0.2; done; touch /tmp/ready');
  const readinessProbe = { exec: { command: ['test', '-e', '/tmp/ready'] }, periodSeconds: 1 };
  const ports = [{ name: 'http', containerPort: 8080 }];
  await daemon.createPod(
    podManifest('web', [{ name: 'a', command: gate, readinessProbe, ports }], {}, { labels: { app: 'web' } }),
  );
  for (const [name, suite] of [
    ['web', 'sid'],
    ['exposed', 'trixie'],
  ] as const) {
    const made = await ok(['expose', 'pod', 'web', `--name=${name}`, '--port=80', '--target-port=http'], suite);
    t.match(made, `service/${name} exposed`);
    t.match(
      await ok(['create', 'service', 'clusterip', `none-${name}`, '--clusterip=None', '--tcp=1'], suite),
      'created',
    );
  }
  t.match(await ok(['get', 'all']), /pod\/web[\s\S]*service\/exposed +ClusterIP +10\.96\.0\.\d+ +<none> +80\/TCP/);
  t.match(await ok(['get', 'svc', 'none-web']), /ClusterIP +None +<none> +1\/TCP/);
  t.match(await ok(['cluster-info']), 'is running at');

  const running = await daemon.waitForExistingPod('web', ({ status }) => status?.phase === 'Running');
  t.equal((await ok(addresses('web'))).trim(), '');
  await ok(['exec', 'web', '--', 'touch', '/tmp/open']);
  const ip = await waitFor('the pod to be an endpoint', async () => {
    const found = (await ok(addresses('web'))).trim();
    return found === '' ? undefined : found;
  });
  t.equal(ip, running.status?.podIP);
  await waitFor('the same as Endpoints', async () =>
    new RegExp(`web +${ip}:8080 `).test(await ok(['get', 'endpoints', 'web'])),
  );
  for (const suite of ['sid', 'trixie'] as const) {
    t.match(await ok(['describe', 'service', 'web'], suite), new RegExp(`Endpoints: +${ip}:8080`));
  }

  const tell = ['sh', '-c', 'env; true'];
  await daemon.createPod(podManifest('linked', [{ name: 'a', command: tell }], { restartPolicy: 'Never' }));
  await daemon.createPod(
    podManifest('unlinked', [{ name: 'a', command: tell }], { restartPolicy: 'Never', enableServiceLinks: false }),
  );
  await daemon.waitForExistingPod('linked', isOver);
  await daemon.waitForExistingPod('unlinked', isOver);
  const { spec } = await daemon.api.expectOk<{ spec: { clusterIP: string } }>(
    'GET',
    '/api/v1/namespaces/default/services/web',
  );
  const variables = parseFacts(await daemon.containerLog('linked', 'a'));
  t.match(variables, {
    WEB_SERVICE_HOST: spec.clusterIP,
    WEB_SERVICE_PORT: '80',
    WEB_PORT_80_TCP: `tcp://${spec.clusterIP}:80`,
  });
  t.notOk(Object.keys(variables).some((name) => name.startsWith('NONE_WEB')));
  t.notMatch(await daemon.containerLog('unlinked', 'a'), 'WEB_SERVICE_HOST');

  await ok(['delete', 'pod', 'web']);
  await waitFor('the endpoint to go', async () => (await ok(addresses('web'))).trim() === '');
  await ok(['delete', 'service', 'web', 'none-web']);
  await waitFor(
    'the Endpoints to go',
    async () => !/web/.test((await ok(['get', 'ep', '-o', 'name'])).replace('exposed', '')),
  );
  await waitFor('the slices to go', async () => !(await ok(['get', 'endpointslices', '-o', 'name'])).includes('/web-'));
});

for (const suite of ['sid', 'trixie'] as const) {
  t.test(`kubectl of ${suite} removes what is not among the manifests any more`, async (t) => {
    const apply = async (...items: object[]) => {
      const args = ['apply', '--prune', '-l', `app=pruned-${suite}`, '-f', '-'];
      const input = JSON.stringify({ apiVersion: 'v1', kind: 'List', items });
      const { exitCode, stdout, stderr } = await kubectl(daemon.kubeconfig, args, { suite, input });
      t.equal(exitCode, 0, stderr);
      return stdout;
    };
    const metadata = (name: string) => ({ name: `${name}-${suite}`, labels: { app: `pruned-${suite}` } });
    const kept = { apiVersion: 'v1', kind: 'ConfigMap', metadata: metadata('kept') };
    const gone = [
      { apiVersion: 'v1', kind: 'ConfigMap', metadata: metadata('gone') },
      {
        apiVersion: 'v1',
        kind: 'Service',
        metadata: metadata('gone'),
        spec: { ports: [{ port: 1 }], clusterIP: 'None' },
      },
    ];
    await apply(kept, ...gone);
    const pruned = await apply(kept);
    t.match(pruned, `configmap/kept-${suite} unchanged`);
    for (const what of ['configmap', 'service']) t.match(pruned, `${what}/gone-${suite} pruned`);
    t.equal(pruned.split('\n').filter((line) => line.endsWith(' pruned')).length, gone.length, 'nothing else');
  });
}

t.test('controllers are not there, and whoever makes one is told', async (t) => {
  t.match(await ok(['get', 'deployments,replicasets,jobs', '-A']), 'No resources found');
  for (const suite of ['sid', 'trixie'] as const) {
    const args = ['create', 'deployment', 'web', '--image=busybox'];
    const { exitCode, stderr } = await kubectl(daemon.kubeconfig, args, { suite });
    t.not(exitCode, 0);
    t.match(stderr, 'create is not supported on resources of kind "deployments.apps"');
  }
});
