// Any runtime will do.
import t, { type Test } from 'tap';
import type { Pod } from '../../../src/api/pod.ts';
import { isReady, podManifest, shell } from '../pod/pods.ts';
import { startContainerd, wantedContainerd } from '../support/containerd.ts';
import { startDaemon } from '../support/daemon.ts';
import type { CommandResult } from '../support/kubectl.ts';
import { waitFor } from '../support/wait.ts';

const runtime = await startContainerd({ version: wantedContainerd() });
t.teardown(() => runtime.stop());
const daemon = await startDaemon({ runtime });
t.teardown(() => daemon.stop());

/** An old one and a new one. */
const suites = ['trixie', 'sid'] as const;

interface Kubectl {
  run(args: string, input?: string): Promise<CommandResult>;
  /** Runs it, fails the test when it fails, and gives what it printed. */
  ok(args: string, input?: string): Promise<string>;
}

function kubectlOf(t: Test, suite: (typeof suites)[number] = 'sid'): Kubectl {
  const run = (args: string, input?: string) =>
    daemon.kubectl(args.split(' '), { suite, ...(input === undefined ? {} : { input }) });
  const ok = async (args: string, input?: string) => {
    const { exitCode, stdout, stderr } = await run(args, input);
    t.equal(exitCode, 0, `kubectl ${args}: ${stderr}`);
    return stdout;
  };
  return { run, ok };
}

const manifest = `
apiVersion: v1
kind: Pod
metadata:
  name: web
  labels: {app: web}
spec:
  terminationGracePeriodSeconds: 1
  containers:
  - name: main
    image: mini-kubelet.local/demo:1
    command: [sh, -c, "echo hello from main; trap 'exit 0' TERM; sleep 1000000 & wait"]
    resources: {requests: {cpu: 10m}, limits: {memory: 32Mi}}
  - name: side
    image: mini-kubelet.local/demo:1
    command: [sh, -c, "for n in 1 2 3; do echo line $n; done; trap 'exit 0' TERM; sleep 1000000 & wait"]
`;

for (const suite of suites) {
  t.test(`the life of a pod, by kubectl of Debian ${suite}`, async (t) => {
    const { ok, run } = kubectlOf(t, suite);
    t.equal(await ok('apply -f -', manifest), 'pod/web created');
    t.equal(await ok('wait --for=condition=Ready pod/web --timeout=30s'), 'pod/web condition met');
    t.match(await ok('get pods'), /^NAME +READY +STATUS +RESTARTS +AGE\nweb +2\/2 +Running +0 +\d+s$/);
    const { status } = await daemon.getPod('web');
    t.match(
      await ok('get pod web -o wide'),
      new RegExp(
        `^NAME +READY +STATUS +RESTARTS +AGE +IP +NODE +NOMINATED NODE +READINESS GATES\nweb +2/2 +Running +0 +\\d+s +${status?.podIP} +${daemon.root.name} +<none> +<none>$`,
      ),
    );
    const described = await ok('describe pod web');
    for (const line of [/Status: +Running/, /QoS Class: +Burstable/, /Ready +True/, /Started .* Container started/]) {
      t.match(described, line);
    }
    t.equal(await ok('logs web -c main'), 'hello from main');
    t.equal(await ok('logs web -c side --tail=2'), 'line 2\nline 3');
    t.match(await ok('logs web --all-containers --timestamps'), /T.*Z hello from main/);
    t.match((await run('logs web -c none')).stderr, /container none is not valid for pod web/);
    t.equal(await ok('apply -f -', manifest), 'pod/web unchanged');
    t.equal(await ok('apply -f -', manifest.replace('app: web', 'app: other')), 'pod/web configured');
    t.equal(await ok('get pods -l app=other -o name'), 'pod/web');
    t.equal(await ok('label pod web app=third --overwrite'), 'pod/web labeled');
    t.equal(await ok('get pods -l app=other -o name'), '');
    t.match((await run('create -f -', manifest)).stderr, /AlreadyExists.*pods "web" already exists/);
    const refused = await run('apply -f -', manifest.replace('demo:1', 'demo:1\n    workingDir: /tmp'));
    t.not(refused.exitCode, 0);
    t.match(
      refused.stderr,
      /The Pod "web" is invalid:[\s\S]*spec\.containers\[0\]\.workingDir: Forbidden: field is immutable/,
    );
    t.match(
      (await run('apply -f -', manifest.replace('image:', 'imagee:'))).stderr,
      /unknown field "spec.containers\[0\]\.imagee"/,
    );
    t.match(await ok('delete pod web'), /^pod "web" deleted/);
    t.match((await run('get pod web')).stderr, 'Error from server (NotFound): pods "web" not found');
    t.equal(runtime.network.leases().length, 0, 'kubectl waited until all of it was gone');
  });
}

