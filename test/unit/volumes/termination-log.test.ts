import t from 'tap';
import type { Container, Pod } from '../../../src/api/pod.ts';
import { maxMessageBytes, truncateUtf8 } from '../../../src/volumes/termination-log.ts';

const podOf = (containers: number, initContainers = 0): Pod => {
  const list = (count: number): Container[] => Array.from({ length: count }, (_, index) => ({ name: `c${index}` }));
  return {
    apiVersion: 'v1',
    kind: 'Pod',
    metadata: { name: 'p', namespace: 'n', uid: 'u' },
    spec: { containers: list(containers), initContainers: list(initContainers) },
  };
};

t.test('12 KiB are shared evenly, of which one container has at most 4', async (t) => {
  t.equal(maxMessageBytes(podOf(1)), 4096);
  t.equal(maxMessageBytes(podOf(3)), 4096);
  t.equal(maxMessageBytes(podOf(3, 1)), 3072);
  t.equal(maxMessageBytes(podOf(7)), 1755);
});

t.test('a text is cut between characters', async (t) => {
  t.equal(truncateUtf8('abc', 3), 'abc');
  t.equal(truncateUtf8('abc', 2), 'ab');
  t.equal(truncateUtf8('a€b', 3), 'a');
  t.equal(truncateUtf8('a€b', 4), 'a€');
  t.equal(truncateUtf8('😀', 3), '');
});
