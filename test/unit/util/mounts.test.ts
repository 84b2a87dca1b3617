import t from 'tap';
import { mountsBeneath, parseMountInfo } from '../../../src/util/mounts.ts';

const table = [
  '27 1 254:0 / / rw,relatime - ext4 /dev/vda rw,discard',
  '40 27 0:40 / /pods/a/vol rw,relatime shared:7 - tmpfs tmpfs rw,size=64k,noswap',
  '41 40 0:41 / /pods/a/vol/in\\040side rw master:2 propagate_from:1 - tmpfs tmpfs rw',
  '42 27 0:42 / /pods/ab rw - tmpfs tmpfs rw',
  '43 41 0:43 / /pods/a/vol/in\\040side rw - tmpfs second rw',
  '',
].join('\n');

t.test('a line is read whatever the number of its optional fields', async (t) => {
  const mounts = parseMountInfo(table);
  t.equal(mounts.length, 5);
  t.strictSame(mounts[1], {
    id: 40,
    parentId: 27,
    mountPoint: '/pods/a/vol',
    fsType: 'tmpfs',
    options: ['rw', 'relatime', 'rw', 'size=64k', 'noswap'],
  });
  t.equal(mounts[2]?.mountPoint, '/pods/a/vol/in side');
});

t.test('mounts beneath a directory come in the order in which they can be unmounted', async (t) => {
  const mounts = parseMountInfo(table);
  const ids = (directory: string) => mountsBeneath(mounts, directory).map((mount) => mount.id);
  t.strictSame(ids('/pods/a'), [43, 41, 40], 'deepest first, of two on one place the upper first; not /pods/ab');
  t.strictSame(ids('/pods/ab'), [42], 'the directory itself counts');
  t.strictSame(ids('/pods/b'), []);
  t.strictSame(ids('/').at(-1), 27);
});
