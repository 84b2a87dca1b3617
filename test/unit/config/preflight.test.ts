import t from 'tap';
import { type PreflightMachine, preflight } from '../../../src/config/preflight.ts';

const config = {
  cgroupDriver: 'auto' as const,
  featureGates: { MemoryQoS: false },
  stateDirectory: '/s',
  runDirectory: '/r',
  podLogsDir: '/l',
};

const good: PreflightMachine = {
  uid: 0,
  mountinfo: async () => '30 1 0:26 / /sys/fs/cgroup rw shared:4 - cgroup2 cgroup2 rw\n',
  mountNamespace: async () => 'mnt:[1]',
  hasProgram: async () => true,
  isWritable: async () => true,
};

t.test('nothing is missing', async (t) => {
  t.strictSame(await preflight(config, false, good), { errors: [], warnings: [] });
});

t.test('everything that is missing is said at once', async (t) => {
  const bare: PreflightMachine = {
    uid: 1000,
    mountinfo: async () => '22 1 8:1 / / rw - ext4 /dev/sda1 rw\n',
    mountNamespace: async (pid) => `mnt:[${pid}]`,
    hasProgram: async () => false,
    isWritable: async (directory) => directory === '/r',
  };
  const { errors, warnings } = await preflight({ ...config, cgroupDriver: 'systemd' }, true, bare);
  t.strictSame(errors, [
    'must run as root, not as user 1000',
    'the program mount is missing (Debian package mount)',
    'the program umount is missing (Debian package mount)',
    'the program busctl is missing (Debian package systemd)',
    'the program systemd-notify is missing (Debian package systemd)',
    'no cgroup file system is mounted on /sys/fs/cgroup',
    'nothing can be written to /s',
    'nothing can be written to /l',
  ]);
  t.match(warnings, [/mount namespace of its own/]);
});

t.test('memory QoS needs memory to be managed by cgroup v2', async (t) => {
  const mounts = async (text: string) => {
    const machine = { ...good, mountinfo: async () => text };
    return (await preflight({ ...config, featureGates: { MemoryQoS: true } }, false, machine)).errors;
  };
  const unified = '41 31 0:38 / /sys/fs/cgroup/unified rw,relatime - cgroup2 cgroup2 rw\n';
  t.strictSame(await mounts(unified), []);
  const message = 'featureGates: MemoryQoS needs cgroup v2, and this machine manages memory with cgroup v1';
  t.strictSame(
    await mounts(`${unified}32 31 0:29 / /sys/fs/cgroup/memory rw,nosuid,relatime - cgroup cgroup rw,memory\n`),
    [message],
  );
  t.strictSame(await mounts(`${unified}32 31 0:29 / /cg rw - cgroup none rw,xattr,name=memory\n`), [], 'no controller');
});

t.test('without /proc', async (t) => {
  const machine = { ...good, mountinfo: async () => undefined, mountNamespace: async () => undefined };
  t.strictSame(await preflight(config, false, machine), { errors: ['/proc is not mounted'], warnings: [] });
});