t.test('the status column says what a pod does', async (t) => {
  const { ok } = kubectlOf(t);
  const never = { restartPolicy: 'Never' as const };
  const pods: [ReturnType<typeof podManifest>, RegExp][] = [
    [podManifest('done', [{ name: 'a', command: ['true'] }], never), /0\/1 +Completed +0 /],
    [podManifest('failed', [{ name: 'a', command: ['false'] }], never), /0\/1 +Error +0 /],
    [podManifest('crashing', [{ name: 'a', command: ['false'] }]), /0\/1 +CrashLoopBackOff +1 \(\d+s ago\) /],
    [
      podManifest('imageless', [{ name: 'a', image: 'mini-kubelet.local/missing:1', imagePullPolicy: 'Never' }]),
      /0\/1 +ErrImageNeverPull +0 /,
    ],
    [podManifest('huge', [{ name: 'a', resources: { requests: { cpu: '4000' } } }]), /0\/1 +OutOfcpu +0 /],
    [
      podManifest(
        'half',
        [
          { name: 'a', command: shell('') },
          { name: 'b', command: ['false'] },
        ],
        never,
      ),
      /1\/2 +Error +0 /,
    ],
    [
      podManifest('unready', [
        { name: 'a', command: shell('') },
        { name: 'b', command: ['/nonexistent'] },
      ]),
      /1\/2 +(RunContainerError|StartError|CrashLoopBackOff|CreateContainerError) +/,
    ],
  ];
  for (const [pod] of pods) await daemon.createPod(pod);
  for (const [{ metadata }, row] of pods) {
    await waitFor(`${metadata.name} as ${row}`, async () =>
      row.test(await ok(`get pod ${metadata.name} --no-headers`)),
    );
    t.pass(metadata.name);
  }
  t.match(await ok('get pods --field-selector=status.phase=Failed -o name'), /^pod\/failed\npod\/huge$/);
  t.match(
    await ok('get pods --sort-by=.metadata.name -o custom-columns=NAME:.metadata.name,QOS:.status.qosClass'),
    /crashing +BestEffort/,
  );
  t.match(await ok('get events --field-selector=involvedObject.name=crashing'), /Started +pod\/crashing/);
  t.match(await ok('describe pod huge'), /Reason: +OutOfcpu/);
  t.match(await ok('logs crashing --previous'), '');
  await ok('delete pods --all --grace-period=0 --force');
  await waitFor('all to be gone', async () => (await ok('get pods -o name')) === '');
});

t.test('a pod that ends slowly is Terminating, and kubectl waits, or not, as it is told', async (t) => {
  const { ok } = kubectlOf(t);
  const stubborn = (name: string) =>
    podManifest(name, [{ name: 'a', command: ['sh', '-c', 'trap "" TERM; sleep 1000000'] }], {
      terminationGracePeriodSeconds: 600,
    });
  for (const name of ['slow', 'replaced']) await daemon.createPod(stubborn(name));
  for (const name of ['slow', 'replaced']) await daemon.waitForExistingPod(name, isReady);
  t.match(await ok('delete pod slow --wait=false'), /deleted/);
  t.match(await ok('get pod slow --no-headers'), /1\/1 +Terminating +0 /);
  t.match(await ok('delete pod slow --now'), /deleted/);
  t.match(await ok('wait --for=delete pod/slow --timeout=20s'), '');

  const next = JSON.stringify(podManifest('replaced', [{ name: 'a', command: shell('echo replaced') }]));
  const before = await daemon.getPod('replaced');
  t.match(await ok('replace --force --grace-period=1 -f -', next), /replaced/);
  const after = await daemon.waitForExistingPod('replaced', isReady);
  t.not(after.metadata.uid, before.metadata.uid);
  await ok('delete pod replaced');
});

t.test('following a log and watching end with what they follow', async (t) => {
  const { ok } = kubectlOf(t);
  await daemon.createPod(
    podManifest('counts', [{ name: 'a', command: ['sh', '-c', 'for n in 1 2 3; do echo "$n"; sleep 0.3; done'] }], {
      restartPolicy: 'Never',
    }),
  );
  const [followed, , waited] = await Promise.all([
    ok('logs counts --follow --pod-running-timeout=20s'),
    daemon.waitForExistingPod('counts', ({ status }) => status?.phase === 'Succeeded'),
    ok('wait --for=jsonpath={.status.phase}=Succeeded pod/counts --timeout=20s'),
  ]);
  t.equal(followed, '1\n2\n3');
  t.match(waited, 'condition met');
  await ok('delete pod counts');
});

t.test('run, set image, patch and annotate', async (t) => {
  const { ok } = kubectlOf(t);
  t.match(
    await ok('run one --image=mini-kubelet.local/demo:1 --labels=a=b --command -- sleep 1000000'),
    'pod/one created',
  );
  await ok('wait --for=condition=Ready pod/one --timeout=30s');
  t.match(await ok('annotate pod one note=yes'), 'annotated');
  t.match(await ok('patch pod one --type=json -p [{"op":"remove","path":"/metadata/labels/a"}]'), 'patched');
  t.equal(await ok('get pod one -o jsonpath={.metadata.annotations.note}{.metadata.labels}'), 'yes');
  await ok('delete pod one --now');

  await daemon.createPod(podManifest('two', [{ name: 'a', command: shell('') }]));
  await daemon.waitForExistingPod('two', isReady);
  t.match(await ok('set image pod/two a=mini-kubelet.local/demo:2'), 'pod/two image updated');
  const isUpdated = ({ status }: Pod) => status?.containerStatuses?.[0]?.restartCount === 1;
  const updated = await daemon.waitForExistingPod('two', (pod) => isUpdated(pod) && isReady(pod));
  t.match(updated.status?.containerStatuses, [{ image: 'mini-kubelet.local/demo:2' }]);
  await ok('delete pod two');
});

t.test('the node is described', async (t) => {
  const { ok } = kubectlOf(t);
  await daemon.createPod(
    podManifest('asks', [{ name: 'a', command: shell(''), resources: { requests: { cpu: '100m' } } }]),
  );
  await daemon.waitForExistingPod('asks', isReady);
  t.match(await ok('get nodes'), new RegExp(`^NAME +STATUS +ROLES +AGE +VERSION\n${daemon.root.name} +Ready +`));
  t.match(await ok('get nodes -o wide --no-headers'), /containerd:\/\/\d/);
  const described = await ok(`describe node ${daemon.root.name}`);
  for (const line of [/default +asks +100m/, /Allocatable:/, /Ready +True/, /Non-terminated Pods: +\(1 in total\)/]) {
    t.match(described, line);
  }
  await ok('delete pod asks');
});
