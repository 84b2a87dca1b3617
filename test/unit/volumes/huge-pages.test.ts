import t from 'tap';
import { hugePageSizes, hugetlbfsOptions, pageBytes } from '../../../src/volumes/huge-pages.ts';
import { podWith } from '../pod/fixtures.ts';

const MI = 1024n * 1024n;

t.test('the pages of a volume are those that the pod asks for', async (t) => {
  const container = (name: string, resource: string) => ({
    name,
    image: 'one',
    resources: { limits: { [resource]: '4Mi', memory: '1Gi' } },
  });
  const pod = podWith({ containers: [container('a', 'hugepages-2Mi'), container('b', 'hugepages-2048Ki')] });
  t.same(hugePageSizes(pod), [2n * MI]);
  t.same(hugePageSizes(podWith()), []);
  t.equal(pageBytes('HugePages', [2n * MI]), 2n * MI);
  t.equal(pageBytes('HugePages-1Gi', [2n * MI, 1024n * MI]), 1024n * MI);
  t.throws(() => pageBytes('HugePages', []), /requests no huge pages/);
  t.throws(() => pageBytes('HugePages', [2n * MI, 1024n * MI]), /only be used with one page size/);
  t.throws(() => pageBytes('HugePages-1Gi', [2n * MI]), /requests no huge pages of this size/);
});

t.test('the mount says size of pages, group and limit', async (t) => {
  t.same(hugetlbfsOptions(2n * MI, undefined, undefined), ['pagesize=2097152', 'mode=0777']);
  t.same(hugetlbfsOptions(2n * MI, '4Mi', { gid: 7 }), ['pagesize=2097152', 'mode=02777', 'gid=7', 'size=4194304']);
});
