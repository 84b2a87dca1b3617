import t from 'tap';
import type { QosClass } from '../../../src/api/qos.ts';
import {
  cgroupPath,
  criCgroupParent,
  podCgroupName,
  podUidOfDir,
  rootCgroupName,
} from '../../../src/cgroups/cgroup-name.ts';

const uid = '5a1c7e90-0000-4000-8000-0123456789ab';
const root = rootCgroupName('');

const spelled: Record<QosClass, { cgroupfs: string; systemdPath: string; systemdUnit: string }> = {
  Guaranteed: {
    cgroupfs: `/kubepods/pod${uid}`,
    systemdPath: '/kubepods.slice/kubepods-pod5a1c7e90_0000_4000_8000_0123456789ab.slice',
    systemdUnit: 'kubepods-pod5a1c7e90_0000_4000_8000_0123456789ab.slice',
  },
  Burstable: {
    cgroupfs: `/kubepods/burstable/pod${uid}`,
    systemdPath:
      '/kubepods.slice/kubepods-burstable.slice/kubepods-burstable-pod5a1c7e90_0000_4000_8000_0123456789ab.slice',
    systemdUnit: 'kubepods-burstable-pod5a1c7e90_0000_4000_8000_0123456789ab.slice',
  },
  BestEffort: {
    cgroupfs: `/kubepods/besteffort/pod${uid}`,
    systemdPath:
      '/kubepods.slice/kubepods-besteffort.slice/kubepods-besteffort-pod5a1c7e90_0000_4000_8000_0123456789ab.slice',
    systemdUnit: 'kubepods-besteffort-pod5a1c7e90_0000_4000_8000_0123456789ab.slice',
  },
};

for (const [qos, names] of Object.entries(spelled) as [QosClass, (typeof spelled)[QosClass]][]) {
  t.test(`a ${qos} pod is where a kubelet would put it, with either driver`, async (t) => {
    const name = podCgroupName(root, qos, uid);
    t.equal(cgroupPath('cgroupfs', name), names.cgroupfs);
    t.equal(criCgroupParent('cgroupfs', name), names.cgroupfs);
    t.equal(cgroupPath('systemd', name), names.systemdPath);
    t.equal(criCgroupParent('systemd', name), names.systemdUnit);
  });
}

t.test('a configured parent is above kubepods', async (t) => {
  const name = podCgroupName(rootCgroupName('/mk-test'), 'Guaranteed', uid);
  t.equal(cgroupPath('cgroupfs', name), `/mk-test/kubepods/pod${uid}`);
  t.match(cgroupPath('systemd', name), /^\/mk_test\.slice\/mk_test-kubepods\.slice\/mk_test-kubepods-pod5a1c/);
});

t.test('a uid that could name another directory is refused', async (t) => {
  for (const bad of ['', '..', '../x', 'a/b', 'a_b', '-a', 'a.b', 'a\n', 'x'.repeat(129)]) {
    t.throws(() => podCgroupName(root, 'Burstable', bad), { message: /cannot name a cgroup/ }, JSON.stringify(bad));
  }
});

t.test('a parent that one of the drivers could not spell is refused', async (t) => {
  for (const bad of ['/..', '/a_b', '/a b', '/x.slice']) {
    t.throws(() => rootCgroupName(bad), { message: /letters, digits and dashes/ }, bad);
  }
});

t.test('a pod is found again by the directory of its cgroup, and nothing else is taken for one', async (t) => {
  t.equal(podUidOfDir('cgroupfs', root, `pod${uid}`), uid);
  t.equal(podUidOfDir('systemd', root, 'kubepods-pod5a1c_7e90.slice'), '5a1c-7e90');
  t.equal(podUidOfDir('systemd', [...root, 'burstable'], 'kubepods-burstable-pod5a1c_7e90.slice'), '5a1c-7e90');
  for (const dir of ['burstable', 'pod', 'pod..', 'podman.scope', 'x']) {
    t.equal(podUidOfDir('cgroupfs', root, dir), undefined, dir);
  }
  for (const dir of ['kubepods-burstable.slice', 'other-pod1.slice', 'kubepods-pod1.scope']) {
    t.equal(podUidOfDir('systemd', root, dir), undefined, dir);
  }
});
