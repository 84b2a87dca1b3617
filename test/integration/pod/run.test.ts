import { mkdirSync, readFileSync, readlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import t from 'tap';
import { startContainerd, wantedContainerd } from '../support/containerd.ts';
import { startDaemon } from '../support/daemon.ts';
import { leaksSince, takeSnapshot } from '../support/leaks.ts';
import { waitFor } from '../support/wait.ts';
import { isOver, isReady, parseFacts, podManifest, shell, statusOf } from './pods.ts';

const runtime = await startContainerd({ version: wantedContainerd() });
t.teardown(() => runtime.stop());
const daemon = await startDaemon({ runtime, env: { CANARY: 's3cr3t' } });
t.teardown(() => daemon.stop());

/** Each as one line `NAME=value`. */
const facts = shell(`
echo "net=$(readlink /proc/self/ns/net)"
echo "uts=$(readlink /proc/self/ns/uts)"
echo "ipc=$(readlink /proc/self/ns/ipc)"
echo "pid=$(readlink /proc/self/ns/pid)"
echo "mnt=$(readlink /proc/self/ns/mnt)"
echo "hostname=$(hostname)"
echo "first=$(cat /proc/1/comm)"
echo "facts=done"`);

async function factsOf(pod: string, container: string): Promise<Record<string, string>> {
  return waitFor(`the facts of ${pod}/${container}`, async () => {
    const found = parseFacts(await daemon.containerLog(pod, container));
    return found.facts === 'done' ? found : undefined;
  });
}

t.test(
  'the containers of a pod share network, host name and IPC, and have files and processes of their own',
  async (t) => {
    await daemon.createPod(
      podManifest(
        'shared',
        [
          { name: 'a', command: facts },
          { name: 'b', command: facts },
        ],
        { hostname: 'pair' },
      ),
    );
    const pod = await daemon.waitForExistingPod('shared', isReady);
    const [a, b] = [await factsOf('shared', 'a'), await factsOf('shared', 'b')];
    for (const kind of ['net', 'uts', 'ipc']) t.equal(a[kind], b[kind], `${kind} is shared`);
    for (const kind of ['pid', 'mnt']) t.not(a[kind], b[kind], `${kind} is not`);
    for (const kind of ['net', 'uts', 'ipc', 'pid', 'mnt'])
      t.not(a[kind], namespaceOfHost(kind), `${kind} is not the host's`);
    t.equal(a.hostname, 'pair');
    t.match(pod.status, { phase: 'Running', podIP: /^10\./, hostIP: /./, qosClass: 'BestEffort' });
    t.match(statusOf(pod, 'a'), {
      containerID: /^containerd:\/\/[0-9a-f]{64}$/,
      imageID: /sha256:/,
      ready: true,
      started: true,
    });
    await daemon.deletePod('shared');
  },
);

t.test('shareProcessNamespace puts all containers under one first process', async () => {
  await daemon.createPod(
    podManifest(
      'onepid',
      [
        { name: 'a', command: facts },
        { name: 'b', command: facts },
      ],
      { shareProcessNamespace: true },
    ),
  );
  await daemon.waitForExistingPod('onepid', isReady);
  const [a, b] = [await factsOf('onepid', 'a'), await factsOf('onepid', 'b')];
  t.equal(a.pid, b.pid);
  t.match(a.first, /catatonit|pause/);
  await daemon.deletePod('onepid');
});

t.test('hostNetwork, hostPID and hostIPC are those of the host', async (t) => {
  await daemon.createPod(
    podManifest('host', [{ name: 'a', command: facts }], { hostNetwork: true, hostPID: true, hostIPC: true }),
  );
  const pod = await daemon.waitForExistingPod('host', isReady);
  const a = await factsOf('host', 'a');
  for (const kind of ['net', 'ipc', 'pid']) t.equal(a[kind], namespaceOfHost(kind), kind);
  t.equal(pod.status?.podIP, pod.status?.hostIP);
  await daemon.deletePod('host');
});

t.test('containers share volumes, and a read-only mount is', async (t) => {
  const hostDir = join(daemon.root.path, 'data');
  mkdirSync(hostDir);
  writeFileSync(join(hostDir, 'greeting'), 'hello from the host');
  await daemon.createPod(
    podManifest(
      'volumes',
      [
        {
          name: 'writer',
          command: shell(
            'echo shared >/disk/file; df -P /memory | tail -1 >/disk/df; cat /data/greeting >/disk/greeting; : >/disk/ready',
          ),
          volumeMounts: [
            { name: 'disk', mountPath: '/disk' },
            { name: 'memory', mountPath: '/memory' },
            { name: 'host', mountPath: '/data', readOnly: true },
          ],
        },
        {
          name: 'reader',
          command: shell(`
until [ -e /in/ready ]; do sleep 0.05; done
echo "file=$(cat /in/file)"
echo "df=$(cat /in/df)"
echo "greeting=$(cat /in/greeting)"
touch /in/x 2>/dev/null && echo "write=allowed" || echo "write=refused"
echo "facts=done"`),
          volumeMounts: [{ name: 'disk', mountPath: '/in', readOnly: true }],
        },
      ],
      {
        volumes: [
          { name: 'disk', emptyDir: {} },
          { name: 'memory', emptyDir: { medium: 'Memory', sizeLimit: '4Mi' } },
          { name: 'host', hostPath: { path: hostDir, type: 'Directory' } },
        ],
      },
    ),
  );
  const read = await factsOf('volumes', 'reader');
  t.equal(read.file, 'shared');
  t.equal(read.greeting, 'hello from the host');
  t.match(read.df, /^tmpfs\s+4096 /, 'a volume in memory has its size');
  t.equal(read.write, 'refused');
  await daemon.deletePod('volumes');
});

t.test('a container cannot write the kernel settings of the host, and is confined by seccomp', async (t) => {
  await daemon.createPod(
    podManifest('confined', [
      {
        name: 'a',
        command: shell(`
pattern=$(cat /proc/sys/kernel/core_pattern)
echo "$pattern" 2>/dev/null >/proc/sys/kernel/core_pattern && echo "sysctl=written" || echo "sysctl=refused"
echo "seccomp=$(grep ^Seccomp: /proc/self/status | tr -d '\\t ')"
echo "firmware=$(ls /sys/firmware | wc -l)"
echo "canary=$CANARY"
echo "facts=done"`),
        env: [{ name: 'CANARY' }, { name: 'OTHER', value: '$(CANARY)' }],
      },
    ]),
  );
  const seen = await factsOf('confined', 'a');
  t.match(seen, { sysctl: 'refused', seccomp: 'Seccomp:2', firmware: '0', canary: '' });
  await daemon.deletePod('confined');
});

t.test('environment, arguments, hosts and resolver are as the manifest says', async (t) => {
  await daemon.createPod(
    podManifest(
      'configured',
      [
        {
          name: 'a',
          command: [
            'sh',
            '-c',
            `echo "arg=$0"; echo "ip=$IP"; echo "limit=$LIMIT"; echo "dir=$(pwd)"; echo "alias=$(grep -c 'db.local' /etc/hosts)"; echo "own=$(grep "^$IP" /etc/hosts | tr '\\t' ' ')"; echo "dns=$(tr '\\n' ';' </etc/resolv.conf)"; echo facts=done; exec sleep 1000000`,
            '$(GREETING)',
          ],
          workingDir: '/tmp',
          env: [
            { name: 'GREETING', value: 'hello' },
            { name: 'IP', valueFrom: { fieldRef: { fieldPath: 'status.podIP' } } },
            { name: 'LIMIT', valueFrom: { resourceFieldRef: { resource: 'limits.memory', divisor: '1Mi' } } },
          ],
          resources: { limits: { memory: '32Mi' } },
        },
      ],
      {
        hostAliases: [{ ip: '192.0.2.7', hostnames: ['db.local'] }],
        dnsPolicy: 'None',
        dnsConfig: {
          nameservers: ['192.0.2.53'],
          searches: ['example.test'],
          options: [{ name: 'ndots', value: '3' }],
        },
      },
    ),
  );
  const seen = await factsOf('configured', 'a');
  const { status } = await daemon.getPod('configured');
  t.match(seen, {
    arg: 'hello',
    ip: status?.podIP,
    limit: '32',
    dir: '/tmp',
    alias: '1',
    own: `${status?.podIP} configured`,
  });
  t.match(seen.dns, /search example\.test;nameserver 192\.0\.2\.53;options ndots:3;/);
  await daemon.deletePod('configured');
});

t.test('a pod that ended says how, and its logs and last words stay', async (t) => {
  await daemon.createPod(
    podManifest(
      'job',
      [
        { name: 'ok', command: ['sh', '-c', 'echo fine'] },
        { name: 'bad', command: ['sh', '-c', 'echo why >/dev/termination-log; exit 7'] },
      ],
      {
        restartPolicy: 'Never',
      },
    ),
  );
  const pod = await daemon.waitForExistingPod('job', isOver);
  t.equal(pod.status?.phase, 'Failed');
  t.match(statusOf(pod, 'ok').state?.terminated, { exitCode: 0, reason: 'Completed' });
  t.match(statusOf(pod, 'bad').state?.terminated, { exitCode: 7, reason: 'Error', message: 'why\n' });
  t.equal(await daemon.containerLog('job', 'ok'), 'fine\n');
  await daemon.deletePod('job');
});

t.test('a container that crashes is restarted at once, then held back, and its previous log can be read', async (t) => {
  await daemon.createPod(
    podManifest('crash', [{ name: 'a', command: ['sh', '-c', 'read up rest </proc/uptime; echo "$up"; exit 3'] }]),
  );
  const pod = await daemon.waitForExistingPod(
    'crash',
    (seen) => seen.status?.containerStatuses?.[0]?.state?.waiting?.reason === 'CrashLoopBackOff',
  );
  const status = statusOf(pod, 'a');
  t.match(status, { restartCount: 1, ready: false, lastState: { terminated: { exitCode: 3 } } });
  t.match(status.state?.waiting?.message, /back-off 10s restarting failed container=a/);
  const [first, second] = [
    await daemon.containerLog('crash', 'a', 'previous=true'),
    await daemon.containerLog('crash', 'a'),
  ];
  t.ok(Number(second) - Number(first) < 5, `the first restart did not wait: ${first} ${second}`);
  await daemon.deletePod('crash');
});

t.test('a pod that does not fit is refused and never started', async (t) => {
  await daemon.createPod(podManifest('huge', [{ name: 'a', resources: { requests: { cpu: '4000' } } }]));
  const pod = await daemon.waitForExistingPod('huge', isOver);
  t.match(pod.status, {
    phase: 'Failed',
    reason: 'OutOfcpu',
    message: /Node didn't have enough resource: cpu, requested: 4000000/,
  });
  await daemon.deletePod('huge');
});

t.test('a new pod of the same name has another UID and address', async (t) => {
  const create = async () => {
    await daemon.createPod(podManifest('again', [{ name: 'a', command: shell('') }]));
    return await daemon.waitForExistingPod('again', isReady);
  };
  const first = await create();
  await daemon.deletePod('again');
  const second = await create();
  t.not(first.metadata.uid, second.metadata.uid);
  t.not(first.status?.podIP, second.status?.podIP);
  await daemon.deletePod('again');
});

t.test('when the object of a deleted pod is gone, nothing of the pod is left', async (t) => {
  const before = await takeSnapshot({ runtime, daemon });
  await daemon.createPod(
    podManifest('gone', [{ name: 'a', command: shell(''), volumeMounts: [{ name: 'm', mountPath: '/m' }] }], {
      volumes: [{ name: 'm', emptyDir: { medium: 'Memory' } }],
    }),
  );
  const pod = await daemon.waitForExistingPod('gone', isReady);
  await daemon.deletePod('gone');
  t.same(await leaksSince(before, { runtime, daemon }), []);
  t.notOk(readFileSync('/proc/self/mountinfo', 'utf8').includes(pod.metadata.uid), 'no mount');
});

function namespaceOfHost(kind: string): string {
  return readlinkSync(`/proc/self/ns/${kind}`);
}
