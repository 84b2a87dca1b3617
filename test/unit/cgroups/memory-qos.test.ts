import t from 'tap';
import {
  containerMemoryQos,
  type MemoryQos,
  memoryHigh,
  podMemoryQos,
  qosMemory,
} from '../../../src/cgroups/memory-qos.ts';
import { burstablePod, containerOf, guaranteedPod, podOf } from './pods.ts';

const mib = 1024n * 1024n;
const throttling: MemoryQos = { throttlingFactor: 0.9, reservationPolicy: 'None', allocatableBytes: 1000n * mib };
const tiered: MemoryQos = { ...throttling, reservationPolicy: 'TieredReservation' };

t.test('a container is slowed down at nine tenths of the way from its request to its limit', async (t) => {
  // The examples of the KEP, in MiB: request, limit, factor, from where on.
  const table: [request: bigint, limit: bigint, factor: number, high: bigint | undefined][] = [
    [0n, 1000n, 0.9, 900n],
    [100n, 1000n, 0.9, 910n],
    [900n, 1000n, 0.9, 990n],
    [1000n, 1000n, 0.9, undefined],
    [500n, 1000n, 0.6, 800n],
    [850n, 1000n, 0.8, 970n],
    [500n, 1000n, 0.4, 700n],
    [500n, 1000n, 1, 1000n],
    [200n, 0n, 0.9, 920n],
    [0n, 0n, 0.9, 900n],
    [1000n, 0n, 0.9, undefined],
    [2000n, 0n, 0.9, undefined],
  ];
  for (const [request, limit, throttlingFactor, high] of table) {
    const actual = memoryHigh(request * mib, limit * mib, { ...throttling, throttlingFactor });
    t.equal(actual, high === undefined ? undefined : high * mib, `${request} of ${limit} by ${throttlingFactor}`);
  }
  t.equal(memoryHigh(1n, 10_001n, throttling), 8192n, 'whole pages');
  t.equal(memoryHigh(4000n, 4096n, throttling), undefined, 'not below what was requested');
});

t.test('files of containers, by class and policy', async (t) => {
  const files = (pod: ReturnType<typeof podOf>, limit: bigint, qos: MemoryQos) => {
    const [container = containerOf()] = pod.spec.containers;
    const {
      'memory.min': min,
      'memory.low': low,
      'memory.high': high,
    } = containerMemoryQos(pod, container, limit, qos);
    return [min, low, high];
  };
  const guaranteed = guaranteedPod({ cpu: '1', memory: '64Mi' });
  const burstable = podOf({ containers: [containerOf({ memory: '100Mi' }, { memory: '200Mi' })] });
  const [request, high] = [String(100n * mib), String(190n * mib)];
  t.strictSame(files(guaranteed, 64n * mib, tiered), [String(64n * mib), '0', 'max']);
  t.strictSame(files(guaranteed, 64n * mib, throttling), ['0', '0', 'max']);
  t.strictSame(files(burstable, 200n * mib, tiered), ['0', request, high]);
  t.strictSame(files(burstable, 200n * mib, throttling), ['0', '0', high]);
  t.strictSame(files(podOf(), 0n, tiered), ['0', '0', String(900n * mib)], 'the node stands in for a limit');
  const debugger_ = { ...containerOf(), name: 'debug' };
  t.equal(containerMemoryQos(guaranteed, debugger_, 0n, tiered)['memory.high'], 'max', 'in a Guaranteed pod');
});

t.test('pods and classes protect what is requested below them', async (t) => {
  const guaranteed = guaranteedPod({ cpu: '1', memory: '64Mi' });
  const burstable = podOf({
    overhead: { memory: '1Mi' },
    containers: [containerOf({ memory: '10Mi' }), containerOf({ memory: '20Mi' }, undefined, { name: 'b' })],
    initContainers: [containerOf({ memory: '5Mi' }, undefined, { name: 'init' })],
  });
  t.strictSame(podMemoryQos(guaranteed, tiered), { memoryMinBytes: 64n * mib, memoryLowBytes: 0n });
  t.strictSame(podMemoryQos(burstable, tiered), { memoryMinBytes: 0n, memoryLowBytes: 31n * mib });
  t.strictSame(podMemoryQos(podOf(), tiered), { memoryMinBytes: 0n, memoryLowBytes: 0n });
  const pods = [guaranteed, burstable, burstablePod({ memory: '9Mi' }), podOf()];
  t.strictSame(qosMemory(pods, tiered), {
    burstable: { memoryLowBytes: 40n * mib },
    root: { memoryMinBytes: 104n * mib, memoryLowBytes: 40n * mib },
  });
  t.strictSame(qosMemory(pods, throttling), {
    burstable: { memoryLowBytes: 0n },
    root: { memoryMinBytes: 0n, memoryLowBytes: 0n },
  });
});
