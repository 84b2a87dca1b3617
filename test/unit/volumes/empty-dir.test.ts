import t from 'tap';
import { memoryVolumeBytes, tmpfsOptions } from '../../../src/volumes/empty-dir.ts';

const facts = {
  parent: '/pods/u',
  podMemoryLimitBytes: undefined,
  nodeAllocatableMemoryBytes: 8_000_000n,
  hugePageSizes: [],
  kernelRelease: '6.1.0-18-amd64',
};

t.test('a volume in memory is as large as the least of the limits that there are', async (t) => {
  const size = (sizeLimit?: string, podMemoryLimitBytes?: bigint, nodeAllocatableMemoryBytes = 8_000_000n) =>
    memoryVolumeBytes({ sizeLimit }, { podMemoryLimitBytes, nodeAllocatableMemoryBytes });
  t.equal(size(), 8_000_000n);
  t.equal(size('1M'), 1_000_000n);
  t.equal(size('9M'), 8_000_000n);
  t.equal(size(undefined, 3_000_000n), 3_000_000n);
  t.equal(size('4M', 3_000_000n), 3_000_000n);
  t.equal(size('2M', 3_000_000n), 2_000_000n);
  t.equal(size('0', 3_000_000n), 3_000_000n, 'a limit of 0 is none');
  t.equal(size(undefined, 0n), 8_000_000n);
  t.equal(size(undefined, undefined, 0n), undefined, 'nothing is known: the kernel decides');
});

t.test('swap is forbidden where the kernel knows how', async (t) => {
  const options = (kernelRelease: string) => tmpfsOptions({ sizeLimit: '64Ki' }, { ...facts, kernelRelease });
  const common = ['mode=0777', 'size=65536'];
  for (const old of ['5.15.0', '6.1.0-18-amd64', '6.2.16']) t.strictSame(options(old), common, old);
  for (const recent of ['6.3.0', '6.12.9+bpo-amd64', '7.0.0-rc1']) {
    t.strictSame(options(recent), [...common, 'noswap'], recent);
  }
});

t.test('a volume in memory is born with the group that it is shared with', async (t) => {
  const options = tmpfsOptions({ sizeLimit: '64Ki' }, { ...facts, kernelRelease: '5.15.0', fsGroup: { gid: 2000 } });
  t.strictSame(options, ['mode=02777', 'gid=2000', 'size=65536']);
});
