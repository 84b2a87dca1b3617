// Any runtime will do.
// What is told of pods: in a kubelet's words, counted, and kept.
import { join } from 'node:path';
import t from 'tap';
import type { Event } from '../../../src/api/event.ts';
import type { EventV1 } from '../../../src/api/events-v1.ts';
import type { Lease } from '../../../src/api/lease.ts';
import { eventsOf, waitForEvent } from '../faults/faults.ts';
import { startContainerd, wantedContainerd } from '../support/containerd.ts';
import { startDaemon } from '../support/daemon.ts';
import { kubectl } from '../support/kubectl.ts';
import { killAll } from '../support/processes.ts';
import { waitFor } from '../support/wait.ts';
import { DEMO_IMAGE, isReady, podManifest, shell, statusOf } from './pods.ts';

const runtime = await startContainerd({ version: wantedContainerd() });
t.teardown(() => runtime.stop());
const daemon = await startDaemon({ runtime, config: { crashLoopBackOff: { maxContainerRestartPeriod: '2s' } } });
t.teardown(() => daemon.stop());

const told = (pod: string, pattern: RegExp) => waitForEvent(daemon, pod, pattern);

async function listEvents(pod: string): Promise<Event[]> {
  const path = `/api/v1/namespaces/default/events?fieldSelector=involvedObject.name%3D${pod}`;
  return (await daemon.api.expectOk<{ items: Event[] }>('GET', path)).items;
}

t.test("a pod's life is told in a kubelet's words, and kubectl shows it", async (t) => {
  const command = shell('[ -e /once/more ] || { touch /once/more; exit 3; }');
  await daemon.createPod(
    podManifest('life', [{ name: 'a', command, volumeMounts: [{ name: 'once', mountPath: '/once' }] }], {
      dnsPolicy: 'Default',
      volumes: [{ name: 'once', emptyDir: {} }],
    }),
  );
  const pod = await daemon.waitForExistingPod(
    'life',
    (seen) => isReady(seen) && statusOf(seen, 'a').restartCount === 1,
  );
  await waitFor('its events', async () =>
    (await listEvents('life')).find(({ reason, count }) => reason === 'Started' && count === 2),
  );
  const events = await listEvents('life');
  const a = 'spec.containers{a}';
  const present = `Container image "${DEMO_IMAGE}" already present on machine and can be accessed by the pod`;
  t.strictSame(
    events
      .map(
        (event) => `${event.type} ${event.reason} x${event.count} ${event.involvedObject.fieldPath}: ${event.message}`,
      )
      .sort(),
    [
      `Normal Created x2 ${a}: Container created`,
      `Normal Pulled x2 ${a}: ${present}`,
      `Normal Scheduled x1 undefined: Successfully assigned default/life to ${daemon.root.name}`,
      `Normal Started x2 ${a}: Container started`,
    ],
  );
  for (const { involvedObject, source, metadata } of events) {
    t.match(involvedObject, { kind: 'Pod', namespace: 'default', name: 'life', uid: pod.metadata.uid });
    t.match(source, { host: daemon.root.name });
    t.match(metadata.namespace, 'default');
  }

  const kubectl = async (...args: string[]) => {
    const { exitCode, stdout, stderr } = await daemon.kubectl(args);
    t.equal(exitCode, 0, `kubectl ${args.join(' ')}: ${stderr}`);
    return stdout;
  };
  t.match(
    await kubectl('describe', 'pod', 'life'),
    /Normal +Started +\S+ \(x2 over \S+\) +mini-kubelet .*Container started/,
  );
  t.match(
    await kubectl('events', '--for', 'pod/life'),
    /Normal +Scheduled +Pod\/life +Successfully assigned default\/life/,
  );
  const selected = await kubectl('get', 'events', '--field-selector', 'involvedObject.name=life,reason=Created');
  t.match(selected, /Normal +Created +pod\/life +Container created/);
  t.notMatch(selected, /Started/);
  await daemon.deletePod('life');
  await told('life', /^Killing: Stopping container a$/);
});

t.test('a container that ends again and again is told once for each time that it is held back', async (t) => {
  await daemon.createPod(podManifest('loop', [{ name: 'a', command: ['false'] }]));
  const pod = await daemon.waitForExistingPod(
    'loop',
    (seen) => statusOf(seen, 'a').state?.waiting?.reason === 'CrashLoopBackOff',
  );
  const event = await told('loop', /^BackOff: /);
  t.match(event, {
    type: 'Warning',
    message: `Back-off restarting failed container a in pod loop_default(${pod.metadata.uid})`,
    involvedObject: { fieldPath: 'spec.containers{a}' },
    count: 1,
  });
  await daemon.restart('SIGKILL');
  await daemon.waitForExistingPod(
    'loop',
    (seen) => statusOf(seen, 'a').restartCount === 2 && Boolean(statusOf(seen, 'a').state?.waiting),
  );
  const counted = await waitFor('the second time', async () =>
    (await listEvents('loop')).find(({ reason, count = 0 }) => reason === 'BackOff' && count >= 2),
  );
  t.equal(counted.metadata.name, event.metadata.name, 'counted by the same event, also across a restart of the daemon');
  t.equal(counted.firstTimestamp, event.firstTimestamp);
  await daemon.deletePod('loop');
});

