import t from 'tap';
import { usageV1, usageV2 } from '../../../src/stats/cgroup-usage.ts';

t.test('the files of a v1 cgroup', async (t) => {
  const usage = usageV1({
    'cpuacct.usage': '123456789\n',
    'cpuacct.usage_user': '100000000\n',
    'cpuacct.usage_sys': '23456789\n',
    'cpu.stat': 'nr_periods 10\nnr_throttled 3\nthrottled_time 5000000\n',
    'memory.usage_in_bytes': '10000\n',
    'memory.limit_in_bytes': '20000\n',
    'memory.stat':
      'inactive_file 1\nrss 2\ntotal_cache 4000\ntotal_rss 5000\ntotal_mapped_file 60\ntotal_pgfault 7\ntotal_pgmajfault 8\ntotal_inactive_file 3000\ntotal_swap 9\n',
    'pids.current': '4\n',
    'blkio.throttle.io_service_bytes_recursive':
      '8:0 Read 4096\n8:0 Write 10\n8:0 Total 4106\n8:16 Read 4\nTotal 4110\n',
    'blkio.throttle.io_serviced_recursive': '8:0 Read 2\n8:0 Write 1\nTotal 3\n',
  });
  t.same(usage.io, { readBytes: 4100, writtenBytes: 10, reads: 2, writes: 1 });
  t.same(usage.cpu, {
    usageNanos: 123_456_789,
    userNanos: 100_000_000,
    systemNanos: 23_456_789,
    periods: 10,
    throttledPeriods: 3,
    throttledNanos: 5_000_000,
  });
  t.same(usage.memory, {
    usageBytes: 10_000,
    workingSetBytes: 7000,
    rssBytes: 5000,
    cacheBytes: 4000,
    mappedFileBytes: 60,
    pageFaults: 7,
    majorPageFaults: 8,
    limitBytes: 20_000,
    swapBytes: 9,
  });
  t.equal(usage.processes, 4);
});

t.test('the files of a v2 cgroup', async (t) => {
  const usage = usageV2({
    'cpu.stat':
      'usage_usec 3000\nuser_usec 2000\nsystem_usec 1000\nnr_periods 10\nnr_throttled 3\nthrottled_usec 50\nnr_bursts 0\n',
    'memory.current': '10000\n',
    'memory.max': 'max\n',
    'memory.stat': 'anon 5000\nfile 4000\nfile_mapped 60\ninactive_file 3000\npgfault 7\npgmajfault 8\n',
    'memory.swap.current': '0\n',
    'pids.current': '4\n',
    'io.stat': '8:0 rbytes=4096 wbytes=10 rios=2 wios=1 dbytes=7 dios=7\n8:16 rbytes=4 wbytes=0 rios=1 wios=0\n',
  });
  t.same(usage.io, { readBytes: 4100, writtenBytes: 10, reads: 3, writes: 1 });
  t.same(usage.cpu, {
    usageNanos: 3_000_000,
    userNanos: 2_000_000,
    systemNanos: 1_000_000,
    periods: 10,
    throttledPeriods: 3,
    throttledNanos: 50_000,
  });
  t.match(usage.memory, { usageBytes: 10_000, workingSetBytes: 7000, rssBytes: 5000, swapBytes: 0 });
  t.equal(usage.memory?.limitBytes, undefined, 'max is no limit');
  t.equal(usage.processes, 4);
});

t.test('more in the page cache than in use is a working set of nothing', async (t) => {
  const usage = usageV2({ 'memory.current': '10', 'memory.stat': 'inactive_file 4096' });
  t.equal(usage.memory?.workingSetBytes, 0);
});

t.test('v1 says that there is no limit by one that no machine has', async (t) => {
  const usage = usageV1({ 'memory.usage_in_bytes': '1', 'memory.limit_in_bytes': '9223372036854771712' });
  t.equal(usage.memory?.limitBytes, undefined);
});

t.test('what the kernel does not have is not told', async (t) => {
  t.same(usageV1({}), { cpu: undefined, memory: undefined, processes: undefined, io: undefined });
  t.same(usageV2({}), { cpu: undefined, memory: undefined, processes: undefined, io: undefined });
});
