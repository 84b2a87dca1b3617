import t from 'tap';
import { parseNetDev, parseNodeMemory, parseProcessCount, parseProcStat } from '../../../src/stats/node-usage.ts';

t.test('the CPU time of the machine is all but idle and waiting', async (t) => {
  const { cpu, bootedAtMs } = parseProcStat('cpu  100 10 50 9000 800 5 4 3 0 0\ncpu0 1 1 1 1\nbtime 1700000000\n');
  t.same(cpu, { usageNanos: 1.72e9, userNanos: 1.1e9, systemNanos: 0.59e9 });
  t.equal(bootedAtMs, 1_700_000_000_000);
});

t.test('the memory of the machine', async (t) => {
  const meminfo =
    'MemTotal:        1000 kB\nMemFree:          400 kB\nCached:  300 kB\nInactive(file):   100 kB\nAnonPages: 50 kB\nMapped: 20 kB\nSwapTotal: 30 kB\nSwapFree: 10 kB\n';
  const { memory, swapCapacityBytes } = parseNodeMemory(meminfo, 'nr_free_pages 1\npgfault 7\npgmajfault 2\n');
  t.same(memory, {
    usageBytes: 600 * 1024,
    workingSetBytes: 500 * 1024,
    rssBytes: 50 * 1024,
    cacheBytes: 300 * 1024,
    mappedFileBytes: 20 * 1024,
    pageFaults: 7,
    majorPageFaults: 2,
    limitBytes: 1000 * 1024,
    swapBytes: 20 * 1024,
  });
  t.equal(swapCapacityBytes, 30 * 1024);
  t.throws(() => parseNodeMemory('', ''), /how much memory/);
});

t.test('interfaces, but neither loopback nor the ends of pods', async (t) => {
  const text = `Inter-|   Receive                                                |  Transmit
 face |bytes    packets errs drop fifo frame compressed multicast|bytes    packets errs drop fifo colls carrier compressed
    lo:   77323     212    0    0    0     0          0         0    77323     212    0    0    0     0       0          0
veth1:1 1 0 0 0 0 0 0 1 1 0 0 0 0 0 0
  eth0: 1000      10     1    2    0     0          0         0  2000      20     3    4    0     0       0          0
`;
  t.same(parseNetDev(text), [
    {
      name: 'eth0',
      rxBytes: 1000,
      rxPackets: 10,
      rxErrors: 1,
      rxDropped: 2,
      txBytes: 2000,
      txPackets: 20,
      txErrors: 3,
      txDropped: 4,
    },
  ]);
});

t.test('how many processes and threads there are', async (t) => {
  t.equal(parseProcessCount('0.20 0.18 0.12 1/80 11206\n'), 80);
  t.equal(parseProcessCount(''), undefined);
});