t.test('what keeps a pod from starting is told', async (t) => {
  const missing = join(daemon.root.path, 'missing');
  await daemon.createPod(
    podManifest('mount', [{ name: 'a', command: shell('') }], {
      volumes: [{ name: 'v', hostPath: { path: missing, type: 'Directory' } }],
    }),
  );
  t.match(await told('mount', /^FailedMount: /), {
    type: 'Warning',
    message: `MountVolume.SetUp failed for volume "v" : hostPath type check failed: ${missing} is not a directory`,
  });
  runtime.network.fail('ADD', 'no address today');
  await daemon.createPod(podManifest('sandbox', [{ name: 'a', command: shell('') }]));
  await daemon.createPod(
    podManifest('create', [{ name: 'a', securityContext: { runAsNonRoot: true } }], { hostNetwork: true }),
  );
  t.match(await told('sandbox', /^FailedCreatePodSandBox: Failed to create pod sandbox: .*no address today/), {
    type: 'Warning',
  });
  t.match(await told('create', /^Failed: Error: container has runAsNonRoot and image will run as root/), {
    involvedObject: { fieldPath: 'spec.containers{a}' },
  });
  runtime.network.clear();
  await daemon.waitForExistingPod('sandbox', isReady);
  await Promise.all(['mount', 'sandbox', 'create'].map((name) => daemon.deletePod(name)));
});

t.test('a new sandbox is told', async () => {
  await daemon.createPod(podManifest('changed', [{ name: 'a', command: shell('') }]));
  const pod = await daemon.waitForExistingPod('changed', isReady);
  const filter = { labelSelector: { 'io.kubernetes.pod.uid': pod.metadata.uid ?? '' } };
  const { items } = await runtime.cri.call('ListPodSandbox', { filter });
  // To stop it by CRI would end the container first, which may be restarted before the sandbox is seen to go.
  await killAll(items.map(({ id }) => runtime.containerPid(id)));
  await told('changed', /^SandboxChanged: Pod sandbox changed, it will be killed and re-created\.$/);
  await daemon.waitForExistingPod('changed', (seen) => isReady(seen) && statusOf(seen, 'a').restartCount === 1);
  await daemon.deletePod('changed');
});

t.test('a pod that comes while the runtime is away is told why it waits, and starts when it is back', async (t) => {
  await runtime.kill();
  await waitFor('the daemon to notice', async () => (await daemon.api.request('GET', '/readyz')).status === 500);
  await daemon.createPod(podManifest('away', [{ name: 'a', command: shell('') }]));
  const away = await told('away', /^ContainerRuntimeUnavailable: the pod waits: container runtime is down/);
  t.equal(away.type, 'Warning');

  await daemon.end('SIGKILL');
  await daemon.start(false);
  await waitFor('the API', async () => (await daemon.api.request('GET', '/livez')).status === 200);
  t.ok(
    (await eventsOf(daemon, 'away')).some((text) => text.startsWith('Scheduled: ')),
    'events outlive the daemon',
  );
  await daemon.createPod(podManifest('early', [{ name: 'a', command: shell('') }]));
  await told('early', /^ContainerRuntimeUnavailable: /);
  await told('early', /^Scheduled: /);
  await runtime.start();
  await daemon.waitForExistingPod('away', isReady);
  await daemon.waitForExistingPod('early', isReady);
  await Promise.all(['away', 'early'].map((name) => daemon.deletePod(name)));
});

t.test('the node tells of itself: its events, by both APIs, and its lease', async (t) => {
  const reasons = async () => {
    const field = encodeURIComponent('regarding.kind=Node');
    const path = `/apis/events.k8s.io/v1/namespaces/default/events?fieldSelector=${field}`;
    const { items } = await daemon.api.expectOk<{ items: EventV1[] }>('GET', path);
    return items.map(({ reason }) => reason);
  };
  await waitFor('the node to be ready', async () => (await reasons()).includes('NodeReady'));
  t.ok((await reasons()).includes('Starting'));
  const lease = await daemon.api.expectOk<Lease>(
    'GET',
    `/apis/coordination.k8s.io/v1/namespaces/kube-node-lease/leases/${daemon.root.name}`,
  );
  t.match(lease, {
    metadata: { ownerReferences: [{ kind: 'Node', name: daemon.root.name }] },
    spec: { holderIdentity: daemon.root.name, leaseDurationSeconds: 40 },
  });
  const { stdout } = await kubectl(daemon.kubeconfig, ['describe', 'node', daemon.root.name]);
  t.match(stdout, /HolderIdentity: +\S+[\s\S]*RenewTime: +\w{3}, /);
  t.match(stdout, /NodeReady/);
});
