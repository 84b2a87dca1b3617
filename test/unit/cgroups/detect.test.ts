import t from 'tap';
import { missingControllers, parseCgroupMounts } from '../../../src/cgroups/detect.ts';

const hybrid = `31 23 0:28 / /sys/fs/cgroup rw,relatime - tmpfs tmpfs rw,mode=755
32 31 0:29 / /sys/fs/cgroup/cpu,cpuacct rw,relatime - cgroup cgroup rw,cpu,cpuacct
35 31 0:32 / /sys/fs/cgroup/memory rw,relatime - cgroup cgroup rw,memory
40 31 0:37 / /sys/fs/cgroup/systemd rw,relatime - cgroup cgroup rw,xattr,name=systemd
41 31 0:38 / /sys/fs/cgroup/unified rw,relatime - cgroup2 cgroup2 rw
`;

t.test('a machine with v1 controllers and an empty v2 hierarchy is driven as v1', async (t) => {
  const layout = parseCgroupMounts(hybrid);
  t.equal(layout.version, 1);
  t.strictSame(Object.fromEntries(layout.controllers), {
    cpu: '/sys/fs/cgroup/cpu,cpuacct',
    cpuacct: '/sys/fs/cgroup/cpu,cpuacct',
    memory: '/sys/fs/cgroup/memory',
  });
  t.strictSame(layout.named, ['/sys/fs/cgroup/systemd']);
  t.equal(layout.unified, '/sys/fs/cgroup/unified');
});

t.test('a machine with the unified hierarchy alone is v2', async (t) => {
  const layout = parseCgroupMounts(
    '30 24 0:26 / /sys/fs/cgroup rw,nosuid shared:4 - cgroup2 cgroup2 rw,nsdelegate,memory_recursiveprot\n',
  );
  t.equal(layout.version, 2);
  t.equal(layout.unified, '/sys/fs/cgroup');
});

t.test('of a controller that is mounted twice the shortest path counts', async (t) => {
  const twice = `1 0 0:1 / /var/lib/x/sys/fs/cgroup/cpu rw - cgroup cgroup rw,cpu
2 0 0:1 / /sys/fs/cgroup/cpu rw - cgroup cgroup rw,cpu
3 0 0:1 / /var/lib/y/sys/fs/cgroup/cpu rw - cgroup cgroup rw,cpu
`;
  t.equal(parseCgroupMounts(twice).controllers.get('cpu'), '/sys/fs/cgroup/cpu');
});

t.test('a mount point with a space in its name is understood', async (t) => {
  t.equal(parseCgroupMounts('1 0 0:1 / /mnt/my\\040cgroups rw - cgroup2 none rw\n').unified, '/mnt/my cgroups');
});

t.test('a machine without any cgroup file system is refused with what to do', async (t) => {
  t.throws(() => parseCgroupMounts('23 1 8:1 / / rw - ext4 /dev/sda1 rw\n'), /mount cgroup2 at \/sys\/fs\/cgroup/);
});

t.test('what will not be enforced is named, with the kernel option where it was switched off', async (t) => {
  const procCgroups = '#subsys_name\thierarchy\tnum_cgroups\tenabled\ncpu\t1\t1\t1\nmemory\t0\t1\t0\n';
  const missing = missingControllers(new Set(['cpu', 'cpuset']), procCgroups);
  t.strictSame(
    missing.map(({ controller }) => controller),
    ['memory', 'pids'],
  );
  t.match(missing[0]?.message, /cgroup_enable=memory/);
  t.notMatch(missing[1]?.message, /cgroup_enable/);
  t.strictSame(missingControllers(new Set(['cpu', 'cpuset', 'memory', 'pids']), undefined), []);
});
